//! Bad input: whatever somebody sends to the gateway's API or a bank's desk is answered with a problem of a stable type, never
//! with our own fault, and changes nothing.

use super::world::{BANK, SECRET, T0, World};
use crate::domain::Factor;
use bytes::Bytes;
use engine::Clock;
use http::Request;
use serde_json::{Value, json};
use web::webhook::{self, Key};
use web::{Bounds, Transport};

const STRONG: &[Factor] = &[Factor::Account, Factor::Pin, Factor::OneTimePassword];
const OPERATOR: (&str, &str) = ("x-operator", "kinchaku");
const DESK: (&str, &str) = ("authorization", "Bearer desk");
const BANK_DESK: (&str, &str) = ("authorization", "Bearer bank-desk");

/// A path that takes JSON, who may call it, a body that it would take, and the members that it can do without.
struct Door {
    method: &'static str,
    path: String,
    who: (&'static str, &'static str),
    good: Value,
    optional: &'static [&'static str],
}

fn door(method: &'static str, path: String, who: (&'static str, &'static str), good: Value) -> Door {
    Door { method, path, who, good, optional: &[] }
}

fn doors(mandate: &str) -> Vec<Door> {
    let gateway = |path: &str| format!("/gateway/v1/{path}");
    let desk = |path: &str| format!("/bank/v1/{path}");
    let movement = json!({ "reference": "x1", "mandate_id": mandate, "amount": 100 });
    let switch = json!({ "stopped": true, "reason": "a test" });
    let incident = json!({
        "reference": "case-1", "factors": ["account", "pin"], "from": "2026-09-01T00:00:00+09:00",
        "until": "2026-09-02T00:00:00+09:00", "accounts": 3, "amount": 900, "note": "look for nights",
    });
    let client = json!({
        "client_id": "new", "name": { "ja": "新", "en": "New" }, "redirect_uris": ["https://new.example/back"],
        "jwks": { "keys": [] },
    });
    let maintenance =
        json!([{ "from": "2026-09-01T00:00:00+09:00", "until": "2026-09-02T00:00:00+09:00", "reason": "x" }]);
    let account = json!({ "branch": "100", "kind": "ordinary", "number": "1234567" });
    vec![
        door("POST", gateway("debits"), OPERATOR, movement.clone()),
        door("POST", gateway("debits/d1/return"), OPERATOR, json!({ "reference": "x2", "amount": 100 })),
        Door { optional: &["mandate_id"], ..door("POST", gateway("credits"), OPERATOR, movement) },
        door("POST", gateway(&format!("mandates/{mandate}/revoke")), OPERATOR, json!({ "reason": "unneeded" })),
        door("PUT", gateway(&format!("banks/{BANK}/switches/debit")), DESK, switch.clone()),
        door("POST", gateway("clients"), DESK, client),
        door("POST", desk("links/search"), BANK_DESK, account),
        door("POST", desk(&format!("mandates/{mandate}/revoke")), BANK_DESK, json!({ "reason": "fraud" })),
        door(
            "POST",
            desk(&format!("mandates/{mandate}/confirm")),
            BANK_DESK,
            json!({ "channel": "bank_app", "reason": "a test" }),
        ),
        door(
            "POST",
            desk(&format!("mandates/{mandate}/decide")),
            BANK_DESK,
            json!({ "accept": true, "reason": "a test" }),
        ),
        door("PUT", desk("factors"), BANK_DESK, json!({ "sets": [["account", "sms_code"]], "reason": "a test" })),
        Door {
            optional: &["maintenance"],
            ..door("PUT", desk("calendar"), BANK_DESK, json!({ "maintenance": maintenance }))
        },
        door("PUT", desk("switches/debit"), BANK_DESK, switch),
        door("POST", desk("incidents"), BANK_DESK, incident),
    ]
}

/// What each member of a good body is replaced with, beside being left out.
fn wrong(good: &Value) -> Vec<Value> {
    let mut all = vec![json!({ "a": 1 }), json!([[]]), json!(1.5), json!(-1), json!(1e30), json!("\u{202e}\u{0}")];
    match good {
        Value::Number(_) => all.extend([json!("100"), json!(true), json!(u64::MAX), Value::Null]),
        Value::Bool(_) => all.extend([json!("true"), json!(1), Value::Null]),
        Value::String(_) | Value::Array(_) | Value::Object(_) => {
            all.extend([json!(true), json!(7), json!("x".repeat(5_000)), Value::Null]);
        }
        Value::Null => {}
    }
    all
}

