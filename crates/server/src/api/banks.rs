//! Banks: what is open and what is stopped, since when and why; by the gateway, and by us.

use crate::refusals::function_name;
use crate::service::Service;
use crate::stops::StopNote;
use axum::extract::State;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::{Row, switches};
use web::{Json, Problem};

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// See what is open and what is stopped at each bank.
#[utoipa::path(get, path = "/v1/banks", tag = "banks", responses((status = 200, description = "As asked.")))]
async fn list(State(service): State<Arc<Service>>) -> Result<Json<Value>, Problem> {
    let stops = service.stops_in_force().await?;
    let banks = service.banks().await;
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
    let everywhere: Vec<&Value> = stops.iter().filter(|stop| stop["bank_code"].is_null()).collect();
    Ok(Json(json!({ "data": data, "next_cursor": null, "stopped_everywhere": everywhere })))
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
