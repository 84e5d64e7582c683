//! Crash images, by the thousand: a run is recorded once, then rebuilt as a disk may hold it at many of its moments.
//!
//! Start reading at [`run`].

use super::child::{Told, small_bounds, small_load};
use super::image::{Disk, Image, Moments};
use super::inspection::{Expected, inspect};
use super::recording::{CALLS, Recording};
use super::{Workshop, words};
use crate::simulate::chance::Chance;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Images that are looked at side by side.
const THREADS: u64 = 2;
/// Violations that are told in full.
const VIOLATIONS_TOLD_MAX: usize = 5;
/// The longest string that strace prints: more than any write of the store.
const STRING_BYTES_MAX: &str = "16777216";

/// What to record and how many images to make of it.
#[derive(Clone, Debug)]
pub struct Options {
    /// This program, which runs itself again to be recorded.
    pub program: PathBuf,
    /// Where to work; files are made below it, and removed unless something is found.
    pub directory: PathBuf,
    /// What every choice is drawn from.
    pub seed: u64,
    /// How many images.
    pub images: u64,
    /// How many batches the recorded run commits.
    pub commits: u64,
    /// The planted bug that the recorded run has.
    pub canary: Option<String>,
    /// A recording that an earlier run kept, instead of a new one.
    pub recording: Option<PathBuf>,
    /// The one image to make, by its number.
    pub only: Option<u64>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Images that were made and opened.
    pub images: u64,
    /// Writes in the recording.
    pub writes: u64,
    /// Syncs in the recording.
    pub syncs: u64,
    /// Batches that the recorded run acknowledged.
    pub batches: u64,
    /// Acknowledged commands that were looked for in all images together.
    pub acknowledged: u64,
    /// Images that were not as they must be.
    pub violations: u64,
    /// The first of them, in words.
    pub told: Vec<String>,
    /// Where the recording was kept, if something was found.
    pub kept: Option<PathBuf>,
}

/// The acknowledgements of a recording: the line after which each was said.
type Said = Vec<(usize, Vec<Told>)>;

/// Records a run, makes the images, opens and checks each. `progress` is told how many are done.
pub fn run(options: &Options, progress: &(dyn Fn(u64) + Sync)) -> Result<Report, String> {
    let workshop = Workshop::new(&options.directory, options.recording.as_deref())?;
    if options.recording.is_none() {
        record(options, workshop.path())?;
    }
    let trace = fs::File::open(workshop.path().join("trace")).map_err(words("opening the trace"))?;
    let watched = workshop.path().join("watched");
    let recording = Recording::read(BufReader::new(trace), &watched, &workshop.path().join("acknowledgements"))?;
    let disk = Disk::new(&recording);
    let said: Said =
        disk.acknowledged().map(|(line, text)| (line, text.lines().filter_map(Told::read).collect())).collect();
    let ends: BTreeSet<u64> = said
        .iter()
        .flat_map(|(_, told)| told)
        .filter_map(|told| if let Told::End(n) = told { Some(*n) } else { None })
        .collect();
    let mut report = Report { batches: said.len() as u64, ..Report::default() };
    (report.writes, report.syncs) = disk.counts();
    if options.canary.is_none() && (report.writes == 0 || report.syncs == 0 || report.batches == 0) {
        let Report { writes, syncs, batches, .. } = report;
        return Err(format!(
            "the recording has {writes} writes, {syncs} syncs and {batches} acknowledged batches: no image of it proves anything"
        ));
    }

    let shared = Mutex::new(report);
    let next = AtomicU64::new(options.only.unwrap_or(0));
    let end = options.only.map_or(options.images, |only| only + 1);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let maker = Maker { options, disk: &disk, moments: disk.moments(), said: &said, ends: &ends };
            let place = workshop.path().join(format!("image-{thread}"));
            let (shared, next) = (&shared, &next);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= end {
                        return;
                    }
                    let found = maker.check(number, &place);
                    let mut report = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    report.note(found);
                    progress(report.images);
                }
            });
        }
    });
    let mut report = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    if report.violations > 0 && options.canary.is_none() {
        report.kept = Some(workshop.keep());
    }
    Ok(report)
}

impl Report {
    fn note(&mut self, found: Result<u64, String>) {
        self.images += 1;
        match found {
            Ok(acknowledged) => self.acknowledged += acknowledged,
            Err(why) => {
                self.violations += 1;
                if self.told.len() < VIOLATIONS_TOLD_MAX {
                    self.told.push(why);
                }
            }
        }
    }
}

/// Runs this program under strace.
fn record(options: &Options, work: &Path) -> Result<(), String> {
    let watched = work.join("watched");
    fs::create_dir(&watched).map_err(words("making a directory"))?;
    let mut command = Command::new("strace");
    command
        .args(["--follow-forks", "--seccomp-bpf", "--decode-fds=path", "--strings-in-hex=all", "--string-limit"])
        .args([STRING_BYTES_MAX, "--trace", CALLS, "--output"])
        .arg(work.join("trace"))
        .arg(&options.program)
        .args(["crash", "child", "record", "--directory"])
        .arg(watched.join("data"))
        .arg("--acknowledgements")
        .arg(work.join("acknowledgements"))
        .args(["--seed", &options.seed.to_string(), "--commits", &options.commits.to_string(), "--keeps-beside"]);
    if let Some(canary) = &options.canary {
        command.args(["--canary", canary]);
    }
    let output = command.stdin(Stdio::null()).output().map_err(|error| {
        format!("cannot start strace, which records the writes: {error}; install it (apt-get install strace)")
    })?;
    if output.status.success() || options.canary.is_some() {
        return Ok(());
    }
    Err(format!("the recorded run failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim()))
}

struct Maker<'a> {
    options: &'a Options,
    disk: &'a Disk<'a>,
    moments: Moments,
    said: &'a Said,
    ends: &'a BTreeSet<u64>,
}

impl Maker<'_> {
    /// Makes the image with `number` at `place`, opens and checks it; how many acknowledged commands were found.
    fn check(&self, number: u64, place: &Path) -> Result<u64, String> {
        let mut chance = Chance::new(self.options.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let moments = match chance.below(10) {
            0..4 if !self.moments.syncs.is_empty() => &self.moments.syncs,
            4..7 if !self.moments.acknowledgements.is_empty() => &self.moments.acknowledgements,
            _ => &self.moments.all,
        };
        let moment = *chance.pick(moments);
        let image = self.disk.image(moment, &mut chance);
        let mut acknowledged = BTreeMap::new();
        for told in self.said.iter().take_while(|(line, _)| *line < moment).flat_map(|(_, told)| told) {
            if let Told::Acknowledged { number, answered, .. } = told {
                acknowledged.insert(*number, *answered);
            }
        }
        let expected = Expected { load: small_load(self.options.seed), acknowledged, ends: Some(self.ends.clone()) };
        let found = lay_out(&image, place).and_then(|()| inspect(&place.join("data"), &small_bounds(true), &expected));
        found.map_err(|why| format!("image {number}, power lost before line {moment}: {why}"))
    }
}

/// Writes the image's files below `place`, in place of those of the image before.
fn lay_out(image: &Image, place: &Path) -> Result<(), String> {
    if place.exists() {
        fs::remove_dir_all(place).map_err(words("clearing an image"))?;
    }
    fs::create_dir_all(place.join("data")).map_err(words("making an image"))?;
    for (name, content) in image {
        fs::write(place.join(name), content).map_err(words("writing an image"))?;
    }
    Ok(())
}
