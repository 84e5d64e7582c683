//! Debits, from an operator's request to the bank's last word, whatever the bank does.

use super::bank::Mood;
use super::world::{OTHER_BANK, World};
use crate::domain::Factor;
use crate::domain::mandate::Why;
use crate::domain::movement::{self, Kind, Target};
use crate::domain::{Command, Reference, Spread};
use engine::Clock;
use ledger::Yen;
use serde_json::{Value, json};
use std::future::Future;
use std::pin::pin;
use std::task::Poll;

const STATIC: &[Factor] = &[Factor::Account, Factor::NameKana, Factor::Pin];
const STRONG: &[Factor] = &[Factor::Account, Factor::Pin, Factor::OneTimePassword];

async fn debit(world: &World, mandate: &str, reference: &str, amount: i64) -> (u16, Value) {
    let body = json!({ "reference": reference, "mandate_id": mandate, "amount": amount });
    world.call("kinchaku", "POST", "/gateway/v1/debits", Some(body)).await
}

async fn status(world: &World, reference: &str) -> String {
    let (code, body) = world.call("kinchaku", "GET", &format!("/gateway/v1/debits/{reference}"), None).await;
    assert_eq!(code, 200, "{body}");
    body["status"].as_str().expect("a status").to_owned()
}

#[tokio::test]
async fn a_debit_is_settled_once_however_often_it_is_asked_for() {
    let world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await.to_string();
    for _ in 0..3 {
        let (code, body) = debit(&world, &mandate, "top-1", 10_000).await;
        assert_eq!(
            (code, &body["status"], &body["settled_amount"]),
            (201, &json!("settled"), &json!(10_000)),
            "{body}"
        );
    }
    assert_eq!(world.bank.books().moved.values().copied().collect::<Vec<_>>(), [10_000]);
    let (code, body) = debit(&world, &mandate, "top-1", 9_000).await;
    assert_eq!((code, &body["type"]), (409, &json!("/problems/reference-taken")));
}

/// What the bank does, what the caller hears at once, and what the worker finds in the end.
async fn check(mood: Mood, at_once: &str, in_the_end: &str, moved: usize) {
    let world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await.to_string();
    world.bank.books().mood = mood;
    let (_, body) = debit(&world, &mandate, "top-1", 10_000).await;
    assert_eq!(body["status"], at_once, "{mood:?}: {body}");
    world.bank.books().mood = Mood::Settles;
    world.pass(6_000);
    world.work().await;
    world.pass(20_000);
    world.work().await;
    assert_eq!(status(&world, "top-1").await, in_the_end, "{mood:?}");
    assert_eq!(world.bank.books().moved.len(), moved, "{mood:?}");
}

#[tokio::test]
async fn whatever_the_bank_does_the_money_moves_once_and_its_word_is_found() {
    check(Mood::Settles, "settled", "settled", 1).await;
    check(Mood::Declines(1), "declined", "declined", 0).await;
    check(Mood::LosesAnswers, "in_doubt", "settled", 1).await;
    check(Mood::IsDown, "in_doubt", "settled", 1).await;
    check(Mood::Babbles, "in_doubt", "settled", 1).await;
    check(Mood::Redirects, "in_doubt", "settled", 1).await;
    check(Mood::Floods, "in_doubt", "settled", 1).await;
    check(Mood::Declines(7), "in_doubt", "in_doubt", 0).await;
    check(Mood::Moves(600), "settled", "settled", 1).await;
}

#[tokio::test]
async fn absence_is_no_answer_before_the_banks_cut_off() {
    let world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await;
    world.bank.books().mood = Mood::LosesAnswers;
    world.bank.books().forgets = true;
    debit(&world, &mandate.to_string(), "top-1", 10_000).await;
    world.revoke(mandate, Why::Unneeded).await;
    for _ in 0..5 {
        world.pass(3_600_000);
        world.work().await;
        assert_eq!(status(&world, "top-1").await, "in_doubt");
    }
    assert_eq!(world.bank.books().asked.values().copied().collect::<Vec<_>>(), [1], "revoked: it is not sent again");
    world.bank.books().cut_off_passed = true;
    world.pass(3_600_000);
    world.work().await;
    assert_eq!(status(&world, "top-1").await, "declined");
    let (_, body) = world.call("kinchaku", "GET", "/gateway/v1/debits/top-1", None).await;
    assert_eq!((&body["code"], &body["reason"]), (&json!(9), &json!("absent")));
}

#[tokio::test]
async fn a_restart_goes_on_with_what_was_open() {
    let mut world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await.to_string();
    world.bank.books().mood = Mood::LosesAnswers;
    debit(&world, &mandate, "top-1", 10_000).await;
    world.restart().await;
    world.pass(6_000);
    world.work().await;
    assert_eq!(status(&world, "top-1").await, "settled");
    assert_eq!(world.bank.books().asked.values().sum::<u32>(), 1);
}

