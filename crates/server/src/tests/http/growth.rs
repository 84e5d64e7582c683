//! What callers make grow: keys of people, answers that are kept, challenges, codes, messages. Each has its bound, and what was
//! refused leaves nothing.

use super::till::Person;
use super::world::{World, mail, somebody};
use crate::asked::Done;
use serde_json::{Value, json};
use wallet::HolderId;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

fn kept(world: &World) -> u64 {
    world.server.service().doors.count::<Done>().expect("they are counted")
}

#[tokio::test]
async fn what_was_refused_leaves_no_key_of_anybody() {
    let world = World::new();
    world.join("sakura").await;
    let sakura = world.keys_of_people();
    // Decoys, each from its own network: the address is another's already.
    for network in 0..20 {
        let opened = world.post_at([10, 0, network, 7].into(), "/v1/holders", None, &somebody("sakura")).await;
        assert_eq!(opened.status, 201, "{}", opened.text);
    }
    world.letters().await;
    world.advance(2 * 60 * 60 * 1_000);
    world.run_due().await;
    assert_eq!(world.keys_of_people(), sakura, "who became no holder has no key");
    let claim =
        |number: u8| json!({ "bank_code": "0125", "dates": ["2026-01-01"], "contact": format!("{number}@example.jp") });
    for number in 0..60 {
        let made = world.post("/v1/claims", None, claim(number)).await;
        assert_eq!(made.status.as_u16(), if number < 50 { 201 } else { 429 }, "{}", made.text);
    }
    assert_eq!(world.keys_of_people(), (sakura.0 + 50, sakura.1 + 50), "what was refused was never sealed");
    world.credential("sakura").await;
}

#[tokio::test]
async fn a_claim_that_is_forgotten_takes_its_key_along() {
    let world = World::new();
    let before = world.keys_of_people();
    let claim = json!({ "bank_code": "0125", "dates": ["2026-01-01"], "contact": "090-0000-0000" });
    let made = world.post("/v1/claims", None, claim).await;
    assert_eq!(world.keys_of_people(), (before.0 + 1, before.1 + 1));
    let decided = json!({ "accept": false, "answer": "お客さまの取引でした。" });
    let path = format!("/claims/{}/decision", made.text("id"));
    assert_eq!(super::desk::call(&world, "POST", &path, "desk-4", Some(decided)).await.status, 200);
    world.advance(401 * DAY_MS);
    world.run_due().await;
    assert_eq!(world.keys_of_people(), before);
}

#[tokio::test]
async fn whoever_never_answered_is_erased_and_whoever_did_is_not_even_after_a_crash() {
    let world = World::new();
    for name in ["sakura", "haru"] {
        assert_eq!(world.post("/v1/holders", None, somebody(name)).await.status, 201);
    }
    let natsu: HolderId = world.join("natsu").await.parse().expect("an id");
    let service = world.server.service();
    // The books know that she answered, and a crash kept it from being noted.
    let credential = service.doors.get::<crate::accounts::Credential>(natsu.0).expect("the doors open");
    let unverified_until = Some(world.now());
    let unnoted = crate::accounts::Credential { unverified_until, ..credential.expect("hers") };
    service.doors.put(&unnoted).expect("it is kept");
    let before = world.keys_of_people();
    world.advance(32 * DAY_MS);
    world.run_due().await;
    assert_eq!(world.keys_of_people(), (before.0, before.1 - 2), "two keys are destroyed, and never made again");
    let row = service.holder(natsu).await.expect("she is there");
    assert!(service.unseal(natsu, &row.profile.0).is_ok(), "hers opens");
    world.log_in("natsu").await;
    // Nobody's name and birth date are left of the others, and the address is free.
    world.join("sakura").await;
}

#[tokio::test]
async fn nobody_answers_for_a_holder_whose_time_is_over() {
    let world = World::new();
    let opened = world.post("/v1/holders", None, somebody("sakura")).await;
    world.letters().await;
    let texts = world.inbox.texts(&mail("sakura")).len();
    world.advance(30 * DAY_MS);
    let path = format!("/v1/holders/{}/email-verification/codes", opened.text("id"));
    assert_eq!(world.post(&path, None, json!({})).await.status, 202, "whether there is anybody is not told");
    world.letters().await;
    assert_eq!(world.inbox.texts(&mail("sakura")).len(), texts, "no code is sent any more");
}

