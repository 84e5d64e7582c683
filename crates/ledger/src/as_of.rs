//! Balances as they were at any point in time, from the history alone: no store, no snapshot.

use crate::account::Account;
use crate::event::Event;
use crate::ledger::{Ledger, Row, account_key};
use domain::{Domain, Id, Time};

/// The sums of account `id` as of `time`, that moment included; none if it was not open yet.
///
/// `history` is the ledger's events from the very first on, in the order of the journal, whose time never steps back.
pub fn account_as_of<'a>(id: Id, time: Time, history: impl IntoIterator<Item = (Time, &'a Event)>) -> Option<Account> {
    let key = account_key(id);
    let mut row = None;
    let mut touched = Vec::new();
    for (_, event) in history.into_iter().take_while(|(happened, _)| *happened <= time) {
        touched.clear();
        Ledger::touches(event, &mut touched);
        if touched.contains(&key) {
            Ledger::evolve(key, &mut row, event);
        }
    }
    row.as_ref().map(Row::account).copied()
}
