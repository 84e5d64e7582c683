//! Comparisons: up to which day each paper of a bank was compared with the ledger, its day files of debits and its statements of
//! credits, and which of them are still to be had.
//!
//! It stands in a row a paper, so that after days without us each day is compared, one after the other, and no paper waits for the
//! other. One that cannot be read, is none of ours or stays away, is put aside and stands among the findings: the days after it are
//! compared meanwhile, and it is asked for until it comes or somebody of the gateway's desk says why it never will.

use super::bank::shortened;
use super::finding::{About, Resolution};
use super::ids::{BankCode, StaffId};
use super::movement::Kind;
use super::refusal::{Noun, Refusal};
use super::state::{Decided, Rows, bank_key, comparison_key, wrong_row};
use super::{Event as Fact, Receipt, Row};
use domain::{Day, Id, Key, Moment, Time, Value};
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// Papers of one kind of one bank that are put aside and waited for, at most. When there are more, the days after them wait.
pub const ASIDE_MAX: usize = 366;

/// What the row of a bank's statements has in its id beside the bank.
const STATEMENTS: u128 = 1 << 16;

/// What a bank's paper of a day is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paper {
    /// The day file: the debits that it was asked for, and what became of each.
    Debits,
    /// The statement of the credits that it booked.
    Credits,
}

impl Paper {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Debits, Self::Credits];

    /// What its records are about.
    pub const fn about(self) -> About {
        match self {
            Self::Debits => About::Debit,
            Self::Credits => About::Credit,
        }
    }

    /// The paper whose records are about that.
    pub const fn of(about: About) -> Self {
        match about {
            About::Debit => Self::Debits,
            About::Credit => Self::Credits,
        }
    }

    /// Whether movements of `kind` stand in it.
    pub const fn has(self, kind: Kind) -> bool {
        match self {
            Self::Debits => !kind.is_to_account(),
            Self::Credits => kind.is_to_account(),
        }
    }
}

/// The id of the row that says how far that paper of that bank is compared.
pub(crate) fn row_id((bank, paper): (BankCode, Paper)) -> Id {
    match paper {
        Paper::Debits => bank.id(),
        Paper::Credits => Id::from_number(u128::from(bank.number()) | STATEMENTS),
    }
}

/// How far one paper of a bank is compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// Every day up to this one was compared, or put aside.
    pub until: Day,
    /// Those that are put aside, by day.
    pub aside: Vec<Aside>,
    /// How the last one compared.
    pub last: Option<Compared>,
    /// The first and the last of the days that no finding has, because no paper came since the one that is a finding: none ever had
    /// come. They are asked for once the bank's first paper is there.
    pub unheard: Option<(Day, Day)>,
}

/// A day whose paper is still to be had.
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

/// Why a day's paper could not be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Lack {
    /// It is not there.
    Missing,
    /// It is there, and cannot be read to its last record.
    Unreadable,
    /// It has more that nobody here asked for than a paper of ours can have.
    Foreign,
}

impl Lack {
    /// The word as the API names it.
    pub const fn name(self, paper: Paper) -> &'static str {
        match (paper, self) {
            (Paper::Debits, Self::Missing) => "file_missing",
            (Paper::Debits, Self::Unreadable) => "file_unreadable",
            (Paper::Debits, Self::Foreign) => "file_foreign",
            (Paper::Credits, Self::Missing) => "statement_missing",
            (Paper::Credits, Self::Unreadable) => "statement_unreadable",
            (Paper::Credits, Self::Foreign) => "statement_foreign",
        }
    }
}

/// How a bank's paper compared with the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// Of which day.
    pub day: Day,
    /// Records in it.
    pub records: u64,
    /// Yen that it says were debited, or credited.
    pub settled: Yen,
    /// Records that are no movement of ours, or not of that amount: each is a finding, which the desk resolves.
    pub strangers: u64,
    /// What the ledger has as settled, and neither it nor another one of the days on which the bank can have booked it.
    pub missing: u64,
    /// Debits without an answer that the file ended by lacking them.
    pub absent: u64,
}

/// What is asked of the comparisons of one paper.
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

/// What happened to the comparisons of one paper.
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
    /// The bank, which never gave such a paper, gave none of this day either: one finding says so of all of them.
    Unheard {
        /// Whose file.
        bank: BankCode,
        /// Of which day.
        day: Day,
    },
}

pub(crate) fn keys(paper: Paper, command: &Command, keys: &mut Vec<Key>) {
    let bank = match command {
        Command::Begin { bank, .. }
        | Command::Compare { bank, .. }
        | Command::PutAside { bank, .. }
        | Command::GiveUp { bank, .. } => *bank,
    };
    keys.push(comparison_key((bank, paper)));
    // It takes two, and the first one's word stands there.
    if matches!(command, Command::GiveUp { .. }) {
        keys.push(bank_key(bank));
    }
}

