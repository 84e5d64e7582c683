//! A top-up is asked for: every rule that stands before the bank is asked.

use super::{Debit, Event, Request, Status};
use crate::bank_account::BankAccount;
use crate::bank_answer::Review;
use crate::canary;
use crate::effect::Counters;
use crate::limits::{check_limit, check_limit_until, next_month};
use crate::mandate::{self, Grant, Mandate};
use crate::policy::Policy;
use crate::purse::Purse;
use crate::refusal::{Limit, MissingFact, Noun, Proof, Refusal};
use crate::state::{Decided, Rows};
use crate::switches::Function;
use crate::wallet::Wallet;
use crate::{Context, Receipt, guard};
use domain::{Day, Moment, Time};
use ledger::Yen;

/// Refusals in order: amount, unknown, id taken, switches, mandate not active, closed or frozen, tier, grant too weak, too
/// small, limits (at a time; unconfirmed; new link, new links; the wallet's, the person's, the account's; balance; lots), step-up, guard.
pub(super) fn request(rows: Rows<'_>, command: &Request, moment: Moment, context: &Context) -> Decided {
    if command.amount.is_zero() {
        return Err(Refusal::AmountZero);
    }
    let wallet = rows.wallet_of(command.wallet, command.holder)?;
    let of_wallet = |mandate: &&Mandate| mandate.wallet == command.wallet;
    let mandate = rows.mandate(command.mandate).filter(of_wallet).ok_or(Refusal::Unknown { noun: Noun::Mandate })?;
    if rows.top_up(command.top_up).is_some() {
        return Err(Refusal::Taken { noun: Noun::TopUp, id: command.top_up.0 });
    }
    check_stops(rows, wallet, mandate)?;
    check_standing(wallet, mandate)?;
    check_unfrozen(wallet)?;
    let policy = &*rows.policy(context, moment);
    wallet.check_tier(policy.top_up.tier_min)?;
    let grant = mandate.grant.ok_or_else(|| mandate.wrong_status())?;
    check_grant(mandate, &grant, policy)?;
    let bank_account = grant.bank_account;
    let account = rows.bank_account(bank_account).ok_or(Refusal::Unknown { noun: Noun::BankAccount })?;
    let beside_tokyo_ms = if canary::active("limits_count_utc_days") { -9 * 3_600_000 } else { 0 };
    let today = moment.now.plus_milliseconds(beside_tokyo_ms).day();
    check_limits(rows, command.amount, wallet, mandate, account, policy, (moment.now, today))?;
    check_proof(command, wallet, policy, today)?;

    let attempt = guard::Attempt {
        function: Function::TopUp,
        id: command.top_up.0,
        wallet_id: command.wallet,
        wallet,
        amount: command.amount,
        bank: Some(mandate.bank),
        linked: Some(mandate.requested),
        counterparty: Some(bank_account.0),
        origin: command.origin,
        now: moment.now,
    };
    let reason = guard::ask(context, &attempt, command.proof)?;
    let deadline = moment.now.plus_milliseconds(policy.review_ms);
    let event = Event::Requested {
        debit: Debit {
            top_up: command.top_up,
            wallet: command.wallet,
            bank_account,
            bank: mandate.bank,
            person: wallet.person,
            amount: command.amount,
            accepted: moment.now,
            unconfirmed: (!mandate.confirmed).then_some(account.confirmations),
        },
        mandate: command.mandate,
        review: reason.map(|reason| Review { reason, deadline }),
        origin: wallet.traits.news(command.origin),
    };
    let status = if reason.is_some() { Status::Held } else { Status::Pending };
    let receipt = Receipt::TopUp { id: command.top_up, status, amount: command.amount, is_flagged: false };
    Ok((vec![crate::Event::TopUp(event)], receipt))
}

/// A mandate that was granted on static knowledge alone, when the policy still let that pass, debits nothing any more; unless
/// the account's true holder has confirmed it since, by a channel that does not know a PIN.
fn check_grant(mandate: &Mandate, grant: &Grant, policy: &Policy) -> Result<(), Refusal> {
    if policy.mandate.refuses_static_factors && !grant.factors_strong && !mandate.confirmed {
        return Err(Refusal::GrantTooWeak { missing: MissingFact::StrongFactor });
    }
    Ok(())
}

/// Refuses what goes beyond a day's unproven top-ups, unless its holder has shown a second time that it is they who ask.
fn check_proof(command: &Request, wallet: &Wallet, policy: &Policy, today: Day) -> Result<(), Refusal> {
    let sum = wallet.counters.top_up.on(today).checked_add(command.amount);
    let fits = sum.is_some_and(|sum| sum <= policy.top_up.unproven_per_day_max);
    if fits || command.proof.is_some() { Ok(()) } else { Err(Refusal::StepUpRequired { proof: Proof::SecondFactor }) }
}

