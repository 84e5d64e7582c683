//! Traces: where the money of a top-up, or of a case's account, is now, and through whose wallets it went.

use super::people::Desk;
use crate::refusals;
use crate::service::Service;
use crate::trace::{Hop, Part, Traced, Where};
use axum::extract::{Path, State};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::{CaseId, Noun, Refusal, TopUpId};
use web::{Json, Problem};

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Where money is now.
#[derive(Serialize, ToSchema)]
#[schema(as = DeskTrace)]
pub struct Shown {
    /// The top-up or the case.
    id: String,
    /// How much came, in yen.
    amount: i64,
    /// What none of the parts accounts for, in yen: nothing, where `complete` is true.
    unexplained: i64,
    /// Whether all of it was followed to where it is.
    complete: bool,
    /// Where it is: the parts add up to the amount.
    parts: Vec<ShownPart>,
    /// Through which sends it went, the oldest first.
    sends: Vec<ShownHop>,
}

/// A part of the money.
#[derive(Serialize, ToSchema)]
#[schema(as = TracePart)]
pub struct ShownPart {
    /// `purse`, `send_held`, `authorised`, `shop`, `payout_open`, `bank_account`, `taken_back` by the bank, `debts` that it
    /// paid, `suspense`, `restitution` that stands ready for its account, or `restored` to it.
    place: &'static str,
    /// In, or out of, which wallet.
    wallet_id: String,
    /// By which movement, where one took it out of the purse.
    movement_id: Option<String>,
    /// Which shop has it, or will.
    shop_id: Option<String>,
    /// Which bank account has it, or will.
    bank_account_id: Option<String>,
    /// How much, in yen.
    amount: i64,
}

/// A send that a part of the money went through.
#[derive(Serialize, ToSchema)]
#[schema(as = TraceHop)]
pub struct ShownHop {
    /// Which.
    id: String,
    /// From whom.
    from_wallet_id: String,
    /// To whom.
    to_wallet_id: String,
    /// How much of it is traced, in yen: there may be other money in it.
    amount: i64,
}

/// Follow the money of a top-up, or all that came from a case's account, to where it is now.
#[utoipa::path(get, path = "/desk/v1/traces/{subject}", tag = "cases", params(("subject" = String, Path)),
    security(("desk" = [])), responses((status = 200, body = Shown)))]
async fn show(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(subject): Path<String>,
) -> Result<Json<Shown>, Problem> {
    desk.check_any()?;
    let roots = match (subject.parse::<TopUpId>(), subject.parse::<CaseId>()) {
        (Ok(top_up), _) => service.root_of(top_up).await?.into_iter().collect(),
        (_, Ok(case)) => service.roots_of(service.case(case).await?.about).await?,
        (Err(_), Err(_)) => return Err(refusals::problem(&Refusal::Unknown { noun: Noun::Case })),
    };
    Ok(Json(shown(subject, &service.trace(&roots).await?)))
}

fn shown(id: String, traced: &Traced) -> Shown {
    Shown {
        id,
        amount: traced.amount.amount(),
        unexplained: traced.unexplained().amount(),
        complete: traced.is_complete,
        parts: traced.parts.iter().map(shown_part).collect(),
        sends: traced.hops.iter().map(shown_hop).collect(),
    }
}

fn shown_part(part: &Part) -> ShownPart {
    let (place, movement_id, shop_id, bank_account_id) = match part.place {
        Where::Purse => ("purse", None, None, None),
        Where::SendHeld(id) => ("send_held", Some(id.to_string()), None, None),
        Where::Authorised(id, shop) => ("authorised", Some(id.to_string()), Some(shop), None),
        Where::Shop(id, shop) => ("shop", Some(id.to_string()), Some(shop), None),
        Where::PayoutOpen(id, account) => ("payout_open", Some(id.to_string()), None, Some(account)),
        Where::BankAccount(id, account) => ("bank_account", Some(id.to_string()), None, Some(account)),
        Where::TakenBack(id) => ("taken_back", Some(id.to_string()), None, None),
        Where::Restitution(id, account) => ("restitution", Some(id.to_string()), None, Some(account)),
        Where::Restored(id, account) => ("restored", Some(id.to_string()), None, Some(account)),
        Where::Debts => ("debts", None, None, None),
        Where::Suspense => ("suspense", None, None, None),
    };
    ShownPart {
        place,
        wallet_id: part.wallet.to_string(),
        movement_id,
        shop_id: shop_id.map(|shop| shop.to_string()),
        bank_account_id: bank_account_id.map(|account| account.to_string()),
        amount: part.amount.amount(),
    }
}

fn shown_hop(hop: &Hop) -> ShownHop {
    ShownHop {
        id: hop.send.to_string(),
        from_wallet_id: hop.from.to_string(),
        to_wallet_id: hop.to.to_string(),
        amount: hop.amount.amount(),
    }
}
