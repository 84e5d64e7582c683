//! Operators: who may use the gateway, and what each of them is told, in a gapless sequence of its own.

use super::ids::{AccountId, AccountRefId, BankCode, MandateId, MovementId, OperatorId, Reference, StaffId};
use super::refusal::{Noun, Refusal};
use super::state::{Decided, Rows, wrong_row};
use super::{Receipt, Row, bank, mandate, movement, table};
use domain::{Id, Key, Moment, Time, Value};
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// Operators at one gateway, at most: each stop and incident is told to all of them in one commit.
pub const OPERATORS_MAX: usize = 64;
/// The key of the list of operators.
pub const OPERATORS_KEY: Key = Key::new(table::OPERATORS, Id([0; 16]));

/// The largest number of an event that an operator may name: nobody was ever told as much.
pub const TOLD_MAX: u64 = (1 << 48) - 1;
/// Things that one command tells one operator, at most.
const TOLD_AT_ONCE_MAX: u64 = 3;

/// The operators that were ever registered, in that order. They stand in one row, so that a command which has yet to find out
/// whom it concerns can name what that operator will be told.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Operators {
    /// Who.
    pub operators: Vec<Operator>,
}

/// An operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// Who.
    pub id: OperatorId,
    /// The number of what it was told last.
    pub told: u64,
    /// The number of what it took last, where it is called.
    pub taken: u64,
    /// When it was registered.
    pub registered: Time,
    /// How it comes in, as the gateway's desk last wrote it: the hash of its names, addresses and keys.
    pub settings: Option<SettingsHash>,
    /// How one person of the desk wants that to be, until another one says the same.
    pub proposal: Option<Proposal>,
}

/// The hash of all that an operator's entry among the clients says: who has its keys can debit all its mandates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsHash(pub [u8; 32]);

/// How an operator is to come in from now on, by one person's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// How.
    pub settings: SettingsHash,
    /// By whose word.
    pub by: StaffId,
    /// Since when.
    pub at: Time,
}

/// How long a second person has to say the same, in milliseconds.
pub const PROPOSAL_MS: i64 = 24 * 3_600_000;

/// Something that an operator is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Who.
    pub operator: OperatorId,
    /// The number in its own sequence, from 1 without gaps.
    pub n: u64,
    /// What.
    pub what: What,
    /// When.
    pub at: Time,
}

/// What operators are told of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// Its mandate changed.
    Mandate {
        /// Which.
        mandate: MandateId,
        /// What the operator calls it.
        reference: Reference,
        /// How.
        change: mandate::Change,
    },
    /// Its movement ended, or the bank says something against what is on record.
    Movement {
        /// Which.
        movement: MovementId,
        /// A debit, a credit, or a return.
        kind: movement::Kind,
        /// What the operator calls it.
        reference: Reference,
        /// What was asked for.
        amount: Yen,
        /// How.
        change: movement::Change,
    },
    /// A function is stopped at a bank, or goes on.
    Switch {
        /// Which bank.
        bank: BankCode,
        /// Which function.
        function: bank::Function,
        /// Whether it is stopped now.
        is_stopped: bool,
        /// Why.
        reason: String,
    },
    /// A bank confirmed a fraud: every partner looks at its own.
    Incident(bank::Incident),
    /// When a bank is open has changed.
    Calendar {
        /// Which bank.
        bank: BankCode,
    },
    /// The true holder of an account of which the operator once had a mandate says of an attempt or a link: it was not me.
    Disowned {
        /// At which bank.
        bank: BankCode,
        /// What the operator calls the account.
        account_ref: AccountRefId,
    },
    /// The same, for the account's bank.
    NotMe {
        /// Which bank.
        bank: BankCode,
        /// Which account.
        account: AccountId,
        /// The mandate that the notice was about.
        mandate: MandateId,
        /// Of which operator.
        operator: OperatorId,
    },
}

/// What is asked of operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// One is registered. Again changes nothing.
    Register {
        /// Who.
        operator: OperatorId,
    },
    /// One took what it was called for, up to this number.
    Take {
        /// Who.
        operator: OperatorId,
        /// The number of the last.
        n: u64,
    },
    /// Somebody of the gateway's desk writes how one comes in. An operator that was ever here may have mandates, whoever still
    /// knows of it: then it takes two persons.
    Keep {
        /// Who comes in.
        operator: OperatorId,
        /// How.
        settings: SettingsHash,
        /// Who says so.
        by: StaffId,
    },
}

