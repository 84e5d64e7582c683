//! A holder of a wallet, as their device acts for them: joins, is identified, links an account, tops up, pays, sends, pays out.
//!
//! Honest people and criminals use the same steps; what differs is what they can show ([`Means`]) and what they know of a bank
//! account ([`Credentials`]). A refusal carries the name of the control that made it. Start reading at [`Holder`].

use super::client::{Answer, Client, DESK, GATEWAY, OUTSIDE, Shown, WALLET, between};
use super::controls::{self, Control};
use http::Method;
use sandbox::domain::account::{self, AccountNumber, Customer};
use serde_json::{Value, json};
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
    device: SigningKey,
    id: String,
    wallet: String,
    mandate: Option<String>,
}

impl<'s> Holder<'s> {
    /// Somebody at `client` who is no holder yet.
    pub fn new(client: Client<'s>, means: Means) -> Self {
        let device = SigningKey::eddsa(blake3::hash(means.mail.as_bytes()).as_bytes());
        Self { client, means, authentications: 0, device, id: String::new(), wallet: String::new(), mandate: None }
    }

    /// Their wallet.
    pub fn wallet(&self) -> &str {
        &self.wallet
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
        done(self.ask(Method::POST, &path, &body).await)
    }

    /// Gives the proof that a challenge asks for.
    async fn prove(&mut self, challenge: &str) -> Result<(), Refused> {
        let path = format!("/v1/challenges/{challenge}");
        let begun = done(self.ask(Method::POST, &path, &json!({})).await)?;
        self.authentications += 1;
        match (begun.member("way"), begun.member("status")) {
            (_, Some("approved")) => Ok(()),
            (Some("identity_recheck"), _) => {
                self.present(begun.member("url").unwrap_or_default()).await;
                let seen = done(self.ask(Method::GET, &path, &Value::Null).await)?;
                (seen.member("status") == Some("approved")).then_some(()).ok_or(lacks(Control::Confirmation))
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
            return Err(lacks(Control::Identification));
        }
        let path = format!("/v1/holders/{}/identifications", self.id);
        let begun = done(self.ask(Method::POST, &path, &json!({ "method": "chip_and_face" })).await)?;
        self.authentications += 1;
        if begun.member("status") == Some("approved") {
            return Ok(());
        }
        self.present(begun.member("url").unwrap_or_default()).await;
        let path = format!("{path}/{}", begun.member("id").unwrap_or_default());
        let seen = done(self.ask(Method::GET, &path, &Value::Null).await)?;
        (seen.member("status") == Some("approved")).then_some(()).ok_or(lacks(Control::Identification))
    }

    async fn add_phone(&mut self) -> Result<(), Refused> {
        let Some(phone) = self.means.phone.clone() else { return Err(lacks(Control::Phone)) };
        let path = format!("/v1/holders/{}/phone-verification", self.id);
        let mut body = json!({ "phone": phone });
        let asked = self.ask(Method::POST, &path, &body).await;
        if let Some(challenge) = asked.member("challenge_id").map(str::to_owned) {
            self.prove(&challenge).await?;
            body["challenge_id"] = challenge.into();
            done(self.ask(Method::POST, &path, &body).await)?;
        }
        let code = self.code(&phone).await?;
        done(self.ask(Method::POST, &format!("{path}/confirm"), &json!({ "code": code })).await)?;
        self.authentications += 1;
        Ok(())
    }

    /// The newest code that came to `to`; none where it does not come.
    async fn code(&self, to: &str) -> Result<String, Refused> {
        self.client.stage.settle().await;
        let digits = self.messages(to).await.into_iter().find_map(|text| {
            let mut runs = text.split(|letter: char| !letter.is_ascii_digit());
            runs.find(|digits| digits.len() >= CODE_DIGITS).map(str::to_owned)
        });
        digits.ok_or(lacks(Control::Phone))
    }

    /// The newest messages to `to`, an inbox of theirs.
    pub async fn messages(&self, to: &str) -> Vec<String> {
        let url = format!("{OUTSIDE}/sandbox/v1/inbox?to={to}&limit={MESSAGES_MAX}");
        let inbox = self.client.ask(Method::GET, &url, &Value::Null).await;
        let texts = inbox.json["data"].as_array().into_iter().flatten();
        texts.filter_map(|message| message["text"].as_str().map(str::to_owned)).collect()
    }

    /// Begins to link an account at `bank`: the mandate, and the form in which the bank asks who it is.
    pub async fn begin_link(&mut self, bank: &str) -> Result<(String, Shown), Refused> {
        let asked = self.provable("mandates", json!({ "bank_code": bank })).await?;
        let mandate = asked.member("id").unwrap_or_default().to_owned();
        let mut page = self.client.open(&format!("{WALLET}/link/{mandate}")).await;
        if page.has_form("/login") {
            let typed = [("email", self.means.mail.clone()), ("password", self.means.password.clone())];
            let typed = typed.each_ref().map(|(name, value)| (*name, value.as_str()));
            page = self.client.submit(page, "/login", &typed).await;
            self.authentications += 1;
        }
        let page = self.client.submit(page, &format!("/link/{mandate}"), &[]).await;
        let form = self.client.submit(page, "/link/consent", &[]).await;
        if bank_form(&form).is_none() {
            return Err(refused(controls::of_page(&form.answer.text)));
        }
        Ok((mandate, form))
    }

    /// Types `known` into the bank's form, and what is asked for after it as far as they have it in hand.
    pub async fn type_in(&mut self, mandate: &str, form: Shown, known: &Credentials) -> Typed {
        let Some(action) = bank_form(&form) else { return Typed::Over(refused(controls::of_page(&form.answer.text))) };
        let balance = if form.asks("balance") { self.balance(known).await } else { String::new() };
        let (branch, number) = (known.account.branch_text(), known.account.number_text());
        let serial = known.in_hand.as_ref().map(|customer| customer.card_serial()).unwrap_or_default();
        let typed = [
            ("branch", branch.as_str()),
            ("kind", known.account.kind.name()),
            ("number", &number),
            ("name_kana", &known.name_kana),
            ("pin", &known.pin),
            ("birth_date", &known.birth_date),
            ("balance", &balance),
            ("card_serial", &serial),
        ];
        let typed: Vec<(&str, &str)> = typed.into_iter().filter(|(name, _)| form.asks(name)).collect();
        let mut page = self.client.submit(form, action, &typed).await;
        if let Some((action, names)) = second_step(&page) {
            let Some(held) = self.held(known, &names).await else {
                return Typed::Over(refused(Control::BankSecondFactor));
            };
            self.authentications += 1;
            let held: Vec<(&str, &str)> = held.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            page = self.client.submit(page, action, &held).await;
        }
        if bank_form(&page).is_some() {
            return Typed::Again(Box::new(page));
        }
        self.linked(mandate, &page).await
    }

    /// What became of a mandate.
    async fn linked(&mut self, mandate: &str, page: &Shown) -> Typed {
        let path = format!("/v1/wallets/{}/mandates/{mandate}", self.wallet);
        let shown = self.ask(Method::GET, &path, &Value::Null).await;
        if shown.member("status") == Some("active") {
            self.mandate = Some(mandate.to_owned());
            return Typed::Linked;
        }
        Typed::Over(refused(controls::of_page(&page.answer.text)))
    }

    async fn balance(&self, known: &Credentials) -> String {
        if known.in_hand.is_none() {
            return "0".to_owned();
        }
        let shown = self.client.ask(Method::GET, &known.path(), &Value::Null).await;
        shown.json["balance"].to_string()
    }

    /// What is read from what they have in hand, by the names of the fields.
    async fn held(&self, known: &Credentials, names: &[String]) -> Option<Vec<(String, String)>> {
        let customer = known.in_hand.as_ref()?;
        let mut held = Vec::new();
        for name in names {
            let value = if let Some(cell) = name.strip_prefix("cell-") {
                let cell = (0..account::CARD_CELLS).find(|number| account::cell_name(*number) == cell)?;
                customer.card_cell(cell)
            } else if name == "one_time_password" {
                customer.one_time_password(self.client.stage.now())
            } else {
                let to = customer.phone.as_ref().or(customer.mail.as_ref())?;
                let texts = self.messages(to).await;
                texts.iter().find_map(|text| between(text, "Code ", ":").map(str::to_owned))?
            };
            held.push((name.clone(), value));
        }
        Some(held)
    }

    /// Tops up by the linked account: the status that the wallet answered.
    pub async fn top_up(&mut self, amount: i64) -> Result<String, Refused> {
        let mandate = self.mandate.clone().unwrap_or_default();
        let answer = self.provable("top-ups", json!({ "mandate_id": mandate, "amount": amount })).await?;
        Ok(answer.member("status").unwrap_or_default().to_owned())
    }

    /// Pays a shop.
    pub async fn pay(&mut self, shop: &str, amount: i64) -> Result<(), Refused> {
        self.provable("payments", json!({ "shop_id": shop, "amount": amount })).await.map(drop)
    }

    /// Sends to another wallet, whose masked name they look at first.
    pub async fn send(&mut self, to: &str, amount: i64) -> Result<(), Refused> {
        let seen = self.ask(Method::GET, &format!("/v1/recipients?wallet_id={to}"), &Value::Null).await;
        let seen = done(seen)?;
        let token = seen.member("recipient_token").unwrap_or_default();
        let body = json!({ "to_wallet_id": to, "amount": amount, "recipient_token": token });
        self.provable("sends", body).await.map(drop)
    }

    /// Pays out to the linked account.
    pub async fn pay_out(&mut self, amount: i64) -> Result<(), Refused> {
        let path = format!("/v1/wallets/{}/bank-accounts", self.wallet);
        let accounts = done(self.ask(Method::GET, &path, &Value::Null).await)?;
        let account = accounts.json["data"][0]["id"].as_str().unwrap_or_default().to_owned();
        self.provable("payouts", json!({ "bank_account_id": account, "amount": amount })).await.map(drop)
    }

    /// What is in the wallet and what it may.
    pub async fn look(&mut self) -> Result<Value, Refused> {
        let path = format!("/v1/wallets/{}", self.wallet);
        done(self.ask(Method::GET, &path, &Value::Null).await).map(|answer| answer.json)
    }

    /// Confirms the link by the card's number, with the code of the notice that came to the bank's contact.
    pub async fn confirm(&mut self, known: &Credentials) -> bool {
        let Some(customer) = known.in_hand.clone() else { return false };
        let Some(to) = customer.phone.clone().or_else(|| customer.mail.clone()) else { return false };
        let texts = self.messages(&to).await;
        let Some(code) = texts.iter().find_map(|text| between(text, "コード / Code: ", "\n").map(str::to_owned))
        else {
            return false;
        };
        let page = self.client.open(&format!("{GATEWAY}/confirm")).await;
        let typed = [("code", code.as_str()), ("card_serial", &customer.card_serial())];
        self.client.submit(page, "/confirm", &typed).await.answer.is_done()
    }
}

/// Opens a shop at the desk: its id.
pub async fn open_shop(client: &Client<'_>, name: &str) -> Result<String, String> {
    let answer = client.ask(Method::POST, &format!("{DESK}/desk/v1/shops"), &json!({ "name": name })).await;
    answer.member("id").map(str::to_owned).ok_or_else(|| format!("the shop {name}: {}", answer.text))
}

/// The action of the bank's form on a page, ours or its own.
fn bank_form(page: &Shown) -> Option<&'static str> {
    if !page.asks("number") {
        return None;
    }
    ["/link/factors", "/link"].into_iter().find(|action| page.has_form(action))
}

/// The second step that a page asks for: where it goes, and what it wants.
fn second_step(page: &Shown) -> Option<(&'static str, Vec<String>)> {
    let action = ["/link/challenge", "/link"].into_iter().find(|action| page.has_form(action))?;
    let inputs = page.answer.text.split("name=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let wanted = |name: &&str| name.starts_with("cell-") || matches!(*name, "one_time_password" | "sms_code");
    let names: Vec<String> = inputs.filter(wanted).map(str::to_owned).collect();
    (!names.is_empty()).then_some((action, names))
}

fn done(answer: Answer) -> Result<Answer, Refused> {
    if answer.is_done() {
        return Ok(answer);
    }
    let left = answer.json["left"].as_i64().or_else(|| answer.json["available"].as_i64());
    Err(Refused { by: controls::of_problem(&answer), left })
}

const fn refused(by: Control) -> Refused {
    Refused { by, left: None }
}

const fn lacks(by: Control) -> Refused {
    refused(by)
}
