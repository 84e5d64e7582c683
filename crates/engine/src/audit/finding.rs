//! What an audit of the journal can find, in words that say what to look at.

use std::fmt;

/// Something that is not as it was written. Numbers are records' numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A record's bytes, time or hash were changed.
    Changed {
        /// The record.
        n: i64,
    },
    /// Records were taken out.
    Removed {
        /// The first of them.
        from: i64,
        /// The last of them.
        to: i64,
    },
    /// Records were put in.
    Added {
        /// The first of them, as it stands now.
        from: i64,
        /// The last of them.
        to: i64,
    },
    /// A record stands elsewhere than where it was written.
    Reordered {
        /// Where it belongs.
        n: i64,
        /// Where it was found.
        found_at: i64,
    },
    /// The journal's last records were cut off.
    Cut {
        /// The first that is missing.
        from: i64,
        /// The last that is known to have been there.
        to: i64,
    },
    /// The journal is whole and ends before what was anchored.
    RolledBack {
        /// The journal's last record.
        journal: i64,
        /// The last anchored record.
        anchored: i64,
    },
    /// The chain is whole, and is not the one that was anchored.
    Rewritten {
        /// The last record that an anchor confirms; 0 for none.
        after: i64,
        /// The first anchored record that is another one now.
        until: i64,
    },
    /// The lane's head was changed; the records are whole.
    HeadChanged,
    /// An anchor is not ours, or the anchor file was edited.
    AnchorInvalid {
        /// The line in the anchor file, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The anchor file has no anchor that can be believed: nothing was compared.
    NoAnchor,
    /// The file cannot be read beyond a record.
    Unreadable {
        /// The last record that could be read.
        after: i64,
        /// What the database said.
        why: String,
    },
}

impl Finding {
    /// The first record that it is about; what is about the end comes last.
    pub fn first(&self) -> i64 {
        match self {
            Self::Changed { n } | Self::Reordered { n, .. } => *n,
            Self::Removed { from, .. } | Self::Added { from, .. } | Self::Cut { from, .. } => *from,
            Self::Rewritten { after, .. } | Self::Unreadable { after, .. } => *after,
            Self::AnchorInvalid { .. } | Self::NoAnchor => 0,
            Self::RolledBack { .. } | Self::HeadChanged => i64::MAX,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { n } => {
                write!(f, "record {n} was changed (or the record before it, with its own hash made to fit)")
            }
            Self::Removed { from, to } => write!(f, "records {from} to {to} were removed"),
            Self::Added { from, to } => write!(f, "records {from} to {to} were added"),
            Self::Reordered { n, found_at } => write!(f, "record {n} was moved: it stands at {found_at}"),
            Self::Cut { from, to } => write!(f, "the journal's tail was cut: records {from} to {to} are missing"),
            Self::RolledBack { journal, anchored } => write!(
                f,
                "the files are an older copy, or their tail was cut and repaired: the journal ends at record {journal}, \
                 record {anchored} was anchored"
            ),
            Self::Rewritten { after, until } => {
                write!(
                    f,
                    "the chain was rewritten between records {after} and {until}: the anchor there has another hash"
                )
            }
            Self::HeadChanged => f.write_str("the lane's head was changed; it is not the last record's"),
            Self::AnchorInvalid { line, why } => write!(f, "line {line} of the anchor file is invalid: {why}"),
            Self::NoAnchor => f.write_str(
                "no anchor is believed: whether the journal was rewritten, cut or put back cannot be seen; is this the \
                 right anchor file, and the right key?",
            ),
            Self::Unreadable { after, why } => write!(f, "the file cannot be read beyond record {after}: {why}"),
        }
    }
}
