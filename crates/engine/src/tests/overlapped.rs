//! What is decided while a batch is being committed: the same as one after the other, and nothing if that commit fails.

use super::counter::{Command, Counter, Row, counter_key, submission};
use crate::core::{Committed, Core};
use crate::memory::{Disk, Fault, MemoryStore};
use crate::options::Options;
use crate::record::SealedRecord;
use crate::store::{Changed, Commit, Generation, Head, KnownRequest, Recovered, Store, StoreError, Stored};
use crate::submission::{Answered, EngineError, Submission};
use domain::Key;
use std::sync::Arc;
use std::task::Waker;

const ADD: Command = Command::Add { counter: 1, by: 10 };

/// A store in memory whose commits end when they are waited for, and not before.
pub(crate) struct Slow {
    store: MemoryStore<Counter>,
    begun: Option<(Head, Committed, Vec<KnownRequest>)>,
}

impl Slow {
    pub(crate) fn open(disk: &Disk<Counter>) -> Self {
        Self { store: MemoryStore::open(disk).expect("the disk is sound"), begun: None }
    }
}

impl Store<Counter> for Slow {
    fn recovered(&self) -> Recovered {
        self.store.recovered()
    }

    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Stored<Row>>>, StoreError> {
        self.store.load(keys)
    }

    fn commit(&mut self, commit: &Commit<'_, Counter>) -> Result<(), StoreError> {
        self.store.commit(commit)
    }

    fn begin_commit(&mut self, commit: &Commit<'_, Counter>, _waker: &Waker) -> Result<(), StoreError> {
        assert!(self.begun.is_none(), "one batch is committed at a time");
        self.begun = Some((commit.expected, Arc::clone(commit.records), commit.requests.to_vec()));
        Ok(())
    }

    fn end_commit(&mut self, wait: bool) -> Option<Result<(), StoreError>> {
        let (expected, records, requests) = self.begun.take_if(|_| wait)?;
        Some(self.store.commit(&Commit { expected, records: &records, requests: &requests, changed: &[] }))
    }

    fn read(&mut self, from: u64, limit: usize) -> Result<Vec<SealedRecord>, StoreError> {
        self.store.read(from, limit)
    }

    fn find_request(&mut self, key: &[u8; 16]) -> Result<Option<u64>, StoreError> {
        self.store.find_request(key)
    }

    fn write_back(
        &mut self,
        generation: Generation<Counter>,
        wait: bool,
    ) -> Result<Option<Generation<Counter>>, StoreError> {
        self.store.write_back(generation, wait)
    }

    fn written_back(&mut self, wait: bool) -> Result<u64, StoreError> {
        self.store.written_back(wait)
    }

    fn spare_rows(&mut self) -> Vec<Changed<Row>> {
        self.store.spare_rows()
    }

    fn wait_for_write_back(&mut self, milliseconds_max: u64) {
        self.store.wait_for_write_back(milliseconds_max);
    }
}

/// Decides `sequence` in parts of the given sizes, over and over; each commit ends after so many more parts.
pub(crate) fn run(
    core: &mut Core<Counter, Slow>,
    sequence: &[Submission<Counter>],
    sizes: &[usize],
    parts_a_commit: usize,
) -> Vec<Answered<Counter>> {
    let (mut answers, mut batch, mut rest) = (Vec::new(), Vec::new(), sequence);
    for (round, &size) in sizes.iter().cycle().enumerate() {
        let (part, later) = rest.split_at(size.min(rest.len()));
        rest = later;
        batch.extend_from_slice(part);
        core.decide(&batch);
        if round % parts_a_commit == 0 {
            answers.extend(core.end_commit(true).unwrap_or_default());
        }
        if !core.is_committing() && !batch.is_empty() {
            core.decide(&batch);
            core.begin_commit(Waker::noop());
            batch.clear();
        }
        if rest.is_empty() && batch.is_empty() {
            answers.extend(core.end_commit(true).unwrap_or_default());
            break;
        }
    }
    answers
}

/// A core that has taken one batch: the hour of its clock has begun.
fn open(disk: &Disk<Counter>) -> Core<Counter, Slow> {
    let mut core = Core::open(Slow::open(disk), Arc::new(()), Options::default()).expect("opened");
    core.step(&[submission(ADD, 0, 1)], &mut Vec::new());
    core
}

fn totals(answers: &[Answered<Counter>]) -> Vec<Option<u64>> {
    answers.iter().map(|answer| Some(answer.as_ref().ok()?.reply.as_ref().ok()?.total)).collect()
}

#[test]
fn what_is_decided_meanwhile_builds_on_it_and_is_dropped_with_it() {
    for (fault, first, second) in [
        (None, vec![Some(20), Some(30)], vec![Some(40)]),
        (Some(Fault::CommitUnavailable), vec![None, None], vec![Some(20)]),
    ] {
        let disk = Disk::new();
        let mut core = open(&disk);
        let add = || submission(ADD, 0, 1);
        core.decide(&[add(), add()]);
        core.begin_commit(Waker::noop());
        core.decide(&[add()]);
        assert_eq!(core.decided(), 1, "it need not wait");
        assert_eq!(core.end_commit(false), None, "the commit goes on");
        let seen = core.read(counter_key(1)).expect("read").and_then(|stored| stored.row);
        assert_eq!(seen.as_deref(), Some(&Row::Counter { total: 10, tried: 0 }), "nobody sees what is not durable");
        if let Some(fault) = fault {
            disk.arm(fault);
        }
        let answers = core.end_commit(true).expect("the end was waited for");
        assert_eq!(totals(&answers), first, "{fault:?}");
        assert_eq!(core.decided(), usize::from(fault.is_none()), "what built on a failed commit is decided again");
        core.decide(&[add()]);
        core.begin_commit(Waker::noop());
        assert_eq!(totals(&core.end_commit(true).expect("the end was waited for")), second, "{fault:?}");
    }
}

#[test]
fn nothing_is_decided_on_a_batch_of_which_nobody_knows_whether_it_is_durable() {
    let disk = Disk::new();
    let mut core = open(&disk);
    core.decide(&[submission(ADD, 0, 1)]);
    core.begin_commit(Waker::noop());
    core.decide(&[submission(ADD, 0, 1)]);
    assert_eq!(core.decided(), 1, "it need not wait");
    disk.arm(Fault::CrashAfterCommit);
    let answers = core.end_commit(true).expect("the end was waited for");
    assert!(matches!(answers[..], [Err(EngineError::Halted(_))]), "{answers:?}");
    core.decide(&[submission(ADD, 0, 1)]);
    core.begin_commit(Waker::noop());
    let answers = core.end_commit(true).expect("nothing is to be committed");
    assert!(matches!(answers[..], [Err(EngineError::Halted(_))]), "{answers:?}");
    assert_eq!(disk.records(1, 10).len(), 2, "the batch that was committed, and nothing after it");
}
