//! Webhook endpoints: where a shop, or the operator, wants to be told, with a key that is shown once; and every delivery, to be
//! looked at and sent again. The operator's are asked for at the desk, under the same paths.

use crate::asked::{Asked, Done, Reply};
use crate::desk::{Desk, Role};
use crate::doors::Door as _;
use crate::entrance::Shop;
use crate::query::{self, Page, Query, Which};
use crate::refusals;
use crate::service::Service;
use crate::tallies::{Bound, DAY_MS, Tallies};
use crate::webhooks::delivery::{Attempt, Delivery};
use crate::webhooks::endpoint::{self, ENDPOINTS_MAX, Endpoint, OVERLAP_MS};
use crate::webhooks::{event, operator};
use axum::extract::{FromRequestParts, MatchedPath, Path, State};
use domain::Id;
use engine::Actor;
use http::request::Parts;
use http::{HeaderName, Method, StatusCode, header};
use serde::{Deserialize, Deserializer, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::OPERATOR;
use web::{IfMatch, Json, MergePatch, Problem};

/// Messages that one shop, or the operator, has sent again in a day.
const REDELIVERIES: [Bound; 1] = [Bound { name: "redeliveries a day", count_max: 300, window_ms: DAY_MS }];

/// The version of what is shown.
type Tag = [(HeaderName, String); 1];

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(list, make))
        .routes(routes!(get, delete, change))
        .routes(routes!(enable))
        .routes(routes!(rotate))
        .routes(routes!(list_deliveries))
        .routes(routes!(get_delivery))
        .routes(routes!(redeliver))
}

/// An endpoint that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeEndpoint {
    /// Where: `https://`, on the public internet.
    url: String,
    /// Of what. Shops: `payment.authorised`, `payment.captured`, `payment.voided`, `payment.expired`, `payment.refunded`. The
    /// operator: `movement.held`, `movement.in_doubt`, `movement.mismatched`, `movement.contradicted`, `movement.reversed`,
    /// `movement.give_back_failed`, `movement.paid_back_no_more`, `mandate.held`, `mandate.not_mine`, `switch.set`, `switch.lift_proposed`, `switch.lifted`, `control.proposed`, `control.adjusted`, `wallet.frozen`,
    /// `wallet.unfrozen`, `claim.received`, `bank.incident`, `alarm`. Or `*`.
    events: Vec<String>,
}

/// What is to be another; what is not named stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeEndpoint {
    /// Where.
    #[serde(default, deserialize_with = "named")]
    url: Option<String>,
    /// Of what.
    #[serde(default, deserialize_with = "named")]
    events: Option<Vec<String>>,
}

/// A member that is there has a value: null would remove what every endpoint has.
fn named<'de, D: Deserializer<'de>, T: Deserialize<'de>>(member: D) -> Result<Option<T>, D::Error> {
    T::deserialize(member).map(Some)
}

/// Whose endpoints these are: the shop's that asks, or the operator's, asked for at the desk.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    id: Id,
    actor: Actor,
    /// What there is to be told.
    names: &'static [&'static str],
}

impl FromRequestParts<Arc<Service>> for Owner {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Problem> {
        if parts.extensions.get::<MatchedPath>().is_some_and(|path| path.as_str().starts_with("/desk/")) {
            let desk = Desk::from_request_parts(parts, service).await?;
            if parts.method == Method::GET { desk.check_any() } else { desk.check(Role::Risk) }?;
            return Ok(Self { id: OPERATOR, actor: desk.actor(), names: &operator::NAMES });
        }
        let shop = Shop::from_request_parts(parts, service).await?;
        Ok(Self { id: shop.0.0, actor: shop.actor(), names: &event::NAMES })
    }
}

impl Owner {
    fn check_events(self, events: &[String]) -> Result<(), Problem> {
        let is_known = |name: &String| name == "*" || self.names.contains(&name.as_str());
        if events.is_empty() || events.len() > self.names.len() || !events.iter().all(is_known) {
            let wrong = Problem::malformed("These are no events.");
            return Err(wrong.with("member", "events").with("possible", self.names));
        }
        Ok(())
    }
}

