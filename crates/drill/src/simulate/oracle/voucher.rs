//! The model of vouchers, bonus and sends: money that comes into a wallet without a bank.

use super::payment::young;
use super::{Books, Coin, Oracle, Reasons, What, Why};
use domain::{Moment, Time};
use wallet::send::{self, Status};
use wallet::switches::Function;
use wallet::{Limit, Noun, PURSE_LOTS_MAX, Proof, Purse, Tier, Unable, WalletId, bonus, chart, voucher};

/// How long a held movement waits for the desk: a day.
pub const REVIEW_MS: i64 = 24 * 3_600_000;

/// A voucher as the model knows it.
pub struct Voucher {
    amount: i64,
    expires: Time,
    status: voucher::Status,
}

/// A send as the model knows it.
pub struct Send {
    from: WalletId,
    to: WalletId,
    amount: i64,
    pub status: Status,
    pub deadline: Time,
    coins: Vec<Coin>,
}

impl Oracle {
    /// Notes what keeps `amount` from coming into a purse as a new lot.
    fn inflow_reasons(&self, wallet: WalletId, purse: Purse, amount: i64, reasons: &mut Reasons) {
        let holding = &self.wallets[&wallet];
        Self::outflow_reasons(holding, reasons);
        let occupied = self.books.occupied(wallet);
        reasons.limit(Limit::Balance, self.policy.balance.max(holding.tier), occupied, amount);
        let full = self.books.lots(wallet, purse) >= PURSE_LOTS_MAX;
        reasons.add(full, Why::Limit { limit: Limit::Lots, left: 0 });
    }

    pub(super) fn voucher_reasons(&self, command: &voucher::Command, moment: Moment, reasons: &mut Reasons) {
        match command {
            voucher::Command::Issue { voucher, amount, expires } => {
                reasons.add(amount.is_zero(), Why::AmountZero);
                reasons.add(self.vouchers.contains_key(voucher), Why::IdTaken(Noun::Voucher));
                reasons.add(*expires <= moment.now, Why::Expired(Noun::Voucher));
                reasons.limit(Limit::PerTime, self.policy.voucher.amount_max, 0, amount.amount());
            }
            voucher::Command::Redeem { voucher, wallet, holder, proof, .. } => {
                let row = self.vouchers.get(voucher);
                reasons.add(row.is_none(), Why::Unknown(Noun::Voucher));
                reasons.add(row.is_some_and(|row| row.status != voucher::Status::Issued), Why::Status(Noun::Voucher));
                reasons.add(row.is_some_and(|row| moment.now >= row.expires), Why::Expired(Noun::Voucher));
                let Some(holding) = self.wallets.get(wallet).filter(|holding| holding.holder == *holder) else {
                    return reasons.add(true, Why::Unknown(Noun::Wallet));
                };
                reasons.add(self.is_stopped(Function::Voucher, None, holding.tier, holding.opened), Why::Stopped);
                let amount = row.map_or(0, |row| row.amount);
                self.inflow_reasons(*wallet, Purse::Prepaid, amount, reasons);
                let proven = proof.is_some_and(|proof| proof >= Proof::SecondFactor);
                reasons.add(amount % 1_000 == 778 && !proven, Why::StepUp);
                reasons.add(amount % 1_000 == 777 || amount % 1_000 == 779, Why::Guard);
            }
            voucher::Command::Cancel { voucher } => {
                let row = self.vouchers.get(voucher);
                reasons.add(row.is_none(), Why::Unknown(Noun::Voucher));
                reasons.add(row.is_some_and(|row| row.status != voucher::Status::Issued), Why::Status(Noun::Voucher));
            }
        }
    }

    pub(super) fn voucher_apply(&mut self, command: &voucher::Command, moment: Moment) {
        match command {
            voucher::Command::Issue { voucher, amount, expires } => {
                let (amount, expires) = (amount.amount(), *expires);
                self.vouchers.insert(*voucher, Voucher { amount, expires, status: voucher::Status::Issued });
            }
            voucher::Command::Redeem { voucher, wallet, .. } => {
                let row = self.vouchers.get_mut(voucher).expect("an unknown voucher is a reason");
                row.status = voucher::Status::Redeemed;
                let amount = row.amount;
                self.books.pay(chart::voucher_clearing(), chart::purse(*wallet, Purse::Prepaid), amount);
                let (purse, lot, received) = (Purse::Prepaid, voucher.0, moment.now);
                self.books.put(*wallet, Coin { purse, lot, received, from: None, amount });
            }
            voucher::Command::Cancel { voucher } => {
                self.vouchers.get_mut(voucher).expect("an unknown voucher is a reason").status =
                    voucher::Status::Cancelled;
            }
        }
    }

