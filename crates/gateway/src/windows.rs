//! The windows: who fails to prove that an account is theirs, counted across accounts, sources, wallets, banks, neighbouring
//! account numbers, and values that were tried.
//!
//! A lock on one account does not see one PIN tried on ten thousand accounts; this does. Everything is in memory and dies
//! with its window. What was typed is never here: a value is a keyed token, and since a token of four digits can be reversed
//! by whoever holds the key, the key is drawn anew for each window and forgotten with it.
//!
//! An attempt counts as a failure from the moment in which it may go on to the bank, in the same breath in which it is judged:
//! so many at once are no more than so many one after the other, and one whose end nobody sees stays a failure.
//! Start reading at [`Windows::judge`] (before the bank is asked) and [`Windows::settle`] (after).

mod counts;

use crate::domain::{AccountId, BankCode, OperatorId, Reference};
use counts::{Counts, Place};
use domain::{Id, Time};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use web::{Chance, Secret};

/// The figures of the windows. All are policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowPolicy {
    /// How long a window is, in milliseconds. What happened in the one before counts too, but for values.
    pub window_ms: i64,
    /// Failures for one account before it is left alone.
    pub account_failures_max: u32,
    /// Failures from one source before it has to wait; from one site of IPv6 networks four times as many.
    pub source_failures_max: u32,
    /// Accounts tried from one source before it has to wait; from one site of IPv6 networks four times as many.
    pub source_accounts_max: u32,
    /// Failures for one wallet before it has to wait.
    pub wallet_failures_max: u32,
    /// Failures at one bank, where most attempts fail, before its path by static factors is stopped.
    pub bank_failures_max: u32,
    /// Account numbers near each other that were tried at one branch, before static factors do not suffice there.
    pub neighbours_max: u32,
    /// Accounts on which one value failed, before it needs a stronger factor beside it.
    pub value_accounts_max: u32,
    /// Accounts of one bank on which one value failed, before the bank's path by static factors is stopped.
    pub value_accounts_stop: u32,
}

impl Default for WindowPolicy {
    fn default() -> Self {
        Self {
            window_ms: 3_600_000,
            account_failures_max: 5,
            source_failures_max: 20,
            source_accounts_max: 8,
            wallet_failures_max: 8,
            bank_failures_max: 100,
            neighbours_max: 6,
            value_accounts_max: 8,
            value_accounts_stop: 16,
        }
    }
}

/// An attempt: on a page that the gateway hosts, or on a bank's own.
#[derive(Clone, Copy, Debug)]
pub struct Try<'a> {
    /// At which bank.
    pub bank: BankCode,
    /// Which account; none while somebody is on the way to a bank's own page, where they name it.
    pub account: Option<AccountId>,
    /// At which branch: three digits, or nothing.
    pub branch: &'a str,
    /// The account's number: seven digits, or nothing.
    pub number: &'a str,
    /// Where from.
    pub source: Option<IpAddr>,
    /// Whose wallet.
    pub operator: OperatorId,
    /// Which wallet.
    pub wallet: &'a Reference,
    /// The value that was tried, where it is one that many accounts could have: a PIN.
    pub value: Option<&'a Secret<String>>,
    /// Whether it is static knowledge alone.
    pub is_static: bool,
}

/// An attempt that counts as a failure until it is [settled](Windows::settle).
#[must_use]
#[derive(Clone, PartialEq, Eq)]
pub struct Reserved {
    window: i64,
    bank: BankCode,
    account: Option<AccountId>,
    source: Option<IpAddr>,
    operator: OperatorId,
    wallet: Reference,
    value: Option<String>,
    /// The window was not full.
    is_counted: bool,
}

impl fmt::Debug for Reserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reserved")
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The bank said yes.
    Right,
    /// The bank said no, or it is another person's account.
    Wrong,
    /// The bank has said neither: nothing, or that it wants one more thing.
    Unanswered,
}

/// An attempt on a bank's own page, as the bank reports it.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// At which bank.
    pub bank: BankCode,
    /// The id of the message, the same one when the bank says it again.
    pub id: &'a str,
    /// What the bank calls the attempt: the same for each of its steps.
    pub attempt: &'a str,
    /// The account, as the bank tells them apart.
    pub account_token: &'a str,
    /// The value that was tried, under the window's key.
    pub value_token: Option<&'a str>,
    /// How it went.
    pub outcome: Reported,
}

/// How a step on a bank's own page went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reported {
    /// The bank is sure of its customer.
    Succeeded,
    /// It is not.
    Failed,
    /// It wants one more thing. Said again of the same attempt, what was given was wrong.
    Challenged,
}

