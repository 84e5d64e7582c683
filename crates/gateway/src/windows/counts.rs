//! The counts of one window.

use super::{Reserved, Try};
use crate::domain::{AccountId, BankCode, OperatorId, Reference};
use domain::Id;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

/// Things that one window counts, at most. A window that is full lets nothing pass by static factors.
pub const COUNTED_MAX: usize = 200_000;
/// Account numbers are neighbours when they are no further apart than this.
const NEAR: u32 = 50;
/// What a site of IPv6 networks may do: as much as so many networks.
const NETWORKS_OF_SITE: u32 = 4;
/// What an attempt takes of the room, whatever becomes of it.
const TRIED: usize = 2;
/// What a failure takes of it.
const FAILED: usize = 3;

#[derive(Default)]
pub(super) struct Counts {
    accounts: BTreeMap<Id, u32>,
    wallets: BTreeMap<(OperatorId, Reference), u32>,
    sources: BTreeMap<Place, Source>,
    banks: BTreeMap<BankCode, Bank>,
    branches: BTreeMap<(BankCode, String), BTreeSet<u32>>,
    /// By value: the accounts on which it failed, and how often.
    values: BTreeMap<String, BTreeMap<(BankCode, Id), u32>>,
    /// The reports of banks that were counted, by the ids of their messages.
    reports: BTreeSet<(BankCode, String)>,
    /// Attempts on banks' own pages that were asked for a second step.
    challenged: BTreeSet<(BankCode, String)>,
    counted: usize,
}

/// Where an attempt comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// An address; of IPv6 the network that a subscriber has, /64.
    Network(IpAddr),
    /// A site of IPv6 networks, /48: whoever rents one has 65,536 of them.
    Site(Ipv6Addr),
}

impl Place {
    /// The places of `source`, the nearest first.
    pub fn of(source: Option<IpAddr>) -> impl Iterator<Item = Self> {
        let site = match source {
            Some(IpAddr::V6(address)) => Some(Self::Site(Ipv6Addr::from_bits(address.to_bits() >> 80 << 80))),
            Some(IpAddr::V4(_)) | None => None,
        };
        source.map(Self::Network).into_iter().chain(site)
    }

    /// What a network may do, as this place may do it.
    pub const fn at_most(self, network_max: u32) -> u32 {
        match self {
            Self::Network(_) => network_max,
            Self::Site(_) => network_max.saturating_mul(NETWORKS_OF_SITE),
        }
    }
}

#[derive(Default)]
struct Source {
    failures: u32,
    accounts: BTreeSet<Id>,
}

#[derive(Default)]
struct Bank {
    failures: u32,
    /// The accounts that succeeded: one that succeeds again and again says no more than one.
    successes: BTreeSet<Id>,
}

impl Counts {
    /// The same without values: they are told apart by a key that is forgotten.
    pub fn without_values(self) -> Self {
        Self { values: BTreeMap::new(), ..self }
    }

    pub fn is_full(&self) -> bool {
        self.counted >= COUNTED_MAX
    }

    pub fn account_failures(&self, account: Option<AccountId>) -> u32 {
        account.and_then(|account| self.accounts.get(&account.0)).copied().unwrap_or(0)
    }

    pub fn wallet_failures(&self, operator: OperatorId, wallet: &Reference) -> u32 {
        self.wallets.get(&(operator, wallet.clone())).copied().unwrap_or(0)
    }

    pub fn source_failures(&self, place: Place) -> u32 {
        self.sources.get(&place).map_or(0, |source| source.failures)
    }

    /// Accounts other than `account` that were tried from `place`.
    pub fn source_accounts(&self, place: Place, account: Option<AccountId>) -> u32 {
        self.sources
            .get(&place)
            .map_or(0, |source| count(source.accounts.iter().filter(|tried| Some(AccountId(**tried)) != account)))
    }

    pub fn bank_failures(&self, bank: BankCode) -> u32 {
        self.banks.get(&bank).map_or(0, |bank| bank.failures)
    }

    pub fn bank_successes(&self, bank: BankCode) -> u32 {
        self.banks.get(&bank).map_or(0, |bank| count(bank.successes.iter()))
    }

    /// Numbers near `number`, other than itself, that were tried at the branch.
    pub fn neighbours(&self, bank: BankCode, branch: &str, number: &str) -> u32 {
        let Ok(number) = number.parse::<u32>() else { return 0 };
        let Some(tried) = self.branches.get(&(bank, branch.to_owned())) else { return 0 };
        let near = number.saturating_sub(NEAR)..=number.saturating_add(NEAR);
        count(tried.range(near).filter(|other| **other != number))
    }

