//! What the keeper does for the request index: writes frozen maps as segments, merges segments, drops old ones.
//!
//! Eight segments of one tier become one of the next, so that a miss asks few filters. A merge goes slice by slice through
//! the space of keys, each slice a short transaction, between the generations of rows. A segment whose newest key is older
//! than the retention is taken away, but for the keys of operations that have not ended for so long (`expiry`). A segment
//! without a filter is one that is being made or taken away: at the next start it is taken away.
//! Start reading at [`Segments::work`].

use super::error::classify;
use super::expiry::{Expiry, IsNeeded, KEPT_KEYS_MAX};
use super::filter::Filter;
use super::journal::{signed, unsigned};
use super::keeper::sort_politely;
use super::requests::{
    Frozen, Published, RequestKey, SEGMENT_BITS_MAX, Segment, block_of, block_row, read_entries, read_segments,
    write_entry,
};
use crate::store::StoreError;
use rusqlite::{Connection, params};
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::yield_now;

/// Segments of a tier that are merged into one of the next.
const SEGMENTS_MERGED: usize = 8;
/// Entries of a block, on average: five blocks fill a page.
const BLOCK_ENTRIES: usize = 64;
/// Blocks of a new segment that are written in one transaction: less than a megabyte.
const SLICE_BLOCKS_MAX: u64 = 512;
/// Blocks written before the processor is offered to whoever waits for it.
const YIELD_BLOCKS: u64 = 32;
/// Slices of a merge.
const MERGE_SLICES_MAX: u64 = 64;
/// Blocks taken away in one transaction.
const DROP_BLOCKS_MAX: u64 = 4_096;
/// The highest tier that is still merged: a segment has at most 2^24 blocks.
const TIER_MERGED_MAX: u32 = 2;
const DAY_MILLISECONDS: i64 = 86_400_000;

/// The segments on disk, and what is under way with them.
pub(super) struct Segments {
    published: Arc<Published>,
    merge: Option<Merge>,
    expiry: Option<Expiry>,
    /// For how long a key is kept.
    retention_milliseconds: i64,
    /// What is older than this may be forgotten.
    expire_before: i64,
    dropping: VecDeque<u64>,
    next_number: u64,
}

struct Merge {
    number: u64,
    tier: u32,
    sources: Vec<Arc<Segment>>,
    bits: u32,
    slices: u64,
    next_slice: u64,
    filter: Filter,
}

impl Segments {
    /// Reads what is there and publishes it; what a crash left half made is taken away later. A key is kept for `days` after it
    /// came.
    pub(super) fn open(connection: &Connection, published: Arc<Published>, days: u32) -> Result<Self, StoreError> {
        let failed = |error: rusqlite::Error| classify("reading the request index", &error);
        let segments = read_segments(connection)?;
        published.change(|index| index.segments = segments);
        let mut select =
            connection.prepare("SELECT segment FROM request_segment WHERE filter IS NULL").map_err(failed)?;
        let dropping =
            select.query_map([], |row| row.get(0).map(unsigned)).and_then(Iterator::collect).map_err(failed)?;
        let last: i64 = connection
            .query_row("SELECT coalesce(max(segment), 0) FROM request_segment", [], |row| row.get(0))
            .map_err(failed)?;
        Ok(Self {
            published,
            merge: None,
            expiry: None,
            retention_milliseconds: i64::from(days) * DAY_MILLISECONDS,
            expire_before: i64::MIN,
            dropping,
            next_number: unsigned(last) + 1,
        })
    }

