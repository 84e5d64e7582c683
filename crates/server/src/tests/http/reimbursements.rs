//! Reimbursements at the desk: two people give a victim back what was debited, and the bank is asked once.

use super::desk::call;
use super::till::Person;
use super::world::{Answer, World};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

const DAY_MS: i64 = 24 * 3_600_000;

/// Sakura topped up 10,000 yen of an account that is not hers, spent 3,000 and sent haru 4,000; two people upheld the case.
pub struct Scene {
    pub world: World,
    sakura: Person,
    haru: Person,
    pub case: String,
    top_up: String,
}

impl Scene {
    async fn new() -> Self {
        let scene = Self::opened().await;
        scene.close("desk-1", false).await;
        scene.close("desk-2", true).await;
        scene
    }

    pub async fn opened() -> Self {
        let world = World::new();
        let (sakura, haru) = (world.person("sakura").await, world.person("haru").await);
        let (shop, _) = world.shop("Soba").await;
        let account = world.fund(&sakura, 10_000).await;
        let sakura = world.again(sakura).await;
        let top_up = world.get(&sakura.path("/movements?kind=top_up"), Some(&sakura.token)).await;
        let top_up = top_up.body["data"][0]["id"].as_str().expect("an id").to_owned();
        let paid = json!({ "shop_id": shop.to_string(), "amount": 3_000 });
        assert_eq!(world.post(&sakura.path("/payments"), Some(&sakura.token), paid).await.status, 201);
        let seen = world.look(&sakura.token, haru.wallet).await;
        let sent = json!({ "to_wallet_id": haru.wallet.to_string(), "amount": 4_000, "recipient_token": seen });
        assert_eq!(world.post_proven(&sakura, &sakura.path("/sends"), &sent).await.status, 201);
        world.advance(2 * DAY_MS);
        let (sakura, haru) = (world.again(sakura).await, world.again(haru).await);
        world.server.service().open_case(1, world.now(), account).await.expect("it is read");
        let cases = call(&world, "GET", "/cases", "desk-3", None).await;
        let case = cases.body["data"][0]["id"].as_str().expect("an id").to_owned();
        Self { world, sakura, haru, case, top_up }
    }

    async fn close(&self, staff: &str, approve: bool) {
        let path = format!("/cases/{}/closing", self.case);
        let body = json!({ "finding": "upheld", "approve": approve, "reason": "it was said twice" });
        let closed = call(&self.world, "POST", &path, staff, Some(body)).await;
        assert_eq!(closed.status, 200, "{}", closed.text);
    }

    pub fn body(&self, amount: i64) -> Value {
        json!({ "case_id": self.case, "top_up_id": self.top_up, "amount": amount, "although_confirmed": true,
            "reason": "the holder never linked it, and had typed a number that a caller asked for" })
    }

    async fn propose(&self, staff: &str, amount: i64) -> Answer {
        call(&self.world, "POST", "/reimbursements", staff, Some(self.body(amount))).await
    }

    async fn decide(&self, id: &str, staff: &str, what: &str) -> Answer {
        call(
            &self.world,
            "POST",
            &format!("/reimbursements/{id}/{what}"),
            staff,
            Some(json!({ "reason": "as the case says" })),
        )
        .await
    }

    /// One that is proposed and approved.
    async fn approved(&self, amount: i64) -> String {
        let id = self.propose("desk-1", amount).await.text("id");
        let approved = self.decide(&id, "desk-2", "approve").await;
        assert_eq!((approved.status.as_u16(), approved.text("status")), (202, "pending".into()), "{}", approved.text);
        id
    }

    async fn see(&self, id: &str) -> Value {
        let seen = call(&self.world, "GET", &format!("/reimbursements/{id}"), "desk-3", None).await;
        assert_eq!(seen.status, 200, "{}", seen.text);
        seen.body
    }

    async fn waiting(&self) -> Vec<(String, Value)> {
        let held = call(&self.world, "GET", "/held", "desk-3", None).await;
        let rows = held.body["data"].as_array().expect("a page");
        rows.iter().map(|row| (row["id"].as_str().expect("an id").to_owned(), row["reasons"].clone())).collect()
    }

    async fn kept(&self, person: &Person) -> (i64, i64) {
        let shown = self.world.get(&person.path(""), Some(&person.token)).await;
        let of = |name: &str| shown.body["balances"][name].as_i64().expect("yen");
        (of("funds"), of("kept"))
    }
}

