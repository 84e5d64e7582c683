//! Top-ups, and everything that can go wrong between the books and the bank.

use super::gateway::Script;
use super::world::{Answer, World};
use crate::work::Due;
use domain::Id;
use serde_json::json;
use std::collections::BTreeSet;

/// A world with a linked account. The token, the wallet's path, the mandate.
async fn linked() -> (World, String, String, String) {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let mandate = world.link("sakura", &token, &wallet).await;
    (world, token, wallet, mandate)
}

fn said(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.text("status"))
}

#[tokio::test]
async fn money_comes_in_once() {
    let (world, token, wallet, mandate) = linked().await;
    let (key, path) = (world.key(), format!("{wallet}/top-ups"));
    let body = json!({ "mandate_id": mandate, "amount": 5_000 });
    let first = world.post_with(&path, Some(&token), &key, &body).await;
    assert_eq!(said(&first), (201, "settled".into()), "{}", first.text);
    let second = world.post_with(&path, Some(&token), &key, &body).await;
    assert_eq!(second.body, first.body, "a repeat is the same answer");
    assert_eq!(world.funds(&token, &wallet).await, 5_000);
    assert_eq!(world.gateway.with(|stand| stand.movements.len()), 1);
    let shown = world.get(&format!("{path}/{}", first.text("id")), Some(&token)).await;
    assert_eq!(shown.body, first.body);
    let limits = world.get(&wallet, Some(&token)).await.body["limits"]["top_up"].clone();
    assert_eq!(limits, json!({ "per_time": 100_000, "month_left": 295_000, "rolling_left": 295_000 }));
}

#[tokio::test]
async fn what_the_bank_declines_is_declined() {
    let (world, token, wallet, mandate) = linked().await;
    world.gateway.with(|stand| stand.script = Script::Decline(1));
    let declined = world.top_up(&token, &wallet, &mandate, 5_000).await;
    assert_eq!(said(&declined), (201, "declined".into()));
    assert_eq!(world.funds(&token, &wallet).await, 0);
    let limit = world.top_up(&token, &wallet, &mandate, 10_001).await;
    assert_eq!(limit.problem(), (422, "limit-exceeded"));
    assert_eq!(limit.body["limit"], "unconfirmed_per_day", "{}", limit.text);
}

#[tokio::test]
async fn strangers_see_and_do_nothing() {
    let (world, token, wallet, mandate) = linked().await;
    let made = world.top_up(&token, &wallet, &mandate, 1_000).await.text("id");
    let (stranger, own) = world.identified("haru").await;
    for (path, of) in [
        (&wallet, "wallet"),
        (&format!("{wallet}/top-ups/{made}"), "wallet"),
        (&format!("{own}/top-ups/{made}"), "top_up"),
    ] {
        let answer = world.get(path, Some(&stranger)).await;
        assert_eq!((answer.problem(), answer.text("noun")), ((404, "not-found"), of.into()), "{path}");
    }
    assert_eq!(world.top_up(&stranger, &own, &mandate, 1_000).await.problem(), (404, "not-found"));
    assert_eq!(world.top_up(&stranger, &wallet, &mandate, 1_000).await.problem(), (404, "not-found"));
    assert_eq!(world.get(&wallet, None).await.problem(), (401, "unauthenticated"));
}

#[tokio::test]
async fn what_was_left_open_together_is_asked_for_again_at_different_moments() {
    let (world, token, wallet, mandate) = linked().await;
    world.gateway.with(|stand| stand.script = Script::Wait);
    for _ in 0..4 {
        let made = world.top_up(&token, &wallet, &mandate, 1_000).await;
        assert_eq!(said(&made), (202, "in_doubt".into()), "{}", made.text);
    }
    world.advance(60_000);
    world.run_due().await;
    let due = world.server.service().work.all::<Due>(Id::default(), 100).expect("the file is read");
    let due: Vec<Due> = due.into_iter().filter(|due| due.asks_about().is_some()).collect();
    let usual_ms: i64 = 2_000;
    let waits: BTreeSet<i64> = due.iter().map(|due| due.when.milliseconds_since(world.now())).collect();
    assert_eq!((due.len(), waits.len()), (4, 4), "each at a moment of its own: {due:?}");
    let is_near = |wait_ms: &i64| (usual_ms * 4 / 5..=usual_ms * 6 / 5).contains(wait_ms);
    assert!(waits.iter().all(is_near), "{waits:?}");
}

/// The bank behaves as `script` says at first, and settles from the second question on: what the caller was told at first,
/// how it ends, and how often the bank moved money.
async fn check_late(script: Script, first: &str, last: &str, funds: i64) {
    let (world, token, wallet, mandate) = linked().await;
    world.gateway.with(|stand| stand.script = script);
    let made = world.top_up(&token, &wallet, &mandate, 5_000).await;
    assert_eq!(said(&made), (202, first.into()), "{script:?}: {}", made.text);
    let path = format!("{wallet}/top-ups/{}", made.text("id"));
    world.gateway.with(|stand| {
        stand.script = Script::Settle;
        for movement in stand.movements.values_mut().filter(|movement| movement["status"] == "pending") {
            movement["status"] = "settled".into();
        }
    });
    world.advance(60_000);
    world.run_due().await;
    assert_eq!(world.get(&path, Some(&token)).await.text("status"), last, "{script:?}");
    assert_eq!(world.funds(&token, &wallet).await, funds, "{script:?}");
    assert_eq!(world.gateway.with(|stand| stand.movements.len()), 1, "{script:?}: one debit, whatever happened");
}

