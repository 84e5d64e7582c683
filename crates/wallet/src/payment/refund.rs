//! Refunds: money goes back where it came from.

use super::{Event, Payment, REFUNDS_MAX, Status, payment_of};
use crate::Receipt;
use crate::canary;
use crate::ids::{PaymentId, RefundId, ShopId};
use crate::limits::check_limit;
use crate::purse::{Piece, Purse};
use crate::refusal::{Limit, Noun, Refusal};
use crate::state::{Decided, Rows};
use crate::wallet::Wallet;
use domain::Moment;
use ledger::Yen;

/// Refusals in order: amount, unknown, id taken, not captured, too many refunds, more than is left.
pub(super) fn refund(
    rows: Rows<'_>,
    refund: RefundId,
    id: PaymentId,
    shop: ShopId,
    amount: Yen,
    moment: Moment,
) -> Decided {
    if amount.is_zero() {
        return Err(Refusal::AmountZero);
    }
    let payment = payment_of(rows, id, shop)?;
    let wallet = rows.wallet(payment.wallet).ok_or(Refusal::Unknown { noun: Noun::Wallet })?;
    if payment.refunds.iter().any(|(taken, _)| *taken == refund) {
        return Err(Refusal::Taken { noun: Noun::Refund, id: refund.0 });
    }
    if payment.status != Status::Captured {
        return Err(Refusal::WrongStatus { noun: Noun::Payment, status: payment.status.into() });
    }
    if payment.refunds.len() >= REFUNDS_MAX {
        return Err(Refusal::full(Limit::Refunds, REFUNDS_MAX));
    }
    check_limit(Limit::PerTime, payment.captured, payment.refunded, amount)?;

    let mut back = Destinations::default();
    for piece in last_pieces(payment, amount) {
        back.give_back(piece, wallet);
    }
    let refunded = payment.refunded.checked_add(amount).unwrap_or(Yen::MAX);
    let receipt = Receipt::Refund { id: refund, payment: id, amount, payment_refunded: refunded };
    let event = Event::Refunded {
        refund,
        payment: id,
        wallet: payment.wallet,
        shop,
        to_purses: back.purses,
        to_debts: back.debts,
        to_suspense: back.suspense,
        at: moment.now,
    };
    Ok((vec![crate::Event::Payment(event)], receipt))
}

/// The last pieces of `payment` that make up `amount`.
fn last_pieces(payment: &Payment, amount: Yen) -> Vec<Piece> {
    let mut left = amount;
    let mut pieces = Vec::new();
    for piece in payment.pieces.iter().rev() {
        let taken = piece.lot.amount.min(left);
        if !taken.is_zero() {
            pieces.push(piece.of(taken));
        }
        left = left.saturating_sub(taken);
    }
    pieces
}

#[derive(Default)]
struct Destinations {
    purses: Vec<Piece>,
    debts: Vec<Piece>,
    suspense: Vec<Piece>,
}

impl Destinations {
    /// A lot that the bank took back meanwhile pays the debt first; a closed wallet's money waits in suspense.
    fn give_back(&mut self, piece: Piece, wallet: &Wallet) {
        let repaid = wallet.owed_of(&piece.lot).min(piece.lot.amount);
        let rest = piece.lot.amount.saturating_sub(repaid);
        if !repaid.is_zero() {
            self.debts.push(piece.of(repaid));
        }
        if !rest.is_zero() {
            let piece =
                if canary::active("refund_goes_to_funds") { Piece { purse: Purse::Funds, ..piece } } else { piece };
            let to = if wallet.closed { &mut self.suspense } else { &mut self.purses };
            to.push(piece.of(rest));
        }
    }
}
