//! Continuous integration: an ordered table of steps, and the loop that runs them.
//!
//! `.ci/run` prepares the machine and calls this; a developer calls it as `cargo xtask ci` and sees the same. A step is a
//! command that could be typed by hand. What a step needs from the machine belongs in `.ci/run`, not here.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// One step: its name, the command with its arguments, and why it is there.
struct Step {
    name: &'static str,
    command: &'static [&'static str],
    note: &'static str,
}

/// The steps, in the order in which they run; the first that fails ends the run.
///
/// What is quick and fails often comes first. What proves the running program (simulation, planted bugs, load, kills,
/// crash images) follows the tests, one line a proof, each in its quick form.
const STEPS: &[Step] = &[
    Step {
        name: "format",
        command: &["cargo", "fmt", "--all", "--check"],
        note: "one layout for everybody: `cargo fmt --all` mends it",
    },
    Step {
        name: "lock file of the fuzz targets",
        command: &["cargo", "tree", "--manifest-path", "fuzz/Cargo.toml", "--locked", "--depth", "0"],
        note: "they are a workspace of their own: a dependency that changed is committed in its lock file too",
    },
    Step {
        name: "lints",
        command: &["cargo", "clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
        note: "warnings are for while one types; what is committed has none",
    },
    Step {
        name: "lints of the planted bugs",
        command: &[
            "cargo",
            "clippy",
            "-p",
            "engine",
            "-p",
            "wallet",
            "-p",
            "web",
            "-p",
            "sandbox",
            "-p",
            "gateway",
            "-p",
            "server",
            "-p",
            "drill",
            "-p",
            "kinchaku",
            "--all-targets",
            "--all-features",
            "--locked",
            "--",
            "-D",
            "warnings",
        ],
        note: "the lines that only a build with planted bugs or for a fuzzer has",
    },
    Step {
        name: "pages of the code",
        command: &["cargo", "doc", "--workspace", "--no-deps", "--document-private-items", "--locked"],
        note: "a link in a comment leads somewhere",
    },
    Step {
        name: "tests",
        command: &["cargo", "test"],
        note: "the README's test command, as a reader would type it; the house rules (tidy) are among them",
    },
    Step {
        name: "fuzz targets",
        command: &["cargo", "check", "--manifest-path", "fuzz/Cargo.toml", "--locked", "--target-dir", "target"],
        note: "they would rot unseen; nobody fuzzes here",
    },
    Step {
        name: "seeds of the fuzz targets",
        command: &[
            "cargo",
            "run",
            "--manifest-path",
            "fuzz/Cargo.toml",
            "--locked",
            "--target-dir",
            "target",
            "--example",
            "seeds",
        ],
        note: "what the fuzzer starts from goes through its decoder: valid bytes are understood",
    },
    Step {
        name: "release build",
        command: &["cargo", "build", "--release", "--locked"],
        note: "what follows is measured and proved on the binary that is shipped",
    },
    Step {
        name: "simulation",
        command: &["target/release/kinchaku", "simulate", "--seeds", "2000", "--json"],
        note: "thirty days a seed, with faults at every turn, beside a model that knows nothing but what was asked",
    },
    Step {
        name: "drill, one way",
        command: &[
            "target/release/kinchaku",
            "drill",
            "small",
            "--matrix",
            "--tactics",
            "bought-phones",
            "--attacker",
            "phish",
            "--honest",
            "0",
            "--json",
        ],
        note: "one row of the matrix, by the smallest attack: nothing is taken, and the same attacker takes something in 2020",
    },
    Step {
        name: "drill, one control",
        command: &[
            "target/release/kinchaku",
            "drill",
            "small",
            "--ablate",
            "--control",
            "cooling_off",
            "--attacker",
            "phish",
            "--honest",
            "0",
            "--json",
        ],
        note: "one row of the ablation, by the smallest attack: what it leaves of the loss of 2020; the tables with honest people are measured by hand",
    },
    Step {
        name: "drill, the time itself",
        command: &[
            "target/release/kinchaku",
            "drill",
            "september-2020",
            "--preset",
            "as-of-2020",
            "--honest",
            "0",
            "--json",
        ],
        note: "September 2020 under its controls: no figure that was published is more than a factor of two off",
    },
    Step {
        name: "load",
        command: &["target/release/kinchaku", "bench", "pay", "--seconds", "5", "--wallets", "20000", "--json"],
        note: "whole payments under load, every balance and the whole journal audited; the speed is not judged here",
    },
    Step {
        name: "bare transfers",
        command: &["target/release/kinchaku", "bench", "transfer", "--seconds", "3", "--accounts", "20000", "--json"],
        note: "the engine without a wallet's rules, audited",
    },
    Step {
        name: "load over HTTP",
        command: &["target/release/kinchaku", "bench", "http", "--connections", "64", "--seconds", "3", "--json"],
        note: "payments over real sockets, every yen audited; the speed is not judged here",
    },
    Step {
        name: "kills",
        command: &["target/release/kinchaku", "crash", "kill", "--rounds", "20", "--restart-ms-max", "10000"],
        note: "the process is killed under load: nothing acknowledged is lost, nothing happens twice",
    },
    Step {
        name: "restarts",
        command: &[
            "target/release/kinchaku",
            "crash",
            "kill",
            "--full-tail",
            "--wallets",
            "50000",
            "--restart-ms-max",
            "10000",
        ],
        note: "the longest tail is replayed, and nothing committed is missing; two seconds are promised, slow machines have ten",
    },
    Step {
        name: "crash images",
        command: &["target/release/kinchaku", "crash", "images", "--images", "600"],
        note: "power is lost at any moment of a recorded run: what was acknowledged is on the disk",
    },
    Step {
        name: "failing disks",
        command: &["target/release/kinchaku", "crash", "disk"],
        note: "a full disk is an answer, a failed sync the end; nothing acknowledged is lost by either",
    },
    Step {
        name: "planted bugs, one by one",
        command: &["cargo", "test", "--locked", "-p", "engine", "-p", "wallet", "--features", "canaries", "canaries"],
        note: "each of the bugs is one: with it switched on, what it breaks is broken",
    },
    Step {
        name: "planted bugs",
        command: &[
            "cargo",
            "run",
            "--profile",
            "planted",
            "--locked",
            "--features",
            "canaries",
            "--",
            "simulate",
            "--canaries",
        ],
        note: "each planted bug must be caught: a simulation that finds nothing proves nothing",
    },
    Step {
        name: "planted bugs on disk",
        command: &[
            "cargo",
            "run",
            "--profile",
            "planted",
            "--locked",
            "--features",
            "canaries",
            "--",
            "crash",
            "images",
            "--images",
            "60",
            "--canaries",
        ],
        note: "the planted bugs that only lost power shows",
    },
];

/// Runs every step at `root` and prints how long each took.
pub fn run(root: &Path) -> Result<(), String> {
    let mut done: Vec<(&str, Duration)> = Vec::new();
    for (index, step) in STEPS.iter().enumerate() {
        println!("── {} of {}: {} ({})", index + 1, STEPS.len(), step.name, step.note);
        println!("   {}", step.command.join(" "));
        let started = now();
        let outcome = run_step(root, step);
        let took = started.elapsed();
        done.push((step.name, took));
        if let Err(reason) = outcome {
            return Err(format!("{}\nstep `{}` failed: {reason}", durations(&done), step.name));
        }
        println!("   done in {:.1} s", took.as_secs_f64());
    }
    println!("{}\nall {} steps passed", durations(&done), STEPS.len());
    Ok(())
}

fn run_step(root: &Path, step: &Step) -> Result<(), String> {
    let (program, arguments) = step.command.split_first().ok_or("the step has no command")?;
    let status = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .status()
        .map_err(|error| format!("cannot start {program}: {error}"))?;
    if status.success() { Ok(()) } else { Err(status.to_string()) }
}

fn durations(done: &[(&str, Duration)]) -> String {
    let line = |name: &str, took: Duration| format!("{:>9.1} s  {name}", took.as_secs_f64());
    let mut lines: Vec<String> = done.iter().map(|(name, took)| line(name, *took)).collect();
    lines.push(line("in all", done.iter().map(|(_, took)| *took).sum()));
    lines.join("\n")
}

#[expect(clippy::disallowed_methods, reason = "the duration of a step is printed; nothing is decided by it")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_step_fails_and_a_passing_one_passes() {
        let here = Path::new(".");
        assert!(run_step(here, &Step { name: "passes", command: &["true"], note: "" }).is_ok());
        assert!(run_step(here, &Step { name: "fails", command: &["false"], note: "" }).is_err());
        assert!(run_step(here, &Step { name: "is not there", command: &["no-such-program-here"], note: "" }).is_err());
    }

    #[test]
    fn the_readmes_test_command_is_the_one_that_runs() {
        let readme = include_str!("../../README.md");
        let tests = STEPS.iter().find(|step| step.name == "tests").expect("there is a step of tests");
        assert!(readme.contains(&format!("\n{}\n", tests.command.join(" "))), "the README's command differs");
    }
}
