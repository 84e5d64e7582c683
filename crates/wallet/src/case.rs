//! The case (案件): what the desk works on after a bank account's true holder said "not me".
//!
//! | status | meaning |
//! |---|---|
//! | `open` | what came from the account is kept where it lies, as far as the ledger follows it |
//! | `joined` | said once more while a case of the account was open: it is that case's |
//! | `closed` | two people have ended it: unfounded, and what was kept is free; or upheld, and it stays kept |
//!
//! A case's id is made of the news that opened it, so that the same news opens nothing twice, whatever became of the case.
//! What is kept are lots, by [`crate::wallet::Blocked`]; whoever follows the money from wallet to wallet names them one by one.
//! Start reading at [`decide`].

mod event;

pub use event::Event;

use crate::ids::{BankAccountId, CaseId, StaffId, WalletId};
use crate::refusal::{FrozenBy, Limit, Noun, Refusal, Stated};
use crate::state::{Decided, Rows};
use crate::wallet::{BLOCKS_MAX, Block, Blocked, Wallet};
use crate::{Context, Receipt, table};
use domain::{Key, Moment, Time, Value};
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// The most wallets in which one case keeps money.
pub const CASE_WALLETS_MAX: usize = 256;

/// A case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The account whose holder said "not me".
    pub about: BankAccountId,
    /// Since when.
    pub opened: Time,
    /// How far it is.
    pub status: Status,
    /// Where money is kept, each wallet once.
    pub wallets: Vec<Kept>,
    /// What one person of the desk proposed.
    pub proposal: Option<Proposal>,
    /// How it ended.
    pub closed: Option<Closed>,
    /// What goes back to the account, or is there: what was approved and did not fail.
    pub reimbursed: Yen,
    /// What stands ready for the account because a bank could not pay it: the sum of what stands ready for each debit.
    pub parked: Yen,
}

/// Money that a case keeps in a wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// In which.
    pub wallet: WalletId,
    /// What was caught when it was looked for, in yen.
    pub caught: Yen,
}

/// How far a case is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// The desk works on it.
    Open,
    /// It is another case's.
    Joined(CaseId),
    /// It has ended.
    Closed,
}

impl Status {
    /// The status as the API and the tables show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Joined(_) => "joined",
            Self::Closed => "closed",
        }
    }
}

/// What the desk found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Finding {
    /// The link was the account holder's own after all: what was kept is free.
    Unfounded,
    /// The money is the account holder's: it stays where it is until it goes back to them.
    Upheld,
}

impl Finding {
    /// The finding as the API shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unfounded => "unfounded",
            Self::Upheld => "upheld",
        }
    }
}

/// What one person of the desk proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Proposal {
    /// What they found.
    pub finding: Finding,
    /// Who.
    pub by: StaffId,
}

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Closed {
    /// What was found.
    pub finding: Finding,
    /// Who agreed.
    pub by: StaffId,
    /// When.
    pub at: Time,
}

/// What is asked of cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The account's holder said "not me".
    Open {
        /// The case, by the news of it.
        case: CaseId,
        /// Of which account.
        bank_account: BankAccountId,
    },
    /// Keep money where it lies.
    Keep {
        /// For which case.
        case: CaseId,
        /// In which wallet.
        wallet: WalletId,
        /// What.
        what: Blocked,
    },
    /// One person of the desk says how it ends.
    ProposeClosing {
        /// Which.
        case: CaseId,
        /// What they found.
        finding: Finding,
        /// Who.
        by: StaffId,
    },
    /// Another person of the desk agrees.
    Close {
        /// Which.
        case: CaseId,
        /// What was found, as it was proposed.
        finding: Finding,
        /// Who.
        by: StaffId,
    },
}

impl Command {
    pub(crate) const fn subject(&self) -> (&'static str, Option<WalletId>, Yen) {
        let name = match self {
            Self::Open { .. } => "case.open",
            Self::Keep { .. } => "case.keep",
            Self::ProposeClosing { .. } => "case.propose_closing",
            Self::Close { .. } => "case.close",
        };
        (name, None, Yen::ZERO)
    }
}

pub(crate) const fn case_key(id: CaseId) -> Key {
    Key::new(table::CASE, id.0)
}

