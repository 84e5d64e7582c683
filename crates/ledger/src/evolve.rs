//! What an event does to one row. Nothing is decided here: the event holds the facts, and every assert is of
//! something that decide promised.

use crate::account::Account;
use crate::event::{Event, Movement, account_id};
use crate::ledger::{ACCOUNT, Row, TRANSFER, account_key, transfer_key};
use crate::transfer::{Transfer, TransferState};
use domain::{Id, Key, State};

/// A command comes to one event at most: what it did, or that it was refused.
const EVENTS_A_COMMAND_MAX: usize = 1;

pub(crate) fn evolve(key: Key, row: &mut Option<Row>, event: &Event) {
    match key.table {
        ACCOUNT => evolve_account(key.id, row, event),
        TRANSFER => evolve_transfer(key.id, row, event),
        _ => not_of_the_row(key, event),
    }
}

fn evolve_account(id: Id, row: &mut Option<Row>, event: &Event) {
    if let Some(Movement { leg, .. }) = event.movement() {
        return account_mut(id, row, event).apply(account_id(id), &leg);
    }
    match *event {
        Event::AccountOpened { id: opened, rule } => {
            assert!(opened == id && row.is_none(), "account {id} is opened anew by {event:?}: {row:?}");
            *row = Some(Row::Account(Account::new(rule)));
        }
        Event::AccountClosed { id: closed } => {
            let account = account_mut(id, row, event);
            assert!(closed == id && !account.closed && account.is_settled(), "{event:?} closes {account:?}");
            account.closed = true;
        }
        Event::Transferred { .. }
        | Event::Held { .. }
        | Event::HoldPosted { .. }
        | Event::HoldVoided { .. }
        | Event::HoldExpired { .. }
        | Event::Refused { .. } => not_of_the_row(Key::new(ACCOUNT, id), event),
    }
}

fn evolve_transfer(id: Id, row: &mut Option<Row>, event: &Event) {
    match *event {
        Event::Transferred { id: made, debit, credit, amount } => {
            assert!(made == id && row.is_none(), "transfer {id} is made anew by {event:?}: {row:?}");
            let state = TransferState::Posted;
            *row = Some(Row::Transfer(Transfer { id, debit, credit, amount, state, expires_at: None }));
        }
        Event::Held { id: made, debit, credit, amount, expires_at } => {
            assert!(made == id && row.is_none(), "transfer {id} is made anew by {event:?}: {row:?}");
            let state = TransferState::Held;
            *row = Some(Row::Transfer(Transfer { id, debit, credit, amount, state, expires_at }));
        }
        Event::HoldPosted { amount, .. } => end_hold(id, row, event, TransferState::HoldPosted { amount }),
        Event::HoldVoided { .. } => end_hold(id, row, event, TransferState::Voided),
        Event::HoldExpired { .. } => end_hold(id, row, event, TransferState::Expired),
        Event::AccountOpened { .. } | Event::AccountClosed { .. } | Event::Refused { .. } => {
            not_of_the_row(Key::new(TRANSFER, id), event)
        }
    }
}

fn end_hold(id: Id, row: &mut Option<Row>, event: &Event, state: TransferState) {
    let (Some(Row::Transfer(hold)), Some(Movement { transfer, leg })) = (row, event.movement()) else {
        not_of_the_row(Key::new(TRANSFER, id), event)
    };
    assert!(transfer == id && hold.state == TransferState::Held, "{event:?} ends a hold that does not stand: {hold:?}");
    let same = (hold.debit, hold.credit, hold.amount) == (leg.debit.owner, leg.credit.owner, leg.pending_before());
    assert!(same && leg.amount <= hold.amount, "{event:?} is not of {hold:?}");
    hold.state = state;
}

fn account_mut<'a>(id: Id, row: &'a mut Option<Row>, event: &Event) -> &'a mut Account {
    match row {
        Some(Row::Account(account)) => account,
        Some(Row::Transfer(_)) | None => not_of_the_row(Key::new(ACCOUNT, id), event),
    }
}

#[expect(clippy::panic, reason = "an event is only applied to the rows that it touches: our own bug")]
fn not_of_the_row(key: Key, event: &Event) -> ! {
    panic!("{event:?} does not change the row at {key:?}")
}

/// Asserts across rows what one command's `events` must have kept; `after` has them applied.
pub(crate) fn assert_decided(events: &[Event], after: &dyn State<Row>) {
    assert!(events.len() <= EVENTS_A_COMMAND_MAX, "one command came to {events:?}");
    for event in events {
        let Some(Movement { transfer, leg }) = event.movement() else { continue };
        leg.assert_balanced();
        for id in [leg.debit, leg.credit] {
            let account = after.row(account_key(id.owner)).map(Row::account);
            account.expect("a movement is between accounts that exist").assert_rule(id);
        }
        let row = after.row(transfer_key(transfer)).map(Row::transfer);
        let row = row.expect("a movement is of a transfer that exists");
        assert!(row.debit == leg.debit.owner && row.credit == leg.credit.owner, "{event:?} is not of {row:?}");
    }
}
