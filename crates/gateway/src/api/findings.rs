//! Findings: `/gateway/v1/findings`, for the gateway's desk: what banks' day files have that nobody here asked for, until
//! somebody says what became of it.

use super::lists::{Listed, PAGE_MAX, Page};
use super::problem;
use crate::desk::{GatewayDesk, check_text};
use crate::domain::finding::{Command, Finding};
use crate::domain::open::Thing;
use crate::domain::{Command as Asked, FindingId, Noun};
use crate::gateway::Gateway;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use web::{Json, Problem};

/// A finding as the desk sees it.
#[derive(Serialize)]
pub struct FindingBody {
    id: String,
    bank_code: String,
    day: String,
    amount: i64,
    moved: i64,
    found_at: String,
}

impl FindingBody {
    fn new(id: FindingId, row: &Finding) -> Self {
        Self {
            id: id.to_string(),
            bank_code: row.bank.to_string(),
            day: row.day.to_string(),
            amount: row.amount.amount(),
            moved: row.moved.amount(),
            found_at: row.found.to_string(),
        }
    }
}

/// `GET /gateway/v1/findings?limit=&cursor=`: those that nobody has resolved, in the order of their ids.
pub async fn list(
    State(gateway): State<Gateway>,
    _: GatewayDesk,
    page: Page,
) -> Result<Json<Listed<FindingBody>>, Problem> {
    let after: Option<FindingId> = page.parsed()?;
    let mut open = Vec::new();
    for bank in &gateway.options().banks {
        let things = gateway.open_things(bank.code).await.map_err(|error| problem::engine_error(&error))?;
        open.extend(things.into_iter().filter_map(|thing| match thing {
            Thing::Finding(id) => Some(id).filter(|id| after.is_none_or(|after| *id > after)),
            Thing::Movement(_) | Thing::Mandate(_) | Thing::Notice(_) => None,
        }));
    }
    open.sort_unstable();
    let limit = page.limit(PAGE_MAX);
    let next_cursor = (open.len() > limit).then(|| open.get(limit - 1).map(ToString::to_string)).flatten();
    let mut data = Vec::new();
    for id in open.into_iter().take(limit) {
        let row = gateway.finding(id).await.map_err(|error| problem::engine_error(&error))?;
        data.extend(row.map(|row| FindingBody::new(id, &row)));
    }
    Ok(Json(Listed { data, next_cursor }))
}

/// What somebody says of a finding.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Word {
    reason: String,
}

/// `POST /gateway/v1/findings/{id}/resolution`.
pub async fn resolve(
    State(gateway): State<Gateway>,
    desk: GatewayDesk,
    Path(id): Path<String>,
    Json(word): Json<Word>,
) -> Result<StatusCode, Problem> {
    desk.0.check_act()?;
    check_text(&word.reason, "reason")?;
    let finding: FindingId = id.parse().map_err(|_| problem::unknown(Noun::Finding))?;
    let command = Command::Resolve { finding, by: desk.0.id, reason: word.reason };
    gateway.submit(Asked::Finding(command), desk.actor(), None).await?;
    Ok(StatusCode::NO_CONTENT)
}
