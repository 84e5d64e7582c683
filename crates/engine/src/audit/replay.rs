//! The audit of the rows: the journal is replayed from its first record, and every stored row must be what came of it.
//!
//! The keeper may be behind, and an engine may be running: so each stored row is compared at the version that it has.
//! A journal with more rows than fit in memory is read several times, for a part of the rows each time.
//! Start reading at [`replay`].

use super::FINDINGS_MAX;
use super::as_of::{Past, Until, apply};
use crate::record::{Place, Record};
use crate::sqlite::Column;
use crate::store::{StoreError, Stored};
use domain::{Domain, Id, Key, Table};
use rusqlite::types::{Value as SqlValue, ValueRef};
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

/// Rows of the domain in memory at once.
const ROWS_IN_MEMORY_MAX: u64 = 2_000_000;
/// Records or rows in one short read.
const PAGE_ROWS: usize = 2_048;

/// A stored row that does not follow from the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowFinding {
    /// The stored row differs from the replayed one at the same version.
    Differs {
        /// The row.
        key: Key,
        /// The version that both have.
        version: u64,
        /// What differs.
        what: &'static str,
    },
    /// The row is stored, and no record made it.
    Unknown {
        /// The row.
        key: Key,
    },
    /// Records up to the watermark made the row, and it is not stored.
    Missing {
        /// The row.
        key: Key,
    },
    /// A record does not follow the row's version or place before it.
    Gap {
        /// The row.
        key: Key,
        /// The record.
        n: u64,
    },
    /// Applying a record failed an assert.
    Defect {
        /// The row.
        key: Key,
        /// The record.
        n: u64,
    },
}

impl RowFinding {
    /// The row that it is about.
    pub const fn key(&self) -> Key {
        match self {
            Self::Differs { key, .. }
            | Self::Unknown { key }
            | Self::Missing { key }
            | Self::Gap { key, .. }
            | Self::Defect { key, .. } => *key,
        }
    }
}

impl fmt::Display for RowFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |key: &Key| format!("row {} of table {}", key.id, key.table.0);
        match self {
            Self::Differs { key, version, what } => {
                write!(f, "{} differs from the journal at version {version}: its {what}", name(key))
            }
            Self::Unknown { key } => write!(f, "{} is stored, and no record made it", name(key)),
            Self::Missing { key } => write!(f, "{} is not stored, and should be", name(key)),
            Self::Gap { key, n } => write!(f, "record {n} does not follow what {} was before it", name(key)),
            Self::Defect { key, n } => write!(f, "record {n} cannot be applied to {}", name(key)),
        }
    }
}

/// What a replay came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Records that were applied.
    pub records: u64,
    /// Rows that the journal makes.
    pub rows: u64,
    /// Rows that are stored, and were compared.
    pub compared: u64,
    /// Stored rows that do not follow from the journal, at most [`FINDINGS_MAX`].
    pub findings: Vec<RowFinding>,
    /// There were more.
    pub more_findings: bool,
}

struct Folded<R> {
    version: u64,
    place: Place,
    first: u64,
    row: Option<R>,
}

/// Replays the journal in `directory` and compares every stored row. `visit` sees each row as the journal's last record
/// left it, in no order; `progress` is told the number of records now and then.
pub fn replay<D: Domain>(
    directory: &Path,
    visit: &mut dyn FnMut(Key, &D::Row),
    progress: &mut dyn FnMut(u64),
) -> Result<Replayed, StoreError> {
    let past = Past::<D>::open(directory)?;
    let head = past.journal.head()?.place.n;
    let parts = rows_stored(&past)? / ROWS_IN_MEMORY_MAX + 1;
    let mut audit = Audit {
        past,
        head,
        parts,
        replayed: Replayed { records: 0, rows: 0, compared: 0, findings: Vec::new(), more_findings: false },
    };
    for part in 0..parts {
        let mut folded = audit.fold(part, progress)?;
        for (key, folded) in &folded {
            if let Some(row) = &folded.row {
                visit(*key, row);
            }
        }
        audit.replayed.rows += u64::try_from(folded.len()).unwrap_or(0);
        audit.compare(part, &mut folded)?;
        audit.missing(folded);
    }
    audit.replayed.records = head;
    Ok(audit.replayed)
}

fn rows_stored<D: Domain>(past: &Past<D>) -> Result<u64, StoreError> {
    let Some(state) = &past.state else { return Ok(0) };
    D::TABLES.iter().try_fold(0, |sum, spec| {
        state
            .query_row(&format!("SELECT count(*) FROM \"{}\"", spec.name), [], |row| row.get::<_, i64>(0))
            .map(|count| sum + crate::sqlite::unsigned(count))
            .map_err(|error| crate::sqlite::classify("counting rows", &error))
    })
}

struct Audit<D: Domain> {
    past: Past<D>,
    head: u64,
    parts: u64,
    replayed: Replayed,
}

impl<D: Domain> Audit<D> {
    fn find(&mut self, finding: RowFinding) {
        if self.replayed.findings.len() < FINDINGS_MAX {
            self.replayed.findings.push(finding);
        } else {
            self.replayed.more_findings = true;
        }
    }

