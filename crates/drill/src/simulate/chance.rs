//! Chance: everything that a seed decides comes out of one stream, so that a seed replays.

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use domain::{Id, Time};

/// A source of chance, from a seed.
pub struct Chance {
    stream: ChaCha8Rng,
    /// Ids handed out; part of each, so that none repeats.
    ids: u64,
}

impl Chance {
    /// The source that `seed` names.
    pub fn new(seed: u64) -> Self {
        Self { stream: ChaCha8Rng::seed_from_u64(seed), ids: 0 }
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "nothing is below zero");
        // The high half of the product: uneven by less than one in 2^32 for the small bounds used here.
        let product = u128::from(self.stream.next_u64()) * u128::from(bound);
        u64::try_from(product >> 64).expect("the high half of a product fits")
    }

    /// A number from `least` to `most`, both included.
    pub fn between(&mut self, least: i64, most: i64) -> i64 {
        assert!(least <= most, "no number lies between {least} and {most}");
        least + i64::try_from(self.below(most.abs_diff(least) + 1)).expect("the range is small")
    }

    /// An index into something of `length`.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("an index fits")
    }

    /// One of `things`.
    pub fn pick<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        &things[self.index(things.len())]
    }

    /// Yes in `per_cent` of a hundred cases.
    pub fn percent(&mut self, per_cent: u64) -> bool {
        self.below(100) < per_cent
    }

    /// Yes in one of `cases`.
    pub fn one_in(&mut self, cases: u64) -> bool {
        self.below(cases) == 0
    }

    /// A fresh id, ordered by time as real ones are.
    pub fn id(&mut self, at: Time) -> Id {
        self.ids += 1;
        let milliseconds = u128::from(at.milliseconds().unsigned_abs()) & 0xffff_ffff_ffff;
        let random = u128::from(self.stream.next_u64()) & 0x3fff_ffff;
        // UUIDv7: 48 bits of time, version 7, 12 bits, variant 2, 62 bits, of which 32 count.
        let version = 0x7_u128 << 76;
        let variant = 0x2_u128 << 62;
        Id::from_number((milliseconds << 80) | version | variant | (u128::from(self.ids) << 30) | random)
    }

    /// Sixteen bytes that nobody else has: request keys and body MACs.
    pub fn bytes(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.stream.fill_bytes(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_seed_is_a_stream() {
        let draw = |seed| {
            let mut chance = Chance::new(seed);
            (0..100).map(|_| chance.between(-3, 3)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert_eq!(draw(7).into_iter().collect::<BTreeSet<_>>(), (-3..=3).collect());
    }

    #[test]
    fn ids_differ_and_follow_time() {
        let mut chance = Chance::new(1);
        let ids: Vec<_> = (0..1_000).map(|n| chance.id(Time::from_milliseconds(1_700_000_000_000 + n))).collect();
        assert!(ids.is_sorted() && ids.iter().collect::<BTreeSet<_>>().len() == ids.len());
    }
}
