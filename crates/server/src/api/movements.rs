//! Movements: what a holder sees of their wallet, newest first, each once, as it is now, with the balance after it.
//!
//! The list follows the wallet's own chain in the journal; the balance after a movement is counted back from the newest. A
//! movement stands where it last changed what the wallet shows; what became of it while somebody turned pages moves it to no
//! other page. So a cursor carries how far the journal was when the first page was read, and the balance that it had come to,
//! sealed.

use crate::api::ids;
use crate::api::shops::{place_bytes, read_place};
use crate::entrance::Holder;
use crate::lists::{self, Cursor, Line, wallet_key};
use crate::query::{self, Page, Query};
use crate::service::Service;
use crate::shops::ShopName;
use axum::extract::{Path, State};
use domain::{Day, Key, Time};
use engine::StoreError;
use engine::sqlite::SqliteJournal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::movement::{self, Change, Counterparty, Kind};
use wallet::{
    BonusId, Noun, PaymentId, PayoutId, Purse, RefundId, ReimbursementId, Row, SendId, ShopId, TopUpId, VoucherId,
    WalletId, table,
};
use web::{Json, Problem};

/// Parts of the chain that one request looks at: two thousand records.
const PARTS_MAX: usize = 4;

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which movements.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// From this moment or business date on.
    from: Option<String>,
    /// Before this moment, or up to and with this business date.
    to: Option<String>,
    /// Of this kind alone: `top_up`, `voucher`, `bonus`, `payment`, `refund`, `send`, `receipt`, `payout`, `collection`.
    kind: Option<String>,
    /// How many, 1 to 100; 20 without it.
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A movement.
#[derive(Serialize, ToSchema)]
pub struct Movement {
    /// The id of what moved: a top-up's, a payment's.
    id: String,
    /// What it is.
    kind: &'static str,
    /// How far it is now.
    status: &'static str,
    /// What it is about, in yen.
    #[schema(value_type = i64)]
    amount: i64,
    /// What was available in all purses after it last changed, in yen.
    balance_after: i64,
    /// The same by purse.
    balances_after: Balances,
    /// Who stands at the other end.
    counterparty: Option<Other>,
    /// When it last changed.
    at: String,
}

/// What is available, by purse, in yen.
#[derive(Clone, Copy, Serialize, ToSchema)]
pub struct Balances {
    /// Can be sent and paid out.
    funds: i64,
    /// Can only be spent.
    prepaid: i64,
    /// Points.
    bonus: i64,
}

/// Who stands at the other end.
#[derive(Clone, Serialize, ToSchema)]
pub struct Other {
    /// `shop`, `wallet`, `bank_account`, `campaign`.
    kind: &'static str,
    /// Its id.
    id: String,
    /// What it is called: a shop's name, a holder's masked name.
    name: Option<String>,
}

/// What a list shows, parsed.
#[derive(Clone, Copy)]
struct Filter {
    from: Option<Time>,
    before: Option<Time>,
    kind: Option<Kind>,
}

/// Where a list is, and what was available there.
#[derive(Clone, Copy)]
struct Position {
    cursor: Cursor,
    available: Balances,
    /// The journal's last record when the first page was read.
    until: u64,
}

/// Bytes of a [`Position`].
const POSITION_BYTES: usize = 50;

/// What happened in a wallet, newest first.
#[utoipa::path(get, path = "/v1/wallets/{wallet}/movements", tag = "wallets", params(("wallet" = String, Path), Which),
    security(("holder" = [])), responses((status = 200, body = Page<Movement>)))]
async fn list(
    State(service): State<Arc<Service>>,
    caller: Holder,
    Path(wallet): Path<String>,
    Query(which): Query<Which>,
) -> Result<Json<Page<Movement>>, Problem> {
    let id: WalletId = ids::parse(&wallet, Noun::Wallet)?;
    let (limit, filter) = (query::limit(which.limit)?, which.filter()?);
    let newest = service.position(id, &caller).await?;
    let name = format!("movements of {id}");
    let mut position = Some(match which.cursor {
        Some(cursor) => read_position(query::read_cursor::<POSITION_BYTES>(&service.keys, &name, &cursor)?),
        None => newest,
    });
    let (mut names, mut data) = (BTreeMap::new(), Vec::with_capacity(limit));
    for _ in 0..PARTS_MAX {
        let Some(from) = position.filter(|_| data.len() < limit) else { break };
        let wanted = limit - data.len();
        let (found, next) = service.journals.read(move |journal| part(journal, id, from, filter, wanted)).await?;
        for (line, after, status) in service.as_they_are(id, from.until, found).await? {
            data.push(service.present(&line, after, status, &mut names).await?);
        }
        position = next;
    }
    let next_cursor = position.map(|next| query::cursor(&service.keys, &name, &position_bytes(next)));
    Ok(Json(Page { data, next_cursor }))
}

