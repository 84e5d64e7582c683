//! The model beside the rows of what was asked for: how far it is, until when, why it is held, what is on record of it and who
//! proposed what. Only what a batch was about is looked at; the wallets and balances are looked at always (`compare.rs`).

use super::moves::Trouble;
use super::{Oracle, mandate, payment, payout, reimbursement, top_up, voucher};
use domain::{Key, Time};
use ledger::Yen;
use wallet::bank_answer::{Claims, Proposal, Review};
use wallet::top_up::{GiveBack, GiveBackStatus};
use wallet::{CaseId, MandateId, PaymentId, PayoutId, ReimbursementId, Row, SendId, TopUpId, VoucherId, case, table};

impl Oracle {
    /// Compares the row at `key` with the model. An error is a violation.
    pub(super) fn compare_row(&self, key: Key, row: Option<&Row>) -> Result<(), String> {
        let id = key.id;
        let is_same = match (key.table, row) {
            (table::TOP_UP, Some(Row::TopUp(row))) => self.top_ups.get(&TopUpId(id)).map(|model| model.is(row)),
            (table::PAYOUT, Some(Row::Payout(row))) => self.payouts.get(&PayoutId(id)).map(|model| model.is(row)),
            (table::PAYMENT, Some(Row::Payment(row))) => self.payments.get(&PaymentId(id)).map(|model| model.is(row)),
            (table::SEND, Some(Row::Send(row))) => self.sends.get(&SendId(id)).map(|model| model.is(row)),
            (table::VOUCHER, Some(Row::Voucher(row))) => self.vouchers.get(&VoucherId(id)).map(|model| model.is(row)),
            (table::MANDATE, Some(Row::Mandate(row))) => self.mandates.get(&MandateId(id)).map(|model| model.is(row)),
            (table::CASE, Some(Row::Case(row))) => self.cases.get(&CaseId(id)).map(|model| model.is(row)),
            (table::REIMBURSEMENT, Some(Row::Reimbursement(row))) => {
                self.reimbursements.get(&ReimbursementId(id)).map(|model| model.is(row))
            }
            // They are compared always.
            (table::WALLET | table::SWITCHES, _) => Some(true),
            (_, _) => None,
        };
        if is_same == Some(true) { Ok(()) } else { Err(format!("the model has {key:?} otherwise than {row:?}")) }
    }
}

/// What was proposed, and by whom, and what the bank said before.
fn is_trouble(trouble: &Trouble, claims: &Claims, mismatch: Option<Yen>, proposal: Option<Proposal>) -> bool {
    claims.iter().eq(&trouble.claims)
        && mismatch.map(Yen::amount) == trouble.mismatch
        && proposal.map(|proposal| (proposal.resolution, proposal.by)) == trouble.proposal
}

fn is_review(review: Option<Review>, reason: Option<u16>, deadline: Time) -> bool {
    review.map(|review| (review.reason, review.deadline)) == reason.map(|reason| (reason, deadline))
}

impl top_up::TopUp {
    fn is(&self, row: &wallet::top_up::TopUp) -> bool {
        let debit = &row.debit;
        (debit.wallet, debit.bank_account, debit.bank) == (self.wallet, self.account, self.bank)
            && (debit.amount.amount(), debit.accepted) == (self.amount, self.accepted)
            && (row.status, row.cancel_wished.is_some()) == (self.status, self.cancel_wished)
            && is_review(row.review, self.reason, self.deadline)
            && is_trouble(&self.trouble, &row.claims, row.mismatch, row.proposal)
            && row.resolved == self.resolved
            && row.give_back == self.given_back()
            && row.give_backs_failed == self.backs_failed
            && row.reimbursed.amount() == self.reimbursed
            && row.restituted.map(|row| (row.case, [row.taken, row.parked, row.freed].map(Yen::amount)))
                == self.restituted.map(|model| (model.case, [model.taken, model.parked, model.freed]))
    }

