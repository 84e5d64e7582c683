//! Holders in one call, against a stand-in for the wallet that sends its codes through the sandbox's own provider.

use super::world::{TOKEN, World};
use crate::Policies;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use web::{Bounds, Json, Routers, Transport};

/// What the stand-in was asked, in order.
type Asked = Arc<Mutex<Vec<(String, Value)>>>;

#[derive(Clone)]
struct Wallet {
    routers: Arc<Routers>,
    asked: Asked,
}

impl Wallet {
    async fn send(&self, path: &str, body: Value) -> Value {
        let request = Request::post(format!("http://sandbox.localhost{path}"))
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {TOKEN}"))
            .body(Bytes::from(body.to_string()));
        let answer = self.routers.call(request.expect("a request"), Bounds::default()).await.expect("an answer");
        assert!(answer.status().is_success(), "{answer:?}");
        serde_json::from_slice(answer.body()).expect("JSON")
    }

    async fn send_code(&self, channel: &str, to: &str, code: &str) {
        let message = json!({ "id": format!("{code} {to}"), "channel": channel, "to": to, "text": format!("確認コードは {code} です。") });
        self.send("/messages/v1/messages", message).await;
    }

    fn note(&self, path: &str, body: &Value) {
        self.asked.lock().expect("no panic").push((path.to_owned(), body.clone()));
    }
}

async fn open(State(wallet): State<Wallet>, headers: HeaderMap, Json(body): Json<Value>) -> Json<Value> {
    assert!(headers.contains_key("idempotency-key"));
    wallet.note("holders", &body);
    wallet.send_code("mail", body["email"].as_str().expect("a mail"), "11112222").await;
    Json(json!({ "id": "hld_1" }))
}

async fn verify(State(wallet): State<Wallet>, Path(what): Path<String>, Json(body): Json<Value>) -> Response {
    wallet.note(&what, &body);
    if let Some(phone) = body["phone"].as_str() {
        if body["challenge_id"].is_null() {
            return (StatusCode::FORBIDDEN, Json(json!({ "challenge_id": "chl_1" }))).into_response();
        }
        wallet.send_code("sms", phone, "33334444").await;
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn prove(State(wallet): State<Wallet>, Json(body): Json<Value>) -> StatusCode {
    wallet.note("challenges", &body);
    let mail = wallet.asked.lock().expect("no panic")[0].1["email"].as_str().expect("a mail").to_owned();
    if body["code"].is_null() {
        wallet.send_code("mail", &mail, "22223333").await;
    }
    StatusCode::OK
}

async fn identify(State(wallet): State<Wallet>, headers: HeaderMap, Json(body): Json<Value>) -> Json<Value> {
    assert_eq!(headers["authorization"], "Bearer token");
    wallet.note("identifications", &body);
    let holder = wallet.asked.lock().expect("no panic")[0].1.clone();
    let claimed = ["family_name", "given_name", "family_kana", "given_kana", "birth_date"];
    let claimed: serde_json::Map<_, _> =
        claimed.map(|name| (name.to_owned(), holder[name].clone())).into_iter().collect();
    let body = json!({ "reference": "idn_7", "method": "chip_and_face", "claimed": claimed });
    let verdict = wallet.send("/identity/v1/identifications", body).await;
    Json(json!({ "id": "idn_7", "status": verdict["status"] }))
}

async fn identified(State(wallet): State<Wallet>) -> Json<Value> {
    let id = crate::domain::identification::id_of("idn_7");
    let request = Request::get(format!("http://sandbox.localhost/identity/v1/identifications/idn_{id}"))
        .header("authorization", format!("Bearer {TOKEN}"))
        .body(Bytes::new());
    let answer = wallet.routers.call(request.expect("a request"), Bounds::default()).await.expect("an answer");
    Json(serde_json::from_slice(answer.body()).expect("JSON"))
}

fn stand_in(world: &World) -> Asked {
    let wallet = Wallet { routers: Arc::clone(&world.routers), asked: Asked::default() };
    let asked = Arc::clone(&wallet.asked);
    let session = || async { Json(json!({ "token": "token", "expires_at": "later" })) };
    let opened = || async { Json(json!({ "id": "wlt_1", "tier": "identified" })) };
    let router = Router::new()
        .route("/v1/holders", post(open))
        .route("/v1/holders/hld_1/identifications", post(identify))
        .route("/v1/holders/hld_1/identifications/idn_7", get(identified))
        .route("/v1/holders/hld_1/{what}", post(verify))
        .route("/v1/holders/hld_1/{what}/confirm", post(verify))
        .route("/v1/challenges/chl_1", post(prove))
        .route("/v1/sessions", post(session))
        .route("/v1/wallets", post(opened))
        .with_state(wallet);
    world.routers.add("localhost", router);
    asked
}

#[tokio::test]
async fn a_holder_is_made_through_the_wallets_own_doors() {
    for script in [json!({ "script": "approve" }), json!({ "script": "document" })] {
        let world = World::new(Policies::Raised).await;
        world.sandbox(Method::PUT, "identity", script).await;
        let asked = stand_in(&world);
        let body = json!({ "account": { "bank_code": "0125", "number": "1001234567" } });
        let made = world.sandbox(Method::POST, "holders", body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        assert_eq!(
            (&made.body["id"], &made.body["wallet_id"], &made.body["token"]),
            (&json!("hld_1"), &json!("wlt_1"), &json!("token"))
        );
        assert_eq!((&made.body["family_kana"], &made.body["account"]["pin"]), (&json!("ナナミ"), &json!("0412")));
        let asked = asked.lock().expect("no panic");
        let codes: Vec<&Value> = asked.iter().filter_map(|(_, body)| body.get("code")).collect();
        assert_eq!(codes, ["11112222", "22223333", "33334444"]);
    }
}

#[tokio::test]
async fn a_holder_may_get_a_bank_account_and_a_wallet_that_refuses_is_quoted() {
    let world = World::new(Policies::Raised).await;
    stand_in(&world);
    let made = world.sandbox(Method::POST, "holders", json!({ "bank_code": "0168", "balance": 7_000 })).await;
    assert_eq!((made.status, &made.body["account"]["balance"]), (201, &json!(7_000)), "{}", made.body);
    assert_eq!(
        made.body["account"]["name_kana"],
        crate::kana::half_width(&format!(
            "{} {}",
            made.body["family_kana"].as_str().expect("a name"),
            made.body["given_kana"].as_str().expect("a name"),
        ))
    );
    let world = World::new(Policies::Raised).await;
    stand_in(&world);
    world.sandbox(Method::PUT, "identity", json!({ "script": "refuse" })).await;
    let refused = world.sandbox(Method::POST, "holders", json!({})).await;
    assert_eq!((refused.status, &refused.body["type"]), (502, &json!("/problems/service-refused")));
    assert_eq!(
        world.sandbox(Method::POST, "shops", json!({ "name": "店" })).await.status,
        401,
        "without the desk's key"
    );
}
