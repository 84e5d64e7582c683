//! The desks: people with names and roles, whom the journal has.

use super::world::{BANK, World};
use crate::desk::{Role, Staff};
use crate::domain::{self as rules, Factor, StaffId};
use crate::gateway::OpenError;
use crate::options::Options;
use domain::{Id, Key};
use engine::sqlite::SqliteJournal;
use serde_json::{Value, json};
use web::Secret;
use web::jose::SigningKey;

const STRONG: &[Factor] = &[Factor::Account, Factor::Pin, Factor::OneTimePassword];

async fn call(world: &World, token: &str, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let token = format!("Bearer {token}");
    world.call_with(&[("authorization", token.as_str())], method, path, body).await
}

/// The ids of those who changed the row at `key`, the last first.
async fn changed_by(world: &World, key: Key) -> Vec<Id> {
    let stored = world.gateway.engine().read(key).await.expect("it is read").expect("it is there");
    let journal = SqliteJournal::open(&world.gateway.options().directory).expect("the journal opens");
    let history = engine::history::<rules::Gateway>(&journal, key, stored.place, 100).expect("it is read");
    history.0.into_iter().map(|record| record.entry.actor.id).collect()
}

fn named(name: &str) -> Id {
    let mut id = [0; 16];
    id[..name.len()].copy_from_slice(name.as_bytes());
    Id(id)
}

#[tokio::test]
async fn who_may_look_may_not_change_and_who_changes_is_in_the_journal() {
    let world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await.to_string();
    let switch = json!({ "stopped": true, "reason": "a test" });
    let incident = json!({
        "reference": "case-1", "factors": ["account", "pin"], "from": "2026-09-01T00:00:00+09:00",
        "until": "2026-09-02T00:00:00+09:00", "accounts": 3, "amount": 900, "note": "look for nights",
    });
    let of_the_bank = [
        ("PUT", "switches/debit".to_owned(), switch.clone()),
        ("PUT", "factors".to_owned(), json!({ "sets": [["account", "sms_code"]], "reason": "a test" })),
        ("PUT", "calendar".to_owned(), json!({ "maintenance": [] })),
        ("POST", "incidents".to_owned(), incident),
        ("POST", format!("mandates/{mandate}/letter"), json!({})),
        (
            "POST",
            format!("mandates/{mandate}/confirm"),
            json!({ "channel": "bank_app", "reason": "seen at the counter" }),
        ),
        ("POST", format!("mandates/{mandate}/revoke"), json!({ "reason": "fraud" })),
        ("POST", format!("mandates/{mandate}/decide"), json!({ "accept": true, "reason": "a test" })),
    ];
    for (method, path, body) in &of_the_bank {
        let path = format!("/bank/v1/{path}");
        let (status, refused) = call(&world, "bank-reader", method, &path, Some(body.clone())).await;
        assert_eq!(
            (status, &refused["type"], &refused["role"]),
            (403, &json!("/problems/role-needed"), &json!("act")),
            "{path}"
        );
        let (status, answer) = call(&world, "bank-desk", method, &path, Some(body.clone())).await;
        assert!(matches!(status, 200..=202 | 422), "{path}: {status} {answer}");
    }
    let account = json!({ "branch": "100", "kind": "ordinary", "number": "1234567" });
    assert_eq!(call(&world, "bank-reader", "POST", "/bank/v1/links/search", Some(account)).await.0, 200);
    for path in ["reviews", "events", "factors", "calendar", "switches", "proposals"] {
        assert_eq!(call(&world, "bank-reader", "GET", &format!("/bank/v1/{path}"), None).await.0, 200, "{path}");
    }
    let (_, switches) = call(&world, "bank-reader", "GET", "/bank/v1/switches", None).await;
    assert_eq!(switches["data"][2]["history"][0]["person"], "hara of the desk", "{switches}");
    let path = format!("/gateway/v1/banks/{BANK}/switches/credit");
    assert_eq!(call(&world, "desk-reader", "PUT", &path, Some(switch.clone())).await.0, 403);
    assert_eq!(call(&world, "bank-desk", "PUT", &path, Some(switch.clone())).await.0, 401, "another desk");
    assert_eq!(call(&world, "desk", "PUT", &path, Some(switch)).await.0, 200);
    let bank = Key::new(rules::table::BANK, BANK.parse::<rules::BankCode>().expect("a code").id());
    // The stop, and what one person wants: to ask for less, and that a link is confirmed.
    let hara = named("0125:hara");
    assert_eq!(changed_by(&world, bank).await, [named("abe"), hara, hara, hara]);
    assert_eq!(reasons(&world, bank).await, ["a test", "seen at the counter", "a test", "a test"], "and why");
    let id = mandate.parse::<rules::MandateId>().expect("an id");
    let journal = SqliteJournal::open(&world.gateway.options().directory).expect("the journal opens");
    let row = Key::new(rules::table::MANDATE, id.0);
    let stored = world.gateway.engine().read(row).await.expect("it is read").expect("it is there");
    let history = engine::history::<rules::Gateway>(&journal, row, stored.place, 100).expect("it is read").0;
    let letters = history.iter().flat_map(|record| &record.entry.events).filter_map(|event| match event {
        rules::Event::Mandate(rules::mandate::Event::LetterTaken { by, .. }) => *by,
        _ => None,
    });
    assert_eq!(letters.collect::<Vec<_>>(), [StaffId(hara)], "who has the number that confirms a link");
    assert_eq!(changed_by(&world, Key::new(rules::table::MANDATE, id.0)).await[0], named("0125:hara"));
}

