//! The plan: what each service is opened with, from an operator's configuration or for a sandbox.

use super::config::{self, BankPolicies, Config, Role};
use super::secrets::{self, Made};
use engine::anchor::AnchorOptions;
use gateway::desk::Role as GatewayRole;
use gateway::options::{BankOptions, FileOptions, OperatorOptions};
use sandbox::registry::Registry;
use sandbox::{Origins, Policies, SandboxClock, Secrets};
use server::{GatewayOptions, IdentityOptions, Provider, Role as DeskRole, Staff};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wallet::StaffId;
use web::jose::{JwkSet, SigningKey};
use web::{Chance, Secret};

/// The file that says that a data directory is a sandbox's.
const MARK: &str = "SANDBOX";
/// The client id of the sandbox's wallet at its gateway.
const CLIENT_ID: &str = "kinchaku";
/// The secret that is the key of the sandbox's second operator.
const SECOND_OPERATOR: &str = "second-operator.jwk";
/// People with accounts in a sandbox, beside the fixed ones: ten a bank.
const PEOPLE: u32 = 350;
/// The seed of those people.
const SEED: u64 = 2020;
/// Hosts of this machine that the sandbox's webhooks may go to: whoever tries it has their shop here.
const WEBHOOK_HOSTS_SANDBOX: [&str; 3] = ["localhost", "127.0.0.1", "sandbox.localhost"];
/// How long a top-up or payout may make its caller wait for the bank, in milliseconds.
const BANK_WAIT_MS: u64 = 2_000;
/// Who works at a sandbox's desk: id, name, roles. What takes two takes the first two; the last is the sandbox itself, for the
/// shops that it opens.
pub const DESK_SANDBOX: [(&str, &str, &[DeskRole]); 4] = [
    ("aoki", "青木 / Aoki", &[DeskRole::Viewer, DeskRole::Risk, DeskRole::Sales]),
    ("sato", "佐藤 / Sato", &[DeskRole::Viewer, DeskRole::Risk, DeskRole::Approver]),
    ("mori", "森 / Mori", &[DeskRole::Viewer]),
    ("sandbox", "試験環境 / the sandbox", &[DeskRole::Sales]),
];
/// Who works at the desk of a sandbox's gateway: id, name, roles.
pub const GATEWAY_DESK_SANDBOX: [(&str, &str, &[GatewayRole]); 3] = [
    ("abe", "阿部 / Abe", &[GatewayRole::Read, GatewayRole::Act]),
    ("ono", "小野 / Ono", &[GatewayRole::Read]),
    ("kudo", "工藤 / Kudo", &[GatewayRole::Read, GatewayRole::Act]),
];
/// Who works at the desk of each of a sandbox's banks: what takes two takes both.
pub const BANK_DESK_SANDBOX: [(&str, &str, &[GatewayRole]); 2] = [
    ("hara", "原 / Hara", &[GatewayRole::Read, GatewayRole::Act]),
    ("kondo", "近藤 / Kondo", &[GatewayRole::Read, GatewayRole::Act]),
];
/// Letters of a bank's name in a file, at most.
const FILE_BANK_NAME_MAX: usize = 15;
/// The longest name of somebody of the desk, in bytes: it is the id that the journal keeps.
const STAFF_ID_BYTES_MAX: usize = 16;

/// What is opened.
pub struct Plan {
    /// The wallet.
    pub wallet: Option<server::Options>,
    /// The gateway.
    pub gateway: Option<gateway::Options>,
    /// The outside world.
    pub sandbox: Option<sandbox::Options>,
}

