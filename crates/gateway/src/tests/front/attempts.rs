//! Many at once, whoever hangs up, and a bank that is closed: what counts as an attempt, and what does not.

use super::link::{to_form, type_in};
use super::world::World;
use futures_util::future::join_all;
use http::StatusCode;

/// Waits until `is_so`; what never comes fails the test, not the whole run.
async fn until(is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), wait).await.expect("it comes to be so");
}

#[tokio::test]
async fn attempts_at_once_are_no_more_than_the_windows_let_through_in_a_row() {
    let world = World::new().await;
    let closed = world.hosted.gate.clone().write_owned().await;
    let mut forms = Vec::new();
    for source in 1..=10 {
        let mut browser = world.browser().at(source);
        let form = to_form(&mut browser, &world.wallet_of(source).await).await;
        forms.push((browser, form));
    }
    let answered = std::cell::Cell::new(0);
    let attempts = forms.iter_mut().map(async |(browser, form)| {
        let status = type_in(browser, form, &[("pin", "0000")]).await.status;
        answered.set(answered.get() + 1);
        status
    });
    let all_are_judged = async {
        until(|| world.hosted.inside().arrived + answered.get() == 10).await;
        drop(closed);
    };
    let (statuses, ()) = futures_util::future::join(join_all(attempts), all_are_judged).await;
    let count = |status| statuses.iter().filter(|other| **other == status).count();
    assert_eq!((count(StatusCode::UNPROCESSABLE_ENTITY), count(StatusCode::TOO_MANY_REQUESTS)), (5, 5));
    assert_eq!(world.hosted.inside().attempts.len(), 5, "the bank saw no more");
}

#[tokio::test]
async fn whoever_hangs_up_has_tried_all_the_same() {
    let world = World::new().await;
    let closed = world.hosted.gate.clone().write_owned().await;
    for source in 1..=5 {
        let mut browser = world.browser().at(source);
        let form = to_form(&mut browser, &world.wallet_of(source).await).await;
        // The right PIN of somebody else.
        let typed = [("number", "7654321"), ("pin", "1234"), ("name_kana", "ヤマダ タロウ")];
        tokio::select! {
            shown = type_in(&mut browser, &form, &typed) => panic!("nobody answers yet: {}", shown.status),
            () = until(|| world.hosted.inside().arrived == usize::from(source)) => {}
        }
    }
    drop(closed);
    until(|| world.hosted.inside().attempts.len() == 5).await;
    let mut browser = world.browser().at(9);
    let form = to_form(&mut browser, &world.wallet_of(9).await).await;
    let sixth = type_in(&mut browser, &form, &[("number", "7654321"), ("pin", "9999")]).await;
    assert_eq!(sixth.status, StatusCode::TOO_MANY_REQUESTS);
    let telling = async {
        loop {
            world.settle().await;
            tokio::task::yield_now().await;
        }
    };
    // The true holder is told that somebody knew the PIN, though nobody waited for that.
    tokio::select! {
        () = telling => {}
        () = until(|| !world.hosted.inside().notices.is_empty()) => {}
    }
}

#[tokio::test]
async fn a_wallet_has_few_links_under_way_and_the_oldest_gives_way() {
    let world = World::new().await;
    let mut browsers = Vec::new();
    for _ in 0..4 {
        let mut browser = world.browser();
        to_form(&mut browser, &world.wallet().push("0125").await).await;
        browsers.push(browser);
        world.clock.advance(1_000);
    }
    let mut other = world.browser();
    to_form(&mut other, &world.wallet_of(2).await).await;
    browsers.push(other);
    let mut statuses = Vec::new();
    for browser in &mut browsers {
        statuses.push(browser.get("/link").await.status.as_u16());
    }
    assert_eq!(statuses, [400, 200, 200, 200, 200]);
}

#[tokio::test]
async fn a_wallet_that_waits_for_many_mandates_is_told_so() {
    let world = World::new().await;
    let wallet = world.wallet();
    let push = async |bank: &str| {
        let proof = wallet.proof("POST", "/gateway/v1/par", None);
        let answer = wallet.post("/gateway/v1/par", &wallet.asking(bank), Some(&proof)).await;
        (answer.status.as_u16(), answer.body["error"].as_str().unwrap_or_default().to_owned())
    };
    for number in 0..10 {
        assert_eq!(push(if number % 2 == 0 { "0125" } else { "0009" }).await.0, 201, "link number {number}");
    }
    assert_eq!(push("0125").await, (429, "too_many_open".to_owned()));
    assert_eq!(push("0001").await.0, 429, "at any bank");
    world.wallet_of(2).await;
    world.clock.advance(600_000);
    world.settle().await;
    assert_eq!(push("0125").await.0, 201, "what nobody took up has ended");
}

#[tokio::test]
async fn a_bank_that_is_closed_says_when_it_opens_and_counts_nothing() {
    let world = World::new().await;
    let mut browser = world.browser();
    let form = to_form(&mut browser, &world.wallet().push("0125").await).await;
    let mut second = world.browser();
    second.get(&world.wallet().push("0125").await).await;
    let consent = second.get("/link").await;
    // It is three in the morning, and open from five past three.
    let hours = serde_json::json!({"opens": "03:05", "closes": "24:00"});
    let calendar = serde_json::json!({"hours": {"business_days": hours, "saturdays": hours, "holidays": hours}});
    let (status, said) = super::desk::call(&world, "PUT", "calendar", "desk-0125", Some(calendar)).await;
    assert_eq!(status, 200, "{said}");
    let typed = type_in(&mut browser, &form, &[]).await;
    let agreed = second.send(&consent, "/link/consent", &[]).await;
    for shown in [typed, agreed, browser.get("/link").await] {
        assert_eq!(shown.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(shown.body.contains("2026-11-23 03:05") && shown.body.contains("/link/leave"), "{}", shown.body);
    }
    assert_eq!(world.hosted.inside().arrived, 0);
    world.clock.advance(5 * 60_000);
    assert_eq!(type_in(&mut browser, &form, &[]).await.status, StatusCode::SEE_OTHER, "the link is still there");
}
