//! The provider of mails and SMS: it takes messages from the wallet, and delivers them into the inbox that everybody reads.

use crate::domain::message::{self, Channel, Message};
use crate::domain::{Command, Event, hashed};
use crate::state::{State, bearer};
use crate::world::Undone;
use axum::Router;
use axum::extract::State as Shared;
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use web::{Json, Problem};

/// Messages in one answer of the inbox.
pub(crate) const INBOX_MESSAGES_MAX: usize = 200;

pub(crate) fn router(state: &Arc<State>) -> Router {
    Router::new().route("/messages/v1/messages", post(receive)).with_state(Arc::clone(state))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    id: String,
    channel: SentChannel,
    to: String,
    #[serde(default)]
    subject: Option<String>,
    text: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SentChannel {
    Mail,
    Sms,
}

#[derive(Serialize)]
struct Accepted {
    id: String,
}

async fn receive(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    Json(sent): Json<Sent>,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    bearer(&headers, state.options.secrets.messages.as_ref())?;
    let message = Message {
        id: hashed("message", &[sent.id.as_bytes()]),
        from: "wallet".into(),
        channel: match sent.channel {
            SentChannel::Mail => Channel::Mail,
            SentChannel::Sms => Channel::Sms,
        },
        to: dialled(&sent.to),
        subject: sent.subject.filter(|subject| !subject.is_empty()),
        text: sent.text,
        at: state.outside.now(),
    };
    state.world.submit(Command::Message(message::Command::Receive(vec![message]))).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { id: sent.id })))
}

/// An address as people here write it: a telephone number as it is dialled in Japan, also where it came with +81.
fn dialled(address: &str) -> String {
    match address.strip_prefix("+81") {
        Some(rest) => format!("0{rest}"),
        None => address.to_owned(),
    }
}

/// The newest messages, newest first; those to `to` alone, if it is named.
pub(crate) async fn inbox(state: &State, to: Option<&str>, limit: usize) -> Result<Vec<Message>, Undone> {
    let to = to.map(dialled);
    let to = to.as_deref();
    let key = to.map_or_else(message::everything_key, message::inbox_key);
    let limit = limit.clamp(1, INBOX_MESSAGES_MAX);
    let records = state.world.chain(key, limit).await?;
    let events = records.into_iter().flat_map(|record| record.entry.events.into_iter().rev());
    let received = events.filter_map(|event| match event {
        Event::Message(message::Event::Received(message)) => Some(*message),
        Event::Bank(_)
        | Event::Account(_)
        | Event::Movement(_)
        | Event::Authentication(_)
        | Event::Identification(_) => None,
    });
    // A notice goes to several contacts at once: one record, of which an inbox shows its own share.
    let is_theirs = |message: &Message| to.is_none_or(|to| message::inbox_key(&message.to) == message::inbox_key(to));
    Ok(received.filter(is_theirs).take(limit).collect())
}
