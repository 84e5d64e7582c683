//! People come in: opening, verifying, logging in; and what they must not learn of one another.

use super::world::{World, mail, password, somebody};
use crate::accounts::Credential;
use crate::api::Recovery;
use crate::contacts::Contact;
use serde_json::{Value, json};

#[tokio::test]
async fn somebody_joins_reads_the_code_and_logs_in() {
    let world = World::new();
    let opened = world.post("/v1/holders", None, somebody("sakura")).await;
    assert_eq!(opened.status, 201, "{}", opened.text);
    world.letters().await;
    let (id, verification) = (opened.text("id"), format!("/v1/holders/{}/email-verification", opened.text("id")));

    let session = json!({ "email": mail("sakura"), "password": password("sakura") });
    let early = world.post("/v1/sessions", None, session.clone()).await;
    assert_eq!(early.problem(), (401, "log-in-refused"), "an address that did not answer opens nothing");

    let (key, code) = (world.key(), json!({ "code": world.inbox.code(&mail("sakura")) }));
    for _ in 0..2 {
        assert_eq!(
            world.post_with(&verification, None, &key, &code).await.status,
            204,
            "a repeat is answered the same"
        );
    }
    assert_eq!(world.post(&verification, None, code).await.problem(), (422, "code-refused"), "a code is used once");

    let opened = world.post("/v1/sessions", None, session).await;
    assert_eq!((opened.status.as_u16(), opened.text("holder_id")), (201, id));
    let token = opened.text("token");
    let listed = world.get("/v1/sessions", Some(&token)).await;
    assert_eq!(listed.body["data"][0]["current"], true, "{}", listed.text);
    assert_eq!(world.delete("/v1/sessions/current", Some(&token)).await.status, 204);
    assert_eq!(world.get("/v1/sessions", Some(&token)).await.problem(), (401, "unauthenticated"));
}

#[tokio::test]
async fn nobody_learns_whether_an_address_has_a_wallet() {
    let world = World::new();
    let id = world.join("sakura").await;
    let (key, again) = (world.key(), somebody("sakura"));
    let first = world.post_with("/v1/holders", None, &key, &again).await;
    let second = world.post_with("/v1/holders", None, &key, &again).await;
    assert_eq!((first.status.as_u16(), first.text("id")), (201, second.text("id")));
    assert_ne!(first.text("id"), id);
    // The books count refusals of a flood and forget them; what was answered is answered again all the same.
    for number in 0..1_100 {
        let mut other = somebody("sakura");
        other["given_name"] = format!("さくら{number}").into();
        world.post("/v1/holders", None, other).await;
    }
    world.advance(60_000);
    let late = world.key();
    let asked = world.post_with("/v1/holders", None, &late, &again).await;
    world.advance(60_000);
    let repeated = world.post_with("/v1/holders", None, &late, &again).await;
    assert_eq!(asked.text("id"), repeated.text("id"));
    world.letters().await;
    let told = world.inbox.texts(&mail("sakura"));
    assert_eq!(told.iter().filter(|text| text.contains("It has one already")).count(), 3, "{told:?}");
    let code = json!({ "code": "00000000" });
    let path = format!("/v1/holders/{}/email-verification", first.text("id"));
    assert_eq!(world.post(&path, None, code).await.problem(), (422, "code-refused"));
    for (email, word) in [(mail("sakura"), "wrong word"), (mail("nobody"), "wrong word")] {
        let session = world.post("/v1/sessions", None, json!({ "email": email, "password": word })).await;
        assert_eq!(session.problem(), (401, "log-in-refused"));
    }
}

#[tokio::test]
async fn a_code_is_worth_nothing_after_ten_wrong_tries_or_an_hour() {
    let world = World::new();
    let opened = world.post("/v1/holders", None, somebody("sakura")).await;
    let path = format!("/v1/holders/{}/email-verification", opened.text("id"));
    world.letters().await;
    let right = json!({ "code": world.inbox.code(&mail("sakura")) });
    for _ in 0..10 {
        assert_eq!(world.post(&path, None, json!({ "code": "1" })).await.status, 422);
    }
    assert_eq!(world.post(&path, None, right).await.problem(), (422, "code-refused"));

    let opened = world.post("/v1/holders", None, somebody("haru")).await;
    let path = format!("/v1/holders/{}/email-verification", opened.text("id"));
    world.letters().await;
    world.advance(60 * 60_000);
    let late = json!({ "code": world.inbox.code(&mail("haru")) });
    assert_eq!(world.post(&path, None, late).await.problem(), (422, "code-refused"));
}

