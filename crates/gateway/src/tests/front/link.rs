//! A link from the pushed request to the mandate, and everything that ends it on the way.

use super::browser::{Browser, Shown};
use super::world::World;
use crate::domain::MandateId;
use crate::domain::mandate::Status;
use crate::windows::WindowPolicy;
use http::StatusCode;

/// What Sakura types.
const SAKURA_TYPES: [(&str, &str); 5] = [
    ("branch", "００１"),
    ("kind", "ordinary"),
    ("number", "1234567"),
    ("name_kana", "アオキ サクラ"),
    ("pin", "4821"),
];

/// Takes `browser` to the form of the bank.
pub async fn to_form(browser: &mut Browser<'_>, path: &str) -> Shown {
    let opened = browser.get(path).await;
    assert_eq!((opened.status, opened.location.as_deref()), (StatusCode::SEE_OTHER, Some("/link")), "{}", opened.body);
    let consent = browser.get("/link").await;
    assert_eq!(consent.status, StatusCode::OK);
    let consented = browser.send(&consent, "/link/consent", &[]).await;
    assert_eq!(consented.status, StatusCode::SEE_OTHER, "{}", consented.body);
    assert_eq!(consented.location.as_deref(), Some("/link"));
    browser.get("/link").await
}

/// Types `typed`, with `changes`, into the bank's form.
pub async fn type_in(browser: &mut Browser<'_>, form: &Shown, changes: &[(&str, &str)]) -> Shown {
    let typed = SAKURA_TYPES.map(|(name, value)| {
        let other = changes.iter().find(|(changed, _)| *changed == name);
        (name, other.map_or(value, |(_, value)| *value))
    });
    browser.send(form, "/link/factors", &typed).await
}

/// A link that is granted: its code.
pub async fn granted(world: &World) -> String {
    let mut browser = world.browser();
    let form = to_form(&mut browser, &world.wallet().push("0125").await).await;
    let back = type_in(&mut browser, &form, &[]).await;
    assert_eq!(back.status, StatusCode::SEE_OTHER, "{}", back.body);
    back.parameters()["code"].clone()
}

pub async fn status_of(world: &World, mandate: &str) -> Status {
    let id: MandateId = mandate.parse().expect("a mandate id");
    world.gateway.mandate(id).await.expect("an answer").expect("a mandate").status
}

#[tokio::test]
async fn a_link_goes_from_the_pushed_request_to_an_active_mandate() {
    let world = World::new().await;
    let wallet = world.wallet();
    let mut browser = world.browser();
    let opened = browser.get(&wallet.push("0125").await).await;
    assert_eq!((opened.status, opened.location.as_deref()), (StatusCode::SEE_OTHER, Some("/link")));
    let consent = browser.get("/link").await;
    for shown in ["キンチャク", "ア*** サ**", "七十七銀行", "¥100,000", "¥300,000"] {
        assert!(consent.body.contains(shown), "the consent names {shown}");
    }
    assert!(!consent.body.contains("アオキ"), "and shows no whole name");
    assert!(consent.policy.contains("form-action 'self' http://localhost:8080"), "{}", consent.policy);
    browser.send(&consent, "/link/consent", &[]).await;
    let form = browser.get("/link").await;
    let back = type_in(&mut browser, &form, &[]).await;
    assert_eq!(back.status, StatusCode::SEE_OTHER, "{}", back.body);
    let location = back.location.clone().unwrap_or_default();
    assert!(location.starts_with("http://localhost:8080/link/callback?"), "{location}");
    let parameters = back.parameters();
    assert_eq!((parameters["state"].as_str(), parameters["iss"].as_str()), ("a-state", super::world::GATEWAY));
    {
        let inside = world.hosted.inside();
        assert_eq!(inside.notices.len(), 1, "the true holder was told before the grant");
        assert!(!inside.notices[0].to_string().contains("http"), "and no link was sent: {}", inside.notices[0]);
    }
    let collected = wallet.collect(&parameters["code"]).await;
    assert_eq!(collected.status, StatusCode::OK, "{:?}", collected.body);
    let details = &collected.body["authorization_details"][0];
    assert_eq!(details["status"], "active");
    assert_eq!(details["masked_number"], "****567");
    assert_eq!(details["grade"]["name"], "match");
    assert_eq!(details["grade"]["factors"], serde_json::json!(["account", "name_kana", "pin"]));
    assert!(!collected.body.to_string().contains("ｱｵｷ"), "the bank's own name stays with the gateway");
    let mandate = details["mandate_id"].as_str().expect("a mandate");
    assert_eq!(status_of(&world, mandate).await, Status::Active);
    assert_eq!(browser.get("/link").await.status, StatusCode::BAD_REQUEST, "the browser is done");
}

