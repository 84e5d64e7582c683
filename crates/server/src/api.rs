//! The wallet's HTTP API under `/v1`: one room a noun. A handler parses, submits, presents; everything else is below it.

mod challenges;
mod holders;
mod identifications;
mod mandates;
mod sessions;
mod top_ups;
mod wallets;

use crate::service::Service;
use axum::Router;
use std::sync::Arc;

/// All paths.
pub fn router() -> Router<Arc<Service>> {
    Router::new()
        .merge(challenges::router())
        .merge(holders::router())
        .merge(identifications::router())
        .merge(mandates::router())
        .merge(sessions::router())
        .merge(top_ups::router())
        .merge(wallets::router())
}
