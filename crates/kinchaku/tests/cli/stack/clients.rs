//! Many clients that pay at once: ten thousand connections, a stop in the middle, kills in the middle. Every client repeats
//! its request under the same key until it is answered, as the documentation tells it to; each payment is then made once.

use super::world::{Person, World};
use crate::check;
use axum::http::Method;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use web::Chance as _;

/// Clients that are there at once.
const CROWD: usize = 10_000;
/// How many are connected before anybody says anything: the others wait at the door until there is room.
const CONNECTED_MIN: usize = 8_000;
/// What the program may need for them, in bytes: 64 KiB each, beside what it has anyway.
const CROWD_BYTES_MAX: u64 = 10_000 * (64 << 10);
/// What a holder has before.
const FUNDS: i64 = 10_000;
/// The pause before a client repeats itself, and how often it does at most: half a minute, for a machine with other work.
const PAUSE: Duration = Duration::from_millis(100);
const TRIES_MAX: usize = 300;

/// Somebody with money, and the shop where they pay one yen at a time.
#[derive(Clone)]
struct Payer {
    person: Person,
    port: u16,
    body: String,
    token: String,
}

/// What a payment over one connection came to: acknowledged or not.
type Outcome = Result<(), String>;

impl Payer {
    async fn new(world: &World) -> Self {
        let (person, mandate) = world.linked().await;
        let top_up = world.top_up(&person, &mandate, FUNDS).await;
        assert_eq!(top_up.status, 201, "{}", top_up.text);
        let shop = world.sandbox(Method::POST, "/sandbox/v1/shops", json!({ "name": "Aoba Books" })).await;
        let body = json!({ "shop_id": shop["id"], "amount": 1 });
        // From now on the device is known.
        let first = world.proven(&person, "{wallet}/payments", body.clone()).await;
        assert_eq!(first.status, 201, "{}", first.text);
        let token = person.token();
        Self { person, port: world.served.port, body: body.to_string(), token }
    }

    /// A payment of one yen under that key.
    fn payment(&self, key: &str) -> String {
        let (path, body) = (format!("/v1/wallets/{}/payments", self.person.wallet), &self.body);
        let head =
            format!("Idempotency-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: {}", body.len());
        self.request("POST", &path, &head, body)
    }

    /// A look into the purse.
    fn look(&self) -> String {
        self.request("GET", &format!("/v1/wallets/{}", self.person.wallet), "Accept: application/json", "")
    }

    fn request(&self, method: &str, path: &str, head: &str, body: &str) -> String {
        let Self { token, port, .. } = self;
        format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\
             Authorization: Bearer {token}\r\n{head}\r\n\r\n{body}"
        )
    }

    /// One try over a connection of its own.
    async fn try_once(mut stream: TcpStream, request: &str) -> Outcome {
        stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.map_err(|error| error.to_string())?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        match answer.get(9..12) {
            Some("200" | "201") => Ok(()),
            Some("429" | "503") | None => Err(answer),
            Some(_) => panic!("it is refused for ever: {answer}"),
        }
    }

    /// Repeats itself until it is acknowledged.
    async fn insist(&self, request: &str, first: Option<TcpStream>) {
        let (mut stream, mut last) = (first, String::new());
        for _ in 0..TRIES_MAX {
            let connected = match stream.take() {
                Some(stream) => Ok(stream),
                None => TcpStream::connect(("127.0.0.1", self.port)).await.map_err(|error| error.to_string()),
            };
            let tried = match connected {
                Ok(stream) => Self::try_once(stream, request).await,
                Err(error) => Err(error),
            };
            match tried {
                Ok(()) => return,
                Err(error) => last = error,
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("never acknowledged: {last}");
    }
}

/// Sixteen clients that pay `each` times, one after the other.
fn clients(payer: &Payer, each: usize, done: &Arc<AtomicUsize>) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    for client in 0..16 {
        let (payer, done) = (payer.clone(), Arc::clone(done));
        clients.spawn(async move {
            for payment in 0..each {
                payer.insist(&payer.payment(&format!("client-{client}-{payment}")), None).await;
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    clients
}

async fn all_done(mut clients: JoinSet<()>) {
    while let Some(ended) = clients.join_next().await {
        ended.expect("every payment was acknowledged");
    }
}

/// After so many payments of one yen by each: their purses have lost as many yen and no other, and the books add up.
async fn settle(world: World, payers: &[Payer], payments: i64) {
    for payer in payers {
        assert_eq!(world.funds(&payer.person).await, FUNDS - 1 - payments);
    }
    let wallet = world.served.data().join("wallet");
    let place = wallet.to_str().expect("a path of letters");
    let mut served = world.served;
    assert_eq!(served.end(), Some(0));
    for what in ["verify", "replay", "balance"] {
        check(&["audit", what, "--data", place], 0, "");
    }
}

/// Lets this process have as many connections as it may at most.
fn make_room() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("up to its own bound it may");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_clients_are_served_and_none_that_was_accepted_is_lost() {
    let world = World::start();
    // Two, because one may ask for something a hundred times a second, and no more often.
    let payers = [Payer::new(&world).await, Payer::new(&world).await];
    let before = world.served.memory_bytes_max();
    make_room();
    let (connected, (go, gone)) = (Arc::new(AtomicUsize::new(0)), watch::channel(false));
    let mut crowd = JoinSet::new();
    for client in 0..CROWD {
        let (payer, connected, mut gone) = (payers[client % 2].clone(), Arc::clone(&connected), gone.clone());
        crowd.spawn(async move {
            let stream = TcpStream::connect(("127.0.0.1", payer.port)).await.ok();
            connected.fetch_add(usize::from(stream.is_some()), Ordering::Relaxed);
            gone.wait_for(|gone| *gone).await.expect("somebody says go");
            // Eight of ten only look, as a crowd does.
            let pays = client % 10 < 2;
            let request = if pays { payer.payment(&format!("crowd-{client}")) } else { payer.look() };
            payer.insist(&request, stream).await;
        });
    }
    world.until("a full house", async || connected.load(Ordering::Relaxed) >= CONNECTED_MIN).await;
    go.send_replace(true);
    all_done(crowd).await;
    let grown = world.served.memory_bytes_max().saturating_sub(before);
    assert!(grown <= CROWD_BYTES_MAX, "{grown} bytes");
    let paid = i64::try_from(CROWD / 10).expect("a thousand");
    settle(world, &payers, paid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_under_load_it_ends_in_order_and_no_payment_is_lost_or_made_twice() {
    let mut world = World::start();
    let payer = Payer::new(&world).await;
    let done = Arc::new(AtomicUsize::new(0));
    let clients = clients(&payer, 60, &done);
    for third in [200, 500] {
        world.until("some load", async || done.load(Ordering::Relaxed) >= third).await;
        assert_eq!(world.served.stop_and_restart(), Some(0));
    }
    all_done(clients).await;
    assert!(!world.served.log().contains("cut off"), "what was under way was answered");
    settle(world, &[payer], 16 * 60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_under_load_it_loses_no_acknowledged_payment_and_makes_none_twice() {
    let mut world = World::start();
    let payer = Payer::new(&world).await;
    let done = Arc::new(AtomicUsize::new(0));
    let clients = clients(&payer, 60, &done);
    for kill in 1..=5 {
        let mut chance = [0];
        web::MachineChance.fill(&mut chance);
        world.until("some load", async || done.load(Ordering::Relaxed) >= kill * 120).await;
        tokio::time::sleep(Duration::from_millis(chance[0].into())).await;
        world.served.kill_and_restart();
    }
    all_done(clients).await;
    settle(world, &[payer], 16 * 60).await;
}
