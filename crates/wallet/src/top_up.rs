//! The top-up (チャージ): money into a wallet by debit of a linked bank account.
//!
//! | status | meaning |
//! |---|---|
//! | `held` | the guard wants a look, before the bank is asked; has a deadline and an owner |
//! | `pending` | the reference is durable, the bank may be asked; from here the hold never expires |
//! | `in_doubt` | no final answer yet, or one of a wrong amount; asked again; the desk sees each one |
//! | `settled` | credited |
//! | `declined` · `cancelled` | the bank said no · the holder wished so, and the bank confirmed that there was no debit |
//! | `returned` | debited and given back to the account; never credited, or taken out again because two people had found no debit |
//! | `reversed` | the bank took it back after the credit: contra entry, receivable, outflow blocked |
//!
//! `step_up_required` is no status: it is the refusal of a request, until the named proof is given.
//!
//! What a bank's answer does, by status (an answer that is on record already is accepted, and changes nothing):
//!
//! | status | debited, right amount | debited, wrong amount | not debited | nothing final |
//! |---|---|---|---|---|
//! | `held` | contradiction | contradiction | refused; contradiction if flagged | refused |
//! | `pending` `in_doubt` | `settled`; `returned` if cancelled by wish or closed | to suspense, `in_doubt`, for the desk | `declined`; `cancelled` by wish | `in_doubt` |
//! | `settled` | silent | contradiction | contradiction | silent |
//! | `declined` `cancelled` | `returned` if the no was absence or the day file's, and nobody settled it so; else contradiction | contradiction | silent | silent |
//! | `returned` | silent | contradiction | contradiction | silent |
//! | `reversed` | silent; contradiction if two people found that there was no debit | contradiction | silent | silent |
//!
//! Taken back, it is `reversed` where it was `settled`, `pending` or `in_doubt`, silent where it is `reversed` already, and a
//! contradiction otherwise, as it is with another amount than the one debited, and where something of it was reimbursed:
//! the account would have that twice.
//!
//! What a bank says of the money that it is to give back, once the top-up is `returned`:
//!
//! | give-back | the account has it | it could not | it came back |
//! |---|---|---|---|
//! | pending | done | failed | contradiction |
//! | done | silent | contradiction | contradiction |
//! | done by another way | contradiction | silent | contradiction |
//! | failed, also one before the present one | contradiction | silent | contradiction |
//! | taken back by the bank itself | contradiction | silent | contradiction |
//!
//! One of which the bank still knew nothing after its cut-off waits for two people, who may say that it could not (`decline`): the bank
//! never said no. One that it could not make is tried again under another id, or two people say that the account has the money all
//! the same (`settle`), by another way: the bank moved nothing, and what it still owes us is the operator's, who paid. Should the bank
//! make it after all, the account has it twice: two people say so (`settle`), or that it is not so (`keep`).
//!
//! A contradiction is recorded, flags the item and changes no money; two people of the desk resolve it. While there is one,
//! a give-back that is pending is neither asked for nor answered: the bank may have taken the money back by itself, and would
//! pay twice. Where the gateway itself calls a bank's word a contradiction, it is one here too in every status, unless it is
//! what is on record. What came back two people may let be given back once more, under another id.
//!
//! Declined, cancelled and returned free the limits of the date on which the top-up was accepted; reversed frees nothing. A
//! reversal takes what is left of the lot in the purse; the rest, also where it stands in another movement's hold, is owed, but for
//! what a case took out of purses to reimburse this debit: nobody pays for it twice.
//!
//! From `pending` on a stop, a freeze or a revoked mandate does not end a top-up here, for the bank may have been asked: the
//! gateway checks the mandate in the commit of the debit, and its answer is the end.
//!
//! Start reading at [`decide`]; what each event does to balances is one function, [`Event::effects`].

mod answer;
mod desk;
mod event;
mod request;

pub use event::Event;
pub(crate) use event::single;

