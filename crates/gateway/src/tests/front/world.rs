//! A gateway with two hosted banks' worth of surroundings: a clock that stands still, seeded chance, scripted banks.

use super::bank::Bank;
use super::browser::Browser;
use super::client::Client;
use crate::Gateway;
use crate::desk::{Role, Staff};
use crate::domain::{BankCode, Factor};
use crate::options::{BankOptions, OperatorOptions, Options, Rates};
use domain::Time;
use engine::Clock;
use serde_json::json;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use web::{Chance, Outside, Routers, Secret};

/// Where the gateway is.
pub const GATEWAY: &str = "http://gateway.localhost:8080";
/// 2026-11-23 03:00 in Tokyo.
const NOW_MS: i64 = 1_795_370_400_000;

/// A clock that goes when it is told to.
pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn advance(&self, milliseconds: i64) {
        self.0.fetch_add(milliseconds, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Time {
        Time::from_milliseconds(self.0.load(Ordering::Relaxed))
    }

    fn monotonic_milliseconds(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Chance from a seed.
pub struct Seeded(Mutex<blake3::OutputReader>);

impl Seeded {
    pub fn new(seed: &str) -> Self {
        Self(Mutex::new(blake3::Hasher::new().update(seed.as_bytes()).finalize_xof()))
    }
}

impl Chance for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().expect("nobody panics here").fill(bytes);
    }
}

/// The gateway and its surroundings.
pub struct World {
    pub gateway: Gateway,
    pub clock: Arc<TestClock>,
    pub routers: Arc<Routers>,
    /// 七十七銀行, whose page the gateway hosts.
    pub hosted: Bank,
    /// 三井住友銀行 and みずほ銀行, which have pages of their own.
    pub own: Bank,
    pub other_own: Bank,
    /// What makes the next assertion or proof another one.
    pub next: AtomicU32,
    directory: TempDir,
}

impl World {
    /// A fresh one.
    pub async fn new() -> Self {
        Self::with_rates(Rates::default()).await
    }

    /// One in which so much may be asked in a minute.
    pub async fn with_rates(rates: Rates) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the test");
        let clock = Arc::new(TestClock(AtomicI64::new(NOW_MS)));
        let routers = Arc::new(Routers::new());
        let (hosted, own, other_own) = (Bank::new("0125"), Bank::new("0009"), Bank::new("0001"));
        for bank in [&hosted, &own, &other_own] {
            routers.add(format!("bank-{}.localhost", bank.code), bank.router());
        }
        let gateway = open(&directory, &clock, &routers, rates).await;
        Self { gateway, clock, routers, hosted, own, other_own, next: AtomicU32::new(0), directory }
    }

    /// The gateway is stopped and opened again on the same data.
    pub async fn restart(self) -> Self {
        let Self { gateway, clock, routers, hosted, own, other_own, next, directory } = self;
        gateway.stop().expect("it stops");
        drop(gateway);
        let gateway = open(&directory, &clock, &routers, Rates::default()).await;
        Self { gateway, clock, routers, hosted, own, other_own, next, directory }
    }

    /// The process is killed, and another one begins on what was on the disk at that moment.
    pub async fn killed(self) -> Self {
        let Self { gateway, clock, routers, hosted, own, other_own, next, directory } = self;
        let after = tempfile::tempdir().expect("a directory for the test");
        for entry in std::fs::read_dir(directory.path()).expect("it is there") {
            let entry = entry.expect("it can be read");
            std::fs::copy(entry.path(), after.path().join(entry.file_name())).expect("a file");
        }
        gateway.stop().expect("it stops");
        // What is made after a restart is not what was made before.
        clock.advance(1_000);
        let gateway = open(&after, &clock, &routers, Rates::default()).await;
        Self { gateway, clock, routers, hosted, own, other_own, next, directory: after }
    }

    /// The first operator's wallet server.
    pub fn wallet(&self) -> Client<'_> {
        Client::new(self, "op_wallet", "http://localhost:8080/link/callback")
    }

    /// Where a browser begins for one more wallet of the first operator.
    pub async fn wallet_of(&self, number: u8) -> String {
        self.wallet_at("0125", number).await
    }

    /// The same for an account at `bank`.
    pub async fn wallet_at(&self, bank: &str, number: u8) -> String {
        let wallet = self.wallet();
        let mut asked = wallet.asking(bank);
        let details = asked["authorization_details"].replace("wlt-1", &format!("wlt-{number}"));
        asked.insert("authorization_details".to_owned(), details);
        let pushed = wallet.post("/gateway/v1/par", &asked, None).await;
        wallet.path_of(pushed.body["request_uri"].as_str().expect("a request address"))
    }

    /// The second operator's.
    pub fn stranger(&self) -> Client<'_> {
        Client::new(self, "op_other", "http://other.localhost:8080/callback")
    }

    /// A browser with no cookies.
    pub fn browser(&self) -> Browser<'_> {
        Browser::new(self)
    }

    /// Runs what is due until nothing is.
    pub async fn settle(&self) {
        for _ in 0..100 {
            if self.gateway.run_due(self.clock.now(), 100).await.due.done == 0 {
                return;
            }
        }
    }
}

