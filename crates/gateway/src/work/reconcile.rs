//! Reconciliation: one day's papers of a bank against the ledger, the file of debits and the statement of credits.
//!
//! A paper is final: what it has happened, what it lacks did not. The file of debits ends what no question could; and where a paper says
//! something else than the ledger, that is recorded and told: a credit that the bank says it made and did not is told to its operator
//! as contradicted, once no paper of the days on which the bank can have booked it has it. Read twice, it says nothing new. What it
//! has and nobody asked for, or asked for once and it did twice, is a finding, so many a paper: one that is another's altogether
//! ends nothing, and what it has twice of ours is found all the same.
//! Start reading at [`reconcile`].

use crate::connector::zengin::ResultLine;
use crate::domain::comparison::{Compared, Comparison, Paper};
use crate::domain::finding::About;
use crate::domain::movement::{Command, Event, Kind, Movement, Outcome, Source, Status};
use crate::domain::{self as rules, BankCode, Command as Asked, MovementId, Refusal, finding, open};
use crate::gateway::{Gateway, NotDone};
use domain::{Day, Time};
use engine::EngineError;
use ledger::Yen;
use std::collections::BTreeMap;

/// What was accepted or answered so shortly before midnight may be in the next day's paper, in milliseconds.
const LATE_MS: i64 = 10 * 60_000;
/// Records of the ledger that one comparison reads at a time, once the newest one has said that the day may be among them.
const HISTORY_PAGE: usize = 64;

/// Records of one paper that nobody here asked for, at most: each is a finding for people. One with more is not ours.
const STRANGERS_MAX: usize = 512;

/// A record that is none of ours: what it names, how much it is about, and how much of that was moved.
type Stranger = (Option<MovementId>, Yen, Yen);

/// What the records of a file are about.
#[derive(Default)]
struct Sorted<'a> {
    /// Our movements, each record with the one that it is about.
    ours: Vec<(MovementId, &'a ResultLine)>,
    /// The records that are none of ours, up to one more than a paper of ours can have.
    strangers: Vec<Stranger>,
    /// The records that say of a movement of ours that the bank made it a second time.
    doubles: Vec<Stranger>,
    /// Our movements in the paper, and whether the bank says that it moved them.
    listed: BTreeMap<MovementId, bool>,
}

/// Tells the rules what the paper says, and what it lacks; none where it is no paper of ours, and then nothing is ended by it.
pub(super) async fn reconcile(
    gateway: &Gateway,
    bank: BankCode,
    day: Day,
    paper: Paper,
    lines: &[ResultLine],
) -> Result<Option<Compared>, NotDone> {
    let Some(so_far) = gateway.comparison(bank, paper).await? else { return Ok(None) };
    let Sorted { ours, strangers, doubles, listed } = sorted(gateway, (bank, day), paper, lines).await?;
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let (records, unasked) = (count(lines.len()), count(strangers.len() + doubles.len()));
    let mut result = Compared { day, records, settled: settled(lines), strangers: unasked, missing: 0, absent: 0 };
    // Doubles first: money of an account that we know is gone twice, whoever's the rest is.
    let doubles_found = all_found(gateway, (bank, day), paper, doubles).await?;
    let is_ours = strangers.len() <= STRANGERS_MAX;
    if !(doubles_found && is_ours && all_found(gateway, (bank, day), paper, strangers).await?) {
        return Ok(None);
    }
    for (movement, line) in ours {
        match line.outcome {
            Outcome::Settled { amount } => {
                let command = Command::File { movement, bank, day, amount };
                gateway.submit(Asked::Movement(command), gateway.system(), None).await.map(drop)?;
            }
            Outcome::Declined { .. } | Outcome::NotFound { .. } | Outcome::Reversed { .. } | Outcome::Unknown => {
                answer(gateway, bank, movement, line.outcome).await?;
            }
        }
    }
    let end = day.plus(1).start().plus_milliseconds(-LATE_MS);
    for movement in gateway.work().open(bank) {
        let Some(row) = gateway.movement(movement).await? else { continue };
        // Of a credit without an answer the bank itself says what became of it.
        if is_of_the_day(&row, day, end)
            && paper == Paper::Debits
            && !listed.contains_key(&movement)
            && row.status.is_open()
        {
            answer(gateway, bank, movement, Outcome::NotFound { last: false }).await?;
            result.absent += 1;
        }
    }
    for movement in unbooked(gateway, (bank, day), paper, &so_far).await? {
        if !listed.contains_key(&movement) {
            answer(gateway, bank, movement, Outcome::NotFound { last: false }).await?;
            result.missing += 1;
        }
    }
    Ok(Some(result))
}

