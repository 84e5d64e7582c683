//! The proof of possession (DPoP, RFC 9449): whoever shows an access token also signs the call it is shown in.
//!
//! Here a proof is written and believed; that its `jti` comes once is for whoever remembers.

use super::{JTI_BYTES_MAX, Jwk, SigningKey, Token, TokenError, encode, from_seconds, seconds};
use domain::Time;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// The `typ` of a proof.
const KIND: &str = "dpop+jwt";
/// How old a proof may be: RFC 9449 section 11.1 wants seconds or a few minutes.
pub const PROOF_AGE_SECONDS_MAX: i64 = 60;
/// How far in the future its `iat` may lie, for clocks that are apart.
pub const PROOF_AHEAD_SECONDS_MAX: i64 = 10;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ath: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
}

/// What is proven: a call, and the token shown in it if there is one.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// `POST`.
    pub method: &'a str,
    /// The address of the call; query and fragment do not count.
    pub url: &'a str,
    /// The access token that is shown.
    pub access_token: Option<&'a str>,
}

/// A proof that was believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The thumbprint of the key that signed it: must be the token's `cnf.jkt`.
    pub thumbprint: String,
    /// What makes it this one: to be taken once until `expires`.
    pub jti: String,
    /// When it was written.
    pub issued: Time,
    /// From when on it is refused anyway.
    pub expires: Time,
    /// The server's nonce, where it was asked for.
    pub nonce: Option<String>,
}

/// Why a proof is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofError {
    /// The token itself is not, or it is none of kind `dpop+jwt` with a public key of its own.
    Token(TokenError),
    /// `htm` is another method.
    Method,
    /// `htu` is another address.
    Url,
    /// `iat` is outside of the window.
    Time,
    /// `jti` is empty or longer than [`JTI_BYTES_MAX`].
    Jti,
    /// `ath` is not the hash of the access token that is shown.
    AccessToken,
}

impl fmt::Display for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(error) => error.fmt(f),
            Self::Method => f.write_str("htm is another method"),
            Self::Url => f.write_str("htu is another address"),
            Self::Time => f.write_str("iat is outside of the window"),
            Self::Jti => f.write_str("jti must have 1 to 128 bytes"),
            Self::AccessToken => f.write_str("ath is not the hash of the access token"),
        }
    }
}

impl std::error::Error for ProofError {}

/// A proof for `call`; `jti` must be new each time.
pub fn prove(key: &SigningKey, call: Call<'_>, now: Time, jti: &str, nonce: Option<&str>) -> String {
    let claims = Claims {
        jti: jti.to_owned(),
        htm: call.method.to_owned(),
        htu: without_query(call.url).to_owned(),
        iat: seconds(now),
        ath: call.access_token.map(hash),
        nonce: nonce.map(str::to_owned),
    };
    key.sign_with_key(KIND, &claims)
}

/// Believes `text` as a proof for `call`.
pub fn believe(text: &str, call: Call<'_>, now: Time) -> Result<Proof, ProofError> {
    let token = Token::parse(text).map_err(ProofError::Token)?;
    let key = match (&token.header.kind, &token.header.key) {
        (Some(kind), Some(key)) if kind == KIND => Jwk::parse(key),
        (Some(_) | None, Some(_) | None) => return Err(ProofError::Token(TokenError::Malformed)),
    };
    let key = key.map_err(|_| ProofError::Token(TokenError::Malformed))?;
    let claims: Claims = token.verify(&key).map_err(ProofError::Token)?;
    if claims.htm != call.method {
        return Err(ProofError::Method);
    }
    if without_query(&claims.htu) != without_query(call.url) {
        return Err(ProofError::Url);
    }
    let age = seconds(now).saturating_sub(claims.iat);
    if !(-PROOF_AHEAD_SECONDS_MAX..=PROOF_AGE_SECONDS_MAX).contains(&age) {
        return Err(ProofError::Time);
    }
    if claims.jti.is_empty() || claims.jti.len() > JTI_BYTES_MAX {
        return Err(ProofError::Jti);
    }
    if claims.ath != call.access_token.map(hash) {
        return Err(ProofError::AccessToken);
    }
    let expires = from_seconds(claims.iat.saturating_add(PROOF_AGE_SECONDS_MAX + 1));
    let issued = from_seconds(claims.iat);
    Ok(Proof { thumbprint: key.thumbprint(), jti: claims.jti, issued, expires, nonce: claims.nonce })
}

fn hash(access_token: &str) -> String {
    encode(&Sha256::digest(access_token))
}

fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}
