//! Replay: a restart applies the journal's tail to the stored rows.
//!
//! A row on disk may be newer than the watermark: a touch that it already has is skipped. A touch that would skip a
//! version is damage, and so is a broken chain: the core then opens read-only. Nothing is ever guessed.
//!
//! Three threads share the work, page by page: this one reads records and the rows that they touch, one checks the chain
//! and decodes ([`Checker`]), one applies ([`Applier`]). Start reading at [`Core::replay`].

use super::Core;
use super::cache::{Cache, SlotId};
use super::decide::panic_message;
use super::write_back::WriteBack;
use crate::canary;
use crate::record::{Epochs, Record, SealedRecord, Touch};
use crate::store::{Changed, Head, Store, StoreError, Stored};
use domain::{Domain, Key};
use hashbrown::HashSet;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Pages that wait for the thread behind.
const PAGES_AHEAD: usize = 2;
/// A tail is replayed in this many spans: between two of them rows may leave the cache.
const SPANS_A_TAIL: u64 = 4;

/// Checks the chain of the tail, page by page, and decodes it.
struct Checker<D> {
    head: Head,
    n: u64,
    hash: [u8; 32],
    epochs: Epochs,
    domain: PhantomData<fn() -> D>,
}

impl<D: Domain> Checker<D> {
    /// A panic of the domain's decoding is damage of the record that it met: the thread that reads ahead must not end
    /// without a word.
    fn take(&mut self, page: &[SealedRecord]) -> Result<Vec<Record<D>>, StoreError> {
        let taken = catch_unwind(AssertUnwindSafe(|| page.iter().map(|sealed| self.take_record(sealed)).collect()));
        taken.unwrap_or_else(|panic| {
            let what = panic_message(panic.as_ref());
            Err(StoreError::Damaged(format!("record {} cannot be read: {what}", self.n)))
        })
    }

    fn take_record(&mut self, sealed: &SealedRecord) -> Result<Record<D>, StoreError> {
        let (n, place) = (self.n + 1, sealed.place);
        if place.n != n || place.lane != self.head.place.lane {
            return Err(StoreError::Damaged(format!("record {n} is missing; {} follows", place.n)));
        }
        let stored = (place, sealed.at, sealed.bytes.as_slice());
        self.hash = self.epochs.chain(D::NAME, &self.hash, stored, &sealed.hash);
        if self.hash != sealed.hash {
            return Err(StoreError::Damaged(format!("record {n} was changed: its hash does not fit")));
        }
        self.n = n;
        Record::<D>::decode(sealed)
    }
}

impl<D: Domain, S: Store<D>> Core<D, S> {
    /// Replays every record after `watermark`. The write-back waits for the end, unless the tail is longer than a tail may
    /// be: then the rows are made anew from the whole journal.
    pub(super) fn replay(&mut self, watermark: u64) -> Result<(), StoreError> {
        let head = self.head;
        if watermark > head.place.n {
            return Err(StoreError::Damaged(format!(
                "the rows are written up to record {watermark}, the journal ends at {}",
                head.place.n
            )));
        }
        let hash = self.hash_at(watermark)?;
        let mut checker =
            Checker::<D> { head, n: watermark, hash, epochs: Epochs::until(head.epoch), domain: PhantomData };
        let mut loaded = HashSet::new();
        let span = (self.options.tail_events_max / SPANS_A_TAIL).max(1);
        while checker.n < head.place.n {
            let until = head.place.n.min(checker.n + span);
            checker = self.replay_span(checker, until, &mut loaded)?;
            if until - self.write_back.watermark >= self.options.tail_events_max {
                self.tend(until, false)?;
                loaded.clear();
            }
        }
        if checker.hash == head.hash {
            Ok(())
        } else {
            Err(StoreError::Damaged(format!("the head's hash is not that of record {}", head.place.n)))
        }
    }

