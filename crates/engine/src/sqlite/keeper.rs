//! The keeper: the one thread that writes the state file.
//!
//! It takes a generation of rows, sorts it by key, writes it in short transactions, and with the last one moves the
//! watermark. Between generations it works on the request index. It checkpoints its own log after each transaction, so
//! the log stays short; where somebody's open read keeps it from being started anew, it has a bound. A disk that fails is
//! tried again until it takes the rows; meanwhile nothing is lost, because the journal has everything.
//! Start reading at [`run`].

use super::directory::{LOG_PAGE_BYTES, checkpoint};
use super::error::classify;
use super::expiry::is_needed;
use super::journal::signed;
use super::requests::{Frozen, RequestKey, Spares, write_run};
use super::rows::{Largest, Tables};
use super::segments::Segments;
use super::{Gauges, lock};
use crate::canary;
use crate::store::{Changed, Generation, StoreError};
use domain::Domain;
use rusqlite::Connection;
use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::atomic;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, yield_now};
use std::time::Duration;

/// Rows written in one transaction.
const TRANSACTION_ROWS_MAX: usize = 4_096;
/// Rows written, or compares made in a sort, before the keeper offers its processor to whoever waits for it: the engine's
/// thread must not wait for a whole slice of the scheduler, which is milliseconds.
const YIELD_ROWS: usize = 256;
const YIELD_COMPARES: u32 = 4_096;
/// Rows that a generation usually has, under load: its list has room for them from the start.
const GENERATION_ROWS_USUAL: usize = 262_144;
/// Pieces of work on the request index after each generation.
const INDEX_STEPS_A_GENERATION: usize = 8;
/// How long the keeper waits before it tries a failing disk again.
const RETRY_MILLISECONDS: u64 = 200;
/// How long a caller waits for a keeper whose disk fails.
const WAIT_MILLISECONDS_MAX: u64 = 2_000;

/// A generation, and the request keys committed since the one before.
pub(super) struct Job<D: Domain> {
    pub(super) generation: Generation<D>,
    pub(super) requests: Vec<(RequestKey, u64)>,
    pub(super) requests_until: u64,
}

/// What the engine's thread and the keeper share.
struct Shared<D: Domain> {
    desk: Mutex<Desk<D>>,
    changed: Condvar,
}

struct Desk<D: Domain> {
    job: Option<Job<D>>,
    /// Empty lists with room for a generation: one is filled while another is written.
    spare_rows: Vec<Vec<Changed<D::Row>>>,
    writing: bool,
    frozen: VecDeque<Arc<Frozen>>,
    done: u64,
    failing: Option<StoreError>,
    stopping: bool,
}

impl<D: Domain> Desk<D> {
    fn is_busy(&self) -> bool {
        self.job.is_some() || self.writing
    }

    fn damaged(&self) -> Result<(), StoreError> {
        match &self.failing {
            None | Some(StoreError::Unavailable(_)) => Ok(()),
            Some(error) => Err(error.clone()),
        }
    }
}

/// The engine thread's handle; dropping it ends the keeper after its current transaction.
pub(super) struct Keeper<D: Domain> {
    shared: Arc<Shared<D>>,
    thread: Option<JoinHandle<()>>,
}

/// What the keeper's thread works with.
pub(super) struct Tools<D: Domain> {
    pub(super) connection: Connection,
    pub(super) tables: Arc<Tables<D>>,
    pub(super) largest: Arc<Largest>,
    pub(super) segments: Segments,
    /// Reads the journal, for what the request index must know of old records.
    pub(super) journal: Connection,
    pub(super) spares: Spares,
    pub(super) checkpoint_log_bytes_min: u64,
    pub(super) log_bytes_max: u64,
    /// How long the log was after its last checkpoint.
    pub(super) log_bytes: Cell<u64>,
    pub(super) gauges: Arc<Gauges>,
}

