//! `kinchaku crash`: the process killed under load, power lost at any moment, a disk that fails; audited afterwards.

use crate::progress::Shown;
use clap::{Args, Subcommand};
use drill::crash::{Load, child, disk, images, kill};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// What happens.
#[derive(Subcommand)]
pub enum Crash {
    /// Kills the process under load again and again; what was acknowledged must stay, and nothing happen twice.
    Kill(Kill),
    /// Records a run's writes and syncs, and opens what a disk may hold after power was lost at any moment. Needs strace.
    Images(Images),
    /// Lets the disk fill up, writes fail and syncs fail. Needs strace; the full disk needs root.
    Disk(Work),
    /// The process that is killed or recorded.
    #[command(subcommand, hide = true)]
    Child(Child),
}

/// Where to work, and what chance to draw from.
#[derive(Args)]
pub struct Work {
    /// Where to work; what is made there is removed, unless something was found. The system's place for temporary files.
    #[arg(long)]
    directory: Option<PathBuf>,
    /// What every choice is drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// How `crash kill` runs.
#[derive(Args)]
pub struct Kill {
    /// How often to kill.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Wallets that pay.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    wallets: u64,
    /// Measure restarts with a journal's tail as long as it may be, instead of killing under load: all that was committed
    /// must be there.
    #[arg(long)]
    full_tail: bool,
    /// The longest restart that passes, in milliseconds.
    #[arg(long)]
    restart_ms_max: Option<u64>,
    #[command(flatten)]
    work: Work,
}

/// How `crash images` runs.
#[derive(Args)]
pub struct Images {
    /// How many images to open.
    #[arg(long = "images", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// Batches that the recorded run commits.
    #[arg(long, default_value_t = 240, value_parser = clap::value_parser!(u64).range(8..))]
    commits: u64,
    /// Images of a recording that an earlier run kept.
    #[arg(long)]
    recording: Option<PathBuf>,
    /// The one image to open, by its number.
    #[arg(long)]
    only: Option<u64>,
    /// Plants each bug that only a disk shows, and fails unless every one is caught.
    #[cfg(feature = "canaries")]
    #[arg(long)]
    canaries: bool,
    #[command(flatten)]
    work: Work,
}

/// What a child does.
#[derive(Subcommand)]
pub enum Child {
    /// A short run that is recorded.
    Record {
        #[arg(long)]
        directory: PathBuf,
        #[arg(long)]
        acknowledgements: PathBuf,
        #[arg(long)]
        seed: u64,
        #[arg(long)]
        commits: u64,
        #[arg(long, default_value_t = 0)]
        patience: u64,
        /// With vault, notices and anchors, as the wallet's service.
        #[arg(long)]
        keeps_beside: bool,
        #[cfg(feature = "canaries")]
        #[arg(long)]
        canary: Option<String>,
    },
    /// A run that ends when it is killed.
    Serve(Served),
    /// A run that fills the journal's tail and waits to be killed.
    Fill(Served),
    /// A run that fills the disk.
    FillUp {
        #[arg(long)]
        directory: PathBuf,
        #[arg(long)]
        seed: u64,
    },
}

/// What a child of `crash kill` sends.
#[derive(Args)]
pub struct Served {
    #[arg(long)]
    directory: PathBuf,
    #[arg(long)]
    seed: u64,
    #[arg(long)]
    wallets: u64,
    #[arg(long)]
    shops: u64,
    #[arg(long)]
    from: u64,
    /// With vault, notices and anchors, as the wallet's service.
    #[arg(long)]
    keeps_beside: bool,
}

impl Served {
    const fn load(&self) -> Load {
        Load { seed: self.seed, wallets: self.wallets, shops: self.shops }
    }
}

/// Runs what was asked; 1 if it could not, or if something was lost, doubled, torn or slow.
pub fn run(crash: &Crash) -> ExitCode {
    let result = match crash {
        Crash::Kill(arguments) => run_kill(arguments),
        Crash::Images(arguments) => run_images(arguments),
        Crash::Disk(work) => run_disk(work),
        Crash::Child(child) => run_child(child).map(|()| true),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            complain(&why);
            ExitCode::FAILURE
        }
    }
}

fn run_kill(arguments: &Kill) -> Result<bool, String> {
    let options = kill::Options {
        program: program()?,
        directory: arguments.work.directory(),
        seed: arguments.work.seed,
        rounds: arguments.rounds,
        wallets: arguments.wallets,
    };
    let shown = Shown::default();
    let report = if arguments.full_tail {
        shown.show("the tail is filled", 0, 0);
        kill::full_tail(&options, &|done| shown.show("restarts", done, kill::FULL_TAIL_RESTARTS))?
    } else {
        kill::run(&options, &|done| shown.show("kills", done, arguments.rounds))?
    };
    shown.end();
    report.told.iter().for_each(|what| complain(what));
    if let Some(kept) = &report.kept {
        complain(&format!("the data directory is kept below {}", kept.display()));
    }
    let (restart_ms_p50, restart_ms_max) = report.restart_ms_p50_and_max();
    let slow = arguments.restart_ms_max.is_some_and(|bound| restart_ms_max > bound);
    if slow {
        complain(&format!("a restart took {restart_ms_max} ms"));
    }
    arguments.work.print(&json!({
        "rounds": report.rounds,
        "acknowledged": report.acknowledged,
        "repeated": report.repeated,
        "found": report.found,
        "lost": report.lost,
        "doubled": report.doubled,
        "restart_ms_p50": restart_ms_p50,
        "restart_ms_max": restart_ms_max,
        "tail_records_max": report.tail_records_max,
    }));
    Ok(report.told.is_empty() && !slow)
}

