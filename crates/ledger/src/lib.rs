//! The ledger: yen, accounts, transfers, holds. The only arithmetic on balances.
//!
//! Double entry: a transfer debits one account and credits another by the same amount. It moves money at once, or it
//! is a hold: pending until it is posted (whole or in part), voided or expired. Transfers are never changed.
//! This crate knows no clock, no store and no wallet. Start reading at [`Leg`] and [`Account`]; the bare ledger as a
//! domain of its own is [`Ledger`].
#![warn(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

mod account;
mod as_of;
mod command;
mod decide;
mod event;
mod evolve;
mod ledger;
mod leg;
mod refusal;
mod transfer;
mod yen;

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "the naive model counts in i128, far from its ends")]
mod tests;

pub use account::{Account, AccountId, Code, Rule};
pub use as_of::account_as_of;
pub use command::{Command, Receipt};
pub use event::{Event, Movement};
pub use ledger::{Ledger, Row, account_key, transfer_key};
pub use leg::{Leg, Step, Unpostable, check};
pub use refusal::{Field, Refusal};
pub use transfer::{Transfer, TransferKind, TransferState};
pub use yen::Yen;
