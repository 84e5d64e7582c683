//! The callers: how commands are sent and answers counted. A closed loop sends its next after its last answer; an open
//! loop sends at a rate whatever the answers do, and measures each latency from the moment at which it was due.

use super::Failure;
use super::meter::{Meter, now};
use domain::{Domain, Id, Time};
use engine::{Actor, ActorKind, Answer, Engine, EngineError, Submission};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Debug;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::LocalSet;

/// How often the open loop looks for commands that are due.
const TICK: Duration = Duration::from_micros(100);
/// How long who is refused as busy waits before the next attempt.
const BUSY: Duration = Duration::from_millis(1);
/// Commands that the open loop sends between two looks at its clock.
const SENT_AT_ONCE_MAX: usize = 512;
/// How often progress is shown.
const SHOW: Duration = Duration::from_millis(200);

/// Where commands come from.
pub trait Source: 'static {
    /// Who carries them out.
    type Domain: Domain;
    /// What is remembered of a command until its answer.
    type Order: Copy + Debug + 'static;

    /// Whether a refusal says that the load has no money left to move.
    fn ran_dry(refusal: &<Self::Domain as Domain>::Refusal) -> bool;

    /// What to send next: an order, and whether it was sent before.
    fn draw(&mut self) -> (Self::Order, bool);

    /// How many orders were drawn that were not sent before, from the very first run on.
    fn drawn(&self) -> u64;

    /// The command of `order`.
    fn submission(&self, order: &Self::Order, at: Time) -> Submission<Self::Domain>;
}

/// What the callers of a run share.
pub struct Load<S> {
    /// Where the commands come from.
    pub source: S,
    /// How many orders there are in all.
    pub last: u64,
    /// When to stop.
    pub until: Option<Instant>,
    /// The latencies.
    pub meter: Meter,
    /// New orders that were answered.
    pub acknowledged: u64,
    /// Repeated requests that were answered.
    pub repeated: u64,
    /// Commands that were refused as busy, and sent again.
    pub busy: u64,
    /// The first answer that should not have been.
    pub wrong: Option<Failure>,
}

impl<S: Source> Load<S> {
    /// Orders up to number `last`, or `until` then.
    pub fn new(source: S, last: u64, until: Option<Instant>) -> Self {
        Self { source, last, until, meter: Meter::new(), acknowledged: 0, repeated: 0, busy: 0, wrong: None }
    }

    fn is_over(&self, at: Instant) -> bool {
        self.wrong.is_some() || self.source.drawn() >= self.last || self.until.is_some_and(|until| at >= until)
    }

    fn done(&mut self, order: &S::Order, again: bool, answer: Result<Answer<S::Domain>, EngineError>, begun: Instant) {
        match answer {
            Ok(answer) if answer.reply.is_ok() && answer.repeated == again => {
                self.acknowledged += u64::from(!again);
                self.repeated += u64::from(again);
                self.meter.count(begun, now());
            }
            wrong => {
                let is_dry = wrong.as_ref().is_ok_and(|answer| answer.reply.as_ref().is_err_and(S::ran_dry));
                self.wrong.get_or_insert_with(|| {
                    if is_dry {
                        return Failure::Setup(format!(
                            "the load ran dry at {order:?}: take more wallets, or less time"
                        ));
                    }
                    Failure::Audit(format!("{order:?} (sent before: {again}) was answered {wrong:?}"))
                });
            }
        }
    }
}

/// Sends an order and counts the answer; false if it was refused as busy, and is still to be sent.
async fn send<S: Source>(
    engine: &Engine<S::Domain>,
    load: &RefCell<Load<S>>,
    (order, again): (S::Order, bool),
    begun: Instant,
) -> bool {
    let submission = load.borrow().source.submission(&order, engine.now());
    let answer = engine.submit(submission).await;
    if matches!(answer, Err(EngineError::Busy)) {
        load.borrow_mut().busy += 1;
        return false;
    }
    load.borrow_mut().done(&order, again, answer, begun);
    true
}

