//! Parts of one sandbox in processes of their own. They share the data directory: secrets, and the clock's file, which the
//! process with the outside world writes and the others follow. Whoever advances that clock asks the other processes to do
//! what is due with them, and waits for it as for its own.

use super::timers::{self, Step};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use domain::Time;
use engine::Clock;
use http::{Request, header};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use web::{Bounds, Due, Ran, Transport};

/// Where a part does what is due.
const PATH: &str = "/sandbox/v1/due";
/// How long a part may take for one step.
const BOUNDS: Bounds = Bounds { time_ms: 60_000, body_bytes: 4_096 };

/// What a part's step came to.
#[derive(Serialize, Deserialize)]
struct StepRan {
    done: usize,
    next_ms: Option<i64>,
    kinds: BTreeMap<Cow<'static, str>, usize>,
}

/// The path on which this process does what is due with it when another one advances the clock.
pub fn router(steps: Vec<Step>, clock: Arc<dyn Clock>) -> Router {
    let step = move || {
        let (steps, now) = (steps.clone(), clock.now());
        async move {
            let Ran { due, kinds } = timers::round(steps)(now).await;
            Json(StepRan { done: due.done, next_ms: due.next.map(Time::milliseconds), kinds })
        }
    };
    sandbox::local(Router::new().route(PATH, post(step)))
}

/// The step of a part that runs at `origin`. A part that is not there has nothing to do.
pub fn step(origin: &str, transport: Arc<dyn Transport>) -> Step {
    let url = format!("{origin}{PATH}");
    Arc::new(move |_, _| {
        let (url, transport) = (url.clone(), Arc::clone(&transport));
        Box::pin(async move {
            let request = Request::post(&url).header(header::CONTENT_LENGTH, 0).body(Bytes::new());
            let Ok(request) = request else { return Ran::default() };
            match transport.call(request, BOUNDS).await {
                Ok(answer) => serde_json::from_slice::<StepRan>(answer.body()).map_or_else(
                    |_| Ran::default(),
                    |StepRan { done, next_ms, kinds }| {
                        let due = Due { done, next: next_ms.map(Time::from_milliseconds) };
                        Ran { due, kinds }
                    },
                ),
                Err(error) => {
                    tracing::debug!(%url, %error, "a part of the sandbox is not there");
                    Ran::default()
                }
            }
        })
    })
}
