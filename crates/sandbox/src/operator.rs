//! The second operator: another company with wallets of its own, so that everybody can see that it sees nothing of ours.
//!
//! It is a client of the gateway like any other: it signs in with a key (`private_key_jwt`), pushes its requests, proves
//! possession (`DPoP`), and keeps no books. Tests say what it asks, and are shown what it was answered.
//! Start reading at [`SecondOperator::ask`].

use crate::options::Origins;
use crate::state::State;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use web::jose::{SigningKey, assertion, dpop};
use web::{Bounds, Chance, chance};

/// What it is called at the gateway.
pub const CLIENT_ID: &str = "second-operator";
/// Where the gateway sends its people's browsers back to.
pub(crate) const CALLBACK: &str = "/second-operator/callback";
/// What its tokens are for.
const SCOPE: &str = "mandates debits credits events";
/// The type of its authorization details.
const DETAIL: &str = "jp_account_transfer_mandate";
/// Links that are remembered; beyond, the oldest is forgotten.
const LINKS_MAX: usize = 1_000;
/// How long the gateway may take.
const BOUNDS: Bounds = Bounds { time_ms: 8_000, body_bytes: 1 << 20 };

/// What the gateway's configuration needs to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorFacts {
    /// Its client id.
    pub client_id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its name in Latin letters.
    pub name_en: &'static str,
    /// Where browsers are sent back to.
    pub redirect_uri: String,
    /// Its public keys: a JWK set.
    pub jwks: Value,
}

/// The operator, with its key and the links that it has asked for.
pub(crate) struct SecondOperator {
    key: SigningKey,
    links: Mutex<BTreeMap<String, Link>>,
}

/// A link that it asked for.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub state: String,
    verifier: String,
    pub authorize_url: String,
    /// What came of it: the answer to the exchange of the code, or the error that the browser brought.
    pub outcome: Option<(bool, Value)>,
}

/// What is asked for a link.
pub(crate) struct LinkAsked {
    pub bank_code: String,
    pub holder_name_kana: String,
    pub birth_date: String,
    pub per_time: i64,
    pub per_month: i64,
}

/// What the gateway answered.
pub(crate) struct Answered {
    pub status: StatusCode,
    pub body: Value,
}

impl SecondOperator {
    /// The operator with `key`; with a new one, where it has none.
    pub(crate) fn open(key: Option<SigningKey>, chance: &dyn Chance) -> Self {
        Self { key: key.unwrap_or_else(|| SigningKey::generate_eddsa(chance)), links: Mutex::default() }
    }

    /// What the gateway's configuration needs to know.
    pub(crate) fn facts(&self, state: &State) -> OperatorFacts {
        facts(&state.options.origins, &self.key)
    }

    /// Asks the gateway's API with a token of its own.
    pub(crate) async fn ask(&self, state: &State, method: Method, path: &str, body: &Value) -> Answered {
        let fields = [("grant_type", "client_credentials"), ("scope", SCOPE)];
        let answer = self.form(state, "/gateway/v1/token", &fields).await;
        let Some(token) = answer.body["access_token"].as_str().map(str::to_owned) else { return answer };
        let url = format!("{}{path}", state.options.origins.gateway);
        let call = dpop::Call { method: method.as_str(), url: &url, access_token: Some(&token) };
        let mut headers = HeaderMap::new();
        let proof = self.proof(state, call);
        for (name, value) in [
            ("authorization", format!("DPoP {token}")),
            ("dpop", proof),
            ("content-type", "application/json".to_owned()),
            ("idempotency-key", state.outside.id().to_string()),
        ] {
            headers.extend(value.parse().ok().map(|value| (http::HeaderName::from_static(name), value)));
        }
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        exchange(state, method.clone(), &url, headers, body).await
    }

