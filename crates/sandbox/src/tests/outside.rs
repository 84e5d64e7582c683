//! The inbox, the identity vendor, the clock, and who may use the sandbox's own API.

use super::world::{Answer, TOKEN, World};
use crate::Policies;
use bytes::Bytes;
use http::{Method, Request};
use serde_json::{Value, json};
use std::net::IpAddr;
use web::{Bounds, Source, Transport};

async fn wallet(world: &World, method: Method, path: &str, body: Value) -> Answer {
    let url = format!("http://sandbox.localhost:8080{path}");
    world.ask(method, &url, TOKEN, &body).await.expect("an answer")
}

fn claim(family_kana: &str) -> Value {
    json!({
        "family_name": "七海", "given_name": "花子", "family_kana": family_kana, "given_kana": "ハナコ",
        "birth_date": "1985-04-12",
    })
}

fn identify(reference: &str, family_kana: &str) -> Value {
    json!({ "reference": reference, "method": "ekyc", "claimed": claim(family_kana) })
}

#[tokio::test]
async fn a_message_is_delivered_once_and_found_by_its_address() {
    let world = World::new(Policies::AsOf2020).await;
    let message = |id: &str, to: &str| json!({ "id": id, "channel": "mail", "to": to, "subject": "s", "text": id });
    for (id, to) in [("1", "a@people.example"), ("2", "b@people.example"), ("1", "a@people.example")] {
        let answer = wallet(&world, Method::POST, "/messages/v1/messages", message(id, to)).await;
        assert_eq!(answer.status, 202);
    }
    let url = "http://sandbox.localhost/messages/v1/messages";
    let stranger = world.ask(Method::POST, url, "", &message("3", "a@people.example")).await.expect("an answer");
    assert_eq!(stranger.status, 401);
    for (path, expected) in
        [("inbox", vec!["2", "1"]), ("inbox?to=A@people.example", vec!["1"]), ("inbox?limit=1", vec!["2"])]
    {
        let inbox = world.sandbox(Method::GET, path, Value::Null).await.body;
        let texts: Vec<&str> =
            inbox["data"].as_array().expect("messages").iter().filter_map(|m| m["text"].as_str()).collect();
        assert_eq!(texts, expected, "{path}");
    }
}

#[tokio::test]
async fn the_vendor_decides_by_its_script() {
    let world = World::new(Policies::AsOf2020).await;
    let begin = |reference: &'static str| {
        let world = &world;
        async move { wallet(world, Method::POST, "/identity/v1/identifications", identify(reference, "ナナミ")).await }
    };
    let approved = begin("at-once").await;
    assert_eq!((approved.status, &approved.body["status"]), (201, &json!("approved")));
    assert_eq!(approved.body["verified"], claim("ナナミ"));
    assert_eq!(begin("at-once").await, approved, "the same reference is the same question");
    world.sandbox(Method::PUT, "identity", json!({ "script": "refuse" })).await;
    assert_eq!(begin("refused").await.body["status"], "refused");
    world.sandbox(Method::PUT, "identity", json!({ "script": "delay", "delay_seconds": 3_600 })).await;
    let delayed = begin("delayed").await.body;
    assert_eq!(delayed["status"], "pending");
    let path = format!("/identity/v1/identifications/{}", delayed["id"].as_str().expect("an id"));
    world.clock.advance(3_599).await.expect("it advances");
    assert_eq!(wallet(&world, Method::GET, &path, Value::Null).await.body["status"], "pending");
    world.told();
    world.clock.advance(1).await.expect("it advances");
    let told = world.told();
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0].1["reference"], &told[0].1["status"]), (&json!("delayed"), &json!("approved")));
    let decided = wallet(&world, Method::GET, &path, Value::Null).await.body;
    assert_eq!((&decided["status"], &decided["subject"]), (&json!("approved"), &approved.body["subject"]));
    let other = wallet(&world, Method::POST, "/identity/v1/identifications", identify("delayed", "ベツ")).await;
    assert_eq!(other.status, 409);
}

