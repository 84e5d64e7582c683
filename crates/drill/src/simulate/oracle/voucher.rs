//! The model of vouchers, bonus and sends: money that comes into a wallet without a bank.

use super::guard::Watched;
use super::payment::young;
use super::{Books, Lot, Oracle, Reasons, What, Why, date, tomorrow};
use domain::{Moment, Time};
use wallet::send::{self, Status};
use wallet::switches::Function;
use wallet::{
    Limit, Noun, PURSE_LOTS_MAX, Purse, SendId, Source, StaffId, Standing, Unable, WalletId, bonus, chart, voucher,
};

/// How long a held movement waits for the desk: a day.
pub const REVIEW_MS: i64 = 24 * 3_600_000;

/// A voucher as the model knows it.
pub struct Voucher {
    pub(super) amount: i64,
    pub(super) expires: Time,
    pub(super) status: voucher::Status,
    /// Who proposed it and since when, where it took two.
    pub(super) proposed: Option<(StaffId, Time)>,
}

impl Voucher {
    fn wrong(&self) -> Why {
        Why::Status(Noun::Voucher, self.status.into())
    }
}

/// A send as the model knows it.
pub struct Send {
    pub(super) from: WalletId,
    pub(super) to: WalletId,
    pub(super) amount: i64,
    pub status: Status,
    /// Why it was held, if it was.
    pub reason: Option<u16>,
    pub deadline: Time,
    pub(super) lots: Vec<Lot>,
}

impl Oracle {
    /// Notes what keeps `amount` from coming into a purse as a new lot.
    fn inflow_reasons(&self, wallet: WalletId, purse: Purse, amount: i64, reasons: &mut Reasons) {
        let holding = &self.wallets[&wallet];
        Self::outflow_reasons(holding, reasons);
        let occupied = self.books.occupied(wallet);
        reasons.limit(Limit::Balance, self.policy.balance.max(holding.tier), occupied, amount);
        let full = self.books.lots(wallet, purse) >= PURSE_LOTS_MAX;
        reasons.full(full, Limit::Lots, PURSE_LOTS_MAX, None);
    }

    pub(super) fn voucher_reasons(&self, command: &voucher::Command, moment: Moment, reasons: &mut Reasons) {
        match command {
            voucher::Command::Issue { voucher, amount, expires, .. } => {
                reasons.add(amount.is_zero(), Why::AmountZero);
                reasons.add(self.vouchers.contains_key(voucher), Why::IdTaken(Noun::Voucher));
                reasons.add(*expires <= moment.now, Why::Expired(Noun::Voucher, *expires));
                reasons.limit(Limit::PerTime, self.policy.voucher.amount_max, 0, amount.amount());
            }
            voucher::Command::Approve { voucher, by } => {
                let Some(row) = self.vouchers.get(voucher) else {
                    return reasons.add(true, Why::Unknown(Noun::Voucher));
                };
                let Some((first, at)) = row.proposed.filter(|_| row.status == voucher::Status::Proposed) else {
                    return reasons.add(true, row.wrong());
                };
                reasons.add(first == *by, Why::SecondPerson);
                let until = row.expires.min(at.plus_milliseconds(REVIEW_MS));
                reasons.add(moment.now >= until, Why::Expired(Noun::Voucher, until));
            }
            voucher::Command::Redeem { voucher, wallet, holder, proof, .. } => {
                let row = self.vouchers.get(voucher);
                reasons.add(row.is_none(), Why::Unknown(Noun::Voucher));
                if let Some(row) = row {
                    reasons.add(row.status != voucher::Status::Issued, row.wrong());
                    reasons.add(moment.now >= row.expires, Why::Expired(Noun::Voucher, row.expires));
                }
                let Some(holding) = self.wallets.get(wallet).filter(|holding| holding.holder == *holder) else {
                    return reasons.add(true, Why::Unknown(Noun::Wallet));
                };
                self.stopped_reasons(Function::Voucher, None, holding.tier, holding.opened, reasons);
                let amount = row.map_or(0, |row| row.amount);
                self.inflow_reasons(*wallet, Purse::Prepaid, amount, reasons);
                let (function, wallet, now) = (Function::Voucher, *wallet, moment.now);
                self.unheld_reasons(Watched { function, wallet, amount, linked: None, now }, *proof, reasons);
            }
            voucher::Command::Cancel { voucher } => {
                let row = self.vouchers.get(voucher);
                reasons.add(row.is_none(), Why::Unknown(Noun::Voucher));
                if let Some(row) = row {
                    let is_unused = [voucher::Status::Issued, voucher::Status::Proposed].contains(&row.status);
                    reasons.add(!is_unused, row.wrong());
                }
            }
        }
    }

