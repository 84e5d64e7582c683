//! What waits for the desk: that it is seen, every piece of it; that one person or two settle it; and that one bank's silence
//! is that bank's alone.

use super::desk::call;
use super::gateway::Script;
use super::world::{Answer, World};
use crate::Turn;
use crate::doors::Door;
use crate::news::Aside;
use domain::{Id, Time};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::task::JoinSet;
use wallet::Context;
use wallet::guard::{Attempt, Verdict};

/// A holder with a linked account.
pub struct Linked {
    pub world: World,
    pub token: String,
    pub wallet: String,
    pub mandate: String,
}

pub async fn linked_in(world: World) -> Linked {
    let (token, wallet) = world.identified("sakura").await;
    let mandate = world.link("sakura", &token, &wallet).await;
    Linked { world, token, wallet, mandate }
}

async fn linked() -> Linked {
    linked_in(World::new()).await
}

impl Linked {
    pub async fn top_up(&self, amount: i64) -> String {
        self.world.top_up(&self.token, &self.wallet, &self.mandate, amount).await.text("id")
    }

    /// A top-up that was cancelled too late: what was debited goes back, as the gateway's next answers have it.
    pub async fn returned(&self, amount: i64) -> String {
        let script = self.world.gateway.with(|stand| std::mem::replace(&mut stand.script, Script::Wait));
        let id = self.top_up(amount).await;
        self.world.gateway.with(|stand| stand.script = script);
        let path = format!("{}/top-ups/{id}/cancel", self.wallet);
        self.world.post(&path, Some(&self.token), json!({})).await;
        self.tell(json!({ "type": "debit.settled", "reference": id, "amount": amount })).await;
        assert_eq!(self.seen(&id).await["status"], "returned");
        id
    }

    pub async fn tell(&self, piece: Value) {
        self.world.gateway.with(|stand| {
            let mut piece = piece;
            piece["n"] = (stand.events.len() + 1).into();
            stand.events.push(piece);
        });
        self.world.advance(3_000);
        self.world.announce();
        self.world.run_due().await;
    }

    async fn desk(&self, path: &str, staff: &str, body: Value) -> Answer {
        call(&self.world, "POST", path, staff, Some(body)).await
    }

    /// A movement as the desk sees it.
    async fn seen(&self, id: &str) -> Value {
        let seen = call(&self.world, "GET", &format!("/movements/{id}"), "desk-3", None).await;
        assert_eq!(seen.status, 200, "{}", seen.text);
        seen.body
    }

    /// Every id that waits, with why, page by page.
    async fn waiting(&self, limit: usize) -> Vec<(String, Value)> {
        let (mut all, mut path) = (Vec::new(), format!("/held?limit={limit}"));
        loop {
            let page = call(&self.world, "GET", &path, "desk-3", None).await;
            assert_eq!(page.status, 200, "{}", page.text);
            let rows = page.body["data"].as_array().expect("a page");
            assert!(rows.len() <= limit);
            all.extend(rows.iter().map(|row| (row["id"].as_str().expect("an id").to_owned(), row["reasons"].clone())));
            let Some(cursor) = page.body["next_cursor"].as_str() else { return all };
            path = format!("/held?limit={limit}&cursor={cursor}");
        }
    }

    async fn resolve(&self, id: &str, staff: &str, resolution: &str, approve: bool) -> Answer {
        let body = json!({ "resolution": resolution, "approve": approve, "reason": "銀行に確認" });
        self.desk(&format!("/movements/{id}/resolution"), staff, body).await
    }
}

/// A piece of news that was set aside, as it is kept.
#[derive(Serialize, Deserialize)]
struct SetAside {
    key: Id,
    piece: Value,
    pause_ms: i64,
    next: Time,
}

impl Door for SetAside {
    const TABLE: &'static str = <Aside as Door>::TABLE;

    fn id(&self) -> Id {
        self.key
    }

    fn at(&self) -> Option<Time> {
        Some(self.next)
    }
}

