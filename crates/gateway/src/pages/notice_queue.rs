//! The notices that wait for their time, or for a bank that does not take them, with the account's number: in memory. What is
//! owed for a first factor stands in the books as well, and comes back from there.
//!
//! A bank has a queue of its own: what one bank does not take, and whoever floods it, keeps no notice of another bank.
//! Start reading at [`Notices::run_due`].

use super::notice::{About, NotTold, tell, told as paid};
use crate::domain::{AccountId, BankCode, MandateId};
use crate::gateway::Gateway;
use domain::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use web::Due;

/// Notices of one bank that wait at once; further ones are counted and dropped: the bank is down, or under attack.
pub const WAITING_MAX: usize = 10_000;
/// How often a bank is asked to send one notice of plain failures.
const TRIES_MAX: u32 = 8;
/// How often it is asked for one that is owed: for about two days.
const OWED_TRIES_MAX: u32 = 100;
/// How long the second try waits after the first, in milliseconds; twice as long after each further one, but not longer
/// than after the eleventh.
const RETRY_MS: i64 = 2_000;
const DOUBLED_MAX: u32 = 10;
/// How long the notice of a first factor waits for the second step to end, in milliseconds.
const SECOND_STEP_MS: i64 = 60_000;
/// How long plain failures are gathered before their account's holder is told, in milliseconds.
const FAILURES_GATHERED_MS: i64 = 10 * 60_000;
/// Notices of plain failures that one bank sends in an hour.
const FAILURES_AN_HOUR_MAX: u32 = 200;
const HOUR_MS: i64 = 3_600_000;

/// Notices that wait, by bank.
#[derive(Debug, Default)]
pub struct Notices(Mutex<BTreeMap<BankCode, Waiting>>);

/// When a notice is due, and its number among those that were put here.
type Place = (Time, u64);

#[derive(Debug, Default)]
struct Waiting {
    due: BTreeMap<Place, Notice>,
    last: u64,
    /// Accounts whose plain failures are gathered.
    gathered: BTreeSet<AccountId>,
    /// The notices of first factors whose second step is under way.
    held: BTreeMap<MandateId, Place>,
    /// The hour, and how many notices of plain failures went out in it.
    told: (i64, u32),
}

#[derive(Debug)]
struct Notice {
    tries: u32,
    about: About,
    gathered: Option<AccountId>,
}

impl Notices {
    fn of<T>(&self, bank: BankCode, look: impl FnOnce(&mut Waiting) -> T) -> T {
        let mut banks: MutexGuard<'_, _> = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        look(banks.entry(bank).or_default())
    }

    /// The true holder is to be told at once.
    pub(super) fn push(&self, about: About, now: Time) {
        self.of(about.bank, |waiting| waiting.put(now, Notice { tries: 0, about, gathered: None }));
    }

    /// The true holder is to be told at once, unless the second step that is under way ends in a link.
    pub(super) fn hold(&self, about: About, now: Time) {
        let mandate = about.mandate;
        self.of(about.bank, |waiting| {
            let until = now.plus_milliseconds(SECOND_STEP_MS);
            if let Some(place) = waiting.put(until, Notice { tries: 0, about, gathered: None }) {
                waiting.held.insert(mandate, place);
            }
        });
    }

    /// What was held for `mandate`, if it did not go out yet: another notice says it, or it is pushed again.
    pub(super) fn take_held(&self, bank: BankCode, mandate: MandateId) -> Option<About> {
        self.of(bank, |waiting| {
            let place = waiting.held.remove(&mandate)?;
            waiting.due.remove(&place).map(|notice| notice.about)
        })
    }

    /// Somebody tried `id` and knew nothing.
    pub(super) fn gather(&self, id: AccountId, about: About, now: Time) {
        self.of(about.bank, |waiting| {
            if waiting.gathered.contains(&id) {
                return;
            }
            let until = now.plus_milliseconds(FAILURES_GATHERED_MS);
            if waiting.put(until, Notice { tries: 0, about, gathered: Some(id) }).is_some() {
                waiting.gathered.insert(id);
            }
        });
    }

