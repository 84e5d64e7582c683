//! Cases: money of an account whose holder says "not me" is kept where it went, once, and the desk ends that by two; and where
//! the money of one of them, or of a top-up, is now.

use super::desk::call;
use super::till::Person;
use super::world::{World, mail};
use crate::news::NewsCursor;
use domain::Id;
use serde_json::{Value, json};
use wallet::BankAccountId;

const DAY_MS: i64 = 24 * 3_600_000;

/// Sakura has 10,000 yen of an account and sends haru 4,000 of it, who pays 1,000 and sends natsu 1,500.
struct Scene {
    world: World,
    sakura: Person,
    haru: Person,
    natsu: Person,
    shop: String,
    account: BankAccountId,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new();
        let (sakura, haru) = (world.person("sakura").await, world.person("haru").await);
        let (natsu, (shop, _)) = (world.person("natsu").await, world.shop("Soba").await);
        let account = world.fund(&sakura, 10_000).await;
        let sakura = world.again(sakura).await;
        send(&world, &sakura, &haru, 4_000).await;
        world.advance(2 * DAY_MS);
        let haru = world.again(haru).await;
        world.give(&haru, 300).await;
        let scene = Self { world, sakura, haru, natsu, shop: shop.to_string(), account };
        scene.pay(&scene.haru, 1_300, 201).await;
        send(&scene.world, &scene.haru, &scene.natsu, 1_500).await;
        let (sakura, natsu) = (scene.world.again(scene.sakura).await, scene.world.again(scene.natsu).await);
        Self { sakura, natsu, ..scene }
    }

    async fn pay(&self, person: &Person, amount: i64, status: u16) {
        let body = json!({ "shop_id": self.shop, "amount": amount });
        let paid = self.world.post(&person.path("/payments"), Some(&person.token), body).await;
        assert_eq!(paid.status, status, "{}", paid.text);
    }

    /// The news 1 is read.
    async fn disown(&self) {
        let at = domain::Time::from_milliseconds(1_789_441_200_000);
        self.world.server.service().open_case(1, at, self.account).await.expect("it is read");
    }

    async fn kept(&self) -> [i64; 3] {
        let mut kept = [0; 3];
        for (kept, person) in kept.iter_mut().zip([&self.sakura, &self.haru, &self.natsu]) {
            let shown = self.world.get(&person.path(""), Some(&person.token)).await;
            *kept = shown.body["balances"]["kept"].as_i64().expect("yen");
        }
        kept
    }

    /// The one case that there is, as the list has it.
    async fn listed(&self) -> Value {
        let listed = call(&self.world, "GET", "/cases", "desk-3", None).await;
        assert_eq!(listed.body["data"].as_array().map(Vec::len), Some(1), "{}", listed.text);
        listed.body["data"][0].clone()
    }

    async fn close(&self, staff: &str, finding: &str, approve: bool) -> super::world::Answer {
        let path = format!("/cases/{}/closing", self.listed().await["id"].as_str().expect("an id"));
        call(
            &self.world,
            "POST",
            &path,
            staff,
            Some(json!({ "finding": finding, "approve": approve, "reason": "調べた" })),
        )
        .await
    }
}

async fn send(world: &World, from: &Person, to: &Person, amount: i64) {
    let seen = world.look(&from.token, to.wallet).await;
    let body = json!({ "to_wallet_id": to.wallet.to_string(), "amount": amount, "recipient_token": seen });
    let sent = world.post_proven(from, &from.path("/sends"), &body).await;
    assert_eq!(sent.status, 201, "{}", sent.text);
}

#[tokio::test]
async fn money_of_a_disowned_account_is_kept_wherever_it_went_and_the_rest_stays_usable() {
    let scene = Scene::new().await;
    scene.disown().await;
    assert_eq!(scene.kept().await, [6_000, 1_500, 1_500], "a thousand was spent");
    let case = scene.listed().await;
    assert_eq!(
        (&case["status"], &case["wallets"], &case["caught"]),
        (&json!("open"), &json!(3), &json!(9_000)),
        "{case}"
    );
    let path = format!("/cases/{}", case["id"].as_str().expect("an id"));
    let whole = call(&scene.world, "GET", &path, "desk-3", None).await;
    assert_eq!(whole.body["mandates"].as_array().map(Vec::len), Some(1), "{}", whole.text);
    let kept = &whole.body["kept"];
    assert_eq!(
        (&kept[0]["linked"], &kept[0]["status"], &kept[0]["now"]),
        (&json!(true), &json!("frozen"), &json!(6_000))
    );
    assert_eq!(
        (&kept[1]["linked"], &kept[1]["status"], &kept[2]["now"]),
        (&json!(false), &json!("open"), &json!(1_500))
    );
    scene.world.give(&scene.haru, 200).await;
    scene.pay(&scene.haru, 201, 422).await;
    scene.pay(&scene.haru, 200, 201).await;
    scene.world.run_due().await;
    let told = scene.world.inbox.texts(&mail("haru"));
    assert!(
        told.iter().any(|text| text.contains("A part of your balance is kept") && text.contains("1500")),
        "{told:?}"
    );
    assert_eq!(call(&scene.world, "GET", "/cases/cas_x", "desk-3", None).await.problem(), (404, "not-found"));
    assert_eq!(call(&scene.world, "GET", "/cases", "nobody", None).await.problem(), (401, "unauthenticated"));
}

