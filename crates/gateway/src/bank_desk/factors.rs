//! What a bank's customers are asked for, and what is stopped at the bank.

use super::Desk;
use crate::api::lists::Listed;
use crate::api::problem::engine_error;
use crate::desk::check_text;
use crate::domain::bank::{self, Bank, FACTOR_SETS_MAX, Function, Side};
use crate::domain::{Command, Factor, Factors, StaffId};
use crate::gateway::Gateway;
use crate::pages::own_sets;
use crate::proposals::Said;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use web::{Json, Problem};

/// The sets of factors of which each suffices; none: what the bank's connector says.
#[derive(Debug, Serialize)]
pub(super) struct FactorSets {
    sets: Vec<Vec<Factor>>,
}

/// What they are to be, and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FactorsAsked {
    sets: Vec<Vec<Factor>>,
    reason: String,
}

async fn row(gateway: &Gateway, desk: Desk) -> Result<Bank, Problem> {
    gateway.bank_row(desk.bank).await.map_err(|error| engine_error(&error))
}

/// `GET /bank/v1/factors`.
pub(super) async fn show(State(gateway): State<Gateway>, desk: Desk) -> Result<Json<FactorSets>, Problem> {
    let sets = row(&gateway, desk).await?.factor_sets;
    Ok(Json(FactorSets { sets: sets.into_iter().map(|set| set.iter().collect()).collect() }))
}

/// `PUT /bank/v1/factors`: in force for the next form that is shown. Where that may be weaker than what is in force, it takes a
/// second person who asks for the same: until then it is a 202.
pub(super) async fn set(
    State(gateway): State<Gateway>,
    desk: Desk,
    Json(asked): Json<FactorsAsked>,
) -> Result<Response, Problem> {
    desk.check_act()?;
    check_text(&asked.reason, "reason")?;
    let sets: Vec<Factors> = asked.sets.iter().map(|set| set.iter().copied().collect()).collect();
    if sets.len() > FACTOR_SETS_MAX
        || sets.iter().any(|set: &Factors| !set.has(Factor::Account) || set.iter().count() < 2)
    {
        return Err(Problem::malformed(
            "Each set names `account` and at least one factor more; there are at most 16 sets.",
        ));
    }
    let own = own_sets(&gateway, desk.bank).await;
    let command = Command::Bank(bank::Command::SetFactors { bank: desk.bank, sets, own, by: desk.staff });
    let said = Said::submit(&gateway, command, desk.actor(), Some(asked.reason)).await?;
    said.answer(async || show(State(gateway), desk).await).await
}

/// A switch, as everybody whom it concerns sees it.
#[derive(Serialize)]
pub(super) struct SwitchBody {
    function: &'static str,
    stopped: bool,
    stops: Vec<StopBody>,
    history: Vec<ChangeBody>,
}

#[derive(Serialize)]
struct StopBody {
    by: &'static str,
    reason: String,
    since: String,
}

#[derive(Serialize)]
struct ChangeBody {
    by: &'static str,
    /// What the bank's own person who did it is called; nobody of another side is named here.
    person: Option<String>,
    stopped: bool,
    reason: String,
    at: String,
}

/// All switches: as many as there are functions.
type Switches = Listed<SwitchBody>;

fn body(staff: &[(StaffId, String)], bank: &Bank, function: Function) -> SwitchBody {
    let stops = bank.stops.iter().filter(|stop| stop.function == function);
    let changes = bank.history.iter().filter(|change| change.function == function);
    SwitchBody {
        function: function.name(),
        stopped: bank.stop(function).is_some(),
        stops: stops
            .map(|stop| StopBody { by: stop.side.name(), reason: stop.reason.clone(), since: stop.since.to_string() })
            .collect(),
        history: changes
            .map(|change| ChangeBody {
                by: change.side.name(),
                person: staff.iter().find(|(id, _)| Some(*id) == change.by).map(|(_, name)| name.clone()),
                stopped: change.stopped,
                reason: change.reason.clone(),
                at: change.at.to_string(),
            })
            .collect(),
    }
}

/// `GET /bank/v1/switches`.
pub(super) async fn switches(State(gateway): State<Gateway>, desk: Desk) -> Result<Json<Switches>, Problem> {
    let bank = row(&gateway, desk).await?;
    let staff = gateway.bank(desk.bank).map(|bank| bank.desk.as_slice()).unwrap_or_default();
    let staff: Vec<_> = staff.iter().map(|one| (one.in_journal(Some(desk.bank)), one.name.clone())).collect();
    let data = Function::ALL.into_iter().map(|function| body(&staff, &bank, function)).collect();
    Ok(Json(Listed { data, next_cursor: None }))
}

/// What a switch is set to, and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Setting {
    stopped: bool,
    reason: String,
}

/// `PUT /bank/v1/switches/{function}`: a stop is in force with the commit; every operator and bank is told in it. To lift one takes a
/// second person who asks for the same: until then it is a 202. What the gateway's side has stopped, the bank cannot let go on.
pub(super) async fn switch(
    State(gateway): State<Gateway>,
    desk: Desk,
    Path(function): Path<String>,
    Json(asked): Json<Setting>,
) -> Result<Response, Problem> {
    desk.check_act()?;
    let function: Function = function.parse().map_err(|_| Problem::not_found())?;
    check_text(&asked.reason, "reason")?;
    // Whoever says it first has no reason in the books but this one.
    let why = Some(asked.reason.clone());
    let command = bank::Command::Switch {
        bank: desk.bank,
        function,
        stop: asked.stopped,
        side: Side::Bank,
        by: Some(desk.staff),
        reason: asked.reason,
    };
    let said = Said::submit(&gateway, Command::Bank(command), desk.actor(), why).await?;
    said.answer(async || switches(State(gateway), desk).await).await
}
