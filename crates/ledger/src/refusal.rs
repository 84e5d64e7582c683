//! Why the bare ledger does not carry out a command, and which reason is given when there are several.
//!
//! A command that could be refused for several reasons is refused for the one that stands first here. What the command
//! alone shows comes first, then what its id shows, then the hold or the accounts, then the money. Of two accounts
//! with the same fault the debited one is named.
//!
//! | | reason | transfer | hold | post | void | expire | open | close |
//! |---|---|---|---|---|---|---|---|---|
//! | 1 | [`AmountZero`](Refusal::AmountZero) | x | x | x | | | | |
//! | 2 | [`SameAccount`](Refusal::SameAccount) | x | x | | | | | |
//! | 3 | [`IdTaken`](Refusal::IdTaken) | x | x | | | | x | |
//! | 4 | [`ExpiryNotAhead`](Refusal::ExpiryNotAhead) | | x | | | | | |
//! | 5 | [`HoldUnknown`](Refusal::HoldUnknown) | | | x | x | x | | |
//! | 6 | [`NotAHold`](Refusal::NotAHold) | | | x | x | x | | |
//! | 7 | [`HoldEnded`](Refusal::HoldEnded) | | | x | x | x | | |
//! | 8 | [`ClockDrifted`](Refusal::ClockDrifted) | | | | | x | | |
//! | 9 | [`HoldNotDue`](Refusal::HoldNotDue) | | | | | x | | |
//! | 10 | [`ExceedsHold`](Refusal::ExceedsHold) | | | x | | | | |
//! | 11 | [`AccountUnknown`](Refusal::AccountUnknown) | x | x | | | | | x |
//! | 12 | [`AccountClosed`](Refusal::AccountClosed) | x | x | | | | | |
//! | 13 | [`AccountUnsettled`](Refusal::AccountUnsettled) | | | | | | | x |
//! | 14 | [`Overdrawn`](Refusal::Overdrawn) | x | x | | | | | |
//! | 15 | [`SumTooLarge`](Refusal::SumTooLarge) | x | x | | | | | |
//!
//! A repeated command is no refusal: with the content of the first it gets the first one's receipt, also when it would
//! be refused today. `IdTaken` therefore stands before everything that changes with time.

use crate::leg::{Leg, Unpostable};
use crate::transfer::TransferState;
use crate::yen::Yen;
use domain::{Id, Time};
use serde::{Deserialize, Serialize};

/// Why a command was not carried out. Stored for ever: variants are added at the end, never changed; the order of
/// precedence is the table in the module's source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// A movement of nothing.
    AmountZero,
    /// Debit and credit are one account.
    SameAccount {
        /// Which account.
        account: Id,
    },
    /// The id was used before, for something else.
    IdTaken {
        /// The id.
        id: Id,
        /// The first field that differs from what the id was used for.
        field: Field,
    },
    /// A hold that could be expired as soon as it is made.
    ExpiryNotAhead {
        /// What was asked.
        expires_at: Time,
        /// It must be later than this.
        now: Time,
    },
    /// There is no transfer of this id.
    HoldUnknown {
        /// The id.
        hold: Id,
    },
    /// The transfer moved its amount at once; there is nothing to end.
    NotAHold {
        /// Which transfer.
        transfer: Id,
    },
    /// The hold has ended before, in another way than what was asked now.
    HoldEnded {
        /// Which hold.
        hold: Id,
        /// How it ended.
        state: TransferState,
    },
    /// Nothing is expired while the clock cannot be believed.
    ClockDrifted,
    /// The hold may not be expired yet.
    HoldNotDue {
        /// From when on it may be; never if there is none.
        expires_at: Option<Time>,
        /// When it was tried.
        now: Time,
    },
    /// More would be posted than is held.
    ExceedsHold {
        /// What is held.
        held: Yen,
        /// What was to be posted.
        requested: Yen,
    },
    /// There is no account of this id.
    AccountUnknown {
        /// The id.
        account: Id,
    },
    /// The account takes no movement any more.
    AccountClosed {
        /// Which account.
        account: Id,
    },
    /// An account with something on it cannot be closed: nobody could ever take it out.
    AccountUnsettled {
        /// Posted credits less posted debits; to be brought to zero first.
        credit_balance: i64,
        /// Held against it; to be posted or released first.
        debits_pending: Yen,
        /// Held in its favour; to be posted or released first.
        credits_pending: Yen,
    },
    /// The account would be overdrawn.
    Overdrawn {
        /// Which account.
        account: Id,
        /// What may be taken out.
        available: Yen,
        /// What was to be taken.
        requested: Yen,
    },
    /// A sum would exceed [`Yen::MAX`].
    SumTooLarge {
        /// Which account.
        account: Id,
    },
}

/// A field of a command that makes something, in the order in which a repeated command is compared with the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Field {
    /// Whether it is a transfer or a hold.
    Kind,
    /// The debited account.
    Debit,
    /// The credited account.
    Credit,
    /// The amount.
    Amount,
    /// From when on a hold may be expired.
    ExpiresAt,
    /// An account's rule.
    Rule,
}

impl Refusal {
    /// Why `leg` was not taken, in the bare ledger's words.
    pub(crate) const fn of_leg(leg: &Leg, unpostable: Unpostable) -> Self {
        match unpostable {
            Unpostable::AmountZero => Self::AmountZero,
            Unpostable::SameAccount => Self::SameAccount { account: leg.debit.owner },
            Unpostable::ExceedsHold { held, requested } => Self::ExceedsHold { held, requested },
            Unpostable::AccountClosed { account } => Self::AccountClosed { account: account.owner },
            Unpostable::Overdrawn { account, available, requested } => {
                Self::Overdrawn { account: account.owner, available, requested }
            }
            Unpostable::SumTooLarge { account } => Self::SumTooLarge { account: account.owner },
        }
    }
}
