//! A lane: when one bank's things are due, and whether the bank is to be left alone for now.

use crate::domain::open::Thing;
use domain::Time;
use std::collections::{BTreeMap, BTreeSet};

/// Questions in a row without an answer after which a bank is left alone.
pub const SILENCES_MAX: u32 = 5;
/// How long it is left alone at first, in milliseconds; twice as long after each further silence.
pub const REST_MS_MIN: i64 = 5_000;
/// The longest rest, in milliseconds.
pub const REST_MS_MAX: i64 = 300_000;
/// Questions to one bank under way at once, beside the worker's.
pub const INSIDE_MAX: usize = 64;

/// One bank's schedule, and its breaker.
#[derive(Debug, Default)]
pub struct Lane {
    due: BTreeSet<(Time, Thing)>,
    times: BTreeMap<Thing, Time>,
    silences: u32,
    rests_until: Option<Time>,
    inside: usize,
}

impl Lane {
    /// `thing` is due at `due`, whenever it was before.
    pub fn set(&mut self, thing: Thing, due: Time) {
        if let Some(before) = self.times.insert(thing, due) {
            self.due.remove(&(before, thing));
        }
        self.due.insert((due, thing));
    }

    /// Every movement is due at `now`, if it was due later.
    pub fn wake(&mut self, now: Time) {
        for thing in self.things() {
            let later = self.times.get(&thing).is_some_and(|due| *due > now);
            if later && matches!(thing, Thing::Movement(_)) {
                self.set(thing, now);
            }
        }
    }

    /// `thing` is over.
    pub fn remove(&mut self, thing: Thing) {
        if let Some(before) = self.times.remove(&thing) {
            self.due.remove(&(before, thing));
        }
    }

    /// Everything that is open here, in order.
    pub fn things(&self) -> Vec<Thing> {
        self.times.keys().copied().collect()
    }

    /// What is due at `now`, the longest overdue first. Of a bank that rests nothing is, but for what needs no bank; of one
    /// that rested, a single question.
    pub fn take_due(&self, now: Time, limit: usize) -> Vec<Thing> {
        let is_shut = self.rests_until(now).is_some();
        let mut questions = if self.rests_until.is_some() { 1 } else { limit };
        let mut taken = Vec::new();
        for (_, thing) in self.due.iter().take_while(|(due, _)| *due <= now) {
            if taken.len() >= limit {
                break;
            }
            match thing {
                Thing::Mandate(_) | Thing::Notice(_) | Thing::Finding(_) => taken.push(*thing),
                Thing::Movement(_) if is_shut || questions == 0 => {}
                Thing::Movement(_) => {
                    questions = questions.saturating_sub(1);
                    taken.push(*thing);
                }
            }
        }
        taken
    }

    /// When the next thing is due.
    pub fn next(&self) -> Option<Time> {
        let first =
            |is_wanted: fn(&Thing) -> bool| self.due.iter().find(|(_, thing)| is_wanted(thing)).map(|(due, _)| *due);
        let question = first(|thing| matches!(thing, Thing::Movement(_)));
        let question = question.map(|due| self.rests_until.map_or(due, |until| until.max(due)));
        question.into_iter().chain(first(|thing| matches!(thing, Thing::Mandate(_)))).min()
    }

    /// Until when the bank is left alone, if it is at `now`.
    pub fn rests_until(&self, now: Time) -> Option<Time> {
        self.rests_until.filter(|until| now < *until)
    }

    /// The bank answered, or did not.
    pub fn heard(&mut self, answered: bool, now: Time) {
        if answered {
            self.silences = 0;
            self.rests_until = None;
            return;
        }
        self.silences = self.silences.saturating_add(1);
        if self.silences >= SILENCES_MAX {
            let doubled = (self.silences - SILENCES_MAX).min(16);
            let rest_ms = (REST_MS_MIN << doubled).min(REST_MS_MAX);
            self.rests_until = Some(now.plus_milliseconds(rest_ms));
        }
    }

    /// Whether the bank's last answer was none.
    pub fn is_silent(&self) -> bool {
        self.silences > 0
    }

    /// One more question is under way, if the bank is not left alone and not too many are: of one that rested, a single one.
    pub fn enter(&mut self, now: Time) -> bool {
        let room = match self.rests_until {
            None => INSIDE_MAX,
            Some(until) => usize::from(until <= now),
        };
        let may = self.inside < room;
        if may {
            self.inside += 1;
        }
        may
    }

    /// It is over.
    pub fn leave(&mut self) {
        self.inside = self.inside.saturating_sub(1);
    }
}
