//! Many seeds, on as many threads as there are processors, and what they came to.

use super::coverage::Coverage;
use super::{Seed, run};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Failing seeds that a report keeps whole.
const FAILURES_MAX: usize = 20;

/// What many seeds came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many seeds.
    pub seeds: u64,
    /// Days that were simulated.
    pub simulated_days: u64,
    /// Everything that happened.
    pub events: u64,
    /// Commands that were answered.
    pub commands: u64,
    /// The fewest commands of a seed.
    pub commands_min: u64,
    /// Which faults met what.
    pub coverage: Coverage,
    /// How many seeds failed.
    pub failed: u64,
    /// The first of them.
    pub failures: Vec<Seed>,
}

impl Report {
    fn add(&mut self, seed: Seed) {
        self.commands_min = if self.seeds == 0 { seed.commands } else { self.commands_min.min(seed.commands) };
        self.seeds += 1;
        self.simulated_days += seed.days;
        self.events += seed.events;
        self.commands += seed.commands;
        self.coverage.add(&seed.coverage);
        if seed.violation.is_some() {
            self.failed += 1;
            self.failures.push(seed);
            self.failures.sort_by_key(|seed| seed.seed);
            self.failures.truncate(FAILURES_MAX);
        }
    }
}

/// Runs `count` seeds from `first` on. `progress` is told after each how many are done; `enough` stops early.
pub fn run_many(
    first: u64,
    count: u64,
    progress: &(dyn Fn(u64) + Sync),
    enough: &(dyn Fn(&Report) -> bool + Sync),
) -> Report {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicU64::new(0);
    let report = Mutex::new(Report::default());
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return;
            }
            let seed = run(first + index);
            let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
            report.add(seed);
            progress(report.seeds);
            if enough(&report) {
                next.store(count, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    report.into_inner().unwrap_or_else(PoisonError::into_inner)
}
