//! What top-ups and payouts have in common in the model: how an answer is understood, and what two people decide.

use super::{Reasons, Why};
use wallet::bank_answer::{Answer, AnswerSource, CLAIMS_MAX, Claim, Outcome, Resolution};
use wallet::{Noun, StaffId};

/// An answer, as far as money is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Moved(i64),
    NotMoved,
    Nothing,
}

/// What `answer` tells.
pub fn told(answer: Answer) -> Told {
    match answer.outcome {
        Outcome::Settled { amount } => Told::Moved(amount.amount()),
        Outcome::Declined { .. } | Outcome::NotFound { last: true } => Told::NotMoved,
        Outcome::NotFound { last: false } if answer.source == AnswerSource::DayFile => Told::NotMoved,
        Outcome::NotFound { last: false } | Outcome::Unknown { .. } => Told::Nothing,
    }
}

/// Whether it was the bank itself that said no, about this very reference.
pub fn is_firm_no(answer: Answer) -> bool {
    matches!(answer.outcome, Outcome::Declined { .. }) && answer.source != AnswerSource::DayFile
}

/// What is wrong with a movement, until two people have looked at it.
#[derive(Clone, Debug, Default)]
pub struct Trouble {
    /// The wrong amount that the bank moved.
    pub mismatch: Option<i64>,
    /// What it said against what is on record, each once.
    pub claims: Vec<Claim>,
    /// What the first person said.
    pub proposal: Option<(Resolution, StaffId)>,
}

impl Trouble {
    /// Whether there is any.
    pub const fn any(&self) -> bool {
        self.mismatch.is_some() || !self.claims.is_empty()
    }

    /// Whether what a bank tells of a movement that it was never asked for is kept for the desk.
    pub const fn keeps(&self, told: Told) -> bool {
        match told {
            Told::Moved(_) => true,
            Told::NotMoved => self.any(),
            Told::Nothing => false,
        }
    }

    /// The bank says something against what is on record; whoever proposed something did not know of it.
    pub fn claims(&mut self, claim: Claim) {
        if !self.claims.contains(&claim) && self.claims.len() < CLAIMS_MAX {
            self.claims.push(claim);
            self.proposal = None;
        }
    }

    /// The last amount that the bank claims to have moved.
    pub fn claimed(&self) -> Option<i64> {
        let moved = |claim: &Claim| match claim {
            Claim::Moved(amount) => Some(amount.amount()),
            Claim::NotMoved | Claim::TakenBack(_) | Claim::CameBack(_) => None,
        };
        self.claims.iter().filter_map(moved).next_back()
    }

    /// Notes why the second person's word does not count.
    pub fn approve_reasons(&self, resolution: Resolution, by: StaffId, noun: Noun, reasons: &mut Reasons) {
        match self.proposal {
            Some((proposed, first)) if proposed == resolution => reasons.add(first == by, Why::SecondPerson),
            Some(_) | None => reasons.add(true, Why::Contradiction(noun)),
        }
    }
}