/// What the paper says was moved.
fn settled(lines: &[ResultLine]) -> Yen {
    let amounts = lines.iter().filter_map(|line| match line.outcome {
        Outcome::Settled { amount } => Some(amount),
        Outcome::Declined { .. } | Outcome::NotFound { .. } | Outcome::Reversed { .. } | Outcome::Unknown => None,
    });
    amounts.fold(Yen::ZERO, |sum, amount| sum.checked_add(amount).unwrap_or(Yen::MAX))
}

/// What each record is about. Nothing is told to the rules yet.
async fn sorted<'a>(
    gateway: &Gateway,
    (bank, day): (BankCode, Day),
    paper: Paper,
    lines: &'a [ResultLine],
) -> Result<Sorted<'a>, EngineError> {
    let mut sorted = Sorted::default();
    for line in lines {
        let has_moved = moved(line.outcome) > Yen::ZERO;
        // A second record that moved money moved it a second time: nobody asked for that. On which day makes no difference.
        let is_first = |(movement, row): &(MovementId, Movement)| {
            !has_moved || (row.filed.is_none_or(|filed| filed == day) && sorted.listed.get(movement) != Some(&true))
        };
        let record = (line.movement, line.amount, moved(line.outcome));
        match known(gateway, bank, paper, line).await? {
            Some(ours) if is_first(&ours) => {
                let (movement, _) = ours;
                *sorted.listed.entry(movement).or_default() |= has_moved;
                sorted.ours.push((movement, line));
            }
            Some(_) => sorted.doubles.push(record),
            None if sorted.strangers.len() <= STRANGERS_MAX => sorted.strangers.push(record),
            None => {}
        }
    }
    Ok(sorted)
}

