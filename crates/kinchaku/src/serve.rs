//! `kinchaku serve`: opens the services of this process, listens, runs what is due, and ends in order.
//!
//! Without a configuration it is a sandbox with everything in one process. What is opened with what stands in `plan`, what
//! can be configured in `config`; nothing about money is decided here. Start reading at [`run`].

mod apart;
mod config;
mod demo;
mod front;
mod listen;
mod log;
mod plan;
mod secrets;
mod timers;

use axum::Router;
use clap::Args;
use config::{Config, Role};
use engine::{Clock, SystemClock};
use listen::Peers;
use plan::Plan;
use sandbox::SandboxClock;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use timers::Step;
use tokio::net::TcpListener;
use tokio::sync::watch;
use web::{MachineChance, Outside, Sockets};

/// How long requests under way at the end are waited for, in milliseconds.
const STOP_MS_MAX: u64 = 10_000;

/// Serves the wallet, the gateway and, until it is configured otherwise, a simulated outside world to try them in.
///
/// Without a configuration everything runs in one process on `http://localhost:8080`, with simulated banks and people.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = "\
Examples:
  kinchaku serve                                     the sandbox, on http://localhost:8080
  kinchaku serve --listen 127.0.0.1:9000 --data /tmp/try
  kinchaku serve --config kinchaku.toml              a configured operator; every key: kinchaku.example.toml")]
pub struct Serve {
    /// The configuration file; without one, the sandbox
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The directory of all data [default: ./data]
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<PathBuf>,
    /// The socket; port 0 takes any free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Which services run in this process
    #[arg(long, value_enum, value_delimiter = ',')]
    roles: Vec<Role>,
    /// Take the machine's calendar for right, though it is hours ahead of the last record (docs/clocks.md)
    #[arg(long)]
    believe_clock: bool,
}

/// Serves until it is told to stop.
pub fn run(arguments: &Serve) -> ExitCode {
    let served = configure(arguments).and_then(|config| {
        log::start(config.serve.log, config.is_sandbox());
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.map_err(|error| error.to_string())?.block_on(serve(config))
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kinchaku serve: {error}");
            ExitCode::FAILURE
        }
    }
}

fn configure(arguments: &Serve) -> Result<Config, String> {
    let mut config = Config::read(arguments.config.as_deref(), std::env::vars(), |serve| {
        if let Some(listen) = arguments.listen {
            serve.listen = listen;
        }
        if let Some(data) = &arguments.data {
            serve.data.clone_from(data);
        }
        if !arguments.roles.is_empty() {
            serve.roles.clone_from(&arguments.roles);
        }
        serve.believe_clock = arguments.believe_clock;
    })?;
    config.serve.roles.dedup();
    Ok(config)
}

/// What runs in this process.
#[derive(Default)]
struct Services {
    wallet: Option<server::Server>,
    gateway: Option<gateway::Gateway>,
    sandbox: Option<Arc<sandbox::Sandbox>>,
}

