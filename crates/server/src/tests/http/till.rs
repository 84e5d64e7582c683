//! People with money, and shops: put into the books by commands, so that a test begins where money moves.

use super::world::{Answer, World};
use crate::entrance::{Holder, SYSTEM};
use crate::shops::{PURPOSE, ShopName, ShopToken};
use domain::Id;
use ledger::Yen;
use serde_json::{Value, json};
use wallet::bank_answer::{self, AnswerSource, Outcome};
use wallet::mandate::{self, Grant, NameGrade};
use wallet::{
    BankAccountId, BankCode, BonusId, CampaignId, Command, HolderId, IdentificationMethod, MandateId, PersonId,
    Receipt, ShopId, TopUpId, WalletId, bonus, holder, shop, top_up, voucher,
};

/// A holder who is logged in, with a wallet.
pub struct Person {
    pub name: String,
    pub token: String,
    pub holder: HolderId,
    pub wallet: WalletId,
}

impl Person {
    /// A path of their wallet.
    pub fn path(&self, rest: &str) -> String {
        format!("/v1/wallets/{}{rest}", self.wallet)
    }
}

impl World {
    /// A command of the product itself: it is carried out.
    pub async fn run(&self, command: Command) -> Receipt {
        let name = format!("{command:?}");
        let receipt = self.server.service().submit(SYSTEM, None, command).await;
        receipt.unwrap_or_else(|problem| panic!("{name}: {problem}"))
    }

    pub fn fresh(&self) -> Id {
        self.server.service().id()
    }

    /// An identified person with an empty wallet, whose device is known.
    pub async fn person(&self, name: &str) -> Person {
        let person = self.stranger(name).await;
        self.trust(&person);
        person
    }

    /// The same, whose device is new.
    pub async fn stranger(&self, name: &str) -> Person {
        let holder: HolderId = self.join(name).await.parse().expect("an id");
        let (person, wallet) = (PersonId(self.fresh()), WalletId(self.fresh()));
        let method = IdentificationMethod::ChipAndFace;
        self.run(Command::Holder(holder::Command::Identify { holder, person, method, profile: None })).await;
        self.run(Command::Wallet(wallet::wallet::Command::Open { wallet, holder, origin: None })).await;
        Person { name: name.into(), token: self.log_in(name).await, holder, wallet }
    }

    /// The person is found to be called otherwise.
    pub async fn rename(&self, person: &Person, family_name: &str) {
        let service = self.server.service();
        let row = service.holder(person.holder).await.expect("they are there");
        let plain = service.unseal(person.holder, &row.profile.0).expect("it opens");
        let mut profile: crate::profile::Profile = serde_json::from_slice(&plain).expect("a profile");
        profile.family_name = family_name.into();
        let plain = serde_json::to_vec(&profile).expect("JSON");
        let profile = Some(service.seal(person.holder, &plain).expect("it is sealed"));
        let (holder, method) = (person.holder, IdentificationMethod::ChipAndFace);
        let identify = holder::Command::Identify { holder, person: row.person.expect("known"), method, profile };
        self.run(Command::Holder(identify)).await;
    }

    /// From now on the device of this session is the person's own.
    pub fn trust(&self, person: &Person) {
        let service = self.server.service();
        let session = service.session(&person.token).expect("the doors open").expect("a session");
        let origin = service.origin([127, 0, 0, 1].into(), None);
        service.know_device(&Holder { id: person.holder, session, origin, site: None }).expect("it is kept");
    }

    /// Points, to be spent in shops.
    pub async fn give(&self, person: &Person, amount: i64) {
        let (bonus, campaign) = (BonusId(self.fresh()), CampaignId(Id::default()));
        let (wallet, amount) = (person.wallet, Yen::new(amount));
        self.run(Command::Bonus(bonus::Command::Give { bonus, campaign, wallet, amount })).await;
    }

    /// A bank account of the person's own, linked and confirmed.
    pub async fn own_account(&self, person: &Person) -> (MandateId, BankAccountId) {
        let (mandate, bank_account) = (MandateId(self.fresh()), BankAccountId(self.fresh()));
        let (wallet, holder, bank) = (person.wallet, person.holder, BankCode::new(125).expect("a code"));
        let grant = Grant {
            bank_account,
            name: NameGrade::Match,
            birth_date_matches: true,
            factors_strong: true,
            contact_notified: true,
        };
        let request = mandate::Request { mandate, wallet, holder, bank, origin: None, proof: None };
        for command in [
            mandate::Command::Request(request),
            mandate::Command::Grant { mandate, grant },
            mandate::Command::Confirm { mandate, holder, bank_account },
            mandate::Command::ConfirmByTrueHolder { mandate },
        ] {
            self.run(Command::Mandate(command)).await;
        }
        (mandate, bank_account)
    }