/// Records that are no movements of ours: the desk is to see each until somebody says what became of it. No where there is no
/// room for one more, because nobody has looked at those of many days: the file waits for that, and holds up no other.
async fn all_found(
    gateway: &Gateway,
    at: (BankCode, Day),
    paper: Paper,
    strangers: Vec<Stranger>,
) -> Result<bool, NotDone> {
    let mut alike = BTreeMap::new();
    for record in strangers {
        let nth = alike.entry(record).or_insert(0);
        *nth += 1;
        match find(gateway, at, paper, record, *nth).await {
            Ok(()) => {}
            Err(NotDone::Refused(Refusal::Full { .. })) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

async fn find(
    gateway: &Gateway,
    (bank, day): (BankCode, Day),
    paper: Paper,
    (movement, amount, moved): Stranger,
    nth: usize,
) -> Result<(), NotDone> {
    let named = movement.map(|movement| movement.to_string()).unwrap_or_default();
    let (about, of) = match paper {
        Paper::Debits => (About::Debit, ""),
        Paper::Credits => (About::Credit, "credit "),
    };
    let record = format!("{of}{named} {} {}", amount.amount(), moved.amount());
    let finding = gateway.finding_id(bank, day, &record, nth);
    let command = finding::Command::Find { finding, bank, day, amount, moved, about };
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

/// The movement of ours that a record is about; none if there is no such one at that bank. A bank that moved another amount
/// has moved money all the same.
async fn known(
    gateway: &Gateway,
    bank: BankCode,
    paper: Paper,
    line: &ResultLine,
) -> Result<Option<(MovementId, Movement)>, EngineError> {
    let Some(movement) = line.movement else { return Ok(None) };
    let row = gateway.movement(movement).await?;
    let moved = matches!(line.outcome, Outcome::Settled { .. });
    let is_its = |row: &Movement| {
        let is_same = row.settled().unwrap_or(row.order.amount) == line.amount;
        row.order.bank == bank && paper.has(row.order.kind) && (moved || is_same)
    };
    Ok(row.filter(is_its).map(|row| (movement, row)))
}

async fn answer(gateway: &Gateway, bank: BankCode, movement: MovementId, outcome: Outcome) -> Result<(), NotDone> {
    let command = Command::Answer { movement, bank, outcome, source: Source::DayFile };
    gateway.submit(Asked::Movement(command), gateway.system(), None).await.map(drop)
}

/// What the ledger has as settled and no paper says that the bank booked, once the last paper that can say so is this one of `day`: it
/// was booked between the day on which it was first sent and the one on which the bank answered. One of those days without its paper
/// says nothing.
async fn unbooked(
    gateway: &Gateway,
    (bank, day): (BankCode, Day),
    paper: Paper,
    so_far: &Comparison,
) -> Result<Vec<MovementId>, NotDone> {
    let (first, last) = (day.min(so_far.until.plus(1)), day.max(so_far.until));
    let is_unbooked = |row: &Movement| {
        let (sent, answered) = booking_days(row);
        let is_due = sent <= day && (first..=last).contains(&answered);
        let lacks_one = so_far.lacks_one_beside(day, sent, answered);
        let is_settled = paper.has(row.order.kind) && row.status == Status::Settled && row.filed.is_none();
        is_settled && is_due && !lacks_one
    };
    let mut unbooked = Vec::new();
    for page in 0..open::PAGES {
        let key = open::key(bank, page);
        let Some(stored) = gateway.engine().read(key).await? else { continue };
        let since = first.start().plus_milliseconds(-LATE_MS);
        for movement in settled_since(gateway, key, stored.place, since).map_err(EngineError::Unavailable)? {
            let row = gateway.movement(movement).await?;
            unbooked.extend(row.filter(is_unbooked).map(|_| movement));
        }
    }
    Ok(unbooked)
}

/// The first and the last day whose paper may have what is settled. What the bank was asked for or about more than once it may have
/// moved when it was sent first, which is not kept: that was when it was accepted, at the earliest.
fn booking_days(row: &Movement) -> (Day, Day) {
    let answered = row.answer.map_or(row.since, |answer| answer.at);
    let sent = row.sent.filter(|_| row.asked == 1).unwrap_or(row.order.accepted);
    (sent.day(), answered.plus_milliseconds(LATE_MS).day())
}

/// What was settled since then, by the ledger: the chains of the bank's pages tell.
fn settled_since(
    gateway: &Gateway,
    key: domain::Key,
    start: engine::Place,
    since: Time,
) -> Result<Vec<MovementId>, String> {
    let (mut settled, mut place, mut limit) = (Vec::new(), Some(start), 1);
    while let Some(from) = place {
        let page = engine::history::<rules::Gateway>(&*gateway.journal(), key, from, limit);
        let (records, next) = page.map_err(|error| error.to_string())?;
        limit = HISTORY_PAGE;
        place = next.filter(|_| records.last().is_some_and(|record| record.at >= since));
        for event in records.iter().filter(|record| record.at >= since).flat_map(|record| &record.entry.events) {
            if let rules::Event::Movement(
                Event::Ended { movement, status: Status::Settled, .. } | Event::SettledAfterAll { movement, .. },
            ) = event
            {
                settled.push(*movement);
            }
        }
    }
    Ok(settled)
}
