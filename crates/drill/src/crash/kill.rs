//! The process, killed under load, again and again on one data directory.
//!
//! The outside remembers every acknowledgement. A successor must answer what was acknowledged as it was, and carry out
//! exactly once what was in flight. Vault, notices and anchors live and die with it, as those of the service. Start reading at
//! [`run`]; [`full_tail`] measures the longest restart.

use super::books::Answered;
use super::child::{IN_FLIGHT, Told, usual_bounds};
use super::inspection::{Expected, inspect};
use super::load::Load;
use super::{Workshop, words};
use crate::simulate::chance::Chance;
use engine::{Clock, SystemClock};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// How long a child lives after its first acknowledgement, in milliseconds.
const LIFE_MS: (i64, i64) = (5, 400);
/// Acknowledged commands that a successor is asked again.
const AGAIN_MAX: usize = 64;
/// Rounds after which a copy of the directory is audited; and after the last.
const AUDITS: u64 = 4;
/// How long a child may take until it says something.
const SILENCE_SECONDS_MAX: u64 = 120;
/// Restarts that are measured with a full tail.
pub const FULL_TAIL_RESTARTS: u64 = 7;
/// Commands that the last of these restarts is asked again: the newest, and as many from anywhere before.
const FULL_TAIL_AGAIN: u64 = 20_000;

/// What to run and how often to kill it.
#[derive(Clone, Debug)]
pub struct Options {
    /// This program, which runs itself again to be killed.
    pub program: PathBuf,
    /// Where to work; files are made below it, and removed unless something is found.
    pub directory: PathBuf,
    /// What every choice is drawn from.
    pub seed: u64,
    /// How often to kill.
    pub rounds: u64,
    /// How many wallets pay.
    pub wallets: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How often the process was killed.
    pub rounds: u64,
    /// Commands that were acknowledged.
    pub acknowledged: u64,
    /// Commands that were sent again to a successor and were answered as before.
    pub repeated: u64,
    /// Commands in flight at a kill that had taken effect, and were answered for the first time by a successor.
    pub found: u64,
    /// Acknowledged commands that a successor knew nothing of, or answered otherwise.
    pub lost: u64,
    /// Commands that took effect twice.
    pub doubled: u64,
    /// How long each restart took from the start of the process until commands were taken, in milliseconds.
    pub restart_ms: Vec<u64>,
    /// The longest tail that a restart replayed, in records.
    pub tail_records_max: u64,
    /// What went wrong, in words.
    pub told: Vec<String>,
    /// Where the data directory was kept, if something was found.
    pub kept: Option<PathBuf>,
}

impl Report {
    /// The middle and the longest restart, in milliseconds.
    pub fn restart_ms_p50_and_max(&self) -> (u64, u64) {
        let mut sorted = self.restart_ms.clone();
        sorted.sort_unstable();
        (sorted.get(sorted.len() / 2).copied().unwrap_or(0), sorted.last().copied().unwrap_or(0))
    }

    fn started(&mut self, ready: Ready) {
        self.restart_ms.push(ready.milliseconds);
        self.tail_records_max = self.tail_records_max.max(ready.tail_records);
    }
}

/// Kills the process `rounds` times under load, and audits. `progress` is told how many kills are done.
pub fn run(options: &Options, progress: &dyn Fn(u64)) -> Result<Report, String> {
    let workshop = Workshop::new(&options.directory, None)?;
    let load = Load { seed: options.seed, wallets: options.wallets, shops: (options.wallets / 10).max(1) };
    let live = workshop.path().join("live");
    fs::create_dir(&live).map_err(words("making a directory"))?;
    let data = live.join("data");
    let mut outside = Outside { load, acknowledged: BTreeMap::new(), open: BTreeSet::new(), next: 0 };
    let mut chance = Chance::new(options.seed);
    let mut report = Report::default();
    for round in 1..=options.rounds {
        outside.round(&options.program, &data, &mut chance, &mut report)?;
        report.rounds = round;
        progress(round);
        if round == options.rounds || round % options.rounds.div_ceil(AUDITS) == 0 {
            let copy = workshop.path().join("copy");
            copy_files(&live, &copy)?;
            outside.audit(&copy.join("data"), &mut report);
        }
    }
    report.acknowledged = outside.acknowledged.len() as u64;
    if !report.told.is_empty() {
        report.kept = Some(workshop.keep());
    }
    Ok(report)
}

