//! What a command does to the ledger: facts, and the answer. Nothing is changed here, and nothing is looked up beyond
//! the rows that the command named. The checks of each function stand in the order of the table in `refusal.rs`.

use crate::account::{Account, Rule};
use crate::command::{Command, Receipt};
use crate::event::Event;
use crate::ledger::{Ledger, Row, account_key, transfer_key};
use crate::leg::{Step, check};
use crate::refusal::{Field, Refusal};
use crate::transfer::{Transfer, TransferKind, TransferState};
use crate::yen::Yen;
use domain::{Decision, Id, Moment, State};

type Rows<'a> = &'a dyn State<Row>;

/// What a command that is not refused comes to.
enum Outcome {
    /// It happens.
    Happens(Event, Receipt),
    /// It happened before.
    Repeated(Receipt),
}

pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment) -> Decision<Ledger> {
    let outcome = match *command {
        Command::OpenAccount { id, rule } => open_account(rows, id, rule),
        Command::CloseAccount { id } => close_account(rows, id),
        Command::Transfer { id, debit, credit, amount } => {
            let state = TransferState::Posted;
            make_transfer(rows, Transfer { id, debit, credit, amount, state, expires_at: None }, moment)
        }
        Command::Hold { id, debit, credit, amount, expires_at } => {
            let state = TransferState::Held;
            make_transfer(rows, Transfer { id, debit, credit, amount, state, expires_at }, moment)
        }
        Command::PostHold { hold, amount } => post_hold(rows, hold, amount),
        Command::VoidHold { hold } => void_hold(rows, hold),
        Command::ExpireHold { hold } => expire_hold(rows, hold, moment),
    };
    match outcome {
        Ok(Outcome::Happens(event, receipt)) => Decision { events: vec![event], reply: Ok(receipt) },
        Ok(Outcome::Repeated(receipt)) => Decision { events: Vec::new(), reply: Ok(receipt) },
        Err(refusal) => Decision { events: vec![Event::Refused { id: command.id(), refusal }], reply: Err(refusal) },
    }
}

fn open_account(rows: Rows<'_>, id: Id, rule: Rule) -> Result<Outcome, Refusal> {
    let receipt = Receipt::AccountOpened { id };
    match account(rows, id) {
        None => Ok(Outcome::Happens(Event::AccountOpened { id, rule }, receipt)),
        Some(earlier) if earlier.rule == rule => Ok(Outcome::Repeated(receipt)),
        Some(_) => Err(Refusal::IdTaken { id, field: Field::Rule }),
    }
}

fn close_account(rows: Rows<'_>, id: Id) -> Result<Outcome, Refusal> {
    let account = known_account(rows, id)?;
    let receipt = Receipt::AccountClosed { id };
    if account.closed {
        return Ok(Outcome::Repeated(receipt));
    }
    if !account.is_settled() {
        return Err(Refusal::AccountUnsettled {
            credit_balance: account.credit_balance(),
            debits_pending: account.debits_pending,
            credits_pending: account.credits_pending,
        });
    }
    Ok(Outcome::Happens(Event::AccountClosed { id }, receipt))
}

/// A transfer or a hold: `asked` is the row that it would make.
fn make_transfer(rows: Rows<'_>, asked: Transfer, moment: Moment) -> Result<Outcome, Refusal> {
    if asked.amount.is_zero() {
        return Err(Refusal::AmountZero);
    }
    if asked.debit == asked.credit {
        return Err(Refusal::SameAccount { account: asked.debit });
    }
    let Transfer { id, debit, credit, amount, expires_at, .. } = asked;
    let (event, receipt) = match asked.kind() {
        TransferKind::Single => (Event::Transferred { id, debit, credit, amount }, Receipt::Transferred { id, amount }),
        TransferKind::Hold => {
            (Event::Held { id, debit, credit, amount, expires_at }, Receipt::Held { id, amount, expires_at })
        }
    };
    if let Some(earlier) = transfer(rows, id) {
        return match asked.first_difference(earlier) {
            Some(field) => Err(Refusal::IdTaken { id, field }),
            None => Ok(Outcome::Repeated(receipt)),
        };
    }
    if let Some(expires_at) = expires_at
        && expires_at <= moment.now
    {
        return Err(Refusal::ExpiryNotAhead { expires_at, now: moment.now });
    }
    let (debited, credited) = (known_account(rows, debit)?, known_account(rows, credit)?);
    let leg = asked.first_leg();
    check(&leg, debited, credited).map_err(|unpostable| Refusal::of_leg(&leg, unpostable))?;
    Ok(Outcome::Happens(event, receipt))
}

