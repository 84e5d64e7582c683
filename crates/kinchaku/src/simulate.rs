//! `kinchaku simulate`: thirty days in which everything goes wrong, seed by seed, with its figures as text or JSON.

use clap::Args;
use drill::simulate::{self, Canary, Report, Seed};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::io::{IsTerminal, stderr};
use std::process::ExitCode;

/// Seeds of a run without a wish.
const SEEDS_DEFAULT: u64 = 50;
/// Without a terminal, a line after so many seeds.
const SEEDS_A_LINE: u64 = 100;
/// What is shown of a violation where there are several.
const CHARACTERS_MAX: usize = 2_000;
/// A word that the command line did not mean: the exit code for it.
const NOT_UNDERSTOOD: u8 = 2;

const HELP: &str = "\
Examples:
  kinchaku simulate --seeds 2000        what a release must pass; a violation prints its seed and exits 1
  kinchaku simulate --seed 17           replays seed 17 identically, with the end of its trace
  kinchaku simulate --canaries          switches on each planted bug; every one must be caught
                                        (cargo run --release --features canaries -- simulate --canaries)

From 200 seeds on, a fault that never met a state which it can meet fails the run too.";

/// How to simulate.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Simulate {
    /// How many seeds: each is thirty days with a month's end and at least a thousand commands.
    #[arg(long, default_value_t = SEEDS_DEFAULT, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1, conflicts_with = "seed")]
    from_seed: u64,
    /// This seed alone: it replays identically, and shows the end of its trace.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Switch a planted bug on (in a build with the feature `canaries`).
    #[arg(long, value_name = "NAME", conflicts_with = "canaries")]
    canary: Option<String>,
    /// Switch every planted bug on, one after the other: each must be caught.
    #[arg(long)]
    canaries: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Default for Simulate {
    fn default() -> Self {
        Self { seeds: SEEDS_DEFAULT, from_seed: 1, seed: None, canary: None, canaries: false, json: false }
    }
}

