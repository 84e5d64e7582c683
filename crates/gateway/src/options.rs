//! What a gateway is opened with: its place, its banks, its operators, and the figures that it goes by.

use crate::desk::Staff;
use crate::domain::{BankCode, Factors, Policy};
use crate::windows::WindowPolicy;
use std::path::PathBuf;
use web::Secret;

/// The longest that the API waits for a bank before it answers `pending`, in milliseconds.
pub const INLINE_MS_MAX: u64 = 3_000;

/// What a gateway is opened with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its data directory.
    pub directory: PathBuf,
    /// The engine's bounds.
    pub engine: engine::Options,
    /// The store's bounds, and where its anchors go.
    pub store: engine::sqlite::SqliteOptions,
    /// The file with its master key, outside of the data directory in earnest use.
    pub master_key: PathBuf,
    /// Where browsers and operators reach it, without a slash at the end; also its issuer: `http://gateway.localhost:8080`.
    pub origin: String,
    /// The banks.
    pub banks: Vec<BankOptions>,
    /// The operators that are known from the start.
    pub operators: Vec<OperatorOptions>,
    /// The people of the gateway's own desk.
    pub desk: Vec<Staff>,
    /// Hosts beside the public internet to which events of clients may go that the desk registers. None in earnest.
    pub events_hosts: Vec<String>,
    /// The figures of the rules.
    pub policy: Policy,
    /// The figures of the windows.
    pub windows: WindowPolicy,
    /// What may be asked in a minute.
    pub rates: Rates,
    /// It meets a simulated world: every page says so above all.
    pub is_sandbox: bool,
    /// When banks have their files of the day before, in minutes after midnight in Tokyo.
    pub day_file_minute: u16,
    /// The longest a request may take, in milliseconds.
    pub request_ms_max: u64,
    /// The longest that a debit waits for its bank before it is answered as pending, in milliseconds.
    pub inline_ms_max: u64,
}

impl Options {
    /// Options with the default figures, no bank and no operator.
    pub fn new(directory: PathBuf, origin: String) -> Self {
        let master_key = directory.join("master.key");
        Self {
            directory,
            engine: engine::Options::default(),
            store: engine::sqlite::SqliteOptions::default(),
            master_key,
            origin,
            banks: Vec::new(),
            operators: Vec::new(),
            desk: Vec::new(),
            events_hosts: Vec::new(),
            policy: Policy::default(),
            windows: WindowPolicy::default(),
            rates: Rates::default(),
            is_sandbox: false,
            day_file_minute: 180,
            request_ms_max: 15_000,
            inline_ms_max: INLINE_MS_MAX,
        }
    }

    /// The host of the origin, without scheme and port.
    pub fn host(&self) -> &str {
        let authority = self.origin.split_once("://").map_or(self.origin.as_str(), |(_, rest)| rest);
        let authority = authority.split('/').next().unwrap_or_default();
        authority.rsplit_once(':').map_or(authority, |(host, _)| host)
    }

    /// The bank with `code`.
    pub fn bank(&self, code: BankCode) -> Option<&BankOptions> {
        self.banks.iter().find(|bank| bank.code == code)
    }
}

/// Requests a minute, each counted for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Of programs from one source, before it is known who they are.
    pub source_max: u32,
    /// Of people's browsers from one source.
    pub browser_max: u32,
    /// Of one operator.
    pub operator_max: u32,
    /// Of one bank's systems.
    pub bank_max: u32,
    /// Of one person of a desk.
    pub desk_max: u32,
}

impl Default for Rates {
    fn default() -> Self {
        // An operator's or a bank's machines often come from one source.
        Self { source_max: 60_000, browser_max: 1_200, operator_max: 60_000, bank_max: 60_000, desk_max: 600 }
    }
}

/// A bank.
#[derive(Clone, Debug)]
pub struct BankOptions {
    /// Its code.
    pub code: BankCode,
    /// Its name: 七十七銀行.
    pub name: String,
    /// Its name in Latin letters.
    pub name_en: String,
    /// Where its connector is, without a slash at the end: `http://bank-0125.localhost:8080`.
    pub origin: String,
    /// The secret that both sides have: the bearer token of calls to the bank, and (`whsec_…`) the key of its callbacks.
    pub secret: Secret<String>,
    /// The people of the bank's desk, if it uses ours.
    pub desk: Vec<Staff>,
    /// The issuer of the bank's own authentication page; none where the gateway hosts it.
    pub own_page: Option<String>,
    /// The sets of factors that suffice, where neither the bank's desk nor the bank itself names any.
    pub factors: Vec<Factors>,
    /// How the bank's statements name a debit.
    pub descriptor: String,
    /// Debits go by nightly files instead of one by one.
    pub files: Option<FileOptions>,
}

/// How debits go to a bank by files (預金口座振替, kind 91).
#[derive(Clone, Debug)]
pub struct FileOptions {
    /// The collector's code that the bank gave: ten digits.
    pub collector_code: String,
    /// The collector's name in half-width kana.
    pub collector_name: String,
    /// The bank's name in half-width kana, as its files have it.
    pub bank_name: String,
    /// The branch of the account that collects: three digits.
    pub branch: String,
    /// That account's number: seven digits.
    pub number: String,
    /// When the day's request file is made, in minutes after midnight in Tokyo.
    pub cut_off_minute: u16,
}

/// An operator of wallets.
#[derive(Clone, Debug)]
pub struct OperatorOptions {
    /// Its client id.
    pub client_id: String,
    /// Its name.
    pub name: String,
    /// Its name in Latin letters.
    pub name_en: String,
    /// Where browsers may be sent back to, to the letter.
    pub redirect_uris: Vec<String>,
    /// Its public keys: a JWK set.
    pub jwks: serde_json::Value,
    /// Where it takes events, if it does.
    pub events_url: Option<String>,
}
