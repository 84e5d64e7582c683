//! The people of the sandbox: invented, many, and the same ones for the same seed.
//!
//! A person is a pure function of seed and number: nothing is stored here. PINs have the skew that people give them:
//! birthdays, years, runs and repeated digits, and a third as chance would have it. The first few people are fixed,
//! whatever the seed is, so that instructions can name them. Start reading at [`Population`].

use crate::domain::account::{AccountKind, AccountNumber, Customer, Pin};
use crate::domain::bank::BankCode;
use crate::domain::identification::Identity;
use crate::registry::Registry;
use ::domain::Day;
use jiff::civil;
use ledger::Yen;

/// People, at most.
pub const PEOPLE_MAX: u32 = 2_000_000;
/// The first number that people's accounts have at a branch; the gaps between numbers are drawn.
const NUMBER_FIRST: u32 = 1_000_000;
/// The whole of the numbers that accounts may have.
const NUMBERS: u64 = 8_999_999;

const FAMILIES: &[(&str, &str)] = &[
    ("青葉", "アオバ"),
    ("秋津", "アキツ"),
    ("朝霧", "アサギリ"),
    ("飯倉", "イイクラ"),
    ("石動", "イスルギ"),
    ("磯崎", "イソザキ"),
    ("稲瀬", "イナセ"),
    ("岩淵", "イワブチ"),
    ("宇治川", "ウジカワ"),
    ("榎戸", "エノキド"),
    ("大槻", "オオツキ"),
    ("小笠", "オガサ"),
    ("長船", "オサフネ"),
    ("音羽", "オトワ"),
    ("香取", "カトリ"),
    ("鹿島", "カシマ"),
    ("神無", "カンナ"),
    ("北条", "ホウジョウ"),
    ("桐生", "キリュウ"),
    ("久慈", "クジ"),
    ("倉橋", "クラハシ"),
    ("小柴", "コシバ"),
    ("早乙女", "サオトメ"),
    ("桜庭", "サクラバ"),
    ("篠崎", "シノザキ"),
    ("島津", "シマヅ"),
    ("白鳥", "シラトリ"),
    ("杉浦", "スギウラ"),
    ("瀬川", "セガワ"),
    ("高遠", "タカトオ"),
    ("竜崎", "リュウザキ"),
    ("千種", "チグサ"),
    ("月岡", "ツキオカ"),
    ("土岐", "トキ"),
    ("利根", "トネ"),
    ("直江", "ナオエ"),
    ("中津", "ナカツ"),
    ("長門", "ナガト"),
    ("新見", "ニイミ"),
    ("野々村", "ノノムラ"),
    ("羽生", "ハニュウ"),
    ("日向", "ヒュウガ"),
    ("平泉", "ヒライズミ"),
    ("藤代", "フジシロ"),
    ("不破", "フワ"),
    ("真壁", "マカベ"),
    ("三好", "ミヨシ"),
    ("最上", "モガミ"),
    ("矢作", "ヤハギ"),
    ("由良", "ユラ"),
];

const GIVEN: &[(&str, &str)] = &[
    ("葵", "アオイ"),
    ("明里", "アカリ"),
    ("篤", "アツシ"),
    ("彩", "アヤ"),
    ("功", "イサオ"),
    ("一郎", "イチロウ"),
    ("恵美", "エミ"),
    ("修", "オサム"),
    ("薫", "カオル"),
    ("和也", "カズヤ"),
    ("健", "ケン"),
    ("浩二", "コウジ"),
    ("早紀", "サキ"),
    ("聡", "サトシ"),
    ("静", "シズカ"),
    ("純", "ジュン"),
    ("進", "ススム"),
    ("清", "キヨシ"),
    ("大地", "ダイチ"),
    ("孝子", "タカコ"),
    ("千夏", "チナツ"),
    ("翼", "ツバサ"),
    ("哲也", "テツヤ"),
    ("亨", "トオル"),
    ("直樹", "ナオキ"),
    ("渚", "ナギサ"),
    ("信子", "ノブコ"),
    ("遥", "ハルカ"),
    ("光", "ヒカル"),
    ("博", "ヒロシ"),
    ("文子", "フミコ"),
    ("誠", "マコト"),
    ("真弓", "マユミ"),
    ("瑞希", "ミズキ"),
    ("実", "ミノル"),
    ("恵", "メグミ"),
    ("康子", "ヤスコ"),
    ("優", "ユウ"),
    ("由紀", "ユキ"),
    ("陽子", "ヨウコ"),
    ("涼", "リョウ"),
    ("玲奈", "レイナ"),
    ("渉", "ワタル"),
    ("正一", "ショウイチ"),
    ("京子", "キョウコ"),
];

