//! Load: how fast the engine is, with every run audited, so that no figure comes from work that was not done.
//!
//! `pay` makes whole payments, `transfer` bare ledger transfers, `http` payments over the wallet's API. Start reading at [`pay()`].

mod audit;
mod beside;
mod callers;
mod http;
mod meter;
mod opening;
mod pay;
mod resources;
mod transfer;
mod workload;

pub use http::{HttpOptions, HttpReport, http};
pub use meter::Progress;
pub use pay::{PayOptions, PayReport, pay};
pub use transfer::{TransferOptions, TransferReport, transfer};
pub use workload::Workload;

use domain::Domain;
use engine::postgres::throwaway::Throwaway;
use engine::postgres::{Config, PostgresJournal, PostgresStore};
use engine::{Store as _, StoreError};
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// Where a run keeps its rows and journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    /// In memory: what the engine alone can do.
    Memory,
    /// The embedded store.
    Sqlite,
    /// PostgreSQL: one engine on a database.
    Postgres,
}

impl StoreKind {
    /// The kind's name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// Why a run gave no figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It was asked for what does not go together.
    Options(String),
    /// It could not run.
    Setup(String),
    /// It ran, and the audit found something wrong.
    Audit(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Options(what) => write!(f, "these options make no run: {what}"),
            Self::Setup(what) => write!(f, "the run could not be made: {what}"),
            Self::Audit(what) => write!(f, "the audit failed: {what}"),
        }
    }
}

impl std::error::Error for Failure {}

/// The lane that a run's engine writes in PostgreSQL.
const LANE: u16 = 1;

/// A database for a run: the one that was named, which must be empty, or one in a private cluster that ends with the run.
struct Database {
    config: Config,
    _cluster: Option<Throwaway>,
}

impl Database {
    fn of(url: Option<&str>) -> Result<Self, Failure> {
        if let Some(url) = url {
            // What was typed may hold a password: it is not repeated.
            let wrong = |_| Failure::Options("--database is not an address like postgres://user@host/name".into());
            return Ok(Self { config: url.parse().map_err(wrong)?, _cluster: None });
        }
        let setup = |error: &dyn fmt::Display| Failure::Setup(error.to_string());
        let cluster = Throwaway::start().map_err(|error| setup(&error))?;
        let config = cluster.database("bench").map_err(|error| setup(&error))?;
        Ok(Self { config, _cluster: Some(cluster) })
    }

    fn store<D: Domain>(&self) -> Result<PostgresStore<D>, Failure> {
        let setup = |error: StoreError| Failure::Setup(error.to_string());
        let store = PostgresStore::open(&self.config, LANE).map_err(setup)?;
        if store.recovered().head.place.n > 0 {
            return Err(Failure::Setup("the database holds a journal already: name an empty one".into()));
        }
        Ok(store)
    }

    fn journal<D: Domain>(&self) -> PostgresJournal<D> {
        PostgresJournal::new(&self.config, LANE)
    }
}

/// Refuses a database for a store that has none.
fn check_database(store: StoreKind, database: Option<&str>) -> Result<(), Failure> {
    match (store, database) {
        (StoreKind::Memory | StoreKind::Sqlite, Some(_)) => {
            Err(Failure::Options("--database names a PostgreSQL database: take --store postgres".into()))
        }
        (StoreKind::Memory | StoreKind::Sqlite, None) | (StoreKind::Postgres, _) => Ok(()),
    }
}

fn a_second(count: u64, elapsed: Duration) -> u64 {
    u64::try_from(u128::from(count) * 1_000_000 / elapsed.as_micros().max(1)).unwrap_or(u64::MAX)
}
