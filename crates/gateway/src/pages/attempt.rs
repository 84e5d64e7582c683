//! One attempt of a person to prove to their bank that an account is theirs, on a page that we host.
//!
//! The windows are asked before the bank is, and told afterwards. What was typed goes straight to the bank's connector and
//! is dropped with the request. Whatever was wrong, the steps are the same ones and so is the answer.
//! Start reading at [`first`].

use super::factors::given;
use crate::connector::{self, AccountNumber, Authentication, AuthenticationOutcome, Customer};
use crate::domain::bank::Function;
use crate::domain::{Factor, Factors, Strength};
use crate::gateway::Gateway;
use crate::oauth::{Challenge, Link};
use crate::windows::{Try, Verdict};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use web::{Secret, Source};

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
    sets.retain(|set| set.iter().next().is_some() && !(static_stopped && set.strength() == Strength::Static));
    Some(sets)
}

/// The first step: what was typed goes to the bank.
pub(super) async fn first(gateway: &Gateway, link: &Link, typed: Typed, source: Option<Source>) -> Tried {
    let Some(sets) = offered(gateway, link).await else { return Tried::Unreachable };
    let shown = given(&typed);
    // Only what the form asked for: somebody who takes fields away does not choose what they are asked.
    let is_enough = |set: &Factors| set.iter().all(|factor| shown.has(factor) || !super::factors::is_immediate(factor));
    if !sets.iter().any(is_enough) {
        return Tried::Failed { account: None, first_factor_right: false };
    }
    if let Some(seconds) = throttled(gateway, source) {
        return Tried::Throttled(seconds);
    }
    let id = gateway.new_id().to_string();
    let attempt = connector::Attempt { id: id.clone(), account: typed.account.clone(), factors: typed.factors };
    let is_static = sets.iter().any(|set| is_enough(set) && set.strength() == Strength::Static);
    match ask(gateway, link, &attempt, source, is_static).await {
        Ok(answer) => judged(answer, id, typed.account, shown),
        Err(seconds) => Tried::Throttled(seconds),
    }
}

/// The second step: the answer to what the bank asked for goes to the bank.
pub(super) async fn second(
    gateway: &Gateway,
    link: &Link,
    challenge: &Challenge,
    answer: Secret<String>,
    source: Option<Source>,
) -> Tried {
    if let Some(seconds) = throttled(gateway, source) {
        return Tried::Throttled(seconds);
    }
    // An approval in the bank's app is seen by the bank alone: there is nothing to hand on.
    let factors = match challenge.factor {
        Factor::BankApp => BTreeMap::new(),
        other => BTreeMap::from([(other, answer)]),
    };
    let account = challenge.account.clone();
    let attempt = connector::Attempt { id: challenge.attempt.clone(), account: account.clone(), factors };
    match ask(gateway, link, &attempt, source, false).await {
        Ok(answer) => judged(answer, attempt.id, account, challenge.given.with(challenge.factor)),
        Err(seconds) => Tried::Throttled(seconds),
    }
}

/// How many seconds `source` has to wait, if it has tried too often.
fn throttled(gateway: &Gateway, source: Option<Source>) -> Option<i64> {
    let source = source.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Source(address)| address);
    let verdict = gateway.pages().attempts_by_source.count(source, gateway.outside().now());
    (!verdict.allowed).then_some(verdict.reset_seconds)
}

/// Asks the bank, if the windows let this attempt through; else how many seconds it has to wait. An attempt for which static
/// factors could suffice waits also where a stronger factor is wanted: the bank might ask for none.
async fn ask(
    gateway: &Gateway,
    link: &Link,
    attempt: &connector::Attempt,
    source: Option<Source>,
    is_static: bool,
) -> Result<Option<Authentication>, i64> {
    let bank = link.asked.bank;
    let tried = Try {
        bank,
        account: gateway.account_id(bank, &attempt.account),
        branch: &attempt.account.branch,
        number: &attempt.account.number,
        source: source.map(|Source(address)| address),
        operator: link.operator,
        wallet: &link.asked.wallet,
        value: attempt.factors.get(&Factor::Pin),
    };
    match gateway.windows().judge(&tried, gateway.outside().now()) {
        Verdict::Throttle { seconds } => return Err(seconds),
        Verdict::Strengthen { seconds } if is_static => return Err(seconds),
        Verdict::Strengthen { .. } | Verdict::Allow => {}
    }
    let Some(connector) = gateway.connector(bank) else { return Ok(None) };
    let answer = match connector.authenticate(attempt).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::warn!(%bank, %error, "an attempt got no answer");
            return Ok(None);
        }
    };
    // The page asks for the second step after a wrong first one too; here it counts as what it is.
    let failed = match answer.outcome {
        AuthenticationOutcome::Succeeded => false,
        AuthenticationOutcome::Failed => true,
        AuthenticationOutcome::ChallengeRequired { .. } => !answer.first_factor_right,
    };
    let stop = gateway.windows().heard(&tried, failed, gateway.outside().now());
    if let Err(error) = gateway.stop_static_factors(stop).await {
        tracing::error!(%bank, ?error, "a bank's path by static factors could not be stopped");
    }
    Ok(Some(answer))
}

fn judged(answer: Option<Authentication>, attempt: String, account: AccountNumber, given: Factors) -> Tried {
    let Some(answer) = answer else { return Tried::Unreachable };
    match (answer.outcome, answer.customer) {
        (AuthenticationOutcome::Succeeded, Some(customer)) => {
            Tried::Proven(Box::new(Proven { account, factors: given, customer }))
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