async fn serve(config: Config) -> Result<(), String> {
    plan::claim(&config)?;
    listen::make_room();
    let listener = TcpListener::bind(config.serve.listen).await;
    let listener = listener.map_err(|error| format!("{} cannot be listened on: {error}", config.serve.listen))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let data = config.serve.data.clone();
    let chance = Arc::new(MachineChance);
    let sandbox_clock = config.is_sandbox().then(|| open_clock(&config)).transpose()?;
    let clock: Arc<dyn Clock> = match &sandbox_clock {
        Some(clock) => Arc::<SandboxClock>::clone(clock),
        None => Arc::new(SystemClock),
    };
    let plan = match &sandbox_clock {
        Some(clock) => Plan::of_sandbox(&config, address.port(), Arc::clone(clock), chance.as_ref())?,
        None => Plan::of_operator(&config, chance.as_ref())?,
    };
    let outside = Outside { clock: Arc::clone(&clock), transport: Arc::new(Sockets::new()), chance };
    let services = Services::open(plan, &outside).await?;
    let Steps { round, timed } = services.steps();
    let mut router = web::by_host(services.routers(&config, address.port(), &round, &clock));
    if let Some(clock) = &sandbox_clock {
        let all = round.into_iter().chain(elsewhere(&config, address.port(), &outside)).collect();
        clock.on_advance(timers::round(all));
        router = sandbox::marked(sandbox::direct(router));
    }

    let (stop, stopped) = watch::channel(false);
    let config::Serve { trusted_proxies, plain_http_from_anywhere: anyone, .. } = config.serve.clone();
    let peers = Peers { trusted_proxies, anyone };
    let mut listening =
        tokio::spawn(listen::listen(listener, router, peers, listen::HEAD_MS_MAX, wait_for(stopped.clone())));
    let timers: Vec<_> =
        timed.into_iter().map(|step| tokio::spawn(timers::run(step, Arc::clone(&clock), stopped.clone()))).collect();
    let dispatcher = services.wallet.clone().map(|wallet| tokio::spawn(async move { wallet.dispatch().await }));
    let has = |role| config.serve.roles.contains(&role);
    if config.is_sandbox() && has(Role::Wallet) && has(Role::Sandbox) {
        demo::join(&plan::origins(&config.sandbox, address.port()).own("sandbox"), &data, &outside).await;
    }
    let told_to_stop = told_to_stop();
    greet(&config, address, &data);

    tokio::select! {
        () = told_to_stop => tracing::info!("stopping: requests under way are answered"),
        ended = &mut listening => return Err(format!("the socket was lost: {ended:?}")),
    }
    stop.send_replace(true);
    let patience = std::time::Duration::from_millis(STOP_MS_MAX);
    if tokio::time::timeout(patience, listening).await.is_err() {
        tracing::warn!("requests that took too long are cut off; a repeat with the same key tells what became of them");
    }
    for timer in timers {
        timer.await.map_err(|error| error.to_string())?;
    }
    let ended = tokio::task::spawn_blocking(move || services.stop()).await.map_err(|error| error.to_string())?;
    if let Some(dispatcher) = dispatcher {
        dispatcher.abort();
    }
    ended
}

/// Serves `router` on `listener` as `serve` does for whoever has no proxy: for whoever measures that.
pub async fn listening(listener: TcpListener, router: Router) {
    listen::make_room();
    listen::listen(listener, router, Peers::default(), listen::HEAD_MS_MAX, std::future::pending()).await;
}

fn open_clock(config: &Config) -> Result<Arc<SandboxClock>, String> {
    let directory = config.serve.data.join("sandbox");
    std::fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let keeps = config.serve.roles.contains(&Role::Sandbox);
    let clock = if keeps { SandboxClock::open(Some(&directory)) } else { SandboxClock::follow(&directory) };
    clock.map(Arc::new).map_err(|error| {
        let file = directory.join(sandbox::clock::FILE);
        format!("the sandbox's clock {}: {error}; put the file back, or begin a new sandbox elsewhere", file.display())
    })
}

/// The steps of those parts of the sandbox that run in other processes, for the one that keeps the clock.
fn elsewhere(config: &Config, port: u16, outside: &Outside) -> Vec<Step> {
    let roles = &config.serve.roles;
    let origins = plan::origins(&config.sandbox, port);
    let parts = [(Role::Wallet, origins.wallet), (Role::Gateway, origins.gateway)];
    let others = parts.into_iter().filter(|(role, _)| roles.contains(&Role::Sandbox) && !roles.contains(role));
    others.map(|(_, origin)| apart::step(&origin, Arc::clone(&outside.transport))).collect()
}

/// What is due, in steps: for a round over everything, in order, and for timers. Where others are asked each turn has a timer
/// of its own: a bank, at the gateway; whoever delivers letters or says who people are, at the wallet. So nobody's silence holds
/// up what is asked of another. A round takes all turns, and waits for them.
#[derive(Default)]
struct Steps {
    round: Vec<Step>,
    timed: Vec<Step>,
}

