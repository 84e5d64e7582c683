//! Problems: what a caller is told when something was not done (RFC 9457), in one shape for every service.
//!
//! `type` is stable and is what programs match on; `title` and `title_ja` say it in one sentence each; `detail` says what to
//! do; further members name what was asked and what is possible. No problem carries a secret or personal data.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;

/// A problem document. Boxed, because it is the unhappy half of many a result.
#[derive(Clone, Debug)]
pub struct Problem(Box<Document>);

#[derive(Clone, Debug)]
struct Document {
    status: StatusCode,
    name: &'static str,
    title: &'static str,
    title_ja: &'static str,
    detail: Cow<'static, str>,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem of `type` `/problems/<name>`.
    pub fn new(status: StatusCode, name: &'static str, title: &'static str, title_ja: &'static str) -> Self {
        let detail = Cow::Borrowed("");
        Self(Box::new(Document { status, name, title, title_ja, detail, members: Map::new(), headers: Vec::new() }))
    }

    /// What to do about it, in one sentence.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = detail.into();
        self
    }

    /// A member that names what was asked or what is possible.
    #[must_use]
    pub fn with(mut self, member: &'static str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        self.0.members.insert(member.to_owned(), value);
        self
    }

    /// A header of the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        if let Ok(value) = value.try_into() {
            self.0.headers.push((name, value));
        }
        self
    }

    /// When it may be tried again, in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: i64) -> Self {
        self.with("retry_after_seconds", seconds).header(header::RETRY_AFTER, seconds.to_string())
    }

    /// The status code.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The last part of its `type`.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// What it says to a person, in Japanese and in English.
    pub fn titles(&self) -> (&'static str, &'static str) {
        (self.0.title_ja, self.0.title)
    }

    /// There is no such thing, or it is another's: nobody learns which.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such thing here.", "見つかりません。")
            .detail("Check the path and the id.")
    }

    /// Nobody has said who asks, or not so that it can be believed.
    pub fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Who asks is not known.", "認証が必要です。")
            .detail("Send a valid token in `Authorization: Bearer …`.")
            .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// Whoever asks is known, and may not.
    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "This is not allowed with this role.", "権限がありません。")
    }

    /// The body or a parameter is not what this path takes.
    pub fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "malformed",
            "The request cannot be read.",
            "リクエストの形式が正しくありません。",
        )
        .detail(detail)
    }

    /// Too much is asked at once.
    pub fn busy() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too much is asked at once.", "混み合っています。")
            .detail("Nothing was done; try again with the same Idempotency-Key.")
            .retry_after(1)
    }

    /// Our own fault.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something is wrong on our side.",
            "システムエラーが発生しました。",
        )
        .detail("It is recorded under the request id; try again with the same Idempotency-Key.")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.0.status.as_u16(), self.0.name, self.0.title)
    }
}

impl std::error::Error for Problem {}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let this = *self.0;
        let mut document = Map::new();
        document.insert("type".into(), format!("/problems/{}", this.name).into());
        document.insert("title".into(), this.title.into());
        document.insert("title_ja".into(), this.title_ja.into());
        document.insert("status".into(), this.status.as_u16().into());
        if !this.detail.is_empty() {
            document.insert("detail".into(), this.detail.into());
        }
        document.extend(this.members);
        let kind = HeaderValue::from_static("application/problem+json");
        let mut response = (this.status, Value::Object(document).to_string()).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        for (name, value) in this.headers {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// The answer to a path that no service has.
pub async fn fallback() -> Problem {
    Problem::not_found()
}