/// The reasons of those records that changed the row at `key`, the last first.
async fn reasons(world: &World, key: Key) -> Vec<String> {
    let stored = world.gateway.engine().read(key).await.expect("it is read").expect("it is there");
    let journal = SqliteJournal::open(&world.gateway.options().directory).expect("the journal opens");
    let history = engine::history::<rules::Gateway>(&journal, key, stored.place, 100).expect("it is read");
    history.0.into_iter().map(|record| record.entry.reason.unwrap_or_default()).collect()
}

#[tokio::test]
async fn a_stop_of_the_bank_between_two_words_is_seen_and_each_word_has_its_reason_in_the_journal() {
    let world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await.to_string();
    let of_gateway = format!("/gateway/v1/banks/{BANK}/switches/debit");
    let switch = async |token: &str, path: &str, stopped: bool, reason: &str| {
        call(&world, token, "PUT", path, Some(json!({ "stopped": stopped, "reason": reason }))).await.0
    };
    let is_taken = async |reference: &str| {
        let body = json!({ "reference": reference, "mandate_id": mandate, "amount": 100 });
        world.call("kinchaku", "POST", "/gateway/v1/debits", Some(body)).await.0 == 201
    };
    assert_eq!(switch("desk", &of_gateway, true, "damage is reported").await, 200);
    assert_eq!(switch("desk", &of_gateway, false, "it was another bank").await, 202);
    assert_eq!(switch("bank-desk", "/bank/v1/switches/debit", true, "unusual debits").await, 200);
    // Whoever wanted debits to go on did not know of that: the second word is a first one.
    assert_eq!(switch("desk-2", &of_gateway, false, "abe is right").await, 202);
    assert!(!is_taken("top-1").await);
    assert_eq!(switch("desk", &of_gateway, false, "the bank looks after it").await, 200);
    assert!(!is_taken("top-2").await, "the bank's own stop stays");
    assert_eq!(switch("bank-desk", "/bank/v1/switches/debit", false, "the cause is found").await, 202);
    assert!(!is_taken("top-3").await);
    assert_eq!(switch("bank-desk-2", "/bank/v1/switches/debit", false, "and mended").await, 200);
    assert!(is_taken("top-4").await);
    let bank = Key::new(rules::table::BANK, BANK.parse::<rules::BankCode>().expect("a code").id());
    let mut said = reasons(&world, bank).await;
    said.reverse();
    let expected = [
        "damage is reported",
        "it was another bank",
        "unusual debits",
        "abe is right",
        "the bank looks after it",
        "the cause is found",
        "and mended",
    ];
    assert_eq!(said.iter().filter(|reason| !reason.is_empty()).collect::<Vec<_>>(), expected);
}

/// Somebody of the gateway's desk writes that `id` comes in with this key.
async fn write(world: &World, token: &str, id: &str, seed: u8) -> u16 {
    let body = json!({
        "client_id": id,
        "name": { "ja": "梟", "en": "Fukuro" },
        "redirect_uris": ["https://fukuro.example/back"],
        "jwks": { "keys": [SigningKey::eddsa(&[seed; 32]).public().to_value()] },
    });
    call(world, token, "POST", "/gateway/v1/clients", Some(body)).await.0
}

/// Who comes in, and what is proposed by whom.
async fn clients(world: &World) -> (Vec<String>, Vec<(String, String)>) {
    let (status, list) = call(world, "desk-reader", "GET", "/gateway/v1/clients", None).await;
    assert_eq!(status, 200, "{list}");
    let text = |value: &Value, name: &str| value[name].as_str().expect("a text").to_owned();
    let rows = |name: &str| list[name].as_array().expect("a list").clone();
    let known = rows("data").iter().map(|client| text(client, "client_id")).collect();
    (known, rows("proposals").iter().map(|one| (text(one, "client_id"), text(one, "by"))).collect())
}