/// The people that are there whatever the seed is: bank, branch, number, names, birth date, PIN, balance.
const FIXED: &[Fixed] = &[
    Fixed("0125", 100, 1_234_567, ("七海", "ナナミ"), ("花子", "ハナコ"), (1985, 4, 12), "0412", 500_000),
    Fixed("0125", 200, 2_345_678, ("広瀬", "ヒロセ"), ("一郎", "イチロウ"), (1972, 11, 3), "1234", 300_000),
    Fixed("0168", 101, 3_456_789, ("岡山", "オカヤマ"), ("桃", "モモ"), (1990, 3, 3), "1990", 800_000),
    Fixed("9900", 18, 4_567_890, ("郵田", "ユウダ"), ("遥", "ハルカ"), (1966, 8, 21), "7777", 1_200_000),
    Fixed("0009", 1, 5_678_901, ("住吉", "スミヨシ"), ("純", "ジュン"), (1999, 12, 31), "2580", 150_000),
];

struct Fixed(
    &'static str,
    u16,
    u32,
    (&'static str, &'static str),
    (&'static str, &'static str),
    (i16, i8, i8),
    &'static str,
    i64,
);

/// How many people there are, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Population {
    /// The same seed has the same people.
    pub seed: u64,
    /// How many beside the fixed ones.
    pub people: u32,
}

/// A person with an account, ready to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The account.
    pub number: AccountNumber,
    /// Whose.
    pub customer: Customer,
    /// With how much.
    pub balance: Yen,
    /// How far below zero it may go.
    pub overdraft_max: Yen,
}

/// The number on a person's synthetic identity document. The vendor knows whose it is.
pub fn document_number(identity: &Identity) -> String {
    let digits = identity.subject().number().checked_rem(1_000_000_000_000).unwrap_or(0);
    format!("{digits:012}")
}

/// Who a customer is, as an identity document says it.
pub fn identity(customer: &Customer) -> Identity {
    Identity {
        family_name: customer.family_name.clone(),
        given_name: customer.given_name.clone(),
        family_kana: customer.family_kana.clone(),
        given_kana: customer.given_kana.clone(),
        birth_date: customer.birth_date,
    }
}

impl Population {
    /// Every account, those of the fixed people first.
    pub fn openings<'a>(&'a self, registry: &'a Registry) -> impl Iterator<Item = Opening> + 'a {
        let fixed = FIXED.iter().zip(0_u64..).map(|(person, number)| fixed(person, number, registry));
        fixed.chain((0..self.people.min(PEOPLE_MAX)).flat_map(move |person| self.openings_of(person, registry)))
    }

    /// The accounts of one person: one, or for every fifth a second one at another bank, mostly with the same PIN.
    fn openings_of(&self, person: u32, registry: &Registry) -> Vec<Opening> {
        let mut draw = Draw::new(self.seed, person);
        let banks: Vec<BankCode> = registry.banks().map(|bank| bank.code).collect();
        let home = usize::try_from(person).unwrap_or(0) % banks.len();
        let customer = customer(&mut draw, person);
        let mut openings = vec![opening(&mut draw, registry, banks[home], person, customer.clone())];
        if draw.one_in(5) {
            let step = 1 + draw.index(banks.len() - 1);
            let pin = if draw.one_in(4) { pin(&mut draw, &customer) } else { customer.pin.clone() };
            let card_seed = draw.number();
            let customer = Customer { pin, card_seed, ..customer };
            openings.push(opening(&mut draw, registry, banks[(home + step) % banks.len()], person, customer));
        }
        openings
    }
}

