//! Notices: how many letters were written to people on each day, how many reached whoever delivers them, how many nobody
//! could be reached by; and those that wait. Whom a letter is for is shown by their id, where it goes and what it says not at all.

use super::people::Desk;
use crate::letters::{DayOfLetters, Letter};
use crate::query::{self, Page, Query, Which};
use crate::service::Service;
use crate::work::OURS;
use axum::extract::State;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use web::{Json, Problem};

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(days)).routes(routes!(waiting))
}

/// The letters of a day.
#[derive(Serialize, ToSchema)]
#[schema(as = NoticeDay)]
pub struct Told {
    /// The business date (Asia/Tokyo).
    day: String,
    /// Letters that were written on it.
    written: u64,
    /// Letters that whoever delivers them took on it.
    delivered: u64,
    /// Letters that were given up on it: nobody took them in their time.
    given_up: u64,
}

/// A letter that waits.
#[derive(Serialize, ToSchema)]
#[schema(as = NoticeWaiting)]
pub struct Waits {
    /// Its id.
    id: String,
    /// Whom it is for.
    holder_id: String,
    /// How often it was tried.
    attempts: u32,
    /// When it is tried next.
    next_attempt_at: String,
    /// When it is given up.
    until: String,
}

/// How many people were told of something on each day, and how many could not be, newest first.
#[utoipa::path(get, path = "/desk/v1/notices", tag = "notices", params(Which), security(("desk" = [])),
    responses((status = 200, body = Page<Told>)))]
async fn days(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Query(which): Query<Which>,
) -> Result<Json<Page<Told>>, Problem> {
    desk.check_any()?;
    let limit = query::limit(which.limit)?;
    let before = which.place(&service.keys, "notices")?;
    let (days, next) = service.doors.newest::<DayOfLetters>(OURS, before, limit)?;
    let shown = |day: &DayOfLetters| Told {
        day: day.day.to_string(),
        written: day.written,
        delivered: day.delivered,
        given_up: day.given_up,
    };
    let next_cursor = next.map(|next| query::cursor(&service.keys, "notices", &next.0));
    Ok(Json(Page { data: days.iter().map(shown).collect(), next_cursor }))
}

/// Letters that nobody has taken yet.
#[utoipa::path(get, path = "/desk/v1/notices/waiting", tag = "notices", params(Which), security(("desk" = [])),
    responses((status = 200, body = Page<Waits>)))]
async fn waiting(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Query(which): Query<Which>,
) -> Result<Json<Page<Waits>>, Problem> {
    desk.check_any()?;
    let limit = query::limit(which.limit)?;
    let after = which.place(&service.keys, "notices that wait")?.unwrap_or_default();
    let letters: Vec<Letter> = service.doors.all(after, limit)?;
    let last = letters.last().filter(|_| letters.len() == limit).map(|letter| letter.id);
    let shown = |letter: &Letter| Waits {
        id: format!("ltr_{}", letter.id),
        holder_id: letter.holder.to_string(),
        attempts: letter.attempts,
        next_attempt_at: letter.due.to_string(),
        until: letter.until.to_string(),
    };
    let next_cursor = last.map(|last| query::cursor(&service.keys, "notices that wait", &last.0));
    Ok(Json(Page { data: letters.iter().map(shown).collect(), next_cursor }))
}
