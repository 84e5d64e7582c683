//! What happens to a reimbursement, and what each event does to balances and lots, to its top-up and to its case.

use super::{Credit, Reimbursement, Status, Taken, reimbursement_key};
use crate::bank_answer::{Claim, Claims, Proposal, Resolution};
use crate::case::case_key;
use crate::effect::Effect;
use crate::ids::{MandateId, ReimbursementId, StaffId, WalletId};
use crate::purse::{Piece, Source};
use crate::state::wrong_row;
use crate::top_up::{Restituted, TopUp, single, top_up_key};
use crate::wallet::{Blocked, Wallet};
use crate::{Row, chart, table};
use domain::{Key, Time};
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// What happened to a reimbursement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// One person of the desk proposed it.
    Proposed {
        /// The credit at the bank.
        credit: Credit,
        /// By which link it was debited.
        mandate: MandateId,
        /// Whether they knew that the account's true holder had confirmed that link.
        although_confirmed: bool,
        /// Who.
        by: StaffId,
        /// When.
        at: Time,
    },
    /// Somebody said no.
    Refused {
        /// Which.
        reimbursement: ReimbursementId,
        /// Who.
        by: StaffId,
        /// When.
        at: Time,
    },
    /// Another person agreed: the money stands ready.
    Approved {
        /// The credit at the bank.
        credit: Credit,
        /// What the case kept in purses, and pays.
        taken: Vec<Taken>,
        /// What stood ready from others of the debit that failed.
        parked: Yen,
        /// What the operator pays.
        expense: Yen,
        /// Who agreed.
        by: StaffId,
        /// When.
        at: Time,
    },
    /// The bank was asked, and gave no final answer.
    Asked {
        /// Which.
        reimbursement: ReimbursementId,
        /// When.
        at: Time,
    },
    /// The account has it.
    Done {
        /// The credit at the bank.
        credit: Credit,
        /// When.
        at: Time,
    },
    /// The bank could not.
    Failed {
        /// The credit at the bank.
        credit: Credit,
        /// Whether it stands ready for nothing, because the bank has taken the debit back: it goes to the operator.
        freed: bool,
        /// When.
        at: Time,
    },
    /// The bank said something against what is on record.
    Contradicted {
        /// Which.
        reimbursement: ReimbursementId,
        /// What it said.
        claim: Claim,
        /// When.
        at: Time,
    },
    /// One person of the desk said how to settle that.
    ResolutionProposed {
        /// Of which.
        reimbursement: ReimbursementId,
        /// How.
        resolution: Resolution,
        /// Who.
        by: StaffId,
        /// When.
        at: Time,
    },
    /// Another one agreed; what it moves is in the event after this one.
    Resolved {
        /// Of which.
        reimbursement: ReimbursementId,
        /// How.
        resolution: Resolution,
        /// Who agreed.
        by: StaffId,
        /// When.
        at: Time,
    },
    /// The account has not what the bank had said it has: it stands ready again.
    Undone {
        /// The credit at the bank.
        credit: Credit,
        /// Whether it stands ready for nothing, because the bank has taken the debit back: it goes to the operator.
        freed: bool,
        /// When.
        at: Time,
    },
    /// The account has what the bank had said it could not pay.
    DoneAfterAll {
        /// The credit at the bank.
        credit: Credit,
        /// What still stood ready.
        parked: Yen,
        /// What the operator pays, because others have used it since.
        expense: Yen,
        /// When.
        at: Time,
    },
    /// The bank still knew nothing of it after its cut-off.
    Absent {
        /// Which.
        reimbursement: ReimbursementId,
        /// When.
        at: Time,
    },
    /// No bank could pay it, and the operator paid it to the account's holder by another way.
    PaidOtherwise {
        /// The credit at the bank.
        credit: Credit,
        /// What still stood ready.
        parked: Yen,
        /// What the operator pays, because others have used it since.
        expense: Yen,
        /// When.
        at: Time,
    },
    /// The bank paid after all what the operator had paid by another way: the account has it twice.
    PaidTwice {
        /// The credit at the bank.
        credit: Credit,
        /// When.
        at: Time,
    },
    /// Of its debit more stood ready than is lacking: that goes to the operator.
    Freed {
        /// The credit at the bank.
        credit: Credit,
        /// How much.
        amount: Yen,
        /// When.
        at: Time,
    },
}