type Found = (Vec<(Line, Balances)>, Option<Position>);

/// Follows the chain from `position` for one part: the lines that `filter` shows, each with the balance after it.
fn part(
    journal: &SqliteJournal,
    wallet: WalletId,
    mut position: Position,
    filter: Filter,
    limit: usize,
) -> Result<Found, StoreError> {
    let mut found = Vec::new();
    let page = lists::of_wallet(journal, wallet, position.cursor, limit)?;
    for line in page.lines {
        if filter.from.is_some_and(|from| line.movement.at < from) {
            return Ok((found, None));
        }
        let after = position.available;
        position.available = after.before(line.movement.change);
        if filter.shows(&line) {
            found.push((line, after));
        }
    }
    Ok((found, page.next.map(|cursor| Position { cursor, ..position })))
}

/// The row of a movement of which there may be another line later; none where the line is the last word.
fn row_of(line: &Line) -> Option<Key> {
    let movement::Movement { kind, status, id, .. } = line.movement;
    let (table, is_last) = match kind {
        Kind::TopUp => (table::TOP_UP, matches!(status, "returned" | "reversed")),
        Kind::Payout => (table::PAYOUT, status == "returned"),
        Kind::Payment => (table::PAYMENT, status != "authorised"),
        Kind::Send => (table::SEND, status != "held"),
        Kind::Receipt | Kind::Refund | Kind::Voucher | Kind::Bonus | Kind::Collection | Kind::Restitution => {
            return None;
        }
    };
    (!is_last).then(|| Key::new(table, id))
}

/// How far the movement is whose row this is.
fn status_of(row: &Row) -> Option<&'static str> {
    match row {
        Row::TopUp(row) => Some(row.status.name()),
        Row::Payout(row) => Some(row.status.name()),
        Row::Payment(row) => Some(row.status.name()),
        Row::Send(row) => Some(row.status.name()),
        Row::Holder(_)
        | Row::Person(_)
        | Row::Contact(_)
        | Row::Wallet(_)
        | Row::BankAccount(_)
        | Row::Mandate(_)
        | Row::Shop(_)
        | Row::PaymentCode(_)
        | Row::Voucher(_)
        | Row::Bonus(_)
        | Row::Account(..)
        | Row::Switches(_)
        | Row::Case(_)
        | Row::Reimbursement(_) => None,
    }
}

impl Filter {
    fn shows(&self, line: &Line) -> bool {
        let is_before = self.before.is_none_or(|before| line.movement.at < before);
        is_before && self.kind.is_none_or(|kind| line.movement.kind == kind)
    }
}

impl Which {
    fn filter(&self) -> Result<Filter, Problem> {
        let from = self.from.as_deref().map(|text| moment("from", text, 0)).transpose()?;
        let before = self.to.as_deref().map(|text| moment("to", text, 1)).transpose()?;
        let wrong = || Problem::malformed("There is no such kind of movement.").with("member", "kind");
        let named = |name: &str| Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(wrong);
        Ok(Filter { from, before, kind: self.kind.as_deref().map(named).transpose()? })
    }
}

/// A moment as RFC 3339 has it, or the beginning of the business date `days` after the one in `text`.
fn moment(member: &'static str, text: &str, days: i32) -> Result<Time, Problem> {
    if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
        return Ok(Time::from(timestamp));
    }
    let date = text.parse::<jiff::civil::Date>();
    let wrong = "A moment is written as 2026-01-31 or 2026-01-31T12:00:00+09:00.";
    let date = date.map_err(|_| Problem::malformed(wrong).with("member", member))?;
    Ok(Day::from(date).plus(days).start())
}

impl Balances {
    /// What was available before `change`.
    fn before(self, change: Change) -> Self {
        match change {
            Change::Purses { bonus, prepaid, funds } => {
                Self { funds: self.funds - funds, prepaid: self.prepaid - prepaid, bonus: self.bonus - bonus }
            }
            Change::Settlement(_) => self,
        }
    }

    fn total(self) -> i64 {
        self.funds + self.prepaid + self.bonus
    }
}

fn position_bytes(position: Position) -> [u8; POSITION_BYTES] {
    let mut bytes = [0; POSITION_BYTES];
    bytes[..18].copy_from_slice(&place_bytes(position.cursor));
    let Balances { funds, prepaid, bonus } = position.available;
    for (chunk, amount) in bytes[18..42].chunks_exact_mut(8).zip([funds, prepaid, bonus]) {
        chunk.copy_from_slice(&amount.to_be_bytes());
    }
    bytes[42..].copy_from_slice(&position.until.to_be_bytes());
    bytes
}

