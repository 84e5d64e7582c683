//! The notices that wait for their time, or for a bank that does not take them, with the account's number: in memory. What is
//! owed for a first factor stands in the books as well, and comes back from there.
//!
//! A bank has a queue of its own: what one bank does not take, and whoever floods it, keeps no notice of another bank. What is
//! owed has a place of its own in it and goes first: however many plain failures somebody causes, they push out none of it. It is
//! asked for ever more seldom, and never written off.
//! Start reading at [`Notices::run_due`].

use super::notice::{About, NotTold, is_settled, tell, told as paid};
use crate::domain::{AccountId, BankCode, MandateId};
use crate::gateway::Gateway;
use domain::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use web::Due;

/// Notices of plain failures at one bank that wait at once; further ones are dropped: the bank is down, or under attack.
pub const PLAIN_MAX: usize = 10_000;
/// Notices at one bank that are owed and wait at once: more than the books have room for.
pub const OWED_MAX: usize = 10_000;
/// How many of those one operator's links may be behind.
const OWED_OF_OPERATOR_MAX: usize = 2_000;
/// How often a bank is asked to send one notice of plain failures.
const TRIES_MAX: u32 = 8;
/// How often it is asked for one that is owed before that goes slowly: for about two days.
const OWED_TRIES_FAST: u32 = 100;
/// How long one that is owed waits then from try to try, in milliseconds. It is never written off.
const OWED_SLOW_MS: i64 = 6 * 3_600_000;
/// How long the second try waits after the first, in milliseconds; twice as long after each further one, but not longer
/// than after the eleventh.
const RETRY_MS: i64 = 2_000;
const DOUBLED_MAX: u32 = 10;
/// How long the notice of a first factor waits for the second step to end, in milliseconds.
const SECOND_STEP_MS: i64 = 5_000;
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
    /// What is owed, or follows from a link.
    owed: BTreeMap<Place, Notice>,
    /// Plain failures.
    plain: BTreeMap<Place, Notice>,
    last: u64,
    /// Accounts whose plain failures are gathered.
    gathered: BTreeSet<AccountId>,
    /// The notices of first factors whose second step is under way: on the way of which mandate, and of which account.
    held: BTreeMap<(MandateId, AccountId), Place>,
    /// The hour, and how many notices of plain failures went out in it.
    told: (i64, u32),
}

#[derive(Debug)]
struct Notice {
    tries: u32,
    about: About,
    /// Whose failures are gathered, or whose second step is under way.
    account: Option<AccountId>,
}

impl Notices {
    fn of<T>(&self, bank: BankCode, look: impl FnOnce(&mut Waiting) -> T) -> T {
        let mut banks: MutexGuard<'_, _> = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        look(banks.entry(bank).or_default())
    }

    /// The true holder is to be told at once.
    pub(super) fn push(&self, about: About, now: Time) {
        self.of(about.bank, |waiting| waiting.put(now, Notice { tries: 0, about, account: None }));
    }

    /// The true holder of `account` is to be told at once, unless the second step that is under way ends in a link.
    pub(super) fn hold(&self, account: AccountId, about: About, now: Time) {
        let mandate = about.mandate;
        self.of(about.bank, |waiting| {
            let until = now.plus_milliseconds(SECOND_STEP_MS);
            if let Some(place) = waiting.put(until, Notice { tries: 0, about, account: Some(account) }) {
                waiting.held.insert((mandate, account), place);
            }
        });
    }

    /// What was held of `account` on the way of `mandate`, if it did not go out yet: another notice says it, or it is pushed
    /// again.
    pub(super) fn take_held(&self, bank: BankCode, mandate: MandateId, account: AccountId) -> Option<About> {
        self.of(bank, |waiting| {
            let place = waiting.held.remove(&(mandate, account))?;
            waiting.owed.remove(&place).map(|notice| notice.about)
        })
    }

