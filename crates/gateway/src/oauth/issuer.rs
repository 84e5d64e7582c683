//! The issuer: our keys and their rotation, the access tokens that they sign, and the documents that say so.
//!
//! A key is published a while before it signs and a while after it has signed last, so that nobody who reads our key set
//! now and then meets a signature by a key that they do not know.

use super::caller::{Scope, parse_scopes, write_scopes};
use super::clients::ClientId;
use crate::gateway::Gateway;
use axum::Json;
use axum::extract::State;
use domain::Time;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};
use web::Chance;
use web::jose::{Algorithm, JwkSet, SigningKey, Token, from_seconds, seconds};

/// How long an access token is good: FAPI wants minutes.
pub const ACCESS_TOKEN_SECONDS: i64 = 600;
/// How long a key signs.
pub const KEY_SIGNS_MS: i64 = 90 * DAY_MS;
/// How long before its first signature a key is published, and how long after its last.
pub const KEY_OVERLAP_MS: i64 = 7 * DAY_MS;
const DAY_MS: i64 = 86_400_000;
/// Access tokens of which it is remembered that one of our keys signed them; when there are so many, all are looked at anew.
const SIGNED_MAX: usize = 1_024;
/// The `typ` of our access tokens (RFC 9068).
const ACCESS_TOKEN_KIND: &str = "at+jwt";

/// Our keys, oldest first. The last one that has begun signs.
pub struct Issuer {
    /// Our identifier: the origin at which we are reached.
    url: String,
    keys: RwLock<Vec<Key>>,
    file: Option<PathBuf>,
    /// What tokens claim that one of our keys signed, by the token's hash. A key outlives each token that it signed.
    signed: Mutex<HashMap<[u8; 32], AccessClaims>>,
}

/// A key, and from when on it signs: until the next one begins.
#[derive(Clone, Debug)]
struct Key {
    begins: Time,
    key: SigningKey,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKey {
    begins_ms: i64,
    jwk: Value,
}

/// Why the keys cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerError(String);

impl fmt::Display for IssuerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the file of signing keys: {}", self.0)
    }
}

impl std::error::Error for IssuerError {}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("url", &self.url).finish_non_exhaustive()
    }
}

/// What an access token claims (RFC 9068, RFC 9449).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct AccessClaims {
    iss: String,
    sub: String,
    aud: String,
    client_id: String,
    scope: String,
    iat: i64,
    exp: i64,
    jti: String,
    cnf: Confirmation,
    /// The thumbprint of the key by which the client proved itself: the token is over with it.
    client_key: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Confirmation {
    jkt: String,
}

/// An access token that was believed.
#[derive(Debug)]
pub(super) struct AccessToken {
    pub client: String,
    pub scopes: Vec<Scope>,
    /// The thumbprint of the key that whoever shows it must prove to have.
    pub thumbprint: String,
    /// The thumbprint of the key by which the client proved itself when it was given.
    pub client_key: String,
}

impl Issuer {
    /// The issuer at `url`, with the keys in `file`; makes the first one. Without a file the keys live as long as the process.
    pub fn open(url: String, file: Option<PathBuf>, chance: &dyn Chance, now: Time) -> Result<Self, IssuerError> {
        let keys = file.as_deref().map(read).transpose()?.unwrap_or_default();
        let issuer = Self { url, keys: RwLock::new(keys), file, signed: Mutex::default() };
        issuer.rotate(chance, now)?;
        Ok(issuer)
    }

    /// Our identifier.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address of one of our paths.
    pub fn address(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Makes the next key in time and forgets those whose signatures are all over. Answers whether anything changed.
    pub fn rotate(&self, chance: &dyn Chance, now: Time) -> Result<bool, IssuerError> {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let mut after = keys.clone();
        match after.last() {
            None => after.push(Key { begins: now, key: SigningKey::generate_eddsa(chance) }),
            Some(last) => {
                let ends = last.begins.plus_milliseconds(KEY_SIGNS_MS);
                if now >= ends.plus_milliseconds(-KEY_OVERLAP_MS) {
                    // Late after a long rest, the new key is still published before it signs.
                    let begins = ends.max(now.plus_milliseconds(KEY_OVERLAP_MS));
                    after.push(Key { begins, key: SigningKey::generate_eddsa(chance) });
                }
            }
        }
        while let [_, second, ..] = after.as_slice()
            && now >= second.begins.plus_milliseconds(KEY_OVERLAP_MS)
        {
            after.remove(0);
        }
        if after.len() == keys.len() && after.iter().zip(keys.iter()).all(|(new, old)| new.begins == old.begins) {
            return Ok(false);
        }
        if let Some(file) = &self.file {
            write(file, &after)?;
        }
        *keys = after;
        Ok(true)
    }

    /// When [`Issuer::rotate`] has something to do next.
    pub fn rotates_next(&self) -> Option<Time> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let made = keys.last().map(|last| last.begins.plus_milliseconds(KEY_SIGNS_MS - KEY_OVERLAP_MS));
        let forgotten = keys.get(1).map(|second| second.begins.plus_milliseconds(KEY_OVERLAP_MS));
        made.into_iter().chain(forgotten).min()
    }

    /// A token of `kind` over `claims`, signed with the key in use.
    pub fn sign(&self, kind: &str, claims: &impl Serialize, now: Time) -> String {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let in_use = keys.iter().rev().find(|key| key.begins <= now).or(keys.first());
        in_use.expect("opening made a key").key.sign(kind, claims)
    }

