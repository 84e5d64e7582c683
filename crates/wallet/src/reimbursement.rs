//! The reimbursement (補償): what was debited from the account of somebody who says "not me" goes back to that account.
//!
//! | status | meaning |
//! |---|---|
//! | `proposed` | one person of the desk says how much of one debit |
//! | `refused` | somebody of the desk says no; nothing was moved |
//! | `pending` | another person agreed: the money stands ready, and the bank may be asked |
//! | `in_doubt` | the bank was asked, and gave no final answer |
//! | `done` | the account has it |
//! | `failed` | the bank could not: the money stays ready for the next one of the same debit |
//!
//! It is of one top-up of a case that two people have upheld, and all of a top-up's reimbursements together are never more than
//! was debited; one case alone reimburses it. Where the account's true holder had confirmed the link, whoever proposes it says
//! that they know. What the case keeps of the debit pays first, its own lot and then what was sent on; the operator pays the rest.
//! What came by another debit of the account pays for that one alone, wherever it was sent: its bank may take it back by itself. All of it stands in the
//! case's restitution account until the bank has paid it out, as a return of that very debit: the gateway gives no more back of one
//! than it was.
//!
//! What stands ready has an end. If the bank takes the debit back by itself, what was taken for it is not owed once more, and what
//! stood ready goes to the operator, who pays the bank. What no bank could pay and another way paid two people settle (`settle`): the
//! bank moved nothing, and what it still owes us is the operator's, who paid. What stands ready of more than the debit still lacks,
//! because a payout brought it back meanwhile, two people leave to the operator (`keep`).
//!
//! What a bank says, by status:
//!
//! | status | the account has it | it could not | it came back, or was another amount |
//! |---|---|---|---|
//! | `pending` `in_doubt` | `done`; refused if flagged | `failed`; refused if flagged | contradiction |
//! | `done` | silent | contradiction | contradiction |
//! | `done` by another way | contradiction | silent | contradiction |
//! | `failed` | contradiction | silent | contradiction |
//!
//! One of which the bank still knew nothing after its cut-off waits for two people, who may say that it failed (`decline`): the
//! bank never said no, and if it paid after all, that is a contradiction.
//!
//! A contradiction is recorded, flags it and moves no money; two people of the desk settle it. Where it is open, the account has
//! it (`settle`) or has it not (`decline`); where it is done, it stays (`keep`) or the account has it not after all (`decline`);
//! where it failed, it stays (`keep`) or the account has it after all (`settle`), unless others have filled up the debit since. Where
//! another way had paid it, the bank did so too (`settle`), or it did not (`keep`).
//! Start reading at [`decide`].

mod event;
mod resolve;

pub use event::Event;

use crate::bank_answer::{Claim, Claims, Proposal, Resolution};
use crate::case::{self, Case, Finding, case_key};
use crate::ids::{BankAccountId, BankCode, CaseId, MandateId, ReimbursementId, StaffId, TopUpId, WalletId};
use crate::purse::{Lot, Piece, Purse, Source};
use crate::refusal::{Limit, Noun, Refusal, Stated};
use crate::standing::Standing;
use crate::state::{Decided, Rows, check_clock};
use crate::top_up::{self, TopUp, top_up_key};
use crate::{Receipt, chart, table};
use domain::{Key, Moment, Time, Value};
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// The most lots that one reimbursement takes out of purses; the operator pays what more would have.
pub const TAKEN_MAX: usize = 256;

/// The credit at a bank that a reimbursement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Credit {
    /// Which. It is also the reference that the bank is asked with.
    pub reimbursement: ReimbursementId,
    /// Of which case.
    pub case: CaseId,
    /// Of which debit.
    pub top_up: TopUpId,
    /// To the account that was debited.
    pub bank_account: BankAccountId,
    /// At which bank.
    pub bank: BankCode,
    /// How much.
    pub amount: Yen,
}

/// What was taken out of a purse for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Out of which wallet.
    pub wallet: WalletId,
    /// What.
    pub piece: Piece,
}