/// Where a trace finds the money of `subject`: the place, the wallet and how much; all of it accounted for.
async fn traced(world: &World, subject: &str) -> (Value, Vec<(String, String, i64)>) {
    let trace = call(world, "GET", &format!("/traces/{subject}"), "desk-3", None).await;
    assert_eq!((&trace.body["complete"], &trace.body["unexplained"]), (&json!(true), &json!(0)), "{}", trace.text);
    let text = |part: &Value, member: &str| part[member].as_str().expect("a text").to_owned();
    let part = |part: &Value| (text(part, "place"), text(part, "wallet_id"), part["amount"].as_i64().expect("yen"));
    let parts: Vec<_> = trace.body["parts"].as_array().expect("parts").iter().map(part).collect();
    let sum: i64 = parts.iter().map(|(_, _, amount)| amount).sum();
    assert_eq!(Some(sum), trace.body["amount"].as_i64(), "{}", trace.text);
    (trace.body, parts)
}

#[tokio::test]
async fn what_comes_back_to_a_closed_wallet_is_traced_into_suspense() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let mandate = world.link("sakura", &token, &wallet).await;
    let top_up = world.top_up(&token, &wallet, &mandate, 5_000).await.text("id");
    let closed = world.prove("sakura", &token, &format!("{wallet}/closure"), &json!({})).await;
    assert_eq!(closed.text("status"), "closed", "{}", closed.text);
    let name = wallet.strip_prefix("/v1/wallets/").expect("a path").to_owned();
    let (_, paid) = traced(&world, &top_up).await;
    assert_eq!(paid, [("bank_account".to_owned(), name.clone(), 5_000)]);
    let back = json!({ "type": "credit.reversed", "reference": closed.text("payout_id"), "amount": 5_000, "n": 1 });
    world.gateway.with(|stand| stand.events.push(back));
    world.advance(30_000);
    world.announce();
    world.run_due().await;
    let (_, came_back) = traced(&world, &top_up).await;
    assert_eq!(came_back, [("suspense".to_owned(), name, 5_000)]);
}

#[tokio::test]
async fn every_yen_of_a_case_is_traced_to_where_it_is_now() {
    let scene = Scene::new().await;
    scene.disown().await;
    let case = scene.listed().await["id"].as_str().expect("an id").to_owned();
    let (trace, parts) = traced(&scene.world, &case).await;
    let of = |person: &Person| person.wallet.to_string();
    let (sakura, haru, natsu) = (of(&scene.sakura), of(&scene.haru), of(&scene.natsu));
    let expected = [
        ("purse".to_owned(), sakura.clone(), 6_000),
        ("purse".to_owned(), haru.clone(), 1_500),
        ("shop".to_owned(), haru.clone(), 1_000),
        ("purse".to_owned(), natsu.clone(), 1_500),
    ];
    assert_eq!(parts, expected, "{trace}");
    let hops = trace["sends"].as_array().expect("sends");
    let ways: Vec<_> = hops.iter().map(|hop| (&hop["from_wallet_id"], &hop["to_wallet_id"], &hop["amount"])).collect();
    let (first, second) = ((json!(sakura), json!(haru)), (json!(haru), json!(natsu)));
    assert_eq!(ways, [(&first.0, &first.1, &json!(4_000)), (&second.0, &second.1, &json!(1_500))]);
    for (path, staff, problem) in [
        ("/traces/cas_x", "desk-3", (404, "not-found")),
        ("/traces/top_00000000000000000000000000000007", "desk-3", (404, "not-found")),
        (format!("/traces/{case}").as_str(), "desk-7", (403, "role-needed")),
    ] {
        assert_eq!(call(&scene.world, "GET", path, staff, None).await.problem(), problem, "{path}");
    }
}

