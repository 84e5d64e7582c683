//! Shops: who takes payments. A shop's token is shown once; a repeat of the request says so.

use super::people::{Desk, Role};
use crate::asked::Asked;
use crate::profile::NAME_CHARACTERS_MAX;
use crate::refusals;
use crate::service::Service;
use crate::shops::{PURPOSE, ShopName, ShopToken};
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::{Command, Receipt, ShopId, shop};
use web::{Json, Problem, chance};

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(open))
}

/// A shop that joins.
#[derive(Deserialize, ToSchema)]
#[schema(as = ShopOpen)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// What its customers know it by: 1 to 64 characters.
    name: String,
}

/// A shop with its token.
#[derive(Serialize, ToSchema)]
#[schema(as = ShopOpened)]
pub struct Opened {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// What it shows when it asks; it is shown once.
    token: String,
}

/// Open a shop.
#[utoipa::path(post, path = "/desk/v1/shops", tag = "shops", request_body = Open,
    params(("Idempotency-Key" = String, Header)), security(("desk" = [])),
    responses((status = 201, body = Opened)))]
async fn open(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Asked { body, repeat }: Asked<Open>,
) -> Result<(StatusCode, Json<Opened>), Problem> {
    desk.check(Role::Sales)?;
    let name = body.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > NAME_CHARACTERS_MAX || name.chars().any(char::is_control) {
        return Err(Problem::malformed("A shop's name has 1 to 64 characters.").with("member", "name"));
    }
    let request = repeat.by(&service, desk.actor());
    let command = Command::Shop(shop::Command::Open { shop: ShopId(service.id()) });
    let Receipt::Shop { id } = service.submit(desk.actor(), Some(request), command).await? else {
        return Err(Problem::internal());
    };
    let token = chance::token(service.outside.chance.as_ref());
    let hash = service.keys.secret(PURPOSE, token.expose());
    let kept = ShopToken { token: hash, shop: id, name: service.id(), made: service.now(), until: None };
    // A repeat finds the name, and makes nothing; only where a crash came before it does it go on with what was begun.
    service.doors.change(|doors| {
        if !doors.insert(&ShopName { shop: id, name: name.clone() })? {
            return Err(shown_once(id));
        }
        Ok(doors.put(&kept)?)
    })?;
    Ok((StatusCode::CREATED, Json(Opened { id: id.to_string(), name, token: token.expose().clone() })))
}

fn shown_once(shop: ShopId) -> Problem {
    refusals::shown_once(
        "It is made already; its token is shown once.",
        "作成済みです。トークンは一度だけ表示されます。",
    )
    .detail("POST /desk/v1/shops/{shop}/tokens makes another one.")
    .with("id", shop.to_string())
}