/// A reimbursement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reimbursement {
    /// The credit at the bank.
    pub credit: Credit,
    /// By which link it was debited.
    pub mandate: MandateId,
    /// Whether whoever proposed it knew that the account's true holder had confirmed that link.
    pub although_confirmed: bool,
    /// How far it is.
    pub status: Status,
    /// Who proposed it.
    pub proposed_by: StaffId,
    /// When.
    pub proposed: Time,
    /// Who approved or refused it, and when.
    pub decided: Option<(StaffId, Time)>,
    /// What the case kept in purses, and pays for it.
    pub taken: Vec<Taken>,
    /// What stood ready from others of the debit that failed.
    pub parked: Yen,
    /// What the operator pays.
    pub expense: Yen,
    /// What the bank said against what is on record.
    pub claims: Claims,
    /// How one person of the desk wants that to be settled.
    pub proposal: Option<Proposal>,
    /// The bank still knew nothing of it after its cut-off: it is asked on, and two people may say that it failed.
    pub absent: bool,
    /// The account has it by another way, as two people said: the operator paid it, and the bank still has what it debited.
    pub otherwise: bool,
}

/// How far a reimbursement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// It waits for another person.
    Proposed,
    /// Somebody said no.
    Refused,
    /// The bank may be asked.
    Pending,
    /// No final answer yet.
    InDoubt,
    /// The account has it.
    Done,
    /// The bank could not.
    Failed,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Proposed, Self::Refused, Self::Pending, Self::InDoubt, Self::Done, Self::Failed];

    /// The status as the API and the tables show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Refused => "refused",
            Self::Pending => "pending",
            Self::InDoubt => "in_doubt",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// Whether the bank may be asked, and has not finally answered.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Pending | Self::InDoubt => true,
            Self::Proposed | Self::Refused | Self::Done | Self::Failed => false,
        }
    }
}

/// What is asked of reimbursements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// One person of the desk proposes one.
    Propose {
        /// Its id.
        reimbursement: ReimbursementId,
        /// Of which case.
        case: CaseId,
        /// Of which debit.
        top_up: TopUpId,
        /// How much.
        amount: Yen,
        /// Whether they know that the account's true holder had confirmed the link, if they had.
        although_confirmed: bool,
        /// Who.
        by: StaffId,
    },
    /// Another person of the desk agrees.
    Approve {
        /// Which.
        reimbursement: ReimbursementId,
        /// Of which case: its row names the wallets that are needed.
        case: CaseId,
        /// Who.
        by: StaffId,
    },
    /// Somebody of the desk says no.
    Refuse {
        /// Which.
        reimbursement: ReimbursementId,
        /// Who.
        by: StaffId,
    },
    /// The bank was asked, and gave no final answer.
    Asked {
        /// Which.
        reimbursement: ReimbursementId,
    },
    /// The bank's final answer.
    Answer {
        /// Which.
        reimbursement: ReimbursementId,
        /// Whether the account has the money.
        done: bool,
    },
    /// The bank said something that does not fit.
    Contradict {
        /// Of which.
        reimbursement: ReimbursementId,
        /// What.
        claim: Claim,
    },
    /// One person of the desk says how a contradiction is settled.
    ProposeResolution {
        /// Of which.
        reimbursement: ReimbursementId,
        /// How.
        resolution: Resolution,
        /// Who.
        by: StaffId,
    },
    /// Another person of the desk agrees, and it is done.
    ApproveResolution {
        /// Of which.
        reimbursement: ReimbursementId,
        /// How, as it was proposed.
        resolution: Resolution,
        /// Who.
        by: StaffId,
    },
    /// The bank knew nothing of it after its cut-off.
    Absent {
        /// Of which.
        reimbursement: ReimbursementId,
    },
}

impl Command {
    pub(crate) const fn subject(&self) -> (&'static str, Option<WalletId>, Yen) {
        match self {
            Self::Propose { amount, .. } => ("reimbursement.propose", None, *amount),
            Self::Approve { .. } => ("reimbursement.approve", None, Yen::ZERO),
            Self::Refuse { .. } => ("reimbursement.refuse", None, Yen::ZERO),
            Self::Asked { .. } => ("reimbursement.asked", None, Yen::ZERO),
            Self::Answer { .. } => ("reimbursement.answer", None, Yen::ZERO),
            Self::Contradict { .. } => ("reimbursement.contradict", None, Yen::ZERO),
            Self::ProposeResolution { .. } => ("reimbursement.propose_resolution", None, Yen::ZERO),
            Self::ApproveResolution { .. } => ("reimbursement.approve_resolution", None, Yen::ZERO),
            Self::Absent { .. } => ("reimbursement.absent", None, Yen::ZERO),
        }
    }

