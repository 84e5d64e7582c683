//! What is read back from storage against chance bytes, and against the golden events and the rows that they come to,
//! damaged: an error, or a value that is the same when it is stored and read again. Ids as texts: an id has one text.

use crate::{Event, Noun, Receipt, Refusal, Row, Standing, WalletId, Wallets};
use domain::{Domain, Id, Key};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt::Debug;

const GOLDEN: &str = include_str!("golden.txt");

/// The golden events, and every row that they come to.
fn stored() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let mut current: BTreeMap<Key, Option<Row>> = BTreeMap::new();
    let (mut events, mut rows) = (Vec::new(), Vec::new());
    for line in GOLDEN.lines().filter(|line| !line.starts_with("  ") && !line.starts_with("chapters ")) {
        let (_, hex) = line.split_once(' ').expect("a name and its bytes");
        let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
        let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(digits).collect();
        let event: Event = postcard::from_bytes(&bytes).expect("a golden event is read");
        events.push(bytes);
        let mut keys = Vec::new();
        Wallets::touches(&event, &mut keys);
        for key in keys {
            let row = current.entry(key).or_default();
            Wallets::evolve(key, row, &event);
            rows.push(postcard::to_stdvec(row.as_ref().expect("no row is ever removed")).expect("a row can be stored"));
        }
    }
    (events, rows)
}

/// Bytes of `valid` with up to three bits flipped, and perhaps the end cut off.
fn damaged(valid: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let damage = (vec((any::<Index>(), 0..8_u8), 0..4), proptest::option::of(any::<Index>()));
    (select(valid), damage).prop_map(|(mut bytes, (flips, cut))| {
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        bytes
    })
}

fn chance() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..120)
}

/// Any bytes are refused, or are a value that stays the same.
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let value: T = postcard::from_bytes(bytes).ok()?;
    let again = postcard::to_stdvec(&value).expect("what was read can be stored");
    assert_eq!(postcard::from_bytes(&again).as_ref(), Ok(&value));
    Some(value)
}

fn check_row(bytes: &[u8]) {
    if let Some(row) = check::<Row>(bytes) {
        Wallets::columns(&row, &mut Vec::new());
    }
}

#[test]
fn damaged_bytes_are_refused_or_stay_the_same() {
    let (events, rows) = stored();
    proptest!(|(event in damaged(events), row in damaged(rows))| {
        check::<Event>(&event);
        check_row(&row);
    });
}

proptest! {
    #[test]
    fn chance_bytes_are_refused_or_stay_the_same(bytes in chance()) {
        check::<Event>(&bytes);
        check::<Receipt>(&bytes);
        check::<Refusal>(&bytes);
        check_row(&bytes);
    }

    #[test]
    fn an_id_has_one_text(number in any::<u128>(), at in any::<Index>(), other in any::<char>()) {
        let id = WalletId(Id::from_number(number));
        let text = id.to_string();
        prop_assert_eq!(text.parse(), Ok(id));
        let changed: String = {
            let at = at.index(text.len());
            text.chars().enumerate().map(|(index, letter)| if index == at { other } else { letter }).collect()
        };
        if let Ok(id) = changed.parse::<WalletId>() {
            prop_assert_eq!(id.to_string(), changed);
        }
    }

    #[test]
    fn a_text_that_is_no_id_is_refused(text in "(wlt_)?[0-9a-fA-F+_ ]{0,34}|.{0,40}") {
        if let Ok(id) = text.parse::<WalletId>() {
            prop_assert_eq!(id.to_string(), text);
        }
    }
}

/// A refusal says how something stands by name, in the bytes in which it was ever stored: the variant, the noun, a text.
#[test]
fn how_something_stands_is_stored_by_name() {
    let refusal = |status| Refusal::WrongStatus { noun: Noun::TopUp, status };
    let stored = |text: &str| {
        let length = u8::try_from(text.len()).expect("a short name");
        [&[6, 7, length], text.as_bytes()].concat()
    };
    for standing in Standing::ALL {
        let bytes = stored(standing.name());
        assert_eq!(postcard::to_stdvec(&refusal(standing)), Ok(bytes.clone()), "{standing}");
        assert_eq!(postcard::from_bytes(&bytes), Ok(refusal(standing)), "{standing} has a name of its own");
    }
    assert!(postcard::from_bytes::<Refusal>(&stored("lost")).is_err());
}
