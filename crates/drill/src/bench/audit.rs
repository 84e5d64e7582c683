//! The audit after a run: every wallet and shop against a plain sum of the payments, the journal's chain, and every stored
//! row against what the journal makes of it.
//!
//! The sums know nothing of the wallet's rules: they add up amounts by wallet and by shop.

use super::workload::Workload;
use super::{Failure, Progress};
use domain::Key;
use engine::sqlite::SqliteJournal;
use engine::{Engine, StoreError};
use std::path::Path;
use wallet::{Purse, Row, Wallets, chart, table};

/// What each wallet must have paid and each shop received.
pub struct Expected {
    paid: Vec<u64>,
    received: Vec<u64>,
}

impl Expected {
    /// After the first `payments` of `workload`, all of which were answered.
    pub fn of(workload: &Workload, payments: u64) -> Self {
        let zeros = |count: u64| vec![0; usize::try_from(count).unwrap_or(0)];
        let mut expected = Self { paid: zeros(workload.wallets), received: zeros(workload.shops) };
        for number in 0..payments {
            let order = workload.order(number);
            for (sums, index) in [(&mut expected.paid, order.wallet), (&mut expected.received, order.shop)] {
                if let Some(sum) = usize::try_from(index).ok().and_then(|index| sums.get_mut(index)) {
                    *sum += order.amount;
                }
            }
        }
        expected
    }
}

/// Compares what every wallet has paid and every shop has received with what is expected.
pub async fn balances(
    engine: &Engine<Wallets>,
    workload: &Workload,
    expected: &Expected,
    show: &dyn Fn(Progress),
) -> Result<(), Failure> {
    let of = workload.wallets + workload.shops;
    for (index, paid) in (0..).zip(&expected.paid) {
        let key = Key::new(table::WALLET, workload.wallet(index).0);
        let row = read(engine, key).await?;
        let found = match &row {
            Some(Row::Wallet(wallet)) => {
                Purse::ALL.iter().map(|purse| wallet.purse(*purse).account.debits_posted.amount()).sum()
            }
            _ => -1,
        };
        compare(key, found, *paid)?;
        if index % 10_000 == 0 {
            show(Progress { stage: "audit of balances", done: index, of });
        }
    }
    for (index, received) in (0..).zip(&expected.received) {
        let key = chart::key(chart::settlement(workload.shop(index)));
        let found = match read(engine, key).await? {
            Some(Row::Account(_, account)) => account.credit_balance(),
            None => 0,
            Some(_) => -1,
        };
        compare(key, found, *received)?;
    }
    show(Progress { stage: "audit of balances", done: of, of });
    Ok(())
}

async fn read(engine: &Engine<Wallets>, key: Key) -> Result<Option<Row>, Failure> {
    let stored = engine.read(key).await.map_err(|error| Failure::Audit(error.to_string()))?;
    Ok(stored.and_then(|stored| stored.row).map(|row| Row::clone(&row)))
}

fn compare(key: Key, found: i64, expected: u64) -> Result<(), Failure> {
    if u64::try_from(found) == Ok(expected) {
        return Ok(());
    }
    Err(Failure::Audit(format!("{key:?}: {found} yen moved, {expected} were acknowledged")))
}

/// Records beyond which a run's journal is not replayed: its rows would not fit in memory, and it would be read many times.
const REPLAYED_RECORDS_MAX: u64 = 2_000_000;

/// Replays the journal and compares every stored row with what it makes; false if there are more than
/// [`REPLAYED_RECORDS_MAX`] records, and nothing was compared.
pub fn rows(directory: &Path, show: &dyn Fn(Progress)) -> Result<bool, Failure> {
    let failed = |error: StoreError| Failure::Audit(error.to_string());
    let of = SqliteJournal::open(directory).and_then(|journal| journal.head()).map_err(failed)?.place.n;
    if of > REPLAYED_RECORDS_MAX {
        return Ok(false);
    }
    let replayed = engine::audit::replay::<Wallets>(directory, None, &mut |_, _| {}, &mut |done| {
        show(Progress { stage: "audit of rows", done, of });
    })
    .map_err(failed)?;
    if let Some(n) = replayed.unchained {
        return Err(Failure::Audit(format!("record {n} is not what was written")));
    }
    match replayed.findings.first() {
        None => Ok(true),
        Some(finding) => Err(Failure::Audit(finding.to_string())),
    }
}

/// Verifies the journal's chain.
pub fn journal(directory: &Path, show: &dyn Fn(Progress)) -> Result<(), Failure> {
    let failed = |error: StoreError| Failure::Audit(error.to_string());
    let of = SqliteJournal::open(directory).and_then(|journal| journal.head()).map_err(failed)?.place.n;
    let verified = engine::audit::verify(directory, None, &mut |done| {
        show(Progress { stage: "audit of the journal", done, of });
    })
    .map_err(failed)?;
    match verified.findings.first() {
        None => Ok(()),
        Some(finding) => Err(Failure::Audit(finding.to_string())),
    }
}
