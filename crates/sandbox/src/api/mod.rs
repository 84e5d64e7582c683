//! `/sandbox/v1`: what a test, a drill or a curious person says to the sandbox. For this machine alone.

pub(crate) mod accounts;
mod banks;
mod clock;
mod holders;
mod identity;
mod inbox;
mod operator;
mod relay;

use crate::state::{State, local_only};
use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post, put};
use std::sync::Arc;

/// Where the clock is shown and advanced.
pub(crate) const CLOCK: &str = "/sandbox/v1/clock";

/// Every path of the sandbox's own API.
pub(crate) fn router(state: &Arc<State>) -> Router {
    Router::new()
        .route("/sandbox/v1/banks", get(banks::list))
        .route("/sandbox/v1/banks/{code}", get(banks::find))
        .route("/sandbox/v1/banks/{code}/factors", put(banks::set_factors))
        .route("/sandbox/v1/banks/{code}/faults", put(banks::set_faults))
        .route("/sandbox/v1/banks/{code}/accounts", get(accounts::list).post(accounts::open))
        .route("/sandbox/v1/banks/{code}/accounts/{number}", get(accounts::find))
        .route("/sandbox/v1/banks/{code}/accounts/{number}/statement", get(accounts::statement))
        .route("/sandbox/v1/banks/{code}/accounts/{number}/unlock", post(accounts::unlock))
        .route("/sandbox/v1/banks/{code}/accounts/{number}/stop-debits", post(accounts::stop_debits))
        .route("/sandbox/v1/banks/{code}/accounts/{number}/confirmations", post(accounts::confirm))
        .route("/sandbox/v1/banks/{code}/movements/{direction}/{reference}/reverse", post(accounts::reverse))
        .route("/sandbox/v1/banks/{code}/app-approvals", post(accounts::approve))
        .route("/sandbox/v1/holders", post(holders::make_holder))
        .route("/sandbox/v1/shops", post(holders::make_shop))
        .route("/sandbox/v1/identity", get(identity::script).put(identity::set_script))
        .route("/sandbox/v1/second-operator/requests", post(operator::ask))
        .route("/sandbox/v1/second-operator/links", post(operator::link))
        .route("/sandbox/v1/second-operator/links/{id}", get(operator::find))
        .route(crate::operator::CALLBACK, get(operator::come_back))
        .route("/sandbox/v1/inbox", get(inbox::list))
        .route(CLOCK, get(clock::show).post(clock::change))
        .layer(from_fn(local_only))
        .with_state(Arc::clone(state))
}
