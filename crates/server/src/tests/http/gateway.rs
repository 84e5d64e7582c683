//! A stand-in for the gateway: it believes our assertions and proofs as a real one would, and answers by script.

use super::world::ORIGIN;
use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Time;
use engine::Clock;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use web::jose::{JwkSet, SigningKey, assertion, dpop};
use web::{Json, Problem};

pub const GATEWAY: &str = "http://gateway.localhost:8080";
pub const CLIENT: &str = "kinchaku";

/// How the next requests are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    Settle,
    Decline(u16),
    /// It is taken, and the bank has not said yet.
    Wait,
    /// It is done, and the answer is lost.
    DoAndLoseAnswer,
    /// The answer is lost, and nothing was done; the reference stays unknown.
    LoseRequest,
    /// Another amount is debited.
    WrongAmount(i64),
}

pub struct Stand {
    pub script: Script,
    /// Whether an unknown reference is unknown for good.
    pub cut_off_passed: bool,
    /// What the grant says of whoever authenticated.
    pub grade: Value,
    pub account_ref: String,
    /// Movements by reference, and how often each was done.
    pub movements: BTreeMap<String, Value>,
    pub returns: BTreeMap<String, Value>,
    /// What is answered to a return instead of that it is done: a status, and a problem's name if it is one.
    pub return_script: Option<(u16, &'static str)>,
    /// What is given back instead of what was asked.
    pub return_amount: Option<i64>,
    /// Mandates whose bank does not answer until it is let.
    pub silent: BTreeSet<String>,
    pub revoked: Vec<String>,
    pub events: Vec<Value>,
    pub pushed: Vec<BTreeMap<String, String>>,
    /// The word with which what is pushed is refused, if it is.
    pub refuses_with: Option<&'static str>,
    /// The word with which a code is refused, if it is.
    pub refuses_code_with: Option<&'static str>,
    /// How often somebody asked for the keys.
    pub keys_asked: u32,
    codes: BTreeMap<String, BTreeMap<String, String>>,
    jtis: Vec<String>,
    granted: u32,
}

/// Clones are the same gateway.
#[derive(Clone)]
pub struct Gateway {
    pub stand: Arc<Mutex<Stand>>,
    /// Told when silent banks answer again.
    let_answer: Arc<tokio::sync::Notify>,
    clock: Arc<dyn Clock>,
}

type Fields = BTreeMap<String, String>;
type Answer = Result<Response, Problem>;

impl Gateway {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let stand = Stand {
            script: Script::Settle,
            cut_off_passed: false,
            grade: json!({
                "name": "MATCH", "birth_date_matches": true, "factors": ["pin", "one_time_password"],
                "factors_strong": true, "contact_notified": true,
            }),
            account_ref: "acr_1".into(),
            movements: BTreeMap::new(),
            returns: BTreeMap::new(),
            return_script: None,
            return_amount: None,
            silent: BTreeSet::new(),
            revoked: Vec::new(),
            events: Vec::new(),
            pushed: Vec::new(),
            refuses_with: None,
            refuses_code_with: None,
            keys_asked: 0,
            codes: BTreeMap::new(),
            jtis: Vec::new(),
            granted: 0,
        };
        Self { stand: Arc::new(Mutex::new(stand)), let_answer: Arc::default(), clock }
    }

    pub fn with<R>(&self, look: impl FnOnce(&mut Stand) -> R) -> R {
        look(&mut self.stand.lock().expect("nobody panicked"))
    }

    pub fn router(&self) -> Router {
        Router::new()
            .route("/gateway/v1/par", post(par))
            .route("/gateway/v1/token", post(token))
            .route("/gateway/v1/banks", get(banks))
            .route("/gateway/v1/jwks", get(jwks))
            .route("/gateway/v1/debits", post(ask))
            .route("/gateway/v1/debits/{reference}", get(inquire))
            .route("/gateway/v1/debits/{reference}/return", post(give_back))
            .route("/gateway/v1/credits", post(ask))
            .route("/gateway/v1/credits/{reference}", get(inquire))
            .route("/gateway/v1/mandates/{mandate}/revoke", post(revoke))
            .route("/gateway/v1/events", get(events))
            .with_state(self.clone())
    }

    /// The banks of every mandate answer again.
    pub fn let_answer(&self) {
        self.with(|stand| stand.silent.clear());
        self.let_answer.notify_waiters();
    }

    /// Waits for a bank that is silent.
    async fn wait_for_bank(&self, mandate: &str) {
        while self.with(|stand| stand.silent.contains(mandate)) {
            let answers = self.let_answer.notified();
            if self.with(|stand| stand.silent.contains(mandate)) {
                answers.await;
            }
        }
    }

    fn now(&self) -> Time {
        self.clock.now()
    }

