//! A service on a directory of its own, and a caller that speaks HTTP with it.

use super::browser::Browser;
use super::gateway::Gateway;
use super::outside::{Inbox, SeededChance, StandingClock, Vendor};
use crate::{Cost, GatewayOptions, IdentityOptions, Options, Provider, Rates, Role, Server, Staff, Velocity};
use bytes::Bytes;
use domain::Id;
use http::{Request, StatusCode};
use ledger::Yen;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use wallet::{Context, Policies, Policy, StaffId};
use web::{Bounds, Outside, Routers, Secret, Transport};

pub const ORIGIN: &str = "http://localhost:8080";
const BEGIN_MS: i64 = 1_767_193_200_000;
/// Nobody is in a test's way.
pub const RATES: Rates = Rates { mandates_max: 10, links_max: 10, ..Rates::NONE };

pub struct World {
    pub server: Server,
    pub inbox: Inbox,
    pub vendor: Vendor,
    pub gateway: Gateway,
    pub routers: Arc<Routers>,
    pub clock: Arc<StandingClock>,
    keys: Mutex<u64>,
    context: Arc<Context>,
    bounds: (Rates, Velocity),
    outside: Outside,
    directory: TempDir,
}

fn open(
    directory: &TempDir,
    outside: &Outside,
    routers: &Routers,
    context: &Arc<Context>,
    (rates, velocity): (Rates, Velocity),
) -> Server {
    let options = Options { context: Arc::clone(context), rates, velocity, ..options(directory) };
    let server = Server::open(options, outside.clone()).expect("the server opens");
    for (host, router) in server.routers() {
        routers.add(host, router);
    }
    server
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub body: Value,
    pub text: String,
}

impl Answer {
    pub fn text(&self, member: &str) -> String {
        self.body[member].as_str().unwrap_or_else(|| panic!("{member} in {}", self.body)).to_owned()
    }

    pub fn problem(&self) -> (u16, &str) {
        let name = self.body["type"].as_str().unwrap_or_default();
        (self.status.as_u16(), name.strip_prefix("/problems/").unwrap_or(name))
    }
}

impl World {
    pub fn new() -> Self {
        Self::in_context(context())
    }

    /// A world with figures and a guard of its own.
    pub fn in_context(context: Context) -> Self {
        Self::with(context, (RATES, Velocity::NONE))
    }

    /// A world that is crowded sooner.
    pub fn with_rates(rates: Rates) -> Self {
        Self::with(context(), (rates, Velocity::NONE))
    }

    /// A world that bounds what is done from one device and network.
    pub fn with_velocity(velocity: Velocity) -> Self {
        Self::with(context(), (RATES, velocity))
    }

    fn with(context: Context, bounds: (Rates, Velocity)) -> Self {
        let context = Arc::new(context);
        let directory = tempfile::tempdir().expect("a directory");
        let (inbox, routers) = (Inbox::default(), Arc::new(Routers::new()));
        let clock = Arc::new(StandingClock(AtomicI64::new(BEGIN_MS), AtomicI64::default()));
        let outside = Outside {
            clock: Arc::clone(&clock) as _,
            transport: Arc::clone(&routers) as _,
            chance: Arc::new(SeededChance::new(1)),
        };
        let server = open(&directory, &outside, &routers, &context, bounds);
        let (vendor, gateway) = (Vendor::default(), Gateway::new(Arc::clone(&clock) as _));
        routers.add("sandbox.localhost", inbox.router().merge(vendor.router()));
        routers.add("gateway.localhost", gateway.router());
        Self {
            server,
            inbox,
            vendor,
            gateway,
            routers,
            clock,
            keys: Mutex::new(0),
            context,
            bounds,
            outside,
            directory,
        }
    }

