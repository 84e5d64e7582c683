//! How an entry becomes bytes and comes back: a format byte, then postcard. Old formats stay readable for ever.

use crate::record::{Actor, Entry, Outcome, Record, Request, SealedRecord, Touch};
use crate::store::StoreError;
use domain::Domain;
use serde::Serialize;

/// The format that is written now.
pub(crate) const FORMAT: u8 = 1;
/// The largest stored entry; a command that makes a larger one is a defect.
pub const ENTRY_BYTES_MAX: usize = 1 << 20;
/// Where the buffer starts; it doubles as long as an entry does not fit.
const ENTRY_BYTES_USUAL: usize = 4_096;

/// [`Entry`], borrowed: the same fields in the same order, so that the same bytes come of it.
#[derive(Serialize)]
#[serde(bound = "")]
pub(crate) struct EntryRef<'a, D: Domain> {
    pub actor: Actor,
    pub command: &'a str,
    pub reason: Option<&'a str>,
    pub request: Option<Request>,
    pub touched: &'a [Touch],
    pub events: &'a [D::Event],
    pub outcome: OutcomeRef<'a, D>,
}

/// [`Outcome`], borrowed.
#[derive(Serialize)]
#[serde(bound = "")]
pub(crate) enum OutcomeRef<'a, D: Domain> {
    Done(&'a D::Receipt),
    Refused(&'a D::Refusal),
    Defect(&'a str),
    Aggregated { refusals: u64 },
}

/// Encodes entries into one buffer that is used again and again.
#[derive(Debug)]
pub(crate) struct Encoder {
    buffer: Vec<u8>,
}

impl Encoder {
    pub fn new() -> Self {
        Self { buffer: vec![0; ENTRY_BYTES_USUAL] }
    }

    /// The bytes of `entry`; an error says why it cannot be stored.
    pub fn encode<D: Domain>(&mut self, entry: &EntryRef<'_, D>) -> Result<&[u8], String> {
        loop {
            self.buffer[0] = FORMAT;
            let written = postcard::to_slice(entry, &mut self.buffer[1..]).map(|bytes| bytes.len());
            match written {
                Ok(length) => return Ok(&self.buffer[..=length]),
                Err(postcard::Error::SerializeBufferFull) if self.buffer.len() < ENTRY_BYTES_MAX => {
                    self.buffer.resize(self.buffer.len() * 2, 0);
                }
                Err(postcard::Error::SerializeBufferFull) => {
                    return Err(format!("the entry is longer than {ENTRY_BYTES_MAX} bytes"));
                }
                Err(error) => return Err(format!("the entry cannot be encoded: {error}")),
            }
        }
    }
}

impl<D: Domain> Entry<D> {
    /// The entry's stored bytes.
    pub fn encode(&self) -> Result<Vec<u8>, String> {
        let outcome = match &self.outcome {
            Outcome::Done(receipt) => OutcomeRef::Done(receipt),
            Outcome::Refused(refusal) => OutcomeRef::Refused(refusal),
            Outcome::Defect(what) => OutcomeRef::Defect(what),
            Outcome::Aggregated { refusals } => OutcomeRef::Aggregated { refusals: *refusals },
        };
        let entry = EntryRef::<D> {
            actor: self.actor,
            command: &self.command,
            reason: self.reason.as_deref(),
            request: self.request,
            touched: &self.touched,
            events: &self.events,
            outcome,
        };
        Encoder::new().encode(&entry).map(<[u8]>::to_vec)
    }

    /// The entry that `bytes` hold. Total: any bytes give an entry or an error.
    pub fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        match bytes.split_first() {
            Some((&FORMAT, rest)) => match postcard::take_from_bytes(rest) {
                Ok((entry, [])) => Ok(entry),
                Ok((_, more)) => Err(StoreError::Damaged(format!("{} bytes follow an entry's end", more.len()))),
                Err(error) => Err(StoreError::Damaged(format!("an entry of format {FORMAT} cannot be read: {error}"))),
            },
            Some((newer, _)) if *newer > FORMAT => Err(StoreError::Version(format!(
                "an entry has format {newer}, this program reads up to {FORMAT}: run the newer program"
            ))),
            Some((unknown, _)) => Err(StoreError::Damaged(format!("an entry has the unknown format {unknown}"))),
            None => Err(StoreError::Damaged("an entry is empty".into())),
        }
    }
}

impl<D: Domain> Record<D> {
    /// The record that was sealed, or why it cannot be read, with its place.
    pub fn decode(sealed: &SealedRecord) -> Result<Self, StoreError> {
        let place = sealed.place;
        let entry = Entry::decode(&sealed.bytes).map_err(|error| match error {
            StoreError::Damaged(what) => StoreError::Damaged(format!("record {}: {what}", place.n)),
            StoreError::Version(what) => StoreError::Version(format!("record {}: {what}", place.n)),
            other @ (StoreError::Fenced(_)
            | StoreError::Unavailable(_)
            | StoreError::Conflict(_)
            | StoreError::Lost(_)
            | StoreError::Options(_)) => other,
        })?;
        Ok(Self { place, at: sealed.at, entry })
    }
}