impl<D: Domain> Keeper<D> {
    pub(super) fn start(tools: Tools<D>) -> Result<Self, StoreError> {
        let desk = Desk {
            job: None,
            spare_rows: [(); 2].map(|()| Vec::with_capacity(GENERATION_ROWS_USUAL)).into(),
            writing: false,
            frozen: VecDeque::new(),
            done: 0,
            failing: None,
            stopping: false,
        };
        let shared = Arc::new(Shared { desk: Mutex::new(desk), changed: Condvar::new() });
        let at_work = AtWork(Arc::clone(&shared));
        let thread = std::thread::Builder::new()
            .name("keeper".into())
            .spawn(move || run(tools, &at_work.0))
            .map_err(|error| StoreError::Unavailable(format!("cannot start the keeper's thread: {error}")))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Whether a job can be taken now, after waiting for that if asked; in vain if the disk fails.
    pub(super) fn is_free(&self, wait: bool) -> Result<bool, StoreError> {
        let desk = self.wait_until(wait, |desk| !desk.is_busy());
        desk.damaged()?;
        Ok(!desk.is_busy())
    }

    pub(super) fn give(&self, job: Job<D>) {
        let mut desk = lock(&self.shared.desk);
        assert!(!desk.is_busy(), "the keeper has one generation at a time");
        desk.job = Some(job);
        drop(desk);
        self.shared.changed.notify_all();
    }

    /// An empty list with room for a generation, if one is there.
    pub(super) fn spare_rows(&self) -> Vec<Changed<D::Row>> {
        lock(&self.shared.desk).spare_rows.pop().unwrap_or_default()
    }

    pub(super) fn freeze(&self, frozen: Arc<Frozen>) {
        lock(&self.shared.desk).frozen.push_back(frozen);
        self.shared.changed.notify_all();
    }

    /// The last generation that is wholly written, after waiting until nothing is under way if asked.
    pub(super) fn done(&self, wait: bool) -> Result<u64, StoreError> {
        let desk = self.wait_until(wait, |desk| !desk.is_busy() && desk.frozen.is_empty());
        desk.damaged()?;
        match &desk.failing {
            Some(error) if wait && desk.is_busy() => Err(error.clone()),
            Some(_) | None => Ok(desk.done),
        }
    }

    /// Waits until no generation is under way, at the latest for `milliseconds_max`.
    pub(super) fn wait_for(&self, milliseconds_max: u64) {
        let desk = lock(&self.shared.desk);
        let limit = Duration::from_millis(milliseconds_max);
        drop(self.shared.changed.wait_timeout_while(desk, limit, |desk| desk.is_busy()));
    }

    fn wait_until(&self, wait: bool, ready: impl Fn(&Desk<D>) -> bool) -> MutexGuard<'_, Desk<D>> {
        let mut desk = lock(&self.shared.desk);
        let mut waited_failing = 0;
        while wait && !ready(&desk) && desk.damaged().is_ok() && waited_failing < WAIT_MILLISECONDS_MAX {
            if desk.failing.is_some() {
                waited_failing += RETRY_MILLISECONDS;
            }
            let wait = Duration::from_millis(RETRY_MILLISECONDS);
            desk = self.shared.changed.wait_timeout(desk, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        desk
    }
}

impl<D: Domain> Drop for Keeper<D> {
    fn drop(&mut self) {
        lock(&self.shared.desk).stopping = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by its own message.
            drop(thread.join());
        }
    }
}

/// Tells the engine's thread if the keeper ends in a panic, so that nobody waits for it.
struct AtWork<D: Domain>(Arc<Shared<D>>);

impl<D: Domain> Drop for AtWork<D> {
    fn drop(&mut self) {
        let mut desk = lock(&self.0.desk);
        if std::thread::panicking() {
            desk.failing =
                Some(StoreError::Damaged("the keeper ended in a panic; restart, and report its message".into()));
        }
        drop(desk);
        self.0.changed.notify_all();
    }
}

fn run<D: Domain>(mut tools: Tools<D>, shared: &Shared<D>) {
    let mut more_to_index = true;
    loop {
        let desk = lock(&shared.desk);
        let mut desk = shared
            .changed
            .wait_while(desk, |desk| desk.job.is_none() && desk.frozen.is_empty() && !more_to_index && !desk.stopping)
            .unwrap_or_else(PoisonError::into_inner);
        if desk.stopping {
            return;
        }
        let job = desk.job.take();
        let frozen: Vec<Arc<Frozen>> = desk.frozen.iter().cloned().collect();
        desk.writing = job.is_some();
        drop(desk);

        // Before the job: it says that every key up to its end is on disk, those that were frozen before it too.
        for frozen in frozen {
            if !until_it_works(shared, || tools.write_frozen(&frozen)) {
                return;
            }
            lock(&shared.desk).frozen.pop_front();
            shared.changed.notify_all();
            tools.spares.retire(frozen);
        }
        let number = job.as_ref().map(|job| job.generation.number);
        if let Some(mut job) = job {
            tools.spares.prepare(job.requests.len());
            sort_politely(&mut job.generation.rows, |one, other| one.key.cmp(&other.key));
            if !until_it_works(shared, || tools.write(&job, shared)) {
                return;
            }
            empty_politely(&mut job.generation.rows);
            lock(&shared.desk).spare_rows.push(job.generation.rows);
        }
        if let Some(number) = number {
            let mut desk = lock(&shared.desk);
            desk.done = number;
            desk.writing = false;
            drop(desk);
            shared.changed.notify_all();
        }
        let steps = if number.is_some() { INDEX_STEPS_A_GENERATION } else { 1 };
        if !until_it_works(shared, || {
            for _ in 0..steps {
                more_to_index = tools.index()?;
                tools.checkpoint()?;
            }
            Ok(())
        }) {
            return;
        }
    }
}

/// Sorts, and offers the processor now and then.
pub(super) fn sort_politely<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let mut compares = 0_u32;
    items.sort_unstable_by(|one, other| {
        compares = compares.wrapping_add(1);
        if compares.is_multiple_of(YIELD_COMPARES) {
            yield_now();
        }
        compare(one, other)
    });
}

