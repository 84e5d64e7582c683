//! The sandbox's clock: real time plus an offset that only grows, or frozen. Everything timed in the sandbox uses it.
//!
//! The steady clock moves with the calendar's, so that whoever compares the two sees no drift when time is advanced. The
//! offset is kept in a file, so that a restart does not step back. Advancing never skips work: it stops at each moment at
//! which something falls due and lets every service do it. Start reading at [`SandboxClock::advance`].

use domain::Time;
use engine::{Clock, SystemClock};
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::{fs, io};
use tokio::sync::watch;
use web::{Due, Ran};

/// The furthest that one call may advance the clock: ten years, in seconds.
pub const ADVANCE_SECONDS_MAX: i64 = 10 * 366 * 86_400;
/// The longest stride, in milliseconds, over moments at which somebody looks and finds nothing to do, where the whole way is
/// short enough for it.
pub const IDLE_STRIDE_MS_MAX: i64 = 60_000;
/// Idle moments at which one call stops at most: on a longer way the strides are longer.
pub const IDLE_STEPS_MAX: i64 = 10_000;
/// Moments at which one call may stop; more is a worker that makes work for ever.
pub const ADVANCE_STEPS_MAX: usize = 1_000_000;
/// Rounds of due work at one moment, for the same reason.
pub const ROUNDS_MAX: usize = 10_000;
/// The latest time that a file may name, in milliseconds since 1970: the year 5138. With the offset it is one that a calendar has.
const TIME_MS_MAX: i64 = 100_000_000_000_000;
/// The file beside the data.
pub const FILE: &str = "clock.json";

/// What does the due work of every service once: whoever runs them gives it. It answers what was done, and what is next.
pub type DueHook = Arc<dyn Fn(Time) -> Pin<Box<dyn Future<Output = Ran> + Send>> + Send + Sync>;

/// The clock.
pub struct SandboxClock {
    base: Arc<dyn Clock>,
    setting: Mutex<Setting>,
    changes: watch::Sender<u64>,
    file: Option<PathBuf>,
    /// The file is another process's: this clock shows what stands there.
    follows: bool,
    due: OnceLock<DueHook>,
    advancing: tokio::sync::Mutex<()>,
}

/// How the clock is set; what the file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "each name ends in its unit")]
struct Setting {
    /// Ahead of real time by so much, while it is not frozen.
    offset_ms: i64,
    /// Stands still here.
    frozen_at_ms: Option<i64>,
    /// No time was told after this: it never steps back behind it, whatever the machine's clock does.
    latest_ms: i64,
}

/// What advancing came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advanced {
    /// The time now.
    pub now: Time,
    /// What was done on the way, and when the next thing falls due, if that is known.
    pub ran: Ran,
}

impl SandboxClock {
    /// The clock as the file in `directory` left it; real time if there is none. Without a directory nothing is kept.
    pub fn open(directory: Option<&Path>) -> io::Result<Self> {
        Self::over(Arc::new(SystemClock), directory)
    }

    /// The clock that another process keeps in `directory`, wherever that one has come to: for parts of one sandbox that run
    /// apart. It is set over there alone.
    pub fn follow(directory: &Path) -> io::Result<Self> {
        Ok(Self { follows: true, ..Self::open(Some(directory))? })
    }

    /// A clock that stands still at `now` and moves only when it is advanced: for simulation.
    pub fn frozen(now: Time) -> Self {
        let frozen_at_ms = Some(now.milliseconds());
        let setting = Setting { offset_ms: 0, frozen_at_ms, latest_ms: now.milliseconds() };
        Self::with(Arc::new(SystemClock), setting, None)
    }

    fn over(base: Arc<dyn Clock>, directory: Option<&Path>) -> io::Result<Self> {
        let file = directory.map(|directory| directory.join(FILE));
        let start = Setting { offset_ms: 0, frozen_at_ms: None, latest_ms: 0 };
        let setting = file.as_deref().map(read).transpose()?.flatten();
        Ok(Self::with(base, setting.unwrap_or(start), file))
    }

    fn with(base: Arc<dyn Clock>, setting: Setting, file: Option<PathBuf>) -> Self {
        let changes = watch::Sender::new(0);
        Self {
            base,
            setting: Mutex::new(setting),
            changes,
            file,
            follows: false,
            due: OnceLock::new(),
            advancing: tokio::sync::Mutex::default(),
        }
    }

