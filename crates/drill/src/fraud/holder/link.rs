//! A link, as its holder's browser goes through it: wallet, gateway, the bank's form, and back. Start reading at
//! [`Holder::begin_link`].

use super::super::client::{GATEWAY, Shown, WALLET, between};
use super::super::controls::{self, Control};
use super::{Credentials, Holder, Refused, Typed, refused};
use http::Method;
use sandbox::domain::account;
use serde_json::{Value, json};

impl Holder<'_> {
    /// Begins to link an account at `bank`: the mandate, and the form in which the bank asks who it is.
    pub async fn begin_link(&mut self, bank: &str) -> Result<(String, Shown), Refused> {
        let (mandate, address) = self.leave_for_bank(bank).await?;
        let form = self.arrive_at_bank(&address).await?;
        Ok((mandate, form))
    }

    /// Goes as far as the wallet goes: the mandate, and the address of the gateway's page, where nobody has been yet.
    pub async fn leave_for_bank(&mut self, bank: &str) -> Result<(String, String), Refused> {
        let asked = self.provable("mandates", json!({ "bank_code": bank })).await?;
        let mandate = asked.member("id").unwrap_or_default().to_owned();
        let mut page = self.client.open(&format!("{WALLET}/link/{mandate}")).await;
        if page.has_form("/login") {
            let typed = [("email", self.means.mail.clone()), ("password", self.means.password.clone())];
            let typed = typed.each_ref().map(|(name, value)| (*name, value.as_str()));
            page = self.client.submit(page, "/login", &typed).await;
            self.authentications += 1;
        }
        let sent = self.client.send(page, &format!("/link/{mandate}"), &[]).await;
        match sent.leads_to() {
            Some(address) => Ok((mandate, address)),
            None => Err(refused(controls::of_page(&sent.answer.text))),
        }
    }

    /// Opens the gateway's page at `address` in this browser, and consents: the form in which the bank asks who it is.
    pub async fn arrive_at_bank(&mut self, address: &str) -> Result<Shown, Refused> {
        let page = self.client.open(address).await;
        let form = self.client.submit(page, "/link/consent", &[]).await;
        if bank_form(&form).is_none() {
            return Err(refused(controls::of_page(&form.answer.text)));
        }
        Ok(form)
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

    /// What became of a mandate, whose last page is `page`.
    pub async fn linked(&mut self, mandate: &str, page: &Shown) -> Typed {
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
