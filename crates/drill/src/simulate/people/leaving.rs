//! Those who come, fill their wallet and empty it, and those who leave: whoever spends all there is and closes the wallet, or has it paid out, and opens another one later.

use super::paying::paid_at_once;
use super::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Someone, live, pick_recent};
use crate::simulate::world::World;
use domain::Id;
use engine::ActorKind;
use ledger::Yen;
use wallet::payment::{Command as Payment, Payer};
use wallet::payout::Command as Payout;
use wallet::wallet::{Asker, Command as Wallet};
use wallet::{
    BankAccountId, Command, PaymentId, PayoutId, Proof, Purse, RefundId, ShopId, StaffId, Standing, TopUpId, WalletId,
};

impl World {
    pub(super) fn close(&mut self) {
        if self.chance.one_in(2) { self.close_by_spending() } else { self.close_by_payout() }
    }

    /// Somebody new fills their wallet in a day, and empties it on the same.
    pub(super) fn fill_up(&mut self) {
        let now = self.now;
        let someone = self.someone_such(|oracle, someone| {
            let opened = oracle.wallets.get(&someone.wallet).map(|holding| holding.opened);
            opened.is_some_and(|opened| now.milliseconds_since(opened) < 6 * DAY_MS) && live(oracle, someone).is_some()
        });
        let Some((mandate, _)) = live(&self.oracle, &someone) else { return };
        let confirm = wallet::mandate::Command::ConfirmByTrueHolder { mandate };
        self.ask(ActorKind::Bank, Command::Mandate(confirm));
        for _ in 0..3 {
            let (top_up, wallet, holder) = (TopUpId(self.chance.id(now)), someone.wallet, someone.holder);
            let (amount, proof) = (Yen::new(1_000 * self.chance.between(20, 60)), Some(Proof::SecondFactor));
            self.people.top_ups.push((top_up, holder));
            let request = wallet::top_up::Request { top_up, wallet, holder, mandate, amount, origin: None, proof };
            let later_ms = self.chance.between(SECOND_MS, MINUTE_MS);
            self.ask_later(later_ms, ActorKind::Holder, Command::TopUp(wallet::top_up::Command::Request(request)));
        }
        for _ in 0..4 {
            let later_ms = self.chance.between(MINUTE_MS, 3 * HOUR_MS);
            self.move_or_link(&someone, later_ms);
        }
    }

    /// Spends everything and closes the wallet, on another day if not on this one.
    fn close_by_spending(&mut self) {
        let someone = self.someone();
        let wallet = someone.wallet;
        let points = self.oracle.books.in_purse(wallet, Purse::Bonus);
        let lapses = points > 0 && self.oracle.books.in_wallet(wallet) == points && self.chance.one_in(2);
        let left = if lapses { 0 } else { self.oracle.books.in_wallet(wallet) };
        self.spend(&someone, left);
        self.ask_to_close(&someone, 0);
        let after_ms = self.chance.between(HOUR_MS, DAY_MS);
        self.ask_to_close(&someone, after_ms);
        self.open_again(&someone);
    }

    /// Has everything paid out; if prepaid money is in the way, or the sum is not one that the guard looks at, that is spent first,
    /// and the payout asked for on the next day.
    pub(super) fn close_by_payout(&mut self) {
        let someone = self.one_who_may_leave();
        let Some((_, bank_account)) = self.one_mandate(&someone) else { return };
        let books = &self.oracle.books;
        let (funds, prepaid) =
            (books.in_purse(someone.wallet, Purse::Funds), books.in_purse(someone.wallet, Purse::Prepaid));
        let is_looked_at = self.chance.one_in(3);
        let (amount, after_ms) = if prepaid > 0 || is_looked_at {
            let digits = if is_looked_at { 777 } else { 0 };
            let amount = (funds - digits).max(0) / 1_000 * 1_000 + digits;
            let spent = self.oracle.books.in_wallet(someone.wallet) - amount;
            self.spend(&someone, spent);
            (amount, DAY_MS + self.chance.between(0, 6 * HOUR_MS))
        } else {
            (funds, 0)
        };
        let amount = if self.chance.one_in(10) { amount - 1 } else { amount };
        self.pay_out_the_rest(&someone, bank_account, amount, after_ms);
        self.open_again(&someone);
    }

