//! The embedded store: two SQLite files in a data directory that one process holds.
//!
//! `journal.sqlite` is the truth: a commit appends the batch to it, durably. `state.sqlite` has the rows and the request
//! index; the keeper writes it behind, and it can be deleted and is rebuilt. So the state may lag behind the journal and
//! never leads it: only what is durable in the journal is handed to the keeper.
//! Start reading at [`SqliteStore`]; then `journal` (the commit), `keeper` (what follows it), `requests` (the index).

mod checkpoint;
mod directory;
mod error;
mod expiry;
mod filter;
mod journal;
mod keeper;
mod requests;
mod rows;
mod segments;
#[cfg(test)]
pub(crate) mod tests;

pub use journal::SqliteJournal;

pub(crate) use directory::{
    STATE, STATE_FILE, VAULT, check_header, migrate_vault, open_consumers, open_for_read, open_vault,
};
pub(crate) use error::classify;
pub(crate) use journal::{LANE, signed, unsigned};
pub(crate) use rows::{Column, Tables, decode_row, encode_row, read_progress, row_form};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use {
    filter::Filter,
    requests::{read_entries, write_entry},
};

use crate::anchor::{Anchor, AnchorOptions, Anchorer};
use crate::prefix::Prefix;
use crate::record::SealedRecord;
use crate::store::{Changed, Commit, Generation, Head, KnownRequest, Recovered, Store, StoreError, Stored};
use crate::witness::Witness;
use checkpoint::{Checkpointer, Gate};
use directory::{Directory, JOURNAL, JOURNAL_FILE, accept, open_for_write};
use domain::{Domain, Key};
use journal::JournalWriter;
use keeper::{Job, Keeper, Tools};
use requests::{Published, Requests, Spares};
use rows::{Largest, RowReader};
use rusqlite::Connection;
use segments::Segments;
use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Request keys in memory before they become a segment on disk.
pub const REQUESTS_SEGMENT_MAX: usize = 1 << 20;
/// Days for which a request's key is known after its operation has ended.
pub const REQUEST_DAYS: u32 = 400;
/// The fewest that may be set: within them whoever repeats a request has long given up, a month was closed and its differences with
/// banks and shops were looked into. A key that is forgotten is carried out again.
pub const REQUEST_DAYS_MIN: u32 = 100;
/// Bytes of the journal's write-ahead log above which commits are refused; above half of it they wait.
pub const LOG_BYTES_MAX: u64 = 512 << 20;
/// New bytes in the journal's write-ahead log below which no checkpoint is made.
pub const CHECKPOINT_LOG_BYTES_MIN: u64 = 1 << 20;
/// Bytes of the state's write-ahead log below which no checkpoint is made.
pub const STATE_CHECKPOINT_LOG_BYTES_MIN: u64 = 2 << 20;
/// Bytes of the state's write-ahead log above which no rows are written until a reader lets go of it.
pub const STATE_LOG_BYTES_MAX: u64 = 512 << 20;
/// Pages that a writer of the journal keeps: it appends, and hardly reads what it wrote.
const JOURNAL_CACHE_KIBIBYTES: i32 = 8 << 10;
/// Pages that the keeper keeps. Room for every wallet's page of a million (256 MiB) was no faster, and too much memory.
const STATE_CACHE_KIBIBYTES: i32 = 64 << 10;

