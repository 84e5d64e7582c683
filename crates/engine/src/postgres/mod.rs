//! The PostgreSQL store: several engines on one database, each writing a lane of its own.
//!
//! A batch is one transaction. [`Store::load`] begins it: rows are read and locked, table by table and in the order of their
//! ids. [`Store::commit`] advances the lane (whose epoch says who may), appends the journal, adds the request keys, and saves
//! each row only at the version that was read. Whatever somebody else changed in between is a [`StoreError::Conflict`]: nothing
//! was changed, and the batch is decided again. So it is right at READ COMMITTED, by locks and constraints alone.
//! After a commit whose answer was lost, the lane's head says what happened before anybody is answered.
//! Start reading at [`PostgresStore`]; then `session` (what is sent), `rows` (the domain's tables), `schema` (migrations).

mod connection;
mod error;
mod journal;
mod rows;
mod schema;
mod session;
#[cfg(test)]
mod tests;
pub mod throwaway;

pub use journal::PostgresJournal;
pub use tokio_postgres::Config;

use crate::record::{Place, SealedRecord};
use crate::sqlite::{signed, unsigned};
use crate::store::{Changed, Commit, Generation, Head, Recovered, Store, StoreError, Stored};
use connection::{Deadline, wait};
use domain::{Domain, Key, Table};
use error::Failure;
use futures_util::future::join_all;
use hashbrown::HashMap;
use rows::{Saved, lane_number, stored};
use session::{Asked, Missed, Session, first_failure, read_lane, read_settled_lane, sealed, take_lane, write};
use std::thread;
use std::time::Duration;
use tokio_postgres::Row;

/// How long the answer of a lost commit is looked for. Beyond, the process must end: its next start reads the lane's head.
pub const LOST_ANSWER_MAX: Duration = Duration::from_mins(1);
/// How long to wait between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// The last word of a batch. It may take its time: a server that waits for a standby would call a commit that it gives up
/// waiting for done, though only itself has it.
const COMMIT: &str = "SET LOCAL statement_timeout = 0; COMMIT";
/// How often opening is tried while another engine makes the same tables.
const OPENINGS_MAX: usize = 5;

/// One engine's hold on a database: its lane.
pub struct PostgresStore<D: Domain> {
    config: Config,
    recovered: Recovered,
    head: Head,
    session: Option<Session>,
    /// Whether a batch's transaction is open.
    in_batch: bool,
    /// The versions that the open transaction has read; 0 for a row that is not there.
    versions: HashMap<Key, u64>,
    /// Where the request keys of the running batch are known from.
    known: HashMap<[u8; 16], Option<Place>>,
    written_back: u64,
    domain: std::marker::PhantomData<fn() -> D>,
}

impl<D: Domain> PostgresStore<D> {
    /// Takes the lane `lane` of the database, making its tables if they are not there. Whoever wrote the lane before is
    /// fenced off at their next commit.
    pub fn open(config: &Config, lane: u16) -> Result<Self, StoreError> {
        let mut opened = Session::open::<D>(config);
        for _ in 1..OPENINGS_MAX {
            if !matches!(opened, Err(StoreError::Conflict(_))) {
                break;
            }
            opened = Session::open::<D>(config);
        }
        let session = opened?;
        let head = take_lane(&session.connection, lane)?;
        let recovered = Recovered { head, watermark: head.place.n };
        Ok(Self {
            config: config.clone(),
            recovered,
            head,
            session: Some(session),
            in_batch: false,
            versions: HashMap::new(),
            known: HashMap::new(),
            written_back: 0,
            domain: std::marker::PhantomData,
        })
    }

    /// The open connection, or a new one where the last one broke.
    fn session(&mut self) -> Result<&Session, StoreError> {
        if self.session.is_none() {
            let session = Session::open::<D>(&self.config)?;
            let head = read_lane(session.connection.client(), self.head.place.lane)?;
            if head != Some(self.head) {
                return Err(StoreError::Fenced(format!(
                    "lane {} is no longer where it was left",
                    self.head.place.lane
                )));
            }
            self.session = Some(session);
        }
        Ok(self.session.as_ref().expect("it was opened just now"))
    }

    /// Ends the batch after a failure: whatever it did is rolled back.
    fn give_up(&mut self, failure: &Failure, what: &str) -> StoreError {
        if failure.is_refused() {
            self.release();
        } else {
            self.close_session();
        }
        failure.said(what)
    }

    fn close_session(&mut self) {
        self.session = None;
        self.in_batch = false;
        self.versions.clear();
    }

