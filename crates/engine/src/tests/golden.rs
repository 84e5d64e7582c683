//! The bytes that the engine stores, as they were first stored: entries, the chain's hash, an anchor's line, the request
//! index, rows, what the vault seals. A change of code that fails here has changed a stored form: old journals would no
//! longer be read, or no longer verify.
//!
//! `golden.txt` holds one of them a line: its name, then the bytes in hexadecimal (the anchor as its own text). To add one,
//! append it to [`stored`] and run the test: it prints the line to append to the file. A line that is there is never
//! changed and never taken out. A new format gets new names; the old ones stay, and are read for ever.

use super::counter::{Counter, Event, Receipt, Refusal, Row, Stage, counter_key, pointer_key, request};
use crate::anchor::{Anchor, from_hex, sign, to_hex};
use crate::record::{Actor, ActorKind, Entry, Outcome, Place, Touch, chain};
use crate::sqlite::{Filter, encode_row, write_entry};
use crate::store::Head;
use crate::vault::Vault;
use domain::{Id, Time};
use ed25519_dalek::SigningKey;
use tempfile::TempDir;

const GOLDEN: &str = include_str!("golden.txt");

/// The secret of the tests' keys.
pub(super) const KEY: [u8; 32] = [7; 32];

const AT: Time = Time::from_milliseconds(1_600_000_000_123);

/// Entries, by name: every outcome and every kind of caller, with and without what may be missing.
pub(super) fn entries() -> Vec<(String, Entry<Counter>)> {
    let bare = |outcome: Outcome<Counter>| Entry {
        actor: Actor { kind: ActorKind::System, id: Id::default() },
        command: "counter.add".into(),
        reason: None,
        request: None,
        touched: vec![],
        events: vec![],
        outcome,
    };
    let receipt = Receipt { total: 300, now: AT, clock_drifted: true };
    let full = Entry {
        actor: Actor { kind: ActorKind::Holder, id: Id::from_number(0x0123_4567_89ab_cdef) },
        command: "counter.move".into(),
        reason: Some("聞いた通り".into()),
        request: Some(request(0xaa, 0xbb)),
        touched: vec![
            Touch { key: counter_key(1), version: 1, previous: Place::default() },
            Touch { key: pointer_key(2), version: 300, previous: Place { lane: 1, n: 70_000 } },
        ],
        events: vec![
            Event::Added { counter: 1, by: 300 },
            Event::Moved { from: 1, to: 2, by: 200 },
            Event::Pointed { pointer: 2, counter: 1 },
            Event::Tried { counter: 1 },
            Event::Removed { counter: 2 },
            Event::Cursed { counter: 3, stage: Stage::Assert },
        ],
        outcome: Outcome::Done(receipt.clone()),
    };
    let mut entries = vec![
        ("done".to_owned(), bare(Outcome::Done(receipt))),
        ("done_full".to_owned(), full),
        ("refused".to_owned(), bare(Outcome::Refused(Refusal::Full { total: 1_000 }))),
        ("defect".to_owned(), bare(Outcome::Defect("told to panic".into()))),
        ("aggregated".to_owned(), bare(Outcome::Aggregated { refusals: u64::MAX })),
    ];
    let kinds = [
        ActorKind::System,
        ActorKind::Anyone,
        ActorKind::Holder,
        ActorKind::Shop,
        ActorKind::Operator,
        ActorKind::Bank,
    ];
    for kind in kinds {
        let actor = Actor { kind, id: Id::from_number(5) };
        entries.push((
            format!("by_{kind:?}").to_lowercase(),
            Entry { actor, ..bare(Outcome::Refused(Refusal::NoPointer)) },
        ));
    }
    entries
}

fn hash() -> [u8; 32] {
    let bytes = entries()[1].1.encode().expect("an entry can be stored");
    chain("counter", 3, &[9; 32], Place { lane: 1, n: 70_001 }, AT, &bytes)
}

/// The anchor that [`KEY`] signed.
pub(super) fn anchor() -> Anchor {
    let head = Head { epoch: 3, place: Place { lane: 1, n: 70_001 }, at: AT, hash: hash() };
    sign(&SigningKey::from_bytes(&KEY), "counter", head, &"0f".repeat(32), None)
}

/// The same, of the rows too.
fn anchor_of_rows() -> Anchor {
    let head = Head { epoch: 3, place: Place { lane: 1, n: 70_001 }, at: AT, hash: hash() };
    let rows = Some(format!("1.1:{}", "3c".repeat(32)));
    sign(&SigningKey::from_bytes(&KEY), "counter", head, &"0f".repeat(32), rows)
}

pub(super) fn anchor_line() -> String {
    serde_json::to_string(&anchor()).expect("an anchor can be written")
}

