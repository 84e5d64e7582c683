//! The entrance: who asks, and how often they may. Tokens are known by their keyed hash alone.
//!
//! A token that was seen stays in memory, so that a payment costs no look into a file; ending a session takes it out of
//! both. Start reading at [`guard`], then at the extractors [`Holder`] and [`Shop`]; people of the
//! desk have theirs in `desk::people`.

use crate::links::STATE_MS;
use crate::options::Rates;
use crate::refusals;
use crate::service::Service;
use crate::sessions::{self, Session};
use crate::shops::ShopToken;
use crate::tallies::DAY_MS;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::{Id, Time};
use engine::{Actor, ActorKind};
use http::request::Parts;
use http::{HeaderMap, Method, header};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use wallet::{ContactId, Fingerprint, HolderId, Origin, ShopId, StaffId, WalletId};
use web::{Problem, RateLimit, Source};

/// Tokens of each kind that are kept in memory; where there is no room, some make room and are looked up in the file again.
const TOKENS_SEEN_MAX: usize = 200_000;
const MINUTE_MS: i64 = 60_000;

/// Payment codes that one holder makes in a day: each is a row of the books.
const PAYMENT_CODES_MAX: u32 = 1_000;

/// Looks in a minute at what the identity vendor says of one holder.
const VENDOR_LOOKS_MAX: u32 = 20;

/// Forgeries of one kind that are logged in a minute.
const FORGERIES_LOGGED_MAX: u32 = 60;

/// Tokens that were seen, and the limits.
pub struct Entrance {
    sessions: RwLock<HashMap<Id, Seen>>,
    shops: RwLock<HashMap<Id, ShopToken>>,
    /// Whoever is not known, by where they are.
    sources: RateLimit<IpAddr>,
    /// Holders, shops and the desk's people, by their ids.
    callers: RateLimit<Id>,
    entrances: RateLimit<IpAddr>,
    logins: RateLimit<(Id, IpAddr)>,
    look_ups: RateLimit<Id>,
    links: RateLimit<Id>,
    payment_codes: RateLimit<Id>,
    vendor: RateLimit<Id>,
    forgeries: RateLimit<&'static str>,
}

/// A session that was seen.
struct Seen {
    session: Arc<Session>,
    /// When it was last used, and the same as it was last noted: in milliseconds.
    used_ms: AtomicI64,
    noted_ms: AtomicI64,
    /// Whether its device was found known.
    is_known: AtomicBool,
}

impl Seen {
    fn new(session: Arc<Session>, now: Time) -> Self {
        let noted_ms = AtomicI64::new(session.seen.milliseconds());
        Self { session, used_ms: AtomicI64::new(now.milliseconds()), noted_ms, is_known: AtomicBool::new(false) }
    }
}

impl Entrance {
    /// Nobody has come yet.
    pub fn new(rates: Rates) -> Self {
        Self {
            sessions: RwLock::default(),
            shops: RwLock::default(),
            sources: RateLimit::new("source", rates.source_max, MINUTE_MS),
            callers: RateLimit::new("caller", rates.caller_max, MINUTE_MS),
            entrances: RateLimit::new("entrance", rates.entrance_max, MINUTE_MS),
            logins: RateLimit::new("login", rates.login_max, MINUTE_MS),
            look_ups: RateLimit::new("look_up", rates.look_up_max, MINUTE_MS),
            links: RateLimit::new("link", rates.links_max, STATE_MS),
            payment_codes: RateLimit::new("payment_code", PAYMENT_CODES_MAX, DAY_MS),
            vendor: RateLimit::new("vendor", VENDOR_LOOKS_MAX, MINUTE_MS),
            forgeries: RateLimit::new("forgery", FORGERIES_LOGGED_MAX, MINUTE_MS),
        }
    }

    /// Whether the session with this token's hash was seen on a known device.
    pub fn is_known(&self, token: Id) -> bool {
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        sessions.get(&token).is_some_and(|seen| seen.is_known.load(Ordering::Relaxed))
    }

    /// The session with this token's hash is on a known device.
    pub fn know(&self, token: Id) {
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = sessions.get(&token) {
            seen.is_known.store(true, Ordering::Relaxed);
        }
    }

    /// When the session with this token's hash was last used, if it was seen.
    pub fn last_used(&self, token: Id) -> Option<Time> {
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        sessions.get(&token).map(|seen| Time::from_milliseconds(seen.used_ms.load(Ordering::Relaxed)))
    }

    /// The sessions that were used since this was asked before, with when.
    pub fn used(&self) -> Vec<(Id, Time)> {
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        let used = sessions.iter().filter_map(|(token, seen)| {
            let used_ms = seen.used_ms.load(Ordering::Relaxed);
            (seen.noted_ms.swap(used_ms, Ordering::Relaxed) < used_ms)
                .then_some((*token, Time::from_milliseconds(used_ms)))
        });
        used.collect()
    }

    /// Forgets a shop's token by its hash.
    pub fn forget_shop_token(&self, token: Id) {
        self.shops.write().unwrap_or_else(PoisonError::into_inner).remove(&token);
    }

