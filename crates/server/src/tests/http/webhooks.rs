//! Webhooks: a shop's server hears of each payment once by id, signed, and is waited for when it is away.

use super::outside::StandingClock;
use super::world::{ORIGIN, World};
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use web::webhook::{Key, verify};

/// A shop's own server: answers as it is told, and keeps what came.
#[derive(Clone, Default)]
struct Receiver {
    answer: Arc<AtomicU16>,
    taken: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

impl Receiver {
    fn router(&self) -> Router {
        async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
            receiver.taken.lock().expect("nobody panicked").push((headers, body));
            StatusCode::from_u16(receiver.answer.load(Ordering::SeqCst)).unwrap_or(StatusCode::NO_CONTENT)
        }
        Router::new().route("/hooks", post(take)).with_state(self.clone())
    }

    fn answer(&self, status: u16) {
        self.answer.store(status, Ordering::SeqCst);
    }

    fn take(&self) -> Vec<(HeaderMap, Bytes)> {
        std::mem::take(&mut *self.taken.lock().expect("nobody panicked"))
    }
}

fn key(secret: &str) -> Key {
    Key::parse(secret).expect("a key")
}

fn now(clock: &StandingClock) -> domain::Time {
    domain::Time::from_milliseconds(clock.0.load(Ordering::SeqCst))
}