/// What the windows say of an attempt before the bank is asked.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Ask the bank. The attempt counts already.
    Allow(Reserved),
    /// Not now: wait so many seconds.
    Throttle {
        /// Seconds until the window is over.
        seconds: i64,
    },
    /// Not by static factors alone.
    Strengthen {
        /// Seconds until the window is over.
        seconds: i64,
    },
}

/// A bank's path by static factors must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticStop {
    /// At which bank.
    pub bank: BankCode,
    /// Why, for everybody whom it concerns.
    pub reason: &'static str,
}

/// What is counted.
pub struct Windows {
    policy: WindowPolicy,
    chance: Arc<dyn Chance>,
    state: Mutex<State>,
}

struct State {
    /// Which window it is; none before the first attempt.
    window: Option<i64>,
    /// The key of values in this window.
    key: Secret<String>,
    now: Counts,
    before: Counts,
}

impl State {
    /// What the present window and the one before count together.
    fn both(&self, of: impl Fn(&Counts) -> u32) -> u32 {
        of(&self.now).saturating_add(of(&self.before))
    }

    fn reserve(&mut self, attempt: &Try<'_>) -> Reserved {
        let value = attempt.value.map(|value| token(self.key.expose(), value.expose()));
        let is_counted = self.now.count(attempt, value.as_deref());
        Reserved {
            window: self.window.unwrap_or_default(),
            bank: attempt.bank,
            account: attempt.account,
            source: attempt.source,
            operator: attempt.operator,
            wallet: attempt.wallet.clone(),
            value,
            is_counted,
        }
    }

    /// What was reserved is no failure.
    fn release(&mut self, reserved: &Reserved) {
        if !reserved.is_counted {
            return;
        }
        match self.window {
            Some(window) if window == reserved.window => self.now.uncount(reserved),
            Some(window) if window == reserved.window.saturating_add(1) => self.before.uncount(reserved),
            Some(_) | None => {}
        }
    }
}

impl Windows {
    /// Nothing yet.
    pub fn new(policy: WindowPolicy, chance: Arc<dyn Chance>) -> Self {
        let key = Secret::new(String::new());
        let state = State { window: None, key, now: Counts::default(), before: Counts::default() };
        Self { policy, chance, state: Mutex::new(state) }
    }

    /// What the windows say of an attempt, which counts from now on if it may go on. In order: the account, the wallet, the
    /// source, then what needs a stronger factor.
    pub fn judge(&self, attempt: &Try<'_>, now: Time) -> Verdict {
        let mut state = self.state(now);
        let seconds = self.seconds_left(now);
        if self.is_too_much(&state, attempt) {
            return Verdict::Throttle { seconds };
        }
        if attempt.is_static && self.is_too_weak(&state, attempt) {
            return Verdict::Strengthen { seconds };
        }
        Verdict::Allow(state.reserve(attempt))
    }

    fn is_too_much(&self, state: &State, attempt: &Try<'_>) -> bool {
        let policy = &self.policy;
        state.both(|counts| counts.account_failures(attempt.account)) >= policy.account_failures_max
            || state.both(|counts| counts.wallet_failures(attempt.operator, attempt.wallet))
                >= policy.wallet_failures_max
            || Place::of(attempt.source).any(|place| {
                let accounts = state.both(|counts| counts.source_accounts(place, attempt.account));
                state.both(|counts| counts.source_failures(place)) >= place.at_most(policy.source_failures_max)
                    || accounts >= place.at_most(policy.source_accounts_max)
            })
    }

    fn is_too_weak(&self, state: &State, attempt: &Try<'_>) -> bool {
        let neighbours = state.both(|counts| counts.neighbours(attempt.bank, attempt.branch, attempt.number));
        let value = attempt.value.map(|value| token(state.key.expose(), value.expose()));
        let value_accounts = value.map_or(0, |value| state.now.value_accounts(&value, attempt.account));
        neighbours >= self.policy.neighbours_max
            || value_accounts >= self.policy.value_accounts_max
            || state.now.is_full()
    }

    /// How an attempt ended. Says if the bank's path by static factors must stop.
    pub fn settle(&self, reserved: &Reserved, ended: Ended, now: Time) -> Option<StaticStop> {
        let mut state = self.state(now);
        let bank = reserved.bank;
        match ended {
            Ended::Wrong => {
                state.now.count_bank_failure(bank);
                let value = reserved.value.as_ref().filter(|_| state.window == Some(reserved.window));
                let value_accounts = value.map_or(0, |value| state.now.value_accounts_at(value, bank));
                self.stop(&state, bank, value_accounts)
            }
            Ended::Right => {
                state.release(reserved);
                if let Some(account) = reserved.account {
                    state.now.count_success(bank, account.0);
                }
                None
            }
            Ended::Unanswered => {
                state.release(reserved);
                None
            }
        }
    }

