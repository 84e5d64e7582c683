//! What the desk decides: of a held top-up, one person; of a contradiction, two.

use super::answer::{credit, returned, wallet_of};
use super::request::{check_standing, check_stops, check_unfrozen};
use super::{Event, GIVE_BACKS_FAILED_MAX, GiveBack, GiveBackStatus, Status, TopUp};
use crate::bank_answer::{Claim, Proposal, Resolution};
use crate::ids::{GiveBackId, StaffId};
use crate::refusal::{Limit, Noun, Refusal};
use crate::standing::Standing;
use crate::state::{Decided, Rows, check_clock};
use domain::Moment;
use ledger::Yen;

fn check_held(row: &TopUp) -> Result<(), Refusal> {
    if row.status == Status::Held { Ok(()) } else { Err(row.wrong_status()) }
}

/// What the bank said against the record is settled first, by two people.
fn check_unflagged(row: &TopUp) -> Result<(), Refusal> {
    if row.is_flagged() { Err(row.contradiction()) } else { Ok(()) }
}

fn given_up(row: &TopUp, by: Option<StaffId>, moment: Moment) -> Decided {
    let event = Event::Ended {
        debit: row.debit,
        status: Status::Declined,
        suspended: Yen::ZERO,
        answer: None,
        by,
        at: moment.now,
    };
    row.done(event, Status::Declined)
}

/// Giving it up is refused in this order: not held, a contradiction first. Releasing it: stopped, not held, the mandate not
/// active, the wallet closed, expired, frozen, a contradiction first.
pub(super) fn decide_held(rows: Rows<'_>, row: &TopUp, release: bool, by: StaffId, moment: Moment) -> Decided {
    if !release {
        check_held(row)?;
        check_unflagged(row)?;
        return given_up(row, Some(by), moment);
    }
    let wallet = wallet_of(rows, row)?;
    let mandate = rows.mandate(row.mandate).ok_or(Refusal::Unknown { noun: Noun::Mandate })?;
    check_stops(rows, wallet, mandate)?;
    check_held(row)?;
    check_standing(wallet, mandate)?;
    if let Some(review) = row.review.filter(|review| moment.now >= review.deadline) {
        return Err(Refusal::Expired { noun: Noun::TopUp, at: review.deadline });
    }
    check_unfrozen(wallet)?;
    check_unflagged(row)?;
    row.done(Event::Released { top_up: row.debit.top_up, by, at: moment.now }, Status::Pending)
}

/// Refusals in order: clock, not held, there is still time to decide, a contradiction first.
pub(super) fn expire_held(row: &TopUp, moment: Moment) -> Decided {
    check_clock(moment)?;
    check_held(row)?;
    if row.review.is_some_and(|review| moment.now < review.deadline) {
        return Err(Refusal::WrongStatus { noun: Noun::TopUp, status: Standing::HeldNotExpired });
    }
    check_unflagged(row)?;
    given_up(row, None, moment)
}

/// Refusals in order: nothing failed, the id is taken, a contradiction first, tried too often.
///
/// The bank may still turn out to have made an earlier one: its word on that is then a contradiction, and stops this one.
pub(super) fn retry_give_back(row: &TopUp, id: GiveBackId, by: StaffId, moment: Moment) -> Decided {
    let failed = row.give_back.filter(|given| given.status == GiveBackStatus::Failed);
    let Some(failed) = failed else { return Err(row.wrong_status()) };
    if failed.id == id || row.give_backs_failed.contains(&id) {
        return Err(Refusal::Taken { noun: Noun::GiveBack, id: id.0 });
    }
    if row.is_flagged() {
        return Err(row.contradiction());
    }
    if row.give_backs_failed.len() >= GIVE_BACKS_FAILED_MAX {
        return Err(Refusal::full(Limit::GiveBacks, GIVE_BACKS_FAILED_MAX));
    }
    let event = Event::GiveBackRetried { top_up: row.debit.top_up, give_back: id, by, at: moment.now };
    row.done(event, row.status)
}

/// Refusals in order: nothing to settle, or not in that way.
pub(super) fn propose(row: &TopUp, resolution: Resolution, by: StaffId, moment: Moment) -> Decided {
    check_resolution(row, resolution)?;
    if row.proposal == Some(Proposal { resolution, by }) {
        return row.silent();
    }
    row.done(Event::Proposed { top_up: row.debit.top_up, resolution, by, at: moment.now }, row.status)
}

/// Which ways of settling there are: see the arms of [`approve`].
fn check_resolution(row: &TopUp, resolution: Resolution) -> Result<(), Refusal> {
    if ends_give_back(row, resolution) {
        return Ok(());
    }
    let fits = match (row.status, resolution) {
        (
            Status::Held | Status::Pending | Status::InDoubt,
            Resolution::Settle | Resolution::Decline | Resolution::Return,
        )
        | (Status::Settled, Resolution::Decline | Resolution::Keep)
        | (Status::Declined | Status::Cancelled | Status::Returned | Status::Reversed, Resolution::Keep) => true,
        (Status::Declined | Status::Cancelled, Resolution::Return) => row.claims.moved().is_some(),
        (Status::Reversed, Resolution::Return) => {
            was_declined(row) && row.claims.moved().is_some() && row.reimbursed.is_zero()
        }
        (Status::Returned, Resolution::AlreadyReturned) => is_taken_back(row),
        (Status::Returned, Resolution::Return) => came_back(row),
        (Status::Returned, Resolution::Settle) => row.gives_back() || row.is_paid_otherwise(),
        (Status::Held | Status::Pending | Status::InDoubt, Resolution::Keep | Resolution::AlreadyReturned)
        | (Status::Settled, Resolution::Settle | Resolution::Return | Resolution::AlreadyReturned)
        | (
            Status::Declined | Status::Cancelled | Status::Reversed,
            Resolution::Settle | Resolution::Decline | Resolution::AlreadyReturned,
        )
        | (Status::Returned, Resolution::Decline) => false,
    };
    if row.is_flagged() && fits { Ok(()) } else { Err(row.wrong_status()) }
}

