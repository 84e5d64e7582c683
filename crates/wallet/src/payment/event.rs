//! What happens to payments, and what each event does to balances, lots and limits.

use super::{Payment, PaymentCode, Reference, Status, payment_key};
use crate::canary;
use crate::effect::{Counted, Counter, Effect, Whose, repay};
use crate::ids::{PaymentCodeId, PaymentId, RefundId, ShopId, WalletId};
use crate::purse::{Piece, Purse};
use crate::state::wrong_row;
use crate::traits::Origin;
use crate::wallet::{Debt, Wallet};
use crate::{Row, chart, table};
use domain::{Day, Key, Time};
use ledger::{Leg, Step, Yen};
use serde::{Deserialize, Serialize};

/// What happened to a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A code was made.
    CodeIssued {
        /// Its id.
        code: PaymentCodeId,
        /// For which wallet.
        wallet: WalletId,
        /// Until when.
        expires: Time,
    },
    /// Paid, in one step.
    Paid(Authorised),
    /// Held for a later capture.
    Authorised {
        /// What was held.
        authorised: Authorised,
        /// Until when it waits.
        expires: Time,
    },
    /// The shop took it, or a part of it.
    Captured {
        /// Which.
        payment: PaymentId,
        /// Who paid.
        wallet: WalletId,
        /// Who was paid.
        shop: ShopId,
        /// What was held and what was taken of each purse.
        parts: Vec<Part>,
        /// What went back.
        released: Vec<Piece>,
        /// The young money in what went back.
        young: Yen,
        /// The business date on which the payment had counted.
        day: Day,
        /// When.
        at: Time,
    },
    /// All of it went back: voided or expired.
    Released {
        /// Which.
        payment: PaymentId,
        /// Whose.
        wallet: WalletId,
        /// By which shop.
        shop: ShopId,
        /// What went back.
        pieces: Vec<Piece>,
        /// What of that paid back debts at once, where the bank had taken the lot back meanwhile.
        to_debts: Vec<Piece>,
        /// The young money in it.
        young: Yen,
        /// The business date on which it had counted.
        day: Day,
        /// Voided or expired.
        status: Status,
        /// When.
        at: Time,
    },
    /// The shop gave back what it took, or a part of it.
    Refunded {
        /// Its id.
        refund: RefundId,
        /// Of which payment.
        payment: PaymentId,
        /// To whom.
        wallet: WalletId,
        /// By whom.
        shop: ShopId,
        /// What went back into the purses.
        to_purses: Vec<Piece>,
        /// What paid back debts, where the bank had taken the lot back meanwhile.
        to_debts: Vec<Piece>,
        /// What waits because the wallet is closed.
        to_suspense: Vec<Piece>,
        /// When.
        at: Time,
    },
    /// The shop gave it a name.
    Referenced {
        /// Which.
        payment: PaymentId,
        /// What the shop calls it.
        reference: Reference,
    },
}

/// What was taken from a wallet for a shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorised {
    /// Which payment.
    pub payment: PaymentId,
    /// Who pays.
    pub wallet: WalletId,
    /// Who is paid.
    pub shop: ShopId,
    /// When it was accepted.
    pub at: Time,
    /// What was taken, in the order of spending.
    pub pieces: Vec<Piece>,
    /// The young money in it.
    pub young: Yen,
    /// Where it came from, if that is news.
    pub origin: Option<Origin>,
    /// The code that was shown.
    pub code: Option<PaymentCodeId>,
}

/// What was held in one purse, and what of it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The purse.
    pub purse: Purse,
    /// What was held.
    pub held: Yen,
    /// What was taken.
    pub captured: Yen,
}

/// The sum of `pieces` in each purse.
fn sum(pieces: &[Piece], purse: Purse) -> Yen {
    let amounts = pieces.iter().filter(|piece| piece.purse == purse).map(|piece| piece.lot.amount);
    Yen::checked_sum(amounts).unwrap_or(Yen::MAX)
}

