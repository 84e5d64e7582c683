//! The outside world as a domain: banks with their accounts, the message inbox, the identity vendor. Pure: no clock, no
//! chance, no network.
//!
//! It is not part of the product's books. It is what the product's books are checked against: every yen that a bank
//! debits or credits stands here, whatever the answer on its way met with.
//! Each noun has a room: [`bank`], [`account`], [`movement`], [`authentication`], [`message`], [`identification`].

#![warn(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

pub mod account;
pub mod authentication;
pub mod bank;
pub mod identification;
pub mod message;
pub mod movement;

use domain::{Decision, Domain, Id, Key, Moment, State, TableSpec, Time, Value};
use serde::{Deserialize, Serialize};

/// The tables of [`World`].
pub mod table {
    use domain::Table;

    /// Banks.
    pub const BANK: Table = Table(0);
    /// Bank accounts.
    pub const ACCOUNT: Table = Table(1);
    /// Movements by reference.
    pub const MOVEMENT: Table = Table(2);
    /// References that were asked for in vain.
    pub const INQUIRY: Table = Table(3);
    /// A bank's business days.
    pub const DAY: Table = Table(4);
    /// Attempts to authenticate.
    pub const ATTEMPT: Table = Table(5);
    /// Messages.
    pub const MESSAGE: Table = Table(6);
    /// Inboxes.
    pub const INBOX: Table = Table(7);
    /// Identifications.
    pub const IDENTIFICATION: Table = Table(8);
    /// The vendor's script.
    pub const SCRIPT: Table = Table(9);
}

/// The outside world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct World;

/// The rows that a command named.
pub type Rows<'a> = &'a dyn State<Row>;

type Decided = Result<(Vec<Event>, Receipt), Refusal>;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Row {
    /// A bank.
    Bank(bank::Bank),
    /// An account.
    Account(Box<account::Account>),
    /// A movement.
    Movement(Box<movement::Movement>),
    /// Since when a reference is asked for in vain.
    Inquiry {
        /// The first time.
        first_at: Time,
    },
    /// A bank's business day.
    Day(movement::DayTotals),
    /// An attempt.
    Attempt(Box<authentication::Attempt>),
    /// A message that came.
    Message {
        /// When.
        at: Time,
    },
    /// An inbox.
    Inbox {
        /// How many messages it got.
        messages: u64,
    },
    /// An identification.
    Identification(Box<identification::Identification>),
    /// The vendor's script.
    Script(identification::Script),
}

/// What may be asked of the world.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Of a bank.
    Bank(bank::Command),
    /// Of an account.
    Account(account::Command),
    /// Of the money in it.
    Movement(movement::Command),
    /// Of somebody who says that it is theirs.
    Authentication(authentication::Command),
    /// Of the inbox.
    Message(message::Command),
    /// Of the identity vendor.
    Identification(identification::Command),
}

/// What happened in the world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// At a bank.
    Bank(bank::Event),
    /// At an account.
    Account(account::Event),
    /// To money.
    Movement(movement::Event),
    /// At an authentication.
    Authentication(authentication::Event),
    /// At the inbox.
    Message(message::Event),
    /// At the identity vendor.
    Identification(identification::Event),
}

/// What the world answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Receipt {
    /// Done; there is no more to say.
    Done,
    /// A movement, as the bank has it now.
    Movement(Box<movement::Movement>),
    /// The bank does not know the reference.
    Missed {
        /// It can no longer appear.
        cut_off_passed: bool,
    },
    /// How an attempt stands.
    Attempt(Box<authentication::Attempt>),
    /// How an identification stands.
    Identification(Box<identification::Identification>),
}

/// Why the world does not do it, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// No bank has this code.
    BankUnknown,
    /// The bank has no such account.
    AccountUnknown,
    /// The bank has this account already.
    AccountExists,
    /// No movement has this reference.
    MovementUnknown,
    /// No attempt has this id, or it waits for something else.
    AttemptUnknown,
    /// The vendor has no such identification.
    IdentificationUnknown,
    /// The reference was used for something else.
    ReferenceReused,
    /// Nothing cannot be moved.
    AmountZero,
    /// The movement was not settled: there is nothing to take back.
    NotSettled,
    /// A bank cannot ask for such sets of factors.
    FactorsUnusable,
    /// A fault or delay is beyond its bound.
    FaultsBeyondBound,
    /// A person's data is missing or too long.
    CustomerBeyondBound,
    /// A message is too long, or there are too many at once.
    MessageBeyondBound,
}

