//! What the desk does about movements, mandates and debts that wait for it.
//!
//! One person decides what is held, and has a give-back that failed tried again; a contradiction and a write-off take two: one
//! proposes, another approves the very same.

use super::people::{Because, Desk, Reason, Role};
use crate::api::wallet_id;
use crate::asked::Asked;
use crate::service::Service;
use axum::extract::{Path, State};
use ledger::Yen;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::bank_answer::Resolution;
use wallet::wallet::Command as OfWallet;
use wallet::{
    Command, GiveBackId, MandateId, PayoutId, Receipt, ReimbursementId, SendId, TopUpId, mandate, payout,
    reimbursement, send, top_up,
};
use web::{Json, Problem};

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(decide))
        .routes(routes!(resolve))
        .routes(routes!(give_back))
        .routes(routes!(write_off))
}

/// What the desk says of something that is held.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Decide {
    /// Whether it goes on; otherwise it ends.
    release: bool,
    /// Why.
    reason: Reason,
}

/// How a contradiction is settled.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    /// How.
    resolution: Word,
    /// Whether this agrees to what another person proposed.
    approve: bool,
    /// Why.
    reason: Reason,
}

/// [`Resolution`] as the API writes it.
#[derive(Clone, Copy, Deserialize, ToSchema)]
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

/// What is written off.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteOff {
    /// All that is owed, in yen.
    #[schema(value_type = i64, minimum = 1)]
    amount: Yen,
    /// Whether this agrees to what another person proposed.
    approve: bool,
    /// Why.
    reason: Reason,
}

/// What came of it.
#[derive(Serialize, ToSchema)]
pub struct Done {
    /// Its id.
    id: String,
    /// How far it is now.
    status: String,
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
    Reimbursement(ReimbursementId),
}

impl Movement {
    fn parse(text: &str) -> Result<Self, Problem> {
        let top_up = text.parse().map(Self::TopUp).ok();
        let payout = text.parse().map(Self::Payout).ok();
        let send = text.parse().map(Self::Send).ok();
        let mandate = text.parse().map(Self::Mandate).ok();
        let reimbursement = text.parse().map(Self::Reimbursement).ok();
        top_up.or(payout).or(send).or(mandate).or(reimbursement).ok_or_else(Problem::not_found)
    }
}

/// Who may do what takes two: one role proposes, another approves.
const fn role(approve: bool) -> Role {
    if approve { Role::Approver } else { Role::Risk }
}

/// Decide something that is held: a movement, or a mandate whose names are only nearly the same.
#[utoipa::path(post, path = "/desk/v1/movements/{movement}/decision", tag = "movements", request_body = Decide,
    params(("movement" = String, Path), ("Idempotency-Key" = String, Header)), security(("desk" = [])),
    responses((status = 200, body = Done)))]
async fn decide(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(movement): Path<String>,
    Asked { body, repeat }: Asked<Decide>,
) -> Result<Json<Done>, Problem> {
    desk.check(Role::Risk)?;
    let (release, by) = (body.release, desk.id);
    let command = match Movement::parse(&movement)? {
        Movement::TopUp(top_up) => Command::TopUp(top_up::Command::DecideHeld { top_up, release, by }),
        Movement::Payout(payout) => Command::Payout(payout::Command::DecideHeld { payout, release, by }),
        Movement::Send(send) => Command::Send(send::Command::DecideHeld { send, release, by }),
        Movement::Mandate(mandate) => {
            let grant = service.mandate(mandate).await?.grant.ok_or_else(Problem::not_found)?;
            let bank_account = grant.bank_account;
            Command::Mandate(mandate::Command::Decide { mandate, bank_account, accept: release, by })
        }
        // It is approved or refused under its own path.
        Movement::Reimbursement(_) => return Err(Problem::not_found()),
    };
    done(&movement, &service.submit_for(desk, &body.reason, &repeat, command).await?)
}

/// Settle what a bank said against what is on record, or end a give-back or a reimbursement that no bank ever knew (`decline`), or that
/// none could make and the account has by another way (`settle`): one person proposes, another approves the same.
#[utoipa::path(post, path = "/desk/v1/movements/{movement}/resolution", tag = "movements", request_body = Resolve,
    params(("movement" = String, Path), ("Idempotency-Key" = String, Header)), security(("desk" = [])),
    responses((status = 200, body = Done)))]
