//! One attempt of a person to prove to their bank that an account is theirs, on a page that we host.
//!
//! The windows count each step before the bank is asked, and all of them stay counted until the bank is sure of its customer. An attempt goes on to its end
//! also when its browser hangs up: it costs what any other one does, and its account's holder is told. What was typed goes straight to the bank's connector and
//! is dropped with the request. Whatever was wrong, the steps are the same ones and so is the answer.
//! Start reading at [`first`].

use super::factors::{given, is_immediate};
use crate::connector::{self, AccountNumber, AuthenticationOutcome, ConnectorError, Customer};
use crate::domain::bank::Function;
use crate::domain::{BankCode, Factor, Factors, Strength};
use crate::gateway::Gateway;
use crate::oauth::{Challenge, Link};
use crate::windows::{Ended, Reserved, Try, Verdict};
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
    /// How the windows count its steps, until it is known whether the customer is the right one.
    pub reserved: Vec<Reserved>,
}

/// The sets of factors that may be tried now, as the bank's desk, the bank itself, or the configuration of a bank that names none
/// says, in that order; `None` while nobody can say.
pub(super) async fn offered(gateway: &Gateway, link: &Link) -> Option<Vec<Factors>> {
    let code = link.asked.bank;
    let row = gateway.bank_row(code).await.ok()?;
    let mut sets = row.factor_sets.clone();
    if sets.is_empty() {
        sets = Some(own_sets(gateway, code).await).filter(|sets| !sets.is_empty())?;
    }
    let static_stopped = row.stop(Function::StaticFactors).is_some();
    sets.retain(|set| set.has(Factor::Account) && !(static_stopped && set.strength() == Strength::Static));
    sets.retain(|set| !link.needs_possession || set.strength() == Strength::Possession);
    Some(sets)
}

/// The sets of factors that the bank says that it asks for, or the configuration of one that names none. None while the bank does
/// not answer: whatever stood in for its word might be weaker than what it asks for, or count what it does not look at.
pub(crate) async fn own_sets(gateway: &Gateway, bank: BankCode) -> Vec<Factors> {
    let Some(online) = gateway.online(bank) else { return Vec::new() };
    match online.about().await {
        Ok(about) if about.factors.is_empty() => {
            gateway.bank(bank).map(|bank| bank.factors.clone()).unwrap_or_default()
        }
        Ok(about) => about.factors,
        Err(error) => {
            tracing::debug!(%bank, %error, "a bank does not say what it asks for");
            Vec::new()
        }
    }
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
    let reserved = {
        let value = typed.factors.get(&Factor::Pin);
        let is_static = set.strength() == Strength::Static;
        let tried = Try { value, is_static, ..tried(gateway, link, &typed.account, source) };
        match gateway.windows().judge(&tried, gateway.outside().now()) {
            Verdict::Allow(reserved) => reserved,
            Verdict::Throttle { seconds } => return Tried::Throttled(seconds),
            Verdict::Strengthen { .. } => return Tried::TooWeak,
        }
    };
    let given = immediate(set).with(Factor::Account);
    let id = gateway.new_id().to_string();
    let attempt = connector::Attempt { id, account: typed.account, factors: typed.factors };
    ask(gateway, link, attempt, Steps { given, before: Vec::new(), reserved, answered: None, was_wrong: false }).await
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
    let tried = tried(gateway, link, &account, source);
    let reserved = match gateway.windows().judge(&tried, gateway.outside().now()) {
        Verdict::Allow(reserved) => reserved,
        Verdict::Throttle { seconds } | Verdict::Strengthen { seconds } => return Tried::Throttled(seconds),
    };
    // An approval in the bank's app is seen by the bank alone: there is nothing to hand on.
    let factors = match challenge.factor {
        Factor::BankApp => BTreeMap::new(),
        other => BTreeMap::from([(other, answer)]),
    };
    let attempt = connector::Attempt { id: challenge.attempt.clone(), account, factors };
    let steps = Steps {
        given: challenge.given.with(challenge.factor),
        before: challenge.reserved.clone(),
        reserved,
        answered: Some(challenge.factor),
        was_wrong: challenge.was_wrong,
    };
    ask(gateway, link, attempt, steps).await
}

/// An attempt as the windows count it, by what is more than static knowledge.
pub(super) fn tried<'a>(
    gateway: &Gateway,
    link: &'a Link,
    account: &'a AccountNumber,
    source: Option<IpAddr>,
) -> Try<'a> {
    Try {
        bank: link.asked.bank,
        account: Some(gateway.account_id(link.asked.bank, account)),
        branch: &account.branch,
        number: &account.number,
        source,
        operator: link.operator,
        wallet: &link.asked.wallet,
        value: None,
        is_static: false,
    }
}

