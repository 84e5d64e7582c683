//! Lives: what differs between honest people. Where they are, when they do things, how sure their hand is, and what befalls
//! them in the weeks of a drill. The numbers stand in `scenario.rs`. Start reading at [`Life::draw`].

use super::luck::Luck;
use super::scenario::honest::{
    CHANGE_BANK_PERCENT, DAY_WEIGHTS, ELDERLY_MISTYPE_PERCENT, FAMILY_PEOPLE, HOTELS, HOURS, KINDS, LOSE_PHONE_PERCENT,
    MISTYPED_PERCENT, MOVEMENTS_PER_MILLE, NEW_NAME_PER_MILLE, PAY_DAY, PAY_DAY_WEIGHT, PAY_DAYS, SALE_DAYS,
    SALE_WEIGHT, SHARED_PHONE_PERCENT, STUDENTS_A_CAMPUS, TRAVEL_PERCENT, TRIP_PERCENT, WEEKEND_HOURS,
};
use domain::{Day, Time};
use jiff::civil::Weekday;
use std::net::{IpAddr, Ipv4Addr};

/// The longest wait that is drawn, in days: nobody stays away for longer.
const WAIT_DAYS_MAX: i32 = 60;

/// The first byte of the address of whoever lives alone.
const ALONE: u8 = 10;
/// Of families.
const FAMILY: u8 = 11;
/// Of campuses.
const CAMPUS: u8 = 12;
/// Of hotels.
const HOTEL: u8 = 13;
/// People who use one telephone, where a family has one for several.
const SHARERS: u32 = 2;

/// In which surroundings somebody lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// With a network of their own.
    Alone,
    /// With others behind one network.
    Family,
    /// On a campus, with many behind one network.
    Student,
    /// Alone, and with an unsure hand.
    Elderly,
}

/// Somebody's life.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    kind: Kind,
    home: IpAddr,
    travels: bool,
    /// They use the telephone of that family, which has one for two of them.
    pub shares_phone: Option<u32>,
    /// They have married, and their bank does not know the new name yet.
    pub has_new_name: bool,
    /// So many days after the first one the telephone is lost.
    pub loses_phone: Option<i32>,
    /// So many days after the first one another bank is chosen.
    pub changes_bank: Option<i32>,
}

/// Who lives where: so many of each kind were drawn so far.
#[derive(Debug, Default)]
pub struct Homes {
    alone: u32,
    families: u32,
    students: u32,
    /// Whether two of the family that was drawn last use one telephone.
    shares: bool,
}

impl Homes {
    /// The network of the next one of that kind, and which family's telephone they share, if they do.
    fn next(&mut self, luck: &mut Luck, kind: Kind) -> (IpAddr, Option<u32>) {
        let (first, count, people) = match kind {
            Kind::Alone | Kind::Elderly => (ALONE, &mut self.alone, 1),
            Kind::Family => (FAMILY, &mut self.families, FAMILY_PEOPLE),
            Kind::Student => (CAMPUS, &mut self.students, STUDENTS_A_CAMPUS),
        };
        let (number, place) = (*count / people, *count % people);
        *count += 1;
        if kind == Kind::Family && place == 0 {
            self.shares = luck.percent(SHARED_PHONE_PERCENT);
        }
        let shares = kind == Kind::Family && self.shares && place < SHARERS;
        (network(first, number), shares.then_some(number))
    }
}

impl Life {
    /// The life of one more person, somewhere in `days`.
    pub fn draw(luck: &mut Luck, homes: &mut Homes, days: i32) -> Self {
        let kind = [Kind::Alone, Kind::Family, Kind::Student, Kind::Elderly][luck.weighted(KINDS.into_iter())];
        let (home, shares_phone) = homes.next(luck, kind);
        let travels = luck.percent(TRAVEL_PERCENT);
        let mut some_day = |per_cent| {
            let day = i32::try_from(luck.between((1, i64::from(days)))).unwrap_or(1);
            luck.percent(per_cent).then_some(day)
        };
        let (loses_phone, changes_bank) = (some_day(LOSE_PHONE_PERCENT), some_day(CHANGE_BANK_PERCENT));
        let has_new_name = luck.below(1_000) < NEW_NAME_PER_MILLE;
        Self { kind, home, travels, shares_phone, has_new_name, loses_phone, changes_bank }
    }

    /// Where they are now: at home, or in a hotel.
    pub fn place(&self, luck: &mut Luck) -> IpAddr {
        if !self.travels || !luck.percent(TRIP_PERCENT) {
            return self.home;
        }
        network(HOTEL, u32::try_from(luck.below(HOTELS)).unwrap_or(0))
    }

    /// What they type at first in the place of `pin`, if they mistype it: one digit is another one.
    pub fn mistypes(&self, luck: &mut Luck, pin: &str) -> Option<String> {
        let percent = match self.kind {
            Kind::Elderly => ELDERLY_MISTYPE_PERCENT,
            Kind::Alone | Kind::Family | Kind::Student => MISTYPED_PERCENT,
        };
        let (is_wrong, place, off) = (luck.percent(percent), luck.index(pin.len().max(1)), luck.between((1, 9)));
        let slip = |(index, digit): (usize, char)| {
            let other = digit.to_digit(10).zip(u32::try_from(off).ok()).map(|(digit, off)| (digit + off) % 10);
            other.and_then(|other| char::from_digit(other, 10)).filter(|_| index == place).unwrap_or(digit)
        };
        is_wrong.then(|| pin.chars().enumerate().map(slip).collect())
    }
}