/// Fills the journal's tail to its bound at `wallets` wallets, kills the process, and measures restarts: none may have less
/// than was committed, and the last one must know what it is asked again. `progress` is told how many restarts are done.
pub fn full_tail(options: &Options, progress: &dyn Fn(u64)) -> Result<Report, String> {
    let workshop = Workshop::new(&options.directory, None)?;
    let load = Load { seed: options.seed, wallets: options.wallets, shops: 1_000 };
    let data = workshop.path().join("data");
    let Filled { end, head, acknowledged } = fill(&options.program, &data, load)?;
    let mut report = Report { acknowledged: end, ..Report::default() };
    let mut chance = Chance::new(options.seed);
    for round in 1..=FULL_TAIL_RESTARTS {
        let again: BTreeSet<u64> = if round == FULL_TAIL_RESTARTS {
            let newest = end.saturating_sub(FULL_TAIL_AGAIN)..end;
            newest.flat_map(|number| [number, chance.below(end)]).collect()
        } else {
            BTreeSet::new()
        };
        let again: Vec<u64> = again.into_iter().collect();
        let mut running = Running::start(&options.program, "serve", &data, load, u64::MAX, &again, false)?;
        let ready = running.ready()?;
        if ready.head != head {
            report.lost += head.saturating_sub(ready.head);
            report.told.push(format!("{head} records were committed, and {} are there", ready.head));
        }
        report.started(ready);
        while let Some(told) = running.next(Duration::from_secs(SILENCE_SECONDS_MAX))? {
            if !note_again(told, &acknowledged, &mut report) {
                break;
            }
        }
        running.kill_and_wait()?;
        report.rounds = round;
        progress(round);
    }
    if !report.told.is_empty() {
        report.kept = Some(workshop.keep());
    }
    Ok(report)
}

/// What is known of a process that filled its tail.
struct Filled {
    /// How many commands it answered.
    end: u64,
    /// Its last record.
    head: u64,
    /// What it answered while it filled the tail, by the command's number.
    acknowledged: BTreeMap<u64, Answered>,
}

/// Fills the tail, and kills the process that did.
fn fill(program: &Path, data: &Path, load: Load) -> Result<Filled, String> {
    let mut filler = Running::start(program, "fill", data, load, 0, &[], false)?;
    let (mut end, mut last, mut acknowledged) = (0, 0, BTreeMap::new());
    loop {
        match filler.next(Duration::from_mins(10))? {
            Some(Told::Done) => break,
            Some(Told::Failed(why)) => return Err(why),
            Some(Told::End(commands)) => end = commands,
            Some(Told::Ready { head, .. }) => last = head,
            Some(Told::Acknowledged { number, answered, .. }) => drop(acknowledged.insert(number, answered)),
            None => return Err(format!("the tail could not be filled: {}", filler.kill_and_wait()?)),
        }
    }
    filler.kill_and_wait()?;
    Ok(Filled { end, head: last, acknowledged })
}

/// Takes note of what a restart says of a command that was answered before the kill, and as what it was acknowledged then, as far
/// as that is known; whether more comes.
fn note_again(told: Told, acknowledged: &BTreeMap<u64, Answered>, report: &mut Report) -> bool {
    match told {
        Told::Acknowledged { number, repeated: true, answered } => {
            report.repeated += 1;
            if let Some(before) = acknowledged.get(&number).filter(|before| **before != answered) {
                report.lost += 1;
                let what = format!("command {number} was acknowledged as {before:?}, and is answered {answered:?}");
                report.told.push(what);
            }
        }
        Told::Acknowledged { number, repeated: false, .. } => {
            report.lost += 1;
            report.told.push(format!("command {number} was committed, and is carried out anew"));
        }
        Told::Failed(why) => report.told.push(format!("a command got no answer: {why}")),
        Told::Ready { .. } | Told::End(_) => {}
        Told::Done => return false,
    }
    true
}

/// What somebody outside knows.
struct Outside {
    load: Load,
    acknowledged: BTreeMap<u64, Answered>,
    /// Numbers that may have been sent, and were not acknowledged.
    open: BTreeSet<u64>,
    /// The first number that was surely never sent.
    next: u64,
}

