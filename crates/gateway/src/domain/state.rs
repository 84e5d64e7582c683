//! The rows that a command named, as nouns.

use super::comparison::Paper;
use super::ids::{AccountId, AccountRefId, BankCode, FindingId, MandateId, MovementId, NotMeId, NoticeId, OperatorId};
use super::refusal::{Noun, Refusal};
use super::{
    Event, Receipt, Row, account, bank, calendar, comparison, expiry, finding, mandate, movement, notice, open,
    operator, share, table,
};
use domain::{Key, State};

/// What a room decides: the facts and the receipt, or why not.
pub(crate) type Decided = Result<(Vec<Event>, Receipt), Refusal>;

/// The rows that a command named.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a>(pub(crate) &'a dyn State<Row>);

macro_rules! noun {
    ($(#[doc = $doc:literal] $name:ident, $key:ident, $id:ty, $raw:expr, $table:ident, $variant:ident, $row:ty;)+) => {
        impl<'a> Rows<'a> {$(
            #[doc = $doc]
            pub(crate) fn $name(self, id: $id) -> Option<&'a $row> {
                let key = $key(id);
                match self.0.row(key) {
                    None => None,
                    Some(Row::$variant(row)) => Some(row),
                    Some(_) => wrong_row(key),
                }
            }
        )+}

        $(
            #[doc = "The key of that row."]
            pub(crate) fn $key(id: $id) -> Key {
                let raw: fn($id) -> domain::Id = $raw;
                Key::new(table::$table, raw(id))
            }
        )+
    };
}

noun! {
    /// The bank with `id`.
    bank, bank_key, BankCode, BankCode::id, BANK, Bank, bank::Bank;
    /// When the bank with `id` is open.
    calendar, calendar_key, BankCode, BankCode::id, CALENDAR, Calendar, calendar::Calendar;
    /// The account with `id`.
    account, account_key, AccountId, |id| id.0, ACCOUNT, Account, account::Account;
    /// What an operator calls `id`.
    account_ref, account_ref_key, AccountRefId, |id| id.0, ACCOUNT_REF, AccountRef, account::AccountRef;
    /// The code with `id`.
    not_me, not_me_key, NotMeId, |id| id.0, NOT_ME, NotMe, account::NotMe;
    /// The mandate with `id`.
    mandate, mandate_key, MandateId, |id| id.0, MANDATE, Mandate, mandate::Mandate;
    /// The movement with `id`.
    movement, movement_key, MovementId, |id| id.0, MOVEMENT, Movement, movement::Movement;
    /// The notice with `id`.
    notice, notice_key, NoticeId, |id| id.0, NOTICE, Notice, notice::Notice;
    /// The finding with `id`.
    finding, finding_key, FindingId, |id| id.0, FINDING, Finding, finding::Finding;
    /// How far a paper of a bank is compared.
    comparison, comparison_key, (BankCode, Paper), comparison::row_id, COMPARISON, Comparison, comparison::Comparison;
}

impl<'a> Rows<'a> {
    /// The list of operators, if there was ever one.
    pub(crate) fn operators(self) -> Option<&'a operator::Operators> {
        match self.0.row(operator::OPERATORS_KEY) {
            None => None,
            Some(Row::Operators(row)) => Some(row),
            Some(_) => wrong_row(operator::OPERATORS_KEY),
        }
    }

    /// The operator with `id`.
    pub(crate) fn operator(self, id: OperatorId) -> Option<&'a operator::Operator> {
        self.operators()?.operators.iter().find(|operator| operator.id == id)
    }

    /// The event of that number that `operator` was told.
    pub(crate) fn told(self, operator: OperatorId, n: u64) -> Option<&'a operator::Told> {
        let key = operator::told_key(operator, n.min(operator::TOLD_MAX));
        match self.0.row(key) {
            None => None,
            Some(Row::Told(row)) => Some(row),
            Some(_) => wrong_row(key),
        }
    }

    /// What somebody has open, by one of the keys of [`share::Whose`].
    pub(crate) fn share(self, key: Key) -> Option<&'a share::Share> {
        match self.0.row(key) {
            None => None,
            Some(Row::Share(row)) => Some(row),
            Some(_) => wrong_row(key),
        }
    }

    /// Codes that are forgotten on one day, by a key of [`expiry`].
    pub(crate) fn expiry(self, key: Key) -> Option<&'a expiry::Page> {
        match self.0.row(key) {
            None => None,
            Some(Row::Expiry(row)) => Some(row),
            Some(_) => wrong_row(key),
        }
    }

    /// Whether the page under `key` lists `thing`.
    pub(crate) fn lists(self, key: Key, thing: open::Thing) -> bool {
        match self.0.row(key) {
            None => false,
            Some(Row::Open(page)) => page.things.contains(&thing),
            Some(_) => wrong_row(key),
        }
    }

    /// Refuses if `bank` has no room for one more open thing.
    pub(crate) fn check_room(self, thing: open::Thing, bank: BankCode) -> Result<(), Refusal> {
        let key = thing.page_key(bank);
        match self.0.row(key) {
            None => Ok(()),
            Some(Row::Open(page)) if page.has_room() => Ok(()),
            Some(Row::Open(_)) => Err(Refusal::Full { noun: Noun::Bank }),
            Some(_) => wrong_row(key),
        }
    }
}

#[expect(clippy::panic, reason = "a row of another noun under a key is our own bug")]
pub(crate) fn wrong_row(key: Key) -> ! {
    panic!("the row at {key:?} is of another noun")
}
