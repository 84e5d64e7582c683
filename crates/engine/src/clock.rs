//! The clock: the one place of the engine that looks at one, and how its drift is seen. Start reading at [`ClockWatch`].

use crate::options::{CLOCK_AGREES_WITHIN_MS, CLOCK_AHEAD_MS_MAX, CLOCK_DRIFT_MS_MAX, CLOCK_SETTLED_MS_MIN};
use domain::Time;
use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Where an engine's thread takes the time from.
pub trait Clock: Send + Sync + 'static {
    /// The calendar's time, which somebody may set.
    fn now(&self) -> Time;
    /// Milliseconds since some start, which nobody can set.
    fn monotonic_milliseconds(&self) -> i64;
    /// Whether it is the machine's, which may have been set wrong since before the process began. One that somebody moves by
    /// hand, for a sandbox or a test, is right by being so.
    fn is_machines(&self) -> bool {
        false
    }
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

    fn is_machines(&self) -> bool {
        true
    }
}

/// What can be believed of the clock behind the submissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Believed {
    /// Whether the calendar's clock goes as the steady one does; if not, money must not leave.
    pub is_trusted: bool,
    /// While trusted, the latest time that a submission may bring; else the time itself, by the steady clock.
    pub time_max: Time,
}

impl Believed {
    /// Whatever a submission says: for whoever drives a core with a time of its own making.
    pub const ALL: Self = Self { is_trusted: true, time_max: Time::from_milliseconds(i64::MAX) };
}

/// Compares the calendar's clock with the steady one: a step of either side shows as drift.
///
/// What was agreed at the start is the baseline. A calendar that strays from it by more than [`CLOCK_DRIFT_MS_MAX`] is not
/// believed: the time goes on from the baseline by the steady clock alone. It is believed again as soon as it is back, or
/// once it has gone with the steady clock for [`CLOCK_SETTLED_MS_MIN`] where it is now: a machine that was suspended wakes
/// with a steady clock that stood still and a calendar that is right, and nothing would ever bring the two together.
/// A calendar that is set wrong for longer than that is believed, too; no clock of the same machine can tell. But a lane's time
/// never steps back: a calendar that is more than [`CLOCK_AHEAD_MS_MAX`] ahead, of the baseline or at the start of the lane's
/// last record, is only believed when it is back within that, or when somebody says so ([`crate::Options::clock_believed`]).
#[derive(Debug)]
pub struct ClockWatch {
    /// By how much the calendar was ahead of the steady clock when they last agreed.
    offset: i64,
    strayed: Option<Strayed>,
    /// The clocks have not agreed yet: the baseline is the lane's last record.
    is_far_ahead: bool,
}

/// Where the calendar's clock has been since it strayed.
#[derive(Clone, Copy, Debug)]
struct Strayed {
    offset: i64,
    since: i64,
}

impl ClockWatch {
    /// The clocks as they stand now agree.
    pub const fn begin(now: Time, monotonic_milliseconds: i64) -> Self {
        let offset = now.milliseconds().saturating_sub(monotonic_milliseconds);
        Self { offset, strayed: None, is_far_ahead: false }
    }

    /// The clocks of a new process on a lane whose last record is of the time `last`: they agree unless the calendar is far
    /// ahead of that. Until it no longer is, the time goes on from there by the steady clock.
    pub fn begin_after(last: Time, now: Time, monotonic_milliseconds: i64) -> Self {
        if now.milliseconds_since(last) <= CLOCK_AHEAD_MS_MAX {
            return Self::begin(now, monotonic_milliseconds);
        }
        Self { is_far_ahead: true, ..Self::begin(last, monotonic_milliseconds) }
    }

    /// Whether the calendar was far ahead of the lane at the start, and still is.
    pub const fn is_far_ahead(&self) -> bool {
        self.is_far_ahead
    }