#[tokio::test]
async fn late_lost_and_doubled_answers_are_one_credit() {
    check_late(Script::Wait, "in_doubt", "settled", 5_000).await;
    check_late(Script::DoAndLoseAnswer, "in_doubt", "settled", 5_000).await;
    check_late(Script::LoseRequest, "in_doubt", "settled", 5_000).await;
    check_late(Script::WrongAmount(4_000), "in_doubt", "in_doubt", 0).await;
}

#[tokio::test]
async fn absence_is_no_answer_before_the_cut_off() {
    let (world, token, wallet, mandate) = linked().await;
    world.gateway.with(|stand| stand.script = Script::LoseRequest);
    let made = world.top_up(&token, &wallet, &mandate, 5_000).await;
    let path = format!("{wallet}/top-ups/{}", made.text("id"));
    for _ in 0..3 {
        world.advance(60_000);
        world.run_due().await;
        assert_eq!(world.get(&path, Some(&token)).await.text("status"), "in_doubt");
    }
    world.gateway.with(|stand| stand.cut_off_passed = true);
    world.advance(60_000);
    world.run_due().await;
    assert_eq!(world.get(&path, Some(&token)).await.text("status"), "declined");
    assert_eq!(world.funds(&token, &wallet).await, 0);
}

#[tokio::test]
async fn a_debit_that_was_wished_away_goes_back_to_its_account() {
    let (world, token, wallet, mandate) = linked().await;
    world.gateway.with(|stand| stand.script = Script::DoAndLoseAnswer);
    let made = world.top_up(&token, &wallet, &mandate, 5_000).await;
    let path = format!("{wallet}/top-ups/{}", made.text("id"));
    let cancelled = world.post(&format!("{path}/cancel"), Some(&token), json!({})).await;
    assert_eq!(said(&cancelled), (202, "in_doubt".into()), "{}", cancelled.text);
    assert_eq!(cancelled.body["cancel_wished"], true);
    for _ in 0..2 {
        world.advance(60_000);
        world.run_due().await;
    }
    assert_eq!(world.get(&path, Some(&token)).await.text("status"), "returned");
    assert_eq!(world.funds(&token, &wallet).await, 0);
    let returns = world.gateway.with(|stand| stand.returns.clone());
    assert_eq!(returns[&made.text("id")]["amount"], 5_000, "{returns:?}");
}

#[tokio::test]
async fn what_was_asked_before_a_crash_is_found_after_it() {
    let (mut world, token, wallet, mandate) = linked().await;
    world.gateway.with(|stand| stand.script = Script::DoAndLoseAnswer);
    let made = world.top_up(&token, &wallet, &mandate, 5_000).await;
    world.restart(true);
    world.advance(60_000);
    world.run_due().await;
    let path = format!("{wallet}/top-ups/{}", made.text("id"));
    assert_eq!(
        world.get(&path, Some(&token)).await.text("status"),
        "settled",
        "the work was made again from the journal"
    );
    assert_eq!(world.funds(&token, &wallet).await, 5_000);
}

#[tokio::test]
async fn a_gateway_that_is_silent_is_left_alone_and_tried_again() {
    let (world, token, wallet, mandate) = linked().await;
    world.gateway.with(|stand| stand.script = Script::LoseRequest);
    for _ in 0..5 {
        assert_eq!(world.top_up(&token, &wallet, &mandate, 1_000).await.status, 202);
    }
    world.gateway.with(|stand| stand.script = Script::Settle);
    let paused = world.top_up(&token, &wallet, &mandate, 1_000).await;
    assert_eq!(
        paused.problem(),
        (503, "banks-unreachable"),
        "it is not asked while it is left alone, and nothing is taken"
    );
    world.advance(60_000);
    world.run_due().await;
    assert_eq!(world.funds(&token, &wallet).await, 5_000);
}

#[tokio::test]
async fn a_request_that_nobody_finished_expires_and_a_revocation_reaches_the_gateway_late() {
    let (world, token, wallet, mandate) = linked().await;
    let asked = world.ask_mandate(&token, &wallet).await;
    world.advance(31 * 60_000);
    world.run_due().await;
    let shown = world.get(&format!("{wallet}/mandates/{asked}"), Some(&token)).await;
    assert_eq!(shown.text("status"), "expired");

    let gateway = world.gateway.router();
    world.routers.add("gateway.localhost", axum::Router::new().fallback(|| async { http::StatusCode::BAD_GATEWAY }));
    assert_eq!(world.delete(&format!("{wallet}/mandates/{mandate}"), Some(&token)).await.status, 204);
    world.routers.add("gateway.localhost", gateway);
    world.advance(60_000);
    world.run_due().await;
    assert_eq!(world.gateway.with(|stand| stand.revoked.clone()), ["gmd_1"]);
}

