//! Codes: what is sent to an address so that whoever reads it there can show that they do.
//!
//! Eight digits are 26 bits (NIST SP 800-63B-4 asks for 20), good for ten minutes, five tries, one use. A code that is
//! wrong, used, too late or never was answers the same. A code says that an address is read, never who somebody is.

use crate::doors::Door;
use crate::refusals;
use crate::service::Service;
use domain::{Id, Time};
use serde::{Deserialize, Serialize};
use wallet::ContactId;
use web::{Problem, Secret, chance};

/// Digits of a code.
pub const CODE_DIGITS: u32 = 8;
/// How long a code is good, in milliseconds.
pub const CODE_MS: i64 = 10 * 60 * 1_000;
/// Wrong tries after which a code is worth nothing.
pub const CODE_TRIES_MAX: u32 = 5;
/// Codes that are sent for one purpose to one holder within [`CODES_WINDOW_MS`].
pub const CODES_SENT_MAX: u32 = 5;
/// The window of [`CODES_SENT_MAX`], in milliseconds.
pub const CODES_WINDOW_MS: i64 = 60 * 60 * 1_000;

/// What a code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A mail address is the holder's.
    VerifyMail,
    /// A telephone number is the holder's.
    VerifyPhone,
    /// The address that is wanted instead is the holder's.
    ChangeContact,
    /// A lost password.
    Recover,
    /// The second proof of a challenge.
    Prove,
}

/// A code that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// What for, and whose.
    id: Id,
    /// The code's hash.
    hash: Id,
    /// The address that it was sent to.
    contact: ContactId,
    /// Until when it is good.
    expires: Time,
    tries_left: u32,
    /// By which request it was used: that one may be repeated.
    used_by: Option<Id>,
    /// When the window of codes that were sent began, and how many were.
    sent_since: Time,
    sent: u32,
}

impl Door for Code {
    const TABLE: &'static str = "code";

    fn id(&self) -> Id {
        self.id
    }

    fn at(&self) -> Option<Time> {
        Some(self.sent_since.plus_milliseconds(CODES_WINDOW_MS))
    }
}

impl Service {
    fn code_id(&self, purpose: Purpose, subject: Id) -> Id {
        self.keys.secret(&format!("code: {purpose:?}"), &subject.to_string())
    }

    fn code_hash(&self, id: Id, code: &str) -> Id {
        self.keys.secret(&format!("code {id}"), code)
    }

    /// Makes a code for `subject` that is to be sent to `contact`. It takes the place of the one before.
    pub fn make_code(&self, purpose: Purpose, subject: Id, contact: ContactId) -> Result<Secret<String>, Problem> {
        let (id, now) = (self.code_id(purpose, subject), self.now());
        let code = chance::code(self.outside.chance.as_ref(), CODE_DIGITS);
        self.doors.change(|doors| {
            let before: Option<Code> = doors.get(id)?;
            let (sent_since, sent) = before
                .map(|before| (before.sent_since, before.sent))
                .filter(|(since, _)| now.milliseconds_since(*since) < CODES_WINDOW_MS)
                .unwrap_or((now, 0));
            if sent >= CODES_SENT_MAX {
                let left_ms = CODES_WINDOW_MS - now.milliseconds_since(sent_since);
                return Err(too_many_codes().retry_after((left_ms + 999) / 1_000));
            }
            doors.put(&Code {
                id,
                hash: self.code_hash(id, code.expose()),
                contact,
                expires: now.plus_milliseconds(CODE_MS),
                tries_left: CODE_TRIES_MAX,
                used_by: None,
                sent_since,
                sent: sent + 1,
            })?;
            Ok(())
        })?;
        Ok(code)
    }

    /// The address that `code` was sent to, if it is the right one; `request` may use it again, nobody else.
    pub fn use_code(&self, purpose: Purpose, subject: Id, code: &str, request: Id) -> Result<ContactId, Problem> {
        let (id, now) = (self.code_id(purpose, subject), self.now());
        let hash = self.code_hash(id, code);
        // A wrong try must be counted, so it is no error of the transaction.
        let used: Option<ContactId> = self.doors.change(|doors| {
            let Some(mut kept) = doors.get::<Code>(id)? else { return Ok::<_, Problem>(None) };
            if kept.used_by.is_some() || now >= kept.expires || kept.tries_left == 0 {
                return Ok(Some(kept.contact).filter(|_| kept.used_by == Some(request) && kept.hash == hash));
            }
            let is_right = kept.hash == hash;
            if is_right {
                kept.used_by = Some(request);
            } else {
                kept.tries_left -= 1;
            }
            doors.put(&kept)?;
            Ok(Some(kept.contact).filter(|_| is_right))
        })?;
        used.ok_or_else(code_refused)
    }
}

/// The one answer to every code that does not open.
pub fn code_refused() -> Problem {
    refusals::new(
        422,
        "code-refused",
        "The code is not the right one, or no longer.",
        "コードが正しくないか、期限切れです。",
    )
    .detail("Ask for a new one after five wrong tries or ten minutes.")
}

fn too_many_codes() -> Problem {
    refusals::new(429, "too-many-codes", "Too many codes were sent.", "コードの送信回数が上限に達しました。")
}
