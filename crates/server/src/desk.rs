//! The operator's desk under `/desk/v1`, at a host of its own: shops, switches, freezes, what waits for a decision, the day's
//! figures. Everything is asked under the name of whoever asks; what moves other people's money takes two of them.

mod figures;
mod movements;
mod shops;
mod switches;
mod vouchers;
mod wallets;

use crate::service::Service;
use axum::Router;
use std::sync::Arc;

/// All paths.
pub fn router() -> Router<Arc<Service>> {
    Router::new()
        .merge(figures::router())
        .merge(movements::router())
        .merge(shops::router())
        .merge(switches::router())
        .merge(vouchers::router())
        .merge(wallets::router())
}
