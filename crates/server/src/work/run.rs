//! Doing what is due: a turn in each lane, beside one another, each at its own speed.
//!
//! Whatever fails comes again later, twice as late each time and never together with what failed beside it, for as long as it takes: a movement whose outcome nobody knows is
//! never given up here. A turn ends at the first silence. A bank that gave no answer several times in a row is left alone for
//! a while, and then asked once; so is the gateway, and all banks with it, where the silence is its own. What cannot be asked
//! for a reason of ours is nobody's silence.

use super::lanes::{Lane, Turn};
use super::waiting::{UNANSWERED_MIN, Waiting};
use super::{Due, Task};
use crate::banking::{Asked, Silent};
use crate::entrance::SYSTEM;
use crate::journals::aside_if_many;
use crate::service::Service;
use domain::{Id, Time};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wallet::{
    BankCode, Command, MandateId, PaymentId, PayoutId, ReimbursementId, SendId, TopUpId, WalletId, mandate, payment,
    payout, send, top_up,
};
use web::chance::spread;
use web::{Problem, Ran};

/// How long one question to a bank may take, in milliseconds.
const ASK_MS_MAX: u64 = 5_000;
/// The first wait before a bank is asked again, in milliseconds; twice as long after each further one. Each is spread by a fifth.
const WAIT_MS_MIN: i64 = 2_000;
/// The longest wait.
const WAIT_MS_MAX: i64 = 15 * 60 * 1_000;
/// Work in one lane in one turn.
const LANE_TASKS_MAX: usize = 32;
/// Records that one step reads at a time, in pages of the follower.
const PAGES_MAX: usize = 4;
/// Questions without an answer in a row after which whoever is silent is left alone.
const SILENCES_MAX: u32 = 5;
/// How long they are left alone, in milliseconds.
const PAUSE_MS: i64 = 30_000;

/// The banks that do not answer, and the gateway where it does not.
#[derive(Default)]
pub struct Breakers(Mutex<Silences>);

#[derive(Default)]
struct Silences {
    banks: BTreeMap<BankCode, Silence>,
    gateway: Silence,
}

#[derive(Clone, Copy, Debug, Default)]
struct Silence {
    in_a_row: u32,
    until: Option<Time>,
}

impl Silence {
    /// One more question without an answer. After a pause, one begins the next one.
    fn goes_on(&mut self, now: Time) {
        self.in_a_row = self.in_a_row.saturating_add(1);
        if self.in_a_row >= SILENCES_MAX {
            self.until = Some(now.plus_milliseconds(PAUSE_MS));
        }
    }

    fn pause(self, now: Time) -> Option<Time> {
        self.until.filter(|until| now < *until)
    }
}

/// A time in which nothing is asked of a bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// When it ends.
    pub until: Time,
    /// Whether it is every bank's: the gateway is silent.
    pub is_of_all: bool,
}

impl Breakers {
    fn silences(&self) -> MutexGuard<'_, Silences> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pause in which a bank is left alone, by itself or with all of them.
    pub fn pause(&self, bank: BankCode, now: Time) -> Option<Pause> {
        let silences = self.silences();
        let of_all = silences.gateway.pause(now).map(|until| Pause { until, is_of_all: true });
        let own = silences.banks.get(&bank).and_then(|silence| silence.pause(now));
        of_all.or(own.map(|until| Pause { until, is_of_all: false }))
    }

    /// How much may be asked of a bank in one turn: of one that was left alone, a single question.
    fn questions(&self, bank: BankCode) -> usize {
        let silences = self.silences();
        let is_shut = silences.banks.get(&bank).is_some_and(|silence| silence.until.is_some());
        if is_shut || silences.gateway.until.is_some() { 1 } else { LANE_TASKS_MAX }
    }

    /// What asking came to, of a bank or of the gateway itself.
    pub fn heard(&self, bank: Option<BankCode>, asked: Asked, now: Time) {
        let mut silences = self.silences();
        match (asked, bank) {
            (Asked::NoAnswer(Silent::Bank), Some(bank)) => silences.banks.entry(bank).or_default().goes_on(now),
            (Asked::NoAnswer(Silent::Bank), None) | (Asked::NoAnswer(Silent::Gateway), _) => {
                silences.gateway.goes_on(now);
            }
            (Asked::Over | Asked::Open, bank) => {
                silences.gateway = Silence::default();
                bank.map(|bank| silences.banks.remove(&bank));
            }
            (Asked::NoAnswer(Silent::Ourselves) | Asked::Elsewhere, _) => {}
        }
    }

    /// How many banks are left alone at `now`, each for its own silence.
    pub fn banks_left_alone(&self, now: Time) -> usize {
        self.silences().banks.values().filter(|silence| silence.pause(now).is_some()).count()
    }

