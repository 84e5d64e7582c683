//! `kinchaku drill`: an attack replayed against the whole stack in simulated time, with its figures as text or JSON (`text`).

mod text;

use clap::Args;
use drill::fraud::presets::Trial;
use drill::fraud::seeds::Seeds;
use drill::fraud::{self, Options, Report, ablation, matrix, page, presets, scenario, tactics};
use engine::{Clock as _, SystemClock};
use indicatif::{ProgressBar, ProgressStyle};
use scenario::{Method, SCENARIOS};
use serde_json::json;
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use tactics::{Outcome, TACTICS, Tactics};

/// A word that the command line did not mean: the exit code for it.
const NOT_UNDERSTOOD: u8 = 2;
/// The exit code of a run that was ended in the middle, as shells have it for Ctrl-C.
const INTERRUPTED: u8 = 130;
/// The preset whose promises are looked at: the controls that `serve` has by default.
const DEFAULT_PRESET: &str = "hardened";
/// The way of the attacker without a wish.
const DEFAULT_TACTICS: &str = "burst";
/// Ordinary holders without a wish.
const HONEST_DEFAULT: u32 = 500;
/// Ordinary holders, at most.
const HONEST_MAX: u32 = 100_000;

const HELP: &str = "\
Examples:
  kinchaku drill september-2020                       under the controls that `serve` has by default
  kinchaku drill september-2020 --preset as-of-2020   under those of the time, with the stops on their real dates
  kinchaku drill september-2020 --seeds 5 --json      five seeds, their median and range
  kinchaku drill september-2020 --attacker guess --honest 5000
  kinchaku drill september-2020 --tactics relayed-codes
  kinchaku drill resona-2019 --preset as-of-2019      the case of May 2019, under the controls of that time
  kinchaku drill september-2020 --matrix              every way of the attacker, one row each
  kinchaku drill small --matrix --tactics coached-victims
                                                      one row, of a run of seconds
  kinchaku drill september-2020 --ablate --report drill.html
                                                      what each control is worth, as a page with charts

The same seed gives the same report, but for `seconds`. Every number that the drill chooses: docs/drill.md.";

/// What to replay.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Drill {
    /// Which attack: september-2020, resona-2019, small.
    name: String,
    /// Under which controls: hardened, as-of-2020, as-of-2019, open.
    #[arg(long, default_value = DEFAULT_PRESET)]
    preset: String,
    /// By which way criminals come to credentials: guess, phish, both.
    #[arg(long, default_value = "both")]
    attacker: String,
    /// How the attacker goes about it: burst, slow, small, sleeper, copied-faces, relayed-codes and others. Of a matrix that
    /// row alone.
    #[arg(long)]
    tactics: Option<String>,
    /// How fast a guesser is, instead of as the tactics say: burst, hourly.
    #[arg(long)]
    pace: Option<String>,
    /// The first amount of a top-up in yen, instead of as the tactics say.
    #[arg(long, value_name = "YEN", value_parser = clap::value_parser!(i64).range(1_000..=10_000_000))]
    amount: Option<i64>,
    /// Of a hundred faces so many deceive the identity vendor, instead of as the tactics say.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u64).range(0..=100))]
    faces: Option<u64>,
    /// Every way of the attacker, one after the other.
    #[arg(long, conflicts_with_all = ["ablate", "seeds", "report"])]
    matrix: bool,
    /// What each control is worth: the loss with all but it, and with it alone on top of the controls of the time.
    #[arg(long, conflicts_with_all = ["seeds", "preset"])]
    ablate: bool,
    /// Of an ablation this row alone.
    #[arg(long, value_name = "NAME", requires = "ablate")]
    control: Option<String>,
    /// Write the report as one page with charts, too.
    #[arg(long, value_name = "FILE.html", conflicts_with = "seeds")]
    report: Option<PathBuf>,
    /// The seed; the first one of several.
    #[arg(long, default_value_t = 1, value_parser = parse_seed)]
    seed: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    seeds: u64,
    /// Ordinary holders who live among them.
    #[arg(long, default_value_t = HONEST_DEFAULT, value_parser = clap::value_parser!(u32).range(0..=i64::from(HONEST_MAX)))]
    honest: u32,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Whether what the controls are held against was reached: every run under the default ones is a test, and so is every replay of
/// the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Promises {
    Kept,
    Broken,
}