#[tokio::test]
async fn who_never_answers_is_forgotten_after_a_month_and_who_did_is_not() {
    let world = World::new();
    world.join("sakura").await;
    world.post("/v1/holders", None, somebody("haru")).await;
    let asked = world.post("/v1/recoveries", None, json!({ "email": mail("sakura") })).await;
    assert_eq!(asked.status, 202);
    let doors = &world.server.service().doors;
    let left = || {
        let counts = (doors.count::<Credential>(), doors.count::<Contact>(), doors.count::<Recovery>());
        (counts.0.expect("a count"), counts.1.expect("a count"), counts.2.expect("a count"))
    };
    assert_eq!(left(), (2, 2, 1));
    world.advance(29 * 24 * 60 * 60 * 1_000);
    world.run_due().await;
    assert_eq!(left(), (2, 2, 0));
    world.advance(2 * 24 * 60 * 60 * 1_000);
    world.run_due().await;
    assert_eq!(left(), (1, 1, 0));
    assert_eq!(doors.count::<crate::asked::Done>().expect("a count"), 0, "what strangers were answered is gone, too");
    world.log_in("sakura").await;
    world.join("haru").await;
}

#[tokio::test]
async fn what_does_not_fit_is_a_problem_that_repeats_no_value() {
    let world = World::new();
    let with = |member: &str, value: Value| {
        let mut body = somebody("sakura");
        body[member] = value;
        body
    };
    for (body, status, name) in [
        (with("email", json!("sakura")), 400, "malformed"),
        (with("email", json!(5)), 400, "malformed"),
        (with("password", json!("short")), 422, "password-refused"),
        (with("birth_date", json!("1990-13-01")), 400, "malformed"),
        (with("family_kana", json!("Secret-Name")), 400, "malformed"),
        (with("admin", json!(true)), 400, "malformed"),
        (with("phone", json!("Secret-Name")), 400, "malformed"),
    ] {
        let answer = world.post("/v1/holders", None, body).await;
        assert_eq!(answer.problem(), (status, name), "{}", answer.text);
        assert!(!answer.text.contains("Secret-Name"), "{}", answer.text);
    }
    let (key, body) = (world.key(), somebody("haru"));
    assert_eq!(world.post_with("/v1/holders", None, &key, &body).await.status, 201);
    let reused = world.post_with("/v1/holders", None, &key, &somebody("natsu")).await;
    assert_eq!(reused.problem(), (422, "idempotency-key-reused"));
}

#[tokio::test]
async fn the_description_names_every_path_of_people_with_a_shape_of_its_own() {
    let world = World::new();
    let document = world.get("/openapi.json", None).await;
    assert_eq!(document.body["openapi"], "3.1.0");
    for (path, method) in [
        ("/v1/holders", "post"),
        ("/v1/sessions", "get"),
        ("/v1/sessions/{session}", "delete"),
        ("/v1/holders/{holder}/identifications", "post"),
        ("/v1/challenges/{challenge}", "post"),
        ("/v1/recoveries/{recovery}", "post"),
        ("/v1/wallets/{wallet}", "get"),
        ("/v1/wallets/{wallet}/mandates", "post"),
        ("/v1/wallets/{wallet}/bank-accounts", "get"),
        ("/v1/wallets/{wallet}/top-ups", "post"),
        ("/v1/banks", "get"),
    ] {
        assert!(document.body["paths"][path][method].is_object(), "{method} {path}");
    }
    let schemas = &document.body["components"]["schemas"];
    let members = |name: &str| schemas[name]["properties"].clone();
    assert!(
        members("TopUpAsk")["mandate_id"].is_object() && members("MandateAsk")["bank_code"].is_object(),
        "{schemas}"
    );
    assert!(
        members("HolderOpen")["birth_date"].is_object() && members("WalletShown")["balances"].is_object(),
        "{schemas}"
    );
}