#[tokio::test]
async fn nothing_is_given_back_while_news_about_the_debit_are_aside() {
    let sakura = linked().await;
    sakura.world.gateway.with(|stand| stand.script = Script::Wait);
    let id = sakura.top_up(3_000).await;
    sakura.world.gateway.with(|stand| stand.script = Script::Settle);
    sakura.world.post(&format!("{}/top-ups/{id}/cancel", sakura.wallet), Some(&sakura.token), json!({})).await;
    let service = sakura.world.server.service();
    let next = sakura.world.now().plus_milliseconds(30 * 86_400_000);
    let aside = |number: u128, reference: &str| SetAside {
        key: Id::from_number(number),
        piece: json!({ "n": number, "type": "debit.contradicted", "reference": reference }),
        pause_ms: 60_000,
        next,
    };
    service.doors.put(&aside(1, &id)).expect("it is kept");
    sakura.tell(json!({ "type": "debit.settled", "reference": id, "amount": 3_000 })).await;
    let asked = || sakura.world.gateway.with(|stand| stand.returns.len());
    for _ in 0..5 {
        sakura.world.advance(20 * 60_000);
        sakura.world.run_due().await;
    }
    assert_eq!((asked(), &sakura.seen(&id).await["status"]), (0, &json!("returned")), "it may never have been debited");
    assert_eq!(service.doors.remove::<SetAside>(Id::from_number(1)), Ok(true), "it is acted on");
    service.doors.put(&aside(2, "top_of_somebody_else")).expect("it is kept");
    sakura.world.advance(20 * 60_000);
    sakura.world.run_due().await;
    assert_eq!(asked(), 1, "what is aside about another debit holds nothing up");
}

#[tokio::test]
async fn a_contradiction_that_the_gateway_tells_of_waits_for_two_people() {
    let sakura = linked().await;
    let id = sakura.top_up(5_000).await;
    assert_eq!(sakura.waiting(9).await, []);
    let told = json!({ "type": "debit.contradicted", "reference": id, "amount": 5_000,
        "claim": "not_moved", "claimed_amount": 0 });
    sakura.tell(told.clone()).await;
    sakura.tell(told).await;
    assert_eq!(sakura.waiting(9).await, [(id.clone(), json!(["contradicted"]))]);
    let seen = sakura.seen(&id).await;
    assert_eq!((&seen["status"], &seen["claims"][0]["claim"]), (&json!("settled"), &json!("not_moved")));
    assert_eq!(sakura.world.funds(&sakura.token, &sakura.wallet).await, 5_000, "a contradiction moves no money");

    assert_eq!(sakura.resolve(&id, "desk-2", "decline", true).await.problem(), (409, "contradiction"));
    assert_eq!(sakura.resolve(&id, "desk-1", "decline", false).await.text("status"), "settled");
    assert_eq!(sakura.seen(&id).await["proposal"]["by"]["name"], "Person 1");
    assert_eq!(sakura.resolve(&id, "desk-1", "decline", true).await.problem(), (409, "second-person-needed"));
    assert_eq!(sakura.resolve(&id, "desk-2", "keep", true).await.problem(), (409, "contradiction"));
    assert_eq!(sakura.resolve(&id, "desk-2", "decline", true).await.text("status"), "reversed");
    assert_eq!(sakura.world.funds(&sakura.token, &sakura.wallet).await, 0);
    assert_eq!(sakura.waiting(9).await, []);
}

#[tokio::test]
async fn a_payouts_contradiction_waits_too() {
    let sakura = linked().await;
    sakura.top_up(5_000).await;
    let accounts = sakura.world.get(&format!("{}/bank-accounts", sakura.wallet), Some(&sakura.token)).await;
    let body = json!({ "bank_account_id": accounts.body["data"][0]["id"], "amount": 1_000 });
    let path = format!("{}/payouts", sakura.wallet);
    let asked = sakura.world.post(&path, Some(&sakura.token), body.clone()).await;
    let id = if asked.status.is_success() {
        asked.text("id")
    } else {
        let challenge = asked.text("challenge_id");
        sakura.world.post(&format!("/v1/challenges/{challenge}"), Some(&sakura.token), json!({})).await;
        let mut body = body;
        body["challenge_id"] = challenge.into();
        sakura.world.post(&path, Some(&sakura.token), body).await.text("id")
    };
    assert_eq!(sakura.seen(&id).await["status"], "settled");
    let told = json!({ "type": "credit.contradicted", "reference": id, "amount": 1_000,
        "claim": "moved", "claimed_amount": 900 });
    sakura.tell(told).await;
    assert_eq!(sakura.waiting(9).await, [(id, json!(["contradicted"]))]);
}

