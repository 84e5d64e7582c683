//! Batching is invisible, and so is a crash for whatever was acknowledged.

use super::counter::{Command, Counter, Stage, request, submission};
use crate::core::{Core, Mode};
use crate::memory::{Disk, Fault, MemoryStore};
use crate::options::Options;
use crate::record::{Record, SealedRecord};
use crate::store::Stored;
use crate::submission::{Answered, EngineError, Submission};
use domain::{Domain, Key};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

fn command() -> impl Strategy<Value = Command> {
    const STAGES: [Stage; 5] = [Stage::Decide, Stage::Evolve, Stage::Assert, Stage::Unnamed, Stage::Begin];
    let stage = prop::sample::select(STAGES.as_slice());
    prop_oneof![
        8 => (0..6_u8, 0..400_u64).prop_map(|(counter, by)| Command::Add { counter, by }),
        4 => (0..6_u8, 0..6_u8, 0..400_u64).prop_map(|(from, to, by)| Command::Move { from, to, by }),
        3 => (0..3_u8, 0..6_u8).prop_map(|(pointer, counter)| Command::Point { pointer, counter }),
        4 => (0..3_u8).prop_map(|pointer| Command::Follow { pointer }),
        1 => (0..6_u8).prop_map(|counter| Command::Remove { counter }),
        1 => Just(Command::Sweep { counters: 40 }),
        1 => (0..6_u8, stage).prop_map(|(counter, stage)| Command::Panic { counter, stage }),
    ]
}

/// Commands with request keys that often repeat, and a clock that steps to and fro across hours.
fn sequence() -> impl Strategy<Value = Vec<Submission<Counter>>> {
    let one = (command(), prop::option::of((0..20_u8, 0..2_u8)), 0..3_u8, -20_000..400_000_i64);
    prop::collection::vec(one, 1..80).prop_map(|parts| {
        let mut at = 0;
        let mut made = Vec::new();
        for (command, key, actor, step) in parts {
            at += step;
            let mut submission = submission(command, at, actor);
            submission.request = key.map(|(key, body)| request(key, body));
            made.push(submission);
        }
        made
    })
}

fn options(refusals_journaled_max: u32) -> Options {
    Options {
        cache_rows_max: 8,
        generation_events_min: 5,
        tail_events_max: 12,
        refusals_journaled_max,
        refusals_of_service_journaled_max: refusals_journaled_max,
        refusal_actors_max: 2,
        replay_page_records_max: 4,
        ..Options::default()
    }
}

/// The rows without their arcs' identity, the records, and what was answered.
#[derive(Debug, PartialEq)]
struct Ending {
    answers: Vec<Answered<Counter>>,
    records: Vec<SealedRecord>,
    rows: BTreeMap<Key, Stored<<Counter as Domain>::Row>>,
}

fn open(disk: &Disk<Counter>, options: Options) -> Core<Counter, MemoryStore<Counter>> {
    disk.set_slice_rows(2);
    let store = MemoryStore::open(disk).expect("the disk is sound");
    let core = Core::open(store, Arc::new(()), options).expect("opened");
    assert_eq!(core.mode(), &Mode::Running);
    core
}

fn ending(disk: &Disk<Counter>, answers: Vec<Answered<Counter>>) -> Ending {
    Ending { answers, records: disk.records(1, 10_000), rows: disk.rows() }
}

