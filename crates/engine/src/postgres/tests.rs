//! The store keeps the same contract as the others, and what several engines on one database need beside it.

use super::PostgresStore;
use super::throwaway::{NotStarted, Throwaway};
use crate::core::{Core, Mode};
use crate::options::Options;
use crate::record::Record;
use crate::store::{Store, StoreError};
use crate::submission::{Answered, EngineError};
use crate::tests::contract;
use crate::tests::counter::{Command, Counter, Row, counter_key, submission, with_request};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use tokio_postgres::Config;

/// A database of its own; `None`, said loudly, where no PostgreSQL is installed.
fn database() -> Option<Config> {
    static CLUSTER: OnceLock<Option<Throwaway>> = OnceLock::new();
    static MADE: AtomicU32 = AtomicU32::new(0);
    let cluster = CLUSTER.get_or_init(|| match Throwaway::start() {
        Ok(cluster) => Some(cluster),
        Err(why @ NotStarted::NotInstalled) => {
            assert!(std::env::var_os("CI").is_none(), "in CI the PostgreSQL store is tested: {why}");
            eprintln!("SKIPPED: the PostgreSQL store: {why}");
            None
        }
        Err(why) => panic!("{why}"),
    });
    let nth = MADE.fetch_add(1, Ordering::Relaxed);
    cluster.as_ref().map(|cluster| cluster.database(&format!("test_{nth}")).expect("a database can be made"))
}

fn open(config: &Config, lane: u16) -> PostgresStore<Counter> {
    PostgresStore::open(config, lane).expect("the lane can be taken")
}

fn core(config: &Config, lane: u16) -> Core<Counter, PostgresStore<Counter>> {
    let core = Core::open(open(config, lane), Arc::new(()), Options::default()).expect("the core opens");
    assert_eq!(*core.mode(), Mode::Running);
    core
}

fn step(core: &mut Core<Counter, PostgresStore<Counter>>, command: Command, key: u8) -> Answered<Counter> {
    let mut answers = Vec::new();
    core.step(&[with_request(command, key, 0)], &mut answers);
    answers.pop().expect("one answer")
}

fn total(core: &mut Core<Counter, PostgresStore<Counter>>, counter: u8) -> u64 {
    match core.read(counter_key(counter)).expect("read").and_then(|stored| stored.row).as_deref() {
        Some(Row::Counter { total, .. }) => *total,
        Some(Row::Pointer { .. }) | None => 0,
    }
}

/// Ends every connection to the database but the one that asks, as an administrator would.
fn cut_connections(config: &Config) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.expect("connected");
        tokio::spawn(connection);
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let cut = client.query(cut, &[]).await.expect("cut");
        assert!(!cut.is_empty(), "there was a connection to cut");
    });
}

#[test]
fn the_postgres_store_keeps_the_contract() {
    if database().is_none() {
        return;
    }
    contract::check(|| {
        let config = database().expect("there is a cluster");
        move || open(&config, 1)
    });
}

#[test]
fn a_schema_of_larger_vocabulary_is_refused() {
    let Some(config) = database() else { return };
    drop(open(&config, 1));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.expect("connected");
        tokio::spawn(connection);
        client.batch_execute("UPDATE \"counter\".progress SET vocabulary = 2").await.expect("the schema is edited");
    });
    let refused = PostgresStore::<Counter>::open(&config, 1).err();
    assert!(matches!(&refused, Some(StoreError::Version(what)) if what.contains("newer program")), "{refused:?}");
}

#[test]
fn whoever_takes_a_lane_fences_off_who_had_it() {
    let Some(config) = database() else { return };
    let mut first = core(&config, 1);
    assert!(step(&mut first, Command::Add { counter: 1, by: 1 }, 1).is_ok());
    let mut second = core(&config, 1);
    let refused = step(&mut first, Command::Add { counter: 1, by: 1 }, 2);
    assert!(matches!(refused, Err(EngineError::Halted(_))), "{refused:?}");
    assert!(matches!(first.mode(), Mode::Dead(StoreError::Fenced(_))), "{:?}", first.mode());
    assert!(step(&mut second, Command::Add { counter: 1, by: 1 }, 3).is_ok());
    assert_eq!(total(&mut second, 1), 2);
}

#[test]
fn a_row_that_another_engine_added_meanwhile_is_a_conflict_and_changes_nothing() {
    let Some(config) = database() else { return };
    let (mut one, mut other) = (open(&config, 1), core(&config, 2));
    assert_eq!(one.load(&[counter_key(1)]), Ok(vec![None]));
    assert!(step(&mut other, Command::Add { counter: 1, by: 5 }, 1).is_ok());
    let head = one.recovered().head;
    let (records, rows) = contract::one_row(head, counter_key(1), 7);
    let commit = crate::store::Commit { expected: head, records: &records, requests: &[], changed: &rows };
    let result = one.commit(&commit);
    assert!(matches!(result, Err(StoreError::Conflict(_))), "{result:?}");
    assert_eq!(one.read(1, 10), Ok(vec![]));
    assert_eq!(total(&mut other, 1), 5);
}

