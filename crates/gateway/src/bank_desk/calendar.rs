//! When the bank is open: its hours and its maintenance, set by its desk and shown to everybody.

use super::Desk;
use crate::api::problem::engine_error;
use crate::desk::check_text;
use crate::domain::calendar::{Calendar, Hours, MAINTENANCE_MAX, Maintenance, Span};
use crate::domain::{Command, bank};
use crate::gateway::Gateway;
use axum::extract::State;
use domain::Time;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use web::{Json, Problem};

/// A calendar as banks write it and everybody reads it. Without `hours` the bank is open at all hours.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CalendarBody {
    hours: Option<HoursBody>,
    #[serde(default)]
    maintenance: Vec<MaintenanceBody>,
}

/// Hours by kind of day; what is left out is closed all day.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HoursBody {
    business_days: Option<SpanBody>,
    saturdays: Option<SpanBody>,
    holidays: Option<SpanBody>,
}

/// `{"opens": "08:00", "closes": "21:00"}`, in Tokyo's time; `24:00` is the end of the day.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SpanBody {
    opens: String,
    closes: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MaintenanceBody {
    from: String,
    until: String,
    reason: String,
}

impl From<&Calendar> for CalendarBody {
    fn from(calendar: &Calendar) -> Self {
        let span = |span: Span| SpanBody { opens: written(span.opens()), closes: written(span.closes()) };
        let hours = calendar.hours.map(|hours| HoursBody {
            business_days: hours.business_days.map(span),
            saturdays: hours.saturdays.map(span),
            holidays: hours.holidays.map(span),
        });
        let maintenance = calendar.maintenance.iter().map(|maintenance| MaintenanceBody {
            from: maintenance.from.to_string(),
            until: maintenance.until.to_string(),
            reason: maintenance.reason.clone(),
        });
        Self { hours, maintenance: maintenance.collect() }
    }
}

impl TryFrom<CalendarBody> for Calendar {
    type Error = Problem;

    fn try_from(body: CalendarBody) -> Result<Self, Problem> {
        if body.maintenance.len() > MAINTENANCE_MAX {
            return Err(Problem::malformed("There are at most 32 maintenance windows.").with("member", "maintenance"));
        }
        let hours = body.hours.map(|hours| {
            let span = |body: Option<SpanBody>| body.map(Span::try_from).transpose();
            Ok::<_, Problem>(Hours {
                business_days: span(hours.business_days)?,
                saturdays: span(hours.saturdays)?,
                holidays: span(hours.holidays)?,
            })
        });
        let maintenance = body.maintenance.into_iter().map(Maintenance::try_from);
        Ok(Self { hours: hours.transpose()?, maintenance: maintenance.collect::<Result<_, _>>()? })
    }
}

impl TryFrom<SpanBody> for Span {
    type Error = Problem;

    fn try_from(body: SpanBody) -> Result<Self, Problem> {
        let span = minute(&body.opens).zip(minute(&body.closes)).and_then(|(opens, closes)| Self::new(opens, closes));
        span.ok_or_else(|| {
            Problem::malformed("Hours are like {\"opens\": \"08:00\", \"closes\": \"21:00\"}, of one day.")
                .with("member", "hours")
        })
    }
}

impl TryFrom<MaintenanceBody> for Maintenance {
    type Error = Problem;

    fn try_from(body: MaintenanceBody) -> Result<Self, Problem> {
        let time = |text: &str| text.parse::<Timestamp>().map(Time::from);
        let malformed = || {
            Problem::malformed("Maintenance is {from, until, reason}: times are RFC 3339, until is later.")
                .with("member", "maintenance")
        };
        let (Ok(from), Ok(until)) = (time(&body.from), time(&body.until)) else { return Err(malformed()) };
        check_text(&body.reason, "maintenance")?;
        if until <= from { Err(malformed()) } else { Ok(Self { from, until, reason: body.reason }) }
    }
}

/// `08:00` as minutes after midnight.
fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':').filter(|(hours, minutes)| hours.len() == 2 && minutes.len() == 2)?;
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u16>().ok()).flatten();
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (minutes < 60).then_some(hours * 60 + minutes)
}

fn written(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// `GET /bank/v1/calendar`.
pub(super) async fn show(State(gateway): State<Gateway>, desk: Desk) -> Result<Json<CalendarBody>, Problem> {
    let calendar = gateway.calendar(desk.bank).await.map_err(|error| engine_error(&error))?;
    Ok(Json(CalendarBody::from(&calendar)))
}

/// `PUT /bank/v1/calendar`: in force with the commit, for what waits for the bank's opening too; everybody is told.
pub(super) async fn set(
    State(gateway): State<Gateway>,
    desk: Desk,
    Json(asked): Json<CalendarBody>,
) -> Result<Json<CalendarBody>, Problem> {
    desk.check_act()?;
    let calendar = Calendar::try_from(asked)?;
    let command = bank::Command::SetCalendar { bank: desk.bank, calendar, by: desk.staff };
    gateway.submit(Command::Bank(command), desk.actor(), None).await?;
    gateway.work().wake(desk.bank, gateway.outside().now());
    show(State(gateway), desk).await
}
