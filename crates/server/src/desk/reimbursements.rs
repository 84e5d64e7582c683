//! Reimbursements at the desk: what was debited from the account of a case that was upheld goes back there.
//!
//! One person proposes how much of one debit, another approves it: never the same. What the case keeps in wallets pays first,
//! the operator the rest; the bank is asked at once, and its answer comes with the due work.

use super::people::{Because, Desk, Person, Reason, Role};
use crate::api::ids;
use crate::asked::{Asked, Repeat};
use crate::query::{self, Page, Query, Which};
use crate::service::Service;
use crate::work::ReimbursementProposed;
use axum::extract::{Path, State};
use http::StatusCode;
use ledger::Yen;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::reimbursement::{Command as OfReimbursement, Reimbursement, Status, Taken};
use wallet::{Command, Noun, OPERATOR, Receipt, ReimbursementId};
use web::{Json, Problem};

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(list, propose))
        .routes(routes!(show))
        .routes(routes!(approve))
        .routes(routes!(refuse))
}

/// What somebody of the desk proposes.
#[derive(Deserialize, ToSchema)]
#[schema(as = ReimbursementPropose)]
#[serde(deny_unknown_fields)]
pub struct Propose {
    /// The case, which two people have found to be so.
    case_id: String,
    /// The debit of the case's account.
    top_up_id: String,
    /// How much of it, in yen: at most what it still lacks.
    #[schema(value_type = i64, minimum = 1)]
    amount: Yen,
    /// That it goes back although the account's true holder had confirmed the link that debited it. Without this word nothing of
    /// such a link is proposed; why it goes back all the same, says the reason.
    #[serde(default)]
    although_confirmed: bool,
    /// Why.
    reason: Reason,
}

/// A reimbursement.
#[derive(Serialize, ToSchema)]
#[schema(as = DeskReimbursement)]
#[expect(clippy::struct_excessive_bools, reason = "what the desk reads of it, one by one")]
pub struct Shown {
    /// Its id, by which the bank is asked.
    id: String,
    /// `proposed`, `refused`, `pending`: the bank is asked, `in_doubt`, `done`: the account has it, `failed`: it stands ready for
    /// another one.
    status: &'static str,
    /// Of which case.
    case_id: String,
    /// Of which debit.
    top_up_id: String,
    /// To which account.
    bank_account_id: String,
    /// At which bank.
    bank_code: String,
    /// How much, in yen: restitution, what stood ready and expense add up to it, once it is approved; where a bank found that it
    /// had paid after all, the expense may be more by what another one had used since.
    amount: i64,
    /// What the case kept in wallets and pays, in yen.
    restitution: i64,
    /// What stood ready from others of the debit that failed, in yen.
    parked: i64,
    /// What the operator pays, in yen.
    expense: i64,
    /// What was taken out of which wallet.
    taken: Vec<ShownTaken>,
    /// Whether whoever proposed it knew that the account's true holder had confirmed the link, if they had.
    although_confirmed: bool,
    /// Who proposed it.
    proposed_by: Person,
    /// When.
    proposed_at: String,
    /// Who approved or refused it.
    decided_by: Option<Person>,
    /// When.
    decided_at: Option<String>,
    /// Whether the bank said something against what is on record.
    contradicted: bool,
    /// Whether the bank still knew nothing of it after its cut-off: two people may say that it failed.
    absent: bool,
    /// Whether the account has it by another way than its bank, as two people said.
    otherwise: bool,
}

/// What was taken out of a wallet.
#[derive(Serialize, ToSchema)]
#[schema(as = ReimbursementTaken)]
pub struct ShownTaken {
    /// Which.
    wallet_id: String,
    /// How much, in yen.
    amount: i64,
}

/// Reimbursements, the last proposed first.
#[utoipa::path(get, path = "/desk/v1/reimbursements", tag = "cases", params(Which), security(("desk" = [])),
    responses((status = 200, body = Page<Shown>)))]
async fn list(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Query(which): Query<Which>,
) -> Result<Json<Page<Shown>>, Problem> {
    desk.check_any()?;
    service.make_work().await?;
    let limit = query::limit(which.limit)?;
    let before = which.place(&service.keys, "reimbursements")?;
    let (rows, next) = service.work.newest::<ReimbursementProposed>(OPERATOR, before, limit)?;
    let mut data = Vec::new();
    for row in rows {
        data.push(service.shown_reimbursement(&service.reimbursement(row.reimbursement).await?));
    }
    Ok(Json(Page { data, next_cursor: next.map(|next| query::cursor(&service.keys, "reimbursements", &next.0)) }))
}

/// See a reimbursement.
#[utoipa::path(get, path = "/desk/v1/reimbursements/{reimbursement}", tag = "cases",
    params(("reimbursement" = String, Path)), security(("desk" = [])), responses((status = 200, body = Shown)))]