    /// Money from the bank, a day old.
    pub async fn fund(&self, person: &Person, amount: i64) -> BankAccountId {
        let (mandate, bank_account) = self.own_account(person).await;
        let (top_up, amount) = (TopUpId(self.fresh()), Yen::new(amount));
        let (wallet, holder) = (person.wallet, person.holder);
        let request = top_up::Request { top_up, wallet, holder, mandate, amount, origin: None, proof: None };
        self.run(Command::TopUp(top_up::Command::Request(request))).await;
        let answer = bank_answer::Answer { outcome: Outcome::Settled { amount }, source: AnswerSource::Request };
        let give_back = wallet::GiveBackId(self.fresh());
        self.run(Command::TopUp(top_up::Command::Answer { top_up, answer, give_back })).await;
        self.advance(25 * 60 * 60 * 1_000);
        bank_account
    }

    /// A voucher with this code.
    pub async fn voucher(&self, code: &str, amount: i64) {
        let (voucher, amount) = (self.server.service().voucher_id(code), Yen::new(amount));
        let expires = self.server.service().now().plus_milliseconds(86_400_000_000);
        self.run(Command::Voucher(voucher::Command::Issue { voucher, amount, expires, by: None })).await;
    }

    /// A shop with a token.
    pub async fn shop(&self, name: &str) -> (ShopId, String) {
        let (shop, service) = (ShopId(self.fresh()), self.server.service());
        self.run(Command::Shop(shop::Command::Open { shop })).await;
        let token = format!("token of {name}");
        let hash = service.keys.secret(PURPOSE, &token);
        let kept = ShopToken { token: hash, shop, name: self.fresh(), made: service.now(), until: None };
        service.doors.put(&kept).expect("it is kept");
        service.doors.put(&ShopName { shop, name: name.into() }).expect("it is kept");
        (shop, token)
    }

    /// A code that the person shows.
    pub async fn code(&self, person: &Person) -> String {
        let issued = self.post(&person.path("/payment-codes"), Some(&person.token), json!({})).await;
        assert_eq!(issued.status, 201, "{}", issued.text);
        issued.text("code")
    }

    /// Whoever has `token` looks at whom a send to `to` would reach. What shows that they did.
    pub async fn look(&self, token: &str, to: WalletId) -> String {
        let seen = self.get(&format!("/v1/recipients?wallet_id={to}"), Some(token)).await;
        seen.text("recipient_token")
    }

    /// Asks for something that takes a proof: gives it, and asks again.
    pub async fn post_proven(&self, person: &Person, path: &str, body: &Value) -> Answer {
        self.prove(&person.name, &person.token, path, body).await
    }

    /// The same by somebody who reads their mail.
    pub async fn prove(&self, name: &str, token: &str, path: &str, body: &Value) -> Answer {
        let key = self.key();
        let refused = self.post_with(path, Some(token), &key, body).await;
        assert_eq!(refused.problem(), (403, "step-up-required"), "{}", refused.text);
        let challenge = refused.text("challenge_id");
        let answers = format!("/v1/challenges/{challenge}");
        let begun = self.post(&answers, Some(token), json!({})).await;
        if begun.body["status"] == "pending" {
            let code = self.inbox.code(&super::world::mail(name));
            let answered = self.post(&answers, Some(token), json!({ "code": code })).await;
            assert_eq!(answered.body["status"], "approved", "{}", answered.text);
        }
        let mut body = body.clone();
        body["challenge_id"] = challenge.into();
        self.post_with(path, Some(token), &key, &body).await
    }

    /// What is in the wallet, by the list's newest line.
    pub async fn balance(&self, person: &Person) -> i64 {
        let listed = self.get(&person.path("/movements?limit=1"), Some(&person.token)).await;
        assert_eq!(listed.status, 200, "{}", listed.text);
        listed.body["data"][0]["balance_after"].as_i64().unwrap_or(0)
    }
}

impl World {
    /// The same person, logged in again after time has passed, on a device that is known.
    pub async fn again(&self, person: Person) -> Person {
        let person = Person { token: self.log_in(&person.name).await, ..person };
        self.trust(&person);
        person
    }
}
