//! Load: how fast the engine is, with every run audited, so that no figure comes from work that was not done.
//!
//! `pay` makes whole payments, `transfer` bare ledger transfers, `http` payments over the wallet's API. Start reading at [`pay()`].

mod audit;
mod beside;
mod callers;
mod http;
mod meter;
mod pay;
mod resources;
mod transfer;
mod workload;

pub use http::{HttpOptions, HttpReport, http};
pub use meter::Progress;
pub use pay::{PayOptions, PayReport, pay};
pub use transfer::{TransferOptions, TransferReport, transfer};
pub use workload::Workload;

use std::fmt;
use std::time::Duration;

/// Where a run keeps its rows and journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// In memory: what the engine alone can do.
    Memory,
    /// The embedded store.
    Sqlite,
}

impl StoreKind {
    /// The kind's name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
        }
    }
}

/// Why a run gave no figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It could not run.
    Setup(String),
    /// It ran, and the audit found something wrong.
    Audit(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setup(what) => write!(f, "the run could not be made: {what}"),
            Self::Audit(what) => write!(f, "the audit failed: {what}"),
        }
    }
}

impl std::error::Error for Failure {}

fn a_second(count: u64, elapsed: Duration) -> u64 {
    u64::try_from(u128::from(count) * 1_000_000 / elapsed.as_micros().max(1)).unwrap_or(u64::MAX)
}
