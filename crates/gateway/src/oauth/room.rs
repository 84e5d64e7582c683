//! Room: how much of a bounded memory each operator holds, so that none of them uses up what is another's.

use crate::domain::OperatorId;
use crate::domain::operator::OPERATORS_MAX;
use std::collections::BTreeMap;

/// Who holds how much of a memory for `max` things. While it is not full, whoever comes has room; once it is, only whoever
/// holds less than an equal share. So it never has more than twice `max`.
#[derive(Debug)]
pub(super) struct Room {
    max: usize,
    all: usize,
    of: BTreeMap<OperatorId, usize>,
}

impl Room {
    /// Nobody holds anything.
    pub const fn new(max: usize) -> Self {
        Self { max, all: 0, of: BTreeMap::new() }
    }

    /// Takes a place for `operator`, if there is room for it.
    #[must_use]
    pub fn take(&mut self, operator: OperatorId) -> bool {
        let held = self.of.entry(operator).or_default();
        if self.all >= self.max && *held >= self.max / OPERATORS_MAX {
            return false;
        }
        *held += 1;
        self.all += 1;
        true
    }

    /// `operator` has one place less.
    pub fn give(&mut self, operator: OperatorId) {
        let Some(held) = self.of.get_mut(&operator) else { return };
        *held -= 1;
        self.all -= 1;
        if *held == 0 {
            self.of.remove(&operator);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::domain::Id;

    #[test]
    fn a_full_memory_has_room_for_whoever_holds_less_than_an_equal_share() {
        let [one, two] = [1, 2].map(|n| OperatorId::new(Id::from_number(n << 64)));
        let mut room = Room::new(2 * OPERATORS_MAX);
        let taken = |room: &mut Room, operator| (0..1_000).take_while(|_| room.take(operator)).count();
        assert_eq!(taken(&mut room, one), 2 * OPERATORS_MAX, "all of it, while nobody else comes");
        assert_eq!((taken(&mut room, two), taken(&mut room, one)), (2, 0), "an equal share is there for another");
        room.give(one);
        assert_eq!((taken(&mut room, one), taken(&mut room, two)), (0, 0), "it is over-full still");
        for _ in 0..2 {
            room.give(one);
        }
        assert_eq!((taken(&mut room, two), taken(&mut room, one)), (1, 0));
        for _ in 0..3 {
            room.give(two);
        }
        for _ in 0..2 * OPERATORS_MAX - 3 {
            room.give(one);
        }
        assert_eq!((room.all, room.of.len()), (0, 0), "who holds nothing is forgotten");
    }
}
