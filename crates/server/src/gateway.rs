//! The client of the mandate gateway: who we are there, and every call that we make.
//!
//! We sign in with our key (`private_key_jwt`), every token is bound to it (`DPoP`), and no token is kept for a mandate: what
//! may be debited is the mandate's state over there. An answer that cannot be read is no answer.
//! Start reading at [`Service::gateway_call`].

mod grants;

pub use grants::{Account, Granted, Pushed};

use crate::refusals;
use crate::service::Service;
use bytes::Bytes;
use domain::Time;
use http::{HeaderValue, Method, Request, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use wallet::Refusal;
use web::jose::{assertion, dpop};
use web::{Bounds, Problem, TransportError};

/// After how long another link may be tried, in seconds: an open one lapses in as long.
const LINK_WAIT_SECONDS: i64 = 600;
/// How long one call may take, in milliseconds.
const CALL_MS_MAX: u64 = 8_000;
/// How long before its end a token is not used any more, in milliseconds.
const TOKEN_MARGIN_MS: i64 = 30_000;
/// What our token may be used for.
const SCOPE: &str = "mandates debits credits events";
/// The path of the authorization endpoint.
pub const AUTHORIZE_PATH: &str = "/gateway/v1/authorize";

/// Our token, while it lasts.
#[derive(Default)]
pub struct GatewayToken(Mutex<Option<(String, Time)>>);

/// What the gateway answered.
#[derive(Clone, Debug)]
pub struct GatewayAnswer {
    /// The status code.
    pub status: StatusCode,
    /// The body.
    pub body: Value,
}

/// Why there is no answer to act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GatewayError {
    /// Nothing was sent: nobody is there.
    Unreachable,
    /// No answer in time: whether it was done is not known.
    NoAnswer,
    /// It says that it is in trouble, or nothing that can be read: whether it was done is not known.
    Trouble,
    /// We are not let in: nothing was done.
    Denied,
    /// It does not take what was asked; its word for why.
    Refused(String),
}

impl fmt::Display for GatewayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "the gateway cannot be reached",
            Self::NoAnswer => "the gateway gave no answer in time",
            Self::Trouble => "the gateway is in trouble, or gave no answer that can be read",
            Self::Denied => "the gateway does not let us in",
            Self::Refused(_) => "the gateway does not take what was asked",
        })
    }
}

impl std::error::Error for GatewayError {}

impl GatewayError {
    /// Why a form was not taken: whether that is about us, or about what was asked.
    fn of_form(answer: &GatewayAnswer) -> Self {
        let word = answer.body["error"].as_str().unwrap_or_default();
        let is_about_us = answer.status == StatusCode::UNAUTHORIZED || matches!(word, "" | "invalid_client");
        if is_about_us { Self::Denied } else { Self::Refused(word.to_owned()) }
    }

    /// What a holder is told whose link came to this.
    pub fn link_problem(&self) -> Problem {
        match self {
            Self::Refused(word) if word == "too_many_open" => {
                refusals::new(429, "too-many-links", "Too many links are open.", "手続き中の口座登録が多すぎます。")
                    .detail("Go on with one of them, or wait until they lapse.")
                    .retry_after(LINK_WAIT_SECONDS)
            }
            Self::Refused(word) if word == "already_linked" => refusals::problem(&Refusal::AlreadyLinked),
            Self::Refused(_) => refusals::new(
                409,
                "link-refused",
                "The gateway does not take this link.",
                "この口座登録は受け付けられません。",
            )
            .detail("GET /v1/banks says what is open. Ask for another link then."),
            Self::Unreachable | Self::NoAnswer | Self::Trouble | Self::Denied => refusals::unavailable(),
        }
    }
}

impl From<TransportError> for GatewayError {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Unreachable(_) | TransportError::Forbidden(_) => Self::Unreachable,
            TransportError::TimedOut => Self::NoAnswer,
            TransportError::Broken(_) | TransportError::TooLarge => Self::Trouble,
        }
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    expires_in: i64,
}

impl Service {
    /// Calls `path` of the gateway's API with our token. Whatever status comes back is an answer, but for those of a server
    /// that is in trouble: then nobody knows.
    pub async fn gateway_call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<GatewayAnswer, GatewayError> {
        self.gateway_call_within(method, path, body, CALL_MS_MAX).await
    }

    /// The same, with an answer in `time_ms` or none.
    pub async fn gateway_call_within(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        time_ms: u64,
    ) -> Result<GatewayAnswer, GatewayError> {
        let token = self.gateway_token().await?;
        let answer = self.gateway_send(&method, path, body, &token, time_ms).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        // The token was ended over there: once more with a new one.
        *self.gateway_token.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let token = self.gateway_token().await?;
        let answer = self.gateway_send(&method, path, body, &token, time_ms).await?;
        if answer.status == StatusCode::UNAUTHORIZED { Err(GatewayError::Denied) } else { Ok(answer) }
    }

