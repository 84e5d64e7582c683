//! Webhooks: a shop's server hears of each payment once by id, signed, and is waited for when it is away.

use super::outside::StandingClock;
use super::world::World;
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
