//! Wallets as the desk sees them: what is in one and how it stands, never whose in words. Freezing one, and lifting that.

use super::people::{Because, Desk, Role};
use crate::api::wallet_id;
use crate::asked::Asked;
use crate::refusals;
use crate::service::Service;
use axum::extract::{Path, State};
use domain::Key;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::wallet::{Asker, Command as OfWallet};
use wallet::{Command, Noun, Receipt, Refusal, Row, table};
use web::{Json, Problem};

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(show)).routes(routes!(freeze)).routes(routes!(unfreeze))
}

/// A wallet as the desk sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = DeskWallet)]
pub struct Shown {
    /// Its id.
    id: String,
    /// Whose.
    holder_id: String,
    /// Who that is, once identified.
    person_id: Option<String>,
    /// `open`, `frozen`, `closed`.
    status: &'static str,
    /// How far the holder's identity is proven.
    tier: &'static str,
    /// What is in it, in yen.
    balances: Balances,
    /// What its holder owes, in yen.
    owed: i64,
    /// When it was opened.
    opened_at: String,
}

/// What is in a wallet, in yen.
#[derive(Serialize, ToSchema)]
#[schema(as = DeskBalances)]
pub struct Balances {
    /// Can be sent and paid out.
    funds: i64,
    /// Can only be spent.
    prepaid: i64,
    /// Points.
    bonus: i64,
    /// What holds take out of them.
    held: i64,
    /// What cases keep from leaving, of what is in it.
    kept: i64,
}

/// A wallet's status.
#[derive(Serialize, ToSchema)]
#[schema(as = WalletChanged)]
pub struct Changed {
    /// Its id.
    id: String,
    /// `open` or `frozen`.
    status: String,
}

/// See a wallet.
#[utoipa::path(get, path = "/desk/v1/wallets/{wallet}", tag = "wallets", params(("wallet" = String, Path)),
    security(("desk" = [])), responses((status = 200, body = Shown)))]
async fn show(State(service): State<Arc<Service>>, desk: Desk, Path(id): Path<String>) -> Result<Json<Shown>, Problem> {
    desk.check_any()?;
    let id = wallet_id(&id)?;
    let row = service.row(Key::new(table::WALLET, id.0)).await?;
    let Some(Row::Wallet(wallet)) = row.as_deref() else {
        return Err(refusals::problem(&Refusal::Unknown { noun: Noun::Wallet }));
    };
    Ok(Json(Shown {
        id: id.to_string(),
        holder_id: wallet.holder.to_string(),
        person_id: wallet.person.map(|person| person.to_string()),
        status: wallet.status(),
        tier: wallet.tier.name(),
        balances: Balances {
            funds: wallet.funds.account.available().amount(),
            prepaid: wallet.prepaid.account.available().amount(),
            bonus: wallet.bonus.account.available().amount(),
            held: wallet.held().amount(),
            kept: wallet.blocked().amount(),
        },
        owed: wallet.owed().amount(),
        opened_at: wallet.traits.opened.to_string(),
    }))
}

/// Freeze a wallet: no money leaves it until the desk lifts that.
#[utoipa::path(post, path = "/desk/v1/wallets/{wallet}/freeze", tag = "wallets", request_body = Because,
    params(("wallet" = String, Path), ("Idempotency-Key" = String, Header)), security(("desk" = [])),
    responses((status = 200, body = Changed)))]
async fn freeze(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(id): Path<String>,
    Asked { body, repeat }: Asked<Because>,
) -> Result<Json<Changed>, Problem> {
    desk.check(Role::Risk)?;
    let command = OfWallet::Freeze { wallet: wallet_id(&id)?, by: Asker::Desk(desk.id) };
    changed(&service.submit_for(desk, &body.reason, &repeat, Command::Wallet(command)).await?)
}

/// Lift the desk's freeze.
#[utoipa::path(post, path = "/desk/v1/wallets/{wallet}/unfreeze", tag = "wallets", request_body = Because,
    params(("wallet" = String, Path), ("Idempotency-Key" = String, Header)), security(("desk" = [])),
    responses((status = 200, body = Changed)))]
async fn unfreeze(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(id): Path<String>,
    Asked { body, repeat }: Asked<Because>,
) -> Result<Json<Changed>, Problem> {
    desk.check(Role::Risk)?;
    let command = OfWallet::Unfreeze { wallet: wallet_id(&id)?, by: Asker::Desk(desk.id) };
    changed(&service.submit_for(desk, &body.reason, &repeat, Command::Wallet(command)).await?)
}

fn changed(receipt: &Receipt) -> Result<Json<Changed>, Problem> {
    match receipt {
        Receipt::Wallet { id, status } => Ok(Json(Changed { id: id.to_string(), status: status.clone() })),
        _ => Err(Problem::internal()),
    }
}