    async fn gateway_send(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        token: &str,
        time_ms: u64,
    ) -> Result<GatewayAnswer, GatewayError> {
        let url = format!("{}{path}", self.options.gateway.origin);
        let call = dpop::Call { method: method.as_str(), url: &url, access_token: Some(token) };
        let mut request = Request::builder()
            .method(method)
            .uri(&url)
            .header(header::AUTHORIZATION, sensitive(format!("DPoP {token}"))?)
            .header("dpop", self.gateway_proof(call));
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json");
            if let Some(reference) = body["reference"].as_str() {
                request = request.header("idempotency-key", reference);
            }
        }
        let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        self.gateway_exchange(request.body(body).map_err(|_| GatewayError::Unreachable)?, time_ms).await
    }

    /// Posts a form to a path where the client itself must show who it is: as the FAPI 2.0 Security Profile has it, with a
    /// signed assertion.
    pub async fn gateway_form(&self, path: &str, fields: &[(&str, &str)]) -> Result<GatewayAnswer, GatewayError> {
        let (gateway, now) = (&self.options.gateway, self.now());
        let url = format!("{}{path}", gateway.origin);
        let jti = self.id().to_string();
        let assertion = assertion::write(&gateway.key, &gateway.client_id, &gateway.issuer, now, &jti);
        let own = [
            ("client_id", gateway.client_id.as_str()),
            ("client_assertion_type", assertion::ASSERTION_TYPE),
            ("client_assertion", assertion.as_str()),
        ];
        let form: Vec<String> =
            fields.iter().chain(&own).map(|(name, value)| format!("{name}={}", percent(value))).collect();
        let call = dpop::Call { method: "POST", url: &url, access_token: None };
        let request = Request::post(&url)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("dpop", self.gateway_proof(call))
            .body(Bytes::from(form.join("&")));
        self.gateway_exchange(request.map_err(|_| GatewayError::Unreachable)?, CALL_MS_MAX).await
    }

    async fn gateway_exchange(&self, request: Request<Bytes>, time_ms: u64) -> Result<GatewayAnswer, GatewayError> {
        let bounds = Bounds { time_ms, body_bytes: 1 << 20 };
        let answer = self.outside.transport.call(request, bounds).await?;
        if answer.status().is_server_error() {
            tracing::warn!(status = answer.status().as_u16(), "the gateway is in trouble");
            return Err(GatewayError::Trouble);
        }
        let body = if answer.body().is_empty() { Value::Null } else { read(answer.body())? };
        Ok(GatewayAnswer { status: answer.status(), body })
    }

    fn gateway_proof(&self, call: dpop::Call<'_>) -> String {
        dpop::prove(&self.options.gateway.key, call, self.now(), &self.id().to_string(), None)
    }

    async fn gateway_token(&self) -> Result<String, GatewayError> {
        let now = self.now();
        let kept = self.gateway_token.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((token, _)) = kept.filter(|(_, until)| now < *until) {
            return Ok(token);
        }
        let fields = [("grant_type", "client_credentials"), ("scope", SCOPE)];
        // Whatever goes wrong here, nothing was asked yet of what the token is for.
        let answer = self.gateway_form("/gateway/v1/token", &fields).await.map_err(|_| GatewayError::Denied)?;
        if answer.status != StatusCode::OK {
            tracing::error!(status = answer.status.as_u16(), "the gateway gives us no token");
            return Err(GatewayError::Denied);
        }
        let token: TokenAnswer = serde_json::from_value(answer.body).map_err(|_| GatewayError::Denied)?;
        let lasts_ms = token.expires_in.saturating_mul(1_000).saturating_sub(TOKEN_MARGIN_MS);
        let until = now.plus_milliseconds(lasts_ms);
        *self.gateway_token.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((token.access_token.clone(), until));
        Ok(token.access_token)
    }
}

/// The body of an answer of the gateway's.
pub fn read(body: &[u8]) -> Result<Value, GatewayError> {
    serde_json::from_slice(body).map_err(|_| GatewayError::Trouble)
}

fn sensitive(text: String) -> Result<HeaderValue, GatewayError> {
    let mut value = HeaderValue::try_from(text).map_err(|_| GatewayError::Denied)?;
    value.set_sensitive(true);
    Ok(value)
}

/// `text` as a form or a query writes it: everything but unreserved characters in percent signs (RFC 3986, section 2.3).
pub fn percent(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            written.push(char::from(byte));
        } else {
            let digit = |half: u8| char::from(b"0123456789ABCDEF"[usize::from(half)]);
            written.extend(['%', digit(byte >> 4), digit(byte & 0xf)]);
        }
    }
    written
}
