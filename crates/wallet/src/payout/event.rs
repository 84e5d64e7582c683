//! What happens to payouts, and what each event does to balances, lots and limits.

use super::{Credit, Payout, Status, payout_key};
use crate::bank_answer::{Answer, Claim, Claims, Proposal, Resolution, Review};
use crate::effect::{Counted, Counter, Effect, Whose};
use crate::ids::{BankCode, PayoutId, StaffId, TopUpId, WalletId};
use crate::purse::{Lot, Piece, Purse, Source};
use crate::state::{Rows, wrong_row};
use crate::top_up::{TopUp, single, top_up_key};
use crate::traits::Origin;
use crate::wallet::{Debt, Wallet};
use crate::{Row, chart};
use domain::{Id, Key, Time};
use ledger::{AccountId, Leg, Step, Yen};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What happened to a payout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// It was accepted: the money is held on its way out.
    Requested {
        /// The credit at the bank.
        credit: Credit,
        /// What it is made of.
        pieces: Vec<Piece>,
        /// Why it is held before the bank is asked, if it is.
        review: Option<Review>,
        /// Where it came from, if that is news.
        origin: Option<Origin>,
    },
    /// The desk let it go on.
    Released {
        /// Which.
        payout: PayoutId,
        /// Who.
        by: StaffId,
        /// When.
        at: Time,
    },
    /// The bank was asked, and gave no answer yet.
    Asked {
        /// Which.
        payout: PayoutId,
        /// When.
        at: Time,
    },
    /// The bank said something that is not final.
    Doubted {
        /// Which.
        payout: PayoutId,
        /// When.
        at: Time,
    },
    /// The holder wished that it were not.
    CancelWished {
        /// Which.
        payout: PayoutId,
        /// When.
        at: Time,
    },
    /// The account has it.
    Settled {
        /// The credit at the bank.
        credit: Credit,
        /// A wrong amount that had been put in suspense, and was none.
        suspended: Yen,
        /// The bank's answer; none: the desk settled it.
        answer: Option<Answer>,
        /// When.
        at: Time,
    },
    /// It was not paid: declined or cancelled.
    Ended {
        /// The credit at the bank.
        credit: Credit,
        /// How.
        status: Status,
        /// A wrong amount that had been put in suspense, and was none.
        suspended: Yen,
        /// Where the money went.
        given: Box<GivenBack>,
        /// The bank's answer; none: the bank was not asked, or the desk settled it.
        answer: Option<Answer>,
        /// Who of the desk gave it up.
        by: Option<StaffId>,
        /// When.
        at: Time,
    },
    /// The bank paid another amount: it stands in suspense.
    Mismatched {
        /// The credit at the bank.
        credit: Credit,
        /// What the bank paid.
        paid: Yen,
        /// The bank's answer.
        answer: Answer,
        /// When.
        at: Time,
    },
    /// The bank sent it back.
    Returned {
        /// The credit at the bank.
        credit: Credit,
        /// Whether its hold stood until now.
        held: bool,
        /// A wrong amount that had been put in suspense before.
        suspended: Yen,
        /// Where the money went.
        given: Box<GivenBack>,
        /// When.
        at: Time,
    },
    /// The bank had paid what it had said it did not.
    PaidAfterAll {
        /// The credit at the bank.
        credit: Credit,
        /// What the purse had for it.
        pieces: Vec<Piece>,
        /// What it had not, and is owed.
        owed: Yen,
        /// When.
        at: Time,
    },
    /// The bank said something against what is on record.
    Contradicted {
        /// Which.
        payout: PayoutId,
        /// What it said.
        claim: Claim,
        /// When.
        at: Time,
    },
    /// One person of the desk said how to settle that.
    Proposed {
        /// Which.
        payout: PayoutId,
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
        payout: PayoutId,
        /// How.
        resolution: Resolution,
        /// Who agreed.
        by: StaffId,
        /// When.
        at: Time,
    },
    /// These top-ups debited it from the very account that it goes to: they lack so much less.
    PaysBack {
        /// Which.
        payout: PayoutId,
        /// What of which top-up, each once.
        of: Vec<(TopUpId, Yen)>,
    },
    /// It does not go there, or did not stay: they lack it again.
    PaysBackNoMore {
        /// Which.
        payout: PayoutId,
        /// What of which top-up, each once.
        of: Vec<(TopUpId, Yen)>,
    },
}

