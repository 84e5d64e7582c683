//! Which rows a batch needs: named in two rounds, each loaded for the whole batch; and for a command whose first rows an
//! earlier one of the batch changed, the second round again in its turn.

use super::Core;
use super::cache::{Cache, SlotId};
use crate::store::{Store, StoreError};
use crate::submission::Submission;
use domain::{Domain, Key, State};
use hashbrown::HashMap;
use std::ops::Range;

/// Up to this many keys a row is found by looking at each; beyond, in a map.
const KEYS_LOOKED_THROUGH_MAX: usize = 32;

/// The rows of every command of a batch, as far as the published rows tell: both rounds, in one list.
#[derive(Debug, Default)]
pub(super) struct Plan {
    keys: Vec<Key>,
    slots: Vec<SlotId>,
    commands: Vec<Planned>,
    missing: Vec<SlotId>,
}

/// Where a command's rows stand in the plan.
#[derive(Clone, Debug)]
struct Planned {
    first: Range<usize>,
    further: Range<usize>,
}

/// The rows of the running command.
#[derive(Debug, Default)]
pub(super) struct WorkingSet {
    keys: Vec<Key>,
    slots: Vec<SlotId>,
    further: Vec<Key>,
    many: HashMap<Key, SlotId>,
}

impl WorkingSet {
    fn clear(&mut self) {
        self.keys.clear();
        self.slots.clear();
        self.further.clear();
        self.many.clear();
    }

    fn index_if_many(&mut self) {
        if self.keys.len() > KEYS_LOOKED_THROUGH_MAX {
            self.many.extend(self.keys.iter().copied().zip(self.slots.iter().copied()));
        }
    }

    /// The slot of a row that the command named.
    pub fn slot(&self, key: Key) -> SlotId {
        find(&self.keys, &self.slots, &self.many, key)
    }

    /// The command's rows as the running batch has them.
    pub fn view<'a, R>(&'a self, cache: &'a Cache<R>) -> View<'a, R> {
        View { keys: &self.keys, slots: &self.slots, many: &self.many, cache, published: false }
    }
}

/// The rows that one command named, as a domain sees them.
pub(super) struct View<'a, R> {
    keys: &'a [Key],
    slots: &'a [SlotId],
    many: &'a HashMap<Key, SlotId>,
    cache: &'a Cache<R>,
    published: bool,
}

impl<R: Clone> State<R> for View<'_, R> {
    fn row(&self, key: Key) -> Option<&R> {
        let slot = find(self.keys, self.slots, self.many, key);
        if self.published { self.cache.published(slot) } else { self.cache.current(slot) }
    }
}

#[expect(clippy::panic, reason = "a domain that uses a row which its command did not name is our own bug")]
fn find(keys: &[Key], slots: &[SlotId], many: &HashMap<Key, SlotId>, key: Key) -> SlotId {
    let found = if many.is_empty() {
        keys.iter().position(|named| *named == key).map(|index| slots[index])
    } else {
        many.get(&key).copied()
    };
    let Some(slot) = found else { panic!("the row {} of table {} was not named", key.id, key.table.0) };
    slot
}

impl<D: Domain, S: Store<D>> Core<D, S> {
    /// Names and loads the rows of the whole batch, as far as the published rows tell.
    pub(super) fn plan_batch(&mut self, batch: &[Submission<D>]) -> Result<(), StoreError> {
        let Self { plan, cache, working_set, store, .. } = self;
        if store.is_shared() {
            let requests: Vec<[u8; 16]> = batch.iter().filter_map(|submission| Some(submission.request?.key)).collect();
            store.expect_requests(&requests)?;
        }
        plan.keys.clear();
        plan.slots.clear();
        plan.commands.clear();
        for submission in batch {
            working_set.further.clear();
            D::keys(&submission.command, &mut working_set.further);
            let first = plan.name(&working_set.further);
            plan.commands.push(Planned { first, further: 0..0 });
        }
        plan.find(cache);
        self.load_missing()?;
        let Self { plan, cache, working_set, .. } = self;
        working_set.many.clear();
        for (index, submission) in batch.iter().enumerate() {
            let first = plan.commands[index].first.clone();
            working_set.further.clear();
            let view = View {
                keys: &plan.keys[first.clone()],
                slots: &plan.slots[first],
                many: &working_set.many,
                cache,
                published: true,
            };
            D::keys_further(&submission.command, &view, &mut working_set.further);
            plan.commands[index].further = plan.name(&working_set.further);
        }
        plan.find(cache);
        self.load_missing()
    }

