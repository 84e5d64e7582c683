//! Letters: mails and messages to people, kept until whoever delivers them has taken them; and how many there were on each day.
//!
//! What is written is sealed while it waits. Delivered at least once under the letter's own id, by which the deliverer drops
//! what it has. No letter has a link in it, and none asks for a password.

use crate::contacts::{Address, Channel};
use crate::doors::{Door, DoorsError, Transaction};
use crate::sealed::Ciphertext;
use crate::service::Service;
use crate::work::OURS;
use bytes::Bytes;
use domain::{Day, Id, Time};
use http::{Request, header};
use serde::{Deserialize, Serialize};
use wallet::HolderId;
use web::{Bounds, Due, Problem};

/// How long the deliverer may take, in milliseconds.
const DELIVERY_MS_MAX: u64 = 3_000;
/// The first wait after a delivery that failed, in milliseconds; twice as long after each further one.
const WAIT_MS_MIN: i64 = 2_000;
/// The longest wait.
const WAIT_MS_MAX: i64 = 15 * 60 * 1_000;
/// How long a letter is tried, in milliseconds.
pub const LETTER_MS: i64 = 3 * 24 * 60 * 60 * 1_000;

/// A letter that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Its id.
    pub id: Id,
    /// Whom it is for.
    pub holder: HolderId,
    sealed: Ciphertext,
    /// When it is tried next.
    pub due: Time,
    /// How often it was tried.
    pub attempts: u32,
    /// After this nobody needs it any more.
    pub until: Time,
}

/// The letters of one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayOfLetters {
    /// Which day.
    pub day: Day,
    /// How many were written.
    pub written: u64,
    /// How many were taken by whoever delivers them.
    pub delivered: u64,
    /// How many nobody took in their time, or had nobody left to go to.
    pub given_up: u64,
}

impl Door for DayOfLetters {
    const TABLE: &'static str = "day_of_letters";

    fn id(&self) -> Id {
        Self::key(self.day)
    }

    fn owner(&self) -> Option<Id> {
        Some(OURS)
    }
}

impl DayOfLetters {
    /// The id of a day's letters, in the order of days.
    pub fn key(day: Day) -> Id {
        Id::from_number(u128::try_from(day.number()).unwrap_or(0) | 1 << 64)
    }

    /// Counts what was done on `day`, with whatever it is done in.
    fn count(doors: &Transaction<'_>, day: Day, counted: impl FnOnce(&mut Self)) -> Result<(), DoorsError> {
        let none = Self { day, written: 0, delivered: 0, given_up: 0 };
        let mut kept = doors.get::<Self>(Self::key(day))?.unwrap_or(none);
        counted(&mut kept);
        doors.put(&kept)
    }
}

impl Door for Letter {
    const TABLE: &'static str = "letter";

    fn id(&self) -> Id {
        self.id
    }

    fn owner(&self) -> Option<Id> {
        Some(self.holder.0)
    }

    fn at(&self) -> Option<Time> {
        Some(self.due)
    }
}

/// What is written, in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// What it is about.
    pub subject: String,
    /// What it says.
    pub text: String,
}

#[derive(Serialize, Deserialize)]
struct Contents {
    channel: Channel,
    to: String,
    subject: String,
    text: String,
}

#[derive(Serialize)]
struct Message<'a> {
    id: String,
    #[serde(flatten)]
    contents: &'a Contents,
}

impl Service {
    /// Keeps a letter to `address` of `holder` under `id`, and tries at once to hand it over. One that is kept is kept once.
    pub async fn send_letter(
        &self,
        id: Id,
        holder: HolderId,
        address: &Address,
        text: Text,
        lasts_ms: i64,
    ) -> Result<(), Problem> {
        let letter = self.write(id, holder, address, text, lasts_ms)?;
        if self.keep(&letter)? {
            self.deliver(letter).await?;
        }
        Ok(())
    }

    /// Keeps `letter`, and counts it. Whether it was not kept before.
    fn keep(&self, letter: &Letter) -> Result<bool, Problem> {
        let day = self.now().day();
        self.doors.change(|doors| {
            let is_new = doors.insert(letter)?;
            if is_new {
                DayOfLetters::count(doors, day, |day| day.written += 1)?;
            }
            Ok(is_new)
        })
    }

