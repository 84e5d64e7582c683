//! Incidents: a bank says that a fraud is confirmed, and everybody is told. And what a bank was told itself.
//!
//! A case at one bank that the others did not hear of is how a method that was known for a year could work again.

use super::links::Operator;
use super::{Desk, listener};
use crate::api::lists::Since;
use crate::api::problem::{engine_error, refused};
use crate::api::told_since;
use crate::desk::check_text;
use crate::domain::bank::{self, Incident};
use crate::domain::operator::{Told, What};
use crate::domain::{Command, Factor, Reference};
use crate::gateway::Gateway;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::Time;
use engine::{Request, Submission};
use http::StatusCode;
use jiff::Timestamp;
use ledger::Yen;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use web::{Json, Problem};

/// A confirmed fraud, as the bank reports it. No personal data belongs in it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Report {
    /// What the bank calls it: the same report twice is one.
    reference: Reference,
    /// The factors by which the mandates were granted.
    factors: Vec<Factor>,
    /// When the first of them was granted.
    from: String,
    /// When the last of them was granted.
    until: String,
    /// How many accounts are known to be hit.
    accounts: u32,
    /// How much was debited there, in yen.
    amount: Yen,
    /// What else the others should look for.
    note: String,
}

/// `POST /bank/v1/incidents`.
pub(super) async fn report(
    State(gateway): State<Gateway>,
    desk: Desk,
    Json(report): Json<Report>,
) -> Result<Response, Problem> {
    desk.check_act()?;
    check_text(&report.note, "note")?;
    let body = serde_json::to_vec(&report).map_err(|_| Problem::internal())?;
    let id = gateway.incident_id(desk.bank, &report.reference);
    let (from, until) = (time(&report.from)?, time(&report.until)?);
    if until < from {
        return Err(Problem::malformed("`until` is before `from`."));
    }
    let incident = Incident {
        id,
        bank: desk.bank,
        factors: report.factors.iter().copied().collect(),
        from,
        until,
        accounts: report.accounts,
        amount: report.amount,
        note: report.note,
    };
    let mut hash = [0; 16];
    blake3::Hasher::new().update(&body).finalize_xof().fill(&mut hash);
    let submission = Submission {
        command: Command::Bank(bank::Command::Report(incident)),
        actor: desk.actor(),
        reason: None,
        request: Some(Request { key: id.0, body: hash }),
        at: gateway.outside().now(),
    };
    let answer = gateway.engine().submit(submission).await.map_err(|error| engine_error(&error))?;
    answer.reply.map_err(|refusal| refused(&refusal))?;
    Ok((StatusCode::CREATED, Json(json!({ "id": id.to_string() }))).into_response())
}

fn time(text: &str) -> Result<Time, Problem> {
    let timestamp: Timestamp =
        text.parse().map_err(|_| Problem::malformed("A time is RFC 3339: 2020-09-03T09:00:00+09:00."))?;
    Ok(timestamp.into())
}

/// `GET /bank/v1/events?after=N&limit=M`: incidents, switches and calendars of all banks, and which of its customers said "it
/// was not me", numbered without gaps.
pub(super) async fn list(State(gateway): State<Gateway>, desk: Desk, since: Since) -> Result<Json<Value>, Problem> {
    let (told, head) = told_since(&gateway, listener(&gateway, desk.bank), since).await?;
    let mut data = Vec::new();
    for told in &told {
        data.extend(body(&gateway, told).await?);
    }
    Ok(since.answer(told.last().map(|told| told.n), head, &data))
}

/// An event as banks see it; what concerns one operator's mandates is told to that operator alone.
async fn body(gateway: &Gateway, told: &Told) -> Result<Option<Value>, Problem> {
    let mut value = match &told.what {
        What::Switch { bank, function, is_stopped, reason } => json!({
            "bank_code": bank.to_string(),
            "function": function.name(),
            "stopped": is_stopped,
            "reason": reason,
        }),
        What::Calendar { bank } => json!({ "bank_code": bank.to_string() }),
        What::Incident(incident) => json!({
            "id": incident.id.to_string(),
            "bank_code": incident.bank.to_string(),
            "factors": incident.factors.iter().map(Factor::name).collect::<Vec<_>>(),
            "from": incident.from.to_string(),
            "until": incident.until.to_string(),
            "accounts": incident.accounts,
            "amount": incident.amount.amount(),
            "note": incident.note,
        }),
        What::NotMe { bank, account, mandate, operator } => {
            let known = gateway.account(*account).await.map_err(|error| engine_error(&error))?;
            let details = known.ok_or_else(Problem::internal)?.details;
            json!({
                "bank_code": bank.to_string(),
                "account": {
                    "branch": details.branch,
                    "kind": details.kind.name(),
                    "masked_number": details.masked,
                },
                "mandate_id": mandate.to_string(),
                "operator": Operator::of(gateway, *operator),
            })
        }
        What::Mandate { .. } | What::Movement { .. } | What::Disowned { .. } => return Ok(None),
    };
    value["n"] = told.n.into();
    value["type"] = told.what.name().into();
    value["at"] = told.at.to_string().into();
    Ok(Some(value))
}
