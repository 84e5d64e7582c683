//! Vouchers: the desk makes codes that a seller hands out for cash. A code is shown once; a repeat says so. Beyond what people make
//! alone on a date a code is worth nothing until another person agrees. What got about, or was never handed out, one person takes
//! back.

use super::people::{Because, Desk, Person, Role};
use crate::api::ids;
use crate::asked::Asked;
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
use wallet::voucher::{self, Status};
use wallet::{Command, Noun, Receipt, Row, VoucherId, table};
use web::{Json, Problem, chance};

/// Digits of a code: 53 bits, which nobody finds by trying.
const CODE_DIGITS: u32 = 16;
/// The longest that a voucher may be good, in days.
const DAYS_MAX: i64 = 366;
const DAY_MS: i64 = 86_400_000;

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(issue)).routes(routes!(show)).routes(routes!(approve)).routes(routes!(cancel))
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
    /// `issued`; `proposed` until another person agrees.
    status: &'static str,
    /// What its buyer types in; it is shown once.
    code: String,
    /// What it is worth, in yen.
    #[schema(value_type = i64)]
    amount: Yen,
    /// Until when it is good.
    expires_at: String,
}

/// A voucher as the desk sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = DeskVoucher)]
pub struct Shown {
    /// Its id.
    id: String,
    /// `proposed`, `issued`, `redeemed`, `cancelled`.
    status: &'static str,
    /// What it is worth, in yen.
    #[schema(value_type = i64)]
    amount: Yen,
    /// Until when it is good.
    expires_at: String,
    /// Who proposed it, where it takes two.
    proposed_by: Option<Person>,
    /// When.
    proposed_at: Option<String>,
}

/// Make a voucher.
///
/// 202 where people of the desk have made alone what they may on one date: its code is worth nothing until another person
/// agrees, within a day.
#[utoipa::path(post, path = "/desk/v1/vouchers", tag = "vouchers", request_body = Issue,
    params(("Idempotency-Key" = String, Header)), security(("desk" = [])),
    responses((status = 201, body = Issued), (status = 202, body = Issued)))]
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
    let command = Command::Voucher(voucher::Command::Issue { voucher, amount, expires, by: Some(desk.id) });
    let answer = service.ask(desk.actor(), Some(request), command).await?;
    let receipt = answer.reply.map_err(|refusal| refusals::problem(&refusal))?;
    let Receipt::Voucher { id, status, .. } = receipt else { return Err(Problem::internal()) };
    if answer.repeated {
        return Err(shown_once(id));
    }
    let issued = Issued {
        id: id.to_string(),
        status: status.name(),
        code: code.expose().clone(),
        amount,
        expires_at: expires.to_string(),
    };
    let made = if status == Status::Proposed { StatusCode::ACCEPTED } else { StatusCode::CREATED };
    Ok((made, Json(issued)))
}

/// See a voucher, without its code.
#[utoipa::path(get, path = "/desk/v1/vouchers/{voucher}", tag = "vouchers", params(("voucher" = String, Path)),
    security(("desk" = [])), responses((status = 200, body = Shown)))]
async fn show(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(voucher): Path<String>,
) -> Result<Json<Shown>, Problem> {
    desk.check_any()?;
    service.shown_voucher(ids::parse(&voucher, Noun::Voucher)?).await
}

/// Agree to a voucher that another person proposed: its code is good from then on.
#[utoipa::path(post, path = "/desk/v1/vouchers/{voucher}/approval", tag = "vouchers", request_body = Because,
    params(("voucher" = String, Path), ("Idempotency-Key" = String, Header)), security(("desk" = [])),
    responses((status = 200, body = Shown)))]
async fn approve(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(voucher): Path<String>,
    Asked { body, repeat }: Asked<Because>,
) -> Result<Json<Shown>, Problem> {
    desk.check(Role::Approver)?;
    let voucher: VoucherId = ids::parse(&voucher, Noun::Voucher)?;
    let command = Command::Voucher(voucher::Command::Approve { voucher, by: desk.id });
    service.submit_for(desk, &body.reason, &repeat, command).await?;
    service.shown_voucher(voucher).await
}

/// Take a voucher back that nobody has redeemed: its code is worth nothing from then on.
#[utoipa::path(post, path = "/desk/v1/vouchers/{voucher}/cancel", tag = "vouchers", request_body = Because,
    params(("voucher" = String, Path), ("Idempotency-Key" = String, Header)), security(("desk" = [])),
    responses((status = 200, body = Shown)))]
async fn cancel(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(voucher): Path<String>,
    Asked { body, repeat }: Asked<Because>,
) -> Result<Json<Shown>, Problem> {
    if desk.check(Role::Risk).is_err() {
        desk.check(Role::Sales)?;
    }
    let voucher: VoucherId = ids::parse(&voucher, Noun::Voucher)?;
    let command = Command::Voucher(voucher::Command::Cancel { voucher });
    service.submit_for(desk, &body.reason, &repeat, command).await?;
    service.shown_voucher(voucher).await
}

impl Service {
    async fn shown_voucher(&self, id: VoucherId) -> Result<Json<Shown>, Problem> {
        match self.row(Key::new(table::VOUCHER, id.0)).await?.as_deref() {
            Some(Row::Voucher(row)) => Ok(Json(Shown {
                id: id.to_string(),
                status: row.status.name(),
                amount: row.amount,
                expires_at: row.expires.to_string(),
                proposed_by: row.proposal.map(|proposal| self.person(proposal.by)),
                proposed_at: row.proposal.map(|proposal| proposal.at.to_string()),
            })),
            Some(_) | None => Err(ids::unknown(Noun::Voucher)),
        }
    }
}

fn shown_once(voucher: VoucherId) -> Problem {
    refusals::shown_once("It is made already; its code is shown once.", "作成済みです。コードは一度だけ表示されます。")
        .detail("POST /desk/v1/vouchers/{voucher}/cancel takes it back; a new Idempotency-Key makes another one.")
        .with("id", voucher.to_string())
}
