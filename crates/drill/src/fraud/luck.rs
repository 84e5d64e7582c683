//! Luck: what the people of a drill draw. One stream for each kind of person, so that the one's choices do not shift the other's.

use crate::simulate::chance::Chance;
use domain::Time;

/// A stream of chance.
pub struct Luck(Chance);

const MINUTE_MS: i64 = 60_000;

impl Luck {
    /// The stream of `what` in the run of `seed`.
    pub fn new(seed: u64, what: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_be_bytes()).update(what.as_bytes());
        let mut bytes = [0; 8];
        hasher.finalize_xof().fill(&mut bytes);
        Self(Chance::new(u64::from_be_bytes(bytes)))
    }

    /// A number from `least` to `most`, both included.
    pub fn between(&mut self, (least, most): (i64, i64)) -> i64 {
        self.0.between(least, most)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    /// Yes in `per_cent` of a hundred cases.
    pub fn percent(&mut self, per_cent: u64) -> bool {
        self.0.percent(per_cent)
    }

    /// An index into something of `length`.
    pub fn index(&mut self, length: usize) -> usize {
        self.0.index(length)
    }

    /// An index into `weights`, each as likely as its weight says.
    pub fn weighted(&mut self, weights: impl Iterator<Item = u64> + Clone) -> usize {
        let mut left = self.below(weights.clone().sum::<u64>().max(1));
        for (index, weight) in weights.enumerate() {
            if left < weight {
                return index;
            }
            left -= weight;
        }
        0
    }

    /// `now` and some minutes.
    pub fn minutes_after(&mut self, now: Time, minutes: (i64, i64)) -> Time {
        let milliseconds = self.between((minutes.0 * MINUTE_MS, minutes.1 * MINUTE_MS));
        now.plus_milliseconds(milliseconds)
    }

    /// `now` and a wait that is as long as `mean_minutes` on average, mostly shorter and sometimes much longer.
    pub fn wait_after(&mut self, now: Time, mean_minutes: f64) -> Time {
        // One part in 2^32 above zero, so that its logarithm is finite.
        let part = f64::from(u32::try_from(self.below(1 << 32)).unwrap_or(u32::MAX)) + 1.0;
        let minutes = -(part / 4_294_967_297.0).ln() * mean_minutes;
        #[expect(clippy::cast_possible_truncation, reason = "a wait of some minutes is far below the bound")]
        let milliseconds = (minutes * 60_000.0) as i64;
        now.plus_milliseconds(milliseconds)
    }

    /// A moment of the day that begins at `midnight`, by the weights of its hours.
    pub fn moment_of(&mut self, midnight: Time, hours: &[u64; 24]) -> Time {
        let hour = self.weighted(hours.iter().copied());
        let minute = i64::try_from(hour).unwrap_or(0) * 60;
        self.minutes_after(midnight.plus_milliseconds(minute * MINUTE_MS), (0, 59))
    }
}