#[tokio::test]
async fn a_session_asks_for_so_many_proofs_and_a_holder_for_not_many_more() {
    let world = World::new();
    let sakura = world.person("sakura").await;
    let path = sakura.path("/closure");
    let ask = async |token: &str| world.post(&path, Some(token), json!({})).await;
    for _ in 0..60 {
        assert_eq!(ask(&sakura.token).await.problem(), (403, "step-up-required"));
    }
    let refused = ask(&sakura.token).await;
    assert_eq!(refused.problem(), (429, "too-many-challenges"), "{}", refused.text);
    assert!(refused.headers.contains_key("retry-after"));
    for _ in 1..5 {
        let token = world.log_in("sakura").await;
        for _ in 0..60 {
            assert_eq!(ask(&token).await.problem(), (403, "step-up-required"), "another session may still");
        }
    }
    let token = world.log_in("sakura").await;
    assert_eq!(ask(&token).await.problem(), (429, "too-many-challenges"), "three hundred a day in all");
    world.advance(DAY_MS);
    let token = world.log_in("sakura").await;
    assert_eq!(ask(&token).await.problem(), (403, "step-up-required"), "a day later it may be asked again");
}

/// A challenge of `person`'s, answered by the vendor as it is told to; where it is answered.
async fn challenge(world: &World, person: &Person) -> String {
    let asked = world.post(&person.path("/closure"), Some(&person.token), json!({})).await;
    format!("/v1/challenges/{}", asked.text("challenge_id"))
}

#[tokio::test]
async fn where_nothing_happens_no_answer_is_kept() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let asked = world.post(&format!("{wallet}/closure"), Some(&token), json!({})).await;
    let path = format!("/v1/challenges/{}", asked.text("challenge_id"));
    let before = kept(&world);
    world.vendor.says("pending");
    for _ in 0..10 {
        assert_eq!(world.post(&path, Some(&token), json!({})).await.text("status"), "pending");
    }
    assert_eq!(kept(&world), before, "the vendor has said nothing");
    world.vendor.says("approved");
    for _ in 0..10 {
        assert_eq!(world.post(&path, Some(&token), json!({})).await.text("status"), "approved");
    }
    assert_eq!(kept(&world), before + 1, "one answer of one challenge");
    let (_, till) = world.shop("Soba").await;
    let hook = json!({ "url": "http://shop.localhost/hooks", "events": ["*"] });
    let endpoint = world.post("/v1/webhook-endpoints", Some(&till), hook).await.text("id");
    for _ in 0..10 {
        let path = format!("/v1/webhook-endpoints/{endpoint}/enable");
        assert_eq!(world.post(&path, Some(&till), json!({})).await.text("status"), "enabled");
    }
    assert_eq!(kept(&world), before + 1, "it was enabled already");
}

#[tokio::test]
async fn a_code_by_mail_is_sent_once_for_a_key_however_often_it_is_repeated() {
    let world = World::new();
    let sakura = world.person("sakura").await;
    let path = challenge(&world, &sakura).await;
    let key = world.key();
    let texts = || world.inbox.texts(&mail("sakura")).len();
    world.letters().await;
    let (before, answers) = (texts(), kept(&world));
    for _ in 0..5 {
        let answer = world.post_with(&path, Some(&sakura.token), &key, &json!({})).await;
        assert_eq!(answer.text("status"), "pending");
    }
    world.letters().await;
    assert_eq!(texts(), before + 1);
    world.advance(3 * DAY_MS);
    world.run_due().await;
    assert_eq!(kept(&world), answers, "what can be repeated no more is not kept for a year");
}

