//! Linking a bank account: through pages, in one's own browser; and everything else that comes back and grants nothing.

use super::browser::{Browser, location};
use super::gateway::{CLIENT, GATEWAY, signing_key};
use super::world::{Answer, ORIGIN, World};
use serde_json::{Value, json};
use web::jose::SigningKey;

async fn status(world: &World, token: &str, wallet: &str, mandate: &str) -> String {
    world.get(&format!("{wallet}/mandates/{mandate}"), Some(token)).await.text("status")
}

#[tokio::test]
async fn a_holder_links_an_account_through_the_pages() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let mandate = world.ask_mandate(&token, &wallet).await;
    let browser = Browser::new(&world);
    let first = browser.get(&format!("/link/{mandate}")).await;
    assert_eq!(location(&first), format!("/login?link={mandate}"), "the page wants a login in this browser");
    let there = browser.go_to_bank("sakura", &mandate).await;
    assert!(there.starts_with("http://gateway.localhost:8080/gateway/v1/authorize?client_id=kinchaku&request_uri="));
    assert!(!there.contains("SAKURA") && !there.contains("1990"), "nothing personal goes through the browser");

    let pushed = world.gateway.with(|stand| stand.pushed[0].clone());
    let details: Value = serde_json::from_str(&pushed["authorization_details"]).expect("details");
    assert_eq!(details[0]["holder_name_kana"], "アオキ サクラ");
    assert_eq!((&details[0]["bank_code"], &details[0]["mandate_reference"]), (&json!("0125"), &json!(mandate)));

    let back = browser.get(&world.gateway.authenticate()).await;
    assert!(back.status == 200 && back.text.contains("銀行口座を登録しました"), "{}", back.text);
    let shown = world.get(&format!("{wallet}/mandates"), Some(&token)).await;
    let linked = &shown.body["data"][0];
    assert_eq!((&linked["status"], &linked["masked_number"]), (&json!("active"), &json!("****567")), "{}", shown.text);
    let accounts = world.get(&format!("{wallet}/bank-accounts"), Some(&token)).await;
    let account = &accounts.body["data"][0];
    assert_eq!((&account["mandate"], &account["can_pay_out"]), (&json!(mandate), &json!(true)), "{}", accounts.text);

    let revoked = world.delete(&format!("{wallet}/mandates/{mandate}"), Some(&token)).await;
    assert_eq!(revoked.status, 204, "{}", revoked.text);
    assert_eq!(status(&world, &token, &wallet, &mandate).await, "revoked");
    assert_eq!(world.gateway.with(|stand| stand.revoked.clone()), ["gmd_1"]);
    let accounts = world.get(&format!("{wallet}/bank-accounts"), Some(&token)).await;
    assert_eq!(accounts.body["data"][0]["can_pay_out"], true, "the way out stays: {}", accounts.text);
}

/// What the browser brings back is not what it went away with: nothing is granted, and the request is over.
async fn check_return(name: &str, change: impl FnOnce(&World, String) -> String, expected: &str) {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let mandate = world.ask_mandate(&token, &wallet).await;
    let browser = Browser::new(&world);
    browser.go_to_bank("sakura", &mandate).await;
    let back = change(&world, world.gateway.authenticate());
    let answer: Answer = browser.get(&back).await;
    assert!(!answer.text.contains("登録しました"), "{name}: {}", answer.text);
    assert_eq!(status(&world, &token, &wallet, &mandate).await, expected, "{name}: {}", answer.text);
}

