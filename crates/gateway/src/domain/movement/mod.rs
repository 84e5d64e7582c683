//! Movements: debits (振替), credits (入金) and returns of debits, from an operator's request to the bank's last word.
//!
//! | status | meaning |
//! |---|---|
//! | `pending` | accepted, and durable before the bank hears of it |
//! | `in_doubt` | the bank was asked, and has given no final answer |
//! | `settled` | the bank moved the money |
//! | `declined` | the bank said no, does not know it after its cut-off, or was never asked |
//! | `reversed` | the bank took it back after it was settled |
//!
//! What a bank's answer does, by status (what is on record already is accepted, and changes nothing):
//!
//! | status | moved | not moved | nothing final | taken back |
//! |---|---|---|---|---|
//! | `pending` `in_doubt` | `settled`, with the amount that the bank names | `declined` | `in_doubt` | `reversed` |
//! | `settled` | silent; another amount: contradiction | contradiction | silent | `reversed`; another amount: contradiction |
//! | `declined` | `settled` if the no was absence or the day file's; else contradiction | silent | silent | silent |
//! | `reversed` | silent; another amount: contradiction | silent | silent | silent; another amount: contradiction |
//!
//! So a status only ever moves down this list, and a firm word of the bank is never undone by another one. A contradiction is
//! recorded and told, and changes nothing else: people settle it. Only an answer, a "not found" after the bank's cut-off, or
//! the day file ends what the bank may have been asked. The bank is asked by the movement's id: two operators' references
//! cannot meet there, and asking twice moves once.
//!
//! A return is sent only while its debit is settled, and while the bank has said nothing against that debit since the return was
//! asked for: the account would have it twice. One that was never sent ends as declined then. Of a debit that the bank has said
//! something against, a return is taken only from who has read that, and says so with the number of the last event that they acted on.
//!
//! Start reading at [`decide`].

mod answer;
mod event;
mod request;

pub use event::Event;

use super::ids::{AccountId, AccountRefId, BankCode, MandateId, MovementId, OperatorId, Reference};
use super::open::Thing;
use super::operator::{self, OPERATORS_KEY, What};
use super::policy::Spread;
use super::refusal::{Noun, Refusal};
use super::share::Whose;
use super::state::{Decided, Rows, account_key, account_ref_key, bank_key, calendar_key, mandate_key, movement_key};
use super::{Context, Receipt};
use domain::{Day, Key, Moment, Time, Value};
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// What kind of movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// From the account to the operator.
    Debit,
    /// From the operator to the account.
    Credit,
    /// A debit, given back to its account.
    Return,
}

impl Kind {
    /// The word as the API names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debit => "debit",
            Self::Credit => "credit",
            Self::Return => "return",
        }
    }

    /// The noun of refusals.
    pub const fn noun(self) -> Noun {
        match self {
            Self::Debit => Noun::Debit,
            Self::Credit => Noun::Credit,
            Self::Return => Noun::Return,
        }
    }

    /// Whether money goes to the account.
    pub const fn is_to_account(self) -> bool {
        match self {
            Self::Debit => false,
            Self::Credit | Self::Return => true,
        }
    }
}

/// What was asked for; it never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// What kind.
    pub kind: Kind,
    /// Who asked.
    pub operator: OperatorId,
    /// What the operator calls it.
    pub reference: Reference,
    /// At which bank.
    pub bank: BankCode,
    /// From or to which account.
    pub account: AccountId,
    /// By which mandate, if one was named.
    pub mandate: Option<MandateId>,
    /// What the operator calls the account, if it was named so.
    pub account_ref: Option<AccountRefId>,
    /// The debit that is given back.
    pub of: Option<MovementId>,
    /// How much.
    pub amount: Yen,
    /// If the account's true holder had not confirmed the mandate: how often they had confirmed one before.
    pub unconfirmed: Option<u32>,
    /// When it was accepted: its business date counts for limits, whatever happens later.
    pub accepted: Time,
}

/// A movement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    /// What was asked for.
    pub order: Order,
    /// How far it is.
    pub status: Status,
    /// Since when.
    pub since: Time,
    /// How often the bank was asked, for it or about it.
    pub asked: u32,
    /// When it was last sent to the bank, if it was: the day whose file must have it.
    pub sent: Option<Time>,
    /// When the bank is to be asked next.
    pub due: Time,
    /// The bank's last word was that it does not know it, and its cut-off has not passed.
    pub absent: bool,
    /// The bank's final answer.
    pub answer: Option<Answer>,
    /// What the bank said against what is on record.
    pub claim: Option<Claim>,
    /// When it said so.
    pub claimed: Option<Time>,
    /// Of a debit: what is given back, or on its way back.
    pub returned: Yen,
    /// The day whose file says that the bank moved it: no other day's file may say so again.
    pub filed: Option<Day>,
}

