//! A disk that fails: it fills up, refuses a write, or does not carry out a sync.
//!
//! A full disk is an answer ("unavailable") that leaves nothing half done, and passes. A failed sync ends the process:
//! nobody knows what is durable, so nobody is told that anything is. Afterwards whatever was acknowledged is there.
//! Start reading at [`run`].

use super::books::Answered;
use super::child::{Told, small_bounds, small_load};
use super::inspection::{Expected, SqliteCore, answered, inspect, open};
use super::{Workshop, words};
use engine::EngineError;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Which of each thread's syncs fails, one run each.
const FAILED_SYNCS: &[u64] = &[1, 2, 3, 5, 8, 13, 21, 34];
/// Which of each thread's writes finds no room, one run each.
const FAILED_WRITES: &[u64] = &[1, 2, 4, 9, 20, 45, 100, 300];
/// Batches that a run with a failing disk commits after the one that must have met the fault: a commit writes and syncs
/// at least once, on one thread.
const COMMITS_AFTER: u64 = 60;
/// How often a batch is tried again that a full disk refused.
const PATIENCE: &str = "50";
/// The size of the disk that fills up.
const FULL_DISK_BYTES: u64 = 8 << 20;
/// What is taken away from it when room is made.
const BALLAST_BYTES: usize = 4 << 20;
/// Batches until a disk of that size must be full.
const BATCHES_UNTIL_FULL_MAX: u64 = 20_000;
/// Batches after room was made.
const BATCHES_AFTER: u64 = 60;
/// Commands in one of those batches.
const BATCH_COMMANDS: u64 = 16;

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// This program, which runs itself again on a failing disk.
    pub program: PathBuf,
    /// Where to work; files are made below it and removed.
    pub directory: PathBuf,
    /// What every choice is drawn from.
    pub seed: u64,
}

/// One way in which a disk fails, and what came of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// What failed.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All as it must be.
    Passed,
    /// This machine cannot try it, and why.
    Skipped(String),
    /// What is not as it must be.
    Failed(String),
}

/// Runs every case.
pub fn run(options: &Options) -> Result<Vec<Case>, String> {
    let mut cases = Vec::new();
    for &when in FAILED_SYNCS {
        let name = format!("each thread's sync {when} fails");
        cases.push(Case { name, outcome: outcome(inject(options, "fsync,fdatasync", "EIO", when)) });
    }
    for &when in FAILED_WRITES {
        let name = format!("each thread's write {when} finds the disk full");
        cases.push(Case { name, outcome: outcome(inject(options, "pwrite64", "ENOSPC", when)) });
    }
    cases.push(Case { name: "the disk fills up, and room is made".into(), outcome: fills_up(options)? });
    Ok(cases)
}

fn outcome(result: Result<(), String>) -> Outcome {
    result.map_or_else(Outcome::Failed, |()| Outcome::Passed)
}

/// Runs a child whose `calls` fail once a thread, then looks at what it left.
fn inject(options: &Options, calls: &str, error: &str, when: u64) -> Result<(), String> {
    let workshop = Workshop::new(&options.directory, None)?;
    let data = workshop.path().join("data");
    let acknowledgements = workshop.path().join("acknowledgements");
    let mut command = Command::new("strace");
    command
        .args(["--follow-forks", "--seccomp-bpf", "--quiet=all", "--output"])
        .arg(workshop.path().join("trace"))
        .args(["--trace", calls, "--inject", &format!("{calls}:error={error}:when={when}")])
        .arg(&options.program)
        .args(["crash", "child", "record", "--commits", &(when + COMMITS_AFTER).to_string()])
        .args(["--patience", PATIENCE])
        .args(["--seed", &options.seed.to_string(), "--directory"])
        .arg(&data)
        .arg("--acknowledgements")
        .arg(&acknowledgements);
    let output = wait_for(command)?;
    let trace = fs::read_to_string(workshop.path().join("trace")).map_err(words("reading the trace"))?;
    let was_injected = trace.contains("(INJECTED)");
    let said = String::from_utf8_lossy(&output.stderr);
    if !was_injected {
        return Err("nothing failed: no thread came that far".into());
    }
    if error == "EIO" && output.status.success() {
        return Err("a sync failed, and the process went on".into());
    }
    if !output.status.success() && (output.status.code().is_none() || said.trim().is_empty()) {
        return Err(format!("the process ended without a word: {}", output.status));
    }
    let lines = fs::read_to_string(&acknowledgements).map_err(words("reading the acknowledgements"))?;
    let mut acknowledged = BTreeMap::new();
    for told in lines.lines().filter_map(Told::read) {
        if let Told::Acknowledged { number, answered, .. } = told {
            acknowledged.insert(number, answered);
        }
    }
    let expected = Expected { load: small_load(options.seed), acknowledged, ends: None };
    inspect(&data, &small_bounds(false), &expected)
        .map(drop)
        .map_err(|why| format!("{why}; the process had said: {}", said.trim()))
}

