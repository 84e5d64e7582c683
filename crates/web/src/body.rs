//! Bodies: JSON that is exactly what the path takes, or a problem. And the key that makes a request repeatable.

use crate::problem::Problem;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The largest body that a request may have, in bytes; a service may allow more where it takes files.
pub const BODY_BYTES_MAX: usize = 64 * 1_024;
/// The longest `Idempotency-Key`, in bytes.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// A JSON body, both ways. A request's is strict: its type says `deny_unknown_fields`, amounts are whole numbers.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        JsonBytes::from_request(request, state).await.map(|JsonBytes(value, _)| Self(value))
    }
}

/// A JSON body with the bytes that it came as: for whoever must know a repeated request again.
#[derive(Clone, Debug)]
pub struct JsonBytes<T>(pub T, pub Bytes);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBytes<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        read(request, state, &["application/json"]).await
    }
}

/// Reads a body of one of `kinds`.
async fn read<T: DeserializeOwned, S: Send + Sync>(
    request: Request,
    state: &S,
    kinds: &[&str],
) -> Result<JsonBytes<T>, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kinds.iter().any(|known| kind.eq_ignore_ascii_case(known)) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "The body must be JSON.",
            "本文は JSON で送ってください。",
        )
        .detail(format!("Send `Content-Type: {}`.", kinds.first().unwrap_or(&"application/json"))));
    }
    let bytes = Bytes::from_request(request, state).await.map_err(|rejection| too_large(rejection.status()))?;
    // An array would do for a struct, member by member in order: nobody who sends one means that.
    if bytes.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        return Err(Problem::malformed("The body must be a JSON object."));
    }
    parse(&bytes).map(|value| JsonBytes(value, bytes))
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

fn too_large(status: StatusCode) -> Problem {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(status, "too-large", "The body is too large.", "本文が大きすぎます。")
            .with("bytes_max", BODY_BYTES_MAX);
    }
    Problem::malformed("The body did not arrive whole.")
}

/// Reads `bytes` as a `T`; the problem names the member that does not fit, and never repeats a value.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let member = error.path().to_string();
        let error = error.into_inner();
        let problem = Problem::malformed(describe(&error));
        if error.is_data() && member != "." { problem.with("member", member) } else { problem }
    })?;
    json.end().map_err(|error| Problem::malformed(describe(&error)))?;
    Ok(value)
}

/// What is wrong, without the value that is: it may be somebody's name.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let Some(at) = ["invalid type: string ", "invalid value: string "].iter().find(|start| text.starts_with(**start))
    else {
        return if text.starts_with("invalid") || text.starts_with("unknown variant") {
            text.split(", expected")
                .nth(1)
                .map_or_else(|| "a value does not fit".into(), |rest| format!("expected{rest}"))
        } else {
            text
        };
    };
    let expected = text.rsplit(", expected ").next().unwrap_or_default();
    format!("{at}given, expected {expected}")
}

/// The caller's name for this request: the same one means the same request (IETF draft `Idempotency-Key`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(pub String);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut keys = parts.headers.get_all("idempotency-key").iter();
        let (Some(key), None) = (keys.next(), keys.next()) else {
            return Err(key_problem(
                "Send one `Idempotency-Key` header with a value that you make up for this request.",
            ));
        };
        let key = key.to_str().unwrap_or_default();
        if key.is_empty() || key.len() > IDEMPOTENCY_KEY_BYTES_MAX || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(key_problem("An `Idempotency-Key` is 1 to 255 visible ASCII characters."));
        }
        Ok(Self(key.to_owned()))
    }
}

/// A change of what is there (JSON Merge Patch, RFC 7396): the members that are named are replaced.
#[derive(Clone, Copy, Debug)]
pub struct MergePatch<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for MergePatch<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kinds = ["application/merge-patch+json", "application/json"];
        read(request, state, &kinds).await.map(|JsonBytes(value, _)| Self(value))
    }
}

/// The version that the caller means to change (`If-Match`, RFC 9110): one tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfMatch(String);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut tags = parts.headers.get_all(header::IF_MATCH).iter();
        let (Some(tag), None) = (tags.next(), tags.next()) else {
            return Err(Problem::new(
                StatusCode::PRECONDITION_REQUIRED,
                "precondition-required",
                "The request needs one If-Match.",
                "If-Match が必要です。",
            )
            .detail("Send the `ETag` that the last GET answered as `If-Match`."));
        };
        Ok(Self(tag.to_str().unwrap_or_default().trim().to_owned()))
    }
}

impl IfMatch {
    /// Refuses if what is there is no more what the caller saw.
    pub fn check(&self, tag: &str) -> Result<(), Problem> {
        if self.0 == tag {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition-failed",
            "It was changed meanwhile.",
            "ほかの変更が先に行われました。",
        )
        .detail("Get it again, and change what it is now."))
    }
}

fn key_problem(detail: &'static str) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "idempotency-key",
        "The request needs one Idempotency-Key.",
        "Idempotency-Key が必要です。",
    )
    .detail(detail)
}