#[tokio::test]
async fn two_people_give_a_victim_everything_back_and_every_yen_is_shown() {
    let scene = Scene::new().await;
    assert_eq!((scene.kept(&scene.sakura).await, scene.kept(&scene.haru).await), ((3_000, 3_000), (4_000, 4_000)));
    let proposed = scene.propose("desk-1", 10_000).await;
    assert_eq!((proposed.status.as_u16(), proposed.text("status")), (202, "proposed".into()), "{}", proposed.text);
    let id = proposed.text("id");
    assert_eq!(scene.waiting().await, [(id.clone(), json!(["reimbursement_proposed"]))]);
    assert_eq!(scene.decide(&id, "desk-1", "approve").await.problem(), (409, "second-person-needed"));
    let approved = scene.decide(&id, "desk-2", "approve").await;
    assert_eq!((approved.status.as_u16(), approved.text("status")), (202, "pending".into()), "{}", approved.text);
    let parts =
        (&approved.body["restitution"], &approved.body["expense"], approved.body["taken"].as_array().map(Vec::len));
    assert_eq!(parts, (&json!(7_000), &json!(3_000), Some(2)), "{}", approved.text);
    assert_eq!((scene.kept(&scene.sakura).await, scene.kept(&scene.haru).await), ((0, 0), (0, 0)));
    assert_eq!(scene.decide(&id, "desk-2", "approve").await.problem(), (409, "wrong-status"));

    scene.world.run_due().await;
    let asked = scene.world.gateway.with(|stand| stand.returns.clone());
    let asked: Vec<_> =
        asked.iter().map(|(debit, body)| (debit.as_str(), &body["reference"], &body["amount"])).collect();
    assert_eq!(asked, [(scene.top_up.as_str(), &json!(id), &json!(10_000))]);
    let done = scene.see(&id).await;
    assert_eq!((&done["status"], &done["contradicted"]), (&json!("done"), &json!(false)), "{done}");
    assert_eq!(scene.waiting().await, []);
    let listed = call(&scene.world, "GET", "/reimbursements?limit=1", "desk-3", None).await;
    assert_eq!((&listed.body["data"][0]["id"], &listed.body["next_cursor"]), (&json!(id), &Value::Null));

    let trace = call(&scene.world, "GET", &format!("/traces/{}", scene.case), "desk-3", None).await;
    assert_eq!((&trace.body["complete"], &trace.body["unexplained"]), (&json!(true), &json!(0)), "{}", trace.text);
    let parts = trace.body["parts"].as_array().expect("parts");
    let sum = |place: &str| -> i64 {
        parts.iter().filter(|part| part["place"] == place).filter_map(|part| part["amount"].as_i64()).sum()
    };
    assert_eq!((sum("restored"), sum("shop")), (7_000, 3_000), "{}", trace.text);
    let movements = scene.world.get(&scene.haru.path("/movements"), Some(&scene.haru.token)).await;
    let last = &movements.body["data"][0];
    assert_eq!((&last["kind"], &last["id"], &last["amount"]), (&json!("restitution"), &json!(id), &json!(4_000)));
    let audit = call(&scene.world, "GET", "/audit?limit=3", "desk-3", None).await;
    assert!(audit.text.contains("reimbursement.approve") && audit.text.contains(&id), "{}", audit.text);
}

#[tokio::test]
async fn a_debit_is_reimbursed_once_and_only_of_a_case_that_was_upheld() {
    let scene = Scene::opened().await;
    let refused = scene.propose("desk-1", 1).await;
    assert_eq!((refused.problem(), refused.text("current_status")), ((409, "wrong-status"), "open".into()));
    scene.close("desk-1", false).await;
    scene.close("desk-2", true).await;
    // The link was confirmed: nobody gives back what it debited without saying that they know.
    let mut unaware = scene.body(9_000);
    unaware["although_confirmed"] = false.into();
    let refused = call(&scene.world, "POST", "/reimbursements", "desk-1", Some(unaware)).await;
    assert_eq!((refused.problem(), refused.text("noun")), ((409, "wrong-status"), "mandate".into()));
    assert_eq!(scene.propose("desk-1", 10_001).await.problem(), (422, "limit-exceeded"));
    assert_eq!(scene.propose("desk-1", 0).await.problem(), (422, "amount-zero"));
    scene.approved(9_000).await;
    let refused = scene.propose("desk-1", 1_001).await;
    assert_eq!(
        (refused.problem(), &refused.body["left"]),
        ((422, "limit-exceeded"), &json!(1_000)),
        "{}",
        refused.text
    );
    scene.approved(1_000).await;
    assert_eq!(scene.propose("desk-1", 1).await.problem(), (422, "limit-exceeded"));
    scene.world.run_due().await;
    let unfounded = json!({ "finding": "unfounded", "approve": false, "reason": "too early" });
    let path = format!("/cases/{}/closing", scene.case);
    assert_eq!(call(&scene.world, "POST", &path, "desk-1", Some(unfounded)).await.problem(), (409, "wrong-status"));
}

