//! Expiry: the codes that say "not me", by the day on which they are forgotten. What nobody can use any more stands in no row.
//!
//! A page lists the codes of a day whose ids end alike, and is made in the same commit as they are. A day without room leaves
//! its further codes where they are: their time is over all the same.

use super::ids::NotMeId;
use super::state::{Decided, Rows, not_me_key, wrong_row};
use super::{Event as Fact, Receipt, Row, table};
use domain::{Day, Id, Key, Moment};
use serde::{Deserialize, Serialize};

/// Pages a day.
pub const PAGES: u8 = 64;
/// Codes on one page, at most.
pub const PAGE_CODES_MAX: usize = 1_024;

/// A page of codes.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Page {
    /// The codes.
    pub codes: Vec<NotMeId>,
}

/// What is asked of pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The codes of a page are forgotten, once its day has come.
    Forget {
        /// The day.
        day: Day,
        /// Which of its pages.
        page: u8,
    },
}

/// What happens to pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A code will be forgotten on that day.
    Filed {
        /// Which.
        code: NotMeId,
        /// When.
        day: Day,
    },
    /// The codes of a page are forgotten.
    Forgotten {
        /// The day.
        day: Day,
        /// Which of its pages.
        page: u8,
        /// Which codes.
        codes: Vec<NotMeId>,
    },
}

/// The key of page number `page` of `day`.
pub fn key(day: Day, page: u8) -> Key {
    let day = u128::from(day.number().cast_unsigned());
    Key::new(table::EXPIRY, Id::from_number(day.wrapping_shl(8) | u128::from(page)))
}

/// The key of the page on which `code` is listed, if it is forgotten on `day`.
pub(crate) fn key_of(code: NotMeId, day: Day) -> Key {
    let [.., last] = code.0.0;
    key(day, last.checked_rem(PAGES).unwrap_or(0))
}

/// Lists `code`, if there is room.
pub(crate) fn file(rows: Rows<'_>, code: NotMeId, day: Day) -> Option<Fact> {
    let has_room = rows.expiry(key_of(code, day)).is_none_or(|page| page.codes.len() < PAGE_CODES_MAX);
    has_room.then_some(Fact::Expiry(Event::Filed { code, day }))
}

pub(crate) fn keys(command: &Command, keys: &mut Vec<Key>) {
    let Command::Forget { day, page } = command;
    keys.push(key(*day, *page));
}

pub(crate) fn keys_further(command: &Command, rows: Rows<'_>, keys: &mut Vec<Key>) {
    let Command::Forget { day, page } = command;
    keys.extend(rows.expiry(key(*day, *page)).into_iter().flat_map(|page| &page.codes).map(|code| not_me_key(*code)));
}

/// Nothing is refused: what is not there, or whose day has not come, stays as it is.
#[expect(clippy::unnecessary_wraps, reason = "every room decides in the same form")]
pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment) -> Decided {
    let Command::Forget { day, page } = command;
    let has_come = moment.now.day() >= *day;
    let listed = rows.expiry(key(*day, *page)).filter(|_| has_come);
    let forgotten = listed.map(|row| Event::Forgotten { day: *day, page: *page, codes: row.codes.clone() });
    Ok((forgotten.map(Fact::Expiry).into_iter().collect(), Receipt::Done))
}

impl Event {
    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        match self {
            Self::Filed { code, day } => each(key_of(*code, *day)),
            Self::Forgotten { day, page, codes } => {
                each(key(*day, *page));
                codes.iter().map(|code| not_me_key(*code)).for_each(each);
            }
        }
    }

    pub(crate) fn evolve(&self, key: Key, row: &mut Option<Row>) {
        match self {
            Self::Filed { code, .. } => {
                let Row::Expiry(page) = row.get_or_insert_with(|| Row::Expiry(Page::default())) else { wrong_row(key) };
                page.codes.push(*code);
            }
            Self::Forgotten { .. } => *row = None,
        }
    }
}
