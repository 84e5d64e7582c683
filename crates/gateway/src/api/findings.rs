//! Findings: `/gateway/v1/findings`, for the gateway's desk: what banks' day files and statements of credits have that nobody here asked
//! for, files that cannot be had, and notices that a bank does not send, until somebody says what became of it. A file that comes after all is
//! compared, a notice that goes out after all is told, and neither is a finding any more.

use super::lists::{Listed, PAGE_MAX, Page};
use super::problem;
use crate::desk::{GatewayDesk, check_text};
use crate::domain::comparison::{self, Aside, Paper};
use crate::domain::finding::{About, Command, Finding};
use crate::domain::notice::{self, Notice};
use crate::domain::open::Thing;
use crate::domain::{BankCode, Command as Asked, FindingId, NoticeId, Noun, Row, table};
use crate::gateway::Gateway;
use crate::proposals::Said;
use ::domain::{Day, Key};
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use web::{Json, Problem};

/// A finding as the desk sees it.
#[derive(Serialize)]
pub struct FindingBody {
    id: String,
    /// `record`: a debit, `credit`, `file_missing`, `file_unreadable`, `file_foreign`, the same of a `statement` of credits, or
    /// `notice_owed`.
    kind: &'static str,
    bank_code: String,
    day: String,
    amount: Option<i64>,
    moved: Option<i64>,
    found_at: String,
}

impl FindingBody {
    fn of_record(id: FindingId, Finding { record, about, .. }: &Finding) -> Self {
        Self {
            id: id.to_string(),
            kind: match about {
                About::Debit => "record",
                About::Credit => "credit",
            },
            bank_code: record.bank.to_string(),
            day: record.day.to_string(),
            amount: Some(record.amount.amount()),
            moved: Some(record.moved.amount()),
            found_at: record.found.to_string(),
        }
    }

    fn of_notice(id: NoticeId, row: &Notice) -> Self {
        Self {
            id: finding_of(id).to_string(),
            kind: "notice_owed",
            bank_code: row.bank.to_string(),
            day: row.owed.day().to_string(),
            amount: None,
            moved: None,
            found_at: row.owed.plus_milliseconds(OVERDUE_MS).to_string(),
        }
    }

    fn of_paper(id: FindingId, bank: BankCode, paper: Paper, aside: &Aside) -> Self {
        Self {
            id: id.to_string(),
            kind: aside.lack.name(paper),
            bank_code: bank.to_string(),
            day: aside.day.to_string(),
            amount: None,
            moved: None,
            found_at: aside.found.to_string(),
        }
    }
}

/// `GET /gateway/v1/findings?limit=&cursor=`: those that nobody has resolved, in the order of their ids.
pub async fn list(
    State(gateway): State<Gateway>,
    _: GatewayDesk,
    page: Page,
) -> Result<Json<Listed<FindingBody>>, Problem> {
    let after: Option<FindingId> = page.parsed()?;
    let mut open: Vec<(FindingId, Found)> = Vec::new();
    for bank in &gateway.options().banks {
        let things = gateway.open_things(bank.code).await.map_err(|error| problem::engine_error(&error))?;
        for thing in things {
            match thing {
                Thing::Finding(id) => open.push((id, Found::Record)),
                Thing::Notice(id) => {
                    open.extend(overdue(&gateway, id).await?.map(|row| (finding_of(id), Found::Notice(id, row))));
                }
                Thing::Movement(_) | Thing::Mandate(_) => {}
            }
        }
        let papers = papers(&gateway, bank.code).await?.into_iter().filter(|(.., aside)| aside.resolution.is_none());
        open.extend(papers.map(|(id, paper, aside)| (id, Found::Paper(bank.code, paper, aside))));
    }
    open.retain(|(id, _)| after.is_none_or(|after| *id > after));
    open.sort_unstable_by_key(|(id, _)| *id);
    let limit = page.limit(PAGE_MAX);
    let next_cursor = (open.len() > limit).then(|| open.get(limit - 1).map(|(id, _)| id.to_string())).flatten();
    let mut data = Vec::new();
    for (id, found) in open.into_iter().take(limit) {
        match found {
            Found::Paper(bank, paper, aside) => data.push(FindingBody::of_paper(id, bank, paper, &aside)),
            Found::Notice(id, row) => data.push(FindingBody::of_notice(id, &row)),
            Found::Record => {
                let row = gateway.finding(id).await.map_err(|error| problem::engine_error(&error))?;
                data.extend(row.map(|row| FindingBody::of_record(id, &row)));
            }
        }
    }
    Ok(Json(Listed { data, next_cursor }))
}