#[tokio::test]
async fn a_forged_swapped_or_stale_return_grants_nothing() {
    check_return("state", |_, back| back.replace("state=", "state=x"), "authenticating").await;
    check_return("no state", |_, back| back.split("&state").next().expect("a part").into(), "authenticating").await;
    check_return("issuer", |_, back| back.replace("iss=http%3A%2F%2Fgateway", "iss=http%3A%2F%2Fgateweg"), "abandoned")
        .await;
    check_return("no issuer", |_, back| back.split("&iss").next().expect("a part").into(), "abandoned").await;
    check_return("code", |_, back| back.replace("code=code-0", "code=code-7"), "abandoned").await;
    check_return(
        "late",
        |world, back| {
            world.advance(10 * 60_000);
            back
        },
        "abandoned",
    )
    .await;
    check_return("refused", |_, back| back.replace("code=code-0", "error=server_error"), "refused").await;
    check_return("left", |_, back| back.replace("code=code-0", "error=access_denied"), "abandoned").await;
}

#[tokio::test]
async fn who_links_an_account_that_another_wallet_has_is_told_so() {
    for (word, said) in [("already_linked", "登録済み"), ("invalid_grant", "受け付けられません")] {
        let world = World::new();
        let (token, wallet) = world.identified("sakura").await;
        let mandate = world.ask_mandate(&token, &wallet).await;
        let browser = Browser::new(&world);
        browser.go_to_bank("sakura", &mandate).await;
        world.gateway.with(|stand| stand.refuses_code_with = Some(word));
        let back = browser.get(&world.gateway.authenticate()).await;
        assert!(back.status == 409 && back.text.contains(said), "{word}: {} {}", back.status, back.text);
        assert_eq!(status(&world, &token, &wallet, &mandate).await, "abandoned");
    }
}

#[tokio::test]
async fn a_return_is_taken_once_and_only_in_the_browser_that_went_away() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    world.identified("haru").await;
    let mandate = world.ask_mandate(&token, &wallet).await;
    let (own, other) = (Browser::new(&world), Browser::new(&world));
    own.go_to_bank("sakura", &mandate).await;
    let back = world.gateway.authenticate();
    other.log_in("haru", &mandate).await;
    assert_eq!(other.get(&back).await.status, 403, "another person's browser");
    assert_eq!(own.get(&back).await.status, 403, "the state is used");
    assert_eq!(status(&world, &token, &wallet, &mandate).await, "abandoned");
}

#[tokio::test]
async fn a_link_that_is_opened_in_another_persons_browser_shows_and_grants_nothing() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    world.identified("haru").await;
    let mandate = world.ask_mandate(&token, &wallet).await;
    let other = Browser::new(&world);
    let there = location(&other.log_in("haru", &mandate).await);
    let page = other.get(&there).await;
    assert!(page.status == 404 && !page.text.contains("青"), "{}", page.text);
    let begun = other.post(&there, &[("csrf", "forged")]).await;
    assert_eq!(begun.status, 404);
    assert_eq!(status(&world, &token, &wallet, &mandate).await, "requested");
    assert!(world.gateway.with(|stand| stand.pushed.is_empty()));
}

#[tokio::test]
async fn forms_are_bound_to_their_session_and_a_login_begins_a_new_one() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let mandate = world.ask_mandate(&token, &wallet).await;
    let browser = Browser::new(&world);
    browser.cookies.lock().expect("nobody panicked").insert("session".into(), "planted".into());
    let there = location(&browser.log_in("sakura", &mandate).await);
    let first = browser.cookies.lock().expect("nobody panicked")["session"].clone();
    assert_ne!(first, "planted", "a cookie that was planted before the login is worth nothing");
    let forged = browser.post(&there, &[("csrf", "forged")]).await;
    assert_eq!(forged.status, 403);
    let old = browser.token(&there).await;
    browser.log_in("sakura", &mandate).await;
    let second = browser.cookies.lock().expect("nobody panicked")["session"].clone();
    assert_ne!(first, second);
    assert_eq!(browser.post(&there, &[("csrf", &old)]).await.status, 403, "a form of the session before");
    let stale = Browser::new(&world);
    stale.cookies.lock().expect("nobody panicked").insert("session".into(), first);
    assert_eq!(stale.get(&there).await.status, 303, "the session before is over");
}

