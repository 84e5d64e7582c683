//! The stage: wallet, gateway and outside world in one process, joined by their routers, under one clock and one source of
//! chance. Everybody on it is a client of the services' own HTTP interfaces.
//!
//! One thread runs everything: the engines run in whoever has a command, and due work is done when the loop says so. So the
//! same seed gives the same run. Start reading at [`Stage::open`]; [`Stage::reach`] is how time goes on.

use super::options::{self, Staging};
use bytes::Bytes;
use domain::Time;
use engine::Clock as _;
use gateway::Gateway;
use http::{Method, Request};
use sandbox::{Sandbox, SandboxClock};
use server::{Server, Turn};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tempfile::TempDir;
use web::{Bounds, Call, Chance, Outside, Routers, Transport};

/// How much one step of due work may do.
const STEP_BUDGET: usize = 4_096;
/// Rounds of due work at one moment; more is work that makes work for ever.
const ROUNDS_MAX: usize = 1_000;
/// How soon a service that was asked for something looks whether that made work, in milliseconds.
const LOOK_MS: i64 = 5_000;
/// The longest pause between two looks of a service, in milliseconds, whatever it says of its next work.
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

/// The services, in the order in which their due work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    World,
    Gateway,
    Wallet,
}

impl Part {
    const ALL: [Self; 3] = [Self::World, Self::Gateway, Self::Wallet];

    /// Whose host it is: a bank's and whatever else is outside are the world's.
    fn of_host(host: &str) -> Self {
        match host {
            "localhost" | "desk.localhost" => Self::Wallet,
            "gateway.localhost" => Self::Gateway,
            _ => Self::World,
        }
    }
}

/// The routers; and which services were asked for something since their due work was done.
pub struct Roads {
    routers: Routers,
    stirred: [AtomicBool; 3],
    /// Due work is being done: whoever only looks something up for it makes nobody any work.
    at_work: AtomicBool,
}

impl Roads {
    fn new() -> Self {
        Self { routers: Routers::new(), stirred: [const { AtomicBool::new(true) }; 3], at_work: AtomicBool::new(false) }
    }

    fn stir(&self, part: Part) {
        self.stirred[part as usize].store(true, Ordering::SeqCst);
    }

    fn is_stirred(&self, part: Part) -> bool {
        self.stirred[part as usize].load(Ordering::SeqCst)
    }
}

impl Transport for Roads {
    fn call(&self, request: Request<Bytes>, bounds: Bounds) -> Call<'_> {
        if request.method() != Method::GET || !self.at_work.load(Ordering::SeqCst) {
            self.stir(Part::of_host(request.uri().host().unwrap_or_default()));
        }
        self.routers.call(request, bounds)
    }
}

/// The services, and what they share.
pub struct Stage {
    /// How each is reached.
    pub roads: Arc<Roads>,
    /// The tokens of the desks that somebody on the stage has.
    pub desks: options::Desks,
    clock: Arc<SandboxClock>,
    wallet: Server,
    gateway: Gateway,
    sandbox: Sandbox,
    /// Requests so far: each key is used once.
    requests: Cell<u64>,
    /// When each service has something to do next.
    next: Cell<[Time; 3]>,
    /// When what people asked for is looked after.
    look: Cell<Option<Time>>,
    _directory: TempDir,
}