    /// Stops the service and opens it again, without the file of due work if that was lost.
    pub fn restart(&mut self, lost_work: bool) {
        self.server.stop().expect("the engine stops");
        if lost_work {
            for suffix in ["", "-wal", "-shm"] {
                let file = format!("{}{suffix}", crate::service::WORK_FILE);
                drop(std::fs::remove_file(self.directory.path().join("wallet").join(file)));
            }
        }
        self.server = open(&self.directory, &self.outside, &self.routers, &self.context, self.bounds);
    }

    /// From now on the service reaches the world through `transport`.
    pub fn calls_through(&mut self, transport: Arc<dyn Transport>) {
        self.outside.transport = transport;
        self.restart(false);
    }

    /// A key for a request that was never made before.
    pub fn key(&self) -> String {
        let mut keys = self.keys.lock().expect("nobody panicked");
        *keys += 1;
        format!("key-{keys}")
    }

    pub fn now(&self) -> domain::Time {
        domain::Time::from_milliseconds(self.clock.0.load(Ordering::SeqCst))
    }

    pub fn advance(&self, milliseconds: i64) {
        self.clock.0.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// The gateway says that there is news, as its pushes do.
    pub fn announce(&self) {
        self.server.service().looks.announce(self.now());
    }

    /// Does everything that is due.
    pub async fn run_due(&self) {
        let now = self.now();
        while self.server.run_due(now, 100).await.due.done > 0 {}
    }

    /// Writes and delivers the letters that are due, and does nothing else.
    pub async fn letters(&self) {
        let (service, now) =
            (self.server.service(), domain::Time::from_milliseconds(self.clock.0.load(Ordering::SeqCst)));
        while service.run_errands(now, 100).expect("errands are run").done > 0 {}
        while service.deliver_due(now, 100).await.expect("letters are delivered").done > 0 {}
    }

    pub async fn send(&self, request: Request<Bytes>) -> Answer {
        let answer = self.routers.call(request, Bounds::default()).await.expect("an answer");
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status: answer.status(), headers: answer.headers().clone(), body, text }
    }

    pub async fn post_with(&self, path: &str, token: Option<&str>, key: &str, body: &Value) -> Answer {
        let mut request = Request::post(format!("{ORIGIN}{path}"))
            .header("content-type", "application/json")
            .header("idempotency-key", key);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.send(request.body(Bytes::from(body.to_string())).expect("a request")).await
    }

    /// The same from somewhere: 192.0.2.`place`.
    pub async fn post_from(&self, place: u8, path: &str, token: Option<&str>, body: &Value) -> Answer {
        self.post_at([192, 0, 2, place].into(), path, token, body).await
    }

    /// The same from a source address.
    pub async fn post_at(&self, source: IpAddr, path: &str, token: Option<&str>, body: &Value) -> Answer {
        self.post_as(source, path, token, &self.key(), body).await
    }

    /// Somebody who is nobody asks, from a source address and under `key`.
    pub async fn post_keyed(&self, source: IpAddr, path: &str, key: &str, body: &Value) -> Answer {
        self.post_as(source, path, None, key, body).await
    }

    async fn post_as(&self, source: IpAddr, path: &str, token: Option<&str>, key: &str, body: &Value) -> Answer {
        let mut request = Request::post(format!("{ORIGIN}{path}"))
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .extension(web::Source(source));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.send(request.body(Bytes::from(body.to_string())).expect("a request")).await
    }

    /// How many people the vault has a row of, and how many of them a key.
    pub fn keys_of_people(&self) -> (i64, i64) {
        let vault = rusqlite::Connection::open(self.data().join("vault.sqlite")).expect("the vault opens");
        vault
            .query_row("SELECT count(*), count(key) FROM person", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .expect("they are counted")
    }

    /// Where the service keeps its files.
    pub fn data(&self) -> std::path::PathBuf {
        self.directory.path().join("wallet")
    }

    /// The gateway's push of a signed token, or somebody's who would be it.
    pub async fn push(&self, token: String) -> Answer {
        let request = Request::post(format!("{ORIGIN}/v1/callbacks/gateway"))
            .header("content-type", "application/secevent+jwt")
            .body(Bytes::from(token));
        self.send(request.expect("a request")).await
    }

    pub async fn post(&self, path: &str, token: Option<&str>, body: Value) -> Answer {
        self.post_with(path, token, &self.key(), &body).await
    }

    pub async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.bare("GET", path, token).await
    }

