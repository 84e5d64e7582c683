//! The shell: what waits, what is refused, how it stops, how it dies. And who listens to its commits.

use super::counter::{Command, Counter, Refusal, counter_key, submission, with_request};
use crate::clock::Clock;
use crate::consumer::{Consumer, ConsumerError, Consumers, EffectId, Follower};
use crate::core::Core;
use crate::cursors::{CONSUMERS_FILE, Cursors, MemoryCursors, SqliteCursors};
use crate::journal::history;
use crate::memory::{Disk, Fault, MemoryStore};
use crate::options::{CLOCK_DRIFT_MS_MAX, Options};
use crate::record::Record;
use crate::shell::{DISPATCH_BATCHES_MAX, Engine};
use crate::store::StoreError;
use crate::submission::{Answered, EngineError};
use domain::Time;
use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Waker};

const ADD: Command = Command::Add { counter: 1, by: 10 };

/// A clock that stands still until somebody sets it.
#[derive(Default)]
struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> Time {
        Time::from_milliseconds(self.0.load(Ordering::SeqCst))
    }

    fn monotonic_milliseconds(&self) -> i64 {
        0
    }
}

fn core(disk: &Disk<Counter>, options: Options) -> Core<Counter, MemoryStore<Counter>> {
    let options = Options { cache_rows_max: 64, ..options };
    Core::open(MemoryStore::open(disk).expect("the disk is sound"), Arc::new(()), options).expect("opened")
}