/// How to open the store.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// Request keys in memory before they become a segment on disk.
    pub requests_segment_max: usize,
    /// Days for which a request's key is known after its operation has ended: at least [`REQUEST_DAYS_MIN`]. More than were set
    /// before bring nothing back that is forgotten.
    pub request_days: u32,
    /// Bytes of the journal's write-ahead log above which commits are refused.
    pub log_bytes_max: u64,
    /// New bytes in the journal's write-ahead log below which no checkpoint is made.
    pub checkpoint_log_bytes_min: u64,
    /// Bytes of the state's write-ahead log below which no checkpoint is made.
    pub state_checkpoint_log_bytes_min: u64,
    /// Bytes of the state's write-ahead log above which no rows are written; the tail then grows to its own bound, and
    /// commands are refused.
    pub state_log_bytes_max: u64,
    /// Where signed checkpoints go, and how often; `None` for none.
    pub anchors: Option<AnchorOptions>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            requests_segment_max: REQUESTS_SEGMENT_MAX,
            request_days: REQUEST_DAYS,
            log_bytes_max: LOG_BYTES_MAX,
            checkpoint_log_bytes_min: CHECKPOINT_LOG_BYTES_MIN,
            state_checkpoint_log_bytes_min: STATE_CHECKPOINT_LOG_BYTES_MIN,
            state_log_bytes_max: STATE_LOG_BYTES_MAX,
            anchors: None,
        }
    }
}

/// What can be observed of a running store.
#[derive(Debug, Default)]
pub struct Gauges {
    /// The longest write-ahead log of the journal so far, in bytes.
    pub log_bytes_largest: AtomicU64,
    /// The longest write-ahead log of the state so far, in bytes.
    pub state_log_bytes_largest: AtomicU64,
    /// Checkpoints of the journal.
    pub checkpoints: AtomicU64,
    /// Checkpoints of the journal that failed, and were tried again.
    pub checkpoints_failed: AtomicU64,
    /// Anchors that could not be written.
    pub anchors_failed: AtomicU64,
    /// Lines of the anchor file that somebody else wrote, as far as they were met.
    pub anchors_strange: AtomicU64,
    /// The last record that an anchor covers.
    pub anchored_record: AtomicU64,
    /// Its time, in milliseconds since 1970-01-01T00:00:00Z.
    pub anchored_at_milliseconds: AtomicU64,
}

impl Gauges {
    /// Takes note of the last anchor.
    pub(crate) fn anchored(&self, anchor: &Anchor) {
        self.anchored_record.store(anchor.n, Ordering::Relaxed);
        self.anchored_at_milliseconds.store(u64::try_from(anchor.at).unwrap_or(0), Ordering::Relaxed);
    }
}

/// The store of one data directory.
pub struct SqliteStore<D: Domain> {
    recovered: Recovered,
    journal: JournalWriter,
    rows: RowReader<D>,
    requests: Requests,
    keeper: Keeper<D>,
    anchorer: Option<Anchorer>,
    gauges: Arc<Gauges>,
    // Dropped after the connections, in this order: the lock is the last to go.
    _checkpointer: Checkpointer,
    _directory: Directory,
}

