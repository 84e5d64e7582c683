//! A new link debits little until the account's true holder confirms it, by a way that did not make it: the number on the cash
//! card, the bank's app, or a letter. Age alone never lifts that.

use super::browser::Browser;
use super::world::{Person, World, between};
use axum::http::Method;
use serde_json::{Value, json};

/// What a link debits on a date while nobody has confirmed it.
const UNCONFIRMED_PER_DAY: i64 = 10_000;
/// The time after a link in which it brings no more than that, confirmed or not; and a second.
const FIRST_DAY_SECONDS: i64 = 86_401;

impl World {
    /// The holder confirms the links of their account in the bank's app; it is in force when this returns.
    pub async fn confirm(&self, person: &Person) {
        let confirmed = self.confirm_by(person, "bank_app").await;
        assert_eq!(confirmed["data"].as_array().map(Vec::len), Some(1), "{confirmed}");
        self.is_confirmed(person).await;
    }

    async fn confirm_by(&self, person: &Person, channel: &str) -> Value {
        let path = format!("{}/confirmations", person.account_path());
        self.sandbox(Method::POST, &path, json!({ "channel": channel })).await
    }

    /// Waits until the wallet has heard of it.
    async fn is_confirmed(&self, person: &Person) {
        self.until("the link to be confirmed", async || {
            self.get(person, "{wallet}/mandates").await["data"][0]["confirmed"] == true
        })
        .await;
    }

    /// What the gateway's page says to the code of the notice with `typed` beside it.
    async fn type_on_page(&self, person: &Person, typed: (&str, &str)) -> String {
        let notice = self.message(person.account("phone"), "コード / Code: ").await;
        let code = between(&notice, "コード / Code: ", "\n");
        let mut browser = Browser::new(self);
        let page = browser.open(&self.url("gateway.localhost", "/confirm")).await;
        browser.submit(&page, "/confirm", &[("code", code), typed]).await.answer.text
    }
}

async fn takes(world: &World, person: &Person, mandate: &str, amount: i64, status: u16) {
    let answer = world.top_up(person, mandate, amount).await;
    assert_eq!(answer.status, status, "{amount} yen: {}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_on_the_cash_card_lifts_the_caps_of_a_new_link() {
    let world = World::start();
    let (person, mandate) = world.linked().await;
    takes(&world, &person, &mandate, UNCONFIRMED_PER_DAY, 201).await;
    takes(&world, &person, &mandate, 1, 422).await;
    let wrong = world.type_on_page(&person, ("card_serial", "000000")).await;
    assert!(wrong.contains("It could not be confirmed"), "{wrong}");
    takes(&world, &person, &mandate, 1, 422).await;
    let right = world.type_on_page(&person, ("card_serial", person.account("card_serial"))).await;
    assert!(right.contains("It is confirmed"), "{right}");
    world.is_confirmed(&person).await;
    world.advance(FIRST_DAY_SECONDS).await;
    takes(&world, &person, &mandate, 80_000, 201).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_from_the_bank_does() {
    let world = World::start();
    let (person, mandate) = world.linked().await;
    world.confirm_by(&person, "letter").await;
    takes(&world, &person, &mandate, UNCONFIRMED_PER_DAY + 1, 422).await;
    let address = format!("letter:{}-{}", person.account("branch"), person.account("number"));
    let letter = world.message(&address, "Number: ").await;
    let right = world.type_on_page(&person, ("letter", between(&letter, "Number: ", "\n"))).await;
    assert!(right.contains("It is confirmed"), "{right}");
    world.is_confirmed(&person).await;
    // Whoever was talked into confirming still has the link's first day to read of it: until then it brings no more.
    takes(&world, &person, &mandate, 80_000, 422).await;
    world.advance(FIRST_DAY_SECONDS).await;
    takes(&world, &person, &mandate, 80_000, 201).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_banks_app_does_and_age_does_not() {
    let world = World::start();
    let (person, mandate) = world.linked().await;
    for _ in 0..3 {
        takes(&world, &person, &mandate, UNCONFIRMED_PER_DAY, 201).await;
        world.advance(86_400).await;
    }
    world.advance(10 * 86_400).await;
    takes(&world, &person, &mandate, 1, 422).await;
    world.confirm(&person).await;
    takes(&world, &person, &mandate, 80_000, 201).await;
}
