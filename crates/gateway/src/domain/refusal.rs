//! Refusals: why a command was not carried out, with what was asked and what is possible.
//!
//! The variants stand in order of precedence: of several reasons the first is given.

use super::bank::Function;
use super::ids::BankCode;
use domain::Time;
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// A noun that a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variants are the design's nouns, each documented at its type")]
pub enum Noun {
    Operator,
    Bank,
    Account,
    Mandate,
    Debit,
    Credit,
    Return,
    Code,
    Finding,
}

/// A figure that a command went over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Limit {
    /// Yen of one movement, by the gateway's policy.
    PerMovement,
    /// Yen at a time, as the account's holder consented.
    PerTime,
    /// Yen a calendar month, as the account's holder consented.
    PerMonth,
    /// Yen a business date, while the account's true holder has not confirmed.
    UnconfirmedPerDay,
    /// Yen in all, while the account's true holder has not confirmed.
    UnconfirmedTotal,
    /// Yen of a debit that can be given back.
    Debited,
}

impl Limit {
    /// The limit as the API names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PerMovement => "per_movement",
            Self::PerTime => "per_time",
            Self::PerMonth => "per_month",
            Self::UnconfirmedPerDay => "unconfirmed_per_day",
            Self::UnconfirmedTotal => "unconfirmed_total",
            Self::Debited => "debited",
        }
    }
}

/// What a bank's grant lacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MissingFact {
    /// The true holder could not be told: the bank has no contact. Without one there is no link on line.
    Contact,
    /// The bank's path by static factors is stopped.
    StrongFactor,
    /// The name or the birth date is another's.
    Match,
    /// Another wallet has the account, on factors that are as good.
    FreeAccount,
}

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The amount is zero.
    AmountZero,
    /// There is no such thing, or it is another operator's.
    Unknown {
        /// What was named.
        noun: Noun,
    },
    /// The same reference came with something else before.
    ReferenceTaken {
        /// Of what.
        noun: Noun,
    },
    /// The clock cannot be believed: money must not leave.
    ClockDrifted,
    /// A switch stops it.
    Stopped {
        /// What.
        function: Function,
        /// At which bank.
        bank: BankCode,
        /// Since when.
        since: Time,
    },
    /// It is in a status in which this cannot be.
    WrongStatus {
        /// What.
        noun: Noun,
        /// The status it is in.
        status: String,
    },
    /// Its time has run out.
    Expired {
        /// What.
        noun: Noun,
        /// When.
        at: Time,
    },
    /// The channel that granted a mandate cannot confirm it.
    SameChannel,
    /// Over a limit.
    OverLimit {
        /// Which.
        limit: Limit,
        /// How much is allowed.
        allowed: Yen,
        /// How much of that is taken.
        used: Yen,
        /// How much was asked.
        asked: Yen,
    },
    /// This account was told already today.
    AlreadyTold,
    /// Too much is open at this bank, or too many operators are registered: try again later.
    Full {
        /// Of what.
        noun: Noun,
    },
    /// One operator has as much open at this bank as it may, one wallet waits for as many mandates as it may, or one person of a
    /// desk has as many proposals at this bank as they may.
    TooManyOpen {
        /// Whose: an operator's things, a wallet's mandates, or a person's proposals at a bank.
        noun: Noun,
        /// How many are open.
        open: u32,
        /// How many may be.
        max: u32,
    },
    /// The bank has said something against it that whoever asks has not read yet.
    Unread {
        /// Of what.
        noun: Noun,
    },
}
