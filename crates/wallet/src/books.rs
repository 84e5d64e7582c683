//! The books: what must hold between all rows together, checked from the rows alone.
//!
//! Feed every row to [`Books::add`] in any order, then ask [`Books::findings`]. Each ledger account that a kind of movement
//! fills is compared with the sum of those movements' own rows: money that was issued without a source, or left without
//! a movement, shows as a difference. What stands in one wallet is compared wallet by wallet, so that what is too much in
//! one never makes up for what another lacks; and each lot with the movement that it names. [`Books::open`] lists what
//! the banks have not told us yet. Nothing here is used to decide anything.

use crate::ids::{BankAccountId, BankCode, MandateId, PayoutId, TopUpId, WalletId};
use crate::purse::{Lot, Purse, Source};
use crate::top_up::GiveBackStatus;
use crate::wallet::Wallet;
use crate::{Row, chart, mandate, payment, payout, send, table, top_up, voucher};
use domain::{Id, Key};
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
    /// A lot names a movement that did not bring so much into the wallet.
    LotUnsourced {
        /// Whose lot.
        wallet: WalletId,
        /// The lot, which is the movement's id.
        lot: Id,
        /// What there is of it.
        amount: i128,
    },
    /// An account is not what the movements' rows say.
    AccountDiffers {
        /// Which account.
        account: AccountId,
        /// Whether it is what is pending; otherwise what is posted.
        pending: bool,
        /// Its credits less its debits.
        balance: i128,
        /// The same, by the movements' rows.
        expected: i128,
    },
    /// What holds take out of a wallet's purses, or bring in, is not what its open movements say.
    PendingDiffers {
        /// Whose purses.
        wallet: WalletId,
        /// Whether it is what comes in.
        arriving: bool,
        /// What the purses say.
        purses: i128,
        /// What the movements say.
        movements: i128,
    },
    /// What a holder owes by the wallet is not what its receivable account says.
    DebtsDiffer {
        /// Whose.
        wallet: WalletId,
        /// What the wallet says.
        debts: i128,
        /// What the account says.
        account: i128,
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
            Self::LotUnsourced { wallet, lot, amount } => {
                write!(f, "{wallet} has {amount} yen of the lot {lot}, which no movement brought there")
            }
            Self::AccountDiffers { account, pending, balance, expected } => {
                let what = if *pending { "has pending" } else { "is" };
                write!(f, "{} {what} {balance} yen, its movements sum up to {expected}", name(*account))
            }
            Self::PendingDiffers { wallet, arriving, purses, movements } => {
                let way = if *arriving { "coming in" } else { "held" };
                write!(f, "{purses} yen are {way} by the purses of {wallet}, {movements} by its open movements")
            }
            Self::DebtsDiffer { wallet, debts, account } => {
                write!(f, "the holder of {wallet} owes {debts} yen by the wallet, {account} by the account")
            }
            Self::MandateDiffers(account) => write!(f, "{account} and its live mandate do not point at each other"),
            Self::Misplaced(key) => write!(f, "the row {} of table {} is of another noun", key.id, key.table.0),
        }
    }
}

fn name(account: AccountId) -> String {
    format!("account {} of {}", account.code.0, account.owner)
}

/// A movement that a bank was or may be asked for, and has not ended: the bank's own statement may have it or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Open {
    /// At which bank.
    pub bank: BankCode,
    /// Which.
    pub movement: OpenMovement,
    /// How much.
    pub amount: Yen,
    /// The bank was asked and gave no final answer.
    pub in_doubt: bool,
}

/// What is open at a bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OpenMovement {
    /// A debit.
    TopUp(TopUpId),
    /// A credit.
    Payout(PayoutId),
}

/// One thing by the rows that have it, and by the movements' rows.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    rows: i128,
    movements: i128,
}

/// The lots that name one movement, and what that movement brought.
#[derive(Clone, Debug, Default)]
struct Lots {
    brought: Option<(WalletId, Source, Yen)>,
    found: Vec<(WalletId, Source, i128)>,
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
    /// The same of what is pending, of every account that is not a purse.
    accounts_pending: BTreeMap<AccountId, Sums>,
    /// What is held in each wallet, and what is arriving there.
    held: BTreeMap<WalletId, Sums>,
    arriving: BTreeMap<WalletId, Sums>,
    debts: BTreeMap<WalletId, Sums>,
    /// By the movement that brought them.
    lots: BTreeMap<Key, Lots>,
    open: Vec<Open>,
    live: BTreeMap<BankAccountId, MandateId>,
    active: BTreeMap<BankAccountId, MandateId>,
}

