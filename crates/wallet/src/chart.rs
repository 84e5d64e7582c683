//! The chart of accounts: what each ledger account is for, whose it is, and in which row it is kept.
//!
//! A wallet's purses are kept in the wallet's own row; every other account is a row of the `account` table. No movement of
//! this version fills [`CARD_CLEARING`], [`ATM_CLEARING`], [`FEES`], [`RECOVERIES`] and [`SAFEGUARDING`]: their codes are taken so
//! that whatever does finds them free, and an audit says of any yen in them that no movement brought it there.

use crate::ids::{BankCode, CaseId, ShopId, WalletId};
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

/// Asset: what the card scheme owes us, or we owe it, for payments by card.
pub const CARD_CLEARING: Code = Code(12);
/// Asset: what the operators of ATMs owe us, or we owe them.
pub const ATM_CLEARING: Code = Code(13);
/// Income: fees.
pub const FEES: Code = Code(14);
/// Expense, per case: what victims were paid by the operator.
pub const REIMBURSEMENT_EXPENSE: Code = Code(15);
/// Income, per case: what was recovered from whoever had it.
pub const RECOVERIES: Code = Code(16);
/// Liability, per case: what stands ready for a victim, taken back or of the operator, and is not paid out yet.
pub const RESTITUTION: Code = Code(17);
/// Asset: what stands in the account that safeguards users' money.
pub const SAFEGUARDING: Code = Code(18);
/// Liability, per bank: what the operator paid to the holders of its accounts by another way, while the bank still has it.
pub const PAID_OTHERWISE: Code = Code(19);

/// All codes with their names, in order.
pub const CODES: [(Code, &str); 19] = [
    (FUNDS, "funds"),
    (PREPAID, "prepaid"),
    (BONUS, "bonus"),
    (CLEARING, "clearing"),
    (VOUCHER_CLEARING, "voucher clearing"),
    (SETTLEMENT, "settlement"),
    (CAMPAIGN_EXPENSE, "campaign expense"),
    (RECEIVABLE, "receivable"),
    (SUSPENSE, "suspense"),
    (WRITTEN_OFF, "written off"),
    (BONUS_LAPSED, "bonus lapsed"),
    (CARD_CLEARING, "card clearing"),
    (ATM_CLEARING, "atm clearing"),
    (FEES, "fees"),
    (REIMBURSEMENT_EXPENSE, "reimbursement expense"),
    (RECOVERIES, "recoveries"),
    (RESTITUTION, "restitution"),
    (SAFEGUARDING, "safeguarding"),
    (PAID_OTHERWISE, "paid otherwise"),
];

/// The most codes that rows have room for.
const CODES_MAX: u16 = 63;

/// The name of `code`, as an operator reads it.
pub fn name(code: Code) -> &'static str {
    CODES.iter().find(|(known, _)| *known == code).map_or("unknown", |(_, name)| name)
}

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

/// What the operator paid to victims of `case`.
pub const fn reimbursement_expense(case: CaseId) -> AccountId {
    AccountId { owner: case.0, code: REIMBURSEMENT_EXPENSE }
}

/// What stands ready for the victims of `case`.
pub const fn restitution(case: CaseId) -> AccountId {
    AccountId { owner: case.0, code: RESTITUTION }
}

/// What was paid by another way to holders of accounts at `bank`.
pub const fn paid_otherwise(bank: BankCode) -> AccountId {
    AccountId { owner: bank.id(), code: PAID_OTHERWISE }
}

/// The rule that accounts with `code` keep.
pub const fn rule(code: Code) -> Rule {
    match code {
        FUNDS | PREPAID | BONUS | RESTITUTION => Rule::DebitsNeverExceedCredits,
        RECEIVABLE => Rule::CreditsNeverExceedDebits,
        _ => Rule::Free,
    }
}

/// The row in which `account` is kept.
///
/// An account row's id is its owner's with the code's last four bits in the high half of byte 6, where a `UUIDv7` has its
/// constant version and a number below 2^64 has zero, and the two bits before them turned over in the top of byte 8, where
/// a `UUIDv7` has its constant variant and a number below 2^62 has zero: two accounts never share a row.
pub fn key(account: AccountId) -> Key {
    match account.code {
        FUNDS | PREPAID | BONUS => Key::new(table::WALLET, account.owner),
        Code(code) => {
            assert!(code <= CODES_MAX, "the chart has room for {CODES_MAX} codes");
            let [code, _] = code.to_le_bytes();
            let mut bytes = account.owner.0;
            let [_, _, _, _, _, _, byte_6, _, byte_8, ..] = &mut bytes;
            *byte_6 = (*byte_6 & 0x0f) | ((code & 0x0f) << 4);
            *byte_8 ^= (code & 0x30) << 2;
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
            owners.flat_map(|owner| (4..=CODES_MAX).map(move |code| AccountId { owner, code: Code(code) })).collect();
        let keys: BTreeSet<_> = accounts.iter().map(|account| key(*account)).collect();
        assert_eq!(keys.len(), accounts.len());
    }

    #[test]
    fn every_code_has_its_own_number_and_name() {
        let numbers: Vec<u16> = CODES.iter().map(|(code, _)| code.0).collect();
        assert_eq!(numbers, (1..=19).collect::<Vec<_>>());
        assert_eq!(CODES.iter().map(|(_, name)| name).collect::<BTreeSet<_>>().len(), CODES.len());
    }
}
