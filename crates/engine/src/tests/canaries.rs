//! Each planted bug does what its name says: the simulation has something to catch. One test, for the switch is the
//! process's; it runs only in a build with the feature, and alone (`cargo test -p engine --features canaries canaries`).

use super::counter::{Command, Counter, counter_key, submission, with_request};
use crate::canary;
use crate::core::{Core, Mode};
use crate::memory::{Disk, Fault, MemoryStore};
use crate::options::Options;
use crate::submission::{Answered, EngineError, Submission};
use domain::Time;
use std::sync::Arc;

const ADD: Command = Command::Add { counter: 1, by: 10 };

fn open(disk: &Disk<Counter>) -> Core<Counter, MemoryStore<Counter>> {
    let store = MemoryStore::open(disk).expect("the disk is sound");
    Core::open(store, Arc::new(()), Options { cache_rows_max: 64, ..Options::default() }).expect("opened")
}

fn step(core: &mut Core<Counter, MemoryStore<Counter>>, submission: Submission<Counter>) -> Answered<Counter> {
    let mut answers = Vec::new();
    core.step(&[submission], &mut answers);
    answers.remove(0)
}

/// What is seen of one bug, on a disk with one record of time 5 and request 1; true if all is well.
fn is_well(name: &str) -> bool {
    canary::select(None);
    let disk = Disk::new();
    let mut core = open(&disk);
    let first = Submission { at: Time::from_milliseconds(5), ..with_request(ADD, 1, 0) };
    assert!(step(&mut core, first).is_ok());
    canary::select(Some(name));
    let well = match name {
        "answer_before_commit" => {
            disk.arm(Fault::CommitUnavailable);
            step(&mut core, submission(ADD, 6, 1)).is_err()
        }
        "watermark_too_high" => core.close().is_ok() && disk.watermark() == 1,
        "generation_loses_last_row" => core.close().is_ok() && disk.rows().len() == 1,
        "replay_skips_version_check" => {
            disk.arm(Fault::CrashInWriteBack { rows: 0 });
            let stored = core.read(counter_key(1)).expect("read");
            disk.plant_row(counter_key(1), stored);
            drop(core);
            let version = open(&disk).read(counter_key(1)).expect("read").expect("there").version;
            version == 1
        }
        "request_body_not_compared" => step(&mut core, with_request(ADD, 1, 9)) == Err(EngineError::KeyReused),
        "request_forgotten_at_restart" => {
            drop(core);
            step(&mut open(&disk), with_request(ADD, 1, 0)).is_ok_and(|answer| answer.repeated)
        }
        "overlay_kept_after_failed_commit" => {
            disk.arm(Fault::CommitUnavailable);
            assert!(step(&mut core, submission(ADD, 6, 1)).is_err());
            core.read(counter_key(1)).expect("read").expect("there").version == 1
        }
        "time_steps_back" => {
            step(&mut core, submission(ADD, 4, 1)).is_ok_and(|answer| answer.at == Time::from_milliseconds(5))
        }
        "refuses_without_reason" => {
            let mut answers = Vec::new();
            core.step(&[submission(ADD, 6, 1), submission(ADD, 6, 1), submission(ADD, 6, 1)], &mut answers);
            answers.iter().all(Result::is_ok)
        }
        unknown => panic!("no test knows the canary {unknown}"),
    };
    canary::select(None);
    well
}

#[test]
fn every_planted_bug_shows() {
    for name in canary::NAMES {
        assert!(!is_well(name), "{name} is planted, and nothing is wrong");
    }
    assert_eq!(open(&Disk::new()).mode(), &Mode::Running);
}
