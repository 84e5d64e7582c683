//! The configuration: one TOML file, single values from the environment, every key known or refused.
//!
//! Without a file the program is a sandbox. With one it is an operator's, and the sandbox stays off unless the file says
//! otherwise; what a sandbox may never have (an HTTPS origin, a public address) is refused then. An operator is reached by
//! HTTPS alone, and plain HTTP does not leave the machine except from a named proxy. Secrets are never values here: the file
//! names the files that hold them. `kinchaku.example.toml` documents every key, and a test reads it.

mod origins;

use clap::ValueEnum;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// What environment variables begin with: `KINCHAKU_SERVE_LISTEN` is `listen` under `[serve]`.
const ENVIRONMENT: &str = "KINCHAKU_";
/// The sections whose keys the environment may set.
const SECTIONS: [&str; 4] = ["serve", "wallet", "gateway", "sandbox"];

/// The whole file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The process.
    #[serde(default)]
    pub serve: Serve,
    /// The wallet of a configured operator.
    pub wallet: Option<Wallet>,
    /// The operator's desk.
    #[serde(default)]
    pub desk: Desk<server::Role>,
    /// The gateway in earnest.
    pub gateway: Option<Gateway>,
    /// The outside world, simulated.
    #[serde(default)]
    pub sandbox: Sandbox,
}

/// The process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Serve {
    /// The socket.
    pub listen: SocketAddr,
    /// Where everything is kept.
    pub data: PathBuf,
    /// Where each service's journal is anchored; `anchors` in the data without it.
    pub anchors: Option<PathBuf>,
    /// Where the keys are that sign the anchors; beside them without it.
    pub anchor_keys: Option<PathBuf>,
    /// Which services run in this process.
    pub roles: Vec<Role>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// No proxy stands before the socket: each connection comes from whom it concerns.
    pub no_proxy: bool,
    /// Whoever reaches the socket may speak plain HTTP: something else sees to it that nobody on the way listens.
    pub plain_http_from_anywhere: bool,
    /// How the log is written.
    pub log: Log,
    /// Whoever starts this process says that the machine's calendar is right: an argument, and no key that would stay.
    #[serde(skip)]
    pub believe_clock: bool,
}

impl Default for Serve {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            data: PathBuf::from("./data"),
            anchors: None,
            anchor_keys: None,
            roles: vec![Role::Wallet, Role::Gateway, Role::Sandbox],
            trusted_proxies: Vec::new(),
            no_proxy: false,
            plain_http_from_anywhere: false,
            log: Log::Text,
            believe_clock: false,
        }
    }
}

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The wallet with its desk.
    Wallet,
    /// The gateway to the banks.
    Gateway,
    /// The outside world, simulated.
    Sandbox,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Log {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// The wallet of a configured operator.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wallet {
    /// Where holders and shops reach it.
    pub origin: String,
    /// Where the desk reaches it.
    pub desk_origin: String,
    /// The file with the master key of personal data.
    pub master_key_file: PathBuf,
    /// The gateway it is a client of.
    pub gateway: GatewayClient,
    /// Who delivers mails and messages.
    pub messages: Provider,
    /// Who says who people are.
    pub identity: Identity,
}

/// A desk, whose people have roles of the kind `R`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, bound = "R: Deserialize<'de>")]
pub struct Desk<R> {
    /// Who works there, by the id that the journal keeps.
    #[serde(default = "BTreeMap::new")]
    pub people: BTreeMap<String, Person<R>>,
}

impl<R> Default for Desk<R> {
    fn default() -> Self {
        Self { people: BTreeMap::new() }
    }
}

/// The gateway, as its client knows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayClient {
    /// Where it is.
    pub origin: String,
    /// Its issuer.
    pub issuer: String,
    /// This client's id.
    pub client_id: String,
    /// The file with this client's Ed25519 key, as a private JWK.
    pub key_file: PathBuf,
}

/// A service of the outside that takes a bearer token.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Where it is.
    pub origin: String,
    /// The file with the token.
    pub token_file: PathBuf,
}

/// The identity vendor.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Where it is.
    pub origin: String,
    /// The file with the token.
    pub token_file: PathBuf,
    /// The file with the secret under which it signs what it calls us with.
    pub callback_secret_file: PathBuf,
}

