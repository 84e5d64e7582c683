//! A holder of a wallet, as their device acts for them: joins, is identified, links an account, tops up, pays, sends, pays out.
//!
//! Honest people and criminals use the same steps; what differs is what they can show ([`Means`]) and what they know of a bank
//! account ([`Credentials`]). A refusal carries the name of the control that made it. Start reading at [`Holder`].

mod link;

use super::client::{Answer, Client, DESK, OUTSIDE, Shown, WALLET};
use super::controls::{self, Control};
use http::Method;
use sandbox::domain::account::{AccountNumber, Customer};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use web::jose::{SigningKey, dpop};

/// Things to be proven of a person before something is done for them.
const TIERS: usize = 2;
/// Digits of a code that the wallet sends, at least.
const CODE_DIGITS: usize = 6;
/// The newest messages that are searched for a code.
const MESSAGES_MAX: usize = 5;

/// Who somebody says they are, and what they have to show for it.
#[derive(Clone, Debug)]
pub struct Means {
    /// The mail address, whose inbox is theirs.
    pub mail: String,
    /// The password.
    pub password: String,
    /// A telephone that is theirs.
    pub phone: Option<String>,
    /// The number on their identity document.
    pub document: Option<String>,
    /// Family and given name, in letters and in kana.
    pub names: [String; 4],
    /// The birth date that they say: `1985-04-12`.
    pub birth_date: String,
}

/// What somebody knows of a bank account.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Which account.
    pub account: AccountNumber,
    /// The name in kana, as the bank writes it.
    pub name_kana: String,
    /// The PIN, or a guess.
    pub pin: String,
    /// The birth date, or a guess.
    pub birth_date: String,
    /// What the account's own holder has in hand: card, token, telephone, passbook.
    pub in_hand: Option<Box<Customer>>,
}

impl Credentials {
    /// The account as a path of the sandbox names it.
    pub fn path(&self) -> String {
        path(self.account)
    }
}

/// `account` as a path of the sandbox names it.
pub fn path(account: AccountNumber) -> String {
    let number = format!("{}-{}-{}", account.branch_text(), account.kind.name(), account.number_text());
    format!("{OUTSIDE}/sandbox/v1/banks/{}/accounts/{number}", account.bank)
}

/// A step that was not done, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What made it so.
    pub by: Control,
    /// What would have been possible, in yen, where the answer said so.
    pub left: Option<i64>,
}

/// A top-up that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its id.
    pub id: String,
    /// How it stands: `settled`, `declined`, `held` and others.
    pub status: String,
}

/// What a form of the bank came to.
#[derive(Debug)]
pub enum Typed {
    /// The account is linked.
    Linked,
    /// It did not work; the form is there again.
    Again(Box<Shown>),
    /// It is over.
    Over(Refused),
}

/// A holder, at their device.
pub struct Holder<'s> {
    /// The device.
    pub client: Client<'s>,
    /// What they can show.
    pub means: Means,
    /// How often they proved something: a login, a code, a look at their face.
    pub authentications: u64,
    /// How often of these a step asked for a proof of its own.
    pub challenges: u64,
    /// Whether codes that are sent to the mail address and the telephone come to whoever holds this device.
    hears: bool,
    is_identified: bool,
    is_device_known: bool,
    device: SigningKey,
    id: String,
    wallet: String,
    mandate: Option<String>,
}

impl<'s> Holder<'s> {
    /// Somebody at `client` who is no holder yet.
    pub fn new(client: Client<'s>, means: Means) -> Self {
        Self::at(client, means, true, b"")
    }

    /// A stranger at `client` who has the login of a holder, and hears what is sent to them or not.
    pub fn taken_over(client: Client<'s>, means: Means, hears: bool) -> Self {
        Self::at(client, means, hears, b"another device of ")
    }

    fn at(client: Client<'s>, means: Means, hears: bool, which: &[u8]) -> Self {
        let device = SigningKey::eddsa(blake3::hash(&[which, means.mail.as_bytes()].concat()).as_bytes());
        let (id, wallet) = (String::new(), String::new());
        Self {
            client,
            means,
            authentications: 0,
            challenges: 0,
            hears,
            is_identified: false,
            is_device_known: false,
            device,
            id,
            wallet,
            mandate: None,
        }
    }

    /// Their wallet.
    pub fn wallet(&self) -> &str {
        &self.wallet
    }

