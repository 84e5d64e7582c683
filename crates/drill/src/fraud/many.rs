//! Many runs: each on a thread of its own, so many at once as the machine has processors. Runs know nothing of each other, so
//! the order in which they end shows nowhere.

use super::{Options, Report, run};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Runs all of `options`, in their order as far as there are threads. `watch` is told how many are done, and says whether to go
/// on; none for a run that was not begun, not brought to its last day, or failed. Beside them why one failed.
pub fn run_many(options: &[Options], watch: &(dyn Fn(usize) -> bool + Sync)) -> (Vec<Option<Report>>, Option<String>) {
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let reports = Mutex::new(vec![None; options.len()]);
    let failed = Mutex::new(None);
    let work = || {
        while let Some(one) = options.get(next.fetch_add(1, Ordering::SeqCst)) {
            let goes_on = || watch(done.load(Ordering::SeqCst));
            if !goes_on() {
                return;
            }
            match run(one, &|_, _, _| goes_on()) {
                // What was cut in the middle has smaller losses, and would be read as whole.
                Ok(report) if report.partial => {}
                Ok(report) => {
                    let place = options.iter().position(|other| std::ptr::eq(other, one)).unwrap_or(0);
                    reports.lock().unwrap_or_else(PoisonError::into_inner)[place] = Some(report);
                }
                Err(error) => *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error),
            }
            watch(done.fetch_add(1, Ordering::SeqCst) + 1);
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
