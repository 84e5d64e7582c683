//! One seed's world: the service, the people around it, and thirty days in which everything goes wrong.
//!
//! One discrete-event loop: take the next due event, let whoever it concerns put asks into the queue, take the queue
//! through the service in batches, judge every answer, let the workers read the journal. Start reading at [`World::run`].

use super::answers::{DONE, TOO_OFTEN};
use super::ask::{Ask, Lost, Queue};
use super::bank::{self, Bank, Kind};
use super::chance::Chance;
use super::coverage::{Coverage, Flow, Phase};
use super::oracle::{Holding, Learned, Oracle, date, simulated_guard};
use super::people::People;
use super::phase;
use super::schedule::Schedule;
use super::service::{Fired, Service};
use super::trace::Trace;
use super::worker::{self, Worker};
use domain::{Id, Key, Time};
use engine::memory::Fault;
use engine::{Answered, Submission};
use ledger::Yen;
use std::collections::BTreeMap;
use std::sync::Arc;
use wallet::{BankCode, Context, Policies, Policy, Receipt, Row, Wallets, chart, payout, table, top_up};

/// Simulated days of a seed.
pub const DAYS: i64 = 30;
/// Days after them in which nobody asks for anything new, so that every bank can give its last answer.
const DAYS_AFTER: i64 = 12;
/// Commands in one batch.
const BATCH_ASKS_MAX: usize = 64;
/// Restarts that one batch may need.
const RESTARTS_MAX: u32 = 50;

const SECOND_MS: i64 = 1_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// When seeds begin: so that a month's end, a leap day, a year's end or a short February lies in the thirty days.
const BEGINNINGS: &[&str] = &[
    "2026-09-12T00:00:00+09:00",
    "2026-12-18T00:00:00+09:00",
    "2027-02-09T00:00:00+09:00",
    "2028-02-08T00:00:00+09:00",
    "2026-10-20T00:00:00+09:00",
];

/// What is going to happen.
pub enum Due {
    /// People do something.
    People,
    /// Somebody asks again.
    Again(Box<Ask>),
    /// A bank does something.
    Bank(BankCode, bank::Due),
    /// A worker has something to do.
    Worker(worker::Due),
    /// The clock of the service is set wrong, or right again.
    ClockSkew(i64),
    /// A business date ends.
    DayEnd,
}

/// One seed's world.
pub struct World {
    pub chance: Chance,
    pub schedule: Schedule<Due>,
    pub trace: Trace,
    pub service: Service,
    pub oracle: Oracle,
    pub coverage: Coverage,
    pub people: People,
    pub banks: BTreeMap<BankCode, Bank>,
    pub worker: Worker,
    pub now: Time,
    /// When people stop asking.
    pub end: Time,
    pub(super) queue: Queue,
    pub(super) clock_skew_ms: i64,
    /// Everything that the service was given, in its order, if somebody wants to give it once more.
    pub heard: Option<Vec<Submission<Wallets>>>,
    /// Commands that were answered for the first time.
    pub commands: u64,
    /// Everything that happened.
    pub events: u64,
}

/// The figures as they are shipped, or so low that people run into them all the time; the rules that watch are in force in one
/// world of two, so that what they would hold happens too.
fn policy(chance: &mut Chance, is_tight: bool) -> Policy {
    let shipped = if is_tight { tight() } else { Policy::default() };
    let monitoring = if chance.one_in(2) { shipped.monitoring.clone() } else { Vec::new() };
    Policy { monitoring, ..shipped }
}

/// Figures so low that people run into them all the time.
fn tight() -> Policy {
    let mut policy = Policy::default();
    policy.balance.identified_max = Yen::new(60_000);
    policy.balance.phone_max = Yen::new(25_000);
    policy.payment.per_day_max = Yen::new(30_000);
    policy.send.per_day_max = Yen::new(15_000);
    policy.top_up.per_month_max = Yen::new(120_000);
    policy.top_up.rolling_max = Yen::new(140_000);
    policy.ageing.per_day_max = Yen::new(20_000);
    policy.ageing.send_per_day_max = Yen::new(12_000);
    policy.mandate.refuses_static_factors = false;
    policy.mandate.requires_phone = false;
    policy.top_up.unproven_per_day_max = Yen::new(40_000);
    policy.voucher.alone_per_day_max = Yen::new(15_000);
    policy
}

