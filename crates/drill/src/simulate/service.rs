//! The service: the real core on the memory store, the disk that outlives it, and the restart after a crash.

use domain::{Domain, Key, State, Time};
use engine::memory::{Disk, Fault, MemoryStore};
use engine::{Answered, Believed, ClockWatch, Core, Head, Mode, Options, Record, Submission, chain};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wallet::books::Books;
use wallet::{Context, Row, Wallets};

/// Records that a look at the journal takes at a time.
const PAGE_RECORDS_MAX: usize = 4_096;
/// Rows that the cache keeps: few, so that rows leave and come back all the time.
const CACHE_ROWS_MAX: usize = 48;
/// Records after which rows are handed over to be written.
const GENERATION_EVENTS_MIN: u64 = 24;
/// Records that may be ahead of the stored rows.
const TAIL_EVENTS_MAX: u64 = 96;

/// The core and its disk.
pub struct Service {
    disk: Disk<Wallets>,
    context: Arc<Context>,
    refusals_journaled_max: u32,
    core: Core<Wallets, MemoryStore<Wallets>>,
    /// What this process knows of its clocks; none before its first look.
    watch: Option<ClockWatch>,
}

/// The faults that fired between two moments, by name.
#[derive(Debug)]
pub struct Fired(BTreeSet<&'static str>);

impl Fired {
    /// This one alone.
    #[cfg(test)]
    pub fn only(name: &'static str) -> Self {
        Self(BTreeSet::from([name]))
    }

    /// Whether one of them is named so.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// Whether a command may be told that it cannot be taken now.
    pub fn explains_unavailable(&self) -> bool {
        [Fault::CommitUnavailable, Fault::LoadUnavailable].iter().any(|fault| self.has(fault.name()))
    }

    /// Whether a command may be told that the process is dead.
    pub fn explains_halt(&self) -> bool {
        let crashes = [
            Fault::CrashBeforeCommit,
            Fault::TornCommit { bytes: 0 },
            Fault::CrashAfterCommit,
            Fault::CrashInWriteBack { rows: 0 },
        ];
        crashes.iter().any(|fault| self.has(fault.name()))
    }
}

impl Service {
    /// A service on an empty disk.
    pub fn open(context: Arc<Context>, slice_rows: usize, refusals_journaled_max: u32) -> Result<Self, String> {
        let disk = Disk::new();
        disk.set_slice_rows(slice_rows);
        let core = open_core(&disk, &context, refusals_journaled_max)?;
        Ok(Self { disk, context, refusals_journaled_max, core, watch: None })
    }

    /// What commands are decided in.
    #[cfg(test)]
    pub const fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// The disk, for faults.
    pub const fn disk(&self) -> &Disk<Wallets> {
        &self.disk
    }

    /// Looks at both clocks before a batch, as the engine's own thread does. A new process takes the clocks as it finds them.
    pub fn look_at_clock(&mut self, calendar: Time, steady_ms: i64) -> Believed {
        let watch = self.watch.get_or_insert_with(|| ClockWatch::begin(calendar, steady_ms));
        let believed = watch.look(calendar, steady_ms);
        self.core.believe_clock(believed);
        believed
    }

    /// Takes one batch through. Says which faults fired meanwhile.
    pub fn step(&mut self, batch: &[Submission<Wallets>], answers: &mut Vec<Answered<Wallets>>) -> Fired {
        let before = self.disk.fired();
        self.core.step(batch, answers);
        let is_news = |(name, now): &(&'static str, u64)| before.get(name).is_none_or(|count| now > count);
        Fired(self.disk.fired().into_iter().filter(is_news).map(|(name, _)| name).collect())
    }

    /// Nothing arrives for a while.
    pub fn idle(&mut self) {
        self.core.idle();
    }

    /// Whether the process has died.
    pub fn is_dead(&self) -> bool {
        self.core.status().mode != Mode::Running
    }

    /// What the last command that met a defect died of.
    pub fn defect(&self) -> Option<String> {
        self.core.status().defect_last
    }

    /// The last record, as the engine knows it.
    pub fn head(&self) -> Head {
        self.core.status().head
    }

    /// A new process on the same disk.
    pub fn restart(&mut self) -> Result<(), String> {
        self.disk.disarm();
        self.watch = None;
        self.core = open_core(&self.disk, &self.context, self.refusals_journaled_max)?;
        match self.core.status().mode {
            Mode::Running => Ok(()),
            Mode::ReadOnly(what) => Err(format!("after a restart the journal's tail cannot be replayed: {what}")),
            Mode::Dead(error) => Err(format!("after a restart: {error}")),
        }
    }

    /// The published row at `key`.
    pub fn row(&mut self, key: Key) -> Result<Option<Arc<Row>>, String> {
        let stored = self.core.read(key).map_err(|error| format!("row {key:?} cannot be read: {error}"))?;
        Ok(stored.and_then(|stored| stored.row))
    }

    /// Durable records from number `from` on.
    pub fn records(&self, from: u64) -> Result<Vec<Record<Wallets>>, String> {
        let sealed = self.disk.records(from, PAGE_RECORDS_MAX);
        sealed.iter().map(|sealed| Record::decode(sealed).map_err(|error| error.to_string())).collect()
    }

    /// Recomputes the chain from the first record, folds every event into empty rows, compares with the service's, and asks
    /// the audit's own books what does not hold over all rows.
    pub fn audit(&mut self) -> Result<(), String> {
        let mut rows: BTreeMap<Key, (u64, Option<Row>)> = BTreeMap::new();
        let (mut hash, mut n, mut at) = ([0; 32], 0, Time::default());
        loop {
            let page = self.disk.records(n + 1, PAGE_RECORDS_MAX);
            if page.is_empty() {
                break;
            }
            for sealed in &page {
                n += 1;
                let expected = chain(Wallets::NAME, 1, &hash, sealed.place, sealed.at, &sealed.bytes);
                if sealed.place.n != n || sealed.hash != expected {
                    return Err(format!("the journal's chain breaks at record {n}"));
                }
                if sealed.at < at {
                    return Err(format!("time steps back at record {n}"));
                }
                (hash, at) = (sealed.hash, sealed.at);
                fold(&mut rows, &Record::decode(sealed).map_err(|error| error.to_string())?)?;
            }
        }
        if self.head().place.n != n {
            return Err(format!("the engine's head is record {}, the journal's {n}", self.head().place.n));
        }
        let mut books = Books::default();
        for (key, (version, row)) in rows {
            if let Some(row) = &row {
                books.add(key, row);
            }
            let stored = self.core.read(key).map_err(|error| error.to_string())?;
            let stored = stored.ok_or_else(|| format!("row {key:?} of the journal is not in the store"))?;
            if stored.version != version || stored.row.as_deref() != row.as_ref() {
                return Err(format!(
                    "row {key:?} is at version {} as {:?}; the journal comes to version {version} and {row:?}",
                    stored.version, stored.row
                ));
            }
        }
        match books.findings().first() {
            Some(finding) => Err(format!("the audit's books find {finding:?}")),
            None => Ok(()),
        }
    }
}

pub(super) fn open_core(
    disk: &Disk<Wallets>,
    context: &Arc<Context>,
    refusals_journaled_max: u32,
) -> Result<Core<Wallets, MemoryStore<Wallets>>, String> {
    let options = Options {
        cache_rows_max: CACHE_ROWS_MAX,
        generation_events_min: GENERATION_EVENTS_MIN,
        tail_events_max: TAIL_EVENTS_MAX,
        refusals_journaled_max,
        refusals_of_service_journaled_max: refusals_journaled_max,
        ..Options::default()
    };
    let store = MemoryStore::open(disk).map_err(|error| format!("the disk cannot be opened: {error}"))?;
    Core::open(store, Arc::clone(context), options).map_err(|error| format!("the engine cannot be opened: {error}"))
}

/// Applies one record to rows that began empty.
fn fold(rows: &mut BTreeMap<Key, (u64, Option<Row>)>, record: &Record<Wallets>) -> Result<(), String> {
    for touch in &record.entry.touched {
        let (version, _) = rows.entry(touch.key).or_default();
        *version += 1;
        if *version != touch.version {
            return Err(format!("record {} skips a version of row {:?}", record.place.n, touch.key));
        }
    }
    let mut keys = Vec::new();
    for event in &record.entry.events {
        keys.clear();
        Wallets::touches(event, &mut keys);
        for key in &keys {
            let (_, row) = rows.entry(*key).or_default();
            Wallets::evolve(*key, row, event);
        }
    }
    Wallets::assert_decided(&record.entry.events, &Folded(rows));
    Ok(())
}

/// The folded rows, as what a decided command left.
struct Folded<'a>(&'a BTreeMap<Key, (u64, Option<Row>)>);

impl State<Row> for Folded<'_> {
    fn row(&self, key: Key) -> Option<&Row> {
        self.0.get(&key).and_then(|(_, row)| row.as_ref())
    }
}
