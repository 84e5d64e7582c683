//! Clients: the operators that may call, each with its names, its keys, and the one address to which browsers go back.
//!
//! Some stand in the configuration, others are registered by the gateway's desk and kept in a file; who wanted that, and that it
//! took two where somebody's mandates hang on it, is in the books, by the hash of what was written. None registers itself. What
//! the configuration says of its operators' addresses is believed; where registered ones are called, only the public internet
//! is, so that nobody makes the gateway call into its own network.

use crate::api::problem::engine_error;
use crate::desk::GatewayDesk;
use crate::domain::operator::{self, PROPOSAL_MS, SettingsHash};
use crate::domain::{Command, OperatorId, StaffId};
use crate::gateway::{Gateway, NotDone};
use crate::options::OperatorOptions;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::Time;
use http::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use web::jose::{JwkSet, KeyError};
use web::strangers::may_be_public;
use web::{Json, Problem};

/// Clients at one gateway, at most: as many as it can tell of an incident in one commit.
pub const CLIENTS_MAX: usize = crate::domain::operator::OPERATORS_MAX;
/// Addresses of one client to which browsers go back, at most.
pub const REDIRECT_URIS_MAX: usize = 4;
const NAME_BYTES_MAX: usize = 120;
const URL_BYTES_MAX: usize = 300;

/// What a client is called: 1 to 64 lower-case letters, digits, `_` and `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClientId(String);

impl ClientId {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ClientId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
        if text.is_empty() || text.len() > 64 || !text.bytes().all(fits) {
            return Err("a client id is 1 to 64 lower-case letters, digits, `_` and `-`");
        }
        Ok(Self(text))
    }
}

impl From<ClientId> for String {
    fn from(id: ClientId) -> Self {
        id.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an operator is called on pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// In Japanese.
    pub ja: String,
    /// In English.
    pub en: String,
}

/// A client as configuration, the desk and the file write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSettings {
    /// What it is called.
    pub client_id: ClientId,
    /// What people see.
    pub name: Name,
    /// Where browsers may be sent back to, to the letter.
    pub redirect_uris: Vec<String>,
    /// Its public keys: PS256 (RSA from 2,048 bits), ES256 or EdDSA.
    pub jwks: Value,
    /// Where its events are pushed to; without it it polls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_url: Option<String>,
}

impl ClientSettings {
    /// What the books have of it: the hash of a form of its own, which says the same in every later program, however the file and its
    /// reader change. Each text has its length before it, each list how many follow, and the keys are in the order of their members' names.
    pub fn hash(&self) -> SettingsHash {
        let mut hasher = blake3::Hasher::new();
        for text in [SETTINGS_FORM, self.client_id.as_str(), &self.name.ja, &self.name.en] {
            hash_text(&mut hasher, text);
        }
        for urls in [self.redirect_uris.as_slice(), self.events_url.as_slice()] {
            hash_count(&mut hasher, urls.len());
            for url in urls {
                hash_text(&mut hasher, url);
            }
        }
        hash_value(&mut hasher, &self.jwks);
        SettingsHash(*hasher.finalize().as_bytes())
    }
}

/// The form of settings that is hashed. Another form is another name.
const SETTINGS_FORM: &str = "kinchaku client settings 1";

fn hash_count(hasher: &mut blake3::Hasher, count: usize) {
    hasher.update(&u64::try_from(count).unwrap_or(u64::MAX).to_be_bytes());
}

fn hash_text(hasher: &mut blake3::Hasher, text: &str) {
    hash_count(hasher, text.len());
    hasher.update(text.as_bytes());
}

fn hash_value(hasher: &mut blake3::Hasher, value: &Value) {
    match value {
        Value::Null => hash_text(hasher, "null"),
        Value::Bool(is_true) => hash_text(hasher, if *is_true { "true" } else { "false" }),
        Value::Number(number) => {
            hash_text(hasher, "number");
            hash_text(hasher, &number.to_string());
        }
        Value::String(text) => {
            hash_text(hasher, "text");
            hash_text(hasher, text);
        }
        Value::Array(values) => {
            hash_text(hasher, "list");
            hash_count(hasher, values.len());
            for value in values {
                hash_value(hasher, value);
            }
        }
        Value::Object(members) => {
            hash_text(hasher, "members");
            hash_count(hasher, members.len());
            for (name, value) in members.iter().collect::<BTreeMap<_, _>>() {
                hash_text(hasher, name);
                hash_value(hasher, value);
            }
        }
    }
}

