//! Ageing: money that came in a short while ago leaves only in small amounts a day.
//!
//! It is what gives a victim and the banks a day to notice. Money on its way back to the account it came from never counts.

use crate::canary;
use crate::limits::check_limit_until;
use crate::policy::AgeingPolicy;
use crate::purse::{Piece, Purse};
use crate::refusal::{Limit, Refusal};
use crate::wallet::Wallet;
use domain::Time;
use ledger::Yen;

/// How much of `pieces` is funds younger than the policy's age.
pub(crate) fn young(pieces: &[Piece], now: Time, policy: &AgeingPolicy) -> Yen {
    let young = pieces
        .iter()
        .filter(|piece| piece.purse == Purse::Funds && now.milliseconds_since(piece.lot.received) < policy.young_ms);
    Yen::checked_sum(young.map(|piece| piece.lot.amount)).unwrap_or(Yen::MAX)
}

/// Refuses if `young` more young money must not leave `wallet` today, by send or otherwise.
pub(crate) fn check(
    wallet: &Wallet,
    young: Yen,
    by_send: bool,
    now: Time,
    policy: &AgeingPolicy,
) -> Result<(), Refusal> {
    if young.is_zero() || canary::active("young_money_is_unchecked") {
        return Ok(());
    }
    let today = now.day();
    let tomorrow = || Some(today.plus(1));
    if by_send {
        let sent = wallet.counters.young_send.on(today);
        check_limit_until(Limit::YoungSend, policy.send_per_day_max, sent, young, tomorrow)?;
    }
    check_limit_until(Limit::Young, policy.per_day_max, wallet.counters.young.on(today), young, tomorrow)
}
