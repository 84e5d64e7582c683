//! What can be read of a stored entry without knowing its domain: who asked, with which request key, which rows changed.
//!
//! [`crate::Entry`]'s first fields are the same for every domain, so an index or an audit of the chain needs no decoding of
//! events. Start reading at [`Prefix::decode`].

use crate::encoding::FORMAT;
use crate::record::{Actor, Request, Touch};
use serde::Deserialize;

/// The first fields of [`crate::Entry`], in its order.
#[derive(Debug, Deserialize)]
pub(crate) struct Prefix<'a> {
    _actor: Actor,
    _command: &'a str,
    _reason: Option<&'a str>,
    pub(crate) request: Option<Request>,
}

/// [`Prefix`], and the rows that were changed.
#[derive(Debug, Deserialize)]
pub(crate) struct PrefixTouched<'a> {
    #[serde(borrow)]
    _prefix: Prefix<'a>,
    pub(crate) touched: Vec<Touch>,
}

impl<'a> Prefix<'a> {
    /// The first fields of the entry that `bytes` hold, or why they cannot be read.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, String> {
        take(bytes)
    }
}

impl<'a> PrefixTouched<'a> {
    /// The first fields of the entry that `bytes` hold, or why they cannot be read.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, String> {
        take(bytes)
    }
}

fn take<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    match bytes.split_first() {
        Some((&FORMAT, rest)) => match postcard::take_from_bytes(rest) {
            Ok((prefix, _)) => Ok(prefix),
            Err(error) => Err(format!("its first fields cannot be read: {error}")),
        },
        Some((format, _)) => Err(format!("it has the unknown format {format}")),
        None => Err("it is empty".into()),
    }
}
