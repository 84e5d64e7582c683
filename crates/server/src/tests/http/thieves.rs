//! Thieves, at each tier: one has the password, another reads the mail. They walk every way to the money and to where its
//! holder is reached; what each way asks for, they do not have.

use super::till::Person;
use super::world::{World, mail, password};
use serde_json::{Value, json};
use wallet::{HolderId, Tier, WalletId};

const THIEF: &str = "thief@example.jp";
const THIEFS_PHONE: &str = "09099998888";
const PHONE: &str = "09012345678";

/// The telephone as letters go to it.
fn called(phone: &str) -> String {
    format!("+81{}", &phone[1..])
}

/// Somebody who has proven as much as `tier` takes, with a thousand points in the wallet.
async fn victim(world: &World, tier: Tier) -> Person {
    let name = "sakura";
    let holder = world.join(name).await;
    let token = world.log_in(name).await;
    if tier == Tier::Identified {
        let body = json!({ "method": "chip_and_face" });
        let identified = world.post(&format!("/v1/holders/{holder}/identifications"), Some(&token), body).await;
        assert_eq!(identified.text("status"), "approved", "{}", identified.text);
    } else {
        world.vendor.says("refused");
    }
    if tier == Tier::Phone {
        let path = format!("/v1/holders/{holder}/phone-verification");
        let asked = world.prove(name, &token, &path, &json!({ "phone": PHONE })).await;
        assert_eq!(asked.status, 202, "{}", asked.text);
        world.letters().await;
        let code = json!({ "code": world.inbox.code(&called(PHONE)) });
        assert_eq!(world.post(&format!("{path}/confirm"), Some(&token), code).await.status, 204);
    }
    let wallet = world.post("/v1/wallets", Some(&token), json!({})).await.text("id");
    let holder: HolderId = holder.parse().expect("an id");
    let wallet: WalletId = wallet.parse().expect("an id");
    let person = Person { name: name.into(), token, holder, wallet };
    world.give(&person, 1_000).await;
    assert_eq!(world.get(&format!("/v1/holders/{holder}"), Some(&person.token)).await.text("tier"), tier.name());
    person
}

/// What a thief who is logged in would do.
fn deeds(victim: &Person, shop: &str, to: &str, seen: &str) -> Vec<(String, Value)> {
    let of_holder = |rest: &str| format!("/v1/holders/{}{rest}", victim.holder);
    vec![
        (of_holder("/phone-verification"), json!({ "phone": THIEFS_PHONE })),
        (of_holder("/contact-changes"), json!({ "phone": THIEFS_PHONE })),
        (of_holder("/contact-changes"), json!({ "email": THIEF })),
        (of_holder("/identifications"), json!({ "method": "chip_and_face" })),
        (victim.path("/payments"), json!({ "shop_id": shop, "amount": 1_000 })),
        (victim.path("/payment-codes"), json!({})),
        (victim.path("/sends"), json!({ "to_wallet_id": to, "amount": 1_000, "recipient_token": seen })),
        (victim.path("/unfreeze"), json!({})),
        (victim.path("/closure"), json!({})),
    ]
}

/// A thief does everything with `token`, and reads `reads` if that is anybody's.
async fn takes_nothing(world: &World, victim: &Person, token: &str, reads: Option<&str>) {
    let (shop, _) = world.shop("Soba").await;
    let other = world.person("haru").await;
    world.vendor.says("refused");
    let seen = world.look(token, other.wallet).await;
    for (path, body) in deeds(victim, &shop.to_string(), &other.wallet.to_string(), &seen) {
        let asked = world.post(&path, Some(token), body.clone()).await;
        assert_eq!(asked.problem(), (403, "step-up-required"), "{path} {}", asked.text);
        let challenge = asked.text("challenge_id");
        let answers = format!("/v1/challenges/{challenge}");
        let seen = reads.map_or(0, |reads| world.inbox.texts(reads).len());
        world.post(&answers, Some(token), json!({})).await;
        world.letters().await;
        assert_eq!(
            reads.map_or(0, |reads| world.inbox.texts(reads).len()),
            seen,
            "no proof is asked for there: {path}"
        );
        let guess = world.post(&answers, Some(token), json!({ "code": "12345678" })).await;
        assert_ne!(guess.body["status"], "approved", "{path}");
        let mut proven = body;
        proven["challenge_id"] = challenge.into();
        assert_eq!(world.post(&path, Some(token), proven).await.problem(), (403, "challenge-refused"), "{path}");
    }
    for confirm in ["/phone-verification/confirm", "/contact-changes/confirm"] {
        let path = format!("/v1/holders/{}{confirm}", victim.holder);
        let guess = world.post(&path, Some(token), json!({ "code": "12345678" })).await;
        assert_eq!(guess.problem(), (422, "code-refused"), "{path}");
    }
    world.run_due().await;
    for theirs in [THIEF.to_owned(), called(THIEFS_PHONE)] {
        assert!(world.inbox.texts(&theirs).is_empty(), "{:?}", world.inbox.texts(&theirs));
    }
    let shown = world.get(&victim.path(""), Some(&victim.token)).await;
    assert!(shown.status == 401 || shown.body["balances"]["bonus"] == 1_000, "{}", shown.text);
    let holder = world.server.service().holder(victim.holder).await.expect("the holder is there");
    assert_eq!((holder.wanted, holder.mail_verified.is_some()), (None, true));
}

