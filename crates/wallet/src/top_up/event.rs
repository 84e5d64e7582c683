//! What happens to top-ups, and what each event does to balances, lots and limits.

use super::{Debit, GiveBack, GiveBackStatus, Restituted, Status, TopUp, top_up_key};
use crate::bank_account::BankAccount;
use crate::bank_answer::{Answer, Claim, Claims, Proposal, Resolution, Review};
use crate::canary;
use crate::case::{Case, case_key};
use crate::effect::{Counted, Counter, Effect, Whose};
use crate::ids::{GiveBackId, MandateId, StaffId, TopUpId};
use crate::purse::{Lot, Piece, Purse};
use crate::state::{Rows, wrong_row};
use crate::traits::Origin;
use crate::wallet::{Debt, Wallet};
use crate::{Row, chart, table};
use domain::{Key, Time};
use ledger::{AccountId, Leg, Step, Yen};
use serde::{Deserialize, Serialize};

/// What happened to a top-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// It was accepted: the money is held on its way in.
    Requested {
        /// The debit.
        debit: Debit,
        /// By which mandate.
        mandate: MandateId,
        /// Why it is held before the bank is asked, if it is.
        review: Option<Review>,
        /// Where it came from, if that is news.
        origin: Option<Origin>,
    },
    /// The desk let it go on.
    Released {
        /// Which.
        top_up: TopUpId,
        /// Who.
        by: StaffId,
        /// When.
        at: Time,
    },
    /// The bank was asked, and gave no answer yet.
    Asked {
        /// Which.
        top_up: TopUpId,
        /// When.
        at: Time,
    },
    /// The bank said something that is not final.
    Doubted {
        /// Which.
        top_up: TopUpId,
        /// When.
        at: Time,
    },
    /// The holder wished that it were not.
    CancelWished {
        /// Which.
        top_up: TopUpId,
        /// When.
        at: Time,
    },
    /// Credited.
    Settled {
        /// The debit.
        debit: Debit,
        /// What came into the purse.
        lot: Lot,
        /// A wrong amount that had been put in suspense, and was none.
        suspended: Yen,
        /// The bank's answer; none: the desk settled it.
        answer: Option<Answer>,
        /// When.
        at: Time,
    },
    /// There was no debit: declined or cancelled.
    Ended {
        /// The debit.
        debit: Debit,
        /// How.
        status: Status,
        /// A wrong amount that had been put in suspense, and was none.
        suspended: Yen,
        /// The bank's answer; none: the bank was not asked, or the desk settled it.
        answer: Option<Answer>,
        /// Who of the desk gave it up.
        by: Option<StaffId>,
        /// When.
        at: Time,
    },
    /// The bank debited another amount: it waits in suspense.
    Mismatched {
        /// The debit.
        debit: Debit,
        /// What the bank debited.
        debited: Yen,
        /// The bank's answer.
        answer: Answer,
        /// When.
        at: Time,
    },
    /// Debited, and on its way back, never credited.
    Returned {
        /// The debit.
        debit: Debit,
        /// Whether its hold stood until now, and its amount counted.
        held: bool,
        /// A wrong amount that had been put in suspense before.
        suspended: Yen,
        /// What was debited, and goes back.
        debited: Yen,
        /// By which give-back.
        give_back: GiveBackId,
        /// The bank's answer; none: the desk settled it.
        answer: Option<Answer>,
        /// When.
        at: Time,
    },
    /// The account has its money again.
    GivenBack {
        /// The debit.
        debit: Debit,
        /// How much.
        amount: Yen,
        /// When.
        at: Time,
    },
    /// The bank could not give it back.
    GiveBackFailed {
        /// Which.
        top_up: TopUpId,
        /// When.
        at: Time,
    },
    /// The bank took it back.
    Reversed {
        /// The debit.
        debit: Debit,
        /// Whether its hold stood until now: it had not been credited.
        held: bool,
        /// A wrong amount that had been put in suspense before.
        suspended: Yen,
        /// What was left of it in the purse.
        taken: Option<Piece>,
        /// What a case had taken to reimburse it: what stands ready of that goes to the operator, who pays the bank.
        restituted: Option<Restituted>,
        /// What was not, and is owed.
        owed: Yen,
        /// When.
        at: Time,
    },
    /// The bank said something against what is on record.
    Contradicted {
        /// Which.
        top_up: TopUpId,
        /// What it said.
        claim: Claim,
        /// When.
        at: Time,
    },
    /// One person of the desk said how to settle that.
    Proposed {
        /// Which.
        top_up: TopUpId,
        /// How.
        resolution: Resolution,
        /// Who.
        by: StaffId,
        /// When.
        at: Time,
    },
    /// Another one agreed; what it moves is in the event after this one.
    Resolved {
        /// Which.
        top_up: TopUpId,
        /// How.
        resolution: Resolution,
        /// Who agreed.
        by: StaffId,
        /// When.
        at: Time,
    },
    /// What was to be given back the bank had taken back by itself.
    TakenBack {
        /// The debit.
        debit: Debit,
        /// How much.
        amount: Yen,
        /// When.
        at: Time,
    },
    /// A give-back that failed is tried again, under another id.
    GiveBackRetried {
        /// Of which top-up.
        top_up: TopUpId,
        /// The new id.
        give_back: GiveBackId,
        /// Who of the desk said so.
        by: StaffId,
        /// When.
        at: Time,
    },
    /// What was given back came back, and is given back once more.
    GiveBackReversed {
        /// The debit.
        debit: Debit,
        /// How much.
        amount: Yen,
        /// The new id.
        give_back: GiveBackId,
        /// When.
        at: Time,
    },
    /// The bank still knew nothing of the give-back after its cut-off.
    GiveBackAbsent {
        /// Of which top-up.
        top_up: TopUpId,
        /// When.
        at: Time,
    },
    /// No bank could give it back, and the operator paid it to the account's holder by another way.
    GivenBackOtherwise {
        /// The debit.
        debit: Debit,
        /// How much.
        amount: Yen,
        /// When.
        at: Time,
    },
    /// The bank gave back after all what the operator had paid by another way: the account has it twice.
    GivenBackTwice {
        /// The debit.
        debit: Debit,
        /// How much.
        amount: Yen,
        /// When.
        at: Time,
    },
}