impl Promises {
    const fn of(are_kept: bool) -> Self {
        if are_kept { Self::Kept } else { Self::Broken }
    }
}

/// Runs what was asked for.
pub fn run(arguments: &Drill) -> ExitCode {
    let options = match options(arguments) {
        Ok(options) => options,
        Err(reason) => {
            tell(&reason);
            return ExitCode::from(NOT_UNDERSTOOD);
        }
    };
    if let Some(Err(reason)) = arguments.report.as_deref().map(writable) {
        tell(&reason);
        return ExitCode::FAILURE;
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    listen(&interrupted);
    let done = if arguments.ablate {
        ablate(arguments, &options, &interrupted)
    } else if arguments.matrix {
        run_matrix(arguments, &options, &interrupted)
    } else {
        replay_all(arguments, &options, &interrupted)
    };
    match done {
        Err(reason) => {
            tell(&format!("kinchaku drill: {reason}"));
            ExitCode::FAILURE
        }
        Ok(_) if interrupted.load(Ordering::SeqCst) => ExitCode::from(INTERRUPTED),
        Ok(Promises::Kept) => ExitCode::SUCCESS,
        Ok(Promises::Broken) => {
            tell("kinchaku drill: what this run is held against was not reached");
            ExitCode::FAILURE
        }
    }
}

/// Whether a page can be written there: better known before a run of minutes than after it.
fn writable(file: &Path) -> Result<(), String> {
    let opened = std::fs::OpenOptions::new().create(true).append(true).open(file);
    opened.map(drop).map_err(|error| format!("{}: {error}", file.display()))
}

fn replay_all(arguments: &Drill, options: &Options, interrupted: &AtomicBool) -> Result<Promises, String> {
    let mut reports = Vec::new();
    for seed in (0..arguments.seeds).map(|number| arguments.seed + number) {
        reports.push(replay(&Options { seed, ..options.clone() }, interrupted)?);
        if interrupted.load(Ordering::SeqCst) {
            break;
        }
    }
    let asked = arguments.seeds;
    print(&if arguments.json { text::runs_json(&reports, asked) } else { text::runs(&reports, asked) });
    write_page(arguments, &reports[0], &[])?;
    Ok(verdict(options, &reports))
}

/// What the reports come to, held against what runs under these controls are.
fn verdict(options: &Options, reports: &[Report]) -> Promises {
    Promises::of(match options.preset.trial {
        Trial::Promises => reports.iter().all(|report| options.tactics.missed(report).is_empty()),
        // Another attacker than that of the time is none that anything was published of.
        Trial::History if options.method == Method::Both && options.tactics == TACTICS[0] => {
            let far_off = Seeds::of(reports).far_off();
            for figure in &far_off {
                tell(&format!("kinchaku drill: more than a factor of two off: {figure}"));
            }
            far_off.is_empty()
        }
        Trial::History | Trial::None => true,
    })
}

/// Writes the page, if one is wished for.
fn write_page(arguments: &Drill, report: &Report, rows: &[ablation::Row]) -> Result<(), String> {
    let Some(file) = &arguments.report else { return Ok(()) };
    std::fs::write(file, page::page(report, rows)).map_err(|error| format!("{}: {error}", file.display()))
}

/// Runs all of `runs`, with a bar: the reports that there are, and why one failed.
fn run_many(runs: &[Options], interrupted: &AtomicBool) -> (Vec<Option<Report>>, Option<String>) {
    let style = bar_style("runs");
    let bar = stderr().is_terminal().then(|| ProgressBar::new(u64::try_from(runs.len()).unwrap_or(u64::MAX)));
    let bar = bar.map(|bar| bar.with_style(style));
    let reports = fraud::run_many(runs, &|done, day| {
        if let Some(bar) = &bar {
            bar.set_position(u64::try_from(done).unwrap_or(0));
            if let Some(day) = day {
                bar.set_message(day.to_string());
            }
        }
        !interrupted.load(Ordering::SeqCst)
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    reports
}

fn ablate(arguments: &Drill, options: &Options, interrupted: &AtomicBool) -> Result<Promises, String> {
    let [now, then, open] =
        [DEFAULT_PRESET, options.scenario.then, "open"].map(|name| presets::find(name).expect("a preset of the house"));
    let named = |control: &ablation::Control| arguments.control.as_deref().is_none_or(|name| name == control.name);
    let controls: Vec<ablation::Control> = ablation::CONTROLS.iter().copied().filter(named).collect();
    let (reports, failed) = run_many(&ablation::runs(options, &now, &then, &open, &controls), interrupted);
    let (rows, partial) = (ablation::rows(&reports, &controls), reports.iter().any(Option::is_none));
    let halves = ablation::halves(&reports, &controls);
    let taken = |index: usize| reports.get(index).and_then(Option::as_ref).map(|report| report.yen_taken);
    let both = [(now.name, taken(0)), (then.name, taken(1))];
    if arguments.json {
        let all = json!({ "drill": options.scenario.name, "seed": options.seed, "partial": partial,
            "now": { "preset": now.name, "yen_taken": taken(0) }, "then": { "preset": then.name, "yen_taken": taken(1) },
            "ablation": rows, "halves": halves });
        print(&all.to_string());
    } else {
        print(&text::ablation(&rows, both, partial.then_some(halves.as_slice())));
    }
    if let Some(report) = reports.get(1).and_then(Option::as_ref) {
        write_page(arguments, report, &rows)?;
    }
    // The attacker of an ablation keeps to what is promised now, and counts only if they took something then.
    let now = reports.first().and_then(Option::as_ref);
    let outcome = now.map(|now| options.tactics.outcome(now, reports.get(1).and_then(Option::as_ref)));
    let is_kept = outcome.is_none_or(|outcome| matches!(outcome, Outcome::Met | Outcome::NotPromised));
    failed.map_or(Ok(Promises::of(is_kept)), Err)
}

fn run_matrix(arguments: &Drill, options: &Options, interrupted: &AtomicBool) -> Result<Promises, String> {
    let [then, open] = [options.scenario.then, "open"].map(|name| presets::find(name).expect("a preset of the house"));
    let named = |tactics: &&Tactics| arguments.tactics.as_deref().is_none_or(|name| name == tactics.name);
    let ways = TACTICS.iter().filter(named).map(|tactics| changed(arguments, *tactics));
    let ways: Vec<Tactics> = ways.collect::<Result<_, _>>()?;
    let (reports, failed) = run_many(&matrix::runs(options, [&then, &open], &ways), interrupted);
    let (rows, partial) = (matrix::rows(&reports, &ways), reports.iter().any(Option::is_none));
    let halves = matrix::halves(&reports, &ways);
    if arguments.json {
        let all = json!({ "drill": options.scenario.name, "preset": options.preset.name, "seed": options.seed,
            "then": then.name, "partial": partial, "matrix": rows, "halves": halves });
        print(&all.to_string());
    } else {
        print(&text::matrix(&rows, [options.preset.name, then.name], partial.then_some(halves.as_slice())));
    }
    let is_missed = rows.iter().any(|row| row.outcome == Outcome::Missed);
    // Rows none of which shows anything are no test that was passed.
    let shows = rows.is_empty() || rows.iter().any(|row| row.outcome != Outcome::NotShown);
    failed.map_or(Ok(Promises::of(options.preset.trial != Trial::Promises || !is_missed && shows)), Err)
}

fn parse_seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("a seed is a whole number from 0 to {}", u64::MAX))
}

fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    format!("there is no {what} {name:?}; there is: {}", known.join(", "))
}