/// The connection breaks while the server is still committing: looking too early would find the lane where it was.
#[test]
fn a_commit_whose_answer_was_lost_is_waited_for_while_it_is_under_way() {
    let Some(config) = database() else { return };
    let mut store = open(&config, 1);
    let head = store.recovered().head;
    let (records, rows) = contract::one_row(head, counter_key(1), 7);
    let commit = crate::store::Commit { expected: head, records: &records, requests: &[], changed: &rows };
    let last = &records[0];
    let next = crate::store::Head { epoch: head.epoch, place: last.place, at: last.at, hash: last.hash };
    assert_eq!(store.load(&[counter_key(1)]), Ok(vec![None]));
    store.write(&commit, next).expect("written");
    let under_way = store.session.take().expect("a session");
    let (found, resolved) = thread::scope(|scope| {
        let looking = scope.spawn(move || {
            let resolved = store.resolve(head, next);
            (store, resolved)
        });
        wait_for_somebody_who_waits(&config);
        under_way.connection.run("COMMIT").expect("committed");
        looking.join().expect("the look-up ends")
    });
    assert_eq!(resolved, Ok(()));
    drop(found);
    assert_eq!(total(&mut core(&config, 1), 1), 7);
}

/// Waits until a session of the database waits for a lock that another holds.
fn wait_for_somebody_who_waits(config: &Config) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.expect("connected");
        tokio::spawn(connection);
        let waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while client.query(waits, &[]).await.expect("asked").is_empty() {
            tokio::task::yield_now().await;
        }
    });
}

/// Engines side by side, each with its lane, on the same few rows: what they answered is what the rows and the journals say,
/// every version once.
#[test]
fn engines_side_by_side_lose_nothing_and_double_nothing() {
    const ENGINES: u16 = 3;
    const ROUNDS: u8 = 40;
    let Some(config) = database() else { return };
    let done: Vec<u64> = thread::scope(|scope| {
        let engines: Vec<_> = (1..=ENGINES)
            .map(|lane| {
                let config = &config;
                scope.spawn(move || {
                    let mut core = core(config, lane);
                    let mut answers = Vec::new();
                    let mut done = 0;
                    for round in 0..ROUNDS {
                        let batch: Vec<_> = (0..8_u8)
                            .map(|index| {
                                let counter = (round.wrapping_mul(7) ^ index) % 5;
                                submission(Command::Add { counter, by: 1 }, 0, index)
                            })
                            .collect();
                        core.step(&batch, &mut answers);
                        for answer in &answers {
                            assert!(answer.as_ref().expect("answered").reply.is_ok());
                            done += 1;
                        }
                    }
                    done
                })
            })
            .collect();
        engines.into_iter().map(|engine| engine.join().expect("no engine panics")).collect()
    });
    let mut reader = core(&config, ENGINES + 1);
    let totals: u64 = (0..5).map(|counter| total(&mut reader, counter)).sum();
    assert_eq!(totals, done.iter().sum::<u64>());
    let mut versions: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    for lane in 1..=ENGINES {
        let records = open(&config, lane).read(1, 10_000).expect("read");
        assert_eq!(records.len() as u64, done[usize::from(lane) - 1]);
        for sealed in records {
            for touch in Record::<Counter>::decode(&sealed).expect("decoded").entry.touched {
                versions.entry(touch.key).or_default().push(touch.version);
            }
        }
    }
    for (key, mut versions) in versions {
        versions.sort_unstable();
        let last = reader.read(key).expect("read").expect("there").version;
        assert_eq!(versions, (1..=last).collect::<Vec<_>>(), "each version of {key:?} once");
    }
}

#[test]
fn one_request_at_two_engines_is_carried_out_once() {
    let Some(config) = database() else { return };
    let count = |answers: &[Answered<Counter>]| {
        answers.iter().filter(|answer| answer.as_ref().is_ok_and(|answer| !answer.repeated)).count()
    };
    let answers: Vec<Vec<Answered<Counter>>> = thread::scope(|scope| {
        let engines: Vec<_> = (1..=2)
            .map(|lane| {
                let config = &config;
                scope.spawn(move || {
                    let mut core = core(config, lane);
                    (0..60).map(|key| step(&mut core, Command::Add { counter: key % 3, by: 1 }, key)).collect()
                })
            })
            .collect();
        engines.into_iter().map(|engine| engine.join().expect("no engine panics")).collect()
    });
    assert!(answers.iter().flatten().all(Result::is_ok), "{answers:?}");
    assert_eq!(answers.iter().map(|answers| count(answers)).sum::<usize>(), 60);
    let mut reader = core(&config, 3);
    assert_eq!((0..3).map(|counter| total(&mut reader, counter)).sum::<u64>(), 60);
    // The third engine knows what the others were asked.
    let again = step(&mut reader, Command::Add { counter: 0, by: 1 }, 0).expect("answered");
    assert!(again.repeated);
    assert_eq!(step(&mut reader, Command::Add { counter: 0, by: 9 }, 60).map(|answer| answer.repeated), Ok(false));
}

#[test]
fn a_database_that_goes_away_and_comes_back_is_used_again() {
    let Some(config) = database() else { return };
    let mut core = core(&config, 1);
    assert!(step(&mut core, Command::Add { counter: 1, by: 1 }, 1).is_ok());
    cut_connections(&config);
    let away = step(&mut core, Command::Add { counter: 1, by: 1 }, 2);
    assert!(matches!(away, Err(EngineError::Unavailable(_))), "{away:?}");
    assert!(step(&mut core, Command::Add { counter: 1, by: 1 }, 2).is_ok_and(|answer| !answer.repeated));
    assert_eq!(total(&mut core, 1), 2);
}
