//! The clock, over the sandbox's API: it answers when everything that fell due on the way is done.

use crate::clock::{ADVANCE_SECONDS_MAX, Advanced};
use crate::state::State;
use axum::extract::State as Shared;
use engine::Clock;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use web::{Json, Problem};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    #[serde(default)]
    advance_seconds: Option<i64>,
    #[serde(default)]
    freeze: Option<bool>,
}

#[derive(Serialize)]
pub(super) struct Shown {
    now: String,
    frozen: bool,
    /// How many things were done on the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    ran: Option<usize>,
    /// Of which kinds: `{"wallet.letter": 3, …}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    kinds: Option<BTreeMap<Cow<'static, str>, usize>>,
    /// When the next thing falls due, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_due: Option<String>,
}

pub(super) async fn show(Shared(state): Shared<Arc<State>>) -> Json<Shown> {
    Json(shown(&state, None))
}

pub(super) async fn change(
    Shared(state): Shared<Arc<State>>,
    Json(change): Json<Change>,
) -> Result<Json<Shown>, Problem> {
    let clock = &state.options.clock;
    let advanced = match change {
        Change { advance_seconds: None, freeze: None } => {
            return Err(Problem::malformed("Say `advance_seconds`, or `freeze`, or both."));
        }
        Change { advance_seconds: Some(seconds), .. } if !(0..=ADVANCE_SECONDS_MAX).contains(&seconds) => {
            return Err(Problem::malformed("The clock goes forward only, by ten years at most.")
                .with("advance_seconds_max", ADVANCE_SECONDS_MAX));
        }
        Change { advance_seconds, freeze } => {
            if let Some(frozen) = freeze {
                clock.freeze(frozen).map_err(unwritable)?;
            }
            match advance_seconds {
                Some(seconds) => Some(clock.advance(seconds).await.map_err(unwritable)?),
                None => None,
            }
        }
    };
    Ok(Json(shown(&state, advanced)))
}

fn shown(state: &State, advanced: Option<Advanced>) -> Shown {
    let clock = &state.options.clock;
    let due = advanced.as_ref().map(|advanced| advanced.ran.due);
    Shown {
        now: clock.now().to_string(),
        frozen: clock.is_frozen(),
        ran: due.map(|due| due.done),
        next_due: due.and_then(|due| due.next).map(|next| next.to_string()),
        kinds: advanced.map(|advanced| advanced.ran.kinds),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn unwritable(error: io::Error) -> Problem {
    tracing::error!(%error, "sandbox: the clock's file cannot be written");
    Problem::internal()
}