    /// Reads rows: locked and in the batch's transaction, or as they are committed.
    fn rows(&mut self, keys: &[Key], locks: bool) -> Result<Vec<Option<Stored<D::Row>>>, StoreError> {
        let begins = locks && !self.in_batch;
        let mut by_table: Vec<Vec<&[u8]>> = vec![Vec::new(); D::TABLES.len()];
        for key in keys {
            by_table[usize::from(key.table.0)].push(&key.id.0);
        }
        let session = self.session()?;
        let client = session.connection.client();
        let answer = wait(async {
            let mut asked: Vec<RowsAsked<'_>> = Vec::new();
            if begins {
                asked.push(Box::pin(async { client.batch_execute("BEGIN").await.map(|()| Vec::new()) }));
            }
            for (prepared, ids) in session.tables.iter().zip(&by_table) {
                if !ids.is_empty() {
                    let statement = if locks { &prepared.lock } else { &prepared.select };
                    asked.push(Box::pin(async move { client.query(statement, &[ids]).await }));
                }
            }
            first_failure(join_all(asked).await)
        });
        let answers = match answer {
            Ok(answers) => answers,
            Err(failure) => {
                self.in_batch |= begins;
                return Err(self.give_up(&failure, "reading rows"));
            }
        };
        self.in_batch |= begins;
        let mut found = HashMap::with_capacity(keys.len());
        let tables = (0..).map(Table).zip(&by_table).filter(|(_, ids)| !ids.is_empty()).map(|(table, _)| table);
        for (table, rows) in tables.zip(answers.iter().skip(usize::from(begins))) {
            for row in rows {
                let (id, stored) = stored::<D::Row>(table, row)?;
                found.insert(Key::new(table, id), stored);
            }
        }
        let rows: Vec<_> = keys.iter().map(|key| found.remove(key)).collect();
        if locks {
            let versions = rows.iter().map(|row| row.as_ref().map_or(0, |stored| stored.version));
            self.versions.extend(keys.iter().copied().zip(versions));
        }
        Ok(rows)
    }

    /// Everything of a commit but its last word.
    fn write(&mut self, commit: &Commit<'_, D>, next: Head) -> Result<(), StoreError> {
        let (updates, inserts) = self.sort_out(commit.changed)?;
        let begins = !self.in_batch;
        let session = self.session()?;
        let answer = wait(write(session, commit, next, begins, &updates, &inserts));
        self.in_batch = true;
        match answer {
            Ok(None) => Ok(()),
            Ok(Some(Missed::Lane)) => {
                self.release();
                Err(StoreError::Fenced(format!("the lane is no longer at record {}", commit.expected.place.n)))
            }
            Ok(Some(Missed::Row)) => {
                self.release();
                Err(StoreError::Conflict("a row was changed by another engine".into()))
            }
            Err(failure) => Err(self.give_up(&failure, "writing a batch")),
        }
    }

    /// The changed rows by table: those that were read, and those that are new.
    fn sort_out(&self, changed: &[Changed<D::Row>]) -> Result<(Vec<Saved>, Vec<Saved>), StoreError> {
        let make = || D::TABLES.iter().map(|_| Saved::default()).collect::<Vec<_>>();
        let (mut updates, mut inserts) = (make(), make());
        let mut sorted: Vec<&Changed<D::Row>> = changed.iter().collect();
        sorted.sort_unstable_by_key(|changed| changed.key);
        for changed in sorted {
            let version = self.versions.get(&changed.key).copied().unwrap_or(0);
            let saved = if version == 0 { &mut inserts } else { &mut updates };
            saved[usize::from(changed.key.table.0)].add::<D>(changed, version)?;
        }
        Ok((updates, inserts))
    }

    /// Nobody heard whether the commit came through: the lane's head knows, once the server has ended with it either way.
    fn resolve(&mut self, expected: Head, next: Head) -> Result<(), StoreError> {
        self.close_session();
        let deadline = Deadline::after(LOST_ANSWER_MAX);
        loop {
            let found = Session::open::<D>(&self.config).and_then(|session| {
                let head = read_settled_lane(session.connection.client(), expected.place.lane)?;
                Ok((session, head))
            });
            match found {
                Ok((session, head)) if head == Some(next) => {
                    self.session = Some(session);
                    return Ok(());
                }
                Ok((session, head)) if head == Some(expected) => {
                    self.session = Some(session);
                    return Err(StoreError::Conflict("the connection broke before the commit".into()));
                }
                Ok(_) => return Err(StoreError::Fenced("another engine has the lane".into())),
                Err(
                    error @ (StoreError::Fenced(_)
                    | StoreError::Damaged(_)
                    | StoreError::Version(_)
                    | StoreError::Options(_)),
                ) => return Err(error),
                Err(StoreError::Unavailable(what) | StoreError::Conflict(what) | StoreError::Lost(what)) => {
                    if deadline.left().is_zero() {
                        return Err(StoreError::Lost(what));
                    }
                }
            }
            thread::park_timeout(LOOK_AGAIN);
        }
    }

