//! Factors: what a bank asks of its customer to know who it is, and how much each is worth.

use serde::{Deserialize, Serialize};

/// One thing that a bank asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Factor {
    /// The account's branch, kind and number.
    Account,
    /// The holder's name in kana.
    NameKana,
    /// The cash card's number of four digits.
    Pin,
    /// The holder's birth date.
    BirthDate,
    /// A password that is good once, from a token or an app.
    OneTimePassword,
    /// Numbers of a card with a table that only the holder has.
    RandomCard,
    /// What the passbook says is in the account.
    Balance,
    /// The number printed on the cash card.
    CardSerial,
    /// A code sent to the number that the bank knows.
    SmsCode,
    /// A confirmation in the bank's own app.
    BankApp,
    /// A code in a letter to the address that the bank knows.
    Letter,
}

/// How much a factor is worth against somebody who is not the holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Strength {
    /// Static knowledge: phished, bought or guessed once, good for ever.
    Static,
    /// On paper or on the card: not to be guessed, and not in lists of stolen data.
    Held,
    /// Possession, proven at this moment.
    Possession,
}

impl Factor {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Account,
        Self::NameKana,
        Self::Pin,
        Self::BirthDate,
        Self::OneTimePassword,
        Self::RandomCard,
        Self::Balance,
        Self::CardSerial,
        Self::SmsCode,
        Self::BankApp,
        Self::Letter,
    ];

    /// The factor as banks and the API name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::NameKana => "name_kana",
            Self::Pin => "pin",
            Self::BirthDate => "birth_date",
            Self::OneTimePassword => "one_time_password",
            Self::RandomCard => "random_card",
            Self::Balance => "balance",
            Self::CardSerial => "card_serial",
            Self::SmsCode => "sms_code",
            Self::BankApp => "bank_app",
            Self::Letter => "letter",
        }
    }

    /// What it is worth.
    pub const fn strength(self) -> Strength {
        match self {
            Self::Account | Self::NameKana | Self::Pin | Self::BirthDate => Strength::Static,
            Self::Balance | Self::CardSerial => Strength::Held,
            Self::OneTimePassword | Self::RandomCard | Self::SmsCode => Strength::Possession,
            Self::BankApp | Self::Letter => Strength::Possession,
        }
    }

    const fn bit(self) -> u16 {
        let place = match self {
            Self::Account => 0,
            Self::NameKana => 1,
            Self::Pin => 2,
            Self::BirthDate => 3,
            Self::OneTimePassword => 4,
            Self::RandomCard => 5,
            Self::Balance => 6,
            Self::CardSerial => 7,
            Self::SmsCode => 8,
            Self::BankApp => 9,
            Self::Letter => 10,
        };
        1_u16.wrapping_shl(place)
    }
}

impl std::str::FromStr for Factor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|factor| factor.name() == text).ok_or("no such factor")
    }
}

/// A set of factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Factors(u16);

impl Factors {
    /// No factor.
    pub const NONE: Self = Self(0);

    /// This set and `factor`.
    #[must_use]
    pub const fn with(self, factor: Factor) -> Self {
        Self(self.0 | factor.bit())
    }

    /// Whether `factor` is in it.
    pub const fn has(self, factor: Factor) -> bool {
        self.0 & factor.bit() != 0
    }

    /// Whether every factor of `other` is in it.
    pub const fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// Its factors, in order.
    pub fn iter(self) -> impl Iterator<Item = Factor> {
        Factor::ALL.into_iter().filter(move |factor| self.has(*factor))
    }

    /// What its strongest factor is worth.
    pub fn strength(self) -> Strength {
        self.iter().map(Factor::strength).max().unwrap_or(Strength::Static)
    }
}

impl FromIterator<Factor> for Factors {
    fn from_iter<I: IntoIterator<Item = Factor>>(factors: I) -> Self {
        factors.into_iter().fold(Self::NONE, Self::with)
    }
}