/// How far a movement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Accepted.
    Pending,
    /// Asked, without a final answer.
    InDoubt,
    /// The bank moved nothing.
    Declined,
    /// The bank moved the money.
    Settled,
    /// The bank took it back.
    Reversed,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Pending, Self::InDoubt, Self::Declined, Self::Settled, Self::Reversed];

    /// The word as the API names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InDoubt => "in_doubt",
            Self::Declined => "declined",
            Self::Settled => "settled",
            Self::Reversed => "reversed",
        }
    }

    /// Whether the bank is still to be asked.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Pending | Self::InDoubt => true,
            Self::Declined | Self::Settled | Self::Reversed => false,
        }
    }
}

/// What the bank is to be asked next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Next {
    /// To move the money. Asking twice with the same id moves once.
    Send,
    /// What became of it.
    Inquire,
}

/// Why a bank moved nothing: the result codes of 預金口座振替, and what has no code there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Code {
    /// 1 資金不足.
    InsufficientFunds,
    /// 2 取引なし.
    NoAccount,
    /// 3 預金者都合停止.
    StoppedByDepositor,
    /// 4 依頼書なし.
    NoMandateAtBank,
    /// 8 委託者都合停止.
    StoppedByCollector,
    /// 9 その他.
    Other,
    /// It does not know it after its cut-off, or its day file does not have it.
    Absent,
}

impl Code {
    /// The word as the API names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InsufficientFunds => "insufficient_funds",
            Self::NoAccount => "no_account",
            Self::StoppedByDepositor => "stopped_by_depositor",
            Self::NoMandateAtBank => "no_mandate_at_bank",
            Self::StoppedByCollector => "stopped_by_collector",
            Self::Other => "other",
            Self::Absent => "absent",
        }
    }

    /// The result code that operators know: absence is 9 there.
    pub const fn result(self) -> u8 {
        match self {
            Self::InsufficientFunds => 1,
            Self::NoAccount => 2,
            Self::StoppedByDepositor => 3,
            Self::NoMandateAtBank => 4,
            Self::StoppedByCollector => 8,
            Self::Other | Self::Absent => 9,
        }
    }

    /// The code of a bank's result that is not 0; none for one that we do not know.
    pub const fn from_result(code: u64) -> Option<Self> {
        match code {
            1 => Some(Self::InsufficientFunds),
            2 => Some(Self::NoAccount),
            3 => Some(Self::StoppedByDepositor),
            4 => Some(Self::NoMandateAtBank),
            8 => Some(Self::StoppedByCollector),
            9 => Some(Self::Other),
            _ => None,
        }
    }
}

/// What a bank says became of a movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// It moved this much.
    Settled {
        /// How much.
        amount: Yen,
    },
    /// It moved nothing.
    Declined {
        /// Why.
        code: Code,
    },
    /// It does not know the reference.
    NotFound {
        /// Whether its cut-off has passed: only then is absence an answer.
        last: bool,
    },
    /// It took the money back.
    Reversed {
        /// How much.
        amount: Yen,
    },
    /// Nothing, or nothing that we understand.
    Unknown,
}

/// By which way an answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Source {
    /// In reply to the request itself.
    Request,
    /// In reply to an inquiry.
    Inquiry,
    /// By the bank's own call.
    Callback,
    /// In the file of the bank's day: what is not in it did not happen.
    DayFile,
}

/// The bank's final answer, as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Answer {
    /// What it says.
    pub outcome: Outcome,
    /// How it came.
    pub source: Source,
    /// When.
    pub at: Time,
}

impl Answer {
    /// Whether the bank itself said no about this very movement. Absence, and what a day's file left out, are weaker.
    pub const fn is_firm_no(&self) -> bool {
        match (self.outcome, self.source) {
            (Outcome::Declined { code: Code::Absent }, _) => false,
            (Outcome::Declined { .. }, Source::Request | Source::Inquiry | Source::Callback) => true,
            (Outcome::Declined { .. }, Source::DayFile) => false,
            (Outcome::Settled { .. } | Outcome::NotFound { .. } | Outcome::Reversed { .. }, _) => false,
            (Outcome::Unknown, _) => false,
        }
    }
}