    /// The person has authenticated at the bank that was pushed last: the address that the browser is sent back to.
    pub fn authenticate(&self) -> String {
        self.with(|stand| {
            let pushed = stand.pushed.last().expect("a request was pushed").clone();
            let code = format!("code-{}", stand.codes.len());
            let (back, state) = (pushed["redirect_uri"].clone(), pushed["state"].clone());
            stand.codes.insert(code.clone(), pushed);
            format!("{back}?code={code}&state={state}&iss={}", super::world::percent(GATEWAY))
        })
    }

    fn believe(&self, headers: &HeaderMap, method: &str, path: &str, token: bool) -> Result<(), Problem> {
        let shown = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("DPoP "));
        let url = format!("{GATEWAY}{path}");
        let call = dpop::Call { method, url: &url, access_token: shown };
        let proof = headers.get("dpop").and_then(|proof| proof.to_str().ok()).unwrap_or_default();
        let proof = dpop::believe(proof, call, self.now()).map_err(|error| Problem::malformed(error.to_string()))?;
        self.with(|stand| {
            assert!(!stand.jtis.contains(&proof.jti), "a proof is used once");
            stand.jtis.push(proof.jti);
        });
        let is_right = !token || shown == Some("token of our own");
        if is_right { Ok(()) } else { Err(Problem::unauthenticated()) }
    }

    fn believe_client(&self, headers: &HeaderMap, path: &str, fields: &Fields) -> Result<(), Problem> {
        self.believe(headers, "POST", path, false)?;
        let keys = JwkSet::new(vec![SigningKey::eddsa(&[7; 32]).public().clone()]).expect("one key");
        let assertion = fields.get("client_assertion").map(String::as_str).unwrap_or_default();
        assertion::believe(assertion, CLIENT, &keys, GATEWAY, self.now())
            .map(drop)
            .map_err(|error| Problem::malformed(error.to_string()))
    }
}

async fn par(State(gateway): State<Gateway>, headers: HeaderMap, Form(fields): Form<Fields>) -> Answer {
    gateway.believe_client(&headers, "/gateway/v1/par", &fields)?;
    assert_eq!(fields["redirect_uri"], format!("{ORIGIN}/link/callback"));
    assert_eq!(fields["code_challenge_method"], "S256");
    if let Some(word) = gateway.with(|stand| stand.refuses_with) {
        let status = if word == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        return Ok((status, Json(json!({ "error": word }))).into_response());
    }
    let uri = gateway.with(|stand| {
        stand.pushed.push(fields);
        format!("urn:ietf:params:oauth:request_uri:{}", stand.pushed.len())
    });
    Ok((StatusCode::CREATED, Json(json!({ "request_uri": uri, "expires_in": 60 }))).into_response())
}

async fn token(State(gateway): State<Gateway>, headers: HeaderMap, Form(fields): Form<Fields>) -> Answer {
    gateway.believe_client(&headers, "/gateway/v1/token", &fields)?;
    if fields["grant_type"] == "client_credentials" {
        let token = json!({ "access_token": "token of our own", "token_type": "DPoP", "expires_in": 600 });
        return Ok(Json(token).into_response());
    }
    if let Some(word) = gateway.with(|stand| stand.refuses_code_with) {
        return Ok((StatusCode::BAD_REQUEST, Json(json!({ "error": word }))).into_response());
    }
    gateway.with(|stand| {
        let pushed = stand.codes.remove(&fields["code"]).ok_or_else(|| Problem::malformed("the code is used"))?;
        let hash = Sha256::digest(&fields["code_verifier"]);
        let challenge = URL_SAFE_NO_PAD.encode(hash);
        assert_eq!(pushed["code_challenge"], challenge, "the verifier is the pushed request's");
        let asked: Value = serde_json::from_str(&pushed["authorization_details"]).expect("details");
        stand.granted += 1;
        let mut detail = asked[0].clone();
        detail["mandate_id"] = format!("gmd_{}", stand.granted).into();
        detail["account_ref"] = stand.account_ref.clone().into();
        detail["branch"] = "100".into();
        detail["masked_number"] = "****567".into();
        detail["account_kind"] = "ordinary".into();
        detail["grade"] = stand.grade.clone();
        detail["status"] = "pending".into();
        let body = json!({ "access_token": "unused", "token_type": "DPoP", "authorization_details": [detail] });
        Ok(Json(body).into_response())
    })
}

async fn banks() -> Json<Value> {
    let bank = |code: &str, ja: &str, en: &str| json!({ "code": code, "name_ja": ja, "name_en": en });
    let mut shut = bank("0138", "横浜銀行", "Bank of Yokohama");
    shut["switches"] = json!({ "register": { "stopped": true, "since": "2026-01-01T00:00:00Z", "reason": "調査中" } });
    let banks = [
        bank("0125", "七十七銀行", "The 77 Bank"),
        bank("0150", "スルガ銀行", "Suruga Bank"),
        bank("0009", "三井住友銀行", "SMBC"),
        shut,
    ];
    Json(json!({ "data": banks }))
}

