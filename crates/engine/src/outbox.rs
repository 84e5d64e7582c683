//! Outboxes: what a consumer has made of the records, for somebody else to take.
//!
//! A page and the cursor that covers it are saved in one transaction, so each record's effects stand in the outbox exactly
//! once, however often its records come again. What a page says is the consumer's affair. The outboxes share the cursors'
//! file, which may be deleted: everything is then made, and taken, again under the same effect ids.
//! Start reading at [`Outbox::append`].

use crate::cursors::{failed, load_cursor, save_cursor};
use crate::sqlite::open_consumers;
use crate::store::StoreError;
use rusqlite::{Connection, params};
use std::path::Path;

/// The writing end of a consumer's outbox.
pub struct Outbox {
    connection: Connection,
    name: &'static str,
    cursor: u64,
}

/// The end where pages are taken; it may be another process's.
pub struct OutboxReader {
    connection: Connection,
    name: &'static str,
}

/// What was made of a span of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The last record it covers.
    pub until: u64,
    /// What the consumer made of them.
    pub bytes: Vec<u8>,
}

impl Outbox {
    /// Opens the outbox of the consumer `name` in the data directory at `directory`, and makes it if it is not there.
    pub fn open(directory: &Path, name: &'static str) -> Result<Self, StoreError> {
        let connection = open_consumers(directory)?;
        let cursor = load_cursor(&connection, name).map_err(|error| failed(&error))?;
        Ok(Self { connection, name, cursor })
    }

    /// The last record whose effects stand in the outbox, or were taken from it.
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Adds what was made of the records after the cursor, up to `until`; an empty page moves the cursor alone.
    pub fn append(&mut self, until: u64, page: &[u8]) -> Result<(), StoreError> {
        assert!(until >= self.cursor, "an outbox covers the journal in order");
        let append = || {
            let transaction = self.connection.unchecked_transaction()?;
            if !page.is_empty() {
                transaction
                    .prepare_cached("INSERT INTO outbox (name, until, page) VALUES (?, ?, ?)")?
                    .execute(params![self.name, i64::try_from(until).unwrap_or(i64::MAX), page])?;
            }
            save_cursor(&transaction, self.name, until)?;
            transaction.commit()
        };
        append().map_err(|error| failed(&error))?;
        self.cursor = until;
        Ok(())
    }
}

impl OutboxReader {
    /// Opens the outbox of the consumer `name` to take from it.
    pub fn open(directory: &Path, name: &'static str) -> Result<Self, StoreError> {
        Ok(Self { connection: open_consumers(directory)?, name })
    }

    /// The last record whose effects were taken.
    pub fn taken(&self) -> Result<u64, StoreError> {
        load_cursor(&self.connection, &self.taken_name()).map_err(|error| failed(&error))
    }

    /// The pages that have something after record `after`, oldest first, at most `limit`.
    pub fn read(&self, after: u64, limit: usize) -> Result<Vec<Page>, StoreError> {
        let read = || {
            let mut select = self
                .connection
                .prepare_cached("SELECT until, page FROM outbox WHERE name = ? AND until > ? ORDER BY until LIMIT ?")?;
            let (after, limit) = (i64::try_from(after).unwrap_or(i64::MAX), i64::try_from(limit).unwrap_or(i64::MAX));
            let pages = select.query_map(params![self.name, after, limit], |row| {
                Ok(Page { until: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0), bytes: row.get(1)? })
            })?;
            pages.collect::<Result<_, _>>()
        };
        read().map_err(|error: rusqlite::Error| failed(&error))
    }

    /// Everything up to record `until` was taken: pages that cover no later record are dropped.
    pub fn take(&mut self, until: u64) -> Result<(), StoreError> {
        let take = || {
            let transaction = self.connection.unchecked_transaction()?;
            transaction
                .prepare_cached("DELETE FROM outbox WHERE name = ? AND until <= ?")?
                .execute(params![self.name, i64::try_from(until).unwrap_or(i64::MAX)])?;
            save_cursor(&transaction, &self.taken_name(), until)?;
            transaction.commit()
        };
        take().map_err(|error| failed(&error))
    }

    fn taken_name(&self) -> String {
        format!("{} taken", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_is_read_until_it_is_taken() {
        let directory = tempfile::tempdir().expect("a directory");
        let page = |until, bytes: &[u8]| Page { until, bytes: bytes.to_vec() };
        let mut outbox = Outbox::open(directory.path(), "letters").expect("the outbox opens");
        outbox.append(3, b"one").expect("it is written");
        outbox.append(5, b"").expect("it is written");
        outbox.append(9, b"two").expect("it is written");
        drop(outbox);
        let cursor = Outbox::open(directory.path(), "letters").expect("it opens again").cursor();
        assert_eq!((cursor, Outbox::open(directory.path(), "other").expect("it opens").cursor()), (9, 0));

        let mut reader = OutboxReader::open(directory.path(), "letters").expect("the outbox opens");
        let read = |reader: &OutboxReader, after| reader.read(after, 10).expect("it is read");
        assert_eq!(read(&reader, 0), [page(3, b"one"), page(9, b"two")]);
        assert_eq!(read(&reader, 4), [page(9, b"two")]);
        reader.take(4).expect("it is taken");
        assert_eq!((reader.taken(), read(&reader, 0)), (Ok(4), vec![page(9, b"two")]));
        assert_eq!(read(&OutboxReader::open(directory.path(), "other").expect("it opens"), 0), []);
    }
}
