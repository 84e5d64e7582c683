//! Work: asks banks what is due, and lets mandates expire. A lane a bank, and a turn of its own for each: whoever runs the
//! turns beside each other has a slow or dead bank delay nobody else.
//!
//! What is open stands in rows; the schedule here is made from them and only says when. Each question is a command before
//! the bank hears it, and each answer is another; either may be lost with the process, and is asked anew. A bank that does
//! not answer is left alone for a while, twice as long each time, and then tried with one question.
//! Start reading at [`Work::run_due`].

mod day_files;
mod lane;

use crate::connector::BankOrder;
use crate::domain::movement::{self, Next, Outcome, Source};
use crate::domain::open::Thing;
use crate::domain::{BankCode, Command, MovementId, Receipt, mandate};
use crate::gateway::{Gateway, NotDone};
use crate::pages::restore;
use day_files::Desk;
pub use day_files::Reconciliation;
use domain::Time;
use engine::EngineError;
use lane::Lane;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use web::{Due, Ran};

/// Questions to one bank in one step, at most.
pub const LANE_QUESTIONS_MAX: usize = 32;

/// How long due work waits that the engine did not take, in milliseconds.
const ENGINE_WAIT_MS: i64 = 1_000;

/// The schedule of every bank.
pub struct Work(BTreeMap<BankCode, Bank>);

/// What is to be done at one bank.
#[derive(Default)]
struct Bank {
    lane: Mutex<Lane>,
    desk: Desk,
    /// Held by whoever has the bank's turn.
    turn: tokio::sync::Mutex<()>,
}

impl Work {
    /// Empty schedules of `banks`.
    pub fn new(banks: impl Iterator<Item = BankCode>) -> Self {
        Self(banks.map(|bank| (bank, Bank::default())).collect())
    }

    fn lane(&self, bank: BankCode) -> Option<&Mutex<Lane>> {
        self.0.get(&bank).map(|bank| &bank.lane)
    }