impl Books {
    /// Adds one row.
    pub fn add(&mut self, key: Key, row: &Row) {
        match row {
            Row::Wallet(wallet) if key.table == table::WALLET => self.add_wallet(WalletId(key.id), wallet),
            Row::Account(id, account) if chart::key(*id) == key => self.add_account(*id, account),
            Row::TopUp(row) if key.table == table::TOP_UP => self.add_top_up(key, row),
            Row::Payout(row) if key.table == table::PAYOUT => self.add_payout(key, row),
            Row::Payment(row) if key.table == table::PAYMENT => self.add_payment(row),
            Row::Send(row) if key.table == table::SEND => self.add_send(key, row),
            Row::Voucher(row) if key.table == table::VOUCHER => {
                if row.status == voucher::Status::Redeemed {
                    self.expect(chart::voucher_clearing(), row.amount, -1);
                    if let Some(wallet) = row.wallet {
                        self.brought(key, wallet, Source::Voucher, row.amount);
                    }
                }
            }
            Row::Bonus(row) if key.table == table::BONUS => {
                self.expect(chart::campaign_expense(), row.amount, -1);
                self.brought(key, row.wallet, Source::Campaign(row.campaign), row.amount);
            }
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
                self.wrong.push(Finding::AccountDiffers { account, pending: false, balance, expected });
            }
        }
        // What is left has no account row: nothing may be expected of it.
        for (account, expected) in self.expected.into_iter().filter(|(_, expected)| *expected != 0) {
            self.wrong.push(Finding::AccountDiffers { account, pending: false, balance: 0, expected });
        }
        for (account, Sums { rows: balance, movements: expected }) in differing(self.accounts_pending) {
            self.wrong.push(Finding::AccountDiffers { account, pending: true, balance, expected });
        }
        for (arriving, sums) in [(false, self.held), (true, self.arriving)] {
            for (wallet, Sums { rows: purses, movements }) in differing(sums) {
                self.wrong.push(Finding::PendingDiffers { wallet, arriving, purses, movements });
            }
        }
        for (wallet, Sums { rows: debts, movements: account }) in differing(self.debts) {
            self.wrong.push(Finding::DebtsDiffer { wallet, debts, account });
        }
        for (key, Lots { brought, found }) in self.lots {
            for (wallet, source, amount) in found {
                let is_sourced = brought.is_some_and(|(into, from, brought)| {
                    (into, from) == (wallet, source) && amount <= i128::from(brought.amount())
                });
                if !is_sourced {
                    self.wrong.push(Finding::LotUnsourced { wallet, lot: key.id, amount });
                }
            }
        }
        for account in self.live.keys().chain(self.active.keys()) {
            if self.live.get(account) != self.active.get(account) {
                self.wrong.push(Finding::MandateDiffers(*account));
            }
        }
        self.wrong
    }

    /// What no bank has ended, by bank: its statement and our clearing account may differ by these, and by nothing else.
    pub fn open(&self) -> Vec<Open> {
        let mut open = self.open.clone();
        open.sort_unstable();
        open
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
            plus(&mut self.held.entry(id).or_default().rows, balance.account.debits_pending);
            plus(&mut self.arriving.entry(id).or_default().rows, balance.account.credits_pending);
            for lot in &balance.lots {
                self.add_lot(id, lot);
            }
            let lots = Yen::checked_sum(balance.lots.iter().map(|lot| lot.amount));
            if lots != Some(balance.account.available()) {
                self.wrong.push(Finding::LotsDiffer(id, purse));
            }
        }
        for debt in &wallet.debts {
            plus(&mut self.debts.entry(id).or_default().rows, debt.amount);
        }
        for debt in wallet.written_off() {
            self.expect(chart::written_off(), debt.amount, -1);
        }
    }

    fn add_account(&mut self, id: AccountId, account: &Account) {
        self.add_sums(id, account);
        let balance = i128::from(account.credit_balance());
        self.accounts.insert(id, balance);
        let pending = &mut self.accounts_pending.entry(id).or_default().rows;
        plus(pending, account.credits_pending);
        minus(pending, account.debits_pending);
        if id.code == chart::RECEIVABLE {
            let owed = &mut self.debts.entry(WalletId(id.owner)).or_default().movements;
            *owed = owed.saturating_sub(balance);
        }
    }

    fn add_lot(&mut self, wallet: WalletId, lot: &Lot) {
        let table = match lot.source {
            Source::TopUp(_) => table::TOP_UP,
            Source::Voucher => table::VOUCHER,
            Source::Campaign(_) => table::BONUS,
            Source::Send(_) => table::SEND,
        };
        let found = &mut self.lots.entry(Key::new(table, lot.id)).or_default().found;
        match found.iter_mut().find(|(of, source, _)| (*of, *source) == (wallet, lot.source)) {
            Some((_, _, sum)) => plus(sum, lot.amount),
            None => found.push((wallet, lot.source, i128::from(lot.amount.amount()))),
        }
    }

    /// The movement at `key` brought `amount` into `wallet`.
    fn brought(&mut self, key: Key, wallet: WalletId, source: Source, amount: Yen) {
        self.lots.entry(key).or_default().brought = Some((wallet, source, amount));
    }

    /// Open movements hold `amount` in `wallet`.
    fn expect_held(&mut self, wallet: WalletId, amount: Yen) {
        plus(&mut self.held.entry(wallet).or_default().movements, amount);
    }

    /// Open movements bring `amount` into `wallet`.
    fn expect_arriving(&mut self, wallet: WalletId, amount: Yen) {
        plus(&mut self.arriving.entry(wallet).or_default().movements, amount);
    }

    fn add_send(&mut self, key: Key, row: &send::Send) {
        match row.status {
            send::Status::Held => {
                self.expect_held(row.from, row.amount);
                self.expect_arriving(row.to, row.amount);
            }
            send::Status::Completed => self.brought(key, row.to, Source::Send(row.from), row.amount),
            send::Status::GivenUp | send::Status::Expired => {}
        }
    }

    /// A bank owes us what it debited and we neither gave back nor lost again.
    fn add_top_up(&mut self, key: Key, row: &top_up::TopUp) {
        let clearing = chart::clearing(row.debit.bank);
        let top_up::Debit { wallet, bank, bank_account, amount, .. } = row.debit;
        let source = Source::TopUp(bank_account);
        match row.status {
            top_up::Status::Held | top_up::Status::Pending | top_up::Status::InDoubt => {
                self.expect_arriving(wallet, amount);
                self.expect_pending(clearing, amount, -1);
                self.expect(clearing, row.mismatch.unwrap_or_default(), -1);
                if row.status != top_up::Status::Held {
                    let (movement, in_doubt) =
                        (OpenMovement::TopUp(TopUpId(key.id)), row.status == top_up::Status::InDoubt);
                    self.open.push(Open { bank, movement, amount, in_doubt });
                }
            }
            top_up::Status::Settled => {
                self.expect(clearing, amount, -1);
                self.brought(key, wallet, source, amount);
            }
            top_up::Status::Returned => {
                let waits = row.give_back.filter(|back| match back.status {
                    GiveBackStatus::Pending | GiveBackStatus::Failed => true,
                    GiveBackStatus::Done | GiveBackStatus::TakenBack => false,
                });
                self.expect(clearing, waits.map_or(Yen::ZERO, |back| back.amount), -1);
            }
            // What of it was spent before may come back by a refund.
            top_up::Status::Reversed => self.brought(key, wallet, source, amount),
            top_up::Status::Declined | top_up::Status::Cancelled => {}
        }
    }

    fn add_payout(&mut self, key: Key, row: &payout::Payout) {
        let clearing = chart::clearing(row.credit.bank);
        let payout::Credit { wallet, bank, amount, .. } = row.credit;
        match row.status {
            payout::Status::Held | payout::Status::Pending | payout::Status::InDoubt => {
                self.expect_held(wallet, amount);
                self.expect_pending(clearing, amount, 1);
                self.expect(clearing, row.mismatch.unwrap_or_default(), 1);
                if row.status != payout::Status::Held {
                    let (movement, in_doubt) =
                        (OpenMovement::Payout(PayoutId(key.id)), row.status == payout::Status::InDoubt);
                    self.open.push(Open { bank, movement, amount, in_doubt });
                }
            }
            payout::Status::Settled => self.expect(clearing, row.credit.amount, 1),
            payout::Status::Declined | payout::Status::Cancelled | payout::Status::Returned => {}
        }
    }

    fn add_payment(&mut self, row: &payment::Payment) {
        if row.status == payment::Status::Authorised {
            self.expect_held(row.wallet, row.amount);
            self.expect_pending(chart::settlement(row.shop), row.amount, 1);
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

    /// The same of what is pending.
    fn expect_pending(&mut self, account: AccountId, amount: Yen, sign: i128) {
        let sum = &mut self.accounts_pending.entry(account).or_default().movements;
        *sum = sum.saturating_add(i128::from(amount.amount()).saturating_mul(sign));
    }
}

/// What the rows and the movements do not say alike.
fn differing<K>(sums: BTreeMap<K, Sums>) -> impl Iterator<Item = (K, Sums)> {
    sums.into_iter().filter(|(_, sums)| sums.rows != sums.movements)
}

fn plus(sum: &mut i128, amount: Yen) {
    *sum = sum.saturating_add(i128::from(amount.amount()));
}

fn minus(sum: &mut i128, amount: Yen) {
    *sum = sum.saturating_sub(i128::from(amount.amount()));
}
