//! Challenges: where a proof that was asked for is given.

use crate::asked::{Asked, Reply};
use crate::entrance::Holder;
use crate::proofs::Challenge;
use crate::service::Service;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use web::{Json, Problem};

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(answer, show))
}

/// What the holder answers; nothing, where the way takes nothing.
#[derive(Deserialize, ToSchema)]
#[schema(as = ChallengeProof)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    code: Option<String>,
}

/// A challenge.
#[derive(Serialize, ToSchema)]
#[schema(as = ChallengeShown)]
pub struct Shown {
    id: String,
    status: &'static str,
    way: &'static str,
    url: Option<String>,
    expires_at: String,
}

impl From<Challenge> for Shown {
    fn from(challenge: Challenge) -> Self {
        Self {
            id: challenge.shown(),
            status: challenge.status.name(),
            way: challenge.way.name(),
            expires_at: challenge.expires.to_string(),
            url: challenge.url,
        }
    }
}

/// Give the proof, or begin to.
#[utoipa::path(post, path = "/v1/challenges/{challenge}", tag = "challenges", request_body = Proof,
    params(("challenge" = String, Path), ("Idempotency-Key" = String, Header)), security(("holder" = [])),
    responses((status = 200, body = Shown)))]
async fn answer(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path(challenge): Path<String>,
    Asked { body, repeat }: Asked<Proof>,
) -> Result<Reply, Problem> {
    let challenge = service.challenge_of(caller.id, &challenge)?;
    service
        .once(repeat.by(&service, caller.actor()), async {
            let shown = Shown::from(service.answer_challenge(challenge, body.code.as_deref()).await?);
            Reply::shown(StatusCode::OK, &shown)
        })
        .await
}

/// See how far a proof is.
#[utoipa::path(get, path = "/v1/challenges/{challenge}", tag = "challenges",
    params(("challenge" = String, Path)), security(("holder" = [])),
    responses((status = 200, body = Shown)))]
async fn show(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path(challenge): Path<String>,
) -> Result<Json<Shown>, Problem> {
    let mut challenge = service.challenge_of(caller.id, &challenge)?;
    // The vendor is asked so often and no more; beyond, what is known is shown.
    if challenge.vendor_id.is_some() && service.may_ask_vendor(caller.id) {
        challenge = service.answer_challenge(challenge, None).await?;
    }
    Ok(Json(challenge.into()))
}
