//! The desk, at its own host, under names: it stops, freezes and decides, and sees the day's figures.

use super::world::{Answer, World};
use crate::shops::{ShopName, ShopToken};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use wallet::guard::{Attempt, Verdict};
use wallet::{Context, ShopId};

const DESK: &str = "http://desk.localhost:8080/desk/v1";

/// Somebody of the desk asks.
pub async fn call(world: &World, method: &str, path: &str, staff: &str, body: Option<Value>) -> Answer {
    call_with(world, method, path, staff, &world.key(), body).await
}

/// The same under `key`.
pub async fn call_with(world: &World, method: &str, path: &str, staff: &str, key: &str, body: Option<Value>) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(format!("{DESK}{path}"))
        .header("content-type", "application/json")
        .header("idempotency-key", key)
        .header("authorization", format!("Bearer {staff}"));
    world.send(request.body(body.map_or_else(Bytes::new, |body| body.to_string().into())).expect("a request")).await
}

#[tokio::test]
async fn a_switch_stops_a_function_for_everyone_who_reads_why() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let mandate = world.link("sakura", &token, &wallet).await;
    let stop = json!({ "function": "top_up", "bank_code": "0125", "reason": "不正な登録の調査中" });
    for stranger in ["desk-9", token.as_str()] {
        assert_eq!(
            call(&world, "POST", "/switches", stranger, Some(stop.clone())).await.problem(),
            (401, "unauthenticated")
        );
    }
    let set = call(&world, "POST", "/switches", "desk-1", Some(stop)).await;
    assert_eq!(set.status, 201, "{}", set.text);
    let stopped = world.top_up(&token, &wallet, &mandate, 1_000).await;
    assert_eq!(stopped.problem(), (409, "stopped"));
    assert_eq!((stopped.text("bank_code"), stopped.text("function")), ("0125".into(), "top_up".into()));
    let banks = world.get("/v1/banks", None).await;
    assert_eq!(banks.body["data"][0]["stopped_by_us"][0]["reason"], "不正な登録の調査中", "{}", banks.text);
    let lift = format!("/switches/{}/lift", set.text("id"));
    let say = async |staff: &str, approve: bool| {
        call(&world, "POST", &lift, staff, Some(json!({ "approve": approve, "reason": "調査が終わった" }))).await
    };
    for (staff, approve, expected) in [
        ("desk-2", true, (404, "not-found")),
        ("desk-5", false, (403, "role-needed")),
        ("desk-4", true, (403, "role-needed")),
    ] {
        assert_eq!(say(staff, approve).await.problem(), expected, "{staff} {approve}");
    }
    let proposed = say("desk-1", false).await;
    assert_eq!((proposed.status.as_u16(), proposed.text("status").as_str()), (202, "in_force"), "{}", proposed.text);
    assert_eq!(say("desk-1", true).await.problem(), (409, "second-person-needed"));
    assert_eq!(world.top_up(&token, &wallet, &mandate, 1_000).await.problem(), (409, "stopped"));
    let seen = call(&world, "GET", "/switches", "desk-3", None).await;
    assert_eq!(seen.body["data"][0]["lift"]["by"]["name"], "Person 1", "{}", seen.text);
    let lifted = say("desk-2", true).await;
    assert_eq!((lifted.status.as_u16(), lifted.text("status").as_str()), (200, "lifted"), "{}", lifted.text);
    assert_eq!(world.top_up(&token, &wallet, &mandate, 1_000).await.status, 201);
    for wrong in [
        json!({ "function": "all", "reason": "x" }),
        json!({ "reason": " " }),
        json!({ "bank_code": "125", "reason": "x" }),
    ] {
        assert_eq!(
            call(&world, "POST", "/switches", "desk-1", Some(wrong.clone())).await.problem(),
            (400, "malformed"),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn the_desks_freeze_is_not_the_holders_to_lift() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let id = wallet.strip_prefix("/v1").expect("a path");
    let frozen = call(&world, "POST", &format!("{id}/freeze"), "desk-1", Some(json!({ "reason": "申告" }))).await;
    assert_eq!(frozen.text("status"), "frozen", "{}", frozen.text);
    assert_eq!(world.get(&wallet, Some(&token)).await.text("status"), "frozen");
    let asked = world.post(&format!("{wallet}/unfreeze"), Some(&token), json!({})).await;
    let challenge = asked.text("challenge_id");
    world.post(&format!("/v1/challenges/{challenge}"), Some(&token), json!({})).await;
    let refused = world.post(&format!("{wallet}/unfreeze"), Some(&token), json!({ "challenge_id": challenge })).await;
    assert_eq!(refused.problem(), (409, "wrong-status"), "{}", refused.text);
    let lifted =
        call(&world, "POST", &format!("{id}/unfreeze"), "desk-2", Some(json!({ "reason": "本人を確認" }))).await;
    assert_eq!(lifted.text("status"), "open", "{}", lifted.text);
}

/// Holds what is worth exactly 7,777 yen.
fn hold(attempt: &Attempt<'_>) -> Verdict {
    if attempt.amount.amount() == 7_777 { Verdict::Hold { reason: 7 } } else { Verdict::Allow }
}

#[tokio::test]
async fn what_the_guard_holds_waits_for_the_desk_and_not_for_ever() {
    let world = World::in_context(Context { guard: hold, ..super::world::context() });
    let (token, wallet) = world.identified("sakura").await;
    let mandate = world.link("sakura", &token, &wallet).await;
    let (path, ask) = (format!("{wallet}/top-ups"), json!({ "mandate_id": mandate, "amount": 7_777 }));
    let held = world.post(&path, Some(&token), ask.clone()).await;
    assert_eq!((held.status.as_u16(), held.text("status").as_str()), (202, "held"), "{}", held.text);
    world.run_due().await;
    let listed = call(&world, "GET", "/held", "desk-1", None).await;
    assert_eq!(
        (&listed.body["data"][0]["id"], &listed.body["data"][0]["amount"]),
        (&json!(held.text("id")), &json!(7_777))
    );
    let decision = format!("/movements/{}/decision", held.text("id"));
    let released =
        call(&world, "POST", &decision, "desk-1", Some(json!({ "release": true, "reason": "確認済み" }))).await;
    assert_eq!(released.text("status"), "pending", "{}", released.text);
    world.run_due().await;
    assert_eq!(world.funds(&token, &wallet).await, 7_777);

    world.advance(24 * 3_600_000);
    let again = world.log_in("sakura").await;
    let second = world.prove("sakura", &again, &path, &ask).await;
    assert_eq!(second.text("status"), "held", "{}", second.text);
    world.advance(25 * 3_600_000);
    world.run_due().await;
    let again = world.log_in("sakura").await;
    let ended = world.get(&format!("{path}/{}", second.text("id")), Some(&again)).await;
    assert_eq!(ended.text("status"), "declined", "nobody looked at it in time: {}", ended.text);
}

#[tokio::test]
async fn a_days_figures_are_closed_with_the_day() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let mandate = world.link("sakura", &token, &wallet).await;
    world.top_up(&token, &wallet, &mandate, 5_000).await;
    world.run_due().await;
    let open = call(&world, "GET", "/safeguarding", "desk-1", None).await;
    assert_eq!(open.body["data"], json!([]), "the day is not over");
    world.advance(24 * 3_600_000);
    world.run_due().await;
    let closed = call(&world, "GET", "/safeguarding", "desk-1", None).await;
    let day = &closed.body["data"][0];
    assert_eq!(
        (&day["debt"], &day["cost"], &day["required"]),
        (&json!(5_000), &json!(250), &json!(10_000_000)),
        "{}",
        closed.text
    );
    let moved = call(&world, "GET", "/reconciliation", "desk-1", None).await;
    let day = &moved.body["data"][0];
    assert_eq!(
        (&day["bank_code"], &day["debits"], &day["net"]),
        (&json!("0125"), &json!({ "count": 1, "amount": 5_000 }), &json!(5_000))
    );
}