#[tokio::test]
async fn what_was_left_open_together_is_asked_for_again_at_different_moments() {
    let world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await;
    world.confirm(mandate).await;
    world.bank.books().mood = Mood::LosesAnswers;
    let (operator, now) = (world.operator("kinchaku"), world.clock.now());
    let mut waits = Vec::new();
    for number in 0..4 {
        let reference = format!("top-{number}");
        debit(&world, &mandate.to_string(), &reference, 1_000).await;
        let movement = world.gateway.movement_id(operator, Kind::Debit, &reference);
        let row = world.gateway.movement(movement).await.expect("it is read").expect("it is there");
        waits.push(row.due.milliseconds_since(now));
    }
    waits.sort_unstable();
    assert!(waits.iter().all(|wait_ms| (4_000..=6_000).contains(wait_ms)), "{waits:?}");
    let mut at_once = 0;
    for wait_ms in &waits {
        world.pass(now.plus_milliseconds(*wait_ms).milliseconds_since(world.clock.now()));
        let before = world.bank.books().inquiries;
        world.work().await;
        at_once = at_once.max(world.bank.books().inquiries - before);
    }
    assert_eq!((at_once, world.bank.books().inquiries), (1, 4), "{waits:?}: one question at each moment");
}

#[tokio::test]
async fn whoever_comes_first_after_a_banks_rest_finds_out_whether_it_speaks_again() {
    let world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await;
    world.confirm(mandate).await;
    let mandate = mandate.to_string();
    world.bank.books().mood = Mood::IsDown;
    for number in 0..5 {
        debit(&world, &mandate, &format!("top-{number}"), 1_000).await;
    }
    world.bank.books().mood = Mood::Settles;
    let too_soon = debit(&world, &mandate, "too-soon", 1_000).await.1;
    assert_eq!((&too_soon["status"], world.bank.books().moved.len()), (&json!("pending"), 0), "it is left alone");
    world.pass(5_000);
    for reference in ["first", "second"] {
        let (code, body) = debit(&world, &mandate, reference, 1_000).await;
        assert_eq!((code, &body["status"]), (201, &json!("settled")), "{reference}: nobody's worker was there: {body}");
    }
}

#[tokio::test]
async fn a_bank_that_is_down_is_left_alone_and_tried_with_one_question() {
    let world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await;
    world.confirm(mandate).await;
    world.bank.books().mood = Mood::IsDown;
    for number in 0..10 {
        debit(&world, &mandate.to_string(), &format!("top-{number}"), 1_000).await;
    }
    let asked: u32 = world.bank.books().asked.values().sum();
    assert_eq!(asked, 5, "after five silences nobody asks");
    world.pass(7_000);
    world.work().await;
    assert_eq!(world.bank.books().inquiries, 1);
    world.bank.books().mood = Mood::Settles;
    for _ in 0..20 {
        world.pass(60_000);
        world.work().await;
    }
    for number in 0..10 {
        assert_eq!(status(&world, &format!("top-{number}")).await, "settled");
    }
    assert_eq!(world.bank.books().moved.len(), 10);
}

#[tokio::test]
async fn anothers_mandate_and_debit_are_not_there() {
    let world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await.to_string();
    debit(&world, &mandate, "top-1", 1_000).await;
    let body = json!({ "reference": "theirs", "mandate_id": mandate, "amount": 1_000 });
    let (code, body) = world.call("fukuro", "POST", "/gateway/v1/debits", Some(body)).await;
    assert_eq!((code, &body["type"]), (404, &json!("/problems/unknown")));
    let (code, body) = world.call("fukuro", "GET", "/gateway/v1/debits/top-1", None).await;
    assert_eq!((code, &body["final"]), (404, &json!(false)));
    let (code, _) = world.call_with(&[], "GET", "/gateway/v1/debits/top-1", None).await;
    assert_eq!(code, 401);
}

#[tokio::test]
async fn an_unconfirmed_mandate_debits_little_until_the_true_holder_confirms() {
    let world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STATIC).await;
    let id = mandate.to_string();
    assert_eq!(debit(&world, &id, "a", 10_000).await.0, 201);
    let (code, body) = debit(&world, &id, "b", 1).await;
    assert_eq!((code, &body["limit"], &body["used"]), (422, &json!("unconfirmed_per_day"), &json!(10_000)));
    for (day, reference) in [(1, "c"), (2, "d")] {
        world.pass(86_400_000);
        assert_eq!(debit(&world, &id, reference, 10_000).await.0, 201, "day {day}");
    }
    world.pass(86_400_000);
    let (code, body) = debit(&world, &id, "e", 1).await;
    assert_eq!((code, &body["limit"]), (422, &json!("unconfirmed_total")));
    world.confirm(mandate).await;
    assert_eq!(debit(&world, &id, "f", 100_000).await.0, 201);
    let (code, body) = debit(&world, &id, "g", 100_001).await;
    assert_eq!((code, &body["limit"]), (422, &json!("per_time")));
}

