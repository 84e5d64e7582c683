//! Cases: money of an account whose holder says "not me" is kept where it went, once, and the desk ends that by two.

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
        call(&self.world, "POST", &path, staff, Some(json!({ "finding": finding, "approve": approve }))).await
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

#[tokio::test]
async fn the_same_news_changes_nothing_after_the_desk_let_go() {
    let scene = Scene::new().await;
    scene.disown().await;
    let unfreeze = format!("/wallets/{}/unfreeze", scene.sakura.wallet);
    assert_eq!(call(&scene.world, "POST", &unfreeze, "desk-1", Some(json!({}))).await.text("status"), "open");
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
    service.read_until(7, None).expect("it is kept");
    let far = cursor();
    service.read_until(3, None).expect("it is left");
    assert_eq!(cursor(), far, "whoever is behind moves nothing");
    service.read_until(8, None).expect("it is kept");
    assert_ne!(cursor(), far);
}