async fn open(directory: &TempDir, clock: &Arc<TestClock>, routers: &Arc<Routers>, rates: Rates) -> Gateway {
    let mut options = Options::new(directory.path().to_owned(), GATEWAY.to_owned());
    options.rates = rates;
    options.desk = vec![staff("desk-secret"), Staff { id: "ono".to_owned(), ..staff("desk-other") }];
    options.banks = [("0125", "七十七銀行", false), ("0009", "三井住友銀行", true), ("0001", "みずほ銀行", true)]
        .map(|(code, name, own_page)| bank(code, name, own_page))
        .to_vec();
    options.operators =
        [("op_wallet", "http://localhost:8080/link/callback"), ("op_other", "http://other.localhost:8080/callback")]
            .map(|(id, redirect_uri)| operator(id, redirect_uri))
            .to_vec();
    let outside = Outside {
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        transport: Arc::clone(routers) as Arc<dyn web::Transport>,
        chance: Arc::new(Seeded::new("gateway")),
    };
    let gateway = Gateway::open(options, outside).await.expect("the gateway opens");
    for (host, router) in gateway.routers() {
        routers.add(host, router);
    }
    gateway
}

/// Somebody of a desk who shows `token` and may do everything.
fn staff(token: &str) -> Staff {
    let (id, name) = ("abe".to_owned(), "阿部".to_owned());
    Staff { id, name, roles: vec![Role::Read, Role::Act], token: Secret::new(token.to_owned()) }
}

fn bank(code: &str, name: &str, own_page: bool) -> BankOptions {
    let origin = format!("http://bank-{code}.localhost:8080");
    BankOptions {
        code: code.parse::<BankCode>().expect("a bank code"),
        name: name.to_owned(),
        name_en: format!("Bank {code}"),
        own_page: own_page.then(|| origin.clone()),
        origin,
        secret: Secret::new(format!("secret-{code}")),
        desk: vec![staff(&format!("desk-{code}")), Staff { id: "kudo".to_owned(), ..staff(&format!("desk-{code}-2")) }],
        // Less than the banks ask for themselves: it stands in for nobody's word.
        factors: vec![[Factor::Account, Factor::NameKana].into_iter().collect()],
        descriptor: "キンチャク".to_owned(),
        files: None,
    }
}

fn operator(id: &str, redirect_uri: &str) -> OperatorOptions {
    OperatorOptions {
        client_id: id.to_owned(),
        name: "キンチャク".to_owned(),
        name_en: "Kinchaku".to_owned(),
        redirect_uris: vec![redirect_uri.to_owned()],
        jwks: json!({ "keys": [super::client::key(id).public().to_value()] }),
        events_url: None,
    }
}