use crate::bank_answer::{Answer, Claim, Claims, Proposal, Resolution, Review};
use crate::case::case_key;
use crate::ids::{
    BankAccountId, BankCode, CaseId, GiveBackId, HolderId, MandateId, PersonId, StaffId, TopUpId, WalletId,
};
use crate::refusal::{Noun, Proof, Refusal};
use crate::state::{Decided, Rows};
use crate::traits::Origin;
use crate::{Context, Receipt, chart, switches, table};
use domain::{Key, Moment, Time, Value};
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// The debit that a top-up is: from where to where, how much, and on which limits it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Debit {
    /// Which top-up.
    pub top_up: TopUpId,
    /// Into which wallet.
    pub wallet: WalletId,
    /// From which account.
    pub bank_account: BankAccountId,
    /// At which bank.
    pub bank: BankCode,
    /// Whose wallet, if identified.
    pub person: Option<PersonId>,
    /// How much.
    pub amount: Yen,
    /// When it was accepted: its business date counts for limits.
    pub accepted: Time,
    /// If the account's true holder had not confirmed the mandate: how often they had confirmed one before.
    pub unconfirmed: Option<u32>,
}

/// A top-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopUp {
    /// The debit.
    pub debit: Debit,
    /// By which mandate.
    pub mandate: MandateId,
    /// How far it is.
    pub status: Status,
    /// Why it is held, and until when.
    pub review: Option<Review>,
    /// How often the bank was asked without a final answer.
    pub attempts: u32,
    /// When the holder wished to cancel it.
    pub cancel_wished: Option<Time>,
    /// The bank's first final answer.
    pub answer: Option<Answer>,
    /// A wrong amount that the bank debited, which waits in suspense.
    pub mismatch: Option<Yen>,
    /// What the bank said against what is on record.
    pub claims: Claims,
    /// What one person of the desk proposed.
    pub proposal: Option<Proposal>,
    /// How two people settled the last contradiction of the debit: no later word of the bank undoes that by itself. What they settle
    /// of a give-back is not in it.
    pub resolved: Option<Resolution>,
    /// How far the money is on its way back.
    pub give_back: Option<GiveBack>,
    /// Give-backs that the bank could not make, before the present one: their ids are never asked with again.
    pub give_backs_failed: Vec<GiveBackId>,
    /// What of it goes back to the account by reimbursements, or is there.
    pub reimbursed: Yen,
    /// What of it goes back to the account by its holder's own payouts, or is there.
    pub paid_back: Yen,
    /// What a case took for its reimbursements.
    pub restituted: Option<Restituted>,
}

/// What one case took to reimburse a debit, and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Restituted {
    /// Which case: no other one reimburses this debit.
    pub case: CaseId,
    /// What was taken out of purses.
    pub taken: Yen,
    /// What stands ready because a bank could not pay it, the operator's part included.
    pub parked: Yen,
    /// What stood ready and went to the operator, because the bank had taken the debit back by itself.
    pub freed: Yen,
}

/// How often a give-back that failed is tried again under another id; afterwards the money must find another way.
pub const GIVE_BACKS_FAILED_MAX: usize = 8;

/// Money on its way back to the account that it was debited from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GiveBack {
    /// Its id, which is also the reference that the bank is asked with.
    pub id: GiveBackId,
    /// How much.
    pub amount: Yen,
    /// How far it is.
    pub status: GiveBackStatus,
    /// The bank still knew nothing of it after its cut-off: two people may say that it could not.
    pub absent: bool,
    /// The account has it by another way, as two people said: the operator paid it, and the bank still has what it debited.
    pub otherwise: bool,
}

/// How far a give-back is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum GiveBackStatus {
    /// The bank is to be asked.
    Pending,
    /// The account has it.
    Done,
    /// The bank could not: the desk tries again under another id, or finds another way, as two people say then. Until then the money
    /// stays in suspense.
    Failed,
    /// The bank had taken it back by itself: nothing is to be asked.
    TakenBack,
}

impl GiveBackStatus {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Done, Self::Failed, Self::TakenBack];

    /// The status as the API and the tables show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::TakenBack => "taken_back",
        }
    }
}

/// How far a top-up is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// The guard wants a look.
    Held,
    /// The bank may be asked.
    Pending,
    /// No final answer yet.
    InDoubt,
    /// Credited.
    Settled,
    /// The bank said no.
    Declined,
    /// Never debited, as the holder wished.
    Cancelled,
    /// Debited and given back.
    Returned,
    /// Taken back by the bank after the credit.
    Reversed,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Held,
        Self::Pending,
        Self::InDoubt,
        Self::Settled,
        Self::Declined,
        Self::Cancelled,
        Self::Returned,
        Self::Reversed,
    ];

    /// The status as the API and the tables show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Pending => "pending",
            Self::InDoubt => "in_doubt",
            Self::Settled => "settled",
            Self::Declined => "declined",
            Self::Cancelled => "cancelled",
            Self::Returned => "returned",
            Self::Reversed => "reversed",
        }
    }

    /// Whether its hold stands.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Held | Self::Pending | Self::InDoubt => true,
            Self::Settled | Self::Declined | Self::Cancelled | Self::Returned | Self::Reversed => false,
        }
    }
}

