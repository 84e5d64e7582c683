//! Vouchers: a code from a convenience store becomes money that can be spent.

use crate::api::ids;
use crate::asked::Asked;
use crate::entrance::Holder;
use crate::refusals;
use crate::service::Service;
use axum::extract::{Path, State};
use domain::Key;
use http::StatusCode;
use ledger::Yen;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::voucher;
use wallet::{Command, Noun, Receipt, Row, VoucherId, WalletId, table};
use web::{Json, Problem};

/// What a code's hash is for.
const PURPOSE: &str = "voucher";

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(redeem)).routes(routes!(get))
}

/// A voucher that is to be redeemed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Redeem {
    /// The code, as it is printed.
    code: String,
    /// The proof that was asked for, where one was.
    challenge_id: Option<String>,
}

/// A voucher.
#[derive(Serialize, ToSchema)]
pub struct Voucher {
    /// Its id.
    id: String,
    /// `redeemed`.
    status: &'static str,
    /// What it is worth, in yen.
    #[schema(value_type = i64)]
    amount: Yen,
}

/// Redeem a voucher into the wallet.
#[utoipa::path(post, path = "/v1/wallets/{wallet}/vouchers", tag = "vouchers", request_body = Redeem,
    params(("wallet" = String, Path), ("Idempotency-Key" = String, Header)), security(("holder" = [])),
    responses((status = 201, body = Voucher)))]
async fn redeem(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path(wallet): Path<String>,
    Asked { body, repeat }: Asked<Redeem>,
) -> Result<(StatusCode, Json<Voucher>), Problem> {
    let wallet: WalletId = ids::parse(&wallet, Noun::Wallet)?;
    // Codes are guessed for money: every try is counted, the right ones too.
    service.count_look_up(caller.id)?;
    let voucher = service.voucher_id(&body.code);
    let (holder, origin) = (caller.id, Some(caller.origin));
    let command = |proof| Command::Voucher(voucher::Command::Redeem { voucher, wallet, holder, origin, proof });
    let answer = service
        .submit_provable(&caller, repeat.by(&service, caller.actor()), body.challenge_id.as_deref(), false, command)
        .await?;
    let receipt = answer.reply.map_err(|refusal| refusals::problem(&refusal))?;
    let Receipt::Voucher { id, status, amount } = receipt else { return Err(Problem::internal()) };
    Ok((StatusCode::CREATED, Json(Voucher { id: id.to_string(), status: status.name(), amount })))
}

/// See a voucher that was redeemed into the wallet.
#[utoipa::path(get, path = "/v1/wallets/{wallet}/vouchers/{voucher}", tag = "vouchers",
    params(("wallet" = String, Path), ("voucher" = String, Path)), security(("holder" = [])),
    responses((status = 200, body = Voucher)))]
async fn get(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path((wallet, id)): Path<(String, String)>,
) -> Result<Json<Voucher>, Problem> {
    let wallet: WalletId = ids::parse(&wallet, Noun::Wallet)?;
    let id: VoucherId = ids::parse(&id, Noun::Voucher)?;
    service.wallet_of(wallet, caller.id).await?;
    match service.row(Key::new(table::VOUCHER, id.0)).await?.as_deref() {
        Some(Row::Voucher(row)) if row.wallet == Some(wallet) => {
            Ok(Json(Voucher { id: id.to_string(), status: row.status.name(), amount: row.amount }))
        }
        Some(_) | None => Err(ids::unknown(Noun::Voucher)),
    }
}

impl Service {
    /// The id of the voucher with this code: capital or small, with or without spaces and hyphens.
    pub fn voucher_id(&self, code: &str) -> VoucherId {
        let code: String = code.chars().filter(|character| !matches!(character, ' ' | '-' | '\u{3000}')).collect();
        VoucherId(self.keys.secret(PURPOSE, &code.to_ascii_uppercase()))
    }
}
