//! The page of a bank that is closed: when it opens. Nothing is asked of it meanwhile, and nothing counts as an attempt.

use super::consent::{leave_form, origins};
use super::{Stop, Visit, page, unavailable};
use crate::gateway::Gateway;
use axum::response::Response;
use domain::Time;
use http::{HeaderValue, StatusCode, header};
use maud::html;
use web::page::{Words, words};

/// Ends the handler with the page, if the visit's bank is closed at `now`.
pub(super) async fn check(gateway: &Gateway, visit: &Visit, now: Time) -> Result<(), Stop> {
    match gateway.open_from(visit.link.asked.bank, now).await {
        Ok(opens) if opens > now => Err(show(gateway, visit, opens, now).into()),
        Ok(_) => Ok(()),
        Err(_) => Err(unavailable(gateway).into()),
    }
}

fn show(gateway: &Gateway, visit: &Visit, opens: Time, now: Time) -> Response {
    let minute = opens.milliseconds_since(opens.day().start()) / 60_000;
    let at = format!("{} {:02}:{:02}", opens.day(), minute / 60, minute % 60);
    let body = html! {
        p.error role="alert" {
            span lang="ja" { "この銀行は、ただいま受け付けていません。" (at) " に再開します。" }
            " "
            span.en lang="en" { "This bank is closed at the moment. It opens at " (at) ", Tokyo time." }
        }
        p { (words(AGAIN)) }
        (leave_form(gateway, visit))
    };
    let mut response =
        page(gateway, TITLE, origins(gateway, &visit.link), body).with_status(StatusCode::SERVICE_UNAVAILABLE);
    let seconds = opens.milliseconds_since(now) / 1_000 + 1;
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

const TITLE: Words = Words { ja: "受付時間外です", en: "The bank is closed" };
const AGAIN: Words = Words {
    ja: "それまでは登録できません。再開してから、お使いのウォレットでもう一度はじめてください。",
    en: "Until then no account there can be linked. Begin again in your wallet when it is open.",
};
