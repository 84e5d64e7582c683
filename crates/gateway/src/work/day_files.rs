//! Files: the debits of a day go together to a bank that takes them so, and the day file of every bank is compared with the
//! ledger.
//!
//! How far that is done stands in the books ([`comparison`]), and each day has its turn, however long nobody looked. A file
//! that cannot be had or read, or is none of ours, ends nothing: it is put aside as a finding, and asked for again.
//! Start reading at [`Desk::run_due`].

use super::reconcile::reconcile;
use crate::connector::zengin::ResultLine;
use crate::connector::{BankConnector, BankOrder, ConnectorError, Paper, Rhythm};
use crate::domain::bank::Function;
use crate::domain::comparison::{self, Compared, Comparison, Lack};
use crate::domain::movement::{Command, Kind, Movement, Next};
use crate::domain::{BankCode, Command as Asked, MovementId, Receipt, mandate};
use crate::gateway::{Gateway, NotDone};
use domain::{Day, Time};
use engine::EngineError;
use ledger::Yen;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use web::Due;

/// How long to wait for a file that was not there, in milliseconds.
const AGAIN_MS: i64 = 15 * 60_000;
/// How long after its time a file may stay away before it is put aside as a finding, in milliseconds.
pub(super) const PATIENCE_MS: i64 = 12 * 3_600_000;
/// How often the files that are put aside are asked for, in milliseconds.
const ASIDE_AGAIN_MS: i64 = 3_600_000;
/// Days that are looked through for the next one that has a file: no bank rests for longer.
const REST_DAYS_MAX: i32 = 31;

/// One bank's files.
#[derive(Default)]
pub(super) struct Desk(Mutex<Files>);

#[derive(Default)]
struct Files {
    /// The day whose debits were put together last.
    requested: Option<Day>,
    /// A day's debits that the bank has not taken yet.
    waiting: Option<(Day, Arc<[BankOrder]>)>,
    /// When the bank is asked for a file again.
    again: Option<Time>,
    /// When it is asked again for those that are put aside.
    aside_again: Option<Time>,
}

