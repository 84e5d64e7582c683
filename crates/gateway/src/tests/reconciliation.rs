//! Reconciliation goes on where it stopped: days without us, files that stay away, files that nobody can read.

use super::api::callback;
use super::bank::Mood;
use super::files::{HOUR_MS, STRONG, debit, file_of, order_of, result_of, status};
use super::world::{BANK, SECRET, T0, World};
use crate::domain::comparison::Paper;
use crate::domain::movement::Kind;
use crate::domain::open::Thing;
use domain::Day;
use serde_json::{Value, json};

const DAY_MS: i64 = 24 * HOUR_MS;

async fn call(world: &World, token: &str, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let token = format!("Bearer {token}");
    let path = format!("/gateway/v1/findings{path}");
    world.call_with(&[("authorization", token.as_str())], method, &path, body).await
}

/// The bank's findings as the desk sees them.
async fn list(world: &World) -> Vec<Value> {
    let (_, list) = call(world, "desk-reader", "GET", "", None).await;
    let rows = list["data"].as_array().unwrap_or_else(|| panic!("{list}"));
    rows.iter().filter(|row| row["bank_code"] == BANK).cloned().collect()
}

/// By day: the kind, and what the bank says that it moved.
async fn findings(world: &World) -> Vec<(String, String, Option<i64>)> {
    let rows = list(world).await;
    let text = |row: &Value, name: &str| row[name].as_str().expect("a text").to_owned();
    let mut found: Vec<_> =
        rows.iter().map(|row| (text(row, "day"), text(row, "kind"), row["moved"].as_i64())).collect();
    found.sort();
    found
}

fn finding(day: Day, kind: &str, moved: Option<i64>) -> (String, String, Option<i64>) {
    (day.to_string(), kind.to_owned(), moved)
}

/// The bank hands out what it did on that day.
fn hand_out(world: &World, day: Day, orders: &[(&str, i64)]) {
    let orders: Vec<_> = orders.iter().map(|(reference, amount)| order_of(world, reference, *amount)).collect();
    let file = if orders.is_empty() { Vec::new() } else { file_of(day, &orders) };
    world.bank.books().day_files.insert(day.to_string(), file);
}

async fn until(world: &World) -> Day {
    let row = world.gateway.comparison(BANK.parse().expect("a code"), Paper::Debits).await.expect("it can be read");
    row.expect("it was begun").until
}

#[tokio::test]
async fn each_day_that_nobody_looked_at_is_compared_when_the_gateway_is_back() {
    let mut world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await;
    debit(&world, &mandate.to_string(), "known", 1_000).await;
    assert_eq!(status(&world, "known").await, "settled", "nothing is open that would lead back to that day");
    let day = T0.day();
    hand_out(&world, day, &[("known", 1_000)]);
    hand_out(&world, day.plus(1), &[("without us", 500)]);
    hand_out(&world, day.plus(2), &[]);
    hand_out(&world, day.plus(3), &[("without us", 700)]);
    world.pass(4 * DAY_MS);
    world.restart().await;
    world.work().await;
    let found = [finding(day.plus(1), "record", Some(500)), finding(day.plus(3), "record", Some(700))];
    assert_eq!(findings(&world).await, found);
    assert_eq!(until(&world).await, day.plus(3));
    // And no day twice.
    world.restart().await;
    world.work().await;
    let asked = world.bank.books().days_asked.clone();
    assert_eq!(asked, [0, 1, 2, 3].map(|days| day.plus(days).to_string()));
    assert_eq!(findings(&world).await, found);
}

#[tokio::test]
async fn a_debit_that_stands_in_the_files_of_two_days_was_made_twice() {
    let mut world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await;
    debit(&world, &mandate.to_string(), "known", 1_000).await;
    let day = T0.day();
    for days in 0..3 {
        hand_out(&world, day.plus(days), &[("known", 1_000)]);
    }
    world.pass(3 * DAY_MS);
    world.work().await;
    let twice = [1, 2].map(|days| finding(day.plus(days), "record", Some(1_000)));
    assert_eq!(findings(&world).await, twice);
    world.restart().await;
    world.work().await;
    assert_eq!(findings(&world).await, twice);
    assert_eq!(status(&world, "known").await, "settled");
}

