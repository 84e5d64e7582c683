//! The identity vendor's script, over the sandbox's API.

use crate::domain::identification::{self, Script};
use crate::domain::{Command, Row};
use crate::state::State;
use axum::extract::State as Shared;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use web::{Json, Problem};

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WireScript {
    script: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delay_seconds: Option<u32>,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Approve,
    Refuse,
    Delay,
    Document,
}

pub(super) async fn script(Shared(state): Shared<Arc<State>>) -> Result<Json<WireScript>, Problem> {
    let row = state.world.read(identification::script_key()).await?;
    let (script, delay_seconds) = match row.as_deref().map(Row::script).unwrap_or_default() {
        Script::Approve => (Kind::Approve, None),
        Script::Refuse => (Kind::Refuse, None),
        Script::Delay { seconds } => (Kind::Delay, Some(seconds)),
        Script::Document => (Kind::Document, None),
    };
    Ok(Json(WireScript { script, delay_seconds }))
}

pub(super) async fn set_script(
    Shared(state): Shared<Arc<State>>,
    Json(wire): Json<WireScript>,
) -> Result<Json<WireScript>, Problem> {
    let script = match (wire.script, wire.delay_seconds) {
        (Kind::Approve, None) => Script::Approve,
        (Kind::Refuse, None) => Script::Refuse,
        (Kind::Document, None) => Script::Document,
        (Kind::Delay, Some(seconds)) => Script::Delay { seconds },
        (Kind::Approve | Kind::Refuse | Kind::Document, Some(_)) | (Kind::Delay, None) => {
            return Err(Problem::malformed("`delay_seconds` goes with the script `delay`, and with no other."));
        }
    };
    state.world.submit(Command::Identification(identification::Command::SetScript(script))).await?;
    self::script(Shared(state)).await
}
