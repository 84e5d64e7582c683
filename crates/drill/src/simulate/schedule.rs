//! The schedule: what is going to happen, in the order of simulated time.

use domain::Time;
use std::collections::BTreeMap;

/// Events by time; those of one moment come in the order in which they were planned.
pub struct Schedule<E> {
    planned: BTreeMap<(Time, u64), E>,
    count: u64,
}

impl<E> Schedule<E> {
    /// An empty schedule.
    pub const fn new() -> Self {
        Self { planned: BTreeMap::new(), count: 0 }
    }

    /// Plans `event` for `at`.
    pub fn at(&mut self, at: Time, event: E) {
        self.count += 1;
        self.planned.insert((at, self.count), event);
    }

    /// Takes the next event with its time.
    pub fn next(&mut self) -> Option<(Time, E)> {
        self.planned.pop_first().map(|((at, _), event)| (at, event))
    }

    /// How many planned events are such.
    pub fn count(&self, such: impl Fn(&E) -> bool) -> usize {
        self.planned.values().filter(|event| such(event)).count()
    }

    /// When the next event is due.
    pub fn next_at(&self) -> Option<Time> {
        self.planned.keys().next().map(|(at, _)| *at)
    }
}
