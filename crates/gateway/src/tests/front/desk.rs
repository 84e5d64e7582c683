//! The bank's desk: what concerns its own customers, and nobody else's.

use super::link::{granted, status_of};
use super::world::{GATEWAY, World};
use crate::domain::mandate::Status;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

/// A call by the desk with this token.
pub async fn call(world: &World, method: &str, path: &str, token: &str, body: Option<Value>) -> (u16, Value) {
    let request = Request::builder()
        .method(Method::from_bytes(method.as_bytes()).expect("a method"))
        .uri(format!("{GATEWAY}/bank/v1/{path}"))
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json");
    let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
    let answer = world.wallet().call(request.body(body).expect("a request")).await;
    (answer.status.as_u16(), answer.body)
}

async fn mandate(world: &World) -> String {
    let code = granted(world).await;
    let collected = world.wallet().collect(&code).await;
    collected.body["authorization_details"][0]["mandate_id"].as_str().expect("a mandate").to_owned()
}

fn account(number: &str) -> Value {
    json!({"branch": "001", "kind": "ordinary", "number": number})
}

#[tokio::test]
async fn a_bank_sees_and_ends_the_links_of_its_own_customers() {
    let world = World::new().await;
    let mandate = mandate(&world).await;
    let (status, links) = call(&world, "POST", "links/search", "desk-0125", Some(account("1234567"))).await;
    assert_eq!((status, &links["data"][0]["mandate_id"]), (200, &json!(mandate)));
    assert_eq!(links["data"][0]["operator"]["name"], "キンチャク");
    let revocation = Some(json!({"reason": "fraud", "note": "the customer called"}));
    let path = format!("mandates/{mandate}/revoke");
    for (what, token, status) in
        [("no token", "", 401), ("a guess", "guess", 401), ("another bank's", "desk-0009", 404)]
    {
        assert_eq!(call(&world, "POST", &path, token, revocation.clone()).await.0, status, "{what}");
    }
    let (_, other) = call(&world, "POST", "links/search", "desk-0009", Some(account("1234567"))).await;
    assert_eq!(other["data"], json!([]), "the same number at another bank is another account");
    assert_eq!(status_of(&world, &mandate).await, Status::Active);
    let (status, revoked) = call(&world, "POST", &path, "desk-0125", revocation.clone()).await;
    assert_eq!((status, &revoked["status"]), (200, &json!("revoked")));
    assert_eq!(call(&world, "POST", &path, "desk-0125", revocation).await.0, 200, "a second time changes nothing");
    let (_, links) = call(&world, "POST", "links/search", "desk-0125", Some(account("1234567"))).await;
    assert_eq!(links["data"], json!([]));
    for body in [json!({"reason": "boredom"}), json!({}), json!({"reason": "fraud", "extra": 1})] {
        assert_eq!(call(&world, "POST", &path, "desk-0125", Some(body)).await.0, 400);
    }
}

#[tokio::test]
async fn a_bank_confirms_by_its_app_or_by_letter() {
    let world = World::new().await;
    let mandate = mandate(&world).await;
    let confirm = format!("mandates/{mandate}/confirm");
    for (channel, status) in [("pin", 409), ("account", 409), ("telepathy", 400)] {
        let refused =
            call(&world, "POST", &confirm, "desk-0125", Some(json!({ "channel": channel, "reason": "a test" }))).await;
        assert_eq!(refused.0, status, "{channel}: {}", refused.1);
    }
    let (_, letter) = call(&world, "POST", &format!("mandates/{mandate}/letter"), "desk-0125", None).await;
    let number = letter["code"].as_str().expect("a number").to_owned();
    let mut holder = world.browser();
    let page = holder.get("/confirm").await;
    let notice = world.hosted.last_code();
    let typed = [("code", notice.as_str()), ("card_serial", ""), ("letter", number.as_str())];
    assert_eq!(holder.send(&page, "/confirm", &typed).await.status, StatusCode::OK);
    let (status, confirmed) =
        call(&world, "POST", &confirm, "desk-0125", Some(json!({"channel": "bank_app", "reason": "a test"}))).await;
    assert_eq!((status, &confirmed["confirmed_by"]), (200, &json!("letter")), "the first confirmation stays");
}

