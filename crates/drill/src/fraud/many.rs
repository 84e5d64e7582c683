//! Many runs: each on a thread of its own, so many at once as the machine has processors. Runs know nothing of each other, so
//! the order in which they end shows nowhere.

use super::{Options, Report, run};
use domain::Day;
use serde::Serialize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// One of two runs that make a row together, where the other one was not brought to its end. Amounts are yen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Half {
    /// Of which row.
    pub of: &'static str,
    /// Which of the two.
    pub side: &'static str,
    /// What was debited and did not come back.
    pub yen_taken: i64,
    /// What got out of reach.
    pub yen_escaped: i64,
}

impl Half {
    /// The halves among `reports`, two of each of `names`.
    pub fn of(names: &[&'static str], sides: [&'static str; 2], reports: &[Option<Report>]) -> Vec<Self> {
        let pairs = names.iter().zip(reports.chunks(2)).filter(|(_, pair)| pair.iter().any(Option::is_none));
        pairs.flat_map(|(name, pair)| Self::all_of(&[name], sides, pair)).collect()
    }

    /// Every run that was brought to its end.
    pub fn all_of(names: &[&'static str], sides: [&'static str; 2], reports: &[Option<Report>]) -> Vec<Self> {
        let runs = names.iter().flat_map(|name| sides.map(|side| (*name, side))).zip(reports);
        let half = |((of, side), report): ((&'static str, &'static str), &Option<Report>)| {
            let report = report.as_ref()?;
            Some(Self { of, side, yen_taken: report.yen_taken, yen_escaped: report.yen_escaped })
        };
        runs.filter_map(half).collect()
    }
}

/// How many runs are done and, where one has come to another one, at which simulated day one is. Whoever watches says whether to
/// go on.
pub type Watch<'a> = dyn Fn(usize, Option<Day>) -> bool + Sync + 'a;

/// Runs all of `options`, in their order as far as there are threads; none for a run that was not begun, not brought to its last
/// day, or failed. Beside them why one failed.
pub fn run_many(options: &[Options], watch: &Watch<'_>) -> (Vec<Option<Report>>, Option<String>) {
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let reports = Mutex::new(vec![None; options.len()]);
    let failed = Mutex::new(None);
    let work = || {
        while let Some(one) = options.get(next.fetch_add(1, Ordering::SeqCst)) {
            let goes_on = |day| watch(done.load(Ordering::SeqCst), day);
            if !goes_on(None) {
                return;
            }
            match run(one, &|day, _, _| goes_on(Some(day))) {
                // What was cut in the middle has smaller losses, and would be read as whole.
                Ok(report) if report.partial => {}
                Ok(report) => {
                    let place = options.iter().position(|other| std::ptr::eq(other, one)).unwrap_or(0);
                    reports.lock().unwrap_or_else(PoisonError::into_inner)[place] = Some(report);
                }
                Err(error) => *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error),
            }
            watch(done.fetch_add(1, Ordering::SeqCst) + 1, None);
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(options.len().max(1));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    let reports = reports.into_inner().unwrap_or_else(PoisonError::into_inner);
    (reports, failed)
}