/// Nothing more is said.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// An endpoint.
#[derive(Serialize, ToSchema)]
pub struct ShownEndpoint {
    /// Its id.
    id: String,
    /// Where.
    url: String,
    /// Of what.
    events: Vec<String>,
    /// `enabled` or `disabled`.
    status: &'static str,
    /// Why it is disabled: `gone` (the receiver said so), `failing` (a message found nobody in three days).
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_because: Option<&'static str>,
    /// Since when.
    created_at: String,
    /// The key that signs, `whsec_…`: shown once, here.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// A new key.
#[derive(Serialize, ToSchema)]
pub struct Rotated {
    /// The key that signs from now on, `whsec_…`: shown once, here.
    secret: String,
    /// Until when the key before signs beside it.
    previous_until: String,
}

/// A message to an endpoint.
#[derive(Serialize, ToSchema)]
pub struct ShownDelivery {
    /// Its id.
    id: String,
    /// The message's id, as it stands in `webhook-id`.
    event_id: String,
    /// What is told.
    #[serde(rename = "type")]
    name: String,
    /// `pending`, `delivered`, `failed`.
    status: &'static str,
    /// What was tried, the oldest first.
    attempts: Vec<ShownAttempt>,
    /// When it is tried next.
    next_attempt_at: Option<String>,
    /// The body, as it is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

/// An attempt.
#[derive(Serialize, ToSchema)]
pub struct ShownAttempt {
    /// When.
    at: String,
    /// The status code that was answered.
    answered: Option<u16>,
    /// What went wrong, where nothing was answered.
    failure: Option<String>,
}

/// Want to be told. The answer shows the signing key, once.
#[utoipa::path(post, path = "/v1/webhook-endpoints", tag = "webhooks", request_body = MakeEndpoint,
    params(("Idempotency-Key" = String, Header)), security(("shop" = [])),
    responses((status = 201, body = ShownEndpoint)))]
async fn make(
    State(service): State<Arc<Service>>,
    owner: Owner,
    Asked { body, repeat }: Asked<MakeEndpoint>,
) -> Result<(StatusCode, Tag, Json<ShownEndpoint>), Problem> {
    endpoint::check_url(&body.url, &service.options.webhook_hosts)?;
    owner.check_events(&body.events)?;
    let request = repeat.by(&service, owner.actor);
    let key = Id(request.key);
    let (signing, secret) = service.new_signing_key(owner.id, key)?;
    let made = Endpoint {
        key,
        body: Id(request.body),
        owner: owner.id,
        url: body.url,
        events: body.events,
        keys: vec![signing],
        made: service.now(),
        disabled: None,
        version: 0,
    };
    service.change_endpoints(owner.id, |doors| {
        if let Some(kept) = doors.get::<Endpoint>(key)? {
            let is_same = kept.body == made.body;
            return Err(if is_same {
                shown_once(&kept)
            } else {
                refusals::engine_problem(&engine::EngineError::KeyReused)
            });
        }
        if doors.of::<Endpoint>(owner.id)?.len() >= ENDPOINTS_MAX {
            return Err(refusals::new(
                409,
                "too-many",
                "There are too many endpoints.",
                "登録数の上限に達しています。",
            )
            .with("at_most", ENDPOINTS_MAX));
        }
        Ok(doors.put(&made)?)
    })?;
    let mut shown = present(&made);
    shown.secret = Some(secret.expose().clone());
    Ok((StatusCode::CREATED, [(header::ETAG, made.tag())], Json(shown)))
}

/// A repeat: what it made is there, and its key is not shown again.
fn shown_once(endpoint: &Endpoint) -> Problem {
    refusals::shown_once("It is made already; its key is shown once.", "作成済みです。キーは一度だけ表示されます。")
        .detail("POST …/secret-rotations makes a new key.")
        .with("id", endpoint.shown())
}

/// The caller's endpoints, the newest first.
#[utoipa::path(get, path = "/v1/webhook-endpoints", tag = "webhooks", params(Which), security(("shop" = [])),
    responses((status = 200, body = Page<ShownEndpoint>)))]