/// Where the money of a payout went that was not paid in the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenBack {
    /// Into the purse, lot by lot.
    pub to_purse: Vec<Piece>,
    /// What paid back debts: the lot that is owed, and how much.
    pub to_debts: Vec<(Id, Yen)>,
    /// What waits because the wallet is closed.
    pub to_suspense: Yen,
}

impl GivenBack {
    /// Of `amount` of `lot`, pays back what is `owed` of it; says how much that was.
    pub(super) fn repay(&mut self, lot: Id, owed: Yen, amount: Yen) -> Yen {
        let repaid = owed.min(amount);
        if !repaid.is_zero() {
            self.to_debts.push((lot, repaid));
        }
        repaid
    }

    fn repaid(&self, lot: Id) -> Yen {
        self.to_debts.iter().find(|(of, _)| *of == lot).map_or(Yen::ZERO, |(_, repaid)| *repaid)
    }

    pub(super) fn suspend(&mut self, amount: Yen) {
        self.to_suspense = self.to_suspense.checked_add(amount).unwrap_or(Yen::MAX);
    }

    fn purse(&self) -> Yen {
        Yen::checked_sum(self.to_purse.iter().map(|piece| piece.lot.amount)).unwrap_or(Yen::MAX)
    }

    /// Moves the money on from where it stands: the purse itself after a release, the bank's clearing account otherwise.
    fn effects(&self, credit: &Credit, from: AccountId, each: &mut impl FnMut(Effect)) {
        if from != credit.funds() {
            single(from, credit.funds(), self.purse(), each);
        }
        for piece in &self.to_purse {
            each(Effect::Give(credit.wallet, *piece));
        }
        for (lot, amount) in &self.to_debts {
            single(from, chart::receivable(credit.wallet), *amount, each);
            each(Effect::Repay(credit.wallet, Debt { lot: *lot, amount: *amount }));
        }
        single(from, credit.suspense(), self.to_suspense, each);
    }
}

impl Credit {
    fn funds(&self) -> AccountId {
        chart::purse(self.wallet, Purse::Funds)
    }

    fn clearing(&self) -> AccountId {
        chart::clearing(self.bank)
    }

    fn suspense(&self) -> AccountId {
        chart::suspense(Some(self.bank))
    }

    /// The payout's own transfer: out of the purse, against what the bank owes us.
    fn debit(&self, step: Step) -> Effect {
        Effect::Leg(Leg { debit: self.funds(), credit: self.clearing(), amount: self.amount, step })
    }

    /// Each of the limits that it counts on.
    fn counted(&self, each: &mut impl FnMut(Counted)) {
        let (day, amount) = (self.accepted.day(), self.amount);
        let wallet = Whose::Wallet(self.wallet);
        for whose in [Some(wallet), self.person.map(Whose::Person)].into_iter().flatten() {
            each(Counted { whose, counter: Counter::Payout, day, amount });
        }
        if !self.young.is_zero() {
            each(Counted { whose: wallet, counter: Counter::Young, day, amount: self.young });
        }
    }
}

impl Event {
    /// What this does to balances, lots and limits.
    pub(crate) fn effects(&self, each: &mut impl FnMut(Effect)) {
        match self {
            Self::Requested { credit, pieces, .. } => {
                each(credit.debit(Step::Hold));
                take(credit.wallet, pieces, each);
                credit.counted(&mut |counted| each(Effect::Count(counted)));
            }
            Self::Settled { credit, suspended, .. } => {
                single(credit.clearing(), credit.suspense(), *suspended, each);
                each(credit.debit(Step::Post { held: credit.amount }));
            }
            Self::Mismatched { credit, paid, .. } => single(credit.suspense(), credit.clearing(), *paid, each),
            Self::Ended { credit, suspended, given, .. }
            | Self::Returned { credit, held: true, suspended, given, .. } => {
                single(credit.clearing(), credit.suspense(), *suspended, each);
                each(credit.debit(Step::Release));
                given.effects(credit, credit.funds(), each);
                credit.counted(&mut |counted| each(Effect::Uncount(counted)));
            }
            Self::Returned { credit, held: false, given, .. } => {
                given.effects(credit, credit.clearing(), each);
                credit.counted(&mut |counted| each(Effect::Uncount(counted)));
            }
            Self::PaidAfterAll { credit, pieces, owed, .. } => {
                let amount = credit.amount.saturating_sub(*owed);
                single(credit.funds(), credit.clearing(), amount, each);
                take(credit.wallet, pieces, each);
                single(chart::receivable(credit.wallet), credit.clearing(), *owed, each);
                if !owed.is_zero() {
                    each(Effect::Owe(credit.wallet, Debt { lot: credit.payout.0, amount: *owed }));
                }
                credit.counted(&mut |counted| each(Effect::Count(counted)));
            }
            Self::Released { .. } | Self::Asked { .. } | Self::Doubted { .. } | Self::CancelWished { .. } => {}
            Self::Contradicted { .. } | Self::Proposed { .. } | Self::Resolved { .. } => {}
            Self::PaysBack { .. } | Self::PaysBackNoMore { .. } => {}
        }
    }

