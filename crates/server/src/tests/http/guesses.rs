//! Who guesses, floods or asks on and on: bounded, without shutting out whoever they do it to; and nobody learns by it
//! whether an address is known.

use super::world::{Answer, ORIGIN, RATES, World, mail, password, somebody};
use crate::Rates;
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

/// A closure is asked for, and the challenge that this takes is begun. Its path, and what beginning it was answered.
async fn challenged(world: &World, token: &str, wallet: &str) -> (String, Answer) {
    let asked = world.post(&format!("{wallet}/closure"), Some(token), json!({})).await;
    let path = format!("/v1/challenges/{}", asked.text("challenge_id"));
    let begun = world.post(&path, Some(token), json!({})).await;
    (path, begun)
}

async fn natsu(world: &World) -> (String, String) {
    world.join("natsu").await;
    let token = world.log_in("natsu").await;
    let wallet = world.post("/v1/wallets", Some(&token), json!({})).await;
    (token, format!("/v1/wallets/{}", wallet.text("id")))
}

#[tokio::test]
async fn wrong_codes_are_counted_for_the_holder_whatever_they_were_asked_for() {
    let mut world = World::new();
    let (token, wallet) = natsu(&world).await;
    for _ in 0..2 {
        let (path, begun) = challenged(&world, &token, &wallet).await;
        assert_eq!(begun.status, 200, "{}", begun.text);
        for _ in 0..5 {
            let wrong = world.post(&path, Some(&token), json!({ "code": "1" })).await;
            assert_eq!(wrong.problem(), (422, "code-refused"));
        }
    }
    let (_, begun) = challenged(&world, &token, &wallet).await;
    assert_eq!(begun.problem(), (429, "too-many-codes"), "a third challenge gives no further tries");
    world.restart(false);
    let (_, begun) = challenged(&world, &token, &wallet).await;
    assert_eq!(begun.problem(), (429, "too-many-codes"), "nor does a restart");
    world.advance(60 * 60 * 1_000);
    let (path, begun) = challenged(&world, &token, &wallet).await;
    assert_eq!(begun.status, 200, "an hour later: {}", begun.text);
    let code = json!({ "code": world.inbox.code(&mail("natsu")) });
    assert_eq!(world.post(&path, Some(&token), code).await.text("status"), "approved");
}

#[tokio::test]
async fn one_code_is_sent_to_an_address_whoever_asks_and_opens_what_its_reader_asked_for() {
    let world = World::new();
    let victim = json!({ "phone": "09012345678" });
    let mut last = None;
    for name in ["haru", "natsu", "aki"] {
        let id = world.join(name).await;
        let token = world.log_in(name).await;
        let path = format!("/v1/holders/{id}/phone-verification");
        for _ in 0..5 {
            let asked = world.prove(name, &token, &path, &victim).await;
            assert_eq!(asked.status, 202, "{}", asked.text);
        }
        for _ in 0..11 {
            let wrong = world.post(&format!("{path}/confirm"), Some(&token), json!({ "code": "123456789012" })).await;
            assert_eq!(wrong.problem(), (422, "code-refused"));
        }
        last = Some((path, token));
    }
    world.letters().await;
    assert_eq!(world.inbox.texts("+819012345678").len(), 1);
    let code = json!({ "code": world.inbox.code("+819012345678") });
    let (path, token) = last.expect("somebody asked");
    let late = world.post(&format!("{path}/confirm"), Some(&token), code.clone()).await;
    assert_eq!(late.problem(), (422, "code-refused"), "who tried ten is done for the day");
    let id = world.join("fuyu").await;
    let token = world.log_in("fuyu").await;
    let path = format!("/v1/holders/{id}/phone-verification");
    let asked = world.prove("fuyu", &token, &path, &victim).await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    assert_eq!(world.post(&format!("{path}/confirm"), Some(&token), code).await.status, 204, "its reader is not");
    world.letters().await;
    assert_eq!(world.inbox.texts("+819012345678").len(), 1);
}