#[tokio::test]
async fn what_becomes_of_a_give_back_is_heard() {
    let sakura = linked().await;
    sakura.world.gateway.with(|stand| stand.return_script = Some((202, "pending")));
    let id = sakura.returned(5_000).await;
    let give_back = sakura.seen(&id).await["give_back"].clone();
    assert_eq!(give_back["status"], "pending");
    let piece = |what: &str| json!({ "type": what, "reference": give_back["id"], "amount": 5_000, "code": 9 });
    let mut absent = piece("return.declined");
    absent["reason"] = "absent".into();
    sakura.tell(absent).await;
    assert_eq!(sakura.seen(&id).await["give_back"]["status"], "pending", "absence is no answer here");
    sakura.tell(piece("return.settled")).await;
    sakura.tell(piece("return.settled")).await;
    assert_eq!(sakura.seen(&id).await["give_back"]["status"], "done");
    assert_eq!(sakura.waiting(9).await, []);

    // It came back: two people have it given back once more, under another id.
    sakura.tell(piece("return.reversed")).await;
    assert_eq!(sakura.waiting(9).await, [(id.clone(), json!(["contradicted"]))]);
    assert_eq!(sakura.resolve(&id, "desk-1", "return", false).await.status, 200);
    sakura.world.gateway.with(|stand| stand.return_script = None);
    assert_eq!(sakura.resolve(&id, "desk-2", "return", true).await.status, 200);
    sakura.world.run_due().await;
    let again = sakura.seen(&id).await["give_back"].clone();
    assert_eq!((&again["status"], &again["failed_before"]), (&json!("done"), &json!(1)));
    assert_ne!(again["id"], give_back["id"]);
    assert_eq!(sakura.waiting(9).await, []);
}

#[tokio::test]
async fn a_give_back_that_its_bank_never_knew_two_people_end() {
    let sakura = linked().await;
    sakura.world.gateway.with(|stand| stand.return_script = Some((201, "absent")));
    let id = sakura.returned(5_000).await;
    sakura.world.run_due().await;
    let absent = sakura.seen(&id).await["give_back"].clone();
    assert_eq!((&absent["status"], &absent["absent"]), (&json!("pending"), &json!(true)), "{absent}");
    assert_eq!(sakura.waiting(9).await, [(id.clone(), json!(["unanswered"]))]);
    assert_eq!(sakura.resolve(&id, "desk-1", "settle", false).await.problem(), (409, "wrong-status"));
    assert_eq!(sakura.resolve(&id, "desk-1", "decline", false).await.status, 200);
    assert_eq!(sakura.resolve(&id, "desk-1", "decline", true).await.problem(), (409, "second-person-needed"));
    assert_eq!(sakura.resolve(&id, "desk-2", "decline", true).await.status, 200);
    assert_eq!(sakura.waiting(9).await, [(id.clone(), json!(["give_back_failed"]))]);
    // It found another way: two people say so, and nothing waits any more.
    assert_eq!(sakura.resolve(&id, "desk-1", "settle", false).await.status, 200);
    assert_eq!(sakura.resolve(&id, "desk-2", "settle", true).await.status, 200);
    let done = sakura.seen(&id).await["give_back"].clone();
    assert_eq!((&done["status"], &done["otherwise"]), (&json!("done"), &json!(true)), "{done}");
    assert_eq!(sakura.waiting(9).await, []);
    // The bank makes it all the same: the account has it twice, and somebody must look.
    sakura.tell(json!({ "type": "return.settled", "reference": done["id"], "amount": 5_000, "code": 9 })).await;
    assert_eq!(sakura.waiting(9).await, [(id.clone(), json!(["contradicted"]))]);
    assert_eq!(sakura.resolve(&id, "desk-1", "settle", false).await.status, 200);
    assert_eq!(sakura.resolve(&id, "desk-2", "settle", true).await.status, 200);
    assert_eq!(sakura.seen(&id).await["give_back"]["otherwise"], false);
    assert_eq!(sakura.waiting(9).await, []);
}

