//! Reading the journal beside the engine: for consumers that fell behind, for lists that follow a row's chain.

use crate::memory::Disk;
use crate::record::{Place, Record, SealedRecord};
use crate::sqlite::SqliteJournal;
use crate::store::StoreError;
use domain::{Domain, Key};

/// Records in one list, at most: reads are short.
pub const HISTORY_RECORDS_MAX: usize = 1_000;

/// A journal that somebody else writes.
pub trait JournalReader: Send {
    /// Durable records from number `from` on, at most `limit`, in order.
    fn read(&self, from: u64, limit: usize) -> Result<Vec<SealedRecord>, StoreError>;

    /// The record with the number `n`.
    fn get(&self, n: u64) -> Result<Option<SealedRecord>, StoreError> {
        Ok(self.read(n, 1)?.pop().filter(|record| record.place.n == n))
    }
}

impl JournalReader for SqliteJournal {
    fn read(&self, from: u64, limit: usize) -> Result<Vec<SealedRecord>, StoreError> {
        Self::read(self, from, limit)
    }
}

impl<D: Domain> JournalReader for Disk<D> {
    fn read(&self, from: u64, limit: usize) -> Result<Vec<SealedRecord>, StoreError> {
        Ok(self.records(from, limit))
    }
}

/// The records that changed the row at `key`, newest first: from the one at `start` (a row's [`Stored`](crate::Stored)
/// names its last) backwards, at most `limit`. Also the place to go on from; `None` at the chain's end.
pub fn history<D: Domain>(
    journal: &impl JournalReader,
    key: Key,
    start: Place,
    limit: usize,
) -> Result<(Vec<Record<D>>, Option<Place>), StoreError> {
    let mut records = Vec::new();
    let mut place = start;
    while place.n > 0 {
        if records.len() >= limit.min(HISTORY_RECORDS_MAX) {
            return Ok((records, Some(place)));
        }
        let wrong = |what: &str| StoreError::Damaged(format!("record {} {what} row {}", place.n, key.id));
        let sealed = journal.get(place.n)?.ok_or_else(|| wrong("is missing in the chain of"))?;
        let record = Record::<D>::decode(&sealed)?;
        let touch = record.entry.touched.iter().find(|touch| touch.key == key);
        let previous = touch.ok_or_else(|| wrong("does not change"))?.previous;
        if previous.lane == place.lane && previous.n >= place.n {
            return Err(wrong("points forwards in the chain of"));
        }
        records.push(record);
        place = previous;
    }
    Ok((records, None))
}
