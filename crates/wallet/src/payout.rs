//! The payout (払出し): money out of a wallet to a bank account of the same verified person.
//!
//! | status | meaning |
//! |---|---|
//! | `held` | the guard wants a look, before the bank is asked; has a deadline and an owner |
//! | `pending` | the reference is durable, the bank may be asked; from here the hold never expires |
//! | `in_doubt` | no final answer yet, or one of a wrong amount; asked again; the desk sees each one |
//! | `settled` | the account has it |
//! | `declined` · `cancelled` | the bank said no · the holder wished so, and the bank had not paid |
//! | `returned` | the bank sent it back: the money is in the purse again, lot by lot |
//!
//! What a bank's answer does, by status (an answer that is on record already is accepted, and changes nothing):
//!
//! | status | paid, right amount | paid, wrong amount | not paid | nothing final | sent back |
//! |---|---|---|---|---|---|
//! | `held` | contradiction | contradiction | refused; contradiction if flagged | refused | contradiction |
//! | `pending` `in_doubt` | `settled` | to suspense, `in_doubt`, for the desk | `declined`; `cancelled` by wish | `in_doubt` | `returned` |
//! | `settled` | silent | contradiction | contradiction | silent | `returned` |
//! | `declined` `cancelled` | contradiction | contradiction | silent | silent | contradiction |
//! | `returned` | silent; contradiction if two people found that it was not paid | contradiction | silent | silent | silent |
//!
//! Sent back with another amount than the one paid is a contradiction in every status.
//!
//! A contradiction is recorded, flags the item and changes no money; two people of the desk resolve it. What the gateway
//! itself calls one is one here too in every status, unless it is what is on record. A payout that was
//! paid cannot be called back, so a wish to cancel that comes too late leaves it settled. Declined, cancelled and returned
//! give the lots back, to debts first, and free the count of the date on which the payout was accepted.
//!
//! Which money may go: what came from that very account, whatever its age; then other money, oldest first, young money
//! within the ageing rule. Money topped up from another account goes only aged, and only if the bank says of both accounts
//! that they are this person's.
//!
//! Start reading at [`decide`]; what each event does to balances is one function, [`Event::effects`].

mod answer;
mod desk;
mod event;
mod request;

pub use event::{Event, GivenBack};

use crate::bank_answer::{Answer, Claim, Claims, Proposal, Resolution, Review};
use crate::ids::{BankAccountId, BankCode, HolderId, PayoutId, PersonId, StaffId, TopUpId, WalletId};
use crate::purse::{Piece, Source};
use crate::refusal::{Noun, Proof, Refusal};
use crate::state::{Decided, Rows};
use crate::top_up::top_up_key;
use crate::traits::Origin;
use crate::{Context, Receipt, chart, switches, table};
use domain::{Key, Moment, Time, Value};
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// The credit at a bank that a payout is: from where to where, how much, and on which limits it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Credit {
    /// Which payout.
    pub payout: PayoutId,
    /// Out of which wallet.
    pub wallet: WalletId,
    /// To which account.
    pub bank_account: BankAccountId,
    /// At which bank.
    pub bank: BankCode,
    /// Whose wallet, if identified.
    pub person: Option<PersonId>,
    /// How much.
    pub amount: Yen,
    /// The young money in it, which counted on its business date.
    pub young: Yen,
    /// When it was accepted: its business date counts for limits.
    pub accepted: Time,
}

/// A payout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payout {
    /// The credit at the bank.
    pub credit: Credit,
    /// What it is made of.
    pub pieces: Vec<Piece>,
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
    /// A wrong amount that the bank paid, which stands in suspense.
    pub mismatch: Option<Yen>,
    /// What of it came back into suspense, because the wallet was closed or no lot stood for it.
    pub suspended: Yen,
    /// What the bank said against what is on record.
    pub claims: Claims,
    /// What one person of the desk proposed.
    pub proposal: Option<Proposal>,
    /// How two people settled the last contradiction: no later word of the bank undoes that by itself.
    pub resolved: Option<Resolution>,
    /// What of it came from this very account when it was asked for, by the top-ups that brought it: as long as it is on its
    /// way or there, they lack so much less.
    pub paid_back: Vec<(TopUpId, Yen)>,
}

/// How far a payout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// The guard wants a look.
    Held,
    /// The bank may be asked.
    Pending,
    /// No final answer yet.
    InDoubt,
    /// The account has it.
    Settled,
    /// The bank said no.
    Declined,
    /// Never paid, as the holder wished.
    Cancelled,
    /// Paid, and sent back by the bank.
    Returned,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Held, Self::Pending, Self::InDoubt, Self::Settled, Self::Declined, Self::Cancelled, Self::Returned];

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
        }
    }

    /// Whether its hold stands.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Held | Self::Pending | Self::InDoubt => true,
            Self::Settled | Self::Declined | Self::Cancelled | Self::Returned => false,
        }
    }
}

