//! Switches: what stops one function, at one bank or everywhere, for one cohort or everyone. One person sets a stop, in force
//! when it is answered; to lift it takes two.

use super::people::{Desk, Person, Reason, Role};
use crate::api::parse_bank;
use crate::asked::Asked;
use crate::query::{Page, Query, Which};
use crate::refusals::function_name;
use crate::service::Service;
use crate::stops::StopNote;
use axum::extract::{Path, State};
use domain::Time;
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::switches::{Cohort, Command as OfSwitches, Function, Stop, Switches};
use wallet::{Command, Noun, Receipt, Refusal, SwitchId, Tier};
use web::{Json, Problem};

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(list, set)).routes(routes!(lift))
}

/// What is to be stopped. Without a function: everything; without a bank: wherever; without a cohort: for everyone.
#[derive(Deserialize, ToSchema)]
#[schema(as = SwitchSet)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// `open`, `link`, `top_up`, `voucher`, `payment`, `send` or `payout`; without it everything.
    function: Option<String>,
    /// At which bank; without it everywhere.
    bank_code: Option<String>,
    /// For whom; without it for everyone.
    #[serde(default)]
    cohort: Whom,
    /// Why, for everyone to read.
    reason: Reason,
}

/// A stop is to be lifted.
#[derive(Deserialize, ToSchema)]
#[schema(as = SwitchLift)]
#[serde(deny_unknown_fields)]
pub struct Lift {
    /// Whether this agrees to what another person proposed.
    approve: bool,
    /// Why.
    reason: Reason,
}

/// Whom a stop concerns: all given parts must hold.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = SwitchCohort)]
#[serde(deny_unknown_fields)]
pub struct Whom {
    /// Wallets that were opened from this moment on.
    opened_from: Option<String>,
    /// Wallets that were opened before this moment.
    opened_before: Option<String>,
    /// `phone` or `identified`: whoever is not proven so far.
    tier_below: Option<String>,
    /// The domain of the holder's mail address.
    mail_domain: Option<String>,
}

/// A stop that is in force.
#[derive(Serialize, ToSchema)]
#[schema(as = Switch)]
pub struct Shown {
    /// Its id.
    id: String,
    /// What is stopped; everything without it.
    function: Option<&'static str>,
    /// At which bank; everywhere without it.
    bank_code: Option<String>,
    /// Whether no cohort is named.
    for_everyone: bool,
    /// Since when.
    since: String,
    /// Why.
    reason: Option<String>,
    /// Who set it.
    set_by: Option<Person>,
    /// Who would lift it: it waits for another person, for a day at most.
    lift: Option<Lifting>,
}

/// A lift that waits for another person.
#[derive(Serialize, ToSchema)]
#[schema(as = SwitchLifting)]
pub struct Lifting {
    /// Who would lift it.
    by: Person,
    /// Since when.
    at: String,
}

/// A stop that was set.
#[derive(Serialize, ToSchema)]
#[schema(as = SwitchIsSet)]
pub struct IsSet {
    /// Its id.
    id: String,
}

/// What came of a lift.
#[derive(Serialize, ToSchema)]
#[schema(as = SwitchLifted)]
pub struct Lifted {
    /// The stop's id.
    id: String,
    /// `in_force` until another person agrees, then `lifted`.
    status: &'static str,
}

/// What is stopped now, the newest first.
#[utoipa::path(get, path = "/desk/v1/switches", tag = "switches", params(Which), security(("desk" = [])),
    responses((status = 200, body = Page<Shown>)))]
async fn list(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Query(which): Query<Which>,
) -> Result<Json<Page<Shown>>, Problem> {
    desk.check_any()?;
    let switches = service.switches().await?;
    let shown = |stop: &Stop| Ok::<_, Problem>((stop.id.0, present(&service, &switches, stop)?));
    let all = switches.stops.iter().map(shown).collect::<Result<_, _>>()?;
    Ok(Json(which.page(&service.keys, "switches", all)?))
}