#[tokio::test]
async fn a_strangers_noise_keeps_nobody_from_opening_a_wallet_with_their_own_address() {
    let world = World::new();
    let open = async || {
        let opened = world.post("/v1/holders", None, somebody("sakura")).await;
        world.letters().await;
        format!("/v1/holders/{}/email-verification", opened.text("id"))
    };
    for place in 1..30 {
        let path = open().await;
        for _ in 0..11 {
            let wrong = world.post_at([10, 0, place, 7].into(), &path, None, &json!({ "code": "123456789012" })).await;
            assert_eq!(wrong.problem(), (422, "code-refused"));
        }
    }
    assert_eq!(world.inbox.texts(&mail("sakura")).len(), 1, "one code an hour, whoever asks");
    let (path, code) = (open().await, json!({ "code": world.inbox.code(&mail("sakura")) }));
    assert_eq!(world.post(&path, None, code.clone()).await.status, 204, "it is its reader's");
    assert_eq!(world.post(&open().await, None, code).await.problem(), (422, "code-refused"), "once");
    for _ in 0..100 {
        world.post_from(9, &path, None, &json!({ "code": "1" })).await;
    }
    let more = world.post_from(9, &path, None, &json!({ "code": "1" })).await;
    assert_eq!(more.problem(), (429, "too-many-codes"), "one network has a hundred tries a day at an address");
}

#[tokio::test]
async fn who_floods_the_entrance_is_refused_before_a_password_is_hashed_and_nobody_else() {
    let world = World::with_rates(Rates { entrance_max: 5, ..RATES });
    world.join("sakura").await;
    let tried = async |place: u8, name: &str, word: &str| {
        let body = log_in(&mail(name), word, None);
        world.post_from(place, "/v1/sessions", None, &body).await
    };
    for number in 0..5 {
        assert_eq!(tried(1, &format!("nobody{number}"), "wrong word").await.status, 401);
    }
    let right = password("sakura");
    let refused = tried(1, "sakura", &right).await;
    assert_eq!(refused.problem(), (429, "too-many-requests"), "{}", refused.text);
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(tried(2, "sakura", &right).await.status, 201);
}

/// A recovery that is asked for from the network 10.0.`network`.0/24; its path.
async fn recovery(world: &World, network: u8, email: &str) -> String {
    let body = json!({ "email": email });
    let asked = world.post_at([10, 0, network, 7].into(), "/v1/recoveries", None, &body).await;
    assert_eq!((asked.status.as_u16(), asked.text("status").as_str()), (202, "code_sent"), "{}", asked.text);
    format!("/v1/recoveries/{}", asked.text("id"))
}

fn new_password(code: &str) -> Value {
    json!({ "code": code, "password": "新しい合言葉 99" })
}

#[tokio::test]
async fn a_strangers_noise_keeps_nobody_from_a_lost_password() {
    let mut world = World::new();
    world.join("sakura").await;
    let before = world.inbox.texts(&mail("sakura")).len();
    for network in 0..60 {
        for email in [mail("sakura"), "nobody@example.jp".into()] {
            let path = recovery(&world, network, &email).await;
            world.letters().await;
            for _ in 0..6 {
                let wrong = world.post(&path, None, new_password("123456789012")).await;
                assert_eq!(wrong.problem(), (422, "code-refused"), "every one is answered the same");
            }
        }
    }
    assert!(world.inbox.texts("nobody@example.jp").is_empty());
    assert_eq!(world.inbox.texts(&mail("sakura")).len() - before, 1, "one code an hour, whoever asks");
    world.restart(false);
    let path = recovery(&world, 200, &mail("sakura")).await;
    world.letters().await;
    let code = world.inbox.code(&mail("sakura"));
    let set = world.post(&path, None, new_password(&code)).await;
    assert_eq!(set.status, 204, "the code that came opens the holder's own recovery: {}", set.text);
    let again = recovery(&world, 201, &mail("sakura")).await;
    assert_eq!(world.post(&again, None, new_password(&code)).await.problem(), (422, "code-refused"), "once");
    world.letters().await;
    assert_ne!(world.inbox.code(&mail("sakura")), code, "for the next one there is another");
}