impl TryFrom<&OperatorOptions> for ClientSettings {
    type Error = &'static str;

    fn try_from(options: &OperatorOptions) -> Result<Self, &'static str> {
        Ok(Self {
            client_id: options.client_id.clone().try_into()?,
            name: Name { ja: options.name.clone(), en: options.name_en.clone() },
            redirect_uris: options.redirect_uris.clone(),
            jwks: options.jwks.clone(),
            events_url: options.events_url.clone(),
        })
    }
}

/// A client that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// What it was made from.
    pub settings: ClientSettings,
    /// The operator that it is.
    pub operator: OperatorId,
    /// Its keys.
    pub keys: JwkSet,
    /// It stands in the configuration.
    pub is_configured: bool,
}

/// Why a client is not taken, or the file of clients is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientsError {
    /// A key is not one of ours.
    Key(KeyError),
    /// A name or an address does not fit.
    Settings(&'static str),
    /// The id is taken by a client of the configuration.
    Taken,
    /// Others settled how the client is to be while it was written.
    Overtaken,
    /// [`CLIENTS_MAX`] are there.
    Full,
    /// The file cannot be read or written.
    File(String),
}

impl fmt::Display for ClientsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(error) => error.fmt(f),
            Self::Settings(what) => f.write_str(what),
            Self::Taken => f.write_str("the client id is taken"),
            Self::Overtaken => f.write_str("others settled how the client is to be meanwhile"),
            Self::Full => write!(f, "there are {CLIENTS_MAX} clients already"),
            Self::File(what) => write!(f, "the file of clients: {what}"),
        }
    }
}

impl std::error::Error for ClientsError {}

/// The registry.
#[derive(Debug)]
pub struct Clients {
    known: RwLock<BTreeMap<String, Arc<Client>>>,
    /// Those that the desk registered, and where they are kept; in simulation nowhere.
    registered: Mutex<BTreeMap<String, ClientSettings>>,
    file: Option<PathBuf>,
    /// What one person of the desk wants to be changed, for the second one to read. Whose word it is and what counts is in the books.
    proposals: Mutex<BTreeMap<String, Proposal>>,
}

/// The file of what one person of the desk wants to be changed, beside that of the clients.
const PROPOSALS_FILE: &str = "client-proposals.json";

/// How a registered client is to be from now on, by one person's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Proposal {
    settings: ClientSettings,
    by: StaffId,
    at: Time,
}

impl Clients {
    /// The clients of the configuration and those in `file`. `operator` says which operator a client is.
    pub fn open(
        configured: Vec<ClientSettings>,
        file: Option<PathBuf>,
        operator: impl Fn(&ClientId) -> OperatorId,
    ) -> Result<Self, ClientsError> {
        let registered: BTreeMap<String, ClientSettings> = file.as_deref().map(read).transpose()?.unwrap_or_default();
        let proposals = file.as_deref().map(|file| read(&beside(file))).transpose()?.unwrap_or_default();
        let mut clients = BTreeMap::new();
        let configured = configured.into_iter().map(|settings| (settings, true));
        let kept = registered.values().cloned().map(|settings| (settings, false));
        for (settings, is_configured) in configured.chain(kept) {
            let client = Client { is_configured, ..Client::check(settings, &operator)? };
            let id = client.settings.client_id.as_str().to_owned();
            match clients.get(&id).map(|known: &Arc<Client>| known.is_configured) {
                Some(true) if !is_configured => {
                    tracing::warn!(client = %id, "the configuration says how this client comes in, and no more the desk");
                    continue;
                }
                Some(_) => return Err(ClientsError::Taken),
                None if clients.len() >= CLIENTS_MAX => return Err(ClientsError::Full),
                None => clients.insert(id, Arc::new(client)),
            };
        }
        let (known, registered) = (RwLock::new(clients), Mutex::new(registered));
        Ok(Self { known, registered, file, proposals: Mutex::new(proposals) })
    }