/// The data directory, made if it is not there, and whether it is of the right kind.
pub fn claim(config: &Config) -> Result<(), String> {
    let data = &config.serve.data;
    let failed = |error: std::io::Error| format!("the data directory {}: {error}", data.display());
    let mark = data.join(MARK);
    let is_new = match fs::read_dir(data) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(failed(error)),
    };
    if config.is_sandbox() && is_new {
        fs::create_dir_all(data).map_err(failed)?;
        let text = "Simulated banks, invented people. Nothing in this directory is real; it can be deleted.\n";
        return fs::write(&mark, text).map_err(failed);
    }
    match (config.is_sandbox(), mark.exists()) {
        (true, false) => Err(format!(
            "the data directory {} is no sandbox's: a sandbox starts in an empty directory, see --data",
            data.display()
        )),
        (false, true) => Err(format!(
            "the data directory {} is a sandbox's: an operator starts in an empty directory, see `data` under [serve]",
            data.display()
        )),
        (true, true) | (false, false) => fs::create_dir_all(data).map_err(failed),
    }
}

impl Plan {
    /// The plan of a sandbox that is reached at `port`.
    pub fn of_sandbox(
        config: &Config,
        port: u16,
        clock: Arc<SandboxClock>,
        chance: &dyn Chance,
    ) -> Result<Self, String> {
        let data = &config.serve.data;
        let made = Made::open(data.join("secrets"), chance)?;
        let origins = origins(&config.sandbox, port);
        let client = made.key("gateway-client.jwk")?;
        let has = |role| config.serve.roles.contains(&role);
        let wallet =
            if has(Role::Wallet) { Some(sandbox_wallet(data, &origins, client.clone(), &made)?) } else { None };
        let gateway = if has(Role::Gateway) { Some(sandbox_gateway(config, &origins, &client, &made)?) } else { None };
        let sandbox = if has(Role::Sandbox) { Some(outside_world(config, origins, clock, &made)?) } else { None };
        Self { wallet, gateway, sandbox }.anchored(&config.serve, chance)
    }

    /// The plan of a configured operator.
    pub fn of_operator(config: &Config, chance: &dyn Chance) -> Result<Self, String> {
        let data = &config.serve.data;
        warn_of_near_anchors(&config.serve);
        let has = |role| config.serve.roles.contains(&role);
        let wallet = config
            .wallet
            .as_ref()
            .filter(|_| has(Role::Wallet))
            .map(|wallet| operator_wallet(data, wallet, &config.desk));
        let gateway =
            config.gateway.as_ref().filter(|_| has(Role::Gateway)).map(|gateway| operator_gateway(data, gateway));
        let mut plan = Self { wallet: wallet.transpose()?, gateway: gateway.transpose()?, sandbox: None };
        if let Some(wallet) = &mut plan.wallet {
            wallet.engine.clock_believed = config.serve.believe_clock;
        }
        if let Some(gateway) = &mut plan.gateway {
            gateway.engine.clock_believed = config.serve.believe_clock;
        }
        plan.anchored(&config.serve, chance)
    }

    /// The same with the journal of each service anchored.
    fn anchored(mut self, config: &config::Serve, chance: &dyn Chance) -> Result<Self, String> {
        let anchors = |service| anchors(config, service, chance).map(Some);
        if let Some(wallet) = &mut self.wallet {
            wallet.store.anchors = anchors("wallet")?;
        }
        if let Some(gateway) = &mut self.gateway {
            gateway.store.anchors = anchors("gateway")?;
        }
        if let Some(sandbox) = &mut self.sandbox {
            sandbox.store.anchors = anchors("sandbox")?;
        }
        Ok(self)
    }
}

/// Where the anchors are, and the keys that sign them.
fn anchor_places(config: &config::Serve) -> (PathBuf, PathBuf) {
    let anchors = config.anchors.clone().unwrap_or_else(|| config.data.join("anchors"));
    let keys = config.anchor_keys.clone().unwrap_or_else(|| anchors.clone());
    (anchors, keys)
}

/// Says at each start that anchors in the data prove nothing against whoever puts all of it back, or writes all of it.
fn warn_of_near_anchors(config: &config::Serve) {
    let (anchors, keys) = anchor_places(config);
    if anchors.starts_with(&config.data) {
        tracing::warn!(
            "the anchors lie in the data, and are put back with it: name another machine's disk (`anchors`)"
        );
    }
    if keys.starts_with(&config.data) {
        tracing::warn!("the keys that sign anchors lie in the data: who writes there can sign (`anchor_keys`)");
    }
}

