//! The journal's file: one writer that appends whole batches, and readers that page through it.
//!
//! Start reading at [`JournalWriter::commit`].

use super::checkpoint::Gate;
use super::directory::{JOURNAL, JOURNAL_FILE, accept, check_header, open_for_read};
use super::error::{classify, classify_commit};
use crate::canary;
use crate::record::{Epochs, Place, SealedRecord};
use crate::store::{Head, StoreError};
use domain::Time;
use rusqlite::{Connection, OptionalExtension, params};
use std::path::Path;
use std::sync::Arc;

/// The embedded store has one lane.
pub(crate) const LANE: u16 = 1;
/// Records in one short read.
const READ_RECORDS_MAX: usize = 4_096;
/// Bytes that a record takes in the log beside its own: its number, time, hash and the page's share.
const RECORD_EXTRA_BYTES: usize = 64;

/// The one connection that writes the journal.
pub(super) struct JournalWriter {
    connection: Connection,
    gate: Arc<Gate>,
    head: Head,
    /// This program's. The file gets it with the first batch: a program that only looked, or could not replay, leaves the older one in.
    vocabulary: u32,
}

impl JournalWriter {
    /// Takes the lane in a file that is open and migrated; a new file gets its lane. What a newer program wrote is refused.
    pub(super) fn open(
        connection: Connection,
        gate: Arc<Gate>,
        domain: &str,
        vocabulary: u32,
    ) -> Result<Self, StoreError> {
        let failed = |error: rusqlite::Error| classify("opening the journal", &error);
        let lane = read_lane(&connection).map_err(failed)?;
        let head = if let Some((found, head)) = lane {
            if found != domain {
                return Err(StoreError::Version(format!(
                    "the journal is of the domain {found}, this program runs {domain}; name another data directory"
                )));
            }
            check_vocabulary(read_vocabulary(&connection).map_err(failed)?, vocabulary)?;
            head
        } else {
            connection
                .execute(
                    "INSERT INTO lane (lane, domain, epoch, n, at, hash, vocabulary) VALUES (?, ?, ?, 0, 0, ?, ?)",
                    params![LANE, domain, signed(Epochs::FIRST), [0_u8; 32], vocabulary],
                )
                .map_err(failed)?;
            Head {
                epoch: Epochs::FIRST,
                place: Place { lane: LANE, n: 0 },
                at: Time::from_milliseconds(0),
                hash: [0; 32],
            }
        };
        let last: Option<(i64, i64, [u8; 32])> = connection
            .query_row("SELECT n, at, hash FROM journal ORDER BY n DESC LIMIT 1", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()
            .map_err(failed)?;
        let (n, at, hash) = last.unwrap_or((0, 0, [0; 32]));
        if (n, at, hash) != (signed(head.place.n), head.at.milliseconds(), head.hash) {
            return Err(StoreError::Damaged(format!(
                "the journal's head says record {}, its last record is {n}: it was cut or edited; \
                 run `kinchaku audit verify`, then restore a backup",
                head.place.n
            )));
        }
        Ok(Self { connection, gate, head, vocabulary })
    }

    pub(super) fn head(&self) -> Head {
        self.head
    }

    /// The whole directory is taken: the log may be moved into the file.
    pub(super) fn accept(&self) -> Result<(), StoreError> {
        accept(&self.connection).map_err(|error| classify("opening the journal", &error))
    }

    /// Appends a batch that was decided on `expected`, durably, or leaves everything as it was.
    pub(super) fn commit(&mut self, expected: Head, records: &[SealedRecord]) -> Result<(), StoreError> {
        if expected != self.head {
            return Err(StoreError::Fenced(format!(
                "the batch was decided on record {}, the journal is at {}",
                expected.place.n, self.head.place.n
            )));
        }
        let Some(last) = records.last() else { return Ok(()) };
        let next = Head { epoch: expected.epoch, place: last.place, at: last.at, hash: last.hash };
        self.gate.enter()?;
        let result = self.append(expected, next, records);
        let bytes: usize = records.iter().map(|record| record.bytes.len() + RECORD_EXTRA_BYTES).sum();
        self.gate.leave(bytes.try_into().unwrap_or(u64::MAX));
        if result.is_ok() {
            self.head = next;
        }
        result
    }

    fn append(&self, expected: Head, next: Head, records: &[SealedRecord]) -> Result<(), StoreError> {
        let what = "appending to the journal";
        let answers_first = canary::active("answer_before_commit");
        if answers_first && !self.connection.is_autocommit() {
            self.run("COMMIT").map_err(|error| classify(what, &error))?;
        }
        self.run("BEGIN IMMEDIATE").map_err(|error| classify(what, &error))?;
        let appended = self.insert(expected, next, records);
        match appended {
            Ok(true) => {}
            Ok(false) => {
                self.roll_back();
                return Err(StoreError::Fenced(format!("the lane is no longer at record {}", expected.place.n)));
            }
            Err(error) => {
                self.roll_back();
                return Err(classify(what, &error));
            }
        }
        if answers_first {
            return Ok(());
        }
        self.run("COMMIT").map_err(|error| {
            self.roll_back();
            classify_commit(what, &error)
        })
    }

    /// Moves the lane's head from `expected` to `next` and adds the records; false if the head was elsewhere. Older programs hear in
    /// the same commit that there are words which they may not know.
    fn insert(&self, expected: Head, next: Head, records: &[SealedRecord]) -> rusqlite::Result<bool> {
        let mut advance = self.connection.prepare_cached(
            "UPDATE lane SET n = ?, at = ?, hash = ?, vocabulary = max(vocabulary, ?) \
             WHERE lane = ? AND epoch = ? AND n = ? AND hash = ?",
        )?;
        let moved = advance.execute(params![
            signed(next.place.n),
            next.at.milliseconds(),
            next.hash,
            self.vocabulary,
            LANE,
            signed(expected.epoch),
            signed(expected.place.n),
            expected.hash
        ])?;
        if moved == 0 {
            return Ok(false);
        }
        let mut insert =
            self.connection.prepare_cached("INSERT INTO journal (n, at, hash, record) VALUES (?, ?, ?, ?)")?;
        for record in records {
            insert.execute(params![signed(record.place.n), record.at.milliseconds(), record.hash, record.bytes])?;
        }
        Ok(true)
    }

    fn run(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(|_| ())
    }

    fn roll_back(&self) {
        // SQLite may have rolled back by itself already; then this says so and changes nothing.
        drop(self.run("ROLLBACK"));
    }

    /// Records from number `from` on, at most `limit`.
    pub(super) fn read(&self, from: u64, limit: usize) -> Result<Vec<SealedRecord>, StoreError> {
        read_records(&self.connection, from, limit).map_err(|error| classify("reading the journal", &error))
    }

    /// Shows `see` the number, the time and the bytes of some records from number `from` on, without a copy; gives the
    /// number to go on from, `None` behind the last.
    pub(super) fn scan(&self, from: u64, see: &mut dyn FnMut(u64, i64, &[u8])) -> Result<Option<u64>, StoreError> {
        let failed = |error: rusqlite::Error| classify("reading the journal", &error);
        let mut select = self
            .connection
            .prepare_cached("SELECT n, at, record FROM journal WHERE n >= ? ORDER BY n LIMIT ?")
            .map_err(failed)?;
        let limit = i64::try_from(READ_RECORDS_MAX).unwrap_or(i64::MAX);
        let mut rows = select.query([signed(from), limit]).map_err(failed)?;
        let mut next = None;
        while let Some(row) = rows.next().map_err(failed)? {
            let n = unsigned(row.get(0).map_err(failed)?);
            let at = row.get(1).map_err(failed)?;
            see(n, at, row.get_ref(2).and_then(|bytes| Ok(bytes.as_blob()?)).map_err(failed)?);
            next = Some(n + 1);
        }
        Ok(next)
    }

    #[cfg(test)]
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// Reads a journal's file, beside whoever writes it: for lists, consumers and audits. Every read is short.
pub struct SqliteJournal {
    connection: Connection,
    domain: String,
}

impl SqliteJournal {
    /// Opens the journal of the data directory at `directory`.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join(JOURNAL_FILE);
        let failed = |error: rusqlite::Error| classify(&format!("reading {}", path.display()), &error);
        if !path.exists() {
            let missing = format!("there is no journal at {}; name the data directory of an engine", path.display());
            return Err(StoreError::Unavailable(missing));
        }
        check_header(&path, &JOURNAL)?;
        let connection = open_for_read(&path).map_err(failed)?;
        let lane = read_lane(&connection).map_err(failed)?;
        let (domain, _) = lane.ok_or_else(|| StoreError::Damaged(format!("{} has no lane", path.display())))?;
        Ok(Self { connection, domain })
    }

    /// The domain whose journal it is.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Refuses a journal that a program with a larger vocabulary than this one wrote.
    pub(crate) fn check_vocabulary(&self, vocabulary: u32) -> Result<(), StoreError> {
        let failed = |error: rusqlite::Error| classify("reading the journal's head", &error);
        check_vocabulary(read_vocabulary(&self.connection).map_err(failed)?, vocabulary)
    }

    /// The lane's head as the file has it now.
    pub fn head(&self) -> Result<Head, StoreError> {
        let lane = read_lane(&self.connection).map_err(|error| classify("reading the journal's head", &error))?;
        lane.map(|(_, head)| head).ok_or_else(|| StoreError::Damaged("the journal has no lane".into()))
    }

    /// Records from number `from` on, at most `limit`, in order.
    pub fn read(&self, from: u64, limit: usize) -> Result<Vec<SealedRecord>, StoreError> {
        read_records(&self.connection, from, limit).map_err(|error| classify("reading the journal", &error))
    }

    /// The record with the number `n`.
    pub fn get(&self, n: u64) -> Result<Option<SealedRecord>, StoreError> {
        let mut records = self.read(n, 1)?;
        Ok(records.pop().filter(|record| record.place.n == n))
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// The largest vocabulary of a program that wrote the journal; 0 of a file that was made before it was kept.
fn read_vocabulary(connection: &Connection) -> rusqlite::Result<i64> {
    let is_kept: bool = connection.query_row(
        "SELECT count(*) > 0 FROM pragma_table_info('lane') WHERE name = 'vocabulary'",
        [],
        |row| row.get(0),
    )?;
    if !is_kept {
        return Ok(0);
    }
    let read = connection.query_row("SELECT vocabulary FROM lane WHERE lane = ?", [LANE], |row| row.get(0)).optional();
    read.map(Option::unwrap_or_default)
}

fn check_vocabulary(found: i64, known: u32) -> Result<(), StoreError> {
    if found <= i64::from(known) {
        return Ok(());
    }
    Err(StoreError::Version(format!(
        "a newer program wrote the journal, in words that this one cannot read (it has {found}, this one knows {known}); run the \
         newer program: nothing is damaged, and nothing was written"
    )))
}

fn read_lane(connection: &Connection) -> rusqlite::Result<Option<(String, Head)>> {
    connection
        .prepare_cached("SELECT domain, epoch, n, at, hash FROM lane WHERE lane = ?")?
        .query_row([LANE], |row| {
            let head = Head {
                epoch: unsigned(row.get(1)?),
                place: Place { lane: LANE, n: unsigned(row.get(2)?) },
                at: Time::from_milliseconds(row.get(3)?),
                hash: row.get(4)?,
            };
            Ok((row.get(0)?, head))
        })
        .optional()
}

pub(super) fn read_records(connection: &Connection, from: u64, limit: usize) -> rusqlite::Result<Vec<SealedRecord>> {
    let mut records = Vec::with_capacity(limit.min(READ_RECORDS_MAX));
    let mut from = signed(from);
    while records.len() < limit {
        let count = (limit - records.len()).min(READ_RECORDS_MAX);
        let mut select =
            connection.prepare_cached("SELECT n, at, hash, record FROM journal WHERE n >= ? ORDER BY n LIMIT ?")?;
        let mut rows = select.query(params![from, i64::try_from(count).unwrap_or(i64::MAX)])?;
        let before = records.len();
        while let Some(row) = rows.next()? {
            let n: i64 = row.get(0)?;
            records.push(SealedRecord {
                place: Place { lane: LANE, n: unsigned(n) },
                at: Time::from_milliseconds(row.get(1)?),
                hash: row.get(2)?,
                bytes: row.get_ref(3)?.as_blob()?.to_vec(),
            });
            from = n.saturating_add(1);
        }
        if records.len() - before < count {
            break;
        }
    }
    Ok(records)
}

/// A number as SQLite keeps it. Numbers of records stay far below 2^63.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number as SQLite kept it; one below zero cannot be ours, and reads as zero.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
