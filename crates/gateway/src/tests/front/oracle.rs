//! What somebody can learn who does not get in: whole sequences of tries, with the right PIN and with a wrong one, up to the
//! point at which they have to wait.

use super::browser::Shown;
use super::link::{to_form, type_in};
use super::world::World;
use http::StatusCode;
use serde_json::json;

/// Tries of one link, at most.
const TRIES_MAX: usize = 12;
/// Links that are tried one after the other, each for a wallet and from a source of its own.
const LINKS: u8 = 3;

/// What a person sees of one answer.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    status: StatusCode,
    location: Option<String>,
    /// The page, without what is another one for every browser.
    page: String,
}

fn seen(shown: &Shown) -> Seen {
    let mut page = shown.body.clone();
    for action in ["/link/factors", "/link/challenge", "/link/leave", "/link/consent"] {
        if page.contains(&format!("action=\"{action}\"")) {
            page = page.replace(&shown.token(action), "");
        }
    }
    Seen { status: shown.status, location: shown.location.clone(), page }
}

/// Types `pin`, and wrong answers to whatever is asked for then, until nothing goes on any more.
async fn walk(world: &World, pin: &str) -> Vec<Seen> {
    let mut all = Vec::new();
    for number in 1..=LINKS {
        let mut browser = world.browser().at(number);
        let mut shown = to_form(&mut browser, &world.wallet_of(number).await).await;
        for step in 0..TRIES_MAX {
            // The bank asks once more after this answer, and then says no.
            let code = if step % 3 == 1 { "999999" } else { "111111" };
            let answer = if shown.body.contains("action=\"/link/challenge\"") {
                let typed = [("sms_code", code), ("one_time_password", code), ("cell-B2", code)];
                browser.send(&shown, "/link/challenge", &typed).await
            } else if shown.body.contains("action=\"/link/factors\"") {
                type_in(&mut browser, &shown, &[("pin", pin)]).await
            } else {
                break;
            };
            all.push(seen(&answer));
            shown = if answer.status == StatusCode::SEE_OTHER { browser.get("/link").await } else { answer };
        }
    }
    all
}

#[tokio::test]
async fn no_sequence_of_tries_tells_a_right_pin_from_a_wrong_one() {
    for second in ["sms_code", "one_time_password", "random_card", "bank_app"] {
        let mut walks = Vec::new();
        for pin in ["4821", "0000"] {
            let world = World::new().await;
            world.hosted.inside().factors = json!([["account", "name_kana", "pin", second]]);
            walks.push(walk(&world, pin).await);
        }
        let [right, wrong] = walks.as_slice() else { panic!("two walks") };
        assert!(
            second == "bank_app" || right.iter().any(|seen| seen.status == StatusCode::TOO_MANY_REQUESTS),
            "{second}"
        );
        assert_eq!(right.len(), wrong.len(), "{second}");
        for (step, (right, wrong)) in right.iter().zip(wrong).enumerate() {
            assert_eq!(right, wrong, "{second}, step {step}");
        }
    }
}

#[tokio::test]
async fn an_account_whose_holder_said_not_me_tells_no_pin() {
    let mut walks = Vec::new();
    for pin in ["4821", "0000"] {
        let world = World::new().await;
        super::link::granted(&world).await;
        let code = world.hosted.last_code();
        let mut holder = world.browser();
        let page = holder.get("/not-me").await;
        assert_eq!(holder.send(&page, "/not-me", &[("code", &code)]).await.status, StatusCode::OK);
        walks.push(walk(&world, pin).await);
    }
    assert!(walks[0].iter().any(|seen| seen.status == StatusCode::TOO_MANY_REQUESTS), "the right PIN has to wait too");
    assert_eq!(walks[0], walks[1]);
}

#[tokio::test]
async fn an_approval_in_the_banks_app_links_however_often_the_button_was_pressed_before() {
    let world = World::new().await;
    world.hosted.inside().factors = json!([["account", "name_kana", "pin", "bank_app"]]);
    let mut browser = world.browser();
    let form = to_form(&mut browser, &world.wallet_of(1).await).await;
    type_in(&mut browser, &form, &[]).await;
    let mut challenge = browser.get("/link").await;
    for _ in 0..8 {
        challenge = browser.send(&challenge, "/link/challenge", &[]).await;
        assert_eq!(challenge.status, StatusCode::UNPROCESSABLE_ENTITY, "not approved yet");
    }
    world.hosted.inside().approved = true;
    let back = browser.send(&challenge, "/link/challenge", &[]).await;
    assert!(back.parameters().contains_key("code"), "{}", back.body);
}