    /// Has `bank` tell at most `budget` of those who are to be told by `now`. A bank that does not answer is asked no more in
    /// this turn, and one that rests not at all.
    pub async fn run_due(&self, gateway: &Gateway, bank: BankCode, now: Time, budget: usize) -> Due {
        if let Some(until) = gateway.work().rests_until(bank, now) {
            return Due { done: 0, next: self.of(bank, |waiting| waiting.next_due()).map(|due| due.max(until)) };
        }
        let next = self.of(bank, |waiting| waiting.next_due());
        if next.is_none_or(|due| due > now) {
            return Due { done: 0, next };
        }
        if let Ok(opens) = gateway.open_from(bank, now).await
            && opens > now
        {
            return Due { done: 0, next: Some(opens) };
        }
        let mut done = 0;
        while done < budget {
            let Some(notice) = self.of(bank, |waiting| waiting.next(now)) else { break };
            done += 1;
            let told = tell(gateway, &notice.about, "").await;
            let answered = match &told {
                Ok(_) => Some(true),
                Err(NotTold::Bank(error)) => Some(!error.is_silence()),
                Err(NotTold::Already | NotTold::Ours(_)) => None,
            };
            if let Some(answered) = answered {
                gateway.work().heard(bank, answered, now);
            }
            let tries_max = if notice.about.owed.is_some() { OWED_TRIES_MAX } else { TRIES_MAX };
            match told {
                Ok(_) | Err(NotTold::Already) => paid(gateway, &notice.about).await,
                Err(error) if notice.tries + 1 >= tries_max => {
                    tracing::error!(%bank, %error, "a true holder was not told");
                    paid(gateway, &notice.about).await;
                }
                Err(NotTold::Bank(_) | NotTold::Ours(_)) => {
                    let again = now.plus_milliseconds(RETRY_MS << notice.tries.min(DOUBLED_MAX));
                    let notice = Notice { tries: notice.tries + 1, gathered: None, ..notice };
                    self.of(bank, |waiting| waiting.put(again, notice));
                }
            }
            if answered == Some(false) {
                break;
            }
        }
        Due { done, next: self.of(bank, |waiting| waiting.next_due()) }
    }
}

impl Waiting {
    /// Puts `notice` where it is due at `due`; none where there is no room.
    fn put(&mut self, due: Time, notice: Notice) -> Option<Place> {
        if self.due.len() >= WAITING_MAX {
            tracing::error!(bank = %notice.about.bank, "too many notices wait: one is dropped");
            return None;
        }
        self.last += 1;
        let place = (due, self.last);
        self.due.insert(place, notice);
        Some(place)
    }

    fn next_due(&self) -> Option<Time> {
        self.due.first_key_value().map(|((due, _), _)| *due)
    }

    /// The next notice that is due, of gathered failures as many as an hour allows; the rest of those is dropped.
    fn next(&mut self, now: Time) -> Option<Notice> {
        loop {
            let first = self.due.first_entry().filter(|first| first.key().0 <= now)?;
            let (place, notice) = first.remove_entry();
            if self.held.get(&notice.about.mandate) == Some(&place) {
                self.held.remove(&notice.about.mandate);
            }
            let Some(gathered) = notice.gathered else { return Some(notice) };
            self.gathered.remove(&gathered);
            if self.may_tell_of_failures(now) {
                return Some(notice);
            }
        }
    }

    fn may_tell_of_failures(&mut self, now: Time) -> bool {
        let hour = now.milliseconds().div_euclid(HOUR_MS);
        let (counted, told) = &mut self.told;
        if *counted != hour {
            (*counted, *told) = (hour, 0);
        }
        let may = *told < FAILURES_AN_HOUR_MAX;
        *told += u32::from(may);
        may
    }
}
