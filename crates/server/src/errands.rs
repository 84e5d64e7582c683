//! Errands: what is to be written to an address once its asker has been answered.
//!
//! Whoever asks to open a wallet, to recover a password or to log in is answered alike whether the address is known or not,
//! and after the same work. So an errand is kept for everyone, also for nobody, and whoever does the due work finds out
//! whether there is anybody to write to. How often one address is written to at a stranger's wish is bounded there.

use crate::accounts::Login;
use crate::api::Recovery;
use crate::codes::{CODE_MS, Purpose, SHARED_CODE_MS};
use crate::contacts::Contact;
use crate::doors::Door;
use crate::letters::{LETTER_MS, Text};
use crate::service::Service;
use crate::tallies::{Bound, DAY_MS, HOUR_MS, Tallies};
use crate::words;
use domain::{Id, Time};
use serde::{Deserialize, Serialize};
use wallet::{ContactId, HolderId};
use web::{Due, Problem};

/// Letters a day that tell an address of a wallet that somebody wanted to open one more with it.
const JOINED_ALREADY: [Bound; 1] = [Bound { name: "joined already", count_max: 3, window_ms: DAY_MS }];

/// How long one that could not be run waits, in milliseconds; after an hour it is dropped.
const WAIT_MS: i64 = 60_000;

/// Something to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// Its id, and that of the letter which comes of it.
    pub key: Id,
    /// What.
    pub what: What,
    /// Since when it waits.
    pub asked: Time,
    /// When it is looked at next.
    pub due: Time,
}

/// What is to be written, and to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A code for the address that a holder gave.
    VerifyMail {
        /// Who, if anybody.
        holder: HolderId,
        /// Which address.
        mail: ContactId,
    },
    /// That the address has a wallet already.
    JoinedAlready {
        /// Which address.
        mail: ContactId,
    },
    /// A code for whoever lost a password.
    Recover {
        /// Which recovery.
        recovery: Id,
    },
    /// A code for whoever logs in while somebody else tries passwords.
    LogIn {
        /// Which address.
        mail: ContactId,
    },
}

impl Door for Errand {
    const TABLE: &'static str = "errand";

    fn id(&self) -> Id {
        self.key
    }

    fn at(&self) -> Option<Time> {
        Some(self.due)
    }
}

/// An errand's code: what for, about what, whose, and to which address.
struct Wanted {
    purpose: Purpose,
    subject: Id,
    holder: HolderId,
    mail: ContactId,
}

impl Service {
    /// A new errand.
    pub fn errand(&self, what: What) -> Errand {
        let now = self.now();
        Errand { key: self.id(), what, asked: now, due: now }
    }

    /// Writes what is to be written.
    pub fn run_errands(&self, now: Time, budget: usize) -> Result<Due, Problem> {
        let errands: Vec<Errand> = self.doors.due(now, budget)?;
        let done = errands.len();
        for errand in errands {
            let written = match errand.what {
                What::JoinedAlready { mail } => self.tell_joined_already(errand.key, mail),
                What::VerifyMail { .. } | What::Recover { .. } | What::LogIn { .. } => self.write_code(&errand),
            };
            let is_over = match written {
                Ok(()) => true,
                // Whoever asked too often was answered like everyone, and is not written to.
                Err(problem) if problem.name() == "too-many-codes" => true,
                Err(problem) => {
                    // One that cannot be run holds up no other.
                    tracing::error!(%problem, errand = %errand.key, "an errand waits");
                    now.milliseconds_since(errand.asked) >= HOUR_MS
                }
            };
            if is_over {
                self.doors.remove::<Errand>(errand.key)?;
            } else {
                self.doors.put(&Errand { due: now.plus_milliseconds(WAIT_MS), ..errand })?;
            }
        }
        Ok(Due { done, next: self.doors.next::<Errand>()? })
    }

    fn tell_joined_already(&self, key: Id, mail: ContactId) -> Result<(), Problem> {
        let Some(login) = self.doors.get::<Login>(mail.0)? else { return Ok(()) };
        let is_free = self.doors.change(|doors| {
            let tallies = Tallies { doors, keys: &self.keys, now: self.now() };
            let is_free = tallies.wait_ms(&JOINED_ALREADY, "", mail.0)?.is_none();
            if is_free {
                tallies.count(&JOINED_ALREADY, "", mail.0)?;
            }
            Ok::<_, Problem>(is_free)
        })?;
        if is_free { self.write_to(key, login.holder, mail, words::joined_already(), LETTER_MS) } else { Ok(()) }
    }

    fn write_code(&self, errand: &Errand) -> Result<(), Problem> {
        let Some(Wanted { purpose, subject, holder, mail }) = self.code_wanted(errand.what)? else { return Ok(()) };
        // Where one came before that is good still, it opens what this one asked for as well.
        let Some(code) = self.make_code(purpose, subject, holder, mail)? else { return Ok(()) };
        let (text, lasts_ms) = match errand.what {
            What::Recover { .. } => (words::recovery_code(code.expose()), SHARED_CODE_MS),
            What::VerifyMail { .. } => (words::address_code(code.expose()), SHARED_CODE_MS),
            What::LogIn { .. } | What::JoinedAlready { .. } => (words::code(code.expose()), CODE_MS),
        };
        self.write_to(errand.key, holder, mail, text, lasts_ms)
    }

    /// Whom a code is for, if there is anybody.
    fn code_wanted(&self, what: What) -> Result<Option<Wanted>, Problem> {
        let of_login = |mail: ContactId| {
            let login = self.doors.get::<Login>(mail.0)?;
            Ok::<_, Problem>(login.map(|login| login.holder))
        };
        Ok(match what {
            What::VerifyMail { holder, mail } => {
                Some(Wanted { purpose: Purpose::VerifyMail, subject: mail.0, holder, mail })
            }
            What::Recover { recovery } => {
                let kept = self.doors.get::<Recovery>(recovery)?;
                kept.and_then(|kept| kept.addressee()).map(|(holder, mail)| Wanted {
                    purpose: Purpose::Recover,
                    subject: Contact::key(holder, mail),
                    holder,
                    mail,
                })
            }
            What::LogIn { mail } => {
                of_login(mail)?.map(|holder| Wanted { purpose: Purpose::LogIn, subject: holder.0, holder, mail })
            }
            What::JoinedAlready { mail: _ } => None,
        })
    }

    fn write_to(
        &self,
        key: Id,
        holder: HolderId,
        contact: ContactId,
        text: Text,
        lasts_ms: i64,
    ) -> Result<(), Problem> {
        // An address that its holder has given up meanwhile is not written to.
        let Some(address) = self.address(holder, contact)? else { return Ok(()) };
        self.keep_letter(key, holder, &address, text, lasts_ms)
    }
}
