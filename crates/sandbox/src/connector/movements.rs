//! Debits and credits, and inquiries about them.

use super::day_files::movements_of;
use super::wire::{WireAccount, WireMovement};
use super::{BankDesk, Debited, ReadyAt};
use crate::domain::bank::{BankCode, Booking};
use crate::domain::movement::{self, Direction, Movement, Outcome, REFERENCE_BYTES_MAX, Reference};
use crate::domain::{Command, Receipt, Row};
use crate::registry::WORDING;
use axum::extract::{Path, State as Shared};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use ledger::Yen;
use serde::Deserialize;
use serde_json::{Value, json};
use web::{Json, Problem};

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    reference: String,
    account: WireAccount,
    amount: i64,
    #[serde(default)]
    descriptor: Option<String>,
    /// Whether a debit may borrow against the time deposit; a bank that is not asked lets it.
    #[serde(default)]
    may_overdraw: Option<bool>,
}

pub(super) async fn debit(Shared(desk): Shared<BankDesk>, Json(asked): Json<Asked>) -> Result<Response, Problem> {
    request(desk, Direction::Debit, asked).await
}

/// What a bank that books every credit twice puts behind the reference of the second one in its books.
pub(super) const SECOND: &str = "/2";

pub(super) async fn credit(Shared(desk): Shared<BankDesk>, Json(asked): Json<Asked>) -> Result<Response, Problem> {
    match desk.state.world.faults(desk.bank).booking {
        Booking::AsAsked | Booking::OneYenMore | Booking::CreditsRefused => {
            request(desk, Direction::Credit, asked).await
        }
        Booking::CreditsTwice => {
            let second = Asked { reference: format!("{}{SECOND}", asked.reference), ..asked.clone() };
            let answer = request(desk.clone(), Direction::Credit, asked).await?;
            let of_second = reference(desk.bank, Direction::Credit, second.reference.clone())?;
            request(desk.clone(), Direction::Credit, second).await?;
            // The bank does not know that it did it twice: it tells nobody.
            let tell = movement::Command::Tell { reference: of_second };
            desk.state.world.submit(Command::Movement(tell)).await?;
            Ok(answer)
        }
        Booking::CreditsUnmade => {
            let (amount, at) = (asked.amount, desk.state.outside.now().to_string());
            let (outcome, code) = (Outcome::Settled.name(), Outcome::Settled.code());
            Ok(Json(WireMovement { reference: asked.reference, outcome, code, amount, at }).into_response())
        }
    }
}

/// The credits that the bank booked on a business day, in the order of its books: there when the day is over.
pub(super) async fn credit_statement(
    Shared(BankDesk { state, bank }): Shared<BankDesk>,
    Path(date): Path<String>,
) -> Result<Json<Value>, Problem> {
    let day = super::day(&date).ok_or_else(|| Problem::malformed("A day is written as 2020-09-01."))?;
    if day >= state.outside.now().day() {
        return Err(Problem::not_found().detail("The statement of a day is there when the day is over."));
    }
    let booked = movements_of(&state, bank, day, Direction::Credit).await?;
    let credits: Vec<Value> = booked
        .iter()
        .filter(|movement| movement.outcome == Outcome::Settled)
        .map(|movement| {
            let reference = &movement.reference.text;
            json!({ "reference": reference.strip_suffix(SECOND).unwrap_or(reference), "amount": movement.booked })
        })
        .collect();
    Ok(Json(json!({ "day": date, "credits": credits })))
}

pub(super) async fn find_debit(desk: Shared<BankDesk>, reference: Path<String>) -> Result<Response, Problem> {
    find(desk, Direction::Debit, reference).await
}

pub(super) async fn find_credit(desk: Shared<BankDesk>, reference: Path<String>) -> Result<Response, Problem> {
    find(desk, Direction::Credit, reference).await
}

async fn request(desk: BankDesk, direction: Direction, asked: Asked) -> Result<Response, Problem> {
    let BankDesk { state, bank } = desk;
    let amount =
        Yen::checked(asked.amount).ok_or_else(|| Problem::malformed("An amount is whole yen, one or more."))?;
    // What the bank decides later belongs to that later day.
    let late_ms = i64::from(state.world.faults(bank).late_seconds).saturating_mul(1_000);
    let decided_at = state.outside.now().plus_milliseconds(late_ms);
    let descriptor = asked.descriptor.unwrap_or_else(|| WORDING.to_owned());
    let command = movement::Command::Request {
        reference: reference(bank, direction, asked.reference)?,
        account: asked.account.at(bank)?,
        amount,
        descriptor: state.registry.bank(bank).wording.map_or(descriptor, str::to_owned),
        day: decided_at.day(),
        may_overdraw: asked.may_overdraw.unwrap_or(true),
    };
    let movement = match state.world.submit(Command::Movement(command)).await? {
        Receipt::Movement(movement) => movement,
        Receipt::Done | Receipt::Missed { .. } | Receipt::Attempt(_) | Receipt::Identification(_) => {
            unreachable!("a movement is answered with itself")
        }
    };
    let mut response = Json(WireMovement::of(&movement)).into_response();
    response.extensions_mut().insert(ReadyAt(movement.final_at));
    if movement.outcome == Outcome::Settled {
        response.extensions_mut().insert(Debited);
    }
    Ok(response)
}

async fn find(
    Shared(BankDesk { state, bank }): Shared<BankDesk>,
    direction: Direction,
    Path(text): Path<String>,
) -> Result<Response, Problem> {
    let reference = reference(bank, direction, text)?;
    let row = state.world.read(reference.key()).await?;
    let now = state.outside.now();
    match row.as_deref().map(Row::movement) {
        Some(movement) if movement.visible_at <= now => Ok(Json(WireMovement::of(movement)).into_response()),
        // The bank is still at it: it says that it knows nothing, and does not say that it never will.
        Some(Movement { .. }) => Err(unknown(false)),
        None => match state.world.submit(Command::Movement(movement::Command::Inquire { reference })).await? {
            Receipt::Missed { cut_off_passed } => Err(unknown(cut_off_passed)),
            // It came between the look and the inquiry: the next inquiry finds it.
            Receipt::Done | Receipt::Movement(_) | Receipt::Attempt(_) | Receipt::Identification(_) => {
                Err(unknown(false))
            }
        },
    }
}

fn unknown(cut_off_passed: bool) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "reference-unknown",
        "The bank does not know this reference.",
        "この参照番号の取引はありません。",
    )
    .with("cut_off_passed", cut_off_passed)
}

fn reference(bank: BankCode, direction: Direction, text: String) -> Result<Reference, Problem> {
    let is_reference =
        !text.is_empty() && text.len() <= REFERENCE_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_reference {
        Ok(Reference { bank, direction, text })
    } else {
        Err(Problem::malformed("A reference is 1 to 64 visible ASCII characters."))
    }
}
