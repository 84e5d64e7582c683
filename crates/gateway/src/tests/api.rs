//! The rest of the API: returns, credits, mandates, events, switches, and what banks tell by themselves.

use super::bank::Mood;
use super::world::{BANK, SECRET, World};
use crate::domain::mandate::{self, Why};
use crate::domain::{Command, Factor, MandateId, MissingFact, Receipt};
use axum::{Router, routing};
use bytes::Bytes;
use engine::Clock;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use web::jose::{JwkSet, Token};
use web::webhook::{self, Key};
use web::{Bounds, Transport};

const STATIC: &[Factor] = &[Factor::Account, Factor::NameKana, Factor::Pin];
const STRONG: &[Factor] = &[Factor::Account, Factor::Pin, Factor::OneTimePassword];

async fn post(world: &World, path: &str, body: Value) -> (u16, Value) {
    world.call("kinchaku", "POST", &format!("/gateway/v1/{path}"), Some(body)).await
}

async fn get(world: &World, client_id: &str, path: &str) -> (u16, Value) {
    world.call(client_id, "GET", &format!("/gateway/v1/{path}"), None).await
}

async fn types(world: &World, client_id: &str) -> Vec<String> {
    let (code, body) = get(world, client_id, "events?after=0").await;
    assert_eq!(code, 200, "{body}");
    let data = body["data"].as_array().expect("events").clone();
    for (index, event) in data.iter().enumerate() {
        assert_eq!(event["n"], json!(index + 1), "no gap");
    }
    data.iter().map(|event| event["type"].as_str().expect("a type").to_owned()).collect()
}

async fn settled_debit(world: &World, amount: i64) -> MandateId {
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await;
    let body = json!({ "reference": "d1", "mandate_id": mandate.to_string(), "amount": amount });
    assert_eq!(post(world, "debits", body).await.0, 201);
    mandate
}

#[tokio::test]
async fn a_debit_goes_back_also_when_its_mandate_is_revoked_and_never_more_than_once() {
    let world = World::new().await;
    let mandate = settled_debit(&world, 9_000).await;
    world.revoke(mandate, Why::NotMine).await;
    let (code, body) =
        post(&world, "debits", json!({ "reference": "d2", "mandate_id": mandate.to_string(), "amount": 1 })).await;
    assert_eq!((code, &body["type"]), (422, &json!("/problems/wrong-status")));
    for _ in 0..2 {
        let (code, body) = post(&world, "debits/d1/return", json!({ "reference": "r1", "amount": 6_000 })).await;
        assert_eq!((code, &body["status"]), (201, &json!("settled")), "{body}");
    }
    let (code, body) = post(&world, "debits/d1/return", json!({ "reference": "r2", "amount": 3_001 })).await;
    assert_eq!((code, &body["limit"], &body["used"]), (422, &json!("debited"), &json!(6_000)));
    world.bank.books().mood = Mood::Declines(2);
    let (_, body) = post(&world, "debits/d1/return", json!({ "reference": "r3", "amount": 3_000 })).await;
    assert_eq!(body["status"], "declined");
    world.bank.books().mood = Mood::Settles;
    let (_, body) = post(&world, "debits/d1/return", json!({ "reference": "r4", "amount": 3_000 })).await;
    assert_eq!(body["status"], "settled", "a declined return reserves nothing");
    let returned: i64 = world.bank.books().moved.values().sum::<i64>() - 9_000;
    assert_eq!(returned, 9_000);
    let (code, _) = get(&world, "fukuro", "returns/r1").await;
    assert_eq!(code, 404);
}

