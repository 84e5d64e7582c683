//! Ids and keys: how rows are named. Where ids come from (a seeded or a real source) is the caller's affair.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Sixteen bytes that name one row of a table: a UUIDv7, a keyed hash, or a code padded with zeros.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Id(pub [u8; 16]);

impl Id {
    /// The id whose bytes are `number` in big-endian order: for singletons and codes.
    pub const fn from_number(number: u128) -> Self {
        Self(number.to_be_bytes())
    }

    /// The id as a number, big-endian.
    pub const fn number(self) -> u128 {
        u128::from_be_bytes(self.0)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.number())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A table: its index in [`Domain::TABLES`](crate::Domain::TABLES).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Table(pub u8);

/// Names one row: its table, and its id there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// The table.
    pub table: Table,
    /// The row's id in it.
    pub id: Id,
}

impl Key {
    /// The key of row `id` of `table`.
    pub const fn new(table: Table, id: Id) -> Self {
        Self { table, id }
    }
}
