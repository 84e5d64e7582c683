//! A transfer as the bare ledger keeps it: what was asked is never changed, only how a hold stands.

use crate::event::account_id;
use crate::leg::{Leg, Step};
use crate::refusal::Field;
use crate::yen::Yen;
use domain::{Id, Time};
use serde::{Deserialize, Serialize};

/// One transfer's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Made by the client.
    pub id: Id,
    /// The account that is debited.
    pub debit: Id,
    /// The account that is credited.
    pub credit: Id,
    /// What was moved, or held.
    pub amount: Yen,
    /// Where it stands.
    pub state: TransferState,
    /// From when on a hold may be expired; never if there is none.
    pub expires_at: Option<Time>,
}

/// Where a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransferState {
    /// Moved at once; never was a hold.
    Posted,
    /// A hold that stands.
    Held,
    /// A hold that ended by moving money.
    HoldPosted {
        /// What was moved; the rest of what was held is free again.
        amount: Yen,
    },
    /// A hold that was released by somebody's wish.
    Voided,
    /// A hold that was released because its time had come.
    Expired,
}

/// The two ways to move money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferKind {
    /// At once.
    Single,
    /// First pending, then posted or released.
    Hold,
}

impl Transfer {
    /// Which way the transfer was made; its state tells.
    pub const fn kind(&self) -> TransferKind {
        match self.state {
            TransferState::Posted => TransferKind::Single,
            TransferState::Held | TransferState::HoldPosted { .. } | TransferState::Voided | TransferState::Expired => {
                TransferKind::Hold
            }
        }
    }

    /// The first step of the transfer.
    pub const fn first_leg(&self) -> Leg {
        match self.kind() {
            TransferKind::Single => self.leg(self.amount, Step::Single),
            TransferKind::Hold => self.leg(self.amount, Step::Hold),
        }
    }

    /// A step of the transfer.
    pub const fn leg(&self, amount: Yen, step: Step) -> Leg {
        Leg { debit: account_id(self.debit), credit: account_id(self.credit), amount, step }
    }

    /// The first field in which what is asked differs from what was asked before under the same id. How the earlier
    /// one went on is none of what was asked.
    pub fn first_difference(&self, earlier: &Self) -> Option<Field> {
        if self.kind() != earlier.kind() {
            return Some(Field::Kind);
        }
        if self.debit != earlier.debit {
            return Some(Field::Debit);
        }
        if self.credit != earlier.credit {
            return Some(Field::Credit);
        }
        if self.amount != earlier.amount {
            return Some(Field::Amount);
        }
        (self.expires_at != earlier.expires_at).then_some(Field::ExpiresAt)
    }
}

impl TransferState {
    /// The fixed name that an operator sees.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Posted => "posted",
            Self::Held => "held",
            Self::HoldPosted { .. } => "hold_posted",
            Self::Voided => "voided",
            Self::Expired => "expired",
        }
    }
}