impl World {
    /// The world of `seed`.
    pub fn new(seed: u64) -> Result<Self, String> {
        let mut chance = Chance::new(seed);
        let begins: jiff::Timestamp = chance.pick(BEGINNINGS).parse().map_err(|error| format!("{error}"))?;
        let now = Time::from(begins).plus_milliseconds(chance.between(0, 3 * DAY_MS));
        let is_tight = chance.one_in(2);
        let (first, later) = (policy(&mut chance, is_tight), policy(&mut chance, !is_tight));
        let changes = now.day().plus(i32::try_from(chance.between(4, 26)).unwrap_or(15));
        let policies = Policies::new(first.clone()).then(changes, later.clone());
        let context = Context { policies, guard: simulated_guard };
        let oracle = Oracle::new(first, date(changes.start()), later);
        // Few refusals are journaled one by one in some worlds, all of them in others.
        let refusals_journaled_max = *chance.pick(&[1, 4, u32::MAX]);
        let slice_rows = usize::try_from(chance.between(1, 40)).unwrap_or(1);
        let mut world = Self {
            schedule: Schedule::new(),
            trace: Trace::new(),
            service: Service::open(Arc::new(context), slice_rows, refusals_journaled_max)?,
            oracle,
            coverage: Coverage::default(),
            people: People::default(),
            banks: bank::banks(),
            worker: Worker::default(),
            now,
            end: now.plus_milliseconds(DAYS * DAY_MS),
            queue: Queue::default(),
            clock_skew_ms: 0,
            heard: None,
            commands: 0,
            events: 0,
            chance,
        };
        if refusals_journaled_max == u32::MAX {
            world.oracle.expect_every_record();
        }
        world
            .trace
            .note(format_args!("seed {seed} begins at {now}, other figures are in force from day {changes:?} on"));
        world.schedule.at(now, Due::People);
        for day in 0..DAYS + DAYS_AFTER {
            let end = now.day().plus(i32::try_from(day + 1).unwrap_or(i32::MAX)).start();
            world.schedule.at(end, Due::DayEnd);
        }
        Ok(world)
    }

    /// Lets the days pass. An error is a violation.
    pub fn run(&mut self) -> Result<(), String> {
        self.begin();
        while let Some((at, due)) = self.schedule.next() {
            self.now = at.max(self.now);
            self.events += 1;
            match due {
                Due::People => self.people_act(),
                Due::Again(ask) => self.enqueue(*ask),
                Due::Bank(bank, due) => self.bank_acts(bank, due),
                Due::Worker(due) => self.work(due)?,
                Due::ClockSkew(skew_ms) => {
                    if skew_ms != 0 {
                        self.coverage.fault("clock_step");
                    }
                    self.trace.note(format_args!("the clock is off by {skew_ms} ms"));
                    self.clock_skew_ms = skew_ms;
                }
                Due::DayEnd => self.end_day()?,
            }
            let next_is_near = self.schedule.next_at().is_some_and(|next| next.milliseconds_since(at) < SECOND_MS);
            if !next_is_near || self.queue.len() >= BATCH_ASKS_MAX || self.chance.one_in(4) {
                self.flush()?;
            }
        }
        self.flush()?;
        self.finish()
    }

    /// Notes what is unusual when an ask is made: the wallet's state, the clock, the date.
    pub(super) fn meet_circumstances(&mut self, ask: &Ask) {
        let Some((flow, key)) = phase::subject(&ask.command) else { return };
        let Ok(row) = self.service.row(key) else { return };
        let holding =
            phase::wallet_of(&ask.command, row.as_deref()).and_then(|wallet| self.oracle.wallets.get(&wallet));
        let of_wallet = |holds: fn(&Holding) -> bool| holding.is_some_and(holds);
        let circumstances = [
            ("wallet_frozen", of_wallet(|holding| !holding.frozen.is_empty())),
            ("wallet_closing", of_wallet(|holding| holding.closing.is_some() && !holding.closed)),
            ("wallet_closed", of_wallet(|holding| holding.closed)),
            ("wallet_owes", of_wallet(|holding| !holding.debts.is_empty())),
            ("clock_back", self.clock_skew_ms < 0),
            ("clock_ahead", self.clock_skew_ms > 0),
            ("month_end", date(self.now).day() == 1),
        ];
        for (circumstance, _) in circumstances.into_iter().filter(|(_, holds)| *holds) {
            for (flow, phase) in phase::met(&ask.command, flow, row.as_deref()) {
                self.coverage.meet(circumstance, flow, phase);
            }
        }
    }