    /// The reimbursement that it is about.
    pub const fn reimbursement(&self) -> ReimbursementId {
        match self {
            Self::Propose { reimbursement, .. }
            | Self::Approve { reimbursement, .. }
            | Self::Refuse { reimbursement, .. }
            | Self::Asked { reimbursement }
            | Self::Answer { reimbursement, .. }
            | Self::Contradict { reimbursement, .. }
            | Self::ProposeResolution { reimbursement, .. }
            | Self::ApproveResolution { reimbursement, .. }
            | Self::Absent { reimbursement } => *reimbursement,
        }
    }
}

pub(crate) fn reimbursement_key(id: ReimbursementId) -> Key {
    Key::new(table::REIMBURSEMENT, id.0)
}

const fn mandate_key(id: MandateId) -> Key {
    Key::new(table::MANDATE, id.0)
}

pub(crate) fn keys(command: &Command, keys: &mut Vec<Key>) {
    keys.push(reimbursement_key(command.reimbursement()));
    match command {
        Command::Propose { case, top_up, .. } => keys.extend([case_key(*case), top_up_key(*top_up)]),
        Command::Approve { case, .. } => keys.push(case_key(*case)),
        Command::Refuse { .. } | Command::Asked { .. } | Command::Answer { .. } | Command::Contradict { .. } => {}
        Command::ProposeResolution { .. } | Command::ApproveResolution { .. } | Command::Absent { .. } => {}
    }
}

pub(crate) fn keys_further(command: &Command, rows: Rows<'_>, keys: &mut Vec<Key>) {
    if let Command::Propose { top_up, .. } = command {
        keys.extend(rows.top_up(*top_up).map(|row| mandate_key(row.mandate)));
    }
    let Some(row) = rows.reimbursement(command.reimbursement()) else { return };
    let credit = &row.credit;
    match command {
        Command::Approve { case, .. } => {
            keys.extend([top_up_key(credit.top_up), mandate_key(row.mandate)]);
            keys.extend([chart::key(chart::restitution(*case)), chart::key(chart::reimbursement_expense(*case))]);
            let wallets = rows.case(*case).into_iter().flat_map(|row| &row.wallets);
            keys.extend(wallets.map(|kept| Key::new(table::WALLET, kept.wallet.0)));
        }
        Command::Answer { .. } | Command::ApproveResolution { .. } => keys.extend([
            top_up_key(credit.top_up),
            case_key(credit.case),
            chart::key(chart::restitution(credit.case)),
            chart::key(chart::clearing(credit.bank)),
            chart::key(chart::reimbursement_expense(credit.case)),
            chart::key(chart::paid_otherwise(credit.bank)),
        ]),
        Command::ProposeResolution { .. } => keys.push(top_up_key(credit.top_up)),
        Command::Absent { .. } => {}
        Command::Propose { .. } | Command::Refuse { .. } | Command::Asked { .. } | Command::Contradict { .. } => {}
    }
}

pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment) -> Decided {
    match command {
        Command::Propose { reimbursement, case, top_up, amount, although_confirmed, by } => {
            propose(rows, *reimbursement, (*case, *top_up, *amount), *although_confirmed, *by, moment)
        }
        Command::Approve { reimbursement, case, by } => approve(rows, known(rows, *reimbursement)?, *case, *by, moment),
        Command::Refuse { reimbursement, by } => refuse(known(rows, *reimbursement)?, *by, moment),
        Command::Asked { reimbursement } => asked(known(rows, *reimbursement)?, moment),
        Command::Absent { reimbursement } => absent(known(rows, *reimbursement)?, moment),
        Command::Answer { reimbursement, done } => answer(rows, known(rows, *reimbursement)?, *done, moment),
        Command::Contradict { reimbursement, claim } => contradict(known(rows, *reimbursement)?, *claim, moment),
        Command::ProposeResolution { reimbursement, resolution, by } => {
            resolve::propose(rows, known(rows, *reimbursement)?, *resolution, *by, moment)
        }
        Command::ApproveResolution { reimbursement, resolution, by } => {
            resolve::approve(rows, known(rows, *reimbursement)?, *resolution, *by, moment)
        }
    }
}

