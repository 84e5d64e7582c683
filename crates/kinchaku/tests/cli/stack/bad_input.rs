//! Bad input to the sandbox's own API: the caller is told what was wrong with it, by whichever service found it, and never
//! that somebody else is broken.

use super::world::World;
use axum::http::Method;
use serde_json::{Value, json};

/// What is wrong with the answer to what cannot be right, which is a problem document of that status and type.
async fn check(world: &World, method: &Method, path: &str, body: &Value, status: u16, kind: &str) -> Option<String> {
    // A newcomer knows one address: under the wallet's host it is the same.
    for host in ["sandbox.localhost", "localhost"] {
        let answer = world.ask(method.clone(), host, &format!("/sandbox/v1/{path}"), "", body.clone()).await;
        let kinds: Vec<_> = answer.headers.get_all("content-type").iter().collect();
        let is_right = answer.status == status
            && kinds == ["application/problem+json"]
            && answer.json["type"] == format!("/problems/{kind}")
            // What was read as JSON is found wrong by somebody who says what it was.
            && (body.is_null() || !answer.text.contains("a parameter or the form"));
        if !is_right {
            return Some(format!("{method} {host} {path} {body}: {} {}", answer.status, answer.text));
        }
    }
    None
}

/// What is sent: method, path and body; and what is answered: status and type.
type Row = (Method, &'static str, Value, u16, &'static str);

/// `base` with another value of a member.
fn with(base: &Value, member: &str, value: Value) -> Value {
    let mut changed = base.clone();
    changed[member] = value;
    changed
}

/// What goes on to the wallet, its desk or the gateway, and is found wrong there at the latest.
fn to_others() -> Vec<Row> {
    let (post, get) = (Method::POST, Method::GET);
    let link = json!({ "bank_code": "0125", "holder_name_kana": "シケン タロウ", "birth_date": "1990-01-01" });
    vec![
        (post.clone(), "holders", json!([]), 400, "malformed"),
        (post.clone(), "holders", json!({ "who": 1 }), 400, "malformed"),
        (post.clone(), "holders", json!({ "email": "no mail address" }), 400, "malformed"),
        (post.clone(), "holders", json!({ "email": "" }), 400, "malformed"),
        (post.clone(), "holders", json!({ "password": "short" }), 422, "password-refused"),
        (post.clone(), "holders", json!({ "phone": "110" }), 400, "malformed"),
        (post.clone(), "holders", json!({ "bank_code": "9999" }), 404, "not-found"),
        (post.clone(), "holders", json!({ "bank_code": "0125", "balance": -1 }), 400, "malformed"),
        (post.clone(), "holders", json!({ "account": { "bank_code": "0125", "number": "1" } }), 404, "not-found"),
        (post.clone(), "shops", json!({}), 400, "malformed"),
        (post.clone(), "shops", json!({ "name": "" }), 400, "malformed"),
        (post.clone(), "shops", json!({ "name": "x".repeat(10_000) }), 400, "malformed"),
        (post.clone(), "second-operator/links", with(&link, "bank_code", json!("9999")), 400, "service-refused"),
        (post.clone(), "second-operator/links", with(&link, "birth_date", json!("yesterday")), 400, "service-refused"),
        (post.clone(), "second-operator/links", with(&link, "holder_name_kana", json!("")), 400, "service-refused"),
        (post.clone(), "second-operator/links", with(&link, "per_time", json!(-1)), 400, "service-refused"),
        (get.clone(), "second-operator/links/none", Value::Null, 404, "not-found"),
        (
            post.clone(),
            "second-operator/requests",
            json!({ "method": "G T", "path": "/gateway/v1/banks" }),
            400,
            "malformed",
        ),
        (
            post.clone(),
            "second-operator/requests",
            json!({ "method": "GET", "path": "/bank/v1/links" }),
            400,
            "malformed",
        ),
        (
            post.clone(),
            "second-operator/requests",
            json!({ "method": "GET", "path": "/gateway/v1/ \n" }),
            400,
            "malformed",
        ),
    ]
}

