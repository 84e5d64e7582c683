//! Pushes: each operator that says where is called with what it is told, as signed security event tokens (RFC 8417), one an
//! event, in order. The sequence is the same one that can be polled; whoever does not answer is called again later, ever
//! more seldom, and delays nobody else. Whom the desk registered is called on the public internet alone.

use crate::api::told_event;
use crate::domain::operator::{Command, OPERATORS_KEY, Told};
use crate::domain::{Command as Asked, OperatorId, Row};
use crate::gateway::{Gateway, NotDone};
use crate::oauth::{Client, actor, is_named};
use bytes::Bytes;
use domain::Time;
use futures_util::future::join_all;
use http::{Request, header};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use web::{Bounds, Due};

/// Events to one operator in one step, at most.
const CALLS_MAX: u64 = 20;
/// How long an operator has to answer, and how much.
const BOUNDS: Bounds = Bounds { time_ms: 3_000, body_bytes: 16_384 };
/// How long one operator may take of a step, in milliseconds: the others are called again when the step is over.
const STEP_MS_MAX: i64 = 3_000;
/// How long to wait after a call that was not taken, in milliseconds; twice as long after each further one.
const WAIT_MS_MIN: i64 = 5_000;
/// The longest wait.
const WAIT_MS_MAX: i64 = 3_600_000;

/// Who is to be left alone until when.
#[derive(Default)]
pub struct Pushes(Mutex<BTreeMap<OperatorId, Wait>>);

#[derive(Clone, Copy)]
struct Wait {
    failures: u32,
    until: Time,
}

impl Pushes {
    fn waits(&self) -> MutexGuard<'_, BTreeMap<OperatorId, Wait>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls every operator that has something to hear, beside the others.
    pub async fn run_due(&self, gateway: &Gateway, now: Time) -> Due {
        let row = gateway.row(OPERATORS_KEY).await.ok().flatten();
        let Some(Row::Operators(row)) = row.as_deref() else { return Due::default() };
        let mut calls = Vec::new();
        for client in gateway.oauth().clients.all() {
            let behind = row.operators.iter().find(|known| known.id == client.operator && known.taken < known.told);
            let is_left_alone = self.waits().get(&client.operator).is_some_and(|wait| now < wait.until);
            if let (Some(behind), false, true) = (behind, is_left_alone, client.settings.events_url.is_some()) {
                calls.push(self.call(gateway, client, behind.taken, now));
            }
        }
        let done = join_all(calls).await.into_iter().sum();
        Due { done, next: self.waits().values().map(|wait| wait.until).filter(|until| *until > now).min() }
    }

    /// Calls one operator until it has heard enough for this step, or does not take something.
    async fn call(&self, gateway: &Gateway, client: Arc<Client>, taken: u64, now: Time) -> usize {
        let operator = client.operator;
        let told = match crate::api::told_after(gateway, operator, taken, CALLS_MAX).await {
            Ok(told) => told,
            Err(error) => {
                tracing::warn!(%error, "an operator's events wait");
                return 0;
            }
        };
        let mut last = None;
        let clock = &gateway.outside().clock;
        let began = clock.monotonic_milliseconds();
        for event in &told {
            if !send(gateway, &client, event, now).await {
                self.fail(operator, now);
                break;
            }
            self.waits().remove(&operator);
            last = Some(event.n);
            if clock.monotonic_milliseconds().saturating_sub(began) >= STEP_MS_MAX {
                break;
            }
        }
        let Some(n) = last else { return 0 };
        let command = Asked::Operator(Command::Take { operator, n });
        match gateway.submit(command, actor(operator), None).await {
            Ok(_) => {}
            // It is called with the same events again, and knows them by their ids.
            Err(NotDone::Refused(refusal)) => tracing::error!(?refusal, "a cursor was refused"),
            Err(NotDone::Engine(error)) => tracing::warn!(%error, "a cursor waits"),
        }
        told.iter().take_while(|event| event.n <= n).count()
    }

    fn fail(&self, operator: OperatorId, now: Time) {
        let mut waits = self.waits();
        let failures = waits.get(&operator).map_or(0, |wait| wait.failures);
        let wait_ms = (WAIT_MS_MIN << failures.min(16)).min(WAIT_MS_MAX);
        let until = now.plus_milliseconds(wait_ms);
        waits.insert(operator, Wait { failures: failures.saturating_add(1), until });
    }
}

/// Whether the operator took the event.
async fn send(gateway: &Gateway, client: &Client, told: &Told, now: Time) -> bool {
    let Some(url) = &client.settings.events_url else { return false };
    let issuer = &gateway.oauth().issuer;
    let kind = issuer.address(&format!("/gateway/v1/events#{}", told.what.name()));
    let claims = json!({
        "iss": issuer.url(),
        "aud": client.settings.client_id.as_str(),
        "iat": now.milliseconds().div_euclid(1_000),
        "jti": told.operator.told_id(told.n).to_string(),
        "n": told.n,
        "events": { kind: told_event(told) },
    });
    let token = issuer.sign("secevent+jwt", &claims, now);
    let request = Request::post(url)
        .header(header::CONTENT_TYPE, "application/secevent+jwt")
        .header(header::ACCEPT, "application/json")
        .body(Bytes::from(token));
    let Ok(request) = request else { return false };
    let transport = &gateway.outside().transport;
    let is_trusted = client.is_configured || is_named(url, &gateway.options().events_hosts);
    let answer =
        if is_trusted { transport.call(request, BOUNDS).await } else { transport.call_stranger(request, BOUNDS).await };
    answer.is_ok_and(|answer| answer.status().is_success())
}
