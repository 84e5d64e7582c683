//! Safeguarding (履行保証金): what is owed to users, and how much of it must be set aside.
//!
//! The outstanding debt (未達債務) is what stands in `funds` purses, whatever holds take out of it: a payout that the bank
//! has not paid yet and a send that waits for the desk are still owed. Money in suspense that came from users or is on its
//! way back to them is owed too, and so is what stands ready for the victims of a case until their bank has paid it out. What a shop has captured is the shop's: it receives for its own account, so that
//! the user's claim ends there. `prepaid` falls under another chapter of the same law and is kept apart; `bonus` was
//! never paid for.
//!
//! What must be set aside of a day (要履行保証額) is the debt and what executing the rights would cost (資金決済法43条2項, 資金移動業者
//! に関する内閣府令11条6項), and never less than a minimum (施行令14条).

use crate::Event;
use crate::chart;
use crate::effect::Effect;
use crate::policy::SafeguardingPolicy;
use domain::Id;
use ledger::{AccountId, Leg, Step, Yen};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is owed, summed over all wallets: a consumer keeps it by showing it every event, and reads off a day's figures.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Outstanding {
    /// In `funds` purses, what is held counted.
    pub funds: i64,
    /// In `prepaid` purses, what is held counted.
    pub prepaid: i64,
    /// In `bonus` purses, what is held counted.
    pub bonus: i64,
    /// In suspense, by owner: each bank's, and what belongs to none; negative where a bank paid out more than was asked. And what
    /// stands ready for victims, by case.
    pub suspense: BTreeMap<Id, i64>,
}

/// A day's figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// What is owed to users of funds transfer (未達債務).
    pub debt: Yen,
    /// What it would cost to execute their rights.
    pub cost: Yen,
    /// What must be set aside (要履行保証額).
    pub required: Yen,
    /// What is unspent of prepaid purses (前払式支払手段の未使用残高).
    pub prepaid: Yen,
}

impl Outstanding {
    /// Counts what `event` moves.
    pub fn apply(&mut self, event: &Event) {
        event.effects(&mut |effect| {
            if let Effect::Leg(leg) = effect {
                self.apply_leg(&leg);
            }
        });
    }

    fn apply_leg(&mut self, leg: &Leg) {
        let posted = match leg.step {
            Step::Single | Step::Post { .. } => leg.amount.amount(),
            Step::Hold | Step::Release => 0,
        };
        if let Some(sum) = self.sum(leg.credit) {
            *sum = sum.saturating_add(posted);
        }
        if let Some(sum) = self.sum(leg.debit) {
            *sum = sum.saturating_sub(posted);
        }
    }

    fn sum(&mut self, account: AccountId) -> Option<&mut i64> {
        match account.code {
            chart::FUNDS => Some(&mut self.funds),
            chart::PREPAID => Some(&mut self.prepaid),
            chart::BONUS => Some(&mut self.bonus),
            chart::SUSPENSE | chart::RESTITUTION => Some(self.suspense.entry(account.owner).or_default()),
            _ => None,
        }
    }

    /// What is owed out of suspense. What one bank paid out too much does not pay those whose money waits at another.
    fn suspended(&self) -> i64 {
        self.suspense.values().fold(0, |sum, balance| sum.saturating_add((*balance).max(0)))
    }

    /// The figures, if this is what stands at the end of a day on which `policy` is in force.
    pub fn figures(&self, policy: &SafeguardingPolicy) -> Figures {
        let yen = |amount: i64| Yen::checked(amount.max(0)).unwrap_or(Yen::MAX);
        let debt = yen(self.funds.saturating_add(self.suspended()));
        let cost = cost(debt, policy);
        let required = debt.checked_add(cost).unwrap_or(Yen::MAX).max(policy.least);
        Figures { debt, cost, required, prepaid: yen(self.prepaid) }
    }
}

/// The cost of executing rights to `debt`: one rate up to a bound, a lower one for what exceeds it. Parts of a yen count
/// as a whole one.
fn cost(debt: Yen, policy: &SafeguardingPolicy) -> Yen {
    let low = debt.min(policy.low_until);
    let high = debt.saturating_sub(policy.low_until);
    let cost = percent(low, policy.low_rate_percent).saturating_add(percent(high, policy.high_rate_percent));
    Yen::checked(cost).unwrap_or(Yen::MAX)
}

const fn percent(amount: Yen, rate: i64) -> i64 {
    amount.amount().saturating_mul(rate).saturating_add(99).div_euclid(100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    fn check(funds: i64, cost: i64, required: i64) {
        let suspense = BTreeMap::from([(Id::from_number(125), -90)]);
        let outstanding = Outstanding { funds, prepaid: 70, bonus: 80, suspense };
        let figures = outstanding.figures(&Policy::default().safeguarding);
        let yen = Yen::new;
        let expected = Figures { debt: yen(funds), cost: yen(cost), required: yen(required), prepaid: yen(70) };
        assert_eq!(figures, expected);
    }

    #[test]
    fn the_figures_at_their_bounds() {
        check(0, 0, 10_000_000);
        check(1, 1, 10_000_000);
        check(9_523_809, 476_191, 10_000_000);
        check(9_523_810, 476_191, 10_000_001);
        check(99_999_999, 5_000_000, 104_999_999);
        check(100_000_000, 5_000_000, 105_000_000);
        check(100_000_001, 5_000_001, 105_000_002);
        check(1_000_000_000, 14_000_000, 1_014_000_000);
    }

    #[test]
    fn money_in_suspense_is_owed_bank_by_bank() {
        let suspense = BTreeMap::from([(Id::from_number(125), 100), (Id::from_number(126), -100)]);
        let outstanding = Outstanding { funds: 200_000_000, suspense, ..Outstanding::default() };
        let figures = outstanding.figures(&Policy::default().safeguarding);
        assert_eq!((figures.debt, figures.cost), (Yen::new(200_000_100), Yen::new(6_000_001)));
    }
}