    pub async fn delete(&self, path: &str, token: Option<&str>) -> Answer {
        self.bare("DELETE", path, token).await
    }

    async fn bare(&self, method: &str, path: &str, token: Option<&str>) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{ORIGIN}{path}"));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.send(request.body(Bytes::new()).expect("a request")).await
    }

    /// Somebody joins, and reads the code that comes to their mail. Their id.
    pub async fn join(&self, name: &str) -> String {
        let opened = self.post("/v1/holders", None, somebody(name)).await;
        assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.text);
        self.letters().await;
        let (id, code) = (opened.text("id"), self.inbox.code(&mail(name)));
        let verified = self.post(&format!("/v1/holders/{id}/email-verification"), None, json!({ "code": code })).await;
        assert_eq!(verified.status, StatusCode::NO_CONTENT, "{}", verified.text);
        id
    }

    /// What shows that somebody knows their password.
    pub async fn credential(&self, name: &str) -> crate::accounts::Credential {
        let word = Secret::new(password(name));
        let service = self.server.service();
        service.log_in([127, 0, 0, 1].into(), &mail(name), word, None).await.expect("it is theirs")
    }

    /// Logs in. The token.
    pub async fn log_in(&self, name: &str) -> String {
        let body = json!({ "email": mail(name), "password": password(name) });
        let session = self.post("/v1/sessions", None, body).await;
        assert_eq!(session.status, StatusCode::CREATED, "{}", session.text);
        session.text("token")
    }
}

impl World {
    /// Somebody with a wallet, identified. The token and the wallet's path.
    pub async fn identified(&self, name: &str) -> (String, String) {
        let id = self.join(name).await;
        let token = self.log_in(name).await;
        let body = json!({ "method": "chip_and_face" });
        let identified = self.post(&format!("/v1/holders/{id}/identifications"), Some(&token), body).await;
        assert_eq!((identified.status.as_u16(), identified.text("status").as_str()), (202, "approved"));
        let wallet = self.post("/v1/wallets", Some(&token), json!({})).await;
        assert_eq!(wallet.status, StatusCode::CREATED, "{}", wallet.text);
        (token, format!("/v1/wallets/{}", wallet.text("id")))
    }

    /// Asks for a mandate. Its id.
    pub async fn ask_mandate(&self, token: &str, wallet: &str) -> String {
        self.ask_mandate_at("0125", token, wallet).await
    }

    async fn ask_mandate_at(&self, bank: &str, token: &str, wallet: &str) -> String {
        let body = json!({ "bank_code": bank });
        let asked = self.post(&format!("{wallet}/mandates"), Some(token), body).await;
        assert_eq!(asked.status, StatusCode::CREATED, "{}", asked.text);
        let id = asked.text("id");
        assert_eq!(asked.text("authorize_url"), format!("{ORIGIN}/link/{id}"));
        id
    }

    /// Links a bank account, through pages and bank. The mandate's id.
    pub async fn link(&self, name: &str, token: &str, wallet: &str) -> String {
        self.link_at("0125", name, token, wallet).await
    }

    /// The same at the bank with this code.
    pub async fn link_at(&self, bank: &str, name: &str, token: &str, wallet: &str) -> String {
        let id = self.ask_mandate_at(bank, token, wallet).await;
        let browser = Browser::new(self);
        browser.go_to_bank(name, &id).await;
        let returned = browser.get(&self.gateway.authenticate()).await;
        assert_eq!(returned.status, StatusCode::OK, "{}", returned.text);
        id
    }

