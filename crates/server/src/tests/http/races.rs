//! Many at once: one effect where there must be one, and never more money than there is.

use super::world::World;
use serde_json::json;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Sends the same path so many times at once, each with the key that `key` gives; how many were answered with each status.
async fn at_once(
    world: &Arc<World>,
    count: usize,
    path: &str,
    token: &str,
    body: &serde_json::Value,
    key: impl Fn(usize) -> String,
) -> Vec<super::world::Answer> {
    let mut calls = JoinSet::new();
    for number in 0..count {
        let (world, path, token, body, key) =
            (Arc::clone(world), path.to_owned(), token.to_owned(), body.clone(), key(number));
        calls.spawn(async move { world.post_with(&path, Some(&token), &key, &body).await });
    }
    calls.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_payments_of_9999_on_10000_yen_one_is_made() {
    let world = Arc::new(World::new());
    let (sakura, (shop, _)) = (world.person("sakura").await, world.shop("Soba").await);
    world.give(&sakura, 10_000).await;
    let pay = json!({ "shop_id": shop.to_string(), "amount": 9_999 });
    let key = |number| format!("payment-{number}");
    let answers = at_once(&world, 1_000, &sakura.path("/payments"), &sakura.token, &pay, key).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    let refused = answers.iter().filter(|answer| answer.problem() == (422, "insufficient-funds")).count();
    assert_eq!((made, refused), (1, 999));
    assert_eq!(world.balance(&sakura).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_requests_with_one_key_are_one_payment() {
    let world = Arc::new(World::new());
    let (sakura, (shop, _)) = (world.person("sakura").await, world.shop("Soba").await);
    world.give(&sakura, 10_000).await;
    let pay = json!({ "shop_id": shop.to_string(), "amount": 7 });
    let key = |_| "the-one".to_owned();
    let answers = at_once(&world, 1_000, &sakura.path("/payments"), &sakura.token, &pay, key).await;
    let first = answers[0].text("id");
    assert!(answers.iter().all(|answer| answer.status == 201 && answer.text("id") == first));
    assert_eq!(world.balance(&sakura).await, 9_993);
    let other = json!({ "shop_id": shop.to_string(), "amount": 8 });
    let reused = world.post_with(&sakura.path("/payments"), Some(&sakura.token), "the-one", &other).await;
    assert_eq!(reused.problem(), (422, "idempotency-key-reused"));
    let haru = world.person("haru").await;
    world.give(&haru, 100).await;
    let own = world.post_with(&haru.path("/payments"), Some(&haru.token), "the-one", &pay).await;
    assert_eq!(own.status, 201, "a key is its caller's own: {}", own.text);
    assert_ne!(own.text("id"), first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_many_tills_scan_at_once_pays_one_of_them() {
    let world = Arc::new(World::new());
    let (sakura, (_, till)) = (world.person("sakura").await, world.shop("Soba").await);
    world.give(&sakura, 10_000).await;
    let take = json!({ "payment_code": world.code(&sakura).await, "amount": 100 });
    let answers = at_once(&world, 200, "/v1/payments", &till, &take, |number| format!("till-{number}")).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(world.balance(&sakura).await, 9_900);
}
