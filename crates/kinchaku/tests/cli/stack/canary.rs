//! What must not be found: a person's whole story, with every name, number, date, PIN and password of theirs marked, and then a
//! search of everything that wallet and gateway leave behind: their log in its fullest, their files, their answers that refuse,
//! the addresses that a browser shows. The same search of what the simulated outside keeps shows that it would find. It looks
//! for text: an account's number or a date that a row had as a bare number of a few bytes would not be seen.

use super::browser::Browser;
use super::world::{BANK, Heard, Person, World, at};
use crate::served::{Served, Started};
use axum::http::Method;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

const EMAIL: &str = "canary-taro@marked.example";
const NEW_EMAIL: &str = "canary-jiro@marked.example";
const PASSWORD: &str = "marked password 8f3a";
const WRONG_PASSWORD: &str = "another marked password 2b7c";
const PHONE: &str = "08077310942";
const MESSAGE: &str = "marked message 7c1d";
const CLAIMANT: &str = "marked claimant 5e9f";
const WRONG_PIN: &str = "7081";

/// Something of a person's, and how it may be written: each way as parts that stand near one another.
struct Mark {
    what: &'static str,
    ways: Vec<Vec<String>>,
}

/// How far the parts of a name may be apart, in bytes: what forms, JSON and rows put between them.
const APART_BYTES_MAX: usize = 48;

impl Mark {
    fn new(what: &'static str, written: &[&str]) -> Self {
        Self { what, ways: written.iter().map(|text| vec![(*text).to_owned()]).collect() }
    }

    /// Both parts of a name: one alone may be a bank's name as well.
    fn name(what: &'static str, family: &str, given: &str) -> Self {
        Self { what, ways: vec![vec![family.to_owned(), given.to_owned()]] }
    }

    /// Whether it stands in `text`, and not as a part of a longer number: ids are written in hexadecimal digits, and a line of
    /// the log begins with a moment that ends in millionths of a second.
    fn is_in(&self, text: &str) -> bool {
        let is_apart = |character: Option<char>| !character.is_some_and(|character| character.is_ascii_hexdigit());
        self.ways.iter().any(|parts| {
            let Some((first, more)) = parts.split_first() else { return false };
            text.match_indices(first.as_str()).any(|(begins, _)| {
                let (before, behind) = (&text[..begins], &text[begins + first.len()..]);
                let near = &behind.as_bytes()[..behind.len().min(APART_BYTES_MAX)];
                let has = |part: &String| near.windows(part.len()).any(|window| window == part.as_bytes());
                let is_fraction = before.ends_with('.') && behind.starts_with('Z');
                let is_whole = is_apart(before.chars().next_back()) && is_apart(behind.chars().next()) && !is_fraction;
                let is_whole = is_whole || !is_number(first);
                is_whole && more.iter().all(has)
            })
        })
    }
}

fn is_number(text: &str) -> bool {
    text.chars().all(|character| character.is_ascii_digit())
}

fn marks(person: &Person) -> Vec<Mark> {
    let (born, phone) = (person.fact("birth_date"), &PHONE[1..]);
    let (year, month, day) = (&born[..4], &born[5..7], &born[8..]);
    let of_account = |what, member| Mark::new(what, &[person.account(member)]);
    vec![
        Mark::new("a mail address", &[EMAIL, "canary-taro%40marked.example", "canary-taro"]),
        Mark::new("another mail address", &[NEW_EMAIL, "canary-jiro"]),
        Mark::new("a password", &[PASSWORD, "marked+password+8f3a", "marked%20password%208f3a"]),
        Mark::new("a wrong password", &[WRONG_PASSWORD, "another+marked+password+2b7c"]),
        Mark::new("a telephone", &[PHONE, &format!("+81{phone}"), &format!("%2B81{phone}"), phone]),
        Mark::name("a name", person.fact("family_name"), person.fact("given_name")),
        Mark::name("a reading", person.fact("family_kana"), person.fact("given_kana")),
        Mark::new("a reading at the bank", &[person.account("name_kana")]),
        Mark::new("a birth date", &[born, &format!("{year}{month}{day}"), &format!("{year}/{month}/{day}")]),
        Mark::new("a message", &[MESSAGE, "marked+message+7c1d"]),
        Mark::new("a claimant", &[CLAIMANT]),
        Mark::new("a wrong PIN", &[WRONG_PIN]),
        of_account("an account's number", "number"),
        of_account("a PIN", "pin"),
        of_account("a card's serial number", "card_serial"),
    ]
}