fn start(disk: &Disk<Counter>) -> Engine<Counter> {
    Engine::start(core(disk, Options::default()), Arc::new(SetClock::default()))
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn total(answer: Answered<Counter>) -> Result<Result<u64, Refusal>, EngineError> {
    answer.map(|answer| answer.reply.map(|receipt| receipt.total))
}

#[test]
fn a_request_in_flight_is_joined() {
    let disk = Disk::new();
    let engine = start(&disk);
    let first = engine.submit(with_request(ADD, 1, 0));
    let second = engine.submit(with_request(ADD, 1, 0));
    let other = engine.submit(with_request(ADD, 1, 9));
    assert_eq!(total(wait(first)), Ok(Ok(10)));
    let second = wait(second);
    assert!(second.as_ref().is_ok_and(|answer| answer.repeated));
    assert_eq!(total(second), Ok(Ok(10)));
    assert_eq!(total(wait(other)), Err(EngineError::KeyReused));
    let row = wait(engine.read(counter_key(1))).expect("read").expect("there");
    assert_eq!(row.version, 1);
    engine.stop().expect("stopped");
}

#[test]
fn a_full_queue_is_busy_and_a_stop_answers_what_waits() {
    let disk = Disk::new();
    let mut core = core(&disk, Options { queue_commands_max: 2, batch_commands_max: 1, ..Options::default() });
    let (entered, has_entered) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    core.observe(Box::new(move |_| {
        entered.send(()).ok();
        may_go.recv().ok();
    }));
    let engine = Engine::start(core, Arc::new(SetClock::default()));
    let running = engine.submit(submission(ADD, 0, 1));
    has_entered.recv().expect("the first batch is being observed");
    let waiting = [engine.submit(submission(ADD, 0, 1)), engine.submit(submission(ADD, 0, 1))];
    assert_eq!(total(wait(engine.submit(submission(ADD, 0, 1)))), Err(EngineError::Busy));
    drop(go);
    engine.stop().expect("stopped");
    assert_eq!(total(wait(running)), Ok(Ok(10)));
    assert_eq!(waiting.map(|answer| total(wait(answer))), [Ok(Ok(20)), Ok(Ok(30))]);
    assert_eq!(total(engine.submit_blocking(submission(ADD, 0, 1))), Err(EngineError::Stopped));
    assert_eq!(disk.watermark(), 3, "every row is written");
}

#[test]
fn whoever_only_looks_parts_no_batch_and_sees_what_was_queued_before() {
    let disk = Disk::new();
    let mut core = core(&disk, Options::default());
    let (committed, has_committed) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    core.observe(Box::new(move |records| {
        committed.send(records.len()).ok();
        may_go.recv().ok();
    }));
    let engine = Engine::start(core, Arc::new(SetClock::default()));
    let first = engine.submit(submission(ADD, 0, 1));
    assert_eq!(has_committed.recv(), Ok(1), "the first batch is being observed");
    let repeated = || with_request(ADD, 1, 0);
    let second = engine.submit(repeated());
    let (read, recalled) = (engine.read(counter_key(1)), engine.recall(repeated().request.expect("a request")));
    let third = engine.submit(submission(ADD, 0, 1));
    drop(go);
    assert_eq!([first, second, third].map(|answer| total(wait(answer))), [Ok(Ok(10)), Ok(Ok(20)), Ok(Ok(30))]);
    assert!(wait(read).expect("read").expect("there").version >= 2, "as the second left it, or the third");
    assert_eq!(total(wait(recalled).map(|answer| answer.expect("it was answered"))), Ok(Ok(20)));
    assert_eq!(has_committed.recv(), Ok(2), "both in one batch");
    engine.stop().expect("stopped");
}

/// Queues a command, and returns when it has been through the core.
fn run_one(engine: &Engine<Counter>) -> impl Future<Output = Answered<Counter>> + use<> {
    let answer = engine.submit(submission(ADD, 0, 1));
    engine.read_blocking(counter_key(1)).expect("read");
    answer
}

#[test]
fn answers_come_also_when_nobody_hands_them_out() {
    let disk = Disk::new();
    let engine = start(&disk);
    let mut dispatch = Box::pin(engine.dispatch());
    let mut context = Context::from_waker(Waker::noop());
    assert!(dispatch.as_mut().poll(&mut context).is_pending());
    let undelivered: Vec<_> = (0..DISPATCH_BATCHES_MAX).map(|_| run_one(&engine)).collect();
    let beyond = total(wait(run_one(&engine)));
    assert_eq!(beyond, Ok(Ok(10 * (DISPATCH_BATCHES_MAX as u64 + 1))), "no more than the bound wait");
    let mut undelivered = undelivered.into_iter().map(Box::pin);
    let mut first = undelivered.next().expect("one");
    assert!(first.as_mut().poll(&mut context).is_pending(), "the first waits to be handed out");
    drop(dispatch);
    assert_eq!(total(wait(first)), Ok(Ok(10)));
    assert!(undelivered.all(|answer| total(wait(answer)).is_ok()));
    assert!(total(wait(run_one(&engine))).is_ok());
    engine.stop().expect("stopped");
}

#[test]
fn an_engine_that_dies_after_a_commit_does_not_say_that_nothing_was_done() {
    let disk = Disk::new();
    let mut core = core(&disk, Options::default());
    core.observe(Box::new(|_| panic!("an observer's own bug")));
    let engine = Engine::start_with(core, Arc::new(SetClock::default()), Box::new(|_| {}));
    assert!(matches!(engine.submit_blocking(submission(ADD, 0, 1)), Err(EngineError::Halted(_))));
    assert_eq!(disk.records(1, 9).len(), 1);
    assert!(engine.stop().is_err());
}

#[test]
fn a_dead_core_is_loud() {
    let disk = Disk::new();
    let (sender, why) = mpsc::channel();
    let fatal = Box::new(move |what: &str| sender.send(what.to_owned()).expect("the test listens"));
    let engine = Engine::start_with(core(&disk, Options::default()), Arc::new(SetClock::default()), fatal);
    disk.arm(Fault::CrashBeforeCommit);
    assert!(matches!(engine.submit_blocking(submission(ADD, 0, 1)), Err(EngineError::Halted(_))));
    assert!(why.recv().expect("fatal was called").contains("crashed in a commit"));
    assert!(engine.stop().is_err());
}

#[test]
fn a_clock_that_steps_is_not_believed() {
    let disk = Disk::new();
    let clock = Arc::new(SetClock::default());
    let engine = Engine::start(core(&disk, Options::default()), Arc::<SetClock>::clone(&clock));
    let drifted = |engine: &Engine<Counter>| {
        let answer = engine.submit_blocking(submission(Command::Add { counter: 1, by: 0 }, 0, 1));
        answer.expect("answered").reply.expect("done").clock_drifted
    };
    assert!(!drifted(&engine));
    clock.0.store(CLOCK_DRIFT_MS_MAX + 1, Ordering::SeqCst);
    assert!(drifted(&engine));
    clock.0.store(CLOCK_DRIFT_MS_MAX, Ordering::SeqCst);
    assert!(!drifted(&engine));
    engine.stop().expect("stopped");
}

/// The machine's clock, in a manner of speaking: it stands where it was set when the process began.
struct MachineClock(i64);

impl Clock for MachineClock {
    fn now(&self) -> Time {
        Time::from_milliseconds(self.0)
    }

    fn monotonic_milliseconds(&self) -> i64 {
        7
    }

    fn is_machines(&self) -> bool {
        true
    }
}

#[test]
fn a_clock_that_is_far_ahead_at_the_start_moves_no_lane() {
    const BEGIN: i64 = 1_600_000_000_000;
    let disk = Disk::new();
    let run = |at: i64, in_callers: bool, clock_believed: bool| {
        let options = Options { clock_believed, in_callers, ..Options::default() };
        let engine = Engine::start(core(&disk, options), Arc::new(MachineClock(at)));
        let answer = engine.submit_blocking(submission(Command::Add { counter: 1, by: 0 }, at, 1));
        engine.stop().expect("stopped");
        let receipt = answer.expect("answered").reply.expect("done");
        (receipt.now.milliseconds(), receipt.clock_drifted)
    };
    assert_eq!(run(BEGIN, false, false), (BEGIN, false), "an empty journal says nothing of the time");
    let nine_hours_on = BEGIN + 9 * 3_600_000;
    for in_callers in [false, true] {
        assert_eq!(run(nine_hours_on, in_callers, false), (BEGIN, true));
    }
    assert_eq!(run(BEGIN + 60_000, false, false), (BEGIN + 60_000, false));
    assert_eq!(run(nine_hours_on, false, true), (nine_hours_on, false), "somebody says that it is right");
    assert_eq!(run(BEGIN, false, false), (nine_hours_on, true), "the lane's time never steps back");
}

/// Notes which records it saw, and fails as often as it is told.
struct Notes {
    seen: Arc<Mutex<Vec<u64>>>,
    failures: u32,
}

impl Consumer<Counter> for Notes {
    fn name(&self) -> &'static str {
        "notes"
    }

    fn handle(&mut self, records: &[Record<Counter>]) -> Result<(), ConsumerError> {
        self.seen.lock().expect("no panics").extend(records.iter().map(|record| record.place.n));
        if self.failures > 0 {
            self.failures -= 1;
            return Err(ConsumerError::Failed("told to fail".into()));
        }
        Ok(())
    }
}

