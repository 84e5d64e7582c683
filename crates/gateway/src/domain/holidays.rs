//! Which days are business days of Japanese banks.
//!
//! Banks rest on Saturdays, Sundays, national holidays, and from 31 December to 3 January (銀行法第15条, 銀行法施行令第5条).
//! National holidays (国民の祝日に関する法律, with 振替休日 and 国民の休日) are announced by the Cabinet Office a year ahead; the
//! table has those of 2019 to 2027 as 内閣府「国民の祝日について」 lists them. A later year has its weekends and its turn of the
//! year until the table goes on.

use domain::Day;
use jiff::civil::Weekday;

/// What kind of day it is at banks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DayKind {
    /// 平日.
    Business,
    /// 土曜.
    Saturday,
    /// 日曜・祝日・年末年始.
    Holiday,
}

/// The years of the table, each with its holidays as `month/day`.
const HOLIDAYS: [(i16, &str); 9] = [
    (2019, "1/1 1/14 2/11 3/21 4/29 4/30 5/1 5/2 5/3 5/4 5/5 5/6 7/15 8/11 8/12 9/16 9/23 10/14 10/22 11/3 11/4 11/23"),
    (2020, "1/1 1/13 2/11 2/23 2/24 3/20 4/29 5/3 5/4 5/5 5/6 7/23 7/24 8/10 9/21 9/22 11/3 11/23"),
    (2021, "1/1 1/11 2/11 2/23 3/20 4/29 5/3 5/4 5/5 7/22 7/23 8/8 8/9 9/20 9/23 11/3 11/23"),
    (2022, "1/1 1/10 2/11 2/23 3/21 4/29 5/3 5/4 5/5 7/18 8/11 9/19 9/23 10/10 11/3 11/23"),
    (2023, "1/1 1/2 1/9 2/11 2/23 3/21 4/29 5/3 5/4 5/5 7/17 8/11 9/18 9/23 10/9 11/3 11/23"),
    (2024, "1/1 1/8 2/11 2/12 2/23 3/20 4/29 5/3 5/4 5/5 5/6 7/15 8/11 8/12 9/16 9/22 9/23 10/14 11/3 11/4 11/23"),
    (2025, "1/1 1/13 2/11 2/23 2/24 3/20 4/29 5/3 5/4 5/5 5/6 7/21 8/11 9/15 9/23 10/13 11/3 11/23 11/24"),
    (2026, "1/1 1/12 2/11 2/23 3/20 4/29 5/3 5/4 5/5 5/6 7/20 8/11 9/21 9/22 9/23 10/12 11/3 11/23"),
    (2027, "1/1 1/11 2/11 2/23 3/21 3/22 4/29 5/3 5/4 5/5 7/19 8/11 9/20 9/23 10/11 11/3 11/23"),
];

/// What kind of day `day` is.
pub fn kind_of(day: Day) -> DayKind {
    let date = day.date();
    let is_turn_of_year = matches!((date.month(), date.day()), (12, 31) | (1, 1..=3));
    let of_year = HOLIDAYS.iter().find(|(year, _)| *year == date.year()).map(|(_, holidays)| *holidays);
    let written = format!("{}/{}", date.month(), date.day());
    let is_national = of_year.is_some_and(|holidays| holidays.split(' ').any(|holiday| holiday == written));
    if is_turn_of_year || is_national || date.weekday() == Weekday::Sunday {
        DayKind::Holiday
    } else if date.weekday() == Weekday::Saturday {
        DayKind::Saturday
    } else {
        DayKind::Business
    }
}