/// The sum of `pieces`.
fn total(pieces: &[Piece]) -> Yen {
    Yen::checked_sum(pieces.iter().map(|piece| piece.lot.amount)).unwrap_or(Yen::MAX)
}

/// Splits what is held into what is captured, purse by purse in the order of spending, and the pieces that go back.
pub(super) fn split(pieces: &[Piece], captured: Yen) -> (Vec<Part>, Vec<Piece>) {
    let mut left = captured;
    let mut released = Vec::new();
    let mut parts: Vec<Part> = Vec::new();
    for piece in pieces {
        let taken = piece.lot.amount.min(left);
        let rest = piece.lot.amount.saturating_sub(taken);
        left = left.saturating_sub(taken);
        if !rest.is_zero() {
            released.push(piece.of(rest));
        }
        match parts.last_mut().filter(|part| part.purse == piece.purse) {
            Some(part) => {
                part.held = part.held.checked_add(piece.lot.amount).unwrap_or(Yen::MAX);
                part.captured = part.captured.checked_add(taken).unwrap_or(Yen::MAX);
            }
            None => parts.push(Part { purse: piece.purse, held: piece.lot.amount, captured: taken }),
        }
    }
    (parts, released)
}

impl Event {
    /// What this does to balances, lots and limits.
    pub(crate) fn effects(&self, each: &mut impl FnMut(Effect)) {
        match self {
            Self::CodeIssued { .. } | Self::Referenced { .. } => {}
            Self::Paid(authorised) => authorised.effects(Step::Single, each),
            Self::Authorised { authorised, .. } => authorised.effects(Step::Hold, each),
            Self::Captured { wallet, shop, parts, released, young, day, .. } => {
                capture_effects(*wallet, *shop, parts, released, each);
                lessen(*wallet, *day, total(released), *young, each);
            }
            Self::Released { wallet, shop, pieces, to_debts, young, day, .. } => {
                release_effects(*wallet, *shop, pieces, each);
                repay(*wallet, to_debts, each);
                counts(*wallet, *day, total(pieces), *young, &mut |counted| each(Effect::Uncount(counted)));
            }
            Self::Refunded { wallet, shop, to_purses, to_debts, to_suspense, .. } => {
                for piece in to_purses {
                    each(Effect::Leg(single(*shop, chart::purse(*wallet, piece.purse), piece.lot.amount)));
                    each(Effect::Give(*wallet, *piece));
                }
                for piece in to_debts {
                    each(Effect::Leg(single(*shop, chart::receivable(*wallet), piece.lot.amount)));
                    each(Effect::Repay(*wallet, Debt { lot: piece.lot.id, amount: piece.lot.amount }));
                }
                for piece in to_suspense {
                    each(Effect::Leg(single(*shop, chart::suspense(None), piece.lot.amount)));
                }
            }
        }
    }

    /// The wallet that this brings something back to.
    pub(crate) const fn back_to(&self) -> Option<WalletId> {
        match self {
            Self::Captured { wallet, .. } | Self::Released { wallet, .. } | Self::Refunded { wallet, .. } => {
                Some(*wallet)
            }
            Self::CodeIssued { .. } | Self::Paid(_) | Self::Authorised { .. } | Self::Referenced { .. } => None,
        }
    }