/// What the sandbox itself finds wrong.
fn to_the_sandbox() -> Vec<Row> {
    let (put, post, get) = (Method::PUT, Method::POST, Method::GET);
    let account = json!({
        "family_name": "試験", "given_name": "太郎", "family_kana": "シケン", "given_kana": "タロウ", "birth_date": "1990-01-01",
    });
    vec![
        (post.clone(), "clock", json!({}), 400, "malformed"),
        (post.clone(), "clock", json!({ "advance_seconds": -1 }), 400, "malformed"),
        (post.clone(), "clock", json!({ "advance_seconds": 1.5 }), 400, "malformed"),
        (post.clone(), "clock", json!({ "advance_seconds": i64::MAX }), 400, "malformed"),
        (put.clone(), "identity", json!({ "script": "shrug" }), 400, "malformed"),
        (put.clone(), "identity", json!({ "script": "delay" }), 400, "malformed"),
        (put.clone(), "identity", json!({ "script": "approve", "delay_seconds": 1 }), 400, "malformed"),
        (get.clone(), "inbox?limit=many", Value::Null, 400, "malformed"),
        (get.clone(), "inbox?for=me", Value::Null, 400, "malformed"),
        (get.clone(), "banks/9999", Value::Null, 404, "not-found"),
        (get.clone(), "banks/0125/accounts?limit=-1", Value::Null, 400, "malformed"),
        (get.clone(), "banks/0125/accounts?cursor=1-2", Value::Null, 400, "malformed"),
        (get.clone(), "banks/0125/accounts/%FF", Value::Null, 400, "malformed"),
        (get.clone(), "banks/0125/accounts/100-gold-1", Value::Null, 404, "not-found"),
        (get.clone(), "banks/0125/accounts/9999999999/statement", Value::Null, 404, "not-found"),
        (put.clone(), "banks/0125/faults", json!({ "error_rate": 2 }), 400, "malformed"),
        (put.clone(), "banks/0125/faults", json!({ "latency_ms": -1 }), 400, "malformed"),
        (put.clone(), "banks/0125/faults", json!({ "slow": true }), 400, "malformed"),
        (put.clone(), "banks/0125/factors", json!({ "factors": [["face"]] }), 400, "malformed"),
        (post.clone(), "banks/0125/accounts", json!({}), 400, "malformed"),
        (post.clone(), "banks/0125/accounts", with(&account, "birth_date", json!("1990-02-30")), 400, "malformed"),
        (post.clone(), "banks/0125/accounts", with(&account, "pin", json!("12345")), 400, "malformed"),
        (post.clone(), "banks/0125/accounts", with(&account, "balance", json!(-1)), 400, "malformed"),
        (post.clone(), "banks/0125/accounts", with(&account, "number", json!("12")), 400, "malformed"),
        (post.clone(), "banks/0125/accounts/9999999999/unlock", Value::Null, 404, "not-found"),
        (post.clone(), "banks/0125/accounts/9999999999/stop-debits", json!({ "stopped": true }), 404, "not-found"),
        (
            post.clone(),
            "banks/0125/accounts/1001234567/confirmations",
            json!({ "channel": "pigeon" }),
            400,
            "malformed",
        ),
        (post.clone(), "banks/0125/movements/sideways/x/reverse", Value::Null, 404, "not-found"),
        (post.clone(), "banks/0125/movements/debit/x/reverse", Value::Null, 404, "not-found"),
        (post.clone(), "banks/0125/app-approvals", json!({ "attempt": "none" }), 404, "not-found"),
        (Method::DELETE, "clock", Value::Null, 405, "method-not-allowed"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_the_sandbox_for_what_cannot_be_is_told_what_was_wrong() {
    let world = World::start();
    let mut wrong = Vec::new();
    for (method, path, body, status, kind) in to_others().into_iter().chain(to_the_sandbox()) {
        wrong.extend(check(&world, &method, path, &body, status, kind).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // An address that is another's: the wallet says to nobody that it is, and yet the caller can see what to change.
    let taken = world.person("0125").await;
    for member in ["email", "phone"] {
        let body = json!({ member: taken.fact(member) });
        let answer = world.ask(Method::POST, "localhost", "/sandbox/v1/holders", "", body).await;
        let shown = format!("{member}: {} {}", answer.status, answer.text);
        assert_eq!((answer.status, &answer.json["type"]), (409, &json!("/problems/no-code-came")), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn advancing_the_clock_says_what_was_done_on_the_way() {
    let world = World::start();
    let (person, mandate) = world.linked().await;
    let faults = json!({ "late_seconds": 7_200, "silent": true });
    world.faults("0125", faults).await;
    let top_up = world.top_up(&person, &mandate, 5_000).await;
    assert_eq!(top_up.status, 202, "{}", top_up.text);
    world.faults("0125", json!({})).await;
    let advanced = world.sandbox(Method::POST, "/sandbox/v1/clock", json!({ "advance_seconds": 86_400 })).await;
    let kinds = advanced["kinds"].as_object().unwrap_or_else(|| panic!("{advanced}"));
    let sum: u64 = kinds.values().filter_map(Value::as_u64).sum();
    assert_eq!(Some(sum), advanced["ran"].as_u64(), "everything has a kind: {advanced}");
    assert!(kinds.contains_key("wallet.top_up_asked") && kinds.contains_key("gateway.day_file"), "{advanced}");
}
