//! What is read back from storage, with every bit flipped in its turn and cut at every byte: it is refused, or it is a value
//! that is the same when it is stored and read again. The fuzz targets (docs/fuzzing.md) look further.

use super::golden::deeds;
use super::world::apply;
use crate::domain::{Event, Gateway, Row};
use domain::{Domain, Key};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt::Debug;

/// Reads every damaged form of `value`, and hands what was understood to `see`.
fn damage<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, see: impl Fn(&T)) {
    let valid = postcard::to_stdvec(value).expect("it can be stored");
    let check = |bytes: &[u8]| {
        let Ok(value) = postcard::from_bytes::<T>(bytes) else { return };
        let again = postcard::to_stdvec(&value).expect("what was read can be stored");
        assert_eq!(postcard::from_bytes(&again).as_ref(), Ok(&value));
        see(&value);
    };
    for at in 0..valid.len() {
        check(&valid[..at]);
        for bit in 0..8 {
            let mut damaged = valid.clone();
            damaged[at] ^= 1 << bit;
            check(&damaged);
        }
    }
}

#[test]
fn damaged_bytes_are_refused_or_stay_the_same() {
    let mut rows: BTreeMap<Key, Row> = BTreeMap::new();
    for event in deeds() {
        damage(&event, |_: &Event| {});
        apply(&mut rows, &event, None);
    }
    for row in rows.values() {
        damage(row, |row| Gateway::columns(row, &mut Vec::new()));
    }
}