#[tokio::test]
async fn who_has_the_password_takes_nothing_at_any_tier() {
    for tier in [Tier::Email, Tier::Phone, Tier::Identified] {
        let world = World::new();
        let victim = victim(&world, tier).await;
        let thief = world.log_in("sakura").await;
        takes_nothing(&world, &victim, &thief, None).await;
        assert_eq!(world.get("/v1/sessions", Some(&victim.token)).await.status, 200, "the holder is where they were");
        world.run_due().await;
        let told = world.inbox.texts(&mail("sakura")).join("\n");
        assert!(told.contains("Somebody logged in from a new device."), "{told}");
    }
}

#[tokio::test]
async fn who_reads_the_mail_sets_a_password_at_most_and_takes_nothing_before_its_holder_has_had_a_day_to_read_of_it() {
    for tier in [Tier::Email, Tier::Phone, Tier::Identified] {
        let world = World::new();
        let victim = victim(&world, tier).await;
        world.vendor.says("refused");
        let asked = world.post("/v1/recoveries", None, json!({ "email": mail("sakura") })).await;
        world.letters().await;
        let new = json!({ "code": world.inbox.code(&mail("sakura")), "password": "泥棒の合言葉 1" });
        let path = format!("/v1/recoveries/{}", asked.text("id"));
        let set = world.post(&path, None, new.clone()).await;
        if tier == Tier::Phone {
            assert_eq!((set.status.as_u16(), set.text("status").as_str()), (202, "phone_code_sent"), "{}", set.text);
            for guess in ["", "12345678", new["code"].as_str().expect("a code")] {
                let mut guessed = new.clone();
                guessed["phone_code"] = guess.into();
                assert_eq!(world.post(&path, None, guessed).await.problem(), (422, "code-refused"), "{guess}");
            }
            assert_eq!(world.get("/v1/sessions", Some(&victim.token)).await.status, 200, "nothing has ended");
            world.log_in("sakura").await;
            continue;
        }
        if tier == Tier::Identified {
            assert_eq!(set.problem(), (403, "identity-refused"), "{}", set.text);
            continue;
        }
        assert_eq!(set.status, 204, "{}", set.text);
        let log_in = json!({ "email": mail("sakura"), "password": "泥棒の合言葉 1" });
        let thief = world.post("/v1/sessions", None, log_in).await.text("token");
        takes_nothing(&world, &victim, &thief, Some(&mail("sakura"))).await;
        let told = world.inbox.texts(&mail("sakura")).join("\n");
        assert!(told.contains("Your password was changed"), "{told}");
        if tier == Tier::Email {
            let path = victim.path("/closure");
            let asked = world.post(&path, Some(&thief), json!({})).await;
            let refused =
                world.post(&format!("/v1/challenges/{}", asked.text("challenge_id")), Some(&thief), json!({})).await;
            assert_eq!(refused.problem(), (403, "just-recovered"), "{}", refused.text);
            assert!(refused.headers.contains_key("retry-after"));
            // Whoever it was can prove themselves a day later, and the holder has set another password by then.
            world.advance(24 * 60 * 60 * 1_000);
            let log_in = json!({ "email": mail("sakura"), "password": "泥棒の合言葉 1" });
            let token = world.post("/v1/sessions", None, log_in).await.text("token");
            let closed = world.prove("sakura", &token, &path, &json!({})).await;
            assert_eq!(closed.text("status"), "closed", "{}", closed.text);
        }
    }
}

#[tokio::test]
async fn whoever_has_a_telephone_sets_a_lost_password_with_both_codes() {
    let world = World::new();
    let victim = victim(&world, Tier::Phone).await;
    let asked = world.post("/v1/recoveries", None, json!({ "email": mail("sakura") })).await;
    world.letters().await;
    let path = format!("/v1/recoveries/{}", asked.text("id"));
    let mut new = json!({ "code": world.inbox.code(&mail("sakura")), "password": "新しい合言葉 99" });
    let key = world.key();
    for key in [key.clone(), key, world.key()] {
        let asked = world.post_with(&path, None, &key, &new).await;
        assert_eq!((asked.status.as_u16(), asked.text("status").as_str()), (202, "phone_code_sent"), "{}", asked.text);
    }
    world.letters().await;
    new["phone_code"] = world.inbox.code(&called(PHONE)).into();
    let set = world.post(&path, None, new.clone()).await;
    assert_eq!(set.status, 204, "{}", set.text);
    assert_eq!(world.get("/v1/sessions", Some(&victim.token)).await.status, 401, "every session is over");
    let log_in = json!({ "email": mail("sakura"), "password": "新しい合言葉 99" });
    let token = world.post("/v1/sessions", None, log_in).await.text("token");
    let service = world.server.service();
    let credential = service.doors.get::<crate::accounts::Credential>(victim.holder.0).expect("the doors open");
    assert_eq!(credential.and_then(|credential| credential.recovered), None, "it was more than the mail");
    assert_eq!(world.get("/v1/sessions", Some(&token)).await.status, 200);
    assert_eq!(world.post(&path, None, new).await.problem(), (422, "code-refused"), "once");
}

