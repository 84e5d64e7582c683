//! `kinchaku drill`: an attack replayed against the whole stack in simulated time, with its figures as text or JSON.

use clap::Args;
use drill::fraud::{self, Options, Report, ablation, page, presets, scenario, tactics};
use engine::{Clock as _, SystemClock};
use indicatif::{ProgressBar, ProgressStyle};
use scenario::{Method, SCENARIOS};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{IsTerminal, stderr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A word that the command line did not mean: the exit code for it.
const NOT_UNDERSTOOD: u8 = 2;
/// The exit code of a run that was ended in the middle, as shells have it for Ctrl-C.
const INTERRUPTED: u8 = 130;
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
  kinchaku drill september-2020 --matrix              every way of the attacker, one row each
  kinchaku drill september-2020 --ablate --report drill.html
                                                      what each control is worth, as a page with charts

The same seed gives the same report, but for `seconds`. Every number that the drill chooses: docs/drill.md.";

/// What to replay.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Drill {
    /// Which attack: september-2020, resona-2019.
    name: String,
    /// Under which controls: hardened, as-of-2020.
    #[arg(long, default_value = "hardened")]
    preset: String,
    /// By which way criminals come to credentials: guess, phish, both.
    #[arg(long, default_value = "both")]
    attacker: String,
    /// How the attacker goes about it: burst, slow, small, sleeper, copied-faces, relayed-codes and others.
    #[arg(long, default_value = "burst")]
    tactics: String,
    /// Every way of the attacker, one after the other.
    #[arg(long, conflicts_with_all = ["ablate", "seeds", "report"])]
    matrix: bool,
    /// What each control is worth: the loss with all but it, and with it alone on top of the controls of the time.
    #[arg(long, conflicts_with = "seeds")]
    ablate: bool,
    /// Write the report as one page with charts, too.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// The seed; the first one of several.
    #[arg(long, default_value_t = 1)]
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

/// Runs what was asked for.
pub fn run(arguments: &Drill) -> ExitCode {
    let options = match options(arguments) {
        Ok(options) => options,
        Err(reason) => {
            tell(&reason);
            return ExitCode::from(NOT_UNDERSTOOD);
        }
    };
    let interrupted = Arc::new(AtomicBool::new(false));
    listen(&interrupted);
    let done = if arguments.ablate {
        ablate(arguments, &options, &interrupted)
    } else if arguments.matrix {
        matrix(arguments, &options, &interrupted)
    } else {
        replay_all(arguments, &options, &interrupted)
    };
    match done {
        Err(reason) => {
            tell(&format!("kinchaku drill: {reason}"));
            ExitCode::FAILURE
        }
        Ok(()) if interrupted.load(Ordering::SeqCst) => ExitCode::from(INTERRUPTED),
        Ok(()) => ExitCode::SUCCESS,
    }
}

fn replay_all(arguments: &Drill, options: &Options, interrupted: &AtomicBool) -> Result<(), String> {
    let mut reports = Vec::new();
    for seed in arguments.seed..arguments.seed.saturating_add(arguments.seeds) {
        reports.push(replay(&Options { seed, ..options.clone() }, interrupted)?);
        if interrupted.load(Ordering::SeqCst) {
            break;
        }
    }
    print(&if arguments.json { as_json(&reports) } else { as_text(&reports) });
    write_page(arguments, &reports[0], &[])
}

/// Writes the page, if one is wished for.
fn write_page(arguments: &Drill, report: &Report, rows: &[ablation::Row]) -> Result<(), String> {
    let Some(file) = &arguments.report else { return Ok(()) };
    std::fs::write(file, page::page(report, rows)).map_err(|error| format!("{}: {error}", file.display()))
}

/// Runs all of `runs`, with a bar.
fn run_many(runs: &[Options], interrupted: &AtomicBool) -> Result<Vec<Option<Report>>, String> {
    let bar = stderr().is_terminal().then(|| ProgressBar::new(u64::try_from(runs.len()).unwrap_or(u64::MAX)));
    let reports = fraud::run_many(runs, &|done| {
        if let Some(bar) = &bar {
            bar.set_position(u64::try_from(done).unwrap_or(0));
        }
        !interrupted.load(Ordering::SeqCst)
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    reports
}

fn ablate(arguments: &Drill, options: &Options, interrupted: &AtomicBool) -> Result<(), String> {
    let [now, then, open] =
        ["hardened", "as-of-2020", "open"].map(|name| presets::find(name).expect("a preset of the house"));
    let reports = run_many(&ablation::runs(options, &now, &then, &open), interrupted)?;
    let (rows, partial) = (ablation::rows(&reports), reports.iter().any(Option::is_none));
    let taken = |index: usize| reports.get(index).and_then(Option::as_ref).map(|report| report.yen_taken);
    if arguments.json {
        let all = json!({ "drill": options.scenario.name, "seed": options.seed, "partial": partial,
            "hardened": taken(0), "as_of_2020": taken(1), "ablation": rows });
        print(&all.to_string());
    } else {
        print(&format!(
            "{:28} {:>14} {:>14}  challenged, delayed, refused beyond",
            "yen taken", "all but it", "it alone"
        ));
        for row in &rows {
            print(&format!("{:28} {:>14} {:>14}  {:?}", row.control, row.all_but_it, row.it_alone, row.honest));
        }
        print(&format!(
            "{:28} {:>14?} {:>14?}{}",
            "all, none",
            taken(0),
            taken(1),
            if partial { "  PARTIAL" } else { "" }
        ));
    }
    match reports.get(1).and_then(Option::as_ref) {
        Some(report) => write_page(arguments, report, &rows),
        None => Ok(()),
    }
}

fn matrix(arguments: &Drill, options: &Options, interrupted: &AtomicBool) -> Result<(), String> {
    let with = |tactics| Options { tactics, ..options.clone() };
    let runs: Vec<Options> = tactics::TACTICS.iter().map(with).collect();
    let reports = run_many(&runs, interrupted)?;
    let partial = reports.iter().any(Option::is_none);
    if arguments.json {
        let rows: Vec<Value> =
            reports.iter().flatten().map(|report| serde_json::to_value(report).unwrap_or(Value::Null)).collect();
        let all = json!({ "drill": options.scenario.name, "preset": options.preset.name, "seed": options.seed,
            "partial": partial, "matrix": rows });
        print(&all.to_string());
        return Ok(());
    }
    print(&format!("{:18} {:>12} {:>12} {:>12} {:>7}", options.preset.name, "taken", "escaped", "returned", "links"));
    for report in reports.iter().flatten() {
        let Report { tactics, yen_taken, yen_escaped, yen_returned, attacker, .. } = report;
        print(&format!(
            "{tactics:18} {yen_taken:>12} {yen_escaped:>12} {yen_returned:>12} {:>7}",
            attacker.links_granted
        ));
    }
    if partial {
        print("PARTIAL: ended before the last row");
    }
    Ok(())
}

fn options(arguments: &Drill) -> Result<Options, String> {
    let unknown = |what: &str, name: &str, known: Vec<&str>| {
        format!("there is no {what} {name:?}; there is: {}", known.join(", "))
    };
    let scenario = scenario::find(&arguments.name)
        .ok_or_else(|| unknown("drill", &arguments.name, SCENARIOS.iter().map(|scenario| scenario.name).collect()))?;
    let preset = presets::find(&arguments.preset).ok_or_else(|| {
        unknown("preset", &arguments.preset, presets::PRESETS.iter().map(|(name, _)| *name).collect())
    })?;
    let method = Method::ALL.into_iter().find(|method| method.name() == arguments.attacker);
    let method =
        method.ok_or_else(|| unknown("attacker", &arguments.attacker, Method::ALL.map(Method::name).to_vec()))?;
    let tactics = tactics::find(&arguments.tactics).ok_or_else(|| {
        unknown("tactics", &arguments.tactics, tactics::TACTICS.iter().map(|tactics| tactics.name).collect())
    })?;
    Ok(Options { scenario, preset, method, tactics, seed: arguments.seed, honest: arguments.honest })
}

/// Waits for Ctrl-C, or to be told to end.
async fn told_to_end() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        ended = tokio::signal::ctrl_c() => ended,
        _ = terminate.recv() => Ok(()),
    }
}

/// Ctrl-C ends the run at the next simulated day; the second one ends the process.
fn listen(interrupted: &Arc<AtomicBool>) {
    let interrupted = Arc::clone(interrupted);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        while runtime.block_on(told_to_end()).is_ok() {
            if interrupted.swap(true, Ordering::SeqCst) {
                std::process::exit(i32::from(INTERRUPTED));
            }
        }
    });
}