#[tokio::test]
async fn whoever_lets_an_operator_in_that_was_here_is_two_persons_and_in_the_journal() {
    let somebody = Staff {
        id: "ito".into(),
        name: "ito of the desk".into(),
        roles: vec![Role::Act],
        token: Secret::new("desk-too".into()),
    };
    let mut world = World::with(false, |options| options.desk.push(somebody)).await;
    world.link("fukuro", "w1", "1234567", STRONG).await;
    let theirs = world.options.operators.pop().expect("it is configured");
    world.restart().await;
    assert_eq!(clients(&world).await, (vec!["kinchaku".to_owned()], vec![]), "it left; its mandates did not");
    for _ in 0..2 {
        assert_eq!(write(&world, "desk", "fukuro", 5).await, 202, "one person, however often");
    }
    let proposed = vec![("fukuro".to_owned(), "abe of the desk".to_owned())];
    assert_eq!(clients(&world).await, (vec!["kinchaku".to_owned()], proposed));
    world.restart().await;
    assert_eq!(write(&world, "desk-too", "fukuro", 5).await, 201);
    let operators = rules::operator::OPERATORS_KEY;
    assert_eq!(changed_by(&world, operators).await[..2], [named("ito"), named("abe")]);
    let both = vec!["fukuro".to_owned(), "kinchaku".to_owned()];
    assert_eq!(clients(&world).await, (both.clone(), vec![]));
    // Somebody else's keys in the file are nobody's.
    let file = world.gateway.options().directory.join("clients.json");
    let kept = std::fs::read_to_string(&file).expect("it is there");
    let forged = kept.replace("https://fukuro.example/back", "https://thief.example/back");
    for text in [Some(forged), None] {
        match text {
            Some(text) => std::fs::write(&file, text).expect("it is written"),
            None => std::fs::remove_file(&file).expect("it is lost"),
        }
        world.restart().await;
        assert_eq!(clients(&world).await.0, ["kinchaku"]);
        assert_eq!(write(&world, "desk", "fukuro", 6).await, 202, "others take two");
        assert_eq!(write(&world, "desk", "fukuro", 5).await, 201, "what the books have takes one");
        assert_eq!(clients(&world).await.0, both);
    }
    world.options.operators.push(theirs);
    world.restart().await;
    assert_eq!(clients(&world).await.0, both, "and the configuration may name it again");
    assert_eq!(write(&world, "desk", "fukuro", 6).await, 409);
}

/// What a desk is made of, and somebody who is put there.
type Change = fn(&mut Options, Staff);

#[tokio::test]
async fn people_who_cannot_be_told_apart_are_no_desk() {
    let staff = |id: &str, token: &str| Staff {
        id: id.into(),
        name: "somebody".into(),
        roles: vec![Role::Act],
        token: Secret::new(token.into()),
    };
    let world = World::new().await;
    let systems = |id: &str| Staff { roles: vec![Role::System], ..staff(id, "new") };
    let both = Staff { roles: vec![Role::System, Role::Act], ..staff("new", "new") };
    let cases: [(&str, Change, Staff, bool); 10] = [
        ("a bank's systems", |options, new| options.banks[1].desk.push(new), systems("new"), true),
        ("systems of no bank", |options, new| options.desk.push(new), systems("new"), false),
        ("systems that are a person", |options, new| options.banks[0].desk.push(new), both, false),
        ("the same name at another desk", |options, new| options.desk.push(new), staff("hara", "new"), true),
        ("the same name at another bank", |options, new| options.banks[1].desk.push(new), staff("kato", "new"), true),
        ("the same name at the same desk", |options, new| options.desk.push(new), staff("abe", "new"), false),
        ("the same token at another desk", |options, new| options.desk.push(new), staff("new", "bank-desk"), false),
        ("nobody", |options, new| options.desk.push(new), staff("", "new"), false),
        ("a long name", |options, new| options.desk.push(new), staff("twelve-bytes", "new"), false),
        ("a name that is no ASCII", |options, new| options.banks[0].desk.push(new), staff("原", "new"), false),
    ];
    for (what, change, new, is_good) in cases {
        let mut options = world.gateway.options().clone();
        change(&mut options, new);
        assert_eq!(crate::desk::check(&options).is_ok(), is_good, "{what}");
    }
    let mut options = world.gateway.options().clone();
    options.desk.push(staff("abe", "new"));
    let refused = crate::Gateway::open(options, world.gateway.outside().clone()).await;
    assert!(matches!(refused, Err(OpenError::Options(_))));
    assert_eq!(staff("hara", "x").in_journal(None), StaffId(named("hara")));
}
