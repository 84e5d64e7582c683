//! Files: debits that go by the day's file, and what a bank's day file ends or contradicts.

use super::bank::Mood;
use super::world::{BANK, T0, World};
use crate::connector::zengin::{request_file, result_lines};
use crate::connector::{AccountNumber, BankOrder};
use crate::domain::account::AccountKind;
use crate::domain::bank;
use crate::domain::comparison::Paper;
use crate::domain::mandate::Why;
use crate::domain::movement::{Code, Kind, Outcome};
use crate::domain::{Command, Factor, MovementId};
use crate::gateway::{Gateway, OpenError};
use crate::options::FileOptions;
use domain::{Day, Id};
use ledger::Yen;
use serde_json::{Value, json};
use web::Secret;
use zengin_fmt::account_transfer_result::{Detail, End, File, Trailer};

pub const STRONG: &[Factor] = &[Factor::Account, Factor::Pin, Factor::OneTimePassword];
pub const HOUR_MS: i64 = 3_600_000;

pub fn options() -> FileOptions {
    FileOptions {
        collector_code: "0000012345".into(),
        collector_name: "ｷﾝﾁﾔｸ".into(),
        bank_name: "ｼﾁｼﾞﾕｳｼﾁ".into(),
        branch: "100".into(),
        number: "7654321".into(),
        cut_off_minute: 22 * 60,
    }
}

/// A debit as it goes into a file.
fn order(movement: MovementId, amount: i64, name: &str) -> BankOrder {
    BankOrder {
        kind: Kind::Debit,
        movement,
        account: AccountNumber { branch: "100".into(), kind: AccountKind::Ordinary, number: "1234567".into() },
        name_kana: Secret::new(name.into()),
        amount: Yen::new(amount),
        descriptor: "キンチャク".into(),
        may_overdraw: false,
    }
}

/// The debit that the first operator calls `reference`.
pub fn order_of(world: &World, reference: &str, amount: i64) -> BankOrder {
    order(world.gateway.movement_id(world.operator("kinchaku"), Kind::Debit, reference), amount, "ﾔﾏﾀﾞ ﾀﾛｳ")
}

/// The file of `day` in which the bank says that it did all of that.
pub fn file_of(day: Day, orders: &[BankOrder]) -> Vec<u8> {
    let bytes = request_file(&options(), BANK.parse().expect("a code"), day, orders).expect("it can be written");
    result_of(&bytes, &vec![0; orders.len()])
}

/// The result file that answers a request file, with one result code a record.
pub fn result_of(request: &[u8], codes: &[u8]) -> Vec<u8> {
    let asked = zengin_fmt::parse_account_transfer(request).expect("it is a request file");
    let details: Vec<Detail> = asked
        .details
        .iter()
        .zip(codes)
        .map(|(asked, code)| Detail {
            bank_code: asked.bank_code.clone(),
            bank_name: asked.bank_name.clone(),
            branch_code: asked.branch_code.clone(),
            branch_name: asked.branch_name.clone(),
            account_type: asked.account_type,
            account_number: asked.account_number.clone(),
            account_holder_name: asked.payer_name.clone(),
            amount: asked.amount,
            new_code: 0,
            customer_number: asked.customer_number.clone(),
            result_code: *code,
        })
        .collect();
    let sum = |done: bool| details.iter().filter(|d| (d.result_code == 0) == done).map(|d| d.amount).sum::<u64>();
    let count =
        |done: bool| u32::try_from(details.iter().filter(|d| (d.result_code == 0) == done).count()).expect("few");
    let trailer = Trailer {
        total_count: count(true) + count(false),
        total_amount: sum(true) + sum(false),
        success_count: count(true),
        success_amount: sum(true),
        failure_count: count(false),
        failure_amount: sum(false),
    };
    let header = zengin_fmt::account_transfer_result::Header {
        kind_code: 91,
        code_division: asked.header.code_division,
        collector_code: asked.header.collector_code,
        collector_name: asked.header.collector_name,
        collection_date: asked.header.collection_date,
        bank_code: asked.header.bank_code,
        bank_name: asked.header.bank_name,
        branch_code: asked.header.branch_code,
        branch_name: "ﾎﾝﾃﾝ".into(),
        account_type: asked.header.account_type,
        account_number: asked.header.account_number,
    };
    let file = File { header, details, trailer, end: End };
    zengin_fmt::to_bytes(&file, zengin_fmt::OutputFormat::canonical()).expect("it can be written")
}