#[tokio::test]
async fn what_the_desk_asks_for_is_asked_for_on_the_next_form() {
    let world = World::new().await;
    let raised = json!({"sets": [["account", "pin", "birth_date", "sms_code"]]});
    let asked = json!({"sets": raised["sets"], "reason": "a spray is going on"});
    assert_eq!(call(&world, "PUT", "factors", "desk-0125", Some(asked)).await, (200, raised));
    let mut browser = world.browser();
    let form = super::link::to_form(&mut browser, &world.wallet().push("0125").await).await;
    assert!(form.body.contains("name=\"birth_date\"") && !form.body.contains("name=\"name_kana\""), "{}", form.body);
    for sets in [json!([["pin"]]), json!([["account"]]), json!([["account", "shoe_size"]]), json!("none")] {
        assert_eq!(
            call(&world, "PUT", "factors", "desk-0125", Some(json!({ "sets": sets, "reason": "a test" }))).await.0,
            400,
            "{sets}"
        );
    }
    let stopped = Some(json!({"stopped": true, "reason": "a spray is going on"}));
    let static_only = json!({"sets": [["account", "pin"]], "reason": "a test"});
    for (who, status) in [("desk-0125", 202), ("desk-0125", 202), ("desk-0125-2", 200)] {
        assert_eq!(call(&world, "PUT", "factors", who, Some(static_only.clone())).await.0, status, "{who}");
    }
    call(&world, "PUT", "switches/static_factors", "desk-0125", stopped).await;
    let page = browser.get("/link").await;
    assert!(!page.body.contains("name=\"pin\""), "no set is left that may be tried");
}

#[tokio::test]
async fn the_configuration_stands_in_for_no_bank_that_does_not_answer() {
    let world = World::new().await;
    let mut browser = world.browser();
    browser.get(&world.wallet_of(1).await).await;
    let consent = browser.get("/link").await;
    world.hosted.inside().down = true;
    browser.send(&consent, "/link/consent", &[]).await;
    let page = browser.get("/link").await;
    assert!(!page.body.contains("name=\"name_kana\""), "nobody knows what it asks for: {}", page.body);
    // More than the configuration has, and less than the bank asks for.
    let sets = json!({ "sets": [["account", "name_kana", "birth_date"]], "reason": "a test" });
    for _ in 0..2 {
        assert_eq!(
            call(&world, "PUT", "factors", "desk-0125", Some(sets.clone())).await.0,
            202,
            "one person is not enough"
        );
    }
    assert_eq!(call(&world, "PUT", "factors", "desk-0125-2", Some(sets)).await.0, 200);
}

#[tokio::test]
async fn a_stop_and_an_incident_are_told_to_every_bank_and_operator() {
    let world = World::new().await;
    let stop = Some(json!({"stopped": true, "reason": "unusual debits"}));
    let (status, switches) = call(&world, "PUT", "switches/register", "desk-0125", stop).await;
    assert_eq!((status, &switches["data"][0]["stopped"]), (200, &json!(true)));
    assert_eq!(switches["data"][0]["history"][0]["reason"], "unusual debits");
    let wallet = world.wallet();
    let proof = wallet.proof("POST", "/gateway/v1/par", None);
    let refused = wallet.post("/gateway/v1/par", &wallet.asking("0125"), Some(&proof)).await;
    assert_eq!(refused.body["error"], "invalid_authorization_details", "no new mandates at this bank");
    let report = json!({
        "reference": "case-1",
        "factors": ["account", "name_kana", "pin"],
        "from": "2026-11-01T00:00:00+09:00",
        "until": "2026-11-20T00:00:00+09:00",
        "accounts": 3,
        "amount": 900_000,
        "note": "three debits of 100,000 each, the first minutes after the link",
    });
    let (status, first) = call(&world, "POST", "incidents", "desk-0125", Some(report.clone())).await;
    assert_eq!(status, 201, "{first}");
    assert_eq!(
        call(&world, "POST", "incidents", "desk-0125", Some(report.clone())).await,
        (201, first),
        "once is enough"
    );
    let mut changed = report.clone();
    changed["accounts"] = json!(4);
    assert_eq!(call(&world, "POST", "incidents", "desk-0125", Some(changed)).await.0, 409, "another report, same name");
    for token in ["desk-0009", "desk-0001", "desk-0125"] {
        let (_, events) = call(&world, "GET", "events", token, None).await;
        let types: Vec<_> = events["data"].as_array().expect("events").iter().map(|event| &event["type"]).collect();
        assert_eq!(types, ["bank.switch", "bank.incident"], "{token}");
        assert_eq!(events["data"][1]["amount"], 900_000);
        assert_eq!(events["next"], 2);
        let (_, after) = call(&world, "GET", "events?after=1&limit=5", token, None).await;
        assert_eq!(after["data"].as_array().map(Vec::len), Some(1));
    }
    let mut floats = report;
    floats["amount"] = json!(1.5);
    assert_eq!(call(&world, "POST", "incidents", "desk-0125", Some(floats)).await.0, 400);
}

