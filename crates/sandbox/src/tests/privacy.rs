//! What somebody types at a bank and is wrong is compared and forgotten: no line of the log, no answer and no file has it. What
//! the bank knows of its own customers is its books.

use super::world::{World, account};
use crate::{Policies, SandboxClock};
use domain::Time;
use http::Method;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

const WRONG_PIN: &str = "5149";
const WRONG_NAME: &str = "イヌカミ ハネスケ";
const WRONG_BIRTH: &str = "1937-02-11";
const WRONG_NUMBER: &str = "6039184";
const WRONG_CODE: &str = "735918";
const MARKED: [&str; 6] = [WRONG_PIN, WRONG_NAME, "ｲﾇｶﾐ ﾊﾈｽｹ", WRONG_BIRTH, WRONG_NUMBER, WRONG_CODE];

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

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn check(what: &str, bytes: &[u8]) {
    for marked in MARKED {
        assert!(!has(bytes, marked), "{what} has {marked:?}");
    }
}

/// Checks every file below `directory`: how many there are.
fn check_files(directory: &Path) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(directory).expect("it is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            count += check_files(&path);
        } else {
            check(&path.display().to_string(), &std::fs::read(&path).expect("a file"));
            count += 1;
        }
    }
    count
}

#[tokio::test]
async fn what_is_typed_wrongly_at_a_bank_is_in_no_log_answer_or_file() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
    let subscriber = subscriber.with_writer(move || writer.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).expect("this is the only test that listens");
    let directory = tempfile::tempdir().expect("a directory");
    // Noon in Tokyo, 1 September 2020.
    let clock = SandboxClock::frozen(Time::from_milliseconds(1_598_929_200_000));
    let world = World::open(Policies::Raised, Some(directory.path()), clock).await;
    let nobody = json!({ "branch": "100", "kind": "ordinary", "number": WRONG_NUMBER });
    let right = json!({ "name_kana": "ナナミ ハナコ", "pin": "0412" });
    for (attempt, account, factors) in [
        ("a", account(), json!({ "name_kana": "ナナミ ハナコ", "pin": WRONG_PIN })),
        ("b", account(), json!({ "name_kana": WRONG_NAME, "pin": "0412" })),
        ("c", nobody.clone(), right.clone()),
        ("d", account(), json!({ "pin": "0412", "birth_date": WRONG_BIRTH })),
        ("e", account(), json!({ "pin": WRONG_PIN, "birth_date": format!("{WRONG_BIRTH}T") })),
        ("f", nobody.clone(), json!({ "pin": WRONG_PIN, "name": WRONG_NAME })),
        ("g", account(), json!({ "sms_code": WRONG_CODE })),
    ] {
        let body = json!({ "attempt": attempt, "account": account, "factors": factors });
        let answer = world.bank("0125", "authentications", body).await;
        check("an answer", answer.body.to_string().as_bytes());
    }
    let reference = json!({ "reference": "r", "account": nobody, "amount": 1 });
    let debit = world.bank("0125", "debits", reference).await;
    check("an answer", debit.body.to_string().as_bytes());
    let path = format!("banks/0125/accounts/100{WRONG_NUMBER}");
    let unknown = world.sandbox(Method::GET, &path, Value::Null).await;
    assert_eq!(unknown.status, 404);
    check("an answer", unknown.body.to_string().as_bytes());
    world.sandbox.stop().expect("it stops");
    assert!(check_files(directory.path()) > 0, "there are files");
    tracing::info!("the end");
    let log = log.0.lock().expect("nobody panics here").clone();
    assert!(has(&log, "the end"), "the log was listened to");
    check("the log", &log);
}