pub(super) fn request_block() -> Vec<u8> {
    let mut bytes = Vec::new();
    for (key, n) in [(1, 70_001), (2, 1), (0xff, u64::MAX)] {
        write_entry(&mut bytes, &request(key, 0).key, n);
    }
    bytes
}

pub(super) fn filter() -> Vec<u8> {
    let mut filter = Filter::new(1);
    filter.add(&request(0xaa, 0).key);
    filter.to_bytes()
}

/// A vault whose chance is always the same.
pub(super) fn vault(directory: &TempDir) -> Vault {
    let mut stream = blake3::Hasher::new().update(b"golden").finalize_xof();
    let chance = Box::new(move |bytes: &mut [u8]| stream.fill(bytes));
    let master_key = directory.path().join("master.key");
    std::fs::write(&master_key, KEY).expect("the key is written");
    Vault::open(directory.path(), &master_key, chance).expect("the vault opens")
}

/// Everything that is stored, by name, as the code stores it now.
fn stored() -> Vec<(String, String)> {
    let mut lines: Vec<(String, String)> = entries()
        .into_iter()
        .map(|(name, entry)| (format!("entry.1.{name}"), to_hex(&entry.encode().expect("an entry can be stored"))))
        .collect();
    let mut add = |name: &str, text: String| lines.push((name.to_owned(), text));
    add("chain.1", to_hex(&hash()));
    add("anchor.1", anchor_line());
    add("request_block.1", to_hex(&request_block()));
    add("request_filter.1", to_hex(&filter()));
    let row = |row: &Row| to_hex(&encode_row(row, Vec::new()).expect("a row can be stored"));
    add("row.1.counter", row(&Row::Counter { total: 300, tried: 7 }));
    add("row.1.pointer", row(&Row::Pointer { counter: 200 }));
    let directory = tempfile::tempdir().expect("a directory for the test");
    let mut vault = vault(&directory);
    let person = Id::from_number(1);
    add("vault.1.sealed", to_hex(&vault.seal(person, b"hanako@example.jp").expect("it is sealed")));
    add("vault.1.look_up", to_hex(&vault.look_up("mail", b"hanako@example.jp").0));
    add("anchor.1.rows", serde_json::to_string(&anchor_of_rows()).expect("an anchor can be written"));
    lines
}

#[test]
fn what_is_stored_never_changes() {
    let golden: Vec<(&str, &str)> =
        GOLDEN.lines().map(|line| line.split_once(' ').expect("a name and what is stored")).collect();
    let now = stored();
    let missing: Vec<String> = now.iter().skip(golden.len()).map(|(name, stored)| format!("{name} {stored}")).collect();
    for ((name, stored), (golden_name, golden)) in now.iter().zip(&golden) {
        assert_eq!(name, golden_name, "a line was changed, moved or taken out");
        assert_eq!(stored, golden, "{name} is stored differently: journals in use could not be read or verified");
    }
    assert!(missing.is_empty(), "append to crates/engine/src/tests/golden.txt:\n{}", missing.join("\n"));
    assert_eq!(
        golden.len(),
        now.len(),
        "something that was stored once is stored no more: keep its line and its reader"
    );
}

#[test]
fn what_was_stored_once_is_read() {
    let entries = entries();
    let mut read = 0;
    for (name, text) in GOLDEN.lines().filter_map(|line| line.strip_prefix("entry.1.")?.split_once(' ')) {
        let bytes = from_hex(text).expect("hexadecimal");
        let (_, entry) = entries.iter().find(|(known, _)| known == name).expect("the entry is known");
        assert_eq!(Entry::decode(&bytes).as_ref(), Ok(entry), "{name}");
        read += 1;
    }
    assert_eq!(read, entries.len());
    for name in ["anchor.1 ", "anchor.1.rows "] {
        let line = GOLDEN.lines().find_map(|line| line.strip_prefix(name)).expect("the anchor is there");
        let anchor: Anchor = serde_json::from_str(line).expect("the anchor is read");
        assert!(anchor.is_signed_by(&SigningKey::from_bytes(&KEY).verifying_key()), "{name}");
        let edited = Anchor { rows: Some(format!("1.1:{}", "3d".repeat(32))), ..anchor };
        assert!(!edited.is_signed_by(&SigningKey::from_bytes(&KEY).verifying_key()), "{name}");
    }
    let directory = tempfile::tempdir().expect("a directory for the test");
    let mut vault = vault(&directory);
    // The person's key comes of the same chance as when it was sealed.
    vault.seal(Id::from_number(1), b"").expect("it is sealed");
    let sealed = GOLDEN.lines().find_map(|line| line.strip_prefix("vault.1.sealed ")).expect("it is there");
    let opened = vault.unseal(Id::from_number(1), &from_hex(sealed).expect("hexadecimal"));
    assert_eq!(opened.as_deref(), Ok(b"hanako@example.jp".as_slice()));
}
