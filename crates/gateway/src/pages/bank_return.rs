//! The way out to a bank's own page, and back: there the gateway is itself a client, with issuer, address and state per bank.
//!
//! What comes back is believed only in the browser that went out, at the address of the bank that it went to, with the
//! state that went along and from the issuer that was meant. With the right state and anything else wrong somebody has
//! mixed two banks up, and the link ends.
//!
//! Who is sent out is judged and counted by the windows before, like whoever types on our own page: whoever does not come
//! back has failed. With the account, when the bank names it, the attempt is judged once more.

use super::attempt::{self, Proven, Tried};
use super::notice::{self, About};
use super::outcome;
use super::{Stop, Visit, factors, go_to, refused, to_the_end, visit};
use crate::connector::{AccountNumber, Customer};
use crate::domain::account::AccountKind;
use crate::domain::bank::Function;
use crate::domain::mandate;
use crate::domain::{BankCode, Command, Factor, Factors};
use crate::gateway::Gateway;
use crate::oauth::{AtBank, Link, Owed, Stage, actor, origin_of};
use crate::options::BankOptions;
use crate::windows::{Ended, Reserved, Verdict};
use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::net::IpAddr;
use subtle::ConstantTimeEq;
use web::page::Words;
use web::{Bounds, Secret, Source, chance};

/// What we are called at every bank.
const CLIENT_ID: &str = "gateway";
/// The longest that a bank may take to answer us, in milliseconds.
const BANK_MS_MAX: u64 = 5_000;
const ANSWER_BYTES_MAX: usize = 64 * 1_024;

/// Where the forms of our pages may lead to at this bank.
pub(super) fn origin(bank: &BankOptions) -> Option<String> {
    bank.own_page.as_deref().and_then(origin_of)
}

/// The address at which this bank's browsers come back.
fn redirect_uri(gateway: &Gateway, bank: &BankOptions) -> String {
    gateway.oauth().issuer.address(&format!("/bank-return/{}", bank.code))
}

/// Sends the browser to the bank's page, if it may try. The link is `Busy` meanwhile. In order: the bank takes static factors
/// alone and they are stopped, the windows, the bank does not answer.
pub(super) async fn send_out(gateway: &Gateway, visit: Visit, bank: &BankOptions, source: Option<IpAddr>) -> Response {
    match takes_anything(gateway, &visit.link).await {
        Some(true) => {}
        Some(false) => return outcome::give_up(gateway, &visit, factors::NOT_ONLINE).await,
        None => return outcome::respond(gateway, visit, Tried::Unreachable, Stage::Consent).await,
    }
    let tried = attempt::going_out(&visit.link, source);
    match gateway.windows().judge(&tried, gateway.outside().now()) {
        Verdict::Allow(reserved) => push(gateway, visit, bank, reserved).await,
        Verdict::Throttle { seconds } | Verdict::Strengthen { seconds } => {
            outcome::respond(gateway, visit, Tried::Throttled(seconds), Stage::Consent).await
        }
    }
}

/// Whether the bank has a set of factors that is taken now; `None` while nobody can say. Only where static factors are
/// stopped does it matter what the bank asks for.
async fn takes_anything(gateway: &Gateway, link: &Link) -> Option<bool> {
    let row = gateway.bank_row(link.asked.bank).await.ok()?;
    if row.stop(Function::StaticFactors).is_none() {
        return Some(true);
    }
    attempt::offered(gateway, link).await.map(|sets| !sets.is_empty())
}

/// Pushes our request to the bank and sends the browser after it.
async fn push(gateway: &Gateway, visit: Visit, bank: &BankOptions, reserved: Reserved) -> Response {
    let chance = gateway.outside().chance.as_ref();
    let (state, verifier) = (chance::token(chance), chance::token(chance));
    let body = json!({
        "client_id": CLIENT_ID,
        "response_type": "code",
        "redirect_uri": redirect_uri(gateway, bank),
        "state": state.expose(),
        "code_challenge": web::jose::encode(&Sha256::digest(verifier.expose())),
        "code_challenge_method": "S256",
    });
    let pushed: Option<Pushed> = call(gateway, bank, "par", &body).await;
    let (Some(pushed), Some(issuer)) = (pushed, &bank.own_page) else {
        attempt::settle(gateway, bank.code, &reserved, Ended::Unanswered).await;
        return outcome::give_up(gateway, &visit, UNREACHABLE).await;
    };
    let now = gateway.outside().now();
    let (state_kept, verifier) = (state.expose().clone(), verifier.expose().clone());
    let at_bank = AtBank { state: state_kept, verifier, reserved: reserved.clone() };
    let went = gateway.oauth().links.change(visit.link.mandate, now, |link| {
        (link.stage == Stage::Busy).then(|| link.stage = Stage::AtBank(Box::new(at_bank)))
    });
    if went.is_none() {
        attempt::settle(gateway, bank.code, &reserved, Ended::Unanswered).await;
        return super::nothing(gateway);
    }
    gateway.oauth().departures.depart(&visit.link, state.expose(), now);
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", CLIENT_ID)
        .append_pair("request_uri", &pushed.request_uri)
        .finish();
    go_to(&format!("{issuer}/authorize?{query}"))
}

