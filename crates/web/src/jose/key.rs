//! Keys: what verifies (JWK, RFC 7517), what signs, and the name of a key by its own value (RFC 7638).

use super::{decode, encode};
use crate::Chance;
use ed25519_dalek::Signer as _;
use p256::ecdsa::signature::Verifier as _;
use ring::signature::{RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt;

/// Keys of one owner: the one in use, the one before, the one to come, and room.
pub const KEYS_MAX: usize = 8;
/// The weakest RSA key that is taken: FAPI 2.0 Security Profile, section 5.4.
pub const RSA_BITS_MIN: usize = 2_048;
/// The strongest: verifying must stay cheap for whoever is asked to.
pub const RSA_BITS_MAX: usize = 4_096;
/// The longest name of a key.
const KEY_ID_BYTES_MAX: usize = 128;
const RSA_EXPONENT: [u8; 3] = [1, 0, 1];

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// EdDSA with Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ps256, Self::Es256, Self::EdDsa];

    /// The name that tokens and keys carry.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of that name; the fully specified `Ed25519` of RFC 9864 is the same thing.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "PS256" => Some(Self::Ps256),
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// Why a key is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// Not a JWK, or one with values that are no key.
    Malformed,
    /// It carries the private part: whoever sent it must make a new one.
    Private,
    /// Another kind, curve, algorithm or use than those of our three algorithms.
    Unsupported,
    /// An RSA key below 2,048 bits, above 4,096, or with an exponent other than 65,537.
    RsaSize,
    /// None, or more than [`KEYS_MAX`], or two of the same name.
    Set,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "this is not a JWK",
            Self::Private => "the key carries its private part",
            Self::Unsupported => "a key must be for PS256, ES256 or EdDSA (Ed25519), and for signatures",
            Self::RsaSize => "an RSA key must have 2,048 to 4,096 bits and the exponent 65,537",
            Self::Set => "a key set must have one to eight keys, each with a name of its own",
        })
    }
}

impl std::error::Error for KeyError {}

/// A public key that verifies tokens of one algorithm.
#[derive(Clone, PartialEq, Eq)]
pub struct Jwk {
    key_id: String,
    key: Verifying,
}

#[derive(Clone, PartialEq, Eq)]
enum Verifying {
    /// The modulus, without leading zeros; the exponent is the one that all have.
    Ps256(Vec<u8>),
    Es256(p256::ecdsa::VerifyingKey),
    EdDsa(ed25519_dalek::VerifyingKey),
}

/// A JWK as it is written; parameters that mean nothing to us may stand beside these.
#[derive(Deserialize)]
struct Written {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    kid: Option<String>,
    d: Option<serde::de::IgnoredAny>,
    k: Option<serde::de::IgnoredAny>,
}

impl Jwk {
    /// The key that `value` describes. Without a `kid` its thumbprint is its name.
    pub fn parse(value: &Value) -> Result<Self, KeyError> {
        let written = Written::deserialize(value).map_err(|_| KeyError::Malformed)?;
        if written.d.is_some() || written.k.is_some() {
            return Err(KeyError::Private);
        }
        if written.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return Err(KeyError::Unsupported);
        }
        let key = Verifying::parse(&written)?;
        if written.alg.as_deref().is_some_and(|name| Algorithm::parse(name) != Some(key.algorithm())) {
            return Err(KeyError::Unsupported);
        }
        let key_id = match written.kid {
            Some(kid) if is_name(&kid) => kid,
            Some(_) => return Err(KeyError::Malformed),
            None => thumbprint(&key),
        };
        Ok(Self { key_id, key })
    }

    /// What it is called.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The one algorithm that it serves.
    pub fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    /// Its name by its own value (RFC 7638, SHA-256): what `cnf.jkt` says.
    pub fn thumbprint(&self) -> String {
        thumbprint(&self.key)
    }

    /// The key as a JWK, with name, algorithm and use.
    pub fn to_value(&self) -> Value {
        let mut value = self.bare();
        if let Value::Object(members) = &mut value {
            members.insert("kid".to_owned(), self.key_id.clone().into());
            members.insert("alg".to_owned(), self.algorithm().name().into());
            members.insert("use".to_owned(), "sig".into());
        }
        value
    }

    /// The key's value and nothing else.
    pub(crate) fn bare(&self) -> Value {
        self.key.members().into_iter().map(|(name, member)| (name.to_owned(), Value::from(member))).collect()
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verifies(message, signature)
    }
}

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jwk({} {})", self.algorithm().name(), self.key_id)
    }
}

