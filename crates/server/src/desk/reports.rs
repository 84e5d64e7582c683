//! Reports: a day that is over as one document, for whoever must be told: what was owed and set aside, what moved at each bank and
//! whether the gateway says the same, which cases were opened, how many people were told of something.

use super::figures::{Moved, Safeguarded};
use super::people::Desk;
use super::rules::parse_day;
use crate::letters::DayOfLetters;
use crate::service::Service;
use crate::work::{BankDay, CaseOpened, DayFigures, OURS};
use axum::extract::{Path, State};
use domain::{Day, Id, Time};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::{BankCode, CaseId, OPERATOR};
use web::{Json, Problem};

/// Cases that one report names, at most; beyond, it says that there are more.
const CASES_MAX: usize = 500;
/// More banks than there are.
const BANKS_MAX: usize = 500;

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(show))
}

/// A day's report.
#[derive(Serialize, ToSchema)]
#[schema(as = DayReport)]
pub struct Report {
    /// The business date (Asia/Tokyo).
    day: String,
    /// What had to be set aside at its end; null while the day is not over.
    safeguarding: Option<Safeguarded>,
    /// What moved at each bank at which something did.
    banks: Vec<Moved>,
    /// The cases that were opened on it, newest first.
    cases: Vec<String>,
    /// Whether there are more cases than are named.
    more_cases: bool,
    /// Letters that were written to people on it.
    letters_written: u64,
    /// Letters that were given up on it.
    letters_given_up: u64,
}

/// A day as one document.
#[utoipa::path(get, path = "/desk/v1/reports/{day}", tag = "figures", params(("day" = String, Path)),
    security(("desk" = [])), responses((status = 200, body = Report)))]
async fn show(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Path(day): Path<String>,
) -> Result<Json<Report>, Problem> {
    desk.check_any()?;
    let day = parse_day(&day)?;
    service.make_work().await?;
    let figures = service.work.get::<DayFigures>(DayFigures::key(day))?;
    let mut banks = Vec::new();
    for moved in service.banks_on(day)? {
        banks.push(service.moved(&moved)?);
    }
    let (cases, more_cases) = service.cases_on(day)?;
    let letters = service.doors.get::<DayOfLetters>(DayOfLetters::key(day))?;
    Ok(Json(Report {
        day: day.to_string(),
        safeguarding: figures.as_ref().map(Safeguarded::from),
        banks,
        cases: cases.iter().map(CaseId::to_string).collect(),
        more_cases,
        letters_written: letters.map_or(0, |letters| letters.written),
        letters_given_up: letters.map_or(0, |letters| letters.given_up),
    }))
}

impl Service {
    /// What moved at each bank on `day`, in the order of their codes.
    fn banks_on(&self, day: Day) -> Result<Vec<BankDay>, Problem> {
        let Some(first) = BankCode::new(0) else { return Ok(Vec::new()) };
        let next = BankDay::key(day.plus(1), first);
        let (mut banks, _) = self.work.newest::<BankDay>(OURS, Some(next), BANKS_MAX)?;
        banks.retain(|moved| moved.day == day);
        banks.reverse();
        Ok(banks)
    }

    /// The cases that were opened on `day`, newest first: their ids begin with their times.
    fn cases_on(&self, day: Day) -> Result<(Vec<CaseId>, bool), Problem> {
        let at = |time: Time| {
            let mut bytes = [0; 16];
            bytes[..6].copy_from_slice(&time.milliseconds().to_be_bytes()[2..]);
            Id(bytes)
        };
        let (begin, end) = (at(day.start()), at(day.plus(1).start()));
        let (opened, next) = self.work.newest::<CaseOpened>(OPERATOR, Some(end), CASES_MAX)?;
        let cases = opened.iter().map(|opened| opened.case).filter(|case| case.0 >= begin).collect();
        Ok((cases, next.is_some_and(|next| next >= begin)))
    }
}
