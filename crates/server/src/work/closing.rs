//! Closing: each day, what the books moved at every bank is held against what the gateway told of the same movements.
//!
//! The gateway's news are a way of their own to the same truth: the books also learn from answers to requests, and a word that
//! the rules refused is in no book. So both are summed apart, movement by movement: the books' side from the journal, the
//! gateway's with the cursor of its news. A movement that is in doubt is on neither side, or on both. A difference is called out
//! once it has outlasted the time that news may take.
//! Start reading at [`Service::close_days`].

use super::Cursor;
use super::days::{BankDay, BankMovement, Books, day_owner};
use crate::doors::{Door, Doors, DoorsError, Transaction};
use crate::service::Service;
use crate::webhooks::operator::ALARM;
use domain::{Day, Id, Time};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use wallet::BankCode;
use web::{Due, Problem};

/// How long after midnight a day is closed, in milliseconds: its last news have come by then.
const CLOSE_MS: i64 = 10 * 60_000;
/// How long a difference may be one of time alone, in milliseconds.
const DIFFERENCE_MS: i64 = 10 * 60_000;
/// How long both sides of a movement are kept after the last word on it, in days: as long as its idempotency key.
const KEPT_DAYS: i32 = 400;
/// Days that one step closes, at most.
const DAYS_MAX: usize = 31;
/// Rows that are read at a time.
const PAGE_ROWS: usize = 500;

/// What the gateway told of one movement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Which.
    about: Id,
    /// At which bank.
    bank: BankCode,
    /// On which day it last told something.
    day: Day,
    /// What it says was debited.
    debited: i64,
    /// What it says was credited.
    credited: i64,
    /// What it says was given back, by give-back.
    given_back: Vec<(Id, i64)>,
}

impl Door for Told {
    const TABLE: &'static str = "told";

    fn id(&self) -> Id {
        self.about
    }

    fn owner(&self) -> Option<Id> {
        Some(day_owner(self.day))
    }
}

/// One thing that the gateway tells: how much moved now stands, in yen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// The top-up or payout.
    pub about: Id,
    /// At which bank.
    pub bank: BankCode,
    /// When it was told.
    pub day: Day,
    /// What.
    pub what: What,
}

/// What moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Debited.
    Debit(i64),
    /// Credited.
    Credit(i64),
    /// Given back, by which give-back.
    GiveBack(Id, i64),
}

impl Told {
    fn take(&mut self, word: &Word) {
        self.day = self.day.max(word.day);
        match word.what {
            What::Debit(amount) => self.debited = amount,
            What::Credit(amount) => self.credited = amount,
            What::GiveBack(id, amount) => {
                self.given_back.retain(|(other, _)| *other != id);
                self.given_back.push((id, amount));
            }
        }
    }

    /// What the bank owes us for it.
    fn sum(&self) -> i64 {
        self.debited - self.credited - self.given_back.iter().map(|(_, amount)| amount).sum::<i64>()
    }
}

/// Keeps what the gateway told, in the transaction of the cursor that covers it.
pub fn keep(doors: &Transaction<'_>, word: &Word) -> Result<(), DoorsError> {
    let Word { about, bank, day, .. } = *word;
    let fresh = || Told { about, bank, day, debited: 0, credited: 0, given_back: Vec::new() };
    let mut told = doors.get::<Told>(about)?.unwrap_or_else(fresh);
    told.take(word);
    doors.put(&told)
}

/// A bank's day, closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// The row's id.
    key: Id,
    /// What the books say of the movements that anything was heard of on that day, in yen.
    pub booked: i64,
    /// What the gateway says of the same.
    pub told: i64,
    /// In how many they differed.
    pub differences: u64,
    /// When it was closed.
    pub at: Time,
}

impl Door for Closed {
    const TABLE: &'static str = "closed_day";

    fn id(&self) -> Id {
        self.key
    }
}

/// A movement of which books and gateway say different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Which.
    pub about: Id,
    /// At which bank.
    pub bank: BankCode,
    /// At which day's close it was found.
    pub day: Day,
    /// What the books say that the bank owes us for it, in yen.
    pub booked: i64,
    /// What the gateway says.
    pub told: i64,
    /// It has outlasted the time that news may take.
    pub stands: bool,
    /// When somebody is to look whether it does.
    look: Option<Time>,
}

impl Door for Difference {
    const TABLE: &'static str = "difference";

    fn id(&self) -> Id {
        self.about
    }

    fn at(&self) -> Option<Time> {
        self.look
    }
}

/// The last day that was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LastClosed {
    day: Day,
}

impl Door for LastClosed {
    const TABLE: &'static str = "last_closed";

    fn id(&self) -> Id {
        Id::default()
    }
}

/// Makes the tables of this room in the service's own file: what the gateway told cannot be made again from the journal.
pub fn prepare(doors: &Doors) -> Result<(), DoorsError> {
    doors.prepare::<Told>()?;
    doors.prepare::<Closed>()?;
    doors.prepare::<Difference>()?;
    doors.prepare::<LastClosed>()
}

impl Service {
    /// Closes the days that are over, once everything that was heard of them is counted, and looks again at what differed.
    pub async fn close_days(&self, now: Time) -> Result<Due, Problem> {
        let mut done = self.look_at_differences(now)?;
        let last = self.doors.get::<LastClosed>(Id::default())?;
        let Some(LastClosed { day: last }) = last else {
            // The first start: what was before is not ours to close.
            self.doors.put(&LastClosed { day: now.day().plus(-1) })?;
            return Ok(Due { done: 1, next: Some(closes(now.day())) });
        };
        let mut day = last.plus(1);
        for _ in 0..DAYS_MAX {
            if now < closes(day) || !self.is_all_heard(day).await? {
                break;
            }
            self.close_day(day, now)?;
            done += 1;
            day = day.plus(1);
        }
        let next = [Some(closes(day)).filter(|at| now < *at), self.doors.next::<Difference>()?];
        Ok(Due { done, next: next.into_iter().flatten().min() })
    }

