//! Debits: `/gateway/v1/debits`.
//!
//! A debit is durable before its bank hears of it. The bank is asked at once, within a bound; where it has no answer by then,
//! the debit is answered as it stands, and the worker asks on.

use super::problem;
use crate::domain::movement::{Code, Command, Kind, Movement, Next, Request, Target};
use crate::domain::{BankCode, Command as Asked, MandateId, MovementId, Noun, Receipt, Reference};
use crate::gateway::{Gateway, NotDone, carry_through};
use crate::oauth::{Caller, Scope, actor};
use crate::work::spread;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use ledger::Yen;
use serde::{Deserialize, Serialize};
use web::{Json, Problem};

/// A debit that is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebitRequest {
    reference: Reference,
    mandate_id: String,
    amount: Yen,
}

/// A movement as its operator sees it.
#[derive(Serialize)]
pub struct MovementBody {
    reference: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mandate_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_ref: Option<String>,
    amount: i64,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settled_amount: Option<i64>,
    accepted_at: String,
    at: String,
}

impl From<&Movement> for MovementBody {
    fn from(row: &Movement) -> Self {
        Self {
            reference: row.order.reference.to_string(),
            mandate_id: row.order.mandate.map(|id| id.to_string()),
            account_ref: row.order.account_ref.map(|id| id.to_string()),
            amount: row.order.amount.amount(),
            status: row.status.name(),
            code: row.code().map(Code::result),
            reason: row.code().map(Code::name),
            settled_amount: row.settled().map(Yen::amount),
            accepted_at: row.order.accepted.to_string(),
            at: row.since.to_string(),
        }
    }
}

/// `POST /gateway/v1/debits`.
pub async fn request(
    State(gateway): State<Gateway>,
    caller: Caller,
    Json(body): Json<DebitRequest>,
) -> Result<Response, Problem> {
    caller.check(Scope::Debits)?;
    let mandate: MandateId = body.mandate_id.parse().map_err(|_| problem::unknown(Noun::Mandate))?;
    move_money(&gateway, &caller, body.reference, Target::DebitOf(mandate), body.amount).await
}

/// `GET /gateway/v1/debits/{reference}`.
pub async fn inquire(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(reference): Path<String>,
) -> Result<Response, Problem> {
    caller.check(Scope::Debits)?;
    show(&gateway, &caller, Kind::Debit, reference).await
}

/// A return that is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReturnRequest {
    reference: Reference,
    amount: Yen,
    /// The number of the last event that its operator has acted on: none is believed to be read where this is left out.
    #[serde(default)]
    events_read: u64,
}

/// `POST /gateway/v1/debits/{reference}/return`: gives a debit back to its account, whatever became of its mandate.
pub async fn give_back(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(debit): Path<String>,
    Json(body): Json<ReturnRequest>,
) -> Result<Response, Problem> {
    caller.check(Scope::Debits)?;
    let debit = Reference::try_from(debit).map_err(|_| problem::unknown(Noun::Debit))?;
    let debit = gateway.movement_id(caller.operator, Kind::Debit, debit.as_str());
    let target = Target::ReturnOf { debit, events_read: body.events_read };
    move_money(&gateway, &caller, body.reference, target, body.amount).await
}

/// `GET /gateway/v1/returns/{reference}`.
pub async fn inquire_return(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(reference): Path<String>,
) -> Result<Response, Problem> {
    caller.check(Scope::Debits)?;
    show(&gateway, &caller, Kind::Return, reference).await
}

/// Asks for a movement, and its bank at once where that may be.
pub(super) async fn move_money(
    gateway: &Gateway,
    caller: &Caller,
    reference: Reference,
    target: Target,
    amount: Yen,
) -> Result<Response, Problem> {
    let operator = caller.operator;
    let movement = gateway.movement_id(operator, target.kind(), reference.as_str());
    let at_once = gateway.takes_at_once(target).await?;
    let spread = spread(gateway);
    let request = Request { movement, operator, reference, target, amount, at_once, spread };
    let receipt = gateway.submit(Asked::Movement(Command::Request(request)), actor(operator), None).await?;
    if let Receipt::Movement { next: Some(Next::Send), bank, .. } = receipt {
        let gateway = gateway.clone();
        // What the bank says is heard also when the caller has hung up.
        carry_through(async move { ask_at_once(&gateway, bank, movement).await }).await;
    }
    answer(gateway, movement).await
}

/// Asks the bank now, if it may be. Whatever becomes of this, the movement is durable, and the worker goes on with it.
async fn ask_at_once(gateway: &Gateway, bank: BankCode, movement: MovementId) {
    let Some(_inside) = gateway.work().enter(bank, gateway.outside().now()) else { return };
    match gateway.work().exchange(gateway, bank, movement, Next::Send).await {
        Ok(_) => {}
        Err(NotDone::Refused(refusal)) => tracing::error!(?refusal, "a bank's answer was refused"),
        Err(NotDone::Engine(error)) => tracing::warn!(%error, "a bank's answer waits for the worker"),
    }
}

async fn answer(gateway: &Gateway, movement: MovementId) -> Result<Response, Problem> {
    let row = gateway.movement(movement).await.map_err(|error| problem::engine_error(&error))?;
    let row = row.ok_or_else(Problem::internal)?;
    let status = if row.status.is_open() { StatusCode::ACCEPTED } else { StatusCode::CREATED };
    Ok((status, Json(MovementBody::from(&row))).into_response())
}

/// What became of a movement. Absence is never final here: a request may still be on its way, and can be sent again.
pub(super) async fn show(
    gateway: &Gateway,
    caller: &Caller,
    kind: Kind,
    reference: String,
) -> Result<Response, Problem> {
    let unknown = || problem::unknown(kind.noun()).with("final", false);
    let reference = Reference::try_from(reference).map_err(|_| unknown())?;
    let id = gateway.movement_id(caller.operator, kind, reference.as_str());
    let row = gateway.movement(id).await.map_err(|error| problem::engine_error(&error))?;
    let row = row.filter(|row| row.order.operator == caller.operator).ok_or_else(unknown)?;
    Ok(Json(MovementBody::from(&row)).into_response())
}
