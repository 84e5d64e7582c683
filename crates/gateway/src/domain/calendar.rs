//! Calendars: when a bank takes what it is asked. Opening hours by kind of day, in Tokyo's time, and maintenance.
//!
//! While a bank is closed nothing is sent to it: what is asked for stays `pending` until it opens, and nobody is let begin a
//! link. Debits that go by the day's file keep to business days instead. A bank without a calendar is always open.

use super::Row;
use super::bank::shortened;
use super::holidays::{self, DayKind};
use super::ids::BankCode;
use super::state::{Rows, wrong_row};
use domain::{Key, Time};
use serde::{Deserialize, Serialize};

/// Maintenance windows that one bank announces, at most.
pub const MAINTENANCE_MAX: usize = 32;
/// Minutes of a day.
pub const DAY_MINUTES: u16 = 1_440;

const MINUTE_MS: i64 = 60_000;
/// Days and maintenance windows that are looked through for an opening, at most: more than a year.
const STEPS_MAX: u32 = 1_000;

/// When a bank is open.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Calendar {
    /// Its hours; none: all hours of all days.
    pub hours: Option<Hours>,
    /// When it works on its systems.
    pub maintenance: Vec<Maintenance>,
}

/// The hours by kind of day; none: closed all day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// 平日.
    pub business_days: Option<Span>,
    /// 土曜.
    pub saturdays: Option<Span>,
    /// 日曜・祝日・年末年始.
    pub holidays: Option<Span>,
}

/// From when until when on one day, in minutes after midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    opens: u16,
    closes: u16,
}

/// Work on a bank's systems.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    /// From when.
    pub from: Time,
    /// Until when.
    pub until: Time,
    /// Why, for everybody whom it concerns.
    pub reason: String,
}

impl Span {
    /// From `opens` until `closes`, if that is some time of one day.
    pub const fn new(opens: u16, closes: u16) -> Option<Self> {
        if opens < closes && closes <= DAY_MINUTES { Some(Self { opens, closes }) } else { None }
    }

    /// The first minute.
    pub const fn opens(self) -> u16 {
        self.opens
    }

    /// The first minute after it.
    pub const fn closes(self) -> u16 {
        self.closes
    }
}

impl Hours {
    const fn of(&self, kind: DayKind) -> Option<Span> {
        match kind {
            DayKind::Business => self.business_days,
            DayKind::Saturday => self.saturdays,
            DayKind::Holiday => self.holidays,
        }
    }
}

impl Calendar {
    /// The first moment from `now` on at which the bank is open: `now` itself, if it is. A bank that never opens is looked at
    /// again when there is nothing left to look through.
    pub fn open_from(&self, now: Time) -> Time {
        let mut at = now;
        for _ in 0..STEPS_MAX {
            let opens = self.after_maintenance(self.in_hours(at));
            if opens == at {
                return at;
            }
            at = opens;
        }
        at
    }

    fn after_maintenance(&self, at: Time) -> Time {
        let under_way = self.maintenance.iter().filter(|maintenance| maintenance.from <= at && at < maintenance.until);
        under_way.map(|maintenance| maintenance.until).max().unwrap_or(at)
    }

    /// `at` if it lies in the hours of its day, else the next opening of that day, else the day after it.
    fn in_hours(&self, at: Time) -> Time {
        let Some(hours) = &self.hours else { return at };
        let day = at.day();
        let minute = |minute: u16| day.start().plus_milliseconds(i64::from(minute).saturating_mul(MINUTE_MS));
        match hours.of(holidays::kind_of(day)) {
            Some(span) if at < minute(span.closes) => at.max(minute(span.opens)),
            Some(_) | None => day.plus(1).start(),
        }
    }

    /// The same as it is kept: no more windows and no longer reasons than there may be.
    pub(crate) fn bounded(&self) -> Self {
        let bounded =
            |maintenance: &Maintenance| Maintenance { reason: shortened(&maintenance.reason), ..*maintenance };
        Self { hours: self.hours, maintenance: self.maintenance.iter().take(MAINTENANCE_MAX).map(bounded).collect() }
    }

    pub(crate) fn evolve(&self, key: Key, row: &mut Option<Row>) {
        match row {
            None | Some(Row::Calendar(_)) => *row = Some(Row::Calendar(Box::new(self.clone()))),
            Some(_) => wrong_row(key),
        }
    }
}

/// The first moment from `now` on at which `bank` is open.
pub(crate) fn open_from(rows: Rows<'_>, bank: BankCode, now: Time) -> Time {
    rows.calendar(bank).map_or(now, |calendar| calendar.open_from(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn time(text: &str) -> Time {
        let timestamp: Timestamp = format!("{}:00+09:00", text.replace(' ', "T")).parse().expect("a time");
        timestamp.into()
    }

    fn check(calendar: &Calendar, now: &str, expected: &str) {
        assert_eq!(calendar.open_from(time(now)), time(expected), "{now}");
    }

    #[test]
    fn a_bank_is_open_in_its_hours_on_its_days_and_not_in_maintenance() {
        let hours =
            Hours { business_days: Span::new(8 * 60, 21 * 60), saturdays: Span::new(9 * 60, 17 * 60), holidays: None };
        let work = |from, until| Maintenance { from: time(from), until: time(until), reason: "定期点検".into() };
        let calendar = Calendar {
            hours: Some(hours),
            maintenance: vec![
                work("2020-09-17 20:00", "2020-09-18 10:00"),
                work("2020-09-18 09:00", "2020-09-18 12:00"),
            ],
        };
        for (now, expected) in [
            ("2020-09-16 07:59", "2020-09-16 08:00"),
            ("2020-09-16 08:00", "2020-09-16 08:00"),
            ("2020-09-16 20:59", "2020-09-16 20:59"),
            ("2020-09-16 21:00", "2020-09-17 08:00"),
            ("2020-09-17 19:59", "2020-09-17 19:59"),
            ("2020-09-17 20:00", "2020-09-18 12:00"),
            ("2020-09-19 16:59", "2020-09-19 16:59"),
            // Sunday, Respect for the Aged Day, the autumnal equinox.
            ("2020-09-19 17:00", "2020-09-23 08:00"),
        ] {
            check(&calendar, now, expected);
        }
        check(&Calendar::default(), "2020-09-20 03:00", "2020-09-20 03:00");
    }

    #[test]
    fn a_bank_that_never_opens_is_looked_at_again_one_day() {
        let hours = Hours { business_days: None, saturdays: None, holidays: None };
        let calendar = Calendar { hours: Some(hours), maintenance: Vec::new() };
        let now = time("2020-09-16 12:00");
        assert!(calendar.open_from(now).milliseconds_since(now) > 365 * 86_400_000);
        assert_eq!((Span::new(60, 60), Span::new(0, 1_441), Span::new(600, 300)), (None, None, None));
    }
}
