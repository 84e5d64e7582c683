//! The process that is watched or killed: the real core on the embedded store, under load.
//!
//! It tells the outside what it acknowledged, one line an answer, after the answer and never before. Start reading at
//! [`record`] (a short run for crash images) and [`serve`] (a run that ends when it is killed).

use super::beside::{self, Notices, Profiles};
use super::books::Answered;
use super::inspection::{Bounds, SqliteCore, answered, open, open_core, open_store};
use super::load::Load;
use crate::simulate::chance::Chance;
use domain::Time;
use engine::options::TAIL_EVENTS_MAX;
use engine::sqlite::SqliteOptions;
use engine::{Engine, EngineError, Options, Store, SystemClock, Watch};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wallet::Wallets;

/// Commands in one batch of a recorded run, at most.
const BATCH_COMMANDS_MAX: u64 = 12;
/// Callers of a run that is killed.
pub(super) const IN_FLIGHT: usize = 256;
/// Of so many profiles one is sealed in a run that is killed.
const SEALED_ONE_IN: u64 = 16;
/// Commands in one batch while a tail is filled.
const FILL_COMMANDS: u64 = 512;
/// Rows that the cache keeps while a tail is filled: all of a world of a million wallets, so that no row must be written to
/// make room.
const FILL_CACHE_ROWS: usize = 16_000_000;

/// The bounds of a recorded run: so small that a few hundred commits meet checkpoints, write-back and key segments.
pub fn small_bounds(keeps_beside: bool) -> Bounds {
    Bounds {
        keeps_beside,
        store: SqliteOptions {
            requests_segment_max: 96,
            checkpoint_log_bytes_min: 128 << 10,
            state_checkpoint_log_bytes_min: 128 << 10,
            ..SqliteOptions::default()
        },
        core: Options {
            cache_rows_max: 48,
            generation_events_min: 48,
            tail_events_max: 256,
            refusals_journaled_max: u32::MAX,
            refusals_of_service_journaled_max: u32::MAX,
            // The load's time is its own, and far from the machine's.
            clock_believed: true,
            ..Options::default()
        },
    }
}

/// The bounds of a run that is killed: those of the product.
pub fn usual_bounds(keeps_beside: bool) -> Bounds {
    Bounds {
        keeps_beside,
        core: Options {
            refusals_journaled_max: u32::MAX,
            refusals_of_service_journaled_max: u32::MAX,
            // The load's time is its own, and far from the machine's.
            clock_believed: true,
            ..Options::default()
        },
        ..Bounds::default()
    }
}

/// The load of a recorded run.
pub const fn small_load(seed: u64) -> Load {
    Load { seed, wallets: 16, shops: 3 }
}

/// Runs `commits` batches in `directory`: a stop, an end without one, and a deleted state file among them. Each batch's
/// answers go into `acknowledgements` in one write. A batch that the store cannot take now is tried again `patience` times.
/// `keeps_beside`: with vault, notices and anchors, as the wallet's service.
pub fn record(
    directory: &Path,
    acknowledgements: &Path,
    seed: u64,
    commits: u64,
    patience: u64,
    keeps_beside: bool,
) -> Result<(), String> {
    let file = std::fs::File::create(acknowledgements).map_err(|error| error.to_string())?;
    let (load, chance, next, beside) = (small_load(seed), Chance::new(seed), 0, None);
    let mut run = RecordedRun { load, chance, next, file, patience, beside };
    let bounds = small_bounds(keeps_beside);
    let part = commits / 4;

    let mut core = run.open(directory, &bounds)?;
    run.commit(&mut core, part)?;
    run.close(core)?;

    let mut core = run.open(directory, &bounds)?;
    run.commit(&mut core, part)?;
    drop(core);

    let mut core = run.open(directory, &bounds)?;
    run.commit(&mut core, part)?;
    drop(core);

    for suffix in ["", "-wal", "-shm"] {
        match std::fs::remove_file(directory.join(format!("state.sqlite{suffix}"))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.to_string()),
            Ok(()) | Err(_) => {}
        }
    }
    let mut core = run.open(directory, &bounds)?;
    run.commit(&mut core, commits - 3 * part)?;
    run.close(core)
}

struct RecordedRun {
    load: Load,
    chance: Chance,
    next: u64,
    file: std::fs::File,
    patience: u64,
    beside: Option<(Profiles, Notices)>,
}

impl RecordedRun {
    fn open(&mut self, directory: &Path, bounds: &Bounds) -> Result<SqliteCore, String> {
        let core = open(directory, bounds)?;
        if bounds.keeps_beside {
            self.beside = Some((Profiles::open(directory, 1)?, Notices::open(directory)?));
        }
        Ok(core)
    }

    fn close(&mut self, core: SqliteCore) -> Result<(), String> {
        if let Some((_, mut notices)) = self.beside.take() {
            notices.settle()?;
        }
        core.close().map(drop).map_err(|error| error.to_string())
    }

