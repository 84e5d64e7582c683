//! Canaries: known bugs, planted one at a time, that the simulation must catch. A simulation that catches none proves
//! nothing.

use super::report::{Report, run_many};

/// Seeds after which a planted bug counts as not caught.
pub const SEEDS_MAX: u64 = 300;

/// Whether a planted bug was caught, and how.
#[derive(Clone, Debug)]
pub struct Canary {
    /// Its name.
    pub name: &'static str,
    /// The seeds that it took.
    pub seeds: u64,
    /// The first violation, of a seed that has none without the bug; none: nothing was noticed.
    pub caught: Option<String>,
}

/// The names of all planted bugs.
pub fn names() -> Vec<&'static str> {
    engine::canary::NAMES.iter().chain(wallet::canary::NAMES).copied().collect()
}

/// Switches one planted bug on, or all off. Without the feature nothing is planted: an error.
#[cfg(feature = "canaries")]
pub fn select(name: Option<&str>) -> Result<(), String> {
    engine::canary::select(name);
    wallet::canary::select(name);
    match name {
        Some(name) if !names().contains(&name) => Err(format!("no bug is named {name}; there are {:?}", names())),
        Some(_) | None => Ok(()),
    }
}

/// Switches one planted bug on, or all off. Without the feature nothing is planted: an error.
#[cfg(not(feature = "canaries"))]
pub fn select(name: Option<&str>) -> Result<(), String> {
    match name {
        Some(name) => Err(format!("{name} is not planted in this build: build it with `--features canaries`")),
        None => Ok(()),
    }
}

/// Runs every planted bug until it is caught, or nobody caught it in [`SEEDS_MAX`] seeds. `tell` hears of each.
pub fn run_canaries(first: u64, tell: &dyn Fn(&Canary)) -> Result<Vec<Canary>, String> {
    let mut canaries = Vec::new();
    for name in names() {
        select(Some(name))?;
        let report = run_many(first, SEEDS_MAX, &|_| {}, &|report: &Report| report.failed > 0);
        select(None)?;
        let caught = report.failures.first().filter(|seed| run_many(seed.seed, 1, &|_| {}, &|_| true).failed == 0);
        let caught = caught.and_then(|seed| seed.violation.as_ref()).map(|found| found.text.clone());
        let canary = Canary { name, seeds: report.seeds, caught };
        tell(&canary);
        canaries.push(canary);
    }
    Ok(canaries)
}
