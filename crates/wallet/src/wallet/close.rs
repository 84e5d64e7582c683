//! Closing a wallet: for good, once nothing of the holder's money is in it.
//!
//! What money bought stays until it is spent or paid out. Points were given, and lapse: they are booked as what they are,
//! something that will never be redeemed. Its links end with it, so that the accounts are free for the same person's next
//! wallet; their payout routes stay the person's.

use super::{Event, Wallet};
use crate::Receipt;
use crate::ids::{HolderId, WalletId};
use crate::mandate;
use crate::purse::Purse;
use crate::refusal::{Limit, Refusal};
use crate::state::{Decided, Rows};
use domain::Moment;
use ledger::Yen;

/// Refusals in order: unknown or another's, closed, frozen, not settled, money left today: the sums of a day are the wallet's,
/// and would begin anew with the next one.
pub(super) fn close(rows: Rows<'_>, id: WalletId, holder: HolderId, moment: Moment) -> Decided {
    let wallet = rows.wallet_of(id, holder)?;
    wallet.check_outflow()?;
    check_settled(wallet)?;
    let today = moment.now.day();
    let left_today = wallet.counters.left_on(today);
    if !left_today.is_zero() {
        return Err(Refusal::LimitExceeded {
            limit: Limit::PerDay,
            at_most: 0,
            left: 0,
            requested: left_today.amount(),
            from: Some(today.plus(1)),
        });
    }
    let mut events = mandate::closing(rows, id, wallet, moment);
    let pieces = wallet.pieces(&[Purse::Bonus]);
    if !pieces.is_empty() {
        events.push(crate::Event::Wallet(Event::BonusLapsed { wallet: id, pieces, at: moment.now }));
    }
    events.push(crate::Event::Wallet(Event::Closed { wallet: id, holder, person: wallet.person, at: moment.now }));
    Ok((events, Receipt::Wallet { id, status: "closed".into() }))
}

fn check_settled(wallet: &Wallet) -> Result<(), Refusal> {
    let pending = wallet.held().checked_add(wallet.arriving()).unwrap_or(Yen::MAX);
    let available = wallet.available().saturating_sub(wallet.bonus.account.available());
    if available.is_zero() && pending.is_zero() { Ok(()) } else { Err(Refusal::NotSettled { available, pending }) }
}
