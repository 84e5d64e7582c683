//! The mandate gateway (口座振替受付): between wallets and banks, where mandates are granted and debits sent.
//!
//! Its rules are pure and live in [`domain`]; around them stand its API and pages, the connectors to banks, and the worker
//! that asks banks what is due. A service of its own, with its own database: several operators' wallets use it, and none
//! sees another's. It never keeps or writes down what a person types to prove who they are.
//! Start reading at [`Gateway`], then at [`domain`].

pub mod api;
pub mod bank_desk;
pub mod connector;
#[cfg(any(test, feature = "fuzzing"))]
pub mod decoders;
pub mod desk;
pub mod domain;
mod gateway;
pub mod oauth;
pub mod options;
pub mod pages;
mod proposals;
mod pushes;
mod rates;
pub mod windows;
mod work;

#[cfg(test)]
mod tests;

pub use gateway::{Gateway, OpenError, Turn};
pub use options::Options;