fn options(arguments: &Drill) -> Result<Options, String> {
    let names = |names: &mut dyn Iterator<Item = &'static str>| names.collect::<Vec<_>>();
    let scenario = scenario::find(&arguments.name).ok_or_else(|| {
        unknown("drill", &arguments.name, &names(&mut SCENARIOS.iter().map(|scenario| scenario.name)))
    })?;
    let preset = presets::find(&arguments.preset).ok_or_else(|| {
        unknown("preset", &arguments.preset, &names(&mut presets::PRESETS.iter().map(|(name, _)| *name)))
    })?;
    let method = Method::ALL.into_iter().find(|method| method.name() == arguments.attacker);
    let method = method.ok_or_else(|| unknown("attacker", &arguments.attacker, &Method::ALL.map(Method::name)))?;
    let way = arguments.tactics.as_deref().unwrap_or(DEFAULT_TACTICS);
    let tactics = tactics::find(way)
        .ok_or_else(|| unknown("tactics", way, &names(&mut TACTICS.iter().map(|tactics| tactics.name))))?;
    let tactics = changed(arguments, *tactics)?;
    if let Some(control) = &arguments.control
        && !ablation::CONTROLS.iter().any(|known| known.name == control)
    {
        return Err(unknown("control", control, &names(&mut ablation::CONTROLS.iter().map(|control| control.name))));
    }
    if arguments.seed.checked_add(arguments.seeds - 1).is_none() {
        return Err(format!("there are no {} seeds from {} on", arguments.seeds, arguments.seed));
    }
    Ok(Options { scenario, preset, method, tactics, seed: arguments.seed, honest: arguments.honest })
}

