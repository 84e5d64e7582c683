//! The books: what must hold between all rows together, checked from the rows alone.
//!
//! Feed every row to [`Books::add`] in any order, then ask [`Books::findings`]. Every ledger account is compared with the sum
//! of the movements' own rows that fill it: money that was issued without a source, or left without a movement, shows as a
//! difference. What stands in one wallet is compared wallet by wallet, so that what is too much in one never makes up for
//! what another lacks; and each lot with the movement that it names. [`Books::issued`] says where the money went that was
//! issued, [`Books::open`] what the banks have not told us yet. Nothing here is used to decide anything.

mod finding;

pub use finding::Finding;

use crate::bank_answer::Resolution;
use crate::ids::{BankAccountId, BankCode, MandateId, PayoutId, ReimbursementId, TopUpId, WalletId};
use crate::purse::{Lot, Purse, Source};
use crate::top_up::GiveBackStatus;
use crate::wallet::Wallet;
use crate::{Row, chart, mandate, payment, payout, reimbursement, send, table, top_up, voucher};
use domain::Key;
use ledger::{Account, AccountId, Yen};
use std::collections::{BTreeMap, BTreeSet};

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
    /// A debit that is given back.
    Reimbursement(ReimbursementId),
}

/// Where the money is that was issued, in yen: `issued` is the sum of the rest, `owed` and `written_off` taken off it. What
/// breaks that is found wallet by wallet: [`Finding::WorthDiffers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Issued {
    /// By top-ups, vouchers and campaigns. A top-up that its bank took back counts here and in `clawed_back`, also where
    /// the bank did so before it was credited.
    pub issued: i128,
    /// In purses.
    pub outstanding: i128,
    /// Paid to shops, less what they gave back.
    pub redeemed: i128,
    /// Paid out to bank accounts, or taken to be given back to the account that it came from.
    pub returned: i128,
    /// Taken back by banks.
    pub clawed_back: i128,
    /// Bonus that lapsed with its wallet.
    pub lapsed: i128,
    /// In suspense: it came back when its wallet was closed, or no lot stood for it.
    pub waiting: i128,
    /// What holders owe of it: it is with whoever they paid, and taken back as well.
    pub owed: i128,
    /// The same, of what they will never pay.
    pub written_off: i128,
}

impl Issued {
    /// What the wallets and what waits account for: what was issued and neither redeemed, returned nor clawed back.
    const fn rows(&self) -> i128 {
        let there = self.outstanding.saturating_add(self.lapsed).saturating_add(self.waiting);
        there.saturating_sub(self.owed).saturating_sub(self.written_off)
    }

