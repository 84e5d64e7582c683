//! Delivering: what a courier brings to an endpoint is signed and sent. An attempt is taken out of the schedule before it is
//! made.

use crate::doors::Door as _;
use crate::service::Service;
use crate::webhooks::couriers::Met;
use crate::webhooks::delivery::{Attempt, Delivery, Status};
use crate::webhooks::endpoint::{Disabled, Endpoint, is_allowed};
use bytes::Bytes;
use domain::{Id, Time};
use http::{HeaderMap, Request, Response, StatusCode, header};
use std::sync::Arc;
use tokio::task::JoinSet;
use web::{Bounds, Problem, TransportError, webhook};

/// How long a receiver may take, in milliseconds.
const ATTEMPT_MS_MAX: u64 = 5_000;
/// The largest answer that is looked at.
const ANSWER_BYTES_MAX: usize = 16 << 10;
/// The longest wait that a receiver may ask for, in milliseconds.
const RETRY_AFTER_MS_MAX: i64 = 24 * 60 * 60 * 1_000;

impl Service {
    /// Attempts at most `messages_max` of the messages that are due at `endpoint`, all at once.
    pub async fn deliver_round(self: &Arc<Self>, endpoint: Id, now: Time, messages_max: usize) -> Result<(), Problem> {
        let mut attempts = JoinSet::new();
        for delivery in self.work.due_of::<Delivery>(endpoint, now, messages_max)? {
            if delivery.status == Status::Pending {
                let service = Arc::clone(self);
                attempts.spawn(async move { service.attempt(delivery).await });
            } else {
                self.work.remove::<Delivery>(delivery.id())?;
            }
        }
        while let Some(attempted) = attempts.join_next().await {
            let met = attempted.map_err(|_| Problem::internal())??;
            self.couriers.met(endpoint, met, self.now());
        }
        Ok(())
    }

    /// One attempt at one delivery.
    async fn attempt(&self, mut delivery: Delivery) -> Result<Met, Problem> {
        let endpoint: Option<Endpoint> = self.doors.get(delivery.endpoint)?;
        let Some(endpoint) = endpoint.filter(|endpoint| endpoint.disabled.is_none()) else {
            delivery.tried = usize::MAX;
            let failure = Some("the endpoint is disabled or deleted".to_owned());
            delivery.end(Attempt { at: self.now(), answered: None, failure }, false, 0);
            self.work.put(&delivery)?;
            return Ok(Met::Nothing);
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
        delivery.end(attempt, is_delivered, wait_ms);
        self.work.put(&delivery)?;
        let is_gone = answer.is_ok_and(|answer| answer.status() == StatusCode::GONE);
        let why = if is_gone { Some(Disabled::Gone) } else { None };
        let why = why.or((delivery.status == Status::Failed).then_some(Disabled::Failing));
        why.map_or(Ok(()), |why| self.disable(&endpoint, why))?;
        Ok(if is_delivered { Met::Taken } else { Met::Failed(wait_ms) })
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
        self.change_endpoints(endpoint.owner, |doors| {
            if let Some(mut kept) = doors.get::<Endpoint>(endpoint.key)? {
                kept.disabled.get_or_insert(why);
                kept.version += 1;
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