    /// Their telephone is lost: from now on they have a device that nobody knows, and are logged in nowhere.
    pub fn lose_device(&mut self) {
        let seed = blake3::hash(&[self.means.mail.as_bytes(), b"\0another"].concat());
        self.device = SigningKey::eddsa(seed.as_bytes());
        self.client.log_in(None);
        self.is_device_known = false;
    }

    /// They use a telephone of that family, which others use too.
    pub fn share_device(&mut self, family: u32) {
        self.device = SigningKey::eddsa(blake3::hash(format!("family {family}").as_bytes()).as_bytes());
    }

    /// Whether something was done by this device for which a proof was given: what is done by another one takes one first.
    pub const fn is_device_known(&self) -> bool {
        self.is_device_known
    }

    /// Whether an account is linked.
    pub const fn is_linked(&self) -> bool {
        self.mandate.is_some()
    }

    /// Joins with a mail address, reads the code there, logs in and opens a wallet.
    pub async fn join(&mut self) -> Result<(), Refused> {
        let Means { mail, password, names: [family, given, family_kana, given_kana], birth_date, .. } = &self.means;
        let body = json!({
            "email": mail, "password": password, "family_name": family, "given_name": given,
            "family_kana": family_kana, "given_kana": given_kana, "birth_date": birth_date,
        });
        let opened = done(self.client.post("/v1/holders", body).await)?;
        opened.member("id").unwrap_or_default().clone_into(&mut self.id);
        let code = self.code(&self.means.mail).await?;
        let path = format!("/v1/holders/{}/email-verification", self.id);
        done(self.client.post(&path, json!({ "code": code })).await)?;
        self.authentications += 1;
        self.log_in().await?;
        let opened = done(self.client.post("/v1/wallets", json!({})).await)?;
        opened.member("id").unwrap_or_default().clone_into(&mut self.wallet);
        Ok(())
    }

    /// Logs in.
    pub async fn log_in(&mut self) -> Result<(), Refused> {
        let url = format!("{WALLET}/v1/sessions");
        let call = dpop::Call { method: "POST", url: &url, access_token: None };
        let stage = self.client.stage;
        let proof = dpop::prove(&self.device, call, stage.now(), &stage.key(), None);
        let body = json!({ "email": self.means.mail, "password": self.means.password, "device": { "proof": proof } });
        let session = done(self.client.post("/v1/sessions", body).await)?;
        self.client.log_in(session.member("token").map(str::to_owned));
        self.authentications += 1;
        Ok(())
    }

    /// Logs in where there is a wallet, and looks which it is and what is linked.
    pub async fn enter(&mut self) -> Result<(), Refused> {
        self.log_in().await?;
        let wallets = done(self.ask(Method::GET, "/v1/wallets", &Value::Null).await)?;
        wallets.json["data"][0]["id"].as_str().unwrap_or_default().clone_into(&mut self.wallet);
        let path = format!("/v1/wallets/{}/mandates", self.wallet);
        let mandates = done(self.ask(Method::GET, &path, &Value::Null).await)?;
        let mut all = mandates.json["data"].as_array().into_iter().flatten();
        let active = all.find(|mandate| mandate["status"] == "active");
        self.mandate = active.and_then(|mandate| mandate["id"].as_str()).map(str::to_owned);
        Ok(())
    }

    /// Lets no money leave: one tap.
    pub async fn freeze(&mut self) -> Result<(), Refused> {
        let path = format!("/v1/wallets/{}/freeze", self.wallet);
        done(self.ask(Method::POST, &path, &json!({})).await).map(drop)
    }

    /// Asks the wallet as its holder, who logs in again where the session has ended.
    async fn ask(&mut self, method: Method, path: &str, body: &Value) -> Answer {
        let url = format!("{WALLET}{path}");
        let answer = self.client.ask(method.clone(), &url, body).await;
        if answer.status != 401 || self.log_in().await.is_err() {
            return answer;
        }
        self.client.ask(method, &url, body).await
    }

    /// Posts to a path of the wallet, and gives whatever proof is asked for, if they can.
    async fn provable(&mut self, path: &str, mut body: Value) -> Result<Answer, Refused> {
        let path = format!("/v1/wallets/{}/{path}", self.wallet);
        let mut answer = self.ask(Method::POST, &path, &body).await;
        // A link takes an identification and a telephone: each is asked for by itself.
        for _ in 0..TIERS {
            let needed = match answer.member("needed") {
                Some(tier) if answer.problem() == "tier-too-low" => tier.to_owned(),
                Some(_) | None if answer.text.contains("telephone not verified") => "phone".to_owned(),
                Some(_) | None => break,
            };
            self.rise(&needed).await?;
            answer = self.ask(Method::POST, &path, &body).await;
        }
        let Some(challenge) = answer.member("challenge_id").map(str::to_owned) else { return done(answer) };
        self.prove(&challenge).await?;
        body["challenge_id"] = challenge.into();
        let answer = done(self.ask(Method::POST, &path, &body).await)?;
        self.is_device_known = true;
        Ok(answer)
    }

