//! Banks: what is open and what is stopped, since when and why; by the gateway, and by us.

use crate::refusals::{self, function_name};
use crate::service::Service;
use crate::stops::StopNote;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::{Row, switches};
use web::{Json, Problem};

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Every bank.
#[derive(Serialize, ToSchema)]
#[schema(as = Banks)]
pub struct Listed {
    /// The banks, in the order of their codes.
    #[schema(value_type = Vec<Bank>)]
    data: Vec<Value>,
    /// Always null: the list is whole.
    next_cursor: Option<String>,
    /// What we have stopped wherever the bank.
    #[schema(value_type = Vec<Stopped>)]
    stopped_everywhere: Vec<Value>,
    /// When the gateway said so: a minute ago at most, or longer while it cannot be asked.
    as_of: String,
}

/// A bank: what the gateway says of it, and what we have stopped there. It may say more.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is described here, and comes from the gateway")]
struct Bank {
    /// Its code: four digits.
    code: String,
    /// Its name in Japanese.
    name_ja: String,
    /// Its name in English.
    name_en: String,
    /// Whether it is open now, by its hours.
    is_open: bool,
    /// When it opens, where it is closed.
    opens_at: Option<String>,
    /// Each of its functions, which the gateway or the bank itself may have stopped: `register`, `change`, `debit`,
    /// `credit`, `static_factors`.
    switches: BTreeMap<String, Switch>,
    /// What we have stopped there.
    stopped_by_us: Vec<Stopped>,
}

/// A function of a bank.
#[derive(ToSchema)]
#[schema(as = BankSwitch)]
#[expect(dead_code, reason = "it is described here, and comes from the gateway")]
struct Switch {
    /// Whether it is stopped.
    stopped: bool,
    /// Since when.
    since: Option<String>,
    /// By whom.
    by: Option<String>,
    /// Why.
    reason: Option<String>,
}

/// What we have stopped for everyone.
#[derive(ToSchema)]
#[schema(as = BankStopped)]
#[expect(dead_code, reason = "it is described here, and made of stops by `stops_in_force`")]
struct Stopped {
    /// The stop's id.
    switch_id: String,
    /// Which function; every one without it.
    function: Option<String>,
    /// At which bank; everywhere without it.
    bank_code: Option<String>,
    /// Since when.
    since: String,
    /// Why.
    reason: Option<String>,
}

/// See what is open and what is stopped at each bank.
#[utoipa::path(get, path = "/v1/banks", tag = "banks", responses((status = 200, body = Listed)))]
async fn list(State(service): State<Arc<Service>>) -> Result<Json<Listed>, Problem> {
    let stops = service.stops_in_force().await?;
    let (banks, at) = service.banks().await.ok_or_else(not_known)?;
    let data: Vec<Value> = banks
        .iter()
        .map(|bank| {
            let mut bank = bank.clone();
            let code = bank["code"].as_str().unwrap_or_default().to_owned();
            let here = stops.iter().filter(|stop| stop["bank_code"].is_null() || stop["bank_code"] == code);
            bank["stopped_by_us"] = here.cloned().collect();
            bank
        })
        .collect();
    let stopped_everywhere = stops.into_iter().filter(|stop| stop["bank_code"].is_null()).collect();
    Ok(Json(Listed { data, next_cursor: None, stopped_everywhere, as_of: at.to_string() }))
}

/// That there are no banks would be another answer.
fn not_known() -> Problem {
    refusals::unavailable().detail("The gateway has not said which banks there are. Try again.")
}

impl Service {
    /// Our own stops that concern everyone: those of a cohort are nobody else's affair.
    pub async fn stops_in_force(&self) -> Result<Vec<Value>, Problem> {
        let row = self.row(switches::KEY).await?;
        let Some(Row::Switches(switches)) = row.as_deref() else { return Ok(Vec::new()) };
        let everyone = switches::Cohort::default();
        let mut stops = Vec::new();
        for stop in switches.stops.iter().filter(|stop| stop.cohort == everyone) {
            let note = self.doors.get::<StopNote>(stop.id.0)?;
            stops.push(json!({
                "switch_id": stop.id.to_string(),
                "function": stop.function.map(function_name),
                "bank_code": stop.bank.map(|bank| bank.to_string()),
                "since": stop.since.to_string(),
                "reason": note.map(|note| note.reason),
            }));
        }
        Ok(stops)
    }
}