impl Event {
    /// What this does to balances and lots.
    pub(crate) fn effects(&self, each: &mut impl FnMut(Effect)) {
        match self {
            Self::Approved { credit, taken, expense, .. } => {
                let restitution = chart::restitution(credit.case);
                for Taken { wallet, piece } in taken {
                    each(Effect::Take(*wallet, *piece));
                    single(chart::purse(*wallet, piece.purse), restitution, piece.lot.amount, each);
                }
                single(chart::reimbursement_expense(credit.case), restitution, *expense, each);
            }
            Self::Done { credit, .. } => {
                single(chart::restitution(credit.case), chart::clearing(credit.bank), credit.amount, each);
            }
            Self::Undone { credit, freed, .. } => {
                single(chart::clearing(credit.bank), chart::restitution(credit.case), credit.amount, each);
                free(credit, *freed, each);
            }
            Self::Failed { credit, freed, .. } => free(credit, *freed, each),
            Self::DoneAfterAll { credit, expense, .. } => {
                let restitution = chart::restitution(credit.case);
                single(chart::reimbursement_expense(credit.case), restitution, *expense, each);
                single(restitution, chart::clearing(credit.bank), credit.amount, each);
            }
            Self::PaidOtherwise { credit, expense, .. } => {
                let restitution = chart::restitution(credit.case);
                single(chart::reimbursement_expense(credit.case), restitution, *expense, each);
                single(restitution, chart::paid_otherwise(credit.bank), credit.amount, each);
            }
            Self::PaidTwice { credit, .. } => {
                single(chart::paid_otherwise(credit.bank), chart::clearing(credit.bank), credit.amount, each);
            }
            Self::Freed { credit, amount, .. } => {
                let expense = chart::reimbursement_expense(credit.case);
                single(chart::restitution(credit.case), expense, *amount, each);
            }
            Self::Proposed { .. } | Self::Refused { .. } | Self::Asked { .. } => {}
            Self::Contradicted { .. } => {}
            Self::ResolutionProposed { .. } | Self::Resolved { .. } | Self::Absent { .. } => {}
        }
    }

    const fn reimbursement(&self) -> ReimbursementId {
        match self {
            Self::Proposed { credit, .. }
            | Self::Approved { credit, .. }
            | Self::Done { credit, .. }
            | Self::Failed { credit, .. }
            | Self::Undone { credit, .. }
            | Self::PaidOtherwise { credit, .. }
            | Self::PaidTwice { credit, .. }
            | Self::Freed { credit, .. }
            | Self::DoneAfterAll { credit, .. } => credit.reimbursement,
            Self::Refused { reimbursement, .. }
            | Self::Asked { reimbursement, .. }
            | Self::Contradicted { reimbursement, .. }
            | Self::ResolutionProposed { reimbursement, .. }
            | Self::Resolved { reimbursement, .. }
            | Self::Absent { reimbursement, .. } => *reimbursement,
        }
    }

