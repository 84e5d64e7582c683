//! A victim is made whole: a thief's wallet took money of somebody's account, two people find that it was so, two give it
//! back, and the bank's own statement shows it. Then the same at a bank that takes it at the second time alone.

use super::browser::Browser;
use super::world::{BANK, Person, World, between};
use crate::check;
use axum::http::Method;
use serde_json::{Value, json};

/// What the thief takes on the first day: as much as a link debits that nobody has confirmed.
const TAKEN: i64 = 10_000;
/// Of that, what a shop has, and what went on to somebody else.
const SPENT: i64 = 3_000;
const SENT: i64 = 2_000;
/// What is still in wallets.
const LEFT: i64 = TAKEN - SPENT;

/// A wallet in the victim's name, with the thief's telephone, has debited the victim's account; the victim has said "not me",
/// and two people of the desk have found that it was so.
struct Scene {
    world: World,
    /// The thief's wallet, and the victim's account.
    thief: Person,
    case: String,
    top_up: String,
}

impl Scene {
    async fn new() -> Self {
        let world = World::start();
        let victim = json!({
            "family_name": "桜井", "given_name": "千代", "family_kana": "サクライ", "given_kana": "チヨ",
            "birth_date": "1961-03-04", "phone": "09000000001", "balance": 200_000,
        });
        let accounts = format!("/sandbox/v1/banks/{BANK}/accounts");
        let victim = world.sandbox(Method::POST, &accounts, victim).await;
        let number = format!("{}{}", text(&victim, "branch"), text(&victim, "number"));
        let wallet = json!({
            "account": { "bank_code": BANK, "number": number },
            "email": "thief@people.example", "phone": "08000000002",
        });
        let thief = Person::known(world.sandbox(Method::POST, "/sandbox/v1/holders", wallet).await);
        // The victim was talked out of what the bank sent to their telephone.
        let mandate = Browser::new(&world).link(&thief).await;
        let top_up = world.top_up(&thief, &mandate, TAKEN).await;
        assert_eq!(top_up.status, 201, "{}", top_up.text);
        pay_away(&world, &thief).await;
        say_not_me(&world, &thief).await;
        let first = async || world.desk("aoki", "/cases").await["data"][0]["id"].as_str().map(str::to_owned);
        let case = world.found("a case", first).await;
        let scene = Self { case, top_up: text(&top_up.json, "id"), world, thief };
        scene.all_is_kept().await;
        for (who, approve) in [("aoki", false), ("sato", true)] {
            let found = json!({ "finding": "upheld", "approve": approve, "reason": "本人の申出と銀行の照会" });
            scene.world.desk_says(who, &format!("/cases/{}/closing", scene.case), found, 200).await;
        }
        scene
    }

    /// Waits until the case keeps what is left in both wallets.
    async fn all_is_kept(&self) {
        let caught = async || self.world.desk("mori", &format!("/cases/{}", self.case)).await["caught"] == LEFT;
        self.world.until("what is left to be kept", caught).await;
    }

    /// One person proposes to give everything back, and another's word makes it so: the reimbursement's id.
    async fn approved(&self) -> String {
        let (case, top_up) = (&self.case, &self.top_up);
        let asked = json!({ "case_id": case, "top_up_id": top_up, "amount": TAKEN, "reason": "全額を補償する" });
        let proposed = self.world.desk_says("aoki", "/reimbursements", asked, 202).await;
        let (id, because) = (text(&proposed, "id"), json!({ "reason": "申出のとおり" }));
        let path = format!("/reimbursements/{id}/approve");
        self.world.desk_says("aoki", &path, because.clone(), 403).await;
        assert_eq!(self.world.statement(&self.thief).await, [-TAKEN], "one person alone moves nothing");
        self.world.desk_says("sato", &path, because, 202).await;
        id
    }

    /// Waits until the reimbursement has this status.
    async fn becomes(&self, id: &str, status: &str) -> Value {
        let path = format!("/reimbursements/{id}");
        let look = async || Some(self.world.desk("mori", &path).await).filter(|shown| shown["status"] == status);
        self.world.found(status, look).await
    }