/// What a bank said against what is on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Claim {
    /// It moved this much.
    Moved(Yen),
    /// It moved nothing.
    NotMoved,
    /// It took this much back.
    TakenBack(Yen),
}

/// How a movement changed, as its operator is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// The bank moved this much.
    Settled(Yen),
    /// It moved nothing.
    Declined(Code),
    /// It took it back.
    Reversed(Yen),
    /// It says something against what is on record.
    Contradicted(Claim),
}

impl Change {
    /// The word as the API names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Settled(_) => "settled",
            Self::Declined(_) => "declined",
            Self::Reversed(_) => "reversed",
            Self::Contradicted(_) => "contradicted",
        }
    }
}

/// What is asked of movements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// An operator asks for one.
    Request(Request),
    /// A worker is about to ask the bank: this says what, and is durable before the bank hears of it.
    Take {
        /// Which.
        movement: MovementId,
        /// It goes into the day's file, which has hours of its own; else a bank that is closed is asked nothing.
        by_file: bool,
        /// By how much it waits longer or shorter for the next question.
        spread: Spread,
    },
    /// The bank answered, or did not.
    Answer {
        /// Which.
        movement: MovementId,
        /// At which bank: another bank's word does not count.
        bank: BankCode,
        /// What it says.
        outcome: Outcome,
        /// By which way.
        source: Source,
    },
    /// The file of a bank's day says that it moved the money.
    File {
        /// Which.
        movement: MovementId,
        /// Whose file.
        bank: BankCode,
        /// Of which day.
        day: Day,
        /// How much.
        amount: Yen,
    },
}

/// A movement that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its id: a keyed hash of operator, kind and reference.
    pub movement: MovementId,
    /// Who asks.
    pub operator: OperatorId,
    /// What the operator calls it.
    pub reference: Reference,
    /// What of.
    pub target: Target,
    /// How much.
    pub amount: Yen,
    /// Whether the bank is asked at once; else it is with the day's file.
    pub at_once: bool,
    /// By how much it waits longer or shorter for the next question.
    pub spread: Spread,
}

/// Where the money is to come from or go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// From the account of a mandate.
    DebitOf(MandateId),
    /// To the account of a mandate, which may be over.
    CreditOf(MandateId),
    /// To an account that a mandate once named.
    CreditTo(AccountRefId),
    /// Back where a debit came from.
    ReturnOf {
        /// Which debit.
        debit: MovementId,
        /// How much of what it is told its operator has acted on: the number of the last such event.
        events_read: u64,
    },
}

impl Target {
    /// The kind of movement that it is.
    pub const fn kind(self) -> Kind {
        match self {
            Self::DebitOf(_) => Kind::Debit,
            Self::CreditOf(_) | Self::CreditTo(_) => Kind::Credit,
            Self::ReturnOf { .. } => Kind::Return,
        }
    }
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Request(request) => match request.target.kind() {
                Kind::Debit => "debit.request",
                Kind::Credit => "credit.request",
                Kind::Return => "return.request",
            },
            Self::Take { .. } => "movement.take",
            Self::Answer { .. } => "movement.answer",
            Self::File { .. } => "movement.file",
        }
    }
}

pub(crate) fn keys(command: &Command, keys: &mut Vec<Key>) {
    match command {
        Command::Request(request) => {
            keys.push(movement_key(request.movement));
            match request.target {
                Target::DebitOf(mandate) | Target::CreditOf(mandate) => keys.push(mandate_key(mandate)),
                Target::CreditTo(account_ref) => keys.push(account_ref_key(account_ref)),
                Target::ReturnOf { debit, events_read } => {
                    let read = operator::told_key(request.operator, events_read.min(operator::TOLD_MAX));
                    keys.extend([movement_key(debit), OPERATORS_KEY, read]);
                }
            }
        }
        Command::Take { movement, .. } | Command::Answer { movement, .. } | Command::File { movement, .. } => {
            keys.extend([movement_key(*movement), OPERATORS_KEY]);
        }
    }
}

