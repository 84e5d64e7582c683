//! Records: one journal row a command, what it holds, and the hash chain over the stored bytes.

use domain::{Domain, Id, Key, Time};
use serde::{Deserialize, Serialize};

/// Where a record stands: its lane, and its number there from 1 without gaps. Lanes have no order between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Place {
    /// The lane: one engine writes one. The embedded store has lane 1 alone.
    pub lane: u16,
    /// The number in the lane; 0 is before the first record.
    pub n: u64,
}

/// A record with its place and time.
#[derive(Clone, Debug, PartialEq)]
pub struct Record<D: Domain> {
    /// Where it stands.
    pub place: Place,
    /// When it was decided, by the lane's clock.
    pub at: Time,
    /// What happened.
    pub entry: Entry<D>,
}

/// What happened: who asked, for what, which facts came of it, which rows they changed, what was answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Entry<D: Domain> {
    /// Who asked.
    pub actor: Actor,
    /// What was asked: the domain's name of the command.
    pub command: String,
    /// Why, where somebody gave a reason.
    pub reason: Option<String>,
    /// The idempotency key that the command came with.
    pub request: Option<Request>,
    /// The rows that the events changed, each once, in the order of their first change.
    pub touched: Vec<Touch>,
    /// The facts.
    pub events: Vec<D::Event>,
    /// How it ended.
    pub outcome: Outcome<D>,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub enum Outcome<D: Domain> {
    /// Carried out.
    Done(D::Receipt),
    /// Refused; the events say what was tried.
    Refused(D::Refusal),
    /// An assert failed: our own bug. Nothing was changed.
    Defect(String),
    /// Refusals and defects beyond a caller's bound of the hour, counted instead of journaled one by one.
    Aggregated {
        /// How many.
        refusals: u64,
    },
}

/// A row that a record changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touch {
    /// Which row.
    pub key: Key,
    /// Its version after the record: one more than before; the first is 1.
    pub version: u64,
    /// The place of the record that changed it before; [`Place::default`] for none.
    pub previous: Place,
}

/// An idempotency key as it is kept: never the caller's own text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Request {
    /// Keyed hash of caller, route and key.
    pub key: [u8; 16],
    /// Keyed MAC of the body.
    pub body: [u8; 16],
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Actor {
    /// What kind of caller.
    pub kind: ActorKind,
    /// Which one; zero where the kind says it all.
    pub id: Id,
}

/// The kinds of callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ActorKind {
    /// The product itself: a worker, the day close.
    System,
    /// Somebody who is not logged in.
    Anyone,
    /// A wallet's holder.
    Holder,
    /// A shop.
    Shop,
    /// Somebody at the operator's desk.
    Operator,
    /// A bank, or the gateway on its behalf.
    Bank,
}

/// A record as it is stored: the exact bytes, and the link to the record before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedRecord {
    /// Where it stands.
    pub place: Place,
    /// When it was decided.
    pub at: Time,
    /// [`Entry`], encoded: a format byte, then postcard.
    pub bytes: Vec<u8>,
    /// [`chain`] over the record before and this one.
    pub hash: [u8; 32],
}

/// The epochs of a lane's records, in their order. Whoever takes a lane over begins the next epoch, and each record's hash
/// covers its own: an older one is never of the head's.
#[derive(Clone, Copy, Debug)]
pub struct Epochs {
    /// Of the record before.
    at: u64,
    /// The highest that is tried: the head's.
    last: u64,
}

impl Epochs {
    /// The first one of a lane.
    pub(crate) const FIRST: u64 = 1;
    /// How many are tried for one record; nobody takes a lane over so often between two of them.
    const TRIED_MAX: u64 = 64;

    /// From anywhere in a lane whose head is of epoch `head`.
    pub const fn until(head: u64) -> Self {
        let at = if head < Self::FIRST { head } else { Self::FIRST };
        Self { at, last: head }
    }

    /// The hash of the record at `place` after `previous`: in the epoch of the one before, or in the next one in which it is
    /// `stored`. If it is in none, what it would be in the epoch of the one before.
    pub fn chain(
        &mut self,
        domain: &str,
        previous: &[u8; 32],
        (place, at, bytes): (Place, Time, &[u8]),
        stored: &[u8; 32],
    ) -> [u8; 32] {
        let hash = |epoch| chain(domain, epoch, previous, place, at, bytes);
        let expected = hash(self.at);
        if expected == *stored {
            return expected;
        }
        let last = self.last.min(self.at.saturating_add(Self::TRIED_MAX));
        match (self.at.saturating_add(1)..=last).find(|epoch| hash(*epoch) == *stored) {
            Some(epoch) => {
                self.at = epoch;
                *stored
            }
            None => expected,
        }
    }
}

/// The hash of a record: it covers the format, the domain, the lane and its epoch, the number, the time, the hash before
/// and the exact stored bytes.
pub fn chain(domain: &str, epoch: u64, previous: &[u8; 32], place: Place, at: Time, bytes: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"kinchaku journal 1\0");
    hasher.update(domain.as_bytes());
    hasher.update(&[0]);
    hasher.update(&epoch.to_be_bytes());
    hasher.update(&place.lane.to_be_bytes());
    hasher.update(&place.n.to_be_bytes());
    hasher.update(&at.milliseconds().to_be_bytes());
    hasher.update(previous);
    hasher.update(bytes);
    *hasher.finalize().as_bytes()
}
