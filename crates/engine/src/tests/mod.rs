//! The engine's tests: a tiny domain, the contract that every store keeps, the core, and the shell.

mod answers;
mod brittle;
#[cfg(feature = "canaries")]
mod canaries;
pub(crate) mod contract;
pub(crate) mod counter;
mod decoders;
mod golden;
mod shell;
mod splits;