#[derive(Deserialize)]
struct Pushed {
    request_uri: String,
}

/// The bank reports that on its page, where the browser with `state` is, the first step for `account` was right: the account's holder
/// is told, in a moment, unless a link comes of it before that says both. Who never comes back from there is told of all the same.
/// No if nobody knows here on whose way that was: then the bank has its customer told itself.
pub(crate) fn first_step(gateway: &Gateway, bank: BankCode, state: &str, account: AccountNumber) -> bool {
    let now = gateway.outside().now();
    if !gateway.options().policy.tells_true_holder {
        return true;
    }
    let id = gateway.account_id(bank, &account);
    match gateway.oauth().departures.owe(bank, state, id, now) {
        Owed::Now(mandate, operator) => {
            let about = About::first_factor(mandate, operator, bank, account);
            gateway.pages().notices.hold(id, notice::owe(gateway, about), now);
            true
        }
        Owed::Already => true,
        Owed::Unknown => false,
    }
}

/// `GET /bank-return/<code>`: refusals in order: no link in this browser, not on its way to a bank, another state, another
/// bank or issuer, the bank said no.
pub(super) async fn come_back(
    State(gateway): State<Gateway>,
    Path(code): Path<String>,
    source: Option<Extension<Source>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Stop> {
    let now = gateway.outside().now();
    let visit = visit(&gateway, &headers, now)?;
    let Some(brought) = parameters(query.as_deref().unwrap_or_default()) else {
        return Ok(refused(&gateway, StatusCode::BAD_REQUEST, STRANGE));
    };
    let state = brought.get("state").map(String::as_str).unwrap_or_default();
    // Only the right state takes the link; then nobody else can take it a second time.
    let taken = gateway.oauth().links.change(visit.link.mandate, now, |link| match &link.stage {
        Stage::AtBank(at_bank) if bool::from(at_bank.state.as_bytes().ct_eq(state.as_bytes())) => {
            let at_bank = at_bank.clone();
            link.stage = Stage::Busy;
            Some(at_bank)
        }
        Stage::AtBank(_)
        | Stage::Consent
        | Stage::Factors
        | Stage::Challenge(_)
        | Stage::Busy
        | Stage::Failed
        | Stage::Granted => None,
    });
    let Some(at_bank) = taken else {
        return Ok(refused(&gateway, StatusCode::BAD_REQUEST, STRANGE));
    };
    let source = source.map(|Extension(Source(source))| source);
    Ok(to_the_end(async move { came_back(&gateway, visit, &code, &brought, &at_bank, source).await }).await)
}

/// A browser came back with the state that it went out with. Where it does not become clear what the bank says, its attempt
/// stays a failure: otherwise a made-up code would undo a wrong PIN.
async fn came_back(
    gateway: &Gateway,
    visit: Visit,
    code: &str,
    brought: &BTreeMap<String, String>,
    at_bank: &AtBank,
    source: Option<IpAddr>,
) -> Response {
    let bank = gateway.bank(visit.link.asked.bank);
    let Some(bank) = bank.filter(|bank| is_from(bank, code, brought)) else {
        tracing::warn!(mandate = %visit.link.mandate, "a browser came back from another bank than it went to");
        return mixed_up(gateway, &visit).await;
    };
    let Some(bank_code) = brought.get("code") else {
        attempt::settle(gateway, bank.code, &at_bank.reserved, Ended::Wrong).await;
        return outcome::respond(gateway, visit, NO, Stage::Consent).await;
    };
    let body = json!({
        "client_id": CLIENT_ID,
        "code": bank_code,
        "code_verifier": at_bank.verifier,
        "redirect_uri": redirect_uri(gateway, bank),
    });
    let answer: Option<Answer> = call(gateway, bank, "token", &body).await;
    let tried = match answer.map(Answer::customer) {
        None => NO,
        Some(Some(known)) => {
            // Now it counts with its account instead.
            attempt::settle(gateway, bank.code, &at_bank.reserved, Ended::Unanswered).await;
            known.judged(gateway, &visit.link, source)
        }
        Some(None) => {
            attempt::settle(gateway, bank.code, &at_bank.reserved, Ended::Wrong).await;
            NO
        }
    };
    outcome::respond(gateway, visit, tried, Stage::Consent).await
}

/// Whether what was `brought` to the address of `code` is from this bank (RFC 9207).
fn is_from(bank: &BankOptions, code: &str, brought: &BTreeMap<String, String>) -> bool {
    let issuer = brought.get("iss");
    bank.own_page.is_some() && issuer == bank.own_page.as_ref() && code.parse::<BankCode>() == Ok(bank.code)
}

/// The parameters, each once.
fn parameters(query: &str) -> Option<BTreeMap<String, String>> {
    let mut parameters = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()).take(16) {
        if parameters.insert(name.into_owned(), value.into_owned()).is_some() {
            return None;
        }
    }
    Some(parameters)
}