    /// Does one short piece of work, if there is any; true if there was.
    pub(super) fn work(&mut self, connection: &Connection, is_needed: IsNeeded<'_>) -> Result<bool, StoreError> {
        let failed = |error: rusqlite::Error| classify("writing the request index", &error);
        if self.merge.is_none() && self.expiry.is_none() {
            self.begin_expiry();
        }
        if self.expiry.is_some() {
            return self.go_on_with_expiry(connection, is_needed).map(|()| true);
        }
        if self.merge.is_none() {
            self.begin_merge(connection).map_err(failed)?;
        }
        if let Some(merge) = &mut self.merge {
            if merge.next_slice < merge.slices {
                return merge.write_slice(connection).map(|()| true).map_err(failed);
            }
            return self.end_merge(connection).map(|()| true).map_err(failed);
        }
        let Some(segment) = self.dropping.front().copied() else { return Ok(false) };
        if drop_blocks(connection, segment).map_err(failed)? {
            self.dropping.pop_front();
        }
        Ok(true)
    }

    /// Writes a frozen map as a segment of tier 0; what is now older than the retention may go. The blocks go in slices,
    /// with `between` after each: a million keys at once would keep the disk from the journal for long. The segment has no
    /// filter until all of it is there.
    pub(super) fn write_frozen(
        &mut self,
        connection: &Connection,
        frozen: &Arc<Frozen>,
        between: &dyn Fn() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let failed = |error: rusqlite::Error| classify("writing the request index", &error);
        let mut entries: Vec<(RequestKey, u64)> = frozen.keys.iter().map(|(key, n)| (*key, *n)).collect();
        sort_politely(&mut entries, Ord::cmp);
        let segment = self.first_tier(&entries, frozen.last_n, frozen.last_at);
        insert_segment(connection, &segment, false).map_err(failed)?;
        let mut rest = entries.as_slice();
        let (mut start, blocks) = (0, 1_u64 << segment.bits);
        while start < blocks {
            let end = blocks.min(start + SLICE_BLOCKS_MAX);
            let (slice, after) = rest.split_at(rest.partition_point(|(key, _)| block_of(key, segment.bits) < end));
            let transaction = connection.unchecked_transaction().map_err(failed)?;
            write_blocks(&transaction, &segment, start..end, slice).map_err(failed)?;
            transaction.commit().map_err(failed)?;
            (start, rest) = (end, after);
            between()?;
        }
        let write = || -> rusqlite::Result<()> {
            let transaction = connection.unchecked_transaction()?;
            insert_segment(&transaction, &segment, true)?;
            transaction.execute("DELETE FROM request_run WHERE last_n <= ?", [signed(frozen.last_n)])?;
            transaction
                .execute("UPDATE progress SET requests_until = max(requests_until, ?)", [signed(frozen.last_n)])?;
            transaction.commit()
        };
        write().map_err(failed)?;
        self.next_number += 1;
        self.published.change(|index| {
            index.segments.push(Arc::clone(&segment));
            index.frozen.retain(|other| !Arc::ptr_eq(other, frozen));
        });
        let before = frozen.last_at.saturating_sub(self.retention_milliseconds);
        self.expire_before = self.expire_before.max(before);
        Ok(())
    }

    /// A segment of tier 0 with these entries, which are sorted.
    fn first_tier(&self, entries: &[(RequestKey, u64)], last_n: u64, last_at: i64) -> Arc<Segment> {
        let mut filter = Filter::new(entries.len());
        for (key, _) in entries {
            filter.add(key);
        }
        Arc::new(Segment { number: self.next_number, tier: 0, last_n, last_at, bits: bits_for(entries.len()), filter })
    }

    /// Begins with a segment whose newest key is older than the retention, if there is one.
    fn begin_expiry(&mut self) {
        let index = self.published.now();
        let old = index.segments.iter().find(|segment| segment.last_at < self.expire_before);
        self.expiry = old.map(|segment| Expiry::new(Arc::clone(segment), self.expire_before));
    }

