//! Replay: a restart applies the journal's tail to the stored rows.
//!
//! A row on disk may be newer than the watermark: a touch that it already has is skipped. A touch that would skip a
//! version is damage, and so is a broken chain: the core then opens read-only. Nothing is ever guessed.

use super::Core;
use super::decide::panic_message;
use crate::canary;
use crate::record::{Record, SealedRecord, Touch, chain};
use crate::store::{Store, StoreError};
use domain::{Domain, Key};
use std::panic::{AssertUnwindSafe, catch_unwind};

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
        let mut hash = self.hash_at(watermark)?;
        let mut n = watermark;
        while n < head.place.n {
            let page = self.store.read(n + 1, self.options.replay_page_records_max)?;
            if page.is_empty() {
                return Err(StoreError::Damaged(format!("record {} is missing", n + 1)));
            }
            let mut records = Vec::with_capacity(page.len());
            for sealed in &page {
                n += 1;
                hash = self.verify(sealed, n, &hash)?;
                records.push(Record::<D>::decode(sealed)?);
            }
            drop(page);
            self.replay_page(&records)?;
            if let Some(last) = records.last() {
                self.write_back.committed(last.at);
            }
            self.tend(n, false)?;
        }
        if hash == head.hash {
            Ok(())
        } else {
            Err(StoreError::Damaged(format!("the head's hash is not that of record {n}")))
        }
    }

    fn hash_at(&mut self, n: u64) -> Result<[u8; 32], StoreError> {
        if n == 0 {
            return Ok([0; 32]);
        }
        let page = self.store.read(n, 1)?;
        let sealed = page.first().filter(|sealed| sealed.place.n == n);
        sealed.map(|sealed| sealed.hash).ok_or_else(|| StoreError::Damaged(format!("record {n} is missing")))
    }

    fn verify(&self, sealed: &SealedRecord, n: u64, before: &[u8; 32]) -> Result<[u8; 32], StoreError> {
        let place = sealed.place;
        if place.n != n || place.lane != self.head.place.lane {
            return Err(StoreError::Damaged(format!("record {n} is missing; {} follows", place.n)));
        }
        let hash = chain(D::NAME, self.head.epoch, before, place, sealed.at, &sealed.bytes);
        if hash == sealed.hash {
            Ok(hash)
        } else {
            Err(StoreError::Damaged(format!("record {n} was changed: its hash does not fit")))
        }
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
