//! Banks: `/gateway/v1/banks`, with their switches, visible to every operator; set by the gateway's own desk.

use super::lists::{Listed, Page};
use super::problem;
use crate::bank_desk::CalendarBody;
use crate::desk::{GatewayDesk, check_text};
use crate::domain::bank::{Bank, Command, Function, Side, Stop};
use crate::domain::comparison::{Compared, Paper};
use crate::domain::{BankCode, Command as Asked, Factor, Factors, Noun};
use crate::gateway::Gateway;
use crate::oauth::{Caller, Scope};
use crate::options::BankOptions;
use crate::proposals::Said;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use web::{Json, Problem};

/// Banks on one page, at most: wallets want them all, and there are not more in the country.
const PAGE_BANKS_MAX: usize = 2_000;
/// A switch as it is to be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchRequest {
    stopped: bool,
    reason: String,
}

/// `GET /gateway/v1/banks?limit=&cursor=`, in the order of their codes.
pub async fn list(State(gateway): State<Gateway>, caller: Caller, page: Page) -> Result<Response, Problem> {
    caller.check(Scope::Events)?;
    let after: Option<BankCode> = page.parsed()?;
    let mut banks: Vec<&BankOptions> = gateway.options().banks.iter().collect();
    banks.sort_unstable_by_key(|bank| bank.code);
    banks.retain(|bank| after.is_none_or(|after| bank.code > after));
    let limit = page.limit(PAGE_BANKS_MAX);
    let has_more = banks.len() > limit;
    banks.truncate(limit);
    let mut data = Vec::new();
    for bank in &banks {
        data.push(body(&gateway, bank).await?);
    }
    let next_cursor = banks.last().filter(|_| has_more).map(|bank| bank.code.to_string());
    Ok(Json(Listed { data, next_cursor }).into_response())
}

/// `PUT /gateway/v1/banks/{code}/switches/{function}`, for the gateway's desk. A stop is in force with its commit, and told to
/// everybody; to lift one takes a second person who asks for the same, until then it is a 202.
pub async fn switch(
    State(gateway): State<Gateway>,
    desk: GatewayDesk,
    Path((code, function)): Path<(String, String)>,
    Json(request): Json<SwitchRequest>,
) -> Result<Response, Problem> {
    desk.0.check_act()?;
    let code: BankCode = code.parse().map_err(|_| problem::unknown(Noun::Bank))?;
    let bank = gateway.bank(code).ok_or_else(|| problem::unknown(Noun::Bank))?;
    let function: Function = function.parse().map_err(|_| Problem::not_found())?;
    check_text(&request.reason, "reason")?;
    // Whoever says it first has no reason in the books but this one.
    let why = Some(request.reason.clone());
    let command = Command::Switch {
        bank: code,
        function,
        stop: request.stopped,
        side: Side::Gateway,
        by: Some(desk.0.id),
        reason: request.reason,
    };
    let said = Said::submit(&gateway, Asked::Bank(command), desk.actor(), why).await?;
    said.answer(async || Ok(Json(body(&gateway, bank).await?))).await
}

/// `GET /gateway/v1/banks/{code}/reconciliation`, for the gateway's desk: how the bank's last day file compared, and beside it its
/// last statement of credits.
pub async fn reconciliation(
    State(gateway): State<Gateway>,
    _: GatewayDesk,
    Path(code): Path<String>,
) -> Result<Response, Problem> {
    let code: BankCode = code.parse().map_err(|_| problem::unknown(Noun::Bank))?;
    let file = last(&gateway, code, Paper::Debits).await?.ok_or_else(|| problem::unknown(Noun::Bank))?;
    let mut body = figures(&file);
    body["bank_code"] = code.to_string().into();
    body["credits"] = last(&gateway, code, Paper::Credits).await?.as_ref().map(figures).into();
    Ok(Json(body).into_response())
}

async fn last(gateway: &Gateway, code: BankCode, paper: Paper) -> Result<Option<Compared>, Problem> {
    let row = gateway.comparison(code, paper).await.map_err(|error| problem::engine_error(&error))?;
    Ok(row.and_then(|row| row.last))
}

fn figures(compared: &Compared) -> Value {
    json!({
        "day": compared.day.to_string(),
        "records": compared.records,
        "settled": compared.settled.amount(),
        "strangers": compared.strangers,
        "missing": compared.missing,
        "absent": compared.absent,
    })
}

/// A bank as everybody whom it concerns sees it.
async fn body(gateway: &Gateway, bank: &BankOptions) -> Result<Value, Problem> {
    let row = gateway.bank_row(bank.code).await.map_err(|error| problem::engine_error(&error))?;
    let calendar = gateway.calendar(bank.code).await.map_err(|error| problem::engine_error(&error))?;
    let now = gateway.outside().now();
    let opens = calendar.open_from(now);
    let sets: &[Factors] = if row.factor_sets.is_empty() { &bank.factors } else { &row.factor_sets };
    let factors: Vec<Vec<&str>> = sets.iter().map(|set| set.iter().map(Factor::name).collect()).collect();
    Ok(json!({
        "code": bank.code.to_string(),
        "name": { "ja": bank.name, "en": bank.name_en },
        "name_ja": bank.name,
        "name_en": bank.name_en,
        "own_page": bank.own_page.is_some(),
        "by_files": bank.files.is_some(),
        "factors": factors,
        "switches": switches(&row),
        "is_open": opens == now,
        "opens_at": (opens > now).then(|| opens.to_string()),
        "calendar": CalendarBody::from(&calendar),
    }))
}

fn switches(row: &Bank) -> Map<String, Value> {
    let mut switches = Map::new();
    for function in Function::ALL {
        let stop = row.stop(function);
        let history: Vec<Value> = row
            .history
            .iter()
            .filter(|change| change.function == function)
            .map(|change| {
                json!({
                    "stopped": change.stopped,
                    "by": change.side.name(),
                    "reason": change.reason,
                    "at": change.at.to_string(),
                })
            })
            .collect();
        let switch = json!({
            "stopped": stop.is_some(),
            "since": stop.map(|stop| stop.since.to_string()),
            "by": stop.map(|stop: &Stop| stop.side.name()),
            "reason": stop.map(|stop| stop.reason.clone()),
            "history": history,
        });
        switches.insert(function.name().into(), switch);
    }
    switches
}
