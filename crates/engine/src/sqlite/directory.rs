//! The data directory: who holds it, and whether its files may be opened at all.
//!
//! Everything here happens before SQLite sees a file, so that a directory that is refused has not been written to.
//! Start reading at [`Directory::open`].

use crate::canary;
use crate::cursors::CONSUMERS_FILE;
use crate::store::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, File, TryLockError};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The journal's file: the truth.
pub(crate) const JOURNAL_FILE: &str = "journal.sqlite";
/// The rows' file: rebuilt from the journal when it is missing.
pub(crate) const STATE_FILE: &str = "state.sqlite";
const LOCK_FILE: &str = "LOCK";
/// "Knch": says that a file is ours.
const APPLICATION_ID: u32 = 0x4b6e_6368;
/// How long a statement waits for another program's lock.
const BUSY_MILLISECONDS_MAX: u64 = 2_000;
/// Statements that a connection keeps ready: more than one of each that there is.
const STATEMENTS_READY_MAX: usize = 256;

/// The page size of both files: fewer, larger pages cost the fewest writes (measured, see the decision record).
const PAGE_BYTES: u32 = 8_192;

/// A log that starts anew keeps this much of its file: a little more than it has when it does, since a commit that makes the
/// file longer costs a second sync. The rest would lie cold until the log is as long again.
const LOG_KEPT_BYTES_MAX: u32 = 144 << 20;

/// One file's migrations, oldest first; the file's version is how many were applied.
pub(crate) struct Migrations {
    pub(crate) file: &'static str,
    steps: &'static [&'static str],
}

/// The journal's migrations.
pub(super) const JOURNAL: Migrations = Migrations {
    file: JOURNAL_FILE,
    steps: &[include_str!("../../migrations/journal/0001.sql"), include_str!("../../migrations/journal/0002.sql")],
};
/// The state's migrations. The domain's own tables are made from its table list.
pub(crate) const STATE: Migrations =
    Migrations { file: STATE_FILE, steps: &[include_str!("../../migrations/state/0001.sql")] };

/// The vault's migrations.
pub(crate) const VAULT: Migrations = Migrations {
    file: "vault.sqlite",
    steps: &[include_str!("../../migrations/vault/0001.sql"), include_str!("../../migrations/vault/0002.sql")],
};

/// The migrations of the consumers' file.
const CONSUMERS: Migrations = Migrations {
    file: CONSUMERS_FILE,
    steps: &[include_str!("../../migrations/consumers/0001.sql"), include_str!("../../migrations/consumers/0002.sql")],
};

/// A data directory, held by this process alone until dropped.
pub(super) struct Directory {
    path: PathBuf,
    lock: File,
}

impl Drop for Directory {
    /// Lets go by name: closing would leave the lock to any process that is being started just now, which holds a copy of
    /// every open file until its program runs.
    fn drop(&mut self) {
        // What could fail here is closing, which lets go too.
        drop(self.lock.unlock());
    }
}

impl Directory {
    /// Makes or takes the directory at `path`.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let refuse = |what: &str, error: &dyn std::fmt::Display| {
            StoreError::Unavailable(format!(
                "{what} {}: {error}; see that whoever runs this may write there, or name another directory",
                path.display()
            ))
        };
        make_directory(path).map_err(|error| refuse("cannot make the data directory", &error))?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK_FILE))
            .map_err(|error| refuse("cannot write to the data directory", &error))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::Fenced(format!(
                "another process holds {}; stop it first, or name another data directory",
                path.display()
            )),
            TryLockError::Error(error) => refuse("cannot lock the data directory", &error),
        })?;
        let directory = Self { path: path.to_owned(), lock };
        check_file(path, &JOURNAL)?;
        check_file(path, &STATE)?;
        directory.check_journal_is_there()?;
        Ok(directory)
    }

    /// Refuses a state without its journal: a new journal would be made for it, and stand in the way of the right one.
    fn check_journal_is_there(&self) -> Result<(), StoreError> {
        let (journal, state) = (self.file(JOURNAL_FILE), self.file(STATE_FILE));
        if read_header(&journal)?.is_some() || check_header(&state, &STATE)?.is_none() {
            return Ok(());
        }
        let failed = |error| super::error::classify("reading the state", &error);
        let progress = open_for_read(&state).and_then(|state| super::rows::read_progress(&state)).map_err(failed)?;
        match progress {
            Some((_, watermark, requests_until)) if watermark.max(requests_until) > 0 => {
                Err(StoreError::Damaged(format!(
                    "{} is missing, the state has seen record {}: put the journal back from a backup",
                    journal.display(),
                    watermark.max(requests_until)
                )))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Where a file of this directory lies.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes the names of the files durable: a file whose content was synced is lost all the same if its name is.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        sync_directory(&self.path)
            .map_err(|error| StoreError::Unavailable(format!("cannot make {} durable: {error}", self.path.display())))
    }

    /// Removes a file that can be rebuilt, with what SQLite keeps beside it.
    pub(super) fn remove(&self, name: &str) -> Result<(), StoreError> {
        for suffix in ["", "-wal", "-shm"] {
            match fs::remove_file(self.path.join(format!("{name}{suffix}"))) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StoreError::Unavailable(format!("cannot remove {name}{suffix}: {error}")));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}

/// Makes the directory at `path`, and the names on the way to it durable.
fn make_directory(path: &Path) -> std::io::Result<()> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|made| !made.as_os_str().is_empty() && !made.exists()).collect();
    fs::create_dir_all(path)?;
    for made in missing {
        let parent = made.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync_directory(parent.unwrap_or(Path::new(".")))?;
    }
    Ok(())
}

