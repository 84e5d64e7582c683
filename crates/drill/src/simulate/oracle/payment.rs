//! The model of payments and refunds.

use super::guard::Watched;
use super::{Books, Lot, Oracle, Reasons, What, Why, tomorrow};
use domain::{Id, Moment, Time};
use ledger::Yen;
use wallet::payment::{Authorise, Command, Payer, Status};
use wallet::switches::Function;
use wallet::{
    Limit, Noun, PaymentCodeId, PaymentId, Proof, Purse, Receipt, RefundId, ShopId, Standing, WalletId, chart,
};

/// Money younger than this is young.
pub const YOUNG_MS: i64 = 24 * 3_600_000;
/// How long an authorisation waits: seven days.
const AUTHORISATION_MS: i64 = 7 * 24 * 3_600_000;
/// The longest life of a payment code: five minutes.
const CODE_MS_MAX: i64 = 5 * 60_000;

/// A payment as the model knows it.
pub struct Payment {
    pub wallet: WalletId,
    pub shop: ShopId,
    pub status: Status,
    pub amount: i64,
    pub captured: i64,
    pub refunded: i64,
    pub accepted: Time,
    pub expires: Time,
    /// What it was paid with, in the order of spending.
    pub lots: Vec<Lot>,
    pub refunds: Vec<RefundId>,
}

impl Payment {
    fn wrong(&self) -> Why {
        Why::Status(Noun::Payment, self.status.into())
    }
}

/// A payment code.
pub struct Code {
    pub wallet: WalletId,
    pub expires: Time,
    pub used: bool,
}

impl Oracle {
    pub(super) fn payment_reasons(&self, command: &Command, moment: Moment, reasons: &mut Reasons) {
        match command {
            Command::IssueCode { code, wallet, holder, lifetime_ms } => {
                let Some(holding) = self.wallets.get(wallet).filter(|holding| holding.holder == *holder) else {
                    return reasons.add(true, Why::Unknown(Noun::Wallet));
                };
                reasons.add(self.codes.contains_key(code), Why::IdTaken(Noun::PaymentCode));
                Self::outflow_reasons(holding, reasons);
                let lapsed = moment.now.plus_milliseconds((*lifetime_ms).min(CODE_MS_MAX));
                reasons.add(*lifetime_ms <= 0, Why::Expired(Noun::PaymentCode, lapsed));
            }
            Command::Authorise(command) => self.authorise_reasons(command, moment, reasons),
            Command::Capture { payment, shop, amount } => {
                self.capture_reasons(*payment, *shop, *amount, moment, reasons);
            }
            Command::Void { payment, shop } => {
                let payment = self.payments.get(payment).filter(|payment| payment.shop == *shop);
                match payment {
                    None => reasons.add(true, Why::Unknown(Noun::Payment)),
                    Some(payment) => reasons.add(payment.status != Status::Authorised, payment.wrong()),
                }
            }
            Command::Expire { payment } => match self.payments.get(payment) {
                None => reasons.add(true, Why::Unknown(Noun::Payment)),
                Some(payment) => {
                    let early = payment.status != Status::Authorised || moment.now < payment.expires;
                    let waits = Why::Status(Noun::Payment, Standing::AuthorisedNotExpired);
                    let why = if payment.status == Status::Authorised { waits } else { payment.wrong() };
                    reasons.add(early, why);
                    reasons.add(moment.clock_drifted, Why::ClockDrifted);
                }
            },
            Command::Refund { refund, payment, shop, amount } => {
                self.refund_reasons(*refund, *payment, *shop, *amount, reasons);
            }
        }
    }

