//! How a bank misbehaves when it is told to, and that the money is right all the same.

use super::world::{World, account};
use crate::Policies;
use http::Method;
use serde_json::{Value, json};
use web::TransportError;

async fn broken(faults: Value) -> World {
    let world = World::new(Policies::AsOf2020).await;
    assert_eq!(world.sandbox(Method::PUT, "banks/0125/faults", faults).await.status, 200);
    world
}

fn debit() -> Value {
    json!({ "reference": "r", "account": account(), "amount": 10_000 })
}

async fn balance(world: &World) -> i64 {
    world.hanako().await["balance"].as_i64().expect("a balance")
}

#[tokio::test]
async fn a_bank_that_is_down_does_nothing_and_the_next_bank_goes_on() {
    let world = broken(json!({ "down": true })).await;
    assert_eq!(world.bank("0125", "debits", debit()).await.status, 503);
    assert_eq!(balance(&world).await, 500_000);
    assert_eq!(world.bank("0168", "about", Value::Null).await.status, 200);
    let faults = world.sandbox(Method::PUT, "banks/0125/faults", json!({ "error_rate": 1 })).await.body;
    assert_eq!((&faults["faults"]["down"], &faults["faults"]["error_rate"]), (&json!(false), &json!(1.0)));
    assert_eq!(world.bank("0125", "debits", debit()).await.status, 503);
    world.sandbox(Method::PUT, "banks/0125/faults", json!({})).await;
    assert_eq!(world.bank("0125", "debits", debit()).await.body["outcome"], "settled");
    for bad in [json!({ "error_rate": 2 }), json!({ "late_seconds": 99_999_999 }), json!({ "on_fire": true })] {
        assert!(world.sandbox(Method::PUT, "banks/0125/faults", bad).await.status >= 400);
    }
}

#[tokio::test]
async fn a_lost_answer_leaves_a_debit_that_an_inquiry_finds() {
    for (faults, error) in [
        (json!({ "lose_answer_after_debit": true }), TransportError::Broken("connection reset".into())),
        (json!({ "silent": true }), TransportError::TimedOut),
        (json!({ "latency_ms": 60_000 }), TransportError::TimedOut),
    ] {
        let world = broken(faults).await;
        assert_eq!(world.bank_tried("0125", "debits", debit()).await, Err(error));
        assert_eq!(balance(&world).await, 490_000);
        world.sandbox(Method::PUT, "banks/0125/faults", json!({})).await;
        assert_eq!(world.bank("0125", "debits/r", Value::Null).await.body["outcome"], "settled");
        assert_eq!(world.bank("0125", "debits", debit()).await.body["outcome"], "settled");
        assert_eq!(balance(&world).await, 490_000);
    }
}

#[tokio::test]
async fn a_late_bank_answers_when_its_time_has_come() {
    let world = broken(json!({ "late_seconds": 3_600 })).await;
    assert_eq!(world.bank_tried("0125", "debits", debit()).await, Err(TransportError::TimedOut));
    let inquiry = world.bank("0125", "debits/r", Value::Null).await;
    assert_eq!((inquiry.status, &inquiry.body["cut_off_passed"]), (404, &json!(false)));
    world.clock.advance(3_599).await.expect("it advances");
    assert_eq!(world.bank("0125", "debits/r", Value::Null).await.status, 404);
    assert_eq!(world.told(), []);
    world.clock.advance(1).await.expect("it advances");
    assert_eq!(world.bank("0125", "debits/r", Value::Null).await.body["outcome"], "settled");
    let told = world.told();
    let expected = json!({
        "kind": "debit", "reference": "r", "outcome": "settled", "code": 0, "amount": 10_000,
        "at": "2020-09-01T12:00:00+09:00",
    });
    assert_eq!(told.iter().map(|(_, body)| body).collect::<Vec<_>>(), [&expected]);
}

#[tokio::test]
async fn a_bank_may_not_find_what_it_has_done() {
    let world = broken(json!({ "not_found_for_seconds": 600 })).await;
    assert_eq!(world.bank("0125", "debits", debit()).await.body["outcome"], "settled");
    let inquiry = world.bank("0125", "debits/r", Value::Null).await;
    assert_eq!((inquiry.status, &inquiry.body["cut_off_passed"]), (404, &json!(false)));
    world.clock.advance(600).await.expect("it advances");
    assert_eq!(world.bank("0125", "debits/r", Value::Null).await.body["outcome"], "settled");
}

#[tokio::test]
async fn a_wrong_amount_is_booked_and_said_as_it_was_booked() {
    let world = broken(json!({ "wrong_amount": true })).await;
    assert_eq!(world.bank("0125", "debits", debit()).await.body["amount"], 10_001);
    assert_eq!(world.bank("0125", "debits", debit()).await.body["amount"], 10_001);
    assert_eq!(balance(&world).await, 489_999);
}

#[tokio::test]
async fn callbacks_come_once_or_twice_and_again_until_they_are_taken() {
    let world = broken(json!({ "duplicate": true })).await;
    world.bank("0125", "debits", debit()).await;
    world.clock.advance(0).await.expect("it advances");
    let told = world.told();
    assert_eq!(told.len(), 2);
    assert_eq!(told[0], told[1], "the same message under the same id");
    world.sandbox(Method::PUT, "banks/0125/faults", json!({ "silent": true })).await;
    world.sandbox(Method::POST, "banks/0125/movements/debit/r/reverse", Value::Null).await;
    world.clock.advance(60).await.expect("it advances");
    assert_eq!(world.told(), []);
    world.sandbox(Method::PUT, "banks/0125/faults", json!({})).await;
    world.clock.advance(3_600).await.expect("it advances");
    let told = world.told();
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0].1["kind"], &told[0].1["amount"]), (&json!("reversal"), &json!(10_000)));
}

#[tokio::test]
async fn a_bank_refuses_credits_books_them_twice_or_only_says_that_it_did() {
    for (fault, outcome, moved) in [("refused", "declined", 0), ("twice", "settled", 2), ("unmade", "settled", 0)] {
        let world = broken(json!({ "credits": fault })).await;
        for _ in 0..2 {
            assert_eq!(world.bank("0125", "credits", debit()).await.body["outcome"], outcome, "{fault}");
        }
        assert_eq!(balance(&world).await, 500_000 + moved * 10_000, "{fault}");
        assert_eq!(world.bank("0125", "debits", debit()).await.body["outcome"], "settled");
        assert_eq!(balance(&world).await, 490_000 + moved * 10_000, "{fault}");
    }
    let world = broken(json!({ "credits": "twice" })).await;
    let both = json!({ "credits": "twice", "wrong_amount": true });
    assert_eq!(world.sandbox(Method::PUT, "banks/0125/faults", both).await.status, 400);
}
