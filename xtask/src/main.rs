//! The house's chores: what is more than one command.
//!
//! `cargo xtask tidy` checks the house rules, `cargo xtask ci` runs every step of continuous integration, `cargo xtask bench-page`
//! measures and writes the page of figures. No chore knows anything of wallets or money, and none depends on the product's
//! crates. Start reading at `RULES` in `tidy.rs`, `STEPS` in `ci.rs` and `RUNS` in `bench_page.rs`.

#![expect(clippy::print_stdout, reason = "a chore talks to whoever runs it")]

mod bench_page;
mod ci;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask CHORE

  tidy                    check the house rules; every violation is printed with what to do
  tidy --lock-migrations  add new migrations to docs/migrations.lock, then check
  ci                      run every step of continuous integration, in order
  bench-page [ROUNDS]     measure us and others in turn, three rounds unless said, and write docs/benchmarks.md
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["tidy"] => tidy::run(&root()),
        ["tidy", "--lock-migrations"] => tidy::lock_migrations(&root()).and_then(|()| tidy::run(&root())),
        ["ci"] => ci::run(&root()),
        ["bench-page"] => bench_page::run(&root(), None),
        ["bench-page", rounds] => bench_page::run(&root(), Some(rounds)),
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("unknown chore: {}\n\n{USAGE}", arguments.join(" "));
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace's root: the folder above this crate.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
