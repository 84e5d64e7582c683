//! Credentials, and which holder a mail address logs in.
//!
//! An address logs in whoever proved that it is theirs; until then a credential waits, and opens nothing.

use crate::doors::Door;
use crate::password::Hashed;
use domain::Id;
use serde::{Deserialize, Serialize};
use wallet::{ContactId, HolderId};

/// What a holder shows to come in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Who.
    pub holder: HolderId,
    /// Their password.
    pub password: Hashed,
}

impl Door for Credential {
    const TABLE: &'static str = "credential";

    fn id(&self) -> Id {
        self.holder.0
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
