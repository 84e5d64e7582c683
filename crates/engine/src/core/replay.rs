//! Replay: a restart applies the journal's tail to the stored rows.
//!
//! A row on disk may be newer than the watermark: a touch that it already has is skipped. A touch that would skip a
//! version is damage, and so is a broken chain: the core then opens read-only. Nothing is ever guessed.

use super::Core;
use super::decide::panic_message;
use crate::canary;
use crate::record::{Record, SealedRecord, Touch, chain};
use crate::store::{Head, Store, StoreError};
use domain::{Domain, Key};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::sync_channel;
use std::thread;

/// Pages that are read ahead of the one that is applied.
const PAGES_AHEAD: usize = 2;

/// Checks the chain of the tail, page by page, and decodes it.
struct PageReader<D> {
    head: Head,
    n: u64,
    hash: [u8; 32],
    domain: PhantomData<fn() -> D>,
}

impl<D: Domain> PageReader<D> {
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
        self.hash = chain(D::NAME, self.head.epoch, &self.hash, place, sealed.at, &sealed.bytes);
        if self.hash != sealed.hash {
            return Err(StoreError::Damaged(format!("record {n} was changed: its hash does not fit")));
        }
        self.n = n;
        Record::<D>::decode(sealed)
    }
}

impl<D: Domain, S: Store<D>> Core<D, S> {
    /// Replays every record after `watermark`.
    pub(super) fn replay(&mut self, watermark: u64) -> Result<(), StoreError> {
        let head = self.head;
        if watermark > head.place.n {
            return Err(StoreError::Damaged(format!(
                "the rows are written up to record {watermark}, the journal ends at {}",
                head.place.n
            )));
        }
        let before = self.hash_at(watermark)?;
        let reader = PageReader::<D> { head, n: watermark, hash: before, domain: PhantomData };
        let hash = if head.place.n - watermark <= self.page_records() {
            self.replay_here(watermark, reader)?
        } else {
            self.replay_beside(watermark, reader)?
        };
        if hash == head.hash {
            Ok(())
        } else {
            Err(StoreError::Damaged(format!("the head's hash is not that of record {}", head.place.n)))
        }
    }

    fn page_records(&self) -> u64 {
        u64::try_from(self.options.replay_page_records_max).unwrap_or(u64::MAX)
    }

    /// One page after the other on this thread.
    fn replay_here(&mut self, watermark: u64, mut reader: PageReader<D>) -> Result<[u8; 32], StoreError> {
        let mut asked = watermark;
        while asked < self.head.place.n {
            let page = self.read_page(&mut asked)?;
            let records = reader.take(&page)?;
            self.apply_page(&records)?;
        }
        Ok(reader.hash)
    }

    /// A second thread checks the hashes of a page and decodes it while this one reads and applies the others.
    fn replay_beside(&mut self, watermark: u64, mut reader: PageReader<D>) -> Result<[u8; 32], StoreError> {
        let (pages, to_read) = sync_channel::<Vec<SealedRecord>>(PAGES_AHEAD);
        let (taken, records) = sync_channel::<Result<(Vec<Record<D>>, [u8; 32]), StoreError>>(PAGES_AHEAD);
        let mut hash = reader.hash;
        // Moved in, so that the channels close before the scope waits for its thread.
        thread::scope(move |scope| {
            scope.spawn(move || {
                for page in to_read {
                    // Whoever waited may have given up: then nobody wants more.
                    if taken.send(reader.take(&page).map(|records| (records, reader.hash))).is_err() {
                        return;
                    }
                }
            });
            let (mut asked, mut ahead) = (watermark, 0);
            loop {
                while ahead < PAGES_AHEAD && asked < self.head.place.n {
                    let page = self.read_page(&mut asked)?;
                    pages.send(page).map_err(|_| StoreError::Damaged("the journal's reader panicked".into()))?;
                    ahead += 1;
                }
                if ahead == 0 {
                    return Ok(hash);
                }
                let next =
                    records.recv().map_err(|_| StoreError::Damaged("the journal's reader panicked".into()))??;
                ahead -= 1;
                hash = next.1;
                self.apply_page(&next.0)?;
            }
        })
    }

    fn read_page(&mut self, asked: &mut u64) -> Result<Vec<SealedRecord>, StoreError> {
        let page = self.store.read(*asked + 1, self.options.replay_page_records_max)?;
        if page.is_empty() {
            return Err(StoreError::Damaged(format!("record {} is missing", *asked + 1)));
        }
        *asked += u64::try_from(page.len()).unwrap_or(u64::MAX);
        Ok(page)
    }

    /// Applies a page. The write-back waits for the end, unless the tail is longer than a tail may be: then the rows are
    /// made anew from the whole journal.
    fn apply_page(&mut self, records: &[Record<D>]) -> Result<(), StoreError> {
        self.replay_page(records)?;
        let Some(last) = records.last() else { return Ok(()) };
        self.write_back.committed(last.at);
        if last.place.n - self.write_back.watermark >= self.options.tail_events_max {
            self.tend(last.place.n, false)?;
        }
        Ok(())
    }

    fn hash_at(&mut self, n: u64) -> Result<[u8; 32], StoreError> {
        if n == 0 {
            return Ok([0; 32]);
        }
        let page = self.store.read(n, 1)?;
        let sealed = page.first().filter(|sealed| sealed.place.n == n);
        sealed.map(|sealed| sealed.hash).ok_or_else(|| StoreError::Damaged(format!("record {n} is missing")))
    }

    fn replay_page(&mut self, records: &[Record<D>]) -> Result<(), StoreError> {
        for record in records {
            for touch in &record.entry.touched {
                self.add_missing(touch.key);
            }
        }
        self.load_missing()?;
        for record in records {
            self.replay_record(record)?;
        }
        self.changed_slots.clear();
        self.changed.clear();
        self.cache.take_overlay(&mut self.changed_slots, &mut self.changed);
        self.publish();
        Ok(())
    }

    fn replay_record(&mut self, record: &Record<D>) -> Result<(), StoreError> {
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
        let slot = self.add_missing(touch.key);
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
