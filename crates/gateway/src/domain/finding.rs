//! Findings: what a bank's day file has and the ledger has not. The bank says that it debited somebody in our name, and nobody
//! here asked for it.
//!
//! One stands on the bank's pages of open work until somebody of the gateway's desk says what became of it: no later file and
//! no restart takes it away, and the same file read once more finds nothing new.

use super::bank::shortened;
use super::ids::{BankCode, FindingId, StaffId};
use super::open::{self, Thing};
use super::refusal::{Noun, Refusal};
use super::state::{Decided, Rows, finding_key, wrong_row};
use super::{Event as Fact, Receipt, Row, table};
use domain::{Day, Key, Moment, Time, Value};
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// In whose file.
    pub bank: BankCode,
    /// Of which day.
    pub day: Day,
    /// How much the record is about.
    pub amount: Yen,
    /// How much of that the bank says that it moved.
    pub moved: Yen,
    /// When it was found.
    pub found: Time,
    /// What became of it, once somebody has said so.
    pub resolution: Option<Resolution>,
}

/// What somebody said of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// Who.
    pub by: StaffId,
    /// What.
    pub reason: String,
    /// When.
    pub at: Time,
}

/// What is asked of findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A record is no movement of ours.
    Find {
        /// Its id: the same record of the same file has the same one.
        finding: FindingId,
        /// In whose file.
        bank: BankCode,
        /// Of which day.
        day: Day,
        /// How much the record is about.
        amount: Yen,
        /// How much of that the bank says that it moved.
        moved: Yen,
    },
    /// Somebody says what became of it.
    Resolve {
        /// Which.
        finding: FindingId,
        /// Who.
        by: StaffId,
        /// What.
        reason: String,
    },
}

/// What happened to findings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// One was found.
    Found {
        /// Its id.
        finding: FindingId,
        /// What it is.
        row: Finding,
    },
    /// Somebody said what became of it.
    Resolved {
        /// Which.
        finding: FindingId,
        /// In whose file it was.
        bank: BankCode,
        /// What.
        resolution: Resolution,
    },
}

pub(crate) fn keys(command: &Command, keys: &mut Vec<Key>) {
    match command {
        Command::Find { finding, bank, .. } => {
            keys.extend([finding_key(*finding), Thing::Finding(*finding).page_key(*bank)]);
        }
        Command::Resolve { finding, .. } => keys.push(finding_key(*finding)),
    }
}

pub(crate) fn keys_further(command: &Command, rows: Rows<'_>, keys: &mut Vec<Key>) {
    match command {
        Command::Find { .. } => {}
        Command::Resolve { finding, .. } => {
            keys.extend(rows.finding(*finding).map(|row| Thing::Finding(*finding).page_key(row.bank)));
        }
    }
}

/// Refusals: no room; there is no such finding; it is resolved already. What was found before needs nothing more.
pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment) -> Decided {
    let at = moment.now;
    let event = match command {
        Command::Find { finding, bank, day, amount, moved } => {
            if rows.finding(*finding).is_some() {
                return Ok((Vec::new(), Receipt::Done));
            }
            rows.check_room(Thing::Finding(*finding), *bank)?;
            let (bank, day, amount, moved) = (*bank, *day, *amount, *moved);
            Event::Found { finding: *finding, row: Finding { bank, day, amount, moved, found: at, resolution: None } }
        }
        Command::Resolve { finding, by, reason } => {
            let row = rows.finding(*finding).ok_or(Refusal::Unknown { noun: Noun::Finding })?;
            let (by, reason) = (*by, shortened(reason));
            match &row.resolution {
                Some(known) if known.by == by && known.reason == reason => return Ok((Vec::new(), Receipt::Done)),
                Some(_) => return Err(Refusal::WrongStatus { noun: Noun::Finding, status: "resolved".into() }),
                None => {
                    let resolution = Resolution { by, reason, at };
                    Event::Resolved { finding: *finding, bank: row.bank, resolution }
                }
            }
        }
    };
    Ok((vec![Fact::Finding(event)], Receipt::Done))
}

impl Event {
    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        let (finding, bank) = match self {
            Self::Found { finding, row } => (*finding, row.bank),
            Self::Resolved { finding, bank, .. } => (*finding, *bank),
        };
        each(finding_key(finding));
        each(Thing::Finding(finding).page_key(bank));
    }

    pub(crate) fn evolve(&self, key: Key, row: &mut Option<Row>) {
        match self {
            Self::Found { finding, .. } if key.table == table::OPEN => open::add(key, row, Thing::Finding(*finding)),
            Self::Resolved { finding, .. } if key.table == table::OPEN => {
                open::remove(key, row, Thing::Finding(*finding));
            }
            Self::Found { row: found, .. } => *row = Some(Row::Finding(Box::new(found.clone()))),
            Self::Resolved { resolution, .. } => {
                let Some(Row::Finding(finding)) = row else { wrong_row(key) };
                finding.resolution = Some(resolution.clone());
            }
        }
    }
}

impl Finding {
    pub(crate) fn columns(&self) -> [Value; 4] {
        [
            Value::Integer(i64::from(self.bank.number())),
            Value::Integer(self.moved.amount()),
            Value::Integer(self.found.milliseconds()),
            self.resolution.as_ref().map_or(Value::Null, |resolution| Value::Integer(resolution.at.milliseconds())),
        ]
    }
}
