//! The binary: it parses the command line and hands over to the module named after the subcommand.
//!
//! Nothing is decided here: no rule about money, no store, no protocol. Exit codes: 0 done, 1 the work ran and found
//! something wrong, 2 the command line was not understood.

use clap::{CommandFactory, Parser};
use std::process::ExitCode;

/// An e-money wallet that links to bank accounts, built so that the fraud of September 2020 fails.
#[derive(Parser)]
#[command(name = "kinchaku", version, max_term_width = 100)]
struct Arguments {}

fn main() -> ExitCode {
    let Arguments {} = Arguments::parse();
    match Arguments::command().print_help() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_closed_output) => ExitCode::FAILURE,
    }
}
