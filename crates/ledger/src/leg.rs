//! Legs: one step of one transfer, as both accounts see it, and whether they may take it.

use crate::account::{Account, AccountId, Rule};
use crate::yen::Yen;
use serde::{Deserialize, Serialize};

/// One step of a transfer between two accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    /// The account that is debited.
    pub debit: AccountId,
    /// The account that is credited.
    pub credit: AccountId,
    /// What is moved, held or released.
    pub amount: Yen,
    /// Which step of the transfer this is.
    pub step: Step,
}

impl Leg {
    /// What the transfer has pending on both accounts before this step.
    pub const fn pending_before(&self) -> Yen {
        match self.step {
            Step::Single | Step::Hold => Yen::ZERO,
            Step::Post { held } => held,
            Step::Release => self.amount,
        }
    }

    /// Asserts that debits equal credits: that this moves something between two accounts, and does to the debits of one of two
    /// blank ones exactly what it does to the credits of the other, and nothing else.
    pub fn assert_balanced(&self) {
        assert!(self.debit != self.credit && !self.amount.is_zero(), "{self:?} moves nothing");
        let pending = self.pending_before();
        let blank = Account::new(Rule::Free);
        let mut debited = Account { debits_pending: pending, ..blank };
        let mut credited = Account { credits_pending: pending, ..blank };
        debited.apply(self.debit, self);
        credited.apply(self.credit, self);
        let mirrored = Account {
            credits_pending: debited.debits_pending,
            credits_posted: debited.debits_posted,
            debits_pending: debited.credits_pending,
            debits_posted: debited.credits_posted,
            ..debited
        };
        assert!(mirrored == credited, "debits and credits of {self:?} differ: {debited:?}, {credited:?}");
    }
}

/// The steps that a transfer can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// The amount moves at once.
    Single,
    /// The amount is pending on both accounts.
    Hold,
    /// A hold of `held` ends: the leg's amount moves, the rest of `held` is released.
    Post {
        /// What was held.
        held: Yen,
    },
    /// A hold of the leg's amount ends without moving anything: voided or expired.
    Release,
}

/// Why two accounts cannot take a leg, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unpostable {
    /// The amount is zero.
    AmountZero,
    /// Debit and credit are one account.
    SameAccount,
    /// More would be posted than is held.
    ExceedsHold {
        /// What is held.
        held: Yen,
        /// What was to be posted.
        requested: Yen,
    },
    /// The account takes no new movement.
    AccountClosed {
        /// Which account.
        account: AccountId,
    },
    /// The account would be overdrawn.
    Overdrawn {
        /// Which account.
        account: AccountId,
        /// What may be taken out.
        available: Yen,
        /// What was to be taken.
        requested: Yen,
    },
    /// A sum would exceed [`Yen::MAX`].
    SumTooLarge {
        /// Which account.
        account: AccountId,
    },
}

/// Whether `leg` may be applied to the accounts that it names: `debit` and `credit` are their sums.
///
/// A leg that ends a hold is checked against the hold by its owner; here it can only exceed what was held.
pub fn check(leg: &Leg, debit: &Account, credit: &Account) -> Result<(), Unpostable> {
    if leg.amount.is_zero() {
        return Err(Unpostable::AmountZero);
    }
    if leg.debit == leg.credit {
        return Err(Unpostable::SameAccount);
    }
    match leg.step {
        Step::Single | Step::Hold => check_new(leg, debit, credit),
        Step::Post { held } if leg.amount > held => Err(Unpostable::ExceedsHold { held, requested: leg.amount }),
        // The hold was checked with its whole amount when it was made.
        Step::Post { .. } | Step::Release => Ok(()),
    }
}

fn check_new(leg: &Leg, debit: &Account, credit: &Account) -> Result<(), Unpostable> {
    for (account, id) in [(debit, leg.debit), (credit, leg.credit)] {
        if account.closed {
            return Err(Unpostable::AccountClosed { account: id });
        }
    }
    let overdrawn = |account, available| Unpostable::Overdrawn { account, available, requested: leg.amount };
    if debit.rule == Rule::DebitsNeverExceedCredits && leg.amount > debit.available() {
        return Err(overdrawn(leg.debit, debit.available()));
    }
    if credit.rule == Rule::CreditsNeverExceedDebits && leg.amount > credit.available() {
        return Err(overdrawn(leg.credit, credit.available()));
    }
    check_sums(leg, debit, credit)
}

/// Posted and pending of a side stay within range together, so that any hold can still be posted.
fn check_sums(leg: &Leg, debit: &Account, credit: &Account) -> Result<(), Unpostable> {
    let fits =
        |posted: Yen, pending: Yen| posted.checked_add(pending).and_then(|sum| sum.checked_add(leg.amount)).is_some();
    if !fits(debit.debits_posted, debit.debits_pending) {
        return Err(Unpostable::SumTooLarge { account: leg.debit });
    }
    if !fits(credit.credits_posted, credit.credits_pending) {
        return Err(Unpostable::SumTooLarge { account: leg.credit });
    }
    Ok(())
}