/// Where the journal of `service` is anchored, and with which key.
fn anchors(config: &config::Serve, service: &str, chance: &dyn Chance) -> Result<AnchorOptions, String> {
    let (anchors, keys) = anchor_places(config);
    for directory in [&anchors, &keys] {
        fs::create_dir_all(directory).map_err(|error| format!("the anchors {}: {error}", directory.display()))?;
    }
    let key = keys.join(format!("{service}.key"));
    AnchorOptions::open(anchors.join(format!("{service}.jsonl")), &key, &mut |bytes| chance.fill(bytes))
        .map_err(|error| format!("the anchors of the {service}: {error}"))
}

/// Where the parts of the sandbox are, seen from the one on `port`.
pub fn origins(sandbox: &config::Sandbox, port: u16) -> Origins {
    let mut origins = Origins::on_port(sandbox.port.unwrap_or(port));
    let here = Origins::on_port(port);
    origins.wallet = sandbox.wallet_origin.clone().unwrap_or(here.wallet);
    origins.gateway = sandbox.gateway_origin.clone().unwrap_or(here.gateway);
    origins.desk = format!("http://desk.localhost{}", port_of(&origins.wallet));
    origins
}

fn outside_world(
    config: &Config,
    origins: Origins,
    clock: Arc<SandboxClock>,
    made: &Made<'_>,
) -> Result<sandbox::Options, String> {
    let (mut banks, mut bank_desks) = (BTreeMap::new(), BTreeMap::new());
    for facts in Registry::read().banks() {
        let host = format!("bank-{}", facts.code);
        banks.insert(facts.code.to_string(), made.webhook(&host)?);
        bank_desks.insert(facts.code.to_string(), made.token(&format!("{host}-desk"))?);
    }
    let (policies, file_debits_may_overdraw) = match config.sandbox.banks.unwrap_or(BankPolicies::Raised) {
        BankPolicies::AsOf2020 => (Policies::AsOf2020, true),
        BankPolicies::Raised => (Policies::Raised, false),
    };
    Ok(sandbox::Options {
        data: Some(config.serve.data.join("sandbox")),
        engine: engine::Options::default(),
        store: engine::sqlite::SqliteOptions::default(),
        clock,
        seed: config.sandbox.seed.unwrap_or(SEED),
        people: config.sandbox.people.unwrap_or(PEOPLE),
        file_banks: config.sandbox.file_banks.clone(),
        policies,
        file_debits_may_overdraw,
        origins,
        secrets: Secrets {
            banks,
            messages: Some(made.token("messages")?),
            identity: Some(made.token("identity")?),
            identity_callbacks: Some(made.webhook("identity-callbacks")?),
            desk: Some(made.token("desk-sandbox")?),
            bank_desks,
            second_operator: Some(made.key(SECOND_OPERATOR)?),
        },
    })
}

fn sandbox_wallet(
    data: &Path,
    origins: &Origins,
    client: SigningKey,
    made: &Made<'_>,
) -> Result<server::Options, String> {
    let outside = origins.own("sandbox");
    let staff = DESK_SANDBOX
        .map(|(id, name, roles)| {
            let token = made.token(&format!("desk-{id}"))?;
            Ok(Staff { id: staff_id(id)?, name: name.to_owned(), roles: roles.to_vec(), token })
        })
        .into_iter()
        .collect::<Result<_, String>>()?;
    let parts = WalletParts {
        origin: origins.wallet.clone(),
        desk_origin: origins.desk.clone(),
        master_key: data.join("secrets/wallet.key"),
        is_sandbox: true,
        gateway: GatewayOptions {
            origin: origins.gateway.clone(),
            issuer: origins.gateway.clone(),
            client_id: CLIENT_ID.to_owned(),
            key: client,
        },
        messages: Provider { origin: outside.clone(), token: made.token("messages")? },
        identity: IdentityOptions {
            provider: Provider { origin: outside, token: made.token("identity")? },
            callback_secret: made.webhook("identity-callbacks")?,
        },
        staff,
    };
    wallet_options(data, parts)
}