    /// Until when the gateway is left alone, if it is at `now`.
    pub fn gateway_pause(&self, now: Time) -> Option<Time> {
        self.silences().gateway.pause(now)
    }

    /// Whether everybody is asked at `now`.
    pub fn is_nobody_left_alone(&self, now: Time) -> bool {
        self.gateway_pause(now).is_none() && self.banks_left_alone(now) == 0
    }

    /// Until when what is kept under `owner` waits: a bank's lane, or that of the gateway itself.
    fn lane_pause(&self, owner: Id, now: Time) -> Option<Time> {
        match bank_of(owner) {
            Some(bank) => self.pause(bank, now).map(|pause| pause.until),
            None if owner == Lane::Gateway.id() => self.gateway_pause(now),
            None => None,
        }
    }
}

impl Service {
    /// Makes rows of what was committed since the last step. How many records that were.
    pub async fn make_work(&self) -> Result<usize, Problem> {
        let status = self.engine.status().await.map_err(|error| crate::refusals::engine_problem(&error))?;
        let (head, today) = (status.head.place.n, self.now().day());
        let (maker, work) = (Arc::clone(&self.maker), Arc::clone(&self.work));
        let context = Arc::clone(&self.options.context);
        let behind = head.saturating_sub(maker.progress().n());
        aside_if_many(behind, move || {
            let mut maker = maker.follower();
            let before = maker.cursor();
            for _ in 0..PAGES_MAX {
                match maker.catch_up(head) {
                    Ok(true) => {}
                    Ok(false) => break,
                    // The follower has said in the log what keeps it.
                    Err(_) => return Err(crate::refusals::unavailable()),
                }
            }
            maker.settle().map_err(|_| crate::refusals::unavailable())?;
            note(work.change(|doors| super::days::close(doors, head, today, &context.policies)));
            Ok(usize::try_from(maker.cursor() - before).unwrap_or(usize::MAX))
        })
        .await
    }

    /// Begins what is due at `now`, and waits for nobody: a bank that does not answer holds up its own lane alone.
    pub async fn work_begun(self: &Arc<Self>, now: Time, budget: usize) -> Result<Ran, Problem> {
        let ran = self.begin_work(now, budget).await?;
        Ok(ran.and(web::Due { done: 0, next: self.next_work(now)? }))
    }

    /// Waits until every lane is quiet. When something is due next.
    pub async fn work_rested(&self, now: Time) -> Result<web::Due, Problem> {
        self.lanes.rest().await;
        Ok(web::Due { done: 0, next: self.next_work(now)? })
    }

    async fn begin_work(self: &Arc<Self>, now: Time, budget: usize) -> Result<Ran, Problem> {
        let mut ran = done(self.make_work().await?, "wallet.record_read");
        ran = ran.and(done(self.look_at_waiting(now, budget).await?, "wallet.waiting_looked_at"));
        let mut left = budget;
        for (owner, first) in self.work.owners::<Due>()? {
            if left == 0 || first > now {
                continue;
            }
            let Some(turn) = self.lanes.enter(owner) else { continue };
            if self.breakers.lane_pause(owner, now).is_some() {
                continue;
            }
            let most = bank_of(owner).map_or(LANE_TASKS_MAX, |bank| self.breakers.questions(bank));
            let tasks: Vec<Due> = self.work.due_of(owner, now, most.min(left))?;
            left -= tasks.len();
            ran = tasks.iter().fold(ran, |ran, due| ran.and(done(1, due.task.kind())));
            let service = Arc::clone(self);
            tokio::spawn(async move { service.take_turn(turn, tasks).await });
        }
        Ok(ran)
    }

    /// When the next lane has something to do that is not at work.
    fn next_work(&self, now: Time) -> Result<Option<Time>, Problem> {
        let mut next = None;
        for (owner, first) in self.work.owners::<Due>()? {
            if self.lanes.is_busy(owner) {
                continue;
            }
            let until = self.breakers.lane_pause(owner, now);
            let at = until.map_or(first, |until| until.max(first));
            next = Some(next.map_or(at, |next: Time| next.min(at)));
        }
        Ok(next)
    }

    async fn take_turn(&self, _turn: Turn, tasks: Vec<Due>) {
        for due in tasks {
            let asked = match self.with_bank(due).await {
                Ok(named) if Lane::of(&named) != Lane::of(&due) => {
                    // Its bank is known now: it goes on in that lane.
                    self.move_over(due, named);
                    continue;
                }
                Ok(due) => self.act(due).await,
                Err(problem) => Err(problem),
            };
            let asked = asked.unwrap_or_else(|problem| {
                tracing::warn!(%problem, task = ?due.task, "due work failed");
                Asked::NoAnswer(Silent::Ourselves)
            });
            let now = self.now();
            match Lane::of(&due) {
                Lane::Bank(bank) => self.breakers.heard(Some(bank), asked, now),
                Lane::Gateway => self.breakers.heard(None, asked, now),
                Lane::Ours => {}
            }
            self.settle(due, asked, now);
            if matches!(asked, Asked::NoAnswer(Silent::Bank | Silent::Gateway)) {
                return;
            }
        }
    }

