//! Claims at the desk: who may read them, what a decision stops, and what the claimant learns of it.

use super::desk::call;
use super::world::{Answer, World};
use serde_json::{Value, json};

async fn claimed(world: &World, contact: &str) -> (String, String) {
    let claim = json!({ "bank_code": "0125", "dates": ["2026-01-01"], "amount": 5_000, "contact": contact });
    let made = world.post("/v1/claims", None, claim).await;
    assert_eq!(made.status, 201, "{}", made.text);
    (made.text("id"), made.text("code"))
}

async fn decide(world: &World, claim: &str, staff: &str, body: Value) -> Answer {
    call(world, "POST", &format!("/claims/{claim}/decision"), staff, Some(body)).await
}

#[tokio::test]
async fn an_accepted_claim_stops_what_it_names_and_is_answered() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let mandate = world.link("sakura", &token, &wallet).await;
    let (claim, code) = claimed(&world, "090-0000-0000").await;
    let listed = call(&world, "GET", "/claims?status=received", "desk-3", None).await;
    assert_eq!(listed.body["data"][0]["id"], claim, "{}", listed.text);
    assert!(!listed.text.contains("090-0000"), "a list tells nobody's number");
    let path = format!("/claims/{claim}");
    assert_eq!(call(&world, "GET", &path, "desk-3", None).await.problem(), (403, "role-needed"));
    let read = call(&world, "GET", &path, "desk-4", None).await;
    assert_eq!(read.body["written"]["contact"], "090-0000-0000", "{}", read.text);

    let name = wallet.strip_prefix("/v1/wallets/").expect("a path");
    let accept = json!({ "accept": true, "answer": "口座の登録を解除しました。",
        "mandates": [mandate], "wallets": [name] });
    assert_eq!(decide(&world, &claim, "desk-3", accept.clone()).await.problem(), (403, "role-needed"));
    let decided = decide(&world, &claim, "desk-4", accept.clone()).await;
    assert_eq!(decided.text("status"), "accepted", "{}", decided.text);
    assert_eq!(decided.body["stopped"][0]["status"], "revoked", "{}", decided.text);
    assert_eq!(decided.body["stopped"][1]["status"], "frozen", "{}", decided.text);
    assert_eq!(decide(&world, &claim, "desk-4", accept.clone()).await.text("status"), "accepted", "again is the same");
    let reject = json!({ "accept": false, "answer": "no" });
    assert_eq!(decide(&world, &claim, "desk-4", reject).await.problem(), (409, "wrong-status"));
    assert_eq!(decide(&world, &claim, "desk-1", accept).await.problem(), (409, "wrong-status"), "somebody else's");

    let shown = world.get(&format!("/v1/claims/{claim}"), Some(&code)).await;
    assert_eq!(shown.text("status"), "accepted", "{}", shown.text);
    assert_eq!(shown.text("answer"), "口座の登録を解除しました。");
    assert_eq!(world.get(&wallet, Some(&token)).await.text("status"), "frozen");
    let shown = world.get(&format!("{wallet}/mandates/{mandate}"), Some(&token)).await;
    assert_eq!(shown.text("status"), "revoked");
}

#[tokio::test]
async fn a_decided_claim_is_kept_four_hundred_days_and_a_network_makes_fifty_a_day() {
    let world = World::new();
    let (claim, code) = claimed(&world, "090-0000-0000").await;
    let (waiting, waits) = claimed(&world, "090-0000-0001").await;
    let reject = json!({ "accept": false, "answer": "お客さまの取引でした。" });
    assert_eq!(decide(&world, &claim, "desk-4", reject).await.text("status"), "rejected");
    for _ in 2..50 {
        claimed(&world, "a flood").await;
    }
    let one = json!({ "bank_code": "0125", "dates": ["2026-01-01"], "contact": "somebody" });
    let refused = world.post("/v1/claims", None, one.clone()).await;
    assert_eq!(refused.problem(), (429, "too-many-claims"), "{}", refused.text);
    assert_eq!(world.post_from(1, "/v1/claims", None, &one).await.status, 201, "from elsewhere they may");
    for (days, status) in [(399, 200), (2, 404)] {
        world.advance(days * 24 * 60 * 60 * 1_000);
        world.run_due().await;
        assert_eq!(world.get(&format!("/v1/claims/{claim}"), Some(&code)).await.status.as_u16(), status);
    }
    let shown = world.get(&format!("/v1/claims/{waiting}"), Some(&waits)).await;
    assert_eq!(shown.text("status"), "received", "one that is not decided is kept until it is");
}

#[tokio::test]
async fn a_rejection_says_why_and_what_is_wrong_decides_nothing() {
    let world = World::new();
    let (claim, code) = claimed(&world, "a@example.jp").await;
    let nobody = "0".repeat(31) + "7";
    for (body, problem) in [
        (json!({ "accept": false, "answer": " " }), (400, "malformed")),
        (json!({ "accept": false, "answer": "x".repeat(1_001) }), (400, "malformed")),
        (json!({ "accept": true, "answer": "x", "mandates": vec!["x"; 33] }), (400, "malformed")),
        (json!({ "accept": false, "answer": "x", "wallets": [format!("wlt_{nobody}")] }), (400, "malformed")),
        (json!({ "accept": true, "answer": "x", "wallets": [format!("wlt_{nobody}")] }), (404, "not-found")),
        (json!({ "accept": true, "answer": "x", "mandates": [format!("mnd_{nobody}")] }), (404, "not-found")),
    ] {
        assert_eq!(decide(&world, &claim, "desk-1", body.clone()).await.problem(), problem, "{body}");
    }
    let shown = world.get(&format!("/v1/claims/{claim}"), Some(&code)).await;
    assert_eq!((shown.text("status").as_str(), &shown.body["answer"]), ("received", &Value::Null));
    let reject = json!({ "accept": false, "answer": "ご本人の登録でした。" });
    assert_eq!(decide(&world, &claim, "desk-1", reject).await.text("status"), "rejected");
    let shown = world.get(&format!("/v1/claims/{claim}"), Some(&code)).await;
    assert_eq!(shown.text("answer"), "ご本人の登録でした。");
    assert_eq!(
        decide(&world, &format!("clm_{nobody}"), "desk-1", json!({ "accept": true, "answer": "x" })).await.problem(),
        (404, "not-found")
    );
}

#[tokio::test]
async fn every_claim_is_listed_once() {
    let world = World::new();
    let mut expected = Vec::new();
    for n in 0..7 {
        expected.push(claimed(&world, &format!("{n}@example.jp")).await.0);
    }
    decide(&world, &expected[2], "desk-1", json!({ "accept": false, "answer": "no" })).await;
    expected.sort();
    for (query, count) in [("limit=2", 7), ("limit=3&status=received", 6), ("limit=1&status=rejected", 1)] {
        let (mut found, mut path) = (Vec::new(), format!("/claims?{query}"));
        loop {
            let page = call(&world, "GET", &path, "desk-3", None).await;
            assert_eq!(page.status, 200, "{}", page.text);
            let rows = page.body["data"].as_array().expect("a page");
            found.extend(rows.iter().map(|row| row["id"].as_str().expect("an id").to_owned()));
            let Some(cursor) = page.body["next_cursor"].as_str() else { break };
            path = format!("/claims?{query}&cursor={cursor}");
        }
        assert_eq!(found.len(), count, "{query}");
        assert!(found.is_sorted() && found.iter().all(|id| expected.contains(id)));
    }
    assert_eq!(call(&world, "GET", "/claims?status=lost", "desk-3", None).await.problem(), (400, "malformed"));
}