/// Bodies that no door can take, as they are sent.
fn bodies(door: &Door) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<(String, Vec<u8>)> = ["", "{", "[]", "null", "7", "\"x\"", "{\"a\":1}", "{}x", "{\"a\":}"]
        .map(|text| (format!("{text:?}"), text.as_bytes().to_vec()))
        .into();
    all.push(("what is no text".into(), vec![b'{', b'"', 0xff, b'"', b':', b'1', b'}']));
    all.push(("deep".into(), format!("{{\"a\":{}", "[".repeat(30_000)).into_bytes()));
    let members = door.good.as_object().expect("an object");
    for (name, value) in members {
        let mut changed = door.good.clone();
        for wrong in wrong(value) {
            changed[name] = wrong;
            let text = changed.to_string();
            all.push((text.chars().take(200).collect(), text.into_bytes()));
        }
        if !door.optional.contains(&name.as_str()) {
            let mut less = members.clone();
            less.remove(name);
            all.push((format!("without {name}"), Value::Object(less).to_string().into_bytes()));
        }
    }
    let mut more = door.good.clone();
    more["surprise"] = json!(1);
    all.push(("with a member more".into(), more.to_string().into_bytes()));
    let twice = door.good.to_string().replacen('{', &format!("{{{},", &first_member(&door.good)), 1);
    all.push(("with a member twice".into(), twice.into_bytes()));
    all
}

fn first_member(good: &Value) -> String {
    let (name, value) = good.as_object().and_then(|members| members.iter().next()).expect("a member");
    format!("{}:{value}", json!(name))
}

/// Sends anything: the status, the kind of the answer, and the answer.
async fn send(world: &World, door: &Door, kind: &str, body: Vec<u8>) -> (u16, String, Value) {
    let request = Request::builder()
        .method(door.method)
        .uri(format!("http://gateway.localhost:8080{}", door.path))
        .header(door.who.0, door.who.1)
        .header("content-type", kind)
        .body(Bytes::from(body))
        .expect("a request");
    let answer = world.routers.call(request, Bounds::default()).await.expect("an answer");
    let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
    (answer.status().as_u16(), kind, serde_json::from_slice(answer.body()).unwrap_or(Value::Null))
}

/// All that an operator or a bank can see, and what the bank was asked.
async fn seen(world: &World) -> Vec<Value> {
    let mut seen = Vec::new();
    for path in ["mandates", "events", "banks", "debits/d1"] {
        seen.push(world.call("kinchaku", "GET", &format!("/gateway/v1/{path}"), None).await.1);
    }
    for path in ["events", "reviews", "factors", "calendar", "switches"] {
        seen.push(world.call_with(&[BANK_DESK], "GET", &format!("/bank/v1/{path}"), None).await.1);
    }
    let books = world.bank.books();
    seen.push(json!([books.asked, books.moved]));
    seen
}

/// A world with an active mandate and a settled debit `d1` of 1,000 yen.
async fn with_a_debit() -> (World, String) {
    let world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await.to_string();
    let body = json!({ "reference": "d1", "mandate_id": mandate, "amount": 1_000 });
    assert_eq!(world.call("kinchaku", "POST", "/gateway/v1/debits", Some(body)).await.0, 201);
    (world, mandate)
}

fn is_problem((status, kind, body): &(u16, String, Value)) -> bool {
    let is_typed = body["type"].as_str().is_some_and(|name| name.starts_with("/problems/"));
    (400..500).contains(status) && kind == "application/problem+json" && is_typed
}

#[tokio::test]
async fn no_body_that_is_not_to_the_letter_does_anything() {
    let (world, mandate) = with_a_debit().await;
    let before = seen(&world).await;
    let mut taken = Vec::new();
    for door in doors(&mandate) {
        let mut count = 0;
        for (what, body) in bodies(&door) {
            let what = format!("{} {}: {what}", door.method, door.path);
            let answer = send(&world, &door, "application/json", body).await;
            if !is_problem(&answer) {
                taken.push(format!("{what}: {answer:?}"));
            }
            count += 1;
        }
        assert!(count > 15, "{} was asked {count} times", door.path);
        let good = door.good.to_string().into_bytes();
        let plain = send(&world, &door, "text/plain", good).await;
        assert_eq!((plain.0, &plain.2["type"]), (415, &json!("/problems/unsupported-media-type")), "{}", door.path);
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(70_000)).into_bytes();
        let large = send(&world, &door, "application/json", large).await;
        assert_eq!((large.0, &large.2["type"]), (413, &json!("/problems/too-large")), "{}", door.path);
        let nobody = Door { who: ("x-nobody", "x"), ..door };
        let good = nobody.good.to_string().into_bytes();
        let refused = send(&world, &nobody, "application/json", good).await;
        assert_eq!((refused.0, &refused.2["type"]), (401, &json!("/problems/unauthenticated")), "{}", nobody.path);
    }
    assert_eq!(taken, Vec::<String>::new());
    assert_eq!(seen(&world).await, before, "nothing was changed, and no bank was asked");
}