fn post_hold(rows: Rows<'_>, id: Id, amount: Option<Yen>) -> Result<Outcome, Refusal> {
    if amount == Some(Yen::ZERO) {
        return Err(Refusal::AmountZero);
    }
    let row = known_hold(rows, id)?;
    let Transfer { debit, credit, amount: held, .. } = *row;
    let amount = amount.unwrap_or(held);
    let receipt = Receipt::HoldPosted { hold: id, amount, released: held.saturating_sub(amount) };
    if row.state == (TransferState::HoldPosted { amount }) {
        return Ok(Outcome::Repeated(receipt));
    }
    still_stands(row)?;
    let leg = row.leg(amount, Step::Post { held });
    let (debited, credited) = (known_account(rows, debit)?, known_account(rows, credit)?);
    check(&leg, debited, credited).map_err(|unpostable| Refusal::of_leg(&leg, unpostable))?;
    Ok(Outcome::Happens(Event::HoldPosted { hold: id, debit, credit, held, amount }, receipt))
}

fn void_hold(rows: Rows<'_>, id: Id) -> Result<Outcome, Refusal> {
    let row = known_hold(rows, id)?;
    let Transfer { debit, credit, amount: held, .. } = *row;
    let receipt = Receipt::HoldVoided { hold: id, released: held };
    if row.state == TransferState::Voided {
        return Ok(Outcome::Repeated(receipt));
    }
    still_stands(row)?;
    Ok(Outcome::Happens(Event::HoldVoided { hold: id, debit, credit, held }, receipt))
}

fn expire_hold(rows: Rows<'_>, id: Id, moment: Moment) -> Result<Outcome, Refusal> {
    let row = known_hold(rows, id)?;
    let Transfer { debit, credit, amount: held, expires_at, .. } = *row;
    let receipt = Receipt::HoldExpired { hold: id, released: held };
    if row.state == TransferState::Expired {
        return Ok(Outcome::Repeated(receipt));
    }
    still_stands(row)?;
    if moment.clock_drifted {
        return Err(Refusal::ClockDrifted);
    }
    if expires_at.is_none_or(|expires_at| moment.now < expires_at) {
        return Err(Refusal::HoldNotDue { expires_at, now: moment.now });
    }
    Ok(Outcome::Happens(Event::HoldExpired { hold: id, debit, credit, held }, receipt))
}

/// The hold `hold`, whether it stands or has ended.
fn known_hold(rows: Rows<'_>, hold: Id) -> Result<&Transfer, Refusal> {
    let row = transfer(rows, hold).ok_or(Refusal::HoldUnknown { hold })?;
    match row.kind() {
        TransferKind::Hold => Ok(row),
        TransferKind::Single => Err(Refusal::NotAHold { transfer: hold }),
    }
}

fn still_stands(row: &Transfer) -> Result<(), Refusal> {
    if row.state == TransferState::Held { Ok(()) } else { Err(Refusal::HoldEnded { hold: row.id, state: row.state }) }
}

fn known_account(rows: Rows<'_>, id: Id) -> Result<&Account, Refusal> {
    account(rows, id).ok_or(Refusal::AccountUnknown { account: id })
}

fn account(rows: Rows<'_>, id: Id) -> Option<&Account> {
    rows.row(account_key(id)).map(Row::account)
}

fn transfer(rows: Rows<'_>, id: Id) -> Option<&Transfer> {
    rows.row(transfer_key(id)).map(Row::transfer)
}