fn known(rows: Rows<'_>, id: ReimbursementId) -> Result<&Reimbursement, Refusal> {
    rows.reimbursement(id).ok_or(Refusal::Unknown { noun: Noun::Reimbursement })
}

impl TopUp {
    /// What was debited for it and has not come back to the account: neither given back or taken back, nor paid out to it, nor
    /// reimbursed, nor on its way there.
    pub const fn lacking(&self) -> Yen {
        match self.status {
            top_up::Status::Settled => self.debit.amount.saturating_sub(self.reimbursed).saturating_sub(self.paid_back),
            top_up::Status::Held | top_up::Status::Pending | top_up::Status::InDoubt => Yen::ZERO,
            top_up::Status::Declined | top_up::Status::Cancelled => Yen::ZERO,
            top_up::Status::Returned | top_up::Status::Reversed => Yen::ZERO,
        }
    }

    /// What stands ready for its account, because a bank could not pay it.
    pub fn parked(&self) -> Yen {
        self.restituted.map_or(Yen::ZERO, |restituted| restituted.parked)
    }

    /// What of that stands ready for nothing: its account has so much by another way.
    fn surplus(&self) -> Yen {
        self.parked().saturating_sub(self.lacking())
    }
}

/// Refuses what may not be reimbursed, in this order: the case is not upheld, the top-up is not credited, a contradiction of the
/// top-up comes first, another case reimburses it, its link was confirmed and nobody said that they know, more than it lacks.
fn check(
    rows: Rows<'_>,
    case: &Case,
    top_up: &TopUp,
    (case_id, amount): (CaseId, Yen),
    although_confirmed: bool,
) -> Result<(), Refusal> {
    let is_upheld = case.closed.is_some_and(|closed| closed.finding == Finding::Upheld);
    if case.status != case::Status::Closed || !is_upheld {
        return Err(case.wrong_status());
    }
    if top_up.status != top_up::Status::Settled {
        return Err(top_up.wrong_status());
    }
    if top_up.is_flagged() {
        return Err(top_up.contradiction());
    }
    if let Some(restituted) = top_up.restituted.filter(|restituted| restituted.case != case_id) {
        let (on_record, said) = (Stated::Case(restituted.case), Stated::Case(case_id));
        return Err(Refusal::NotAsOnRecord { noun: Noun::Case, on_record, came: said });
    }
    let mandate = rows.mandate(top_up.mandate).ok_or(Refusal::Unknown { noun: Noun::Mandate })?;
    if mandate.confirmed && !although_confirmed {
        return Err(Refusal::WrongStatus { noun: Noun::Mandate, status: Standing::ConfirmedByTrueHolder });
    }
    check_left(top_up, top_up.lacking(), amount)
}

fn check_left(top_up: &TopUp, left: Yen, amount: Yen) -> Result<(), Refusal> {
    if amount > left {
        let (at_most, left, requested) = (top_up.debit.amount.amount(), left.amount(), amount.amount());
        return Err(Refusal::LimitExceeded { limit: Limit::Debited, at_most, left, requested, from: None });
    }
    Ok(())
}

/// Refusals in order: zero, unknown (the case, the top-up, or another account's), the id taken, then as [`check`].
fn propose(
    rows: Rows<'_>,
    id: ReimbursementId,
    (case_id, top_up_id, amount): (CaseId, TopUpId, Yen),
    although_confirmed: bool,
    by: StaffId,
    moment: Moment,
) -> Decided {
    if amount.is_zero() {
        return Err(Refusal::AmountZero);
    }
    let case = rows.case(case_id).ok_or(Refusal::Unknown { noun: Noun::Case })?;
    let top_up = rows.top_up(top_up_id).filter(|top_up| top_up.debit.bank_account == case.about);
    let top_up = top_up.ok_or(Refusal::Unknown { noun: Noun::TopUp })?;
    let (bank_account, bank) = (top_up.debit.bank_account, top_up.debit.bank);
    let credit = Credit { reimbursement: id, case: case_id, top_up: top_up_id, bank_account, bank, amount };
    if let Some(row) = rows.reimbursement(id) {
        let is_same = (row.credit, row.although_confirmed, row.proposed_by) == (credit, although_confirmed, by);
        return if is_same { row.silent() } else { Err(Refusal::Taken { noun: Noun::Reimbursement, id: id.0 }) };
    }
    check(rows, case, top_up, (case_id, amount), although_confirmed)?;
    let event = Event::Proposed { credit, mandate: top_up.mandate, although_confirmed, by, at: moment.now };
    let receipt = Receipt::Reimbursement { id, status: Status::Proposed, amount, is_flagged: false };
    Ok((vec![crate::Event::Reimbursement(event)], receipt))
}

