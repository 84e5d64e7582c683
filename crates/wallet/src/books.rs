//! The books: what must hold between all rows together, checked from the rows alone.
//!
//! Feed every row to [`Books::add`] in any order, then ask [`Books::findings`]. Each ledger account that a kind of movement
//! fills is compared with the sum of those movements' own rows: money that was issued without a source, or left without
//! a movement, shows as a difference. Nothing here is used to decide anything.

use crate::ids::{BankAccountId, MandateId, WalletId};
use crate::purse::Purse;
use crate::top_up::GiveBackStatus;
use crate::wallet::Wallet;
use crate::{Row, chart, mandate, payment, payout, send, table, top_up, voucher};
use domain::Key;
use ledger::{Account, AccountId, Yen};
use std::collections::BTreeMap;
use std::fmt;

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// All debits and all credits differ.
    Unbalanced {
        /// Posted debits less posted credits, over all accounts.
        posted: i128,
        /// The same of what is pending.
        pending: i128,
    },
    /// An account is overdrawn.
    Overdrawn(AccountId),
    /// A purse's lots are not what is available in it.
    LotsDiffer(WalletId, Purse),
    /// An account is not what the movements' rows say.
    AccountDiffers {
        /// Which account.
        account: AccountId,
        /// Its posted credits less its posted debits.
        balance: i128,
        /// The same, by the movements' rows.
        expected: i128,
    },
    /// What holds take out of the purses, or bring in, is not what the open movements say.
    PendingDiffers {
        /// Whether it is what comes in.
        arriving: bool,
        /// What the purses say.
        purses: i128,
        /// What the movements say.
        movements: i128,
    },
    /// What holders owe by their wallets is not what the receivable accounts say.
    DebtsDiffer {
        /// What the wallets say.
        wallets: i128,
        /// What the accounts say.
        accounts: i128,
    },
    /// A bank account and its one live mandate do not point at each other.
    MandateDiffers(BankAccountId),
    /// A row lies under a key of another noun.
    Misplaced(Key),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unbalanced { posted, pending } => {
                write!(f, "debits exceed credits by {posted} yen posted and {pending} yen pending")
            }
            Self::Overdrawn(account) => write!(f, "{} is overdrawn", name(*account)),
            Self::LotsDiffer(wallet, purse) => write!(f, "the lots of {wallet}'s {purse:?} purse are not its balance"),
            Self::AccountDiffers { account, balance, expected } => {
                write!(f, "{} is {balance} yen, its movements sum up to {expected}", name(*account))
            }
            Self::PendingDiffers { arriving, purses, movements } => {
                let way = if *arriving { "coming in" } else { "held" };
                write!(f, "{purses} yen are {way} by the purses, {movements} by the open movements")
            }
            Self::DebtsDiffer { wallets, accounts } => {
                write!(f, "holders owe {wallets} yen by their wallets, {accounts} by the accounts")
            }
            Self::MandateDiffers(account) => write!(f, "{account} and its live mandate do not point at each other"),
            Self::Misplaced(key) => write!(f, "the row {} of table {} is of another noun", key.id, key.table.0),
        }
    }
}

fn name(account: AccountId) -> String {
    format!("account {} of {}", account.code.0, account.owner)
}

/// Sums over rows.
#[derive(Clone, Debug, Default)]
pub struct Books {
    posted: i128,
    pending: i128,
    wrong: Vec<Finding>,
    /// Posted credits less posted debits of each account that is not a purse.
    accounts: BTreeMap<AccountId, i128>,
    /// The same, by the movements' rows, where they say it all.
    expected: BTreeMap<AccountId, i128>,
    held: i128,
    held_expected: i128,
    arriving: i128,
    arriving_expected: i128,
    debts: i128,
    live: BTreeMap<BankAccountId, MandateId>,
    active: BTreeMap<BankAccountId, MandateId>,
}

