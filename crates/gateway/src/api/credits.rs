//! Credits: `/gateway/v1/credits`, money to an account that one of the operator's mandates once named.

use super::debits::{move_money, show};
use super::problem;
use crate::domain::movement::{Kind, Target};
use crate::domain::{Noun, Reference};
use crate::gateway::Gateway;
use crate::oauth::{Caller, Scope};
use axum::extract::{Path, State};
use axum::response::Response;
use ledger::Yen;
use serde::Deserialize;
use web::{Json, Problem};

/// A credit that is asked for: to the account of a mandate, or to an account by its name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreditRequest {
    reference: Reference,
    mandate_id: Option<String>,
    account_ref: Option<String>,
    amount: Yen,
}

/// `POST /gateway/v1/credits`.
pub async fn request(
    State(gateway): State<Gateway>,
    caller: Caller,
    Json(body): Json<CreditRequest>,
) -> Result<Response, Problem> {
    caller.check(Scope::Credits)?;
    let target = match (body.mandate_id, body.account_ref) {
        (Some(mandate), None) => mandate.parse().map(Target::CreditOf).map_err(|_| problem::unknown(Noun::Mandate))?,
        (None, Some(account)) => account.parse().map(Target::CreditTo).map_err(|_| problem::unknown(Noun::Account))?,
        (None, None) | (Some(_), Some(_)) => {
            return Err(Problem::malformed("Name one of mandate_id and account_ref."));
        }
    };
    move_money(&gateway, &caller, body.reference, target, body.amount).await
}

/// `GET /gateway/v1/credits/{reference}`.
pub async fn inquire(
    State(gateway): State<Gateway>,
    caller: Caller,
    Path(reference): Path<String>,
) -> Result<Response, Problem> {
    caller.check(Scope::Credits)?;
    show(&gateway, &caller, Kind::Credit, reference).await
}
