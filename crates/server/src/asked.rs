//! A request that changes something: its body, and what makes a repeat known again.
//!
//! The same key from the same caller on the same route is the same request; with another body it is refused. The challenge
//! in a body is no part of what is asked: with it or without it, it is the same request. The engine keeps the requests that
//! become commands; those that change nothing in the books are kept here, by [`Service::once`]. A stranger is nobody whose
//! keys could be kept apart from another's: see [`Repeat::by_stranger`].
//! Start reading at [`Asked`].

use crate::doors::{Door, Transaction};
use crate::refusals;
use crate::service::Service;
use crate::tallies::DAY_MS;
use axum::extract::{FromRequest, FromRequestParts, MatchedPath, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::{Id, Time};
use engine::{Actor, EngineError};
use http::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use web::{IdempotencyKey, Json, JsonBytes, Problem};

/// How long an answer is kept, in milliseconds: 400 days.
const DONE_MS: i64 = 400 * DAY_MS;
/// How long an answer to somebody who is nobody yet is kept, in milliseconds: strangers leave little behind.
const DONE_FOR_A_STRANGER_MS: i64 = 7 * DAY_MS;
/// How long a request may be under way, in milliseconds; a repeat after that does it again.
const UNDER_WAY_MS: i64 = 60_000;
/// The shortest key of a stranger that nobody else comes upon, in characters: half of a UUID's digits.
const KEY_OF_ONES_OWN_CHARACTERS_MIN: usize = 16;

/// What makes a repeat known again, still without the caller.
#[derive(Clone, Debug)]
pub struct Repeat {
    key: String,
    route: String,
    path: String,
    /// What is asked: the body without its challenge.
    body: Vec<u8>,
}

/// A JSON body with its `Idempotency-Key`.
#[derive(Debug)]
pub struct Asked<T> {
    /// The body.
    pub body: T,
    /// For [`Repeat::by`].
    pub repeat: Repeat,
}

impl Repeat {
    /// The request as the engine keeps it, asked by `actor`.
    pub fn by(&self, service: &Service, actor: Actor) -> engine::Request {
        let mut caller = actor.id.0.to_vec();
        caller.extend_from_slice(format!("{:?}", actor.kind).as_bytes());
        service.keys.request(&caller, &self.route, &self.key, service.keys.body(&self.path, &self.body))
    }

    /// The request of somebody from `source` who is nobody yet. Two strangers may both come upon a short key, such as `1`, so
    /// it is theirs only where they are; a long one is one request, wherever it is repeated from.
    pub fn by_stranger(&self, service: &Service, source: IpAddr) -> engine::Request {
        let is_own = self.key.len() >= KEY_OF_ONES_OWN_CHARACTERS_MIN;
        let caller = if is_own { "a stranger".to_owned() } else { format!("a stranger at {}", source.to_canonical()) };
        service.keys.request(caller.as_bytes(), &self.route, &self.key, service.keys.body(&self.path, &self.body))
    }

    /// The same, over another body: where a part of it must not count, such as a password.
    #[must_use]
    pub fn over(&self, body: Vec<u8>) -> Self {
        Self { body, ..self.clone() }
    }
}

/// The body without its challenge, members in order. One that is no object has none.
fn without_challenge(body: &Bytes) -> Vec<u8> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(mut members)) => {
            members.remove("challenge_id");
            Value::Object(members).to_string().into_bytes()
        }
        Ok(_) | Err(_) => body.to_vec(),
    }
}

impl<T: DeserializeOwned + Send> FromRequest<Arc<Service>> for Asked<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let IdempotencyKey(key) = IdempotencyKey::from_request_parts(&mut parts, service).await?;
        let route = parts.extensions.get::<MatchedPath>().map_or_else(String::new, |path| path.as_str().to_owned());
        let route = format!("{} {route}", parts.method);
        let path = parts.uri.path().to_owned();
        let request = Request::from_parts(parts, body);
        let JsonBytes(value, bytes) = JsonBytes::from_request(request, service).await?;
        Ok(Self { body: value, repeat: Repeat { key, route, path, body: without_challenge(&bytes) } })
    }
}

/// A request that was done, with what it was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Caller, route and key.
    key: Id,
    /// The MAC of its body.
    body: Id,
    /// Status and body of the answer; none while it is under way.
    answer: Option<(u16, Value)>,
    /// Until when it is kept.
    ends: Time,
}