fn run_images(arguments: &Images) -> Result<bool, String> {
    let options = images::Options {
        program: program()?,
        directory: arguments.work.directory(),
        seed: arguments.work.seed,
        images: arguments.count,
        commits: arguments.commits,
        canary: None,
        recording: arguments.recording.clone(),
        only: arguments.only,
    };
    #[cfg(feature = "canaries")]
    if arguments.canaries {
        return run_canaries(&options, &arguments.work);
    }
    let shown = Shown::default();
    let report = images::run(&options, &|done| shown.show("images", done, arguments.count))?;
    shown.end();
    report.told.iter().for_each(|what| complain(what));
    if let Some(kept) = &report.kept {
        let again = format!("--seed {} --recording {} --only NUMBER", options.seed, kept.display());
        complain(&format!("the recording is kept; open one image again with {again}"));
    }
    arguments.work.print(&json!({
        "images": report.images,
        "batches": report.batches,
        "writes": report.writes,
        "syncs": report.syncs,
        "acknowledged": report.acknowledged,
        "violations": report.violations,
    }));
    Ok(report.violations == 0)
}

#[cfg(feature = "canaries")]
fn run_canaries(options: &images::Options, work: &Work) -> Result<bool, String> {
    let sound = images::run(options, &|_| {})?;
    if sound.violations > 0 {
        return Err(format!("without any bug, too: {}", sound.told.join("; ")));
    }
    let mut caught = Vec::new();
    let mut missed = Vec::new();
    for &canary in engine::canary::NAMES_ON_DISK {
        let options = images::Options { canary: Some(canary.into()), ..options.clone() };
        let report = images::run(&options, &|_| {})?;
        let list = if report.violations > 0 { &mut caught } else { &mut missed };
        list.push(canary);
    }
    work.print(&json!({ "caught": caught, "missed": missed }));
    Ok(missed.is_empty())
}

fn run_disk(work: &Work) -> Result<bool, String> {
    let options = disk::Options { program: program()?, directory: work.directory(), seed: work.seed };
    let cases = disk::run(&options)?;
    let (mut passed, mut skipped, mut failed) = (0_u64, 0_u64, 0_u64);
    for case in cases {
        match case.outcome {
            disk::Outcome::Passed => passed += 1,
            disk::Outcome::Skipped(why) => {
                skipped += 1;
                complain(&format!("SKIPPED: {}: {why}", case.name));
            }
            disk::Outcome::Failed(why) => {
                failed += 1;
                complain(&format!("{}: {why}", case.name));
            }
        }
    }
    work.print(&json!({ "passed": passed, "skipped": skipped, "failed": failed }));
    // Where every tool is installed, a case that cannot be tried is a failure.
    let may_skip = std::env::var_os("CI").is_none();
    Ok(failed == 0 && (skipped == 0 || may_skip))
}

fn run_child(child: &Child) -> Result<(), String> {
    match child {
        Child::Record {
            directory,
            acknowledgements,
            seed,
            commits,
            patience,
            keeps_beside,
            #[cfg(feature = "canaries")]
            canary,
        } => {
            #[cfg(feature = "canaries")]
            engine::canary::select(canary.as_deref());
            child::record(directory, acknowledgements, *seed, *commits, *patience, *keeps_beside)
        }
        Child::Serve(served) => {
            let (input, output) = (std::io::stdin(), std::io::stdout());
            let (load, keeps_beside) = (served.load(), served.keeps_beside);
            child::serve(&served.directory, load, served.from, u64::MAX, keeps_beside, input, output)
        }
        Child::Fill(served) => child::fill(&served.directory, served.load(), std::io::stdin(), std::io::stdout()),
        Child::FillUp { directory, seed } => disk::fill_up(directory, *seed),
    }
}

impl Work {
    fn directory(&self) -> PathBuf {
        self.directory.clone().unwrap_or_else(std::env::temp_dir)
    }

    /// Prints the figures, as JSON or one a line.
    #[expect(clippy::print_stdout, reason = "the figures are the command's output")]
    fn print(&self, figures: &serde_json::Value) {
        match figures.as_object() {
            Some(figures) if !self.json => {
                for (name, value) in figures {
                    println!("{name:>18}  {value}");
                }
            }
            Some(_) | None => println!("{figures}"),
        }
    }
}

fn program() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|error| format!("cannot find this program to run it again: {error}"))
}

#[expect(clippy::print_stderr, reason = "the command says what it found")]
fn complain(what: &str) {
    eprintln!("{what}");
}