/// Every file below `directory`.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("it can be listed").map(|entry| entry.expect("it is there").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn found_in(directory: &Path, marks: &[Mark]) -> Vec<String> {
    let mut found = Vec::new();
    for path in files(directory) {
        let bytes = fs::read(&path).expect("it can be read");
        let text = String::from_utf8_lossy(&bytes);
        let has = marks.iter().filter(|mark| mark.is_in(&text));
        found.extend(has.map(|mark| format!("{} in {}", mark.what, path.display())));
    }
    found
}

/// Everything that a person does in a wallet, done right and wrong.
async fn story(world: &World) -> Person {
    let made = json!({ "bank_code": BANK, "email": EMAIL, "password": PASSWORD, "phone": PHONE });
    let person = Person::known(world.sandbox(Method::POST, "/sandbox/v1/holders", made).await);
    let other = world.person(BANK).await;

    // A wrong PIN first, in a browser that then gives up.
    let mut browser = Browser::new(world);
    let mandate = browser.ask_for_link(&person).await;
    let form = browser.go_to_bank(&person, &mandate).await;
    let wrong = ["branch", "kind", "number", "name_kana", "birth_date"].map(|name| (name, person.account(name)));
    let wrong: Vec<(&str, &str)> = wrong.into_iter().chain([("pin", WRONG_PIN)]).collect();
    let refused = browser.submit(&form, "/link/factors", &wrong).await;
    assert!(!refused.answer.text.contains(WRONG_PIN), "{}", refused.answer.text);
    let mandate = Browser::new(world).link(&person).await;

    assert_eq!(world.top_up(&person, &mandate, 10_000).await.status, 201);
    let shop = world.sandbox(Method::POST, "/sandbox/v1/shops", json!({ "name": "Aoba Books" })).await;
    let pay = json!({ "shop_id": shop["id"], "amount": 500 });
    assert_eq!(world.proven(&person, "{wallet}/payments", pay).await.status, 201);
    let seen = world.get(&person, &format!("/v1/recipients?wallet_id={}", other.wallet)).await;
    let send = json!({
        "to_wallet_id": other.wallet, "amount": 300, "message": MESSAGE, "recipient_token": seen["recipient_token"],
    });
    assert_eq!(world.proven(&person, "{wallet}/sends", send).await.status, 201);
    let accounts = world.get(&person, "{wallet}/bank-accounts").await;
    let payout = json!({ "bank_account_id": accounts["data"][0]["id"], "amount": 1_000 });
    let paid = world.proven(&person, "{wallet}/payouts", payout).await;
    assert!(paid.status < 300, "{}", paid.text);
    mistakes(world, &person).await;
    world.advance(2 * 86_400).await;
    person
}

