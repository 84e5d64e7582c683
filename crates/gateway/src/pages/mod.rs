//! The gateway's pages: where an account's holder consents, proves who they are to their bank, says "not me", or confirms.
//!
//! | room | what it shows |
//! |---|---|
//! | `authorize` | takes a browser in from the operator, once, and binds the link to it |
//! | `consent` | who asks, for whom, how much; yes or no |
//! | `closed` | a bank that is closed, and when it opens |
//! | `factors` | the form of a bank whose page we host, and its second step |
//! | `attempt` | one attempt at the bank, judged before and after |
//! | `bank_return` | the way out to a bank's own page, and back |
//! | `outcome` | what came of it: the notice, the grant, the way back to the operator |
//! | `front` | what this place is |
//! | `notice` | what an account's true holder is told |
//! | `notice_queue` | what waits until it is told |
//! | `not_me` | the code from a notice, typed: it was not me |
//! | `confirm` | it was me, shown by a channel that did not grant it |
//!
//! No page needs a script. Each form carries a token of its own; what a browser may go on with is in its cookie, so that a
//! link opened in another browser goes nowhere. What a person types to prove who they are stays in the memory of its
//! request: no page repeats it, no log and no row has it. A wrong PIN, an account that does not exist and another person's
//! account look the same and take the same steps.
//! Start reading at [`routes`], then `authorize`.

mod attempt;
mod authorize;
mod bank_return;
mod closed;
mod confirm;
mod consent;
mod factors;
mod front;
mod not_me;
mod notice;
mod notice_queue;
mod outcome;

pub(crate) use attempt::own_sets;
pub(crate) use bank_return::first_step;
pub(crate) use confirm::letter_code;
#[cfg(test)]
pub(crate) use not_me::disown;
pub(crate) use notice::restore;
pub use notice_queue::Notices;

use crate::domain::NotMeId;
use crate::gateway::{Gateway, carry_through};
use crate::oauth::Link;
use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use domain::Time;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use maud::{Markup, html};
use std::collections::BTreeMap;
use std::net::IpAddr;
use web::cookie::{self, Secure};
use web::page::{Page, SANDBOX, Words, words};
use web::{Chance, RateLimit, Verdict, csrf};

/// The cookie that binds a link to its browser.
const COOKIE: &str = "link";
/// Codes of nobody's that one source may type in an hour.
const WRONG_CODES_AN_HOUR_MAX: u32 = 10;
/// How often an hour somebody with the code of one notice may say that it was them.
const CONFIRMATIONS_AN_HOUR_MAX: u32 = 10;
const HOUR_MS: i64 = 3_600_000;
/// Fields of one form, at most.
const FIELDS_MAX: usize = 40;

/// What the pages share.
#[derive(Debug)]
pub struct Desk {
    /// What the tokens of forms are made with: of this process alone.
    csrf_key: [u8; 32],
    /// Who is to be told of what.
    pub notices: Notices,
    /// Codes of nobody's typed by one source. Whoever has a right one is never kept out by them, or one stranger could close the
    /// way out to everybody who shares an address with them; 53 bits are safe from many tries.
    wrong_codes: RateLimit<IpAddr>,
    /// Confirmations tried with the code of one notice: what is needed beside it must not be guessed, from wherever.
    confirmations: RateLimit<NotMeId>,
}

impl Desk {
    /// With a key of `chance`.
    pub fn new(chance: &dyn Chance) -> Self {
        let mut csrf_key = [0; 32];
        chance.fill(&mut csrf_key);
        Self {
            csrf_key,
            notices: Notices::default(),
            wrong_codes: RateLimit::new("codes", WRONG_CODES_AN_HOUR_MAX, HOUR_MS),
            confirmations: RateLimit::new("confirmations", CONFIRMATIONS_AN_HOUR_MAX, HOUR_MS),
        }
    }
}

/// The paths that browsers call.
pub fn routes() -> Router<Gateway> {
    Router::new()
        .route("/", get(front::show))
        .route("/gateway/v1/authorize", get(authorize::authorize))
        .route("/link", get(consent::link))
        .route(CONSENT, post(consent::consent))
        .route(LEAVE, post(consent::leave))
        .route(FACTORS, post(factors::submit))
        .route(CHALLENGE, post(factors::submit_challenge))
        .route("/bank-return/{code}", get(bank_return::come_back))
        .route(not_me::PATH, get(not_me::show).post(not_me::submit))
        .route(confirm::PATH, get(confirm::show).post(confirm::submit))
}

const CONSENT: &str = "/link/consent";
const LEAVE: &str = "/link/leave";
const FACTORS: &str = "/link/factors";
const CHALLENGE: &str = "/link/challenge";

/// The page with which a handler ends early.
struct Stop(Box<Response>);

impl From<Response> for Stop {
    fn from(response: Response) -> Self {
        Self(Box::new(response))
    }
}

