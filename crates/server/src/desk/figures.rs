//! The day's figures: what was owed at each day's end and what had to be set aside, and what moved at each bank.

use crate::entrance::Desk;
use crate::service::Service;
use crate::work::{BankDay, DayFigures};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use domain::Id;
use serde_json::{Value, json};
use std::sync::Arc;
use web::{Json, Problem};

/// Rows of one list.
const LIST_MAX: usize = 1_000;

/// The paths of this room.
pub fn router() -> Router<Arc<Service>> {
    Router::new()
        .route("/desk/v1/safeguarding", get(safeguarding))
        .route("/desk/v1/reconciliation", get(reconciliation))
}

async fn safeguarding(State(service): State<Arc<Service>>, _: Desk) -> Result<Json<Value>, Problem> {
    let days: Vec<DayFigures> = service.work.all(Id::default(), LIST_MAX)?;
    let data: Vec<Value> = days
        .iter()
        .rev()
        .map(|closed| {
            json!({
                "day": closed.day.to_string(),
                "debt": closed.figures.debt,
                "cost": closed.figures.cost,
                "required": closed.figures.required,
                "prepaid": closed.figures.prepaid,
            })
        })
        .collect();
    Ok(Json(json!({ "data": data, "next_cursor": null })))
}

/// What the books moved at each bank on each day; a bank's own statement must say the same.
async fn reconciliation(State(service): State<Arc<Service>>, _: Desk) -> Result<Json<Value>, Problem> {
    let days: Vec<BankDay> = service.work.all(Id::default(), LIST_MAX)?;
    let data: Vec<Value> = days
        .iter()
        .rev()
        .map(|day| {
            json!({
                "day": day.day.to_string(),
                "bank_code": day.bank.to_string(),
                "debits": { "count": day.debits, "amount": day.debited },
                "credits": { "count": day.credits, "amount": day.credited },
                "given_back": { "count": day.give_backs, "amount": day.given_back },
                "taken_back": { "count": day.reversals, "amount": day.reversed },
                "net": day.net(),
            })
        })
        .collect();
    Ok(Json(json!({ "data": data, "next_cursor": null })))
}