impl Books {
    /// Adds one row.
    pub fn add(&mut self, key: Key, row: &Row) {
        match row {
            Row::Wallet(wallet) if key.table == table::WALLET => self.add_wallet(WalletId(key.id), wallet),
            Row::Account(id, account) if chart::key(*id) == key => self.add_account(*id, account),
            Row::TopUp(row) if key.table == table::TOP_UP => self.add_top_up(row),
            Row::Payout(row) if key.table == table::PAYOUT => self.add_payout(row),
            Row::Payment(row) if key.table == table::PAYMENT => self.add_payment(row),
            Row::Send(row) if key.table == table::SEND => {
                if row.status == send::Status::Held {
                    plus(&mut self.held_expected, row.amount);
                }
            }
            Row::Voucher(row) if key.table == table::VOUCHER => {
                if row.status == voucher::Status::Redeemed {
                    self.expect(chart::voucher_clearing(), row.amount, -1);
                }
            }
            Row::Bonus(row) if key.table == table::BONUS => self.expect(chart::campaign_expense(), row.amount, -1),
            Row::BankAccount(row) if key.table == table::BANK_ACCOUNT => {
                if let Some(mandate) = row.live_mandate {
                    self.live.insert(BankAccountId(key.id), mandate);
                }
            }
            Row::Mandate(row) if key.table == table::MANDATE => self.add_mandate(MandateId(key.id), row),
            Row::Holder(_) if key.table == table::HOLDER => {}
            Row::Person(_) if key.table == table::PERSON => {}
            Row::Contact(_) if key.table == table::CONTACT => {}
            Row::Shop(_) if key.table == table::SHOP => {}
            Row::PaymentCode(_) if key.table == table::PAYMENT_CODE => {}
            Row::Switches(_) if key.table == table::SWITCHES => {}
            Row::Case(_) if key.table == table::CASE => {}
            Row::Wallet(_) | Row::Account(..) | Row::TopUp(_) | Row::Payout(_) | Row::Payment(_) => self.misplaced(key),
            Row::Send(_) | Row::Voucher(_) | Row::Bonus(_) | Row::BankAccount(_) | Row::Mandate(_) => {
                self.misplaced(key);
            }
            Row::Holder(_) | Row::Person(_) | Row::Contact(_) | Row::Shop(_) => self.misplaced(key),
            Row::PaymentCode(_) | Row::Switches(_) | Row::Case(_) => self.misplaced(key),
        }
    }

    /// Everything that does not hold over the rows that were added.
    pub fn findings(mut self) -> Vec<Finding> {
        if self.posted != 0 || self.pending != 0 {
            self.wrong.push(Finding::Unbalanced { posted: self.posted, pending: self.pending });
        }
        let told =
            [chart::CLEARING, chart::VOUCHER_CLEARING, chart::SETTLEMENT, chart::CAMPAIGN_EXPENSE, chart::WRITTEN_OFF];
        for (account, balance) in self.accounts.iter().filter(|(id, _)| told.contains(&id.code)) {
            let (account, balance) = (*account, *balance);
            let expected = self.expected.remove(&account).unwrap_or_default();
            if balance != expected {
                self.wrong.push(Finding::AccountDiffers { account, balance, expected });
            }
        }
        // What is left has no account row: nothing may be expected of it.
        for (account, expected) in self.expected.into_iter().filter(|(_, expected)| *expected != 0) {
            self.wrong.push(Finding::AccountDiffers { account, balance: 0, expected });
        }
        for (arriving, purses, movements) in
            [(false, self.held, self.held_expected), (true, self.arriving, self.arriving_expected)]
        {
            if purses != movements {
                self.wrong.push(Finding::PendingDiffers { arriving, purses, movements });
            }
        }
        let receivable = self.accounts.iter().filter(|(id, _)| id.code == chart::RECEIVABLE);
        let owed = receivable.fold(0_i128, |sum, (_, balance)| sum.saturating_sub(*balance));
        if owed != self.debts {
            self.wrong.push(Finding::DebtsDiffer { wallets: self.debts, accounts: owed });
        }
        for account in self.live.keys().chain(self.active.keys()) {
            if self.live.get(account) != self.active.get(account) {
                self.wrong.push(Finding::MandateDiffers(*account));
            }
        }
        self.wrong
    }

    fn misplaced(&mut self, key: Key) {
        self.wrong.push(Finding::Misplaced(key));
    }

