//! `bench pay`: whole payments through the engine, by many callers at once, audited afterwards.
//!
//! Every payment is a whole one: request key, limits, purse order, lots, ledger, counters, journal with hash. Its wallet is an
//! identified person's, with three purses and several lots, as `opening` makes them. The load is made on one thread by as many waiting callers as are in flight; the engine has its own threads, like in a server.

use super::beside::Beside;
use super::callers::{self, Load, Source};
use super::meter::{Progress, now};
use super::opening::{LOTS, opening};
use super::workload::{Orders, Workload};
use super::{Database, Failure, StoreKind, audit, check_database, resources};
use engine::memory::{self, MemoryStore};
use engine::postgres::PostgresJournal;
use engine::sqlite::{Gauges, SqliteJournal, SqliteOptions, SqliteStore};
use engine::{Consumers, Core, Engine, JournalReader, Options, Store, SystemClock, Watch};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use wallet::books::Books;
use wallet::{Context, Wallets};

/// How long a run waits for the notices consumer.
const SETTLE_MAX: Duration = Duration::from_mins(1);
/// How long a committed record may wait at most until its notice is in the outbox, in milliseconds of the lane's time.
const LAG_MS_MAX: i64 = 1_000;
/// How long after the last payment every notice must stand in the outbox.
const SETTLED_MS_MAX: u64 = 2_000;
/// The file that remembers what a kept data directory holds.
const NOTE_FILE: &str = "bench.json";

/// How a run is made.
#[derive(Clone, Debug)]
pub struct PayOptions {
    /// Where the rows and the journal are kept.
    pub store: StoreKind,
    /// How many callers wait at once.
    pub in_flight: usize,
    /// Payments a second that arrive whatever the answers do; none: each caller sends its next after its last answer.
    pub rate: Option<u64>,
    /// The load.
    pub workload: Workload,
    /// Payments that there must be before measuring begins.
    pub past_payments: u64,
    /// How long the same load runs before measuring begins: what is measured is the sustained speed.
    pub warm_up_seconds: u64,
    /// How long to measure.
    pub seconds: u64,
    /// Of a thousand payments, how many repeat an old request.
    pub repeats_permille: u64,
    /// Rows that the engine's cache keeps.
    pub cache_rows: usize,
    /// Threads that read wallets' lists meanwhile.
    pub list_readers: usize,
    /// Whether the journal is audited meanwhile, again and again.
    pub verify_beside: bool,
    /// The data directory, kept and continued by a later run; none: a temporary one.
    pub data: Option<PathBuf>,
    /// The PostgreSQL database, which must be empty; none: one in a private cluster.
    pub database: Option<String>,
}

/// What a run showed.
#[derive(Clone, Debug, Serialize)]
pub struct PayReport {
    store: StoreKind,
    in_flight: usize,
    rate: Option<u64>,
    warm_up_seconds: u64,
    movements_per_second: u64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    /// The longest time in which nobody was answered.
    stall_ms_max: f64,
    /// The longest that a record waited until the notices consumer had handled it, in milliseconds of the lane's time.
    lag_ms: i64,
    /// How long after the last payment every notice stood in the outbox.
    settled_after_ms: u64,
    acknowledged: u64,
    repeated: u64,
    busy: u64,
    past_payments: u64,
    wallets: u64,
    /// How many lots each wallet begins with, in three purses.
    lots_a_wallet: usize,
    /// The longest that the journal's write-ahead log was, in bytes; none where no file is ours to measure.
    log_bytes_largest: Option<u64>,
    /// The same of the rows' log.
    state_log_bytes_largest: Option<u64>,
    /// Checkpoints of the journal; none where there is no file of ours.
    checkpoints: Option<u64>,
    lists_read: u64,
    /// Audits of the journal that ended before the payments did.
    audits_beside: u64,
    /// What the files grew by for each payment; none where no file is ours to measure.
    bytes_a_payment: Option<u64>,
    memory_bytes_peak: Option<u64>,
    audited: bool,
    /// Whether every stored row was compared with what the journal makes, and the books over all rows balance.
    replayed: bool,
}

