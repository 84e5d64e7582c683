//! The core: one lane's engine as plain calls, without threads and without a clock.
//!
//! [`Core::step`] takes a batch through its phases:
//! 1. load: the rows that the commands name, in two rounds for the whole batch (`plan.rs`);
//! 2. decide: command by command on the overlay, each asserted and sealed into the chain (`decide.rs`); where an earlier one
//!    changed what names a command's second round, those rows are named anew and loaded in its turn;
//! 3. commit: once, durably;
//! 4. publish: the overlay becomes what everybody sees, the rows join the write-back (`write_back.rs`);
//! 5. answer.
//!
//! Any split of a sequence of commands into batches gives the same rows, replies, events and hashes.
//! What is not here: queues, threads, timers (see the shell), and anything a domain knows.

mod cache;
mod decide;
mod plan;
mod refusals;
mod replay;
mod write_back;

use crate::canary;
use crate::clock::Believed;
use crate::encoding::Encoder;
use crate::options::{AGGREGATED_A_COMMIT_MAX, CONFLICTS_MAX, GENERATION_AGE_MS_MAX, Options, SLOWING_MS_MAX};
use crate::record::{Request, SealedRecord};
use crate::store::{Changed, Commit, Head, Store, StoreError, Stored};
use crate::submission::{Answer, Answered, EngineError, Submission};
use cache::{Cache, SlotId};
use decide::Batch;
use domain::{Domain, Key};
use plan::{Plan, WorkingSet};
use refusals::Refusals;
use std::sync::Arc;
use write_back::WriteBack;

/// The records of one commit, as they are stored: who follows decodes them on a thread of its own.
pub type Committed = Arc<Vec<SealedRecord>>;
/// Whoever is told of every commit, right after it.
pub type Observer = Box<dyn FnMut(&Committed) + Send>;

/// Whether the core takes commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It does.
    Running,
    /// The journal's tail could not be replayed: reads work, commands are refused.
    ReadOnly(String),
    /// Nobody knows what is durable, or somebody else writes: the process must end.
    Dead(StoreError),
}

/// What an operator sees of the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether it takes commands.
    pub mode: Mode,
    /// The lane's last record.
    pub head: Head,
    /// Every change up to this record is in the stored rows.
    pub watermark: u64,
    /// Rows in the cache.
    pub cache_rows: usize,
    /// Commands that met a defect since the start.
    pub defects: u64,
    /// What the last of them died of.
    pub defect_last: Option<String>,
    /// Refusals that were only counted since the start.
    pub refusals_counted: u64,
    /// Whether the clock behind the submissions is believed; if not, money does not leave.
    pub clock_trusted: bool,
    /// Why commands are refused for now, if they are: too much waits to be written, and the disk does not take it.
    pub held_up: Option<String>,
}

/// Runs one domain on one store.
pub struct Core<D: Domain, S: Store<D>> {
    store: S,
    context: Arc<D::Context>,
    options: Options,
    mode: Mode,
    /// Why no more commands are taken for now: the rows that wait are at their bound, and cannot be written.
    held_up: Option<String>,
    head: Head,
    believed: Believed,
    cache: Cache<D::Row>,
    write_back: WriteBack<D>,
    refusals: Refusals,
    encoder: Encoder,
    observer: Option<Observer>,
    defects: u64,
    defect_last: Option<String>,
    refusals_counted: u64,
    // What one batch works with, kept for its memory.
    batch: Batch,
    plan: Plan,
    working_set: WorkingSet,
    changed: Vec<Changed<D::Row>>,
    changed_slots: Vec<SlotId>,
}

impl<D: Domain, S: Store<D>> Core<D, S> {
    /// Opens the lane: replays what the stored rows lack. A tail that cannot be replayed opens read-only.
    pub fn open(mut store: S, context: Arc<D::Context>, options: Options) -> Result<Self, StoreError> {
        let recovered = store.recovered();
        // What others write too is read anew for each batch.
        let cache_rows = if store.is_shared() { 0 } else { options.cache_rows_max };
        let spare_rows = store.spare_rows();
        let mut core = Self {
            store,
            context,
            options,
            mode: Mode::Running,
            held_up: None,
            head: recovered.head,
            believed: Believed::ALL,
            cache: Cache::new(cache_rows),
            write_back: WriteBack::new(recovered.watermark, spare_rows),
            refusals: Refusals::new(options),
            encoder: Encoder::new(),
            observer: None,
            defects: 0,
            defect_last: None,
            refusals_counted: 0,
            batch: Batch::new(recovered.head),
            plan: Plan::default(),
            working_set: WorkingSet::default(),
            changed: Vec::new(),
            changed_slots: Vec::new(),
        };
        match core.replay(recovered.watermark) {
            Ok(()) => Ok(core),
            Err(StoreError::Damaged(what)) => {
                core.cache.drop_overlay();
                core.mode = Mode::ReadOnly(what);
                Ok(core)
            }
            Err(
                error @ (StoreError::Fenced(_)
                | StoreError::Unavailable(_)
                | StoreError::Conflict(_)
                | StoreError::Lost(_)
                | StoreError::Version(_)
                | StoreError::Options(_)),
            ) => Err(error),
        }
    }

