//! The process dies in the middle of a top-up, as by a power cut, and is started again on what its disk holds.

use super::world::{BANK, World};
use serde_json::json;

const DAY: i64 = 86_400;

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_debit_and_credit_credits_once() {
    let mut world = World::start();
    let (person, mandate) = world.linked().await;
    world.faults(BANK, json!({ "silent": true })).await;
    let top_up = world.top_up(&person, &mandate, 5_000).await;
    assert_eq!(top_up.status, 202, "{}", top_up.text);
    world.bank_moved(&person, &[-5_000]).await;
    world.served.kill_and_restart();
    assert_eq!(world.funds(&person).await, 0);
    world.faults(BANK, json!({})).await;
    world.advance(DAY).await;
    world.becomes(&person, &top_up, "settled").await;
    assert_eq!((world.funds(&person).await, world.statement(&person).await), (5_000, vec![-5_000]));
    world.ends_in_balance();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_before_the_bank_was_asked_asks_it_under_the_same_reference() {
    let mut world = World::start();
    let (person, mandate) = world.linked().await;
    world.faults(BANK, json!({ "down": true })).await;
    let top_up = world.top_up(&person, &mandate, 5_000).await;
    assert_eq!(top_up.status, 202, "{}", top_up.text);
    world.served.kill_and_restart();
    world.faults(BANK, json!({})).await;
    world.advance(3_600).await;
    world.becomes(&person, &top_up, "settled").await;
    // Killed once more behind it: nothing is asked anew.
    world.served.kill_and_restart();
    world.advance(2 * DAY).await;
    assert_eq!((world.funds(&person).await, world.statement(&person).await), (5_000, vec![-5_000]));
    world.ends_in_balance();
}