    /// Looks through the next blocks of the old segment. At its end what must stay is a segment of its own, to be looked at
    /// again later, and the old one goes.
    fn go_on_with_expiry(&mut self, connection: &Connection, is_needed: IsNeeded<'_>) -> Result<(), StoreError> {
        let failed = |error: rusqlite::Error| classify("writing the request index", &error);
        let Some(mut expiry) = self.expiry.take() else { return Ok(()) };
        let looked = expiry.look(connection, is_needed);
        if looked.is_ok() && (expiry.is_done() || expiry.kept.len() >= KEPT_KEYS_MAX) {
            let kept = self.keep(connection, &mut expiry).map_err(failed)?;
            let old = if expiry.is_done() { vec![expiry.segment.number] } else { Vec::new() };
            self.retire(connection, &old, kept.as_ref()).map_err(failed)?;
        }
        if !expiry.is_done() {
            self.expiry = Some(expiry);
        }
        looked
    }

    /// Writes what stays of an old segment, to be published once it is whole.
    fn keep(&mut self, connection: &Connection, expiry: &mut Expiry) -> rusqlite::Result<Option<Arc<Segment>>> {
        let mut entries = std::mem::take(&mut expiry.kept);
        if entries.is_empty() {
            return Ok(None);
        }
        entries.sort_unstable();
        let segment = self.first_tier(&entries, expiry.segment.last_n, expiry.look_again_at());
        let transaction = connection.unchecked_transaction()?;
        write_blocks(&transaction, &segment, 0..1 << segment.bits, &entries)?;
        insert_segment(&transaction, &segment, false)?;
        transaction.commit()?;
        self.next_number += 1;
        Ok(Some(segment))
    }

    fn begin_merge(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let index = self.published.now();
        let ready = (0..=TIER_MERGED_MAX).find_map(|tier| {
            let sources: Vec<_> =
                index.segments.iter().filter(|segment| segment.tier == tier).take(SEGMENTS_MERGED).cloned().collect();
            (sources.len() == SEGMENTS_MERGED).then_some((tier, sources))
        });
        let Some((tier, sources)) = ready else { return Ok(()) };
        let keys = sources.iter().map(|source| source.filter.keys()).sum();
        let bits = bits_for(keys);
        let smallest = sources.iter().map(|source| source.bits).chain([bits]).min().unwrap_or(0);
        let merge = Merge {
            number: self.next_number,
            tier: tier + 1,
            bits,
            slices: MERGE_SLICES_MAX.min(1 << smallest),
            next_slice: 0,
            filter: Filter::new(keys),
            sources,
        };
        insert_segment(connection, &merge.segment(Filter::new(0)), false)?;
        self.next_number += 1;
        self.merge = Some(merge);
        Ok(())
    }

    fn end_merge(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let Some(mut merge) = self.merge.take() else { return Ok(()) };
        let filter = std::mem::replace(&mut merge.filter, Filter::new(0));
        let segment = Arc::new(merge.segment(filter));
        let old: Vec<u64> = merge.sources.iter().map(|source| source.number).collect();
        let result = self.retire(connection, &old, Some(&segment));
        if result.is_err() {
            // Nothing was published: the merge begins anew, and what it wrote is taken away.
            self.dropping.push_back(segment.number);
        }
        result
    }

    /// Publishes `new` in the place of `old`, whose blocks may then be taken away.
    fn retire(&mut self, connection: &Connection, old: &[u64], new: Option<&Arc<Segment>>) -> rusqlite::Result<()> {
        let transaction = connection.unchecked_transaction()?;
        if let Some(segment) = new {
            insert_segment(&transaction, segment, true)?;
        }
        for number in old {
            transaction.execute("UPDATE request_segment SET filter = NULL WHERE segment = ?", [signed(*number)])?;
        }
        transaction.commit()?;
        self.published.change(|index| {
            index.segments.retain(|segment| !old.contains(&segment.number));
            index.segments.extend(new.cloned());
            index.segments.sort_by_key(|segment| segment.last_n);
        });
        self.dropping.extend(old);
        Ok(())
    }
}

