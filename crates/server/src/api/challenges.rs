//! Challenges: where a proof that was asked for is given.

use crate::asked::{Asked, Reply};
use crate::entrance::Holder;
use crate::identity::Status;
use crate::proofs::{CHALLENGE_MS, Challenge, Way};
use crate::service::Service;
use crate::tallies::DAY_MS;
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
    if !challenge.is_open(service.now()) {
        // Nothing can come of it any more, so there is nothing to keep of the request either.
        return Reply::shown(StatusCode::OK, &Shown::from(challenge));
    }
    let request = repeat.by(&service, caller.actor());
    let work = async {
        let answered = service.answer_challenge(challenge, body.code.as_deref()).await?;
        let is_looked_at = answered.status == Status::Pending && answered.way == Way::Recheck;
        let reply = Reply::shown(StatusCode::OK, &Shown::from(answered))?;
        // The vendor is asked again by a repeat; a code is not sent again by one.
        Ok(if is_looked_at { reply.for_now() } else { reply })
    };
    service.once_within(request, CHALLENGE_MS + DAY_MS, work).await
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
    if challenge.vendor_id.is_some() {
        challenge = service.answer_challenge(challenge, None).await?;
    }
    Ok(Json(challenge.into()))
}