    /// Gives the proof that a challenge asks for.
    async fn prove(&mut self, challenge: &str) -> Result<(), Refused> {
        let path = format!("/v1/challenges/{challenge}");
        let begun = done(self.ask(Method::POST, &path, &json!({})).await)?;
        (self.authentications, self.challenges) = (self.authentications + 1, self.challenges + 1);
        match (begun.member("way"), begun.member("status")) {
            (_, Some("approved")) => Ok(()),
            (Some("identity_recheck"), _) => {
                self.present(begun.member("url").unwrap_or_default()).await;
                let seen = done(self.ask(Method::GET, &path, &Value::Null).await)?;
                (seen.member("status") == Some("approved")).then_some(()).ok_or(refused(Control::Confirmation))
            }
            _ => {
                let to = self.means.phone.clone().unwrap_or_else(|| self.means.mail.clone());
                let code = match self.code(&to).await {
                    Ok(code) => code,
                    Err(_) => self.code(&self.means.mail).await?,
                };
                done(self.ask(Method::POST, &path, &json!({ "code": code })).await).map(drop)
            }
        }
    }

    /// Shows the identity vendor the document, if there is one.
    async fn present(&mut self, url: &str) {
        let Some(document) = self.means.document.clone() else { return };
        let page = self.client.open(url).await;
        let form = form_urlencoded::Serializer::new(String::new()).append_pair("document", &document).finish();
        self.client.send_form(&page.url, form).await;
    }

    /// Proves what the tier takes, if they can.
    async fn rise(&mut self, tier: &str) -> Result<(), Refused> {
        if tier == "phone" {
            return self.add_phone().await;
        }
        if self.means.document.is_none() {
            return Err(refused(Control::Identification));
        }
        let path = format!("/v1/holders/{}/identifications", self.id);
        let begun = done(self.ask(Method::POST, &path, &json!({ "method": "chip_and_face" })).await)?;
        self.authentications += 1;
        self.is_identified = begun.member("status") == Some("approved");
        if !self.is_identified {
            self.present(begun.member("url").unwrap_or_default()).await;
            let path = format!("{path}/{}", begun.member("id").unwrap_or_default());
            let seen = done(self.ask(Method::GET, &path, &Value::Null).await)?;
            self.is_identified = seen.member("status") == Some("approved");
        }
        self.is_identified.then_some(()).ok_or(refused(Control::Identification))
    }

    /// Shows who they are, if they have not yet: to send, to be sent something and to be paid out always took that.
    pub async fn be_identified(&mut self) -> Result<(), Refused> {
        if self.is_identified { Ok(()) } else { self.rise("identified").await }
    }

    async fn add_phone(&mut self) -> Result<(), Refused> {
        let Some(phone) = self.means.phone.clone() else { return Err(refused(Control::Phone)) };
        let path = format!("/v1/holders/{}/phone-verification", self.id);
        let mut body = json!({ "phone": phone });
        let asked = self.ask(Method::POST, &path, &body).await;
        if let Some(challenge) = asked.member("challenge_id").map(str::to_owned) {
            self.prove(&challenge).await?;
            body["challenge_id"] = challenge.into();
            done(self.ask(Method::POST, &path, &body).await)?;
            self.is_device_known = true;
        }
        let code = self.code(&phone).await?;
        done(self.ask(Method::POST, &format!("{path}/confirm"), &json!({ "code": code })).await)?;
        self.authentications += 1;
        Ok(())
    }

    /// The newest code that came to `to`; none where it does not come.
    async fn code(&self, to: &str) -> Result<String, Refused> {
        if !self.hears {
            return Err(refused(Control::Confirmation));
        }
        self.client.stage.deliver().await;
        let digits = self.messages(to).await.into_iter().find_map(|text| {
            let mut runs = text.split(|letter: char| !letter.is_ascii_digit());
            runs.find(|digits| digits.len() >= CODE_DIGITS).map(str::to_owned)
        });
        digits.ok_or(refused(Control::Phone))
    }