pub async fn debit(world: &World, mandate: &str, reference: &str, amount: i64) -> (u16, Value) {
    let body = json!({ "reference": reference, "mandate_id": mandate, "amount": amount });
    world.call("kinchaku", "POST", "/gateway/v1/debits", Some(body)).await
}

pub async fn status(world: &World, reference: &str) -> Value {
    world.call("kinchaku", "GET", &format!("/gateway/v1/debits/{reference}"), None).await.1["status"].clone()
}

#[test]
fn a_request_file_leads_back_to_its_movements() {
    let line = |number: u128, amount, name| order(MovementId::of_hash(Id::from_number(number)), amount, name);
    let (bank, day) = (BANK.parse().expect("a code"), T0.day());
    let lines = [line(u128::MAX, 10_000, "ﾔﾏﾀﾞ ﾀﾛｳ"), line(77, 20_000, "山田")];
    let bytes = request_file(&options(), bank, day, &lines).expect("it can be written");
    assert_eq!(bytes.len(), 120 * 5);
    let read = result_lines(&result_of(&bytes, &[0, 1]), bank, day).expect("it can be read");
    assert_eq!(read[0].movement, Some(lines[0].movement));
    assert_eq!(read[0].outcome, Outcome::Settled { amount: Yen::new(10_000) });
    assert_eq!(read[1].outcome, Outcome::Declined { code: Code::InsufficientFunds });
    assert_eq!(result_lines(&result_of(&bytes, &[0, 1]), bank, day.plus(1)), None, "another day's");
    assert_eq!(result_lines(&bytes[..359], bank, day), None, "cut off");
    assert_eq!(request_file(&options(), bank, day, &[]), None);
}

#[tokio::test]
async fn files_that_could_never_be_written_are_refused_at_the_start() {
    let wrong = [
        FileOptions { collector_code: "12345".into(), ..options() },
        FileOptions { collector_name: "巾着".into(), ..options() },
        FileOptions { bank_name: "ｼﾁｼﾞﾕｳｼﾁｼﾁｼﾞﾕｳｼﾁ".into(), ..options() },
        FileOptions { branch: "1".into(), ..options() },
        FileOptions { number: "765432".into(), ..options() },
    ];
    let world = World::with_files(true).await;
    for files in wrong {
        let mut options = world.gateway.options().clone();
        options.directory = options.directory.join("another");
        options.banks[0].files = Some(files.clone());
        let opened = Gateway::open(options, world.gateway.outside().clone()).await;
        let named = matches!(&opened, Err(OpenError::Options(what)) if what.contains("files of the bank 0125"));
        assert!(named, "{files:?}: {:?}", opened.err());
    }
}

#[tokio::test]
async fn debits_by_file_are_asked_for_at_night_and_answered_in_the_morning() {
    let world = World::with_files(true).await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await;
    world.confirm(mandate).await;
    let other = world.link("kinchaku", "w2", "7654321", STRONG).await;
    for (mandate, reference, amount) in [(mandate, "a", 10_000), (mandate, "b", 20_000), (other, "c", 500)] {
        let (code, body) = debit(&world, &mandate.to_string(), reference, amount).await;
        assert_eq!((code, &body["status"]), (202, &json!("pending")), "{body}");
    }
    world.work().await;
    world.revoke(other, Why::NotMine).await;
    world.pass(10 * HOUR_MS);
    world.work().await;
    assert!(world.bank.books().asked.is_empty() && world.bank.books().inquiries == 0, "nobody asks one by one");
    let files = world.bank.books().collections.clone();
    assert_eq!(files.len(), 1);
    let request = zengin_fmt::parse_account_transfer(&files[0]).expect("a request file");
    assert_eq!(request.details.len(), 2, "what was revoked before the file is not in it");
    world.bank.books().day_file = Some(result_of(&files[0], &[0, 1]));
    world.pass(6 * HOUR_MS);
    world.work().await;
    let mut ends = [status(&world, "a").await, status(&world, "b").await];
    ends.sort_by_key(Value::to_string);
    assert_eq!(ends, ["declined", "settled"]);
    assert_eq!(status(&world, "c").await, "declined");
}

