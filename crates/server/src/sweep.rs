//! Sweeping: what ended long enough ago that nobody can ask for it any more is dropped, and the keys of people of whom nothing
//! is to be read any more are destroyed.
//!
//! Everything goes in slices, each a short transaction: after a flood there is much to drop, and whoever logs in meanwhile
//! waits for one slice and not for all of it.

use crate::accounts::{Candidate, Credential};
use crate::api::{Claim, Look, Recovery, SeenProof};
use crate::asked::Done;
use crate::codes::Code;
use crate::contacts::Contact;
use crate::doors::{Door, Doors};
use crate::links::LinkState;
use crate::news::NextLook;
use crate::proofs::{Challenge, KnownDevice};
use crate::service::Service;
use crate::sessions::Session;
use crate::shops::ShopToken;
use crate::tallies::Tally;
use domain::{Key, Time};
use wallet::holder::Holder;
use wallet::{HolderId, Row, table};
use web::{Due, Problem};

/// How often the file is swept, in milliseconds.
const SWEEP_MS: i64 = 10 * 60 * 1_000;
/// How long what ended is kept, in milliseconds: a repeated request finds its challenge and its code.
const KEPT_MS: i64 = 24 * 60 * 60 * 1_000;
/// Rows of one table that are dropped in one step.
const SLICE_MAX: usize = 500;
/// People who are forgotten in one step: for each the books are read, and the vault is written.
const PEOPLE_MAX: usize = 50;

/// When the file is swept next.
#[derive(Default)]
pub struct NextSweep(NextLook);

impl Service {
    /// Drops what ended, one slice of everything. Where that was not all of it, the next step goes on at once.
    pub async fn sweep(&self, now: Time) -> Result<Due, Problem> {
        if now < self.next_sweep.0.get() {
            return Ok(Due::default());
        }
        self.entrance.forget_ended(now);
        let (before, mut swept) = (now.plus_milliseconds(-KEPT_MS), Swept::default());
        swept.drop::<Session>(&self.doors, before)?;
        swept.drop::<Code>(&self.doors, before)?;
        swept.drop::<LinkState>(&self.doors, before)?;
        swept.drop::<Challenge>(&self.doors, before)?;
        swept.drop::<SeenProof>(&self.doors, before)?;
        swept.drop::<Recovery>(&self.doors, before)?;
        swept.drop::<ShopToken>(&self.doors, before)?;
        swept.drop::<KnownDevice>(&self.doors, now)?;
        swept.drop::<Look>(&self.doors, now)?;
        swept.drop::<Tally>(&self.doors, now)?;
        swept.drop::<Done>(&self.doors, now)?;
        swept.note(self.drop_claims(now)?, PEOPLE_MAX);
        swept.note(self.settle_candidates(now).await?, PEOPLE_MAX);
        swept.note(self.drop_unverified(before).await?, PEOPLE_MAX);
        if !swept.goes_on {
            self.next_sweep.0.set(now.plus_milliseconds(SWEEP_MS));
        }
        Ok(Due { done: swept.done, next: Some(now).filter(|_| swept.goes_on) })
    }

    /// Forgets decided claims whose time is over. Nothing of a claimant is kept anywhere else.
    fn drop_claims(&self, now: Time) -> Result<usize, Problem> {
        let ended = self.doors.due::<Claim>(now, PEOPLE_MAX)?;
        for claim in &ended {
            self.forget_person(claim.key)?;
            self.doors.remove::<Claim>(claim.key)?;
        }
        Ok(ended.len())
    }

    /// Whoever wanted to be a holder and became none leaves no key: it was made before anybody could know.
    async fn settle_candidates(&self, now: Time) -> Result<usize, Problem> {
        let settled = self.doors.due::<Candidate>(now, PEOPLE_MAX)?;
        for candidate in &settled {
            if self.holder_row(candidate.holder).await?.is_none() {
                self.forget_person(candidate.holder.0)?;
            }
            self.doors.remove::<Candidate>(candidate.holder.0)?;
        }
        Ok(settled.len())
    }

    /// Forgets those whose mail address never answered before `before`: password, addresses, and the key of what the books
    /// have of them, which may be a stranger's name and birth date. No code is sent to them any more since then, and the last
    /// one has ended, so nobody becomes a holder meanwhile.
    async fn drop_unverified(&self, before: Time) -> Result<usize, Problem> {
        let ended = self.doors.due::<Credential>(before, PEOPLE_MAX)?;
        for credential in &ended {
            let id = credential.holder;
            if let Some(row) = self.holder_row(id).await?.filter(|row| row.mail_verified.is_some()) {
                // The address has answered, and a crash kept it from being noted here.
                self.note_verified(id, row.mail)?;
                continue;
            }
            self.erase_person(id.0)?;
            self.doors.change(|doors| {
                doors.remove_of::<Contact>(id.0, None)?;
                doors.remove::<Credential>(id.0).map_err(Problem::from)
            })?;
        }
        Ok(ended.len())
    }

    /// The holder `id` as the books have them, if they do.
    async fn holder_row(&self, id: HolderId) -> Result<Option<Holder>, Problem> {
        let row = self.row(Key::new(table::HOLDER, id.0)).await?;
        Ok(match row.as_deref() {
            Some(Row::Holder(holder)) => Some((**holder).clone()),
            Some(_) | None => None,
        })
    }
}

/// What one step came to.
#[derive(Default)]
struct Swept {
    done: usize,
    /// Whether there may be more.
    goes_on: bool,
}

impl Swept {
    fn drop<T: Door>(&mut self, doors: &Doors, before: Time) -> Result<(), Problem> {
        self.note(doors.drop_ended::<T>(before, SLICE_MAX)?, SLICE_MAX);
        Ok(())
    }

    fn note(&mut self, done: usize, slice_max: usize) {
        self.done += done;
        self.goes_on |= done == slice_max;
    }
}