    /// The nouns that this changes beside what its effects change.
    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        match self {
            Self::CodeIssued { code, .. } => each(Key::new(table::PAYMENT_CODE, code.0)),
            Self::Paid(authorised) | Self::Authorised { authorised, .. } => {
                each(payment_key(authorised.payment));
                if let Some(code) = authorised.code {
                    each(Key::new(table::PAYMENT_CODE, code.0));
                }
            }
            Self::Captured { payment, .. }
            | Self::Released { payment, .. }
            | Self::Refunded { payment, .. }
            | Self::Referenced { payment, .. } => each(payment_key(*payment)),
        }
    }

    /// What this changes in the payer's wallet beside its effects.
    pub(crate) fn evolve_wallet(&self, wallet: &mut Wallet) {
        match self {
            Self::Paid(Authorised { origin: Some(origin), .. })
            | Self::Authorised { authorised: Authorised { origin: Some(origin), .. }, .. } => {
                wallet.traits_mut().used_from(*origin);
            }
            Self::Paid(_) | Self::Authorised { .. } | Self::CodeIssued { .. } => {}
            Self::Captured { .. } | Self::Released { .. } | Self::Refunded { .. } | Self::Referenced { .. } => {}
        }
    }

    pub(crate) fn evolve_code(&self, row: &mut Option<Row>) {
        match (self, row) {
            (Self::CodeIssued { wallet, expires, .. }, row @ None) => {
                *row = Some(Row::PaymentCode(PaymentCode { wallet: *wallet, expires: *expires, used_by: None }));
            }
            (Self::Paid(authorised) | Self::Authorised { authorised, .. }, Some(Row::PaymentCode(code))) => {
                assert!(code.used_by.is_none(), "a payment code is used once: {authorised:?}");
                code.used_by = Some(authorised.payment);
            }
            (Self::CodeIssued { code, .. }, Some(_)) => wrong_row(Key::new(table::PAYMENT_CODE, code.0)),
            (Self::Paid(authorised) | Self::Authorised { authorised, .. }, _) => {
                wrong_row(payment_key(authorised.payment))
            }
            (
                Self::Captured { payment, .. }
                | Self::Released { payment, .. }
                | Self::Refunded { payment, .. }
                | Self::Referenced { payment, .. },
                _,
            ) => wrong_row(payment_key(*payment)),
        }
    }

    pub(crate) fn evolve(&self, row: &mut Option<Row>) {
        match (self, row) {
            (Self::Paid(authorised), row @ None) => {
                *row = Some(Row::Payment(authorised.row(Status::Captured, authorised.amount(), None)));
            }
            (Self::Authorised { authorised, expires }, row @ None) => {
                *row = Some(Row::Payment(authorised.row(Status::Authorised, Yen::ZERO, Some(*expires))));
            }
            (Self::Captured { parts, released, young, .. }, Some(Row::Payment(payment))) => {
                payment.ends(Status::Captured);
                payment.young = payment.young.saturating_sub(*young);
                payment.captured = Yen::checked_sum(parts.iter().map(|part| part.captured)).unwrap_or(Yen::MAX);
                remove(&mut payment.pieces, released);
            }
            (Self::Released { status, .. }, Some(Row::Payment(payment))) => {
                payment.ends(*status);
                payment.pieces.clear();
            }
            (Self::Refunded { refund, to_purses, to_debts, to_suspense, .. }, Some(Row::Payment(payment))) => {
                let mut amount = Yen::ZERO;
                for pieces in [to_purses, to_debts, to_suspense] {
                    remove(&mut payment.pieces, pieces);
                    amount = amount.checked_add(total(pieces)).unwrap_or(Yen::MAX);
                }
                payment.refunded = payment.refunded.checked_add(amount).unwrap_or(Yen::MAX);
                payment.refunds.push((*refund, amount));
                payment.suspended = payment.suspended.checked_add(total(to_suspense)).unwrap_or(Yen::MAX);
                assert!(payment.refunded <= payment.captured, "refunded more than captured: {payment:?}");
            }
            (Self::Referenced { reference, .. }, Some(Row::Payment(payment))) => {
                payment.reference = Some(reference.clone());
            }
            (Self::Paid(authorised) | Self::Authorised { authorised, .. }, _) => {
                wrong_row(payment_key(authorised.payment))
            }
            (
                Self::Captured { payment, .. }
                | Self::Released { payment, .. }
                | Self::Refunded { payment, .. }
                | Self::Referenced { payment, .. },
                _,
            ) => wrong_row(payment_key(*payment)),
            (Self::CodeIssued { code, .. }, _) => wrong_row(Key::new(table::PAYMENT_CODE, code.0)),
        }
    }
}

