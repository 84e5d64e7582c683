//! What another site, or another person, makes a browser do: nothing. Cookies that were planted, forms that are not ours,
//! requests that carry a cookie and no word of where they come from.

use super::browser::{Browser, hidden, location};
use super::world::{Answer, ORIGIN, World, mail, password, percent};
use bytes::Bytes;
use http::{Request, header};

/// Sends a form as a browser would that has `cookies`, with what it says of itself.
async fn form(world: &World, path: &str, cookies: &str, site: Option<&str>, fields: &[(&str, &str)]) -> Answer {
    let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
    let mut request = Request::post(format!("{ORIGIN}{path}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::COOKIE, cookies);
    if let Some(site) = site {
        request = request.header("sec-fetch-site", site);
    }
    world.send(request.body(Bytes::from(body.join("&"))).expect("a request")).await
}

fn cookies(browser: &Browser<'_>) -> String {
    let cookies = browser.cookies.lock().expect("nobody panicked");
    cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
}

fn session(browser: &Browser<'_>) -> String {
    browser.cookies.lock().expect("nobody panicked")["session"].clone()
}

#[tokio::test]
async fn a_cookie_that_was_there_before_the_login_is_worth_nothing_after_it() {
    let world = World::new();
    world.join("sakura").await;
    world.join("mallory").await;
    let thief = Browser::new(&world);
    assert_eq!(location(&thief.log_in("mallory", "none").await), "/");
    let planted = session(&thief);
    for planted in [planted.clone(), "of-my-own-making".to_owned()] {
        let victim = Browser::new(&world);
        victim.cookies.lock().expect("nobody panicked").insert("session".into(), planted.clone());
        assert_eq!(location(&victim.log_in("sakura", "none").await), "/");
        let own = session(&victim);
        assert_ne!(own, planted, "each login begins a session of its own");
        assert_eq!(world.get("/v1/sessions", Some(&own)).await.status, 200);
        assert_eq!(world.get("/v1/sessions", Some(&planted)).await.status, 401, "what was there is over");
    }
}

#[tokio::test]
async fn nobody_is_logged_in_by_another_site() {
    let world = World::new();
    world.join("mallory").await;
    let (thief, victim) = (Browser::new(&world), Browser::new(&world));
    let theirs = hidden(&thief.get("/login").await.text);
    let own = hidden(&victim.get("/login").await.text);
    let (email, secret) = (mail("mallory"), password("mallory"));
    for (csrf, site) in [
        (theirs.as_str(), None),
        ("", None),
        ("x", None),
        (own.as_str(), Some("cross-site")),
        (own.as_str(), Some("same-site")),
    ] {
        let sent = [("email", email.as_str()), ("password", secret.as_str()), ("csrf", csrf)];
        let answer = form(&world, "/login", &cookies(&victim), site, &sent).await;
        assert_eq!(answer.status, 403, "{csrf} {site:?}: {}", answer.text);
        assert!(answer.headers.get(header::SET_COOKIE).is_none(), "nobody is logged in");
    }
    let sent = [("email", email.as_str()), ("password", secret.as_str()), ("csrf", own.as_str())];
    assert_eq!(form(&world, "/login", &cookies(&victim), Some("same-origin"), &sent).await.status, 303);
    // Without the visit's cookie a form of ours is shown again, and nothing is done.
    assert_eq!(form(&world, "/login", "", None, &sent).await.status, 200);
}

#[tokio::test]
async fn each_form_takes_its_own_token_of_its_own_session() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    world.join("mallory").await;
    let mandate = world.ask_mandate(&token, &wallet).await;
    let (browser, thief) = (Browser::new(&world), Browser::new(&world));
    browser.log_in("sakura", &mandate).await;
    thief.log_in("mallory", "none").await;
    let link = format!("/link/{mandate}");
    let good = browser.token(&link).await;
    assert_eq!(thief.get(&link).await.status, 404, "another person's link shows nothing");
    let of_login = hidden(&thief.get("/login").await.text);
    for (path, csrf) in [(link.as_str(), ""), (&link, "x"), (&link, &of_login), ("/logout", &good), ("/logout", "")] {
        let answer = form(&world, path, &cookies(&browser), None, &[("csrf", csrf)]).await;
        assert_eq!(answer.status, 403, "{path} {csrf}: {}", answer.text);
    }
    for (path, fields) in [(link.as_str(), &[][..]), ("/logout", &[("other", "x")])] {
        assert_eq!(form(&world, path, &cookies(&browser), None, fields).await.status, 400, "{path}");
    }
    let theirs = form(&world, &link, &cookies(&thief), None, &[("csrf", &good)]).await;
    assert_eq!(theirs.status, 404, "nor with the token of whom it belongs to");
    let cross = form(&world, &link, &cookies(&browser), Some("cross-site"), &[("csrf", &good)]).await;
    assert_eq!(cross.status, 403);
    let shown = world.get(&format!("{wallet}/mandates/{mandate}"), Some(&token)).await;
    assert_eq!(shown.text("status"), "requested", "nothing of that began anything");
    assert_eq!(world.get("/v1/sessions", Some(&session(&browser))).await.status, 200, "nor ended the session");
    assert_eq!(form(&world, &link, &cookies(&browser), Some("same-origin"), &[("csrf", &good)]).await.status, 303);
}

#[tokio::test]
async fn a_cookie_changes_nothing_without_a_word_of_where_it_comes_from() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let browser = Browser::new(&world);
    browser.log_in("sakura", "none").await;
    let freeze = async |origin: Option<&str>, cookies: &str| {
        let mut request = Request::post(format!("{ORIGIN}{wallet}/freeze"))
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", world.key())
            .header(header::COOKIE, cookies);
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        world.send(request.body(Bytes::from("{}")).expect("a request")).await
    };
    let own = cookies(&browser);
    for origin in [
        None,
        Some("null"),
        Some("http://evil.example"),
        Some("http://gateway.localhost:8080"),
        Some("http://localhost:8081"),
    ] {
        assert_eq!(freeze(origin, &own).await.problem(), (403, "foreign-origin"), "{origin:?}");
    }
    let doubled = format!("session={}; session={}", session(&browser), session(&browser));
    assert_eq!(freeze(Some(ORIGIN), &doubled).await.problem(), (401, "unauthenticated"), "two cookies are none");
    assert_eq!(world.get(&wallet, Some(&token)).await.text("status"), "open");
    assert_eq!(freeze(Some(ORIGIN), &own).await.status, 200);
}
