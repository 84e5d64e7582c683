//! The inbox, over the sandbox's API.

use super::accounts::List;
use crate::messages;
use crate::state::State;
use axum::extract::{Query, State as Shared};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use web::{Json, Problem};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

pub(super) async fn list(Shared(state): Shared<Arc<State>>, Query(asked): Query<Asked>) -> Result<Json<List>, Problem> {
    let messages = messages::inbox(&state, asked.to.as_deref(), asked.limit.unwrap_or(50)).await?;
    let data = messages.iter().map(|message| {
        json!({
            "id": format!("msg_{}", message.id),
            "from": message.from,
            "channel": message.channel.name(),
            "to": message.to,
            "subject": message.subject,
            "text": message.text,
            "at": message.at.to_string(),
        })
    });
    Ok(Json(List { data: data.collect(), next_cursor: None }))
}
