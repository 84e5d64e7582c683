//! What the journal must come to: a second, naive reading of it that shares nothing with the engine but the records.
//!
//! It follows the chain by hand, applies every event to rows of its own, and keeps money by the load's numbers alone:
//! whoever pays has less. Start reading at [`Books::take`].

use super::load::{Ask, Load};
use domain::{Domain, Key, Time};
use engine::{Outcome, Record, SealedRecord, Stored, chain};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wallet::holder::Sealed;
use wallet::{HolderId, Receipt, Refusal, Row, WalletId, Wallets, chart, table};

/// An answer, as far as two of them can be compared: where it stands, and a hash of what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The number of the record that keeps it.
    pub n: u64,
    /// A hash of the reply.
    pub digest: u64,
}

/// A hash of what a caller was told.
pub fn digest(at: Time, reply: &Result<Receipt, Refusal>) -> u64 {
    let hash = blake3::hash(format!("{} {reply:?}", at.milliseconds()).as_bytes());
    u64::from_be_bytes(hash.as_bytes().first_chunk().copied().unwrap_or_default())
}

/// A journal, read.
#[derive(Debug)]
pub struct Books {
    load: Load,
    /// The last record that was read.
    pub head: u64,
    hash: [u8; 32],
    rows: BTreeMap<Key, Stored<Row>>,
    /// What each command of the load came to, by its number.
    pub answers: BTreeMap<u64, Answered>,
    purses: BTreeMap<u64, Purse>,
    shops: BTreeMap<u64, i64>,
}

/// A wallet's money as the naive books see it, in yen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Purse {
    available: i64,
    held: i64,
}

impl Books {
    /// Empty books for `load`.
    pub const fn new(load: Load) -> Self {
        Self {
            load,
            head: 0,
            hash: [0; 32],
            rows: BTreeMap::new(),
            answers: BTreeMap::new(),
            purses: BTreeMap::new(),
            shops: BTreeMap::new(),
        }
    }

    /// Reads the next record. An error says what is wrong with it.
    pub fn take(&mut self, epoch: u64, sealed: &SealedRecord) -> Result<(), String> {
        let n = self.head + 1;
        if sealed.place.n != n {
            return Err(format!("record {n} is missing, {} follows", sealed.place.n));
        }
        self.hash = chain(Wallets::NAME, epoch, &self.hash, sealed.place, sealed.at, &sealed.bytes);
        if self.hash != sealed.hash {
            return Err(format!("the chain breaks at record {n}"));
        }
        self.head = n;
        let record = Record::<Wallets>::decode(sealed).map_err(|error| format!("record {n}: {error}"))?;
        self.evolve(&record);
        let reply = match record.entry.outcome {
            Outcome::Done(receipt) => Ok(receipt),
            Outcome::Refused(refusal) => Err(refusal),
            Outcome::Defect(what) => return Err(format!("record {n} is a defect: {what}")),
            Outcome::Aggregated { .. } => return Ok(()),
        };
        let Some(number) = record.entry.request.and_then(|request| self.load.number_of(&request)) else {
            return Err(format!("record {n} is not of this load"));
        };
        match self.answers.entry(number) {
            Entry::Occupied(other) => {
                return Err(format!("doubled: command {number} is in records {} and {n}", other.get().n));
            }
            Entry::Vacant(vacant) => vacant.insert(Answered { n, digest: digest(record.at, &reply) }),
        };
        if reply.is_ok() {
            self.move_money(number);
        }
        Ok(())
    }

    fn evolve(&mut self, record: &Record<Wallets>) {
        let mut evolved: BTreeMap<Key, Option<Row>> = BTreeMap::new();
        let mut keys = Vec::new();
        for event in &record.entry.events {
            keys.clear();
            Wallets::touches(event, &mut keys);
            for &key in &keys {
                let before = || self.rows.get(&key).and_then(|stored| stored.row.as_deref().cloned());
                Wallets::evolve(key, evolved.entry(key).or_insert_with(before), event);
            }
        }
        for (key, row) in evolved {
            let version = self.rows.get(&key).map_or(1, |stored| stored.version + 1);
            self.rows.insert(key, Stored { version, place: record.place, row: row.map(Arc::new) });
        }
    }