    fn authorise_reasons(&self, command: &Authorise, moment: Moment, reasons: &mut Reasons) {
        let amount = command.amount.amount();
        reasons.add(amount == 0, Why::AmountZero);
        let payer = match command.payer {
            Payer::Holder(wallet, holder) => {
                let known = self.wallets.get(&wallet).is_some_and(|holding| holding.holder == holder);
                reasons.add(!known, Why::Unknown(Noun::Wallet));
                known.then_some(wallet)
            }
            Payer::Code(code) => {
                let code = self.codes.get(&code);
                reasons.add(code.is_none(), Why::Unknown(Noun::PaymentCode));
                if let Some(code) = code {
                    reasons.add(code.used, Why::Status(Noun::PaymentCode, Standing::Used));
                    reasons.add(moment.now >= code.expires, Why::Expired(Noun::PaymentCode, code.expires));
                }
                code.map(|code| code.wallet)
            }
        };
        let shop = self.shops.get(&command.shop);
        reasons.add(shop.is_none(), Why::Unknown(Noun::Shop));
        reasons.add(shop == Some(&true), Why::Status(Noun::Shop, Standing::Closed));
        reasons.add(self.payments.contains_key(&command.payment), Why::IdTaken(Noun::Payment));
        reasons.add(moment.clock_drifted, Why::ClockDrifted);
        reasons.limit(Limit::PerTime, self.policy.payment.per_time_max, 0, amount);
        let Some(wallet) = payer else { return };
        let (function, now) = (Function::Payment, moment.now);
        self.unheld_reasons(Watched { function, wallet, amount, linked: None, now }, command.proof, reasons);
        let holding = &self.wallets[&wallet];
        Self::outflow_reasons(holding, reasons);
        self.stopped_reasons(Function::Payment, None, holding.tier, holding.opened, reasons);
        let today = self.tally.today(wallet.0, What::Payment, moment.now);
        reasons.limit_until(Limit::PerDay, self.policy.payment.per_day_max, today, amount, tomorrow(moment.now));
        let available = self.books.free_in_wallet(wallet);
        reasons.funds(available, amount);
        let lots = self.lots_of_payment(wallet, amount);
        reasons.pieces(lots.len());
        let young = young(&lots, moment.now);
        let (few, many) = (self.policy.ageing.per_day_max, self.policy.ageing.proven_per_day_max);
        let today = self.tally.today(wallet.0, What::Young, moment.now);
        // A code that a till reads comes with no proof.
        let is_by_code = matches!(command.payer, Payer::Code(_));
        if young > 0 {
            let most = if is_by_code { few } else { few.max(many) };
            reasons.limit_until(Limit::Young, most, today, young, tomorrow(moment.now));
        }
        let is_much =
            young > 0 && today + young > few.amount() || amount > self.policy.payment.unproven_per_time_max.amount();
        reasons.add(is_much && !is_by_code && command.proof.is_none(), Why::StepUp(Proof::SecondFactor));
    }

    /// What a payment would be made of: points first, then what can only be spent, then funds.
    fn lots_of_payment(&self, wallet: WalletId, amount: i64) -> Vec<Lot> {
        let mut left = amount;
        let mut lots = Vec::new();
        for purse in [Purse::Bonus, Purse::Prepaid, Purse::Funds] {
            let part = left.min(self.books.free_in_purse(wallet, purse));
            lots.extend(self.books.oldest(wallet, purse, part, |_| true));
            left -= part;
        }
        let all = Purse::ALL.map(|purse| self.books.oldest(wallet, purse, i64::MAX, |_| true));
        Books::few(lots, all.concat())
    }

    fn capture_reasons(
        &self,
        payment: PaymentId,
        shop: ShopId,
        amount: Option<Yen>,
        moment: Moment,
        reasons: &mut Reasons,
    ) {
        reasons.add(amount == Some(Yen::ZERO), Why::AmountZero);
        let Some(payment) = self.payments.get(&payment).filter(|payment| payment.shop == shop) else {
            return reasons.add(true, Why::Unknown(Noun::Payment));
        };
        reasons.add(moment.clock_drifted, Why::ClockDrifted);
        reasons.add(payment.status != Status::Authorised, payment.wrong());
        reasons.add(moment.now >= payment.expires, Why::Expired(Noun::Payment, payment.expires));
        let holding = &self.wallets[&payment.wallet];
        Self::promised_reasons(holding, reasons);
        self.stopped_reasons(Function::Payment, None, holding.tier, holding.opened, reasons);
        let amount = amount.map_or(payment.amount, Yen::amount);
        reasons.limit(Limit::PerTime, Yen::new(payment.amount), 0, amount);
    }