    /// The newest messages to `to`, an inbox of theirs.
    pub async fn messages(&self, to: &str) -> Vec<String> {
        let url = format!("{OUTSIDE}/sandbox/v1/inbox?to={to}&limit={MESSAGES_MAX}");
        let inbox = self.client.ask(Method::GET, &url, &Value::Null).await;
        let texts = inbox.json["data"].as_array().into_iter().flatten();
        texts.filter_map(|message| message["text"].as_str().map(str::to_owned)).collect()
    }

    /// Tops up by the linked account: what the wallet answered.
    pub async fn top_up(&mut self, amount: i64) -> Result<Asked, Refused> {
        let mandate = self.mandate.clone().unwrap_or_default();
        let answer = self.provable("top-ups", json!({ "mandate_id": mandate, "amount": amount })).await?;
        let member = |name| answer.member(name).unwrap_or_default().to_owned();
        Ok(Asked { id: member("id"), status: member("status") })
    }

    /// How a top-up stands.
    pub async fn look_at_top_up(&mut self, id: &str) -> Option<String> {
        let path = format!("/v1/wallets/{}/top-ups/{id}", self.wallet);
        self.ask(Method::GET, &path, &Value::Null).await.member("status").map(str::to_owned)
    }

    /// What is in an account of their own, as their bank tells them.
    pub async fn bank_balance(&mut self, known: &Credentials) -> i64 {
        let shown = self.client.ask(Method::GET, &known.path(), &Value::Null).await;
        shown.json["balance"].as_i64().unwrap_or(0)
    }

    /// Pays a shop.
    pub async fn pay(&mut self, shop: &str, amount: i64) -> Result<(), Refused> {
        self.provable("payments", json!({ "shop_id": shop, "amount": amount })).await.map(drop)
    }

    /// Shows a payment code to whoever is at the till of the shop with `token`, who charges it.
    pub async fn show_code(&mut self, token: &str, amount: i64) -> Result<(), Refused> {
        let shown = self.provable("payment-codes", json!({})).await?;
        let mut till = Client::new(self.client.stage, IpAddr::V4(Ipv4Addr::LOCALHOST));
        till.log_in(Some(token.to_owned()));
        let body = json!({ "payment_code": shown.member("code").unwrap_or_default(), "amount": amount });
        done(till.post("/v1/payments", body).await).map(drop)
    }

    /// Sends to another wallet, whose masked name they look at first.
    pub async fn send(&mut self, to: &str, amount: i64) -> Result<(), Refused> {
        let seen = self.ask(Method::GET, &format!("/v1/recipients?wallet_id={to}"), &Value::Null).await;
        let seen = done(seen)?;
        let token = seen.member("recipient_token").unwrap_or_default();
        let body = json!({ "to_wallet_id": to, "amount": amount, "recipient_token": token });
        moved(&self.provable("sends", body).await?)
    }

    /// Pays out to the linked account.
    pub async fn pay_out(&mut self, amount: i64) -> Result<(), Refused> {
        let path = format!("/v1/wallets/{}/bank-accounts", self.wallet);
        let accounts = done(self.ask(Method::GET, &path, &Value::Null).await)?;
        let account = accounts.json["data"][0]["id"].as_str().unwrap_or_default().to_owned();
        moved(&self.provable("payouts", json!({ "bank_account_id": account, "amount": amount })).await?)
    }

    /// What is in the wallet and what it may.
    pub async fn look(&mut self) -> Result<Value, Refused> {
        let path = format!("/v1/wallets/{}", self.wallet);
        done(self.ask(Method::GET, &path, &Value::Null).await).map(|answer| answer.json)
    }
}

/// Opens a shop at the desk: its id and its token.
pub async fn open_shop(client: &Client<'_>, name: &str) -> Result<(String, String), String> {
    let answer = client.ask(Method::POST, &format!("{DESK}/desk/v1/shops"), &json!({ "name": name })).await;
    let member = |name| answer.member(name).map(str::to_owned);
    member("id").zip(member("token")).ok_or_else(|| format!("the shop {name}: {}", answer.text))
}

fn done(answer: Answer) -> Result<Answer, Refused> {
    if answer.is_done() {
        return Ok(answer);
    }
    let left = answer.json["left"].as_i64().or_else(|| answer.json["available"].as_i64());
    Err(Refused { by: controls::of_problem(&answer), left })
}

/// What waits for a look has not moved.
fn moved(answer: &Answer) -> Result<(), Refused> {
    if answer.member("status") == Some("held") { Err(refused(Control::Monitoring)) } else { Ok(()) }
}

const fn refused(by: Control) -> Refused {
    Refused { by, left: None }
}
