//! An operator's server as a client of the gateway: assertions, proofs, pushed requests, tokens.

use super::world::{GATEWAY, World};
use bytes::Bytes;
use engine::Clock;
use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use web::jose::assertion::{self, ASSERTION_TYPE};
use web::jose::dpop::{self, Call};
use web::jose::{SigningKey, encode};
use web::{Bounds, Transport};

/// The key of the client called `id`.
pub fn key(id: &str) -> SigningKey {
    SigningKey::es256(blake3::hash(id.as_bytes()).as_bytes()).expect("a key")
}

/// A client.
pub struct Client<'a> {
    pub world: &'a World,
    pub id: &'static str,
    pub redirect_uri: &'static str,
    pub key: SigningKey,
    pub proof_key: SigningKey,
}

/// An answer of the gateway's API.
#[derive(Debug)]
pub struct Answered {
    pub status: StatusCode,
    pub body: Value,
}

/// The verifier of every link in the tests.
pub const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-0";

impl<'a> Client<'a> {
    pub fn new(world: &'a World, id: &'static str, redirect_uri: &'static str) -> Self {
        let proof_key = SigningKey::eddsa(blake3::hash(format!("proofs of {id}").as_bytes()).as_bytes());
        Self { world, id, redirect_uri, key: key(id), proof_key }
    }

    /// A fresh `jti`.
    pub fn jti(&self) -> String {
        format!("{}-{}", self.id, self.world.next.fetch_add(1, Ordering::Relaxed))
    }

    /// A fresh assertion.
    pub fn assertion(&self) -> String {
        assertion::write(&self.key, self.id, GATEWAY, self.world.clock.now(), &self.jti())
    }

    /// A fresh proof for a call of `path`.
    pub fn proof(&self, method: &str, path: &str, access_token: Option<&str>) -> String {
        let url = format!("{GATEWAY}{path}");
        let call = Call { method, url: &url, access_token };
        dpop::prove(&self.proof_key, call, self.world.clock.now(), &self.jti(), None)
    }

    /// The parameters of a good pushed request, for `holder` at `bank`.
    pub fn asking(&self, bank: &str) -> BTreeMap<String, String> {
        let details = json!([{
            "type": "jp_account_transfer_mandate",
            "mandate_reference": format!("mnd-{}", self.jti()),
            "wallet": "wlt-1",
            "holder_name_kana": "アオキ サクラ",
            "holder_name_masked": "ア*** サ**",
            "birth_date": "1990-04-01",
            "bank_code": bank,
            "limits": {"per_time": 100_000, "per_month": 300_000},
        }]);
        let parameters = [
            ("response_type", "code".to_owned()),
            ("client_id", self.id.to_owned()),
            ("redirect_uri", self.redirect_uri.to_owned()),
            ("code_challenge", encode(&Sha256::digest(VERIFIER))),
            ("code_challenge_method", "S256".to_owned()),
            ("state", "a-state".to_owned()),
            ("scope", "mandate".to_owned()),
            ("authorization_details", details.to_string()),
        ];
        parameters.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// Sends a form with a fresh assertion, and `proof` if there is one.
    pub async fn post(&self, path: &str, form: &BTreeMap<String, String>, proof: Option<&str>) -> Answered {
        let mut form = form.clone();
        form.entry("client_assertion_type".to_owned()).or_insert_with(|| ASSERTION_TYPE.to_owned());
        form.entry("client_assertion".to_owned()).or_insert_with(|| self.assertion());
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&form).finish();
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("{GATEWAY}{path}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(proof) = proof {
            request = request.header("dpop", proof);
        }
        self.call(request.body(Bytes::from(body)).expect("a request")).await
    }

    /// Sends any request.
    pub async fn call(&self, request: Request<Bytes>) -> Answered {
        let response = self.world.routers.call(request, Bounds::default()).await.expect("an answer");
        let body = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
        Answered { status: response.status(), body }
    }

    /// Pushes a good request for an account at `bank`: the path that the browser is sent to.
    pub async fn push(&self, bank: &str) -> String {
        let proof = self.proof("POST", "/gateway/v1/par", None);
        let pushed = self.post("/gateway/v1/par", &self.asking(bank), Some(&proof)).await;
        assert_eq!(pushed.status, StatusCode::CREATED, "{:?}", pushed.body);
        self.path_of(pushed.body["request_uri"].as_str().expect("a request address"))
    }

    /// The path to which a browser takes a pushed request.
    pub fn path_of(&self, request_uri: &str) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", self.id)
            .append_pair("request_uri", request_uri)
            .finish();
        format!("/gateway/v1/authorize?{query}")
    }

    /// The form that collects the grant of `code`.
    pub fn collecting(&self, code: &str) -> BTreeMap<String, String> {
        let parameters = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.redirect_uri),
            ("code_verifier", VERIFIER),
        ];
        parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    /// Collects the grant of `code`.
    pub async fn collect(&self, code: &str) -> Answered {
        let proof = self.proof("POST", "/gateway/v1/token", None);
        self.post("/gateway/v1/token", &self.collecting(code), Some(&proof)).await
    }

    /// A token of the operator's own.
    pub async fn access_token(&self, scope: &str) -> String {
        let form = [("grant_type", "client_credentials"), ("scope", scope)];
        let form = form.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let proof = self.proof("POST", "/gateway/v1/token", None);
        let answer = self.post("/gateway/v1/token", &form, Some(&proof)).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        answer.body["access_token"].as_str().expect("a token").to_owned()
    }
}
