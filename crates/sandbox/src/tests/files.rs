//! Day files and request files, as the collector's own program reads and writes them.

use super::world::{BANK_KEY, START, World, account};
use crate::{Policies, SandboxClock};
use bytes::Bytes;
use http::{Method, Request};
use serde_json::{Value, json};
use web::{Bounds, Transport};
use zengin_fmt::{OutputFormat, account_transfer, account_transfer_result as result};

async fn day_file(world: &World, day: &str) -> (u16, Option<result::File>) {
    let request = Request::get(format!("http://bank-0125.localhost/connector/v1/day-files/{day}"))
        .header("authorization", format!("Bearer {BANK_KEY}"))
        .body(Bytes::new());
    let answer = world.routers.call(request.expect("a request"), Bounds::default()).await.expect("an answer");
    (answer.status().as_u16(), zengin_fmt::parse_account_transfer_result(answer.body()).ok())
}

/// Customer number, result code and amount of each record.
fn results(file: Option<result::File>) -> Vec<(String, u8, u64)> {
    let details = file.expect("a file").details.into_iter();
    details.map(|detail| (detail.customer_number, detail.result_code, detail.amount)).collect()
}

#[tokio::test]
async fn the_days_file_has_every_debit_that_was_decided_and_is_there_when_the_day_is_over() {
    let world = World::new(Policies::AsOf2020).await;
    let debit =
        |reference: &str, amount: i64| json!({ "reference": reference, "account": account(), "amount": amount });
    world.bank("0125", "debits", debit("0000000000000000000A", 10_000)).await;
    world.bank("0125", "debits", debit("0000000000000000000B", 900_000)).await;
    let nobody = json!({ "branch": "999", "kind": "current", "number": "0000001" });
    let debit_of_nobody = json!({ "reference": "0000000000000000000C", "account": nobody, "amount": 5 });
    world.bank("0125", "debits", debit_of_nobody).await;
    world.bank("0125", "credits", debit("0000000000000000000D", 7)).await;
    world.sandbox(Method::PUT, "banks/0125/faults", json!({ "late_seconds": 86_400 })).await;
    assert!(world.bank_tried("0125", "debits", debit("0000000000000000000E", 3)).await.is_err(), "it is late");
    assert_eq!(day_file(&world, "2020-09-01").await.0, 404);
    world.sandbox(Method::PUT, "banks/0125/faults", json!({})).await;
    world.clock.advance(12 * 3_600).await.expect("it advances");
    let (_, file) = day_file(&world, "2020-09-01").await;
    let holder = file.as_ref().map(|file| file.details[0].account_holder_name.clone());
    assert_eq!(holder.as_deref(), Some("ﾅﾅﾐ ﾊﾅｺ"));
    let expected = [("A", 0, 10_000), ("B", 1, 900_000), ("C", 2, 5)];
    let expected = expected.map(|(name, code, amount)| (format!("0000000000000000000{name}"), code, amount));
    assert_eq!(results(file), expected);
    assert_eq!(day_file(&world, "2020-08-31").await, (200, None), "a day without debits: too short for the reader");
    assert_eq!(day_file(&world, "yesterday").await.0, 400);
    world.clock.advance(86_400).await.expect("it advances");
    assert_eq!(results(day_file(&world, "2020-09-02").await.1), [("0000000000000000000E".to_owned(), 0, 3)]);
}

#[tokio::test]
async fn a_day_without_debits_has_a_file_that_says_so() {
    let world = World::new(Policies::AsOf2020).await;
    let request = Request::get("http://bank-0125.localhost/connector/v1/day-files/2020-08-31")
        .header("authorization", format!("Bearer {BANK_KEY}"))
        .body(Bytes::new());
    let answer = world.routers.call(request.expect("a request"), Bounds::default()).await.expect("an answer");
    let records: Vec<&[u8]> = answer.body().chunks(120).collect();
    assert_eq!(records.len(), 3);
    assert!(records[0].starts_with(b"1910") && &records[0][54..62] == b"08310125");
    assert!(records[1].starts_with(format!("8{:054} ", 0).as_bytes()) && records[1].len() == 120);
    assert!(records[2].starts_with(b"9 ") && records[2].len() == 120);
}

