//! Closing a wallet: for good, once nothing of the holder's money is in it.
//!
//! Funds are paid out first: one payout of all there is, to an account of the holder's own, whatever its size. Until it is over
//! the wallet is `closing`, and nothing else moves: paid, it is closed; not paid, the money is back and the wallet as it
//! was. Prepaid money must be spent first: its issuer may not pay it back (資金決済法 20 条 5 項), and it is not ours to take.
//! Points were given, and lapse: they are booked as what they are, something that will never be redeemed. Its links end with
//! it, so that the accounts are free for the same person's next wallet; their payout routes stay the person's.

use super::{Event, Wallet};
use crate::Receipt;
use crate::ids::{HolderId, PayoutId, WalletId};
use crate::mandate;
use crate::purse::Purse;
use crate::refusal::{Limit, Refusal};
use crate::state::{Decided, Rows};
use domain::Moment;
use ledger::Yen;

impl Wallet {
    /// Bonus that lapsed when it was closed.
    pub fn lapsed(&self) -> Yen {
        self.ties.as_ref().map_or(Yen::ZERO, |ties| ties.lapsed)
    }
}

/// Refusals in order: unknown or another's, closed, frozen, not settled, money left today.
pub(super) fn close(rows: Rows<'_>, id: WalletId, holder: HolderId, moment: Moment) -> Decided {
    let wallet = rows.wallet_of(id, holder)?;
    wallet.check_open()?;
    if let Some(payout) = wallet.closing() {
        return Ok(go_on(rows, id, wallet, payout, moment));
    }
    wallet.check_outflow()?;
    check_empty(wallet)?;
    check_today(wallet, moment)?;
    Ok(closed(rows, id, wallet, moment))
}

/// The last payout is over, or is not yet. What came in meanwhile, or came to be owed, keeps the wallet open.
fn go_on(
    rows: Rows<'_>,
    id: WalletId,
    wallet: &Wallet,
    payout: PayoutId,
    moment: Moment,
) -> (Vec<crate::Event>, Receipt) {
    if rows.payout(payout).is_some_and(|payout| payout.status.is_open()) {
        return (Vec::new(), Receipt::Wallet { id, status: "closing".into() });
    }
    if wallet.frozen_by.is_empty() && wallet.debts.is_empty() && check_empty(wallet).is_ok() {
        return closed(rows, id, wallet, moment);
    }
    let status = if wallet.frozen_by.is_empty() { "open" } else { "frozen" };
    let event = Event::ClosingEnded { wallet: id, payout, at: moment.now };
    (vec![crate::Event::Wallet(event)], Receipt::Wallet { id, status: status.into() })
}

fn closed(rows: Rows<'_>, id: WalletId, wallet: &Wallet, moment: Moment) -> (Vec<crate::Event>, Receipt) {
    let mut events = mandate::closing(rows, id, wallet, moment);
    let pieces = wallet.pieces(&[Purse::Bonus]);
    if !pieces.is_empty() {
        events.push(crate::Event::Wallet(Event::BonusLapsed { wallet: id, pieces, at: moment.now }));
    }
    let (holder, person) = (wallet.holder, wallet.person);
    events.push(crate::Event::Wallet(Event::Closed { wallet: id, holder, person, at: moment.now }));
    (events, Receipt::Wallet { id, status: "closed".into() })
}

/// Refuses to close after a payout of `amount` unless that is all there is to pay out, nothing else is left or under way, and
/// nothing left today.
pub(crate) fn check_last(wallet: &Wallet, amount: Yen, moment: Moment) -> Result<(), Refusal> {
    let pending = under_way(wallet);
    let funds = wallet.funds.account.available();
    let available = wallet.prepaid.account.available();
    let available = if amount == funds { available } else { available.checked_add(funds).unwrap_or(Yen::MAX) };
    if !available.is_zero() || !pending.is_zero() {
        return Err(Refusal::NotSettled { available, pending });
    }
    check_today(wallet, moment)
}

fn check_empty(wallet: &Wallet) -> Result<(), Refusal> {
    let pending = under_way(wallet);
    let available = wallet.available().saturating_sub(wallet.bonus.account.available());
    if available.is_zero() && pending.is_zero() { Ok(()) } else { Err(Refusal::NotSettled { available, pending }) }
}

fn under_way(wallet: &Wallet) -> Yen {
    wallet.held().checked_add(wallet.arriving()).unwrap_or(Yen::MAX)
}

/// Refuses if money left today: the sums of a day are the wallet's, and would begin anew with the next one.
fn check_today(wallet: &Wallet, moment: Moment) -> Result<(), Refusal> {
    let today = moment.now.day();
    let left_today = wallet.counters.left_on(today);
    if left_today.is_zero() {
        return Ok(());
    }
    Err(Refusal::LimitExceeded {
        limit: Limit::PerDay,
        at_most: 0,
        left: 0,
        requested: left_today.amount(),
        from: Some(today.plus(1)),
    })
}