impl Debit {
    fn funds(&self) -> AccountId {
        chart::purse(self.wallet, Purse::Funds)
    }

    fn clearing(&self) -> AccountId {
        chart::clearing(self.bank)
    }

    fn suspense(&self) -> AccountId {
        chart::suspense(Some(self.bank))
    }

    /// The top-up's own transfer: from what the bank owes us into the purse.
    fn credit(&self, step: Step) -> Effect {
        Effect::Leg(Leg { debit: self.clearing(), credit: self.funds(), amount: self.amount, step })
    }

    /// Each of the limits that it counts on.
    fn counted(&self, each: &mut impl FnMut(Counted)) {
        let person = self.person.map(Whose::Person);
        let whose = [Some(Whose::Wallet(self.wallet)), person, Some(Whose::BankAccount(self.bank_account))];
        for whose in whose.into_iter().flatten() {
            let (counter, day, amount) = (Counter::TopUp, self.accepted.day(), self.amount);
            each(Counted { whose, counter, day, amount });
        }
    }
}

/// Moves `amount` at once, if it is any.
pub(crate) fn single(debit: AccountId, credit: AccountId, amount: Yen, each: &mut impl FnMut(Effect)) {
    if !amount.is_zero() {
        each(Effect::Leg(Leg { debit, credit, amount, step: Step::Single }));
    }
}

