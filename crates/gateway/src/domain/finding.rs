//! Findings: what a bank's papers of a day have and the ledger has not. The bank says that it debited or credited somebody in our
//! name, and nobody here asked for it, or not twice.
//!
//! One stands on the bank's pages of findings until somebody of the gateway's desk says what became of it: no later file and
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

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum About {
    /// A debit, in the day file.
    Debit,
    /// A credit, in the statement of credits.
    Credit,
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was found.
    pub record: Record,
    /// What it is about.
    pub about: About,
    /// What became of it, once somebody has said so.
    pub resolution: Option<Resolution>,
}

/// A record that is no movement of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
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
    /// Nothing: what became of it came to stand beside the record, and stored events have this place.
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
        /// What the record is about.
        about: About,
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
    /// One was found, as journals had it before findings had pages of their own: it is listed among all that is open.
    Found {
        /// Its id.
        finding: FindingId,
        /// What it is.
        row: Record,
    },
    /// Somebody said what became of one that is listed among all that is open.
    Resolved {
        /// Which.
        finding: FindingId,
        /// In whose file it was.
        bank: BankCode,
        /// What.
        resolution: Resolution,
    },
    /// One was found, and is listed on the pages of findings.
    FoundApart {
        /// Its id.
        finding: FindingId,
        /// What it is.
        row: Record,
    },
    /// Somebody said what became of one that is listed on the pages of findings.
    ResolvedApart {
        /// Which.
        finding: FindingId,
        /// In whose file it was.
        bank: BankCode,
        /// What.
        resolution: Resolution,
    },
    /// One was found, about a credit.
    FoundCredit {
        /// Its id.
        finding: FindingId,
        /// What it is.
        record: Record,
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
            keys.extend(rows.finding(*finding).into_iter().flat_map(|row| pages(*finding, row.record.bank)));
        }
    }
}

/// The page that lists `finding` now, and the one that did before findings had pages of their own.
fn pages(finding: FindingId, bank: BankCode) -> [Key; 2] {
    [Thing::Finding(finding).page_key(bank), open::page_before(finding.0, bank)]
}

/// Refusals: no room; there is no such finding; it is resolved already. What was found before needs nothing more.
pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment) -> Decided {
    let at = moment.now;
    let event = match command {
        Command::Find { finding, bank, day, amount, moved, about } => {
            if rows.finding(*finding).is_some() {
                return Ok((Vec::new(), Receipt::Done));
            }
            rows.check_room(Thing::Finding(*finding), *bank)?;
            let (bank, day, amount, moved) = (*bank, *day, *amount, *moved);
            let (finding, record) = (*finding, Record { bank, day, amount, moved, found: at, resolution: None });
            match about {
                About::Debit => Event::FoundApart { finding, row: record },
                About::Credit => Event::FoundCredit { finding, record },
            }
        }
        Command::Resolve { finding, by, reason } => {
            let row = rows.finding(*finding).ok_or(Refusal::Unknown { noun: Noun::Finding })?;
            let (by, reason) = (*by, shortened(reason));
            match &row.resolution {
                Some(known) if known.by == by && known.reason == reason => return Ok((Vec::new(), Receipt::Done)),
                Some(_) => return Err(Refusal::WrongStatus { noun: Noun::Finding, status: "resolved".into() }),
                None => {
                    let (finding, bank, resolution) = (*finding, row.record.bank, Resolution { by, reason, at });
                    let [apart, _] = pages(finding, bank);
                    if rows.lists(apart, Thing::Finding(finding)) {
                        Event::ResolvedApart { finding, bank, resolution }
                    } else {
                        Event::Resolved { finding, bank, resolution }
                    }
                }
            }
        }
    };
    Ok((vec![Fact::Finding(event)], Receipt::Done))
}

impl Event {
    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        let (finding, bank, is_apart) = match self {
            Self::Found { finding, row } => (*finding, row.bank, false),
            Self::Resolved { finding, bank, .. } => (*finding, *bank, false),
            Self::FoundApart { finding, row: record } | Self::FoundCredit { finding, record } => {
                (*finding, record.bank, true)
            }
            Self::ResolvedApart { finding, bank, .. } => (*finding, *bank, true),
        };
        let [apart, before] = pages(finding, bank);
        each(finding_key(finding));
        each(if is_apart { apart } else { before });
    }

    pub(crate) fn evolve(&self, key: Key, row: &mut Option<Row>) {
        match self {
            Self::Found { finding, .. } | Self::FoundApart { finding, .. } | Self::FoundCredit { finding, .. }
                if key.table == table::OPEN =>
            {
                open::add(key, row, Thing::Finding(*finding));
            }
            Self::Resolved { finding, .. } | Self::ResolvedApart { finding, .. } if key.table == table::OPEN => {
                open::remove(key, row, Thing::Finding(*finding));
            }
            Self::Found { row: record, .. } | Self::FoundApart { row: record, .. } => {
                *row = Some(Row::Finding(Box::new(record.found_about(About::Debit))));
            }
            Self::FoundCredit { record, .. } => {
                *row = Some(Row::Finding(Box::new(record.found_about(About::Credit))));
            }
            Self::Resolved { resolution, .. } | Self::ResolvedApart { resolution, .. } => {
                let Some(Row::Finding(finding)) = row else { wrong_row(key) };
                finding.resolution = Some(resolution.clone());
            }
        }
    }
}

impl Record {
    fn found_about(&self, about: About) -> Finding {
        Finding { record: self.clone(), about, resolution: None }
    }
}

impl Finding {
    pub(crate) fn columns(&self) -> [Value; 4] {
        [
            Value::Integer(i64::from(self.record.bank.number())),
            Value::Integer(self.record.moved.amount()),
            Value::Integer(self.record.found.milliseconds()),
            self.resolution.as_ref().map_or(Value::Null, |resolution| Value::Integer(resolution.at.milliseconds())),
        ]
    }
}
