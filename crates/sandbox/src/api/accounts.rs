//! Accounts as the sandbox's API shows them: with everything that an attacker or a test needs, because the people are
//! invented. And what their holders do: come to the counter, stop debits, tap in the app.
//!
//! In a path an account is `1001234567` (branch and number, ordinary), or `100-ordinary-1234567`.

use crate::confirmations::{self, Way};
use crate::connector::{WireAccount, WireKind, attempt_id, day};
use crate::domain::account::{self, Account, AccountKind, AccountNumber, Customer, Pin};
use crate::domain::bank::BankCode;
use crate::domain::movement::{self, Direction, Outcome, Reference};
use crate::domain::{Command, Event, authentication};
use crate::people;
use crate::state::State;
use axum::extract::{Path, Query, State as Shared};
use http::StatusCode;
use ledger::Yen;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::ops::Bound;
use std::sync::Arc;
use web::{Json, Problem};

/// Accounts in one answer.
const ACCOUNTS_MAX: usize = 1_000;
/// Lines of a statement in one answer.
const LINES_MAX: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    cursor: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct List {
    pub data: Vec<Value>,
    pub next_cursor: Option<String>,
}

pub(super) async fn list(
    Shared(state): Shared<Arc<State>>,
    Path(code): Path<String>,
    Query(paging): Query<Paging>,
) -> Result<Json<List>, Problem> {
    let bank = state.bank(&code)?;
    let limit = paging.limit.unwrap_or(100).clamp(1, ACCOUNTS_MAX);
    let after = match &paging.cursor {
        Some(cursor) => Some(parse(bank, cursor).ok_or_else(|| Problem::malformed("This is no cursor of this list."))?),
        None => None,
    };
    Ok(Json(accounts(&state, bank, after, limit).await?))
}

/// A page of the accounts of `bank`, in order.
async fn accounts(state: &State, bank: BankCode, after: Option<AccountNumber>, limit: usize) -> Result<List, Problem> {
    let numbers = numbers(state, bank, after, limit + 1);
    let mut data = Vec::new();
    for number in numbers.iter().take(limit) {
        if let Some(row) = state.world.read(number.key()).await? {
            data.push(shown(state, row.account()));
        }
    }
    let goes_on = numbers.len() > limit;
    let last = numbers.get(limit.saturating_sub(1)).filter(|_| goes_on);
    let next_cursor = last.map(|last| format!("{}-{}-{}", last.branch_text(), last.kind.name(), last.number_text()));
    Ok(List { data, next_cursor })
}

/// At most `limit` accounts of `bank` behind `after`, in order.
pub(crate) fn numbers(state: &State, bank: BankCode, after: Option<AccountNumber>, limit: usize) -> Vec<AccountNumber> {
    let first = AccountNumber { bank, branch: 0, kind: AccountKind::Ordinary, number: 0 };
    let start = after.map_or(Bound::Included(first), Bound::Excluded);
    let index = state.world.index();
    let of_bank = index.accounts.range((start, Bound::Unbounded)).take_while(|number| number.bank == bank);
    of_bank.take(limit).copied().collect()
}

/// Everything that is known of an account.
fn shown(state: &State, account: &Account) -> Value {
    let customer = &account.customer;
    let number = account.number;
    let cells: serde_json::Map<String, Value> =
        (0..account::CARD_CELLS).map(|cell| (account::cell_name(cell), customer.card_cell(cell).into())).collect();
    let branch = state.registry.branch(number).map(|branch| branch.name);
    json!({
        "bank_code": number.bank.to_string(),
        "branch": number.branch_text(),
        "branch_name": branch,
        "kind": number.kind.name(),
        "number": number.number_text(),
        "family_name": customer.family_name,
        "given_name": customer.given_name,
        "family_kana": customer.family_kana,
        "given_kana": customer.given_kana,
        "name_kana": customer.name_kana(),
        "birth_date": customer.birth_date.to_string(),
        "pin": customer.pin.digits(),
        "mail": customer.mail,
        "phone": customer.phone,
        "balance": account.balance,
        "overdraft_max": account.overdraft_max.amount(),
        "web_failures": account.web_failures,
        "web_locked": account.web_locked_at.is_some(),
        "debits_stopped": account.debits_stopped,
        "card_serial": customer.card_serial(),
        "one_time_password": customer.one_time_password(state.outside.now()),
        "random_card": cells,
        "document_number": people::document_number(&people::identity(customer)),
    })
}

