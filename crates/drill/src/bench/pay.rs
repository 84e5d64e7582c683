//! `bench pay`: whole payments through the engine, by many callers at once, audited afterwards.
//!
//! Every payment is a whole one: request key, limits, purse order, lots, ledger, counters, journal with hash. The load is
//! made on one thread by as many waiting callers as are in flight; the engine has its own threads, like in a server.

use super::beside::Beside;
use super::callers::{self, Load, Source};
use super::meter::{Progress, now};
use super::workload::{Orders, Workload, opening};
use super::{Failure, StoreKind, audit, resources};
use engine::memory::{self, MemoryStore};
use engine::sqlite::{Gauges, SqliteJournal, SqliteOptions, SqliteStore};
use engine::{Consumers, Core, Engine, Options, Store, SystemClock, Watch};
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use wallet::{Context, Wallets};

/// How long a run waits for the notices consumer.
const SETTLE_MAX: Duration = Duration::from_mins(1);
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
}

/// What a run showed.
#[derive(Clone, Debug, Serialize)]
pub struct PayReport {
    store: &'static str,
    in_flight: usize,
    rate: Option<u64>,
    warm_up_seconds: u64,
    movements_per_second: u64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    /// The longest time in which nobody was answered.
    stall_ms_max: f64,
    /// How far the notices consumer was behind at most, in milliseconds of the lane's time.
    lag_ms: i64,
    /// How long after the last payment every notice stood in the outbox.
    settled_after_ms: u64,
    acknowledged: u64,
    repeated: u64,
    busy: u64,
    past_payments: u64,
    wallets: u64,
    log_bytes_largest: u64,
    checkpoints: u64,
    lists_read: u64,
    audits_beside: u64,
    bytes_a_payment: u64,
    memory_bytes_peak: Option<u64>,
    audited: bool,
    /// Whether every stored row was compared with what the journal makes.
    replayed: bool,
}

impl fmt::Display for PayReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} payments a second on {}, {} in flight", self.movements_per_second, self.store, self.in_flight)?;
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
        writeln!(
            f,
            "disk: {} bytes a payment, the largest log {} bytes",
            self.bytes_a_payment, self.log_bytes_largest
        )?;
        writeln!(f, "notices: at most {} ms behind, all told {} ms after the end", self.lag_ms, self.settled_after_ms)?;
        writeln!(f, "memory at its peak: {} bytes", self.memory_bytes_peak.unwrap_or(0))?;
        if self.lists_read + self.audits_beside > 0 {
            writeln!(f, "beside: {} lists read, {} whole audits of the journal", self.lists_read, self.audits_beside)?;
        }
        match (self.store == StoreKind::Memory.name(), self.replayed) {
            (true, _) => {
                write!(f, "audited: what everyone paid and received is right; memory keeps no journal to audit")
            }
            (false, true) => {
                write!(
                    f,
                    "audited: what everyone paid and received is right, the journal is whole and makes every stored row"
                )
            }
            (false, false) => write!(
                f,
                "audited: what everyone paid and received is right and the journal is whole; it was too long to be replayed, \
                 `kinchaku audit replay` compares the rows"
            ),
        }
    }
}

/// What a kept data directory holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    workload: Workload,
    payments: u64,
}

/// Makes one run.
pub fn pay(options: &PayOptions, show: &dyn Fn(Progress)) -> Result<PayReport, Failure> {
    match options.store {
        StoreKind::Memory => {
            let store = MemoryStore::open(&memory::Disk::new()).map_err(setup)?;
            Run::begin(options, store, None, 0)?.measure(show)
        }
        StoreKind::Sqlite => {
            let temporary = tempfile::tempdir().map_err(setup)?;
            let directory = options.data.clone().unwrap_or_else(|| temporary.path().join("data"));
            let note = read_note(&directory, options)?;
            let store = SqliteStore::open(&directory, &SqliteOptions::default()).map_err(setup)?;
            let disk = Disk { gauges: store.gauges(), directory };
            Run::begin(options, store, Some(disk), note.map_or(0, |note| note.payments))?.measure(show)
        }
    }
}

/// Connects the notices consumer, as a server does.
fn notices<S: Store<Wallets>>(core: &mut Core<Wallets, S>, directory: &Path) -> Result<Watch, Failure> {
    let journal = SqliteJournal::open(directory).map_err(setup)?;
    let mut consumers = Consumers::new(&core.status().head);
    consumers.add(server::notices::follower(directory, Box::new(journal)).map_err(setup)?);
    let (observer, watch) = consumers.connect();
    core.observe(observer);
    Ok(watch)
}

fn setup(error: impl std::fmt::Display) -> Failure {
    Failure::Setup(error.to_string())
}

fn read_note(directory: &Path, options: &PayOptions) -> Result<Option<Note>, Failure> {
    let Ok(text) = fs::read_to_string(directory.join(NOTE_FILE)) else { return Ok(None) };
    let note: Note = serde_json::from_str(&text).map_err(setup)?;
    if note.workload != options.workload {
        let found = note.workload;
        return Err(Failure::Setup(format!("{} holds another load: {found:?}", directory.display())));
    }
    Ok(Some(note))
}

/// What a run on the embedded store has beside the engine.
struct Disk {
    directory: PathBuf,
    gauges: Arc<Gauges>,
}

struct Run {
    options: PayOptions,
    engine: Engine<Wallets>,
    disk: Option<Disk>,
    /// The notices consumer.
    watch: Option<Watch>,
    lag_ms_max: Cell<i64>,
    runtime: tokio::runtime::Runtime,
    payments: u64,
}

