//! The facts of the bare ledger. Each holds all that evolve needs: amounts, ids and sides, never a question that
//! today's rules would have to answer again.

use crate::account::{AccountId, Code, Rule};
use crate::leg::{Leg, Step};
use crate::refusal::Refusal;
use crate::yen::Yen;
use domain::{Id, Time};
use serde::{Deserialize, Serialize};

/// One fact. Stored for ever: variants are added at the end, never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// An account was opened.
    AccountOpened {
        /// Which account.
        id: Id,
        /// What it must never do.
        rule: Rule,
    },
    /// A settled account was closed.
    AccountClosed {
        /// Which account.
        id: Id,
    },
    /// An amount was moved at once.
    Transferred {
        /// Which transfer.
        id: Id,
        /// The account that was debited.
        debit: Id,
        /// The account that was credited.
        credit: Id,
        /// How much.
        amount: Yen,
    },
    /// An amount became pending.
    Held {
        /// Which transfer.
        id: Id,
        /// The account that will be debited.
        debit: Id,
        /// The account that will be credited.
        credit: Id,
        /// How much.
        amount: Yen,
        /// From when on it may be expired.
        expires_at: Option<Time>,
    },
    /// A hold ended: `amount` was moved, the rest of `held` released.
    HoldPosted {
        /// Which hold.
        hold: Id,
        /// The account that was debited.
        debit: Id,
        /// The account that was credited.
        credit: Id,
        /// What was held.
        held: Yen,
        /// What was moved.
        amount: Yen,
    },
    /// A hold ended by somebody's wish, and moved nothing.
    HoldVoided {
        /// Which hold.
        hold: Id,
        /// The account that would have been debited.
        debit: Id,
        /// The account that would have been credited.
        credit: Id,
        /// What was held.
        held: Yen,
    },
    /// A hold ended because its time had come, and moved nothing.
    HoldExpired {
        /// Which hold.
        hold: Id,
        /// The account that would have been debited.
        debit: Id,
        /// The account that would have been credited.
        credit: Id,
        /// What was held.
        held: Yen,
    },
    /// Something was tried and refused. Changes no row; what was tried, the journal's row names.
    Refused {
        /// The id that the command would have made, or that it named.
        id: Id,
        /// Why.
        refusal: Refusal,
    },
}

/// What an event does to a transfer: which one it is of, and the step it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Movement {
    /// The transfer.
    pub transfer: Id,
    /// Its step.
    pub leg: Leg,
}

impl Event {
    /// The step of a transfer that this event is, if it is one.
    pub const fn movement(&self) -> Option<Movement> {
        let (transfer, debit, credit, amount, step) = match *self {
            Self::Transferred { id, debit, credit, amount } => (id, debit, credit, amount, Step::Single),
            Self::Held { id, debit, credit, amount, .. } => (id, debit, credit, amount, Step::Hold),
            Self::HoldPosted { hold, debit, credit, held, amount } => {
                (hold, debit, credit, amount, Step::Post { held })
            }
            Self::HoldVoided { hold, debit, credit, held } | Self::HoldExpired { hold, debit, credit, held } => {
                (hold, debit, credit, held, Step::Release)
            }
            Self::AccountOpened { .. } | Self::AccountClosed { .. } | Self::Refused { .. } => return None,
        };
        Some(Movement { transfer, leg: Leg { debit: account_id(debit), credit: account_id(credit), amount, step } })
    }
}

/// The bare ledger names an account by a plain id, the key of its row. It has no chart of accounts: every code is zero,
/// so that id and [`AccountId`] are one to one.
pub(crate) const fn account_id(id: Id) -> AccountId {
    AccountId { owner: id, code: Code(0) }
}
