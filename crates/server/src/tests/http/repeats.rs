//! A request that takes a proof is one request: with its challenge and without, after a lost answer, from another session, a
//! day later. Whoever repeats it gets its answer, and the money moves once.

use super::gateway::Script;
use super::till::Person;
use super::world::{Answer, World, context};
use ledger::Yen;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::task::JoinSet;
use wallet::guard::{Attempt, Verdict};
use wallet::switches::Function;
use wallet::{Context, Proof};

/// What takes a proof, and moves money.
const KINDS: [&str; 4] = ["/sends", "/payouts", "/payments", "/closure"];

/// Somebody on a new device with 10,000 yen, and what they ask for on `path`.
async fn ready(world: &World, path: &str) -> (Person, Value) {
    let (sakura, haru) = (world.person("sakura").await, world.person("haru").await);
    let (shop, _) = world.shop("Soba").await;
    let account = world.fund(&sakura, 10_000).await;
    let sakura = Person { token: world.log_in("sakura").await, ..sakura };
    let body = match path {
        "/sends" => json!({ "to_wallet_id": haru.wallet.to_string(), "amount": 1_000,
            "recipient_token": world.look(&sakura.token, haru.wallet).await }),
        "/payouts" => json!({ "bank_account_id": account.to_string(), "amount": 1_000 }),
        "/payments" => json!({ "shop_id": shop.to_string(), "amount": 1_000 }),
        "/closure" => json!({ "bank_account_id": account.to_string() }),
        other => panic!("nobody asks for {other}"),
    };
    (sakura, body)
}

/// Asks under `key`, is refused, and proves the challenge. The body with it.
async fn proven(world: &World, person: &Person, path: &str, key: &str, body: &Value) -> Value {
    let asked = world.post_with(&person.path(path), Some(&person.token), key, body).await;
    assert_eq!(asked.problem(), (403, "step-up-required"), "{path}: {}", asked.text);
    let challenge = asked.text("challenge_id");
    let answered = world.post(&format!("/v1/challenges/{challenge}"), Some(&person.token), json!({})).await;
    if answered.text("status") == "pending" {
        let code = json!({ "code": world.inbox.code(&super::world::mail(&person.name)) });
        let answered = world.post(&format!("/v1/challenges/{challenge}"), Some(&person.token), code).await;
        assert_eq!(answered.text("status"), "approved", "{}", answered.text);
    }
    let mut with = body.clone();
    with["challenge_id"] = challenge.into();
    with
}

/// What was done: the movement's own id.
fn deed(answer: &Answer) -> String {
    assert!(answer.status.is_success(), "{}", answer.text);
    let id = answer.body["payout_id"].as_str().or(answer.body["id"].as_str());
    id.expect("an id").to_owned()
}

async fn movements(world: &World, person: &Person) -> usize {
    let listed = world.get(&person.path("/movements?limit=100"), Some(&person.token)).await;
    listed.body["data"].as_array().expect("a list").len()
}

/// Repeats one request in this order: `b` bare, `c` with its challenge; between them `n` logs in anew, `d` lets a day go by.
async fn check(path: &str, order: &str) {
    let world = World::new();
    let (mut person, body) = ready(&world, path).await;
    let (key, before) = (world.key(), movements(&world, &person).await);
    let with = proven(&world, &person, path, &key, &body).await;
    let mut done: Option<String> = None;
    for step in order.chars() {
        if step == 'd' {
            world.advance(25 * 60 * 60 * 1_000);
            world.run_due().await;
        }
        if step == 'd' || step == 'n' {
            person.token = world.log_in("sakura").await;
            continue;
        }
        let sent = if step == 'c' { &with } else { &body };
        let answer = world.post_with(&person.path(path), Some(&person.token), &key, sent).await;
        match &done {
            None if step == 'b' => assert_eq!(answer.problem(), (403, "step-up-required"), "{path}: {}", answer.text),
            None => done = Some(deed(&answer)),
            Some(done) => assert_eq!(deed(&answer), *done, "{path} {order}: the same answer again"),
        }
    }
    assert_eq!(movements(&world, &person).await, before + 1, "{path} {order}: once");
    if order.contains('d') {
        let challenge = format!("/v1/challenges/{}", with["challenge_id"].as_str().expect("an id"));
        assert_eq!(world.get(&challenge, Some(&person.token)).await.status, 404, "it is long forgotten");
    }
    for challenge in [with["challenge_id"].clone(), json!("chl_0")] {
        let mut other = with.clone();
        other["challenge_id"] = challenge;
        match path {
            "/closure" => other["bank_account_id"] = json!("acc_0"),
            _ => other["amount"] = json!(999),
        }
        let reused = world.post_with(&person.path(path), Some(&person.token), &key, &other).await;
        assert_eq!(reused.problem(), (422, "idempotency-key-reused"), "{path}: {}", reused.text);
    }
}

#[tokio::test]
async fn a_repeat_is_the_same_request_with_its_challenge_and_without() {
    for path in KINDS {
        check(path, "bcbc").await;
    }
}

#[tokio::test]
async fn a_repeat_from_another_session_or_a_day_later_needs_no_new_proof() {
    for path in KINDS {
        check(path, "cnbcdcb").await;
    }
}