/// An attempt on a bank's own page as the windows count it, before anybody there has named an account.
pub(super) fn going_out(link: &Link, source: Option<IpAddr>) -> Try<'_> {
    Try {
        bank: link.asked.bank,
        account: None,
        branch: "",
        number: "",
        source,
        operator: link.operator,
        wallet: &link.asked.wallet,
        value: None,
        is_static: false,
    }
}

/// Tells the windows how an attempt of several steps ended: one that was right at last was never wrong.
pub(super) async fn settle_all(gateway: &Gateway, bank: BankCode, reserved: &[Reserved], ended: Ended) {
    let Some((last, before)) = reserved.split_last() else { return };
    match ended {
        Ended::Right | Ended::Unanswered => {
            for step in before {
                settle(gateway, bank, step, Ended::Unanswered).await;
            }
        }
        Ended::Wrong => {}
    }
    settle(gateway, bank, last, ended).await;
}

/// Tells the windows how an attempt ended, and stops the bank's path by static factors if they say so.
pub(super) async fn settle(gateway: &Gateway, bank: BankCode, reserved: &Reserved, ended: Ended) {
    let stop = gateway.windows().settle(reserved, ended, gateway.outside().now());
    if gateway.stop_static_factors(stop).await.is_err() {
        tracing::error!(%bank, "the static factors of a bank could not be stopped");
    }
}

/// The bank says no to a step. One that does not stand alone is a failure of the bank's, and one failure with the step before it.
async fn settle_wrong(gateway: &Gateway, bank: BankCode, reserved: &Reserved, stands_alone: bool) {
    settle(gateway, bank, reserved, Ended::Wrong).await;
    if !stands_alone {
        settle(gateway, bank, reserved, Ended::Unanswered).await;
    }
}

/// Where an attempt is when the bank is asked.
struct Steps {
    /// What was given so far, this step's among it.
    given: Factors,
    /// How the windows count the steps before this one.
    before: Vec<Reserved>,
    /// How they count this one.
    reserved: Reserved,
    /// The factor that this step answers for; none for the first.
    answered: Option<Factor>,
    /// A wrong answer was given already.
    was_wrong: bool,
}

/// Asks the bank. Only where it is sure of its customer is the attempt not settled yet: it may be the wrong one.
///
/// Nothing that the windows show depends on whether a first step was right: each step counts, and goes on counting, until the
/// bank is sure. The first wrong answer is one failure with the step before it, each further one is another. Whoever has not
/// approved in the bank's app yet has tried nothing, with a right PIN as with a wrong one.
async fn ask(gateway: &Gateway, link: &Link, attempt: connector::Attempt, steps: Steps) -> Tried {
    let Steps { given, before, reserved, answered, was_wrong } = steps;
    let stands_alone = answered.is_none() || was_wrong;
    let bank = link.asked.bank;
    let answer = match gateway.online(bank) {
        Some(online) => online.authenticate(&attempt).await,
        None => Err(ConnectorError::Unreachable),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            tracing::warn!(%bank, %error, "an attempt got no answer");
            settle(gateway, bank, &reserved, Ended::Unanswered).await;
            return Tried::Unreachable;
        }
    };
    let connector::Attempt { id, account, factors: _ } = attempt;
    let first_factor_right = answer.first_factor_right;
    match (answer.outcome, answer.customer) {
        (AuthenticationOutcome::Succeeded, Some(customer)) => {
            let reserved = before.into_iter().chain([reserved]).collect();
            Tried::Proven(Box::new(Proven { account, factors: given, customer, reserved }))
        }
        (AuthenticationOutcome::Succeeded, None) => {
            settle(gateway, bank, &reserved, Ended::Unanswered).await;
            Tried::Unreachable
        }
        (AuthenticationOutcome::ChallengeRequired { factor, hint }, _) => {
            let mut counted = before;
            match answered {
                Some(Factor::BankApp) => settle(gateway, bank, &reserved, Ended::Unanswered).await,
                // It stays counted; that it was right only we know.
                None if first_factor_right => counted.push(reserved),
                // A bank that asks again was given the wrong answer.
                None | Some(_) => {
                    settle_wrong(gateway, bank, &reserved, stands_alone).await;
                    counted.extend(Some(reserved).filter(|_| stands_alone));
                }
            }
            Tried::Challenge(Box::new(Challenge {
                attempt: id,
                account,
                factor,
                hint,
                given,
                first_factor_right,
                reserved: counted,
                was_wrong: was_wrong || answered.is_some_and(|factor| factor != Factor::BankApp),
            }))
        }
        (AuthenticationOutcome::Failed, _) => {
            settle_wrong(gateway, bank, &reserved, stands_alone).await;
            Tried::Failed { account: Some(account), first_factor_right }
        }
    }
}
