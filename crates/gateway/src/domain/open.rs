//! What is still to be done: movements without a final answer, mandates with a deadline, notices that are owed and findings
//! that nobody has resolved, in pages by bank.
//!
//! A page is a row, so it changes in the same commit as what it lists, and a restart finds all open work by reading the
//! pages alone. Which page a thing is on follows from its id.

use super::ids::{BankCode, FindingId, MandateId, MovementId, NoticeId};
use super::state::wrong_row;
use super::{Row, table};
use domain::{Id, Key};
use serde::{Deserialize, Serialize};

/// Pages a bank, for what is still to be done.
pub const PAGES: u16 = 16;
/// Pages a bank beside them, for findings: however much a bank's file has that is not ours, there is room for movements,
/// mandates and notices.
pub const FINDING_PAGES: u16 = 16;
/// Things on one page, at most.
pub const PAGE_THINGS_MAX: usize = 512;

/// A thing that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Thing {
    /// A movement: the bank is to be asked.
    Movement(MovementId),
    /// A mandate: its time may run out.
    Mandate(MandateId),
    /// A notice: the bank is to send it.
    Notice(NoticeId),
    /// A finding: the desk is to say what became of it.
    Finding(FindingId),
}

/// A page: what is open, in order.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Page {
    /// The things.
    pub things: Vec<Thing>,
}

impl Thing {
    /// The key of the page that `bank` has for it.
    pub fn page_key(self, bank: BankCode) -> Key {
        let (id, first, pages) = match self {
            Self::Movement(id) => (id.0, 0, PAGES),
            Self::Mandate(id) => (id.0, 0, PAGES),
            Self::Notice(id) => (id.0, 0, PAGES),
            Self::Finding(id) => (id.0, PAGES, FINDING_PAGES),
        };
        let [.., last] = id.0;
        key(bank, u16::from(last).checked_rem(pages).unwrap_or(0).saturating_add(first))
    }
}

/// The key of the page of `bank` that a finding with this id was on before findings had pages of their own. What an event of then
/// touches is part of what it means: this never changes.
pub fn page_before(finding: Id, bank: BankCode) -> Key {
    let [.., last] = finding.0;
    key(bank, u16::from(last & 15))
}

/// The key of page number `page` of `bank`.
pub fn key(bank: BankCode, page: u16) -> Key {
    let number = u128::from(bank.number()).wrapping_shl(16) | u128::from(page);
    Key::new(table::OPEN, Id::from_number(number))
}

impl Page {
    /// Whether one more fits.
    pub fn has_room(&self) -> bool {
        self.things.len() < PAGE_THINGS_MAX
    }
}

pub(crate) fn add(key: Key, row: &mut Option<Row>, thing: Thing) {
    let Row::Open(page) = row.get_or_insert_with(|| Row::Open(Page::default())) else { wrong_row(key) };
    if let Err(index) = page.things.binary_search(&thing) {
        page.things.insert(index, thing);
    }
}

pub(crate) fn remove(key: Key, row: &mut Option<Row>, thing: Thing) {
    let Some(Row::Open(page)) = row else { wrong_row(key) };
    page.things.retain(|open| *open != thing);
}
