//! The gateway's API, `/gateway/v1`: a handler parses, submits and presents.
//!
//! Everything that an operator asks for carries the operator's own reference, so every write can be repeated. What is
//! another operator's is not found.
//! Start reading at [`router`], then at `debits`.

pub(crate) mod attempts;
mod banks;
pub(crate) mod callbacks;
mod credits;
mod debits;
mod events;
pub mod findings;
pub mod lists;
mod mandates;
mod metrics;
pub mod problem;

pub use events::{event as told_event, told_after, told_since};
pub use metrics::Figures;

use crate::gateway::Gateway;
use axum::Router;
use axum::routing::{get, post, put};

/// All paths.
pub fn router() -> Router<Gateway> {
    Router::new()
        .route("/gateway/v1/debits", post(debits::request))
        .route("/gateway/v1/debits/{reference}", get(debits::inquire))
        .route("/gateway/v1/debits/{reference}/return", post(debits::give_back))
        .route("/gateway/v1/returns/{reference}", get(debits::inquire_return))
        .route("/gateway/v1/credits", post(credits::request))
        .route("/gateway/v1/credits/{reference}", get(credits::inquire))
        .route("/gateway/v1/mandates", get(mandates::list))
        .route("/gateway/v1/mandates/{mandate}", get(mandates::show))
        .route("/gateway/v1/mandates/{mandate}/revoke", post(mandates::revoke))
        .route("/gateway/v1/events", get(events::list))
        .route("/gateway/v1/banks", get(banks::list))
        .route("/gateway/v1/banks/{code}/switches/{function}", put(banks::switch))
        .route("/gateway/v1/banks/{code}/reconciliation", get(banks::reconciliation))
        .route("/metrics", get(metrics::show))
        .route("/gateway/v1/findings", get(findings::list))
        .route("/gateway/v1/findings/{id}/resolution", post(findings::resolve))
        .route("/gateway/v1/bank-callbacks/{code}", post(callbacks::hear))
        .route("/gateway/v1/bank-attempts/{code}", post(attempts::hear))
        .route("/gateway/v1/bank-attempts/{code}/key", get(attempts::key))
}
