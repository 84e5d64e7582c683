//! Vouchers: the desk makes codes that a seller hands out for cash. A code is shown once; a repeat says so.

use crate::asked::Asked;
use crate::entrance::Desk;
use crate::refusals;
use crate::service::Service;
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use http::StatusCode;
use ledger::Yen;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use wallet::{Command, voucher};
use web::{Json, Problem, chance};

/// Digits of a code: 53 bits, which nobody finds by trying.
const CODE_DIGITS: u32 = 16;
/// The longest that a voucher may be good, in days.
const DAYS_MAX: i64 = 366;
const DAY_MS: i64 = 86_400_000;

/// The paths of this room.
pub fn router() -> Router<Arc<Service>> {
    Router::new().route("/desk/v1/vouchers", post(issue))
}

/// A voucher that is made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issue {
    amount: Yen,
    /// How many days it is good.
    days: i64,
}

/// A voucher with its code.
#[derive(Serialize)]
pub struct Issued {
    id: String,
    code: String,
    amount: Yen,
    expires_at: String,
}

async fn issue(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Asked { body, repeat }: Asked<Issue>,
) -> Result<(StatusCode, Json<Issued>), Problem> {
    if !(1..=DAYS_MAX).contains(&body.days) {
        return Err(Problem::malformed("A voucher is good for 1 to 366 days.").with("member", "days"));
    }
    let code = chance::code(service.outside.chance.as_ref(), CODE_DIGITS);
    let (voucher, amount) = (service.voucher_id(code.expose()), body.amount);
    let expires = service.now().plus_milliseconds(body.days * DAY_MS);
    let request = repeat.by(&service, desk.actor());
    let command = Command::Voucher(voucher::Command::Issue { voucher, amount, expires });
    let answer = service.ask(desk.actor(), Some(request), command).await?;
    answer.reply.map_err(|refusal| refusals::problem(&refusal))?;
    if answer.repeated {
        return Err(refusals::new(409, "shown-before", "The code was shown once.", "コードは一度だけ表示されます。")
            .detail("Make another voucher with a new Idempotency-Key; this one can be cancelled."));
    }
    let issued =
        Issued { id: voucher.to_string(), code: code.expose().clone(), amount, expires_at: expires.to_string() };
    Ok((StatusCode::CREATED, Json(issued)))
}
