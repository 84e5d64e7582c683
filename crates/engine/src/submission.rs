//! What a caller hands in, and what the caller gets back.

use crate::record::{Actor, Outcome, Place, Record, Request};
use crate::store::StoreError;
use domain::{Domain, Time};
use std::fmt;

/// A command with who asks for it and when.
#[derive(Clone, Debug)]
pub struct Submission<D: Domain> {
    /// What is asked.
    pub command: D::Command,
    /// Who asks.
    pub actor: Actor,
    /// Why, where somebody gave a reason.
    pub reason: Option<String>,
    /// The idempotency key, where the caller sent one.
    pub request: Option<Request>,
    /// When it arrived, by the caller's clock. The lane's time never steps back behind its last record.
    pub at: Time,
}

/// The answer to a command that was decided.
#[derive(Debug)]
pub struct Answer<D: Domain> {
    /// The record that keeps it; `None` for a refusal that was only counted, of a command without a request key.
    pub place: Option<Place>,
    /// When it was decided, by the lane's clock.
    pub at: Time,
    /// Whether this is what the first command with the same request key was answered.
    pub repeated: bool,
    /// The domain's reply.
    pub reply: Result<D::Receipt, D::Refusal>,
}

impl<D: Domain> Clone for Answer<D> {
    fn clone(&self) -> Self {
        Self { place: self.place, at: self.at, repeated: self.repeated, reply: self.reply.clone() }
    }
}

impl<D: Domain> PartialEq for Answer<D> {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place && self.at == other.at && self.repeated == other.repeated && self.reply == other.reply
    }
}

/// What a caller gets: the domain's reply, or why the engine could not get one.
pub type Answered<D> = Result<Answer<D>, EngineError>;

/// Why there is no reply of the domain. Every variant says who must act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineError {
    /// The caller: too much is waiting, try again later.
    Busy,
    /// The caller: this request key came with another body before.
    KeyReused,
    /// The caller: refused, or met by a defect, more often in this hour than is journaled, so this command was not answered
    /// under its request key, and nothing was done.
    RefusedTooOften {
        /// When it was decided, by the lane's clock.
        at: Time,
        /// When it can be tried again, under the same key.
        again_at: Time,
    },
    /// The operator: the store cannot be used for this now; nothing was done, it may be tried again.
    Unavailable(String),
    /// Us: a defect met this command. It had no effect, and is kept at this place.
    Defect {
        /// The record that says so.
        place: Place,
    },
    /// The operator: the engine has halted, and what became of the command is known after a restart.
    Halted(String),
    /// Nobody: the engine was stopped before the command's turn.
    Stopped,
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => write!(f, "too many commands are waiting"),
            Self::KeyReused => write!(f, "the request key was used with another body before"),
            Self::RefusedTooOften { again_at, .. } => {
                write!(f, "the caller was refused too often in this hour: to be tried again at {again_at}")
            }
            Self::Unavailable(what) => write!(f, "the store cannot be used for this now: {what}"),
            Self::Defect { place } => write!(f, "a defect met the command: see record {}", place.n),
            Self::Halted(what) => write!(f, "the engine has halted: {what}"),
            Self::Stopped => write!(f, "the engine was stopped"),
        }
    }
}

impl std::error::Error for EngineError {}

/// The answer that `record` gives to a command that repeats its request.
pub(crate) fn recorded_answer<D: Domain>(record: Record<D>) -> Result<Answered<D>, StoreError> {
    let Record { place, at, entry } = record;
    let reply = match entry.outcome {
        Outcome::Done(receipt) => Ok(receipt),
        Outcome::Refused(refusal) => Err(refusal),
        Outcome::Defect(_) => return Ok(Err(EngineError::Defect { place })),
        Outcome::Aggregated { .. } => {
            return Err(StoreError::Damaged(format!("record {} counts refusals, no request can point at it", place.n)));
        }
    };
    Ok(Ok(Answer { place: Some(place), at, repeated: true, reply }))
}