impl<D: Domain> SqliteStore<D> {
    /// Opens the data directory at `path`, making what is not there. A refusal has written nothing to the data, also not
    /// what stands in a log beside it.
    pub fn open(path: &Path, options: &SqliteOptions) -> Result<Self, StoreError> {
        if options.request_days < REQUEST_DAYS_MIN {
            return Err(StoreError::Options(format!(
                "keys of requests would be forgotten after {} days, and requests that come again be carried out twice; set at \
                 least {REQUEST_DAYS_MIN}",
                options.request_days
            )));
        }
        let gauges = Arc::new(Gauges::default());
        let directory = Directory::open(path)?;
        let journal_file = directory.file(JOURNAL_FILE);
        let gate = Arc::new(Gate::new(options.log_bytes_max, Arc::clone(&gauges)));
        let writer = open_for_write(&journal_file, &JOURNAL, "FULL", JOURNAL_CACHE_KIBIBYTES)?;
        let journal = JournalWriter::open(writer, Arc::clone(&gate), D::NAME, D::VOCABULARY)?;
        let head = journal.head();
        let witness = witness(options.anchors.as_ref(), D::NAME, &journal)?;

        let tables = Arc::new(Tables::<D>::new());
        let (state, watermark, requests_until) = open_state(&directory, &tables, head)?;
        let published = Arc::new(Published::default());
        let segments = Segments::open(&state, Arc::clone(&published), options.request_days)?;
        let spares = Spares::new(Arc::clone(&published), options.requests_segment_max);
        let mut requests = Requests::new(published, options.requests_segment_max);
        requests.read_runs(&state)?;

        let largest = Arc::new(Largest::read::<D>(&state)?);
        let reader =
            open_for_read(&directory.file(STATE_FILE)).map_err(|error| classify("opening the state", &error))?;
        let rows = RowReader::new(reader, Arc::clone(&tables), Arc::clone(&largest));
        let tools = Tools {
            connection: state,
            tables,
            largest,
            segments,
            journal: open_for_read(&journal_file).map_err(|error| classify("opening the journal", &error))?,
            spares,
            checkpoint_log_bytes_min: options.state_checkpoint_log_bytes_min,
            log_bytes_max: options.state_log_bytes_max,
            log_bytes: Cell::new(0),
            gauges: Arc::clone(&gauges),
        };
        journal.accept()?;
        accept(&tools.connection).map_err(|error| classify("opening the state", &error))?;
        let keeper = Keeper::start(tools)?;
        index_tail(&journal, &mut requests, &keeper, requests_until)?;
        let connection = open_for_write(&journal_file, &JOURNAL, "FULL", JOURNAL_CACHE_KIBIBYTES)?;
        accept(&connection).map_err(|error| classify("opening the journal", &error))?;
        let checkpointer = Checkpointer::start(connection, gate, options.checkpoint_log_bytes_min)?;
        directory.sync()?;
        let anchorer = match &options.anchors {
            Some(anchors) => Some(Anchorer::start(anchors.clone(), D::NAME, head, &witness, Arc::clone(&gauges))?),
            None => None,
        };
        Ok(Self {
            recovered: Recovered { head, watermark },
            journal,
            rows,
            requests,
            keeper,
            anchorer,
            gauges,
            _checkpointer: checkpointer,
            _directory: directory,
        })
    }

    /// What can be observed while the store runs.
    pub fn gauges(&self) -> Arc<Gauges> {
        Arc::clone(&self.gauges)
    }
}

impl<D: Domain> Store<D> for SqliteStore<D> {
    fn recovered(&self) -> Recovered {
        self.recovered
    }

    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Stored<D::Row>>>, StoreError> {
        self.rows.load(keys)
    }

    fn commit(&mut self, commit: &Commit<'_, D>) -> Result<(), StoreError> {
        self.requests.check_room()?;
        self.journal.commit(commit.expected, commit.records)?;
        let head = self.journal.head();
        if let Some(frozen) = self.requests.add(commit.requests, head.place.n, head.at.milliseconds()) {
            self.keeper.freeze(frozen);
        }
        if let Some(anchorer) = &self.anchorer {
            anchorer.advance(head);
        }
        Ok(())
    }

    fn read(&mut self, from: u64, limit: usize) -> Result<Vec<SealedRecord>, StoreError> {
        self.journal.read(from, limit)
    }

    fn find_request(&mut self, key: &[u8; 16]) -> Result<Option<u64>, StoreError> {
        self.requests.find(key, &self.rows.connection)
    }

    fn write_back(&mut self, generation: Generation<D>, wait: bool) -> Result<Option<Generation<D>>, StoreError> {
        let head = self.journal.head().place.n;
        assert!(generation.watermark <= head, "only what is durable is written back");
        if !self.keeper.is_free(wait)? {
            return Ok(Some(generation));
        }
        let requests = self.requests.take_unwritten();
        self.keeper.give(Job { generation, requests, requests_until: head });
        Ok(None)
    }

    fn written_back(&mut self, wait: bool) -> Result<u64, StoreError> {
        self.keeper.done(wait)
    }

    fn wait_for_write_back(&mut self, milliseconds_max: u64) {
        self.keeper.wait_for(milliseconds_max);
    }

    fn spare_rows(&mut self) -> Vec<Changed<D::Row>> {
        self.keeper.spare_rows()
    }
}