/// Runs the sequence in batches of the given sizes, over and over.
fn run_split(sequence: &[Submission<Counter>], sizes: &[usize]) -> Ending {
    let disk = Disk::new();
    let mut core = open(&disk, options(2));
    let (mut all, mut answers) = (Vec::new(), Vec::new());
    let mut rest = sequence;
    for (round, &size) in sizes.iter().cycle().enumerate() {
        let (batch, later) = rest.split_at(size.min(rest.len()));
        core.step(batch, &mut answers);
        all.append(&mut answers);
        if round % 3 == 0 {
            core.idle();
        }
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    core.close().expect("closed");
    ending(&disk, all)
}

/// Replaying the journal from nothing arrives at exactly these rows.
fn assert_replay(ending: &Ending) {
    let mut rows: BTreeMap<Key, (u64, Option<_>)> = BTreeMap::new();
    for sealed in &ending.records {
        let record = Record::<Counter>::decode(sealed).expect("decoded");
        for touch in &record.entry.touched {
            let row = rows.entry(touch.key).or_default();
            row.0 += 1;
            assert_eq!(touch.version, row.0, "versions have no gaps");
        }
        let mut keys = Vec::new();
        for event in &record.entry.events {
            keys.clear();
            Counter::touches(event, &mut keys);
            for key in &keys {
                Counter::evolve(*key, &mut rows.get_mut(key).expect("touched").1, event);
            }
        }
    }
    let stored: BTreeMap<_, _> =
        ending.rows.iter().map(|(key, stored)| (*key, (stored.version, stored.row.as_deref().cloned()))).collect();
    assert_eq!(rows, stored);
}

/// Runs the sequence with faults; after a crash, whoever got no answer asks again with the next batch.
fn run_faulty(sequence: &[Submission<Counter>], size: usize, faults: &[(usize, Fault)]) -> Ending {
    let disk = Disk::new();
    let mut core = open(&disk, options(u32::MAX));
    let mut all = Vec::new();
    let mut answers = Vec::new();
    let mut faults = faults.iter().cycle();
    for (index, batch) in sequence.chunks(size).enumerate() {
        if let Some(&(period, fault)) = faults.next()
            && index % period == 0
            && disk.armed() == 0
        {
            disk.arm(fault);
        }
        loop {
            let before = disk.records(1, 10_000).len();
            core.step(batch, &mut answers);
            core.idle();
            let crashed = matches!(core.mode(), Mode::Dead(_));
            let failed = answers
                .iter()
                .any(|answer| matches!(answer, Err(EngineError::Halted(_) | EngineError::Unavailable(_))));
            if crashed {
                core = open(&disk, options(u32::MAX));
            }
            if !failed {
                break;
            }
            // Nobody was told: if the batch is durable all the same, it is not done again.
            if disk.records(1, 10_000).len() > before {
                answers.clear();
                break;
            }
        }
        all.append(&mut answers);
    }
    disk.disarm();
    core.close().expect("closed");
    ending(&disk, all)
}

fn fault() -> impl Strategy<Value = (usize, Fault)> {
    let fault = prop_oneof![
        Just(Fault::CommitUnavailable),
        Just(Fault::LoadUnavailable),
        Just(Fault::CrashBeforeCommit),
        (0..5_000_usize).prop_map(|bytes| Fault::TornCommit { bytes }),
        Just(Fault::CrashAfterCommit),
        (0..4_usize).prop_map(|rows| Fault::CrashInWriteBack { rows }),
    ];
    (1..4_usize, fault)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_split_gives_the_same(
        sequence in sequence(),
        sizes in prop::collection::vec(1..30_usize, 1..6),
    ) {
        let together = run_split(&sequence, &[sequence.len()]);
        assert_replay(&together);
        prop_assert_eq!(&run_split(&sequence, &[1]), &together);
        prop_assert_eq!(&run_split(&sequence, &sizes), &together);
    }

    #[test]
    fn a_crash_loses_nothing_that_was_acknowledged(
        sequence in sequence(),
        size in 1..12_usize,
        faults in prop::collection::vec(fault(), 1..5),
    ) {
        let smooth = run_faulty(&sequence, size, &[]);
        let faulty = run_faulty(&sequence, size, &faults);
        assert_replay(&faulty);
        prop_assert_eq!(&faulty.records, &smooth.records);
        prop_assert_eq!(&faulty.rows, &smooth.rows);
        for answer in &faulty.answers {
            prop_assert!(smooth.answers.contains(answer), "acknowledged, but not the same: {:?}", answer);
        }
    }
}