/// Somebody who has no account yet, drawn with `seed`.
pub(crate) fn somebody(seed: u64) -> Customer {
    customer(&mut Draw::new(seed, u32::MAX), PEOPLE_MAX)
}

/// The accounts that are there whatever the seed is.
pub(crate) fn fixed_numbers(registry: &Registry) -> Vec<AccountNumber> {
    FIXED.iter().map(|person| fixed(person, 0, registry).number).collect()
}

fn fixed(person: &Fixed, number: u64, registry: &Registry) -> Opening {
    let Fixed(bank, branch, account, family, given, (year, month, day), pin, balance) = *person;
    let bank = BankCode::parse(bank).expect("a fixed person's bank");
    let branches = &registry.bank(bank).branches;
    let branch = branches.iter().find(|listed| listed.code == branch).unwrap_or(&branches[0]).code;
    let customer = Customer {
        family_name: family.0.into(),
        given_name: given.0.into(),
        family_kana: family.1.into(),
        given_kana: given.1.into(),
        birth_date: Day::from(civil::date(year, month, day)),
        pin: Pin::parse(pin).expect("a fixed person's PIN"),
        mail: Some(format!("person{number}@people.example")),
        phone: Some(format!("0800000{number:04}")),
        card_seed: number,
    };
    let number = AccountNumber { bank, branch, kind: AccountKind::Ordinary, number: account };
    Opening { number, customer, balance: Yen::new(balance), overdraft_max: Yen::ZERO }
}

fn customer(draw: &mut Draw, person: u32) -> Customer {
    let (family, given) = (draw.of(FAMILIES), draw.of(GIVEN));
    // Ages from 15 to 94 on the first of January 2020.
    let born = civil::date(1925, 1, 1).saturating_add(jiff::Span::new().days(draw.below(80 * 365)));
    let mut customer = Customer {
        family_name: family.0.into(),
        given_name: given.0.into(),
        family_kana: family.1.into(),
        given_kana: given.1.into(),
        birth_date: Day::from(born),
        pin: Pin::parse("0000").expect("four digits"),
        // Some can be reached by mail alone, a few by nothing at all.
        mail: (!draw.one_in(4)).then(|| format!("p{person}@people.example")),
        phone: (!draw.one_in(12)).then(|| format!("080{:04}{:04}", 1 + person / 10_000, person % 10_000)),
        card_seed: draw.number(),
    };
    customer.pin = pin(draw, &customer);
    customer
}

/// Four digits as people choose them. The shares follow what studies of leaked codes and of surveys report in kind: a few
/// codes are on many cards, dates are on every fifth, and chance has less than half.
fn pin(draw: &mut Draw, customer: &Customer) -> Pin {
    const TOP: [&str; 12] =
        ["1111", "0000", "7777", "1212", "2580", "5555", "4444", "1122", "8888", "2000", "1004", "6969"];
    let born = customer.birth_date.date();
    let digits = match draw.below(100) {
        0..5 => "1234".to_owned(),
        5..11 => TOP[draw.index(TOP.len())].to_owned(),
        11..21 => format!("{:02}{:02}", born.month(), born.day()),
        21..25 => format!("{:02}{:02}", born.day(), born.month()),
        25..31 => format!("{:04}", born.year()),
        31..39 => format!("{:02}{:02}", 1 + draw.below(12), 1 + draw.below(28)),
        39..44 => format!("{:04}", 1_950 + draw.below(70)),
        44..50 => {
            let pair = draw.below(100);
            format!("{pair:02}{pair:02}")
        }
        50..56 => customer.phone.as_deref().map_or_else(|| "0000".to_owned(), |phone| phone[phone.len() - 4..].into()),
        _ => format!("{:04}", draw.below(10_000)),
    };
    Pin::parse(&digits).expect("each arm makes four digits")
}