#[tokio::test]
async fn a_grant_that_does_not_suffice_is_refused_and_ended_at_the_gateway() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    for (n, (member, value)) in
        [("factors_strong", json!(false)), ("name", json!("NO")), ("birth_date_matches", json!(false))]
            .iter()
            .enumerate()
    {
        world.gateway.with(|stand| stand.grade[*member] = value.clone());
        let mandate = world.link("sakura", &token, &wallet).await;
        assert_eq!(status(&world, &token, &wallet, &mandate).await, "refused", "{member}");
        assert_eq!(world.gateway.with(|stand| stand.revoked.len()), n + 1);
    }
}

#[tokio::test]
async fn an_account_is_linked_once() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    world.link("sakura", &token, &wallet).await;
    let second = world.ask_mandate(&token, &wallet).await;
    let browser = Browser::new(&world);
    browser.go_to_bank("sakura", &second).await;
    let back = browser.get(&world.gateway.authenticate()).await;
    assert_eq!(back.status, 409, "{}", back.text);
    assert_eq!(status(&world, &token, &wallet, &second).await, "abandoned");
    assert_eq!(world.gateway.with(|stand| stand.revoked.clone()), ["gmd_2"]);
}

#[tokio::test]
async fn a_browser_is_sent_back_to_our_own_pages_alone() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let path = format!("{wallet}/mandates");
    for wrong in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "http://localhost:8080.evil.example/",
    ] {
        let asked = world.post(&path, Some(&token), json!({ "bank_code": "0125", "return_url": wrong })).await;
        assert_eq!(asked.problem(), (400, "malformed"), "{wrong}");
    }
    let own = format!("{ORIGIN}/done?a=b");
    let asked = world.post(&path, Some(&token), json!({ "bank_code": "0125", "return_url": own })).await;
    let browser = Browser::new(&world);
    browser.go_to_bank("sakura", &asked.text("id")).await;
    let back = location(&browser.get(&world.gateway.authenticate()).await);
    assert_eq!(back, format!("/done?a=b&mandate_id={}&status=active", asked.text("id")));
}

#[tokio::test]
async fn a_wallet_begins_so_many_ways_to_a_bank_and_no_more() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let mandate = world.ask_mandate(&token, &wallet).await;
    let browser = Browser::new(&world);
    let there = location(&browser.log_in("sakura", &mandate).await);
    let mut statuses = Vec::new();
    for _ in 0..12 {
        let csrf = browser.token(&there).await;
        statuses.push(browser.post(&there, &[("csrf", &csrf)]).await.status.as_u16());
    }
    assert_eq!((&statuses[..10], &statuses[10..]), (&[303; 10][..], &[429; 2][..]));
    assert_eq!(world.gateway.with(|stand| stand.pushed.len()), 10);
}

#[tokio::test]
async fn a_bank_that_is_none_or_takes_no_links_is_refused_before_anything_is_asked_for() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let path = format!("{wallet}/mandates");
    let ask = async |bank: &str| world.post(&path, Some(&token), json!({ "bank_code": bank })).await;
    let unknown = ask("9999").await;
    assert_eq!((unknown.problem(), &unknown.body["member"]), ((422, "unknown-bank"), &json!("bank_code")));
    let shut = ask("0138").await;
    assert_eq!((shut.problem(), &shut.body["reason"]), ((409, "stopped"), &json!("調査中")), "{}", shut.text);
    assert_eq!(world.get(&path, Some(&token)).await.body["data"], json!([]), "nothing was made");
    assert_eq!(ask("0150").await.status, 201);
}

#[tokio::test]
async fn what_the_gateway_refuses_is_not_called_a_failure_of_ours() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let browser = Browser::new(&world);
    for (word, expected) in [("invalid_authorization_details", 409), ("too_many_open", 429), ("invalid_client", 503)] {
        let mandate = world.ask_mandate(&token, &wallet).await;
        let there = location(&browser.log_in("sakura", &mandate).await);
        let csrf = browser.token(&there).await;
        world.gateway.with(|stand| stand.refuses_with = Some(word));
        assert_eq!(browser.post(&there, &[("csrf", &csrf)]).await.status, expected, "{word}");
        world.gateway.with(|stand| stand.refuses_with = None);
    }
}

