//! From granted to active: the one place where a mandate takes its bank account's slot.
//!
//! A grant that is in review may be collected meanwhile; the desk's yes then activates it. One that nobody has collected
//! becomes `pending`, and waits for its holder as any other.

use super::grant::deadline;
use super::{Event, Grant, Mandate, RevokedBy, Status, Why, done, mandate_of, silent};
use crate::bank_account::BankAccount;
use crate::canary;
use crate::ids::{BankAccountId, HolderId, MandateId, StaffId};
use crate::policy::{Displacing, Policy};
use crate::refusal::{Noun, Refusal, Stated};
use crate::state::{Decided, Rows};
use crate::switches::Function;
use crate::wallet;
use crate::{Context, Receipt};
use domain::Moment;

/// Refusals in order: unknown or another's, another account than granted, status, expired, switches, closed or frozen,
/// too many links of the wallet or of the account, an account of another bank, already linked.
pub(super) fn confirm(
    rows: Rows<'_>,
    id: MandateId,
    holder: HolderId,
    bank_account: BankAccountId,
    moment: Moment,
    context: &Context,
) -> Decided {
    let unknown = Refusal::Unknown { noun: Noun::Mandate };
    let mandate = rows.mandate(id).filter(|mandate| mandate.holder == holder).ok_or(unknown)?;
    let grant = granted(mandate, bank_account)?;
    match mandate.status {
        Status::Pending => {
            mandate.check_deadline(moment.now)?;
            let policy = &*rows.policy(context, moment);
            let events = activate(rows, id, mandate, grant, moment, policy)?;
            Ok((events, Receipt::Mandate { id, status: Status::Active, missing: None }))
        }
        Status::InReview if mandate.collected => silent(id, mandate.status),
        Status::InReview => {
            mandate.check_deadline(moment.now)?;
            done(Event::Collected { mandate: id, at: moment.now }, id, mandate.status)
        }
        Status::Active => silent(id, mandate.status),
        Status::Requested | Status::Authenticating => Err(mandate.wrong_status()),
        Status::Refused | Status::Abandoned | Status::Expired | Status::Revoked => Err(mandate.wrong_status()),
    }
}

/// The desk has compared. Refusals in order: unknown, another account than granted, status, expired, switches, closed or
/// frozen, an account of another bank, already linked.
pub(super) fn decide(
    rows: Rows<'_>,
    id: MandateId,
    bank_account: BankAccountId,
    accept: bool,
    by: StaffId,
    moment: Moment,
    context: &Context,
) -> Decided {
    let mandate = mandate_of(rows, id)?;
    let grant = granted(mandate, bank_account)?;
    if mandate.status != Status::InReview {
        return Err(mandate.wrong_status());
    }
    mandate.check_deadline(moment.now)?;
    let decided = |status, deadline| Event::Decided { mandate: id, status, deadline, by, at: moment.now };
    if !accept {
        return done(decided(Status::Refused, mandate.deadline), id, Status::Refused);
    }
    let policy = &*rows.policy(context, moment);
    let deadline = deadline(Status::Pending, moment.now, policy);
    let cleared = decided(Status::Pending, deadline);
    if !mandate.collected {
        return done(cleared, id, Status::Pending);
    }
    let mut events = vec![crate::Event::Mandate(cleared)];
    events.extend(activate(rows, id, mandate, grant, moment, policy)?);
    Ok((events, Receipt::Mandate { id, status: Status::Active, missing: None }))
}

fn granted(mandate: &Mandate, bank_account: BankAccountId) -> Result<&Grant, Refusal> {
    let grant = mandate.grant.as_ref().ok_or_else(|| mandate.wrong_status())?;
    if grant.bank_account != bank_account {
        let (on_record, came) = (Stated::BankAccount(grant.bank_account), Stated::BankAccount(bank_account));
        return Err(Refusal::NotAsOnRecord { noun: Noun::Mandate, on_record, came });
    }
    Ok(grant)
}

fn activate(
    rows: Rows<'_>,
    id: MandateId,
    mandate: &Mandate,
    grant: &Grant,
    moment: Moment,
    policy: &Policy,
) -> Result<Vec<crate::Event>, Refusal> {
    let owner = rows.wallet(mandate.wallet).ok_or(Refusal::Unknown { noun: Noun::Wallet })?;
    if let Some(switches) = rows.switches() {
        switches.check(Function::Link, Some(mandate.bank), owner.tier, &owner.traits)?;
    }
    owner.check_outflow()?;
    owner.check_links(grant.bank_account)?;
    let mut events = Vec::new();
    let account = rows.bank_account(grant.bank_account);
    account.map_or(Ok(()), |account| account.check_wallets(mandate.wallet))?;
    if let Some(account) = account.filter(|account| account.bank != mandate.bank) {
        let (on_record, came) = (Stated::Bank(account.bank), Stated::Bank(mandate.bank));
        return Err(Refusal::NotAsOnRecord { noun: Noun::Mandate, on_record, came });
    }
    if let Some(live) = account.and_then(|account: &BankAccount| account.live_mandate) {
        let linked = |own| Refusal::LinkedAlready { bank_account: grant.bank_account, own };
        let stranger = rows.mandate(live).ok_or(linked(false))?;
        let why = displaces(mandate, grant, stranger, policy.mandate.displacing);
        if why.is_none() && !canary::active("mandate_slot_is_not_unique") {
            return Err(linked(stranger.wallet == mandate.wallet));
        }
        let revoked = crate::Event::Mandate(Event::Revoked {
            mandate: live,
            bank_account: Some(grant.bank_account),
            by: RevokedBy::StrongerLink(id),
            why: why.unwrap_or(Why::NotMine),
            at: moment.now,
        });
        if !canary::active("mandate_slot_is_not_unique") {
            events.push(revoked);
        }
    }
    events.push(crate::Event::Mandate(Event::Activated {
        mandate: id,
        wallet: mandate.wallet,
        bank: mandate.bank,
        bank_account: grant.bank_account,
        person: mandate.person,
        matched: grant.is_matched(),
        at: moment.now,
    }));
    events.push(crate::Event::Wallet(wallet::Event::Linked {
        wallet: mandate.wallet,
        mandate: id,
        bank_account: grant.bank_account,
        at: moment.now,
    }));
    Ok(events)
}

/// Why a link gives way to this one, if the policy lets it. The person whom the bank knows, with a factor that is more than
/// static knowledge, meets a link that has no such thing behind it: then it was never its account's. A link that its true
/// holder confirmed is nobody's to displace, and no one displaces their own.
fn displaces(mandate: &Mandate, grant: &Grant, live: &Mandate, displacing: Displacing) -> Option<Why> {
    let is_strong = |grant: &Grant| grant.is_matched() && grant.factors_strong;
    let is_stranger = mandate.person.is_some() && mandate.person != live.person;
    let live_is_strong = live.grant.as_ref().is_some_and(is_strong);
    match displacing {
        Displacing::Nobody => None,
        Displacing::TrueHolder | Displacing::Anybody if live.confirmed => None,
        Displacing::TrueHolder => (is_stranger && is_strong(grant) && !live_is_strong).then_some(Why::NotMine),
        Displacing::Anybody => (mandate.wallet != live.wallet).then_some(Why::Unneeded),
    }
}
