//! The day's figures: what was owed at each day's end and what had to be set aside; what moved at each bank, held against what
//! the gateway told.

use super::people::Desk;
use crate::query::{self, Page, Query, Which};
use crate::service::Service;
use crate::work::closing::{Closed, Difference};
use crate::work::{BankDay, DayFigures, OURS};
use axum::extract::State;
use domain::{Id, Key};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::{PayoutId, TopUpId, table};
use web::{Json, Problem};

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(safeguarding)).routes(routes!(reconciliation)).routes(routes!(differences))
}

/// What had to be set aside at a day's end.
#[derive(Serialize, ToSchema)]
pub struct Safeguarded {
    /// The business date (Asia/Tokyo).
    day: String,
    /// What was owed to users of funds transfer, in yen (未達債務).
    debt: i64,
    /// What it would cost to execute their rights, in yen.
    cost: i64,
    /// What must be set aside, in yen (要履行保証額).
    required: i64,
    /// What is unspent of prepaid purses, in yen.
    prepaid: i64,
}

/// What the books moved at a bank on a day.
#[derive(Serialize, ToSchema)]
pub struct Moved {
    /// The business date (Asia/Tokyo) on which the books learnt of it.
    day: String,
    /// Which bank.
    bank_code: String,
    /// Debits of top-ups.
    debits: Sum,
    /// Credits of payouts.
    credits: Sum,
    /// Debits that were given back.
    given_back: Sum,
    /// Debits that the bank took back.
    taken_back: Sum,
    /// What the day added to the bank's clearing account, in yen, whatever for.
    net: i64,
    /// What the bank owed us after the day's last movement, in yen.
    balance: i64,
    /// How the day compared with what the gateway told, once it is closed.
    closed: Option<ShownClosed>,
}

/// How a bank's day compared with what the gateway told of it.
#[derive(Serialize, ToSchema)]
#[schema(as = ClosedDay)]
pub struct ShownClosed {
    /// When it was closed.
    at: String,
    /// What the books say of the movements that anything was heard of on that day, in yen.
    booked: i64,
    /// What the gateway says of the same, in yen.
    told: i64,
    /// In how many movements they differed then.
    differences: u64,
}

/// A movement of which books and gateway say different things.
#[derive(Serialize, ToSchema)]
#[schema(as = BankDifference)]
pub struct ShownDifference {
    /// The top-up or payout.
    id: String,
    /// At which bank.
    bank_code: String,
    /// At which day's close it was found.
    day: String,
    /// What the books say that the bank owes us for it, in yen.
    booked: i64,
    /// What the gateway says, in yen.
    told: i64,
    /// Whether it has outlasted the time that news may take.
    stands: bool,
}

/// How many, and how much.
#[derive(Serialize, ToSchema)]
pub struct Sum {
    /// How many.
    count: u64,
    /// Their sum, in yen.
    amount: i64,
}

/// What was owed at each day's end, and what had to be set aside; newest first.
#[utoipa::path(get, path = "/desk/v1/safeguarding", tag = "figures", params(Which), security(("desk" = [])),
    responses((status = 200, body = Page<Safeguarded>)))]
async fn safeguarding(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Query(which): Query<Which>,
) -> Result<Json<Page<Safeguarded>>, Problem> {
    desk.check_any()?;
    let (days, next) = page::<DayFigures>(&service, "safeguarding", &which)?;
    Ok(Json(Page { data: days.iter().map(Safeguarded::from).collect(), next_cursor: next }))
}

impl From<&DayFigures> for Safeguarded {
    fn from(closed: &DayFigures) -> Self {
        Self {
            day: closed.day.to_string(),
            debt: closed.figures.debt.amount(),
            cost: closed.figures.cost.amount(),
            required: closed.figures.required.amount(),
            prepaid: closed.figures.prepaid.amount(),
        }
    }
}

/// What the books moved at each bank on each day, newest first; a bank's own statement must say the same.
#[utoipa::path(get, path = "/desk/v1/reconciliation", tag = "figures", params(Which), security(("desk" = [])),
    responses((status = 200, body = Page<Moved>)))]
async fn reconciliation(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Query(which): Query<Which>,
) -> Result<Json<Page<Moved>>, Problem> {
    desk.check_any()?;
    let (days, next) = page::<BankDay>(&service, "reconciliation", &which)?;
    let mut data = Vec::with_capacity(days.len());
    for day in &days {
        data.push(service.moved(day)?);
    }
    Ok(Json(Page { data, next_cursor: next }))
}

/// Movements of which the books and the gateway say different things. What agrees again leaves the list.
#[utoipa::path(get, path = "/desk/v1/differences", tag = "figures", params(Which), security(("desk" = [])),
    responses((status = 200, body = Page<ShownDifference>)))]
async fn differences(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Query(which): Query<Which>,
) -> Result<Json<Page<ShownDifference>>, Problem> {
    desk.check_any()?;
    let limit = query::limit(which.limit)?;
    let after = which.place(&service.keys, "differences")?.unwrap_or_default();
    let rows: Vec<Difference> = service.doors.all(after, limit)?;
    let last = rows.last().filter(|_| rows.len() == limit).map(|row| row.about);
    let mut data = Vec::with_capacity(rows.len());
    for row in &rows {
        let Some(now) = service.difference_now(row)? else { continue };
        data.push(ShownDifference {
            id: service.movement_name(now.about).await?,
            bank_code: now.bank.to_string(),
            day: now.day.to_string(),
            booked: now.booked,
            told: now.told,
            stands: now.stands,
        });
    }
    let next_cursor = last.map(|id| query::cursor(&service.keys, "differences", &id.0));
    Ok(Json(Page { data, next_cursor }))
}

impl Service {
    /// What moved at a bank on a day, with how it compared once it was closed.
    pub fn moved(&self, day: &BankDay) -> Result<Moved, Problem> {
        let closed = self.doors.get::<Closed>(BankDay::key(day.day, day.bank))?;
        Ok(Moved {
            day: day.day.to_string(),
            bank_code: day.bank.to_string(),
            debits: Sum { count: day.debits, amount: day.debited },
            credits: Sum { count: day.credits, amount: day.credited },
            given_back: Sum { count: day.give_backs, amount: day.given_back },
            taken_back: Sum { count: day.reversals, amount: day.reversed },
            net: day.posted,
            balance: day.balance,
            closed: closed.map(|closed| ShownClosed {
                at: closed.at.to_string(),
                booked: closed.booked,
                told: closed.told,
                differences: closed.differences,
            }),
        })
    }

    /// The id of a top-up or payout, as people see it.
    async fn movement_name(&self, about: Id) -> Result<String, Problem> {
        let is_top_up = self.row(Key::new(table::TOP_UP, about)).await?.is_some();
        Ok(if is_top_up { TopUpId(about).to_string() } else { PayoutId(about).to_string() })
    }
}

/// A page of rows whose ids are in the order of their days, newest first, and the cursor of the next one.
fn page<T: crate::doors::Door>(
    service: &Service,
    list: &str,
    which: &Which,
) -> Result<(Vec<T>, Option<String>), Problem> {
    let limit = query::limit(which.limit)?;
    let (rows, next) = service.work.newest::<T>(OURS, which.place(&service.keys, list)?, limit)?;
    Ok((rows, next.map(|id| query::cursor(&service.keys, list, &id.0))))
}