/// Runs what was asked; 1 if something was found that must not be.
pub fn run(arguments: &Simulate) -> ExitCode {
    // A panic in a seed is caught and told as a violation.
    std::panic::set_hook(Box::new(|_| {}));
    if let Err(reason) = simulate::select(arguments.canary.as_deref()) {
        tell(&reason);
        return ExitCode::from(NOT_UNDERSTOOD);
    }
    if arguments.canaries {
        return run_canaries(arguments);
    }
    let (first, count) = arguments.seed.map_or((arguments.from_seed, arguments.seeds), |seed| (seed, 1));
    let shown = Shown::new(count);
    let report = simulate::run_many(first, count, &|done| shown.show(done), &|_| false);
    shown.end();
    let missing = report.coverage.missing(report.seeds);
    for seed in &report.failures {
        tell(&failure(seed, arguments.seed.is_some()));
    }
    for (fault, flow, phase) in &missing {
        tell(&format!("never met: {fault} while a {flow} is {phase}"));
    }
    let impossible = report.coverage.impossible();
    for (fault, flow, phase) in &impossible {
        tell(&format!("met, and the table says that it cannot be: {fault} while a {flow} is {phase}"));
    }
    print(&if arguments.json { as_json(&report) } else { as_text(&report, missing.len()) });
    let is_clean = report.failed == 0 && missing.is_empty() && impossible.is_empty();
    if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_canaries(arguments: &Simulate) -> ExitCode {
    let canaries = match simulate::run_canaries(arguments.from_seed, &|canary| tell(&of_canary(canary))) {
        Ok(canaries) => canaries,
        Err(reason) => {
            tell(&reason);
            return ExitCode::from(NOT_UNDERSTOOD);
        }
    };
    let caught = canaries.iter().filter(|canary| canary.caught.is_some()).count();
    if arguments.json {
        let each = |canary: &Canary| json!({ "name": canary.name, "seeds": canary.seeds, "caught": canary.caught });
        let planted: Vec<_> = canaries.iter().map(each).collect();
        print(&json!({ "planted": canaries.len(), "caught": caught, "canaries": planted }).to_string());
    } else {
        print(&format!("{caught} of {} planted bugs caught", canaries.len()));
    }
    if caught == canaries.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn of_canary(canary: &Canary) -> String {
    match &canary.caught {
        Some(how) => {
            let how: String = how.chars().take(140).collect();
            format!("caught      {:38} after {:>3} seeds: {how}", canary.name, canary.seeds)
        }
        None => format!("NOT CAUGHT  {:38} in {} seeds", canary.name, canary.seeds),
    }
}

fn failure(seed: &Seed, alone: bool) -> String {
    let Some(violation) = &seed.violation else { return String::new() };
    let text: String = violation.text.chars().take(CHARACTERS_MAX).collect();
    let mut lines = vec![format!("seed {}, step {}: {text}", seed.seed, violation.step)];
    if alone {
        lines.extend(violation.tail.iter().map(|line| format!("  {line}")));
    } else {
        lines.push(format!("  replay: kinchaku simulate --seed {}", seed.seed));
    }
    lines.join("\n")
}

/// Meetings of a fault and a state, as words.
fn cells(cells: &[(&str, &str, &str)]) -> Vec<String> {
    cells.iter().map(|(fault, flow, phase)| format!("{fault} while a {flow} is {phase}")).collect()
}

fn as_json(report: &Report) -> String {
    let violation = |seed: &Seed| {
        let text = seed.violation.as_ref().map(|violation| violation.text.as_str());
        json!({ "seed": seed.seed, "text": text })
    };
    let violations: Vec<_> = report.failures.iter().map(violation).collect();
    json!({
        "seeds": report.seeds,
        "simulated_days": report.simulated_days,
        "events": report.events,
        "commands": report.commands,
        "cells": report.coverage.cells().len(),
        "faults": report.coverage.faults(),
        "failed": report.failed,
        "never_met": cells(&report.coverage.missing(report.seeds)),
        "met_unreachable": cells(&report.coverage.impossible()),
        "violations": violations,
    })
    .to_string()
}

fn as_text(report: &Report, missing: usize) -> String {
    let faults: u64 = report.coverage.faults().values().sum();
    let mut lines = vec![
        format!("{} seeds, {} simulated days", report.seeds, report.simulated_days),
        format!("  commands answered  {:>12}   at least {} a seed", report.commands, report.commands_min),
        format!("  events             {:>12}", report.events),
        format!("  faults injected    {faults:>12}   of {} kinds", report.coverage.faults().len()),
        format!(
            "  fault met a state  {:>12}   kinds of meeting, {missing} expected ones never",
            report.coverage.cells().len()
        ),
    ];
    for (fault, count) in report.coverage.faults() {
        lines.push(format!("    {fault:28} {count:>9}"));
    }
    lines.push(match report.failed {
        0 => "every balance was the model's after every batch, every bank's statement was ours, nothing was lost or doubled".into(),
        failed => format!("{failed} seeds FAILED"),
    });
    lines.join("\n")
}

#[expect(clippy::print_stdout, reason = "the figures are the command's output")]
fn print(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "violations and progress go beside the figures")]
fn tell(text: &str) {
    eprintln!("{text}");
}

/// A bar on a terminal; elsewhere a line now and then.
struct Shown {
    bar: Option<ProgressBar>,
    count: u64,
}

impl Shown {
    fn new(count: u64) -> Self {
        let style = ProgressStyle::with_template("{msg:12} {wide_bar} {pos}/{len} {eta}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = stderr().is_terminal().then(|| ProgressBar::new(count).with_style(style).with_message("simulating"));
        Self { bar, count }
    }

    fn show(&self, done: u64) {
        match &self.bar {
            Some(bar) => bar.set_position(done),
            None if done.is_multiple_of(SEEDS_A_LINE) || done == self.count => {
                tell(&format!("{done} of {} seeds", self.count));
            }
            None => {}
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
