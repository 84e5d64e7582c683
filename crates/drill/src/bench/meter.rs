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

/// Gathers latencies.
pub struct Meter(Histogram<u64>);

impl Meter {
    /// Nothing measured yet.
    pub fn new() -> Self {
        Self(Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("constant bounds"))
    }

    /// Counts one answer.
    pub fn count(&mut self, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(us.clamp(1, LATENCY_US_MAX));
    }

    /// The latency in milliseconds that `percent` of the answers did not exceed.
    pub fn milliseconds(&self, percent: f64) -> f64 {
        milliseconds(self.0.value_at_percentile(percent))
    }

    /// The longest latency in milliseconds.
    pub fn milliseconds_max(&self) -> f64 {
        milliseconds(self.0.max())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a minute in microseconds is exact in a float")]
fn milliseconds(us: u64) -> f64 {
    us as f64 / 1_000.0
}