impl Desk {
    fn files(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the day's debits together, and compares the next file, as far as it is time for that.
    pub async fn run_due(&self, gateway: &Gateway, bank: BankCode, now: Time) -> Due {
        let Some(debits) = gateway.debits(bank) else { return Due::default() };
        if let Some(again) = self.files().again.filter(|again| now < *again) {
            return Due { done: 0, next: Some(again) };
        }
        let today = now.day();
        let mut done = match self.compare_due(gateway, bank, debits, now).await {
            Ok(done) => done,
            Err(error) => {
                tracing::warn!(?error, %bank, "a day file waits for the engine");
                self.files().again = Some(now.plus_milliseconds(AGAIN_MS));
                0
            }
        };
        let mut next = file_due(gateway, today.plus(-1));
        if next <= now {
            next = file_due(gateway, today);
        }
        if let Rhythm::Daily { cut_off_minute } = debits.rhythm() {
            let cut_off = today.start().plus_milliseconds(minutes(cut_off_minute));
            if now < cut_off {
                next = next.min(cut_off);
            } else if self.files().requested != Some(today) && debits.rhythm().has_results(today) {
                done += self.request(gateway, bank, today, cut_off).await;
            }
            done += self.hand_in(bank, debits, now).await;
        }
        let files = self.files();
        let next =
            [files.again, files.aside_again].into_iter().flatten().filter(|again| now < *again).fold(next, Time::min);
        Due { done, next: Some(next) }
    }

    /// The debits that are not with the bank yet go together. Each is taken first, so that it is durable that the bank may know
    /// it; whose mandate is over by now is not asked for. After a restart nobody knows whether the bank has them already: they
    /// are put together again, and what it has of them the bank knows by our references.
    async fn request(&self, gateway: &Gateway, bank: BankCode, day: Day, cut_off: Time) -> usize {
        let mut orders = Vec::new();
        for movement in gateway.work().open(bank) {
            match order(gateway, movement, day, cut_off).await {
                Ok(order) => orders.extend(order),
                Err(error) => {
                    tracing::warn!(?error, %bank, "a debit waits for the next file");
                }
            }
        }
        let count = orders.len();
        let mut desk = self.files();
        desk.requested = Some(day);
        desk.waiting = (count > 0).then(|| (day, orders.into()));
        count
    }

    /// Hands in what waits. The same debits twice are one each to the bank: they carry our references.
    async fn hand_in(&self, bank: BankCode, debits: &dyn BankConnector, now: Time) -> usize {
        let Some((day, orders)) = self.files().waiting.clone() else { return 0 };
        let result = debits.send(day, &orders).await;
        let mut desk = self.files();
        match result {
            // What became of each is heard with the day's results.
            Ok(_) => {
                desk.waiting = None;
                1
            }
            Err(error) => {
                tracing::warn!(%bank, %error, "a request file waits");
                desk.again = Some(now.plus_milliseconds(AGAIN_MS));
                0
            }
        }
    }

    /// Compares the first day that was not yet, and asks for the files that are put aside.
    async fn compare_due(
        &self,
        gateway: &Gateway,
        bank: BankCode,
        debits: &dyn BankConnector,
        now: Time,
    ) -> Result<usize, NotDone> {
        let Some(row) = gateway.comparison(bank).await? else { return Ok(0) };
        let days = (1..=REST_DAYS_MAX).map(|days| row.until.plus(days));
        let day = days.take_while(|day| file_due(gateway, *day) <= now).find(|day| debits.rhythm().has_results(*day));
        let mut done = 0;
        if let Some(day) = day {
            done += self.compare(gateway, bank, debits, day, now).await?;
        }
        if row.waited_for().next().is_some() && self.files().aside_again.is_none_or(|again| again <= now) {
            self.files().aside_again = Some(now.plus_milliseconds(ASIDE_AGAIN_MS));
            done += ask_for_aside(gateway, bank, debits, &row).await?;
        }
        Ok(done)
    }

    /// Compares the file of `day`; one that stays away beyond its time, or cannot be read, is put aside, and holds up none of
    /// those after it.
    async fn compare(
        &self,
        gateway: &Gateway,
        bank: BankCode,
        debits: &dyn BankConnector,
        day: Day,
        now: Time,
    ) -> Result<usize, NotDone> {
        let lack = match papers(gateway, bank, debits, day).await {
            Ok(Some(papers)) => {
                if compared(gateway, bank, day, &papers).await? {
                    self.is_over(day);
                    return Ok(1);
                }
                Lack::Foreign
            }
            Ok(None) | Err(ConnectorError::Unreachable | ConnectorError::Unauthorised) => Lack::Missing,
            Err(ConnectorError::Garbled | ConnectorError::Unwritable) => Lack::Unreadable,
        };
        if lack == Lack::Missing && now < overdue(gateway, day) {
            tracing::info!(%bank, %day, "the day file is not there");
            self.files().again = Some(now.plus_milliseconds(AGAIN_MS));
            return Ok(0);
        }
        tracing::error!(%bank, %day, lack = lack.name(), "a bank's day cannot be compared with the ledger");
        submit(gateway, comparison::Command::PutAside { bank, day, lack }).await?;
        self.is_over(day);
        self.files().aside_again = Some(now.plus_milliseconds(ASIDE_AGAIN_MS));
        Ok(1)
    }

    /// What the bank did not take on its day is not handed in on another one.
    fn is_over(&self, day: Day) {
        let mut desk = self.files();
        desk.again = None;
        if desk.waiting.as_ref().is_some_and(|(waiting, _)| *waiting <= day) {
            desk.waiting = None;
        }
    }
}

/// Asks for each file that is put aside, until the bank does not answer.
async fn ask_for_aside(
    gateway: &Gateway,
    bank: BankCode,
    debits: &dyn BankConnector,
    row: &Comparison,
) -> Result<usize, NotDone> {
    let mut done = 0;
    for aside in row.waited_for() {
        match papers(gateway, bank, debits, aside.day).await {
            Ok(Some(papers)) => done += usize::from(compared(gateway, bank, aside.day, &papers).await?),
            Ok(None) | Err(ConnectorError::Garbled | ConnectorError::Unwritable) => {}
            Err(ConnectorError::Unreachable | ConnectorError::Unauthorised) => break,
        }
    }
    Ok(done)
}

/// What a bank says of a day: each of its papers, with the day that it is of.
type Papers = Vec<(Paper, Day, Vec<ResultLine>)>;

/// The file of `day`, and the statements of credits of that day and of those before it that have no file: credits are made on every day.
/// None where one of them is not there.
async fn papers(
    gateway: &Gateway,
    bank: BankCode,
    debits: &dyn BankConnector,
    day: Day,
) -> Result<Option<Papers>, ConnectorError> {
    let Some(lines) = debits.results(day).await? else { return Ok(None) };
    let mut papers = vec![(Paper::Debits, day, lines)];
    let Some(online) = gateway.online(bank) else { return Ok(Some(papers)) };
    let before = (1..REST_DAYS_MAX).map(|days| day.plus(-days));
    let without_file = before.take_while(|before| !debits.rhythm().has_results(*before));
    for day in std::iter::once(day).chain(without_file) {
        let Some(lines) = online.credit_statement(day).await? else { return Ok(None) };
        papers.push((Paper::Credits, day, lines));
    }
    Ok(Some(papers))
}

/// Compares the papers of `day` with the ledger, and has it stand in the books that this was done; no where one is none of ours.
async fn compared(gateway: &Gateway, bank: BankCode, day: Day, papers: &Papers) -> Result<bool, NotDone> {
    let mut compared = Compared { day, records: 0, settled: Yen::ZERO, strangers: 0, missing: 0, absent: 0 };
    for (paper, day, lines) in papers {
        let Some(of_paper) = reconcile(gateway, bank, *day, *paper, lines).await? else { return Ok(false) };
        compared.add(&of_paper);
    }
    if compared.strangers > 0 || compared.missing > 0 {
        tracing::error!(%bank, ?compared, "a bank's day and the ledger differ");
    }
    submit(gateway, comparison::Command::Compare { bank, compared }).await?;
    Ok(true)
}

/// From the first day on that the gateway has the bank, or the day of its oldest debit without an answer, files are compared.
pub(super) async fn begin(gateway: &Gateway, bank: BankCode, today: Day) -> Result<(), NotDone> {
    if gateway.comparison(bank).await?.is_some() {
        return Ok(());
    }
    let mut day = today;
    for movement in gateway.work().open(bank) {
        day = gateway.movement(movement).await?.map_or(day, |row| day.min(row.order.accepted.day()));
    }
    submit(gateway, comparison::Command::Begin { bank, day }).await
}

async fn submit(gateway: &Gateway, command: comparison::Command) -> Result<(), NotDone> {
    gateway.submit(Asked::Comparison(command), gateway.system(), None).await.map(drop)
}

/// From when on it is not to be waited for any longer that the file of `day` is there.
pub(super) fn overdue(gateway: &Gateway, day: Day) -> Time {
    file_due(gateway, day).plus_milliseconds(PATIENCE_MS)
}

/// When the file of `day` is to be there.
fn file_due(gateway: &Gateway, day: Day) -> Time {
    day.plus(1).start().plus_milliseconds(minutes(gateway.options().day_file_minute))
}

const fn minutes(minutes: u16) -> i64 {
    minutes as i64 * 60_000
}

/// The order of a debit that is to be in the file of `day`, which is made at `cut_off`.
async fn order(gateway: &Gateway, movement: MovementId, day: Day, cut_off: Time) -> Result<Option<BankOrder>, NotDone> {
    let is_due = |row: &Movement| row.order.kind == Kind::Debit && row.order.accepted < cut_off;
    let Some(row) = gateway.movement(movement).await?.filter(is_due) else { return Ok(None) };
    let was_in_it = row.sent.is_some_and(|sent| sent.day() == day) && row.status.is_open();
    if row.asked > 0 && !(was_in_it && is_permitted(gateway, &row).await?) {
        return Ok(None);
    }
    let Some(order) = super::order(gateway, movement, &row).await? else { return Ok(None) };
    if was_in_it {
        return Ok(Some(order));
    }
    let take = Asked::Movement(Command::Take { movement, by_file: true });
    let receipt = gateway.submit(take, gateway.system(), None).await?;
    let is_sent = matches!(receipt, Receipt::Movement { next: Some(Next::Send), .. });
    Ok(is_sent.then_some(order))
}

/// Whether a debit that the bank may not have yet may still be sent to it.
async fn is_permitted(gateway: &Gateway, row: &Movement) -> Result<bool, EngineError> {
    let Some(mandate) = row.order.mandate else { return Ok(false) };
    let is_active = gateway.mandate(mandate).await?.is_some_and(|mandate| mandate.status == mandate::Status::Active);
    Ok(is_active && gateway.bank_row(row.order.bank).await?.stop(Function::Debit).is_none())
}