/// Runs a child on a disk of its own that is too small.
fn fills_up(options: &Options) -> Result<Outcome, String> {
    let workshop = Workshop::new(&options.directory, None)?;
    let disk = workshop.path().join("disk");
    fs::create_dir(&disk).map_err(words("making a directory"))?;
    let mounted = |rest: &str| {
        let mut command = Command::new("unshare");
        let script = format!("mount -t tmpfs -o size={FULL_DISK_BYTES} tmpfs \"$0\" && {rest}");
        command.args(["--mount", "sh", "-c", &script]).arg(&disk);
        command
    };
    let tried = wait_for(mounted("true"));
    match tried {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Ok(Outcome::Skipped(format!("a small disk cannot be mounted here: {why}")));
        }
        Err(why) => return Ok(Outcome::Skipped(why)),
    }
    let mut command = mounted("exec \"$@\"");
    command.arg(&options.program).args(["crash", "child", "fill-up", "--directory"]).arg(&disk);
    command.args(["--seed", &options.seed.to_string()]);
    let output = wait_for(command)?;
    if output.status.success() {
        return Ok(Outcome::Passed);
    }
    Ok(Outcome::Failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

fn wait_for(mut command: Command) -> Result<Output, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).output().map_err(|error| format!("cannot start {program}: {error}; install it"))
}

/// The child's side: commits until the disk at `directory` is full, looks at the refusal, makes room, goes on, and
/// looks at everything.
pub fn fill_up(directory: &Path, seed: u64) -> Result<(), String> {
    let ballast = directory.join("ballast");
    fs::write(&ballast, vec![0_u8; BALLAST_BYTES]).map_err(words("writing the ballast"))?;
    let data = directory.join("data");
    let load = small_load(seed);
    let mut core = open(&data, &small_bounds(false))?;
    let mut acknowledged = BTreeMap::new();
    let mut next = 0;
    let mut batches = 0;
    let refused = loop {
        match batch(&mut core, next, &mut acknowledged, seed) {
            Ok(()) => next += BATCH_COMMANDS,
            Err(EngineError::Unavailable(why)) => break why,
            Err(other) => return Err(format!("a full disk is answered with: {other}")),
        }
        batches += 1;
        if batches > BATCHES_UNTIL_FULL_MAX {
            return Err("the disk does not fill up".into());
        }
    };
    if !refused.contains("full") {
        return Err(format!("the refusal does not say that the disk is full: {refused}"));
    }
    let head = core.status().head;
    match batch(&mut core, next, &mut acknowledged, seed) {
        Err(EngineError::Unavailable(_)) if core.status().head == head => {}
        other => return Err(format!("the disk is still full, and a batch is answered with {other:?}")),
    }
    fs::remove_file(&ballast).map_err(words("making room"))?;
    for _ in 0..BATCHES_AFTER {
        batch(&mut core, next, &mut acknowledged, seed)
            .map_err(|error| format!("there is room again, but: {error}"))?;
        next += BATCH_COMMANDS;
    }
    drop(core.close().map_err(|error| format!("it does not stop: {error}"))?);
    inspect(&data, &small_bounds(false), &Expected { load, acknowledged, ends: None }).map(drop)
}

fn batch(
    core: &mut SqliteCore,
    from: u64,
    acknowledged: &mut BTreeMap<u64, Answered>,
    seed: u64,
) -> Result<(), EngineError> {
    let load = small_load(seed);
    let submissions: Vec<_> = (from..from + BATCH_COMMANDS).map(|number| load.submission(number)).collect();
    let mut answers = Vec::new();
    core.step(&submissions, &mut answers);
    for (number, answer) in (from..).zip(answers) {
        if let Some(answered) = answered(&answer?) {
            acknowledged.insert(number, answered);
        }
    }
    Ok(())
}