impl Outside {
    fn round(&mut self, program: &Path, data: &Path, chance: &mut Chance, report: &mut Report) -> Result<(), String> {
        let mut again: BTreeSet<u64> = self.open.clone();
        for _ in 0..AGAIN_MAX.min(self.acknowledged.len()) {
            let number = chance.below(self.next);
            again.extend(self.acknowledged.range(number..).next().map(|(number, _)| *number));
        }
        let again: Vec<u64> = again.into_iter().collect();
        let mut running = Running::start(program, "serve", data, self.load, self.next, &again, true)?;
        report.started(running.ready()?);
        let life = Duration::from_millis(chance.between(LIFE_MS.0, LIFE_MS.1).unsigned_abs());
        let mut told = running.next(Duration::from_secs(SILENCE_SECONDS_MAX))?;
        let begun = SystemClock.monotonic_milliseconds();
        let mut latest = self.next;
        while let Some(said) = told {
            latest = latest.max(self.note(said, report));
            let lived = Duration::from_millis((SystemClock.monotonic_milliseconds() - begun).unsigned_abs());
            let Some(left) = life.checked_sub(lived) else { break };
            told = running.said.recv_timeout(left).ok();
        }
        let died = running.kill()?;
        while let Ok(said) = running.said.recv() {
            latest = latest.max(self.note(said, report));
        }
        if !died.is_empty() {
            report.told.push(format!("the process ended by itself: {died}"));
        }
        let next = latest + IN_FLIGHT as u64 + 1;
        self.open.extend((self.next..next).filter(|number| !self.acknowledged.contains_key(number)));
        self.next = next;
        Ok(())
    }

    /// Takes note of what a child told; the number of the command that it was about.
    fn note(&mut self, told: Told, report: &mut Report) -> u64 {
        match told {
            Told::Acknowledged { number, repeated, answered } => {
                match (self.acknowledged.insert(number, answered), repeated) {
                    (None, false) => {}
                    (None, true) => report.found += 1,
                    (Some(before), true) if before == answered => report.repeated += 1,
                    (Some(before), repeated) => {
                        let (count, word) =
                            if repeated { (&mut report.lost, "otherwise") } else { (&mut report.doubled, "anew") };
                        *count += 1;
                        report.told.push(format!(
                            "command {number} was acknowledged as {before:?}, and is answered {word}: {answered:?}"
                        ));
                    }
                }
                self.open.remove(&number);
                number
            }
            Told::Failed(why) => {
                report.told.push(format!("a command got no answer: {why}"));
                0
            }
            Told::Ready { .. } | Told::End(_) | Told::Done => 0,
        }
    }

    /// Audits `directory`: the chain, every row, the money, and every acknowledgement.
    fn audit(&self, directory: &Path, report: &mut Report) {
        let expected = Expected { load: self.load, acknowledged: self.acknowledged.clone(), ends: None };
        if let Err(why) = inspect(directory, &usual_bounds(true), &expected) {
            if why.starts_with("lost") {
                report.lost += 1;
            }
            if why.starts_with("doubled") {
                report.doubled += 1;
            }
            report.told.push(format!("the audit after {} kills: {why}", report.rounds));
        }
    }
}

fn copy_files(from: &Path, to: &Path) -> Result<(), String> {
    if to.exists() {
        fs::remove_dir_all(to).map_err(words("clearing a copy"))?;
    }
    fs::create_dir_all(to).map_err(words("making a copy"))?;
    for file in fs::read_dir(from).map_err(words("reading the data directory"))? {
        let file = file.map_err(words("reading the data directory"))?;
        let (from, to) = (file.path(), to.join(file.file_name()));
        if from.is_dir() {
            copy_files(&from, &to)?;
        } else {
            fs::copy(from, to).map_err(words("copying the data directory"))?;
        }
    }
    Ok(())
}

/// How a child came up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ready {
    pub(super) milliseconds: u64,
    pub(super) tail_records: u64,
    pub(super) head: u64,
}

/// A child that runs, and what it says.
pub(super) struct Running {
    child: Child,
    /// When it was started, by the steady clock.
    begun_ms: i64,
    pub(super) said: Receiver<Told>,
}