/// A new account. What is left out is drawn.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Opened {
    #[serde(default)]
    branch: Option<String>,
    #[serde(default)]
    kind: Option<WireKind>,
    #[serde(default)]
    number: Option<String>,
    family_name: String,
    given_name: String,
    family_kana: String,
    given_kana: String,
    birth_date: String,
    #[serde(default)]
    pin: Option<String>,
    #[serde(default)]
    mail: Option<String>,
    #[serde(default)]
    phone: Option<String>,
    #[serde(default)]
    balance: Option<i64>,
    #[serde(default)]
    overdraft_max: Option<i64>,
    #[serde(default)]
    card_seed: Option<u64>,
}

pub(super) async fn open(
    Shared(state): Shared<Arc<State>>,
    Path(code): Path<String>,
    Json(asked): Json<Opened>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let bank = state.bank(&code)?;
    let draw = |digits| web::chance::code(state.outside.chance.as_ref(), digits).expose().clone();
    let branch = asked.branch.unwrap_or_else(|| format!("{:03}", state.registry.bank(bank).branches[0].code));
    let wire = WireAccount {
        branch,
        kind: asked.kind.unwrap_or(WireKind::Ordinary),
        number: asked.number.unwrap_or_else(|| draw(7)),
    };
    let number = wire.at(bank)?;
    let malformed = |member: &'static str, what: &'static str| Problem::malformed(what).with("member", member);
    let yen = |amount: Option<i64>, member| {
        Yen::checked(amount.unwrap_or(0)).ok_or_else(|| malformed(member, "Whole yen, zero or more."))
    };
    let mut seed = [0; 8];
    state.outside.chance.fill(&mut seed);
    let customer = Customer {
        family_name: asked.family_name,
        given_name: asked.given_name,
        family_kana: asked.family_kana,
        given_kana: asked.given_kana,
        birth_date: day(&asked.birth_date).ok_or_else(|| malformed("birth_date", "Written as 1985-04-12."))?,
        pin: Pin::parse(&asked.pin.unwrap_or_else(|| draw(4))).ok_or_else(|| malformed("pin", "Four digits."))?,
        mail: asked.mail,
        phone: asked.phone,
        card_seed: asked.card_seed.unwrap_or(u64::from_be_bytes(seed)),
    };
    let command = account::Command::Open {
        number,
        customer: Box::new(customer),
        balance: yen(asked.balance, "balance")?,
        overdraft_max: yen(asked.overdraft_max, "overdraft_max")?,
    };
    state.world.submit(Command::Account(command)).await?;
    Ok((StatusCode::CREATED, Json(found(&state, number).await?)))
}

pub(super) async fn find(
    Shared(state): Shared<Arc<State>>,
    Path((code, number)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let number = number_of(&state, &code, &number)?;
    Ok(Json(found(&state, number).await?))
}

pub(super) async fn found(state: &State, number: AccountNumber) -> Result<Value, Problem> {
    let row = state.world.read(number.key()).await?.ok_or_else(Problem::not_found)?;
    Ok(shown(state, row.account()))
}

/// The account that a path names.
pub(crate) fn number_of(state: &State, code: &str, text: &str) -> Result<AccountNumber, Problem> {
    let bank = state.bank(code)?;
    parse(bank, text).ok_or_else(Problem::not_found)
}

fn parse(bank: BankCode, text: &str) -> Option<AccountNumber> {
    let mut parts = text.split('-');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(branch), Some(kind), Some(number), None) => {
            let kind = [AccountKind::Ordinary, AccountKind::Current].into_iter().find(|known| known.name() == kind)?;
            AccountNumber::parse(bank, branch, kind, number)
        }
        (Some(digits), None, _, _) => {
            let (branch, number) = digits.split_at_checked(3)?;
            AccountNumber::parse(bank, branch, AccountKind::Ordinary, number)
        }
        _ => None,
    }
}

pub(super) async fn statement(
    Shared(state): Shared<Arc<State>>,
    Path((code, number)): Path<(String, String)>,
    Query(paging): Query<Paging>,
) -> Result<Json<List>, Problem> {
    let number = number_of(&state, &code, &number)?;
    if state.world.read(number.key()).await?.is_none() {
        return Err(Problem::not_found());
    }
    let data = lines(&state, number, paging.limit.unwrap_or(100).clamp(1, LINES_MAX)).await?;
    let data = data.iter().map(|line| serde_json::to_value(line).unwrap_or(Value::Null)).collect();
    Ok(Json(List { data, next_cursor: None }))
}

