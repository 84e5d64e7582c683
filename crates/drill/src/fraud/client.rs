//! A client as services see one: a program with a token, or a browser with cookies, at an address on the network.
//!
//! What a person does with it stands in `holder.rs`, and who they are in `honest.rs` and `attacker.rs`; here is only HTTP. Start reading at [`Client`].

use super::stage::Stage;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::IpAddr;
use web::{Bounds, Source, Transport as _};

/// The wallet, as programs and browsers reach it.
pub const WALLET: &str = "http://localhost:8080";
/// The gateway.
pub const GATEWAY: &str = "http://gateway.localhost:8080";
/// The sandbox's own services: inboxes, the identity vendor's page.
pub const OUTSIDE: &str = "http://sandbox.localhost:8080";
/// The wallet's desk.
pub const DESK: &str = "http://desk.localhost:8080";
/// Redirects in a row, at most.
const REDIRECTS_MAX: usize = 10;
/// How long a call may take of the machine's time, and how much it may bring.
const BOUNDS: Bounds = Bounds { time_ms: 60_000, body_bytes: 4 << 20 };

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status; 0 where nobody answered.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub text: String,
    /// The same, where it is JSON.
    pub json: Value,
}

impl Answer {
    /// Whether what was asked was done.
    pub const fn is_done(&self) -> bool {
        200 <= self.status && self.status < 300
    }

    /// What is asked of a desk or a page of the house is there and heard, whatever it says: otherwise the drill itself is at
    /// fault, and would go on without what it believes that it did.
    pub fn heard(&self, what: &str) -> Result<(), String> {
        match self.status {
            0 | 401 | 403 | 404 | 405 | 500.. => Err(format!("{what}: {} {}", self.status, self.text)),
            _ => Ok(()),
        }
    }

    /// The same, and it was done.
    pub fn did(&self, what: &str) -> Result<(), String> {
        if self.is_done() { Ok(()) } else { Err(format!("{what}: {} {}", self.status, self.text)) }
    }

    /// The text of a member.
    pub fn member(&self, name: &str) -> Option<&str> {
        self.json[name].as_str()
    }

    /// The name of the problem: `limit-exceeded`. What is no problem document is named by its status.
    pub fn problem(&self) -> String {
        let name = self.json["type"].as_str().and_then(|kind| kind.rsplit('/').next());
        name.map_or_else(|| format!("status-{}", self.status), str::to_owned)
    }
}

/// A page, and where it was found.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its address.
    pub url: String,
    /// What came back.
    pub answer: Answer,
}

impl Shown {
    /// Whether the page has a form that goes to `action`.
    pub fn has_form(&self, action: &str) -> bool {
        self.answer.text.contains(&format!("action=\"{action}\""))
    }

    /// Where the answer leads, if it leads on.
    pub fn leads_to(&self) -> Option<String> {
        let location = self.answer.headers.get(header::LOCATION).and_then(|location| location.to_str().ok())?;
        (300..400).contains(&self.answer.status).then(|| absolute(&self.url, location))
    }

    /// Whether the page asks for the field `name`.
    pub fn asks(&self, name: &str) -> bool {
        self.answer.text.contains(&format!("name=\"{name}\""))
    }
}

/// Somebody's device.
pub struct Client<'s> {
    /// Where it is.
    pub stage: &'s Stage,
    source: IpAddr,
    token: Option<String>,
    cookies: BTreeMap<(String, String), String>,
    /// A path before which a browser is held, and the whole address that it was held before.
    stop: Option<(&'static str, Option<String>)>,
}

impl<'s> Client<'s> {
    /// A device at `source` that nobody knows.
    pub const fn new(stage: &'s Stage, source: IpAddr) -> Self {
        Self { stage, source, token: None, cookies: BTreeMap::new(), stop: None }
    }

    /// From now on it is at `source`.
    pub const fn be_at(&mut self, source: IpAddr) {
        self.source = source;
    }

    /// Asks under `token` from now on.
    pub fn log_in(&mut self, token: Option<String>) {
        self.token = token;
    }

    /// Asks an API; without a body where that is null.
    pub async fn ask(&self, method: Method, url: &str, body: &Value) -> Answer {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", self.stage.key());
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        self.call(request.body(body)).await
    }

