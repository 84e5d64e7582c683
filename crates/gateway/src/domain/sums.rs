//! Sums by business date, for limits of a day and of a calendar month.

use domain::Day;
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// Days that are kept: the longest month.
const KEPT_DAYS: i32 = 31;

/// What counted on each of the last business dates. Dates without a sum take no room.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DailySums(Vec<(Day, Yen)>);

impl DailySums {
    /// Counts `amount` on `day`. Dates too old for any limit are dropped.
    pub fn count(&mut self, day: Day, amount: Yen) {
        let newest = self.0.last().map_or(day, |(newest, _)| day.max(*newest));
        let index = self.0.partition_point(|(date, _)| *date < day);
        match self.0.get_mut(index).filter(|(date, _)| *date == day) {
            Some((_, sum)) => *sum = sum.checked_add(amount).unwrap_or(Yen::MAX),
            None => self.0.insert(index, (day, amount)),
        }
        self.0.retain(|(date, _)| *date > newest.plus(KEPT_DAYS.saturating_neg()));
    }

    /// Takes back what was counted on `day`: a decline. A date already dropped stays dropped.
    pub fn uncount(&mut self, day: Day, amount: Yen) {
        if let Some((_, sum)) = self.0.iter_mut().find(|(date, _)| *date == day) {
            *sum = sum.saturating_sub(amount);
        }
        self.0.retain(|(_, sum)| !sum.is_zero());
    }

    /// Takes out what `others` counted, date by date. A date already dropped stays dropped.
    pub fn take_out(&mut self, others: &Self) {
        for (day, amount) in &others.0 {
            self.uncount(*day, *amount);
        }
    }

    /// The sum on `day`.
    pub fn on(&self, day: Day) -> Yen {
        self.between(day, day)
    }

    /// The sum in the calendar month of `day`, up to that day.
    pub fn in_month(&self, day: Day) -> Yen {
        self.between(day.month().first_day(), day)
    }

    fn between(&self, first: Day, last: Day) -> Yen {
        let amounts = self.0.iter().filter(|(date, _)| first <= *date && *date <= last).map(|(_, sum)| *sum);
        Yen::checked_sum(amounts).unwrap_or(Yen::MAX)
    }
}
