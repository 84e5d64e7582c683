//! A bank that does what a bank's connector does, over a few people: what it hears is kept for the tests to look at.

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::RwLock;

/// What the bank is and has heard.
pub struct Inside {
    /// The sets of factors that it asks for.
    pub factors: Value,
    /// Its customers by account number.
    pub customers: BTreeMap<String, Customer>,
    /// Notices that it was asked to send.
    pub notices: Vec<Value>,
    /// Attempts that have reached it, also those that wait at its gate.
    pub arrived: usize,
    /// Attempts that it saw.
    pub attempts: Vec<Value>,
    /// It answers nothing.
    pub down: bool,
    /// What its own page asked for, as it says.
    pub factors_used: Value,
    /// It sends no notices.
    pub mute: bool,
    /// Its customers have approved in its app.
    pub approved: bool,
    /// Requests that were pushed to its own page, by name.
    pushed: BTreeMap<String, Value>,
    /// Codes of its own page: the pushed request, and the customer.
    codes: BTreeMap<String, (Value, String)>,
}

/// A customer.
#[derive(Clone)]
pub struct Customer {
    pub name_kana: &'static str,
    pub birth_date: &'static str,
    pub pin: &'static str,
    pub has_contact: bool,
}

/// The bank.
#[derive(Clone)]
pub struct Bank {
    pub code: &'static str,
    inside: Arc<Mutex<Inside>>,
    /// While somebody holds it for writing, attempts wait.
    pub gate: Arc<RwLock<()>>,
}

/// Whose wallet it is in most tests.
pub const SAKURA: Customer =
    Customer { name_kana: "ｱｵｷ ｻｸﾗ", birth_date: "1990-04-01", pin: "4821", has_contact: true };
/// Somebody else.
pub const TARO: Customer =
    Customer { name_kana: "ﾔﾏﾀﾞ ﾀﾛｳ", birth_date: "1971-09-30", pin: "1234", has_contact: true };

impl Bank {
    pub fn new(code: &'static str) -> Self {
        let nearly = Customer { name_kana: "ｱｵｷ ｻ-ｸﾗ", ..SAKURA };
        let no_contact = Customer { has_contact: false, ..SAKURA };
        let customers = [("1234567", SAKURA), ("7654321", TARO), ("1111111", no_contact), ("2222222", nearly)]
            .map(|(number, customer)| (number.to_owned(), customer))
            .into();
        let inside = Inside {
            arrived: 0,
            factors: json!([["account", "name_kana", "pin"]]),
            customers,
            notices: Vec::new(),
            factors_used: json!(["account", "pin", "one_time_password"]),
            attempts: Vec::new(),
            down: false,
            mute: false,
            approved: false,
            pushed: BTreeMap::new(),
            codes: BTreeMap::new(),
        };
        Self { code, inside: Arc::new(Mutex::new(inside)), gate: Arc::default() }
    }

    pub fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().expect("nobody panics here")
    }

    /// The code of the last notice, as it was sent.
    pub fn last_code(&self) -> String {
        let inside = self.inside();
        inside.notices.last().and_then(|notice| notice["code"].as_str()).expect("a notice with a code").to_owned()
    }

    pub fn router(&self) -> Router {
        Router::new()
            .route("/connector/v1/about", get(about))
            .route("/connector/v1/authentications", post(authenticate))
            .route("/connector/v1/notices", post(notify))
            .route("/connector/v1/par", post(push))
            .route("/connector/v1/token", post(token))
            .route("/connector/v1/debits/{reference}", get(|Path(_): Path<String>| async { StatusCode::NOT_FOUND }))
            .with_state(self.clone())
    }

    /// The state that a browser on its way to `location` has with it.
    pub fn state_of(&self, location: &str) -> String {
        let (_, request) = location.split_once("request_uri=").expect("a request");
        let name: String = form_urlencoded::parse(format!("uri={request}").as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
            .expect("a request");
        self.inside().pushed[&name]["state"].as_str().expect("a state").to_owned()
    }

    /// What the customer does on the bank's own page: the address that their browser goes back to.
    pub fn authenticate_on_page(&self, location: &str, number: &str) -> String {
        let uri: http::Uri = location.parse().expect("an address");
        let query: BTreeMap<String, String> =
            form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let mut inside = self.inside();
        let pushed = inside.pushed.remove(&query["request_uri"]).expect("a pushed request");
        let code = format!("code-{}-{}", self.code, inside.codes.len());
        inside.codes.insert(code.clone(), (pushed.clone(), number.to_owned()));
        let back = form_urlencoded::Serializer::new(String::new())
            .append_pair("code", &code)
            .append_pair("state", pushed["state"].as_str().expect("a state"))
            .append_pair("iss", &format!("http://bank-{}.localhost:8080", self.code))
            .finish();
        format!("{}?{back}", pushed["redirect_uri"].as_str().expect("an address"))
    }
}

