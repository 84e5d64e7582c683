//! What follows the question mark: parameters that a path takes, and no others; and cursors, which only we can make.

use crate::keys::Keys;
use crate::service::Service;
use axum::extract::FromRequestParts;
use axum::extract::Query as Parameters;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Id;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use web::Problem;

/// Lines of a page where the caller names no limit.
pub const LIMIT_DEFAULT: usize = 20;
/// The most lines of a page.
pub const LIMIT_MAX: usize = 100;
/// Bytes of the seal at a cursor's end.
const SEAL_BYTES: usize = 8;
/// The longest cursor's contents, in bytes.
const CURSOR_BYTES_MAX: usize = 128;

/// The parameters of a path, strictly.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Service>> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Service>) -> Result<Self, Problem> {
        let parameters = Parameters::try_from_uri(&parts.uri);
        parameters
            .map(|Parameters(value)| Self(value))
            .map_err(|_| Problem::malformed("A parameter of the query is unknown, is there twice, or does not fit."))
    }
}

/// A page of a list, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// What the page holds; a page may hold less than was asked for although the list goes on.
    pub data: Vec<T>,
    /// Where the list goes on: to be given as `cursor`. Null at the end.
    pub next_cursor: Option<String>,
}

/// Which page of a list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// How many, 1 to 100; 20 without it.
    pub limit: Option<usize>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl Which {
    /// Where the page before ended, in a list whose cursors are ids; `None` for the first page.
    pub fn place(&self, keys: &Keys, list: &str) -> Result<Option<Id>, Problem> {
        place(keys, list, self.cursor.as_deref())
    }

    /// The page that is asked for of a list so short that all of it is at hand, each line with its id: from the largest id
    /// down, which is the newest first where ids are ordered by time.
    pub fn page<T>(&self, keys: &Keys, list: &str, mut all: Vec<(Id, T)>) -> Result<Page<T>, Problem> {
        let (limit, before) = (limit(self.limit)?, self.place(keys, list)?);
        all.retain(|(id, _)| before.is_none_or(|before| *id < before));
        all.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
        let goes_on = all.len() > limit;
        all.truncate(limit);
        let next_cursor = all.last().filter(|_| goes_on).map(|(id, _)| cursor(keys, list, &id.0));
        Ok(Page { data: all.into_iter().map(|(_, line)| line).collect(), next_cursor })
    }
}

/// The id that a cursor of the list `list` names, if there is one.
pub fn place(keys: &Keys, list: &str, cursor: Option<&str>) -> Result<Option<Id>, Problem> {
    cursor.map(|cursor| read_cursor(keys, list, cursor).map(Id)).transpose()
}

/// How many lines a page is to have.
pub fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked {
        None => Ok(LIMIT_DEFAULT),
        Some(limit @ 1..=LIMIT_MAX) => Ok(limit),
        Some(_) => Err(Problem::malformed("A limit is from 1 to 100.").with("member", "limit")),
    }
}

/// A cursor of the list `list` that holds `contents`.
pub fn cursor(keys: &Keys, list: &str, contents: &[u8]) -> String {
    let mut bytes = contents.to_vec();
    bytes.extend_from_slice(&seal(keys, list, contents));
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What a cursor of the list `list` holds, if we made it for that list.
pub fn read_cursor<const N: usize>(keys: &Keys, list: &str, cursor: &str) -> Result<[u8; N], Problem> {
    let wrong = || Problem::malformed("This is no cursor of this list.").with("member", "cursor");
    if cursor.len() > CURSOR_BYTES_MAX {
        return Err(wrong());
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| wrong())?;
    let (contents, sealed) = bytes.split_at_checked(N).ok_or_else(wrong)?;
    let contents: [u8; N] = contents.try_into().map_err(|_| wrong())?;
    if sealed == seal(keys, list, &contents) { Ok(contents) } else { Err(wrong()) }
}

fn seal(keys: &Keys, list: &str, contents: &[u8]) -> [u8; SEAL_BYTES] {
    let Id(hash) = keys.secret("cursor", &format!("{list} {}", URL_SAFE_NO_PAD.encode(contents)));
    let mut seal = [0; SEAL_BYTES];
    seal.copy_from_slice(&hash[..SEAL_BYTES]);
    seal
}