/// `in_flight` callers, each of which sends its next command after its last answer.
pub async fn closed<S: Source>(
    engine: &Engine<S::Domain>,
    load: Load<S>,
    in_flight: usize,
    show: &dyn Fn(u64),
) -> Load<S> {
    let load = Rc::new(RefCell::new(load));
    let local = LocalSet::new();
    for _ in 0..in_flight {
        let (engine, load) = (engine.clone(), Rc::clone(&load));
        local.spawn_local(async move {
            loop {
                let begun = now();
                if load.borrow().is_over(begun) {
                    return;
                }
                let order = load.borrow_mut().source.draw();
                while !send(&engine, &load, order, begun).await {
                    tokio::time::sleep(BUSY).await;
                }
            }
        });
    }
    finish(engine, local, load, show).await
}

/// What has arrived and was not answered: an order, whether it was sent before, and when it was due.
type Arrived<S> = ((<S as Source>::Order, bool), Instant);

/// Commands that arrive `rate` times a second, and are queued in the order of their arrival, so that no request is repeated
/// before it was sent. Whoever is refused as busy comes again after a pause, before those that came later: callers that ask again
/// at once, thousands of them, would take the processor from the engine that they wait for, and a stall of a moment would never end.
pub async fn open<S: Source>(engine: &Engine<S::Domain>, load: Load<S>, rate: u64, show: &dyn Fn(u64)) -> Load<S> {
    let load = Rc::new(RefCell::new(load));
    let local = LocalSet::new();
    let ticker = Ticker::start();
    let (handle, shared, ticks) = (engine.clone(), Rc::clone(&load), Arc::clone(&ticker.ticks));
    local.spawn_local(async move {
        let mut waiting: VecDeque<Arrived<S>> = VecDeque::new();
        let (begun, mut drawn, mut paused_until) = (now(), 0_u64, now());
        loop {
            let is_over = shared.borrow().is_over(now());
            if is_over && waiting.is_empty() {
                return;
            }
            ticks.notified().await;
            let due = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX) * rate / 1_000_000;
            while drawn < due && !is_over {
                let order = shared.borrow_mut().source.draw();
                waiting.push_back((order, begun + Duration::from_nanos(drawn * 1_000_000_000 / rate)));
                drawn += 1;
            }
            if now() < paused_until {
                continue;
            }
            for _ in 0..waiting.len().min(SENT_AT_ONCE_MAX) {
                let Some(arrived) = waiting.pop_front() else { break };
                if !queue(&handle, &shared, arrived) {
                    waiting.push_front(arrived);
                    paused_until = now() + BUSY;
                    break;
                }
            }
        }
    });
    finish(engine, local, load, show).await
}

/// Queues what has arrived, and counts its answer when that comes; false if it was refused as busy.
fn queue<S: Source>(engine: &Engine<S::Domain>, load: &Rc<RefCell<Load<S>>>, arrived: Arrived<S>) -> bool {
    let ((order, again), scheduled) = arrived;
    let submission = load.borrow().source.submission(&order, engine.now());
    let mut answer = Box::pin(engine.submit(submission));
    // Whether there was room is known at once.
    match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Err(EngineError::Busy)) => {
            load.borrow_mut().busy += 1;
            return false;
        }
        Poll::Ready(answer) => load.borrow_mut().done(&order, again, answer, scheduled),
        Poll::Pending => {
            let load = Rc::clone(load);
            tokio::task::spawn_local(async move {
                let answer = answer.await;
                load.borrow_mut().done(&order, again, answer, scheduled);
            });
        }
    }
    true
}

