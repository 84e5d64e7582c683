//! A request that changes something: its body, and what makes a repeat known again.
//!
//! The same key from the same caller on the same route is the same request; with another body it is refused.
//! Start reading at [`Asked`].

use crate::service::Service;
use axum::extract::{FromRequest, FromRequestParts, MatchedPath, Request};
use bytes::Bytes;
use domain::Id;
use engine::Actor;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use web::{IdempotencyKey, JsonBytes, Problem};

/// What makes a repeat known again, still without the caller.
#[derive(Clone, Debug)]
pub struct Repeat {
    key: String,
    route: String,
    path: String,
    body: Bytes,
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

    /// The same, over another body: where a part of it must not count, such as a password.
    #[must_use]
    pub fn over(&self, body: Vec<u8>) -> Self {
        Self { body: body.into(), ..self.clone() }
    }

    /// The same with a proof that was asked for: another request than the one that was refused for want of it.
    #[must_use]
    pub fn proven(&self) -> Self {
        Self { route: format!("{} proven", self.route), ..self.over(self.without_challenge()) }
    }

    /// What a challenge is bound to: the path and everything in the body but the challenge itself.
    pub fn payload(&self, service: &Service) -> Id {
        Id(service.keys.body(&self.path, &self.without_challenge()))
    }

    /// The body without its challenge, members in order.
    fn without_challenge(&self) -> Vec<u8> {
        let mut body: Value = serde_json::from_slice(&self.body).unwrap_or(Value::Null);
        if let Some(members) = body.as_object_mut() {
            members.remove("challenge_id");
        }
        body.to_string().into_bytes()
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
        Ok(Self { body: value, repeat: Repeat { key, route, path, body: bytes } })
    }
}
