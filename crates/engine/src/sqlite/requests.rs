//! The request index as the engine's thread sees it: from an idempotency key to the record that carried it out.
//!
//! Recent keys are in memory. When there are enough of them they are frozen and the keeper sorts them into a segment on
//! disk; until that is done they are found in the frozen map. A usual miss looks at the maps and at one cache line of each
//! segment's filter, and reads nothing. A record's number carries a mark if the record may have begun an operation: `expiry`
//! asks about those alone. What the keeper does is in `segments`. Start reading at [`Requests::find`].

use super::error::classify;
use super::filter::Filter;
use super::journal::{signed, unsigned};
use super::lock;
use crate::store::{KnownRequest, StoreError};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Segments have at most 2 to this power of blocks: the block's number shares an integer with the segment's.
pub(super) const SEGMENT_BITS_MAX: u32 = 24;
/// Bytes of one entry of a block or a run: the key, then the record's number, big-endian.
pub(super) const ENTRY_BYTES: usize = 24;
/// A page of the system's memory.
const PAGE_BYTES: usize = 4_096;
/// Keys that are put on each page of a map, so that hardly any page is left out.
const TOUCHES_A_PAGE: usize = 4;
/// Keys that usually wait for their run under load: their list has room for them from the start. Growing by copying, it held
/// every caller up for milliseconds, twice a generation.
const UNWRITTEN_USUAL: usize = 131_072;
/// Frozen maps that may wait for the keeper.
const FROZEN_MAX: usize = 4;

/// Marks the number of a record that may have begun an operation; records' own numbers stay far below.
const BEGINS_OPERATION: u64 = 1 << 63;

/// A request key, as the index holds it.
pub(crate) type RequestKey = [u8; 16];
/// Keys with the numbers of their records.
pub(super) type KeyMap = HashMap<RequestKey, u64, BuildHasherDefault<KeyHasher>>;

/// Takes a key's own bits: keys are keyed hashes already.
#[derive(Default)]
pub(super) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = (self.0.rotate_left(29) ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn write_usize(&mut self, _length: usize) {
        // Every key has the same length.
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A map that never grows: moving a million keys would hold every caller up for tens of milliseconds.
fn empty(segment_max: usize) -> KeyMap {
    KeyMap::with_capacity_and_hasher(segment_max + segment_max / 8, BuildHasherDefault::default())
}

/// An empty map whose memory the system has handed out already. The first keys lie all over a fresh map, and each would
/// wait for a page of memory: a tenth of a second for all callers together. So nobody gets a fresh map while they wait.
fn touched(segment_max: usize) -> KeyMap {
    let mut map = empty(segment_max);
    let pages = segment_max * ENTRY_BYTES / PAGE_BYTES;
    for number in 0..(pages * TOUCHES_A_PAGE).min(segment_max) as u64 {
        let hash = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        map.insert((u128::from(hash) << 64 | u128::from(number)).to_be_bytes(), 0);
    }
    map.clear();
    map
}

/// Keys that will become a segment.
pub(super) struct Frozen {
    pub(super) keys: KeyMap,
    pub(super) last_n: u64,
    pub(super) last_at: i64,
}

/// A segment on disk.
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) tier: u32,
    pub(super) last_n: u64,
    pub(super) last_at: i64,
    pub(super) bits: u32,
    pub(super) filter: Filter,
}

/// The row of `request_block` where a segment's block stands.
pub(super) fn block_row(segment: u64, block: u64) -> i64 {
    signed((segment << SEGMENT_BITS_MAX) | block)
}

/// The block of a segment with 2^`bits` of them where `key` belongs.
pub(super) fn block_of(key: &RequestKey, bits: u32) -> u64 {
    let first = u64::from(u32::from_be_bytes([key[0], key[1], key[2], key[3]]));
    first >> (32 - bits)
}

/// What the keeper has published: replaced as a whole, so that a reader has one moment's truth.
#[derive(Clone, Default)]
pub(super) struct Index {
    pub(super) frozen: Vec<Arc<Frozen>>,
    pub(super) segments: Vec<Arc<Segment>>,
}

/// The place where the keeper publishes the index, and the engine's thread picks it up.
#[derive(Default)]
pub(super) struct Published {
    index: Mutex<Arc<Index>>,
    changes: AtomicU64,
    /// The map that takes the place of the next one that is frozen.
    spare: Mutex<Option<KeyMap>>,
}

impl Published {
    pub(super) fn change(&self, change: impl FnOnce(&mut Index)) {
        let mut index = lock(&self.index);
        let mut next = Index::clone(&index);
        change(&mut next);
        *index = Arc::new(next);
        drop(index);
        self.changes.fetch_add(1, Ordering::Release);
    }

    pub(super) fn now(&self) -> Arc<Index> {
        Arc::clone(&lock(&self.index))
    }

    /// Keeps an empty map for the next time that one is frozen.
    pub(super) fn keep_spare(&self, spare: KeyMap) {
        *lock(&self.spare) = Some(spare);
    }

    fn has_spare(&self) -> bool {
        lock(&self.spare).is_some()
    }