    /// Asks the wallet with a body.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, &format!("{WALLET}{path}"), &body).await
    }

    /// Fetches a page, and goes wherever it leads.
    pub async fn open(&mut self, url: &str) -> Shown {
        let shown = self.browse(Request::get(url), url, String::new()).await;
        self.follow(shown).await
    }

    /// Lets the browser go nowhere whose path begins with `path`: whoever sits there reads the address out instead.
    pub fn stop_before(&mut self, path: &'static str) {
        self.stop = Some((path, None));
    }

    /// The address that the browser was held before.
    pub fn stopped_at(&self) -> Option<String> {
        self.stop.as_ref().and_then(|(_, address)| address.clone())
    }

    /// Sends the form of `page` that goes to `action`, with what was typed, and goes wherever the answer leads. A page without
    /// that form stays what it is.
    pub async fn submit(&mut self, page: Shown, action: &str, typed: &[(&str, &str)]) -> Shown {
        let shown = self.send(page, action, typed).await;
        self.follow(shown).await
    }

    /// The same, and stays where the answer comes from.
    pub async fn send(&mut self, page: Shown, action: &str, typed: &[(&str, &str)]) -> Shown {
        let Some(form) = between(&page.answer.text, &format!("action=\"{action}\""), "</form>") else { return page };
        let hidden = form.split("type=\"hidden\"").skip(1).filter_map(|field| {
            let field = field.split('>').next()?;
            Some((between(field, "name=\"", "\"")?, between(field, "value=\"", "\"")?))
        });
        let typed = typed.iter().copied();
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(hidden).extend_pairs(typed).finish();
        let url = absolute(&page.url, action);
        let request = Request::post(&url).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.browse(request, &url, body).await
    }

    /// Sends a form of one's own making to `url`.
    pub async fn send_form(&mut self, url: &str, body: String) -> Shown {
        let request = Request::post(url).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.browse(request, url, body).await
    }

    async fn follow(&mut self, mut shown: Shown) -> Shown {
        for _ in 0..REDIRECTS_MAX {
            let Some(url) = shown.leads_to() else { break };
            if let Some((path, address)) = &mut self.stop
                && path_of(&url).starts_with(*path)
            {
                *address = Some(url);
                break;
            }
            shown = self.browse(Request::get(&url), &url, String::new()).await;
        }
        shown
    }

    async fn browse(&mut self, request: http::request::Builder, url: &str, body: String) -> Shown {
        let host = host_of(url).to_owned();
        let own = self.cookies.iter().filter(|((of, _), _)| *of == host);
        let cookies: Vec<String> = own.map(|((_, name), value)| format!("{name}={value}")).collect();
        let request = request.header(header::COOKIE, cookies.join("; ")).body(Bytes::from(body));
        let answer = self.call(request).await;
        for set in answer.headers.get_all(header::SET_COOKIE) {
            let text = set.to_str().unwrap_or_default();
            let Some((name, value)) = text.split(';').next().and_then(|pair| pair.split_once('=')) else { continue };
            let key = (host.clone(), name.to_owned());
            if text.contains("Max-Age=0") {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, value.to_owned());
            }
        }
        Shown { url: url.to_owned(), answer }
    }

    async fn call(&self, request: Result<Request<Bytes>, http::Error>) -> Answer {
        let nobody = || Answer { status: 0, headers: HeaderMap::new(), text: String::new(), json: Value::Null };
        let Ok(mut request) = request else { return nobody() };
        // The sandbox's own services are on each person's own machine, as an inbox is.
        if request.uri().host() != Some("sandbox.localhost") {
            request.extensions_mut().insert(Source(self.source));
        }
        if request.method() != Method::GET {
            self.stage.stirred();
        }
        let Ok(answer) = self.stage.roads.call(request, BOUNDS).await else { return nobody() };
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), text, json }
    }
}

/// The part of `text` behind `before` and in front of `after`.
pub fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let rest = text.split_once(before)?.1;
    Some(rest.split_once(after).map_or(rest, |(part, _)| part))
}

fn host_of(url: &str) -> &str {
    let authority = between(url, "://", "/").unwrap_or_default();
    authority.split(':').next().unwrap_or_default()
}

/// The path of `url`, and what comes behind it.
fn path_of(url: &str) -> &str {
    let authority_on = url.split_once("://").map_or(url, |(_, rest)| rest);
    authority_on.find('/').map_or("", |place| &authority_on[place..])
}

/// `location` as an address, seen from `url`.
fn absolute(url: &str, location: &str) -> String {
    if location.starts_with("http") {
        return location.to_owned();
    }
    let authority = between(url, "://", "/").unwrap_or_default();
    format!("http://{authority}{location}")
}
