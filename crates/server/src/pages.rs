//! Pages: what a holder meets in a browser on the way to a bank and back. Forms only; everything works without a script.

mod callback;
mod link;
mod login;

use crate::service::Service;
use axum::Router;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};
use maud::{Markup, html};
use std::sync::Arc;
use web::page::{Page, SANDBOX, Words, words};
use web::{Problem, csrf};

/// The paths of the pages.
pub fn router() -> Router<Arc<Service>> {
    Router::new().merge(link::router()).merge(callback::router()).merge(login::router())
}

/// A page of this service.
fn page(service: &Service, title: Words, body: Markup) -> Page {
    Page { title, banner: service.options.is_sandbox.then_some(SANDBOX), form_origins: Vec::new(), body }
}

/// A page that says why something did not happen, with the problem's own words.
fn trouble(service: &Service, problem: &Problem) -> Response {
    let title = Words { ja: "手続きできませんでした", en: "This did not work" };
    let (ja, en) = problem.titles();
    let body = html! {
        p.error role="alert" { (words(Words { ja, en })) }
        p { (words(Words { ja: "お金は動いていません。", en: "No money was moved." })) }
    };
    page(service, title, body).with_status(problem.status())
}

/// A see-other: the browser goes on with a GET (FAPI 2.0 wants 303, never 307).
fn see_other(path: &str) -> Response {
    Redirect::to(path).into_response()
}

/// The hidden field that says that a form is ours.
fn csrf_field(service: &Service, session: &str, purpose: &str) -> Markup {
    let token = csrf::token(&service.keys.csrf, session, purpose);
    html! { input type="hidden" name=(csrf::FIELD) value=(token); }
}

/// Refuses a form that is not ours, or that the browser itself says another site has sent.
fn check_csrf(service: &Service, headers: &HeaderMap, session: &str, purpose: &str, sent: &str) -> Result<(), Problem> {
    let is_foreign = headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none");
    if !is_foreign && csrf::is_valid(&service.keys.csrf, session, purpose, sent) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "foreign-form",
        "The form is not from this session; load the page again.",
        "フォームの有効期限が切れました。ページを読み込み直してください。",
    ))
}
