//! Attempts of somebody to prove to the bank, through a page that the gateway hosts, that an account is theirs.

use super::BankDesk;
use super::wire::{WireAccount, day};
use crate::domain::account::AccountNumber;
use crate::domain::authentication::{self, Attempt, Given, Standing};
use crate::domain::bank::BankCode;
use crate::domain::{Command, Receipt, Row, hashed};
use crate::state::State;
use ::domain::Id;
use axum::extract::State as Shared;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use web::{Json, Problem, Secret, chance};

/// The digits of a code that is sent.
const CODE_DIGITS: u32 = 6;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    attempt: String,
    account: WireAccount,
    factors: Factors,
}

/// The factors that were shown; what is null was not shown.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Factors {
    pub pin: Option<Secret<String>>,
    pub name_kana: Option<String>,
    pub birth_date: Option<String>,
    pub one_time_password: Option<Secret<String>>,
    pub random_card: Option<BTreeMap<String, String>>,
    pub balance: Option<i64>,
    pub card_serial: Option<Secret<String>>,
    pub sms_code: Option<Secret<String>>,
    /// Whatever a page sends when somebody says that they tapped; whether they did, the app knows.
    pub bank_app: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Answer {
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<WireChallenge>,
    first_factor_right: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<WireCustomer>,
}

#[derive(Serialize)]
struct WireChallenge {
    kind: &'static str,
    hint: String,
}

/// What the bank tells the gateway of its customer once everything was right.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct WireCustomer {
    pub name_kana: String,
    pub birth_date: String,
    pub has_contact: bool,
}

pub(super) async fn attempt(
    Shared(BankDesk { state, bank }): Shared<BankDesk>,
    Json(asked): Json<Asked>,
) -> Result<Json<Answer>, Problem> {
    let account = asked.account.at(bank)?;
    let attempt = try_factors(&state, bank, &asked.attempt, account, asked.factors, true).await?;
    let succeeded = attempt.standing == Standing::Succeeded;
    let customer = if succeeded { customer(&state, account).await? } else { None };
    let challenge = match attempt.standing {
        Standing::ChallengeRequired => attempt.challenge.as_ref(),
        Standing::Succeeded | Standing::Failed => None,
    };
    let challenge = challenge.map(|open| WireChallenge { kind: open.factor().name(), hint: open.hint() });
    let outcome = match attempt.standing {
        Standing::Succeeded => "succeeded",
        Standing::Failed => "failed",
        Standing::ChallengeRequired => "challenge_required",
    };
    Ok(Json(Answer { outcome, challenge, first_factor_right: attempt.first_factor_right, customer }))
}

/// The id of the attempt that its caller names `name`.
pub(crate) fn attempt_id(bank: BankCode, name: &str) -> Id {
    hashed("attempt", &[&bank.number().to_be_bytes(), name.as_bytes()])
}

/// Tries `factors` at the account, or answers the attempt's challenge with them; `confirms` as in the command.
pub(crate) async fn try_factors(
    state: &State,
    bank: BankCode,
    attempt: &str,
    account: AccountNumber,
    factors: Factors,
    confirms: bool,
) -> Result<Attempt, Problem> {
    let given = factors.given()?;
    let mut number = [0; 8];
    state.outside.chance.fill(&mut number);
    let command = authentication::Command::Try {
        bank,
        attempt: attempt_id(bank, attempt),
        account,
        given: Box::new(given),
        fresh_code: chance::code(state.outside.chance.as_ref(), CODE_DIGITS).expose().clone(),
        fresh_number: u64::from_be_bytes(number),
        confirms,
    };
    match state.world.submit(Command::Authentication(command)).await? {
        Receipt::Attempt(attempt) => Ok(*attempt),
        Receipt::Done | Receipt::Movement(_) | Receipt::Missed { .. } | Receipt::Identification(_) => {
            unreachable!("a try is answered with its attempt")
        }
    }
}

impl Factors {
    fn given(self) -> Result<Given, Problem> {
        let birth_date = match self.birth_date {
            Some(text) => Some(day(&text).ok_or_else(|| Problem::malformed("A birth date is written as 1985-04-12."))?),
            None => None,
        };
        let shown = |secret: Option<Secret<String>>| secret.map(|secret| secret.expose().clone());
        Ok(Given {
            name_kana: self.name_kana,
            pin: shown(self.pin),
            birth_date,
            balance: self.balance,
            card_serial: shown(self.card_serial),
            random_card: self.random_card.map(|cells| cells.into_iter().collect()),
            one_time_password: shown(self.one_time_password),
            sms_code: shown(self.sms_code),
        })
    }
}

/// What the bank tells of the holder of `account`.
pub(crate) async fn customer(state: &State, account: AccountNumber) -> Result<Option<WireCustomer>, Problem> {
    let row = state.world.read(account.key()).await?;
    Ok(row.as_deref().map(Row::account).map(|account| WireCustomer {
        name_kana: account.customer.name_kana(),
        birth_date: account.customer.birth_date.to_string(),
        has_contact: account.customer.has_contact(),
    }))
}
