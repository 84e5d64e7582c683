//! Deliveries: one message to one endpoint, with everything that was tried.

use crate::doors::Door;
use domain::{Id, Time};
use serde::{Deserialize, Serialize};

/// How long after the first attempt each further one is made, in seconds after the one before: the specification's own
/// schedule, a little more than 75 hours in all.
pub const WAITS_SECONDS: [i64; 9] =
    [5, 5 * 60, 30 * 60, 2 * 3_600, 5 * 3_600, 10 * 3_600, 14 * 3_600, 20 * 3_600, 24 * 3_600];
/// How long the schedule is in all, in milliseconds.
pub const SCHEDULE_MS: i64 = (5 + 5 * 60 + 30 * 60 + (2 + 5 + 10 + 14 + 20 + 24) * 3_600) * 1_000;
/// How long a delivery is kept after it ended, in milliseconds: 30 days.
pub const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1_000;
/// Attempts that are remembered; redeliveries may make more.
pub const ATTEMPTS_KEPT_MAX: usize = 32;

/// A message on its way to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its id.
    pub key: Id,
    /// To which endpoint.
    pub endpoint: Id,
    /// The message's id: the same to every endpoint.
    pub event: Id,
    /// The event's name.
    pub name: String,
    /// The body, as it is sent.
    pub body: String,
    /// How far it is.
    pub status: Status,
    /// What was tried, the oldest first.
    pub attempts: Vec<Attempt>,
    /// How many attempts of the schedule were made.
    pub tried: usize,
    /// When something is due with it: the next attempt, or, after its end, that it is dropped.
    pub due: Time,
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is tried, now or later.
    Pending,
    /// The receiver has it.
    Delivered,
    /// The schedule ended without an answer of success.
    Failed,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When.
    pub at: Time,
    /// The status code that was answered.
    pub answered: Option<u16>,
    /// What went wrong, where nothing was answered.
    pub failure: Option<String>,
}

impl Door for Delivery {
    const TABLE: &'static str = "webhook_delivery";

    fn id(&self) -> Id {
        self.key
    }

    fn owner(&self) -> Option<Id> {
        Some(self.endpoint)
    }

    fn at(&self) -> Option<Time> {
        Some(self.due)
    }
}

impl Status {
    /// The status as the API shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

impl Delivery {
    /// Its id as the API shows it.
    pub fn shown(&self) -> String {
        format!("dlv_{}", self.key)
    }

    /// Takes the next attempt out of the schedule, before it is made: if we die over it, it counts as made. `jitter` is
    /// from -100 to 100 and moves the next one by as many thousandths of its wait.
    pub fn begin(&mut self, now: Time, jitter: i64) {
        let wait_ms = WAITS_SECONDS.get(self.tried).map_or(0, |seconds| seconds * 1_000);
        self.tried += 1;
        self.due = now.plus_milliseconds(wait_ms + wait_ms / 1_000 * jitter.clamp(-100, 100));
    }

    /// Notes what an attempt came to. `wait_ms` is how long the receiver asked us to wait.
    pub fn end(&mut self, attempt: Attempt, is_delivered: bool, wait_ms: i64) {
        let at = attempt.at;
        if self.attempts.len() == ATTEMPTS_KEPT_MAX {
            self.attempts.remove(0);
        }
        self.attempts.push(attempt);
        if is_delivered {
            self.status = Status::Delivered;
        } else if self.tried > WAITS_SECONDS.len() {
            self.status = Status::Failed;
        }
        self.due = match self.status {
            Status::Pending => self.due.max(at.plus_milliseconds(wait_ms)),
            Status::Delivered | Status::Failed => at.plus_milliseconds(KEPT_MS),
        };
    }

    /// It is to be tried again, by the whole schedule, from `now` on.
    pub fn again(&mut self, now: Time) {
        self.status = Status::Pending;
        self.tried = 0;
        self.due = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery() -> Delivery {
        Delivery {
            key: Id::from_number(1),
            endpoint: Id::from_number(2),
            event: Id::from_number(3),
            name: "payment.captured".into(),
            body: "{}".into(),
            status: Status::Pending,
            attempts: Vec::new(),
            tried: 0,
            due: Time::default(),
        }
    }

    #[test]
    fn what_nobody_takes_is_tried_ten_times_over_three_days() {
        let mut delivery = delivery();
        let mut times = Vec::new();
        while delivery.status == Status::Pending {
            let now = delivery.due;
            times.push(now.milliseconds() / 1_000);
            delivery.begin(now, 0);
            delivery.end(Attempt { at: now, answered: Some(500), failure: None }, false, 0);
        }
        assert_eq!(times, [0, 5, 305, 2_105, 9_305, 27_305, 63_305, 113_705, 185_705, 272_105]);
        assert_eq!(times.last().map(|last| last * 1_000), Some(SCHEDULE_MS), "75 hours, 35 minutes, 5 seconds");
        assert_eq!((delivery.status, delivery.attempts.len()), (Status::Failed, 10));
        delivery.again(Time::from_milliseconds(SCHEDULE_MS + 1));
        assert_eq!((delivery.status, delivery.tried), (Status::Pending, 0));
    }

    #[test]
    fn a_receiver_that_asks_for_time_gets_it_and_one_that_takes_it_is_done() {
        let mut delivery = delivery();
        delivery.begin(Time::default(), 100);
        assert_eq!(delivery.due, Time::from_milliseconds(5_500));
        delivery.end(Attempt { at: Time::default(), answered: Some(429), failure: None }, false, 60_000);
        assert_eq!(delivery.due, Time::from_milliseconds(60_000));
        delivery.begin(delivery.due, 0);
        delivery.end(Attempt { at: delivery.due, answered: Some(204), failure: None }, true, 0);
        assert_eq!(delivery.status, Status::Delivered);
    }
}