impl Payment {
    /// Only what is held still ends: another payment's hold may stand on the same two accounts.
    fn ends(&mut self, status: Status) {
        assert!(self.status == Status::Authorised, "only an authorised payment becomes {status:?}: {self:?}");
        self.status = status;
    }
}

impl Authorised {
    pub(crate) fn amount(&self) -> Yen {
        total(&self.pieces)
    }

    fn effects(&self, step: Step, each: &mut impl FnMut(Effect)) {
        for purse in Purse::ALL {
            let amount = sum(&self.pieces, purse);
            if !amount.is_zero() {
                let (debit, credit) = (chart::purse(self.wallet, purse), chart::settlement(self.shop));
                each(Effect::Leg(Leg { debit, credit, amount, step }));
            }
        }
        for piece in &self.pieces {
            each(Effect::Take(self.wallet, *piece));
        }
        counts(self.wallet, self.at.day(), self.amount(), self.young, &mut |counted| each(Effect::Count(counted)));
    }

    fn row(&self, status: Status, captured: Yen, expires: Option<Time>) -> Payment {
        Payment {
            wallet: self.wallet,
            shop: self.shop,
            status,
            amount: self.amount(),
            captured,
            refunded: Yen::ZERO,
            accepted: self.at,
            expires,
            young: self.young,
            pieces: self.pieces.clone(),
            refunds: Vec::new(),
            suspended: Yen::ZERO,
            reference: None,
        }
    }
}

fn counts(wallet: WalletId, day: Day, amount: Yen, young: Yen, each: &mut impl FnMut(Counted)) {
    let whose = Whose::Wallet(wallet);
    each(Counted { whose, counter: Counter::Payment, day, amount });
    if !young.is_zero() {
        each(Counted { whose, counter: Counter::Young, day, amount: young });
    }
}

/// What was not captured no longer counts on the payment's date.
fn lessen(wallet: WalletId, day: Day, amount: Yen, young: Yen, each: &mut impl FnMut(Effect)) {
    if !amount.is_zero() {
        counts(wallet, day, amount, young, &mut |counted| each(Effect::Lessen(counted)));
    }
}

fn single(shop: ShopId, credit: ledger::AccountId, amount: Yen) -> Leg {
    Leg { debit: chart::settlement(shop), credit, amount, step: Step::Single }
}

fn capture_effects(wallet: WalletId, shop: ShopId, parts: &[Part], released: &[Piece], each: &mut impl FnMut(Effect)) {
    for part in parts {
        let (debit, credit) = (chart::purse(wallet, part.purse), chart::settlement(shop));
        let (amount, step) = if part.captured.is_zero() {
            (part.held, Step::Release)
        } else {
            (part.captured, Step::Post { held: part.held })
        };
        each(Effect::Leg(Leg { debit, credit, amount, step }));
    }
    for piece in released {
        each(Effect::Give(wallet, *piece));
    }
}

fn release_effects(wallet: WalletId, shop: ShopId, pieces: &[Piece], each: &mut impl FnMut(Effect)) {
    for purse in Purse::ALL {
        let amount = sum(pieces, purse);
        if !amount.is_zero() && !canary::active("void_keeps_the_hold") {
            let (debit, credit) = (chart::purse(wallet, purse), chart::settlement(shop));
            each(Effect::Leg(Leg { debit, credit, amount, step: Step::Release }));
        }
    }
    for piece in pieces {
        each(Effect::Give(wallet, *piece));
    }
}

/// Takes `gone` out of `pieces`.
fn remove(pieces: &mut Vec<Piece>, gone: &[Piece]) {
    for piece in gone {
        let held = pieces.iter_mut().rfind(|held| held.purse == piece.purse && held.lot.is_of(&piece.lot));
        let left = held.as_ref().and_then(|held| held.lot.amount.checked_sub(piece.lot.amount));
        let (Some(held), Some(left)) = (held, left) else { wrong_row(Key::new(table::PAYMENT, piece.lot.id)) };
        held.lot.amount = left;
    }
    pieces.retain(|held| !held.lot.amount.is_zero());
}
