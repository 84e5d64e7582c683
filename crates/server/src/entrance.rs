//! The entrance: who asks, and how often they may. Tokens are known by their keyed hash alone.
//!
//! A token that was seen stays in memory, so that a payment costs no look into a file; ending a session takes it out of
//! both. Start reading at [`guard`], then at the extractors [`Holder`], [`Shop`] and [`Desk`].

use crate::links::STATE_MS;
use crate::options::Rates;
use crate::refusals;
use crate::service::Service;
use crate::sessions::{self, Session};
use crate::shops::ShopToken;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::Id;
use engine::{Actor, ActorKind};
use http::request::Parts;
use http::{HeaderMap, Method, header};
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, PoisonError, RwLock};
use wallet::{HolderId, Origin, ShopId, StaffId, WalletId};
use web::{Problem, RateLimit, Source};

/// Tokens that are kept in memory; more are looked up in the file.
const TOKENS_SEEN_MAX: usize = 200_000;
const MINUTE_MS: i64 = 60_000;
/// Ways to a bank that one wallet may begin in the time that one of them takes at most.
const LINKS_BEGUN_MAX: u32 = 10;

/// Tokens that were seen, and the limits.
pub struct Entrance {
    sessions: RwLock<HashMap<Id, Arc<Session>>>,
    shops: RwLock<HashMap<Id, ShopId>>,
    /// Sessions on devices that are known.
    known: RwLock<HashSet<Id>>,
    sources: RateLimit<IpAddr>,
    callers: RateLimit<Id>,
    entrances: RateLimit<IpAddr>,
    logins: RateLimit<Id>,
    look_ups: RateLimit<Id>,
    links: RateLimit<Id>,
}

impl Entrance {
    /// Nobody has come yet.
    pub fn new(rates: Rates) -> Self {
        Self {
            sessions: RwLock::default(),
            shops: RwLock::default(),
            known: RwLock::default(),
            sources: RateLimit::new("source", rates.source_max, MINUTE_MS),
            callers: RateLimit::new("caller", rates.caller_max, MINUTE_MS),
            entrances: RateLimit::new("entrance", rates.entrance_max, MINUTE_MS),
            logins: RateLimit::new("login", rates.login_max, MINUTE_MS),
            look_ups: RateLimit::new("look_up", rates.look_up_max, MINUTE_MS),
            links: RateLimit::new("link", LINKS_BEGUN_MAX, STATE_MS),
        }
    }

    /// Whether the session with this token's hash was seen on a known device.
    pub fn is_known(&self, token: Id) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).contains(&token)
    }

    /// The session with this token's hash is on a known device.
    pub fn know(&self, token: Id) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < TOKENS_SEEN_MAX {
            known.insert(token);
        }
    }

    /// Forgets the session with this token's hash.
    pub fn forget(&self, token: Id) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).remove(&token);
        self.sessions.write().unwrap_or_else(PoisonError::into_inner).remove(&token);
    }
}

/// A holder who is logged in.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Who.
    pub id: HolderId,
    /// By which session.
    pub session: Arc<Session>,
    /// Where the request came from.
    pub origin: Origin,
}

/// A shop.
#[derive(Clone, Copy, Debug)]
pub struct Shop(pub ShopId);

/// Somebody of the operator's desk.
#[derive(Clone, Copy, Debug)]
pub struct Desk(pub StaffId);

/// Where a request came from, for whoever is not known.
#[derive(Clone, Copy, Debug)]
pub struct From(pub IpAddr);

impl Holder {
    /// As the engine writes it down.
    pub fn actor(&self) -> Actor {
        Actor { kind: ActorKind::Holder, id: self.id.0 }
    }

    /// Refuses a path that names another holder: theirs looks like none.
    pub fn check(&self, id: HolderId) -> Result<(), Problem> {
        if self.id == id { Ok(()) } else { Err(Problem::not_found().with("noun", "holder")) }
    }
}

impl Shop {
    /// As the engine writes it down.
    pub fn actor(self) -> Actor {
        Actor { kind: ActorKind::Shop, id: self.0.0 }
    }
}

impl Desk {
    /// As the engine writes it down.
    pub fn actor(self) -> Actor {
        Actor { kind: ActorKind::Operator, id: self.0.0 }
    }
}

/// Somebody who is not known.
pub const ANYONE: Actor = Actor { kind: ActorKind::Anyone, id: Id([0; 16]) };
/// The service itself.
pub const SYSTEM: Actor = Actor { kind: ActorKind::System, id: Id([0; 16]) };

impl FromRequestParts<Arc<Service>> for Holder {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Problem> {
        let session = if let Some(token) = bearer(&parts.headers) {
            service.session(token)?
        } else {
            let session = service.browser_session(&parts.headers)?;
            if session.is_some() {
                check_same_origin(parts, &service.options.origin)?;
            }
            session
        };
        let session = session.ok_or_else(Problem::unauthenticated)?;
        let origin = service.origin(source(&parts.extensions), session.device);
        Ok(Self { id: session.holder, session, origin })
    }
}

