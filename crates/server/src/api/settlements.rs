//! Settlements: what moved between a shop and us, a business date a line, newest first.

use crate::entrance::Shop;
use crate::query::{self, Page, Query, Which};
use crate::service::Service;
use crate::webhooks::feed::Settlement;
use axum::extract::State;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use web::{Json, Problem};

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// What moved on one business date (Asia/Tokyo).
#[derive(Serialize, ToSchema)]
pub struct ShownSettlement {
    /// Its id: the date's.
    id: String,
    /// The date.
    date: String,
    /// `open` while the date lasts, then `closed`.
    status: &'static str,
    /// How many payments were captured.
    payments: u64,
    /// What they came to, in yen.
    captured: i64,
    /// How many refunds were made.
    refunds: u64,
    /// What they came to, in yen.
    refunded: i64,
    /// What the shop is owed for the date, in yen.
    net: i64,
}

/// What the shop is owed, date by date.
#[utoipa::path(get, path = "/v1/settlements", tag = "shop", params(Which), security(("shop" = [])),
    responses((status = 200, body = Page<ShownSettlement>)))]
async fn list(
    State(service): State<Arc<Service>>,
    shop: Shop,
    Query(which): Query<Which>,
) -> Result<Json<Page<ShownSettlement>>, Problem> {
    let limit = query::limit(which.limit)?;
    let list = format!("settlements of {}", shop.0);
    let before = which.place(&service.keys, &list)?;
    let (rows, next) = service.work.newest::<Settlement>(shop.0.0, before, limit)?;
    let today = service.now().day();
    let shown = |row: &Settlement| ShownSettlement {
        id: format!("stl_{}", row.day),
        date: row.day.to_string(),
        status: if row.day < today { "closed" } else { "open" },
        payments: row.payments,
        captured: row.captured,
        refunds: row.refunds,
        refunded: row.refunded,
        net: row.captured - row.refunded,
    };
    let next_cursor = next.map(|id| query::cursor(&service.keys, &list, &id.0));
    Ok(Json(Page { data: rows.iter().map(shown).collect(), next_cursor }))
}
