//! Ids with a name: sixteen bytes behind a type each, shown with a prefix.
//!
//! [`ids!`](crate::ids) makes them; which there are is each domain's affair.

use crate::Id;
use std::fmt;

/// What is wrong with a text that should be an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedId {
    /// The prefix that the id should have.
    pub prefix: &'static str,
}

impl fmt::Display for MalformedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an id here is `{}_` and 32 lower-case hexadecimal digits", self.prefix)
    }
}

impl std::error::Error for MalformedId {}

/// Reads a text as the id whose prefix is `prefix`.
pub fn parse(text: &str, prefix: &'static str) -> Result<Id, MalformedId> {
    let malformed = MalformedId { prefix };
    let digits = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).ok_or(malformed)?;
    let lower = digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if digits.len() != 32 || !lower {
        return Err(malformed);
    }
    u128::from_str_radix(digits, 16).map(Id::from_number).map_err(|_| malformed)
}

/// Makes a type for each id: its documentation, its name, its prefix.
#[macro_export]
macro_rules! ids {
    ($(#[doc = $doc:literal] $name:ident, $prefix:literal;)+) => {$(
        #[doc = $doc]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ::serde::Serialize, ::serde::Deserialize)]
        pub struct $name(pub $crate::Id);

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0)
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(self, f)
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::MalformedId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::named::parse(text, $prefix).map(Self)
            }
        }
    )+};
}