    /// Forgets the sessions with these tokens' hashes.
    pub fn forget(&self, tokens: impl IntoIterator<Item = Id>) {
        let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        for token in tokens {
            sessions.remove(&token);
        }
    }

    /// Forgets what has ended at `now`.
    pub fn forget_ended(&self, now: Time) {
        let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, seen| now < seen.session.expires);
        drop(sessions);
        self.shops.write().unwrap_or_else(PoisonError::into_inner).retain(|_, token| token.is_live(now));
    }
}

/// Makes room for one more: what has ended goes first, and where that is too little, every second of the rest.
fn make_room<T>(seen: &mut HashMap<Id, T>, seen_max: usize, is_live: impl Fn(&T) -> bool) {
    if seen.len() < seen_max {
        return;
    }
    seen.retain(|_, one| is_live(one));
    if seen.len() >= seen_max {
        let mut goes = false;
        seen.retain(|_, _| {
            goes = !goes;
            !goes
        });
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
    /// The site of its network, where that is IPv6.
    pub site: Option<Fingerprint>,
}

/// A shop.
#[derive(Clone, Copy, Debug)]
pub struct Shop(pub ShopId);

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

/// Somebody who is not known.
pub const ANYONE: Actor = Actor { kind: ActorKind::Anyone, id: Id([0; 16]) };
/// The service itself.
pub const SYSTEM: Actor = Actor { kind: ActorKind::System, id: Id([0; 16]) };

/// Who was known at the guard, for whoever takes such callers.
#[derive(Clone, Debug)]
enum Caller {
    Holder { session: Arc<Session>, by_cookie: bool },
    Shop(ShopId),
    Desk(StaffId),
}

impl Caller {
    fn id(&self) -> Id {
        match self {
            Self::Holder { session, by_cookie: _ } => session.holder.0,
            Self::Shop(shop) => shop.0,
            Self::Desk(staff) => staff.0,
        }
    }
}

impl FromRequestParts<Arc<Service>> for Holder {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Problem> {
        let Some(Caller::Holder { session, by_cookie }) = parts.extensions.get::<Caller>().cloned() else {
            return Err(Problem::unauthenticated());
        };
        if by_cookie {
            check_same_origin(parts, &service.options.origin)?;
        }
        let source = source(&parts.extensions);
        let (origin, site) = (service.origin(source, session.device), service.keys.site(source));
        Ok(Self { id: session.holder, session, origin, site })
    }
}

impl FromRequestParts<Arc<Service>> for Shop {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Service>) -> Result<Self, Problem> {
        match parts.extensions.get::<Caller>() {
            Some(Caller::Shop(shop)) => Ok(Self(*shop)),
            Some(Caller::Holder { .. } | Caller::Desk(_)) | None => Err(Problem::unauthenticated()),
        }
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

/// What the caller shows.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn source(extensions: &http::Extensions) -> IpAddr {
    extensions.get::<Source>().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |source| source.0)
}

/// Counts the request, before anything else looks at it: of whoever is known for themselves, of everybody else for where
/// they are. So nobody uses up what is another's, neither by naming them nor by being their neighbour.
pub async fn guard(State(service): State<Arc<Service>>, mut request: Request, next: Next) -> Response {
    let (entrance, now) = (&service.entrance, service.now());
    let source = source(request.extensions());
    let caller = match service.caller(request.headers(), !entrance.sources.is_used_up(&source, now)) {
        Ok(caller) => caller,
        Err(problem) => return problem.into_response(),
    };
    let verdict = match &caller {
        Some(caller) => entrance.callers.count(caller.id(), now),
        None => entrance.sources.count(source, now),
    };
    if !verdict.allowed {
        let mut response = verdict.problem().into_response();
        verdict.mark(&mut response);
        return response;
    }
    if let Some(caller) = caller {
        request.extensions_mut().insert(caller);
    }
    let mut response = next.run(request).await;
    verdict.mark(&mut response);
    response
}

impl Service {
    /// Counts an attempt to come in: opening, logging in, verifying, recovering.
    pub fn count_entrance(&self, source: IpAddr) -> Result<(), Problem> {
        let verdict = self.entrance.entrances.count(source, self.now());
        if verdict.allowed { Ok(()) } else { Err(verdict.problem()) }
    }

