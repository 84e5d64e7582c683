//! Lists: what a holder or a shop sees of what moved, newest first.
//!
//! There is no table of movements: a row names the last record that changed it, each record names the one before, and
//! [`wallet::movement`] says what a list shows of each. Every read is short: it looks at no more than
//! [`LIST_RECORDS_MAX`] records and then says where to go on. Whose list may be seen is for the caller to know.
//! Start reading at [`of_wallet`].

use domain::Key;
use engine::{JournalReader, Place, Record, StoreError, Stored, history};
use wallet::movement::{self, Movement};
use wallet::{Event, PaymentId, Row, ShopId, WalletId, Wallets, chart, payment, table};

/// Records that one read looks at: about ten milliseconds.
pub const LIST_RECORDS_MAX: usize = 500;
/// Movements in one page of a list.
pub const LIST_MOVEMENTS_MAX: usize = 100;

/// Where a list goes on: at a record, behind the first of its movements that were shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The record.
    pub place: Place,
    /// How many of its movements were shown.
    pub shown: usize,
}

/// A movement in a list, with the record that it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The record.
    pub place: Place,
    /// The movement.
    pub movement: Movement,
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The movements, newest first. There may be none although the list goes on.
    pub lines: Vec<Line>,
    /// Where to go on; `None` at the end.
    pub next: Option<Cursor>,
}

impl Cursor {
    /// The newest end of the list of the row that was read as `stored`.
    pub fn newest(stored: &Stored<Row>) -> Self {
        Self { place: stored.place, shown: 0 }
    }
}

/// The row whose chain the list of `wallet` follows.
pub const fn wallet_key(wallet: WalletId) -> Key {
    Key::new(table::WALLET, wallet.0)
}

/// The row whose chain the list of `shop` follows; there is none before its first payment.
pub fn shop_key(shop: ShopId) -> Key {
    chart::key(chart::settlement(shop))
}

/// A page of what the holder of `wallet` sees, from `cursor` on: at most `limit` movements.
pub fn of_wallet(
    journal: &impl JournalReader,
    wallet: WalletId,
    cursor: Cursor,
    limit: usize,
) -> Result<Page, StoreError> {
    list(journal, wallet_key(wallet), cursor, limit, |event| movement::of_wallet(event, wallet))
}

/// A page of what `shop` sees, from `cursor` on: at most `limit` movements.
pub fn of_shop(journal: &impl JournalReader, shop: ShopId, cursor: Cursor, limit: usize) -> Result<Page, StoreError> {
    list(journal, shop_key(shop), cursor, limit, |event| movement::of_shop(event, shop))
}

fn list(
    journal: &impl JournalReader,
    key: Key,
    cursor: Cursor,
    limit: usize,
    shown: impl Fn(&Event) -> Option<Movement>,
) -> Result<Page, StoreError> {
    let limit = limit.clamp(1, LIST_MOVEMENTS_MAX);
    let mut lines = Vec::with_capacity(limit);
    let mut next = Some(cursor);
    let mut records_left = LIST_RECORDS_MAX;
    while let Some(from) = next.filter(|_| records_left > 0) {
        // Most records have one movement: as many as are missing, and one more where a page began inside a record.
        let wanted = (limit - lines.len() + 1).min(records_left);
        let (records, place) = history::<Wallets>(journal, key, from.place, wanted)?;
        records_left -= records.len().min(records_left);
        for (index, record) in records.iter().enumerate() {
            let skipped = if index == 0 { from.shown } else { 0 };
            for (position, line) in lines_of(record, &shown).enumerate().skip(skipped) {
                if lines.len() == limit {
                    return Ok(Page { lines, next: Some(Cursor { place: record.place, shown: position }) });
                }
                lines.push(line);
            }
        }
        next = place.map(|place| Cursor { place, shown: 0 });
    }
    Ok(Page { lines, next })
}

/// Whether `line` is the newest that the list of `wallet` shows of its movement, of those up to the record `until`. `key` is the
/// movement's own row, and `newest` the last record that changed it.
pub fn is_newest(
    journal: &impl JournalReader,
    wallet: WalletId,
    line: &Line,
    key: Key,
    newest: Place,
    until: u64,
) -> Result<bool, StoreError> {
    let is_of_it = |other: &Movement| other.kind == line.movement.kind && other.id == line.movement.id;
    let mut next = Some(newest);
    let mut records_left = LIST_RECORDS_MAX;
    while let Some(from) = next.filter(|place| place.n >= line.place.n && records_left > 0) {
        let (records, place) = history::<Wallets>(journal, key, from, NEWEST_RECORDS)?;
        records_left -= records.len().min(records_left);
        for record in records.iter().filter(|record| record.place.n <= until) {
            // What did not change the wallet is not in its list.
            let is_listed = record.entry.touched.iter().any(|touch| touch.key == wallet_key(wallet));
            let shown = lines_of(record, |event| movement::of_wallet(event, wallet).filter(is_of_it)).next();
            if let Some(shown) = shown.filter(|_| is_listed) {
                return Ok(shown == *line);
            }
        }
        next = place;
    }
    Ok(true)
}

/// Records that are read at a time to find a movement's newest line: the newest is mostly the first.
const NEWEST_RECORDS: usize = 8;

/// What a list shows of one record, newest first.
fn lines_of(record: &Record<Wallets>, shown: impl Fn(&Event) -> Option<Movement>) -> impl Iterator<Item = Line> {
    let place = record.place;
    record.entry.events.iter().rev().filter_map(move |event| shown(event).map(|movement| Line { place, movement }))
}

/// A part of a shop's payments, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payments {
    /// The payments, each once, where it began. There may be none although the list goes on.
    pub payments: Vec<PaymentId>,
    /// Where to go on; `None` at the end.
    pub next: Option<Cursor>,
}

/// A page of the payments that began at `shop`, from `cursor` on: at most `limit`.
pub fn payments_of_shop(
    journal: &impl JournalReader,
    shop: ShopId,
    cursor: Cursor,
    limit: usize,
) -> Result<Payments, StoreError> {
    let began = |event: &Event| {
        let is_begin = matches!(event, Event::Payment(payment::Event::Paid(_) | payment::Event::Authorised { .. }));
        movement::of_shop(event, shop).filter(|_| is_begin)
    };
    let page = list(journal, shop_key(shop), cursor, limit, began)?;
    let payments = page.lines.iter().map(|line| PaymentId(line.movement.id)).collect();
    Ok(Payments { payments, next: page.next })
}
