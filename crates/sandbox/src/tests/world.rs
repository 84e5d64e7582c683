//! A sandbox in memory under a frozen clock, and ways to ask it.

use crate::{Options, Origins, Policies, Sandbox, SandboxClock, Secrets};
use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use bytes::Bytes;
use domain::Time;
use engine::Clock;
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex};
use web::{Bounds, Chance, Outside, Routers, Secret, Transport, TransportError, webhook};

/// Noon in Tokyo, 1 September 2020.
pub const START: Time = Time::from_milliseconds(1_598_929_200_000);
/// The key that bank and gateway share.
pub const BANK_KEY: &str = "whsec_YmFuay1hbmQtZ2F0ZXdheS1zaGFyZS10aGlzLWtleSE=";
/// The key of the identity vendor's callbacks.
pub const VENDOR_KEY: &str = "whsec_dmVuZG9yLWFuZC13YWxsZXQtc2hhcmUtdGhpcy1rZXk=";
/// The bearer token of the wallet at the providers.
pub const TOKEN: &str = "wallet-token";

/// What somebody was told, each with the id that its signature covers.
pub type Heard = Arc<Mutex<Vec<(String, Value)>>>;

pub struct World {
    pub sandbox: Arc<Sandbox>,
    pub clock: Arc<SandboxClock>,
    pub routers: Arc<Routers>,
    /// What the gateway and the wallet were told.
    pub heard: Heard,
}

/// An answer: its status, and its body where that is JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

struct SeededChance(Mutex<blake3::OutputReader>);

impl Chance for SeededChance {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().expect("no panic").fill(bytes);
    }
}

impl World {
    pub async fn new(policies: Policies) -> Self {
        Self::open(policies, None, SandboxClock::frozen(START)).await
    }

    pub async fn open(policies: Policies, data: Option<&Path>, clock: SandboxClock) -> Self {
        Self::open_with(policies, data, clock, false).await
    }

    /// One in which a debit in a file may borrow or not.
    pub async fn open_with(
        policies: Policies,
        data: Option<&Path>,
        clock: SandboxClock,
        file_debits_may_overdraw: bool,
    ) -> Self {
        let (clock, routers) = (Arc::new(clock), Arc::new(Routers::new()));
        let secret = |text: &str| Some(Secret::new(text.to_owned()));
        let codes = ["0125", "0158", "0168", "9900", "0001", "0009"];
        let options = Options {
            data: data.map(Path::to_owned),
            engine: engine::Options::default(),
            store: engine::sqlite::SqliteOptions::default(),
            clock: Arc::clone(&clock),
            seed: 1,
            people: 70,
            policies,
            file_debits_may_overdraw,
            file_banks: Vec::new(),
            origins: Origins::on_port(8080),
            secrets: Secrets {
                banks: codes.map(|code| (code.to_owned(), Secret::new(BANK_KEY.to_owned()))).into(),
                messages: secret(TOKEN),
                identity: secret(TOKEN),
                identity_callbacks: secret(VENDOR_KEY),
                desk: None,
                ..Secrets::default()
            },
        };
        let chance = SeededChance(Mutex::new(blake3::Hasher::new().finalize_xof()));
        let outside = Outside { clock: clock.clone(), transport: routers.clone(), chance: Arc::new(chance) };
        let sandbox = Arc::new(Sandbox::open(options, outside).await.expect("the sandbox opens"));
        for (host, router) in sandbox.routers() {
            routers.add(host, router);
        }
        let heard = Heard::default();
        for host in ["gateway.localhost", "localhost"] {
            routers.add(host, ear(&heard, &clock));
        }
        let due = Arc::clone(&sandbox);
        clock.on_advance(Arc::new(move |now| {
            let sandbox = Arc::clone(&due);
            Box::pin(async move { sandbox.run_due(now, 100).await })
        }));
        Self { sandbox, clock, routers, heard }
    }

    /// Asks with a bearer token; without one, if it is empty.
    pub async fn ask(&self, method: Method, url: &str, token: &str, body: &Value) -> Result<Answer, TransportError> {
        let mut request = Request::builder().method(method).uri(url).header("content-type", "application/json");
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let request = request.body(body).expect("a request");
        let answer = self.routers.call(request, Bounds { time_ms: 3_000, ..Bounds::default() }).await?;
        assert_eq!(answer.headers()["x-kinchaku-sandbox"], "simulated");
        let body = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
        Ok(Answer { status: answer.status().as_u16(), body })
    }

    /// Posts to a bank's connector.
    pub async fn bank(&self, code: &str, path: &str, body: Value) -> Answer {
        self.bank_tried(code, path, body).await.expect("the bank answers")
    }

    /// The same, where the answer may be lost.
    pub async fn bank_tried(&self, code: &str, path: &str, body: Value) -> Result<Answer, TransportError> {
        let url = format!("http://bank-{code}.localhost:8080/connector/v1/{path}");
        let method = if body.is_null() { Method::GET } else { Method::POST };
        self.ask(method, &url, BANK_KEY, &body).await
    }

    /// Asks the sandbox's own API; `null` as a body gets.
    pub async fn sandbox(&self, method: Method, path: &str, body: Value) -> Answer {
        let url = format!("http://sandbox.localhost:8080/sandbox/v1/{path}");
        self.ask(method, &url, "", &body).await.expect("the sandbox answers")
    }

    /// The one account that every seed has.
    pub async fn hanako(&self) -> Value {
        self.sandbox(Method::GET, "banks/0125/accounts/1001234567", Value::Null).await.body
    }

    /// The newest message to `to`.
    pub async fn newest(&self, to: &str) -> Option<String> {
        let inbox = self.sandbox(Method::GET, &format!("inbox?to={to}"), Value::Null).await.body;
        inbox["data"][0]["text"].as_str().map(str::to_owned)
    }

    /// What was told since the last look.
    pub fn told(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut *self.heard.lock().expect("no panic"))
    }
}

/// Hanako's account on the wire.
pub fn account() -> Value {
    json!({ "branch": "100", "kind": "ordinary", "number": "1234567" })
}

/// On whose way a browser was that shows this at a bank's page, the gateway does not know any more.
pub const FORGOTTEN: &str = "forgotten";

/// Takes every callback that is signed as it must be, and remembers it.
fn ear(heard: &Heard, clock: &Arc<SandboxClock>) -> Router {
    let hear = |State((heard, clock)): State<(Heard, Arc<SandboxClock>)>,
                uri: http::Uri,
                headers: HeaderMap,
                body: Bytes| async move {
        let key = if uri.path().contains("identity") { VENDOR_KEY } else { BANK_KEY };
        let key = webhook::Key::parse(key).expect("a key");
        let id = webhook::verify(&[key], &headers, &body, clock.now()).expect("it is signed");
        let body: Value = serde_json::from_slice(&body).expect("a callback is JSON");
        let status = if body["first_step"]["state"] == FORGOTTEN { StatusCode::OK } else { StatusCode::NO_CONTENT };
        heard.lock().expect("no panic").push((id, body));
        status
    };
    Router::new()
        .route("/gateway/v1/bank-callbacks/{code}", post(hear))
        .route("/gateway/v1/bank-attempts/{code}", post(hear))
        .route("/gateway/v1/bank-attempts/{code}/key", get(|| async { r#"{"key":"window"}"# }))
        .route("/v1/callbacks/identity", post(hear))
        .with_state((Arc::clone(heard), Arc::clone(clock)))
}