#[tokio::test]
async fn a_shops_token_is_shown_once() {
    let world = World::new();
    let (key, name) = (world.key(), Some(json!({ "name": "青葉書店" })));
    let opened = call_with(&world, "POST", "/shops", "desk-1", &key, name.clone()).await;
    assert_eq!((opened.status.as_u16(), opened.text("name").as_str()), (201, "青葉書店"), "{}", opened.text);
    assert!(opened.text("token").len() >= 43 && opened.text("id").starts_with("shp_"));
    let again = call_with(&world, "POST", "/shops", "desk-1", &key, name).await;
    assert_eq!((again.problem(), again.text("id")), ((409, "shown-once"), opened.text("id")), "{}", again.text);
    let live = world.get("/v1/tokens", Some(&opened.text("token"))).await;
    assert_eq!(live.body["data"].as_array().map(Vec::len), Some(1), "the repeat made no other: {}", live.text);
}

#[tokio::test]
async fn a_shop_whose_opening_was_cut_off_gets_its_token_by_the_repeat() {
    let world = World::new();
    let (key, name) = (world.key(), Some(json!({ "name": "青葉書店" })));
    let first = call_with(&world, "POST", "/shops", "desk-1", &key, name.clone()).await;
    let shop: ShopId = first.text("id").parse().expect("an id");
    // As a crash between the books and the doors leaves it.
    let doors = &world.server.service().doors;
    doors.remove::<ShopName>(shop.0).expect("it is removed");
    for token in doors.of::<ShopToken>(shop.0).expect("they are read") {
        doors.remove::<ShopToken>(token.token).expect("it is removed");
    }
    let again = call_with(&world, "POST", "/shops", "desk-1", &key, name).await;
    assert_eq!((again.status.as_u16(), again.text("id")), (201, first.text("id")), "{}", again.text);
    assert_eq!(world.get("/v1/tokens", Some(&again.text("token"))).await.status, 200);
}

