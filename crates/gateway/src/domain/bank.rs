//! Banks: the switches of each, with who set them and why, the factors that it asks for, when it is open, and the frauds it
//! confirms.
//!
//! A stop belongs to the side that made it: what the bank stopped, the gateway's desk cannot let go on. What the windows
//! stopped, the gateway's desk looks at and lifts. Everybody whom a switch concerns is told in the same commit.

use super::calendar::Calendar;
use super::factor::{Factors, Strength};
use super::ids::{BankCode, StaffId};
use super::operator::{self, OPERATORS_KEY, What};
use super::proposal::{Proposal, Wish};
use super::refusal::Refusal;
use super::state::{Decided, Rows, bank_key, calendar_key, wrong_row};
use super::{Context, Receipt, Row};
use domain::{Id, Key, Moment, Time};
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// Changes of switches that a bank's row remembers; the journal has them all.
pub const HISTORY_MAX: usize = 64;
/// Bytes of a reason, at most.
pub const REASON_BYTES_MAX: usize = 500;
/// Sets of factors that a bank may allow.
pub const FACTOR_SETS_MAX: usize = 16;

/// What can be stopped at a bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Function {
    /// New mandates.
    Register,
    /// A mandate in the place of another one.
    Change,
    /// Debits.
    Debit,
    /// Credits. Giving a debit back is none.
    Credit,
    /// New mandates by static factors alone.
    StaticFactors,
}

impl Function {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Register, Self::Change, Self::Debit, Self::Credit, Self::StaticFactors];

    /// The function as the API names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Change => "change",
            Self::Debit => "debit",
            Self::Credit => "credit",
            Self::StaticFactors => "static_factors",
        }
    }
}

impl std::str::FromStr for Function {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|function| function.name() == text).ok_or("no such function")
    }
}

/// Which side stops something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Side {
    /// The bank's desk.
    Bank,
    /// The gateway's desk.
    Gateway,
    /// The gateway itself, by what it counts.
    Windows,
}

impl Side {
    /// The side as the API names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bank => "bank",
            Self::Gateway => "gateway",
            Self::Windows => "windows",
        }
    }
}

/// A stop in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// What is stopped.
    pub function: Function,
    /// By which side.
    pub side: Side,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Time,
}

/// A change of a switch, as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchChange {
    /// Which function.
    pub function: Function,
    /// By which side.
    pub side: Side,
    /// By whom, where it was a person.
    pub by: Option<StaffId>,
    /// Whether it was stopped; else it was let go on.
    pub stopped: bool,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Time,
}

/// A bank, as far as the gateway keeps it. What never changes is configuration.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bank {
    /// The stops in force, in the order in which they were made.
    pub stops: Vec<Stop>,
    /// The last changes, oldest first.
    pub history: Vec<SwitchChange>,
    /// The sets of factors that suffice, as the bank's desk set them; none: what the bank itself says.
    pub factor_sets: Vec<Factors>,
    /// What one person of a desk wants to be weaker, until another says the same.
    pub proposals: Vec<Proposal>,
}

/// A fraud that a bank confirmed, with what its partners need to look for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its id.
    pub id: Id,
    /// At which bank.
    pub bank: BankCode,
    /// The factors by which the mandates were granted.
    pub factors: Factors,
    /// When the first of them was granted.
    pub from: Time,
    /// When the last of them was granted.
    pub until: Time,
    /// How many accounts are known to be hit.
    pub accounts: u32,
    /// How much was debited there.
    pub amount: Yen,
    /// What else to look for. No personal data.
    pub note: String,
}

