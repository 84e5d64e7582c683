//! The person behind holders: the same verified identity is the same row, and its limits outlive any wallet.
//!
//! Several holders may turn out to be one person (a login was lost, a mail address was given up), but a person has at most
//! one open wallet. What counts towards a person's limits stays here when that wallet is closed: a new one resets
//! nothing.

use crate::effect::{Counters, Effect, Whose};
use crate::ids::{PersonId, WalletId};
use crate::refusal::{Noun, Refusal};
use crate::standing::Standing;
use serde::{Deserialize, Serialize};

/// A verified identity.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Person {
    /// The person's open wallet.
    pub wallet: Option<WalletId>,
    /// What counts towards the person's limits, over all wallets they ever had.
    pub counters: Counters,
}

impl Person {
    /// Refuses if the person has an open wallet other than `wallet`.
    pub(crate) fn check_wallet(&self, wallet: Option<WalletId>) -> Result<(), Refusal> {
        match self.wallet {
            Some(open) if Some(open) != wallet => {
                Err(Refusal::WrongStatus { noun: Noun::Person, status: Standing::HasWallet })
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(crate) fn apply(&mut self, id: PersonId, effect: &Effect) {
        match effect {
            Effect::Count(counted) | Effect::Uncount(counted) | Effect::Lessen(counted)
                if counted.whose == Whose::Person(id) =>
            {
                self.counters.apply(effect);
            }
            Effect::Count(_) | Effect::Uncount(_) | Effect::Lessen(_) | Effect::Leg(_) => {}
            Effect::Take(..) | Effect::Give(..) | Effect::Owe(..) | Effect::Repay(..) => {}
        }
    }
}
