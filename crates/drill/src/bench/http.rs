//! `bench http`: payments over the wallet's API, through real sockets, audited afterwards.
//!
//! The server runs as `serve` runs it: the same socket, routers, turns and engine, on a runtime of its own. No gateway runs beside
//! it: payments ask no bank. The load is made on
//! one thread beside it, on the same machine, and is counted in. Each connection sends its next payment after its last
//! answer. Start reading at [`http()`], then at [`client`].

mod client;

use super::meter::{Meter, Progress, now};
use super::resources::memory_bytes_peak;
use super::{Failure, a_second};
use axum::Router;
use client::{Caller, Load};
use engine::sqlite::{SqliteOptions, SqliteStore};
use engine::{Core, Options as EngineOptions, SystemClock};
use ledger::Yen;
use serde::Serialize;
use server::{Cost, GatewayOptions, IdentityOptions, Options, Provider, Rates, Server, Turn};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use wallet::{Context, Row, ShopId, Wallets, chart, table};
use web::jose::SigningKey;
use web::{MachineChance, Outside, Routers, Secret, by_host};

/// What each wallet is filled with: the most that a wallet of the lowest tier may hold.
const FILLING: Yen = Yen::new(30_000);
/// How often due work is looked for, as `serve` does.
const STEP_PAUSE: Duration = Duration::from_millis(100);
/// How much one step of due work may do.
const STEP_BUDGET: usize = 256;
/// The host that the load calls.
const HOST: &str = "localhost";

/// How a run is made.
#[derive(Clone, Copy, Debug)]
pub struct HttpOptions {
    /// Connections that wait for an answer at once.
    pub connections: usize,
    /// How long to measure.
    pub seconds: u64,
    /// Wallets that pay.
    pub wallets: usize,
    /// Shops that are paid.
    pub shops: usize,
    /// Threads that serve.
    pub threads: usize,
}

/// What a run showed.
#[derive(Clone, Debug, Serialize)]
pub struct HttpReport {
    connections: usize,
    threads: usize,
    payments_per_second: u64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    stall_ms_max: f64,
    acknowledged: u64,
    wallets: usize,
    shops: usize,
    memory_bytes_peak: Option<u64>,
    audited: bool,
}

impl fmt::Display for HttpReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} payments a second over {} connections", self.payments_per_second, self.connections)?;
        writeln!(
            f,
            "latency: p50 {} ms, p99 {} ms, at most {} ms; longest silence {} ms",
            self.p50_ms, self.p99_ms, self.max_ms, self.stall_ms_max
        )?;
        writeln!(
            f,
            "acknowledged: {}; memory at its peak: {} bytes",
            self.acknowledged,
            self.memory_bytes_peak.unwrap_or(0)
        )?;
        write!(f, "audited: every balance and the whole journal are right")
    }
}

/// Makes one run. `listen` serves the router on the socket, as `serve` does.
pub fn http<F: Future<Output = ()> + Send + 'static>(
    options: &HttpOptions,
    listen: impl FnOnce(TcpListener, Router) -> F,
    show: &dyn Fn(Progress),
) -> Result<HttpReport, Failure> {
    let directory = tempfile::tempdir().map_err(setup)?;
    let wallet_directory = directory.path().join("wallet");
    std::fs::create_dir_all(&wallet_directory).map_err(setup)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(options.threads)
        .enable_all()
        .build()
        .map_err(setup)?;
    let server = runtime.block_on(async { open(directory.path()) })?;
    let dispatching = server.clone();
    runtime.spawn(async move { dispatching.dispatch().await });
    show(Progress { stage: "wallets and shops", done: 0, of: 1 });
    let (callers, shops) = runtime.block_on(found(&server, options))?;
    let listener = runtime.block_on(TcpListener::bind((HOST, 0))).map_err(setup)?;
    let address = listener.local_addr().map_err(setup)?;
    for turn in Turn::ALL {
        runtime.spawn(run(server.clone(), turn));
    }
    runtime.spawn(listen(listener, by_host(server.routers())));
    let until = now() + Duration::from_secs(options.seconds);
    let load = Load::new(callers, shops, until);
    let begun = now();
    let load = load.run(address, options.connections, &|done| {
        show(Progress { stage: "payments", done, of: 0 });
    })?;
    let elapsed = begun.elapsed();
    runtime.shutdown_timeout(Duration::from_secs(5));
    server.stop().map_err(setup)?;
    audit(&wallet_directory, &load, show)?;
    super::audit::journal(&wallet_directory, show)?;
    Ok(report(options, &load.meter, load.acknowledged, elapsed))
}