pub(crate) fn keys(command: &Command, keys: &mut Vec<Key>) {
    match command {
        Command::Open { case, bank_account } => {
            keys.extend([case_key(*case), Key::new(table::BANK_ACCOUNT, bank_account.0)]);
        }
        Command::Keep { case, wallet, .. } => keys.extend([case_key(*case), Key::new(table::WALLET, wallet.0)]),
        Command::ProposeClosing { case, .. } | Command::Close { case, .. } => keys.push(case_key(*case)),
    }
}

pub(crate) fn keys_further(command: &Command, rows: Rows<'_>, keys: &mut Vec<Key>) {
    match command {
        Command::Open { case, bank_account } => {
            let row = rows.case(*case);
            let open = rows.bank_account(*bank_account).and_then(|account| account.case);
            keys.extend(row.map(|row| row.status).and_then(joined).or(open).filter(|id| id != case).map(case_key));
        }
        Command::Close { case, finding: Finding::Unfounded, .. } => {
            let Some(row) = rows.case(*case) else { return };
            keys.push(Key::new(table::BANK_ACCOUNT, row.about.0));
            keys.extend(row.wallets.iter().map(|kept| Key::new(table::WALLET, kept.wallet.0)));
        }
        Command::Close { case, finding: Finding::Upheld, .. } => {
            keys.extend(rows.case(*case).map(|row| Key::new(table::BANK_ACCOUNT, row.about.0)));
        }
        Command::Keep { .. } | Command::ProposeClosing { .. } => {}
    }
}

const fn joined(status: Status) -> Option<CaseId> {
    match status {
        Status::Joined(into) => Some(into),
        Status::Open | Status::Closed => None,
    }
}

pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment, context: &Context) -> Decided {
    match command {
        Command::Open { case, bank_account } => open(rows, *case, *bank_account, moment),
        Command::Keep { case, wallet, what } => keep(rows, *case, *wallet, *what, moment, context),
        Command::ProposeClosing { case, finding, by } => {
            propose(rows, *case, Proposal { finding: *finding, by: *by }, moment)
        }
        Command::Close { case, finding, by } => close(rows, *case, Proposal { finding: *finding, by: *by }, moment),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the last word of a decision")]
fn done(event: Option<Event>, id: CaseId, status: Status) -> Decided {
    Ok((event.into_iter().map(crate::Event::Case).collect(), Receipt::Case { id, status }))
}

fn known(rows: Rows<'_>, id: CaseId) -> Result<&Case, Refusal> {
    rows.case(id).ok_or(Refusal::Unknown { noun: Noun::Case })
}

/// The receipt names the case that the news belongs to. Refusals in order: an account that no wallet ever had.
fn open(rows: Rows<'_>, id: CaseId, bank_account: BankAccountId, moment: Moment) -> Decided {
    if let Some(case) = rows.case(id) {
        return match joined(case.status) {
            Some(into) => done(None, into, known(rows, into)?.status),
            None => done(None, id, case.status),
        };
    }
    let account = rows.bank_account(bank_account).ok_or(Refusal::Unknown { noun: Noun::BankAccount })?;
    if let Some(into) = account.case {
        let event = Event::Joined { case: id, into, bank_account, at: moment.now };
        return done(Some(event), into, Status::Open);
    }
    done(Some(Event::Opened { case: id, bank_account, at: moment.now }), id, Status::Open)
}

/// Refusals in order: unknown (the case, the wallet), no open case, more than a case or a wallet may have.
fn keep(rows: Rows<'_>, id: CaseId, wallet_id: WalletId, what: Blocked, moment: Moment, context: &Context) -> Decided {
    let case = known(rows, id)?;
    let wallet = rows.wallet(wallet_id).ok_or(Refusal::Unknown { noun: Noun::Wallet })?;
    if case.status != Status::Open {
        return Err(case.wrong_status());
    }
    let before = wallet.blocks().iter().find(|block| block.case == id && block.what.is_about(what));
    if before.is_some_and(|before| is_no_more(what, before.what)) {
        return done(None, id, case.status);
    }
    let is_new = case.wallets.iter().all(|kept| kept.wallet != wallet_id);
    if is_new && case.wallets.len() >= CASE_WALLETS_MAX {
        return Err(Refusal::full(Limit::Blocks, CASE_WALLETS_MAX));
    }
    if before.is_none() && wallet.blocks().len() >= BLOCKS_MAX {
        return Err(Refusal::full(Limit::Blocks, BLOCKS_MAX));
    }
    let event = Event::Kept {
        block: Block { case: id, what },
        wallet: wallet_id,
        caught: wallet.kept_by(id, Some(what)).saturating_sub(wallet.kept_by(id, None)),
        freezes: freezes(wallet, what, moment, context),
        at: moment.now,
    };
    done(Some(event), id, case.status)
}

/// Whether `before` keeps all that `what` would.
fn is_no_more(what: Blocked, before: Blocked) -> bool {
    match (what, before) {
        (
            Blocked::Sent { amount, .. } | Blocked::SentOf { amount, .. },
            Blocked::Sent { amount: before, .. } | Blocked::SentOf { amount: before, .. },
        ) => amount <= before,
        (Blocked::TopUps(_), _) | (Blocked::Sent { .. } | Blocked::SentOf { .. }, Blocked::TopUps(_)) => true,
    }
}

/// Whether the whole wallet is frozen as well: the one that linked the account. Its holder may have linked others' too, whose
/// holders have not been heard yet.
fn freezes(wallet: &Wallet, what: Blocked, moment: Moment, context: &Context) -> bool {
    let is_linking = match what {
        Blocked::TopUps(_) => context.policies.on(moment.now.day()).case.disowned_freezes_wallet,
        Blocked::Sent { .. } | Blocked::SentOf { .. } => false,
    };
    is_linking && !wallet.closed && !wallet.frozen_by.contains(&FrozenBy::Desk)
}

impl Case {
    pub(crate) fn wrong_status(&self) -> Refusal {
        Refusal::WrongStatus { noun: Noun::Case, status: self.status.into() }
    }

    /// Refuses what cannot end in this way: only what was upheld may still be found to be unfounded, as long as nobody was
    /// reimbursed for it.
    fn check_closing(&self, finding: Finding) -> Result<(), Refusal> {
        let before = self.closed.map(|closed| closed.finding);
        match (self.status, before, finding) {
            (Status::Open, _, _) => Ok(()),
            (Status::Closed, Some(Finding::Upheld), Finding::Unfounded)
                if self.reimbursed.is_zero() && self.parked.is_zero() =>
            {
                Ok(())
            }
            (Status::Joined(_) | Status::Closed, _, _) => Err(self.wrong_status()),
        }
    }

    pub(crate) fn columns(&self) -> [Value; 4] {
        [
            Value::Id(self.about.0),
            Value::Text(self.status.name()),
            Value::Integer(i64::try_from(self.wallets.len()).unwrap_or(i64::MAX)),
            Value::Integer(self.opened.milliseconds()),
        ]
    }
}

/// Refusals in order: unknown, status.
fn propose(rows: Rows<'_>, id: CaseId, proposal: Proposal, moment: Moment) -> Decided {
    let case = known(rows, id)?;
    case.check_closing(proposal.finding)?;
    let event = Event::ClosingProposed { case: id, finding: proposal.finding, by: proposal.by, at: moment.now };
    done(Some(event).filter(|_| case.proposal != Some(proposal)), id, case.status)
}

/// Refusals in order: unknown, status, not what was proposed, the same person.
fn close(rows: Rows<'_>, id: CaseId, approval: Proposal, moment: Moment) -> Decided {
    let case = known(rows, id)?;
    case.check_closing(approval.finding)?;
    match case.proposal {
        Some(proposal) if proposal == approval => return Err(Refusal::SecondPersonNeeded),
        Some(proposal) if proposal.finding == approval.finding => {}
        other => {
            let on_record = other.map_or(Stated::Nothing, |proposal| Stated::Finding(proposal.finding));
            let said = Stated::Finding(approval.finding);
            return Err(Refusal::NotAsOnRecord { noun: Noun::Case, on_record, came: said });
        }
    }
    let freed = match approval.finding {
        Finding::Unfounded => case.wallets.iter().map(|kept| kept.wallet).collect(),
        Finding::Upheld => Vec::new(),
    };
    let (finding, by) = (approval.finding, approval.by);
    let event = Event::Closed { case: id, bank_account: case.about, freed, finding, by, at: moment.now };
    done(Some(event), id, Status::Closed)
}
