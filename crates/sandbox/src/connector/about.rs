//! What a bank says of itself: its name, whether it has a page of its own, and what it asks for.

use super::BankDesk;
use crate::domain::Row;
use axum::extract::State as Shared;
use serde::Serialize;
use web::{Json, Problem};

#[derive(Serialize)]
pub(super) struct About {
    code: String,
    name: &'static str,
    own_page: bool,
    factors: Vec<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
}

pub(super) async fn about(Shared(BankDesk { state, bank }): Shared<BankDesk>) -> Result<Json<About>, Problem> {
    let facts = state.registry.bank(bank);
    let row = state.world.read(bank.key()).await?;
    let factors = row.as_deref().map(Row::bank).map(|bank| bank.factors.iter().map(|set| set.names()).collect());
    Ok(Json(About {
        code: bank.to_string(),
        name: facts.name_full,
        own_page: facts.own_page,
        factors: factors.unwrap_or_default(),
        issuer: facts.own_page.then(|| state.options.origins.own(&format!("bank-{bank}"))),
    }))
}
