//! What banks with a page of their own report of attempts there: `/gateway/v1/bank-attempts/{code}`. Outcomes and keyed
//! tokens come here, never what was tried; the key lives as long as its window.

use super::callbacks::believe;
use super::problem;
use crate::connector::AccountNumber;
use crate::domain::account::AccountKind;
use crate::domain::{BankCode, Noun};
use crate::gateway::Gateway;
use crate::oauth::bearer;
use crate::pages::first_step as first_step_of_own_page;
use crate::rates::Meter;
use crate::windows::{Report, Reported};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::json;
use web::{Json, Problem, Verdict};

/// The longest token or attempt's name that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 256;

/// An attempt as its bank reports it.
#[derive(Deserialize)]
pub(crate) struct AttemptBody {
    /// The message's own id tells reports apart; this says which steps are of one attempt.
    attempt: String,
    outcome: ReportedOutcome,
    account_token: String,
    value_token: Option<String>,
    /// Of a right first step, on whose page another one is asked for: a bank that names it need not tell the account's holder itself.
    first_step: Option<FirstStep>,
}

/// Where somebody knew an account's first factor.
#[derive(Deserialize)]
struct FirstStep {
    /// The `state` of our request that the browser is there with.
    state: String,
    account: AccountBody,
}

#[derive(Deserialize)]
struct AccountBody {
    branch: String,
    kind: AccountKind,
    number: String,
}

impl AttemptBody {
    /// The report in `body`, and on whose page somebody knew which account's first factor.
    pub(crate) fn read(body: &[u8]) -> Result<(Self, Option<(String, AccountNumber)>), Problem> {
        let malformed = || Problem::malformed("This is no report of an attempt.");
        let mut said: Self = serde_json::from_slice(body).map_err(|_| malformed())?;
        let tokens = [Some(&said.attempt), Some(&said.account_token), said.value_token.as_ref()];
        if tokens.into_iter().flatten().any(|token| token.is_empty() || token.len() > TOKEN_BYTES_MAX) {
            return Err(malformed());
        }
        let first_step = match said.first_step.take() {
            Some(FirstStep { state, account: AccountBody { branch, kind, number } }) => {
                let account = AccountNumber::parsed(&branch, kind, &number).ok_or_else(malformed)?;
                Some((state, account))
            }
            None => None,
        };
        Ok((said, first_step))
    }
}

/// How it went.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ReportedOutcome {
    Succeeded,
    Failed,
    ChallengeRequired,
}

/// `POST /gateway/v1/bank-attempts/{code}`: 204, or in words that the bank has its customer told itself.
pub async fn hear(
    State(gateway): State<Gateway>,
    Path(code): Path<String>,
    meter: Meter,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let (bank, id) = believe(&gateway, &code, &meter, &headers, &body)?;
    let (said, first_step) = AttemptBody::read(&body)?;
    let report = Report {
        bank: bank.code,
        id: &id,
        attempt: &said.attempt,
        account_token: &said.account_token,
        value_token: said.value_token.as_deref(),
        outcome: match said.outcome {
            ReportedOutcome::Succeeded => Reported::Succeeded,
            ReportedOutcome::Failed => Reported::Failed,
            ReportedOutcome::ChallengeRequired => Reported::Challenged,
        },
    };
    let stop = gateway.windows().report(&report, gateway.outside().now());
    gateway.stop_static_factors(stop).await?;
    if let (ReportedOutcome::ChallengeRequired, Some((state, account))) = (said.outcome, first_step)
        && !first_step_of_own_page(&gateway, bank.code, &state, account)
    {
        return Ok(Json(json!({ "first_step": "unknown" })).into_response());
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET /gateway/v1/bank-attempts/{code}/key`: the key of the present window, for the bank alone.
pub async fn key(
    State(gateway): State<Gateway>,
    Path(code): Path<String>,
    meter: Meter,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let code: BankCode = code.parse().map_err(|_| problem::unknown(Noun::Bank))?;
    let token = bearer(&headers).unwrap_or_default();
    gateway.bank(code).filter(|bank| bank.secret.is(token)).ok_or_else(Problem::unauthenticated)?;
    let now = gateway.outside().now();
    gateway.limits().bank(&meter, code, now).map_err(Verdict::problem)?;
    let (key, until) = gateway.windows().bank_key(now);
    Ok(Json(json!({ "key": key.expose(), "expires_at": until.to_string() })).into_response())
}