#[tokio::test]
async fn one_account_that_no_file_can_name_keeps_no_other_from_the_bank() {
    let world = World::with_files(true).await;
    let good = world.link("kinchaku", "w1", "1234567", STRONG).await.to_string();
    let bad = world.link("kinchaku", "w2", "12345678901", STRONG).await.to_string();
    debit(&world, &bad, "bad", 500).await;
    debit(&world, &good, "good", 700).await;
    world.pass(11 * HOUR_MS);
    world.work().await;
    let file = world.bank.books().collections.first().cloned().expect("the day's file");
    let request = zengin_fmt::parse_account_transfer(&file).expect("a request file");
    assert_eq!(request.details.iter().map(|detail| detail.amount).collect::<Vec<_>>(), [700]);
    world.bank.books().day_file = Some(result_of(&file, &[0]));
    world.pass(5 * HOUR_MS);
    world.work().await;
    assert_eq!((status(&world, "good").await, status(&world, "bad").await), (json!("settled"), json!("declined")));
}

#[test]
fn an_account_is_three_digits_and_seven() {
    let cases =
        [("100", "1234567", true), ("10", "1234567", false), ("100", "123456", false), ("１００", "1234567", false)];
    for (branch, number, is_one) in cases {
        assert_eq!(AccountNumber::parsed(branch, AccountKind::Ordinary, number).is_some(), is_one, "{branch} {number}");
    }
}

#[tokio::test]
async fn the_day_file_ends_what_no_question_could_and_contradicts_what_it_lacks() {
    let world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await;
    world.confirm(mandate).await;
    let id = mandate.to_string();
    debit(&world, &id, "settled", 1_000).await;
    debit(&world, &id, "phantom", 2_000).await;
    world.bank.books().mood = Mood::IsDown;
    debit(&world, &id, "doubted", 3_000).await;
    debit(&world, &id, "absent", 4_000).await;
    let bank = BANK.parse().expect("a code");
    let lines = [("settled", 1_000), ("doubted", 3_000), ("never asked for", 9)];
    let lines = lines.map(|(reference, amount)| order_of(&world, reference, amount));
    world.bank.books().day_file = Some(b"1 is no file".to_vec());
    world.pass(16 * HOUR_MS);
    world.work().await;
    assert_eq!(status(&world, "doubted").await, "in_doubt", "what cannot be read ends nothing");
    world.bank.books().day_file = Some(file_of(T0.day(), &lines));
    world.pass(HOUR_MS);
    world.work().await;
    for (reference, expected) in
        [("settled", "settled"), ("phantom", "settled"), ("doubted", "settled"), ("absent", "declined")]
    {
        assert_eq!(status(&world, reference).await, expected, "{reference}");
    }
    let compared = world
        .gateway
        .comparison(bank, Paper::Debits)
        .await
        .expect("a row")
        .and_then(|row| row.last)
        .expect("it was compared");
    assert_eq!((compared.records, compared.strangers, compared.missing, compared.absent), (3, 1, 1, 1));
    let (_, events) = world.call("kinchaku", "GET", "/gateway/v1/events", None).await;
    let contradicted = events["data"].as_array().expect("events").iter().filter(|e| e["type"] == "debit.contradicted");
    assert_eq!(contradicted.map(|e| e["reference"].clone()).collect::<Vec<_>>(), ["phantom"]);
}

