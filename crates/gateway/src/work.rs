//! Work: asks banks what is due, and lets mandates expire. A lane a bank, and a turn of its own for each: whoever runs the
//! turns beside each other has a slow or dead bank delay nobody else.
//!
//! What is open stands in rows; the schedule here is made from them and only says when. Each question is a command before
//! the bank hears it, and each answer is another; either may be lost with the process, and is asked anew. A bank that does
//! not answer is left alone for a while, twice as long each time, and then tried with one question.
//! Start reading at [`Work::run_due`].

mod day_files;
mod forgetting;
mod lane;
mod papers;
mod reconcile;

pub use forgetting::Forgetting;

use crate::connector::{BankConnector, BankOrder, Rhythm};
use crate::domain::movement::{self, Kind, Movement, Next, Outcome, Source};
use crate::domain::open::Thing;
use crate::domain::{BankCode, Command, MovementId, Receipt, Spread, mandate};
use crate::gateway::{Gateway, NotDone};
use crate::pages::restore;
use day_files::Desk;
use domain::Time;
use engine::EngineError;
use lane::Lane;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use web::{Due, Ran, Secret};

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

    /// How many banks are left alone at `now`.
    pub fn resting(&self, now: Time) -> usize {
        self.0.values().filter(|bank| locked(&bank.lane).rests_until(now).is_some()).count()
    }

    /// The bank answered, or did not.
    pub fn heard(&self, bank: BankCode, answered: bool, now: Time) {
        if let Some(lane) = self.lane(bank) {
            locked(lane).heard(answered, now);
        }
    }

    /// Reads what is open from the rows.
    pub async fn load(&self, gateway: &Gateway) -> Result<(), NotDone> {
        let now = gateway.outside().now();
        for (bank, Bank { lane, .. }) in &self.0 {
            for thing in gateway.open_things(*bank).await? {
                let due = match thing {
                    Thing::Movement(id) => gateway.movement(id).await?.map(|row| row.due),
                    Thing::Mandate(id) => gateway.mandate(id).await?.map(|row| row.deadline),
                    Thing::Notice(id) => {
                        restore(gateway, id, now).await?;
                        None
                    }
                    // It waits for people.
                    Thing::Finding(_) => None,
                };
                if let Some(due) = due {
                    locked(lane).set(thing, due);
                }
            }
            papers::begin(gateway, *bank, now.day()).await?;
        }
        Ok(())
    }

    /// Puts into the schedule what a command left to be done, and takes out what it ended.
    pub fn note(&self, receipt: &Receipt) {
        let (bank, thing, due) = match *receipt {
            Receipt::Done | Receipt::Proposed { .. } => return,
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
                Thing::Movement(movement) => self.look_after(gateway, bank, movement).await,
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

    /// Asks the bank about a movement that is due. One that goes with others of its day waits for the day's results, and is asked
    /// for by itself only where those stay away.
    async fn look_after(&self, gateway: &Gateway, bank: BankCode, movement: MovementId) -> Result<(), NotDone> {
        let row = gateway.movement(movement).await?.filter(|row| goes_by_the_day(gateway, bank, row.order.kind));
        let Some(row) = row else { return self.ask(gateway, bank, movement).await.map(drop) };
        let now = gateway.outside().now();
        let results_due = row.sent.filter(|_| !row.absent).map(|sent| papers::overdue(gateway, sent.day()));
        let again = match results_due {
            None => now.day().plus(1).start(),
            Some(overdue) if now < overdue => overdue,
            Some(_) => match self.ask(gateway, bank, movement).await? {
                Receipt::Movement { status, .. } if status.is_open() => now.plus_milliseconds(papers::PATIENCE_MS),
                Receipt::Movement { .. } | Receipt::Mandate { .. } | Receipt::Done | Receipt::Proposed { .. } => {
                    return Ok(());
                }
            },
        };
        if let Some(lane) = self.lane(bank) {
            locked(lane).set(Thing::Movement(movement), again);
        }
        Ok(())
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

    /// Asks the bank about one movement, and tells the rules what it answered.
    async fn ask(&self, gateway: &Gateway, bank: BankCode, movement: MovementId) -> Result<Receipt, NotDone> {
        let take = Command::Movement(movement::Command::Take { movement, by_file: false, spread: spread(gateway) });
        let receipt = gateway.submit(take, gateway.system(), None).await?;
        match receipt {
            Receipt::Movement { next: Some(next), .. } => self.exchange(gateway, bank, movement, next).await,
            Receipt::Movement { next: None, .. }
            | Receipt::Mandate { .. }
            | Receipt::Done
            | Receipt::Proposed { .. } => Ok(receipt),
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
        let row = gateway.movement(id).await?;
        let outcome = match &row {
            Some(row) => question(gateway, bank, id, row, next).await?,
            None => Outcome::Unknown,
        };
        // A day's results that are late are no silence: what else the bank is asked goes on.
        if row.is_none_or(|row| !goes_by_the_day(gateway, bank, row.order.kind)) {
            self.heard(bank, outcome != Outcome::Unknown, gateway.outside().now());
        }
        let source = match next {
            Next::Send => Source::Request,
            Next::Inquire => Source::Inquiry,
        };
        let command = Command::Movement(movement::Command::Answer { movement: id, bank, outcome, source });
        gateway.submit(command, gateway.system(), None).await
    }

    /// Whether the bank may be asked at once, beside the worker; whoever may says so with the guard that it gets.
    pub fn enter(&self, bank: BankCode, now: Time) -> Option<Inside<'_>> {
        let lane = self.lane(bank)?;
        let may_enter = locked(lane).enter(now);
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

async fn question(
    gateway: &Gateway,
    bank: BankCode,
    id: MovementId,
    row: &Movement,
    next: Next,
) -> Result<Outcome, NotDone> {
    let (Some(online), Some(debits)) = (gateway.online(bank), gateway.debits(bank)) else {
        return Ok(Outcome::Unknown);
    };
    let (kind, sent) = (row.order.kind, row.sent.unwrap_or(row.order.accepted).day());
    match next {
        Next::Inquire if kind.is_to_account() => Ok(online.became(kind, id).await),
        Next::Inquire => Ok(debits.inquire(id, sent).await),
        Next::Send => {
            let Some(order) = order(gateway, id, row).await? else { return Ok(Outcome::Unknown) };
            if kind.is_to_account() {
                return Ok(online.order(&order).await);
            }
            let outcomes = debits.send(gateway.outside().now().day(), std::slice::from_ref(&order)).await;
            Ok(outcomes.ok().and_then(|outcomes| outcomes.first().copied()).unwrap_or(Outcome::Unknown))
        }
    }
}

/// What the bank is told of a movement; none where the account's number cannot be read.
async fn order(gateway: &Gateway, movement: MovementId, row: &Movement) -> Result<Option<BankOrder>, EngineError> {
    let Some(account) = gateway.account(row.order.account).await? else { return Ok(None) };
    let Ok((account, name_kana)) = gateway.unseal(row.order.account, &account.details) else {
        tracing::error!("an account's number cannot be read: its movements wait");
        return Ok(None);
    };
    Ok(Some(BankOrder {
        kind: row.order.kind,
        movement,
        account,
        name_kana: Secret::new(name_kana),
        amount: row.order.amount,
        descriptor: gateway.bank(row.order.bank).map(|bank| bank.descriptor.clone()).unwrap_or_default(),
        may_overdraw: gateway.options().policy.debits_may_overdraw,
    }))
}

/// Whether a movement of that kind goes to the bank together with others of its day.
fn goes_by_the_day(gateway: &Gateway, bank: BankCode, kind: Kind) -> bool {
    let rhythm = gateway.debits(bank).map(BankConnector::rhythm);
    kind == Kind::Debit && matches!(rhythm, Some(Rhythm::Daily { .. }))
}

/// By how much the next wait is spread.
pub fn spread(gateway: &Gateway) -> Spread {
    Spread::new(web::chance::spread(&*gateway.outside().chance))
}

fn locked(lane: &Mutex<Lane>) -> MutexGuard<'_, Lane> {
    lane.lock().unwrap_or_else(PoisonError::into_inner)
}

const fn minutes(minutes: u16) -> i64 {
    minutes as i64 * 60_000
}
