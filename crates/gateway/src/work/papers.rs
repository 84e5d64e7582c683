//! Papers: what a bank says of its days, the file of debits and the statement of credits, each compared with the ledger by itself.
//!
//! How far that is done stands in the books ([`comparison`]), and each day has its turn, however long nobody looked. A paper
//! that cannot be had or read, or is none of ours, ends nothing: it is put aside as a finding, and asked for again.
//! Start reading at [`Reader::run_due`].

use super::reconcile::reconcile;
use crate::connector::ConnectorError;
use crate::connector::zengin::ResultLine;
use crate::domain::comparison::{self, Comparison, Lack, Paper};
use crate::domain::{BankCode, Command};
use crate::gateway::{Gateway, NotDone};
use domain::{Day, Time};
use std::sync::{Mutex, MutexGuard, PoisonError};
use web::Due;

/// How long to wait for a paper that was not there, in milliseconds.
pub(super) const AGAIN_MS: i64 = 15 * 60_000;
/// How long after its time a paper may stay away before it is put aside as a finding, in milliseconds.
pub(super) const PATIENCE_MS: i64 = 12 * 3_600_000;
/// How often those that are put aside are asked for, in milliseconds.
const ASIDE_AGAIN_MS: i64 = 3_600_000;
/// Days that are looked through for the next one that has a paper: no bank rests for longer.
const REST_DAYS_MAX: i32 = 31;

/// Reads one kind of paper of one bank.
pub(super) struct Reader {
    paper: Paper,
    waits: Mutex<Waits>,
}

#[derive(Clone, Copy, Default)]
struct Waits {
    /// When the bank is asked for the next one again.
    again: Option<Time>,
    /// When it is asked again for those that are put aside.
    aside_again: Option<Time>,
}

impl Reader {
    /// Of that kind of paper; nothing is waited for yet.
    pub fn new(paper: Paper) -> Self {
        Self { paper, waits: Mutex::default() }
    }

    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares the next paper, as far as it is time for that.
    pub async fn run_due(&self, gateway: &Gateway, bank: BankCode, now: Time) -> Due {
        if let Some(again) = self.waits().again.filter(|again| now < *again) {
            return Due { done: 0, next: Some(again) };
        }
        let done = match self.compare_due(gateway, bank, now).await {
            Ok(done) => done,
            Err(error) => {
                tracing::warn!(?error, %bank, paper = ?self.paper, "a bank's paper waits for the engine");
                self.waits().again = Some(now.plus_milliseconds(AGAIN_MS));
                0
            }
        };
        let mut next = paper_due(gateway, now.day().plus(-1));
        if next <= now {
            next = paper_due(gateway, now.day());
        }
        let Waits { again, aside_again } = *self.waits();
        let next = [again, aside_again].into_iter().flatten().filter(|again| now < *again).fold(next, Time::min);
        Due { done, next: Some(next) }
    }

    /// Compares the first day that was not yet, and asks for the papers that are put aside.
    async fn compare_due(&self, gateway: &Gateway, bank: BankCode, now: Time) -> Result<usize, NotDone> {
        let Some(row) = gateway.comparison(bank, self.paper).await? else { return Ok(0) };
        let days = (1..=REST_DAYS_MAX).map(|days| row.until.plus(days));
        let day = days.take_while(|day| paper_due(gateway, *day) <= now).find(|day| self.is_of(gateway, bank, *day));
        let mut done = 0;
        if let Some(day) = day {
            done += self.compare(gateway, bank, day, now).await?;
        }
        if row.waited_for().next().is_some() && self.waits().aside_again.is_none_or(|again| again <= now) {
            self.waits().aside_again = Some(now.plus_milliseconds(ASIDE_AGAIN_MS));
            done += self.ask_for_aside(gateway, bank, &row).await?;
        }
        Ok(done)
    }