    /// Who does the due work while the clock is advanced; the first call counts.
    pub fn on_advance(&self, due: DueHook) {
        // A second hook would be a second set of services in one process: the first stays.
        drop(self.due.set(due));
    }

    /// Whether it stands still.
    pub fn is_frozen(&self) -> bool {
        self.setting().frozen_at_ms.is_some()
    }

    /// Lets it stand still where it is, or go on from there.
    pub fn freeze(&self, frozen: bool) -> io::Result<()> {
        let now = self.now().milliseconds();
        self.change(|setting, base| {
            setting.frozen_at_ms = frozen.then_some(now);
            setting.offset_ms = now.saturating_sub(base);
        })
    }

    /// Goes on by `seconds`, stopping wherever something falls due; answers when all that was due is done. Once begun it goes
    /// on to its end, also when whoever asked for it has gone.
    pub async fn advance(self: &Arc<Self>, seconds: i64) -> io::Result<Advanced> {
        let clock = Arc::clone(self);
        tokio::spawn(async move { clock.advance_by(seconds).await }).await.map_err(io::Error::other)?
    }

    async fn advance_by(&self, seconds: i64) -> io::Result<Advanced> {
        let _one_at_a_time = self.advancing.lock().await;
        let target = self.now().plus_milliseconds(seconds.clamp(0, ADVANCE_SECONDS_MAX).saturating_mul(1_000));
        let span_ms = target.milliseconds_since(self.now());
        let stride_ms_max = IDLE_STRIDE_MS_MAX.max(span_ms / IDLE_STEPS_MAX);
        let (mut all, mut stride_ms) = (Ran::default(), 0);
        for _ in 0..ADVANCE_STEPS_MAX {
            let ran = self.settle().await;
            let due = ran.due;
            all = Ran { due: Due { next: None, ..all.due }, ..all }.and(ran);
            let now = self.now();
            if now >= target {
                return Ok(Advanced { now, ran: all });
            }
            // Who only looks every second, or waits for somebody else, must not keep the time from going on.
            stride_ms = if due.done > 0 { 0 } else { (stride_ms * 2).clamp(1, stride_ms_max) };
            let next = due.next.unwrap_or(target).max(now.plus_milliseconds(stride_ms));
            self.move_to(next.min(target))?;
        }
        Ok(Advanced { now: self.now(), ran: Ran { due: Due { next: None, ..all.due }, ..all } })
    }

    /// Whether somebody is advancing it at this moment.
    pub(crate) fn is_advancing(&self) -> bool {
        self.advancing.try_lock().is_err()
    }

    /// Does everything that is due now, until nothing is.
    pub(crate) async fn settle(&self) -> Ran {
        let mut total = Ran::default();
        let Some(hook) = self.due.get() else { return total };
        for _ in 0..ROUNDS_MAX {
            let now = self.now();
            let ran = hook(now).await;
            let due = ran.due;
            // What the last round says comes next is what does: the others have seen to theirs.
            total = Ran { due: Due { next: None, ..total.due }, ..total }.and(ran);
            // What fell due while the round waited for others is due as well; who is late for ever is not waited for.
            let fell_due = due.next.is_some_and(|next| now < next && next <= self.now());
            if due.done == 0 && !fell_due {
                break;
            }
        }
        total
    }

    /// Waits until the clock shows `time`. A frozen clock lets wait until somebody advances it.
    pub async fn reach(&self, time: Time) {
        let mut changes = self.changes.subscribe();
        loop {
            let left = time.milliseconds_since(self.now());
            let Ok(left) = u64::try_from(left) else { return };
            if left == 0 {
                return;
            }
            if self.is_frozen() {
                if changes.changed().await.is_err() {
                    return;
                }
            } else {
                // A change wakes the wait early, and the loop looks again.
                drop(tokio::time::timeout(std::time::Duration::from_millis(left), changes.changed()).await);
            }
        }
    }

    /// Goes on to `time` at once, and does nothing of what falls due on the way: for whoever steps the services themself.
    pub fn move_to(&self, time: Time) -> io::Result<()> {
        let to = time.milliseconds();
        self.change(|setting, base| {
            if setting.frozen_at_ms.is_some() {
                setting.frozen_at_ms = Some(to);
            }
            setting.offset_ms = to.saturating_sub(base).max(setting.offset_ms);
        })
    }

