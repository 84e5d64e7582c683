//! Delivering: what is due is signed and sent, several at a time, few at a time to one endpoint.
//!
//! An attempt is taken out of the schedule before it is made. An endpoint that failed is left alone for a while, so that
//! one dead receiver holds up nobody else's messages.

use crate::doors::Door as _;
use crate::service::Service;
use crate::webhooks::delivery::{Attempt, Delivery, Status};
use crate::webhooks::endpoint::{Disabled, Endpoint, is_allowed};
use bytes::Bytes;
use domain::{Id, Time};
use http::{HeaderMap, Request, Response, StatusCode, header};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinSet;
use web::{Bounds, Due, Problem, TransportError, webhook};

/// Attempts of one step.
const ATTEMPTS_MAX: usize = 64;
/// Attempts of one step at one endpoint.
const ENDPOINT_ATTEMPTS_MAX: usize = 8;
/// How long a receiver may take, in milliseconds.
const ATTEMPT_MS_MAX: u64 = 5_000;
/// The largest answer that is looked at.
const ANSWER_BYTES_MAX: usize = 16 << 10;
/// How long an endpoint that failed is left alone, in milliseconds.
const PAUSE_MS: i64 = 5_000;
/// The longest wait that a receiver may ask for, in milliseconds.
const RETRY_AFTER_MS_MAX: i64 = 24 * 60 * 60 * 1_000;

/// Until when endpoints that failed are left alone.
#[derive(Default)]
pub struct Pauses(Mutex<BTreeMap<Id, Time>>);

impl Pauses {
    fn of(&self, endpoint: Id, now: Time) -> Option<Time> {
        let pauses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pauses.get(&endpoint).copied().filter(|until| now < *until)
    }

    fn note(&self, endpoint: Id, failed_at: Option<Time>) {
        let mut pauses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match failed_at {
            Some(at) => pauses.insert(endpoint, at.plus_milliseconds(PAUSE_MS)),
            None => pauses.remove(&endpoint),
        };
    }
}

impl Service {
    /// Sends what is due at `now`: one step.
    pub async fn deliver_webhooks(self: &Arc<Self>, now: Time, budget: usize) -> Result<Due, Problem> {
        let due: Vec<Delivery> = self.work.due(now, budget.min(ATTEMPTS_MAX))?;
        let (mut done, mut busy, mut attempts) = (0, BTreeMap::<Id, usize>::new(), JoinSet::new());
        for mut delivery in due {
            if delivery.status != Status::Pending {
                self.work.remove::<Delivery>(delivery.id())?;
                done += 1;
                continue;
            }
            if let Some(until) = self.pauses.of(delivery.endpoint, now) {
                delivery.due = until;
                self.work.put(&delivery)?;
                done += 1;
                continue;
            }
            let at_once = busy.entry(delivery.endpoint).or_default();
            *at_once += 1;
            if *at_once <= ENDPOINT_ATTEMPTS_MAX {
                let service = Arc::clone(self);
                attempts.spawn(async move { service.attempt(delivery).await });
                done += 1;
            }
        }
        while let Some(attempted) = attempts.join_next().await {
            attempted.map_err(|_| Problem::internal())??;
        }
        Ok(Due { done, next: self.work.next::<Delivery>()? })
    }

    /// One attempt at one delivery.
    async fn attempt(&self, mut delivery: Delivery) -> Result<(), Problem> {
        let endpoint: Option<Endpoint> = self.doors.get(delivery.endpoint)?;
        let Some(endpoint) = endpoint.filter(|endpoint| endpoint.disabled.is_none()) else {
            delivery.tried = usize::MAX;
            let failure = Some("the endpoint is disabled or deleted".to_owned());
            delivery.end(Attempt { at: self.now(), answered: None, failure }, false, 0);
            return Ok(self.work.put(&delivery)?);
        };
        let mut jitter = [0];
        self.outside.chance.fill(&mut jitter);
        delivery.begin(self.now(), i64::from(jitter[0]) - 128);
        self.work.put(&delivery)?;
        let answer = self.send_webhook(&endpoint, &delivery).await?;
        let at = self.now();
        let (attempt, is_delivered, wait_ms) = match &answer {
            Ok(answer) => {
                let status = answer.status();
                let attempt = Attempt { at, answered: Some(status.as_u16()), failure: None };
                (attempt, status.is_success(), asked_to_wait(status, answer.headers()))
            }
            Err(error) => (Attempt { at, answered: None, failure: Some(error.to_string()) }, false, 0),
        };
        self.pauses.note(endpoint.key, Some(at).filter(|_| !is_delivered));
        delivery.end(attempt, is_delivered, wait_ms);
        self.work.put(&delivery)?;
        let is_gone = answer.is_ok_and(|answer| answer.status() == StatusCode::GONE);
        let why = if is_gone { Some(Disabled::Gone) } else { None };
        let why = why.or((delivery.status == Status::Failed).then_some(Disabled::Failing));
        why.map_or(Ok(()), |why| self.disable(&endpoint, why))
    }

    async fn send_webhook(
        &self,
        endpoint: &Endpoint,
        delivery: &Delivery,
    ) -> Result<Result<Response<Bytes>, TransportError>, Problem> {
        let keys = self.signing_keys(endpoint)?;
        let mut request = Request::post(&endpoint.url).header(header::CONTENT_TYPE, "application/json");
        let id = format!("evt_{}", delivery.event);
        if let Some(headers) = request.headers_mut() {
            headers.extend(webhook::headers(&keys, &id, self.now(), delivery.body.as_bytes()));
        }
        let request = request.body(Bytes::from(delivery.body.clone())).map_err(|_| Problem::internal())?;
        let bounds = Bounds { time_ms: ATTEMPT_MS_MAX, body_bytes: ANSWER_BYTES_MAX };
        let transport = &self.outside.transport;
        Ok(if is_allowed(request.uri(), &self.options.webhook_hosts) {
            transport.call(request, bounds).await
        } else {
            transport.call_stranger(request, bounds).await
        })
    }

    fn disable(&self, endpoint: &Endpoint, why: Disabled) -> Result<(), Problem> {
        self.change_endpoints(endpoint.shop, |doors| {
            if let Some(mut kept) = doors.get::<Endpoint>(endpoint.key)? {
                kept.disabled.get_or_insert(why);
                doors.put(&kept)?;
            }
            Ok(())
        })
    }
}

/// How long the receiver asks us to wait, in milliseconds.
fn asked_to_wait(status: StatusCode, headers: &HeaderMap) -> i64 {
    let is_asking = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let seconds = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
    let wait_ms = seconds.filter(|_| is_asking).unwrap_or(0).saturating_mul(1_000);
    wait_ms.clamp(0, RETRY_AFTER_MS_MAX)
}
