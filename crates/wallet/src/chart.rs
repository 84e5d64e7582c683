//! The chart of accounts: what each ledger account is for, whose it is, and in which row it is kept.
//!
//! A wallet's purses are kept in the wallet's own row; every other account is a row of the `account` table.

use crate::ids::{BankCode, ShopId, WalletId};
use crate::purse::Purse;
use crate::table;
use domain::{Id, Key};
use ledger::{AccountId, Code, Rule};

/// Liability: e-money that can be sent and paid out (資金移動残高).
pub const FUNDS: Code = Code(1);
/// Liability: e-money that can only be spent (プリペイド).
pub const PREPAID: Code = Code(2);
/// Liability: points that can only be spent (ポイント).
pub const BONUS: Code = Code(3);
/// Asset, per bank: what the bank owes us.
pub const CLEARING: Code = Code(4);
/// Asset: what the sellers of vouchers owe us.
pub const VOUCHER_CLEARING: Code = Code(5);
/// Liability, per shop: what we owe the shop. Negative where refunds exceed what it sold since it was paid out.
pub const SETTLEMENT: Code = Code(6);
/// Expense: bonus that campaigns gave away.
pub const CAMPAIGN_EXPENSE: Code = Code(7);
/// Asset, per wallet: what its holder owes us after a bank took money back that was already spent.
pub const RECEIVABLE: Code = Code(8);
/// Per bank (zero: no bank): money that cannot be matched yet, or waits to be given back.
pub const SUSPENSE: Code = Code(9);

/// Expense: what holders owed and will never pay.
pub const WRITTEN_OFF: Code = Code(10);
/// Income: bonus that lapsed with the wallets that it was in.
pub const BONUS_LAPSED: Code = Code(11);

/// The account of `purse` of `wallet`.
pub const fn purse(wallet: WalletId, purse: Purse) -> AccountId {
    AccountId { owner: wallet.0, code: purse.code() }
}

/// The clearing account of `bank`.
pub const fn clearing(bank: BankCode) -> AccountId {
    AccountId { owner: bank.id(), code: CLEARING }
}

/// The account of what voucher sellers owe.
pub const fn voucher_clearing() -> AccountId {
    AccountId { owner: Id([0; 16]), code: VOUCHER_CLEARING }
}

/// The settlement account of `shop`.
pub const fn settlement(shop: ShopId) -> AccountId {
    AccountId { owner: shop.0, code: SETTLEMENT }
}

/// The account of bonus given away.
pub const fn campaign_expense() -> AccountId {
    AccountId { owner: Id([0; 16]), code: CAMPAIGN_EXPENSE }
}

/// The account of what was written off.
pub const fn written_off() -> AccountId {
    AccountId { owner: Id([0; 16]), code: WRITTEN_OFF }
}

/// The account of bonus that lapsed.
pub const fn bonus_lapsed() -> AccountId {
    AccountId { owner: Id([0; 16]), code: BONUS_LAPSED }
}

/// What the holder of `wallet` owes.
pub const fn receivable(wallet: WalletId) -> AccountId {
    AccountId { owner: wallet.0, code: RECEIVABLE }
}

/// What cannot be matched yet at `bank`.
pub const fn suspense(bank: Option<BankCode>) -> AccountId {
    let owner = match bank {
        Some(bank) => bank.id(),
        None => Id([0; 16]),
    };
    AccountId { owner, code: SUSPENSE }
}

/// The rule that accounts with `code` keep.
pub const fn rule(code: Code) -> Rule {
    match code {
        FUNDS | PREPAID | BONUS => Rule::DebitsNeverExceedCredits,
        RECEIVABLE => Rule::CreditsNeverExceedDebits,
        _ => Rule::Free,
    }
}

/// The row in which `account` is kept.
///
/// An account row's id is its owner's with the code in the high half of byte 6, where a `UUIDv7` has its constant version
/// and a number below 2^64 has zero: two accounts never share a row.
pub fn key(account: AccountId) -> Key {
    match account.code {
        FUNDS | PREPAID | BONUS => Key::new(table::WALLET, account.owner),
        Code(code) => {
            let [nibble, _] = code.to_le_bytes();
            assert!(code < 16, "the chart has room for 15 codes");
            let mut bytes = account.owner.0;
            let [.., byte_6, _, _, _, _, _, _, _, _, _] = &mut bytes;
            *byte_6 = (*byte_6 & 0x0f) | (nibble << 4);
            Key::new(table::ACCOUNT, Id(bytes))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_accounts_share_a_row() {
        let uuid = |number: u128| Id::from_number(0x0190_0000_0000_7000_8000_0000_0000_0000 + number);
        let owners = (0..40).map(Id::from_number).chain((0..40).map(uuid));
        let accounts: Vec<_> =
            owners.flat_map(|owner| (4..16).map(move |code| AccountId { owner, code: Code(code) })).collect();
        let keys: BTreeSet<_> = accounts.iter().map(|account| key(*account)).collect();
        assert_eq!(keys.len(), accounts.len());
    }
}
