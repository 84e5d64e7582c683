//! Doors: what the service keeps that is not money. Who may come in, and what is under way with the outside.
//!
//! Credentials, sessions, codes, challenges, links, addresses to write to: each is a small [`Door`] in a table of its noun,
//! its body readable JSON, beside it whose it is and when it ends or is due. No amount is ever decided here, and nothing
//! here is needed to know who has how much. Personal data comes in sealed, secrets come in as keyed hashes.
//! A second file of the same shape holds work that can be made again from the journal.
//!
//! Everything here is called on the runtime's own threads, without a thread beside them: a read of one row by its key takes some
//! microseconds, a list is bounded by [`DOORS_LISTED_MAX`], and a write is one small transaction whose sync takes what the disk
//! takes. Payments write nothing here, and read only what memory does not have.
//! The files are held by this process alone while the service runs: what would be asked of the system before and after each look,
//! whether somebody else writes, is asked once. [`Doors::let_go`] ends that.
//! Start reading at [`Door`], then [`Doors::change`].

use domain::{Id, Time};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
#[cfg(any(test, feature = "fuzzing"))]
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a statement waits for another program that reads the file.
const BUSY_MS_MAX: u64 = 2_000;
/// The version of the files' form. Tables are made where they are not there, so it grows only where an older program would
/// misread what a newer one has written; a file that says nothing is of the first one.
const VERSION: u32 = 1;
/// The most that one list gives.
pub const DOORS_LISTED_MAX: usize = 1_000;
/// The most that is counted: whoever looks at figures makes nobody wait for more than that.
pub const DOORS_COUNTED_MAX: u64 = 10_000;

/// One thing that is kept: a session, a code, a link.
pub trait Door: Serialize + DeserializeOwned {
    /// The noun, and the table.
    const TABLE: &'static str;

    /// Its id in the table.
    fn id(&self) -> Id;

    /// Whose it is, where it is listed by that.
    fn owner(&self) -> Option<Id> {
        None
    }

    /// When it ends, or when something is due with it.
    fn at(&self) -> Option<Time> {
        None
    }
}

/// What must hold for any bytes of a row.
#[cfg(any(test, feature = "fuzzing"))]
type Check = fn(&[u8]) -> bool;

/// The file.
pub struct Doors {
    connection: Mutex<Connection>,
    /// What must hold for the rows of each table, for the tests and the fuzz targets.
    #[cfg(any(test, feature = "fuzzing"))]
    checks: Mutex<BTreeMap<&'static str, Check>>,
}

/// The file inside of one transaction.
pub struct Transaction<'a>(&'a Connection);

/// Why the file could not be used: for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorsError(pub String);

impl fmt::Display for DoorsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the service's own file cannot be used: {}", self.0)
    }
}

impl std::error::Error for DoorsError {}

impl From<rusqlite::Error> for DoorsError {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<serde_json::Error> for DoorsError {
    fn from(error: serde_json::Error) -> Self {
        // The words of the parser may quote what it read.
        Self(format!("a row cannot be read at column {}", error.column()))
    }
}

/// How soon a write must be safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Safety {
    /// With its commit: nobody else has it.
    Durable,
    /// Some time later: it can be made again.
    Rebuildable,
}

/// Any bytes of a row are refused, or are a row that stays the same when it is kept and read again; whether they were understood.
#[cfg(any(test, feature = "fuzzing"))]
fn check_body<T: Door>(body: &[u8]) -> bool {
    let Ok(door) = serde_json::from_slice::<T>(body) else { return false };
    let kept = serde_json::to_string(&door).expect("what was read can be kept");
    let again: T = serde_json::from_str(&kept).expect("what was kept is read");
    assert_eq!(serde_json::to_string(&again).expect("it can be kept"), kept, "a row stays the same");
    let place = |door: &T| (door.id(), door.owner(), door.at());
    assert_eq!(place(&again), place(&door), "a row stays in its place");
    true
}

