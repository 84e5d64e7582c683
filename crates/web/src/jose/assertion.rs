//! The client's assertion (`private_key_jwt`, RFC 7523 section 3): who a caller of a token endpoint is.
//!
//! Here it is written and believed; that its `jti` comes once is for whoever remembers, and only the server does.

use super::{JTI_BYTES_MAX, Jwk, JwkSet, SigningKey, Token, TokenError, from_seconds, seconds};
use domain::Time;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What the form field `client_assertion_type` says.
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long an assertion that we write may be used.
pub const ASSERTION_LIFE_SECONDS: i64 = 60;
/// The longest life that is accepted: what is remembered of it must end.
pub const ASSERTION_LIFE_SECONDS_MAX: i64 = 300;
/// How far the clocks of two servers may be apart: FAPI 2.0 Security Profile, section 5.3.2.1, allows 10 seconds.
pub const CLOCK_SKEW_SECONDS_MAX: i64 = 10;

/// What an assertion claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    iat: Option<i64>,
    nbf: Option<i64>,
    jti: String,
}

/// `aud` as it may be written; only one that is a single text is taken, a list is no longer one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// An assertion that was believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// What makes it this one: to be taken once until `expires`.
    pub jti: String,
    /// When it was written, as far as it says.
    pub issued: Option<Time>,
    /// From when on it is refused anyway.
    pub expires: Time,
    /// The thumbprint of the key that signed it.
    pub key: String,
}

/// Why an assertion is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssertionError {
    /// The token itself is not.
    Token(TokenError),
    /// `iss` and `sub` are not both the client.
    Subject,
    /// `aud` is not the issuer's identifier alone.
    Audience,
    /// `exp` has passed, `nbf` or `iat` are still to come, or its life is longer than [`ASSERTION_LIFE_SECONDS_MAX`].
    Time,
    /// `jti` is empty or longer than [`JTI_BYTES_MAX`].
    Jti,
}

impl fmt::Display for AssertionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(error) => error.fmt(f),
            Self::Subject => f.write_str("iss and sub must both be the client"),
            Self::Audience => f.write_str("aud must be the issuer's identifier, as a single text"),
            Self::Time => f.write_str("the assertion is expired, not yet valid, or lives longer than five minutes"),
            Self::Jti => f.write_str("jti must have 1 to 128 bytes"),
        }
    }
}

impl std::error::Error for AssertionError {}

/// An assertion of `client` for the server whose issuer identifier is `audience`; `jti` must be new each time.
pub fn write(key: &SigningKey, client: &str, audience: &str, now: Time, jti: &str) -> String {
    let now = seconds(now);
    let claims = Claims {
        iss: client.to_owned(),
        sub: client.to_owned(),
        aud: Audience::One(audience.to_owned()),
        exp: now.saturating_add(ASSERTION_LIFE_SECONDS),
        iat: Some(now),
        nbf: Some(now),
        jti: jti.to_owned(),
    };
    key.sign("JWT", &claims)
}

/// The client that `text` says it is of, unbelieved: good for finding the keys and for nothing else.
pub fn claimed_client(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Subject {
        sub: String,
    }
    let token = Token::parse(text).ok()?;
    serde_json::from_slice::<Subject>(&token.claims).ok().map(|subject| subject.sub)
}

/// Believes `text` as an assertion of `client`, signed with one of `keys`, made for `audience`.
pub fn believe(
    text: &str,
    client: &str,
    keys: &JwkSet,
    audience: &str,
    now: Time,
) -> Result<Assertion, AssertionError> {
    let token = Token::parse(text).map_err(AssertionError::Token)?;
    let (mut verified, mut signed_by) = (Err(TokenError::Signature), None);
    for key in keys.candidates(token.header.algorithm, token.header.key_id.as_deref()) {
        verified = token.verify::<Claims>(key);
        signed_by = Some(key);
        if verified != Err(TokenError::Signature) {
            break;
        }
    }
    let claims = verified.map_err(AssertionError::Token)?;
    let key = signed_by.map(Jwk::thumbprint).ok_or(AssertionError::Token(TokenError::Signature))?;
    if claims.iss != client || claims.sub != client {
        return Err(AssertionError::Subject);
    }
    if claims.aud != Audience::One(audience.to_owned()) {
        return Err(AssertionError::Audience);
    }
    let now = seconds(now);
    let latest = now.saturating_add(CLOCK_SKEW_SECONDS_MAX);
    let begun = claims.iat.is_none_or(|iat| iat <= latest) && claims.nbf.is_none_or(|nbf| nbf <= latest);
    let bounded = claims.exp.saturating_sub(now) <= ASSERTION_LIFE_SECONDS_MAX + CLOCK_SKEW_SECONDS_MAX;
    if claims.exp <= now || !begun || !bounded {
        return Err(AssertionError::Time);
    }
    if claims.jti.is_empty() || claims.jti.len() > JTI_BYTES_MAX {
        return Err(AssertionError::Jti);
    }
    Ok(Assertion { jti: claims.jti, issued: claims.iat.map(from_seconds), expires: from_seconds(claims.exp), key })
}