#[tokio::test]
async fn whoever_is_not_allowed_or_names_what_is_not_there_changes_nothing() {
    let scene = Scene::new().await;
    for staff in ["desk-3", "desk-5", "desk-6"] {
        assert_eq!(scene.propose(staff, 1).await.problem(), (403, "role-needed"), "{staff}");
    }
    let id = scene.propose("desk-4", 500).await.text("id");
    for staff in ["desk-3", "desk-4", "desk-6"] {
        assert_eq!(scene.decide(&id, staff, "approve").await.problem(), (403, "role-needed"), "{staff}");
    }
    assert_eq!(scene.decide(&id, "desk-3", "refuse").await.problem(), (403, "role-needed"));
    assert_eq!(scene.decide(&id, "desk-5", "refuse").await.text("status"), "refused");
    assert_eq!(scene.decide(&id, "desk-5", "approve").await.problem(), (409, "wrong-status"));
    assert_eq!(scene.propose("nobody", 1).await.problem(), (401, "unauthenticated"));
    let foreign = "00000000000000000000000000000007";
    for path in [format!("/reimbursements/rmb_{foreign}"), format!("/reimbursements/top_{foreign}")] {
        assert_eq!(call(&scene.world, "GET", &path, "desk-3", None).await.problem(), (404, "not-found"), "{path}");
        assert_eq!(
            call(
                &scene.world,
                "POST",
                &format!("{path}/approve"),
                "desk-2",
                Some(json!({ "reason": "as the case says" }))
            )
            .await
            .problem(),
            (404, "not-found"),
            "{path}"
        );
    }
    for (member, value) in [("case_id", format!("cas_{foreign}")), ("top_up_id", format!("top_{foreign}"))] {
        let mut body = scene.body(1);
        body[member] = value.into();
        let refused = call(&scene.world, "POST", "/reimbursements", "desk-1", Some(body)).await;
        assert_eq!(refused.problem(), (404, "not-found"), "{member}");
    }
    assert_eq!((scene.kept(&scene.sakura).await, scene.kept(&scene.haru).await), ((3_000, 3_000), (4_000, 4_000)));
}

#[tokio::test]
async fn the_same_key_proposes_once() {
    let scene = Scene::new().await;
    let ask = |amount: i64| {
        let request = Request::builder()
            .method("POST")
            .uri("http://desk.localhost:8080/desk/v1/reimbursements")
            .header("content-type", "application/json")
            .header("idempotency-key", "one-proposal")
            .header("authorization", "Bearer desk-1");
        scene.world.send(request.body(Bytes::from(scene.body(amount).to_string())).expect("a request"))
    };
    let (first, again) = (ask(700).await.text("id"), ask(700).await.text("id"));
    assert_eq!(first, again);
    assert_eq!(ask(701).await.problem(), (422, "idempotency-key-reused"));
    let listed = call(&scene.world, "GET", "/reimbursements", "desk-3", None).await;
    assert_eq!(listed.body["data"].as_array().map(Vec::len), Some(1), "{}", listed.text);
}

