//! Files: the debits of a business day as the bank books them (預金口座振替, kind 91), and the collector's request files.
//!
//! A day's file is there when the day is over, and says the same for ever: what the bank decided later stands in a later
//! day's file. A request file is a list of debits by the customer number; handed in twice it is the same debits.
//! Start reading at [`day_file`].

use super::BankDesk;
use crate::domain::account::{AccountKind, AccountNumber};
use crate::domain::bank::BankCode;
use crate::domain::movement::{self, Direction, Movement, REFERENCE_BYTES_MAX, Reference};
use crate::domain::{Command, Event, Refusal, Row};
use crate::kana::half_width;
use crate::registry::WORDING;
use crate::state::State;
use crate::world::Undone;
use ::domain::Day;
use axum::extract::{Path, State as Shared};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{StatusCode, header};
use ledger::Yen;
use serde::Serialize;
use web::{Json, Problem};
use zengin_fmt::account_transfer as asked;
use zengin_fmt::account_transfer_result::{Detail, End, File, Header, Trailer};
use zengin_fmt::{CodeDivision, OutputFormat};

/// The largest request file, in bytes: 200,000 records.
pub(super) const FILE_BYTES_MAX: usize = 24 << 20;
/// Movements in one day's file.
const MOVEMENTS_MAX: usize = 200_000;
/// What a file of kind 91 is.
const KIND: u8 = 91;
/// Bytes of a record.
const RECORD_BYTES: usize = 120;
/// Bytes of a holder's name in a record.
const NAME_BYTES: usize = 30;
/// Bytes of a bank's or branch's name in a record.
const PLACE_BYTES: usize = 15;
/// Half a year: the date of a file has no year, and is the nearest.
const HALF_YEAR_DAYS: i32 = 183;

pub(super) async fn day_file(
    Shared(BankDesk { state, bank }): Shared<BankDesk>,
    Path(date): Path<String>,
) -> Result<Response, Problem> {
    let day = super::day(&date).ok_or_else(|| Problem::malformed("A day is written as 2020-09-01."))?;
    if day >= state.outside.now().day() {
        return Err(Problem::not_found().detail("The file of a day is there when the day is over."));
    }
    let mut details = Vec::new();
    for movement in &movements_of(&state, bank, day, Direction::Debit).await? {
        details.push(detail(&state, movement).await?);
    }
    let bytes = written(header(&state, bank, day), details).map_err(|error| {
        tracing::error!(%error, %bank, "sandbox: a day file cannot be written");
        Problem::internal()
    })?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}

/// The file's bytes. A day without debits has header, trailer and end: that nothing was debited is an answer too.
fn written(header: Header, details: Vec<Detail>) -> Result<Vec<u8>, zengin_fmt::Error> {
    if !details.is_empty() {
        let file = File { header, trailer: trailer(&details), details, end: End };
        return zengin_fmt::to_bytes(&file, OutputFormat::canonical());
    }
    // The writer knows no file without records, so one is written and left out.
    let (details, trailer) = (vec![placeholder(&header)], trailer(&[placeholder(&header)]));
    let mut bytes = zengin_fmt::to_bytes(&File { header, details, trailer, end: End }, OutputFormat::canonical())?;
    bytes.truncate(RECORD_BYTES);
    bytes.extend(format!("{:<RECORD_BYTES$}", format!("8{:054}", 0)).bytes());
    bytes.extend(format!("{:<RECORD_BYTES$}", "9").bytes());
    Ok(bytes)
}

fn placeholder(header: &Header) -> Detail {
    Detail {
        bank_code: header.bank_code.clone(),
        bank_name: header.bank_name.clone(),
        branch_code: header.branch_code.clone(),
        branch_name: String::new(),
        account_type: 1,
        account_number: "0000001".into(),
        account_holder_name: "-".into(),
        amount: 1,
        new_code: 0,
        customer_number: "0".into(),
        result_code: 0,
    }
}

/// What `bank` decided on `day` in one direction, in its order.
pub(super) async fn movements_of(
    state: &State,
    bank: BankCode,
    day: Day,
    direction: Direction,
) -> Result<Vec<Movement>, Undone> {
    let records = state.world.chain(movement::day_key(bank, day), MOVEMENTS_MAX).await?;
    let events = records.into_iter().rev().flat_map(|record| record.entry.events);
    let decided = events.filter_map(|event| match event {
        Event::Movement(movement::Event::Decided(movement)) => Some(*movement),
        Event::Movement(_)
        | Event::Bank(_)
        | Event::Account(_)
        | Event::Authentication(_)
        | Event::Message(_)
        | Event::Identification(_) => None,
    });
    Ok(decided.filter(|movement| movement.reference.direction == direction).collect())
}

fn header(state: &State, bank: BankCode, day: Day) -> Header {
    let facts = state.registry.bank(bank);
    let date = day.date();
    Header {
        kind_code: KIND,
        code_division: CodeDivision::default(),
        collector_code: "0000000001".into(),
        collector_name: "ｺｳｻﾞﾌﾘｶｴ ｳｹﾂｹ".into(),
        collection_date: format!("{:02}{:02}", date.month(), date.day()),
        bank_code: bank.to_string(),
        bank_name: cut(facts.kana, PLACE_BYTES),
        branch_code: format!("{:03}", facts.branches[0].code),
        branch_name: cut(&half_width(facts.branches[0].kana), PLACE_BYTES),
        account_type: 1,
        account_number: "0000001".into(),
    }
}