fn report(options: &HttpOptions, meter: &Meter, acknowledged: u64, elapsed: Duration) -> HttpReport {
    HttpReport {
        connections: options.connections,
        threads: options.threads,
        payments_per_second: a_second(acknowledged, elapsed),
        p50_ms: meter.milliseconds(50.0),
        p99_ms: meter.milliseconds(99.0),
        max_ms: meter.milliseconds_max(),
        stall_ms_max: meter.stall_milliseconds_max(),
        acknowledged,
        wallets: options.wallets,
        shops: options.shops,
        memory_bytes_peak: memory_bytes_peak(),
        audited: true,
    }
}

async fn found(server: &Server, options: &HttpOptions) -> Result<(Vec<Caller>, Vec<ShopId>), Failure> {
    let shops = server.found_shops(options.shops).await.map_err(setup)?;
    let wallets = server.found_wallets(options.wallets, FILLING).await.map_err(setup)?;
    let caller = |founded: server::founding::FoundedWallet| Caller::new(founded.wallet, founded.token.expose());
    Ok((wallets.into_iter().map(caller).collect(), shops))
}

/// Due work, as `serve` does it.
async fn run(server: Server, turn: Turn) {
    loop {
        let due = server.run_turn(turn, domain_now(), STEP_BUDGET).await.due;
        if due.done == 0 {
            tokio::time::sleep(STEP_PAUSE).await;
        }
    }
}

fn domain_now() -> domain::Time {
    engine::Clock::now(&SystemClock)
}

fn open(directory: &Path) -> Result<Server, Failure> {
    let secret = |text: &str| Secret::new(text.to_owned());
    let nobody = || Provider { origin: "http://nobody.localhost".into(), token: secret("nobody") };
    let gateway = GatewayOptions {
        origin: "http://nobody.localhost".into(),
        issuer: "http://nobody.localhost".into(),
        client_id: "load".into(),
        key: SigningKey::eddsa(&[1; 32]),
    };
    let options = Options {
        directory: directory.join("wallet"),
        master_key: directory.join("master.key"),
        origin: format!("http://{HOST}"),
        host: HOST.into(),
        desk_host: format!("desk.{HOST}"),
        is_sandbox: true,
        gateway,
        messages: nobody(),
        identity: IdentityOptions { provider: nobody(), callback_secret: secret("whsec_") },
        staff: Vec::new(),
        password_cost: Cost::default(),
        // The load is one machine with many connections: the limits are counted, and never reached.
        velocity: server::Velocity::NONE,
        rates: Rates { source_max: u32::MAX, caller_max: u32::MAX, ..Rates::default() },
        context: Arc::new(Context::default()),
        engine: EngineOptions::default(),
        store: SqliteOptions::default(),
        webhook_hosts: Vec::new(),
        bank_wait_ms: 2_000,
    };
    let outside =
        Outside { clock: Arc::new(SystemClock), transport: Arc::new(Routers::new()), chance: Arc::new(MachineChance) };
    Server::open(options, outside).map_err(setup)
}

/// Compares what every wallet paid and every shop received with what was acknowledged.
fn audit(directory: &Path, load: &Load, show: &dyn Fn(Progress)) -> Result<(), Failure> {
    let store = SqliteStore::<Wallets>::open(directory, &SqliteOptions::default()).map_err(setup)?;
    let mut core = Core::open(store, Arc::new(Context::default()), EngineOptions::default()).map_err(setup)?;
    let mut read = |key| core.read(key).map(|stored| stored.and_then(|stored| stored.row)).map_err(setup);
    show(Progress { stage: "audit of balances", done: 0, of: 1 });
    for (wallet, paid) in load.paid() {
        let row = read(domain::Key::new(table::WALLET, wallet.0))?;
        let found = match row.as_deref() {
            Some(Row::Wallet(row)) => FILLING.amount() - row.available().amount(),
            Some(_) | None => -1,
        };
        compare(wallet, found, paid)?;
    }
    for (shop, received) in load.received() {
        let found = match read(chart::key(chart::settlement(shop)))?.as_deref() {
            Some(Row::Account(_, account)) => account.credit_balance(),
            None => 0,
            Some(_) => -1,
        };
        compare(shop, found, received)?;
    }
    drop(core.close());
    Ok(())
}

fn compare(whose: impl fmt::Display, found: i64, expected: i64) -> Result<(), Failure> {
    if found == expected {
        return Ok(());
    }
    Err(Failure::Audit(format!("{whose}: {found} yen moved, {expected} were acknowledged")))
}

fn setup(error: impl fmt::Display) -> Failure {
    Failure::Setup(error.to_string())
}
