//! The model's books: plain maps of yen, and the lots behind each purse.
//!
//! They know accounts by name and nothing else of the ledger: no rules, no legs, no rows. A purse's lots lie in the order
//! of their age; whoever takes some takes the oldest.

use domain::{Id, Time};
use ledger::AccountId;
use std::collections::BTreeMap;
use wallet::wallet::Blocked;
use wallet::{BankAccountId, CaseId, Purse, Source, TopUpId, WalletId, chart};

/// Of how many lots a movement may be made.
pub const PIECES_MAX: usize = 64;

/// Yen of one origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lot {
    /// The purse it lay in.
    pub purse: Purse,
    /// The movement that brought it.
    pub id: Id,
    /// Where it came from.
    pub source: Source,
    /// When it came into the wallet.
    pub received: Time,
    /// How much.
    pub amount: i64,
}

impl Lot {
    /// The bank account it was debited from, if it was.
    pub const fn from(&self) -> Option<BankAccountId> {
        match self.source {
            Source::TopUp(account) => Some(account),
            Source::Voucher | Source::Campaign(_) | Source::Send(_) => None,
        }
    }
}

/// Who has how much, and what is on its way.
#[derive(Default)]
pub struct Books {
    /// Credits less debits.
    balances: BTreeMap<AccountId, i64>,
    /// What is held to go out.
    leaving: BTreeMap<AccountId, i64>,
    /// What is held to come in.
    arriving: BTreeMap<AccountId, i64>,
    lots: BTreeMap<(WalletId, Purse), BTreeMap<(Time, Id), Lot>>,
    /// What cases keep from leaving.
    kept: BTreeMap<WalletId, Vec<(CaseId, Blocked)>>,
}

impl Books {
    /// Credits less debits of `account`.
    pub fn balance(&self, account: AccountId) -> i64 {
        self.balances.get(&account).copied().unwrap_or(0)
    }

    /// What holds take out of `account`.
    pub fn leaving(&self, account: AccountId) -> i64 {
        self.leaving.get(&account).copied().unwrap_or(0)
    }

    /// What holds bring into `account`.
    pub fn arriving(&self, account: AccountId) -> i64 {
        self.arriving.get(&account).copied().unwrap_or(0)
    }

    /// Every account that anything ever happened to.
    pub fn accounts(&self) -> Vec<AccountId> {
        let mut accounts: Vec<_> = self.balances.keys().chain(self.leaving.keys()).copied().collect();
        accounts.extend(self.arriving.keys());
        accounts.sort_unstable();
        accounts.dedup();
        accounts
    }

    /// Moves `amount` at once.
    pub fn pay(&mut self, from: AccountId, to: AccountId, amount: i64) {
        *self.balances.entry(from).or_default() -= amount;
        *self.balances.entry(to).or_default() += amount;
    }

    /// Holds `amount` on its way.
    pub fn hold(&mut self, from: AccountId, to: AccountId, amount: i64) {
        *self.leaving.entry(from).or_default() += amount;
        *self.arriving.entry(to).or_default() += amount;
    }

    /// Lets go of a hold.
    pub fn release(&mut self, from: AccountId, to: AccountId, amount: i64) {
        self.hold(from, to, -amount);
    }

    /// What lies in a purse.
    pub fn in_purse(&self, wallet: WalletId, purse: Purse) -> i64 {
        let account = chart::purse(wallet, purse);
        self.balance(account) - self.leaving(account)
    }

    /// What lies in all purses of `wallet`.
    pub fn in_wallet(&self, wallet: WalletId) -> i64 {
        Purse::ALL.into_iter().map(|purse| self.in_purse(wallet, purse)).sum()
    }

    /// What of a purse no case keeps.
    pub fn free_in_purse(&self, wallet: WalletId, purse: Purse) -> i64 {
        self.lying(wallet, purse).iter().map(|lot| self.free_of(wallet, lot)).sum()
    }

    /// What of all purses of `wallet` no case keeps.
    pub fn free_in_wallet(&self, wallet: WalletId) -> i64 {
        Purse::ALL.into_iter().map(|purse| self.free_in_purse(wallet, purse)).sum()
    }

