//! What cases keep from leaving a wallet: lots, not the wallet.
//!
//! A block lies on what a lot is, not on yen that were counted once: what comes back to the lot later, from a refund or a
//! hold that ended, is kept too. A bank that takes the lot back takes it in spite of any block: it goes to its owner.

use super::Wallet;
use crate::ids::{BankAccountId, CaseId, SendId, TopUpId};
use crate::purse::{Lot, Purse, Source};
use ledger::Yen;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The most blocks that lie on a wallet.
pub const BLOCKS_MAX: usize = 256;

/// Something that a case keeps from leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Which case.
    pub case: CaseId,
    /// What.
    pub what: Blocked,
}

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Blocked {
    /// Whatever was topped up from this account, also by a top-up that is still under way.
    TopUps(BankAccountId),
    /// So much of what this send brought, of several debits or of nobody knows which: it pays for none of them.
    Sent {
        /// Which send.
        send: SendId,
        /// How much of it, in yen.
        amount: Yen,
    },
    /// So much of what this send brought of one debit.
    SentOf {
        /// Which send.
        send: SendId,
        /// Of which debit.
        top_up: TopUpId,
        /// How much of it, in yen.
        amount: Yen,
    },
}

impl Blocked {
    /// What it keeps of `lot`.
    fn of(self, lot: &Lot) -> Yen {
        match (self, lot.source) {
            (Self::TopUps(account), Source::TopUp(from)) if account == from => lot.amount,
            (Self::Sent { send, amount } | Self::SentOf { send, amount, .. }, Source::Send(_)) if send.0 == lot.id => {
                amount.min(lot.amount)
            }
            (
                Self::TopUps(_) | Self::Sent { .. } | Self::SentOf { .. },
                Source::TopUp(_) | Source::Send(_) | Source::Voucher | Source::Campaign(_),
            ) => Yen::ZERO,
        }
    }

    /// Whether both are about the same money, however much of it.
    pub(crate) fn is_about(self, other: Self) -> bool {
        match (self, other) {
            (Self::TopUps(account), Self::TopUps(other)) => account == other,
            (Self::Sent { send, .. }, Self::Sent { send: other, .. }) => send == other,
            (Self::SentOf { send, top_up, .. }, Self::SentOf { send: other, top_up: of, .. }) => {
                (send, top_up) == (other, of)
            }
            (Self::TopUps(_), Self::Sent { .. } | Self::SentOf { .. })
            | (Self::Sent { .. }, Self::TopUps(_) | Self::SentOf { .. })
            | (Self::SentOf { .. }, Self::TopUps(_) | Self::Sent { .. }) => false,
        }
    }

    /// Whether what it keeps of `lot` is of this debit.
    fn is_of(self, lot: &Lot, debit: TopUpId) -> bool {
        match self {
            Self::TopUps(_) => lot.id == debit.0,
            Self::Sent { .. } => false,
            Self::SentOf { top_up, .. } => top_up == debit,
        }
    }
}

impl Wallet {
    /// What cases keep from leaving.
    pub fn blocks(&self) -> &[Block] {
        self.ties.as_ref().map_or(&[], |ties| &ties.blocks)
    }

    /// Yen that cases keep from leaving, of what is available.
    pub fn blocked(&self) -> Yen {
        let each = Purse::ALL.into_iter().flat_map(|purse| &self.purse(purse).lots).map(|lot| self.blocked_of(lot));
        Yen::checked_sum(each).unwrap_or(Yen::MAX)
    }

    /// What `what` would keep, or keeps, of what is available.
    pub fn caught_by(&self, what: Blocked) -> Yen {
        Yen::checked_sum(self.funds.lots.iter().map(|lot| what.of(lot))).unwrap_or(Yen::MAX)
    }

    /// What `case` keeps of what is available, and would keep with `more`.
    pub fn kept_by(&self, case: CaseId, more: Option<Blocked>) -> Yen {
        let is_more = |what: Blocked| more.is_some_and(|more| more.is_about(what));
        let blocks = self.blocks().iter().filter(|block| block.case == case).map(|block| block.what);
        let blocks: Vec<_> = blocks.filter(|what| !is_more(*what)).chain(more).collect();
        let kept = |lot: &Lot| {
            let each = blocks.iter().map(|what| what.of(lot));
            Yen::checked_sum(each).unwrap_or(Yen::MAX).min(lot.amount)
        };
        Yen::checked_sum(self.funds.lots.iter().map(kept)).unwrap_or(Yen::MAX)
    }

    /// What of `funds` is kept for `case` of one debit, lot by lot, oldest first.
    pub(crate) fn kept_for(&self, case: CaseId, debit: TopUpId) -> Vec<Lot> {
        let kept = |lot: &Lot| {
            let of_it = self.blocks().iter().filter(|block| block.case == case && block.what.is_of(lot, debit));
            let each = of_it.map(|block| block.what.of(lot));
            Yen::checked_sum(each).unwrap_or(Yen::MAX).min(lot.amount)
        };
        let lots = self.funds.lots.iter().map(|lot| Lot { amount: kept(lot), ..*lot });
        lots.filter(|lot| !lot.amount.is_zero()).collect()
    }

    fn blocked_of(&self, lot: &Lot) -> Yen {
        let each = self.blocks().iter().map(|block| block.what.of(lot));
        Yen::checked_sum(each).unwrap_or(Yen::MAX).min(lot.amount)
    }

    /// What of `purse` may move.
    pub fn free(&self, purse: Purse) -> Yen {
        let balance = self.purse(purse);
        if self.blocks().is_empty() {
            return balance.account.available();
        }
        Yen::checked_sum(self.free_lots(purse).iter().map(|lot| lot.amount)).unwrap_or(Yen::ZERO)
    }

    /// The lots of `purse` that may move, oldest first.
    pub(crate) fn free_lots(&self, purse: Purse) -> Cow<'_, [Lot]> {
        let lots = &self.purse(purse).lots;
        if self.blocks().is_empty() {
            return Cow::Borrowed(lots.as_slice());
        }
        let free = |lot: &Lot| Lot { amount: lot.amount.saturating_sub(self.blocked_of(lot)), ..*lot };
        Cow::Owned(lots.iter().map(free).filter(|lot| !lot.amount.is_zero()).collect())
    }
}
