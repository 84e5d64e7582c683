//! Limits: sums by business date, of a day, a calendar month and a rolling window, and what is more than they allow.

use crate::refusal::{Limit, Refusal};
use domain::Day;
use ledger::Yen;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// Days that "rolling 30 days" means: 30 business dates including today.
pub const ROLLING_DAYS: i32 = 30;
/// Days that are kept: the longest month, and the rolling window.
const KEPT_DAYS: i32 = 31;

/// Refuses if `requested` on top of `used` is more than `at_most`.
pub(crate) fn check_limit(limit: Limit, at_most: Yen, used: Yen, requested: Yen) -> Result<(), Refusal> {
    check_limit_until(limit, at_most, used, requested, || None)
}

/// The same of what begins anew: `from` is the first business date on which so much is possible, if it ever is.
pub(crate) fn check_limit_until(
    limit: Limit,
    at_most: Yen,
    used: Yen,
    requested: Yen,
    from: impl FnOnce() -> Option<Day>,
) -> Result<(), Refusal> {
    let left = at_most.saturating_sub(used);
    if requested <= left {
        return Ok(());
    }
    let from = if requested > at_most { None } else { from() };
    let (at_most, left, requested) = (at_most.amount(), left.amount(), requested.amount());
    Err(Refusal::LimitExceeded { limit, at_most, left, requested, from })
}

/// The first date of the calendar month after that of `day`.
pub(crate) fn next_month(day: Day) -> Day {
    day.month().first_day().plus(KEPT_DAYS).month().first_day()
}

/// What counted on one business date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct DaySum {
    day: Day,
    amount: Yen,
    count: u32,
}

/// What counted on each of the last business dates. Dates without a sum take no room, a single one no memory of its own.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DailySums(#[serde(with = "crate::inline")] SmallVec<[DaySum; 1]>);

impl DailySums {
    /// Counts `amount` on `day`. Dates too old for any limit are dropped.
    pub fn count(&mut self, day: Day, amount: Yen) {
        let newest = self.0.iter().map(|sum| sum.day).max().unwrap_or(day).max(day);
        let index = self.0.partition_point(|sum| sum.day < day);
        match self.0.get_mut(index).filter(|sum| sum.day == day) {
            Some(sum) => {
                sum.amount = sum.amount.checked_add(amount).unwrap_or(Yen::MAX);
                sum.count = sum.count.saturating_add(1);
            }
            None => self.0.insert(index, DaySum { day, amount, count: 1 }),
        }
        self.0.retain(|sum| sum.day > newest.plus(KEPT_DAYS.saturating_neg()));
    }

    /// Takes back what was counted on `day`: a decline, a cancellation, a return. A date already dropped stays dropped.
    pub fn uncount(&mut self, day: Day, amount: Yen) {
        if let Some(sum) = self.0.iter_mut().find(|sum| sum.day == day) {
            sum.amount = sum.amount.saturating_sub(amount);
            sum.count = sum.count.saturating_sub(1);
        }
        self.0.retain(|sum| sum.count > 0);
    }

    /// Takes back a part of what one movement counted on `day`: the movement stays, smaller.
    pub fn lessen(&mut self, day: Day, amount: Yen) {
        if let Some(sum) = self.0.iter_mut().find(|sum| sum.day == day) {
            sum.amount = sum.amount.saturating_sub(amount);
        }
    }

    /// The sum on `day`.
    pub fn on(&self, day: Day) -> Yen {
        self.between(day, day)
    }

    /// The sum on `day` and on the day before.
    pub fn lately(&self, day: Day) -> Yen {
        self.between(day.plus(-1), day)
    }

    /// The sum in the calendar month of `day`.
    pub fn in_month(&self, day: Day) -> Yen {
        self.between(day.month().first_day(), day)
    }

    /// How often on `day`.
    pub fn count_on(&self, day: Day) -> u32 {
        self.0.iter().find(|sum| sum.day == day).map_or(0, |sum| sum.count)
    }

    /// How often in the calendar month of `day`.
    pub fn count_in_month(&self, day: Day) -> u32 {
        let first = day.month().first_day();
        self.0.iter().filter(|sum| first <= sum.day && sum.day <= day).map(|sum| sum.count).sum()
    }

    /// The sum of the 30 dates that end with `day`.
    pub fn rolling(&self, day: Day) -> Yen {
        self.between(day.plus(1_i32.saturating_sub(ROLLING_DAYS)), day)
    }

    /// The first of the dates after `day` on whose 30 dates no more than `at_most` counted, if nothing counts from here on.
    pub fn rolling_from(&self, day: Day, at_most: Yen) -> Day {
        let mut dates = (1..ROLLING_DAYS).map(|days| day.plus(days));
        dates.find(|date| self.rolling(*date) <= at_most).unwrap_or_else(|| day.plus(ROLLING_DAYS))
    }

    fn between(&self, first: Day, last: Day) -> Yen {
        let amounts = self.0.iter().filter(|sum| first <= sum.day && sum.day <= last).map(|sum| sum.amount);
        Yen::checked_sum(amounts).unwrap_or(Yen::MAX)
    }
}