    /// Takes everything in the queue through the service.
    fn flush(&mut self) -> Result<(), String> {
        while !self.queue.is_empty() {
            let most = i64::try_from(self.queue.len().min(BATCH_ASKS_MAX)).unwrap_or(1);
            let count = usize::try_from(self.chance.between(1, most)).unwrap_or(1);
            let batch: Vec<Ask> = self.queue.take(count);
            self.step(batch)?;
        }
        if self.chance.one_in(5) {
            self.service.idle();
        }
        self.tend()
    }

    /// One batch, until every ask of it has an answer or was told to come again.
    fn step(&mut self, mut batch: Vec<Ask>) -> Result<(), String> {
        let mut answers = Vec::new();
        for attempt in 0..RESTARTS_MAX {
            // After a crash nobody knows what was done until it is asked again: the answer may be lost again, not refused.
            let is_refusal = |fault: Fault| matches!(fault, Fault::LoadUnavailable | Fault::CommitUnavailable);
            let fault = self.choose_fault().filter(|fault| attempt == 0 || !is_refusal(*fault));
            let phases: Vec<_> =
                if fault.is_some() { batch.iter().flat_map(|ask| self.phases(ask)).collect() } else { vec![] };
            if let Some(fault) = fault {
                self.service.disk().disarm();
                self.service.disk().arm(fault);
            }
            self.look_at_clock(&mut batch);
            let submissions: Vec<_> = batch.iter().map(Ask::submission).collect();
            if let Some(heard) = &mut self.heard {
                heard.extend(submissions.iter().cloned());
            }
            let fired = self.service.step(&submissions, &mut answers);
            if fault == Some(Fault::LoadUnavailable) {
                // It is the batch's alone: whoever looks at rows from outside reads them.
                self.service.disk().disarm();
            }
            if let Some(fault) = fault.filter(|fault| fired.has(fault.name())) {
                self.coverage.fault(fault.name());
                self.trace.note(format_args!("{}", fault.name()));
                for (flow, phase) in phases {
                    self.coverage.meet(fault.name(), flow, phase);
                }
            }
            let unanswered = self.judge(batch, &answers, &fired)?;
            if !self.service.is_dead() {
                self.come_again(unanswered)?;
                self.tend()?;
                return self.compare();
            }
            self.restart()?;
            batch = unanswered;
            let head = self.service.head().place;
            for ask in &mut batch {
                ask.lost.push(Lost { at: ask.at, believed: ask.believed, head });
                ask.at = self.now.plus_milliseconds(self.clock_skew_ms);
            }
            if batch.is_empty() {
                self.tend()?;
                return self.compare();
            }
        }
        Err(format!("a batch needed more than {RESTARTS_MAX} restarts"))
    }

    /// Before each batch the service looks at its clocks: of the calendar's it believes what the steady one bears out.
    fn look_at_clock(&mut self, batch: &mut [Ask]) {
        let calendar = self.now.plus_milliseconds(self.clock_skew_ms);
        let believed = self.service.look_at_clock(calendar, self.now.milliseconds());
        if !believed.is_trusted {
            self.coverage.fault("clock_not_believed");
        }
        for ask in batch {
            ask.believed = believed;
        }
    }

