//! The caller of the gateway's API: an operator with an access token, and a proof that the token is its own.

use super::authentication::{believe_proof, proof_header};
use super::fault::Fault;
use crate::domain::OperatorId;
use crate::gateway::Gateway;
use crate::rates::Meter;
use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use web::jose::Algorithm;
use web::jose::dpop::Call;
use web::{Problem, Verdict};

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Asking for a mandate; what the code's own token has. No path of the API takes it.
    Mandate,
    /// Listing, looking at and revoking mandates.
    Mandates,
    /// Debits, and giving them back.
    Debits,
    /// Credits.
    Credits,
    /// Reading events, and the switches of banks.
    Events,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Mandate, Self::Mandates, Self::Debits, Self::Credits, Self::Events];

    /// The name that tokens carry.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mandate => "mandate",
            Self::Mandates => "mandates",
            Self::Debits => "debits",
            Self::Credits => "credits",
            Self::Events => "events",
        }
    }
}

/// The scopes in `text`, which are separated by single blanks; none if one is unknown or doubled.
pub(super) fn parse_scopes(text: &str) -> Option<Vec<Scope>> {
    let mut scopes = Vec::new();
    for name in text.split(' ') {
        let scope = Scope::ALL.into_iter().find(|scope| scope.name() == name)?;
        if scopes.contains(&scope) {
            return None;
        }
        scopes.push(scope);
    }
    Some(scopes)
}

/// Scopes as tokens carry them.
pub(super) fn write_scopes(scopes: &[Scope]) -> String {
    scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" ")
}

/// Who calls. To be taken as an argument by every handler of the API; then [`Caller::check`] for what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The operator.
    pub operator: OperatorId,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

impl Caller {
    /// Refuses unless the token is good for `scope`.
    pub fn check(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.contains(&scope) {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            "insufficient-scope",
            "The token is not good for this.",
            "このトークンでは利用できません。",
        )
        .with("scope", scope.name())
        .header(header::WWW_AUTHENTICATE, challenge("insufficient_scope")))
    }
}

impl FromRequestParts<Gateway> for Caller {
    type Rejection = Problem;

    /// Refusals in order: no DPoP token, token not believed or expired, client or the key that it had proven gone, too many calls, no proof, proof not
    /// believed or not for this call and token, proof shown before, proof by another key.
    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Problem> {
        let (now, meter) = (gateway.outside().now(), Meter::of(parts));
        let too_many = |verdict: Verdict| verdict.problem();
        #[cfg(test)]
        if let Some(caller) = parts.extensions.get::<Self>() {
            gateway.limits().operator(&meter, caller.operator, now).map_err(too_many)?;
            return Ok(caller.clone());
        }
        let oauth = gateway.oauth();
        let text = token(&parts.headers).ok_or_else(|| refused("invalid_token"))?;
        let token = oauth.issuer.believe(text, now).ok_or_else(|| refused("invalid_token"))?;
        let client = oauth.clients.get(&token.client).filter(|client| client.keys.has(&token.client_key));
        let client = client.ok_or_else(|| refused("invalid_token"))?;
        gateway.limits().claimed(&meter, client.operator, now).map_err(too_many)?;
        let proof = proof_header(&parts.headers).ok().flatten().ok_or_else(|| refused("invalid_dpop_proof"))?;
        let url = oauth.issuer.address(parts.uri.path());
        let call = Call { method: parts.method.as_str(), url: &url, access_token: Some(text) };
        let proof = believe_proof(gateway, client.operator, proof, call, now).map_err(|fault| match fault {
            Fault::Unavailable => Problem::busy(),
            other => refused(other.code()),
        })?;
        if proof.thumbprint != token.thumbprint {
            return Err(refused("invalid_dpop_proof"));
        }
        gateway.limits().operator(&meter, client.operator, now).map_err(too_many)?;
        Ok(Self { operator: client.operator, scopes: token.scopes })
    }
}

/// The token of an `Authorization: DPoP …` header. A token that is bound to a key is never taken as a bearer's.
fn token(headers: &HeaderMap) -> Option<&str> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let (scheme, token) = sent.next()?.to_str().ok()?.split_once(' ')?;
    (sent.next().is_none() && scheme.eq_ignore_ascii_case("DPoP")).then_some(token)
}

fn refused(error: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Who asks is not known.", "認証が必要です。")
        .detail("Send `Authorization: DPoP <access token>` and a fresh proof in `DPoP`.")
        .with("error", error)
        .header(header::WWW_AUTHENTICATE, challenge(error))
}

fn challenge(error: &str) -> HeaderValue {
    let algorithms = Algorithm::ALL.map(Algorithm::name).join(" ");
    HeaderValue::from_str(&format!("DPoP error=\"{error}\", algs=\"{algorithms}\""))
        .unwrap_or(HeaderValue::from_static("DPoP"))
}
