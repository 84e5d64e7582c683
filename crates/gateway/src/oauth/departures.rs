//! Departures: for which mandate a browser was sent to a bank's own page, for as long as something may be tried there. That is
//! longer than its link lives: whoever leaves a link, or lets it end, is still at the bank.
//!
//! In this process's memory alone, and bounded. A bank that reports a first step of a departure that is not known here is told
//! so, and has its customer told itself. Start reading at [`Departures::owe`].

use super::links::{Hash, LINK_MS, LINKS_MAX, Link, hash};
use crate::domain::{AccountId, BankCode, MandateId, OperatorId};
use domain::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How long somebody may stay at a bank's page, in milliseconds: a visit there takes as long as a link, and is begun at its end
/// at the latest.
const STAY_MS: i64 = 3 * LINK_MS;
/// Accounts whose holders are owed a notice for what is tried on the way of one mandate; of more the bank tells itself.
const ACCOUNTS_MAX: usize = 8;

/// The departures.
#[derive(Debug, Default)]
pub struct Departures(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    by_state: BTreeMap<Hash, MandateId>,
    departed: BTreeMap<MandateId, Departed>,
    by_end: BTreeSet<(Time, MandateId)>,
}

#[derive(Debug)]
struct Departed {
    operator: OperatorId,
    bank: BankCode,
    states: Vec<Hash>,
    /// Whose holders are told, or will be.
    accounts: BTreeSet<AccountId>,
    ends: Time,
}

/// Whether an account's holder is owed a notice for a right first step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owed {
    /// From now on, for the mandate of this operator.
    Now(MandateId, OperatorId),
    /// They were already.
    Already,
    /// Nobody was sent to that bank with that state, or it is too long ago, or too many accounts were tried.
    Unknown,
}

impl Departures {
    fn inner(&self, now: Time) -> MutexGuard<'_, Inner> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(&(end, mandate)) = inner.by_end.first()
            && end <= now
        {
            inner.remove(mandate);
        }
        inner
    }

    /// The browser of `link` is sent to its bank with `state`.
    pub fn depart(&self, link: &Link, state: &str, now: Time) {
        let mut inner = self.inner(now);
        let mandate = link.mandate;
        let before = inner.remove(mandate);
        let (mut states, accounts) = before.map(|known| (known.states, known.accounts)).unwrap_or_default();
        states.push(hash(state));
        while inner.departed.len() >= LINKS_MAX
            && let Some(&(_, oldest)) = inner.by_end.first()
        {
            inner.remove(oldest);
        }
        inner.by_state.extend(states.iter().map(|state| (*state, mandate)));
        let ends = now.plus_milliseconds(STAY_MS);
        inner.by_end.insert((ends, mandate));
        let (operator, bank) = (link.operator, link.asked.bank);
        inner.departed.insert(mandate, Departed { operator, bank, states, accounts, ends });
    }

    /// At the page of `bank`, where somebody is with `state`, the first step for `account` was right.
    pub fn owe(&self, bank: BankCode, state: &str, account: AccountId, now: Time) -> Owed {
        let mut inner = self.inner(now);
        let Some(&mandate) = inner.by_state.get(&hash(state)) else { return Owed::Unknown };
        let Some(known) = inner.departed.get_mut(&mandate).filter(|known| known.bank == bank) else {
            return Owed::Unknown;
        };
        if known.accounts.contains(&account) {
            return Owed::Already;
        }
        if known.accounts.len() >= ACCOUNTS_MAX {
            return Owed::Unknown;
        }
        known.accounts.insert(account);
        Owed::Now(mandate, known.operator)
    }

    /// The holder of `account` was told that it is linked: a report that comes late says nothing new.
    pub fn told(&self, mandate: MandateId, account: AccountId, now: Time) {
        if let Some(known) = self.inner(now).departed.get_mut(&mandate) {
            known.accounts.insert(account);
        }
    }
}

impl Inner {
    fn remove(&mut self, mandate: MandateId) -> Option<Departed> {
        let known = self.departed.remove(&mandate)?;
        self.by_end.remove(&(known.ends, mandate));
        for state in &known.states {
            self.by_state.remove(state);
        }
        Some(known)
    }
}
