//! A bank as the sandbox runs it: its code, which factors suffice for a link, and how it misbehaves today.
//!
//! What a fault does to an answer on its way (silence, delay, a cut connection) is not here: that is the connector's.
//! Start reading at [`Bank`].

use super::{Decided, Event as WorldEvent, Receipt, Refusal, Row, Rows, table};
use domain::{Id, Key, Time};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Sets of factors that a bank's policy may have.
pub const FACTOR_SETS_MAX: usize = 8;
/// The longest delay that a fault may cause: a week.
pub const FAULT_SECONDS_MAX: u32 = 7 * 86_400;

/// A bank's code: four digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BankCode(u16);

impl BankCode {
    /// The code with these digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_code = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_code { text.parse().ok().map(Self) } else { None }
    }

    /// The code as a number.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The key of the bank's row.
    pub fn key(self) -> Key {
        Key::new(table::BANK, Id::from_number(self.0.into()))
    }
}

impl fmt::Display for BankCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

/// What a person can show to a bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Factor {
    /// The account's branch, kind and number.
    Account,
    /// The account holder's name in kana.
    NameKana,
    /// The cash card's four digits.
    Pin,
    /// The account holder's birth date.
    BirthDate,
    /// The balance that the passbook shows.
    Balance,
    /// The number printed on the cash card.
    CardSerial,
    /// Cells of the random-number card.
    RandomCard,
    /// The token's number of this minute.
    OneTimePassword,
    /// A code sent to the phone that the bank knows.
    SmsCode,
    /// A tap in the bank's app.
    BankApp,
}

impl Factor {
    /// Every factor, the static ones first.
    pub const ALL: [Self; 10] = [
        Self::Account,
        Self::NameKana,
        Self::Pin,
        Self::BirthDate,
        Self::Balance,
        Self::CardSerial,
        Self::RandomCard,
        Self::OneTimePassword,
        Self::SmsCode,
        Self::BankApp,
    ];

    /// The name that the connector speaks.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::NameKana => "name_kana",
            Self::Pin => "pin",
            Self::BirthDate => "birth_date",
            Self::Balance => "balance",
            Self::CardSerial => "card_serial",
            Self::RandomCard => "random_card",
            Self::OneTimePassword => "one_time_password",
            Self::SmsCode => "sms_code",
            Self::BankApp => "bank_app",
        }
    }

    /// The factor with that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|factor| factor.name() == name)
    }

    /// Whether the bank must ask for it in a second step: it is worth nothing a minute later.
    pub const fn is_challenge(self) -> bool {
        match self {
            Self::Account | Self::NameKana | Self::Pin | Self::BirthDate | Self::Balance | Self::CardSerial => false,
            Self::RandomCard | Self::OneTimePassword | Self::SmsCode | Self::BankApp => true,
        }
    }

    const fn bit(self) -> u16 {
        match self {
            Self::Account => 1,
            Self::NameKana => 1 << 1,
            Self::Pin => 1 << 2,
            Self::BirthDate => 1 << 3,
            Self::Balance => 1 << 4,
            Self::CardSerial => 1 << 5,
            Self::RandomCard => 1 << 6,
            Self::OneTimePassword => 1 << 7,
            Self::SmsCode => 1 << 8,
            Self::BankApp => 1 << 9,
        }
    }
}

/// A set of factors.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
pub struct FactorSet(u16);

impl FactorSet {
    /// Whether `factor` is in it.
    pub const fn has(self, factor: Factor) -> bool {
        self.0 & factor.bit() != 0
    }

    /// This set and `factor`.
    #[must_use]
    pub const fn with(self, factor: Factor) -> Self {
        Self(self.0 | factor.bit())
    }

    /// Those of this set that can be asked for at once.
    #[must_use]
    pub fn immediate(self) -> Self {
        self.factors().filter(|factor| !factor.is_challenge()).collect()
    }

    /// The one that must be asked for in a second step, if there is one.
    pub fn challenge(self) -> Option<Factor> {
        self.factors().find(|factor| factor.is_challenge())
    }

    /// Whether all of `other` is in this one.
    pub const fn covers(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The factors in it, in their order.
    pub fn factors(self) -> impl Iterator<Item = Factor> {
        Factor::ALL.into_iter().filter(move |factor| self.has(*factor))
    }

    /// The names of the factors in it.
    pub fn names(self) -> Vec<&'static str> {
        self.factors().map(Factor::name).collect()
    }

    /// Whether a bank can ask for it: the account, something more, and one challenge at most.
    pub fn is_askable(self) -> bool {
        self.has(Factor::Account)
            && self.0 != Factor::Account.bit()
            && self.factors().filter(|factor| factor.is_challenge()).count() <= 1
    }
}

