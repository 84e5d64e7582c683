//! Signed tokens: JWS in the compact form (RFC 7515), the keys that sign them (RFC 7517), and what is built on both here:
//! the client's assertion (RFC 7523) and the proof of possession (RFC 9449).
//!
//! Three algorithms and no more, as the FAPI 2.0 Security Profile has it: PS256, ES256 and EdDSA with Ed25519. Which one a
//! key serves is the key's own business, never the token's: a token whose header says something else is refused, and so is
//! `none`. We sign with ES256 and EdDSA alone, whose signatures need no chance; PS256 is there for others' keys.
//! Nothing here knows whose key is whose, or whether a token was seen before.
//! Start reading at [`Token::parse`] and [`SigningKey::sign`].

pub mod assertion;
pub mod dpop;
mod key;
#[cfg(test)]
mod tests;

pub use key::{Algorithm, Jwk, JwkSet, KEYS_MAX, KeyError, RSA_BITS_MAX, RSA_BITS_MIN, SigningKey};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Time;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest token that is looked at.
pub const TOKEN_BYTES_MAX: usize = 16 * 1_024;
/// The longest `jti`: what is remembered of a token must stay small.
pub const JTI_BYTES_MAX: usize = 128;

/// Why a token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// Longer than [`TOKEN_BYTES_MAX`].
    TooLong,
    /// Not three parts of base64url, or its header or claims are not what they must be.
    Malformed,
    /// `none`, a symmetric algorithm, or any other than our three.
    Algorithm,
    /// It names header parameters that must be understood, and none is.
    Critical,
    /// The key is for another algorithm, or the signature is not of this key over these bytes.
    Signature,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the token is too long",
            Self::Malformed => "the token is malformed",
            Self::Algorithm => "the token must be signed with PS256, ES256 or EdDSA",
            Self::Critical => "the token has critical header parameters",
            Self::Signature => "the token's signature does not verify",
        })
    }
}

impl std::error::Error for TokenError {}

/// What a token says of itself, before anything is verified.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// How it is signed.
    pub algorithm: Algorithm,
    /// What kind of token it is: `dpop+jwt`.
    pub kind: Option<String>,
    /// Which key signed it.
    pub key_id: Option<String>,
    /// The key itself, where the kind of token carries it.
    pub key: Option<serde_json::Value>,
}

/// The header as it is written.
#[derive(Serialize, Deserialize)]
struct WrittenHeader {
    alg: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    typ: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jwk: Option<serde_json::Value>,
    #[serde(default, skip_serializing)]
    crit: Option<serde::de::IgnoredAny>,
}

/// A token that was taken apart and not yet believed.
#[derive(Clone, Debug)]
pub struct Token<'a> {
    /// What it says of itself.
    pub header: Header,
    signed: &'a str,
    claims: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> Token<'a> {
    /// Takes `text` apart.
    pub fn parse(text: &'a str) -> Result<Self, TokenError> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let written: WrittenHeader = serde_json::from_slice(&decode(header)?).map_err(|_| TokenError::Malformed)?;
        if written.crit.is_some() {
            return Err(TokenError::Critical);
        }
        let algorithm = Algorithm::parse(&written.alg).ok_or(TokenError::Algorithm)?;
        let header = Header { algorithm, kind: written.typ, key_id: written.kid, key: written.jwk };
        Ok(Self { header, signed, claims: decode(claims)?, signature: decode(signature)? })
    }

    /// The claims, if `key` signed them.
    pub fn verify<T: DeserializeOwned>(&self, key: &Jwk) -> Result<T, TokenError> {
        if key.algorithm() != self.header.algorithm || !key.verifies(self.signed.as_bytes(), &self.signature) {
            return Err(TokenError::Signature);
        }
        serde_json::from_slice(&self.claims).map_err(|_| TokenError::Malformed)
    }
}

impl SigningKey {
    /// A token of `kind` over `claims`, which names this key by its id.
    pub fn sign(&self, kind: &str, claims: &impl Serialize) -> String {
        self.sign_with(kind, Some(self.public().key_id().to_owned()), None, claims)
    }

    /// The same for a kind of token that carries the public key itself.
    pub(crate) fn sign_with_key(&self, kind: &str, claims: &impl Serialize) -> String {
        self.sign_with(kind, None, Some(self.public().bare()), claims)
    }

    fn sign_with(
        &self,
        kind: &str,
        key_id: Option<String>,
        jwk: Option<serde_json::Value>,
        claims: &impl Serialize,
    ) -> String {
        let alg = self.public().algorithm().name().to_owned();
        let header = WrittenHeader { alg, typ: Some(kind.to_owned()), kid: key_id, jwk, crit: None };
        let header = serde_json::to_vec(&header).expect("a header of texts is JSON");
        let claims = serde_json::to_vec(claims).expect("claims are structs of texts and numbers");
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let signature = encode(&self.signature(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

/// `bytes` as base64url without padding, the form of everything in a token.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Malformed)
}

/// A point in time as tokens write it: whole seconds.
pub fn seconds(time: Time) -> i64 {
    time.milliseconds().div_euclid(1_000)
}

/// The time that a token wrote as whole seconds.
pub fn from_seconds(seconds: i64) -> Time {
    Time::from_milliseconds(seconds.saturating_mul(1_000))
}