impl PayReport {
    /// What was too slow for a run to pass, whatever its speed: people are told of what happened to their money in time.
    pub fn too_slow(&self) -> Option<String> {
        if self.lag_ms > LAG_MS_MAX {
            return Some(format!(
                "a notice waited {} ms until it was in the outbox; {LAG_MS_MAX} are allowed",
                self.lag_ms
            ));
        }
        let settled = self.settled_after_ms;
        (settled > SETTLED_MS_MAX)
            .then(|| format!("all was told only {settled} ms after the last payment; {SETTLED_MS_MAX} are allowed"))
    }
}

impl fmt::Display for PayReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} payments a second on {}, {} in flight",
            self.movements_per_second,
            self.store.name(),
            self.in_flight
        )?;
        writeln!(
            f,
            "latency: p50 {} ms, p99 {} ms, at most {} ms; longest silence {} ms",
            self.p50_ms, self.p99_ms, self.max_ms, self.stall_ms_max
        )?;
        writeln!(
            f,
            "acknowledged: {} new, {} repeated; refused as busy: {}",
            self.acknowledged, self.repeated, self.busy
        )?;
        match (self.bytes_a_payment, self.log_bytes_largest, self.state_log_bytes_largest) {
            (Some(bytes), Some(journal), Some(state)) => writeln!(
                f,
                "disk: {bytes} bytes a payment; the largest log of the journal {journal} bytes, of the rows {state}"
            )?,
            _ => writeln!(f, "disk: not measured, no file here is the engine's own")?,
        }
        writeln!(f, "notices: at most {} ms behind, all told {} ms after the end", self.lag_ms, self.settled_after_ms)?;
        match self.memory_bytes_peak {
            Some(bytes) => writeln!(f, "memory at its peak: {bytes} bytes")?,
            None => writeln!(f, "memory: not measured, the system does not say")?,
        }
        if self.lists_read + self.audits_beside > 0 {
            writeln!(f, "beside: {} lists read, {} whole audits of the journal", self.lists_read, self.audits_beside)?;
        }
        let right = "audited: what everyone paid and received is right, and so is every lot that is left";
        match (self.store, self.replayed) {
            (StoreKind::Memory, _) => write!(f, "{right}; the books balance; memory keeps no journal to audit"),
            (StoreKind::Postgres, _) => {
                write!(f, "{right}; the books balance and the journal is whole; the rows were not replayed")
            }
            (StoreKind::Sqlite, true) => {
                write!(f, "{right}; the books balance, the journal is whole and makes every stored row")
            }
            (StoreKind::Sqlite, false) => write!(
                f,
                "{right}; the journal is whole, and was too long to be replayed: `kinchaku audit replay` compares the rows, \
                 `kinchaku audit balance` the books"
            ),
        }
    }
}

/// What a kept data directory holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    workload: Workload,
    lots_a_wallet: usize,
    payments: u64,
}

/// Makes one run.
pub fn pay(options: &PayOptions, show: &dyn Fn(Progress)) -> Result<PayReport, Failure> {
    options.check()?;
    match options.store {
        StoreKind::Memory => {
            let disk = memory::Disk::new();
            let store = MemoryStore::open(&disk).map_err(setup)?;
            Run::begin(options, store, Kept::Memory(disk), None, None)?.measure(show)
        }
        StoreKind::Postgres => {
            let database = Database::of(options.database.as_deref())?;
            let kept =
                Kept::Lane { journal: Box::new(database.journal()), outbox: tempfile::tempdir().map_err(setup)? };
            let reader = database.journal::<Wallets>();
            Run::begin(options, database.store()?, kept, Some(Box::new(reader)), None)?.measure(show)
        }
        StoreKind::Sqlite => {
            let temporary = tempfile::tempdir().map_err(setup)?;
            let directory = options.data.clone().unwrap_or_else(|| temporary.path().join("data"));
            let note = read_note(&directory, options)?;
            let store = SqliteStore::open(&directory, &SqliteOptions::default()).map_err(setup)?;
            let reader = Box::new(SqliteJournal::open(&directory).map_err(setup)?);
            let kept = Kept::Files(Files { gauges: store.gauges(), directory });
            Run::begin(options, store, kept, Some(reader), note.map(|note| note.payments))?.measure(show)
        }
    }
}

