//! What two people of the desk make of a bank that contradicted itself, or that never answered.

use super::{Event, Reimbursement, Status, check_left, is_freed};
use crate::bank_answer::{Proposal, Resolution};
use crate::ids::StaffId;
use crate::refusal::{Noun, Refusal};
use crate::state::{Decided, Rows};
use domain::Moment;

/// Refuses where there is nothing to settle, or not in that way.
fn check_resolution(row: &Reimbursement, resolution: Resolution) -> Result<(), Refusal> {
    let fits = match (row.status, resolution) {
        (Status::Pending | Status::InDoubt, Resolution::Settle | Resolution::Decline)
        | (Status::Done, Resolution::Decline | Resolution::Keep)
        | (Status::Failed, Resolution::Settle | Resolution::Keep) => true,
        (Status::Pending | Status::InDoubt, Resolution::Keep)
        | (Status::Done, Resolution::Settle)
        | (Status::Failed, Resolution::Decline)
        | (Status::Proposed | Status::Refused, Resolution::Settle | Resolution::Decline | Resolution::Keep)
        | (_, Resolution::Return | Resolution::AlreadyReturned) => false,
    };
    let is_unanswered = row.status.is_open() && row.absent && resolution == Resolution::Decline;
    // What no bank could pay the account may have by another way.
    let is_paid_otherwise = row.status == Status::Failed && resolution == Resolution::Settle;
    if fits && (row.is_flagged() || is_unanswered || is_paid_otherwise) { Ok(()) } else { Err(row.wrong_status()) }
}

/// Refusals in order: nothing to settle, or not in that way.
pub(super) fn propose(row: &Reimbursement, resolution: Resolution, by: StaffId, moment: Moment) -> Decided {
    check_resolution(row, resolution)?;
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
    check_resolution(row, resolution)?;
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
        (Status::Failed, Resolution::Settle) => Some((done_after_all(rows, row, moment)?, Status::Done)),
        (Status::Done | Status::Failed | Status::Proposed | Status::Refused, _) => None,
    };
    let status = moves.as_ref().map_or(row.status, |(_, status)| *status);
    let resolved = Event::Resolved { reimbursement: credit.reimbursement, resolution, by, at };
    let events = std::iter::once(resolved).chain(moves.map(|(event, _)| event));
    Ok((events.map(crate::Event::Reimbursement).collect(), row.receipt(status, false)))
}

/// The bank paid what it had said it could not: what still stands ready pays, and the operator what another one has used since. What
/// a payout brought back to the account meanwhile is no reason against it: the bank has paid, and the books say so.
fn done_after_all(rows: Rows<'_>, row: &Reimbursement, moment: Moment) -> Result<Event, Refusal> {
    let credit = row.credit;
    let top_up = rows.top_up(credit.top_up).ok_or(Refusal::Unknown { noun: Noun::TopUp })?;
    check_left(top_up, top_up.not_reimbursed(), credit.amount)?;
    let parked = top_up.parked().min(credit.amount);
    let expense = credit.amount.saturating_sub(parked);
    Ok(Event::DoneAfterAll { credit, parked, expense, at: moment.now })
}