    /// Where request keys are known from, those that are.
    fn look_up(&mut self, keys: &[[u8; 16]]) -> Result<Vec<([u8; 16], Place)>, StoreError> {
        let asked: Vec<&[u8]> = keys.iter().map(<[u8; 16]>::as_slice).collect();
        let session = self.session()?;
        let client = session.connection.client();
        let rows = match wait(client.query(&session.known, &[&asked])) {
            Ok(rows) => rows,
            Err(failure) => return Err(self.give_up(&failure, "looking for request keys")),
        };
        let known = rows.iter().map(|row| {
            let read = || -> Result<_, tokio_postgres::Error> {
                Ok((row.try_get::<_, Vec<u8>>(0)?, row.try_get::<_, i16>(1)?, row.try_get::<_, i64>(2)?))
            };
            let wrong = || StoreError::Damaged("a request key cannot be read".into());
            let (key, lane, n) = read().map_err(|_| wrong())?;
            let key = key.try_into().map_err(|_| wrong())?;
            let lane = u16::try_from(lane).map_err(|_| wrong())?;
            Ok((key, Place { lane, n: unsigned(n) }))
        });
        known.collect()
    }

    fn place_of(&mut self, key: &[u8; 16]) -> Result<Option<Place>, StoreError> {
        match self.known.get(key) {
            Some(&place) => Ok(place),
            None => Ok(self.look_up(&[*key])?.pop().map(|(_, place)| place)),
        }
    }

    fn records(
        &mut self,
        lane: u16,
        ask: impl FnOnce(&Session) -> RowsAsked<'_>,
    ) -> Result<Vec<SealedRecord>, StoreError> {
        let session = self.session()?;
        match wait(ask(session)) {
            Ok(rows) => rows.iter().map(|row| sealed(lane, row)).collect(),
            Err(failure) => Err(self.give_up(&failure, "reading the journal")),
        }
    }
}

type RowsAsked<'a> = Asked<'a, Vec<Row>>;

impl<D: Domain> Store<D> for PostgresStore<D> {
    fn recovered(&self) -> Recovered {
        self.recovered
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn expect_requests(&mut self, keys: &[[u8; 16]]) -> Result<(), StoreError> {
        self.known.clear();
        if !keys.is_empty() {
            let known = self.look_up(keys)?;
            self.known.extend(keys.iter().map(|key| (*key, None)));
            self.known.extend(known.into_iter().map(|(key, place)| (key, Some(place))));
        }
        Ok(())
    }

    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Stored<D::Row>>>, StoreError> {
        self.rows(keys, true)
    }

    fn load_published(&mut self, keys: &[Key]) -> Result<Vec<Option<Stored<D::Row>>>, StoreError> {
        self.rows(keys, false)
    }

    fn release(&mut self) {
        self.known.clear();
        self.versions.clear();
        if !std::mem::take(&mut self.in_batch) {
            return;
        }
        let rolled_back = self.session.as_ref().is_some_and(|session| session.connection.run("ROLLBACK").is_ok());
        if !rolled_back {
            self.close_session();
        }
    }

    fn commit(&mut self, commit: &Commit<'_, D>) -> Result<(), StoreError> {
        if commit.expected != self.head {
            self.release();
            return Err(StoreError::Fenced(format!("the lane is at record {}", self.head.place.n)));
        }
        let Some(last) = commit.records.last() else {
            self.release();
            return Ok(());
        };
        let next = Head { epoch: commit.expected.epoch, place: last.place, at: last.at, hash: last.hash };
        self.write(commit, next)?;
        let session = self.session()?;
        let client = session.connection.client();
        match wait(client.batch_execute(COMMIT)) {
            Ok(()) => {}
            Err(failure) if failure.is_refused() && !failure.is_in_doubt() => {
                return Err(self.give_up(&failure, "committing"));
            }
            Err(_) => self.resolve(commit.expected, next)?,
        }
        self.head = next;
        self.in_batch = false;
        self.release();
        Ok(())
    }

    fn read(&mut self, from: u64, limit: usize) -> Result<Vec<SealedRecord>, StoreError> {
        let lane = self.head.place.lane;
        let (number, from) = (lane_number(lane)?, signed(from.max(1)));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.records(lane, |session| {
            Box::pin(async move { session.connection.client().query(&session.read, &[&number, &from, &limit]).await })
        })
    }

    fn find_request(&mut self, key: &[u8; 16]) -> Result<Option<u64>, StoreError> {
        let lane = self.head.place.lane;
        Ok(self.place_of(key)?.filter(|place| place.lane == lane).map(|place| place.n))
    }

    fn find_recorded(&mut self, key: &[u8; 16]) -> Result<Option<SealedRecord>, StoreError> {
        let Some(place) = self.place_of(key)? else { return Ok(None) };
        let (number, n) = (lane_number(place.lane)?, signed(place.n));
        let found = self.records(place.lane, |session| {
            Box::pin(async move { session.connection.client().query(&session.recorded, &[&number, &n]).await })
        })?;
        let missing = || StoreError::Damaged(format!("a request is known from record {n}, which is not there"));
        found.into_iter().next().ok_or_else(missing).map(Some)
    }

    fn write_back(&mut self, generation: Generation<D>, _wait: bool) -> Result<Option<Generation<D>>, StoreError> {
        self.written_back = generation.number;
        Ok(None)
    }

    fn written_back(&mut self, _wait: bool) -> Result<u64, StoreError> {
        Ok(self.written_back)
    }

    fn wait_for_write_back(&mut self, _milliseconds_max: u64) {}
}
