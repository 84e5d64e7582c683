//! Closing a wallet: what is in it is paid out first, and until that is over it is neither open nor closed.

use super::gateway::Script;
use super::world::{World, mail};
use serde_json::json;

/// Somebody with 5,000 yen from their bank account. Their token and the wallet's path.
async fn rich(world: &World) -> (String, String) {
    let (token, wallet) = world.identified("sakura").await;
    let mandate = world.link("sakura", &token, &wallet).await;
    let top_up = world.top_up(&token, &wallet, &mandate, 5_000).await;
    assert_eq!(top_up.text("status"), "settled", "{}", top_up.text);
    (token, wallet)
}

#[tokio::test]
async fn closing_pays_out_what_is_there() {
    let world = World::new();
    let (token, wallet) = rich(&world).await;
    let path = format!("{wallet}/closure");
    let bare = world.post(&path, Some(&token), json!({})).await;
    assert_eq!(bare.problem(), (403, "step-up-required"), "{}", bare.text);
    let closed = world.prove("sakura", &token, &path, &json!({})).await;
    assert_eq!((closed.status.as_u16(), closed.text("status").as_str()), (201, "closed"), "{}", closed.text);
    let paid = world.get(&format!("{wallet}/payouts/{}", closed.text("payout_id")), Some(&token)).await;
    assert_eq!((paid.text("status").as_str(), &paid.body["amount"]), ("settled", &json!(5_000)));
    let at_bank = world.gateway.with(|stand| stand.movements[&closed.text("payout_id")]["amount"].clone());
    assert_eq!(at_bank, 5_000);
    assert_eq!(world.get(&wallet, Some(&token)).await.text("status"), "closed");
    let again = world.prove("sakura", &token, &path, &json!({})).await;
    assert_eq!(again.problem(), (409, "wrong-status"));
    world.run_due().await;
    let told = world.inbox.texts(&mail("sakura")).join("\n");
    for sentence in ["Your wallet is being closed", "Money was paid out", "Your wallet was closed."] {
        assert!(told.contains(sentence), "{sentence} in {told}");
    }
    assert_eq!(world.post("/v1/wallets", Some(&token), json!({})).await.status, 201, "the next one");
}

#[tokio::test]
async fn a_closure_waits_for_its_bank_and_ends_after_a_restart() {
    let mut world = World::new();
    let (token, wallet) = rich(&world).await;
    let path = format!("{wallet}/closure");
    world.gateway.with(|stand| stand.script = Script::Wait);
    let closing = world.prove("sakura", &token, &path, &json!({})).await;
    assert_eq!((closing.status.as_u16(), closing.text("status").as_str()), (202, "closing"), "{}", closing.text);
    let twice = world.prove("sakura", &token, &path, &json!({})).await;
    assert_eq!((twice.status, twice.text("payout_id")), (closing.status, closing.text("payout_id")));
    let (shop, _) = world.shop("Soba").await;
    let pay = json!({ "shop_id": shop.to_string(), "amount": 1 });
    let paid = world.post(&format!("{wallet}/payments"), Some(&token), pay).await;
    assert_eq!((paid.problem(), &paid.body["current_status"]), ((409, "wrong-status"), &json!("closing")));
    world.restart(true);
    world.run_due().await;
    assert_eq!(world.get(&wallet, Some(&token)).await.text("status"), "closing");
    world.gateway.with(|stand| {
        let movement = stand.movements.get_mut(&closing.text("payout_id")).expect("the bank was asked");
        movement["status"] = "settled".into();
    });
    world.advance(60 * 60 * 1_000);
    world.run_due().await;
    assert_eq!(world.get(&wallet, Some(&token)).await.text("status"), "closed");
}

#[tokio::test]
async fn a_payout_that_the_bank_does_not_take_leaves_the_money_where_it_was() {
    let world = World::new();
    let (token, wallet) = rich(&world).await;
    world.gateway.with(|stand| stand.script = Script::Decline(2));
    let tried = world.prove("sakura", &token, &format!("{wallet}/closure"), &json!({})).await;
    assert_eq!((tried.status.as_u16(), tried.text("status").as_str()), (201, "open"), "{}", tried.text);
    world.run_due().await;
    assert_eq!(world.funds(&token, &wallet).await, 5_000);
    world.gateway.with(|stand| stand.script = Script::Settle);
    let closed = world.prove("sakura", &token, &format!("{wallet}/closure"), &json!({})).await;
    assert_eq!(closed.text("status"), "closed", "{}", closed.text);
}

#[tokio::test]
async fn who_has_several_accounts_says_which() {
    let world = World::new();
    let (token, wallet) = rich(&world).await;
    world.gateway.with(|stand| stand.account_ref = "acr_2".into());
    world.link("sakura", &token, &wallet).await;
    let path = format!("{wallet}/closure");
    let asked = world.post(&path, Some(&token), json!({})).await;
    assert_eq!(asked.problem(), (422, "bank-account-needed"), "{}", asked.text);
    let accounts = asked.body["bank_accounts"].as_array().expect("a list").clone();
    assert_eq!(accounts.len(), 2);
    let (haru, _) = world.identified("haru").await;
    let foreign = world.post(&path, Some(&haru), json!({})).await;
    assert_eq!(foreign.problem(), (404, "not-found"));
    let listed = world.get(&format!("{wallet}/bank-accounts"), Some(&token)).await;
    assert!(listed.body["data"].as_array().expect("a list").iter().all(|account| accounts.contains(&account["id"])));
    world.advance(25 * 60 * 60 * 1_000);
    let token = world.log_in("sakura").await;
    let closed = world.prove("sakura", &token, &path, &json!({ "bank_account_id": accounts[1] })).await;
    assert_eq!(closed.text("status"), "closed", "{}", closed.text);
}

#[tokio::test]
async fn the_next_wallet_takes_a_proof_on_a_device_that_is_not_known() {
    let world = World::new();
    let (token, wallet) = rich(&world).await;
    let closed = world.prove("sakura", &token, &format!("{wallet}/closure"), &json!({})).await;
    assert_eq!(closed.text("status"), "closed", "{}", closed.text);
    // Also once the session that opened the first one is forgotten.
    world.advance(40 * 24 * 3_600_000);
    world.run_due().await;
    let thief = world.log_in("sakura").await;
    let tried = world.post("/v1/wallets", Some(&thief), json!({})).await;
    assert_eq!(tried.problem(), (403, "step-up-required"), "{}", tried.text);
    assert_eq!(world.prove("sakura", &thief, "/v1/wallets", &json!({})).await.status, 201);
}
