//! `GET /gateway/v1/authorize`: takes a browser in from the operator, once, and binds the link to it.

use super::{COOKIE, NOTHING, go_to, page, secure};
use crate::gateway::Gateway;
use crate::oauth::{Opened, request_token};
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use maud::html;
use web::page::{Words, words};
use web::{chance, cookie};

/// Only the client and the name of what it pushed: whatever else stands in the address, nothing happens. The address was
/// for one browser; the one that comes second, or too late, is told so and not sent anywhere.
pub(super) async fn authorize(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let now = gateway.outside().now();
    let Some((client, request)) = parameters(query.as_deref().unwrap_or_default()) else {
        return refused(&gateway, FRONT_CHANNEL);
    };
    let Some(token) = request_token(&request) else { return refused(&gateway, USED) };
    let shown = cookie::get(&headers, COOKIE, secure(&gateway));
    let fresh = chance::token(gateway.outside().chance.as_ref());
    match gateway.oauth().links.open((&client, token), shown, fresh, now) {
        Opened::Own => go_to("/link"),
        Opened::Taken(browser) => {
            let mut response = go_to("/link");
            let age = crate::oauth::LINK_MS / 1_000;
            let bound = cookie::set(COOKIE, browser.expose(), age, secure(&gateway));
            response.headers_mut().append(header::SET_COOKIE, bound);
            response
        }
        Opened::Refused => refused(&gateway, USED),
    }
}

/// `client_id` and `request_uri`, if there is nothing else.
fn parameters(query: &str) -> Option<(String, String)> {
    let mut parameters: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    parameters.sort();
    match <[(String, String); 2]>::try_from(parameters).ok()? {
        [(first, client), (second, request)] if first == "client_id" && second == "request_uri" => {
            Some((client, request))
        }
        [_, _] => None,
    }
}

fn refused(gateway: &Gateway, why: Words) -> Response {
    let body = html! { p.error role="alert" { (words(why)) } };
    page(gateway, NOTHING, Vec::new(), body).with_status(StatusCode::BAD_REQUEST).into_response()
}

const FRONT_CHANNEL: Words = Words {
    ja: "このアドレスには、あってはならない項目があります。お使いのウォレットから、もう一度はじめてください。",
    en: "This address carries what it must not carry. Begin again in your wallet.",
};
const USED: Words = Words {
    ja: "このアドレスはもう使えません。一度だけ、はじめたブラウザーでだけ使えます。お使いのウォレットから、もう一度はじめてください。",
    en: "This address is no longer good: it is for one time, in the browser that began. Begin again in your wallet.",
};
