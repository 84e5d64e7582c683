//! Lists: one shape for all of them, page by page, and nothing twice.

use super::world::{BANK, World};
use crate::domain::Factor;
use serde_json::{Value, json};

const STRONG: &[Factor] = &[Factor::Account, Factor::Pin, Factor::OneTimePassword];
const DESK: [(&str, &str); 1] = [("authorization", "Bearer bank-desk")];

async fn get(world: &World, path: &str) -> (u16, Value) {
    world.call("kinchaku", "GET", &format!("/gateway/v1/{path}"), None).await
}

/// The member `name` of everything in a list, page by page.
async fn pages(world: &World, list: &str, limit: usize, name: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    for _ in 0..20 {
        let (status, page) = get(world, &format!("{list}?limit={limit}{cursor}")).await;
        assert_eq!(status, 200, "{page}");
        let data = page["data"].as_array().expect("a list");
        assert!(data.len() <= limit, "{page}");
        all.extend(data.iter().map(|one| one[name].clone()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
    panic!("{list} has no end: {all:?}");
}

#[tokio::test]
async fn every_page_goes_on_where_the_one_before_ended() {
    let world = World::new().await;
    let mut mandates = Vec::new();
    for number in ["1111111", "2222222", "3333333"] {
        mandates.push(json!(world.link("kinchaku", &format!("w{number}"), number, STRONG).await.to_string()));
    }
    for limit in [1, 2, 3, 100] {
        assert_eq!(pages(&world, "mandates", limit, "mandate_id").await, mandates, "{limit} at a time");
        assert_eq!(pages(&world, "events", limit, "n").await, (1..=6).map(|n| json!(n)).collect::<Vec<_>>());
        assert_eq!(pages(&world, "banks", limit, "code").await, ["0125", "0126"]);
    }
    let (_, page) = get(&world, "events?after=4").await;
    assert_eq!((&page["data"][0]["n"], &page["next"], &page["next_cursor"]), (&json!(5), &json!(6), &Value::Null));
    let (_, page) = get(&world, "events?cursor=4&limit=1").await;
    assert_eq!((&page["data"][0]["n"], &page["next"], &page["next_cursor"]), (&json!(5), &json!(5), &json!("5")));
}

#[tokio::test]
async fn a_page_that_nobody_can_mean_is_a_problem() {
    let world = World::new().await;
    world.link("kinchaku", "w1", "1234567", STRONG).await;
    for query in
        ["limit=x", "limit=-1", "limit=1.5", "cursor=", "cursor=x", "after=1&cursor=1", "page=2", "limit=1&limit=2"]
    {
        for list in ["mandates", "events", "banks"] {
            let (status, body) = get(&world, &format!("{list}?{query}")).await;
            assert_eq!((status, &body["type"]), (400, &json!("/problems/malformed")), "{list}?{query}: {body}");
        }
        for list in ["events", "reviews"] {
            let (status, body) = world.call_with(&DESK, "GET", &format!("/bank/v1/{list}?{query}"), None).await;
            assert_eq!((status, &body["type"]), (400, &json!("/problems/malformed")), "{list}?{query}: {body}");
        }
    }
    assert_eq!(get(&world, "mandates?after=1").await.0, 400, "that is for what goes on for ever");
    // Two things were told. Who knows of a third has read what a restore took back.
    for (after, status) in [("1", 200), ("2", 200), ("3", 409), ("18446744073709551615", 409)] {
        let (answered, body) = get(&world, &format!("events?after={after}")).await;
        assert_eq!((answered, &body["head"]), (status, &json!(2)), "after {after}: {body}");
        assert_eq!(status == 409, body["type"] == "/problems/beyond-head", "after {after}: {body}");
    }
    let (status, body) = world.call_with(&DESK, "GET", "/bank/v1/events?after=1", None).await;
    assert_eq!((status, &body["type"], &body["head"]), (409, &json!("/problems/beyond-head"), &json!(0)), "{body}");
}

#[tokio::test]
async fn a_bank_reads_its_own_lists_in_the_same_shape() {
    let world = World::new().await;
    let path = format!("/gateway/v1/banks/{BANK}/switches/debit");
    for (stopped, who, status) in
        [(true, "desk", 200), (false, "desk", 202), (false, "desk-2", 200), (true, "desk", 200)]
    {
        let body = json!({ "stopped": stopped, "reason": "a test" });
        let token = format!("Bearer {who}");
        assert_eq!(world.call_with(&[("authorization", &token)], "PUT", &path, Some(body)).await.0, status);
    }
    let (_, first) = world.call_with(&DESK, "GET", "/bank/v1/events?limit=2", None).await;
    assert_eq!((first["data"].as_array().map(Vec::len), &first["next_cursor"]), (Some(2), &json!("2")));
    let (_, last) = world.call_with(&DESK, "GET", "/bank/v1/events?limit=2&cursor=2", None).await;
    assert_eq!((last["data"].as_array().map(Vec::len), &last["next_cursor"]), (Some(1), &Value::Null));
    for list in ["reviews", "switches", "proposals"] {
        let (_, page) = world.call_with(&DESK, "GET", &format!("/bank/v1/{list}"), None).await;
        assert!(page["data"].is_array() && page["next_cursor"].is_null(), "{list}: {page}");
    }
}
