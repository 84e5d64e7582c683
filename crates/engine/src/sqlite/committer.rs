//! The thread that commits: it appends one batch after the other to the journal, while the engine's thread decides the next.
//!
//! Start reading at [`Committer::begin`].

use super::journal::JournalWriter;
use super::lock;
use crate::core::Committed;
use crate::store::{Head, StoreError};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::Waker;
use std::thread::JoinHandle;

/// A batch that was decided on `expected`.
struct Job {
    expected: Head,
    records: Committed,
    waker: Waker,
}

/// Where the one commit is.
enum Stage {
    /// None was begun, or its end was told.
    Free,
    Begun(Job),
    UnderWay,
    Ended(Result<(), StoreError>),
    /// The store is being closed: nothing more begins.
    Closed,
}

struct Shared {
    stage: Mutex<Stage>,
    changed: Condvar,
}

/// The engine thread's handle; dropping it ends the thread after the commit that was begun.
pub(super) struct Committer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Committer {
    pub(super) fn start(journal: Arc<Mutex<JournalWriter>>) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared { stage: Mutex::new(Stage::Free), changed: Condvar::new() });
        let at_work = AtWork(Arc::clone(&shared));
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || run(&journal, &at_work.0))
            .map_err(|error| StoreError::Unavailable(format!("cannot start the journal's thread: {error}")))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Begins to append `records`, which were decided on `expected`; `waker` is woken when that has ended.
    pub(super) fn begin(&self, expected: Head, records: Committed, waker: Waker) {
        let mut stage = lock(&self.shared.stage);
        // A thread that panicked has left its end to be told.
        if matches!(*stage, Stage::Free) {
            *stage = Stage::Begun(Job { expected, records, waker });
        }
        drop(stage);
        self.shared.changed.notify_all();
    }

    /// How it ended, told once; `None` while it goes on. With `wait` its end is waited for.
    pub(super) fn end(&self, wait: bool) -> Option<Result<(), StoreError>> {
        let goes_on = |stage: &mut Stage| matches!(stage, Stage::Begun(_) | Stage::UnderWay);
        let mut stage = lock(&self.shared.stage);
        if wait {
            stage = self.shared.changed.wait_while(stage, goes_on).unwrap_or_else(PoisonError::into_inner);
        }
        if !matches!(*stage, Stage::Ended(_)) {
            return None;
        }
        match std::mem::replace(&mut *stage, Stage::Free) {
            Stage::Ended(ended) => Some(ended),
            Stage::Free | Stage::Begun(_) | Stage::UnderWay | Stage::Closed => None,
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        let stage = lock(&self.shared.stage);
        let begun = |stage: &mut Stage| matches!(stage, Stage::Begun(_) | Stage::UnderWay);
        let mut stage = self.shared.changed.wait_while(stage, begun).unwrap_or_else(PoisonError::into_inner);
        *stage = Stage::Closed;
        drop(stage);
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by its own message.
            drop(thread.join());
        }
    }
}

/// Tells whoever waits if the thread ends in a panic: nobody knows then what is durable.
struct AtWork(Arc<Shared>);

impl Drop for AtWork {
    fn drop(&mut self) {
        if std::thread::panicking() {
            *lock(&self.0.stage) = Stage::Ended(Err(StoreError::Lost("the journal's thread panicked".into())));
        }
        self.0.changed.notify_all();
    }
}

fn run(journal: &Mutex<JournalWriter>, shared: &Shared) {
    loop {
        let stage = lock(&shared.stage);
        let idle = |stage: &mut Stage| !matches!(stage, Stage::Begun(_) | Stage::Closed);
        let mut stage = shared.changed.wait_while(stage, idle).unwrap_or_else(PoisonError::into_inner);
        let Stage::Begun(Job { expected, records, waker }) = std::mem::replace(&mut *stage, Stage::UnderWay) else {
            return;
        };
        drop(stage);
        let ended = lock(journal).commit(expected, &records);
        drop(records);
        *lock(&shared.stage) = Stage::Ended(ended);
        shared.changed.notify_all();
        waker.wake();
    }
}
