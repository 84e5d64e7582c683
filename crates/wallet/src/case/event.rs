//! What happens to a case, and what each event changes in it, in its account and in the wallets where it keeps money.

use super::{Case, Closed, Finding, Kept, Proposal, Status, case_key};
use crate::Row;
use crate::bank_account::BankAccount;
use crate::ids::{BankAccountId, CaseId, StaffId, WalletId};
use crate::refusal::FrozenBy;
use crate::state::wrong_row;
use crate::table;
use crate::wallet::{Block, Wallet};
use domain::{Key, Time};
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// What happened to a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// It was opened.
    Opened {
        /// Which.
        case: CaseId,
        /// About which account.
        bank_account: BankAccountId,
        /// When.
        at: Time,
    },
    /// The same was said again: it belongs to the case that is open.
    Joined {
        /// What it would have been.
        case: CaseId,
        /// What it belongs to.
        into: CaseId,
        /// About which account.
        bank_account: BankAccountId,
        /// When.
        at: Time,
    },
    /// Money is kept in a wallet.
    Kept {
        /// What, for which case.
        block: Block,
        /// In which.
        wallet: WalletId,
        /// What of it was there, more than before, in yen.
        caught: Yen,
        /// Whether the wallet is frozen with it.
        freezes: bool,
        /// When.
        at: Time,
    },
    /// One person of the desk said how it ends.
    ClosingProposed {
        /// Which.
        case: CaseId,
        /// What they found.
        finding: Finding,
        /// Who.
        by: StaffId,
        /// When.
        at: Time,
    },
    /// Another one agreed.
    Closed {
        /// Which.
        case: CaseId,
        /// About which account.
        bank_account: BankAccountId,
        /// The wallets in which it keeps nothing any more.
        freed: Vec<WalletId>,
        /// What was found.
        finding: Finding,
        /// Who agreed.
        by: StaffId,
        /// When.
        at: Time,
    },
}

impl Event {
    const fn case(&self) -> CaseId {
        match self {
            Self::Opened { case, .. }
            | Self::Joined { case, .. }
            | Self::ClosingProposed { case, .. }
            | Self::Closed { case, .. } => *case,
            Self::Kept { block, .. } => block.case,
        }
    }

    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        each(case_key(self.case()));
        match self {
            Self::Opened { bank_account, .. } => each(Key::new(table::BANK_ACCOUNT, bank_account.0)),
            Self::Kept { wallet, .. } => each(Key::new(table::WALLET, wallet.0)),
            Self::Closed { bank_account, freed, .. } => {
                each(Key::new(table::BANK_ACCOUNT, bank_account.0));
                for wallet in freed {
                    each(Key::new(table::WALLET, wallet.0));
                }
            }
            Self::Joined { .. } | Self::ClosingProposed { .. } => {}
        }
    }

    pub(crate) fn evolve(&self, row: &mut Option<Row>) {
        let new = |about: BankAccountId, status, opened| {
            Some(Row::Case(Box::new(Case {
                about,
                opened,
                status,
                wallets: Vec::new(),
                proposal: None,
                closed: None,
                reimbursed: Yen::ZERO,
                parked: Yen::ZERO,
            })))
        };
        match (self, row) {
            (Self::Opened { bank_account, at, .. }, row @ None) => *row = new(*bank_account, Status::Open, *at),
            (Self::Joined { into, bank_account, at, .. }, row @ None) => {
                *row = new(*bank_account, Status::Joined(*into), *at);
            }
            (Self::Kept { wallet, caught, .. }, Some(Row::Case(case))) => {
                match case.wallets.iter_mut().find(|kept| kept.wallet == *wallet) {
                    Some(kept) => kept.caught = kept.caught.checked_add(*caught).unwrap_or(Yen::MAX),
                    None => case.wallets.push(Kept { wallet: *wallet, caught: *caught }),
                }
            }
            (Self::ClosingProposed { finding, by, .. }, Some(Row::Case(case))) => {
                case.proposal = Some(Proposal { finding: *finding, by: *by });
            }
            (Self::Closed { finding, by, at, .. }, Some(Row::Case(case))) => {
                case.status = Status::Closed;
                case.proposal = None;
                case.closed = Some(Closed { finding: *finding, by: *by, at: *at });
            }
            (
                Self::Opened { .. }
                | Self::Joined { .. }
                | Self::Kept { .. }
                | Self::ClosingProposed { .. }
                | Self::Closed { .. },
                _,
            ) => wrong_row(case_key(self.case())),
        }
    }

    /// An account has at most one open case.
    pub(crate) fn evolve_bank_account(&self, account: &mut BankAccount) {
        match self {
            Self::Opened { case, .. } => {
                assert!(account.case.is_none(), "one open case an account: {self:?}");
                account.case = Some(*case);
            }
            Self::Closed { case, .. } => account.case = account.case.filter(|open| open != case),
            Self::Joined { .. } | Self::Kept { .. } | Self::ClosingProposed { .. } => {}
        }
    }

    pub(crate) fn evolve_wallet(&self, wallet: &mut Wallet) {
        match self {
            Self::Kept { block, freezes, .. } => {
                let blocks = &mut wallet.ties_mut().blocks;
                blocks.retain(|other| other.case != block.case || !other.what.is_about(block.what));
                blocks.push(*block);
                if *freezes {
                    wallet.frozen_by.push(FrozenBy::Desk);
                    wallet.frozen_by.sort_unstable();
                }
            }
            Self::Closed { case, .. } => wallet.ties_mut().blocks.retain(|block| block.case != *case),
            Self::Opened { .. } | Self::Joined { .. } | Self::ClosingProposed { .. } => {}
        }
    }
}
