//! Time as the domains know it: a point in milliseconds, and the calendar of Asia/Tokyo.
//!
//! Japan has had one offset, +09:00 without daylight saving, for all the time this system will ever see, so the
//! calendar is computed from that offset and from nothing that a server could have set wrongly.

use jiff::{Timestamp, civil, tz};
use serde::{Deserialize, Serialize};
use std::fmt;

const MILLISECONDS_A_DAY: i64 = 86_400_000;
const OFFSET_TOKYO_MILLISECONDS: i64 = 9 * 3_600_000;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Time(i64);

impl Time {
    /// The point `milliseconds` after 1970-01-01T00:00:00Z.
    pub const fn from_milliseconds(milliseconds: i64) -> Self {
        Self(milliseconds)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn milliseconds(self) -> i64 {
        self.0
    }

    /// This point, moved by `milliseconds`; the ends of the range hold.
    #[must_use]
    pub const fn plus_milliseconds(self, milliseconds: i64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }

    /// Milliseconds from `earlier` to here; negative if `earlier` is later.
    pub const fn milliseconds_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The business date: the calendar day in Asia/Tokyo.
    pub const fn day(self) -> Day {
        let days = self.0.saturating_add(OFFSET_TOKYO_MILLISECONDS).div_euclid(MILLISECONDS_A_DAY);
        #[expect(
            clippy::as_conversions,
            clippy::cast_possible_truncation,
            reason = "i64::MAX milliseconds are 1.07e11 days; Time is only built from clocks, whose days fit i32"
        )]
        Day(days as i32)
    }
}

impl From<Timestamp> for Time {
    fn from(timestamp: Timestamp) -> Self {
        Self(timestamp.as_millisecond())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => write!(f, "{}", timestamp.display_with_offset(tz::offset(9))),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

/// Days before and after 1970-01-01 that reach beyond the calendar's ends, and still are a span that can be added.
const DAYS_BEFORE_MAX: i64 = -4_000_000;
const DAYS_AFTER_MAX: i64 = 2_900_000;

/// A calendar day in Asia/Tokyo: days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Day(i32);

impl Day {
    /// The day `days` after 1970-01-01.
    pub const fn from_number(days: i32) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// This day, moved by `days`.
    #[must_use]
    pub const fn plus(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// The first moment of this day.
    pub fn start(self) -> Time {
        let days = i64::from(self.0);
        Time(days.saturating_mul(MILLISECONDS_A_DAY).saturating_sub(OFFSET_TOKYO_MILLISECONDS))
    }

    /// The day as a civil date; the ends of the calendar hold.
    pub fn date(self) -> civil::Date {
        let epoch = civil::date(1970, 1, 1);
        epoch.saturating_add(jiff::Span::new().days(i64::from(self.0).clamp(DAYS_BEFORE_MAX, DAYS_AFTER_MAX)))
    }

    /// The calendar month that this day lies in.
    pub fn month(self) -> Month {
        let date = self.date();
        Month { year: date.year(), month: date.month() }
    }
}

impl From<civil::Date> for Day {
    fn from(date: civil::Date) -> Self {
        let days = date.since(civil::date(1970, 1, 1)).map_or(0, |span| span.get_days());
        Self(days)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.date())
    }
}

/// A calendar month in Asia/Tokyo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Month {
    year: i16,
    month: i8,
}

impl Month {
    /// The month's first day.
    pub fn first_day(self) -> Day {
        Day::from(civil::date(self.year, self.month, 1))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(timestamp: &str, day: &str, month: &str) {
        let time = Time::from(timestamp.parse::<Timestamp>().expect("a valid timestamp"));
        assert_eq!((time.day().to_string(), time.day().month().to_string()), (day.into(), month.into()));
        assert!(time.day().start() <= time && time < time.day().plus(1).start());
        assert_eq!(Day::from(time.day().date()), time.day());
    }

    #[test]
    fn the_business_date_is_tokyos() {
        check("2020-08-31T14:59:59.999Z", "2020-08-31", "2020-08");
        check("2020-08-31T15:00:00.000Z", "2020-09-01", "2020-09");
        check("2024-02-28T15:00:00Z", "2024-02-29", "2024-02");
        check("2019-12-31T15:00:00Z", "2020-01-01", "2020-01");
        check("1969-12-31T14:59:59Z", "1969-12-31", "1969-12");
    }
}