    fn take_spare(&self) -> Option<KeyMap> {
        lock(&self.spare).take()
    }
}

/// The keeper's part in the maps of recent keys: it has one ready when the engine's thread freezes one, and takes the
/// frozen ones back. A million keys are too much memory to get or to give back while callers wait.
pub(super) struct Spares {
    published: Arc<Published>,
    segment_max: usize,
    /// Keys that were seen since the last map came back.
    keys: usize,
    retired: Vec<Arc<Frozen>>,
}

impl Spares {
    pub(super) fn new(published: Arc<Published>, segment_max: usize) -> Self {
        Self { published, segment_max, keys: 0, retired: Vec::new() }
    }

    /// Takes a map back that is a segment now; the engine's thread may still look at it for a moment.
    pub(super) fn retire(&mut self, frozen: Arc<Frozen>) {
        self.retired.push(frozen);
    }

    /// Notes that `keys` were committed; makes a map ready once the next one will be needed.
    pub(super) fn prepare(&mut self, keys: usize) {
        self.keys += keys;
        for frozen in std::mem::take(&mut self.retired) {
            match Arc::try_unwrap(frozen) {
                Ok(Frozen { keys: mut map, .. }) => {
                    map.clear();
                    self.published.keep_spare(map);
                    self.keys = 0;
                }
                Err(used) => self.retired.push(used),
            }
        }
        if self.keys > self.segment_max / 2 && self.retired.is_empty() && !self.published.has_spare() {
            self.published.keep_spare(touched(self.segment_max));
            self.keys = 0;
        }
    }
}

/// The index, on the engine's thread.
pub(super) struct Requests {
    recent: KeyMap,
    /// Keys that no run on disk holds yet.
    unwritten: Vec<(RequestKey, u64)>,
    published: Arc<Published>,
    seen: Arc<Index>,
    changes_seen: u64,
    segment_max: usize,
}

impl Requests {
    pub(super) fn new(published: Arc<Published>, segment_max: usize) -> Self {
        let seen = published.now();
        let changes_seen = published.changes.load(Ordering::Acquire);
        let unwritten = Vec::with_capacity(UNWRITTEN_USUAL);
        Self { recent: touched(segment_max), unwritten, published, seen, changes_seen, segment_max }
    }

    /// Takes back what the runs on disk hold.
    pub(super) fn read_runs(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let failed = |error: rusqlite::Error| classify("reading the request index", &error);
        let mut select = connection.prepare("SELECT entries FROM request_run ORDER BY last_n").map_err(failed)?;
        let mut rows = select.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let entries = row.get_ref(0).and_then(|entries| Ok(entries.as_blob()?)).map_err(failed)?;
            self.recent.extend(read_entries(entries).map_err(failed)?);
        }
        Ok(())
    }

    /// Refuses a batch while too many keys wait for a disk that does not take them.
    pub(super) fn check_room(&self) -> Result<(), StoreError> {
        if self.recent.len() >= self.segment_max && self.published.now().frozen.len() >= FROZEN_MAX {
            return Err(StoreError::Unavailable("busy: the request index waits for the disk".into()));
        }
        Ok(())
    }

    /// Takes note of a committed batch's keys; gives a map to freeze when there are enough.
    pub(super) fn add(&mut self, requests: &[KnownRequest], last_n: u64, last_at: i64) -> Option<Arc<Frozen>> {
        self.recent.extend(requests.iter().map(entry));
        self.unwritten.extend(requests.iter().map(entry));
        if self.recent.len() < self.segment_max || self.published.now().frozen.len() >= FROZEN_MAX {
            return None;
        }
        let next = self.published.take_spare().unwrap_or_else(|| empty(self.segment_max));
        let keys = std::mem::replace(&mut self.recent, next);
        // The segment takes the place of the runs that it covers.
        self.unwritten.clear();
        let frozen = Arc::new(Frozen { keys, last_n, last_at });
        self.published.change(|index| index.frozen.push(Arc::clone(&frozen)));
        Some(frozen)
    }

    /// The keys since the last run, to be written beside the rows.
    pub(super) fn take_unwritten(&mut self) -> Vec<(RequestKey, u64)> {
        std::mem::replace(&mut self.unwritten, Vec::with_capacity(UNWRITTEN_USUAL))
    }

    /// The record that `key` is known from.
    pub(super) fn find(&mut self, key: &RequestKey, connection: &Connection) -> Result<Option<u64>, StoreError> {
        self.find_entry(key, connection).map(|found| found.map(record_of))
    }

    fn find_entry(&mut self, key: &RequestKey, connection: &Connection) -> Result<Option<u64>, StoreError> {
        if let Some(n) = self.recent.get(key) {
            return Ok(Some(*n));
        }
        'index: loop {
            let changes = self.published.changes.load(Ordering::Acquire);
            if changes != self.changes_seen {
                self.seen = self.published.now();
                self.changes_seen = changes;
            }
            for frozen in self.seen.frozen.iter().rev() {
                if let Some(n) = frozen.keys.get(key) {
                    return Ok(Some(*n));
                }
            }
            for segment in self.seen.segments.iter().rev().filter(|segment| segment.filter.may_have(key)) {
                match find_in_block(connection, segment, key)? {
                    InBlock::Found(n) => return Ok(Some(n)),
                    InBlock::Absent => {}
                    // The keeper merged the segment into another between our two looks.
                    InBlock::Gone if self.published.changes.load(Ordering::Acquire) != self.changes_seen => {
                        continue 'index;
                    }
                    InBlock::Gone => {
                        return Err(StoreError::Damaged(format!(
                            "segment {} of the request index lacks a block; stop, delete state.sqlite, it is rebuilt",
                            segment.number
                        )));
                    }
                }
            }
            return Ok(None);
        }
    }
}