impl Steps {
    fn add(&mut self, step: Step) {
        let step = timers::one_at_a_time(step);
        self.round.push(Arc::clone(&step));
        self.timed.push(step);
    }
}

impl Services {
    async fn open(plan: Plan, outside: &Outside) -> Result<Self, String> {
        let mut services = Self::default();
        if let Some(options) = plan.sandbox {
            let sandbox = sandbox::Sandbox::open(options, outside.clone()).await.map_err(|error| error.to_string())?;
            services.sandbox = Some(Arc::new(sandbox));
        }
        if let Some(options) = plan.gateway {
            let gateway = gateway::Gateway::open(options, outside.clone()).await;
            services.gateway = Some(gateway.map_err(|error| format!("the gateway: {error}"))?);
        }
        if let Some(options) = plan.wallet {
            let wallet = server::Server::open(options, outside.clone());
            services.wallet = Some(wallet.map_err(|error| format!("the wallet: {error}"))?);
        }
        Ok(services)
    }

    fn routers(&self, config: &Config, port: u16, steps: &[Step], clock: &Arc<dyn Clock>) -> Vec<(String, Router)> {
        let (data, is_sandbox) = (&config.serve.data, config.is_sandbox());
        let mut routers: Vec<(String, Router)> = Vec::new();
        let mut services: Vec<(String, Router)> = Vec::new();
        services.extend(self.gateway.iter().flat_map(gateway::Gateway::routers));
        services.extend(self.wallet.iter().flat_map(server::Server::routers));
        for (host, router) in services {
            // The sandbox's own API is reached beside the wallet's too: a newcomer knows one address.
            let router = match &self.sandbox {
                Some(sandbox) if host == "localhost" => {
                    router.merge(sandbox.api()).merge(front::router(port, data.to_owned()))
                }
                None if is_sandbox => router.merge(apart::router(steps.to_vec(), Arc::clone(clock))),
                Some(_) | None => router,
            };
            routers.push((host, router));
        }
        routers.extend(self.sandbox.iter().flat_map(|sandbox| sandbox.routers()));
        routers
    }

    fn steps(&self) -> Steps {
        let mut steps = Steps::default();
        if let Some(sandbox) = self.sandbox.clone() {
            steps.add(Arc::new(move |now, budget| {
                let sandbox = Arc::clone(&sandbox);
                Box::pin(async move { sandbox.run_due(now, budget).await })
            }));
        }
        if let Some(gateway) = self.gateway.clone() {
            for turn in gateway.turns() {
                let gateway = gateway.clone();
                steps.timed.push(Arc::new(move |now, budget| {
                    let gateway = gateway.clone();
                    Box::pin(async move { gateway.run_turn(turn, now, budget).await })
                }));
            }
            steps.round.push(Arc::new(move |now, budget| {
                let gateway = gateway.clone();
                Box::pin(async move { gateway.run_due(now, budget).await })
            }));
        }
        if let Some(wallet) = self.wallet.clone() {
            for turn in server::Turn::ALL {
                let wallet = wallet.clone();
                steps.timed.push(Arc::new(move |now, budget| {
                    let wallet = wallet.clone();
                    Box::pin(async move { wallet.run_turn(turn, now, budget).await })
                }));
            }
            steps.round.push(Arc::new(move |now, budget| {
                let wallet = wallet.clone();
                Box::pin(async move { wallet.run_due(now, budget).await })
            }));
        }
        steps
    }

    /// The wallet first: whoever asks others stops before those who answer.
    fn stop(&self) -> Result<(), String> {
        let wallet = self.wallet.as_ref().map_or(Ok(()), server::Server::stop);
        let gateway = self.gateway.as_ref().map_or(Ok(()), gateway::Gateway::stop);
        let sandbox = self.sandbox.as_ref().map_or(Ok(()), |sandbox| sandbox.stop());
        wallet.and(gateway).and(sandbox).map_err(|error| error.to_string())
    }
}

