//! Mandates: `/gateway/v1/mandates`, what the operator's holders permitted. Made in a browser; read and ended here.

use super::events::{by_name, told_after};
use super::lists::{Listed, NUMBER_MAX, PAGE_MAX, Page};
use super::problem;
use crate::domain::mandate::{Change, Command, Mandate, RevokedBy, Why};
use crate::domain::operator::What;
use crate::domain::{Command as Asked, Factor, MandateId, Noun};
use crate::gateway::Gateway;
use crate::oauth::{Caller, Scope, actor};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use web::{Json, Problem};

/// Things that the operator was told which one page of the list looks through, at most.
const PAGE_TOLD_MAX: u64 = 200;

/// Why a mandate is ended.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeRequest {
    reason: Reason,
}

/// The reasons that an operator may give.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The holder does not need it any more, or its wallet is closed.
    Unneeded,
    /// Its holder says that it was never theirs.
    NotMine,
    /// The operator suspects or found fraud.
    Fraud,
    /// The account is closed.
    AccountClosed,
}

/// `GET /gateway/v1/mandates?limit=&cursor=`: every mandate that ever became active, in that order. A page may be empty and not
/// the last one: the last has no `next_cursor`.
pub async fn list(State(gateway): State<Gateway>, caller: Caller, page: Page) -> Result<Response, Problem> {
    caller.check(Scope::Mandates)?;
    let after = page.parsed()?.unwrap_or(0_u64).min(NUMBER_MAX);
    let told = told_after(&gateway, caller.operator, after, PAGE_TOLD_MAX).await;
    let told = told.map_err(|error| problem::engine_error(&error))?;
    let mut data = Vec::new();
    let (mut looked_at, mut last) = (0, after);
    for told in &told {
        if data.len() == page.limit(PAGE_MAX) {
            break;
        }
        if let What::Mandate { mandate, change: Change::Activated, .. } = &told.what {
            data.push(body(&gateway, *mandate, &own(&gateway, &caller, *mandate).await?).await?);
        }
        (looked_at, last) = (looked_at + 1, told.n);
    }
    let is_last = looked_at == told.len() && u64::try_from(told.len()).is_ok_and(|len| len < PAGE_TOLD_MAX);
    Ok(Json(Listed { data, next_cursor: (!is_last).then(|| last.to_string()) }).into_response())
}

/// `GET /gateway/v1/mandates/{id}`.
pub async fn show(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(mandate): Path<String>,
) -> Result<Response, Problem> {
    caller.check(Scope::Mandates)?;
    let id: MandateId = mandate.parse().map_err(|_| problem::unknown(Noun::Mandate))?;
    let mandate = own(&gateway, &caller, id).await?;
    Ok(Json(body(&gateway, id, &mandate).await?).into_response())
}

/// `POST /gateway/v1/mandates/{id}/revoke`: from its commit on the mandate debits nothing.
pub async fn revoke(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(mandate): Path<String>,
    Json(request): Json<RevokeRequest>,
) -> Result<Response, Problem> {
    caller.check(Scope::Mandates)?;
    let mandate: MandateId = mandate.parse().map_err(|_| problem::unknown(Noun::Mandate))?;
    let why = match request.reason {
        Reason::Unneeded => Why::Unneeded,
        Reason::NotMine => Why::NotMine,
        Reason::Fraud => Why::Fraud,
        Reason::AccountClosed => Why::AccountClosed,
    };
    let operator = Some(caller.operator);
    let command = Command::Revoke { mandate, operator, by: RevokedBy::Operator, why };
    gateway.submit(Asked::Mandate(command), actor(caller.operator), None).await?;
    let row = own(&gateway, &caller, mandate).await?;
    Ok(Json(body(&gateway, mandate, &row).await?).into_response())
}

/// The caller's own mandate.
async fn own(gateway: &Gateway, caller: &Caller, id: MandateId) -> Result<Mandate, Problem> {
    let row = gateway.mandate(id).await.map_err(|error| problem::engine_error(&error))?;
    row.filter(|row| row.operator == caller.operator).ok_or_else(|| problem::unknown(Noun::Mandate))
}

/// A mandate as its operator sees it: grades and facts, never what the bank has of its customer.
async fn body(gateway: &Gateway, id: MandateId, row: &Mandate) -> Result<Value, Problem> {
    let mut body = json!({
        "mandate_id": id.to_string(),
        "mandate_reference": row.reference.as_str(),
        "wallet": row.wallet.as_str(),
        "bank_code": row.bank.to_string(),
        "status": row.status.name(),
        "limits": { "per_time": row.limits.per_time.amount(), "per_month": row.limits.per_month.amount() },
        "requested_at": row.requested.to_string(),
        "confirmed": row.is_confirmed(),
    });
    let Value::Object(members) = &mut body else { return Ok(body) };
    if let Some(grant) = row.grant {
        let account = gateway.account(grant.account).await.map_err(|error| problem::engine_error(&error))?;
        let details = account.ok_or_else(Problem::internal)?.details;
        members.insert("account_ref".into(), grant.account_ref.to_string().into());
        members.insert("branch".into(), details.branch.into());
        members.insert("account_kind".into(), details.kind.name().into());
        members.insert("masked_number".into(), details.masked.into());
        let grade = json!({
            "name": grant.name.name(),
            "birth_date_matches": grant.birth_date_matches,
            "factors": grant.factors.iter().map(Factor::name).collect::<Vec<_>>(),
            "factors_strong": grant.is_strong(),
            "contact_notified": grant.contact_notified,
        });
        members.insert("grade".into(), grade);
    }
    if let Some((by, why, at)) = row.revoked {
        let revoked = json!({ "by": by_name(by), "reason": why.name(), "at": at.to_string() });
        members.insert("revoked".into(), revoked);
    }
    Ok(body)
}
