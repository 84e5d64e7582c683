//! Top-ups, and everything that can go wrong between the books and the bank.

use super::gateway::Script;
use super::world::{Answer, World};
use serde_json::json;

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
