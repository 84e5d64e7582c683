//! A bank's own page, from the gateway's push to the exchange of the code.

use super::world::{BANK_KEY, FORGOTTEN, World};
use crate::Policies;
use bytes::Bytes;
use http::{Method, Request, Response, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use web::{Bounds, Transport};

const BANK: &str = "http://bank-9900.localhost:8080";
const VERIFIER: &str = "a-verifier-that-is-long-enough-for-the-rule-of-43";

fn pushed(redirect_uri: &str) -> Value {
    json!({
        "client_id": "gateway", "response_type": "code", "redirect_uri": redirect_uri, "state": "s&1",
        "code_challenge": web::jose::encode(&Sha256::digest(VERIFIER)), "code_challenge_method": "S256",
    })
}

const RETURN: &str = "http://gateway.localhost:8080/bank-return/9900";

/// A person's browser at the bank, with the cookie that it was given.
struct Browser<'a> {
    world: &'a World,
    cookie: Option<String>,
}

impl Browser<'_> {
    async fn go(&mut self, method: Method, path: &str, fields: &[(&str, &str)]) -> Response<Bytes> {
        let mut request = Request::builder().method(method).uri(format!("{BANK}{path}"));
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.into());
        let answer = self.world.routers.call(request.expect("a request"), Bounds::default()).await.expect("an answer");
        if let Some(set) = answer.headers().get(header::SET_COOKIE) {
            let set = set.to_str().expect("a cookie");
            assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax"));
            self.cookie = set.split(';').next().map(str::to_owned);
        }
        answer
    }

    /// Sends the form that `page` shows, with `fields`.
    async fn submit(&mut self, page: &Response<Bytes>, fields: &[(&str, &str)]) -> Response<Bytes> {
        let text = std::str::from_utf8(page.body()).expect("a page");
        let token = text.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let mut fields = fields.to_vec();
        fields.push(("csrf", token.expect("the form has a token")));
        self.go(Method::POST, "/link", &fields).await
    }
}

/// A browser that was sent to the bank and sees the form.
async fn at_the_form(world: &World) -> (Browser<'_>, Response<Bytes>, String) {
    at_the_form_with(world, pushed(RETURN)).await
}

async fn at_the_form_with(world: &World, pushed: Value) -> (Browser<'_>, Response<Bytes>, String) {
    let answer = world.bank("9900", "par", pushed).await;
    assert_eq!(answer.status, 201);
    let uri = answer.body["request_uri"].as_str().expect("a request URI").to_owned();
    let mut browser = Browser { world, cookie: None };
    let path = format!("/authorize?client_id=gateway&request_uri={uri}");
    let sent_on = browser.go(Method::GET, &path, &[]).await;
    assert_eq!(
        (sent_on.status().as_u16(), &sent_on.headers()[header::LOCATION]),
        (303, &"/link".parse().expect("a path"))
    );
    let page = browser.go(Method::GET, "/link", &[]).await;
    assert_eq!(page.status(), 200);
    (browser, page, path)
}

fn location(answer: &Response<Bytes>) -> String {
    assert_eq!(answer.status(), 303, "{answer:?}");
    answer.headers()[header::LOCATION].to_str().expect("a location").to_owned()
}

fn parameter(location: &str, name: &str) -> Option<String> {
    let query = location.split_once('?').expect("a query").1;
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

const RIGHT: &[(&str, &str)] = &[
    ("branch", "018"),
    ("kind", "ordinary"),
    ("number", "4567890"),
    ("name_kana", "ユウダ ハルカ"),
    ("pin", "7777"),
    ("birth_date", "1966-08-21"),
];

#[tokio::test]
async fn a_person_proves_an_account_and_the_gateway_gets_it_for_the_code_alone() {
    let world = World::new(Policies::Raised).await;
    let (mut browser, page, _) = at_the_form(&world).await;
    let challenge = browser.submit(&page, RIGHT).await;
    let code = world.newest("08000000003").await.expect("a code came");
    let code: String = code.chars().filter(char::is_ascii_digit).take(6).collect();
    let back = location(&browser.submit(&challenge, &[("sms_code", &code)]).await);
    assert!(back.starts_with(RETURN), "{back}");
    assert_eq!(parameter(&back, "state").as_deref(), Some("s&1"));
    assert_eq!(parameter(&back, "iss").as_deref(), Some(BANK));
    let code = parameter(&back, "code").expect("a code");
    let exchange = |bank: &'static str, code: &str, verifier: &str, redirect_uri: &str| {
        let body = json!({
            "client_id": "gateway", "code": code, "code_verifier": verifier, "redirect_uri": redirect_uri,
        });
        let world = &world;
        async move { world.bank(bank, "token", body).await }
    };
    assert_eq!(exchange("0001", &code, VERIFIER, RETURN).await.status, 400, "another bank's code");
    let mut answer = exchange("9900", &code, VERIFIER, RETURN).await;
    let account_token = answer.body.as_object_mut().and_then(|body| body.remove("account_token"));
    let expected = json!({
        "outcome": "succeeded",
        "account": { "branch": "018", "kind": "ordinary", "number": "4567890" },
        "customer": { "name_kana": "ﾕｳﾀﾞ ﾊﾙｶ", "birth_date": "1966-08-21", "has_contact": true },
        "factors_used": ["account", "name_kana", "pin", "birth_date", "sms_code"],
    });
    assert_eq!((answer.status, answer.body), (200, expected));
    assert_eq!(exchange("9900", &code, VERIFIER, RETURN).await.status, 400, "a code is good once");
    let told: Vec<Value> = world.told().into_iter().map(|(_, body)| body).collect();
    let outcomes: Vec<&Value> = told.iter().map(|body| &body["outcome"]).collect();
    assert_eq!(outcomes, ["challenge_required", "succeeded"]);
    assert_eq!(account_token.as_ref(), told[0].get("account_token"), "the account is called the same in both");
    assert!(account_token.is_some());
    let account = json!({ "branch": "018", "kind": "ordinary", "number": "4567890" });
    let first_steps = [&told[0]["first_step"], &told[1]["first_step"]];
    assert_eq!(
        first_steps,
        [&json!({ "state": "s&1", "account": account }), &Value::Null],
        "whose holder is to be told"
    );
    assert!(told[0]["value_token"].is_string() && !told[0].to_string().contains("7777"), "{told:?}");
}

