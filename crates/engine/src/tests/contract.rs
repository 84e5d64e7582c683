//! The contract that every store keeps. [`check`] runs all of it on stores of any kind.
//!
//! `fresh` makes a new empty place and gives a function that opens it; opened again, it must show what was durable.

use super::counter::{Command, Counter, Row, counter_key, pointer_key, submission, with_request};
use crate::core::{Core, Mode};
use crate::memory::{Disk, MemoryStore};
use crate::options::Options;
use crate::record::{Place, Record, SealedRecord, chain};
use crate::store::{Changed, Commit, Generation, Head, Store, StoreError, Stored};
use crate::submission::Submission;
use domain::{Domain, Key, Time};
use std::sync::Arc;

/// Runs the whole contract.
pub(crate) fn check<S: Store<Counter>, O: FnMut() -> S>(fresh: impl Fn() -> O) {
    an_empty_store_has_nothing(fresh());
    a_commit_is_read_back(fresh());
    another_head_is_fenced(fresh());
    if fresh()().is_shared() {
        rows_are_saved_with_their_commit(fresh());
    } else {
        rows_are_written_late(fresh());
        a_later_generation_wins(fresh());
    }
    requests_are_found(fresh());
    reads_page(fresh());
    a_core_does_the_same_as_in_memory(fresh());
}

fn place(n: u64) -> Place {
    Place { lane: 1, n }
}

fn sealed(head: Head, count: u64) -> Vec<SealedRecord> {
    let mut head = head;
    (0..count)
        .map(|index| {
            let at = Time::from_milliseconds(1_000 + index.cast_signed());
            let place = place(head.place.n + 1);
            let bytes = vec![1, u8::try_from(place.n % 251).expect("below 251"), 7];
            let hash = chain(Counter::NAME, head.epoch, &head.hash, place, at, &bytes);
            head = Head { place, at, hash, ..head };
            SealedRecord { place, at, bytes, hash }
        })
        .collect()
}

fn head_of(epoch: u64, records: &[SealedRecord]) -> Head {
    let last = records.last().expect("some records");
    Head { epoch, place: last.place, at: last.at, hash: last.hash }
}

fn commit<S: Store<Counter>>(store: &mut S, head: Head, count: u64) -> Head {
    let records = sealed(head, count);
    store.commit(&Commit { expected: head, records: &records, requests: &[], changed: &[] }).expect("committed");
    head_of(head.epoch, &records)
}

fn changed(key: Key, version: u64, n: u64, total: u64) -> Changed<Row> {
    let row = Some(Arc::new(Row::Counter { total, tried: 0 }));
    Changed { key, stored: Stored { version, place: place(n), row } }
}

/// A record after `head`, and one new row that it could have made.
pub(crate) fn one_row(head: Head, key: Key, total: u64) -> (Vec<SealedRecord>, Vec<Changed<Row>>) {
    (sealed(head, 1), vec![changed(key, 1, head.place.n + 1, total)])
}

fn an_empty_store_has_nothing<S: Store<Counter>>(mut open: impl FnMut() -> S) {
    let mut store = open();
    let recovered = store.recovered();
    assert_eq!((recovered.head.place, recovered.head.hash, recovered.watermark), (place(0), [0; 32], 0));
    assert_eq!(store.load(&[counter_key(1), pointer_key(1)]), Ok(vec![None, None]));
    assert_eq!(store.read(1, 10), Ok(vec![]));
    assert_eq!(store.find_request(&[1; 16]), Ok(None));
    assert_eq!(store.written_back(true), Ok(0));
}

fn a_commit_is_read_back<S: Store<Counter>>(mut open: impl FnMut() -> S) {
    let mut store = open();
    let head = store.recovered().head;
    let records = sealed(head, 3);
    store.commit(&Commit { expected: head, records: &records, requests: &[], changed: &[] }).expect("committed");
    assert_eq!(store.read(1, 10).expect("read"), records);
    drop(store);
    let mut store = open();
    assert_eq!(store.recovered().head, head_of(store.recovered().head.epoch, &records));
    assert_eq!(store.recovered().watermark, if store.is_shared() { 3 } else { 0 });
    assert_eq!(store.read(1, 10).expect("read"), records);
}