    /// What it takes out of `wallet`, piece by piece.
    pub fn taken_from(&self, wallet: WalletId) -> impl Iterator<Item = &Piece> {
        let taken = match self {
            Self::Approved { taken, .. } => taken.as_slice(),
            Self::Proposed { .. } | Self::Refused { .. } | Self::Asked { .. } => &[],
            Self::Done { .. } | Self::Failed { .. } | Self::Contradicted { .. } => &[],
            Self::ResolutionProposed { .. } | Self::Resolved { .. } | Self::Absent { .. } => &[],
            Self::Undone { .. } | Self::DoneAfterAll { .. } => &[],
            Self::PaidOtherwise { .. } | Self::PaidTwice { .. } | Self::Freed { .. } => &[],
        };
        taken.iter().filter(move |taken| taken.wallet == wallet).map(|taken| &taken.piece)
    }

    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        each(reimbursement_key(self.reimbursement()));
        match self {
            Self::Approved { credit, .. }
            | Self::Failed { credit, .. }
            | Self::Undone { credit, .. }
            | Self::PaidOtherwise { credit, .. }
            | Self::Freed { credit, .. }
            | Self::DoneAfterAll { credit, .. } => {
                each(top_up_key(credit.top_up));
                each(case_key(credit.case));
            }
            Self::Proposed { .. } | Self::Refused { .. } | Self::Asked { .. } => {}
            Self::Done { .. } | Self::PaidTwice { .. } | Self::Contradicted { .. } => {}
            Self::ResolutionProposed { .. } | Self::Resolved { .. } | Self::Absent { .. } => {}
        }
    }

    /// Of a send that was blocked for the case, what was taken is blocked no more: the rest of it is its recipient's.
    pub(crate) fn evolve_wallet(&self, id: WalletId, wallet: &mut Wallet) {
        let Self::Approved { credit, .. } = self else { return };
        for piece in self.taken_from(id) {
            if !matches!(piece.lot.source, Source::Send(_)) {
                continue;
            }
            let blocks = &mut wallet.ties_mut().blocks;
            for block in blocks.iter_mut().filter(|block| block.case == credit.case) {
                if let Blocked::SentOf { send, top_up, amount } = &mut block.what
                    && (send.0, *top_up) == (piece.lot.id, credit.top_up)
                {
                    *amount = amount.saturating_sub(piece.lot.amount);
                }
            }
            blocks.retain(|block| !matches!(block.what, Blocked::SentOf { amount, .. } if amount.is_zero()));
        }
    }

    /// Applies it to the row at `key`: its own, its top-up's or its case's.
    pub(crate) fn evolve(&self, key: Key, row: &mut Option<Row>) {
        match (key.table, row) {
            (table::TOP_UP, Some(Row::TopUp(top_up))) => {
                top_up.reimbursed = self.sum_after(top_up.reimbursed, key);
                self.evolve_restituted(top_up, key);
                assert!(top_up.reimbursed <= top_up.debit.amount, "no more goes back than was debited: {self:?}");
            }
            (table::CASE, Some(Row::Case(case))) => {
                case.reimbursed = self.sum_after(case.reimbursed, key);
                case.parked = match self {
                    Self::Approved { parked: used, .. }
                    | Self::DoneAfterAll { parked: used, .. }
                    | Self::PaidOtherwise { parked: used, .. }
                    | Self::Freed { amount: used, .. } => less(case.parked, *used, key),
                    Self::Failed { freed: true, .. } | Self::Undone { freed: true, .. } => case.parked,
                    Self::Failed { credit, .. } | Self::Undone { credit, .. } => plus(case.parked, credit.amount, key),
                    Self::Proposed { .. } | Self::Refused { .. } | Self::Asked { .. } => wrong_row(key),
                    Self::Done { .. } | Self::PaidTwice { .. } | Self::Contradicted { .. } => wrong_row(key),
                    Self::ResolutionProposed { .. } | Self::Resolved { .. } | Self::Absent { .. } => wrong_row(key),
                };
            }
            (table::REIMBURSEMENT, row) => self.evolve_own(row),
            (_, _) => wrong_row(key),
        }
    }

    /// What the case took for the debit, and what of it stands ready.
    fn evolve_restituted(&self, top_up: &mut TopUp, key: Key) {
        let (Self::Approved { credit, .. }
        | Self::Failed { credit, .. }
        | Self::Undone { credit, .. }
        | Self::PaidOtherwise { credit, .. }
        | Self::Freed { credit, .. }
        | Self::DoneAfterAll { credit, .. }) = self
        else {
            wrong_row(key)
        };
        let nothing = Restituted { case: credit.case, taken: Yen::ZERO, parked: Yen::ZERO, freed: Yen::ZERO };
        let sums = top_up.restituted.get_or_insert(nothing);
        match self {
            Self::Approved { taken, parked, .. } => {
                let taken = Yen::checked_sum(taken.iter().map(|taken| taken.piece.lot.amount)).unwrap_or(Yen::MAX);
                sums.taken = plus(sums.taken, taken, key);
                sums.parked = less(sums.parked, *parked, key);
            }
            Self::DoneAfterAll { parked, .. } | Self::PaidOtherwise { parked, .. } => {
                sums.parked = less(sums.parked, *parked, key);
            }
            Self::Freed { amount, .. } => {
                sums.parked = less(sums.parked, *amount, key);
                sums.freed = plus(sums.freed, *amount, key);
            }
            Self::Failed { freed: true, .. } | Self::Undone { freed: true, .. } => {
                sums.freed = plus(sums.freed, credit.amount, key);
            }
            Self::Failed { .. } | Self::Undone { .. } => sums.parked = plus(sums.parked, credit.amount, key),
            Self::Proposed { .. } | Self::Refused { .. } | Self::Asked { .. } => {}
            Self::Done { .. } | Self::PaidTwice { .. } | Self::Contradicted { .. } => {}
            Self::ResolutionProposed { .. } | Self::Resolved { .. } | Self::Absent { .. } => {}
        }
    }

    /// What is reimbursed of a top-up or of a case, after what was before.
    fn sum_after(&self, before: Yen, key: Key) -> Yen {
        match self {
            Self::Approved { credit, .. } | Self::DoneAfterAll { credit, .. } | Self::PaidOtherwise { credit, .. } => {
                plus(before, credit.amount, key)
            }
            Self::Freed { .. } => before,
            Self::Failed { credit, .. } | Self::Undone { credit, .. } => less(before, credit.amount, key),
            Self::Proposed { .. } | Self::Refused { .. } | Self::Asked { .. } => wrong_row(key),
            Self::Done { .. } | Self::PaidTwice { .. } | Self::Contradicted { .. } => wrong_row(key),
            Self::ResolutionProposed { .. } | Self::Resolved { .. } | Self::Absent { .. } => wrong_row(key),
        }
    }

    fn evolve_own(&self, row: &mut Option<Row>) {
        if let Self::Proposed { credit, mandate, although_confirmed, by, at } = self {
            assert!(row.is_none(), "a reimbursement is proposed once: {self:?}");
            *row = Some(Row::Reimbursement(Box::new(proposed(*credit, (*mandate, *although_confirmed), *by, *at))));
            return;
        }
        let Some(Row::Reimbursement(row)) = row else { wrong_row(reimbursement_key(self.reimbursement())) };
        match self {
            Self::Proposed { .. } => {}
            Self::Refused { by, at, .. } => {
                row.decided = Some((*by, *at));
                row.pass(&[Status::Proposed], Status::Refused);
            }
            Self::Approved { taken, parked, expense, by, at, .. } => {
                row.decided = Some((*by, *at));
                row.taken.clone_from(taken);
                (row.parked, row.expense) = (*parked, *expense);
                row.pass(&[Status::Proposed], Status::Pending);
            }
            Self::Asked { .. } => row.pass(&[Status::Pending], Status::InDoubt),
            Self::Absent { .. } => {
                row.absent = true;
                row.pass(&[Status::Pending, Status::InDoubt], Status::InDoubt);
            }
            Self::Done { .. } => row.end(Status::Done),
            Self::Failed { .. } => row.end(Status::Failed),
            Self::Contradicted { claim, .. } => {
                row.claims.add(*claim);
                // Whoever proposed something did not know of this.
                row.proposal = None;
            }
            Self::ResolutionProposed { resolution, by, .. } => {
                row.proposal = Some(Proposal { resolution: *resolution, by: *by });
            }
            Self::Resolved { .. } => (row.claims, row.proposal) = (Claims::NONE, None),
            Self::Undone { .. } => row.pass(&[Status::Done], Status::Failed),
            Self::DoneAfterAll { expense, .. } | Self::PaidOtherwise { expense, .. } => {
                row.expense = plus(row.expense, *expense, reimbursement_key(self.reimbursement()));
                row.otherwise = matches!(self, Self::PaidOtherwise { .. });
                row.pass(&[Status::Failed], Status::Done);
            }
            Self::PaidTwice { .. } => {
                row.otherwise = false;
                row.pass(&[Status::Done], Status::Done);
            }
            Self::Freed { .. } => {}
        }
    }
}