impl Running {
    /// Starts `kinchaku crash child DEED` on `data`; it sends `again` first, then everything from `from` on;
    /// with vault, notices and anchors if it `keeps_beside`.
    fn start(
        program: &Path,
        deed: &str,
        data: &Path,
        load: Load,
        from: u64,
        again: &[u64],
        keeps_beside: bool,
    ) -> Result<Self, String> {
        let mut command = Command::new(program);
        command.args(["crash", "child", deed, "--directory"]).arg(data);
        command.args(["--seed", &load.seed.to_string(), "--from", &from.to_string()]);
        command.args(["--wallets", &load.wallets.to_string(), "--shops", &load.shops.to_string()]);
        command.args(keeps_beside.then_some("--keeps-beside"));
        Self::spawn(command, again, deed == "fill")
    }

    /// Starts `command`, tells it what to send again, and keeps its input open if it waits to be killed.
    pub(super) fn spawn(mut command: Command, again: &[u64], waits: bool) -> Result<Self, String> {
        let begun_ms = SystemClock.monotonic_milliseconds();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(words("starting the process"))?;
        let (sender, said) = channel();
        let out = child.stdout.take().ok_or("the process has no output")?;
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines() {
                let Some(told) = line.ok().as_deref().and_then(Told::read) else { return };
                if sender.send(told).is_err() {
                    return;
                }
            }
        });
        if !waits {
            let mut numbers = child.stdin.take().ok_or("the process has no input")?;
            let lines: Vec<String> = again.iter().map(|number| format!("{number}\n")).collect();
            let lines = lines.concat();
            std::thread::spawn(move || {
                // A process that ended already does not listen.
                drop(numbers.write_all(lines.as_bytes()));
            });
        }
        Ok(Self { child, begun_ms, said })
    }

    /// The next line; none if the process has ended.
    pub(super) fn next(&self, patience: Duration) -> Result<Option<Told>, String> {
        match self.said.recv_timeout(patience) {
            Ok(told) => Ok(Some(told)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(format!("the process said nothing for {} s", patience.as_secs())),
        }
    }

    fn ready(&mut self) -> Result<Ready, String> {
        match self.next(Duration::from_secs(SILENCE_SECONDS_MAX))? {
            Some(Told::Ready { head, watermark }) => {
                let milliseconds = (SystemClock.monotonic_milliseconds() - self.begun_ms).unsigned_abs();
                Ok(Ready { milliseconds, tail_records: head - watermark, head })
            }
            other => Err(format!("the process did not come up ({other:?}): {}", self.kill_and_wait()?)),
        }
    }

    /// Kills the process; what it says of its end if it had ended by itself.
    pub(super) fn kill(&mut self) -> Result<String, String> {
        let ended = self.child.try_wait().map_err(words("looking after the process"))?;
        if ended.is_some() {
            return self.kill_and_wait();
        }
        self.kill_and_wait().map(|_| String::new())
    }

    pub(super) fn kill_and_wait(&mut self) -> Result<String, String> {
        self.child.kill().map_err(words("killing the process"))?;
        let status = self.child.wait().map_err(words("waiting for the process"))?;
        let mut why = String::new();
        if let Some(errors) = &mut self.child.stderr {
            std::io::Read::read_to_string(errors, &mut why).map_err(words("listening to the process"))?;
        }
        Ok(format!("{status}: {}", why.trim()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended before.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_that_does_what_was_done_has_lost_it() {
        let answered = Answered { n: 7, digest: 1 };
        let other = Answered { n: 7, digest: 2 };
        let acknowledged = BTreeMap::from([(3, answered), (4, other)]);
        for (told, repeated, lost, words) in [
            (Told::Acknowledged { number: 3, repeated: true, answered }, 1, 0, 0),
            (Told::Acknowledged { number: 4, repeated: true, answered }, 1, 1, 1),
            (Told::Acknowledged { number: 5, repeated: true, answered }, 1, 0, 0),
            (Told::Acknowledged { number: 3, repeated: false, answered }, 0, 1, 1),
            (Told::Failed("busy".into()), 0, 0, 1),
        ] {
            let mut report = Report::default();
            assert!(note_again(told.clone(), &acknowledged, &mut report), "more may come after {told:?}");
            assert_eq!((report.repeated, report.lost, report.told.len()), (repeated, lost, words), "{told:?}");
        }
        assert!(!note_again(Told::Done, &acknowledged, &mut Report::default()), "that was all");
    }
}