async fn show(State(service): State<Arc<Service>>, desk: Desk, Path(id): Path<String>) -> Result<Json<Shown>, Problem> {
    desk.check_any()?;
    let row = service.reimbursement(parse(&id)?).await?;
    Ok(Json(service.shown_reimbursement(&row)))
}

/// Propose to reimburse so much of one debit of a case. Another person approves it.
#[utoipa::path(post, path = "/desk/v1/reimbursements", tag = "cases", request_body = Propose,
    params(("Idempotency-Key" = String, Header)), security(("desk" = [])), responses((status = 202, body = Shown)))]
async fn propose(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Asked { body, repeat }: Asked<Propose>,
) -> Result<(StatusCode, Json<Shown>), Problem> {
    desk.check(Role::Risk)?;
    let reimbursement = ReimbursementId(service.id());
    let (case, top_up) = (ids::parse(&body.case_id, Noun::Case)?, ids::parse(&body.top_up_id, Noun::TopUp)?);
    let Propose { amount, although_confirmed, reason, .. } = body;
    let command = OfReimbursement::Propose { reimbursement, case, top_up, amount, although_confirmed, by: desk.id };
    said(&service, desk, &reason, &repeat, command).await
}

/// Approve what another person proposed: the money stands ready at once, and its bank is asked.
#[utoipa::path(post, path = "/desk/v1/reimbursements/{reimbursement}/approve", tag = "cases", request_body = Because,
    params(("reimbursement" = String, Path), ("Idempotency-Key" = String, Header)), security(("desk" = [])),
    responses((status = 200, body = Shown), (status = 202, body = Shown)))]
async fn approve(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(id): Path<String>,
    Asked { body, repeat }: Asked<Because>,
) -> Result<(StatusCode, Json<Shown>), Problem> {
    desk.check(Role::Approver)?;
    let reimbursement = parse(&id)?;
    let case = service.reimbursement(reimbursement).await?.credit.case;
    let command = OfReimbursement::Approve { reimbursement, case, by: desk.id };
    said(&service, desk, &body.reason, &repeat, command).await
}

/// Refuse what was proposed, or take it back.
#[utoipa::path(post, path = "/desk/v1/reimbursements/{reimbursement}/refuse", tag = "cases", request_body = Because,
    params(("reimbursement" = String, Path), ("Idempotency-Key" = String, Header)), security(("desk" = [])),
    responses((status = 200, body = Shown)))]
async fn refuse(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(id): Path<String>,
    Asked { body, repeat }: Asked<Because>,
) -> Result<(StatusCode, Json<Shown>), Problem> {
    if desk.check(Role::Approver).is_err() {
        desk.check(Role::Risk)?;
    }
    let command = OfReimbursement::Refuse { reimbursement: parse(&id)?, by: desk.id };
    said(&service, desk, &body.reason, &repeat, command).await
}

fn parse(id: &str) -> Result<ReimbursementId, Problem> {
    ids::parse(id, Noun::Reimbursement)
}

/// What somebody of the desk says, and the reimbursement as it is then: accepted as long as something is still to be done.
async fn said(
    service: &Service,
    desk: Desk,
    reason: &Reason,
    repeat: &Repeat,
    command: OfReimbursement,
) -> Result<(StatusCode, Json<Shown>), Problem> {
    let receipt = service.submit_for(desk, reason, repeat, Command::Reimbursement(command)).await?;
    let Receipt::Reimbursement { id, .. } = receipt else { return Err(Problem::internal()) };
    let row = service.reimbursement(id).await?;
    let status = match row.status {
        Status::Proposed | Status::Pending | Status::InDoubt => StatusCode::ACCEPTED,
        Status::Refused | Status::Done | Status::Failed => StatusCode::OK,
    };
    Ok((status, Json(service.shown_reimbursement(&row))))
}

impl Service {
    fn shown_reimbursement(&self, row: &Reimbursement) -> Shown {
        let credit = &row.credit;
        let taken = |taken: &Taken| taken.piece.lot.amount;
        Shown {
            id: credit.reimbursement.to_string(),
            status: row.status.name(),
            case_id: credit.case.to_string(),
            top_up_id: credit.top_up.to_string(),
            bank_account_id: credit.bank_account.to_string(),
            bank_code: credit.bank.to_string(),
            amount: credit.amount.amount(),
            restitution: Yen::checked_sum(row.taken.iter().map(taken)).unwrap_or(Yen::MAX).amount(),
            parked: row.parked.amount(),
            expense: row.expense.amount(),
            taken: row
                .taken
                .iter()
                .map(|each| ShownTaken { wallet_id: each.wallet.to_string(), amount: taken(each).amount() })
                .collect(),
            although_confirmed: row.although_confirmed,
            proposed_by: self.person(row.proposed_by),
            proposed_at: row.proposed.to_string(),
            decided_by: row.decided.map(|(by, _)| self.person(by)),
            decided_at: row.decided.map(|(_, at)| at.to_string()),
            contradicted: row.is_flagged(),
            absent: row.absent,
            otherwise: row.otherwise,
        }
    }
}
