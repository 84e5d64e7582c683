//! Identifications: a holder is proven to be a person, by the vendor.

use crate::api::holders::parse_id;
use crate::asked::Asked;
use crate::entrance::Holder;
use crate::identity::{Identification, POLL_MS, Status, method_of};
use crate::refusals;
use crate::service::Service;
use crate::tallies::{Bound, DAY_MS, Tallies};
use axum::extract::{Path, State};
use bytes::Bytes;
use domain::Id;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use web::webhook;
use web::{Json, Problem};

/// Identifications of one holder that wait for the vendor at a time.
const PENDING_MAX: usize = 3;
/// Identifications that one holder asks for: each is paid for, and so many are kept.
const ASKED: [Bound; 1] = [Bound { name: "identifications asked a day", count_max: 10, window_ms: DAY_MS }];

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(begin)).routes(routes!(show)).routes(routes!(told))
}

/// How the holder wants to be identified.
#[derive(Deserialize, ToSchema)]
#[schema(as = IdentificationBegin)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    method: String,
    challenge_id: Option<String>,
}

/// An identification.
#[derive(Serialize, ToSchema)]
#[schema(as = IdentificationShown)]
pub struct Shown {
    id: String,
    status: &'static str,
    url: Option<String>,
    reason: Option<String>,
}

impl From<Identification> for Shown {
    fn from(row: Identification) -> Self {
        Self { id: row.shown(), status: row.status.name(), url: row.url, reason: row.reason }
    }
}

/// Be identified by the vendor.
#[utoipa::path(post, path = "/v1/holders/{holder}/identifications", tag = "holders", request_body = Begin,
    params(("holder" = String, Path), ("Idempotency-Key" = String, Header)), security(("holder" = [])),
    responses((status = 202, body = Shown)))]
async fn begin(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path(holder): Path<String>,
    Asked { body, repeat }: Asked<Begin>,
) -> Result<(StatusCode, Json<Shown>), Problem> {
    caller.check(parse_id(&holder)?)?;
    let unknown = || Problem::malformed("signing_certificate, chip_and_face, picture_and_face or registered_letter.");
    let method = method_of(&body.method).ok_or_else(|| unknown().with("member", "method"))?;
    // Whoever is found here gives the proofs from now on: on a device that is not the holder's, what is there already says so
    // first. Without a wallet there is nothing to take over.
    let needs_proof = service.is_new_device(&caller)? && service.holder(caller.id).await?.wallet.is_some();
    let request = repeat.by(&service, caller.actor());
    service.proof_of(&caller, request, body.challenge_id.as_deref(), needs_proof)?;
    let fresh = Identification {
        key: Id(request.key),
        body: Id(request.body),
        holder: caller.id,
        method,
        status: Status::Pending,
        vendor_id: None,
        url: None,
        reason: None,
        asked: service.now(),
        due: Some(service.now().plus_milliseconds(POLL_MS)),
        device: Some(service.device_key(&caller.session)),
    };
    let row = service.keep_asked(fresh)?;
    if row.body != Id(request.body) {
        return Err(refusals::engine_problem(&engine::EngineError::KeyReused));
    }
    let row = service.refresh_identification(row).await?;
    if row.status == Status::Approved && row.device == Some(service.device_key(&caller.session)) {
        // Who was just proven to be themselves has proven the device they hold; not whoever repeats their request.
        service.know_device(&caller)?;
    }
    Ok((StatusCode::ACCEPTED, Json(row.into())))
}

impl Service {
    /// The identification that is shown as `id`, whosever it is.
    fn identification(&self, id: &str) -> Result<Option<Identification>, Problem> {
        let digits = id.strip_prefix("idn_").filter(|digits| digits.len() == 32);
        let Some(key) = digits.and_then(|digits| u128::from_str_radix(digits, 16).ok()) else { return Ok(None) };
        Ok(self.doors.get(Id::from_number(key))?)
    }

    /// Keeps an identification that is asked for; the one that stands there already, if it is a repeat. Only so many of one
    /// holder wait for the vendor at a time.
    fn keep_asked(&self, fresh: Identification) -> Result<Identification, Problem> {
        self.doors.change(|doors| {
            if let Some(kept) = doors.get::<Identification>(fresh.key)? {
                return Ok(kept);
            }
            let all = doors.of::<Identification>(fresh.holder.0)?;
            let pending = all.iter().filter(|row| row.status == Status::Pending).count();
            if pending >= PENDING_MAX {
                return Err(refusals::new(
                    409,
                    "too-many-pending",
                    "Other identifications wait for the vendor.",
                    "審査中の本人確認があります。",
                )
                .detail("Go on with one of those at its `url`; each ends by itself after seven days.")
                .with("pending_max", PENDING_MAX));
            }
            let tallies = Tallies { doors, keys: &self.keys, now: self.now() };
            if let Some(wait_ms) = tallies.wait_ms(&ASKED, "", fresh.holder.0)? {
                return Err(refusals::new(
                    429,
                    "too-many-identifications",
                    "Too many identifications were asked for.",
                    "本人確認の申込みが上限に達しました。",
                )
                .retry_after((wait_ms + 999) / 1_000));
            }
            tallies.count(&ASKED, "", fresh.holder.0)?;
            doors.put(&fresh)?;
            Ok(fresh)
        })
    }
}

/// See how far an identification is.
#[utoipa::path(get, path = "/v1/holders/{holder}/identifications/{identification}", tag = "holders",
    params(("holder" = String, Path), ("identification" = String, Path)), security(("holder" = [])),
    responses((status = 200, body = Shown)))]
async fn show(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path((holder, identification)): Path<(String, String)>,
) -> Result<Json<Shown>, Problem> {
    caller.check(parse_id(&holder)?)?;
    let kept = service.identification(&identification)?.filter(|row| row.holder == caller.id);
    let mut row = kept.ok_or_else(|| Problem::not_found().with("noun", "identification"))?;
    // The vendor is asked so often and no more; beyond, what is known is shown.
    if row.status == Status::Pending && service.may_ask_vendor(caller.id) {
        row = service.refresh_identification(row).await?;
    }
    Ok(Json(row.into()))
}

/// The vendor says that there is news. What it is, the vendor is asked: the body names the identification and no more.
#[utoipa::path(post, path = "/v1/callbacks/identity", tag = "holders", request_body = String,
    responses((status = 204, description = "As asked.")))]
async fn told(State(service): State<Arc<Service>>, headers: HeaderMap, body: Bytes) -> Result<StatusCode, Problem> {
    #[derive(Deserialize)]
    struct News {
        reference: String,
    }
    let key =
        webhook::Key::parse(service.options.identity.callback_secret.expose()).map_err(|_| Problem::internal())?;
    webhook::verify(&[key], &headers, &body, service.now()).map_err(|_| {
        service.log_forgery("identity vendor", "the signature or its time is not good");
        Problem::unauthenticated()
    })?;
    let news: News = serde_json::from_slice(&body).map_err(|_| Problem::malformed("No news can be read in it."))?;
    if let Some(row) = service.identification(&news.reference)? {
        service.refresh_identification(row).await?;
    }
    // What is not ours is taken all the same: the vendor need not say it again.
    Ok(StatusCode::NO_CONTENT)
}
