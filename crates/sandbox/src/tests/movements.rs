//! Debits, credits, inquiries, reversals, and the statement that they leave.

use super::world::{START, World, account};
use crate::{Policies, SandboxClock};
use http::Method;
use serde_json::{Value, json};

fn debit(reference: &str, amount: i64) -> Value {
    json!({ "reference": reference, "account": account(), "amount": amount, "descriptor": "キンチャク" })
}

#[tokio::test]
async fn a_debit_is_done_once_however_often_it_is_asked_for() {
    let world = World::new(Policies::AsOf2020).await;
    let first = world.bank("0125", "debits", debit("r-1", 10_000)).await;
    assert_eq!(first.status, 200);
    let expected = json!({
        "reference": "r-1", "outcome": "settled", "code": 0, "amount": 10_000, "at": "2020-09-01T12:00:00+09:00",
    });
    assert_eq!(first.body, expected);
    assert_eq!(world.bank("0125", "debits", debit("r-1", 10_000)).await, first);
    assert_eq!(world.bank("0125", "debits/r-1", Value::Null).await, first);
    assert_eq!(world.bank("0125", "debits", debit("r-1", 10_001)).await.status, 409);
    assert_eq!(
        world.bank("0125", "credits/r-1", Value::Null).await.status,
        404,
        "credits have references of their own"
    );
    assert_eq!(world.hanako().await["balance"], 490_000);
}

#[tokio::test]
async fn what_the_bank_does_not_do_has_the_code_of_the_account_transfer_file() {
    let world = World::new(Policies::AsOf2020).await;
    let unknown = json!({ "branch": "999", "kind": "ordinary", "number": "0000001" });
    for (reference, account, amount, code) in [
        ("too-much", account(), 500_001, 1),
        ("everything", account(), 500_000, 0),
        ("nothing-left", account(), 1, 1),
        ("nobody", unknown, 1, 2),
    ] {
        let body = json!({ "reference": reference, "account": account, "amount": amount });
        let answer = world.bank("0125", "debits", body).await;
        assert_eq!((answer.status, &answer.body["code"]), (200, &json!(code)), "{reference}");
    }
    world.sandbox(Method::POST, "banks/0125/accounts/1001234567/stop-debits", json!({ "stopped": true })).await;
    assert_eq!(world.bank("0125", "debits", debit("stopped", 1)).await.body["code"], 3);
    for (body, status) in [
        (debit("zero", 0), 422),
        (debit("negative", -1), 400),
        (debit("", 1), 400),
        (json!({ "reference": "float", "account": account(), "amount": 1.5 }), 400),
        (json!({ "reference": "text", "account": account(), "amount": "1" }), 400),
        (json!({ "reference": "more", "account": account(), "amount": 1, "surprise": true }), 400),
    ] {
        assert_eq!(world.bank("0125", "debits", body.clone()).await.status, status, "{body}");
    }
}

#[tokio::test]
async fn only_the_gateway_may_ask_and_a_bank_without_a_key_answers_nobody() {
    let world = World::new(Policies::AsOf2020).await;
    for (url, token) in [
        ("http://bank-0125.localhost/connector/v1/debits", ""),
        ("http://bank-0125.localhost/connector/v1/debits", "something else"),
        ("http://bank-0134.localhost/connector/v1/debits", super::world::BANK_KEY),
    ] {
        let answer = world.ask(Method::POST, url, token, &debit("r", 1)).await.expect("an answer");
        assert_eq!(answer.status, 401, "{url} {token}");
    }
    assert_eq!(world.hanako().await["balance"], 500_000);
}

#[tokio::test]
async fn an_overdraft_is_borrowed_where_a_debit_may_and_no_more_than_it() {
    let world = World::new(Policies::AsOf2020).await;
    let opened = json!({
        "branch": "100", "number": "7654321", "family_name": "借田", "given_name": "越", "family_kana": "カリタ",
        "given_kana": "エツ", "birth_date": "1980-01-02", "balance": 0, "overdraft_max": 300_000,
    });
    assert_eq!(world.sandbox(Method::POST, "banks/0125/accounts", opened.clone()).await.status, 201);
    assert_eq!(world.sandbox(Method::POST, "banks/0125/accounts", opened).await.status, 409);
    let account = json!({ "branch": "100", "kind": "ordinary", "number": "7654321" });
    for (reference, amount, may_overdraw, outcome) in [
        ("unborrowed", 1, Some(false), "declined"),
        ("one", 100_000, Some(true), "settled"),
        ("two", 200_001, None, "declined"),
        ("three", 200_000, None, "settled"),
        ("four", 1, Some(true), "declined"),
    ] {
        let mut body = json!({ "reference": reference, "account": account, "amount": amount });
        if let Some(may_overdraw) = may_overdraw {
            body["may_overdraw"] = may_overdraw.into();
        }
        assert_eq!(world.bank("0125", "debits", body).await.body["outcome"], outcome, "{reference}");
    }
    let shown = world.sandbox(Method::GET, "banks/0125/accounts/1007654321", Value::Null).await.body;
    assert_eq!(shown["balance"], -300_000);
}

