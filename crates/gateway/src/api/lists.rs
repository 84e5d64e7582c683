//! Lists: what a caller says of the page that it wants, and how every list answers: `{"data": […], "next_cursor": …}`, where
//! the last page has none.
//!
//! What is told never ends: there `after` is the number of the last thing that is known, and `next` what to ask after next
//! time. A cursor is the same number in the dress of every other list. `head` is the number of the last thing of all: whoever knows
//! of more than that is refused, because the books were restored under them.

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use web::{Json, Problem};

/// Things of one page, at most.
pub const PAGE_MAX: usize = 100;
/// A larger number is a caller's invention: nobody is told so many things.
pub const NUMBER_MAX: u64 = 1 << 47;
/// The longest cursor that is looked at, in bytes.
const CURSOR_BYTES_MAX: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    limit: Option<usize>,
    cursor: Option<String>,
    after: Option<u64>,
}

/// A page of a list that has an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    limit: Option<usize>,
    /// Where to go on; from the beginning without it.
    pub cursor: Option<String>,
}

/// A page of what somebody was told, which goes on for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since {
    /// The number of the last thing that is known.
    pub after: u64,
    /// How many things, at most.
    pub limit: u64,
}

fn malformed() -> Problem {
    Problem::malformed("`limit` is a whole number, `cursor` what the page before had as `next_cursor`.")
}

fn query(parts: &Parts) -> Result<Query, Problem> {
    let query: Query = axum::extract::Query::try_from_uri(&parts.uri)
        .map(|axum::extract::Query(query)| query)
        .map_err(|_| malformed())?;
    if query.cursor.as_ref().is_some_and(|cursor| cursor.is_empty() || cursor.len() > CURSOR_BYTES_MAX) {
        return Err(malformed());
    }
    Ok(query)
}

impl<S: Sync> FromRequestParts<S> for Page {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = query(parts)?;
        if query.after.is_some() {
            return Err(malformed());
        }
        Ok(Self { limit: query.limit, cursor: query.cursor })
    }
}

impl Page {
    /// How many things may be on it, of at most `max`.
    pub fn limit(&self, max: usize) -> usize {
        self.limit.unwrap_or(max).clamp(1, max)
    }

    /// The cursor as what it was made from.
    pub fn parsed<T: std::str::FromStr>(&self) -> Result<Option<T>, Problem> {
        self.cursor.as_ref().map(|cursor| cursor.parse().map_err(|_| malformed())).transpose()
    }
}

impl<S: Sync> FromRequestParts<S> for Since {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = query(parts)?;
        let cursor = query.cursor.map(|cursor| cursor.parse().map_err(|_| malformed())).transpose()?;
        let after = match (query.after, cursor) {
            (Some(_), Some(_)) => return Err(malformed()),
            (after, cursor) => after.or(cursor).unwrap_or(0),
        };
        let limit = query.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
        Ok(Self { after: after.min(NUMBER_MAX), limit: u64::try_from(limit).unwrap_or(1) })
    }
}

impl Since {
    /// The answer: `data` is what is shown of the things up to number `last`, of which there may be more if they fill the page.
    /// `head` is the number of the last thing of all.
    pub fn answer(self, last: Option<u64>, head: u64, data: &[Value]) -> Json<Value> {
        let next = last.unwrap_or(self.after);
        let is_full = next.saturating_sub(self.after) >= self.limit;
        let next_cursor = is_full.then(|| next.to_string());
        Json(json!({ "data": data, "next": next, "next_cursor": next_cursor, "head": head }))
    }
}

/// The answer of a list.
#[derive(Debug, Serialize)]
pub struct Listed<T> {
    /// The things of this page.
    pub data: Vec<T>,
    /// Where the page after this one begins, if there is one.
    pub next_cursor: Option<String>,
}
