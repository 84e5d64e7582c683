//! An honest person: what they have, what they know of their account, and how they link it.

use super::super::client::{Client, OUTSIDE};
use super::super::controls::Control;
use super::super::holder::{Credentials, Holder, Means, Refused, Typed};
use super::super::lives::Life;
use super::super::scenario::honest as chosen;
use super::super::stage::Stage;
use super::Honest;
use http::Method;
use sandbox::domain::account::{AccountNumber, Customer};
use sandbox::people::{self, Opening};
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr};

/// The family names that people take when they marry.
const NEW_NAMES: [[&str; 2]; 2] = [["綾瀬", "アヤセ"], ["真鶴", "マナヅル"]];

/// Somebody honest.
pub(super) struct Person<'s> {
    /// Their wallet and device.
    pub(super) holder: Holder<'s>,
    pub(super) known: Credentials,
    /// What may still come from the account, in yen.
    pub(super) budget: i64,
    /// What is thought to be in the wallet, in yen.
    pub(super) purse: i64,
    /// How often they were refused a link, and by what first.
    pub(super) link_tries: u32,
    pub(super) link_refused: Option<Control>,
    /// They said that the link is theirs.
    pub(super) is_confirmed: bool,
    /// They stopped everything, and wait for the desk.
    pub(super) is_out: bool,
    pub(super) life: Life,
    /// The account under their new name, as soon as the bank has written it into its books.
    pub(super) rewritten: Option<(Credentials, i64)>,
    /// An account of theirs at another bank, and how much of it they would use.
    pub(super) other: Option<(Credentials, i64)>,
}

/// What became of a wish for money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// It is there.
    All,
    /// Some of it is; this kept so much back.
    Part(Control, i64),
    /// It waits, under this id.
    Later(String),
    /// Nothing came.
    Nothing(Refused),
    /// Their account has no more that they would move.
    NoMoney,
}

impl Person<'_> {
    /// Their bank, or the gateway before it, said no. Who has less than that would hear the same at the counter.
    pub(super) async fn declined(&mut self, amount: i64) -> Got {
        if self.holder.bank_balance(&self.known).await < amount {
            self.budget = 0;
            return Got::NoMoney;
        }
        Got::Nothing(Refused { by: Control::Switches, left: None })
    }

    /// They have married: their document has the new name, and the wallet will; the bank learns of it later. The account as it is
    /// then is opened beside the one in the old name, which they do not use any more.
    pub(super) async fn take_new_name(&mut self) {
        let Some(customer) = self.known.in_hand.as_deref() else { return };
        let new = NEW_NAMES.into_iter().find(|[_, kana]| *kana != customer.family_kana).unwrap_or_default();
        let [family_name, family_kana] = new.map(str::to_owned);
        let customer = Customer { family_name, family_kana, ..customer.clone() };
        let account = self.known.account;
        let balance = self.holder.bank_balance(&self.known).await;
        let body = json!({
            "branch": account.branch_text(), "kind": account.kind.name(), "family_name": customer.family_name,
            "given_name": customer.given_name, "family_kana": customer.family_kana, "given_kana": customer.given_kana,
            "birth_date": customer.birth_date.to_string(), "pin": customer.pin.digits(), "mail": customer.mail,
            "phone": customer.phone, "card_seed": customer.card_seed, "balance": balance,
        });
        let url = format!("{OUTSIDE}/sandbox/v1/banks/{}/accounts", account.bank);
        let opened = self.holder.client.ask(Method::POST, &url, &body).await;
        let number = opened.member("number").unwrap_or_default();
        let number = AccountNumber::parse(account.bank, &account.branch_text(), account.kind, number);
        let Some(number) = number.filter(|_| opened.is_done()) else { return };
        let means = &mut self.holder.means;
        (means.names[0], means.names[2]) = (customer.family_name.clone(), customer.family_kana.clone());
        means.document = opened.member("document_number").map(str::to_owned);
        let known = Credentials {
            account: number,
            name_kana: customer.name_kana(),
            in_hand: Some(Box::new(customer)),
            ..self.known.clone()
        };
        self.rewritten = Some((known, self.budget));
    }

    /// Links the account. Who mistypes the PIN at first types it right then, or begins anew where a bank goes on to its second
    /// step all the same and sends no code: it does not say that the PIN was wrong.
    pub(super) async fn link(&mut self, mistyped: Option<String>) -> Result<(), Refused> {
        let bank = self.known.account.bank.to_string();
        let (mut mandate, mut form) = self.holder.begin_link(&bank).await?;
        if let Some(pin) = mistyped {
            let wrong = Credentials { pin, ..self.known.clone() };
            match self.holder.type_in(&mandate, form, &wrong).await {
                Typed::Linked => return Ok(()),
                Typed::Again(again) => form = *again,
                Typed::Over(_) => (mandate, form) = self.holder.begin_link(&bank).await?,
            }
        }
        match self.holder.type_in(&mandate, form, &self.known).await {
            Typed::Linked => Ok(()),
            Typed::Over(refused) => Err(refused),
            Typed::Again(_) => Err(Refused { by: Control::BankFirstFactor, left: None }),
        }
    }
}

/// Somebody whose account is that of `honest`, and whose life is that.
pub(super) fn person<'s>(stage: &'s Stage, honest: &Honest, number: u32, life: Life) -> Person<'s> {
    let customer = &honest.opening.customer;
    let means = Means {
        mail: format!("honest{number}@people.example"),
        password: format!("password of {number}"),
        phone: Some(format!("070{number:08}")),
        document: Some(people::document_number(&people::identity(customer))),
        names: [&customer.family_name, &customer.given_name, &customer.family_kana, &customer.given_kana]
            .map(Clone::clone),
        birth_date: customer.birth_date.to_string(),
    };
    let (known, budget) = own(&honest.opening);
    let other = honest.other.as_ref().map(own);
    let mut holder = Holder::new(Client::new(stage, IpAddr::V4(Ipv4Addr::UNSPECIFIED)), means);
    if let Some(family) = life.shares_phone {
        holder.share_device(family);
    }
    Person {
        holder,
        known,
        budget,
        purse: 0,
        link_tries: 0,
        link_refused: None,
        is_confirmed: false,
        is_out: false,
        life,
        rewritten: None,
        other,
    }
}

/// What somebody knows of an account of their own, and how much of it they would move into a wallet.
fn own(opening: &Opening) -> (Credentials, i64) {
    let customer = &opening.customer;
    let known = Credentials {
        account: opening.number,
        name_kana: customer.name_kana(),
        pin: customer.pin.digits().to_owned(),
        birth_date: customer.birth_date.to_string(),
        in_hand: Some(Box::new(customer.clone())),
    };
    (known, opening.balance.amount() / 100 * chosen::BUDGET_PERCENT)
}
