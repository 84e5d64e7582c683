//! The clock: the one place of the engine that looks at one, and how its drift is seen.

use crate::options::CLOCK_DRIFT_MS_MAX;
use domain::Time;
use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Where an engine's thread takes the time from.
pub trait Clock: Send + Sync + 'static {
    /// The calendar's time, which somebody may set.
    fn now(&self) -> Time;
    /// Milliseconds since some start, which nobody can set.
    fn monotonic_milliseconds(&self) -> i64;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the calendar's clock")]
    fn now(&self) -> Time {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time::from_milliseconds(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the steady clock")]
    fn monotonic_milliseconds(&self) -> i64 {
        static START: OnceLock<Instant> = OnceLock::new();
        i64::try_from(START.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

/// Compares the calendar's clock with the steady one: a step of either side shows as drift.
#[derive(Debug)]
pub(crate) struct Drift {
    offset: i64,
}

impl Drift {
    /// The clocks as they stand now agree.
    pub fn begin(clock: &dyn Clock) -> Self {
        Self { offset: offset(clock) }
    }

    /// Whether the calendar's clock is still within the bound of where the steady clock says it is.
    pub fn is_trusted(&self, clock: &dyn Clock) -> bool {
        (offset(clock) - self.offset).abs() <= CLOCK_DRIFT_MS_MAX
    }
}

fn offset(clock: &dyn Clock) -> i64 {
    clock.now().milliseconds() - clock.monotonic_milliseconds()
}
