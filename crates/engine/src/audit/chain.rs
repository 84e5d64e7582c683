//! The audit of the journal's chain: finds what was changed, removed, added or moved, and with anchors what was rewritten,
//! cut or rolled back.
//!
//! The walk knows the hash of the record before, and the number that the next one was written with. When a record does not
//! fit, the records around it say why: the one after it, those in a window ahead, and those that did not fit before.
//! Start reading at [`verify`], then `Walk::explain`.

use super::FINDINGS_MAX;
use super::anchors::{Anchors, Believed};
use super::finding::Finding;
use crate::record::{Epochs, Place};
use crate::sqlite::{LANE, STATE_FILE, SqliteJournal, classify, open_for_read, signed, unsigned};
use crate::store::{Head, StoreError};
use domain::Time;
use rusqlite::Connection;
use std::collections::VecDeque;
use std::path::Path;

/// Records in one short read.
const PAGE_RECORDS: usize = 2_048;
/// How far ahead the walk looks for the record that belongs where another one stands.
const WINDOW_RECORDS: usize = 64;
/// Records that did not fit, kept to be recognised elsewhere.
const MISFITS_MAX: usize = 256;

/// What an audit of the chain came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Records that were read.
    pub records: u64,
    /// The lane's head.
    pub head: Head,
    /// Anchors that were believed and compared; without any, a chain that was rewritten as a whole, or a tail that was
    /// cut and repaired, cannot be seen.
    pub anchors: usize,
    /// What is not as it was written, in the order of the records, at most [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// There were more.
    pub more_findings: bool,
}

/// Recomputes the chain of the journal in `directory`, and compares it with `anchors`. `progress` is told the number of
/// records now and then.
pub fn verify(
    directory: &Path,
    anchors: Option<&Anchors>,
    progress: &mut dyn FnMut(u64),
) -> Result<Verified, StoreError> {
    let journal = SqliteJournal::open(directory)?;
    let (anchors, invalid) = anchors.map_or(Ok((Vec::new(), Vec::new())), |anchors| anchors.read(journal.domain()))?;
    // What is appended while the audit runs is left to the next one; the state never leads, so it is asked first.
    let seen = seen_by_state(directory);
    let (head, until) = head_and_last(&journal)?;
    let mut walk = Walk::new(journal.domain(), head, &anchors);
    for finding in invalid {
        walk.find(finding);
    }
    let mut after = None;
    loop {
        match read_page(journal.connection(), after, until) {
            Ok(page) => {
                let Some(last) = page.last() else { break };
                after = Some(last.n);
                walk.window.extend(page);
                walk.step(WINDOW_RECORDS);
                progress(walk.records);
            }
            Err(error) => {
                walk.find(Finding::Unreadable { after: after.unwrap_or(0), why: error.to_string() });
                walk.step(0);
                return Ok(walk.verified(anchors.len()));
            }
        }
    }
    walk.step(0);
    walk.end(seen);
    Ok(walk.verified(anchors.len()))
}

/// The lane's head, and the last record to read: the head's, or a later one that somebody put behind it.
fn head_and_last(journal: &SqliteJournal) -> Result<(Head, i64), StoreError> {
    let failed = |error: rusqlite::Error| classify("reading the journal's head", &error);
    let transaction = journal.connection().unchecked_transaction().map_err(failed)?;
    let head = journal.head()?;
    let last: Option<i64> =
        transaction.query_row("SELECT max(n) FROM journal", [], |row| row.get(0)).map_err(failed)?;
    Ok((head, last.unwrap_or(0)))
}

/// The last record that the state file has seen, if it can be read.
fn seen_by_state(directory: &Path) -> i64 {
    open_for_read(&directory.join(STATE_FILE))
        .and_then(|state| state.query_row("SELECT max(watermark, requests_until) FROM progress", [], |row| row.get(0)))
        .unwrap_or(0)
}

/// A row of the journal, as it stands there.
#[derive(Clone, Debug)]
struct Row {
    n: i64,
    at: i64,
    hash: [u8; 32],
    bytes: Vec<u8>,
}

fn read_page(connection: &Connection, after: Option<i64>, until: i64) -> rusqlite::Result<Vec<Row>> {
    let mut select = connection
        .prepare_cached("SELECT n, at, hash, record FROM journal WHERE n >= ? AND n <= ? ORDER BY n LIMIT ?")?;
    let from = after.map_or(i64::MIN, |after| after.saturating_add(1));
    let mut rows = select.query([from, until, i64::try_from(PAGE_RECORDS).unwrap_or(i64::MAX)])?;
    let mut page = Vec::with_capacity(PAGE_RECORDS);
    while let Some(row) = rows.next()? {
        // A hash of another length or bytes of another kind are somebody's edit: they read as what cannot fit.
        let hash = row.get_ref(2)?.as_bytes().ok().and_then(|hash| hash.try_into().ok()).unwrap_or_default();
        let bytes = row.get_ref(3)?.as_bytes().map(<[u8]>::to_vec).unwrap_or_default();
        page.push(Row { n: row.get(0)?, at: row.get_ref(1)?.as_i64().unwrap_or(i64::MIN), hash, bytes });
    }
    Ok(page)
}