    /// Keeps a letter that whoever does the due work hands over.
    pub fn keep_letter(
        &self,
        id: Id,
        holder: HolderId,
        address: &Address,
        text: Text,
        lasts_ms: i64,
    ) -> Result<(), Problem> {
        let letter = Letter { due: self.now(), ..self.write(id, holder, address, text, lasts_ms)? };
        self.keep(&letter).map(drop)
    }

    fn write(&self, id: Id, holder: HolderId, address: &Address, text: Text, lasts_ms: i64) -> Result<Letter, Problem> {
        let to = address.expose().to_owned();
        let contents = Contents { channel: address.channel, to, subject: text.subject, text: text.text };
        let plain = serde_json::to_vec(&contents).map_err(|_| Problem::internal())?;
        let sealed = Ciphertext(self.seal(holder, &plain)?.0);
        let now = self.now();
        // Whoever does the due work leaves the first try to us.
        let due = now.plus_milliseconds(WAIT_MS_MIN);
        Ok(Letter { id, holder, sealed, due, attempts: 0, until: now.plus_milliseconds(lasts_ms) })
    }

    /// Hands over what is due.
    pub async fn deliver_due(&self, now: Time, budget: usize) -> Result<Due, Problem> {
        let letters: Vec<Letter> = self.doors.due(now, budget)?;
        let mut done = 0;
        for letter in letters {
            done += 1;
            if !self.deliver(letter).await? {
                // Whoever delivers is away: the others wait with this one, and nobody else's work waits for them.
                break;
            }
        }
        Ok(Due { done, next: self.doors.next::<Letter>()? })
    }

    /// Whether it is delivered, or needs to be no more.
    async fn deliver(&self, mut letter: Letter) -> Result<bool, Problem> {
        let plain = self.unseal(letter.holder, &letter.sealed.0);
        let contents = plain.ok().and_then(|plain| serde_json::from_slice::<Contents>(&plain).ok());
        let (is_done, is_delivered) = match contents {
            // Its person was erased: there is nobody to write to.
            None => (true, false),
            Some(contents) => {
                let is_taken = self.hand_over(letter.id, &contents).await;
                (is_taken, is_taken)
            }
        };
        letter.attempts += 1;
        let wait_ms = WAIT_MS_MAX.min(WAIT_MS_MIN << letter.attempts.min(16));
        letter.due = self.now().plus_milliseconds(wait_ms);
        if is_done || letter.due >= letter.until {
            if !is_done {
                tracing::warn!(letter = %letter.id, "a letter was given up");
            }
            let day = self.now().day();
            self.doors.change(|doors| {
                if !doors.remove::<Letter>(letter.id)? {
                    return Ok(());
                }
                DayOfLetters::count(doors, day, |day| {
                    if is_delivered {
                        day.delivered += 1;
                    } else {
                        day.given_up += 1;
                    }
                })
            })?;
        } else {
            self.doors.put(&letter)?;
        }
        Ok(is_done)
    }

    async fn hand_over(&self, id: Id, contents: &Contents) -> bool {
        let provider = &self.options.messages;
        let Ok(body) = serde_json::to_vec(&Message { id: format!("ltr_{id}"), contents }) else { return false };
        let request = Request::post(format!("{}/messages/v1/messages", provider.origin))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {}", provider.token.expose()))
            .header("idempotency-key", format!("ltr_{id}"))
            .body(Bytes::from(body));
        let Ok(request) = request else { return false };
        let bounds = Bounds { time_ms: DELIVERY_MS_MAX, body_bytes: 64 << 10 };
        match self.outside.transport.call(request, bounds).await {
            Ok(answer) if answer.status().is_success() => true,
            Ok(answer) => {
                tracing::warn!(status = answer.status().as_u16(), "a letter was not taken");
                false
            }
            Err(error) => {
                tracing::warn!(%error, "a letter could not be handed over");
                false
            }
        }
    }
}
