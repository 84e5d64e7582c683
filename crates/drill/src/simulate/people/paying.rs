//! Payers and shops: payments at once and in two steps, captures, voids and refunds, in time and too late.

use super::{DAY_MS, MINUTE_MS};
use crate::simulate::world::World;
use engine::ActorKind;
use ledger::Yen;
use wallet::payment::{Authorise, Command as Payment, Payer};
use wallet::{Command, PaymentCodeId, PaymentId, Proof, RefundId, ShopId};

/// A payment that the shop takes in the same request.
pub(super) fn paid_at_once(
    payment: PaymentId,
    payer: Payer,
    shop: ShopId,
    amount: Yen,
    proof: Option<Proof>,
) -> Command {
    let (capture, reference, origin) = (true, None, None);
    Command::Payment(Payment::Authorise(Authorise { payment, payer, shop, amount, capture, reference, origin, proof }))
}

impl World {
    pub(super) fn pay(&mut self) {
        let someone = self.someone_such(|oracle, someone| oracle.books.in_wallet(someone.wallet) > 0);
        let payment = PaymentId(self.chance.id(self.now));
        let shop = *self.chance.pick(&self.people.shops);
        let payer = if self.chance.one_in(5) {
            let code = PaymentCodeId(self.chance.id(self.now));
            self.people.codes.push(code);
            let lifetime_ms = self.chance.between(0, 10 * MINUTE_MS);
            let issue = Payment::IssueCode { code, wallet: someone.wallet, holder: someone.holder, lifetime_ms };
            self.ask(ActorKind::Holder, Command::Payment(issue));
            Payer::Code(*self.chance.pick(&self.people.codes))
        } else {
            Payer::Holder(someone.wallet, someone.holder)
        };
        let available = self.oracle.books.in_wallet(someone.wallet).max(1);
        let amount = if self.chance.one_in(6) { Yen::new(available) } else { self.amount(available.min(30_000)) };
        let (capture, proof) = (self.chance.percent(60), self.proof());
        self.people.payments.push((payment, shop));
        let command = Authorise { payment, payer, shop, amount, capture, reference: None, origin: None, proof };
        self.ask(ActorKind::Shop, Command::Payment(Payment::Authorise(command)));
        if !capture {
            // Some shops come in the very second in which it runs out.
            let at_the_end = self.chance.one_in(4);
            let after_ms = if at_the_end {
                7 * DAY_MS + self.chance.between(-500, 1_500)
            } else {
                self.chance.between(MINUTE_MS, 6 * DAY_MS)
            };
            let later = self.capture_or_void(payment, shop);
            self.ask_later(after_ms, ActorKind::Shop, Command::Payment(later));
        }
    }

    fn capture_or_void(&mut self, payment: PaymentId, shop: ShopId) -> Payment {
        if self.chance.one_in(4) {
            return Payment::Void { payment, shop };
        }
        let amount = match self.chance.below(4) {
            0 => Some(self.amount(20_000)),
            1 => Some(Yen::new(self.chance.between(1, 500))),
            _ => None,
        };
        Payment::Capture { payment, shop, amount }
    }

    pub(super) fn after_authorising(&mut self) {
        let Some((payment, shop)) = self.recent_payment() else { return };
        let command = match self.chance.below(8) {
            0 => Payment::Expire { payment },
            _ => self.capture_or_void(payment, shop),
        };
        self.ask(ActorKind::Shop, Command::Payment(command));
    }

    pub(super) fn recent_payment(&mut self) -> Option<(PaymentId, ShopId)> {
        let recent = self.people.payments.len().saturating_sub(60);
        let recent = &self.people.payments[recent..];
        (!recent.is_empty()).then(|| *self.chance.pick(recent))
    }

    pub(super) fn refund(&mut self) {
        let Some((payment, mut shop)) = self.recent_payment() else { return };
        if self.chance.one_in(15) {
            shop = *self.chance.pick(&self.people.shops);
        }
        let left = self.oracle.payment(payment).map_or(1_000, |payment| payment.captured - payment.refunded);
        let amount = match self.chance.below(6) {
            0 | 1 => Yen::new(left.max(0)),
            2 => self.amount(20_000),
            _ => Yen::new(self.chance.between(0, left.max(1))),
        };
        let refund = RefundId(self.chance.id(self.now));
        self.ask(ActorKind::Shop, Command::Payment(Payment::Refund { refund, payment, shop, amount }));
        if self.chance.one_in(10) {
            self.ask(ActorKind::Shop, Command::Payment(Payment::Refund { refund, payment, shop, amount }));
        }
    }
}