#[tokio::test]
async fn a_wrong_pin_an_unknown_account_and_another_persons_account_look_the_same() {
    let world = World::new().await;
    let mut pages = Vec::new();
    for (what, changes) in [
        ("a wrong PIN", vec![("pin", "0000")]),
        ("an account that does not exist", vec![("number", "9999999")]),
        ("another person's account", vec![("number", "7654321"), ("pin", "1234"), ("name_kana", "ヤマダ タロウ")]),
        ("an account whose bank knows no contact", vec![("number", "1111111")]),
    ] {
        let mut browser = world.browser();
        let form = to_form(&mut browser, &world.wallet().push("0125").await).await;
        let shown = type_in(&mut browser, &form, &changes).await;
        assert_eq!(shown.status, StatusCode::UNPROCESSABLE_ENTITY, "{what}");
        let token = shown.token("/link/factors");
        let leave = shown.token("/link/leave");
        pages.push((what, shown.body.replace(&token, "").replace(&leave, "")));
    }
    for (what, page) in &pages {
        assert_eq!(page, &pages[0].1, "{what} looks like a wrong PIN");
        for typed in ["4821", "0000", "1234567", "7654321", "アオキ"] {
            assert!(!page.contains(typed), "{what}: the page repeats what was typed");
        }
    }
    world.settle().await;
    let inside = world.hosted.inside();
    let told: Vec<&str> = inside.notices.iter().filter_map(|notice| notice["account"]["number"].as_str()).collect();
    assert_eq!(told, ["7654321", "1111111"], "whose PIN was right is told at once, others are not");
}

#[tokio::test]
async fn three_attempts_end_a_link() {
    let world = World::new().await;
    let mut browser = world.browser();
    let mut page = to_form(&mut browser, &world.wallet().push("0125").await).await;
    for _ in 0..2 {
        page = type_in(&mut browser, &page, &[("pin", "0000")]).await;
    }
    let last = type_in(&mut browser, &page, &[("pin", "0000")]).await;
    assert!(!last.body.contains("name=\"pin\""), "there is no form any more");
    let right = type_in(&mut browser, &page, &[]).await;
    assert_eq!(right.location.as_deref(), Some("/link"), "and the right PIN comes too late");
    assert_eq!(world.hosted.inside().attempts.len(), 3);
    let left = browser.send(&last, "/link/leave", &[]).await;
    assert_eq!(left.parameters()["error"], "access_denied");
    assert_eq!(left.parameters()["iss"], super::world::GATEWAY);
}

