//! The anchors that an audit believes: read from their file, each signature checked, and each link to the line before.

use super::finding::Finding;
use crate::anchor::{Anchor, from_hex, line_hash};
use crate::store::StoreError;
use ed25519_dalek::VerifyingKey;
use std::fs;
use std::path::PathBuf;

/// Where the anchors are, and who must have signed them.
#[derive(Clone, Debug)]
pub struct Anchors {
    /// The anchor file.
    pub file: PathBuf,
    /// The key that signed, from a place that whoever edits the database cannot reach.
    pub key: VerifyingKey,
}

/// An anchor that is believed.
#[derive(Clone, Debug)]
pub(super) struct Believed {
    pub(super) n: i64,
    pub(super) hash: [u8; 32],
    pub(super) rows: Option<String>,
}

impl Anchors {
    /// The anchors of `domain` that can be believed, in the order of their records, and what is wrong with the others.
    pub(super) fn read(&self, domain: &str) -> Result<(Vec<Believed>, Vec<Finding>), StoreError> {
        let text = fs::read(&self.file).map_err(|error| {
            StoreError::Unavailable(format!("cannot read the anchors in {}: {error}", self.file.display()))
        })?;
        let mut believed = Vec::new();
        let mut findings = Vec::new();
        let mut previous = String::new();
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let Ok(line) = std::str::from_utf8(line) else {
                findings.push(Finding::AnchorInvalid { line: index + 1, why: "it is no text in UTF-8".into() });
                continue;
            };
            // A line that a crash cut off was never relied on; one that was garbled breaks the link of the next.
            let Ok(anchor) = serde_json::from_str::<Anchor>(line) else { continue };
            match self.check(&anchor, domain, &previous) {
                Ok(anchor) => believed.push(anchor),
                Err(why) => findings.push(Finding::AnchorInvalid { line: index + 1, why: why.into() }),
            }
            previous = line_hash(line);
        }
        believed.sort_by_key(|anchor: &Believed| anchor.n);
        Ok((believed, findings))
    }

    fn check(&self, anchor: &Anchor, domain: &str, previous: &str) -> Result<Believed, &'static str> {
        if !anchor.is_signed_by(&self.key) {
            return Err("it was not signed with the given key");
        }
        if anchor.domain != domain {
            return Err("it is of another domain's journal");
        }
        if anchor.previous != previous {
            return Err("the line before it was changed or removed");
        }
        let hash = from_hex(&anchor.hash).and_then(|hash| hash.try_into().ok()).ok_or("its hash is no hash")?;
        let n = i64::try_from(anchor.n).map_err(|_| "its number is no record's")?;
        Ok(Believed { n, hash, rows: anchor.rows.clone() })
    }
}
