//! Every decoder of stored bytes against chance bytes, and against valid bytes that were damaged: a bit flipped, the end
//! cut off, something put in. What must hold is in `crate::decoders`; fuzzing looks longer, this looks every time.

use super::counter::{Counter, Event, Row, counter_key, request};
use super::golden::{self, KEY};
use crate::anchor::{Anchor, line_hash, sign};
use crate::decoders::{
    check_anchor_file, check_anchor_line, check_entry, check_filter, check_request_block, check_row,
};
use crate::record::{Outcome, Place, Touch};
use crate::sqlite::{Filter, encode_row};
use crate::store::Head;
use crate::vault::{PLAINTEXT_BYTES_MAX, Vault, VaultError};
use domain::{Id, Time};
use ed25519_dalek::SigningKey;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// One way to damage bytes.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        2 => any::<Index>().prop_map(Damage::Cut),
        2 => (any::<Index>(), vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
    ]
}

fn damaged(valid: &[u8], damages: &[Damage]) -> Vec<u8> {
    let mut bytes = valid.to_vec();
    for damage in damages {
        match damage {
            Damage::Flip(at, bit) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            Damage::Flip(..) => {}
            Damage::Cut(at) => bytes.truncate(at.index(bytes.len() + 1)),
            Damage::Insert(at, more) => {
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, more.iter().copied());
            }
        }
    }
    bytes
}

/// Chance bytes, half of them behind the format byte that lets a decoder go on.
fn chance() -> impl Strategy<Value = Vec<u8>> {
    (any::<bool>(), vec(any::<u8>(), 0..200)).prop_map(|(format, mut bytes)| {
        if format {
            bytes.insert(0, 1);
        }
        bytes
    })
}

/// Bytes of `valid` as they are or damaged, and chance bytes.
fn bytes_near(valid: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let near = (any::<Index>(), vec(damage(), 0..4));
    prop_oneof![
        3 => near.prop_map(move |(index, damages)| damaged(index.get::<Vec<u8>>(&valid), &damages)),
        1 => chance(),
    ]
}

fn rows() -> Vec<Vec<u8>> {
    let rows = [Row::Counter { total: 1_000, tried: 3 }, Row::Pointer { counter: 9 }];
    rows.iter().map(|row| encode_row(row, Vec::new()).expect("a row can be stored")).collect()
}

fn request_blocks() -> Vec<Vec<u8>> {
    vec![vec![], golden::request_block()]
}

fn filters() -> Vec<Vec<u8>> {
    let mut filter = Filter::new(100);
    (0..100).for_each(|key| filter.add(&request(key, 0).key));
    vec![filter.to_bytes(), golden::filter()]
}

fn entries() -> Vec<Vec<u8>> {
    golden::entries().into_iter().map(|(_, entry)| entry.encode().expect("an entry can be stored")).collect()
}

fn anchors() -> Vec<Vec<u8>> {
    vec![golden::anchor_line().into_bytes()]
}

/// Three anchors, each of which names the one before it, and the file that they make.
fn anchor_file() -> (Vec<Anchor>, Vec<u8>) {
    let (mut anchors, mut text, mut previous) = (Vec::new(), String::new(), String::new());
    for n in [10, 20, 30] {
        let (place, at, hash) = (Place { lane: 1, n }, Time::default(), [u8::try_from(n).unwrap_or(0); 32]);
        let rows = (n == 20).then(|| "1.1:3c".to_owned());
        let anchor =
            sign(&SigningKey::from_bytes(&KEY), "counter", Head { epoch: 1, place, at, hash }, &previous, rows);
        let line = serde_json::to_string(&anchor).expect("an anchor can be written");
        previous = line_hash(&line);
        text.push_str(&line);
        text.push('\n');
        anchors.push(anchor);
    }
    (anchors, text.into_bytes())
}