fn follower(disk: &Disk<Counter>, cursors: &MemoryCursors, failures: u32) -> (Follower<Counter>, Arc<Mutex<Vec<u64>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Notes { seen: Arc::clone(&seen), failures };
    let follower = Follower::open(Box::new(notes), Box::new(disk.clone()), Box::new(cursors.clone())).expect("opened");
    (follower, seen)
}

#[test]
fn a_follower_reads_what_it_missed() {
    let disk = Disk::new();
    let mut core = core(&disk, Options::default());
    let mut answers = Vec::new();
    core.step(&vec![submission(ADD, 0, 1); 5], &mut answers);
    let cursors = MemoryCursors::default();
    let (mut follower, seen) = follower(&disk, &cursors, 1);
    let batch = disk.records(4, 2);
    let progress = follower.progress();
    assert!(follower.take(&batch).is_err(), "the first attempt fails");
    assert_eq!(progress.failure_last(), Some(ConsumerError::Failed("told to fail".into())));
    follower.take(&batch).expect("taken");
    assert_eq!((progress.failures(), progress.failures_in_a_row()), (1, 1), "nothing is settled yet");
    follower.take(&batch).expect("nothing new");
    assert_eq!(*seen.lock().expect("no panics"), [1, 2, 3, 1, 2, 3, 4, 5]);
    assert_eq!(cursors.clone().load("notes"), Ok(0));
    follower.settle().expect("saved");
    assert_eq!(cursors.clone().load("notes"), Ok(5));
    assert_eq!((progress.failures(), progress.failures_in_a_row()), (1, 0));
}

