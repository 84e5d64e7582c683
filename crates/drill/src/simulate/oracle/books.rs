//! The model's books: plain maps of yen, and the coins behind each purse.
//!
//! They know accounts by name and nothing else of the ledger: no rules, no legs, no rows. A purse's coins lie in the order
//! of their age; whoever takes some takes the oldest.

use domain::{Id, Time};
use ledger::AccountId;
use std::collections::BTreeMap;
use wallet::wallet::Blocked;
use wallet::{BankAccountId, CaseId, Purse, WalletId, chart};

/// Of how many coins a movement may be made.
pub const PIECES_MAX: usize = 64;

/// Yen of one origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coin {
    /// The purse it lay in.
    pub purse: Purse,
    /// The movement that brought it.
    pub lot: Id,
    /// When it came into the wallet.
    pub received: Time,
    /// The bank account it was debited from, if it was.
    pub from: Option<BankAccountId>,
    /// How much.
    pub amount: i64,
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
    coins: BTreeMap<(WalletId, Purse), BTreeMap<(Time, Id), Coin>>,
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
        self.lying(wallet, purse).iter().map(|coin| self.free_of(wallet, coin)).sum()
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
            (Blocked::TopUps(_) | Blocked::Sent { .. }, _) => false,
        });
        match (same, what) {
            (Some((_, Blocked::Sent { amount: before, .. })), Blocked::Sent { amount, .. }) => {
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

    /// What of a coin no case keeps. Of funds, what was not debited from a bank account was sent.
    fn free_of(&self, wallet: WalletId, coin: &Coin) -> i64 {
        let each = self.kept.get(&wallet).into_iter().flatten().map(|(_, what)| match what {
            Blocked::TopUps(account) if coin.from == Some(*account) => coin.amount,
            Blocked::Sent { send, amount }
                if coin.purse == Purse::Funds && coin.from.is_none() && coin.lot == send.0 =>
            {
                amount.amount()
            }
            Blocked::TopUps(_) | Blocked::Sent { .. } => 0,
        });
        (coin.amount - each.sum::<i64>()).max(0)
    }

    /// The coins of a purse, oldest first.
    pub fn lying(&self, wallet: WalletId, purse: Purse) -> Vec<Coin> {
        self.coins.get(&(wallet, purse)).map(|coins| coins.values().copied().collect()).unwrap_or_default()
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

    /// The coins that `amount` of a purse would be made of, of what no case keeps: those that `first` says, then the others, the oldest first.
    pub fn oldest(&self, wallet: WalletId, purse: Purse, amount: i64, first: impl Fn(&Coin) -> bool) -> Vec<Coin> {
        let mut coins = self.lying(wallet, purse);
        for coin in &mut coins {
            coin.amount = self.free_of(wallet, coin);
        }
        coins.sort_by_key(|coin| !first(coin));
        let mut left = amount;
        for coin in &mut coins {
            coin.amount = coin.amount.min(left);
            left -= coin.amount;
        }
        coins.retain(|coin| coin.amount > 0);
        coins
    }

    /// The coins that a movement is made of: those that are `due`, or as much of the largest that are `there` if those are
    /// more than a movement may be made of.
    pub fn few(due: Vec<Coin>, mut there: Vec<Coin>) -> Vec<Coin> {
        if due.len() <= PIECES_MAX {
            return due;
        }
        let mut left: i64 = due.iter().map(|coin| coin.amount).sum();
        there.sort_by_key(|coin| -coin.amount);
        for coin in &mut there {
            coin.amount = coin.amount.min(left);
            left -= coin.amount;
        }
        there.retain(|coin| coin.amount > 0);
        there
    }

    /// Puts a coin into its purse.
    pub fn put(&mut self, wallet: WalletId, coin: Coin) {
        let coins = self.coins.entry((wallet, coin.purse)).or_default();
        match coins.values_mut().find(|lying| lying.lot == coin.lot) {
            Some(lying) => lying.amount += coin.amount,
            None if coin.amount > 0 => drop(coins.insert((coin.received, coin.lot), coin)),
            None => {}
        }
    }

    /// Takes a coin, or a part of it, out of its purse.
    pub fn take(&mut self, wallet: WalletId, coin: &Coin) {
        let coins = self.coins.entry((wallet, coin.purse)).or_default();
        if let Some(lying) = coins.values_mut().find(|lying| lying.lot == coin.lot) {
            lying.amount -= coin.amount;
        }
        coins.retain(|_, lying| lying.amount != 0);
    }

    /// How much of a lot lies in a purse.
    pub fn of_lot(&self, wallet: WalletId, purse: Purse, lot: Id) -> i64 {
        let coins = self.coins.get(&(wallet, purse));
        coins.into_iter().flat_map(BTreeMap::values).filter(|coin| coin.lot == lot).map(|coin| coin.amount).sum()
    }

    /// How many lots lie in a purse.
    pub fn lots(&self, wallet: WalletId, purse: Purse) -> usize {
        self.coins.get(&(wallet, purse)).map_or(0, BTreeMap::len)
    }

    /// What is wrong with the books themselves: yen that came from nowhere, or coins that are not the balance.
    pub fn fault(&self) -> Option<String> {
        let sum: i64 = self.balances.values().sum();
        if sum != 0 {
            return Some(format!("the model's own books differ by {sum} yen"));
        }
        for ((wallet, purse), coins) in &self.coins {
            let coins: i64 = coins.values().map(|coin| coin.amount).sum();
            let lying = self.in_purse(*wallet, *purse);
            if coins != lying {
                return Some(format!("the model's {purse:?} of {wallet} has {lying} yen in {coins} yen of coins"));
            }
        }
        None
    }
}
