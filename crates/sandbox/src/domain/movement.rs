//! Debits and credits by the caller's reference, their reversal, and what an inquiry is told.
//!
//! A reference is a movement for ever: asked again, the bank answers what it answered first. An inquiry for a reference
//! that the bank does not know starts a clock: once the business day of that inquiry is over the bank says that the
//! reference can no longer appear, and keeps its word by refusing it from then on.
//! Start reading at [`Movement`].

use super::account::{self, AccountNumber};
use super::bank::{Bank, BankCode, Booking};
use super::{Decided, Event as WorldEvent, Receipt, Refusal, Row, Rows, table};
use domain::{Day, Id, Key, Time};
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// The longest reference or descriptor, in bytes.
pub const REFERENCE_BYTES_MAX: usize = 64;

/// The direction of a movement, seen from the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// Out of the account.
    Debit,
    /// Into it.
    Credit,
}

impl Direction {
    /// The name that the connector speaks.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debit => "debit",
            Self::Credit => "credit",
        }
    }
}

/// How a movement ended: 0 for done, or why not, by the result codes of the account-transfer file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// 0: done.
    Settled,
    /// 1: too little money.
    InsufficientFunds,
    /// 2: no such account.
    NoAccount,
    /// 3: the depositor has stopped it.
    StoppedByDepositor,
    /// 8: stopped on the collector's side; here also a reference that the bank had given up.
    StoppedByCollector,
    /// 9: anything else.
    Other,
}

impl Outcome {
    /// The result code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Settled => 0,
            Self::InsufficientFunds => 1,
            Self::NoAccount => 2,
            Self::StoppedByDepositor => 3,
            Self::StoppedByCollector => 8,
            Self::Other => 9,
        }
    }

    /// The word that the connector speaks.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::InsufficientFunds
            | Self::NoAccount
            | Self::StoppedByDepositor
            | Self::StoppedByCollector
            | Self::Other => "declined",
        }
    }
}

/// Names a movement: bank, direction and the caller's reference.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reference {
    /// The bank.
    pub bank: BankCode,
    /// Debit or credit: each has references of its own.
    pub direction: Direction,
    /// The caller's reference.
    pub text: String,
}

impl Reference {
    /// The key of the movement's row.
    pub fn key(&self) -> Key {
        Key::new(table::MOVEMENT, self.id())
    }

    /// The key of the row that remembers since when the bank is asked in vain.
    pub fn inquiry_key(&self) -> Key {
        Key::new(table::INQUIRY, self.id())
    }

    fn id(&self) -> Id {
        super::hashed(
            "movement",
            &[&self.bank.number().to_be_bytes(), self.direction.name().as_bytes(), self.text.as_bytes()],
        )
    }
}

/// The key of the row that counts what a bank booked on a business day: the chain behind it is the day file.
pub fn day_key(bank: BankCode, day: Day) -> Key {
    let number = (u128::from(bank.number()) << 32) | u128::from(day.number().unsigned_abs());
    Key::new(table::DAY, Id::from_number(number))
}

/// A movement as the bank has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    /// Its name.
    pub reference: Reference,
    /// The account.
    pub account: AccountNumber,
    /// What was asked.
    pub amount: Yen,
    /// What was booked: another figure only by a fault.
    pub booked: Yen,
    /// How it ended.
    pub outcome: Outcome,
    /// What the statement shows.
    pub descriptor: String,
    /// When it was booked.
    pub at: Time,
    /// The business date that the bank gives it.
    pub day: Day,
    /// Before this no inquiry finds it.
    pub visible_at: Time,
    /// From this on the bank can answer.
    pub final_at: Time,
    /// The account's balance right after it.
    pub balance_after: i64,
    /// The bank took it back.
    pub reversed_at: Option<Time>,
    /// The gateway has been told of it, and of its way back if there was one.
    pub told: bool,
}

/// What a bank booked on one business day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayTotals {
    /// The bank.
    pub bank: BankCode,
    /// The business day.
    pub day: Day,
    /// How many movements.
    pub movements: u64,
}

/// What may be asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Debits or credits an account.
    Request {
        /// The caller's name for it.
        reference: Reference,
        /// The account.
        account: AccountNumber,
        /// How much.
        amount: Yen,
        /// What the statement is to show.
        descriptor: String,
        /// The business date that it counts on.
        day: Day,
        /// Whether a debit may borrow against the time deposit.
        may_overdraw: bool,
    },
    /// Remembers that somebody asked for a reference that is not known.
    Inquire {
        /// The reference.
        reference: Reference,
    },
    /// The bank takes a settled movement back.
    Reverse {
        /// Which one.
        reference: Reference,
        /// The business date that the way back counts on.
        day: Day,
    },
    /// The gateway has taken the callback.
    Tell {
        /// Of which movement.
        reference: Reference,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// A movement was booked, or declined.
    Decided(Box<Movement>),
    /// Somebody asked for it in vain for the first time.
    Missed {
        /// The reference.
        reference: Reference,
        /// When.
        at: Time,
    },
    /// It was taken back.
    Reversed {
        /// Which one.
        reference: Reference,
        /// Of which account.
        account: AccountNumber,
        /// What moved back.
        booked: Yen,
        /// When.
        at: Time,
        /// On which business day.
        day: Day,
        /// The account's balance right after it.
        balance_after: i64,
    },
    /// The gateway has taken the callback.
    Told {
        /// Of which movement.
        reference: Reference,
    },
}

