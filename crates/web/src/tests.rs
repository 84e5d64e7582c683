//! The shared parts, as a caller meets them.

use crate::body::parse;
use crate::cookie::{self, Secure};
use crate::{Armour, Bounds, Problem, RateLimit, Routers, Transport, TransportError, armour, by_host, chance, csrf};
use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;
use domain::Time;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde::Deserialize;
use std::sync::Arc;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its reading is tested")]
struct Payment {
    amount: u64,
    note: Option<String>,
}

async fn document(problem: Problem) -> serde_json::Value {
    let body = problem.into_response().into_body().collect().await.expect("a problem has a body").to_bytes();
    serde_json::from_slice(&body).expect("a problem is JSON")
}

#[tokio::test]
async fn a_body_that_does_not_fit_is_named_by_its_member_and_never_by_its_value() {
    for (body, member) in [
        (r#"{"amount": 1.5}"#, Some("amount")),
        (r#"{"amount": 1.0}"#, Some("amount")),
        (r#"{"amount": "100"}"#, Some("amount")),
        (r#"{"amount": -1}"#, Some("amount")),
        (r#"{"amount": 1e3}"#, Some("amount")),
        (r#"{"amount": 1, "extra": 2}"#, Some("extra")),
        (r#"{"amount": 1, "note": 777}"#, Some("note")),
        (r#"{"amount": 1} {"amount": 2}"#, None),
        (r#"{"amount": 1"#, None),
        (r#"{"note": "Sakura"}"#, None),
        ("", None),
        (r#"{"amount": "Sakura Aoki"}"#, Some("amount")),
    ] {
        let problem = parse::<Payment>(body.as_bytes()).expect_err("it must not fit");
        let document = document(problem).await;
        assert_eq!(document.get("member").and_then(|member| member.as_str()), member, "{body}");
        assert!(!document.to_string().contains("Sakura"), "{document}");
    }
    parse::<Payment>(br#"{"amount": 500}"#).expect("it fits");
}

#[tokio::test]
async fn each_host_has_its_router_and_no_other_host_has_one() {
    let named = |name: &'static str| Router::new().route("/", get(move || async move { name }));
    let front =
        by_host([("localhost".to_owned(), named("wallet")), ("gateway.localhost".to_owned(), named("gateway"))]);
    let routers = Routers::new();
    for host in ["localhost", "gateway.localhost", "LOCALHOST", "evil.example"] {
        routers.add(host, front.clone());
    }
    for (uri, expected) in [
        ("http://localhost:8080/", "wallet"),
        ("http://gateway.localhost/", "gateway"),
        ("http://LOCALHOST:8080/", "wallet"),
    ] {
        let request = Request::get(uri).body(Bytes::new()).expect("a request");
        let answer = routers.call(request, Bounds::default()).await.expect("an answer");
        assert_eq!(answer.body(), expected, "{uri}");
    }
    let request = Request::get("http://evil.example/").body(Bytes::new()).expect("a request");
    assert_eq!(routers.call(request, Bounds::default()).await.expect("an answer").status(), 421);
    let request = Request::get("/").header("host", "localhost").header("host", "gateway.localhost");
    let twice = tower::ServiceExt::oneshot(front, request.body(axum::body::Body::empty()).expect("a request")).await;
    assert_eq!(twice.map(|answer| answer.status().as_u16()), Ok(400), "a request has one host");
    let request = Request::get("http://nobody.localhost/").body(Bytes::new()).expect("a request");
    let error = routers.call(request, Bounds::default()).await.expect_err("nobody is there");
    assert_eq!(error, TransportError::Unreachable("nobody.localhost".into()));
}

#[tokio::test]
async fn an_answer_larger_than_the_bound_is_not_taken() {
    let routers = Routers::new();
    routers.add("big.localhost", Router::new().route("/", get(|| async { "x".repeat(2_000) })));
    let request = Request::get("http://big.localhost/").body(Bytes::new()).expect("a request");
    let bounds = Bounds { body_bytes: 1_000, ..Bounds::default() };
    assert_eq!(routers.call(request, bounds).await.expect_err("too large"), TransportError::TooLarge);
}

#[tokio::test]
async fn what_takes_too_long_is_ended_but_where_it_may() {
    let never = get(std::future::pending::<()>);
    let slow = get(|| tokio::time::sleep(std::time::Duration::from_millis(50)));
    let armoured = armour(
        Router::new().route("/never", never).route("/slow", slow),
        Armour {
            clock: Arc::new(engine::SystemClock),
            chance: Arc::new(crate::MachineChance),
            time_ms_max: 5,
            longer: &[("/slow", 60_000)],
            service: "test",
        },
    );
    let routers = Routers::new();
    routers.add("localhost", armoured);
    for (path, status) in [("/never", 503), ("/slow", 200)] {
        let request = Request::get(format!("http://localhost{path}")).body(Bytes::new()).expect("a request");
        let answer = routers.call(request, Bounds::default()).await.expect("an answer");
        assert_eq!(answer.status(), status, "{path}");
    }
}

#[test]
fn a_limit_lets_so_many_through_a_window_for_each_key() {
    let limit = RateLimit::new("logins", 2, 60_000);
    let at = Time::from_milliseconds;
    let allowed =
        [("a", 0), ("a", 1), ("a", 2), ("b", 3), ("a", 60_000)].map(|(key, now)| limit.count(key, at(now)).allowed);
    assert_eq!(allowed, [true, true, false, true, true]);
    assert_eq!(limit.count("b", at(60_001)).reset_seconds, 60);
}

#[test]
fn whoever_fills_a_limits_table_does_not_free_themselves() {
    let (limit, now) = (RateLimit::new("logins", 3, 60_000), Time::from_milliseconds(0));
    // One who has used everything, and a crowd who has used nearly as much.
    for _ in 0..3 {
        assert!(limit.count(0, now).allowed);
    }
    for key in 1..100_000 {
        limit.count(key, now);
        limit.count(key, now);
    }
    assert!(limit.count(100_000, now).allowed, "who is new is not locked out");
    assert!(limit.is_used_up(&0, now), "the table was full, and is not emptied for it");
    // Also where all of them have used everything.
    let limit = RateLimit::new("logins", 1, 60_000);
    for key in 0..=100_000 {
        assert!(limit.count(key, now).allowed);
    }
    let kept = (0..=100_000).filter(|key| limit.is_used_up(key, now)).count();
    assert!(kept > 75_000, "{kept}");
}

#[test]
fn a_cookie_comes_back_only_under_its_own_name_and_only_once() {
    for (secure, sent, expected) in [
        (Secure(true), "__Host-session=abc; other=1", Some("abc")),
        (Secure(true), "session=abc", None),
        (Secure(false), "a=b; session=abc", Some("abc")),
        (Secure(false), "session=abc; session=def", None),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::COOKIE, sent.parse().expect("a header"));
        assert_eq!(cookie::get(&headers, "session", secure), expected, "{sent}");
    }
    let set = cookie::set("session", "abc", 600, Secure(true));
    assert_eq!(set.to_str().ok(), Some("__Host-session=abc; Path=/; HttpOnly; SameSite=Lax; Max-Age=600; Secure"));
}

#[test]
fn a_form_token_is_good_for_its_session_and_purpose_alone() {
    let key = [7; 32];
    let token = csrf::token(&key, "session", "/link");
    assert!(csrf::is_valid(&key, "session", "/link", &token));
    for (session, purpose) in [("session", "/other"), ("sessio", "n/link"), ("else", "/link")] {
        assert!(!csrf::is_valid(&key, session, purpose, &token), "{session} {purpose}");
    }
}

#[test]
fn ids_are_ordered_by_time_and_codes_have_their_length() {
    let now = Time::from_milliseconds(1_700_000_000_000);
    let later = Time::from_milliseconds(1_700_000_000_001);
    let (one, two) = (chance::id(&crate::MachineChance, now), chance::id(&crate::MachineChance, later));
    assert!(one < two);
    assert_eq!(one.0[6] >> 4, 7, "version 7");
    let code = chance::code(&crate::MachineChance, 8);
    assert!(code.expose().len() == 8 && code.expose().bytes().all(|byte| byte.is_ascii_digit()));
}

/// A body that never ends.
struct Endless;

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

/// A clock that stands at the beginning.
struct Standing;

impl engine::Clock for Standing {
    fn now(&self) -> Time {
        Time::default()
    }

    fn monotonic_milliseconds(&self) -> i64 {
        0
    }
}

#[tokio::test]
async fn a_body_that_never_comes_is_not_waited_for_and_a_path_that_is_no_text_is_a_problem() {
    use axum::extract::Path;
    use axum::routing::post;
    let router = Router::new()
        .route("/", post(|_: crate::Json<serde_json::Value>| async { "taken" }))
        .route("/{name}", get(|Path(name): Path<String>| async move { name }));
    let armour = crate::Armour {
        clock: std::sync::Arc::new(Standing),
        chance: std::sync::Arc::new(crate::MachineChance),
        time_ms_max: 20,
        longer: &[],
        service: "test",
    };
    let router = crate::armour(router, armour);
    let send = async |request: Request<axum::body::Body>| {
        let answer = tower::ServiceExt::oneshot(router.clone(), request).await.unwrap_or_else(|never| match never {});
        (answer.status().as_u16(), answer.headers()["content-type"].clone())
    };
    let slow = Request::post("/").header("content-type", "application/json");
    let slow = slow.body(axum::body::Body::new(Endless)).expect("a request");
    let no_text = Request::get("/%F0%28%8C%28").body(axum::body::Body::empty()).expect("a request");
    for (request, status) in [(slow, 503), (no_text, 400)] {
        assert_eq!(send(request).await, (status, http::HeaderValue::from_static("application/problem+json")));
    }
}