    fn given_back(&self) -> Option<GiveBack> {
        let (id, amount, is_done) = self.give_back?;
        let status = match (is_done, self.taken_back, self.back_failed) {
            (_, Some(_), _) => GiveBackStatus::TakenBack,
            (true, None, _) => GiveBackStatus::Done,
            (false, None, Some(_)) => GiveBackStatus::Failed,
            (false, None, None) => GiveBackStatus::Pending,
        };
        Some(GiveBack {
            id,
            amount: Yen::new(amount),
            status,
            absent: self.back_absent,
            otherwise: self.back_otherwise,
        })
    }
}

impl payout::Payout {
    fn is(&self, row: &wallet::payout::Payout) -> bool {
        let credit = &row.credit;
        (credit.wallet, credit.bank_account, credit.bank) == (self.wallet, self.account, self.bank)
            && (credit.amount.amount(), credit.accepted) == (self.amount, self.accepted)
            && (row.status, row.cancel_wished.is_some()) == (self.status, self.cancel_wished)
            && is_review(row.review, self.reason, self.deadline)
            && is_trouble(&self.trouble, &row.claims, row.mismatch, row.proposal)
            && row.resolved == self.resolved
    }
}

impl payment::Payment {
    fn is(&self, row: &wallet::payment::Payment) -> bool {
        let sums = [row.amount, row.captured, row.refunded].map(Yen::amount);
        let until = row.expires.is_none_or(|expires| expires == self.expires);
        (row.wallet, row.shop, row.status) == (self.wallet, self.shop, self.status)
            && sums == [self.amount, self.captured, self.refunded]
            && row.accepted == self.accepted
            && until
            && row.refunds.iter().map(|(id, _)| id).eq(&self.refunds)
    }
}

impl voucher::Send {
    fn is(&self, row: &wallet::send::Send) -> bool {
        (row.from, row.to, row.amount.amount(), row.status) == (self.from, self.to, self.amount, self.status)
            && is_review(row.review, self.reason, self.deadline)
    }
}

impl voucher::Voucher {
    fn is(&self, row: &wallet::voucher::Voucher) -> bool {
        (row.amount.amount(), row.expires, row.status) == (self.amount, self.expires, self.status)
            && row.proposal.map(|proposal| (proposal.by, proposal.at)) == self.proposed
    }
}

impl mandate::Mandate {
    fn is(&self, row: &wallet::mandate::Mandate) -> bool {
        (row.wallet, row.holder, row.person, row.bank) == (self.wallet, self.holder, self.person, self.bank)
            && (row.status, row.requested, row.deadline) == (self.status, self.requested, self.deadline)
            && (row.review, row.grant) == (self.reason, self.grant)
            && (row.collected, row.confirmed) == (self.collected, self.confirmed)
    }
}

impl super::case::Case {
    fn is(&self, row: &case::Case) -> bool {
        let proposal = row.proposal.map(|proposal| (proposal.finding, proposal.by));
        (row.about, row.status, proposal) == (self.about, self.status, self.proposal)
            && row.wallets.iter().map(|kept| kept.wallet).eq(self.wallets.iter().copied())
            && row.closed.map(|closed| closed.finding) == self.finding
            && [row.reimbursed, row.parked].map(Yen::amount) == [self.reimbursed, self.parked]
    }
}

impl reimbursement::Reimbursement {
    fn is(&self, row: &wallet::reimbursement::Reimbursement) -> bool {
        let credit = &row.credit;
        (credit.case, credit.top_up, credit.bank) == (self.case, self.top_up, self.bank)
            && (credit.amount.amount(), row.status, row.proposed_by) == (self.amount, self.status, self.proposed_by)
            && (row.although_confirmed, row.otherwise) == (self.although_confirmed, self.otherwise)
            && is_trouble(&self.trouble, &row.claims, None, row.proposal)
    }
}