/// The link ends: nobody knows which bank said what.
async fn mixed_up(gateway: &Gateway, visit: &Visit) -> Response {
    gateway.oauth().links.close(visit.link.mandate, gateway.outside().now());
    let command = Command::Mandate(mandate::Command::Refuse { mandate: visit.link.mandate });
    if gateway.submit(command, actor(visit.link.operator), None).await.is_err() {
        tracing::warn!(mandate = %visit.link.mandate, "the mandate was over already");
    }
    refused(gateway, StatusCode::BAD_REQUEST, STRANGE)
}

/// What the bank answers to our code.
#[derive(Deserialize)]
struct Answer {
    outcome: String,
    account: Option<AnsweredAccount>,
    /// What the bank calls the account in its reports of attempts, if it sends any.
    account_token: Option<String>,
    customer: Option<AnsweredCustomer>,
    #[serde(default)]
    factors_used: Vec<String>,
}

#[derive(Deserialize)]
struct AnsweredAccount {
    branch: String,
    kind: AccountKind,
    number: String,
}

#[derive(Deserialize)]
struct AnsweredCustomer {
    name_kana: Secret<String>,
    birth_date: Secret<String>,
    has_contact: bool,
}

impl Answer {
    /// The customer, if the bank is sure, and names an account that can be one. A factor that we do not know is worth nothing.
    fn customer(self) -> Option<Known> {
        let (account, customer) = self.account.zip(self.customer).filter(|_| self.outcome == "succeeded")?;
        Some(Known {
            account: AccountNumber::parsed(&account.branch, account.kind, &account.number)?,
            account_token: self.account_token,
            factors: self.factors_used.iter().filter_map(|name| name.parse::<Factor>().ok()).collect(),
            customer: Customer {
                name_kana: customer.name_kana,
                birth_date: customer.birth_date,
                has_contact: customer.has_contact,
            },
        })
    }
}

/// A customer that the bank is sure of, before the windows are asked about the account.
struct Known {
    account: AccountNumber,
    account_token: Option<String>,
    factors: Factors,
    customer: Customer,
}

impl Known {
    /// What the windows say of the account: one that others have tried too often is left alone, whoever is right at last,
    /// and its true holder hears of it.
    fn judged(self, gateway: &Gateway, link: &Link, source: Option<IpAddr>) -> Tried {
        let Self { account, account_token, factors, customer } = self;
        let (windows, now) = (gateway.windows(), gateway.outside().now());
        let reported = account_token.and_then(|token| windows.reported_too_often(link.asked.bank, &token, now));
        let verdict = match reported {
            Some(seconds) => Verdict::Throttle { seconds },
            None => windows.judge(&attempt::tried(gateway, link, &account, source), now),
        };
        match verdict {
            Verdict::Allow(reserved) => {
                Tried::Proven(Box::new(Proven { account, factors, customer, reserved: vec![reserved] }))
            }
            Verdict::Throttle { seconds } | Verdict::Strengthen { seconds } => {
                outcome::first_factor(gateway, link, account);
                Tried::Throttled(seconds)
            }
        }
    }
}

/// Asks the bank over the back channel; anything but an answer of the right form is none.
async fn call<T: for<'de> Deserialize<'de>>(
    gateway: &Gateway,
    bank: &BankOptions,
    path: &str,
    body: &Value,
) -> Option<T> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("{}/connector/v1/{path}", bank.origin))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {}", bank.secret.expose()))
        .body(Bytes::from(body.to_string()))
        .ok()?;
    let bounds = Bounds { time_ms: BANK_MS_MAX, body_bytes: ANSWER_BYTES_MAX };
    match gateway.outside().transport.call(request, bounds).await {
        Ok(response) if response.status().is_success() => serde_json::from_slice(response.body()).ok(),
        Ok(response) => {
            tracing::warn!(bank = %bank.code, status = response.status().as_u16(), path, "a bank's page refuses us");
            None
        }
        Err(error) => {
            tracing::warn!(bank = %bank.code, %error, path, "a bank's page does not answer");
            None
        }
    }
}

/// The bank said no, on its own page. Of a right first step there it has told us before.
const NO: Tried = Tried::Failed { account: None, first_factor_right: false };
const STRANGE: Words = Words {
    ja: "銀行から戻ってきた内容が、この手続きのものではありません。何も登録されていません。お使いのウォレットから、もう一度はじめてください。",
    en: "What came back from the bank does not belong to this. Nothing was linked. Begin again in your wallet.",
};
const UNREACHABLE: Words = Words {
    ja: "銀行の画面に接続できません。しばらくしてから、お使いのウォレットでもう一度はじめてください。",
    en: "The bank's page cannot be reached. Begin again in your wallet in a while.",
};
