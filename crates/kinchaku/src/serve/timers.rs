//! Timers: they call each service's due work, in steps, while the program runs; and all of it at once when the sandbox's
//! clock is advanced.

use domain::Time;
use engine::Clock;
use sandbox::DueHook;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use web::Ran;

/// How much one step may do before others get their turn.
pub const STEP_BUDGET: usize = 256;
/// The longest pause between two steps, in milliseconds: what a request has just made due waits no longer.
const PAUSE_MS_MAX: u64 = 100;

/// One step of a service's due work, at a time.
pub type Step = Arc<dyn Fn(Time, usize) -> Pin<Box<dyn Future<Output = Ran> + Send>> + Send + Sync>;

/// `step` as one that never runs twice at once: whoever comes second waits, and then finds done what the first has done.
pub fn one_at_a_time(step: Step) -> Step {
    let running = Arc::new(Mutex::new(()));
    Arc::new(move |now, budget| {
        let (step, running) = (Arc::clone(&step), Arc::clone(&running));
        Box::pin(async move {
            let _running = running.lock().await;
            step(now, budget).await
        })
    })
}

/// Calls `step` until it is `stopped`. A step that panics is told in the log, a line for the first, second, fourth time and so
/// on, and tried again: its part of the due work must not stand still unseen for as long as the process lives.
pub async fn run(step: Step, clock: Arc<dyn Clock>, mut stopped: watch::Receiver<bool>) {
    let mut panics = 0_u64;
    loop {
        let now = clock.now();
        let due = if let Ok(ran) = tokio::spawn(step(now, STEP_BUDGET)).await {
            ran.due
        } else {
            panics += 1;
            if panics.is_power_of_two() {
                tracing::error!(panics, "a step of the due work panicked, and is tried again");
            }
            web::Due::default()
        };
        let pause_ms = if due.done > 0 { 0 } else { pause_ms(now, due.next) };
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(pause_ms)) => {}
            _ = stopped.changed() => return,
        }
    }
}

fn pause_ms(now: Time, next: Option<Time>) -> u64 {
    let until = next.map(|next| u64::try_from(next.milliseconds() - now.milliseconds()).unwrap_or(0));
    until.unwrap_or(PAUSE_MS_MAX).clamp(1, PAUSE_MS_MAX)
}

/// One round over all services: what one does may give another something to do, so whoever advances the clock calls this
/// until nothing is done any more.
pub fn round(steps: Vec<Step>) -> DueHook {
    let steps = Arc::new(steps);
    Arc::new(move |now| {
        let steps = Arc::clone(&steps);
        Box::pin(async move {
            let mut all = Ran::default();
            for step in steps.iter() {
                all = all.and(step(now, STEP_BUDGET).await);
            }
            all
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::SystemClock;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[tokio::test]
    async fn a_step_that_panics_is_tried_again() {
        let (ended, stopped) = watch::channel(false);
        let calls = Arc::new(AtomicU64::new(0));
        let step: Step = {
            let calls = Arc::clone(&calls);
            Arc::new(move |_, _| {
                let call = calls.fetch_add(1, Ordering::Relaxed);
                let ended = ended.clone();
                Box::pin(async move {
                    assert!(call > 1, "the first two fail");
                    ended.send_replace(true);
                    Ran::default()
                })
            })
        };
        run(step, Arc::new(SystemClock), stopped).await;
        assert_eq!(calls.load(Ordering::Relaxed), 3);
    }
}
