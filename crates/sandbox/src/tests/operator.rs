//! The second operator, against a stand-in for the gateway that believes only what is signed as it must be.

use super::world::{START, World};
use crate::Policies;
use axum::Router;
use axum::extract::{Form, State};
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use web::jose::{JwkSet, assertion, dpop};
use web::{Bounds, Json, Transport};

const GATEWAY: &str = "http://gateway.localhost:8080";

#[derive(Clone)]
struct Gateway {
    keys: Arc<JwkSet>,
}

type Fields = BTreeMap<String, String>;

impl Gateway {
    fn check(&self, headers: &HeaderMap, path: &str, fields: &Fields) {
        let call = dpop::Call { method: "POST", url: &format!("{GATEWAY}{path}"), access_token: None };
        let proof = headers["dpop"].to_str().expect("a proof");
        dpop::believe(proof, call, START).expect("the proof is believed");
        assertion::believe(&fields["client_assertion"], "second-operator", &self.keys, GATEWAY, START)
            .expect("believed");
    }
}

async fn par(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> (StatusCode, Json<Value>) {
    gateway.check(&headers, "/gateway/v1/par", &fields);
    let details: Value = serde_json::from_str(&fields["authorization_details"]).expect("details");
    if details[0]["bank_code"] != "0125" {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_authorization_details" })));
    }
    (StatusCode::CREATED, Json(json!({ "request_uri": format!("urn:{}", fields["state"]), "expires_in": 90 })))
}

async fn token(State(gateway): State<Gateway>, headers: HeaderMap, Form(fields): Form<Fields>) -> Json<Value> {
    gateway.check(&headers, "/gateway/v1/token", &fields);
    match fields["grant_type"].as_str() {
        "client_credentials" => Json(json!({ "access_token": "at", "token_type": "DPoP", "expires_in": 600 })),
        _ => Json(json!({ "authorization_details": [{ "mandate_id": "gmd_1", "code": fields["code"] }] })),
    }
}

async fn mandate(headers: HeaderMap) -> (StatusCode, Json<Value>) {
    assert_eq!(headers["authorization"], "DPoP at");
    let url = format!("{GATEWAY}/gateway/v1/mandates/gmd_9");
    let call = dpop::Call { method: "GET", url: &url, access_token: Some("at") };
    dpop::believe(headers["dpop"].to_str().expect("a proof"), call, START).expect("the proof is believed");
    (StatusCode::NOT_FOUND, Json(json!({ "type": "/problems/not-found" })))
}

async fn world() -> World {
    let world = World::new(Policies::Raised).await;
    let facts = world.sandbox.second_operator();
    assert_eq!(facts.redirect_uri, "http://sandbox.localhost:8080/second-operator/callback");
    let keys = Arc::new(JwkSet::parse(&facts.jwks).expect("keys"));
    let router = Router::new()
        .route("/gateway/v1/par", post(par))
        .route("/gateway/v1/token", post(token))
        .route("/gateway/v1/mandates/{id}", get(mandate))
        .with_state(Gateway { keys });
    world.routers.add("gateway.localhost", router);
    world
}

#[tokio::test]
async fn it_asks_with_a_token_that_is_bound_to_its_key_and_shows_what_it_was_answered() {
    let world = world().await;
    let ask = |body: Value| world.sandbox(Method::POST, "second-operator/requests", body);
    let answer = ask(json!({ "method": "GET", "path": "/gateway/v1/mandates/gmd_9" })).await;
    assert_eq!(answer.body, json!({ "status": 404, "body": { "type": "/problems/not-found" } }));
    for path in ["/bank/v1/links", "http://evil.example/", "/gateway/v1/../../bank/v1/links"] {
        assert_eq!(ask(json!({ "method": "GET", "path": path })).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn it_links_an_account_as_any_operator_does() {
    let world = world().await;
    let link =
        |bank: &str| json!({ "bank_code": bank, "holder_name_kana": "ナナミ ハナコ", "birth_date": "1985-04-12" });
    assert_eq!(world.sandbox(Method::POST, "second-operator/links", link("9999")).await.status, 400);
    let come_back = async |query: String| {
        let request = Request::get(format!("http://sandbox.localhost:8080/second-operator/callback?{query}"));
        let request = request.body(Bytes::new()).expect("a request");
        world.routers.call(request, Bounds::default()).await.expect("an answer").status().as_u16()
    };
    for (query, status) in [
        ("&code=c1&iss=http://gateway.localhost:8080", "granted"),
        ("&code=c1&iss=http://evil.example", "refused"),
        ("&error=access_denied&iss=http://gateway.localhost:8080", "refused"),
    ] {
        let asked = world.sandbox(Method::POST, "second-operator/links", link("0125")).await;
        assert_eq!((asked.status, &asked.body["status"]), (201, &json!("requested")));
        let id = asked.body["id"].as_str().expect("an id").to_owned();
        let url = asked.body["authorize_url"].as_str().expect("a URL");
        assert!(
            url.starts_with("http://gateway.localhost:8080/gateway/v1/authorize?client_id=second-operator&"),
            "{url}"
        );
        assert_eq!(come_back(format!("state={id}{query}")).await, 200);
        assert_eq!(come_back(format!("state={id}{query}")).await, 404, "a state is good once");
        let found = world.sandbox(Method::GET, &format!("second-operator/links/{id}"), Value::Null).await.body;
        assert_eq!(found["status"], status, "{query}");
    }
}