/// What is asked of payouts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Pay out.
    Request(Request),
    /// Pay out all there is, and close the wallet once that is paid.
    RequestLast(Request),
    /// The desk has looked at a held one.
    DecideHeld {
        /// Which.
        payout: PayoutId,
        /// Whether it goes on.
        release: bool,
        /// Who says so.
        by: StaffId,
    },
    /// Nobody looked at a held one in time.
    ExpireHeld {
        /// Which.
        payout: PayoutId,
    },
    /// The bank was asked, and gave no answer yet.
    Asked {
        /// Which.
        payout: PayoutId,
    },
    /// The bank answered.
    Answer {
        /// Which.
        payout: PayoutId,
        /// What, and by which way.
        answer: Answer,
    },
    /// The holder wishes that it were not.
    Cancel {
        /// Which.
        payout: PayoutId,
        /// By the wallet's holder.
        holder: HolderId,
    },
    /// The bank sent it back.
    Return {
        /// Which.
        payout: PayoutId,
        /// How much it sent.
        amount: Yen,
    },
    /// The gateway says that the bank said something against what it had said before.
    Contradict {
        /// Of which payout.
        payout: PayoutId,
        /// What the bank says now.
        claim: Claim,
    },
    /// One person of the desk says how a contradiction is settled.
    Propose {
        /// Which.
        payout: PayoutId,
        /// How.
        resolution: Resolution,
        /// Who.
        by: StaffId,
    },
    /// Another person of the desk agrees, and it is done.
    Approve {
        /// Which.
        payout: PayoutId,
        /// How, as it was proposed.
        resolution: Resolution,
        /// Who.
        by: StaffId,
    },
}

/// A payout that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub payout: PayoutId,
    /// Out of which wallet.
    pub wallet: WalletId,
    /// By its holder.
    pub holder: HolderId,
    /// To which account.
    pub bank_account: BankAccountId,
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
            Self::Request(request) => ("payout.request", Some(request.wallet), request.amount),
            Self::RequestLast(request) => ("payout.request_last", Some(request.wallet), request.amount),
            Self::DecideHeld { .. } => ("payout.decide_held", None, Yen::ZERO),
            Self::ExpireHeld { .. } => ("payout.expire_held", None, Yen::ZERO),
            Self::Asked { .. } => ("payout.asked", None, Yen::ZERO),
            Self::Answer { .. } => ("payout.answer", None, Yen::ZERO),
            Self::Cancel { .. } => ("payout.cancel", None, Yen::ZERO),
            Self::Return { amount, .. } => ("payout.return", None, *amount),
            Self::Contradict { .. } => ("payout.contradict", None, Yen::ZERO),
            Self::Propose { .. } => ("payout.propose", None, Yen::ZERO),
            Self::Approve { .. } => ("payout.approve", None, Yen::ZERO),
        }
    }

    /// The payout that it is about.
    const fn payout(&self) -> PayoutId {
        match self {
            Self::Request(request) | Self::RequestLast(request) => request.payout,
            Self::DecideHeld { payout, .. }
            | Self::ExpireHeld { payout }
            | Self::Asked { payout }
            | Self::Answer { payout, .. }
            | Self::Cancel { payout, .. }
            | Self::Return { payout, .. }
            | Self::Contradict { payout, .. }
            | Self::Propose { payout, .. }
            | Self::Approve { payout, .. } => *payout,
        }
    }
}

pub(crate) fn payout_key(id: PayoutId) -> Key {
    Key::new(table::PAYOUT, id.0)
}

fn bank_account_key(id: BankAccountId) -> Key {
    Key::new(table::BANK_ACCOUNT, id.0)
}

pub(crate) fn keys(command: &Command, keys: &mut Vec<Key>) {
    keys.push(payout_key(command.payout()));
    match command {
        Command::Request(request) | Command::RequestLast(request) => {
            let wallet = Key::new(table::WALLET, request.wallet.0);
            keys.extend([wallet, bank_account_key(request.bank_account), switches::KEY]);
        }
        Command::DecideHeld { .. } => keys.push(switches::KEY),
        Command::ExpireHeld { .. } | Command::Asked { .. } | Command::Answer { .. } | Command::Cancel { .. } => {}
        Command::Return { .. } | Command::Propose { .. } | Command::Approve { .. } => {}
        Command::Contradict { .. } => {}
    }
}

