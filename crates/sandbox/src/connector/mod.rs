//! A bank's connector: what it says to the gateway, at its own host, over HTTP and JSON.
//!
//! What is asked is done first and answered afterwards; what a fault does to the answer is done here, once for every path:
//! nobody is there, nothing comes, it comes late, it breaks off. Start reading at [`router`].

mod about;
mod authentications;
mod day_files;
mod movements;
mod notices;
mod own_page;
mod reports;
mod wire;

pub(crate) use authentications::{Factors, attempt_id, try_factors};
pub(crate) use own_page::redirect_uri;
pub(crate) use reports::gateway_attempt;
pub(crate) use wire::{WireAccount, WireKind, WireMovement, day};

use crate::domain::bank::BankCode;
use crate::pages;
use crate::state::{State, bearer};
use ::domain::Time;
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use day_files::FILE_BYTES_MAX;
use http::{StatusCode, header};
use http_body::Frame;
use http_body_util::BodyExt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use web::{Delay, InProcess, Problem};

/// Nobody waits longer than this for a bank, in milliseconds.
const PATIENCE_MS: i64 = 30_000;

/// One bank, as its handlers see it.
#[derive(Clone)]
pub(crate) struct BankDesk {
    pub state: Arc<State>,
    pub bank: BankCode,
}

/// Put on an answer that is not ready before this time.
#[derive(Clone, Copy, Debug)]
struct ReadyAt(Time);

/// Put on the answer to a debit that was booked.
#[derive(Clone, Copy, Debug)]
struct Debited;

/// Everything that `bank` answers at its host.
pub(crate) fn router(state: &Arc<State>, bank: BankCode) -> Router {
    let desk = BankDesk { state: Arc::clone(state), bank };
    let guarded = desk.clone();
    let connector = Router::new()
        .route("/connector/v1/about", get(about::about))
        .route("/connector/v1/authentications", post(authentications::attempt))
        .route("/connector/v1/day-files/{date}", get(day_files::day_file))
        .route("/connector/v1/credit-statements/{date}", get(movements::credit_statement))
        .route("/connector/v1/collections", post(day_files::collect).layer(DefaultBodyLimit::max(FILE_BYTES_MAX)))
        .route("/connector/v1/par", post(own_page::push))
        .route("/connector/v1/token", post(own_page::exchange))
        .route("/connector/v1/notices", post(notices::notify))
        .route("/connector/v1/debits", post(movements::debit))
        .route("/connector/v1/debits/{reference}", get(movements::find_debit))
        .route("/connector/v1/credits", post(movements::credit))
        .route("/connector/v1/credits/{reference}", get(movements::find_credit))
        .layer(from_fn(move |request, next| guard(guarded.clone(), request, next)))
        .with_state(desk);
    if state.registry.bank(bank).own_page { connector.merge(pages::bank::router(state, bank)) } else { connector }
}

/// Checks who asks, and lets the bank misbehave as it was told to.
async fn guard(desk: BankDesk, request: Request<Body>, next: Next) -> Response {
    let BankDesk { state, bank } = desk;
    let faults = state.world.faults(bank);
    if faults.down || is_drawn(&state, faults.errors_per_mille) {
        return down().into_response();
    }
    if let Err(problem) = bearer(request.headers(), state.options.secrets.banks.get(&bank.to_string())) {
        return problem.into_response();
    }
    let in_process = request.extensions().get::<InProcess>().is_some();
    let began = state.outside.now();
    let mut response = next.run(request).await;
    let ready_at = response.extensions().get::<ReadyAt>().map_or(began, |ready_at| ready_at.0);
    let ready_at = ready_at.max(began.plus_milliseconds(faults.latency_ms.into()));
    let ready_at = if faults.silent { Time::from_milliseconds(i64::MAX) } else { ready_at };
    if in_process && state.options.clock.is_frozen() {
        // Nobody could advance the clock while the caller waits: the answer says itself how late it is.
        let delay = ready_at.milliseconds_since(state.outside.now());
        response.extensions_mut().insert(Delay(u64::try_from(delay).unwrap_or(0)));
    } else if state.options.clock.is_advancing() && ready_at > state.outside.now().plus_milliseconds(PATIENCE_MS) {
        // Whoever advances the clock waits for this very caller: nobody would have waited so long, so nothing is heard.
        return broken_off(response, 0).await;
    } else {
        state.options.clock.reach(ready_at).await;
    }
    if faults.lose_answer_after_debit && response.extensions().get::<Debited>().is_some() {
        return broken_off(response, 2).await;
    }
    response
}

fn is_drawn(state: &State, per_mille: u16) -> bool {
    let mut bytes = [0; 4];
    if per_mille > 0 {
        state.outside.chance.fill(&mut bytes);
    }
    per_mille > 0 && u32::from_be_bytes(bytes) % 1_000 < per_mille.into()
}

fn down() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "bank-down",
        "The bank cannot be reached now.",
        "銀行のシステムに接続できません。",
    )
    .retry_after(30)
}

/// The same answer, whose connection breaks behind one part in `parts` of its body; before any of it for none.
async fn broken_off(response: Response, parts: usize) -> Response {
    let (mut front, body) = response.into_parts();
    let whole = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    front.headers.insert(header::CONTENT_LENGTH, whole.len().max(1).into());
    let heard = whole.slice(..whole.len().checked_div(parts).unwrap_or(0));
    Response::from_parts(front, Body::new(Cut { heard: Some(heard).filter(|heard| !heard.is_empty()) }))
}

/// A body that breaks off.
struct Cut {
    heard: Option<Bytes>,
}

impl HttpBody for Cut {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(Some(match self.heard.take() {
            Some(heard) => Ok(Frame::data(heard)),
            None => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
        }))
    }
}
