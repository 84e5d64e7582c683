//! Latencies and progress, and the one look at a clock that load needs.

use hdrhistogram::Histogram;
use std::time::{Duration, Instant};

/// Latencies longer than this count as this: a minute, in microseconds.
const LATENCY_US_MAX: u64 = 60_000_000;

/// The steady clock.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub fn now() -> Instant {
    Instant::now()
}

/// How far a run is, for whoever shows it.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// What it does now.
    pub stage: &'static str,
    /// How much of it is done.
    pub done: u64,
    /// Of how much.
    pub of: u64,
}

/// Gathers latencies, and the longest silence between two answers.
pub struct Meter {
    latencies: Histogram<u64>,
    answered: Option<Instant>,
    stall: Duration,
}

impl Meter {
    /// Nothing measured yet.
    pub fn new() -> Self {
        let latencies = Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("constant bounds");
        Self { latencies, answered: None, stall: Duration::ZERO }
    }

    /// Counts an answer at `at` to what was due at `begun`.
    pub fn count(&mut self, begun: Instant, at: Instant) {
        let us = u64::try_from(at.duration_since(begun).as_micros()).unwrap_or(u64::MAX);
        self.latencies.saturating_record(us.clamp(1, LATENCY_US_MAX));
        if let Some(answered) = self.answered.replace(at) {
            self.stall = self.stall.max(at.duration_since(answered));
        }
    }

    /// The longest time in milliseconds in which nobody was answered.
    pub fn stall_milliseconds_max(&self) -> f64 {
        milliseconds(u64::try_from(self.stall.as_micros()).unwrap_or(u64::MAX))
    }

    /// The latency in milliseconds that `percent` of the answers did not exceed.
    pub fn milliseconds(&self, percent: f64) -> f64 {
        milliseconds(self.latencies.value_at_percentile(percent))
    }

    /// The longest latency in milliseconds.
    pub fn milliseconds_max(&self) -> f64 {
        milliseconds(self.latencies.max())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a minute in microseconds is exact in a float")]
fn milliseconds(us: u64) -> f64 {
    us as f64 / 1_000.0
}