#[tokio::test]
async fn a_top_up_is_traced_through_refunds_payouts_and_other_peoples_money() {
    let world = World::new();
    let (sakura, haru) = (world.person("sakura").await, world.person("haru").await);
    let (shop, till) = world.shop("Soba").await;
    let account = world.fund(&sakura, 10_000).await;
    let sakura = world.again(sakura).await;
    // Haru has money of their own beside it, and of what is mixed the traced yen are what is still there.
    world.fund(&haru, 3_000).await;
    let (sakura, haru) = (world.again(sakura).await, world.again(haru).await);
    let top_up = world.get(&sakura.path("/movements?kind=top_up"), Some(&sakura.token)).await;
    let top_up = top_up.body["data"][0]["id"].as_str().expect("an id").to_owned();
    let (_, parts) = traced(&world, &top_up).await;
    assert_eq!(parts, [("purse".to_owned(), sakura.wallet.to_string(), 10_000)]);
    let held = json!({ "payment_code": world.code(&sakura).await, "amount": 700, "capture": false });
    assert_eq!(world.post("/v1/payments", Some(&till), held).await.text("status"), "authorised");
    let paid = json!({ "payment_code": world.code(&sakura).await, "amount": 2_000 });
    let paid = world.post("/v1/payments", Some(&till), paid).await;
    let refund = json!({ "amount": 500 });
    assert!(
        world.post(&format!("/v1/payments/{}/refunds", paid.text("id")), Some(&till), refund).await.status.is_success()
    );
    let payout = json!({ "bank_account_id": account.to_string(), "amount": 1_000 });
    let payout = world.post_proven(&sakura, &sakura.path("/payouts"), &payout).await;
    assert!(payout.status.is_success(), "{}", payout.text);
    send(&world, &sakura, &haru, 2_500).await;
    let pay = json!({ "shop_id": shop.to_string(), "amount": 5_000 });
    let all = world.post(&haru.path("/payments"), Some(&haru.token), pay).await;
    assert_eq!(all.status, 201, "{}", all.text);
    let (trace, parts) = traced(&world, &top_up).await;
    let mut sums = std::collections::BTreeMap::<(String, String), i64>::new();
    for (place, wallet, amount) in parts {
        *sums.entry((place, wallet)).or_default() += amount;
    }
    let (of_sakura, of_haru) = (sakura.wallet.to_string(), haru.wallet.to_string());
    let at = |place: &str, wallet: &str| sums.get(&(place.to_owned(), wallet.to_owned())).copied().unwrap_or(0);
    assert_eq!(at("authorised", &of_sakura), 700, "{trace}");
    assert_eq!(at("shop", &of_sakura), 1_500, "what was refunded is back: {trace}");
    assert_eq!(at("payout_open", &of_sakura) + at("bank_account", &of_sakura), 1_000, "{trace}");
    assert_eq!(at("purse", &of_sakura), 10_000 - 700 - 1_500 - 1_000 - 2_500, "{trace}");
    assert_eq!((at("purse", &of_haru), at("shop", &of_haru)), (500, 2_000), "{trace}");
}

#[tokio::test]
async fn the_same_news_changes_nothing_after_the_desk_let_go() {
    let scene = Scene::new().await;
    scene.disown().await;
    let unfreeze = format!("/wallets/{}/unfreeze", scene.sakura.wallet);
    assert_eq!(
        call(&scene.world, "POST", &unfreeze, "desk-1", Some(json!({ "reason": "本人を確認" }))).await.text("status"),
        "open"
    );
    scene.disown().await;
    assert_eq!(scene.world.get(&scene.sakura.path(""), Some(&scene.sakura.token)).await.text("status"), "open");
    assert_eq!(scene.kept().await, [6_000, 1_500, 1_500]);

    assert_eq!(scene.close("desk-3", "unfounded", false).await.problem(), (403, "role-needed"));
    assert_eq!(scene.close("desk-2", "unfounded", true).await.problem(), (409, "contradiction"), "nobody proposed it");
    let proposed = scene.close("desk-1", "unfounded", false).await;
    assert_eq!(
        (&proposed.body["status"], &proposed.body["proposal"]["finding"]),
        (&json!("open"), &json!("unfounded"))
    );
    let closed = scene.close("desk-2", "unfounded", true).await;
    assert_eq!((&closed.body["status"], &closed.body["closed"]["finding"]), (&json!("closed"), &json!("unfounded")));
    assert_eq!(scene.kept().await, [0; 3]);
    scene.disown().await;
    assert_eq!((scene.kept().await, &scene.listed().await["status"]), ([0; 3], &json!("closed")));
    scene.pay(&scene.sakura, 100, 201).await;
}

#[tokio::test]
async fn news_that_are_read_twice_at_once_are_read_on_from_the_later_place() {
    let world = World::new();
    let service = world.server.service();
    let cursor = || service.doors.get::<NewsCursor>(Id::default()).expect("the doors open");
    service.read_until(7, None, None).expect("it is kept");
    let far = cursor();
    service.read_until(3, None, None).expect("it is left");
    assert_eq!(cursor(), far, "whoever is behind moves nothing");
    service.read_until(8, None, None).expect("it is kept");
    assert_ne!(cursor(), far);
}
