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
    /// Whether a wallet is opened in a name of the criminal's choice, instead of the account holder's.
    pub in_any_name: bool,
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
    /// The free numbers were fitted to it; the others are held out.
    pub is_fitted: bool,
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
pub const SCENARIOS: &[Scenario] = &[SEPTEMBER_2020, RESONA_2019];

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
    in_any_name: false,
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
    in_any_name: true,
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
    /// Mistaken claims a day in the days after the news: people who do not remember a debit of their own.
    pub const MISTAKEN_A_DAY: &[u64] = &[1, 1, 4, 4, 4, 5, 2, 1];
    /// What a mistaken claim is about, in yen, at least and at most.
    pub const MISTAKEN_YEN: (i64, i64) = (5_000, 60_000);
    /// Of a hundred victims who are sent a notice, so many never react to it.
    pub const NEVER_REACT_PERCENT: u64 = 15;
    /// Minutes until the others do, on average: they see the message when they look at their telephone.
    pub const REACT_MINUTES: f64 = 90.0;
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
    /// Movements a person and day, in a thousand.
    pub const MOVEMENTS_PER_MILLE: u64 = 150;
    /// Of a hundred movements: top-ups, payments, sends; the rest are payouts.
    pub const SHARES: [u64; 3] = [25, 62, 10];
    /// The busiest hours have this weight, by hour of the day in Tokyo.
    pub const HOURS: [u64; 24] = [1, 1, 0, 0, 0, 1, 3, 6, 7, 5, 5, 7, 12, 8, 6, 6, 7, 10, 12, 11, 9, 7, 5, 3];
    /// Of a hundred who type something, so many mistype it at first.
    pub const MISTYPED_PERCENT: u64 = 3;
}

/// A moment in Tokyo: `2020-09-05T00:00`, or the beginning of `2020-09-05`.
pub fn moment(text: &str) -> Time {
    let text = if text.contains('T') { format!("{text}:00+09:00") } else { format!("{text}T00:00:00+09:00") };
    let moment: jiff::Timestamp = text.parse().expect("a scenario's moments are written as they must be");
    Time::from_milliseconds(moment.as_millisecond())
}
