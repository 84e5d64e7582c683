//! Calls of the gateway: it says that there is news. What the news is stands in its list, which is read at once.
//!
//! A push is believed once, while it is fresh, if the gateway signed it for us: what it told another operator, or told us long
//! ago, tells us nothing. One whose answer was lost comes again, signed anew.

use crate::api::SeenProof;
use crate::service::Service;
use axum::extract::State;
use bytes::Bytes;
use domain::Time;
use http::{HeaderMap, Method, Request, StatusCode, header};
use serde::Deserialize;
use std::sync::{Arc, Mutex, PoisonError};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use web::jose::{JwkSet, Token};
use web::{Bounds, Problem};

/// How long the gateway's keys are believed, in milliseconds.
const KEYS_MS: i64 = 60 * 60 * 1_000;
/// How long they are not asked for again, in milliseconds: whoever was first with a new key is told to come back.
const ASK_MS: i64 = 30_000;

/// How far the time at which a push was signed may be from ours, in milliseconds.
const FRESH_MS: i64 = 5 * 60 * 1_000;

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(told))
}

/// What the signed event must say to be ours.
#[derive(Deserialize)]
struct Claims {
    /// Who says it.
    iss: String,
    /// To whom.
    aud: String,
    /// When it was signed, in seconds since 1970.
    iat: i64,
    /// What it tells, among all that this one ever tells us.
    jti: String,
}

/// The gateway tells what happened: a signed token (RFC 8417).
#[utoipa::path(post, path = "/v1/callbacks/gateway", tag = "callbacks", request_body = String,
    responses((status = 202, description = "As asked.")))]
async fn told(State(service): State<Arc<Service>>, headers: HeaderMap, body: Bytes) -> Result<StatusCode, Problem> {
    let forged = |why| {
        service.log_forgery("gateway", why);
        Problem::unauthenticated()
    };
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/secevent+jwt") {
        return Err(forged("it is no signed event"));
    }
    let text = std::str::from_utf8(&body).map_err(|_| forged("it is no text"))?;
    let token = Token::parse(text.trim()).map_err(|_| forged("it is no token"))?;
    let keys = service.gateway_keys(&token).await.ok_or_else(crate::refusals::unavailable)?;
    let mut candidates = keys.candidates(token.header.algorithm, token.header.key_id.as_deref());
    let claims = candidates.find_map(|key| token.verify::<Claims>(key).ok());
    let claims = claims.ok_or_else(|| forged("no key of the gateway signed it as a push"))?;
    if let Some(why) = service.take_push(&claims)? {
        return Err(forged(why));
    }
    service.looks.announce(service.now());
    service.read_news(service.now(), 100).await?;
    Ok(StatusCode::ACCEPTED)
}

/// The keys with which the gateway signs, while they are believed.
#[derive(Default)]
pub struct GatewayKeys(Mutex<Kept>);

#[derive(Clone, Default)]
struct Kept {
    keys: Option<Arc<JwkSet>>,
    /// When they were last asked for, whatever came of it.
    asked: Option<Time>,
}

impl Service {
    /// Takes a push that the gateway signed, once; or says why it is none of ours.
    fn take_push(&self, claims: &Claims) -> Result<Option<&'static str>, Problem> {
        let gateway = &self.options.gateway;
        if claims.iss != gateway.issuer {
            return Ok(Some("it has another issuer"));
        }
        if claims.aud != gateway.client_id {
            return Ok(Some("it was told to another operator"));
        }
        let signed = Time::from_milliseconds(claims.iat.saturating_mul(1_000));
        if self.now().milliseconds_since(signed).saturating_abs() > FRESH_MS {
            return Ok(Some("it was not signed now"));
        }
        let seen = self.keys.secret("push of the gateway", &format!("{} {}", claims.iat, claims.jti));
        let is_new = self.doors.insert(&SeenProof::new(seen, signed.plus_milliseconds(FRESH_MS)))?;
        Ok((!is_new).then_some("it came before"))
    }

    /// The keys with which the gateway signs what it pushes. They are asked for when `token` names one that is not among
    /// them, or when they are old; and however many strangers make up names, once in [`ASK_MS`].
    async fn gateway_keys(&self, token: &Token<'_>) -> Option<Arc<JwkSet>> {
        let now = self.now();
        let known = {
            let mut kept = self.gateway_keys.0.lock().unwrap_or_else(PoisonError::into_inner);
            let (algorithm, name) = (token.header.algorithm, token.header.key_id.as_deref());
            let has = |keys: &Arc<JwkSet>| keys.candidates(algorithm, name).next().is_some();
            let age_ms = kept.asked.map(|asked| now.milliseconds_since(asked));
            let is_needed = !kept.keys.as_ref().is_some_and(has) || age_ms.is_none_or(|age_ms| age_ms >= KEYS_MS);
            if !is_needed || age_ms.is_some_and(|age_ms| age_ms < ASK_MS) {
                return kept.keys.clone();
            }
            kept.asked = Some(now);
            kept.keys.clone()
        };
        let Some(fresh) = self.fetch_gateway_keys().await.map(Arc::new) else { return known };
        self.gateway_keys.0.lock().unwrap_or_else(PoisonError::into_inner).keys = Some(Arc::clone(&fresh));
        Some(fresh)
    }

    async fn fetch_gateway_keys(&self) -> Option<JwkSet> {
        let url = format!("{}/gateway/v1/jwks", self.options.gateway.origin);
        let request = Request::builder().method(Method::GET).uri(url).body(Bytes::new()).ok()?;
        let answer =
            self.outside.transport.call(request, Bounds { time_ms: 2_000, body_bytes: 64 << 10 }).await.ok()?;
        JwkSet::parse(&serde_json::from_slice(answer.body()).ok()?).ok()
    }
}
