//! Signed messages from one service to another, by the Standard Webhooks specification (1.0.0): what webhooks to shops and
//! callbacks between services have in common.
//!
//! A message has an id, a time and a body; the signature covers all three, so neither can be exchanged. Whoever receives
//! one checks the signature over the exact bytes, refuses what is old, and remembers ids where a repeat would matter.
//! Where a message goes, and when it is sent again, is not known here.
//! Start reading at [`headers`] (who sends) and [`verify`] (who receives).

use crate::chance::Chance;
use crate::problem::Problem;
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Time;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use sha2::Sha256;
use std::fmt;

/// The header of the message's id: the same at every attempt.
pub const ID: HeaderName = HeaderName::from_static("webhook-id");
/// The header of the attempt's time, in seconds since 1970.
pub const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// The header of the signatures, one for each key that is good at the moment.
pub const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
/// How far a message's time may be from the receiver's, in milliseconds: five minutes.
pub const AGE_MS_MAX: i64 = 300_000;
/// The longest id that is looked at, in bytes.
pub const ID_BYTES_MAX: usize = 256;
/// The most signatures that are looked at: two keys overlap while one replaces the other.
const SIGNATURES_MAX: usize = 4;
/// Bytes of a new key; the specification asks for 24 to 64.
const KEY_BYTES: usize = 32;
/// What a key's text begins with.
const PREFIX: &str = "whsec_";

/// A signing key.
#[derive(Clone)]
pub struct Key(Secret<Vec<u8>>);

/// The text is no key: `whsec_` and the base64 of 24 to 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedKey;

impl fmt::Display for MalformedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a webhook key is `whsec_` and the base64 of 24 to 64 bytes")
    }
}

impl std::error::Error for MalformedKey {}

/// Why a message is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// A header is missing or is not what it must be.
    Malformed,
    /// It is older, or from further in the future, than [`AGE_MS_MAX`].
    Time,
    /// No signature fits.
    Signature,
}

impl Key {
    /// A new key.
    pub fn draw(chance: &dyn Chance) -> Self {
        let mut bytes = vec![0; KEY_BYTES];
        chance.fill(&mut bytes);
        Self(Secret::new(bytes))
    }

    /// Reads a key's text.
    pub fn parse(text: &str) -> Result<Self, MalformedKey> {
        let bytes = text.strip_prefix(PREFIX).and_then(|rest| STANDARD.decode(rest).ok()).ok_or(MalformedKey)?;
        if (24..=64).contains(&bytes.len()) { Ok(Self(Secret::new(bytes))) } else { Err(MalformedKey) }
    }

    /// The key's text, for whoever is to check what it signs.
    pub fn text(&self) -> Secret<String> {
        Secret::new(format!("{PREFIX}{}", STANDARD.encode(self.0.expose())))
    }

    fn mac(&self, id: &str, timestamp: i64, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose()).expect("HMAC takes keys of any length");
        mac.update(id.as_bytes());
        mac.update(b".");
        mac.update(timestamp.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        mac
    }
}

/// The headers of the message `id` with `body`, sent at `now`, signed with each of `keys`.
pub fn headers(keys: &[Key], id: &str, now: Time, body: &[u8]) -> [(HeaderName, HeaderValue); 3] {
    let timestamp = now.milliseconds().div_euclid(1_000);
    let sign = |key: &Key| format!("v1,{}", STANDARD.encode(key.mac(id, timestamp, body).finalize().into_bytes()));
    let signatures = keys.iter().map(sign).collect::<Vec<_>>().join(" ");
    let value = |text: String| HeaderValue::try_from(text).expect("ids, numbers and base64 are visible ASCII");
    [(ID, value(id.to_owned())), (TIMESTAMP, value(timestamp.to_string())), (SIGNATURE, value(signatures))]
}

/// The id of the message with `headers` and `body`, if one of `keys` signed it and it is about as old as `now`.
pub fn verify(keys: &[Key], headers: &HeaderMap, body: &[u8], now: Time) -> Result<String, Distrust> {
    let one = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        let value = values.next().and_then(|value| value.to_str().ok()).ok_or(Distrust::Malformed)?;
        if values.next().is_none() { Ok(value) } else { Err(Distrust::Malformed) }
    };
    let (id, timestamp, signatures) = (one(&ID)?, one(&TIMESTAMP)?, one(&SIGNATURE)?);
    if id.is_empty() || id.len() > ID_BYTES_MAX {
        return Err(Distrust::Malformed);
    }
    let seconds: i64 = timestamp.parse().map_err(|_| Distrust::Malformed)?;
    let sent = Time::from_milliseconds(seconds.checked_mul(1_000).ok_or(Distrust::Malformed)?);
    if now.milliseconds_since(sent).unsigned_abs() > AGE_MS_MAX.unsigned_abs() {
        return Err(Distrust::Time);
    }
    let offered = signatures.split(' ').take(SIGNATURES_MAX).filter_map(|signature| signature.strip_prefix("v1,"));
    let fits = offered.filter_map(|text| STANDARD.decode(text).ok()).any(|signature| {
        // The comparison inside takes as long for a near miss as for a far one.
        keys.iter().any(|key| key.mac(id, seconds, body).verify_slice(&signature).is_ok())
    });
    if fits { Ok(id.to_owned()) } else { Err(Distrust::Signature) }
}

