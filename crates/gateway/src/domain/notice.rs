//! Notices that are owed: somebody knew a first factor of an account, and its true holder has not been told yet.
//!
//! What is owed stands on the bank's pages of open work until the bank has sent it, so that no restart loses it. Where it is
//! told with a link, in one notice, that notice pays it.

use super::account::{self, Details, NoticeKind};
use super::ids::{AccountId, BankCode, MandateId, NoticeId, OperatorId};
use super::open::{self, Thing};
use super::state::{Decided, Rows, account_key, notice_key, wrong_row};
use super::{Event as Fact, Receipt, Row, table};
use domain::{Key, Moment, Time, Value};
use serde::{Deserialize, Serialize};

/// A notice that is owed, or was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Whose account.
    pub account: AccountId,
    /// At which bank.
    pub bank: BankCode,
    /// Why.
    pub kind: NoticeKind,
    /// The mandate that was tried for.
    pub mandate: MandateId,
    /// Of which operator.
    pub operator: OperatorId,
    /// Since when.
    pub owed: Time,
    /// When the bank had sent it.
    pub told: Option<Time>,
}

/// What is asked of notices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// One is owed from now on.
    Owe {
        /// Its id.
        notice: NoticeId,
        /// Whose account.
        account: AccountId,
        /// What the account is.
        details: Details,
        /// Why.
        kind: NoticeKind,
        /// The mandate that was tried for.
        mandate: MandateId,
        /// Of which operator.
        operator: OperatorId,
    },
    /// The bank has sent it, or another one that says it too.
    Tell {
        /// Which.
        notice: NoticeId,
    },
}

/// What happened to notices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// One is owed.
    Owed {
        /// Its id.
        notice: NoticeId,
        /// What it is.
        row: Notice,
    },
    /// It was sent.
    Told {
        /// Which.
        notice: NoticeId,
        /// By which bank.
        bank: BankCode,
        /// When.
        at: Time,
    },
}

pub(crate) fn keys(command: &Command, keys: &mut Vec<Key>) {
    match command {
        Command::Owe { notice, account, details, .. } => {
            keys.extend([notice_key(*notice), account_key(*account), Thing::Notice(*notice).page_key(details.bank)]);
        }
        Command::Tell { notice } => keys.push(notice_key(*notice)),
    }
}

pub(crate) fn keys_further(command: &Command, rows: Rows<'_>, keys: &mut Vec<Key>) {
    match command {
        Command::Owe { .. } => {}
        Command::Tell { notice } => {
            keys.extend(rows.notice(*notice).map(|row| Thing::Notice(*notice).page_key(row.bank)));
        }
    }
}

/// Refusals: no room. What was told already, or never owed, needs nothing more.
pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment) -> Decided {
    let at = moment.now;
    let mut events = Vec::new();
    match command {
        Command::Owe { notice, account, details, kind, mandate, operator } => {
            if rows.notice(*notice).is_some() {
                return Ok((events, Receipt::Done));
            }
            rows.check_room(Thing::Notice(*notice), details.bank)?;
            if rows.account(*account).is_none() {
                events.push(Fact::Account(account::Event::Seen { account: *account, details: details.clone() }));
            }
            let (account, bank, kind, mandate, operator) = (*account, details.bank, *kind, *mandate, *operator);
            let row = Notice { account, bank, kind, mandate, operator, owed: at, told: None };
            events.push(Fact::Notice(Event::Owed { notice: *notice, row }));
        }
        Command::Tell { notice } => {
            let owed = rows.notice(*notice).filter(|row| row.told.is_none());
            events.extend(owed.map(|row| Fact::Notice(Event::Told { notice: *notice, bank: row.bank, at })));
        }
    }
    Ok((events, Receipt::Done))
}

impl Event {
    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        let (notice, bank) = match self {
            Self::Owed { notice, row } => (*notice, row.bank),
            Self::Told { notice, bank, .. } => (*notice, *bank),
        };
        each(notice_key(notice));
        each(Thing::Notice(notice).page_key(bank));
    }

    pub(crate) fn evolve(&self, key: Key, row: &mut Option<Row>) {
        match self {
            Self::Owed { notice, .. } if key.table == table::OPEN => open::add(key, row, Thing::Notice(*notice)),
            Self::Told { notice, .. } if key.table == table::OPEN => open::remove(key, row, Thing::Notice(*notice)),
            Self::Owed { row: owed, .. } => *row = Some(Row::Notice(*owed)),
            Self::Told { at, .. } => {
                let Some(Row::Notice(notice)) = row else { wrong_row(key) };
                notice.told = Some(*at);
            }
        }
    }
}

impl Notice {
    pub(crate) fn columns(&self) -> [Value; 3] {
        [
            Value::Integer(i64::from(self.bank.number())),
            Value::Integer(self.owed.milliseconds()),
            self.told.map_or(Value::Null, |told| Value::Integer(told.milliseconds())),
        ]
    }
}