fn present(service: &Service, switches: &Switches, stop: &Stop) -> Result<Shown, Problem> {
    let lift = switches.lifts.iter().find(|lift| lift.id == stop.id);
    let note = service.doors.get::<StopNote>(stop.id.0)?;
    Ok(Shown {
        id: stop.id.to_string(),
        function: stop.function.map(function_name),
        bank_code: stop.bank.map(|bank| bank.to_string()),
        for_everyone: stop.cohort == Cohort::default(),
        since: stop.since.to_string(),
        reason: note.as_ref().map(|note| note.reason.clone()),
        set_by: note.map(|note| service.person(note.set_by)),
        lift: lift.map(|lift| Lifting { by: service.person(lift.by), at: lift.at.to_string() }),
    })
}

/// Stop something. It is in force when it is answered.
#[utoipa::path(post, path = "/desk/v1/switches", tag = "switches", request_body = Set,
    params(("Idempotency-Key" = String, Header)), security(("desk" = [])),
    responses((status = 201, body = IsSet)))]
async fn set(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Asked { body, repeat }: Asked<Set>,
) -> Result<(StatusCode, Json<IsSet>), Problem> {
    desk.check(Role::Risk)?;
    let function = body.function.as_deref().map(parse_function).transpose()?;
    let bank = body.bank_code.as_deref().map(parse_bank).transpose()?;
    let cohort = parse_cohort(&service, &body.cohort)?;
    let command = Command::Switches(OfSwitches::Set { id: SwitchId(service.id()), function, bank, cohort });
    let Receipt::Switch { id } = service.submit_for(desk, &body.reason, &repeat, command).await? else {
        return Err(Problem::internal());
    };
    // Everybody reads it beside the stop; what counts is the journal.
    let reason = body.reason.as_str().to_owned();
    let note = StopNote { switch: id, reason, set_by: desk.id, set_at: service.now(), lifted: None };
    service.doors.insert(&note)?;
    Ok((StatusCode::CREATED, Json(IsSet { id: id.to_string() })))
}

/// Lift a stop: one person proposes, another agrees.
#[utoipa::path(post, path = "/desk/v1/switches/{switch}/lift", tag = "switches", request_body = Lift,
    params(("switch" = String, Path), ("Idempotency-Key" = String, Header)), security(("desk" = [])),
    responses((status = 200, body = Lifted), (status = 202, body = Lifted)))]
async fn lift(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(id): Path<String>,
    Asked { body, repeat }: Asked<Lift>,
) -> Result<(StatusCode, Json<Lifted>), Problem> {
    desk.check(if body.approve { Role::Approver } else { Role::Risk })?;
    let unknown = || crate::refusals::problem(&Refusal::Unknown { noun: Noun::Switch });
    let id: SwitchId = id.parse().map_err(|_| unknown())?;
    let by = desk.id;
    let command = if body.approve { OfSwitches::Lift { id, by } } else { OfSwitches::ProposeLift { id, by } };
    service.submit_for(desk, &body.reason, &repeat, Command::Switches(command)).await?;
    if !body.approve {
        return Ok((StatusCode::ACCEPTED, Json(Lifted { id: id.to_string(), status: "in_force" })));
    }
    if let Some(note) = service.doors.get::<StopNote>(id.0)? {
        service.doors.put(&StopNote { lifted: Some((by, service.now())), ..note })?;
    }
    Ok((StatusCode::OK, Json(Lifted { id: id.to_string(), status: "lifted" })))
}

fn parse_function(text: &str) -> Result<Function, Problem> {
    let found = Function::STOPPABLE.into_iter().find(|function| function_name(*function) == text);
    let names = || Function::STOPPABLE.map(function_name).join(", ");
    found.ok_or_else(|| Problem::malformed(format!("One of {}.", names())).with("member", "function"))
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
