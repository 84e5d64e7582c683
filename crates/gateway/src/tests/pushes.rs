//! Where events go: whom the configuration names is called as it says, whom the desk registered on the public internet alone.

use super::world::World;
use axum::{Router, routing};
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use web::jose::SigningKey;

/// Hosts that count how often their events are taken.
fn listen(world: &World, host: &str) -> Arc<AtomicU32> {
    let calls = Arc::new(AtomicU32::new(0));
    let heard = Arc::clone(&calls);
    let take = routing::post(move || async move {
        heard.fetch_add(1, Ordering::SeqCst);
        StatusCode::ACCEPTED
    });
    world.routers.add(host, Router::new().route("/events", take));
    calls
}

fn client(id: &str, events_url: &str) -> Value {
    json!({
        "client_id": id,
        "name": { "ja": "新しい事業者", "en": "A new operator" },
        "redirect_uris": ["https://new.example/back"],
        "jwks": { "keys": [SigningKey::eddsa(&[3; 32]).public().to_value()] },
        "events_url": events_url,
    })
}

async fn register(world: &World, id: &str, events_url: &str) -> (u16, Value) {
    let desk = [("authorization", "Bearer desk")];
    world.call_with(&desk, "POST", "/gateway/v1/clients", Some(client(id, events_url))).await
}

/// Everybody is told of something.
async fn tell_all(world: &World) {
    let stop = json!({ "stopped": true, "reason": "a test" });
    let path = "/gateway/v1/banks/0125/switches/credit";
    assert_eq!(world.call_with(&[("authorization", "Bearer desk")], "PUT", path, Some(stop)).await.0, 200);
    world.work().await;
}

#[tokio::test]
async fn a_registered_operator_names_no_address_of_our_own_network() {
    let world = World::new().await;
    for url in [
        "http://localhost/events",
        "http://fukuro.localhost/events",
        "https://localhost/events",
        "https://127.0.0.1/events",
        "https://10.0.0.1/events",
        "https://[::1]/events",
        "https://192.168.1.1:8443/events",
        "https://169.254.169.254/events",
        "https://db.internal/events",
        "https://2130706433/events",
        "http://new.example/events",
    ] {
        let (status, body) = register(&world, "new", url).await;
        assert_eq!((status, &body["type"]), (422, &json!("/problems/client-settings")), "{url}: {body}");
    }
    let (status, body) = register(&world, "new", "https://new.example/events").await;
    assert_eq!(status, 201, "{body}");
}

#[tokio::test]
async fn whom_the_desk_registered_is_called_on_the_internet_and_whom_the_configuration_names_anywhere() {
    let mut world = World::new().await;
    let configured = listen(&world, "kinchaku.localhost");
    let registered = listen(&world, "new.example");
    let inside = listen(&world, "db.internal");
    assert_eq!(register(&world, "new", "https://new.example/events").await.0, 201);
    // As an older release may have taken it, which looked at addresses less closely.
    let file = world.gateway.options().directory.join("clients.json");
    let mut kept: Value = serde_json::from_slice(&std::fs::read(&file).expect("it is there")).expect("JSON");
    kept["old"] = client("old", "https://db.internal/events");
    std::fs::write(&file, kept.to_string()).expect("it is written");
    world.restart().await;
    tell_all(&world).await;
    let calls = [&configured, &registered, &inside].map(|calls| calls.load(Ordering::SeqCst));
    assert_eq!(calls, [1, 1, 0], "configured, registered, and an address of our own network");
}

#[tokio::test]
async fn there_are_as_many_clients_as_can_be_told_and_the_next_one_closes_no_door() {
    let mut world = World::new().await;
    // Two operators and two banks are told of things already.
    for number in 0..60 {
        let id = format!("new-{number}");
        assert_eq!(register(&world, &id, "https://new.example/events").await.0, 201, "{id}");
    }
    for _ in 0..2 {
        let (status, body) = register(&world, "one-too-many", "https://new.example/events").await;
        assert_eq!((status, &body["type"]), (422, &json!("/problems/clients-full")), "{body}");
        assert_eq!(register(&world, "new-7", "https://new.example/events").await.0, 201, "who is there stays");
        world.restart().await;
    }
}