#[tokio::test]
async fn what_the_bank_could_not_pay_waits_and_is_paid_by_the_next_one() {
    let scene = Scene::new().await;
    scene.world.gateway.with(|stand| stand.return_script = Some((201, "declined")));
    let id = scene.approved(8_000).await;
    scene.world.run_due().await;
    assert_eq!(scene.see(&id).await["status"], "failed");
    assert_eq!(scene.waiting().await, [(id.clone(), json!(["reimbursement_failed"]))]);
    scene.world.gateway.with(|stand| stand.return_script = None);
    let next = scene.approved(10_000).await;
    scene.world.run_due().await;
    let done = scene.see(&next).await;
    let parts = (&done["status"], &done["parked"], &done["restitution"], &done["expense"]);
    assert_eq!(parts, (&json!("done"), &json!(8_000), &json!(0), &json!(2_000)), "{done}");
    assert_eq!(scene.waiting().await, []);
    let trace = call(&scene.world, "GET", &format!("/traces/{}", scene.case), "desk-3", None).await;
    let of_the_first: Vec<_> =
        trace.body["parts"].as_array().expect("parts").iter().map(|part| &part["place"]).collect();
    assert!(
        of_the_first.contains(&&json!("restored")) && !of_the_first.contains(&&json!("restitution")),
        "{}",
        trace.text
    );
}

#[tokio::test]
async fn one_of_which_the_bank_knew_nothing_to_the_last_two_people_end_and_the_next_one_pays() {
    let scene = Scene::new().await;
    scene.world.gateway.with(|stand| stand.return_script = Some((201, "absent")));
    let id = scene.approved(10_000).await;
    scene.world.run_due().await;
    let seen = scene.see(&id).await;
    assert_eq!((&seen["status"], &seen["absent"]), (&json!("in_doubt"), &json!(true)), "{seen}");
    assert_eq!(scene.waiting().await, [(id.clone(), json!(["unanswered"]))]);
    let path = format!("/movements/{id}/resolution");
    let failed =
        |approve: bool| Some(json!({ "resolution": "decline", "approve": approve, "reason": "asked by phone" }));
    assert_eq!(call(&scene.world, "POST", &path, "desk-1", failed(false)).await.text("status"), "in_doubt");
    assert_eq!(call(&scene.world, "POST", &path, "desk-2", failed(true)).await.text("status"), "failed");
    scene.world.gateway.with(|stand| stand.return_script = None);
    let next = scene.approved(10_000).await;
    scene.world.run_due().await;
    assert_eq!(scene.see(&next).await["status"], "done");
    assert_eq!(scene.waiting().await, []);
}

#[tokio::test]
async fn a_bank_that_does_not_answer_is_asked_again_and_its_word_may_come_as_news() {
    let scene = Scene::new().await;
    scene.world.gateway.with(|stand| stand.return_script = Some((201, "pending")));
    let id = scene.approved(10_000).await;
    scene.world.run_due().await;
    assert_eq!(scene.see(&id).await["status"], "in_doubt");
    let tell = |piece: Value| {
        scene.world.gateway.with(|stand| {
            let mut piece = piece;
            piece["n"] = (stand.events.len() + 1).into();
            stand.events.push(piece);
        });
        scene.world.advance(3_000);
        scene.world.announce();
        scene.world.run_due()
    };
    tell(json!({ "type": "return.settled", "reference": id, "amount": 10_000 })).await;
    assert_eq!(scene.see(&id).await["status"], "done");
    tell(json!({ "type": "return.reversed", "reference": id, "amount": 10_000 })).await;
    let flagged = scene.see(&id).await;
    assert_eq!((&flagged["status"], &flagged["contradicted"]), (&json!("done"), &json!(true)), "{flagged}");
    assert_eq!(scene.waiting().await, [(id.clone(), json!(["contradicted"]))]);
    let settle = async |staff: &str, resolution: &str, approve: bool| {
        let (path, body) = (
            format!("/movements/{id}/resolution"),
            json!({ "resolution": resolution, "approve": approve, "reason": "the bank wrote so" }),
        );
        call(&scene.world, "POST", &path, staff, Some(body)).await
    };
    assert_eq!(settle("desk-1", "settle", false).await.problem(), (409, "wrong-status"));
    assert_eq!(settle("desk-1", "decline", false).await.text("status"), "done");
    let seen = call(&scene.world, "GET", &format!("/movements/{id}"), "desk-3", None).await;
    assert_eq!(seen.body["proposal"]["resolution"], "decline", "{}", seen.text);
    assert_eq!(settle("desk-1", "decline", true).await.problem(), (409, "second-person-needed"));
    assert_eq!(settle("desk-2", "decline", true).await.text("status"), "failed");
    assert_eq!(scene.waiting().await, [(id.clone(), json!(["reimbursement_failed"]))]);
}