/// What happened to operators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// One was registered.
    Registered {
        /// Who.
        operator: OperatorId,
        /// When.
        at: Time,
    },
    /// One took what it was called for.
    Taken {
        /// Who.
        operator: OperatorId,
        /// Up to which number.
        n: u64,
    },
    /// One person wants it to come in so.
    Proposed {
        /// Who.
        operator: OperatorId,
        /// How it comes in now, as the desk last wrote it.
        before: Option<SettingsHash>,
        /// How it is to.
        proposal: Proposal,
    },
    /// It comes in so from now on.
    Kept {
        /// Who.
        operator: OperatorId,
        /// How it came in before, as the desk last wrote it.
        before: Option<SettingsHash>,
        /// How it does now.
        after: SettingsHash,
        /// By whose word, at last.
        by: StaffId,
        /// Who said so first, where it took two.
        proposed_by: Option<StaffId>,
        /// When.
        at: Time,
    },
}

/// The key of the `n`th thing that `operator` is told.
pub fn told_key(operator: OperatorId, n: u64) -> Key {
    Key::new(table::TOLD, operator.told_id(n))
}

pub(crate) fn keys(command: &Command, keys: &mut Vec<Key>) {
    match command {
        Command::Register { .. } | Command::Take { .. } | Command::Keep { .. } => keys.push(OPERATORS_KEY),
    }
}

pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment) -> Decided {
    match command {
        Command::Register { operator } if rows.operator(*operator).is_some() => Ok((Vec::new(), Receipt::Done)),
        Command::Register { operator } => {
            check_room(rows)?;
            let event = Event::Registered { operator: *operator, at: moment.now };
            Ok((vec![super::Event::Operator(event)], Receipt::Done))
        }
        Command::Take { operator, n } => {
            let row = rows.operator(*operator).ok_or(Refusal::Unknown { noun: Noun::Operator })?;
            if *n <= row.taken || *n > row.told {
                return Ok((Vec::new(), Receipt::Done));
            }
            let event = Event::Taken { operator: *operator, n: *n };
            Ok((vec![super::Event::Operator(event)], Receipt::Done))
        }
        Command::Keep { operator, settings, by } => {
            let events = keep(rows, *operator, *settings, *by, moment.now)?;
            Ok((events.into_iter().map(super::Event::Operator).collect(), Receipt::Done))
        }
    }
}

fn check_room(rows: Rows<'_>) -> Result<(), Refusal> {
    let is_full = rows.operators().is_some_and(|operators| operators.operators.len() >= OPERATORS_MAX);
    if is_full { Err(Refusal::Full { noun: Noun::Operator }) } else { Ok(()) }
}

/// Refusal: no room for one more. Whom nobody has ever seen one person may let in; whoever was here comes in otherwise when a
/// second person has said the same within a day. What is so already changes nothing.
fn keep(
    rows: Rows<'_>,
    operator: OperatorId,
    settings: SettingsHash,
    by: StaffId,
    at: Time,
) -> Result<Vec<Event>, Refusal> {
    let kept = |before, proposed_by| Event::Kept { operator, before, after: settings, by, proposed_by, at };
    let Some(row) = rows.operator(operator) else {
        check_room(rows)?;
        return Ok(vec![Event::Registered { operator, at }, kept(None, None)]);
    };
    if row.settings == Some(settings) {
        return Ok(Vec::new());
    }
    let is_fresh = |proposal: &Proposal| at.milliseconds_since(proposal.at) < PROPOSAL_MS;
    match row.proposal.filter(|proposal| proposal.settings == settings).filter(is_fresh) {
        Some(proposal) if proposal.by == by => Ok(Vec::new()),
        Some(proposal) => Ok(vec![kept(row.settings, Some(proposal.by))]),
        None => {
            let proposal = Proposal { settings, by, at };
            Ok(vec![Event::Proposed { operator, before: row.settings, proposal }])
        }
    }
}

