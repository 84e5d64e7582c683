//! Consumers: whoever acts on what was committed. Notices first; later webhooks, bank debits, read models.
//!
//! A [`Follower`] is one consumer with its cursor, as plain calls; [`Consumers`] gives each a thread. A commit's records
//! come from memory; a follower that was too slow, or has just started, reads the journal instead. Every record is
//! handled at least once and in order; an effect's [`EffectId`] lets its receiver drop what it has seen.
//! The engine never waits for a consumer.

use crate::core::{Committed, Observer};
use crate::cursors::{CONSUMERS_FILE, Cursors};
use crate::journal::JournalReader;
use crate::record::{Place, Record, SealedRecord};
use crate::store::{Head, StoreError};
use domain::Domain;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Batches that wait for a consumer; beyond, it reads the journal.
pub const CONSUMER_BATCHES_MAX: usize = 64;
/// Records that a consumer reads from the journal at a time.
pub const CONSUMER_PAGE_RECORDS_MAX: usize = 1_024;
/// Records after which a cursor is saved; also whenever nothing is left to do.
pub const CURSOR_RECORDS_MAX: u64 = 4_096;
/// How long a consumer waits for a batch before it looks whether it missed one.
const WAIT: Duration = Duration::from_millis(20);
/// How long a consumer waits after its first failure; twice as long after each further one.
const RETRY_MIN: Duration = Duration::from_millis(50);
/// The longest wait after a failure.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// Acts on committed records.
pub trait Consumer<D: Domain>: Send {
    /// The name that its cursor is kept under.
    fn name(&self) -> &'static str;

    /// Handles records in order. After an error the same records come again.
    fn handle(&mut self, records: &[Record<D>]) -> Result<(), ConsumerError>;
}

/// Why records could not be handled; they come again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsumerError {
    /// The consumer's own affair: whoever it talks to is away.
    Failed(String),
    /// The journal or the cursors cannot be used.
    Store(StoreError),
}

impl From<StoreError> for ConsumerError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for ConsumerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(what) => write!(f, "the records could not be handled: {what}"),
            Self::Store(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for ConsumerError {}

/// Names one effect of one record, for ever: whoever receives it twice can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EffectId {
    /// The record's place.
    pub place: Place,
    /// Which of the record's effects.
    pub index: u32,
}

impl fmt::Display for EffectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.place.lane, self.place.n, self.index)
    }
}

/// How far a consumer is, and what keeps it; for whoever watches.
#[derive(Debug)]
pub struct Progress {
    name: &'static str,
    n: AtomicU64,
    at: AtomicI64,
    waited_ms_max: AtomicI64,
    overflows: AtomicU64,
    failures: AtomicU64,
    in_a_row: AtomicU64,
    failure_last: Mutex<Option<ConsumerError>>,
    panicked: AtomicBool,
}

impl Progress {
    fn new(name: &'static str, cursor: u64, at: i64) -> Self {
        Self {
            name,
            n: AtomicU64::new(cursor),
            at: AtomicI64::new(at),
            waited_ms_max: AtomicI64::default(),
            overflows: AtomicU64::default(),
            failures: AtomicU64::default(),
            in_a_row: AtomicU64::default(),
            failure_last: Mutex::default(),
            panicked: AtomicBool::default(),
        }
    }

    /// The consumer's name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The last record that was handled.
    pub fn n(&self) -> u64 {
        self.n.load(Ordering::Acquire)
    }

    /// How often the consumer was too slow for its queue and had to read the journal.
    pub fn overflows(&self) -> u64 {
        self.overflows.load(Ordering::Relaxed)
    }

    /// How often records could not be handled, or the cursor not be saved.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// The same since all was handled and saved the last time; zero while nothing keeps it.
    pub fn failures_in_a_row(&self) -> u64 {
        self.in_a_row.load(Ordering::Relaxed)
    }