/// What is asked of top-ups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Top up.
    Request(Request),
    /// The desk has looked at a held one.
    DecideHeld {
        /// Which.
        top_up: TopUpId,
        /// Whether it goes on.
        release: bool,
        /// Who says so.
        by: StaffId,
    },
    /// Nobody looked at a held one in time.
    ExpireHeld {
        /// Which.
        top_up: TopUpId,
    },
    /// The bank was asked, and gave no answer yet.
    Asked {
        /// Which.
        top_up: TopUpId,
    },
    /// The bank answered.
    Answer {
        /// Which.
        top_up: TopUpId,
        /// What, and by which way.
        answer: Answer,
        /// The id of a give-back, should this answer need one.
        give_back: GiveBackId,
    },
    /// The holder wishes that it were not.
    Cancel {
        /// Which.
        top_up: TopUpId,
        /// By the wallet's holder.
        holder: HolderId,
    },
    /// The bank took it back.
    Reverse {
        /// Which.
        top_up: TopUpId,
        /// How much it took.
        amount: Yen,
    },
    /// The gateway says that the bank said something against what it had said before.
    Contradict {
        /// Of which top-up.
        top_up: TopUpId,
        /// What the bank says now.
        claim: Claim,
    },
    /// What was given back came back: the account does not have it.
    ReverseGiveBack {
        /// Of which top-up.
        top_up: TopUpId,
        /// Which.
        give_back: GiveBackId,
        /// How much came back.
        amount: Yen,
    },
    /// The bank answered to a give-back.
    AnswerGiveBack {
        /// Of which top-up.
        top_up: TopUpId,
        /// Which.
        give_back: GiveBackId,
        /// Whether the account has the money.
        done: bool,
    },
    /// The bank knew nothing of a give-back after its cut-off.
    AbsentGiveBack {
        /// Of which top-up.
        top_up: TopUpId,
        /// Which.
        give_back: GiveBackId,
    },
    /// The desk has cleared what kept the bank from giving back: it is to be asked again, under another id.
    RetryGiveBack {
        /// Of which top-up.
        top_up: TopUpId,
        /// The new id.
        give_back: GiveBackId,
        /// Who says so.
        by: StaffId,
    },
    /// One person of the desk says how a contradiction is settled.
    Propose {
        /// Which.
        top_up: TopUpId,
        /// How.
        resolution: Resolution,
        /// Who.
        by: StaffId,
    },
    /// Another person of the desk agrees, and it is done.
    Approve {
        /// Which.
        top_up: TopUpId,
        /// How, as it was proposed.
        resolution: Resolution,
        /// Who.
        by: StaffId,
        /// The id of a give-back, should this need one.
        give_back: GiveBackId,
    },
}

/// A top-up that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub top_up: TopUpId,
    /// Into which wallet.
    pub wallet: WalletId,
    /// By its holder.
    pub holder: HolderId,
    /// By which mandate.
    pub mandate: MandateId,
    /// How much.
    pub amount: Yen,
    /// Where from.
    pub origin: Option<Origin>,
    /// The proof that was given.
    pub proof: Option<Proof>,
}

impl Command {
    pub(crate) const fn subject(&self) -> (&'static str, Option<WalletId>, Yen) {
        match self {
            Self::Request(request) => ("top_up.request", Some(request.wallet), request.amount),
            Self::DecideHeld { .. } => ("top_up.decide_held", None, Yen::ZERO),
            Self::ExpireHeld { .. } => ("top_up.expire_held", None, Yen::ZERO),
            Self::Asked { .. } => ("top_up.asked", None, Yen::ZERO),
            Self::Answer { .. } => ("top_up.answer", None, Yen::ZERO),
            Self::Cancel { .. } => ("top_up.cancel", None, Yen::ZERO),
            Self::Reverse { amount, .. } => ("top_up.reverse", None, *amount),
            Self::Contradict { .. } => ("top_up.contradict", None, Yen::ZERO),
            Self::ReverseGiveBack { amount, .. } => ("top_up.reverse_give_back", None, *amount),
            Self::AnswerGiveBack { .. } => ("top_up.answer_give_back", None, Yen::ZERO),
            Self::AbsentGiveBack { .. } => ("top_up.absent_give_back", None, Yen::ZERO),
            Self::RetryGiveBack { .. } => ("top_up.retry_give_back", None, Yen::ZERO),
            Self::Propose { .. } => ("top_up.propose", None, Yen::ZERO),
            Self::Approve { .. } => ("top_up.approve", None, Yen::ZERO),
        }
    }

