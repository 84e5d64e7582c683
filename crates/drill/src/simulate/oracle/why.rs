//! Why the model thinks that a command should be refused: every reason that holds, in no order.
//!
//! The product names the first of several reasons; the model only knows which ones there are. So an answer is right if
//! the command was carried out and there is no reason, or if the reason it gives is one of them, with the same figures.

use super::books::PIECES_MAX;
use ledger::Yen;
use wallet::{Limit, Noun, Refusal, Unable};

/// A reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    AmountZero,
    Unknown(Noun),
    IdTaken(Noun),
    Stopped,
    ClockDrifted,
    Status(Noun),
    Expired(Noun),
    Frozen,
    Tier,
    GrantTooWeak,
    AlreadyLinked,
    NotSettled { available: i64, pending: i64 },
    TooSmall,
    Limit { limit: Limit, left: i64 },
    Funds { available: i64 },
    StepUp,
    Guard,
    TooLong(Noun),
    Recipient(Unable),
    SecondPerson,
    Contradiction(Noun),
}

impl Why {
    /// The reason's fixed name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AmountZero => "amount_zero",
            Self::Unknown(_) => "unknown",
            Self::IdTaken(_) => "id_taken",
            Self::Stopped => "stopped",
            Self::ClockDrifted => "clock_drifted",
            Self::Status(_) => "wrong_status",
            Self::Expired(_) => "expired",
            Self::Frozen => "frozen",
            Self::Tier => "tier_too_low",
            Self::GrantTooWeak => "grant_too_weak",
            Self::AlreadyLinked => "already_linked",
            Self::NotSettled { .. } => "not_settled",
            Self::TooSmall => "amount_too_small",
            Self::Limit { .. } => "limit_exceeded",
            Self::Funds { .. } => "insufficient_funds",
            Self::StepUp => "step_up_required",
            Self::Guard => "guard_refused",
            Self::TooLong(_) => "too_long",
            Self::Recipient(_) => "recipient_unable",
            Self::SecondPerson => "second_person_needed",
            Self::Contradiction(_) => "contradiction",
        }
    }

    /// The reason that `refusal` gives.
    pub fn of(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::AmountZero => Self::AmountZero,
            Refusal::Unknown { noun } => Self::Unknown(*noun),
            Refusal::IdTaken { noun } => Self::IdTaken(*noun),
            Refusal::Stopped { .. } => Self::Stopped,
            Refusal::ClockDrifted => Self::ClockDrifted,
            Refusal::WrongStatus { noun, .. } => Self::Status(*noun),
            Refusal::Expired { noun, .. } => Self::Expired(*noun),
            Refusal::Frozen { .. } => Self::Frozen,
            Refusal::TierTooLow { .. } => Self::Tier,
            Refusal::GrantTooWeak { .. } => Self::GrantTooWeak,
            Refusal::AlreadyLinked => Self::AlreadyLinked,
            Refusal::NotSettled { available, pending } => {
                Self::NotSettled { available: available.amount(), pending: pending.amount() }
            }
            Refusal::AmountTooSmall { .. } => Self::TooSmall,
            Refusal::LimitExceeded { limit, left, .. } => Self::Limit { limit: *limit, left: *left },
            Refusal::InsufficientFunds { available, .. } => Self::Funds { available: available.amount() },
            Refusal::StepUpRequired { .. } => Self::StepUp,
            Refusal::GuardRefused { .. } => Self::Guard,
            Refusal::TooLong { noun } => Self::TooLong(*noun),
            Refusal::RecipientUnable { why } => Self::Recipient(*why),
            Refusal::SecondPersonNeeded => Self::SecondPerson,
            Refusal::Contradiction { noun } => Self::Contradiction(*noun),
        }
    }
}

/// Reasons as they are found.
#[derive(Default)]
pub struct Reasons(pub Vec<Why>);

impl Reasons {
    /// Notes `why` if it holds.
    pub fn add(&mut self, holds: bool, why: Why) {
        if holds {
            self.0.push(why);
        }
    }

    /// Notes that a movement would be made of too many pieces.
    pub fn pieces(&mut self, count: usize) {
        self.add(
            count > PIECES_MAX,
            Why::Limit { limit: Limit::Pieces, left: i64::try_from(PIECES_MAX).unwrap_or(i64::MAX) },
        );
    }

    /// Notes that `requested` on top of `used` is more than `at_most`.
    pub fn limit(&mut self, limit: Limit, at_most: Yen, used: i64, requested: i64) {
        let left = (at_most.amount() - used).max(0);
        self.add(requested > left, Why::Limit { limit, left });
    }
}
