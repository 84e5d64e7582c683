//! What the core answers: repeats, defects, failed commits, bounded refusals, time, and damage found at a restart.

use super::counter::{Command, Counter, Receipt, Refusal, Row, Stage, counter_key, request, submission, with_request};
use crate::clock::Believed;
use crate::core::{Core, Mode};
use crate::encoding::ENTRY_BYTES_MAX;
use crate::memory::{Disk, Fault, MemoryStore};
use crate::options::{AGGREGATED_A_COMMAND_MAX, Options};
use crate::record::{ActorKind, Outcome, Record, SealedRecord};
use crate::store::{Commit, Generation, Recovered, Store, StoreError, Stored};
use crate::submission::{Answered, EngineError, Submission};
use domain::{Key, Time};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

type MemoryCore = Core<Counter, MemoryStore<Counter>>;

const ADD: Command = Command::Add { counter: 1, by: 10 };

fn open_with(disk: &Disk<Counter>, options: Options) -> MemoryCore {
    let store = MemoryStore::open(disk).expect("the disk is sound");
    Core::open(store, Arc::new(()), options).expect("opened")
}

fn open(disk: &Disk<Counter>) -> MemoryCore {
    open_with(disk, Options { cache_rows_max: 64, refusals_journaled_max: 3, ..Options::default() })
}

fn step(core: &mut MemoryCore, batch: &[Submission<Counter>]) -> Vec<Answered<Counter>> {
    let mut answers = Vec::new();
    core.step(batch, &mut answers);
    answers
}

/// An answer in a few words: `10`, `full 5`, `=10` for a repeat, `(full 5)` if it was only counted.
fn words(answer: &Answered<Counter>) -> String {
    match answer {
        Ok(answer) => {
            let reply = match &answer.reply {
                Ok(Receipt { total, .. }) => total.to_string(),
                Err(Refusal::Full { total }) => format!("full {total}"),
                Err(Refusal::NoPointer) => "no pointer".into(),
            };
            let reply = if answer.place.is_none() { format!("({reply})") } else { reply };
            if answer.repeated { format!("={reply}") } else { reply }
        }
        Err(EngineError::Defect { place }) => format!("defect {}", place.n),
        Err(EngineError::KeyReused) => "reused".into(),
        Err(EngineError::Unavailable(_)) => "unavailable".into(),
        Err(EngineError::Halted(_)) => "halted".into(),
        Err(EngineError::Busy) => "busy".into(),
        Err(EngineError::RefusedTooOften { again_at, .. }) => format!("again at {}", again_at.milliseconds()),
        Err(EngineError::Stopped) => "stopped".into(),
    }
}

fn check(core: &mut MemoryCore, batch: &[Submission<Counter>], expected: &str) {
    let answers: Vec<String> = step(core, batch).iter().map(words).collect();
    assert_eq!(answers.join(", "), expected);
}

fn outcomes(disk: &Disk<Counter>) -> Vec<Outcome<Counter>> {
    let records = disk.records(1, 1_000);
    records.iter().map(|sealed| Record::<Counter>::decode(sealed).expect("decoded").entry.outcome).collect()
}

#[test]
fn a_repeated_request_gets_the_first_answer() {
    let disk = Disk::new();
    let mut core = open(&disk);
    let first = with_request(ADD, 7, 0);
    check(
        &mut core,
        &[first.clone(), first.clone(), with_request(ADD, 7, 9), submission(ADD, 0, 1)],
        "10, =10, reused, 20",
    );
    check(&mut core, &[first.clone(), with_request(ADD, 7, 9), with_request(ADD, 8, 0)], "=10, reused, 30");
    drop(core);
    let mut core = open(&disk);
    check(&mut core, &[with_request(ADD, 8, 0), first, with_request(ADD, 7, 9)], "=30, =10, reused");
    assert_eq!(core.status().head.place.n, 3, "a repeat leaves no record");
}

#[test]
fn a_repeated_refusal_is_the_same_refusal() {
    let disk = Disk::new();
    let mut core = open(&disk);
    let refused = with_request(Command::Add { counter: 1, by: 2_000 }, 7, 0);
    check(&mut core, &[refused.clone(), submission(ADD, 0, 1), refused], "full 0, 10, =full 0");
}

