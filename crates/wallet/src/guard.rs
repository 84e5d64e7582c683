//! The seam where the guard's decision enters: what it is shown of an attempt, and what it may say.
//!
//! The guard is a plain function value in the [`Context`](crate::Context), called in decide, on the rows that the command
//! loaded: its windows move in the same commit as the money. Until rules exist, [`allow`] stands there.

use crate::ids::{BankCode, WalletId};
use crate::refusal::{Proof, Refusal};
use crate::switches::Function;
use crate::traits::Origin;
use crate::wallet::Wallet;
use domain::{Id, Time};
use ledger::Yen;

/// What the guard is shown of an attempt.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// What is attempted.
    pub function: Function,
    /// The movement's id; of what moves nothing, the id of what it is about.
    pub id: Id,
    /// The wallet that the money leaves or enters; zero for a holder who has none.
    pub wallet_id: WalletId,
    /// That wallet, as it is before; one that is not there yet as it would be.
    pub wallet: &'a Wallet,
    /// How much.
    pub amount: Yen,
    /// The bank, where there is one.
    pub bank: Option<BankCode>,
    /// The shop, wallet or bank account at the other end.
    pub counterparty: Option<Id>,
    /// Where the command came from.
    pub origin: Option<Origin>,
    /// When.
    pub now: Time,
}

/// What the guard says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Allow,
    /// Go on with this proof.
    StepUp(Proof),
    /// Hold the movement for a person to look at.
    Hold {
        /// The reason's code.
        reason: u16,
    },
    /// No.
    Refuse {
        /// The reason's code.
        reason: u16,
    },
}

/// A guard: pure, total, quick.
pub type Guard = fn(&Attempt<'_>) -> Verdict;

/// The guard that allows everything.
pub const fn allow(_: &Attempt<'_>) -> Verdict {
    Verdict::Allow
}

/// The same for what cannot be held: what the guard would hold is refused, and may be tried again.
pub(crate) fn ask_or_refuse(guard: Guard, attempt: &Attempt<'_>, proof: Option<Proof>) -> Result<(), Refusal> {
    match ask(guard, attempt, proof)? {
        None => Ok(()),
        Some(reason) => Err(Refusal::GuardRefused { reason }),
    }
}

/// Whether a movement goes on, or is held for this reason, once `proof` was given.
pub(crate) fn ask(guard: Guard, attempt: &Attempt<'_>, proof: Option<Proof>) -> Result<Option<u16>, Refusal> {
    match guard(attempt) {
        Verdict::Allow => Ok(None),
        Verdict::StepUp(needed) if proof.is_some_and(|given| given >= needed) => Ok(None),
        Verdict::StepUp(needed) => Err(Refusal::StepUpRequired { proof: needed }),
        Verdict::Hold { reason } => Ok(Some(reason)),
        Verdict::Refuse { reason } => Err(Refusal::GuardRefused { reason }),
    }
}