pub(crate) fn keys_further(command: &Command, rows: Rows<'_>, keys: &mut Vec<Key>) {
    if let Command::Request(request) | Command::RequestLast(request) = command {
        let Some(wallet) = rows.wallet(request.wallet) else { return };
        keys.extend(wallet.person.map(|person| Key::new(table::PERSON, person.0)));
        for lot in &wallet.funds.lots {
            let Source::TopUp(bank_account) = lot.source else { continue };
            let key = bank_account_key(bank_account);
            if bank_account == request.bank_account {
                keys.push(top_up_key(TopUpId(lot.id)));
            } else if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys.extend(rows.bank_account(request.bank_account).map(|row| chart::key(chart::clearing(row.bank))));
        return;
    }
    let Some(row) = rows.payout(command.payout()) else { return };
    let credit = &row.credit;
    keys.extend([
        Key::new(table::WALLET, credit.wallet.0),
        bank_account_key(credit.bank_account),
        chart::key(chart::clearing(credit.bank)),
        chart::key(chart::suspense(Some(credit.bank))),
        chart::key(chart::receivable(credit.wallet)),
        chart::key(chart::written_off()),
    ]);
    keys.extend(credit.person.map(|person| Key::new(table::PERSON, person.0)));
    keys.extend(row.paid_back.iter().map(|(top_up, _)| top_up_key(*top_up)));
}

/// What the command comes to, and with it what the top-ups lack that it pays back.
pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment, context: &Context) -> Decided {
    let (mut events, receipt) = decide_alone(rows, command, moment, context)?;
    let paid_back = events.iter().find_map(|event| match event {
        crate::Event::Payout(event) => event.paying_back(rows),
        crate::Event::Refused(_) | crate::Event::Holder(_) | crate::Event::Wallet(_) | crate::Event::Shop(_) => None,
        crate::Event::Payment(_) | crate::Event::Send(_) | crate::Event::Voucher(_) | crate::Event::Bonus(_) => None,
        crate::Event::Mandate(_) | crate::Event::TopUp(_) | crate::Event::Switches(_) => None,
        crate::Event::Case(_) | crate::Event::Reimbursement(_) => None,
    });
    events.extend(paid_back.map(crate::Event::Payout));
    Ok((events, receipt))
}

fn decide_alone(rows: Rows<'_>, command: &Command, moment: Moment, context: &Context) -> Decided {
    match command {
        Command::Request(request) => return request::request(rows, request, false, moment, context),
        Command::RequestLast(request) => return request::request(rows, request, true, moment, context),
        Command::DecideHeld { .. } | Command::ExpireHeld { .. } | Command::Asked { .. } | Command::Answer { .. } => {}
        Command::Cancel { .. } | Command::Return { .. } | Command::Contradict { .. } => {}
        Command::Propose { .. } | Command::Approve { .. } => {}
    }
    let row = rows.payout(command.payout()).ok_or(Refusal::Unknown { noun: Noun::Payout })?;
    match command {
        Command::Request(_) | Command::RequestLast(_) => row.silent(),
        Command::DecideHeld { release, by, .. } => desk::decide_held(rows, row, *release, *by, moment),
        Command::ExpireHeld { .. } => desk::expire_held(rows, row, moment),
        Command::Asked { .. } => answer::asked(row, moment),
        Command::Answer { answer, .. } => answer::answer(rows, row, *answer, moment),
        Command::Cancel { holder, .. } => answer::cancel(rows, row, *holder, moment),
        Command::Return { amount, .. } => answer::sent_back(rows, row, *amount, moment),
        Command::Contradict { claim, .. } => answer::contradict(row, *claim, moment),
        Command::Propose { resolution, by, .. } => desk::propose(row, *resolution, *by, moment),
        Command::Approve { resolution, by, .. } => desk::approve(rows, row, *resolution, *by, moment),
    }
}

impl Payout {
    fn wrong_status(&self) -> Refusal {
        Refusal::WrongStatus { noun: Noun::Payout, status: self.status.into() }
    }

    /// What the bank said against the record, which two people settle first.
    fn contradiction(&self) -> Refusal {
        Refusal::contradicted(Noun::Payout, self.credit.amount, &self.claims, self.mismatch)
    }

    pub(crate) fn columns(&self) -> [Value; 5] {
        [
            Value::Id(self.credit.wallet.0),
            Value::Id(self.credit.bank_account.0),
            Value::Text(self.status.name()),
            Value::Integer(self.credit.amount.amount()),
            Value::Integer(self.credit.accepted.milliseconds()),
        ]
    }

    /// Whether two people of the desk must look at it before it goes on.
    pub const fn is_flagged(&self) -> bool {
        !self.claims.is_empty() || self.mismatch.is_some()
    }

    /// What of a wrong payment stands in suspense.
    fn suspended(&self) -> Yen {
        self.mismatch.unwrap_or(Yen::ZERO)
    }

    fn receipt(&self, status: Status, is_flagged: bool) -> Receipt {
        Receipt::Payout { id: self.credit.payout, status, amount: self.credit.amount, is_flagged }
    }

    /// One event, after which the payout is in `status`.
    #[expect(clippy::unnecessary_wraps, reason = "the last word of a decision")]
    fn done(&self, event: Event, status: Status) -> Decided {
        let is_flagged = !self.claims.is_empty() || (self.mismatch.is_some() && status.is_open());
        Ok((vec![crate::Event::Payout(event)], self.receipt(status, is_flagged)))
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
        let event = Event::Contradicted { payout: self.credit.payout, claim, at: moment.now };
        Ok((vec![crate::Event::Payout(event)], self.receipt(self.status, true)))
    }
}