    /// The client called `id`.
    pub fn get(&self, id: &str) -> Option<Arc<Client>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// The client that is `operator`.
    pub fn of(&self, operator: OperatorId) -> Option<Arc<Client>> {
        self.all().into_iter().find(|client| client.operator == operator)
    }

    /// All of them, in the order of their ids.
    pub fn all(&self) -> Vec<Arc<Client>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Nobody comes in as `id` until the desk writes it again.
    pub fn forget(&self, id: &str) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// Keeps `client`, as the books have it.
    fn keep(&self, client: Client) -> Result<(), ClientsError> {
        let id = client.settings.client_id.as_str().to_owned();
        let mut registered = self.registered.lock().unwrap_or_else(PoisonError::into_inner);
        let mut after = registered.clone();
        after.insert(id.clone(), client.settings.clone());
        if let Some(file) = &self.file {
            write(file, &after)?;
        }
        *registered = after;
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::new(client));
        Ok(())
    }

    /// Keeps what somebody wants to be changed, so that a second person can read what they are asked to agree to.
    fn propose(&self, proposal: Proposal) -> Result<(), ClientsError> {
        let mut proposals = self.proposals.lock().unwrap_or_else(PoisonError::into_inner);
        let mut after = proposals.clone();
        after.retain(|_, earlier| proposal.at.milliseconds_since(earlier.at) < PROPOSAL_MS);
        after.insert(proposal.settings.client_id.as_str().to_owned(), proposal);
        if let Some(file) = &self.file {
            write(&beside(file), &after)?;
        }
        *proposals = after;
        Ok(())
    }

    /// What is proposed, by client.
    fn proposals(&self) -> Vec<Proposal> {
        self.proposals.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

impl Client {
    pub(crate) fn check(
        settings: ClientSettings,
        operator: &impl Fn(&ClientId) -> OperatorId,
    ) -> Result<Self, ClientsError> {
        let keys = JwkSet::parse(&settings.jwks).map_err(ClientsError::Key)?;
        for name in [&settings.name.ja, &settings.name.en] {
            if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
                return Err(ClientsError::Settings("a name has 1 to 120 bytes and no control characters"));
            }
        }
        for url in settings.redirect_uris.iter().chain(&settings.events_url) {
            if !is_address(url) {
                return Err(ClientsError::Settings(
                    "an address is HTTPS (HTTP on this machine alone), without user, fragment and query",
                ));
            }
        }
        if !(1..=REDIRECT_URIS_MAX).contains(&settings.redirect_uris.len()) {
            return Err(ClientsError::Settings("a client has one to four addresses to which browsers go back"));
        }
        let operator = operator(&settings.client_id);
        Ok(Self { settings, operator, keys, is_configured: false })
    }
}

/// Scheme and authority of an absolute address.
pub(crate) fn origin(url: &str) -> Option<String> {
    let uri: http::Uri = url.parse().ok()?;
    Some(format!("{}://{}", uri.scheme_str()?, uri.authority()?))
}

/// Whether `hosts` name the host of `url`.
pub(crate) fn is_named(url: &str, hosts: &[String]) -> bool {
    let uri = url.parse::<http::Uri>().ok();
    uri.as_ref().and_then(http::Uri::host).is_some_and(|host| hosts.iter().any(|named| named == host))
}

/// Whether `url` may be called for a stranger, as far as it tells by itself.
fn is_strangers(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    uri.scheme_str() == Some("https") && uri.host().is_some_and(may_be_public)
}

/// HTTPS anywhere; plain HTTP only where it does not leave the machine.
fn is_address(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default();
    let is_local = host == "localhost" || host.ends_with(".localhost") || host == "127.0.0.1" || host == "[::1]";
    let is_safe = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => is_local,
        Some(_) | None => false,
    };
    let plain =
        uri.query().is_none() && !url.contains('#') && uri.authority().is_some_and(|it| !it.as_str().contains('@'));
    is_safe && plain && !host.is_empty() && url.len() <= URL_BYTES_MAX
}

