//! Files: the day's debits go to a bank that takes them by file, and every bank's day file is compared with the ledger.
//!
//! The day file is final: what it has happened, what it lacks did not. It ends what no question could, and where it says
//! something else than the ledger, that is recorded and told. A file that cannot be had or read ends nothing.
//! Start reading at [`Desk::run_due`].

use crate::connector::zengin::{self, Line, ResultLine};
use crate::domain::bank::Function;
use crate::domain::holidays::is_business_day;
use crate::domain::mandate;
use crate::domain::movement::{Command, Event, Kind, Movement, Next, Outcome, Source, Status};
use crate::domain::open;
use crate::domain::{self as rules, BankCode, Command as Asked, MovementId, Receipt, finding};
use crate::gateway::{Gateway, NotDone};
use crate::options::FileOptions;
use bytes::Bytes;
use domain::{Day, Time};
use engine::EngineError;
use engine::sqlite::SqliteJournal;
use ledger::Yen;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use web::Due;

/// How long to wait for a file that was not there, in milliseconds.
const AGAIN_MS: i64 = 15 * 60_000;
/// What was accepted so shortly before midnight may be in the next day's file, in milliseconds.
const LATE_MS: i64 = 10 * 60_000;
/// How many days back files are asked for, at most.
const DAYS_BACK_MAX: i32 = 31;
/// Records of the ledger that one comparison reads at a time.
const HISTORY_PAGE: usize = 500;

/// How a bank's day file compared with the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reconciliation {
    /// Of which day.
    pub day: Day,
    /// Records in the file.
    pub records: usize,
    /// Yen that it says were debited.
    pub settled: Yen,
    /// Records that are no movement of ours, or not of that amount: each is a finding, which the desk resolves.
    pub strangers: usize,
    /// Debits that the ledger has as settled that day, and the file lacks.
    pub missing: usize,
    /// Debits without an answer that the file ended by lacking them.
    pub absent: usize,
}

/// One bank's files.
#[derive(Default)]
pub(super) struct Desk(Mutex<Files>);

#[derive(Default)]
struct Files {
    /// The day whose request file was made last.
    requested: Option<Day>,
    /// A request file that the bank has not taken yet.
    waiting: Option<(Day, Bytes)>,
    /// The day whose file was compared last.
    compared: Option<Day>,
    /// When the bank is asked for a file again.
    again: Option<Time>,
    last: Option<Reconciliation>,
}

