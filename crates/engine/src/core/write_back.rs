//! The write-back: which rows wait to be written, and when they are handed to the store.
//!
//! Every published row joins the current generation. A row that changes again while its generation is open takes the
//! place of its older self. The store works at one generation at a time.

use super::cache::{Cache, SlotId};
use crate::canary;
use crate::store::{Changed, Generation, Store, StoreError};
use domain::{Domain, Time};
use std::collections::VecDeque;

pub(super) struct WriteBack<D: Domain> {
    /// The current generation's number.
    number: u64,
    rows: Vec<Changed<D::Row>>,
    /// The first record's time in it.
    since: Option<Time>,
    /// The last record that any closed generation covers.
    closed: u64,
    /// Generations that the store has taken and not finished, with their watermarks.
    handed: VecDeque<(u64, u64)>,
    /// The last generation that is wholly on disk.
    pub done: u64,
    /// Every change up to this record is in the stored rows.
    pub watermark: u64,
}

impl<D: Domain> WriteBack<D> {
    pub fn new(watermark: u64, rows: Vec<Changed<D::Row>>) -> Self {
        Self { number: 1, rows, since: None, closed: watermark, handed: VecDeque::new(), done: 0, watermark }
    }

    /// Publishes changed rows: readers see them, and they wait to be written.
    pub fn publish(&mut self, cache: &mut Cache<D::Row>, slots: &mut Vec<SlotId>, changed: &mut Vec<Changed<D::Row>>) {
        for (id, changed) in slots.drain(..).zip(changed.drain(..)) {
            cache.publish(id, &changed.stored);
            self.put(cache, id, changed);
        }
    }

    /// Puts a published row into the current generation.
    fn put(&mut self, cache: &mut Cache<D::Row>, id: SlotId, changed: Changed<D::Row>) {
        let slot = cache.slot_mut(id);
        if slot.generation == self.number {
            self.rows[slot.generation_index as usize] = changed;
        } else {
            slot.generation = self.number;
            slot.generation_index =
                u32::try_from(self.rows.len()).expect("a generation is bounded far below 2^32 rows");
            self.rows.push(changed);
        }
    }

    /// Notes that records were committed, the last at `at`.
    pub fn committed(&mut self, at: Time) {
        self.since.get_or_insert(at);
    }

    /// The commit that ended with record `head` has saved its rows itself.
    pub fn saved(&mut self, head: u64) {
        self.closed = head;
        self.watermark = head;
        self.since = None;
    }

    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// How old the current generation is at `now`.
    pub fn age_milliseconds(&self, now: Time) -> i64 {
        self.since.map_or(0, |since| now.milliseconds_since(since))
    }

    /// Records that no closed generation covers.
    pub fn open_records(&self, head: u64) -> u64 {
        head - self.closed
    }

    /// Asks the store how far it is. With `wait`, until it has finished what it took.
    pub fn refresh(&mut self, store: &mut impl Store<D>, wait: bool) -> Result<(), StoreError> {
        if self.handed.is_empty() {
            return Ok(());
        }
        self.done = store.written_back(wait)?.max(self.done);
        while let Some(&(number, watermark)) = self.handed.front() {
            if number > self.done {
                break;
            }
            self.watermark = watermark;
            self.handed.pop_front();
        }
        Ok(())
    }

    /// Whether every row is on disk.
    pub fn is_clean(&self, head: u64) -> bool {
        self.handed.is_empty() && head == self.closed
    }

    pub fn is_idle(&self) -> bool {
        self.handed.is_empty()
    }

    /// Closes the current generation at `head` and hands it over. Without `wait` a busy store leaves it open.
    pub fn hand_over(&mut self, store: &mut impl Store<D>, head: u64, wait: bool) -> Result<(), StoreError> {
        if head == self.closed {
            return Ok(());
        }
        let mut rows = std::mem::take(&mut self.rows);
        if canary::active("generation_loses_last_row") {
            rows.pop();
        }
        let generation = Generation { number: self.number, watermark: head, rows };
        if let Some(refused) = store.write_back(generation, wait)? {
            self.rows = refused.rows;
            return Ok(());
        }
        self.handed.push_back((self.number, head));
        self.number += 1;
        self.closed = head;
        self.since = None;
        self.rows = store.spare_rows();
        Ok(())
    }
}
