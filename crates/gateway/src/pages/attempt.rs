//! One attempt of a person to prove to their bank that an account is theirs, on a page that we host.
//!
//! The windows are asked before the bank is, and told afterwards. What was typed goes straight to the bank's connector and
//! is dropped with the request. Whatever was wrong, the steps are the same ones and so is the answer.
//! Start reading at [`first`].

use super::factors::{given, is_immediate};
use crate::connector::{self, AccountNumber, Authentication, AuthenticationOutcome, Customer};
use crate::domain::bank::Function;
use crate::domain::{Factor, Factors, Strength};
use crate::gateway::Gateway;
use crate::oauth::{Challenge, Link};
use crate::windows::{Try, Verdict};
use std::collections::BTreeMap;
use std::net::IpAddr;
use web::Secret;

/// What a person typed, in the form that it must have.
pub(super) struct Typed {
    /// Which account.
    pub account: AccountNumber,
    /// The factors of the first step.
    pub factors: BTreeMap<Factor, Secret<String>>,
}

/// What came of an attempt.
pub(super) enum Tried {
    /// The bank says that it is its customer.
    Proven(Box<Proven>),
    /// The bank wants one more thing.
    Challenge(Box<Challenge>),
    /// It is not, or there is no such account.
    Failed {
        /// The account that was named, if one was: its true holder must hear of it.
        account: Option<AccountNumber>,
        /// Somebody knew a first factor.
        first_factor_right: bool,
    },
    /// The windows want more than static knowledge; nobody was asked.
    TooWeak,
    /// Too much was tried: wait so many seconds.
    Throttled(i64),
    /// The bank gave no answer that could be used: nothing was tried.
    Unreachable,
}

/// A customer that the bank is sure of.
pub(super) struct Proven {
    /// Which account.
    pub account: AccountNumber,
    /// What the bank asked for and was given.
    pub factors: Factors,
    /// What the bank has of its customer.
    pub customer: Customer,
    /// Where the browser is, if it was on our page.
    pub source: Option<IpAddr>,
}

/// The sets of factors that may be tried now, as the bank's desk, the bank itself, or the configuration says, in that order;
/// `None` while nobody can say.
pub(super) async fn offered(gateway: &Gateway, link: &Link) -> Option<Vec<Factors>> {
    let code = link.asked.bank;
    let row = gateway.bank_row(code).await.ok()?;
    let mut sets = row.factor_sets.clone();
    if sets.is_empty()
        && let Some(connector) = gateway.connector(code)
        && let Ok(about) = connector.about().await
    {
        sets = about.factors;
    }
    if sets.is_empty() {
        sets = gateway.bank(code).map(|bank| bank.factors.clone()).filter(|sets| !sets.is_empty())?;
    }
    let static_stopped = row.stop(Function::StaticFactors).is_some();
    sets.retain(|set| set.has(Factor::Account) && !(static_stopped && set.strength() == Strength::Static));
    sets.retain(|set| !link.needs_possession || set.strength() == Strength::Possession);
    Some(sets)
}

/// The first step: what was typed goes to the bank, as far as the bank asks for it. What else somebody sends counts for
/// nothing, so nobody makes their grant look stronger than what the bank has looked at.
pub(super) async fn first(gateway: &Gateway, link: &Link, mut typed: Typed, source: Option<IpAddr>) -> Tried {
    let Some(sets) = offered(gateway, link).await else { return Tried::Unreachable };
    let shown = given(&typed);
    let immediate = |set: &Factors| -> Factors { set.iter().filter(|factor| is_immediate(*factor)).collect() };
    let Some(set) = sets.iter().find(|set| shown.covers(immediate(set))) else {
        return Tried::Failed { account: None, first_factor_right: false };
    };
    typed.factors.retain(|factor, _| set.has(*factor));
    let value = typed.factors.get(&Factor::Pin).cloned();
    match judge(gateway, link, &typed.account, value.as_ref(), source) {
        Verdict::Allow => {}
        Verdict::Throttle { seconds } => return Tried::Throttled(seconds),
        Verdict::Strengthen { .. } if set.strength() == Strength::Possession => {}
        Verdict::Strengthen { .. } => return Tried::TooWeak,
    }
    let given = immediate(set).with(Factor::Account);
    let id = gateway.new_id().to_string();
    let attempt = connector::Attempt { id: id.clone(), account: typed.account.clone(), factors: typed.factors };
    let Some(answer) = ask(gateway, link, &attempt).await else { return Tried::Unreachable };
    heard(gateway, link, &typed.account, value.as_ref(), source, is_failure(&answer)).await;
    judged(answer, id, typed.account, given, source)
}