fn proposed(credit: Credit, (mandate, although_confirmed): (MandateId, bool), by: StaffId, at: Time) -> Reimbursement {
    Reimbursement {
        credit,
        mandate,
        although_confirmed,
        status: Status::Proposed,
        proposed_by: by,
        proposed: at,
        decided: None,
        taken: Vec::new(),
        parked: Yen::ZERO,
        expense: Yen::ZERO,
        claims: Claims::NONE,
        proposal: None,
        absent: false,
        otherwise: false,
    }
}

impl Reimbursement {
    fn pass(&mut self, from: &[Status], to: Status) {
        assert!(from.contains(&self.status), "{:?} does not become {to:?}: {self:?}", self.status);
        self.status = to;
    }

    /// The bank has answered, or two people have: what was proposed of one without an answer is of nothing any more.
    fn end(&mut self, to: Status) {
        self.pass(&[Status::Pending, Status::InDoubt], to);
        (self.absent, self.proposal) = (false, None);
    }
}

/// What stood ready for a debit that is back by itself is the operator's.
fn free(credit: &Credit, freed: bool, each: &mut impl FnMut(Effect)) {
    if freed {
        let (restitution, expense) = (chart::restitution(credit.case), chart::reimbursement_expense(credit.case));
        single(restitution, expense, credit.amount, each);
    }
}

fn plus(sum: Yen, more: Yen, key: Key) -> Yen {
    let sum = sum.checked_add(more);
    assert!(sum.is_some(), "what is reimbursed is in range at {key:?}");
    sum.unwrap_or(Yen::MAX)
}

fn less(sum: Yen, less: Yen, key: Key) -> Yen {
    let sum = sum.checked_sub(less);
    assert!(sum.is_some(), "no more ends than there was at {key:?}");
    sum.unwrap_or(Yen::ZERO)
}
