//! A shop's own server, played by the sandbox: it takes webhooks under any name and shows them in the inbox.
//!
//! `http://sandbox.localhost:8080/hooks/NAME` takes them; `?status=500` has it answer as a server does that fails.

use crate::domain::message::{self, Channel, MESSAGE_TEXT_BYTES_MAX, Message};
use crate::domain::{Command, hashed};
use crate::state::{State, local_only};
use axum::Router;
use axum::extract::{Path, Query, State as Shared};
use axum::middleware::from_fn;
use axum::routing::post;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use std::sync::Arc;
use web::{Problem, webhook};

pub(crate) fn router(state: &Arc<State>) -> Router {
    Router::new().route("/hooks/{name}", post(take)).layer(from_fn(local_only)).with_state(Arc::clone(state))
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    status: Option<u16>,
}

async fn take(
    Shared(state): Shared<Arc<State>>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (id, sent_at) = (header(webhook::ID), header(webhook::TIMESTAMP));
    let mut text = String::from_utf8_lossy(&body).into_owned();
    while text.len() > MESSAGE_TEXT_BYTES_MAX {
        text.pop();
    }
    let message = Message {
        // Each attempt is shown, so that whoever sends twice is seen to.
        id: hashed("hook", &[name.as_bytes(), id.as_bytes(), sent_at.as_bytes(), &body]),
        from: "webhook".into(),
        channel: Channel::Hook,
        to: format!("hook:{name}"),
        subject: Some(format!("{id} {}", header(webhook::SIGNATURE))).filter(|_| !id.is_empty()),
        text,
        at: state.outside.now(),
    };
    state.world.submit(Command::Message(message::Command::Receive(vec![message]))).await?;
    let status = asked.status.and_then(|status| StatusCode::from_u16(status).ok());
    Ok(status.unwrap_or(StatusCode::NO_CONTENT))
}