impl Command {
    pub(super) fn keys(&self, keys: &mut Vec<Key>) {
        match self {
            Self::Request { reference, account, day, .. } => {
                let day = day_key(reference.bank, *day);
                keys.extend([reference.key(), reference.inquiry_key(), account.key(), reference.bank.key(), day]);
            }
            Self::Inquire { reference } => keys.extend([reference.key(), reference.inquiry_key()]),
            Self::Tell { reference } => keys.push(reference.key()),
            Self::Reverse { reference, day } => keys.extend([reference.key(), day_key(reference.bank, *day)]),
        }
    }

    pub(super) fn keys_further(&self, rows: Rows<'_>, keys: &mut Vec<Key>) {
        match self {
            Self::Request { .. } | Self::Inquire { .. } | Self::Tell { .. } => {}
            Self::Reverse { reference, .. } => {
                keys.extend(find(rows, reference).map(|movement| movement.account.key()));
            }
        }
    }
}

fn find<'a>(rows: Rows<'a>, reference: &Reference) -> Option<&'a Movement> {
    rows.row(reference.key()).map(Row::movement)
}

pub(super) fn decide(rows: Rows<'_>, command: &Command, now: Time) -> Decided {
    match command {
        Command::Request { .. } => request(rows, command, now),
        Command::Inquire { reference } => {
            if find(rows, reference).is_some() {
                return Ok((Vec::new(), Receipt::Done));
            }
            let known = rows.row(reference.inquiry_key()).map(Row::inquiry);
            let first_at = known.unwrap_or(now);
            let event = Event::Missed { reference: reference.clone(), at: now };
            let events = if known.is_none() { vec![WorldEvent::Movement(event)] } else { Vec::new() };
            Ok((events, Receipt::Missed { cut_off_passed: given_up(first_at, now) }))
        }
        Command::Tell { reference } => {
            let movement = find(rows, reference).ok_or(Refusal::MovementUnknown)?;
            let event = WorldEvent::Movement(Event::Told { reference: reference.clone() });
            Ok((if movement.told { Vec::new() } else { vec![event] }, Receipt::Done))
        }
        Command::Reverse { reference, day } => reverse(rows, reference, *day, now),
    }
}

/// Whether the bank has given up a reference that it was first asked for at `first_at`: that business day is over.
fn given_up(first_at: Time, now: Time) -> bool {
    now.day() > first_at.day()
}

fn request(rows: Rows<'_>, command: &Command, now: Time) -> Decided {
    let Command::Request { reference, account, amount, descriptor, day, may_overdraw } = command else {
        unreachable!("only requests come here")
    };
    let bank = rows.row(reference.bank.key()).map(Row::bank).ok_or(Refusal::BankUnknown)?;
    if let Some(earlier) = find(rows, reference) {
        let same = earlier.account == *account && earlier.amount == *amount;
        let receipt = || Receipt::Movement(Box::new(earlier.clone()));
        return if same { Ok((Vec::new(), receipt())) } else { Err(Refusal::ReferenceReused) };
    }
    if amount.is_zero() {
        return Err(Refusal::AmountZero);
    }
    let holder = account::find(rows, *account);
    let missed = rows.row(reference.inquiry_key()).map(Row::inquiry);
    let (outcome, booked) = if missed.is_some_and(|first_at| given_up(first_at, now)) {
        (Outcome::StoppedByCollector, *amount)
    } else {
        outcome_of(bank, holder, reference.direction, *amount, *may_overdraw)
    };
    let balance_after =
        balance_after(holder.map_or(0, |account| account.balance), reference.direction, outcome, booked);
    let final_at = now.plus_milliseconds(i64::from(bank.faults.late_seconds).saturating_mul(1_000));
    let hidden = i64::from(bank.faults.not_found_for_seconds).saturating_mul(1_000);
    let movement = Movement {
        reference: reference.clone(),
        account: *account,
        amount: *amount,
        booked,
        outcome,
        descriptor: descriptor.clone(),
        at: now,
        day: *day,
        visible_at: final_at.max(now.plus_milliseconds(hidden)),
        final_at,
        balance_after,
        reversed_at: None,
        told: false,
    };
    let receipt = Receipt::Movement(Box::new(movement.clone()));
    Ok((vec![WorldEvent::Movement(Event::Decided(Box::new(movement)))], receipt))
}