    /// Whether somebody may make so much more by themselves: what the desk made alone on the date counts.
    fn makes_alone(&mut self, amount: i64, now: Time) -> bool {
        let (at, sum) = self.made_alone.filter(|(at, _)| date(*at) == date(now)).unwrap_or((now, 0));
        let is_alone = sum + amount <= self.policy.voucher.alone_per_day_max.amount();
        if is_alone {
            self.made_alone = Some((at, sum + amount));
        }
        is_alone
    }

    pub(super) fn voucher_apply(&mut self, command: &voucher::Command, moment: Moment) {
        match command {
            voucher::Command::Issue { voucher, amount, expires, by } => {
                let (amount, expires) = (amount.amount(), *expires);
                let first = by.filter(|_| !self.makes_alone(amount, moment.now));
                let status = if first.is_some() { voucher::Status::Proposed } else { voucher::Status::Issued };
                let proposed = first.map(|by| (by, moment.now));
                self.vouchers.insert(*voucher, Voucher { amount, expires, status, proposed });
            }
            voucher::Command::Approve { voucher, .. } => {
                self.vouchers.get_mut(voucher).expect("an unknown voucher is a reason").status =
                    voucher::Status::Issued;
            }
            voucher::Command::Redeem { voucher, wallet, .. } => {
                let row = self.vouchers.get_mut(voucher).expect("an unknown voucher is a reason");
                row.status = voucher::Status::Redeemed;
                let amount = row.amount;
                self.books.pay(chart::voucher_clearing(), chart::purse(*wallet, Purse::Prepaid), amount);
                let (purse, id, received) = (Purse::Prepaid, voucher.0, moment.now);
                self.books.put(*wallet, Lot { purse, id, source: Source::Voucher, received, amount });
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
        let bonus::Command::Give { bonus, campaign, wallet, amount } = command;
        self.bonuses.insert(*bonus);
        let amount = amount.amount();
        self.books.pay(chart::campaign_expense(), chart::purse(*wallet, Purse::Bonus), amount);
        let (purse, id, received) = (Purse::Bonus, bonus.0, moment.now);
        self.books.put(*wallet, Lot { purse, id, source: Source::Campaign(*campaign), received, amount });
    }

    pub(super) fn send_reasons(&self, command: &send::Command, moment: Moment, reasons: &mut Reasons) {
        match command {
            send::Command::Request(command) => self.request_send_reasons(command, moment, reasons),
            send::Command::DecideHeld { send, release, .. } => {
                let Some(row) = self.sends.get(send) else { return reasons.add(true, Why::Unknown(Noun::Send)) };
                reasons.add(row.status != Status::Held, Why::Status(Noun::Send, row.status.into()));
                if !release {
                    return;
                }
                let holding = &self.wallets[&row.from];
                self.stopped_reasons(Function::Send, None, holding.tier, holding.opened, reasons);
                reasons.add(moment.clock_drifted, Why::ClockDrifted);
                reasons.add(moment.now >= row.deadline, Why::Expired(Noun::Send, row.deadline));
                Self::outflow_reasons(holding, reasons);
                self.recipient_reasons(row.to, 0, reasons);
            }
            send::Command::ExpireHeld { send } => match self.sends.get(send) {
                None => reasons.add(true, Why::Unknown(Noun::Send)),
                Some(row) => {
                    reasons.add(moment.clock_drifted, Why::ClockDrifted);
                    let is_held = row.status == Status::Held;
                    let standing = if is_held { Standing::HeldNotExpired } else { row.status.into() };
                    reasons.add(!is_held || moment.now < row.deadline, Why::Status(Noun::Send, standing));
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
        reasons.least(self.policy.send.per_time_min, amount);
        reasons.limit(Limit::PerTime, self.policy.send.per_time_max, 0, amount);
        self.watched_reasons(watched(command, moment.now), command.proof, reasons);
        if self.wallets.contains_key(&command.to) {
            self.recipient_reasons(command.to, amount, reasons);
        } else {
            reasons.add(true, Why::Unknown(Noun::Recipient));
        }
        let from = command.wallet;
        let Some(holding) = self.wallets.get(&from).filter(|holding| holding.holder == command.holder) else {
            return reasons.add(true, Why::Unknown(Noun::Wallet));
        };
        self.stopped_reasons(Function::Send, None, holding.tier, holding.opened, reasons);
        Self::outflow_reasons(holding, reasons);
        reasons.tier(holding.tier, self.policy.send.tier_min);
        let today = self.tally.today(from.0, What::Send, moment.now);
        reasons.limit_until(Limit::PerDay, self.policy.send.per_day_max, today, amount, tomorrow(moment.now));
        if let Some(person) = holding.person {
            let today = self.tally.today(person.0, What::Send, moment.now);
            reasons.limit_until(Limit::PersonPerDay, self.policy.send.per_day_max, today, amount, tomorrow(moment.now));
        }
        let available = self.books.free_in_purse(from, Purse::Funds);
        reasons.funds(available, amount);
        let lots = self.lots_of_send(from, amount);
        reasons.pieces(lots.len());
        let young = young(&lots, moment.now);
        if young > 0 {
            let by_send = self.tally.today(from.0, What::YoungSend, moment.now);
            reasons.limit_until(
                Limit::YoungSend,
                self.policy.ageing.send_per_day_max,
                by_send,
                young,
                tomorrow(moment.now),
            );
            let today = self.tally.today(from.0, What::Young, moment.now);
            reasons.limit_until(Limit::Young, self.policy.ageing.per_day_max, today, young, tomorrow(moment.now));
        }
    }

    fn lots_of_send(&self, from: WalletId, amount: i64) -> Vec<Lot> {
        let oldest = |amount| self.books.oldest(from, Purse::Funds, amount, |_| true);
        Books::few(oldest(amount), oldest(i64::MAX))
    }

    /// The sends out of `wallet`.
    pub fn sends_of(&self, wallet: WalletId) -> Vec<SendId> {
        self.sends.iter().filter(|(_, row)| row.from == wallet).map(|(id, _)| *id).collect()
    }

    /// Notes what keeps `wallet` from receiving.
    fn recipient_reasons(&self, wallet: WalletId, amount: i64, reasons: &mut Reasons) {
        let holding = &self.wallets[&wallet];
        reasons.add(holding.closed, Why::Recipient(Unable::Closed));
        let stopped = self.stops(Function::Send, None, holding.tier, holding.opened).next().is_some();
        reasons.add(stopped, Why::Recipient(Unable::Stopped));
        let frozen = !holding.frozen.is_empty() || !holding.debts.is_empty() || holding.closing.is_some();
        reasons.add(frozen, Why::Recipient(Unable::Frozen));
        reasons.add(holding.tier < self.policy.send.tier_min, Why::Recipient(Unable::Tier));
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
        let reason = self.holds(watched(command, now));
        let lots = self.lots_of_send(from, amount);
        for lot in &lots {
            self.books.take(from, lot);
        }
        let person = self.wallets[&from].person.map(|person| person.0);
        for whose in [Some(from.0), person].into_iter().flatten() {
            self.tally.add(whose, What::Send, id.0, now, amount);
        }
        let young = young(&lots, now);
        if young > 0 {
            self.tally.add(from.0, What::Young, id.0, now, young);
            self.tally.add(from.0, What::YoungSend, id.0, now, young);
        }
        if reason.is_some() {
            self.books.hold(chart::purse(from, Purse::Funds), chart::purse(to, Purse::Funds), amount);
        } else {
            self.arrive(id, from, to, amount, now);
        }
        let status = if reason.is_some() { Status::Held } else { Status::Completed };
        let deadline = now.plus_milliseconds(REVIEW_MS);
        self.sends.insert(id, Send { from, to, amount, status, reason, deadline, lots });
    }

    /// What arrives is one lot, as old as its arrival.
    fn arrive(&mut self, send: SendId, from: WalletId, to: WalletId, amount: i64, now: Time) {
        self.books.pay(chart::purse(from, Purse::Funds), chart::purse(to, Purse::Funds), amount);
        self.books.put(to, Lot { purse: Purse::Funds, id: send.0, source: Source::Send(from), received: now, amount });
    }

    fn send_back(&mut self, id: SendId, status: Status) {
        let row = self.sends.get_mut(&id).expect("an unknown send is a reason");
        row.status = status;
        let (from, to, amount, lots) = (row.from, row.to, row.amount, std::mem::take(&mut row.lots));
        self.books.release(chart::purse(from, Purse::Funds), chart::purse(to, Purse::Funds), amount);
        for lot in lots {
            self.come_back(from, lot);
        }
        self.tally.free(id.0);
    }

    /// A lot comes back into its purse; if its bank took it back meanwhile, it pays what is owed of it, and then what the
    /// operator lost by it.
    pub(super) fn come_back(&mut self, wallet: WalletId, lot: Lot) {
        let holding = self.holding(wallet);
        let owed = holding.owed_of(lot.id).min(lot.amount);
        super::payment::pay_debt(holding, lot.id, owed);
        let gone = holding.recover(lot.id, lot.amount - owed);
        self.books.put(wallet, Lot { amount: lot.amount - owed - gone, ..lot });
        self.books.pay(chart::purse(wallet, lot.purse), chart::receivable(wallet), owed);
        self.books.pay(chart::purse(wallet, lot.purse), chart::written_off(), gone);
    }
}

fn watched(command: &send::Request, now: Time) -> Watched {
    let (wallet, amount) = (command.wallet, command.amount.amount());
    Watched { function: Function::Send, wallet, amount, linked: None, now }
}