    /// Counts an attempt from `source` to log in as whoever has `mail`, or to recover that login. Elsewhere they may still.
    pub fn count_login(&self, mail: ContactId, source: IpAddr) -> Result<(), Problem> {
        let verdict = self.entrance.logins.count((mail.0, source), self.now());
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

    /// Counts a payment code that `holder` makes.
    pub fn count_payment_code(&self, holder: HolderId) -> Result<(), Problem> {
        let verdict = self.entrance.payment_codes.count(holder.0, self.now());
        if verdict.allowed { Ok(()) } else { Err(verdict.problem()) }
    }

    /// Whether the vendor may be asked once more how far something of `holder` is: it says so by itself as well.
    pub fn may_ask_vendor(&self, holder: HolderId) -> bool {
        self.entrance.vendor.count(holder.0, self.now()).allowed
    }

    /// Logs that somebody came as if they were `from`, and why they are not believed: for the operator, without anything of
    /// what they brought, and so often a minute that nobody fills a disk by it.
    pub fn log_forgery(&self, from: &'static str, why: &'static str) {
        if self.entrance.forgeries.count(from, self.now()).allowed {
            tracing::warn!(from, why, "a callback is not believed");
        }
    }

    /// Whoever proves with `headers` who they are, if anybody. Without `in_file` only tokens that were seen before count:
    /// a flood of made-up ones costs no look into the file.
    fn caller(&self, headers: &HeaderMap, in_file: bool) -> Result<Option<Caller>, Problem> {
        let Some(token) = bearer(headers) else {
            let Some(token) = web::cookie::get(headers, sessions::COOKIE, self.options.secure()) else {
                return Ok(None);
            };
            let hash = self.keys.secret(sessions::PURPOSE, token);
            let session = self.known_session(hash, in_file)?.filter(|session| session.is_browser);
            return Ok(session.map(|session| Caller::Holder { session, by_cookie: true }));
        };
        let staff = self.options.staff.iter().find(|staff| staff.token.is(token));
        if let Some(staff) = staff {
            return Ok(Some(Caller::Desk(staff.id)));
        }
        let (session, shop) =
            (self.keys.secret(sessions::PURPOSE, token), self.keys.secret(crate::shops::PURPOSE, token));
        let holder = |session| Caller::Holder { session, by_cookie: false };
        let seen = self.known_session(session, false)?.map(holder);
        let seen = seen.map_or_else(|| self.known_shop(shop, false), |holder| Ok(Some(holder)))?;
        if seen.is_some() || !in_file {
            return Ok(seen);
        }
        let found = self.known_session(session, true)?.map(holder);
        found.map_or_else(|| self.known_shop(shop, true), |holder| Ok(Some(holder)))
    }

    /// The live session that `token` opens.
    pub fn session(&self, token: &str) -> Result<Option<Arc<Session>>, Problem> {
        self.known_session(self.keys.secret(sessions::PURPOSE, token), true)
    }

    /// The live session whose token has this hash.
    fn known_session(&self, hash: Id, in_file: bool) -> Result<Option<Arc<Session>>, Problem> {
        let now = self.now();
        if let Some(seen) = self.entrance.sessions.read().unwrap_or_else(PoisonError::into_inner).get(&hash) {
            seen.used_ms.store(now.milliseconds(), Ordering::Relaxed);
            return Ok(Some(Arc::clone(&seen.session)).filter(|session| now < session.expires));
        }
        if !in_file || self.doors.get::<Session>(hash)?.is_none() {
            return Ok(None);
        }
        // Read again under the lock that forgetting takes: a session that ends meanwhile is not remembered for ever.
        let mut sessions = self.entrance.sessions.write().unwrap_or_else(PoisonError::into_inner);
        let live = self.doors.get::<Session>(hash)?.map(Arc::new).filter(|session| now < session.expires);
        if let Some(session) = &live {
            make_room(&mut sessions, TOKENS_SEEN_MAX, |seen| now < seen.session.expires);
            sessions.entry(hash).or_insert_with(|| Seen::new(Arc::clone(session), now));
        }
        Ok(live)
    }

    /// The shop whose token has this hash.
    fn known_shop(&self, hash: Id, in_file: bool) -> Result<Option<Caller>, Problem> {
        let seen = self.entrance.shops.read().unwrap_or_else(PoisonError::into_inner).get(&hash).copied();
        if seen.is_some() || !in_file {
            return Ok(seen.filter(|token| token.is_live(self.now())).map(|token| Caller::Shop(token.shop)));
        }
        if self.doors.get::<ShopToken>(hash)?.is_none() {
            return Ok(None);
        }
        let mut shops = self.entrance.shops.write().unwrap_or_else(PoisonError::into_inner);
        let live = self.doors.get::<ShopToken>(hash)?.filter(|token| token.is_live(self.now()));
        if let Some(token) = live {
            make_room(&mut shops, TOKENS_SEEN_MAX, |token| token.is_live(self.now()));
            shops.insert(hash, token);
        }
        Ok(live.map(|token| Caller::Shop(token.shop)))
    }

    /// Where a request came from, as the rules see it.
    pub fn origin(&self, source: IpAddr, device: Option<Fingerprint>) -> Origin {
        let (network, network_wide) = self.keys.networks(source);
        Origin { device, network: Some(network), network_wide: Some(network_wide) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_makes_room_and_what_has_ended_goes_first() {
        let numbers = |count: u128| (0..count).map(|number| (Id::from_number(number), number)).collect();
        for (count, live_from, left) in [(9, 9, 9), (10, 4, 6), (10, 0, 5), (10, 10, 0), (20, 0, 10)] {
            let mut seen: HashMap<Id, u128> = numbers(count);
            make_room(&mut seen, 10, |number| *number >= live_from);
            assert_eq!(seen.len(), left, "{count} of which {live_from} have ended");
        }
    }
}
