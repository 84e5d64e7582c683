//! What another service would not do, told to whoever caused it: bad input comes back as that service said it, and what is
//! nobody's input is a fault between the two.

use crate::world::Undone;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;
use web::Problem;

/// Why a call of the sandbox's own API came to nothing.
pub(super) enum Refused {
    /// The sandbox says so itself.
    Here(Problem),
    /// Another service said so, in a problem document that is passed on as it is.
    There(StatusCode, Value),
}

impl Refused {
    /// `service` answered this to something that the caller's words went into.
    pub(super) fn by(service: &'static str, status: StatusCode, answer: Value) -> Self {
        // Who asks is the sandbox: that it is not known or may not is not the caller's doing.
        let is_input = status.is_client_error() && !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        if is_input && answer["type"].is_string() {
            return Self::There(status, answer);
        }
        let status = if is_input { status } else { StatusCode::BAD_GATEWAY };
        let problem = Problem::new(
            status,
            "service-refused",
            "The service behind the sandbox did not do its part.",
            "サンドボックスの先のサービスが処理できませんでした。",
        );
        Self::Here(problem.with("service", service).with("answer", answer))
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Here(problem)
    }
}

impl From<Undone> for Refused {
    fn from(undone: Undone) -> Self {
        Self::Here(undone.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Here(problem) => problem.into_response(),
            Self::There(status, problem) => {
                let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))];
                let mut response = (status, kind, problem.to_string()).into_response();
                if let Some(seconds) = problem["retry_after_seconds"].as_u64() {
                    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
                }
                response
            }
        }
    }
}
