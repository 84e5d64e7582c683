//! The feed: reads what was committed, and makes of it what shops and the operator are told, and what shops are owed, day by
//! day.
//!
//! A step reads the journal from where the last one ended. What it makes and how far it came are saved in one transaction,
//! so each record counts once, whatever crashes. The file may be deleted: everything is then made again under the same ids.
//! Messages that are older than their whole schedule are not made any more.

use crate::doors::{Door, DoorsError, Transaction};
use crate::refusals;
use crate::service::Service;
use crate::webhooks::delivery::{Delivery, SCHEDULE_MS};
use crate::webhooks::event::{self, Told};
use crate::webhooks::operator;
use domain::{Day, Id, Time};
use engine::sqlite::SqliteJournal;
use engine::{EffectId, Record, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use wallet::movement::{self, Change};
use wallet::{OPERATOR, ShopId, Wallets};
use web::{Due, Problem};

/// Records that are read at a time.
const PAGE_RECORDS_MAX: usize = 1_024;
/// Pages of one step, which is one transaction.
const PAGES_MAX: usize = 4;

/// How far the feed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedCursor {
    /// The last record that was read.
    n: u64,
}

impl Door for FeedCursor {
    const TABLE: &'static str = "feed_cursor";

    fn id(&self) -> Id {
        Id::default()
    }
}

/// What moved between a shop and us on one business date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// Shop and date.
    pub key: Id,
    /// Whose.
    pub shop: ShopId,
    /// On which business date.
    pub day: Day,
    /// How many captures.
    pub payments: u64,
    /// What they came to, in yen.
    pub captured: i64,
    /// How many refunds.
    pub refunds: u64,
    /// What they came to, in yen.
    pub refunded: i64,
}

impl Door for Settlement {
    const TABLE: &'static str = "settlement";

    fn id(&self) -> Id {
        self.key
    }

    fn owner(&self) -> Option<Id> {
        Some(self.shop.0)
    }
}

impl Settlement {
    /// Nothing yet.
    pub fn new(service: &Service, shop: ShopId, day: Day) -> Self {
        let Id(mut bytes) = service.keys.secret("settlement", &shop.to_string());
        // The date comes first, so that a shop's rows are in its order.
        bytes[..4].copy_from_slice(&day.number().to_be_bytes());
        Self { key: Id(bytes), shop, day, payments: 0, captured: 0, refunds: 0, refunded: 0 }
    }

    fn count(&mut self, change: i64) {
        if change > 0 {
            self.payments += 1;
            self.captured += change;
        } else {
            self.refunds += 1;
            self.refunded -= change;
        }
    }

    fn add(&mut self, more: &Self) {
        self.payments += more.payments;
        self.captured += more.captured;
        self.refunds += more.refunds;
        self.refunded += more.refunded;
    }
}

/// What a step made.
#[derive(Default)]
struct Made {
    deliveries: Vec<Delivery>,
    settlements: BTreeMap<(ShopId, Day), Settlement>,
}

impl Service {
    /// Reads on in the journal: one step.
    pub async fn feed_shops(self: &Arc<Self>) -> Result<Due, Problem> {
        let status = self.engine.status().await.map_err(|error| refusals::engine_problem(&error))?;
        let kept: Option<FeedCursor> = self.work.get(Id::default())?;
        if kept.map_or(0, |cursor| cursor.n) == status.head.place.n {
            return Ok(Due::default());
        }
        let service = Arc::clone(self);
        let done = self.journals.read(move |journal| service.feed_step(journal)).await?;
        Ok(Due { done, next: None })
    }

    fn feed_step(&self, journal: &SqliteJournal) -> Result<usize, StoreError> {
        let kept: Option<FeedCursor> = self.work.get(Id::default()).map_err(|error| unusable(&error))?;
        let mut n = kept.map_or(0, |cursor| cursor.n);
        let (from, now, mut made) = (n, self.now(), Made::default());
        for _ in 0..PAGES_MAX {
            let page = journal.read(n + 1, PAGE_RECORDS_MAX)?;
            let Some(last) = page.last() else { break };
            n = last.place.n;
            for sealed in &page {
                self.feed_record(&Record::decode(sealed)?, now, &mut made);
            }
        }
        if n == from {
            let is_ahead = from > 0 && journal.get(from)?.is_none();
            let why = "the feed has read a record that the journal does not have. Was the journal restored from a \
                       backup? Stop the program and delete work.sqlite: what it holds is made again";
            return if is_ahead { Err(StoreError::Damaged(why.into())) } else { Ok(0) };
        }
        self.work.change(|work| keep(work, &made, n)).map_err(|error| unusable(&error))?;
        self.expect(&made.deliveries);
        Ok(usize::try_from(n - from).unwrap_or(usize::MAX))
    }

