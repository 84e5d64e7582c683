//! Top-ups: money into a wallet from a linked bank account. The books first, then the bank, then the answer: for as long as
//! the caller may be made to wait, and no longer.

use crate::api::holders::Nothing;
use crate::api::ids;
use crate::api::wallets::parse_id;
use crate::asked::Asked;
use crate::entrance::Holder;
use crate::refusals;
use crate::service::Service;
use axum::extract::{Path, State};
use http::StatusCode;
use ledger::Yen;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::top_up::{self, Request, Status, TopUp};
use wallet::{Command, MandateId, Noun, Receipt, Refusal, TopUpId};
use web::{Json, Problem};

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(ask)).routes(routes!(show)).routes(routes!(cancel))
}

/// A top-up that is asked for.
#[derive(Deserialize, ToSchema)]
#[schema(as = TopUpAsk)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    mandate_id: String,
    #[schema(value_type = i64)]
    amount: Yen,
    challenge_id: Option<String>,
}

/// A top-up.
#[derive(Serialize, ToSchema)]
#[schema(as = TopUpShown)]
pub struct Shown {
    id: String,
    status: &'static str,
    #[schema(value_type = i64)]
    amount: Yen,
    mandate_id: String,
    bank_code: String,
    cancel_wished: bool,
    accepted_at: String,
}

/// Top up from a linked bank account.
#[utoipa::path(post, path = "/v1/wallets/{wallet}/top-ups", tag = "top-ups", request_body = Ask,
    params(("wallet" = String, Path), ("Idempotency-Key" = String, Header)), security(("holder" = [])),
    responses((status = 201, body = Shown), (status = 202, body = Shown)))]
async fn ask(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path(wallet): Path<String>,
    Asked { body, repeat }: Asked<Ask>,
) -> Result<(StatusCode, Json<Shown>), Problem> {
    let wallet = parse_id(&wallet)?;
    let unknown = || refusals::problem(&Refusal::Unknown { noun: Noun::Mandate });
    let mandate: MandateId = body.mandate_id.parse().map_err(|_| unknown())?;
    let (top_up, amount) = (TopUpId(service.id()), body.amount);
    let command = |proof| {
        let origin = Some(caller.origin);
        let request = Request { top_up, wallet, holder: caller.id, mandate, amount, origin, proof };
        Command::TopUp(top_up::Command::Request(request))
    };
    let request = repeat.by(&service, caller.actor());
    let takes_proof = service.is_new_device(&caller)? && service.policy().await?.top_up.new_device_takes_proof;
    if takes_proof {
        // What is another's is not there, before anybody is asked for a proof.
        service.wallet_of(wallet, caller.id).await?;
    }
    service.check_bank_answers(&caller, mandate, request).await?;
    let challenge = body.challenge_id.as_deref();
    let answer = service.submit_provable(&caller, request, challenge, takes_proof, command).await?;
    let Receipt::TopUp { id, status, .. } = answer.reply.map_err(|refusal| refusals::problem(&refusal))? else {
        return Err(Problem::internal());
    };
    if status == Status::Pending && !answer.repeated {
        service.ask_first(id).await?;
    }
    present(&service, id).await
}

/// See a top-up.
#[utoipa::path(get, path = "/v1/wallets/{wallet}/top-ups/{top_up}", tag = "top-ups",
    params(("wallet" = String, Path), ("top_up" = String, Path)), security(("holder" = [])),
    responses((status = 200, body = Shown)))]
async fn show(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path((wallet, top_up)): Path<(String, String)>,
) -> Result<Json<Shown>, Problem> {
    let (_, row) = own(&service, &caller, &wallet, &top_up).await?;
    Ok(Json(shown(&row)))
}

/// Wish that a top-up were not.
#[utoipa::path(post, path = "/v1/wallets/{wallet}/top-ups/{top_up}/cancel", tag = "top-ups", request_body = Nothing,
    params(("wallet" = String, Path), ("top_up" = String, Path), ("Idempotency-Key" = String, Header)), security(("holder" = [])),
    responses((status = 201, body = Shown), (status = 202, body = Shown)))]
async fn cancel(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path((wallet, top_up)): Path<(String, String)>,
    Asked { body: Nothing {}, repeat }: Asked<Nothing>,
) -> Result<(StatusCode, Json<Shown>), Problem> {
    let (id, _) = own(&service, &caller, &wallet, &top_up).await?;
    let request = repeat.by(&service, caller.actor());
    let command = Command::TopUp(top_up::Command::Cancel { top_up: id, holder: caller.id });
    service.submit(caller.actor(), Some(request), command).await?;
    present(&service, id).await
}

/// The top-up, if it is of this wallet and the wallet is the caller's.
async fn own(service: &Service, caller: &Holder, wallet: &str, top_up: &str) -> Result<(TopUpId, TopUp), Problem> {
    let unknown = || refusals::problem(&Refusal::Unknown { noun: Noun::TopUp });
    let wallet = parse_id(wallet)?;
    let id: TopUpId = top_up.parse().map_err(|_| unknown())?;
    service.wallet_of(wallet, caller.id).await?;
    let row = service.top_up(id).await?;
    if row.debit.wallet == wallet { Ok((id, row)) } else { Err(unknown()) }
}

/// The top-up as it stands.
async fn present(service: &Service, id: TopUpId) -> Result<(StatusCode, Json<Shown>), Problem> {
    let row = service.top_up(id).await?;
    Ok((ids::code_of(!row.status.is_open()), Json(shown(&row))))
}

fn shown(row: &TopUp) -> Shown {
    Shown {
        id: row.debit.top_up.to_string(),
        status: row.status.name(),
        amount: row.debit.amount,
        mandate_id: row.mandate.to_string(),
        bank_code: row.debit.bank.to_string(),
        cancel_wished: row.cancel_wished.is_some(),
        accepted_at: row.debit.accepted.to_string(),
    }
}
