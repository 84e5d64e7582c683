//! What may be asked of the bare ledger, and what it answers when it did so.
//!
//! Every id is made by the client. A hold ends once, so the hold's own id names its end too: posting, voiding and
//! expiring need no id of their own, and asking again for the end that a hold had gives the same receipt again.

use crate::account::Rule;
use crate::yen::Yen;
use domain::{Id, Time};
use serde::{Deserialize, Serialize};

/// What somebody asks of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Makes an account.
    OpenAccount {
        /// The new account.
        id: Id,
        /// What it must never do.
        rule: Rule,
    },
    /// Ends a settled account: it takes no movement any more.
    CloseAccount {
        /// Which account.
        id: Id,
    },
    /// Moves an amount at once.
    Transfer {
        /// The new transfer.
        id: Id,
        /// The account that is debited.
        debit: Id,
        /// The account that is credited.
        credit: Id,
        /// How much.
        amount: Yen,
    },
    /// Makes an amount pending on both accounts.
    Hold {
        /// The new transfer.
        id: Id,
        /// The account that will be debited.
        debit: Id,
        /// The account that will be credited.
        credit: Id,
        /// How much at most.
        amount: Yen,
        /// From when on [`Command::ExpireHold`] may end it; never if there is none.
        expires_at: Option<Time>,
    },
    /// Moves what a hold held, whole or in part; the rest is released.
    PostHold {
        /// Which hold.
        hold: Id,
        /// How much; the whole if it is not said.
        amount: Option<Yen>,
    },
    /// Releases what a hold held.
    VoidHold {
        /// Which hold.
        hold: Id,
    },
    /// Releases what a hold held because its time has come. Until then a hold stands, however late it is: it can still
    /// be posted after its `expires_at`, for a hold ends by a command and never by the clock alone.
    ExpireHold {
        /// Which hold.
        hold: Id,
    },
}

impl Command {
    /// The id that the command makes or names.
    pub const fn id(&self) -> Id {
        match *self {
            Self::OpenAccount { id, .. }
            | Self::CloseAccount { id }
            | Self::Transfer { id, .. }
            | Self::Hold { id, .. } => id,
            Self::PostHold { hold, .. } | Self::VoidHold { hold } | Self::ExpireHold { hold } => hold,
        }
    }

    /// The fixed name that the journal shows.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::OpenAccount { .. } => "account.open",
            Self::CloseAccount { .. } => "account.close",
            Self::Transfer { .. } => "transfer.post",
            Self::Hold { .. } => "hold.make",
            Self::PostHold { .. } => "hold.post",
            Self::VoidHold { .. } => "hold.void",
            Self::ExpireHold { .. } => "hold.expire",
        }
    }
}

/// What a command that was carried out answers, word for word the same whenever it is repeated. Stored for ever:
/// variants are added at the end, never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Receipt {
    /// The account exists.
    AccountOpened {
        /// Which account.
        id: Id,
    },
    /// The account takes no movement any more.
    AccountClosed {
        /// Which account.
        id: Id,
    },
    /// The amount was moved.
    Transferred {
        /// Which transfer.
        id: Id,
        /// How much.
        amount: Yen,
    },
    /// The amount was held. Whether it still is, the transfer's row says.
    Held {
        /// Which hold.
        id: Id,
        /// How much.
        amount: Yen,
        /// From when on it may be expired.
        expires_at: Option<Time>,
    },
    /// The hold was posted.
    HoldPosted {
        /// Which hold.
        hold: Id,
        /// What was moved.
        amount: Yen,
        /// What was not moved and is free again.
        released: Yen,
    },
    /// The hold was voided.
    HoldVoided {
        /// Which hold.
        hold: Id,
        /// What is free again.
        released: Yen,
    },
    /// The hold was expired.
    HoldExpired {
        /// Which hold.
        hold: Id,
        /// What is free again.
        released: Yen,
    },
}