    /// What it failed of the last time.
    pub fn failure_last(&self) -> Option<ConsumerError> {
        self.failure_last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether its thread panicked: nothing more is handled until the next start.
    pub fn is_panicked(&self) -> bool {
        self.panicked.load(Ordering::Acquire)
    }

    /// How far it is behind `head`, in milliseconds of the lane's time: at least 1 where anything is left.
    pub fn lag_ms(&self, head: &Head) -> i64 {
        self.behind(head.place.n, head.at.milliseconds())
    }

    fn behind(&self, n: u64, at: i64) -> i64 {
        if self.n() >= n { 0 } else { at.saturating_sub(self.at.load(Ordering::Relaxed)).max(1) }
    }

    /// The longest that a record waited, from its commit until it was handled, in milliseconds of the lane's time; counted
    /// anew from here on.
    pub fn take_waited_ms_max(&self) -> i64 {
        self.waited_ms_max.swap(0, Ordering::Relaxed)
    }

    fn failed(&self, error: &ConsumerError) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let in_a_row = self.in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        *self.failure_last.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        if is_worth_a_line(in_a_row) {
            let (consumer, after) = (self.name, self.n());
            tracing::error!(consumer, after, in_a_row, %error, "what was committed cannot be handled");
        }
    }
}

/// Whether the `count`th of what goes on failing is written into the log: the first, the second, the fourth and so on, so
/// that a year of failures twenty times a second fills thirty lines.
pub(crate) const fn is_worth_a_line(count: u64) -> bool {
    count.is_power_of_two()
}

/// One consumer with its cursor, as plain calls.
pub struct Follower<D: Domain> {
    consumer: Box<dyn Consumer<D>>,
    journal: Box<dyn JournalReader>,
    cursors: Box<dyn Cursors>,
    cursor: u64,
    saved: u64,
    /// The time of the first record that was handled since [`Follower::note_waited`].
    oldest: Option<i64>,
    progress: Arc<Progress>,
}

impl<D: Domain> Follower<D> {
    /// Goes on where the cursor stands; refuses a cursor that is ahead of the journal, which would skip what comes next.
    pub fn open(
        consumer: Box<dyn Consumer<D>>,
        journal: Box<dyn JournalReader>,
        mut cursors: Box<dyn Cursors>,
    ) -> Result<Self, StoreError> {
        let cursor = cursors.load(consumer.name())?;
        let last = if cursor > 0 { journal.get(cursor)? } else { None };
        if cursor > 0 && last.is_none() {
            return Err(StoreError::Damaged(format!(
                "the consumer {} has handled record {cursor}, which the journal does not have. Were they restored from \
                 different backups? Delete {CONSUMERS_FILE}: every record is then handled again",
                consumer.name()
            )));
        }
        let at = last.map_or(0, |record| record.at.milliseconds());
        let progress = Arc::new(Progress::new(consumer.name(), cursor, at));
        Ok(Self { consumer, journal, cursors, cursor, saved: cursor, oldest: None, progress })
    }

    /// The last record that was handled.
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// How far it is, for whoever watches.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Takes a committed batch: reads the journal for what lies before it, skips what was handled.
    pub fn take(&mut self, batch: &[SealedRecord]) -> Result<(), ConsumerError> {
        let taken = self.take_batch(batch);
        self.noted(taken)
    }

    /// Handles one page from the journal, up to record `until`. Whether there was any.
    pub fn catch_up(&mut self, until: u64) -> Result<bool, ConsumerError> {
        let handled = self.handle_page(until);
        self.noted(handled)
    }

