//! How the wallet's service is configured. Where the values come from (files, environment) is the program's affair.

use crate::desk::Staff;
use crate::password::Cost;
use std::path::PathBuf;
use std::sync::Arc;
use wallet::Context;
use web::Secret;
use web::cookie::Secure;
use web::jose::SigningKey;

/// What the service is opened with.
pub struct Options {
    /// The data directory of this service.
    pub directory: PathBuf,
    /// The file of the master key, outside of the data directory where that is backed up.
    pub master_key: PathBuf,
    /// Where holders meet the pages and programs the API: `http://localhost:8080`.
    pub origin: String,
    /// The host name of that origin.
    pub host: String,
    /// The host name of the operator's desk.
    pub desk_host: String,
    /// This is the sandbox: every page says so.
    pub is_sandbox: bool,
    /// The gateway, towards which this service is a client.
    pub gateway: GatewayOptions,
    /// Who delivers mails and messages.
    pub messages: Provider,
    /// Who says who people are.
    pub identity: IdentityOptions,
    /// Who works at the desk.
    pub staff: Vec<Staff>,
    /// What hashing a password costs.
    pub password_cost: Cost,
    /// Requests a minute.
    pub rates: Rates,
    /// What may be done from one device and one network.
    pub velocity: Velocity,
    /// Figures and guard.
    pub context: Arc<Context>,
    /// The engine's bounds.
    pub engine: engine::Options,
    /// The store's bounds, and where its anchors go.
    pub store: engine::sqlite::SqliteOptions,
    /// Hosts that webhooks may go to although they are not on the public internet, with a port or without: the sandbox's.
    pub webhook_hosts: Vec<String>,
    /// How long a top-up or payout may make its caller wait for the bank, in milliseconds.
    pub bank_wait_ms: u64,
}

/// The gateway as its client sees it.
pub struct GatewayOptions {
    /// Where it is: `http://gateway.localhost:8080`.
    pub origin: String,
    /// Its issuer, as it must stand in `iss`.
    pub issuer: String,
    /// This client's id there.
    pub client_id: String,
    /// The key that signs client assertions and DPoP proofs.
    pub key: SigningKey,
}

/// A service of the outside that takes a bearer token.
pub struct Provider {
    /// Where it is.
    pub origin: String,
    /// What it is asked with.
    pub token: Secret<String>,
}

/// The identity vendor.
pub struct IdentityOptions {
    /// Where it is, and what it is asked with.
    pub provider: Provider,
    /// The secret under which its callbacks are signed (Standard Webhooks: `whsec_…`).
    pub callback_secret: Secret<String>,
}

/// Requests a minute, each counted for itself; of links in the time that they take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// From one source address.
    pub source_max: u32,
    /// By one token.
    pub caller_max: u32,
    /// Attempts to log in, to open, to verify or to recover, from one source address.
    pub entrance_max: u32,
    /// Attempts to log in with one mail address.
    pub login_max: u32,
    /// Attempts of one holder to find a recipient or to redeem a voucher.
    pub look_up_max: u32,
    /// Mandates that one wallet asks for in half an hour: one that nobody goes on with lapses after as long, so twice as many
    /// are open at most.
    pub mandates_max: u32,
    /// Ways to a bank that one wallet begins while one of them is good.
    pub links_max: u32,
}

impl Rates {
    /// Nothing is bounded.
    pub const NONE: Self = Self {
        source_max: u32::MAX,
        caller_max: u32::MAX,
        entrance_max: u32::MAX,
        login_max: u32::MAX,
        look_up_max: u32::MAX,
        mandates_max: u32::MAX,
        links_max: u32::MAX,
    };
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            source_max: 1_200,
            caller_max: 6_000,
            entrance_max: 60,
            login_max: 10,
            look_up_max: 20,
            mandates_max: 10,
            links_max: 10,
        }
    }
}

/// What may be done from one device, and from one network, in a window of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Velocity {
    /// The window, in milliseconds: it begins with the first of what it counts.
    pub window_ms: i64,
    /// Wallets opened from a device: a family shares one.
    pub wallets_per_device_max: u32,
    /// Wallets opened from a network: a campus, or a telephone company's many customers behind one address. A site of IPv6 networks
    /// may do four times as much of this, and of links.
    pub wallets_per_network_max: u32,
    /// Links asked for from a device.
    pub links_per_device_max: u32,
    /// Links asked for from a network.
    pub links_per_network_max: u32,
}

impl Velocity {
    /// Nothing is bounded.
    pub const NONE: Self = Self {
        window_ms: 24 * 60 * 60 * 1_000,
        wallets_per_device_max: u32::MAX,
        wallets_per_network_max: u32::MAX,
        links_per_device_max: u32::MAX,
        links_per_network_max: u32::MAX,
    };
}

impl Default for Velocity {
    fn default() -> Self {
        Self {
            wallets_per_device_max: 5,
            wallets_per_network_max: 100,
            links_per_device_max: 15,
            links_per_network_max: 200,
            ..Self::NONE
        }
    }
}

impl Options {
    /// Where the desk is: at its own host, beside the wallet.
    pub fn desk_origin(&self) -> String {
        self.origin.replacen(&self.host, &self.desk_host, 1)
    }

    /// Whether cookies can be `Secure`.
    pub fn secure(&self) -> Secure {
        Secure(self.origin.starts_with("https://"))
    }
}