    fn change(&self, change: impl FnOnce(&mut Setting, i64)) -> io::Result<()> {
        let base = self.base.now().milliseconds();
        let setting = {
            let mut setting = self.setting();
            change(&mut setting, base);
            *setting
        };
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
        let Some(file) = &self.file else { return Ok(()) };
        // Written beside and renamed: a file that is half written would be a clock that stepped back.
        let beside = file.with_extension("json.new");
        fs::write(&beside, serde_json::to_vec(&setting)?)?;
        fs::rename(&beside, file)
    }

    fn setting(&self) -> MutexGuard<'_, Setting> {
        self.setting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The setting in `bytes`, if it shows a time that a calendar has.
fn setting_in(bytes: &[u8]) -> io::Result<Setting> {
    let setting: Setting = serde_json::from_slice(bytes)?;
    let times = [setting.frozen_at_ms, Some(setting.latest_ms)];
    let is_told = times.into_iter().flatten().all(|time| (0..=TIME_MS_MAX).contains(&time));
    if is_told && (-TIME_MS_MAX..=TIME_MS_MAX).contains(&setting.offset_ms) {
        return Ok(setting);
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "the clock's file names a time that no calendar has"))
}

/// What must hold for any bytes of the clock's file: they are refused, or are a setting that stays the same when it is kept and
/// read again, and a time that can be told; whether they were understood.
#[cfg(any(test, feature = "fuzzing"))]
pub fn check_file(bytes: &[u8]) -> bool {
    let Ok(setting) = setting_in(bytes) else { return false };
    let again = serde_json::to_vec(&setting).expect("what was read can be kept");
    assert_eq!(setting_in(&again).ok(), Some(setting), "a setting stays the same");
    let clock = SandboxClock::with(Arc::new(SystemClock), setting, None);
    let shown = clock.now();
    assert!(shown >= Time::from_milliseconds(setting.latest_ms), "it never steps back");
    assert!(clock.now() >= shown && !shown.to_string().ends_with("ms"), "{shown} is a time");
    true
}

