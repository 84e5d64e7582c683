//! The cache: the published rows, and the overlay that a batch evolves on top of them.
//!
//! One slot a row. A batch finds each row's slot once, by one hash, and works by slot number from then on. What a batch
//! changes lives in the overlay until the commit; nothing else may see it.
//!
//! Most rows are made, and never asked for again: payments. So a new row waits in a line of its own, and at its end leaves
//! unless somebody asked for it meanwhile; those that stay, and those that came from disk, leave in the order of a clock's
//! hand. No row leaves before the generation that holds its last change is on disk.

use crate::record::Place;
use crate::store::{Changed, Stored};
use domain::Key;
use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;

/// A slot's number.
pub(super) type SlotId = u32;
/// No overlay row.
const NONE: u32 = u32::MAX;
/// One in so many rows of the cache may be new and not asked for again.
const FRESH_SHARE: usize = 8;
/// Slots that are looked at, at most, for each row that should leave.
const HAND_SLOTS_A_ROW: usize = 8;
/// Slots that may be looked at in any case.
const HAND_SLOTS_MIN: usize = 1_024;

/// A row as it is published.
#[derive(Debug)]
pub(super) struct Slot<R> {
    key: Key,
    /// Free slots keep their place in the list.
    occupied: bool,
    /// Whether the store was asked for it.
    pub loaded: bool,
    /// Who lets it leave.
    leaves: Leaves,
    /// Asked for by a later batch than the one that added it: passed over once.
    referenced: bool,
    /// The batch that added it.
    added: u32,
    /// The row; `None` if it never was, or was deleted.
    pub row: Option<Arc<R>>,
    pub version: u64,
    pub place: Place,
    /// The last generation that holds a change of it; 0 for none.
    pub generation: u64,
    /// Where it stands in that generation.
    pub generation_index: u32,
    overlay: u32,
}

/// How a row leaves the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaves {
    /// At the end of the line of new rows.
    InLine,
    /// When the hand comes by.
    ByHand,
}

/// A row as the running batch has it.
struct Evolved<R> {
    slot: SlotId,
    row: Option<R>,
    version: u64,
    place: Place,
}

/// What an overlay row was before the running command, so that one command can be taken back.
struct Undo<R> {
    slot: SlotId,
    before: Option<(Option<R>, u64, Place)>,
}

impl<R> Slot<R> {
    fn new(key: Key, added: u32) -> Self {
        Self {
            key,
            occupied: true,
            loaded: false,
            leaves: Leaves::ByHand,
            referenced: false,
            added,
            row: None,
            version: 0,
            place: Place::default(),
            generation: 0,
            generation_index: 0,
            overlay: NONE,
        }
    }
}

pub(super) struct Cache<R> {
    slots: Vec<Slot<R>>,
    free: Vec<SlotId>,
    index: HashTable<SlotId>,
    hasher: DefaultHashBuilder,
    hand: usize,
    /// The line of new rows, the oldest first.
    fresh: VecDeque<SlotId>,
    /// Batches, counted around.
    batch: u32,
    overlay: Vec<Evolved<R>>,
    undo: Vec<Undo<R>>,
    /// Whether commands can be taken back one by one: only while a batch with a defect runs again.
    undoable: bool,
    /// Each key's hash, and the slot that the index names first for it.
    guesses: Vec<(u64, SlotId)>,
}