fn read_position(bytes: [u8; POSITION_BYTES]) -> Position {
    let mut place = [0; 18];
    place.copy_from_slice(&bytes[..18]);
    let amount = |at: usize| {
        let mut amount = [0; 8];
        amount.copy_from_slice(&bytes[at..at + 8]);
        i64::from_be_bytes(amount)
    };
    let available = Balances { funds: amount(18), prepaid: amount(26), bonus: amount(34) };
    Position { cursor: read_place(place), available, until: u64::try_from(amount(42)).unwrap_or(u64::MAX) }
}

impl Service {
    /// The newest end of the list of the caller's wallet `id`.
    async fn position(&self, id: WalletId, caller: &Holder) -> Result<Position, Problem> {
        let stored = self.stored(wallet_key(id)).await?.ok_or_else(|| ids::unknown(Noun::Wallet))?;
        match stored.row.as_deref() {
            Some(Row::Wallet(row)) if row.holder == caller.id => {
                let available = |purse| row.purse(purse).account.available().amount();
                let (funds, prepaid) = (available(Purse::Funds), available(Purse::Prepaid));
                let available = Balances { funds, prepaid, bonus: available(Purse::Bonus) };
                Ok(Position { cursor: Cursor::newest(&stored), available, until: stored.place.n })
            }
            Some(_) | None => Err(ids::unknown(Noun::Wallet)),
        }
    }

    /// Of lines, those that are the newest of their movements, each with how far its movement is now.
    async fn as_they_are(
        &self,
        wallet: WalletId,
        until: u64,
        found: Vec<(Line, Balances)>,
    ) -> Result<Vec<(Line, Balances, &'static str)>, Problem> {
        let mut lines = Vec::with_capacity(found.len());
        for (line, after) in found {
            let row = match row_of(&line) {
                Some(key) => self.stored(key).await?.map(|stored| (key, stored)),
                None => None,
            };
            lines.push((line, after, row));
        }
        let newest = move |journal: &SqliteJournal| {
            let mut kept = Vec::with_capacity(lines.len());
            for (line, after, row) in lines {
                let Some((key, stored)) = row else {
                    kept.push((line, after, line.movement.status));
                    continue;
                };
                if lists::is_newest(journal, wallet, &line, key, stored.place, until)? {
                    let status = stored.row.as_deref().and_then(status_of);
                    kept.push((line, after, status.unwrap_or(line.movement.status)));
                }
            }
            Ok(kept)
        };
        self.journals.read(newest).await
    }

    async fn present(
        &self,
        line: &Line,
        after: Balances,
        status: &'static str,
        names: &mut BTreeMap<Counterparty, Option<Other>>,
    ) -> Result<Movement, Problem> {
        let movement = &line.movement;
        let counterparty = if let Some(known) = names.get(&movement.counterparty) {
            known.clone()
        } else {
            let other = self.other(movement.counterparty).await?;
            names.insert(movement.counterparty, other.clone());
            other
        };
        Ok(Movement {
            id: shown_id(movement.kind, movement.id),
            kind: movement.kind.name(),
            status,
            amount: movement.amount.amount(),
            balance_after: after.total(),
            balances_after: after,
            counterparty,
            at: movement.at.to_string(),
        })
    }

    async fn other(&self, counterparty: Counterparty) -> Result<Option<Other>, Problem> {
        let (kind, id, name) = match counterparty {
            Counterparty::None => return Ok(None),
            Counterparty::Shop(shop) => ("shop", shop.to_string(), self.shop_name(shop)?),
            Counterparty::Wallet(wallet) => ("wallet", wallet.to_string(), self.masked_name(wallet).await?),
            Counterparty::BankAccount(account) => ("bank_account", account.to_string(), None),
            Counterparty::Campaign(campaign) => ("campaign", campaign.to_string(), None),
        };
        Ok(Some(Other { kind, id, name }))
    }

    /// What people are told of a shop.
    pub fn shop_name(&self, shop: ShopId) -> Result<Option<String>, Problem> {
        Ok(self.doors.get::<ShopName>(shop.0)?.map(|kept| kept.name))
    }
}

fn shown_id(kind: Kind, id: domain::Id) -> String {
    match kind {
        Kind::TopUp => TopUpId(id).to_string(),
        Kind::Voucher => VoucherId(id).to_string(),
        Kind::Bonus => BonusId(id).to_string(),
        Kind::Payment => PaymentId(id).to_string(),
        Kind::Refund => RefundId(id).to_string(),
        Kind::Send | Kind::Receipt => SendId(id).to_string(),
        Kind::Payout => PayoutId(id).to_string(),
        Kind::Collection => WalletId(id).to_string(),
        Kind::Restitution => ReimbursementId(id).to_string(),
    }
}
