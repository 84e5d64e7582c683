//! Reconciliation: one day's papers of a bank against the ledger, the file of debits and the statement of credits.
//!
//! A paper is final: what it has happened, what it lacks did not. The file of debits ends what no question could; and where a paper says
//! something else than the ledger, that is recorded and told: a credit that the bank says it made and did not is told to its operator
//! as contradicted. Read twice, it says nothing new. What it has and nobody asked for, or asked for once and it did twice, is
//! a finding, so many a paper: one that is another's altogether ends nothing.
//! Start reading at [`reconcile`].

use crate::connector::Paper;
use crate::connector::zengin::ResultLine;
use crate::domain::comparison::Compared;
use crate::domain::finding::About;
use crate::domain::movement::{Command, Event, Kind, Movement, Outcome, Source, Status};
use crate::domain::{self as rules, BankCode, Command as Asked, MovementId, Refusal, finding, open};
use crate::gateway::{Gateway, NotDone};
use domain::{Day, Time};
use engine::EngineError;
use ledger::Yen;
use std::collections::BTreeMap;

/// What was accepted so shortly before midnight may be in the next day's file, in milliseconds.
const LATE_MS: i64 = 10 * 60_000;
/// Records of the ledger that one comparison reads at a time, once the newest one has said that the day may be among them.
const HISTORY_PAGE: usize = 64;

/// Records of one file that nobody here asked for, at most: each is a finding for people. A file with more is not ours.
const STRANGERS_MAX: usize = 512;

/// A record that is none of ours: what it names, how much it is about, and how much of that was moved.
type Stranger = (Option<MovementId>, Yen, Yen);

/// What the records of a file are about.
#[derive(Default)]
struct Sorted<'a> {
    /// Our movements, each record with the one that it is about.
    ours: Vec<(MovementId, &'a ResultLine)>,
    /// The records that are none of ours.
    strangers: Vec<Stranger>,
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
    let sorted = sorted(gateway, (bank, day), paper, lines).await?;
    let Some(Sorted { ours, strangers, listed }) = sorted else { return Ok(None) };
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let settled = match paper {
        Paper::Debits => settled(lines),
        Paper::Credits => Yen::ZERO,
    };
    let records = count(lines.len());
    let mut result = Compared { day, records, settled, strangers: count(strangers.len()), missing: 0, absent: 0 };
    if !all_found(gateway, (bank, day), paper, strangers).await? {
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
    for movement in settled_on(gateway, bank, day, paper).await? {
        if !listed.contains_key(&movement) {
            answer(gateway, bank, movement, Outcome::NotFound { last: false }).await?;
            result.missing += 1;
        }
    }
    Ok(Some(result))
}

/// What the file says was debited.
fn settled(lines: &[ResultLine]) -> Yen {
    let amounts = lines.iter().filter_map(|line| match line.outcome {
        Outcome::Settled { amount } => Some(amount),
        Outcome::Declined { .. } | Outcome::NotFound { .. } | Outcome::Reversed { .. } | Outcome::Unknown => None,
    });
    amounts.fold(Yen::ZERO, |sum, amount| sum.checked_add(amount).unwrap_or(Yen::MAX))
}

/// What each record is about; none where more are strangers than a file of ours can have. Nothing is told to the rules yet.
async fn sorted<'a>(
    gateway: &Gateway,
    (bank, day): (BankCode, Day),
    paper: Paper,
    lines: &'a [ResultLine],
) -> Result<Option<Sorted<'a>>, EngineError> {
    let mut sorted = Sorted::default();
    for line in lines {
        let has_moved = moved(line.outcome) > Yen::ZERO;
        // A second record that moved money moved it a second time: nobody asked for that. On which day makes no difference.
        let is_first = |(movement, row): &(MovementId, Movement)| {
            !has_moved || (row.filed.is_none_or(|filed| filed == day) && sorted.listed.get(movement) != Some(&true))
        };
        let Some((movement, _)) = known(gateway, bank, paper, line).await?.filter(is_first) else {
            sorted.strangers.push((line.movement, line.amount, moved(line.outcome)));
            if sorted.strangers.len() > STRANGERS_MAX {
                return Ok(None);
            }
            continue;
        };
        *sorted.listed.entry(movement).or_default() |= has_moved;
        sorted.ours.push((movement, line));
    }
    Ok(Some(sorted))
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

/// What of `paper` was accepted and settled on `day`, by the ledger: the chains of the bank's pages tell.
async fn settled_on(gateway: &Gateway, bank: BankCode, day: Day, paper: Paper) -> Result<Vec<MovementId>, NotDone> {
    let mut settled = Vec::new();
    for page in 0..open::PAGES {
        let key = open::key(bank, page);
        let Some(stored) = gateway.engine().read(key).await? else { continue };
        for movement in ended_on(gateway, key, stored.place, day).map_err(EngineError::Unavailable)? {
            let row = gateway.movement(movement).await?;
            let is_its = |row: &Movement| paper.has(row.order.kind) && row.status == Status::Settled;
            settled.extend(row.filter(is_its).map(|_| movement));
        }
    }
    Ok(settled)
}

fn ended_on(gateway: &Gateway, key: domain::Key, start: engine::Place, day: Day) -> Result<Vec<MovementId>, String> {
    let (mut ended, mut place, mut limit) = (Vec::new(), Some(start), 1);
    while let Some(from) = place {
        let page = engine::history::<rules::Gateway>(&*gateway.journal(), key, from, limit);
        let (records, next) = page.map_err(|error| error.to_string())?;
        limit = HISTORY_PAGE;
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