    /// The bank of a row whose event did not name it.
    async fn with_bank(&self, due: Due) -> Result<Due, Problem> {
        let bank = match (due.bank, due.task) {
            (None, Task::TopUp | Task::GiveBack) => Some(self.top_up(TopUpId(due.about)).await?.debit.bank),
            (None, Task::Payout) => Some(self.payout(PayoutId(due.about)).await?.credit.bank),
            (None, Task::Reimbursement) => Some(self.reimbursement(ReimbursementId(due.about)).await?.credit.bank),
            (bank, _) => bank,
        };
        Ok(Due { bank, ..due })
    }

    fn move_over(&self, due: Due, named: Due) {
        note(self.work.change(|doors| match doors.get::<Due>(due.about)? {
            Some(kept) if kept == due => doors.put(&named),
            Some(_) | None => Ok(()),
        }));
    }

    /// One piece of work.
    async fn act(&self, due: Due) -> Result<Asked, Problem> {
        let about = due.about;
        match due.task {
            Task::TopUp => self.ask_top_up(TopUpId(about), ASK_MS_MAX).await,
            Task::Payout => self.ask_payout(PayoutId(about), ASK_MS_MAX).await,
            Task::GiveBack => self.ask_give_back(TopUpId(about), ASK_MS_MAX).await,
            Task::Reimbursement => self.ask_reimbursement(ReimbursementId(about), ASK_MS_MAX).await,
            Task::EndMandate => self.end_at_gateway(MandateId(about)).await,
            Task::ReviewTopUp => {
                self.expire(Command::TopUp(top_up::Command::ExpireHeld { top_up: TopUpId(about) })).await
            }
            Task::ReviewPayout => {
                self.expire(Command::Payout(payout::Command::ExpireHeld { payout: PayoutId(about) })).await
            }
            Task::ReviewSend => self.expire(Command::Send(send::Command::ExpireHeld { send: SendId(about) })).await,
            Task::Authorisation => {
                self.expire(Command::Payment(payment::Command::Expire { payment: PaymentId(about) })).await
            }
            Task::Mandate => {
                self.expire(Command::Mandate(mandate::Command::Expire { mandate: MandateId(about) })).await
            }
            Task::Closing => self.go_on_closing(WalletId(about)).await,
        }
    }

    /// Ends what ran out. What the rules refuse to end is over already.
    async fn expire(&self, command: Command) -> Result<Asked, Problem> {
        self.ask(SYSTEM, None, command).await.map(|_| Asked::Over)
    }

    /// The row after one try: gone if nothing is left to do, else later.
    fn settle(&self, due: Due, asked: Asked, now: Time) {
        let kept: Result<(), crate::doors::DoorsError> = match asked {
            // Only if nothing new was written there meanwhile: an expired mandate's row is one that ends it.
            Asked::Over => self.work.change(|doors| {
                let same = doors.get::<Due>(due.about)?.filter(|kept| kept.task == due.task && kept.when <= now);
                if same.is_some() { doors.remove::<Due>(due.about).map(drop) } else { Ok(()) }
            }),
            Asked::Open | Asked::NoAnswer(_) | Asked::Elsewhere => {
                let wait_ms = WAIT_MS_MAX.min(WAIT_MS_MIN << due.attempts.min(16));
                let spread_ms = wait_ms / 1_000 * spread(&*self.outside.chance);
                let when = now.plus_milliseconds(wait_ms + spread_ms);
                return self.put_off(Due { attempts: due.attempts + 1, when, ..due }, now);
            }
        };
        note(kept);
    }

    /// Later. What was asked for often enough is shown to the desk.
    fn put_off(&self, due: Due, now: Time) {
        note(self.work.change(|doors| {
            if doors.get::<Due>(due.about)?.is_none_or(|kept| kept.task != due.task) {
                return Ok(());
            }
            if let Some(noun) = due.asks_about().filter(|_| due.attempts == UNANSWERED_MIN) {
                doors.put(&Waiting { about: due.about, noun, since: now, look: Some(now) })?;
            }
            doors.put(&due)
        }));
    }
}

fn done(done: usize, kind: &'static str) -> Ran {
    web::Due { done, next: None }.named(kind)
}

/// The bank whose lane is kept under `owner`.
fn bank_of(owner: Id) -> Option<BankCode> {
    u16::try_from(owner.number()).ok().and_then(BankCode::new)
}

/// A row that could not be written is done once more.
fn note(kept: Result<(), crate::doors::DoorsError>) {
    if let Err(error) = kept {
        tracing::error!(%error, "due work");
    }
}