async fn endpoint(world: &World, till: &str, events: Value) -> (String, String) {
    let body = json!({ "url": "http://shop.localhost/hooks", "events": events });
    let made = world.post("/v1/webhook-endpoints", Some(till), body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    (format!("/v1/webhook-endpoints/{}", made.text("id")), made.text("secret"))
}

#[tokio::test]
async fn a_shop_hears_of_what_happens_signed_and_once() {
    let receiver = Receiver::default();
    let world = World::new();
    world.routers.add("shop.localhost", receiver.router());
    let (sakura, (shop, till)) = (world.person("sakura").await, world.shop("Soba").await);
    world.give(&sakura, 1_000).await;
    let pay = json!({ "shop_id": shop.to_string(), "amount": 100 });
    world.post(&sakura.path("/payments"), Some(&sakura.token), pay.clone()).await;
    world.advance(1_000);
    let (path, secret) = endpoint(&world, &till, json!(["payment.captured", "payment.refunded"])).await;
    let take = json!({ "payment_code": world.code(&sakura).await, "amount": 70, "reference": "order-9" });
    let paid = world.post("/v1/payments", Some(&till), take).await;
    world.post(&format!("/v1/payments/{}/refunds", paid.text("id")), Some(&till), json!({ "amount": 20 })).await;
    let held = json!({ "payment_code": world.code(&sakura).await, "amount": 30, "capture": false });
    world.post("/v1/payments", Some(&till), held).await;
    world.run_due().await;
    world.run_due().await;
    let mut taken = receiver.take();
    taken.sort_by_key(|(_, body)| !String::from_utf8_lossy(body).contains("captured"));
    let bodies: Vec<Value> = taken.iter().map(|(_, body)| serde_json::from_slice(body).expect("JSON")).collect();
    let told: Vec<_> = bodies.iter().map(|body| (body["type"].clone(), body["data"]["amount"].clone())).collect();
    let expected = [(json!("payment.captured"), json!(70)), (json!("payment.refunded"), json!(20))];
    assert_eq!(told, expected, "what was before the endpoint, and what it did not want, is not told");
    assert_eq!(bodies[0]["data"]["reference"], "order-9");
    let mut ids = Vec::new();
    for (headers, body) in &taken {
        ids.push(verify(&[key(&secret)], headers, body, now(&world.clock)).expect("it is signed"));
        assert!(verify(&[key(&secret)], headers, b"{}", now(&world.clock)).is_err());
    }
    assert_ne!(ids[0], ids[1]);
    let deliveries = world.get(&format!("{path}/deliveries"), Some(&till)).await;
    assert_eq!(deliveries.body["data"][0]["status"], "delivered", "{}", deliveries.text);
    let of = |index: usize| deliveries.body["data"][index]["event_id"].as_str().expect("an id").to_owned();
    let chosen = usize::from(of(0) != ids[0]);
    assert_eq!(of(chosen), ids[0]);

    let delivery = format!("{path}/deliveries/{}", deliveries.body["data"][chosen]["id"].as_str().expect("an id"));
    let again = world.post(&format!("{delivery}/redeliveries"), Some(&till), json!({})).await;
    assert_eq!(again.status, 202, "{}", again.text);
    world.run_due().await;
    let resent = receiver.take();
    assert_eq!(resent.iter().map(|(headers, _)| headers["webhook-id"].clone()).collect::<Vec<_>>(), [ids[0].as_str()]);
    let (_, other) = world.shop("Udon").await;
    for path in [path.clone(), delivery, format!("{path}/deliveries")] {
        assert_eq!(world.get(&path, Some(&other)).await.problem(), (404, "not-found"), "{path}");
    }
}

#[tokio::test]
async fn a_receiver_that_is_away_is_tried_for_three_days_and_its_key_can_change_meanwhile() {
    let receiver = Receiver::default();
    let world = World::new();
    world.routers.add("shop.localhost", receiver.router());
    let (sakura, (shop, till)) = (world.person("sakura").await, world.shop("Soba").await);
    world.give(&sakura, 1_000).await;
    let (path, old) = endpoint(&world, &till, json!(["*"])).await;
    receiver.answer(500);
    let pay = json!({ "shop_id": shop.to_string(), "amount": 100 });
    world.post(&sakura.path("/payments"), Some(&sakura.token), pay).await;
    world.run_due().await;
    assert_eq!(receiver.take().len(), 1);
    world.run_due().await;
    assert_eq!(receiver.take().len(), 0, "not before it is due");

    let rotated = world.post(&format!("{path}/secret-rotations"), Some(&till), json!({})).await;
    let new = rotated.text("secret");
    world.advance(8_000);
    world.run_due().await;
    let (headers, body) = receiver.take().pop().expect("the second attempt");
    for secret in [&old, &new] {
        assert!(verify(&[key(secret)], &headers, &body, now(&world.clock)).is_ok(), "both sign while they overlap");
    }
    let mut attempts = 2;
    for _ in 0..40 {
        world.advance(4 * 3_600_000);
        world.run_due().await;
        let taken = receiver.take();
        if let Some((headers, body)) = taken.last().filter(|_| attempts > 8) {
            assert!(verify(&[key(&new)], headers, body, now(&world.clock)).is_ok());
            assert!(verify(&[key(&old)], headers, body, now(&world.clock)).is_err(), "the old one signs no more");
        }
        attempts += taken.len();
    }
    assert_eq!(attempts, 10, "the whole schedule, and no more");
    let deliveries = world.get(&format!("{path}/deliveries"), Some(&till)).await;
    assert_eq!(deliveries.body["data"][0]["status"], "failed");
    let shown = world.get(&path, Some(&till)).await;
    assert_eq!((shown.text("status").as_str(), shown.text("disabled_because").as_str()), ("disabled", "failing"));
}

#[tokio::test]
async fn nobody_makes_us_call_our_own_network() {
    let world = World::new();
    let (_, till) = world.shop("Soba").await;
    for url in [
        "https://127.0.0.1/",
        "http://localhost:8080/v1/banks",
        "https://169.254.169.254/",
        "https://10.0.0.1/",
        "file:///etc",
    ] {
        let body = json!({ "url": url, "events": ["*"] });
        let answer = world.post("/v1/webhook-endpoints", Some(&till), body).await;
        assert_eq!((answer.problem(), &answer.body["member"]), ((400, "malformed"), &json!("url")), "{url}");
    }
    let (key, body) = (world.key(), json!({ "url": "http://shop.localhost/hooks", "events": ["*"] }));
    assert_eq!(world.post_with("/v1/webhook-endpoints", Some(&till), &key, &body).await.status, 201);
    let again = world.post_with("/v1/webhook-endpoints", Some(&till), &key, &body).await;
    assert_eq!(again.problem(), (409, "shown-once"), "a key is shown once: {}", again.text);
    let wrong = json!({ "url": "http://shop.localhost/hooks", "events": ["payment.lost"] });
    assert_eq!(world.post("/v1/webhook-endpoints", Some(&till), wrong).await.problem(), (400, "malformed"));
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_left_alone() {
    let receiver = Receiver::default();
    let world = World::new();
    world.routers.add("shop.localhost", receiver.router());
    let (sakura, (shop, till)) = (world.person("sakura").await, world.shop("Soba").await);
    world.give(&sakura, 1_000).await;
    let (path, _) = endpoint(&world, &till, json!(["*"])).await;
    receiver.answer(410);
    for _ in 0..2 {
        let pay = json!({ "shop_id": shop.to_string(), "amount": 10 });
        world.post(&sakura.path("/payments"), Some(&sakura.token), pay).await;
        world.run_due().await;
        world.advance(10_000);
    }
    assert_eq!(receiver.take().len(), 1);
    assert_eq!(world.get(&path, Some(&till)).await.text("disabled_because"), "gone");
    receiver.answer(204);
    assert_eq!(world.post(&format!("{path}/enable"), Some(&till), json!({})).await.text("status"), "enabled");
    let pay = json!({ "shop_id": shop.to_string(), "amount": 10 });
    world.post(&sakura.path("/payments"), Some(&sakura.token), pay).await;
    world.run_due().await;
    assert_eq!(receiver.take().len(), 1);
    assert_eq!(world.delete(&path, Some(&till)).await.status, 204);
    assert_eq!(world.get(&path, Some(&till)).await.problem(), (404, "not-found"));
}

#[tokio::test]
async fn an_endpoint_is_changed_by_whoever_saw_it_as_it_is() {
    let (receiver, world) = (Receiver::default(), World::new());
    world.routers.add("shop.localhost", receiver.router());
    let (sakura, (_, till)) = (world.person("sakura").await, world.shop("Soba").await);
    world.give(&sakura, 1_000).await;
    let (path, _) = endpoint(&world, &till, json!(["payment.refunded"])).await;
    let shown = world.get(&path, Some(&till)).await;
    let tag = shown.headers["etag"].to_str().expect("a tag").to_owned();
    let change = async |tag: Option<&str>, token: &str, kind: &str, body: &str| {
        let mut request = http::Request::patch(format!("{ORIGIN}{path}"))
            .header("content-type", kind)
            .header("authorization", format!("Bearer {token}"));
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        world.send(request.body(Bytes::from(body.to_owned())).expect("a request")).await
    };
    let (merge, events) = ("application/merge-patch+json", r#"{"events":["payment.captured"]}"#);
    let (_, other) = world.shop("Udon").await;
    for (tag, token, kind, body, expected) in [
        (None, &till, merge, events, (428, "precondition-required")),
        (Some("\"other\""), &till, merge, events, (412, "precondition-failed")),
        (Some(tag.as_str()), &other, merge, events, (404, "not-found")),
        (Some(tag.as_str()), &till, "text/plain", events, (415, "unsupported-media-type")),
        (Some(tag.as_str()), &till, merge, r#"{"url":"https://10.0.0.1/"}"#, (400, "malformed")),
        (Some(tag.as_str()), &till, merge, r#"{"url":null}"#, (400, "malformed")),
        (Some(tag.as_str()), &till, merge, r#"{"events":[]}"#, (400, "malformed")),
        (Some(tag.as_str()), &till, merge, r#"{"secret":"x"}"#, (400, "malformed")),
    ] {
        assert_eq!(change(tag, token, kind, body).await.problem(), expected, "{body}");
    }
    let changed = change(Some(&tag), &till, merge, events).await;
    assert_eq!((changed.status.as_u16(), &changed.body["events"][0]), (200, &json!("payment.captured")));
    assert_eq!(changed.body["url"], shown.body["url"], "what is not named stays");
    assert_eq!(change(Some(&tag), &till, merge, events).await.problem(), (412, "precondition-failed"));
    let take = json!({ "payment_code": world.code(&sakura).await, "amount": 70 });
    world.post("/v1/payments", Some(&till), take).await;
    world.run_due().await;
    assert_eq!(receiver.take().len(), 1, "from now on it is told of this");
}

#[tokio::test]
async fn a_redirect_is_followed_nowhere() {
    let world = World::new();
    let inside = Receiver::default();
    world.routers.add("inside.localhost", inside.router());
    let away = Router::new().route(
        "/hooks",
        post(|| async { (StatusCode::TEMPORARY_REDIRECT, [("location", "http://inside.localhost/hooks")]) }),
    );
    world.routers.add("shop.localhost", away);
    let (sakura, (shop, till)) = (world.person("sakura").await, world.shop("Soba").await);
    world.give(&sakura, 1_000).await;
    let (path, _) = endpoint(&world, &till, json!(["*"])).await;
    let pay = json!({ "shop_id": shop.to_string(), "amount": 100 });
    world.post(&sakura.path("/payments"), Some(&sakura.token), pay).await;
    world.run_due().await;
    let deliveries = world.get(&format!("{path}/deliveries"), Some(&till)).await;
    assert_eq!(deliveries.body["data"][0]["attempts"][0]["answered"], 307, "{}", deliveries.text);
    assert!(inside.take().is_empty());
}

/// A receiver that takes a message and says nothing until it is let go.
#[derive(Clone, Default)]
struct Silent(Arc<tokio::sync::Notify>);

impl Silent {
    fn router(&self) -> Router {
        async fn take(State(silent): State<Silent>) -> StatusCode {
            silent.0.notified().await;
            StatusCode::NO_CONTENT
        }
        Router::new().route("/hooks", post(take)).with_state(self.clone())
    }
}

#[tokio::test]
async fn a_receiver_that_says_nothing_holds_up_nobody_else() {
    let (world, silent, receiver) = (World::new(), Silent::default(), Receiver::default());
    world.routers.add("shop.localhost", silent.router());
    let (sakura, (slow, slow_till)) = (world.person("sakura").await, world.shop("Soba").await);
    world.give(&sakura, 10_000).await;
    endpoint(&world, &slow_till, json!(["*"])).await;
    let (quick, quick_till) = world.shop("Udon").await;
    world.routers.add("quick.example", receiver.router());
    let body = json!({ "url": "https://quick.example/hooks", "events": ["*"] });
    assert_eq!(world.post("/v1/webhook-endpoints", Some(&quick_till), body).await.status, 201);
    let pay = async |shop: wallet::ShopId| {
        let pay = json!({ "shop_id": shop.to_string(), "amount": 10 });
        world.post(&sakura.path("/payments"), Some(&sakura.token), pay).await;
    };
    for _ in 0..100 {
        pay(slow).await;
    }
    pay(quick).await;
    let service = world.server.service();
    service.feed_shops().await.expect("the journal is read");
    // Couriers set out and nobody waits for them: the quick one is back although the slow one never is.
    let mut taken = Vec::new();
    for round in 0..3 {
        service.begin_webhooks(now(&world.clock)).await;
        while taken.len() <= round {
            tokio::task::yield_now().await;
            taken.extend(receiver.take());
        }
        pay(quick).await;
        service.feed_shops().await.expect("the journal is read");
    }
    assert_eq!(taken.len(), 3);
    for _ in 0..200 {
        silent.0.notify_one();
        tokio::task::yield_now().await;
    }
    silent.0.notify_waiters();
}

#[tokio::test]
async fn the_operator_hears_of_what_the_desk_should_look_at() {
    let (receiver, mut world) = (Receiver::default(), World::new());
    world.routers.add("shop.localhost", receiver.router());
    let (sakura, (_, till)) = (world.person("sakura").await, world.shop("Soba").await);
    let desk = async |world: &World, method: &str, path: &str, token: &str, body: Value| {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("http://desk.localhost:8080/desk/v1{path}"))
            .header("content-type", "application/json")
            .header("idempotency-key", world.key())
            .header("authorization", format!("Bearer {token}"));
        world.send(request.body(Bytes::from(body.to_string())).expect("a request")).await
    };
    let wanted =
        json!({ "url": "http://shop.localhost/hooks", "events": ["switch.set", "claim.received", "wallet.frozen"] });
    for stranger in [&till, &sakura.token] {
        let refused = desk(&world, "POST", "/webhook-endpoints", stranger, wanted.clone()).await;
        assert_eq!(refused.problem(), (401, "unauthenticated"));
    }
    let made = desk(&world, "POST", "/webhook-endpoints", "desk-1", wanted.clone()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let secret = made.text("secret");
    let theirs = world.get(&format!("/v1/webhook-endpoints/{}", made.text("id")), Some(&till)).await;
    assert_eq!(theirs.problem(), (404, "not-found"), "a shop sees nothing of the operator's");
    let shops = world.post("/v1/webhook-endpoints", Some(&till), wanted).await;
    assert_eq!(shops.problem(), (400, "malformed"), "and is told of nothing of it");

    world.restart(false);
    world.advance(1_000);
    let stop = json!({ "function": "top_up", "bank_code": "0125", "reason": "調査中" });
    assert_eq!(desk(&world, "POST", "/switches", "desk-1", stop).await.status, 201);
    world.post(&sakura.path("/freeze"), Some(&sakura.token), json!({})).await;
    let claim = json!({ "bank_code": "0125", "dates": ["2020-09-08"], "amount": 1, "contact": "Nanami, 090" });
    let (again, path) = (world.key(), "/v1/claims");
    let mut claimed = String::new();
    for _ in 0..2 {
        claimed = world.post_with(path, None, &again, &claim).await.text("id");
    }
    world.run_due().await;
    let taken = receiver.take();
    let mut told: Vec<(String, String)> = Vec::new();
    for (headers, body) in &taken {
        verify(&[key(&secret)], headers, body, now(&world.clock)).expect("it is signed");
        let body: Value = serde_json::from_slice(body).expect("JSON");
        assert!(!body.to_string().contains("Nanami"), "nothing of a person is told: {body}");
        told.push((body["type"].as_str().expect("a type").into(), body["data"]["id"].as_str().expect("an id").into()));
    }
    told.sort();
    let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["claim.received", "switch.set", "wallet.frozen"]);
    assert_eq!(told[0].1, claimed);
}