fn sync_directory(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

/// What the first bytes of a database file say.
pub(crate) struct Header {
    pages: u32,
    page_bytes: u64,
    version: u32,
    application: u32,
}

/// Refuses a file that is no database, is cut short, or comes from a newer program: by its raw bytes, without a write.
fn check_file(directory: &Path, migrations: &Migrations) -> Result<(), StoreError> {
    let path = directory.join(migrations.file);
    let Some(header) = check_header(&path, migrations)? else { return Ok(()) };
    let length = fs::metadata(&path).map_or(0, |metadata| metadata.len());
    // What stands in a log or, of a first start that was cut off, in a rollback journal is SQLite's to put right.
    let is_beside = |suffix| {
        let beside = fs::metadata(directory.join(format!("{}{suffix}", migrations.file)));
        beside.is_ok_and(|metadata| metadata.len() > 0)
    };
    let is_whole = length >= u64::from(header.pages) * header.page_bytes;
    if !is_whole && !["-wal", "-journal"].into_iter().any(is_beside) {
        return Err(StoreError::Damaged(format!(
            "{} is cut short: it has {length} bytes of {}; restore it from a backup{}",
            path.display(),
            u64::from(header.pages) * header.page_bytes,
            if migrations.file == STATE_FILE { ", or delete it: it is rebuilt from the journal" } else { "" }
        )));
    }
    Ok(())
}

/// Refuses a file that is no database of ours or comes from a newer program; a file with nothing in it yet is `None`.
pub(crate) fn check_header(path: &Path, migrations: &Migrations) -> Result<Option<Header>, StoreError> {
    let Some(header) = read_header(path)? else { return Ok(None) };
    if header.application == 0 && header.version == 0 && header.pages <= 1 {
        // A database without a table: a first start that was cut off before its tables were in the file itself.
        return Ok(None);
    }
    if header.application != APPLICATION_ID {
        return Err(StoreError::Damaged(format!(
            "{} is a database of another program; name another data directory",
            path.display()
        )));
    }
    check_version(migrations, header.version)?;
    Ok(Some(header))
}

fn check_version(migrations: &Migrations, version: u32) -> Result<(), StoreError> {
    let known = u32::try_from(migrations.steps.len()).unwrap_or(u32::MAX);
    if version > known {
        return Err(StoreError::Version(format!(
            "{} has version {version}, this program knows up to {known}; run the newer program, nothing was written",
            migrations.file
        )));
    }
    Ok(())
}

fn read_header(path: &Path) -> Result<Option<Header>, StoreError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::Unavailable(format!("cannot read {}: {error}", path.display()))),
    };
    let mut bytes = [0_u8; 100];
    let mut length = 0;
    while length < bytes.len() {
        match file.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) => return Err(StoreError::Unavailable(format!("cannot read {}: {error}", path.display()))),
        }
    }
    if bytes[..length].iter().all(|byte| *byte == 0) {
        // Made, and never written: a first start that was cut off. SQLite knows whether it is more than that.
        return Ok(None);
    }
    if length < bytes.len() || &bytes[..16] != b"SQLite format 3\0" {
        return Err(StoreError::Damaged(format!(
            "{} is not a database; restore it from a backup. A ruined {STATE_FILE} or {CONSUMERS_FILE} may be deleted instead: it is made \
             anew from the journal",
            path.display()
        )));
    }
    let number = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let page = u64::from(u16::from_be_bytes([bytes[16], bytes[17]]));
    Ok(Some(Header {
        pages: number(28),
        page_bytes: if page == 1 { 65_536 } else { page },
        version: number(60),
        application: number(68),
    }))
}