    /// Compares the paper of `day`; one that stays away beyond its time, or cannot be read, is put aside, and holds up none of
    /// those after it.
    async fn compare(&self, gateway: &Gateway, bank: BankCode, day: Day, now: Time) -> Result<usize, NotDone> {
        let lack = match self.lines(gateway, bank, day).await {
            Ok(Some(lines)) => {
                if self.compared(gateway, bank, day, &lines).await? {
                    self.waits().again = None;
                    return Ok(1);
                }
                Lack::Foreign
            }
            Ok(None) | Err(ConnectorError::Unreachable | ConnectorError::Unauthorised) => Lack::Missing,
            Err(ConnectorError::Garbled | ConnectorError::Unwritable) => Lack::Unreadable,
        };
        if lack == Lack::Missing && now < overdue(gateway, day) {
            tracing::info!(%bank, %day, paper = ?self.paper, "a bank's paper is not there");
            self.waits().again = Some(now.plus_milliseconds(AGAIN_MS));
            return Ok(0);
        }
        tracing::error!(%bank, %day, lack = lack.name(self.paper), "a bank's day cannot be compared with the ledger");
        submit(gateway, self.paper, comparison::Command::PutAside { bank, day, lack }).await?;
        *self.waits() = Waits { again: None, aside_again: Some(now.plus_milliseconds(ASIDE_AGAIN_MS)) };
        Ok(1)
    }

    /// Asks for each paper that is put aside, until the bank does not answer.
    async fn ask_for_aside(&self, gateway: &Gateway, bank: BankCode, row: &Comparison) -> Result<usize, NotDone> {
        let mut done = 0;
        for aside in row.waited_for() {
            match self.lines(gateway, bank, aside.day).await {
                Ok(Some(lines)) => done += usize::from(self.compared(gateway, bank, aside.day, &lines).await?),
                Ok(None) | Err(ConnectorError::Garbled | ConnectorError::Unwritable) => {}
                Err(ConnectorError::Unreachable | ConnectorError::Unauthorised) => break,
            }
        }
        Ok(done)
    }

    /// Whether the bank has one of `day`: credits are made on every day.
    fn is_of(&self, gateway: &Gateway, bank: BankCode, day: Day) -> bool {
        match self.paper {
            Paper::Debits => gateway.debits(bank).is_some_and(|debits| debits.rhythm().has_results(day)),
            Paper::Credits => true,
        }
    }

    /// The records of the paper of `day`; none where it is not there.
    async fn lines(
        &self,
        gateway: &Gateway,
        bank: BankCode,
        day: Day,
    ) -> Result<Option<Vec<ResultLine>>, ConnectorError> {
        let (Some(debits), Some(online)) = (gateway.debits(bank), gateway.online(bank)) else { return Ok(None) };
        match self.paper {
            Paper::Debits => debits.results(day).await,
            Paper::Credits => online.credit_statement(day).await,
        }
    }

    /// Compares the paper of `day` with the ledger, and has it stand in the books that this was done; no where it is none of ours.
    async fn compared(
        &self,
        gateway: &Gateway,
        bank: BankCode,
        day: Day,
        lines: &[ResultLine],
    ) -> Result<bool, NotDone> {
        let Some(compared) = reconcile(gateway, bank, day, self.paper, lines).await? else { return Ok(false) };
        if compared.strangers > 0 || compared.missing > 0 {
            tracing::error!(%bank, paper = ?self.paper, ?compared, "a bank's day and the ledger differ");
        }
        submit(gateway, self.paper, comparison::Command::Compare { bank, compared }).await?;
        Ok(true)
    }
}

/// From the first day on that the gateway has the bank, or the day of its oldest movement without an answer, papers are compared.
pub(super) async fn begin(gateway: &Gateway, bank: BankCode, today: Day) -> Result<(), NotDone> {
    for paper in Paper::ALL {
        if gateway.comparison(bank, paper).await?.is_some() {
            continue;
        }
        let mut day = today;
        for movement in gateway.work().open(bank) {
            let row = gateway.movement(movement).await?.filter(|row| paper.has(row.order.kind));
            day = row.map_or(day, |row| day.min(row.order.accepted.day()));
        }
        submit(gateway, paper, comparison::Command::Begin { bank, day }).await?;
    }
    Ok(())
}

async fn submit(gateway: &Gateway, paper: Paper, command: comparison::Command) -> Result<(), NotDone> {
    gateway.submit(Command::Comparison(paper, command), gateway.system(), None).await.map(drop)
}

/// From when on it is not to be waited for any longer that a paper of `day` is there.
pub(super) fn overdue(gateway: &Gateway, day: Day) -> Time {
    paper_due(gateway, day).plus_milliseconds(PATIENCE_MS)
}

/// When the papers of `day` are to be there.
fn paper_due(gateway: &Gateway, day: Day) -> Time {
    day.plus(1).start().plus_milliseconds(super::minutes(gateway.options().day_file_minute))
}