#[test]
fn a_key_that_was_asked_for_more_has_no_answer_yet() {
    let disk = Disk::new();
    let mut core = open(&disk);
    let follow = with_request(Command::Follow { pointer: 1 }, 7, 0);
    check(&mut core, &[follow.clone(), follow.clone()], "no pointer, no pointer");
    assert_eq!(core.recall(request(7, 0)), Ok(None));
    drop(core);
    let mut core = open(&disk);
    let point = submission(Command::Point { pointer: 1, counter: 1 }, 0, 1);
    check(&mut core, &[follow.clone(), point, follow.clone(), follow.clone()], "no pointer, 0, 1, =1");
    check(&mut core, &[follow, with_request(Command::Follow { pointer: 1 }, 7, 9)], "=1, reused");
    let recalled = core.recall(request(7, 0)).map(|answer| answer.map(|answer| words(&Ok(answer))));
    assert_eq!(recalled, Ok(Some("=1".into())));
    assert_eq!(core.recall(request(7, 9)), Err(EngineError::KeyReused));
    assert_eq!(core.recall(request(8, 0)), Ok(None));
    assert_eq!(core.status().head.place.n, 5, "to recall leaves no record");
    // Beyond the hour's bound it is said all the same: no key is bound by it.
    let lost = with_request(Command::Follow { pointer: 2 }, 8, 0);
    check(
        &mut core,
        &[lost.clone(), lost.clone(), lost.clone(), lost],
        "no pointer, no pointer, (no pointer), (no pointer)",
    );
}

#[test]
fn a_defect_hurts_one_command() {
    for stage in [Stage::Decide, Stage::Evolve, Stage::Assert, Stage::Unnamed, Stage::Begin] {
        let disk = Disk::new();
        let mut core = open(&disk);
        let curse = with_request(Command::Panic { counter: 1, stage }, 5, 0);
        let batch = [submission(ADD, 0, 1), curse.clone(), submission(ADD, 0, 1), curse.clone(), submission(ADD, 0, 1)];
        check(&mut core, &batch, "10, defect 2, 20, defect 2, 30");
        check(&mut core, &[submission(ADD, 0, 1), curse], "40, defect 2");
        assert_eq!(core.status().defects, 1);
        assert!(core.status().defect_last.is_some_and(|last| last.starts_with("record 2: ")));
        assert!(matches!(outcomes(&disk)[1], Outcome::Defect(_)));
        drop(core);
        let row = open(&disk).read(counter_key(1)).expect("read").expect("there");
        assert_eq!((row.version, row.row), (4, Some(Arc::new(Row::Counter { total: 40, tried: 0 }))));
    }
}

#[test]
fn defects_beyond_the_bound_are_counted() {
    let disk = Disk::new();
    let mut core = open(&disk);
    let hour = 3_600_000;
    let curse = |key| with_request(Command::Panic { counter: 1, stage: Stage::Assert }, key, 0);
    let refused = submission(Command::Add { counter: 1, by: 2_000 }, 0, 1);
    let batch = [curse(1), refused.clone(), curse(2), curse(3), submission(ADD, 0, 1), refused, curse(1), curse(3)];
    let again = "again at 3600000";
    check(&mut core, &batch, &format!("defect 1, full 0, defect 3, {again}, 10, (full 10), defect 1, {again}"));
    assert_eq!((core.status().defects, core.status().refusals_counted), (4, 3));
    assert_eq!(outcomes(&disk).len(), 4, "what is beyond the bound leaves no record");
    let later = Submission { at: Time::from_milliseconds(hour), ..curse(3) };
    check(&mut core, &[later], "defect 6");
    assert_eq!(outcomes(&disk)[4], Outcome::Aggregated { refusals: 3 });
}

#[test]
fn a_command_too_long_to_be_kept_hurts_itself_alone() {
    let disk = Disk::new();
    let mut core = open(&disk);
    let mut wordy = with_request(ADD, 5, 0);
    wordy.reason = Some("語".repeat(ENTRY_BYTES_MAX));
    check(&mut core, &[submission(ADD, 0, 1), wordy.clone(), submission(ADD, 0, 1)], "10, defect 2, 20");
    check(&mut core, &[wordy, submission(ADD, 0, 1)], "defect 2, 30");
    assert_eq!(core.mode(), &Mode::Running);
}