/// The key with which it signs what it pushes.
pub fn signing_key() -> SigningKey {
    SigningKey::eddsa(&[8; 32])
}

async fn jwks(State(gateway): State<Gateway>) -> Json<Value> {
    gateway.with(|stand| stand.keys_asked += 1);
    Json(JwkSet::new(vec![signing_key().public().clone()]).expect("one key").to_value())
}

async fn ask(State(gateway): State<Gateway>, uri: http::Uri, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    gateway.believe(&headers, "POST", uri.path(), true)?;
    gateway.wait_for_bank(body["mandate_id"].as_str().unwrap_or_default()).await;
    gateway.with(|stand| {
        let reference = body["reference"].as_str().expect("a reference").to_owned();
        if let Some(known) = stand.movements.get(&reference) {
            return Ok(movement(known));
        }
        let script = stand.script;
        if script == Script::LoseRequest {
            return Ok(StatusCode::BAD_GATEWAY.into_response());
        }
        let mut answer = body.clone();
        answer["at"] = "2026-01-01T00:00:00+09:00".into();
        match script {
            Script::Settle | Script::DoAndLoseAnswer => answer["status"] = "settled".into(),
            Script::WrongAmount(amount) => {
                answer["status"] = "settled".into();
                answer["settled_amount"] = amount.into();
            }
            Script::Decline(code) => {
                answer["status"] = "declined".into();
                answer["code"] = code.into();
            }
            Script::Wait => answer["status"] = "pending".into(),
            Script::LoseRequest => {}
        }
        stand.movements.insert(reference, answer.clone());
        if script == Script::DoAndLoseAnswer {
            return Ok(StatusCode::BAD_GATEWAY.into_response());
        }
        Ok(movement(&answer))
    })
}

fn movement(answer: &Value) -> Response {
    let status = if answer["status"] == "pending" { StatusCode::ACCEPTED } else { StatusCode::CREATED };
    (status, Json(answer.clone())).into_response()
}

async fn inquire(
    State(gateway): State<Gateway>,
    uri: http::Uri,
    Path(reference): Path<String>,
    headers: HeaderMap,
) -> Answer {
    gateway.believe(&headers, "GET", uri.path(), true)?;
    let mandate = gateway.with(|stand| stand.movements.get(&reference).map(|known| known["mandate_id"].clone()));
    if let Some(Value::String(mandate)) = mandate {
        gateway.wait_for_bank(&mandate).await;
    }
    gateway.with(|stand| {
        if let Some(known) = stand.movements.get(&reference) {
            return Ok(Json(known.clone()).into_response());
        }
        let unknown =
            Problem::new(StatusCode::NOT_FOUND, "unknown", "There is no such thing here.", "見つかりません。");
        Err(unknown.with("final", stand.cut_off_passed))
    })
}

async fn give_back(
    State(gateway): State<Gateway>,
    Path(debit): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Answer {
    gateway.believe(&headers, "POST", &format!("/gateway/v1/debits/{debit}/return"), true)?;
    gateway.with(|stand| {
        let mut answer = body.clone();
        match stand.return_script {
            Some((status @ 400.., name)) => {
                let status = StatusCode::from_u16(status).expect("a status");
                return Err(Problem::new(status, name, "No.", "いいえ。"));
            }
            Some((_, "absent")) => (answer["status"], answer["reason"]) = ("declined".into(), "absent".into()),
            Some((_, status)) => answer["status"] = status.into(),
            None => answer["status"] = "settled".into(),
        }
        if let Some(amount) = stand.return_amount {
            answer["settled_amount"] = amount.into();
        }
        stand.returns.insert(debit, answer.clone());
        Ok((StatusCode::CREATED, Json(answer)).into_response())
    })
}

async fn revoke(State(gateway): State<Gateway>, Path(mandate): Path<String>, headers: HeaderMap) -> Answer {
    gateway.believe(&headers, "POST", &format!("/gateway/v1/mandates/{mandate}/revoke"), true)?;
    gateway.with(|stand| stand.revoked.push(mandate));
    Ok(Json(json!({ "status": "revoked" })).into_response())
}

async fn events(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    Query(query): Query<BTreeMap<String, u64>>,
) -> Answer {
    gateway.believe(&headers, "GET", "/gateway/v1/events", true)?;
    let (after, limit) = (query["after"], usize::try_from(query["limit"]).expect("a small number"));
    gateway.with(|stand| {
        let later = stand.events.iter().filter(|event| event["n"].as_u64() > Some(after));
        let data: Vec<Value> = later.take(limit).cloned().collect();
        let next = data.last().map_or(after, |event| event["n"].as_u64().unwrap_or(after));
        Ok(Json(json!({ "data": data, "next": next })).into_response())
    })
}