    /// Somebody whom nothing keeps but their money, or even that is ready to go; anybody if there is nobody.
    fn one_who_may_leave(&mut self) -> Someone {
        let (oracle, now) = (&self.oracle, self.now);
        let free = |someone: &&Someone| {
            let Some(holding) = oracle.wallets.get(&someone.wallet) else { return false };
            let stands = holding.status() == Standing::Open && holding.debts.is_empty();
            let funds = oracle.books.free_in_purse(someone.wallet, Purse::Funds);
            stands && funds > 0 && oracle.books.under_way(someone.wallet) == 0 && live(oracle, someone).is_some()
        };
        let ready = |someone: &&&Someone| {
            oracle.books.in_purse(someone.wallet, Purse::Prepaid) == 0 && !oracle.has_spent(someone.wallet, now)
        };
        let free: Vec<&Someone> = self.people.everybody.iter().filter(free).collect();
        let ready: Vec<&Someone> = free.iter().filter(ready).copied().collect();
        let among = if ready.is_empty() { free } else { ready };
        if among.is_empty() { self.someone() } else { (*self.chance.pick(&among)).clone() }
    }

    /// The last payout, and what happens while it is under way: the holder asks how far it is, wishes that it were not, is frozen,
    /// and tries to move money all the same.
    fn pay_out_the_rest(&mut self, someone: &Someone, bank_account: BankAccountId, amount: i64, after_ms: i64) {
        let (wallet, holder) = (someone.wallet, someone.holder);
        let payout = PayoutId(self.chance.id(self.now));
        self.people.payouts.push((payout, holder));
        let proof = Some(Proof::SecondFactor);
        let amount = Yen::new(amount.max(0));
        let request = wallet::payout::Request { payout, wallet, holder, bank_account, amount, origin: None, proof };
        self.ask_later(after_ms, ActorKind::Holder, Command::Payout(Payout::RequestLast(request)));
        for most_ms in [SECOND_MS, MINUTE_MS, HOUR_MS, 12 * HOUR_MS, 2 * DAY_MS, 4 * DAY_MS] {
            let later_ms = after_ms + self.chance.between(1, most_ms);
            self.ask_to_close(someone, later_ms);
        }
        if self.chance.one_in(4) {
            let later_ms = after_ms + self.chance.between(1, 10 * MINUTE_MS);
            self.ask_later(later_ms, ActorKind::Holder, Command::Payout(Payout::Cancel { payout, holder }));
        }
        if self.chance.one_in(3) {
            let by = Asker::Desk(StaffId(Id::from_number(1)));
            let later_ms = after_ms + self.chance.between(1, HOUR_MS);
            self.ask_later(later_ms, ActorKind::Operator, Command::Wallet(Wallet::Freeze { wallet, by }));
            let later_ms = later_ms + self.chance.between(MINUTE_MS, DAY_MS);
            self.ask_later(later_ms, ActorKind::Operator, Command::Wallet(Wallet::Unfreeze { wallet, by }));
        }
        for most_ms in [10 * SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS] {
            let later_ms = after_ms + self.chance.between(1, most_ms);
            // Nothing moves in a wallet that is being closed.
            self.move_or_link(someone, later_ms);
            self.poke_while_closing(someone, later_ms);
        }
    }

    /// What there was is asked about once more: refunded, cancelled, confirmed, found expired.
    fn poke_while_closing(&mut self, someone: &Someone, later_ms: i64) {
        let (wallet, holder) = (someone.wallet, someone.holder);
        let command = match self.chance.below(7) {
            0 => {
                let theirs =
                    |(id, _): &&(PaymentId, ShopId)| self.oracle.payment(*id).is_some_and(|row| row.wallet == wallet);
                let Some((payment, shop)) = self.people.payments.iter().rev().find(theirs).copied() else { return };
                let refund = RefundId(self.chance.id(self.now));
                let amount = Yen::new(self.chance.between(1, 100));
                let is_refund = self.chance.one_in(2);
                Command::Payment(if is_refund {
                    Payment::Refund { refund, payment, shop, amount }
                } else {
                    Payment::Expire { payment }
                })
            }
            1 => {
                let ended: Vec<TopUpId> =
                    self.oracle.top_ups.iter().filter(|(_, row)| row.wallet == wallet).map(|(id, _)| *id).collect();
                let Some(top_up) = pick_recent(&mut self.chance, &ended) else { return };
                Command::TopUp(wallet::top_up::Command::Cancel { top_up, holder })
            }
            2 => {
                let ended: Vec<PayoutId> =
                    self.oracle.payouts.iter().filter(|(_, row)| row.wallet == wallet).map(|(id, _)| *id).collect();
                let Some(payout) = pick_recent(&mut self.chance, &ended) else { return };
                Command::Payout(Payout::Asked { payout })
            }
            3 => {
                let Some((mandate, _)) = pick_recent(&mut self.chance, &someone.mandates) else { return };
                Command::Mandate(wallet::mandate::Command::ConfirmByTrueHolder { mandate })
            }
            4 => {
                let Some(voucher) = pick_recent(&mut self.chance, &self.people.vouchers) else { return };
                let (origin, proof) = (None, None);
                Command::Voucher(wallet::voucher::Command::Redeem { voucher, wallet, holder, origin, proof })
            }
            5 => {
                let strange = self.oracle.strange_give_backs();
                let of_wallet = |id: &TopUpId| self.oracle.top_ups.get(id).filter(|row| row.wallet == wallet);
                let each = strange.iter().filter_map(|id| Some((*id, of_wallet(id)?.give_back?.0))).next_back();
                let Some((top_up, give_back)) = each else { return };
                Command::TopUp(wallet::top_up::Command::AnswerGiveBack { top_up, give_back, done: true })
            }
            _ => {
                let ended = self.oracle.sends_of(wallet);
                let Some(send) = pick_recent(&mut self.chance, &ended) else { return };
                Command::Send(wallet::send::Command::ExpireHeld { send })
            }
        };
        self.ask_later(later_ms, ActorKind::Anyone, command);
    }

