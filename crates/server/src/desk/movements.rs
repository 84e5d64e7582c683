//! What waits for the desk: movements that the guard holds, mandates whose names are only close, and what a bank contradicted.
//!
//! One person decides what is held; a contradiction takes two: one proposes, another approves the very same.

use crate::asked::Asked;
use crate::entrance::Desk;
use crate::service::Service;
use crate::work::{Due, Task};
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use domain::Id;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use wallet::bank_answer::Resolution;
use wallet::{Command, GiveBackId, MandateId, PayoutId, Receipt, SendId, TopUpId, mandate, payout, send, top_up};
use web::{Json, Problem};

/// Rows of one list.
const LIST_MAX: usize = 1_000;

/// The paths of this room.
pub fn router() -> Router<Arc<Service>> {
    Router::new()
        .route("/desk/v1/held", get(held))
        .route("/desk/v1/movements/{movement}/decision", post(decide))
        .route("/desk/v1/movements/{movement}/resolution", post(resolve))
}

/// What the desk says of something that is held.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decide {
    release: bool,
}

/// How a contradiction is settled.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    resolution: Word,
    /// Whether this agrees to what another person proposed.
    approve: bool,
}

/// [`Resolution`] as the API writes it.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// The bank did what it was asked for.
    Settle,
    /// The bank moved nothing.
    Decline,
    /// What the bank moved goes back.
    Return,
    /// What is on record stands.
    Keep,
    /// What was to go back is there already.
    AlreadyReturned,
}

impl From<Word> for Resolution {
    fn from(word: Word) -> Self {
        match word {
            Word::Settle => Self::Settle,
            Word::Decline => Self::Decline,
            Word::Return => Self::Return,
            Word::Keep => Self::Keep,
            Word::AlreadyReturned => Self::AlreadyReturned,
        }
    }
}

/// What an id in a path names.
enum Movement {
    TopUp(TopUpId),
    Payout(PayoutId),
    Send(SendId),
    Mandate(MandateId),
}

impl Movement {
    fn parse(text: &str) -> Result<Self, Problem> {
        let top_up = text.parse().map(Self::TopUp).ok();
        let payout = text.parse().map(Self::Payout).ok();
        let send = text.parse().map(Self::Send).ok();
        let mandate = text.parse().map(Self::Mandate).ok();
        top_up.or(payout).or(send).or(mandate).ok_or_else(Problem::not_found)
    }
}

async fn held(State(service): State<Arc<Service>>, _: Desk) -> Result<Json<Value>, Problem> {
    let mut data = Vec::new();
    for due in service.work.all::<Due>(Id::default(), LIST_MAX)? {
        let row = match due.task {
            Task::ReviewTopUp => {
                let row = service.top_up(TopUpId(due.about)).await?;
                json!({ "id": row.debit.top_up.to_string(), "kind": "top_up", "amount": row.debit.amount,
                    "wallet_id": row.debit.wallet.to_string(), "reason": row.review.map(|review| review.reason) })
            }
            Task::ReviewPayout => {
                let row = service.payout(PayoutId(due.about)).await?;
                json!({ "id": row.credit.payout.to_string(), "kind": "payout", "amount": row.credit.amount,
                    "wallet_id": row.credit.wallet.to_string(), "reason": row.review.map(|review| review.reason) })
            }
            Task::ReviewSend => json!({ "id": SendId(due.about).to_string(), "kind": "send" }),
            Task::Mandate => {
                let row = service.mandate(MandateId(due.about)).await?;
                if row.status != mandate::Status::InReview {
                    continue;
                }
                json!({ "id": MandateId(due.about).to_string(), "kind": "mandate",
                    "wallet_id": row.wallet.to_string(), "bank_code": row.bank.to_string() })
            }
            Task::TopUp | Task::Payout | Task::GiveBack | Task::EndMandate | Task::Authorisation => continue,
        };
        let mut row = row;
        row["deadline"] = due.when.to_string().into();
        data.push(row);
    }
    Ok(Json(json!({ "data": data, "next_cursor": null })))
}

async fn decide(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(movement): Path<String>,
    Asked { body, repeat }: Asked<Decide>,
) -> Result<Json<Value>, Problem> {
    let (release, by) = (body.release, desk.0);
    let command = match Movement::parse(&movement)? {
        Movement::TopUp(top_up) => Command::TopUp(top_up::Command::DecideHeld { top_up, release, by }),
        Movement::Payout(payout) => Command::Payout(payout::Command::DecideHeld { payout, release, by }),
        Movement::Send(send) => Command::Send(send::Command::DecideHeld { send, release, by }),
        Movement::Mandate(mandate) => {
            let grant = service.mandate(mandate).await?.grant.ok_or_else(Problem::not_found)?;
            let bank_account = grant.bank_account;
            Command::Mandate(mandate::Command::Decide { mandate, bank_account, accept: release, by })
        }
    };
    let request = repeat.by(&service, desk.actor());
    present(&movement, &service.submit(desk.actor(), Some(request), command).await?)
}

async fn resolve(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(movement): Path<String>,
    Asked { body, repeat }: Asked<Resolve>,
) -> Result<Json<Value>, Problem> {
    let (resolution, by) = (Resolution::from(body.resolution), desk.0);
    let command = match (Movement::parse(&movement)?, body.approve) {
        (Movement::TopUp(top_up), false) => Command::TopUp(top_up::Command::Propose { top_up, resolution, by }),
        (Movement::TopUp(top_up), true) => {
            let give_back = GiveBackId(service.id());
            Command::TopUp(top_up::Command::Approve { top_up, resolution, by, give_back })
        }
        (Movement::Payout(payout), false) => Command::Payout(payout::Command::Propose { payout, resolution, by }),
        (Movement::Payout(payout), true) => Command::Payout(payout::Command::Approve { payout, resolution, by }),
        (Movement::Send(_) | Movement::Mandate(_), _) => return Err(Problem::not_found()),
    };
    let request = repeat.by(&service, desk.actor());
    present(&movement, &service.submit(desk.actor(), Some(request), command).await?)
}

fn present(movement: &str, receipt: &Receipt) -> Result<Json<Value>, Problem> {
    let status = match receipt {
        Receipt::TopUp { status, .. } => status.name(),
        Receipt::Payout { status, .. } => status.name(),
        Receipt::Send { status, .. } => status.name(),
        Receipt::Mandate { status, .. } => status.name(),
        _ => return Err(Problem::internal()),
    };
    Ok(Json(json!({ "id": movement, "status": status })))
}
