//! The tables, one a noun, in the fixed order in which they are loaded and saved.

use domain::{Table, TableSpec};

/// Holders.
pub const HOLDER: Table = Table(0);
/// Verified persons: the limits that no new wallet resets.
pub const PERSON: Table = Table(1);
/// Mail addresses and telephone numbers that are taken, by keyed hash.
pub const CONTACT: Table = Table(2);
/// Wallets with their purses.
pub const WALLET: Table = Table(3);
/// Accounts at banks.
pub const BANK_ACCOUNT: Table = Table(4);
/// Permissions to debit a bank account.
pub const MANDATE: Table = Table(5);
/// Top-ups by bank debit.
pub const TOP_UP: Table = Table(6);
/// Vouchers.
pub const VOUCHER: Table = Table(7);
/// Payment codes.
pub const PAYMENT_CODE: Table = Table(8);
/// Payments.
pub const PAYMENT: Table = Table(9);
/// Sends.
pub const SEND: Table = Table(10);
/// Payouts.
pub const PAYOUT: Table = Table(11);
/// Shops.
pub const SHOP: Table = Table(12);
/// Ledger accounts that are not purses.
pub const ACCOUNT: Table = Table(13);
/// The switches: one row.
pub const SWITCHES: Table = Table(14);
/// Bonus given.
pub const BONUS: Table = Table(15);
/// Cases.
pub const CASE: Table = Table(16);
/// Reimbursements.
pub const REIMBURSEMENT: Table = Table(17);

/// What an operator sees of each table in SQL, in the order of the constants above.
pub const SPECS: &[TableSpec] = &[
    TableSpec { name: "holder", columns: &["wallet", "tier", "opened_at"] },
    TableSpec { name: "person", columns: &["wallet"] },
    TableSpec { name: "contact", columns: &["holder", "holders"] },
    TableSpec {
        name: "wallet",
        columns: &["holder", "status", "tier", "funds", "prepaid", "bonus", "held", "opened_at"],
    },
    TableSpec { name: "bank_account", columns: &["bank", "person", "live_mandate"] },
    TableSpec { name: "mandate", columns: &["wallet", "bank_account", "bank", "status"] },
    TableSpec { name: "top_up", columns: &["wallet", "mandate", "status", "amount", "requested_at"] },
    TableSpec { name: "voucher", columns: &["wallet", "status", "amount"] },
    TableSpec { name: "payment_code", columns: &["wallet", "status", "expires_at"] },
    TableSpec {
        name: "payment",
        columns: &["wallet", "shop", "status", "amount", "captured", "refunded", "accepted_at"],
    },
    TableSpec { name: "send", columns: &["from_wallet", "to_wallet", "status", "amount", "accepted_at"] },
    TableSpec { name: "payout", columns: &["wallet", "bank_account", "status", "amount", "requested_at"] },
    TableSpec { name: "shop", columns: &["status"] },
    TableSpec {
        name: "account",
        columns: &["code", "debits_pending", "debits_posted", "credits_pending", "credits_posted"],
    },
    TableSpec { name: "switches", columns: &["stops"] },
    TableSpec { name: "bonus", columns: &["wallet", "campaign", "amount"] },
    TableSpec { name: "fraud_case", columns: &["bank_account", "status", "wallets", "opened_at"] },
    TableSpec { name: "reimbursement", columns: &["fraud_case", "top_up", "status", "amount", "proposed_at"] },
];