/// `tactics` with the numbers that the command line has instead.
fn changed(arguments: &Drill, tactics: Tactics) -> Result<Tactics, String> {
    let guess_minutes = match arguments.pace.as_deref() {
        None => tactics.guess_minutes,
        Some("burst") => TACTICS[0].guess_minutes,
        Some("hourly") => tactics::HOURLY,
        Some(other) => return Err(unknown("pace", other, &["burst", "hourly"])),
    };
    let top_up_yen = arguments.amount.unwrap_or(tactics.top_up_yen);
    let faces_percent = arguments.faces.unwrap_or(tactics.faces_percent);
    Ok(Tactics { guess_minutes, top_up_yen, faces_percent, ..tactics })
}

/// Ends the run at the next simulated day when Ctrl-C comes, the terminal goes, or it is told to end; the second time it ends the
/// process. `ready` goes as soon as all of that is heard.
async fn heed(interrupted: &AtomicBool, ready: Sender<()>) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut hang_up = signal(SignalKind::hangup())?;
    drop(ready);
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
        if interrupted.swap(true, Ordering::SeqCst) {
            fraud::remove_data();
            std::process::exit(i32::from(INTERRUPTED));
        }
    }
}

/// Listens to whoever wants it to end, on a thread of its own. What a run keeps is made only after that: it would stay.
fn listen(interrupted: &Arc<AtomicBool>) {
    let (interrupted, (ready, is_ready)) = (Arc::clone(interrupted), channel());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.and_then(|runtime| runtime.block_on(heed(&interrupted, ready)))
    });
    // Nothing is ever sent: it ends when the other side is gone.
    while is_ready.recv().is_ok() {}
}

/// A bar of so many of `what`, with the simulated date before it.
fn bar_style(what: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(&format!("{{msg}} {{wide_bar}} {{pos}}/{{len}} {what} {{eta}}"));
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn replay(options: &Options, interrupted: &AtomicBool) -> Result<Report, String> {
    let begin = SystemClock.monotonic_milliseconds();
    let style = bar_style("days");
    let bar = stderr().is_terminal().then(|| ProgressBar::new(0).with_style(style));
    let report = fraud::run(options, &|day, done, days| {
        match &bar {
            Some(bar) => {
                bar.set_length(days);
                bar.set_position(done);
                bar.set_message(format!("seed {} · {day}", options.seed));
            }
            None if done % 10 == 0 => tell(&format!("seed {}: {day}", options.seed)),
            None => {}
        }
        !interrupted.load(Ordering::SeqCst)
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a run are few")]
    let seconds = (SystemClock.monotonic_milliseconds() - begin) as f64 / 1_000.0;
    report.map(|report| Report { seconds, ..report })
}

#[expect(clippy::print_stdout, reason = "the figures are the command's output")]
fn print(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "progress goes beside the figures")]
fn tell(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use drill::fraud::report::Compared;

    #[test]
    fn a_run_is_held_against_what_its_controls_are_held_against() {
        let check = |preset: &str, method, published_cases, yen_taken, comes_to| {
            let scenario = scenario::find("september-2020").expect("it is there");
            let preset = presets::find(preset).expect("it is there");
            let options = Options { scenario, preset, method, tactics: TACTICS[0], seed: 1, honest: 0 };
            let published = vec![Compared { published_cases, cases: 30, ..Compared::default() }];
            let report = Report { published, yen_taken, ..Report::default() };
            assert_eq!(verdict(&options, &[report]), comes_to, "{} {method:?}", options.preset.name);
        };
        check("hardened", Method::Both, 66, 0, Promises::Kept);
        check("hardened", Method::Both, 66, 1, Promises::Broken);
        check("as-of-2020", Method::Both, 60, 1, Promises::Kept);
        check("as-of-2020", Method::Both, 66, 1, Promises::Broken);
        check("as-of-2020", Method::Phish, 66, 1, Promises::Kept);
        check("open", Method::Both, 66, 1, Promises::Kept);
    }
}