async fn list(
    State(service): State<Arc<Service>>,
    owner: Owner,
    Query(which): Query<Which>,
) -> Result<Json<Page<ShownEndpoint>>, Problem> {
    let (limit, list) = (query::limit(which.limit)?, format!("endpoints of {}", owner.id));
    let before = which.place(&service.keys, &list)?;
    let (endpoints, next) = service.doors.newest::<Endpoint>(owner.id, before, limit)?;
    let next_cursor = next.map(|id| query::cursor(&service.keys, &list, &id.0));
    Ok(Json(Page { data: endpoints.iter().map(present).collect(), next_cursor }))
}

/// See an endpoint.
#[utoipa::path(get, path = "/v1/webhook-endpoints/{endpoint}", tag = "webhooks", params(("endpoint" = String, Path)),
    security(("shop" = [])), responses((status = 200, body = ShownEndpoint)))]
async fn get(
    State(service): State<Arc<Service>>,
    owner: Owner,
    Path(endpoint): Path<String>,
) -> Result<(Tag, Json<ShownEndpoint>), Problem> {
    let endpoint = service.endpoint_of(owner, &endpoint)?;
    Ok(([(header::ETAG, endpoint.tag())], Json(present(&endpoint))))
}

/// Be told elsewhere, or of something else. `If-Match` names the version that is changed, as `ETag` told it.
#[utoipa::path(patch, path = "/v1/webhook-endpoints/{endpoint}", tag = "webhooks",
    request_body(content = ChangeEndpoint, content_type = "application/merge-patch+json"),
    params(("endpoint" = String, Path), ("If-Match" = String, Header)),
    security(("shop" = [])), responses((status = 200, body = ShownEndpoint)))]
async fn change(
    State(service): State<Arc<Service>>,
    owner: Owner,
    Path(endpoint): Path<String>,
    wanted: IfMatch,
    MergePatch(body): MergePatch<ChangeEndpoint>,
) -> Result<(Tag, Json<ShownEndpoint>), Problem> {
    let found = service.endpoint_of(owner, &endpoint)?;
    if let Some(url) = &body.url {
        endpoint::check_url(url, &service.options.webhook_hosts)?;
    }
    if let Some(events) = &body.events {
        owner.check_events(events)?;
    }
    let changed = service.change_endpoints(owner.id, |doors| {
        let mut kept = doors.get::<Endpoint>(found.key)?.ok_or_else(unknown)?;
        wanted.check(&kept.tag())?;
        kept.url = body.url.unwrap_or(kept.url);
        kept.events = body.events.unwrap_or(kept.events);
        kept.version += 1;
        doors.put(&kept)?;
        Ok(kept)
    })?;
    Ok(([(header::ETAG, changed.tag())], Json(present(&changed))))
}

/// Not to be told any more.
#[utoipa::path(delete, path = "/v1/webhook-endpoints/{endpoint}", tag = "webhooks", params(("endpoint" = String, Path)),
    security(("shop" = [])), responses((status = 204)))]
async fn delete(
    State(service): State<Arc<Service>>,
    owner: Owner,
    Path(endpoint): Path<String>,
) -> Result<StatusCode, Problem> {
    let endpoint = service.endpoint_of(owner, &endpoint)?;
    service.change_endpoints(owner.id, |doors| Ok(doors.remove::<Endpoint>(endpoint.key)?))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Be told again, after the endpoint was disabled. What was not delivered meanwhile is sent again on demand alone.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{endpoint}/enable", tag = "webhooks", request_body = Nothing,
    params(("endpoint" = String, Path), ("Idempotency-Key" = String, Header)), security(("shop" = [])),
    responses((status = 201, body = ShownEndpoint)))]
async fn enable(
    State(service): State<Arc<Service>>,
    owner: Owner,
    Path(endpoint): Path<String>,
    Asked { body: Nothing {}, repeat }: Asked<Nothing>,
) -> Result<Reply, Problem> {
    let found = service.endpoint_of(owner, &endpoint)?;
    if found.disabled.is_none() {
        // Nothing is done, so there is nothing to keep of the request.
        return Reply::shown(StatusCode::CREATED, &present(&found));
    }
    service
        .once(repeat.by(&service, owner.actor), async {
            let enabled = service.change_endpoints(owner.id, |doors| {
                let mut kept = doors.get::<Endpoint>(found.key)?.ok_or_else(unknown)?;
                kept.disabled = None;
                kept.version += 1;
                doors.put(&kept)?;
                Ok(kept)
            })?;
            service.couriers.resume(enabled.key);
            Reply::shown(StatusCode::CREATED, &present(&enabled))
        })
        .await
}