    /// A case keeps `what` in `wallet`. Whether that is more than before.
    pub fn keep(&mut self, wallet: WalletId, case: CaseId, what: Blocked) -> bool {
        let all = self.kept.entry(wallet).or_default();
        let same = all.iter_mut().find(|(of, kept)| match (kept, &what) {
            (Blocked::TopUps(account), Blocked::TopUps(other)) => *of == case && account == other,
            (Blocked::Sent { send, .. }, Blocked::Sent { send: other, .. }) => *of == case && send == other,
            (Blocked::SentOf { send, top_up, .. }, Blocked::SentOf { send: other, top_up: debit, .. }) => {
                *of == case && send == other && top_up == debit
            }
            (Blocked::TopUps(_) | Blocked::Sent { .. } | Blocked::SentOf { .. }, _) => false,
        });
        match (same, what) {
            (
                Some((_, Blocked::Sent { amount: before, .. } | Blocked::SentOf { amount: before, .. })),
                Blocked::Sent { amount, .. } | Blocked::SentOf { amount, .. },
            ) => {
                let more = amount > *before;
                *before = amount.max(*before);
                more
            }
            (Some(_), _) => false,
            (None, _) => {
                all.push((case, what));
                true
            }
        }
    }

    /// A case keeps nothing any more.
    pub fn let_go(&mut self, case: CaseId) {
        for kept in self.kept.values_mut() {
            kept.retain(|(of, _)| *of != case);
        }
    }

    /// What of a lot no case keeps.
    fn free_of(&self, wallet: WalletId, lot: &Lot) -> i64 {
        let each = self.kept.get(&wallet).into_iter().flatten().map(|(_, what)| kept_of(lot, what));
        (lot.amount - each.sum::<i64>()).max(0)
    }

    /// What `case` keeps of a debit in the funds of `wallet`, lot by lot, the oldest first: the debit's own lot, and what a send is known
    /// to have brought of it.
    pub fn kept_for(&self, wallet: WalletId, case: CaseId, debit: TopUpId) -> Vec<Lot> {
        let kept: Vec<_> = self.kept.get(&wallet).into_iter().flatten().filter(|(of, _)| *of == case).collect();
        let mut lots = self.lying(wallet, Purse::Funds);
        for lot in &mut lots {
            let of_debit = |what: &Blocked| match what {
                Blocked::TopUps(_) => lot.id == debit.0,
                Blocked::Sent { .. } => false,
                Blocked::SentOf { top_up, .. } => *top_up == debit,
            };
            let each = kept.iter().filter(|(_, what)| of_debit(what)).map(|(_, what)| kept_of(lot, what));
            lot.amount = each.sum::<i64>().min(lot.amount);
        }
        lots.retain(|lot| lot.amount > 0);
        lots
    }

    /// What was taken of a sent lot for a debit of `case` is kept no more: the rest of it is its recipient's.
    pub fn unkeep(&mut self, wallet: WalletId, case: CaseId, debit: TopUpId, taken: &Lot) {
        let kept = self.kept.entry(wallet).or_default();
        for (_, what) in kept.iter_mut().filter(|(of, _)| *of == case) {
            if let Blocked::SentOf { send, top_up, amount } = what
                && (send.0, *top_up) == (taken.id, debit)
            {
                *amount = ledger::Yen::new((amount.amount() - taken.amount).max(0));
            }
        }
        kept.retain(|(_, what)| !matches!(what, Blocked::SentOf { amount, .. } if amount.is_zero()));
    }

    /// The lots of a purse, oldest first.
    pub fn lying(&self, wallet: WalletId, purse: Purse) -> Vec<Lot> {
        self.lots.get(&(wallet, purse)).map(|lots| lots.values().copied().collect()).unwrap_or_default()
    }

    /// What `wallet` holds, on its way out, and on its way in.
    pub fn occupied(&self, wallet: WalletId) -> i64 {
        let each = |purse| {
            let account = chart::purse(wallet, purse);
            self.balance(account) + self.arriving(account)
        };
        Purse::ALL.into_iter().map(each).sum()
    }

