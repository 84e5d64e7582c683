//! What waits for the desk: movements that the guard holds, names to compare, what a bank contradicted or does not answer,
//! give-backs that failed, debts to write off. Oldest first, page by page, each as it is in the books now.

use super::people::{Desk, Person};
use crate::doors::DOORS_LISTED_MAX;
use crate::query::{self, Page, Query, Which};
use crate::refusals;
use crate::service::Service;
use crate::work::{Due, Noun, Waiting};
use axum::extract::{Path, State};
use domain::{Id, Key, Time};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::bank_answer::{Claim, Claims, Proposal};
use wallet::{BankCode, MandateId, PayoutId, ReimbursementId, Row, SendId, TopUpId, WalletId, payout, table, top_up};
use web::{Json, Problem};

/// Pages of rows that one request looks at.
const PARTS_MAX: usize = 4;

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(held)).routes(routes!(in_doubt)).routes(routes!(show))
}

/// Something that the desk sees.
#[derive(Default, Serialize, ToSchema)]
pub struct Held {
    /// Its id.
    id: String,
    /// `top_up`, `payout`, `send`, `mandate`, `wallet`, `reimbursement`.
    kind: &'static str,
    /// How far it is.
    status: String,
    /// Why it waits: `held`, `in_review`, `contradicted`, `mismatched`, `give_back_failed`, `unanswered`,
    /// `write_off_proposed`, `reimbursement_proposed`, `reimbursement_failed`. Nothing where it does not wait.
    reasons: Vec<&'static str>,
    /// Since when it waits.
    since: Option<String>,
    /// Until when somebody must decide, where it ends by itself then.
    deadline: Option<String>,
    /// What it is about, in yen.
    amount: Option<i64>,
    /// Whose wallet.
    wallet_id: Option<String>,
    /// At which bank.
    bank_code: Option<String>,
    /// The guard's reason.
    guard_reason: Option<u16>,
    /// What the bank moved instead, in yen.
    mismatch: Option<i64>,
    /// What the bank says against what is on record.
    claims: Vec<ShownClaim>,
    /// What one person proposed.
    proposal: Option<ShownProposal>,
    /// Money on its way back to its account.
    give_back: Option<ShownGiveBack>,
    /// How often the bank was asked without a final answer, and when it is asked next.
    attempts: Option<u32>,
    /// When the bank is asked next.
    next_attempt_at: Option<String>,
}

/// What a bank says against what is on record.
#[derive(Serialize, ToSchema)]
pub struct ShownClaim {
    /// `moved`, `not_moved`, `taken_back`, `came_back`.
    claim: &'static str,
    /// How much, in yen.
    amount: Option<i64>,
}

/// What one person proposed.
#[derive(Serialize, ToSchema)]
pub struct ShownProposal {
    /// How to settle it.
    resolution: &'static str,
    /// Who says so.
    by: Person,
}

/// Money on its way back.
#[derive(Serialize, ToSchema)]
pub struct ShownGiveBack {
    /// Its id, by which the bank is asked.
    id: String,
    /// How much, in yen.
    amount: i64,
    /// `pending`, `done`, `failed`, `taken_back`.
    status: &'static str,
    /// How often it was tried in vain before.
    failed_before: usize,
    /// Whether the bank still knew nothing of it after its cut-off: two people may say that it failed.
    absent: bool,
    /// Whether the account has it by another way than its bank, as two people said.
    otherwise: bool,
}

/// What waits for the desk.
#[utoipa::path(get, path = "/desk/v1/held", tag = "movements", params(Which), security(("desk" = [])),
    responses((status = 200, body = Page<Held>)))]
async fn held(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Query(which): Query<Which>,
) -> Result<Json<Page<Held>>, Problem> {
    desk.check_any()?;
    service.make_work().await?;
    let limit = query::limit(which.limit)?;
    let mut after = which.place(&service.keys, "held")?.unwrap_or_default();
    let mut data = Vec::new();
    for _ in 0..PARTS_MAX {
        let wanted = limit - data.len();
        let rows: Vec<Waiting> = service.work.all(after, wanted)?;
        for row in &rows {
            after = row.about;
            if let Some(held) = service.held(row).await? {
                data.push(held);
            }
        }
        if rows.len() < wanted {
            return Ok(Json(Page { data, next_cursor: None }));
        }
        if data.len() == limit {
            break;
        }
    }
    let next_cursor = Some(query::cursor(&service.keys, "held", &after.0));
    Ok(Json(Page { data, next_cursor }))
}