impl Merge {
    fn segment(&self, filter: Filter) -> Segment {
        Segment {
            number: self.number,
            tier: self.tier,
            last_n: self.sources.iter().map(|source| source.last_n).max().unwrap_or(0),
            last_at: self.sources.iter().map(|source| source.last_at).max().unwrap_or(0),
            bits: self.bits,
            filter,
        }
    }

    /// Merges the next slice of the space of keys.
    fn write_slice(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let (slice, slices) = (self.next_slice, self.slices);
        let span = |bits: u32| {
            let blocks = (1_u64 << bits) / slices;
            slice * blocks..(slice + 1) * blocks
        };
        let transaction = connection.unchecked_transaction()?;
        let mut entries: Vec<(RequestKey, u64)> = Vec::new();
        for source in &self.sources {
            let blocks = span(source.bits);
            let mut select = transaction
                .prepare_cached("SELECT entries FROM request_block WHERE block >= ? AND block < ? ORDER BY block")?;
            let mut rows =
                select.query([block_row(source.number, blocks.start), block_row(source.number, blocks.end)])?;
            while let Some(row) = rows.next()? {
                entries.extend(read_entries(row.get_ref(0)?.as_blob()?)?);
            }
        }
        sort_politely(&mut entries, Ord::cmp);
        write_blocks(&transaction, &self.segment(Filter::new(0)), span(self.bits), &entries)?;
        transaction.commit()?;
        for (key, _) in &entries {
            self.filter.add(key);
        }
        yield_now();
        self.next_slice += 1;
        Ok(())
    }
}

/// The exponent that gives blocks of about [`BLOCK_ENTRIES`].
fn bits_for(entries: usize) -> u32 {
    entries.div_ceil(BLOCK_ENTRIES).next_power_of_two().ilog2().min(SEGMENT_BITS_MAX)
}

/// Writes every block of `blocks`, empty ones too; `entries` are sorted and belong into them.
fn write_blocks(
    connection: &Connection,
    segment: &Segment,
    blocks: std::ops::Range<u64>,
    entries: &[(RequestKey, u64)],
) -> rusqlite::Result<()> {
    let mut insert =
        connection.prepare_cached("INSERT OR REPLACE INTO request_block (block, entries) VALUES (?, ?)")?;
    let mut rest = entries.iter().peekable();
    let mut bytes = Vec::new();
    for block in blocks {
        if block.is_multiple_of(YIELD_BLOCKS) {
            yield_now();
        }
        bytes.clear();
        while let Some((key, n)) = rest.next_if(|(key, _)| block_of(key, segment.bits) == block) {
            write_entry(&mut bytes, key, *n);
        }
        insert.execute(params![block_row(segment.number, block), bytes])?;
    }
    assert!(rest.next().is_none(), "every entry belongs into one of the blocks");
    Ok(())
}

fn insert_segment(connection: &Connection, segment: &Segment, whole: bool) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT OR REPLACE INTO request_segment (segment, tier, last_n, last_at, bits, filter) \
         VALUES (?, ?, ?, ?, ?, ?)",
        params![
            signed(segment.number),
            segment.tier,
            signed(segment.last_n),
            segment.last_at,
            segment.bits,
            whole.then(|| segment.filter.to_bytes())
        ],
    )?;
    Ok(())
}

/// Takes some blocks of a segment away; true once nothing is left of it.
fn drop_blocks(connection: &Connection, segment: u64) -> rusqlite::Result<bool> {
    let transaction = connection.unchecked_transaction()?;
    let dropped = transaction
        .prepare_cached(
            "DELETE FROM request_block WHERE block IN \
             (SELECT block FROM request_block WHERE block >= ? AND block < ? ORDER BY block LIMIT ?)",
        )?
        .execute([block_row(segment, 0), block_row(segment + 1, 0), signed(DROP_BLOCKS_MAX)])?;
    let done = dropped == 0;
    if done {
        transaction.execute("DELETE FROM request_segment WHERE segment = ?", [signed(segment)])?;
    }
    transaction.commit()?;
    Ok(done)
}