    /// A bank with a page of its own reports an attempt there. The same report again counts nothing.
    pub fn report(&self, report: &Report<'_>, now: Time) -> Option<StaticStop> {
        let mut state = self.state(now);
        if [&state.now, &state.before].into_iter().any(|counts| counts.has_report(report.bank, report.id)) {
            return None;
        }
        state.now.remember_report(report.bank, report.id);
        let account = reported(report.bank, report.account_token);
        let was_challenged =
            [&state.now, &state.before].into_iter().any(|counts| counts.was_challenged(report.bank, report.attempt));
        match report.outcome {
            Reported::Succeeded => {
                state.now.count_success(report.bank, account.0);
                return None;
            }
            Reported::Challenged if !was_challenged => {
                state.now.remember_challenge(report.bank, report.attempt);
                return None;
            }
            Reported::Challenged | Reported::Failed => {}
        }
        state.now.count_bank_failure(report.bank);
        state.now.count_account_failure(account);
        let value_accounts = report.value_token.map_or(0, |value| {
            state.now.count_value(value, report.bank, account.0);
            let everywhere = state.now.value_accounts(value, None);
            // A few accounts at each of many banks are a spray too. Nobody asks us before a bank's own page takes a value, so the
            // path of each bank that says more of this one stops.
            let is_spray = everywhere >= self.policy.value_accounts_stop.saturating_mul(2);
            if is_spray { everywhere } else { state.now.value_accounts_at(value, report.bank) }
        });
        self.stop(&state, report.bank, value_accounts)
    }

    /// Whether so many attempts on an account failed on its bank's own page, as the bank reports them, that it is left
    /// alone, and then for how many seconds.
    pub fn reported_too_often(&self, bank: BankCode, account_token: &str, now: Time) -> Option<i64> {
        let state = self.state(now);
        let failures = state.both(|counts| counts.account_failures(Some(reported(bank, account_token))));
        (failures >= self.policy.account_failures_max).then(|| self.seconds_left(now))
    }

    /// The key under which banks make tokens of values in the present window, and when it is forgotten. All banks have the
    /// same one, or a value that wanders from bank to bank would not be seen.
    pub fn bank_key(&self, now: Time) -> (Secret<String>, Time) {
        let state = self.state(now);
        (state.key.clone(), now.plus_milliseconds(self.seconds_left(now).saturating_mul(1_000)))
    }

    /// Forgets what is over, and its key.
    pub fn forget(&self, now: Time) {
        drop(self.state(now));
    }

    fn stop(&self, state: &State, bank: BankCode, value_accounts: u32) -> Option<StaticStop> {
        if value_accounts >= self.policy.value_accounts_stop {
            return Some(StaticStop { bank, reason: "one value was tried on many accounts" });
        }
        let failures = state.now.bank_failures(bank).saturating_add(state.before.bank_failures(bank));
        let successes = state.now.bank_successes(bank).saturating_add(state.before.bank_successes(bank));
        let is_flood = failures >= self.policy.bank_failures_max && failures / 4 > successes;
        is_flood.then_some(StaticStop { bank, reason: "most attempts at this bank fail, and they are many" })
    }

    fn seconds_left(&self, now: Time) -> i64 {
        let past = now.milliseconds().rem_euclid(self.policy.window_ms);
        (self.policy.window_ms - past + 999) / 1_000
    }

    /// The counts of the window of `now`: what is over is dropped, and the key with it.
    fn state(&self, now: Time) -> MutexGuard<'_, State> {
        let window = now.milliseconds().div_euclid(self.policy.window_ms);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.window.is_none_or(|before| before < window) {
            let is_next = state.window.is_some_and(|before| before + 1 == window);
            let ended = std::mem::take(&mut state.now);
            state.before = if is_next { ended.without_values() } else { Counts::default() };
            state.key = web::chance::token(self.chance.as_ref());
            state.window = Some(window);
        }
        state
    }
}

/// What stands here for an account that its bank names by a token alone. Two banks may use the same token.
fn reported(bank: BankCode, account_token: &str) -> AccountId {
    let mut account = [0; 16];
    let hash = blake3::hash(format!("{bank} {account_token}").as_bytes());
    account.copy_from_slice(&hash.as_bytes()[..16]);
    AccountId(Id(account))
}

/// The token of `value` under `key`: HMAC-SHA-256 in base64url, as banks make it too.
fn token(key: &str, value: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(value.as_bytes());
    web::jose::encode(&mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests;