/// Movements that a bank was asked for and has not finally answered, with those that are on their way back.
#[utoipa::path(get, path = "/desk/v1/in-doubt", tag = "movements", params(Which), security(("desk" = [])),
    responses((status = 200, body = Page<Held>)))]
async fn in_doubt(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Query(which): Query<Which>,
) -> Result<Json<Page<Held>>, Problem> {
    desk.check_any()?;
    let limit = query::limit(which.limit)?;
    let mut after = which.place(&service.keys, "in doubt")?.unwrap_or_default();
    let mut data = Vec::new();
    for _ in 0..PARTS_MAX {
        let rows: Vec<Due> = service.work.all(after, DOORS_LISTED_MAX)?;
        for due in &rows {
            if data.len() == limit {
                let next_cursor = Some(query::cursor(&service.keys, "in doubt", &after.0));
                return Ok(Json(Page { data, next_cursor }));
            }
            after = due.about;
            if let Some(noun) = due.asks_about() {
                data.extend(service.shown(due.about, noun).await?);
            }
        }
        if rows.len() < DOORS_LISTED_MAX {
            return Ok(Json(Page { data, next_cursor: None }));
        }
    }
    let next_cursor = Some(query::cursor(&service.keys, "in doubt", &after.0));
    Ok(Json(Page { data, next_cursor }))
}

/// One movement or mandate, whether it waits or not.
#[utoipa::path(get, path = "/desk/v1/movements/{movement}", tag = "movements", params(("movement" = String, Path)),
    security(("desk" = [])), responses((status = 200, body = Held)))]
async fn show(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(movement): Path<String>,
) -> Result<Json<Held>, Problem> {
    desk.check_any()?;
    let top_up = movement.parse::<TopUpId>().map(|id| (id.0, Noun::TopUp)).ok();
    let payout = movement.parse::<PayoutId>().map(|id| (id.0, Noun::Payout)).ok();
    let send = movement.parse::<SendId>().map(|id| (id.0, Noun::Send)).ok();
    let mandate = movement.parse::<MandateId>().map(|id| (id.0, Noun::Mandate)).ok();
    let reimbursement = movement.parse::<ReimbursementId>().map(|id| (id.0, Noun::Reimbursement)).ok();
    let found = top_up.or(payout).or(send).or(mandate).or(reimbursement);
    let (about, noun) = found.ok_or_else(Problem::not_found)?;
    service.shown(about, noun).await?.map(Json).ok_or_else(Problem::not_found)
}

impl Service {
    /// What waits there, if it still does.
    async fn held(&self, row: &Waiting) -> Result<Option<Held>, Problem> {
        let reasons = self.reasons(row).await?;
        if reasons.is_empty() {
            self.waits_no_more(row)?;
            return Ok(None);
        }
        let shown = self.shown(row.about, row.noun).await?;
        let reasons = reasons.into_iter().map(crate::work::Reason::name).collect();
        Ok(shown.map(|shown| Held { reasons, since: Some(row.since.to_string()), ..shown }))
    }