#[test]
fn a_failed_commit_leaves_nothing() {
    let disk = Disk::new();
    let mut core = open(&disk);
    check(&mut core, &[with_request(ADD, 1, 0)], "10");
    disk.arm(Fault::CommitUnavailable);
    check(&mut core, &[with_request(ADD, 2, 0), submission(ADD, 0, 1)], "unavailable, unavailable");
    check(&mut core, &[with_request(ADD, 2, 0)], "20");
    disk.arm(Fault::LoadUnavailable);
    check(&mut core, &[submission(Command::Add { counter: 2, by: 1 }, 0, 1)], "unavailable");
    check(&mut core, &[submission(Command::Add { counter: 2, by: 1 }, 0, 1)], "1");
    let row = core.read(counter_key(1)).expect("read").expect("there");
    assert_eq!((row.version, row.place.n), (2, 2));
}

#[test]
fn a_failed_commit_takes_its_counted_refusals_back() {
    let disk = Disk::new();
    let mut core = open(&disk);
    let refused = submission(Command::Add { counter: 1, by: 2_000 }, 0, 1);
    check(&mut core, &[refused.clone(), refused.clone()], "full 0, full 0");
    disk.arm(Fault::CommitUnavailable);
    check(&mut core, &[refused.clone(), refused.clone()], "unavailable, unavailable");
    check(&mut core, &[refused.clone(), refused], "full 0, (full 0)");
    assert_eq!(core.status().refusals_counted, 1);
}

#[test]
fn a_crash_in_the_commit_halts_and_a_restart_knows() {
    for (fault, total) in [
        (Fault::CrashBeforeCommit, 10),
        (Fault::TornCommit { bytes: 0 }, 10),
        (Fault::TornCommit { bytes: 60 }, 10),
        (Fault::TornCommit { bytes: 1 << 20 }, 10),
        (Fault::CrashAfterCommit, 20),
    ] {
        let disk = Disk::new();
        let mut core = open(&disk);
        check(&mut core, &[submission(ADD, 0, 1)], "10");
        disk.arm(fault);
        check(&mut core, &[with_request(ADD, 1, 0)], "halted");
        assert!(matches!(core.mode(), Mode::Dead(_)), "{fault:?}");
        check(&mut core, &[submission(ADD, 0, 1)], "halted");
        assert!(disk.has_crashed());
        let mut core = open(&disk);
        let row = core.read(counter_key(1)).expect("read").expect("there").row;
        assert_eq!(row, Some(Arc::new(Row::Counter { total, tried: 0 })), "{fault:?}");
        check(&mut core, &[with_request(ADD, 1, 0)], if total == 20 { "=20" } else { "20" });
        assert_eq!(disk.fired().get(fault.name()), Some(&1));
    }
}

#[test]
fn an_engine_that_was_replaced_is_fenced() {
    let disk = Disk::new();
    let mut core = open(&disk);
    let mut successor = open(&disk);
    check(&mut core, &[submission(ADD, 0, 1)], "halted");
    check(&mut successor, &[submission(ADD, 0, 1)], "10");
}

#[test]
fn a_shop_hears_why_where_a_person_is_told_to_come_again() {
    let disk = Disk::new();
    let options = Options { refusals_journaled_max: 1, refusals_of_service_journaled_max: 3, ..Options::default() };
    let mut core = open_with(&disk, options);
    let refused = |kind, key| {
        let mut submission = with_request(Command::Add { counter: 1, by: 2_000 }, key, 0);
        submission.actor.kind = kind;
        submission
    };
    let mut check_kind = |kind, first: u8, expected: &str| {
        let batch: Vec<_> = (first..first + 4).map(|key| refused(kind, key)).collect();
        check(&mut core, &batch, expected);
    };
    let again = "again at 3600000";
    for (first, kind) in [(0, ActorKind::Anyone), (10, ActorKind::Holder)] {
        let beyond = if kind == ActorKind::Anyone { "(full 0)" } else { again };
        check_kind(kind, first, &format!("full 0, {beyond}, {beyond}, {beyond}"));
    }
    for (first, kind) in
        [(20, ActorKind::Shop), (30, ActorKind::Operator), (40, ActorKind::Bank), (50, ActorKind::System)]
    {
        check_kind(kind, first, &format!("full 0, full 0, full 0, {again}"));
    }
}

