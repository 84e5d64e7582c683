//! The scenarios: which attack, when, at which banks, and how the world takes notice. Every number here is a free parameter of
//! the drill, and stands with its source in `docs/drill.md`. Start reading at [`SCENARIOS`].

use domain::Time;

/// By which way criminals come to what a bank asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// One PIN tried on many accounts, through the registration pages.
    Guess,
    /// A list of credentials that victims typed into a false page.
    Phish,
    /// Both.
    Both,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Guess, Self::Phish, Self::Both];

    /// The word of the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Guess => "guess",
            Self::Phish => "phish",
            Self::Both => "both",
        }
    }
}

/// An attack.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is called on the command line.
    pub name: &'static str,
    /// The first day of the report, and the first one behind it.
    pub days: [&'static str; 2],
    /// People with a bank account and no wallet.
    pub others: u32,
    /// Accounts that are attacked in each stretch of days.
    pub waves: &'static [Wave],
    /// How the attacked accounts are spread over the banks.
    pub banks: &'static [(&'static str, u64)],
    /// When newspapers and television have it; none where they never did.
    pub news: Option<&'static str>,
    /// What was published: the sums of cases that were known by then.
    pub published: &'static [Published],
    /// What was published when it was over: what was taken in the end.
    pub in_the_end: &'static [InTheEnd],
    /// Cases from before the first day: they are told, and not simulated.
    pub earlier: &'static [Earlier],
    /// The preset with the controls of the time.
    pub then: &'static str,
    /// Whether a wallet is opened in a name of the criminal's choice, instead of the account holder's.
    pub in_any_name: bool,
    /// Whether only subscribers have a wallet: criminals who open one have a telephone line.
    pub has_lines: bool,
}

/// What was published of one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Which moment, in Tokyo.
    pub at: &'static str,
    /// How many cases were known.
    pub cases: u64,
    /// How many yen they came to.
    pub yen: i64,
    /// The free numbers may be fitted to it; the others are held out.
    pub is_fitted: bool,
}

/// What was published of the whole of it, when no case was mistaken any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InTheEnd {
    /// At which bank; none for all of them.
    pub bank: Option<&'static str>,
    /// How many cases.
    pub cases: u64,
    /// That number was put in, as the accounts of the waves: what comes out of it shows nothing.
    pub are_cases_given: bool,
    /// How many yen.
    pub yen: i64,
}

/// What is on record from before the first day of a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// In which month: `2019-10`.
    pub month: &'static str,
    /// How many cases at least; what they came to was never published.
    pub cases_min: u64,
}

/// So many accounts between two days, both included.
#[derive(Clone, Copy, Debug)]
pub struct Wave {
    /// The first day.
    pub from: &'static str,
    /// The last day.
    pub until: &'static str,
    /// How many accounts.
    pub accounts: u32,
}

/// Every scenario.
pub const SCENARIOS: &[Scenario] = &[SEPTEMBER_2020, RESONA_2019, SMALL];

/// The seizure of bank accounts through anonymous wallets, as it came out in September 2020.
const SEPTEMBER_2020: Scenario = Scenario {
    name: "september-2020",
    days: ["2020-08-01", "2020-10-01"],
    others: 4_900,
    waves: &[
        Wave { from: "2020-08-05", until: "2020-08-20", accounts: 14 },
        Wave { from: "2020-08-21", until: "2020-08-31", accounts: 60 },
        Wave { from: "2020-09-01", until: "2020-09-09", accounts: 54 },
    ],
    banks: &[
        ("9900", 60),
        ("0125", 20),
        ("0168", 17),
        ("0152", 6),
        ("0040", 6),
        ("0166", 5),
        ("0126", 1),
        ("0157", 1),
        ("0163", 1),
        ("0118", 1),
    ],
    news: Some("2020-09-09T08:00"),
    published: &[
        Published { at: "2020-09-10T12:00", cases: 66, yen: 18_000_000, is_fitted: true },
        Published { at: "2020-09-11T00:00", cases: 73, yen: 19_900_000, is_fitted: false },
        Published { at: "2020-09-14T00:00", cases: 120, yen: 25_420_000, is_fitted: false },
        Published { at: "2020-09-15T00:00", cases: 143, yen: 26_760_000, is_fitted: true },
    ],
    in_the_end: &[
        InTheEnd { bank: Some("9900"), cases: 82, are_cases_given: false, yen: 15_460_000 },
        InTheEnd { bank: None, cases: 128, are_cases_given: true, yen: 28_850_000 },
    ],
    earlier: &[Earlier { month: "2019-10", cases_min: 1 }],
    then: "as-of-2020",
    in_any_name: false,
    has_lines: false,
};

