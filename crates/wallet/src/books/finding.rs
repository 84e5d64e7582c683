//! What an audit of the books finds wrong, and how it says so to whoever looks.

use crate::chart;
use crate::ids::{BankAccountId, MandateId, TopUpId, WalletId};
use crate::purse::Purse;
use domain::{Id, Key};
use ledger::AccountId;
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
    /// What a wallet has and has lost is not what its movements brought and took.
    WorthDiffers {
        /// Which.
        wallet: WalletId,
        /// By the wallet and what it has waiting: see [`super::Issued`].
        rows: i128,
        /// By the movements: what they brought into it, less what they took out of it.
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
    /// What a top-up says is reimbursed of it is not what its reimbursements say.
    ReimbursedDiffers {
        /// Which.
        top_up: TopUpId,
        /// By the top-up.
        rows: i128,
        /// By the reimbursements that were approved and did not fail.
        movements: i128,
    },
    /// What a top-up says payouts bring back to its account is not what its payouts say.
    PaidBackDiffers {
        /// Which.
        top_up: TopUpId,
        /// By the top-up.
        rows: i128,
        /// By the payouts that are on their way or there.
        movements: i128,
    },
    /// More of a top-up is reimbursed than was debited.
    ReimbursedTooMuch(TopUpId),
    /// A bank account and its one live mandate do not point at each other.
    MandateDiffers(BankAccountId),
    /// An active mandate is a link of another wallet or account than it says, or its wallet is closed.
    MandateUnlinked(MandateId),
    /// A lot lies in another purse than what brought it fills.
    WrongPurse {
        /// Whose purse.
        wallet: WalletId,
        /// The lot, which is the movement's id.
        lot: Id,
        /// Where it lies.
        purse: Purse,
    },
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
            Self::WorthDiffers { wallet, rows, movements } => {
                write!(f, "{wallet} accounts for {rows} yen, its movements brought {movements} more than they took")
            }
            Self::DebtsDiffer { wallet, debts, account } => {
                write!(f, "the holder of {wallet} owes {debts} yen by the wallet, {account} by the account")
            }
            Self::ReimbursedDiffers { top_up, rows, movements } => {
                write!(f, "{rows} yen of {top_up} are reimbursed by its row, {movements} by its reimbursements")
            }
            Self::PaidBackDiffers { top_up, rows, movements } => {
                write!(f, "{rows} yen of {top_up} are paid back by its row, {movements} by payouts")
            }
            Self::ReimbursedTooMuch(top_up) => write!(f, "more of {top_up} is reimbursed than was debited"),
            Self::MandateDiffers(account) => write!(f, "{account} and its live mandate do not point at each other"),
            Self::MandateUnlinked(mandate) => {
                write!(f, "{mandate} is active, and its wallet is closed or another has it as its link")
            }
            Self::WrongPurse { wallet, lot, purse } => {
                write!(f, "the lot {lot} lies in {wallet}'s {purse:?} purse, which is not where it came to")
            }
            Self::Misplaced(key) => write!(f, "the row {} of table {} is of another noun", key.id, key.table.0),
        }
    }
}

fn name(account: AccountId) -> String {
    format!("account {} ({}) of {}", account.code.0, chart::name(account.code), account.owner)
}
