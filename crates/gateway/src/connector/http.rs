//! The connector over HTTP and JSON: `/connector/v1` at the bank's host, one bearer secret a bank. It is how a bank is asked
//! while somebody waits, how money goes to an account, and how debits reach a bank that takes each for itself.

use super::zengin::{ResultLine, result_lines};
use super::{
    About, AccountNumber, Answering, Attempt, Authentication, AuthenticationOutcome, BankConnector, BankOrder,
    ConnectorError, Customer, Notice, Rhythm,
};
use crate::domain::movement::{Code, Kind, Outcome};
use crate::domain::{BankCode, Factor, MovementId};
use crate::options::BankOptions;
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
    bank: BankCode,
    origin: String,
    secret: Secret<String>,
    answer_ms_max: u64,
}

impl HttpConnector {
    /// To `bank`, each answer of which takes `answer_ms_max` milliseconds at most.
    pub fn new(transport: Arc<dyn Transport>, bank: &BankOptions, answer_ms_max: u64) -> Self {
        let (origin, secret) = (bank.origin.clone(), bank.secret.clone());
        Self { transport, bank: bank.code, origin, secret, answer_ms_max }
    }

    /// What the bank says of itself.
    pub async fn about(&self) -> Result<About, ConnectorError> {
        about(self.ask(Method::GET, "about", None).await?)
    }

    /// Hands what a person typed to the bank.
    pub async fn authenticate(&self, attempt: &Attempt) -> Result<Authentication, ConnectorError> {
        let body = json!({
            "attempt": attempt.id,
            "account": account(&attempt.account),
            "factors": factors(attempt),
        });
        let body: AuthenticationBody = self.ask(Method::POST, "authentications", Some(body)).await?;
        authentication(body)
    }

    /// Has the bank tell an account's true holder something, on every contact that it has: how many it told.
    pub async fn notify(&self, notice: &Notice) -> Result<u32, ConnectorError> {
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
    }

    /// Asks the bank to move money. Asking again for the same movement moves once.
    pub async fn order(&self, order: &BankOrder) -> Outcome {
        let reference = order.movement.bank_reference();
        let mut body = json!({
            "reference": reference,
            "account": account(&order.account),
            "amount": order.amount.amount(),
            "descriptor": order.descriptor,
        });
        if !order.kind.is_to_account() {
            body["may_overdraw"] = order.may_overdraw.into();
        }
        match self.call(Method::POST, path_of(order.kind), Some(body)).await {
            Ok((StatusCode::OK | StatusCode::CREATED, body)) => outcome(&body, &reference),
            Ok(_) | Err(_) => Outcome::Unknown,
        }
    }

    /// Asks what became of it.
    pub async fn became(&self, kind: Kind, movement: MovementId) -> Outcome {
        let reference = movement.bank_reference();
        let path = format!("{}/{reference}", path_of(kind));
        match self.call(Method::GET, &path, None).await {
            Ok((StatusCode::OK, body)) => outcome(&body, &reference),
            Ok((StatusCode::NOT_FOUND, body)) => match serde_json::from_slice::<NotFoundBody>(&body) {
                Ok(body) => Outcome::NotFound { last: body.cut_off_passed },
                // Some other 404: whoever answered may not even be the bank.
                Err(_) => Outcome::Unknown,
            },
            Ok(_) | Err(_) => Outcome::Unknown,
        }
    }

    /// The records of the result file of `day`: none where it is not there, an empty list where the bank did nothing.
    pub async fn result_file(&self, day: Day) -> Result<Option<Vec<ResultLine>>, ConnectorError> {
        let bounds = Bounds { time_ms: FILE_MS_MAX, body_bytes: FILE_BYTES_MAX };
        let path = format!("day-files/{day}");
        match self.exchange(Method::GET, &path, "application/octet-stream", Bytes::new(), bounds).await? {
            (StatusCode::OK, body) if body.is_empty() => Ok(Some(Vec::new())),
            (StatusCode::OK, body) => result_lines(&body, self.bank, day).map(Some).ok_or(ConnectorError::Garbled),
            (StatusCode::NO_CONTENT, _) => Ok(Some(Vec::new())),
            (StatusCode::NOT_FOUND, _) => Ok(None),
            (status, _) if status.is_server_error() => Err(ConnectorError::Unreachable),
            _ => Err(ConnectorError::Garbled),
        }
    }