#[tokio::test]
async fn what_a_bank_debited_and_nobody_asked_for_is_seen_until_somebody_says_why() {
    let mut world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await;
    world.confirm(mandate).await;
    debit(&world, &mandate.to_string(), "known", 1_000).await;
    // Two of them look alike, one moved nothing, and what was asked for once was done twice.
    let lines = [("known", 1_000), ("x", 900), ("x", 900), ("y", 50), ("known", 1_000)];
    let lines = lines.map(|(reference, amount)| order_of(&world, reference, amount));
    let bytes = request_file(&options(), BANK.parse().expect("a code"), T0.day(), &lines).expect("it can be written");
    world.bank.books().day_file = Some(result_of(&bytes, &[0, 0, 0, 1, 0]));
    world.pass(16 * HOUR_MS);
    world.work().await;
    let call = async |world: &World, token: &str, method: &str, path: &str, body: Option<Value>| {
        let token = format!("Bearer {token}");
        world
            .call_with(&[("authorization", token.as_str())], method, &format!("/gateway/v1/findings{path}"), body)
            .await
    };
    let list = async |world: &World| {
        let (_, list) = call(world, "desk-reader", "GET", "", None).await;
        list["data"].as_array().unwrap_or_else(|| panic!("{list}")).clone()
    };
    let found = list(&world).await;
    let mut amounts: Vec<_> = found.iter().map(|one| (one["amount"].as_i64(), one["moved"].as_i64())).collect();
    amounts.sort_unstable();
    assert_eq!(
        amounts,
        [(Some(50), Some(0)), (Some(900), Some(900)), (Some(900), Some(900)), (Some(1_000), Some(1_000))],
        "{found:?}"
    );
    assert_eq!((&found[0]["bank_code"], &found[0]["day"]), (&json!(BANK), &json!(T0.day().to_string())));
    let (_, page) = call(&world, "desk", "GET", "?limit=2", None).await;
    let cursor = page["next_cursor"].as_str().expect("there is one more").to_owned();
    let (_, rest) = call(&world, "desk", "GET", &format!("?limit=2&cursor={cursor}"), None).await;
    assert_eq!((&rest["data"], &rest["next_cursor"]), (&json!(found[2..]), &Value::Null));

    let path = format!("/{}/resolution", found[0]["id"].as_str().expect("an id"));
    let said = |reason: &str| Some(json!({ "reason": reason }));
    assert_eq!(call(&world, "desk-reader", "POST", &path, said("ours")).await.0, 403);
    assert_eq!(call(&world, "desk", "POST", &path, said(" ")).await.0, 400);
    assert_eq!(call(&world, "desk", "POST", "/fnd_0/resolution", said("ours")).await.0, 404);
    assert_eq!(call(&world, "desk", "POST", &path, said("another collector's")).await.0, 204);
    assert_eq!(call(&world, "desk", "POST", &path, said("another collector's")).await.0, 204, "the same again");
    assert_eq!(call(&world, "desk", "POST", &path, said("or not")).await.1["type"], "/problems/wrong-status");
    assert_eq!(list(&world).await, found[1..]);
    // A restart forgets nothing.
    world.restart().await;
    world.work().await;
    assert_eq!(list(&world).await, found[1..]);
}

#[tokio::test]
async fn a_day_on_which_a_bank_did_nothing_ends_what_it_was_asked_also_after_a_restart() {
    let mut world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await;
    world.bank.books().mood = Mood::IsDown;
    debit(&world, &mandate.to_string(), "a", 1_000).await;
    world.pass(3 * 24 * HOUR_MS);
    world.restart().await;
    world.work().await;
    assert_eq!(status(&world, "a").await, "in_doubt", "no file, no end");
    world.bank.books().day_file = Some(Vec::new());
    world.pass(HOUR_MS);
    world.restart().await;
    world.work().await;
    assert_eq!(status(&world, "a").await, "declined");
}

#[tokio::test]
async fn there_are_files_on_business_days_alone() {
    let world = World::with_files(true).await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await.to_string();
    // Friday 18 September 2026 at eleven in the evening, after the cut-off; then come a weekend and three holidays.
    world.pass((3 * 24 + 11) * HOUR_MS);
    world.work().await;
    debit(&world, &mandate, "a", 10_000).await;
    for _ in 0..5 {
        world.pass(24 * HOUR_MS);
        world.work().await;
        assert_eq!(status(&world, "a").await, "pending");
        assert_eq!(world.bank.books().collections.len(), 0);
    }
    world.pass(24 * HOUR_MS);
    world.work().await;
    let file = world.bank.books().collections.first().cloned().expect("Thursday's file");
    let request = zengin_fmt::parse_account_transfer(&file).expect("a request file");
    assert_eq!(request.header.collection_date, "0924");
    world.bank.books().day_file = Some(result_of(&file, &[0]));
    world.pass(5 * HOUR_MS);
    world.work().await;
    assert_eq!(status(&world, "a").await, "settled");
}