    pub(super) fn bonus_reasons(&self, command: &bonus::Command, reasons: &mut Reasons) {
        let bonus::Command::Give { bonus, wallet, amount, .. } = command;
        reasons.add(amount.is_zero(), Why::AmountZero);
        reasons.add(self.bonuses.contains(bonus), Why::IdTaken(Noun::Bonus));
        if self.wallets.contains_key(wallet) {
            self.inflow_reasons(*wallet, Purse::Bonus, amount.amount(), reasons);
        } else {
            reasons.add(true, Why::Unknown(Noun::Wallet));
        }
    }

    pub(super) fn bonus_apply(&mut self, command: &bonus::Command, moment: Moment) {
        let bonus::Command::Give { bonus, wallet, amount, .. } = command;
        self.bonuses.insert(*bonus);
        let amount = amount.amount();
        self.books.pay(chart::campaign_expense(), chart::purse(*wallet, Purse::Bonus), amount);
        let (purse, lot, received) = (Purse::Bonus, bonus.0, moment.now);
        self.books.put(*wallet, Coin { purse, lot, received, from: None, amount });
    }

    pub(super) fn send_reasons(&self, command: &send::Command, moment: Moment, reasons: &mut Reasons) {
        match command {
            send::Command::Request(command) => self.request_send_reasons(command, moment, reasons),
            send::Command::DecideHeld { send, release, .. } => {
                let Some(row) = self.sends.get(send) else { return reasons.add(true, Why::Unknown(Noun::Send)) };
                reasons.add(row.status != Status::Held, Why::Status(Noun::Send));
                if !release {
                    return;
                }
                let holding = &self.wallets[&row.from];
                reasons.add(self.is_stopped(Function::Send, None, holding.tier, holding.opened), Why::Stopped);
                reasons.add(moment.clock_drifted, Why::ClockDrifted);
                reasons.add(moment.now >= row.deadline, Why::Expired(Noun::Send));
                Self::outflow_reasons(holding, reasons);
                self.recipient_reasons(row.to, 0, reasons);
            }
            send::Command::ExpireHeld { send } => match self.sends.get(send) {
                None => reasons.add(true, Why::Unknown(Noun::Send)),
                Some(row) => {
                    reasons.add(moment.clock_drifted, Why::ClockDrifted);
                    reasons.add(row.status != Status::Held || moment.now < row.deadline, Why::Status(Noun::Send));
                }
            },
        }
    }

    fn request_send_reasons(&self, command: &send::Request, moment: Moment, reasons: &mut Reasons) {
        let amount = command.amount.amount();
        reasons.add(amount == 0, Why::AmountZero);
        reasons.add(self.sends.contains_key(&command.send), Why::IdTaken(Noun::Send));
        reasons.add(moment.clock_drifted, Why::ClockDrifted);
        reasons.add(command.to == command.wallet, Why::Recipient(Unable::Sender));
        reasons.add(amount < self.policy.send.per_time_min.amount(), Why::TooSmall);
        reasons.limit(Limit::PerTime, self.policy.send.per_time_max, 0, amount);
        let proven = command.proof.is_some_and(|proof| proof >= Proof::SecondFactor);
        reasons.add(amount % 1_000 == 778 && !proven, Why::StepUp);
        reasons.add(amount % 1_000 == 779, Why::Guard);
        if self.wallets.contains_key(&command.to) {
            self.recipient_reasons(command.to, amount, reasons);
        } else {
            reasons.add(true, Why::Unknown(Noun::Recipient));
        }
        let from = command.wallet;
        let Some(holding) = self.wallets.get(&from).filter(|holding| holding.holder == command.holder) else {
            return reasons.add(true, Why::Unknown(Noun::Wallet));
        };
        reasons.add(self.is_stopped(Function::Send, None, holding.tier, holding.opened), Why::Stopped);
        Self::outflow_reasons(holding, reasons);
        reasons.add(holding.tier < Tier::Identified, Why::Tier);
        let today = self.tally.today(from.0, What::Send, moment.now);
        reasons.limit(Limit::PerDay, self.policy.send.per_day_max, today, amount);
        if let Some(person) = holding.person {
            let today = self.tally.today(person.0, What::Send, moment.now);
            reasons.limit(Limit::PersonPerDay, self.policy.send.per_day_max, today, amount);
        }
        let available = self.books.free_in_purse(from, Purse::Funds);
        reasons.add(amount > available, Why::Funds { available });
        let coins = self.coins_of_send(from, amount);
        reasons.pieces(coins.len());
        let young = young(&coins, moment.now);
        if young > 0 {
            let by_send = self.tally.today(from.0, What::YoungSend, moment.now);
            reasons.limit(Limit::YoungSend, self.policy.ageing.send_per_day_max, by_send, young);
            let today = self.tally.today(from.0, What::Young, moment.now);
            reasons.limit(Limit::Young, self.policy.ageing.per_day_max, today, young);
        }
    }