/// Whether it is a give-back that ends by two people's word, though no bank contradicts itself: one of which the bank never knew
/// could not be made, and one that could not be made has found its way all the same.
fn ends_give_back(row: &TopUp, resolution: Resolution) -> bool {
    let Some(given) = row.give_back.filter(|_| !row.is_flagged()) else { return false };
    match resolution {
        Resolution::Decline => given.status == GiveBackStatus::Pending && given.absent,
        Resolution::Settle => given.status == GiveBackStatus::Failed,
        Resolution::Return | Resolution::Keep | Resolution::AlreadyReturned => false,
    }
}

/// Whether two people found, after it had been credited, that the bank had moved nothing: the money was taken out again, and
/// if the bank moved it after all it goes back to its account.
fn was_declined(row: &TopUp) -> bool {
    row.status == Status::Reversed && row.resolved == Some(Resolution::Decline)
}

/// Whether what was given back did not stay in the account, and there is an id left to give it back under.
fn came_back(row: &TopUp) -> bool {
    let is_claimed = row.claims.iter().any(|claim| matches!(claim, Claim::CameBack(_)));
    let is_by_bank = row.give_back.is_some_and(|given| !given.otherwise);
    is_by_bank && is_claimed && row.give_backs_failed.len() < GIVE_BACKS_FAILED_MAX
}

/// Whether the bank says that it took back itself what waits to be given back, or that it never had it.
fn is_taken_back(row: &TopUp) -> bool {
    let is_claimed = |amount| row.claims.has(Claim::TakenBack(amount)) || row.claims.has(Claim::NotMoved);
    row.gives_back() && row.give_back.is_some_and(|given| is_claimed(given.amount))
}

/// Refusals in order: nothing to settle or not in that way, not what was proposed, the same person, the give-back's id taken.
pub(super) fn approve(
    rows: Rows<'_>,
    row: &TopUp,
    resolution: Resolution,
    by: StaffId,
    give_back: GiveBackId,
    moment: Moment,
) -> Decided {
    check_resolution(row, resolution)?;
    Proposal::check_second(row.proposal, resolution, by, Noun::TopUp)?;
    let is_taken =
        row.give_back.is_some_and(|given| given.id == give_back) || row.give_backs_failed.contains(&give_back);
    if row.status == Status::Returned && resolution == Resolution::Return && is_taken {
        return Err(Refusal::Taken { noun: Noun::GiveBack, id: give_back.0 });
    }
    let moves = match resolution {
        Resolution::Keep => None,
        Resolution::AlreadyReturned => row.give_back.map(|given| {
            let event = Event::TakenBack { debit: row.debit, amount: given.amount, at: moment.now };
            (event, Status::Returned)
        }),
        Resolution::Settle if row.status == Status::Returned => {
            row.give_back.map(|given| (given_back(row, given, moment), Status::Returned))
        }
        Resolution::Settle => Some(credit(rows, row, None, give_back, moment)?),
        Resolution::Return if row.status == Status::Returned => {
            row.give_back.map(|given| (given_back_anew(row, given, give_back, by, moment), Status::Returned))
        }
        Resolution::Return => Some((returned(row, debited(row), give_back, None, moment.now), Status::Returned)),
        Resolution::Decline if row.status == Status::Returned => {
            Some((Event::GiveBackFailed { top_up: row.debit.top_up, at: moment.now }, Status::Returned))
        }
        Resolution::Decline if row.status == Status::Settled => {
            Some((row.reversal(wallet_of(rows, row)?, moment), Status::Reversed))
        }
        Resolution::Decline => {
            let (debit, status, suspended) = (row.debit, row.status_without_debit(), row.suspended());
            let event = Event::Ended { debit, status, suspended, answer: None, by: Some(by), at: moment.now };
            Some((event, status))
        }
    };
    let status = moves.as_ref().map_or(row.status, |(_, status)| *status);
    let resolved = Event::Resolved { top_up: row.debit.top_up, resolution, by, at: moment.now };
    let events = std::iter::once(resolved).chain(moves.map(|(event, _)| event));
    Ok((events.map(crate::Event::TopUp).collect(), row.receipt(status, false)))
}

/// The account has what was to go back: by its bank, by another way where no bank says anything, or by both.
const fn given_back(row: &TopUp, given: GiveBack, moment: Moment) -> Event {
    let (debit, amount, at) = (row.debit, given.amount, moment.now);
    if given.otherwise {
        Event::GivenBackTwice { debit, amount, at }
    } else if row.is_flagged() {
        Event::GivenBack { debit, amount, at }
    } else {
        Event::GivenBackOtherwise { debit, amount, at }
    }
}

/// What came back is given back once more: booked as waiting again, if it was booked as being in the account.
const fn given_back_anew(row: &TopUp, given: GiveBack, give_back: GiveBackId, by: StaffId, moment: Moment) -> Event {
    let (debit, amount, at) = (row.debit, given.amount, moment.now);
    match given.status {
        GiveBackStatus::Done | GiveBackStatus::TakenBack => Event::GiveBackReversed { debit, amount, give_back, at },
        GiveBackStatus::Pending | GiveBackStatus::Failed => {
            Event::GiveBackRetried { top_up: debit.top_up, give_back, by, at }
        }
    }
}

/// What the bank says it debited.
fn debited(row: &TopUp) -> Yen {
    row.mismatch.or(row.claims.moved()).unwrap_or(row.debit.amount)
}