#[tokio::test]
async fn no_lost_password_is_sent_to_a_strangers_address_at_any_tier() {
    for tier in [Tier::Email, Tier::Phone, Tier::Identified] {
        let world = World::new();
        let victim = victim(&world, tier).await;
        world.join("thief").await;
        for body in [
            json!({ "email": mail("sakura"), "send_to": THIEF }),
            json!({ "email": mail("sakura"), "phone": THIEFS_PHONE, "birth_date": "1990-04-01" }),
            json!({ "email": [mail("sakura"), THIEF] }),
            json!({ "email": format!("{},{THIEF}", mail("sakura")) }),
        ] {
            let asked = world.post("/v1/recoveries", None, body.clone()).await;
            assert_eq!(asked.status.as_u16() / 100, 4, "{body}: {}", asked.text);
        }
        // A code that the thief may read is theirs alone.
        let own = world.post("/v1/recoveries", None, json!({ "email": THIEF })).await;
        let victims = world.post("/v1/recoveries", None, json!({ "email": mail("sakura") })).await;
        world.letters().await;
        let new = json!({ "code": world.inbox.code(THIEF), "password": "泥棒の合言葉 1" });
        let set = world.post(&format!("/v1/recoveries/{}", victims.text("id")), None, new.clone()).await;
        assert_eq!(set.problem(), (422, "code-refused"));
        assert_eq!(world.post(&format!("/v1/recoveries/{}", own.text("id")), None, new).await.status, 204, "{tier:?}");
        assert_eq!(world.get("/v1/sessions", Some(&victim.token)).await.status, 200, "{tier:?}");
        let log_in = |password: String| json!({ "email": mail("sakura"), "password": password });
        assert_eq!(world.post("/v1/sessions", None, log_in("泥棒の合言葉 1".into())).await.status, 401);
        assert_eq!(world.post("/v1/sessions", None, log_in(password("sakura"))).await.status, 201);
    }
}

#[tokio::test]
async fn a_first_telephone_takes_a_proof_and_the_mail_is_told() {
    let world = World::new();
    let victim = victim(&world, Tier::Email).await;
    let path = format!("/v1/holders/{}/phone-verification", victim.holder);
    let asked = world.post_proven(&victim, &path, &json!({ "phone": PHONE })).await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    world.run_due().await;
    let told = |sentence: &str| world.inbox.texts(&mail("sakura")).iter().any(|text| text.contains(sentence));
    assert!(told("A change of your address was asked for."));
    let code = json!({ "code": world.inbox.code(&called(PHONE)) });
    assert_eq!(world.post(&format!("{path}/confirm"), Some(&victim.token), code).await.status, 204);
    world.run_due().await;
    assert!(told("Your address was verified."));
    // From now on both are told.
    let change = format!("/v1/holders/{}/contact-changes", victim.holder);
    let refused = world.post(&change, Some(&victim.token), json!({ "email": "new@example.jp" })).await;
    let challenge = format!("/v1/challenges/{}", refused.text("challenge_id"));
    world.post(&challenge, Some(&victim.token), json!({})).await;
    let code = json!({ "code": world.inbox.code(&called(PHONE)) });
    assert_eq!(world.post(&challenge, Some(&victim.token), code).await.text("status"), "approved");
    let with = json!({ "email": "new@example.jp", "challenge_id": refused.text("challenge_id") });
    assert_eq!(world.post(&change, Some(&victim.token), with).await.status, 202);
    world.run_due().await;
    let texts = world.inbox.texts(&called(PHONE)).join("\n");
    assert!(texts.contains("A change of your address was asked for."), "{texts}");
}

#[tokio::test]
async fn nobody_learns_by_a_change_whether_an_address_is_anothers() {
    let world = World::new();
    world.join("sakura").await;
    let id = world.join("natsu").await;
    let token = world.log_in("natsu").await;
    let path = format!("/v1/holders/{id}/contact-changes");
    let mut answers = Vec::new();
    for email in [mail("sakura"), "nobody@example.jp".into()] {
        let asked = world.prove("natsu", &token, &path, &json!({ "email": email })).await;
        answers.push((asked.status, asked.text.clone()));
        world.letters().await;
        let guess = world.post(&format!("{path}/confirm"), Some(&token), json!({ "code": "12345678" })).await;
        assert_eq!(guess.problem(), (422, "code-refused"));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, 202);
    let told = world.inbox.texts(&mail("sakura")).join("\n");
    assert!(told.contains("It belongs to one already"), "{told}");
    assert_eq!(world.inbox.texts("nobody@example.jp").len(), 1);
}
