//! A browser as far as services can tell: cookies by host, forms with their hidden fields, redirects one at a time.

use super::world::{Answer, Person, World, between};
use axum::body::Bytes;
use axum::http::{Method, Request, header};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Redirects in a row, at most.
const REDIRECTS_MAX: usize = 10;

/// What an account's holder types into a bank's first form; a bank looks at what it asked for alone.
const TYPED: [&str; 7] = ["branch", "kind", "number", "name_kana", "pin", "birth_date", "card_serial"];

/// What a browser has in its jar, by host and name.
pub type Cookies = BTreeMap<(String, String), String>;

/// A browser.
pub struct Browser<'a> {
    world: &'a World,
    cookies: Cookies,
}

/// A page, and where it was found.
#[derive(Clone, Debug)]
pub struct Shown {
    pub url: String,
    pub answer: Answer,
}

impl Shown {
    /// Where it sends the browser on.
    pub fn location(&self) -> String {
        let location = self.answer.headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
        absolute(&self.url, location.unwrap_or_else(|| panic!("{} leads nowhere: {}", self.url, self.answer.text)))
    }
}

impl<'a> Browser<'a> {
    pub fn new(world: &'a World) -> Self {
        Self::with(world, Cookies::new())
    }

    /// One that begins with the jar of another.
    pub fn with(world: &'a World, cookies: Cookies) -> Self {
        Self { world, cookies }
    }

    /// Its jar.
    pub fn cookies(&self) -> Cookies {
        self.cookies.clone()
    }

    /// Fetches a page, and goes nowhere from there.
    pub async fn fetch(&mut self, url: &str) -> Shown {
        self.call(Request::get(url), url, String::new()).await
    }

    /// Fetches a page, and goes wherever it leads.
    pub async fn open(&mut self, url: &str) -> Shown {
        let shown = self.fetch(url).await;
        self.follow(shown).await
    }

    /// Goes wherever `shown` leads.
    pub async fn follow(&mut self, mut shown: Shown) -> Shown {
        for _ in 0..REDIRECTS_MAX {
            if !(300..400).contains(&shown.answer.status) {
                return shown;
            }
            shown = self.fetch(&shown.location()).await;
        }
        panic!("too many redirects: {}", shown.url);
    }

    /// Sends the form of `page` that goes to `action`, with its hidden fields and what was typed; goes nowhere from there.
    pub async fn send(&mut self, page: &Shown, action: &str, typed: &[(&str, &str)]) -> Shown {
        let form = between(&page.answer.text, &format!("action=\"{action}\""), "</form>");
        let hidden = form.split("type=\"hidden\"").skip(1).map(|field| {
            let field = field.split('>').next().unwrap_or_default();
            (between(field, "name=\"", "\""), between(field, "value=\"", "\""))
        });
        let typed = typed.iter().copied();
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(hidden).extend_pairs(typed).finish();
        let url = absolute(&page.url, action);
        let request = Request::post(&url).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.call(request, &url, body).await
    }

    /// Sends a form, and goes wherever the answer leads.
    pub async fn submit(&mut self, page: &Shown, action: &str, typed: &[(&str, &str)]) -> Shown {
        let shown = self.send(page, action, typed).await;
        self.follow(shown).await
    }

    async fn call(&mut self, request: axum::http::request::Builder, url: &str, body: String) -> Shown {
        let host = host_of(url).to_owned();
        let own = self.cookies.iter().filter(|((of, _), _)| *of == host);
        let cookies: Vec<String> = own.map(|((_, name), value)| format!("{name}={value}")).collect();
        let request = request.header(header::COOKIE, cookies.join("; ")).body(Bytes::from(body)).expect("a request");
        let answer = self.world.send(request).await;
        for set in answer.headers.get_all(header::SET_COOKIE) {
            let set = set.to_str().expect("a cookie is visible characters");
            let (name, value) = set.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            if set.contains("Max-Age=0") {
                self.cookies.remove(&(host.clone(), name.to_owned()));
            } else {
                self.cookies.insert((host.clone(), name.to_owned()), value.to_owned());
            }
        }
        Shown { url: url.to_owned(), answer }
    }

