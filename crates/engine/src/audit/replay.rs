//! The audit of the rows: the journal is replayed from its first record, and every stored row must be what came of it.
//!
//! The keeper may be behind, and an engine may be running: so each stored row is compared at the version that it has, and that
//! may not be older than what the watermark says was written.
//! A journal with more rows than fit in memory is read several times, for a part of the rows each time.
//! Start reading at [`replay`]; what an anchor holds of the rows is in `root`.

use super::FINDINGS_MAX;
use super::anchors::{Anchors, Believed};
use super::as_of::{Past, Until, apply};
use super::finding::Finding;
use super::root::{self, BUCKETS, Roots, Seen};
use crate::record::{Epochs, Place, Record};
use crate::sqlite::Column;
use crate::store::{StoreError, Stored};
use domain::{Domain, Id, Key, Table};
use rusqlite::types::{Value as SqlValue, ValueRef};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

/// Rows of the domain in memory at once.
const ROWS_IN_MEMORY_MAX: usize = 2_000_000;
/// Anchored roots that one replay compares: the last ones.
pub const ROOTS_MAX: usize = 16;
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
    /// The stored row is what an earlier record made, and a later one up to the watermark changed it: it was put back, or a
    /// write of it was lost. Whoever loads it goes on from its past.
    Lags {
        /// The row.
        key: Key,
        /// The stored version.
        version: u64,
        /// The version that the records up to the watermark make.
        written: u64,
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
            | Self::Lags { key, .. }
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
            Self::Lags { key, version, written } => write!(
                f,
                "{} is stored as it was at version {version}; version {written} had been written: it was put back, or lost",
                name(key)
            ),
            Self::Gap { key, n } => write!(f, "record {n} does not follow what {} was before it", name(key)),
            Self::Defect { key, n } => write!(f, "record {n} cannot be applied to {}", name(key)),
        }
    }
}

/// An anchored root of the rows that is not what the journal makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootFinding {
    /// The anchor's record.
    pub n: u64,
}

impl fmt::Display for RootFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the rows that the records up to {} make are not those that were anchored: the journal was changed \
             (`audit verify --anchors` says where), or this program makes other rows of it than the one that signed",
            self.n
        )
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
    /// Anchored roots that were compared: of the last [`ROOTS_MAX`] anchors that have one in this program's form of rows.
    pub roots: usize,
    /// Those of them that differ.
    pub root_findings: Vec<RootFinding>,
    /// What is wrong with the anchors themselves.
    pub anchor_findings: Vec<Finding>,
    /// The first record whose hash does not follow from its bytes and the record before: what stands there was not written
    /// so, and `verify` says what was done.
    pub unchained: Option<u64>,
}

struct Folded<R> {
    version: u64,
    place: Place,
    /// The version that records up to the watermark made: all of them had been written. 0 if none of them did.
    written: u64,
    row: Option<R>,
}

/// Replays the journal in `directory` and compares every stored row, and what `anchors` say of the rows. `visit` sees each
/// row as the journal's last record left it, in no order; `progress` is told the number of records now and then.
pub fn replay<D: Domain>(
    directory: &Path,
    anchors: Option<&Anchors>,
    visit: &mut dyn FnMut(Key, &D::Row),
    progress: &mut dyn FnMut(u64),
) -> Result<Replayed, StoreError> {
    let past = Past::<D>::open(directory)?;
    let head = past.journal.head()?.place.n;
    let (anchored, anchor_findings) = anchored_roots::<D>(anchors, head)?;
    let mut audit = Audit::new(past, head, ROWS_IN_MEMORY_MAX, anchored.keys().copied());
    audit.run(visit, progress)?;
    let roots = audit.roots.finish::<D>();
    let differs = anchored.iter().filter(|(n, root)| roots.get(n) != Some(root));
    audit.replayed.root_findings = differs.map(|(n, _)| RootFinding { n: *n }).collect();
    audit.replayed.roots = anchored.len();
    audit.replayed.anchor_findings = anchor_findings;
    Ok(audit.replayed)
}

