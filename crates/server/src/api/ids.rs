//! Ids in paths and bodies. A text that is no id is nobody's thing: it looks like a thing that is not there.

use crate::refusals;
use std::str::FromStr;
use wallet::{Noun, Refusal};
use web::Problem;

/// The id in `text`.
pub fn parse<T: FromStr>(text: &str, noun: Noun) -> Result<T, Problem> {
    text.parse().map_err(|_| unknown(noun))
}

/// There is no such thing, or it is another's.
pub fn unknown(noun: Noun) -> Problem {
    refusals::problem(&Refusal::Unknown { noun })
}