/// The id of what is known by `parts`; `purpose` keeps kinds apart.
pub fn hashed(purpose: &str, parts: &[&[u8]]) -> Id {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"kinchaku sandbox\0").update(purpose.as_bytes()).update(&[0]);
    for part in parts {
        hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes()).update(part);
    }
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    Id(id)
}

/// Gives the row of one kind; another kind in its table is our own bug.
macro_rules! of_kind {
    ($name:ident, $variant:pat => $value:expr, $kind:ty) => {
        pub(crate) fn $name(&self) -> $kind {
            let $variant = self else { unreachable!("a row lies in the table of its kind: {self:?}") };
            $value
        }
    };
}

impl Row {
    of_kind!(bank, Self::Bank(bank) => bank, &bank::Bank);
    of_kind!(account, Self::Account(account) => account, &account::Account);
    of_kind!(movement, Self::Movement(movement) => movement, &movement::Movement);
    of_kind!(inquiry, Self::Inquiry { first_at } => *first_at, Time);
    of_kind!(day, Self::Day(totals) => totals, &movement::DayTotals);
    of_kind!(attempt, Self::Attempt(attempt) => attempt, &authentication::Attempt);
    of_kind!(inbox, Self::Inbox { messages } => *messages, u64);
    of_kind!(identification, Self::Identification(found) => found, &identification::Identification);
    of_kind!(script, Self::Script(script) => *script, identification::Script);
}

impl Domain for World {
    type Command = Command;
    type Context = ();
    type Row = Row;
    type Event = Event;
    type Receipt = Receipt;
    type Refusal = Refusal;

