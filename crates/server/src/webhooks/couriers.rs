//! Couriers: who goes to which endpoint, and when. Each endpoint at which something is due has one courier of its own, who
//! takes a few messages along; a slow or dead receiver holds up nobody's messages but its own.
//!
//! An endpoint that failed is left alone for a while, longer each time, and then tried with one message alone.

use crate::doors::{Doors, DoorsError};
use crate::service::Service;
use crate::webhooks::delivery::Delivery;
use domain::{Id, Time};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::JoinHandle;
use web::{Due, Problem};

/// Endpoints that are called at once.
const COURIERS_MAX: usize = 64;
/// Messages that a courier takes along.
const ROUND_MAX: usize = 8;
/// How long an endpoint that failed is left alone, in milliseconds; twice as long after each further failure.
const PAUSE_MS_MIN: i64 = 5_000;
/// The longest of these, in milliseconds.
const PAUSE_MS_MAX: i64 = 5 * 60_000;

/// Who is under way, and when each endpoint is gone to next.
#[derive(Default)]
pub struct Couriers {
    under_way: tokio::sync::Mutex<BTreeMap<Id, JoinHandle<()>>>,
    stands: Mutex<BTreeMap<Id, Stand>>,
}

/// How it stands with an endpoint.
#[derive(Clone, Copy, Default)]
struct Stand {
    /// When something is due; none: nothing is.
    next: Option<Time>,
    /// Until when it is left alone.
    paused: Time,
    /// How often it has failed without a success.
    failures: u32,
}

impl Stand {
    fn due(&self) -> Option<Time> {
        self.next.map(|next| next.max(self.paused))
    }
}

/// What an attempt came to, as far as the endpoint is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// Somebody took the message.
    Taken,
    /// Nobody did; the receiver asks to be left alone for so many milliseconds.
    Failed(i64),
    /// Nothing was sent.
    Nothing,
}

impl Couriers {
    /// Learns from the file of due work what waits.
    pub fn load(&self, work: &Doors) -> Result<(), DoorsError> {
        for (endpoint, at) in work.owners::<Delivery>()? {
            self.expect(endpoint, at);
        }
        Ok(())
    }

    /// Something is due at `endpoint` at `at`.
    pub fn expect(&self, endpoint: Id, at: Time) {
        let mut stands = self.stands();
        let stand = stands.entry(endpoint).or_default();
        stand.next = Some(stand.next.map_or(at, |next| next.min(at)));
    }

    /// The endpoint is tried at once: its owner says that it is there again.
    pub fn resume(&self, endpoint: Id) {
        if let Some(stand) = self.stands().get_mut(&endpoint) {
            (stand.paused, stand.failures) = (Time::default(), 0);
        }
    }

    /// Notes what an attempt at `endpoint` came to.
    pub fn met(&self, endpoint: Id, met: Met, now: Time) {
        let mut stands = self.stands();
        let stand = stands.entry(endpoint).or_default();
        match met {
            Met::Taken => stand.failures = 0,
            Met::Failed(wait_ms) => {
                let pause_ms = PAUSE_MS_MAX.min(PAUSE_MS_MIN << stand.failures.min(8)).max(wait_ms);
                stand.failures = stand.failures.saturating_add(1);
                stand.paused = stand.paused.max(now.plus_milliseconds(pause_ms));
            }
            Met::Nothing => {}
        }
    }

    /// Reads again what is due at `endpoint`, under the lock: what is made due meanwhile is noted after that.
    fn settle(&self, endpoint: Id, work: &Doors) -> Result<(), DoorsError> {
        let mut stands = self.stands();
        let next = work.next_of::<Delivery>(endpoint)?;
        if next.is_none() {
            stands.remove(&endpoint);
        } else {
            stands.entry(endpoint).or_default().next = next;
        }
        Ok(())
    }

    /// A courier leaves for `endpoint`: with how many messages at most; one alone, where the last was not taken. One that
    /// does not come back is not followed at once.
    fn leave(&self, endpoint: Id, now: Time) -> usize {
        let mut stands = self.stands();
        let stand = stands.entry(endpoint).or_default();
        stand.next = Some(now.plus_milliseconds(PAUSE_MS_MAX));
        if stand.failures > 0 { 1 } else { ROUND_MAX }
    }

    /// Where something is due at `now`, the longest due first; and when something is due elsewhere.
    fn due(&self, now: Time, is_free: impl Fn(&Id) -> bool) -> (Vec<Id>, Option<Time>) {
        let stands = self.stands();
        let waiting = stands.iter().filter(|(endpoint, _)| is_free(endpoint));
        let mut waiting: Vec<(Time, Id)> = waiting.filter_map(|(id, stand)| Some((stand.due()?, *id))).collect();
        waiting.sort_unstable();
        let later = waiting.iter().map(|(at, _)| *at).find(|at| now < *at);
        (waiting.into_iter().take_while(|(at, _)| *at <= now).map(|(_, endpoint)| endpoint).collect(), later)
    }

    fn stands(&self) -> MutexGuard<'_, BTreeMap<Id, Stand>> {
        self.stands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service {
    /// Sends couriers to where something is due at `now`, and waits for none of them.
    pub async fn begin_webhooks(self: &Arc<Self>, now: Time) -> Due {
        let mut under_way = self.couriers.under_way.lock().await;
        under_way.retain(|_, courier| !courier.is_finished());
        let (due, later) = self.couriers.due(now, |endpoint| !under_way.contains_key(endpoint));
        let mut done = 0;
        for endpoint in due.into_iter().take(COURIERS_MAX.saturating_sub(under_way.len())) {
            done += 1;
            let messages_max = self.couriers.leave(endpoint, now);
            under_way.insert(endpoint, tokio::spawn(Arc::clone(self).go_to(endpoint, now, messages_max)));
        }
        Due { done, next: later }
    }

    /// Waits until all couriers are back.
    pub async fn couriers_back(&self) -> Result<(), Problem> {
        let under_way = std::mem::take(&mut *self.couriers.under_way.lock().await);
        for (_, courier) in under_way {
            courier.await.map_err(|_| Problem::internal())?;
        }
        Ok(())
    }

    /// One courier's round.
    async fn go_to(self: Arc<Self>, endpoint: Id, now: Time, messages_max: usize) {
        let gone = self.deliver_round(endpoint, now, messages_max).await;
        let settled = gone.and_then(|()| Ok(self.couriers.settle(endpoint, &self.work)?));
        if let Err(problem) = settled {
            tracing::error!(%problem, "a courier did not come through");
        }
    }
}