#[tokio::test]
async fn what_is_another_operators_or_nobodys_is_not_found() {
    let (world, mandate) = with_a_debit().await;
    let before = seen(&world).await;
    let (_, own) = world.call("kinchaku", "GET", &format!("/gateway/v1/mandates/{mandate}"), None).await;
    let account = own["account_ref"].clone();
    let unknown = format!("gmd_{}", "0".repeat(32));
    let asks = |mandate: &str| {
        vec![
            ("GET", format!("mandates/{mandate}"), Value::Null),
            ("POST", format!("mandates/{mandate}/revoke"), json!({ "reason": "unneeded" })),
            ("POST", "debits".into(), json!({ "reference": "x", "mandate_id": mandate, "amount": 1 })),
            ("POST", "credits".into(), json!({ "reference": "x", "mandate_id": mandate, "amount": 1 })),
            ("POST", "credits".into(), json!({ "reference": "x", "account_ref": account, "amount": 1 })),
            ("POST", "debits/d1/return".into(), json!({ "reference": "x", "amount": 1 })),
            ("GET", "debits/d1".into(), Value::Null),
            ("GET", "credits/d1".into(), Value::Null),
            ("GET", "returns/d1".into(), Value::Null),
        ]
    };
    for named in [mandate.as_str(), &unknown, "gmd_", "d1", "..%2f..", "%00", "%ff", &"x".repeat(3_000)] {
        for (method, path, body) in asks(named) {
            let body = if body.is_null() { None } else { Some(body) };
            let (status, answer) = world.call("fukuro", method, &format!("/gateway/v1/{path}"), body).await;
            assert!(matches!(status, 400 | 404 | 414), "{method} {path}: {status} {answer}");
            let is_its = answer["type"].as_str().is_some_and(|name| name.starts_with("/problems/"));
            assert!(is_its, "{method} {path}: {status} {answer}");
        }
    }
    for path in ["revoke", "confirm", "decide", "letter"] {
        let body = match path {
            "revoke" => json!({ "reason": "fraud" }),
            "confirm" => json!({ "channel": "bank_app", "reason": "a test" }),
            "decide" => json!({ "accept": true, "reason": "a test" }),
            _ => json!({}),
        };
        let other = [("authorization", "Bearer other-bank-desk")];
        let path = format!("/bank/v1/mandates/{mandate}/{path}");
        let (status, answer) = world.call_with(&other, "POST", &path, Some(body)).await;
        assert_eq!((status, &answer["type"]), (404, &json!("/problems/unknown")), "{path}");
    }
    assert_eq!(seen(&world).await, before);
}

#[tokio::test]
async fn a_reference_means_one_thing_for_ever() {
    let (world, mandate) = with_a_debit().await;
    let post = async |path: &str, body: Value| {
        let (status, answer) = world.call("kinchaku", "POST", &format!("/gateway/v1/{path}"), Some(body)).await;
        (status, answer["type"].as_str().unwrap_or_default().to_owned())
    };
    let taken = (409, "/problems/reference-taken".to_owned());
    let other = world.link("kinchaku", "w2", "7654321", STRONG).await.to_string();
    assert_eq!(post("debits", json!({ "reference": "d1", "mandate_id": mandate, "amount": 1_001 })).await, taken);
    assert_eq!(post("debits", json!({ "reference": "d1", "mandate_id": other, "amount": 1_000 })).await, taken);
    assert_eq!(post("debits", json!({ "reference": "d1", "mandate_id": mandate, "amount": 1_000 })).await.0, 201);
    assert_eq!(post("credits", json!({ "reference": "c1", "mandate_id": mandate, "amount": 10 })).await.0, 201);
    assert_eq!(post("credits", json!({ "reference": "c1", "mandate_id": mandate, "amount": 11 })).await, taken);
    assert_eq!(post("debits/d1/return", json!({ "reference": "r1", "amount": 10 })).await.0, 201);
    assert_eq!(post("debits/d1/return", json!({ "reference": "r1", "amount": 11 })).await, taken);
    let moved: Vec<i64> = world.bank.books().moved.values().copied().collect();
    assert_eq!((moved.len(), moved.iter().sum::<i64>()), (3, 1_020), "each moved once");
    for (amount, kind) in [(0, "amount-zero"), (100_001, "over-limit"), (1_000_001, "over-limit")] {
        let body = json!({ "reference": "d2", "mandate_id": mandate, "amount": amount });
        assert_eq!(post("debits", body).await, (422, format!("/problems/{kind}")), "{amount} yen");
    }
}

