//! The connector over HTTP and JSON: `/connector/v1` at the bank's host, one bearer secret a bank.

use super::{
    About, AccountNumber, Answering, Attempt, Authentication, AuthenticationOutcome, BankConnector, BankOrder,
    ConnectorError, Customer, Notice,
};
use crate::domain::Factor;
use crate::domain::movement::{Code, Kind, Outcome};
use ::http::{Method, Request, StatusCode, header};
use bytes::Bytes;
use domain::Day;
use ledger::Yen;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use web::{Bounds, Secret, Transport};

/// The largest answer to a single question, in bytes.
pub const ANSWER_BYTES_MAX: usize = 64 * 1_024;
/// The largest day file, in bytes: 200,000 records.
pub const FILE_BYTES_MAX: usize = 24 << 20;
/// How long a bank has to hand out a file, in milliseconds.
pub const FILE_MS_MAX: u64 = 10_000;

/// Talks to one bank.
pub struct HttpConnector {
    transport: Arc<dyn Transport>,
    origin: String,
    secret: Secret<String>,
    bank_ms_max: u64,
}

impl HttpConnector {
    /// To the bank at `origin`, which has `secret`.
    pub fn new(transport: Arc<dyn Transport>, origin: String, secret: Secret<String>, bank_ms_max: u64) -> Self {
        Self { transport, origin, secret, bank_ms_max }
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(StatusCode, Bytes), ConnectorError> {
        let bounds = Bounds { time_ms: self.bank_ms_max, body_bytes: ANSWER_BYTES_MAX };
        let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        self.exchange(method, path, "application/json", body, bounds).await
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: Bytes,
        bounds: Bounds,
    ) -> Result<(StatusCode, Bytes), ConnectorError> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/connector/v1/{path}", self.origin))
            .header(header::CONTENT_TYPE, kind)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.secret.expose()))
            .body(body)
            .map_err(|_| ConnectorError::Unreachable)?;
        let response = self.transport.call(request, bounds).await.map_err(|_| ConnectorError::Unreachable)?;
        match response.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(ConnectorError::Unauthorised),
            status => Ok((status, response.into_body())),
        }
    }

    /// An answer that must be a 200 or 201 of this form.
    async fn ask<T: for<'de> Deserialize<'de>>(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<T, ConnectorError> {
        let (status, body) = self.call(method, path, body).await?;
        match status {
            StatusCode::OK | StatusCode::CREATED => serde_json::from_slice(&body).map_err(|_| ConnectorError::Garbled),
            status if status.is_server_error() => Err(ConnectorError::Unreachable),
            _ => Err(ConnectorError::Garbled),
        }
    }
}

#[derive(Deserialize)]
struct AboutBody {
    own_page: bool,
    factors: Vec<Vec<String>>,
    issuer: Option<String>,
}

#[derive(Deserialize)]
struct AuthenticationBody {
    outcome: String,
    challenge: Option<ChallengeBody>,
    #[serde(default)]
    first_factor_right: bool,
    customer: Option<CustomerBody>,
}

#[derive(Deserialize)]
struct ChallengeBody {
    kind: String,
    #[serde(default)]
    hint: String,
}

#[derive(Deserialize)]
struct CustomerBody {
    name_kana: Secret<String>,
    birth_date: Secret<String>,
    has_contact: bool,
}

#[derive(Deserialize)]
struct NoticeBody {
    contacts_notified: u32,
}

#[derive(Deserialize)]
struct MovementBody {
    reference: String,
    outcome: String,
    code: Option<u64>,
    amount: i64,
}

#[derive(Deserialize)]
struct NotFoundBody {
    cut_off_passed: bool,
}