/// What is asked of banks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Stop a function, or let it go on.
    Switch {
        /// At which bank.
        bank: BankCode,
        /// Which function.
        function: Function,
        /// Whether to stop it.
        stop: bool,
        /// Which side asks.
        side: Side,
        /// Who, where it is a person.
        by: Option<StaffId>,
        /// Why.
        reason: String,
    },
    /// The sets of factors that suffice.
    SetFactors {
        /// At which bank.
        bank: BankCode,
        /// The sets; none: what the bank itself says.
        sets: Vec<Factors>,
        /// What the bank itself says.
        own: Vec<Factors>,
        /// Who says so.
        by: StaffId,
    },
    /// When it is open.
    SetCalendar {
        /// Which bank.
        bank: BankCode,
        /// When.
        calendar: Calendar,
        /// Who says so.
        by: StaffId,
    },
    /// A bank confirmed a fraud.
    Report(Incident),
}

/// What happened to banks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A switch was changed.
    Switched {
        /// At which bank.
        bank: BankCode,
        /// How.
        change: SwitchChange,
    },
    /// The sets of factors were set.
    FactorsSet {
        /// At which bank.
        bank: BankCode,
        /// The sets.
        sets: Vec<Factors>,
        /// Who said so.
        by: StaffId,
        /// When.
        at: Time,
    },
    /// When it is open was set.
    CalendarSet {
        /// At which bank.
        bank: BankCode,
        /// When it is open.
        calendar: Calendar,
        /// Who said so.
        by: StaffId,
        /// When that was said.
        at: Time,
    },
    /// One person of a desk wants something that takes two.
    Proposed {
        /// At which bank.
        bank: BankCode,
        /// What, who and when.
        proposal: Proposal,
        /// What was proposed no later than this is over.
        since: Time,
    },
    /// Another person of that desk said the same: it is done with this.
    Agreed {
        /// At which bank.
        bank: BankCode,
        /// What.
        wish: Wish,
        /// Who said so first.
        proposed_by: StaffId,
        /// Who said the same.
        by: StaffId,
        /// When.
        at: Time,
    },
}

impl Bank {
    /// The stop of `function` that is in force, the oldest if several sides made one.
    pub fn stop(&self, function: Function) -> Option<&Stop> {
        self.stops.iter().find(|stop| stop.function == function)
    }
}

/// Refuses `function` at `bank` if it is stopped there.
pub(crate) fn check(rows: Rows<'_>, bank: BankCode, function: Function) -> Result<(), Refusal> {
    match rows.bank(bank).and_then(|row| row.stop(function)) {
        None => Ok(()),
        Some(stop) => Err(Refusal::Stopped { function, bank, since: stop.since }),
    }
}

/// Whether mandates by `factors` alone may be granted at `bank`.
pub(crate) fn allows_factors(rows: Rows<'_>, bank: BankCode, factors: Factors) -> bool {
    factors.strength() > Strength::Static || check(rows, bank, Function::StaticFactors).is_ok()
}

pub(crate) fn keys(command: &Command, keys: &mut Vec<Key>) {
    let bank = match command {
        Command::Switch { bank, .. } | Command::SetFactors { bank, .. } | Command::SetCalendar { bank, .. } => *bank,
        Command::Report(incident) => incident.bank,
    };
    keys.extend([bank_key(bank), calendar_key(bank), OPERATORS_KEY]);
}

pub(crate) fn keys_further(rows: Rows<'_>, keys: &mut Vec<Key>) {
    operator::keys_of_all(rows, keys);
}

