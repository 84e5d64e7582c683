//! Whose silence it is: a bank's is that bank's alone, the gateway's is called the gateway's, and what we could not ask for a
//! reason of ours is nobody's.

use super::world::World;
use crate::links::Link;
use axum::Router;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use wallet::{BankCode, MandateId};
use web::{Bounds, Call, Problem, Routers, Transport, TransportError};

const BANK: &str = "0125";

fn bank() -> BankCode {
    BankCode::new(125).expect("a code")
}

/// The world, in which a debit by one of these mandates is taken at the gateway, and its bank never answers.
struct Mute {
    routers: Arc<Routers>,
    mandates: Mutex<BTreeSet<String>>,
}

impl Transport for Mute {
    fn call(&self, request: Request<Bytes>, bounds: Bounds) -> Call<'_> {
        let text = String::from_utf8_lossy(request.body()).into_owned();
        let mandates = self.mandates.lock().expect("nobody panicked").clone();
        if request.method() == Method::POST && mandates.iter().any(|mandate| text.contains(mandate.as_str())) {
            return Box::pin(async { Err(TransportError::TimedOut) });
        }
        self.routers.call(request, bounds)
    }
}

async fn linked() -> (World, String, String, String) {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let mandate = world.link_at(BANK, "sakura", &token, &wallet).await;
    (world, token, wallet, mandate)
}

/// A gateway that answers everything with `status`, and with a problem of this name.
fn troubled(status: u16, name: &'static str) -> Router {
    let status = StatusCode::from_u16(status).expect("a status");
    Router::new().fallback(move || async move { Problem::new(status, name, "No.", "いいえ。") })
}

#[tokio::test]
async fn our_own_trouble_with_the_gateway_is_no_banks_silence() {
    let troubles = [
        Some(troubled(429, "too-many-requests")),
        Some(troubled(401, "unauthenticated")),
        Some(troubled(403, "forbidden")),
        Some(troubled(500, "internal")),
        Some(troubled(503, "unavailable")),
        Some(Router::new().fallback(|| async { "no JSON" })),
        None,
    ];
    for trouble in troubles {
        let what = format!("{trouble:?}");
        let (world, token, wallet, mandate) = linked().await;
        let gateway = world.gateway.router();
        world.routers.add("gateway.localhost", trouble.unwrap_or_default());
        for _ in 0..5 {
            assert_eq!(world.top_up(&token, &wallet, &mandate, 500).await.status, 202, "{what}");
        }
        let refused = world.top_up(&token, &wallet, &mandate, 500).await;
        assert_eq!(refused.problem(), (503, "banks-unreachable"), "{what}: {}", refused.text);
        let service = world.server.service();
        assert_eq!(service.breakers.banks_left_alone(world.now()), 0, "{what}");
        let metrics = world.get("/metrics", None).await.text;
        assert!(metrics.contains("kinchaku_gateway_left_alone 1\n"), "{metrics}");
        assert!(metrics.contains("kinchaku_banks_left_alone 0\n"), "{metrics}");
        world.routers.add("gateway.localhost", gateway);
        world.advance(31_000);
        let first = world.top_up(&token, &wallet, &mandate, 500).await;
        assert_eq!(first.status, 201, "{what}: one good answer, and all is as before: {}", first.text);
        assert!(service.breakers.is_nobody_left_alone(world.now()), "{what}");
        for _ in 0..10 {
            world.advance(60_000);
            world.run_due().await;
        }
        assert_eq!(world.funds(&token, &wallet).await, 3_000, "{what}: each of the six, once");
    }
}

#[tokio::test]
async fn a_banks_silence_is_that_banks_alone() {
    let (mut world, token, wallet, mandate) = linked().await;
    world.gateway.with(|stand| stand.account_ref = "acr_2".into());
    let other = world.link_at("0150", "sakura", &token, &wallet).await;
    let mute = Arc::new(Mute {
        routers: Arc::clone(&world.routers),
        mandates: Mutex::new(BTreeSet::from(["\"gmd_1\"".to_owned()])),
    });
    world.calls_through(Arc::clone(&mute) as _);
    let token = world.log_in("sakura").await;
    let ask = json!({ "mandate_id": mandate, "amount": 500 });
    assert_eq!(world.prove("sakura", &token, &format!("{wallet}/top-ups"), &ask).await.status, 202);
    for _ in 0..4 {
        assert_eq!(world.top_up(&token, &wallet, &mandate, 500).await.status, 202);
    }
    assert_eq!(world.top_up(&token, &wallet, &mandate, 500).await.problem(), (503, "bank-silent"));
    let service = world.server.service();
    assert_eq!(
        (service.breakers.banks_left_alone(world.now()), service.breakers.gateway_pause(world.now())),
        (1, None)
    );
    assert_eq!(world.top_up(&token, &wallet, &other, 500).await.status, 201, "another bank goes on as ever");
    let paused = service.breakers.pause(bank(), world.now()).map(|pause| pause.is_of_all);
    assert_eq!(paused, Some(false), "and says nothing of this one");
    mute.mandates.lock().expect("nobody panicked").clear();
    world.advance(31_000);
    assert_eq!(world.top_up(&token, &wallet, &mandate, 500).await.status, 201, "it is asked again");
}

#[tokio::test]
async fn what_has_no_name_at_the_gateway_or_no_room_there_is_nobodys_silence() {
    let (world, token, wallet, mandate) = linked().await;
    let service = world.server.service();
    let id: MandateId = mandate.parse().expect("an id");
    let link = service.doors.get::<Link>(id.0).expect("the doors open").expect("it is there");
    service.doors.put(&Link { gateway_id: None, ..link.clone() }).expect("it is kept");
    for _ in 0..10 {
        assert_eq!(world.top_up(&token, &wallet, &mandate, 500).await.status, 202);
    }
    assert!(service.breakers.is_nobody_left_alone(world.now()), "a name of ours is missing");
    service.doors.put(&link).expect("it is kept");
    let gateway = world.gateway.router();
    let full = troubled(429, "too-many-open");
    let token_of_ours = gateway.clone();
    let full =
        Router::new().route("/gateway/v1/token", axum::routing::any_service(token_of_ours)).fallback_service(full);
    world.routers.add("gateway.localhost", full);
    for _ in 0..10 {
        assert_eq!(world.top_up(&token, &wallet, &mandate, 500).await.status, 202);
    }
    assert!(service.breakers.is_nobody_left_alone(world.now()), "no more is open there than may be");
    world.routers.add("gateway.localhost", gateway);
    for _ in 0..12 {
        world.advance(600_000);
        world.run_due().await;
    }
    assert_eq!(world.funds(&token, &wallet).await, 10_000, "all are asked for in the end, once");
}
