//! Notices that are owed: somebody knew a first factor of an account, and its true holder has not been told yet.
//!
//! What is owed stands on the bank's pages of open work until the bank has sent it, or somebody of the gateway's desk says why it
//! never will: no restart loses it, and no number of failures writes it off. Where it is
//! told with a link, in one notice, that notice pays it.

use super::account::{self, Details, NoticeKind};
use super::bank::shortened;
use super::finding::Resolution;
use super::ids::{AccountId, BankCode, MandateId, NoticeId, OperatorId, StaffId};
use super::open::{self, Thing};
use super::refusal::Noun;
use super::state::{Decided, Rows, account_key, bank_key, notice_key, wrong_row};
use super::{Context, Event as Fact, Receipt, Refusal, Row, share, table};
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
    /// When the bank had sent it, or somebody said why it never will be: it is owed no more.
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
    /// Two people say why the holder will not be told: nothing but their word ends what a bank does not send.
    GiveUp {
        /// Which.
        notice: NoticeId,
        /// Who.
        by: StaffId,
        /// Why.
        reason: String,
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
    /// It will not be sent.
    GivenUp {
        /// Which.
        notice: NoticeId,
        /// By which bank.
        bank: BankCode,
        /// Who said so, why and when.
        resolution: Resolution,
    },
}

pub(crate) fn keys(command: &Command, keys: &mut Vec<Key>) {
    match command {
        Command::Owe { notice, account, details, operator, .. } => {
            keys.extend([notice_key(*notice), account_key(*account), Thing::Notice(*notice).page_key(details.bank)]);
            keys.push(share::owed_key(*operator, details.bank));
        }
        Command::Tell { notice } | Command::GiveUp { notice, .. } => keys.push(notice_key(*notice)),
    }
}

pub(crate) fn keys_further(command: &Command, rows: Rows<'_>, keys: &mut Vec<Key>) {
    match command {
        Command::Owe { .. } => {}
        Command::Tell { notice } | Command::GiveUp { notice, .. } => {
            let Some(row) = rows.notice(*notice) else { return };
            keys.extend([Thing::Notice(*notice).page_key(row.bank), share::owed_key(row.operator, row.bank)]);
            keys.push(bank_key(row.bank));
        }
    }
}

/// Refusals: the account's holder was told often enough today; too much is owed of the operator; no room. What was told already,
/// or never owed, needs nothing more. What is given up must be owed.
pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment, context: &Context) -> Decided {
    let at = moment.now;
    let mut events = Vec::new();
    match command {
        Command::Owe { notice, account, details, kind, mandate, operator } => {
            if rows.notice(*notice).is_some() {
                return Ok((events, Receipt::Done));
            }
            let known = rows.account(*account);
            let told_today = known.map_or(0, |known| known.first_factors_on(at.day()));
            // The first of a day goes, whatever the policy says.
            if told_today > 0 && told_today >= context.policy.first_factor_notices_max {
                return Err(Refusal::AlreadyTold);
            }
            share::check_owed(rows, *operator, details.bank, context)?;
            rows.check_room(Thing::Notice(*notice), details.bank)?;
            if known.is_none() {
                events.push(Fact::Account(account::Event::Seen { account: *account, details: details.clone() }));
            }
            let (account, bank, kind, mandate, operator) = (*account, details.bank, *kind, *mandate, *operator);
            let row = Notice { account, bank, kind, mandate, operator, owed: at, told: None };
            events.push(Fact::Notice(Event::Owed { notice: *notice, row }));
            events.push(Fact::Account(account::Event::Owed { account, at }));
            events.push(Fact::Share(share::Event::Owed(operator, bank)));
        }
        Command::Tell { notice } => {
            if let Some(row) = rows.notice(*notice).filter(|row| row.told.is_none()) {
                events.push(Fact::Notice(Event::Told { notice: *notice, bank: row.bank, at }));
                events.push(Fact::Share(share::Event::Told(row.operator, row.bank)));
            }
        }
        Command::GiveUp { notice, by, reason } => {
            let row = rows.notice(*notice).ok_or(Refusal::Unknown { noun: Noun::Finding })?;
            if row.told.is_some() {
                return Err(Refusal::WrongStatus { noun: Noun::Finding, status: "resolved".into() });
            }
            let resolution = Resolution { by: *by, reason: shortened(reason), at };
            events.push(Fact::Notice(Event::GivenUp { notice: *notice, bank: row.bank, resolution }));
            events.push(Fact::Share(share::Event::Told(row.operator, row.bank)));
        }
    }
    Ok((events, Receipt::Done))
}

impl Event {
    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        let (notice, bank) = match self {
            Self::Owed { notice, row } => (*notice, row.bank),
            Self::Told { notice, bank, .. } | Self::GivenUp { notice, bank, .. } => (*notice, *bank),
        };
        each(notice_key(notice));
        each(Thing::Notice(notice).page_key(bank));
    }

    pub(crate) fn evolve(&self, key: Key, row: &mut Option<Row>) {
        match self {
            Self::Owed { notice, .. } if key.table == table::OPEN => open::add(key, row, Thing::Notice(*notice)),
            Self::Told { notice, .. } | Self::GivenUp { notice, .. } if key.table == table::OPEN => {
                open::remove(key, row, Thing::Notice(*notice));
            }
            Self::Owed { row: owed, .. } => *row = Some(Row::Notice(*owed)),
            Self::Told { at, .. } | Self::GivenUp { resolution: Resolution { at, .. }, .. } => {
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
