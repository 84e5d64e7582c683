//! What must hold for every decoder of stored bytes, whatever the bytes are: they give an error, or a value that is the
//! same when it is stored and read again. No bytes may bring the program down, and none may be half understood.
//!
//! Each check takes any bytes, panics where the promise is broken, and says whether the bytes were understood. The tests
//! feed them chance and damage, the fuzz targets (docs/fuzzing.md) whatever a fuzzer comes up with. The product never
//! calls them. Start reading at [`check_entry`].

use crate::anchor::{Anchor, from_hex, to_hex};
use crate::audit::{Anchors, Finding};
use crate::prefix::{Prefix, PrefixTouched};
use crate::record::Entry;
use crate::sqlite::{Filter, decode_row, encode_row, read_entries, write_entry};
use domain::{Domain, Id, Key, Table};
use ed25519_dalek::SigningKey;
use std::fmt::Debug;
use std::path::PathBuf;

/// An entry of the journal, and the two decoders of its first fields, which must see what it sees.
pub fn check_entry<D: Domain + Debug + PartialEq>(bytes: &[u8]) -> bool {
    let prefix = Prefix::decode(bytes).map(|prefix| prefix.request);
    let touched = PrefixTouched::decode(bytes).map(|prefix| prefix.touched);
    let Ok(entry) = Entry::<D>::decode(bytes) else { return false };
    assert_eq!(prefix.as_ref(), Ok(&entry.request), "the entry's request key is read without its domain");
    assert_eq!(touched.as_ref(), Ok(&entry.touched), "the entry's rows are read without its domain");
    let again = entry.encode().expect("what was read can be stored");
    assert_eq!(Entry::decode(&again).as_ref(), Ok(&entry), "an entry stays the same when it is stored again");
    true
}

/// A row as the embedded store keeps it; its columns can be told too.
pub fn check_row<D: Domain>(bytes: &[u8]) -> bool {
    let key = Key::new(Table(0), Id::default());
    let Ok(row) = decode_row::<D::Row>(key, bytes) else { return false };
    D::columns(&row, &mut Vec::new());
    let again = encode_row(&row, Vec::new()).expect("what was read can be stored");
    assert_eq!(decode_row(key, &again).as_ref(), Ok(&row), "a row stays the same when it is stored again");
    true
}

/// A block or a run of the request index.
pub fn check_request_block(bytes: &[u8]) -> bool {
    let Ok(entries) = read_entries(bytes) else { return false };
    let mut again = Vec::new();
    for (key, n) in entries {
        write_entry(&mut again, &key, n);
    }
    assert_eq!(again, bytes, "no entry is lost or changed");
    true
}

/// The filter of a segment of the request index; it can be asked for any key.
pub fn check_filter(bytes: &[u8]) -> bool {
    let Some(filter) = Filter::from_bytes(bytes) else { return false };
    assert_eq!(filter.to_bytes(), bytes, "no bit is lost or changed");
    for key in bytes.as_chunks::<16>().0 {
        filter.may_have(key);
    }
    true
}

/// A line of an anchor file. Whatever `key` seems to have signed is one of `signed`, the anchors that it did sign.
pub fn check_anchor_line(bytes: &[u8], key: &SigningKey, signed: &[Anchor]) -> bool {
    let Ok(anchor) = serde_json::from_slice::<Anchor>(bytes) else { return false };
    let again = serde_json::to_string(&anchor).expect("what was read can be stored");
    assert_eq!(serde_json::from_str::<Anchor>(&again).ok().as_ref(), Some(&anchor), "an anchor stays the same");
    for text in [&anchor.hash, &anchor.signature] {
        let digits = from_hex(text).map(|bytes| to_hex(&bytes));
        assert!(digits.is_none_or(|digits| digits == text.to_ascii_lowercase()), "{text:?} is half understood");
    }
    if anchor.is_signed_by(&key.verifying_key()) {
        let anchor = Anchor { signature: anchor.signature.to_ascii_lowercase(), ..anchor };
        assert!(signed.contains(&anchor), "nobody signs but the key: {anchor:?}");
    }
    true
}

/// A whole anchor file. What an audit believes of it is some of `signed`, the anchors that `key` did sign; whether it finds
/// nothing wrong.
pub fn check_anchor_file(bytes: &[u8], key: &SigningKey, signed: &[Anchor]) -> bool {
    let anchors = Anchors { file: PathBuf::new(), key: key.verifying_key() };
    let domain = signed.first().map_or("", |anchor| anchor.domain.as_str());
    let (believed, findings) = anchors.judge(bytes, domain);
    assert_eq!(believed.is_empty(), findings.contains(&Finding::NoAnchor), "that none is believed is said");
    assert!(believed.is_sorted_by_key(|anchor| anchor.n), "anchors come in the order of their records");
    for anchor in believed {
        let is_signed = |one: &Anchor| {
            i64::try_from(one.n) == Ok(anchor.n) && one.hash == to_hex(&anchor.hash) && one.rows == anchor.rows
        };
        assert!(signed.iter().any(is_signed), "nobody signs but the key: {anchor:?}");
    }
    findings.is_empty()
}
