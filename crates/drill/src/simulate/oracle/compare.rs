//! The model beside the service's rows: every balance, every lot, every freeze must be the same on both sides.

use super::Oracle;
use domain::Key;
use ledger::Account;
use std::sync::Arc;
use wallet::switches::KEY;
use wallet::{Purse, Row, WalletId, chart, table};

/// How rows are read.
pub type Read<'a> = &'a mut dyn FnMut(Key) -> Result<Option<Arc<Row>>, String>;

impl Oracle {
    /// Compares everything that the model knows. An error is a violation.
    pub fn compare(&mut self, read: Read<'_>) -> Result<(), String> {
        for key in std::mem::take(&mut self.touched) {
            self.compare_row(key, read(key)?.as_deref())?;
        }
        if let Some(fault) = self.books.fault() {
            return Err(fault);
        }
        self.compare_switches(read(KEY)?.as_deref())?;
        let mut sums = Sums::default();
        for (id, holding) in &self.wallets {
            let row = read(Key::new(table::WALLET, id.0))?;
            let Some(Row::Wallet(wallet)) = row.as_deref() else { return Err(format!("wallet {id} is gone")) };
            for purse in Purse::ALL {
                let balance = wallet.purse(purse);
                self.compare_account(chart::purse(*id, purse), &balance.account, &mut sums)?;
                self.compare_lots(*id, purse, &balance.lots)?;
            }
            let frozen = wallet.frozen_by.iter().copied().eq(holding.frozen.iter().copied());
            let closes = wallet.closed == holding.closed && wallet.closing() == holding.closing;
            if !closes || !frozen || wallet.tier != holding.tier {
                let (closing, by) = (holding.closing, &holding.frozen);
                return Err(format!("wallet {id} is {wallet:?}, in the model closing {closing:?}, frozen by {by:?}"));
            }
            let (kept, expected) =
                (wallet.blocked().amount(), self.books.in_wallet(*id) - self.books.free_in_wallet(*id));
            if kept != expected {
                return Err(format!("cases keep {kept} yen in wallet {id}, in the model {expected}"));
            }
            let owed: i64 = wallet.debts.iter().map(|debt| debt.amount.amount()).sum();
            let expected: i64 = holding.debts.iter().map(|(_, owed)| owed).sum();
            if owed != expected {
                return Err(format!("wallet {id} owes {owed} yen, in the model {expected}"));
            }
            let lost: i64 = wallet.written_off().iter().map(|debt| debt.amount.amount()).sum();
            let expected: i64 = holding.written_off.values().sum();
            if lost != expected {
                return Err(format!("{lost} yen are written off in wallet {id}, in the model {expected}"));
            }
        }
        for account in self.books.accounts() {
            if Purse::ALL.into_iter().any(|purse| purse.code() == account.code) {
                continue;
            }
            let sum = match read(chart::key(account))?.as_deref() {
                Some(Row::Account(_, sum)) => *sum,
                Some(_) | None => Account::new(chart::rule(account.code)),
            };
            self.compare_account(account, &sum, &mut sums)?;
        }
        sums.check()
    }

    fn compare_account(&self, id: ledger::AccountId, account: &Account, sums: &mut Sums) -> Result<(), String> {
        sums.add(account);
        let found = (account.credit_balance(), account.debits_pending.amount(), account.credits_pending.amount());
        let expected = (self.books.balance(id), self.books.leaving(id), self.books.arriving(id));
        if found == expected {
            return Ok(());
        }
        Err(format!("account {id:?} has (balance, leaving, arriving) {found:?}, in the model {expected:?}"))
    }

    fn compare_lots(&self, wallet: WalletId, purse: Purse, lots: &[wallet::Lot]) -> Result<(), String> {
        let model = self.books.lying(wallet, purse);
        let each = model.iter().map(|lot| (lot.id, lot.source, lot.received, lot.amount));
        if lots.iter().map(|lot| (lot.id, lot.source, lot.received, lot.amount.amount())).eq(each) {
            return Ok(());
        }
        Err(format!("the lots of {purse:?} of {wallet} are {lots:?}, in the model {model:?}"))
    }
}

/// Debits and credits over all accounts.
#[derive(Default)]
struct Sums {
    posted: i64,
    pending: i64,
}

impl Sums {
    fn add(&mut self, account: &Account) {
        self.posted += account.credit_balance();
        self.pending += account.credits_pending.amount() - account.debits_pending.amount();
    }

    fn check(&self) -> Result<(), String> {
        if self.posted != 0 || self.pending != 0 {
            return Err(format!("debits and credits differ by {} yen, pending {}", self.posted, self.pending));
        }
        Ok(())
    }
}