    fn refund_reasons(&self, refund: RefundId, payment: PaymentId, shop: ShopId, amount: Yen, reasons: &mut Reasons) {
        reasons.add(amount.is_zero(), Why::AmountZero);
        let Some(payment) = self.payments.get(&payment).filter(|payment| payment.shop == shop) else {
            return reasons.add(true, Why::Unknown(Noun::Payment));
        };
        reasons.add(payment.refunds.contains(&refund), Why::IdTaken(Noun::Refund));
        reasons.add(payment.status != Status::Captured, payment.wrong());
        reasons.limit(Limit::PerTime, Yen::new(payment.captured), payment.refunded, amount.amount());
    }

    pub(super) fn payment_apply(&mut self, command: &Command, receipt: &Receipt, moment: Moment) -> Result<(), String> {
        match command {
            Command::IssueCode { code, wallet, lifetime_ms, .. } => {
                let expires = moment.now.plus_milliseconds((*lifetime_ms).clamp(0, CODE_MS_MAX));
                let expected = Receipt::PaymentCode { id: *code, expires };
                self.codes.insert(*code, Code { wallet: *wallet, expires, used: false });
                return expect(receipt, &expected);
            }
            Command::Authorise(command) => {
                let wallet = match command.payer {
                    Payer::Holder(wallet, _) => wallet,
                    Payer::Code(code) => self.use_code(code),
                };
                self.pay(command, wallet, moment.now);
            }
            Command::Capture { payment, amount, .. } => self.capture(*payment, *amount),
            Command::Void { payment, .. } => self.release(*payment, Status::Voided),
            Command::Expire { payment } => self.release(*payment, Status::Expired),
            Command::Refund { refund, payment, amount, .. } => {
                self.refund(*refund, *payment, amount.amount());
                let refunded = Yen::new(self.payments[payment].refunded);
                let (id, payment, amount) = (*refund, *payment, *amount);
                return expect(receipt, &Receipt::Refund { id, payment, amount, payment_refunded: refunded });
            }
        }
        let (Command::Authorise(Authorise { payment: id, .. })
        | Command::Capture { payment: id, .. }
        | Command::Void { payment: id, .. }
        | Command::Expire { payment: id }) = command
        else {
            return Ok(());
        };
        let row = &self.payments[id];
        let [amount, captured, refunded] = [row.amount, row.captured, row.refunded].map(Yen::new);
        expect(receipt, &Receipt::Payment { id: *id, status: row.status, amount, captured, refunded })
    }

    fn use_code(&mut self, code: PaymentCodeId) -> WalletId {
        let code = self.codes.get_mut(&code).expect("an unknown code is a reason");
        code.used = true;
        code.wallet
    }

    fn pay(&mut self, command: &Authorise, wallet: WalletId, now: Time) {
        let (id, amount) = (command.payment, command.amount.amount());
        let lots = self.lots_of_payment(wallet, amount);
        for lot in &lots {
            let (purse, shop) = (chart::purse(wallet, lot.purse), chart::settlement(command.shop));
            self.books.take(wallet, lot);
            if command.capture {
                self.books.pay(purse, shop, lot.amount);
            } else {
                self.books.hold(purse, shop, lot.amount);
            }
        }
        self.tally.add(wallet.0, What::Payment, id.0, now, amount);
        let young = young(&lots, now);
        if young > 0 {
            self.tally.add(wallet.0, What::Young, id.0, now, young);
        }
        let (status, captured) = if command.capture { (Status::Captured, amount) } else { (Status::Authorised, 0) };
        let expires = now.plus_milliseconds(AUTHORISATION_MS);
        let shop = command.shop;
        let (refunded, refunds) = (0, Vec::new());
        let accepted = now;
        let payment = Payment { wallet, shop, status, amount, captured, refunded, accepted, expires, lots, refunds };
        self.payments.insert(id, payment);
    }

