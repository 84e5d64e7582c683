//! The callers: how commands are sent and answers counted. A closed loop sends its next after its last answer; an open
//! loop sends at a rate whatever the answers do, and measures each latency from the moment at which it was due.

use super::Failure;
use super::meter::{Meter, now};
use super::workload::{Order, Workload, mix, opening};
use engine::{Actor, ActorKind, Answered, Engine, EngineError, Submission};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::LocalSet;
use wallet::{OPERATOR, Wallets};

/// How often the open loop looks for payments that are due.
const TICK: Duration = Duration::from_micros(100);
/// How often progress is shown.
const SHOW: Duration = Duration::from_millis(200);
/// Payments behind the newest that may be repeated: they have been answered long ago.
const REPEAT_DISTANCE_MIN: u64 = 10_000;

/// What the callers of a run share.
pub struct Load {
    workload: Workload,
    /// The number of the next new payment.
    pub next: u64,
    /// The number after the last.
    pub last: u64,
    /// When to stop.
    pub until: Option<Instant>,
    repeats_permille: u64,
    drawn: u64,
    /// The latencies.
    pub meter: Meter,
    /// New payments that were answered.
    pub acknowledged: u64,
    /// Repeated requests that were answered.
    pub repeated: u64,
    /// Payments that were refused as busy, and sent again.
    pub busy: u64,
    /// The first answer that should not have been.
    pub wrong: Option<String>,
}

impl Load {
    /// Payments from number `next` up to `last`, or `until` then.
    pub fn new(workload: Workload, next: u64, last: u64, until: Option<Instant>, repeats_permille: u64) -> Self {
        Self {
            workload,
            next,
            last,
            until,
            repeats_permille,
            drawn: 0,
            meter: Meter::new(),
            acknowledged: 0,
            repeated: 0,
            busy: 0,
            wrong: None,
        }
    }

    fn is_over(&self, at: Instant) -> bool {
        self.wrong.is_some() || self.next >= self.last || self.until.is_some_and(|until| at >= until)
    }

    /// The next payment to send, and whether it was sent before.
    fn draw(&mut self) -> (Order, bool) {
        self.drawn += 1;
        let chance = mix(self.next ^ mix(self.drawn));
        if chance % 1_000 < self.repeats_permille && self.next > REPEAT_DISTANCE_MIN {
            let old = (chance >> 10) % (self.next - REPEAT_DISTANCE_MIN);
            return (self.workload.order(old), true);
        }
        self.next += 1;
        (self.workload.order(self.next - 1), false)
    }

    fn done(&mut self, order: &Order, again: bool, answer: &Answered<Wallets>, latency: Duration) {
        match answer {
            Ok(answer) if answer.reply.is_ok() && answer.repeated == again => {
                self.acknowledged += u64::from(!again);
                self.repeated += u64::from(again);
                self.meter.count(latency);
            }
            Ok(_) | Err(_) => {
                self.wrong.get_or_insert(format!("{:?} (sent before: {again}) was answered {answer:?}", order.payment));
            }
        }
    }
}

/// Sends `order` until it is not refused as busy, and counts the answer.
async fn send(engine: &Engine<Wallets>, load: &RefCell<Load>, order: Order, again: bool, begun: Instant) {
    let workload = load.borrow().workload;
    loop {
        let answer = engine.submit(workload.submission(&order, engine.now())).await;
        if answer == Err(EngineError::Busy) {
            load.borrow_mut().busy += 1;
            tokio::task::yield_now().await;
            continue;
        }
        load.borrow_mut().done(&order, again, &answer, begun.elapsed());
        return;
    }
}

/// `in_flight` callers, each of which sends its next payment after its last answer.
pub async fn closed(engine: &Engine<Wallets>, load: Load, in_flight: usize, show: &dyn Fn(u64)) -> Load {
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
                let (order, again) = load.borrow_mut().draw();
                send(&engine, &load, order, again, begun).await;
            }
        });
    }
    finish(local, &load, show).await
}

/// Payments that arrive `rate` times a second.
pub async fn open(engine: &Engine<Wallets>, load: Load, rate: u64, show: &dyn Fn(u64)) -> Load {
    let load = Rc::new(RefCell::new(load));
    let local = LocalSet::new();
    let ticker = Ticker::start();
    let (engine, shared, ticks) = (engine.clone(), Rc::clone(&load), Arc::clone(&ticker.ticks));
    local.spawn_local(async move {
        let (begun, mut sent) = (now(), 0_u64);
        while !shared.borrow().is_over(now()) {
            ticks.notified().await;
            let due = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX) * rate / 1_000_000;
            while sent < due {
                let scheduled = begun + Duration::from_nanos(sent * 1_000_000_000 / rate);
                let (order, again) = shared.borrow_mut().draw();
                let (engine, load) = (engine.clone(), Rc::clone(&shared));
                tokio::task::spawn_local(async move { send(&engine, &load, order, again, scheduled).await });
                sent += 1;
            }
        }
    });
    finish(local, &load, show).await
}

/// Waits until all callers are done, showing progress meanwhile.
async fn finish(local: LocalSet, load: &Rc<RefCell<Load>>, show: &dyn Fn(u64)) -> Load {
    let shown = async {
        loop {
            show(load.borrow().next);
            tokio::time::sleep(SHOW).await;
        }
    };
    tokio::select! { () = local => {}, () = shown => {} }
    show(load.borrow().next);
    let (workload, next, last) = (load.borrow().workload, load.borrow().next, load.borrow().last);
    load.replace(Load::new(workload, next, last, None, 0))
}

/// Opens the shops and the wallets, and fills the wallets.
pub async fn fill(
    engine: &Engine<Wallets>,
    workload: Workload,
    in_flight: usize,
    show: &dyn Fn(u64),
) -> Result<(), Failure> {
    let of = workload.shops + workload.wallets;
    let load = Rc::new(RefCell::new(Load::new(workload, 0, of, None, 0)));
    let local = LocalSet::new();
    for _ in 0..in_flight {
        let (engine, load) = (engine.clone(), Rc::clone(&load));
        local.spawn_local(async move {
            while !load.borrow().is_over(now()) {
                let index = load.borrow().next;
                load.borrow_mut().next += 1;
                for command in opening(&workload, index) {
                    let actor = Actor { kind: ActorKind::System, id: OPERATOR };
                    let submission = Submission { command, actor, reason: None, request: None, at: engine.now() };
                    let answer = engine.submit(submission).await;
                    if !answer.as_ref().is_ok_and(|answer| answer.reply.is_ok()) {
                        load.borrow_mut().wrong.get_or_insert(format!("{answer:?}"));
                    }
                }
            }
        });
    }
    match finish(local, &load, show).await.wrong {
        None => Ok(()),
        Some(what) => Err(Failure::Setup(what)),
    }
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