#[tokio::test]
async fn a_form_that_is_not_ours_or_not_this_browsers_is_refused() {
    let world = World::new().await;
    let mut browser = world.browser();
    let form = to_form(&mut browser, &world.wallet().push("0125").await).await;
    let mut second = world.browser();
    let other_form = to_form(&mut second, &world.wallet().push("0125").await).await;
    let without = browser.post("/link/factors", "branch=001&kind=ordinary&number=1234567&pin=4821".to_owned()).await;
    assert_eq!(without.status, StatusCode::FORBIDDEN, "no token");
    let crossed = type_in(&mut browser, &other_form, &[]).await;
    assert_eq!(crossed.status, StatusCode::FORBIDDEN, "the token of another browser's form");
    let mut nobody = world.browser();
    assert_eq!(type_in(&mut nobody, &form, &[]).await.status, StatusCode::BAD_REQUEST, "a browser without a link");
    assert_eq!(world.hosted.inside().attempts.len(), 0, "the bank was never asked");
    assert_eq!(type_in(&mut browser, &form, &[]).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_second_step_goes_on_without_the_first_ones_secrets() {
    let world = World::new().await;
    world.hosted.inside().factors = serde_json::json!([["account", "name_kana", "pin", "sms_code"]]);
    for (pin, code, granted) in [("4821", "246810", true), ("4821", "111111", false), ("0000", "246810", false)] {
        let mut browser = world.browser();
        let form = to_form(&mut browser, &world.wallet().push("0125").await).await;
        let step = type_in(&mut browser, &form, &[("pin", pin)]).await;
        assert_eq!(step.location.as_deref(), Some("/link"), "right or wrong, the second step comes: {pin}");
        let challenge = browser.get("/link").await;
        assert!(challenge.body.contains("090-****-1234"), "the page shows the bank's hint");
        let done = browser.send(&challenge, "/link/challenge", &[("sms_code", code)]).await;
        let expected = if granted { StatusCode::SEE_OTHER } else { StatusCode::UNPROCESSABLE_ENTITY };
        assert_eq!(done.status, expected, "{pin} {code}");
        let inside = world.hosted.inside();
        let second = inside.attempts.last().expect("an attempt");
        assert_eq!(second["factors"], serde_json::json!({ "sms_code": code }), "the PIN is not sent twice");
        assert_eq!(second["attempt"], inside.attempts[inside.attempts.len() - 2]["attempt"]);
    }
}

#[tokio::test]
async fn whoever_has_a_pin_guesses_no_codes() {
    let world = World::new().await;
    world.hosted.inside().factors = serde_json::json!([["account", "name_kana", "pin", "sms_code"]]);
    let mut browser = world.browser();
    let form = to_form(&mut browser, &world.wallet().push("0125").await).await;
    type_in(&mut browser, &form, &[]).await;
    let mut challenge = browser.get("/link").await;
    let failures_max = WindowPolicy::default().account_failures_max;
    for _ in 0..failures_max {
        challenge = browser.send(&challenge, "/link/challenge", &[("sms_code", "999999")]).await;
        assert_eq!(challenge.status, StatusCode::UNPROCESSABLE_ENTITY, "the bank asks again");
    }
    let asked = world.hosted.inside().attempts.len();
    let late = browser.send(&challenge, "/link/challenge", &[("sms_code", "246810")]).await;
    assert_eq!(late.status, StatusCode::TOO_MANY_REQUESTS, "also the right code comes too late");
    assert_eq!(world.hosted.inside().attempts.len(), asked, "the bank is not asked");
}

#[tokio::test]
async fn one_notice_says_what_one_attempt_came_to() {
    // What is typed as the second step, how long it takes, and what the true holder is told, in order.
    for (code, seconds, told) in [
        (Some("246810"), 4, vec!["Both your PIN"]),
        (Some("111111"), 4, vec!["knew your PIN"]),
        (None, 4, vec![]),
        (None, 5, vec!["knew your PIN"]),
        (Some("246810"), 90, vec!["knew your PIN", "is about to be linked"]),
    ] {
        let world = World::new().await;
        world.hosted.inside().factors = serde_json::json!([["account", "name_kana", "pin", "sms_code"]]);
        let mut browser = world.browser();
        let form = to_form(&mut browser, &world.wallet().push("0125").await).await;
        type_in(&mut browser, &form, &[]).await;
        world.settle().await;
        let challenge = browser.get("/link").await;
        world.clock.advance(seconds * 1_000);
        world.settle().await;
        if let Some(code) = code {
            browser.send(&challenge, "/link/challenge", &[("sms_code", code)]).await;
        }
        world.settle().await;
        let inside = world.hosted.inside();
        let texts: Vec<&str> = inside.notices.iter().filter_map(|notice| notice["text"]["en"].as_str()).collect();
        assert_eq!(texts.len(), told.len(), "{code:?} after {seconds} s: {texts:?}");
        assert!(
            texts.iter().zip(&told).all(|(text, part)| text.contains(part)),
            "{code:?} after {seconds} s: {texts:?}"
        );
    }
}

#[tokio::test]
async fn who_is_not_told_is_not_linked() {
    let world = World::new().await;
    let mut browser = world.browser();
    let form = to_form(&mut browser, &world.wallet().push("0125").await).await;
    world.hosted.inside().down = true;
    assert_eq!(type_in(&mut browser, &form, &[]).await.status, StatusCode::SERVICE_UNAVAILABLE, "the bank is down");
    world.hosted.inside().down = false;
    world.hosted.inside().mute = true;
    let refused = type_in(&mut browser, &form, &[]).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "the bank knows its customer and tells nobody");
    world.hosted.inside().mute = false;
    assert_eq!(type_in(&mut browser, &form, &[]).await.status, StatusCode::SEE_OTHER, "and nothing was lost by it");
}

#[tokio::test]
async fn plain_failures_are_told_once_and_later() {
    let world = World::new().await;
    let mut browser = world.browser();
    let mut page = to_form(&mut browser, &world.wallet().push("0125").await).await;
    for _ in 0..2 {
        page = type_in(&mut browser, &page, &[("pin", "0000")]).await;
    }
    world.settle().await;
    assert_eq!(world.hosted.inside().notices.len(), 0, "a spray is no bomb");
    world.clock.advance(600_000);
    world.settle().await;
    assert_eq!(world.hosted.inside().notices.len(), 1);
    let mut browser = world.browser();
    let page = to_form(&mut browser, &world.wallet().push("0125").await).await;
    type_in(&mut browser, &page, &[("pin", "0000")]).await;
    world.clock.advance(600_000);
    world.settle().await;
    assert_eq!(world.hosted.inside().notices.len(), 1, "one a day");
}

#[tokio::test]
async fn not_me_revokes_by_a_typed_code_and_never_by_a_fetch() {
    let world = World::new().await;
    let code = granted(&world).await;
    let collected = world.wallet().collect(&code).await;
    let mandate = collected.body["authorization_details"][0]["mandate_id"].as_str().expect("a mandate").to_owned();
    let typed = world.hosted.last_code();
    let mut holder = world.browser();
    let page = holder.get(&format!("/not-me?code={typed}")).await;
    assert_eq!(status_of(&world, &mandate).await, Status::Active, "a fetch does nothing");
    for _ in 0..10 {
        let wrong = holder.send(&page, "/not-me", &[("code", "0000-0000-0000-0000")]).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let limited = holder.send(&page, "/not-me", &[("code", "1")]).await;
    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS, "codes are not to be guessed");
    assert_eq!(holder.post("/not-me", format!("code={typed}")).await.status, StatusCode::FORBIDDEN, "without a token");
    let done = holder.send(&page, "/not-me", &[("code", &typed)]).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    assert!(done.body.contains("Every link of wallets to your account is revoked"), "{}", done.body);
    assert_eq!(status_of(&world, &mandate).await, Status::Revoked, "whoever typed wrong ones at that address");
}

#[tokio::test]
async fn the_number_of_a_letter_is_guessed_from_nowhere() {
    let world = World::new().await;
    let code = granted(&world).await;
    world.wallet().collect(&code).await;
    let notice = world.hosted.last_code();
    for place in 1..=11 {
        let mut browser = world.browser().at(place);
        let page = browser.get("/confirm").await;
        let typed = [("code", notice.as_str()), ("card_serial", ""), ("letter", "123456789012")];
        let is_last = place == 11;
        let expected = if is_last { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::UNPROCESSABLE_ENTITY };
        assert_eq!(browser.send(&page, "/confirm", &typed).await.status, expected, "{place}");
    }
}

#[tokio::test]
async fn the_true_holder_confirms_by_another_channel() {
    let world = World::new().await;
    let code = granted(&world).await;
    let collected = world.wallet().collect(&code).await;
    let mandate = collected.body["authorization_details"][0]["mandate_id"].as_str().expect("a mandate").to_owned();
    let is_confirmed = async || {
        let id: MandateId = mandate.parse().expect("an id");
        world.gateway.mandate(id).await.expect("an answer").expect("a mandate").is_confirmed()
    };
    let notice = world.hosted.last_code();
    let mut holder = world.browser();
    let page = holder.get("/confirm").await;
    for (code, serial, letter) in [
        (notice.as_str(), "WRONG", ""),
        ("0000", "SERIAL-1", ""),
        (notice.as_str(), "", "123456789012"),
        (notice.as_str(), "", ""),
    ] {
        let typed = [("code", code), ("card_serial", serial), ("letter", letter)];
        let refused = holder.send(&page, "/confirm", &typed).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{typed:?}");
    }
    assert!(!is_confirmed().await);
    let typed = [("code", notice.as_str()), ("card_serial", "SERIAL-1"), ("letter", "")];
    assert_eq!(holder.send(&page, "/confirm", &typed).await.status, StatusCode::OK);
    assert!(is_confirmed().await);
}

#[tokio::test]
async fn whoever_guesses_the_number_of_a_card_is_stopped_wherever_they_are_and_its_holder_hears_of_it() {
    let world = World::new().await;
    let code = granted(&world).await;
    world.wallet().collect(&code).await;
    world.settle().await;
    let (notice, told) = (world.hosted.last_code(), world.hosted.inside().notices.len());
    let guess = async |place: u8, serial: &str| {
        let mut browser = world.browser().at(place);
        let page = browser.get("/confirm").await;
        let typed = [("code", notice.as_str()), ("card_serial", serial), ("letter", "")];
        browser.send(&page, "/confirm", &typed).await.status
    };
    for place in 1..=5 {
        assert_eq!(guess(place, "WRONG").await, StatusCode::UNPROCESSABLE_ENTITY, "{place}");
    }
    let asked = world.hosted.inside().attempts.len();
    // From a place where nobody was before: the account has been tried too often, and the bank is not asked.
    assert_eq!(guess(6, "WRONG").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(guess(7, "SERIAL-1").await, StatusCode::TOO_MANY_REQUESTS, "nor would the right one help");
    assert_eq!(world.hosted.inside().attempts.len(), asked);
    world.clock.advance(11 * 60_000);
    world.settle().await;
    assert_eq!(world.hosted.inside().notices.len(), told + 1, "the true holder hears that somebody tried");
    // What was tried counts for two windows at most.
    world.clock.advance(2 * 3_600_000);
    assert_eq!(guess(8, "SERIAL-1").await, StatusCode::OK);
}

/// Takes `browser` out to the page of 三井住友銀行: the address there.
async fn to_bank(browser: &mut Browser<'_>, world: &World) -> String {
    browser.get(&world.wallet().push("0009").await).await;
    let consent = browser.get("/link").await;
    assert!(consent.policy.contains("http://bank-0009.localhost:8080"), "{}", consent.policy);
    let out = browser.send(&consent, "/link/consent", &[]).await;
    assert_eq!(out.status, StatusCode::SEE_OTHER, "{}", out.body);
    out.location.expect("an address")
}

#[tokio::test]
async fn a_bank_with_its_own_page_grants_on_its_word() {
    let world = World::new().await;
    let mut browser = world.browser();
    let out = to_bank(&mut browser, &world).await;
    assert!(out.starts_with("http://bank-0009.localhost:8080/authorize?client_id=gateway&request_uri="), "{out}");
    let back = world.own.authenticate_on_page(&out, "1234567");
    let granted = browser.get(&back).await;
    let collected = world.wallet().collect(&granted.parameters()["code"]).await;
    let details = &collected.body["authorization_details"][0];
    assert_eq!((&details["status"], &details["bank_code"]), (&"active".into(), &"0009".into()));
    assert_eq!(details["grade"]["factors_strong"], true);
    assert_eq!(browser.get(&back).await.status, StatusCode::BAD_REQUEST, "the way back is for one time");
}

#[tokio::test]
async fn what_comes_back_from_the_wrong_place_grants_nothing() {
    let world = World::new().await;
    for what in ["second browser", "state", "issuer", "no issuer", "another bank's address", "another bank's code"] {
        let mut browser = world.browser();
        let mut second = world.browser();
        let out = to_bank(&mut browser, &world).await;
        let back = world.own.authenticate_on_page(&out, "1234567");
        let iss = "iss=http%3A%2F%2Fbank-0009.localhost%3A8080";
        let shown = match what {
            "second browser" => second.get(&back).await,
            "state" => browser.get(&back.replace("state=", "state=x")).await,
            "issuer" => browser.get(&back.replace("iss=http%3A%2F%2Fbank-0009", "iss=http%3A%2F%2Fbank-0001")).await,
            "no issuer" => browser.get(&back.replace(&format!("&{iss}"), "")).await,
            "another bank's address" => browser.get(&back.replace("/bank-return/0009", "/bank-return/0001")).await,
            _ => browser.get(&back.replace("code=code-0009", "code=code-0001")).await,
        };
        assert!(shown.status.is_client_error(), "{what}: {}", shown.status);
        assert!(shown.location.is_none(), "{what}: no code goes anywhere");
        let honest = browser.get(&back).await;
        let still_good = what == "second browser" || what == "state";
        assert_eq!(
            honest.status == StatusCode::SEE_OTHER,
            still_good,
            "{what}: only a stranger's noise leaves it open"
        );
    }
    assert_eq!(world.own.inside().notices.len(), 2);
}

#[tokio::test]
async fn another_persons_account_on_the_banks_page_is_not_linked() {
    let world = World::new().await;
    let mut browser = world.browser();
    let out = to_bank(&mut browser, &world).await;
    let back = world.own.authenticate_on_page(&out, "7654321");
    let shown = browser.get(&back).await;
    assert_eq!(shown.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!shown.body.contains("name=\"pin\""), "what belongs on the bank's page is never asked for on ours");
    world.settle().await;
    assert_eq!(world.own.inside().notices.len(), 1, "and its holder is told");
}

#[tokio::test]
async fn leaving_takes_the_browser_back_and_ends_the_link() {
    let world = World::new().await;
    let mut browser = world.browser();
    browser.get(&world.wallet().push("0125").await).await;
    let consent = browser.get("/link").await;
    let left = browser.send(&consent, "/link/leave", &[]).await;
    assert_eq!(left.status, StatusCode::SEE_OTHER);
    let parameters = left.parameters();
    assert_eq!((parameters["error"].as_str(), parameters["state"].as_str()), ("access_denied", "a-state"));
    assert_eq!(browser.get("/link").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn one_pin_tried_on_many_accounts_is_seen_before_it_fits() {
    let world = World::new().await;
    let attempt = async |source: u8, number: &str, pin: &str| {
        let mut browser = world.browser().at(source);
        let form = to_form(&mut browser, &world.wallet_of(source).await).await;
        type_in(&mut browser, &form, &[("number", number), ("pin", pin), ("name_kana", "ヤマダ タロウ")]).await
    };
    for source in 1..=8 {
        let failed = attempt(source, &format!("{source}000000"), "1234").await;
        assert_eq!(failed.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let asked = world.hosted.inside().attempts.len();
    let right = attempt(9, "7654321", "1234").await;
    assert!(!right.body.contains("name=\"pin\""), "the bank has no stronger factor: the link ends");
    assert_eq!(world.hosted.inside().attempts.len(), asked, "and the bank is not asked, though the PIN is right");
    world.settle().await;
    let sakura = attempt(10, "1234567", "4821").await;
    assert_eq!(sakura.status, StatusCode::SEE_OTHER, "whoever has another PIN goes on: {}", sakura.body);
}

#[tokio::test]
async fn a_factor_that_the_bank_did_not_ask_for_counts_for_nothing() {
    let world = World::new().await;
    let mut browser = world.browser();
    let form = to_form(&mut browser, &world.wallet().push("0125").await).await;
    let mut typed = SAKURA_TYPES.to_vec();
    typed.extend([("card_serial", "anything"), ("balance", "1"), ("one_time_password", "1")]);
    let back = browser.send(&form, "/link/factors", &typed).await;
    let collected = world.wallet().collect(&back.parameters()["code"]).await;
    let factors = &collected.body["authorization_details"][0]["grade"]["factors"];
    assert_eq!(*factors, serde_json::json!(["account", "name_kana", "pin"]));
    assert_eq!(world.hosted.inside().attempts[0]["factors"].as_object().map(serde_json::Map::len), Some(2));
}