#[tokio::test]
async fn a_file_of_somebody_elses_is_one_finding_and_shuts_the_bank_to_nobody() {
    let world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await.to_string();
    world.bank.books().mood = Mood::IsDown;
    debit(&world, &mandate, "doubted", 1_000).await;
    let day = T0.day();
    let names: Vec<String> = (0..513).map(|number| format!("stranger {number}")).collect();
    let strangers: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 7)).collect();
    hand_out(&world, day, &strangers);
    hand_out(&world, day.plus(1), &strangers[..512]);
    hand_out(&world, day.plus(2), &[]);
    world.pass(3 * DAY_MS);
    world.work().await;
    assert_eq!(until(&world).await, day.plus(2), "the days after it are compared");
    let files: Vec<_> = list(&world).await.into_iter().filter(|row| row["kind"] != "record").collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!((&files[0]["kind"], &files[0]["day"]), (&json!("file_foreign"), &json!(day.to_string())));
    let bank = BANK.parse().expect("a code");
    let things = world.gateway.open_things(bank).await.expect("they are read");
    let records = things.iter().filter(|thing| matches!(thing, Thing::Finding(_))).count();
    assert_eq!(records, 512, "of a file that may be ours each is a finding");
    assert_eq!(status(&world, "doubted").await, "in_doubt", "what is not ours ends nothing of ours");
    world.bank.books().mood = Mood::Settles;
    assert_eq!(debit(&world, &mandate, "later", 1_000).await.0, 201, "and the bank is open to everybody");
    // The right one comes.
    hand_out(&world, day, &[("doubted", 1_000)]);
    world.pass(2 * HOUR_MS);
    world.work().await;
    assert!(list(&world).await.iter().all(|row| row["kind"] == "record"));
    assert_eq!(status(&world, "doubted").await, "settled");
}

#[tokio::test]
async fn a_file_that_stays_away_or_cannot_be_read_is_a_finding_and_holds_up_no_other_one() {
    let mut world = World::new().await;
    let day = T0.day();
    // The next day at noon: nine hours late, and awaited.
    world.pass(DAY_MS);
    world.work().await;
    assert_eq!((findings(&world).await, until(&world).await), (Vec::new(), day.plus(-1)));
    world.pass(4 * HOUR_MS);
    world.work().await;
    assert_eq!(findings(&world).await, [finding(day, "file_missing", None)]);
    world.bank.books().day_files.insert(day.plus(1).to_string(), b"1 is no file".to_vec());
    hand_out(&world, day.plus(2), &[("without us", 300)]);
    world.pass(2 * DAY_MS);
    world.work().await;
    let unreadable = finding(day.plus(1), "file_unreadable", None);
    let record = finding(day.plus(2), "record", Some(300));
    assert_eq!(findings(&world).await, [finding(day, "file_missing", None), unreadable.clone(), record.clone()]);
    // The first comes after all, also for another process, and says what nobody knew.
    hand_out(&world, day, &[("without us", 200)]);
    world.restart().await;
    world.work().await;
    let late = finding(day, "record", Some(200));
    assert_eq!(findings(&world).await, [late.clone(), unreadable, record.clone()]);
    // The second is given up.
    let file = list(&world).await.into_iter().find(|row| row["kind"] == "file_unreadable").expect("the file");
    let path = format!("/{}/resolution", file["id"].as_str().expect("an id"));
    let said = |reason: &str| Some(json!({ "reason": reason }));
    assert_eq!(call(&world, "desk-reader", "POST", &path, said("the bank lost it")).await.0, 403);
    let (status, waits) = call(&world, "desk", "POST", &path, said("the bank lost it")).await;
    assert_eq!((status, &waits["status"]), (202, &json!("proposed")), "nobody leaves a day unseen alone");
    assert_eq!(call(&world, "desk", "POST", &path, said("the bank lost it")).await.0, 202, "the same again");
    assert!(list(&world).await.iter().any(|row| row["id"] == file["id"]), "it stands there still");
    let authorization = [("authorization", "Bearer desk-2")];
    let (_, waiting) = world.call_with(&authorization, "GET", "/gateway/v1/proposals", None).await;
    let shown = &waiting["data"][0];
    assert_eq!((&shown["kind"], &shown["finding_id"]), (&json!("give_up"), &file["id"]), "{waiting}");
    assert_eq!(call(&world, "desk-2", "POST", &path, said("the bank lost it")).await.0, 204);
    assert_eq!(call(&world, "desk-2", "POST", &path, said("the bank lost it")).await.0, 204, "the same again");
    assert_eq!(call(&world, "desk", "POST", &path, said("or not")).await.1["type"], "/problems/wrong-status");
    assert_eq!(findings(&world).await, [late, record]);
    world.bank.books().days_asked.clear();
    world.pass(2 * HOUR_MS);
    world.work().await;
    assert_eq!(world.bank.books().days_asked, Vec::<String>::new(), "nobody asks for it any more");
}