fn operator_wallet(
    data: &Path,
    config: &config::Wallet,
    desk: &config::Desk<DeskRole>,
) -> Result<server::Options, String> {
    let provider = |origin: &str, file: &Path| {
        Ok::<_, String>(Provider { origin: origin.to_owned(), token: secrets::read(file)? })
    };
    let parts = WalletParts {
        origin: config.origin.clone(),
        desk_origin: config.desk_origin.clone(),
        master_key: config.master_key_file.clone(),
        is_sandbox: false,
        gateway: GatewayOptions {
            origin: config.gateway.origin.clone(),
            issuer: config.gateway.issuer.clone(),
            client_id: config.gateway.client_id.clone(),
            key: secrets::read_key(&config.gateway.key_file)?,
        },
        messages: provider(&config.messages.origin, &config.messages.token_file)?,
        identity: IdentityOptions {
            provider: provider(&config.identity.origin, &config.identity.token_file)?,
            callback_secret: secrets::read(&config.identity.callback_secret_file)?,
        },
        staff: desk.people.iter().map(|(id, person)| staff_of(id, person)).collect::<Result<_, _>>()?,
    };
    wallet_options(data, parts)
}

fn sandbox_gateway(
    config: &Config,
    origins: &Origins,
    client: &SigningKey,
    made: &Made<'_>,
) -> Result<gateway::Options, String> {
    let data = &config.serve.data;
    let mut options = gateway::Options::new(data.join("gateway"), origins.gateway.clone());
    options.master_key = data.join("secrets/gateway.key");
    options.is_sandbox = true;
    options.events_hosts = WEBHOOK_HOSTS_SANDBOX.map(str::to_owned).into();
    for (id, name, roles) in GATEWAY_DESK_SANDBOX {
        options.desk.push(gateway_staff(id, name, roles, made.token(&format!("gateway-desk-{id}"))?));
    }
    for facts in Registry::read().banks() {
        let host = format!("bank-{}", facts.code);
        let origin = origins.own(&host);
        options.banks.push(BankOptions {
            code: parse(&facts.code.to_string())?,
            name: facts.name_full.to_owned(),
            name_en: facts.kana.to_owned(),
            own_page: facts.own_page.then(|| origin.clone()),
            origin,
            secret: made.webhook(&host)?,
            desk: sandbox_bank_desk(&host, made)?,
            factors: Vec::new(),
            descriptor: facts.wording.unwrap_or(sandbox::registry::WORDING).to_owned(),
            files: config.sandbox.file_banks.contains(&facts.code.to_string()).then(|| sandbox_files(facts)),
        });
    }
    for code in &config.sandbox.file_banks {
        if !options.banks.iter().any(|bank| bank.code.to_string() == *code) {
            return Err(format!("[sandbox] file_banks names {code:?}, which is no bank of the sandbox"));
        }
    }
    options.operators.push(OperatorOptions {
        client_id: CLIENT_ID.to_owned(),
        name: "キンチャク".to_owned(),
        name_en: "Kinchaku".to_owned(),
        redirect_uris: vec![format!("{}/link/callback", origins.wallet)],
        jwks: JwkSet::new(vec![client.public().clone()]).map_err(|error| error.to_string())?.to_value(),
        events_url: Some(format!("{}/v1/callbacks/gateway", origins.wallet)),
    });
    options.operators.push(second_operator(origins, &made.key(SECOND_OPERATOR)?));
    Ok(options)
}

