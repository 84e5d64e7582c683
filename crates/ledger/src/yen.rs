//! Yen. Whole, never negative, never a float.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An amount of whole yen, zero or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(try_from = "i64", into = "i64")]
pub struct Yen(i64);

impl Yen {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount there is: 10^15 yen, about the household wealth of Japan. Sums of 9,000 of them fit.
    pub const MAX: Self = Self(1_000_000_000_000_000);

    /// `amount` yen. For constants and policy; a negative or huge amount does not compile there.
    pub const fn new(amount: i64) -> Self {
        assert!(amount >= 0 && amount <= Self::MAX.0, "yen must be from zero to Yen::MAX");
        Self(amount)
    }

    /// `amount` yen, if it is from zero to [`Yen::MAX`].
    pub const fn checked(amount: i64) -> Option<Self> {
        if amount >= 0 && amount <= Self::MAX.0 { Some(Self(amount)) } else { None }
    }

    /// The amount as a number.
    pub const fn amount(self) -> i64 {
        self.0
    }

    /// Whether this is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, if it is no more than [`Yen::MAX`].
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Self::checked(sum),
            None => None,
        }
    }

    /// The difference, if it is not below zero.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Self::checked(difference),
            None => None,
        }
    }

    /// The difference, or zero where it would be below.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        match self.checked_sub(other) {
            Some(difference) => difference,
            None => Self::ZERO,
        }
    }

    /// The sum of `amounts`, if it is no more than [`Yen::MAX`].
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }
}

impl TryFrom<i64> for Yen {
    type Error = &'static str;

    fn try_from(amount: i64) -> Result<Self, Self::Error> {
        Self::checked(amount).ok_or("yen must be from zero to 1,000,000,000,000,000")
    }
}

impl From<Yen> for i64 {
    fn from(yen: Yen) -> Self {
        yen.0
    }
}

impl fmt::Display for Yen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (index, digit) in digits.chars().enumerate() {
            let remaining = digits.len().saturating_sub(index);
            if index > 0 && remaining.is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        f.write_str(" yen")
    }
}