    /// Replays the records after those that `checker` has seen, up to `until`. `loaded` are keys whose rows the cache has.
    fn replay_span(
        &mut self,
        mut checker: Checker<D>,
        until: u64,
        loaded: &mut HashSet<Key>,
    ) -> Result<Checker<D>, StoreError> {
        let Self { store, cache, write_back, changed_slots, changed, options, .. } = self;
        let (pages, to_check) = sync_channel::<Vec<SealedRecord>>(PAGES_AHEAD);
        let (decoded, records) = sync_channel(PAGES_AHEAD);
        let (ready, to_apply) = sync_channel(PAGES_AHEAD);
        let mut reader =
            Reader { store, loaded, asked: checker.n, until, page_records_max: options.replay_page_records_max };
        let mut applier = Applier { cache, write_back, changed_slots, changed };
        // Moved in, so that the channels close before the scope waits for its threads.
        thread::scope(move |scope| {
            let checking = scope.spawn(move || {
                for page in to_check {
                    // Whoever waited may have given up: then nobody wants more.
                    if decoded.send(checker.take(&page)).is_err() {
                        break;
                    }
                }
                checker
            });
            let applying = scope.spawn(move || to_apply.into_iter().try_for_each(|page| applier.apply(page)));
            let read = reader.read_all(&pages, &records, &ready);
            drop((pages, records, ready));
            // What the applier found lies before whatever stopped the reader.
            applying.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            read?;
            Ok(checking.join().unwrap_or_else(|panic| resume_unwind(panic)))
        })
    }

    fn hash_at(&mut self, n: u64) -> Result<[u8; 32], StoreError> {
        if n == 0 {
            return Ok([0; 32]);
        }
        let page = self.store.read(n, 1)?;
        let sealed = page.first().filter(|sealed| sealed.place.n == n);
        sealed.map(|sealed| sealed.hash).ok_or_else(|| StoreError::Damaged(format!("record {n} is missing")))
    }
}

/// Records, and the rows that they touch as the store has them, each once.
struct Page<D: Domain> {
    records: Vec<Record<D>>,
    keys: Vec<Key>,
    rows: Vec<Option<Stored<D::Row>>>,
}

/// Reads the records of a span, and their rows.
struct Reader<'a, S> {
    store: &'a mut S,
    loaded: &'a mut HashSet<Key>,
    asked: u64,
    until: u64,
    page_records_max: usize,
}

impl<S> Reader<'_, S> {
    fn read_all<D: Domain>(
        &mut self,
        pages: &SyncSender<Vec<SealedRecord>>,
        decoded: &Receiver<Result<Vec<Record<D>>, StoreError>>,
        ready: &SyncSender<Page<D>>,
    ) -> Result<(), StoreError>
    where
        S: Store<D>,
    {
        let panicked = || StoreError::Damaged("the journal's checker panicked".into());
        let mut ahead = 0;
        loop {
            while ahead < PAGES_AHEAD && self.asked < self.until {
                pages.send(self.read_page()?).map_err(|_| panicked())?;
                ahead += 1;
            }
            if ahead == 0 {
                return Ok(());
            }
            let records = decoded.recv().map_err(|_| panicked())??;
            ahead -= 1;
            if ready.send(self.load_rows(records)?).is_err() {
                // The applier gave up, and says why.
                return Ok(());
            }
        }
    }

    fn read_page<D: Domain>(&mut self) -> Result<Vec<SealedRecord>, StoreError>
    where
        S: Store<D>,
    {
        let left = usize::try_from(self.until - self.asked).unwrap_or(usize::MAX);
        let page = self.store.read(self.asked + 1, left.min(self.page_records_max))?;
        if page.is_empty() {
            return Err(StoreError::Damaged(format!("record {} is missing", self.asked + 1)));
        }
        self.asked += u64::try_from(page.len()).unwrap_or(u64::MAX);
        Ok(page)
    }

    /// Adds the stored rows that `records` touch and nobody has loaded yet, in the order of their keys.
    fn load_rows<D: Domain>(&mut self, records: Vec<Record<D>>) -> Result<Page<D>, StoreError>
    where
        S: Store<D>,
    {
        let touched = records.iter().flat_map(|record| &record.entry.touched).map(|touch| touch.key);
        let mut keys: Vec<Key> = touched.filter(|&key| self.loaded.insert(key)).collect();
        keys.sort_unstable();
        let rows = self.store.load(&keys)?;
        if rows.len() != keys.len() {
            return Err(StoreError::Damaged(format!("{} rows were asked for, {} came", keys.len(), rows.len())));
        }
        Ok(Page { records, keys, rows })
    }
}