#[tokio::test]
async fn a_bank_tells_its_customer_itself_of_a_right_first_step_that_the_gateway_cannot_place() {
    for (state, is_told) in [("s&1", false), (FORGOTTEN, true)] {
        let world = World::new(Policies::Raised).await;
        let mut asked = pushed(RETURN);
        asked["state"] = state.into();
        let (mut browser, page, _) = at_the_form_with(&world, asked).await;
        browser.submit(&page, RIGHT).await;
        let inbox = world.sandbox(Method::GET, "inbox?to=08000000003", Value::Null).await.body.to_string();
        assert_eq!(inbox.contains("knew your PIN"), is_told, "{inbox}");
    }
}

#[tokio::test]
async fn a_code_with_the_wrong_verifier_is_gone() {
    let world = World::new(Policies::AsOf2020).await;
    for (verifier, redirect_uri, wait_seconds, status) in [
        (VERIFIER, RETURN, 0, 200),
        ("another-verifier-that-is-long-enough-for-it-too", RETURN, 0, 400),
        (VERIFIER, "http://evil.example/", 0, 400),
        (VERIFIER, RETURN, 60, 400),
    ] {
        let (mut browser, page, _) = at_the_form(&world).await;
        let back = location(&browser.submit(&page, RIGHT).await);
        let code = parameter(&back, "code").expect("a code");
        world.clock.advance(wait_seconds).await.expect("it advances");
        let body = json!({
            "client_id": "gateway", "code": code, "code_verifier": verifier, "redirect_uri": redirect_uri,
        });
        assert_eq!(world.bank("9900", "token", body.clone()).await.status, status, "{verifier} {redirect_uri}");
        assert_eq!(world.bank("9900", "token", body).await.status, 400, "and no second time");
    }
}

#[tokio::test]
async fn a_request_is_the_first_browsers_alone() {
    let world = World::new(Policies::AsOf2020).await;
    let (mut browser, page, path) = at_the_form(&world).await;
    let mut second = Browser { world: &world, cookie: None };
    assert_eq!(second.go(Method::GET, &path, &[]).await.status(), 410, "a request URI is good once");
    assert_eq!(second.go(Method::GET, "/link", &[]).await.status(), 410);
    assert_eq!(second.submit(&page, RIGHT).await.status(), 410);
    let forged = browser.go(Method::POST, "/link", &[("csrf", "made up"), ("pin", "7777")]).await;
    assert_eq!(forged.status(), 403);
    let cancelled = location(&browser.submit(&page, &[("answer", "cancel")]).await);
    assert_eq!(parameter(&cancelled, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&cancelled, "iss").as_deref(), Some(BANK));
    let late = world.bank("9900", "par", pushed(RETURN)).await.body;
    world.clock.advance(300).await.expect("it advances");
    let path = format!("/authorize?client_id=gateway&request_uri={}", late["request_uri"].as_str().expect("a URI"));
    assert_eq!(second.go(Method::GET, &path, &[]).await.status(), 410, "a pushed request waits five minutes");
}

#[tokio::test]
async fn whatever_is_wrong_looks_the_same_and_tries_run_out() {
    let world = World::new(Policies::AsOf2020).await;
    let with = |name: &'static str, value: &'static str| {
        RIGHT.iter().map(|(key, right)| if *key == name { (name, value) } else { (*key, *right) }).collect::<Vec<_>>()
    };
    let (mut browser, page, _) = at_the_form(&world).await;
    let mut shown = Vec::new();
    for fields in
        [with("pin", "7778"), with("number", "0000001"), with("name_kana", "ベツ ノ ヒト"), with("branch", "x")]
    {
        let answer = browser.submit(&page, &fields).await;
        assert_eq!(answer.status(), 422);
        shown.push(answer.into_body());
    }
    assert!(shown.iter().all(|text| *text == shown[0]));
    assert_eq!(browser.submit(&page, &with("pin", "7778")).await.status(), 422);
    let out = location(&browser.submit(&page, RIGHT).await);
    assert_eq!(parameter(&out, "error").as_deref(), Some("access_denied"));
}

#[tokio::test]
async fn only_a_proper_push_to_a_bank_with_a_page_is_taken() {
    let world = World::new(Policies::AsOf2020).await;
    let mut plain = pushed(RETURN);
    plain["code_challenge_method"] = "plain".into();
    for (bank, body, status) in [
        ("9900", pushed(RETURN), 201),
        ("9900", pushed("http://gateway.localhost:8080/bank-return/0001"), 400),
        ("9900", pushed("http://evil.example/bank-return/9900"), 400),
        ("9900", plain, 400),
        ("0125", pushed("http://gateway.localhost:8080/bank-return/0125"), 404),
    ] {
        assert_eq!(world.bank(bank, "par", body.clone()).await.status, status, "{bank} {body}");
    }
    let url = format!("{BANK}/connector/v1/par");
    for (token, status) in [(BANK_KEY, 201), ("", 401)] {
        let answer = world.ask(Method::POST, &url, token, &pushed(RETURN)).await.expect("an answer");
        assert_eq!(answer.status, status);
    }
}
