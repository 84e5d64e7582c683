//! Payouts: money out of a wallet to a bank account of the same person. Takes a second proof.

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
use wallet::payout::{self, Request, Status};
use wallet::{BankAccountId, Command, Noun, PayoutId, Receipt, Row, WalletId, table};
use web::{Json, Problem};

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(ask)).routes(routes!(get)).routes(routes!(cancel))
}

/// A payout that is asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskPayout {
    /// To which of the holder's bank accounts.
    bank_account_id: String,
    /// How many yen.
    #[schema(value_type = i64, minimum = 1)]
    amount: Yen,
    /// The proof that was asked for.
    challenge_id: Option<String>,
}

/// Nothing more is said.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelPayout {}

/// A payout.
#[derive(Serialize, ToSchema)]
pub struct Payout {
    /// Its id.
    id: String,
    /// `held`, `pending`, `in_doubt`, `settled`, `declined`, `cancelled`, `returned`.
    status: &'static str,
    /// How much, in yen.
    #[schema(value_type = i64)]
    amount: Yen,
    /// To which account.
    bank_account_id: String,
    /// When it was accepted.
    accepted_at: String,
    /// When the holder wished to cancel it.
    cancel_wished_at: Option<String>,
}

/// Pay money out to a bank account. Takes a second proof.
#[utoipa::path(post, path = "/v1/wallets/{wallet}/payouts", tag = "payouts", request_body = AskPayout,
    params(("wallet" = String, Path), ("Idempotency-Key" = String, Header)), security(("holder" = [])),
    responses((status = 201, description = "final", body = Payout),
        (status = 202, description = "the bank has not answered yet", body = Payout)))]
async fn ask(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path(wallet): Path<String>,
    Asked { body, repeat }: Asked<AskPayout>,
) -> Result<(StatusCode, Json<Payout>), Problem> {
    let wallet: WalletId = ids::parse(&wallet, Noun::Wallet)?;
    let bank_account: BankAccountId = ids::parse(&body.bank_account_id, Noun::BankAccount)?;
    let (amount, holder) = (body.amount, caller.id);
    // Looked at before a proof is asked for: nobody proves themselves for another's wallet.
    service.wallet_of(wallet, holder).await?;
    let command = |proof| {
        let (payout, origin) = (PayoutId(service.id()), Some(caller.origin));
        let request = Request { payout, wallet, holder, bank_account, amount, origin, proof };
        Command::Payout(payout::Command::Request(request))
    };
    let request = repeat.by(&service, caller.actor());
    let answer = service.submit_provable(&caller, request, body.challenge_id.as_deref(), true, command).await?;
    let receipt = answer.reply.map_err(|refusal| refusals::problem(&refusal))?;
    let Receipt::Payout { id, status, .. } = receipt else { return Err(Problem::internal()) };
    if status == Status::Pending && !answer.repeated {
        service.ask_payout_first(id).await?;
    }
    presented(&service, wallet, id).await
}

/// See a payout.
#[utoipa::path(get, path = "/v1/wallets/{wallet}/payouts/{payout}", tag = "payouts",
    params(("wallet" = String, Path), ("payout" = String, Path)), security(("holder" = [])),
    responses((status = 200, body = Payout)))]
async fn get(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path((wallet, id)): Path<(String, String)>,
) -> Result<Json<Payout>, Problem> {
    let wallet: WalletId = ids::parse(&wallet, Noun::Wallet)?;
    let id: PayoutId = ids::parse(&id, Noun::Payout)?;
    service.wallet_of(wallet, caller.id).await?;
    Ok(Json(of_row(id, &service.payout_of(wallet, id).await?)))
}

/// Wish that a payout were not made. One that the bank has paid stays paid.
#[utoipa::path(post, path = "/v1/wallets/{wallet}/payouts/{payout}/cancel", tag = "payouts", request_body = CancelPayout,
    params(("wallet" = String, Path), ("payout" = String, Path), ("Idempotency-Key" = String, Header)),
    security(("holder" = [])),
    responses((status = 201, description = "final", body = Payout),
        (status = 202, description = "the bank has not answered yet", body = Payout)))]
async fn cancel(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path((wallet, id)): Path<(String, String)>,
    Asked { body: CancelPayout {}, repeat }: Asked<CancelPayout>,
) -> Result<(StatusCode, Json<Payout>), Problem> {
    let wallet: WalletId = ids::parse(&wallet, Noun::Wallet)?;
    let id: PayoutId = ids::parse(&id, Noun::Payout)?;
    service.wallet_of(wallet, caller.id).await?;
    service.payout_of(wallet, id).await?;
    let command = Command::Payout(payout::Command::Cancel { payout: id, holder: caller.id });
    service.submit(caller.actor(), Some(repeat.by(&service, caller.actor())), command).await?;
    presented(&service, wallet, id).await
}

async fn presented(service: &Service, wallet: WalletId, id: PayoutId) -> Result<(StatusCode, Json<Payout>), Problem> {
    let row = service.payout_of(wallet, id).await?;
    Ok((ids::code_of(!row.status.is_open()), Json(of_row(id, &row))))
}

fn of_row(id: PayoutId, row: &payout::Payout) -> Payout {
    Payout {
        id: id.to_string(),
        status: row.status.name(),
        amount: row.credit.amount,
        bank_account_id: row.credit.bank_account.to_string(),
        accepted_at: row.credit.accepted.to_string(),
        cancel_wished_at: row.cancel_wished.map(|at| at.to_string()),
    }
}

impl Service {
    /// The first try at a bank, while the caller waits: not at a bank that is known not to answer.
    pub async fn ask_payout_first(&self, id: PayoutId) -> Result<(), Problem> {
        let (bank, now) = (self.payout(id).await?.credit.bank, self.now());
        if self.breakers.pause(bank, now).is_none() {
            let asked = self.ask_payout(id, self.options.bank_wait_ms).await?;
            self.breakers.heard(Some(bank), asked, now);
        }
        Ok(())
    }

    /// The payout `id` out of `wallet`.
    async fn payout_of(&self, wallet: WalletId, id: PayoutId) -> Result<payout::Payout, Problem> {
        match self.row(Key::new(table::PAYOUT, id.0)).await?.as_deref() {
            Some(Row::Payout(row)) if row.credit.wallet == wallet => Ok((**row).clone()),
            Some(_) | None => Err(ids::unknown(Noun::Payout)),
        }
    }
}
