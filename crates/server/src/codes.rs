//! Codes: what is sent to an address so that whoever reads it there can show that they do.
//!
//! Eight digits are 26 bits (NIST SP 800-63B-4 asks for 20), good for ten minutes, five tries, one use. A code that is
//! wrong, used, too late or never was answers the same. A code says that an address is read, never who somebody is.
//! Codes that are sent and codes that are wrong are counted for holder and address, whatever they were asked for: whoever
//! opens one challenge after another has no more tries than whoever opens one.
//!
//! A lost password is another matter, and so is an address that is not proven yet: whoever asks may be a stranger there, and
//! must not use up what its reader needs. So there is one code an hour for an address and a purpose, whoever asked, and it
//! opens whatever its reader asked for; wrong ones are counted for the one who typed them alone: the recovery, or the holder
//! who wants the address. That many more tries take a longer code: twelve digits. Recoveries of an address and codes for one
//! that is not proven are counted for the network they come from. It has a hundred tries a day at an address; ten thousand
//! networks, on one address and never tired, find one code in about two thousand seven hundred years.

use crate::doors::Door;
use crate::refusals;
use crate::service::Service;
use crate::tallies::{Bound, DAY_MS, HOUR_MS, Tallies};
use domain::{Id, Time};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use wallet::{ContactId, HolderId};
use web::{Problem, Secret, chance};

/// Digits of a code.
pub const CODE_DIGITS: u32 = 8;
/// Digits of a code that is everybody's who asks about its address.
pub const SHARED_CODE_DIGITS: u32 = 12;
/// How long a code is good, in milliseconds.
pub const CODE_MS: i64 = 10 * 60 * 1_000;
/// How long such a code is good, in milliseconds: until then there is no other (NIST SP 800-63B-4, section
/// 4.2.1.2, allows a day by mail).
pub const SHARED_CODE_MS: i64 = HOUR_MS;
/// Wrong tries after which a code is worth nothing.
pub const CODE_TRIES_MAX: u32 = 5;
/// Codes for one purpose that are sent to one holder, or to one address.
pub const SENT: [Bound; 2] = [
    Bound { name: "codes sent an hour", count_max: 10, window_ms: HOUR_MS },
    Bound { name: "codes sent a day", count_max: 30, window_ms: DAY_MS },
];
/// Wrong codes for one purpose of one holder, or for one address; after them even the right one is refused. Thirty a day
/// find one code in about nine thousand years.
pub const WRONG: [Bound; 2] = [
    Bound { name: "wrong codes an hour", count_max: 10, window_ms: HOUR_MS },
    Bound { name: "wrong codes a day", count_max: 30, window_ms: DAY_MS },
];

/// Wrong codes of one recovery.
const WRONG_OF_RECOVERY: [Bound; 1] =
    [Bound { name: "wrong codes of a recovery", count_max: CODE_TRIES_MAX, window_ms: DAY_MS }];
/// Wrong codes of one holder who wants an address to be theirs.
const WRONG_OF_ADDRESS: [Bound; 1] =
    [Bound { name: "wrong codes of an address", count_max: 2 * CODE_TRIES_MAX, window_ms: DAY_MS }];

/// Codes that are typed from one network for one address that is not proven yet.
const TYPED: [Bound; 1] = [Bound { name: "codes typed a day", count_max: 100, window_ms: DAY_MS }];

/// What a code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A mail address is the holder's.
    VerifyMail,
    /// The address or number that is wanted is the holder's.
    ChangeContact,
    /// A lost password.
    Recover,
    /// The second proof of a challenge.
    Prove,
    /// Logging in while somebody tries passwords.
    LogIn,
}

impl Purpose {
    /// How many digits, and how long it is good, in milliseconds.
    const fn form(self) -> (u32, i64) {
        match self {
            Self::Prove | Self::LogIn => (CODE_DIGITS, CODE_MS),
            Self::VerifyMail | Self::ChangeContact | Self::Recover => (SHARED_CODE_DIGITS, SHARED_CODE_MS),
        }
    }

    /// How many may be wrong.
    const fn wrong(self) -> &'static [Bound] {
        match self {
            Self::Prove | Self::LogIn => &WRONG,
            Self::VerifyMail | Self::ChangeContact => &WRONG_OF_ADDRESS,
            Self::Recover => &WRONG_OF_RECOVERY,
        }
    }

    /// Whether the code is everybody's who asks about its address: no wrong try wears it out for the others.
    const fn is_shared(self) -> bool {
        match self {
            Self::Prove | Self::LogIn => false,
            Self::VerifyMail | Self::ChangeContact | Self::Recover => true,
        }
    }
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
}

impl Door for Code {
    const TABLE: &'static str = "code";

    fn id(&self) -> Id {
        self.id
    }

    fn at(&self) -> Option<Time> {
        Some(self.expires)
    }
}

impl Code {
    /// Whether it may still be used at `now`.
    fn is_open(&self, now: Time) -> bool {
        self.used_by.is_none() && now < self.expires && self.tries_left > 0
    }
}