/// A record that did not fit, and the hash that stood before its place, if that was known.
struct Misfit {
    row: Row,
    before: [u8; 32],
    written: i64,
    explained: bool,
    /// The record behind it, which could only be compared with the misfit's own hash.
    next: Option<Row>,
}

struct Walk<'a> {
    domain: &'a str,
    head: Head,
    epochs: Epochs,
    anchors: &'a [Believed],
    window: VecDeque<Row>,
    records: u64,
    /// The hash of the record before; `None` where it is missing.
    before: Option<[u8; 32]>,
    /// The number in the file of the record before.
    last: i64,
    /// What to add to a record's number in the file to get the one that it was written with.
    shift: i64,
    misfits: Vec<Misfit>,
    next_anchor: usize,
    anchored: i64,
    rewritten: bool,
    findings: Vec<Finding>,
    more_findings: bool,
}

impl<'a> Walk<'a> {
    fn new(domain: &'a str, head: Head, anchors: &'a [Believed]) -> Self {
        let misfits = Vec::new();
        let (window, findings) = (VecDeque::new(), Vec::new());
        Self {
            domain,
            head,
            epochs: Epochs::until(head.epoch),
            anchors,
            window,
            records: 0,
            before: Some([0; 32]),
            last: 0,
            shift: 0,
            misfits,
            next_anchor: 0,
            anchored: 0,
            rewritten: false,
            findings,
            more_findings: false,
        }
    }