    /// Takes one batch through. `answers` is emptied and then holds one answer for each submission, in order.
    pub fn step(&mut self, batch: &[Submission<D>], answers: &mut Vec<Answered<D>>) {
        answers.clear();
        if self.held_up.is_some() {
            self.tend_or_hold_up(false);
        }
        let spurious = || EngineError::Unavailable("a planted bug refuses".into());
        let is_spurious = canary::active("refuses_without_reason") && batch.len() > 2;
        if let Some(error) = self.refuses().or_else(|| is_spurious.then(spurious)) {
            answers.extend(batch.iter().map(|_| Err(error.clone())));
            return;
        }
        match self.take_through(batch, answers) {
            Ok(()) => {
                self.tend_or_hold_up(false);
            }
            Err(error) => self.fail(error, batch.len(), answers),
        }
    }

    /// Decides and commits the batch; again where another engine was faster.
    fn take_through(&mut self, batch: &[Submission<D>], answers: &mut Vec<Answered<D>>) -> Result<(), StoreError> {
        let mut conflicts = 0;
        loop {
            self.batch.begin(self.head);
            let result = self.decide_batch(batch, answers).and_then(|()| self.commit_batch());
            if !self.store.is_shared() {
                return result;
            }
            self.store.release();
            let Err(StoreError::Conflict(what)) = result else {
                self.cache.forget();
                return result;
            };
            self.drop_batch();
            self.cache.forget();
            answers.clear();
            conflicts += 1;
            if conflicts == CONFLICTS_MAX {
                return Err(StoreError::Unavailable(format!("{conflicts} times another engine was faster: {what}")));
            }
        }
    }

    /// Nothing arrives: what is dirty may be written. Whether every row is clean now.
    pub fn idle(&mut self) -> bool {
        if self.mode == Mode::Running {
            self.tend_or_hold_up(true);
        }
        self.mode != Mode::Running || self.write_back.is_clean(self.head.place.n)
    }

    /// Stops: journals what was only counted, writes every row, gives the store back.
    pub fn close(mut self) -> Result<S, StoreError> {
        match self.mode.clone() {
            Mode::ReadOnly(_) => return Ok(self.store),
            Mode::Dead(error) => return Err(error),
            Mode::Running => {}
        }
        self.refusals.end();
        loop {
            self.batch.begin(self.head);
            self.seal_ended(self.head.at, AGGREGATED_A_COMMIT_MAX)?;
            if self.batch.sealed.is_empty() {
                break;
            }
            self.commit_batch()?;
        }
        let head = self.head.place.n;
        self.write_back.hand_over(&mut self.store, head, true)?;
        self.write_back.refresh(&mut self.store, true)?;
        Ok(self.store)
    }

    /// The row at `key` as it is published.
    pub fn read(&mut self, key: Key) -> Result<Option<Stored<D::Row>>, EngineError> {
        if let Mode::Dead(error) = &self.mode {
            return Err(EngineError::Halted(error.to_string()));
        }
        if let Some(stored) = self.cache.stored(key) {
            return Ok((stored.version > 0).then_some(stored));
        }
        match self.store.load_published(&[key]) {
            Ok(mut rows) => Ok(rows.pop().flatten()),
            Err(error) => Err(EngineError::Unavailable(error.to_string())),
        }
    }

    /// What `request` was answered, if it was.
    pub fn recall(&mut self, request: Request) -> Result<Option<Answer<D>>, EngineError> {
        if let Mode::Dead(error) = &self.mode {
            return Err(EngineError::Halted(error.to_string()));
        }
        let recorded = self.recorded(request).map_err(|error| EngineError::Unavailable(error.to_string()))?;
        recorded.transpose()
    }

    /// From now on commands are decided in this context.
    pub fn set_context(&mut self, context: Arc<D::Context>) {
        self.context = context;
    }

    /// Says what can be believed of the clock behind the submissions: for every batch until it is said anew.
    pub fn believe_clock(&mut self, believed: Believed) {
        self.believed = believed;
    }

    /// From now on `observer` is told of every commit.
    pub fn observe(&mut self, observer: Observer) {
        self.observer = Some(observer);
    }

    /// How the core is.
    pub fn status(&self) -> Status {
        Status {
            mode: self.mode.clone(),
            head: self.head,
            watermark: self.write_back.watermark,
            cache_rows: self.cache.len(),
            defects: self.defects,
            defect_last: self.defect_last.clone(),
            refusals_counted: self.refusals_counted,
            clock_trusted: self.believed.is_trusted,
            held_up: self.held_up.clone(),
        }
    }

    /// Whether it takes commands.
    pub fn mode(&self) -> &Mode {
        &self.mode
    }

    /// What it was opened with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The store, for reads.
    pub fn store(&mut self) -> &mut S {
        &mut self.store
    }