    /// A thing as the desk sees it, if it is in the books.
    async fn shown(&self, about: Id, noun: Noun) -> Result<Option<Held>, Problem> {
        let table = match noun {
            Noun::TopUp => table::TOP_UP,
            Noun::Payout => table::PAYOUT,
            Noun::Send => table::SEND,
            Noun::Mandate => table::MANDATE,
            Noun::Wallet => table::WALLET,
            Noun::Reimbursement => table::REIMBURSEMENT,
        };
        let row = self.row(Key::new(table, about)).await?;
        let mut held = match row.as_deref() {
            Some(Row::TopUp(row)) => self.of_top_up(row),
            Some(Row::Payout(row)) => self.of_payout(row),
            Some(Row::Send(row)) => Held {
                id: SendId(about).to_string(),
                status: row.status.name().into(),
                amount: Some(row.amount.amount()),
                wallet_id: Some(row.from.to_string()),
                ..Held::default()
            },
            Some(Row::Mandate(row)) => Held {
                id: MandateId(about).to_string(),
                status: row.status.name().into(),
                deadline: Some(row.deadline.to_string()),
                guard_reason: row.review,
                ..of(row.wallet, Some(row.bank))
            },
            Some(Row::Wallet(row)) => {
                let proposed = row.ties.as_ref().and_then(|ties| ties.write_off);
                let proposal = |by| ShownProposal { resolution: "write_off", by: self.person(by) };
                Held {
                    id: WalletId(about).to_string(),
                    status: row.status().into(),
                    amount: Some(row.owed().amount()),
                    proposal: proposed.map(|proposed| proposal(proposed.by)),
                    ..of(WalletId(about), None)
                }
            }
            Some(Row::Reimbursement(row)) => Held {
                id: row.credit.reimbursement.to_string(),
                status: row.status.name().into(),
                amount: Some(row.credit.amount.amount()),
                bank_code: Some(row.credit.bank.to_string()),
                claims: claims(&row.claims),
                proposal: self.proposal(row.proposal),
                ..Held::default()
            },
            Some(_) | None => return Ok(None),
        };
        held.kind = noun.name();
        if let Some(due) = self.work.get::<Due>(about)?.filter(Due::is_question) {
            (held.attempts, held.next_attempt_at) = (Some(due.attempts), Some(due.when.to_string()));
        }
        Ok(Some(held))
    }

    fn of_top_up(&self, row: &top_up::TopUp) -> Held {
        let is_held = row.status == top_up::Status::Held;
        Held {
            id: row.debit.top_up.to_string(),
            status: row.status.name().into(),
            deadline: deadline(row.review.filter(|_| is_held).map(|review| review.deadline)),
            amount: Some(row.debit.amount.amount()),
            guard_reason: row.review.map(|review| review.reason),
            mismatch: row.mismatch.map(ledger::Yen::amount),
            claims: claims(&row.claims),
            proposal: self.proposal(row.proposal),
            give_back: row.give_back.map(|given| ShownGiveBack {
                id: given.id.to_string(),
                amount: given.amount.amount(),
                status: given.status.name(),
                failed_before: row.give_backs_failed.len(),
                absent: given.absent,
                otherwise: given.otherwise,
            }),
            ..of(row.debit.wallet, Some(row.debit.bank))
        }
    }

    fn of_payout(&self, row: &payout::Payout) -> Held {
        let is_held = row.status == payout::Status::Held;
        Held {
            id: row.credit.payout.to_string(),
            status: row.status.name().into(),
            deadline: deadline(row.review.filter(|_| is_held).map(|review| review.deadline)),
            amount: Some(row.credit.amount.amount()),
            guard_reason: row.review.map(|review| review.reason),
            mismatch: row.mismatch.map(ledger::Yen::amount),
            claims: claims(&row.claims),
            proposal: self.proposal(row.proposal),
            ..of(row.credit.wallet, Some(row.credit.bank))
        }
    }

    fn proposal(&self, proposal: Option<Proposal>) -> Option<ShownProposal> {
        proposal.map(|proposal| ShownProposal { resolution: proposal.resolution.name(), by: self.person(proposal.by) })
    }
}

fn of(wallet: WalletId, bank: Option<BankCode>) -> Held {
    let (wallet_id, bank_code) = (Some(wallet.to_string()), bank.map(|bank| bank.to_string()));
    Held { wallet_id, bank_code, ..Held::default() }
}

fn deadline(at: Option<Time>) -> Option<String> {
    at.map(|at| at.to_string())
}

fn claims(claims: &Claims) -> Vec<ShownClaim> {
    let shown = |claim: &Claim| {
        let (claim, amount) = refusals::claim_parts(*claim);
        ShownClaim { claim, amount }
    };
    claims.iter().map(shown).collect()
}