fn opening(draw: &mut Draw, registry: &Registry, bank: BankCode, person: u32, customer: Customer) -> Opening {
    let facts = registry.bank(bank);
    let branch = facts.branches[draw.index(facts.branches.len())].code;
    // Each person has a stretch of the numbers to themself, so that no two meet; where in it is drawn.
    let stretch = NUMBERS / u64::from(PEOPLE_MAX);
    let within = draw.number() % stretch;
    let spread = u64::from(person).wrapping_mul(700_001) % u64::from(PEOPLE_MAX);
    let number = NUMBER_FIRST + u32::try_from(spread * stretch + within).unwrap_or(0);
    let overdraft = u64::try_from(draw.below(100)).unwrap_or(0) < facts.overdraft_percent;
    // Half have less than 200,000 yen, one in ten more than a million.
    let balance = match draw.below(10) {
        0 => draw.below(3_000),
        1..5 => draw.below(200_000),
        5..9 => 200_000 + draw.below(800_000),
        _ => 1_000_000 + draw.below(6_000_000),
    };
    Opening {
        number: AccountNumber { bank, branch, kind: AccountKind::Ordinary, number },
        customer,
        balance: Yen::checked(balance).unwrap_or(Yen::ZERO),
        overdraft_max: if overdraft { Yen::new(300_000) } else { Yen::ZERO },
    }
}

/// Chance with a seed: one stream a person.
struct Draw(blake3::OutputReader);

impl Draw {
    fn new(seed: u64, person: u32) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"kinchaku sandbox people\0").update(&seed.to_be_bytes()).update(&person.to_be_bytes());
        Self(hasher.finalize_xof())
    }

    fn number(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_be_bytes(bytes)
    }

    fn below(&mut self, end: i64) -> i64 {
        let end = u64::try_from(end).unwrap_or(1).max(1);
        i64::try_from(self.number() % end).unwrap_or(0)
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(i64::try_from(length).unwrap_or(1))).unwrap_or(0)
    }

    fn one_in(&mut self, count: i64) -> bool {
        self.below(count) == 0
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.index(list.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    const PEOPLE: u32 = 20_000;

    fn openings(seed: u64) -> Vec<Opening> {
        Population { seed, people: PEOPLE }.openings(&Registry::read()).collect()
    }

    #[test]
    fn the_same_seed_has_the_same_people_and_no_number_is_given_twice() {
        let people = openings(1);
        assert_eq!(people, openings(1));
        assert_ne!(people, openings(2));
        let numbers: BTreeSet<_> = people.iter().map(|opening| opening.number).collect();
        assert_eq!(numbers.len(), people.len());
        let banks: BTreeSet<_> = people.iter().map(|opening| opening.number.bank).collect();
        assert_eq!(banks.len(), 35);
    }

    #[test]
    fn pins_are_skewed_as_people_skew_them() {
        let people = openings(1);
        let mut counts = BTreeMap::<String, usize>::new();
        for opening in &people {
            *counts.entry(opening.customer.pin.digits().to_owned()).or_default() += 1;
        }
        let share = |pin: &str| counts[pin] * 1_000 / people.len();
        assert!((40..80).contains(&share("1234")), "one in twenty has 1234, here {} in 1,000", share("1234"));
        let born = |opening: &&Opening| {
            let born = opening.customer.birth_date.date();
            opening.customer.pin.digits() == format!("{:02}{:02}", born.month(), born.day())
        };
        let birthdays = people.iter().filter(born).count() * 1_000 / people.len();
        assert!((80..130).contains(&birthdays), "one in ten has the birthday, here {birthdays} in 1,000");
        assert!(counts.len() > 5_000, "and many have something else");
    }

    #[test]
    fn the_fixed_people_are_where_instructions_say() {
        let people = openings(7);
        let hanako = &people[0];
        assert_eq!(hanako.number.branch_text() + &hanako.number.number_text(), "1001234567");
        assert_eq!(hanako.customer.name_kana(), "ﾅﾅﾐ ﾊﾅｺ");
        assert!(people[..5].iter().all(|person| person.customer.has_contact()));
    }
}