    /// The public keys, those to come and those gone by too.
    pub fn jwks(&self) -> JwkSet {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let public = keys.iter().map(|key| key.key.public().clone()).collect();
        JwkSet::new(public).expect("at most three keys overlap, each named by its thumbprint")
    }

    /// An access token for `client`, which proved itself by `client_key`, good for whoever has the key of `thumbprint`.
    pub(super) fn access_token(
        &self,
        (client, client_key): (&ClientId, &str),
        scopes: &[Scope],
        thumbprint: String,
        jti: String,
        now: Time,
    ) -> String {
        let iat = seconds(now);
        let claims = AccessClaims {
            iss: self.url.clone(),
            sub: client.to_string(),
            aud: self.url.clone(),
            client_id: client.to_string(),
            scope: write_scopes(scopes),
            iat,
            exp: iat + ACCESS_TOKEN_SECONDS,
            jti,
            cnf: Confirmation { jkt: thumbprint },
            client_key: client_key.to_owned(),
        };
        self.sign(ACCESS_TOKEN_KIND, &claims, now)
    }

    /// Believes `text` as one of our access tokens that has not expired.
    pub(super) fn believe(&self, text: &str, now: Time) -> Option<AccessToken> {
        let claims = self.claims(text)?;
        let is_ours = claims.iss == self.url && claims.aud == self.url && claims.sub == claims.client_id;
        let is_live = now < from_seconds(claims.exp) && claims.iat <= seconds(now);
        if !is_ours || !is_live {
            return None;
        }
        let scopes = parse_scopes(&claims.scope)?;
        let (thumbprint, client_key) = (claims.cnf.jkt, claims.client_key);
        Some(AccessToken { client: claims.client_id, scopes, thumbprint, client_key })
    }

    /// What `text` claims, if it is an access token that one of our keys signed: that is found out once, since whoever has a token
    /// shows it with every call.
    fn claims(&self, text: &str) -> Option<AccessClaims> {
        let signed = || self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        let hash: [u8; 32] = Sha256::digest(text).into();
        if let Some(claims) = signed().get(&hash) {
            return Some(claims.clone());
        }
        let token = Token::parse(text).ok().filter(|token| token.header.kind.as_deref() == Some(ACCESS_TOKEN_KIND))?;
        let jwks = self.jwks();
        let mut keys = jwks.candidates(token.header.algorithm, token.header.key_id.as_deref());
        let claims: AccessClaims = keys.find_map(|key| token.verify(key).ok())?;
        let mut signed = signed();
        if signed.len() >= SIGNED_MAX {
            signed.clear();
        }
        signed.insert(hash, claims.clone());
        Some(claims)
    }
}

fn read(file: &Path) -> Result<Vec<Key>, IssuerError> {
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(IssuerError(error.to_string())),
    };
    // The parser's own words could repeat a part of the file.
    let written: Vec<WrittenKey> =
        serde_json::from_slice(&text).map_err(|_| IssuerError("it is not what was written there".into()))?;
    let key = |written: WrittenKey| {
        let key = SigningKey::parse_private_jwk(&written.jwk).map_err(|error| IssuerError(error.to_string()))?;
        Ok(Key { begins: Time::from_milliseconds(written.begins_ms), key })
    };
    written.into_iter().map(key).collect()
}

fn write(file: &Path, keys: &[Key]) -> Result<(), IssuerError> {
    let written: Vec<_> = keys
        .iter()
        .map(|key| WrittenKey { begins_ms: key.begins.milliseconds(), jwk: key.key.to_private_jwk() })
        .collect();
    let text = serde_json::to_vec(&written).map_err(|error| IssuerError(error.to_string()))?;
    replace_file(file, &text).map_err(|error| IssuerError(error.to_string()))
}

/// Puts `bytes` in the place of `file`, whole or not at all, readable by its owner alone.
pub(super) fn replace_file(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = file.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut written = options.open(&beside)?;
    written.write_all(bytes)?;
    written.sync_all()?;
    std::fs::rename(&beside, file)?;
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(directory)?.sync_all()
}

/// `GET /gateway/v1/jwks`.
pub async fn jwks(State(gateway): State<Gateway>) -> Json<Value> {
    Json(gateway.oauth().issuer.jwks().to_value())
}

/// `GET /.well-known/oauth-authorization-server` (RFC 8414): what we offer, and that we offer nothing else.
pub async fn metadata(State(gateway): State<Gateway>) -> Json<Value> {
    let issuer = &gateway.oauth().issuer;
    let algorithms = Algorithm::ALL.map(Algorithm::name);
    Json(json!({
        "issuer": issuer.url(),
        "authorization_endpoint": issuer.address("/gateway/v1/authorize"),
        "token_endpoint": issuer.address("/gateway/v1/token"),
        "pushed_authorization_request_endpoint": issuer.address("/gateway/v1/par"),
        "jwks_uri": issuer.address("/gateway/v1/jwks"),
        "require_pushed_authorization_requests": true,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "dpop_signing_alg_values_supported": algorithms,
        "authorization_response_iss_parameter_supported": true,
        "authorization_details_types_supported": [super::pushed::DETAILS_TYPE],
        "scopes_supported": Scope::ALL.map(Scope::name),
    }))
}