/// Adds to `events` that `operator` is told of `what`.
pub(crate) fn tell(rows: Rows<'_>, events: &mut Vec<super::Event>, operator: OperatorId, what: What, at: Time) {
    let Some(row) = rows.operator(operator) else { return };
    let is_told = |event: &&super::Event| matches!(event, super::Event::Told(told) if told.operator == operator);
    let before = u64::try_from(events.iter().filter(is_told).count()).unwrap_or(u64::MAX);
    let n = row.told.saturating_add(before).saturating_add(1);
    events.push(super::Event::Told(Told { operator, n, what, at }));
}

/// Adds to `events` that every operator is told of `what`.
pub(crate) fn tell_all(rows: Rows<'_>, events: &mut Vec<super::Event>, what: &What, at: Time) {
    for operator in rows.operators().into_iter().flat_map(|operators| &operators.operators) {
        tell(rows, events, operator.id, what.clone(), at);
    }
}

/// The rows that telling everybody one thing needs, beside [`OPERATORS_KEY`].
pub(crate) fn keys_of_all(rows: Rows<'_>, keys: &mut Vec<Key>) {
    let operators = rows.operators().into_iter().flat_map(|operators| &operators.operators);
    keys.extend(operators.map(|operator| told_key(operator.id, operator.told.saturating_add(1))));
}

/// The rows that telling `operator` needs, beside [`OPERATORS_KEY`].
pub(crate) fn keys_of(rows: Rows<'_>, operator: OperatorId, keys: &mut Vec<Key>) {
    let Some(row) = rows.operator(operator) else { return };
    keys.extend((1..=TOLD_AT_ONCE_MAX).map(|next| told_key(operator, row.told.saturating_add(next))));
}

impl Event {
    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        match self {
            Self::Registered { .. } | Self::Taken { .. } => each(OPERATORS_KEY),
            Self::Proposed { .. } | Self::Kept { .. } => each(OPERATORS_KEY),
        }
    }

    pub(crate) fn evolve(&self, key: Key, row: &mut Option<Row>) {
        match self {
            Self::Registered { operator, at } => {
                let Row::Operators(row) = row.get_or_insert_with(|| Row::Operators(Operators::default())) else {
                    wrong_row(key)
                };
                let (id, registered) = (*operator, *at);
                row.operators.push(Operator { id, told: 0, taken: 0, registered, settings: None, proposal: None });
            }
            Self::Taken { operator, n } => known(key, row, *operator).taken = *n,
            Self::Proposed { operator, proposal, .. } => known(key, row, *operator).proposal = Some(*proposal),
            Self::Kept { operator, after, .. } => {
                let known = known(key, row, *operator);
                known.settings = Some(*after);
                known.proposal = None;
            }
        }
    }
}

fn known(key: Key, row: &mut Option<Row>, operator: OperatorId) -> &mut Operator {
    let Some(Row::Operators(row)) = row else { wrong_row(key) };
    row.operators.iter_mut().find(|known| known.id == operator).unwrap_or_else(|| wrong_row(key))
}

impl Told {
    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        each(OPERATORS_KEY);
        each(told_key(self.operator, self.n));
    }

    pub(crate) fn evolve(&self, key: Key, row: &mut Option<Row>) {
        if key.table == table::TOLD {
            *row = Some(Row::Told(self.clone()));
            return;
        }
        let Some(Row::Operators(row)) = row else { wrong_row(key) };
        let Some(operator) = row.operators.iter_mut().find(|operator| operator.id == self.operator) else {
            wrong_row(key)
        };
        assert_eq!(operator.told.checked_add(1), Some(self.n), "what an operator is told is numbered without gaps");
        operator.told = self.n;
    }

    pub(crate) fn columns(&self) -> [Value; 3] {
        [
            Value::Id(self.operator.id()),
            Value::Integer(i64::try_from(self.n).unwrap_or(i64::MAX)),
            Value::Integer(self.at.milliseconds()),
        ]
    }
}

impl What {
    /// The type under which the operator gets it: `"mandate.revoked"`, `"debit.settled"`.
    pub fn name(&self) -> String {
        match self {
            Self::Mandate { change, .. } => format!("mandate.{}", change.name()),
            Self::Movement { kind, change, .. } => format!("{}.{}", kind.name(), change.name()),
            Self::Switch { .. } => "bank.switch".into(),
            Self::Incident(_) => "bank.incident".into(),
            Self::Calendar { .. } => "bank.calendar".into(),
            Self::Disowned { .. } => "account.disowned".into(),
            Self::NotMe { .. } => "account.not_me".into(),
        }
    }
}
