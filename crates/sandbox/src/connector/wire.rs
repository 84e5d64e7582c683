//! The bodies that a bank's connector takes and gives, as they are on the wire, and how they become what the domain knows.

use crate::domain::account::{AccountKind, AccountNumber};
use crate::domain::bank::BankCode;
use crate::domain::movement::Movement;
use ::domain::Day;
use serde::{Deserialize, Serialize};
use web::Problem;

/// An account on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireAccount {
    /// Three digits.
    pub branch: String,
    /// Ordinary or current.
    pub kind: WireKind,
    /// Seven digits.
    pub number: String,
}

/// The kinds of accounts on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WireKind {
    Ordinary,
    Current,
}

impl From<WireKind> for AccountKind {
    fn from(kind: WireKind) -> Self {
        match kind {
            WireKind::Ordinary => Self::Ordinary,
            WireKind::Current => Self::Current,
        }
    }
}

impl WireAccount {
    /// The account at `bank`.
    pub(crate) fn at(&self, bank: BankCode) -> Result<AccountNumber, Problem> {
        AccountNumber::parse(bank, &self.branch, self.kind.into(), &self.number)
            .ok_or_else(|| Problem::malformed("A branch has three digits and an account number seven."))
    }
}

impl WireAccount {
    /// `number` on the wire.
    pub(crate) fn of(number: AccountNumber) -> Self {
        let kind = match number.kind {
            AccountKind::Ordinary => WireKind::Ordinary,
            AccountKind::Current => WireKind::Current,
        };
        Self { branch: number.branch_text(), kind, number: number.number_text() }
    }
}

/// A movement on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct WireMovement {
    pub reference: String,
    pub outcome: &'static str,
    pub code: u8,
    pub amount: i64,
    pub at: String,
}

impl WireMovement {
    /// `movement` as an inquiry or the request itself is answered.
    pub(crate) fn of(movement: &Movement) -> Self {
        Self {
            reference: movement.reference.text.clone(),
            outcome: if movement.reversed_at.is_some() { "reversed" } else { movement.outcome.name() },
            code: movement.outcome.code(),
            amount: movement.booked.amount(),
            at: movement.at.to_string(),
        }
    }
}

/// The day that `text` writes as 1985-04-12.
pub(crate) fn day(text: &str) -> Option<Day> {
    text.parse::<jiff::civil::Date>().ok().map(Day::from)
}