/// Waits until all callers are done, handing out answers and showing progress meanwhile.
async fn finish<S: Source>(
    engine: &Engine<S::Domain>,
    local: LocalSet,
    load: Rc<RefCell<Load<S>>>,
    show: &dyn Fn(u64),
) -> Load<S> {
    let shown = async {
        loop {
            show(load.borrow().source.drawn());
            tokio::time::sleep(SHOW).await;
        }
    };
    tokio::select! { () = local => {}, () = engine.dispatch() => {}, () = shown => {} }
    let load = Rc::into_inner(load).expect("every caller has ended").into_inner();
    show(load.source.drawn());
    load
}

/// Carries out `commands(index)` for each index below `count`: in order for one index, many indexes at once.
pub async fn fill<D: Domain>(
    engine: &Engine<D>,
    count: u64,
    in_flight: usize,
    commands: impl Fn(u64) -> Vec<D::Command> + Copy + 'static,
    show: &dyn Fn(u64),
) -> Result<(), Failure> {
    let next = Rc::new(RefCell::new(0_u64));
    let wrong: Rc<RefCell<Option<String>>> = Rc::default();
    let local = LocalSet::new();
    for _ in 0..in_flight {
        let (engine, next, wrong) = (engine.clone(), Rc::clone(&next), Rc::clone(&wrong));
        local.spawn_local(async move {
            loop {
                let index = next.replace_with(|next| *next + 1);
                if index >= count || wrong.borrow().is_some() {
                    return;
                }
                for command in commands(index) {
                    let actor = Actor { kind: ActorKind::System, id: Id::default() };
                    let submission = Submission { command, actor, reason: None, request: None, at: engine.now() };
                    let answer = engine.submit(submission).await;
                    if !answer.as_ref().is_ok_and(|answer| answer.reply.is_ok()) {
                        wrong.borrow_mut().get_or_insert(format!("{answer:?}"));
                    }
                }
            }
        });
    }
    let shown = async {
        loop {
            show((*next.borrow()).min(count));
            tokio::time::sleep(SHOW).await;
        }
    };
    tokio::select! { () = local => {}, () = engine.dispatch() => {}, () = shown => {} }
    let wrong = wrong.borrow_mut().take();
    wrong.map_or(Ok(()), |what| Err(Failure::Setup(what)))
}

/// Ticks finer than the runtime's timer, which counts in milliseconds.
struct Ticker {
    ticks: Arc<Notify>,
    stopped: Arc<AtomicBool>,
}

impl Ticker {
    fn start() -> Self {
        let ticker = Self { ticks: Arc::new(Notify::new()), stopped: Arc::new(AtomicBool::new(false)) };
        let (ticks, stopped) = (Arc::clone(&ticker.ticks), Arc::clone(&ticker.stopped));
        std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(TICK);
                ticks.notify_one();
            }
        });
        ticker
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::opening::opening;
    use super::super::workload::{Orders, Workload};
    use super::*;
    use engine::memory::{Disk, MemoryStore};
    use engine::{Core, Options, SystemClock};
    use wallet::Context;

    #[test]
    fn nobody_who_was_refused_as_busy_is_lost() {
        let workload = Workload { wallets: 50, shops: 2, hot_percent: 10, seed: 1 };
        let store = MemoryStore::open(&Disk::new()).expect("a new store");
        // Ten commands and more arrive between two ticks.
        let options = Options { queue_commands_max: 2, ..Options::default() };
        let core = Core::open(store, Arc::new(Context::default()), options).expect("an empty store");
        let engine = Engine::start(core, Arc::new(SystemClock));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let load = runtime.block_on(async {
            let count = workload.shops + workload.wallets;
            fill(&engine, count, 1, move |index| opening(&workload, index), &|_| {}).await.expect("wallets");
            let until = Some(now() + Duration::from_millis(20));
            open(&engine, Load::new(Orders::new(workload, 0, 0), u64::MAX, until), 100_000, &|_| {}).await
        });
        assert_eq!(load.wrong, None);
        assert!(load.busy > 0, "{} arrived, and there was always room", load.source.drawn());
        assert_eq!(load.acknowledged, load.source.drawn(), "all that arrived was answered in the end");
    }
}
