//! A browser as far as the gateway can tell: cookies, forms, and no redirect that is not looked at first.

use super::world::{GATEWAY, World};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use web::{Bounds, Source, Transport};

/// A browser.
pub struct Browser<'a> {
    world: &'a World,
    cookies: BTreeMap<String, String>,
    /// Where it is.
    source: IpAddr,
}

/// What a browser was shown.
#[derive(Debug)]
pub struct Shown {
    pub status: StatusCode,
    /// Where it is sent, if it is.
    pub location: Option<String>,
    pub body: String,
    pub policy: String,
}

impl<'a> Browser<'a> {
    pub fn new(world: &'a World) -> Self {
        Self { world, cookies: BTreeMap::new(), source: IpAddr::V4(Ipv4Addr::LOCALHOST) }
    }

    /// The same somewhere else.
    pub fn at(mut self, last: u8) -> Self {
        self.source = IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
        self
    }

    /// Fetches a page of the gateway.
    pub async fn get(&mut self, path: &str) -> Shown {
        self.call(Method::GET, path, None).await
    }

    /// Shows `page` and sends its form to `action`, with what was typed and every hidden field.
    pub async fn send(&mut self, page: &Shown, action: &str, typed: &[(&str, &str)]) -> Shown {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("csrf", &page.token(action))
            .extend_pairs(typed)
            .finish();
        self.post(action, form).await
    }

    /// Sends any form.
    pub async fn post(&mut self, path: &str, form: String) -> Shown {
        self.call(Method::POST, path, Some(form)).await
    }

    async fn call(&mut self, method: Method, path: &str, form: Option<String>) -> Shown {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{GATEWAY}{path}") };
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = Request::builder().method(method).uri(url).header(header::COOKIE, cookies.join("; "));
        if form.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let request = request.extension(Source(self.source)).body(Bytes::from(form.unwrap_or_default()));
        let request = request.expect("a request");
        let response = self.world.routers.call(request, Bounds::default()).await.expect("an answer");
        self.keep_cookies(&response);
        let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Shown {
            status: response.status(),
            location: text(header::LOCATION),
            policy: text(header::CONTENT_SECURITY_POLICY).unwrap_or_default(),
            body: String::from_utf8_lossy(response.body()).into_owned(),
        }
    }

    fn keep_cookies(&mut self, response: &Response<Bytes>) {
        for set in response.headers().get_all(header::SET_COOKIE) {
            let set = set.to_str().expect("a cookie is visible characters");
            assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax"), "{set}");
            let (name, value) = set.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            if set.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

impl Shown {
    /// The token of the form that goes to `action`.
    pub fn token(&self, action: &str) -> String {
        let form = self.body.find(&format!("action=\"{action}\"")).map(|at| &self.body[at..]);
        let form = form.unwrap_or_else(|| panic!("no form to {action} in {}", self.body));
        let token = form.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        token.expect("a form has its token").to_owned()
    }

    /// The parameters that the browser is sent on with.
    pub fn parameters(&self) -> BTreeMap<String, String> {
        let location = self.location.as_deref().unwrap_or_default();
        let query = location.split_once('?').map(|(_, query)| query).unwrap_or_default();
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }
}