/// The root of the rows that the records up to `n` make, for an anchor: a hash over every row, in the form that this
/// program gives it. The stored rows have no part in it. `progress` is told the number of records now and then.
pub fn rows_root<D: Domain>(directory: &Path, n: u64, progress: &mut dyn FnMut(u64)) -> Result<String, StoreError> {
    let past = Past { state: None, watermark: 0, ..Past::<D>::open(directory)? };
    let mut audit = Audit::new(past, n, ROWS_IN_MEMORY_MAX, [n]);
    audit.run(&mut |_, _| {}, progress)?;
    let unchained = audit.replayed.unchained.map(|n| format!("record {n} is not what was written"));
    let refused = unchained.or_else(|| audit.replayed.findings.first().map(ToString::to_string));
    match (refused, audit.roots.finish::<D>().remove(&n)) {
        (None, Some(root)) => Ok(root),
        (Some(finding), _) => Err(StoreError::Damaged(finding)),
        (None, None) => Err(StoreError::Damaged(format!("the journal does not reach record {n}"))),
    }
}

/// A replay with so many rows in memory, and the root of the rows at record `n`.
#[cfg(test)]
pub(super) fn replay_within<D: Domain>(
    directory: &Path,
    rows_in_memory_max: usize,
    n: u64,
) -> Result<(Replayed, Option<String>), StoreError> {
    let past = Past::<D>::open(directory)?;
    let head = past.journal.head()?.place.n;
    let mut audit = Audit::new(past, head, rows_in_memory_max, [n]);
    audit.run(&mut |_, _| {}, &mut |_| {})?;
    Ok((audit.replayed, audit.roots.finish::<D>().remove(&n)))
}

/// The roots of the last anchors up to `head` that have one in this program's form, and what is wrong with the anchors.
fn anchored_roots<D: Domain>(
    anchors: Option<&Anchors>,
    head: u64,
) -> Result<(BTreeMap<u64, String>, Vec<Finding>), StoreError> {
    let Some(anchors) = anchors else { return Ok((BTreeMap::new(), Vec::new())) };
    let (believed, findings) = anchors.read(D::NAME)?;
    let comparable = |believed: Believed| {
        let root = believed.rows.filter(|root| root::is_comparable::<D>(root))?;
        u64::try_from(believed.n).ok().filter(|n| (1..=head).contains(n)).map(|n| (n, root))
    };
    let mut roots = BTreeMap::new();
    for (n, root) in believed.into_iter().rev().filter_map(comparable).take(ROOTS_MAX) {
        roots.entry(n).or_insert(root);
    }
    Ok((roots, findings))
}

struct Audit<D: Domain> {
    past: Past<D>,
    head: u64,
    rows_in_memory_max: usize,
    /// The buckets that are replayed now: all of them, or as many as fit in memory.
    buckets: Range<usize>,
    roots: Roots,
    replayed: Replayed,
}

type Rows<D> = HashMap<Key, Folded<<D as Domain>::Row>>;

impl<D: Domain> Audit<D> {
    fn new(past: Past<D>, head: u64, rows_in_memory_max: usize, roots: impl IntoIterator<Item = u64>) -> Self {
        let replayed = Replayed {
            records: 0,
            rows: 0,
            compared: 0,
            findings: Vec::new(),
            more_findings: false,
            roots: 0,
            root_findings: Vec::new(),
            anchor_findings: Vec::new(),
            unchained: None,
        };
        Self { past, head, rows_in_memory_max, buckets: 0..BUCKETS, roots: Roots::wanted(roots), replayed }
    }

    /// Replays and compares, a part of the buckets after the other.
    fn run(&mut self, visit: &mut dyn FnMut(Key, &D::Row), progress: &mut dyn FnMut(u64)) -> Result<(), StoreError> {
        while !self.buckets.is_empty() {
            let mut folded = self.fold(progress)?;
            for (key, folded) in &folded {
                if let Some(row) = &folded.row {
                    visit(*key, row);
                }
            }
            self.replayed.rows += u64::try_from(folded.len()).unwrap_or(0);
            self.compare(&mut folded)?;
            self.missing(folded);
            let width = self.buckets.len();
            self.buckets = self.buckets.end..(self.buckets.end + width).min(BUCKETS);
        }
        self.replayed.records = self.head;
        Ok(())
    }

    fn find(&mut self, finding: RowFinding) {
        if self.replayed.findings.len() < FINDINGS_MAX {
            self.replayed.findings.push(finding);
        } else {
            self.replayed.more_findings = true;
        }
    }

