//! How a bank lets somebody prove that an account is theirs, and what a guesser sees.

use super::world::{Answer, World, account};
use crate::Policies;
use http::Method;
use serde_json::{Value, json};

async fn attempt(world: &World, attempt: &str, account: Value, factors: Value) -> Answer {
    let body = json!({ "attempt": attempt, "account": account, "factors": factors });
    world.bank("0125", "authentications", body).await
}

fn right() -> Value {
    json!({ "name_kana": "ナナミ ハナコ", "pin": "0412" })
}

fn wrong() -> Value {
    json!({ "name_kana": "ナナミ ハナコ", "pin": "9999" })
}

#[tokio::test]
async fn in_2020_a_name_and_four_digits_were_enough() {
    let world = World::new(Policies::AsOf2020).await;
    let answer = attempt(&world, "a", account(), right()).await;
    let customer = json!({ "name_kana": "ﾅﾅﾐ ﾊﾅｺ", "birth_date": "1985-04-12", "has_contact": true });
    let expected = json!({ "outcome": "succeeded", "first_factor_right": true, "customer": customer });
    assert_eq!(answer.body, expected);
}

#[tokio::test]
async fn a_guesser_is_answered_alike_for_accounts_that_exist_and_that_do_not() {
    for policies in [Policies::AsOf2020, Policies::Raised] {
        let world = World::new(policies).await;
        let nobody = json!({ "branch": "100", "kind": "ordinary", "number": "0000001" });
        let first = attempt(&world, "1", account(), wrong()).await;
        for (name, account) in [("2", account()), ("3", account()), ("4", account()), ("5", nobody)] {
            assert_eq!(attempt(&world, name, account, wrong()).await, first, "{policies:?} {name}");
        }
        // By now the web path is closed, and the right PIN is answered like a wrong one.
        assert_eq!(attempt(&world, "6", account(), right()).await, first);
        assert_eq!(world.hanako().await["web_locked"], true);
        assert_eq!(world.newest("08000000000").await, None, "a wrong guess sends no code");
        let debit = json!({ "reference": "r", "account": account(), "amount": 1 });
        assert_eq!(world.bank("0125", "debits", debit).await.body["outcome"], "settled", "the account goes on");
        world.sandbox(Method::POST, "banks/0125/accounts/1001234567/unlock", Value::Null).await;
        assert_ne!(attempt(&world, "7", account(), right()).await, first);
    }
}

#[tokio::test]
async fn a_raised_policy_asks_for_the_code_that_went_to_the_phone() {
    let world = World::new(Policies::Raised).await;
    let asked = attempt(&world, "a", account(), right()).await.body;
    assert_eq!((&asked["outcome"], &asked["challenge"]["kind"]), (&json!("challenge_required"), &json!("sms_code")));
    assert_eq!(asked["first_factor_right"], true);
    assert_eq!(asked["customer"], Value::Null, "nothing is told before the second step");
    let text = world.newest("08000000000").await.expect("a code came");
    let code: String = text.chars().filter(char::is_ascii_digit).take(6).collect();
    assert_eq!(
        attempt(&world, "a", account(), json!({ "sms_code": "none" })).await.body["outcome"],
        "challenge_required"
    );
    assert_eq!(attempt(&world, "b", account(), json!({ "sms_code": code })).await.body["outcome"], "failed");
    let everything = json!({ "name_kana": "ナナミ ハナコ", "pin": "0412", "sms_code": code });
    let done = attempt(&world, "a", account(), everything).await.body;
    assert_eq!((&done["outcome"], &done["customer"]["has_contact"]), (&json!("succeeded"), &json!(true)));
    assert_eq!(
        attempt(&world, "a", account(), json!({ "sms_code": code })).await.body,
        done,
        "a retry is answered again"
    );
}

