//! The day's close: what the books moved at each bank is held against what the gateway told, movement by movement.

use super::desk::call;
use super::gateway::Script;
use super::world::World;
use crate::work::KeptMovement;
use crate::work::closing::Told;
use serde_json::{Value, json};

const DAY_MS: i64 = 86_400_000;

async fn linked() -> (World, String, String, String) {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let mandate = world.link("sakura", &token, &wallet).await;
    world.run_due().await;
    (world, token, wallet, mandate)
}

/// The gateway tells of `pieces`, at the world's time, and they are read.
async fn tell(world: &World, pieces: &[Value]) {
    world.gateway.with(|stand| {
        for piece in pieces {
            let mut piece = piece.clone();
            (piece["n"], piece["at"]) = ((stand.events.len() + 1).into(), world.now().to_string().into());
            stand.events.push(piece);
        }
    });
    world.announce();
    world.run_due().await;
}

/// Lets the day end and the next one's first twenty minutes pass, and gives what the close has found.
async fn close(world: &World) -> (Value, Value) {
    let until_midnight = DAY_MS - (world.now().milliseconds() + 9 * 3_600_000) % DAY_MS;
    world.advance(until_midnight + 11 * 60_000);
    world.run_due().await;
    world.run_due().await;
    let days = call(world, "GET", "/reconciliation", "desk-3", None).await;
    (days.body["data"].clone(), differences(world).await)
}

async fn differences(world: &World) -> Value {
    call(world, "GET", "/differences", "desk-3", None).await.body["data"].clone()
}

#[tokio::test]
async fn a_day_on_which_both_say_the_same_closes_without_a_difference() {
    let (world, token, wallet, mandate) = linked().await;
    let paid = world.top_up(&token, &wallet, &mandate, 5_000).await.text("id");
    world.gateway.with(|stand| stand.script = Script::Decline(1));
    let declined = world.top_up(&token, &wallet, &mandate, 700).await.text("id");
    world.gateway.with(|stand| stand.script = Script::Wait);
    // In doubt at the day's end: on neither side.
    let waits = world.top_up(&token, &wallet, &mandate, 900).await.text("id");
    let settled = |id: &str, amount: i64| json!({ "type": "debit.settled", "reference": id, "amount": amount, "settled_amount": amount });
    let told = json!({ "type": "debit.declined", "reference": declined, "amount": 700, "code": 1 });
    tell(&world, &[settled(&paid, 5_000), told, settled(&paid, 5_000)]).await;
    let (days, differences) = close(&world).await;
    assert_eq!(differences, json!([]));
    let day = &days[0];
    assert_eq!((&day["net"], &day["balance"]), (&json!(5_000), &json!(5_000)), "{day}");
    let closed = &day["closed"];
    assert_eq!((&closed["booked"], &closed["told"], &closed["differences"]), (&json!(5_000), &json!(5_000), &json!(0)));
    let in_doubt = call(&world, "GET", "/in-doubt", "desk-3", None).await;
    assert_eq!(in_doubt.body["data"][0]["id"], waits, "{}", in_doubt.text);

    // It settles on the next day, and the bank takes the first one back.
    let reversed = json!({ "type": "debit.reversed", "reference": paid, "amount": 5_000 });
    tell(&world, &[settled(&waits, 900), reversed]).await;
    let (days, differences) = close(&world).await;
    assert_eq!(differences, json!([]));
    assert_eq!((&days[0]["net"], &days[0]["balance"]), (&json!(-4_100), &json!(900)), "{days}");
    assert_eq!(days[0]["closed"]["told"], 900);
}

#[tokio::test]
async fn what_the_gateway_never_told_is_a_difference_until_it_does() {
    let (world, token, wallet, mandate) = linked().await;
    let paid = world.top_up(&token, &wallet, &mandate, 5_000).await.text("id");
    let (days, found) = close(&world).await;
    assert_eq!(days[0]["closed"]["differences"], 1, "{days}");
    assert_eq!((&found[0]["id"], &found[0]["booked"], &found[0]["told"]), (&json!(paid), &json!(5_000), &json!(0)));
    assert_eq!(found[0]["stands"], false, "its news may be on their way");
    assert!(world.get("/metrics", None).await.text.contains("kinchaku_bank_differences 1"));
    world.advance(11 * 60_000);
    world.run_due().await;
    assert_eq!(differences(&world).await[0]["stands"], true);
    let told = json!({ "type": "debit.settled", "reference": paid, "amount": 5_000, "settled_amount": 5_000 });
    tell(&world, &[told]).await;
    assert_eq!(differences(&world).await, json!([]), "now they agree");
}

#[tokio::test]
async fn another_amount_and_a_return_that_the_books_do_not_have_are_differences() {
    let (world, token, wallet, mandate) = linked().await;
    let paid = world.top_up(&token, &wallet, &mandate, 5_000).await.text("id");
    let told = json!({ "type": "debit.settled", "reference": paid, "amount": 5_000, "settled_amount": 4_000 });
    tell(&world, &[told]).await;
    let (_, found) = close(&world).await;
    assert_eq!((&found[0]["booked"], &found[0]["told"]), (&json!(5_000), &json!(4_000)), "{found}");
    let held = call(&world, "GET", "/held", "desk-3", None).await;
    assert_eq!(
        held.body["data"][0]["reasons"],
        json!(["contradicted"]),
        "the books were told, and wait for two people"
    );
}

#[tokio::test]
async fn no_day_is_closed_while_the_gateway_is_away() {
    let (world, token, wallet, mandate) = linked().await;
    world.top_up(&token, &wallet, &mandate, 5_000).await;
    let gateway = world.gateway.router();
    world.routers.add("gateway.localhost", axum::Router::new());
    let (days, found) = close(&world).await;
    assert_eq!((&days[0]["closed"], &found), (&Value::Null, &json!([])), "its news are not read");
    world.routers.add("gateway.localhost", gateway);
    world.advance(60_000);
    world.run_due().await;
    world.run_due().await;
    let days = call(&world, "GET", "/reconciliation", "desk-3", None).await;
    assert_eq!(days.body["data"][0]["closed"]["differences"], 1, "{}", days.text);
}

#[tokio::test]
async fn both_sides_of_a_movement_are_dropped_400_days_after_the_last_word_on_it() {
    let (world, token, wallet, mandate) = linked().await;
    let paid = world.top_up(&token, &wallet, &mandate, 5_000).await.text("id");
    let differs = world.top_up(&token, &wallet, &mandate, 900).await.text("id");
    let settled = |id: &str, amount: i64| json!({ "type": "debit.settled", "reference": id, "amount": amount, "settled_amount": amount });
    tell(&world, &[settled(&paid, 5_000), settled(&differs, 901)]).await;
    close(&world).await;
    let kept = || {
        let service = world.server.service();
        let kept = |id: &str| {
            let about = id.parse::<wallet::TopUpId>().expect("an id").0;
            let booked = service.work.get::<KeptMovement>(about).expect("the file opens");
            (booked.is_some(), service.doors.get::<Told>(about).expect("the doors open").is_some())
        };
        (kept(&paid), kept(&differs))
    };
    world.advance(399 * DAY_MS);
    for _ in 0..20 {
        world.run_due().await;
    }
    assert_eq!(kept(), ((true, true), (true, true)));
    world.advance(2 * DAY_MS);
    world.run_due().await;
    world.run_due().await;
    assert_eq!(kept(), ((false, false), (true, true)), "what differs stays");
}
