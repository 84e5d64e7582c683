//! Switches: what stops one function, at one bank or everywhere, for one cohort or everyone. In force when it is answered.

use crate::api::parse_bank;
use crate::asked::Asked;
use crate::entrance::Desk;
use crate::refusals::function_name;
use crate::service::Service;
use crate::stops::StopNote;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{delete, get};
use domain::Time;
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use wallet::switches::{Cohort, Command as OfSwitches, Function, KEY, Stop};
use wallet::{Command, Noun, Receipt, Refusal, Row, SwitchId, Tier};
use web::{Json, Problem};

/// The longest reason, in characters.
const REASON_CHARACTERS_MAX: usize = 500;

/// The paths of this room.
pub fn router() -> Router<Arc<Service>> {
    Router::new().route("/desk/v1/switches", get(list).post(set)).route("/desk/v1/switches/{switch}", delete(lift))
}

/// What is to be stopped. Without a function: everything; without a bank: wherever; without a cohort: for everyone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    function: Option<String>,
    bank_code: Option<String>,
    #[serde(default)]
    cohort: Whom,
    reason: String,
}

/// Whom a stop concerns: all given parts must hold.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whom {
    opened_from: Option<String>,
    opened_before: Option<String>,
    tier_below: Option<String>,
    /// The domain of the holder's mail address.
    mail_domain: Option<String>,
}

async fn list(State(service): State<Arc<Service>>, _: Desk) -> Result<Json<Value>, Problem> {
    let row = service.row(KEY).await?;
    let stops = match row.as_deref() {
        Some(Row::Switches(switches)) => switches.stops.clone(),
        Some(_) | None => Vec::new(),
    };
    let data = stops.iter().map(|stop| present(&service, stop)).collect::<Result<Vec<_>, _>>()?;
    Ok(Json(json!({ "data": data, "next_cursor": null })))
}

fn present(service: &Service, stop: &Stop) -> Result<Value, Problem> {
    let note = service.doors.get::<StopNote>(stop.id.0)?;
    Ok(json!({
        "id": stop.id.to_string(),
        "function": stop.function.map(function_name),
        "bank_code": stop.bank.map(|bank| bank.to_string()),
        "for_everyone": stop.cohort == Cohort::default(),
        "since": stop.since.to_string(),
        "reason": note.as_ref().map(|note| note.reason.clone()),
        "set_by": note.map(|note| note.set_by.to_string()),
    }))
}

async fn set(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Asked { body, repeat }: Asked<Set>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let function = body.function.as_deref().map(parse_function).transpose()?;
    let bank = body.bank_code.as_deref().map(parse_bank).transpose()?;
    let cohort = parse_cohort(&service, &body.cohort)?;
    let reason = body.reason.trim().to_owned();
    if reason.is_empty() || reason.chars().count() > REASON_CHARACTERS_MAX {
        return Err(Problem::malformed("Say why, in 1 to 500 characters: people read it.").with("member", "reason"));
    }
    let request = repeat.by(&service, desk.actor());
    let command = Command::Switches(OfSwitches::Set { id: SwitchId(service.id()), function, bank, cohort });
    let Receipt::Switch { id } = service.submit(desk.actor(), Some(request), command).await? else {
        return Err(Problem::internal());
    };
    let note = StopNote { switch: id, reason, set_by: desk.0, set_at: service.now(), lifted: None };
    service.doors.insert(&note)?;
    Ok((StatusCode::CREATED, Json(json!({ "id": id.to_string() }))))
}

async fn lift(State(service): State<Arc<Service>>, desk: Desk, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let unknown = || crate::refusals::problem(&Refusal::Unknown { noun: Noun::Switch });
    let id: SwitchId = id.parse().map_err(|_| unknown())?;
    service.submit(desk.actor(), None, Command::Switches(OfSwitches::Lift { id })).await?;
    if let Some(note) = service.doors.get::<StopNote>(id.0)? {
        service.doors.put(&StopNote { lifted: Some((desk.0, service.now())), ..note })?;
    }
    Ok(StatusCode::NO_CONTENT)
}

fn parse_function(text: &str) -> Result<Function, Problem> {
    let all = [
        Function::Open,
        Function::Link,
        Function::TopUp,
        Function::Voucher,
        Function::Payment,
        Function::Send,
        Function::Payout,
    ];
    let found = all.into_iter().find(|function| function_name(*function) == text);
    let names =
        || Problem::malformed("open, link, top_up, voucher, payment, send or payout.").with("member", "function");
    found.ok_or_else(names)
}

fn parse_cohort(service: &Service, whom: &Whom) -> Result<Cohort, Problem> {
    let time = |text: &String| {
        let wrong = || Problem::malformed("Times are written as 2026-01-01T00:00:00+09:00.").with("member", "cohort");
        text.parse::<Timestamp>().map(Time::from).map_err(|_| wrong())
    };
    let tier = |text: &String| match text.as_str() {
        "phone" => Ok(Tier::Phone),
        "identified" => Ok(Tier::Identified),
        _ => Err(Problem::malformed("tier_below is phone or identified.").with("member", "cohort")),
    };
    let domain = whom.mail_domain.as_ref().map(|domain| domain.trim().to_ascii_lowercase());
    Ok(Cohort {
        opened_from: whom.opened_from.as_ref().map(time).transpose()?,
        opened_before: whom.opened_before.as_ref().map(time).transpose()?,
        tier_below: whom.tier_below.as_ref().map(tier).transpose()?,
        mail_domain: domain.map(|domain| service.keys.fingerprint("mail domain", domain.as_bytes())),
        device: None,
        network: None,
    })
}