/// The second steps that it knows, with what it says of each.
const SECOND_STEPS: [(&str, &str); 4] =
    [("sms_code", "090-****-1234"), ("one_time_password", ""), ("random_card", "B2"), ("bank_app", "")];

type Answer = (StatusCode, Json<Value>);

async fn about(State(bank): State<Bank>) -> Answer {
    let inside = bank.inside();
    if inside.down {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({})));
    }
    let own_page = bank.code != "0125";
    (StatusCode::OK, Json(json!({"code": bank.code, "own_page": own_page, "factors": inside.factors})))
}

async fn authenticate(State(bank): State<Bank>, Json(asked): Json<Value>) -> Answer {
    bank.inside().arrived += 1;
    let _open = bank.gate.read().await;
    let mut inside = bank.inside();
    if inside.down {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({})));
    }
    let first = inside.attempts.iter().find(|earlier| earlier["attempt"] == asked["attempt"]).cloned();
    inside.attempts.push(asked.clone());
    let number = asked["account"]["number"].as_str().unwrap_or_default();
    let customer = inside.customers.get(number).cloned();
    let factors = &asked["factors"];
    let typed = first.as_ref().map_or(factors, |first| &first["factors"]);
    let pin_right = customer.as_ref().is_some_and(|customer| typed["pin"] == customer.pin);
    let second = SECOND_STEPS
        .into_iter()
        .find(|(kind, ..)| inside.factors[0].as_array().is_some_and(|set| set.iter().any(|factor| factor == kind)));
    if factors["card_serial"] == "SERIAL-1" {
        return (StatusCode::OK, Json(succeeded(&customer.expect("a customer"))));
    }
    let typed = second.map(|(kind, ..)| factors[kind].to_string()).unwrap_or_default();
    // This code is wrong, and the bank asks for another one, as some do; and what nobody approved yet may still be.
    let asks_again =
        typed.contains("999999") || (second.is_some_and(|(kind, ..)| kind == "bank_app") && !inside.approved);
    if let Some((kind, hint)) = second.filter(|_| first.is_none() || asks_again) {
        let challenge = json!({"kind": kind, "hint": hint});
        let body = json!({"outcome": "challenge_required", "challenge": challenge, "first_factor_right": pin_right});
        return (StatusCode::OK, Json(body));
    }
    let code_right = second.is_none_or(|(kind, _)| kind == "bank_app" || typed.contains("246810"));
    match customer {
        Some(customer) if pin_right && code_right => (StatusCode::OK, Json(succeeded(&customer))),
        Some(_) | None => {
            (StatusCode::OK, Json(json!({"outcome": "failed", "first_factor_right": pin_right && second.is_some()})))
        }
    }
}

fn succeeded(customer: &Customer) -> Value {
    let Customer { name_kana, birth_date, has_contact, .. } = customer;
    json!({
        "outcome": "succeeded",
        "first_factor_right": true,
        "customer": {"name_kana": name_kana, "birth_date": birth_date, "has_contact": has_contact},
    })
}

async fn notify(State(bank): State<Bank>, Json(notice): Json<Value>) -> Answer {
    let mut inside = bank.inside();
    if inside.down || inside.mute {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({})));
    }
    let number = notice["account"]["number"].as_str().unwrap_or_default();
    let contacts = inside.customers.get(number).map_or(0, |customer| 2 * i32::from(customer.has_contact));
    inside.notices.push(notice);
    (StatusCode::OK, Json(json!({"contacts_notified": contacts})))
}

async fn push(State(bank): State<Bank>, Json(asked): Json<Value>) -> Answer {
    let mut inside = bank.inside();
    if inside.down {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({})));
    }
    let request_uri = format!("urn:bank:{}:{}", bank.code, inside.pushed.len());
    inside.pushed.insert(request_uri.clone(), asked);
    (StatusCode::CREATED, Json(json!({"request_uri": request_uri, "expires_in": 60})))
}

async fn token(State(bank): State<Bank>, Json(asked): Json<Value>) -> Answer {
    let mut inside = bank.inside();
    let code = asked["code"].as_str().unwrap_or_default();
    let Some((pushed, number)) = inside.codes.remove(code) else {
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"})));
    };
    let verifier = asked["code_verifier"].as_str().unwrap_or_default();
    if pushed["code_challenge"] != web::jose::encode(&Sha256::digest(verifier)) {
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"})));
    }
    let mut body = succeeded(&inside.customers[&number]);
    body["account"] = json!({"branch": "001", "kind": "ordinary", "number": number});
    body["account_token"] = json!(format!("token-{number}"));
    body["factors_used"] = inside.factors_used.clone();
    (StatusCode::OK, Json(body))
}