/// Whether banks work on `day`.
pub fn is_business_day(day: Day) -> bool {
    kind_of(day) == DayKind::Business
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::{Date, date};

    fn kind(date: Date) -> DayKind {
        kind_of(Day::from(date))
    }

    #[test]
    fn banks_rest_at_weekends_on_holidays_and_at_the_turn_of_the_year() {
        for (day, expected) in [
            (date(2020, 9, 18), DayKind::Business),
            (date(2020, 9, 19), DayKind::Saturday),
            (date(2020, 9, 20), DayKind::Holiday),
            (date(2020, 9, 22), DayKind::Holiday),
            (date(2020, 9, 23), DayKind::Business),
            (date(2019, 5, 2), DayKind::Holiday),
            (date(2020, 7, 24), DayKind::Holiday),
            (date(2021, 10, 11), DayKind::Business),
            (date(2026, 9, 22), DayKind::Holiday),
            (date(2026, 12, 30), DayKind::Business),
            (date(2026, 12, 31), DayKind::Holiday),
            (date(2031, 1, 3), DayKind::Holiday),
            (date(2031, 1, 6), DayKind::Business),
        ] {
            assert_eq!(kind(day), expected, "{day}");
        }
    }

    /// Each holiday of 2020 to 2027 under its name, as 内閣府「国民の祝日について」 (syukujitsu.csv) announces them: by name and
    /// not by year, so that one slip of a finger is not in both lists. 休日 are those of 第3条第2項 and 第3項.
    const ANNOUNCED: [(&str, [&str; 8]); 17] = [
        ("元日", ["1/1"; 8]),
        ("成人の日", ["1/13", "1/11", "1/10", "1/9", "1/8", "1/13", "1/12", "1/11"]),
        ("建国記念の日", ["2/11"; 8]),
        ("天皇誕生日", ["2/23"; 8]),
        ("春分の日", ["3/20", "3/20", "3/21", "3/21", "3/20", "3/20", "3/20", "3/21"]),
        ("昭和の日", ["4/29"; 8]),
        ("憲法記念日", ["5/3"; 8]),
        ("みどりの日", ["5/4"; 8]),
        ("こどもの日", ["5/5"; 8]),
        ("海の日", ["7/23", "7/22", "7/18", "7/17", "7/15", "7/21", "7/20", "7/19"]),
        ("スポーツの日", ["7/24", "7/23", "10/10", "10/9", "10/14", "10/13", "10/12", "10/11"]),
        ("山の日", ["8/10", "8/8", "8/11", "8/11", "8/11", "8/11", "8/11", "8/11"]),
        ("敬老の日", ["9/21", "9/20", "9/19", "9/18", "9/16", "9/15", "9/21", "9/20"]),
        ("秋分の日", ["9/22", "9/23", "9/23", "9/23", "9/22", "9/23", "9/23", "9/23"]),
        ("文化の日", ["11/3"; 8]),
        ("勤労感謝の日", ["11/23"; 8]),
        ("休日", ["2/24 5/6", "8/9", "", "1/2", "2/12 5/6 8/12 9/23 11/4", "2/24 5/6 11/24", "5/6 9/22", "3/22"]),
    ];

    #[test]
    fn the_table_has_what_the_cabinet_office_announced_and_nothing_else() {
        let sorted = |mut days: Vec<&'static str>| {
            days.sort_unstable();
            days
        };
        for (place, year) in (2020..=2027).enumerate() {
            let table = HOLIDAYS.iter().find(|(of, _)| *of == year).expect("the year is there").1;
            let announced = ANNOUNCED.iter().flat_map(|(_, years)| years[place].split_whitespace());
            assert_eq!(sorted(announced.collect()), sorted(table.split(' ').collect()), "{year}");
        }
    }

    /// The rules of the law that do not depend on an announcement hold for what the table has.
    #[test]
    fn the_table_keeps_the_law() {
        let days = |(year, days): (i16, &'static str)| {
            days.split(' ').map(move |day| {
                let (month, day) = day.split_once('/').expect("month/day");
                date(year, month.parse().expect("a month"), day.parse().expect("a day"))
            })
        };
        let all: Vec<Date> = HOLIDAYS.into_iter().flat_map(days).collect();
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "in order, each once");
        assert_eq!(HOLIDAYS.map(|(year, _)| year).to_vec(), (2019..=2027).collect::<Vec<_>>());
        let is_holiday = |date: &Date| all.contains(date);
        for year in 2019..=2027 {
            for (month, day) in [(1, 1), (2, 11), (4, 29), (5, 3), (5, 4), (5, 5), (11, 3), (11, 23)] {
                assert!(is_holiday(&date(year, month, day)), "{year}/{month}/{day}");
            }
        }
        for holiday in &all {
            let next = |date: Date| date.tomorrow().expect("a day");
            // 第3条第2項: of a holiday on a Sunday the rest moves to the next day that is none, which the table has as well.
            let is_sunday = holiday.weekday() == Weekday::Sunday;
            assert!(!is_sunday || is_holiday(&next(*holiday)), "{holiday}: nobody rests for it");
            // 第3条第3項: a day between two holidays is one.
            let between = next(*holiday);
            assert!(!is_holiday(&next(between)) || is_holiday(&between), "{between}");
        }
    }
}
