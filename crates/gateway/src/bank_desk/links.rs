//! Links of an account: seen, ended and confirmed by its bank.

use super::Desk;
use crate::api::lists::Listed;
use crate::api::problem::{engine_error, unknown};
use crate::connector::AccountNumber;
use crate::desk::check_text;
use crate::domain::account::AccountKind;
use crate::domain::mandate::{self, Mandate, RevokedBy, Why};
use crate::domain::{Command, Factor, MandateId, Noun, OperatorId};
use crate::gateway::Gateway;
use crate::pages::letter_code;
use crate::proposals::Said;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use web::{Json, Problem};

const BRANCH_DIGITS: usize = 3;
const NUMBER_DIGITS: usize = 7;

/// An account, as the bank knows it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Search {
    branch: String,
    kind: AccountKind,
    number: String,
}

/// A mandate, as the account's bank sees it: no wallet's holder, no other bank's anything.
#[derive(Serialize)]
pub(super) struct LinkBody {
    mandate_id: String,
    operator: Option<Operator>,
    status: &'static str,
    requested_at: String,
    limits: LimitsBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    grade: Option<GradeBody>,
    confirmed_by: Option<&'static str>,
}

#[derive(Serialize)]
pub(super) struct Operator {
    name: String,
    name_en: String,
}

impl Operator {
    /// What `operator` is called; none if it is no client any more.
    pub(super) fn of(gateway: &Gateway, operator: OperatorId) -> Option<Self> {
        let name = gateway.oauth().clients.of(operator)?.settings.name.clone();
        Some(Self { name: name.ja, name_en: name.en })
    }
}

#[derive(Serialize)]
struct LimitsBody {
    per_time: i64,
    per_month: i64,
}

#[derive(Serialize)]
struct GradeBody {
    name: &'static str,
    birth_date_matches: bool,
    factors: Vec<&'static str>,
    contact_notified: bool,
}

fn body(gateway: &Gateway, id: MandateId, row: &Mandate) -> LinkBody {
    LinkBody {
        mandate_id: id.to_string(),
        operator: Operator::of(gateway, row.operator),
        status: row.status.name(),
        requested_at: row.requested.to_string(),
        limits: LimitsBody { per_time: row.limits.per_time.amount(), per_month: row.limits.per_month.amount() },
        grade: row.grant.map(|grant| GradeBody {
            name: grant.name.name(),
            birth_date_matches: grant.birth_date_matches,
            factors: grant.factors.iter().map(Factor::name).collect(),
            contact_notified: grant.contact_notified,
        }),
        confirmed_by: row.confirmed.map(Factor::name),
    }
}

/// `POST /bank/v1/links/search`: the live mandates of an account. An account that the gateway has never seen has none.
pub(super) async fn search(
    State(gateway): State<Gateway>,
    desk: Desk,
    Json(asked): Json<Search>,
) -> Result<Json<Listed<LinkBody>>, Problem> {
    let is_digits = |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(&asked.branch, BRANCH_DIGITS) || !is_digits(&asked.number, NUMBER_DIGITS) {
        return Err(Problem::malformed("A branch has three digits, an account's number seven."));
    }
    let number = AccountNumber { branch: asked.branch, kind: asked.kind, number: asked.number };
    let account =
        gateway.account(gateway.account_id(desk.bank, &number)).await.map_err(|error| engine_error(&error))?;
    let mut data = Vec::new();
    for (_, id) in account.into_iter().flat_map(|account| account.live) {
        if let Some(row) = gateway.mandate(id).await.map_err(|error| engine_error(&error))? {
            data.push(body(&gateway, id, &row));
        }
    }
    // All of them stand in one answer: an account has one live mandate an operator.
    Ok(Json(Listed { data, next_cursor: None }))
}

/// The mandate called `id`, if it is of this bank.
pub(super) async fn own(gateway: &Gateway, desk: Desk, id: &str) -> Result<(MandateId, Mandate), Problem> {
    let id: MandateId = id.parse().map_err(|_| unknown(Noun::Mandate))?;
    let row = gateway.mandate(id).await.map_err(|error| engine_error(&error))?;
    let row = row.filter(|row| row.bank == desk.bank).ok_or_else(|| unknown(Noun::Mandate))?;
    Ok((id, row))
}

pub(super) async fn shown(gateway: &Gateway, desk: Desk, id: &str) -> Result<Json<LinkBody>, Problem> {
    let (id, row) = own(gateway, desk, id).await?;
    Ok(Json(body(gateway, id, &row)))
}

/// Why a bank ends a mandate.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Revocation {
    reason: Why,
    note: Option<String>,
}

/// `POST /bank/v1/mandates/{id}/revoke`: no debit is taken from this moment on. A second time changes nothing.
pub(super) async fn revoke(
    State(gateway): State<Gateway>,
    desk: Desk,
    Path(id): Path<String>,
    Json(asked): Json<Revocation>,
) -> Result<Json<LinkBody>, Problem> {
    desk.check_act()?;
    asked.note.as_ref().map_or(Ok(()), |note| check_text(note, "note"))?;
    let (mandate, _) = own(&gateway, desk, &id).await?;
    let command =
        mandate::Command::Revoke { mandate, operator: None, by: RevokedBy::Bank(desk.staff), why: asked.reason };
    gateway.submit(Command::Mandate(command), desk.actor(), asked.note).await?;
    shown(&gateway, desk, &id).await
}

/// How the customer confirmed, and why a person of the desk believes so.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirmation {
    channel: Factor,
    reason: Option<String>,
}

/// `POST /bank/v1/mandates/{id}/confirm`: the bank has seen for itself that it was its customer. Its systems pass on what the customer did
/// in the app; where people say so, at the counter, it takes two of them, each with a reason, and the first is a 202.
pub(super) async fn confirm(
    State(gateway): State<Gateway>,
    desk: Desk,
    Path(id): Path<String>,
    Json(asked): Json<Confirmation>,
) -> Result<Response, Problem> {
    let by = desk.person_who_confirms()?;
    // What the customer did in the app speaks for itself.
    if by.is_some() || asked.reason.is_some() {
        check_text(asked.reason.as_deref().unwrap_or_default(), "reason")?;
    }
    let (mandate, _) = own(&gateway, desk, &id).await?;
    let command = mandate::Command::Confirm { mandate, channel: asked.channel, by };
    let said = Said::submit(&gateway, Command::Mandate(command), desk.actor(), asked.reason).await?;
    said.answer(async || shown(&gateway, desk, &id).await).await
}

#[derive(Serialize)]
pub(super) struct Letter {
    code: String,
}

/// `POST /bank/v1/mandates/{id}/letter`: what the bank prints into a letter to the address that it knows. The same number
/// each time, and stored nowhere; who took it is in the books.
pub(super) async fn letter(
    State(gateway): State<Gateway>,
    desk: Desk,
    Path(id): Path<String>,
) -> Result<Json<Letter>, Problem> {
    let by = desk.person_who_confirms()?;
    let (mandate, row) = own(&gateway, desk, &id).await?;
    let grant = row.grant.ok_or_else(|| unknown(Noun::Mandate))?;
    let command = mandate::Command::TakeLetter { mandate, by };
    gateway.submit(Command::Mandate(command), desk.actor(), None).await?;
    Ok(Json(Letter { code: letter_code(&gateway, mandate, grant.account).expose().clone() }))
}
