//! Banks with a page of their own: what was tried there counts like what is tried on ours.

use super::browser::{Browser, Shown};
use super::link::status_of;
use super::world::World;
use crate::api::told_after;
use crate::connector::AccountNumber;
use crate::domain::account::AccountKind;
use crate::domain::mandate::Status;
use crate::domain::operator::What;
use crate::pages::first_step;
use crate::windows::{Report, Reported};
use engine::Clock;
use http::StatusCode;
use serde_json::json;

/// Agrees in `browser` to a link at `bank` for the wallet of this number: what comes of it.
async fn agree(world: &World, browser: &mut Browser<'_>, bank: &str, wallet: u8) -> Shown {
    browser.get(&world.wallet_at(bank, wallet).await).await;
    let consent = browser.get("/link").await;
    browser.send(&consent, "/link/consent", &[]).await
}

/// The source and the wallet of the attempt with this number.
type Of = fn(u8) -> (u8, u8);

/// How an attempt at the bank's page ends without a proof.
#[derive(Clone, Copy, Debug)]
enum End {
    No,
    MadeUpCode,
    NeverBack,
}

/// One attempt at the page of 三井住友銀行 that fails.
async fn fail(world: &World, source: u8, wallet: u8, end: End) {
    let mut browser = world.browser().at(source);
    let out = agree(world, &mut browser, "0009", wallet).await.location.expect("it is sent out");
    let back = world.own.authenticate_on_page(&out, "1234567");
    let back = match end {
        End::No => back.replace("code=code-", "error=no-"),
        End::MadeUpCode => back.replace("code=code-", "code=made-up-"),
        End::NeverBack => return,
    };
    assert_eq!(browser.get(&back).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{end:?}");
}

#[tokio::test]
async fn a_wallet_or_source_that_failed_too_often_is_not_sent_out_again() {
    let ends = [End::No, End::MadeUpCode, End::NeverBack];
    // How many failures are too many, and the source and the wallet of each; then whose next attempt is stopped.
    let cases: [(u8, Of); 2] = [(8, |attempt| (attempt, 200)), (20, |attempt| (200, attempt))];
    for (many, of) in cases {
        let world = World::new().await;
        for attempt in 1..=many {
            let (source, wallet) = of(attempt);
            fail(&world, source, wallet, ends[usize::from(attempt) % ends.len()]).await;
        }
        let (source, wallet) = of(many + 1);
        let mut browser = world.browser().at(source);
        let stopped = agree(&world, &mut browser, "0009", wallet).await;
        assert_eq!((stopped.status, stopped.location), (StatusCode::TOO_MANY_REQUESTS, None), "after {many}");
        assert!(stopped.body.contains("/link/consent"), "the person may try later");
        let mut other = world.browser().at(201);
        assert!(agree(&world, &mut other, "0009", 201).await.location.is_some(), "others go on after {many}");
    }
}

#[tokio::test]
async fn whoever_is_right_has_not_failed() {
    let world = World::new().await;
    for _ in 0..10 {
        let mut browser = world.browser().at(1);
        let out = agree(&world, &mut browser, "0009", 1).await.location.expect("it is sent out");
        let granted = browser.get(&world.own.authenticate_on_page(&out, "1234567")).await;
        assert_eq!(granted.status, StatusCode::SEE_OTHER, "{}", granted.body);
    }
}

#[tokio::test]
async fn an_account_that_its_bank_reports_too_often_is_left_alone() {
    for (reports, status) in [(4, StatusCode::SEE_OTHER), (5, StatusCode::TOO_MANY_REQUESTS)] {
        let world = World::new().await;
        // Each of them twice: a bank that heard no answer says it again.
        for number in (0..reports).chain(0..reports) {
            let bank = world.own.code.parse().expect("a bank code");
            let id = &format!("m{number}");
            let (attempt, outcome) = (id.as_str(), Reported::Failed);
            let report = Report { bank, id, attempt, account_token: "token-1234567", value_token: None, outcome };
            assert_eq!(world.gateway.windows().report(&report, world.clock.now()), None);
        }
        let mut browser = world.browser().at(1);
        let out = agree(&world, &mut browser, "0009", 1).await.location.expect("it is sent out");
        let shown = browser.get(&world.own.authenticate_on_page(&out, "1234567")).await;
        assert_eq!(shown.status, status, "after {reports} reports");
        world.settle().await;
        assert_eq!(world.own.inside().notices.len(), 1, "the true holder hears of it in either case");
        let mut other = world.browser().at(2);
        let out = agree(&world, &mut other, "0001", 2).await.location.expect("it is sent out");
        let granted = other.get(&world.other_own.authenticate_on_page(&out, "1234567")).await;
        assert_eq!(granted.status, StatusCode::SEE_OTHER, "the same token at another bank is another account");
    }
}

#[tokio::test]
async fn a_flood_of_refusals_stops_a_bank_that_asks_for_no_more_than_static_factors() {
    let world = World::new().await;
    for attempt in 1..=100 {
        fail(&world, attempt, attempt, End::No).await;
    }
    let mut browser = world.browser().at(201);
    let stopped = agree(&world, &mut browser, "0009", 201).await;
    assert!(stopped.location.is_none() && stopped.body.contains("cannot be linked on line"), "{}", stopped.body);
    world.own.inside().factors = json!([["account", "name_kana", "pin", "one_time_password"]]);
    let mut browser = world.browser().at(202);
    assert!(agree(&world, &mut browser, "0009", 202).await.location.is_some(), "a stronger path stays open");
}

#[tokio::test]
async fn a_stop_of_static_factors_refuses_what_an_own_page_grants_on_them_alone() {
    for (factors_used, is_granted) in
        [(json!(["account", "pin"]), false), (json!(["account", "pin", "sms_code"]), true)]
    {
        let world = World::new().await;
        world.own.inside().factors_used = factors_used;
        let mut browser = world.browser().at(1);
        let out = agree(&world, &mut browser, "0009", 1).await.location.expect("it is sent out");
        let stopped = json!({ "stopped": true, "reason": "a spray is going on" });
        assert_eq!(
            super::desk::call(&world, "PUT", "switches/static_factors", "desk-0009", Some(stopped)).await.0,
            200
        );
        let back = browser.get(&world.own.authenticate_on_page(&out, "1234567")).await;
        let (_, events) = super::desk::call(&world, "GET", "events", "desk-0009", None).await;
        assert_eq!(events["data"][0]["function"], "static_factors");
        let granted = back.location.as_ref().is_some_and(|location| location.contains("code="));
        assert_eq!(granted, is_granted, "{:?} {}", back.location, back.body);
        if granted {
            assert_eq!(asked_last(&world).await, Status::Pending);
        } else {
            assert_eq!(back.status, StatusCode::UNPROCESSABLE_ENTITY, "it looks like any failure");
        }
    }
}

/// The bank reports a right first step for the account `number` by the browser with `state`, as often as there are wrong second
/// ones; whether its holder will be told.
fn report_first_step_for(world: &World, state: &str, number: &str) -> bool {
    let account = AccountNumber::parsed("001", AccountKind::Ordinary, number).expect("a number");
    let bank = world.own.code.parse().expect("a bank code");
    first_step(&world.gateway, bank, state, account)
}

fn report_first_step(world: &World, state: &str) -> bool {
    report_first_step_for(world, state, "1234567")
}

/// Of which accounts the holders were told.
fn told_of(world: &World) -> Vec<String> {
    let notices = world.own.inside().notices.clone();
    notices.iter().map(|notice| notice["account"]["number"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn whoever_knows_a_first_factor_on_a_banks_own_page_and_no_second_is_told_of() {
    let world = World::new().await;
    let mut browser = world.browser().at(1);
    let out = agree(&world, &mut browser, "0009", 1).await.location.expect("it is sent out");
    let state = world.own.state_of(&out);
    assert!(!report_first_step(&world, "a state of nobody"), "the bank tells its customer itself");
    for _ in 0..3 {
        assert!(report_first_step(&world, &state));
    }
    world.clock.advance(5_000);
    world.settle().await;
    let notices = world.own.inside().notices.clone();
    assert_eq!(notices.len(), 1, "once, and the browser never comes back");
    assert!(notices[0]["code"].is_string() && notices[0]["account"]["number"] == "1234567", "{notices:?}");
}

#[tokio::test]
async fn whoever_leaves_a_link_and_goes_on_at_the_bank_is_told_of_all_the_same() {
    let world = World::new().await;
    let mut browser = world.browser().at(1);
    let out = agree(&world, &mut browser, "0009", 1).await.location.expect("it is sent out");
    let waiting = browser.get("/link").await;
    assert_eq!(browser.send(&waiting, "/link/leave", &[]).await.status, StatusCode::SEE_OTHER);
    let state = world.own.state_of(&out);
    assert!(report_first_step(&world, &state));
    world.clock.advance(10 * 60_000);
    assert!(report_first_step_for(&world, &state, "7654321"), "a visit at the bank lasts as long as a link");
    world.clock.advance(5_000);
    world.settle().await;
    assert_eq!(told_of(&world), ["1234567", "7654321"]);
    world.clock.advance(30 * 60_000);
    assert!(!report_first_step_for(&world, &state, "1111111"), "too long ago to know whose it was");
}

#[tokio::test]
async fn each_account_that_is_tried_on_a_banks_own_page_is_told_of_whatever_comes_of_another() {
    let world = World::new().await;
    let mut browser = world.browser().at(1);
    let out = agree(&world, &mut browser, "0009", 1).await.location.expect("it is sent out");
    let state = world.own.state_of(&out);
    assert!(report_first_step_for(&world, &state, "7654321"));
    assert!(report_first_step(&world, &state));
    let granted = browser.get(&world.own.authenticate_on_page(&out, "1234567")).await;
    assert_eq!(granted.status, StatusCode::SEE_OTHER, "{}", granted.body);
    assert_eq!(told_of(&world), ["1234567"], "of the link and its first step at once");
    assert!(report_first_step(&world, &state), "late, and nothing new");
    world.clock.advance(5_000);
    world.settle().await;
    assert_eq!(told_of(&world), ["1234567", "7654321"]);
    for number in 0..6 {
        assert!(report_first_step_for(&world, &state, &format!("200000{number}")));
    }
    assert!(!report_first_step_for(&world, &state, "2000006"), "of so many the bank tells itself");
}

#[tokio::test]
async fn one_notice_says_both_where_the_second_step_on_a_banks_own_page_is_right_at_once() {
    let world = World::new().await;
    let mut browser = world.browser().at(1);
    let out = agree(&world, &mut browser, "0009", 1).await.location.expect("it is sent out");
    report_first_step(&world, &world.own.state_of(&out));
    let granted = browser.get(&world.own.authenticate_on_page(&out, "1234567")).await;
    assert_eq!(granted.status, StatusCode::SEE_OTHER, "{}", granted.body);
    world.clock.advance(10_000);
    world.settle().await;
    let notices = world.own.inside().notices.clone();
    assert_eq!(notices.len(), 1);
    assert!(notices[0]["text"]["en"].as_str().is_some_and(|text| text.contains("and the second step were right")));
}

/// How far the mandate is that the operator was told of last.
async fn asked_last(world: &World) -> Status {
    let operator = world.gateway.operator_id("op_wallet");
    let told = told_after(&world.gateway, operator, 0, 100).await.expect("it is read");
    let mandate = told.iter().rev().find_map(|told| match &told.what {
        What::Mandate { mandate, .. } => Some(mandate.to_string()),
        _ => None,
    });
    status_of(world, &mandate.expect("it was told of a mandate")).await
}
