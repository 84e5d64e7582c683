//! What the service keeps of a shop beside the books: its name, and the hashes of its tokens.

use crate::doors::Door;
use domain::{Id, Time};
use serde::{Deserialize, Serialize};
use wallet::ShopId;

/// What a token's hash is for.
pub const PURPOSE: &str = "shop";

/// How long a token still opens after another was made, in milliseconds: a day.
pub const TOKEN_OVERLAP_MS: i64 = 24 * 60 * 60 * 1_000;
/// Live tokens of one shop.
pub const TOKENS_MAX: usize = 8;

/// A token of a shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShopToken {
    /// The token's hash.
    pub token: Id,
    /// Whose.
    pub shop: ShopId,
    /// What it is called where it is listed.
    #[serde(default)]
    pub name: Id,
    /// Since when.
    #[serde(default)]
    pub made: Time,
    /// Until when, if it was replaced.
    #[serde(default)]
    pub until: Option<Time>,
}

impl ShopToken {
    /// What it is called where it is listed.
    pub fn shown(&self) -> String {
        format!("tok_{}", self.name)
    }

    /// Whether it opens at `now`.
    pub fn is_live(&self, now: Time) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl Door for ShopToken {
    const TABLE: &'static str = "shop_token";

    fn id(&self) -> Id {
        self.token
    }

    fn owner(&self) -> Option<Id> {
        Some(self.shop.0)
    }

    fn at(&self) -> Option<Time> {
        self.until
    }
}

/// What people are told of a shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShopName {
    /// Which.
    pub shop: ShopId,
    /// Its name.
    pub name: String,
}

impl Door for ShopName {
    const TABLE: &'static str = "shop_name";

    fn id(&self) -> Id {
        self.shop.0
    }
}