    /// The credit, where the event moves something of it.
    pub(crate) const fn credit(&self) -> Option<&Credit> {
        match self {
            Self::Requested { credit, .. }
            | Self::Settled { credit, .. }
            | Self::Ended { credit, .. }
            | Self::Mismatched { credit, .. }
            | Self::Returned { credit, .. }
            | Self::PaidAfterAll { credit, .. } => Some(credit),
            Self::Released { .. } | Self::Asked { .. } | Self::Doubted { .. } | Self::CancelWished { .. } => None,
            Self::Contradicted { .. } | Self::Proposed { .. } | Self::Resolved { .. } => None,
            Self::PaysBack { .. } | Self::PaysBackNoMore { .. } => None,
        }
    }

    const fn payout(&self) -> PayoutId {
        match self {
            Self::Requested { credit, .. }
            | Self::Settled { credit, .. }
            | Self::Ended { credit, .. }
            | Self::Mismatched { credit, .. }
            | Self::Returned { credit, .. }
            | Self::PaidAfterAll { credit, .. } => credit.payout,
            Self::Released { payout, .. }
            | Self::Asked { payout, .. }
            | Self::Doubted { payout, .. }
            | Self::CancelWished { payout, .. }
            | Self::Contradicted { payout, .. }
            | Self::Proposed { payout, .. }
            | Self::Resolved { payout, .. }
            | Self::PaysBack { payout, .. }
            | Self::PaysBackNoMore { payout, .. } => *payout,
        }
    }

    /// The wallet that this brings something back to.
    pub(crate) const fn back_to(&self) -> Option<WalletId> {
        match self {
            Self::Ended { credit, .. } | Self::Returned { credit, .. } => Some(credit.wallet),
            Self::Requested { .. } | Self::Settled { .. } | Self::Mismatched { .. } | Self::PaidAfterAll { .. } => None,
            Self::Released { .. } | Self::Asked { .. } | Self::Doubted { .. } | Self::CancelWished { .. } => None,
            Self::Contradicted { .. } | Self::Proposed { .. } | Self::Resolved { .. } => None,
            Self::PaysBack { .. } | Self::PaysBackNoMore { .. } => None,
        }
    }