/// The second step: the answer to what the bank asked for goes to the bank.
pub(super) async fn second(
    gateway: &Gateway,
    link: &Link,
    challenge: &Challenge,
    answer: Secret<String>,
    source: Option<IpAddr>,
) -> Tried {
    let account = challenge.account.clone();
    if let Verdict::Throttle { seconds } = judge(gateway, link, &account, None, source) {
        return Tried::Throttled(seconds);
    }
    // An approval in the bank's app is seen by the bank alone: there is nothing to hand on.
    let factors = match challenge.factor {
        Factor::BankApp => BTreeMap::new(),
        other => BTreeMap::from([(other, answer)]),
    };
    let attempt = connector::Attempt { id: challenge.attempt.clone(), account: account.clone(), factors };
    let Some(answer) = ask(gateway, link, &attempt).await else { return Tried::Unreachable };
    heard(gateway, link, &account, None, source, answer.outcome != AuthenticationOutcome::Succeeded).await;
    judged(answer, attempt.id, account, challenge.given.with(challenge.factor), source)
}

/// Whether a first step failed: a second step is asked for in either case, and only we learn which it was.
fn is_failure(answer: &Authentication) -> bool {
    match answer.outcome {
        AuthenticationOutcome::Succeeded => false,
        AuthenticationOutcome::Failed => true,
        AuthenticationOutcome::ChallengeRequired { .. } => !answer.first_factor_right,
    }
}

fn judge(
    gateway: &Gateway,
    link: &Link,
    account: &AccountNumber,
    value: Option<&Secret<String>>,
    source: Option<IpAddr>,
) -> Verdict {
    let attempt = counted(gateway, link, account, value, source);
    gateway.windows().judge(&attempt, gateway.outside().now())
}

/// Tells the windows how an attempt ended, and stops the bank's path by static factors if they say so.
pub(super) async fn heard(
    gateway: &Gateway,
    link: &Link,
    account: &AccountNumber,
    value: Option<&Secret<String>>,
    source: Option<IpAddr>,
    failed: bool,
) {
    let attempt = counted(gateway, link, account, value, source);
    let stop = gateway.windows().heard(&attempt, failed, gateway.outside().now());
    if gateway.stop_static_factors(stop).await.is_err() {
        tracing::error!(bank = %link.asked.bank, "the static factors of a bank could not be stopped");
    }
}

fn counted<'a>(
    gateway: &Gateway,
    link: &'a Link,
    account: &'a AccountNumber,
    value: Option<&'a Secret<String>>,
    source: Option<IpAddr>,
) -> Try<'a> {
    Try {
        bank: link.asked.bank,
        account: gateway.account_id(link.asked.bank, account),
        branch: &account.branch,
        number: &account.number,
        source,
        operator: link.operator,
        wallet: &link.asked.wallet,
        value,
    }
}

async fn ask(gateway: &Gateway, link: &Link, attempt: &connector::Attempt) -> Option<Authentication> {
    let connector = gateway.connector(link.asked.bank)?;
    match connector.authenticate(attempt).await {
        Ok(answer) => Some(answer),
        Err(error) => {
            tracing::warn!(bank = %link.asked.bank, %error, "an attempt got no answer");
            None
        }
    }
}

fn judged(
    answer: Authentication,
    attempt: String,
    account: AccountNumber,
    given: Factors,
    source: Option<IpAddr>,
) -> Tried {
    match (answer.outcome, answer.customer) {
        (AuthenticationOutcome::Succeeded, Some(customer)) => {
            Tried::Proven(Box::new(Proven { account, factors: given, customer, source }))
        }
        (AuthenticationOutcome::Succeeded, None) => Tried::Unreachable,
        (AuthenticationOutcome::ChallengeRequired { factor, hint }, _) => {
            let first_factor_right = answer.first_factor_right;
            Tried::Challenge(Box::new(Challenge { attempt, account, factor, hint, given, first_factor_right }))
        }
        (AuthenticationOutcome::Failed, _) => {
            Tried::Failed { account: Some(account), first_factor_right: answer.first_factor_right }
        }
    }
}
