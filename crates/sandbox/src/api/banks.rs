//! Banks as the sandbox's API shows them, and the two things that can be set: what they ask for, how they misbehave.

use crate::domain::bank::{self, Bank, Booking, Factor, FactorSet, Faults};
use crate::domain::{Command, Row};
use crate::registry::BankFacts;
use crate::state::State;
use axum::extract::{Path, State as Shared};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use web::{Json, Problem};

#[derive(Serialize)]
pub(super) struct Banks {
    data: Vec<Value>,
    next_cursor: Option<String>,
}

pub(super) async fn list(Shared(state): Shared<Arc<State>>) -> Result<Json<Banks>, Problem> {
    let mut data = Vec::new();
    for facts in state.registry.banks() {
        data.push(shown(&state, facts).await?);
    }
    Ok(Json(Banks { data, next_cursor: None }))
}

pub(super) async fn find(Shared(state): Shared<Arc<State>>, Path(code): Path<String>) -> Result<Json<Value>, Problem> {
    let code = state.bank(&code)?;
    Ok(Json(shown(&state, state.registry.bank(code)).await?))
}

async fn shown(state: &State, facts: &BankFacts) -> Result<Value, Problem> {
    let row = state.world.read(facts.code.key()).await?;
    let bank = row.as_deref().map(Row::bank);
    let accounts = super::accounts::numbers(state, facts.code, None, usize::MAX).len();
    Ok(json!({
        "code": facts.code.to_string(),
        "name": facts.name_full,
        "own_page": facts.own_page,
        "origin": state.options.origins.own(&format!("bank-{}", facts.code)),
        "factors": bank.map(factor_names).unwrap_or_default(),
        "faults": bank.map(|bank| fault_members(bank.faults)),
        "branches": facts.branches.iter().map(|branch| json!({
            "code": format!("{:03}", branch.code), "name": branch.name,
        })).collect::<Vec<_>>(),
        "accounts": accounts,
    }))
}

fn factor_names(bank: &Bank) -> Vec<Vec<&'static str>> {
    bank.factors.iter().map(|set| set.names()).collect()
}

fn fault_members(faults: Faults) -> Value {
    json!({
        "latency_ms": faults.latency_ms,
        "silent": faults.silent,
        "down": faults.down,
        "wrong_amount": faults.booking == Booking::OneYenMore,
        "credits": credits_name(faults.booking),
        "duplicate": faults.duplicate,
        "lose_answer_after_debit": faults.lose_answer_after_debit,
        "error_rate": f64::from(faults.errors_per_mille) / 1_000.0,
        "not_found_for_seconds": faults.not_found_for_seconds,
        "late_seconds": faults.late_seconds,
    })
}

const fn credits_name(booking: Booking) -> Option<&'static str> {
    match booking {
        Booking::AsAsked | Booking::OneYenMore => None,
        Booking::CreditsRefused => Some("refused"),
        Booking::CreditsTwice => Some("twice"),
        Booking::CreditsUnmade => Some("unmade"),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Policy {
    /// Sets of which any suffices.
    factors: Vec<Vec<String>>,
}

pub(super) async fn set_factors(
    Shared(state): Shared<Arc<State>>,
    Path(code): Path<String>,
    Json(policy): Json<Policy>,
) -> Result<Json<Value>, Problem> {
    let bank = state.bank(&code)?;
    let set = |names: &Vec<String>| -> Option<FactorSet> { names.iter().map(|name| Factor::parse(name)).collect() };
    let sets: Option<Vec<FactorSet>> = policy.factors.iter().map(set).collect();
    let names = Factor::ALL.map(Factor::name);
    let sets =
        sets.ok_or_else(|| Problem::malformed("A factor has one of the names in `known`.").with("known", names))?;
    state.world.submit(Command::Bank(bank::Command::SetFactors { bank, sets })).await?;
    find(Shared(state), Path(code)).await
}

/// All faults; what is left out is off.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "each fault is on or off by itself")]
pub(super) struct WireFaults {
    latency_ms: u32,
    silent: bool,
    down: bool,
    wrong_amount: bool,
    credits: Option<WireCredits>,
    duplicate: bool,
    lose_answer_after_debit: bool,
    /// From 0 to 1.
    error_rate: f64,
    not_found_for_seconds: u32,
    late_seconds: u32,
}

/// What a bank does with credits instead of booking them once.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireCredits {
    Refused,
    Twice,
    Unmade,
}

impl WireFaults {
    /// How the bank books: one thing that is wrong with it, at most.
    fn booking(&self) -> Result<Booking, Problem> {
        match (self.wrong_amount, self.credits) {
            (false, None) => Ok(Booking::AsAsked),
            (true, None) => Ok(Booking::OneYenMore),
            (false, Some(WireCredits::Refused)) => Ok(Booking::CreditsRefused),
            (false, Some(WireCredits::Twice)) => Ok(Booking::CreditsTwice),
            (false, Some(WireCredits::Unmade)) => Ok(Booking::CreditsUnmade),
            (true, Some(_)) => {
                let what = "A bank books a wrong amount or does something else with credits, not both.";
                Err(Problem::malformed(what).with("member", "credits"))
            }
        }
    }
}

pub(super) async fn set_faults(
    Shared(state): Shared<Arc<State>>,
    Path(code): Path<String>,
    Json(wire): Json<WireFaults>,
) -> Result<Json<Value>, Problem> {
    let bank = state.bank(&code)?;
    if !(0.0..=1.0).contains(&wire.error_rate) {
        return Err(Problem::malformed("An error rate is from 0 to 1.").with("member", "error_rate"));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked just above")]
    let errors_per_mille = (wire.error_rate * 1_000.0).round() as u16;
    let faults = Faults {
        latency_ms: wire.latency_ms,
        silent: wire.silent,
        down: wire.down,
        booking: wire.booking()?,
        duplicate: wire.duplicate,
        lose_answer_after_debit: wire.lose_answer_after_debit,
        errors_per_mille,
        not_found_for_seconds: wire.not_found_for_seconds,
        late_seconds: wire.late_seconds,
    };
    state.world.submit(Command::Bank(bank::Command::SetFaults { bank, faults })).await?;
    find(Shared(state), Path(code)).await
}
