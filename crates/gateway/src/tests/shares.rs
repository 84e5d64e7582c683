//! Shares: what one operator has open takes no room from another, and one wallet waits for few mandates at a time.

use super::bank::Mood;
use super::world::{BANK, OTHER_BANK, World};
use crate::domain::mandate::{self, Limits};
use crate::domain::{Command, Factor, MandateId, Noun, Reference, Refusal};
use crate::gateway::NotDone;
use ledger::Yen;
use serde_json::{Value, json};

const STRONG: &[Factor] = &[Factor::Account, Factor::Pin, Factor::OneTimePassword];

async fn debit(world: &World, client_id: &str, mandate: MandateId, reference: &str) -> (u16, Value) {
    let body = json!({ "reference": reference, "mandate_id": mandate.to_string(), "amount": 100 });
    world.call(client_id, "POST", "/gateway/v1/debits", Some(body)).await
}

#[tokio::test]
async fn one_operator_leaves_room_for_another_at_a_bank_that_is_silent() {
    let world = World::with(false, |options| options.policy.open_of_operator_max = 3).await;
    let ours = world.link("kinchaku", "w1", "1234567", STRONG).await;
    let theirs = world.link("fukuro", "w1", "1234567", STRONG).await;
    let elsewhere = world.link_at(OTHER_BANK, "kinchaku", "w1", "1234567", STRONG).await;
    world.bank.books().mood = Mood::IsDown;
    for reference in ["1", "2", "3"] {
        assert_eq!(debit(&world, "kinchaku", ours, reference).await.0, 202);
    }
    let (status, body) = debit(&world, "kinchaku", ours, "4").await;
    assert_eq!((status, &body["type"]), (429, &json!("/problems/too-many-open")), "{body}");
    assert_eq!((&body["noun"], &body["open"], &body["max"]), (&json!("operator"), &json!(3), &json!(3)));
    assert_eq!(debit(&world, "kinchaku", ours, "1").await.0, 202, "what is open already is answered as it stands");
    assert_eq!(debit(&world, "fukuro", theirs, "1").await.0, 202, "another operator has a share of its own");
    assert_eq!(debit(&world, "kinchaku", elsewhere, "5").await.0, 201, "and so has another bank");
    world.bank.books().mood = Mood::Settles;
    // It does not know of them, and is asked once more.
    for _ in 0..2 {
        world.pass(3_600_000);
        world.work().await;
    }
    assert_eq!(debit(&world, "kinchaku", ours, "4").await.0, 201, "what has ended is open no more");
}

async fn ask(world: &World, client_id: &str, bank: &str, wallet: &str) -> Result<MandateId, NotDone> {
    let mandate = MandateId(world.gateway.new_id());
    let reference = |text: String| Reference::try_from(text).expect("a reference");
    let request = mandate::Request {
        mandate,
        operator: world.operator(client_id),
        reference: reference(format!("link-{mandate}")),
        wallet: reference(wallet.to_owned()),
        bank: bank.parse().expect("a code"),
        limits: Limits { per_time: Yen::new(1), per_month: Yen::new(1) },
    };
    world.submit(Command::Mandate(mandate::Command::Request(request))).await.map(|_| mandate)
}

#[tokio::test]
async fn one_wallet_waits_for_few_mandates_at_a_time() {
    let mut world = World::new().await;
    let mut asked = Vec::new();
    for number in 0..10 {
        let bank = if number % 2 == 0 { BANK } else { OTHER_BANK };
        asked.push(ask(&world, "kinchaku", bank, "w1").await.expect("it may be asked"));
    }
    world.restart().await;
    let too_many = NotDone::Refused(Refusal::TooManyOpen { noun: Noun::Mandate, open: 10, max: 10 });
    assert_eq!(ask(&world, "kinchaku", BANK, "w1").await, Err(too_many.clone()), "a restart forgets none");
    assert!(ask(&world, "kinchaku", BANK, "w2").await.is_ok(), "another wallet");
    assert!(ask(&world, "fukuro", BANK, "w1").await.is_ok(), "another operator's wallet of the same name");
    world.submit(Command::Mandate(mandate::Command::Abandon { mandate: asked[0] })).await.expect("the person left");
    assert!(ask(&world, "kinchaku", BANK, "w1").await.is_ok());
    assert_eq!(ask(&world, "kinchaku", BANK, "w1").await, Err(too_many));
    world.pass(3_600_000);
    world.work().await;
    assert!(ask(&world, "kinchaku", BANK, "w1").await.is_ok(), "their time ran out");
}