/// Replace the signing key. The one before signs beside the new one for a day.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{endpoint}/secret-rotations", tag = "webhooks",
    request_body = Nothing, params(("endpoint" = String, Path), ("Idempotency-Key" = String, Header)),
    security(("shop" = [])), responses((status = 201, body = Rotated)))]
async fn rotate(
    State(service): State<Arc<Service>>,
    owner: Owner,
    Path(endpoint): Path<String>,
    Asked { body: Nothing {}, repeat }: Asked<Nothing>,
) -> Result<(StatusCode, Json<Rotated>), Problem> {
    let found = service.endpoint_of(owner, &endpoint)?;
    let request = repeat.by(&service, owner.actor);
    let made_by = Id(request.key);
    let (signing, secret) = service.new_signing_key(owner.id, made_by)?;
    let (now, until) = (service.now(), service.now().plus_milliseconds(OVERLAP_MS));
    service.change_endpoints(owner.id, |doors| {
        let mut kept = doors.get::<Endpoint>(found.key)?.ok_or_else(unknown)?;
        // A key that was made so long ago that its request is forgotten may sign still.
        if !Done::keep_secret(doors, request, now)? || kept.keys.iter().any(|key| key.made_by == made_by) {
            return Err(shown_once(&kept));
        }
        // At most two sign at once: whoever rotates in a hurry means that the oldest is not to be trusted.
        kept.keys.retain(|key| key.until.is_none_or(|until| now < until));
        kept.keys.truncate(1);
        for key in &mut kept.keys {
            key.until = Some(until);
        }
        kept.keys.insert(0, signing);
        kept.version += 1;
        Ok(doors.put(&kept)?)
    })?;
    Ok((StatusCode::CREATED, Json(Rotated { secret: secret.expose().clone(), previous_until: until.to_string() })))
}

/// What was told at an endpoint, newest first; kept for 30 days.
#[utoipa::path(get, path = "/v1/webhook-endpoints/{endpoint}/deliveries", tag = "webhooks",
    params(("endpoint" = String, Path), Which), security(("shop" = [])),
    responses((status = 200, body = Page<ShownDelivery>)))]
async fn list_deliveries(
    State(service): State<Arc<Service>>,
    owner: Owner,
    Path(endpoint): Path<String>,
    Query(which): Query<Which>,
) -> Result<Json<Page<ShownDelivery>>, Problem> {
    let endpoint = service.endpoint_of(owner, &endpoint)?;
    let (limit, list) = (query::limit(which.limit)?, format!("deliveries of {}", endpoint.key));
    let before = which.place(&service.keys, &list)?;
    let (rows, next) = service.work.newest::<Delivery>(endpoint.key, before, limit)?;
    let next_cursor = next.map(|id| query::cursor(&service.keys, &list, &id.0));
    Ok(Json(Page { data: rows.into_iter().map(|row| present_delivery(row, false)).collect(), next_cursor }))
}

/// See a delivery, with the body that is sent.
#[utoipa::path(get, path = "/v1/webhook-endpoints/{endpoint}/deliveries/{delivery}", tag = "webhooks",
    params(("endpoint" = String, Path), ("delivery" = String, Path)), security(("shop" = [])),
    responses((status = 200, body = ShownDelivery)))]
async fn get_delivery(
    State(service): State<Arc<Service>>,
    owner: Owner,
    Path((endpoint, delivery)): Path<(String, String)>,
) -> Result<Json<ShownDelivery>, Problem> {
    Ok(Json(present_delivery(service.delivery_of(owner, &endpoint, &delivery)?, true)))
}

