//! What the sandbox is opened with, and why it could not be.

use crate::clock::SandboxClock;
use engine::StoreError;
use engine::sqlite::SqliteOptions;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use web::Secret;
use web::jose::SigningKey;

/// What the sandbox is opened with.
#[derive(Clone)]
pub struct Options {
    /// Where its world is kept; `None` for memory alone.
    pub data: Option<PathBuf>,
    /// The engine's bounds.
    pub engine: engine::Options,
    /// The bounds of its store, and where its anchors go.
    pub store: SqliteOptions,
    /// The clock that everything goes by; the same one as in [`web::Outside`].
    pub clock: Arc<SandboxClock>,
    /// The same seed has the same people.
    pub seed: u64,
    /// How many people have accounts, beside the fixed ones.
    pub people: u32,
    /// What the banks ask for at first.
    pub policies: Policies,
    /// Whether a debit in a nightly file may borrow: the file itself cannot say it.
    pub file_debits_may_overdraw: bool,
    /// Codes of banks that take debits by nightly files: how one ended stands in the day's file, and nobody is called.
    pub file_banks: Vec<String>,
    /// Where the others are.
    pub origins: Origins,
    /// What is shared with them.
    pub secrets: Secrets,
}

/// What the banks ask for before they let somebody link an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policies {
    /// What they asked for in September 2020: mostly number, name and PIN.
    AsOf2020,
    /// The same and a second step.
    Raised,
}

/// Where the services are, as their callers and people's browsers see them. No origin ends in a slash.
#[derive(Clone, Debug)]
pub struct Origins {
    /// The domain whose hosts the sandbox's are: `localhost`.
    pub domain: String,
    /// The port that people's browsers use; `None` for the scheme's own.
    pub port: Option<u16>,
    /// The wallet: `http://localhost:8080`.
    pub wallet: String,
    /// The gateway: `http://gateway.localhost:8080`.
    pub gateway: String,
    /// The wallet's desk: `http://desk.localhost:8080`.
    pub desk: String,
}

impl Origins {
    /// The origins of a sandbox on one port of this machine.
    pub fn on_port(port: u16) -> Self {
        Self {
            domain: "localhost".into(),
            port: Some(port),
            wallet: format!("http://localhost:{port}"),
            gateway: format!("http://gateway.localhost:{port}"),
            desk: format!("http://desk.localhost:{port}"),
        }
    }

    /// The origin of one of the sandbox's own hosts: `sandbox`, `bank-0125`.
    pub fn own(&self, name: &str) -> String {
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("http://{name}.{}{port}", self.domain)
    }
}

/// What the sandbox shares with those it talks to. A secret that is missing refuses whoever would need it.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// By bank code: what the gateway shows to the bank's connector, and what the bank signs its callbacks with.
    pub banks: BTreeMap<String, Secret<String>>,
    /// What the wallet shows to the provider of messages.
    pub messages: Option<Secret<String>>,
    /// What the wallet shows to the identity vendor.
    pub identity: Option<Secret<String>>,
    /// What the identity vendor signs its callbacks with.
    pub identity_callbacks: Option<Secret<String>>,
    /// What the wallet's desk takes for the shops that the sandbox makes.
    pub desk: Option<Secret<String>>,
    /// By bank code: what the gateway takes from the bank's own desk.
    pub bank_desks: BTreeMap<String, Secret<String>>,
    /// The key of the second operator.
    pub second_operator: Option<SigningKey>,
}

/// Why the sandbox could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// Its data cannot be used.
    Store(StoreError),
    /// Its banks and people could not be set up.
    Population(String),
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => write!(f, "the sandbox's data cannot be used: {error}"),
            Self::Population(what) => write!(f, "the sandbox's banks cannot be set up: {what}"),
        }
    }
}

impl std::error::Error for OpenError {}
