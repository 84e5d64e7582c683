//! Controls: the values of the policy that keep fraud out, and how the desk changes them. What makes one stronger is in force when
//! it is answered; what makes one weaker waits for another person. The journal has who said what, and who agreed.

use super::people::{Because, Desk, Person, Reason, Role};
use crate::asked::Asked;
use crate::query::Page;
use crate::refusals;
use crate::service::Service;
use axum::extract::{Path, State};
use http::StatusCode;
use ledger::Yen;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::adjustment::{Adjusted, Adjustment};
use wallet::switches::{Command as OfSwitches, KEY, Switches};
use wallet::{Command, Noun, Policy, Receipt, Refusal, Row, SwitchId, Tier, adjustment};
use web::{Json, Problem};

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(adjust)).routes(routes!(approve))
}

/// What a control is to be.
#[derive(Deserialize, ToSchema)]
#[schema(as = ControlSet)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// Yen, `true` or `false`, or `email`, `phone` or `identified`: as the control has it.
    value: Value,
    /// Why.
    reason: Reason,
}

/// A control.
#[derive(Serialize, ToSchema)]
#[schema(as = Control)]
pub struct Shown {
    /// Its name.
    control: &'static str,
    /// What it is now.
    value: Value,
    /// The same, before anybody adjusted it.
    dated: Value,
    /// Who made it so, if anybody did.
    set: Option<Change>,
    /// What waits for another person.
    proposed: Option<Change>,
}

/// A change of a control.
#[derive(Serialize, ToSchema)]
#[schema(as = ControlChange)]
pub struct Change {
    /// Its id.
    id: String,
    /// To what.
    value: Value,
    /// Who proposed it, or set it.
    by: Person,
    /// Who agreed, where it took two.
    approved_by: Option<Person>,
    /// Since when.
    at: String,
}

/// Every control with its value, who set it, and what waits for another person.
#[utoipa::path(get, path = "/desk/v1/controls", tag = "controls", security(("desk" = [])),
    responses((status = 200, body = Page<Shown>)))]
async fn list(State(service): State<Arc<Service>>, desk: Desk) -> Result<Json<Page<Shown>>, Problem> {
    desk.check_any()?;
    let (switches, dated) = (service.switches().await?, service.options.context.policies.on(service.now().day()));
    let now = adjustment::in_force(Some(&switches), &service.options.context, service.now());
    let all = Adjustment::all_of(&now).into_iter().zip(Adjustment::all_of(dated));
    let data = all.map(|(now, dated)| shown(&service, &switches, now, dated)).collect();
    Ok(Json(Page { data, next_cursor: None }))
}

/// Set a control. 200 where it is in force, 202 where it weakens and waits for another person.
#[utoipa::path(post, path = "/desk/v1/controls/{control}", tag = "controls", request_body = Set,
    params(("control" = String, Path), ("Idempotency-Key" = String, Header)), security(("desk" = [])),
    responses((status = 200, body = Shown), (status = 202, body = Shown)))]
async fn adjust(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(control): Path<String>,
    Asked { body, repeat }: Asked<Set>,
) -> Result<(StatusCode, Json<Shown>), Problem> {
    desk.check(Role::Risk)?;
    let adjustment = parse(service.options.context.policies.on(service.now().day()), &control, &body.value)?;
    let (id, by) = (SwitchId(service.id()), desk.id);
    let command = Command::Switches(OfSwitches::Adjust { id, adjustment, by });
    let Receipt::Switch { id } = service.submit_for(desk, &body.reason, &repeat, command).await? else {
        return Err(Problem::internal());
    };
    let switches = service.switches().await?;
    let waits = switches.proposed.iter().any(|proposed| proposed.id == id);
    let status = if waits { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(one(&service, &switches, adjustment))))
}

/// Agree to what another person proposed.
#[utoipa::path(post, path = "/desk/v1/control-changes/{change}/approval", tag = "controls", request_body = Because,
    params(("change" = String, Path), ("Idempotency-Key" = String, Header)), security(("desk" = [])),
    responses((status = 200, body = Shown)))]
async fn approve(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(change): Path<String>,
    Asked { body, repeat }: Asked<Because>,
) -> Result<Json<Shown>, Problem> {
    desk.check(Role::Approver)?;
    let unknown = || refusals::problem(&Refusal::Unknown { noun: Noun::Switch });
    let id: SwitchId = change.parse().map_err(|_| unknown())?;
    let command = Command::Switches(OfSwitches::Approve { id, by: desk.id });
    service.submit_for(desk, &body.reason, &repeat, command).await?;
    let switches = service.switches().await?;
    let adjusted = switches.adjusted.iter().find(|adjusted| adjusted.id == id).copied();
    let adjusted = adjusted.ok_or_else(Problem::internal)?;
    Ok(Json(one(&service, &switches, adjusted.adjustment)))
}

impl Service {
    /// The switches as they stand.
    pub async fn switches(&self) -> Result<Switches, Problem> {
        match self.row(KEY).await?.as_deref() {
            Some(Row::Switches(switches)) => Ok(switches.clone()),
            Some(_) | None => Ok(Switches::default()),
        }
    }

    /// The policy in force.
    pub async fn policy(&self) -> Result<Policy, Problem> {
        let switches = self.switches().await?;
        Ok(adjustment::in_force(Some(&switches), &self.options.context, self.now()).into_owned())
    }
}