/// Refusals in order: unknown (also of another case), clock, not proposed any more, the same person, then as [`check`].
fn approve(rows: Rows<'_>, row: &Reimbursement, case_id: CaseId, by: StaffId, moment: Moment) -> Decided {
    let unknown = Refusal::Unknown { noun: Noun::Reimbursement };
    let (Some(case), true) = (rows.case(case_id), row.credit.case == case_id) else { return Err(unknown) };
    check_clock(moment)?;
    if row.status != Status::Proposed {
        return Err(row.wrong_status());
    }
    if row.proposed_by == by {
        return Err(Refusal::SecondPersonNeeded);
    }
    let top_up = rows.top_up(row.credit.top_up).ok_or(Refusal::Unknown { noun: Noun::TopUp })?;
    check(rows, case, top_up, (case_id, row.credit.amount), row.although_confirmed)?;
    let parked = top_up.parked().min(row.credit.amount);
    let (taken, expense) = take(rows, case, row, row.credit.amount.saturating_sub(parked));
    let event = Event::Approved { credit: row.credit, taken, parked, expense, by, at: moment.now };
    row.done(event, Status::Pending)
}

/// What the case keeps of the debit pays `amount` as far as it reaches, its own lot first, then what was sent on; the rest is the
/// operator's.
fn take(rows: Rows<'_>, case: &Case, row: &Reimbursement, amount: Yen) -> (Vec<Taken>, Yen) {
    let credit = &row.credit;
    let is_its_own = |lot: &Lot| lot.id == credit.top_up.0 && lot.source == Source::TopUp(credit.bank_account);
    let mut kept: Vec<(WalletId, Lot)> = Vec::new();
    for wallet in case.wallets.iter().map(|kept| kept.wallet) {
        let lots = rows.wallet(wallet).map(|row| row.kept_for(credit.case, credit.top_up)).unwrap_or_default();
        kept.extend(lots.into_iter().map(|lot| (wallet, lot)));
    }
    kept.sort_by_key(|(_, lot)| !is_its_own(lot));
    let mut left = amount;
    let mut taken = Vec::new();
    for (wallet, lot) in kept.into_iter().take(TAKEN_MAX) {
        let part = lot.amount.min(left);
        if part.is_zero() {
            break;
        }
        left = left.saturating_sub(part);
        taken.push(Taken { wallet, piece: Piece { purse: Purse::Funds, lot: Lot { amount: part, ..lot } } });
    }
    (taken, left)
}

/// Refusals in order: not proposed any more. Whoever proposed it may take it back.
fn refuse(row: &Reimbursement, by: StaffId, moment: Moment) -> Decided {
    match row.status {
        Status::Proposed => {
            let event = Event::Refused { reimbursement: row.credit.reimbursement, by, at: moment.now };
            row.done(event, Status::Refused)
        }
        Status::Refused => row.silent(),
        Status::Pending | Status::InDoubt | Status::Done | Status::Failed => Err(row.wrong_status()),
    }
}

/// The bank was asked and said nothing final: noted once.
fn asked(row: &Reimbursement, moment: Moment) -> Decided {
    match row.status {
        Status::Pending => {
            let event = Event::Asked { reimbursement: row.credit.reimbursement, at: moment.now };
            row.done(event, Status::InDoubt)
        }
        Status::InDoubt | Status::Done | Status::Failed => row.silent(),
        Status::Proposed | Status::Refused => Err(row.wrong_status()),
    }
}