/// A bank's own word, signed with `secret`.
async fn said(world: &World, path: &str, secret: &str, sent_ms: i64, body: &[u8]) -> (u16, Value) {
    let body = Bytes::copy_from_slice(body);
    let key = Key::parse(secret).expect("a key");
    let mut request = Request::post(format!("http://gateway.localhost:8080/gateway/v1/{path}"));
    for (name, value) in webhook::headers(&[key], "msg-1", T0.plus_milliseconds(sent_ms), &body) {
        request = request.header(name, value);
    }
    let answer =
        world.routers.call(request.body(body).expect("a request"), Bounds::default()).await.expect("an answer");
    (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or(Value::Null))
}

#[tokio::test]
async fn what_a_bank_says_is_read_to_the_letter_too() {
    let (world, _) = with_a_debit().await;
    let before = seen(&world).await;
    let reference = world.bank.books().moved.keys().next().expect("it moved").clone();
    let callback = json!({ "kind": "debit", "reference": reference, "outcome": "settled", "code": 0, "amount": 1_000 });
    let attempt = json!({ "attempt": "a", "outcome": "failed", "account_token": "t", "value_token": "v" });
    let forged = "whsec_Zm9yZ2VkZm9yZ2VkZm9yZ2VkZm9yZ2Vk";
    for (path, good) in [("bank-callbacks", &callback), ("bank-attempts", &attempt)] {
        let own = format!("{path}/{BANK}");
        let whole = good.to_string().into_bytes();
        for (what, path, secret, sent_ms) in [
            ("a forged one", own.as_str(), forged, 0),
            ("an old one", own.as_str(), SECRET, -600_000),
            ("one of the future", own.as_str(), SECRET, 600_000),
            ("one of nobody", &format!("{path}/9999"), SECRET, 0),
            ("one of no bank", &format!("{path}/x"), SECRET, 0),
        ] {
            let (status, answer) = said(&world, path, secret, sent_ms, &whole).await;
            assert_eq!((status, answer["type"].is_string()), (401, true), "{what} to {path}: {answer}");
        }
        for member in
            good.as_object().expect("members").keys().filter(|name| !["code", "value_token"].contains(&name.as_str()))
        {
            for wrong in [Value::Null, json!({}), json!(1.5), json!("")] {
                let mut body = good.clone();
                body[member] = wrong.clone();
                let (status, answer) = said(&world, &own, SECRET, 0, body.to_string().as_bytes()).await;
                // What a bank calls an attempt is its own affair, and a word that nobody knows is no answer.
                let is_silent = status == 204 && (member == "attempt" || (member == "outcome" && wrong == ""));
                let is_problem = matches!(status, 400 | 404) && answer["type"].is_string();
                assert!(is_silent || is_problem, "{own} {body}: {status} {answer}");
            }
        }
        if path == "bank-attempts" {
            let account = json!({ "branch": "100", "kind": "ordinary", "number": "1234567" });
            let cases = [("number", json!("1234567"), 200), ("number", json!("12"), 400), ("kind", json!("x"), 400)];
            for (member, value, status) in cases {
                let mut body = good.clone();
                body["outcome"] = "challenge_required".into();
                body["first_step"] = json!({ "state": "nobody's", "account": account });
                body["first_step"]["account"][member] = value;
                assert_eq!(said(&world, &own, SECRET, 0, body.to_string().as_bytes()).await.0, status, "{body}");
            }
        }
        for body in [&b""[..], b"{", b"[]", b"\xff", b"null"] {
            assert_eq!(said(&world, &own, SECRET, 0, body).await.0, 400, "{own} {body:?}");
        }
    }
    assert_eq!(seen(&world).await, before, "{}", world.clock.now());
}
