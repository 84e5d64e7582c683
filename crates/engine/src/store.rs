//! The store: where the journal and the rows are kept. One trait, the same contract for every implementation.
//!
//! The journal is the truth. Rows may be written late: a store says up to which place all of them are (the watermark),
//! and the core replays the records after it. A row on disk may be newer than the watermark, never newer than the journal.

use crate::record::{Place, SealedRecord};
use domain::{Domain, Key, Time};
use std::sync::Arc;

/// A row with its version and the place of the record that made it so.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored<R> {
    /// How many records changed the row.
    pub version: u64,
    /// The place of the last of them.
    pub place: Place,
    /// The row. `None` is a row that was deleted; its version lives on.
    pub row: Option<Arc<R>>,
}

/// A row that changed, with its key.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed<R> {
    /// Which row.
    pub key: Key,
    /// What it is now.
    pub stored: Stored<R>,
}

/// The head of a lane: its last record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The lane's epoch: who writes it must be of this one. The stores of one engine never change it.
    pub epoch: u64,
    /// The last record's place.
    pub place: Place,
    /// The last record's time.
    pub at: Time,
    /// The last record's hash; zeros before the first.
    pub hash: [u8; 32],
}

/// What a store finds when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The last durable record.
    pub head: Head,
    /// Every change up to this number is in the stored rows; later ones are replayed.
    pub watermark: u64,
}

impl Recovered {
    /// How many records are replayed before the first command: the tail that a crash left, or all of them where the rows
    /// are missing or in another form.
    pub const fn behind(&self) -> u64 {
        self.head.place.n.saturating_sub(self.watermark)
    }
}

/// An idempotency key, and the record that it is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownRequest {
    /// The key.
    pub key: [u8; 16],
    /// The record's number.
    pub n: u64,
    /// Whether the record may have begun an operation that it did not end: before the key is forgotten, the store looks
    /// whether that has ended.
    pub begins_operation: bool,
}

/// One batch on its way to disk.
#[derive(Debug)]
pub struct Commit<'a, D: Domain> {
    /// The head that the batch was decided on: the store refuses any other (`Fenced`).
    pub expected: Head,
    /// The records, in order, without gaps.
    pub records: &'a [SealedRecord],
    /// The idempotency keys among them.
    pub requests: &'a [KnownRequest],
    /// The rows as they are after the batch, each once. A store that writes rows late may leave them.
    pub changed: &'a [Changed<D::Row>],
}

/// Rows to be written late: everything that changed in a span of the journal, each row once, as it was at its end.
#[derive(Debug)]
pub struct Generation<D: Domain> {
    /// The generation's number, from 1.
    pub number: u64,
    /// The last record it covers: the watermark once all its rows are written.
    pub watermark: u64,
    /// The rows, in any order.
    pub rows: Vec<Changed<D::Row>>,
}

/// Where the journal and the rows are kept.
pub trait Store<D: Domain>: Send {
    /// What was found when the store was opened.
    fn recovered(&self) -> Recovered;

    /// The rows at `keys`, in their order; `None` for a row that never was. Sees every generation that is done.
    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Stored<D::Row>>>, StoreError>;

    /// Makes the batch durable, or leaves everything as it was. After [`StoreError::Lost`] nobody knows which.
    fn commit(&mut self, commit: &Commit<'_, D>) -> Result<(), StoreError>;

    /// Records from number `from` on, at most `limit`, in order.
    fn read(&mut self, from: u64, limit: usize) -> Result<Vec<SealedRecord>, StoreError>;

    /// The number of the record that a request's key is known from.
    fn find_request(&mut self, key: &[u8; 16]) -> Result<Option<u64>, StoreError>;

    /// Takes a generation to be written, if the store is not at one already; gives it back otherwise.
    /// `wait` waits until it can take it. A generation that was taken is never lost: the store tries until it is written,
    /// and an error here means that the store cannot go on, so the engine halts.
    fn write_back(&mut self, generation: Generation<D>, wait: bool) -> Result<Option<Generation<D>>, StoreError>;

    /// The number of the last generation that is wholly on disk, with its watermark; 0 for none.
    /// `wait` waits until nothing is under way.
    fn written_back(&mut self, wait: bool) -> Result<u64, StoreError>;

    /// An empty list for the next generation's rows, with the memory of one that is done where there is one: a list that
    /// grows by copying would hold up everybody who waits.
    fn spare_rows(&mut self) -> Vec<Changed<D::Row>> {
        Vec::new()
    }

    /// Whether others write the same rows. Then each commit saves its rows, nothing is written late, and the core keeps no row
    /// beyond the batch that read it.
    fn is_shared(&self) -> bool {
        false
    }

    /// The request keys of the batch that comes: a store that must ask somebody asks once for all of them.
    fn expect_requests(&mut self, _keys: &[[u8; 16]]) -> Result<(), StoreError> {
        Ok(())
    }

    /// The rows at `keys` as they are committed, outside of any batch. [`Store::load`] of a shared store locks them.
    fn load_published(&mut self, keys: &[Key]) -> Result<Vec<Option<Stored<D::Row>>>, StoreError> {
        self.load(keys)
    }

    /// Ends a batch that is not committed: what a shared store has locked for it is free again.
    fn release(&mut self) {}

    /// The record that a request's key is known from.
    fn find_recorded(&mut self, key: &[u8; 16]) -> Result<Option<SealedRecord>, StoreError> {
        let Some(n) = self.find_request(key)? else { return Ok(None) };
        let found = self.read(n, 1)?.pop().filter(|sealed| sealed.place.n == n);
        let missing = || StoreError::Damaged(format!("a request is known from record {n}, which is not there"));
        found.ok_or_else(missing).map(Some)
    }

    /// Gives the store time for its write-back: returns once nothing is under way, at the latest after
    /// `milliseconds_max`. A store that writes rows at once has nothing to wait for.
    fn wait_for_write_back(&mut self, milliseconds_max: u64);
}

/// Why a store could not do it. Every variant says who must act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// Another engine has the lane, or the directory: stop.
    Fenced(String),
    /// The disk is full or failing; nothing was changed, it may be tried again.
    Unavailable(String),
    /// Another engine changed the same rows in between: nothing was changed, the batch is to be decided again.
    Conflict(String),
    /// The answer to a commit was lost: read the head before anything else. An embedded store ends the process instead.
    Lost(String),
    /// What is stored cannot be right: stop writing, name the place, call somebody.
    Damaged(String),
    /// The data was written by another version of the program: says which, and what to do.
    Version(String),
    /// The options that it is opened with would lose something: set others.
    Options(String),
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fenced(what) => write!(f, "somebody else writes here: {what}"),
            Self::Unavailable(what) => write!(f, "the store cannot be used now: {what}"),
            Self::Conflict(what) => write!(f, "another engine was faster: {what}"),
            Self::Lost(what) => write!(f, "the answer to a commit was lost: {what}"),
            Self::Damaged(what) => write!(f, "the stored data is damaged: {what}"),
            Self::Version(what) => write!(f, "the stored data has another version: {what}"),
            Self::Options(what) => write!(f, "the store is not opened like that: {what}"),
        }
    }
}

impl std::error::Error for StoreError {}
