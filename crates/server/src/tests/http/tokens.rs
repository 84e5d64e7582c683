//! A shop's tokens, and a holder's sessions: what opens, since when, until when.

use super::world::{World, mail, password};
use serde_json::json;

#[tokio::test]
async fn a_token_is_replaced_without_a_gap_and_one_that_got_about_ends_at_once() {
    let mut world = World::new();
    let (shop, first) = world.shop("Soba").await;
    let opens = async |world: &World, token: &str| world.get("/v1/payments", Some(token)).await.status == 200;
    assert!(opens(&world, &first).await);
    let key = world.key();
    let made = world.post_with("/v1/tokens", Some(&first), &key, &json!({})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let again = world.post_with("/v1/tokens", Some(&first), &key, &json!({})).await;
    assert_eq!((again.problem(), again.text("id")), ((409, "shown-once"), made.text("id")));
    let second = made.text("token");
    assert!(opens(&world, &first).await && opens(&world, &second).await, "both open while they overlap");
    world.restart(false);
    world.advance(24 * 60 * 60 * 1_000);
    assert!(!opens(&world, &first).await && opens(&world, &second).await, "a day later one does");
    let only = world.get("/v1/tokens", Some(&second)).await;
    assert_eq!(only.body["data"].as_array().map(Vec::len), Some(1), "{}", only.text);
    let path = format!("/v1/tokens/{}", made.text("id"));
    assert_eq!(world.delete(&path, Some(&second)).await.problem(), (409, "last-token"));

    let third = world.post("/v1/tokens", Some(&second), json!({})).await.text("token");
    let (_, stranger) = world.shop("Udon").await;
    assert_eq!(world.delete(&path, Some(&stranger)).await.problem(), (404, "not-found"));
    assert_eq!(world.delete(&path, Some(&third)).await.status, 204);
    assert!(!opens(&world, &second).await && opens(&world, &third).await, "it got about, and is over");
    let desk = format!("http://desk.localhost:8080/desk/v1/shops/{shop}/tokens");
    let request = http::Request::post(desk)
        .header("content-type", "application/json")
        .header("idempotency-key", world.key())
        .header("authorization", "Bearer desk-1");
    let lost = world.send(request.body("{}".into()).expect("a request")).await;
    assert_eq!(lost.status, 201, "{}", lost.text);
    assert!(opens(&world, &lost.text("token")).await);
}

#[tokio::test]
async fn a_holder_sees_where_they_are_logged_in_and_when_it_was_last_used() {
    let mut world = World::new();
    world.join("sakura").await;
    let (one, two) = (world.log_in("sakura").await, world.log_in("sakura").await);
    let began = world.get("/v1/sessions", Some(&one)).await;
    assert_eq!(began.body["data"][0]["last_seen_at"], began.body["data"][0]["opened_at"], "{}", began.text);
    assert_eq!(began.body["data"][0]["device"], json!(null));
    world.advance(60 * 60 * 1_000);
    assert_eq!(world.get("/v1/sessions", Some(&two)).await.status, 200);
    world.run_due().await;
    world.restart(false);
    world.advance(1_000);
    let listed = world.get("/v1/sessions", Some(&one)).await;
    let of = |current: bool| {
        let data = listed.body["data"].as_array().expect("a list");
        data.iter().find(|session| session["current"] == current).expect("a session")["last_seen_at"].clone()
    };
    assert_eq!(
        of(false),
        "2026-01-01T01:00:00+09:00[Asia/Tokyo]".split('[').next().expect("a time"),
        "{}",
        listed.text
    );
    assert_ne!(of(true), of(false));
    // An old session of another login stays what it was.
    let body = json!({ "email": mail("sakura"), "password": password("sakura") });
    assert_eq!(world.post("/v1/sessions", None, body).await.status, 201);
}

#[tokio::test]
async fn a_key_that_was_used_for_one_secret_makes_none_elsewhere() {
    let world = World::new();
    let (soba, till) = world.shop("Soba").await;
    let (udon, _) = world.shop("Udon").await;
    let key = world.key();
    let at_desk = async |path: String| {
        let request = http::Request::post(format!("http://desk.localhost:8080/desk/v1/shops/{path}/tokens"))
            .header("content-type", "application/json")
            .header("idempotency-key", &key)
            .header("authorization", "Bearer desk-1");
        world.send(request.body("{}".into()).expect("a request")).await
    };
    let made = at_desk(soba.to_string()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(at_desk(udon.to_string()).await.problem(), (422, "idempotency-key-reused"));
    let again = at_desk(soba.to_string()).await;
    assert_eq!((again.problem(), again.text("id")), ((409, "shown-once"), made.text("id")));

    let mut rotations = Vec::new();
    for name in ["one", "two"] {
        let hook = json!({ "url": format!("http://shop.localhost/{name}"), "events": ["*"] });
        let endpoint = world.post("/v1/webhook-endpoints", Some(&till), hook).await;
        assert_eq!(endpoint.status, 201, "{}", endpoint.text);
        rotations.push(format!("/v1/webhook-endpoints/{}/secret-rotations", endpoint.text("id")));
    }
    let rotate = async |path: &str| world.post_with(path, Some(&till), &key, &json!({})).await;
    assert_eq!(rotate(&rotations[0]).await.status, 201);
    assert_eq!(rotate(&rotations[1]).await.problem(), (422, "idempotency-key-reused"));
    assert_eq!(rotate(&rotations[0]).await.problem(), (409, "shown-once"));
}