/// The desk of a sandbox's bank: people to be, and the bank's own systems, by which its customers confirm.
fn sandbox_bank_desk(host: &str, made: &Made<'_>) -> Result<Vec<gateway::desk::Staff>, String> {
    let (name, roles) = ("銀行のシステム / the bank's systems", &[GatewayRole::Read, GatewayRole::System]);
    let mut desk = vec![gateway_staff("systems", name, roles, made.token(&format!("{host}-desk"))?)];
    for (id, name, roles) in BANK_DESK_SANDBOX {
        desk.push(gateway_staff(id, name, roles, made.token(&format!("{host}-desk-{id}"))?));
    }
    Ok(desk)
}

fn gateway_staff(id: &str, name: &str, roles: &[GatewayRole], token: Secret<String>) -> gateway::desk::Staff {
    gateway::desk::Staff { id: id.to_owned(), name: name.to_owned(), roles: roles.to_vec(), token }
}

/// How debits go to a bank of the sandbox by files.
fn sandbox_files(facts: &sandbox::registry::BankFacts) -> FileOptions {
    FileOptions {
        collector_code: "0000000001".to_owned(),
        collector_name: "ｷﾝﾁﾔｸ".to_owned(),
        bank_name: facts.kana.chars().take(FILE_BANK_NAME_MAX).collect(),
        branch: format!("{:03}", facts.branches[0].code),
        number: "0000001".to_owned(),
        cut_off_minute: 22 * 60,
    }
}

/// The sandbox's other operator, as the gateway is to know it.
fn second_operator(origins: &Origins, key: &SigningKey) -> OperatorOptions {
    let facts = sandbox::operator::facts(origins, key);
    OperatorOptions {
        client_id: facts.client_id.to_owned(),
        name: facts.name.to_owned(),
        name_en: facts.name_en.to_owned(),
        redirect_uris: vec![facts.redirect_uri],
        jwks: facts.jwks,
        events_url: None,
    }
}

fn operator_gateway(data: &Path, config: &config::Gateway) -> Result<gateway::Options, String> {
    let mut options = gateway::Options::new(data.join("gateway"), config.origin.clone());
    options.master_key.clone_from(&config.master_key_file);
    options.desk = gateway_desk("gateway", &config.desk)?;
    for bank in &config.banks {
        let sets = bank.factors.iter().map(|set| set.iter().map(|name| parse(name)).collect());
        options.banks.push(BankOptions {
            code: parse(&bank.code)?,
            name: bank.name.clone(),
            name_en: bank.name_en.clone(),
            origin: bank.origin.clone(),
            secret: secrets::read(&bank.secret_file)?,
            desk: gateway_desk("gateway.banks", &bank.desk)?,
            own_page: bank.own_page.clone(),
            factors: sets.collect::<Result<_, String>>()?,
            descriptor: bank.descriptor.clone(),
            files: bank.files.as_ref().map(file_options).transpose()?,
        });
    }
    for operator in &config.operators {
        let file = &operator.jwks_file;
        let text = fs::read_to_string(file).map_err(|error| format!("the keys {}: {error}", file.display()))?;
        options.operators.push(OperatorOptions {
            client_id: operator.client_id.clone(),
            name: operator.name.clone(),
            name_en: operator.name_en.clone(),
            redirect_uris: operator.redirect_uris.clone(),
            jwks: serde_json::from_str(&text).map_err(|error| format!("the keys {}: {error}", file.display()))?,
            events_url: operator.events_url.clone(),
        });
    }
    Ok(options)
}

/// The people of the gateway's desk or of a bank's, as `section` of the configuration has them.
fn gateway_desk(section: &str, desk: &config::Desk<GatewayRole>) -> Result<Vec<gateway::desk::Staff>, String> {
    let staff = desk.people.iter().map(|(id, person)| {
        Ok(gateway_staff(id, &person.name, &person.roles, token_of(&format!("{section}.desk"), id, person)?))
    });
    staff.collect()
}