pub(crate) fn keys_further(command: &Command, rows: Rows<'_>, keys: &mut Vec<Key>) {
    match command {
        Command::Request(request) => request::keys_further(request, rows, keys),
        Command::Take { movement, .. } | Command::Answer { movement, .. } | Command::File { movement, .. } => {
            let Some(row) = rows.movement(*movement) else { return };
            let order = &row.order;
            let page = Thing::Movement(*movement).page_key(order.bank);
            operator::keys_of(rows, order.operator, keys);
            keys.extend([bank_key(order.bank), calendar_key(order.bank), account_key(order.account), page]);
            keys.extend(order.mandate.map(mandate_key));
            keys.extend(order.of.map(movement_key));
            keys.extend(order.whose().keys());
        }
    }
}

pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment, context: &Context) -> Decided {
    match command {
        Command::Request(command) => request::request(rows, command, moment, context),
        Command::Take { movement, by_file, spread } => {
            let row = movement_of(rows, *movement)?;
            request::take(rows, *movement, row, (*by_file, *spread), moment, context)
        }
        Command::Answer { movement, bank, outcome, source } => {
            let row = movement_at(rows, *movement, *bank)?;
            answer::answer(rows, *movement, row, *outcome, *source, moment)
        }
        Command::File { movement, bank, day, amount } => {
            let row = movement_at(rows, *movement, *bank)?;
            let outcome = Outcome::Settled { amount: *amount };
            let (mut events, receipt) = answer::answer(rows, *movement, row, outcome, Source::DayFile, moment)?;
            if row.filed.is_none() {
                events.push(super::Event::Movement(Event::Filed { movement: *movement, day: *day }));
            }
            Ok((events, receipt))
        }
    }
}

/// The movement with `id`, if it is one at `bank`: another bank's word does not count.
fn movement_at(rows: Rows<'_>, id: MovementId, bank: BankCode) -> Result<&Movement, Refusal> {
    let row = movement_of(rows, id)?;
    if row.order.bank == bank { Ok(row) } else { Err(Refusal::Unknown { noun: row.order.kind.noun() }) }
}

fn movement_of(rows: Rows<'_>, id: MovementId) -> Result<&Movement, Refusal> {
    rows.movement(id).ok_or(Refusal::Unknown { noun: Noun::Debit })
}

impl Order {
    /// What it counts on while it is open.
    const fn whose(&self) -> Whose {
        Whose { operator: self.operator, bank: self.bank, wallet: None }
    }
}

impl Movement {
    /// What the bank moved, once it is settled.
    pub const fn settled(&self) -> Option<Yen> {
        match self.answer {
            Some(Answer { outcome: Outcome::Settled { amount }, .. }) => Some(amount),
            Some(Answer { outcome: Outcome::Reversed { amount }, .. }) => Some(amount),
            Some(Answer {
                outcome: Outcome::Declined { .. } | Outcome::NotFound { .. } | Outcome::Unknown, ..
            }) => None,
            None => None,
        }
    }

    /// Why the bank moved nothing.
    pub const fn code(&self) -> Option<Code> {
        match self.answer {
            Some(Answer { outcome: Outcome::Declined { code }, .. }) => Some(code),
            Some(Answer { outcome: Outcome::Settled { .. } | Outcome::Reversed { .. }, .. }) => None,
            Some(Answer { outcome: Outcome::NotFound { .. } | Outcome::Unknown, .. }) => None,
            None => None,
        }
    }

    fn told(&self, id: MovementId, change: Change) -> What {
        What::Movement {
            movement: id,
            kind: self.order.kind,
            reference: self.order.reference.clone(),
            amount: self.order.amount,
            change,
        }
    }

    fn receipt(&self, id: MovementId) -> Receipt {
        Receipt::Movement {
            id,
            bank: self.order.bank,
            status: self.status,
            next: None,
            due: self.due,
            settled: self.settled(),
            code: self.code(),
            since: self.since,
        }
    }

    /// What was said already is accepted, and changes nothing.
    #[expect(clippy::unnecessary_wraps, reason = "the last word of a decision")]
    fn silent(&self, id: MovementId) -> Decided {
        Ok((Vec::new(), self.receipt(id)))
    }

    pub(crate) fn columns(&self) -> [Value; 8] {
        let order = &self.order;
        [
            Value::Id(order.operator.id()),
            Value::Integer(i64::from(order.bank.number())),
            Value::Id(order.account.0),
            Value::Text(order.kind.name()),
            Value::Text(self.status.name()),
            Value::Integer(order.amount.amount()),
            Value::Integer(order.accepted.milliseconds()),
            Value::Integer(self.due.milliseconds()),
        ]
    }
}
