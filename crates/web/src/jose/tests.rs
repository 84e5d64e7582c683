//! Tests of signed tokens: who is believed and, at length, who is not. `fixtures/rsa.json` was signed with OpenSSL.

use super::dpop::{Call, ProofError};
use super::*;
use serde_json::{Value, json};

const NOW: Time = Time::from_milliseconds(1_790_000_000_000);
const ISSUER: &str = "https://gateway.example";
const CLIENT: &str = "op_wallet";
const CALL: Call<'static> =
    Call { method: "POST", url: "https://gateway.example/gateway/v1/debits", access_token: Some("token") };

fn rsa() -> Value {
    serde_json::from_str(include_str!("fixtures/rsa.json")).expect("the fixtures are JSON")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().expect("a text")
}

fn keys() -> [SigningKey; 2] {
    [SigningKey::eddsa(&[7; 32]), SigningKey::es256(&[7; 32]).expect("a scalar of the curve")]
}

fn set(keys: &[SigningKey]) -> JwkSet {
    JwkSet::new(keys.iter().map(|key| key.public().clone()).collect()).expect("a set of keys")
}

/// A token with any header and claims, signed with `key`.
fn forge(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
    format!("{signed}.{}", encode(&key.signature(signed.as_bytes())))
}

#[test]
fn thumbprints_are_those_of_the_standards() {
    let check = |jwk: Value, expected: &str| {
        assert_eq!(Jwk::parse(&jwk).map(|key| key.thumbprint()).as_deref(), Ok(expected));
    };
    let ed25519 = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    check(ed25519, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3\
             oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA\
             ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-\
             kEgU8awapJzKnqDKgw";
    let rsa = json!({"kty": "RSA", "n": n, "e": "AQAB", "alg": "PS256", "kid": "2011-04-29"});
    check(rsa, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

#[test]
fn what_is_signed_verifies_with_its_key_alone() {
    let [eddsa, es256] = keys();
    let claims = json!({"a": 1});
    for (key, other) in [(&eddsa, &es256), (&es256, &eddsa)] {
        let signed = key.sign("JWT", &claims);
        let token = Token::parse(&signed).expect("a token");
        assert_eq!(token.header.key_id.as_deref(), Some(key.public().thumbprint().as_str()));
        assert_eq!(token.verify(key.public()), Ok(claims.clone()));
        assert_eq!(token.verify::<Value>(other.public()), Err(TokenError::Signature));
        let stored = SigningKey::parse_private_jwk(&key.to_private_jwk()).expect("it reads what it wrote");
        assert_eq!(stored.sign("JWT", &claims), signed, "the stored key signs the same, and signatures need no chance");
        let published = Jwk::parse(&key.public().to_value()).expect("it reads what it published");
        assert_eq!(&published, key.public());
    }
}

#[test]
fn rsa_keys_of_others_verify_ps256_and_nothing_else() {
    let fixtures = rsa();
    let jwk = json!({"kty": "RSA", "n": text(&fixtures, "modulus_2048"), "e": "AQAB"});
    let key = Jwk::parse(&jwk).expect("a key of 2,048 bits");
    let check = |name: &str, expected: Result<Value, TokenError>| {
        let token = Token::parse(text(&fixtures, name));
        assert_eq!(token.and_then(|token| token.verify(&key)), expected, "{name}");
    };
    check("ps256", Ok(json!({"what": "signed by another maker"})));
    check("ps256_short_salt", Err(TokenError::Signature));
    check("rs256", Err(TokenError::Algorithm));
    check("rs256_called_ps256", Err(TokenError::Signature));
}

#[test]
fn tokens_that_are_none() {
    let [eddsa, es256] = keys();
    let claims = json!({"a": 1});
    let check = |what: &str, token: &str, expected: TokenError| {
        let verified = Token::parse(token).and_then(|token| token.verify::<Value>(eddsa.public()));
        assert_eq!(verified, Err(expected), "{what}");
    };
    let good = eddsa.sign("JWT", &claims);
    for algorithm in ["none", "None", "HS256", "RS256", "ES384", "ES256K", ""] {
        check(algorithm, &forge(&eddsa, &json!({"alg": algorithm}), &claims), TokenError::Algorithm);
    }
    check("the name of another", &forge(&eddsa, &json!({"alg": "ES256"}), &claims), TokenError::Signature);
    check("the key of another", &forge(&es256, &json!({"alg": "EdDSA"}), &claims), TokenError::Signature);
    check(
        "critical",
        &forge(&eddsa, &json!({"alg": "EdDSA", "crit": ["b64"], "b64": false}), &claims),
        TokenError::Critical,
    );
    check("no algorithm", &forge(&eddsa, &json!({"typ": "JWT"}), &claims), TokenError::Malformed);
    let doubled = encode(br#"{"alg":"none","alg":"EdDSA"}"#);
    check("two algorithms", &format!("{doubled}.{}", &good[good.find('.').unwrap() + 1..]), TokenError::Malformed);
    check("no signature", good.rsplit_once('.').unwrap().0, TokenError::Malformed);
    check("an empty signature", &format!("{}.", good.rsplit_once('.').unwrap().0), TokenError::Signature);
    check("padded", &format!("{good}="), TokenError::Malformed);
    check("four parts", &format!("{good}.{good}"), TokenError::Malformed);
    check("too long", &"a".repeat(TOKEN_BYTES_MAX + 1), TokenError::TooLong);
    check("nothing", "", TokenError::Malformed);
    let changed = forge(&eddsa, &json!({"alg": "EdDSA"}), &json!({"a": 2}));
    let swapped = format!("{}.{}", changed.rsplit_once('.').unwrap().0, good.rsplit_once('.').unwrap().1);
    check("the signature of another token", &swapped, TokenError::Signature);
}

#[test]
fn keys_that_are_not_taken() {
    let fixtures = rsa();
    let ed25519 = keys()[0].public().to_value();
    let with = |name: &str, value: Value| {
        let mut jwk = ed25519.clone();
        jwk[name] = value;
        jwk
    };
    let check = |jwk: Value, expected: KeyError| assert_eq!(Jwk::parse(&jwk).err(), Some(expected), "{jwk}");
    let n = text(&fixtures, "modulus_2048");
    check(keys()[0].to_private_jwk(), KeyError::Private);
    check(json!({"kty": "oct", "k": "c2VjcmV0"}), KeyError::Private);
    check(json!({"kty": "oct"}), KeyError::Unsupported);
    check(with("alg", json!("ES256")), KeyError::Unsupported);
    check(with("alg", json!("HS256")), KeyError::Unsupported);
    check(with("use", json!("enc")), KeyError::Unsupported);
    check(with("crv", json!("X25519")), KeyError::Unsupported);
    check(with("x", json!("AAAA")), KeyError::Malformed);
    check(with("x", json!(encode(&[0; 32]))), KeyError::Malformed);
    check(with("kid", json!("")), KeyError::Malformed);
    check(json!({"kty": "EC", "crv": "P-256", "x": encode(&[1; 32]), "y": encode(&[1; 32])}), KeyError::Malformed);
    check(
        json!({"kty": "EC", "crv": "secp256k1", "x": encode(&[1; 32]), "y": encode(&[1; 32])}),
        KeyError::Unsupported,
    );
    check(json!({"kty": "RSA", "n": text(&fixtures, "modulus_1024"), "e": "AQAB"}), KeyError::RsaSize);
    check(json!({"kty": "RSA", "n": n, "e": "Aw"}), KeyError::RsaSize);
    check(json!({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256"}), KeyError::Unsupported);
    check(json!({"kty": "RSA", "n": encode(&[255; 513]), "e": "AQAB"}), KeyError::RsaSize);
    check(json!([]), KeyError::Malformed);
    let set = |keys: Value| JwkSet::parse(&json!({ "keys": keys })).err();
    assert_eq!(set(json!([])), Some(KeyError::Set));
    assert_eq!(set(json!([ed25519, ed25519])), Some(KeyError::Set), "two keys of one name");
    assert_eq!(set(json!([ed25519, {"kty": "oct"}])), Some(KeyError::Unsupported), "one bad key spoils the set");
    assert_eq!(set(json!([ed25519])), None);
}

#[test]
fn an_assertion_is_believed_for_its_client_audience_and_time() {
    for key in keys() {
        let keys = set(&keys());
        let written = assertion::write(&key, CLIENT, ISSUER, NOW, "jti-1");
        assert_eq!(assertion::claimed_client(&written).as_deref(), Some(CLIENT));
        let believed = assertion::believe(&written, CLIENT, &keys, ISSUER, NOW).expect("it is believed");
        assert_eq!((believed.jti.as_str(), believed.issued), ("jti-1", Some(NOW)));
        assert_eq!(believed.expires, NOW.plus_milliseconds(ASSERTION_LIFE_MS));
        let at =
            |milliseconds| assertion::believe(&written, CLIENT, &keys, ISSUER, NOW.plus_milliseconds(milliseconds));
        assert!(at(ASSERTION_LIFE_MS - 1).is_ok());
        assert_eq!(at(ASSERTION_LIFE_MS), Err(AssertionError::Time));
        assert!(at(-10_000).is_ok(), "clocks may be apart a little");
        assert_eq!(at(-11_000), Err(AssertionError::Time));
    }
}

use assertion::AssertionError;
const ASSERTION_LIFE_MS: i64 = assertion::ASSERTION_LIFE_SECONDS * 1_000;

#[test]
fn assertions_that_are_not_believed() {
    let [eddsa, stranger] = keys();
    let keys = set(std::slice::from_ref(&eddsa));
    let now = seconds(NOW);
    let good = json!({"iss": CLIENT, "sub": CLIENT, "aud": ISSUER, "exp": now + 60, "iat": now, "jti": "j"});
    let check = |name: &str, value: Value, expected: AssertionError| {
        let mut claims = good.clone();
        claims[name] = value;
        let written = forge(&eddsa, &json!({"alg": "EdDSA"}), &claims);
        assert_eq!(assertion::believe(&written, CLIENT, &keys, ISSUER, NOW), Err(expected), "{name}");
    };
    check("iss", json!("op_other"), AssertionError::Subject);
    check("sub", json!("op_other"), AssertionError::Subject);
    check("aud", json!("https://gateway.example/gateway/v1/token"), AssertionError::Audience);
    check("aud", json!([ISSUER]), AssertionError::Audience);
    check("aud", json!([ISSUER, "https://bank.example"]), AssertionError::Audience);
    check("exp", json!(now), AssertionError::Time);
    check("exp", json!(now + 311), AssertionError::Time);
    check("exp", json!(i64::MAX), AssertionError::Time);
    check("iat", json!(now + 11), AssertionError::Time);
    check("nbf", json!(now + 11), AssertionError::Time);
    check("jti", json!(""), AssertionError::Jti);
    check("jti", json!("j".repeat(JTI_BYTES_MAX + 1)), AssertionError::Jti);
    check("jti", json!(7), AssertionError::Token(TokenError::Malformed));
    check("exp", json!("60"), AssertionError::Token(TokenError::Malformed));
    check("exp", json!(1.5), AssertionError::Token(TokenError::Malformed));
    let of_stranger = assertion::write(&stranger, CLIENT, ISSUER, NOW, "j");
    let refused = assertion::believe(&of_stranger, CLIENT, &keys, ISSUER, NOW);
    assert_eq!(refused, Err(AssertionError::Token(TokenError::Signature)));
}

#[test]
fn a_proof_is_believed_for_its_call_token_and_time() {
    for key in keys() {
        let written = dpop::prove(&key, CALL, NOW, "jti-1", Some("nonce"));
        let proof = dpop::believe(&written, CALL, NOW).expect("it is believed");
        assert_eq!((proof.thumbprint.as_str(), proof.jti.as_str()), (key.public().thumbprint().as_str(), "jti-1"));
        assert_eq!(proof.nonce.as_deref(), Some("nonce"));
        let with_query = Call { url: "https://gateway.example/gateway/v1/debits?a=1#b", ..CALL };
        assert!(dpop::believe(&written, with_query, NOW).is_ok(), "query and fragment do not count");
        let check = |what: &str, call: Call<'_>, now: Time, expected: ProofError| {
            assert_eq!(dpop::believe(&written, call, now), Err(expected), "{what}");
        };
        check("another method", Call { method: "GET", ..CALL }, NOW, ProofError::Method);
        check(
            "another address",
            Call { url: "https://gateway.example/gateway/v1/credits", ..CALL },
            NOW,
            ProofError::Url,
        );
        check("another host", Call { url: "https://other.example/gateway/v1/debits", ..CALL }, NOW, ProofError::Url);
        check("another token", Call { access_token: Some("stolen"), ..CALL }, NOW, ProofError::AccessToken);
        check("no token", Call { access_token: None, ..CALL }, NOW, ProofError::AccessToken);
        check("too old", CALL, NOW.plus_milliseconds(61_000), ProofError::Time);
        check("too early", CALL, NOW.plus_milliseconds(-11_000), ProofError::Time);
        assert!(dpop::believe(&written, CALL, NOW.plus_milliseconds(60_000)).is_ok());
        assert!(proof.expires > NOW.plus_milliseconds(60_999), "it is remembered for as long as it is believed");
    }
}

#[test]
fn proofs_that_are_not_believed() {
    let [eddsa, es256] = keys();
    let claims = json!({"jti": "j", "htm": "POST", "htu": CALL.url, "iat": seconds(NOW)});
    let call = Call { access_token: None, ..CALL };
    let header = json!({"alg": "EdDSA", "typ": "dpop+jwt", "jwk": eddsa.public().to_value()});
    let check = |what: &str, name: &str, value: Value, expected: TokenError| {
        let mut header = header.clone();
        header[name] = value;
        let refused = dpop::believe(&forge(&eddsa, &header, &claims), call, NOW);
        assert_eq!(refused.err(), Some(ProofError::Token(expected)), "{what}");
    };
    assert!(dpop::believe(&forge(&eddsa, &header, &claims), call, NOW).is_ok());
    check("another kind of token", "typ", json!("JWT"), TokenError::Malformed);
    check("no kind", "typ", Value::Null, TokenError::Malformed);
    check("no key", "jwk", Value::Null, TokenError::Malformed);
    check("a private key", "jwk", eddsa.to_private_jwk(), TokenError::Malformed);
    check("the key of another", "jwk", SigningKey::eddsa(&[8; 32]).public().to_value(), TokenError::Signature);
    check("a key of another kind", "jwk", es256.public().to_value(), TokenError::Signature);
    check("a secret as key", "jwk", json!({"kty": "oct", "k": "AA"}), TokenError::Malformed);
    check("none", "alg", json!("none"), TokenError::Algorithm);
    for jti in ["", &"j".repeat(JTI_BYTES_MAX + 1)] {
        let mut claims = claims.clone();
        claims["jti"] = json!(jti);
        assert_eq!(dpop::believe(&forge(&eddsa, &header, &claims), call, NOW), Err(ProofError::Jti));
    }
}