    /// Whether the journal and the gateway's news were read as far as `day` goes.
    async fn is_all_heard(&self, day: Day) -> Result<bool, Problem> {
        if self.news_read.get() < day.plus(1).start() {
            return Ok(false);
        }
        if self.work.get::<Books>(Id::default())?.is_some_and(|books| books.is_past(day)) {
            return Ok(true);
        }
        // Nothing has happened since: it is enough that there is nothing left to read.
        let status = self.engine.status().await.map_err(|error| crate::refusals::engine_problem(&error))?;
        let read = self.work.get::<Cursor>(Id::default())?.map_or(0, |cursor| cursor.n);
        Ok(read >= status.head.place.n)
    }

    fn close_day(&self, day: Day, now: Time) -> Result<(), Problem> {
        let mut closed: BTreeMap<BankCode, Closed> = BTreeMap::new();
        for (about, bank) in self.last_heard_of(day)? {
            let (booked, told) = self.both(about)?;
            let key = BankDay::key(day, bank);
            let sums = closed.entry(bank).or_insert(Closed { key, booked: 0, told: 0, differences: 0, at: now });
            sums.booked += booked;
            sums.told += told;
            if booked != told {
                sums.differences += 1;
                let look = Some(now.plus_milliseconds(DIFFERENCE_MS));
                let found = Difference { about, bank, day, booked, told, stands: false, look };
                self.doors.insert(&found)?;
            }
        }
        self.forget(day.plus(-KEPT_DAYS))?;
        self.doors.change(|doors| {
            for sums in closed.values() {
                doors.put(sums)?;
            }
            doors.put(&LastClosed { day }).map_err(Problem::from)
        })
    }

    /// The movements of which books or gateway heard on `day` for the last time.
    fn last_heard_of(&self, day: Day) -> Result<BTreeMap<Id, BankCode>, DoorsError> {
        let (mut before, mut all) = (None, BTreeMap::new());
        loop {
            let (rows, next) = self.work.newest::<BankMovement>(day_owner(day), before, PAGE_ROWS)?;
            all.extend(rows.into_iter().map(|row| (row.about, row.bank)));
            before = next;
            if before.is_none() {
                break;
            }
        }
        loop {
            let (rows, next) = self.doors.newest::<Told>(day_owner(day), before, PAGE_ROWS)?;
            all.extend(rows.into_iter().map(|row| (row.about, row.bank)));
            before = next;
            if before.is_none() {
                return Ok(all);
            }
        }
    }

    /// Drops both sides of the movements that neither has heard of since `day`. Where they differ they stay, for whoever must
    /// look; whatever a bank should still say of the others would show as a difference then.
    fn forget(&self, day: Day) -> Result<(), DoorsError> {
        let mut over = Vec::new();
        for about in self.last_heard_of(day)?.into_keys() {
            let booked = self.work.get::<BankMovement>(about)?.map(|row| row.day);
            let told = self.doors.get::<Told>(about)?.map(|row| row.day);
            let is_later = booked.max(told).is_some_and(|last| last > day);
            if !is_later && self.doors.get::<Difference>(about)?.is_none() {
                over.push(about);
            }
        }
        for page in over.chunks(PAGE_ROWS) {
            self.work.change(|work| page.iter().try_for_each(|about| work.remove::<BankMovement>(*about).map(drop)))?;
            self.doors.change(|doors| page.iter().try_for_each(|about| doors.remove::<Told>(*about).map(drop)))?;
        }
        Ok(())
    }

    /// What the books and what the gateway say of a movement.
    fn both(&self, about: Id) -> Result<(i64, i64), DoorsError> {
        let booked = self.work.get::<BankMovement>(about)?.map_or(0, |row| row.posted);
        Ok((booked, self.doors.get::<Told>(about)?.map_or(0, |told| told.sum())))
    }

    fn look_at_differences(&self, now: Time) -> Result<usize, Problem> {
        let due: Vec<Difference> = self.doors.due(now, PAGE_ROWS)?;
        for difference in &due {
            if let Some(difference) = self.difference_now(difference)? {
                let (bank, booked, told) = (difference.bank, difference.booked, difference.told);
                tracing::error!(about = %difference.about, %bank, booked, told, "books and gateway differ");
                self.doors.put(&Difference { stands: true, look: None, ..difference })?;
                let data = json!({ "kind": "bank_difference", "bank_code": bank.to_string(),
                    "day": difference.day.to_string(), "booked": booked, "told": told });
                let effect = format!("difference {} {}", difference.about, difference.day);
                self.tell_operator(ALARM, &effect, now, data)?;
            }
        }
        Ok(due.len())
    }

    /// A difference as it is now; it is dropped if there is none any more.
    pub fn difference_now(&self, difference: &Difference) -> Result<Option<Difference>, Problem> {
        let (booked, told) = self.both(difference.about)?;
        if booked == told {
            self.doors.remove::<Difference>(difference.about)?;
            return Ok(None);
        }
        Ok(Some(Difference { booked, told, ..*difference }))
    }
}

/// When `day` is closed.
fn closes(day: Day) -> Time {
    day.plus(1).start().plus_milliseconds(CLOSE_MS)
}
