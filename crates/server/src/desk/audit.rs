//! The audit: who of the desk did what, and what they were refused, as the journal has it.

use super::people::{Desk, Person};
use crate::query::{self, Page, Query};
use crate::refusals;
use crate::service::Service;
use crate::stops::StopNote;
use crate::work::Deed;
use axum::extract::State;
use domain::{Id, Key, Table};
use engine::{Outcome, Record, StoreError};
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::{
    BankAccountId, CaseId, HolderId, MandateId, OPERATOR, PaymentId, PayoutId, Receipt, ReimbursementId, SendId,
    ShopId, StaffId, TopUpId, VoucherId, WalletId, Wallets, table,
};
use web::{Json, Problem};

/// Deeds that one request looks at, at most, where one person's are looked for.
const LOOKED_AT_MAX: usize = 1_000;
/// Rows that one line names, at most.
const ABOUT_MAX: usize = 16;

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Whose deeds, and which page of them.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Of one person of the desk alone, by their id.
    staff: Option<String>,
    /// How many, 1 to 100; 20 without it.
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Something that somebody of the desk asked for.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditLine)]
pub struct Line {
    /// The number of the journal's record.
    record: u64,
    /// When.
    at: String,
    /// Who.
    by: Person,
    /// What was asked, by the name that the journal has for it.
    command: String,
    /// Why, where a reason was given.
    reason: Option<String>,
    /// The rows that changed by it.
    about: Vec<String>,
    /// `done`, or the name of the problem with which it was refused.
    outcome: String,
}

/// Who did what at the desk, newest first; what was refused is there too.
#[utoipa::path(get, path = "/desk/v1/audit", tag = "audit", params(Which), security(("desk" = [])),
    responses((status = 200, body = Page<Line>)))]
async fn list(
    State(service): State<Arc<Service>>,
    desk: Desk,
    Query(which): Query<Which>,
) -> Result<Json<Page<Line>>, Problem> {
    desk.check_any()?;
    service.make_work().await?;
    let wrong = |_| Problem::malformed("This is nobody's id at the desk.").with("member", "staff");
    let staff: Option<StaffId> = which.staff.as_deref().map(str::parse).transpose().map_err(wrong)?;
    let limit = query::limit(which.limit)?;
    let list = format!("audit {}", which.staff.as_deref().unwrap_or("all"));
    let before = query::place(&service.keys, &list, which.cursor.as_deref())?;
    let looked_at = if staff.is_some() { LOOKED_AT_MAX } else { limit };
    let (deeds, further) = service.work.newest::<Deed>(OPERATOR, before, looked_at)?;
    let of_them = deeds.into_iter().filter(|deed| staff.is_none_or(|staff| staff == deed.staff));
    let mut shown: Vec<Deed> = of_them.collect();
    let next =
        if shown.len() > limit { shown.get(limit - 1).map(|deed| Id::from_number(deed.n.into())) } else { further };
    shown.truncate(limit);
    let mut data = Vec::with_capacity(shown.len());
    for (deed, record) in service.records_of(shown).await? {
        data.push(service.audit_line(deed, &record)?);
    }
    let next_cursor = next.map(|next| query::cursor(&service.keys, &list, &next.0));
    Ok(Json(Page { data, next_cursor }))
}

impl Service {
    async fn records_of(&self, deeds: Vec<Deed>) -> Result<Vec<(Deed, Record<Wallets>)>, Problem> {
        self.journals
            .read(move |journal| {
                let read = |deed: Deed| {
                    let missing = || StoreError::Damaged(format!("record {} is missing", deed.n));
                    let sealed = journal.get(deed.n)?.ok_or_else(missing)?;
                    Ok((deed, Record::<Wallets>::decode(&sealed)?))
                };
                deeds.into_iter().map(read).collect()
            })
            .await
    }

    fn audit_line(&self, deed: Deed, record: &Record<Wallets>) -> Result<Line, Problem> {
        let entry = &record.entry;
        let (outcome, receipt) = match &entry.outcome {
            Outcome::Done(receipt) => ("done".to_owned(), Some(receipt)),
            Outcome::Refused(refusal) => (refusals::problem(refusal).name().to_owned(), None),
            Outcome::Defect(_) => ("defect".to_owned(), None),
            Outcome::Aggregated { refusals } => (format!("{refusals} refusals"), None),
        };
        // Why something is stopped is kept beside the books, for everyone to read.
        let note = match receipt {
            Some(Receipt::Switch { id }) => self.doors.get::<StopNote>(id.0)?,
            Some(_) | None => None,
        };
        let about = entry.touched.iter().filter_map(|touch| name_of(touch.key)).take(ABOUT_MAX).collect();
        Ok(Line {
            record: record.place.n,
            at: record.at.to_string(),
            by: self.person(deed.staff),
            command: entry.command.clone(),
            reason: entry.reason.clone().or(note.map(|note| note.reason)),
            about,
            outcome,
        })
    }
}

/// The row at `key` as the API names it; what has no name there, such as an account of the ledger, has none here.
fn name_of(key: Key) -> Option<String> {
    fn shown<T: Display>(make: fn(Id) -> T) -> impl Fn(Id) -> String {
        move |id| make(id).to_string()
    }
    let nouns: [(Table, &dyn Fn(Id) -> String); 13] = [
        (table::HOLDER, &shown(HolderId)),
        (table::WALLET, &shown(WalletId)),
        (table::BANK_ACCOUNT, &shown(BankAccountId)),
        (table::MANDATE, &shown(MandateId)),
        (table::TOP_UP, &shown(TopUpId)),
        (table::VOUCHER, &shown(VoucherId)),
        (table::PAYMENT, &shown(PaymentId)),
        (table::SEND, &shown(SendId)),
        (table::PAYOUT, &shown(PayoutId)),
        (table::SHOP, &shown(ShopId)),
        (table::CASE, &shown(CaseId)),
        (table::REIMBURSEMENT, &shown(ReimbursementId)),
        (table::SWITCHES, &|_| "switches".to_owned()),
    ];
    nouns.iter().find(|(table, _)| *table == key.table).map(|(_, shown)| shown(key.id))
}