#[tokio::test]
async fn a_day_has_so_many_payment_codes_and_messages_sent_again() {
    let world = World::new();
    let sakura = world.person("sakura").await;
    let service = world.server.service();
    for _ in 0..1_000 {
        service.count_payment_code(sakura.holder).expect("it may be made");
    }
    let refused = world.post(&sakura.path("/payment-codes"), Some(&sakura.token), json!({})).await;
    assert_eq!(refused.problem(), (429, "too-many-requests"), "{}", refused.text);
    let haru = world.person("haru").await;
    world.code(&haru).await;

    let (shop, till) = world.shop("Soba").await;
    let hook = json!({ "url": "http://shop.localhost/hooks", "events": ["*"] });
    let endpoint = world.post("/v1/webhook-endpoints", Some(&till), hook).await.text("id");
    world.give(&haru, 100).await;
    let pay = json!({ "shop_id": shop.to_string(), "amount": 100 });
    assert_eq!(world.post(&haru.path("/payments"), Some(&haru.token), pay).await.status, 201);
    world.run_due().await;
    let listed = world.get(&format!("/v1/webhook-endpoints/{endpoint}/deliveries"), Some(&till)).await;
    let delivery = listed.body["data"][0]["id"].as_str().expect("a delivery").to_owned();
    let path = format!("/v1/webhook-endpoints/{endpoint}/deliveries/{delivery}/redeliveries");
    let key = world.key();
    assert_eq!(world.post_with(&path, Some(&till), &key, &json!({})).await.status, 202);
    for _ in 1..300 {
        assert_eq!(world.post(&path, Some(&till), json!({})).await.status, 202);
    }
    let refused = world.post(&path, Some(&till), json!({})).await;
    assert_eq!(refused.problem(), (429, "too-many-redeliveries"), "{}", refused.text);
    assert_eq!(world.post_with(&path, Some(&till), &key, &json!({})).await.status, 202, "a repeat is no further one");
}

#[tokio::test]
async fn a_strangers_short_key_takes_nobody_elses() {
    let world = World::new();
    let post = async |place: u8, path: &str, key: &str, body: &Value| {
        world.post_keyed([10, 0, place, 7].into(), path, key, body).await
    };
    for (place, name) in [(1, "sakura"), (2, "haru"), (3, "natsu")] {
        let opened = post(place, "/v1/holders", "1", &somebody(name)).await;
        assert_eq!(opened.status, 201, "{name}: {}", opened.text);
        let asked = post(place, "/v1/recoveries", "1", &json!({ "email": mail(name) })).await;
        assert_eq!(asked.status, 202, "{name}: {}", asked.text);
    }
    let reused = post(1, "/v1/holders", "1", &somebody("aki")).await;
    assert_eq!(reused.problem(), (422, "idempotency-key-reused"), "one caller's key is for one request");
    // Whoever changes networks and repeats has asked once.
    let uuid = "0198c1de-7a54-7cc1-8f2e-0d6b3b1f9a10";
    let claim = json!({ "bank_code": "0125", "dates": ["2026-01-01"], "contact": "090-0000-0000" });
    let (here, there) = (post(4, "/v1/claims", uuid, &claim).await, post(5, "/v1/claims", uuid, &claim).await);
    assert_eq!((here.status, here.text("id"), here.text("code")), (there.status, there.text("id"), there.text("code")));
    let other = json!({ "bank_code": "0125", "dates": ["2026-01-01"], "contact": "somebody else" });
    assert_eq!(post(5, "/v1/claims", uuid, &other).await.problem(), (422, "idempotency-key-reused"));
    let (here, there) = (post(4, "/v1/claims", "1", &claim).await, post(5, "/v1/claims", "1", &claim).await);
    assert_ne!(here.text("code"), there.text("code"), "who comes upon the same short key reads nobody's answer");
}

#[tokio::test]
async fn a_flood_is_swept_in_slices() {
    let world = World::new();
    let service = world.server.service();
    let put = |number: u128| {
        let ends = domain::Time::from_milliseconds(1);
        service.doors.put(&crate::api::SeenProof::new(domain::Id::from_number(number), ends))
    };
    (1..=1_200).try_for_each(put).expect("they are kept");
    let mut steps = Vec::new();
    while service.doors.count::<crate::api::SeenProof>().expect("a count") > 0 {
        steps.push(service.sweep(world.now()).await.expect("it is swept").done);
    }
    assert_eq!(steps, [500, 500, 200]);
    assert_eq!(service.sweep(world.now()).await.map(|due| due.done).ok(), Some(0));
}
