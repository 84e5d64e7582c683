//! What comes once comes once: assertions and proofs are remembered by their `jti` for as long as they could be shown again.
//!
//! The memory is this process's own. After a restart it is empty, so what was signed before the start is not taken at all.

use domain::Time;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// What is remembered at once. All of it was signed by somebody who is known; when it is full, callers wait.
pub const REMEMBERED_MAX: usize = 400_000;

/// What was shown already.
#[derive(Debug)]
pub struct Replay {
    /// Whole seconds, as tokens have them.
    started: Time,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// By the hash alone: is it there?
    hashes: BTreeSet<[u8; 16]>,
    /// By the end of its life: what can be forgotten?
    by_end: BTreeSet<(Time, [u8; 16])>,
}

/// Why something shown is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// It was shown before, or may have been: it is older than this process.
    Again,
    /// Too much is remembered already.
    Full,
}

impl Replay {
    /// Nothing was shown yet to the process that starts `now`.
    pub fn new(now: Time) -> Self {
        let started = Time::from_milliseconds(now.milliseconds().div_euclid(1_000) * 1_000);
        Self { started, seen: Mutex::default() }
    }

    /// Takes the thing that `owner` calls `jti`, issued at `issued` and refused anyway from `expires` on, if it is new.
    pub fn take(&self, owner: &str, jti: &str, issued: Time, expires: Time, now: Time) -> Result<(), NotTaken> {
        if issued < self.started {
            return Err(NotTaken::Again);
        }
        let hash = hash(owner, jti);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(&(end, old)) = seen.by_end.first()
            && end <= now
        {
            seen.by_end.pop_first();
            seen.hashes.remove(&old);
        }
        if seen.hashes.contains(&hash) {
            return Err(NotTaken::Again);
        }
        if seen.hashes.len() >= REMEMBERED_MAX {
            return Err(NotTaken::Full);
        }
        seen.hashes.insert(hash);
        seen.by_end.insert((expires, hash));
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

    #[test]
    fn a_thing_is_taken_once_for_as_long_as_it_could_be_shown() {
        let at = |seconds: i64| Time::from_milliseconds(seconds * 1_000);
        let replay = Replay::new(Time::from_milliseconds(100_999));
        assert_eq!(replay.take("a", "1", at(100), at(160), at(101)), Ok(()));
        assert_eq!(replay.take("a", "1", at(100), at(160), at(159)), Err(NotTaken::Again));
        assert_eq!(replay.take("b", "1", at(100), at(160), at(159)), Ok(()), "another's may be called the same");
        assert_eq!(replay.take("a", "2", at(100), at(160), at(159)), Ok(()));
        assert_eq!(replay.take("a", "3", at(99), at(160), at(101)), Err(NotTaken::Again), "older than the process");
        assert_eq!(replay.take("", "a1", at(100), at(160), at(101)), Ok(()), "names do not run into each other");
        assert_eq!(replay.take("a", "4", at(200), at(260), at(200)), Ok(()));
        assert_eq!(replay.seen.lock().map(|seen| seen.hashes.len()).ok(), Some(1), "what is over is forgotten");
    }
}
