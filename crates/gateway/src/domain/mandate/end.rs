//! How mandates end, and how the account's true holder confirms one.

use super::{Change, Event, Mandate, RevokedBy, Status, Why, silent};
use crate::domain::Event as Fact;
use crate::domain::factor::{Factor, Strength};
use crate::domain::ids::{MandateId, OperatorId};
use crate::domain::operator;
use crate::domain::refusal::{Noun, Refusal};
use crate::domain::state::{Decided, Rows};
use domain::{Moment, Time};

pub(super) fn refuse(rows: Rows<'_>, id: MandateId, row: &Mandate, moment: Moment) -> Decided {
    match row.status {
        Status::Requested | Status::Authenticating => ended(rows, id, row, (Status::Refused, Change::Refused), moment),
        Status::Refused => silent(id, row),
        Status::Pending | Status::InReview | Status::Active => Err(row.wrong_status()),
        Status::Abandoned | Status::Expired | Status::Revoked => Err(row.wrong_status()),
    }
}

pub(super) fn abandon(rows: Rows<'_>, id: MandateId, row: &Mandate, moment: Moment) -> Decided {
    match row.status {
        Status::Requested | Status::Authenticating | Status::Pending | Status::InReview => {
            ended(rows, id, row, (Status::Abandoned, Change::Abandoned), moment)
        }
        Status::Abandoned => silent(id, row),
        Status::Active | Status::Refused | Status::Expired | Status::Revoked => Err(row.wrong_status()),
    }
}

pub(super) fn expire(rows: Rows<'_>, id: MandateId, row: &Mandate, moment: Moment) -> Decided {
    match row.status {
        Status::Requested | Status::Authenticating | Status::Pending | Status::InReview => {
            if moment.now < row.deadline {
                let status = format!("{}, not yet expired", row.status.name());
                return Err(Refusal::WrongStatus { noun: Noun::Mandate, status });
            }
            ended(rows, id, row, (Status::Expired, Change::Expired), moment)
        }
        Status::Expired => silent(id, row),
        Status::Active | Status::Refused | Status::Abandoned | Status::Revoked => Err(row.wrong_status()),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the last word of a decision")]
fn ended(rows: Rows<'_>, id: MandateId, row: &Mandate, how: (Status, Change), moment: Moment) -> Decided {
    let mut events = Vec::new();
    end(rows, &mut events, id, row, how, moment.now);
    Ok((events, row.receipt(id, how.0)))
}

/// Adds to `events` that nothing came of it, and that its operator is told.
pub(super) fn end(
    rows: Rows<'_>,
    events: &mut Vec<Fact>,
    id: MandateId,
    row: &Mandate,
    (status, change): (Status, Change),
    at: Time,
) {
    events.extend([Fact::Mandate(Event::Ended { mandate: id, bank: row.bank, status, at }), row.whose().closed()]);
    operator::tell(rows, events, row.operator, row.told(id, change), at);
}

/// Refusals in order: not active, not a channel of possession, the channel that granted it. A second time changes nothing.
pub(super) fn confirm(rows: Rows<'_>, id: MandateId, row: &Mandate, channel: Factor, moment: Moment) -> Decided {
    match row.status {
        Status::Active => {}
        Status::Requested | Status::Authenticating | Status::Pending | Status::InReview => {
            return Err(row.wrong_status());
        }
        Status::Refused | Status::Abandoned | Status::Expired | Status::Revoked => return Err(row.wrong_status()),
    }
    let Some(grant) = row.grant else { return Err(row.wrong_status()) };
    if row.is_confirmed() {
        return silent(id, row);
    }
    if channel.strength() == Strength::Static || grant.factors.has(channel) {
        return Err(Refusal::SameChannel);
    }
    let event = Event::ConfirmedAlone {
        mandate: id,
        account: grant.account,
        channel,
        debited: row.debited.clone(),
        total: row.unconfirmed_total,
        at: moment.now,
    };
    let mut events = vec![Fact::Mandate(event)];
    operator::tell(rows, &mut events, row.operator, row.told(id, Change::Confirmed), moment.now);
    Ok((events, row.receipt(id, Status::Active)))
}

pub(super) fn revoke(
    rows: Rows<'_>,
    id: MandateId,
    row: &Mandate,
    operator: Option<OperatorId>,
    ended: (RevokedBy, Why),
    moment: Moment,
) -> Decided {
    if operator.is_some_and(|operator| operator != row.operator) {
        return Err(Refusal::Unknown { noun: Noun::Mandate });
    }
    match row.status {
        Status::Requested | Status::Authenticating | Status::Pending | Status::InReview | Status::Active => {
            let mut events = Vec::new();
            end_by(rows, &mut events, id, row, ended, moment.now);
            Ok((events, row.receipt(id, Status::Revoked)))
        }
        // The second to say so may know more: "not me" ends the payout route that the holder's own word left.
        Status::Revoked if row.revoked.is_some_and(|(_, why, _)| why.keeps_route()) && !ended.1.keeps_route() => {
            let mut events = Vec::new();
            end_by(rows, &mut events, id, row, ended, moment.now);
            Ok((events, row.receipt(id, Status::Revoked)))
        }
        Status::Revoked => silent(id, row),
        Status::Refused | Status::Abandoned | Status::Expired => Err(row.wrong_status()),
    }
}

/// Adds to `events` that the mandate ends by somebody's word, if there is anything to end, and that its operator is told.
pub(crate) fn end_by(
    rows: Rows<'_>,
    events: &mut Vec<Fact>,
    id: MandateId,
    row: &Mandate,
    (by, why): (RevokedBy, Why),
    at: Time,
) {
    let ends_route = row.revoked.is_some_and(|(_, before, _)| before.keeps_route()) && !why.keeps_route();
    match row.status {
        Status::Requested | Status::Authenticating | Status::Pending | Status::InReview | Status::Active => {}
        Status::Revoked if ends_route => {}
        Status::Refused | Status::Abandoned | Status::Expired | Status::Revoked => return,
    }
    events.push(Fact::Mandate(Event::Revoked {
        mandate: id,
        operator: row.operator,
        bank: row.bank,
        was_open: row.status.is_open(),
        active: row.grant.filter(|_| row.status == Status::Active).map(|grant| grant.account),
        // Only what was once active has a route that can end.
        route: row
            .grant
            .filter(|_| !why.keeps_route() && matches!(row.status, Status::Active | Status::Revoked))
            .map(|grant| grant.account_ref),
        by,
        why,
        at,
    }));
    events.extend(row.status.is_open().then(|| row.whose().closed()));
    let change = match by {
        RevokedBy::Mandate(_) => Change::Displaced,
        RevokedBy::Operator | RevokedBy::Bank(_) | RevokedBy::AccountHolder | RevokedBy::Gateway(_) => {
            Change::Revoked(by, why)
        }
    };
    operator::tell(rows, events, row.operator, row.told(id, change), at);
}