#[tokio::test]
async fn a_code_dies_after_ten_minutes_and_after_three_wrong_answers() {
    let world = World::new(Policies::Raised).await;
    let code = |text: String| text.chars().filter(char::is_ascii_digit).take(6).collect::<String>();
    attempt(&world, "late", account(), right()).await;
    let late = code(world.newest("08000000000").await.expect("a code came"));
    world.clock.advance(601).await.expect("it advances");
    assert_eq!(attempt(&world, "late", account(), json!({ "sms_code": late })).await.body["outcome"], "failed");
    attempt(&world, "guessed", account(), right()).await;
    let guessed = code(world.newest("08000000000").await.expect("a code came"));
    for _ in 0..3 {
        attempt(&world, "guessed", account(), json!({ "sms_code": "000" })).await;
    }
    assert_eq!(attempt(&world, "guessed", account(), json!({ "sms_code": guessed })).await.body["outcome"], "failed");
}

#[tokio::test]
async fn a_bank_asks_for_what_its_policy_says() {
    let world = World::new(Policies::AsOf2020).await;
    for (factors, status) in [
        (json!([["account", "pin", "birth_date"], ["account", "random_card"]]), 200),
        (json!([]), 422),
        (json!([["account"]]), 422),
        (json!([["pin"]]), 422),
        (json!([["account", "sms_code", "one_time_password"]]), 422),
        (json!([["account", "luck"]]), 400),
    ] {
        let answer = world.sandbox(Method::PUT, "banks/0125/factors", json!({ "factors": factors })).await;
        assert_eq!(answer.status, status, "{factors}");
    }
    let born = json!({ "pin": "0412", "birth_date": "1985-04-12" });
    assert_eq!(attempt(&world, "born", account(), born).await.body["outcome"], "succeeded");
    let mistaken = json!({ "pin": "0412", "birth_date": "1985-04-13" });
    assert_eq!(attempt(&world, "mistaken", account(), mistaken).await.body["first_factor_right"], false);
    assert_eq!(attempt(&world, "number", account(), json!({})).await.body["challenge"]["kind"], "random_card");
}

#[tokio::test]
async fn tokens_and_cards_are_read_from_what_the_person_holds() {
    let world = World::new(Policies::AsOf2020).await;
    world
        .sandbox(Method::PUT, "banks/0125/factors", json!({ "factors": [["account", "pin", "one_time_password"]] }))
        .await;
    let token = world.hanako().await["one_time_password"].clone();
    let at_once = json!({ "pin": "0412", "one_time_password": token });
    assert_eq!(attempt(&world, "token", account(), at_once).await.body["outcome"], "succeeded");
    world.sandbox(Method::PUT, "banks/0125/factors", json!({ "factors": [["account", "pin", "random_card"]] })).await;
    let asked = attempt(&world, "card", account(), json!({ "pin": "0412" })).await.body;
    let card = world.hanako().await["random_card"].clone();
    let hint = asked["challenge"]["hint"].as_str().expect("cells").to_owned();
    let cells: serde_json::Map<String, Value> =
        hint.split(", ").map(|cell| (cell.to_owned(), card[cell].clone())).collect();
    assert_eq!(cells.len(), 3);
    let answered = attempt(&world, "card", account(), json!({ "random_card": cells })).await.body;
    assert_eq!(answered["outcome"], "succeeded");
    world.sandbox(Method::PUT, "banks/0125/factors", json!({ "factors": [["account", "pin", "bank_app"]] })).await;
    let waits = || attempt(&world, "app", account(), json!({}));
    assert_eq!(attempt(&world, "app", account(), json!({ "pin": "0412" })).await.body["challenge"]["kind"], "bank_app");
    assert_eq!(waits().await.body["outcome"], "challenge_required");
    let tapped = world.sandbox(Method::POST, "banks/0125/app-approvals", json!({ "attempt": "app" })).await;
    assert_eq!(tapped.status, 204);
    assert_eq!(waits().await.body["outcome"], "succeeded");
}
