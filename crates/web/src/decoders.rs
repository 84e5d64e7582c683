//! What must hold for everything signed that comes from outside, whatever the bytes are: a typed refusal, or what its owner did
//! sign. No bytes may bring the program down, and nobody signs but the key.
//!
//! Each check takes any bytes, panics where the promise is broken, and says whether the bytes were understood. The tests feed
//! them chance and damage, the fuzz targets (docs/fuzzing.md) whatever a fuzzer comes up with. The product never calls them.
//! Start reading at [`Signed::check`].

use crate::jose::dpop::{self, Call};
use crate::jose::{Jwk, JwkSet, SigningKey, Token, assertion};
use crate::webhook::{self, Key};
use domain::Time;
use http::{HeaderMap, HeaderValue};
use serde_json::Value;

/// When everything here is signed and looked at.
const NOW: Time = Time::from_milliseconds(1_790_000_000_000);
const ISSUER: &str = "https://gateway.example";
const CLIENT: &str = "op_wallet";
const CALL: Call<'static> =
    Call { method: "POST", url: "https://gateway.example/gateway/v1/debits", access_token: Some("token") };

/// The keys of the examples.
fn keys() -> [SigningKey; 2] {
    [SigningKey::eddsa(&[7; 32]), SigningKey::es256(&[7; 32]).expect("a scalar of the curve")]
}

fn set() -> JwkSet {
    JwkSet::new(keys().iter().map(|key| key.public().clone()).collect()).expect("two keys of two names")
}

/// Two keys, and all that they ever signed.
pub struct Signed {
    keys: [SigningKey; 2],
    set: JwkSet,
    /// An assertion and a proof by each key.
    pub tokens: Vec<String>,
}

impl Signed {
    /// The same each time.
    pub fn new() -> Self {
        let by = |key: &SigningKey| {
            [assertion::write(key, CLIENT, ISSUER, NOW, "jti-1"), dpop::prove(key, CALL, NOW, "jti-2", Some("nonce"))]
        };
        let tokens = keys().iter().flat_map(by).collect();
        Self { keys: keys(), set: set(), tokens }
    }

    /// A token: what is believed of it is one that was signed, header, claims and all. A proof of a key that nobody here has is
    /// its own affair.
    pub fn check(&self, bytes: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(bytes) else { return false };
        let message = |token: &str| token.rsplit_once('.').map(|(message, _)| message.to_owned());
        let is_client = assertion::believe(text, CLIENT, &self.set, ISSUER, NOW).is_ok();
        assert!(
            !is_client || assertion::claimed_client(text).as_deref() == Some(CLIENT),
            "{text} is of another client"
        );
        let proof = dpop::believe(text, CALL, NOW);
        let is_ours = |thumbprint: &str| self.keys.iter().any(|key| key.public().thumbprint() == thumbprint);
        let is_holder = proof.is_ok_and(|proof| is_ours(&proof.thumbprint));
        let Ok(token) = Token::parse(text) else {
            assert!(!is_client && !is_holder, "{text} is believed and no token");
            return false;
        };
        if is_client || is_holder || self.keys.iter().any(|key| token.verify::<Value>(key.public()).is_ok()) {
            let is_signed = self.tokens.iter().any(|token| message(token) == message(text));
            assert!(is_signed, "nobody signs but the key: {text}");
        }
        true
    }
}

impl Default for Signed {
    fn default() -> Self {
        Self::new()
    }
}

/// Key sets and keys as JSON: one that is taken is the same when it is published and read again, and so is a key of our own
/// when it is stored.
pub fn check_keys(bytes: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return false };
    let set = JwkSet::parse(&value);
    if let Ok(set) = &set {
        assert_eq!(JwkSet::parse(&set.to_value()).as_ref(), Ok(set), "a set of keys stays the same");
    }
    let key = Jwk::parse(&value);
    if let Ok(key) = &key {
        assert_eq!(Jwk::parse(&key.to_value()).as_ref(), Ok(key), "a key stays the same");
        assert_eq!(
            Jwk::parse(&key.bare()).map(|key| key.thumbprint()),
            Ok(key.thumbprint()),
            "its name is its value's"
        );
    }
    let own = SigningKey::parse_private_jwk(&value);
    if let Ok(own) = &own {
        let again = SigningKey::parse_private_jwk(&own.to_private_jwk()).expect("what was read can be stored");
        assert_eq!(again.public(), own.public(), "a key of our own stays the same");
        assert_eq!(Jwk::parse(&own.public().to_value()).as_ref(), Ok(own.public()), "and can be published");
    }
    set.is_ok() || key.is_ok() || own.is_ok()
}

/// Keys as JSON that are taken: each public and private, and the set of all.
pub fn written_keys() -> Vec<String> {
    let keys = keys();
    let each = keys.iter().flat_map(|key| [key.public().to_value(), key.to_private_jwk()]);
    each.chain([set().to_value()]).map(|value| value.to_string()).collect()
}