#[tokio::test]
async fn a_voucher_is_worth_its_amount_once() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let issued = call(&world, "POST", "/vouchers", "desk-1", Some(json!({ "amount": 3_000, "days": 30 }))).await;
    assert_eq!(issued.status, 201, "{}", issued.text);
    let code = json!({ "code": issued.text("code") });
    let path = format!("{wallet}/vouchers");
    let redeemed = world.post(&path, Some(&token), code.clone()).await;
    assert!(redeemed.status.is_success(), "{}", redeemed.text);
    assert_eq!(world.get(&wallet, Some(&token)).await.body["balances"]["prepaid"], 3_000);
    assert!(world.post(&path, Some(&token), code).await.status.is_client_error());
}

#[tokio::test]
async fn beyond_what_is_made_alone_on_a_date_a_voucher_is_worth_nothing_until_another_person_agrees() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let issue = async |staff: &str, amount: i64| {
        call(&world, "POST", "/vouchers", staff, Some(json!({ "amount": amount, "days": 30 }))).await
    };
    for number in 0..10 {
        let staff = ["desk-1", "desk-6"][number % 2];
        assert_eq!(issue(staff, 50_000).await.status, 201, "500,000 yen a date, whoever makes them");
    }
    let proposed = issue("desk-1", 3_000).await;
    assert_eq!((proposed.status.as_u16(), proposed.text("status").as_str()), (202, "proposed"), "{}", proposed.text);
    let path = format!("/vouchers/{}", proposed.text("id"));
    let seen = call(&world, "GET", &path, "desk-3", None).await;
    assert_eq!((&seen.body["amount"], &seen.body["proposed_by"]["name"]), (&json!(3_000), &json!("Person 1")));
    assert!(!seen.text.contains(&proposed.text("code")), "its code is shown to nobody again: {}", seen.text);
    let redeem = async || {
        let code = json!({ "code": proposed.text("code") });
        world.post(&format!("{wallet}/vouchers"), Some(&token), code).await
    };
    let early = redeem().await;
    assert_eq!((early.problem(), early.text("current_status")), ((409, "wrong-status"), "proposed".into()));
    let agree = async |staff: &str| {
        call(&world, "POST", &format!("{path}/approval"), staff, Some(json!({ "reason": "注文を確認" }))).await
    };
    for (staff, problem) in [("desk-6", (403, "role-needed")), ("desk-1", (409, "second-person-needed"))] {
        assert_eq!(agree(staff).await.problem(), problem, "{staff}");
    }
    assert_eq!(agree("desk-2").await.text("status"), "issued");
    assert_eq!(agree("desk-5").await.problem(), (409, "wrong-status"), "it is already");
    assert!(redeem().await.status.is_success());
    assert_eq!(world.get(&wallet, Some(&token)).await.body["balances"]["prepaid"], 3_000);

    let late = issue("desk-6", 1).await.text("id");
    world.advance(24 * 3_600_000);
    let agreed =
        call(&world, "POST", &format!("/vouchers/{late}/approval"), "desk-2", Some(json!({ "reason": "x" }))).await;
    assert_eq!(agreed.problem(), (409, "expired"), "{}", agreed.text);
    assert_eq!(issue("desk-6", 1).await.status, 201, "each date begins anew");
}

#[tokio::test]
async fn a_voucher_that_is_taken_back_is_worth_nothing() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let (key, issue) = (world.key(), Some(json!({ "amount": 3_000, "days": 30 })));
    let issued = call_with(&world, "POST", "/vouchers", "desk-6", &key, issue.clone()).await;
    let again = call_with(&world, "POST", "/vouchers", "desk-6", &key, issue).await;
    assert_eq!((again.problem(), again.text("id")), ((409, "shown-once"), issued.text("id")), "{}", again.text);
    let path = format!("/vouchers/{}/cancel", issued.text("id"));
    let why = || Some(json!({ "reason": "紛失した" }));
    for staff in ["desk-3", "desk-5"] {
        assert_eq!(call(&world, "POST", &path, staff, why()).await.problem(), (403, "role-needed"), "{staff}");
    }
    assert_eq!(call(&world, "POST", &path, "desk-6", Some(json!({}))).await.problem(), (400, "malformed"));
    let cancelled = call(&world, "POST", &path, "desk-6", why()).await;
    assert_eq!(
        (cancelled.status.as_u16(), cancelled.text("status").as_str(), &cancelled.body["amount"]),
        (200, "cancelled", &json!(3_000)),
        "{}",
        cancelled.text
    );
    let code = json!({ "code": issued.text("code") });
    let refused = world.post(&format!("{wallet}/vouchers"), Some(&token), code).await;
    assert_eq!((refused.problem(), refused.text("current_status")), ((409, "wrong-status"), "cancelled".into()));
    assert_eq!(call(&world, "POST", &path, "desk-4", why()).await.problem(), (409, "wrong-status"), "it is already");
    let nobodys = format!("/vouchers/vch_{}/cancel", "0".repeat(32));
    assert_eq!(call(&world, "POST", &nobodys, "desk-6", why()).await.problem(), (404, "not-found"));
}
