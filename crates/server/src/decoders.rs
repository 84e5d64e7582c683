//! What must hold for what comes back to the service, whatever the bytes are: rows of its own two files, cursors that callers hand
//! in, and the gateway's answers and news. It is refused, or it is a value that is the same when it is written and read again.
//! No bytes may bring the program down, and none may be half understood.
//!
//! Each check takes any bytes, panics where the promise is broken, and says whether the bytes were understood. The tests feed
//! them chance and damage, the fuzz targets (docs/fuzzing.md) whatever a fuzzer comes up with. The product never calls them.
//! Start reading at [`Rows::check`].

use crate::doors::{Doors, DoorsError, Safety};
use crate::gateway::Granted;
use crate::keys::Keys;
use crate::service::{DOORS_FILE, WORK_FILE};
use crate::{banking, gateway, news, query, service, work};
use domain::{Id, Time};
use serde_json::{Value, json};
use std::path::Path;
use wallet::BankAccountId;

/// Every table of the service's own two files.
pub struct Rows {
    doors: Doors,
    work: Doors,
}

impl Rows {
    /// Opens the files in `directory`, with all their tables.
    pub fn open(directory: &Path) -> Result<Self, DoorsError> {
        let doors = Doors::open(&directory.join(DOORS_FILE), Safety::Rebuildable)?;
        let work = Doors::open(&directory.join(WORK_FILE), Safety::Rebuildable)?;
        service::prepare(&doors)?;
        service::prepare_money(&doors, &work)?;
        work::prepare(&work)?;
        Ok(Self { doors, work })
    }

    /// The names of all tables.
    pub fn tables(&self) -> Vec<&'static str> {
        [&self.doors, &self.work].iter().flat_map(|file| file.tables()).collect()
    }

    /// A row's body, of whichever table.
    pub fn check(&self, body: &[u8]) -> bool {
        let understood: Vec<bool> = self.tables().iter().map(|table| self.check_of(table, body)).collect();
        understood.contains(&true)
    }

    /// A row's body of `table`.
    pub fn check_of(&self, table: &str, body: &[u8]) -> bool {
        self.doors.check_row(table, body) || self.work.check_row(table, body)
    }
}

/// Bodies that [`Rows::check`] understands, of the forms that a row has: a cursor, due work, a piece of news that was set aside.
pub fn rows() -> Vec<String> {
    let (id, now) = (Id::from_number(1), Time::from_milliseconds(1_790_000_000_000));
    let rows = [
        json!({ "n": 7, "last": null }),
        json!({ "about": id, "task": "top_up", "bank": 125, "when": now, "attempts": 3 }),
        json!({ "key": id, "piece": { "n": 7, "type": "debit.settled" }, "pause_ms": 60_000, "next": now }),
    ];
    rows.iter().map(Value::to_string).collect()
}

const LIST: &str = "payments";

/// A cursor of a list: one that is taken is the one that we made of what it holds.
pub fn check_cursor(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let keys = Keys::fixed();
    let made_of = |contents: &[u8]| {
        assert_eq!(query::cursor(&keys, LIST, contents), text, "nobody makes a cursor but us");
        true
    };
    let of_ids = query::read_cursor::<16>(&keys, LIST, text).is_ok_and(|contents| made_of(&contents));
    let of_places = query::read_cursor::<18>(&keys, LIST, text).is_ok_and(|contents| made_of(&contents));
    of_ids || of_places
}

/// A cursor that [`check_cursor`] understands.
pub fn cursor() -> String {
    query::cursor(&Keys::fixed(), LIST, &[7; 16])
}

/// What the gateway answers or tells: about a movement, of a grant, in a list of news.
pub fn check_gateway_answer(bytes: &[u8]) -> bool {
    let Ok(body) = gateway::read(bytes) else { return false };
    let of_movement = banking::check_said(&body);
    let news = body["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    let told = news.iter().filter(|piece| news::check_piece(piece)).count();
    let granted = serde_json::from_value::<Granted>(body);
    let is_granted = granted.is_ok_and(|granted| {
        let grant = granted.grant(BankAccountId(Id::default()));
        assert_eq!(granted.grant(grant.bank_account), grant, "a grant says the same twice");
        true
    });
    of_movement || told > 0 || is_granted
}

/// Answers that [`check_gateway_answer`] understands.
pub fn gateway_answers() -> [&'static str; 6] {
    [
        r#"{"status":"settled","amount":5000,"settled_amount":5000}"#,
        r#"{"status":"declined","code":"insufficient_funds","amount":5000}"#,
        r#"{"status":"declined","reason":"absent","amount":5000}"#,
        r#"{"status":"reversed","amount":5000,"settled_amount":null}"#,
        r#"{"data":[{"n":1,"type":"debit.contradicted","claim":"moved","claimed_amount":5000,"at":"2026-09-21T12:00:00+09:00"}]}"#,
        r#"{"mandate_id":"m","account_ref":"a","bank_code":"0125","branch":"001","masked_number":"…4567","account_kind":"ordinary",
            "grade":{"name":"MATCH","birth_date_matches":true,"factors_strong":true,"contact_notified":false}}"#,
    ]
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// `see` sees `valid` cut at every byte, with every bit flipped, and with every byte left out or doubled.
    pub fn damage(valid: &[u8], see: impl Fn(&[u8]) -> bool) {
        assert!(see(valid), "it is understood: {}", String::from_utf8_lossy(valid));
        for at in 0..valid.len() {
            see(&valid[..at]);
            see(&[&valid[..at], &valid[at + 1..]].concat());
            see(&[&valid[..=at], &valid[at..]].concat());
            for bit in 0..8 {
                let mut damaged = valid.to_vec();
                damaged[at] ^= 1 << bit;
                see(&damaged);
            }
        }
    }

    #[test]
    fn a_damaged_cursor_is_refused() {
        let cursor = cursor();
        damage(cursor.as_bytes(), check_cursor);
        let of_another_list = query::cursor(&Keys::fixed(), "sends", &[7; 16]);
        assert!(!check_cursor(of_another_list.as_bytes()));
    }

    #[test]
    fn damaged_answers_of_the_gateway_are_refused_or_stay_the_same() {
        for answer in gateway_answers() {
            damage(answer.as_bytes(), check_gateway_answer);
        }
    }

    #[test]
    fn damaged_rows_are_refused_or_stay_the_same() {
        let directory = tempfile::tempdir().expect("a directory");
        let tables = Rows::open(directory.path()).expect("the files open");
        for row in rows() {
            damage(row.as_bytes(), |bytes| tables.check(bytes));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_understood_whole(bytes in vec(any::<u8>(), 0..200)) {
            check_cursor(&bytes);
            check_gateway_answer(&bytes);
        }

        #[test]
        fn any_words_about_a_movement_are_refused_or_understood_whole(
            status in "settled|declined|reversed|returned|pending|in_doubt|[a-z]{0,3}",
            amounts in vec(prop_oneof![Just("null".to_owned()), any::<i64>().prop_map(|n| n.to_string()), "\"[0-9]{1,3}\"|[0-9]\\.5"], 2),
            code in "null|[0-9]{1,6}|\"[a-z_]{1,20}\"|\\{\\}",
            reason in "null|\"absent\"|7",
        ) {
            let (amount, settled) = (&amounts[0], &amounts[1]);
            let answer = format!(
                r#"{{"status":"{status}","amount":{amount},"settled_amount":{settled},"code":{code},"reason":{reason}}}"#
            );
            check_gateway_answer(answer.as_bytes());
        }
    }
}
