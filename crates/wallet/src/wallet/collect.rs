//! Collecting a debt: what lies in `funds` pays what its holder owes.
//!
//! A debt stands until it is paid, and while it stands no money leaves. What comes in by top-up stays where the holder sees
//! it, until the holder or the desk says that it pays the debt. What a case keeps is another's, and pays nothing.

use super::{Asker, Debt, Event, asked_of};
use crate::Receipt;
use crate::ids::WalletId;
use crate::payment::PIECES_MAX;
use crate::purse::{Piece, Purse};
use crate::refusal::{Noun, Refusal};
use crate::standing::Standing;
use crate::state::{Decided, Rows};
use domain::Moment;
use ledger::Yen;

/// The oldest lots pay the debts in the order in which they arose; what is left of either stays, and may be collected again.
/// Refusals in order: unknown or another's, nothing owed, nothing there.
pub(super) fn collect(rows: Rows<'_>, id: WalletId, by: Asker, moment: Moment) -> Decided {
    let wallet = asked_of(rows, id, by)?;
    if wallet.debts.is_empty() {
        return Err(Refusal::WrongStatus { noun: Noun::Wallet, status: Standing::OwesNothing });
    }
    let owed = Yen::checked_sum(wallet.debts.iter().map(|debt| debt.amount)).unwrap_or(Yen::MAX);
    let mut left = owed;
    let mut pieces = Vec::new();
    for lot in wallet.free_lots(Purse::Funds).iter().take(PIECES_MAX) {
        let piece = Piece { purse: Purse::Funds, lot: *lot };
        let part = lot.amount.min(left);
        if part.is_zero() {
            break;
        }
        pieces.push(piece.of(part));
        left = left.saturating_sub(part);
    }
    let mut paying = owed.saturating_sub(left);
    if paying.is_zero() {
        return Err(Refusal::InsufficientFunds { available: Yen::ZERO, requested: owed });
    }
    let mut debts = Vec::new();
    for debt in &wallet.debts {
        let amount = debt.amount.min(paying);
        if amount.is_zero() {
            break;
        }
        debts.push(Debt { lot: debt.lot, amount });
        paying = paying.saturating_sub(amount);
    }
    let event = Event::Collected { wallet: id, by, pieces, debts, at: moment.now };
    Ok((vec![crate::Event::Wallet(event)], Receipt::Wallet { id, status: wallet.status().into() }))
}