    /// The credits that the bank booked on `day` by its own statement, ours and whoever's else stand in the same place: none where it
    /// is not there.
    pub async fn credit_statement(&self, day: Day) -> Result<Option<Vec<ResultLine>>, ConnectorError> {
        let bounds = Bounds { time_ms: FILE_MS_MAX, body_bytes: FILE_BYTES_MAX };
        let path = format!("credit-statements/{day}");
        match self.exchange(Method::GET, &path, "application/json", Bytes::new(), bounds).await? {
            (StatusCode::OK, body) => statement_lines(&body, day).map(Some).ok_or(ConnectorError::Garbled),
            (StatusCode::NOT_FOUND, _) => Ok(None),
            (status, _) if status.is_server_error() => Err(ConnectorError::Unreachable),
            _ => Err(ConnectorError::Garbled),
        }
    }

    /// Hands in a request file of kind 91. The same file twice is one.
    pub async fn hand_in(&self, file: Bytes) -> Result<(), ConnectorError> {
        let bounds = Bounds { time_ms: FILE_MS_MAX, body_bytes: ANSWER_BYTES_MAX };
        let kind = "application/octet-stream";
        let (status, _) = self.exchange(Method::POST, "collections", kind, file, bounds).await?;
        if status.is_success() { Ok(()) } else { Err(ConnectorError::Garbled) }
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(StatusCode, Bytes), ConnectorError> {
        let bounds = Bounds { time_ms: self.answer_ms_max, body_bytes: ANSWER_BYTES_MAX };
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
pub(crate) struct AboutBody {
    own_page: bool,
    factors: Vec<Vec<String>>,
    issuer: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct AuthenticationBody {
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
struct StatementBody {
    day: String,
    credits: Vec<CreditBody>,
}

#[derive(Deserialize)]
struct CreditBody {
    reference: String,
    amount: i64,
}

impl CreditBody {
    fn line(&self) -> Option<ResultLine> {
        let amount = Yen::checked(self.amount)?;
        let movement = MovementId::of_bank_reference(&self.reference);
        Some(ResultLine { movement, amount, outcome: Outcome::Settled { amount } })
    }
}

#[derive(Deserialize)]
struct NotFoundBody {
    cut_off_passed: bool,
}

impl BankConnector for HttpConnector {
    fn rhythm(&self) -> Rhythm {
        Rhythm::OneByOne
    }

    fn send<'a>(&'a self, _day: Day, orders: &'a [BankOrder]) -> Answering<'a, Result<Vec<Outcome>, ConnectorError>> {
        Box::pin(async move {
            let mut outcomes = Vec::with_capacity(orders.len());
            for order in orders {
                outcomes.push(self.order(order).await);
            }
            Ok(outcomes)
        })
    }

    fn inquire(&self, movement: MovementId, _sent: Day) -> Answering<'_, Outcome> {
        Box::pin(self.became(Kind::Debit, movement))
    }

    fn results(&self, day: Day) -> Answering<'_, Result<Option<Vec<ResultLine>>, ConnectorError>> {
        Box::pin(self.result_file(day))
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

pub(crate) fn about(body: AboutBody) -> Result<About, ConnectorError> {
    let set = |names: &Vec<String>| names.iter().map(|name| name.parse::<Factor>()).collect::<Result<_, _>>();
    let factors = body.factors.iter().map(set).collect::<Result<_, _>>().map_err(|_| ConnectorError::Garbled)?;
    Ok(About { own_page: body.own_page, factors, issuer: body.issuer })
}

pub(crate) fn authentication(body: AuthenticationBody) -> Result<Authentication, ConnectorError> {
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

/// What a statement of credits says, line by line; none for what is no statement of `day`.
pub(crate) fn statement_lines(body: &[u8], day: Day) -> Option<Vec<ResultLine>> {
    let body: StatementBody = serde_json::from_slice(body).ok()?;
    let lines: Option<Vec<ResultLine>> = body.credits.iter().map(CreditBody::line).collect();
    lines.filter(|_| body.day == day.to_string())
}

/// What a bank's answer comes to; what is not understood to the last member is no answer.
pub(crate) fn outcome(body: &[u8], reference: &str) -> Outcome {
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