impl Verifying {
    fn parse(written: &Written) -> Result<Self, KeyError> {
        match (written.kty.as_str(), written.crv.as_deref()) {
            ("RSA", _) => parse_rsa(written),
            ("EC", Some("P-256")) => {
                let (x, y) = (member(written.x.as_ref())?, member(written.y.as_ref())?);
                if x.len() != 32 || y.len() != 32 {
                    return Err(KeyError::Malformed);
                }
                let point = [&[4], x.as_slice(), &y].concat();
                p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).map(Self::Es256).map_err(|_| KeyError::Malformed)
            }
            ("OKP", Some("Ed25519")) => {
                let x: [u8; 32] = member(written.x.as_ref())?.try_into().map_err(|_| KeyError::Malformed)?;
                let key = ed25519_dalek::VerifyingKey::from_bytes(&x).map_err(|_| KeyError::Malformed)?;
                if key.is_weak() { Err(KeyError::Malformed) } else { Ok(Self::EdDsa(key)) }
            }
            _ => Err(KeyError::Unsupported),
        }
    }

    const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ps256(_) => Algorithm::Ps256,
            Self::Es256(_) => Algorithm::Es256,
            Self::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ps256(n) => RsaPublicKeyComponents { n: n.as_slice(), e: RSA_EXPONENT.as_slice() }
                .verify(&RSA_PSS_2048_8192_SHA256, message, signature)
                .is_ok(),
            Self::Es256(key) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Self::EdDsa(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
        }
    }

    /// The members that make the key, in the order of the alphabet: RFC 7638 hashes them so.
    fn members(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Ps256(n) => vec![("e", encode(&RSA_EXPONENT)), ("kty", "RSA".to_owned()), ("n", encode(n))],
            Self::Es256(key) => {
                let point = key.to_sec1_point(false);
                let (x, y) = (point.x().map(|x| encode(x)), point.y().map(|y| encode(y)));
                vec![
                    ("crv", "P-256".to_owned()),
                    ("kty", "EC".to_owned()),
                    ("x", x.unwrap_or_default()),
                    ("y", y.unwrap_or_default()),
                ]
            }
            Self::EdDsa(key) => {
                vec![("crv", "Ed25519".to_owned()), ("kty", "OKP".to_owned()), ("x", encode(key.as_bytes()))]
            }
        }
    }
}

/// Whether a key can be called so.
const fn is_name(key_id: &str) -> bool {
    !key_id.is_empty() && key_id.len() <= KEY_ID_BYTES_MAX
}

fn parse_rsa(written: &Written) -> Result<Verifying, KeyError> {
    let (n, e) = (member(written.n.as_ref())?, member(written.e.as_ref())?);
    let first = *n.first().ok_or(KeyError::Malformed)?;
    let bits = n.len().saturating_mul(8).saturating_sub(first.leading_zeros() as usize);
    if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) || e != RSA_EXPONENT {
        return Err(KeyError::RsaSize);
    }
    // RFC 7518, section 6.3.1.1: the modulus has no leading zeros; and an even one is no product of primes.
    let odd = n.last().is_some_and(|last| last % 2 == 1);
    if first == 0 || !odd { Err(KeyError::Malformed) } else { Ok(Verifying::Ps256(n)) }
}

fn member(text: Option<&String>) -> Result<Vec<u8>, KeyError> {
    decode(text.ok_or(KeyError::Malformed)?).map_err(|_| KeyError::Malformed)
}

fn thumbprint(key: &Verifying) -> String {
    let members: Vec<_> =
        key.members().iter().map(|(name, value)| format!("{}:{}", json!(name), json!(value))).collect();
    encode(&Sha256::digest(format!("{{{}}}", members.join(","))))
}

/// The public keys of one owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwkSet(Vec<Jwk>);

impl JwkSet {
    /// The set that `value` describes, `{"keys": […]}`. One key that is not taken spoils the set.
    pub fn parse(value: &Value) -> Result<Self, KeyError> {
        let keys = value.get("keys").and_then(Value::as_array).ok_or(KeyError::Malformed)?;
        if keys.len() > KEYS_MAX {
            return Err(KeyError::Set);
        }
        Self::new(keys.iter().map(Jwk::parse).collect::<Result<_, _>>()?)
    }

    /// A set of these.
    pub fn new(keys: Vec<Jwk>) -> Result<Self, KeyError> {
        let doubled = keys
            .iter()
            .enumerate()
            .any(|(index, key)| keys.iter().skip(index + 1).any(|other| other.key_id == key.key_id));
        if keys.is_empty() || keys.len() > KEYS_MAX || doubled { Err(KeyError::Set) } else { Ok(Self(keys)) }
    }

