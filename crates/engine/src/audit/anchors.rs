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
pub(crate) struct Believed {
    pub(crate) n: i64,
    pub(crate) hash: [u8; 32],
    pub(crate) rows: Option<String>,
}

impl Anchors {
    /// The anchors of `domain` that can be believed, in the order of their records, and what is wrong with the others; that
    /// none can be believed is a finding of its own.
    pub(super) fn read(&self, domain: &str) -> Result<(Vec<Believed>, Vec<Finding>), StoreError> {
        let text = fs::read(&self.file).map_err(|error| {
            StoreError::Unavailable(format!("cannot read the anchors in {}: {error}", self.file.display()))
        })?;
        Ok(self.judge(&text, domain))
    }

    /// The same of the file's bytes, whatever they are.
    pub(crate) fn judge(&self, text: &[u8], domain: &str) -> (Vec<Believed>, Vec<Finding>) {
        let mut believed: Vec<Believed> = Vec::new();
        let mut findings = Vec::new();
        let mut previous = String::new();
        let mut cut_off = None;
        let mut lines = text.split(|byte| *byte == b'\n').enumerate().peekable();
        while let Some((index, line)) = lines.next() {
            let invalid = |why: &str| Finding::AnchorInvalid { line: index + 1, why: why.into() };
            let is_unended = lines.peek().is_none();
            let Ok(line) = std::str::from_utf8(line) else {
                findings.push(invalid("it is no text in UTF-8"));
                continue;
            };
            match serde_json::from_str::<Anchor>(line) {
                Ok(anchor) => {
                    match self.check(&anchor, domain, &previous) {
                        Ok(anchor) => believed.push(anchor),
                        Err(why) => findings.push(invalid(why)),
                    }
                    previous = line_hash(line);
                    cut_off = None;
                }
                // What a crash cut off was never relied on: it ends the file, or the next anchor names the line before it.
                Err(error) if error.is_eof() && is_unended => {}
                Err(error) if error.is_eof() => cut_off = Some(invalid("it is cut short, and no anchor follows")),
                Err(_) => findings.push(invalid("it is no anchor")),
            }
        }
        findings.extend(cut_off);
        if believed.is_empty() {
            findings.push(Finding::NoAnchor);
        }
        believed.sort_by_key(|anchor| anchor.n);
        (believed, findings)
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
