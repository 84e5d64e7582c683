//! Comparisons: up to which day the day files of a bank were compared with the ledger, and which of those files are still to
//! be had.
//!
//! It stands in a row, so that after days without us each of them is compared, one after the other. A file that cannot be read,
//! is none of ours or stays away, is put aside and stands among the findings: the days after it are compared meanwhile, and it is asked
//! for until it comes or somebody of the gateway's desk says why it never will.

use super::bank::shortened;
use super::finding::Resolution;
use super::ids::{BankCode, StaffId};
use super::refusal::{Noun, Refusal};
use super::state::{Decided, Rows, comparison_key, wrong_row};
use super::{Event as Fact, Receipt, Row};
use domain::{Day, Key, Moment, Time, Value};
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// Files of one bank that are put aside and waited for, at most. When there are more, the days after them wait.
pub const ASIDE_MAX: usize = 366;

/// How far a bank's day files are compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// Every day up to this one was compared, or put aside.
    pub until: Day,
    /// The files that are put aside, by day.
    pub aside: Vec<Aside>,
    /// How the last one compared.
    pub last: Option<Compared>,
}

/// A day whose file is still to be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aside {
    /// Which day.
    pub day: Day,
    /// What it lacks.
    pub lack: Lack,
    /// Since when it is a finding.
    pub found: Time,
    /// Why it is waited for no longer, once somebody has said so.
    pub resolution: Option<Resolution>,
}

/// Why a day's file could not be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Lack {
    /// It is not there.
    Missing,
    /// It is there, and cannot be read to its last record.
    Unreadable,
    /// It has more that nobody here asked for than a file of ours can have.
    Foreign,
}

impl Lack {
    /// The word as the API names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "file_missing",
            Self::Unreadable => "file_unreadable",
            Self::Foreign => "file_foreign",
        }
    }
}

/// How a bank's day file compared with the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// Of which day.
    pub day: Day,
    /// Records in the file, and in the statements of credits that go with it.
    pub records: u64,
    /// Yen that it says were debited.
    pub settled: Yen,
    /// Records that are no movement of ours, or not of that amount: each is a finding, which the desk resolves.
    pub strangers: u64,
    /// What the ledger has as settled that day, and the file, or the statement of credits, lacks.
    pub missing: u64,
    /// Debits without an answer that the file ended by lacking them.
    pub absent: u64,
}

impl Compared {
    /// Adds how another paper of the same comparison did.
    pub fn add(&mut self, other: &Self) {
        self.records = self.records.saturating_add(other.records);
        self.settled = self.settled.checked_add(other.settled).unwrap_or(Yen::MAX);
        self.strangers = self.strangers.saturating_add(other.strangers);
        self.missing = self.missing.saturating_add(other.missing);
        self.absent = self.absent.saturating_add(other.absent);
    }
}

/// What is asked of comparisons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The files of a bank are compared from this day on, if they were not before.
    Begin {
        /// Which bank.
        bank: BankCode,
        /// The first day.
        day: Day,
    },
    /// A day's file was compared.
    Compare {
        /// Whose file.
        bank: BankCode,
        /// How.
        compared: Compared,
    },
    /// A day's file cannot be had now: it is a finding, and the days after it go on.
    PutAside {
        /// Whose file.
        bank: BankCode,
        /// Of which day.
        day: Day,
        /// What it lacks.
        lack: Lack,
    },
    /// Somebody says why a file that was put aside is waited for no longer.
    GiveUp {
        /// Whose file.
        bank: BankCode,
        /// Of which day.
        day: Day,
        /// Who.
        by: StaffId,
        /// Why.
        reason: String,
    },
}

/// What happened to comparisons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The files of a bank are compared from this day on.
    Begun {
        /// Which bank.
        bank: BankCode,
        /// The first day.
        day: Day,
    },
    /// A day's file was compared.
    Compared {
        /// Whose file.
        bank: BankCode,
        /// How.
        compared: Compared,
    },
    /// A day's file was put aside.
    PutAside {
        /// Whose file.
        bank: BankCode,
        /// Which.
        aside: Aside,
    },
    /// It is waited for no longer.
    GivenUp {
        /// Whose file.
        bank: BankCode,
        /// Of which day.
        day: Day,
        /// Who said so, why and when.
        resolution: Resolution,
    },
}

