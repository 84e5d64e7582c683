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
//! The shell takes the phases apart, so that a batch is decided while the one before it is being committed: [`Core::decide`],
//! [`Core::begin_commit`], [`Core::end_commit`]. What is decided meanwhile builds on what is not durable yet; nobody else sees
//! it, nobody is answered, and if that commit fails both batches are dropped.
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
use crate::store::{Commit, Head, Store, StoreError, Stored};
use crate::submission::{Answer, Answered, EngineError, Submission};
use cache::Cache;
use decide::Batch;
use domain::{Domain, Key};
use plan::{Plan, WorkingSet};
use refusals::Refusals;
use std::sync::Arc;
use std::task::Waker;
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
    batch: Batch<D>,
    plan: Plan,
    working_set: WorkingSet,
    /// The batch that is on its way to disk.
    committing: Option<Committing<D>>,
    spare_batch: Option<Batch<D>>,
}

/// A batch that was decided, and is not known to be durable.
struct Committing<D: Domain> {
    batch: Batch<D>,
    records: Committed,
    /// How it ended, if the store was not asked to begin, or could not.
    ended: Option<Result<(), StoreError>>,
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
            committing: None,
            spare_batch: None,
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
        assert!(self.committing.is_none(), "one batch is committed at a time");
        if self.store.is_shared() {
            *answers = self.step_shared(batch);
            return;
        }
        self.decide(batch);
        self.begin_commit(Waker::noop());
        *answers = self.end_commit(true).expect("a commit that is waited for ends");
    }

    /// Decides those commands of the running batch that are not decided yet: `batch` is all of it, as it has come so far. While
    /// another batch is being committed, commands at which an hour ends stay undecided until that has ended.
    pub(crate) fn decide(&mut self, batch: &[Submission<D>]) {
        if self.batch.answers.is_empty() {
            self.batch.begin(self.head_before());
        }
        let undecided = &batch[self.batch.answers.len()..];
        if self.committing.is_some() && !self.is_settled_for(undecided) {
            return;
        }
        if let Some(error) = self.refuses(batch.len()) {
            self.batch.answers.resize(batch.len(), Err(error));
        } else if let Err(error) = self.decide_batch(batch) {
            self.drop_batch();
            let answer = self.failed(error);
            self.batch.begin(self.head_before());
            self.batch.answers.resize(batch.len(), Err(answer));
        }
    }

    /// How many commands of the running batch are decided.
    pub(crate) fn decided(&self) -> usize {
        self.batch.answers.len()
    }

    /// Begins to commit the running batch; `waker` is woken when that has ended. No other is being committed.
    pub(crate) fn begin_commit(&mut self, waker: &Waker) {
        assert!(self.committing.is_none(), "one batch is committed at a time");
        self.committing = Some(self.give(waker));
    }

    /// Whether a batch is on its way to disk.
    pub(crate) const fn is_committing(&self) -> bool {
        self.committing.is_some()
    }

    /// Whether each batch must be taken through by itself, with [`Core::step`]: rows are locked from its loads to its commit.
    pub(crate) fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    /// The answers of the batch that was being committed, one for each command, once that has ended: published, or dropped
    /// with all that was decided on it, which is then to be decided again. `None` while it goes on; with `wait` its end is
    /// waited for.
    pub(crate) fn end_commit(&mut self, wait: bool) -> Option<Vec<Answered<D>>> {
        let ended = self.committing.as_mut()?.ended.take();
        let ended = ended.or_else(|| self.store.end_commit(wait))?;
        let Committing { mut batch, records, .. } = self.committing.take()?;
        match ended {
            Ok(()) => {
                self.publish(&mut batch, records);
                if self.mode == Mode::Running && self.held_up.is_none() {
                    self.tend_or_hold_up(false);
                }
            }
            Err(error) => {
                if canary::active("overlay_kept_after_failed_commit") {
                    self.write_back.publish(&mut self.cache);
                }
                self.drop_commit();
                let answer = self.failed(error);
                if !canary::active("answer_before_commit") {
                    batch.answers.fill(Err(answer));
                }
            }
        }
        let answers = std::mem::take(&mut batch.answers);
        self.spare_batch = Some(batch);
        Some(answers)
    }

    /// The same for a store that others write too: again where another engine was faster.
    fn step_shared(&mut self, batch: &[Submission<D>]) -> Vec<Answered<D>> {
        if let Some(error) = self.refuses(batch.len()) {
            return vec![Err(error); batch.len()];
        }
        let mut conflicts = 0;
        let error = loop {
            self.batch.begin(self.head);
            let result = self.decide_batch(batch).and_then(|()| self.commit());
            self.store.release();
            let error = match result {
                Ok(answers) => {
                    self.cache.forget();
                    self.tend_or_hold_up(false);
                    return answers;
                }
                Err(error) => error,
            };
            self.drop_commit();
            self.cache.forget();
            let StoreError::Conflict(what) = error else { break error };
            conflicts += 1;
            if conflicts == CONFLICTS_MAX {
                break StoreError::Unavailable(format!("{conflicts} times another engine was faster: {what}"));
            }
        };
        vec![Err(self.failed(error)); batch.len()]
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
            self.commit()?;
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

    /// Why no command is taken now, of a batch of so many.
    fn refuses(&mut self, commands: usize) -> Option<EngineError> {
        if self.held_up.is_some() && self.committing.is_none() {
            self.tend_or_hold_up(false);
        }
        let spurious = || EngineError::Unavailable("a planted bug refuses".into());
        let is_spurious = canary::active("refuses_without_reason") && commands > 2;
        let refused = match &self.mode {
            Mode::Running => self.held_up.clone().map(EngineError::Unavailable),
            Mode::ReadOnly(what) => Some(EngineError::Halted(format!("read-only: {what}"))),
            Mode::Dead(error) => Some(EngineError::Halted(error.to_string())),
        };
        refused.or_else(|| is_spurious.then(spurious))
    }

    /// The head that the running batch builds on.
    fn head_before(&self) -> Head {
        self.committing.as_ref().map_or(self.head, |committing| committing.batch.head)
    }

    /// Whether no hour ends with these commands, whatever time they are decided at.
    fn is_settled_for(&self, undecided: &[Submission<D>]) -> bool {
        let believed = (!self.believed.is_trusted).then_some(self.believed.time_max);
        let latest = undecided.iter().map(|submission| submission.at).chain(believed).max();
        latest.is_none_or(|latest| self.refusals.is_settled_at(latest))
    }

    /// Gives the running batch to the store; the next begins.
    fn give(&mut self, waker: &Waker) -> Committing<D> {
        let mut next = self.spare_batch.take().unwrap_or_else(|| Batch::new(self.head));
        next.begin(self.batch.head);
        let mut batch = std::mem::replace(&mut self.batch, next);
        let records = Arc::new(std::mem::take(&mut batch.sealed));
        self.refusals.begin_commit();
        self.cache.begin_commit();
        if records.is_empty() {
            return Committing { batch, records, ended: Some(Ok(())) };
        }
        let commit = Commit {
            expected: self.head,
            records: &records,
            requests: &batch.requests,
            changed: self.cache.committing(),
        };
        let ended = self.store.begin_commit(&commit, waker).err().map(Err);
        Committing { batch, records, ended }
    }

    /// Commits the running batch, and waits for it; gives its answers. An error has not dropped it yet.
    fn commit(&mut self) -> Result<Vec<Answered<D>>, StoreError> {
        let Committing { mut batch, records, ended } = self.give(Waker::noop());
        ended.or_else(|| self.store.end_commit(true)).expect("a commit that is waited for ends")?;
        self.publish(&mut batch, records);
        Ok(batch.answers)
    }

    /// The batch is durable: everybody may see it.
    fn publish(&mut self, batch: &mut Batch<D>, records: Committed) {
        self.refusals.keep();
        self.refusals_counted += batch.counted;
        if records.is_empty() {
            return;
        }
        self.head = batch.head;
        self.write_back.committed(self.head.at);
        if self.store.is_shared() {
            self.write_back.saved(self.head.place.n);
        } else {
            self.write_back.publish(&mut self.cache);
        }
        if let Some(observer) = &mut self.observer {
            observer(&records);
        }
        batch.sealed = Arc::into_inner(records).unwrap_or_default();
    }

    /// Drops the running batch.
    fn drop_batch(&mut self) {
        self.cache.drop_overlay();
        self.plan.forget();
        self.refusals.drop_batch();
    }

    /// Drops the batch that was being committed, and the running one that was decided on it.
    fn drop_commit(&mut self) {
        self.cache.drop_commit();
        self.plan.forget();
        self.refusals.drop_commit();
        self.batch.begin(self.head);
    }

    /// A batch failed: nothing of it has happened, or nobody knows, and the core is dead. What its callers are answered.
    fn failed(&mut self, error: StoreError) -> EngineError {
        match error {
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
        }
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
