//! Cross-site request forgery: each form carries a token that only this service can make for this session and purpose.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

/// The name of the hidden field.
pub const FIELD: &str = "csrf";

/// The token for `purpose` (the form's path) in `session`.
pub fn token(key: &[u8; 32], session: &str, purpose: &str) -> String {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(&u64::try_from(session.len()).unwrap_or(u64::MAX).to_be_bytes());
    hasher.update(session.as_bytes());
    hasher.update(purpose.as_bytes());
    URL_SAFE_NO_PAD.encode(hasher.finalize().as_bytes())
}

/// Whether `sent` is that token.
pub fn is_valid(key: &[u8; 32], session: &str, purpose: &str, sent: &str) -> bool {
    token(key, session, purpose).as_bytes().ct_eq(sent.as_bytes()).into()
}