fn outcome_of(
    bank: &Bank,
    account: Option<&account::Account>,
    direction: Direction,
    asked: Yen,
    may_overdraw: bool,
) -> (Outcome, Yen) {
    let booked = match bank.faults.booking {
        Booking::OneYenMore => asked.checked_add(Yen::new(1)).unwrap_or(asked),
        Booking::AsAsked | Booking::CreditsRefused | Booking::CreditsTwice | Booking::CreditsUnmade => asked,
    };
    let Some(account) = account else { return (Outcome::NoAccount, asked) };
    match direction {
        Direction::Debit if account.debits_stopped => (Outcome::StoppedByDepositor, asked),
        Direction::Debit if account.available(may_overdraw) < booked.amount() => (Outcome::InsufficientFunds, asked),
        Direction::Credit if bank.faults.booking == Booking::CreditsRefused => (Outcome::Other, asked),
        Direction::Credit if account.balance.saturating_add(booked.amount()) > Yen::MAX.amount() => {
            (Outcome::Other, asked)
        }
        Direction::Debit | Direction::Credit => (Outcome::Settled, booked),
    }
}

fn balance_after(balance: i64, direction: Direction, outcome: Outcome, booked: Yen) -> i64 {
    match (outcome, direction) {
        (Outcome::Settled, Direction::Debit) => balance.saturating_sub(booked.amount()),
        (Outcome::Settled, Direction::Credit) => balance.saturating_add(booked.amount()),
        (
            Outcome::InsufficientFunds
            | Outcome::NoAccount
            | Outcome::StoppedByDepositor
            | Outcome::StoppedByCollector
            | Outcome::Other,
            Direction::Debit | Direction::Credit,
        ) => balance,
    }
}

fn reverse(rows: Rows<'_>, reference: &Reference, day: Day, now: Time) -> Decided {
    let movement = find(rows, reference).ok_or(Refusal::MovementUnknown)?;
    if movement.reversed_at.is_some() {
        return Ok((Vec::new(), Receipt::Movement(Box::new(movement.clone()))));
    }
    if movement.outcome != Outcome::Settled {
        return Err(Refusal::NotSettled);
    }
    let account = account::find(rows, movement.account).ok_or(Refusal::AccountUnknown)?;
    let back = match reference.direction {
        Direction::Debit => Direction::Credit,
        Direction::Credit => Direction::Debit,
    };
    let balance_after = balance_after(account.balance, back, Outcome::Settled, movement.booked);
    let event = Event::Reversed {
        reference: reference.clone(),
        account: movement.account,
        booked: movement.booked,
        at: now,
        day,
        balance_after,
    };
    let reversed = Movement { reversed_at: Some(now), told: false, ..movement.clone() };
    Ok((vec![WorldEvent::Movement(event)], Receipt::Movement(Box::new(reversed))))
}

pub(super) fn touches(event: &Event, keys: &mut Vec<Key>) {
    match event {
        Event::Decided(movement) => {
            keys.extend([movement.reference.key(), day_key(movement.reference.bank, movement.day)]);
            if movement.outcome == Outcome::Settled {
                keys.push(movement.account.key());
            }
        }
        Event::Missed { reference, .. } => keys.push(reference.inquiry_key()),
        Event::Told { reference } => keys.push(reference.key()),
        Event::Reversed { reference, account, day, .. } => {
            keys.extend([reference.key(), account.key(), day_key(reference.bank, *day)]);
        }
    }
}

pub(super) fn evolve(key: Key, row: &mut Option<Row>, event: &Event) {
    match event {
        Event::Decided(movement) => {
            if key.table == table::MOVEMENT {
                assert!(row.is_none(), "a reference is used once");
                *row = Some(Row::Movement(movement.clone()));
            } else if key.table == table::DAY {
                count_on_day(row, movement.reference.bank, movement.day);
            } else {
                set_balance(row, movement.balance_after);
            }
        }
        Event::Missed { at, .. } => *row = Some(Row::Inquiry { first_at: *at }),
        Event::Told { .. } => {
            let Some(Row::Movement(movement)) = row else { unreachable!("what was told of is there") };
            movement.told = true;
        }
        Event::Reversed { reference, at, day, balance_after, .. } => {
            if key.table == table::MOVEMENT {
                let Some(Row::Movement(movement)) = row else { unreachable!("what is reversed is there") };
                movement.reversed_at = Some(*at);
                movement.told = false;
            } else if key.table == table::DAY {
                count_on_day(row, reference.bank, *day);
            } else {
                set_balance(row, *balance_after);
            }
        }
    }
}

fn set_balance(row: &mut Option<Row>, balance: i64) {
    let Some(Row::Account(account)) = row else { unreachable!("money moves at an account that is there") };
    account.balance = balance;
}

fn count_on_day(row: &mut Option<Row>, bank: BankCode, day: Day) {
    let before = row.as_ref().map_or(0, |row| row.day().movements);
    *row = Some(Row::Day(DayTotals { bank, day, movements: before.saturating_add(1) }));
}