async fn resolve(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(movement): Path<String>,
    Asked { body, repeat }: Asked<Resolve>,
) -> Result<Json<Done>, Problem> {
    desk.check(role(body.approve))?;
    let (resolution, by) = (Resolution::from(body.resolution), desk.id);
    let command = match (Movement::parse(&movement)?, body.approve) {
        (Movement::TopUp(top_up), false) => Command::TopUp(top_up::Command::Propose { top_up, resolution, by }),
        (Movement::TopUp(top_up), true) => {
            let give_back = GiveBackId(service.id());
            Command::TopUp(top_up::Command::Approve { top_up, resolution, by, give_back })
        }
        (Movement::Payout(payout), false) => Command::Payout(payout::Command::Propose { payout, resolution, by }),
        (Movement::Payout(payout), true) => Command::Payout(payout::Command::Approve { payout, resolution, by }),
        (Movement::Reimbursement(reimbursement), false) => {
            Command::Reimbursement(reimbursement::Command::ProposeResolution { reimbursement, resolution, by })
        }
        (Movement::Reimbursement(reimbursement), true) => {
            Command::Reimbursement(reimbursement::Command::ApproveResolution { reimbursement, resolution, by })
        }
        (Movement::Send(_) | Movement::Mandate(_), _) => return Err(Problem::not_found()),
    };
    done(&movement, &service.submit_for(desk, &body.reason, &repeat, command).await?)
}

/// Have a give-back tried again that the bank could not make: what kept it from doing so is cleared.
#[utoipa::path(post, path = "/desk/v1/movements/{movement}/give-back", tag = "movements", request_body = Because,
    params(("movement" = String, Path), ("Idempotency-Key" = String, Header)), security(("desk" = [])),
    responses((status = 200, body = Done)))]
async fn give_back(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(movement): Path<String>,
    Asked { body, repeat }: Asked<Because>,
) -> Result<Json<Done>, Problem> {
    desk.check(Role::Risk)?;
    let top_up: TopUpId = movement.parse().map_err(|_| Problem::not_found())?;
    let give_back = GiveBackId(service.id());
    let command = Command::TopUp(top_up::Command::RetryGiveBack { top_up, give_back, by: desk.id });
    done(&movement, &service.submit_for(desk, &body.reason, &repeat, command).await?)
}

/// Write off all that a holder owes: one person proposes, another approves the same sum.
#[utoipa::path(post, path = "/desk/v1/wallets/{wallet}/write-off", tag = "wallets", request_body = WriteOff,
    params(("wallet" = String, Path), ("Idempotency-Key" = String, Header)), security(("desk" = [])),
    responses((status = 200, body = Done)))]
async fn write_off(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(id): Path<String>,
    Asked { body, repeat }: Asked<WriteOff>,
) -> Result<Json<Done>, Problem> {
    desk.check(role(body.approve))?;
    let (wallet, amount, by) = (wallet_id(&id)?, body.amount, desk.id);
    let command = if body.approve {
        OfWallet::ApproveWriteOff { wallet, amount, by }
    } else {
        OfWallet::ProposeWriteOff { wallet, amount, by }
    };
    done(&id, &service.submit_for(desk, &body.reason, &repeat, Command::Wallet(command)).await?)
}

fn done(id: &str, receipt: &Receipt) -> Result<Json<Done>, Problem> {
    let status = match receipt {
        Receipt::TopUp { status, .. } => status.name(),
        Receipt::Payout { status, .. } => status.name(),
        Receipt::Send { status, .. } => status.name(),
        Receipt::Mandate { status, .. } => status.name(),
        Receipt::Wallet { status, .. } => status,
        Receipt::Reimbursement { status, .. } => status.name(),
        Receipt::Holder { .. }
        | Receipt::Shop { .. }
        | Receipt::Payment { .. }
        | Receipt::PaymentCode { .. }
        | Receipt::Refund { .. }
        | Receipt::Voucher { .. }
        | Receipt::Bonus { .. }
        | Receipt::Switch { .. }
        | Receipt::Case { .. } => return Err(Problem::internal()),
    };
    Ok(Json(Done { id: id.to_owned(), status: status.to_owned() }))
}