#[test]
fn how_far_behind_a_consumer_is_is_known_from_the_start() {
    let disk = Disk::new();
    let mut core = core(&disk, Options::default());
    let mut answers = Vec::new();
    core.step(&[submission(ADD, 1_000, 1)], &mut answers);
    let cursors = MemoryCursors::default();
    let (mut first, _) = follower(&disk, &cursors, 0);
    first.catch_up(1).expect("handled");
    first.settle().expect("saved");
    core.step(&[submission(ADD, 61_000, 1)], &mut answers);
    let (mut second, _) = follower(&disk, &cursors, 0);
    let (progress, head) = (second.progress(), core.status().head);
    assert_eq!(progress.lag_ms(&head), 60_000);
    second.catch_up(2).expect("handled");
    assert_eq!(progress.lag_ms(&head), 0);
}

/// Panics at the first record.
struct Panics;

impl Consumer<Counter> for Panics {
    fn name(&self) -> &'static str {
        "panics"
    }

    fn handle(&mut self, _: &[Record<Counter>]) -> Result<(), ConsumerError> {
        panic!("told to panic")
    }
}

#[test]
fn a_consumer_that_panics_is_seen_while_the_engine_runs() {
    let disk = Disk::new();
    let mut core = core(&disk, Options::default());
    let mut consumers = Consumers::new(&core.status().head);
    let cursors = Box::new(MemoryCursors::default());
    consumers.add(Follower::open(Box::new(Panics), Box::new(disk.clone()), cursors).expect("opened"));
    let (observer, watch) = consumers.connect();
    core.observe(observer);
    let engine = Engine::start(core, Arc::new(SetClock::default()));
    assert!(!watch.progress()[0].is_panicked());
    engine.submit_blocking(submission(ADD, 0, 1)).expect("answered");
    while !watch.progress()[0].is_panicked() {
        std::thread::yield_now();
    }
    engine.submit_blocking(submission(ADD, 0, 1)).expect("the engine goes on");
    engine.stop().expect("stopped");
    assert!(watch.join().is_err());
}

#[test]
fn consumers_get_every_record_and_go_on_from_their_cursor() {
    let disk = Disk::new();
    let cursors = MemoryCursors::default();
    for round in 0..2 {
        let mut core = core(&disk, Options { batch_commands_max: 7, ..Options::default() });
        let mut consumers = Consumers::new(&core.status().head);
        let (follower, seen) = follower(&disk, &cursors, 0);
        consumers.add(follower);
        let (observer, watch) = consumers.connect();
        core.observe(observer);
        let engine = Engine::start(core, Arc::new(SetClock::default()));
        for _ in 0..500 {
            engine.submit_blocking(submission(ADD, 0, 1)).expect("answered").place.expect("journaled");
        }
        engine.stop().expect("stopped");
        watch.join().expect("joined");
        let expected: Vec<u64> = (round * 500 + 1..=round * 500 + 500).collect();
        assert_eq!(*seen.lock().expect("no panics"), expected);
    }
    assert_eq!(cursors.clone().load("notes"), Ok(1_000));
}

#[test]
fn a_consumer_that_always_fails_does_not_hold_up_the_stop() {
    let disk = Disk::new();
    let mut core = core(&disk, Options::default());
    let mut consumers = Consumers::new(&core.status().head);
    let cursors = MemoryCursors::default();
    consumers.add(follower(&disk, &cursors, u32::MAX).0);
    let (observer, watch) = consumers.connect();
    core.observe(observer);
    let engine = Engine::start(core, Arc::new(SetClock::default()));
    for _ in 0..3 {
        engine.submit_blocking(submission(ADD, 0, 1)).expect("answered");
    }
    engine.stop().expect("stopped");
    watch.join().expect("joined");
    assert_eq!(cursors.clone().load("notes"), Ok(0), "the next start begins with what failed");
}

