//! Notices that a process which ends must not take along: who is owed one is told by the process after it.

use super::link::{granted, to_form, type_in};
use super::world::{GATEWAY, World};
use crate::domain::open::{self, Thing};
use crate::domain::{Row, table};
use bytes::Bytes;
use domain::Key;
use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use web::{Bounds, Transport};

/// What the true holder of somebody's account was told, and how often.
fn told(world: &World) -> Vec<String> {
    let english = |notice: &Value| notice["text"]["en"].as_str().expect("a text").to_owned();
    world.hosted.inside().notices.iter().map(english).collect()
}

/// Somebody who is not Hanako knows her PIN.
async fn stolen_pin(world: &World) {
    let mut browser = world.browser();
    let form = to_form(&mut browser, &world.wallet().push("0125").await).await;
    let typed = [("number", "7654321"), ("pin", "1234"), ("name_kana", "ヤマダ タロウ")];
    assert_eq!(type_in(&mut browser, &form, &typed).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

/// Waits until the books have so many notices that are owed.
async fn owed(world: &World, many: usize) {
    let bank = "0125".parse().expect("a code");
    let count = async || {
        let mut owed = 0;
        for page in 0..open::PAGES {
            let row = world.gateway.row(open::key(bank, page)).await.expect("it is read");
            let Some(Row::Open(page)) = row.as_deref() else { continue };
            owed += page.things.iter().filter(|thing| matches!(thing, Thing::Notice(_))).count();
        }
        owed
    };
    let wait = async {
        while count().await != many {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), wait).await.expect("it comes to be so");
}

/// The notices among the findings that a bank has not sent for long.
fn overdue(list: &Value) -> Vec<Value> {
    let rows = list["data"].as_array().unwrap_or_else(|| panic!("{list}"));
    rows.iter().filter(|row| row["kind"] == "notice_owed").cloned().collect()
}

/// A call by the gateway's desk.
async fn findings(world: &World, method: Method, path: &str, body: &str) -> (StatusCode, Value) {
    findings_as(world, "desk-secret", method, path, body).await
}

/// A call by whoever of the gateway's desk shows `token`.
async fn findings_as(world: &World, token: &str, method: Method, path: &str, body: &str) -> (StatusCode, Value) {
    let request = Request::builder()
        .method(method)
        .uri(format!("{GATEWAY}/gateway/v1/findings{path}"))
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Bytes::from(body.to_owned()))
        .expect("a request");
    let response = world.routers.call(request, Bounds::default()).await.expect("an answer");
    (response.status(), serde_json::from_slice(response.body()).unwrap_or(Value::Null))
}

#[tokio::test]
async fn whom_a_bank_does_not_tell_for_a_week_is_owed_it_still_and_the_desk_sees_that() {
    for is_given_up in [false, true] {
        let world = World::new().await;
        world.hosted.inside().mute = true;
        stolen_pin(&world).await;
        owed(&world, 1).await;
        let (_, list) = findings(&world, Method::GET, "", "").await;
        assert!(overdue(&list).is_empty(), "a bank has its time");
        for _ in 0..288 {
            world.clock.advance(35 * 60_000);
            world.settle().await;
        }
        owed(&world, 1).await;
        let (_, list) = findings(&world, Method::GET, "", "").await;
        let [finding]: [Value; 1] = overdue(&list).try_into().unwrap_or_else(|found| panic!("{found:?}"));
        assert_eq!(finding["bank_code"], "0125");
        if is_given_up {
            let path = format!("/{}/resolution", finding["id"].as_str().expect("an id"));
            let reason = r#"{"reason":"the account is closed"}"#;
            for _ in 0..2 {
                let said = findings(&world, Method::POST, &path, reason).await;
                assert_eq!(said.0, StatusCode::ACCEPTED, "one person is not enough: {}", said.1);
            }
            owed(&world, 1).await;
            let said = findings_as(&world, "desk-other", Method::POST, &path, reason).await;
            assert_eq!(said.0, StatusCode::NO_CONTENT, "{}", said.1);
        }
        world.hosted.inside().mute = false;
        world.clock.advance(7 * 3_600_000);
        world.settle().await;
        owed(&world, 0).await;
        assert_eq!(told(&world).len(), usize::from(!is_given_up));
        let (_, list) = findings(&world, Method::GET, "", "").await;
        assert!(overdue(&list).is_empty(), "{list}");
    }
}

#[tokio::test]
async fn whose_pin_is_known_is_told_also_when_the_process_is_killed_before_that() {
    let world = World::new().await;
    stolen_pin(&world).await;
    owed(&world, 1).await;
    assert!(told(&world).is_empty());
    let world = world.killed().await;
    world.settle().await;
    let notices = told(&world);
    assert!(notices.len() == 1 && notices[0].contains("knew your PIN"), "{notices:?}");
    owed(&world, 0).await;
    let world = world.killed().await;
    world.settle().await;
    assert_eq!(told(&world).len(), 1, "who was told is owed nothing");
}

#[tokio::test]
async fn a_bank_that_is_silent_for_a_night_tells_its_customer_in_the_morning_after_a_restart_too() {
    let world = World::new().await;
    stolen_pin(&world).await;
    world.hosted.inside().mute = true;
    for _ in 0..16 {
        world.settle().await;
        world.clock.advance(1_800_000);
    }
    let world = world.killed().await;
    world.settle().await;
    assert!(told(&world).is_empty());
    world.hosted.inside().mute = false;
    world.clock.advance(3_600_000);
    world.settle().await;
    assert_eq!(told(&world).len(), 1);
}

#[tokio::test]
async fn a_first_factor_whose_second_step_nobody_ended_is_told_after_a_restart() {
    for ends in [false, true] {
        let world = World::new().await;
        world.hosted.inside().factors = json!([["account", "name_kana", "pin", "sms_code"]]);
        let mut browser = world.browser();
        let form = to_form(&mut browser, &world.wallet().push("0125").await).await;
        type_in(&mut browser, &form, &[]).await;
        if ends {
            let challenge = browser.get("/link").await;
            let linked = browser.send(&challenge, "/link/challenge", &[("sms_code", "246810")]).await;
            assert_eq!(linked.status, StatusCode::SEE_OTHER, "{}", linked.body);
        }
        owed(&world, usize::from(!ends)).await;
        drop(browser);
        let world = world.killed().await;
        world.settle().await;
        let notices = told(&world);
        assert_eq!(notices.len(), 1, "{notices:?}");
        let part = if ends { "is about to be linked" } else { "knew your PIN" };
        assert!(notices[0].contains(part), "the second step ended: {ends}: {notices:?}");
    }
}

#[tokio::test]
async fn whose_pin_is_known_to_somebody_is_told_few_times_a_day_and_again_the_next_day() {
    let world = World::new().await;
    for expected in [1, 2, 3, 3] {
        stolen_pin(&world).await;
        world.settle().await;
        assert_eq!(told(&world).len(), expected);
        owed(&world, 0).await;
        world.clock.advance(3_660_000);
    }
    world.clock.advance(20 * 3_600_000);
    stolen_pin(&world).await;
    world.settle().await;
    assert_eq!(told(&world).len(), 4);
}

#[tokio::test]
async fn a_code_whose_time_is_over_is_in_no_row_any_more() {
    let world = World::new().await;
    stolen_pin(&world).await;
    world.settle().await;
    let digits: String = world.hosted.last_code().chars().filter(char::is_ascii_digit).collect();
    let key = Key::new(table::NOT_ME, world.gateway.not_me_id(&digits).0);
    let Some(Row::NotMe(code)) = world.gateway.row(key).await.expect("it is read").as_deref().cloned() else {
        panic!("the code is there")
    };
    let known = world.gateway.account(code.account).await.expect("it is read").expect("it was tried");
    let opens = |world: &World| world.gateway.unseal(code.account, &known.details).is_ok();
    let is_there = async |world: &World| world.gateway.row(key).await.expect("it is read").is_some();
    let day_ms = 24 * 3_600_000;
    world.clock.advance(180 * day_ms);
    world.settle().await;
    assert!(is_there(&world).await, "its time is over, and whoever types it is told so");
    world.clock.advance(20 * day_ms);
    // A process that did not see the day looks back.
    let world = world.restart().await;
    world.settle().await;
    assert!(!is_there(&world).await);
    assert_eq!(world.gateway.account(code.account).await.expect("it is read"), None, "it was only ever tried");
    assert!(!opens(&world), "the journal has it, and nobody can read it");
    stolen_pin(&world).await;
    world.settle().await;
    let again = world.gateway.account(code.account).await.expect("it is read").expect("it was tried again");
    assert!(world.gateway.unseal(code.account, &again.details).is_ok(), "under a key of its own");
    assert_eq!(told(&world).len(), 2);
}

#[tokio::test]
async fn an_account_that_was_linked_is_not_forgotten_with_its_codes() {
    let world = World::new().await;
    let code = granted(&world).await;
    assert_eq!(world.wallet().collect(&code).await.status, StatusCode::OK);
    world.settle().await;
    let accounts = async |world: &World| {
        let number = crate::connector::AccountNumber {
            branch: "001".into(),
            kind: crate::domain::account::AccountKind::Ordinary,
            number: "1234567".into(),
        };
        let id = world.gateway.account_id("0125".parse().expect("a code"), &number);
        world.gateway.account(id).await.expect("it is read").map(|row| world.gateway.unseal(id, &row.details).is_ok())
    };
    assert_eq!(accounts(&world).await, Some(true));
    world.clock.advance(200 * 24 * 3_600_000);
    world.settle().await;
    assert_eq!(accounts(&world).await, Some(true));
}
