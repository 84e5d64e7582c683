//! The gateway's API, `/gateway/v1`: a handler parses, submits and presents.
//!
//! Everything that an operator asks for carries the operator's own reference, so every write can be repeated. What is
//! another operator's is not found.
//! Start reading at [`router`], then at `debits`.

mod debits;
pub mod problem;

use crate::gateway::Gateway;
use axum::Router;
use axum::routing::{get, post};

/// All paths.
pub fn router() -> Router<Gateway> {
    Router::new()
        .route("/gateway/v1/debits", post(debits::request))
        .route("/gateway/v1/debits/{reference}", get(debits::inquire))
}
