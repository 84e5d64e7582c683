//! What people type goes to their bank and nowhere else: no line of the log, no address, no answer of the API and no file of
//! the gateway has it.

use super::bank::Customer;
use super::desk;
use super::link::{to_form, type_in};
use super::world::World;
use http::StatusCode;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// An account of which nothing looks like anything else.
const NUMBER: &str = "8350946";
const PIN: &str = "8306";
const NAME: &str = "イヌカミ ハネスケ";
const BORN: &str = "1937-02-11";
/// What was typed and is wrong.
const WRONG_PIN: &str = "5149";
const WRONG_NUMBER: &str = "6039184";
const WRONG_CODE: &str = "735918";
/// All of that, as people and as banks write it.
const MARKED: [&str; 9] = [NUMBER, PIN, NAME, "ｲﾇｶﾐ ﾊﾈｽｹ", "イヌカミ", BORN, WRONG_PIN, WRONG_NUMBER, WRONG_CODE];

/// Everything that is logged in this process from the first look on.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panics here").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn start() -> Self {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::set_global_default(subscriber).expect("this is the only test that listens");
        log
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("nobody panics here").clone()
    }
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn check(what: &str, bytes: &[u8]) {
    for marked in MARKED {
        assert!(!has(bytes, marked), "{what} has {marked:?}");
    }
}

/// Whether a line has `text` by itself. The log has thousands of ids, times and ports, of all tests of this process, and four
/// digits stand in the middle of one of them now and then.
fn stands_in(line: &str, text: &str) -> bool {
    let is_open = |beside: Option<char>| beside.is_none_or(|character| !character.is_ascii_alphanumeric());
    line.match_indices(text).any(|(at, _)| {
        let after = at + text.len();
        is_open(line[..at].chars().next_back()) && is_open(line[after..].chars().next())
    })
}

fn check_log(log: &[u8]) {
    for line in String::from_utf8_lossy(log).lines() {
        for marked in MARKED {
            assert!(!stands_in(line, marked), "the log has {marked:?}: {line}");
        }
    }
}

#[test]
fn a_number_stands_by_itself_where_nothing_goes_on_beside_it() {
    for line in ["5149", "pin=5149", r#"{"pin":"5149"}"#, "Some(5149), 15149", "暗証番号5149。"] {
        assert!(stands_in(line, WRONG_PIN), "{line}");
    }
    for line in ["", "05.514912Z", "mnd_0199a5149", "127.0.0.1:51490", "a5149b"] {
        assert!(!stands_in(line, WRONG_PIN), "{line}");
    }
}

/// Every file below `directory`, with what is in it.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("it is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).expect("a file")));
        }
    }
    found
}

/// A pushed request for that person: the path that their browser is sent to.
async fn push(world: &World) -> String {
    let wallet = world.wallet();
    let mut asked = wallet.asking("0125");
    let details = asked["authorization_details"].replace("アオキ サクラ", NAME).replace("1990-04-01", BORN);
    asked.insert("authorization_details".to_owned(), details);
    let proof = wallet.proof("POST", "/gateway/v1/par", None);
    let pushed = wallet.post("/gateway/v1/par", &asked, Some(&proof)).await;
    assert_eq!(pushed.status, StatusCode::CREATED, "{:?}", pushed.body);
    check("an answer", pushed.body.to_string().as_bytes());
    wallet.path_of(pushed.body["request_uri"].as_str().expect("a request address"))
}