    /// Accounts other than `account` on which the value failed, at any bank.
    pub fn value_accounts(&self, value: &str, account: Option<AccountId>) -> u32 {
        let others = |(_, other): &&(BankCode, Id)| Some(AccountId(*other)) != account;
        self.values.get(value).map_or(0, |tried| count(tried.keys().filter(others)))
    }

    /// Accounts of `bank` on which the value failed.
    pub fn value_accounts_at(&self, value: &str, bank: BankCode) -> u32 {
        self.values.get(value).map_or(0, |tried| count(tried.keys().filter(|(at, _)| *at == bank)))
    }

    /// Somebody tries: where and what they tried, and a failure that may be taken back. Whether there was room.
    pub fn count(&mut self, attempt: &Try<'_>, value: Option<&str>) -> bool {
        if self.is_full() {
            return false;
        }
        self.counted += TRIED + FAILED;
        let add = |failures: &mut u32| *failures = failures.saturating_add(1);
        if let Some(account) = attempt.account {
            add(self.accounts.entry(account.0).or_default());
        }
        add(self.wallets.entry((attempt.operator, attempt.wallet.clone())).or_default());
        for place in Place::of(attempt.source) {
            let source = self.sources.entry(place).or_default();
            source.accounts.extend(attempt.account.map(|account| account.0));
            add(&mut source.failures);
        }
        if let Ok(number) = attempt.number.parse() {
            self.branches.entry((attempt.bank, attempt.branch.to_owned())).or_default().insert(number);
        }
        if let (Some(value), Some(account)) = (value, attempt.account) {
            self.count_value(value, attempt.bank, account.0);
        }
        true
    }

    /// What was reserved is no failure; that it was tried stays.
    pub fn uncount(&mut self, reserved: &Reserved) {
        self.counted = self.counted.saturating_sub(FAILED);
        if let Some(account) = reserved.account {
            take_one(&mut self.accounts, &account.0);
        }
        take_one(&mut self.wallets, &(reserved.operator, reserved.wallet.clone()));
        for place in Place::of(reserved.source) {
            if let Some(source) = self.sources.get_mut(&place) {
                source.failures = source.failures.saturating_sub(1);
            }
        }
        if let (Some(value), Some(account)) = (&reserved.value, reserved.account)
            && let Some(tried) = self.values.get_mut(value)
        {
            take_one(tried, &(reserved.bank, account.0));
            self.counted = self.counted.saturating_sub(1);
        }
    }

    pub fn has_report(&self, bank: BankCode, id: &str) -> bool {
        self.reports.contains(&(bank, id.to_owned()))
    }

    /// Remembers a report. A window that is full remembers none: it lets nothing pass anyway.
    pub fn remember_report(&mut self, bank: BankCode, id: &str) {
        if !self.is_full() && self.reports.insert((bank, id.to_owned())) {
            self.counted += 1;
        }
    }

    pub fn was_challenged(&self, bank: BankCode, attempt: &str) -> bool {
        self.challenged.contains(&(bank, attempt.to_owned()))
    }

    /// Remembers that an attempt was asked for a second step.
    pub fn remember_challenge(&mut self, bank: BankCode, attempt: &str) {
        if !self.is_full() && self.challenged.insert((bank, attempt.to_owned())) {
            self.counted += 1;
        }
    }

    pub fn count_success(&mut self, bank: BankCode, account: Id) {
        if !self.is_full() && self.banks.entry(bank).or_default().successes.insert(account) {
            self.counted += 1;
        }
    }

    pub fn count_bank_failure(&mut self, bank: BankCode) {
        let bank = self.banks.entry(bank).or_default();
        bank.failures = bank.failures.saturating_add(1);
    }

    pub fn count_account_failure(&mut self, account: AccountId) {
        if self.is_full() {
            return;
        }
        self.counted += 1;
        let failures = self.accounts.entry(account.0).or_default();
        *failures = failures.saturating_add(1);
    }

    pub fn count_value(&mut self, value: &str, bank: BankCode, account: Id) {
        if self.is_full() {
            return;
        }
        self.counted += 1;
        let failures = self.values.entry(value.to_owned()).or_default().entry((bank, account)).or_default();
        *failures = failures.saturating_add(1);
    }
}

fn count<T>(things: impl Iterator<Item = T>) -> u32 {
    u32::try_from(things.count()).unwrap_or(u32::MAX)
}

/// One less of `key`; none is no entry.
fn take_one<K: Ord>(counts: &mut BTreeMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}