/// Send a message again, now, and by the whole schedule if need be.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{endpoint}/deliveries/{delivery}/redeliveries", tag = "webhooks",
    request_body = Nothing,
    params(("endpoint" = String, Path), ("delivery" = String, Path), ("Idempotency-Key" = String, Header)),
    security(("shop" = [])), responses((status = 202, body = ShownDelivery)))]
async fn redeliver(
    State(service): State<Arc<Service>>,
    owner: Owner,
    Path((endpoint, delivery)): Path<(String, String)>,
    Asked { body: Nothing {}, repeat }: Asked<Nothing>,
) -> Result<Reply, Problem> {
    let mut delivery = service.delivery_of(owner, &endpoint, &delivery)?;
    service
        .once(repeat.by(&service, owner.actor), async {
            service.count_redelivery(owner)?;
            delivery.again(service.now());
            service.work.put(&delivery)?;
            service.couriers.expect(delivery.endpoint, delivery.due);
            Reply::shown(StatusCode::ACCEPTED, &present_delivery(delivery, false))
        })
        .await
}

fn present(endpoint: &Endpoint) -> ShownEndpoint {
    let because = endpoint.disabled.map(|why| match why {
        endpoint::Disabled::Gone => "gone",
        endpoint::Disabled::Failing => "failing",
    });
    ShownEndpoint {
        id: endpoint.shown(),
        url: endpoint.url.clone(),
        events: endpoint.events.clone(),
        status: if because.is_none() { "enabled" } else { "disabled" },
        disabled_because: because,
        created_at: endpoint.made.to_string(),
        secret: None,
    }
}

fn present_delivery(delivery: Delivery, with_body: bool) -> ShownDelivery {
    let is_pending = delivery.status == crate::webhooks::delivery::Status::Pending;
    let attempt = |attempt: Attempt| ShownAttempt {
        at: attempt.at.to_string(),
        answered: attempt.answered,
        failure: attempt.failure,
    };
    ShownDelivery {
        id: delivery.shown(),
        event_id: format!("evt_{}", delivery.event),
        status: delivery.status.name(),
        next_attempt_at: Some(delivery.due.to_string()).filter(|_| is_pending),
        name: delivery.name,
        attempts: delivery.attempts.into_iter().map(attempt).collect(),
        body: Some(delivery.body).filter(|_| with_body),
    }
}

fn unknown() -> Problem {
    Problem::not_found().with("noun", "webhook_endpoint")
}

impl Service {
    /// The endpoint of that id, if it is `owner`'s.
    fn endpoint_of(&self, owner: Owner, id: &str) -> Result<Endpoint, Problem> {
        let found = endpoint::parse(id).map(|key| self.doors.get::<Endpoint>(key)).transpose()?.flatten();
        found.filter(|endpoint| endpoint.owner == owner.id).ok_or_else(unknown)
    }

    /// Counts a message that `owner` wants to be sent again.
    fn count_redelivery(&self, owner: Owner) -> Result<(), Problem> {
        self.doors.change(|doors| {
            let tallies = Tallies { doors, keys: &self.keys, now: self.now() };
            let Some(wait_ms) = tallies.wait_ms(&REDELIVERIES, "", owner.id)? else {
                return Ok(tallies.count(&REDELIVERIES, "", owner.id)?);
            };
            let title = "Too many messages were sent again today.";
            let too_many = refusals::new(429, "too-many-redeliveries", title, "本日の再送が上限に達しました。");
            Err(too_many.retry_after((wait_ms + 999) / 1_000))
        })
    }

    fn delivery_of(&self, owner: Owner, endpoint: &str, id: &str) -> Result<Delivery, Problem> {
        let endpoint = self.endpoint_of(owner, endpoint)?;
        let digits = id.strip_prefix("dlv_").filter(|digits| digits.len() == 32);
        let key = digits.and_then(|digits| u128::from_str_radix(digits, 16).ok()).map(Id::from_number);
        let found = key.map(|key| self.work.get::<Delivery>(key)).transpose()?.flatten();
        let found = found.filter(|delivery| delivery.owner() == Some(endpoint.key));
        found.ok_or_else(|| Problem::not_found().with("noun", "webhook_delivery"))
    }
}