/// The bank knew nothing of it to the last: noted once. It is no answer, for the bank itself never said no.
fn absent(row: &Reimbursement, moment: Moment) -> Decided {
    match row.status {
        Status::Pending | Status::InDoubt if !row.absent => {
            let event = Event::Absent { reimbursement: row.credit.reimbursement, at: moment.now };
            row.done(event, Status::InDoubt)
        }
        Status::Pending | Status::InDoubt | Status::Done | Status::Failed => row.silent(),
        Status::Proposed | Status::Refused => Err(row.wrong_status()),
    }
}

/// The bank's word, by the table of the room.
fn answer(rows: Rows<'_>, row: &Reimbursement, done: bool, moment: Moment) -> Decided {
    let (credit, at) = (row.credit, moment.now);
    match (row.status, done) {
        (Status::Proposed | Status::Refused, _) => Err(row.wrong_status()),
        (Status::Pending | Status::InDoubt, _) if row.is_flagged() => Err(row.contradiction()),
        (Status::Pending | Status::InDoubt, true) => row.done(Event::Done { credit, at }, Status::Done),
        (Status::Pending | Status::InDoubt, false) => {
            let freed = is_freed(rows, row)?;
            row.done(Event::Failed { credit, freed, at }, Status::Failed)
        }
        (Status::Done, true) if row.otherwise => row.contradicted(Claim::Moved(credit.amount), moment),
        (Status::Done, false) if row.otherwise => row.silent(),
        (Status::Done, true) | (Status::Failed, false) => row.silent(),
        (Status::Done, false) => row.contradicted(Claim::CameBack(credit.amount), moment),
        (Status::Failed, true) => row.contradicted(Claim::Moved(credit.amount), moment),
    }
}

/// Whether what the bank could not pay stands ready for nothing: it has taken the debit back by itself.
fn is_freed(rows: Rows<'_>, row: &Reimbursement) -> Result<bool, Refusal> {
    let top_up = rows.top_up(row.credit.top_up).ok_or(Refusal::Unknown { noun: Noun::TopUp })?;
    Ok(top_up.status != top_up::Status::Settled)
}

fn contradict(row: &Reimbursement, claim: Claim, moment: Moment) -> Decided {
    match row.status {
        Status::Proposed | Status::Refused => Err(row.wrong_status()),
        Status::Done if !row.otherwise && claim == Claim::Moved(row.credit.amount) => row.silent(),
        Status::Done if row.otherwise && claim == Claim::NotMoved => row.silent(),
        Status::Failed if claim == Claim::NotMoved => row.silent(),
        Status::Pending | Status::InDoubt | Status::Done | Status::Failed => row.contradicted(claim, moment),
    }
}

impl Reimbursement {
    fn wrong_status(&self) -> Refusal {
        Refusal::WrongStatus { noun: Noun::Reimbursement, status: self.status.into() }
    }

    fn contradiction(&self) -> Refusal {
        let came = self.claims.iter().last().map_or(Stated::Nothing, |claim| Stated::Claim(*claim));
        let on_record = Stated::Amount(self.credit.amount);
        Refusal::NotAsOnRecord { noun: Noun::Reimbursement, on_record, came }
    }

    /// Whether the bank said something against what is on record.
    pub const fn is_flagged(&self) -> bool {
        !self.claims.is_empty()
    }

    pub(crate) fn columns(&self) -> [Value; 5] {
        [
            Value::Id(self.credit.case.0),
            Value::Id(self.credit.top_up.0),
            Value::Text(self.status.name()),
            Value::Integer(self.credit.amount.amount()),
            Value::Integer(self.proposed.milliseconds()),
        ]
    }

    const fn receipt(&self, status: Status, is_flagged: bool) -> Receipt {
        Receipt::Reimbursement { id: self.credit.reimbursement, status, amount: self.credit.amount, is_flagged }
    }

    #[expect(clippy::unnecessary_wraps, reason = "the last word of a decision")]
    fn done(&self, event: Event, status: Status) -> Decided {
        Ok((vec![crate::Event::Reimbursement(event)], self.receipt(status, self.is_flagged())))
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
        let event = Event::Contradicted { reimbursement: self.credit.reimbursement, claim, at: moment.now };
        Ok((vec![crate::Event::Reimbursement(event)], self.receipt(self.status, true)))
    }
}
