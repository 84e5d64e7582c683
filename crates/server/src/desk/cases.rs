//! Cases at the desk: where money is kept because a bank account's holder said "not me", and how that ends.
//!
//! One person proposes what was found, another agrees. What was upheld stays kept until it goes back to whose it is; what was
//! unfounded is free. A wallet that was frozen with it stays frozen until the desk lifts that too.

use super::people::{Desk, Person, Reason, Role};
use crate::asked::Asked;
use crate::query::{self, Page, Query, Which};
use crate::refusals;
use crate::service::Service;
use crate::work::CaseOpened;
use axum::extract::{Path, State};
use domain::Key;
use ledger::Yen;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::case::{Case, Command as OfCase, Finding};
use wallet::{CaseId, Command, Noun, OPERATOR, Receipt, Refusal, Row, table};
use web::{Json, Problem};

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show)).routes(routes!(close))
}

/// A case.
#[derive(Serialize, ToSchema)]
#[schema(as = DeskCase)]
pub struct Listed {
    /// Its id.
    id: String,
    /// `open`, `closed`, or `joined`: it belongs to another one.
    status: &'static str,
    /// The account whose holder said "not me".
    bank_account_id: String,
    /// When.
    opened_at: String,
    /// In how many wallets money is kept.
    wallets: usize,
    /// What was caught in them when it was looked for, in yen.
    caught: i64,
    /// What one person found.
    proposal: Option<Proposed>,
    /// What was found in the end.
    closed: Option<Ended>,
}

/// What one person of the desk found.
#[derive(Serialize, ToSchema)]
#[schema(as = CaseProposed)]
pub struct Proposed {
    /// `unfounded` or `upheld`.
    finding: &'static str,
    /// Who.
    by: Person,
}

/// How a case ended.
#[derive(Serialize, ToSchema)]
#[schema(as = CaseEnded)]
pub struct Ended {
    /// `unfounded` or `upheld`.
    finding: &'static str,
    /// Who agreed.
    by: Person,
    /// When.
    at: String,
}

/// A case with the wallets in which money is kept.
#[derive(Serialize, ToSchema)]
#[schema(as = DeskCaseWhole)]
pub struct Whole {
    /// What the list shows.
    #[serde(flatten)]
    case: Listed,
    /// The mandates of the account.
    mandates: Vec<String>,
    /// Where money is kept.
    kept: Vec<Kept>,
}

/// A wallet in which a case keeps money.
#[derive(Serialize, ToSchema)]
#[schema(as = CaseKept)]
pub struct Kept {
    /// Which.
    wallet_id: String,
    /// `open`, `frozen`, `closed`.
    status: &'static str,
    /// Whether it linked the account itself; otherwise the money was sent to it.
    linked: bool,
    /// What was caught when it was looked for, in yen.
    caught: i64,
    /// What is kept there now, in yen: less once a bank takes money back, more once some comes back.
    now: i64,
}

/// How a case is to end.
#[derive(Deserialize, ToSchema)]
#[schema(as = CaseClose)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// What was found.
    finding: Word,
    /// Whether this agrees to what another person proposed.
    approve: bool,
    /// Why.
    reason: Reason,
}

/// [`Finding`] as the API writes it.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[schema(as = CaseFinding)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// The link was the account holder's own after all: what was kept is free.
    Unfounded,
    /// The money is the account holder's: it stays kept.
    Upheld,
}

/// Cases, newest first.
#[utoipa::path(get, path = "/desk/v1/cases", tag = "cases", params(Which), security(("desk" = [])),
    responses((status = 200, body = Page<Listed>)))]
async fn list(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Query(which): Query<Which>,
) -> Result<Json<Page<Listed>>, Problem> {
    desk.check_any()?;
    service.make_work().await?;
    let limit = query::limit(which.limit)?;
    let before = which.place(&service.keys, "cases")?;
    let (rows, next) = service.work.newest::<CaseOpened>(OPERATOR, before, limit)?;
    let mut data = Vec::new();
    for row in rows {
        data.push(service.listed_case(row.case, &service.case(row.case).await?));
    }
    Ok(Json(Page { data, next_cursor: next.map(|next| query::cursor(&service.keys, "cases", &next.0)) }))
}