/// Somebody of a desk. Their token is in a file or in a variable of the environment.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person<R> {
    /// What they are called.
    pub name: String,
    /// What they may do.
    pub roles: Vec<R>,
    /// The file with their token.
    pub token_file: Option<PathBuf>,
    /// The variable with their token.
    pub token_env: Option<String>,
}

/// The gateway in earnest.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Where browsers and operators reach it; also its issuer.
    pub origin: String,
    /// The file with the master key of personal data.
    pub master_key_file: PathBuf,
    /// Its own desk.
    #[serde(default)]
    pub desk: Desk<gateway::desk::Role>,
    /// The banks.
    #[serde(default)]
    pub banks: Vec<Bank>,
    /// The operators.
    #[serde(default)]
    pub operators: Vec<Operator>,
}

/// A bank.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bank {
    /// Its code.
    pub code: String,
    /// Its name in Japanese.
    pub name: String,
    /// Its name in Latin letters.
    pub name_en: String,
    /// Where its connector is.
    pub origin: String,
    /// The file with the secret that both sides have.
    pub secret_file: PathBuf,
    /// The bank's desk, if it uses ours.
    #[serde(default)]
    pub desk: Desk<gateway::desk::Role>,
    /// The issuer of the bank's own page; none where the gateway hosts it.
    pub own_page: Option<String>,
    /// The sets of factors that suffice.
    pub factors: Vec<Vec<String>>,
    /// How its statements name a debit.
    pub descriptor: String,
    /// Debits go to it by nightly files; without this, one by one.
    pub files: Option<Files>,
}

/// How debits go to a bank by files (預金口座振替).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// The collector's code that the bank gave.
    pub collector_code: String,
    /// The collector's name in half-width kana.
    pub collector_name: String,
    /// The bank's name in half-width kana.
    pub bank_name: String,
    /// The branch of the account that collects.
    pub branch: String,
    /// That account's number.
    pub number: String,
    /// When the day's file is made, in Tokyo's time.
    pub cut_off: String,
}

/// An operator of wallets.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// Its client id.
    pub client_id: String,
    /// Its name in Japanese.
    pub name: String,
    /// Its name in Latin letters.
    pub name_en: String,
    /// Where browsers may be sent back to.
    pub redirect_uris: Vec<String>,
    /// The file with its public keys.
    pub jwks_file: PathBuf,
    /// Where it takes events.
    pub events_url: Option<String>,
}

/// The outside world, simulated.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sandbox {
    /// Whether it is on.
    pub enabled: Option<bool>,
    /// How many people have accounts, beside the fixed ones.
    pub people: Option<u32>,
    /// The same seed has the same people.
    pub seed: Option<u64>,
    /// What the banks ask for.
    pub banks: Option<BankPolicies>,
    /// Codes of banks to which debits go by nightly files.
    pub file_banks: Vec<String>,
    /// Where the wallet is, when it runs in another process.
    pub wallet_origin: Option<String>,
    /// Where the gateway is, when it runs in another process.
    pub gateway_origin: Option<String>,
    /// On which port of this machine the simulated hosts are, when they run in another process.
    pub port: Option<u16>,
}

/// What simulated banks ask for before an account is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum BankPolicies {
    /// Number, name and PIN, as most did in September 2020.
    #[serde(rename = "as-of-2020")]
    AsOf2020,
    /// A second step as well.
    #[serde(rename = "raised")]
    Raised,
}