/// What a finding is about.
enum Found {
    Record,
    Paper(BankCode, Paper, Aside),
    Notice(NoticeId, Notice),
}

/// How long a notice may be owed before it stands among the findings, in milliseconds.
const OVERDUE_MS: i64 = 24 * 3_600_000;

/// Under which id the desk knows a notice that is not sent, and which notice that is.
const fn finding_of(notice: NoticeId) -> FindingId {
    FindingId(notice.0)
}

/// The notice with `id`, if its bank has not sent it for so long that people are to look.
async fn overdue(gateway: &Gateway, id: NoticeId) -> Result<Option<Notice>, Problem> {
    let row = gateway.row(Key::new(table::NOTICE, id.0)).await.map_err(|error| problem::engine_error(&error))?;
    let Some(Row::Notice(row)) = row.as_deref() else { return Ok(None) };
    let since = gateway.outside().now().plus_milliseconds(-OVERDUE_MS);
    Ok(Some(*row).filter(|row| row.told.is_none() && row.owed <= since))
}

/// Under which id the desk knows the paper of `day`.
pub fn of_aside(gateway: &Gateway, bank: BankCode, paper: Paper, day: Day) -> FindingId {
    let named = match paper {
        Paper::Debits => "file",
        Paper::Credits => "statement",
    };
    gateway.finding_id(bank, day, named, 0)
}

/// The papers of `bank` that are put aside, by the ids under which the desk knows them.
async fn papers(gateway: &Gateway, bank: BankCode) -> Result<Vec<(FindingId, Paper, Aside)>, Problem> {
    let mut papers = Vec::new();
    for paper in Paper::ALL {
        let row = gateway.comparison(bank, paper).await.map_err(|error| problem::engine_error(&error))?;
        let aside = row.map(|row| row.aside).unwrap_or_default();
        papers.extend(aside.into_iter().map(|aside| (of_aside(gateway, bank, paper, aside.day), paper, aside)));
    }
    Ok(papers)
}

/// What somebody says of a finding.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Word {
    reason: String,
}

/// `POST /gateway/v1/findings/{id}/resolution`. That an account's holder is not told, or that a day's paper is waited for no longer,
/// takes two people: the first is a 202.
pub async fn resolve(
    State(gateway): State<Gateway>,
    desk: GatewayDesk,
    Path(id): Path<String>,
    Json(word): Json<Word>,
) -> Result<Response, Problem> {
    desk.0.check_act()?;
    check_text(&word.reason, "reason")?;
    let finding: FindingId = id.parse().map_err(|_| problem::unknown(Noun::Finding))?;
    let by = desk.0.id;
    let mut why = None;
    let command = match paper_of(&gateway, finding).await? {
        Some((bank, paper, day)) => {
            // The books keep the second one's reason; the first one's the journal has.
            why = Some(word.reason.clone());
            Asked::Comparison(paper, comparison::Command::GiveUp { bank, day, by, reason: word.reason })
        }
        None if overdue(&gateway, NoticeId(finding.0)).await?.is_some() => {
            Asked::Notice(notice::Command::GiveUp { notice: NoticeId(finding.0), by, reason: word.reason })
        }
        None => Asked::Finding(Command::Resolve { finding, by, reason: word.reason }),
    };
    let said = Said::submit(&gateway, command, desk.actor(), why).await?;
    said.answer(async || Ok(StatusCode::NO_CONTENT)).await
}

/// Which bank's paper of which day the finding is about, if it is about one.
async fn paper_of(gateway: &Gateway, finding: FindingId) -> Result<Option<(BankCode, Paper, Day)>, Problem> {
    for bank in &gateway.options().banks {
        let found = papers(gateway, bank.code).await?.into_iter().find(|(id, ..)| *id == finding);
        if let Some((_, paper, aside)) = found {
            return Ok(Some((bank.code, paper, aside.day)));
        }
    }
    Ok(None)
}
