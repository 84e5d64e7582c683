//! What a test has in hand: a running sandbox, its people, its banks and its clock.

use super::browser::Browser;
use crate::check;
use crate::served::Served;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Request, header};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use web::{Bounds, Sockets, Transport, TransportError, webhook};

/// The bank of most tests: the gateway hosts its page.
pub const BANK: &str = "0125";
/// How long a caller waits here, and how much it takes: more than anything under test does.
const BOUNDS: Bounds = Bounds { time_ms: 180_000, body_bytes: 1 << 24 };
/// How often a test looks whether something has come about, and the pause between two looks: a minute in all, beyond which
/// it has not.
const LOOKS_MAX: u32 = 600;
const LOOK: Duration = Duration::from_millis(100);

/// A running sandbox and a client.
pub struct World {
    pub served: Served,
    /// The ports of hosts that another process serves.
    elsewhere: BTreeMap<&'static str, u16>,
    sockets: Sockets,
    keys: AtomicU64,
    /// What was asked of wallet and gateway, where a test listens.
    heard: Option<Mutex<Vec<Heard>>>,
}

/// What a browser and a log on the way would see of one request.
#[derive(Clone, Debug)]
pub struct Heard {
    pub url: String,
    /// Where it led.
    pub location: String,
    /// The answer, if it was a refusal.
    pub refusal: String,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    pub json: Value,
}

/// Somebody with a wallet, and with an account at a bank.
#[derive(Clone, Debug)]
pub struct Person {
    pub bank: String,
    pub wallet: String,
    /// Of the present session: a clock that jumps ends sessions.
    token: Arc<Mutex<String>>,
    /// Everything that the sandbox says of them.
    pub facts: Value,
}

impl Person {
    /// Somebody of whom the sandbox says `facts`.
    pub fn known(facts: Value) -> Self {
        let token = Arc::new(Mutex::new(facts["token"].as_str().unwrap_or_default().to_owned()));
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        Self { bank: text(&facts["account"]["bank_code"]), wallet: text(&facts["wallet_id"]), token, facts }
    }

    /// Of the present session.
    pub fn token(&self) -> String {
        self.token.lock().expect("nobody panicked").clone()
    }

    pub fn fact(&self, member: &str) -> &str {
        self.facts[member].as_str().unwrap_or_else(|| panic!("{member} in {}", self.facts))
    }

    pub fn account(&self, member: &str) -> &str {
        self.facts["account"][member].as_str().unwrap_or_else(|| panic!("{member} in {}", self.facts))
    }

    /// The account as a path of the sandbox names it.
    pub fn account_path(&self) -> String {
        let number = format!("{}-{}-{}", self.account("branch"), self.account("kind"), self.account("number"));
        format!("/sandbox/v1/banks/{}/accounts/{number}", self.bank)
    }
}

impl World {
    /// A sandbox whose clock goes on from a Wednesday's noon, so that no test depends on when it runs.
    pub fn start() -> Self {
        Self::of(Served::start_at(at(15, "12:00:00"), false))
    }

    pub fn of(served: Served) -> Self {
        Self { served, elsewhere: BTreeMap::new(), sockets: Sockets::new(), keys: AtomicU64::new(1), heard: None }
    }

    /// Tells it to stop: its books are then what its journal makes of them anew, and every account balances.
    pub fn ends_in_balance(mut self) {
        assert_eq!(self.served.end(), Some(0));
        let books = self.served.data().join("wallet");
        let books = books.to_str().expect("a path of letters");
        check(&["audit", "replay", "--data", books], 0, " records make");
        check(&["audit", "balance", "--data", books], 0, "outstanding: ");
    }

    /// From now on what is asked of wallet and gateway is kept.
    pub fn listen(&mut self) {
        self.heard = Some(Mutex::default());
    }