impl Config {
    /// Reads the file at `path`, if there is one, and lets `environment` speak over it,
    /// and `arguments` over both.
    pub fn read(
        path: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        arguments: impl FnOnce(&mut Serve),
    ) -> Result<Self, String> {
        let mut table = match path {
            None => Table::new(),
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
                text.parse::<Table>().map_err(|error| format!("{}: {error}", path.display()))?
            }
        };
        let configured = path.is_some();
        overlay(&mut table, &environment.collect())?;
        let mut config: Self = table.try_into().map_err(|error| format!("the configuration: {error}"))?;
        arguments(&mut config.serve);
        config.check(configured)?;
        Ok(config)
    }

    /// Whether the outside world is simulated: without a file it is, with one only if the file says so.
    pub fn is_sandbox(&self) -> bool {
        self.sandbox.enabled.unwrap_or(self.wallet.is_none() && self.gateway.is_none())
    }

    fn check(&self, configured: bool) -> Result<(), String> {
        if !self.is_sandbox() {
            if self.serve.roles.contains(&Role::Sandbox) {
                return Err("[serve] roles names the sandbox, which is off: a configured operator lists \
                            `roles = [\"wallet\"]`, `[\"gateway\"]` or both"
                    .into());
            }
            for (role, missing) in [(Role::Wallet, self.wallet.is_none()), (Role::Gateway, self.gateway.is_none())] {
                if self.serve.roles.contains(&role) && missing {
                    return Err(format!("the role {role:?} needs its section in the configuration file"));
                }
            }
            origins::check(self)?;
            self.serve.check_socket()?;
            return self.serve.check_proxies();
        }
        if configured && self.sandbox.enabled != Some(true) {
            return Err(
                "a configuration file without [wallet] or [gateway] says `[sandbox] enabled = true` if it means \
                        the sandbox"
                    .into(),
            );
        }
        if self.wallet.is_some() || self.gateway.is_some() {
            return Err(
                "[sandbox] is enabled beside [wallet] or [gateway]: a simulated bank never meets a real wallet. \
                        Remove one of them"
                    .into(),
            );
        }
        if !self.serve.listen.ip().is_loopback() {
            return Err(format!("the sandbox listens on loopback only, not on {}", self.serve.listen));
        }
        if !self.serve.trusted_proxies.is_empty() {
            return Err(
                "[serve] trusted_proxies names a proxy before a sandbox, which answers this machine alone".into()
            );
        }
        Ok(())
    }
}

impl Serve {
    /// What comes to the socket is not encrypted: TLS ends before it, at a proxy on this machine or at one that is named.
    fn check_socket(&self) -> Result<(), String> {
        if self.listen.ip().is_loopback() || !self.trusted_proxies.is_empty() || self.plain_http_from_anywhere {
            return Ok(());
        }
        Err(format!(
            "[serve] listen = \"{}\" is reached from other machines in plain HTTP. Listen on 127.0.0.1 behind a TLS proxy on \
             this machine, or name the machines where TLS ends in `trusted_proxies`, or say \
             `plain_http_from_anywhere = true` where the network itself encrypts",
            self.listen
        ))
    }

    /// What is counted by where it comes from must not all come from one proxy: a stranger who uses up a limit there would shut
    /// out everybody.
    fn check_proxies(&self) -> Result<(), String> {
        match (self.trusted_proxies.is_empty(), self.no_proxy) {
            (false, false) | (true, true) => Ok(()),
            (false, true) => Err("[serve] trusted_proxies names a proxy, and no_proxy says that there is none".into()),
            (true, false) => Err("[serve] trusted_proxies is empty: behind a TLS proxy everybody would be one source, and a limit \
                 that one of them uses up would shut out all. Name the proxy's address, `trusted_proxies = [\"127.0.0.1\"]` for \
                 one on this machine, and have it set X-Forwarded-For; or say `no_proxy = true` if every connection comes \
                 from whom it concerns"
                .into()),
        }
    }
}

/// Puts each variable `KINCHAKU_<SECTION>_<KEY>` into its section. A key that no section has is refused like any other.
fn overlay(table: &mut Table, environment: &BTreeMap<String, String>) -> Result<(), String> {
    for (name, text) in environment {
        let Some(rest) = name.strip_prefix(ENVIRONMENT) else { continue };
        let rest = rest.to_ascii_lowercase();
        let Some((section, key)) = rest.split_once('_').filter(|(section, _)| SECTIONS.contains(section)) else {
            return Err(format!(
                "{name}: variables are named {ENVIRONMENT}<SECTION>_<KEY>, like KINCHAKU_SERVE_LISTEN"
            ));
        };
        let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(section) = section else { return Err(format!("{name}: its section is no table")) };
        // What reads as a TOML value is one; everything else is text.
        let value = format!("value = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
        section.insert(key.to_owned(), value.unwrap_or_else(|| Value::String(text.clone())));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