/// Applies records to the rows of the cache, which the write-back then keeps in mind.
struct Applier<'a, D: Domain> {
    cache: &'a mut Cache<D::Row>,
    write_back: &'a mut WriteBack<D>,
    changed_slots: &'a mut Vec<SlotId>,
    changed: &'a mut Vec<Changed<D::Row>>,
}

impl<D: Domain> Applier<'_, D> {
    fn apply(&mut self, page: Page<D>) -> Result<(), StoreError> {
        for (key, stored) in page.keys.into_iter().zip(page.rows) {
            let slot = self.cache.find_or_add(key);
            // A row that the cache has already is no older than the stored one.
            if !self.cache.slot(slot).loaded {
                self.cache.fill(slot, stored);
            }
        }
        for record in &page.records {
            self.apply_record(record)?;
        }
        self.changed_slots.clear();
        self.changed.clear();
        self.cache.take_overlay(self.changed_slots, self.changed);
        self.write_back.publish(self.cache, self.changed_slots, self.changed);
        if let Some(last) = page.records.last() {
            self.write_back.committed(last.at);
        }
        Ok(())
    }

    fn apply_record(&mut self, record: &Record<D>) -> Result<(), StoreError> {
        let n = record.place.n;
        let mut applied = Vec::with_capacity(record.entry.touched.len());
        for touch in &record.entry.touched {
            applied.push(self.opens(record, touch)?);
        }
        let mut keys = Vec::new();
        for event in &record.entry.events {
            keys.clear();
            D::touches(event, &mut keys);
            for &key in &keys {
                let Some(position) = record.entry.touched.iter().position(|touch| touch.key == key) else {
                    return Err(damaged(n, key, "is changed by an event, but not listed"));
                };
                if let Some(index) = applied[position] {
                    let row = self.cache.evolved_mut(index);
                    catch_unwind(AssertUnwindSafe(|| D::evolve(key, row, event)))
                        .map_err(|panic| damaged(n, key, &panic_message(panic.as_ref())))?;
                }
            }
        }
        Ok(())
    }

    /// Opens the touched row if it lacks the record; `None` if it has it.
    fn opens(&mut self, record: &Record<D>, touch: &Touch) -> Result<Option<usize>, StoreError> {
        let n = record.place.n;
        let slot = self.cache.find_or_add(touch.key);
        assert!(self.cache.slot(slot).loaded, "every touched row was loaded with its page");
        let (version, place) = self.cache.version(slot);
        if touch.version <= version && !canary::active("replay_skips_version_check") {
            return Ok(None);
        }
        if touch.version > version + 1 {
            let what = format!("is at version {version}, the record makes version {}", touch.version);
            return Err(damaged(n, touch.key, &what));
        }
        if touch.version == version + 1 && touch.previous != place {
            let what = format!("was last changed by record {}, the record says {}", place.n, touch.previous.n);
            return Err(damaged(n, touch.key, &what));
        }
        Ok(Some(self.cache.touch(slot, record.place).0))
    }
}

fn damaged(n: u64, key: Key, what: &str) -> StoreError {
    StoreError::Damaged(format!("record {n}: row {} of table {} {what}", key.id, key.table.0))
}
