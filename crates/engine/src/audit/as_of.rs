//! One row as it was: its chain of records is followed back, and folded forward again.
//!
//! The records are taken as they stand: whether they are what was written is for [`super::verify`] to say.
//! Start reading at [`as_of`].

use crate::prefix::PrefixTouched;
use crate::record::{Place, Record};
use crate::sqlite::{
    LANE, STATE, STATE_FILE, SqliteJournal, Tables, check_header, classify, open_for_read, read_progress,
};
use crate::store::{StoreError, Stored};
use domain::{Domain, Key, Time};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;

/// Records in one short read.
const PAGE_RECORDS: usize = 2_048;

/// Up to where the past is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Every record up to this time, and those at it.
    Time(Time),
    /// Every record up to this number, and that one.
    Number(u64),
}

impl Until {
    fn has(self, place: Place, at: Time) -> bool {
        match self {
            Self::Time(time) => at <= time,
            Self::Number(n) => place.n <= n,
        }
    }
}

/// The row at `key` as it was; `None` if it was not there yet. Of a row that was deleted the version is left.
pub fn as_of<D: Domain>(directory: &Path, key: Key, until: Until) -> Result<Option<Stored<D::Row>>, StoreError> {
    let past = Past::<D>::open(directory)?;
    let newest = past.newest(key)?;
    past.fold(key, newest, until)
}

/// The files that the past is read from.
pub(super) struct Past<D: Domain> {
    pub(super) journal: SqliteJournal,
    /// `None` while there is no state file: the journal alone has everything, and takes longer.
    pub(super) state: Option<Connection>,
    pub(super) tables: Tables<D>,
    pub(super) watermark: u64,
}

impl<D: Domain> Past<D> {
    pub(super) fn open(directory: &Path) -> Result<Self, StoreError> {
        let journal = SqliteJournal::open(directory)?;
        if journal.domain() != D::NAME {
            return Err(StoreError::Version(format!("the journal is of the domain {}", journal.domain())));
        }
        journal.check_vocabulary(D::VOCABULARY)?;
        let path = directory.join(STATE_FILE);
        let failed = |error: rusqlite::Error| classify(&format!("reading {}", path.display()), &error);
        // One that is there and cannot be read is an error: rows that nobody compared must not pass as compared.
        let state = check_header(&path, &STATE)?.map(|_| open_for_read(&path).map_err(failed)).transpose()?;
        let progress = state.as_ref().map(|state| read_progress(state).map_err(failed)).transpose()?.flatten();
        let (state, watermark) = match progress {
            Some((signature, watermark, _)) if signature == Tables::<D>::signature() => (state, watermark),
            Some(_) | None => (None, 0),
        };
        Ok(Self { journal, state, tables: Tables::new(), watermark })
    }

    /// The last record that changed the row: in the journal's tail, or as the stored row says.
    fn newest(&self, key: Key) -> Result<u64, StoreError> {
        let mut newest = 0;
        let mut from = self.watermark + 1;
        loop {
            let page = self.journal.read(from, PAGE_RECORDS)?;
            let Some(last) = page.last() else { break };
            for sealed in &page {
                let prefix = PrefixTouched::decode(&sealed.bytes)
                    .map_err(|why| StoreError::Damaged(format!("record {}: {why}", sealed.place.n)))?;
                if prefix.touched.iter().any(|touch| touch.key == key) {
                    newest = sealed.place.n;
                }
            }
            from = last.place.n + 1;
        }
        let stored = match &self.state {
            Some(state) => self.tables.select(state, key)?.map_or(0, |stored| stored.place.n),
            None => 0,
        };
        Ok(newest.max(stored))
    }

    /// Follows the row's chain back from record `newest`, and folds what lies in `until` forward.
    pub(super) fn fold(&self, key: Key, newest: u64, until: Until) -> Result<Option<Stored<D::Row>>, StoreError> {
        let mut chain = Vec::new();
        let mut n = newest;
        while n > 0 {
            let record = self.record(n)?;
            let touch = record.entry.touched.iter().find(|touch| touch.key == key).ok_or_else(|| {
                StoreError::Damaged(format!(
                    "the chain of row {} leads to record {n}, which does not change it",
                    key.id
                ))
            })?;
            if until.has(record.place, record.at) {
                chain.push((n, touch.version));
            }
            if touch.previous.n >= n {
                return Err(StoreError::Damaged(format!("the chain of row {} leads forward from record {n}", key.id)));
            }
            n = touch.previous.n;
        }
        let Some(&(last, version)) = chain.first() else { return Ok(None) };
        let mut row = None;
        for (n, _) in chain.into_iter().rev() {
            apply::<D>(key, &mut row, &self.record(n)?);
        }
        Ok(Some(Stored { version, place: Place { lane: LANE, n: last }, row: row.map(Arc::new) }))
    }

    fn record(&self, n: u64) -> Result<Record<D>, StoreError> {
        let sealed = self.journal.get(n)?.ok_or_else(|| StoreError::Damaged(format!("record {n} is missing")))?;
        Record::decode(&sealed)
    }
}

/// Applies those of the record's events that change the row.
pub(super) fn apply<D: Domain>(key: Key, row: &mut Option<D::Row>, record: &Record<D>) {
    let mut touched = Vec::new();
    for event in &record.entry.events {
        touched.clear();
        D::touches(event, &mut touched);
        if touched.contains(&key) {
            D::evolve(key, row, event);
        }
    }
}
