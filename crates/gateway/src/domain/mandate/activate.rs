//! Activation: the operator collects the grant, and the mandate takes its account's slot, displacing whom it may.

use super::{Change, Event, Mandate, MissingFact, RevokedBy, Status, Why, end, silent};
use crate::domain::bank::{self, Function};
use crate::domain::ids::{AccountId, MandateId, OperatorId, StaffId};
use crate::domain::operator;
use crate::domain::policy::Displacing;
use crate::domain::refusal::{Noun, Refusal};
use crate::domain::state::{Decided, Rows};
use crate::domain::{Context, Event as Fact, Receipt};
use domain::Moment;

/// Refusals in order: another operator's, another account than the grant's, over already, its time ran out, the switches.
pub(super) fn collect(
    rows: Rows<'_>,
    id: MandateId,
    row: &Mandate,
    (operator, account): (OperatorId, AccountId),
    moment: Moment,
    context: &Context,
) -> Decided {
    if row.operator != operator || row.grant.is_none_or(|grant| grant.account != account) {
        return Err(Refusal::Unknown { noun: Noun::Mandate });
    }
    match row.status {
        Status::Pending => {
            row.check_deadline(moment.now)?;
            activate(rows, id, row, Vec::new(), moment, context)
        }
        Status::InReview if !row.collected => {
            row.check_deadline(moment.now)?;
            let event = Event::Collected { mandate: id, at: moment.now };
            Ok((vec![Fact::Mandate(event)], row.receipt(id, Status::InReview)))
        }
        Status::InReview | Status::Active => silent(id, row),
        Status::Requested | Status::Authenticating => Err(row.wrong_status()),
        Status::Refused | Status::Abandoned | Status::Expired | Status::Revoked => Err(row.wrong_status()),
    }
}

/// The desk's word. What was collected meanwhile becomes active at once; else it waits to be collected.
pub(super) fn decide(
    rows: Rows<'_>,
    id: MandateId,
    row: &Mandate,
    account: AccountId,
    (accept, by): (bool, StaffId),
    moment: Moment,
    context: &Context,
) -> Decided {
    if row.grant.is_none_or(|grant| grant.account != account) {
        return Err(Refusal::Unknown { noun: Noun::Mandate });
    }
    match row.status {
        Status::InReview => row.check_deadline(moment.now)?,
        Status::Requested | Status::Authenticating | Status::Pending | Status::Active => {
            return Err(row.wrong_status());
        }
        Status::Refused | Status::Abandoned | Status::Expired | Status::Revoked => return Err(row.wrong_status()),
    }
    if !accept {
        let mut events = Vec::new();
        end::end(rows, &mut events, id, row, (Status::Refused, Change::Refused), moment.now);
        return Ok((events, row.receipt(id, Status::Refused)));
    }
    let deadline = moment.now.plus_milliseconds(context.policy.mandate_ms);
    let event = Event::Accepted { mandate: id, deadline, by, at: moment.now };
    let mut events = vec![Fact::Mandate(event)];
    if row.collected {
        return activate(rows, id, row, events, moment, context);
    }
    operator::tell(rows, &mut events, row.operator, row.told(id, Change::Granted), moment.now);
    let (bank, status) = (row.bank, Status::Pending);
    Ok((events, Receipt::Mandate { id, bank, status, deadline, missing: None }))
}

/// Takes the slot. Whoever has it keeps it unless the policy lets this one displace them. What was asked for before the account's
/// holder said "not me" comes to nothing: it may be the very one that they meant.
fn activate(
    rows: Rows<'_>,
    id: MandateId,
    row: &Mandate,
    mut events: Vec<Fact>,
    moment: Moment,
    context: &Context,
) -> Decided {
    let unknown = Refusal::Unknown { noun: Noun::Mandate };
    let Some(grant) = row.grant else { return Err(unknown) };
    let account = rows.account(grant.account).ok_or(unknown)?;
    bank::check(rows, row.bank, Function::Register)?;
    if account.disowned_at.is_some_and(|disowned| disowned > row.requested) {
        let ended = (RevokedBy::AccountHolder, Why::NotMine);
        end::end_by(rows, &mut events, id, row, ended, moment.now);
        return Ok((events, row.receipt(id, Status::Revoked)));
    }
    if let Some(other_id) = account.live_mandate(row.operator).filter(|live| *live != id) {
        bank::check(rows, row.bank, Function::Change)?;
        let other = rows.mandate(other_id).ok_or(Refusal::Unknown { noun: Noun::Mandate })?;
        if !may_displace(row, other, context.policy.displacing) {
            let missing = MissingFact::FreeAccount;
            let event = Event::Refused { mandate: id, bank: row.bank, grant, missing, at: moment.now };
            events.extend([Fact::Mandate(event), row.whose().closed()]);
            operator::tell(rows, &mut events, row.operator, row.told(id, Change::Refused), moment.now);
            return Ok((events, row.lacking(id, missing)));
        }
        let ended = (RevokedBy::Mandate(id), Why::Displaced);
        end::end_by(rows, &mut events, other_id, other, ended, moment.now);
    }
    events.push(Fact::Mandate(Event::Activated {
        mandate: id,
        operator: row.operator,
        bank: row.bank,
        account: grant.account,
        account_ref: grant.account_ref,
        at: moment.now,
    }));
    events.push(row.whose().closed());
    operator::tell(rows, &mut events, row.operator, row.told(id, Change::Activated), moment.now);
    Ok((events, row.receipt(id, Status::Active)))
}

/// A stranger must have shown more than whoever is there, and the name must be the account's, unless anybody may. A mandate
/// that its true holder confirmed is displaced by nobody, and no wallet displaces its own: whoever wants it anew ends the old
/// one first.
fn may_displace(row: &Mandate, other: &Mandate, displacing: Displacing) -> bool {
    let is_own = row.wallet == other.wallet;
    let strength = |mandate: &Mandate| mandate.grant.map(|grant| grant.factors.strength());
    let is_matched = row.grant.is_some_and(|grant| grant.is_matched());
    let is_open = !is_own && !other.is_confirmed();
    match displacing {
        Displacing::Nobody => false,
        Displacing::BetterFactors => is_open && is_matched && strength(row) > strength(other),
        Displacing::Anybody => is_open,
    }
}