    /// Pushes a request for a mandate: where the person's browser must go.
    pub(crate) async fn link(&self, state: &State, asked: LinkAsked) -> Result<Link, Answered> {
        let chance = state.outside.chance.as_ref();
        let (name, verifier) = (chance::token(chance), chance::token(chance));
        let details = json!([{
            "type": DETAIL,
            "mandate_reference": format!("m-{}", state.outside.id()),
            "wallet": format!("w-{}", state.outside.id()),
            "holder_name_kana": asked.holder_name_kana,
            "holder_name_masked": "○○ ○○",
            "birth_date": asked.birth_date,
            "bank_code": asked.bank_code,
            "limits": { "per_time": asked.per_time, "per_month": asked.per_month },
        }]);
        let fields = [
            ("response_type", "code"),
            ("redirect_uri", &redirect_uri(&state.options.origins)),
            ("scope", "mandate"),
            ("state", name.expose()),
            ("code_challenge", &web::jose::encode(&Sha256::digest(verifier.expose()))),
            ("code_challenge_method", "S256"),
            ("authorization_details", &details.to_string()),
        ];
        let answer = self.form(state, "/gateway/v1/par", &fields).await;
        let Some(request_uri) = answer.body["request_uri"].as_str() else { return Err(answer) };
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("client_id", CLIENT_ID), ("request_uri", request_uri)])
            .finish();
        let authorize_url = format!("{}/gateway/v1/authorize?{query}", state.options.origins.gateway);
        let (name, verifier) = (name.expose().clone(), verifier.expose().clone());
        let link = Link { state: name.clone(), verifier, authorize_url, outcome: None };
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        if links.len() >= LINKS_MAX {
            links.pop_first();
        }
        links.insert(name, link.clone());
        Ok(link)
    }

    /// A browser comes back: the code is exchanged, and what came of it is kept.
    pub(crate) async fn come_back(&self, state: &State, brought: &BTreeMap<String, String>) -> Option<Link> {
        let link = self.find(brought.get("state")?).filter(|link| link.outcome.is_none())?;
        let is_ours = brought.get("iss") == Some(&state.options.origins.gateway);
        let outcome = match brought.get("code").filter(|_| is_ours) {
            Some(code) => {
                let fields = [
                    ("grant_type", "authorization_code"),
                    ("code", code),
                    ("code_verifier", &link.verifier),
                    ("redirect_uri", &redirect_uri(&state.options.origins)),
                ];
                let answer = self.form(state, "/gateway/v1/token", &fields).await;
                (answer.status.is_success(), answer.body["authorization_details"].clone())
            }
            None => (false, json!({ "error": brought.get("error") })),
        };
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = links.get_mut(&link.state)?;
        kept.outcome = Some(outcome);
        Some(kept.clone())
    }

    /// The link of that `state`.
    pub(crate) fn find(&self, state: &str) -> Option<Link> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner).get(state).cloned()
    }

    /// Posts a form to a path where the client itself must show who it is.
    async fn form(&self, state: &State, path: &str, fields: &[(&str, &str)]) -> Answered {
        let url = format!("{}{path}", state.options.origins.gateway);
        let (now, jti) = (state.outside.now(), state.outside.id().to_string());
        let assertion = assertion::write(&self.key, CLIENT_ID, &state.options.origins.gateway, now, &jti);
        let own = [
            ("client_id", CLIENT_ID),
            ("client_assertion_type", assertion::ASSERTION_TYPE),
            ("client_assertion", &assertion),
        ];
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).extend_pairs(own).finish();
        let mut headers = HeaderMap::new();
        let kind = header::HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, kind);
        let proof = self.proof(state, dpop::Call { method: "POST", url: &url, access_token: None });
        headers.extend(proof.parse().ok().map(|proof| (http::HeaderName::from_static("dpop"), proof)));
        exchange(state, Method::POST, &url, headers, form.into()).await
    }

    fn proof(&self, state: &State, call: dpop::Call<'_>) -> String {
        dpop::prove(&self.key, call, state.outside.now(), &state.outside.id().to_string(), None)
    }
}

/// What the gateway's configuration needs to know of the operator with `key`, in a sandbox at `origins`.
pub fn facts(origins: &Origins, key: &SigningKey) -> OperatorFacts {
    OperatorFacts {
        client_id: CLIENT_ID,
        name: "となりの財布",
        name_en: "Tonari Wallet",
        redirect_uri: redirect_uri(origins),
        jwks: json!({ "keys": [key.public().to_value()] }),
    }
}

/// Where browsers come back to.
fn redirect_uri(origins: &Origins) -> String {
    format!("{}{CALLBACK}", origins.own("sandbox"))
}

async fn exchange(state: &State, method: Method, url: &str, headers: HeaderMap, body: Bytes) -> Answered {
    let request = Request::builder().method(method).uri(url).body(body).map(|mut request| {
        *request.headers_mut() = headers;
        request
    });
    let failed = |what: String| Answered { status: StatusCode::BAD_GATEWAY, body: Value::from(what) };
    let Ok(request) = request else { return failed("this is no address".to_owned()) };
    match state.outside.transport.call(request, BOUNDS).await {
        Ok(answer) => {
            let body = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
            Answered { status: answer.status(), body }
        }
        Err(error) => failed(error.to_string()),
    }
}