    fn add_sums(&mut self, id: AccountId, account: &Account) {
        plus(&mut self.posted, account.debits_posted);
        minus(&mut self.posted, account.credits_posted);
        plus(&mut self.pending, account.debits_pending);
        minus(&mut self.pending, account.credits_pending);
        if !account.keeps_rule() || account.rule != chart::rule(id.code) {
            self.wrong.push(Finding::Overdrawn(id));
        }
    }

    fn add_wallet(&mut self, id: WalletId, wallet: &Wallet) {
        for purse in Purse::ALL {
            let balance = wallet.purse(purse);
            self.add_sums(chart::purse(id, purse), &balance.account);
            plus(&mut self.held, balance.account.debits_pending);
            plus(&mut self.arriving, balance.account.credits_pending);
            let lots = Yen::checked_sum(balance.lots.iter().map(|lot| lot.amount));
            if lots != Some(balance.account.available()) {
                self.wrong.push(Finding::LotsDiffer(id, purse));
            }
        }
        for debt in &wallet.debts {
            plus(&mut self.debts, debt.amount);
        }
        for debt in wallet.written_off() {
            self.expect(chart::written_off(), debt.amount, -1);
        }
    }

    fn add_account(&mut self, id: AccountId, account: &Account) {
        self.add_sums(id, account);
        self.accounts.insert(id, i128::from(account.credit_balance()));
    }

    /// A bank owes us what it debited and we neither gave back nor lost again.
    fn add_top_up(&mut self, row: &top_up::TopUp) {
        let clearing = chart::clearing(row.debit.bank);
        match row.status {
            top_up::Status::Held | top_up::Status::Pending | top_up::Status::InDoubt => {
                plus(&mut self.arriving_expected, row.debit.amount);
                self.expect(clearing, row.mismatch.unwrap_or_default(), -1);
            }
            top_up::Status::Settled => self.expect(clearing, row.debit.amount, -1),
            top_up::Status::Returned => {
                let waits = row.give_back.filter(|back| match back.status {
                    GiveBackStatus::Pending | GiveBackStatus::Failed => true,
                    GiveBackStatus::Done | GiveBackStatus::TakenBack => false,
                });
                self.expect(clearing, waits.map_or(Yen::ZERO, |back| back.amount), -1);
            }
            top_up::Status::Declined | top_up::Status::Cancelled | top_up::Status::Reversed => {}
        }
    }

    fn add_payout(&mut self, row: &payout::Payout) {
        let clearing = chart::clearing(row.credit.bank);
        match row.status {
            payout::Status::Held | payout::Status::Pending | payout::Status::InDoubt => {
                plus(&mut self.held_expected, row.credit.amount);
                self.expect(clearing, row.mismatch.unwrap_or_default(), 1);
            }
            payout::Status::Settled => self.expect(clearing, row.credit.amount, 1),
            payout::Status::Declined | payout::Status::Cancelled | payout::Status::Returned => {}
        }
    }

    fn add_payment(&mut self, row: &payment::Payment) {
        if row.status == payment::Status::Authorised {
            plus(&mut self.held_expected, row.amount);
        }
        self.expect(chart::settlement(row.shop), row.captured, 1);
        self.expect(chart::settlement(row.shop), row.refunded, -1);
    }

    fn add_mandate(&mut self, id: MandateId, row: &mandate::Mandate) {
        if row.status != mandate::Status::Active {
            return;
        }
        let account = row.grant.map(|grant| grant.bank_account);
        if let Some(account) = account
            && self.active.insert(account, id).is_some()
        {
            self.wrong.push(Finding::MandateDiffers(account));
        }
    }

    /// The movements' rows say that `account`'s credit balance has `amount` more, or less.
    fn expect(&mut self, account: AccountId, amount: Yen, sign: i128) {
        let sum = self.expected.entry(account).or_default();
        *sum = sum.saturating_add(i128::from(amount.amount()).saturating_mul(sign));
    }
}

fn plus(sum: &mut i128, amount: Yen) {
    *sum = sum.saturating_add(i128::from(amount.amount()));
}

fn minus(sum: &mut i128, amount: Yen) {
    *sum = sum.saturating_sub(i128::from(amount.amount()));
}