    fn commit(&mut self, core: &mut SqliteCore, commits: u64) -> Result<(), String> {
        for _ in 0..commits {
            self.batch(core)?;
            if self.chance.one_in(10) {
                core.idle();
            }
        }
        Ok(())
    }

    fn batch(&mut self, core: &mut SqliteCore) -> Result<(), String> {
        let count = 1 + self.chance.below(BATCH_COMMANDS_MAX);
        let mut numbers: Vec<u64> = (self.next..self.next + count).collect();
        if self.next > 0 && self.chance.one_in(8) {
            numbers.push(self.chance.below(self.next));
        }
        self.next += count;
        let mut submissions: Vec<_> = numbers.iter().map(|&number| self.load.submission(number)).collect();
        if let Some((profiles, _)) = &mut self.beside {
            submissions = submissions.into_iter().map(|each| profiles.seal(each)).collect::<Result<_, _>>()?;
        }
        let mut answers = Vec::new();
        core.step(&submissions, &mut answers);
        while self.patience > 0 && matches!(answers.first(), Some(Err(EngineError::Unavailable(_)))) {
            self.patience -= 1;
            core.step(&submissions, &mut answers);
        }
        let mut lines = String::new();
        for (number, answer) in numbers.iter().zip(&answers) {
            let answer = answer.as_ref().map_err(ToString::to_string)?;
            let answered = answered(answer).ok_or("a refusal was only counted")?;
            write_acknowledgement(&mut lines, *number, answer.repeated, &answered);
        }
        let end = answers.iter().flatten().filter_map(|answer| answer.place).map(|place| place.n).max();
        writeln!(lines, "end {}", end.unwrap_or(0)).map_err(|error| error.to_string())?;
        self.file.write_all(lines.as_bytes()).map_err(|error| error.to_string())?;
        if let Some((_, notices)) = &mut self.beside {
            notices.follow(core.status().head.place.n)?;
        }
        Ok(())
    }
}

fn write_acknowledgement(lines: &mut String, number: u64, repeated: bool, answered: &Answered) {
    let how = if repeated { "again" } else { "new" };
    writeln!(lines, "ack {number} {how} {} {}", answered.n, answered.digest).expect("a string takes every line");
}

/// One line of what a child tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It takes commands.
    Ready {
        /// The last record.
        head: u64,
        /// Up to where the rows were written.
        watermark: u64,
    },
    /// A command was answered.
    Acknowledged {
        /// Its number.
        number: u64,
        /// Whether it was answered before.
        repeated: bool,
        /// The answer.
        answered: Answered,
    },
    /// A batch ended with this record.
    End(u64),
    /// All that was to be sent again was answered; or the tail is full.
    Done,
    /// A command got no answer.
    Failed(String),
}

impl Told {
    /// Reads a line; none for one that was cut off in the middle.
    pub fn read(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let told = match (words.next()?, words.next(), words.next(), words.next(), words.next()) {
            ("ready", Some(head), Some(watermark), None, None) => {
                Self::Ready { head: head.parse().ok()?, watermark: watermark.parse().ok()? }
            }
            ("ack", Some(number), Some(how), Some(n), Some(digest)) => Self::Acknowledged {
                number: number.parse().ok()?,
                repeated: how == "again",
                answered: Answered { n: n.parse().ok()?, digest: digest.parse().ok()? },
            },
            ("end", Some(n), None, None, None) => Self::End(n.parse().ok()?),
            ("done", None, ..) => Self::Done,
            ("failed", ..) => Self::Failed(line.strip_prefix("failed ")?.into()),
            _ => return None,
        };
        Some(told)
    }
}

/// Answers the numbers that `again` lists, then one command after the other from `from` on until the process is killed
/// or `until` is reached. `keeps_beside`: with vault, notices and anchors, as the wallet's service.
pub fn serve(
    directory: &Path,
    load: Load,
    from: u64,
    until: u64,
    keeps_beside: bool,
    mut again: impl Read,
    out: impl Write + Send + 'static,
) -> Result<(), String> {
    let (mut core, out) = open_and_tell(directory, &usual_bounds(keeps_beside), out)?;
    let watch = if keeps_beside { Some(beside::connect(directory, &mut core)?) } else { None };
    let profiles = if keeps_beside { Some(Profiles::open(directory, SEALED_ONE_IN)?) } else { None };
    let profiles = Arc::new(Mutex::new(profiles));
    let mut numbers = String::new();
    again.read_to_string(&mut numbers).map_err(|error| error.to_string())?;
    let again: Vec<u64> = numbers.lines().map(str::parse).collect::<Result<_, _>>().map_err(|_| "not a number")?;
    let engine = Engine::start(core, Arc::new(SystemClock));
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
    let speaker = Arc::new(Mutex::new(out));
    runtime.block_on(answer_all(&engine, load, again, &profiles, &speaker));
    tell(&speaker, "done\n");
    runtime.block_on(answer_all(&engine, load, from..until, &profiles, &speaker));
    engine.stop().map_err(|error| error.to_string())?;
    watch.map_or(Ok(()), Watch::join).map_err(|error| error.to_string())
}

