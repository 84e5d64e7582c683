//! What a bank may do to a top-up, from the wallet's door to the bank's statement and back: late, silent, twice, lost, wrong,
//! not found. Whatever it is, the money moves once or not at all, and nobody is told otherwise meanwhile.

use super::browser::Browser;
use super::world::{Answer, BANK, Person, World, at};
use crate::served::Served;
use axum::http::Method;
use serde_json::{Value, json};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// Tops up 5,000 yen at a bank with `faults`; it is open then, and the purse is as empty as before.
macro_rules! begun {
    ($world:ident, $faults:expr => $person:ident, $top_up:ident) => {
        let $world = World::start();
        let ($person, mandate) = $world.linked().await;
        $world.faults(BANK, $faults).await;
        let $top_up = $world.top_up(&$person, &mandate, 5_000).await;
        assert_eq!($top_up.status, 202, "{}", $top_up.text);
        assert_eq!($world.funds(&$person).await, 0);
    };
}

async fn is_open(world: &World, person: &Person, top_up: &Answer) {
    let status = world.status(person, top_up).await;
    assert!(["pending", "in_doubt"].contains(&status.as_str()), "{status}");
    assert_eq!(world.funds(person).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_is_credited_once() {
    begun!(world, json!({ "late_seconds": 3 * HOUR }) => person, top_up);
    world.advance(2 * HOUR).await;
    is_open(&world, &person, &top_up).await;
    world.advance(2 * HOUR).await;
    world.becomes(&person, &top_up, "settled").await;
    world.advance(2 * DAY).await;
    assert_eq!((world.funds(&person).await, world.statement(&person).await), (5_000, vec![-5_000]));
    world.ends_in_balance();
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_no_answer_and_only_that_banks_affair() {
    begun!(world, json!({ "silent": true }) => person, top_up);
    world.advance(3 * DAY).await;
    is_open(&world, &person, &top_up).await;
    assert_eq!(world.statement(&person).await, [-5_000], "debited once, and given back by nobody");
    // Another bank goes on as ever.
    let other = world.person("0168").await;
    let mandate = Browser::new(&world).link(&other).await;
    assert_eq!(world.top_up(&other, &mandate, 3_000).await.status, 201);
    assert_eq!(world.funds(&other).await, 3_000);
    // It speaks again: what it did is found.
    world.faults(BANK, json!({})).await;
    world.advance(DAY).await;
    world.becomes(&person, &top_up, "settled").await;
    assert_eq!((world.funds(&person).await, world.statement(&person).await), (5_000, vec![-5_000]));
    world.ends_in_balance();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_twice_is_credited_once() {
    begun!(world, json!({ "late_seconds": HOUR, "duplicate": true }) => person, top_up);
    world.advance(2 * HOUR).await;
    world.becomes(&person, &top_up, "settled").await;
    world.advance(2 * DAY).await;
    assert_eq!((world.funds(&person).await, world.statement(&person).await), (5_000, vec![-5_000]));
    world.ends_in_balance();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_after_we_gave_up_sends_the_money_back_where_it_came_from() {
    begun!(world, json!({ "late_seconds": 3 * HOUR }) => person, top_up);
    let id = top_up.json["id"].as_str().expect("an id");
    let wished = world.post(&person, &format!("{{wallet}}/top-ups/{id}/cancel"), json!({})).await;
    assert_eq!((wished.status, &wished.json["cancel_wished"]), (202, &Value::Bool(true)), "{}", wished.text);
    is_open(&world, &person, &top_up).await;
    world.advance(4 * HOUR).await;
    world.becomes(&person, &top_up, "returned").await;
    world.faults(BANK, json!({})).await;
    world.advance(DAY).await;
    world.bank_moved(&person, &[5_000, -5_000]).await;
    assert_eq!(world.funds(&person).await, 0);
    world.ends_in_balance();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_debit_whose_answer_was_lost_is_found_by_its_reference() {
    let world = World::start();
    let (person, mandate) = world.linked().await;
    world.faults(BANK, json!({ "lose_answer_after_debit": true, "not_found_for_seconds": 600 })).await;
    // Whoever asks again under the same reference hears what was done: that may be seconds from now.
    let top_up = world.top_up(&person, &mandate, 5_000).await;
    assert_eq!(top_up.status, 202, "{}", top_up.text);
    assert_eq!(world.statement(&person).await, [-5_000], "the bank has done it");
    world.advance(HOUR).await;
    world.becomes(&person, &top_up, "settled").await;
    assert_eq!((world.funds(&person).await, world.statement(&person).await), (5_000, vec![-5_000]));
    world.ends_in_balance();
}

#[tokio::test(flavor = "multi_thread")]
async fn not_found_before_the_cut_off_is_no_answer() {
    begun!(world, json!({ "down": true }) => person, top_up);
    // It comes back within its business day and knows nothing of the reference: no end, and no second reference either.
    world.advance(60).await;
    is_open(&world, &person, &top_up).await;
    world.faults(BANK, json!({ "late_seconds": 5 * HOUR })).await;
    world.advance(4 * HOUR).await;
    is_open(&world, &person, &top_up).await;
    assert_eq!(world.statement(&person).await, [-5_000], "asked again under the same reference, it did it in silence");
    world.advance(2 * DAY).await;
    world.becomes(&person, &top_up, "settled").await;
    assert_eq!((world.funds(&person).await, world.statement(&person).await), (5_000, vec![-5_000]));
    world.ends_in_balance();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_may_come_before_the_response() {
    // The clock stands still, so the response waits for whoever advances it; callbacks do not.
    let world = World::of(Served::start_at(at(15, "12:00:00"), true));
    let (person, mandate) = world.linked().await;
    world.faults(BANK, json!({ "latency_ms": 600_000 })).await;
    let top_up = world.top_up(&person, &mandate, 5_000).await;
    world.becomes(&person, &top_up, "settled").await;
    assert_eq!(world.funds(&person).await, 5_000);
    world.faults(BANK, json!({})).await;
    world.advance(2 * DAY).await;
    assert_eq!((world.funds(&person).await, world.statement(&person).await), (5_000, vec![-5_000]));
    world.ends_in_balance();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_amount_is_credited_to_nobody_before_two_people_have_looked() {
    let world = World::start();
    let (person, mandate) = world.linked().await;
    world.faults(BANK, json!({ "wrong_amount": true })).await;
    let top_up = world.top_up(&person, &mandate, 5_000).await;
    assert!(top_up.status < 300, "{}", top_up.text);
    world.advance(2 * DAY).await;
    assert_eq!((world.funds(&person).await, world.statement(&person).await), (0, vec![-5_001]));
    assert_eq!(world.status(&person, &top_up).await, "in_doubt");
    world.ends_in_balance();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bank_never_did_ends_after_its_cut_off_and_moves_no_yen() {
    begun!(world, json!({ "down": true }) => person, top_up);
    // One question gets through that finds nothing, and then nothing does until that business day is over.
    world.faults(BANK, json!({ "error_rate": 0.97 })).await;
    world.advance(2 * DAY).await;
    world.faults(BANK, json!({})).await;
    world.advance(2 * DAY).await;
    let (status, moved) = (world.status(&person, &top_up).await, world.statement(&person).await);
    // The bank may have done it in a moment in which it answered; what it did, we have, and nothing else.
    let credited = if status == "settled" { 5_000 } else { 0 };
    assert!(["settled", "declined"].contains(&status.as_str()), "{status}");
    assert_eq!((world.funds(&person).await, -moved.iter().sum::<i64>()), (credited, credited), "{status}");
    world.ends_in_balance();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_bank_takes_back_later_is_owed_and_stops_what_goes_out() {
    let world = World::start();
    let (person, mandate) = world.linked().await;
    let top_up = world.top_up(&person, &mandate, 5_000).await;
    assert_eq!((top_up.status, world.funds(&person).await), (201, 5_000));
    let shop = world.sandbox(Method::POST, "/sandbox/v1/shops", json!({ "name": "Aoba Books" })).await;
    let pay = json!({ "shop_id": shop["id"], "amount": 2_000 });
    let paid = world.proven(&person, "{wallet}/payments", pay.clone()).await;
    assert_eq!(paid.status, 201, "{}", paid.text);
    let statement = world.sandbox(Method::GET, &format!("{}/statement", person.account_path()), Value::Null).await;
    let reference = statement["data"][0]["reference"].as_str().expect("a reference");
    let path = format!("/sandbox/v1/banks/{BANK}/movements/debit/{reference}/reverse");
    world.sandbox(Method::POST, &path, Value::Null).await;
    world.becomes(&person, &top_up, "reversed").await;
    let wallet = world.wallet(&person).await;
    assert_eq!((&wallet["balances"]["funds"], &wallet["owed"]), (&json!(0), &json!(2_000)), "{wallet}");
    let refused = world.proven(&person, "{wallet}/payments", pay).await;
    assert_eq!((refused.status, &refused.json["type"]), (409, &json!("/problems/frozen")), "{}", refused.text);
    world.ends_in_balance();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_is_frozen_meanwhile_is_credited_and_blocked() {
    begun!(world, json!({ "late_seconds": 3 * HOUR }) => person, top_up);
    let frozen = world.post(&person, "{wallet}/freeze", json!({})).await;
    assert!(frozen.status < 300, "{}", frozen.text);
    world.advance(4 * HOUR).await;
    world.becomes(&person, &top_up, "settled").await;
    assert_eq!((world.funds(&person).await, world.statement(&person).await), (5_000, vec![-5_000]));
    let shop = world.sandbox(Method::POST, "/sandbox/v1/shops", json!({ "name": "Aoba Books" })).await;
    let paid = world.proven(&person, "{wallet}/payments", json!({ "shop_id": shop["id"], "amount": 100 })).await;
    assert_eq!((paid.status, &paid.json["type"]), (409, &json!("/problems/frozen")), "{}", paid.text);
    world.ends_in_balance();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_is_only_said_to_call_moves_nothing() {
    begun!(world, json!({ "silent": true }) => person, top_up);
    let statement = world.sandbox(Method::GET, &format!("{}/statement", person.account_path()), Value::Null).await;
    let reference = &statement["data"][0]["reference"];
    let said = json!({
        "kind": "debit", "reference": reference, "outcome": "declined", "code": 1, "amount": 5_000,
        "at": "2027-09-15T12:00:00+09:00",
    });
    // Without a signature, and with the secret of another bank in its place.
    for token in [String::new(), world.served.secret("bank-0168")] {
        for path in [format!("/gateway/v1/bank-callbacks/{BANK}"), "/gateway/v1/bank-callbacks/0168".to_owned()] {
            let answer = world.ask(Method::POST, "gateway.localhost", &path, &token, said.clone()).await;
            assert_eq!(answer.status, 401, "{path}: {}", answer.text);
        }
    }
    is_open(&world, &person, &top_up).await;
    world.ends_in_balance();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_without_a_bank_is_caught_up_with_once() {
    begun!(world, json!({ "down": true }) => person, top_up);
    world.advance(HOUR).await;
    is_open(&world, &person, &top_up).await;
    assert_eq!(world.statement(&person).await, [0_i64; 0], "the bank has heard of nothing");
    world.faults(BANK, json!({})).await;
    world.advance(HOUR).await;
    world.becomes(&person, &top_up, "settled").await;
    world.advance(2 * DAY).await;
    assert_eq!((world.funds(&person).await, world.statement(&person).await), (5_000, vec![-5_000]));
    world.ends_in_balance();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_days_without_a_bank_end_what_it_never_heard_of_and_nothing_else() {
    begun!(world, json!({ "down": true }) => person, top_up);
    world.advance(DAY).await;
    is_open(&world, &person, &top_up).await;
    // Another bank goes on as ever.
    let other = world.person("0168").await;
    let mandate = Browser::new(&world).link(&other).await;
    assert_eq!(world.top_up(&other, &mandate, 3_000).await.status, 201);
    world.advance(DAY).await;
    is_open(&world, &person, &top_up).await;
    assert_eq!(world.statement(&person).await, [0_i64; 0], "nothing is owed to anybody");
    world.faults(BANK, json!({})).await;
    world.advance(DAY).await;
    // The bank never heard of it, and its business day is long over: that ends it, and it is not asked for again.
    world.becomes(&person, &top_up, "declined").await;
    world.advance(2 * DAY).await;
    assert_eq!((world.funds(&person).await, world.statement(&person).await), (0, Vec::new()));
    let later = world.linked().await;
    assert_eq!(world.top_up(&later.0, &later.1, 2_000).await.status, 201, "it is asked again");
    world.ends_in_balance();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_takes_back_its_word_changes_no_money_before_two_people_have_looked() {
    let world = World::start();
    let (person, mandate) = world.linked().await;
    let top_up = world.top_up(&person, &mandate, 5_000).await;
    assert_eq!((top_up.status, world.funds(&person).await), (201, 5_000));
    let statement = world.sandbox(Method::GET, &format!("{}/statement", person.account_path()), Value::Null).await;
    let now = world.sandbox(Method::GET, "/sandbox/v1/clock", Value::Null).await;
    let said = json!({
        "kind": "debit", "reference": statement["data"][0]["reference"], "outcome": "declined", "code": 1,
        "amount": 5_000, "at": now["now"],
    });
    assert_eq!(world.bank_calls(BANK, "bank-0125-contradiction", &said).await.status, 204);
    // The desk has it, and nobody's money has moved.
    let (risk, approver) = (world.served.secret("desk-aoki"), world.served.secret("desk-sato"));
    let id = top_up.json["id"].as_str().expect("an id");
    world
        .until("the contradiction at the desk", async || {
            let held = world.ask(Method::GET, "desk.localhost", "/desk/v1/held", &risk, Value::Null).await;
            let data = held.json["data"].as_array().cloned().unwrap_or_default();
            data.iter().any(|row| row["id"] == id && row["reasons"][0] == "contradicted")
        })
        .await;
    assert_eq!((world.funds(&person).await, world.statement(&person).await), (5_000, vec![-5_000]));
    let path = format!("/desk/v1/movements/{id}/resolution");
    let keep = |approve: bool| json!({ "resolution": "keep", "approve": approve, "reason": "銀行に確認した" });
    let alone = world.ask(Method::POST, "desk.localhost", &path, &approver, keep(true)).await;
    assert_eq!(alone.status, 409, "nobody has proposed it: {}", alone.text);
    assert_eq!(world.ask(Method::POST, "desk.localhost", &path, &risk, keep(false)).await.status, 200);
    assert_eq!(world.ask(Method::POST, "desk.localhost", &path, &approver, keep(true)).await.status, 200);
    assert_eq!((world.status(&person, &top_up).await, world.funds(&person).await), ("settled".to_owned(), 5_000));
    world.ends_in_balance();
}