#[tokio::test]
async fn a_give_back_that_the_bank_could_not_and_then_could_is_not_taken_for_done() {
    let sakura = linked().await;
    sakura.world.gateway.with(|stand| stand.return_script = Some((202, "pending")));
    let id = sakura.returned(5_000).await;
    let give_back = sakura.seen(&id).await["give_back"].clone();
    let told = json!({ "type": "return.contradicted", "reference": give_back["id"], "amount": 5_000,
        "claim": "moved", "claimed_amount": 5_000 });
    sakura.tell(told).await;
    assert_eq!(sakura.seen(&id).await["give_back"]["status"], "pending", "the gateway heard both words of the bank");
    assert_eq!(sakura.waiting(9).await, [(id.clone(), json!(["contradicted"]))]);
    // Two people find that the account has it.
    assert_eq!(sakura.resolve(&id, "desk-1", "settle", false).await.status, 200);
    assert_eq!(sakura.resolve(&id, "desk-2", "settle", true).await.status, 200);
    assert_eq!(sakura.seen(&id).await["give_back"]["status"], "done");
    assert_eq!(sakura.waiting(9).await, []);
}

#[tokio::test]
async fn a_give_back_of_another_amount_is_not_taken_for_done() {
    let sakura = linked().await;
    sakura.world.gateway.with(|stand| stand.return_amount = Some(400));
    let id = sakura.returned(1_000).await;
    assert_eq!(sakura.waiting(9).await, [(id.clone(), json!(["contradicted"]))]);
    let seen = sakura.seen(&id).await;
    assert_eq!(
        (&seen["give_back"]["status"], &seen["claims"][0]["amount"]),
        (&json!("pending"), &json!(400)),
        "{seen}"
    );

    sakura.world.gateway.with(|stand| (stand.return_amount, stand.return_script) = (None, Some((202, "pending"))));
    let id = sakura.returned(2_000).await;
    let told = json!({ "type": "return.settled", "reference": sakura.seen(&id).await["give_back"]["id"],
        "amount": 2_000, "settled_amount": 20_000 });
    sakura.tell(told).await;
    let seen = sakura.seen(&id).await;
    assert_eq!(
        (&seen["give_back"]["status"], &seen["claims"][0]["amount"]),
        (&json!("pending"), &json!(20_000)),
        "{seen}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_two_is_done_once_by_two() {
    let sakura = linked().await;
    let id = sakura.top_up(5_000).await;
    let told = json!({ "type": "debit.contradicted", "reference": id, "amount": 5_000,
        "claim": "taken_back", "claimed_amount": 5_000 });
    sakura.tell(told).await;
    let path = format!("/movements/{id}/resolution");
    // Whoever may only approve proposes nothing, and whoever may only propose approves nothing.
    assert_eq!(sakura.resolve(&id, "desk-5", "decline", false).await.problem(), (403, "role-needed"));
    assert_eq!(sakura.resolve(&id, "desk-4", "decline", true).await.problem(), (403, "role-needed"));
    assert_eq!(sakura.resolve(&id, "desk-1", "decline", false).await.status, 200);
    // A second session of the same person is the same person; another proposal is another's to approve.
    for _ in 0..2 {
        assert_eq!(sakura.resolve(&id, "desk-1", "decline", true).await.problem(), (409, "second-person-needed"));
    }
    assert_eq!(sakura.resolve(&id, "desk-2", "keep", false).await.status, 200);
    assert_eq!(
        sakura.resolve(&id, "desk-5", "decline", true).await.problem(),
        (409, "contradiction"),
        "not that any more"
    );
    assert_eq!(sakura.resolve(&id, "desk-1", "decline", false).await.status, 200);

    // Everybody at once: one approval counts, and the money moves once.
    let approve = json!({ "resolution": "decline", "approve": true, "reason": "銀行に確認" });
    let (sakura, mut approvals) = (Arc::new(sakura), JoinSet::new());
    for staff in ["desk-1", "desk-2", "desk-5"].into_iter().cycle().take(21) {
        let (sakura, path, approve) = (Arc::clone(&sakura), path.clone(), approve.clone());
        approvals.spawn(async move { sakura.desk(&path, staff, approve).await });
    }
    let answers = approvals.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    let refused = |answer: &&Answer| answer.status != 200;
    for answer in answers.iter().filter(refused) {
        assert!(matches!(answer.problem(), (409, "second-person-needed" | "wrong-status")), "{}", answer.text);
    }
    assert_eq!(sakura.seen(&id).await["status"], "reversed");
    assert_eq!(sakura.world.funds(&sakura.token, &sakura.wallet).await, 0);
    let wallet = sakura.wallet.strip_prefix("/v1").expect("a path");
    assert_eq!(call(&sakura.world, "GET", wallet, "desk-3", None).await.body["owed"], 0, "it was all there");
}

#[tokio::test]
async fn a_give_back_that_is_not_taken_waits_for_the_desk() {
    let sakura = linked().await;
    for (status, name) in [(404, "unknown"), (422, "over-limit"), (422, "wrong-status")] {
        sakura.world.gateway.with(|stand| stand.return_script = Some((status, name)));
        let id = sakura.returned(1_000).await;
        assert_eq!(sakura.waiting(9).await, [(id.clone(), json!(["give_back_failed"]))], "{name}");
        sakura.world.gateway.with(|stand| stand.return_script = None);
        let again = format!("/movements/{id}/give-back");
        assert_eq!(sakura.desk(&again, "desk-5", json!({ "reason": "直った" })).await.problem(), (403, "role-needed"));
        assert_eq!(sakura.desk(&again, "desk-4", json!({ "reason": "直った" })).await.text("status"), "returned");
        sakura.world.run_due().await;
        assert_eq!(sakura.seen(&id).await["give_back"]["status"], "done");
        assert_eq!(sakura.desk(&again, "desk-4", json!({ "reason": "直った" })).await.problem(), (409, "wrong-status"));
        assert_eq!(sakura.waiting(9).await, []);
    }
}

#[tokio::test]
async fn a_give_back_that_is_never_answered_is_shown_and_asked_on() {
    let sakura = linked().await;
    for (status, name) in [(409, "reference-taken"), (422, "stopped"), (403, "forbidden")] {
        sakura.world.gateway.with(|stand| stand.return_script = Some((status, name)));
        let id = sakura.returned(1_000).await;
        for _ in 0..8 {
            sakura.world.advance(120_000);
            sakura.world.run_due().await;
        }
        assert_eq!(sakura.waiting(9).await, [(id.clone(), json!(["unanswered"]))], "{name}");
        let in_doubt = call(&sakura.world, "GET", "/in-doubt?limit=5", "desk-3", None).await;
        assert_eq!(in_doubt.body["data"][0]["id"], id, "{}", in_doubt.text);
        sakura.world.gateway.with(|stand| stand.return_script = None);
        sakura.world.advance(3_600_000);
        sakura.world.run_due().await;
        assert_eq!(sakura.seen(&id).await["give_back"]["status"], "done", "{name}");
        assert_eq!(sakura.waiting(9).await, []);
    }
}

/// Holds what is worth more than 100 yen.
fn hold(attempt: &Attempt<'_>) -> Verdict {
    if attempt.amount.amount() > 100 { Verdict::Hold { reason: 7 } } else { Verdict::Allow }
}

#[tokio::test]
async fn the_list_is_whole_page_by_page_and_after_the_file_is_lost() {
    let world = World::in_context(Context { guard: hold, ..super::world::context() });
    let mut sakura = linked_in(world).await;
    let mut expected = Vec::new();
    for n in 0..7 {
        expected.push((sakura.top_up(101 + n).await, json!(["held"])));
    }
    sakura.world.gateway.with(|stand| stand.script = Script::WrongAmount(50));
    expected.push((sakura.top_up(100).await, json!(["mismatched"])));
    sakura.world.gateway.with(|stand| stand.script = Script::Settle);
    sakura.top_up(100).await;
    let decided = expected.remove(3).0;
    let released = sakura
        .desk(&format!("/movements/{decided}/decision"), "desk-4", json!({ "release": true, "reason": "確認済み" }))
        .await;
    assert_eq!(released.text("status"), "pending", "{}", released.text);
    expected.sort_by(|one, other| one.0.cmp(&other.0));
    for limit in [1, 2, 3, 100] {
        assert_eq!(sakura.waiting(limit).await, expected, "{limit} a page");
    }
    sakura.world.restart(true);
    assert_eq!(sakura.waiting(3).await, expected, "it is made again from the journal");
    let metrics = sakura.world.get("/metrics", None).await;
    assert!(metrics.text.contains("kinchaku_waiting_for_desk"), "{}", metrics.text);
}

#[tokio::test]
async fn a_debt_is_written_off_by_two_people() {
    let sakura = linked().await;
    let id = sakura.top_up(5_000).await;
    let (shop, _) = sakura.world.shop("Soba").await;
    let pay = json!({ "shop_id": shop.to_string(), "amount": 4_000 });
    let paid = sakura.world.post(&format!("{}/payments", sakura.wallet), Some(&sakura.token), pay).await;
    assert_eq!(paid.status, 201, "{}", paid.text);
    sakura.tell(json!({ "type": "debit.reversed", "reference": id, "amount": 5_000 })).await;
    let wallet = sakura.wallet.strip_prefix("/v1").expect("a path");
    let path = format!("{wallet}/write-off");
    let write_off = |amount: i64, approve| json!({ "amount": amount, "approve": approve, "reason": "回収不能" });
    assert_eq!(sakura.desk(&path, "desk-1", write_off(3_999, false)).await.problem(), (409, "contradiction"));
    assert_eq!(sakura.desk(&path, "desk-5", write_off(4_000, false)).await.problem(), (403, "role-needed"));
    assert_eq!(sakura.desk(&path, "desk-1", write_off(4_000, false)).await.status, 200);
    assert_eq!(sakura.waiting(9).await[0].1, json!(["write_off_proposed"]));
    assert_eq!(sakura.desk(&path, "desk-1", write_off(4_000, true)).await.problem(), (409, "second-person-needed"));
    assert_eq!(sakura.desk(&path, "desk-4", write_off(4_000, true)).await.problem(), (403, "role-needed"));
    assert_eq!(sakura.desk(&path, "desk-5", write_off(4_000, true)).await.status, 200);
    let seen = call(&sakura.world, "GET", wallet, "desk-3", None).await;
    assert_eq!(seen.body["owed"], 0, "{}", seen.text);
    assert_eq!(sakura.waiting(9).await, []);
}

#[tokio::test]
async fn a_silent_bank_delays_only_itself() {
    let sakura = linked().await;
    sakura.world.gateway.with(|stand| stand.account_ref = "acr_2".into());
    let other = sakura.world.link_at("0150", "sakura", &sakura.token, &sakura.wallet).await;
    sakura.world.gateway.with(|stand| stand.script = Script::Wait);
    let mut slow = Vec::new();
    for _ in 0..20 {
        slow.push(sakura.top_up(100).await);
    }
    let quick = sakura.world.top_up(&sakura.token, &sakura.wallet, &other, 100).await.text("id");
    let settle = |id: &str| {
        sakura.world.gateway.with(|stand| {
            let known = stand.movements.get_mut(id).expect("it was asked for");
            known["status"] = "settled".into();
        });
    };
    for id in &slow {
        settle(id);
    }
    settle(&quick);
    sakura.world.gateway.with(|stand| stand.silent.insert("gmd_1".into()));
    sakura.world.advance(60_000);
    let now = sakura.world.now();
    // The silent bank's twenty are due before the other's one; no step waits for them.
    for _ in 0..3 {
        sakura.world.server.run_turn(Turn::Banks, now, 4).await;
        tokio::task::yield_now().await;
    }
    while sakura.seen(&quick).await["status"] != "settled" {
        sakura.world.server.run_turn(Turn::Banks, now, 4).await;
    }
    assert_eq!(sakura.seen(&slow[0]).await["status"], "in_doubt", "its bank has not answered");
    sakura.world.gateway.let_answer();
    for _ in 0..10 {
        sakura.world.run_due().await;
        sakura.world.advance(60_000);
    }
    for id in &slow {
        assert_eq!(sakura.seen(id).await["status"], "settled");
    }
}