/// See a case, with the wallets in which money is kept.
#[utoipa::path(get, path = "/desk/v1/cases/{case}", tag = "cases", params(("case" = String, Path)),
    security(("desk" = [])), responses((status = 200, body = Whole)))]
async fn show(State(service): State<Arc<Service>>, desk: Desk, Path(id): Path<String>) -> Result<Json<Whole>, Problem> {
    desk.check_any()?;
    let id = parse(&id)?;
    let case = service.case(id).await?;
    let (mut mandates, mut kept) = (Vec::new(), Vec::new());
    for held in &case.wallets {
        let row = service.row(Key::new(table::WALLET, held.wallet.0)).await?;
        let Some(Row::Wallet(wallet)) = row.as_deref() else { continue };
        let links = wallet.links().iter().filter(|link| link.bank_account == case.about);
        let before = mandates.len();
        mandates.extend(links.map(|link| link.mandate.to_string()));
        kept.push(Kept {
            wallet_id: held.wallet.to_string(),
            status: wallet.status(),
            linked: mandates.len() > before,
            caught: held.caught.amount(),
            now: wallet.kept_by(id, None).amount(),
        });
    }
    Ok(Json(Whole { case: service.listed_case(id, &case), mandates, kept }))
}

/// End a case: one person proposes what was found, another agrees. What was unfounded is free at once.
#[utoipa::path(post, path = "/desk/v1/cases/{case}/closing", tag = "cases", request_body = Close,
    params(("case" = String, Path), ("Idempotency-Key" = String, Header)), security(("desk" = [])),
    responses((status = 200, body = Listed)))]
async fn close(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(id): Path<String>,
    Asked { body, repeat }: Asked<Close>,
) -> Result<Json<Listed>, Problem> {
    desk.check(if body.approve { Role::Approver } else { Role::Risk })?;
    let (case, by) = (parse(&id)?, desk.id);
    let finding = match body.finding {
        Word::Unfounded => Finding::Unfounded,
        Word::Upheld => Finding::Upheld,
    };
    let command =
        if body.approve { OfCase::Close { case, finding, by } } else { OfCase::ProposeClosing { case, finding, by } };
    match service.submit_for(desk, &body.reason, &repeat, Command::Case(command)).await? {
        Receipt::Case { id, .. } => Ok(Json(service.listed_case(id, &service.case(id).await?))),
        _ => Err(Problem::internal()),
    }
}

fn parse(id: &str) -> Result<CaseId, Problem> {
    id.parse().map_err(|_| Problem::not_found())
}

impl Service {
    /// The case `id`.
    pub async fn case(&self, id: CaseId) -> Result<Case, Problem> {
        match self.row(Key::new(table::CASE, id.0)).await?.as_deref() {
            Some(Row::Case(case)) => Ok((**case).clone()),
            Some(_) | None => Err(refusals::problem(&Refusal::Unknown { noun: Noun::Case })),
        }
    }

    fn listed_case(&self, id: CaseId, case: &Case) -> Listed {
        let caught = Yen::checked_sum(case.wallets.iter().map(|kept| kept.caught)).unwrap_or(Yen::MAX);
        Listed {
            id: id.to_string(),
            status: case.status.name(),
            bank_account_id: case.about.to_string(),
            opened_at: case.opened.to_string(),
            wallets: case.wallets.len(),
            caught: caught.amount(),
            proposal: case
                .proposal
                .map(|proposal| Proposed { finding: proposal.finding.name(), by: self.person(proposal.by) }),
            closed: case.closed.map(|closed| Ended {
                finding: closed.finding.name(),
                by: self.person(closed.by),
                at: closed.at.to_string(),
            }),
        }
    }
}