    const NAME: &'static str = "sandbox";
    const VOCABULARY: u32 = 150;
    const TABLES: &'static [TableSpec] = &[
        TableSpec { name: "bank", columns: &["code"] },
        TableSpec { name: "account", columns: &["bank", "branch", "number", "balance", "web_failures"] },
        TableSpec { name: "movement", columns: &["bank", "direction", "amount", "booked", "outcome"] },
        TableSpec { name: "inquiry", columns: &["first_at"] },
        TableSpec { name: "day", columns: &["bank", "day", "movements"] },
        TableSpec { name: "attempt", columns: &["bank", "tries"] },
        TableSpec { name: "message", columns: &["at"] },
        TableSpec { name: "inbox", columns: &["messages"] },
        TableSpec { name: "identification", columns: &["at"] },
        TableSpec { name: "script", columns: &[] },
    ];

    fn keys(command: &Command, keys: &mut Vec<Key>) {
        match command {
            Command::Bank(command) => keys.push(command.bank().key()),
            Command::Account(command) => keys.extend([command.number().key(), command.number().bank.key()]),
            Command::Movement(command) => command.keys(keys),
            Command::Authentication(command) => command.keys(keys),
            Command::Message(command) => command.keys(keys),
            Command::Identification(command) => command.keys(keys),
        }
    }

    fn keys_further(command: &Command, rows: Rows<'_>, keys: &mut Vec<Key>) {
        match command {
            Command::Movement(command) => command.keys_further(rows, keys),
            Command::Authentication(command) => command.keys_further(rows, keys),
            Command::Bank(_) | Command::Account(_) | Command::Message(_) | Command::Identification(_) => {}
        }
    }

    fn decide(rows: Rows<'_>, command: &Command, moment: Moment, (): &()) -> Decision<Self> {
        let decided = match command {
            Command::Bank(command) => bank::decide(rows, command, moment.now),
            Command::Account(command) => account::decide(rows, command),
            Command::Movement(command) => movement::decide(rows, command, moment.now),
            Command::Authentication(command) => authentication::decide(rows, command, moment.now),
            Command::Message(command) => message::decide(rows, command, moment.now),
            Command::Identification(command) => identification::decide(rows, command, moment.now),
        };
        match decided {
            Ok((events, receipt)) => Decision { events, reply: Ok(receipt) },
            Err(refusal) => Decision { events: Vec::new(), reply: Err(refusal) },
        }
    }

    fn touches(event: &Event, keys: &mut Vec<Key>) {
        match event {
            Event::Bank(event) => bank::touches(event, keys),
            Event::Account(event) => account::touches(event, keys),
            Event::Movement(event) => movement::touches(event, keys),
            Event::Authentication(event) => authentication::touches(event, keys),
            Event::Message(event) => message::touches(event, keys),
            Event::Identification(event) => identification::touches(event, keys),
        }
    }

    fn evolve(key: Key, row: &mut Option<Row>, event: &Event) {
        match event {
            Event::Bank(event) => bank::evolve(row, event),
            Event::Account(event) => account::evolve(row, event),
            Event::Movement(event) => movement::evolve(key, row, event),
            Event::Authentication(event) => authentication::evolve(key, row, event),
            Event::Message(event) => message::evolve(key, row, event),
            Event::Identification(event) => identification::evolve(row, event),
        }
    }

    fn assert_decided(events: &[Event], after: Rows<'_>) {
        for event in events {
            let Event::Movement(movement::Event::Decided(movement)) = event else { continue };
            let Some(account) = account::find(after, movement.account) else { continue };
            let debit = movement.reference.direction == movement::Direction::Debit;
            if debit && movement.outcome == movement::Outcome::Settled {
                assert!(account.available(true) >= 0, "no debit takes more than there is");
            }
        }
    }

    fn columns(row: &Row, values: &mut Vec<Value>) {
        let count = |number: u64| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
        let bank = |code: bank::BankCode| Value::Integer(code.number().into());
        let time = |time: Time| Value::Integer(time.milliseconds());
        match row {
            Row::Bank(row) => values.push(bank(row.code)),
            Row::Account(row) => values.extend([
                bank(row.number.bank),
                Value::Integer(row.number.branch.into()),
                Value::Integer(row.number.number.into()),
                Value::Integer(row.balance),
                Value::Integer(row.web_failures.into()),
            ]),
            Row::Movement(row) => values.extend([
                bank(row.reference.bank),
                Value::Text(row.reference.direction.name()),
                Value::Integer(row.amount.amount()),
                Value::Integer(row.booked.amount()),
                Value::Text(row.outcome.name()),
            ]),
            Row::Inquiry { first_at } => values.push(time(*first_at)),
            Row::Day(row) => {
                values.extend([bank(row.bank), Value::Integer(row.day.number().into()), count(row.movements)]);
            }
            Row::Attempt(row) => values.extend([bank(row.account.bank), Value::Integer(row.tries.into())]),
            Row::Message { at } => values.push(time(*at)),
            Row::Inbox { messages } => values.push(count(*messages)),
            Row::Identification(row) => values.push(time(row.at)),
            Row::Script(_) => {}
        }
    }

    fn command_name(command: &Command) -> &'static str {
        match command {
            Command::Bank(bank::Command::SetFactors { .. }) => "bank.set_factors",
            Command::Bank(bank::Command::SetFaults { .. }) => "bank.set_faults",
            Command::Account(account::Command::Open { .. }) => "account.open",
            Command::Account(account::Command::Unlock { .. }) => "account.unlock",
            Command::Account(account::Command::StopDebits { .. }) => "account.stop_debits",
            Command::Movement(movement::Command::Request { .. }) => "movement.request",
            Command::Movement(movement::Command::Inquire { .. }) => "movement.inquire",
            Command::Movement(movement::Command::Reverse { .. }) => "movement.reverse",
            Command::Movement(movement::Command::Tell { .. }) => "movement.tell",
            Command::Authentication(authentication::Command::Try { .. }) => "authentication.try",
            Command::Authentication(authentication::Command::Approve { .. }) => "authentication.approve",
            Command::Message(message::Command::Receive(_)) => "message.receive",
            Command::Identification(identification::Command::SetScript(_)) => "identification.set_script",
            Command::Identification(identification::Command::Begin { .. }) => "identification.begin",
            Command::Identification(identification::Command::Conclude { .. }) => "identification.conclude",
        }
    }
}
