//! The operator's desk under `/desk/v1`, at a host of its own: what waits for a decision, cases and where their money is, claims,
//! switches, freezes, shops, the day's figures, who did what. Everything is asked under the name of whoever asks, who has the role that it takes; what moves other
//! people's money takes two of them.

mod audit;
mod cases;
mod claims;
mod controls;
mod figures;
mod held;
mod movements;
mod notices;
mod people;
mod reimbursements;
mod reports;
mod rules;
mod shops;
mod switches;
mod trace;
mod vouchers;
mod wallets;

pub use people::{Desk, Role, Staff};

use crate::service::Service;
use crate::{api, openapi};
use axum::Router;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;

/// All paths.
pub fn router() -> Router<Arc<Service>> {
    openapi::served_desk(rooms())
}

/// All paths, as they are described.
#[cfg(test)]
pub fn document() -> String {
    openapi::desk_document(rooms())
}

fn rooms() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .merge(audit::router())
        .merge(cases::router())
        .merge(claims::router())
        .merge(controls::router())
        .merge(figures::router())
        .merge(held::router())
        .merge(movements::router())
        .merge(notices::router())
        .merge(reimbursements::router())
        .merge(reports::router())
        .merge(rules::router())
        .merge(shops::router())
        .merge(switches::router())
        .merge(trace::router())
        .merge(vouchers::router())
        .merge(wallets::router())
        .merge(api::of_desk())
}
