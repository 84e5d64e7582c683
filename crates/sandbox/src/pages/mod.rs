//! The sandbox's own pages: what is here, the inbox, the banks and their people, the clock. For this machine alone.

pub(crate) mod bank;
mod banks;
mod clock;
mod front;
mod inbox;

use crate::state::{State, local_only};
use axum::Router;
use axum::middleware::from_fn;
use axum::routing::get;
use maud::Markup;
use std::sync::Arc;
use web::page::{Page, SANDBOX, Words};

/// Where the clock is shown and advanced.
pub(crate) const CLOCK: &str = "/clock";

pub(crate) fn router(state: &Arc<State>) -> Router {
    Router::new()
        .route("/", get(front::front))
        .route("/inbox", get(inbox::inbox))
        .route("/banks", get(banks::banks))
        .route("/banks/{code}", get(banks::bank))
        .route("/banks/{code}/accounts/{number}", get(banks::account).post(banks::confirm))
        .route(CLOCK, get(clock::clock).post(clock::advance))
        .layer(from_fn(local_only))
        .with_state(Arc::clone(state))
        .merge(web::page::assets())
}

/// A page of the sandbox.
fn shown(ja: &'static str, en: &'static str, body: Markup) -> Page {
    Page { title: Words { ja, en }, banner: Some(SANDBOX), form_origins: Vec::new(), body }
}

/// Yen as people read them.
fn yen(amount: i64) -> String {
    let digits = amount.unsigned_abs().to_string();
    let mut text = if amount < 0 { "-".to_owned() } else { String::new() };
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn yen_are_written_in_groups_of_three() {
        for (amount, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (-300_000, "-300,000"), (1_234_567, "1,234,567")]
        {
            assert_eq!(super::yen(amount), text);
        }
    }
}
