//! The clock's page: what time it is, and the buttons that advance it.

use super::shown;
use crate::clock::ADVANCE_SECONDS_MAX;
use crate::state::State;
use axum::extract::{Form, State as Shared};
use axum::response::Redirect;
use engine::Clock;
use maud::html;
use serde::Deserialize;
use std::sync::Arc;
use web::Problem;
use web::page::Page;

/// The steps that the page offers, in seconds.
const STEPS: &[(i64, &str)] = &[
    (60, "1分 / a minute"),
    (3_600, "1時間 / an hour"),
    (86_400, "1日 / a day"),
    (7 * 86_400, "1週間 / a week"),
    (31 * 86_400, "31日 / 31 days"),
];

pub(super) async fn clock(Shared(state): Shared<Arc<State>>) -> Page {
    let clock = &state.options.clock;
    shown(
        "時計",
        "Clock",
        html! {
            p { strong { (clock.now()) } @if clock.is_frozen() { " 停止中 / frozen" } }
            form method="post" action="/clock" {
                @for (seconds, words) in STEPS { button name="advance_seconds" value=(seconds) { (words) } " " }
            }
            p { "時刻は進むだけです。期限が来た処理は順に実行されます。 / Time goes forward only; what falls due on the way is done in order." }
            p { a href="/" { "戻る / Back" } }
        },
    )
}

#[derive(Deserialize)]
pub(super) struct Advance {
    advance_seconds: i64,
}

pub(super) async fn advance(Shared(state): Shared<Arc<State>>, Form(form): Form<Advance>) -> Result<Redirect, Problem> {
    if !(0..=ADVANCE_SECONDS_MAX).contains(&form.advance_seconds) {
        return Err(Problem::malformed("The clock goes forward only, by ten years at most."));
    }
    state.options.clock.advance(form.advance_seconds).await.map_err(|error| {
        tracing::error!(%error, "sandbox: the clock's file cannot be written");
        Problem::internal()
    })?;
    Ok(Redirect::to("/clock"))
}
