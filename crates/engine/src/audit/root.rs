//! The root of the rows: one hash over every row as the records up to some number make them.
//!
//! Rows are spread over [`BUCKETS`] buckets by their ids. A bucket's hash covers its rows in the order of their keys: each
//! key, version, place and stored form. The root covers the hashes of all buckets in their order. So a replay that has a
//! few buckets in memory at a time comes to the same root as one that has them all.
//! Start reading at [`Roots`].

use crate::anchor::to_hex;
use crate::record::Place;
use crate::sqlite::{encode_row, row_form};
use crate::store::StoreError;
use domain::{Domain, Key};
use std::collections::BTreeMap;
use std::ops::Range;

/// Into how many buckets rows are spread.
pub(super) const BUCKETS: usize = 256;

/// The bucket that a row belongs to: any even spread will do.
pub(super) fn bucket(key: Key) -> usize {
    let spread = key.id.number().wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) >> 120;
    usize::try_from(spread).unwrap_or(0)
}

/// A row as it is after some record.
pub(super) struct Seen<'a, R> {
    pub(super) key: Key,
    pub(super) version: u64,
    pub(super) place: Place,
    pub(super) row: Option<&'a R>,
}

/// The roots that are wanted, by the number of their last record, with the buckets' hashes as far as they are known.
pub(super) struct Roots(BTreeMap<u64, Vec<[u8; 32]>>);

impl Roots {
    pub(super) fn wanted(numbers: impl IntoIterator<Item = u64>) -> Self {
        Self(numbers.into_iter().map(|n| (n, vec![[0; 32]; BUCKETS])).collect())
    }

    /// The first wanted number after `n`.
    pub(super) fn next(&self, n: u64) -> Option<u64> {
        self.0.range(n + 1..).next().map(|(n, _)| *n)
    }

    /// Notes the rows of some buckets as they are after record `n`, if its root is wanted.
    pub(super) fn note<'a, D: Domain>(
        &mut self,
        n: u64,
        buckets: Range<usize>,
        rows: impl Iterator<Item = Seen<'a, D::Row>>,
    ) -> Result<(), StoreError> {
        let Some(known) = self.0.get_mut(&n) else { return Ok(()) };
        let mut rows: Vec<_> = rows.collect();
        rows.sort_unstable_by_key(|seen| (bucket(seen.key), seen.key));
        let mut rows = rows.into_iter().peekable();
        let mut bytes = Vec::new();
        for number in buckets {
            let mut hasher = blake3::Hasher::new();
            while let Some(Seen { key, version, place, row }) = rows.next_if(|seen| bucket(seen.key) == number) {
                hasher.update(&[key.table.0]);
                hasher.update(&key.id.0);
                hasher.update(&version.to_be_bytes());
                hasher.update(&place.n.to_be_bytes());
                bytes.clear();
                if let Some(row) = row {
                    bytes = encode_row(row, bytes)?;
                }
                hasher.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
                hasher.update(&bytes);
            }
            known[number] = *hasher.finalize().as_bytes();
        }
        Ok(())
    }

    /// The roots, once every bucket was noted: the form that rows had, and the hash.
    pub(super) fn finish<D: Domain>(self) -> BTreeMap<u64, String> {
        let root = |(n, known): (u64, Vec<[u8; 32]>)| {
            let mut hasher = blake3::Hasher::new();
            hasher.update(b"kinchaku rows 1\0");
            hasher.update(D::NAME.as_bytes());
            for bucket in &known {
                hasher.update(bucket);
            }
            (n, format!("{}:{}", row_form::<D>(), to_hex(hasher.finalize().as_bytes())))
        };
        self.0.into_iter().map(root).collect()
    }
}

/// Whether a root was computed of rows in the form that this program gives them.
pub(super) fn is_comparable<D: Domain>(root: &str) -> bool {
    root.split_once(':').is_some_and(|(form, _)| form == row_form::<D>())
}