#[test]
fn refusals_beyond_the_bound_are_counted() {
    let disk = Disk::new();
    let mut core = open(&disk);
    let hour = 3_600_000;
    let refused = |at, actor| submission(Command::Add { counter: 1, by: 2_000 }, at, actor);
    let batch: Vec<_> = (0..5).map(|_| refused(0, 1)).chain([refused(1, 2)]).collect();
    check(&mut core, &batch, "full 0, full 0, full 0, (full 0), (full 0), full 0");
    assert_eq!(core.status().refusals_counted, 2);
    check(&mut core, &[submission(ADD, hour, 2), refused(hour, 1)], "10, full 10");
    assert_eq!(outcomes(&disk)[4], Outcome::Aggregated { refusals: 2 });
    check(&mut core, &[refused(hour, 1), refused(hour, 1), refused(hour, 1)], "full 10, full 10, (full 10)");
    core.close().expect("closed");
    assert_eq!(outcomes(&disk).last(), Some(&Outcome::Aggregated { refusals: 1 }));
}

#[test]
fn a_request_key_never_carries_two_answers() {
    let disk = Disk::new();
    let mut core = open(&disk);
    let hour = 3_600_000;
    let refused = |key| with_request(Command::Add { counter: 1, by: 2_000 }, key, 0);
    let later = |submission: Submission<Counter>| Submission { at: Time::from_milliseconds(hour), ..submission };
    check(&mut core, &[refused(1), refused(2), refused(3)], "full 0, full 0, full 0");
    check(&mut core, &[refused(4), refused(4), refused(1)], "again at 3600000, again at 3600000, =full 0");
    assert_eq!(core.status().refusals_counted, 2, "what is not answered is counted all the same");
    // A key that was not answered is anybody's to use; from its answer on it is that command's alone.
    check(&mut core, &[with_request(ADD, 4, 9), refused(4), with_request(ADD, 4, 9)], "10, reused, =10");
    check(&mut core, &[refused(5)], "again at 3600000");
    check(
        &mut core,
        &[later(refused(5)), later(with_request(ADD, 5, 9)), later(refused(5))],
        "full 10, reused, =full 10",
    );
    drop(core);
    let mut core = open(&disk);
    check(&mut core, &[later(refused(5)), later(refused(4))], "=full 10, reused");
}

#[test]
fn an_hour_that_ends_spreads_its_counts_over_commands() {
    let (hour, callers) = (3_600_000, 19);
    let refused = |actor| submission(Command::Add { counter: 1, by: 2_000 }, 0, actor);
    let crowd: Vec<_> = (0..4 * callers).map(|index| refused(index % callers)).collect();
    let after: Vec<_> = (0..4).map(|later| submission(ADD, hour + later, 1)).collect();
    let run = |size: usize, fails: bool| {
        let disk = Disk::new();
        let mut core = open(&disk);
        step(&mut core, &crowd);
        for batch in after.chunks(size) {
            if fails {
                disk.arm(Fault::CommitUnavailable);
                assert!(step(&mut core, batch).iter().all(Result::is_err));
            }
            step(&mut core, batch);
        }
        core.close().expect("closed");
        outcomes(&disk).split_off(3 * usize::from(callers))
    };
    let expected = run(1, false);
    let aggregated = |outcomes: &[Outcome<Counter>]| {
        outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Aggregated { .. })).count()
    };
    let share = AGGREGATED_A_COMMAND_MAX;
    assert_eq!(aggregated(&expected[..share]), share, "the first command's share");
    assert_eq!(aggregated(&expected[share + 1..=2 * share]), share, "the second one's");
    assert_eq!((aggregated(&expected), expected.len()), (callers.into(), usize::from(callers) + after.len()));
    for (size, fails) in [(1, true), (2, false), (3, true), (4, true)] {
        assert_eq!(run(size, fails), expected, "in batches of {size}");
    }
    let disk = Disk::new();
    let mut core = open(&disk);
    step(&mut core, &crowd);
    core.close().expect("closed");
    assert_eq!(aggregated(&outcomes(&disk)), usize::from(callers), "a stop journals what was counted");
}