impl Run {
    fn begin<S: Store<Wallets> + 'static>(
        options: &PayOptions,
        store: S,
        disk: Option<Disk>,
        payments: u64,
    ) -> Result<Self, Failure> {
        let bounds = Options {
            queue_commands_max: options.in_flight.max(Options::default().queue_commands_max),
            cache_rows_max: options.cache_rows,
            ..Options::default()
        };
        let mut core = Core::open(store, Arc::new(Context::default()), bounds).map_err(setup)?;
        let watch = match &disk {
            None => None,
            Some(disk) => Some(notices(&mut core, &disk.directory)?),
        };
        let engine = Engine::start(core, Arc::new(SystemClock));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(setup)?;
        Ok(Self { options: options.clone(), engine, disk, watch, lag_ms_max: Cell::new(0), runtime, payments })
    }

    fn measure(mut self, show: &dyn Fn(Progress)) -> Result<PayReport, Failure> {
        if self.payments == 0 {
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
        self.lag_ms_max.set(0);
        let beside = self.disk.as_ref().map(|disk| {
            let options = &self.options;
            Beside::start(&self.engine, &disk.directory, options.workload, options.list_readers, options.verify_beside)
        });
        let load = self.run(load, "payments", show)?;
        let (lists_read, audits_beside) = beside.map_or(Ok((0, 0)), Beside::stop)?;
        let elapsed = begun.elapsed();
        let settled_after_ms = self.settle()?;
        let replayed = self.stop_and_audit(show)?;
        let written = self.disk_bytes().saturating_sub(bytes_before);
        Ok(PayReport {
            store: self.options.store.name(),
            in_flight: self.options.in_flight,
            rate: self.options.rate,
            warm_up_seconds: self.options.warm_up_seconds,
            movements_per_second: super::a_second(load.acknowledged, elapsed),
            p50_ms: load.meter.milliseconds(50.0),
            p99_ms: load.meter.milliseconds(99.0),
            max_ms: load.meter.milliseconds_max(),
            stall_ms_max: load.meter.stall_milliseconds_max(),
            lag_ms: self.lag_ms_max.get(),
            settled_after_ms,
            acknowledged: load.acknowledged,
            repeated: load.repeated,
            busy: load.busy,
            past_payments,
            wallets: self.options.workload.wallets,
            log_bytes_largest: self.gauge(|gauges| gauges.log_bytes_largest.load(Ordering::Relaxed)),
            checkpoints: self.gauge(|gauges| gauges.checkpoints.load(Ordering::Relaxed)),
            lists_read,
            audits_beside,
            bytes_a_payment: written / load.acknowledged.max(1),
            memory_bytes_peak: resources::memory_bytes_peak(),
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
        let progress = |drawn: u64| {
            let lag_ms = self.watch.as_ref().map_or(0, Watch::lag_ms);
            self.lag_ms_max.set(self.lag_ms_max.get().max(lag_ms));
            show(Progress { stage, done: drawn - first, of });
        };
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

    /// Stops the engine, and audits every balance and, where there is one, the whole journal; whether it was replayed.
    fn stop_and_audit(&mut self, show: &dyn Fn(Progress)) -> Result<bool, Failure> {
        let expected = audit::Expected::of(&self.options.workload, self.payments);
        self.runtime.block_on(audit::balances(&self.engine, &self.options.workload, &expected, show))?;
        self.engine.stop().map_err(setup)?;
        if let Some(watch) = self.watch.take() {
            watch.join().map_err(setup)?;
        }
        let Some(Disk { directory, .. }) = &self.disk else { return Ok(false) };
        audit::journal(directory, show)?;
        let replayed = audit::rows(directory, show)?;
        if self.options.data.is_some() {
            let note = Note { workload: self.options.workload, payments: self.payments };
            let text = serde_json::to_string(&note).map_err(setup)?;
            fs::write(directory.join(NOTE_FILE), text).map_err(setup)?;
        }
        Ok(replayed)
    }

    fn disk_bytes(&self) -> u64 {
        self.disk.as_ref().map_or(0, |disk| resources::directory_bytes(&disk.directory))
    }

    fn gauge(&self, read: impl Fn(&Gauges) -> u64) -> u64 {
        self.disk.as_ref().map_or(0, |disk| read(&disk.gauges))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(store: StoreKind, wallets: u64, past_payments: u64) -> Result<PayReport, Failure> {
        let options = PayOptions {
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
        };
        pay(&options, &|_| {})
    }

    #[test]
    fn a_run_says_what_it_audited() {
        for (store, replayed, says) in [
            (StoreKind::Sqlite, true, "the journal is whole and makes every stored row"),
            (StoreKind::Memory, false, "memory keeps no journal to audit"),
        ] {
            let report = run(store, 20, 200).unwrap_or_else(|failure| panic!("{failure}"));
            assert_eq!((report.replayed, report.audited), (replayed, true), "{}", report.store);
            assert!(report.to_string().contains(says), "{report}");
        }
    }

    #[test]
    fn wallets_that_run_dry_are_no_finding_of_the_audit() {
        // A wallet has 30,000 yen, a payment takes 25 of them on average.
        match run(StoreKind::Memory, 1, 5_000) {
            Err(Failure::Setup(what)) => assert!(what.contains("ran dry"), "{what}"),
            other => panic!("the load is too long for one wallet: {other:?}"),
        }
    }
}
