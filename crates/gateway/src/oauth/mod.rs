//! The gateway as authorization server, by the FAPI 2.0 Security Profile: who calls, what they may do, and how a link begins
//! and is collected.
//!
//! | room | what it does |
//! |---|---|
//! | `clients` | the operators' clients: names, keys, the one redirect address each |
//! | `authentication` | `private_key_jwt`: who calls the endpoints below |
//! | `pushed` | `POST /gateway/v1/par`: all that is asked comes over the back channel |
//! | `links` | what was pushed, until it is granted and collected: in memory, ten minutes at most |
//! | `departures` | which mandate a browser at a bank's own page is there for, half an hour at most |
//! | `token` | `POST /gateway/v1/token`: a code for its grant, an assertion for a token |
//! | `issuer` | our keys, their rotation, the tokens that they sign, the metadata |
//! | `caller` | the extractor: who shows a token, and whether they can prove that it is theirs |
//! | `replay` | what comes once comes once |
//! | `room` | nobody uses up what is another's of the memories here |
//!
//! What is remembered here is remembered by this process alone, and a restart forgets it on the safe side: links in the
//! making end, and what was signed before the start is not taken. Nothing here moves money or knows a bank.
//! Start reading at `pushed`, then `token`, then [`Caller`].

mod authentication;
mod caller;
pub(crate) mod clients;
mod departures;
mod fault;
mod issuer;
mod links;
mod pushed;
mod replay;
mod room;
mod token;

pub use caller::{Caller, Scope};
pub use clients::{Client, ClientId, ClientSettings, Clients, ClientsError, Name};
pub(crate) use clients::{is_named, origin as origin_of};
pub use departures::{Departures, Owed};
pub use fault::Fault;
pub use issuer::{ACCESS_TOKEN_SECONDS, Issuer, IssuerError};
pub use links::{Asked, AtBank, BrowserToken, Challenge, Holder, LINK_MS, Link, Links, Opened, Stage};
pub(crate) use pushed::request_token;
pub use replay::{REMEMBERED_MAX, Replay};

use crate::domain::OperatorId;
use crate::gateway::Gateway;
use axum::Router;
use axum::routing::{get, post};
use domain::Time;
use engine::{Actor, ActorKind};
use http::{HeaderMap, header};
use std::fmt;
use std::path::Path;
use web::{Due, Outside};

/// The authorization server's own state.
#[derive(Debug)]
pub struct Oauth {
    /// Our keys and what they sign.
    pub issuer: Issuer,
    /// Who may call.
    pub clients: Clients,
    /// Links in the making.
    pub links: Links,
    /// Who is at a bank's own page.
    pub departures: Departures,
    /// Assertions and proofs that were shown.
    pub replay: Replay,
}

impl Oauth {
    /// Opens it with the clients of the configuration and what lies in `directory`.
    pub fn open(
        origin: &str,
        directory: &Path,
        configured: Vec<ClientSettings>,
        operator: impl Fn(&ClientId) -> OperatorId,
        outside: &Outside,
    ) -> Result<Self, OauthError> {
        let (chance, now) = (outside.chance.as_ref(), outside.now());
        Ok(Self {
            issuer: Issuer::open(origin.to_owned(), Some(directory.join("signing-keys.json")), chance, now)?,
            clients: Clients::open(configured, Some(directory.join("clients.json")), operator)?,
            links: Links::default(),
            departures: Departures::default(),
            replay: Replay::new(now, REMEMBERED_MAX),
        })
    }
}

impl Oauth {
    /// Makes and forgets keys when their time has come. A failure is tried again a minute later.
    pub fn rotate_due(&self, outside: &Outside, now: Time) -> Due {
        let next = self.issuer.rotates_next();
        if next.is_none_or(|next| now < next) {
            return Due { done: 0, next };
        }
        match self.issuer.rotate(outside.chance.as_ref(), now) {
            Ok(changed) => Due { done: usize::from(changed), next: self.issuer.rotates_next() },
            Err(error) => {
                tracing::error!(%error, "the signing keys could not be rotated");
                Due { done: 0, next: Some(now.plus_milliseconds(60_000)) }
            }
        }
    }
}

/// Why the authorization server cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OauthError {
    /// Its keys.
    Issuer(IssuerError),
    /// Its clients.
    Clients(ClientsError),
}

impl From<IssuerError> for OauthError {
    fn from(error: IssuerError) -> Self {
        Self::Issuer(error)
    }
}

impl From<ClientsError> for OauthError {
    fn from(error: ClientsError) -> Self {
        Self::Clients(error)
    }
}

impl fmt::Display for OauthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issuer(error) => error.fmt(f),
            Self::Clients(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OauthError {}

/// The paths of the authorization server that programs call.
pub fn routes() -> Router<Gateway> {
    Router::new()
        .route("/.well-known/oauth-authorization-server", get(issuer::metadata))
        .route("/gateway/v1/jwks", get(issuer::jwks))
        .route("/gateway/v1/par", post(pushed::push))
        .route("/gateway/v1/token", post(token::token))
        .route("/gateway/v1/clients", get(clients::list).post(clients::register))
}

/// The operator itself, as who asks.
pub(crate) fn actor(operator: OperatorId) -> Actor {
    Actor { kind: ActorKind::Operator, id: operator.id() }
}

/// The token of an `Authorization: Bearer …` header, if there is exactly one.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let (scheme, token) = sent.next()?.to_str().ok()?.split_once(' ')?;
    (sent.next().is_none() && scheme.eq_ignore_ascii_case("Bearer")).then_some(token)
}