fn another_head_is_fenced<S: Store<Counter>>(mut open: impl FnMut() -> S) {
    let mut store = open();
    let head = store.recovered().head;
    let after = commit(&mut store, head, 2);
    let records = sealed(head, 1);
    let result = store.commit(&Commit { expected: head, records: &records, requests: &[], changed: &[] });
    assert!(matches!(result, Err(StoreError::Fenced(_))), "{result:?}");
    drop(store);
    assert_eq!(open().recovered().head.place, after.place);
}

fn rows_are_written_late<S: Store<Counter>>(mut open: impl FnMut() -> S) {
    let mut store = open();
    let head = store.recovered().head;
    commit(&mut store, head, 5);
    let removed = Changed { key: counter_key(9), stored: Stored { version: 2, place: place(4), row: None } };
    let pointer = Changed {
        key: pointer_key(1),
        stored: Stored { version: 1, place: place(1), row: Some(Arc::new(Row::Pointer { counter: 3 })) },
    };
    let rows = vec![changed(counter_key(7), 3, 5, 70), removed, pointer, changed(counter_key(2), 1, 2, 20)];
    let keys: Vec<Key> = rows.iter().map(|row| row.key).collect();
    let expected: Vec<_> = rows.iter().map(|row| Some(row.stored.clone())).collect();
    let given_back = store.write_back(Generation { number: 1, watermark: 5, rows }, false).expect("taken");
    assert!(given_back.is_none(), "an idle store takes a generation");
    assert_eq!(store.written_back(true), Ok(1));
    assert_eq!(store.load(&keys).expect("loaded"), expected);
    drop(store);
    let mut store = open();
    assert_eq!(store.recovered().watermark, 5);
    assert_eq!(store.load(&keys).expect("loaded"), expected);
    assert_eq!(store.load(&[counter_key(8)]), Ok(vec![None]));
}

/// What a shared store has committed, everybody sees at once: rows too.
fn rows_are_saved_with_their_commit<S: Store<Counter>>(mut open: impl FnMut() -> S) {
    let mut store = open();
    let mut head = store.recovered().head;
    let mut save = |store: &mut S, rows: &[Changed<Row>]| {
        let keys: Vec<Key> = rows.iter().map(|row| row.key).collect();
        let before = store.load(&keys).expect("loaded");
        let records = sealed(head, 2);
        let commit = Commit { expected: head, records: &records, requests: &[], changed: rows };
        store.commit(&commit).expect("committed");
        head = head_of(head.epoch, &records);
        let expected: Vec<_> = rows.iter().map(|row| Some(row.stored.clone())).collect();
        assert_eq!(store.load_published(&keys).expect("loaded"), expected);
        before
    };
    let pointer = |counter, version, n| Changed {
        key: pointer_key(1),
        stored: Stored { version, place: place(n), row: Some(Arc::new(Row::Pointer { counter })) },
    };
    let removed = Changed { key: counter_key(9), stored: Stored { version: 3, place: place(3), row: None } };
    let first = [changed(counter_key(9), 2, 2, 20), pointer(3, 1, 1), changed(counter_key(2), 1, 2, 7)];
    assert_eq!(save(&mut store, &first), vec![None, None, None]);
    let before = save(&mut store, &[removed.clone(), changed(counter_key(5), 1, 3, 50), pointer(4, 2, 4)]);
    assert_eq!(before, vec![Some(first[0].stored.clone()), None, Some(first[1].stored.clone())]);
    drop(store);
    let mut store = open();
    assert_eq!(store.recovered().watermark, 4);
    let keys = [counter_key(9), counter_key(2), counter_key(8)];
    let expected = vec![Some(removed.stored), Some(first[2].stored.clone()), None];
    assert_eq!(store.load(&keys).expect("loaded"), expected);
    store.release();
}

fn a_later_generation_wins<S: Store<Counter>>(mut open: impl FnMut() -> S) {
    let mut store = open();
    let head = store.recovered().head;
    commit(&mut store, head, 9);
    for number in 1..=3 {
        let rows = vec![changed(counter_key(1), number, number * 3, number), changed(counter_key(100), number, 1, 0)];
        let generation = Generation { number, watermark: number * 3, rows };
        assert!(store.write_back(generation, true).expect("taken").is_none(), "a waiting store takes it");
    }
    assert_eq!(store.written_back(true), Ok(3));
    let rows = store.load(&[counter_key(1)]).expect("loaded");
    assert_eq!(rows, vec![Some(changed(counter_key(1), 3, 9, 3).stored)]);
    drop(store);
    assert_eq!(open().recovered().watermark, 9);
}