#[test]
fn a_cursor_ahead_of_the_journal_is_refused() {
    let disk = Disk::<Counter>::new();
    let mut cursors = MemoryCursors::default();
    cursors.save("notes", 7).expect("saved");
    let notes = Notes { seen: Arc::default(), failures: 0 };
    let refused = Follower::open(Box::new(notes), Box::new(disk), Box::new(cursors)).err();
    assert!(matches!(refused, Some(StoreError::Damaged(what)) if what.contains("different backups")));
}

#[test]
fn cursors_in_a_file_stay() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut cursors = SqliteCursors::open(directory.path()).expect("opened");
    cursors.save("notes", 7).expect("saved");
    cursors.save("notes", 9).expect("saved");
    drop(cursors);
    let mut cursors = SqliteCursors::open(directory.path()).expect("opened");
    assert_eq!((cursors.load("notes"), cursors.load("other")), (Ok(9), Ok(0)));
}

#[test]
fn cursors_of_a_newer_program_are_refused_without_a_write() {
    let directory = tempfile::tempdir().expect("a directory");
    SqliteCursors::open(directory.path()).expect("opened").save("notes", 7).expect("saved");
    let file = directory.path().join(CONSUMERS_FILE);
    let connection = rusqlite::Connection::open(&file).expect("the file opens");
    connection.execute_batch("PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)").expect("it is newer now");
    drop(connection);
    let bytes = std::fs::read(&file).expect("read");
    match SqliteCursors::open(directory.path()).err() {
        Some(StoreError::Version(what)) => assert!(what.contains("run the newer program"), "{what}"),
        other => panic!("a newer version is refused: {other:?}"),
    }
    assert!(std::fs::read(&file).expect("read") == bytes, "nothing was written");
}

#[test]
fn a_list_follows_the_chain() {
    let disk = Disk::new();
    let mut core = core(&disk, Options::default());
    let mut answers = Vec::new();
    let other = Command::Add { counter: 2, by: 1 };
    core.step(&[ADD, other, ADD, other, ADD].map(|command| submission(command, 0, 1)), &mut answers);
    let start = core.read(counter_key(1)).expect("read").expect("there").place;
    let (records, next) = history::<Counter>(&disk, counter_key(1), start, 2).expect("read");
    assert_eq!(records.iter().map(|record| record.place.n).collect::<Vec<_>>(), [5, 3]);
    let (records, next) = history::<Counter>(&disk, counter_key(1), next.expect("more"), 2).expect("read");
    assert_eq!((records.len(), next), (1, None));
    assert_eq!(EffectId { place: records[0].place, index: 2 }.to_string(), "1-1-2");
    assert!(
        history::<Counter>(&disk, counter_key(1), answers[1].clone().expect("answered").place.expect("kept"), 2)
            .is_err()
    );
}

#[test]
fn without_a_thread_each_caller_runs_the_engine_and_is_answered_at_once() {
    let disk = Disk::new();
    let options = Options { in_callers: true, ..Options::default() };
    let engine = Engine::start(core(&disk, options), Arc::new(SetClock::default()));
    let mut context = Context::from_waker(Waker::noop());
    for (request, expected) in [(1, 10), (1, 10), (2, 20)] {
        let mut answer = Box::pin(engine.submit(with_request(ADD, request, 0)));
        let answer = answer.as_mut().poll(&mut context);
        assert_eq!(answer.map(total), std::task::Poll::Ready(Ok(Ok(expected))));
    }
    let row = engine.read_blocking(counter_key(1)).expect("it can be read").expect("it is there");
    assert_eq!(row.version, 2);
    assert_eq!(wait(engine.status()).expect("it lives").head.place.n, 2);
    engine.stop().expect("it stops");
    assert_eq!(total(wait(engine.submit(with_request(ADD, 3, 0)))), Err(EngineError::Stopped));
    engine.stop().expect("a second stop does nothing");
}