/// Opens a file for writing, and brings it to this program's version. A log that stands beside it stays as it is until
/// [`accept`]: whatever is found wrong before then has been written by nobody.
pub(super) fn open_for_write(
    path: &Path,
    migrations: &Migrations,
    synchronous: &str,
    cache_kibibytes: i32,
) -> Result<Connection, StoreError> {
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
        .and_then(|connection| {
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            connection.pragma_update(None, "page_size", PAGE_BYTES)?;
            connection.pragma_update(None, "journal_mode", "wal")?;
            let synchronous = if canary::active("synchronous_off") { "OFF" } else { synchronous };
            connection.pragma_update(None, "synchronous", synchronous)?;
            connection.pragma_update(None, "wal_autocheckpoint", 0)?;
            connection.pragma_update(None, "journal_size_limit", LOG_KEPT_BYTES_MAX)?;
            connection.pragma_update(None, "cache_size", -cache_kibibytes)?;
            Ok(connection)
        })
        .map_err(|error| super::error::classify(&format!("opening {}", path.display()), &error))?;
    migrate(&mut connection, migrations)?;
    Ok(connection)
}

/// The directory is taken: from here on the last connection of a file that closes moves its log into the file.
pub(super) fn accept(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map(|_| ())
}

/// Opens the vault's file as it is; [`migrate_vault`] follows. No log is kept beside it, where a key could outlive its
/// erasure, and what is deleted is overwritten.
pub(crate) fn open_vault(path: &Path) -> Result<Connection, StoreError> {
    check_file(path.parent().unwrap_or(Path::new(".")), &VAULT)?;
    connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
        .and_then(|connection| {
            connection.pragma_update(None, "journal_mode", "delete")?;
            connection.pragma_update(None, "secure_delete", true)?;
            connection.pragma_update(None, "synchronous", "EXTRA")?;
            Ok(connection)
        })
        .map_err(|error| super::error::classify(&format!("opening {}", path.display()), &error))
}

/// Brings the vault's file to this program's version.
pub(crate) fn migrate_vault(connection: &mut Connection) -> Result<(), StoreError> {
    migrate(connection, &VAULT)
}

/// Opens the consumers' file in `directory`, and brings it to this program's version. Several may have it open.
pub(crate) fn open_consumers(directory: &Path) -> Result<Connection, StoreError> {
    let path = directory.join(CONSUMERS.file);
    check_header(&path, &CONSUMERS)?;
    let mut connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
        .and_then(|connection| {
            connection.pragma_update(None, "journal_mode", "wal")?;
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            Ok(connection)
        })
        .map_err(|error| super::error::classify(&format!("opening {}", path.display()), &error))?;
    migrate(&mut connection, &CONSUMERS)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection, migrations: &Migrations) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| super::error::classify(&format!("migrating {}", migrations.file), &error);
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
    check_version(migrations, version)?;
    let applied = usize::try_from(version).unwrap_or(usize::MAX);
    if applied == migrations.steps.len() {
        return Ok(());
    }
    let transaction = connection.transaction().map_err(failed)?;
    for step in migrations.steps.iter().skip(applied) {
        transaction.execute_batch(step).map_err(failed)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    transaction
        .pragma_update(None, "user_version", i64::try_from(migrations.steps.len()).unwrap_or(i64::MAX))
        .map_err(failed)?;
    transaction.commit().map_err(failed)?;
    // The version must stand in the file itself, where an older program looks before it opens anything.
    checkpoint(connection, "TRUNCATE").map_err(failed)?;
    Ok(())
}

/// Opens a file for reading alone.
pub(crate) fn open_for_read(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::from_millis(BUSY_MILLISECONDS_MAX))?;
    // Statistics are never gathered, so a bound value says nothing to the planner: without this, SQLite plans a range anew
    // for each value it is given.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_READY_MAX);
    Ok(connection)
}

/// What a checkpoint left behind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checkpointed {
    /// Pages in the write-ahead log.
    pub(super) log_pages: u64,
    /// How many of them are in the database file.
    pub(super) done_pages: u64,
}

impl Checkpointed {
    /// Whether the log has nothing that the file lacks.
    pub(super) fn is_whole(self) -> bool {
        self.log_pages == self.done_pages
    }
}

/// Moves the log's pages to the database file: as `PASSIVE`, `RESTART` or `TRUNCATE`.
pub(super) fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<Checkpointed> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        let pages = |value: i64| u64::try_from(value).unwrap_or(0);
        Ok(Checkpointed { log_pages: pages(row.get(1)?), done_pages: pages(row.get(2)?) })
    })
}

/// Bytes of a page in the log, with its header.
pub(super) const LOG_PAGE_BYTES: u64 = PAGE_BYTES as u64 + 24;

#[cfg(test)]
mod tests {
    use super::Directory;

    #[test]
    fn a_copy_that_a_child_inherits_does_not_keep_the_lock() {
        let place = tempfile::tempdir().expect("a directory for the test");
        let held = Directory::open(place.path()).expect("it opens");
        let inherited = held.lock.try_clone().expect("the handle is copied");
        drop(held);
        assert!(Directory::open(place.path()).is_ok());
        drop(inherited);
    }
}