impl Event {
    /// What this does to balances, lots and limits.
    pub(crate) fn effects(&self, each: &mut impl FnMut(Effect)) {
        match self {
            Self::Requested { debit, .. } => {
                each(debit.credit(Step::Hold));
                debit.counted(&mut |counted| each(Effect::Count(counted)));
            }
            Self::Settled { debit, lot, suspended, .. } => {
                single(debit.suspense(), debit.clearing(), *suspended, each);
                each(debit.credit(Step::Post { held: debit.amount }));
                each(Effect::Give(debit.wallet, Piece { purse: Purse::Funds, lot: *lot }));
            }
            Self::Ended { debit, suspended, at, .. } => {
                single(debit.suspense(), debit.clearing(), *suspended, each);
                each(debit.credit(Step::Release));
                let day = if canary::active("decline_frees_today") { at.day() } else { debit.accepted.day() };
                debit.counted(&mut |counted| each(Effect::Uncount(Counted { day, ..counted })));
            }
            Self::Mismatched { debit, debited, .. } => single(debit.clearing(), debit.suspense(), *debited, each),
            Self::GiveBackReversed { debit, amount, .. } => single(debit.clearing(), debit.suspense(), *amount, each),
            Self::Returned { debit, held, suspended, debited, .. } => {
                if *held {
                    each(debit.credit(Step::Release));
                    debit.counted(&mut |counted| each(Effect::Uncount(counted)));
                }
                if suspended != debited {
                    single(debit.suspense(), debit.clearing(), *suspended, each);
                    single(debit.clearing(), debit.suspense(), *debited, each);
                }
            }
            Self::GivenBack { debit, amount, .. } | Self::TakenBack { debit, amount, .. } => {
                single(debit.suspense(), debit.clearing(), *amount, each);
            }
            Self::GivenBackOtherwise { debit, amount, .. } => {
                single(debit.suspense(), chart::paid_otherwise(debit.bank), *amount, each);
            }
            Self::GivenBackTwice { debit, amount, .. } => {
                single(chart::paid_otherwise(debit.bank), debit.clearing(), *amount, each);
            }
            Self::Reversed { debit, held, suspended, taken, restituted, owed, .. } => {
                if *held {
                    each(debit.credit(Step::Release));
                }
                single(debit.suspense(), debit.clearing(), *suspended, each);
                reversal_effects(debit, *taken, *owed, each);
                if let Some(restituted) = restituted {
                    restituted.effects(debit, each);
                }
            }
            Self::Released { .. } | Self::Asked { .. } | Self::Doubted { .. } | Self::CancelWished { .. } => {}
            Self::GiveBackFailed { .. } | Self::GiveBackRetried { .. } | Self::Contradicted { .. } => {}
            Self::GiveBackAbsent { .. } | Self::Proposed { .. } | Self::Resolved { .. } => {}
        }
    }

    /// The debit, where the event moves something of it.
    pub(crate) const fn debit(&self) -> Option<&Debit> {
        match self {
            Self::Requested { debit, .. }
            | Self::Settled { debit, .. }
            | Self::Ended { debit, .. }
            | Self::Mismatched { debit, .. }
            | Self::Returned { debit, .. }
            | Self::GivenBack { debit, .. }
            | Self::TakenBack { debit, .. }
            | Self::GivenBackOtherwise { debit, .. }
            | Self::GivenBackTwice { debit, .. }
            | Self::GiveBackReversed { debit, .. }
            | Self::Reversed { debit, .. } => Some(debit),
            Self::Released { .. } | Self::Asked { .. } | Self::Doubted { .. } | Self::CancelWished { .. } => None,
            Self::GiveBackFailed { .. } | Self::Contradicted { .. } | Self::GiveBackRetried { .. } => None,
            Self::GiveBackAbsent { .. } | Self::Proposed { .. } | Self::Resolved { .. } => None,
        }
    }