impl Door for Done {
    const TABLE: &'static str = "done";

    fn id(&self) -> Id {
        self.key
    }

    fn at(&self) -> Option<Time> {
        Some(self.ends)
    }
}

/// What a request that is done once is answered.
#[derive(Debug)]
pub struct Reply {
    status: StatusCode,
    body: Value,
    is_last: bool,
}

impl Reply {
    /// The answer to this request and to each repeat; `Value::Null` is no body.
    pub const fn last(status: StatusCode, body: Value) -> Self {
        Self { status, body, is_last: true }
    }

    /// The same, of something to be shown.
    pub fn shown(status: StatusCode, body: &impl Serialize) -> Result<Self, Problem> {
        Ok(Self::last(status, serde_json::to_value(body).map_err(|_| Problem::internal())?))
    }

    /// An answer for now: a repeat looks again.
    pub const fn so_far(status: StatusCode, body: Value) -> Self {
        Self::last(status, body).for_now()
    }

    /// The same, for now.
    pub const fn for_now(mut self) -> Self {
        self.is_last = false;
        self
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        if self.body.is_null() { self.status.into_response() } else { (self.status, Json(self.body)).into_response() }
    }
}

impl Service {
    /// Does `work` for the first of equal requests, and answers the others the same. A refusal is not kept: what was
    /// refused may be asked again.
    pub async fn once(
        &self,
        request: engine::Request,
        work: impl Future<Output = Result<Reply, Problem>>,
    ) -> Result<Reply, Problem> {
        self.once_within(request, DONE_MS, work).await
    }

    /// The same for whoever is not logged in.
    pub async fn once_for_a_stranger(
        &self,
        request: engine::Request,
        work: impl Future<Output = Result<Reply, Problem>>,
    ) -> Result<Reply, Problem> {
        self.once_within(request, DONE_FOR_A_STRANGER_MS, work).await
    }

    /// The same for what nobody can repeat after `kept_ms` milliseconds.
    pub async fn once_within(
        &self,
        request: engine::Request,
        kept_ms: i64,
        work: impl Future<Output = Result<Reply, Problem>>,
    ) -> Result<Reply, Problem> {
        let (key, body, now) = (Id(request.key), Id(request.body), self.now());
        let begun = Done { key, body, answer: None, ends: now.plus_milliseconds(UNDER_WAY_MS) };
        let kept = self.doors.change(|doors| {
            let kept = doors.get::<Done>(key)?.filter(|kept| now < kept.ends);
            if kept.is_none() {
                doors.put(&begun)?;
            }
            Ok::<_, Problem>(kept)
        })?;
        if let Some(kept) = kept {
            return repeated(kept, body);
        }
        let reply = work.await;
        match &reply {
            Ok(reply) if reply.is_last => {
                let answer = Some((reply.status.as_u16(), reply.body.clone()));
                self.doors.put(&Done { answer, ends: now.plus_milliseconds(kept_ms), ..begun })?;
            }
            Ok(_) | Err(_) => {
                self.doors.remove::<Done>(key)?;
            }
        }
        reply
    }
}

impl Done {
    /// Keeps `request`, whose answer has a secret in it, together with what it makes. No where it was made before, which nobody is
    /// shown again; and under its key nothing else is asked, of another path neither.
    pub fn keep_secret(doors: &Transaction<'_>, request: engine::Request, now: Time) -> Result<bool, Problem> {
        let made =
            Self { key: Id(request.key), body: Id(request.body), answer: None, ends: now.plus_milliseconds(DONE_MS) };
        match doors.get::<Self>(made.key)?.filter(|kept| now < kept.ends) {
            Some(kept) if kept.body != made.body => Err(refusals::engine_problem(&EngineError::KeyReused)),
            Some(_) => Ok(false),
            None => {
                doors.put(&made)?;
                Ok(true)
            }
        }
    }
}

fn repeated(kept: Done, body: Id) -> Result<Reply, Problem> {
    if kept.body != body {
        return Err(refusals::engine_problem(&EngineError::KeyReused));
    }
    let (status, body) = kept.answer.ok_or_else(|| {
        refusals::new(409, "under-way", "The same request is under way.", "同じリクエストを処理中です。")
            .detail("Repeat it with the same Idempotency-Key in a moment.")
            .retry_after(1)
    })?;
    let status = StatusCode::from_u16(status).map_err(|_| Problem::internal())?;
    Ok(Reply::last(status, body))
}
