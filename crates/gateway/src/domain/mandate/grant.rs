//! The bank's grant: what it must say before anything comes of it.

use super::{Change, Event, Grant, Mandate, MissingFact, Receipt, Status, silent};
use crate::domain::account::{self, Details};
use crate::domain::bank::{self, Function};
use crate::domain::factor::Strength;
use crate::domain::ids::MandateId;
use crate::domain::operator;
use crate::domain::policy::Policy;
use crate::domain::state::{Decided, Rows};
use crate::domain::{Context, Event as Fact};
use domain::Moment;

/// Refusals in order: over already, its time ran out, the bank's switch. Facts that do not suffice end it: that is carried
/// out, and the receipt says what they lack.
pub(super) fn grant(
    rows: Rows<'_>,
    id: MandateId,
    row: &Mandate,
    grant: &Grant,
    details: &Details,
    moment: Moment,
    context: &Context,
) -> Decided {
    match row.status {
        Status::Requested | Status::Authenticating => {}
        Status::Pending | Status::InReview | Status::Active if row.grant == Some(*grant) => return silent(id, row),
        Status::Pending | Status::InReview | Status::Active => return Err(row.wrong_status()),
        Status::Refused | Status::Abandoned | Status::Expired | Status::Revoked => return Err(row.wrong_status()),
    }
    row.check_deadline(moment.now)?;
    bank::check(rows, row.bank, Function::Register)?;
    let mut events = Vec::new();
    let details = details.clone();
    events.push(Fact::Account(match rows.account(grant.account) {
        None => account::Event::Seen { account: grant.account, details },
        Some(_) => account::Event::Described { account: grant.account, details },
    }));
    if let Some(missing) = missing_of(rows, row, grant, &context.policy) {
        let event = Event::Refused { mandate: id, bank: row.bank, grant: *grant, missing, at: moment.now };
        events.extend([Fact::Mandate(event), row.whose().closed()]);
        operator::tell(rows, &mut events, row.operator, row.told(id, Change::Refused), moment.now);
        return Ok((events, row.lacking(id, missing)));
    }
    let (status, change, wait_ms) = if context.policy.is_sure_of(grant) {
        (Status::Pending, Change::Granted, context.policy.mandate_ms)
    } else {
        (Status::InReview, Change::InReview, context.policy.review_ms)
    };
    let deadline = moment.now.plus_milliseconds(wait_ms);
    events.push(Fact::Mandate(Event::Granted { mandate: id, grant: *grant, status, deadline, at: moment.now }));
    operator::tell(rows, &mut events, row.operator, row.told(id, change), moment.now);
    Ok((events, Receipt::Mandate { id, bank: row.bank, status, deadline, missing: None }))
}

/// What a grant lacks, in order.
fn missing_of(rows: Rows<'_>, row: &Mandate, grant: &Grant, policy: &Policy) -> Option<MissingFact> {
    if policy.tells_true_holder && !grant.contact_notified {
        return Some(MissingFact::Contact);
    }
    let disowned = rows.account(grant.account).is_some_and(|account| account.disowned > 0);
    let strength = grant.factors.strength();
    if !bank::allows_factors(rows, row.bank, grant.factors) || (disowned && strength < Strength::Possession) {
        return Some(MissingFact::StrongFactor);
    }
    policy.is_another(grant.name, grant.birth_date_matches).then_some(MissingFact::Match)
}