#[tokio::test]
async fn a_debit_whose_days_results_never_came_is_asked_for_until_the_bank_says_what_became_of_it() {
    let world = World::with_files(true).await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await.to_string();
    debit(&world, &mandate, "a", 7_000).await;
    world.pass(10 * HOUR_MS);
    world.work().await;
    let file = world.bank.books().collections.first().cloned().expect("the day's file");
    world.pass(18 * HOUR_MS);
    world.work().await;
    let aside = list(&world).await.pop().expect("the file is put aside");
    let path = format!("/{}/resolution", aside["id"].as_str().expect("an id"));
    for (token, code) in [("desk", 202), ("desk-2", 204)] {
        assert_eq!(call(&world, token, "POST", &path, Some(json!({ "reason": "lost" }))).await.0, code);
    }
    assert_eq!(status(&world, "a").await, "in_doubt", "no word of the bank, no end");
    world.bank.books().day_files.insert(T0.day().to_string(), result_of(&file, &[1]));
    world.pass(12 * HOUR_MS);
    world.work().await;
    assert_eq!(status(&world, "a").await, "declined");
}

#[tokio::test]
async fn a_credit_that_was_made_twice_is_a_finding_and_one_that_was_only_said_is_contradicted() {
    let mut world = World::with_files(true).await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await.to_string();
    // Friday at noon: the bank's files come on business days, its credits on every day.
    world.pass(3 * DAY_MS);
    let friday = T0.day().plus(3);
    for reference in ["once", "twice", "unmade"] {
        let credit = json!({ "reference": reference, "mandate_id": mandate, "amount": 500 });
        let (code, body) = world.call("kinchaku", "POST", "/gateway/v1/credits", Some(credit)).await;
        assert_eq!((code, &body["status"]), (201, &json!("settled")), "{body}");
    }
    let named = |reference: &str| {
        let operator = world.gateway.operator_id("kinchaku");
        world.gateway.movement_id(operator, Kind::Credit, reference).bank_reference()
    };
    let line = |day: Day, reference: &str| (day.to_string(), named(reference), 500);
    let (saturday, weekday) = (friday.plus(1), friday.plus(6));
    let credits = vec![line(friday, "once"), line(friday, "twice"), line(friday, "twice"), line(saturday, "once")];
    world.bank.books().credits = Some(credits);
    world.bank.books().day_file = Some(Vec::new());
    world.pass(7 * DAY_MS);
    for _ in 0..4 {
        world.work().await;
    }
    assert!(until(&world).await >= weekday);
    let found = [finding(friday, "credit", Some(500)), finding(saturday, "credit", Some(500))];
    assert_eq!(findings(&world).await, found);
    let (_, events) = world.call("kinchaku", "GET", "/gateway/v1/events", None).await;
    let contradicted = events["data"].as_array().expect("events").iter().filter(|e| e["type"] == "credit.contradicted");
    assert_eq!(contradicted.map(|e| e["reference"].clone()).collect::<Vec<_>>(), ["unmade"], "{events}");
    world.restart().await;
    world.work().await;
    assert_eq!(findings(&world).await, found, "read twice, it says nothing new");
}

/// A credit of that name, as its operator asks for it: its status.
async fn credit(world: &World, mandate: &str, reference: &str) -> Value {
    let credit = json!({ "reference": reference, "mandate_id": mandate, "amount": 500 });
    world.call("kinchaku", "POST", "/gateway/v1/credits", Some(credit)).await.1["status"].clone()
}

/// The bank books the credit of that name on `day`, and has statements.
fn book(world: &World, day: Day, reference: &str) {
    let operator = world.gateway.operator_id("kinchaku");
    let named = world.gateway.movement_id(operator, Kind::Credit, reference).bank_reference();
    world.bank.books().credits.get_or_insert_default().push((day.to_string(), named, 500));
}

/// What was told to its operator as contradicted.
async fn contradicted(world: &World) -> Vec<Value> {
    let (_, events) = world.call("kinchaku", "GET", "/gateway/v1/events", None).await;
    let is_contradiction = |event: &&Value| event["type"].as_str().is_some_and(|kind| kind.ends_with(".contradicted"));
    let events = events["data"].as_array().expect("events").iter().filter(is_contradiction);
    events.map(|event| event["reference"].clone()).collect()
}