    fn coins_of_send(&self, from: WalletId, amount: i64) -> Vec<Coin> {
        let oldest = |amount| self.books.oldest(from, Purse::Funds, amount, |_| true);
        Books::few(oldest(amount), oldest(i64::MAX))
    }

    /// Notes what keeps `wallet` from receiving.
    fn recipient_reasons(&self, wallet: WalletId, amount: i64, reasons: &mut Reasons) {
        let holding = &self.wallets[&wallet];
        reasons.add(holding.closed, Why::Recipient(Unable::Closed));
        let stopped = self.is_stopped(Function::Send, None, holding.tier, holding.opened);
        reasons.add(stopped, Why::Recipient(Unable::Stopped));
        let frozen = !holding.frozen.is_empty() || !holding.debts.is_empty();
        reasons.add(frozen, Why::Recipient(Unable::Frozen));
        reasons.add(holding.tier < Tier::Identified, Why::Recipient(Unable::Tier));
        let room = self.policy.balance.max(holding.tier).amount() - self.books.occupied(wallet);
        let full = amount > room.max(0) || self.books.lots(wallet, Purse::Funds) >= PURSE_LOTS_MAX;
        reasons.add(full, Why::Recipient(Unable::Full));
    }

    pub(super) fn send_apply(&mut self, command: &send::Command, moment: Moment) {
        match command {
            send::Command::Request(command) => self.request_send(command, moment.now),
            send::Command::DecideHeld { send, release: true, .. } => {
                let row = self.sends.get_mut(send).expect("an unknown send is a reason");
                row.status = Status::Completed;
                let (from, to, amount) = (row.from, row.to, row.amount);
                self.books.release(chart::purse(from, Purse::Funds), chart::purse(to, Purse::Funds), amount);
                self.arrive(*send, from, to, amount, moment.now);
            }
            send::Command::DecideHeld { send, release: false, .. } => self.send_back(*send, Status::GivenUp),
            send::Command::ExpireHeld { send } => self.send_back(*send, Status::Expired),
        }
    }

    fn request_send(&mut self, command: &send::Request, now: Time) {
        let (id, from, to, amount) = (command.send, command.wallet, command.to, command.amount.amount());
        let coins = self.coins_of_send(from, amount);
        for coin in &coins {
            self.books.take(from, coin);
        }
        let person = self.wallets[&from].person.map(|person| person.0);
        for whose in [Some(from.0), person].into_iter().flatten() {
            self.tally.add(whose, What::Send, id.0, now, amount);
        }
        let young = young(&coins, now);
        if young > 0 {
            self.tally.add(from.0, What::Young, id.0, now, young);
            self.tally.add(from.0, What::YoungSend, id.0, now, young);
        }
        let held = amount % 1_000 == 777;
        if held {
            self.books.hold(chart::purse(from, Purse::Funds), chart::purse(to, Purse::Funds), amount);
        } else {
            self.arrive(id, from, to, amount, now);
        }
        let status = if held { Status::Held } else { Status::Completed };
        let deadline = now.plus_milliseconds(REVIEW_MS);
        self.sends.insert(id, Send { from, to, amount, status, deadline, coins });
    }

    /// What arrives is one coin, as old as its arrival.
    fn arrive(&mut self, send: wallet::SendId, from: WalletId, to: WalletId, amount: i64, now: Time) {
        self.books.pay(chart::purse(from, Purse::Funds), chart::purse(to, Purse::Funds), amount);
        self.books.put(to, Coin { purse: Purse::Funds, lot: send.0, received: now, from: None, amount });
    }

    fn send_back(&mut self, id: wallet::SendId, status: Status) {
        let row = self.sends.get_mut(&id).expect("an unknown send is a reason");
        row.status = status;
        let (from, to, amount, coins) = (row.from, row.to, row.amount, std::mem::take(&mut row.coins));
        self.books.release(chart::purse(from, Purse::Funds), chart::purse(to, Purse::Funds), amount);
        for coin in coins {
            self.come_back(from, coin);
        }
        self.tally.free(id.0);
    }

    /// A coin comes back into its purse; if its bank took it back meanwhile, it pays what is owed of it, and then what the
    /// operator lost by it.
    pub(super) fn come_back(&mut self, wallet: WalletId, coin: Coin) {
        let holding = self.holding(wallet);
        let owed = holding.owed_of(coin.lot).min(coin.amount);
        super::payment::pay_debt(holding, coin.lot, owed);
        let lost = holding.recover(coin.lot, coin.amount - owed);
        self.books.put(wallet, Coin { amount: coin.amount - owed - lost, ..coin });
        self.books.pay(chart::purse(wallet, coin.purse), chart::receivable(wallet), owed);
        self.books.pay(chart::purse(wallet, coin.purse), chart::written_off(), lost);
    }
}
