//! Second proofs: bound to one holder and one request, to the byte.

use super::world::{World, mail};
use serde_json::json;

#[tokio::test]
async fn an_unfreeze_takes_the_vendors_second_look() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let frozen = world.post(&format!("{wallet}/freeze"), Some(&token), json!({})).await;
    assert_eq!((frozen.status.as_u16(), frozen.text("status").as_str()), (200, "frozen"));
    let path = format!("{wallet}/unfreeze");
    let asked = world.post(&path, Some(&token), json!({})).await;
    assert_eq!(asked.problem(), (403, "step-up-required"), "{}", asked.text);
    let challenge = asked.text("challenge_id");
    let with = json!({ "challenge_id": challenge });
    let early = world.post(&path, Some(&token), with.clone()).await;
    assert_eq!(early.problem(), (403, "challenge-refused"), "nothing was proven yet");

    world.vendor.says("refused");
    let other = world.post(&path, Some(&token), json!({})).await.text("challenge_id");
    let refused = world.post(&format!("/v1/challenges/{other}"), Some(&token), json!({})).await;
    assert_eq!(refused.text("status"), "refused");
    let used = world.post(&path, Some(&token), json!({ "challenge_id": other })).await;
    assert_eq!(used.problem(), (403, "challenge-refused"));

    world.vendor.says("approved");
    let proven = world.post(&format!("/v1/challenges/{challenge}"), Some(&token), json!({})).await;
    assert_eq!(proven.text("status"), "approved", "{}", proven.text);
    let closure = world.post(&format!("{wallet}/closure"), Some(&token), with.clone()).await;
    assert_eq!(closure.problem(), (403, "challenge-refused"), "it is another request");
    let key = world.key();
    for _ in 0..2 {
        let unfrozen = world.post_with(&path, Some(&token), &key, &with).await;
        assert_eq!((unfrozen.status.as_u16(), unfrozen.text("status").as_str()), (200, "open"), "{}", unfrozen.text);
    }
    let again = world.post(&path, Some(&token), with).await;
    assert_eq!(again.problem(), (403, "challenge-refused"), "it opens one request");
}

#[tokio::test]
async fn who_the_vendor_refuses_again_and_again_is_not_looked_at_for_a_while() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    world.vendor.says("refused");
    let look = async || {
        let asked = world.post(&format!("{wallet}/closure"), Some(&token), json!({})).await;
        let path = format!("/v1/challenges/{}", asked.text("challenge_id"));
        world.post(&path, Some(&token), json!({})).await
    };
    for _ in 0..10 {
        assert_eq!(look().await.body["status"], "refused");
    }
    world.vendor.says("approved");
    assert_eq!(look().await.problem(), (429, "too-many-looks"));
    world.advance(60 * 60 * 1_000);
    assert_eq!(look().await.body["status"], "approved");
}

#[tokio::test]
async fn who_is_not_identified_proves_by_a_code_and_nobody_answers_for_another() {
    let world = World::new();
    world.join("natsu").await;
    let token = world.log_in("natsu").await;
    let wallet = world.post("/v1/wallets", Some(&token), json!({})).await;
    let path = format!("/v1/wallets/{}/closure", wallet.text("id"));
    let challenge = world.post(&path, Some(&token), json!({})).await.text("challenge_id");
    let answers = format!("/v1/challenges/{challenge}");
    let (stranger, _) = world.identified("sakura").await;
    assert_eq!(world.post(&answers, Some(&stranger), json!({})).await.problem(), (404, "not-found"));
    assert_eq!(world.post(&answers, Some(&token), json!({})).await.text("status"), "pending");
    let wrong = world.post(&answers, Some(&token), json!({ "code": "1" })).await;
    assert_eq!(wrong.problem(), (422, "code-refused"));
    let code = json!({ "code": world.inbox.code(&mail("natsu")) });
    assert_eq!(world.post(&answers, Some(&token), code).await.text("status"), "approved");
    let closed = world.post(&path, Some(&token), json!({ "challenge_id": challenge })).await;
    assert_eq!(closed.text("status"), "closed", "{}", closed.text);
}