#[tokio::test]
async fn bad_input_is_a_problem_and_changes_nothing() {
    let world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await.to_string();
    for body in [
        json!({ "reference": "a", "mandate_id": mandate, "amount": 1.5 }),
        json!({ "reference": "a", "mandate_id": mandate, "amount": "100" }),
        json!({ "reference": "a", "mandate_id": mandate, "amount": -1 }),
        json!({ "reference": "a b", "mandate_id": mandate, "amount": 1 }),
        json!({ "reference": "", "mandate_id": mandate, "amount": 1 }),
        json!({ "reference": "x".repeat(65), "mandate_id": mandate, "amount": 1 }),
        json!({ "reference": "a", "mandate_id": mandate, "amount": 1, "extra": true }),
        json!({ "reference": "a", "mandate_id": "gmd_00", "amount": 1 }),
        json!({ "reference": "a", "mandate_id": mandate, "amount": 0 }),
    ] {
        let (code, answer) = world.call("kinchaku", "POST", "/gateway/v1/debits", Some(body.clone())).await;
        assert!((400..500).contains(&code), "{body}: {answer}");
        assert!(answer["type"].as_str().is_some_and(|kind| kind.starts_with("/problems/")), "{answer}");
    }
    assert!(world.bank.books().asked.is_empty());
}

#[tokio::test]
async fn a_debit_whose_caller_hung_up_after_its_commit_reaches_the_bank_once() {
    let world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await;
    let operator = world.operator("kinchaku");
    let movement = world.gateway.movement_id(operator, Kind::Debit, "top-1");
    let request = movement::Request {
        movement,
        operator,
        reference: Reference::try_from("top-1".to_owned()).expect("a reference"),
        target: Target::DebitOf(mandate),
        amount: Yen::new(10_000),
        at_once: true,
        spread: Spread::default(),
    };
    {
        let mut asked = pin!(world.submit(Command::Movement(movement::Command::Request(request))));
        let waits = std::future::poll_fn(|context| Poll::Ready(asked.as_mut().poll(context).is_pending())).await;
        assert!(waits, "the engine answers later, when nobody is there");
    }
    // The commit is the engine's affair, and takes as long as it takes.
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
        world.pass(6_000);
        world.work().await;
        let row = world.gateway.movement(movement).await.expect("an answer");
        if row.is_some_and(|row| !row.status.is_open()) {
            break;
        }
    }
    assert_eq!(status(&world, "top-1").await, "settled");
    assert_eq!(world.bank.books().asked.values().copied().collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn a_bank_that_keeps_silent_holds_up_its_own_debits_alone() {
    let world = World::new().await;
    let silent = world.link("kinchaku", "w1", "1234567", STRONG).await.to_string();
    let good = world.link_at(OTHER_BANK, "kinchaku", "w1", "1234567", STRONG).await.to_string();
    world.bank.books().mood = Mood::LosesAnswers;
    world.other_bank.books().mood = Mood::LosesAnswers;
    debit(&world, &silent, "silent", 1_000).await;
    let shut = world.bank.gate.clone().write_owned().await;
    // As `serve` does it: each turn again and again, beside the others.
    let turns = world.gateway.turns().into_iter().map(|turn| {
        let (gateway, clock) = (world.gateway.clone(), world.clock.clone());
        tokio::spawn(async move {
            loop {
                gateway.run_turn(turn, clock.now(), 100).await;
                tokio::task::yield_now().await;
            }
        })
    });
    let turns: Vec<_> = turns.collect();
    let settles = async |reference: &str| {
        while status(&world, reference).await != "settled" {
            tokio::task::yield_now().await;
        }
    };
    let in_time = std::time::Duration::from_secs(20);
    for round in 0..3 {
        let reference = format!("good-{round}");
        debit(&world, &good, &reference, 1_000).await;
        world.pass(6_000);
        tokio::time::timeout(in_time, settles(&reference)).await.expect("the good bank's go on");
        assert_eq!(status(&world, "silent").await, "in_doubt");
    }
    drop(shut);
    tokio::time::timeout(in_time, settles("silent")).await.expect("and the silent one's, once it answers");
    turns.iter().for_each(tokio::task::JoinHandle::abort);
}
