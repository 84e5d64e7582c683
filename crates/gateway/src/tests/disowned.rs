//! "It was not me": what the typed code of one notice ends, at every operator, and what it leaves alone.

use super::world::{BANK, World};
use crate::connector::AccountNumber;
use crate::domain::account::{AccountKind, Command as AccountCommand, NoticeKind};
use crate::domain::mandate::{self, Grant, Limits, Status};
use crate::domain::name::Grade;
use crate::domain::{Command, Factor, MandateId, MissingFact, NotMeId, OperatorId, Receipt, Reference};
use ledger::Yen;
use serde_json::{Value, json};

const STATIC: &[Factor] = &[Factor::Account, Factor::NameKana, Factor::Pin];
const STRONG: &[Factor] = &[Factor::Account, Factor::Pin, Factor::OneTimePassword];
const NUMBER: &str = "1234567";

fn number() -> AccountNumber {
    AccountNumber { branch: "100".into(), kind: AccountKind::Ordinary, number: NUMBER.into() }
}

async fn status_of(world: &World, mandate: MandateId) -> Status {
    world.gateway.mandate(mandate).await.expect("it is read").expect("it is there").status
}

/// What the first operator, or another one, was told, by type.
async fn types(world: &World, client_id: &str) -> Vec<String> {
    let (_, body) = world.call(client_id, "GET", "/gateway/v1/events?after=0", None).await;
    let data = body["data"].as_array().expect("events");
    data.iter().map(|event| event["type"].as_str().expect("a type").to_owned()).collect()
}

async fn debit(world: &World, client_id: &str, mandate: MandateId, reference: &str) -> u16 {
    let body = json!({ "reference": reference, "mandate_id": mandate.to_string(), "amount": 100 });
    world.call(client_id, "POST", "/gateway/v1/debits", Some(body)).await.0
}

/// A mandate of the first operator that was only asked for.
async fn asked_for(world: &World, wallet: &str) -> MandateId {
    let mandate = MandateId(world.gateway.new_id());
    let reference = Reference::try_from(format!("link-{mandate}")).expect("a reference");
    let wallet = Reference::try_from(wallet.to_owned()).expect("a reference");
    let limits = Limits { per_time: Yen::new(100_000), per_month: Yen::new(300_000) };
    let (operator, bank) = (world.operator("kinchaku"), BANK.parse().expect("a code"));
    let request = mandate::Request { mandate, operator, reference, wallet, bank, limits };
    world.submit(Command::Mandate(mandate::Command::Request(request))).await.expect("it may be asked");
    mandate
}

/// The account's holder is told of `mandate`: the code of the notice.
async fn told_of(world: &World, mandate: MandateId, operator: OperatorId, kind: NoticeKind) -> NotMeId {
    let (gateway, bank) = (&world.gateway, BANK.parse().expect("a code"));
    let account = gateway.account_id(bank, &number());
    let code = gateway.not_me_id(&mandate.to_string());
    let notice = AccountCommand::Notice {
        account,
        details: gateway.details(bank, &number(), "ﾔﾏﾀﾞ ﾀﾛｳ").expect("it is sealed"),
        kind,
        mandate,
        operator,
        account_ref: gateway.account_ref(operator, account),
        code,
        forgotten: super::world::T0.day().plus(182),
    };
    world.submit(Command::Account(notice)).await.expect("it is noted");
    code
}

/// The holder types the code, twice.
async fn type_in(world: &World, code: NotMeId) {
    for _ in 0..2 {
        let said = crate::pages::disown(&world.gateway, code).await.expect("an answer");
        world.submit(said).await.expect("it is said");
    }
}

#[tokio::test]
async fn not_me_ends_the_mandate_and_static_factors_no_longer_suffice() {
    let world = World::new().await;
    let mandate = world.link("kinchaku", "thief", NUMBER, STATIC).await;
    let theirs = world.link("fukuro", "elsewhere", NUMBER, STRONG).await;
    world.confirm(theirs).await;
    let code = told_of(&world, mandate, world.operator("kinchaku"), NoticeKind::Linked).await;
    type_in(&world, code).await;
    assert_eq!(debit(&world, "kinchaku", mandate, "d1").await, 422);
    let told = types(&world, "kinchaku").await;
    assert_eq!(told[told.len() - 2..], ["account.disowned", "mandate.revoked"]);
    let told = types(&world, "fukuro").await;
    assert_eq!(told[2..], ["mandate.confirmed", "account.disowned"], "and what the holder confirmed goes on");
    let (_, events) = world.call("fukuro", "GET", "/gateway/v1/events?after=3", None).await;
    let (_, mandates): (_, Value) = world.call("fukuro", "GET", "/gateway/v1/mandates", None).await;
    assert_eq!(events["data"][0]["account_ref"], mandates["data"][0]["account_ref"], "it knows which account is meant");
    assert_eq!(mandates["data"][0]["status"], "active");
    let (_, again) = world.try_link(BANK, "kinchaku", "thief2", NUMBER, STATIC).await;
    assert!(matches!(again, Receipt::Mandate { missing: Some(MissingFact::StrongFactor), .. }), "{again:?}");
    world.link("kinchaku", "holder", NUMBER, STRONG).await;
}

