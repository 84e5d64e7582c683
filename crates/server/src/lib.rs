//! The wallet's service: its HTTP API and pages, its desk, and the workers that talk to the outside.
//!
//! No rule about money lives here: what may be is decided in `wallet`, what happened is kept by the engine. This crate says
//! who asks, hands in commands, acts on what was committed, and shows what people ask to see.
//! Start reading at [`Server`], then `api` (one room a noun), then `service::Service::ask`.

mod accounts;
mod api;
mod asked;
mod banking;
mod banks;
mod cases;
mod codes;
mod contacts;
#[cfg(any(test, feature = "fuzzing"))]
pub mod decoders;
mod desk;
pub mod doors;
mod entrance;
mod errands;
pub mod founding;
mod gateway;
mod identity;
mod journals;
mod keys;
mod letters;
mod links;
pub mod lists;
mod news;
pub mod notices;
mod openapi;
mod options;
mod pages;
mod password;
mod profile;
mod proofs;
mod query;
mod refusals;
mod sealed;
mod server;
mod service;
mod sessions;
mod shops;
mod stops;
mod sweep;
mod tallies;
mod telling;
mod trace;
mod unclaimed;
mod velocity;
mod webhooks;
mod words;
mod work;

#[cfg(test)]
mod tests;

pub use desk::{Role, Staff};
pub use options::{GatewayOptions, IdentityOptions, Options, Provider, Rates, Velocity};
pub use password::Cost;
pub use server::{Server, Turn};
pub use service::OpenError;
