//! Notices that a process which ends must not take along: who is owed one is told by the process after it.

use super::link::{to_form, type_in};
use super::world::World;
use crate::domain::Row;
use crate::domain::open::{self, Thing};
use http::StatusCode;
use serde_json::{Value, json};

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
