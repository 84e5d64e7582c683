//! Why the model thinks that a command should be refused: every reason that holds, in no order.
//!
//! The product names the first of several reasons; the model only knows which ones there are. So an answer is right if
//! the command was carried out and there is no reason, or if the reason it gives is one of them, with the same figures.

use super::books::PIECES_MAX;
use super::tally::date;
use domain::Time;
use jiff::civil::Date;
use ledger::Yen;
use wallet::switches::Function;
use wallet::{BankCode, FrozenBy, Limit, Noun, Proof, Refusal, Standing, SwitchId, Tier, Unable};

/// A reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    AmountZero,
    Unknown(Noun),
    IdTaken(Noun),
    Stopped { function: Function, bank: Option<BankCode>, switch: SwitchId, since: Time },
    ClockDrifted,
    Status(Noun, Standing),
    Expired(Noun, Time),
    Frozen(FrozenBy),
    Tier { tier: Tier, needed: Tier },
    GrantTooWeak,
    AlreadyLinked,
    NotSettled { available: i64, pending: i64 },
    TooSmall { least: i64, requested: i64 },
    Limit { limit: Limit, at_most: i64, left: i64, requested: i64, from: Option<Date> },
    Funds { available: i64, requested: i64 },
    StepUp(Proof),
    Guard(u16),
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
            Self::Stopped { .. } => "stopped",
            Self::ClockDrifted => "clock_drifted",
            Self::Status(..) => "wrong_status",
            Self::Expired(..) => "expired",
            Self::Frozen(_) => "frozen",
            Self::Tier { .. } => "tier_too_low",
            Self::GrantTooWeak => "grant_too_weak",
            Self::AlreadyLinked => "already_linked",
            Self::NotSettled { .. } => "not_settled",
            Self::TooSmall { .. } => "amount_too_small",
            Self::Limit { .. } => "limit_exceeded",
            Self::Funds { .. } => "insufficient_funds",
            Self::StepUp(_) => "step_up_required",
            Self::Guard(_) => "guard_refused",
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
            Refusal::IdTaken { noun } | Refusal::Taken { noun, .. } => Self::IdTaken(*noun),
            Refusal::Stopped { function, bank, switch, since } => {
                Self::Stopped { function: *function, bank: *bank, switch: *switch, since: *since }
            }
            Refusal::ClockDrifted => Self::ClockDrifted,
            Refusal::WrongStatus { noun, status } => Self::Status(*noun, *status),
            Refusal::Expired { noun, at } => Self::Expired(*noun, *at),
            Refusal::Frozen { by } => Self::Frozen(*by),
            Refusal::TierTooLow { tier, needed } => Self::Tier { tier: *tier, needed: *needed },
            Refusal::GrantTooWeak { .. } => Self::GrantTooWeak,
            Refusal::AlreadyLinked | Refusal::LinkedAlready { .. } => Self::AlreadyLinked,
            Refusal::NotSettled { available, pending } => {
                Self::NotSettled { available: available.amount(), pending: pending.amount() }
            }
            Refusal::AmountTooSmall { least, requested } => {
                Self::TooSmall { least: least.amount(), requested: requested.amount() }
            }
            Refusal::LimitExceeded { limit, at_most, left, requested, from } => {
                let from = from.map(|day| date(day.start()));
                Self::Limit { limit: *limit, at_most: *at_most, left: *left, requested: *requested, from }
            }
            Refusal::InsufficientFunds { available, requested } => {
                Self::Funds { available: available.amount(), requested: requested.amount() }
            }
            Refusal::StepUpRequired { proof } => Self::StepUp(*proof),
            Refusal::GuardRefused { reason } => Self::Guard(*reason),
            Refusal::TooLong { noun } | Refusal::LongerThan { noun, .. } => Self::TooLong(*noun),
            Refusal::RecipientUnable { why } => Self::Recipient(*why),
            Refusal::SecondPersonNeeded => Self::SecondPerson,
            Refusal::Contradiction { noun } | Refusal::NotAsOnRecord { noun, .. } => Self::Contradiction(*noun),
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

    /// Notes that a tier is not enough.
    pub fn tier(&mut self, tier: Tier, needed: Tier) {
        self.add(tier < needed, Why::Tier { tier, needed });
    }

    /// Notes that a movement would be made of too many pieces.
    pub fn pieces(&mut self, count: usize) {
        let (at_most, requested) = (figure(PIECES_MAX), figure(count));
        let why = Why::Limit { limit: Limit::Pieces, at_most, left: at_most, requested, from: None };
        self.add(count > PIECES_MAX, why);
    }

    /// Notes that one more would be more than `at_most`, until `from`.
    pub fn full(&mut self, holds: bool, limit: Limit, at_most: usize, from: Option<Date>) {
        self.add(holds, Why::Limit { limit, at_most: figure(at_most), left: 0, requested: 1, from });
    }

    /// Notes that `requested` is less than `least`.
    pub fn least(&mut self, least: Yen, requested: i64) {
        let least = least.amount();
        self.add(requested < least, Why::TooSmall { least, requested });
    }

    /// Notes that `requested` is more than there is.
    pub fn funds(&mut self, available: i64, requested: i64) {
        self.add(requested > available, Why::Funds { available, requested });
    }

    /// Notes that `requested` on top of `used` is more than `at_most`.
    pub fn limit(&mut self, limit: Limit, at_most: Yen, used: i64, requested: i64) {
        self.limit_until(limit, at_most, used, requested, None);
    }

    /// The same of what begins anew: so much is possible from the date `from` on, if it ever is.
    pub fn limit_until(&mut self, limit: Limit, at_most: Yen, used: i64, requested: i64, from: Option<Date>) {
        let at_most = at_most.amount();
        let left = (at_most - used).max(0);
        let from = from.filter(|_| requested <= at_most);
        self.add(requested > left, Why::Limit { limit, at_most, left, requested, from });
    }
}

fn figure(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