/// Chance and damage are not all that a decoder is asked: what is valid is understood.
#[test]
fn what_is_valid_is_understood() {
    let (key, signed) = (SigningKey::from_bytes(&KEY), [golden::anchor()]);
    let (of_file, file) = anchor_file();
    assert!(check_anchor_file(&file, &key, &of_file));
    let (whole, cut) = file.split_at(file.len() - 40);
    assert!(check_anchor_file(whole, &key, &of_file), "a line that a crash cut off is no finding");
    assert!(!check_anchor_file(cut, &key, &of_file));
    assert!(entries().iter().all(|bytes| check_entry::<Counter>(bytes)));
    assert!(rows().iter().all(|bytes| check_row::<Counter>(bytes)));
    assert!(request_blocks().iter().all(|bytes| check_request_block(bytes)));
    assert!(filters().iter().all(|bytes| check_filter(bytes)));
    assert!(anchors().iter().all(|bytes| check_anchor_line(bytes, &key, &signed)));
}

/// Bytes behind the end are damage, not something to be overlooked.
#[test]
fn a_byte_too_many_or_too_few_is_refused() {
    let check = |understood: fn(&[u8]) -> bool, valid: &[u8]| {
        assert!(!understood(&[valid, &[0]].concat()), "one byte too many in {valid:?}");
        assert!(!understood(&valid[..valid.len() - 1]), "one byte too few in {valid:?}");
    };
    for valid in entries() {
        check(check_entry::<Counter>, &valid);
    }
    for valid in rows() {
        check(check_row::<Counter>, &valid);
    }
    for valid in filters() {
        check(check_filter, &valid);
    }
    check(check_request_block, &golden::request_block());
}

proptest! {
    #[test]
    fn entries_are_understood_or_refused(bytes in bytes_near(entries())) {
        check_entry::<Counter>(&bytes);
        check_entry::<ledger::Ledger>(&bytes);
    }

    #[test]
    fn rows_are_understood_or_refused(bytes in bytes_near(rows())) {
        check_row::<Counter>(&bytes);
        check_row::<ledger::Ledger>(&bytes);
    }

    #[test]
    fn request_blocks_are_understood_or_refused(bytes in bytes_near(request_blocks())) {
        check_request_block(&bytes);
    }

    #[test]
    fn filters_are_understood_or_refused(bytes in bytes_near(filters())) {
        check_filter(&bytes);
    }

    #[test]
    fn anchor_lines_are_understood_or_refused(bytes in bytes_near(anchors())) {
        check_anchor_line(&bytes, &SigningKey::from_bytes(&KEY), &[golden::anchor()]);
    }

    #[test]
    fn anchor_files_are_understood_or_refused(bytes in bytes_near(vec![anchor_file().1])) {
        check_anchor_file(&bytes, &SigningKey::from_bytes(&KEY), &anchor_file().0);
    }

    #[test]
    fn an_entry_of_any_size_comes_back(
        reason in proptest::option::of(".{0,40}"),
        events in vec((any::<u8>(), any::<u64>()), 0..40),
        touched in vec((any::<u8>(), any::<u64>(), any::<u64>()), 0..40),
        refusals in any::<u64>(),
    ) {
        let mut entry = golden::entries().remove(0).1;
        entry.reason = reason;
        entry.events = events.into_iter().map(|(counter, by)| Event::Added { counter, by }).collect();
        let touch = |(counter, version, n)| {
            Touch { key: counter_key(counter), version, previous: Place { lane: 1, n } }
        };
        entry.touched = touched.into_iter().map(touch).collect();
        entry.outcome = Outcome::Aggregated { refusals };
        prop_assert!(check_entry::<Counter>(&entry.encode().expect("an entry can be stored")));
    }
}

#[test]
fn nothing_but_what_was_sealed_opens() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let mut vault = golden::vault(&directory);
    let person = Id::from_number(1);
    let sealed = vault.seal(person, "東京都千代田区".as_bytes()).expect("it is sealed");
    let longest = vault.seal(person, &vec![0; PLAINTEXT_BYTES_MAX]).expect("it is sealed");
    assert_eq!(vault.unseal(person, &longest).map(|plaintext| plaintext.len()), Ok(PLAINTEXT_BYTES_MAX));
    let check = |vault: &Vault, bytes: &[u8]| {
        let expected = if bytes == sealed { Ok("東京都千代田区".as_bytes()) } else { Err(&VaultError::Sealed) };
        assert_eq!(vault.unseal(person, bytes).as_deref(), expected);
    };
    proptest!(|(bytes in bytes_near(vec![sealed.clone()]))| check(&vault, &bytes));
}