impl FromIterator<Factor> for FactorSet {
    fn from_iter<I: IntoIterator<Item = Factor>>(factors: I) -> Self {
        factors.into_iter().fold(Self::default(), Self::with)
    }
}

impl fmt::Debug for FactorSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// How a bank books what it is asked for. What is stored was once a yes or no: the first two are those.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
pub enum Booking {
    /// As it was asked.
    #[default]
    AsAsked,
    /// A debit or credit with one yen more.
    OneYenMore,
    /// It books no credit, and says so.
    CreditsRefused,
    /// It books every credit twice, and says once.
    CreditsTwice,
    /// It books no credit, and says that it did.
    CreditsUnmade,
}

/// How a bank misbehaves. All of it is off by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each fault is on or off by itself")]
pub struct Faults {
    /// Every answer comes this much later.
    pub latency_ms: u32,
    /// No answer comes at all; what was asked is done.
    pub silent: bool,
    /// Nothing is done, everything is refused.
    pub down: bool,
    /// How it books.
    pub booking: Booking,
    /// Every callback is sent twice.
    pub duplicate: bool,
    /// A debit is booked, and the connection is cut before its answer.
    pub lose_answer_after_debit: bool,
    /// Of a thousand requests so many fail before anything is done.
    pub errors_per_mille: u16,
    /// A movement is not found by an inquiry for so long.
    pub not_found_for_seconds: u32,
    /// A movement's outcome is known only after so long.
    pub late_seconds: u32,
}

/// A bank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bank {
    /// Its code.
    pub code: BankCode,
    /// The sets of factors of which any suffices for a link.
    pub factors: Vec<FactorSet>,
    /// How it misbehaves.
    pub faults: Faults,
    /// When its policy was last set.
    pub factors_at: Time,
}

/// What may be asked of a bank's row.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Sets which factors suffice; the first time makes the bank.
    SetFactors {
        /// The bank.
        bank: BankCode,
        /// Sets of which any suffices.
        sets: Vec<FactorSet>,
    },
    /// Sets how it misbehaves.
    SetFaults {
        /// The bank.
        bank: BankCode,
        /// All faults; what is off here ends.
        faults: Faults,
    },
}

/// What happened to a bank's row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// Its policy is this now.
    FactorsSet {
        /// The bank.
        bank: BankCode,
        /// Sets of which any suffices.
        sets: Vec<FactorSet>,
        /// Since when.
        at: Time,
    },
    /// Its faults are these now.
    FaultsSet {
        /// The bank.
        bank: BankCode,
        /// All faults.
        faults: Faults,
    },
}

impl Command {
    pub(super) const fn bank(&self) -> BankCode {
        match self {
            Self::SetFactors { bank, .. } | Self::SetFaults { bank, .. } => *bank,
        }
    }
}

pub(super) fn decide(rows: Rows<'_>, command: &Command, now: Time) -> Decided {
    match command {
        Command::SetFactors { bank, sets } => {
            let askable = !sets.is_empty() && sets.len() <= FACTOR_SETS_MAX && sets.iter().all(|set| set.is_askable());
            if !askable {
                return Err(Refusal::FactorsUnusable);
            }
            let event = Event::FactorsSet { bank: *bank, sets: sets.clone(), at: now };
            Ok((vec![WorldEvent::Bank(event)], Receipt::Done))
        }
        Command::SetFaults { bank, faults } => {
            if rows.row(bank.key()).is_none() {
                return Err(Refusal::BankUnknown);
            }
            if faults.late_seconds.max(faults.not_found_for_seconds) > FAULT_SECONDS_MAX
                || faults.errors_per_mille > 1_000
            {
                return Err(Refusal::FaultsBeyondBound);
            }
            Ok((vec![WorldEvent::Bank(Event::FaultsSet { bank: *bank, faults: *faults })], Receipt::Done))
        }
    }
}

pub(super) fn touches(event: &Event, keys: &mut Vec<Key>) {
    match event {
        Event::FactorsSet { bank, .. } | Event::FaultsSet { bank, .. } => keys.push(bank.key()),
    }
}

pub(super) fn evolve(row: &mut Option<Row>, event: &Event) {
    match event {
        Event::FactorsSet { bank, sets, at } => {
            let faults = row.as_ref().map_or_else(Faults::default, |row| row.bank().faults);
            *row = Some(Row::Bank(Bank { code: *bank, factors: sets.clone(), faults, factors_at: *at }));
        }
        Event::FaultsSet { faults, .. } => {
            let Some(Row::Bank(bank)) = row else { unreachable!("faults are set at a bank that is there") };
            bank.faults = *faults;
        }
    }
}
