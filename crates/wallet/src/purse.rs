//! Purses and their lots: money remembers where it came from.
//!
//! A purse is a ledger account and the lots that make up what is available in it. Lots are taken oldest first, or the
//! largest first where the oldest would be too many for one movement; what a
//! refund or a void gives back joins its lot again. The lots of a purse always sum up to its available balance.

use crate::chart;
use crate::ids::{BankAccountId, CampaignId, WalletId};
use domain::{Id, Time};
use ledger::{Account, Code, Rule, Yen};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// The most lots with which a purse takes another one in. What was under way before then comes all the same: of top-ups that is
/// bounded by their least amount, and what comes back joins the lot that it was taken from.
pub const PURSE_LOTS_MAX: usize = 256;

/// The kinds of purses, in the order in which a payment spends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Purse {
    /// Points that can only be spent (ポイント).
    Bonus,
    /// E-money that can only be spent (プリペイド).
    Prepaid,
    /// E-money that can be sent and paid out (資金移動残高).
    Funds,
}

impl Purse {
    /// All purses, in the order in which a payment spends them.
    pub const ALL: [Self; 3] = [Self::Bonus, Self::Prepaid, Self::Funds];

    /// The purse's place in the chart of accounts.
    pub const fn code(self) -> Code {
        match self {
            Self::Bonus => chart::BONUS,
            Self::Prepaid => chart::PREPAID,
            Self::Funds => chart::FUNDS,
        }
    }
}

/// Where a lot came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A top-up by debit of this bank account; the lot's id is the top-up's.
    TopUp(BankAccountId),
    /// A voucher; the lot's id is the voucher's.
    Voucher,
    /// A campaign; the lot's id is the bonus's.
    Campaign(CampaignId),
    /// A send from this wallet; the lot's id is the send's, whose row names the lots it was made of.
    Send(WalletId),
}

impl Source {
    /// The purse of money that came so: what a voucher or a campaign brought may never become money that can be paid out
    /// (資金決済法 20条5項).
    pub const fn purse(self) -> Purse {
        match self {
            Self::TopUp(_) | Self::Send(_) => Purse::Funds,
            Self::Voucher => Purse::Prepaid,
            Self::Campaign(_) => Purse::Bonus,
        }
    }
}

/// An amount with one origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lot {
    /// The movement that brought it.
    pub id: Id,
    /// Where it came from.
    pub source: Source,
    /// When it came into this wallet: its age counts from here.
    pub received: Time,
    /// What there is of it.
    pub amount: Yen,
}

impl Lot {
    /// Whether `other` is of the same movement. Ids are only unique within their noun: a send and a top-up of one id are two
    /// lots, or young money would take on the age of the old.
    pub fn is_of(&self, other: &Self) -> bool {
        self.id == other.id && self.source == other.source
    }
}

/// A part of a movement: a lot (or a part of one), taken from one purse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// The purse it was taken from.
    pub purse: Purse,
    /// What was taken.
    pub lot: Lot,
}

impl Piece {
    /// The same piece, of `amount`.
    #[must_use]
    pub const fn of(self, amount: Yen) -> Self {
        Self { purse: self.purse, lot: Lot { amount, ..self.lot } }
    }
}

/// `amount` of `pieces`, the largest first; of two of one size the one that stands first.
pub(crate) fn largest(mut pieces: Vec<Piece>, amount: Yen) -> Vec<Piece> {
    pieces.sort_by_key(|piece| std::cmp::Reverse(piece.lot.amount));
    let mut left = amount;
    for piece in &mut pieces {
        *piece = piece.of(piece.lot.amount.min(left));
        left = left.saturating_sub(piece.lot.amount);
    }
    pieces.retain(|piece| !piece.lot.amount.is_zero());
    pieces
}

/// The lots of a purse. So many stand in the wallet's own memory: most purses have no more, and a wallet is copied with each of
/// its payments.
pub type Lots = SmallVec<[Lot; 2]>;

/// A purse: its sums, and the lots behind what is available.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// The ledger account.
    pub account: Account,
    /// What is available, by origin, oldest first.
    #[serde(with = "crate::inline")]
    pub lots: Lots,
}

impl Default for Balance {
    fn default() -> Self {
        Self { account: Account::new(Rule::DebitsNeverExceedCredits), lots: Lots::new() }
    }
}

/// Chooses of `lots` for `amount`, in their order. `None` if there is not enough.
pub(crate) fn choose(lots: &[Lot], amount: Yen) -> Option<Vec<Lot>> {
    let mut left = amount;
    let mut chosen = Vec::new();
    for lot in lots {
        if left.is_zero() {
            break;
        }
        let taken = lot.amount.min(left);
        left = left.saturating_sub(taken);
        chosen.push(Lot { amount: taken, ..*lot });
    }
    left.is_zero().then_some(chosen)
}

impl Balance {
    /// Takes `lot.amount` out of the lot with its id and source.
    pub fn take(&mut self, lot: &Lot) {
        let index = self.lots.iter().position(|held| held.is_of(lot));
        let held = index.and_then(|index| self.lots.get_mut(index));
        let Some(held) = held else {
            missing(lot);
        };
        let Some(left) = held.amount.checked_sub(lot.amount) else {
            missing(lot);
        };
        held.amount = left;
        if left.is_zero() {
            self.lots.retain(|held| !held.amount.is_zero());
        }
    }

    /// Puts `lot` in: it joins the lot with its id and source, or stands by its age.
    pub fn give(&mut self, lot: &Lot) {
        if lot.amount.is_zero() {
            return;
        }
        if let Some(held) = self.lots.iter_mut().find(|held| held.is_of(lot)) {
            let Some(sum) = held.amount.checked_add(lot.amount) else {
                missing(lot);
            };
            held.amount = sum;
            return;
        }
        let index = self.lots.partition_point(|held| (held.received, held.id) < (lot.received, lot.id));
        self.lots.insert(index, *lot);
    }

    /// Asserts that the lots sum up to what is available.
    pub fn assert_lots(&self) {
        let sum = Yen::checked_sum(self.lots.iter().map(|lot| lot.amount));
        assert!(sum == Some(self.account.available()), "lots are not the available balance: {self:?}");
    }
}

#[expect(clippy::panic, reason = "decide chose the lot from this very purse: our own bug")]
fn missing(lot: &Lot) -> ! {
    panic!("lot {lot:?} does not fit the purse")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lots_of_one_id_and_two_sources_stay_apart() {
        let lot = |source, hour: i64, amount| {
            let received = Time::from_milliseconds(hour.saturating_mul(3_600_000));
            Lot { id: Id::from_number(7), source, received, amount: Yen::new(amount) }
        };
        let old = lot(Source::TopUp(BankAccountId(Id::from_number(1))), 0, 100);
        let young = lot(Source::Send(WalletId(Id::from_number(2))), 48, 50);
        let mut balance = Balance::default();
        for lot in [old, young, old] {
            balance.give(&lot);
        }
        assert_eq!(balance.lots.as_slice(), [Lot { amount: Yen::new(200), ..old }, young]);
        balance.take(&Lot { amount: Yen::new(20), ..young });
        let left = [Lot { amount: Yen::new(200), ..old }, Lot { amount: Yen::new(30), ..young }];
        assert_eq!(balance.lots.as_slice(), left);
    }
}