#[tokio::test]
async fn the_code_of_an_older_attempt_stops_the_link_that_came_after_it_at_every_operator() {
    for kind in [NoticeKind::FirstFactor, NoticeKind::Failures] {
        let world = World::new().await;
        let failed = asked_for(&world, "thief").await;
        world.submit(Command::Mandate(mandate::Command::Refuse { mandate: failed })).await.expect("it is refused");
        let older = told_of(&world, failed, world.operator("kinchaku"), kind).await;
        let linked = world.link("kinchaku", "thief", NUMBER, STATIC).await;
        let elsewhere = world.link("fukuro", "thief", NUMBER, STRONG).await;
        assert_eq!(debit(&world, "fukuro", elsewhere, "before").await, 201);
        type_in(&world, older).await;
        for (client_id, mandate) in [("kinchaku", linked), ("fukuro", elsewhere)] {
            assert_eq!(debit(&world, client_id, mandate, "after").await, 422, "{kind:?} at {client_id}");
            assert_eq!(status_of(&world, mandate).await, Status::Revoked);
            let told = types(&world, client_id).await;
            assert_eq!(told[told.len() - 2..], ["account.disowned", "mandate.revoked"], "{kind:?} at {client_id}");
        }
    }
}

#[tokio::test]
async fn what_was_asked_for_before_not_me_never_becomes_active() {
    let world = World::new().await;
    let linked = world.link("kinchaku", "first", NUMBER, STRONG).await;
    let code = told_of(&world, linked, world.operator("kinchaku"), NoticeKind::Linked).await;
    let waiting = asked_for(&world, "second").await;
    let (operator, bank) = (world.operator("kinchaku"), BANK.parse().expect("a code"));
    let account = world.gateway.account_id(bank, &number());
    let grant = Grant {
        account,
        account_ref: world.gateway.account_ref(operator, account),
        name: Grade::Match,
        birth_date_matches: true,
        factors: STRONG.iter().copied().collect(),
        contact_notified: true,
    };
    let details = world.gateway.details(bank, &number(), "ﾔﾏﾀﾞ ﾀﾛｳ").expect("it is sealed");
    let granted = mandate::Command::Grant { mandate: waiting, grant, details };
    world.submit(Command::Mandate(granted)).await.expect("it may be granted");
    world.pass(1);
    type_in(&world, code).await;
    let collect = mandate::Command::Collect { mandate: waiting, operator, account };
    world.submit(Command::Mandate(collect)).await.expect("an answer");
    assert_eq!(status_of(&world, waiting).await, Status::Revoked);
    assert_eq!(debit(&world, "kinchaku", waiting, "d1").await, 422);
}

#[tokio::test]
async fn a_confirmation_lifts_nothing_of_another_persons_link() {
    let world = World::new().await;
    let strangers = world.link("fukuro", "stranger", NUMBER, STRONG).await;
    let holders = world.link("kinchaku", "holder", NUMBER, STRONG).await;
    let debit = async |client_id: &str, mandate: MandateId, reference: &str, amount: i64| {
        let body = json!({ "reference": reference, "mandate_id": mandate.to_string(), "amount": amount });
        world.call(client_id, "POST", "/gateway/v1/debits", Some(body)).await.0
    };
    assert_eq!(debit("fukuro", strangers, "s1", 7_000).await, 201);
    assert_eq!(debit("kinchaku", holders, "h1", 3_000).await, 201);
    assert_eq!(debit("fukuro", strangers, "s2", 1).await, 422, "a day's sum is the account's");
    world.confirm(holders).await;
    assert_eq!(debit("kinchaku", holders, "h2", 50_000).await, 201);
    assert_eq!(debit("fukuro", strangers, "s3", 3_001).await, 422, "the stranger's own share stays");
    assert_eq!(debit("fukuro", strangers, "s4", 3_000).await, 201, "and no more than it");
}