#[tokio::test]
async fn two_days_without_the_gateway_owe_nobody_anything_and_are_caught_up_with_once() {
    let (world, _, wallet, mandate) = linked().await;
    let gateway = world.gateway.router();
    world.routers.add("gateway.localhost", axum::Router::new().fallback(|| async { http::StatusCode::BAD_GATEWAY }));
    let mut waiting = Vec::new();
    for hour in 0..48 {
        if hour % 16 == 0 {
            let token = world.log_in("sakura").await;
            if hour == 0 {
                let ask = json!({ "mandate_id": mandate, "amount": 1_000 });
                let made = world.prove("sakura", &token, &format!("{wallet}/top-ups"), &ask).await;
                assert_eq!(made.status, 202, "nobody knows yet: {}", made.text);
                waiting.push(made.text("id"));
            } else {
                let made = world.top_up(&token, &wallet, &mandate, 1_000).await;
                assert_eq!(made.problem(), (503, "banks-unreachable"), "what cannot be debited is not taken");
            }
        }
        world.advance(3_600_000);
        world.run_due().await;
    }
    let shown = world.get(&wallet, Some(&world.log_in("sakura").await)).await;
    assert_eq!((&shown.body["balances"]["funds"], &shown.body["balances"]["arriving"]), (&json!(0), &json!(1_000)));
    assert_eq!(world.gateway.with(|stand| stand.movements.len()), 0);
    // It is back: everything is asked for once, under the reference of its first day, and counts there.
    world.routers.add("gateway.localhost", gateway);
    for _ in 0..24 {
        world.advance(3_600_000);
        world.run_due().await;
    }
    let token = world.log_in("sakura").await;
    assert_eq!(world.funds(&token, &wallet).await, 1_000);
    for id in &waiting {
        assert_eq!(world.get(&format!("{wallet}/top-ups/{id}"), Some(&token)).await.text("status"), "settled");
    }
    let asked = world.gateway.with(|stand| stand.movements.keys().cloned().collect::<Vec<_>>());
    assert_eq!(asked.len(), waiting.len(), "{asked:?}");
}

#[tokio::test]
async fn on_a_device_that_is_not_known_a_top_up_and_a_link_take_a_proof() {
    let (world, _, wallet, mandate) = linked().await;
    let unknown = world.log_in("sakura").await;
    let (top_ups, links) = (format!("{wallet}/top-ups"), format!("{wallet}/mandates"));
    let (ask, link) = (json!({ "mandate_id": mandate, "amount": 500 }), json!({ "bank_code": "0150" }));
    assert_eq!(world.post(&top_ups, Some(&unknown), ask.clone()).await.problem(), (403, "step-up-required"));
    assert_eq!(world.post(&links, Some(&unknown), link.clone()).await.problem(), (403, "step-up-required"));
    assert_eq!(world.prove("sakura", &unknown, &top_ups, &ask).await.status, 201);
    assert_eq!(world.post(&top_ups, Some(&unknown), ask).await.status, 201, "from then on it is known");
    assert_eq!(world.post(&links, Some(&unknown), link).await.status, 201);
}

#[tokio::test]
async fn while_the_gateway_is_away_nothing_new_is_taken_and_what_was_taken_is_answered_again() {
    let (world, token, wallet, mandate) = linked().await;
    let gateway = world.gateway.router();
    world.routers.add("gateway.localhost", axum::Router::new());
    let (key, path, body) = (world.key(), format!("{wallet}/top-ups"), json!({ "mandate_id": mandate, "amount": 500 }));
    let first = world.post_with(&path, Some(&token), &key, &body).await;
    assert_eq!(first.status, 202, "nobody knows yet that it is away: {}", first.text);
    for _ in 0..4 {
        assert_eq!(world.top_up(&token, &wallet, &mandate, 500).await.status, 202);
    }
    let refused = world.top_up(&token, &wallet, &mandate, 500).await;
    let is_told_when = refused.headers.contains_key("retry-after");
    assert_eq!((refused.problem(), is_told_when), ((503, "banks-unreachable"), true));
    let held = world.get(&wallet, Some(&token)).await.body["limits"]["top_up"]["month_left"].clone();
    assert_eq!(held, 297_500, "what was refused counts on no limit");
    assert_eq!(world.post_with(&path, Some(&token), &key, &body).await.text("id"), first.text("id"));
    // Another's mandate is still nobody's business.
    let (stranger, own) = world.identified("haru").await;
    assert_eq!(world.top_up(&stranger, &own, &mandate, 500).await.problem(), (404, "not-found"));
    world.routers.add("gateway.localhost", gateway);
    world.advance(31_000);
    assert_eq!(said(&world.top_up(&token, &wallet, &mandate, 500).await), (201, "settled".into()));
    for _ in 0..10 {
        world.advance(60_000);
        world.run_due().await;
    }
    assert_eq!(world.funds(&token, &wallet).await, 3_000, "each of the six, once");
}