    fn find(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.more_findings = true;
        }
    }

    /// The hash that `row` would have if it were record `n` after `before`.
    fn hash(&self, before: &[u8; 32], n: i64, row: &Row) -> [u8; 32] {
        let mut epochs = self.epochs;
        self.hash_on(&mut epochs, before, n, row)
    }

    fn hash_on(&self, epochs: &mut Epochs, before: &[u8; 32], n: i64, row: &Row) -> [u8; 32] {
        let (place, at) = (Place { lane: LANE, n: unsigned(n) }, Time::from_milliseconds(row.at));
        epochs.chain(self.domain, before, (place, at, &row.bytes), &row.hash)
    }

    /// Whether `row` is record `n` after `before`; if so its epoch is that of whatever follows.
    fn follows(&mut self, before: &[u8; 32], n: i64, row: &Row) -> bool {
        let mut epochs = self.epochs;
        let follows = self.hash_on(&mut epochs, before, n, row) == row.hash;
        if follows {
            self.epochs = epochs;
        }
        follows
    }

    fn fits(&self, before: &[u8; 32], n: i64, row: &Row) -> bool {
        self.hash(before, n, row) == row.hash
    }

    /// Walks until no more than `keep` records are left ahead.
    fn step(&mut self, keep: usize) {
        while self.window.len() > keep {
            let Some(row) = self.window.pop_front() else { return };
            self.records += 1;
            if row.n < 1 {
                self.find(Finding::Added { from: row.n, to: row.n });
                continue;
            }
            if row.n > self.last + 1 {
                self.find(Finding::Removed { from: self.last + 1 + self.shift, to: row.n - 1 + self.shift });
                self.before = None;
            }
            self.last = row.n;
            let written = row.n + self.shift;
            if written > signed(self.head.place.n) {
                // Somebody put it behind the head: the end says so, for all of them at once.
                continue;
            }
            let Some(before) = self.before else {
                // What came before is missing: the record can only be believed, and the next one is checked against it.
                self.accept(written, row.hash);
                continue;
            };
            if self.follows(&before, written, &row) {
                self.accept(written, row.hash);
            } else {
                self.explain(&before, row);
            }
        }
    }

    /// Goes on behind record `written`, whose hash is `hash`.
    fn accept(&mut self, written: i64, hash: [u8; 32]) {
        self.before = Some(hash);
        while let Some(anchor) = self.anchors.get(self.next_anchor).filter(|anchor| anchor.n <= written) {
            self.next_anchor += 1;
            if anchor.n == written && anchor.hash == hash {
                self.anchored = anchor.n;
            } else if anchor.n == written && !self.rewritten {
                // Every later anchor differs too; the first says where.
                self.rewritten = true;
                self.find(Finding::Rewritten { after: self.anchored, until: anchor.n });
            }
        }
    }

    /// Says why `row` does not follow `before`, and goes on behind it.
    fn explain(&mut self, before: &[u8; 32], row: Row) {
        let written = row.n + self.shift;
        // A record that did not fit where it stood belongs here: two were swapped.
        if let Some(index) = self.misfits.iter().position(|misfit| self.fits(before, written, &misfit.row)) {
            let (found_at, hash) = (self.misfits[index].row.n, self.misfits[index].row.hash);
            let misfit = &self.misfits[index];
            if !misfit.explained && self.fits(&misfit.before, misfit.written, &row) {
                let n = misfit.written;
                self.misfits[index].explained = true;
                self.find(Finding::Reordered { n, found_at: row.n });
                // With the right record before it, the one behind may be as it was written.
                let next = self.misfits[index].next.take();
                if next.is_some_and(|next| self.fits(&row.hash, n + 1, &next)) {
                    self.findings.retain(|finding| *finding != Finding::Changed { n: n + 1 });
                }
            }
            self.find(Finding::Reordered { n: written, found_at });
            return self.accept(written, hash);
        }
        // The record that belongs here stands a little further on.
        if let Some(ahead) = self.window.iter().position(|other| self.fits(before, written, other)) {
            return self.explain_by_ahead(*before, row, ahead);
        }
        let Some(next) = self.window.front() else { return self.explain_last(before, &row) };
        let computed = self.hash(before, written, &row);
        if self.fits(&row.hash, written + 1, next) {
            self.find(Finding::Changed { n: written });
            return self.accept(written, row.hash);
        }
        if self.fits(&computed, written + 1, next) {
            self.find(Finding::Changed { n: written });
            return self.accept(written, computed);
        }
        let window = i64::try_from(WINDOW_RECORDS).unwrap_or(i64::MAX);
        if let Some(missing) = (1..=window).find(|missing| self.fits(&row.hash, written + missing + 1, next)) {
            self.find(Finding::Removed { from: written, to: written + missing - 1 });
            self.shift += missing;
            return self.accept(written + missing, row.hash);
        }
        self.before = Some(row.hash);
        let next = self.window.front().cloned();
        self.keep(Misfit { row, before: *before, written, explained: false, next });
    }

    /// The record `ahead` in the window belongs where `row` stands: it was moved, or others were put in before it.
    fn explain_by_ahead(&mut self, before: [u8; 32], row: Row, ahead: usize) {
        let written = row.n + self.shift;
        let found = &self.window[ahead];
        let (found_at, hash) = (found.n, found.hash);
        let next_here = if ahead == 0 { Some(&row) } else { self.window.front() };
        if next_here.is_some_and(|next| self.fits(&hash, written + 1, next)) {
            self.find(Finding::Reordered { n: written, found_at });
            self.keep(Misfit { row, before, written, explained: true, next: None });
            return self.accept(written, hash);
        }
        self.find(Finding::Added { from: row.n, to: found_at - 1 });
        self.window.drain(..ahead);
        self.records += u64::try_from(ahead).unwrap_or(0);
        self.shift -= found_at - row.n;
        self.last = found_at - 1;
    }

    /// The last record has none behind it; the lane's head speaks in its place.
    fn explain_last(&mut self, before: &[u8; 32], row: &Row) {
        let written = row.n + self.shift;
        let computed = self.hash(before, written, row);
        self.find(Finding::Changed { n: written });
        self.accept(written, if computed == self.head.hash { computed } else { row.hash });
    }

    fn keep(&mut self, misfit: Misfit) {
        if self.misfits.len() < MISFITS_MAX {
            self.misfits.push(misfit);
        } else if !misfit.explained {
            self.find(Finding::Changed { n: misfit.written });
        }
    }

    /// Compares the end with the lane's head, with what the state has seen, and with the anchors that are left.
    fn end(&mut self, seen_by_state: i64) {
        let unexplained: Vec<i64> =
            self.misfits.iter().filter(|misfit| !misfit.explained).map(|misfit| misfit.written).collect();
        let (last, head) = (self.last + self.shift, signed(self.head.place.n));
        for n in unexplained {
            self.find(Finding::Changed { n });
        }
        let anchored = self.anchors.last().map_or(0, |anchor| anchor.n);
        let known = head.max(seen_by_state);
        if last < known {
            self.find(Finding::Cut { from: last + 1, to: known.max(anchored) });
        } else if last < anchored {
            self.find(Finding::RolledBack { journal: last, anchored });
        } else if last > head {
            self.find(Finding::Added { from: head + 1 - self.shift, to: self.last });
        } else if self.before.is_some_and(|hash| hash != self.head.hash) && self.findings.is_empty() {
            self.find(Finding::HeadChanged);
        }
    }

    fn verified(self, anchors: usize) -> Verified {
        let Self { records, head, mut findings, more_findings, .. } = self;
        findings.sort_by_key(Finding::first);
        Verified { records, head, anchors, findings, more_findings }
    }
}