#[tokio::test]
async fn a_recovery_has_five_tries_and_a_network_twenty_recoveries_of_an_address_a_day() {
    let world = World::new();
    world.join("sakura").await;
    let path = recovery(&world, 1, &mail("sakura")).await;
    world.letters().await;
    let code = world.inbox.code(&mail("sakura"));
    for _ in 0..5 {
        assert_eq!(world.post(&path, None, new_password("123456789012")).await.problem(), (422, "code-refused"));
    }
    assert_eq!(
        world.post(&path, None, new_password(&code)).await.problem(),
        (422, "code-refused"),
        "even the right one"
    );
    for email in [mail("sakura"), "nobody@example.jp".into()] {
        let left = if email == mail("sakura") { 19 } else { 20 };
        for _ in 0..left {
            recovery(&world, 1, &email).await;
        }
        let body = json!({ "email": email });
        let refused = world.post_at([10, 0, 1, 99].into(), "/v1/recoveries", None, &body).await;
        assert_eq!(refused.problem(), (429, "too-many-recoveries"), "{email}");
        assert!(refused.headers.contains_key("retry-after"));
    }
    let elsewhere = recovery(&world, 2, &mail("sakura")).await;
    assert_eq!(world.post(&elsewhere, None, new_password(&code)).await.status, 204);
}

#[tokio::test]
async fn one_address_is_not_written_to_at_every_strangers_wish() {
    let world = World::new();
    for _ in 0..40 {
        assert_eq!(world.post("/v1/holders", None, somebody("haru")).await.status, 201);
    }
    world.letters().await;
    assert_eq!(world.inbox.texts(&mail("haru")).len(), 1, "an address that opens nothing yet");
    world.join("sakura").await;
    let before = world.inbox.texts(&mail("sakura")).len();
    for _ in 0..40 {
        assert_eq!(world.post("/v1/holders", None, somebody("sakura")).await.status, 201);
    }
    world.letters().await;
    assert_eq!(world.inbox.texts(&mail("sakura")).len() - before, 3, "one that logs somebody in");
}

fn log_in(email: &str, password: &str, code: Option<&str>) -> Value {
    let mut body = json!({ "email": email, "password": password });
    if let Some(code) = code {
        body["code"] = code.into();
    }
    body
}

#[tokio::test]
async fn who_tries_passwords_locks_nobody_out_and_gets_no_further() {
    let mut world = World::with_rates(Rates { login_max: 10, ..RATES });
    world.join("sakura").await;
    let (right, email) = (password("sakura"), mail("sakura"));
    for try_number in 0..11 {
        let tried = world.post_from(1, "/v1/sessions", None, &log_in(&email, "wrong word", None)).await;
        let expected = if try_number < 10 { (401, "log-in-refused") } else { (429, "too-many-requests") };
        assert_eq!(tried.problem(), expected);
    }
    let holder = world.post_from(2, "/v1/sessions", None, &log_in(&email, &right, None)).await;
    assert_eq!(holder.status, 201, "a flood from elsewhere shuts nobody out: {}", holder.text);
    for place in 3..60 {
        for email in [&email, "nobody@example.jp"] {
            world.post_from(place, "/v1/sessions", None, &log_in(email, "wrong word", None)).await;
        }
    }
    world.restart(false);
    // From here on a login takes a code as well; who guesses sees no difference between right and wrong.
    let asked = |place, email, password, code| {
        let (world, body) = (&world, log_in(email, password, code));
        async move { world.post_from(place, "/v1/sessions", None, &body).await }
    };
    let mut answers = vec![
        asked(100, "nobody@example.jp", "wrong word", None).await,
        asked(100, "nobody@example.jp", "wrong word", Some("12345678")).await,
        asked(101, &email, "wrong word", None).await,
        asked(101, &email, "wrong word", Some("12345678")).await,
    ];
    world.letters().await;
    let letters = world.inbox.texts(&email).len();
    answers.push(asked(102, &email, &right, None).await);
    answers.push(asked(102, &email, &right, Some("12345678")).await);
    for answer in &answers {
        assert_eq!(answer.problem(), (403, "step-up-required"));
        assert_eq!(answer.body, answers[0].body);
    }
    world.letters().await;
    assert_eq!(world.inbox.texts(&email).len(), letters + 1, "a code goes to whoever knows the password alone");
    let code = world.inbox.code(&email);
    assert_eq!(asked(103, &email, "wrong word", Some(&code)).await.problem(), (403, "step-up-required"));
    let entered = asked(104, &email, &right, Some(&code)).await;
    assert_eq!(entered.status, 201, "{}", entered.text);
    assert_eq!(
        asked(104, &email, &right, Some(&code)).await.problem(),
        (403, "step-up-required"),
        "a code is used once"
    );
    world.advance(24 * 60 * 60 * 1_000);
    assert_eq!(asked(105, &email, &right, None).await.status, 201, "a day later all is as before");
}

