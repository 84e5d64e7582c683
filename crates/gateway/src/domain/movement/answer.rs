//! What the bank says: the table of the room's header, arm by arm.

use super::{Answer, Change, Claim, Code, Event, Movement, Outcome, Source, Status};
use crate::domain::Event as Fact;
use crate::domain::ids::MovementId;
use crate::domain::mandate::Mandate;
use crate::domain::operator;
use crate::domain::state::{Decided, Rows};
use domain::{Moment, Time};
use ledger::Yen;

/// The largest sum that a bank's answer is believed to have moved; a larger one is no answer.
const MOVED_MAX: Yen = Yen::new(10_000_000_000);

pub(super) fn answer(
    rows: Rows<'_>,
    id: MovementId,
    row: &Movement,
    outcome: Outcome,
    source: Source,
    moment: Moment,
) -> Decided {
    let at = moment.now;
    let is_believable = |amount: Yen| !amount.is_zero() && amount <= MOVED_MAX;
    match (outcome, source) {
        (Outcome::Settled { amount }, _) if is_believable(amount) => moved(rows, id, row, amount, source, at),
        (Outcome::Reversed { amount }, _) if is_believable(amount) => taken_back(rows, id, row, amount, source, at),
        (Outcome::Declined { code }, _) => not_moved(rows, id, row, code, source, at),
        (Outcome::NotFound { last: true }, _) | (Outcome::NotFound { last: false }, Source::DayFile) => {
            not_moved(rows, id, row, Code::Absent, source, at)
        }
        (Outcome::NotFound { last: false }, Source::Request | Source::Inquiry | Source::Callback) => {
            nothing(id, row, true, at)
        }
        (Outcome::Settled { .. } | Outcome::Reversed { .. } | Outcome::Unknown, _) => nothing(id, row, false, at),
    }
}

fn moved(rows: Rows<'_>, id: MovementId, row: &Movement, amount: Yen, source: Source, at: Time) -> Decided {
    let answer = Answer { outcome: Outcome::Settled { amount }, source, at };
    match row.status {
        Status::Pending | Status::InDoubt => ended(rows, id, row, (Status::Settled, answer, Change::Settled(amount))),
        Status::Settled | Status::Reversed if row.settled() == Some(amount) => row.silent(id),
        Status::Settled | Status::Reversed => contradicted(rows, id, row, Claim::Moved(amount), at),
        Status::Declined if row.answer.is_none_or(|answer| !answer.is_firm_no()) => {
            ended(rows, id, row, (Status::Settled, answer, Change::Settled(amount)))
        }
        Status::Declined => contradicted(rows, id, row, Claim::Moved(amount), at),
    }
}

fn not_moved(rows: Rows<'_>, id: MovementId, row: &Movement, code: Code, source: Source, at: Time) -> Decided {
    let answer = Answer { outcome: Outcome::Declined { code }, source, at };
    match row.status {
        Status::Pending | Status::InDoubt => ended(rows, id, row, (Status::Declined, answer, Change::Declined(code))),
        Status::Settled => contradicted(rows, id, row, Claim::NotMoved, at),
        Status::Declined | Status::Reversed => row.silent(id),
    }
}

fn taken_back(rows: Rows<'_>, id: MovementId, row: &Movement, amount: Yen, source: Source, at: Time) -> Decided {
    let answer = Answer { outcome: Outcome::Reversed { amount }, source, at };
    match row.status {
        Status::Pending | Status::InDoubt if amount == row.order.amount => {
            ended(rows, id, row, (Status::Reversed, answer, Change::Reversed(amount)))
        }
        Status::Settled if row.settled() == Some(amount) => {
            ended(rows, id, row, (Status::Reversed, answer, Change::Reversed(amount)))
        }
        Status::Reversed if row.settled() == Some(amount) => row.silent(id),
        Status::Declined => row.silent(id),
        Status::Pending | Status::InDoubt | Status::Settled | Status::Reversed => {
            contradicted(rows, id, row, Claim::TakenBack(amount), at)
        }
    }
}

/// A return that the bank never heard of, and never will: as firm as its own no.
pub(super) fn never_sent(rows: Rows<'_>, id: MovementId, row: &Movement, at: Time) -> Decided {
    not_moved(rows, id, row, Code::StoppedByCollector, Source::Request, at)
}

fn nothing(id: MovementId, row: &Movement, absent: bool, at: Time) -> Decided {
    match row.status {
        Status::Pending | Status::InDoubt if row.status == Status::InDoubt && row.absent == absent => row.silent(id),
        Status::Pending | Status::InDoubt => {
            let mut after = row.clone();
            let event = Event::Doubted { movement: id, absent, at };
            event.apply(&mut after);
            Ok((vec![Fact::Movement(event)], after.receipt(id)))
        }
        Status::Settled | Status::Declined | Status::Reversed => row.silent(id),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the last word of a decision")]
fn ended(
    rows: Rows<'_>,
    id: MovementId,
    row: &Movement,
    (status, answer, change): (Status, Answer, Change),
) -> Decided {
    let order = &row.order;
    let is_confirmed = order.mandate.and_then(|id| rows.mandate(id)).is_some_and(Mandate::is_confirmed);
    let event = Event::Ended {
        movement: id,
        bank: order.bank,
        // What its holder has confirmed since left the sums with all that it was debited.
        account: order.unconfirmed.filter(|_| !is_confirmed).map(|confirmations| (order.account, confirmations)),
        mandate: order.mandate.filter(|_| order.kind == super::Kind::Debit),
        of: order.of,
        amount: order.amount,
        accepted: order.accepted,
        was: row.status,
        status,
        answer,
    };
    let mut after = row.clone();
    event.apply(&mut after);
    let mut events = vec![Fact::Movement(event)];
    if (row.status, status) == (Status::Declined, Status::Settled) {
        events.push(Fact::Movement(Event::SettledAfterAll { movement: id, bank: order.bank }));
    }
    events.extend(row.status.is_open().then(|| order.whose().closed()));
    operator::tell(rows, &mut events, order.operator, row.told(id, change), answer.at);
    Ok((events, after.receipt(id)))
}

/// It is recorded and told, and changes nothing else; the same claim again changes nothing at all.
fn contradicted(rows: Rows<'_>, id: MovementId, row: &Movement, claim: Claim, at: Time) -> Decided {
    if row.claim == Some(claim) {
        return row.silent(id);
    }
    let mut events = vec![Fact::Movement(Event::Contradicted { movement: id, claim, at })];
    operator::tell(rows, &mut events, row.order.operator, row.told(id, Change::Contradicted(claim)), at);
    Ok((events, row.receipt(id)))
}
