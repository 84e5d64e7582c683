//! The inbox page: every mail and SMS that was sent, newest first.

use super::shown;
use crate::messages;
use crate::state::State;
use axum::extract::{Query, State as Shared};
use maud::html;
use serde::Deserialize;
use std::sync::Arc;
use web::Problem;
use web::page::Page;

/// Messages on one page.
const MESSAGES_MAX: usize = 50;

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    to: Option<String>,
}

pub(super) async fn inbox(Shared(state): Shared<Arc<State>>, Query(asked): Query<Asked>) -> Result<Page, Problem> {
    let to = asked.to.as_deref().map(str::trim).filter(|to| !to.is_empty());
    let messages = messages::inbox(&state, to, MESSAGES_MAX).await?;
    Ok(shown(
        "受信箱",
        "Inbox",
        html! {
            form method="get" action="/inbox" {
                label for="to" { "宛先（アドレスまたは電話番号） / To (address or number)" }
                input id="to" name="to" type="text" value=(to.unwrap_or_default());
                button { "絞り込む / Show" }
            }
            @if messages.is_empty() { p { "まだ何もありません。 / Nothing yet." } }
            @for message in &messages {
                article {
                    h2 { (message.channel.name()) " → " (message.to) }
                    p { (message.at) " · " (message.from) @if let Some(subject) = &message.subject { " · " strong { (subject) } } }
                    @for line in message.text.lines() { p { (line) } }
                }
            }
            p { a href="/" { "戻る / Back" } }
        },
    ))
}
