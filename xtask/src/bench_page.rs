//! The page of figures: what we and others reach on one machine, one after the other, each figure beside the command that printed it.
//!
//! Every command is one that a reader can type. A private PostgreSQL serves all of a round that need one. The page gives
//! the median of the rounds, and how far each is from pgbench's own. Start reading at [`RUNS`].

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const PAGE: &str = "docs/benchmarks.md";
const ROUNDS: usize = 3;
const OURS: &str = "target/release/kinchaku";
const RIVAL: &str = "target/rivals/release/cala";
/// The databases of a round, each for one run: none meets what another left.
const DATABASES: [&str; 3] = ["pay", "tpcb", "cala"];

/// One line of the page.
struct Run {
    what: &'static str,
    /// The words of its command; `{pay}` and its like are the addresses of [`DATABASES`], and empty what a shell calls "".
    command: &'static [&'static str],
    reads: Reads,
}

/// Where the figures stand in what a command prints.
enum Reads {
    /// One JSON object: the member that says how many a second.
    Json(&'static str),
    /// The lines of `pgbench`.
    Pgbench,
}

/// What is run, in this order.
const RUNS: &[Run] = &[
    Run {
        what: "whole payments, embedded store, 512 in flight",
        command: &[
            OURS,
            "bench",
            "pay",
            "--store",
            "sqlite",
            "--in-flight",
            "512",
            "--wallets",
            "100000",
            "--shops",
            "1000",
            "--hot-percent",
            "10",
            "--seconds",
            "10",
            "--json",
        ],
        reads: Reads::Json("movements_per_second"),
    },
    Run {
        what: "the same, 50,000 arriving a second",
        command: &[
            OURS,
            "bench",
            "pay",
            "--store",
            "sqlite",
            "--rate",
            "50000",
            "--wallets",
            "100000",
            "--shops",
            "1000",
            "--hot-percent",
            "10",
            "--seconds",
            "10",
            "--json",
        ],
        reads: Reads::Json("movements_per_second"),
    },
    Run {
        what: "bare transfers, embedded store, 512 in flight",
        command: &[OURS, "bench", "transfer", "--store", "sqlite", "--accounts", "20000", "--seconds", "10", "--json"],
        reads: Reads::Json("movements_per_second"),
    },
    Run {
        what: "whole payments over HTTP, 64 connections",
        command: &[OURS, "bench", "http", "--connections", "64", "--seconds", "10", "--json"],
        reads: Reads::Json("payments_per_second"),
    },
    Run {
        what: "whole payments, PostgreSQL, 512 in flight",
        command: &[
            OURS,
            "bench",
            "pay",
            "--store",
            "postgres",
            "--database",
            "{pay}",
            "--in-flight",
            "512",
            "--wallets",
            "20000",
            "--shops",
            "1000",
            "--hot-percent",
            "10",
            "--seconds",
            "10",
            "--json",
        ],
        reads: Reads::Json("movements_per_second"),
    },
    Run {
        what: PGBENCH,
        command: &["pgbench", "--client=16", "--jobs=2", "--time=10", "{tpcb}"],
        reads: Reads::Pgbench,
    },
    Run {
        what: "cala-ledger, transactions of two entries, 16 tasks",
        command: &[RIVAL, "{cala}", "10"],
        reads: Reads::Json("transactions_per_second"),
    },
];
/// What the ratios are to.
const PGBENCH: &str = "pgbench TPC-B, scale 50, 16 clients";

/// What one run printed.
#[derive(Clone, Copy, Default)]
struct Figure {
    a_second: f64,
    /// The slowest of a hundred; none where the command says none.
    p99_ms: Option<f64>,
}

/// Builds, runs every line `rounds` times and writes the page.
pub fn run(root: &Path, rounds: Option<&str>) -> Result<(), String> {
    let rounds = rounds.map_or(Ok(ROUNDS), |rounds| rounds.parse().map_err(|_| format!("not a number: {rounds}")))?;
    if rounds == 0 {
        return Err("at least one round".into());
    }
    said(Command::new("cargo").args(["build", "--release", "--locked"]).current_dir(root))?;
    let rival = [
        "build",
        "--release",
        "--locked",
        "--manifest-path",
        "rivals/cala/Cargo.toml",
        "--target-dir",
        "target/rivals",
    ];
    said(Command::new("cargo").args(rival).env("SQLX_OFFLINE", "true").current_dir(root))?;
    let mut figures = vec![Vec::new(); RUNS.len()];
    for round in 1..=rounds {
        let databases = Databases::start(root)?;
        said(databases.command(root, &["pgbench", "--initialize", "--quiet", "--scale=50", "{tpcb}"])?)?;
        for (run, figures) in RUNS.iter().zip(&mut figures) {
            let printed = said(databases.command(root, run.command)?)?;
            let figure =
                run.reads.figure(&printed).ok_or_else(|| format!("no figures in what it printed: {printed}"))?;
            println!("{round} of {rounds}: {}: {:.0} a second", run.what, figure.a_second);
            figures.push(figure);
        }
    }
    let medians: Vec<Figure> = figures.iter().map(|figures| median(figures)).collect();
    let page = page(&medians, rounds, &machine(root)?);
    fs::write(root.join(PAGE), page).map_err(|error| format!("cannot write {PAGE}: {error}"))?;
    println!("{PAGE} is written");
    Ok(())
}

/// A private PostgreSQL of `kinchaku bench databases`: it ends when its input does.
struct Databases {
    process: Child,
    urls: Vec<String>,
}

impl Databases {
    fn start(root: &Path) -> Result<Self, String> {
        let mut command = Command::new(root.join(OURS));
        command.args(["bench", "databases"]).args(DATABASES).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(|error| format!("cannot start {OURS}: {error}"))?;
        let lines = process.stdout.take().map(|output| BufReader::new(output).lines());
        let urls: Vec<String> = lines.into_iter().flatten().take(DATABASES.len()).map_while(Result::ok).collect();
        let databases = Self { process, urls };
        if databases.urls.len() < DATABASES.len() {
            return Err("there is no PostgreSQL to measure on: apt-get install postgresql-15".into());
        }
        Ok(databases)
    }

