//! One bank of thirty-five keeps silent: the others answer as many questions, at the same moment, as if it were not there.

use super::bank::{Bank, Mood};
use super::world::{BANK, World};
use crate::domain::Factor;
use crate::gateway::Turn;
use engine::Clock;
use futures_util::future::{join_all, poll_immediate};
use serde_json::{Value, json};
use std::pin::pin;

const STRONG: &[Factor] = &[Factor::Account, Factor::Pin, Factor::OneTimePassword];
const BANKS: u32 = 35;
/// Nothing here is stopped by the machine's clock.
const NEVER_MS: u64 = 3_600_000;

async fn debit(world: &World, mandate: &str, reference: &str) -> Value {
    let body = json!({ "reference": reference, "mandate_id": mandate, "amount": 1_000 });
    world.call("kinchaku", "POST", "/gateway/v1/debits", Some(body)).await.1
}

async fn statuses(world: &World, references: &[String]) -> Vec<Value> {
    let status = async |reference: &String| {
        world.call("kinchaku", "GET", &format!("/gateway/v1/debits/{reference}"), None).await.1["status"].clone()
    };
    join_all(references.iter().map(status)).await
}

#[tokio::test]
async fn one_silent_bank_of_thirty_five_takes_nothing_from_the_others() {
    let codes: Vec<String> = (0..BANKS).map(|number| format!("{:04}", 125 + number)).collect();
    let world = World::with(false, |options| {
        (options.request_ms_max, options.inline_ms_max) = (NEVER_MS, NEVER_MS);
        let first = options.banks[0].clone();
        let others = codes[2..].iter().map(|code| {
            let (origin, code) = (format!("http://bank-{code}.localhost:8080"), code.parse().expect("a code"));
            crate::options::BankOptions { code, origin, desk: Vec::new(), ..first.clone() }
        });
        options.banks.extend(others.collect::<Vec<_>>());
    });
    let world = world.await;
    let mut banks = vec![world.bank.clone(), world.other_bank.clone()];
    for code in &codes[2..] {
        let bank = Bank::new();
        world.routers.add(format!("bank-{code}.localhost"), bank.router());
        banks.push(bank);
    }
    let mut mandates = Vec::new();
    for code in &codes {
        mandates.push(world.link_at(code, "kinchaku", &format!("w{code}"), "1234567", STRONG).await.to_string());
    }
    let begun = world.clock.now();
    let (silent, others) = (&banks[0], &banks[1..]);
    silent.books().mood = Mood::KeepsSilent;
    let shut = silent.gate.clone().write_owned().await;
    let mut waits = pin!(debit(&world, &mandates[0], "silent"));
    while silent.books().asked.is_empty() {
        assert!(poll_immediate(waits.as_mut()).await.is_none(), "the bank does not answer");
        tokio::task::yield_now().await;
    }

    // Who waits at the others is answered by their first word.
    let names = |round: u32| -> Vec<String> { codes[1..].iter().map(|code| format!("{code}-{round}")).collect() };
    let (at_once, later) = (names(0), names(1));
    let ask = async |references: &[String]| {
        let asked = references.iter().zip(&mandates[1..]).map(|(name, mandate)| debit(&world, mandate, name));
        join_all(asked).await
    };
    let answers = ask(&at_once).await;
    assert!(answers.iter().all(|answer| answer["status"] == "settled"), "{answers:?}");
    assert!(others.iter().all(|bank| bank.books().asked.values().eq([&1])), "with one question each");

    // And what the others did not answer is asked for when it is due, by the turn of each.
    for bank in others {
        bank.books().mood = Mood::LosesAnswers;
    }
    let answers = ask(&later).await;
    assert!(answers.iter().all(|answer| answer["status"] == "in_doubt"), "{answers:?}");
    assert_eq!(world.clock.now(), begun, "no time has passed");
    assert!(poll_immediate(waits.as_mut()).await.is_none(), "and the silent one has still not answered");
    world.pass(6_000);
    let mut held_up = pin!(world.gateway.run_turn(Turn::Bank(BANK.parse().expect("a code")), world.clock.now(), 100));
    while silent.books().waiting == 0 {
        assert!(poll_immediate(held_up.as_mut()).await.is_none(), "its turn waits for it");
        tokio::task::yield_now().await;
    }
    for turn in world.gateway.turns().into_iter().skip(1) {
        world.gateway.run_turn(turn, world.clock.now(), 100).await;
    }
    assert!(statuses(&world, &later).await.iter().all(|status| status == "settled"), "each at its first moment");
    assert!(others.iter().all(|bank| bank.books().inquiries == 1), "with one question each");
    assert!(poll_immediate(held_up.as_mut()).await.is_none(), "while the silent one's waits");

    // Its own is done once it speaks, and once.
    silent.books().mood = Mood::Settles;
    drop(shut);
    held_up.await;
    waits.await;
    assert_eq!(statuses(&world, &["silent".to_owned()]).await, [json!("settled")]);
    assert_eq!(silent.books().asked.values().copied().collect::<Vec<_>>(), [1]);
}
