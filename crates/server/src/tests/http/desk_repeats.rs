//! What somebody of the desk asks twice under one key is done once and answered the same, and nothing else is done under that
//! key. Every POST of the desk's own description is asked, about something that is really there.

use super::desk::call_with;
use super::reimbursements::Scene as OfCase;
use super::waiting::{Linked, linked_in};
use super::world::{Answer, World, context};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use wallet::Context;
use wallet::guard::{Attempt, Verdict};

/// The paths that were asked, as the description names them.
#[derive(Default)]
struct Asked(BTreeSet<&'static str>);

impl Asked {
    /// Asks twice under one key, and for something else under it. What it was answered.
    async fn ask(
        &mut self,
        world: &World,
        (staff, template, ids): (&str, &'static str, &[&str]),
        body: Value,
    ) -> Answer {
        self.0.insert(template);
        let mut ids = ids.iter();
        let part = |part: &'static str| if part.starts_with('{') { *ids.next().expect("an id") } else { part };
        let path = template.split('/').map(part).collect::<Vec<_>>().join("/");
        let (path, key) = (path.strip_prefix("/desk/v1").expect("the desk's"), world.key());
        let send = async |body: &Value| call_with(world, "POST", path, staff, &key, Some(body.clone())).await;
        let records = async || world.server.service().engine.status().await.expect("it answers").head.place.n;
        let first = send(&body).await;
        assert!(first.status.is_success(), "{path}: {}", first.text);
        let before = records().await;
        let again = send(&body).await;
        if again.problem() == (409, "shown-once") {
            assert!(SHOWN_ONCE.contains(&template) && again.body["id"].is_string(), "{path}: {}", again.text);
        } else {
            assert_eq!((again.status, &again.body), (first.status, &first.body), "{path}");
        }
        if let Some(other) = otherwise(&body) {
            let reused = send(&other).await;
            assert_eq!(reused.problem(), (422, "idempotency-key-reused"), "{path}: {}", reused.text);
        }
        assert_eq!(records().await, before, "{path}: nothing more was done");
        first
    }
}

/// Where the first answer has a secret in it.
const SHOWN_ONCE: [&str; 5] = [
    "/desk/v1/shops",
    "/desk/v1/shops/{shop}/tokens",
    "/desk/v1/vouchers",
    "/desk/v1/webhook-endpoints",
    "/desk/v1/webhook-endpoints/{endpoint}/secret-rotations",
];

/// The same but for one member, where there is one.
fn otherwise(body: &Value) -> Option<Value> {
    let mut other = body.clone();
    let members = other.as_object_mut().expect("an object");
    if members.is_empty() {
        return None;
    }
    let (name, value) = [
        ("reason", json!("another reason")),
        ("answer", json!("another answer")),
        ("name", json!("another name")),
        ("amount", json!(1)),
        ("events", json!(["switch.set"])),
    ]
    .into_iter()
    .find(|(name, _)| members.contains_key(*name))
    .unwrap_or_else(|| panic!("what else than {body}?"));
    members.insert(name.into(), value);
    Some(other)
}

fn why(mut body: Value) -> Value {
    body["reason"] = json!("調べた");
    body
}

/// Holds what is worth exactly 7,777 yen.
fn hold(attempt: &Attempt<'_>) -> Verdict {
    if attempt.amount.amount() == 7_777 { Verdict::Hold { reason: 7 } } else { Verdict::Allow }
}

#[tokio::test]
async fn every_post_of_the_desk_is_done_once_and_answered_the_same() {
    let mut asked = Asked::default();
    ask_about_the_service(&mut asked).await;
    ask_about_movements(&mut asked).await;
    ask_about_a_debt(&mut asked).await;
    ask_about_a_case(&mut asked).await;
    let document: Value = serde_json::from_str(&crate::desk::document()).expect("it is JSON");
    let posts = document["paths"].as_object().expect("paths").iter().filter(|(_, item)| item["post"].is_object());
    assert_eq!(asked.0, posts.map(|(path, _)| path.as_str()).collect(), "every path is asked");
}

/// Stops, controls, shops, vouchers, endpoints, claims.
async fn ask_about_the_service(asked: &mut Asked) {
    let world = World::new();
    let of_sends = why(json!({ "function": "send" }));
    let hook = json!({ "url": "http://shop.localhost/hooks", "events": ["*"] });
    let endpoint = asked.ask(&world, ("desk-1", "/desk/v1/webhook-endpoints", &[]), hook).await.text("id");
    let switch = asked.ask(&world, ("desk-1", "/desk/v1/switches", &[]), of_sends).await.text("id");
    let lift = "/desk/v1/switches/{switch}/lift";
    asked.ask(&world, ("desk-1", lift, &[&switch]), why(json!({ "approve": false }))).await;
    asked.ask(&world, ("desk-2", lift, &[&switch]), why(json!({ "approve": true }))).await;

    let (controls, weaker) = ("/desk/v1/controls/{control}", why(json!({ "value": 1_000_000 })));
    let change = asked.ask(&world, ("desk-1", controls, &["top_up_per_month_max"]), weaker).await;
    let change = change.body["proposed"]["id"].as_str().expect("it waits").to_owned();
    asked.ask(&world, ("desk-2", "/desk/v1/control-changes/{change}/approval", &[&change]), why(json!({}))).await;

    let shop = asked.ask(&world, ("desk-6", "/desk/v1/shops", &[]), json!({ "name": "青葉書店" })).await.text("id");
    asked.ask(&world, ("desk-6", "/desk/v1/shops/{shop}/tokens", &[&shop]), json!({})).await;
    let issue = json!({ "amount": 3_000, "days": 30 });
    let voucher = asked.ask(&world, ("desk-6", "/desk/v1/vouchers", &[]), issue).await.text("id");
    asked.ask(&world, ("desk-6", "/desk/v1/vouchers/{voucher}/cancel", &[&voucher]), why(json!({}))).await;

    for _ in 0..9 {
        let alone = json!({ "amount": 50_000, "days": 30 });
        assert_eq!(super::desk::call(&world, "POST", "/vouchers", "desk-6", Some(alone)).await.status, 201);
    }
    let proposed =
        asked.ask(&world, ("desk-6", "/desk/v1/vouchers", &[]), json!({ "amount": 50_000, "days": 30 })).await;
    assert_eq!(proposed.status, 202, "{}", proposed.text);
    let approval = "/desk/v1/vouchers/{voucher}/approval";
    asked.ask(&world, ("desk-2", approval, &[&proposed.text("id")]), why(json!({}))).await;

    world.run_due().await;
    let deliveries = format!("/webhook-endpoints/{endpoint}/deliveries");
    let told = super::desk::call(&world, "GET", &deliveries, "desk-3", None).await;
    let delivery = told.body["data"][0]["id"].as_str().expect("it was told of the stop").to_owned();
    let of_endpoint = "/desk/v1/webhook-endpoints/{endpoint}/enable";
    asked.ask(&world, ("desk-1", of_endpoint, &[&endpoint]), json!({})).await;
    let of_endpoint = "/desk/v1/webhook-endpoints/{endpoint}/secret-rotations";
    asked.ask(&world, ("desk-1", of_endpoint, &[&endpoint]), json!({})).await;
    let of_delivery = "/desk/v1/webhook-endpoints/{endpoint}/deliveries/{delivery}/redeliveries";
    asked.ask(&world, ("desk-1", of_delivery, &[&endpoint, &delivery]), json!({})).await;

    let claim = json!({ "bank_code": "0125", "dates": ["2026-01-01"], "contact": "somebody" });
    let claim = world.post("/v1/claims", None, claim).await.text("id");
    let reject = json!({ "accept": false, "answer": "お客さまの取引でした。" });
    asked.ask(&world, ("desk-4", "/desk/v1/claims/{claim}/decision", &[&claim]), reject).await;
}

/// What is held, what a bank contradicts, what could not be given back; and the freeze of a wallet.
async fn ask_about_movements(asked: &mut Asked) {
    let sakura = linked_in(World::in_context(Context { guard: hold, ..context() })).await;
    let held = sakura.top_up(7_777).await;
    let decision = "/desk/v1/movements/{movement}/decision";
    asked.ask(&sakura.world, ("desk-4", decision, &[&held]), why(json!({ "release": true }))).await;

    let contradicted = sakura.top_up(1_000).await;
    let told = json!({ "type": "debit.contradicted", "reference": contradicted, "amount": 1_000,
        "claim": "not_moved", "claimed_amount": 0 });
    sakura.tell(told).await;
    for (staff, approve) in [("desk-1", false), ("desk-2", true)] {
        let resolution = "/desk/v1/movements/{movement}/resolution";
        let body = why(json!({ "resolution": "decline", "approve": approve }));
        asked.ask(&sakura.world, (staff, resolution, &[&contradicted]), body).await;
    }

    sakura.world.gateway.with(|stand| stand.return_script = Some((404, "unknown")));
    let returned = sakura.returned(1_000).await;
    sakura.world.gateway.with(|stand| stand.return_script = None);
    let give_back = "/desk/v1/movements/{movement}/give-back";
    asked.ask(&sakura.world, ("desk-4", give_back, &[&returned]), why(json!({}))).await;

    let wallet = wallet_of(&sakura);
    for path in ["/desk/v1/wallets/{wallet}/freeze", "/desk/v1/wallets/{wallet}/unfreeze"] {
        asked.ask(&sakura.world, ("desk-4", path, &[wallet]), why(json!({}))).await;
    }
}

fn wallet_of(person: &Linked) -> &str {
    person.wallet.strip_prefix("/v1/wallets/").expect("a path")
}

async fn ask_about_a_debt(asked: &mut Asked) {
    let sakura = linked_in(World::new()).await;
    let id = sakura.top_up(5_000).await;
    let (shop, _) = sakura.world.shop("Soba").await;
    let pay = json!({ "shop_id": shop.to_string(), "amount": 4_000 });
    let paid = sakura.world.post(&format!("{}/payments", sakura.wallet), Some(&sakura.token), pay).await;
    assert_eq!(paid.status, 201, "{}", paid.text);
    sakura.tell(json!({ "type": "debit.reversed", "reference": id, "amount": 5_000 })).await;
    for (staff, approve) in [("desk-1", false), ("desk-5", true)] {
        let body = why(json!({ "amount": 4_000, "approve": approve }));
        asked.ask(&sakura.world, (staff, "/desk/v1/wallets/{wallet}/write-off", &[wallet_of(&sakura)]), body).await;
    }
}

/// A case, and what its account gets back.
async fn ask_about_a_case(asked: &mut Asked) {
    let scene = OfCase::opened().await;
    for (staff, approve) in [("desk-1", false), ("desk-2", true)] {
        let body = why(json!({ "finding": "upheld", "approve": approve }));
        asked.ask(&scene.world, (staff, "/desk/v1/cases/{case}/closing", &[&scene.case]), body).await;
    }
    for (amount, decision) in [
        (1_000, "/desk/v1/reimbursements/{reimbursement}/refuse"),
        (9_000, "/desk/v1/reimbursements/{reimbursement}/approve"),
    ] {
        let proposed = asked.ask(&scene.world, ("desk-1", "/desk/v1/reimbursements", &[]), scene.body(amount)).await;
        asked.ask(&scene.world, ("desk-2", decision, &[&proposed.text("id")]), why(json!({}))).await;
    }
}
