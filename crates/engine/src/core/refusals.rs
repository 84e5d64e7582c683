//! Attackers write little: refusals of one caller in one hour are journaled up to a bound, and counted beyond it.
//!
//! The counts are of the lane's current hour and live in memory alone; a restart begins them anew. Everything that a
//! batch changes here can be taken back, as its overlay can.

use crate::record::Actor;
use domain::{Id, Time};
use hashbrown::HashMap;

const MILLISECONDS_AN_HOUR: i64 = 3_600_000;

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    journaled: u32,
    counted: u64,
}

/// The refusals of the current hour, by caller.
#[derive(Debug)]
pub(super) struct Refusals {
    journaled_max: u32,
    actors_max: usize,
    hour: i64,
    counts: HashMap<Actor, Count>,
    /// What the counts were before the running batch; `None` for a caller who had none.
    undo: Vec<(Actor, Option<Count>)>,
    /// The hour that ended in the running batch, as it was before the batch.
    before: Option<(i64, HashMap<Actor, Count>)>,
}

impl Refusals {
    pub fn new(journaled_max: u32, actors_max: usize) -> Self {
        Self { journaled_max, actors_max, hour: i64::MIN, counts: HashMap::new(), undo: Vec::new(), before: None }
    }

    /// Ends the hour if `now` is in a later one: who had refusals only counted, and how many, in the order of callers.
    pub fn turn(&mut self, now: Time) -> Vec<(Actor, u64)> {
        let hour = now.milliseconds().div_euclid(MILLISECONDS_AN_HOUR);
        if hour <= self.hour { Vec::new() } else { self.end_hour(hour) }
    }

    /// Ends the hour early: the engine stops.
    pub fn end(&mut self) -> Vec<(Actor, u64)> {
        self.end_hour(self.hour)
    }

    fn end_hour(&mut self, next: i64) -> Vec<(Actor, u64)> {
        let mut aggregated: Vec<_> = self
            .counts
            .iter()
            .filter(|(_, count)| count.counted > 0)
            .map(|(actor, count)| (*actor, count.counted))
            .collect();
        aggregated.sort_unstable();
        let (hour, mut counts) = (self.hour, std::mem::take(&mut self.counts));
        if self.before.is_none() {
            restore(&mut counts, &mut self.undo);
            self.before = Some((hour, counts));
        }
        self.undo.clear();
        self.hour = next;
        aggregated
    }

    /// Whether one more refusal of `actor` is journaled; otherwise it has been counted.
    pub fn journals(&mut self, actor: Actor) -> bool {
        let full = self.counts.len() >= self.actors_max;
        let actor =
            if full && !self.counts.contains_key(&actor) { Actor { id: Id::default(), ..actor } } else { actor };
        let before = self.counts.get(&actor).copied();
        self.undo.push((actor, before));
        let count = self.counts.entry(actor).or_default();
        let journaled = count.journaled < self.journaled_max;
        if journaled {
            count.journaled += 1;
        } else {
            count.counted += 1;
        }
        journaled
    }

    /// How much there is to take back: for [`Refusals::undo_to`].
    pub fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Takes back what one command changed since `mark`.
    pub fn undo_to(&mut self, mark: usize) {
        let mut undone = self.undo.split_off(mark.min(self.undo.len()));
        restore(&mut self.counts, &mut undone);
    }

    /// The batch is durable: nothing is taken back any more.
    pub fn keep(&mut self) {
        self.undo.clear();
        self.before = None;
    }

    /// The batch is dropped: the counts are as they were before it.
    pub fn drop_batch(&mut self) {
        if let Some((hour, counts)) = self.before.take() {
            self.hour = hour;
            self.counts = counts;
            self.undo.clear();
        } else {
            restore(&mut self.counts, &mut self.undo);
        }
    }
}

fn restore(counts: &mut HashMap<Actor, Count>, undo: &mut Vec<(Actor, Option<Count>)>) {
    while let Some((actor, before)) = undo.pop() {
        match before {
            Some(count) => counts.insert(actor, count),
            None => counts.remove(&actor),
        };
    }
}
