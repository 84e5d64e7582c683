//! Checkpoints of the journal's write-ahead log, on a thread of their own.
//!
//! A checkpoint inside COMMIT stalls every caller, and under constant load a log that is never restarted grows without
//! end. So passive checkpoints beside the writer, small and often, move almost everything; now and then the gate keeps the
//! writer out for the moment that the few last pages take, and the writer starts the log anew. The log has a bound: above
//! half of it commits wait for a checkpoint, above it they are refused. Start reading at [`Gate`] and [`pass`].

use super::directory::{Checkpointed, LOG_PAGE_BYTES, checkpoint};
use super::error::{classify, is_failed_sync};
use super::{Gauges, lock};
use crate::consumer::is_worth_a_line;
use crate::store::StoreError;
use rusqlite::Connection;
use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the thread looks.
const CHECKPOINT_EVERY_MILLISECONDS: u64 = 25;
/// The log is started anew once it is this many times as long as what one checkpoint waits for. Each time the writer is
/// kept out for two syncs, some milliseconds: so seldom that fewer than one in a hundred callers meets it.
const LOG_RESTART_FACTOR: u64 = 128;
/// How many more passes are made at most before the log is started anew, while much is committed during each.
const LAST_PASSES_MAX: usize = 4;
/// A log file longer than this is cut down once it is empty.
const LOG_FILE_BYTES_MAX: u64 = 256 << 20;
/// How long a commit waits for a log that is at its bound.
const LOG_WAIT_MILLISECONDS_MAX: u64 = 2_000;

/// Keeps the writer and the end of a checkpoint apart, and knows how long the log is.
pub(super) struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
    log_bytes: AtomicU64,
    log_bytes_max: u64,
    gauges: Arc<Gauges>,
}

#[derive(Default)]
struct GateState {
    inside: Inside,
    checkpoint_waits: bool,
    stopping: bool,
    /// Why nothing may be committed any more.
    lost: Option<StoreError>,
    passes: u64,
}

/// Who is past the gate.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Inside {
    #[default]
    Nobody,
    Writer,
    Checkpoint,
}

impl Gate {
    pub(super) fn new(log_bytes_max: u64, gauges: Arc<Gauges>) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), log_bytes: AtomicU64::new(0), log_bytes_max, gauges }
    }

    /// Lets the writer in, unless a checkpoint is ending; above half the log's bound it waits for a checkpoint first.
    pub(super) fn enter(&self) -> Result<(), StoreError> {
        if self.log_bytes.load(Ordering::Relaxed) > self.log_bytes_max / 2 {
            self.wait_for_log()?;
        }
        let state = lock(&self.state);
        let mut state = self
            .changed
            .wait_while(state, |state| state.checkpoint_waits || state.inside == Inside::Checkpoint)
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(lost) = &state.lost {
            return Err(lost.clone());
        }
        state.inside = Inside::Writer;
        Ok(())
    }

    /// Lets the writer out; it has added about `bytes` to the log.
    pub(super) fn leave(&self, bytes: u64) {
        self.log_bytes.fetch_add(bytes, Ordering::Relaxed);
        let mut state = lock(&self.state);
        state.inside = Inside::Nobody;
        if state.checkpoint_waits {
            self.changed.notify_all();
        }
    }

    fn wait_for_log(&self) -> Result<(), StoreError> {
        let mut state = lock(&self.state);
        let seen = state.passes;
        let mut waited = 0;
        // A pass that was under way may have begun before the last commit: the second from here is whole.
        while state.passes < seen + 2 && waited < LOG_WAIT_MILLISECONDS_MAX {
            let wait = Duration::from_millis(CHECKPOINT_EVERY_MILLISECONDS);
            state = self.changed.wait_timeout(state, wait).unwrap_or_else(std::sync::PoisonError::into_inner).0;
            waited += CHECKPOINT_EVERY_MILLISECONDS;
        }
        drop(state);
        let bytes = self.log_bytes.load(Ordering::Relaxed);
        if bytes > self.log_bytes_max {
            return Err(StoreError::Unavailable(format!(
                "busy: the write-ahead log has {bytes} bytes, its bound is {}; a reader holds it open, end that reader",
                self.log_bytes_max
            )));
        }
        Ok(())
    }

    /// Runs `work` while the writer is kept out.
    fn closed<T>(&self, work: impl FnOnce() -> T) -> T {
        let mut state = lock(&self.state);
        state.checkpoint_waits = true;
        let mut state = self
            .changed
            .wait_while(state, |state| state.inside == Inside::Writer)
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        state.checkpoint_waits = false;
        state.inside = Inside::Checkpoint;
        drop(state);
        let result = work();
        lock(&self.state).inside = Inside::Nobody;
        self.changed.notify_all();
        result
    }
}

