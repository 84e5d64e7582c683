//! Rate limits: so many requests a window for each key, counted in memory; a refused one writes nothing anywhere.

use crate::problem::Problem;
use axum::response::Response;
use domain::Time;
use http::{HeaderValue, StatusCode};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// Keys that are counted at once; when there are more, those who have used the least start anew.
const KEYS_MAX: usize = 100_000;

/// A limit: `requests_max` in each window of `window_ms`, for each key.
#[derive(Debug)]
pub struct RateLimit<K> {
    name: &'static str,
    requests_max: u32,
    window_ms: i64,
    counts: Mutex<HashMap<K, (i64, u32)>>,
}

/// What the limit says of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    name: &'static str,
    limit: u32,
    /// How many more this window allows.
    pub left: u32,
    /// When the window ends, in seconds from now.
    pub reset_seconds: i64,
    /// Whether this one goes through.
    pub allowed: bool,
}

impl<K: Eq + Hash> RateLimit<K> {
    /// Such a limit; `name` shows in the headers.
    pub fn new(name: &'static str, requests_max: u32, window_ms: i64) -> Self {
        Self { name, requests_max, window_ms, counts: Mutex::new(HashMap::new()) }
    }

    /// Counts one request of `key` at `now`.
    pub fn count(&self, key: K, now: Time) -> Verdict {
        let now = now.milliseconds();
        let window = now.div_euclid(self.window_ms);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= KEYS_MAX && !counts.contains_key(&key) {
            counts.retain(|_, (seen, _)| *seen == window);
            if counts.len() >= KEYS_MAX {
                make_room(&mut counts);
            }
        }
        let (seen, used) = counts.entry(key).or_insert((window, 0));
        if *seen != window {
            (*seen, *used) = (window, 0);
        }
        let allowed = *used < self.requests_max;
        if allowed {
            *used += 1;
        }
        self.verdict(self.requests_max - *used, now, allowed)
    }

    /// Whether `key` has nothing left in the window of `now`; counts nothing.
    pub fn is_used_up(&self, key: &K, now: Time) -> bool {
        let window = now.milliseconds().div_euclid(self.window_ms);
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(key).is_some_and(|(seen, used)| *seen == window && *used >= self.requests_max)
    }

    fn verdict(&self, left: u32, now: i64, allowed: bool) -> Verdict {
        let end = (now.div_euclid(self.window_ms) + 1) * self.window_ms;
        let reset_seconds = (end - now + 999) / 1_000;
        Verdict { name: self.name, limit: self.requests_max, left, reset_seconds, allowed }
    }
}

/// Whoever fills the table must neither lock out those who are not in it yet nor make those be forgotten who have used much:
/// a quarter of it, those who have used the least, starts anew. Where all have used everything, a key is freed for one that is
/// new, which would have had as much itself.
fn make_room<K: Eq + Hash>(counts: &mut HashMap<K, (i64, u32)>) {
    let leaving = counts.len() / 4;
    let mut all: Vec<u32> = counts.values().map(|(_, used)| *used).collect();
    let (less, bound, _) = all.select_nth_unstable(leaving);
    let (bound, mut of_bound) = (*bound, leaving - less.iter().filter(|used| **used < *bound).count());
    counts.retain(|_, (_, used)| {
        let leaves = *used < bound || (*used == bound && of_bound > 0);
        of_bound -= usize::from(leaves && *used == bound);
        !leaves
    });
}

impl Verdict {
    /// The problem for a request that does not go through.
    pub fn problem(self) -> Problem {
        Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-requests",
            "Too many requests.",
            "リクエストが多すぎます。",
        )
        .detail("Wait as long as Retry-After says.")
        .retry_after(self.reset_seconds)
    }

    /// Puts the limit's headers on an answer (IETF draft `RateLimit` header fields).
    pub fn mark(self, response: &mut Response) {
        let policy = format!("\"{}\";q={}", self.name, self.limit);
        let state = format!("\"{}\";r={};t={}", self.name, self.left, self.reset_seconds);
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", state)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
    }
}
