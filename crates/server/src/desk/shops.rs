//! Shops: who takes payments. A shop's token is shown once; a repeat of the request makes another one.

use crate::asked::Asked;
use crate::entrance::Desk;
use crate::profile::NAME_CHARACTERS_MAX;
use crate::service::Service;
use crate::shops::{PURPOSE, ShopName, ShopToken};
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use wallet::{Command, Receipt, ShopId, shop};
use web::{Json, Problem, chance};

/// The paths of this room.
pub fn router() -> Router<Arc<Service>> {
    Router::new().route("/desk/v1/shops", post(open))
}

/// A shop that joins.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    name: String,
}

/// A shop with its token.
#[derive(Serialize)]
pub struct Opened {
    id: String,
    name: String,
    token: String,
}

async fn open(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Asked { body, repeat }: Asked<Open>,
) -> Result<(StatusCode, Json<Opened>), Problem> {
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
    service.doors.change(|doors| {
        doors.put(&ShopName { shop: id, name: name.clone() })?;
        doors.put(&kept).map_err(Problem::from)
    })?;
    Ok((StatusCode::CREATED, Json(Opened { id: id.to_string(), name, token: token.expose().clone() })))
}
