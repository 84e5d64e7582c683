//! The model's tally: what counted towards limits, one line a movement, summed up anew at each question.
//!
//! The calendar is the library's, at the offset of Tokyo: not the one that the product computes.

use domain::{Id, Time};
use jiff::civil::Date;
use jiff::{Span, Timestamp, tz};

/// The business date of `at`.
pub fn date(at: Time) -> Date {
    let instant = Timestamp::from_millisecond(at.milliseconds()).expect("simulated time is in this century");
    instant.to_zoned(tz::TimeZone::fixed(tz::offset(9))).date()
}

/// The date after that of `now`.
pub fn tomorrow(now: Time) -> Option<Date> {
    date(now).tomorrow().ok()
}

/// The first date of the month after that of `now`.
pub fn next_month(now: Time) -> Option<Date> {
    date(now).last_of_month().tomorrow().ok()
}

/// What counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Topped up.
    TopUp,
    /// Paid at shops.
    Payment,
    /// Sent.
    Send,
    /// Paid out.
    Payout,
    /// Young money that left.
    Young,
    /// Young money that left by send.
    YoungSend,
    /// Debited by a mandate that the account's true holder has not confirmed.
    Unconfirmed,
}

/// One line.
struct Line {
    whose: Id,
    what: What,
    movement: Id,
    date: Date,
    amount: i64,
}

/// All lines.
#[derive(Default)]
pub struct Tally(Vec<Line>);

impl Tally {
    /// Counts `amount` of `movement` on the date of `at`.
    pub fn add(&mut self, whose: Id, what: What, movement: Id, at: Time, amount: i64) {
        self.0.push(Line { whose, what, movement, date: date(at), amount });
    }

    /// Frees whatever `movement` counted.
    pub fn free(&mut self, movement: Id) {
        self.0.retain(|line| line.movement != movement);
    }

    /// Takes `amount` off what `movement` counted as `what`.
    pub fn lessen(&mut self, movement: Id, what: What, amount: i64) {
        for line in self.0.iter_mut().filter(|line| line.movement == movement && line.what == what) {
            line.amount -= amount;
        }
    }

    /// Forgets everything of `whose` that counted as `what`.
    pub fn clear(&mut self, whose: Id, what: What) {
        self.0.retain(|line| line.whose != whose || line.what != what);
    }

    /// The sum on the date of `now`.
    pub fn today(&self, whose: Id, what: What, now: Time) -> i64 {
        let today = date(now);
        self.lines(whose, what).filter(|line| line.date == today).map(|line| line.amount).sum()
    }

    /// The sum on the date of `now` and on the one before.
    pub fn two_dates(&self, whose: Id, what: What, now: Time) -> i64 {
        let today = date(now);
        let first = today - Span::new().days(1);
        self.lines(whose, what).filter(|line| line.date >= first && line.date <= today).map(|line| line.amount).sum()
    }

    /// The sum in the calendar month of `now`.
    pub fn month(&self, whose: Id, what: What, now: Time) -> i64 {
        let today = date(now);
        self.lines(whose, what).filter(|line| same_month(line.date, today)).map(|line| line.amount).sum()
    }

    /// How often in the calendar month of `now`.
    pub fn times_in_month(&self, whose: Id, what: What, now: Time) -> i64 {
        let today = date(now);
        let count = self.lines(whose, what).filter(|line| same_month(line.date, today)).count();
        i64::try_from(count).unwrap_or(i64::MAX)
    }

    /// The sum of the 30 dates that end today.
    pub fn thirty_dates(&self, whose: Id, what: What, now: Time) -> i64 {
        let today = date(now);
        let first = today - Span::new().days(29);
        self.lines(whose, what).filter(|line| line.date >= first && line.date <= today).map(|line| line.amount).sum()
    }

    /// The first date after today on whose thirty dates no more than `at_most` counted, as things are.
    pub fn thirty_dates_from(&self, whose: Id, what: What, now: Time, at_most: i64) -> Option<Date> {
        const DAY_MS: i64 = 86_400_000;
        let mut later = (1..=30).map(|days| now.plus_milliseconds(days * DAY_MS));
        later.find(|later| self.thirty_dates(whose, what, *later) <= at_most).map(date)
    }

    /// The sum of all dates.
    pub fn ever(&self, whose: Id, what: What) -> i64 {
        self.lines(whose, what).map(|line| line.amount).sum()
    }

    fn lines(&self, whose: Id, what: What) -> impl Iterator<Item = &Line> {
        self.0.iter().filter(move |line| line.whose == whose && line.what == what)
    }
}

fn same_month(one: Date, other: Date) -> bool {
    (one.year(), one.month()) == (other.year(), other.month())
}
