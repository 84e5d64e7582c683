//! What every HTTP service of the house shares: problem documents, strict bodies, pages, hosts, limits, secrets, and the
//! transport by which services call each other.
//!
//! It knows HTTP and no money: neither a wallet nor a bank nor a gateway. A service is opened with [`Outside`], shows its
//! [`Router`](axum::Router)s by host, and does its due work in steps ([`Ran`]); it never sleeps and reads no clock of its own.
//! Start reading at [`Outside`], then [`Problem`].

mod armour;
mod body;
pub mod chance;
pub mod cookie;
pub mod csrf;
#[cfg(any(test, feature = "fuzzing"))]
pub mod decoders;
mod health;
mod hosts;
pub mod jose;
mod outside;
pub mod page;
mod problem;
mod rate;
mod secret;
mod sockets;
pub mod strangers;
mod transport;
pub mod webhook;

#[cfg(test)]
mod tests;

pub use armour::{Armour, RequestId, Source, armour, armour_routes};
pub use body::{BODY_BYTES_MAX, IDEMPOTENCY_KEY_BYTES_MAX, IdempotencyKey, IfMatch, Json, JsonBytes, MergePatch};
pub use chance::{Chance, MachineChance};
pub use health::{figures, health};
pub use hosts::by_host;
pub use outside::{Due, Outside, Ran};
pub use problem::{Problem, fallback};
pub use rate::{RateLimit, Verdict};
pub use secret::Secret;
pub use sockets::Sockets;
pub use transport::{Bounds, Call, Delay, InProcess, Routers, Transport, TransportError};