#[tokio::test]
async fn a_person_at_the_bank_decides_on_names_that_are_only_nearly_the_same() {
    let world = World::new().await;
    for (accept, status) in [(true, Status::Active), (false, Status::Refused)] {
        let mut browser = world.browser();
        let form = super::link::to_form(&mut browser, &world.wallet().push("0125").await).await;
        let back = super::link::type_in(&mut browser, &form, &[("number", "2222222")]).await;
        let collected = world.wallet().collect(&back.parameters()["code"]).await;
        let details = &collected.body["authorization_details"][0];
        assert_eq!((&details["status"], &details["grade"]["name"]), (&json!("in_review"), &json!("close")));
        assert!(!collected.body.to_string().contains("ｱｵｷ"), "the operator gets a grade and no name");
        let mandate = details["mandate_id"].as_str().expect("a mandate");
        assert_eq!(call(&world, "GET", "reviews", "desk-0009", None).await.1["data"], json!([]));
        let (_, reviews) = call(&world, "GET", "reviews", "desk-0125", None).await;
        let review = &reviews["data"][0];
        assert_eq!(
            (&review["name_at_bank"], &review["name_at_operator"]),
            (&json!("ｱｵｷ ｻ-ｸﾗ"), &json!("アオキ サクラ"))
        );
        let path = format!("mandates/{mandate}/decide");
        let said = Some(json!({ "accept": accept, "reason": "a test" }));
        assert_eq!(call(&world, "POST", &path, "desk-0009", said.clone()).await.0, 404, "another bank's desk");
        if accept {
            assert_eq!(call(&world, "POST", &path, "desk-0125-2", said.clone()).await.0, 202, "two say that it is one");
            assert_eq!(status_of(&world, mandate).await, Status::InReview);
            let (_, waiting) = call(&world, "GET", "proposals", "desk-0125", None).await;
            let first = &waiting["data"][0];
            assert_eq!((&first["kind"], &first["mandate_id"]), (&json!("accept"), &json!(mandate)), "{waiting}");
            assert_eq!(call(&world, "GET", "proposals", "desk-0009", None).await.1["data"], json!([]));
        }
        assert_eq!(call(&world, "POST", &path, "desk-0125", said.clone()).await.0, 200);
        assert_eq!(status_of(&world, mandate).await, status);
        assert_eq!(call(&world, "GET", "reviews", "desk-0125", None).await.1["data"], json!([]));
        let again = call(&world, "POST", &path, "desk-0125", said).await;
        assert_eq!(again.1["type"], "/problems/wrong-status", "it is decided");
    }
}

#[tokio::test]
async fn a_bank_is_told_at_once_that_its_customer_says_it_was_not_me() {
    let world = World::new().await;
    let mandate = mandate(&world).await;
    let notice = world.hosted.last_code();
    let mut holder = world.browser();
    let page = holder.get("/not-me").await;
    for _ in 0..2 {
        assert_eq!(holder.send(&page, "/not-me", &[("code", notice.as_str())]).await.status, StatusCode::OK);
    }
    let world = world.killed().await;
    for (token, told) in [("desk-0125", 1), ("desk-0009", 0)] {
        let (_, events) = call(&world, "GET", "events", token, None).await;
        assert_eq!(events["data"].as_array().map(Vec::len), Some(told), "{token}: {events}");
    }
    let (_, events) = call(&world, "GET", "events", "desk-0125", None).await;
    let event = &events["data"][0];
    assert_eq!((&event["type"], &event["n"]), (&json!("account.not_me"), &json!(1)));
    assert_eq!((&event["mandate_id"], &event["operator"]["name"]), (&json!(mandate), &json!("キンチャク")));
    assert_eq!(event["account"], json!({"branch": "001", "kind": "ordinary", "masked_number": "****567"}));
    assert!(event["at"].as_str().is_some_and(|at| at.starts_with("2026-11-2")), "{event}");
}