/// Where proposals are kept, if clients are in `file`.
fn beside(file: &Path) -> PathBuf {
    file.with_file_name(PROPOSALS_FILE)
}

fn read<T: DeserializeOwned + Default>(file: &Path) -> Result<T, ClientsError> {
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(T::default()),
        Err(error) => return Err(ClientsError::File(error.to_string())),
    };
    serde_json::from_slice(&text).map_err(|error| ClientsError::File(error.to_string()))
}

fn write<T: Serialize>(file: &Path, kept: &T) -> Result<(), ClientsError> {
    let text = serde_json::to_vec_pretty(kept).map_err(|error| ClientsError::File(error.to_string()))?;
    super::issuer::replace_file(file, &text).map_err(|error| ClientsError::File(error.to_string()))
}

/// `POST /gateway/v1/clients`, by the gateway's desk: a new client, or the same with renewed keys and addresses, which is in force
/// when a second person of the desk has written the same within a day; until then it is a 202.
pub async fn register(
    State(gateway): State<Gateway>,
    desk: GatewayDesk,
    Json(settings): Json<ClientSettings>,
) -> Result<Response, Problem> {
    desk.0.check_act()?;
    let client = Client::check(settings, &|id| gateway.operator_id(id.as_str())).map_err(problem)?;
    let hosts = &gateway.options().events_hosts;
    if client.settings.events_url.as_ref().is_some_and(|url| !is_named(url, hosts) && !is_strangers(url)) {
        let what = "events of a registered client go to HTTPS addresses on the public internet";
        return Err(problem(ClientsError::Settings(what)));
    }
    let answer = client.settings.clone();
    match gateway.oauth().clients.get(answer.client_id.as_str()) {
        Some(known) if known.settings == answer => return Ok((StatusCode::CREATED, Json(answer)).into_response()),
        Some(known) if known.is_configured => return Err(problem(ClientsError::Taken)),
        Some(_) | None => {}
    }
    // First the books: they say who wanted what, whether it took two, and whether there is room among those who are told.
    let (operator, settings, by) = (client.operator, answer.hash(), desk.0.id);
    let command = Command::Operator(operator::Command::Keep { operator, settings, by });
    gateway.submit(command, desk.actor(), None).await.map_err(|not_done| match not_done {
        NotDone::Refused(_) => problem(ClientsError::Full),
        NotDone::Engine(error) => engine_error(&error),
    })?;
    let row = gateway.operator_row(operator).await.map_err(|error| engine_error(&error))?;
    let is_kept = row.is_some_and(|row| row.settings == Some(settings));
    let clients = &gateway.oauth().clients;
    let written = match row.and_then(|row| row.proposal).filter(|_| !is_kept) {
        Some(proposal) => clients.propose(Proposal { settings: answer.clone(), by: proposal.by, at: proposal.at }),
        None if is_kept => clients.keep(client),
        // Between the books' answer and this look two others agreed on something else: what one person says is not in force.
        None => Err(ClientsError::Overtaken),
    };
    written.map_err(problem)?;
    tracing::info!(client = %answer.client_id, ?by, kept = is_kept, "somebody of the desk wrote a client");
    let status = if is_kept { StatusCode::CREATED } else { StatusCode::ACCEPTED };
    Ok((status, Json(answer)).into_response())
}

/// A client as the desk reads it.
#[derive(Serialize)]
struct ClientBody {
    #[serde(flatten)]
    settings: ClientSettings,
    /// It stands in the configuration, where the desk changes nothing.
    is_configured: bool,
}

/// What somebody wants a client to be.
#[derive(Serialize)]
struct ProposalBody {
    #[serde(flatten)]
    settings: ClientSettings,
    /// Who.
    by: Option<String>,
    /// Until when a second person may say the same.
    until: String,
}

