//! The wallet's HTTP API under `/v1`: one room a noun. A handler parses, submits, presents; everything else is below it.

mod banks;
mod callbacks;
mod challenges;
mod claims;
mod contact_changes;
mod health;
mod holders;
mod identifications;
pub mod ids;
mod mandates;
mod movements;
mod payments;
mod payouts;
mod recipients;
mod recoveries;
mod sends;
mod sessions;
mod settlements;
mod shops;
mod tokens;
mod top_ups;
mod vouchers;
mod wallets;
mod webhooks;

pub use callbacks::GatewayKeys;
pub use claims::{Claim, Decision, MakeClaim, parse as parse_claim, shown as claim_name};
pub use mandates::parse_bank;
pub use recipients::Look;
pub use recoveries::Recovery;
pub use sessions::SeenProof;
pub use wallets::parse_id as wallet_id;

use crate::openapi;
use crate::service::Service;
use axum::Router;
use std::sync::Arc;
use utoipa::openapi::security::SecurityRequirement;
use utoipa_axum::router::OpenApiRouter;

/// All paths.
pub fn router() -> Router<Arc<Service>> {
    openapi::served(people(), money())
}

/// All paths, as they are described.
#[cfg(test)]
pub fn document() -> String {
    openapi::document(people(), money())
}

/// The paths that the desk has from here.
pub fn of_desk() -> OpenApiRouter<Arc<Service>> {
    let mut webhooks = OpenApiRouter::new().nest("/desk", webhooks::router());
    for path in webhooks.get_openapi_mut().paths.paths.values_mut() {
        let operations = [&mut path.get, &mut path.post, &mut path.patch, &mut path.delete];
        for operation in operations.into_iter().flatten() {
            operation.security = Some(vec![SecurityRequirement::new("desk", Vec::<String>::new())]);
        }
    }
    webhooks.merge(tokens::desk_router())
}

/// The paths of people.
fn people() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .merge(banks::router())
        .merge(callbacks::router())
        .merge(challenges::router())
        .merge(contact_changes::router())
        .merge(health::router())
        .merge(holders::router())
        .merge(identifications::router())
        .merge(mandates::router())
        .merge(recoveries::router())
        .merge(sessions::router())
        .merge(top_ups::router())
        .merge(wallets::router())
}

/// The paths of money.
fn money() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .merge(claims::router())
        .merge(movements::router())
        .merge(payments::router())
        .merge(payouts::router())
        .merge(recipients::router())
        .merge(sends::router())
        .merge(settlements::router())
        .merge(shops::router())
        .merge(tokens::router())
        .merge(vouchers::router())
        .merge(webhooks::router())
}