    const fn top_up(&self) -> TopUpId {
        match self {
            Self::Requested { debit, .. }
            | Self::Settled { debit, .. }
            | Self::Ended { debit, .. }
            | Self::Mismatched { debit, .. }
            | Self::Returned { debit, .. }
            | Self::GivenBack { debit, .. }
            | Self::TakenBack { debit, .. }
            | Self::GivenBackOtherwise { debit, .. }
            | Self::GivenBackTwice { debit, .. }
            | Self::GiveBackReversed { debit, .. }
            | Self::Reversed { debit, .. } => debit.top_up,
            Self::Released { top_up, .. }
            | Self::Asked { top_up, .. }
            | Self::Doubted { top_up, .. }
            | Self::CancelWished { top_up, .. }
            | Self::GiveBackFailed { top_up, .. }
            | Self::GiveBackRetried { top_up, .. }
            | Self::GiveBackAbsent { top_up, .. }
            | Self::Contradicted { top_up, .. }
            | Self::Proposed { top_up, .. }
            | Self::Resolved { top_up, .. } => *top_up,
        }
    }

    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        each(top_up_key(self.top_up()));
        if let Self::Reversed { restituted: Some(restituted), .. } = self {
            each(case_key(restituted.case));
        }
    }

    /// What stood ready at a case for the debit does not any more.
    fn evolve_case(&self, case: &mut Case) {
        if let Self::Reversed { restituted: Some(restituted), .. } = self {
            case.parked = case.parked.saturating_sub(restituted.parked);
        }
    }

    /// What this changes in the wallet beside its effects.
    pub(crate) fn evolve_wallet(&self, wallet: &mut Wallet) {
        if let Self::Requested { origin: Some(origin), .. } = self {
            wallet.traits_mut().used_from(*origin);
        }
    }

    /// What this changes in the bank account beside its effects: what an unconfirmed mandate debited in all. The true
    /// holder may have confirmed meanwhile and begun it anew: what counted before that frees nothing of what counts since.
    pub(crate) fn evolve_bank_account(&self, account: &mut BankAccount) {
        match self {
            Self::Requested { debit, .. } if debit.unconfirmed.is_some() => {
                account.unconfirmed = account.unconfirmed.checked_add(debit.amount).unwrap_or(Yen::MAX);
            }
            Self::Ended { debit, .. } | Self::Returned { debit, held: true, .. }
                if debit.unconfirmed == Some(account.confirmations) =>
            {
                account.unconfirmed = account.unconfirmed.saturating_sub(debit.amount);
            }
            Self::Requested { .. } | Self::Ended { .. } | Self::Returned { .. } | Self::Settled { .. } => {}
            Self::Mismatched { .. } | Self::GivenBack { .. } | Self::GiveBackFailed { .. } => {}
            Self::TakenBack { .. } | Self::GiveBackRetried { .. } | Self::GiveBackReversed { .. } => {}
            Self::Reversed { .. } | Self::Released { .. } | Self::Asked { .. } | Self::Doubted { .. } => {}
            Self::CancelWished { .. } | Self::Contradicted { .. } => {}
            Self::GivenBackOtherwise { .. } | Self::GivenBackTwice { .. } => {}
            Self::GiveBackAbsent { .. } | Self::Proposed { .. } | Self::Resolved { .. } => {}
        }
    }

    /// Applies it to the row at `key`: its own, or the case's that had taken for it.
    pub(crate) fn evolve(&self, key: Key, row: &mut Option<Row>) {
        match (key.table, row) {
            (table::CASE, Some(Row::Case(case))) => self.evolve_case(case),
            (table::TOP_UP, row) => self.evolve_own(row),
            (_, _) => wrong_row(key),
        }
    }

    fn evolve_own(&self, row: &mut Option<Row>) {
        if let Self::Requested { debit, mandate, review, .. } = self {
            assert!(row.is_none(), "a top-up is requested once: {self:?}");
            *row = Some(Row::TopUp(Box::new(requested(*debit, *mandate, *review))));
            return;
        }
        let Some(Row::TopUp(top_up)) = row else { wrong_row(top_up_key(self.top_up())) };
        match self {
            Self::Requested { .. } => {}
            Self::Released { .. } => top_up.pass(&[Status::Held], Status::Pending),
            Self::Asked { .. } => {
                top_up.attempts = top_up.attempts.saturating_add(1);
                top_up.pass(&[Status::Pending, Status::InDoubt], Status::InDoubt);
            }
            Self::Doubted { .. } => top_up.pass(&[Status::Pending], Status::InDoubt),
            Self::CancelWished { at, .. } => top_up.cancel_wished = Some(*at),
            Self::Settled { answer, .. } => {
                top_up.answer = top_up.answer.or(*answer);
                top_up.pass(&OPEN, Status::Settled);
            }
            Self::Ended { status, answer, .. } => {
                top_up.answer = top_up.answer.or(*answer);
                top_up.pass(&OPEN, *status);
            }
            Self::Mismatched { debited, answer, .. } => {
                top_up.answer = top_up.answer.or(Some(*answer));
                top_up.mismatch = Some(*debited);
                top_up.pass(&OPEN, Status::InDoubt);
            }
            Self::Returned { held, debited, give_back, answer, .. } => {
                top_up.answer = top_up.answer.or(*answer);
                top_up.mismatch = None;
                let (id, amount) = (*give_back, *debited);
                top_up.give_back = Some(GiveBack::new(id, amount));
                let ended = [Status::Declined, Status::Cancelled, Status::Reversed];
                top_up.pass(if *held { &OPEN } else { &ended }, Status::Returned);
            }
            Self::GivenBack { .. } | Self::GivenBackTwice { .. } => top_up.give_back_is(GiveBackStatus::Done, false),
            Self::GivenBackOtherwise { .. } => top_up.give_back_is(GiveBackStatus::Done, true),
            Self::TakenBack { .. } => top_up.give_back_is(GiveBackStatus::TakenBack, false),
            Self::GiveBackFailed { .. } => top_up.give_back_is(GiveBackStatus::Failed, false),
            Self::GiveBackAbsent { .. } => {
                if let Some(give_back) = &mut top_up.give_back {
                    give_back.absent = true;
                }
            }
            Self::GiveBackRetried { give_back, .. } | Self::GiveBackReversed { give_back, .. } => {
                top_up.give_back_is_retried(*give_back);
            }
            Self::Reversed { held, restituted, .. } => {
                top_up.mismatch = None;
                top_up.restituted = restituted.map(Restituted::after_reversal);
                top_up.pass(if *held { &OPEN } else { &[Status::Settled] }, Status::Reversed);
            }
            Self::Contradicted { claim, .. } => {
                top_up.claims.add(*claim);
                // Whoever proposed something did not know of this.
                top_up.proposal = None;
            }
            Self::Proposed { resolution, by, .. } => {
                top_up.proposal = Some(Proposal { resolution: *resolution, by: *by });
            }
            Self::Resolved { resolution, .. } => {
                // What is settled of money on its way back says nothing of the debit.
                if top_up.status != Status::Returned {
                    top_up.resolved = Some(*resolution);
                }
                top_up.claims = Claims::NONE;
                top_up.mismatch = None;
                top_up.proposal = None;
            }
        }
    }

    /// Asserts that an open top-up's hold stands on both of its accounts.
    pub(crate) fn assert_decided(&self, rows: Rows<'_>) {
        let mut moves_money = false;
        self.effects(&mut |_| moves_money = true);
        let Some(row) = rows.top_up(self.top_up()) else { wrong_row(top_up_key(self.top_up())) };
        if !moves_money || !row.status.is_open() {
            return;
        }
        let arriving = rows.wallet(row.debit.wallet).map(|wallet| wallet.funds.account.credits_pending);
        let expected = rows.account(row.debit.clearing()).debits_pending;
        let holds = arriving.is_some_and(|arriving| arriving >= row.debit.amount) && expected >= row.debit.amount;
        assert!(holds || matches!(self, Self::Mismatched { .. }), "an open top-up's hold stands: {row:?}");
    }
}

