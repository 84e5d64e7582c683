//! What the desk decides: of a held payout, one person; of a contradiction, two.

use super::answer::wallet_of;
use super::request::check_stops;
use super::{Event, Payout, Status};
use crate::bank_answer::{Claim, Proposal, Resolution};
use crate::ids::StaffId;
use crate::payment::PIECES_MAX;
use crate::purse::{self, Piece, Purse};
use crate::refusal::{Noun, Refusal};
use crate::standing::Standing;
use crate::state::{Decided, Rows, check_clock};
use crate::wallet::Wallet;
use domain::Moment;
use ledger::Yen;

fn check_held(row: &Payout) -> Result<(), Refusal> {
    if row.status == Status::Held { Ok(()) } else { Err(row.wrong_status()) }
}

/// What the bank said against the record is settled first, by two people.
fn check_unflagged(row: &Payout) -> Result<(), Refusal> {
    if row.is_flagged() { Err(row.contradiction()) } else { Ok(()) }
}

/// Giving it up is refused in this order: not held, a contradiction first. Releasing it: the account is no payout route any
/// more, stopped, clock, not held, closed, expired, frozen, a contradiction first.
pub(super) fn decide_held(rows: Rows<'_>, row: &Payout, release: bool, by: StaffId, moment: Moment) -> Decided {
    let wallet = wallet_of(rows, row)?;
    if !release {
        check_held(row)?;
        check_unflagged(row)?;
        return row.done(row.ended(wallet, Status::Declined, None, Some(by), moment), Status::Declined);
    }
    let route = rows.bank_account(row.credit.bank_account);
    if !route.is_some_and(|account| account.is_route_of(row.credit.wallet, wallet)) {
        return Err(Refusal::Unknown { noun: Noun::BankAccount });
    }
    check_stops(rows, wallet, row.credit.bank, moment)?;
    check_held(row)?;
    wallet.check_open()?;
    if let Some(review) = row.review.filter(|review| moment.now >= review.deadline) {
        return Err(Refusal::Expired { noun: Noun::Payout, at: review.deadline });
    }
    wallet.check_leaving(Some(row.credit.payout))?;
    check_unflagged(row)?;
    row.done(Event::Released { payout: row.credit.payout, by, at: moment.now }, Status::Pending)
}

/// Refusals in order: clock, not held, there is still time to decide, a contradiction first.
pub(super) fn expire_held(rows: Rows<'_>, row: &Payout, moment: Moment) -> Decided {
    check_clock(moment)?;
    check_held(row)?;
    if row.review.is_some_and(|review| moment.now < review.deadline) {
        return Err(Refusal::WrongStatus { noun: Noun::Payout, status: Standing::HeldNotExpired });
    }
    check_unflagged(row)?;
    row.done(row.ended(wallet_of(rows, row)?, Status::Declined, None, None, moment), Status::Declined)
}

/// Refusals in order: nothing to settle, or not in that way.
pub(super) fn propose(row: &Payout, resolution: Resolution, by: StaffId, moment: Moment) -> Decided {
    check_resolution(row, resolution)?;
    if row.proposal == Some(Proposal { resolution, by }) {
        return row.silent();
    }
    row.done(Event::Proposed { payout: row.credit.payout, resolution, by, at: moment.now }, row.status)
}

/// Which ways of settling there are: see the arms of [`approve`].
fn check_resolution(row: &Payout, resolution: Resolution) -> Result<(), Refusal> {
    let as_asked = row.claims.has(Claim::Moved(row.credit.amount));
    let fits = match (row.status, resolution) {
        (Status::Held | Status::Pending | Status::InDoubt, Resolution::Settle | Resolution::Decline)
        | (Status::Settled, Resolution::Return | Resolution::Keep)
        | (Status::Declined | Status::Cancelled | Status::Returned, Resolution::Keep) => true,
        (Status::Declined | Status::Cancelled | Status::Returned, Resolution::Settle) => as_asked,
        (Status::Held | Status::Pending | Status::InDoubt, Resolution::Return | Resolution::Keep)
        | (Status::Settled, Resolution::Settle | Resolution::Decline)
        | (Status::Declined | Status::Cancelled | Status::Returned, Resolution::Decline | Resolution::Return)
        | (_, Resolution::AlreadyReturned) => false,
    };
    if row.is_flagged() && fits { Ok(()) } else { Err(row.wrong_status()) }
}

/// Refusals in order: nothing to settle or not in that way, not what was proposed, the same person.
pub(super) fn approve(rows: Rows<'_>, row: &Payout, resolution: Resolution, by: StaffId, moment: Moment) -> Decided {
    check_resolution(row, resolution)?;
    Proposal::check_second(row.proposal, resolution, by, Noun::Payout)?;
    let wallet = wallet_of(rows, row)?;
    let moves = match resolution {
        Resolution::Keep | Resolution::AlreadyReturned => None,
        Resolution::Settle if row.status.is_open() => Some((row.settled(None, moment), Status::Settled)),
        Resolution::Settle => Some((paid_after_all(row, wallet, moment), Status::Settled)),
        Resolution::Return => Some((row.returned(wallet, moment), Status::Returned)),
        Resolution::Decline => {
            let status = row.status_without_payment();
            Some((row.ended(wallet, status, None, Some(by), moment), status))
        }
    };
    let status = moves.as_ref().map_or(row.status, |(_, status)| *status);
    let resolved = Event::Resolved { payout: row.credit.payout, resolution, by, at: moment.now };
    let events = std::iter::once(resolved).chain(moves.map(|(event, _)| event));
    Ok((events.map(crate::Event::Payout).collect(), row.receipt(status, false)))
}

/// The bank paid what it had said it did not, and the purse has had its money back since: what is there, and no case keeps, goes,
/// as far as one movement may be made of it, and the rest is owed. Two people need this to pass, so no number of lots refuses it.
fn paid_after_all(row: &Payout, wallet: &Wallet, moment: Moment) -> Event {
    let there = row.credit.amount.min(wallet.free(Purse::Funds));
    let lots = purse::choose(&wallet.free_lots(Purse::Funds), there).unwrap_or_default();
    let pieces: Vec<Piece> = lots.into_iter().take(PIECES_MAX).map(|lot| Piece { purse: Purse::Funds, lot }).collect();
    let paid = Yen::checked_sum(pieces.iter().map(|piece| piece.lot.amount)).unwrap_or(there);
    let owed = row.credit.amount.saturating_sub(paid);
    Event::PaidAfterAll { credit: row.credit, pieces, owed, at: moment.now }
}
