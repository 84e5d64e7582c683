//! Accounts: four running sums, and the rule that an account keeps.

use crate::leg::{Leg, Step};
use crate::yen::Yen;
use domain::Id;
use serde::{Deserialize, Serialize};

/// What an account is for: a number of the chart of accounts, which belongs to whoever uses the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Code(pub u16);

/// Names an account: whose it is, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountId {
    /// Whose: a wallet, a shop, a bank; zero for the operator's own.
    pub owner: Id,
    /// What for.
    pub code: Code,
}

/// What an account must never do, counting what is pending against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
pub enum Rule {
    /// Either side may exceed the other.
    #[default]
    Free,
    /// A liability that must not be overdrawn: debits, pending ones counted, never exceed posted credits.
    DebitsNeverExceedCredits,
    /// An asset that must not be overdrawn: credits, pending ones counted, never exceed posted debits.
    CreditsNeverExceedDebits,
}

/// An account's sums and rule. Its id is known to whoever holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Account {
    /// What the account must never do.
    pub rule: Rule,
    /// A closed account takes no new movement; holds made before may still end.
    pub closed: bool,
    /// Debits that are held and not yet posted or released.
    pub debits_pending: Yen,
    /// All debits ever posted.
    pub debits_posted: Yen,
    /// Credits that are held and not yet posted or released.
    pub credits_pending: Yen,
    /// All credits ever posted.
    pub credits_posted: Yen,
}

impl Account {
    /// An open account with nothing in it.
    pub const fn new(rule: Rule) -> Self {
        Self {
            rule,
            closed: false,
            debits_pending: Yen::ZERO,
            debits_posted: Yen::ZERO,
            credits_pending: Yen::ZERO,
            credits_posted: Yen::ZERO,
        }
    }

    /// What may still be taken out: posted balance less what is pending against it. For a [`Rule::Free`] account the
    /// credit balance, or zero.
    pub const fn available(&self) -> Yen {
        match self.rule {
            Rule::Free | Rule::DebitsNeverExceedCredits => {
                self.credits_posted.saturating_sub(self.debits_posted).saturating_sub(self.debits_pending)
            }
            Rule::CreditsNeverExceedDebits => {
                self.debits_posted.saturating_sub(self.credits_posted).saturating_sub(self.credits_pending)
            }
        }
    }

    /// Posted credits less posted debits: yen the account's owner is owed; negative where it owes.
    pub const fn credit_balance(&self) -> i64 {
        self.credits_posted.amount().saturating_sub(self.debits_posted.amount())
    }

    /// Whether nothing is posted or pending on balance.
    pub const fn is_settled(&self) -> bool {
        self.credit_balance() == 0 && self.debits_pending.is_zero() && self.credits_pending.is_zero()
    }

    /// Applies the sides of `leg` that are this account's. Asserts what [`check`](crate::check) promised.
    pub fn apply(&mut self, id: AccountId, leg: &Leg) {
        assert!(leg.debit == id || leg.credit == id, "leg {leg:?} is not of account {id:?}");
        if leg.debit == id {
            apply_side(&mut self.debits_pending, &mut self.debits_posted, leg);
        }
        if leg.credit == id {
            apply_side(&mut self.credits_pending, &mut self.credits_posted, leg);
        }
        self.assert_rule(id);
    }

    /// Whether the account keeps its rule.
    pub fn keeps_rule(&self) -> bool {
        match self.rule {
            Rule::Free => true,
            Rule::DebitsNeverExceedCredits => keeps(self.debits_posted, self.debits_pending, self.credits_posted),
            Rule::CreditsNeverExceedDebits => keeps(self.credits_posted, self.credits_pending, self.debits_posted),
        }
    }

    /// Asserts that the account keeps its rule.
    pub fn assert_rule(&self, id: AccountId) {
        assert!(self.keeps_rule(), "account {id:?} breaks its rule: {self:?}");
    }
}

fn keeps(posted: Yen, pending: Yen, bound: Yen) -> bool {
    posted.checked_add(pending).is_some_and(|sum| sum <= bound)
}

fn apply_side(pending: &mut Yen, posted: &mut Yen, leg: &Leg) {
    let (released, held, moved) = match leg.step {
        Step::Single => (Yen::ZERO, Yen::ZERO, leg.amount),
        Step::Hold => (Yen::ZERO, leg.amount, Yen::ZERO),
        Step::Post { held } => (held, Yen::ZERO, leg.amount),
        Step::Release => (leg.amount, Yen::ZERO, Yen::ZERO),
    };
    let left = pending.checked_sub(released).and_then(|left| left.checked_add(held));
    let sum = posted.checked_add(moved);
    let (Some(left), Some(sum)) = (left, sum) else { unreachable_sums(leg) };
    *pending = left;
    *posted = sum;
}

#[expect(clippy::panic, reason = "a sum that check() allowed cannot leave its range: our own bug")]
fn unreachable_sums(leg: &Leg) -> ! {
    panic!("leg {leg:?} takes a sum out of its range")
}