    fn feed_record(&self, record: &Record<Wallets>, now: Time, made: &mut Made) {
        let events = &record.entry.events;
        for (index, event) in events.iter().enumerate() {
            let Some(shop) = event::shop_of(event) else { continue };
            if let Some(Change::Settlement(change @ (..=-1 | 1..))) =
                movement::of_shop(event, shop).map(|line| line.change)
            {
                let (day, settlements) = (record.at.day(), &mut made.settlements);
                settlements.entry((shop, day)).or_insert_with(|| Settlement::new(self, shop, day)).count(change);
            }
            let effect = EffectId { place: record.place, index: u32::try_from(index).unwrap_or(u32::MAX) };
            if let Some(told) = self.hears(shop.0, record, now).then(|| event::told(events, index, shop)).flatten() {
                made.deliveries.extend(self.messages(shop.0, &told, &effect.to_string()));
            }
        }
        if !self.hears(OPERATOR, record, now) {
            return;
        }
        let whole = operator::told_of_record(record).map(|told| (u32::MAX, told));
        let parts = (0..).zip(events).filter_map(|(index, event)| Some((index, operator::told(event, record.at)?)));
        for (index, told) in whole.into_iter().chain(parts) {
            let effect = EffectId { place: record.place, index };
            made.deliveries.extend(self.messages(OPERATOR, &told, &format!("{effect} operator")));
        }
    }

    /// Whether `owner` has endpoints, and the record is young enough to be told.
    fn hears(&self, owner: Id, record: &Record<Wallets>, now: Time) -> bool {
        now.milliseconds_since(record.at) <= SCHEDULE_MS && self.endpoints.of(owner).is_some()
    }

    /// A message to each endpoint of `owner` that wants it.
    fn messages(&self, owner: Id, told: &Told, effect: &str) -> Vec<Delivery> {
        let endpoints = self.endpoints.of(owner);
        let wanting = endpoints.iter().flat_map(|endpoints| endpoints.iter());
        let wanting = wanting.filter(|endpoint| endpoint.wants(told.name) && endpoint.made <= told.at);
        wanting.map(|endpoint| told.to(&self.keys, effect, endpoint.key)).collect()
    }

    /// Tells the operator of something that stands in no record and happened at `at`: once, however often it is said of the
    /// same `effect`.
    pub fn tell_operator(&self, name: &'static str, effect: &str, at: Time, data: Value) -> Result<(), Problem> {
        let deliveries = self.messages(OPERATOR, &Told { name, at, data }, &format!("{name} {effect}"));
        if deliveries.is_empty() {
            return Ok(());
        }
        self.work.change(|work| deliveries.iter().try_for_each(|delivery| work.insert(delivery).map(drop)))?;
        self.expect(&deliveries);
        Ok(())
    }

    fn expect(&self, deliveries: &[Delivery]) {
        for delivery in deliveries {
            self.couriers.expect(delivery.endpoint, delivery.due);
        }
    }
}

fn keep(work: &Transaction<'_>, made: &Made, n: u64) -> Result<(), DoorsError> {
    for delivery in &made.deliveries {
        work.insert(delivery)?;
    }
    for settlement in made.settlements.values() {
        let mut kept: Settlement = work.get(settlement.key)?.unwrap_or(Settlement {
            payments: 0,
            captured: 0,
            refunds: 0,
            refunded: 0,
            ..*settlement
        });
        kept.add(settlement);
        work.put(&kept)?;
    }
    work.put(&FeedCursor { n })
}

fn unusable(error: &DoorsError) -> StoreError {
    StoreError::Unavailable(error.to_string())
}
