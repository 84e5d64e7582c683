//! Movements: what a holder sees of their wallet, newest first, each with the balance after it.
//!
//! The list follows the wallet's own chain in the journal; the balance after a movement is counted back from the newest.
//! A cursor carries the balance that it had come to, sealed, so that every page begins where the last one ended.

use crate::api::ids;
use crate::api::shops::{place_bytes, read_place};
use crate::entrance::Holder;
use crate::lists::{self, Cursor, Line, wallet_key};
use crate::query::{self, Page, Query};
use crate::service::Service;
use crate::shops::ShopName;
use axum::extract::{Path, State};
use domain::{Day, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wallet::movement::{Change, Counterparty, Kind};
use wallet::{BonusId, Noun, PaymentId, PayoutId, Purse, RefundId, Row, SendId, ShopId, TopUpId, VoucherId, WalletId};
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
    /// How far it came by this.
    status: &'static str,
    /// What it is about, in yen.
    #[schema(value_type = i64)]
    amount: i64,
    /// By how much this changed what is available, in yen; negative where money left.
    change: i64,
    /// What was available in all purses afterwards, in yen.
    balance_after: i64,
    /// The same by purse.
    balances_after: Balances,
    /// Who stands at the other end.
    counterparty: Option<Other>,
    /// When.
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
}

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
    let position = match which.cursor {
        Some(cursor) => read_position(query::read_cursor::<42>(&service.keys, &name, &cursor)?),
        None => newest,
    };
    let walk = move |journal: &engine::sqlite::SqliteJournal| walk(journal, id, position, filter, limit);
    let (found, next) = service.journals.read(walk).await?;
    let mut names = BTreeMap::new();
    let mut data = Vec::with_capacity(found.len());
    for (line, after) in found {
        data.push(service.present(&line, after, &mut names).await?);
    }
    let next_cursor = next.map(|next| query::cursor(&service.keys, &name, &position_bytes(next)));
    Ok(Json(Page { data, next_cursor }))
}

type Found = (Vec<(Line, Balances)>, Option<Position>);

/// Follows the chain from `position` until there are `limit` lines that `filter` shows, or enough was looked at.
fn walk(
    journal: &engine::sqlite::SqliteJournal,
    wallet: WalletId,
    mut position: Position,
    filter: Filter,
    limit: usize,
) -> Result<Found, engine::StoreError> {
    let mut found = Vec::new();
    for _ in 0..PARTS_MAX {
        let page = lists::of_wallet(journal, wallet, position.cursor, limit - found.len())?;
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
        match page.next {
            Some(cursor) => position.cursor = cursor,
            None => return Ok((found, None)),
        }
        if found.len() == limit {
            break;
        }
    }
    Ok((found, Some(position)))
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

fn position_bytes(position: Position) -> [u8; 42] {
    let mut bytes = [0; 42];
    bytes[..18].copy_from_slice(&place_bytes(position.cursor));
    let Balances { funds, prepaid, bonus } = position.available;
    for (chunk, amount) in bytes[18..].chunks_exact_mut(8).zip([funds, prepaid, bonus]) {
        chunk.copy_from_slice(&amount.to_be_bytes());
    }
    bytes
}

fn read_position(bytes: [u8; 42]) -> Position {
    let mut place = [0; 18];
    place.copy_from_slice(&bytes[..18]);
    let amount = |at: usize| {
        let mut amount = [0; 8];
        amount.copy_from_slice(&bytes[at..at + 8]);
        i64::from_be_bytes(amount)
    };
    let available = Balances { funds: amount(18), prepaid: amount(26), bonus: amount(34) };
    Position { cursor: read_place(place), available }
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
                Ok(Position { cursor: Cursor::newest(&stored), available })
            }
            Some(_) | None => Err(ids::unknown(Noun::Wallet)),
        }
    }

    async fn present(
        &self,
        line: &Line,
        after: Balances,
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
            status: movement.status,
            amount: movement.amount.amount(),
            change: after.total() - after.before(movement.change).total(),
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
    }
}
