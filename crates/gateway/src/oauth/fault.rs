//! Faults: what a client is told when the authorization server does not do what it asked (RFC 6749, section 5.2).

use axum::response::{IntoResponse, Response};
use engine::EngineError;
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use web::Verdict;

/// Why a call of an endpoint was refused. The texts say which rule was broken and never repeat what was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A parameter is missing, doubled or not what it must be.
    InvalidRequest(&'static str),
    /// The client is not known, or has not proven that it is.
    InvalidClient(&'static str),
    /// The code is not good, or not good here.
    InvalidGrant(&'static str),
    /// The account has a mandate of this client already, and the grant does not displace it.
    AlreadyLinked,
    /// There is no such grant type.
    UnsupportedGrantType,
    /// A scope is not known, or not this client's.
    InvalidScope,
    /// The proof of possession is missing or not believed (RFC 9449).
    InvalidDpopProof(&'static str),
    /// What is asked of the account's holder is not what can be asked (RFC 9396).
    InvalidAuthorizationDetails(String),
    /// The client, or one of its wallets, has as much open as it may (RFC 9126, section 2.3).
    TooManyOpen,
    /// The client calls too often.
    TooManyRequests(Verdict),
    /// Too much is going on: try again.
    Unavailable,
    /// Our own fault.
    Internal,
}

impl Fault {
    /// The error code of the standards.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidClient(_) => "invalid_client",
            Self::InvalidGrant(_) => "invalid_grant",
            Self::AlreadyLinked => "already_linked",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidDpopProof(_) => "invalid_dpop_proof",
            Self::InvalidAuthorizationDetails(_) => "invalid_authorization_details",
            Self::TooManyOpen => "too_many_open",
            Self::TooManyRequests(_) => "too_many_requests",
            Self::Unavailable => "temporarily_unavailable",
            Self::Internal => "server_error",
        }
    }

    fn description(&self) -> &str {
        match self {
            Self::InvalidRequest(text)
            | Self::InvalidClient(text)
            | Self::InvalidGrant(text)
            | Self::InvalidDpopProof(text) => text,
            Self::InvalidAuthorizationDetails(text) => text,
            Self::AlreadyLinked => "the account is linked already, by a grant that is as good",
            Self::UnsupportedGrantType => "grant_type is authorization_code or client_credentials",
            Self::InvalidScope => "a scope is not known, or not this client's",
            Self::TooManyOpen => "this wallet, or this client at this bank, has as much open as it may: end it or wait",
            Self::TooManyRequests(_) => "this client calls too often: wait as long as Retry-After says",
            Self::Unavailable => "too much is going on: try again in a moment",
            Self::Internal => "something is wrong on our side",
        }
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::InvalidClient(_) => StatusCode::UNAUTHORIZED,
            Self::InvalidRequest(_)
            | Self::InvalidGrant(_)
            | Self::AlreadyLinked
            | Self::UnsupportedGrantType
            | Self::InvalidScope
            | Self::InvalidDpopProof(_)
            | Self::InvalidAuthorizationDetails(_) => StatusCode::BAD_REQUEST,
            Self::TooManyOpen | Self::TooManyRequests(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<&EngineError> for Fault {
    fn from(error: &EngineError) -> Self {
        match error {
            EngineError::Busy
            | EngineError::RefusedTooOften { .. }
            | EngineError::Unavailable(_)
            | EngineError::Stopped => Self::Unavailable,
            EngineError::KeyReused | EngineError::Defect { .. } | EngineError::Halted(_) => Self::Internal,
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.code(), "error_description": self.description() });
        let mut response = (self.status(), axum::Json(body)).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let again_seconds = match &self {
            Self::TooManyRequests(verdict) => Some(verdict.reset_seconds),
            Self::Unavailable => Some(1),
            Self::InvalidRequest(_)
            | Self::InvalidClient(_)
            | Self::InvalidGrant(_)
            | Self::AlreadyLinked
            | Self::UnsupportedGrantType
            | Self::InvalidScope
            | Self::InvalidDpopProof(_)
            | Self::InvalidAuthorizationDetails(_)
            | Self::TooManyOpen
            | Self::Internal => None,
        };
        if let Some(seconds) = again_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
