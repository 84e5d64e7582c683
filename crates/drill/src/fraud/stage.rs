//! The stage: wallet, gateway and outside world in one process, joined by their routers, under one clock and one source of
//! chance. Everybody on it is a client of the services' own HTTP interfaces.
//!
//! One thread runs everything: the engines run in whoever has a command, and due work is done when the loop says so. So the
//! same seed gives the same run. Start reading at [`Stage::open`]; [`Stage::reach`] is how time goes on.

use super::options::{self, Staging};
use domain::Time;
use engine::Clock as _;
use gateway::Gateway;
use sandbox::{Sandbox, SandboxClock};
use server::Server;
use std::cell::Cell;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tempfile::TempDir;
use web::{Chance, Outside, Ran, Routers};

/// How much one step of due work may do.
const STEP_BUDGET: usize = 4_096;
/// Rounds of due work at one moment; more is work that makes work for ever.
const ROUNDS_MAX: usize = 1_000;
/// How soon everybody looks whether something is due, in milliseconds, after somebody was at a page: notices are awaited.
const LOOK_MS: i64 = 5_000;
/// The same after somebody asked a program: what they asked for was done before the answer.
const LATER_MS: i64 = 120_000;
/// By how much the pause grows with each look that found nothing.
const IDLE_FACTOR: i64 = 4;
/// The longest pause between two looks, in milliseconds, where the last ones found nothing.
const IDLE_MS_MAX: i64 = 3_600_000;
/// Where temporary data is best kept: in memory.
const MEMORY_DISK: &str = "/dev/shm";

/// Chance from a seed.
struct Seeded(Mutex<blake3::OutputReader>);

impl Seeded {
    fn new(seed: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"kinchaku drill services\0").update(&seed.to_be_bytes());
        Self(Mutex::new(hasher.finalize_xof()))
    }
}

impl Chance for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes);
    }
}

/// The services, and what they share.
pub struct Stage {
    /// How each is reached.
    pub routers: Arc<Routers>,
    /// The tokens of the desks that somebody on the stage has.
    pub desks: options::Desks,
    clock: Arc<SandboxClock>,
    wallet: Server,
    gateway: Gateway,
    sandbox: Sandbox,
    /// Requests so far: each key is used once.
    requests: Cell<u64>,
    /// When due work is looked for next, and the pause until then.
    look_next: Cell<Time>,
    idle_ms: Cell<i64>,
    _directory: TempDir,
}

impl Stage {
    /// Opens everything at `staging.begin`, in a temporary directory that ends with the stage.
    pub async fn open(staging: &Staging<'_>) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("the stage: {error}");
        let clock = Arc::new(SandboxClock::frozen(staging.begin));
        let routers = Arc::new(Routers::new());
        let chance: Arc<dyn Chance> = Arc::new(Seeded::new(staging.seed));
        let outside = Outside { clock: Arc::clone(&clock) as _, transport: Arc::clone(&routers) as _, chance };
        let directory = directory().map_err(|error| failed(&error))?;
        let parts = options::of(staging, directory.path(), &clock, outside.chance.as_ref())?;
        let sandbox = Sandbox::open(parts.sandbox, outside.clone()).await.map_err(|error| failed(&error))?;
        let gateway = Gateway::open(parts.gateway, outside.clone()).await.map_err(|error| failed(&error))?;
        let wallet = Server::open(parts.wallet, outside).map_err(|error| failed(&error))?;
        let all = sandbox.routers().into_iter().chain(gateway.routers()).chain(wallet.routers());
        all.for_each(|(host, router)| routers.add(host, router));
        Ok(Self {
            routers,
            desks: parts.desks,
            clock,
            wallet,
            gateway,
            sandbox,
            requests: Cell::new(0),
            look_next: Cell::new(staging.begin),
            idle_ms: Cell::new(LOOK_MS),
            _directory: directory,
        })
    }

    /// The time now.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// A key that no request had before.
    pub fn key(&self) -> String {
        self.requests.set(self.requests.get() + 1);
        format!("drill-{}", self.requests.get())
    }

    /// Lets time go on to `time`, and does what falls due on the way, each at its moment.
    pub async fn reach(&self, time: Time) -> Result<(), String> {
        while self.look_next.get() < time {
            self.move_to(self.look_next.get())?;
            self.settle().await;
        }
        self.move_to(time)
    }

    /// Does everything that is due now, until nothing is.
    pub async fn settle(&self) {
        let now = self.now();
        let mut did = 0;
        let mut next = None;
        for _ in 0..ROUNDS_MAX {
            let ran = self.round(now).await;
            (did, next) = (did + ran.due.done, ran.due.next);
            if ran.due.done == 0 {
                break;
            }
        }
        // Whoever looks in vain looks more seldom, until somebody asks for something.
        self.idle_ms.set(if did > 0 { LOOK_MS } else { (self.idle_ms.get() * IDLE_FACTOR).min(IDLE_MS_MAX) });
        let latest = now.plus_milliseconds(self.idle_ms.get());
        let least = now.plus_milliseconds(LOOK_MS);
        self.look_next.set(next.map_or(latest, |next| next.clamp(least, latest)));
    }

    /// Somebody was at a page, or asked a program for something: what that made due is looked for soon, or a little later.
    pub fn stirred(&self, at_page: bool) {
        let wait_ms = if at_page { LOOK_MS } else { LATER_MS };
        self.idle_ms.set(self.idle_ms.get().min(wait_ms));
        let soon = self.now().plus_milliseconds(wait_ms);
        self.look_next.set(self.look_next.get().min(soon));
    }

    async fn round(&self, now: Time) -> Ran {
        let world = self.sandbox.run_due(now, STEP_BUDGET).await;
        let gateway = self.gateway.run_due(now, STEP_BUDGET).await;
        let wallet = self.wallet.run_due(now, STEP_BUDGET).await;
        world.and(gateway).and(wallet)
    }

    fn move_to(&self, time: Time) -> Result<(), String> {
        let time = time.max(self.now());
        self.clock.move_to(time).map_err(|error| format!("the clock: {error}"))
    }

    /// Ends everything, and removes what it kept.
    pub fn close(self) -> Result<(), String> {
        let ended = self.wallet.stop().and(self.gateway.stop()).and(self.sandbox.stop());
        ended.map_err(|error| error.to_string())
    }
}

fn directory() -> std::io::Result<TempDir> {
    let named = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix("kinchaku-drill-");
        builder
    };
    if Path::new(MEMORY_DISK).is_dir()
        && let Ok(directory) = named().tempdir_in(MEMORY_DISK)
    {
        return Ok(directory);
    }
    named().tempdir()
}