impl IntoResponse for Stop {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// A browser that is on its way with a link.
struct Visit {
    link: Link,
    /// What its cookie says.
    token: String,
}

/// The visit of the browser that sent `headers`, if it has one.
fn visit(gateway: &Gateway, headers: &HeaderMap, now: Time) -> Result<Visit, Stop> {
    let token = cookie::get(headers, COOKIE, secure(gateway)).unwrap_or_default().to_owned();
    match gateway.oauth().links.of_browser(&token, now) {
        Some(link) => Ok(Visit { link, token }),
        None => Err(nothing(gateway).into()),
    }
}

fn secure(gateway: &Gateway) -> Secure {
    Secure(gateway.oauth().issuer.url().starts_with("https://"))
}

/// The fields of a form, each once, with its token checked for `purpose`.
fn fields(gateway: &Gateway, session: &str, purpose: &str, headers: &HeaderMap, body: &Bytes) -> Result<Fields, Stop> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let mut fields = BTreeMap::new();
    let mut is_form = kind.split(';').next() == Some("application/x-www-form-urlencoded");
    for (name, value) in form_urlencoded::parse(body) {
        is_form &= fields.len() < FIELDS_MAX && fields.insert(name.into_owned(), value.into_owned()).is_none();
    }
    let fields = Fields(fields);
    if !is_form || !csrf::is_valid(&gateway.pages().csrf_key, session, purpose, fields.get(csrf::FIELD)) {
        return Err(refused(gateway, StatusCode::FORBIDDEN, FORGED).into());
    }
    Ok(fields)
}

/// What somebody typed. It is wiped when it is dropped, and shows nowhere.
struct Fields(BTreeMap<String, String>);

impl Fields {
    fn get(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default().trim()
    }
}

impl Drop for Fields {
    fn drop(&mut self) {
        for value in self.0.values_mut() {
            zeroize::Zeroize::zeroize(value);
        }
    }
}

/// The hidden field that says that the form is ours.
fn form_token(gateway: &Gateway, session: &str, purpose: &str) -> Markup {
    html! { input type="hidden" name=(csrf::FIELD) value=(csrf::token(&gateway.pages().csrf_key, session, purpose)); }
}

/// A page of ours; `origins` are those that its forms may lead to.
fn page(gateway: &Gateway, title: Words, origins: Vec<String>, body: Markup) -> Page {
    Page { title, banner: gateway.options().is_sandbox.then_some(SANDBOX), form_origins: origins, body }
}

/// A page that says in one sentence why nothing happens here.
fn refused(gateway: &Gateway, status: StatusCode, why: Words) -> Response {
    let body = html! { p.error role="alert" { (words(why)) } };
    page(gateway, NOTHING, Vec::new(), body).with_status(status)
}

/// This browser has no link to go on with.
fn nothing(gateway: &Gateway) -> Response {
    refused(gateway, StatusCode::BAD_REQUEST, NO_LINK)
}

/// Too much was asked for from where this browser is.
pub(crate) fn too_many(gateway: &Gateway, verdict: Verdict) -> Response {
    let mut response = refused(gateway, StatusCode::TOO_MANY_REQUESTS, TOO_MANY);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(verdict.reset_seconds));
    response
}

/// The engine or a bank could not answer now.
fn unavailable(gateway: &Gateway) -> Response {
    refused(gateway, StatusCode::SERVICE_UNAVAILABLE, LATER)
}

/// Answers a browser with what `answering` comes to, which goes on to its end also when the browser hangs up: what a bank
/// has been asked is counted and told.
async fn to_the_end(answering: impl Future<Output = Response> + Send + 'static) -> Response {
    let answered = carry_through(answering).await;
    answered.unwrap_or_else(|| web::Problem::internal().into_response())
}

/// Sends the browser on; never with the method of the request (FAPI asks for 303).
fn go_to(address: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(address) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

/// Back to the operator with `parameters`, its own state, and who answers (RFC 9207).
fn back(gateway: &Gateway, link: &Link, parameters: &[(&str, &str)]) -> Response {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        query.append_pair(name, value);
    }
    query.append_pair("state", &link.asked.state);
    query.append_pair("iss", gateway.oauth().issuer.url());
    let mut response = go_to(&format!("{}?{}", link.asked.redirect_uri, query.finish()));
    // The link is over for this browser.
    response.headers_mut().append(header::SET_COOKIE, cookie::set(COOKIE, "", 0, secure(gateway)));
    response
}

/// Digits as people type them: full-width ones too, with blanks and dashes between them.
fn digits(text: &str) -> String {
    let plain = |character: char| match character {
        '0'..='9' => Some(character),
        '０'..='９' => char::from_digit(u32::from(character) - u32::from('０'), 10),
        ' ' | '\u{3000}' | '-' | '－' | 'ー' => None,
        other => Some(other),
    };
    text.chars().filter_map(plain).collect()
}

const NOTHING: Words = Words { ja: "手続きを続けられません", en: "This cannot go on" };
const NO_LINK: Words = Words {
    ja: "このブラウザーには、進行中の手続きがありません。お使いのウォレットから、もう一度はじめてください。",
    en: "This browser has nothing to go on with. Begin again in your wallet.",
};
const FORGED: Words = Words {
    ja: "この画面からの操作ではないか、時間が経ちすぎています。前の画面からやり直してください。",
    en: "This did not come from the page, or too late. Go back and try again.",
};
const TOO_MANY: Words = Words {
    ja: "アクセスが多すぎます。1分ほど待ってから、もう一度お試しください。",
    en: "There were too many requests. Wait a minute and try again.",
};
const LATER: Words = Words {
    ja: "ただいま手続きができません。しばらくしてから、お使いのウォレットでもう一度はじめてください。",
    en: "This cannot be done now. Begin again in your wallet in a while.",
};
