//! Rates: whoever asks too much is told to wait, and nobody else is.

use super::client::Client;
use super::world::{GATEWAY, World};
use crate::options::Rates;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use std::net::IpAddr;
use web::{Bounds, Source, Transport};

/// A call of `path`: its status and headers.
async fn call(world: &World, method: Method, path: &str, headers: &[(&str, &str)], place: u8) -> (u16, HeaderMap) {
    let mut request = Request::builder().method(method).uri(format!("{GATEWAY}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let source = Source(IpAddr::from([192, 0, 2, place]));
    let request = request.extension(source).body(Bytes::new()).expect("a request");
    let answer = world.routers.call(request, Bounds::default()).await.expect("an answer");
    (answer.status().as_u16(), answer.headers().clone())
}

fn limit<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn token(client: &Client<'_>) -> (StatusCode, String) {
    let form = [("grant_type", "client_credentials"), ("scope", "mandates")];
    let form = form.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let proof = client.proof("POST", "/gateway/v1/token", None);
    let answer = client.post("/gateway/v1/token", &form, Some(&proof)).await;
    (answer.status, answer.body["error"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn an_operator_that_calls_too_often_waits_and_another_one_does_not() {
    let world = World::with_rates(Rates { operator_max: 5, ..Rates::default() }).await;
    let (wallet, stranger) = (world.wallet(), world.stranger());
    // Whoever only claims to be the operator uses up nothing of it.
    let pretender = Client { key: stranger.key.clone(), ..world.wallet() };
    for _ in 0..10 {
        assert_eq!(token(&pretender).await, (StatusCode::UNAUTHORIZED, "invalid_client".to_owned()));
    }
    let access = wallet.access_token("mandates").await;
    let path = "/gateway/v1/mandates";
    let ask = async |client: &Client<'_>, access: &str| {
        let (authorization, proof) = (format!("DPoP {access}"), client.proof("GET", path, Some(access)));
        call(&world, Method::GET, path, &[("authorization", &authorization), ("dpop", &proof)], 1).await
    };
    let (status, headers) = ask(&wallet, &access).await;
    assert_eq!((status, limit(&headers, "ratelimit-policy")), (200, "\"operator\";q=5"));
    assert!(limit(&headers, "ratelimit").starts_with("\"operator\";r=3;"), "{headers:?}");
    for _ in 0..3 {
        wallet.push("0125").await;
    }
    let (status, headers) = ask(&wallet, &access).await;
    assert_eq!((status, limit(&headers, "retry-after").is_empty()), (429, false), "{headers:?}");
    assert!(limit(&headers, "ratelimit").starts_with("\"operator\";r=0;"), "{headers:?}");
    assert_eq!(token(&wallet).await, (StatusCode::TOO_MANY_REQUESTS, "too_many_requests".to_owned()));
    let pushed = wallet.post("/gateway/v1/par", &wallet.asking("0125"), None).await;
    assert_eq!(pushed.status, StatusCode::TOO_MANY_REQUESTS);
    let other = stranger.access_token("mandates").await;
    assert_eq!(ask(&stranger, &other).await.0, 200);
    world.clock.advance(60_000);
    assert_eq!(ask(&wallet, &access).await.0, 200, "a minute later");
}

#[tokio::test]
async fn a_place_a_person_of_a_desk_and_a_bank_each_use_up_their_own() {
    let rates = Rates { browser_max: 3, desk_max: 2, bank_max: 2, source_max: 20, ..Rates::default() };
    let world = World::with_rates(rates).await;
    let get = async |path: &str, shows: &str, place| {
        let shows = format!("Bearer {shows}");
        call(&world, Method::GET, path, &[("authorization", &shows)], place).await
    };
    for path in ["/", "/link", "/not-me"] {
        assert!(get(path, "", 1).await.0 < 429, "{path}");
    }
    let (status, headers) = get("/confirm", "", 1).await;
    assert_eq!((status, limit(&headers, "ratelimit-policy")), (429, "\"browser\";q=3"));
    assert!(!limit(&headers, "retry-after").is_empty() && limit(&headers, "content-type").starts_with("text/html"));
    assert_eq!(get("/confirm", "", 2).await.0, 200, "elsewhere");
    for (mine, others, path) in [
        ("desk-secret", "desk-other", "/gateway/v1/findings"),
        ("desk-0125", "desk-0009", "/bank/v1/factors"),
        ("secret-0125", "secret-0009", "/gateway/v1/bank-attempts/0125/key"),
    ] {
        let path_of_others = path.replace("0125", "0009");
        assert_eq!((get(path, mine, 1).await.0, get(path, mine, 1).await.0), (200, 200), "{path}");
        let (status, headers) = get(path, mine, 2).await;
        assert_eq!((status, limit(&headers, "retry-after").is_empty()), (429, false), "{path}");
        assert_eq!(get(&path_of_others, others, 1).await.0, 200, "{path}");
    }
    // Nine calls came from the first place, and whoever is not known uses up the rest.
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(get("/bank/v1/factors", "nobody", 1).await.0);
    }
    assert_eq!((statuses[10], statuses[11]), (401, 429), "{statuses:?}");
    assert_eq!(get("/bank/v1/factors", "nobody", 3).await.0, 401, "elsewhere");
}