/// A key with its record's number, marked if the record may have begun an operation.
fn entry(known: &KnownRequest) -> (RequestKey, u64) {
    (known.key, known.n | if known.begins_operation { BEGINS_OPERATION } else { 0 })
}

/// The number of the record, of an entry's second half.
pub(super) const fn record_of(marked: u64) -> u64 {
    marked & !BEGINS_OPERATION
}

/// Whether an entry's record may have begun an operation.
pub(super) const fn begins_operation(marked: u64) -> bool {
    marked & BEGINS_OPERATION != 0
}

enum InBlock {
    Found(u64),
    Absent,
    Gone,
}

fn find_in_block(connection: &Connection, segment: &Segment, key: &RequestKey) -> Result<InBlock, StoreError> {
    let failed = |error: rusqlite::Error| classify("reading the request index", &error);
    let row = block_row(segment.number, block_of(key, segment.bits));
    let mut select = connection.prepare_cached("SELECT entries FROM request_block WHERE block = ?").map_err(failed)?;
    let found = select
        .query_row([row], |row| {
            let entries = row.get_ref(0)?.as_blob()?;
            Ok(read_entries(entries)?
                .find(|(other, _)| other == key)
                .map_or(InBlock::Absent, |(_, n)| InBlock::Found(n)))
        })
        .optional()
        .map_err(failed)?;
    Ok(found.unwrap_or(InBlock::Gone))
}

/// The entries of a run or a block. One that is cut off is an error: a key that is not found is carried out again.
pub(crate) fn read_entries(bytes: &[u8]) -> rusqlite::Result<impl Iterator<Item = (RequestKey, u64)> + '_> {
    let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
    if !rest.is_empty() {
        let what = "an entry of the request index is cut off; delete state.sqlite, it is rebuilt";
        return Err(rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Blob, what.into()));
    }
    Ok(entries.iter().map(|entry| {
        let key = entry.first_chunk().copied().unwrap_or_default();
        (key, u64::from_be_bytes(entry.last_chunk().copied().unwrap_or_default()))
    }))
}

/// Adds an entry to a run or a block.
pub(crate) fn write_entry(bytes: &mut Vec<u8>, key: &RequestKey, n: u64) {
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(&n.to_be_bytes());
}

/// Writes the keys since the last run, and how far the index has come with them.
pub(super) fn write_run(connection: &Connection, keys: &[(RequestKey, u64)], until: u64) -> rusqlite::Result<()> {
    if !keys.is_empty() {
        let mut entries = Vec::with_capacity(keys.len() * ENTRY_BYTES);
        for (key, n) in keys {
            write_entry(&mut entries, key, *n);
        }
        connection
            .prepare_cached("INSERT OR REPLACE INTO request_run (last_n, entries) VALUES (?, ?)")?
            .execute(params![signed(until), entries])?;
    }
    connection
        .prepare_cached("UPDATE progress SET requests_until = max(requests_until, ?)")?
        .execute([signed(until)])?;
    Ok(())
}

/// The segments that a state file holds, with their filters.
pub(super) fn read_segments(connection: &Connection) -> Result<Vec<Arc<Segment>>, StoreError> {
    let failed = |error: rusqlite::Error| classify("reading the request index", &error);
    let mut select = connection
        .prepare(
            "SELECT segment, tier, last_n, last_at, bits, filter FROM request_segment \
             WHERE filter IS NOT NULL ORDER BY last_n",
        )
        .map_err(failed)?;
    let mut rows = select.query([]).map_err(failed)?;
    let mut segments = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let number = unsigned(row.get(0).map_err(failed)?);
        let filter = row.get_ref(5).and_then(|filter| Ok(filter.as_blob()?)).map_err(failed)?;
        let damaged = |what: &str| {
            StoreError::Damaged(format!(
                "the {what} of segment {number} cannot be read; stop, delete state.sqlite, it is rebuilt"
            ))
        };
        let filter = Filter::from_bytes(filter).ok_or_else(|| damaged("filter"))?;
        let bits: u32 = row.get(4).map_err(failed)?;
        if bits > SEGMENT_BITS_MAX {
            return Err(damaged("number of blocks"));
        }
        segments.push(Arc::new(Segment {
            number,
            tier: row.get(1).map_err(failed)?,
            last_n: unsigned(row.get(2).map_err(failed)?),
            last_at: row.get(3).map_err(failed)?,
            bits,
            filter,
        }));
    }
    Ok(segments)
}
