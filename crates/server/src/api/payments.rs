//! Payments as the holder makes them: a code for the shop to scan, or a shop that the holder scanned.
//!
//! A code is computed from the request that asked for it, so that a repeat shows the same one and none is stored.

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
use wallet::payment::{self, Authorise, Payer};
use wallet::{Command, Noun, PaymentCodeId, PaymentId, Receipt, Row, ShopId, WalletId, table};
use web::{Json, Problem};

/// How long a code is good, in milliseconds; the policy may say less.
const CODE_MS: i64 = 5 * 60 * 1_000;
/// One more than the largest code: 20 digits, 66 bits.
const CODES: u128 = 100_000_000_000_000_000_000;
/// What a code's hash is for.
const PURPOSE: &str = "payment code";

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(issue_code)).routes(routes!(pay)).routes(routes!(get))
}

/// A code is asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueCode {
    /// The proof that was asked for, where one was.
    challenge_id: Option<String>,
}

/// A code for the shop to scan.
#[derive(Serialize, ToSchema)]
pub struct PaymentCode {
    /// Twenty digits: good for one payment.
    code: String,
    /// Until when.
    expires_at: String,
}

/// A payment to a shop that the holder scanned.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pay {
    /// Who is paid.
    shop_id: String,
    /// How many yen.
    #[schema(value_type = i64, minimum = 1)]
    amount: Yen,
    /// The proof that was asked for, where one was.
    challenge_id: Option<String>,
}

/// A payment as its holder sees it.
#[derive(Serialize, ToSchema)]
pub struct Payment {
    /// Its id.
    id: String,
    /// `authorised`, `captured`, `voided`, `expired`.
    status: &'static str,
    /// Who is paid.
    shop_id: String,
    /// What was authorised, in yen.
    #[schema(value_type = i64)]
    amount: Yen,
    /// What the shop took of it.
    #[schema(value_type = i64)]
    captured: Yen,
    /// What the shop gave back of that.
    #[schema(value_type = i64)]
    refunded: Yen,
    /// When it was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_at: Option<String>,
}

/// Make a code for a shop to scan: single use, good for five minutes.
#[utoipa::path(post, path = "/v1/wallets/{wallet}/payment-codes", tag = "payments", request_body = IssueCode,
    params(("wallet" = String, Path), ("Idempotency-Key" = String, Header)), security(("holder" = [])),
    responses((status = 201, body = PaymentCode)))]
async fn issue_code(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path(wallet): Path<String>,
    Asked { body, repeat }: Asked<IssueCode>,
) -> Result<(StatusCode, Json<PaymentCode>), Problem> {
    let wallet: WalletId = ids::parse(&wallet, Noun::Wallet)?;
    let request = repeat.by(&service, caller.actor());
    let (code, challenge) = (service.payment_code(request), body.challenge_id.as_deref());
    let (id, holder) = (service.payment_code_id(&code), caller.id);
    service.count_payment_code(holder)?;
    let command = payment::Command::IssueCode { code: id, wallet, holder, lifetime_ms: CODE_MS };
    if service.is_new_device(&caller)? {
        // A repeat as well: the answer is money's worth, and whoever repeats it may be another.
        service.wallet_of(wallet, holder).await?;
        service.proof_of(&caller, request, challenge, true)?;
    }
    let answer = service.submit_provable(&caller, request, challenge, false, |_| Command::Payment(command)).await?;
    let receipt = answer.reply.map_err(|refusal| refusals::problem(&refusal))?;
    let Receipt::PaymentCode { expires, .. } = receipt else { return Err(Problem::internal()) };
    Ok((StatusCode::CREATED, Json(PaymentCode { code, expires_at: expires.to_string() })))
}

/// Pay a shop.
#[utoipa::path(post, path = "/v1/wallets/{wallet}/payments", tag = "payments", request_body = Pay,
    params(("wallet" = String, Path), ("Idempotency-Key" = String, Header)), security(("holder" = [])),
    responses((status = 201, body = Payment)))]
async fn pay(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path(wallet): Path<String>,
    Asked { body, repeat }: Asked<Pay>,
) -> Result<(StatusCode, Json<Payment>), Problem> {
    let wallet: WalletId = ids::parse(&wallet, Noun::Wallet)?;
    let shop: ShopId = ids::parse(&body.shop_id, Noun::Shop)?;
    let command = |proof| {
        Command::Payment(payment::Command::Authorise(Authorise {
            payment: PaymentId(service.id()),
            payer: Payer::Holder(wallet, caller.id),
            shop,
            amount: body.amount,
            capture: true,
            reference: None,
            origin: Some(caller.origin),
            proof,
        }))
    };
    let (request, is_new) = (repeat.by(&service, caller.actor()), service.is_new_device(&caller)?);
    if is_new {
        // Looked at before a proof is asked for: nobody proves themselves for another's wallet.
        service.wallet_of(wallet, caller.id).await?;
    }
    let answer = service.submit_provable(&caller, request, body.challenge_id.as_deref(), is_new, command).await?;
    let receipt = answer.reply.map_err(|refusal| refusals::problem(&refusal))?;
    let Receipt::Payment { id, status, amount, captured, refunded } = receipt else {
        return Err(Problem::internal());
    };
    let (id, status, shop_id) = (id.to_string(), status.name(), body.shop_id);
    Ok((StatusCode::CREATED, Json(Payment { id, status, shop_id, amount, captured, refunded, accepted_at: None })))
}

/// See a payment.
#[utoipa::path(get, path = "/v1/wallets/{wallet}/payments/{payment}", tag = "payments",
    params(("wallet" = String, Path), ("payment" = String, Path)), security(("holder" = [])),
    responses((status = 200, body = Payment)))]
async fn get(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path((wallet, id)): Path<(String, String)>,
) -> Result<Json<Payment>, Problem> {
    let wallet: WalletId = ids::parse(&wallet, Noun::Wallet)?;
    let id: PaymentId = ids::parse(&id, Noun::Payment)?;
    service.wallet_of(wallet, caller.id).await?;
    let row = service.payment(id).await?.filter(|payment| payment.wallet == wallet);
    let row = row.ok_or_else(|| ids::unknown(Noun::Payment))?;
    Ok(Json(Payment {
        id: id.to_string(),
        status: row.status.name(),
        shop_id: row.shop.to_string(),
        amount: row.amount,
        captured: row.captured,
        refunded: row.refunded,
        accepted_at: Some(row.accepted.to_string()),
    }))
}

impl Service {
    /// The payment `id`, whosever it is.
    pub async fn payment(&self, id: PaymentId) -> Result<Option<payment::Payment>, Problem> {
        match self.row(Key::new(table::PAYMENT, id.0)).await?.as_deref() {
            Some(Row::Payment(payment)) => Ok(Some(payment.clone())),
            Some(_) | None => Ok(None),
        }
    }

    /// The code that `request` asked for.
    fn payment_code(&self, request: engine::Request) -> String {
        let drawn = self.keys.secret("payment code text", &domain::Id(request.key).to_string());
        format!("{:020}", drawn.number() % CODES)
    }

    /// The id under which a code is kept.
    pub fn payment_code_id(&self, code: &str) -> PaymentCodeId {
        let digits: String = code.chars().filter(|character| !matches!(character, ' ' | '-')).collect();
        PaymentCodeId(self.keys.secret(PURPOSE, &digits))
    }
}
