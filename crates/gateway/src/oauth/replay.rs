//! What comes once comes once: assertions and proofs are remembered by their `jti` for as long as they could be shown again.
//!
//! The memory is this process's own. After a restart it is empty, so what was signed before the start is not taken at all.

use super::room::Room;
use crate::domain::OperatorId;
use domain::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// What is remembered at once, while nobody comes too short. All of it was signed by somebody who is known; whoever finds no room
/// for it waits.
pub const REMEMBERED_MAX: usize = 400_000;

/// What was shown already.
#[derive(Debug)]
pub struct Replay {
    /// Whole seconds, as tokens have them.
    started: Time,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    /// By the hash alone: is it there?
    hashes: BTreeSet<[u8; 16]>,
    /// By the end of its life: what can be forgotten, and who has room again?
    by_end: BTreeMap<(Time, [u8; 16]), OperatorId>,
    room: Room,
}

/// Why something shown is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// It was shown before, or may have been: it is older than this process.
    Again,
    /// Too much of the operator's is remembered already.
    Full,
}

impl Replay {
    /// Nothing was shown yet to the process that starts `now`, and remembers `max`.
    pub fn new(now: Time, max: usize) -> Self {
        let started = Time::from_milliseconds(now.milliseconds().div_euclid(1_000) * 1_000);
        let seen = Seen { hashes: BTreeSet::new(), by_end: BTreeMap::new(), room: Room::new(max) };
        Self { started, seen: Mutex::new(seen) }
    }

    /// Takes what `operator` shows, if it is new: the thing that `owner` calls `jti`, issued at `issued` and refused anyway from
    /// `expires` on. An owner is the operator's client, or one of its keys.
    pub fn take(
        &self,
        operator: OperatorId,
        (owner, jti): (&str, &str),
        (issued, expires): (Time, Time),
        now: Time,
    ) -> Result<(), NotTaken> {
        if issued < self.started {
            return Err(NotTaken::Again);
        }
        let hash = hash(owner, jti);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(first) = seen.by_end.first_entry()
            && first.key().0 <= now
        {
            let ((_, old), whose) = first.remove_entry();
            seen.hashes.remove(&old);
            seen.room.give(whose);
        }
        if seen.hashes.contains(&hash) {
            return Err(NotTaken::Again);
        }
        if !seen.room.take(operator) {
            return Err(NotTaken::Full);
        }
        seen.hashes.insert(hash);
        seen.by_end.insert((expires, hash), operator);
        Ok(())
    }
}

fn hash(owner: &str, jti: &str) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&owner.len().to_be_bytes());
    hasher.update(owner.as_bytes());
    hasher.update(jti.as_bytes());
    let mut hash = [0; 16];
    hasher.finalize_xof().fill(&mut hash);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::domain::Id;

    fn operator(number: u128) -> OperatorId {
        OperatorId::new(Id::from_number(number << 64))
    }

    #[test]
    fn an_operator_that_shows_very_much_leaves_room_for_another() {
        let at = |seconds: i64| Time::from_milliseconds(seconds * 1_000);
        let replay = Replay::new(at(100), 128);
        let show = |whose, n: usize, until, now| {
            replay.take(operator(whose), ("key", &format!("{whose} {n}")), (at(100), at(until)), at(now))
        };
        for n in 0..128 {
            assert_eq!(show(1, n, 160, 101), Ok(()), "{n}");
        }
        assert_eq!(show(1, 128, 160, 101), Err(NotTaken::Full));
        assert_eq!((show(2, 0, 170, 101), show(2, 1, 170, 101)), (Ok(()), Ok(())));
        assert_eq!((show(2, 2, 170, 101), show(1, 5, 160, 101)), (Err(NotTaken::Full), Err(NotTaken::Again)));
        assert_eq!((show(1, 129, 220, 160), show(2, 1, 170, 160)), (Ok(()), Err(NotTaken::Again)));
    }

    #[test]
    fn a_thing_is_taken_once_for_as_long_as_it_could_be_shown() {
        let at = |seconds: i64| Time::from_milliseconds(seconds * 1_000);
        let replay = Replay::new(Time::from_milliseconds(100_999), REMEMBERED_MAX);
        let take = |owner, jti, issued, expires, now| replay.take(operator(1), (owner, jti), (issued, expires), now);
        assert_eq!(take("a", "1", at(100), at(160), at(101)), Ok(()));
        assert_eq!(take("a", "1", at(100), at(160), at(159)), Err(NotTaken::Again));
        assert_eq!(take("b", "1", at(100), at(160), at(159)), Ok(()), "another's may be called the same");
        assert_eq!(take("a", "2", at(100), at(160), at(159)), Ok(()));
        assert_eq!(take("a", "3", at(99), at(160), at(101)), Err(NotTaken::Again), "older than the process");
        assert_eq!(take("", "a1", at(100), at(160), at(101)), Ok(()), "names do not run into each other");
        assert_eq!(take("a", "4", at(200), at(260), at(200)), Ok(()));
        assert_eq!(replay.seen.lock().map(|seen| seen.hashes.len()).ok(), Some(1), "what is over is forgotten");
    }
}
