//! One lane's journal and the domain's rows, read beside the engines that write: for consumers, lists and audits.

use super::connection::{Connection, wait};
use super::rows::{lane_number, page, stored};
use super::session::{READ, read_lane, sealed};
use crate::journal::JournalReader;
use crate::record::{SealedRecord, chain};
use crate::sqlite::{signed, unsigned};
use crate::store::{Head, StoreError};
use domain::{Domain, Key, Table};
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};
use tokio_postgres::Config;

/// Records in one read of an audit.
const PAGE_RECORDS: i64 = 2_048;

/// Reads one lane. A connection that broke is opened anew at the next read.
pub struct PostgresJournal<D> {
    config: Config,
    lane: u16,
    connection: Mutex<Option<Connection>>,
    domain: PhantomData<fn() -> D>,
}

impl<D: Domain> PostgresJournal<D> {
    /// A reader of the lane `lane`; it connects when it is first asked.
    pub fn new(config: &Config, lane: u16) -> Self {
        Self { config: config.clone(), lane, connection: Mutex::new(None), domain: PhantomData }
    }

    /// The lane's head; `None` where nobody has taken the lane yet.
    pub fn head(&self) -> Result<Option<Head>, StoreError> {
        self.ask(|connection| read_lane(connection.client(), self.lane))
    }

    /// Reads the whole lane up to its head and computes its chain anew; `progress` is told the number of records now and then.
    pub fn verify(&self, progress: &mut dyn FnMut(u64)) -> Result<u64, StoreError> {
        let Some(head) = self.head()? else { return Ok(0) };
        let lane = lane_number(self.lane)?;
        let (mut n, mut hash) = (0, [0; 32]);
        while n < head.place.n {
            let page = self.ask(|connection| {
                let limit = PAGE_RECORDS.min(signed(head.place.n - n));
                let rows = wait(connection.client().query(READ, &[&lane, &signed(n + 1), &limit]));
                rows.map_err(|failure| failure.said("reading the journal"))
            })?;
            let damaged = |n: u64, what: &str| StoreError::Damaged(format!("record {n} of lane {} {what}", self.lane));
            if page.is_empty() {
                return Err(damaged(n + 1, "is missing"));
            }
            for row in &page {
                let sealed = sealed(self.lane, row)?;
                n += 1;
                if sealed.place.n != n {
                    return Err(damaged(n, "is missing"));
                }
                let epoch: i64 = row.try_get(4).map_err(|error| damaged(n, &format!("cannot be read: {error}")))?;
                hash = chain(D::NAME, unsigned(epoch), &hash, sealed.place, sealed.at, &sealed.bytes);
                if hash != sealed.hash {
                    return Err(damaged(n, "was changed: its hash does not fit"));
                }
            }
            progress(n);
        }
        if hash == head.hash { Ok(n) } else { Err(StoreError::Damaged("the head's hash is not its record's".into())) }
    }

    /// Reads every row of the domain, table by table in the order of their ids. What engines write meanwhile is seen in part.
    pub fn rows(&self, visit: &mut dyn FnMut(Key, &D::Row)) -> Result<(), StoreError> {
        (0..).map(Table).zip(D::TABLES).try_for_each(|(table, spec)| {
            let mut after: Vec<u8> = Vec::new();
            loop {
                let page = self.ask(|connection| {
                    let rows = wait(connection.client().query(&page(spec), &[&after, &PAGE_RECORDS]));
                    rows.map_err(|failure| failure.said("reading rows"))
                })?;
                let Some(last) = page.last() else { return Ok(()) };
                after = last.try_get(0).map_err(|error| StoreError::Damaged(format!("a row's id: {error}")))?;
                for row in &page {
                    let (id, stored) = stored::<D::Row>(table, row)?;
                    stored.row.iter().for_each(|row| visit(Key::new(table, id), row));
                }
            }
        })
    }

    fn ask<T>(&self, ask: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut held = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = match held.take() {
            Some(connection) => connection,
            None => Connection::open(&self.config, D::NAME)?,
        };
        let answer = ask(&connection);
        // Whatever went wrong, the next read begins with a fresh connection.
        if answer.is_ok() {
            *held = Some(connection);
        }
        answer
    }
}

impl<D: Domain> JournalReader for PostgresJournal<D> {
    fn read(&self, from: u64, limit: usize) -> Result<Vec<SealedRecord>, StoreError> {
        let lane = lane_number(self.lane)?;
        let (from, limit) = (signed(from.max(1)), i64::try_from(limit).unwrap_or(i64::MAX));
        self.ask(|connection| {
            let rows = wait(connection.client().query(READ, &[&lane, &from, &limit]));
            let rows = rows.map_err(|failure| failure.said("reading the journal"))?;
            rows.iter().map(|row| sealed(self.lane, row)).collect()
        })
    }
}