impl From<Distrust> for Problem {
    /// One answer for every reason: a forger learns nothing from it.
    fn from(_: Distrust) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "signature",
            "The message is not signed as it must be.",
            "署名を確認できません。",
        )
        .detail("Sign by the Standard Webhooks specification, with the key in force and the time of sending.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_milliseconds(1_767_193_200_000);

    fn key(byte: u8) -> Key {
        Key::parse(&format!("whsec_{}", STANDARD.encode([byte; 32]))).expect("a key")
    }

    fn sent(keys: &[Key], id: &str, at: Time, body: &[u8]) -> HeaderMap {
        headers(keys, id, at, body).into_iter().collect()
    }

    /// The specification's own way of computing it, step by step, over a key and body of ours.
    #[test]
    fn the_signature_is_the_hmac_of_id_time_and_body() {
        let key = Key::parse("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX").expect("a key of 24 bytes");
        let mut mac = Hmac::<Sha256>::new_from_slice(&(0..24).collect::<Vec<u8>>()).expect("a key");
        mac.update(b"msg_1.1767193200.{\"amount\":1}");
        let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        let headers = sent(std::slice::from_ref(&key), "msg_1", NOW, b"{\"amount\":1}");
        assert_eq!(headers[SIGNATURE], expected);
        assert_eq!(headers[ID], "msg_1");
        assert_eq!(headers[TIMESTAMP], "1767193200");
        assert_eq!(key.text().expose(), "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX");
    }

    #[test]
    fn only_what_was_signed_is_believed() {
        let (one, two) = (key(1), key(2));
        let check = |headers: &HeaderMap, body: &[u8], late_ms: i64| {
            verify(std::slice::from_ref(&one), headers, body, NOW.plus_milliseconds(late_ms))
        };
        let good = sent(std::slice::from_ref(&one), "msg_1", NOW, b"{}");
        assert_eq!(check(&good, b"{}", 0), Ok("msg_1".into()));
        assert_eq!(check(&good, b"{}", AGE_MS_MAX), Ok("msg_1".into()));
        assert_eq!(check(&good, b"{}", AGE_MS_MAX + 1), Err(Distrust::Time));
        assert_eq!(check(&good, b"{}", -AGE_MS_MAX - 1), Err(Distrust::Time));
        assert_eq!(check(&good, b"{ }", 0), Err(Distrust::Signature));
        assert_eq!(check(&sent(std::slice::from_ref(&two), "msg_1", NOW, b"{}"), b"{}", 0), Err(Distrust::Signature));
        assert_eq!(check(&sent(&[], "msg_1", NOW, b"{}"), b"{}", 0), Err(Distrust::Signature));
        let mut other = good.clone();
        other.insert(ID, HeaderValue::from_static("msg_2"));
        assert_eq!(check(&other, b"{}", 0), Err(Distrust::Signature));
        for name in [ID, TIMESTAMP, SIGNATURE] {
            let (mut without, mut twice) = (good.clone(), good.clone());
            without.remove(&name);
            twice.append(&name, good[&name].clone());
            assert_eq!(check(&without, b"{}", 0), Err(Distrust::Malformed));
            assert_eq!(check(&twice, b"{}", 0), Err(Distrust::Malformed));
        }
        for timestamp in ["", "now", "9223372036854775807", "-1"] {
            let mut odd = good.clone();
            odd.insert(TIMESTAMP, HeaderValue::from_static(timestamp));
            assert!(matches!(check(&odd, b"{}", 0), Err(Distrust::Malformed | Distrust::Time)), "{timestamp}");
        }
    }

    #[test]
    fn while_one_key_replaces_another_both_are_believed() {
        let (old, new) = (key(1), key(2));
        let headers = sent(&[new.clone(), old.clone()], "msg_1", NOW, b"{}");
        assert!(verify(&[old], &headers, b"{}", NOW).is_ok());
        assert!(verify(&[new], &headers, b"{}", NOW).is_ok());
        assert_eq!(verify(&[key(3)], &headers, b"{}", NOW), Err(Distrust::Signature));
    }

    #[test]
    fn a_key_is_whsec_and_base64_of_24_to_64_bytes() {
        let text = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
        for bytes in [24, 32, 64] {
            assert!(Key::parse(&text(bytes)).is_ok());
        }
        for text in [text(23), text(65), "whsec_".into(), "whsec_!".into(), text(32)[6..].into(), String::new()] {
            assert!(Key::parse(&text).is_err(), "{text}");
        }
    }
}
