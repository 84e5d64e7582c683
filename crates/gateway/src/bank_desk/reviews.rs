//! Names that are only nearly the same: a person at the bank's desk looks at both, and says whether it is one person.
//!
//! This is the only place where the bank's own name of its customer is shown, and only while a mandate waits for it.

use super::Desk;
use super::links::{own, shown};
use crate::api::lists::{Listed, PAGE_MAX, Page};
use crate::api::problem::{engine_error, unknown};
use crate::desk::check_text;
use crate::domain::mandate::{self, Status};
use crate::domain::open::Thing;
use crate::domain::{Command, MandateId, Noun};
use crate::gateway::Gateway;
use crate::proposals::Said;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use web::{Json, Problem};

/// A mandate that waits, with the two names.
#[derive(Serialize)]
pub(super) struct ReviewBody {
    mandate_id: String,
    grade: &'static str,
    name_at_bank: String,
    name_at_operator: Option<String>,
    masked_number: String,
    until: String,
}

/// `GET /bank/v1/reviews?limit=&cursor=`, in the order of the mandates' ids.
pub(super) async fn list(
    State(gateway): State<Gateway>,
    desk: Desk,
    page: Page,
) -> Result<Json<Listed<ReviewBody>>, Problem> {
    let after: Option<MandateId> = page.parsed()?;
    let things = gateway.open_things(desk.bank).await.map_err(|error| engine_error(&error))?;
    let waiting = things.into_iter().filter_map(|thing| match thing {
        Thing::Mandate(id) => Some(id).filter(|id| after.is_none_or(|after| *id > after)),
        Thing::Movement(_) | Thing::Notice(_) | Thing::Finding(_) => None,
    });
    let mut waiting: Vec<MandateId> = waiting.collect();
    waiting.sort_unstable();
    let (mut data, mut next_cursor) = (Vec::new(), None);
    for id in waiting {
        let Some(review) = review(&gateway, id).await? else { continue };
        if data.len() == page.limit(PAGE_MAX) {
            next_cursor = data.last().map(|last: &ReviewBody| last.mandate_id.clone());
            break;
        }
        data.push(review);
    }
    Ok(Json(Listed { data, next_cursor }))
}

async fn review(gateway: &Gateway, id: MandateId) -> Result<Option<ReviewBody>, Problem> {
    let row = gateway.mandate(id).await.map_err(|error| engine_error(&error))?;
    let Some(row) = row.filter(|row| row.status == Status::InReview) else { return Ok(None) };
    let Some(grant) = row.grant else { return Ok(None) };
    let account = gateway.account(grant.account).await.map_err(|error| engine_error(&error))?;
    let Some(account) = account else { return Ok(None) };
    let (name_at_bank, name_at_operator) = gateway.names(grant.account, &account.details).map_err(|error| {
        tracing::error!(%error, "an account's names do not open");
        Problem::internal()
    })?;
    Ok(Some(ReviewBody {
        mandate_id: id.to_string(),
        grade: grant.name.name(),
        name_at_bank,
        name_at_operator,
        masked_number: account.details.masked,
        until: row.deadline.to_string(),
    }))
}

/// What the desk says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Word {
    accept: bool,
    reason: String,
}

/// `POST /bank/v1/mandates/{id}/decide`: whether the two names are one person's. Two say that they are, one that they are not: the
/// first of two is a 202.
pub(super) async fn decide(
    State(gateway): State<Gateway>,
    desk: Desk,
    Path(id): Path<String>,
    Json(word): Json<Word>,
) -> Result<Response, Problem> {
    desk.check_act()?;
    check_text(&word.reason, "reason")?;
    let (mandate, row) = own(&gateway, desk, &id).await?;
    let account = row.grant.map(|grant| grant.account).ok_or_else(|| unknown(Noun::Mandate))?;
    let command = mandate::Command::Decide { mandate, account, accept: word.accept, by: desk.staff };
    let said = Said::submit(&gateway, Command::Mandate(command), desk.actor(), Some(word.reason)).await?;
    said.answer(async || shown(&gateway, desk, &id).await).await
}