    /// Judges the answers; returns the asks that have none.
    fn judge(&mut self, batch: Vec<Ask>, answers: &[Answered<Wallets>], fired: &Fired) -> Result<Vec<Ask>, String> {
        if batch.len() != answers.len() {
            return Err(format!("{} asks got {} answers", batch.len(), answers.len()));
        }
        let mut unanswered = Vec::new();
        // What was done before its answer was lost was done before everything that is done now, in the journal's order.
        let was_lost = |(ask, answered): &(Ask, &Answered<Wallets>)| {
            !ask.lost.is_empty() && answered.as_ref().is_ok_and(|answer| answer.repeated)
        };
        let (mut lost, now): (Vec<_>, Vec<_>) = batch.into_iter().zip(answers).partition(was_lost);
        lost.sort_by_key(|(_, answered)| answered.as_ref().ok().and_then(|answer| answer.place));
        for (ask, answered) in lost.into_iter().chain(now) {
            self.trace.note(format_args!("{} {:?} -> {answered:?}", ask.at.milliseconds(), ask.command));
            let learned =
                self.oracle.judge(&ask, answered, fired).map_err(|violation| match self.service.defect() {
                    Some(defect) => format!("{violation} ({defect})"),
                    None => violation,
                })?;
            match learned {
                Learned::Done(receipt) => {
                    self.commands += 1;
                    self.coverage.answers.note(ask.name(), DONE);
                    if let Some(rule) = self.oracle.rule_that_held(&ask.command) {
                        self.coverage.fault(rule);
                    }
                    self.hear(&ask, Some(&receipt));
                    self.remember(ask);
                }
                Learned::Refused(why) => {
                    self.commands += 1;
                    self.coverage.answers.note(ask.name(), why.name());
                    self.hear(&ask, None);
                    self.remember(ask);
                }
                // Whoever asked gives it up; some come again all the same, now or after the hour, with the same key.
                Learned::TooOften => {
                    self.coverage.fault("refusal_only_counted");
                    self.commands += 1;
                    self.coverage.answers.note(ask.name(), TOO_OFTEN);
                    self.hear(&ask, None);
                    self.remember(ask);
                }
                Learned::Repeated | Learned::KeyReused => {}
                Learned::Nothing => unanswered.push(ask),
            }
        }
        Ok(unanswered)
    }

    fn choose_fault(&mut self) -> Option<Fault> {
        if !self.chance.one_in(4) {
            return None;
        }
        Some(match self.chance.below(12) {
            0 => Fault::CommitUnavailable,
            1 => Fault::CrashBeforeCommit,
            2 => Fault::TornCommit { bytes: self.chance.index(3_000) },
            3 => Fault::CrashAfterCommit,
            // Some of these find every row in the cache.
            4 | 5 => Fault::LoadUnavailable,
            // Many of these find nothing to write.
            _ => Fault::CrashInWriteBack { rows: self.chance.index(6) },
        })
    }

    /// A new process: what was only in memory is gone, the workers' too.
    fn restart(&mut self) -> Result<(), String> {
        self.trace.note(format_args!("restart"));
        self.coverage.fault("restart");
        self.service.restart()?;
        self.worker_restarts();
        Ok(())
    }

    /// The workers read what is new in the journal.
    fn tend(&mut self) -> Result<(), String> {
        if self.service.is_dead() {
            self.restart()?;
        }
        self.worker_reads()
    }

    /// Every balance beside the model's.
    fn compare(&mut self) -> Result<(), String> {
        if self.service.is_dead() {
            self.restart()?;
        }
        let service = &mut self.service;
        self.oracle.compare(&mut |key| service.row(key))
    }

    fn end_day(&mut self) -> Result<(), String> {
        self.flush()?;
        self.trace.note(format_args!("the day ends at {}", self.now));
        if self.now >= self.end && self.clock_skew_ms != 0 {
            self.clock_skew_ms = 0;
        }
        self.banks_close_the_day();
        self.compare_banks(false)
    }

    /// Everything has come to its end: so must every movement, and every yen must be where it belongs.
    fn finish(&mut self) -> Result<(), String> {
        self.compare()?;
        self.compare_banks(true)?;
        self.nothing_is_open()?;
        self.service.audit()
    }

    /// The flows and phases that an ask is about, as they are now.
    fn phases(&mut self, ask: &Ask) -> Vec<(Flow, Phase)> {
        let Some((flow, key)) = phase::subject(&ask.command) else { return Vec::new() };
        let Ok(row) = self.service.row(key) else { return Vec::new() };
        phase::met(&ask.command, flow, row.as_deref()).collect()
    }

    /// Notes that `fault` meets what `ask` is about.
    pub(super) fn meet_ask(&mut self, fault: &'static str, ask: &Ask) {
        for (flow, phase) in self.phases(ask) {
            self.coverage.meet(fault, flow, phase);
        }
    }

    /// Notes that `fault` meets a movement.
    pub fn meet_kind(&mut self, fault: &'static str, kind: Kind) {
        let (flow, key) = match kind {
            Kind::TopUp(id) | Kind::GiveBack(id, _) => ("top_up", Key::new(table::TOP_UP, id.0)),
            Kind::Payout(id) => ("payout", Key::new(table::PAYOUT, id.0)),
            Kind::Reimbursement(id, _) => ("reimbursement", Key::new(table::REIMBURSEMENT, id.0)),
        };
        let Ok(row) = self.service.row(key) else { return };
        self.coverage.meet(fault, flow, phase::of(row.as_deref()));
        if let Kind::GiveBack(..) = kind
            && let Some((flow, phase)) = phase::give_back(row.as_deref())
        {
            self.coverage.meet(fault, flow, phase);
        }
    }

