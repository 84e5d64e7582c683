//! `kinchaku bench`: load, audited, with its figures as text or JSON.

use crate::progress::Shown;
use clap::{Args, Subcommand, ValueEnum};
use drill::bench::{self, Failure, HttpOptions, PayOptions, PayReport, Progress, StoreKind, TransferOptions, Workload};
use engine::postgres::throwaway::{NotStarted, Throwaway};
use serde::Serialize;
use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

/// How a program ends that was asked for what does not go together, as the command line's own errors do.
const USAGE: u8 = 2;

/// What is measured.
#[derive(Subcommand)]
pub enum Bench {
    /// Whole payments: request key, limits, purse order, lots, ledger, counters, journal with hash; audited afterwards.
    ///
    /// Each wallet is an identified person's with a linked bank account, two lots of bonus, two of prepaid money and one of
    /// funds, so that payments meet the ends of lots and purses. Fails if anything is wrong afterwards, if a notice waited
    /// longer than a second until it stood in the outbox, or if not all stood there two seconds after the last payment.
    Pay(Pay),
    /// Payments over the wallet's API, through real sockets, with the load on the same machine; audited afterwards.
    Http(Http),
    /// Bare ledger transfers: what the engine does without a wallet's rules; audited afterwards.
    Transfer(Transfer),
    /// A private PostgreSQL for other loads: prints the address of each database, and ends when its input ends.
    Databases {
        /// What the databases are called.
        #[arg(required = true)]
        names: Vec<String>,
    },
}

