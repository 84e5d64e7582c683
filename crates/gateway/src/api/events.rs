//! Events: `/gateway/v1/events`, what an operator is told, in its own gapless sequence. The same ones are pushed, signed.

use super::lists::Since;
use super::problem;
use crate::domain::mandate::{Change as MandateChange, RevokedBy};
use crate::domain::movement::{Change, Claim};
use crate::domain::operator::{Told, What, told_key};
use crate::domain::{Factor, OperatorId, Row};
use crate::gateway::Gateway;
use crate::oauth::{Caller, Scope};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use engine::EngineError;
use ledger::Yen;
use serde_json::{Map, Value, json};
use web::Problem;

/// `GET /gateway/v1/events?after=&limit=`.
pub async fn list(State(gateway): State<Gateway>, caller: Caller, since: Since) -> Result<Response, Problem> {
    caller.check(Scope::Events)?;
    let (told, head) = told_since(&gateway, caller.operator, since).await?;
    let data: Vec<Value> = told.iter().map(event).collect();
    Ok(since.answer(told.last().map(|told| told.n), head, &data).into_response())
}

/// What `operator` was told since then, and the number of the last thing that it was told at all. Refuses whoever knows of more:
/// an empty page would let them wait for ever, and what is told under numbers that they have read would never be.
pub async fn told_since(gateway: &Gateway, operator: OperatorId, since: Since) -> Result<(Vec<Told>, u64), Problem> {
    let engine_error = |error: EngineError| problem::engine_error(&error);
    let head = gateway.operator_row(operator).await.map_err(engine_error)?.map_or(0, |row| row.told);
    if since.after > head {
        tracing::error!(after = since.after, head, "somebody was told of more than the books have");
        return Err(problem::beyond(head));
    }
    let told = told_after(gateway, operator, since.after, since.limit).await.map_err(engine_error)?;
    let head = told.last().map_or(head, |told| told.n.max(head));
    Ok((told, head))
}

/// What `operator` was told after number `after`, at most `limit` things.
pub async fn told_after(
    gateway: &Gateway,
    operator: OperatorId,
    after: u64,
    limit: u64,
) -> Result<Vec<Told>, EngineError> {
    let mut told = Vec::new();
    for n in after.saturating_add(1)..=after.saturating_add(limit) {
        match gateway.row(told_key(operator, n)).await?.as_deref() {
            Some(Row::Told(row)) => told.push(row.clone()),
            Some(_) | None => break,
        }
    }
    Ok(told)
}

/// An event as its operator reads it.
pub fn event(told: &Told) -> Value {
    let mut members = Map::new();
    members.insert("n".into(), told.n.into());
    members.insert("type".into(), told.what.name().into());
    members.insert("at".into(), told.at.to_string().into());
    let details = match &told.what {
        What::Mandate { mandate, reference, change } => {
            mandate_details(&mandate.to_string(), reference.as_str(), *change)
        }
        What::Movement { reference, amount, change, .. } => movement_details(reference.as_str(), *amount, *change),
        What::Switch { bank, function, is_stopped, reason } => json!({
            "bank_code": bank.to_string(),
            "function": function.name(),
            "stopped": is_stopped,
            "reason": reason,
        }),
        What::Disowned { bank, account_ref } => {
            json!({ "bank_code": bank.to_string(), "account_ref": account_ref.to_string() })
        }
        // No operator is told of the latter: its own event is `account.disowned`.
        What::Calendar { bank } | What::NotMe { bank, .. } => json!({ "bank_code": bank.to_string() }),
        What::Incident(incident) => json!({
            "bank_code": incident.bank.to_string(),
            "incident": incident.id.to_string(),
            "factors": incident.factors.iter().map(Factor::name).collect::<Vec<_>>(),
            "granted_from": incident.from.to_string(),
            "granted_until": incident.until.to_string(),
            "accounts": incident.accounts,
            "amount": incident.amount.amount(),
            "note": incident.note,
        }),
    };
    if let Value::Object(details) = details {
        members.extend(details);
    }
    Value::Object(members)
}

fn mandate_details(mandate: &str, reference: &str, change: MandateChange) -> Value {
    let mut details = json!({ "mandate_id": mandate, "mandate_reference": reference });
    let ended = match change {
        MandateChange::Revoked(by, why) => Some((by_name(by), why.name())),
        MandateChange::Displaced => Some(("mandate", "displaced")),
        MandateChange::Granted
        | MandateChange::InReview
        | MandateChange::Activated
        | MandateChange::Confirmed
        | MandateChange::Refused
        | MandateChange::Abandoned
        | MandateChange::Expired => None,
    };
    if let (Some((by, reason)), Value::Object(members)) = (ended, &mut details) {
        members.insert("by".into(), by.into());
        members.insert("reason".into(), reason.into());
    }
    details
}

/// Who ended a mandate, as the API names them.
pub fn by_name(by: RevokedBy) -> &'static str {
    match by {
        RevokedBy::Operator => "operator",
        RevokedBy::Bank(_) => "bank",
        RevokedBy::AccountHolder => "account_holder",
        RevokedBy::Gateway(_) => "gateway",
        RevokedBy::Mandate(_) => "mandate",
    }
}

fn movement_details(reference: &str, amount: Yen, change: Change) -> Value {
    let amount = amount.amount();
    match change {
        Change::Settled(settled) => {
            json!({ "reference": reference, "amount": amount, "settled_amount": settled.amount() })
        }
        Change::Declined(code) => {
            json!({ "reference": reference, "amount": amount, "code": code.result(), "reason": code.name() })
        }
        Change::Reversed(taken) => json!({ "reference": reference, "amount": taken.amount() }),
        Change::Contradicted(claim) => {
            let (claim, claimed) = match claim {
                Claim::Moved(amount) => ("moved", amount),
                Claim::NotMoved => ("not_moved", Yen::ZERO),
                Claim::TakenBack(amount) => ("taken_back", amount),
            };
            json!({ "reference": reference, "amount": amount, "claim": claim, "claimed_amount": claimed.amount() })
        }
    }
}
