//! The gateway's rules, as pure functions: mandates, the movements that banks are asked for, switches, notices.
//!
//! One room a noun. Nothing here knows a clock, chance, a store or HTTP: ids and times come in with the commands, account
//! numbers come in sealed, look-ups are keyed hashes. What operators are told of is decided here too, in the same commit:
//! each has a gapless sequence of events.
//! Start reading at [`Command`], then at `movement`: a debit from its request to the bank's answer.
#![warn(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]
#![expect(clippy::match_same_arms, reason = "arms that do the same for different reasons stay apart, line by line")]

pub mod account;
pub mod bank;
pub mod calendar;
pub mod comparison;
pub mod expiry;
mod factor;
pub mod finding;
mod gateways;
pub mod holidays;
mod ids;
pub mod mandate;
pub mod movement;
pub mod name;
pub mod notice;
pub mod open;
pub mod operator;
mod policy;
pub mod proposal;
mod refusal;
pub mod share;
mod state;
mod sums;
pub mod table;

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "tests count in numbers far from their ends, and ask for the one variant that they expect"
)]
mod tests;

pub use factor::{Factor, Factors, Strength};
pub use gateways::Gateway;
pub use ids::{
    AccountId, AccountRefId, BankCode, FindingId, MandateId, MovementId, NotMeId, NoticeId, OperatorId, Reference,
    StaffId,
};
pub use policy::{Displacing, Policy, Spread, UnconfirmedPolicy};
pub use refusal::{Limit, MissingFact, Noun, Refusal};

use domain::Time;
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// What the moment supplies beside the time.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The figures in force.
    pub policy: Policy,
}

/// What somebody asks for, by noun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Of the operators that may use the gateway.
    Operator(operator::Command),
    /// Of a bank: its switches and factors.
    Bank(bank::Command),
    /// Of the notices to an account's true holder.
    Account(account::Command),
    /// Of mandates.
    Mandate(mandate::Command),
    /// Of debits, credits and returns.
    Movement(movement::Command),
    /// Of notices that are owed.
    Notice(notice::Command),
    /// Of what day files have and the ledger has not.
    Finding(finding::Command),
    /// Of how far a bank's papers are compared.
    Comparison(comparison::Paper, comparison::Command),
    /// Of codes whose time is over.
    Expiry(expiry::Command),
}

/// What happened, by noun. Stored for ever: variants are added at the end, never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// An attempt was refused. The reply beside it says why.
    Refused {
        /// When.
        at: Time,
    },
    /// To the operators.
    Operator(operator::Event),
    /// To a bank.
    Bank(bank::Event),
    /// To an account.
    Account(account::Event),
    /// To a mandate.
    Mandate(mandate::Event),
    /// To a movement.
    Movement(movement::Event),
    /// An operator is told of something.
    Told(operator::Told),
    /// To what an operator has open.
    Share(share::Event),
    /// To notices that are owed.
    Notice(notice::Event),
    /// To what day files have and the ledger has not.
    Finding(finding::Event),
    /// To how far day files are compared.
    Comparison(comparison::Event),
    /// To codes whose time is over.
    Expiry(expiry::Event),
    /// To how far statements of credits are compared.
    Statement(comparison::Event),
}

/// A row of any table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Row {
    /// The operators.
    Operators(operator::Operators),
    /// Something that an operator was told.
    Told(operator::Told),
    /// A bank.
    Bank(Box<bank::Bank>),
    /// An account at a bank.
    Account(Box<account::Account>),
    /// What an operator calls an account.
    AccountRef(account::AccountRef),
    /// A code that says "not me".
    NotMe(account::NotMe),
    /// A mandate.
    Mandate(Box<mandate::Mandate>),
    /// A debit, a credit, or a return.
    Movement(Box<movement::Movement>),
    /// What is still to be done.
    Open(open::Page),
    /// When a bank is open.
    Calendar(Box<calendar::Calendar>),
    /// How much an operator, or one of its wallets, has open.
    Share(share::Share),
    /// A notice that is owed.
    Notice(notice::Notice),
    /// What a day file has and the ledger has not.
    Finding(Box<finding::Finding>),
    /// How far one paper of a bank is compared.
    Comparison(Box<comparison::Comparison>),
    /// Codes that are forgotten on one day.
    Expiry(expiry::Page),
}

/// What a command that was carried out answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Receipt {
    /// It is so.
    Done,
    /// A mandate.
    Mandate {
        /// Its id.
        id: MandateId,
        /// At which bank.
        bank: BankCode,
        /// How far it is.
        status: mandate::Status,
        /// Until when that lasts, where it has an end.
        deadline: Time,
        /// What the bank's grant lacked, if that is why it is refused.
        missing: Option<MissingFact>,
    },
    /// A debit, a credit, or a return.
    Movement {
        /// Its id, by which the bank is asked.
        id: MovementId,
        /// At which bank.
        bank: BankCode,
        /// How far it is.
        status: movement::Status,
        /// What is to be done next, if the bank is to be asked.
        next: Option<movement::Next>,
        /// When that is due.
        due: Time,
        /// What the bank moved, once it is settled.
        settled: Option<Yen>,
        /// The bank's code, if it declined.
        code: Option<movement::Code>,
        /// Since when the status is what it is.
        since: Time,
    },
    /// It takes two: another person of the desk may say the same.
    Proposed {
        /// Until when.
        until: Time,
    },
}