#[tokio::test]
async fn what_was_declined_and_settled_after_all_is_held_against_the_banks_papers_too() {
    let world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await.to_string();
    world.bank.books().mood = Mood::IsDown;
    for reference in ["only-said", "said-and-done"] {
        debit(&world, &mandate, reference, 1_000).await;
    }
    // After its cut-off the bank knows of neither; then its callback says that it moved both, and its day has one.
    world.bank.books().mood = Mood::Settles;
    world.bank.books().cut_off_passed = true;
    world.pass(60_000);
    world.work().await;
    let operator = world.gateway.operator_id("kinchaku");
    for reference in ["only-said", "said-and-done"] {
        assert_eq!(status(&world, reference).await, "declined");
        let named = world.gateway.movement_id(operator, Kind::Debit, reference).bank_reference();
        let said = json!({ "kind": "debit", "reference": named, "outcome": "settled", "amount": 1_000 });
        assert_eq!(callback(&world, reference, &said, SECRET, 0).await, 204);
        assert_eq!(status(&world, reference).await, "settled");
    }
    let day = T0.day();
    hand_out(&world, day, &[("said-and-done", 1_000)]);
    hand_out(&world, day.plus(1), &[]);
    assert_eq!(contradicted(&world).await, [json!(null); 0]);
    world.pass(2 * DAY_MS);
    world.work().await;
    assert_eq!(contradicted(&world).await, ["only-said"]);
}

#[tokio::test]
async fn a_bank_without_a_statement_of_credits_has_its_debits_compared_all_the_same() {
    let world = World::new().await;
    let day = T0.day();
    world.bank.books().credits = None;
    hand_out(&world, day, &[("unasked", 900)]);
    hand_out(&world, day.plus(1), &[]);
    world.pass(2 * DAY_MS);
    world.work().await;
    let record = finding(day, "record", Some(900));
    let missing = |days| finding(day.plus(days), "statement_missing", None);
    assert_eq!(findings(&world).await, [record.clone(), missing(0)]);
    assert_eq!(until(&world).await, day.plus(1));
    // It never gave one: that is one finding, however long it gives none.
    for days in 2..6 {
        world.pass(DAY_MS);
        hand_out(&world, day.plus(days), &[]);
        world.work().await;
    }
    assert_eq!(findings(&world).await, [record.clone(), missing(0)]);
    // They come after all, those of the days that no finding had too.
    book(&world, day, "nobody's");
    book(&world, day.plus(3), "nobody's either");
    world.pass(2 * HOUR_MS);
    world.work().await;
    let credits = [0, 3].map(|days| finding(day.plus(days), "credit", Some(500)));
    let mut found = vec![credits[0].clone(), record, credits[1].clone()];
    found.sort();
    assert_eq!(findings(&world).await, found);
    // Of a bank that gave some, each that stays away is a finding.
    world.bank.books().credits = None;
    for days in 6..9 {
        world.pass(DAY_MS);
        hand_out(&world, day.plus(days), &[]);
        world.work().await;
    }
    assert_eq!(findings(&world).await.iter().filter(|(_, kind, _)| kind == "statement_missing").count(), 2);
}

#[tokio::test]
async fn a_double_is_found_also_among_more_strangers_than_a_file_of_ours_has() {
    let world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await;
    debit(&world, &mandate.to_string(), "known", 1_000).await;
    let day = T0.day();
    let names: Vec<String> = (0..513).map(|number| format!("stranger {number}")).collect();
    let strangers = names.iter().map(|name| (name.as_str(), 7));
    let orders: Vec<(&str, i64)> = strangers.chain([("known", 1_000), ("known", 1_000)]).collect();
    hand_out(&world, day, &orders);
    world.pass(DAY_MS);
    world.work().await;
    assert_eq!(findings(&world).await, [finding(day, "file_foreign", None), finding(day, "record", Some(1_000))]);
    world.pass(2 * HOUR_MS);
    world.work().await;
    assert_eq!(findings(&world).await.len(), 2, "asked for again, it says nothing new");
}