    /// Saves the cursor: nothing is left to do.
    pub fn settle(&mut self) -> Result<(), ConsumerError> {
        let saved = self.save();
        self.noted(saved)?;
        self.progress.in_a_row.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// Notes how long what was handled had waited, where the lane's time is `at` now.
    fn note_waited(&mut self, at: i64) {
        if let Some(oldest) = self.oldest.take() {
            self.progress.waited_ms_max.fetch_max(at.saturating_sub(oldest), Ordering::Relaxed);
        }
    }

    fn noted<T>(&self, result: Result<T, ConsumerError>) -> Result<T, ConsumerError> {
        result.inspect_err(|error| self.progress.failed(error))
    }

    fn take_batch(&mut self, batch: &[SealedRecord]) -> Result<(), ConsumerError> {
        let Some(first) = batch.first() else { return Ok(()) };
        while self.cursor + 1 < first.place.n {
            if !self.handle_page(first.place.n - 1)? {
                let missing = self.cursor + 1;
                return Err(StoreError::Damaged(format!("record {missing} is missing in the journal")).into());
            }
        }
        let new = batch.partition_point(|record| record.place.n <= self.cursor);
        self.decode_and_handle(&batch[new..])
    }

    fn handle_page(&mut self, until: u64) -> Result<bool, ConsumerError> {
        let left = usize::try_from(until.saturating_sub(self.cursor)).unwrap_or(usize::MAX);
        if left == 0 {
            return Ok(false);
        }
        let page = self.journal.read(self.cursor + 1, left.min(CONSUMER_PAGE_RECORDS_MAX))?;
        self.decode_and_handle(&page)?;
        Ok(!page.is_empty())
    }

    fn decode_and_handle(&mut self, sealed: &[SealedRecord]) -> Result<(), ConsumerError> {
        let records = sealed.iter().map(Record::decode).collect::<Result<Vec<_>, _>>()?;
        self.handle(&records)
    }

    fn save(&mut self) -> Result<(), ConsumerError> {
        if self.saved != self.cursor {
            self.cursors.save(self.consumer.name(), self.cursor)?;
            self.saved = self.cursor;
        }
        Ok(())
    }

    fn handle(&mut self, records: &[Record<D>]) -> Result<(), ConsumerError> {
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return Ok(()) };
        self.oldest.get_or_insert(first.at.milliseconds());
        self.consumer.handle(records)?;
        self.cursor = last.place.n;
        self.progress.at.store(last.at.milliseconds(), Ordering::Relaxed);
        self.progress.n.store(last.place.n, Ordering::Release);
        if self.cursor - self.saved >= CURSOR_RECORDS_MAX { self.save() } else { Ok(()) }
    }
}

/// The lane's head, as the engine last told it.
#[derive(Debug)]
struct Published {
    n: AtomicU64,
    at: AtomicI64,
    /// The engine is gone: nothing more will come.
    ended: AtomicBool,
}

/// The engine's end of [`Published`]; dropped with the engine.
struct Teller(Arc<Published>);

impl Teller {
    fn tell(&self, place: Place, at: i64) {
        self.0.at.store(at, Ordering::Relaxed);
        self.0.n.store(place.n, Ordering::Release);
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Release);
    }
}

/// Every consumer of one engine, each on a thread of its own.
pub struct Consumers {
    head: Arc<Published>,
    senders: Vec<(SyncSender<Committed>, Arc<Progress>)>,
    threads: Vec<JoinHandle<()>>,
}

impl Consumers {
    /// No consumers yet; `head` is the lane's head as the core has it.
    pub fn new(head: &Head) -> Self {
        let head = Published {
            n: AtomicU64::new(head.place.n),
            at: AtomicI64::new(head.at.milliseconds()),
            ended: AtomicBool::new(false),
        };
        Self { head: Arc::new(head), senders: Vec::new(), threads: Vec::new() }
    }

    /// Starts the thread of one consumer.
    pub fn add<D: Domain>(&mut self, follower: Follower<D>) {
        let (sender, receiver) = sync_channel(CONSUMER_BATCHES_MAX);
        self.senders.push((sender, follower.progress()));
        let head = Arc::clone(&self.head);
        let thread = thread::Builder::new()
            .name(format!("{} consumer", follower.consumer.name()))
            .spawn(move || {
                let _end = End(follower.progress());
                follow(follower, &receiver, &head);
            })
            .expect("a thread can be started at the start of the process");
        self.threads.push(thread);
    }