    /// The same by the movements.
    const fn movements(&self) -> i128 {
        let gone = self.redeemed.saturating_add(self.returned).saturating_add(self.clawed_back);
        self.issued.saturating_sub(gone)
    }
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
    /// What each wallet accounts for, and what its movements brought and took.
    worth: BTreeMap<WalletId, Sums>,
    issued: Issued,
    /// By the movement that brought them.
    lots: BTreeMap<Key, Lots>,
    /// What is reimbursed of each top-up, and what of it payouts bring back to its account.
    reimbursed: BTreeMap<TopUpId, Sums>,
    paid_back: BTreeMap<TopUpId, Sums>,
    open: Vec<Open>,
    live: BTreeMap<BankAccountId, MandateId>,
    active: BTreeMap<BankAccountId, MandateId>,
    /// Whose links a mandate is, and of which account; and the same by the rows of the active ones.
    linked: BTreeMap<MandateId, (WalletId, BankAccountId)>,
    debiting: BTreeMap<MandateId, (WalletId, BankAccountId)>,
    closed: BTreeSet<WalletId>,
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
                        self.issue(wallet, row.amount);
                    }
                }
            }
            Row::Bonus(row) if key.table == table::BONUS => {
                self.expect(chart::campaign_expense(), row.amount, -1);
                self.brought(key, row.wallet, Source::Campaign(row.campaign), row.amount);
                self.issue(row.wallet, row.amount);
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
            Row::Reimbursement(row) if key.table == table::REIMBURSEMENT => self.add_reimbursement(row),
            Row::Wallet(_) | Row::Account(..) | Row::TopUp(_) | Row::Payout(_) | Row::Payment(_) => self.misplaced(key),
            Row::Send(_) | Row::Voucher(_) | Row::Bonus(_) | Row::BankAccount(_) | Row::Mandate(_) => {
                self.misplaced(key);
            }
            Row::Holder(_) | Row::Person(_) | Row::Contact(_) | Row::Shop(_) => self.misplaced(key),
            Row::PaymentCode(_) | Row::Switches(_) | Row::Case(_) => self.misplaced(key),
            Row::Reimbursement(_) => self.misplaced(key),
        }
    }

    /// Everything that does not hold over the rows that were added.
    pub fn findings(mut self) -> Vec<Finding> {
        if self.posted != 0 || self.pending != 0 {
            self.wrong.push(Finding::Unbalanced { posted: self.posted, pending: self.pending });
        }
        // What holders owe is compared with what their wallets say.
        for (account, balance) in self.accounts.iter().filter(|(id, _)| id.code != chart::RECEIVABLE) {
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
        for (wallet, Sums { rows, movements }) in differing(self.worth) {
            self.wrong.push(Finding::WorthDiffers { wallet, rows, movements });
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
        for (mandate, debiting) in &self.debiting {
            // Wallets of long ago did not remember what they linked.
            let is_anothers = self.linked.get(mandate).is_some_and(|linked| linked != debiting);
            if is_anothers || self.closed.contains(&debiting.0) {
                self.wrong.push(Finding::MandateUnlinked(*mandate));
            }
        }
        for (top_up, Sums { rows, movements }) in differing(self.reimbursed) {
            self.wrong.push(Finding::ReimbursedDiffers { top_up, rows, movements });
        }
        for (top_up, Sums { rows, movements }) in differing(self.paid_back) {
            self.wrong.push(Finding::PaidBackDiffers { top_up, rows, movements });
        }
        for account in self.live.keys().chain(self.active.keys()) {
            if self.live.get(account) != self.active.get(account) {
                self.wrong.push(Finding::MandateDiffers(*account));
            }
        }
        self.wrong
    }

    /// Where the money is that was issued, over the rows that were added.
    pub const fn issued(&self) -> Issued {
        self.issued
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
        let mut has = Issued::default();
        for purse in Purse::ALL {
            let balance = wallet.purse(purse);
            has.outstanding = has.outstanding.saturating_add(i128::from(balance.account.credit_balance()));
            self.add_sums(chart::purse(id, purse), &balance.account);
            plus(&mut self.held.entry(id).or_default().rows, balance.account.debits_pending);
            plus(&mut self.arriving.entry(id).or_default().rows, balance.account.credits_pending);
            for lot in &balance.lots {
                self.add_lot(id, lot);
                if lot.source.purse() != purse {
                    self.wrong.push(Finding::WrongPurse { wallet: id, lot: lot.id, purse });
                }
            }
            let lots = Yen::checked_sum(balance.lots.iter().map(|lot| lot.amount));
            if lots != Some(balance.account.available()) {
                self.wrong.push(Finding::LotsDiffer(id, purse));
            }
        }
        self.linked.extend(wallet.links().iter().map(|link| (link.mandate, (id, link.bank_account))));
        if wallet.closed {
            self.closed.insert(id);
        }
        for debt in &wallet.debts {
            plus(&mut has.owed, debt.amount);
            plus(&mut self.debts.entry(id).or_default().rows, debt.amount);
        }
        for debt in wallet.written_off() {
            plus(&mut has.written_off, debt.amount);
            self.expect(chart::written_off(), debt.amount, -1);
        }
        plus(&mut has.lapsed, wallet.lapsed());
        self.expect(chart::bonus_lapsed(), wallet.lapsed(), 1);
        for (bank, amount) in wallet.recovered_waiting() {
            minus(&mut has.waiting, *amount);
            self.expect(chart::suspense(*bank), *amount, -1);
        }
        self.account_for(id, has);
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

    /// A top-up, a voucher or a campaign brought `amount` into `wallet`.
    fn issue(&mut self, wallet: WalletId, amount: Yen) {
        let issued = i128::from(amount.amount());
        self.account_for(wallet, Issued { issued, ..Issued::default() });
    }

    /// Money of `wallet` came back and waits in suspense.
    fn waits(&mut self, wallet: WalletId, bank: Option<BankCode>, amount: Yen) {
        let waiting = i128::from(amount.amount());
        self.account_for(wallet, Issued { waiting, ..Issued::default() });
        self.expect(chart::suspense(bank), amount, 1);
    }

    /// Adds `more` to what is known of the money that was issued, and of `wallet`'s part of it.
    fn account_for(&mut self, wallet: WalletId, more: Issued) {
        let worth = self.worth.entry(wallet).or_default();
        worth.rows = worth.rows.saturating_add(more.rows());
        worth.movements = worth.movements.saturating_add(more.movements());
        let Issued { issued, outstanding, redeemed, returned, clawed_back, lapsed, waiting, owed, written_off } = more;
        let sums = &mut self.issued;
        for (sum, more) in [
            (&mut sums.issued, issued),
            (&mut sums.outstanding, outstanding),
            (&mut sums.redeemed, redeemed),
            (&mut sums.returned, returned),
            (&mut sums.clawed_back, clawed_back),
            (&mut sums.lapsed, lapsed),
            (&mut sums.waiting, waiting),
            (&mut sums.owed, owed),
            (&mut sums.written_off, written_off),
        ] {
            *sum = sum.saturating_add(more);
        }
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
            send::Status::Completed => {
                self.brought(key, row.to, Source::Send(row.from), row.amount);
                minus(&mut self.worth.entry(row.from).or_default().movements, row.amount);
                plus(&mut self.worth.entry(row.to).or_default().movements, row.amount);
            }
            send::Status::GivenUp | send::Status::Expired => {}
        }
    }

    /// A bank owes us what it debited and we neither gave back nor lost again.
    fn add_top_up(&mut self, key: Key, row: &top_up::TopUp) {
        let clearing = chart::clearing(row.debit.bank);
        plus(&mut self.reimbursed.entry(row.debit.top_up).or_default().rows, row.reimbursed);
        plus(&mut self.paid_back.entry(row.debit.top_up).or_default().rows, row.paid_back);
        if row.reimbursed > row.debit.amount {
            self.wrong.push(Finding::ReimbursedTooMuch(row.debit.top_up));
        }
        if let Some(restituted) = row.restituted {
            let is_back = row.status != top_up::Status::Settled;
            self.add_restituted(&restituted, if is_back { restituted.paid(&row.debit) } else { Yen::ZERO });
        }
        let top_up::Debit { wallet, bank, bank_account, amount, .. } = row.debit;
        let source = Source::TopUp(bank_account);
        match row.status {
            top_up::Status::Held | top_up::Status::Pending | top_up::Status::InDoubt => {
                self.expect_arriving(wallet, amount);
                self.expect_pending(clearing, amount, -1);
                self.expect_suspended(bank, row.mismatch.unwrap_or_default(), 1);
                if row.status != top_up::Status::Held {
                    let (movement, in_doubt) =
                        (OpenMovement::TopUp(TopUpId(key.id)), row.status == top_up::Status::InDoubt);
                    self.open.push(Open { bank, movement, amount, in_doubt });
                }
            }
            top_up::Status::Settled => {
                self.expect(clearing, amount, -1);
                self.brought(key, wallet, source, amount);
                self.issue(wallet, amount);
            }
            top_up::Status::Returned => {
                let waits = row.give_back.filter(|back| match back.status {
                    GiveBackStatus::Pending | GiveBackStatus::Failed => true,
                    GiveBackStatus::Done | GiveBackStatus::TakenBack => false,
                });
                self.expect_suspended(bank, waits.map_or(Yen::ZERO, |back| back.amount), 1);
                // The operator paid it, and has what the bank still owes.
                let otherwise = row.give_back.filter(|back| back.otherwise).map_or(Yen::ZERO, |back| back.amount);
                self.expect(chart::paid_otherwise(bank), otherwise, 1);
                self.expect(clearing, otherwise, -1);
                // It may have been credited and taken out again, and a refund bring back what was spent of it.
                if row.resolved == Some(Resolution::Return) {
                    self.brought(key, wallet, source, amount);
                }
                // What a case had taken of it was taken of nothing, once the debit goes back whole: the operator paid that.
                self.issue(wallet, row.restituted.map_or(Yen::ZERO, |restituted| restituted.paid(&row.debit)));
            }
            // What of it was spent before may come back by a refund.
            top_up::Status::Reversed => {
                self.brought(key, wallet, source, amount);
                self.issue(wallet, amount);
                let paid = row.restituted.map_or(Yen::ZERO, |restituted| restituted.paid(&row.debit));
                let clawed_back = i128::from(amount.saturating_sub(paid).amount());
                self.account_for(wallet, Issued { clawed_back, ..Issued::default() });
            }
            top_up::Status::Declined | top_up::Status::Cancelled => {}
        }
    }

    /// A case took something for a debit: what stood ready for nothing the operator has, and paid the bank `paid` if it took the debit
    /// back by itself.
    fn add_restituted(&mut self, restituted: &top_up::Restituted, paid: Yen) {
        let expense = chart::reimbursement_expense(restituted.case);
        self.expect(expense, paid, -1);
        self.expect(expense, restituted.freed, 1);
        self.expect(chart::restitution(restituted.case), restituted.freed, -1);
    }

    fn add_payout(&mut self, key: Key, row: &payout::Payout) {
        let clearing = chart::clearing(row.credit.bank);
        let payout::Credit { wallet, bank, amount, .. } = row.credit;
        self.waits(wallet, Some(bank), row.suspended);
        if row.status.is_open() || row.status == payout::Status::Settled {
            for (top_up, amount) in &row.paid_back {
                plus(&mut self.paid_back.entry(*top_up).or_default().movements, *amount);
            }
        }
        match row.status {
            payout::Status::Held | payout::Status::Pending | payout::Status::InDoubt => {
                self.expect_held(wallet, amount);
                self.expect_pending(clearing, amount, 1);
                self.expect_suspended(bank, row.mismatch.unwrap_or_default(), -1);
                if row.status != payout::Status::Held {
                    let (movement, in_doubt) =
                        (OpenMovement::Payout(PayoutId(key.id)), row.status == payout::Status::InDoubt);
                    self.open.push(Open { bank, movement, amount, in_doubt });
                }
            }
            payout::Status::Settled => {
                self.expect(clearing, amount, 1);
                let returned = i128::from(amount.amount());
                self.account_for(wallet, Issued { returned, ..Issued::default() });
            }
            payout::Status::Declined | payout::Status::Cancelled | payout::Status::Returned => {}
        }
    }

    /// What was approved stands ready until the bank has paid it out; what failed stays ready for the next one of its debit.
    fn add_reimbursement(&mut self, row: &reimbursement::Reimbursement) {
        let reimbursement::Credit { reimbursement, case, top_up, bank, amount, .. } = row.credit;
        let restitution = chart::restitution(case);
        for taken in &row.taken {
            let taken_of_it = taken.piece.lot.amount;
            self.expect(restitution, taken_of_it, 1);
            let returned = i128::from(taken_of_it.amount());
            self.account_for(taken.wallet, Issued { returned, ..Issued::default() });
        }
        self.expect(restitution, row.expense, 1);
        self.expect(chart::reimbursement_expense(case), row.expense, -1);
        let (is_on_its_way, is_there) = match row.status {
            reimbursement::Status::Proposed | reimbursement::Status::Refused => (false, false),
            reimbursement::Status::Failed => (false, false),
            reimbursement::Status::Pending | reimbursement::Status::InDoubt => (true, false),
            reimbursement::Status::Done => (false, true),
        };
        if is_on_its_way || is_there {
            plus(&mut self.reimbursed.entry(top_up).or_default().movements, amount);
        }
        if is_on_its_way {
            let in_doubt = row.status == reimbursement::Status::InDoubt;
            self.open.push(Open { bank, movement: OpenMovement::Reimbursement(reimbursement), amount, in_doubt });
        }
        if is_there {
            let by = if row.otherwise { chart::paid_otherwise(bank) } else { chart::clearing(bank) };
            self.expect(restitution, amount, -1);
            self.expect(by, amount, 1);
        }
    }

    fn add_payment(&mut self, row: &payment::Payment) {
        if row.status == payment::Status::Authorised {
            self.expect_held(row.wallet, row.amount);
            self.expect_pending(chart::settlement(row.shop), row.amount, 1);
        }
        self.expect(chart::settlement(row.shop), row.captured, 1);
        self.expect(chart::settlement(row.shop), row.refunded, -1);
        self.waits(row.wallet, None, row.suspended);
        let redeemed = i128::from(row.captured.amount()).saturating_sub(i128::from(row.refunded.amount()));
        self.account_for(row.wallet, Issued { redeemed, ..Issued::default() });
    }

    fn add_mandate(&mut self, id: MandateId, row: &mandate::Mandate) {
        if row.status != mandate::Status::Active {
            return;
        }
        let Some(account) = row.grant.map(|grant| grant.bank_account) else { return };
        self.debiting.insert(id, (row.wallet, account));
        if self.active.insert(account, id).is_some() {
            self.wrong.push(Finding::MandateDiffers(account));
        }
    }

    /// The movements' rows say that `account`'s credit balance has `amount` more, or less.
    fn expect(&mut self, account: AccountId, amount: Yen, sign: i128) {
        let sum = self.expected.entry(account).or_default();
        *sum = sum.saturating_add(i128::from(amount.amount()).saturating_mul(sign));
    }

    /// What a bank owes us because of a movement that stands in suspense there, and `amount` more or less of it.
    fn expect_suspended(&mut self, bank: BankCode, amount: Yen, sign: i128) {
        self.expect(chart::suspense(Some(bank)), amount, sign);
        self.expect(chart::clearing(bank), amount, sign.saturating_neg());
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
