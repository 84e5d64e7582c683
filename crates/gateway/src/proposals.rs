//! What waits for a second person: how a desk's word is answered that takes two, and the lists of what waits, of the gateway's
//! desk and of each bank's. The rule stands in `domain::proposal`.

use crate::api::findings::of_aside;
use crate::api::lists::Listed;
use crate::api::problem::engine_error;
use crate::bank_desk::Desk;
use crate::desk::{GatewayDesk, Staff};
use crate::domain::bank::Side;
use crate::domain::comparison::Paper;
use crate::domain::proposal::{Proposal, Wish};
use crate::domain::{BankCode, Command, Factor, FindingId, Receipt};
use crate::gateway::Gateway;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use domain::Time;
use engine::Actor;
use http::StatusCode;
use serde::Serialize;
use web::{Json, Problem};

/// The paths of this room.
pub fn routes() -> Router<Gateway> {
    Router::new().route("/gateway/v1/proposals", get(of_gateway)).route("/bank/v1/proposals", get(of_bank))
}

/// What became of somebody's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It is done.
    Done,
    /// Another person of the desk may say the same until then.
    Proposed(Time),
}

impl Said {
    /// Submits what somebody of a desk says, with a note for the journal.
    pub(crate) async fn submit(
        gateway: &Gateway,
        command: Command,
        actor: Actor,
        note: Option<String>,
    ) -> Result<Self, Problem> {
        match gateway.submit(command, actor, note).await? {
            Receipt::Proposed { until } => Ok(Self::Proposed(until)),
            Receipt::Done | Receipt::Mandate { .. } | Receipt::Movement { .. } => Ok(Self::Done),
        }
    }

    /// The answer: what is `shown` where it is done, else a 202 that says until when it waits.
    pub(crate) async fn answer<T: IntoResponse>(
        self,
        shown: impl AsyncFnOnce() -> Result<T, Problem>,
    ) -> Result<Response, Problem> {
        match self {
            Self::Done => Ok(shown().await?.into_response()),
            Self::Proposed(until) => {
                let body = Json(WaitingBody { status: "proposed", until: until.to_string() });
                Ok((StatusCode::ACCEPTED, body).into_response())
            }
        }
    }
}

/// The answer to the first of two.
#[derive(Serialize)]
struct WaitingBody {
    status: &'static str,
    until: String,
}

/// What waits.
#[derive(Serialize)]
struct ProposalBody {
    bank_code: String,
    /// `lift`, `factors`, `accept`, `confirm`, `untold` or `give_up`.
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sets: Option<Vec<Vec<&'static str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mandate_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'static str>,
    /// The id of the notice, or of the paper, among the findings.
    #[serde(skip_serializing_if = "Option::is_none")]
    finding_id: Option<String>,
    /// What the person is called who said so; nobody who is at the desk no more.
    by: Option<String>,
    at: String,
    until: String,
}

/// `GET /gateway/v1/proposals`: what somebody of the gateway's desk wants to go on, to tell nobody of, or to wait for no longer, at any bank.
async fn of_gateway(State(gateway): State<Gateway>, _: GatewayDesk) -> Result<Json<Listed<ProposalBody>>, Problem> {
    let mut data = Vec::new();
    for bank in &gateway.options().banks {
        data.extend(waiting(&gateway, bank.code, Side::Gateway, None, &gateway.options().desk).await?);
    }
    Ok(Json(Listed { data, next_cursor: None }))
}

/// `GET /bank/v1/proposals`: what somebody of the bank's desk wants to be weaker.
async fn of_bank(State(gateway): State<Gateway>, desk: Desk) -> Result<Json<Listed<ProposalBody>>, Problem> {
    let staff = gateway.bank(desk.bank).map(|bank| bank.desk.as_slice()).unwrap_or_default();
    let data = waiting(&gateway, desk.bank, Side::Bank, Some(desk.bank), staff).await?;
    Ok(Json(Listed { data, next_cursor: None }))
}

/// What waits at `bank` for a second person of the desk of `side`, whose people are `staff`.
async fn waiting(
    gateway: &Gateway,
    bank: BankCode,
    side: Side,
    desk: Option<BankCode>,
    staff: &[Staff],
) -> Result<Vec<ProposalBody>, Problem> {
    let row = gateway.bank_row(bank).await.map_err(|error| engine_error(&error))?;
    let name = |proposal: &Proposal| {
        staff.iter().find(|person| person.in_journal(desk) == proposal.by).map(|person| person.name.clone())
    };
    let proposed = row.proposed(gateway.outside().now()).filter(|proposal| proposal.wish.side() == side);
    Ok(proposed.map(|proposal| body(gateway, bank, proposal, name(proposal))).collect())
}

fn body(gateway: &Gateway, bank: BankCode, proposal: &Proposal, by: Option<String>) -> ProposalBody {
    let (mut function, mut sets, mut mandate_id, mut named, mut finding_id) = (None, None, None, None, None);
    let kind = match &proposal.wish {
        Wish::Lift { function: lifted, .. } => {
            function = Some(lifted.name());
            "lift"
        }
        Wish::Factors { sets: wanted } => {
            sets = Some(wanted.iter().map(|set| set.iter().map(Factor::name).collect()).collect());
            "factors"
        }
        Wish::Accept { mandate } => {
            mandate_id = Some(mandate.to_string());
            "accept"
        }
        Wish::Confirm { mandate, channel } => {
            (mandate_id, named) = (Some(mandate.to_string()), Some(channel.name()));
            "confirm"
        }
        Wish::Untold { notice } => {
            finding_id = Some(FindingId(notice.0).to_string());
            "untold"
        }
        Wish::GiveUp { about, day } => {
            finding_id = Some(of_aside(gateway, bank, Paper::of(*about), *day).to_string());
            "give_up"
        }
    };
    let (at, until) = (proposal.at.to_string(), proposal.until().to_string());
    let (bank_code, channel) = (bank.to_string(), named);
    ProposalBody { bank_code, kind, function, sets, mandate_id, channel, finding_id, by, at, until }
}