    /// The money is at the bank, once; the trace names every yen; and the books of wallet and gateway add up.
    async fn check_made_whole(self) {
        self.world.bank_moved(&self.thief, &[TAKEN, -TAKEN]).await;
        let trace = self.world.desk("mori", &format!("/traces/{}", self.case)).await;
        assert_eq!((&trace["complete"], &trace["unexplained"]), (&json!(true), &json!(0)), "{trace}");
        let parts = trace["parts"].as_array().expect("parts");
        let sum = |place: &str| -> i64 {
            parts.iter().filter(|part| part["place"] == place).filter_map(|part| part["amount"].as_i64()).sum()
        };
        assert_eq!((sum("restored"), sum("shop")), (LEFT, SPENT), "{trace}");
        let Self { world, thief, case, .. } = self;
        world.advance(2 * 86_400).await;
        assert_eq!(world.statement(&thief).await, [TAKEN, -TAKEN]);
        assert_eq!(world.desk("mori", &format!("/cases/{case}")).await["status"], "closed");
        assert_eq!(world.desk("mori", "/held").await["data"], json!([]));
        let data = world.served.data();
        let mut served = world.served;
        assert_eq!(served.end(), Some(0));
        for what in ["verify", "replay", "balance"] {
            check(&["audit", what, "--data", data.join("wallet").to_str().expect("a path of letters")], 0, "");
        }
        check(&["audit", "verify", "--data", data.join("gateway").to_str().expect("a path of letters")], 0, "");
    }
}

impl World {
    /// What the operator's desk sees at `path`.
    async fn desk(&self, who: &str, path: &str) -> Value {
        let token = self.served.secret(&format!("desk-{who}"));
        let answer = self.ask(Method::GET, "desk.localhost", &format!("/desk/v1{path}"), &token, Value::Null).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json
    }

    /// Somebody of the operator's desk does something; what they are answered, with that status.
    async fn desk_says(&self, who: &str, path: &str, body: Value, status: u16) -> Value {
        let token = self.served.secret(&format!("desk-{who}"));
        let answer = self.ask(Method::POST, "desk.localhost", &format!("/desk/v1{path}"), &token, body).await;
        assert_eq!(answer.status, status, "{who} {path}: {}", answer.text);
        answer.json
    }
}

/// The thief pays at a shop, and sends what a friend is to keep.
async fn pay_away(world: &World, thief: &Person) {
    let shop = world.sandbox(Method::POST, "/sandbox/v1/shops", json!({ "name": "Aoba Books" })).await;
    let pay = json!({ "shop_id": shop["id"], "amount": SPENT });
    let paid = world.proven(thief, "{wallet}/payments", pay).await;
    assert_eq!(paid.status, 201, "{}", paid.text);
    let friend = world.person("0168").await;
    let seen = world.get(thief, &format!("/v1/recipients?wallet_id={}", friend.wallet)).await;
    let send = json!({
        "to_wallet_id": friend.wallet, "amount": SENT, "recipient_token": seen["recipient_token"],
    });
    let answer = world.proven(thief, "{wallet}/sends", send).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
}

/// The account's true holder types the code that their bank sent them.
async fn say_not_me(world: &World, person: &Person) {
    let notice = world.message(person.account("phone"), "コード / Code: ").await;
    let mut browser = Browser::new(world);
    let page = browser.open(&world.url("gateway.localhost", "/not-me")).await;
    let code = between(&notice, "コード / Code: ", "\n");
    let said = browser.submit(&page, "/not-me", &[("code", code)]).await.answer;
    assert!(said.status == 200 && said.text.contains("debits are stopped"), "{}", said.text);
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_else(|| panic!("{member} in {value}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stranger_took_comes_back_to_the_account_by_two_people_and_the_bank_shows_it() {
    let scene = Scene::new().await;
    let id = scene.approved().await;
    let done = scene.becomes(&id, "done").await;
    let parts = (&done["restitution"], &done["parked"], &done["expense"]);
    assert_eq!(parts, (&json!(LEFT), &json!(0), &json!(SPENT)), "{done}");
    scene.check_made_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_bank_does_not_take_stands_ready_for_another_reimbursement() {
    let scene = Scene::new().await;
    scene.world.faults(BANK, json!({ "credits": "refused" })).await;
    let first = scene.approved().await;
    scene.becomes(&first, "failed").await;
    assert_eq!(scene.world.statement(&scene.thief).await, [-TAKEN]);
    let held = scene.world.desk("mori", "/held").await;
    assert_eq!(
        (&held["data"][0]["id"], &held["data"][0]["reasons"][0]),
        (&json!(first), &json!("reimbursement_failed"))
    );
    scene.world.faults(BANK, json!({})).await;
    let second = scene.approved().await;
    let done = scene.becomes(&second, "done").await;
    let parts = (&done["restitution"], &done["parked"], &done["expense"]);
    assert_eq!(parts, (&json!(0), &json!(TAKEN), &json!(0)), "{done}");
    scene.check_made_whole().await;
}