impl Stage {
    /// Opens everything at `staging.begin`, in a temporary directory that ends with the stage.
    pub async fn open(staging: &Staging<'_>) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("the stage: {error}");
        let clock = Arc::new(SandboxClock::frozen(staging.begin));
        let roads = Arc::new(Roads::new());
        let chance: Arc<dyn Chance> = Arc::new(Seeded::new(staging.seed));
        let outside = Outside { clock: Arc::clone(&clock) as _, transport: Arc::clone(&roads) as _, chance };
        let directory = directory().map_err(|error| failed(&error))?;
        let parts = options::of(staging, directory.path(), &clock, outside.chance.as_ref())?;
        let sandbox = Sandbox::open(parts.sandbox, outside.clone()).await.map_err(|error| failed(&error))?;
        let gateway = Gateway::open(parts.gateway, outside.clone()).await.map_err(|error| failed(&error))?;
        let wallet = Server::open(parts.wallet, outside).map_err(|error| failed(&error))?;
        let all = sandbox.routers().into_iter().chain(gateway.routers()).chain(wallet.routers());
        all.for_each(|(host, router)| roads.routers.add(host, router));
        Ok(Self {
            roads,
            desks: parts.desks,
            clock,
            wallet,
            gateway,
            sandbox,
            requests: Cell::new(0),
            next: Cell::new([staging.begin; 3]),
            look: Cell::new(None),
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
        while let at = self.look.get().into_iter().chain(self.next.get()).fold(time, Time::min)
            && at < time
        {
            self.move_to(at)?;
            self.settle().await?;
        }
        self.move_to(time)
    }

    /// Does everything that is due now, until nothing is.
    async fn settle(&self) -> Result<(), String> {
        self.look.set(None);
        for _ in 0..ROUNDS_MAX {
            if !self.round(self.now()).await {
                return Ok(());
            }
        }
        Err(format!("at {} work made work for {ROUNDS_MAX} rounds", self.now()))
    }

    /// Lets the wallet write and send what it owes people by now, and nothing else: whoever waits for a code has it then.
    pub async fn deliver(&self) {
        self.roads.at_work.store(true, Ordering::SeqCst);
        for turn in [Turn::Writing, Turn::Letters] {
            self.wallet.run_turn(turn, self.now(), STEP_BUDGET).await;
        }
        self.roads.at_work.store(false, Ordering::SeqCst);
    }

    /// Somebody asked for something: what that made due is looked for soon.
    pub fn stirred(&self) {
        let soon = self.now().plus_milliseconds(LOOK_MS);
        self.look.set(Some(self.look.get().map_or(soon, |look| look.min(soon))));
    }

    /// Lets each service work that was asked for something, or said that something is due by now. Whether one had.
    async fn round(&self, now: Time) -> bool {
        let mut had = false;
        for part in Part::ALL {
            let mut next = self.next.get();
            if !self.roads.is_stirred(part) && next[part as usize] > now {
                continue;
            }
            self.roads.stirred[part as usize].store(false, Ordering::SeqCst);
            self.roads.at_work.store(true, Ordering::SeqCst);
            let ran = match part {
                Part::World => self.sandbox.run_due(now, STEP_BUDGET).await,
                Part::Gateway => self.gateway.run_due(now, STEP_BUDGET).await,
                Part::Wallet => self.wallet.run_due(now, STEP_BUDGET).await,
            };
            self.roads.at_work.store(false, Ordering::SeqCst);
            if ran.due.done > 0 {
                // What was done may have made more.
                self.roads.stir(part);
                had = true;
            }
            let (least, latest) = (now.plus_milliseconds(LOOK_MS), now.plus_milliseconds(IDLE_MS_MAX));
            next[part as usize] = ran.due.next.map_or(latest, |next| next.clamp(least, latest));
            self.next.set(next);
        }
        had || Part::ALL.into_iter().any(|part| self.roads.is_stirred(part))
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

/// What the names of this process' directories begin with.
fn prefix() -> String {
    format!("kinchaku-drill-{}-", std::process::id())
}

/// Removes what the runs of this process keep, for whoever ends it without waiting for them.
pub fn remove_data() {
    for parent in [PathBuf::from(MEMORY_DISK), std::env::temp_dir()] {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix())) {
            // Whoever ends the process is not kept from it by a file that somebody still writes.
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}

fn directory() -> std::io::Result<TempDir> {
    let prefix = prefix();
    let named = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix);
        builder
    };
    if Path::new(MEMORY_DISK).is_dir()
        && let Ok(directory) = named().tempdir_in(MEMORY_DISK)
    {
        return Ok(directory);
    }
    named().tempdir()
}