#[test]
fn time_never_steps_back() {
    let disk = Disk::new();
    let mut core = open(&disk);
    let mut look = |at: i64| {
        let answers = step(&mut core, &[submission(Command::Add { counter: 2, by: 1 }, at, 1)]);
        let receipt = answers[0].clone().expect("answered").reply.expect("done");
        (receipt.now.milliseconds(), receipt.clock_drifted)
    };
    assert_eq!(look(50_000), (50_000, false));
    assert_eq!(look(49_000), (50_000, false));
    assert_eq!(look(40_000), (50_000, false));
    assert_eq!(look(39_999), (50_000, true));
    assert_eq!(look(50_001), (50_001, false));
    drop(core);
    let mut core = open(&disk);
    let mut believe = |is_trusted, time_max, at| {
        core.believe_clock(Believed { is_trusted, time_max: Time::from_milliseconds(time_max) });
        assert_eq!(core.status().clock_trusted, is_trusted);
        let answers = step(&mut core, &[submission(ADD, at, 1)]);
        let receipt = answers[0].clone().expect("answered").reply.expect("done");
        (receipt.now.milliseconds(), receipt.clock_drifted)
    };
    assert_eq!(believe(false, 50_000, 1), (50_001, true));
    assert_eq!(believe(false, 50_007, 9_000_000), (50_007, true), "the estimate, not what the clock says");
    assert_eq!(believe(false, 50_009, 50_000), (50_009, true));
    assert_eq!(believe(true, 60_000, 60_000), (60_000, false));
    assert_eq!(believe(true, 60_001, 60_002), (60_001, true), "sent before the clock was set right");
}

/// A store whose disk takes batches and no rows, until it is told to.
struct Clogged(MemoryStore<Counter>, Arc<AtomicBool>);

impl Store<Counter> for Clogged {
    fn recovered(&self) -> Recovered {
        self.0.recovered()
    }

    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Stored<Row>>>, StoreError> {
        self.0.load(keys)
    }

    fn commit(&mut self, commit: &Commit<'_, Counter>) -> Result<(), StoreError> {
        self.0.commit(commit)
    }

    fn read(&mut self, from: u64, limit: usize) -> Result<Vec<SealedRecord>, StoreError> {
        self.0.read(from, limit)
    }

    fn find_request(&mut self, key: &[u8; 16]) -> Result<Option<u64>, StoreError> {
        self.0.find_request(key)
    }

    fn write_back(
        &mut self,
        generation: Generation<Counter>,
        wait: bool,
    ) -> Result<Option<Generation<Counter>>, StoreError> {
        self.0.write_back(generation, wait)
    }

    fn written_back(&mut self, wait: bool) -> Result<u64, StoreError> {
        if self.1.load(Ordering::Relaxed) && wait {
            return Err(StoreError::Unavailable("no row can be written".into()));
        }
        if self.1.load(Ordering::Relaxed) { Ok(0) } else { self.0.written_back(wait) }
    }

    fn wait_for_write_back(&mut self, _milliseconds_max: u64) {}
}

#[test]
fn the_status_says_that_rows_wait_for_the_disk() {
    let disk = Disk::new();
    let clogged = Arc::new(AtomicBool::new(true));
    let store = Clogged(MemoryStore::open(&disk).expect("the disk is sound"), Arc::clone(&clogged));
    let options = Options { generation_events_min: 1, tail_events_max: 2, ..Options::default() };
    let mut core = Core::open(store, Arc::new(()), options).expect("opened");
    let mut answers = Vec::new();
    for _ in 0..3 {
        core.step(&[submission(ADD, 0, 1)], &mut answers);
        assert!(answers[0].is_ok(), "{answers:?}");
    }
    assert!(core.status().held_up.is_some_and(|what| what.contains("no row can be written")));
    core.step(&[submission(ADD, 0, 1)], &mut answers);
    assert!(matches!(answers[0], Err(EngineError::Unavailable(_))), "{answers:?}");
    clogged.store(false, Ordering::Relaxed);
    core.step(&[submission(ADD, 0, 1)], &mut answers);
    assert!(answers[0].is_ok() && core.status().held_up.is_none(), "{answers:?}");
}

