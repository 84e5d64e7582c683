//! The bank account (銀行口座): an object of its own, on which mandates hang and to which payouts go.
//!
//! Its id is a keyed hash of the gateway's `account_ref`, so the sums it keeps are those of the account over all wallets
//! and all mandates: a new wallet or a new link resets nothing. It has no command of its own; mandates make it and change
//! it, top-ups count on it.

use crate::effect::{Counters, Effect, Whose};
use crate::ids::{BankAccountId, BankCode, CaseId, MandateId, PersonId, WalletId};
use crate::refusal::{Limit, Refusal};
use crate::state::wrong_row;
use crate::wallet::Wallet;
use crate::{Event, Row};
use domain::{Key, Value};
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// The most wallets that may ever link one account: each is looked at when its true holder says "not me".
pub const WALLETS_MAX: usize = 256;

/// An account at a bank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BankAccount {
    /// At which bank.
    pub bank: BankCode,
    /// The verified person whose name and birth date the bank's are.
    pub person: Option<PersonId>,
    /// The one mandate that may debit it.
    pub live_mandate: Option<MandateId>,
    /// To whom it is a payout route.
    pub route: Option<Route>,
    /// What was debited, and not freed, by mandates that the true holder has not confirmed, since they last confirmed one.
    pub unconfirmed: Yen,
    /// How often they have confirmed one.
    pub confirmations: u32,
    /// Sums for limits.
    pub counters: Counters,
    /// The wallets that ever linked it, each once, in the order in which they first did: at most [`WALLETS_MAX`].
    pub wallets: Vec<WalletId>,
    /// Its open case.
    pub case: Option<CaseId>,
}

/// Whose money may be paid out to an account: the wallet that last linked it, and its person's other ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The mandate that opened it.
    pub mandate: MandateId,
    /// Of which wallet.
    pub wallet: WalletId,
    /// Whose wallet that is.
    pub person: Option<PersonId>,
}

impl BankAccount {
    /// An account that nobody has linked yet.
    pub(crate) fn new(bank: BankCode) -> Self {
        let counters = Counters::default();
        let (unconfirmed, confirmations) = (Yen::ZERO, 0);
        let (wallets, case) = (Vec::new(), None);
        Self {
            bank,
            person: None,
            live_mandate: None,
            route: None,
            unconfirmed,
            confirmations,
            counters,
            wallets,
            case,
        }
    }

    /// Whether `wallet`'s money may be paid out here.
    pub fn is_route_of(&self, id: WalletId, wallet: &Wallet) -> bool {
        self.route.is_some_and(|route| {
            let same_person = route.person.is_some() && route.person == wallet.person;
            route.wallet == id || same_person
        })
    }

    /// Whether the bank says that this is the account of `person`.
    pub fn is_of(&self, person: Option<PersonId>) -> bool {
        person.is_some() && self.person == person
    }

    /// Refuses if one more wallet would be more than may link it.
    pub(crate) fn check_wallets(&self, wallet: WalletId) -> Result<(), Refusal> {
        if self.wallets.len() >= WALLETS_MAX && !self.wallets.contains(&wallet) {
            return Err(Refusal::full(Limit::Links, WALLETS_MAX));
        }
        Ok(())
    }

    pub(crate) fn columns(&self) -> [Value; 3] {
        [
            Value::Integer(i64::from(self.bank.number())),
            self.person.map_or(Value::Null, |person| Value::Id(person.0)),
            self.live_mandate.map_or(Value::Null, |mandate| Value::Id(mandate.0)),
        ]
    }

    fn apply(&mut self, id: BankAccountId, effect: &Effect) {
        match effect {
            Effect::Count(counted) | Effect::Uncount(counted) | Effect::Lessen(counted)
                if counted.whose == Whose::BankAccount(id) =>
            {
                self.counters.apply(effect);
            }
            Effect::Count(_) | Effect::Uncount(_) | Effect::Lessen(_) | Effect::Leg(_) => {}
            Effect::Take(..) | Effect::Give(..) | Effect::Owe(..) | Effect::Repay(..) => {}
        }
    }
}

/// Applies `event` to the account at `key`.
pub(crate) fn evolve(key: Key, row: &mut Option<Row>, event: &Event) {
    if let Event::Mandate(event) = event {
        event.evolve_bank_account(key, row);
    }
    let Some(Row::BankAccount(account)) = row else { wrong_row(key) };
    event.effects(&mut |effect| account.apply(BankAccountId(key.id), &effect));
    if let Event::TopUp(event) = event {
        event.evolve_bank_account(account);
    }
    if let Event::Case(event) = event {
        event.evolve_bank_account(account);
    }
}
