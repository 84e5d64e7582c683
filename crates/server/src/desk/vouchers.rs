//! Vouchers: the desk makes codes that a seller hands out for cash. A code is shown once; a repeat says so. What got about, or
//! was never handed out, one person takes back.

use super::people::{Because, Desk, Role};
use crate::api::ids;
use crate::asked::Asked;
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
use wallet::{Command, Noun, Receipt, VoucherId, voucher};
use web::{Json, Problem, chance};

/// Digits of a code: 53 bits, which nobody finds by trying.
const CODE_DIGITS: u32 = 16;
/// The longest that a voucher may be good, in days.
const DAYS_MAX: i64 = 366;
const DAY_MS: i64 = 86_400_000;

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(issue)).routes(routes!(cancel))
}

/// A voucher that is made.
#[derive(Deserialize, ToSchema)]
#[schema(as = VoucherIssue)]
#[serde(deny_unknown_fields)]
pub struct Issue {
    /// What it is worth, in yen.
    #[schema(value_type = i64, minimum = 1)]
    amount: Yen,
    /// How many days it is good, 1 to 366.
    days: i64,
}

/// A voucher with its code.
#[derive(Serialize, ToSchema)]
#[schema(as = VoucherIssued)]
pub struct Issued {
    /// Its id.
    id: String,
    /// What its buyer types in; it is shown once.
    code: String,
    /// What it is worth, in yen.
    #[schema(value_type = i64)]
    amount: Yen,
    /// Until when it is good.
    expires_at: String,
}

/// A voucher that was taken back.
#[derive(Serialize, ToSchema)]
#[schema(as = VoucherCancelled)]
pub struct Cancelled {
    /// Its id.
    id: String,
    /// `cancelled`.
    status: &'static str,
    /// What it was worth, in yen.
    #[schema(value_type = i64)]
    amount: Yen,
}

/// Make a voucher.
#[utoipa::path(post, path = "/desk/v1/vouchers", tag = "vouchers", request_body = Issue,
    params(("Idempotency-Key" = String, Header)), security(("desk" = [])),
    responses((status = 201, body = Issued)))]
async fn issue(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Asked { body, repeat }: Asked<Issue>,
) -> Result<(StatusCode, Json<Issued>), Problem> {
    desk.check(Role::Sales)?;
    if !(1..=DAYS_MAX).contains(&body.days) {
        return Err(Problem::malformed("A voucher is good for 1 to 366 days.").with("member", "days"));
    }
    let code = chance::code(service.outside.chance.as_ref(), CODE_DIGITS);
    let (voucher, amount) = (service.voucher_id(code.expose()), body.amount);
    let expires = service.now().plus_milliseconds(body.days * DAY_MS);
    let request = repeat.by(&service, desk.actor());
    let command = Command::Voucher(voucher::Command::Issue { voucher, amount, expires });
    let answer = service.ask(desk.actor(), Some(request), command).await?;
    let receipt = answer.reply.map_err(|refusal| refusals::problem(&refusal))?;
    let Receipt::Voucher { id, .. } = receipt else { return Err(Problem::internal()) };
    if answer.repeated {
        return Err(shown_once(id));
    }
    let issued = Issued { id: id.to_string(), code: code.expose().clone(), amount, expires_at: expires.to_string() };
    Ok((StatusCode::CREATED, Json(issued)))
}

/// Take a voucher back that nobody has redeemed: its code is worth nothing from then on.
#[utoipa::path(post, path = "/desk/v1/vouchers/{voucher}/cancel", tag = "vouchers", request_body = Because,
    params(("voucher" = String, Path), ("Idempotency-Key" = String, Header)), security(("desk" = [])),
    responses((status = 200, body = Cancelled)))]
async fn cancel(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(voucher): Path<String>,
    Asked { body, repeat }: Asked<Because>,
) -> Result<Json<Cancelled>, Problem> {
    if desk.check(Role::Risk).is_err() {
        desk.check(Role::Sales)?;
    }
    let voucher: VoucherId = ids::parse(&voucher, Noun::Voucher)?;
    let command = Command::Voucher(voucher::Command::Cancel { voucher });
    let Receipt::Voucher { id, status, amount } = service.submit_for(desk, &body.reason, &repeat, command).await?
    else {
        return Err(Problem::internal());
    };
    Ok(Json(Cancelled { id: id.to_string(), status: status.name(), amount }))
}

fn shown_once(voucher: VoucherId) -> Problem {
    refusals::shown_once("It is made already; its code is shown once.", "作成済みです。コードは一度だけ表示されます。")
        .detail("POST /desk/v1/vouchers/{voucher}/cancel takes it back; a new Idempotency-Key makes another one.")
        .with("id", voucher.to_string())
}
