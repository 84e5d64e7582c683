//! Wallets as the desk sees them: what is in one and how it stands, never whose in words. Freezing one, and lifting that.

use crate::api::{Nothing, wallet_id};
use crate::asked::Asked;
use crate::entrance::Desk;
use crate::refusals;
use crate::service::Service;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use domain::Key;
use serde_json::{Value, json};
use std::sync::Arc;
use wallet::wallet::{Asker, Command as OfWallet};
use wallet::{Command, Noun, Receipt, Refusal, Row, table};
use web::{Json, Problem};

/// The paths of this room.
pub fn router() -> Router<Arc<Service>> {
    Router::new()
        .route("/desk/v1/wallets/{wallet}", get(show))
        .route("/desk/v1/wallets/{wallet}/freeze", post(freeze))
        .route("/desk/v1/wallets/{wallet}/unfreeze", post(unfreeze))
}

async fn show(State(service): State<Arc<Service>>, _: Desk, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let id = wallet_id(&id)?;
    let row = service.row(Key::new(table::WALLET, id.0)).await?;
    let Some(Row::Wallet(wallet)) = row.as_deref() else {
        return Err(refusals::problem(&Refusal::Unknown { noun: Noun::Wallet }));
    };
    let owed: Vec<i64> = wallet.debts.iter().map(|debt| debt.amount.amount()).collect();
    Ok(Json(json!({
        "id": id.to_string(),
        "holder_id": wallet.holder.to_string(),
        "person_id": wallet.person.map(|person| person.to_string()),
        "status": wallet.status(),
        "tier": wallet.tier.name(),
        "balances": {
            "funds": wallet.funds.account.available(),
            "prepaid": wallet.prepaid.account.available(),
            "bonus": wallet.bonus.account.available(),
            "held": wallet.held(),
        },
        "owed": owed.iter().sum::<i64>(),
        "opened_at": wallet.traits.opened.to_string(),
    })))
}

async fn freeze(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(id): Path<String>,
    Asked { body: Nothing {}, repeat }: Asked<Nothing>,
) -> Result<Json<Value>, Problem> {
    let command = OfWallet::Freeze { wallet: wallet_id(&id)?, by: Asker::Desk(desk.0) };
    let request = repeat.by(&service, desk.actor());
    changed(&service.submit(desk.actor(), Some(request), Command::Wallet(command)).await?)
}

async fn unfreeze(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(id): Path<String>,
    Asked { body: Nothing {}, repeat }: Asked<Nothing>,
) -> Result<Json<Value>, Problem> {
    let command = OfWallet::Unfreeze { wallet: wallet_id(&id)?, by: Asker::Desk(desk.0) };
    let request = repeat.by(&service, desk.actor());
    changed(&service.submit(desk.actor(), Some(request), Command::Wallet(command)).await?)
}

fn changed(receipt: &Receipt) -> Result<Json<Value>, Problem> {
    match receipt {
        Receipt::Wallet { id, status } => Ok(Json(json!({ "id": id.to_string(), "status": status }))),
        _ => Err(Problem::internal()),
    }
}
