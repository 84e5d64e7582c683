//! News on which we could not act: what comes behind one is not held up by it. It is set aside, called out, and acted on again,
//! ever more seldom, until it is done.
//!
//! Start reading at [`Service::set_aside`].

use crate::doors::{DOORS_LISTED_MAX, Door};
use crate::service::Service;
use crate::webhooks::operator::ALARM;
use domain::{Id, Time};
use engine::Mode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use web::{Due, Problem};

/// How often a piece is tried before others may pass it.
const TRIES_MAX: u32 = 8;
/// How long one waits before one that was set aside is tried again, in milliseconds: at first, and at most.
const AGAIN_MS_MIN: i64 = 60_000;
const AGAIN_MS_MAX: i64 = 24 * 3_600_000;
/// And at most where an account's holder, or its bank, says that a link is to end: meanwhile it may be debited.
const AGAIN_MS_LINK: i64 = 60_000;

/// A piece of news that was set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aside {
    key: Id,
    /// The piece as the gateway told it.
    piece: Value,
    /// How long one waits after the next time, in milliseconds.
    pause_ms: i64,
    /// When it is tried again.
    next: Time,
}

impl Door for Aside {
    const TABLE: &'static str = "news_aside";

    fn id(&self) -> Id {
        self.key
    }

    fn at(&self) -> Option<Time> {
        Some(self.next)
    }
}

impl Aside {
    fn pause_ms_max(&self) -> i64 {
        match self.piece["type"].as_str().and_then(|kind| kind.split_once('.')) {
            Some(("account" | "mandate", _)) => AGAIN_MS_LINK,
            Some(_) | None => AGAIN_MS_MAX,
        }
    }
}

impl Service {
    /// Sets `piece` aside that failed with `problem`, if it alone is what fails: not while nothing can be done at all, and not
    /// before it was tried a few times. Whether it is out of the way.
    pub(super) async fn set_aside(&self, piece: &Value, problem: &Problem, now: Time) -> Result<bool, Problem> {
        let Some(n) = piece["n"].as_u64() else { return Ok(false) };
        let is_busy = problem.name() == Problem::busy().name();
        let tries = if is_busy { 0 } else { self.looks.failed(n) };
        if tries < TRIES_MAX || !self.takes_commands().await {
            return Ok(false);
        }
        // What the gateway says of the books is heard, whatever becomes of the rest.
        let word = self.word_in(piece).await.ok().flatten();
        let key = self.hash_of(piece);
        let next = now.plus_milliseconds(AGAIN_MS_MIN);
        self.doors.put(&Aside { key, piece: piece.clone(), pause_ms: AGAIN_MS_MIN, next })?;
        self.read_until(n, Some(key), word.as_ref())?;
        tracing::error!(n, %problem, "a piece of the gateway's news is set aside: the desk must look");
        let data = json!({ "kind": "news_set_aside", "n": n, "type": piece["type"], "at": piece["at"] });
        self.tell_operator(ALARM, &format!("news aside {n} {}", piece["at"]), now, data)?;
        Ok(true)
    }

    /// The number of the last piece of news that was read, if all was acted on that the gateway said of `reference`.
    pub fn news_heard(&self, reference: &str) -> Result<Option<u64>, Problem> {
        let until = Time::from_milliseconds(i64::MAX);
        let aside = self.doors.due::<Aside>(until, DOORS_LISTED_MAX)?;
        if aside.len() >= DOORS_LISTED_MAX || aside.iter().any(|aside| aside.piece["reference"] == reference) {
            return Ok(None);
        }
        Ok(Some(self.doors.get::<super::NewsCursor>(Id::default())?.unwrap_or_default().n))
    }

    async fn takes_commands(&self) -> bool {
        let status = self.engine.status().await;
        status.is_ok_and(|status| matches!(status.mode, Mode::Running) && status.held_up.is_none())
    }

    /// Acts again on what was set aside.
    pub async fn hear_again(&self, now: Time, budget: usize) -> Result<Due, Problem> {
        let mut done = 0;
        for aside in self.doors.due::<Aside>(now, budget)? {
            match self.act_on(&aside.piece).await {
                Ok(()) => {
                    self.doors.remove::<Aside>(aside.key)?;
                    tracing::info!(n = aside.piece["n"].as_u64(), "what was set aside is done");
                    done += 1;
                }
                Err(problem) => {
                    tracing::warn!(n = aside.piece["n"].as_u64(), %problem, "what was set aside fails again");
                    let pause_ms = aside.pause_ms.saturating_mul(2).min(aside.pause_ms_max());
                    self.doors.put(&Aside { pause_ms, next: now.plus_milliseconds(aside.pause_ms), ..aside })?;
                }
            }
        }
        Ok(Due { done, next: self.doors.next::<Aside>()? })
    }

    /// The gateway does not say any more what it had said: it was put back to an older state, and its numbers now name other
    /// things. All of it is read again; what was acted on before changes nothing.
    pub(super) fn begin_anew(&self, n: u64, now: Time) -> Result<(), Problem> {
        tracing::error!(n, "the gateway's news are not those that were read: they are read again from the first on");
        self.doors.put(&super::NewsCursor::default())?;
        let data = json!({ "kind": "gateway_restored", "n": n });
        self.tell_operator(ALARM, &format!("news anew {n} {now}"), now, data)
    }
}