/// One line of a bank's statement.
#[derive(Serialize)]
pub(crate) struct Line {
    pub at: String,
    pub kind: &'static str,
    pub descriptor: String,
    /// Yen; out of the account is below zero.
    pub amount: i64,
    pub balance: i64,
    pub reference: Option<String>,
}

/// The newest lines of an account's statement, newest first.
pub(crate) async fn lines(state: &State, number: AccountNumber, limit: usize) -> Result<Vec<Line>, Problem> {
    let records = state.world.chain(number.key(), limit).await?;
    let events = records.iter().flat_map(|record| record.entry.events.iter().rev().map(|event| (record.at, event)));
    Ok(events.filter_map(|(at, event)| line(state, number, at, event)).collect())
}

fn line(state: &State, number: AccountNumber, at: domain::Time, event: &Event) -> Option<Line> {
    match event {
        Event::Account(account::Event::Opened { number: opened, balance, .. }) if *opened == number => Some(Line {
            at: at.to_string(),
            kind: "opened",
            descriptor: "口座開設".into(),
            amount: balance.amount(),
            balance: balance.amount(),
            reference: None,
        }),
        Event::Movement(movement::Event::Decided(movement))
            if movement.account == number && movement.outcome == Outcome::Settled =>
        {
            Some(Line {
                at: movement.at.to_string(),
                kind: movement.reference.direction.name(),
                descriptor: movement.descriptor.clone(),
                amount: signed(movement.reference.direction, movement.booked),
                balance: movement.balance_after,
                reference: Some(movement.reference.text.clone()),
            })
        }
        Event::Movement(movement::Event::Reversed { reference, account, booked, at, balance_after, .. })
            if *account == number =>
        {
            let wording = state.registry.bank(number.bank).wording.unwrap_or(crate::registry::WORDING);
            Some(Line {
                at: at.to_string(),
                kind: "reversal",
                descriptor: format!("取消 {wording}"),
                amount: signed(reference.direction, *booked).saturating_neg(),
                balance: *balance_after,
                reference: Some(reference.text.clone()),
            })
        }
        Event::Account(_)
        | Event::Movement(_)
        | Event::Bank(_)
        | Event::Authentication(_)
        | Event::Message(_)
        | Event::Identification(_) => None,
    }
}

fn signed(direction: Direction, amount: Yen) -> i64 {
    match direction {
        Direction::Debit => amount.amount().saturating_neg(),
        Direction::Credit => amount.amount(),
    }
}

pub(super) async fn unlock(
    Shared(state): Shared<Arc<State>>,
    Path((code, number)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let number = number_of(&state, &code, &number)?;
    state.world.submit(Command::Account(account::Command::Unlock { number })).await?;
    Ok(Json(found(&state, number).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stop {
    stopped: bool,
}

pub(super) async fn stop_debits(
    Shared(state): Shared<Arc<State>>,
    Path((code, number)): Path<(String, String)>,
    Json(Stop { stopped }): Json<Stop>,
) -> Result<Json<Value>, Problem> {
    let number = number_of(&state, &code, &number)?;
    state.world.submit(Command::Account(account::Command::StopDebits { number, stopped })).await?;
    Ok(Json(found(&state, number).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirmation {
    channel: Way,
}

pub(super) async fn confirm(
    Shared(state): Shared<Arc<State>>,
    Path((code, number)): Path<(String, String)>,
    Json(Confirmation { channel }): Json<Confirmation>,
) -> Result<Json<List>, Problem> {
    let number = number_of(&state, &code, &number)?;
    Ok(Json(List { data: confirmations::confirm(&state, number, channel).await?, next_cursor: None }))
}

pub(super) async fn reverse(
    Shared(state): Shared<Arc<State>>,
    Path((code, direction, text)): Path<(String, String, String)>,
) -> Result<StatusCode, Problem> {
    let bank = state.bank(&code)?;
    let direction = [Direction::Debit, Direction::Credit].into_iter().find(|known| known.name() == direction);
    let reference = Reference { bank, direction: direction.ok_or_else(Problem::not_found)?, text };
    let day = state.outside.now().day();
    state.world.submit(Command::Movement(movement::Command::Reverse { reference, day })).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Approval {
    attempt: String,
}

pub(super) async fn approve(
    Shared(state): Shared<Arc<State>>,
    Path(code): Path<String>,
    Json(approval): Json<Approval>,
) -> Result<StatusCode, Problem> {
    let attempt = attempt_id(state.bank(&code)?, &approval.attempt);
    state.world.submit(Command::Authentication(authentication::Command::Approve { attempt })).await?;
    Ok(StatusCode::NO_CONTENT)
}