#[tokio::test]
async fn what_was_paid_on_a_known_device_is_not_paid_again_from_a_new_one() {
    let world = World::new();
    let (sakura, pay) = ready(&world, "/payments").await;
    world.trust(&sakura);
    let (key, path) = (world.key(), sakura.path("/payments"));
    let paid = world.post_with(&path, Some(&sakura.token), &key, &pay).await;
    assert_eq!(paid.status, 201, "{}", paid.text);
    let anew = world.log_in("sakura").await;
    let repeated = world.post_with(&path, Some(&anew), &key, &pay).await;
    assert_eq!((repeated.status, repeated.text("id")), (paid.status, paid.text("id")), "{}", repeated.text);
    let other = world.post(&path, Some(&anew), pay).await;
    assert_eq!(other.problem(), (403, "step-up-required"), "the device is none the better known for it");
}

/// Asks for a proof of each payment of 777 yen.
fn wary(attempt: &Attempt<'_>) -> Verdict {
    let is_odd = attempt.function == Function::Payment && attempt.amount == Yen::new(777);
    if is_odd { Verdict::StepUp(Proof::SecondFactor) } else { Verdict::Allow }
}

#[tokio::test]
async fn what_the_guard_asked_for_is_no_answer_of_the_key() {
    let world = World::in_context(Context { guard: wary, ..context() });
    let (sakura, mut pay) = ready(&world, "/payments").await;
    pay["amount"] = json!(777);
    world.trust(&sakura);
    let (key, path) = (world.key(), sakura.path("/payments"));
    let with = proven(&world, &sakura, "/payments", &key, &pay).await;
    let again = world.post_with(&path, Some(&sakura.token), &key, &pay).await;
    assert_eq!(again.problem(), (403, "step-up-required"), "asked again: {}", again.text);
    let paid = world.post_with(&path, Some(&sakura.token), &key, &with).await;
    assert_eq!(paid.status, 201, "{}", paid.text);
    for body in [&pay, &with] {
        let repeated = world.post_with(&path, Some(&sakura.token), &key, body).await;
        assert_eq!((repeated.status, repeated.text("id")), (paid.status, paid.text("id")));
    }
    assert_eq!(world.balance(&sakura).await, 10_000 - 777);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_proofs_and_none_at_once_under_one_key_move_the_money_once() {
    for path in KINDS {
        let world = Arc::new(World::new());
        let (sakura, body) = ready(&world, path).await;
        let (key, before) = (world.key(), movements(&world, &sakura).await);
        let one = proven(&world, &sakura, path, &key, &body).await;
        let two = proven(&world, &sakura, path, &key, &body).await;
        let mut calls = JoinSet::new();
        for number in 0..60 {
            let sent = [&one, &body, &two][number % 3].clone();
            let (world, path, token, key) = (Arc::clone(&world), sakura.path(path), sakura.token.clone(), key.clone());
            calls.spawn(async move { world.post_with(&path, Some(&token), &key, &sent).await });
        }
        let answers = calls.join_all().await;
        let done: BTreeSet<_> = answers.iter().filter(|answer| answer.problem().0 != 403).map(deed).collect();
        assert_eq!((done.len(), movements(&world, &sakura).await), (1, before + 1), "{path}: {done:?}");
        let with = |body: &&Answer| body.status.is_success();
        assert!(answers.iter().filter(with).count() >= 40, "{path}: who shows a proof is answered");
    }
}

/// Asks for what the bank lets wait, and repeats that once the bank has done it.
async fn check_gone_on(world: &World, path: &str, token: &str, body: &Value) {
    let (key, before) = (world.key(), world.gateway.with(|stand| stand.movements.len()));
    world.gateway.with(|stand| stand.script = Script::Wait);
    let with = match world.post_with(path, Some(token), &key, body).await {
        asked if asked.status == 403 => {
            let challenge = asked.text("challenge_id");
            world.post(&format!("/v1/challenges/{challenge}"), Some(token), json!({})).await;
            let mut with = body.clone();
            with["challenge_id"] = challenge.into();
            with
        }
        _ => body.clone(),
    };
    let first = world.post_with(path, Some(token), &key, &with).await;
    assert_eq!((first.status.as_u16(), first.text("status").as_str()), (202, "in_doubt"), "{path}: {}", first.text);
    world.gateway.with(|stand| {
        stand.script = Script::Settle;
        stand.movements.values_mut().for_each(|movement| movement["status"] = "settled".into());
    });
    world.advance(60_000);
    world.run_due().await;
    let mut settled = first.body.clone();
    settled["status"] = "settled".into();
    for sent in [body, &with] {
        let again = world.post_with(path, Some(token), &key, sent).await;
        assert_eq!((again.status.as_u16(), &again.body), (201, &settled), "{path}: {}", again.text);
    }
    let mut other = body.clone();
    other["amount"] = json!(1_001);
    let reused = world.post_with(path, Some(token), &key, &other).await;
    assert_eq!(reused.problem(), (422, "idempotency-key-reused"), "{path}: {}", reused.text);
    assert_eq!(world.gateway.with(|stand| stand.movements.len()), before + 1, "{path}: the bank was asked for one");
}

#[tokio::test]
async fn a_repeat_of_what_has_gone_on_meanwhile_is_answered_in_the_same_shape() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let mandate = world.link("sakura", &token, &wallet).await;
    let top_up = json!({ "mandate_id": mandate, "amount": 1_000 });
    check_gone_on(&world, &format!("{wallet}/top-ups"), &token, &top_up).await;
    let accounts = world.get(&format!("{wallet}/bank-accounts"), Some(&token)).await;
    let payout = json!({ "bank_account_id": accounts.body["data"][0]["id"], "amount": 1_000 });
    check_gone_on(&world, &format!("{wallet}/payouts"), &token, &payout).await;
}