    /// The command with the addresses in it.
    fn command(&self, root: &Path, words: &[&str]) -> Result<Command, String> {
        let (program, arguments) = words.split_first().ok_or("a run has no command")?;
        let program = if *program == "pgbench" { pgbench()? } else { root.join(program) };
        let mut command = Command::new(program);
        for argument in arguments {
            let named = DATABASES.iter().zip(&self.urls).find(|(name, _)| *argument == format!("{{{name}}}"));
            command.arg(named.map_or(*argument, |(_, url)| url));
        }
        command.current_dir(root);
        Ok(command)
    }
}

impl Drop for Databases {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        drop(self.process.wait());
    }
}

/// PostgreSQL's own load, which Debian keeps beside the server.
fn pgbench() -> Result<std::path::PathBuf, String> {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<_> =
        installed.map(|entry| entry.path().join("bin/pgbench")).filter(|path| path.exists()).collect();
    found.sort();
    found.pop().ok_or_else(|| "there is no pgbench: apt-get install postgresql-15".into())
}

/// Runs `command` and gives what it printed; an error if it failed.
fn said(mut command: impl std::borrow::BorrowMut<Command>) -> Result<String, String> {
    let command = command.borrow_mut();
    let output =
        command.stderr(Stdio::piped()).output().map_err(|error| format!("cannot start {command:?}: {error}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{command:?} failed: {errors}"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

impl Reads {
    fn figure(&self, printed: &str) -> Option<Figure> {
        match self {
            Self::Json(member) => {
                let report: serde_json::Value = serde_json::from_str(printed.trim()).ok()?;
                Some(Figure { a_second: report[member].as_f64()?, p99_ms: report["p99_ms"].as_f64() })
            }
            Self::Pgbench => {
                let line = printed.lines().find_map(|line| line.strip_prefix("tps = "))?;
                Some(Figure { a_second: line.split(' ').next()?.parse().ok()?, p99_ms: None })
            }
        }
    }
}

/// The round in the middle, by speed.
fn median(figures: &[Figure]) -> Figure {
    let mut sorted = figures.to_vec();
    sorted.sort_by(|one, other| one.a_second.total_cmp(&other.a_second));
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// What the figures were seen on.
fn machine(root: &Path) -> Result<String, String> {
    let first = |path: &str, name: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim_start_matches([' ', '\t', ':']).trim_end().to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let rival = fs::read_to_string(root.join("rivals/cala/Cargo.toml")).unwrap_or_default();
    let cala = rival.lines().find(|line| line.starts_with("cala-ledger")).unwrap_or_default();
    let mut lines = String::new();
    for (what, value) in [
        ("processor", format!("{}, {cores} cores of it", first("/proc/cpuinfo", "model name"))),
        ("memory", first("/proc/meminfo", "MemTotal")),
        ("system", said(Command::new("uname").arg("-sr"))?.trim().to_owned()),
        ("compiler", said(Command::new("rustc").arg("--version"))?.trim().to_owned()),
        ("PostgreSQL", said(Command::new(pgbench()?).arg("--version"))?.trim().to_owned()),
        ("cala", format!("`{cala}`")),
        (
            "source",
            said(Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).current_dir(root))?.trim().to_owned(),
        ),
    ] {
        _ = writeln!(lines, "* {what}: {value}");
    }
    Ok(lines)
}

fn page(figures: &[Figure], rounds: usize, machine: &str) -> String {
    let base = RUNS.iter().zip(figures).find(|(run, _)| run.what == PGBENCH).map_or(0.0, |(_, figure)| figure.a_second);
    let mut page = String::from(HEAD);
    _ = writeln!(page, "Seen on:\n\n{machine}");
    _ = writeln!(page, "{}\n", if rounds == 1 { "One round." } else { "The median of the rounds, by speed." });
    page.push_str("| what | a second | p99, ms | × pgbench |\n|---|---:|---:|---:|\n");
    for (run, figure) in RUNS.iter().zip(figures) {
        let p99 = figure.p99_ms.map_or("not printed".to_owned(), |p99| format!("{p99:.1}"));
        let ratio = if base > 0.0 { format!("{:.1}", figure.a_second / base) } else { "none".to_owned() };
        _ = writeln!(page, "| {} | {} | {p99} | {ratio} |", run.what, thousands(figure.a_second));
    }
    page.push_str("\n## The commands\n\n```sh\nkinchaku bench databases pay tpcb cala   # prints an address for each; ends with its input\n");
    page.push_str("pgbench --initialize --quiet --scale=50 {tpcb}\n");
    for run in RUNS {
        let command = run.command.join(" ").replace("target/release/", "").replace("target/rivals/release/", "");
        _ = writeln!(page, "{command}");
    }
    page.push_str("```\n");
    page
}

const HEAD: &str = "\
# Figures, and how to see them again

`cargo xtask bench-page` writes this page: it builds, runs every command below one after the other, with nothing else to do for the
machine, and puts down what they printed. It needs `postgresql-15` (with `pgbench`). No figure is typed by hand.

What is compared differs, and says so. A *whole payment* is identified and limited, takes from three purses by lots, has a
request key, counters, two records of notices and a hash-chained journal, and the run fails unless all balances and the journal are right
afterwards. A *bare transfer* is two balances and the journal. pgbench's TPC-B is five statements that move one number and
write one line. A transaction of cala's is one debit and one credit by its template. All wait until the disk has it. The load runs
on the same machine as what is measured; ours is one engine with 512 callers, pgbench has 16 clients and cala 16 tasks,
each with a connection of its own.

";

/// A number as people read it.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_where_they_stand() {
        let ours = Reads::Json("payments_per_second").figure("{\"payments_per_second\":1200,\"p99_ms\":7.5}\n");
        assert_eq!(ours.map(|figure| (figure.a_second, figure.p99_ms)), Some((1_200.0, Some(7.5))));
        let theirs = "scaling factor: 50\nlatency average = 19.1 ms\ntps = 837.25 (without initial connection time)\n";
        let theirs = Reads::Pgbench.figure(theirs);
        assert_eq!(theirs.map(|figure| (figure.a_second, figure.p99_ms)), Some((837.25, None)));
        assert!(Reads::Json("payments_per_second").figure("{\"other\":1}").is_none());
        assert!(Reads::Pgbench.figure("connection refused").is_none());
    }

    #[test]
    fn the_page_has_the_median_of_each_line_its_ratio_and_its_command() {
        let of = |a_second| Figure { a_second, p99_ms: Some(2.0) };
        assert!((median(&[of(3.0), of(1.0), of(2.0)]).a_second - 2.0).abs() < f64::EPSILON);
        let figures: Vec<Figure> =
            RUNS.iter().map(|run| of(if run.what == PGBENCH { 500.0 } else { 12_500.0 })).collect();
        let page = page(&figures, 3, "* processor: a test's\n");
        assert!(page.contains("| whole payments over HTTP, 64 connections | 12,500 | 2.0 | 25.0 |"), "{page}");
        assert!(page.contains("\nkinchaku bench http --connections 64 --seconds 10 --json\n"), "{page}");
        assert!(page.contains("\ncala {cala} 10\n"), "{page}");
    }
}