/// What is refused, with somebody's own in it.
async fn mistakes(world: &World, person: &Person) {
    let login = |email: &str, password: &str| json!({ "email": email, "password": password });
    for (email, password) in [(EMAIL, WRONG_PASSWORD), (NEW_EMAIL, PASSWORD)] {
        let refused = world.ask(Method::POST, "localhost", "/v1/sessions", "", login(email, password)).await;
        assert_eq!(refused.status, 401, "{}", refused.text);
    }
    let born = person.fact("birth_date");
    let (family, given) = (person.fact("family_name"), person.fact("given_name"));
    let whole = json!({
        "email": EMAIL, "password": PASSWORD, "family_name": family, "given_name": given, "birth_date": born,
        "family_kana": person.fact("family_kana"), "given_kana": person.fact("given_kana"), "phone": PHONE,
    });
    for (member, value) in [
        ("email", json!(format!("{EMAIL}@twice"))),
        ("phone", json!(format!("{PHONE}{PHONE}{PHONE}"))),
        ("birth_date", json!(format!("{born}-99"))),
        ("given_kana", json!(format!("{} {given} A", person.fact("given_kana")))),
        ("password", json!([PASSWORD])),
        ("stranger", json!(MESSAGE)),
        ("email", json!(EMAIL)),
    ] {
        let mut body = whole.clone();
        body[member] = value;
        let answer = world.ask(Method::POST, "localhost", "/v1/holders", "", body).await;
        assert!(answer.status >= 400 || member == "email", "{member}: {}", answer.text);
    }
    let claim = json!({
        "bank_code": BANK, "dates": ["2027-09-15"], "descriptor": person.account("number"), "contact": CLAIMANT,
    });
    assert_eq!(world.ask(Method::POST, "localhost", "/v1/claims", "", claim.clone()).await.status, 201);
    let mut wrong = claim;
    wrong["dates"] = json!([CLAIMANT, born]);
    assert_eq!(world.ask(Method::POST, "localhost", "/v1/claims", "", wrong).await.status, 400);
    let path = format!("/v1/holders/{}/contact-changes", person.fact("id"));
    let changed = world.proven(person, &path, json!({ "email": NEW_EMAIL })).await;
    assert_eq!(changed.status, 202, "{}", changed.text);
    let recovery = json!({ "email": EMAIL });
    assert_eq!(world.ask(Method::POST, "localhost", "/v1/recoveries", "", recovery).await.status, 202);
    for path in ["/v1/recoveries/rcv_0", "/v1/holders/hld_0/email-verification"] {
        let refused =
            world.ask(Method::POST, "localhost", path, "", json!({ "code": PHONE, "password": PASSWORD })).await;
        assert!(refused.status >= 400, "{}", refused.text);
    }
    let unknown = json!({ "to_wallet_id": EMAIL, "amount": 1, "message": MESSAGE, "recipient_token": PASSWORD });
    assert!(world.post(person, "{wallet}/sends", unknown).await.status >= 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_person_is_in_logs_addresses_errors_or_files() {
    let environment = vec![("KINCHAKU_SANDBOX_PEOPLE", "0".to_owned()), ("RUST_LOG", "debug".to_owned())];
    let started = Started { environment, ..Started::default() };
    let mut world = World::of(Served::start_so_at(started, at(15, "12:00:00"), false));
    world.listen();
    let person = story(&world).await;
    assert_eq!(world.served.end(), Some(0), "all is written");

    let marks = marks(&person);
    let data = world.served.data();
    let mut found = Vec::new();
    for service in fs::read_dir(&data).expect("it can be listed").map(|entry| entry.expect("it is there").path()) {
        let is_outside = service.file_name().is_some_and(|name| name == "sandbox");
        if service.is_dir() && !is_outside {
            found.extend(found_in(&service, &marks));
        }
    }
    let log = world.served.log();
    assert!(log.contains("DEBUG"), "the log is at its fullest");
    found.extend(marks.iter().filter(|mark| mark.is_in(&log)).map(|mark| format!("{} in the log", mark.what)));
    for Heard { url, location, refusal } in world.heard() {
        for (text, place) in [(url, "an address"), (location, "an address that was led to"), (refusal, "a refusal")] {
            let has = marks.iter().filter(|mark| mark.is_in(&text));
            found.extend(has.map(|mark| format!("{} in {place}: {text}", mark.what)));
        }
    }
    assert!(found.is_empty(), "{found:#?}");

    // What the outside knows is found: the search can fail.
    let known = found_in(&data.join("sandbox"), &marks);
    for what in ["a mail address", "a telephone", "a PIN", "a name", "a reading"] {
        assert!(known.iter().any(|found| found.starts_with(what)), "{what} is not found where it is: {known:#?}");
    }
}
