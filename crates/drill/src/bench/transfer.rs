//! `bench transfer`: the bare ledger through the engine: two accounts, one amount, one journal row. What a ledger that
//! knows no wallet is measured by.

use super::callers::{self, Load, Source};
use super::meter::{Progress, now};
use super::workload::mix;
use super::{Database, Failure, StoreKind, audit, check_database};
use domain::{Id, Key, Time};
use engine::memory::{Disk, MemoryStore};
use engine::sqlite::{SqliteOptions, SqliteStore};
use engine::{Actor, ActorKind, Core, Engine, Options, Store, Submission, SystemClock};
use ledger::{Command, Ledger, Row, Rule, Yen, account_key};
use serde::Serialize;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The largest transfer, in yen.
const TRANSFER_YEN_MAX: u64 = 100;

/// How a run is made.
#[derive(Clone, Debug)]
pub struct TransferOptions {
    /// Where the rows and the journal are kept.
    pub store: StoreKind,
    /// The PostgreSQL database, which must be empty; none: one in a private cluster.
    pub database: Option<String>,
    /// How many callers wait at once.
    pub in_flight: usize,
    /// How many accounts there are.
    pub accounts: u64,
    /// The share of transfers to ten hot accounts, in per cent.
    pub hot_percent: u64,
    /// How long to measure.
    pub seconds: u64,
    /// What ids and choices are drawn from.
    pub seed: u64,
}

/// What a run showed.
#[derive(Clone, Debug, Serialize)]
pub struct TransferReport {
    store: StoreKind,
    in_flight: usize,
    movements_per_second: u64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    acknowledged: u64,
    audited: bool,
    /// Whether every stored row was compared with what the journal makes.
    replayed: bool,
}

impl fmt::Display for TransferReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} transfers a second on {}, {} in flight",
            self.movements_per_second,
            self.store.name(),
            self.in_flight
        )?;
        writeln!(f, "latency: p50 {} ms, p99 {} ms, at most {} ms", self.p50_ms, self.p99_ms, self.max_ms)?;
        write!(f, "audited: the balances of all accounts are right after {} transfers", self.acknowledged)?;
        if self.replayed { write!(f, ", and the journal makes every stored row") } else { Ok(()) }
    }
}

/// Transfers as a function of their number.
struct Transfers {
    options: TransferOptions,
    next: u64,
}

#[derive(Clone, Copy, Debug)]
struct Order {
    number: u64,
    debit: u64,
    credit: u64,
    amount: u64,
}

impl Transfers {
    fn order(&self, number: u64) -> Order {
        let TransferOptions { accounts, hot_percent, seed, .. } = self.options;
        let (chance, more) = (mix(seed ^ number), mix(seed.wrapping_add(!number)));
        let debit = (chance >> 8) % accounts;
        let credits = if chance % 100 < hot_percent { accounts.min(10) } else { accounts };
        let credit = (more >> 8) % credits;
        // An account does not pay itself.
        let credit = if credit == debit { (credit + 1) % accounts } else { credit };
        Order { number, debit, credit, amount: 1 + more % TRANSFER_YEN_MAX }
    }
}

/// Ids that grow with their number.
fn id(kind: u128, number: u64) -> Id {
    Id::from_number(0x0190_0000_0000_7000_8000_0000_0000_0000 + (kind << 116) + u128::from(number))
}

impl Source for Transfers {
    type Domain = Ledger;
    type Order = Order;

    /// Its accounts may be overdrawn.
    fn ran_dry(_: &ledger::Refusal) -> bool {
        false
    }

    fn draw(&mut self) -> (Order, bool) {
        self.next += 1;
        (self.order(self.next - 1), false)
    }

    fn drawn(&self) -> u64 {
        self.next
    }

    fn submission(&self, order: &Order, at: Time) -> Submission<Ledger> {
        let command = Command::Transfer {
            id: id(1, order.number),
            debit: id(0, order.debit),
            credit: id(0, order.credit),
            amount: Yen::checked(order.amount.cast_signed()).unwrap_or(Yen::ZERO),
        };
        let actor = Actor { kind: ActorKind::System, id: Id::default() };
        Submission { command, actor, reason: None, request: None, at }
    }
}

