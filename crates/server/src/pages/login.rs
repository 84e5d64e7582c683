//! The page where a holder logs in. Each login begins a new session: a cookie that somebody else put there before is worth
//! nothing after it.

use super::{check_csrf, csrf_field, page, see_other, trouble};
use crate::entrance::From;
use crate::service::Service;
use crate::sessions::{COOKIE, SESSION_BROWSER_MS};
use axum::Router;
use axum::extract::{Form, Query, State};
use axum::response::Response;
use axum::routing::get;
use http::{HeaderMap, StatusCode, header};
use maud::html;
use serde::Deserialize;
use std::sync::Arc;
use wallet::MandateId;
use web::page::{Words, words};
use web::{Problem, Secret, chance, cookie};

/// The cookie that a form of somebody who is not logged in is bound to.
const VISIT: &str = "visit";
const VISIT_SECONDS: i64 = 3_600;
const PATH: &str = "/login";

/// The paths of this room.
pub fn router() -> Router<Arc<Service>> {
    Router::new().route(PATH, get(show).post(log_in)).route("/logout", axum::routing::post(log_out))
}

/// Where the holder wanted to go.
#[derive(Deserialize)]
struct Goal {
    link: Option<String>,
}

#[derive(Deserialize)]
struct LogIn {
    email: String,
    password: Secret<String>,
    code: Option<String>,
    link: Option<String>,
    csrf: String,
}

#[derive(Deserialize)]
struct LogOut {
    csrf: String,
}

async fn show(State(service): State<Arc<Service>>, headers: HeaderMap, Query(goal): Query<Goal>) -> Response {
    form(&service, &headers, goal.link.as_deref(), None)
}

/// The form; a visitor without a visit's cookie gets one.
fn form(service: &Service, headers: &HeaderMap, link: Option<&str>, problem: Option<&Problem>) -> Response {
    let secure = service.options.secure();
    let kept = cookie::get(headers, VISIT, secure).filter(|visit| !visit.is_empty()).map(str::to_owned);
    let fresh = kept.is_none().then(|| chance::token(service.outside.chance.as_ref()).expose().clone());
    let visit = kept.or(fresh.clone()).unwrap_or_default();
    let body = html! {
        @if let Some(problem) = problem {
            @let (ja, en) = problem.titles();
            p.error role="alert" { (words(Words { ja, en })) }
        }
        form method="post" action=(PATH) {
            (csrf_field(service, &visit, PATH))
            @if let Some(link) = link { input type="hidden" name="link" value=(link); }
            label { (words(Words { ja: "メールアドレス", en: "Mail address" }))
                input type="email" name="email" autocomplete="username" required; }
            label { (words(Words { ja: "パスワード", en: "Password" }))
                input type="password" name="password" autocomplete="current-password" required; }
            @if problem.is_some_and(|problem| problem.name() == "step-up-required") {
                p { (words(Words {
                    ja: "パスワードの間違いが続いたため、確認コードが必要です。パスワードが正しければ、メールに届きます。",
                    en: "Many passwords were tried, so this takes a code. It comes by mail if the password is right.",
                })) }
                label { (words(Words { ja: "確認コード", en: "Code" }))
                    input type="text" name="code" inputmode="numeric" autocomplete="one-time-code" maxlength="16"; }
            }
            button { (words(Words { ja: "ログイン", en: "Log in" })) }
        }
    };
    let page = page(service, Words { ja: "ログイン", en: "Log in" }, body);
    let mut response = page.with_status(problem.map_or(StatusCode::OK, Problem::status));
    if let Some(fresh) = fresh {
        response.headers_mut().append(header::SET_COOKIE, cookie::set(VISIT, &fresh, VISIT_SECONDS, secure));
    }
    response
}

async fn log_in(
    State(service): State<Arc<Service>>,
    From(source): From,
    headers: HeaderMap,
    Form(sent): Form<LogIn>,
) -> Response {
    let secure = service.options.secure();
    let visit = cookie::get(&headers, VISIT, secure).unwrap_or_default();
    if visit.is_empty() {
        return form(&service, &headers, sent.link.as_deref(), None);
    }
    if let Err(problem) = check_csrf(&service, &headers, visit, PATH, &sent.csrf) {
        return trouble(&service, &problem);
    }
    match enter(&service, source, &headers, &sent).await {
        Err(problem) => form(&service, &headers, sent.link.as_deref(), Some(&problem)),
        Ok(token) => {
            let link = sent.link.and_then(|link| link.parse::<MandateId>().ok());
            let mut response = see_other(&link.map_or_else(|| "/".to_owned(), |link| format!("/link/{link}")));
            let cookie = cookie::set(COOKIE, token.expose(), SESSION_BROWSER_MS / 1_000, secure);
            response.headers_mut().append(header::SET_COOKIE, cookie);
            response.headers_mut().append(header::SET_COOKIE, cookie::set(VISIT, "", 0, secure));
            response
        }
    }
}

/// A new session for whoever logs in; the one that the browser had before is over.
async fn enter(
    service: &Service,
    source: std::net::IpAddr,
    headers: &HeaderMap,
    sent: &LogIn,
) -> Result<Secret<String>, Problem> {
    service.count_entrance(source)?;
    let code = sent.code.as_deref().filter(|code| !code.trim().is_empty());
    let credential = service.log_in(source, &sent.email, sent.password.clone(), code).await?;
    if let Some(before) = service.browser_session(headers)? {
        service.end_session(&before)?;
    }
    let (token, session) = service.open_session(&credential, true, None)?;
    service.tell_of_log_in(&session).await?;
    Ok(token)
}

async fn log_out(State(service): State<Arc<Service>>, headers: HeaderMap, Form(sent): Form<LogOut>) -> Response {
    let ended = service.browser_session(&headers).and_then(|session| {
        let Some(session) = session else { return Ok(()) };
        check_csrf(&service, &headers, &session.token.to_string(), "/logout", &sent.csrf)?;
        service.end_session(&session)
    });
    if let Err(problem) = ended {
        return trouble(&service, &problem);
    }
    let mut response = see_other(PATH);
    response.headers_mut().append(header::SET_COOKIE, cookie::set(COOKIE, "", 0, service.options.secure()));
    response
}