/// Gives the memory behind each item back, keeps the list's own, and offers the processor now and then.
fn empty_politely<T>(items: &mut Vec<T>) {
    for (index, item) in items.drain(..).enumerate() {
        drop(item);
        if index.is_multiple_of(YIELD_ROWS) {
            yield_now();
        }
    }
}

/// Tries until `work` succeeds; false if it never can, or the store is being closed.
fn until_it_works<D: Domain>(shared: &Shared<D>, mut work: impl FnMut() -> Result<(), StoreError>) -> bool {
    loop {
        let result = work();
        let mut desk = lock(&shared.desk);
        desk.failing = result.err();
        if desk.failing.is_none() {
            return !desk.stopping;
        }
        shared.changed.notify_all();
        if desk.damaged().is_err() {
            return false;
        }
        let wait = Duration::from_millis(RETRY_MILLISECONDS);
        let desk = shared
            .changed
            .wait_timeout_while(desk, wait, |desk| !desk.stopping)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        if desk.stopping {
            return false;
        }
    }
}

impl<D: Domain> Tools<D> {
    /// Does a piece of work on the request index; true if there was one.
    fn index(&mut self) -> Result<bool, StoreError> {
        self.check_room()?;
        let Self { connection, tables, segments, journal, .. } = self;
        segments.work(connection, &|n, before| is_needed(journal, connection, tables, (n, before)))
    }

    fn write_frozen(&mut self, frozen: &Arc<Frozen>) -> Result<(), StoreError> {
        self.check_room()?;
        let Self { segments, connection, gauges, checkpoint_log_bytes_min, log_bytes, .. } = self;
        segments
            .write_frozen(connection, frozen, &|| move_log(connection, *checkpoint_log_bytes_min, gauges, log_bytes))
    }

    /// Writes a generation. Doing it again after a failure writes the same rows over.
    fn write(&self, job: &Job<D>, shared: &Shared<D>) -> Result<(), StoreError> {
        let failed = |error: rusqlite::Error| classify("writing rows", &error);
        self.largest.raise(&job.generation.rows);
        for rows in job.generation.rows.chunks(TRANSACTION_ROWS_MAX) {
            if lock(&shared.desk).stopping {
                return Ok(());
            }
            self.check_room()?;
            let transaction = self.connection.unchecked_transaction().map_err(failed)?;
            for few in rows.chunks(YIELD_ROWS) {
                self.tables.write(&transaction, few)?;
                yield_now();
            }
            transaction.commit().map_err(failed)?;
            self.checkpoint()?;
        }
        let transaction = self.connection.unchecked_transaction().map_err(failed)?;
        write_run(&transaction, &job.requests, job.requests_until).map_err(failed)?;
        let beyond = u64::from(canary::active("watermark_too_high"));
        transaction
            .execute("UPDATE progress SET watermark = max(watermark, ?)", [signed(job.generation.watermark + beyond)])
            .map_err(failed)?;
        transaction.commit().map_err(failed)?;
        self.checkpoint()
    }

    /// Refuses to write while the log is at its bound: rows wait, and nothing is lost, because the journal has everything.
    fn check_room(&self) -> Result<(), StoreError> {
        if self.log_bytes.get() > self.log_bytes_max {
            self.checkpoint()?;
        }
        let bytes = self.log_bytes.get();
        if bytes > self.log_bytes_max {
            return Err(StoreError::Unavailable(format!(
                "busy: the state's write-ahead log has {bytes} bytes, its bound is {}; a reader holds it open, end that \
                 reader",
                self.log_bytes_max
            )));
        }
        Ok(())
    }

    fn checkpoint(&self) -> Result<(), StoreError> {
        move_log(&self.connection, self.checkpoint_log_bytes_min, &self.gauges, &self.log_bytes)
    }
}

/// Moves the log into the file once it is long enough; the next transaction starts the log anew.
fn move_log(
    connection: &Connection,
    log_bytes_min: u64,
    gauges: &Gauges,
    log_bytes: &Cell<u64>,
) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| classify("writing rows", &error);
    let path = connection.path().unwrap_or_default();
    let log = std::fs::metadata(format!("{path}-wal")).map_or(0, |metadata| metadata.len());
    if log >= log_bytes_min {
        let after = checkpoint(connection, "PASSIVE").map_err(failed)?;
        let bytes = after.log_pages * LOG_PAGE_BYTES;
        gauges.state_log_bytes_largest.fetch_max(bytes, atomic::Ordering::Relaxed);
        log_bytes.set(if after.is_whole() { 0 } else { bytes });
    }
    Ok(())
}