    /// The bank's turn: whoever comes second waits, and then finds done what the first has done.
    pub async fn turn(&self, bank: BankCode) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        match self.0.get(&bank) {
            Some(bank) => Some(bank.turn.lock().await),
            None => None,
        }
    }

    /// Until when the bank is left alone, if it is at `now`.
    pub fn rests_until(&self, bank: BankCode, now: Time) -> Option<Time> {
        locked(self.lane(bank)?).rests_until(now)
    }

    /// The bank answered, or did not.
    pub fn heard(&self, bank: BankCode, answered: bool, now: Time) {
        if let Some(lane) = self.lane(bank) {
            locked(lane).heard(answered, now);
        }
    }

    /// Reads what is open from the rows.
    pub async fn load(&self, gateway: &Gateway) -> Result<(), EngineError> {
        for (bank, Bank { lane, .. }) in &self.0 {
            for thing in gateway.open_things(*bank).await? {
                let due = match thing {
                    Thing::Movement(id) => gateway.movement(id).await?.map(|row| row.due),
                    Thing::Mandate(id) => gateway.mandate(id).await?.map(|row| row.deadline),
                    Thing::Notice(id) => {
                        restore(gateway, id, gateway.outside().now()).await?;
                        None
                    }
                    // It waits for people.
                    Thing::Finding(_) => None,
                };
                if let Some(due) = due {
                    locked(lane).set(thing, due);
                }
            }
        }
        Ok(())
    }

    /// Puts into the schedule what a command left to be done, and takes out what it ended.
    pub fn note(&self, receipt: &Receipt) {
        let (bank, thing, due) = match *receipt {
            Receipt::Done => return,
            Receipt::Mandate { id, bank, status, deadline, .. } => {
                (bank, Thing::Mandate(id), status.is_open().then_some(deadline))
            }
            Receipt::Movement { id, bank, status, due, .. } => {
                (bank, Thing::Movement(id), status.is_open().then_some(due))
            }
        };
        let Some(lane) = self.lane(bank) else { return };
        match due {
            Some(due) => locked(lane).set(thing, due),
            None => locked(lane).remove(thing),
        }
    }

    /// Does what is due at `bank` at `now`, at most `budget` things, for whoever has its turn.
    pub async fn run_due(&self, gateway: &Gateway, bank: BankCode, now: Time, budget: usize) -> Ran {
        let Some(Bank { lane, desk, .. }) = self.0.get(&bank) else { return Ran::default() };
        let taken = locked(lane).take_due(now, budget.min(LANE_QUESTIONS_MAX));
        let done = self.step(gateway, bank, lane, taken).await;
        let files = desk.run_due(gateway, bank, now).await;
        files.named("gateway.day_file").and(Due { done, next: locked(lane).next() }.named("gateway.bank_asked"))
    }

    /// Asks what was taken from the lane. It ends early when the bank does not answer: what is left stays due.
    async fn step(&self, gateway: &Gateway, bank: BankCode, lane: &Mutex<Lane>, things: Vec<Thing>) -> usize {
        let mut done = 0;
        for thing in things {
            let result = match thing {
                Thing::Mandate(mandate) => {
                    let command = Command::Mandate(mandate::Command::Expire { mandate });
                    gateway.submit(command, gateway.system(), None).await.map(drop)
                }
                // Notices have a queue of their own, and findings wait for people.
                Thing::Notice(_) | Thing::Finding(_) => Ok(()),
                Thing::Movement(_) if locked(lane).rests_until(gateway.outside().now()).is_some() => continue,
                Thing::Movement(movement) => match self.file_due(gateway, bank, movement).await {
                    Ok(None) => self.ask(gateway, bank, movement).await.map(drop),
                    Ok(Some(due)) => {
                        locked(lane).set(thing, due);
                        Ok(())
                    }
                    Err(error) => Err(error.into()),
                },
            };
            done += 1;
            match result {
                Ok(()) => {}
                // It ended meanwhile, or its row was changed: the row says what is due.
                Err(NotDone::Refused(refusal)) => {
                    tracing::debug!(?refusal, "nothing was due any more");
                    locked(lane).remove(thing);
                }
                Err(NotDone::Engine(error)) => {
                    tracing::warn!(%error, %bank, "due work waits for the engine");
                    let later = gateway.outside().now().plus_milliseconds(ENGINE_WAIT_MS);
                    locked(lane).set(thing, later);
                }
            }
            // Whoever waits for this step waits for one silence, not for as many as there are questions.
            if matches!(thing, Thing::Movement(_)) && locked(lane).is_silent() {
                break;
            }
        }
        done
    }

    /// When a movement is looked at again that goes by the day's file, and not by a question of its own.
    async fn file_due(
        &self,
        gateway: &Gateway,
        bank: BankCode,
        movement: MovementId,
    ) -> Result<Option<Time>, EngineError> {
        if gateway.bank(bank).is_none_or(|bank| bank.files.is_none()) {
            return Ok(None);
        }
        let row = gateway.movement(movement).await?;
        let is_debit = row.is_some_and(|row| row.order.kind == movement::Kind::Debit);
        Ok(is_debit.then(|| gateway.outside().now().day().plus(1).start()))
    }

    /// The movements that are open at `bank`.
    fn open(&self, bank: BankCode) -> Vec<MovementId> {
        let things = self.lane(bank).map(|lane| locked(lane).things()).unwrap_or_default();
        let movement = |thing| match thing {
            Thing::Movement(movement) => Some(movement),
            Thing::Mandate(_) | Thing::Notice(_) | Thing::Finding(_) => None,
        };
        things.into_iter().filter_map(movement).collect()
    }

    /// The bank's calendar has changed: what waited for its opening is looked at now.
    pub fn wake(&self, bank: BankCode, now: Time) {
        if let Some(lane) = self.lane(bank) {
            locked(lane).wake(now);
        }
    }

    /// How the bank's last day file compared with the ledger.
    pub fn reconciliation(&self, bank: BankCode) -> Option<Reconciliation> {
        self.0.get(&bank)?.desk.last()
    }

    /// Asks the bank about one movement, and tells the rules what it answered.
    async fn ask(&self, gateway: &Gateway, bank: BankCode, movement: MovementId) -> Result<Receipt, NotDone> {
        let take = Command::Movement(movement::Command::Take { movement, by_file: false });
        let receipt = gateway.submit(take, gateway.system(), None).await?;
        match receipt {
            Receipt::Movement { next: Some(next), .. } => self.exchange(gateway, bank, movement, next).await,
            Receipt::Movement { next: None, .. } | Receipt::Mandate { .. } | Receipt::Done => Ok(receipt),
        }
    }

    /// One question to the bank, and its answer to the rules.
    pub async fn exchange(
        &self,
        gateway: &Gateway,
        bank: BankCode,
        id: MovementId,
        next: Next,
    ) -> Result<Receipt, NotDone> {
        let outcome = question(gateway, bank, id, next).await?;
        self.heard(bank, outcome != Outcome::Unknown, gateway.outside().now());
        let source = match next {
            Next::Send => Source::Request,
            Next::Inquire => Source::Inquiry,
        };
        let command = Command::Movement(movement::Command::Answer { movement: id, bank, outcome, source });
        gateway.submit(command, gateway.system(), None).await
    }

    /// Whether the bank may be asked at once, beside the worker; whoever may says so with the guard that it gets.
    pub fn enter(&self, bank: BankCode) -> Option<Inside<'_>> {
        let lane = self.lane(bank)?;
        let may_enter = locked(lane).enter();
        if may_enter { Some(Inside(lane)) } else { None }
    }
}

/// A question to a bank that is under way.
pub struct Inside<'a>(&'a Mutex<Lane>);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        locked(self.0).leave();
    }
}

async fn question(gateway: &Gateway, bank: BankCode, id: MovementId, next: Next) -> Result<Outcome, NotDone> {
    let Some(connector) = gateway.connector(bank) else { return Ok(Outcome::Unknown) };
    let Some(row) = gateway.movement(id).await? else { return Ok(Outcome::Unknown) };
    let reference = id.bank_reference();
    if next == Next::Inquire {
        return Ok(connector.inquire(row.order.kind, &reference).await);
    }
    let Some(account) = gateway.account(row.order.account).await? else { return Ok(Outcome::Unknown) };
    let Ok((account, _)) = gateway.unseal(row.order.account, &account.details) else {
        tracing::error!("an account's number cannot be read: its movements wait");
        return Ok(Outcome::Unknown);
    };
    let descriptor = gateway.bank(bank).map(|bank| bank.descriptor.clone()).unwrap_or_default();
    let (kind, amount, may_overdraw) = (row.order.kind, row.order.amount, gateway.options().policy.debits_may_overdraw);
    let order = BankOrder { kind, reference, account, amount, descriptor, may_overdraw };
    Ok(connector.send(&order).await)
}

fn locked(lane: &Mutex<Lane>) -> MutexGuard<'_, Lane> {
    lane.lock().unwrap_or_else(PoisonError::into_inner)
}
