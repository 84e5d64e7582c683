//! Who wants to take over a wallet: by its address, by its password, by a device.

use super::world::{ORIGIN, World, mail, password};
use crate::sessions::{SESSIONS_MAX, Session};
use engine::Clock;
use serde_json::{Value, json};
use web::jose::{SigningKey, dpop};

#[tokio::test]
async fn an_address_changes_with_a_proof_and_both_are_told() {
    let world = World::new();
    let (token, _) = world.identified("sakura").await;
    let id = world.get("/v1/sessions", Some(&token)).await;
    assert_eq!(id.status, 200);
    let holder =
        world.post("/v1/sessions", None, json!({ "email": mail("sakura"), "password": password("sakura") })).await;
    let path = format!("/v1/holders/{}/contact-changes", holder.text("holder_id"));
    let ask = json!({ "email": "new@example.jp" });
    let asked = world.post(&path, Some(&token), ask.clone()).await;
    assert_eq!(asked.problem(), (403, "step-up-required"), "{}", asked.text);
    let challenge = asked.text("challenge_id");
    world.post(&format!("/v1/challenges/{challenge}"), Some(&token), json!({})).await;
    let elsewhere = json!({ "email": "thief@example.jp", "challenge_id": challenge });
    assert_eq!(world.post(&path, Some(&token), elsewhere).await.problem(), (403, "challenge-refused"));
    let with = json!({ "email": "new@example.jp", "challenge_id": challenge });
    assert_eq!(world.post(&path, Some(&token), with).await.status, 202);
    world.letters().await;
    let code = json!({ "code": world.inbox.code("new@example.jp") });
    assert_eq!(world.post(&format!("{path}/confirm"), Some(&token), code).await.status, 204);
    world.run_due().await;
    for sentence in ["A change of your address was asked for.", "This address is no longer used for a wallet."] {
        let told = world.inbox.texts(&mail("sakura")).join("\n") + &world.inbox.texts("new@example.jp").join("\n");
        assert!(told.contains(sentence), "{sentence} in {told}");
    }
    let log_in = |email: String| json!({ "email": email, "password": password("sakura") });
    assert_eq!(world.post("/v1/sessions", None, log_in(mail("sakura"))).await.status, 401);
    assert_eq!(world.post("/v1/sessions", None, log_in("new@example.jp".into())).await.status, 201);
}

#[tokio::test]
async fn a_lost_password_is_set_anew_by_the_address_and_the_vendor_alone() {
    let world = World::new();
    let (token, _) = world.identified("sakura").await;
    let asked = world.post("/v1/recoveries", None, json!({ "email": mail("sakura") })).await;
    let nobody = world.post("/v1/recoveries", None, json!({ "email": "nobody@example.jp" })).await;
    assert_eq!((asked.status, nobody.status), (http::StatusCode::ACCEPTED, http::StatusCode::ACCEPTED));
    world.run_due().await;
    assert!(world.inbox.texts("nobody@example.jp").is_empty());
    let path = format!("/v1/recoveries/{}", asked.text("id"));
    let new = |code: &str| json!({ "code": code, "password": "新しい合言葉 99" });
    assert_eq!(world.post(&path, None, new("12345678")).await.problem(), (422, "code-refused"));
    let code = world.inbox.code(&mail("sakura"));
    let of_nobody = format!("/v1/recoveries/{}", nobody.text("id"));
    assert_eq!(world.post(&of_nobody, None, new(&code)).await.problem(), (422, "code-refused"));

    world.vendor.says("pending");
    let waits = world.post(&path, None, new(&code)).await;
    assert_eq!((waits.status.as_u16(), waits.text("status").as_str()), (202, "identity_pending"), "{}", waits.text);
    let session = |password: &str| json!({ "email": mail("sakura"), "password": password });
    assert_eq!(world.post("/v1/sessions", None, session("新しい合言葉 99")).await.status, 401, "not yet");
    world.vendor.says("approved");
    let set = world.post(&path, None, new(&code)).await;
    assert_eq!(set.status, 204, "{}", set.text);
    assert_eq!(world.get("/v1/sessions", Some(&token)).await.status, 401, "every session is over");
    assert_eq!(world.post("/v1/sessions", None, session(&password("sakura"))).await.status, 401);
    assert_eq!(world.post("/v1/sessions", None, session("新しい合言葉 99")).await.status, 201);
    assert_eq!(world.post(&path, None, new(&code)).await.problem(), (422, "code-refused"), "once");
    world.run_due().await;
    assert!(world.inbox.texts(&mail("sakura")).iter().any(|text| text.contains("Your password was changed")));
}