#[tokio::test]
async fn a_result_that_comes_after_the_weekend_is_waited_for() {
    let world = World::with_files(true).await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await.to_string();
    // Friday at noon, and at eleven in the evening.
    world.pass(3 * 24 * HOUR_MS);
    debit(&world, &mandate, "a", 10_000).await;
    world.pass(11 * HOUR_MS);
    world.work().await;
    for _ in 0..5 {
        world.pass(24 * HOUR_MS);
        world.work().await;
    }
    let file = world.bank.books().collections.first().cloned().expect("Friday's file");
    world.bank.books().day_file = Some(result_of(&file, &[0]));
    world.pass(24 * HOUR_MS);
    world.work().await;
    assert_eq!(status(&world, "a").await, "settled");
}

#[tokio::test]
async fn a_file_that_was_refused_is_made_again_after_a_restart() {
    let mut world = World::with_files(true).await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await.to_string();
    let over = world.link("kinchaku", "w2", "7654321", STRONG).await;
    world.bank.books().refuses_files = true;
    debit(&world, &mandate, "a", 7_000).await;
    debit(&world, &over.to_string(), "b", 500).await;
    world.pass(11 * HOUR_MS);
    world.work().await;
    assert_eq!((status(&world, "a").await, status(&world, "b").await), (json!("in_doubt"), json!("in_doubt")));
    world.restart().await;
    world.revoke(over, Why::NotMine).await;
    debit(&world, &mandate, "late", 300).await;
    world.bank.books().refuses_files = false;
    world.work().await;
    let file = world.bank.books().collections.first().cloned().expect("the day's file, made again");
    let request = zengin_fmt::parse_account_transfer(&file).expect("a request file");
    let amounts: Vec<u64> = request.details.iter().map(|detail| detail.amount).collect();
    assert_eq!(amounts, [7_000], "neither what was revoked meanwhile nor what belongs to the next day");
    world.restart().await;
    world.work().await;
    assert_eq!(world.bank.books().collections, [file.clone(), file.clone()], "the same references once more");
    world.bank.books().day_file = Some(result_of(&file, &[0]));
    world.pass(5 * HOUR_MS);
    world.work().await;
    assert_eq!((status(&world, "a").await, status(&world, "b").await), (json!("settled"), json!("declined")));
    assert_eq!(status(&world, "late").await, "pending");
}

#[tokio::test]
async fn what_may_not_be_debited_any_more_leaves_a_file_that_waits() {
    let world = World::with_files(true).await;
    let kept = world.link("kinchaku", "w1", "1234567", STRONG).await;
    let not_mine = world.link("kinchaku", "w2", "7654321", STRONG).await;
    world.bank.books().refuses_files = true;
    debit(&world, &kept.to_string(), "a", 7_000).await;
    debit(&world, &not_mine.to_string(), "b", 500).await;
    world.pass(10 * HOUR_MS);
    world.work().await;
    assert_eq!((status(&world, "a").await, status(&world, "b").await), (json!("in_doubt"), json!("in_doubt")));
    // The file waits; then the holder of one of the accounts says that it was not them, and for a while the bank's switch is off.
    world.revoke(not_mine, Why::NotMine).await;
    switch(&world, true).await;
    world.bank.books().refuses_files = false;
    world.pass(HOUR_MS / 2);
    world.work().await;
    assert_eq!(world.bank.books().collections.len(), 0, "a stopped bank is handed in nothing");
    switch(&world, false).await;
    world.pass(HOUR_MS / 2);
    world.work().await;
    let file = world.bank.books().collections.first().cloned().expect("the day's file");
    let request = zengin_fmt::parse_account_transfer(&file).expect("a request file");
    assert_eq!(request.details.iter().map(|detail| detail.amount).collect::<Vec<_>>(), [7_000]);
    world.bank.books().day_file = Some(result_of(&file, &[0]));
    world.pass(6 * HOUR_MS);
    world.work().await;
    assert_eq!((status(&world, "a").await, status(&world, "b").await), (json!("settled"), json!("declined")));
}

/// The gateway's desk stops the bank's debits, or lets them go on.
async fn switch(world: &World, stop: bool) {
    let command = bank::Command::Switch {
        bank: BANK.parse().expect("a code"),
        function: bank::Function::Debit,
        stop,
        side: bank::Side::Gateway,
        by: None,
        reason: "a test".into(),
    };
    world.submit(Command::Bank(command)).await.expect("it is switched");
}
