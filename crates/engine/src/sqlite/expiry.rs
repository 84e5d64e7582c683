//! The end of old request keys: which keys of a segment must stay known when it is taken away.
//!
//! A key is known while the operation that its request began is not final, and for the retention after that. The index
//! marks the few keys whose records may have begun an operation; only of these the record is read, and the operation's row
//! looked at. Everything else of an old segment goes unread. Start reading at [`Expiry::look`] and [`is_needed`].

use super::error::classify;
use super::journal::read_records;
use super::requests::{RequestKey, Segment, begins_operation, block_row, read_entries, record_of};
use super::rows::Tables;
use crate::record::Record;
use crate::store::StoreError;
use domain::Domain;
use rusqlite::Connection;
use std::sync::Arc;

/// Blocks looked through in one step.
const LOOK_BLOCKS: u64 = 64;
/// Keys that stay and wait in memory to be written as a segment.
pub(super) const KEPT_KEYS_MAX: usize = 1 << 18;
/// How long what stays is left alone until it is looked at again.
const LOOK_AGAIN_MILLISECONDS: i64 = 30 * 86_400_000;

/// Whether the key of the record with that number must stay known; the second is what may be forgotten: all before it.
pub(super) type IsNeeded<'a> = &'a dyn Fn(u64, i64) -> Result<bool, StoreError>;

/// An old segment that is being looked through.
pub(super) struct Expiry {
    pub(super) segment: Arc<Segment>,
    before: i64,
    next_block: u64,
    /// What must stay.
    pub(super) kept: Vec<(RequestKey, u64)>,
}

impl Expiry {
    pub(super) fn new(segment: Arc<Segment>, before: i64) -> Self {
        Self { segment, before, next_block: 0, kept: Vec::new() }
    }

    pub(super) fn is_done(&self) -> bool {
        self.next_block >= 1 << self.segment.bits
    }

    /// The time that what stays is given: it is as old as the retention again after [`LOOK_AGAIN_MILLISECONDS`].
    pub(super) fn look_again_at(&self) -> i64 {
        self.before.saturating_add(LOOK_AGAIN_MILLISECONDS)
    }

    /// Looks through the next blocks. One that failed is looked through again.
    pub(super) fn look(&mut self, connection: &Connection, is_needed: IsNeeded<'_>) -> Result<(), StoreError> {
        let until = (self.next_block + LOOK_BLOCKS).min(1 << self.segment.bits);
        let span = [self.next_block, until].map(|block| block_row(self.segment.number, block));
        let mut marked =
            read_marked(connection, span).map_err(|error| classify("reading the request index", &error))?;
        // In the order of the journal, so that its pages are read one after the other.
        marked.sort_unstable_by_key(|(_, n)| *n);
        let mut kept = Vec::new();
        for (key, n) in marked {
            if is_needed(record_of(n), self.before)? {
                kept.push((key, n));
            }
        }
        self.kept.append(&mut kept);
        self.next_block = until;
        Ok(())
    }
}

fn read_marked(connection: &Connection, span: [i64; 2]) -> rusqlite::Result<Vec<(RequestKey, u64)>> {
    let mut select =
        connection.prepare_cached("SELECT entries FROM request_block WHERE block >= ? AND block < ? ORDER BY block")?;
    let mut rows = select.query(span)?;
    let mut marked = Vec::new();
    while let Some(row) = rows.next()? {
        let entries = read_entries(row.get_ref(0)?.as_blob()?)?;
        marked.extend(entries.filter(|(_, n)| begins_operation(*n)));
    }
    Ok(marked)
}

/// Whether the request of record `n` began an operation that has not ended, or ended after `before`. What cannot be read
/// stays: a key that is forgotten is carried out again.
pub(super) fn is_needed<D: Domain>(
    journal: &Connection,
    state: &Connection,
    tables: &Tables<D>,
    (n, before): (u64, i64),
) -> Result<bool, StoreError> {
    let record_at = |n: u64| {
        let mut records = read_records(journal, n, 1).map_err(|error| classify("reading the journal", &error))?;
        Ok::<_, StoreError>(records.pop().filter(|sealed| sealed.place.n == n))
    };
    let Some(Ok(record)) = record_at(n)?.map(|sealed| Record::<D>::decode(&sealed)) else { return Ok(true) };
    let Some(operation) = D::operation_begun(&record.entry.events) else { return Ok(false) };
    let Some(stored) = tables.select(state, operation)? else { return Ok(true) };
    if stored.row.is_some_and(|row| !D::is_final(&row)) {
        return Ok(true);
    }
    // The row as it was written last: it may be final for a shorter time than the record is old.
    Ok(record_at(stored.place.n)?.is_none_or(|sealed| sealed.at.milliseconds() >= before))
}