impl BankConnector for HttpConnector {
    fn about(&self) -> Answering<'_, Result<About, ConnectorError>> {
        Box::pin(async move {
            let body: AboutBody = self.ask(Method::GET, "about", None).await?;
            let set = |names: &Vec<String>| names.iter().map(|name| name.parse::<Factor>()).collect::<Result<_, _>>();
            let factors =
                body.factors.iter().map(set).collect::<Result<_, _>>().map_err(|_| ConnectorError::Garbled)?;
            Ok(About { own_page: body.own_page, factors, issuer: body.issuer })
        })
    }

    fn authenticate<'a>(&'a self, attempt: &'a Attempt) -> Answering<'a, Result<Authentication, ConnectorError>> {
        Box::pin(async move {
            let body = json!({
                "attempt": attempt.id,
                "account": account(&attempt.account),
                "factors": factors(attempt),
            });
            let body: AuthenticationBody = self.ask(Method::POST, "authentications", Some(body)).await?;
            authentication(body)
        })
    }

    fn notify<'a>(&'a self, notice: &'a Notice) -> Answering<'a, Result<u32, ConnectorError>> {
        Box::pin(async move {
            let mut body = json!({
                "notice": notice.id,
                "account": account(&notice.account),
                "text": { "ja": notice.text_ja, "en": notice.text_en },
            });
            if let (Some(code), Value::Object(members)) = (&notice.code, &mut body) {
                members.insert("code".into(), code.expose().clone().into());
            }
            let body: NoticeBody = self.ask(Method::POST, "notices", Some(body)).await?;
            Ok(body.contacts_notified)
        })
    }

    fn send<'a>(&'a self, order: &'a BankOrder) -> Answering<'a, Outcome> {
        Box::pin(async move {
            let mut body = json!({
                "reference": order.reference,
                "account": account(&order.account),
                "amount": order.amount.amount(),
                "descriptor": order.descriptor,
            });
            if !order.kind.is_to_account() {
                body["may_overdraw"] = order.may_overdraw.into();
            }
            match self.call(Method::POST, path_of(order.kind), Some(body)).await {
                Ok((StatusCode::OK | StatusCode::CREATED, body)) => outcome(&body, &order.reference),
                Ok(_) | Err(_) => Outcome::Unknown,
            }
        })
    }

    fn inquire<'a>(&'a self, kind: Kind, reference: &'a str) -> Answering<'a, Outcome> {
        Box::pin(async move {
            let path = format!("{}/{reference}", path_of(kind));
            match self.call(Method::GET, &path, None).await {
                Ok((StatusCode::OK, body)) => outcome(&body, reference),
                Ok((StatusCode::NOT_FOUND, body)) => match serde_json::from_slice::<NotFoundBody>(&body) {
                    Ok(body) => Outcome::NotFound { last: body.cut_off_passed },
                    // Some other 404: whoever answered may not even be the bank.
                    Err(_) => Outcome::Unknown,
                },
                Ok(_) | Err(_) => Outcome::Unknown,
            }
        })
    }

    fn day_file(&self, day: Day) -> Answering<'_, Result<Option<Bytes>, ConnectorError>> {
        Box::pin(async move {
            let bounds = Bounds { time_ms: FILE_MS_MAX, body_bytes: FILE_BYTES_MAX };
            let path = format!("day-files/{day}");
            let answer = self.exchange(Method::GET, &path, "application/octet-stream", Bytes::new(), bounds).await?;
            match answer {
                (StatusCode::OK, body) => Ok(Some(body)),
                (StatusCode::NO_CONTENT, _) => Ok(Some(Bytes::new())),
                (StatusCode::NOT_FOUND, _) => Ok(None),
                (status, _) if status.is_server_error() => Err(ConnectorError::Unreachable),
                _ => Err(ConnectorError::Garbled),
            }
        })
    }

    fn collect(&self, file: Bytes) -> Answering<'_, Result<(), ConnectorError>> {
        Box::pin(async move {
            let bounds = Bounds { time_ms: FILE_MS_MAX, body_bytes: ANSWER_BYTES_MAX };
            let kind = "application/octet-stream";
            let (status, _) = self.exchange(Method::POST, "collections", kind, file, bounds).await?;
            if status.is_success() { Ok(()) } else { Err(ConnectorError::Garbled) }
        })
    }
}

const fn path_of(kind: Kind) -> &'static str {
    if kind.is_to_account() { "credits" } else { "debits" }
}

fn account(account: &AccountNumber) -> Value {
    json!({ "branch": account.branch, "kind": account.kind.name(), "number": account.number })
}

/// The factors as the bank takes them: a balance is a number, the cells of a card are an object, all else is text.
fn factors(attempt: &Attempt) -> Value {
    let mut members = Map::new();
    for (factor, value) in &attempt.factors {
        let text = value.expose();
        let value = match factor {
            Factor::Balance => text.parse::<i64>().map_or_else(|_| Value::from(text.as_str()), Value::from),
            Factor::RandomCard => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str())),
            Factor::Account | Factor::NameKana | Factor::Pin | Factor::BirthDate | Factor::OneTimePassword => {
                Value::from(text.as_str())
            }
            Factor::CardSerial | Factor::SmsCode | Factor::BankApp | Factor::Letter => Value::from(text.as_str()),
        };
        members.insert(factor.name().into(), value);
    }
    Value::Object(members)
}

fn authentication(body: AuthenticationBody) -> Result<Authentication, ConnectorError> {
    let customer = body.customer.map(|customer| Customer {
        name_kana: customer.name_kana,
        birth_date: customer.birth_date,
        has_contact: customer.has_contact,
    });
    let outcome = match (body.outcome.as_str(), body.challenge) {
        ("succeeded", _) if customer.is_some() => AuthenticationOutcome::Succeeded,
        ("failed", _) => AuthenticationOutcome::Failed,
        ("challenge_required", Some(challenge)) => {
            let factor = challenge.kind.parse().map_err(|_| ConnectorError::Garbled)?;
            AuthenticationOutcome::ChallengeRequired { factor, hint: challenge.hint }
        }
        _ => return Err(ConnectorError::Garbled),
    };
    Ok(Authentication { outcome, first_factor_right: body.first_factor_right, customer })
}

/// What a bank's answer comes to; what is not understood to the last member is no answer.
fn outcome(body: &[u8], reference: &str) -> Outcome {
    match serde_json::from_slice::<MovementBody>(body) {
        Ok(body) if body.reference == reference => outcome_of(&body.outcome, body.code, body.amount),
        Ok(_) | Err(_) => Outcome::Unknown,
    }
}

/// The outcome that a bank's words come to.
pub(crate) fn outcome_of(outcome: &str, code: Option<u64>, amount: i64) -> Outcome {
    match (outcome, code, Yen::checked(amount)) {
        ("settled", None | Some(0), Some(amount)) => Outcome::Settled { amount },
        ("declined", Some(code), _) => {
            Code::from_result(code).map_or(Outcome::Unknown, |code| Outcome::Declined { code })
        }
        ("reversed", _, Some(amount)) => Outcome::Reversed { amount },
        _ => Outcome::Unknown,
    }
}