/// The thread that checkpoints until it is dropped.
pub(super) struct Checkpointer {
    gate: Arc<Gate>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts the thread; a log below `log_bytes_min` is left alone while there are commits.
    pub(super) fn start(connection: Connection, gate: Arc<Gate>, log_bytes_min: u64) -> Result<Self, StoreError> {
        let shared = Arc::clone(&gate);
        let thread = std::thread::Builder::new()
            .name("checkpoint".into())
            .spawn(move || run(&connection, &shared, log_bytes_min))
            .map_err(|error| StoreError::Unavailable(format!("cannot start the checkpoint thread: {error}")))?;
        Ok(Self { gate, thread: Some(thread) })
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        lock(&self.gate.state).stopping = true;
        self.gate.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by its own message.
            drop(thread.join());
        }
    }
}

fn run(connection: &Connection, gate: &Gate, log_bytes_min: u64) {
    // How much of the log is in the file already, measured as the writer measures it.
    let mut moved = 0;
    loop {
        let state = lock(&gate.state);
        if state.stopping {
            return;
        }
        let wait = Duration::from_millis(CHECKPOINT_EVERY_MILLISECONDS);
        drop(gate.changed.wait_timeout_while(state, wait, |state| !state.stopping));
        let log_bytes = gate.log_bytes.load(Ordering::Relaxed);
        if log_bytes.saturating_sub(moved) >= log_bytes_min {
            // A failed pass is tried again; if none succeeds the log meets its bound, and commits say so.
            match pass(connection, gate, log_bytes_min) {
                Ok(log_bytes_moved) => moved = log_bytes_moved,
                Err(error) => {
                    if is_failed_sync(&error) {
                        lock(&gate.state).lost = Some(classify("moving the journal's log into its file", &error));
                    }
                    let failed = gate.gauges.checkpoints_failed.fetch_add(1, Ordering::Relaxed) + 1;
                    if is_worth_a_line(failed) {
                        tracing::error!(failed, %error, "the journal's log cannot be moved into its file");
                    }
                }
            }
        }
        lock(&gate.state).passes += 1;
        gate.changed.notify_all();
    }
}

/// One checkpoint beside the writer, and once the log is long, its end with the writer kept out; gives how much of the
/// log is in the file.
fn pass(connection: &Connection, gate: &Gate, log_bytes_min: u64) -> rusqlite::Result<u64> {
    let first = checkpoint(connection, "PASSIVE")?;
    observe(gate, first);
    gate.gauges.checkpoints.fetch_add(1, Ordering::Relaxed);
    // The writer counts bytes of records; small commits write the same pages again and again, so the log is longer.
    let log_bytes = first.log_pages * LOG_PAGE_BYTES;
    gate.log_bytes.store(log_bytes, Ordering::Relaxed);
    if log_bytes < log_bytes_min.saturating_mul(LOG_RESTART_FACTOR) {
        return Ok(first.done_pages * LOG_PAGE_BYTES);
    }
    read_through(connection, log_bytes);
    // What was committed meanwhile is moved too, last of all, so that little is left while the writer waits: until a pass
    // finds no more than a moment's commits.
    for _ in 0..LAST_PASSES_MAX {
        let before = gate.log_bytes.load(Ordering::Relaxed);
        let more = checkpoint(connection, "PASSIVE")?;
        observe(gate, more);
        if gate.log_bytes.load(Ordering::Relaxed).saturating_sub(before) < log_bytes_min / 4 {
            break;
        }
    }
    gate.closed(|| {
        // With the writer out and every page moved, the next commit starts the log anew by itself.
        let after = checkpoint(connection, "PASSIVE")?;
        observe(gate, after);
        let log_bytes = if after.is_whole() { 0 } else { after.log_pages * LOG_PAGE_BYTES };
        gate.log_bytes.store(log_bytes, Ordering::Relaxed);
        if after.is_whole() && after.log_pages * LOG_PAGE_BYTES > LOG_FILE_BYTES_MAX {
            checkpoint(connection, "TRUNCATE")?;
        }
        Ok(log_bytes)
    })
}

/// Reads the beginning of the log, where the writer goes on after its end. The log's frames cross the borders of the
/// system's pages, so writing over a page that the system has let go reads it first, and every caller would wait for that.
fn read_through(connection: &Connection, bytes: u64) {
    let path = connection.path().unwrap_or_default();
    // Only a hint: what cannot be read here is read, or reported, by the writer.
    if let Ok(log) = File::open(format!("{path}-wal")) {
        drop(io::copy(&mut log.take(bytes), &mut io::sink()));
    }
}

fn observe(gate: &Gate, checkpointed: Checkpointed) {
    gate.gauges.log_bytes_largest.fetch_max(checkpointed.log_pages * LOG_PAGE_BYTES, Ordering::Relaxed);
}
