//! The negative cases of the FAPI 2.0 Security Profile and of RFC 9449: everything that must not get through.

use super::client::{Client, VERIFIER};
use super::link::{granted, status_of};
use super::world::{GATEWAY, World};
use crate::domain::mandate::Status;
use bytes::Bytes;
use domain::Time;
use engine::Clock;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use web::jose::assertion;
use web::jose::dpop::{self, Call};
use web::jose::{SigningKey, encode, seconds};

type Form = BTreeMap<String, String>;

fn with(form: &Form, name: &str, value: &str) -> Form {
    let mut form = form.clone();
    form.insert(name.to_owned(), value.to_owned());
    form
}

/// A token with any header and claims, signed with `key`, or not at all.
fn forged(header: &Value, claims: &Value) -> String {
    format!("{}.{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()), encode(b"no"))
}

async fn credentials(client: &Client<'_>, form: Form) -> (StatusCode, String) {
    let form = with(&with(&form, "grant_type", "client_credentials"), "scope", "debits");
    let proof = client.proof("POST", "/gateway/v1/token", None);
    let answer = client.post("/gateway/v1/token", &form, Some(&proof)).await;
    (answer.status, answer.body["error"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_client_that_has_not_proven_itself_gets_no_token() {
    let world = World::new().await;
    let wallet = world.wallet();
    let now = world.clock.now();
    let good = json!({"iss": wallet.id, "sub": wallet.id, "aud": GATEWAY, "exp": seconds(now) + 60, "jti": "x"});
    let other = world.stranger();
    let used = wallet.assertion();
    let written = |key: &SigningKey, client, audience, now| assertion::write(key, client, audience, now, &wallet.jti());
    let ago = |milliseconds: i64| now.plus_milliseconds(-milliseconds);
    assert_eq!(credentials(&wallet, with(&Form::new(), "client_assertion", &used)).await.0, StatusCode::OK);
    for (what, assertion) in [
        ("shown before", used.clone()),
        ("of an unknown client", written(&wallet.key, "op_nobody", GATEWAY, now)),
        ("signed by another client", written(&other.key, wallet.id, GATEWAY, now)),
        ("for the token endpoint alone", written(&wallet.key, wallet.id, &format!("{GATEWAY}/gateway/v1/token"), now)),
        ("for somebody else", written(&wallet.key, wallet.id, "https://other.example", now)),
        ("expired", written(&wallet.key, wallet.id, GATEWAY, ago(61_000))),
        ("not yet valid", written(&wallet.key, wallet.id, GATEWAY, ago(-30_000))),
        ("with the algorithm none", forged(&json!({"alg": "none"}), &good)),
        ("with HS256", forged(&json!({"alg": "HS256"}), &good)),
        ("with RS256", forged(&json!({"alg": "RS256"}), &good)),
        ("of nothing", "a.b.c".to_owned()),
    ] {
        let refused = credentials(&wallet, with(&Form::new(), "client_assertion", &assertion)).await;
        assert_eq!(refused, (StatusCode::UNAUTHORIZED, "invalid_client".to_owned()), "an assertion {what}");
    }
    let by_secret = with(&with(&Form::new(), "client_assertion_type", "none"), "client_secret", "guess");
    assert_eq!(credentials(&wallet, by_secret).await.1, "invalid_client");
    let for_another = with(&Form::new(), "client_id", other.id);
    assert_eq!(credentials(&wallet, for_another).await.1, "invalid_client");
}

#[tokio::test]
async fn what_was_signed_before_a_restart_is_not_taken_after_it() {
    let world = World::new().await;
    let earlier = world.wallet().assertion();
    world.clock.advance(5_000);
    let world = world.restart().await;
    let refused = credentials(&world.wallet(), with(&Form::new(), "client_assertion", &earlier)).await;
    assert_eq!(refused.1, "invalid_client", "nobody remembers whether it was shown");
    assert_eq!(credentials(&world.wallet(), Form::new()).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_token_without_a_fresh_proof_is_not_issued() {
    let world = World::new().await;
    let wallet = world.wallet();
    let form: Form = [("grant_type", "client_credentials"), ("scope", "debits")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let path = "/gateway/v1/token";
    let used = wallet.proof("POST", path, None);
    assert_eq!(wallet.post(path, &form, Some(&used)).await.status, StatusCode::OK);
    let url = format!("{GATEWAY}{path}");
    let call = Call { method: "POST", url: &url, access_token: None };
    let at = |milliseconds: i64| {
        let now = world.clock.now().plus_milliseconds(milliseconds);
        dpop::prove(&wallet.proof_key, call, now, &wallet.jti(), None)
    };
    for (what, proof) in [
        ("no proof", None),
        ("a proof shown before", Some(used)),
        ("a proof for another method", Some(wallet.proof("GET", path, None))),
        ("a proof for another path", Some(wallet.proof("POST", "/gateway/v1/par", None))),
        ("an old proof", Some(at(-61_000))),
        ("a proof of the future", Some(at(11_000))),
        ("an assertion for a proof", Some(wallet.assertion())),
        ("nonsense", Some("a.b.c".to_owned())),
    ] {
        let answer = wallet.post(path, &form, proof.as_deref()).await;
        assert_eq!(
            (answer.status, &answer.body["error"]),
            (StatusCode::BAD_REQUEST, &json!("invalid_dpop_proof")),
            "{what}"
        );
    }
    for scope in ["mandate", "everything", "debits debits", ""] {
        let proof = wallet.proof("POST", path, None);
        let answer = wallet.post(path, &with(&form, "scope", scope), Some(&proof)).await;
        assert_eq!(answer.body["error"], "invalid_scope", "{scope}");
    }
    for (grant, error) in [("password", "unsupported_grant_type"), ("", "invalid_request")] {
        let proof = wallet.proof("POST", path, None);
        let answer = wallet.post(path, &with(&form, "grant_type", grant), Some(&proof)).await;
        assert_eq!(answer.body["error"], error, "{grant}");
    }
}

#[tokio::test]
async fn a_pushed_request_that_is_not_to_the_letter_is_refused() {
    let world = World::new().await;
    let wallet = world.wallet();
    let good = wallet.asking("0125");
    let details: Value = serde_json::from_str(&good["authorization_details"]).expect("JSON");
    let changed = |name: &str, value: Value| {
        let mut details = details.clone();
        details[0][name] = value;
        details.to_string()
    };
    let in_details = "authorization_details";
    let cases = [
        ("redirect_uri", "http://evil.example/".to_owned(), "invalid_request"),
        ("redirect_uri", format!("{}/", wallet.redirect_uri), "invalid_request"),
        ("redirect_uri", format!("{}?a=b", wallet.redirect_uri), "invalid_request"),
        ("response_type", "token".to_owned(), "invalid_request"),
        ("client_id", String::new(), "invalid_request"),
        ("code_challenge_method", "plain".to_owned(), "invalid_request"),
        ("code_challenge_method", String::new(), "invalid_request"),
        ("code_challenge", "short".to_owned(), "invalid_request"),
        ("state", String::new(), "invalid_request"),
        ("response_mode", "fragment".to_owned(), "invalid_request"),
        ("request_uri", "urn:ietf:params:oauth:request_uri:x".to_owned(), "invalid_request"),
        ("scope", "openid".to_owned(), "invalid_scope"),
        (in_details, "{}".to_owned(), "invalid_authorization_details"),
        (in_details, "[]".to_owned(), "invalid_authorization_details"),
        (in_details, json!([details[0], details[0]]).to_string(), "invalid_authorization_details"),
        (in_details, changed("type", json!("payment")), "invalid_authorization_details"),
        (in_details, changed("extra", json!(1)), "invalid_authorization_details"),
        (in_details, changed("bank_code", json!("9999")), "invalid_authorization_details"),
        (in_details, changed("birth_date", json!("1990-02-30")), "invalid_authorization_details"),
        (in_details, changed("holder_name_masked", json!("ア\u{202e}オ")), "invalid_authorization_details"),
        (in_details, changed("limits", json!({"per_time": 0, "per_month": 1})), "invalid_authorization_details"),
        (in_details, changed("limits", json!({"per_time": 2, "per_month": 1})), "invalid_authorization_details"),
        (in_details, changed("limits", json!({"per_time": 1.5, "per_month": 2})), "invalid_authorization_details"),
    ];
    for (name, value, error) in cases {
        let proof = wallet.proof("POST", "/gateway/v1/par", None);
        let answer = wallet.post("/gateway/v1/par", &with(&good, name, &value), Some(&proof)).await;
        assert_eq!((answer.status, &answer.body["error"]), (StatusCode::BAD_REQUEST, &json!(error)), "{name}={value}");
        assert!(!answer.body.to_string().contains("サクラ"), "an error repeats nothing: {}", answer.body);
    }
    let request = Request::builder().method(Method::POST).uri(format!("{GATEWAY}/gateway/v1/par"));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let doubled = request.body(Bytes::from_static(b"client_id=a&client_id=b")).expect("a request");
    assert_eq!(wallet.call(doubled).await.body["error"], "invalid_request", "a parameter that comes twice");
}

#[tokio::test]
async fn the_browser_carries_a_name_for_what_was_pushed_and_nothing_else() {
    let world = World::new().await;
    let wallet = world.wallet();
    let path = wallet.push("0125").await;
    let mut browser = world.browser();
    for strange in [
        format!("{path}&redirect_uri=http%3A%2F%2Fevil.example"),
        format!("{path}&state=x"),
        format!("{path}&client_id={}", wallet.id),
        path.replace(wallet.id, "op_other"),
        "/gateway/v1/authorize?response_type=code&client_id=op_wallet".to_owned(),
        "/gateway/v1/authorize".to_owned(),
        wallet.path_of("urn:ietf:params:oauth:request_uri:guess"),
    ] {
        let shown = browser.get(&strange).await;
        assert_eq!((shown.status, shown.location), (StatusCode::BAD_REQUEST, None), "{strange}");
    }
    assert_eq!(browser.get(&path).await.status, StatusCode::SEE_OTHER, "what was strange has used nothing up");
    assert_eq!(browser.get(&path).await.status, StatusCode::SEE_OTHER, "the same browser may reload");
    let mut second = world.browser();
    assert_eq!(second.get(&path).await.status, StatusCode::BAD_REQUEST, "a second browser may not");
    assert_eq!(second.get("/link").await.status, StatusCode::BAD_REQUEST);
    let late = wallet.push("0125").await;
    world.clock.advance(90_000);
    assert_eq!(second.get(&late).await.status, StatusCode::BAD_REQUEST, "and nobody may when the time is up");
}

#[tokio::test]
async fn a_code_without_what_belongs_to_it_takes_its_grant_with_it() {
    let world = World::new().await;
    let wallet = world.wallet();
    let stranger = world.stranger();
    let other_key = Client { proof_key: SigningKey::eddsa(&[9; 32]), ..world.wallet() };
    let changed = |code: &str, name: &str, value: &str| with(&wallet.collecting(code), name, value);
    for what in ["verifier", "redirect_uri", "key", "client", "late"] {
        let code = granted(&world).await;
        let (client, form) = match what {
            "verifier" => (&wallet, changed(&code, "code_verifier", &VERIFIER.replace('0', "1"))),
            "redirect_uri" => (&wallet, changed(&code, "redirect_uri", "http://localhost:8080/other")),
            "key" => (&other_key, wallet.collecting(&code)),
            "client" => (&stranger, changed(&code, "redirect_uri", stranger.redirect_uri)),
            _ => (&wallet, wallet.collecting(&code)),
        };
        if what == "late" {
            world.clock.advance(60_000);
        }
        let proof = client.proof("POST", "/gateway/v1/token", None);
        let refused = client.post("/gateway/v1/token", &form, Some(&proof)).await;
        assert_eq!(
            (refused.status, &refused.body["error"]),
            (StatusCode::BAD_REQUEST, &json!("invalid_grant")),
            "{what}"
        );
        let again = wallet.collect(&code).await;
        assert_eq!(again.body["error"], "invalid_grant", "{what}: the code is gone");
    }
    let code = granted(&world).await;
    let proof = wallet.proof("POST", "/gateway/v1/token", None);
    let unsigned = wallet.post("/gateway/v1/token", &wallet.collecting(&code), None).await;
    assert_eq!(unsigned.body["error"], "invalid_dpop_proof");
    let collected = wallet.post("/gateway/v1/token", &wallet.collecting(&code), Some(&proof)).await;
    assert_eq!(collected.status, StatusCode::OK, "who is not let in uses no code up: {:?}", collected.body);
}

#[tokio::test]
async fn a_code_that_comes_twice_revokes_what_it_granted() {
    let world = World::new().await;
    let wallet = world.wallet();
    let code = granted(&world).await;
    let collected = wallet.collect(&code).await;
    let mandate = collected.body["authorization_details"][0]["mandate_id"].as_str().expect("a mandate").to_owned();
    assert_eq!(status_of(&world, &mandate).await, Status::Active);
    assert_eq!(wallet.collect(&code).await.body["error"], "invalid_grant");
    assert_eq!(status_of(&world, &mandate).await, Status::Revoked);
}

#[tokio::test]
async fn who_links_an_account_that_is_linked_already_is_told_so() {
    let world = World::new().await;
    let wallet = world.wallet();
    let first = wallet.collect(&granted(&world).await).await;
    assert_eq!(first.status, StatusCode::OK, "{:?}", first.body);
    let second = wallet.collect(&granted(&world).await).await;
    assert_eq!((second.status, &second.body["error"]), (StatusCode::BAD_REQUEST, &json!("already_linked")));
}

/// A call of the API with `token` under `scheme`, and `proof`.
async fn call(client: &Client<'_>, path: &str, authorization: &str, proof: Option<&str>) -> StatusCode {
    let mut request = Request::get(format!("{GATEWAY}{path}")).header("authorization", authorization);
    if let Some(proof) = proof {
        request = request.header("dpop", proof);
    }
    client.call(request.body(Bytes::new()).expect("a request")).await.status
}

#[tokio::test]
async fn a_stolen_token_is_worth_nothing() {
    let world = World::new().await;
    let wallet = world.wallet();
    let token = wallet.access_token("debits").await;
    let path = "/gateway/v1/debits/unknown";
    let good = || wallet.proof("GET", path, Some(&token));
    let dpop = format!("DPoP {token}");
    let thief = Client { proof_key: SigningKey::eddsa(&[9; 32]), ..world.wallet() };
    let used = good();
    assert_eq!(call(&wallet, path, &dpop, Some(&used)).await, StatusCode::NOT_FOUND, "the owner is let in");
    for (what, authorization, proof) in [
        ("as a bearer's", format!("Bearer {token}"), Some(good())),
        ("without a proof", dpop.clone(), None),
        ("with a proof shown before", dpop.clone(), Some(used)),
        ("with another key's proof", dpop.clone(), Some(thief.proof("GET", path, Some(&token)))),
        ("with a proof for no token", dpop.clone(), Some(wallet.proof("GET", path, None))),
        ("with a proof for another path", dpop.clone(), Some(wallet.proof("GET", "/gateway/v1/debits", Some(&token)))),
        ("with a proof for another method", dpop.clone(), Some(wallet.proof("POST", path, Some(&token)))),
        ("cut", dpop[..dpop.len() - 1].to_owned(), Some(good())),
        ("as an assertion", format!("DPoP {}", wallet.assertion()), Some(good())),
    ] {
        let status = call(&wallet, path, &authorization, proof.as_deref()).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "a token {what}");
    }
    let limited = wallet.access_token("events").await;
    let proof = wallet.proof("GET", path, Some(&limited));
    assert_eq!(call(&wallet, path, &format!("DPoP {limited}"), Some(&proof)).await, StatusCode::FORBIDDEN);
    world.clock.advance(600_000);
    assert_eq!(call(&wallet, path, &dpop, Some(&good())).await, StatusCode::UNAUTHORIZED, "after ten minutes");
}

#[tokio::test]
async fn a_token_that_is_remembered_ends_with_its_time_its_client_and_its_key() {
    let world = World::new().await;
    let wallet = world.wallet();
    let path = "/gateway/v1/debits/unknown";
    let shown = async |token: &str| {
        let proof = wallet.proof("GET", path, Some(token));
        call(&wallet, path, &format!("DPoP {token}"), Some(&proof)).await
    };
    let token = wallet.access_token("debits").await;
    assert_eq!(shown(&token).await, StatusCode::NOT_FOUND, "it is looked at, and remembered");
    world.clock.advance(599_999);
    assert_eq!(shown(&token).await, StatusCode::NOT_FOUND, "for as long as it is good");
    world.clock.advance(1);
    assert_eq!(shown(&token).await, StatusCode::UNAUTHORIZED, "and no longer, though it is remembered");
    let token = wallet.access_token("debits").await;
    assert_eq!(shown(&token).await, StatusCode::NOT_FOUND);
    let (head, claims) = token.rsplit_once('.').expect("a signature");
    let forged = format!("{head}.{}", claims.chars().rev().collect::<String>());
    assert_eq!(shown(&forged).await, StatusCode::UNAUTHORIZED, "it is remembered by all of its bytes");
    world.gateway.oauth().clients.forget(wallet.id);
    assert_eq!(shown(&token).await, StatusCode::UNAUTHORIZED, "whose client is gone, whatever is remembered");
}

#[tokio::test]
async fn keys_rotate_with_overlap_and_outlive_a_restart() {
    let world = World::new().await;
    let keys = |world: &World| {
        let set = world.gateway.oauth().issuer.jwks().to_value();
        set["keys"].as_array().expect("keys").iter().map(|key| key["kid"].to_string()).collect::<Vec<_>>()
    };
    let signer = |world: &World, now: Time| {
        let signed = world.gateway.oauth().issuer.sign("JWT", &json!({}), now);
        web::jose::Token::parse(&signed).expect("a token").header.key_id.expect("a key id")
    };
    let day = 86_400_000;
    let first = keys(&world);
    assert_eq!(first.len(), 1);
    world.clock.advance(83 * day);
    world.settle().await;
    let both = keys(&world);
    assert_eq!((both.len(), &both[0]), (2, &first[0]), "the next key is published before it signs");
    let now = world.clock.now();
    assert_eq!(format!("\"{}\"", signer(&world, now)), first[0]);
    world.clock.advance(7 * day);
    let world = world.restart().await;
    let now = world.clock.now();
    assert_eq!(keys(&world), both, "the old key stays for those who still hold its signatures");
    assert_eq!(format!("\"{}\"", signer(&world, now)), both[1]);
    world.clock.advance(7 * day);
    world.settle().await;
    assert_eq!(keys(&world), both[1..]);
}

#[tokio::test]
async fn clients_are_registered_by_the_desk_with_keys_that_may_be() {
    let world = World::new().await;
    let wallet = world.wallet();
    let new = SigningKey::eddsa(&[5; 32]);
    let settings = |jwks: Value| {
        json!({
            "client_id": "op_new",
            "name": {"ja": "新しい事業者", "en": "A new operator"},
            "redirect_uris": ["https://new.example/callback"],
            "jwks": {"keys": [jwks]},
        })
    };
    let post = async |body: Value, token: &str| {
        let request = Request::post(format!("{GATEWAY}/gateway/v1/clients"))
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"));
        wallet.call(request.body(Bytes::from(body.to_string())).expect("a request")).await
    };
    let good = settings(new.public().to_value());
    assert_eq!(post(good.clone(), "guess").await.status, StatusCode::UNAUTHORIZED);
    let with = |name: &str, value: Value| {
        let mut changed = good.clone();
        changed[name] = value;
        changed
    };
    for (body, status, kind) in [
        (settings(json!({"kty": "oct", "k": "AAAA"})), 422, "/problems/client-key"),
        (settings(new.to_private_jwk()), 422, "/problems/client-key"),
        (settings(json!({"kty": "RSA", "n": "AAAA", "e": "AQAB"})), 422, "/problems/client-key"),
        (with("jwks", json!({"keys": []})), 422, "/problems/client-key"),
        (with("redirect_uris", json!(["http://new.example/callback"])), 422, "/problems/client-settings"),
        (with("redirect_uris", json!(["https://u:p@new.example/"])), 422, "/problems/client-settings"),
        (with("redirect_uris", json!([])), 422, "/problems/client-settings"),
        (with("client_id", json!("op_wallet")), 409, "/problems/client-taken"),
        (with("client_id", json!("Op New")), 400, "/problems/malformed"),
        (with("extra", json!(1)), 400, "/problems/malformed"),
    ] {
        let answer = post(body.clone(), "desk-secret").await;
        assert_eq!((answer.status.as_u16(), &answer.body["type"]), (status, &json!(kind)), "{body}");
    }
    assert_eq!(post(good.clone(), "desk-secret").await.status, StatusCode::CREATED);
    assert_eq!(post(good, "desk-secret").await.status, StatusCode::CREATED, "a repeat changes nothing");
    let world = world.restart().await;
    let known = Client { id: "op_new", key: new, ..world.wallet() };
    assert_eq!(credentials(&known, Form::new()).await.0, StatusCode::OK, "who was registered stays so");
}

fn key_of_new(seed: u8) -> SigningKey {
    SigningKey::eddsa(&[seed; 32])
}

/// Whoever shows `token` writes the new operator with this key: the status.
async fn write_new(world: &World, seed: u8, token: &str) -> u16 {
    write_keys(world, &[seed], token).await
}

/// The same with several keys.
async fn write_keys(world: &World, seeds: &[u8], token: &str) -> u16 {
    let keys: Vec<Value> = seeds.iter().map(|seed| key_of_new(*seed).public().to_value()).collect();
    let body = json!({
        "client_id": "op_new",
        "name": {"ja": "新しい事業者", "en": "A new operator"},
        "redirect_uris": ["https://new.example/callback"],
        "jwks": {"keys": keys},
    });
    let request = Request::post(format!("{GATEWAY}/gateway/v1/clients"))
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"));
    world.wallet().call(request.body(Bytes::from(body.to_string())).expect("a request")).await.status.as_u16()
}

/// Whether the new operator comes in with this key.
async fn is_in_force(world: &World, seed: u8) -> bool {
    let client = Client { id: "op_new", key: key_of_new(seed), ..world.wallet() };
    credentials(&client, Form::new()).await.0 == StatusCode::OK
}

#[tokio::test]
async fn a_registered_clients_keys_change_by_the_word_of_two() {
    let mut world = World::new().await;
    let (abe, ono) = ("desk-secret", "desk-other");
    assert_eq!(write_new(&world, 1, abe).await, 201);
    // Who writes which key, and whether that is in force.
    for (seed, token, status) in [
        (2, abe, 202),
        (2, abe, 202),
        // Another key is another proposal, and ends the one before it.
        (3, ono, 202),
        (2, abe, 202),
        (2, ono, 201),
    ] {
        assert_eq!(write_new(&world, seed, token).await, status, "{seed} by {token}");
        let in_force = (is_in_force(&world, 1).await, is_in_force(&world, 2).await);
        assert_eq!(in_force, (status == 202, status == 201), "{seed} by {token}");
        world = world.restart().await;
    }
    assert_eq!(write_new(&world, 3, abe).await, 202);
    world.clock.advance(24 * 3_600_000);
    assert_eq!(write_new(&world, 3, ono).await, 202, "what nobody else wanted for a day is forgotten");
    assert_eq!(write_new(&world, 3, abe).await, 201);
}

#[tokio::test]
async fn a_token_ends_with_the_key_by_which_its_client_had_proven_itself() {
    let world = World::new().await;
    let (abe, ono) = ("desk-secret", "desk-other");
    let path = "/gateway/v1/debits/unknown";
    let client = |seed: u8| Client { id: "op_new", key: key_of_new(seed), ..world.wallet() };
    let shown = async |token: &str| {
        let proof = client(1).proof("GET", path, Some(token));
        call(&client(1), path, &format!("DPoP {token}"), Some(&proof)).await
    };
    assert_eq!(write_keys(&world, &[1], abe).await, 201);
    let old = client(1).access_token("debits").await;
    assert_eq!(shown(&old).await, StatusCode::NOT_FOUND);
    for (token, status) in [(abe, 202), (ono, 201)] {
        assert_eq!(write_keys(&world, &[1, 2], token).await, status);
    }
    assert_eq!(shown(&old).await, StatusCode::NOT_FOUND, "while keys overlap, both are good");
    let new = client(2).access_token("debits").await;
    for (token, status) in [(abe, 202), (ono, 201)] {
        assert_eq!(write_keys(&world, &[2], token).await, status);
    }
    assert_eq!(shown(&old).await, StatusCode::UNAUTHORIZED, "its key was replaced");
    assert_eq!(shown(&new).await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_metadata_says_what_is_offered() {
    let world = World::new().await;
    let request = Request::get(format!("{GATEWAY}/.well-known/oauth-authorization-server"));
    let metadata = world.wallet().call(request.body(Bytes::new()).expect("a request")).await.body;
    assert_eq!(metadata["issuer"], GATEWAY);
    assert_eq!(metadata["require_pushed_authorization_requests"], true);
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    assert_eq!(metadata["token_endpoint_auth_methods_supported"], json!(["private_key_jwt"]));
    assert_eq!(metadata["dpop_signing_alg_values_supported"], json!(["PS256", "ES256", "EdDSA"]));
}