#[tokio::test]
async fn strangers_who_push_make_nobody_ask_for_keys_again_and_again() {
    let world = World::new();
    let claims = || json!({ "iss": GATEWAY, "aud": CLIENT, "iat": world.now().milliseconds() / 1_000, "jti": "one" });
    let asked = || world.gateway.with(|stand| stand.keys_asked);
    let genuine = || signing_key().sign("secevent+jwt", &claims());
    for number in 0..1_000_u32 {
        let mut seed = [9; 32];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        let forged = SigningKey::eddsa(&seed).sign("secevent+jwt", &claims());
        assert_eq!(world.push(forged).await.problem(), (401, "unauthenticated"));
    }
    assert_eq!(asked(), 1, "a thousand names of keys, one question");
    assert_eq!(world.push(genuine()).await.status, 202, "the gateway is heard all the same");
    assert_eq!(asked(), 1);
    world.advance(31_000);
    assert_eq!(world.push(genuine()).await.status, 202, "the same told again, since its answer was lost");
    assert_eq!(asked(), 1, "a known key is asked for no more");
    world.advance(60 * 60 * 1_000);
    assert_eq!(world.push(genuine()).await.status, 202);
    assert_eq!(asked(), 2, "until it is old");
}

#[tokio::test]
async fn a_push_is_believed_once_while_it_is_fresh_and_by_whom_it_was_told_to() {
    let world = World::new();
    let seconds = || world.now().milliseconds() / 1_000;
    let good = || json!({ "iss": GATEWAY, "aud": CLIENT, "iat": seconds(), "jti": "one", "n": 1 });
    let sign = |claims: &Value| signing_key().sign("secevent+jwt", claims);
    for (member, value) in [
        ("iss", json!("http://elsewhere.example")),
        ("aud", json!("second-wallet")),
        ("aud", Value::Null),
        ("iat", json!(seconds() - 301)),
        ("iat", json!(seconds() + 301)),
        ("iat", json!(i64::MAX)),
        ("iat", Value::Null),
        ("jti", Value::Null),
    ] {
        let mut claims = good();
        claims[member] = value.clone();
        assert_eq!(world.push(sign(&claims)).await.problem(), (401, "unauthenticated"), "{member} {value}");
    }
    let push = sign(&good());
    assert_eq!(world.push(push.clone()).await.status, 202);
    for wait_ms in [0, 1_000, 299_000, 2_000, 3_600_000, 86_400_000] {
        world.advance(wait_ms);
        world.run_due().await;
        assert_eq!(world.push(push.clone()).await.problem(), (401, "unauthenticated"), "the same once more");
    }
    assert_eq!(world.push(sign(&good())).await.status, 202, "the gateway repeats itself with a new signature");
}

#[tokio::test]
async fn a_wallet_asks_for_so_many_mandates_and_no_more() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let path = format!("{wallet}/mandates");
    let (key, body) = (world.key(), json!({ "bank_code": "0125" }));
    let first = world.post_with(&path, Some(&token), &key, &body).await;
    for _ in 0..9 {
        world.ask_mandate(&token, &wallet).await;
    }
    let refused = world.post(&path, Some(&token), body.clone()).await;
    assert_eq!(refused.problem(), (429, "too-many-mandates"), "{}", refused.text);
    assert!(refused.headers.contains_key("retry-after"));
    let again = world.post_with(&path, Some(&token), &key, &body).await;
    assert_eq!((again.status.as_u16(), again.text("id")), (201, first.text("id")), "a repeat is no further one");
    world.advance(30 * 60 * 1_000);
    assert_eq!(world.post(&path, Some(&token), body).await.status, 201);
}