impl Desk {
    pub fn last(&self) -> Option<Reconciliation> {
        self.files().last
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the day's request file, hands it in, and compares the file of the day before, as far as it is time for that.
    pub async fn run_due(&self, gateway: &Gateway, bank: BankCode, now: Time) -> Due {
        let Some(options) = gateway.bank(bank) else { return Due::default() };
        if self.files().again.is_some_and(|again| now < again) {
            return Due { done: 0, next: self.files().again };
        }
        let mut done = 0;
        let today = now.day();
        let day_file = minutes(gateway.options().day_file_minute);
        let mut next = today.plus(1).start().plus_milliseconds(day_file);
        let file_time = today.start().plus_milliseconds(day_file);
        if now < file_time {
            next = file_time;
        } else if let Some(day) = self.day_to_compare(gateway, bank, today).await {
            done += self.compare(gateway, bank, day, now).await;
        }
        if let Some(files) = &options.files {
            let cut_off = today.start().plus_milliseconds(minutes(files.cut_off_minute));
            if now < cut_off {
                next = next.min(cut_off);
            } else if self.files().requested != Some(today) && is_business_day(today) {
                done += self.request(gateway, bank, files, today, cut_off).await;
            }
            done += self.hand_in(gateway, bank, now).await;
        }
        let next = self.files().again.map_or(next, |again| next.min(again));
        Due { done, next: Some(next) }
    }

    /// The first day whose file was not compared yet; after a start, the day of the oldest debit without an answer.
    async fn day_to_compare(&self, gateway: &Gateway, bank: BankCode, today: Day) -> Option<Day> {
        let yesterday = today.plus(-1);
        let is_its = |day: &Day| has_file(gateway, bank, *day);
        if let Some(compared) = self.files().compared {
            let after = (1..=DAYS_BACK_MAX).map(|days| compared.plus(days));
            return after.take_while(|day| *day <= yesterday).find(is_its);
        }
        let mut first = yesterday;
        for movement in gateway.work().open(bank) {
            if let Ok(Some(row)) = gateway.movement(movement).await {
                first = first.min(row.order.accepted.day());
            }
        }
        let first = first.max(today.plus(-DAYS_BACK_MAX));
        (0..=DAYS_BACK_MAX).map(|days| first.plus(days)).take_while(|day| *day <= yesterday).find(is_its)
    }

    /// The debits that are not with the bank yet become the day's file. Each is taken first, so that it is durable that the
    /// bank may know it; whose mandate is over by now is not asked for. After a restart nobody knows whether the bank has the
    /// file already: it is made again, and what it has of it the bank knows by our references.
    async fn request(&self, gateway: &Gateway, bank: BankCode, files: &FileOptions, day: Day, cut_off: Time) -> usize {
        let mut lines = Vec::new();
        for movement in gateway.work().open(bank) {
            match line(gateway, movement, day, cut_off).await {
                Ok(line) => lines.extend(line),
                Err(error) => {
                    tracing::warn!(?error, %bank, "a debit waits for the next file");
                }
            }
        }
        let file = zengin::request_file(files, bank, day, &lines);
        let mut desk = self.files();
        desk.requested = Some(day);
        desk.waiting = file.map(|file| (day, Bytes::from(file)));
        lines.len()
    }

    /// Hands in what waits. The same file twice is one to the bank: its records carry our references.
    async fn hand_in(&self, gateway: &Gateway, bank: BankCode, now: Time) -> usize {
        let Some((_, file)) = self.files().waiting.clone() else { return 0 };
        let Some(connector) = gateway.connector(bank) else { return 0 };
        let result = connector.collect(file).await;
        let mut desk = self.files();
        match result {
            Ok(()) => {
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

    async fn compare(&self, gateway: &Gateway, bank: BankCode, day: Day, now: Time) -> usize {
        let Some(connector) = gateway.connector(bank) else { return 0 };
        let file = connector.day_file(day).await;
        let lines = match file {
            Ok(Some(bytes)) if bytes.is_empty() => Some(Vec::new()),
            Ok(Some(bytes)) => zengin::result_lines(&bytes, bank, day),
            Ok(None) | Err(_) => None,
        };
        let compared = match lines {
            Some(lines) => reconcile(gateway, bank, day, &lines).await.ok(),
            None => None,
        };
        let mut desk = self.files();
        let Some(reconciliation) = compared else {
            tracing::info!(%bank, %day, "the day file is not there, or cannot be read");
            let following = (1..=DAYS_BACK_MAX).map(|days| day.plus(days)).find(|day| has_file(gateway, bank, *day));
            if following.is_none_or(|following| following < now.day()) {
                // An older file that is gone holds up no younger one; questions go on where it would have answered.
                desk.compared = Some(day);
                return 1;
            }
            desk.again = Some(now.plus_milliseconds(AGAIN_MS));
            return 0;
        };
        if reconciliation.strangers > 0 || reconciliation.missing > 0 {
            tracing::error!(%bank, ?reconciliation, "a bank's day and the ledger differ");
        }
        // What the bank did not take on its day is not handed in on another one.
        if desk.waiting.as_ref().is_some_and(|(waiting, _)| *waiting <= day) {
            desk.waiting = None;
        }
        desk.again = None;
        desk.compared = Some(day);
        desk.last = Some(reconciliation);
        1
    }
}

/// Whether the bank has a file of `day`: what goes by files has one for each business day, all others one for each day.
fn has_file(gateway: &Gateway, bank: BankCode, day: Day) -> bool {
    gateway.bank(bank).is_none_or(|bank| bank.files.is_none()) || is_business_day(day)
}

const fn minutes(minutes: u16) -> i64 {
    minutes as i64 * 60_000
}

/// The line of a debit that is to be in the file of `day`, which is made at `cut_off`.
async fn line(gateway: &Gateway, movement: MovementId, day: Day, cut_off: Time) -> Result<Option<Line>, NotDone> {
    let is_due = |row: &Movement| row.order.kind == Kind::Debit && row.order.accepted < cut_off;
    let Some(row) = gateway.movement(movement).await?.filter(is_due) else { return Ok(None) };
    let was_in_it = row.sent.is_some_and(|sent| sent.day() == day) && row.status.is_open();
    if row.asked > 0 && !(was_in_it && is_permitted(gateway, &row).await?) {
        return Ok(None);
    }
    let Some(account) = gateway.account(row.order.account).await? else { return Ok(None) };
    let Ok((number, name)) = gateway.unseal(row.order.account, &account.details) else { return Ok(None) };
    let line = Line { movement, account: number, name, amount: row.order.amount };
    if was_in_it {
        return Ok(Some(line));
    }
    let take = Asked::Movement(Command::Take { movement, by_file: true });
    let receipt = gateway.submit(take, gateway.system(), None).await?;
    let is_sent = matches!(receipt, Receipt::Movement { next: Some(Next::Send), .. });
    Ok(is_sent.then_some(line))
}

/// Whether a debit that the bank may not have yet may still be sent to it.
async fn is_permitted(gateway: &Gateway, row: &Movement) -> Result<bool, EngineError> {
    let Some(mandate) = row.order.mandate else { return Ok(false) };
    let is_active = gateway.mandate(mandate).await?.is_some_and(|mandate| mandate.status == mandate::Status::Active);
    Ok(is_active && gateway.bank_row(row.order.bank).await?.stop(Function::Debit).is_none())
}

/// Tells the rules what the file says, and what it lacks.
async fn reconcile(
    gateway: &Gateway,
    bank: BankCode,
    day: Day,
    lines: &[ResultLine],
) -> Result<Reconciliation, NotDone> {
    let mut result =
        Reconciliation { day, records: lines.len(), settled: Yen::ZERO, strangers: 0, missing: 0, absent: 0 };
    let (mut listed, mut strangers) = (BTreeSet::new(), BTreeMap::new());
    for line in lines {
        if let Outcome::Settled { amount } = line.outcome {
            result.settled = result.settled.checked_add(amount).unwrap_or(Yen::MAX);
        }
        let Some(row) = known(gateway, bank, line).await? else {
            result.strangers += 1;
            let record = (line.movement, line.amount, moved(line.outcome));
            let nth = strangers.entry(record).or_insert(0);
            *nth += 1;
            find(gateway, (bank, day), record, *nth).await?;
            continue;
        };
        listed.insert(row);
        answer(gateway, bank, row, line.outcome).await?;
    }
    let end = day.plus(1).start().plus_milliseconds(-LATE_MS);
    for movement in gateway.work().open(bank) {
        let Some(row) = gateway.movement(movement).await? else { continue };
        if is_of_the_day(&row, day, end) && !listed.contains(&movement) && row.status.is_open() {
            answer(gateway, bank, movement, Outcome::NotFound { last: false }).await?;
            result.absent += 1;
        }
    }
    for movement in settled_on(gateway, bank, day).await? {
        if !listed.contains(&movement) {
            answer(gateway, bank, movement, Outcome::NotFound { last: false }).await?;
            result.missing += 1;
        }
    }
    Ok(result)
}

/// A record is no movement of ours: the desk is to see it until somebody says what became of it.
async fn find(
    gateway: &Gateway,
    (bank, day): (BankCode, Day),
    (movement, amount, moved): (Option<MovementId>, Yen, Yen),
    nth: usize,
) -> Result<(), NotDone> {
    let named = movement.map(|movement| movement.to_string()).unwrap_or_default();
    let finding = gateway.finding_id(bank, day, &format!("{named} {} {}", amount.amount(), moved.amount()), nth);
    let command = finding::Command::Find { finding, bank, day, amount, moved };
    gateway.submit(Asked::Finding(command), gateway.system(), None).await.map(drop)
}

/// How much a record says that the bank moved.
const fn moved(outcome: Outcome) -> Yen {
    match outcome {
        Outcome::Settled { amount } | Outcome::Reversed { amount } => amount,
        Outcome::Declined { .. } | Outcome::NotFound { .. } | Outcome::Unknown => Yen::ZERO,
    }
}

/// Whether the file of `day` must have the debit: it was sent on that day, before its last minutes, and on no other; or it never
/// was, because its mandate had ended before. What was sent on several days stays in doubt until the bank itself says what
/// became of it.
fn is_of_the_day(row: &Movement, day: Day, end: Time) -> bool {
    let is_of_the_day = match row.sent {
        None => row.asked > 0 && row.order.accepted < end,
        Some(sent) => sent.day() == day && sent < end && (row.asked == 1 || row.order.accepted.day() == day),
    };
    row.order.kind == Kind::Debit && is_of_the_day
}

/// The debit of ours that a record is about; none if there is no such debit at that bank. A bank that moved another amount
/// has moved money all the same.
async fn known(gateway: &Gateway, bank: BankCode, line: &ResultLine) -> Result<Option<MovementId>, EngineError> {
    let Some(movement) = line.movement else { return Ok(None) };
    let row = gateway.movement(movement).await?;
    let moved = matches!(line.outcome, Outcome::Settled { .. });
    let is_its = |row: &Movement| {
        let is_same = row.settled().unwrap_or(row.order.amount) == line.amount;
        row.order.bank == bank && row.order.kind == Kind::Debit && (moved || is_same)
    };
    Ok(row.filter(is_its).map(|_| movement))
}

async fn answer(gateway: &Gateway, bank: BankCode, movement: MovementId, outcome: Outcome) -> Result<(), NotDone> {
    let command = Command::Answer { movement, bank, outcome, source: Source::DayFile };
    gateway.submit(Asked::Movement(command), gateway.system(), None).await.map(drop)
}

/// The debits that were accepted and settled on `day`, by the ledger: the chains of the bank's pages tell.
async fn settled_on(gateway: &Gateway, bank: BankCode, day: Day) -> Result<Vec<MovementId>, NotDone> {
    let mut settled = Vec::new();
    for page in 0..open::PAGES {
        let key = open::key(bank, page);
        let Some(stored) = gateway.engine().read(key).await? else { continue };
        for movement in ended_on(gateway, key, stored.place, day).map_err(EngineError::Unavailable)? {
            let row = gateway.movement(movement).await?;
            let is_debit = |row: &Movement| row.order.kind == Kind::Debit && row.status == Status::Settled;
            settled.extend(row.filter(is_debit).map(|_| movement));
        }
    }
    Ok(settled)
}

fn ended_on(gateway: &Gateway, key: domain::Key, start: engine::Place, day: Day) -> Result<Vec<MovementId>, String> {
    let journal = SqliteJournal::open(&gateway.options().directory).map_err(|error| error.to_string())?;
    let (mut ended, mut place) = (Vec::new(), Some(start));
    while let Some(from) = place {
        let page = engine::history::<rules::Gateway>(&journal, key, from, HISTORY_PAGE);
        let (records, next) = page.map_err(|error| error.to_string())?;
        place = next.filter(|_| records.last().is_some_and(|record| record.at >= day.start()));
        for event in records.iter().filter(|record| record.at.day() == day).flat_map(|record| &record.entry.events) {
            if let rules::Event::Movement(Event::Ended { movement, status: Status::Settled, accepted, .. }) = event
                && accepted.day() == day
            {
                ended.push(*movement);
            }
        }
    }
    Ok(ended)
}
