//! The binary: it parses the command line and hands over to the module named after the subcommand.
//!
//! Nothing is decided here: no rule about money, no store, no protocol. Exit codes: 0 done, 1 the work ran and found
//! something wrong, 2 the command line was not understood.

mod audit;
mod bench;
mod crash;
mod drill;
mod progress;
mod serve;
mod simulate;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// An e-money wallet that links to bank accounts, built so that the fraud of September 2020 fails.
#[derive(Parser)]
#[command(name = "kinchaku", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

/// What there is to do.
#[derive(Subcommand)]
enum Command {
    /// Looks into a data directory: is the journal whole, do the rows follow from it, do the books balance, what was when.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Measures the engine under load.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Kills the process, loses power, lets the disk fail; and looks what is left.
    #[command(subcommand)]
    Crash(crash::Crash),
    /// Replays an attack against the whole stack in simulated time, among honest people.
    Drill(drill::Drill),
    /// Serves the wallet, the gateway and, until configured otherwise, a simulated outside world to try them in.
    Serve(serve::Serve),
    /// Runs thirty days of wallets, banks and people with every fault there is, seed by seed, beside a model of the money.
    Simulate(simulate::Simulate),
}

/// Rows and answers are made on one thread and freed on another, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Arguments::parse().command {
        Some(Command::Audit(audit)) => audit::run(&audit),
        Some(Command::Bench(bench)) => bench::run(&bench),
        Some(Command::Crash(crash)) => crash::run(&crash),
        Some(Command::Drill(drill)) => drill::run(&drill),
        Some(Command::Serve(serve)) => serve::run(&serve),
        Some(Command::Simulate(simulate)) => simulate::run(&simulate),
        None => serve::run(&serve::Serve::default()),
    }
}