    /// Somebody tried `id` and knew nothing.
    pub(super) fn gather(&self, id: AccountId, about: About, now: Time) {
        self.of(about.bank, |waiting| {
            if waiting.gathered.contains(&id) {
                return;
            }
            let until = now.plus_milliseconds(FAILURES_GATHERED_MS);
            if waiting.put(until, Notice { tries: 0, about, account: Some(id) }).is_some() {
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
            if is_settled(gateway, &notice.about).await {
                continue;
            }
            let told = tell(gateway, &notice.about, "").await;
            let answered = match &told {
                Ok(_) => Some(true),
                Err(NotTold::Bank(error)) => Some(!error.is_silence()),
                Err(NotTold::Already | NotTold::Ours(_)) => None,
            };
            if let Some(answered) = answered {
                gateway.work().heard(bank, answered, now);
            }
            let tries = notice.tries.saturating_add(1);
            match told {
                Ok(_) | Err(NotTold::Already) => paid(gateway, &notice.about).await,
                Err(error) if notice.about.owed.is_none() && tries >= TRIES_MAX => {
                    tracing::error!(%bank, %error, "a true holder was not told");
                }
                Err(NotTold::Bank(_) | NotTold::Ours(_)) => {
                    let wait =
                        if tries < OWED_TRIES_FAST { RETRY_MS << notice.tries.min(DOUBLED_MAX) } else { OWED_SLOW_MS };
                    let again = now.plus_milliseconds(wait);
                    let notice = Notice { tries, account: None, ..notice };
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
        let is_plain = notice.about.is_plain();
        let (kept, max) = if is_plain { (&mut self.plain, PLAIN_MAX) } else { (&mut self.owed, OWED_MAX) };
        let operator = notice.about.operator();
        let is_others = || kept.values().filter(|one| one.about.operator() == operator).count() < OWED_OF_OPERATOR_MAX;
        let has_room = kept.len() < max && (is_plain || kept.len() < OWED_OF_OPERATOR_MAX || is_others());
        if !has_room {
            tracing::error!(bank = %notice.about.bank, is_plain, "too many notices wait: one is dropped");
            return None;
        }
        self.last += 1;
        let place = (due, self.last);
        kept.insert(place, notice);
        Some(place)
    }

    fn next_due(&self) -> Option<Time> {
        let firsts = [&self.owed, &self.plain].map(|kept| kept.first_key_value().map(|((due, _), _)| *due));
        firsts.into_iter().flatten().min()
    }

    /// The next notice that is due, what is owed before all else; of gathered failures as many as an hour allows, and the rest
    /// of those is dropped.
    fn next(&mut self, now: Time) -> Option<Notice> {
        if let Some(first) = self.owed.first_entry().filter(|first| first.key().0 <= now) {
            let (place, notice) = first.remove_entry();
            let held = notice.account.map(|account| (notice.about.mandate, account));
            if let Some(held) = held.filter(|held| self.held.get(held) == Some(&place)) {
                self.held.remove(&held);
            }
            return Some(notice);
        }
        loop {
            let first = self.plain.first_entry().filter(|first| first.key().0 <= now)?;
            let notice = first.remove();
            let Some(gathered) = notice.account else { return Some(notice) };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::account::{AccountKind, NotMe};
    use crate::domain::{AccountRefId, NoticeId, OperatorId};
    use ::domain::Id;

    const NOW: Time = Time::from_milliseconds(1_000);

    fn about(number: u128, owed: bool) -> About {
        let id = Id::from_number(number);
        let of = NotMe {
            account: AccountId(id),
            bank: "0125".parse().expect("a code"),
            mandate: MandateId(id),
            operator: OperatorId::new(id),
            account_ref: AccountRefId(id),
            expires: NOW,
            used: None,
        };
        let account = crate::connector::AccountNumber {
            branch: "100".into(),
            kind: AccountKind::Ordinary,
            number: format!("{number:07}"),
        };
        let plain = About::failures(&of, account);
        if owed { plain.into_owed(NoticeId(id)) } else { plain }
    }

    #[test]
    fn plain_failures_push_out_nothing_that_is_owed_and_come_after_it() {
        let mut waiting = Waiting::default();
        let plain = |number| Notice { tries: 0, about: about(number, false), account: None };
        let owed = |number| Notice { tries: 0, about: about(number, true), account: None };
        assert!((0..10_000).all(|number| waiting.put(NOW, plain(number)).is_some()));
        assert!(waiting.put(NOW, plain(10_000)).is_none(), "so many plain ones wait at most");
        assert!(waiting.put(NOW, owed(20_000)).is_some() && waiting.put(NOW, owed(20_001)).is_some());
        let order: Vec<_> =
            std::iter::from_fn(|| waiting.next(NOW)).map(|notice| notice.about.owed.is_some()).collect();
        assert_eq!(order.iter().position(|owed| !owed), Some(2), "what is owed goes first");
        assert_eq!(order.len(), 10_002);
    }

    #[test]
    fn what_one_operators_links_leave_owed_has_room_for_anothers() {
        let mut waiting = Waiting::default();
        let owed = |number: u128, operator: u128| {
            let about = about(number, true).by_operator(OperatorId::new(Id::from_number(operator << 64)));
            Notice { tries: 0, about, account: None }
        };
        let put = (0..5_000).filter(|number| waiting.put(NOW, owed(*number, 1)).is_some()).count();
        assert_eq!(put, OWED_OF_OPERATOR_MAX);
        assert!(waiting.put(NOW, owed(5_000, 2)).is_some(), "another operator");
    }
}