    fn refuses(&self) -> Option<EngineError> {
        match &self.mode {
            Mode::Running => self.held_up.clone().map(EngineError::Unavailable),
            Mode::ReadOnly(what) => Some(EngineError::Halted(format!("read-only: {what}"))),
            Mode::Dead(error) => Some(EngineError::Halted(error.to_string())),
        }
    }

    fn commit_batch(&mut self) -> Result<(), StoreError> {
        if self.batch.sealed.is_empty() {
            self.keep_refusals();
            return Ok(());
        }
        self.changed_slots.clear();
        self.changed.clear();
        self.cache.take_overlay(&mut self.changed_slots, &mut self.changed);
        let commit = Commit {
            expected: self.head,
            records: &self.batch.sealed,
            requests: &self.batch.requests,
            changed: &self.changed,
        };
        if let Err(error) = self.store.commit(&commit) {
            if canary::active("overlay_kept_after_failed_commit") {
                self.write_back.publish(&mut self.cache, &mut self.changed_slots, &mut self.changed);
            }
            return Err(error);
        }
        self.head = self.batch.head;
        self.write_back.committed(self.head.at);
        self.keep_refusals();
        if self.store.is_shared() {
            self.write_back.saved(self.head.place.n);
        } else {
            self.write_back.publish(&mut self.cache, &mut self.changed_slots, &mut self.changed);
        }
        if let Some(observer) = &mut self.observer {
            observer(&Arc::new(std::mem::take(&mut self.batch.sealed)));
        }
        Ok(())
    }

    fn keep_refusals(&mut self) {
        self.refusals.keep();
        self.refusals_counted += self.batch.counted;
    }

    fn drop_batch(&mut self) {
        self.cache.drop_overlay();
        self.plan.forget();
        self.refusals.drop_batch();
    }

    /// The batch failed: nothing of it has happened, or nobody knows.
    fn fail(&mut self, error: StoreError, commands: usize, answers: &mut Vec<Answered<D>>) {
        self.drop_batch();
        let answer = match error {
            StoreError::Unavailable(what) | StoreError::Conflict(what) => EngineError::Unavailable(what),
            StoreError::Fenced(_)
            | StoreError::Lost(_)
            | StoreError::Damaged(_)
            | StoreError::Version(_)
            | StoreError::Options(_) => {
                let answer = EngineError::Halted(error.to_string());
                self.mode = Mode::Dead(error);
                answer
            }
        };
        if canary::active("answer_before_commit") && answers.len() == commands {
            return;
        }
        answers.clear();
        answers.resize(commands, Err(answer));
    }

    /// Looks after what is dirty. Where the disk takes no rows and the tail is at its bound, commands are refused until
    /// it does; nothing is lost, because the journal has everything.
    fn tend_or_hold_up(&mut self, idle: bool) {
        match self.tend(self.head.place.n, idle) {
            Ok(()) => self.held_up = None,
            Err(StoreError::Unavailable(what) | StoreError::Conflict(what)) => self.held_up = Some(what),
            Err(
                error @ (StoreError::Fenced(_)
                | StoreError::Lost(_)
                | StoreError::Damaged(_)
                | StoreError::Version(_)
                | StoreError::Options(_)),
            ) => self.mode = Mode::Dead(error),
        }
    }

    /// Looks after what is dirty: hands it over when it is time, waits where a bound is reached, lets clean rows leave.
    /// `head` is the last record that is published.
    fn tend(&mut self, head: u64, idle: bool) -> Result<(), StoreError> {
        let Self { write_back, store, options, cache, .. } = self;
        write_back.refresh(store, false)?;
        let due = idle
            || write_back.open_records(head) >= options.generation_events_min
            || write_back.rows() >= options.cache_rows_max / 2
            || write_back.age_milliseconds(self.head.at) >= GENERATION_AGE_MS_MAX;
        if due && write_back.is_idle() {
            write_back.hand_over(store, head, false)?;
        }
        let tail = head - write_back.watermark;
        if let Some(milliseconds) = slowing_milliseconds(tail, options.tail_events_max) {
            store.wait_for_write_back(milliseconds);
            write_back.refresh(store, false)?;
        }
        let is_full = head - write_back.watermark > options.tail_events_max;
        if is_full || write_back.rows() > options.cache_rows_max {
            write_back.hand_over(store, head, true)?;
            write_back.refresh(store, false)?;
        }
        if head - write_back.watermark > options.tail_events_max {
            write_back.refresh(store, true)?;
        }
        cache.evict(options.cache_rows_max, write_back.done);
        Ok(())
    }
}

/// How long a batch waits for the write-back when the tail grows long: more the longer it is, so that commands slow down
/// and never stand still.
fn slowing_milliseconds(tail: u64, tail_events_max: u64) -> Option<u64> {
    let free = tail_events_max / 4 * 3;
    let excess = tail.checked_sub(free).filter(|excess| *excess > 0)?;
    Some(1 + SLOWING_MS_MAX.saturating_mul(excess) / (tail_events_max - free).max(1))
}
