//! Turns of the due work: whose silence holds up whom.

use super::desk::call;
use super::gateway::Script;
use super::world::{World, mail};
use crate::Turn;
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use web::{Bounds, Call, Routers, Transport};

const DAY_MS: i64 = 86_400_000;
/// Nobody waits that long for anybody but the silent ones.
const PATIENCE: Duration = Duration::from_mins(1);

/// The world, in which whoever delivers letters and whoever says who people are take every question and never say a word.
struct Silence {
    routers: Arc<Routers>,
    /// One for each question.
    asked: Semaphore,
}

impl Transport for Silence {
    fn call(&self, request: Request<Bytes>, bounds: Bounds) -> Call<'_> {
        if request.uri().host() == Some("sandbox.localhost") {
            self.asked.add_permits(1);
            return Box::pin(pending());
        }
        self.routers.call(request, bounds)
    }
}

#[tokio::test]
async fn whoever_delivers_letters_delays_no_bank_no_news_and_no_days_close() {
    let mut world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let mandate = world.link("sakura", &token, &wallet).await;
    world.run_due().await;
    // A verdict that is still to come, a letter that is still to go out, and a debit that its bank has not answered.
    let holder = world.join("midori").await;
    let midori = world.log_in("midori").await;
    world.vendor.says("pending");
    let body = json!({ "method": "chip_and_face" });
    let asked = world.post(&format!("/v1/holders/{holder}/identifications"), Some(&midori), body).await;
    assert_eq!(asked.text("status"), "pending");
    world.gateway.with(|stand| stand.script = Script::Wait);
    let top_up = world.top_up(&token, &wallet, &mandate, 5_000).await.text("id");
    world.post("/v1/recoveries", None, json!({ "email": mail("midori") })).await;
    let silence = Arc::new(Silence { routers: Arc::clone(&world.routers), asked: Semaphore::new(0) });
    world.calls_through(Arc::clone(&silence) as _);

    world.advance(120_000);
    let begun = world.now();
    world.server.run_turn(Turn::Writing, begun, 100).await;
    let silenced = [Turn::Letters, Turn::People].map(|turn| {
        let server = world.server.clone();
        tokio::spawn(async move { server.run_turn(turn, begun, 100).await })
    });
    let both = silence.asked.acquire_many(2).await.expect("it is never closed");
    // The bank has debited, the gateway says so, and the day ends.
    world.gateway.with(|stand| {
        let known = stand.movements.get_mut(&top_up).expect("it was asked for");
        known["status"] = "settled".into();
        let at = begun.to_string();
        stand.events.push(json!({ "type": "debit.settled", "reference": top_up, "amount": 5_000, "n": 1, "at": at }));
    });
    world.announce();
    let others = async || {
        for turn in [Turn::Banks, Turn::Writing, Turn::Gateway, Turn::Shops, Turn::Keeping] {
            world.server.run_turn(turn, world.now(), 100).await;
        }
        tokio::task::yield_now().await;
    };
    let is_debited = async {
        let shown = async || call(&world, "GET", &format!("/movements/{top_up}"), "desk-3", None).await.text("status");
        while shown().await != "settled" {
            others().await;
        }
    };
    tokio::time::timeout(PATIENCE, is_debited).await.expect("the bank's answer waits for the silent ones");
    let until_midnight = DAY_MS - (world.now().milliseconds() + 9 * 3_600_000) % DAY_MS;
    world.advance(until_midnight + 11 * 60_000);
    let is_closed = async {
        let day = async || call(&world, "GET", "/reconciliation", "desk-3", None).await.body["data"][0].clone();
        while day().await["closed"]["told"] != 5_000 {
            others().await;
        }
    };
    tokio::time::timeout(PATIENCE, is_closed).await.expect("the day waits for the silent ones");
    for silenced in silenced {
        assert!(!silenced.is_finished(), "nobody has answered");
        silenced.abort();
        drop(silenced.await);
    }
    drop(both);
    // They speak again, and nothing that waited is lost.
    world.calls_through(Arc::clone(&world.routers) as _);
    world.vendor.says("approved");
    world.advance(120_000);
    world.run_due().await;
    // A day has passed: who was logged in is no more.
    let midori = world.log_in("midori").await;
    let known = world.get(&format!("/v1/holders/{holder}/identifications/{}", asked.text("id")), Some(&midori)).await;
    assert_eq!(known.body["status"], Value::from("approved"), "{}", known.text);
}