#[tokio::test]
async fn a_debit_that_its_bank_denies_goes_back_only_by_whoever_has_read_that() {
    let world = World::new().await;
    settled_debit(&world, 9_000).await;
    let give_back = async |reference: &str, events_read: Option<u64>| {
        let mut body = json!({ "reference": reference, "amount": 1_000 });
        if let Some(events_read) = events_read {
            body["events_read"] = events_read.into();
        }
        let (code, body) = post(&world, "debits/d1/return", body).await;
        (code, body["type"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(give_back("before", None).await.0, 201, "while the bank says nothing against it nobody need read");
    // The file of its day does not have it.
    world.bank.books().day_file = Some(Vec::new());
    world.pass(24 * 3_600_000);
    world.work().await;
    let told = types(&world, "kinchaku").await;
    let denied = told.iter().position(|told| told == "debit.contradicted").expect("it is denied");
    let (before, head) = (denied as u64, told.len() as u64);
    let unread = (409, "/problems/events-unread".to_owned());
    for events_read in [None, Some(0), Some(before), Some(head + 1), Some(u64::MAX)] {
        assert_eq!(give_back("after", events_read).await, unread, "{events_read:?}");
    }
    assert_eq!(give_back("after", Some(head)).await.0, 201, "two may have agreed on it");
    assert_eq!(give_back("before", None).await.0, 201, "what was asked for before is answered by what became of it");
}

#[tokio::test]
async fn an_account_takes_payouts_until_its_holder_says_not_me() {
    let world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await;
    let (_, body) = get(&world, "kinchaku", &format!("mandates/{mandate}")).await;
    let account = body["account_ref"].as_str().expect("an account").to_owned();
    world.revoke(mandate, Why::Unneeded).await;
    let (code, _) =
        post(&world, "credits", json!({ "reference": "c1", "mandate_id": mandate.to_string(), "amount": 500 })).await;
    assert_eq!(code, 201);
    let (code, _) = post(&world, "credits", json!({ "reference": "c2", "account_ref": account, "amount": 500 })).await;
    assert_eq!(code, 201);
    let theirs = json!({ "reference": "c3", "account_ref": account, "amount": 500 });
    let (code, _) = world.call("fukuro", "POST", "/gateway/v1/credits", Some(theirs)).await;
    assert_eq!(code, 404);
    world.revoke(mandate, Why::NotMine).await;
    let (code, body) =
        post(&world, "credits", json!({ "reference": "c4", "account_ref": account, "amount": 500 })).await;
    assert_eq!((code, &body["type"]), (422, &json!("/problems/wrong-status")));
}

#[tokio::test]
async fn each_operator_is_told_of_its_own_things_without_gaps() {
    let world = World::new().await;
    let mandate = settled_debit(&world, 9_000).await;
    let (code, body) = post(&world, &format!("mandates/{mandate}/revoke"), json!({ "reason": "unneeded" })).await;
    assert_eq!((code, &body["status"], &body["revoked"]["by"]), (200, &json!("revoked"), &json!("operator")), "{body}");
    let told = types(&world, "kinchaku").await;
    assert_eq!(told, ["mandate.granted", "mandate.activated", "debit.settled", "mandate.revoked"]);
    assert!(types(&world, "fukuro").await.is_empty());
    let (_, page) = get(&world, "kinchaku", "events?after=2&limit=1").await;
    assert_eq!((&page["data"][0]["n"], &page["next"]), (&json!(3), &json!(3)));
    assert_eq!(get(&world, "kinchaku", "events?after=x").await.0, 400);
    let (_, list) = get(&world, "kinchaku", "mandates").await;
    assert_eq!(list["data"][0]["mandate_id"], mandate.to_string());
    assert_eq!(list["data"][0]["masked_number"], "****567");
    assert_eq!(get(&world, "fukuro", &format!("mandates/{mandate}")).await.0, 404);
    let theirs = Some(json!({ "reason": "unneeded" }));
    let path = format!("/gateway/v1/mandates/{mandate}/revoke");
    assert_eq!(world.call("fukuro", "POST", &path, theirs).await.0, 404);
}

#[tokio::test]
async fn a_switch_is_in_force_at_once_and_told_to_everybody() {
    let world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await;
    let path = format!("/gateway/v1/banks/{BANK}/switches/debit");
    let stop = |stopped: bool| Some(json!({ "stopped": stopped, "reason": "damage is reported" }));
    assert_eq!(world.call("kinchaku", "PUT", &path, stop(true)).await.0, 401);
    let desk = [("authorization", "Bearer desk")];
    let (code, body) = world.call_with(&desk, "PUT", &path, stop(true)).await;
    assert_eq!((code, &body["switches"]["debit"]["stopped"]), (200, &json!(true)), "{body}");
    let debit = json!({ "reference": "d1", "mandate_id": mandate.to_string(), "amount": 100 });
    let (code, body) = post(&world, "debits", debit.clone()).await;
    assert_eq!((code, &body["type"], &body["function"]), (422, &json!("/problems/stopped"), &json!("debit")));
    assert_eq!(types(&world, "fukuro").await, ["bank.switch"]);
    let (code, body) = world.call_with(&desk, "PUT", &path, stop(false)).await;
    assert_eq!((code, &body["status"]), (202, &json!("proposed")), "{body}");
    assert_eq!(post(&world, "debits", debit.clone()).await.0, 422, "one person lifts nothing");
    let (_, waiting) = world.call_with(&desk, "GET", "/gateway/v1/proposals", None).await;
    let first = &waiting["data"][0];
    assert_eq!(
        (&first["bank_code"], &first["kind"], &first["function"], &first["by"]),
        (&json!(BANK), &json!("lift"), &json!("debit"), &json!("abe of the desk")),
        "{waiting}"
    );
    let second = [("authorization", "Bearer desk-2")];
    assert_eq!(world.call_with(&second, "PUT", &path, stop(false)).await.0, 200);
    assert_eq!(world.call_with(&desk, "GET", "/gateway/v1/proposals", None).await.1["data"], json!([]));
    assert_eq!(post(&world, "debits", debit).await.0, 201);
    let (_, body) = get(&world, "fukuro", "banks").await;
    assert_eq!(body["data"][0]["switches"]["debit"]["history"].as_array().map(Vec::len), Some(2));
}

pub async fn callback(world: &World, id: &str, body: &Value, key: &str, age_ms: i64) -> u16 {
    let body = Bytes::from(body.to_string());
    let key = Key::parse(key).expect("a key");
    let sent = world.clock.now().plus_milliseconds(-age_ms);
    let mut request = Request::post(format!("http://gateway.localhost:8080/gateway/v1/bank-callbacks/{BANK}"));
    for (name, value) in webhook::headers(&[key], id, sent, &body) {
        request = request.header(name, value);
    }
    let request = request.body(body).expect("a request");
    world.routers.call(request, Bounds::default()).await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn a_banks_call_counts_once_and_only_with_its_signature() {
    let world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await;
    world.bank.books().mood = Mood::LosesAnswers;
    post(&world, "debits", json!({ "reference": "d1", "mandate_id": mandate.to_string(), "amount": 9_000 })).await;
    let reference = world.bank.books().moved.keys().next().expect("it moved").clone();
    let said = |kind: &str, outcome: &str, amount: i64| {
        let code = i32::from(outcome == "declined");
        json!({ "kind": kind, "reference": reference, "outcome": outcome, "code": code, "amount": amount, "at": "now" })
    };
    let status = async || get(&world, "kinchaku", "debits/d1").await.1["status"].clone();
    let forged = "whsec_Zm9yZ2VkZm9yZ2VkZm9yZ2VkZm9yZ2Vk";
    assert_eq!(callback(&world, "1", &said("debit", "settled", 9_000), forged, 0).await, 401);
    assert_eq!(callback(&world, "1", &said("debit", "settled", 9_000), SECRET, 600_000).await, 401);
    assert_eq!(status().await, "in_doubt");
    for id in ["1", "1", "2"] {
        assert_eq!(callback(&world, id, &said("debit", "settled", 9_000), SECRET, 0).await, 204);
        assert_eq!(status().await, "settled");
    }
    assert_eq!(callback(&world, "3", &said("debit", "settled", 900), SECRET, 0).await, 204);
    assert_eq!(callback(&world, "4", &said("debit", "declined", 0), SECRET, 0).await, 204);
    assert_eq!(status().await, "settled", "a contradiction changes nothing");
    for _ in 0..2 {
        assert_eq!(callback(&world, "5", &said("reversal", "settled", 9_000), SECRET, 0).await, 204);
    }
    assert_eq!(callback(&world, "6", &said("credit", "settled", 9_000), SECRET, 0).await, 404);
    let told = types(&world, "kinchaku").await;
    assert_eq!(told[2..], ["debit.settled", "debit.contradicted", "debit.contradicted", "debit.reversed"]);
}

#[tokio::test]
async fn a_true_holder_displaces_a_stranger_and_no_stranger_a_true_holder() {
    let world = World::new().await;
    let stranger = world.link("kinchaku", "thief", "1234567", STATIC).await;
    let (_, again) = world.try_link(BANK, "kinchaku", "thief2", "1234567", STATIC).await;
    assert!(matches!(again, Receipt::Mandate { missing: Some(MissingFact::FreeAccount), .. }), "{again:?}");
    let holder = world.link("kinchaku", "holder", "1234567", STRONG).await;
    let row = world.gateway.mandate(stranger).await.expect("it is read").expect("it is there");
    assert_eq!(row.status, mandate::Status::Revoked);
    world.confirm(holder).await;
    let (_, again) = world.try_link(BANK, "kinchaku", "thief", "1234567", STRONG).await;
    assert!(matches!(again, Receipt::Mandate { missing: Some(MissingFact::FreeAccount), .. }), "{again:?}");
    let (_, again) = world.try_link(BANK, "kinchaku", "holder", "1234567", STRONG).await;
    assert!(matches!(again, Receipt::Mandate { missing: Some(MissingFact::FreeAccount), .. }), "its own: {again:?}");
    world.link("fukuro", "elsewhere", "1234567", STRONG).await;
    assert!(types(&world, "kinchaku").await.contains(&"mandate.displaced".to_owned()));
}

#[tokio::test]
async fn nobody_displaces_their_own() {
    let world = World::new().await;
    let first = world.link("kinchaku", "w1", "1234567", STATIC).await;
    let (_, again) = world.try_link(BANK, "kinchaku", "w1", "1234567", STRONG).await;
    assert!(matches!(again, Receipt::Mandate { missing: Some(MissingFact::FreeAccount), .. }), "{again:?}");
    let row = world.gateway.mandate(first).await.expect("it is read").expect("it is there");
    assert_eq!(row.status, mandate::Status::Active);
}

#[tokio::test]
async fn what_nobody_collects_expires() {
    let world = World::new().await;
    let mandate = MandateId(world.gateway.new_id());
    let reference = crate::domain::Reference::try_from("m".to_owned()).expect("a reference");
    let limits = mandate::Limits { per_time: ledger::Yen::new(1), per_month: ledger::Yen::new(1) };
    let request = mandate::Request {
        mandate,
        operator: world.operator("kinchaku"),
        reference: reference.clone(),
        wallet: reference,
        bank: BANK.parse().expect("a code"),
        limits,
    };
    world.submit(Command::Mandate(mandate::Command::Request(request))).await.expect("it may be asked");
    world.pass(10 * 60_000 + 1);
    world.work().await;
    let row = world.gateway.mandate(mandate).await.expect("it is read").expect("it is there");
    assert_eq!(row.status, mandate::Status::Expired);
}

/// An operator's server that refuses the first call, and keeps what it takes.
fn listener(taken: &Arc<Mutex<Vec<String>>>) -> Router {
    let (taken, calls) = (Arc::clone(taken), Arc::new(AtomicU32::new(0)));
    Router::new().route(
        "/events",
        routing::post(move |body: String| async move {
            if calls.fetch_add(1, Ordering::SeqCst) == 0 {
                return StatusCode::SERVICE_UNAVAILABLE;
            }
            taken.lock().expect("nobody panicked").push(body);
            StatusCode::ACCEPTED
        }),
    )
}

#[tokio::test]
async fn an_operator_that_takes_its_time_is_called_little_in_one_step() {
    let world = World::new().await;
    let (calls, clock) = (Arc::new(AtomicU32::new(0)), Arc::clone(&world.clock));
    let heard = Arc::clone(&calls);
    let slow = move || async move {
        heard.fetch_add(1, Ordering::SeqCst);
        clock.pass(2_000);
        StatusCode::ACCEPTED
    };
    world.routers.add("kinchaku.localhost", Router::new().route("/events", routing::post(slow)));
    settled_debit(&world, 1_000).await;
    world.gateway.run_due(engine::Clock::now(&*world.clock), 100).await;
    assert_eq!(calls.load(Ordering::SeqCst), 2, "and then it is others' turn");
    world.work().await;
    assert_eq!(calls.load(Ordering::SeqCst), 3, "what is left follows");
}

#[tokio::test]
async fn operators_are_called_with_what_they_are_told_in_order_and_signed() {
    let mut world = World::new().await;
    let taken = Arc::new(Mutex::new(Vec::new()));
    world.routers.add("kinchaku.localhost", listener(&taken));
    settled_debit(&world, 9_000).await;
    world.work().await;
    assert!(taken.lock().expect("nobody panicked").is_empty());
    world.pass(5_000);
    world.work().await;
    world.restart().await;
    world.work().await;
    let keys = get(&world, "kinchaku", "jwks").await.1;
    let keys = JwkSet::parse(&keys).expect("keys");
    let taken = taken.lock().expect("nobody panicked").clone();
    let claims: Vec<Value> = taken
        .iter()
        .map(|text| {
            let signed = Token::parse(text).expect("a token");
            assert_eq!(signed.header.kind.as_deref(), Some("secevent+jwt"));
            let mut keys = keys.candidates(signed.header.algorithm, signed.header.key_id.as_deref());
            keys.find_map(|key| signed.verify::<Value>(key).ok()).expect("it is signed")
        })
        .collect();
    let numbers: Vec<_> = claims.iter().map(|claims| claims["n"].as_u64()).collect();
    assert_eq!(numbers, [Some(1), Some(2), Some(3)], "each once, also over a restart");
    let kind = "http://gateway.localhost:8080/gateway/v1/events#debit.settled";
    assert_eq!(claims[2]["events"][kind]["settled_amount"], 9_000);
    assert_eq!((&claims[2]["aud"], &claims[2]["iss"]), (&json!("kinchaku"), &json!("http://gateway.localhost:8080")));
}

#[tokio::test]
async fn one_value_tried_on_many_accounts_at_a_banks_own_page_stops_its_static_path() {
    let world = World::new().await;
    let key_path = format!("/gateway/v1/bank-attempts/{BANK}/key");
    let bearer = format!("Bearer {SECRET}");
    for (token, status) in [("Bearer guess", 401), ("", 401), (bearer.as_str(), 200)] {
        assert_eq!(world.call_with(&[("authorization", token)], "GET", &key_path, None).await.0, status);
    }
    let key = async || {
        let (_, body) = world.call_with(&[("authorization", bearer.as_str())], "GET", &key_path, None).await;
        body["key"].as_str().expect("a key").to_owned()
    };
    let report = async |account: u32, key: &str| {
        use hmac::{Hmac, KeyInit, Mac};
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).expect("any length does");
        mac.update(b"4821");
        let value = web::jose::encode(&mac.finalize().into_bytes());
        let body = json!({
            "attempt": format!("a{account}"), "outcome": "failed",
            "account_token": format!("account-{account}"), "value_token": value,
        });
        let body = Bytes::from(body.to_string());
        let mut request = Request::post(format!("http://gateway.localhost:8080/gateway/v1/bank-attempts/{BANK}"));
        for (name, value) in webhook::headers(
            &[Key::parse(SECRET).expect("a key")],
            &format!("m{account} {key}"),
            world.clock.now(),
            &body,
        ) {
            request = request.header(name, value);
        }
        let request = request.body(body).expect("a request");
        world.routers.call(request, Bounds::default()).await.expect("an answer").status().as_u16()
    };
    let is_stopped = async || {
        let (_, banks) = get(&world, "kinchaku", "banks").await;
        banks["data"][0]["switches"]["static_factors"]["stopped"].clone()
    };
    let stop = world.gateway.options().windows.value_accounts_stop;
    let first = key().await;
    for account in 1..stop {
        assert_eq!(report(account, &first).await, 204);
    }
    world.pass(world.gateway.options().windows.window_ms);
    let second = key().await;
    assert_ne!(first, second, "the key dies with its window");
    for account in 1..stop {
        assert_eq!(report(account, &second).await, 204);
        assert_eq!(is_stopped().await, false, "what was counted under the old key is not known any more");
    }
    assert_eq!(report(stop, &second).await, 204);
    assert_eq!(is_stopped().await, true);
}