    /// The top-up that it is about.
    const fn top_up(&self) -> TopUpId {
        match self {
            Self::Request(request) => request.top_up,
            Self::DecideHeld { top_up, .. }
            | Self::ExpireHeld { top_up }
            | Self::Asked { top_up }
            | Self::Answer { top_up, .. }
            | Self::Cancel { top_up, .. }
            | Self::Reverse { top_up, .. }
            | Self::Contradict { top_up, .. }
            | Self::ReverseGiveBack { top_up, .. }
            | Self::AnswerGiveBack { top_up, .. }
            | Self::AbsentGiveBack { top_up, .. }
            | Self::RetryGiveBack { top_up, .. }
            | Self::Propose { top_up, .. }
            | Self::Approve { top_up, .. } => *top_up,
        }
    }
}

pub(crate) fn top_up_key(id: TopUpId) -> Key {
    Key::new(table::TOP_UP, id.0)
}

pub(crate) fn keys(command: &Command, keys: &mut Vec<Key>) {
    keys.push(top_up_key(command.top_up()));
    match command {
        Command::Request(request) => {
            let mandate = Key::new(table::MANDATE, request.mandate.0);
            keys.extend([Key::new(table::WALLET, request.wallet.0), mandate, switches::KEY]);
        }
        Command::DecideHeld { .. } => keys.push(switches::KEY),
        Command::ExpireHeld { .. } | Command::Asked { .. } | Command::Answer { .. } | Command::Cancel { .. } => {}
        Command::Reverse { .. } | Command::AnswerGiveBack { .. } | Command::RetryGiveBack { .. } => {}
        Command::Propose { .. } | Command::Approve { .. } => {}
        Command::Contradict { .. } | Command::ReverseGiveBack { .. } | Command::AbsentGiveBack { .. } => {}
    }
}

pub(crate) fn keys_further(command: &Command, rows: Rows<'_>, keys: &mut Vec<Key>) {
    if let Command::Request(request) = command {
        let person = rows.wallet(request.wallet).and_then(|wallet| wallet.person);
        keys.extend(person.map(|person| Key::new(table::PERSON, person.0)));
        let Some(mandate) = rows.mandate(request.mandate) else { return };
        keys.push(chart::key(chart::clearing(mandate.bank)));
        keys.extend(mandate.grant.map(|grant| Key::new(table::BANK_ACCOUNT, grant.bank_account.0)));
        return;
    }
    let Some(row) = rows.top_up(command.top_up()) else { return };
    let debit = &row.debit;
    keys.extend([
        Key::new(table::WALLET, debit.wallet.0),
        Key::new(table::BANK_ACCOUNT, debit.bank_account.0),
        Key::new(table::MANDATE, row.mandate.0),
        chart::key(chart::clearing(debit.bank)),
        chart::key(chart::suspense(Some(debit.bank))),
        chart::key(chart::receivable(debit.wallet)),
    ]);
    keys.extend(debit.person.map(|person| Key::new(table::PERSON, person.0)));
    if let Command::Approve { .. } = command {
        keys.push(chart::key(chart::paid_otherwise(debit.bank)));
    }
    if let Some(Restituted { case, .. }) = row.restituted {
        let (restitution, expense) = (chart::restitution(case), chart::reimbursement_expense(case));
        keys.extend([case_key(case), chart::key(restitution), chart::key(expense)]);
    }
}

pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment, context: &Context) -> Decided {
    if let Command::Request(command) = command {
        return request::request(rows, command, moment, context);
    }
    let row = rows.top_up(command.top_up()).ok_or(Refusal::Unknown { noun: Noun::TopUp })?;
    match command {
        Command::Request(command) => request::request(rows, command, moment, context),
        Command::DecideHeld { release, by, .. } => desk::decide_held(rows, row, *release, *by, moment),
        Command::ExpireHeld { .. } => desk::expire_held(row, moment),
        Command::Asked { .. } => answer::asked(row, moment),
        Command::Answer { answer, give_back, .. } => answer::answer(rows, row, *answer, *give_back, moment),
        Command::Cancel { holder, .. } => answer::cancel(rows, row, *holder, moment),
        Command::Reverse { amount, .. } => answer::reverse(rows, row, *amount, moment),
        Command::Contradict { claim, .. } => answer::contradict(row, *claim, moment),
        Command::ReverseGiveBack { give_back, amount, .. } => {
            answer::reverse_give_back(row, *give_back, *amount, moment)
        }
        Command::AnswerGiveBack { give_back, done, .. } => answer::answer_give_back(row, *give_back, *done, moment),
        Command::AbsentGiveBack { give_back, .. } => answer::absent_give_back(row, *give_back, moment),
        Command::RetryGiveBack { give_back, by, .. } => desk::retry_give_back(row, *give_back, *by, moment),
        Command::Propose { resolution, by, .. } => desk::propose(row, *resolution, *by, moment),
        Command::Approve { resolution, by, give_back, .. } => {
            desk::approve(rows, row, *resolution, *by, *give_back, moment)
        }
    }
}

impl TopUp {
    pub(crate) fn wrong_status(&self) -> Refusal {
        Refusal::WrongStatus { noun: Noun::TopUp, status: self.status.into() }
    }

    /// What the bank said against the record, which two people settle first.
    pub(crate) fn contradiction(&self) -> Refusal {
        Refusal::contradicted(Noun::TopUp, self.debit.amount, &self.claims, self.mismatch)
    }

    pub(crate) fn columns(&self) -> [Value; 5] {
        [
            Value::Id(self.debit.wallet.0),
            Value::Id(self.mandate.0),
            Value::Text(self.status.name()),
            Value::Integer(self.debit.amount.amount()),
            Value::Integer(self.debit.accepted.milliseconds()),
        ]
    }

    /// Whether two people of the desk must look at it before it goes on.
    pub const fn is_flagged(&self) -> bool {
        !self.claims.is_empty() || self.mismatch.is_some()
    }

    /// What the bank is to be asked to give back. Nothing while the desk must look: it may have taken it back by itself; and
    /// nothing once it could not: asked under the same id it would say the same.
    pub fn give_back_to_ask(&self) -> Option<&GiveBack> {
        let is_asked = |given: &&GiveBack| given.status == GiveBackStatus::Pending;
        self.give_back.as_ref().filter(is_asked).filter(|_| !self.is_flagged())
    }

    /// Whether money is still on its way back, or waits for the desk to send it again.
    pub fn gives_back(&self) -> bool {
        self.give_back.is_some_and(|given| match given.status {
            GiveBackStatus::Pending | GiveBackStatus::Failed => true,
            GiveBackStatus::Done | GiveBackStatus::TakenBack => false,
        })
    }

    /// Whether the account has what was to go back by another way than its bank.
    fn is_paid_otherwise(&self) -> bool {
        self.give_back.is_some_and(|given| given.otherwise)
    }

    /// What of a wrong debit waits in suspense.
    fn suspended(&self) -> Yen {
        self.mismatch.unwrap_or(Yen::ZERO)
    }

    fn receipt(&self, status: Status, is_flagged: bool) -> Receipt {
        Receipt::TopUp { id: self.debit.top_up, status, amount: self.debit.amount, is_flagged }
    }

    /// One event, after which the top-up is in `status`.
    #[expect(clippy::unnecessary_wraps, reason = "the last word of a decision")]
    fn done(&self, event: Event, status: Status) -> Decided {
        let is_flagged = !self.claims.is_empty() || (self.mismatch.is_some() && status.is_open());
        Ok((vec![crate::Event::TopUp(event)], self.receipt(status, is_flagged)))
    }

    /// What was said already is accepted, and changes nothing.
    #[expect(clippy::unnecessary_wraps, reason = "the last word of a decision")]
    fn silent(&self) -> Decided {
        Ok((Vec::new(), self.receipt(self.status, self.is_flagged())))
    }

    /// Records what the bank says against what is on record; each thing once.
    fn contradicted(&self, claim: Claim, moment: Moment) -> Decided {
        if !self.claims.is_news(claim) {
            return self.silent();
        }
        let event = Event::Contradicted { top_up: self.debit.top_up, claim, at: moment.now };
        Ok((vec![crate::Event::TopUp(event)], self.receipt(self.status, true)))
    }
}
