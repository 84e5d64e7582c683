//! Sweeping: what ended long enough ago that nobody can ask for it any more is dropped.

use crate::accounts::Credential;
use crate::api::{Claim, Recovery, SeenProof};
use crate::asked::Done;
use crate::codes::Code;
use crate::contacts::Contact;
use crate::doors::{Door, Doors};
use crate::links::LinkState;
use crate::news::NextLook;
use crate::proofs::{Challenge, KnownDevice};
use crate::service::Service;
use crate::sessions::Session;
use crate::tallies::Tally;
use domain::Time;
use web::{Due, Problem};

/// How often the file is swept, in milliseconds.
const SWEEP_MS: i64 = 10 * 60 * 1_000;
/// How long what ended is kept, in milliseconds: a repeated request finds its challenge and its code.
const KEPT_MS: i64 = 24 * 60 * 60 * 1_000;

/// Holders whose address never answered that are forgotten in one sweep.
const UNVERIFIED_AT_ONCE: usize = 500;

/// When the file is swept next.
#[derive(Default)]
pub struct NextSweep(NextLook);

impl Service {
    /// Drops what ended.
    pub fn sweep(&self, now: Time) -> Result<Due, Problem> {
        if now < self.next_sweep.0.get() {
            return Ok(Due::default());
        }
        let before = now.plus_milliseconds(-KEPT_MS);
        self.entrance.forget_ended(now);
        let done = dropped::<Session>(&self.doors, before)?
            + dropped::<Code>(&self.doors, before)?
            + dropped::<LinkState>(&self.doors, before)?
            + dropped::<Challenge>(&self.doors, before)?
            + dropped::<KnownDevice>(&self.doors, now)?
            + dropped::<SeenProof>(&self.doors, before)?
            + dropped::<Recovery>(&self.doors, before)?
            + dropped::<Claim>(&self.doors, now)?
            + self.drop_unverified(now)?
            + dropped::<Tally>(&self.doors, now)?
            + dropped::<Done>(&self.doors, now)?;
        self.next_sweep.0.set(now.plus_milliseconds(SWEEP_MS));
        Ok(Due { done, next: None })
    }
}

impl Service {
    /// Forgets those whose mail address never answered: password and addresses. What the books have of them is sealed under
    /// a key of their own, and logs nobody in.
    fn drop_unverified(&self, now: Time) -> Result<usize, Problem> {
        self.doors.change(|doors| {
            let ended = doors.due::<Credential>(now, UNVERIFIED_AT_ONCE)?;
            for credential in &ended {
                doors.remove_of::<Contact>(credential.holder.0, None)?;
                doors.remove::<Credential>(credential.holder.0)?;
            }
            Ok(ended.len())
        })
    }
}

fn dropped<T: Door>(doors: &Doors, before: Time) -> Result<usize, Problem> {
    doors.drop_ended::<T>(before).map_err(Problem::from)
}
