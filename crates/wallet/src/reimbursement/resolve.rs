//! What two people of the desk make of a bank that contradicted itself, or that never answered.

use super::{Event, Reimbursement, Status, check_left, is_freed};
use crate::bank_answer::{Proposal, Resolution};
use crate::ids::StaffId;
use crate::refusal::{Noun, Refusal};
use crate::state::{Decided, Rows};
use domain::Moment;
use ledger::Yen;

/// Refuses where there is nothing to settle, or not in that way.
fn check_resolution(rows: Rows<'_>, row: &Reimbursement, resolution: Resolution) -> Result<(), Refusal> {
    let fits = match (row.status, resolution) {
        (Status::Pending | Status::InDoubt, Resolution::Settle | Resolution::Decline)
        | (Status::Done, Resolution::Keep)
        | (Status::Failed, Resolution::Settle | Resolution::Keep) => true,
        (Status::Done, Resolution::Decline) => !row.otherwise,
        (Status::Done, Resolution::Settle) => row.otherwise,
        (Status::Pending | Status::InDoubt, Resolution::Keep)
        | (Status::Failed, Resolution::Decline)
        | (Status::Proposed | Status::Refused, Resolution::Settle | Resolution::Decline | Resolution::Keep)
        | (_, Resolution::Return | Resolution::AlreadyReturned) => false,
    };
    let is_unanswered = row.status.is_open() && row.absent && resolution == Resolution::Decline;
    // What no bank could pay the account may have by another way.
    let is_paid_otherwise = row.status == Status::Failed && resolution == Resolution::Settle;
    let is_for_nothing =
        row.status == Status::Failed && resolution == Resolution::Keep && !surplus(rows, row)?.is_zero();
    let may_end = row.is_flagged() || is_unanswered || is_paid_otherwise || is_for_nothing;
    if fits && may_end { Ok(()) } else { Err(row.wrong_status()) }
}

/// What stands ready of its debit for nothing.
fn surplus(rows: Rows<'_>, row: &Reimbursement) -> Result<Yen, Refusal> {
    Ok(rows.top_up(row.credit.top_up).ok_or(Refusal::Unknown { noun: Noun::TopUp })?.surplus())
}

/// Refusals in order: nothing to settle, or not in that way.
pub(super) fn propose(
    rows: Rows<'_>,
    row: &Reimbursement,
    resolution: Resolution,
    by: StaffId,
    moment: Moment,
) -> Decided {
    check_resolution(rows, row, resolution)?;
    if row.proposal == Some(Proposal { resolution, by }) {
        return row.silent();
    }
    let event = Event::ResolutionProposed { reimbursement: row.credit.reimbursement, resolution, by, at: moment.now };
    row.done(event, row.status)
}

/// Refusals in order: nothing to settle or not in that way, not what was proposed, the same person; more than is not reimbursed
/// of the debit, where it is said to be paid after all.
pub(super) fn approve(
    rows: Rows<'_>,
    row: &Reimbursement,
    resolution: Resolution,
    by: StaffId,
    moment: Moment,
) -> Decided {
    check_resolution(rows, row, resolution)?;
    Proposal::check_second(row.proposal, resolution, by, Noun::Reimbursement)?;
    let (credit, at) = (row.credit, moment.now);
    let moves = match (row.status, resolution) {
        (Status::Pending | Status::InDoubt, Resolution::Settle) => Some((Event::Done { credit, at }, Status::Done)),
        (Status::Pending | Status::InDoubt, _) => {
            Some((Event::Failed { credit, freed: is_freed(rows, row)?, at }, Status::Failed))
        }
        (Status::Done, Resolution::Decline) => {
            Some((Event::Undone { credit, freed: is_freed(rows, row)?, at }, Status::Failed))
        }
        (Status::Done, Resolution::Settle) => Some((Event::PaidTwice { credit, at }, Status::Done)),
        (Status::Failed, Resolution::Settle) => Some((done_after_all(rows, row, moment)?, Status::Done)),
        (Status::Failed, Resolution::Keep) if !row.is_flagged() => {
            Some((Event::Freed { credit, amount: surplus(rows, row)?, at }, Status::Failed))
        }
        (Status::Done | Status::Failed | Status::Proposed | Status::Refused, _) => None,
    };
    let status = moves.as_ref().map_or(row.status, |(_, status)| *status);
    let resolved = Event::Resolved { reimbursement: credit.reimbursement, resolution, by, at };
    let events = std::iter::once(resolved).chain(moves.map(|(event, _)| event));
    Ok((events.map(crate::Event::Reimbursement).collect(), row.receipt(status, false)))
}

/// The bank paid what it had said it could not, or, where it says nothing, another way did: what still stands ready pays, and the
/// operator what another one has used since. What a payout brought back meanwhile is no reason against a bank that has said something,
/// nor that it took the debit back by itself: the books say what it did. By another way nobody pays more than is lacking.
fn done_after_all(rows: Rows<'_>, row: &Reimbursement, moment: Moment) -> Result<Event, Refusal> {
    let (credit, at) = (row.credit, moment.now);
    let top_up = rows.top_up(credit.top_up).ok_or(Refusal::Unknown { noun: Noun::TopUp })?;
    let unreimbursed = top_up.debit.amount.saturating_sub(top_up.reimbursed);
    check_left(top_up, if row.is_flagged() { unreimbursed } else { top_up.lacking() }, credit.amount)?;
    let parked = top_up.parked().min(credit.amount);
    let expense = credit.amount.saturating_sub(parked);
    Ok(if row.is_flagged() {
        Event::DoneAfterAll { credit, parked, expense, at }
    } else {
        Event::PaidOtherwise { credit, parked, expense, at }
    })
}