    /// Looks at both clocks: what can be believed of the calendar's now.
    pub fn look(&mut self, now: Time, monotonic_milliseconds: i64) -> Believed {
        let offset = now.milliseconds().saturating_sub(monotonic_milliseconds);
        let ahead = offset.saturating_sub(self.offset);
        if self.is_far_ahead && ahead <= CLOCK_AHEAD_MS_MAX {
            *self = Self::begin(now, monotonic_milliseconds);
        } else if self.is_far_ahead {
            let time_max = Time::from_milliseconds(monotonic_milliseconds).plus_milliseconds(self.offset);
            return Believed { is_trusted: false, time_max };
        }
        let is_near = |other: i64, bound: i64| offset.saturating_sub(other).saturating_abs() <= bound;
        if is_near(self.offset, CLOCK_DRIFT_MS_MAX) {
            self.strayed = None;
        } else {
            let since = self.strayed.filter(|strayed| is_near(strayed.offset, CLOCK_AGREES_WITHIN_MS));
            let strayed = since.unwrap_or(Strayed { offset, since: monotonic_milliseconds });
            let has_settled = monotonic_milliseconds.saturating_sub(strayed.since) >= CLOCK_SETTLED_MS_MIN
                && ahead <= CLOCK_AHEAD_MS_MAX;
            self.strayed = (!has_settled).then_some(strayed);
            if has_settled {
                self.offset = offset;
            }
        }
        let estimate = Time::from_milliseconds(monotonic_milliseconds).plus_milliseconds(self.offset);
        match self.strayed {
            None => Believed { is_trusted: true, time_max: estimate.plus_milliseconds(CLOCK_DRIFT_MS_MAX) },
            Some(_) => Believed { is_trusted: false, time_max: estimate },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    const DAY: i64 = 24 * HOUR;
    const SETTLED: i64 = CLOCK_SETTLED_MS_MIN;

    /// Looks at (calendar, steady) one after the other; each look must come to trusted or not, and the latest time.
    fn check(looks: &[(i64, i64, bool, i64)]) {
        check_of(ClockWatch::begin(Time::from_milliseconds(DAY), 0), looks);
    }

    /// The same in a process that begins at `calendar`, after a last record of the time [`DAY`].
    fn check_after(calendar: i64, looks: &[(i64, i64, bool, i64)]) {
        let time = Time::from_milliseconds;
        check_of(ClockWatch::begin_after(time(DAY), time(calendar), 0), looks);
    }

    fn check_of(mut watch: ClockWatch, looks: &[(i64, i64, bool, i64)]) {
        for &(calendar, steady, is_trusted, time_max) in looks {
            let believed = watch.look(Time::from_milliseconds(calendar), steady);
            let expected = Believed { is_trusted, time_max: Time::from_milliseconds(time_max) };
            assert_eq!(believed, expected, "the calendar at {calendar}, the steady clock at {steady}");
        }
    }

    #[test]
    fn a_clock_that_strays_is_believed_once_it_is_back() {
        let max = CLOCK_DRIFT_MS_MAX;
        check(&[
            (DAY + 7, 7, true, DAY + 7 + max),
            (DAY + 8 + max, 8, true, DAY + 8 + max),
            (DAY + 10 + max, 9, false, DAY + 9),
            (3 * DAY, 20, false, DAY + 20),
            (0, 30, false, DAY + 30),
            (DAY + 40 - max, 40, true, DAY + 40 + max),
        ]);
    }

    #[test]
    fn a_clock_that_goes_steadily_elsewhere_is_believed_after_a_while() {
        let (max, there) = (CLOCK_DRIFT_MS_MAX, DAY + HOUR);
        check(&[
            (there, 10, false, DAY + 10),
            (there + SETTLED - 1, 9 + SETTLED, false, DAY + 9 + SETTLED),
            (there + SETTLED, 10 + SETTLED, true, there + SETTLED + max),
            (DAY + SETTLED, 11 + SETTLED, false, there + SETTLED + 1),
        ]);
    }

    #[test]
    fn a_clock_that_goes_nine_hours_ahead_is_never_believed_there() {
        let (max, there) = (CLOCK_DRIFT_MS_MAX, DAY + 9 * HOUR);
        check(&[
            (there, 0, false, DAY),
            (there + SETTLED, SETTLED, false, DAY + SETTLED),
            (there + DAY, DAY, false, 2 * DAY),
            (2 * DAY + 1, DAY + 1, true, 2 * DAY + 1 + max),
        ]);
    }

    #[test]
    fn a_clock_that_is_nine_hours_ahead_at_the_start_is_believed_once_it_is_set_right() {
        let (max, there, minute) = (CLOCK_DRIFT_MS_MAX, DAY + 9 * HOUR, 60_000);
        check_after(
            there,
            &[
                (there, 0, false, DAY),
                (there + 2 * SETTLED, 2 * SETTLED, false, DAY + 2 * SETTLED),
                // The process had been stopped for a minute.
                (DAY + minute + 3 * SETTLED, 3 * SETTLED, true, DAY + minute + 3 * SETTLED + max),
                (there + 3 * SETTLED, 3 * SETTLED, false, DAY + minute + 3 * SETTLED),
            ],
        );
    }

    #[test]
    fn a_process_may_have_been_stopped_for_hours() {
        let max = CLOCK_DRIFT_MS_MAX;
        for calendar in [DAY + CLOCK_AHEAD_MS_MAX, DAY + 1, DAY, DAY - 9 * HOUR] {
            check_after(calendar, &[(calendar + 5, 5, true, calendar + 5 + max)]);
        }
        let beyond = DAY + CLOCK_AHEAD_MS_MAX + 1;
        check_after(beyond, &[(beyond + 5, 5, false, DAY + 5)]);
    }

    #[test]
    fn a_clock_that_goes_at_another_speed_never_settles() {
        let looks: Vec<_> = (1..500)
            .map(|minute: i64| {
                let steady = minute * 60_000;
                (3 * DAY + steady + minute * (CLOCK_AGREES_WITHIN_MS + 1), steady, false, DAY + steady)
            })
            .collect();
        check(&looks);
    }
}
