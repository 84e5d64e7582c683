//! Simulation: the real wallet and the real engine in a world where everything goes wrong, seed by seed.
//!
//! One seed is thirty days: holders, shops, a desk, five banks with scripts, a disk that fails, clocks that step. After
//! every batch an independent model of the money is compared with the rows; at the end every movement must be final and
//! every bank's statement must be what our books say of it. A failing seed prints itself and replays identically.
//! Start reading at [`run`], then at `world.rs`; the model is in `oracle`.

mod answers;
mod ask;
mod bank;
mod canaries;
pub(crate) mod chance;
mod coverage;
mod day_files;
mod give_backs;
mod lies;
mod oracle;
mod people;
mod phase;
mod reimbursing;
mod report;
mod schedule;
mod service;
#[cfg(test)]
mod splits;
mod trace;
mod worker;
mod world;

pub use answers::Answers;
pub use canaries::{Canary, run_canaries, select};
pub use coverage::{Coverage, SEEDS_ENOUGH};
pub use report::{Report, run_many};

use std::panic::{AssertUnwindSafe, catch_unwind};
use world::World;

/// What became of one seed.
#[derive(Clone, Debug)]
pub struct Seed {
    /// Which.
    pub seed: u64,
    /// Days that were simulated.
    pub days: u64,
    /// Everything that happened.
    pub events: u64,
    /// Commands that were answered for the first time.
    pub commands: u64,
    /// The hash of all that happened: the same for the same seed.
    pub trace_hash: String,
    /// Which faults met what.
    pub coverage: Coverage,
    /// What went wrong, if anything did: at which step, and the last lines of the trace.
    pub violation: Option<Violation>,
}

/// What went wrong.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The line of the trace.
    pub step: u64,
    /// What.
    pub text: String,
    /// The last lines of the trace.
    pub tail: Vec<String>,
}

/// The least that a seed must ask: a world in which hardly anything happens proves hardly anything.
const COMMANDS_MIN: u64 = 1_000;

/// Runs one seed. A panic is a violation like any other, and so is a world that asked too little.
pub fn run(seed: u64) -> Seed {
    let mut world = match World::new(seed) {
        Ok(world) => world,
        Err(text) => return Seed::stillborn(seed, text),
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| world.run()));
    let text = match outcome {
        Ok(Ok(())) if world.commands < COMMANDS_MIN => Some(format!("only {} commands were answered", world.commands)),
        Ok(Ok(())) => None,
        Ok(Err(text)) => Some(text),
        Err(panic) => Some(format!("a panic: {}", panic_text(panic.as_ref()))),
    };
    let (step, tail) = (world.trace.lines(), world.trace.tail());
    Seed {
        seed,
        days: world.days(),
        events: world.events,
        commands: world.commands,
        trace_hash: world.trace.hash(),
        coverage: world.coverage,
        violation: text.map(|text| Violation { step, text, tail }),
    }
}

impl Seed {
    fn stillborn(seed: u64, text: String) -> Self {
        let violation = Some(Violation { step: 0, text, tail: Vec::new() });
        let (trace_hash, coverage) = (String::new(), Coverage::default());
        Self { seed, days: 0, events: 0, commands: 0, trace_hash, coverage, violation }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without words".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_replays_identically_and_finds_nothing() {
        let (one, again) = (run(7), run(7));
        assert!(one.violation.is_none(), "{:?}", one.violation);
        assert!(
            one.days >= 30 && one.coverage.faults().contains_key("clock_not_believed"),
            "{:?}",
            one.coverage.faults()
        );
        assert_eq!((&one.trace_hash, one.events), (&again.trace_hash, again.events));
        assert_ne!(run(8).trace_hash, one.trace_hash);
    }
}
