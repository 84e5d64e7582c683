//! Banks that are closed: what is asked for waits, nothing is sent, and everybody can see until when.

use super::bank::Mood;
use super::world::{BANK, World};
use crate::domain::movement::{self, Kind, Outcome, Source};
use crate::domain::{BankCode, Command, Factor};
use ledger::Yen;
use serde_json::{Value, json};

const STRONG: &[Factor] = &[Factor::Account, Factor::Pin, Factor::OneTimePassword];
const HOUR_MS: i64 = 3_600_000;

async fn set(world: &World, calendar: &Value) -> (u16, Value) {
    let desk = [("authorization", "Bearer bank-desk")];
    world.call_with(&desk, "PUT", "/bank/v1/calendar", Some(calendar.clone())).await
}

/// Maintenance from eleven until two; the world's clock begins at noon.
fn maintenance() -> Value {
    let window =
        json!({ "from": "2026-09-15T11:00:00+09:00", "until": "2026-09-15T14:00:00+09:00", "reason": "定期点検" });
    json!({ "maintenance": [window] })
}

async fn ask(world: &World, mandate: &str, what: &str) -> (u16, Value) {
    let body = json!({ "reference": "one", "mandate_id": mandate, "amount": 1_000 });
    world.call("kinchaku", "POST", &format!("/gateway/v1/{what}"), Some(body)).await
}

async fn status(world: &World, what: &str) -> Value {
    world.call("kinchaku", "GET", &format!("/gateway/v1/{what}/one"), None).await.1["status"].clone()
}

#[tokio::test]
async fn what_is_asked_of_a_closed_bank_waits_until_it_opens() {
    let mut world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await.to_string();
    assert_eq!(set(&world, &maintenance()).await.0, 200);
    for what in ["debits", "credits"] {
        let (code, body) = ask(&world, &mandate, what).await;
        assert_eq!((code, &body["status"]), (202, &json!("pending")), "{what}: {body}");
    }
    let (_, banks) = world.call("kinchaku", "GET", "/gateway/v1/banks", None).await;
    let shown = &banks["data"][0];
    assert_eq!((&shown["is_open"], &shown["opens_at"]), (&json!(false), &json!("2026-09-15T14:00:00+09:00")));
    assert_eq!(shown["calendar"]["maintenance"], maintenance()["maintenance"]);
    assert_eq!((&banks["data"][1]["is_open"], &banks["data"][1]["opens_at"]), (&json!(true), &Value::Null));
    for _ in 0..2 {
        world.pass(HOUR_MS - 1_000);
        world.work().await;
        world.restart().await;
        world.work().await;
    }
    assert!(world.bank.books().asked.is_empty() && world.bank.books().inquiries == 0, "nothing was sent");
    assert_eq!((status(&world, "debits").await, status(&world, "credits").await), (json!("pending"), json!("pending")));
    world.pass(2_000);
    world.work().await;
    assert_eq!((status(&world, "debits").await, status(&world, "credits").await), (json!("settled"), json!("settled")));
    assert!(world.bank.books().asked.values().all(|asked| *asked == 1));
}

/// The usual course of a victim who goes to the bank as well: it takes the debit back while what is given back of it waits.
#[tokio::test]
async fn what_the_bank_takes_back_by_itself_is_not_given_back_when_it_opens() {
    let world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await.to_string();
    ask(&world, &mandate, "debits").await;
    assert_eq!(set(&world, &maintenance()).await.0, 200);
    let body = json!({ "reference": "back", "amount": 600 });
    let (code, body) = world.call("kinchaku", "POST", "/gateway/v1/debits/one/return", Some(body)).await;
    assert_eq!((code, &body["status"]), (202, &json!("pending")), "{body}");
    let movement = world.gateway.movement_id(world.operator("kinchaku"), Kind::Debit, "one");
    let bank: BankCode = BANK.parse().expect("a code");
    let (outcome, source) = (Outcome::Reversed { amount: Yen::new(1_000) }, Source::Callback);
    let command = movement::Command::Answer { movement, bank, outcome, source };
    world.submit(Command::Movement(command)).await.expect("a bank's word");
    world.pass(3 * HOUR_MS);
    world.work().await;
    let (_, body) = world.call("kinchaku", "GET", "/gateway/v1/returns/back", None).await;
    assert_eq!((&body["status"], &body["reason"]), (&json!("declined"), &json!("stopped_by_collector")), "{body}");
    assert_eq!(world.bank.books().moved.len(), 1, "the debit, and nothing since");
}

#[tokio::test]
async fn a_closed_bank_is_not_asked_what_became_of_anything_and_goes_on_when_its_desk_says_so() {
    let world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await.to_string();
    world.bank.books().mood = Mood::LosesAnswers;
    ask(&world, &mandate, "debits").await;
    set(&world, &maintenance()).await;
    world.pass(HOUR_MS);
    world.work().await;
    assert_eq!(status(&world, "debits").await, "in_doubt");
    assert_eq!(world.bank.books().inquiries, 0);
    assert_eq!(set(&world, &json!({})).await.0, 200);
    world.work().await;
    assert_eq!(status(&world, "debits").await, "settled");
    let (_, events) = world.call("fukuro", "GET", "/gateway/v1/events", None).await;
    let told = events["data"].as_array().expect("events").iter().filter(|event| event["type"] == "bank.calendar");
    assert_eq!(told.count(), 2, "every operator is told of each change");
}

#[tokio::test]
async fn a_calendar_that_cannot_be_is_refused() {
    let world = World::new().await;
    let day = |opens: &str, closes: &str| json!({ "business_days": { "opens": opens, "closes": closes } });
    let window = |from: &str, until: &str, reason: &str| json!([{ "from": from, "until": until, "reason": reason }]);
    let (one, two) = ("2026-09-15T01:00:00+09:00", "2026-09-15T02:00:00+09:00");
    for wrong in [
        json!({ "hours": day("21:00", "08:00") }),
        json!({ "hours": day("8:00", "21:00") }),
        json!({ "hours": day("08:00", "24:01") }),
        json!({ "hours": day("08:60", "21:00") }),
        json!({ "hours": { "sundays": null } }),
        json!({ "maintenance": window(two, one, "x") }),
        json!({ "maintenance": window(one, two, " ") }),
        json!({ "maintenance": window("at one", two, "x") }),
        json!({ "maintenance": vec![window(one, two, "x")[0].clone(); 33] }),
        json!({ "closed": true }),
    ] {
        let (code, body) = set(&world, &wrong).await;
        assert_eq!((code, &body["type"]), (400, &json!("/problems/malformed")), "{wrong}");
    }
    let hours = json!({ "hours": { "business_days": { "opens": "00:00", "closes": "24:00" }, "saturdays": null, "holidays": null }, "maintenance": [] });
    assert_eq!(set(&world, &hours).await, (200, hours));
    assert_eq!(world.call_with(&[], "PUT", "/bank/v1/calendar", Some(json!({}))).await.0, 401);
}
