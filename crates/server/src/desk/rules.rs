//! The rules of monitoring: what is watched for, what is said of it, and by which code journal and desk know the rule. They are
//! dated with the policy in which they stand.

use super::people::Desk;
use crate::query::{Page, Query};
use crate::refusals::function_name;
use crate::service::Service;
use axum::extract::State;
use domain::Day;
use ledger::Yen;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::Proof;
use wallet::guard::{self, Rule, Verdict};
use web::{Json, Problem};

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Of which day.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// The business date (Asia/Tokyo) on which they are, or will be, in force; without it today.
    day: Option<String>,
}

/// A rule.
#[derive(Serialize, ToSchema)]
#[schema(as = MonitoringRule)]
pub struct Shown {
    /// The code by which journal and desk know it; none where it only asks for a proof.
    reason: Option<u16>,
    /// Which attempts it looks at.
    functions: Vec<&'static str>,
    /// It strikes where all of these hold that are given.
    when: When,
    /// What it says then: `allow`, `step_up`, `hold`, `refuse`.
    verdict: &'static str,
    /// Which proof it asks for, if it does: `second_factor` or `identity`.
    proof: Option<&'static str>,
}

/// When a rule strikes.
#[derive(Serialize, ToSchema)]
#[schema(as = MonitoringRuleWhen)]
pub struct When {
    /// The wallet was opened so many milliseconds ago, or less.
    opened_within_ms: Option<i64>,
    /// The link that is used was asked for so many milliseconds ago, or less.
    linked_within_ms: Option<i64>,
    /// So many yen or more were topped up on the same business date, what is attempted included.
    topped_up_from: Option<i64>,
    /// The same of that business date and the one before.
    topped_up_lately_from: Option<i64>,
    /// So many attempts or more were refused on the same business date.
    refused_from: Option<u32>,
}

/// What is watched for on a day, and what is done about it.
#[utoipa::path(get, path = "/desk/v1/rules", tag = "controls", params(Which), security(("desk" = [])),
    responses((status = 200, body = Page<Shown>)))]
async fn list(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Query(which): Query<Which>,
) -> Result<Json<Page<Shown>>, Problem> {
    desk.check_any()?;
    let day = which.day.as_deref().map_or_else(|| Ok(service.now().day()), parse_day)?;
    let rules = &service.options.context.policies.on(day).monitoring;
    Ok(Json(Page { data: rules.iter().map(shown).collect(), next_cursor: None }))
}

/// The business date that `text` names.
pub fn parse_day(text: &str) -> Result<Day, Problem> {
    let date = text.parse::<jiff::civil::Date>().ok().map(Day::from);
    date.ok_or_else(|| Problem::malformed("A date is written as 2020-09-08.").with("member", "day"))
}

fn shown(rule: &Rule) -> Shown {
    let (verdict, reason, proof) = match rule.verdict {
        Verdict::Allow => ("allow", None, None),
        Verdict::StepUp(Proof::SecondFactor) => ("step_up", None, Some("second_factor")),
        Verdict::StepUp(Proof::Identity) => ("step_up", None, Some("identity")),
        Verdict::Hold { reason } => ("hold", Some(reason), None),
        Verdict::Refuse { reason } => ("refuse", Some(reason), None),
    };
    // All of it by name: what a rule comes to look at is shown, or this does not build.
    let guard::When { opened_within_ms, linked_within_ms, topped_up_from, topped_up_lately_from, refused_from } =
        rule.when;
    let when = When {
        opened_within_ms,
        linked_within_ms,
        topped_up_from: topped_up_from.map(Yen::amount),
        topped_up_lately_from: topped_up_lately_from.map(Yen::amount),
        refused_from,
    };
    let functions = rule.functions.iter().map(|function| function_name(*function)).collect();
    Shown { reason, functions, when, verdict, proof }
}