fn file_options(files: &config::Files) -> Result<FileOptions, String> {
    let (hours, minutes) = files.cut_off.split_once(':').unwrap_or_default();
    let cut_off_minute = match (hours.parse::<u16>(), minutes.parse::<u16>()) {
        (Ok(hours @ 0..24), Ok(minutes @ 0..60)) => hours * 60 + minutes,
        _ => {
            return Err(format!(
                "`cut_off` of a bank's files is a time of the day like 22:00, not {:?}",
                files.cut_off
            ));
        }
    };
    Ok(FileOptions {
        collector_code: files.collector_code.clone(),
        collector_name: files.collector_name.clone(),
        bank_name: files.bank_name.clone(),
        branch: files.branch.clone(),
        number: files.number.clone(),
        cut_off_minute,
    })
}

/// What differs between a sandbox's wallet and an operator's.
struct WalletParts {
    origin: String,
    desk_origin: String,
    master_key: PathBuf,
    is_sandbox: bool,
    gateway: GatewayOptions,
    messages: Provider,
    identity: IdentityOptions,
    staff: Vec<Staff>,
}

fn wallet_options(data: &Path, parts: WalletParts) -> Result<server::Options, String> {
    let WalletParts { origin, desk_origin, master_key, is_sandbox, gateway, messages, identity, staff } = parts;
    let directory = data.join("wallet");
    fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    Ok(server::Options {
        host: host_of(&origin),
        desk_host: host_of(&desk_origin),
        directory,
        master_key,
        origin,
        is_sandbox,
        gateway,
        messages,
        identity,
        staff,
        password_cost: server::Cost::default(),
        rates: server::Rates::default(),
        velocity: server::Velocity::default(),
        context: Arc::default(),
        engine: engine::Options::default(),
        store: engine::sqlite::SqliteOptions::default(),
        webhook_hosts: if is_sandbox { WEBHOOK_HOSTS_SANDBOX.map(str::to_owned).into() } else { Vec::new() },
        bank_wait_ms: BANK_WAIT_MS,
    })
}

/// The file with the secret called `name` of a sandbox.
pub fn secret_file(data: &Path, name: &str) -> PathBuf {
    data.join("secrets").join(name)
}

/// The file with the token of somebody at a sandbox's desk.
pub fn desk_token_file(data: &Path, id: &str) -> PathBuf {
    secret_file(data, &format!("desk-{id}"))
}

/// The token of somebody of a desk, which comes from one place.
fn token_of<R>(desk: &str, id: &str, person: &config::Person<R>) -> Result<Secret<String>, String> {
    match (&person.token_file, &person.token_env) {
        (Some(file), None) => secrets::read(file),
        (None, Some(name)) => secrets::read_variable(name),
        (Some(_), Some(_)) | (None, None) => Err(format!("[{desk}.people.{id}] has one of token_file and token_env")),
    }
}

/// Somebody of the operator's desk.
fn staff_of(id: &str, person: &config::Person<DeskRole>) -> Result<Staff, String> {
    let token = token_of("desk", id, person)?;
    Ok(Staff { id: staff_id(id)?, name: person.name.clone(), roles: person.roles.clone(), token })
}

fn staff_id(name: &str) -> Result<StaffId, String> {
    if name.is_empty() || name.len() > STAFF_ID_BYTES_MAX || !name.is_ascii() {
        return Err(format!("somebody of the desk is named {name:?}: 1 to {STAFF_ID_BYTES_MAX} ASCII letters"));
    }
    let mut id = [0; STAFF_ID_BYTES_MAX];
    id[..name.len()].copy_from_slice(name.as_bytes());
    Ok(StaffId(domain::Id(id)))
}

/// The host of an origin, without its port.
fn host_of(origin: &str) -> String {
    let authority = origin.rsplit("://").next().unwrap_or_default();
    authority.split(':').next().unwrap_or_default().to_owned()
}

/// The port of an origin with its colon, if it names one.
fn port_of(origin: &str) -> String {
    let authority = origin.rsplit("://").next().unwrap_or_default();
    authority.split_once(':').map(|(_, port)| format!(":{port}")).unwrap_or_default()
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("{text}: {error}"))
}