    fn move_money(&mut self, number: u64) {
        let (wallet, available, held, shop) = match self.load.ask(number) {
            Ask::SetUp | Ask::Issue => return,
            Ask::Fill { wallet, amount } => (wallet, amount, 0, None),
            Ask::Redeem(_, deal) => (deal.wallet, deal.amount, 0, None),
            Ask::Pay(deal) => (deal.wallet, -deal.amount, 0, Some((deal.shop, deal.amount))),
            Ask::Hold(deal) => (deal.wallet, -deal.amount, deal.amount, None),
            Ask::Capture(_, deal) => (deal.wallet, 0, -deal.amount, Some((deal.shop, deal.amount))),
            Ask::Void(_, deal) => (deal.wallet, deal.amount, -deal.amount, None),
            Ask::Refund(_, deal) => (deal.wallet, 1, 0, Some((deal.shop, -1))),
        };
        let purse = self.purses.entry(wallet).or_default();
        purse.available += available;
        purse.held += held;
        if let Some((shop, amount)) = shop {
            *self.shops.entry(shop).or_default() += amount;
        }
    }

    /// What the journal has of persons, sealed.
    pub fn profiles(&self) -> impl Iterator<Item = (HolderId, &Sealed)> {
        self.rows.iter().filter_map(|(key, stored)| match stored.row.as_deref()? {
            Row::Holder(holder) => Some((HolderId(key.id), &holder.profile)),
            _ => None,
        })
    }

    /// Compares what is published, as `read` gives it, with what the journal comes to: every row at its version, and the
    /// money of every wallet and shop.
    pub fn check_rows(&self, mut read: impl FnMut(Key) -> Result<Option<Stored<Row>>, String>) -> Result<(), String> {
        for (key, expected) in &self.rows {
            let found = read(*key)?;
            if found.as_ref() != Some(expected) {
                return Err(format!("row {key:?} is not what the journal comes to: {found:?}, not {expected:?}"));
            }
        }
        for (&index, purse) in &self.purses {
            let id = self.load.wallet(index);
            let found = self.wallet(id);
            if found != Some(*purse) {
                return Err(format!("wallet {id} has {found:?}, the answers come to {purse:?}"));
            }
        }
        for (&index, &amount) in &self.shops {
            let id = self.load.shop(index);
            let row = self.rows.get(&chart::key(chart::settlement(id))).and_then(|stored| stored.row.as_deref());
            let Some(Row::Account(_, account)) = row else { return Err(format!("shop {id} has no account")) };
            if account.credit_balance() != amount {
                return Err(format!("shop {id} has {} yen, the answers come to {amount}", account.credit_balance()));
            }
        }
        Ok(())
    }

    fn wallet(&self, id: WalletId) -> Option<Purse> {
        match self.rows.get(&Key::new(table::WALLET, id.0))?.row.as_deref()? {
            Row::Wallet(wallet) => Some(Purse { available: wallet.available().amount(), held: wallet.held().amount() }),
            _ => None,
        }
    }

    /// Whether every command that was acknowledged is there, as it was answered. An error names the first that is not.
    pub fn check_acknowledged<'a>(
        &self,
        acknowledged: impl IntoIterator<Item = (&'a u64, &'a Answered)>,
    ) -> Result<u64, String> {
        let mut count = 0;
        for (number, expected) in acknowledged {
            let found = self.answers.get(number);
            if found != Some(expected) {
                return Err(format!("lost: command {number} was acknowledged as {expected:?}, and is {found:?}"));
            }
            count += 1;
        }
        Ok(count)
    }

    /// Whether the journal ends where a batch ended.
    pub fn check_whole_batches(&self, ends: &BTreeSet<u64>) -> Result<(), String> {
        if self.head != 0 && !ends.contains(&self.head) {
            return Err(format!("a batch is torn in half: the journal ends at {}", self.head));
        }
        Ok(())
    }
}