/// What the anchors say of the journal; refuses one that is not what they say.
fn witness(anchors: Option<&AnchorOptions>, domain: &str, journal: &JournalWriter) -> Result<Witness, StoreError> {
    let Some(anchors) = anchors else { return Ok(Witness { last: None, strange: 0 }) };
    let witness = Witness::read(&anchors.file, &anchors.key.verifying_key(), domain, LANE)
        .map_err(|error| StoreError::Unavailable(format!("anchor file {}: {error}", anchors.file.display())))?;
    witness.confirm(&anchors.file, journal.head(), |n| {
        let record = journal.read(n, 1)?.pop();
        Ok(record.filter(|record| record.place.n == n).map(|record| record.hash))
    })?;
    Ok(witness)
}

/// Opens the state file, anew if it is missing or was made for other tables; refuses one that is ahead of the journal, or
/// that a newer program wrote: its journal may say what this program would misread.
fn open_state<D: Domain>(
    directory: &Directory,
    tables: &Tables<D>,
    head: Head,
) -> Result<(Connection, u64, u64), StoreError> {
    let failed = |error: rusqlite::Error| classify("opening the state", &error);
    let path = directory.file(STATE_FILE);
    // NORMAL: what a power cut takes from this file is written again from the journal.
    let mut state = open_for_write(&path, &STATE, "NORMAL", STATE_CACHE_KIBIBYTES)?;
    let signature = Tables::<D>::signature();
    let mut progress = read_progress(&state).map_err(failed)?;
    if let Some((found, ..)) = &progress
        && Tables::<D>::is_newer(found)
    {
        return Err(StoreError::Version(format!(
            "{STATE_FILE} has rows of a newer program ({found}), this one writes {signature}; run the newer program, \
             nothing was written"
        )));
    }
    if progress.as_ref().is_some_and(|(found, ..)| *found != signature) {
        drop(state);
        directory.remove(STATE_FILE)?;
        state = open_for_write(&path, &STATE, "NORMAL", STATE_CACHE_KIBIBYTES)?;
        progress = None;
    }
    let Some((_, watermark, requests_until)) = progress else {
        let transaction = state.unchecked_transaction().map_err(failed)?;
        tables.create(&transaction).map_err(failed)?;
        transaction
            .execute(
                "INSERT INTO progress (one, signature, watermark, requests_until) VALUES (1, ?, 0, 0)",
                [signature],
            )
            .map_err(failed)?;
        transaction.commit().map_err(failed)?;
        return Ok((state, 0, 0));
    };
    let reached = watermark.max(requests_until);
    if reached > head.place.n {
        return Err(StoreError::Damaged(format!(
            "the state is newer than the journal: it has seen record {reached}, the journal ends at {}. \
             Were they restored from different backups? Restore the newer journal; or, if this journal is the right \
             one, delete {}, and it is rebuilt from the journal",
            head.place.n,
            path.display()
        )));
    }
    Ok((state, watermark, requests_until))
}

/// Adds the request keys of the records after `until` to the index, as their commits would have.
fn index_tail<D: Domain>(
    journal: &JournalWriter,
    requests: &mut Requests,
    keeper: &Keeper<D>,
    until: u64,
) -> Result<(), StoreError> {
    let mut from = Some(until + 1);
    while let Some(first) = from {
        let mut keys = Vec::new();
        let mut last = None;
        from = journal.scan(first, &mut |n, at, bytes| {
            // A record that cannot be read is the core's to report: it replays the same records and opens read-only.
            let request = Prefix::decode(bytes).ok().and_then(|prefix| prefix.request);
            // What the record began only its events say, and they are not read here: it is looked at when the key is old.
            keys.extend(request.map(|request| KnownRequest { key: request.key, n, begins_operation: true }));
            last = Some((n, at));
        })?;
        let Some((last_n, last_at)) = last else { break };
        if requests.check_room().is_err() {
            keeper.done(true)?;
        }
        if let Some(frozen) = requests.add(&keys, last_n, last_at) {
            keeper.freeze(frozen);
        }
    }
    Ok(())
}

/// Locks what threads share. A thread that panicked while it held the lock left plain values, each still whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
