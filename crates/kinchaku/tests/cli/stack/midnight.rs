//! Five hundred top-ups at once around the last midnight of a month, with the clock going over it in their middle: no cap is
//! passed by a yen, on either date, in either month, in thirty days, and each counts on the date on which it was accepted.

use super::world::{Answer, Person, World, at};
use crate::served::Served;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const TOP_UPS: usize = 500;
/// What a mandate debits that its account's true holder has not confirmed: a date, and in all.
const UNCONFIRMED_PER_DAY: i64 = 10_000;
const UNCONFIRMED_TOTAL: i64 = 30_000;
/// What may come in within a month, and within thirty dates.
const MONTH_MAX: i64 = 300_000;

/// The last date of a month, and the first of the next.
const DATES: [&str; 2] = ["2027-09-30", "2027-10-01"];

/// Top-ups among those that are proven, and how much each is: as many as fill a month and more.
const PROVEN: usize = 8;
const PROVEN_YEN: i64 = 100_000;

/// A world a tenth of a second before that month's end, and somebody in it who linked an account so many days ago.
async fn before_midnight(days: i8) -> (Arc<World>, Person, String) {
    let world = World::of(Served::start_at(at(30 - days, "23:59:59.900"), true));
    let (person, mandate) = world.linked().await;
    world.advance(i64::from(days) * 86_400).await;
    (Arc::new(world), person, mandate)
}

/// Top-ups of 1,000 yen, as they are asked for.
fn small(mandate: &str) -> Vec<Value> {
    vec![json!({ "mandate_id": mandate, "amount": 1_000 }); TOP_UPS]
}

/// Asks for all of them at once: half are under way when the clock strikes, the others come right behind it. What was
/// accepted, by its date. The rest is refused: by a cap, or for want of the proof that a larger sum of a date takes.
async fn burst(world: &Arc<World>, person: &Person, asks: Vec<Value>) -> BTreeMap<String, i64> {
    let yen = |body: &Value| body["amount"].as_i64().expect("yen");
    let ask = |body: Value| {
        let (world, person, amount) = (Arc::clone(world), person.clone(), yen(&body));
        tokio::spawn(async move { (amount, world.post(&person, "{wallet}/top-ups", body).await) })
    };
    let mut asks = asks.into_iter();
    // Their session has ended, and the device of the next one is not known before a proof.
    let first = asks.next().expect("five hundred");
    let first = (yen(&first), world.proven(person, "{wallet}/top-ups", first).await);
    let mut asked: Vec<_> = asks.by_ref().take(TOP_UPS / 2).map(ask).collect();
    world.advance(1).await;
    asked.extend(asks.map(ask));
    let mut accepted = BTreeMap::new();
    let mut count = |(amount, answer): (i64, Answer)| match answer.status {
        201 | 202 => {
            let accepted_at = answer.json["accepted_at"].as_str().expect("a time");
            *accepted.entry(accepted_at[..10].to_owned()).or_default() += amount;
        }
        422 => assert_eq!(answer.json["type"], "/problems/limit-exceeded", "{}", answer.text),
        403 => assert_eq!(answer.json["type"], "/problems/step-up-required", "{}", answer.text),
        429 => assert_eq!(answer.json["type"], "/problems/too-many-challenges", "{}", answer.text),
        status => panic!("{status}: {}", answer.text),
    };
    count(first);
    for asked in asked {
        count(asked.await.expect("it ends"));
    }
    accepted
}

/// Once all is quiet, purse and bank agree with what was accepted, to the yen.
async fn settle(world: &World, person: &Person, accepted: i64) {
    world.advance(86_400).await;
    let moved: i64 = world.statement(person).await.iter().sum();
    assert_eq!((world.funds(person).await, -moved), (accepted, accepted));
    assert_eq!(world.wallet(person).await["balances"]["arriving"], json!(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_top_ups_over_midnight_pass_no_cap_of_a_young_link() {
    // Older than its first day, in which more than one date's cap would wait for a look.
    let (world, person, mandate) = before_midnight(2).await;
    let accepted = burst(&world, &person, small(&mandate)).await;
    assert_eq!(accepted.keys().map(String::as_str).collect::<Vec<_>>(), DATES, "some before midnight, some after");
    assert!(accepted[DATES[0]] <= UNCONFIRMED_PER_DAY, "{accepted:?}");
    assert_eq!(accepted[DATES[1]], UNCONFIRMED_PER_DAY, "the new date takes all that it may, and no yen more");
    settle(&world, &person, accepted.values().sum()).await;
    // Beyond that there is room for one more date's cap at most, and then for nothing.
    world.top_up(&person, &mandate, UNCONFIRMED_PER_DAY).await;
    world.advance(86_400).await;
    let rest = UNCONFIRMED_TOTAL - world.funds(&person).await;
    for (amount, status) in [(rest + 1, 422), (UNCONFIRMED_PER_DAY + 1, 422)] {
        let answer = world.top_up(&person, &mandate, amount).await;
        assert_eq!(answer.status, status, "{amount}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_top_ups_over_midnight_pass_no_cap_of_a_month_or_of_thirty_dates() {
    let (world, person, mandate) = before_midnight(10).await;
    world.confirm(&person).await;
    let mut asks = small(&mandate);
    for n in 1..=PROVEN {
        let mut body = json!({ "mandate_id": mandate, "amount": PROVEN_YEN });
        let asked = world.post(&person, "{wallet}/top-ups", body.clone()).await;
        assert!(world.prove(&person, &asked, &mut body).await, "{}", asked.text);
        asks[n * TOP_UPS / (PROVEN + 1)] = body;
    }
    let mut accepted = burst(&world, &person, asks).await;
    assert_eq!(accepted.keys().map(String::as_str).collect::<Vec<_>>(), DATES, "some before midnight, some after");
    let rest = MONTH_MAX - accepted.values().sum::<i64>();
    // After an hour proofs may be asked for again.
    world.advance(3_600).await;
    assert!((1..PROVEN_YEN).contains(&rest), "a new month opens no new thirty dates: {accepted:?}");
    for (amount, status) in [(rest + 1, 422), (rest, 201)] {
        let answer = world.top_up(&person, &mandate, amount).await;
        assert_eq!(answer.status, status, "{amount}: {}", answer.text);
    }
    *accepted.get_mut(DATES[1]).expect("some") += rest;
    settle(&world, &person, MONTH_MAX).await;
    // Thirty dates with today: on the 30th the last of September falls out, on the 31st the first of October.
    for (days, left) in [(27, 0), (1, accepted[DATES[0]]), (1, MONTH_MAX)] {
        world.advance(days * 86_400).await;
        let limits = &world.wallet(&person).await["limits"]["top_up"];
        assert_eq!(limits["rolling_left"], json!(left), "{days} days on: {limits}");
    }
}