#[tokio::test]
async fn the_statement_shows_the_banks_own_words_and_every_way_back() {
    let world = World::new(Policies::AsOf2020).await;
    world.bank("0125", "debits", debit("out", 10_000)).await;
    let credit = json!({ "reference": "in", "account": account(), "amount": 1_000 });
    world.bank("0125", "credits", credit).await;
    let reversed = world.sandbox(Method::POST, "banks/0125/movements/debit/out/reverse", Value::Null).await;
    assert_eq!(reversed.status, 204);
    world.sandbox(Method::POST, "banks/0125/movements/debit/out/reverse", Value::Null).await;
    let statement = world.sandbox(Method::GET, "banks/0125/accounts/1001234567/statement", Value::Null).await.body;
    let lines: Vec<(String, String, i64, i64)> = statement["data"]
        .as_array()
        .expect("lines")
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().expect("text").to_owned();
            let yen = |name: &str| line[name].as_i64().expect("yen");
            (text("kind"), text("descriptor"), yen("amount"), yen("balance"))
        })
        .collect();
    let line = |kind: &str, words: &str, amount, balance| (kind.to_owned(), words.to_owned(), amount, balance);
    let expected = [
        line("reversal", "取消 キンチャク", 10_000, 501_000),
        line("credit", "キンチャク", 1_000, 491_000),
        line("debit", "キンチャク", -10_000, 490_000),
        line("opened", "口座開設", 500_000, 500_000),
    ];
    assert_eq!(lines, expected);
    let other = json!({ "branch": "101", "kind": "ordinary", "number": "3456789" });
    let at_another_bank = json!({ "reference": "r", "account": other, "amount": 5, "descriptor": "キンチャク" });
    assert_eq!(world.bank("0168", "debits", at_another_bank).await.body["outcome"], "settled");
    let statement = world.sandbox(Method::GET, "banks/0168/accounts/1013456789/statement", Value::Null).await.body;
    assert_eq!(statement["data"][0]["descriptor"], "KCﾊﾗｲ");
}

#[tokio::test]
async fn a_reference_that_was_given_up_can_no_longer_appear() {
    let world = World::new(Policies::AsOf2020).await;
    let missing = world.bank("0125", "debits/never", Value::Null).await;
    assert_eq!((missing.status, &missing.body["cut_off_passed"]), (404, &json!(false)));
    world.clock.advance(12 * 3_600 - 1).await.expect("it advances");
    assert_eq!(world.bank("0125", "debits/never", Value::Null).await.body["cut_off_passed"], false);
    world.clock.advance(1).await.expect("it advances");
    assert_eq!(world.bank("0125", "debits/never", Value::Null).await.body["cut_off_passed"], true);
    let refused = world.bank("0125", "debits", debit("never", 1_000)).await;
    assert_eq!((&refused.body["outcome"], &refused.body["code"]), (&json!("declined"), &json!(8)));
    assert_eq!(world.hanako().await["balance"], 500_000);
}

#[tokio::test]
async fn a_restart_keeps_accounts_movements_and_messages() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let clock = || SandboxClock::frozen(START);
    let world = World::open(Policies::Raised, Some(directory.path()), clock()).await;
    world.bank("0125", "debits", debit("r-1", 10_000)).await;
    let notice = json!({ "notice": "n", "account": account(), "text": { "ja": "あ", "en": "a" }, "code": "ABC" });
    assert_eq!(world.bank("0125", "notices", notice).await.body["contacts_notified"], 2);
    let before = world.hanako().await;
    world.sandbox.stop().expect("it stops");
    drop(world);
    let world = World::open(Policies::AsOf2020, Some(directory.path()), clock()).await;
    assert_eq!(world.hanako().await, before);
    assert_eq!(world.bank("0125", "debits", debit("r-1", 10_000)).await.body["outcome"], "settled");
    assert_eq!(world.newest("08000000000").await.as_deref(), Some("あ\na\nコード / Code: ABC"));
    let about = world.bank("0125", "about", Value::Null).await.body;
    assert_eq!(about["factors"], json!([["account", "name_kana", "pin", "sms_code"]]), "a policy outlives the option");
    world.clock.advance(0).await.expect("it advances");
    assert_eq!(world.told().len(), 1, "what the gateway was not told before the restart it is told after");
    world.clock.advance(0).await.expect("it advances");
    assert_eq!(world.told(), [], "and once it took it, no more");
}