    /// The part that a row belongs to: any even spread will do.
    fn part(&self, key: Key) -> u64 {
        let spread = key.id.number().wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) >> 64;
        u64::try_from(spread).unwrap_or(0) % self.parts
    }

    /// Applies the whole journal to the rows of one part.
    fn fold(&mut self, part: u64, progress: &mut dyn FnMut(u64)) -> Result<HashMap<Key, Folded<D::Row>>, StoreError> {
        let mut rows = HashMap::new();
        let mut n = 0;
        while n < self.head {
            let limit = usize::try_from(self.head - n).unwrap_or(usize::MAX).min(PAGE_ROWS);
            let page = self.past.journal.read(n + 1, limit)?;
            let Some(last) = page.last() else {
                return Err(StoreError::Damaged(format!("record {} is missing", n + 1)));
            };
            n = last.place.n;
            for sealed in &page {
                self.apply(part, &mut rows, &Record::decode(sealed)?);
            }
            progress(n);
        }
        Ok(rows)
    }

    fn apply(&mut self, part: u64, rows: &mut HashMap<Key, Folded<D::Row>>, record: &Record<D>) {
        let n = record.place.n;
        for touch in &record.entry.touched {
            let key = touch.key;
            if self.part(key) != part {
                continue;
            }
            let folded = rows.entry(key).or_insert(Folded { version: 0, place: Place::default(), first: n, row: None });
            let follows = touch.version == folded.version + 1 && touch.previous == folded.place;
            let applied = catch_unwind(AssertUnwindSafe(|| apply(key, &mut folded.row, record)));
            (folded.version, folded.place) = (touch.version, record.place);
            if !follows {
                self.find(RowFinding::Gap { key, n });
            }
            if applied.is_err() {
                self.find(RowFinding::Defect { key, n });
            }
        }
    }

    /// Compares the stored rows of one part, and takes them out of what was folded.
    fn compare(&mut self, part: u64, folded: &mut HashMap<Key, Folded<D::Row>>) -> Result<(), StoreError> {
        for table in (0_u8..).take(D::TABLES.len()).map(Table) {
            let mut after: Option<Id> = None;
            loop {
                let Some(state) = &self.past.state else { return Ok(()) };
                let page = self.past.tables.page(state, table, after, PAGE_ROWS)?;
                let Some(last) = page.last() else { break };
                after = Some(last.key.id);
                for row in page.iter().filter(|row| self.part(row.key) == part).collect::<Vec<_>>() {
                    let folded = folded.remove(&row.key);
                    self.compare_row(row.key, &row.stored, &row.columns, folded);
                }
            }
        }
        Ok(())
    }

    fn compare_row(&mut self, key: Key, stored: &Stored<D::Row>, columns: &[SqlValue], folded: Option<Folded<D::Row>>) {
        self.replayed.compared += 1;
        let expected = match folded {
            None if stored.place.n <= self.head => return self.find(RowFinding::Unknown { key }),
            Some(folded) if folded.version == stored.version => {
                let Folded { version, place, row, .. } = folded;
                Some(Stored { version, place, row: row.map(Arc::new) })
            }
            // The keeper is behind the journal, or ahead of what was the head when the audit began.
            Some(_) | None => self.past.fold(key, stored.place.n, Until::Number(stored.place.n)).ok().flatten(),
        };
        if let Some(what) = difference::<D>(expected.as_ref(), stored, columns) {
            self.find(RowFinding::Differs { key, version: stored.version, what });
        }
    }

    /// What is left was not stored: right only for rows that came after the watermark.
    fn missing(&mut self, folded: HashMap<Key, Folded<D::Row>>) {
        let watermark = self.past.watermark;
        let mut keys: Vec<Key> =
            folded.into_iter().filter(|(_, folded)| folded.first <= watermark).map(|(key, _)| key).collect();
        keys.sort_unstable();
        for key in keys {
            self.find(RowFinding::Missing { key });
        }
    }
}

/// What differs first between a stored row and the one that the journal makes.
fn difference<D: Domain>(
    expected: Option<&Stored<D::Row>>,
    stored: &Stored<D::Row>,
    columns: &[SqlValue],
) -> Option<&'static str> {
    let Some(expected) = expected else { return Some("place") };
    if expected.version != stored.version {
        Some("version")
    } else if expected.place != stored.place {
        Some("place")
    } else if expected.row != stored.row {
        Some("content")
    } else if !columns_are(expected.row.as_deref().map(columns_of::<D>).as_deref(), columns) {
        Some("columns")
    } else {
        None
    }
}

fn columns_of<D: Domain>(row: &D::Row) -> Vec<Column> {
    let mut values = Vec::new();
    D::columns(row, &mut values);
    values.into_iter().map(Column).collect()
}

fn columns_are(expected: Option<&[Column]>, columns: &[SqlValue]) -> bool {
    match expected {
        Some(expected) => {
            expected.len() == columns.len()
                && expected.iter().zip(columns).all(|(expected, column)| expected.value() == ValueRef::from(column))
        }
        None => columns.iter().all(|column| *column == SqlValue::Null),
    }
}