/// What the file at `path` says, if it is there.
fn read(path: &Path) -> io::Result<Option<Setting>> {
    match fs::read(path) {
        Ok(bytes) => setting_in(&bytes).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Clock for SandboxClock {
    fn now(&self) -> Time {
        let base = self.base.now().milliseconds();
        // What cannot be read is as it was: the file is renamed into its place, whole.
        let followed = self.file.as_deref().filter(|_| self.follows).and_then(|file| read(file).ok().flatten());
        let mut setting = self.setting();
        if let Some(followed) = followed {
            (setting.offset_ms, setting.frozen_at_ms) = (followed.offset_ms, followed.frozen_at_ms);
        }
        let shown = setting.frozen_at_ms.unwrap_or_else(|| base.saturating_add(setting.offset_ms));
        setting.latest_ms = setting.latest_ms.max(shown);
        Time::from_milliseconds(setting.latest_ms)
    }

    fn monotonic_milliseconds(&self) -> i64 {
        // The steady clock shows what the calendar's does, so the two never drift apart.
        self.now().milliseconds()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const START: Time = Time::from_milliseconds(1_600_000_000_000);

    #[test]
    fn a_damaged_file_is_refused_or_shows_a_time() {
        let valid = br#"{"offset_ms":86400000,"frozen_at_ms":1600000000000,"latest_ms":1600000000000}"#;
        assert!(check_file(valid));
        for at in 0..valid.len() {
            check_file(&valid[..at]);
            check_file(&[&valid[..=at], &valid[at..]].concat());
            for bit in 0..8 {
                let mut damaged = valid.to_vec();
                damaged[at] ^= 1 << bit;
                check_file(&damaged);
            }
        }
        for beyond in [i64::MIN, -TIME_MS_MAX - 1, TIME_MS_MAX + 1, i64::MAX] {
            let text = format!(r#"{{"offset_ms":{beyond},"frozen_at_ms":null,"latest_ms":0}}"#);
            assert!(!check_file(text.as_bytes()), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_setting_is_refused_or_shows_a_time(
            offset_ms in proptest::num::i64::ANY,
            frozen_at_ms in proptest::option::of(proptest::num::i64::ANY),
            shift in 0_u32..40,
        ) {
            let frozen = frozen_at_ms.map_or("null".to_owned(), |frozen| (frozen >> shift).to_string());
            let text = format!(r#"{{"offset_ms":{},"frozen_at_ms":{frozen},"latest_ms":0}}"#, offset_ms >> shift);
            check_file(text.as_bytes());
        }
    }

    #[tokio::test]
    async fn advancing_stops_wherever_something_falls_due_and_ends_where_it_was_told_to() {
        let clock = Arc::new(SandboxClock::frozen(START));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (watched, left) = (Arc::clone(&seen), Arc::new(AtomicUsize::new(3)));
        clock.on_advance(Arc::new(move |now| {
            let (seen, left) = (Arc::clone(&watched), Arc::clone(&left));
            Box::pin(async move {
                let due_in = |count: usize| START.plus_milliseconds(60_000 * (4 - i64::try_from(count).unwrap_or(0)));
                let count = left.load(Ordering::Relaxed);
                if count > 0 && now >= due_in(count) {
                    seen.lock().expect("no panic").push(now.milliseconds_since(START));
                    left.fetch_sub(1, Ordering::Relaxed);
                    return Due { done: 1, next: None }.named("test.thing");
                }
                Due { done: 0, next: (count > 0).then(|| due_in(count)) }.into()
            })
        }));
        let advanced = clock.advance(150).await.expect("there is no file to write");
        assert_eq!(advanced.now, START.plus_milliseconds(150_000));
        assert_eq!(advanced.ran.due, Due { done: 2, next: Some(START.plus_milliseconds(180_000)) });
        assert_eq!(advanced.ran.kinds, [("test.thing".into(), 2)].into());
        assert_eq!(*seen.lock().expect("no panic"), [60_000, 120_000]);
    }

    #[tokio::test]
    async fn who_looks_every_second_and_who_is_late_for_ever_do_not_keep_time_from_going_on() {
        for lateness_ms in [-1_000, 0, 5_000] {
            let clock = Arc::new(SandboxClock::frozen(START));
            let looks = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&looks);
            clock.on_advance(Arc::new(move |now| {
                counted.fetch_add(1, Ordering::Relaxed);
                Box::pin(async move { Due { done: 0, next: Some(now.plus_milliseconds(-lateness_ms)) }.into() })
            }));
            let advanced = clock.advance(31 * 86_400).await.expect("there is no file to write");
            assert_eq!(advanced.now, START.plus_milliseconds(31 * 86_400_000));
            let looks = looks.load(Ordering::Relaxed);
            assert!((10_000..20_000).contains(&looks), "{looks} looks");
        }
    }

    #[tokio::test]
    async fn a_restart_does_not_step_back_and_a_frozen_clock_stands() {
        let directory = tempfile::tempdir().expect("a directory for the test");
        let clock = Arc::new(SandboxClock::open(Some(directory.path())).expect("it opens"));
        let before = clock.now();
        clock.advance(86_400).await.expect("it advances");
        let clock = SandboxClock::open(Some(directory.path())).expect("it opens again");
        assert!(clock.now().milliseconds_since(before) >= 86_400_000);
        assert!(!clock.is_frozen());
        clock.freeze(true).expect("it freezes");
        let stands = clock.now();
        let clock = Arc::new(SandboxClock::open(Some(directory.path())).expect("it opens a third time"));
        assert_eq!((clock.now(), clock.is_frozen()), (stands, true));
        assert_eq!(clock.advance(5).await.expect("it advances").now, stands.plus_milliseconds(5_000));
        clock.freeze(false).expect("it goes on");
        assert!(clock.now() >= stands.plus_milliseconds(5_000));
    }

    #[tokio::test]
    async fn who_follows_shows_the_same_time_and_never_steps_back() {
        let directory = tempfile::tempdir().expect("a directory for the test");
        let follower = SandboxClock::follow(directory.path()).expect("it opens before there is a file");
        let clock = Arc::new(SandboxClock::open(Some(directory.path())).expect("it opens"));
        clock.freeze(true).expect("it freezes");
        for seconds in [0, 86_400, 1] {
            clock.advance(seconds).await.expect("it advances");
            assert_eq!(follower.now(), clock.now());
        }
        let latest = follower.now();
        std::fs::remove_file(directory.path().join(FILE)).expect("it is there");
        assert!(follower.now() >= latest, "a file that is gone turns nothing back");
        clock.freeze(false).expect("it goes on");
        assert!(follower.now() >= latest);
    }

    #[tokio::test]
    async fn waiting_ends_when_somebody_advances_a_frozen_clock() {
        let clock = Arc::new(SandboxClock::frozen(START));
        let waiter = {
            let clock = Arc::clone(&clock);
            tokio::spawn(async move { clock.reach(START.plus_milliseconds(10_000)).await })
        };
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        clock.advance(10).await.expect("it advances");
        waiter.await.expect("the wait ends");
    }
}
