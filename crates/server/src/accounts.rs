//! Credentials, and which holder a mail address logs in; and who wants to become one, until that is settled.
//!
//! An address logs in whoever proved that it is theirs; until then a credential waits, and opens nothing.

use crate::doors::Door;
use crate::password::Hashed;
use crate::tallies::{DAY_MS, HOUR_MS};
use domain::{Id, Time};
use serde::{Deserialize, Serialize};
use wallet::{ContactId, HolderId};

/// How long a holder may be without a mail address that answered, in milliseconds.
pub const UNVERIFIED_MS: i64 = 30 * DAY_MS;

/// How long after somebody wanted to be a holder it is settled whether they are one, in milliseconds: longer than any request
/// takes.
pub const CANDIDATE_MS: i64 = HOUR_MS;

/// Somebody who wants to be a holder, and for whom something was sealed before the books said whether they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Who.
    pub holder: HolderId,
    /// When it is looked at: whoever became none by then leaves no key.
    pub at: Time,
}

impl Door for Candidate {
    const TABLE: &'static str = "candidate";

    fn id(&self) -> Id {
        self.holder.0
    }

    fn at(&self) -> Option<Time> {
        Some(self.at)
    }
}

/// What a holder shows to come in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Who.
    pub holder: HolderId,
    /// Their password.
    pub password: Hashed,
    /// Until when a mail address must have answered; then the holder is forgotten here. None once one has.
    #[serde(default)]
    pub unverified_until: Option<Time>,
    /// When the password was last set anew by the mail alone.
    #[serde(default)]
    pub recovered: Option<Time>,
}

impl Door for Credential {
    const TABLE: &'static str = "credential";

    fn id(&self) -> Id {
        self.holder.0
    }

    fn at(&self) -> Option<Time> {
        self.unverified_until
    }
}

/// A proven mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Which.
    pub mail: ContactId,
    /// Whose.
    pub holder: HolderId,
}

impl Door for Login {
    const TABLE: &'static str = "login";

    fn id(&self) -> Id {
        self.mail.0
    }

    fn owner(&self) -> Option<Id> {
        Some(self.holder.0)
    }
}
