//! What the rooms of the API share. Ids in paths and bodies: a text that is no id is nobody's thing, and looks like one that is
//! not there. And how far what a POST moved is, as a status.

use crate::refusals;
use http::StatusCode;
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

/// What a POST that moves money is answered with: whether what it is about has come to its end.
pub const fn code_of(is_final: bool) -> StatusCode {
    if is_final { StatusCode::CREATED } else { StatusCode::ACCEPTED }
}