    /// Applies the whole journal to the rows of the buckets. Where they turn out to be too many for memory, half of the
    /// buckets is left for another time.
    fn fold(&mut self, progress: &mut dyn FnMut(u64)) -> Result<Rows<D>, StoreError> {
        let mut rows = Rows::<D>::new();
        let mut epochs = Epochs::until(self.past.journal.head()?.epoch);
        let (mut n, mut hash) = (0, [0; 32]);
        while n < self.head {
            let until = self.roots.next(n).unwrap_or(self.head).min(self.head);
            let limit = usize::try_from(until - n).unwrap_or(usize::MAX).min(PAGE_ROWS);
            let page = self.past.journal.read(n + 1, limit)?;
            let Some(last) = page.last() else {
                return Err(StoreError::Damaged(format!("record {} is missing", n + 1)));
            };
            n = last.place.n;
            for sealed in &page {
                let stored = (sealed.place, sealed.at, sealed.bytes.as_slice());
                let expected = epochs.chain(D::NAME, &hash, stored, &sealed.hash);
                if sealed.hash != expected && self.replayed.unchained.is_none() {
                    self.replayed.unchained = Some(sealed.place.n);
                }
                hash = sealed.hash;
                self.apply(&mut rows, &Record::decode(sealed)?);
            }
            self.narrow(&mut rows);
            if n == until {
                self.note_root(n, &rows)?;
            }
            progress(n);
        }
        Ok(rows)
    }

    fn note_root(&mut self, n: u64, rows: &Rows<D>) -> Result<(), StoreError> {
        let seen = rows.iter().map(|(key, folded)| {
            let Folded { version, place, row, .. } = folded;
            Seen { key: *key, version: *version, place: *place, row: row.as_ref() }
        });
        self.roots.note::<D>(n, self.buckets.clone(), seen)
    }

    fn narrow(&mut self, rows: &mut Rows<D>) {
        while rows.len() > self.rows_in_memory_max && self.buckets.len() > 1 {
            self.buckets.end = self.buckets.start + self.buckets.len() / 2;
            let end = self.buckets.end;
            rows.retain(|key, _| root::bucket(*key) < end);
            // What was found of the others is found again in their turn.
            self.replayed.findings.retain(|finding| root::bucket(finding.key()) < end);
        }
    }

    fn apply(&mut self, rows: &mut Rows<D>, record: &Record<D>) {
        let (n, watermark) = (record.place.n, self.past.watermark);
        for touch in &record.entry.touched {
            let key = touch.key;
            if !self.buckets.contains(&root::bucket(key)) {
                continue;
            }
            let folded =
                rows.entry(key).or_insert(Folded { version: 0, place: Place::default(), written: 0, row: None });
            let follows = touch.version == folded.version + 1 && touch.previous == folded.place;
            let applied = catch_unwind(AssertUnwindSafe(|| apply(key, &mut folded.row, record)));
            (folded.version, folded.place) = (touch.version, record.place);
            if n <= watermark {
                folded.written = touch.version;
            }
            if !follows {
                self.find(RowFinding::Gap { key, n });
            }
            if applied.is_err() {
                self.find(RowFinding::Defect { key, n });
            }
        }
    }

    /// Compares the stored rows of the buckets, and takes them out of what was folded.
    fn compare(&mut self, folded: &mut Rows<D>) -> Result<(), StoreError> {
        for table in (0_u8..).take(D::TABLES.len()).map(Table) {
            let mut after: Option<Id> = None;
            loop {
                let Some(state) = &self.past.state else { return Ok(()) };
                let page = self.past.tables.page(state, table, after, PAGE_ROWS)?;
                let Some(last) = page.last() else { break };
                after = Some(last.key.id);
                for row in page.iter().filter(|row| self.buckets.contains(&root::bucket(row.key))).collect::<Vec<_>>() {
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
            // The watermark was read before the rows: they may have been written on since, never back.
            Some(folded) if stored.version < folded.written => {
                return self.find(RowFinding::Lags { key, version: stored.version, written: folded.written });
            }
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
    fn missing(&mut self, folded: Rows<D>) {
        let mut keys: Vec<Key> =
            folded.into_iter().filter(|(_, folded)| folded.written > 0).map(|(key, _)| key).collect();
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
