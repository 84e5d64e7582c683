//! Callbacks: what the sandbox tells the others by itself. Banks tell the gateway how a movement ended or that it was taken
//! back; the identity vendor tells the wallet that it has decided.
//!
//! A callback is tried again with a growing pause until it is taken, and then it is written down that it was. What is
//! told is never to be trusted by itself: it is signed, and the receiver may ask back. Start reading at [`run_due`].

use crate::connector::WireMovement;
use crate::domain::Command;
use crate::domain::Row;
use crate::domain::movement::{self, Direction, Movement, Reference};
use crate::state::State;
use crate::world::Undone;
use ::domain::Time;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use web::{Bounds, Due, Secret, webhook};

/// How long the receiver may take.
const BOUNDS: Bounds = Bounds { time_ms: 5_000, body_bytes: 16_384 };
/// The first pause after a callback that was not taken, in milliseconds; twice as long after each further one.
const PAUSE_MS: i64 = 5_000;
/// Attempts, at most: after the last the receiver must ask.
const ATTEMPTS_MAX: u32 = 12;

/// Sends what is due at `now`, at most `budget`.
pub(crate) async fn run_due(state: &State, now: Time, budget: usize) -> Due {
    let mut done = 0;
    while done < budget {
        let due = state.world.index().callbacks.take_due(now);
        let Some((reference, attempts)) = due else { break };
        done += 1;
        let bank = reference.bank;
        if let Err(error) = tell(state, now, reference, attempts).await {
            tracing::warn!(?error, %bank, "sandbox: a callback could not be made");
        }
    }
    let next = state.world.index().callbacks.next();
    Due { done, next }
}

async fn tell(state: &State, now: Time, reference: Reference, attempts: u32) -> Result<(), Undone> {
    let row = state.world.read(reference.key()).await?;
    let Some(movement) = row.as_deref().map(Row::movement).filter(|movement| !movement.told) else { return Ok(()) };
    let bank = reference.bank;
    let is_by_file = state.options.file_banks.contains(&bank.to_string()) && reference.direction == Direction::Debit;
    if is_by_file && movement.reversed_at.is_none() {
        // What became of it stands in the day's file.
        return Ok(());
    }
    let faults = state.world.faults(bank);
    let secret = state.options.secrets.banks.get(&bank.to_string());
    let url = format!("{}/gateway/v1/bank-callbacks/{bank}", state.options.origins.gateway);
    let id = format!("{bank}-{}-{}", reference.key().id, u8::from(movement.reversed_at.is_some()));
    let is_taken = if faults.down || faults.silent {
        false
    } else {
        let body = body(movement);
        if faults.duplicate {
            // The first of two: whatever comes of it, the second follows.
            send(state, &url, &id, &body, secret).await;
        }
        send(state, &url, &id, &body, secret).await
    };
    if is_taken {
        state.world.submit(Command::Movement(movement::Command::Tell { reference })).await?;
    } else if attempts + 1 < ATTEMPTS_MAX {
        let later = now.plus_milliseconds(PAUSE_MS << attempts);
        state.world.index().callbacks.put(reference, later, attempts + 1);
    }
    Ok(())
}

fn body(movement: &Movement) -> Value {
    let kind = match movement.reversed_at {
        Some(_) => "reversal",
        None => movement.reference.direction.name(),
    };
    let wire = WireMovement::of(movement);
    json!({
        "kind": kind,
        "reference": wire.reference,
        "outcome": wire.outcome,
        "code": wire.code,
        "amount": wire.amount,
        "at": movement.reversed_at.map_or(wire.at, |at| at.to_string()),
    })
}

/// Asks for `url` as a program does that makes each of its requests once; the answer, or what the transport said.
pub(crate) async fn request_json(
    state: &State,
    method: Method,
    url: &str,
    token: Option<&str>,
    body: Value,
) -> (StatusCode, Value) {
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    let mut request = Request::builder()
        .method(method)
        .uri(url)
        .header(header::CONTENT_TYPE, "application/json")
        .header("idempotency-key", state.outside.id().to_string());
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let Ok(request) = request.body(body) else { return (StatusCode::BAD_GATEWAY, Value::Null) };
    match state.outside.transport.call(request, BOUNDS).await {
        Ok(answer) => (answer.status(), serde_json::from_slice(answer.body()).unwrap_or(Value::Null)),
        Err(error) => (StatusCode::BAD_GATEWAY, Value::from(error.to_string())),
    }
}

/// Sends `body` as the message `id`; whether it was taken.
pub(crate) async fn send(state: &State, url: &str, id: &str, body: &Value, secret: Option<&Secret<String>>) -> bool {
    answer(state, url, id, body, secret).await.is_some_and(|status| status.is_success())
}

/// Sends `body` as the message `id`; how it was answered. Without a key nothing is sent: nobody would believe it.
pub(crate) async fn answer(
    state: &State,
    url: &str,
    id: &str,
    body: &Value,
    secret: Option<&Secret<String>>,
) -> Option<StatusCode> {
    let key = secret.and_then(|secret| webhook::Key::parse(secret.expose()).ok())?;
    let body = Bytes::from(body.to_string());
    let mut request = Request::post(url).header(header::CONTENT_TYPE, "application/json");
    for (name, value) in webhook::headers(&[key], id, state.outside.now(), &body) {
        request = request.header(name, value);
    }
    let answer = state.outside.transport.call(request.body(body).ok()?, BOUNDS).await;
    answer.ok().map(|answer| answer.status())
}
