//! Business dates are Tokyo's: at the last millisecond of a day and after it, on nights when clocks change elsewhere, on
//! 29 February, and at the end of a month and a year.

use super::story::Story;
use super::world::{DAY_MS, T0};
use domain::Time;

/// Tells `sentences`; one that begins with a time in UTC is told at that time.
fn check(sentences: &[&str]) {
    let mut story = Story::new();
    for sentence in sentences {
        let timed =
            sentence.split_once(' ').and_then(|(time, rest)| Some((time.parse::<jiff::Timestamp>().ok()?, rest)));
        let (time, rest) = timed.map_or((story.world.now, *sentence), |(time, rest)| (Time::from(time), rest));
        assert!(time >= story.world.now, "{sentence}: stories go forward");
        story.world.now = time;
        story.tell(rest);
    }
}

#[test]
fn a_day_ends_at_midnight_in_tokyo_also_when_clocks_change_elsewhere() {
    // New York goes back and forth, Berlin goes forth, and a leap day begins and ends.
    let dates = ["2026-11-01", "2027-03-14", "2027-03-28", "2027-12-31", "2028-02-28", "2028-02-29"];
    for date in dates {
        check(&[
            "A links X unconfirmed",
            &format!("{date}T14:59:59.999Z A tops up 10000 from X -> pending"),
            "A tops up 100 from X -> limit unconfirmed per day, 0 left",
            // What is declined on the next day frees the day on which it was accepted.
            &format!("{date}T15:00:00Z A tops up 10000 from X -> pending"),
            "A tops up 100 from X -> limit unconfirmed per day, 0 left",
            &format!("{date}T15:00:00.001Z bank declines -> declined"),
            "A tops up 10000 from X -> pending",
        ]);
    }
}

#[test]
fn a_month_ends_at_midnight_in_tokyo_and_thirty_dates_know_no_month() {
    for (date, last_of_thirty) in [
        ("2026-10-31", "2026-11-29"),
        ("2026-12-31", "2027-01-29"),
        ("2027-02-28", "2027-03-29"),
        ("2028-02-29", "2028-03-29"),
    ] {
        check(&[
            "A links X",
            &format!("{date}T14:59:59.997Z A tops up 100000 from X -> pending"),
            "A tops up 100000 from X -> pending",
            "late: A tops up 100000 from X -> pending",
            &format!("{date}T14:59:59.999Z A tops up 100 from X -> limit per month, 0 left"),
            &format!("{date}T15:00:00Z A tops up 100 from X -> limit rolling, 0 left"),
            "bank declines of late -> declined",
            "A tops up 100000 from X -> pending",
            &format!("{last_of_thirty}T14:59:59.999Z A tops up 100 from X -> limit rolling, 0 left"),
            &format!("{last_of_thirty}T15:00:00Z A tops up 100000 from X -> pending"),
        ]);
    }
}

#[test]
fn a_leap_day_is_a_date_of_its_own() {
    let (before, leap) = ("2028-02-28T14:59:59.999Z", "2028-02-28T15:00:00Z");
    let day = |time: &str| Time::from(time.parse::<jiff::Timestamp>().expect("a time")).day();
    assert_eq!((day(before).to_string(), day(leap).to_string()), ("2028-02-28".into(), "2028-02-29".into()));
    assert_eq!(day(leap).plus(1).to_string(), "2028-03-01");
    assert!(T0.plus_milliseconds(DAY_MS).day() == T0.day().plus(1));
}

#[test]
fn a_limit_says_from_when_it_allows_as_much_again() {
    check(&[
        "A links X",
        "2026-10-05T03:00:00Z A tops up 60000 from X -> pending",
        "2026-10-20T03:00:00Z A tops up 100000 from X -> pending",
        "A tops up 100000 from X -> pending",
        "A tops up 100000 from X -> limit per month, 40000 left, again from 2026-11-01",
        // The next month is there, and of the thirty dates only the first movement's falls out.
        "2026-11-01T03:00:00Z A tops up 100000 from X -> limit rolling, 40000 left, again from 2026-11-04",
        "2026-11-04T03:00:00Z A tops up 100000 from X -> pending",
        "A tops up 10000 from X -> limit rolling, 0 left, again from 2026-11-19",
    ]);
    check(&[
        "A has 900000 funds",
        "2026-12-31T03:00:00Z A pays S 300000 -> captured",
        "A pays S 300000 -> limit per day, 200000 left, again from 2027-01-01",
    ]);
    check(&[
        "A links X unconfirmed",
        "2027-02-28T03:00:00Z A tops up 10000 from X -> pending",
        "A tops up 10000 from X -> limit unconfirmed per day, 0 left, again from 2027-03-01",
        "A tops up 10001 from X -> limit unconfirmed per day, 0 left",
    ]);
}
