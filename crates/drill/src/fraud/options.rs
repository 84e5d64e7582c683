//! What the services on the stage are opened with: the same options as in service, with secrets from the seed and the
//! password's hash at its cheapest. Nothing here differs between presets but the values of a preset.

use super::presets::Preset;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{Id, Time};
use gateway::desk::Role as GatewayRole;
use gateway::options::{BankOptions, OperatorOptions};
use sandbox::registry::Registry;
use sandbox::{Origins, SandboxClock, Secrets};
use server::{Cost, GatewayOptions, IdentityOptions, Provider, Role, Staff};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use wallet::{Context, Policies, StaffId};
use web::jose::{JwkSet, SigningKey};
use web::{Chance, Secret, chance};

/// The port that stands in every address; nobody listens there.
const PORT: u16 = 8080;
/// The wallet's client id at the gateway.
const CLIENT_ID: &str = "kinchaku";
/// How long a top-up or payout may make its caller wait for the bank, in milliseconds.
const BANK_WAIT_MS: u64 = 2_000;
/// The cheapest hash of a password: a drill makes thousands of holders, and guesses no password.
const PASSWORD_COST: Cost = Cost { memory_kib: 8, passes: 1 };

/// What a stage is opened for.
pub struct Staging<'a> {
    /// The same seed has the same people, ids and keys.
    pub seed: u64,
    /// When it begins.
    pub begin: Time,
    /// People with bank accounts.
    pub people: u32,
    /// The controls.
    pub preset: &'a Preset,
}

/// The options of all three.
pub struct Parts {
    pub wallet: server::Options,
    pub gateway: gateway::Options,
    pub sandbox: sandbox::Options,
    pub desks: Desks,
}

/// The tokens of people at desks.
pub struct Desks {
    /// Of the gateway's own desk.
    pub gateway: Secret<String>,
    /// Of two people at the wallet's desk: what takes two takes both.
    pub wallet: [Secret<String>; 2],
    /// Of each bank's desk.
    pub banks: BTreeMap<String, Secret<String>>,
}

/// What all services share.
struct Shared {
    origins: Origins,
    client: SigningKey,
    second_operator: SigningKey,
    messages: Secret<String>,
    identity: Secret<String>,
    identity_callbacks: Secret<String>,
    shops: Secret<String>,
    banks: BTreeMap<String, Secret<String>>,
    bank_systems: BTreeMap<String, Secret<String>>,
}

/// The options for `staging`, with all data under `directory`.
pub fn of(
    staging: &Staging<'_>,
    directory: &Path,
    clock: &Arc<SandboxClock>,
    source: &dyn Chance,
) -> Result<Parts, String> {
    let registry = Registry::read();
    let codes = || registry.banks().map(|bank| bank.code.to_string());
    let shared = Shared {
        origins: Origins::on_port(PORT),
        client: SigningKey::generate_eddsa(source),
        second_operator: SigningKey::generate_eddsa(source),
        messages: chance::token(source),
        identity: chance::token(source),
        identity_callbacks: webhook(source),
        shops: chance::token(source),
        banks: codes().map(|code| (code, webhook(source))).collect(),
        bank_systems: codes().map(|code| (code, chance::token(source))).collect(),
    };
    let desks = Desks {
        gateway: chance::token(source),
        wallet: [chance::token(source), chance::token(source)],
        banks: codes().map(|code| (code, chance::token(source))).collect(),
    };
    Ok(Parts {
        wallet: wallet(staging, directory, &shared, &desks),
        gateway: gateway(staging, directory, &shared, &desks, &registry)?,
        sandbox: world(staging, clock, shared),
        desks,
    })
}

/// An engine that runs in its callers: the order of requests is the order of commits.
fn engine_options() -> engine::Options {
    engine::Options { in_callers: true, ..engine::Options::default() }
}

fn webhook(source: &dyn Chance) -> Secret<String> {
    let mut bytes = [0; 32];
    source.fill(&mut bytes);
    Secret::new(format!("whsec_{}", STANDARD.encode(bytes)))
}