#[tokio::test]
async fn who_must_show_a_document_is_who_the_document_says() {
    let world = World::new(Policies::AsOf2020).await;
    world.sandbox(Method::PUT, "identity", json!({ "script": "document" })).await;
    let begin = async |reference: &str| {
        let answer = wallet(&world, Method::POST, "/identity/v1/identifications", identify(reference, "ナナミ")).await;
        answer.body["id"].as_str().expect("an id").to_owned()
    };
    let present = async |id: &str, document: &str| {
        let request = Request::post(format!("http://sandbox.localhost/identify/{id}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(format!("document={document}")))
            .expect("a request");
        let answer = world.routers.call(request, Bounds::default()).await.expect("an answer");
        assert_eq!(answer.status(), 303);
        wallet(&world, Method::GET, &format!("/identity/v1/identifications/{id}"), Value::Null).await.body
    };
    let document = world.hanako().await["document_number"].as_str().expect("a number").to_owned();
    let hers = present(&begin("hers").await, &document).await;
    assert_eq!((&hers["status"], &hers["verified"]), (&json!("approved"), &claim("ナナミ")));
    assert_eq!(present(&begin("made-up").await, "123456789012").await["status"], "refused");
    let accounts = world.sandbox(Method::GET, "banks/0168/accounts?limit=1", Value::Null).await.body;
    let strangers = accounts["data"][0]["document_number"].as_str().expect("a number");
    let stranger = present(&begin("a-strangers").await, strangers).await;
    assert_ne!(stranger["verified"], claim("ナナミ"), "what is verified is the document, not the claim");
    let subject = hers["subject"].as_str().expect("a subject");
    for (reference, document, status) in [("again", document.as_str(), "approved"), ("not-her", strangers, "refused")] {
        let body = json!({ "reference": reference, "subject": subject });
        let recheck = wallet(&world, Method::POST, "/identity/v1/rechecks", body).await.body;
        assert_eq!(present(recheck["id"].as_str().expect("an id"), document).await["status"], status);
    }
}

#[tokio::test]
async fn the_clock_goes_forward_only() {
    let world = World::new(Policies::AsOf2020).await;
    let post = |body: Value| world.sandbox(Method::POST, "clock", body);
    let shown = world.sandbox(Method::GET, "clock", Value::Null).await.body;
    assert_eq!(shown, json!({ "now": "2020-09-01T12:00:00+09:00", "frozen": true }));
    assert_eq!(post(json!({ "advance_seconds": 86_400 })).await.body["now"], "2020-09-02T12:00:00+09:00");
    for body in [json!({}), json!({ "advance_seconds": -1 }), json!({ "advance_seconds": 1.5 }), json!({ "set": 0 })] {
        assert_eq!(post(body.clone()).await.status, 400, "{body}");
    }
    assert_eq!(post(json!({ "freeze": false })).await.body["frozen"], false);
}

#[tokio::test]
async fn only_this_machine_and_no_foreign_page_uses_the_sandboxs_api() {
    let world = World::new(Policies::AsOf2020).await;
    for (source, header, status) in [
        ("127.0.0.1", None, 200),
        ("::1", None, 200),
        ("::ffff:127.0.0.1", None, 200),
        ("192.0.2.7", None, 403),
        ("127.0.0.1", Some(("origin", "http://sandbox.localhost:8080")), 200),
        ("127.0.0.1", Some(("origin", "http://evil.example")), 403),
        ("127.0.0.1", Some(("origin", "http://localhost:8080")), 403),
        ("127.0.0.1", Some(("origin", "null")), 403),
        ("127.0.0.1", Some(("sec-fetch-site", "cross-site")), 403),
        ("127.0.0.1", Some(("sec-fetch-site", "none")), 200),
        ("127.0.0.1", Some(("sec-fetch-mode", "navigate")), 200),
    ] {
        let mut request = Request::get("http://sandbox.localhost:8080/sandbox/v1/clock");
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let mut request = request.body(Bytes::new()).expect("a request");
        request.extensions_mut().insert(Source(source.parse::<IpAddr>().expect("an address")));
        let answer = world.routers.call(request, Bounds::default()).await.expect("an answer");
        assert_eq!(answer.status(), status, "{source} {header:?}");
    }
}

#[tokio::test]
async fn the_pages_show_who_and_what_is_there_and_say_that_it_is_simulated() {
    let world = World::new(Policies::AsOf2020).await;
    let credit = json!({ "reference": "in", "account": super::world::account(), "amount": 1_000 });
    world.bank("0125", "credits", credit).await;
    let notice = json!({
        "notice": "n", "account": super::world::account(), "text": { "ja": "<b>お知らせ</b>", "en": "A notice" },
    });
    world.bank("0125", "notices", notice).await;
    for (path, expected) in [
        ("/", "七海 花子"),
        ("/inbox", "&lt;b&gt;お知らせ"),
        ("/inbox?to=person0@people.example", "A notice"),
        ("/banks", "琉球銀行"),
        ("/banks/0125", "/banks/0125/accounts/100-ordinary-1234567"),
        ("/banks/0125/accounts/100-ordinary-1234567", "501,000"),
        ("/banks/0125?after=100-ordinary-1234567", "口座"),
        ("/clock", "2020-09-01T12:00:00+09:00"),
    ] {
        let request = Request::get(format!("http://sandbox.localhost:8080{path}")).body(Bytes::new());
        let answer = world.routers.call(request.expect("a request"), Bounds::default()).await.expect("an answer");
        let text = String::from_utf8(answer.body().to_vec()).expect("a page");
        assert_eq!((answer.status().as_u16(), text.contains(expected)), (200, true), "{path}: {text}");
        assert!(text.contains(web::page::SANDBOX.en), "{path}");
    }
    let post = Request::post("http://sandbox.localhost:8080/clock")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from_static(b"advance_seconds=3600"))
        .expect("a request");
    assert_eq!(world.routers.call(post, Bounds::default()).await.expect("an answer").status(), 303);
    assert_eq!(world.sandbox(Method::GET, "clock", Value::Null).await.body["now"], "2020-09-01T13:00:00+09:00");
}

#[tokio::test]
async fn a_shops_webhooks_are_taken_and_shown() {
    let world = World::new(Policies::AsOf2020).await;
    for (query, status) in [("", 204), ("", 204), ("?status=500", 500)] {
        let request = Request::post(format!("http://sandbox.localhost:8080/hooks/shop{query}"))
            .header("webhook-id", "msg_1")
            .header("webhook-timestamp", "1")
            .header("webhook-signature", "v1,abc")
            .body(Bytes::from_static(br#"{"type":"payment.settled"}"#))
            .expect("a request");
        assert_eq!(world.routers.call(request, Bounds::default()).await.expect("an answer").status(), status);
    }
    let inbox = world.sandbox(Method::GET, "inbox?to=hook:shop", Value::Null).await.body;
    assert_eq!(inbox["data"].as_array().map(Vec::len), Some(1), "the same attempt is one");
    let (subject, text) = (&inbox["data"][0]["subject"], &inbox["data"][0]["text"]);
    assert_eq!((subject, text), (&json!("msg_1 v1,abc"), &json!(r#"{"type":"payment.settled"}"#)));
}

#[tokio::test]
async fn a_number_has_one_inbox_however_it_is_written() {
    let world = World::new(Policies::AsOf2020).await;
    let message = json!({ "id": "1", "channel": "sms", "to": "+818012345678", "text": "t" });
    wallet(&world, Method::POST, "/messages/v1/messages", message).await;
    for (to, messages) in [("08012345678", 1), ("080-1234-5678", 1), ("%2B81 80 1234 5678", 1), ("08012345679", 0)] {
        let path = format!("inbox?to={}", to.replace(' ', "%20"));
        let inbox = world.sandbox(Method::GET, &path, Value::Null).await.body;
        assert_eq!(inbox["data"].as_array().map(Vec::len), Some(messages), "{to}");
    }
}

#[tokio::test]
async fn a_world_whose_books_have_ended_lives_and_is_not_ready() {
    let world = World::new(Policies::Raised).await;
    let ask = async |path: &str| {
        let url = format!("http://sandbox.localhost:8080{path}");
        world.ask(Method::GET, &url, "", &Value::Null).await.expect("an answer")
    };
    assert_eq!((ask("/healthz").await.status, ask("/readyz").await.status), (200, 200));
    world.sandbox.stop().expect("it stops");
    let ready = ask("/readyz").await;
    assert_eq!((ready.status, &ready.body["type"]), (503, &json!("/problems/not-ready")));
    assert_eq!(ask("/healthz").await.status, 200);
}