    /// Asks to pay, to link, to be topped up, to send, to be paid out.
    pub(super) fn move_or_link(&mut self, someone: &Someone, later_ms: i64) {
        let (wallet, holder) = (someone.wallet, someone.holder);
        let (amount, proof, origin) = (Yen::new(self.chance.between(1, 2_000)), Some(Proof::SecondFactor), None);
        let command = match self.chance.below(5) {
            0 => self.payment_of(someone, amount),
            1 => {
                let Some((mandate, _)) = self.one_mandate(someone) else { return };
                let top_up = wallet::TopUpId(self.chance.id(self.now));
                let amount = Yen::new(1_000);
                let request = wallet::top_up::Request { top_up, wallet, holder, mandate, amount, origin, proof };
                Command::TopUp(wallet::top_up::Command::Request(request))
            }
            2 => {
                let mandate = wallet::MandateId(self.chance.id(self.now));
                let banks: Vec<wallet::BankCode> = self.banks.keys().copied().collect();
                let bank = *self.chance.pick(&banks);
                let request = wallet::mandate::Request { mandate, wallet, holder, bank, origin, proof };
                Command::Mandate(wallet::mandate::Command::Request(request))
            }
            3 => {
                let Some((_, bank_account)) = self.one_mandate(someone) else { return };
                let payout = PayoutId(self.chance.id(self.now));
                self.people.payouts.push((payout, holder));
                let request = wallet::payout::Request { payout, wallet, holder, bank_account, amount, origin, proof };
                Command::Payout(Payout::Request(request))
            }
            _ => {
                let (send, to) = (wallet::SendId(self.chance.id(self.now)), self.someone().wallet);
                let request = wallet::send::Request { send, wallet, holder, to, amount, message: None, origin, proof };
                Command::Send(wallet::send::Command::Request(request))
            }
        };
        self.ask_later(later_ms, ActorKind::Holder, command);
    }

    fn ask_to_close(&mut self, someone: &Someone, after_ms: i64) {
        let (wallet, holder) = (someone.wallet, someone.holder);
        self.ask_later(after_ms, ActorKind::Holder, Command::Wallet(Wallet::Close { wallet, holder }));
    }

    fn spend(&mut self, someone: &Someone, amount: i64) {
        if amount > 0 {
            let command = self.payment_of(someone, Yen::new(amount));
            self.ask(ActorKind::Shop, command);
        }
    }

    fn payment_of(&mut self, someone: &Someone, amount: Yen) -> Command {
        let (payment, shop) = (PaymentId(self.chance.id(self.now)), *self.chance.pick(&self.people.shops));
        self.people.payments.push((payment, shop));
        let (payer, proof) = (Payer::Holder(someone.wallet, someone.holder), Some(Proof::SecondFactor));
        paid_at_once(payment, payer, shop, amount, proof)
    }

    /// Later its holder may open another one.
    fn open_again(&mut self, someone: &Someone) {
        if self.chance.one_in(2) {
            let (wallet, holder) = (WalletId(self.chance.id(self.now)), someone.holder);
            let after_ms = self.chance.between(HOUR_MS, 2 * DAY_MS);
            self.ask_later(after_ms, ActorKind::Holder, Command::Wallet(Wallet::Open { wallet, holder, origin: None }));
        }
    }
}