    /// The keys that may have signed a token: the one it names, or all of its algorithm when it names none.
    pub fn candidates<'a>(&'a self, algorithm: Algorithm, key_id: Option<&'a str>) -> impl Iterator<Item = &'a Jwk> {
        self.0
            .iter()
            .filter(move |key| key.algorithm() == algorithm && key_id.is_none_or(|key_id| key.key_id == key_id))
    }

    /// Whether a key of that thumbprint is in it.
    pub fn has(&self, thumbprint: &str) -> bool {
        self.0.iter().any(|key| key.thumbprint() == thumbprint)
    }

    /// The set as it is published.
    pub fn to_value(&self) -> Value {
        json!({ "keys": self.0.iter().map(Jwk::to_value).collect::<Vec<_>>() })
    }
}

/// A key that signs, ES256 or EdDSA.
#[derive(Clone)]
pub struct SigningKey {
    key: Signing,
    public: Jwk,
}

#[derive(Clone)]
enum Signing {
    Es256(Box<p256::ecdsa::SigningKey>),
    EdDsa(Box<ed25519_dalek::SigningKey>),
}

impl SigningKey {
    /// A new EdDSA key, whose name is its thumbprint.
    pub fn generate_eddsa(chance: &dyn Chance) -> Self {
        let mut secret = [0; 32];
        chance.fill(&mut secret);
        Self::eddsa(&secret)
    }

    /// A new ES256 key, whose name is its thumbprint.
    pub fn generate_es256(chance: &dyn Chance) -> Self {
        let mut secret = [0; 32];
        loop {
            chance.fill(&mut secret);
            // A scalar outside of the curve's order is as rare as a broken source of chance is likely.
            if let Ok(key) = Self::es256(&secret) {
                return key;
            }
        }
    }

    /// The EdDSA key of this secret.
    pub fn eddsa(secret: &[u8; 32]) -> Self {
        let key = ed25519_dalek::SigningKey::from_bytes(secret);
        let public = Verifying::EdDsa(key.verifying_key());
        Self { public: Jwk { key_id: thumbprint(&public), key: public }, key: Signing::EdDsa(Box::new(key)) }
    }

    /// The ES256 key of this secret, if it is one.
    pub fn es256(secret: &[u8; 32]) -> Result<Self, KeyError> {
        let key = p256::ecdsa::SigningKey::from_slice(secret).map_err(|_| KeyError::Malformed)?;
        let public = Verifying::Es256(*key.verifying_key());
        Ok(Self { public: Jwk { key_id: thumbprint(&public), key: public }, key: Signing::Es256(Box::new(key)) })
    }

    /// The key of a private JWK: what [`SigningKey::to_private_jwk`] wrote.
    pub fn parse_private_jwk(value: &Value) -> Result<Self, KeyError> {
        let part = |name: &str| value.get(name).and_then(Value::as_str);
        let secret = decode(part("d").ok_or(KeyError::Malformed)?).map_err(|_| KeyError::Malformed)?;
        let secret: [u8; 32] = secret.try_into().map_err(|_| KeyError::Malformed)?;
        let mut key = match (part("kty"), part("crv")) {
            (Some("EC"), Some("P-256")) => Self::es256(&secret)?,
            (Some("OKP"), Some("Ed25519")) => Self::eddsa(&secret),
            _ => return Err(KeyError::Unsupported),
        };
        match part("kid") {
            Some(kid) if is_name(kid) => kid.clone_into(&mut key.public.key_id),
            Some(_) => return Err(KeyError::Malformed),
            None => {}
        }
        Ok(key)
    }

    /// The key with its secret, for a file that nobody else may read. It must reach no log, no answer and no page.
    pub fn to_private_jwk(&self) -> Value {
        let secret = match &self.key {
            Signing::Es256(key) => encode(&key.to_bytes()),
            Signing::EdDsa(key) => encode(&key.to_bytes()),
        };
        let mut value = self.public.to_value();
        if let Value::Object(members) = &mut value {
            members.insert("d".to_owned(), secret.into());
        }
        value
    }

    /// What verifies its signatures.
    pub const fn public(&self) -> &Jwk {
        &self.public
    }

    pub(super) fn signature(&self, message: &[u8]) -> Vec<u8> {
        match &self.key {
            Signing::Es256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            Signing::EdDsa(key) => key.sign(message).to_bytes().to_vec(),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.key_id)
    }
}