    /// What is on its way out of `wallet` or into it.
    pub fn under_way(&self, wallet: WalletId) -> i64 {
        let each = |purse| self.leaving(chart::purse(wallet, purse)) + self.arriving(chart::purse(wallet, purse));
        Purse::ALL.into_iter().map(each).sum()
    }

    /// The lots that `amount` of a purse would be made of, of what no case keeps: those that `first` says, then the others, the oldest first.
    pub fn oldest(&self, wallet: WalletId, purse: Purse, amount: i64, first: impl Fn(&Lot) -> bool) -> Vec<Lot> {
        let mut lots = self.lying(wallet, purse);
        for lot in &mut lots {
            lot.amount = self.free_of(wallet, lot);
        }
        lots.sort_by_key(|lot| !first(lot));
        let mut left = amount;
        for lot in &mut lots {
            lot.amount = lot.amount.min(left);
            left -= lot.amount;
        }
        lots.retain(|lot| lot.amount > 0);
        lots
    }

    /// The lots that a movement is made of: those that are `due`, or as much of the largest that are `there` if those are
    /// more than a movement may be made of.
    pub fn few(due: Vec<Lot>, mut there: Vec<Lot>) -> Vec<Lot> {
        if due.len() <= PIECES_MAX {
            return due;
        }
        let mut left: i64 = due.iter().map(|lot| lot.amount).sum();
        there.sort_by_key(|lot| -lot.amount);
        for lot in &mut there {
            lot.amount = lot.amount.min(left);
            left -= lot.amount;
        }
        there.retain(|lot| lot.amount > 0);
        there
    }

    /// Puts a lot into its purse.
    pub fn put(&mut self, wallet: WalletId, lot: Lot) {
        let lots = self.lots.entry((wallet, lot.purse)).or_default();
        match lots.values_mut().find(|lying| lying.id == lot.id) {
            Some(lying) => lying.amount += lot.amount,
            None if lot.amount > 0 => drop(lots.insert((lot.received, lot.id), lot)),
            None => {}
        }
    }

    /// Takes a lot, or a part of it, out of its purse.
    pub fn take(&mut self, wallet: WalletId, lot: &Lot) {
        let lots = self.lots.entry((wallet, lot.purse)).or_default();
        if let Some(lying) = lots.values_mut().find(|lying| lying.id == lot.id) {
            lying.amount -= lot.amount;
        }
        lots.retain(|_, lying| lying.amount != 0);
    }

    /// How much of a lot lies in a purse.
    pub fn of_lot(&self, wallet: WalletId, purse: Purse, id: Id) -> i64 {
        let lots = self.lots.get(&(wallet, purse));
        lots.into_iter().flat_map(BTreeMap::values).filter(|lot| lot.id == id).map(|lot| lot.amount).sum()
    }

    /// How many lots lie in a purse.
    pub fn lots(&self, wallet: WalletId, purse: Purse) -> usize {
        self.lots.get(&(wallet, purse)).map_or(0, BTreeMap::len)
    }

    /// What is wrong with the books themselves: yen that came from nowhere, or lots that are not the balance.
    pub fn fault(&self) -> Option<String> {
        let sum: i64 = self.balances.values().sum();
        if sum != 0 {
            return Some(format!("the model's own books differ by {sum} yen"));
        }
        for ((wallet, purse), lots) in &self.lots {
            let lots: i64 = lots.values().map(|lot| lot.amount).sum();
            let lying = self.in_purse(*wallet, *purse);
            if lots != lying {
                return Some(format!("the model's {purse:?} of {wallet} has {lying} yen in {lots} yen of lots"));
            }
        }
        None
    }
}

/// What is kept of a lot.
fn kept_of(lot: &Lot, what: &Blocked) -> i64 {
    match (what, lot.source) {
        (Blocked::TopUps(account), Source::TopUp(from)) if from == *account => lot.amount,
        (Blocked::Sent { send, amount } | Blocked::SentOf { send, amount, .. }, Source::Send(_))
            if lot.id == send.0 =>
        {
            amount.amount()
        }
        (Blocked::TopUps(_) | Blocked::Sent { .. } | Blocked::SentOf { .. }, _) => 0,
    }
}