    /// Whether the holder wishes that a movement were not.
    pub fn is_cancel_wished(&mut self, kind: Kind) -> bool {
        match kind {
            Kind::TopUp(id) | Kind::GiveBack(id, _) => {
                let row = self.service.row(Key::new(table::TOP_UP, id.0));
                matches!(row.ok().flatten().as_deref(), Some(Row::TopUp(row)) if row.cancel_wished.is_some())
            }
            Kind::Payout(id) => {
                let row = self.service.row(Key::new(table::PAYOUT, id.0));
                matches!(row.ok().flatten().as_deref(), Some(Row::Payout(row)) if row.cancel_wished.is_some())
            }
            Kind::Reimbursement(..) => false,
        }
    }

    /// The movements at a bank that were accepted before `before` and have no final answer.
    pub fn open_at(&self, bank: BankCode, before: Time) -> Vec<Kind> {
        let top_ups = self.oracle.top_ups.iter().filter(|(_, row)| {
            row.bank == bank
                && row.accepted < before
                && matches!(row.status, top_up::Status::Pending | top_up::Status::InDoubt)
        });
        let payouts = self.oracle.payouts.iter().filter(|(_, row)| {
            row.bank == bank
                && row.accepted < before
                && matches!(row.status, payout::Status::Pending | payout::Status::InDoubt)
        });
        let top_ups = top_ups.map(|(id, _)| Kind::TopUp(*id));
        top_ups.chain(payouts.map(|(id, _)| Kind::Payout(*id))).collect()
    }

    /// Each bank's own statement beside our books, movement by movement. What differs must be in doubt, and nothing may
    /// be when `all_is_final`.
    fn compare_banks(&mut self, all_is_final: bool) -> Result<(), String> {
        for (code, bank) in &self.banks {
            let clearing = -self.oracle.books.balance(chart::clearing(*code));
            let mut in_doubt = 0;
            let mut movements = bank.movements();
            movements.sort_unstable();
            movements.dedup();
            for movement in movements {
                let (theirs, ours) = (bank.moved_to_us(movement), self.oracle.moved_to_us(movement));
                if theirs == ours {
                    continue;
                }
                let open = self.oracle.is_in_doubt(movement)
                    || bank.has_more_to_say(movement)
                    || self.is_still_asked(movement);
                if all_is_final || !open {
                    return Err(format!("bank {code} moved {theirs} yen for {movement}, our books say {ours}"));
                }
                in_doubt += theirs - ours;
            }
            if bank.statement() != clearing + in_doubt {
                return Err(format!(
                    "the statement of bank {code} is {}, our clearing account {clearing}, in doubt {in_doubt}",
                    bank.statement()
                ));
            }
        }
        Ok(())
    }

    /// Whether something about `movement` waits in the queue, or was refused as busy and comes again.
    fn is_still_asked(&self, movement: Id) -> bool {
        let concerns = |ask: &Ask| phase::subject(&ask.command).is_some_and(|(_, key)| key.id == movement);
        let comes_again = |due: &Due| matches!(due, Due::Again(ask) if concerns(ask));
        self.queue.waiting().any(concerns) || self.schedule.count(comes_again) > 0
    }

    /// Nothing waits for anything.
    fn nothing_is_open(&mut self) -> Result<(), String> {
        match self.oracle.open_movement() {
            None => Ok(()),
            Some(what) => Err(format!("{what} is open at the end")),
        }
    }

    /// Days that were simulated.
    pub fn days(&self) -> u64 {
        let ms = self.now.milliseconds_since(self.end) + DAYS * DAY_MS;
        u64::try_from(ms / DAY_MS).unwrap_or(0)
    }

    /// Whether people would stop acting unless somebody plans it.
    pub fn schedule_has_few_people(&self) -> bool {
        self.schedule.count(|due| matches!(due, Due::People)) < 3
    }

    /// Whoever asked learns of it.
    fn hear(&mut self, ask: &Ask, receipt: Option<&Receipt>) {
        self.people_hear(ask, receipt);
    }
}