    fn capture(&mut self, id: PaymentId, amount: Option<Yen>) {
        let payment = self.payments.get_mut(&id).expect("an unknown payment is a reason");
        let wallet = payment.wallet;
        payment.captured = amount.map_or(payment.amount, Yen::amount);
        payment.status = Status::Captured;
        let mut left = payment.captured;
        let mut back = Vec::new();
        for lot in &mut payment.lots {
            let (purse, shop) = (chart::purse(payment.wallet, lot.purse), chart::settlement(payment.shop));
            let taken = lot.amount.min(left);
            left -= taken;
            self.books.release(purse, shop, lot.amount);
            self.books.pay(purse, shop, taken);
            back.push(Lot { amount: lot.amount - taken, ..*lot });
            lot.amount = taken;
        }
        // The payment was that much smaller, on its own date.
        self.tally.lessen(id.0, What::Payment, payment.amount - payment.captured);
        self.tally.lessen(id.0, What::Young, young(&back, payment.accepted));
        for lot in back {
            self.come_back(wallet, lot);
        }
    }

    fn release(&mut self, id: PaymentId, status: Status) {
        let payment = self.payments.get_mut(&id).expect("an unknown payment is a reason");
        payment.status = status;
        let (wallet, shop) = (payment.wallet, chart::settlement(payment.shop));
        for lot in std::mem::take(&mut payment.lots) {
            self.books.release(chart::purse(wallet, lot.purse), shop, lot.amount);
            self.come_back(wallet, lot);
        }
        self.tally.free(id.0);
    }

    fn refund(&mut self, refund: RefundId, id: PaymentId, amount: i64) {
        let payment = self.payments.get_mut(&id).expect("an unknown payment is a reason");
        payment.refunds.push(refund);
        payment.refunded += amount;
        let (wallet, shop) = (payment.wallet, chart::settlement(payment.shop));
        let holding = self.wallets.get_mut(&wallet).expect("a payment is of a wallet");
        let mut left = amount;
        for lot in payment.lots.iter_mut().rev() {
            let back = lot.amount.min(left);
            left -= back;
            lot.amount -= back;
            let owed = holding.owed_of(lot.id).min(back);
            pay_debt(holding, lot.id, owed);
            self.books.pay(shop, chart::receivable(wallet), owed);
            let gone = holding.recover(lot.id, back - owed);
            self.books.pay(shop, chart::written_off(), gone);
            let rest = back - owed - gone;
            if holding.closed {
                self.books.pay(shop, chart::suspense(None), rest);
            } else {
                self.books.pay(shop, chart::purse(wallet, lot.purse), rest);
                self.books.put(wallet, Lot { amount: rest, ..*lot });
            }
        }
    }

    /// How a payment stands, for whoever looks for one.
    pub fn payment(&self, id: PaymentId) -> Option<&Payment> {
        self.payments.get(&id)
    }
}

/// How much of `lots` is funds that came a short while ago.
pub fn young(lots: &[Lot], now: Time) -> i64 {
    let young = |lot: &&Lot| lot.purse == Purse::Funds && now.milliseconds_since(lot.received) < YOUNG_MS;
    lots.iter().filter(young).map(|lot| lot.amount).sum()
}

/// Takes `amount` off what is owed of `lot`.
pub fn pay_debt(holding: &mut super::Holding, lot: Id, amount: i64) {
    if let Some(owed) = holding.debts.iter_mut().find(|(of, _)| *of == lot).map(|(_, owed)| owed) {
        *owed -= amount;
    }
    holding.debts.retain(|(_, owed)| *owed > 0);
}

/// A receipt must say what the model says.
pub fn expect(receipt: &Receipt, expected: &Receipt) -> Result<(), String> {
    if receipt == expected { Ok(()) } else { Err(format!("the receipt is {receipt:?}, expected {expected:?}")) }
}