impl PayOptions {
    /// Refuses what would be ignored.
    fn check(&self) -> Result<(), Failure> {
        check_database(self.store, self.database.as_deref())?;
        let asked_of_files = [
            (self.data.is_some(), "--data keeps the files"),
            (self.list_readers > 0, "--list-readers reads the journal's file"),
            (self.verify_beside, "--verify-beside audits the journal's file"),
        ];
        match (self.store, asked_of_files.iter().find(|(asked, _)| *asked)) {
            (store @ (StoreKind::Memory | StoreKind::Postgres), Some((_, what))) => {
                Err(Failure::Options(format!("{what}, and --store {} has none: take --store sqlite", store.name())))
            }
            (StoreKind::Memory | StoreKind::Postgres, None) | (StoreKind::Sqlite, _) => Ok(()),
        }
    }
}

/// Connects the notices consumer, as a server does.
fn notices<S: Store<Wallets>>(
    core: &mut Core<Wallets, S>,
    outbox: &Path,
    journal: Box<dyn JournalReader>,
) -> Result<Watch, Failure> {
    let mut consumers = Consumers::new(&core.status().head);
    consumers.add(server::notices::follower(outbox, journal).map_err(setup)?);
    let (observer, watch) = consumers.connect();
    core.observe(observer);
    Ok(watch)
}

fn setup(error: impl std::fmt::Display) -> Failure {
    Failure::Setup(error.to_string())
}

fn read_note(directory: &Path, options: &PayOptions) -> Result<Option<Note>, Failure> {
    let Ok(text) = fs::read_to_string(directory.join(NOTE_FILE)) else { return Ok(None) };
    let advice = "take another --data, or delete it";
    let note: Note = serde_json::from_str(&text).map_err(|error| {
        Failure::Setup(format!("{} holds no load of this version ({error}): {advice}", directory.display()))
    })?;
    if note.workload != options.workload || note.lots_a_wallet != LOTS.len() {
        let Note { workload, lots_a_wallet, .. } = note;
        return Err(Failure::Setup(format!(
            "{} holds another load ({workload:?}, {lots_a_wallet} lots a wallet): {advice}",
            directory.display()
        )));
    }
    Ok(Some(note))
}

/// What a run keeps, beside the engine.
enum Kept {
    Memory(memory::Disk<Wallets>),
    Files(Files),
    /// A lane in PostgreSQL, and where its notices go.
    Lane {
        journal: Box<PostgresJournal<Wallets>>,
        outbox: TempDir,
    },
}

/// What a run on the embedded store keeps.
struct Files {
    directory: PathBuf,
    gauges: Arc<Gauges>,
}

impl Kept {
    const fn files(&self) -> Option<&Files> {
        match self {
            Self::Memory(_) | Self::Lane { .. } => None,
            Self::Files(files) => Some(files),
        }
    }

    /// Where notices go.
    fn outbox(&self) -> Option<&Path> {
        match self {
            Self::Memory(_) => None,
            Self::Files(files) => Some(&files.directory),
            Self::Lane { outbox, .. } => Some(outbox.path()),
        }
    }
}

struct Run {
    options: PayOptions,
    engine: Engine<Wallets>,
    kept: Kept,
    /// The notices consumer.
    watch: Option<Watch>,
    runtime: tokio::runtime::Runtime,
    is_filled: bool,
    payments: u64,
}