    /// Logs in on the way to a link: the page that shows what is asked for.
    pub async fn log_in(&mut self, person: &Person, mandate: &str) -> Shown {
        let page = self.open(&self.world.url("localhost", &format!("/login?link={mandate}"))).await;
        let typed = [("email", person.fact("email")), ("password", person.fact("password"))];
        self.submit(&page, "/login", &typed).await
    }

    /// Begins a link in the wallet: the mandate's id.
    pub async fn ask_for_link(&self, person: &Person) -> String {
        let answer = self.world.post(person, "{wallet}/mandates", json!({ "bank_code": person.bank })).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json["id"].as_str().expect("an id").to_owned()
    }

    /// Logs in and consents: the form of the bank.
    pub async fn go_to_bank(&mut self, person: &Person, mandate: &str) -> Shown {
        let asked = self.log_in(person, mandate).await;
        let consent = self.submit(&asked, &format!("/link/{mandate}"), &[]).await;
        self.submit(&consent, "/link/consent", &[]).await
    }

    /// Types what the account's holder knows into the form of a bank whose page the gateway hosts, and then what the bank
    /// asks for: where the browser is sent back to the wallet, which it has not gone to yet.
    pub async fn prove(&mut self, person: &Person, form: &Shown) -> Shown {
        let typed = TYPED.map(|name| (name, person.account(name)));
        let second = self.submit(form, "/link/factors", &typed).await;
        if !second.answer.text.contains("action=\"/link/challenge\"") {
            return second;
        }
        let held = self.held(person, &second).await;
        let typed: Vec<(&str, &str)> = held.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.send(&second, "/link/challenge", &typed).await
    }

    /// The same on the page of a bank that has one of its own: where the browser is sent back to the gateway.
    pub async fn prove_at_own_page(&mut self, person: &Person, form: &Shown) -> Shown {
        let typed = TYPED.map(|name| (name, person.account(name)));
        let second = self.send(form, "/link", &typed).await;
        if (300..400).contains(&second.answer.status) {
            return second;
        }
        let held = self.held(person, &second).await;
        let typed: Vec<(&str, &str)> = held.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.send(&second, "/link", &typed).await
    }

    /// What the person reads from what they hold, as far as `page` asks for it: phone, token and card.
    async fn held(&self, person: &Person, page: &Shown) -> Vec<(String, String)> {
        let asks = |name: &str| page.answer.text.contains(&format!("name=\"{name}\""));
        let now = self.world.sandbox(Method::GET, &person.account_path(), Value::Null).await;
        let cells = now["random_card"].as_object().expect("a card");
        let cells = cells.iter().map(|(cell, value)| (format!("cell-{cell}"), value.as_str().unwrap_or_default()));
        let password = now["one_time_password"].as_str().expect("a number on the token");
        let held = cells.chain([("one_time_password".to_owned(), password)]);
        let mut typed: Vec<(String, String)> =
            held.filter(|(name, _)| asks(name)).map(|(name, value)| (name, value.to_owned())).collect();
        if asks("sms_code") {
            let sms = self.world.message(person.account("phone"), "Code ").await;
            typed.push(("sms_code".to_owned(), between(&sms, "Code ", ":").to_owned()));
        }
        typed
    }

    /// Links the person's account: the mandate, which is active then.
    pub async fn link(&mut self, person: &Person) -> String {
        let mandate = self.ask_for_link(person).await;
        let form = self.go_to_bank(person, &mandate).await;
        let back = self.prove(person, &form).await;
        let done = self.follow(back).await;
        let shown = self.world.get(person, &format!("{{wallet}}/mandates/{mandate}")).await;
        assert_eq!(shown["status"], "active", "{}", done.answer.text);
        mandate
    }
}

fn host_of(url: &str) -> &str {
    between(url, "://", ":")
}

/// `location` as an address, seen from `url`.
fn absolute(url: &str, location: &str) -> String {
    if location.starts_with("http") {
        return location.to_owned();
    }
    let rest = between(url, "://", "/");
    format!("http://{rest}{location}")
}
