//! What a service is given of the world: a clock, a way to call others, and chance. And what its due work answers.

use crate::chance::Chance;
use crate::transport::Transport;
use domain::Time;
use engine::Clock;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The world as a service sees it. Nothing else in a service reads a clock, draws chance or opens a connection.
#[derive(Clone)]
pub struct Outside {
    /// The time: the machine's, or the sandbox's.
    pub clock: Arc<dyn Clock>,
    /// How other services are called.
    pub transport: Arc<dyn Transport>,
    /// Where ids, keys and tokens come from.
    pub chance: Arc<dyn Chance>,
}

impl Outside {
    /// The time now.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// A new id, ordered by time.
    pub fn id(&self) -> domain::Id {
        crate::chance::id(self.chance.as_ref(), self.now())
    }
}

/// What one step of a service's due work did: `run_due(now, budget)` answers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// How many things were done in this step; zero means that nothing was due.
    pub done: usize,
    /// When the next thing falls due, if one is known.
    pub next: Option<Time>,
}

impl Due {
    /// Both together: the sum of what was done, the earlier of what comes next.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let next = match (self.next, other.next) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        Self { done: self.done.saturating_add(other.done), next }
    }

    /// The same with a word for what was done.
    #[must_use]
    pub fn named(self, kind: &'static str) -> Ran {
        let mut ran = Ran { due: self, kinds: BTreeMap::new() };
        ran.note(Cow::Borrowed(kind), self.done);
        ran
    }
}

/// What a service's due work did in one step, and of what kinds that was: for whoever advances a clock and wants to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// How much, and what comes next.
    pub due: Due,
    /// What was done how often, by `service.kind`. What was done nameless is in no kind.
    pub kinds: BTreeMap<Cow<'static, str>, usize>,
}

impl Ran {
    /// Both together.
    #[must_use]
    pub fn and(mut self, other: impl Into<Self>) -> Self {
        let other = other.into();
        self.due = self.due.and(other.due);
        other.kinds.into_iter().for_each(|(kind, count)| self.note(kind, count));
        self
    }

    /// `count` things of `kind` are among those that were done.
    pub fn note(&mut self, kind: Cow<'static, str>, count: usize) {
        if count > 0 {
            let known = self.kinds.entry(kind).or_default();
            *known = known.saturating_add(count);
        }
    }
}

impl From<Due> for Ran {
    fn from(due: Due) -> Self {
        Self { due, kinds: BTreeMap::new() }
    }
}
