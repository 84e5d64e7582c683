//! A request that changes something: its body, and what makes a repeat known again.
//!
//! The same key from the same caller on the same route is the same request; with another body it is refused.
//! Start reading at [`Asked`].

use crate::service::Service;
use axum::extract::{FromRequest, FromRequestParts, MatchedPath, Request};
use engine::Actor;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use web::{IdempotencyKey, JsonBytes, Problem};

/// What makes a repeat known again, still without the caller.
#[derive(Clone, Debug)]
pub struct Repeat {
    key: String,
    route: String,
    /// The MAC of path and body: what a challenge is bound to.
    pub body: [u8; 16],
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
        service.keys.request(&caller, &self.route, &self.key, self.body)
    }

    /// The same, over another body: where a part of it must not count, such as a password.
    #[must_use]
    pub fn over(&self, service: &Service, body: &[u8]) -> Self {
        Self { body: service.keys.body(&self.route, body), ..self.clone() }
    }

    /// The same with a proof that was asked for: another request than the one that was refused for want of it.
    #[must_use]
    pub fn proven(&self) -> Self {
        Self { route: format!("{} proven", self.route), ..self.clone() }
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
        let body = service.keys.body(&path, &bytes);
        Ok(Self { body: value, repeat: Repeat { key, route, body } })
    }
}