impl Service {
    fn code_id(&self, purpose: Purpose, subject: Id) -> Id {
        self.keys.secret(&format!("code: {purpose:?}"), &subject.to_string())
    }

    fn code_hash(&self, id: Id, code: &str) -> Id {
        self.keys.secret(&format!("code {id}"), code)
    }

    /// Makes a code about `subject` that is to be sent to `contact` of `holder`. It takes the place of the one before; but of
    /// a shared one that is good still there is no other: then there is nothing to send.
    pub fn make_code(
        &self,
        purpose: Purpose,
        subject: Id,
        holder: HolderId,
        contact: ContactId,
    ) -> Result<Option<Secret<String>>, Problem> {
        let (id, now) = (self.code_id(purpose, subject), self.now());
        let (digits, lasts_ms) = purpose.form();
        let code = chance::code(self.outside.chance.as_ref(), digits);
        let is_made = self.doors.change(|doors| {
            if purpose.is_shared() && doors.get::<Code>(id)?.is_some_and(|kept| kept.is_open(now)) {
                return Ok(false);
            }
            let tallies = Tallies { doors, keys: &self.keys, now };
            let what = format!("{purpose:?}");
            let mut wait_ms = None;
            // Of a shared code there is one at a time: its address needs no other bound.
            let counted = || std::iter::once(holder.0).chain((!purpose.is_shared()).then_some(contact.0));
            for about in counted() {
                wait_ms = wait_ms.max(tallies.wait_ms(&SENT, &what, about)?);
                wait_ms = wait_ms.max(tallies.wait_ms(purpose.wrong(), &what, about)?);
            }
            if let Some(wait_ms) = wait_ms {
                return Err(too_many_codes().retry_after((wait_ms + 999) / 1_000));
            }
            for about in counted() {
                tallies.count(&SENT, &what, about)?;
            }
            doors.put(&Code {
                id,
                hash: self.code_hash(id, code.expose()),
                contact,
                expires: now.plus_milliseconds(lasts_ms),
                tries_left: CODE_TRIES_MAX,
                used_by: None,
            })?;
            Ok(true)
        })?;
        Ok(Some(code).filter(|_| is_made))
    }

    /// Counts a code that is typed from `source` for `holder`, right or wrong: one network has so many tries.
    pub fn count_typed(&self, holder: Id, source: IpAddr) -> Result<(), Problem> {
        let wait_ms = self.wait_ms_from(&TYPED, holder, source)?;
        wait_ms.map_or(Ok(()), |wait_ms| Err(too_many_codes().retry_after((wait_ms + 999) / 1_000)))
    }

    /// The address that `code` was sent to, if it is the right one; `request` may use it again, nobody else. `whose` is whose
    /// tries are counted: the holder's, or a recovery's.
    pub fn use_code(
        &self,
        purpose: Purpose,
        subject: Id,
        whose: Id,
        code: &str,
        request: Id,
    ) -> Result<ContactId, Problem> {
        let (id, now) = (self.code_id(purpose, subject), self.now());
        let hash = self.code_hash(id, code);
        // A wrong try must be counted, so it is no error of the transaction.
        let used: Option<ContactId> = self.doors.change(|doors| {
            let (tallies, what) = (Tallies { doors, keys: &self.keys, now }, format!("{purpose:?}"));
            let kept = doors.get::<Code>(id)?;
            if let Some(kept) = kept.as_ref().filter(|kept| kept.used_by == Some(request) && kept.hash == hash) {
                return Ok::<_, Problem>(Some(kept.contact));
            }
            // Whose tries these are; of a code that is its holder's alone, the address's as well.
            let address = kept.as_ref().map(|kept| kept.contact.0).filter(|_| !purpose.is_shared());
            let counted = || std::iter::once(whose).chain(address.filter(|address| *address != whose));
            let mut is_tried_out = false;
            for about in counted() {
                is_tried_out |= tallies.wait_ms(purpose.wrong(), &what, about)?.is_some();
            }
            let open = kept.filter(|kept| kept.is_open(now) && !is_tried_out);
            if let Some(mut kept) = open.filter(|kept| kept.hash == hash || !purpose.is_shared()) {
                let is_right = kept.hash == hash;
                if is_right {
                    kept.used_by = Some(request);
                } else {
                    kept.tries_left -= 1;
                    for about in counted() {
                        tallies.count(purpose.wrong(), &what, about)?;
                    }
                }
                doors.put(&kept)?;
                return Ok(Some(kept.contact).filter(|_| is_right));
            }
            // As much is written where there is no code: how long it takes must not tell.
            tallies.count(purpose.wrong(), &what, whose)?;
            Ok(None)
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
    .detail("After five wrong tries or when its time is over, ask again; after ten wrong ones wait an hour.")
}

fn too_many_codes() -> Problem {
    refusals::new(429, "too-many-codes", "Too many codes were sent.", "コードの送信回数が上限に達しました。")
}
