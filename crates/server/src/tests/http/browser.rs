//! A browser: keeps cookies, sends forms, follows nothing by itself.

use super::world::{Answer, ORIGIN, World, mail, password, percent};
use bytes::Bytes;
use http::{Request, header};
use std::collections::BTreeMap;
use std::sync::Mutex;

pub struct Browser<'a> {
    world: &'a World,
    pub cookies: Mutex<BTreeMap<String, String>>,
}

impl<'a> Browser<'a> {
    pub fn new(world: &'a World) -> Self {
        Self { world, cookies: Mutex::default() }
    }

    async fn send(&self, request: http::request::Builder, body: String) -> Answer {
        let cookies: Vec<String> = self
            .cookies
            .lock()
            .expect("nobody panicked")
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = request.header(header::COOKIE, cookies.join("; ")).body(Bytes::from(body)).expect("a request");
        let answer = self.world.send(request).await;
        for set in answer.headers.get_all(header::SET_COOKIE) {
            let set = set.to_str().expect("a cookie");
            assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax") && set.contains("Path=/"), "{set}");
            let (name, value) = set.split(';').next().and_then(|pair| pair.split_once('=')).expect("a pair");
            self.cookies.lock().expect("nobody panicked").insert(name.into(), value.into());
        }
        answer
    }

    pub async fn get(&self, path: &str) -> Answer {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{ORIGIN}{path}") };
        self.send(Request::get(url), String::new()).await
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
        let request =
            Request::post(format!("{ORIGIN}{path}")).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, body.join("&")).await
    }

    /// The form's token on the page at `path`.
    pub async fn token(&self, path: &str) -> String {
        hidden(&self.get(path).await.text)
    }

    pub async fn log_in(&self, name: &str, link: &str) -> Answer {
        let token = self.token(&format!("/login?link={link}")).await;
        let fields = [("email", mail(name)), ("password", password(name)), ("link", link.into()), ("csrf", token)];
        self.post("/login", &fields.each_ref().map(|(field, value)| (*field, value.as_str()))).await
    }

    /// Logs in and goes to the bank. Where the browser is sent.
    pub async fn go_to_bank(&self, name: &str, link: &str) -> String {
        let there = location(&self.log_in(name, link).await);
        assert_eq!(there, format!("/link/{link}"));
        let token = self.token(&there).await;
        location(&self.post(&there, &[("csrf", &token)]).await)
    }
}

pub fn location(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer.headers[header::LOCATION].to_str().expect("a location").to_owned()
}

pub fn hidden(page: &str) -> String {
    let rest = page.split(r#"name="csrf" value=""#).nth(1).unwrap_or_else(|| panic!("no form in {page}"));
    rest.split('"').next().expect("a value").to_owned()
}