fn replay(options: &Options, interrupted: &AtomicBool) -> Result<Report, String> {
    let begin = SystemClock.monotonic_milliseconds();
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} days {eta}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
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

/// One report as it is; several with the median and the range of their figures.
fn as_json(reports: &[Report]) -> String {
    if let [report] = reports {
        return report.to_json();
    }
    let figures = |pick: &dyn Fn(&Report) -> i64| {
        let mut all: Vec<i64> = reports.iter().map(pick).collect();
        all.sort_unstable();
        json!({ "least": all.first(), "median": all.get(all.len() / 2), "most": all.last() })
    };
    let count = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    json!({
        "seeds": reports.len(),
        "cases": figures(&|report| count(report.cases)),
        "victims": figures(&|report| count(report.victims)),
        "yen_taken": figures(&|report| report.yen_taken),
        "yen_escaped": figures(&|report| report.yen_escaped),
        "reports": reports.iter().map(|report| serde_json::to_value(report).unwrap_or(Value::Null)).collect::<Vec<_>>(),
    })
    .to_string()
}

fn as_text(reports: &[Report]) -> String {
    let mut text = String::new();
    for report in reports {
        one_as_text(&mut text, report).expect("a string takes what is written");
    }
    text.trim_end().to_owned()
}

fn one_as_text(text: &mut String, report: &Report) -> std::fmt::Result {
    let Report { attacker, honest, .. } = report;
    let partial = if report.partial { ", PARTIAL: ended before its last day" } else { "" };
    writeln!(text, "{} under {}, seed {}{partial}", report.drill, report.preset, report.seed)?;
    writeln!(
        text,
        "  taken          {:>12} yen from {} accounts at {} banks",
        report.yen_taken, report.victims, report.banks_hit
    )?;
    writeln!(text, "  returned       {:>12} yen", report.yen_returned)?;
    writeln!(text, "  escaped        {:>12} yen", report.yen_escaped)?;
    writeln!(text, "  known cases    {:>12}", report.cases)?;
    if let Some(hours) = report.first_detection_hours {
        writeln!(text, "  first noticed  {hours:>12} hours after the first debit")?;
    }
    writeln!(
        text,
        "  the attacker opened {} wallets, typed {} times, linked {} of {} accounts, asked for {} top-ups",
        attacker.wallets, attacker.tries, attacker.links_granted, attacker.links_tried, attacker.top_ups_tried
    )?;
    for (control, count) in &attacker.refused_by {
        writeln!(text, "    stopped by {control:28} {count:>8}")?;
    }
    writeln!(
        text,
        "  {} honest holders wanted {} movements and got {}; challenged {}, delayed {}, refused {}",
        honest.holders, honest.movements, honest.completed, honest.challenged, honest.delayed, honest.refused
    )?;
    for (control, count) in &honest.refused_by {
        writeln!(text, "    refused by {control:28} {count:>8}")?;
    }
    writeln!(text, "  {} simulated days in {:.1} seconds", report.simulated_days, report.seconds)
}

#[expect(clippy::print_stdout, reason = "the figures are the command's output")]
fn print(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "progress goes beside the figures")]
fn tell(text: &str) {
    eprintln!("{text}");
}