#[expect(clippy::unnecessary_wraps, reason = "every room decides in the same form")]
pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment, context: &Context) -> Decided {
    let at = moment.now;
    match command {
        Command::Switch { bank, function, stop, side, by, reason } => {
            let reason = shortened(reason);
            let change =
                SwitchChange { function: *function, side: *side, by: *by, stopped: *stop, reason: reason.clone(), at };
            let mut after = rows.bank(*bank).cloned().unwrap_or_default();
            let stops_before = after.stops.clone();
            after.apply(&change);
            if after.stops == stops_before {
                return Ok((Vec::new(), Receipt::Done));
            }
            let is_stopped = after.stop(*function).is_some();
            let mut events = vec![super::Event::Bank(Event::Switched { bank: *bank, change })];
            let what = What::Switch { bank: *bank, function: *function, is_stopped, reason };
            operator::tell_all(rows, &mut events, &what, at);
            Ok((events, Receipt::Done))
        }
        Command::SetFactors { bank, sets, by, .. } => {
            let sets: Vec<Factors> = sets.iter().copied().take(FACTOR_SETS_MAX).collect();
            if rows.bank(*bank).is_some_and(|row| row.factor_sets == sets) {
                return Ok((Vec::new(), Receipt::Done));
            }
            let event = Event::FactorsSet { bank: *bank, sets, by: *by, at };
            Ok((vec![super::Event::Bank(event)], Receipt::Done))
        }
        Command::SetCalendar { bank, calendar, by } => {
            let calendar = calendar.bounded();
            if rows.calendar(*bank).unwrap_or(&Calendar::default()) == &calendar {
                return Ok((Vec::new(), Receipt::Done));
            }
            let event = Event::CalendarSet { bank: *bank, calendar, by: *by, at };
            let mut events = vec![super::Event::Bank(event)];
            operator::tell_all(rows, &mut events, &What::Calendar { bank: *bank }, at);
            Ok((events, Receipt::Done))
        }
        Command::Report(incident) => {
            let incident = Incident { note: shortened(&incident.note), ..incident.clone() };
            let mut events = Vec::new();
            if context.policy.shares_incidents {
                operator::tell_all(rows, &mut events, &What::Incident(incident), at);
            }
            Ok((events, Receipt::Done))
        }
    }
}

pub(crate) fn shortened(text: &str) -> String {
    let mut end = text.len().min(REASON_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default().to_owned()
}

impl Bank {
    fn apply(&mut self, change: &SwitchChange) {
        let is_its = |stop: &Stop| {
            let own = stop.side == change.side;
            let lifted = change.side == Side::Gateway && stop.side == Side::Windows && !change.stopped;
            stop.function == change.function && (own || lifted)
        };
        if !change.stopped {
            self.stops.retain(|stop| !is_its(stop));
        } else if !self.stops.iter().any(is_its) {
            self.stops.push(Stop {
                function: change.function,
                side: change.side,
                reason: change.reason.clone(),
                since: change.at,
            });
        }
    }
}

impl Event {
    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        match self {
            Self::Switched { bank, .. } | Self::FactorsSet { bank, .. } => each(bank_key(*bank)),
            Self::Proposed { bank, .. } | Self::Agreed { bank, .. } => each(bank_key(*bank)),
            Self::CalendarSet { bank, .. } => each(calendar_key(*bank)),
        }
    }

    pub(crate) fn evolve(&self, key: Key, row: &mut Option<Row>) {
        if let Self::CalendarSet { calendar, .. } = self {
            return calendar.evolve(key, row);
        }
        let Row::Bank(bank) = row.get_or_insert_with(|| Row::Bank(Box::default())) else { wrong_row(key) };
        match self {
            Self::CalendarSet { .. } => {}
            Self::Switched { change, .. } => {
                bank.apply(change);
                if change.stopped {
                    // Who wanted it to go on did not know of this one.
                    let of_it =
                        |wish: &Wish| matches!(wish, Wish::Lift { function, .. } if *function == change.function);
                    bank.settle(of_it);
                }
                let surplus = bank.history.len().saturating_add(1).saturating_sub(HISTORY_MAX);
                bank.history.drain(..surplus);
                bank.history.push(change.clone());
            }
            Self::FactorsSet { sets, .. } => {
                bank.factor_sets.clone_from(sets);
                bank.settle(|wish| matches!(wish, Wish::Factors { .. }));
            }
            Self::Proposed { proposal, since, .. } => bank.propose(proposal, *since),
            Self::Agreed { wish, .. } => bank.settle(|waiting| waiting == wish),
        }
    }
}