#[tokio::test]
async fn a_recovery_ends_every_session_and_whoever_logs_in_again_and_again_ends_the_oldest() {
    let world = World::new();
    world.join("sakura").await;
    let service = world.server.service();
    let first = world.log_in("sakura").await;
    let mut tokens = Vec::new();
    for _ in 0..SESSIONS_MAX {
        world.advance(1);
        tokens.push(world.log_in("sakura").await);
    }
    assert_eq!(world.get("/v1/sessions", Some(&first)).await.status, 401, "the oldest has ended");
    let listed = world.get("/v1/sessions?limit=100", Some(&tokens[0])).await;
    assert_eq!(listed.body["data"].as_array().map(Vec::len), Some(SESSIONS_MAX), "none is out of sight");
    // More than there may be, as a file from before the bound may have them.
    let session = service.session(&tokens[0]).expect("the doors open").expect("a session");
    service
        .doors
        .change(|doors| {
            (0..1_200).try_for_each(|_| {
                let (token, name) = (service.id(), service.id());
                doors.put(&Session { token, name, ..(*session).clone() })
            })
        })
        .expect("they are kept");
    let asked = world.post("/v1/recoveries", None, json!({ "email": mail("sakura") })).await;
    world.letters().await;
    let old = world.credential("sakura").await;
    let new = json!({ "code": world.inbox.code(&mail("sakura")), "password": "新しい合言葉 99" });
    let set = world.post(&format!("/v1/recoveries/{}", asked.text("id")), None, new).await;
    assert_eq!(set.status, 204, "{}", set.text);
    assert_eq!(service.doors.count::<Session>(), Ok(0));
    for token in &tokens {
        assert_eq!(world.get("/v1/sessions", Some(token)).await.status, 401);
    }
    let late = service.open_session(&old, false, None).map(drop);
    let refused = late.expect_err("the password was looked at before it was changed");
    assert_eq!(refused.name(), "log-in-refused");
}

#[tokio::test]
async fn a_device_is_known_by_its_key_and_a_proof_is_used_once() {
    let world = World::new();
    world.join("sakura").await;
    let key = SigningKey::eddsa(&[9; 32]);
    let prove = |url: &str, jti: &str| {
        let call = dpop::Call { method: "POST", url, access_token: None };
        dpop::prove(&key, call, world.clock.now(), jti, None)
    };
    let log_in = |proof: String| -> Value {
        json!({ "email": mail("sakura"), "password": password("sakura"), "device": { "proof": proof } })
    };
    let good = prove(&format!("{ORIGIN}/v1/sessions"), "one");
    assert_eq!(world.post("/v1/sessions", None, log_in(good.clone())).await.status, 201);
    for wrong in [good, prove("http://elsewhere.example/v1/sessions", "two"), "nonsense".into()] {
        assert_eq!(world.post("/v1/sessions", None, log_in(wrong)).await.problem(), (401, "device-refused"));
    }
    world.run_due().await;
    assert!(
        world.inbox.texts(&mail("sakura")).iter().any(|text| text.contains("Somebody logged in from a new device."))
    );
}

#[tokio::test]
async fn who_has_the_password_and_repeats_what_the_holder_asked_for_has_no_known_device() {
    let world = World::new();
    let id = world.join("sakura").await;
    let own = world.log_in("sakura").await;
    let (identify, open) = (world.key(), world.key());
    let identifications = format!("/v1/holders/{id}/identifications");
    let method = json!({ "method": "chip_and_face" });
    world.post_with(&identifications, Some(&own), &identify, &method).await;
    let wallet = world.post_with("/v1/wallets", Some(&own), &open, &json!({})).await;
    assert_eq!(wallet.status, 201, "{}", wallet.text);
    world.advance(1_000);
    let thief = world.log_in("sakura").await;
    let again = world.post_with(&identifications, Some(&thief), &identify, &method).await;
    assert_eq!(again.problem(), (403, "step-up-required"), "{}", again.text);
    let again = world.post_with("/v1/wallets", Some(&thief), &open, &json!({})).await;
    assert_eq!(again.text("id"), wallet.text("id"));
    let (shop, _) = world.shop("Soba").await;
    let pay = json!({ "shop_id": shop.to_string(), "amount": 100 });
    let path = format!("/v1/wallets/{}/payments", wallet.text("id"));
    let tried = world.post(&path, Some(&thief), pay.clone()).await;
    assert_eq!(
        tried.problem(),
        (403, "step-up-required"),
        "the first payment from there takes a proof: {}",
        tried.text
    );
    let own = world.post(&path, Some(&own), pay).await;
    assert_eq!(own.problem(), (422, "insufficient-funds"), "the holder's own device takes none: {}", own.text);
    let listed = world.get("/v1/wallets", Some(&thief)).await;
    assert_eq!(listed.body["data"][0]["id"], wallet.text("id"), "{}", listed.text);
    let shown = world.get(&format!("/v1/holders/{id}"), Some(&thief)).await;
    assert_eq!((shown.text("tier"), shown.text("wallet_id")), ("identified".into(), wallet.text("id")));
}
