//! The model of give-backs: what was debited and must not stay goes back to its account, fails, or comes back again.

use super::Oracle;
use super::top_up::TopUp;
use ledger::Yen;
use wallet::bank_answer::Claim;
use wallet::{GiveBackId, TopUpId, chart};

impl Oracle {
    /// The bank's first word of what goes back counts; another one is trouble.
    pub(super) fn answer_give_back(&mut self, row: &mut TopUp, done: bool) {
        let Some((id, amount, is_done)) = row.give_back else { return };
        if row.back_is_asked() {
            row.trouble.proposal = None;
            if done {
                self.is_given_back(row);
            } else {
                (row.back_failed, row.back_absent) = (Some(id), false);
            }
        } else if done && (!is_done || row.taken_back.is_some() || row.back_otherwise) {
            row.trouble.claims(Claim::TakenBack(Yen::new(amount)));
        } else if !done && is_done && row.taken_back.is_none() && !row.back_otherwise {
            row.trouble.claims(Claim::CameBack(Yen::new(amount)));
        }
    }

    /// The account has what was on its way back to it.
    pub(super) fn is_given_back(&mut self, row: &mut TopUp) {
        (row.back_failed, row.back_absent) = (None, false);
        if let Some((_, amount, is_done)) = &mut row.give_back {
            *is_done = true;
            self.books.pay(chart::suspense(Some(row.bank)), chart::clearing(row.bank), *amount);
        }
    }

    /// Two people say that the account has it: by its bank, by another way where the bank says nothing, or by both.
    pub(super) fn settle_give_back(&mut self, row: &mut TopUp) {
        let Some((_, amount, _)) = row.give_back else { return };
        let (suspense, clearing) = (chart::suspense(Some(row.bank)), chart::clearing(row.bank));
        let otherwise = chart::paid_otherwise(row.bank);
        if row.back_otherwise {
            row.back_otherwise = false;
            self.books.pay(otherwise, clearing, amount);
        } else if row.trouble.any() {
            self.is_given_back(row);
        } else {
            (row.back_failed, row.back_absent, row.back_otherwise) = (None, false, true);
            row.give_back = row.give_back.map(|(id, amount, _)| (id, amount, true));
            self.books.pay(suspense, otherwise, amount);
        }
    }

    /// What was given back came back, and waits again.
    pub(super) fn give_back_again(&mut self, row: &mut TopUp, back: GiveBackId) {
        (row.back_failed, row.back_absent) = (None, false);
        row.taken_back = None;
        if let Some((id, amount, is_done)) = &mut row.give_back {
            row.backs_failed.push(std::mem::replace(id, back));
            if std::mem::take(is_done) {
                self.books.pay(chart::clearing(row.bank), chart::suspense(Some(row.bank)), *amount);
            }
        }
    }

    /// The top-ups whose give-back did not simply come to be there.
    pub fn strange_give_backs(&self) -> Vec<TopUpId> {
        let strange = self.top_ups.iter().filter(|(_, row)| row.back_failed.is_some() || row.taken_back.is_some());
        strange.map(|(id, _)| *id).collect()
    }

    /// The top-ups whose give-back the bank could not make, as far as it has said.
    pub fn failed_give_backs(&self) -> Vec<TopUpId> {
        let failed = self.top_ups.iter().filter(|(_, row)| row.back_failed.is_some());
        failed.map(|(id, _)| *id).collect()
    }
}