/// Refuses if the function is stopped at the mandate's bank.
pub(super) fn check_stops(rows: Rows<'_>, wallet: &Wallet, mandate: &Mandate) -> Result<(), Refusal> {
    let Some(switches) = rows.switches() else { return Ok(()) };
    switches.check(Function::TopUp, Some(mandate.bank), wallet.tier, &wallet.traits)
}

/// Refuses unless the mandate is active and its wallet open.
pub(super) fn check_standing(wallet: &Wallet, mandate: &Mandate) -> Result<(), Refusal> {
    if mandate.status != mandate::Status::Active {
        return Err(mandate.wrong_status());
    }
    wallet.check_staying(None)
}

/// Refuses if somebody froze the wallet. A debt does not stop money that comes in.
pub(super) fn check_unfrozen(wallet: &Wallet) -> Result<(), Refusal> {
    match wallet.frozen_by.first() {
        Some(by) => Err(Refusal::Frozen { by: *by }),
        None => Ok(()),
    }
}

fn check_limits(
    rows: Rows<'_>,
    amount: Yen,
    wallet: &Wallet,
    mandate: &Mandate,
    account: &BankAccount,
    policy: &Policy,
    (now, today): (Time, Day),
) -> Result<(), Refusal> {
    let least = policy.top_up.per_time_min;
    if amount < least {
        return Err(Refusal::AmountTooSmall { least, requested: amount });
    }
    check_limit(Limit::PerTime, policy.top_up.per_time_max, Yen::ZERO, amount)?;
    if !mandate.confirmed {
        let per_day_max = policy.mandate.unconfirmed_per_day_max;
        let unconfirmed_today = account.counters.top_up.on(today);
        check_limit_until(Limit::UnconfirmedPerDay, per_day_max, unconfirmed_today, amount, || Some(today.plus(1)))?;
        let total_max = policy.mandate.unconfirmed_total_max;
        check_limit(Limit::UnconfirmedTotal, total_max, account.unconfirmed, amount)?;
    }
    let person = wallet.person.and_then(|id| rows.person(id));
    let of_all_links = [Some(&wallet.counters), person.map(|person| &person.counters)];
    let of_all_links = of_all_links.into_iter().flatten().map(|counters| counters.top_up.lately(today)).max();
    let lately = (account.counters.top_up.lately(today), of_all_links.unwrap_or_default());
    check_new_link(amount, lately, mandate, policy, now)?;
    let whose: [(Option<&Counters>, Limit, Limit); 3] = [
        (Some(&wallet.counters), Limit::PerMonth, Limit::Rolling),
        (person.map(|person| &person.counters), Limit::PersonPerMonth, Limit::PersonRolling),
        (Some(&account.counters), Limit::BankAccountPerMonth, Limit::BankAccountRolling),
    ];
    for (counters, per_month, rolling) in whose {
        let Some(sums) = counters.map(|counters| &counters.top_up) else { continue };
        let (per_month_max, rolling_max) = (policy.top_up.per_month_max, policy.top_up.rolling_max);
        check_limit_until(per_month, per_month_max, sums.in_month(today), amount, || Some(next_month(today)))?;
        let from = || Some(sums.rolling_from(today, rolling_max.saturating_sub(amount)));
        check_limit_until(rolling, rolling_max, sums.rolling(today), amount, from)?;
    }
    wallet.check_room(amount, policy.balance.max(wallet.tier))?;
    wallet.check_lots(Purse::Funds)
}

/// In the first hours of a link its account's true holder may still read that it was made, whoever talked them into confirming
/// it: until then it brings little, and so do all that its wallet has made, or another wallet of the same person. `lately` counted by
/// its account, and by all of them. What it may is said at once, and from which date on it may more.
fn check_new_link(
    amount: Yen,
    lately: (Yen, Yen),
    mandate: &Mandate,
    policy: &Policy,
    now: Time,
) -> Result<(), Refusal> {
    let until = mandate.requested.plus_milliseconds(policy.mandate.new_ms);
    if now > until {
        return Ok(());
    }
    let check = |limit, at_most: Yen, counted| {
        let left = at_most.saturating_sub(counted);
        let (most, requested, from) = (at_most.amount(), amount.amount(), Some(until.day()));
        let refusal = Refusal::LimitExceeded { limit, at_most: most, left: left.amount(), requested, from };
        if amount <= left { Ok(()) } else { Err(refusal) }
    };
    let (by_its_account, by_all) = lately;
    check(Limit::NewLink, policy.mandate.new_lately_max, by_its_account)?;
    check(Limit::NewLinks, policy.mandate.new_links_lately_max, by_all)
}
