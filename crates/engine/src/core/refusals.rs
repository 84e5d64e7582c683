//! Attackers write little: refusals of one caller in one hour are journaled up to the bound of their kind, and counted beyond it.
//! A command that met a defect counts as one.
//!
//! What is only counted is not remembered. So a command with a request key is not answered then: whoever sent it comes again
//! when the hour has ended, and no key ever carries two answers.
//!
//! The counts are of the lane's current hour and live in memory alone; a restart begins them anew. When the hour ends, what
//! was only counted waits to be journaled, a few counts before each command, so that no batch grows with the number of
//! callers. A count stands for more commands than it takes to journal it, so what waits never piles up. Everything that
//! a batch changes here can be taken back, as its overlay can.

use crate::options::Options;
use crate::record::Actor;
use domain::{Id, Time};
use hashbrown::HashMap;
use std::collections::VecDeque;

const MILLISECONDS_AN_HOUR: i64 = 3_600_000;

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    journaled: u32,
    counted: u64,
}

/// The refusals of the current hour, by caller.
#[derive(Debug)]
pub(super) struct Refusals {
    options: Options,
    hour: i64,
    counts: HashMap<Actor, Count>,
    /// What the counts were before the running batch; `None` for a caller who had none.
    undo: Vec<(Actor, Option<Count>)>,
    /// The hour that ended in the running batch, as it was before the batch.
    before: Option<(i64, HashMap<Actor, Count>)>,
    /// The counts of ended hours that wait to be journaled, in the order of callers within each hour.
    ended: VecDeque<(Actor, u64)>,
    /// How many of them the running batch has journaled.
    journaling: usize,
    /// How many of them were there before the running batch, if an hour ended in it.
    ended_before: Option<usize>,
}

impl Refusals {
    pub fn new(options: Options) -> Self {
        Self {
            options,
            hour: i64::MIN,
            counts: HashMap::new(),
            undo: Vec::new(),
            before: None,
            ended: VecDeque::new(),
            journaling: 0,
            ended_before: None,
        }
    }

    /// Ends the hour if `now` is in a later one: what was only counted waits to be journaled.
    pub fn turn(&mut self, now: Time) {
        let hour = now.milliseconds().div_euclid(MILLISECONDS_AN_HOUR);
        if hour > self.hour {
            self.end_hour(hour);
        }
    }

    /// Ends the hour early: the engine stops.
    pub fn end(&mut self) {
        self.end_hour(self.hour);
    }

    /// The next count to be journaled: of which caller, and how many refusals.
    pub fn next_ended(&mut self) -> Option<(Actor, u64)> {
        let next = self.ended.get(self.journaling).copied()?;
        self.journaling += 1;
        Some(next)
    }

    fn end_hour(&mut self, next: i64) {
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
        self.ended_before.get_or_insert(self.ended.len());
        self.ended.extend(aggregated);
    }

    /// Whether one more refusal or defect of `actor` is journaled; otherwise it has been counted.
    pub fn journals(&mut self, actor: Actor) -> bool {
        let full = self.counts.len() >= self.options.refusal_actors_max;
        let actor =
            if full && !self.counts.contains_key(&actor) { Actor { id: Id::default(), ..actor } } else { actor };
        let before = self.counts.get(&actor).copied();
        self.undo.push((actor, before));
        let count = self.counts.entry(actor).or_default();
        let journaled = count.journaled < self.options.refusals_journaled_max_of(actor.kind);
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
        self.ended.drain(..self.journaling);
        self.journaling = 0;
        self.ended_before = None;
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
        self.journaling = 0;
        if let Some(before) = self.ended_before.take() {
            self.ended.truncate(before);
        }
    }
}

/// When the hour of `now` ends, and refusals are journaled again.
pub(super) fn hour_end(now: Time) -> Time {
    now.plus_milliseconds(MILLISECONDS_AN_HOUR - now.milliseconds().rem_euclid(MILLISECONDS_AN_HOUR))
}

fn restore(counts: &mut HashMap<Actor, Count>, undo: &mut Vec<(Actor, Option<Count>)>) {
    while let Some((actor, before)) = undo.pop() {
        match before {
            Some(count) => counts.insert(actor, count),
            None => counts.remove(&actor),
        };
    }
}
