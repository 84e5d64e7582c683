//! The bare ledger as a domain of its own: accounts, transfers and holds, without wallets. Here are its rows and how
//! the contract's functions find their way; what a command does is in `decide.rs`, what an event does in `evolve.rs`.

use crate::account::{Account, Rule};
use crate::command::{Command, Receipt};
use crate::decide::decide;
use crate::event::{Event, Movement};
use crate::evolve;
use crate::refusal::Refusal;
use crate::transfer::Transfer;
use domain::{Decision, Domain, Id, Key, Moment, State, Table, TableSpec, Value};
use serde::{Deserialize, Serialize};

pub(crate) const ACCOUNT: Table = Table(0);
pub(crate) const TRANSFER: Table = Table(1);

/// The bare ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ledger;

/// One row of the bare ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Row {
    /// Of table `account`; its id is the row's.
    Account(Account),
    /// Of table `transfer`.
    Transfer(Transfer),
}

// Rows and events are copied in every batch; a larger one is a choice to be made knowingly.
const ROW_BYTES_MAX: usize = 96;
const EVENT_BYTES_MAX: usize = 80;
const _: () = assert!(size_of::<Row>() <= ROW_BYTES_MAX && size_of::<Event>() <= EVENT_BYTES_MAX);

/// The key of an account's row.
pub const fn account_key(id: Id) -> Key {
    Key::new(ACCOUNT, id)
}

/// The key of a transfer's row.
pub const fn transfer_key(id: Id) -> Key {
    Key::new(TRANSFER, id)
}

impl Row {
    pub(crate) fn account(&self) -> &Account {
        match self {
            Self::Account(account) => account,
            Self::Transfer(_) => foreign_row(self),
        }
    }

    pub(crate) fn transfer(&self) -> &Transfer {
        match self {
            Self::Transfer(transfer) => transfer,
            Self::Account(_) => foreign_row(self),
        }
    }
}

#[expect(clippy::panic, reason = "a row lies in the table of its kind: our own bug")]
fn foreign_row(row: &Row) -> ! {
    panic!("row lies in the other table: {row:?}")
}

impl Domain for Ledger {
    type Command = Command;
    type Context = ();
    type Row = Row;
    type Event = Event;
    type Receipt = Receipt;
    type Refusal = Refusal;

    const NAME: &'static str = "ledger";
    const VOCABULARY: u32 = 56;
    const TABLES: &'static [TableSpec] = &[
        TableSpec {
            name: "account",
            columns: &["rule", "closed", "debits_pending", "debits_posted", "credits_pending", "credits_posted"],
        },
        TableSpec { name: "transfer", columns: &["debit", "credit", "amount", "state"] },
    ];

    fn keys(command: &Command, keys: &mut Vec<Key>) {
        match *command {
            Command::OpenAccount { id, .. } | Command::CloseAccount { id } => keys.push(account_key(id)),
            Command::Transfer { id, debit, credit, .. } | Command::Hold { id, debit, credit, .. } => {
                keys.extend([account_key(debit), account_key(credit), transfer_key(id)]);
            }
            Command::PostHold { hold, .. } | Command::VoidHold { hold } | Command::ExpireHold { hold } => {
                keys.push(transfer_key(hold));
            }
        }
    }

    fn keys_further(command: &Command, state: &dyn State<Row>, keys: &mut Vec<Key>) {
        match *command {
            Command::OpenAccount { .. }
            | Command::CloseAccount { .. }
            | Command::Transfer { .. }
            | Command::Hold { .. } => {}
            Command::PostHold { hold, .. } | Command::VoidHold { hold } | Command::ExpireHold { hold } => {
                if let Some(Transfer { debit, credit, .. }) = state.row(transfer_key(hold)).map(Row::transfer) {
                    keys.extend([account_key(*debit), account_key(*credit)]);
                }
            }
        }
    }

    fn decide(state: &dyn State<Row>, command: &Command, moment: Moment, (): &()) -> Decision<Self> {
        decide(state, command, moment)
    }

    fn touches(event: &Event, keys: &mut Vec<Key>) {
        if let Some(Movement { transfer, leg }) = event.movement() {
            return keys.extend([account_key(leg.debit.owner), account_key(leg.credit.owner), transfer_key(transfer)]);
        }
        match *event {
            Event::AccountOpened { id, .. } | Event::AccountClosed { id } => keys.push(account_key(id)),
            Event::Transferred { .. }
            | Event::Held { .. }
            | Event::HoldPosted { .. }
            | Event::HoldVoided { .. }
            | Event::HoldExpired { .. }
            | Event::Refused { .. } => {}
        }
    }

    fn evolve(key: Key, row: &mut Option<Row>, event: &Event) {
        evolve::evolve(key, row, event);
    }

    fn assert_decided(events: &[Event], after: &dyn State<Row>) {
        evolve::assert_decided(events, after);
    }

    fn columns(row: &Row, values: &mut Vec<Value>) {
        match row {
            Row::Account(account) => values.extend([
                Value::Text(account.rule.name()),
                Value::Integer(account.closed.into()),
                Value::Integer(account.debits_pending.amount()),
                Value::Integer(account.debits_posted.amount()),
                Value::Integer(account.credits_pending.amount()),
                Value::Integer(account.credits_posted.amount()),
            ]),
            Row::Transfer(transfer) => values.extend([
                Value::Id(transfer.debit),
                Value::Id(transfer.credit),
                Value::Integer(transfer.amount.amount()),
                Value::Text(transfer.state.name()),
            ]),
        }
    }

    fn command_name(command: &Command) -> &'static str {
        command.name()
    }
}

impl Rule {
    /// The fixed name that an operator sees.
    const fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::DebitsNeverExceedCredits => "debits_never_exceed_credits",
            Self::CreditsNeverExceedDebits => "credits_never_exceed_debits",
        }
    }
}
