//! The ledger: yen, accounts, transfers, holds. The only arithmetic on balances.
//!
//! Double entry: a transfer debits one account and credits another by the same amount. It moves money at once, or it
//! is a hold: pending until it is posted (whole or in part), voided or expired. Transfers are never changed.
//! This crate knows no clock, no store and no wallet. Start reading at [`Leg`] and [`Account`]; the bare ledger as a
//! domain of its own is [`Ledger`].

mod account;
mod leg;
mod yen;

pub use account::{Account, AccountId, Code, Rule};
pub use leg::{Leg, Step, Unpostable, check};
pub use yen::Yen;