const OPEN: [Status; 3] = [Status::Held, Status::Pending, Status::InDoubt];

impl TopUp {
    fn pass(&mut self, from: &[Status], to: Status) {
        assert!(from.contains(&self.status), "{:?} does not become {to:?}: {self:?}", self.status);
        self.status = to;
    }

    fn give_back_is_retried(&mut self, id: GiveBackId) {
        if let Some(give_back) = &mut self.give_back {
            self.give_backs_failed.push(give_back.id);
            *give_back = GiveBack::new(id, give_back.amount);
        }
        self.proposal = None;
    }

    fn give_back_is(&mut self, status: GiveBackStatus, otherwise: bool) {
        if let Some(give_back) = &mut self.give_back {
            (give_back.status, give_back.absent, give_back.otherwise) = (status, false, otherwise);
        }
        // What was proposed was of a give-back that had no answer yet.
        self.proposal = None;
    }
}

impl GiveBack {
    /// One that its bank has said nothing of.
    const fn new(id: GiveBackId, amount: Yen) -> Self {
        Self { id, amount, status: GiveBackStatus::Pending, absent: false, otherwise: false }
    }
}

const fn requested(debit: Debit, mandate: MandateId, review: Option<Review>) -> TopUp {
    TopUp {
        debit,
        mandate,
        status: if review.is_some() { Status::Held } else { Status::Pending },
        review,
        attempts: 0,
        cancel_wished: None,
        answer: None,
        mismatch: None,
        claims: Claims::NONE,
        proposal: None,
        resolved: None,
        give_back: None,
        give_backs_failed: Vec::new(),
        reimbursed: Yen::ZERO,
        paid_back: Yen::ZERO,
        restituted: None,
    }
}

impl Restituted {
    /// The operator pays the bank for what the case took, and has what of it still stands ready.
    fn effects(&self, debit: &Debit, each: &mut impl FnMut(Effect)) {
        let expense = chart::reimbursement_expense(self.case);
        single(expense, debit.clearing(), self.paid(debit), each);
        single(chart::restitution(self.case), expense, self.parked, each);
    }

    /// Nothing stands ready any more.
    fn after_reversal(self) -> Self {
        let freed = self.freed.checked_add(self.parked).unwrap_or(Yen::MAX);
        Self { parked: Yen::ZERO, freed, ..self }
    }
}

/// The contra entry: out of the purse what is there, the rest becomes the holder's debt.
fn reversal_effects(debit: &Debit, taken: Option<Piece>, owed: Yen, each: &mut impl FnMut(Effect)) {
    if let Some(piece) = taken {
        single(debit.funds(), debit.clearing(), piece.lot.amount, each);
        each(Effect::Take(debit.wallet, piece));
    }
    single(chart::receivable(debit.wallet), debit.clearing(), owed, each);
    if !owed.is_zero() {
        each(Effect::Owe(debit.wallet, Debt { lot: debit.top_up.0, amount: owed }));
    }
}