fn open_and_tell<W: Write>(directory: &Path, bounds: &Bounds, mut out: W) -> Result<(SqliteCore, W), String> {
    let store = open_store(directory, bounds)?;
    let recovered = Store::<Wallets>::recovered(&store);
    let core = open_core(store, bounds)?;
    writeln!(out, "ready {} {}", recovered.head.place.n, recovered.watermark)
        .and_then(|()| out.flush())
        .map_err(|error| error.to_string())?;
    Ok((core, out))
}

async fn answer_all<W: Write + Send + 'static>(
    engine: &Engine<Wallets>,
    load: Load,
    numbers: impl IntoIterator<Item = u64, IntoIter: Send + 'static>,
    profiles: &Arc<Mutex<Option<Profiles>>>,
    speaker: &Arc<Mutex<W>>,
) {
    let numbers = Arc::new(Mutex::new(numbers.into_iter()));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (engine, numbers) = (engine.clone(), Arc::clone(&numbers));
        let (speaker, profiles) = (Arc::clone(speaker), Arc::clone(profiles));
        callers.spawn(async move {
            loop {
                let next = lock(&numbers).next();
                let Some(number) = next else { return };
                let submission = load.submission(number);
                let sealed = match lock(&profiles).as_mut() {
                    Some(profiles) => profiles.seal(submission),
                    None => Ok(submission),
                };
                let mut line = String::new();
                let submission = match sealed {
                    Ok(submission) => submission,
                    Err(why) => return tell(&speaker, &format!("failed {why}\n")),
                };
                let answer = engine.submit(submission).await;
                match answer.map(|answer| (answer.repeated, answered(&answer))) {
                    Ok((repeated, Some(answered))) => write_acknowledgement(&mut line, number, repeated, &answered),
                    Ok((_, None)) => line.push_str("failed a refusal was only counted\n"),
                    Err(error) => writeln!(line, "failed {error}").expect("a string takes every line"),
                }
                tell(&speaker, &line);
            }
        });
    }
    while callers.join_next().await.is_some() {}
}

/// Writes a line at once. When nobody listens any more the process ends.
fn tell<W: Write>(speaker: &Mutex<W>, line: &str) {
    let mut out = lock(speaker);
    if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sets the load's world up, then fills the journal's tail to its bound while no row is written, says so, and waits to
/// be killed.
pub fn fill(directory: &Path, load: Load, mut wait: impl Read, mut out: impl Write) -> Result<(), String> {
    let mut bounds = usual_bounds(false);
    bounds.core.cache_rows_max = FILL_CACHE_ROWS;
    let mut core = open(directory, &bounds)?;
    let mut next = step_until(&mut core, load, 0, load.setup(), None, &mut std::io::sink())?;
    drop(core.close().map_err(|error| error.to_string())?);

    // Nothing is handed over before the bound, and the lane's time stands still, so nothing grows old.
    bounds.core.generation_events_min = u64::MAX;
    let (mut core, _) = open_and_tell(directory, &bounds, &mut out)?;
    let tail = TAIL_EVENTS_MAX - FILL_COMMANDS;
    next = step_until(&mut core, load, next, next + tail, Some(load.submission(next).at), &mut out)?;
    let status = core.status();
    writeln!(out, "ready {} {}\nend {next}\ndone", status.head.place.n, status.watermark)
        .and_then(|()| out.flush())
        .map_err(|error| error.to_string())?;
    let mut nothing = [0];
    wait.read(&mut nothing).map_err(|error| error.to_string())?;
    Ok(())
}

/// Answers the numbers up to `to`, at the lane's time `at` if it is to stand still, and tells `out` what they were answered.
fn step_until(
    core: &mut SqliteCore,
    load: Load,
    from: u64,
    to: u64,
    at: Option<Time>,
    out: &mut impl Write,
) -> Result<u64, String> {
    let mut answers = Vec::new();
    let mut next = from;
    while next < to {
        let count = FILL_COMMANDS.min(to - next);
        let mut batch: Vec<_> = (next..next + count).map(|number| load.submission(number)).collect();
        if let Some(at) = at {
            for submission in &mut batch {
                submission.at = at;
            }
        }
        core.step(&batch, &mut answers);
        let mut lines = String::new();
        for (number, answer) in (next..).zip(&answers) {
            let answer = answer.as_ref().map_err(ToString::to_string)?;
            let answered = answered(answer).ok_or("a refusal was only counted")?;
            write_acknowledgement(&mut lines, number, answer.repeated, &answered);
        }
        out.write_all(lines.as_bytes()).map_err(|error| error.to_string())?;
        next += count;
    }
    Ok(next)
}