/// Makes one run.
pub fn transfer(options: &TransferOptions, show: &dyn Fn(Progress)) -> Result<TransferReport, Failure> {
    let setup = |error: engine::StoreError| Failure::Setup(error.to_string());
    check_database(options.store, options.database.as_deref())?;
    match options.store {
        StoreKind::Memory => run(options, MemoryStore::open(&Disk::new()).map_err(setup)?, show, |_| Ok(false)),
        StoreKind::Sqlite => {
            let temporary = tempfile::tempdir().map_err(|error| Failure::Setup(error.to_string()))?;
            let store = SqliteStore::open(temporary.path(), &SqliteOptions::default()).map_err(setup)?;
            run(options, store, show, |show| {
                audit::journal(temporary.path(), show)?;
                audit::rows::<Ledger>(temporary.path(), &mut |_, _| {}, show)
            })
        }
        StoreKind::Postgres => {
            let database = Database::of(options.database.as_deref())?;
            run(options, database.store()?, show, |show| {
                audit::lane(&database.journal::<Ledger>(), &mut |_, _| {}, show).map(|()| false)
            })
        }
    }
}

fn run<S: Store<Ledger> + 'static>(
    options: &TransferOptions,
    store: S,
    show: &dyn Fn(Progress),
    audit_journal: impl FnOnce(&dyn Fn(Progress)) -> Result<bool, Failure>,
) -> Result<TransferReport, Failure> {
    let setup = |error: String| Failure::Setup(error);
    let core = Core::open(store, Arc::new(()), Options::default()).map_err(|error| setup(error.to_string()))?;
    let engine = Engine::start(core, Arc::new(SystemClock));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| setup(error.to_string()))?;
    let (of, in_flight) = (options.accounts, options.in_flight);
    let open = |index: u64| vec![Command::OpenAccount { id: id(0, index), rule: Rule::Free }];
    runtime.block_on(callers::fill(&engine, of, in_flight, open, &|done| {
        show(Progress { stage: "accounts", done, of });
    }))?;
    let begun = now();
    let until = begun + Duration::from_secs(options.seconds);
    let load = Load::new(Transfers { options: options.clone(), next: 0 }, u64::MAX, Some(until));
    let load = runtime.block_on(callers::closed(&engine, load, in_flight, &|done| {
        show(Progress { stage: "transfers", done, of: u64::MAX });
    }));
    let elapsed = begun.elapsed();
    if let Some(wrong) = load.wrong {
        return Err(wrong);
    }
    runtime.block_on(balances(&engine, &load.source))?;
    engine.stop().map_err(|error| setup(error.to_string()))?;
    let replayed = audit_journal(show)?;
    Ok(TransferReport {
        store: options.store,
        in_flight,
        movements_per_second: super::a_second(load.acknowledged, elapsed),
        p50_ms: load.meter.milliseconds(50.0),
        p99_ms: load.meter.milliseconds(99.0),
        max_ms: load.meter.milliseconds_max(),
        acknowledged: load.acknowledged,
        audited: true,
        replayed,
    })
}

/// Compares every account with a plain sum of the transfers.
async fn balances(engine: &Engine<Ledger>, transfers: &Transfers) -> Result<(), Failure> {
    let accounts = usize::try_from(transfers.options.accounts).unwrap_or(0);
    let mut sums = vec![0_i64; accounts];
    for number in 0..transfers.next {
        let order = transfers.order(number);
        for (index, sign) in [(order.debit, -1), (order.credit, 1)] {
            if let Some(sum) = usize::try_from(index).ok().and_then(|index| sums.get_mut(index)) {
                *sum += sign * order.amount.cast_signed();
            }
        }
    }
    for (index, expected) in (0..).zip(sums) {
        let key: Key = account_key(id(0, index));
        let stored = engine.read(key).await.map_err(|error| Failure::Audit(error.to_string()))?;
        let found = match stored.and_then(|stored| stored.row).as_deref() {
            Some(Row::Account(account)) => account.credit_balance(),
            Some(Row::Transfer(_)) | None => i64::MIN,
        };
        if found != expected {
            return Err(Failure::Audit(format!("account {index}: balance {found}, expected {expected}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_says_what_it_audited() {
        for (store, replayed) in [(StoreKind::Sqlite, true), (StoreKind::Memory, false)] {
            let options = TransferOptions {
                store,
                database: None,
                in_flight: 4,
                accounts: 10,
                hot_percent: 10,
                seconds: 0,
                seed: 1,
            };
            let report = transfer(&options, &|_| {}).unwrap_or_else(|failure| panic!("{failure}"));
            assert_eq!(report.replayed, replayed, "{store:?}");
        }
    }
}