fn wallet(staging: &Staging<'_>, directory: &Path, shared: &Shared, desks: &Desks) -> server::Options {
    let outside = shared.origins.own("sandbox");
    let provider = |token: &Secret<String>| Provider { origin: outside.clone(), token: token.clone() };
    let staff = |id: u128, name: &str, roles: &[Role], token: &Secret<String>| Staff {
        id: StaffId(Id::from_number(id)),
        name: name.to_owned(),
        roles: roles.to_vec(),
        token: token.clone(),
    };
    let context = Context { policies: Policies::new(staging.preset.wallet.clone()), ..Context::default() };
    server::Options {
        directory: directory.join("wallet"),
        master_key: directory.join("wallet.key"),
        origin: shared.origins.wallet.clone(),
        host: "localhost".to_owned(),
        desk_host: "desk.localhost".to_owned(),
        is_sandbox: true,
        gateway: GatewayOptions {
            origin: shared.origins.gateway.clone(),
            issuer: shared.origins.gateway.clone(),
            client_id: CLIENT_ID.to_owned(),
            key: shared.client.clone(),
        },
        messages: provider(&shared.messages),
        identity: IdentityOptions {
            provider: provider(&shared.identity),
            callback_secret: shared.identity_callbacks.clone(),
        },
        staff: vec![
            staff(1, "first", &Role::ALL, &desks.wallet[0]),
            staff(2, "second", &Role::ALL, &desks.wallet[1]),
            staff(3, "shops", &[Role::Sales], &shared.shops),
        ],
        password_cost: PASSWORD_COST,
        rates: staging.preset.rates,
        velocity: staging.preset.velocity,
        context: Arc::new(context),
        engine: engine_options(),
        store: engine::sqlite::SqliteOptions::default(),
        webhook_hosts: Vec::new(),
        bank_wait_ms: BANK_WAIT_MS,
    }
}

fn gateway(
    staging: &Staging<'_>,
    directory: &Path,
    shared: &Shared,
    desks: &Desks,
    registry: &Registry,
) -> Result<gateway::Options, String> {
    let origins = &shared.origins;
    let mut options = gateway::Options::new(directory.join("gateway"), origins.gateway.clone());
    options.master_key = directory.join("gateway.key");
    options.engine = engine_options();
    options.is_sandbox = true;
    options.policy = staging.preset.gateway.clone();
    options.windows = staging.preset.windows;
    let person = |token: &Secret<String>| gateway::desk::Staff {
        id: "desk".to_owned(),
        name: "desk".to_owned(),
        roles: vec![GatewayRole::Read, GatewayRole::Act],
        token: token.clone(),
    };
    // By which a bank's customers confirm in its app.
    let systems = |token: &Secret<String>| gateway::desk::Staff {
        id: "systems".to_owned(),
        name: "systems".to_owned(),
        roles: vec![GatewayRole::System],
        token: token.clone(),
    };
    options.desk.push(person(&desks.gateway));
    for facts in registry.banks() {
        let code = facts.code.to_string();
        let origin = origins.own(&format!("bank-{code}"));
        options.banks.push(BankOptions {
            code: code.parse().map_err(|error| format!("{code}: {error}"))?,
            name: facts.name_full.to_owned(),
            name_en: facts.kana.to_owned(),
            own_page: facts.own_page.then(|| origin.clone()),
            origin,
            secret: shared.banks[&code].clone(),
            desk: vec![person(&desks.banks[&code]), systems(&shared.bank_systems[&code])],
            factors: Vec::new(),
            descriptor: facts.wording.unwrap_or(sandbox::registry::WORDING).to_owned(),
            files: None,
        });
    }
    options.operators.push(OperatorOptions {
        client_id: CLIENT_ID.to_owned(),
        name: "キンチャク".to_owned(),
        name_en: "Kinchaku".to_owned(),
        redirect_uris: vec![format!("{}/link/callback", origins.wallet)],
        jwks: JwkSet::new(vec![shared.client.public().clone()]).map_err(|error| error.to_string())?.to_value(),
        events_url: Some(format!("{}/v1/callbacks/gateway", origins.wallet)),
    });
    Ok(options)
}

fn world(staging: &Staging<'_>, clock: &Arc<SandboxClock>, shared: Shared) -> sandbox::Options {
    sandbox::Options {
        data: None,
        engine: engine_options(),
        store: engine::sqlite::SqliteOptions::default(),
        clock: Arc::clone(clock),
        seed: staging.seed,
        people: staging.people,
        policies: staging.preset.banks,
        file_debits_may_overdraw: staging.preset.gateway.debits_may_overdraw,
        file_banks: Vec::new(),
        origins: shared.origins,
        secrets: Secrets {
            banks: shared.banks,
            messages: Some(shared.messages),
            identity: Some(shared.identity),
            identity_callbacks: Some(shared.identity_callbacks),
            desk: Some(shared.shops),
            bank_desks: shared.bank_systems,
            second_operator: Some(shared.second_operator),
        },
    }
}