    /// Tells the consumers of every commit: for [`Core::observe`](crate::Core::observe). Also who waits for their end,
    /// and shows how far behind they are.
    pub fn connect(self) -> (Observer, Watch) {
        let Self { head, senders, threads } = self;
        let progress = senders.iter().map(|(_, progress)| Arc::clone(progress)).collect();
        let watch = Watch { head: Arc::clone(&head), progress, threads };
        let teller = Teller(head);
        let observer = move |batch: &Committed| {
            if let Some(last) = batch.last() {
                teller.tell(last.place, last.at.milliseconds());
            }
            for (sender, progress) in &senders {
                match sender.try_send(Arc::clone(batch)) {
                    Ok(()) | Err(TrySendError::Disconnected(_)) => {}
                    Err(TrySendError::Full(_)) => {
                        progress.overflows.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        };
        (Box::new(observer), watch)
    }
}

/// Watches the consumers from outside.
pub struct Watch {
    head: Arc<Published>,
    progress: Vec<Arc<Progress>>,
    threads: Vec<JoinHandle<()>>,
}

impl Watch {
    /// How far the slowest consumer is behind the lane's head, by the lane's time.
    pub fn lag_ms(&self) -> i64 {
        let (n, at) = (self.head.n.load(Ordering::Acquire), self.head.at.load(Ordering::Relaxed));
        self.progress.iter().map(|progress| progress.behind(n, at)).max().unwrap_or(0)
    }

    /// The longest that a record waited for a consumer since this was asked the last time: [`Progress::take_waited_ms_max`].
    pub fn take_waited_ms_max(&self) -> i64 {
        self.progress.iter().map(|progress| progress.take_waited_ms_max()).max().unwrap_or(0)
    }

    /// Each consumer's progress, in the order in which they were added.
    pub fn progress(&self) -> &[Arc<Progress>] {
        &self.progress
    }

    /// Whether every consumer has handled everything.
    pub fn is_settled(&self) -> bool {
        self.lag_ms() == 0
    }

    /// Waits until every consumer has handled everything, or has failed once more; the engine must have been stopped
    /// before.
    pub fn join(self) -> Result<(), ConsumerError> {
        for thread in self.threads {
            thread.join().map_err(|_| ConsumerError::Failed("a consumer's thread panicked".into()))?;
        }
        Ok(())
    }
}

/// The end of a consumer's thread: one that panicked is told at once, not only at the stop.
struct End(Arc<Progress>);

impl Drop for End {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.panicked.store(true, Ordering::Release);
            let (consumer, after) = (self.0.name, self.0.n());
            tracing::error!(consumer, after, "a consumer panicked: nothing more is handled until the next start");
        }
    }
}

/// A consumer's thread: batches from memory, the journal when one was missed, until the engine is gone.
fn follow<D: Domain>(mut follower: Follower<D>, receiver: &Receiver<Committed>, head: &Published) {
    let until = || head.n.load(Ordering::Acquire);
    loop {
        let handled = match receiver.recv_timeout(WAIT) {
            Ok(batch) => insist(&mut follower, head, |follower| follower.take(&batch)),
            Err(RecvTimeoutError::Timeout) => {
                let handled = insist(&mut follower, head, |follower| follower.catch_up(until()).map(drop));
                if follower.cursor >= until() { insist(&mut follower, head, Follower::settle) } else { handled }
            }
            Err(RecvTimeoutError::Disconnected) => {
                while insist(&mut follower, head, |follower| follower.catch_up(until())) == Some(true) {}
                None
            }
        };
        if handled.is_none() {
            insist(&mut follower, head, Follower::settle);
            return;
        }
    }
}

/// Tries again and again while the engine runs; `None` once it failed and the engine is gone: the next start goes on from
/// the cursor.
fn insist<D: Domain, T>(
    follower: &mut Follower<D>,
    head: &Published,
    mut attempt: impl FnMut(&mut Follower<D>) -> Result<T, ConsumerError>,
) -> Option<T> {
    let mut wait = RETRY_MIN;
    loop {
        if let Ok(done) = attempt(follower) {
            follower.note_waited(head.at.load(Ordering::Relaxed));
            return Some(done);
        }
        if head.ended.load(Ordering::Acquire) {
            return None;
        }
        thread::park_timeout(wait);
        wait = (wait * 2).min(RETRY_MAX);
    }
}
