//! Audits of a data directory: is the journal what was written, do the rows follow from it, what was known when.
//!
//! Every audit reads in short pages beside a running engine and writes nothing. What it finds are values; only a store that
//! cannot be read at all is an error. Start reading at [`verify`], then [`replay()`] and [`as_of()`].

mod anchors;
mod as_of;
mod chain;
mod finding;
mod replay;
mod root;
#[cfg(test)]
mod tests;

pub use anchors::Anchors;
pub use as_of::{Until, as_of};
pub use chain::{Verified, verify};
pub use finding::Finding;
pub use replay::{ROOTS_MAX, Replayed, RootFinding, RowFinding, replay, rows_root};

/// Findings that one audit lists; it says when there are more.
pub const FINDINGS_MAX: usize = 100;