/// The key of the example messages.
fn webhook_key() -> Key {
    Key::parse("whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=").expect("a key of 32 bytes")
}

/// Messages that were signed, as [`check_message`] reads them.
pub fn messages() -> Vec<Vec<u8>> {
    let bodies: [&[u8]; 2] = [b"{\"kind\":\"debit\",\"amount\":5000}", b""];
    let message = |(number, body): (usize, &&[u8])| {
        let headers = webhook::headers(&[webhook_key()], &format!("msg_{number}"), NOW, body);
        let lines = headers.iter().flat_map(|(_, value)| [value.as_bytes(), b"\n"]);
        lines.chain([*body]).collect::<Vec<_>>().concat()
    };
    bodies.iter().enumerate().map(message).collect()
}

/// A signed message, its id, time and signatures a line each before its body: what is believed is one of `signed`.
pub fn check_message(bytes: &[u8], signed: &[Vec<u8>]) -> bool {
    let Some(read) = believed(bytes) else { return false };
    assert!(
        signed.iter().any(|message| believed(message).as_ref() == Some(&read)),
        "nobody signs but the key: {read:?}"
    );
    true
}

/// Id, time in seconds and body of a message that is believed.
fn believed(bytes: &[u8]) -> Option<(String, i64, Vec<u8>)> {
    let mut parts = bytes.splitn(4, |byte| *byte == b'\n');
    let mut headers = HeaderMap::new();
    for name in [webhook::ID, webhook::TIMESTAMP, webhook::SIGNATURE] {
        headers.insert(name, HeaderValue::from_bytes(parts.next()?).ok()?);
    }
    let body = parts.next()?;
    let seconds = headers.get(webhook::TIMESTAMP)?.to_str().ok()?.parse().ok()?;
    let id = webhook::verify(&[webhook_key()], &headers, body, NOW).ok()?;
    Some((id, seconds, body.to_vec()))
}

/// The text of a key for messages: it is the one text of its key.
pub fn check_message_key(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(key) = Key::parse(text) else { return false };
    assert_eq!(key.text().expose(), text, "a key has one text");
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// `see` sees `valid` cut at every byte, with every byte changed in its last bits and in its case, and with every byte left out
    /// or doubled.
    fn damage(valid: &[u8], see: impl Fn(&[u8]) -> bool) {
        assert!(see(valid), "it is understood: {}", String::from_utf8_lossy(valid));
        for at in 0..valid.len() {
            see(&valid[..at]);
            see(&[&valid[..at], &valid[at + 1..]].concat());
            see(&[&valid[..=at], &valid[at..]].concat());
            for change in [0b1, 0b10, 0b10_0000] {
                let mut damaged = valid.to_vec();
                damaged[at] ^= change;
                see(&damaged);
            }
        }
    }

    #[test]
    fn a_damaged_token_is_refused_or_is_what_was_signed() {
        let mut signed = Signed::new();
        for token in &signed.tokens {
            damage(token.as_bytes(), |bytes| signed.check(bytes));
        }
        let forgotten = signed.tokens.remove(0);
        let seen = std::panic::catch_unwind(|| signed.check(forgotten.as_bytes()));
        assert!(seen.is_err(), "the check sees a token that nobody signed");
    }

    #[test]
    fn damaged_keys_are_refused_or_stay_the_same() {
        for keys in written_keys() {
            damage(keys.as_bytes(), check_keys);
        }
    }

    #[test]
    fn a_damaged_message_is_refused() {
        let signed = messages();
        for message in &signed {
            damage(message, |bytes| check_message(bytes, &signed));
        }
        damage(webhook_key().text().expose().as_bytes(), check_message_key);
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_understood_whole(bytes in vec(any::<u8>(), 0..200)) {
            check_keys(&bytes);
            check_message(&bytes, &[]);
            check_message_key(&bytes);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_texts_of_a_tokens_form_are_refused_or_understood_whole(
            header in "\\{\"alg\":\"(EdDSA|ES256|PS256|none)\"(,\"(typ|kid|jwk|crit)\":(\"dpop.jwt\"|\\{\\}|null)){0,2}\\}",
            claims in "\\{(\"(iss|sub|aud|jti|htm|exp)\":(\"[a-z]{0,4}\"|-?[0-9]{1,19}),?){0,3}\\}",
            signature in vec(any::<u8>(), 0..66),
            bytes in vec(any::<u8>(), 0..200),
        ) {
            let signed = Signed::new();
            let token = [header.as_bytes(), claims.as_bytes(), &signature].map(crate::jose::encode).join(".");
            signed.check(token.as_bytes());
            signed.check(&bytes);
        }
    }
}
