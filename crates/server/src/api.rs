//! The wallet's HTTP API under `/v1`: one room a noun. A handler parses, submits, presents; everything else is below it.

mod holders;
mod sessions;

use crate::service::Service;
use axum::Router;
use std::sync::Arc;

/// All paths.
pub fn router() -> Router<Arc<Service>> {
    Router::new().merge(holders::router()).merge(sessions::router())
}
