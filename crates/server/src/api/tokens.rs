//! A shop's tokens: another one is made while the one before still opens for a day, so that a till changes over without a
//! gap; one that got about is ended at once. A token is shown once.

use crate::asked::{Asked, Done};
use crate::desk::{Desk, Role};
use crate::entrance::Shop;
use crate::query::{Page, Query, Which};
use crate::refusals;
use crate::service::Service;
use crate::shops::{PURPOSE, ShopName, ShopToken, TOKEN_OVERLAP_MS, TOKENS_MAX};
use axum::extract::{Path, State};
use domain::Id;
use engine::Actor;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::ShopId;
use web::{Json, Problem, chance};

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(make, list)).routes(routes!(end))
}

/// The path of this room at the desk.
pub fn desk_router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(make_for))
}

/// Nothing more is said.
#[derive(Deserialize, ToSchema)]
#[schema(as = TokenMake)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// A token that was made.
#[derive(Serialize, ToSchema)]
#[schema(as = TokenMade)]
pub struct Made {
    /// What it is called.
    id: String,
    /// The token: shown once, here.
    token: String,
    /// Until when those before still open.
    previous_until: String,
}

/// A token in the list.
#[derive(Serialize, ToSchema)]
#[schema(as = TokenShown)]
pub struct Shown {
    /// What it is called.
    id: String,
    /// Since when it opens.
    created_at: String,
    /// Until when, if another one has taken its place.
    until: Option<String>,
}

/// Make another token. Those before open for one more day.
#[utoipa::path(post, path = "/v1/tokens", tag = "shop", request_body = Nothing,
    params(("Idempotency-Key" = String, Header)), security(("shop" = [])),
    responses((status = 201, body = Made)))]
async fn make(
    State(service): State<Arc<Service>>,
    shop: Shop,
    Asked { body: Nothing {}, repeat }: Asked<Nothing>,
) -> Result<(StatusCode, Json<Made>), Problem> {
    service.make_token(shop.0, repeat.by(&service, shop.actor()))
}

/// Make another token for a shop that has lost its own. Those before open for one more day.
#[utoipa::path(post, path = "/desk/v1/shops/{shop}/tokens", tag = "shops", request_body = Nothing,
    params(("shop" = String, Path), ("Idempotency-Key" = String, Header)), security(("desk" = [])),
    responses((status = 201, body = Made)))]
async fn make_for(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(shop): Path<String>,
    Asked { body: Nothing {}, repeat }: Asked<Nothing>,
) -> Result<(StatusCode, Json<Made>), Problem> {
    desk.check(Role::Sales)?;
    let unknown = || Problem::not_found().with("noun", "shop");
    let shop: ShopId = shop.parse().map_err(|_| unknown())?;
    service.doors.get::<ShopName>(shop.0)?.ok_or_else(unknown)?;
    let actor: Actor = desk.actor();
    service.make_token(shop, repeat.by(&service, actor))
}

/// The tokens that open, the newest first.
#[utoipa::path(get, path = "/v1/tokens", tag = "shop", params(Which), security(("shop" = [])),
    responses((status = 200, body = Page<Shown>)))]
async fn list(
    State(service): State<Arc<Service>>,
    shop: Shop,
    Query(which): Query<Which>,
) -> Result<Json<Page<Shown>>, Problem> {
    let now = service.now();
    let live = service.doors.of::<ShopToken>(shop.0.0)?.into_iter().filter(|token| token.is_live(now));
    let shown = |token: ShopToken| {
        let (id, until) = (token.shown(), token.until.map(|until| until.to_string()));
        (token.name, Shown { id, created_at: token.made.to_string(), until })
    };
    Ok(Json(which.page(&service.keys, &format!("tokens of {}", shop.0), live.map(shown).collect())?))
}

/// End a token at once. The last one that stays stays: the desk can make another.
#[utoipa::path(delete, path = "/v1/tokens/{token}", tag = "shop", params(("token" = String, Path)),
    security(("shop" = [])), responses((status = 204, description = "As asked.")))]
async fn end(State(service): State<Arc<Service>>, shop: Shop, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    let now = service.now();
    let ended = service.doors.change(|doors| {
        let mut tokens = doors.of::<ShopToken>(shop.0.0)?;
        tokens.retain(|token| token.is_live(now));
        let token = tokens.iter().find(|token| token.shown() == name);
        let token = *token.ok_or_else(|| Problem::not_found().with("noun", "token"))?;
        if !tokens.iter().any(|other| other.token != token.token && other.until.is_none()) {
            return Err(refusals::new(
                409,
                "last-token",
                "No other token stays open.",
                "ほかに有効なトークンがありません。",
            )
            .detail("POST /v1/tokens makes another one first."));
        }
        doors.remove::<ShopToken>(token.token)?;
        Ok(token)
    })?;
    service.entrance.forget_shop_token(ended.token);
    Ok(StatusCode::NO_CONTENT)
}

impl Service {
    /// Makes a token of `shop` and ends those before, after a day.
    fn make_token(&self, shop: ShopId, request: engine::Request) -> Result<(StatusCode, Json<Made>), Problem> {
        let (now, name) = (self.now(), Id(request.key));
        let until = now.plus_milliseconds(TOKEN_OVERLAP_MS);
        let token = chance::token(self.outside.chance.as_ref());
        let hash = self.keys.secret(PURPOSE, token.expose());
        let made = ShopToken { token: hash, shop, name, made: now, until: None };
        let before = self.doors.change(|doors| {
            let mut before = doors.of::<ShopToken>(shop.0)?;
            // A token that was made so long ago that its request is forgotten may be live still.
            if !Done::keep_secret(doors, request, now)? || before.iter().any(|token| token.name == name) {
                return Err(refusals::shown_once(
                    "It is made already; a token is shown once.",
                    "作成済みです。トークンは一度だけ表示されます。",
                )
                .with("id", made.shown()));
            }
            before.retain(|token| token.is_live(now));
            if before.len() >= TOKENS_MAX {
                return Err(refusals::new(
                    409,
                    "too-many",
                    "There are too many tokens.",
                    "登録数の上限に達しています。",
                )
                .with("at_most", TOKENS_MAX));
            }
            for token in &mut before {
                token.until = Some(token.until.map_or(until, |ends| ends.min(until)));
                doors.put(token)?;
            }
            doors.put(&made)?;
            Ok(before)
        })?;
        for token in before {
            // What is remembered of it knows no end yet.
            self.entrance.forget_shop_token(token.token);
        }
        let (id, token) = (made.shown(), token.expose().clone());
        Ok((StatusCode::CREATED, Json(Made { id, token, previous_until: until.to_string() })))
    }
}
