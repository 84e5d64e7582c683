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
        ("PUT", "factors".to_owned(), json!({ "sets": [["account", "sms_code"]] })),
        ("PUT", "calendar".to_owned(), json!({ "maintenance": [] })),
        ("POST", "incidents".to_owned(), incident),
        ("POST", format!("mandates/{mandate}/letter"), json!({})),
        ("POST", format!("mandates/{mandate}/confirm"), json!({ "channel": "bank_app" })),
        ("POST", format!("mandates/{mandate}/revoke"), json!({ "reason": "fraud" })),
        ("POST", format!("mandates/{mandate}/decide"), json!({ "accept": true })),
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
        assert!(matches!(status, 200 | 201 | 422), "{path}: {status} {answer}");
    }
    let account = json!({ "branch": "100", "kind": "ordinary", "number": "1234567" });
    assert_eq!(call(&world, "bank-reader", "POST", "/bank/v1/links/search", Some(account)).await.0, 200);
    for path in ["reviews", "events", "factors", "calendar", "switches"] {
        assert_eq!(call(&world, "bank-reader", "GET", &format!("/bank/v1/{path}"), None).await.0, 200, "{path}");
    }
    let (_, switches) = call(&world, "bank-reader", "GET", "/bank/v1/switches", None).await;
    assert_eq!(switches["data"][2]["history"][0]["person"], "hara of the desk", "{switches}");
    let path = format!("/gateway/v1/banks/{BANK}/switches/credit");
    assert_eq!(call(&world, "desk-reader", "PUT", &path, Some(switch.clone())).await.0, 403);
    assert_eq!(call(&world, "bank-desk", "PUT", &path, Some(switch.clone())).await.0, 401, "another desk");
    assert_eq!(call(&world, "desk", "PUT", &path, Some(switch)).await.0, 200);
    let bank = Key::new(rules::table::BANK, BANK.parse::<rules::BankCode>().expect("a code").id());
    assert_eq!(changed_by(&world, bank).await, [named("abe"), named("0125:hara"), named("0125:hara")]);
    let id = mandate.parse::<rules::MandateId>().expect("an id");
    assert_eq!(changed_by(&world, Key::new(rules::table::MANDATE, id.0)).await[0], named("0125:hara"));
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
    let cases: [(&str, Change, Staff, bool); 7] = [
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
