//! Redirects that were forged, replayed, swapped or opened by somebody else: the browser carries names of things, and whatever
//! it brings that was not made for it grants nothing.

use super::browser::{Browser, Shown};
use super::world::{Person, World, between};
use axum::http::Method;
use serde_json::Value;

async fn mandate_status(world: &World, person: &Person, mandate: &str) -> String {
    let shown = world.get(person, &format!("{{wallet}}/mandates/{mandate}")).await;
    shown["status"].as_str().expect("a status").to_owned()
}

/// `url` with another value of the parameter `name`.
fn with(url: &str, name: &str, value: &str) -> String {
    let old = between(url, &format!("{name}="), "&");
    url.replace(&format!("{name}={old}"), &format!("{name}={value}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_that_was_forged_grants_nothing() {
    let world = World::start();
    let person = world.person("0125").await;
    let swapped_issuer =
        form_urlencoded::byte_serialize(world.url("bank-0125.localhost", "").as_bytes()).collect::<String>();
    for (name, value) in
        [("state", "x".repeat(43)), ("iss", swapped_issuer), ("code", "x".repeat(43)), ("state", String::new())]
    {
        let mut browser = Browser::new(&world);
        let mandate = browser.ask_for_link(&person).await;
        let form = browser.go_to_bank(&person, &mandate).await;
        let back = browser.prove(&person, &form).await.location();
        let forged = with(&back, name, &value);
        assert_ne!(forged, back);
        let shown = browser.fetch(&forged).await;
        assert!(shown.answer.status >= 400, "{name}: {} {}", shown.answer.status, shown.answer.text);
        let status = mandate_status(&world, &person, &mandate).await;
        assert!(status != "active" && status != "pending", "{name}: {status}");
        // A state that was not forged is still good, once: unless its request has ended, as it has with all but the state.
        let shown = browser.fetch(&back).await;
        let status = mandate_status(&world, &person, &mandate).await;
        assert_eq!(status == "active", name == "state", "{name}: {status} {}", shown.answer.text);
        if status == "active" {
            let path = format!("{{wallet}}/mandates/{mandate}");
            let ended = world.as_person(&person, Method::DELETE, &path, Value::Null).await;
            assert!(ended.status < 300, "{}", ended.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_is_taken_once_and_in_its_own_browser() {
    let world = World::start();
    let (person, stranger) = (world.person("0125").await, world.person("0125").await);
    let mut browser = Browser::new(&world);
    let mandate = browser.ask_for_link(&person).await;
    let form = browser.go_to_bank(&person, &mandate).await;
    let back = browser.prove(&person, &form).await;
    let done = browser.follow(back.clone()).await;
    assert_eq!((done.answer.status, mandate_status(&world, &person, &mandate).await.as_str()), (200, "active"));
    let again = browser.fetch(&back.location()).await;
    assert_eq!(again.answer.status, 403, "{}", again.answer.text);
    assert_eq!(mandate_status(&world, &person, &mandate).await, "active", "a replay ends nothing either");

    // A return that somebody else's browser brings, logged in as themself, is worth nothing to anybody.
    let other = world.person("0125").await;
    let mut browser = Browser::new(&world);
    let mandate = browser.ask_for_link(&other).await;
    let form = browser.go_to_bank(&other, &mandate).await;
    let back = browser.prove(&other, &form).await;
    let mut theirs = Browser::new(&world);
    let own = theirs.ask_for_link(&stranger).await;
    theirs.log_in(&stranger, &own).await;
    assert_eq!(theirs.fetch(&back.location()).await.answer.status, 403);
    assert_eq!(browser.fetch(&back.location()).await.answer.status, 403, "its one use is gone");
    for (whose, link) in [(&other, &mandate), (&stranger, &own)] {
        let status = mandate_status(&world, whose, link).await;
        assert_ne!(status, "active", "{link}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_opened_in_another_persons_browser_grants_nothing() {
    let world = World::start();
    let (attacker, victim) = (world.person("0125").await, world.person("0125").await);
    let mandate = Browser::new(&world).ask_for_link(&attacker).await;
    // The victim follows the attacker's link: their own login shows them nothing of it.
    let mut browser = Browser::new(&world);
    let shown = browser.log_in(&victim, &mandate).await;
    assert_eq!(shown.answer.status, 404, "{}", shown.answer.text);
    assert!(!shown.answer.text.contains(&format!("action=\"/link/{mandate}\"")));
    // The attacker goes as far as the gateway, and hands that address on.
    let mut attackers = Browser::new(&world);
    let asked = attackers.log_in(&attacker, &mandate).await;
    let to_gateway = attackers.send(&asked, &format!("/link/{mandate}"), &[]).await.location();
    let consent = browser.open(&to_gateway).await;
    // It is the first browser there, so it is shown whose wallet it is; the return is not its own, and grants nothing.
    assert!(consent.answer.text.contains("action=\"/link/consent\""), "{}", consent.answer.text);
    let form = browser.submit(&consent, "/link/consent", &[]).await;
    let tried = browser.prove(&victim, &form).await;
    let tried = browser.follow(tried).await;
    assert_ne!(mandate_status(&world, &attacker, &mandate).await, "active", "{}", tried.answer.text);
    assert!(world.statement(&victim).await.is_empty());
    // And the attacker's own browser comes too late.
    let late = attackers.open(&to_gateway).await;
    assert!(!late.answer.text.contains("action=\"/link/consent\""), "{}", late.answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_banks_word_is_not_anothers() {
    let world = World::start();
    for (path, name) in [("/bank-return/0001", ""), ("/bank-return/0009", "iss"), ("/bank-return/0009", "state")] {
        let person = world.person("0009").await;
        let mut browser = Browser::new(&world);
        let mandate = browser.ask_for_link(&person).await;
        let page = browser.go_to_bank(&person, &mandate).await;
        let back = browser.prove_at_own_page(&person, &page).await.location();
        let forged = match name {
            "" => back.replace("/bank-return/0009", path),
            "iss" => with(&back, name, "http%3A%2F%2Fbank-0001.localhost"),
            _ => with(&back, name, &"x".repeat(43)),
        };
        assert_ne!(forged, back);
        let shown = browser.open(&forged).await;
        assert!(shown.answer.status >= 400, "{path} {name}: {} {}", shown.url, shown.answer.text);
        assert_ne!(mandate_status(&world, &person, &mandate).await, "active", "{path} {name}");
    }
    // Untouched, the same way leads to a link.
    let person = world.person("0009").await;
    let mut browser = Browser::new(&world);
    let mandate = browser.ask_for_link(&person).await;
    let page = browser.go_to_bank(&person, &mandate).await;
    let back = browser.prove_at_own_page(&person, &page).await;
    let done: Shown = browser.follow(back).await;
    assert_eq!(mandate_status(&world, &person, &mandate).await, "active", "{}", done.answer.text);
}