/// Only a journal that can be decoded can be asked for its requests again, so a core writes this one.
fn requests_are_found<S: Store<Counter>>(mut open: impl FnMut() -> S) {
    let mut core = open_core(open());
    run(&mut core, &[with_request(Command::Add { counter: 1, by: 1 }, 4, 0)]);
    run(&mut core, &[with_request(Command::Add { counter: 1, by: 1 }, 5, 0)]);
    assert_eq!(core.store().find_request(&[5; 16]), Ok(Some(2)));
    drop(core);
    let mut store = open();
    assert_eq!(store.find_request(&[4; 16]), Ok(Some(1)));
    assert_eq!(store.find_request(&[5; 16]), Ok(Some(2)));
    assert_eq!(store.find_request(&[6; 16]), Ok(None));
}

fn reads_page<S: Store<Counter>>(mut open: impl FnMut() -> S) {
    let mut store = open();
    let head = store.recovered().head;
    let head = commit(&mut store, head, 600);
    commit(&mut store, head, 1);
    let numbers = |page: Vec<SealedRecord>| page.iter().map(|record| record.place.n).collect::<Vec<_>>();
    assert_eq!(numbers(store.read(1, 3).expect("read")), [1, 2, 3]);
    assert_eq!(numbers(store.read(599, 10).expect("read")), [599, 600, 601]);
    assert_eq!(numbers(store.read(602, 10).expect("read")), [0; 0]);
    assert_eq!(store.read(1, 10_000).expect("read").len(), 601);
}

fn open_core<S: Store<Counter>>(store: S) -> Core<Counter, S> {
    let core = Core::open(store, Arc::new(()), Options { cache_rows_max: 64, ..Options::default() }).expect("opened");
    assert_eq!(core.status().mode, Mode::Running);
    core
}

fn run<S: Store<Counter>>(core: &mut Core<Counter, S>, batch: &[Submission<Counter>]) -> String {
    let mut answers = Vec::new();
    core.step(batch, &mut answers);
    format!("{answers:?}")
}

/// A script with closed and crashed engines in between gives the same answers and records on every store.
fn a_core_does_the_same_as_in_memory<S: Store<Counter>>(mut open: impl FnMut() -> S) {
    let disk = Disk::<Counter>::new();
    let mut expected = open_core(MemoryStore::open(&disk).expect("opened"));
    let mut actual = open_core(open());
    for round in 0..12_u8 {
        let batch: Vec<_> = (0..40_u8)
            .map(|index| {
                let (counter, by) = (index % 23, u64::from(round) * 4 + u64::from(index));
                let command = match index % 7 {
                    0 | 1 => Command::Add { counter, by },
                    2 => Command::Move { from: counter, to: counter / 2, by },
                    3 => Command::Point { pointer: index % 5, counter },
                    4 => Command::Follow { pointer: index % 5 },
                    5 => Command::Remove { counter: counter / 3 },
                    _ => Command::Sweep { counters: 40 },
                };
                let mut submission = submission(command, i64::from(round) * 700, index % 3);
                submission.request = Some(super::counter::request(round.wrapping_mul(31) ^ index, 0));
                submission
            })
            .collect();
        assert_eq!(run(&mut actual, &batch), run(&mut expected, &batch), "round {round}");
        match round % 4 {
            0 => {
                actual.idle();
            }
            1 => {
                actual.close().expect("closed");
                actual = open_core(open());
            }
            2 => {
                drop(actual);
                actual = open_core(open());
            }
            _ => {}
        }
    }
    let records = actual.store().read(1, 10_000).expect("read");
    let said = |records: &[SealedRecord]| -> Vec<_> {
        records.iter().map(|record| (record.place, record.at, record.bytes.clone())).collect()
    };
    assert_eq!(said(&records), said(&disk.records(1, 10_000)));
    // A lane that is taken anew has another epoch, which its hashes cover.
    if !actual.store().is_shared() {
        assert_eq!(actual.status().head.hash, expected.status().head.hash);
        assert_eq!(records, disk.records(1, 10_000));
    }
    for sealed in &records {
        Record::<Counter>::decode(sealed).expect("decoded");
    }
    for counter in 0..40 {
        assert_eq!(actual.read(counter_key(counter)), expected.read(counter_key(counter)), "counter {counter}");
    }
}

#[test]
fn the_memory_store_keeps_the_contract() {
    check(|| {
        let disk = Disk::new();
        move || MemoryStore::open(&disk).expect("the disk is sound")
    });
}
