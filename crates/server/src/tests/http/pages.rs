//! Lists, page by page: every line once, the newest first, and cursors that only we can make, each for its own list.

use super::world::{World, mail, password};
use serde_json::json;

/// Reads the list at `path` by pages of one line; the ids of all `count` lines.
async fn check(world: &World, path: &str, token: &str, count: usize) -> Vec<String> {
    let whole = world.get(path, Some(token)).await;
    let ids = |answer: &super::world::Answer| -> Vec<String> {
        let lines = answer.body["data"].as_array().unwrap_or_else(|| panic!("{path}: {}", answer.text));
        lines.iter().map(|line| line["id"].as_str().expect("an id").to_owned()).collect()
    };
    assert_eq!((ids(&whole).len(), &whole.body["next_cursor"]), (count, &json!(null)), "{path}: {}", whole.text);
    let (mut read, mut cursor) = (Vec::new(), String::new());
    for _ in 0..count {
        let page = world.get(&format!("{path}?limit=1{cursor}"), Some(token)).await;
        read.extend(ids(&page));
        let Some(next) = page.body["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(read, ids(&whole), "{path}");
    for wrong in ["limit=0", "limit=101", "limit=x", "cursor=x", "offset=1", &format!("limit=1{cursor}x")] {
        let refused = world.get(&format!("{path}?{wrong}"), Some(token)).await;
        assert_eq!(refused.problem(), (400, "malformed"), "{path}?{wrong}");
    }
    read
}

#[tokio::test]
async fn a_holders_lists_are_read_by_pages() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let mut mandates = vec![world.link("sakura", &token, &wallet).await];
    world.gateway.with(|stand| stand.account_ref = "acr_2".into());
    for _ in 0..2 {
        world.advance(1_000);
        mandates.push(world.ask_mandate(&token, &wallet).await);
    }
    mandates.reverse();
    assert_eq!(check(&world, &format!("{wallet}/mandates"), &token, 3).await, mandates, "the newest first");
    world.link("sakura", &token, &wallet).await;
    check(&world, &format!("{wallet}/bank-accounts"), &token, 2).await;
    world.advance(1_000);
    let log_in = json!({ "email": mail("sakura"), "password": password("sakura") });
    let last = world.post("/v1/sessions", None, log_in).await;
    let sessions = world.get("/v1/sessions", Some(&token)).await.body["data"].as_array().expect("a list").len();
    let read = check(&world, "/v1/sessions", &token, sessions).await;
    assert!(read.len() >= 3 && read[0] == last.text("id"), "the newest first: {read:?}");
    let cursor = world.get("/v1/sessions?limit=1", Some(&token)).await.text("next_cursor");
    let elsewhere = world.get(&format!("{wallet}/mandates?cursor={cursor}"), Some(&token)).await;
    assert_eq!(elsewhere.problem(), (400, "malformed"), "another list's cursor");
}

#[tokio::test]
async fn a_shops_lists_and_the_desks_are_read_by_pages() {
    let world = World::new();
    let (_, till) = world.shop("Soba").await;
    for _ in 0..2 {
        world.advance(1_000);
        assert_eq!(world.post("/v1/tokens", Some(&till), json!({})).await.status, 201);
        let hook = json!({ "url": "http://shop.localhost/hooks", "events": ["*"] });
        assert_eq!(world.post("/v1/webhook-endpoints", Some(&till), hook).await.status, 201);
    }
    check(&world, "/v1/tokens", &till, 3).await;
    check(&world, "/v1/webhook-endpoints", &till, 2).await;
}