#[tokio::test]
async fn a_credit_that_was_answered_on_a_later_day_than_it_was_sent_is_held_against_the_statements_of_both() {
    let world = World::with_files(true).await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await.to_string();
    let day = T0.day();
    world.bank.books().day_file = Some(Vec::new());
    // Noon: the bank is asked and its answer is lost; it says what it did on the next day.
    world.bank.books().mood = Mood::LosesAnswers;
    for reference in ["prompt", "overnight", "unmade"] {
        assert_ne!(credit(&world, &mandate, reference).await, "settled");
    }
    book(&world, day, "prompt");
    book(&world, day.plus(1), "overnight");
    world.bank.books().mood = Mood::IsDown;
    world.pass(DAY_MS - 2 * HOUR_MS);
    world.work().await;
    world.bank.books().mood = Mood::Settles;
    world.pass(2 * HOUR_MS);
    world.work().await;
    for reference in ["prompt", "overnight", "unmade"] {
        assert_eq!(credit(&world, &mandate, reference).await, "settled");
    }
    assert_eq!(contradicted(&world).await, Vec::<Value>::new(), "the second day's statement may have them");
    world.pass(DAY_MS);
    world.work().await;
    assert_eq!(contradicted(&world).await, ["unmade"]);
    world.pass(2 * DAY_MS);
    world.work().await;
    assert_eq!(contradicted(&world).await, ["unmade"]);
    assert_eq!(findings(&world).await, Vec::new());
}

#[tokio::test]
async fn a_credit_is_not_called_unmade_while_a_statement_that_may_have_it_is_still_to_come() {
    let world = World::with_files(true).await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await.to_string();
    let day = T0.day();
    world.bank.books().day_file = Some(Vec::new());
    world.bank.books().credits = None;
    for reference in ["made", "unmade"] {
        assert_eq!(credit(&world, &mandate, reference).await, "settled");
    }
    world.pass(2 * DAY_MS);
    world.work().await;
    assert_eq!(findings(&world).await, [finding(day, "statement_missing", None)]);
    assert_eq!(contradicted(&world).await, Vec::<Value>::new());
    book(&world, day, "made");
    world.pass(2 * HOUR_MS);
    world.work().await;
    assert_eq!(contradicted(&world).await, ["unmade"]);
    assert_eq!(findings(&world).await, Vec::new());
}

#[tokio::test]
async fn the_results_of_a_day_are_fetched_once_for_all_that_they_answer() {
    let world = World::with_files(true).await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await;
    world.confirm(mandate).await;
    for reference in ["a", "b", "c"] {
        debit(&world, &mandate.to_string(), reference, 700).await;
    }
    world.pass(10 * HOUR_MS);
    world.work().await;
    let file = world.bank.books().collections.first().cloned().expect("the day's file");
    world.pass(18 * HOUR_MS);
    world.work().await;
    let aside = list(&world).await.pop().expect("the file is put aside");
    let path = format!("/{}/resolution", aside["id"].as_str().expect("an id"));
    for (token, code) in [("desk", 202), ("desk-2", 204)] {
        assert_eq!(call(&world, token, "POST", &path, Some(json!({ "reason": "lost" }))).await.0, code);
    }
    let day = T0.day().to_string();
    world.bank.books().day_files.insert(day.clone(), result_of(&file, &[0, 1, 0]));
    world.bank.books().days_asked.clear();
    world.pass(12 * HOUR_MS);
    world.work().await;
    for (reference, expected) in [("a", "settled"), ("b", "declined"), ("c", "settled")] {
        assert_eq!(status(&world, reference).await, expected, "{reference}");
    }
    let asked = world.bank.books().days_asked.clone();
    assert_eq!(asked.iter().filter(|asked| **asked == day).count(), 1, "{asked:?}");
}

#[tokio::test]
async fn what_was_sent_again_on_a_later_day_is_not_called_unmade_while_the_first_days_file_is_still_to_come() {
    let world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await.to_string();
    let day = T0.day();
    // The bank moves both, its answers are lost, and it says that it knows neither; on the next day it is asked to move them again.
    world.bank.books().mood = Mood::LosesAnswers;
    world.bank.books().forgets = true;
    for reference in ["made", "unmade"] {
        debit(&world, &mandate, reference, 1_000).await;
    }
    world.bank.books().mood = Mood::Settles;
    world.pass(60_000);
    world.work().await;
    assert_eq!(status(&world, "made").await, "in_doubt");
    world.bank.books().forgets = false;
    world.pass(DAY_MS);
    world.work().await;
    assert_eq!((status(&world, "made").await, status(&world, "unmade").await), (json!("settled"), json!("settled")));
    hand_out(&world, day.plus(1), &[]);
    world.pass(DAY_MS);
    world.work().await;
    assert_eq!(findings(&world).await, [finding(day, "file_missing", None)]);
    assert_eq!(contradicted(&world).await, Vec::<Value>::new(), "the file of the first day may have them");
    hand_out(&world, day, &[("made", 1_000)]);
    world.pass(2 * HOUR_MS);
    world.work().await;
    assert_eq!(contradicted(&world).await, ["unmade"]);
    assert_eq!(findings(&world).await, Vec::new());
}