#[cfg(any(test, feature = "fuzzing"))]
impl Doors {
    /// The names of the tables that were prepared.
    pub fn tables(&self) -> Vec<&'static str> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// The body of each row of `table`.
    #[cfg(test)]
    pub fn bodies(&self, table: &str) -> Result<Vec<String>, DoorsError> {
        let connection = self.connection();
        let mut select = connection.prepare(&format!("SELECT body FROM {table}"))?;
        let rows = select.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What must hold for any bytes of a row of `table`; whether they were understood.
    pub fn check_row(&self, table: &str, body: &[u8]) -> bool {
        let check = self.checks.lock().unwrap_or_else(PoisonError::into_inner).get(table).copied();
        check.is_some_and(|check| check(body))
    }
}

impl Doors {
    /// Opens the file at `path`, and makes it if it is not there.
    pub fn open(path: &Path, safety: Safety) -> Result<Self, DoorsError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_millis(BUSY_MS_MAX))?;
        // Statistics are never gathered, so what is due "until now" need not be planned anew for each moment.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version > VERSION {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            return Err(DoorsError(format!(
                "{file} has version {version}, and this program knows those up to {VERSION}: start the newer program that wrote it, \
                 or put back the backup that was made before it"
            )));
        }
        let synchronous = match safety {
            Safety::Durable => "FULL",
            Safety::Rebuildable => "NORMAL",
        };
        connection.execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA secure_delete = ON;"
        ))?;
        if version < VERSION {
            connection.pragma_update(None, "user_version", VERSION)?;
        }
        // The lock is taken with the first transaction, so that a second program is refused here and not later.
        connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; COMMIT;")?;
        connection.set_prepared_statement_cache_capacity(128);
        Ok(Self {
            connection: Mutex::new(connection),
            #[cfg(any(test, feature = "fuzzing"))]
            checks: Mutex::default(),
        })
    }

    /// Closes the file: the service has stopped, and may be opened again in this process before everything that still knows it
    /// is gone. Whoever asks afterwards finds an empty file without tables, and is refused.
    pub fn let_go(&self) -> Result<(), DoorsError> {
        let held = std::mem::replace(&mut *self.connection(), Connection::open_in_memory()?);
        held.close().map_err(|(_, error)| error.into())
    }

    /// Makes the table of `T` if it is not there.
    pub fn prepare<T: Door>(&self) -> Result<(), DoorsError> {
        let table = T::TABLE;
        assert!(table.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "a table is named by a noun");
        self.connection().execute_batch(&format!(
            "CREATE TABLE IF NOT EXISTS {table} (id BLOB PRIMARY KEY, owner BLOB, at INTEGER, body TEXT NOT NULL) STRICT;
             CREATE INDEX IF NOT EXISTS {table}_owner ON {table} (owner, id) WHERE owner IS NOT NULL;
             CREATE INDEX IF NOT EXISTS {table}_at ON {table} (at) WHERE at IS NOT NULL;"
        ))?;
        #[cfg(any(test, feature = "fuzzing"))]
        self.checks.lock().unwrap_or_else(PoisonError::into_inner).insert(table, check_body::<T>);
        Ok(())
    }

    /// Runs `change` as one transaction: all of it is kept, or none.
    pub fn change<R, E: From<DoorsError>>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let mut connection = self.connection();
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(DoorsError::from)?;
        let result = change(&Transaction(&transaction))?;
        transaction.commit().map_err(DoorsError::from)?;
        Ok(result)
    }

    /// The `T` with `id`.
    pub fn get<T: Door>(&self, id: Id) -> Result<Option<T>, DoorsError> {
        Transaction(&self.connection()).get(id)
    }

    /// Keeps `door`, in place of the one with its id.
    pub fn put<T: Door>(&self, door: &T) -> Result<(), DoorsError> {
        self.change(|transaction| transaction.put(door))
    }

    /// Keeps `door` unless there is one with its id. Whether it is kept now.
    pub fn insert<T: Door>(&self, door: &T) -> Result<bool, DoorsError> {
        self.change(|transaction| transaction.insert(door))
    }

    /// Removes the `T` with `id`. Whether there was one.
    pub fn remove<T: Door>(&self, id: Id) -> Result<bool, DoorsError> {
        self.change(|transaction| transaction.remove::<T>(id))
    }

    /// What is `owner`'s, by id: newest last, where ids are ordered by time.
    pub fn of<T: Door>(&self, owner: Id) -> Result<Vec<T>, DoorsError> {
        Transaction(&self.connection()).of(owner)
    }

    /// What is `owner`'s, by id from the largest down, below `before`: at most `limit`, and where it goes on.
    pub fn newest<T: Door>(
        &self,
        owner: Id,
        before: Option<Id>,
        limit: usize,
    ) -> Result<(Vec<T>, Option<Id>), DoorsError> {
        let sql = format!("SELECT body FROM {} WHERE owner = ? AND id < ? ORDER BY id DESC LIMIT ?", T::TABLE);
        let connection = self.connection();
        let mut select = connection.prepare_cached(&sql)?;
        let (before, limit) = (before.unwrap_or(Id([0xff; 16])), limit.min(DOORS_LISTED_MAX));
        let asked = i64::try_from(limit + 1).unwrap_or(0);
        let rows = select.query_map(params![owner.0, before.0, asked], |row| row.get::<_, String>(0))?;
        let mut found: Vec<T> = rows.map(|row| Ok(serde_json::from_str(&row?)?)).collect::<Result<_, DoorsError>>()?;
        let goes_on = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| goes_on).map(Door::id);
        Ok((found, next))
    }

    /// All, by id, after the one with the id `after`.
    pub fn all<T: Door>(&self, after: Id, limit: usize) -> Result<Vec<T>, DoorsError> {
        let sql = format!("SELECT body FROM {} WHERE id > ? ORDER BY id LIMIT ?", T::TABLE);
        let connection = self.connection();
        let mut select = connection.prepare_cached(&sql)?;
        let limit = i64::try_from(limit.min(DOORS_LISTED_MAX)).unwrap_or(0);
        let rows = select.query_map(params![after.0, limit], |row| row.get::<_, String>(0))?;
        rows.map(|row| Ok(serde_json::from_str(&row?)?)).collect()
    }

    /// What is due at `now`, the longest due first.
    pub fn due<T: Door>(&self, now: Time, limit: usize) -> Result<Vec<T>, DoorsError> {
        Transaction(&self.connection()).due(now, limit)
    }

    /// When the next `T` is due.
    pub fn next<T: Door>(&self) -> Result<Option<Time>, DoorsError> {
        // Without the condition the index, which has no other rows, would not do, and the whole table were read.
        let sql = format!("SELECT min(at) FROM {} WHERE at IS NOT NULL", T::TABLE);
        let connection = self.connection();
        let at: Option<i64> = connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))?;
        Ok(at.map(Time::from_milliseconds))
    }

    /// When the next `T` of `owner`'s is due.
    pub fn next_of<T: Door>(&self, owner: Id) -> Result<Option<Time>, DoorsError> {
        let sql = format!("SELECT min(at) FROM {} WHERE owner = ? AND at IS NOT NULL", T::TABLE);
        let at: Option<i64> = self.connection().prepare_cached(&sql)?.query_row([owner.0], |row| row.get(0))?;
        Ok(at.map(Time::from_milliseconds))
    }

    /// Drops what ended before `before`, the longest ended first and at most `limit`: nobody waits for more than that many.
    pub fn drop_ended<T: Door>(&self, before: Time, limit: usize) -> Result<usize, DoorsError> {
        let table = T::TABLE;
        let sql =
            format!("DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE at < ? ORDER BY at LIMIT ?)");
        let limit = i64::try_from(limit.min(DOORS_LISTED_MAX)).unwrap_or(0);
        Ok(self.connection().prepare_cached(&sql)?.execute(params![before.milliseconds(), limit])?)
    }

    /// Makes `T` readable by owner and time together: [`Self::owners`], [`Self::due_of`].
    pub fn prepare_lanes<T: Door>(&self) -> Result<(), DoorsError> {
        let table = T::TABLE;
        self.connection().execute_batch(&format!(
            "CREATE INDEX IF NOT EXISTS {table}_owner_at ON {table} (owner, at, id) WHERE owner IS NOT NULL;"
        ))?;
        Ok(())
    }

    /// Everybody whose something is, each once, and when the first of it is due.
    pub fn owners<T: Door>(&self) -> Result<Vec<(Id, Time)>, DoorsError> {
        let sql = format!("SELECT owner, at FROM {} WHERE owner > ? ORDER BY owner, at LIMIT 1", T::TABLE);
        let connection = self.connection();
        let mut select = connection.prepare_cached(&sql)?;
        let mut owners: Vec<(Id, Time)> = Vec::new();
        let mut after: Option<[u8; 16]> = None;
        loop {
            let found = select
                .query_row([after.as_ref().map_or(&[][..], |id| &id[..])], |row| {
                    Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, Option<i64>>(1)?))
                })
                .optional()?;
            let Some((owner, at)) = found else { return Ok(owners) };
            owners.extend(at.map(|at| (Id(owner), Time::from_milliseconds(at))));
            after = Some(owner);
        }
    }

    /// What is `owner`'s and due at `now`, the longest due first.
    pub fn due_of<T: Door>(&self, owner: Id, now: Time, limit: usize) -> Result<Vec<T>, DoorsError> {
        let sql = format!("SELECT body FROM {} WHERE owner = ? AND at <= ? ORDER BY at, id LIMIT ?", T::TABLE);
        let connection = self.connection();
        let mut select = connection.prepare_cached(&sql)?;
        let limit = i64::try_from(limit.min(DOORS_LISTED_MAX)).unwrap_or(0);
        let rows = select.query_map(params![owner.0, now.milliseconds(), limit], |row| row.get::<_, String>(0))?;
        rows.map(|row| Ok(serde_json::from_str(&row?)?)).collect()
    }

    /// How many there are; [`DOORS_COUNTED_MAX`] where there are more.
    pub fn count<T: Door>(&self) -> Result<u64, DoorsError> {
        let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {} LIMIT {DOORS_COUNTED_MAX})", T::TABLE);
        let count: i64 = self.connection().prepare_cached(&sql)?.query_row([], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // Whoever panicked inside of a transaction left it rolled back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transaction<'_> {
    /// The `T` with `id`.
    pub fn get<T: Door>(&self, id: Id) -> Result<Option<T>, DoorsError> {
        let sql = format!("SELECT body FROM {} WHERE id = ?", T::TABLE);
        let body: Option<String> = self.0.prepare_cached(&sql)?.query_row([id.0], |row| row.get(0)).optional()?;
        Ok(body.map(|body| serde_json::from_str(&body)).transpose()?)
    }

    /// What is `owner`'s, by id.
    pub fn of<T: Door>(&self, owner: Id) -> Result<Vec<T>, DoorsError> {
        let sql = format!("SELECT body FROM {} WHERE owner = ? ORDER BY id LIMIT {DOORS_LISTED_MAX}", T::TABLE);
        let mut select = self.0.prepare_cached(&sql)?;
        let rows = select.query_map([owner.0], |row| row.get::<_, String>(0))?;
        rows.map(|row| Ok(serde_json::from_str(&row?)?)).collect()
    }

    /// What is due at `now`, the longest due first.
    pub fn due<T: Door>(&self, now: Time, limit: usize) -> Result<Vec<T>, DoorsError> {
        let sql = format!("SELECT body FROM {} WHERE at <= ? ORDER BY at, id LIMIT ?", T::TABLE);
        let mut select = self.0.prepare_cached(&sql)?;
        let limit = i64::try_from(limit.min(DOORS_LISTED_MAX)).unwrap_or(0);
        let rows = select.query_map(params![now.milliseconds(), limit], |row| row.get::<_, String>(0))?;
        rows.map(|row| Ok(serde_json::from_str(&row?)?)).collect()
    }

    /// Keeps `door`, in place of the one with its id.
    pub fn put<T: Door>(&self, door: &T) -> Result<(), DoorsError> {
        // The row stays where it is in the file, and so does its place in the index of ids.
        self.write(door, "UPDATE SET owner = excluded.owner, at = excluded.at, body = excluded.body").map(drop)
    }

    /// Keeps `door` unless there is one with its id. Whether it is kept now.
    pub fn insert<T: Door>(&self, door: &T) -> Result<bool, DoorsError> {
        self.write(door, "NOTHING")
    }

    /// Keeps `door`; where there is one with its id, does `otherwise`. Whether anything was written.
    fn write<T: Door>(&self, door: &T, otherwise: &str) -> Result<bool, DoorsError> {
        let sql = format!(
            "INSERT INTO {} (id, owner, at, body) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO {otherwise}",
            T::TABLE
        );
        let (owner, at) = (door.owner().map(|owner| owner.0), door.at().map(Time::milliseconds));
        let body = serde_json::to_string(door)?;
        Ok(self.0.prepare_cached(&sql)?.execute(params![door.id().0, owner, at, body])? > 0)
    }

    /// Removes the `T` with `id`. Whether there was one.
    pub fn remove<T: Door>(&self, id: Id) -> Result<bool, DoorsError> {
        let sql = format!("DELETE FROM {} WHERE id = ?", T::TABLE);
        Ok(self.0.prepare_cached(&sql)?.execute([id.0])? > 0)
    }

    /// Removes every `T` of `owner`'s but the one with the id `kept`. Their ids.
    pub fn remove_of<T: Door>(&self, owner: Id, kept: Option<Id>) -> Result<Vec<Id>, DoorsError> {
        let sql = format!("DELETE FROM {} WHERE owner = ? AND id IS NOT ? RETURNING id", T::TABLE);
        let mut delete = self.0.prepare_cached(&sql)?;
        let rows = delete.query_map(params![owner.0, kept.map(|kept| kept.0)], |row| row.get(0))?;
        rows.map(|row| Ok(Id(row?))).collect()
    }

    /// Removes every `T`.
    pub fn clear<T: Door>(&self) -> Result<(), DoorsError> {
        self.0.execute(&format!("DELETE FROM {}", T::TABLE), [])?;
        Ok(())
    }

    /// Removes the `T` with `id`, and gives it: who takes a single-use thing has it alone.
    pub fn take<T: Door>(&self, id: Id) -> Result<Option<T>, DoorsError> {
        let door = self.get(id)?;
        self.remove::<T>(id)?;
        Ok(door)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Key {
        id: Id,
        owner: Id,
        ends: Time,
    }

    impl Door for Key {
        const TABLE: &'static str = "key";

        fn id(&self) -> Id {
            self.id
        }

        fn owner(&self) -> Option<Id> {
            Some(self.owner)
        }

        fn at(&self) -> Option<Time> {
            Some(self.ends)
        }
    }

    fn key(id: u128, owner: u128, ends: i64) -> Key {
        Key { id: Id::from_number(id), owner: Id::from_number(owner), ends: Time::from_milliseconds(ends) }
    }

    fn open(directory: &Path) -> Doors {
        let doors = Doors::open(&directory.join("doors.sqlite"), Safety::Durable).expect("the file opens");
        doors.prepare::<Key>().expect("the table is made");
        doors
    }

    #[test]
    fn what_is_kept_is_found_by_id_by_owner_and_by_time() {
        let directory = tempfile::tempdir().expect("a directory");
        let doors = open(directory.path());
        for door in [key(1, 7, 100), key(2, 8, 50), key(3, 7, 200)] {
            assert_eq!(doors.insert(&door), Ok(true));
        }
        assert_eq!(doors.insert(&key(1, 9, 1)), Ok(false), "an id is taken once");
        drop(doors);
        let doors = open(directory.path());
        assert_eq!(doors.get(Id::from_number(1)), Ok(Some(key(1, 7, 100))));
        assert_eq!(doors.of(Id::from_number(7)), Ok(vec![key(1, 7, 100), key(3, 7, 200)]));
        assert_eq!(doors.due(Time::from_milliseconds(100), 9), Ok(vec![key(2, 8, 50), key(1, 7, 100)]));
        assert_eq!(doors.next::<Key>(), Ok(Some(Time::from_milliseconds(50))));
        doors.prepare_lanes::<Key>().expect("the index is made");
        let first = |owner: u128, at| (Id::from_number(owner), Time::from_milliseconds(at));
        assert_eq!(doors.owners::<Key>(), Ok(vec![first(7, 100), first(8, 50)]));
        let due = doors.due_of(Id::from_number(7), Time::from_milliseconds(150), 9);
        assert_eq!(due, Ok(vec![key(1, 7, 100)]), "of that owner, and due");
        assert_eq!(doors.next_of::<Key>(Id::from_number(7)), Ok(Some(Time::from_milliseconds(100))));
        assert_eq!(doors.next_of::<Key>(Id::from_number(9)), Ok(None));
        doors.put(&key(2, 8, 300)).expect("it is kept");
        assert_eq!(doors.drop_ended::<Key>(Time::from_milliseconds(200), 9), Ok(1));
        assert_eq!(doors.all::<Key>(Id::default(), 9), Ok(vec![key(2, 8, 300), key(3, 7, 200)]));
        assert_eq!(doors.drop_ended::<Key>(Time::from_milliseconds(400), 1), Ok(1), "no more than is asked for");
        assert_eq!(doors.all::<Key>(Id::default(), 9), Ok(vec![key(2, 8, 300)]), "the longest ended first");
    }

    #[test]
    fn a_file_is_held_by_one_until_it_lets_go() {
        let directory = tempfile::tempdir().expect("a directory");
        let doors = open(directory.path());
        doors.put(&key(1, 7, 100)).expect("it is kept");
        let other = Connection::open(directory.path().join("doors.sqlite")).expect("a connection needs no lock yet");
        let count = || other.query_row("SELECT count(*) FROM key", [], |row| row.get::<_, i64>(0));
        other.busy_timeout(Duration::ZERO).expect("it waits for nobody");
        assert!(count().is_err(), "it is ours alone");
        doors.let_go().expect("the lock goes");
        assert_eq!(count(), Ok(1));
        doors.put(&key(2, 7, 100)).expect_err("whoever still knows it is refused");
        assert_eq!(count(), Ok(1));
    }

    #[test]
    fn all_that_is_somebodys_is_removed_however_much_it_is() {
        let directory = tempfile::tempdir().expect("a directory");
        let doors = open(directory.path());
        let many = 2 * u128::try_from(DOORS_LISTED_MAX).expect("a number");
        let put = |doors: &Transaction<'_>| (1..=many).try_for_each(|number| doors.put(&key(number, 7, 1)));
        doors.change(put).expect("they are kept");
        doors.put(&key(many + 1, 8, 1)).expect("it is kept");
        let kept = Id::from_number(5);
        let removed = doors.change(|doors| doors.remove_of::<Key>(Id::from_number(7), Some(kept)));
        assert_eq!(removed.map(|removed| removed.len()), Ok(2 * DOORS_LISTED_MAX - 1));
        assert_eq!(doors.of(Id::from_number(7)), Ok(vec![key(5, 7, 1)]));
        let removed = doors.change(|doors| doors.remove_of::<Key>(Id::from_number(7), None));
        assert_eq!((removed, doors.count::<Key>()), (Ok(vec![kept]), Ok(1)));
        let many = u128::from(DOORS_COUNTED_MAX) + 9;
        let put = |doors: &Transaction<'_>| (1..=many).try_for_each(|number| doors.put(&key(number, 7, 1)));
        doors.change(put).expect("they are kept");
        assert_eq!(doors.count::<Key>(), Ok(DOORS_COUNTED_MAX), "no more are counted");
    }

    #[test]
    fn a_transaction_that_fails_keeps_nothing_and_a_thing_is_taken_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let doors = open(directory.path());
        let failed: Result<(), DoorsError> = doors.change(|transaction| {
            transaction.put(&key(1, 1, 1))?;
            Err(DoorsError("on purpose".into()))
        });
        assert!(failed.is_err());
        assert_eq!(doors.get::<Key>(Id::from_number(1)), Ok(None));
        doors.put(&key(1, 1, 1)).expect("it is kept");
        let take = || doors.change(|transaction| transaction.take::<Key>(Id::from_number(1)));
        assert_eq!((take(), take()), (Ok(Some(key(1, 1, 1))), Ok(None)));
    }
}