    /// What was heard since then.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.as_ref().map(|heard| heard.lock().expect("nobody panicked").clone()).unwrap_or_default()
    }

    /// `host` is served at `port`, by another process.
    pub fn elsewhere(&mut self, host: &'static str, port: u16) {
        self.elsewhere.insert(host, port);
    }

    pub fn url(&self, host: &str, path: &str) -> String {
        let port = self.elsewhere.get(host).unwrap_or(&self.served.port);
        format!("http://{host}:{port}{path}")
    }

    /// A key that no request has had.
    pub fn key(&self) -> String {
        format!("key-{}", self.keys.fetch_add(1, Ordering::Relaxed))
    }

    /// Sends a request as it is.
    pub async fn send(&self, request: Request<Bytes>) -> Answer {
        self.try_send(request).await.expect("an answer")
    }

    async fn try_send(&self, request: Request<Bytes>) -> Result<Answer, TransportError> {
        let url = request.uri().to_string();
        let answer = self.sockets.call(request, BOUNDS).await?;
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        let is_ours =
            ["//localhost:", "//gateway.localhost:", "//desk.localhost:"].iter().any(|host| url.contains(host));
        if let Some(heard) = self.heard.as_ref().filter(|_| is_ours) {
            let location = answer.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
            let location = location.unwrap_or_default().to_owned();
            let refusal = if answer.status().is_success() { String::new() } else { text.clone() };
            heard.lock().expect("nobody panicked").push(Heard { url, location, refusal });
        }
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), text, json })
    }

    fn request(&self, method: Method, url: &str, token: &str, body: &Value) -> Request<Bytes> {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        Request::builder()
            .method(method)
            .uri(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header("idempotency-key", self.key())
            .body(body)
            .expect("a request")
    }

    /// Asks the wallet as `person`, who logs in anew where their session has ended; in `path`, `{wallet}` is theirs.
    pub async fn as_person(&self, person: &Person, method: Method, path: &str, body: Value) -> Answer {
        let path = path.replace("{wallet}", &format!("/v1/wallets/{}", person.wallet));
        let token = person.token.lock().expect("nobody panicked").clone();
        let answer = self.ask(method.clone(), "localhost", &path, &token, body.clone()).await;
        if answer.status != 401 {
            return answer;
        }
        let login = json!({ "email": person.fact("email"), "password": person.fact("password") });
        let session = self.ask(Method::POST, "localhost", "/v1/sessions", "", login).await;
        let token = session.json["token"].as_str().unwrap_or_else(|| panic!("{}", session.text)).to_owned();
        person.token.lock().expect("nobody panicked").clone_from(&token);
        self.ask(method, "localhost", &path, &token, body).await
    }

    pub async fn get(&self, person: &Person, path: &str) -> Value {
        let answer = self.as_person(person, Method::GET, path, Value::Null).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json
    }

    pub async fn post(&self, person: &Person, path: &str, body: Value) -> Answer {
        self.as_person(person, Method::POST, path, body).await
    }

    /// Asks somebody who is none of the sandbox's.
    pub async fn call_url(&self, method: Method, url: &str, body: Value) -> Answer {
        self.send(self.request(method, url, "", &body)).await
    }

    /// Asks any host.
    pub async fn ask(&self, method: Method, host: &str, path: &str, token: &str, body: Value) -> Answer {
        self.send(self.request(method, &self.url(host, path), token, &body)).await
    }

    /// Asks the sandbox's own API; it must succeed.
    pub async fn sandbox(&self, method: Method, path: &str, body: Value) -> Value {
        let answer = self.ask(method, "sandbox.localhost", path, "", body).await;
        assert!((200..300).contains(&answer.status), "{path}: {}", answer.text);
        answer.json
    }

    pub async fn advance(&self, seconds: i64) {
        self.sandbox(Method::POST, "/sandbox/v1/clock", json!({ "advance_seconds": seconds })).await;
    }

    /// From now on `bank` misbehaves like that, and in no other way.
    pub async fn faults(&self, bank: &str, faults: Value) {
        self.sandbox(Method::PUT, &format!("/sandbox/v1/banks/{bank}/faults"), faults).await;
    }

    /// Somebody identified, with a new account at `bank`.
    pub async fn person(&self, bank: &str) -> Person {
        Person::known(self.sandbox(Method::POST, "/sandbox/v1/holders", json!({ "bank_code": bank })).await)
    }

    /// Somebody at 七十七銀行 who has linked their account: they and their mandate.
    pub async fn linked(&self) -> (Person, String) {
        let person = self.person(BANK).await;
        let mandate = Browser::new(self).link(&person).await;
        (person, mandate)
    }

    /// Tops up; beyond a day's first yen their holder shows a second time that it is they.
    pub async fn top_up(&self, person: &Person, mandate: &str, amount: i64) -> Answer {
        let body = json!({ "mandate_id": mandate, "amount": amount });
        self.proven(person, "{wallet}/top-ups", body).await
    }

    /// Asks for what takes a second proof, gives it, and asks once more.
    pub async fn proven(&self, person: &Person, path: &str, mut body: Value) -> Answer {
        let asked = self.post(person, path, body.clone()).await;
        if self.prove(person, &asked, &mut body).await { self.post(person, path, body).await } else { asked }
    }

    /// Gives the proof that `asked` asks for, if it does: `body` names it from now on.
    pub async fn prove(&self, person: &Person, asked: &Answer, body: &mut Value) -> bool {
        let Some(challenge) = asked.json["challenge_id"].as_str() else { return false };
        let given = self.post(person, &format!("/v1/challenges/{challenge}"), json!({})).await;
        assert!(given.status < 300, "{}", given.text);
        body["challenge_id"] = challenge.into();
        true
    }

    /// A top-up as it stands.
    pub async fn status(&self, person: &Person, top_up: &Answer) -> String {
        let id = top_up.json["id"].as_str().unwrap_or_else(|| panic!("an id in {}", top_up.text));
        let shown = self.get(person, &format!("{{wallet}}/top-ups/{id}")).await;
        shown["status"].as_str().expect("a status").to_owned()
    }

    /// Waits until `what` has come about.
    pub async fn until(&self, what: &str, has_come: impl AsyncFn() -> bool) {
        self.found(what, async || has_come().await.then_some(())).await;
    }

    /// Waits for `what`, and answers it.
    pub async fn found<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        for _ in 0..LOOKS_MAX {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK).await;
        }
        panic!("waited in vain for {what}");
    }

    /// Waits until the top-up has this status.
    pub async fn becomes(&self, person: &Person, top_up: &Answer, status: &str) {
        self.until(status, async || self.status(person, top_up).await == status).await;
    }

    pub async fn wallet(&self, person: &Person) -> Value {
        self.get(person, "{wallet}").await
    }

    pub async fn funds(&self, person: &Person) -> i64 {
        self.wallet(person).await["balances"]["funds"].as_i64().expect("yen")
    }

    /// What the bank's own statement says was moved since the account was opened, newest first.
    pub async fn statement(&self, person: &Person) -> Vec<i64> {
        let path = format!("{}/statement?limit=500", person.account_path());
        let statement = self.sandbox(Method::GET, &path, Value::Null).await;
        let lines = statement["data"].as_array().expect("lines");
        let moved = lines.iter().filter(|line| line["reference"].is_string());
        moved.map(|line| line["amount"].as_i64().expect("yen")).collect()
    }

    /// Waits until the bank has moved this.
    pub async fn bank_moved(&self, person: &Person, lines: &[i64]) {
        self.until(&format!("{lines:?} at the bank"), async || self.statement(person).await == lines).await;
    }

    /// The texts that came to `to`, newest first; waits for the first that has `mark`, and answers it.
    pub async fn message(&self, to: &str, mark: &str) -> String {
        let newest = async || {
            let inbox = self.sandbox(Method::GET, &format!("/sandbox/v1/inbox?to={to}"), Value::Null).await;
            let texts =
                inbox["data"].as_array().expect("messages").iter().filter_map(|message| message["text"].as_str());
            texts.filter(|text| text.contains(mark)).map(str::to_owned).next()
        };
        self.found(&format!("{mark:?} in the inbox of {to}"), newest).await
    }

    /// `bank` itself calls the gateway, with its own signature.
    pub async fn bank_calls(&self, bank: &str, id: &str, said: &Value) -> Answer {
        let clock = self.sandbox(Method::GET, "/sandbox/v1/clock", Value::Null).await;
        let now: Timestamp = clock["now"].as_str().expect("a time").parse().expect("a moment");
        let key = webhook::Key::parse(&self.served.secret(&format!("bank-{bank}"))).expect("a key");
        let body = Bytes::from(said.to_string());
        let url = self.url("gateway.localhost", &format!("/gateway/v1/bank-callbacks/{bank}"));
        let mut request = Request::post(url).header(header::CONTENT_TYPE, "application/json");
        for (name, value) in webhook::headers(&[key], id, now.into(), &body) {
            request = request.header(name, value);
        }
        self.send(request.body(body).expect("a request")).await
    }

    /// What the bank's desk sees: the gateway's name of the mandate that may debit `person`'s account.
    pub async fn mandate_at_gateway(&self, person: &Person) -> String {
        let desk = self.served.secret(&format!("bank-{}-desk", person.bank));
        let account = json!({
            "branch": person.account("branch"), "kind": person.account("kind"), "number": person.account("number"),
        });
        let answer = self.ask(Method::POST, "gateway.localhost", "/bank/v1/links/search", &desk, account).await;
        answer.json["data"][0]["mandate_id"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned()
    }
}

/// A moment of September 2027 in Tokyo, in milliseconds since 1970.
pub fn at(day: i8, time: &str) -> i64 {
    let moment: Timestamp = format!("2027-09-{day:02}T{time}+09:00").parse().expect("a moment");
    moment.as_millisecond()
}

/// The part of `text` behind `before` and in front of `after`.
pub fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("{before:?} in {text}")).1;
    rest.split_once(after).map_or(rest, |(part, _)| part)
}