#[test]
fn a_row_that_lags_behind_the_watermark_opens_read_only() {
    let disk = Disk::new();
    let mut core = open(&disk);
    check(&mut core, &[submission(ADD, 0, 1), submission(ADD, 0, 1)], "10, 20");
    core.idle();
    core.close().expect("closed");
    let mut core = open(&disk);
    check(&mut core, &[submission(ADD, 0, 1)], "30");
    drop(core);
    let row = disk.rows()[&counter_key(1)].clone();
    disk.plant_row(counter_key(1), Some(Stored { version: 1, ..row }));
    let mut core = open(&disk);
    let Mode::ReadOnly(what) = core.mode().clone() else { panic!("{:?}", core.mode()) };
    assert!(what.contains("record 3") && what.contains("version 1"), "{what}");
    check(&mut core, &[submission(ADD, 0, 1)], "halted");
    assert!(core.read(counter_key(1)).is_ok(), "reads still work");
    assert_eq!(disk.records(1, 10).len(), 3, "nothing is written");
}

#[test]
fn a_row_that_cannot_take_its_event_opens_read_only() {
    let disk = Disk::new();
    let mut core = open(&disk);
    check(&mut core, &[submission(ADD, 0, 1)], "10");
    core.close().expect("closed");
    let mut core = open(&disk);
    check(&mut core, &[submission(ADD, 0, 1)], "20");
    drop(core);
    let row = disk.rows()[&counter_key(1)].clone();
    disk.plant_row(counter_key(1), Some(Stored { row: Some(Arc::new(Row::Counter { total: 999, tried: 0 })), ..row }));
    let core = open(&disk);
    assert!(matches!(core.mode(), Mode::ReadOnly(what) if what.contains("decide promised the limit")));
}

#[test]
fn a_flipped_bit_in_the_journal_is_found() {
    let disk = Disk::new();
    let mut core = open(&disk);
    check(&mut core, &[submission(ADD, 0, 1)], "10");
    check(&mut core, &[submission(ADD, 0, 1)], "20");
    drop(core);
    disk.flip_bit(0, 100);
    assert!(MemoryStore::open(&disk).is_err());
}

#[test]
fn a_tiny_cache_loses_nothing() {
    let disk = Disk::new();
    disk.set_slice_rows(1);
    let options = Options { cache_rows_max: 4, generation_events_min: 3, tail_events_max: 9, ..Options::default() };
    let mut core = open_with(&disk, options);
    for round in 0..20_u8 {
        let batch: Vec<_> =
            (0..10).map(|index| submission(Command::Add { counter: (round * 7 + index) % 50, by: 1 }, 0, 1)).collect();
        assert!(step(&mut core, &batch).iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.reply.is_ok())));
        let status = core.status();
        assert!(status.head.place.n - status.watermark <= 20, "the tail is bounded: {status:?}");
    }
    let total = |core: &mut MemoryCore, counter| match core
        .read(counter_key(counter))
        .expect("read")
        .and_then(|stored| stored.row)
        .as_deref()
    {
        Some(Row::Counter { total, .. }) => *total,
        Some(Row::Pointer { .. }) | None => 0,
    };
    assert_eq!((0..50).map(|counter| total(&mut core, counter)).sum::<u64>(), 200);
    while !core.idle() {}
    assert!(core.status().cache_rows <= 4);
    assert_eq!(core.status().watermark, 200);
    assert_eq!((0..50).map(|counter| total(&mut core, counter)).sum::<u64>(), 200);
}

#[test]
fn observers_get_what_is_stored() {
    let disk = Disk::new();
    let mut core = open(&disk);
    let (sender, seen) = std::sync::mpsc::channel();
    core.observe(Box::new(move |batch| sender.send(Arc::clone(batch)).expect("the test listens")));
    let curse = submission(Command::Panic { counter: 1, stage: Stage::Evolve }, 3_600_000, 1);
    let refused = submission(Command::Add { counter: 1, by: 2_000 }, 0, 1);
    step(&mut core, &[submission(ADD, 0, 1), refused.clone(), refused.clone(), refused.clone(), refused, curse]);
    core.close().expect("closed");
    let seen: Vec<_> = seen.iter().flat_map(|batch| batch.to_vec()).collect();
    assert_eq!(seen, disk.records(1, 100));
    for sealed in seen {
        let record = Record::<Counter>::decode(&sealed).expect("decoded");
        assert_eq!(record.entry.encode(), Ok(sealed.bytes));
    }
}
