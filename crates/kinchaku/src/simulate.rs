//! `kinchaku simulate`: thirty days in which everything goes wrong, seed by seed, with its figures as text or JSON.

use crate::progress::Shown;
use clap::Args;
use drill::simulate::{self, Canary, Coverage, Report, Seed};
use serde_json::json;
use std::process::ExitCode;

/// Seeds of a run without a wish.
const SEEDS_DEFAULT: u64 = 50;
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

A run of 2,000 seeds or more fails too if a fault never met a state which it can meet, or a command was never carried out or
never refused; a shorter one says how many were not.";

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
    let shown = Shown::default();
    let report = simulate::run_many(first, count, &|done| shown.show("simulating", done, count), &|_| false);
    shown.end();
    for seed in &report.failures {
        tell(&failure(seed, arguments.seed.is_some()));
    }
    let gaps = Gaps::of(&report);
    gaps.tell();
    print(&if arguments.json { as_json(&report, &gaps) } else { as_text(&report, &gaps) });
    if report.failed == 0 && gaps.are_allowed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What a run did not meet, and what it met against the table.
struct Gaps {
    missing: Vec<String>,
    unanswered: Vec<String>,
    unfired: Vec<&'static str>,
    impossible: Vec<String>,
    /// There were seeds enough that all must have been met.
    all_required: bool,
}

impl Gaps {
    fn of(report: &Report) -> Self {
        let coverage = &report.coverage;
        Self {
            missing: coverage.missing().iter().map(cell).collect(),
            unanswered: coverage.answers.missing().iter().map(answer).collect(),
            unfired: coverage.unfired(),
            impossible: impossible(coverage),
            all_required: report.seeds >= simulate::SEEDS_ENOUGH,
        }
    }

    const fn are_allowed(&self) -> bool {
        let all_met = self.missing.is_empty() && self.unanswered.is_empty() && self.unfired.is_empty();
        self.impossible.is_empty() && (all_met || !self.all_required)
    }

    fn tell(&self) {
        for cell in self.missing.iter().filter(|_| self.all_required) {
            tell(&format!("never met: {cell}"));
        }
        for answer in self.unanswered.iter().filter(|_| self.all_required) {
            tell(&format!("never answered so: {answer}"));
        }
        for fault in self.unfired.iter().filter(|_| self.all_required) {
            tell(&format!("never happened: {fault}"));
        }
        for found in &self.impossible {
            tell(&format!("met, and the tables say that it cannot be: {found}"));
        }
    }

    fn as_text(&self) -> String {
        let (count, enough) = (self.missing.len() + self.unanswered.len(), simulate::SEEDS_ENOUGH);
        match (count, self.all_required) {
            (0, _) => "every one that can be was met".into(),
            (_, true) => format!("{count} that can be were never met"),
            (_, false) => format!("{count} that {enough} seeds must meet were not met yet"),
        }
    }
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

/// A meeting of a fault and a state, as words.
fn cell((fault, flow, phase): &(&str, &str, &str)) -> String {
    format!("{fault} while a {flow} is {phase}")
}

/// A command and how it was answered, as words.
fn answer((command, reply): &(&str, &str)) -> String {
    format!("{command} {reply}")
}

/// What was met against the tables, with their reasons.
fn impossible(coverage: &Coverage) -> Vec<String> {
    let cells = coverage.impossible().into_iter().map(|(met, why)| format!("{} ({why})", cell(&met)));
    cells.chain(coverage.answers.impossible().iter().map(answer)).collect()
}

fn as_json(report: &Report, gaps: &Gaps) -> String {
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
        "all_required": gaps.all_required,
        "never_happened": gaps.unfired,
        "never_met": gaps.missing,
        "never_answered": gaps.unanswered,
        "met_unreachable": gaps.impossible,
        "violations": violations,
    })
    .to_string()
}

fn as_text(report: &Report, gaps: &Gaps) -> String {
    let faults: u64 = report.coverage.faults().values().sum();
    let mut lines = vec![
        format!("{} seeds, {} simulated days", report.seeds, report.simulated_days),
        format!("  commands answered  {:>12}   at least {} a seed", report.commands, report.commands_min),
        format!("  events             {:>12}", report.events),
        format!("  faults injected    {faults:>12}   of {} kinds", report.coverage.faults().len()),
        format!("  fault met a state  {:>12}   kinds of meeting; {}", report.coverage.cells().len(), gaps.as_text()),
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