async fn wait_for(mut stopped: watch::Receiver<bool>) {
    // A sender that is gone has nobody left to serve for.
    drop(stopped.wait_for(|stopped| *stopped).await);
}

/// Ends at Ctrl-C or SIGTERM. They are heard from this call on: whoever reads that all is ready may say so at once.
fn told_to_stop() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let hear = |kind| signal(kind).expect("signals can be listened to at the start");
    let (mut interrupt, mut terminate) = (hear(SignalKind::interrupt()), hear(SignalKind::terminate()));
    async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

/// Says where everything is.
#[expect(clippy::print_stdout, reason = "whoever typed the command reads it, and a script waits for the last line")]
fn greet(config: &Config, address: SocketAddr, data: &std::path::Path) {
    println!("kinchaku {} listens on {address}, data in {}", env!("CARGO_PKG_VERSION"), data.display());
    if config.is_sandbox() {
        greet_newcomer(config, address.port(), data);
    } else if !address.ip().is_loopback() {
        let config::Serve { trusted_proxies, plain_http_from_anywhere, .. } = &config.serve;
        match plain_http_from_anywhere {
            true => println!("plain HTTP is taken from whoever reaches the socket: the network has to encrypt"),
            false => println!("connections are taken from this machine and {trusted_proxies:?} alone"),
        }
    }
    println!("ready");
}

/// The roles of somebody at the gateway's desk or a bank's.
fn role_names(roles: &[gateway::desk::Role]) -> String {
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ")
}

/// Says what a sandbox is, where its parts are, and who may be played.
#[expect(clippy::print_stdout, reason = "whoever typed the command reads it")]
fn greet_newcomer(config: &Config, port: u16, data: &std::path::Path) {
    let has = |role| config.serve.roles.contains(&role);
    println!("SANDBOX: banks, people and messages are simulated; no money here is real.");
    for (role, what, host, path) in [
        (Role::Wallet, "ウォレット / wallet", "localhost", "/"),
        (Role::Wallet, "API の説明 / API documentation", "localhost", "/docs"),
        (Role::Wallet, "運営デスク / operator's desk", "desk.localhost", "/"),
        (Role::Gateway, "口座振替受付 / gateway", "gateway.localhost", "/"),
        (Role::Sandbox, "受信箱・銀行・人物・時計 / inbox, banks, people, clock", "sandbox.localhost", "/"),
    ] {
        if has(role) {
            println!("  http://{host}:{port}{path}  {what}");
        }
    }
    if has(Role::Wallet) {
        println!("運営デスクの担当者 / people of the operator's desk, each with the file of their token:");
        for (id, name, roles) in plan::DESK_SANDBOX {
            let roles: Vec<&str> = roles.iter().map(|role| role.name()).collect();
            println!("  {id}  {name}  {}  {}", roles.join(", "), plan::desk_token_file(data, id).display());
        }
    }
    if has(Role::Gateway) {
        println!("口座振替受付と銀行の担当者 / people of the gateway's desk, and of each bank's:");
        for (id, name, roles) in plan::GATEWAY_DESK_SANDBOX {
            let file = plan::secret_file(data, &format!("gateway-desk-{id}"));
            println!("  {id}  {name}  {}  {}", role_names(roles), file.display());
        }
        for (id, name, roles) in plan::BANK_DESK_SANDBOX {
            let file = plan::secret_file(data, &format!("bank-<code>-desk-{id}"));
            println!("  {id}  {name}  {}  {}", role_names(roles), file.display());
        }
    }
    if demo::wallet(data).is_some() {
        let (bank, branch, number, pin) = demo::ACCOUNT;
        println!("試しに使う人 / somebody to be:");
        println!("  {} / {}", demo::EMAIL, demo::PASSWORD);
        println!("  銀行 / bank {bank}, 口座 / account {branch}-{number}, 暗証番号 / PIN {pin}");
    }
}
