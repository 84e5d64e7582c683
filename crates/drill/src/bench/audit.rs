//! The audit after a run: every lot of every wallet and every shop's balance against a plain sum of the payments, the books
//! over all rows, the journal's chain, and every stored row against what the journal makes of it.
//!
//! The sums know nothing of the wallet's rules: they add up amounts by wallet and by shop, and take what a wallet paid from
//! its lots in their order.

use super::opening::{LOTS, lots};
use super::workload::Workload;
use super::{Failure, Progress};
use domain::{Domain, Key};
use engine::postgres::PostgresJournal;
use engine::sqlite::SqliteJournal;
use engine::{Engine, StoreError};
use std::path::Path;
use wallet::books::Books;
use wallet::wallet::Wallet;
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

/// Compares what every wallet has paid and has left, and what every shop has received, with what is expected.
pub async fn balances(
    engine: &Engine<Wallets>,
    workload: &Workload,
    expected: &Expected,
    show: &dyn Fn(Progress),
) -> Result<(), Failure> {
    let of = workload.wallets + workload.shops;
    for (index, paid) in (0..).zip(&expected.paid) {
        let key = Key::new(table::WALLET, workload.wallet(index).0);
        match read(engine, key).await? {
            Some(Row::Wallet(wallet)) => compare_wallet(key, &wallet, lots(workload, index), *paid)?,
            Some(_) | None => return Err(Failure::Audit(format!("{key:?} is no wallet"))),
        }
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

/// Compares what `wallet` paid, what is in each purse and in each of its lots with what is left after `paid` yen. The order of
/// the payments does not matter: bonus goes first, then prepaid, then funds, and of each the oldest lot.
fn compare_wallet(key: Key, wallet: &Wallet, lots: [u64; LOTS.len()], paid: u64) -> Result<(), Failure> {
    let moved = Purse::ALL.iter().map(|purse| wallet.purse(*purse).account.debits_posted.amount()).sum();
    compare(key, moved, paid)?;
    let mut owing = paid;
    let left = lots.map(|lot| {
        let taken = lot.min(owing);
        owing -= taken;
        lot - taken
    });
    for purse in Purse::ALL {
        let of_purse = LOTS.into_iter().zip(left).filter(|(of, left)| *of == purse && *left > 0);
        let expected: Vec<i64> = of_purse.map(|(_, left)| left.cast_signed()).collect();
        let balance = wallet.purse(purse);
        let found: Vec<i64> = balance.lots.iter().map(|lot| lot.amount.amount()).collect();
        let (available, sum) = (balance.account.available().amount(), expected.iter().sum::<i64>());
        if found != expected || available != sum {
            return Err(Failure::Audit(format!(
                "{key:?}: after {paid} yen paid, {purse:?} has {available} yen in lots of {found:?}, and should have \
                 {sum} in lots of {expected:?}"
            )));
        }
    }
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

/// The first thing that does not hold over all rows together.
pub fn books(books: Books) -> Result<(), Failure> {
    match books.findings().first() {
        None => Ok(()),
        Some(finding) => Err(Failure::Audit(finding.to_string())),
    }
}

/// Records beyond which a run's journal is not replayed: its rows would not fit in memory, and it would be read many times.
const REPLAYED_RECORDS_MAX: u64 = 4_000_000;

/// Replays the journal and compares every stored row with what it makes; `visit` sees each. False if there are more than
/// [`REPLAYED_RECORDS_MAX`] records, and nothing was compared.
pub fn rows<D: Domain>(
    directory: &Path,
    visit: &mut dyn FnMut(Key, &D::Row),
    show: &dyn Fn(Progress),
) -> Result<bool, Failure> {
    let failed = |error: StoreError| Failure::Audit(error.to_string());
    let of = SqliteJournal::open(directory).and_then(|journal| journal.head()).map_err(failed)?.place.n;
    if of > REPLAYED_RECORDS_MAX {
        return Ok(false);
    }
    let replayed = engine::audit::replay::<D>(directory, None, visit, &mut |done| {
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

/// Verifies the chain of a lane in PostgreSQL; `visit` sees each row that is stored there.
pub fn lane<D: Domain>(
    lane: &PostgresJournal<D>,
    visit: &mut dyn FnMut(Key, &D::Row),
    show: &dyn Fn(Progress),
) -> Result<(), Failure> {
    let failed = |error: StoreError| Failure::Audit(error.to_string());
    let of = lane.head().map_err(failed)?.map_or(0, |head| head.place.n);
    lane.verify(&mut |done| show(Progress { stage: "audit of the journal", done, of })).map_err(failed)?;
    lane.rows(visit).map_err(failed)
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

#[cfg(test)]
mod tests {
    use super::super::callers::fill;
    use super::super::opening::opening;
    use super::super::workload::BEGIN;
    use super::*;
    use engine::memory::{Disk, MemoryStore};
    use engine::{Actor, ActorKind, Core, Options, Submission, SystemClock};
    use std::sync::Arc;
    use wallet::Context;

    /// Opens wallets, makes `payments` and audits them as if they were `claimed`.
    fn audit(payments: u64, claimed: u64) -> Result<(), Failure> {
        let workload = Workload { wallets: 3, shops: 2, hot_percent: 10, seed: 1 };
        let store = MemoryStore::open(&Disk::new()).expect("a new store");
        let core = Core::open(store, Arc::new(Context::default()), Options::default()).expect("an empty store");
        let engine = Engine::start(core, Arc::new(SystemClock));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let count = workload.shops + workload.wallets;
            fill(&engine, count, 4, move |index| opening(&workload, index), &|_| {}).await?;
            let paying = move |number| vec![workload.submission(&workload.order(number), BEGIN).command];
            fill(&engine, payments, 1, paying, &|_| {}).await?;
            balances(&engine, &workload, &Expected::of(&workload, claimed), &|_| {}).await
        })
    }

    fn check(payments: u64, claimed: u64, finding: Option<&str>) {
        match (audit(payments, claimed), finding) {
            (Ok(()), None) => {}
            (Err(Failure::Audit(found)), Some(finding)) => assert!(found.contains(finding), "{found}"),
            (audited, _) => panic!("{payments} payments, {claimed} claimed: {audited:?}"),
        }
    }

    #[test]
    fn what_was_paid_is_taken_from_the_lots_in_their_order() {
        for payments in [0, 10, 40, 100] {
            check(payments, payments, None);
        }
        check(40, 41, Some("were acknowledged"));
        check(41, 40, Some("were acknowledged"));
    }

    #[test]
    fn a_lot_that_is_not_what_is_left_is_found() {
        let workload = Workload { wallets: 1, shops: 1, hot_percent: 0, seed: 1 };
        let mut core = {
            let store = MemoryStore::open(&Disk::<Wallets>::new()).expect("a new store");
            Core::open(store, Arc::new(Context::default()), Options::default()).expect("an empty store")
        };
        let key = Key::new(table::WALLET, workload.wallet(0).0);
        let commands = (0..2).flat_map(|index| opening(&workload, index));
        let actor = Actor { kind: ActorKind::System, id: domain::Id::default() };
        for command in commands {
            let submission = Submission { command, actor, reason: None, request: None, at: BEGIN };
            core.step(&[submission], &mut Vec::new());
        }
        let row = core.read(key).expect("a row").and_then(|stored| stored.row).expect("a wallet");
        let Row::Wallet(wallet) = &*row else { panic!("a wallet: {row:?}") };
        let brought = lots(&workload, 0);
        assert_eq!(compare_wallet(key, wallet, brought, 0), Ok(()));
        for lot in 0..LOTS.len() {
            let mut other = brought;
            other[lot] += 1;
            assert!(compare_wallet(key, wallet, other, 0).is_err(), "lot {lot} has a yen less than it should");
        }
    }
}