/// `GET /gateway/v1/clients`, by the gateway's desk: who comes in and how, and what waits for a second person's word.
pub async fn list(State(gateway): State<Gateway>, _: GatewayDesk) -> Result<Response, Problem> {
    let clients = &gateway.oauth().clients;
    let body =
        |client: Arc<Client>| ClientBody { settings: client.settings.clone(), is_configured: client.is_configured };
    let data: Vec<ClientBody> = clients.all().into_iter().map(body).collect();
    let (mut proposals, now) = (Vec::new(), gateway.outside().now());
    for Proposal { settings, .. } in clients.proposals() {
        let operator = gateway.operator_id(settings.client_id.as_str());
        let row = gateway.operator_row(operator).await.map_err(|error| engine_error(&error))?;
        let waits = |proposal: &operator::Proposal| {
            proposal.settings == settings.hash() && now.milliseconds_since(proposal.at) < PROPOSAL_MS
        };
        if let Some(proposal) = row.and_then(|row| row.proposal).filter(waits) {
            let until = proposal.at.plus_milliseconds(PROPOSAL_MS).to_string();
            let person = gateway.options().desk.iter().find(|staff| staff.in_journal(None) == proposal.by);
            let by = person.map(|staff| staff.name.clone());
            proposals.push(ProposalBody { settings, by, until });
        }
    }
    Ok(Json(serde_json::json!({ "data": data, "next_cursor": null, "proposals": proposals })).into_response())
}

fn problem(error: ClientsError) -> Problem {
    let refused = |name, title, title_ja| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, name, title, title_ja);
    match error {
        ClientsError::Key(error) => {
            refused("client-key", "A key of the client is not taken.", "クライアントの鍵を受け付けられません。")
                .detail(error.to_string())
        }
        ClientsError::Settings(what) => {
            refused("client-settings", "The client is not taken.", "クライアントを登録できません。").detail(what)
        }
        ClientsError::Taken => Problem::new(
            StatusCode::CONFLICT,
            "client-taken",
            "The client id is taken.",
            "このクライアントIDは使われています。",
        ),
        ClientsError::Overtaken => Problem::new(
            StatusCode::CONFLICT,
            "client-overtaken",
            "Others settled how this client is to be meanwhile: look at it and say it again.",
            "ほかの担当者がこのクライアントの設定を先に確定しました。内容を確認して、もう一度送ってください。",
        ),
        ClientsError::Full => {
            refused("clients-full", "There are too many clients.", "クライアントの数が上限に達しています。")
        }
        ClientsError::File(what) => {
            tracing::error!(what, "the file of clients cannot be written");
            Problem::internal()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings(jwks: &str, events_url: Option<&str>) -> ClientSettings {
        ClientSettings {
            client_id: ClientId::try_from("op_wallet".to_owned()).expect("an id"),
            name: Name { ja: "キンチャク".into(), en: "Kinchaku".into() },
            redirect_uris: vec!["https://wallet.example/link/callback".into()],
            jwks: serde_json::from_str(jwks).expect("JSON"),
            events_url: events_url.map(Into::into),
        }
    }

    #[test]
    fn the_books_know_settings_by_what_they_say_and_every_program_by_the_same_hash() {
        let jwks = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AQ","use":"sig"}]}"#;
        let otherwise = r#"{ "keys": [ { "x": "AQ", "use": "sig", "kty": "OKP", "crv": "Ed25519" } ] }"#;
        let known = settings(jwks, None).hash();
        assert_eq!(known, settings(otherwise, None).hash());
        let first = "02f3791c1eafd64f94673184d33290dd7fc3d9c82e822e6d0b5ca6e0d8efbb3f";
        assert_eq!(blake3::Hash::from(known.0).to_hex().as_str(), first, "books have it: it never changes");
        let others = [
            settings(r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AQ","use":"enc"}]}"#, None),
            settings(jwks, Some("https://wallet.example/events")),
            ClientSettings {
                redirect_uris: Vec::new(),
                ..settings(jwks, Some("https://wallet.example/link/callback"))
            },
            ClientSettings { jwks: json!({ "keys": [] }), ..settings(jwks, None) },
        ];
        for other in others {
            assert_ne!(other.hash(), known, "{other:?}");
        }
    }
}