    /// What this puts into suspense, at which bank: the lots, if the wallet is closed; and what no lot stood for.
    /// `rows` are those before it.
    pub(crate) fn suspends(&self, rows: Rows<'_>) -> (Option<BankCode>, Vec<Lot>, Option<Debt>) {
        let (Self::Ended { credit, given, .. } | Self::Returned { credit, given, .. }) = self else {
            return (None, Vec::new(), None);
        };
        let Some(row) = rows.payout(credit.payout) else { wrong_row(payout_key(credit.payout)) };
        let is_closed = rows.wallet(credit.wallet).is_some_and(|wallet| wallet.closed);
        let rest = |piece: &Piece| piece.of(piece.lot.amount.saturating_sub(given.repaid(piece.lot.id))).lot;
        let lots = if is_closed { row.pieces.iter().map(rest).collect() } else { Vec::new() };
        let matched = Yen::checked_sum(row.pieces.iter().map(|piece| piece.lot.amount)).unwrap_or(Yen::MAX);
        let lot = credit.payout.0;
        let amount = credit.amount.saturating_sub(matched).saturating_sub(given.repaid(lot));
        (Some(credit.bank), lots, Some(Debt { lot, amount }))
    }

    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        each(payout_key(self.payout()));
        if let Self::PaysBack { of, .. } | Self::PaysBackNoMore { of, .. } = self {
            for (top_up, _) in of {
                each(top_up_key(*top_up));
            }
        }
    }

    /// What this does to what top-ups lack whose money goes back to where it came from. `rows` are those before it.
    pub(super) fn paying_back(&self, rows: Rows<'_>) -> Option<Self> {
        let before = |payout| rows.payout(payout).map(|row| row.paid_back.clone()).unwrap_or_default();
        let event = match self {
            Self::Requested { credit, pieces, .. } => {
                let mut of: BTreeMap<TopUpId, Yen> = BTreeMap::new();
                let has_row = |lot: &Lot| rows.top_up(TopUpId(lot.id)).is_some();
                for lot in pieces.iter().map(|piece| piece.lot) {
                    if lot.source == Source::TopUp(credit.bank_account) && has_row(&lot) {
                        let sum = of.entry(TopUpId(lot.id)).or_default();
                        *sum = sum.checked_add(lot.amount).unwrap_or(Yen::MAX);
                    }
                }
                (credit.payout, of.into_iter().collect::<Vec<_>>(), true)
            }
            Self::Ended { credit, .. } | Self::Returned { credit, .. } => (credit.payout, before(credit.payout), false),
            Self::PaidAfterAll { credit, .. } => (credit.payout, before(credit.payout), true),
            Self::Settled { .. } | Self::Mismatched { .. } | Self::Released { .. } | Self::Asked { .. } => return None,
            Self::Doubted { .. } | Self::CancelWished { .. } | Self::Contradicted { .. } => return None,
            Self::Proposed { .. } | Self::Resolved { .. } => return None,
            Self::PaysBack { .. } | Self::PaysBackNoMore { .. } => return None,
        };
        match event {
            (_, of, _) if of.is_empty() => None,
            (payout, of, true) => Some(Self::PaysBack { payout, of }),
            (payout, of, false) => Some(Self::PaysBackNoMore { payout, of }),
        }
    }

    fn evolve_top_up(&self, key: Key, top_up: &mut TopUp) {
        let sum = |of: &[(TopUpId, Yen)]| of.iter().find(|(id, _)| top_up_key(*id) == key).map(|(_, amount)| *amount);
        let after = match self {
            Self::PaysBack { of, .. } => sum(of).and_then(|amount| top_up.paid_back.checked_add(amount)),
            Self::PaysBackNoMore { of, .. } => sum(of).and_then(|amount| top_up.paid_back.checked_sub(amount)),
            Self::Requested { .. } | Self::Settled { .. } | Self::Ended { .. } | Self::Mismatched { .. } => None,
            Self::Returned { .. } | Self::PaidAfterAll { .. } | Self::Released { .. } | Self::Asked { .. } => None,
            Self::Doubted { .. } | Self::CancelWished { .. } | Self::Contradicted { .. } => None,
            Self::Proposed { .. } | Self::Resolved { .. } => None,
        };
        let Some(after) = after else { wrong_row(key) };
        top_up.paid_back = after;
    }

    /// What this changes in the wallet beside its effects.
    pub(crate) fn evolve_wallet(&self, wallet: &mut Wallet) {
        match self {
            Self::Requested { origin: Some(origin), .. } => wallet.traits_mut().used_from(*origin),
            Self::Ended { credit, .. } | Self::Returned { credit, .. } => wallet.reopen(credit.payout),
            Self::Requested { origin: None, .. } | Self::Settled { .. } | Self::Mismatched { .. } => {}
            Self::PaidAfterAll { .. } | Self::Released { .. } | Self::Asked { .. } | Self::Doubted { .. } => {}
            Self::CancelWished { .. } | Self::Contradicted { .. } => {}
            Self::Proposed { .. } | Self::Resolved { .. } => {}
            Self::PaysBack { .. } | Self::PaysBackNoMore { .. } => {}
        }
    }

    pub(crate) fn evolve(&self, key: Key, row: &mut Option<Row>) {
        if let Some(Row::TopUp(top_up)) = row {
            self.evolve_top_up(key, top_up);
            return;
        }
        if let Self::Requested { credit, pieces, review, .. } = self {
            assert!(row.is_none(), "a payout is requested once: {self:?}");
            *row = Some(Row::Payout(Box::new(requested(*credit, pieces.clone(), *review))));
            return;
        }
        let Some(Row::Payout(payout)) = row else { wrong_row(payout_key(self.payout())) };
        match self {
            Self::Requested { .. } => {}
            Self::Released { .. } => payout.pass(&[Status::Held], Status::Pending),
            Self::Asked { .. } => {
                payout.attempts = payout.attempts.saturating_add(1);
                payout.pass(&[Status::Pending, Status::InDoubt], Status::InDoubt);
            }
            Self::Doubted { .. } => payout.pass(&[Status::Pending], Status::InDoubt),
            Self::CancelWished { at, .. } => payout.cancel_wished = Some(*at),
            Self::Settled { answer, .. } => {
                payout.answer = payout.answer.or(*answer);
                payout.pass(&OPEN, Status::Settled);
            }
            Self::Ended { status, answer, given, .. } => {
                payout.answer = payout.answer.or(*answer);
                payout.given_back(given);
                payout.pass(&OPEN, *status);
            }
            Self::Mismatched { paid, answer, .. } => {
                payout.answer = payout.answer.or(Some(*answer));
                payout.mismatch = Some(*paid);
                payout.pass(&OPEN, Status::InDoubt);
            }
            Self::Returned { held, given, .. } => {
                payout.mismatch = None;
                payout.given_back(given);
                payout.pass(if *held { &OPEN } else { &[Status::Settled] }, Status::Returned);
            }
            Self::PaidAfterAll { pieces, .. } => {
                payout.pieces.clone_from(pieces);
                payout.pass(&[Status::Declined, Status::Cancelled, Status::Returned], Status::Settled);
            }
            Self::Contradicted { claim, .. } => {
                payout.claims.add(*claim);
                // Whoever proposed something did not know of this.
                payout.proposal = None;
            }
            Self::Proposed { resolution, by, .. } => {
                payout.proposal = Some(Proposal { resolution: *resolution, by: *by });
            }
            Self::Resolved { resolution, .. } => {
                payout.resolved = Some(*resolution);
                payout.claims = Claims::NONE;
                payout.mismatch = None;
                payout.proposal = None;
            }
            Self::PaysBack { of, .. } => payout.paid_back.clone_from(of),
            Self::PaysBackNoMore { .. } => {}
        }
    }

    /// Asserts that an open payout is made of lots that sum up to it, and that its hold stands in the purse.
    pub(crate) fn assert_decided(&self, rows: Rows<'_>) {
        let Some(row) = rows.payout(self.payout()) else { wrong_row(payout_key(self.payout())) };
        if !row.status.is_open() {
            return;
        }
        let sum = Yen::checked_sum(row.pieces.iter().map(|piece| piece.lot.amount));
        assert!(sum == Some(row.credit.amount), "an open payout is made of its lots: {row:?}");
        if let Self::Requested { .. } = self {
            let leaving = rows.wallet(row.credit.wallet).map(|wallet| wallet.funds.account.debits_pending);
            assert!(leaving.is_some_and(|sum| sum >= row.credit.amount), "an open payout's hold stands: {row:?}");
        }
    }
}

const OPEN: [Status; 3] = [Status::Held, Status::Pending, Status::InDoubt];

impl Payout {
    fn pass(&mut self, from: &[Status], to: Status) {
        assert!(from.contains(&self.status), "{:?} does not become {to:?}: {self:?}", self.status);
        self.status = to;
    }

    /// It is made of nothing any more.
    fn given_back(&mut self, given: &GivenBack) {
        self.pieces.clear();
        self.suspended = self.suspended.checked_add(given.to_suspense).unwrap_or(Yen::MAX);
    }
}

const fn requested(credit: Credit, pieces: Vec<Piece>, review: Option<Review>) -> Payout {
    Payout {
        credit,
        pieces,
        status: if review.is_some() { Status::Held } else { Status::Pending },
        review,
        attempts: 0,
        cancel_wished: None,
        answer: None,
        mismatch: None,
        suspended: Yen::ZERO,
        claims: Claims::NONE,
        proposal: None,
        resolved: None,
        paid_back: Vec::new(),
    }
}

fn take(wallet: WalletId, pieces: &[Piece], each: &mut impl FnMut(Effect)) {
    for piece in pieces {
        each(Effect::Take(wallet, *piece));
    }
}