async fn detail(state: &State, movement: &Movement) -> Result<Detail, Problem> {
    let account = movement.account;
    let facts = state.registry.bank(account.bank);
    let row = state.world.read(account.key()).await?;
    let name = row.as_deref().map_or_else(|| "-".to_owned(), |row| Row::account(row).customer.name_kana());
    let branch = state.registry.branch(account).map(|branch| half_width(branch.kana)).unwrap_or_default();
    Ok(Detail {
        bank_code: account.bank.to_string(),
        bank_name: cut(facts.kana, PLACE_BYTES),
        branch_code: account.branch_text(),
        branch_name: cut(&branch, PLACE_BYTES),
        account_type: match account.kind {
            AccountKind::Ordinary => 1,
            AccountKind::Current => 2,
        },
        account_number: account.number_text(),
        account_holder_name: cut(&name, NAME_BYTES),
        amount: movement.booked.amount().unsigned_abs(),
        new_code: 0,
        customer_number: movement.reference.text.clone(),
        result_code: movement.outcome.code(),
    })
}

fn trailer(details: &[Detail]) -> Trailer {
    let sum = |done: bool| {
        details.iter().filter(|detail| (detail.result_code == 0) == done).map(|detail| detail.amount).sum::<u64>()
    };
    let count = |done: bool| {
        let some = details.iter().filter(|detail| (detail.result_code == 0) == done).count();
        u32::try_from(some).unwrap_or(u32::MAX)
    };
    Trailer {
        total_count: count(true) + count(false),
        total_amount: sum(true) + sum(false),
        success_count: count(true),
        success_amount: sum(true),
        failure_count: count(false),
        failure_amount: sum(false),
    }
}

/// At most `bytes` of half-width text, a byte a letter; no letter loses its dakuten.
fn cut(text: &str, bytes: usize) -> String {
    let mut letters: Vec<char> = text.chars().take(bytes).collect();
    let next = text.chars().nth(bytes);
    if matches!(next, Some('ﾞ' | 'ﾟ')) {
        letters.pop();
    }
    letters.into_iter().collect()
}

#[derive(Serialize)]
pub(super) struct Collected {
    accepted: usize,
}

pub(super) async fn collect(
    Shared(BankDesk { state, bank }): Shared<BankDesk>,
    body: Bytes,
) -> Result<(StatusCode, Json<Collected>), Problem> {
    let file = zengin_fmt::parse_account_transfer(&body)
        .map_err(|_| Problem::malformed("This is no request file of kind 91 whose sums are right."))?;
    let now = state.outside.now();
    let day = nearest(&file.header.collection_date, now.day())
        .ok_or_else(|| Problem::malformed("The file's date is written as MMDD."))?;
    // All or nothing: a file with one record that cannot be meant is not begun.
    let commands: Option<Vec<_>> = file.details.iter().map(|detail| command(&state, bank, detail, day)).collect();
    let commands = commands.ok_or_else(|| Problem::malformed("A record is not of this bank, or names nothing."))?;
    let mut accepted = 0;
    for command in commands {
        match state.world.submit(Command::Movement(command)).await {
            Ok(_) => accepted += 1,
            // The number was used for another debit: this record gets no second one, and the collector finds it missing.
            Err(Undone::Refused(Refusal::ReferenceReused | Refusal::AmountZero)) => {}
            Err(undone) => return Err(undone.into()),
        }
    }
    Ok((StatusCode::ACCEPTED, Json(Collected { accepted })))
}

fn command(state: &State, bank: BankCode, detail: &asked::Detail, day: Day) -> Option<movement::Command> {
    let kind = match detail.account_type {
        1 => AccountKind::Ordinary,
        2 => AccountKind::Current,
        _ => return None,
    };
    let is_here = detail.bank_code.is_empty() || detail.bank_code == bank.to_string();
    let text = detail.customer_number.clone();
    if !is_here || text.is_empty() || text.len() > REFERENCE_BYTES_MAX {
        return None;
    }
    let wording = state.registry.bank(bank).wording.unwrap_or(WORDING);
    Some(movement::Command::Request {
        reference: Reference { bank, direction: Direction::Debit, text },
        account: AccountNumber::parse(bank, &detail.branch_code, kind, &detail.account_number)?,
        amount: Yen::checked(i64::try_from(detail.amount).ok()?)?,
        descriptor: wording.to_owned(),
        day,
        may_overdraw: state.options.file_debits_may_overdraw,
    })
}

/// The day that `date` (MMDD) means, seen from `today`.
fn nearest(date: &str, today: Day) -> Option<Day> {
    let (month, day) = (date.get(..2)?.parse().ok()?, date.get(2..4)?.parse().ok()?);
    let year = today.date().year();
    [year - 1, year, year + 1]
        .into_iter()
        .filter_map(|year| jiff::civil::Date::new(year, month, day).ok())
        .map(Day::from)
        .find(|found| (found.number() - today.number()).abs() <= HALF_YEAR_DAYS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_without_losing_a_dakuten() {
        for (text, bytes, expected) in [("ﾔﾏﾀﾞ ﾀﾛｳ", 30, "ﾔﾏﾀﾞ ﾀﾛｳ"), ("ﾔﾏﾀﾞ ﾀﾛｳ", 4, "ﾔﾏﾀﾞ"), ("ﾔﾏﾀﾞ ﾀﾛｳ", 3, "ﾔﾏ")]
        {
            assert_eq!(cut(text, bytes), expected);
        }
    }

    #[test]
    fn a_date_without_a_year_is_the_nearest() {
        let day = |text: &str| Day::from(text.parse::<jiff::civil::Date>().expect("a date"));
        for (date, today, expected) in [
            ("0901", "2020-09-01", Some("2020-09-01")),
            ("0104", "2020-12-30", Some("2021-01-04")),
            ("1230", "2021-01-04", Some("2020-12-30")),
            ("0230", "2020-09-01", None),
            ("x", "2020-09-01", None),
        ] {
            assert_eq!(nearest(date, day(today)), expected.map(day), "{date} {today}");
        }
    }
}
