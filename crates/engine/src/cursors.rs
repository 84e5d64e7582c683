//! Cursors: how far each consumer is. They live in a file of their own, which may be deleted: everything comes again.

use crate::sqlite::open_consumers;
use crate::store::StoreError;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The file of the cursors in a data directory.
pub const CONSUMERS_FILE: &str = "consumers.sqlite";

/// Where consumers keep how far they are.
pub trait Cursors: Send {
    /// The last record that the consumer `name` has handled; 0 for none.
    fn load(&mut self, name: &str) -> Result<u64, StoreError>;
    /// Keeps it.
    fn save(&mut self, name: &str, n: u64) -> Result<(), StoreError>;
}

/// Cursors in memory; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct MemoryCursors(Arc<Mutex<BTreeMap<String, u64>>>);

impl Cursors for MemoryCursors {
    fn load(&mut self, name: &str) -> Result<u64, StoreError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied().unwrap_or(0))
    }

    fn save(&mut self, name: &str, n: u64) -> Result<(), StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), n);
        Ok(())
    }
}

/// Cursors in a file.
pub struct SqliteCursors {
    connection: Connection,
}

impl SqliteCursors {
    /// Opens the cursors of the data directory at `directory`, and makes them if they are not there.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let connection = open_consumers(directory)?;
        Ok(Self { connection })
    }
}

impl Cursors for SqliteCursors {
    fn load(&mut self, name: &str) -> Result<u64, StoreError> {
        load_cursor(&self.connection, name).map_err(|error| failed(&error))
    }

    fn save(&mut self, name: &str, n: u64) -> Result<(), StoreError> {
        save_cursor(&self.connection, name, n).map_err(|error| failed(&error))
    }
}

/// The last record that the consumer `name` has handled; 0 for none.
pub(crate) fn load_cursor(connection: &Connection, name: &str) -> rusqlite::Result<u64> {
    let mut select = connection.prepare_cached("SELECT n FROM cursor WHERE name = ?")?;
    let n = select.query_row([name], |row| row.get::<_, i64>(0)).optional()?;
    Ok(n.map_or(0, |n| u64::try_from(n).unwrap_or(0)))
}

/// Keeps it.
pub(crate) fn save_cursor(connection: &Connection, name: &str, n: u64) -> rusqlite::Result<()> {
    let n = i64::try_from(n).unwrap_or(i64::MAX);
    let upsert = "INSERT INTO cursor (name, n) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET n = excluded.n";
    connection.prepare_cached(upsert)?.execute(params![name, n]).map(drop)
}

pub(crate) fn failed(error: &rusqlite::Error) -> StoreError {
    StoreError::Unavailable(format!("the cursors in {CONSUMERS_FILE} (it may be deleted): {error}"))
}