#[tokio::test]
async fn a_late_word_of_the_vendor_overwrites_no_verdict() {
    let world = World::new();
    let id = world.join("sakura").await;
    let token = world.log_in("sakura").await;
    world.vendor.says("pending");
    let path = format!("/v1/holders/{id}/identifications");
    let asked = world.post(&path, Some(&token), json!({ "method": "chip_and_face" })).await;
    assert_eq!(asked.text("status"), "pending", "{}", asked.text);
    let service = world.server.service();
    let holder: wallet::HolderId = id.parse().expect("an id");
    let before: Vec<crate::identity::Identification> = service.doors.of(holder.0).expect("it is kept");
    world.vendor.says("approved");
    let shown = format!("{path}/{}", asked.text("id"));
    assert_eq!(world.get(&shown, Some(&token)).await.text("status"), "approved");
    for late in ["pending", "refused"] {
        world.vendor.says(late);
        let kept = service.refresh_identification(before[0].clone()).await.expect("it is refreshed");
        assert_eq!(kept.status.name(), "approved");
        assert_eq!(world.get(&shown, Some(&token)).await.text("status"), "approved", "{late}");
    }
}

#[tokio::test]
async fn three_identifications_of_a_holder_wait_for_the_vendor_and_no_more() {
    let world = World::new();
    let id = world.join("sakura").await;
    let token = world.log_in("sakura").await;
    world.vendor.says("pending");
    let path = format!("/v1/holders/{id}/identifications");
    let (key, method) = (world.key(), json!({ "method": "chip_and_face" }));
    for number in 0..5 {
        let asked = world.post(&path, Some(&token), method.clone()).await;
        let expected = if number < 3 { 202 } else { 409 };
        assert_eq!(asked.status.as_u16(), expected, "{}", asked.text);
    }
    let refused = world.post_with(&path, Some(&token), &key, &method).await;
    assert_eq!(refused.problem(), (409, "too-many-pending"));
    world.vendor.says("refused");
    world.advance(60_000);
    world.run_due().await;
    assert_eq!(world.post_with(&path, Some(&token), &key, &method).await.status, 202, "once they are over");
}

#[tokio::test]
async fn however_often_somebody_asks_to_be_identified_the_vendor_is_paid_ten_times_a_day_and_knows_whom_it_found() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let holder = world.get("/v1/wallets", Some(&token)).await;
    assert_eq!(holder.status, 200);
    let session = world.server.service().session(&token).expect("the doors open").expect("a session");
    let path = format!("/v1/holders/{}/identifications", session.holder);
    let method = json!({ "method": "chip_and_face" });
    world.vendor.says("refused");
    for number in 1..15 {
        let asked = world.post(&path, Some(&token), method.clone()).await;
        let expected = if number < 10 { 202 } else { 429 };
        assert_eq!(asked.status.as_u16(), expected, "{number}: {}", asked.text);
    }
    let refused = world.post(&path, Some(&token), method.clone()).await;
    assert_eq!(refused.problem(), (429, "too-many-identifications"));
    assert!(refused.headers.contains_key("retry-after"));
    let asked = world.post(&format!("{wallet}/closure"), Some(&token), json!({})).await;
    assert_eq!(asked.body["way"], "identity_recheck", "the vendor still gives the proofs: {}", asked.text);

    let service = world.server.service();
    world.advance(91 * 24 * 60 * 60 * 1_000);
    world.run_due().await;
    assert_eq!(service.doors.count::<crate::identity::Identification>(), Ok(0), "what is over is forgotten");
    assert!(service.subject_of(session.holder).expect("the doors open").is_some(), "whom it found is not");
}

#[tokio::test]
async fn who_leaves_identifications_undecided_keeps_nobody_waiting_for_the_vendor() {
    let world = World::new();
    world.vendor.says("pending");
    let method = json!({ "method": "chip_and_face" });
    let mut last = (String::new(), String::new());
    for name in ["haru", "natsu", "aki", "sakura"] {
        let holder = world.join(name).await;
        let token = world.log_in(name).await;
        let path = format!("/v1/holders/{holder}/identifications");
        for _ in 0..3 {
            assert_eq!(world.post(&path, Some(&token), method.clone()).await.status, 202);
        }
        last = (format!("/v1/holders/{holder}"), token);
    }
    world.advance(60_000);
    let ran = world.server.run_due(world.now(), 100).await.due;
    assert!(ran.done >= 12, "all are asked for in one step: {ran:?}");
    world.vendor.says("approved");
    world.advance(120_000);
    world.server.run_due(world.now(), 100).await;
    assert_eq!(world.get(&last.0, Some(&last.1)).await.text("tier"), "identified", "in the next one, too");
}
