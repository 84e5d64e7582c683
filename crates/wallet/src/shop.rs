//! Shops: who takes payments.

use crate::ids::ShopId;
use crate::refusal::{Noun, Refusal};
use crate::standing::Standing;
use crate::state::{Decided, Rows, wrong_row};
use crate::{Receipt, Row, table};
use domain::{Key, Moment, Time};
use serde::{Deserialize, Serialize};

/// A shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shop {
    /// When it joined.
    pub opened: Time,
    /// It takes no new payment; refunds go on.
    pub closed: bool,
}

/// What is asked of a shop's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Let a shop join.
    Open {
        /// Its id.
        shop: ShopId,
    },
    /// Let it take no new payment.
    Close {
        /// Which.
        shop: ShopId,
    },
}

/// What happened to a shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// It joined.
    Opened {
        /// Which.
        shop: ShopId,
        /// When.
        at: Time,
    },
    /// It takes no new payment.
    Closed {
        /// Which.
        shop: ShopId,
    },
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Open { .. } => "shop.open",
            Self::Close { .. } => "shop.close",
        }
    }
}

pub(crate) fn keys(command: &Command, keys: &mut Vec<Key>) {
    let (Command::Open { shop } | Command::Close { shop }) = command;
    keys.push(Key::new(table::SHOP, shop.0));
}

pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment) -> Decided {
    match command {
        Command::Open { shop } if rows.shop(*shop).is_some() => Err(Refusal::Taken { noun: Noun::Shop, id: shop.0 }),
        Command::Open { shop } => {
            let event = Event::Opened { shop: *shop, at: moment.now };
            Ok((vec![crate::Event::Shop(event)], Receipt::Shop { id: *shop }))
        }
        Command::Close { shop } => match rows.shop(*shop) {
            None => Err(Refusal::Unknown { noun: Noun::Shop }),
            Some(row) if row.closed => Err(Refusal::WrongStatus { noun: Noun::Shop, status: Standing::Closed }),
            Some(_) => {
                let event = Event::Closed { shop: *shop };
                Ok((vec![crate::Event::Shop(event)], Receipt::Shop { id: *shop }))
            }
        },
    }
}

impl Event {
    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        let (Self::Opened { shop, .. } | Self::Closed { shop }) = self;
        each(Key::new(table::SHOP, shop.0));
    }

    pub(crate) fn evolve(&self, row: &mut Option<Row>) {
        match (self, row) {
            (Self::Opened { at, .. }, row @ None) => *row = Some(Row::Shop(Shop { opened: *at, closed: false })),
            (Self::Closed { .. }, Some(Row::Shop(shop))) => shop.closed = true,
            (Self::Opened { shop, .. } | Self::Closed { shop }, _) => wrong_row(Key::new(table::SHOP, shop.0)),
        }
    }
}