impl<R: Clone> Cache<R> {
    pub fn new(rows: usize) -> Self {
        Self {
            slots: Vec::with_capacity(rows),
            free: Vec::new(),
            index: HashTable::with_capacity(rows),
            hasher: DefaultHashBuilder::default(),
            hand: 0,
            fresh: VecDeque::new(),
            batch: 0,
            overlay: Vec::new(),
            undo: Vec::new(),
            undoable: false,
            guesses: Vec::new(),
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub fn slot(&self, id: SlotId) -> &Slot<R> {
        &self.slots[id as usize]
    }

    pub fn slot_mut(&mut self, id: SlotId) -> &mut Slot<R> {
        &mut self.slots[id as usize]
    }

    fn find(&self, key: Key) -> Option<SlotId> {
        self.index.find(self.hasher.hash_one(key), |&id| self.slots[id as usize].key == key).copied()
    }

    /// The slots of `keys`, added to `slots` in order.
    ///
    /// The rows lie all over the memory. Each pass does one step for every key, so that the processor waits for many of
    /// them at once: first where the index points, then the slots, then the rows that decide will read.
    pub fn find_or_add_all(&mut self, keys: &[Key], slots: &mut Vec<SlotId>) {
        self.guesses.clear();
        for key in keys {
            let hash = self.hasher.hash_one(key);
            let mut guess = NONE;
            self.index.find(hash, |&id| {
                guess = id;
                true
            });
            self.guesses.push((hash, guess));
        }
        let first = slots.len();
        for (index, key) in keys.iter().enumerate() {
            let (hash, guess) = self.guesses[index];
            slots.push(match self.slots.get_mut(guess as usize) {
                Some(slot) if slot.key == *key => {
                    slot.referenced |= slot.added != self.batch;
                    guess
                }
                Some(_) | None => self.find_or_add_hashed(*key, hash),
            });
        }
        let rows = slots[first..].iter().filter_map(|&id| self.slots[id as usize].row.as_ref());
        std::hint::black_box(rows.map(Arc::strong_count).sum::<usize>());
    }

    /// The slot of `key`; a new one is not loaded yet.
    pub fn find_or_add(&mut self, key: Key) -> SlotId {
        self.find_or_add_hashed(key, self.hasher.hash_one(key))
    }

    fn find_or_add_hashed(&mut self, key: Key, hash: u64) -> SlotId {
        let Self { slots, free, index, hasher, batch, .. } = self;
        let entry =
            index.entry(hash, |&id| slots[id as usize].key == key, |&id| hasher.hash_one(slots[id as usize].key));
        let vacant = match entry {
            Entry::Occupied(occupied) => {
                let id = *occupied.get();
                let slot = &mut slots[id as usize];
                slot.referenced |= slot.added != *batch;
                return id;
            }
            Entry::Vacant(vacant) => vacant,
        };
        let slot = Slot::new(key, *batch);
        let id = if let Some(id) = free.pop() {
            slots[id as usize] = slot;
            id
        } else {
            slots.push(slot);
            SlotId::try_from(slots.len() - 1).expect("the cache is bounded far below 2^32 rows")
        };
        vacant.insert(id);
        id
    }

    /// Fills a new slot with what the store has.
    pub fn fill(&mut self, id: SlotId, stored: Option<Stored<R>>) {
        let slot = &mut self.slots[id as usize];
        slot.loaded = true;
        if let Some(stored) = stored {
            slot.row = stored.row;
            slot.version = stored.version;
            slot.place = stored.place;
        } else {
            slot.leaves = Leaves::InLine;
            self.fresh.push_back(id);
        }
    }

    fn remove(&mut self, id: SlotId) {
        let key = self.slots[id as usize].key;
        let hash = self.hasher.hash_one(key);
        if let Ok(entry) = self.index.find_entry(hash, |&other| other == id) {
            entry.remove();
            let slot = &mut self.slots[id as usize];
            slot.occupied = false;
            slot.row = None;
            self.free.push(id);
        }
    }

    /// The row as the running batch sees it.
    pub fn current(&self, id: SlotId) -> Option<&R> {
        let slot = &self.slots[id as usize];
        if slot.overlay == NONE { slot.row.as_deref() } else { self.overlay[slot.overlay as usize].row.as_ref() }
    }

    /// The row as it is published.
    pub fn published(&self, id: SlotId) -> Option<&R> {
        self.slots[id as usize].row.as_deref()
    }

    /// Whether the running batch has changed the row.
    pub fn is_evolved(&self, id: SlotId) -> bool {
        self.slots[id as usize].overlay != NONE
    }

    /// The row's version as the running batch has it, and the place that made it so.
    pub fn version(&self, id: SlotId) -> (u64, Place) {
        let slot = &self.slots[id as usize];
        if slot.overlay == NONE {
            (slot.version, slot.place)
        } else {
            let evolved = &self.overlay[slot.overlay as usize];
            (evolved.version, evolved.place)
        }
    }

    /// Opens the row for the record at `place`. Returns the overlay's index; at the record's first touch also the new
    /// version, one more than before, and the place of the row's record before.
    pub fn touch(&mut self, id: SlotId, place: Place) -> (usize, Option<(u64, Place)>) {
        let slot = &mut self.slots[id as usize];
        if slot.overlay == NONE {
            slot.overlay = u32::try_from(self.overlay.len()).expect("a batch changes far fewer than 2^32 rows");
            let row = slot.row.as_deref().cloned();
            self.overlay.push(Evolved { slot: id, row, version: slot.version, place: slot.place });
            if self.undoable {
                self.undo.push(Undo { slot: id, before: None });
            }
        } else {
            let evolved = &self.overlay[slot.overlay as usize];
            if evolved.place == place {
                return (slot.overlay as usize, None);
            }
            if self.undoable {
                let before = Some((evolved.row.clone(), evolved.version, evolved.place));
                self.undo.push(Undo { slot: id, before });
            }
        }
        let index = slot.overlay as usize;
        let evolved = &mut self.overlay[index];
        let previous = evolved.place;
        evolved.version += 1;
        evolved.place = place;
        (index, Some((evolved.version, previous)))
    }

    /// The overlay row that [`Cache::touch`] opened.
    pub fn evolved_mut(&mut self, index: usize) -> &mut Option<R> {
        &mut self.overlay[index].row
    }

    /// From here on single commands can be taken back; each begins with [`Cache::begin_command`].
    pub fn set_undoable(&mut self, undoable: bool) {
        self.undoable = undoable;
        self.undo.clear();
    }

    pub fn begin_command(&mut self) {
        self.undo.clear();
    }

    /// Takes back what the running command changed.
    pub fn undo_command(&mut self) {
        while let Some(undo) = self.undo.pop() {
            let slot = &mut self.slots[undo.slot as usize];
            if let Some((row, version, place)) = undo.before {
                self.overlay[slot.overlay as usize] = Evolved { slot: undo.slot, row, version, place };
            } else {
                // Rows that the command opened first stand at the overlay's end, in the order of the undo list.
                slot.overlay = NONE;
                self.overlay.pop();
            }
        }
    }

    /// Takes the whole overlay away, ready to be stored: the slots, and what their rows become.
    pub fn take_overlay(&mut self, slots: &mut Vec<SlotId>, changed: &mut Vec<Changed<R>>) {
        self.undo.clear();
        self.batch = self.batch.wrapping_add(1);
        for evolved in self.overlay.drain(..) {
            let slot = &mut self.slots[evolved.slot as usize];
            slot.overlay = NONE;
            slots.push(evolved.slot);
            let stored = Stored { version: evolved.version, place: evolved.place, row: evolved.row.map(Arc::new) };
            changed.push(Changed { key: slot.key, stored });
        }
    }

    /// Forgets every row: others may have changed them.
    pub fn forget(&mut self) {
        self.overlay.clear();
        self.undo.clear();
        self.index.clear();
        self.slots.clear();
        self.free.clear();
        self.fresh.clear();
        self.hand = 0;
    }

    /// Drops the overlay: everything is as it was published.
    pub fn drop_overlay(&mut self) {
        self.undo.clear();
        for evolved in self.overlay.drain(..) {
            self.slots[evolved.slot as usize].overlay = NONE;
        }
    }

    /// Publishes what a row became.
    pub fn publish(&mut self, id: SlotId, stored: &Stored<R>) {
        let slot = &mut self.slots[id as usize];
        slot.row.clone_from(&stored.row);
        slot.version = stored.version;
        slot.place = stored.place;
    }

    /// The row as it is published, with its version; `None` if the cache does not know.
    pub fn stored(&self, key: Key) -> Option<Stored<R>> {
        let slot = &self.slots[self.find(key)? as usize];
        slot.loaded.then(|| Stored { version: slot.version, place: slot.place, row: slot.row.clone() })
    }

    pub fn key(&self, id: SlotId) -> Key {
        self.slots[id as usize].key
    }

    /// Lets rows leave until at most `rows_max` are left, and few new ones among them, as far as clean ones are found:
    /// those whose last generation is at most `generation_done`. Must not be called while a batch holds slot numbers.
    pub fn evict(&mut self, rows_max: usize, generation_done: u64) {
        let fresh_max = rows_max / FRESH_SHARE;
        let excess = self.fresh.len().saturating_sub(fresh_max).max(self.len().saturating_sub(rows_max));
        if excess == 0 {
            return;
        }
        let passes = (excess * HAND_SLOTS_A_ROW).max(HAND_SLOTS_MIN);
        self.evict_fresh(rows_max, fresh_max, generation_done, passes);
        for _ in 0..passes {
            if self.len() <= rows_max {
                return;
            }
            self.hand = if self.hand + 1 < self.slots.len() { self.hand + 1 } else { 0 };
            let slot = &mut self.slots[self.hand];
            if !slot.occupied || slot.leaves == Leaves::InLine || slot.generation > generation_done {
                continue;
            }
            if slot.referenced {
                slot.referenced = false;
                continue;
            }
            let id = SlotId::try_from(self.hand).expect("the cache is bounded far below 2^32 rows");
            self.remove(id);
        }
    }

    /// New rows at the end of their line stay if they were asked for again, and leave if not. The first one that is not
    /// on disk ends it: those behind it are younger.
    fn evict_fresh(&mut self, rows_max: usize, fresh_max: usize, generation_done: u64, passes: usize) {
        for _ in 0..passes {
            if self.fresh.len() <= fresh_max && self.len() <= rows_max {
                return;
            }
            let Some(&id) = self.fresh.front() else { return };
            let slot = &mut self.slots[id as usize];
            let stays = std::mem::take(&mut slot.referenced);
            if !stays && slot.generation > generation_done {
                return;
            }
            slot.leaves = Leaves::ByHand;
            self.fresh.pop_front();
            if !stays {
                self.remove(id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Id, Table};

    const ROWS_MAX: usize = 32;

    fn key(number: u8) -> Key {
        Key::new(Table(0), Id([number; 16]))
    }

    /// One batch that asks for one row and then lets rows leave; everything is on disk.
    fn ask(cache: &mut Cache<u8>, number: u8, stored: bool) {
        let id = cache.find_or_add(key(number));
        if !cache.slot(id).loaded {
            let row = || Stored { version: 1, place: Place::default(), row: Some(Arc::new(number)) };
            cache.fill(id, stored.then(row));
        }
        cache.find_or_add(key(number));
        cache.take_overlay(&mut Vec::new(), &mut Vec::new());
        cache.evict(ROWS_MAX, 0);
    }

    #[test]
    fn new_rows_leave_first_unless_they_are_asked_for_again() {
        let mut cache = Cache::new(ROWS_MAX);
        for number in 0..20 {
            ask(&mut cache, number, true);
        }
        ask(&mut cache, 20, false);
        ask(&mut cache, 20, false);
        for number in 100..200 {
            ask(&mut cache, number, false);
            assert!(cache.len() <= ROWS_MAX);
        }
        let kept = |numbers: std::ops::Range<u8>| numbers.filter(|&number| cache.find(key(number)).is_some()).count();
        assert_eq!(kept(0..21), 21, "what came from disk, and what was asked for again");
        assert_eq!(kept(100..200), ROWS_MAX / FRESH_SHARE, "the youngest of those that nobody asked for again");
    }
}