    /// The working set of the batch's command `index`: as planned, if the batch has not changed what the second round depends on.
    pub(super) fn take_planned_rows(&mut self, index: usize, command: &D::Command) -> Result<(), StoreError> {
        let Self { plan, cache, working_set, .. } = self;
        let Planned { first, further } = plan.commands[index].clone();
        working_set.clear();
        working_set.keys.extend_from_slice(&plan.keys[first.clone()]);
        working_set.slots.extend_from_slice(&plan.slots[first]);
        if working_set.slots.iter().any(|&slot| cache.is_evolved(slot)) {
            self.name_further(command)?;
        } else {
            working_set.keys.extend_from_slice(&plan.keys[further.clone()]);
            working_set.slots.extend_from_slice(&plan.slots[further]);
        }
        self.working_set.index_if_many();
        Ok(())
    }

    /// The working set of a command that was not planned with its batch.
    pub(super) fn name_rows(&mut self, command: &D::Command) -> Result<(), StoreError> {
        self.working_set.clear();
        D::keys(command, &mut self.working_set.further);
        self.add_further()?;
        self.name_further(command)?;
        self.working_set.index_if_many();
        Ok(())
    }

    fn name_further(&mut self, command: &D::Command) -> Result<(), StoreError> {
        let mut further = std::mem::take(&mut self.working_set.further);
        further.clear();
        D::keys_further(command, &self.working_set.view(&self.cache), &mut further);
        self.working_set.further = further;
        self.add_further()
    }

    fn add_further(&mut self) -> Result<(), StoreError> {
        let Self { plan, cache, working_set, .. } = self;
        for key in working_set.further.drain(..) {
            let slot = cache.find_or_add(key);
            if !cache.slot(slot).loaded {
                plan.missing.push(slot);
            }
            working_set.keys.push(key);
            working_set.slots.push(slot);
        }
        self.load_missing()
    }

    /// Loads the slots that were found missing, in the order of their keys.
    pub(super) fn load_missing(&mut self) -> Result<(), StoreError> {
        let Self { plan, cache, store, .. } = self;
        if plan.missing.is_empty() {
            return Ok(());
        }
        let mut missing = std::mem::take(&mut plan.missing);
        missing.sort_unstable_by_key(|&slot| cache.key(slot));
        missing.dedup();
        let keys: Vec<Key> = missing.iter().map(|&slot| cache.key(slot)).collect();
        let rows = store.load(&keys)?;
        if rows.len() != keys.len() {
            return Err(StoreError::Damaged(format!("{} rows were asked for, {} came", keys.len(), rows.len())));
        }
        for (slot, row) in missing.drain(..).zip(rows) {
            cache.fill(slot, row);
        }
        plan.missing = missing;
        Ok(())
    }
}

impl Plan {
    fn name(&mut self, keys: &[Key]) -> Range<usize> {
        let start = self.keys.len();
        self.keys.extend_from_slice(keys);
        start..self.keys.len()
    }

    /// Finds the slots of the keys that were named since the last time.
    fn find<R: Clone>(&mut self, cache: &mut Cache<R>) {
        let start = self.slots.len();
        cache.find_or_add_all(&self.keys[start..], &mut self.slots);
        let slots = &self.slots[start..];
        self.missing.extend(slots.iter().copied().filter(|&slot| !cache.slot(slot).loaded));
    }

    /// Forgets what a batch that was interrupted had found missing.
    pub fn forget(&mut self) {
        self.missing.clear();
    }
}
