//! Sessions: a holder who has logged in, with a token for a program or a cookie for a browser.
//!
//! Kept on this side, by the token's hash: ending one ends it. A browser's session is a new one at each login, so that a
//! cookie that was put there before is worth nothing after. A holder has so many sessions and no more: the oldest ends.

use crate::accounts::Credential;
use crate::doors::Door;
use crate::refusals;
use crate::service::Service;
use domain::{Id, Time};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use wallet::{Fingerprint, HolderId};
use web::{Due, Problem, Secret, chance};

/// The plain name of the cookie.
pub const COOKIE: &str = "session";
/// What the token's hash is for.
pub const PURPOSE: &str = "session";
/// How long a program's session lasts, in milliseconds.
pub const SESSION_API_MS: i64 = 12 * 60 * 60 * 1_000;
/// How long a browser's session lasts, in milliseconds.
pub const SESSION_BROWSER_MS: i64 = 60 * 60 * 1_000;

/// Sessions that one holder has at a time; whoever logs in once more ends the oldest.
pub const SESSIONS_MAX: usize = 50;

/// How often it is noted when sessions were last used, in milliseconds.
const NOTE_MS: i64 = 5 * 60 * 1_000;
/// Sessions of which that is noted in one transaction.
const NOTED_AT_ONCE: usize = 500;

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The token's hash.
    pub token: Id,
    /// What it is called where it is listed.
    pub name: Id,
    /// Whose.
    pub holder: HolderId,
    /// A browser's, or a program's.
    pub is_browser: bool,
    /// The device whose key was proven at the login.
    pub device: Option<Fingerprint>,
    /// Since when.
    pub opened: Time,
    /// Until when.
    pub expires: Time,
    /// When it was last used, as far as that was noted.
    #[serde(default)]
    pub seen: Time,
}

impl Door for Session {
    const TABLE: &'static str = "session";

    fn id(&self) -> Id {
        self.token
    }

    fn owner(&self) -> Option<Id> {
        Some(self.holder.0)
    }

    fn at(&self) -> Option<Time> {
        Some(self.expires)
    }
}

impl Session {
    /// What it is called where it is listed.
    pub fn shown(&self) -> String {
        format!("ses_{}", self.name)
    }
}

impl Service {
    /// Opens a session of whoever showed `credential`; the token is shown once. A password that was changed since it was
    /// shown opens none.
    pub fn open_session(
        &self,
        credential: &Credential,
        is_browser: bool,
        device: Option<Fingerprint>,
    ) -> Result<(Secret<String>, Session), Problem> {
        let (token, now, holder) = (chance::token(self.outside.chance.as_ref()), self.now(), credential.holder);
        let lasts_ms = if is_browser { SESSION_BROWSER_MS } else { SESSION_API_MS };
        let session = Session {
            token: self.keys.secret(PURPOSE, token.expose()),
            name: self.id(),
            holder,
            is_browser,
            device,
            opened: now,
            expires: now.plus_milliseconds(lasts_ms),
            seen: now,
        };
        let ended = self.doors.change(|doors| {
            if doors.get::<Credential>(holder.0)?.as_ref() != Some(credential) {
                return Err(refusals::log_in_refused());
            }
            let mut others: Vec<Session> = doors.of(holder.0)?;
            others.sort_by_key(|other| std::cmp::Reverse((now < other.expires, other.name)));
            let ended = others.split_off(others.len().min(SESSIONS_MAX - 1));
            for other in &ended {
                doors.remove::<Session>(other.token)?;
            }
            doors.put(&session)?;
            Ok(ended)
        })?;
        self.entrance.forget(ended.iter().map(|session| session.token));
        Ok((token, session))
    }

    /// Ends a session.
    pub fn end_session(&self, session: &Session) -> Result<(), Problem> {
        self.doors.remove::<Session>(session.token)?;
        self.entrance.forget([session.token]);
        Ok(())
    }

    /// Notes when sessions were last used, so that a restart forgets little of it.
    pub fn note_sessions(&self, now: Time) -> Result<Due, Problem> {
        if now < self.next_note.get() {
            return Ok(Due::default());
        }
        self.next_note.set(now.plus_milliseconds(NOTE_MS));
        let used = self.entrance.used();
        for part in used.chunks(NOTED_AT_ONCE) {
            self.doors.change(|doors| {
                for (token, seen) in part {
                    // One that has ended meanwhile stays ended.
                    if let Some(session) = doors.get::<Session>(*token)? {
                        doors.put(&Session { seen: *seen, ..session })?;
                    }
                }
                Ok::<_, Problem>(())
            })?;
        }
        Ok(Due { done: used.len(), next: None })
    }

    /// The live sessions of `holder`, the newest first.
    pub fn sessions_of(&self, holder: HolderId) -> Result<Vec<Session>, Problem> {
        let now = self.now();
        let mut sessions: Vec<Session> = self.doors.of(holder.0)?;
        sessions.retain(|session| now < session.expires);
        for session in &mut sessions {
            session.seen = session.seen.max(self.entrance.last_used(session.token).unwrap_or_default());
        }
        sessions.sort_by_key(|session| std::cmp::Reverse(session.name));
        Ok(sessions)
    }

    /// The session that a browser's cookie opens.
    pub fn browser_session(&self, headers: &http::HeaderMap) -> Result<Option<Arc<Session>>, Problem> {
        let Some(token) = web::cookie::get(headers, COOKIE, self.options.secure()) else { return Ok(None) };
        Ok(self.session(token)?.filter(|session| session.is_browser))
    }
}