#[tokio::test]
async fn how_many_codes_were_typed_tells_nobody_whether_an_address_is_known() {
    let world = World::new();
    world.join("natsu").await;
    for name in ["natsu", "haru"] {
        let mut paths = Vec::new();
        for _ in 0..2 {
            let opened = world.post("/v1/holders", None, somebody(name)).await;
            paths.push(format!("/v1/holders/{}/email-verification", opened.text("id")));
        }
        for number in 0..100 {
            if number % 20 == 0 {
                world.advance(60_000);
            }
            let wrong = world.post(&paths[0], None, json!({ "code": "123456789012" })).await;
            assert_eq!(wrong.problem(), (422, "code-refused"), "{name}, try {number}");
        }
        let full = world.post(&paths[0], None, json!({ "code": "123456789012" })).await;
        assert_eq!(full.problem(), (429, "too-many-codes"), "{name}");
        let other = world.post(&paths[1], None, json!({ "code": "123456789012" })).await;
        assert_eq!(other.problem(), (422, "code-refused"), "{name}: one holder's tries are not another's");
    }
}

#[tokio::test]
async fn nobody_uses_up_what_is_anothers() {
    let world = World::with_rates(Rates { source_max: 20, caller_max: 30, ..RATES });
    let id = world.join("sakura").await;
    let token = world.log_in("sakura").await;
    let (_, till) = world.shop("Soba").await;
    let get = async |place: u8, token: Option<&str>, path: &str| {
        let mut request = Request::get(format!("{ORIGIN}{path}")).extension(web::Source([192, 0, 2, place].into()));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        world.send(request.body(Bytes::new()).expect("a request")).await
    };
    for known in [&token, &till] {
        get(6, Some(known), "/v1/payments").await;
    }
    world.advance(60_000);
    // A flood under made-up tokens, and under the names of those whom it is to hit.
    for number in 0..40 {
        for named in [&id, &format!("{token}x"), &format!("made-up-{number}"), &"desk".to_owned()] {
            get(7, Some(named), "/v1/sessions").await;
        }
    }
    let refused = get(7, None, "/v1/banks").await;
    assert_eq!(refused.problem(), (429, "too-many-requests"), "the flood's source is full");
    assert!(refused.headers.contains_key("ratelimit"), "a refusal says how much is left, too");
    assert_eq!(get(7, Some(&token), "/v1/sessions").await.status, 200, "its neighbours who are known come through");
    assert_eq!(get(8, Some(&till), "/v1/payments").await.status, 200);
    assert_eq!(get(8, None, "/v1/banks").await.headers["ratelimit"].to_str().ok(), Some("\"source\";r=19;t=60"));
    for _ in 0..40 {
        get(9, Some(&till), "/v1/payments").await;
    }
    assert_eq!(get(10, Some(&till), "/v1/payments").await.problem(), (429, "too-many-requests"), "a caller's own");
    assert_eq!(get(9, Some(&token), "/v1/sessions").await.status, 200, "is not another's");
    assert_eq!(get(9, None, "/v1/banks").await.headers["ratelimit"].to_str().ok(), Some("\"source\";r=19;t=60"));
}