pub(crate) fn keys(command: &Command, keys: &mut Vec<Key>) {
    keys.push(comparison_key(match command {
        Command::Begin { bank, .. }
        | Command::Compare { bank, .. }
        | Command::PutAside { bank, .. }
        | Command::GiveUp { bank, .. } => *bank,
    }));
}

/// Refusals: nothing was begun there, no such file is put aside, no room for one more. What was said before changes nothing.
pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment) -> Decided {
    let unknown = Refusal::Unknown { noun: Noun::Finding };
    let known = |bank: &BankCode| rows.comparison(*bank).ok_or_else(|| unknown.clone());
    let event = match command {
        Command::Begin { bank, .. } if rows.comparison(*bank).is_some() => None,
        Command::Begin { bank, day } => Some(Event::Begun { bank: *bank, day: *day }),
        Command::Compare { bank, compared } => {
            let is_due = known(bank)?.is_due(compared.day);
            is_due.then_some(Event::Compared { bank: *bank, compared: *compared })
        }
        Command::PutAside { bank, day, lack } => {
            let row = known(bank)?;
            let aside = Aside { day: *day, lack: *lack, found: moment.now, resolution: None };
            if *day > row.until && row.waited_for().count() >= ASIDE_MAX {
                return Err(Refusal::Full { noun: Noun::Bank });
            }
            (*day > row.until).then_some(Event::PutAside { bank: *bank, aside })
        }
        Command::GiveUp { bank, day, by, reason } => {
            let (by, reason) = (*by, shortened(reason));
            let aside = known(bank)?.aside_of(*day).ok_or(unknown)?;
            match &aside.resolution {
                Some(known) if known.by == by && known.reason == reason => None,
                Some(_) => return Err(Refusal::WrongStatus { noun: Noun::Finding, status: "resolved".into() }),
                None => {
                    let resolution = Resolution { by, reason, at: moment.now };
                    Some(Event::GivenUp { bank: *bank, day: *day, resolution })
                }
            }
        }
    };
    Ok((event.map(Fact::Comparison).into_iter().collect(), Receipt::Done))
}

impl Comparison {
    /// The files that are put aside and still waited for.
    pub fn waited_for(&self) -> impl Iterator<Item = &Aside> {
        self.aside.iter().filter(|aside| aside.resolution.is_none())
    }

    /// The file of `day`, if it was put aside.
    pub fn aside_of(&self, day: Day) -> Option<&Aside> {
        self.aside.iter().find(|aside| aside.day == day)
    }

    /// Whether the file of `day` is still to be compared.
    pub fn is_due(&self, day: Day) -> bool {
        day > self.until || self.waited_for().any(|aside| aside.day == day)
    }

    pub(crate) fn columns(&self) -> [Value; 2] {
        let aside = i64::try_from(self.waited_for().count()).unwrap_or(i64::MAX);
        [Value::Integer(i64::from(self.until.number())), Value::Integer(aside)]
    }
}

impl Event {
    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        match self {
            Self::Begun { bank, .. }
            | Self::Compared { bank, .. }
            | Self::PutAside { bank, .. }
            | Self::GivenUp { bank, .. } => each(comparison_key(*bank)),
        }
    }

    pub(crate) fn evolve(&self, key: Key, row: &mut Option<Row>) {
        if let Self::Begun { day, .. } = self {
            let begun = Comparison { until: day.plus(-1), aside: Vec::new(), last: None };
            *row = Some(Row::Comparison(Box::new(begun)));
            return;
        }
        let Some(Row::Comparison(row)) = row else { wrong_row(key) };
        match self {
            Self::Begun { .. } => {}
            Self::Compared { compared, .. } => {
                row.until = row.until.max(compared.day);
                row.aside.retain(|aside| aside.day != compared.day);
                row.last = Some(*compared);
            }
            Self::PutAside { aside, .. } => {
                row.until = row.until.max(aside.day);
                if row.aside.len() >= ASIDE_MAX
                    && let Some(resolved) = row.aside.iter().position(|aside| aside.resolution.is_some())
                {
                    row.aside.remove(resolved);
                }
                row.aside.push(aside.clone());
            }
            Self::GivenUp { day, resolution, .. } => {
                let Some(aside) = row.aside.iter_mut().find(|aside| aside.day == *day) else { wrong_row(key) };
                aside.resolution = Some(resolution.clone());
            }
        }
    }
}