/// Somebody types it all, wrong and right, at every step: the code of the grant.
async fn typed_in(world: &World) -> String {
    let right = [("number", NUMBER), ("pin", PIN), ("name_kana", NAME)];
    for wrong in [("pin", WRONG_PIN), ("number", WRONG_NUMBER), ("name_kana", "??")] {
        let mut browser = world.browser();
        let form = to_form(&mut browser, &push(world).await).await;
        let changes = right.map(|(name, value)| if name == wrong.0 { wrong } else { (name, value) });
        let shown = type_in(&mut browser, &form, &changes).await;
        let went_on = shown.location.as_deref() == Some("/link") || shown.status.is_client_error();
        assert!(went_on, "{wrong:?}: {}", shown.body);
    }
    let mut browser = world.browser();
    let form = to_form(&mut browser, &push(world).await).await;
    world.hosted.inside().down = true;
    assert_eq!(type_in(&mut browser, &form, &right).await.status, StatusCode::SERVICE_UNAVAILABLE);
    world.hosted.inside().down = false;
    let form = browser.get("/link").await;
    type_in(&mut browser, &form, &right).await;
    let challenge = browser.get("/link").await;
    let failed = browser.send(&challenge, "/link/challenge", &[("sms_code", WRONG_CODE)]).await;
    assert!(failed.status.is_client_error(), "{}", failed.body);
    let form = browser.get("/link").await;
    type_in(&mut browser, &form, &right).await;
    let challenge = browser.get("/link").await;
    let back = browser.send(&challenge, "/link/challenge", &[("sms_code", "246810")]).await;
    assert_eq!(back.status, StatusCode::SEE_OTHER, "{}", back.body);
    check("an address", back.location.as_deref().unwrap_or_default().as_bytes());
    let code = back.parameters()["code"].clone();
    // And somebody else, who asks for themselves, knows it all.
    let mut browser = world.browser();
    let form = to_form(&mut browser, &world.wallet().push("0125").await).await;
    type_in(&mut browser, &form, &right).await;
    let challenge = browser.get("/link").await;
    let failed = browser.send(&challenge, "/link/challenge", &[("sms_code", "246810")]).await;
    assert!(failed.status.is_client_error(), "{}", failed.body);
    code
}

/// Answers of the API to those who ask about that person, rightly and wrongly.
async fn asked_for(world: &World, code: &str) -> Vec<Value> {
    let collected = world.wallet().collect(code).await;
    assert_eq!(collected.status, StatusCode::OK, "{:?}", collected.body);
    let mut answers = vec![collected.body];
    let account = |number: &str| Some(json!({"branch": "001", "kind": "ordinary", "number": number}));
    for number in [NUMBER, WRONG_NUMBER, &format!("{NUMBER}-{NAME}"), BORN] {
        answers.push(desk::call(world, "POST", "links/search", "desk-0125", account(number)).await.1);
    }
    let wallet = world.wallet();
    for (wrong, instead) in [("1990-04-01", "1937-02-11T"), ("アオキ サクラ", "イヌカミ\\u0000ハネスケ")]
    {
        let mut asked = wallet.asking("0125");
        let details = asked["authorization_details"].replace(wrong, instead);
        asked.insert("authorization_details".to_owned(), details);
        let proof = wallet.proof("POST", "/gateway/v1/par", None);
        let refused = wallet.post("/gateway/v1/par", &asked, Some(&proof)).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{:?}", refused.body);
        answers.push(refused.body);
    }
    answers
}

#[tokio::test]
async fn what_people_type_is_in_no_log_address_answer_or_file() {
    let log = Log::start();
    let world = World::new().await;
    let customer = Customer { name_kana: "ｲﾇｶﾐ ﾊﾈｽｹ", birth_date: BORN, pin: PIN, has_contact: true };
    world.hosted.inside().customers.insert(NUMBER.to_owned(), customer);
    world.hosted.inside().factors = json!([["account", "name_kana", "pin", "sms_code"]]);
    let code = typed_in(&world).await;
    for answer in asked_for(&world, &code).await {
        check("an answer", answer.to_string().as_bytes());
    }
    world.settle().await;
    let mut browser = world.browser();
    for code in [WRONG_CODE.to_owned(), world.hosted.last_code()] {
        let form = browser.get("/not-me").await;
        let shown = browser.send(&form, "/not-me", &[("code", &code)]).await;
        check("a page", shown.body.as_bytes());
    }
    world.settle().await;
    world.gateway.stop().expect("it stops");
    let (log, files) = (log.bytes(), files(&world.gateway.options().directory));
    assert!(has(&log, "not this account"), "the log was listened to");
    assert!(files.iter().any(|(_, bytes)| has(bytes, "****946")), "the files have what may be seen of the account");
    check_log(&log);
    for (path, bytes) in &files {
        check(path, bytes);
    }
    assert!(!has(&log, &world.hosted.last_code()), "nor is a code of a notice logged");
}
