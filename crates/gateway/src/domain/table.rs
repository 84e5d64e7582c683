//! The tables, one a noun, in the fixed order in which they are loaded and saved.

use domain::{Table, TableSpec};

/// The operators, each with the number of what it was told last: one row.
pub const OPERATORS: Table = Table(0);
/// What operators were told, by number.
pub const TOLD: Table = Table(1);
/// Banks: switches and factors.
pub const BANK: Table = Table(2);
/// Accounts at banks, by keyed hash.
pub const ACCOUNT: Table = Table(3);
/// What operators call accounts.
pub const ACCOUNT_REF: Table = Table(4);
/// Codes that say "not me", by keyed hash.
pub const NOT_ME: Table = Table(5);
/// Mandates.
pub const MANDATE: Table = Table(6);
/// Debits, credits and returns.
pub const MOVEMENT: Table = Table(7);
/// Pages of what is still to be done.
pub const OPEN: Table = Table(8);
/// When banks are open.
pub const CALENDAR: Table = Table(9);
/// How much each operator has open at each bank.
pub const SHARE: Table = Table(10);
/// For how many mandates each wallet waits, by hash.
pub const WALLET: Table = Table(11);
/// Notices that are owed.
pub const NOTICE: Table = Table(12);
/// What day files have and the ledger has not.
pub const FINDING: Table = Table(13);

/// How far the papers of banks are compared.
pub const COMPARISON: Table = Table(14);

/// Codes that say "not me", by the day on which they are forgotten.
pub const EXPIRY: Table = Table(15);

/// What somebody sees of each table in SQL, in the order of the constants above.
pub const SPECS: &[TableSpec] = &[
    TableSpec { name: "operators", columns: &["count"] },
    TableSpec { name: "told", columns: &["operator", "n", "told_at"] },
    TableSpec { name: "bank", columns: &["stops"] },
    TableSpec { name: "account", columns: &["bank", "live_mandates", "confirmations"] },
    TableSpec { name: "account_ref", columns: &["operator", "account", "is_open"] },
    TableSpec { name: "not_me", columns: &["account", "mandate", "used_at"] },
    TableSpec { name: "mandate", columns: &["operator", "bank", "account", "status", "requested_at"] },
    TableSpec {
        name: "movement",
        columns: &["operator", "bank", "account", "kind", "status", "amount", "accepted_at", "due_at"],
    },
    TableSpec { name: "open", columns: &["count"] },
    TableSpec { name: "calendar", columns: &["maintenance"] },
    TableSpec { name: "share", columns: &["open"] },
    TableSpec { name: "wallet", columns: &["open"] },
    TableSpec { name: "notice", columns: &["bank", "owed_at", "told_at"] },
    TableSpec { name: "finding", columns: &["bank", "moved", "found_at", "resolved_at"] },
    TableSpec { name: "comparison", columns: &["until_day", "aside"] },
    TableSpec { name: "expiry", columns: &["codes"] },
];