/// The case of May 2019: a wallet in one name, a bank account in another, and a month's limit of a million yen. The bank it
/// happened at left the scheme and is none of the thirty-five; one of the same kind stands for it.
const RESONA_2019: Scenario = Scenario {
    name: "resona-2019",
    days: ["2019-05-01", "2019-06-01"],
    others: 2_450,
    waves: &[Wave { from: "2019-05-06", until: "2019-05-20", accounts: 10 }],
    banks: &[("0150", 1)],
    news: None,
    published: &[],
    in_the_end: &[],
    earlier: &[],
    then: "as-of-2019",
    in_any_name: true,
    has_lines: true,
};

/// A handful of accounts at one bank over the end of a month, in the manner of September 2020: a run of seconds, for tests.
const SMALL: Scenario = Scenario {
    name: "small",
    days: ["2020-08-29", "2020-09-03"],
    others: 350,
    waves: &[Wave { from: "2020-08-30", until: "2020-08-31", accounts: 2 }],
    banks: &[("0125", 1)],
    news: Some("2020-09-01T08:00"),
    published: &[],
    in_the_end: &[],
    earlier: &[],
    then: "as-of-2020",
    in_any_name: false,
    has_lines: false,
};

/// The scenario called `name`, if there is one.
pub fn find(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

/// How people find out that their account was debited. All in simulated days or hours.
pub mod discovery {
    /// Days until an account's holder looks into the passbook, on average, before the news.
    pub const LOOK_DAYS_BEFORE: f64 = 9.0;
    /// Days until they look after the news, on average.
    pub const LOOK_DAYS_AFTER: f64 = 1.6;
    /// Hours until a bank has a report counted, at least and at most.
    pub const REPORT_HOURS: (i64, i64) = (6, 30);
    /// Hours until the banks' desks look at what the gateway told them of a fraud at another bank, at least and at most.
    pub const HEARD_HOURS: (i64, i64) = (2, 24);
    /// Mistaken claims a day in the days after the news: people who do not remember a debit of their own.
    pub const MISTAKEN_A_DAY: &[u64] = &[1, 1, 4, 4, 4, 5, 2, 1];
    /// What a mistaken claim is about, in yen, at least and at most.
    pub const MISTAKEN_YEN: (i64, i64) = (5_000, 60_000);
    /// Of a hundred victims who are sent a notice, so many never react to it.
    pub const NEVER_REACT_PERCENT: u64 = 15;
    /// A notice must have come so long after what it tells of, in milliseconds.
    pub const NOTICE_MS_MAX: i64 = 10_000;
}

/// What the attacker can do.
pub mod attack {
    /// Page tries of a run, at most.
    pub const TRIES_MAX: u64 = 100_000;
    /// For one account number that exists there are so many on a guesser's list that do not.
    pub const GHOSTS_PER_ACCOUNT: u64 = 9;
    /// Of a hundred attacked accounts, so many are guessed where both ways are used.
    pub const GUESSED_PERCENT: u64 = 40;
    /// Minutes between a top-up and the shop.
    pub const SPEND_MINUTES: (i64, i64) = (10, 180);
    /// The most that a shop that resells takes at a time, in yen.
    pub const SHOP_YEN_MAX: i64 = 98_000;
    /// The amount below which nobody bothers, in yen.
    pub const YEN_MIN: i64 = 1_000;
    /// Further tries after a refusal that another address, another day or another amount might get round.
    pub const RETRIES_MAX: u32 = 4;
    /// The PINs of a guesser, the most frequent first.
    pub const PINS: [&str; 4] = ["1234", "1111", "0000", "1212"];
}

/// What honest people do.
pub mod honest {
    /// Honest people act when the clock is at a multiple of so many minutes: whoever chose the same one acts one after the other
    /// at that moment.
    pub const STEP_MINUTES: i64 = 30;
    /// Of them so many open a wallet on a day, at most, in the days before the first one of the report.
    pub const JOINING_A_DAY_MAX: u32 = 250;
    /// So many days there are at least.
    pub const JOINING_DAYS_MIN: i32 = 3;
    /// One of so many people joins while the attack is on, the others before it.
    pub const ONE_IN_JOINS_LATE: usize = 10;
    /// Minutes between a link and the top-up for which it was made.
    pub const FIRST_TOP_UP_MINUTES: (i64, i64) = (5, 60);
    /// What is topped up then, in thousands of yen.
    pub const FIRST_TOP_UP_THOUSANDS: (i64, i64) = (5, 50);
    /// Of a hundred people, so many confirm a link as soon as it is there, before they use it.
    pub const CONFIRM_AT_ONCE_PERCENT: u64 = 50;
    /// Of a hundred others, so many never do.
    pub const NEVER_CONFIRM_PERCENT: u64 = 6;
    /// Minutes until the rest does.
    pub const CONFIRM_MINUTES: (i64, i64) = (5, 600);
    /// Who is refused a link tries so often in all, a day later each time.
    pub const LINK_TRIES: u32 = 3;
    /// Of what an account had at first, in per cent, its holder moves so much into the wallet at most.
    pub const BUDGET_PERCENT: i64 = 60;
    /// What is topped up, in thousands of yen.
    pub const TOP_UP_THOUSANDS: (i64, i64) = (2, 30);
    /// What is topped up at least where a purchase takes more than there is, in yen.
    pub const TOP_UP_FOR_PURCHASE_YEN: i64 = 5_000;
    /// What purchases cost, in yen: of a hundred so many between so much and so much.
    pub const PAY_YEN: &[(u64, (i64, i64))] = &[(90, (150, 6_000)), (8, (6_000, 20_000)), (2, (20_000, 60_000))];
    /// The same of what is sent.
    pub const SEND_YEN: &[(u64, (i64, i64))] = &[(80, (300, 3_000)), (15, (3_000, 10_000)), (5, (10_000, 30_000))];
    /// The same of what is paid out.
    pub const PAY_OUT_YEN: &[(u64, (i64, i64))] = &[(75, (500, 5_000)), (20, (5_000, 20_000)), (5, (20_000, 30_000))];
    /// A top-up of more than so much always takes a proof: that is published, and counts as no challenge.
    pub const TOP_UP_PROVEN_YEN: i64 = 30_000;
    /// The same of a payment.
    pub const PAY_PROVEN_YEN: i64 = 10_000;
    /// Movements a person and day, in a thousand.
    pub const MOVEMENTS_PER_MILLE: u64 = 150;
    /// Of a hundred movements: top-ups, payments, sends; the rest are payouts.
    pub const SHARES: [u64; 3] = [25, 62, 10];
    /// The busiest hours have this weight, by hour of the day in Tokyo.
    pub const HOURS: [u64; 24] = [1, 1, 0, 0, 0, 1, 3, 6, 7, 5, 5, 7, 12, 8, 6, 6, 7, 10, 12, 11, 9, 7, 5, 3];
    /// The same at week-ends.
    pub const WEEKEND_HOURS: [u64; 24] =
        [2, 1, 1, 0, 0, 0, 1, 2, 4, 7, 10, 11, 11, 11, 11, 11, 11, 11, 11, 10, 8, 6, 5, 4];
    /// How much is done on a day of the week, from Monday on, in per cent of an ordinary day.
    pub const DAY_WEIGHTS: [u64; 7] = [95, 90, 90, 95, 110, 125, 115];
    /// The day of the month on which most are paid, how many days of spending follow with it, and how much more is done then.
    pub const PAY_DAY: i8 = 25;
    /// Pay-day and the days after it.
    pub const PAY_DAYS: i8 = 3;
    /// In per cent of an ordinary day.
    pub const PAY_DAY_WEIGHT: u64 = 160;
    /// Days of the month on which a shop has its sale; of a hundred payments of such a day so many are there.
    pub const SALE_DAYS: &[i8] = &[20, 30];
    /// In per cent of an ordinary day.
    pub const SALE_WEIGHT: u64 = 130;
    /// Of a hundred payments on the day of a sale, so many go to the shop that has it.
    pub const SALE_SHARE_PERCENT: u64 = 50;
    /// Of a hundred people: alone, in a family behind one network, on a campus, elderly.
    pub const KINDS: [u64; 4] = [45, 30, 10, 15];
    /// People of a family who have a wallet.
    pub const FAMILY_PEOPLE: u32 = 3;
    /// Students behind one address.
    pub const STUDENTS_A_CAMPUS: u32 = 200;
    /// Of a hundred people, so many travel; and of a hundred of their deeds, so many are done from a hotel.
    pub const TRAVEL_PERCENT: u64 = 8;
    /// Of a traveller's deeds, in per cent.
    pub const TRIP_PERCENT: u64 = 30;
    /// Hotels.
    pub const HOTELS: u64 = 200;
    /// Of a hundred who type a PIN, so many mistype it at first.
    pub const MISTYPED_PERCENT: u64 = 3;
    /// The same of the elderly.
    pub const ELDERLY_MISTYPE_PERCENT: u64 = 12;
    /// Of a hundred people, so many lose their telephone in the days of a drill and have a new one with the same number.
    pub const LOSE_PHONE_PERCENT: u64 = 2;
    /// Of a thousand people, so many have married, and have a new name that their bank does not know yet.
    pub const NEW_NAME_PER_MILLE: u64 = 5;
    /// Of a hundred families, so many have two people who use one telephone between them.
    pub const SHARED_PHONE_PERCENT: u64 = 5;
    /// Of a hundred people, so many take another bank for the wallet in these days, if they have a second account.
    pub const CHANGE_BANK_PERCENT: u64 = 2;
}

/// A moment in Tokyo: `2020-09-05T00:00`, or the beginning of `2020-09-05`.
pub fn moment(text: &str) -> Time {
    let text = if text.contains('T') { format!("{text}:00+09:00") } else { format!("{text}T00:00:00+09:00") };
    let moment: jiff::Timestamp = text.parse().expect("a scenario's moments are written as they must be");
    Time::from_milliseconds(moment.as_millisecond())
}