/// How `bench transfer` runs.
#[derive(Args)]
pub struct Transfer {
    /// Where the rows and the journal are kept.
    #[arg(long, value_enum, default_value = "sqlite")]
    store: Store,
    /// With --store postgres: an empty database (postgres://…). Without it a private cluster that ends with the run.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Callers that wait for an answer at once.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u16).range(1..))]
    in_flight: u16,
    /// Accounts that are debited and credited.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(2..))]
    accounts: u64,
    /// The share of transfers to ten hot accounts.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(..=100))]
    hot_percent: u64,
    /// How long to measure.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// What ids and choices are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// How `bench http` runs.
#[derive(Args)]
pub struct Http {
    /// Connections that wait for an answer at once.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// How long to measure.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Wallets that pay.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    wallets: u32,
    /// Shops that are paid.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    shops: u32,
    /// Threads that serve.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    threads: u16,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Where the rows and the journal are kept.
#[derive(Clone, Copy, ValueEnum)]
enum Store {
    /// In memory: what the engine alone can do.
    Memory,
    /// The embedded store.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// How `bench pay` runs.
#[derive(Args)]
pub struct Pay {
    /// Where the rows and the journal are kept.
    #[arg(long, value_enum, default_value = "sqlite")]
    store: Store,
    /// With --store postgres: an empty database (postgres://…). Without it a private cluster that ends with the run.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Callers that wait for an answer at once.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u16).range(1..))]
    in_flight: u16,
    /// Payments a second that arrive whatever the answers do; latency counts from when each was due.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    rate: Option<u64>,
    /// Wallets that pay.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    wallets: u64,
    /// Shops that are paid.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    shops: u64,
    /// The share of payments that go to ten hot shops.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(..=100))]
    hot_percent: u64,
    /// How long the same load runs, in seconds, before measuring begins
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    warm_up_seconds: u64,
    /// How long to measure.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Payments that there must be before measuring begins.
    #[arg(long, default_value_t = 0)]
    past_payments: u64,
    /// Of a thousand payments, how many repeat an old request.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(..=1000))]
    repeats_permille: u64,
    /// Rows that the engine's cache keeps.
    #[arg(long, default_value_t = engine::options::CACHE_ROWS_MAX as u64, value_parser = clap::value_parser!(u64).range(1..))]
    cache_rows: u64,
    /// Threads that read wallets' lists meanwhile; of the embedded store.
    #[arg(long, default_value_t = 0)]
    list_readers: u8,
    /// Audit the journal meanwhile, again and again; of the embedded store.
    #[arg(long)]
    verify_beside: bool,
    /// The data directory of the embedded store: kept, and continued by a later run with the same load. Without it a temporary
    /// one.
    #[arg(long)]
    data: Option<PathBuf>,
    /// What ids and choices are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs what was asked; 1 if it could not, if the audit found something wrong or notices came too late, 2 if what was asked
/// does not go together.
pub fn run(bench: &Bench) -> ExitCode {
    let progress = Shown::default();
    let show = |done: Progress| progress.show(done.stage, done.done, done.of);
    match bench {
        Bench::Pay(arguments) => {
            let report = bench::pay(&arguments.options(), &show);
            let too_slow = report.as_ref().ok().and_then(PayReport::too_slow);
            let told = tell(report, arguments.json, &progress);
            too_slow.map_or(told, |what| fail(&what))
        }
        Bench::Http(arguments) => {
            tell(bench::http(&arguments.options(), crate::serve::listening, &show), arguments.json, &progress)
        }
        Bench::Transfer(arguments) => tell(bench::transfer(&arguments.options(), &show), arguments.json, &progress),
        Bench::Databases { names } => databases(names).unwrap_or_else(|error| fail(&error)),
    }
}

/// Serves the databases until nobody holds our input any more.
fn databases(names: &[String]) -> Result<ExitCode, NotStarted> {
    let cluster = Throwaway::start()?;
    for name in names {
        cluster.database(name)?;
        print(&cluster.url(name));
    }
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(ExitCode::SUCCESS)
}

fn tell<R: Display + Serialize>(report: Result<R, Failure>, json: bool, progress: &Shown) -> ExitCode {
    progress.end();
    match report {
        Ok(report) if json => print(&serde_json::to_string(&report).unwrap_or_default()),
        Ok(report) => print(&report.to_string()),
        Err(failure @ Failure::Options(_)) => {
            fail(&failure);
            ExitCode::from(USAGE)
        }
        Err(failure @ (Failure::Setup(_) | Failure::Audit(_))) => fail(&failure),
    }
}

#[expect(clippy::print_stdout, reason = "the figures are the command's output")]
fn print(text: &str) -> ExitCode {
    println!("{text}");
    ExitCode::SUCCESS
}

#[expect(clippy::print_stderr, reason = "the command says why it failed")]
fn fail(why: &dyn Display) -> ExitCode {
    eprintln!("{why}");
    ExitCode::FAILURE
}

impl Store {
    const fn kind(self) -> StoreKind {
        match self {
            Self::Memory => StoreKind::Memory,
            Self::Sqlite => StoreKind::Sqlite,
            Self::Postgres => StoreKind::Postgres,
        }
    }
}

impl Http {
    fn options(&self) -> HttpOptions {
        let count = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        HttpOptions {
            connections: self.connections.into(),
            seconds: self.seconds,
            wallets: count(self.wallets),
            shops: count(self.shops),
            threads: self.threads.into(),
        }
    }
}

impl Transfer {
    fn options(&self) -> TransferOptions {
        TransferOptions {
            store: self.store.kind(),
            database: self.database.clone(),
            in_flight: usize::from(self.in_flight),
            accounts: self.accounts,
            hot_percent: self.hot_percent,
            seconds: self.seconds,
            seed: self.seed,
        }
    }
}

impl Pay {
    fn options(&self) -> PayOptions {
        PayOptions {
            store: self.store.kind(),
            database: self.database.clone(),
            in_flight: usize::from(self.in_flight),
            rate: self.rate,
            workload: Workload {
                wallets: self.wallets,
                shops: self.shops,
                hot_percent: self.hot_percent,
                seed: self.seed,
            },
            past_payments: self.past_payments,
            warm_up_seconds: self.warm_up_seconds,
            seconds: self.seconds,
            repeats_permille: self.repeats_permille,
            cache_rows: usize::try_from(self.cache_rows).unwrap_or(usize::MAX),
            list_readers: self.list_readers.into(),
            verify_beside: self.verify_beside,
            data: self.data.clone(),
        }
    }
}