impl FromRequestParts<Arc<Service>> for Shop {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Problem> {
        let token = bearer(&parts.headers).ok_or_else(Problem::unauthenticated)?;
        service.shop(token)?.map(Self).ok_or_else(Problem::unauthenticated)
    }
}

impl FromRequestParts<Arc<Service>> for Desk {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Problem> {
        let token = bearer(&parts.headers).ok_or_else(Problem::unauthenticated)?;
        let staff = service.options.staff.iter().find(|staff| staff.token.is(token));
        staff.map(|staff| Self(staff.id)).ok_or_else(Problem::unauthenticated)
    }
}

impl<S: Sync> FromRequestParts<S> for From {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self(source(&parts.extensions)))
    }
}

/// A cookie alone does not say that the holder meant it: a request that changes something must come from our own pages.
fn check_same_origin(parts: &Parts, own: &str) -> Result<(), Problem> {
    let is_read = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let origin = parts.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    if is_read || origin == Some(own) {
        return Ok(());
    }
    Err(refusals::new(403, "foreign-origin", "The request does not come from our pages.", "不正な送信元です。"))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn source(extensions: &http::Extensions) -> IpAddr {
    extensions.get::<Source>().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |source| source.0)
}

/// Counts the request for its source and for its token, before anything else looks at it.
pub async fn guard(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let (entrance, now) = (&service.entrance, service.now());
    let by_source = entrance.sources.count(source(request.extensions()), now);
    if !by_source.allowed {
        return by_source.problem().into_response();
    }
    let token = bearer(request.headers()).map(|token| service.keys.secret("caller", token));
    let by_caller = token.map(|token| entrance.callers.count(token, now));
    if let Some(verdict) = by_caller.filter(|verdict| !verdict.allowed) {
        return verdict.problem().into_response();
    }
    let mut response = next.run(request).await;
    by_caller.unwrap_or(by_source).mark(&mut response);
    response
}

impl Service {
    /// Counts an attempt to come in: opening, logging in, verifying, recovering.
    pub fn count_entrance(&self, source: IpAddr) -> Result<(), Problem> {
        let verdict = self.entrance.entrances.count(source, self.now());
        if verdict.allowed { Ok(()) } else { Err(verdict.problem()) }
    }

    /// Counts an attempt to log in as whoever has `mail`, or to recover that login.
    pub fn count_login(&self, mail: Id) -> Result<(), Problem> {
        let verdict = self.entrance.logins.count(mail, self.now());
        if verdict.allowed { Ok(()) } else { Err(verdict.problem()) }
    }

    /// Counts an attempt of `holder` to find something that others have: a recipient's name, a voucher.
    pub fn count_look_up(&self, holder: HolderId) -> Result<(), Problem> {
        let verdict = self.entrance.look_ups.count(holder.0, self.now());
        if verdict.allowed { Ok(()) } else { Err(verdict.problem()) }
    }

    /// Counts a way to a bank that `wallet` begins: each is a request at the gateway that is open for a while.
    pub fn count_link(&self, wallet: WalletId) -> Result<(), Problem> {
        let verdict = self.entrance.links.count(wallet.0, self.now());
        if verdict.allowed { Ok(()) } else { Err(verdict.problem()) }
    }

    /// The live session that `token` opens.
    pub fn session(&self, token: &str) -> Result<Option<Arc<Session>>, Problem> {
        let hash = self.keys.secret(sessions::PURPOSE, token);
        let seen = self.entrance.sessions.read().unwrap_or_else(PoisonError::into_inner).get(&hash).cloned();
        if let Some(session) = seen {
            return Ok(Some(session).filter(|session| self.now() < session.expires));
        }
        let live = self.doors.get::<Session>(hash)?.map(Arc::new).filter(|session| self.now() < session.expires);
        if let Some(session) = &live {
            let mut sessions = self.entrance.sessions.write().unwrap_or_else(PoisonError::into_inner);
            if sessions.len() < TOKENS_SEEN_MAX {
                sessions.entry(hash).or_insert_with(|| Arc::clone(session));
            }
        }
        Ok(live)
    }

    /// The shop whose token this is.
    fn shop(&self, token: &str) -> Result<Option<ShopId>, Problem> {
        let hash = self.keys.secret(crate::shops::PURPOSE, token);
        let seen = self.entrance.shops.read().unwrap_or_else(PoisonError::into_inner).get(&hash).copied();
        if seen.is_some() {
            return Ok(seen);
        }
        let shop = self.doors.get::<ShopToken>(hash)?.map(|token| token.shop);
        if let Some(shop) = shop {
            let mut shops = self.entrance.shops.write().unwrap_or_else(PoisonError::into_inner);
            if shops.len() < TOKENS_SEEN_MAX {
                shops.insert(hash, shop);
            }
        }
        Ok(shop)
    }

    /// Where a request came from, as the rules see it.
    pub fn origin(&self, source: IpAddr, device: Option<wallet::Fingerprint>) -> Origin {
        let (network, network_wide) = self.keys.networks(source);
        Origin { device, network: Some(network), network_wide: Some(network_wide) }
    }
}