    pub async fn top_up(&self, token: &str, wallet: &str, mandate: &str, amount: i64) -> Answer {
        let body = json!({ "mandate_id": mandate, "amount": amount });
        self.post(&format!("{wallet}/top-ups"), Some(token), body).await
    }

    pub async fn funds(&self, token: &str, wallet: &str) -> i64 {
        let shown = self.get(wallet, Some(token)).await;
        shown.body["balances"]["funds"].as_i64().unwrap_or_else(|| panic!("{}", shown.text))
    }
}

pub use crate::gateway::percent;

impl Drop for World {
    fn drop(&mut self) {
        self.server.stop().expect("the engine stops");
    }
}

pub fn mail(name: &str) -> String {
    format!("{name}@example.jp")
}

pub fn password(name: &str) -> String {
    format!("{name} の合言葉 7")
}

/// A birth date of their own: the vendor's stand-in knows people by it.
fn birth_date(name: &str) -> String {
    format!("{}-04-01", 1950 + name.bytes().map(u32::from).sum::<u32>() % 50)
}

pub fn somebody(name: &str) -> Value {
    json!({
        "email": mail(name),
        "password": password(name),
        "family_name": "青木",
        "given_name": "さくら",
        "family_kana": "アオキ",
        "given_kana": "サクラ",
        "birth_date": birth_date(name),
    })
}

/// The figures of a world whose tests are about something else: nobody is asked for a telephone, for a second proof of a
/// top-up, or watched. What those do has a room of its own, `controls`.
pub fn context() -> Context {
    let mut policy = Policy { monitoring: Vec::new(), ..Policy::default() };
    policy.top_up.unproven_per_day_max = Yen::MAX;
    policy.mandate.new_lately_max = Yen::MAX;
    policy.mandate.new_links_lately_max = Yen::MAX;
    policy.payment.unproven_per_time_max = Yen::MAX;
    policy.ageing.proven_per_day_max = Yen::ZERO;
    policy.mandate.requires_phone = false;
    Context { policies: Policies::new(policy), ..Context::default() }
}

fn options(directory: &TempDir) -> Options {
    let secret = |text: &str| Secret::new(text.to_owned());
    let provider = || Provider { origin: "http://sandbox.localhost:8080".into(), token: secret("provider") };
    Options {
        directory: directory.path().join("wallet"),
        master_key: directory.path().join("master.key"),
        origin: ORIGIN.into(),
        host: "localhost".into(),
        desk_host: "desk.localhost".into(),
        is_sandbox: true,
        gateway: GatewayOptions {
            origin: "http://gateway.localhost:8080".into(),
            issuer: "http://gateway.localhost:8080".into(),
            client_id: "kinchaku".into(),
            key: web::jose::SigningKey::eddsa(&[7; 32]),
        },
        messages: provider(),
        identity: IdentityOptions {
            provider: provider(),
            callback_secret: secret("whsec_c2VjcmV0IG9mIHRoZSB2ZW5kb3I="),
        },
        // Two who may do everything, and one of each kind; the last has no role.
        staff: [
            (1, &Role::ALL[..]),
            (2, &Role::ALL),
            (3, &[Role::Viewer]),
            (4, &[Role::Risk]),
            (5, &[Role::Approver]),
            (6, &[Role::Sales]),
            (7, &[]),
        ]
        .map(|(n, roles): (u8, _)| Staff {
            id: StaffId(Id::from_number(n.into())),
            name: format!("Person {n}"),
            roles: roles.to_vec(),
            token: secret(&format!("desk-{n}")),
        })
        .into(),
        password_cost: Cost { memory_kib: 64, passes: 1 },
        rates: RATES,
        velocity: Velocity::NONE,
        context: Arc::default(),
        engine: engine::Options::default(),
        store: engine::sqlite::SqliteOptions::default(),
        webhook_hosts: vec!["shop.localhost".into()],
        bank_wait_ms: 2_000,
    }
}
