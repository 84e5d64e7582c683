//! One account, and many links of it at once: at the end one of them may debit it.

use super::browser::Browser;
use super::world::{BANK, World, at};
use crate::served::Served;
use axum::http::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Links that the wallet has begun: as many as it may in half an hour.
const LINKS: usize = 10;
/// How often each browser comes back with what the gateway gave it, all at once.
const RETURNS: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_returns_from_ten_links_of_one_account_leave_one_that_debits() {
    let world = Arc::new(World::of(Served::start_at(at(15, "12:00:00"), true)));
    let person = world.person(BANK).await;
    let (mut returns, mut links) = (Vec::new(), Vec::new());
    let mut logged_in = Browser::new(&world);
    for number in 0..LINKS {
        let link = logged_in.ask_for_link(&person).await;
        if number == 0 {
            logged_in.log_in(&person, &link).await;
        }
        // Each link goes on in a browser of its own, in which the same person is logged in.
        let mut browser = Browser::with(&world, logged_in.cookies());
        let asked = browser.open(&world.url("localhost", &format!("/link/{link}"))).await;
        let consent = browser.submit(&asked, &format!("/link/{link}"), &[]).await;
        let form = browser.submit(&consent, "/link/consent", &[]).await;
        let back = browser.prove(&person, &form).await;
        assert!(back.location().contains("code="), "{}", back.answer.text);
        returns.extend((0..RETURNS).map(|_| (browser.cookies(), back.clone())));
        links.push(link);
    }
    let mut coming_back = JoinSet::new();
    for (cookies, back) in returns {
        let world = Arc::clone(&world);
        coming_back.spawn(async move { Browser::with(&world, cookies).follow(back).await.answer.status });
    }
    let statuses = coming_back.join_all().await;
    assert_eq!(statuses.len(), LINKS * RETURNS);
    assert!(!statuses.contains(&500), "{statuses:?}");

    let active = async || {
        let list = world.get(&person, "{wallet}/mandates?limit=100").await;
        let all = list["data"].as_array().expect("a list").clone();
        assert_eq!(all.len(), LINKS);
        let active = all.into_iter().filter(|link| link["status"] == "active");
        active.map(|link| link["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    let live = active().await;
    assert_eq!(live.len(), 1, "of {links:?}");
    for link in &links {
        let asked = world.top_up(&person, link, 1_000).await;
        assert_eq!(asked.status == 201, live.contains(link), "{link}: {}", asked.text);
    }
    let desk = world.served.secret(&format!("bank-{BANK}-desk"));
    let (branch, kind, number) = (person.account("branch"), person.account("kind"), person.account("number"));
    let account = json!({ "branch": branch, "kind": kind, "number": number });
    let seen = world.ask(Method::POST, "gateway.localhost", "/bank/v1/links/search", &desk, account).await;
    let is_active = |link: &&Value| link["status"] == "active";
    let of_the_bank = seen.json["data"].as_array().map(|links| links.iter().filter(is_active).count());
    assert_eq!(of_the_bank, Some(1), "{}", seen.text);
    // What the others still wait for comes to nothing.
    world.advance(3_600).await;
    assert_eq!(active().await, live);
    assert_eq!(world.statement(&person).await, [-1_000]);
}