fn request_file(details: &[(&str, &str, u64)]) -> Bytes {
    let details: Vec<_> = details
        .iter()
        .map(|(customer_number, account_number, amount)| account_transfer::Detail {
            bank_code: "0125".into(),
            bank_name: "ｼﾁｼﾞﾕｳｼﾁ".into(),
            branch_code: "100".into(),
            branch_name: String::new(),
            account_type: 1,
            account_number: (*account_number).into(),
            payer_name: "ﾅﾅﾐ ﾊﾅｺ".into(),
            amount: *amount,
            new_code: "0".into(),
            customer_number: (*customer_number).into(),
        })
        .collect();
    let file = account_transfer::File {
        header: account_transfer::Header {
            kind_code: 91,
            code_division: zengin_fmt::CodeDivision::default(),
            collector_code: "0000000001".into(),
            collector_name: "ｺｳｻﾞﾌﾘｶｴ".into(),
            collection_date: "0901".into(),
            bank_code: "0125".into(),
            bank_name: "ｼﾁｼﾞﾕｳｼﾁ".into(),
            branch_code: "100".into(),
            branch_name: String::new(),
            account_type: 1,
            account_number: "0000001".into(),
        },
        trailer: account_transfer::Trailer {
            record_count: u32::try_from(details.len()).expect("few"),
            total_amount: details.iter().map(|detail| detail.amount).sum(),
        },
        details,
        end: account_transfer::End,
    };
    zengin_fmt::to_bytes(&file, OutputFormat::canonical()).expect("it can be written").into()
}

async fn collect(world: &World, file: Bytes) -> (u16, Value) {
    let request = Request::post("http://bank-0125.localhost/connector/v1/collections")
        .header("authorization", format!("Bearer {BANK_KEY}"))
        .body(file)
        .expect("a request");
    let answer = world.routers.call(request, Bounds::default()).await.expect("an answer");
    (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or(Value::Null))
}

#[tokio::test]
async fn a_request_file_is_debited_once_however_often_it_is_handed_in() {
    let world = World::new(Policies::AsOf2020).await;
    let file = request_file(&[("0000000000000000000A", "1234567", 20_000), ("0000000000000000000B", "0000009", 1)]);
    for _ in 0..2 {
        assert_eq!(collect(&world, file.clone()).await, (202, json!({ "accepted": 2 })));
    }
    assert_eq!(world.hanako().await["balance"], 480_000);
    let changed = request_file(&[("0000000000000000000A", "1234567", 30_000)]);
    assert_eq!(collect(&world, changed).await, (202, json!({ "accepted": 0 })), "a number is one debit for ever");
    for broken in [Bytes::new(), Bytes::from_static(b"91"), file.slice(..file.len() - 120), file.slice(120..)] {
        assert_eq!(collect(&world, broken).await.0, 400);
    }
    let many: Vec<_> = (0..2_000).map(|number| (format!("{number:020}"), "1234567", 1)).collect();
    let many: Vec<_> = many.iter().map(|(number, account, amount)| (number.as_str(), *account, *amount)).collect();
    assert_eq!(collect(&world, request_file(&many)).await, (202, json!({ "accepted": 2_000 })), "files may be large");
    world.clock.advance(12 * 3_600).await.expect("it advances");
    let results = results(day_file(&world, "2020-09-01").await.1);
    assert_eq!(results.len(), 2_002);
    assert_eq!(results[..2].iter().map(|(_, code, _)| *code).collect::<Vec<_>>(), [0, 2]);
}

#[tokio::test]
async fn a_debit_in_a_file_borrows_where_that_is_allowed_whatever_the_banks_ask_for() {
    for policies in [Policies::AsOf2020, Policies::Raised] {
        for (may_overdraw, balance) in [(true, -10_000), (false, 0)] {
            let world = World::open_with(policies, None, SandboxClock::frozen(START), may_overdraw).await;
            let person = json!({
                "branch": "100", "number": "7654321", "family_name": "借田", "given_name": "越", "family_kana": "カリタ",
                "given_kana": "エツ", "birth_date": "1980-01-02", "balance": 0, "overdraft_max": 300_000,
            });
            assert_eq!(world.sandbox(Method::POST, "banks/0125/accounts", person).await.status, 201);
            let file = request_file(&[("0000000000000000000A", "7654321", 10_000)]);
            assert_eq!(collect(&world, file).await, (202, json!({ "accepted": 1 })));
            let shown = world.sandbox(Method::GET, "banks/0125/accounts/1007654321", Value::Null).await.body;
            assert_eq!(shown["balance"], balance, "{policies:?} {may_overdraw}");
        }
    }
}