fn one(service: &Service, switches: &Switches, kind: Adjustment) -> Shown {
    let context = &service.options.context;
    let of_kind = |policy: &Policy| Adjustment::all_of(policy).into_iter().find(|each| each.is_of_kind(kind));
    let now = of_kind(&adjustment::in_force(Some(switches), context, service.now())).unwrap_or(kind);
    let dated = of_kind(context.policies.on(service.now().day())).unwrap_or(kind);
    shown(service, switches, now, dated)
}

fn shown(service: &Service, switches: &Switches, now: Adjustment, dated: Adjustment) -> Shown {
    let change = |all: &[Adjusted]| {
        let found = all.iter().find(|adjusted| adjusted.adjustment.is_of_kind(now));
        found.map(|adjusted| Change {
            id: adjusted.id.to_string(),
            value: value(adjusted.adjustment),
            by: service.person(adjusted.by),
            approved_by: adjusted.approved_by.map(|by| service.person(by)),
            at: adjusted.at.to_string(),
        })
    };
    let (set, proposed) = (change(&switches.adjusted), change(&switches.proposed));
    Shown { control: now.name(), value: value(now), dated: value(dated), set, proposed }
}

fn value(adjustment: Adjustment) -> Value {
    match adjustment {
        Adjustment::LinkTier(tier) | Adjustment::TopUpTier(tier) => json!(tier.name()),
        Adjustment::LinkPhone(is_on)
        | Adjustment::StrongFactor(is_on)
        | Adjustment::Name(is_on)
        | Adjustment::BirthDate(is_on)
        | Adjustment::Notice(is_on)
        | Adjustment::TopUpNewDevice(is_on)
        | Adjustment::LinkNewDevice(is_on) => json!(is_on),
        Adjustment::UnconfirmedPerDay(yen)
        | Adjustment::UnconfirmedTotal(yen)
        | Adjustment::TopUpPerTime(yen)
        | Adjustment::TopUpPerMonth(yen)
        | Adjustment::TopUpRolling(yen)
        | Adjustment::TopUpUnproven(yen)
        | Adjustment::Young(yen)
        | Adjustment::YoungSend(yen)
        | Adjustment::NewLink(yen)
        | Adjustment::NewLinks(yen)
        | Adjustment::YoungProven(yen)
        | Adjustment::PaymentUnproven(yen) => json!(yen.amount()),
    }
}

/// The adjustment of the control called `name` to `value`, whose kind must be the control's.
fn parse(policy: &Policy, name: &str, value: &Value) -> Result<Adjustment, Problem> {
    let kind = Adjustment::all_of(policy).into_iter().find(|each| each.name() == name);
    let kind = kind.ok_or_else(|| Problem::not_found().with("noun", "control"))?;
    let wrong = |what: &'static str| Problem::malformed(what).with("member", "value");
    let tier = || {
        let tiers = [Tier::Email, Tier::Phone, Tier::Identified];
        let found = tiers.into_iter().find(|tier| value.as_str() == Some(tier.name()));
        found.ok_or_else(|| wrong("email, phone or identified."))
    };
    let is_on = || value.as_bool().ok_or_else(|| wrong("true or false."));
    let yen = || value.as_i64().and_then(Yen::checked).ok_or_else(|| wrong("Whole yen, zero or more."));
    Ok(match kind {
        Adjustment::LinkTier(_) => Adjustment::LinkTier(tier()?),
        Adjustment::LinkPhone(_) => Adjustment::LinkPhone(is_on()?),
        Adjustment::StrongFactor(_) => Adjustment::StrongFactor(is_on()?),
        Adjustment::Name(_) => Adjustment::Name(is_on()?),
        Adjustment::BirthDate(_) => Adjustment::BirthDate(is_on()?),
        Adjustment::Notice(_) => Adjustment::Notice(is_on()?),
        Adjustment::UnconfirmedPerDay(_) => Adjustment::UnconfirmedPerDay(yen()?),
        Adjustment::UnconfirmedTotal(_) => Adjustment::UnconfirmedTotal(yen()?),
        Adjustment::TopUpTier(_) => Adjustment::TopUpTier(tier()?),
        Adjustment::TopUpPerTime(_) => Adjustment::TopUpPerTime(yen()?),
        Adjustment::TopUpPerMonth(_) => Adjustment::TopUpPerMonth(yen()?),
        Adjustment::TopUpRolling(_) => Adjustment::TopUpRolling(yen()?),
        Adjustment::TopUpUnproven(_) => Adjustment::TopUpUnproven(yen()?),
        Adjustment::Young(_) => Adjustment::Young(yen()?),
        Adjustment::YoungSend(_) => Adjustment::YoungSend(yen()?),
        Adjustment::NewLink(_) => Adjustment::NewLink(yen()?),
        Adjustment::NewLinks(_) => Adjustment::NewLinks(yen()?),
        Adjustment::YoungProven(_) => Adjustment::YoungProven(yen()?),
        Adjustment::PaymentUnproven(_) => Adjustment::PaymentUnproven(yen()?),
        Adjustment::TopUpNewDevice(_) => Adjustment::TopUpNewDevice(is_on()?),
        Adjustment::LinkNewDevice(_) => Adjustment::LinkNewDevice(is_on()?),
    })
}