impl Run {
    fn begin<S: Store<Wallets> + 'static>(
        options: &PayOptions,
        store: S,
        kept: Kept,
        journal: Option<Box<dyn JournalReader>>,
        past: Option<u64>,
    ) -> Result<Self, Failure> {
        let bounds = Options {
            queue_commands_max: options.in_flight.max(Options::default().queue_commands_max),
            cache_rows_max: options.cache_rows,
            // The load's time is its own.
            clock_believed: true,
            ..Options::default()
        };
        let mut core = Core::open(store, Arc::new(Context::default()), bounds).map_err(setup)?;
        let watch = kept.outbox().zip(journal).map(|(outbox, journal)| notices(&mut core, outbox, journal));
        let watch = watch.transpose()?;
        let engine = Engine::start(core, Arc::new(SystemClock));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(setup)?;
        Ok(Self {
            options: options.clone(),
            engine,
            kept,
            watch,
            runtime,
            is_filled: past.is_some(),
            payments: past.unwrap_or(0),
        })
    }

    fn measure(mut self, show: &dyn Fn(Progress)) -> Result<PayReport, Failure> {
        if !self.is_filled {
            self.fill(show)?;
        }
        let missing = self.options.past_payments.saturating_sub(self.payments);
        if missing > 0 {
            let load = self.load(None, self.payments + missing, 0);
            self.run(load, "past payments", show)?;
        }
        if self.options.warm_up_seconds > 0 {
            let until = now() + Duration::from_secs(self.options.warm_up_seconds);
            let load = self.load(Some(until), u64::MAX, self.options.repeats_permille);
            self.run(load, "warming up", show)?;
        }
        let past_payments = self.payments;
        let bytes_before = self.disk_bytes();
        let begun = now();
        let until = begun + Duration::from_secs(self.options.seconds);
        let load = self.load(Some(until), u64::MAX, self.options.repeats_permille);
        self.take_waited_ms_max();
        let beside = self.kept.files().map(|files| {
            let options = &self.options;
            Beside::start(&self.engine, &files.directory, options.workload, options.list_readers, options.verify_beside)
        });
        let load = self.run(load, "payments", show)?;
        // Before the readers have ended: an audit of a long journal takes seconds more, and nobody pays meanwhile.
        let elapsed = begun.elapsed();
        beside.iter().for_each(Beside::end);
        let settled_after_ms = self.settle()?;
        let lag_ms = self.take_waited_ms_max();
        let (lists_read, audits_beside) = beside.map_or(Ok((0, 0)), Beside::join)?;
        let memory_bytes_peak = resources::memory_bytes_peak();
        let replayed = self.stop_and_audit(show)?;
        let written = self.disk_bytes().zip(bytes_before).map(|(after, before)| after.saturating_sub(before));
        Ok(PayReport {
            store: self.options.store,
            in_flight: self.options.in_flight,
            rate: self.options.rate,
            warm_up_seconds: self.options.warm_up_seconds,
            movements_per_second: super::a_second(load.acknowledged, elapsed),
            p50_ms: load.meter.milliseconds(50.0),
            p99_ms: load.meter.milliseconds(99.0),
            max_ms: load.meter.milliseconds_max(),
            stall_ms_max: load.meter.stall_milliseconds_max(),
            lag_ms,
            settled_after_ms,
            acknowledged: load.acknowledged,
            repeated: load.repeated,
            busy: load.busy,
            past_payments,
            wallets: self.options.workload.wallets,
            lots_a_wallet: LOTS.len(),
            log_bytes_largest: self.gauge(|gauges| &gauges.log_bytes_largest),
            state_log_bytes_largest: self.gauge(|gauges| &gauges.state_log_bytes_largest),
            checkpoints: self.gauge(|gauges| &gauges.checkpoints),
            lists_read,
            audits_beside,
            bytes_a_payment: written.map(|bytes| bytes / load.acknowledged.max(1)),
            memory_bytes_peak,
            audited: true,
            replayed,
        })
    }

    fn load(&self, until: Option<Instant>, last: u64, repeats_permille: u64) -> Load<Orders> {
        Load::new(Orders::new(self.options.workload, self.payments, repeats_permille), last, until)
    }

    /// Opens the shops and wallets, and fills the wallets.
    fn fill(&self, show: &dyn Fn(Progress)) -> Result<(), Failure> {
        let workload = self.options.workload;
        let of = workload.shops + workload.wallets;
        let opening = move |index| opening(&workload, index);
        self.runtime.block_on(callers::fill(&self.engine, of, self.options.in_flight, opening, &|done| {
            show(Progress { stage: "wallets", done, of });
        }))
    }

    fn run(
        &mut self,
        load: Load<Orders>,
        stage: &'static str,
        show: &dyn Fn(Progress),
    ) -> Result<Load<Orders>, Failure> {
        let (first, of) = (self.payments, load.last - self.payments);
        let progress = |drawn: u64| show(Progress { stage, done: drawn - first, of });
        let load = self.runtime.block_on(async {
            match self.options.rate.filter(|_| load.until.is_some()) {
                None => callers::closed(&self.engine, load, self.options.in_flight, &progress).await,
                Some(rate) => callers::open(&self.engine, load, rate, &progress).await,
            }
        });
        self.payments = load.source.drawn();
        match load.wrong {
            None => Ok(load),
            Some(failure) => Err(failure),
        }
    }

    /// Waits until every notice stands in the outbox: how long that took, in milliseconds.
    fn settle(&self) -> Result<u64, Failure> {
        let Some(watch) = &self.watch else { return Ok(0) };
        let begun = now();
        while !watch.is_settled() {
            if begun.elapsed() > SETTLE_MAX {
                return Err(Failure::Audit(format!("the notices are still {} ms behind", watch.lag_ms())));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// The longest that a record waited for its notice since this was asked the last time.
    fn take_waited_ms_max(&self) -> i64 {
        self.watch.as_ref().map_or(0, Watch::take_waited_ms_max)
    }

    /// Stops the engine, and audits every balance, the books and, where there is one, the whole journal; whether that was
    /// replayed.
    fn stop_and_audit(&mut self, show: &dyn Fn(Progress)) -> Result<bool, Failure> {
        let expected = audit::Expected::of(&self.options.workload, self.payments);
        self.runtime.block_on(audit::balances(&self.engine, &self.options.workload, &expected, show))?;
        self.engine.stop().map_err(setup)?;
        if let Some(watch) = self.watch.take() {
            watch.join().map_err(setup)?;
        }
        let mut books = Books::default();
        let directory = match &self.kept {
            Kept::Memory(disk) => {
                for (key, stored) in disk.rows() {
                    stored.row.iter().for_each(|row| books.add(key, row));
                }
                return audit::books(books).map(|()| false);
            }
            Kept::Lane { journal, .. } => {
                audit::lane(journal, &mut |key, row| books.add(key, row), show)?;
                return audit::books(books).map(|()| false);
            }
            Kept::Files(files) => &files.directory,
        };
        audit::journal(directory, show)?;
        let replayed = audit::rows::<Wallets>(directory, &mut |key, row| books.add(key, row), show)?;
        if replayed {
            audit::books(books)?;
        }
        if self.options.data.is_some() {
            let note = Note { workload: self.options.workload, lots_a_wallet: LOTS.len(), payments: self.payments };
            let text = serde_json::to_string(&note).map_err(setup)?;
            fs::write(directory.join(NOTE_FILE), text).map_err(setup)?;
        }
        Ok(replayed)
    }

    fn disk_bytes(&self) -> Option<u64> {
        self.kept.files().map(|files| resources::directory_bytes(&files.directory))
    }

    fn gauge(&self, of: impl Fn(&Gauges) -> &AtomicU64) -> Option<u64> {
        self.kept.files().map(|files| of(&files.gauges).load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::postgres::throwaway::{self, NotStarted};

    fn options(store: StoreKind, wallets: u64, past_payments: u64) -> PayOptions {
        PayOptions {
            store,
            in_flight: 8,
            rate: None,
            workload: Workload { wallets, shops: 2, hot_percent: 10, seed: 1 },
            past_payments,
            warm_up_seconds: 0,
            seconds: 0,
            repeats_permille: 0,
            cache_rows: 1_000,
            list_readers: 0,
            verify_beside: false,
            data: None,
            database: None,
        }
    }

    fn run(store: StoreKind, wallets: u64, past_payments: u64) -> Result<PayReport, Failure> {
        pay(&options(store, wallets, past_payments), &|_| {})
    }

    #[test]
    fn a_run_on_postgres_is_audited_and_its_notices_are_told() {
        if !throwaway::is_installed() {
            let why = NotStarted::NotInstalled;
            assert!(std::env::var_os("CI").is_none(), "in CI the load on PostgreSQL is tested: {why}");
            eprintln!("SKIPPED: the load on PostgreSQL: {why}");
            return;
        }
        let report = run(StoreKind::Postgres, 20, 200).unwrap_or_else(|failure| panic!("{failure}"));
        assert!(report.audited && report.too_slow().is_none(), "{report}");
        assert!(report.to_string().contains("the books balance and the journal is whole"), "{report}");
        assert!(report.to_string().contains("disk: not measured") && report.bytes_a_payment.is_none(), "{report}");
    }

    #[test]
    fn a_run_says_what_it_audited() {
        for (store, replayed, says) in [
            (StoreKind::Sqlite, true, "the journal is whole and makes every stored row"),
            (StoreKind::Memory, false, "the books balance; memory keeps no journal to audit"),
        ] {
            let report = run(store, 20, 200).unwrap_or_else(|failure| panic!("{failure}"));
            assert_eq!((report.replayed, report.audited), (replayed, true), "{store:?}");
            assert!(report.to_string().contains(says), "{report}");
            let measured = [report.bytes_a_payment, report.log_bytes_largest, report.state_log_bytes_largest];
            assert_eq!(measured.map(|bytes| bytes.is_some()), [store == StoreKind::Sqlite; 3], "{report}");
        }
    }

    #[test]
    fn wallets_that_run_dry_are_no_finding_of_the_audit() {
        // A wallet has 9,000 yen and some, a payment takes 25 of them on average.
        match run(StoreKind::Memory, 1, 5_000) {
            Err(Failure::Setup(what)) => assert!(what.contains("ran dry"), "{what}"),
            other => panic!("the load is too long for one wallet: {other:?}"),
        }
    }

    #[test]
    fn wallets_that_were_opened_by_a_run_without_payments_are_used_by_the_next() {
        let directory = tempfile::tempdir().expect("a directory for the test");
        for past in [0, 200] {
            let data = Some(directory.path().join("data"));
            let options = PayOptions { data, ..options(StoreKind::Sqlite, 20, past) };
            assert_eq!(pay(&options, &|_| {}).map(|report| report.past_payments).ok(), Some(past));
        }
    }

    #[test]
    fn what_memory_cannot_do_is_refused() {
        for (list_readers, verify_beside, data, names) in [
            (1, false, None, "--list-readers"),
            (0, true, None, "--verify-beside"),
            (0, false, Some(PathBuf::from("data")), "--data"),
        ] {
            let options = PayOptions { list_readers, verify_beside, data, ..options(StoreKind::Memory, 1, 0) };
            match pay(&options, &|_| {}) {
                Err(Failure::Options(what)) => assert!(what.starts_with(names) && what.contains("sqlite"), "{what}"),
                other => panic!("{names} has no meaning there: {other:?}"),
            }
        }
    }

    #[test]
    fn notices_that_come_late_fail_a_run() {
        let report = run(StoreKind::Memory, 2, 0).unwrap_or_else(|failure| panic!("{failure}"));
        for (lag_ms, settled_after_ms, passes) in
            [(LAG_MS_MAX, SETTLED_MS_MAX, true), (LAG_MS_MAX + 1, 0, false), (0, SETTLED_MS_MAX + 1, false)]
        {
            let report = PayReport { lag_ms, settled_after_ms, ..report.clone() };
            assert_eq!(report.too_slow().is_none(), passes, "{lag_ms} ms behind, settled after {settled_after_ms}");
        }
    }
}