/// Refusals: nothing was begun there, no such file is put aside, no room for one more. What was said before changes nothing.
pub(crate) fn decide(rows: Rows<'_>, paper: Paper, command: &Command, moment: Moment) -> Decided {
    let unknown = Refusal::Unknown { noun: Noun::Finding };
    let known = |bank: &BankCode| rows.comparison((*bank, paper)).ok_or_else(|| unknown.clone());
    let event = match command {
        Command::Begin { bank, .. } if rows.comparison((*bank, paper)).is_some() => None,
        Command::Begin { bank, day } => Some(Event::Begun { bank: *bank, day: *day }),
        Command::Compare { bank, compared } => {
            let is_due = known(bank)?.is_due(compared.day);
            is_due.then_some(Event::Compared { bank: *bank, compared: *compared })
        }
        Command::PutAside { bank, day, lack } => {
            let row = known(bank)?;
            let aside = Aside { day: *day, lack: *lack, found: moment.now, resolution: None };
            if *day <= row.until {
                None
            } else if row.says_so_already(*day, *lack) {
                Some(Event::Unheard { bank: *bank, day: *day })
            } else if row.waited_for().count() >= ASIDE_MAX {
                return Err(Refusal::Full { noun: Noun::Bank });
            } else {
                Some(Event::PutAside { bank: *bank, aside })
            }
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
    let fact = match paper {
        Paper::Debits => Fact::Comparison,
        Paper::Credits => Fact::Statement,
    };
    Ok((event.map(fact).into_iter().collect(), Receipt::Done))
}

impl Comparison {
    /// Those that are put aside and still waited for.
    pub fn waited_for(&self) -> impl Iterator<Item = &Aside> {
        self.aside.iter().filter(|aside| aside.resolution.is_none())
    }

    /// The one of `day`, if it was put aside.
    pub fn aside_of(&self, day: Day) -> Option<&Aside> {
        self.aside.iter().find(|aside| aside.day == day)
    }

    /// Whether a finding says of the one of `day` already what it lacks: its own, or that of the first day of a bank that never
    /// gave one.
    fn says_so_already(&self, day: Day, lack: Lack) -> bool {
        let is_without = self.last.is_none() && self.aside.iter().any(|aside| aside.lack == Lack::Missing);
        self.aside_of(day).is_some() || (is_without && lack == Lack::Missing)
    }

    /// Whether one of the days from `first` to `last` beside `this` has a paper that was never had.
    pub fn lacks_one_beside(&self, this: Day, first: Day, last: Day) -> bool {
        let is_unheard = self.unheard.is_some_and(|(from, until)| from <= last && first <= until);
        is_unheard || self.aside.iter().any(|aside| aside.day != this && (first..=last).contains(&aside.day))
    }

    /// Whether the one of `day` is still to be compared.
    pub fn is_due(&self, day: Day) -> bool {
        day > self.until || self.waited_for().any(|aside| aside.day == day)
    }

    pub(crate) fn columns(&self) -> [Value; 2] {
        let aside = i64::try_from(self.waited_for().count()).unwrap_or(i64::MAX);
        [Value::Integer(i64::from(self.until.number())), Value::Integer(aside)]
    }
}

impl Event {
    pub(crate) fn touches(&self, paper: Paper, each: &mut impl FnMut(Key)) {
        match self {
            Self::Begun { bank, .. }
            | Self::Compared { bank, .. }
            | Self::PutAside { bank, .. }
            | Self::GivenUp { bank, .. }
            | Self::Unheard { bank, .. } => each(comparison_key((*bank, paper))),
        }
    }

    pub(crate) fn evolve(&self, key: Key, row: &mut Option<Row>) {
        if let Self::Begun { day, .. } = self {
            let begun = Comparison { until: day.plus(-1), aside: Vec::new(), last: None, unheard: None };
            *row = Some(Row::Comparison(Box::new(begun)));
            return;
        }
        let Some(Row::Comparison(row)) = row else { wrong_row(key) };
        match self {
            Self::Begun { .. } => {}
            Self::Compared { compared, .. } => {
                // The bank's first one: whichever days nobody heard of after it are asked for now.
                let is_before = row.unheard.is_some_and(|(from, _)| compared.day < from);
                row.until = if is_before { compared.day } else { row.until.max(compared.day) };
                if is_before {
                    row.unheard = None;
                }
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
            Self::Unheard { day, .. } => {
                row.until = row.until.max(*day);
                row.unheard = Some((row.unheard.map_or(*day, |(from, _)| from), *day));
            }
            Self::GivenUp { day, resolution, .. } => {
                let Some(aside) = row.aside.iter_mut().find(|aside| aside.day == *day) else { wrong_row(key) };
                aside.resolution = Some(resolution.clone());
            }
        }
    }
}
