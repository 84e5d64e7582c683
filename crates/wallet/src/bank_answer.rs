//! What a bank says of a movement that it was asked for, and how the desk settles what a bank said twice.
//!
//! Top-ups and payouts read a bank's answers with the same eyes: [`Answer::said`]. What an answer then does to money is
//! the affair of their own rooms.

use crate::ids::StaffId;
use crate::refusal::{Noun, Refusal, Stated};
use domain::Time;
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// The most that a bank can have moved at one request: a thousand times what any policy lets through. A figure above it, or
/// none at all, is a defect of the bank's; booked, it would fill up the sums of the bank's account for all who come after.
pub const MOVED_MAX: Yen = Yen::new(1_000_000_000);

/// What a bank answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// It moved this much.
    Settled {
        /// How much; nothing, or more than [`MOVED_MAX`], is no answer.
        amount: Yen,
    },
    /// It refused, and nothing was moved.
    Declined {
        /// Its reason's code.
        code: u16,
    },
    /// It does not know the reference.
    NotFound {
        /// Whether its cut-off has passed: only then is absence an answer.
        last: bool,
    },
    /// It said something that we do not know.
    Unknown {
        /// The code, if there was one.
        code: Option<u16>,
    },
}

/// By which way an answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AnswerSource {
    /// In reply to the request itself.
    Request,
    /// In reply to an inquiry by reference.
    Inquiry,
    /// By the bank's own call.
    Callback,
    /// In the file of the bank's day: what is not in it did not happen.
    DayFile,
}

/// An answer of a bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Answer {
    /// What it says.
    pub outcome: Outcome,
    /// How it came.
    pub source: AnswerSource,
}

/// What an answer comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Money was moved.
    Moved(Yen),
    /// No money was moved, and the bank's answer is final.
    NotMoved,
    /// Nothing that would be final.
    Nothing,
}

impl Answer {
    pub(crate) const fn said(&self) -> Said {
        match (self.outcome, self.source) {
            (Outcome::Settled { amount }, _) if amount.is_zero() || amount.amount() > MOVED_MAX.amount() => {
                Said::Nothing
            }
            (Outcome::Settled { amount }, _) => Said::Moved(amount),
            (Outcome::Declined { .. } | Outcome::NotFound { last: true }, _)
            | (Outcome::NotFound { last: false }, AnswerSource::DayFile) => Said::NotMoved,
            (Outcome::NotFound { last: false } | Outcome::Unknown { .. }, _) => Said::Nothing,
        }
    }

    /// Whether the bank itself said no about this very reference. Absence, and what a day's file left out, are weaker:
    /// a bank that finds the movement later corrects itself, and does not contradict itself.
    pub const fn is_firm_no(&self) -> bool {
        match (self.outcome, self.source) {
            (Outcome::Declined { .. }, AnswerSource::Request | AnswerSource::Inquiry | AnswerSource::Callback) => true,
            (Outcome::Declined { .. }, AnswerSource::DayFile) => false,
            (Outcome::Settled { .. } | Outcome::NotFound { .. } | Outcome::Unknown { .. }, _) => false,
        }
    }
}

/// What a bank said against what is on record. It changes no money; the desk looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Claim {
    /// It moved this much.
    Moved(Yen),
    /// It moved nothing.
    NotMoved,
    /// It took this much back.
    TakenBack(Yen),
    /// What it had given back did not stay in the account: this much came back.
    CameBack(Yen),
}

/// The most that is kept of what a bank says against what is on record; a bank that says still more is beyond listing.
pub const CLAIMS_MAX: usize = 16;

/// What a bank said against what is on record, each once, in the order in which it was first said.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Claims(Vec<Claim>);

impl Claims {
    /// Nothing was said.
    pub const NONE: Self = Self(Vec::new());

    /// Whether nothing was said.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Claim> {
        self.0.iter()
    }

    /// Whether this was said.
    pub fn has(&self, claim: Claim) -> bool {
        self.0.contains(&claim)
    }

    /// What the bank says that it moved: its latest word.
    pub fn moved(&self) -> Option<Yen> {
        self.0.iter().rev().find_map(|claim| match claim {
            Claim::Moved(amount) => Some(*amount),
            Claim::NotMoved | Claim::TakenBack(_) | Claim::CameBack(_) => None,
        })
    }

    /// Whether `claim` is news, and there is room to keep it.
    pub(crate) fn is_news(&self, claim: Claim) -> bool {
        !self.has(claim) && self.0.len() < CLAIMS_MAX
    }

    pub(crate) fn add(&mut self, claim: Claim) {
        self.0.push(claim);
    }
}

/// How the desk settles a contradiction. One person proposes, another approves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Resolution {
    /// The bank did what it was asked for, to the yen.
    Settle,
    /// The bank moved nothing.
    Decline,
    /// What the bank moved goes back to where it came from.
    Return,
    /// What is on record stands.
    Keep,
    /// What was to go back is there already, by the bank's own doing: it must not be asked to give it back once more.
    AlreadyReturned,
}

impl Resolution {
    /// The way as the API shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Settle => "settle",
            Self::Decline => "decline",
            Self::Return => "return",
            Self::Keep => "keep",
            Self::AlreadyReturned => "already_returned",
        }
    }
}

/// What one person of the desk proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Proposal {
    /// How to settle it.
    pub resolution: Resolution,
    /// Who says so.
    pub by: StaffId,
}

impl Proposal {
    /// Refuses unless `by` is another person than the one who proposed just this. Refusals in order: not what was proposed, the
    /// same person.
    pub(crate) fn check_second(
        proposed: Option<Self>,
        resolution: Resolution,
        by: StaffId,
        noun: Noun,
    ) -> Result<(), Refusal> {
        match proposed {
            Some(proposal) if proposal.resolution == resolution && proposal.by == by => {
                Err(Refusal::SecondPersonNeeded)
            }
            Some(proposal) if proposal.resolution == resolution => Ok(()),
            other => Err(Refusal::NotAsOnRecord {
                noun,
                on_record: other.map_or(Stated::Nothing, |proposal| Stated::Resolution(proposal.resolution)),
                came: Stated::Resolution(resolution),
            }),
        }
    }
}

/// Why a movement is held before the bank is asked, and until when somebody must decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Review {
    /// The guard's reason.
    pub reason: u16,
    /// Until when.
    pub deadline: Time,
}