/// The address behind which household, campus or hotel `number` is, `first` being the first byte of all of its kind: neighbours
/// by number are none on the network.
fn network(first: u8, number: u32) -> IpAddr {
    let scattered = number.wrapping_mul(40_503) & 0xffff;
    IpAddr::V4(Ipv4Addr::from_bits((u32::from(first) << 24) + (scattered << 8) + 1 + (number >> 16)))
}

/// When somebody who acted at `now` has something to do again: by the day of the week, pay-days, sales, and the hour.
pub fn next(luck: &mut Luck, now: Time) -> Time {
    let mut days = (1..=WAIT_DAYS_MAX).map(|wait| now.day().plus(wait));
    let day = days.find(|day| luck.below(100_000) < MOVEMENTS_PER_MILLE * weight(*day));
    let day = day.unwrap_or_else(|| now.day().plus(WAIT_DAYS_MAX));
    let hours = if is_weekend(day) { &WEEKEND_HOURS } else { &HOURS };
    luck.moment_of(day.start(), hours)
}

/// Whether a shop has its sale on `day`.
pub fn is_sale(day: Day) -> bool {
    SALE_DAYS.contains(&day.date().day())
}

fn is_weekend(day: Day) -> bool {
    matches!(day.date().weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// How much is done on `day`, in per cent of an ordinary day.
fn weight(day: Day) -> u64 {
    let date = day.date();
    let weekday = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or(0);
    let pay = if (PAY_DAY..PAY_DAY + PAY_DAYS).contains(&date.day()) { PAY_DAY_WEIGHT } else { 100 };
    let sale = if is_sale(day) { SALE_WEIGHT } else { 100 };
    DAY_WEIGHTS[weekday] * pay * sale / 10_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fraud::scenario::moment;

    #[test]
    fn who_mistypes_gets_one_digit_wrong_and_not_all_the_same_one() {
        let mut luck = Luck::new(1, "test");
        let life = Life::draw(&mut luck, &mut Homes::default(), 60);
        let typed: Vec<String> = (0..2_000).filter_map(|_| life.mistypes(&mut luck, "1234")).collect();
        assert!(
            typed
                .iter()
                .all(|pin| pin.chars().zip("1234".chars()).filter(|(typed, right)| typed != right).count() == 1)
        );
        let different: std::collections::BTreeSet<&String> = typed.iter().collect();
        assert!(!typed.is_empty() && different.len() * 3 > typed.len().min(36), "{different:?}");
    }

    #[test]
    fn a_campus_has_its_two_hundred_a_family_its_three_and_nobody_else_is_behind_their_address() {
        let (mut luck, mut homes) = (Luck::new(1, "test"), Homes::default());
        let mut behind: std::collections::BTreeMap<IpAddr, Vec<Kind>> = std::collections::BTreeMap::new();
        for _ in 0..5_000 {
            let life = Life::draw(&mut luck, &mut homes, 60);
            behind.entry(life.home).or_default().push(life.kind);
        }
        let most = |kind| behind.values().filter(|kinds| kinds.contains(&kind)).map(Vec::len).max();
        assert_eq!(most(Kind::Student), usize::try_from(STUDENTS_A_CAMPUS).ok());
        assert_eq!(most(Kind::Family), usize::try_from(FAMILY_PEOPLE).ok());
        assert_eq!((most(Kind::Alone), most(Kind::Elderly)), (Some(1), Some(1)));
        let campuses = behind.values().filter(|kinds| kinds.len() > 3).count();
        assert!((2..=4).contains(&campuses), "a tenth of five thousand: {campuses}");
    }

    #[test]
    fn some_families_have_one_telephone_for_two_and_some_people_have_a_new_name() {
        let (mut luck, mut homes) = (Luck::new(1, "test"), Homes::default());
        let lives: Vec<Life> = (0..20_000).map(|_| Life::draw(&mut luck, &mut homes, 60)).collect();
        let mut users: std::collections::BTreeMap<u32, Vec<IpAddr>> = std::collections::BTreeMap::new();
        for life in &lives {
            users.entry(life.shares_phone.unwrap_or(u32::MAX)).or_default().push(life.home);
        }
        users.remove(&u32::MAX);
        assert!(
            users.values().all(|homes| homes.len() <= 2 && homes.iter().all(|home| *home == homes[0])),
            "{users:?}"
        );
        assert!((50..150).contains(&users.len()), "of two thousand families: {}", users.len());
        let renamed = lives.iter().filter(|life| life.has_new_name).count();
        assert!((50..200).contains(&renamed), "{renamed}");
    }

    #[test]
    fn pay_days_sales_and_week_ends_are_busier_than_a_tuesday() {
        let of = |date| weight(moment(date).day());
        let tuesday = of("2020-09-01");
        for date in ["2020-08-25", "2020-08-20", "2020-08-29"] {
            assert!(of(date) > tuesday, "{date}");
        }
    }

    #[test]
    fn somebody_acts_about_as_often_as_is_said_and_always_later() {
        let (mut luck, begin) = (Luck::new(1, "test"), moment("2020-08-01"));
        let (mut at, mut acts) = (begin, 0_i64);
        while acts < 2_000 {
            let later = next(&mut luck, at);
            assert!(later.day() > at.day());
            (at, acts) = (later, acts + 1);
        }
        let per_mille = acts * 1_000 * 86_400_000 / at.milliseconds_since(begin);
        let wished = i64::try_from(MOVEMENTS_PER_MILLE).expect("small");
        assert!((wished..wished * 3 / 2).contains(&per_mille), "{per_mille}");
    }
}
