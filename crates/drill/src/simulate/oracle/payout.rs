//! The model of payouts.

use super::books::PIECES_MAX;
use super::guard::Watched;
use super::moves::{Told, Trouble, told};
use super::payment::{YOUNG_MS, pay_debt};
use super::voucher::REVIEW_MS;
use super::{Books, Holding, Lot, Oracle, Reasons, What, Why, next_month, tomorrow};
use domain::{Id, Moment, Time};
use ledger::Yen;
use wallet::bank_answer::{Answer, Claim, Resolution};
use wallet::payout::{Command, Request, Status};
use wallet::switches::Function;
use wallet::{BankAccountId, BankCode, Limit, Noun, PayoutId, Purse, Receipt, Standing, WalletId, chart};

/// A payout as the model knows it.
pub struct Payout {
    pub wallet: WalletId,
    pub bank: BankCode,
    pub account: BankAccountId,
    pub amount: i64,
    pub status: Status,
    /// Why it was held, if it was.
    pub reason: Option<u16>,
    pub deadline: Time,
    pub accepted: Time,
    pub(super) young: i64,
    pub(super) cancel_wished: bool,
    pub trouble: Trouble,
    /// What two people found, the last time.
    pub(super) resolved: Option<Resolution>,
    pub(super) lots: Vec<Lot>,
    /// What of it goes back to where it came from, by the top-up that brought it.
    pub(super) back: Vec<(Id, i64)>,
}

impl Payout {
    fn is_asked(&self) -> bool {
        matches!(self.status, Status::Pending | Status::InDoubt)
    }

    /// Whether its bank may yet pay it, or the desk release it.
    pub fn is_open(&self) -> bool {
        self.status == Status::Held || self.is_asked()
    }

    /// Whether it waits for its bank's answer, or for the desk.
    pub fn waits(&self) -> bool {
        self.is_open() || self.trouble.any()
    }

    fn doubt(&mut self) {
        if self.status == Status::Pending {
            self.status = Status::InDoubt;
        }
    }

    const fn end_without_payment(&self) -> Status {
        if self.cancel_wished { Status::Cancelled } else { Status::Declined }
    }
}

impl Oracle {
    pub(super) fn payout_reasons(&self, command: &Command, moment: Moment, reasons: &mut Reasons) {
        if let Command::Request(request) = command {
            return self.request_payout_reasons(request, false, moment, reasons);
        }
        if let Command::RequestLast(request) = command {
            return self.request_payout_reasons(request, true, moment, reasons);
        }
        let Some(row) = self.payouts.get(&payout_of(command)) else {
            return reasons.add(true, Why::Unknown(Noun::Payout));
        };
        let wrong = Why::Status(Noun::Payout, row.status.into());
        match command {
            Command::Request(_) | Command::RequestLast(_) | Command::Contradict { .. } | Command::Return { .. } => {}
            Command::DecideHeld { release, .. } => {
                reasons.add(row.status != Status::Held, wrong);
                reasons.add(row.trouble.any(), Why::Contradiction(Noun::Payout));
                if *release {
                    let holding = &self.wallets[&row.wallet];
                    reasons.add(moment.now >= row.deadline, Why::Expired(Noun::Payout, row.deadline));
                    self.stop_reasons(holding, row.bank, moment, reasons);
                    Self::staying_reasons(holding, Some(payout_of(command)), reasons);
                    Self::leaving_reasons(holding, reasons);
                    let route = self.is_route(row.account, row.wallet, holding);
                    reasons.add(!route, Why::Unknown(Noun::BankAccount));
                }
            }
            Command::ExpireHeld { .. } => {
                reasons.add(moment.clock_drifted, Why::ClockDrifted);
                let early = Why::Status(Noun::Payout, Standing::HeldNotExpired);
                let why = if row.status == Status::Held { early } else { wrong };
                reasons.add(row.status != Status::Held || moment.now < row.deadline, why);
                reasons.add(row.trouble.any(), Why::Contradiction(Noun::Payout));
            }
            Command::Asked { .. } => reasons.add(row.status == Status::Held, wrong),
            Command::Answer { answer, .. } => {
                let is_kept = row.trouble.keeps(told(*answer));
                reasons.add(row.status == Status::Held && !is_kept, wrong);
            }
            Command::Cancel { holder, .. } => {
                reasons.add(self.wallets[&row.wallet].holder != *holder, Why::Unknown(Noun::Payout));
                let held = row.status == Status::Held;
                reasons.add(held && row.trouble.any(), Why::Contradiction(Noun::Payout));
                reasons.add(!row.is_open() && row.status != Status::Cancelled, wrong);
            }
            Command::Propose { resolution, .. } => reasons.add(!fits(row, *resolution), wrong),
            Command::Approve { resolution, by, .. } => {
                reasons.add(!fits(row, *resolution), wrong);
                row.trouble.approve_reasons(*resolution, *by, Noun::Payout, reasons);
            }
        }
    }

    /// The last payout, `closes`, is bounded by no size and no count, and must be all there is.
    fn request_payout_reasons(&self, command: &Request, closes: bool, moment: Moment, reasons: &mut Reasons) {
        let amount = command.amount.amount();
        let (id, now) = (command.wallet, moment.now);
        reasons.add(amount == 0, Why::AmountZero);
        reasons.add(self.payouts.contains_key(&command.payout), Why::IdTaken(Noun::Payout));
        self.watched_reasons(watched(command, now), command.proof, reasons);
        let Some(holding) = self.wallets.get(&id).filter(|holding| holding.holder == command.holder) else {
            return reasons.add(true, Why::Unknown(Noun::Wallet));
        };
        let account = command.bank_account;
        if !self.is_route(account, id, holding) {
            return reasons.add(true, Why::Unknown(Noun::BankAccount));
        }
        self.stop_reasons(holding, self.linked[&account].bank, moment, reasons);
        Self::outflow_reasons(holding, reasons);
        reasons.tier(holding.tier, self.policy.payout.tier_min);
        if closes {
            self.last_payout_reasons(id, amount, now, reasons);
        } else {
            self.payout_limit_reasons(id, holding, amount, now, reasons);
        }
        let lots = self.lots_to(id, holding, account, now);
        let available: i64 = lots.iter().map(|lot| lot.amount).sum();
        reasons.funds(available, amount);
        let lots = Books::few(first(lots.clone(), amount), lots);
        reasons.pieces(lots.len());
        let young = young(&lots, account, now);
        if young > 0 {
            let today = self.tally.today(id.0, What::Young, now);
            reasons.limit_until(Limit::Young, self.policy.ageing.per_day_max, today, young, tomorrow(now));
        }
    }

    fn payout_limit_reasons(&self, id: WalletId, holding: &Holding, amount: i64, now: Time, reasons: &mut Reasons) {
        reasons.limit(Limit::PerTime, self.policy.payout.per_time_max, 0, amount);
        let person = holding.person.map_or(0, |person| self.tally.times_in_month(person.0, What::Payout, now));
        let times = person.max(self.tally.times_in_month(id.0, What::Payout, now));
        let at_most = self.policy.payout.count_per_month_max;
        reasons.full(times >= i64::from(at_most), Limit::CountPerMonth, at_most as usize, next_month(now));
    }

    /// The last payout is all there is to pay out, nothing else is left or under way, and nothing left today.
    fn last_payout_reasons(&self, id: WalletId, amount: i64, now: Time, reasons: &mut Reasons) {
        let (funds, prepaid) = (self.books.in_purse(id, Purse::Funds), self.books.in_purse(id, Purse::Prepaid));
        let available = if amount == funds { prepaid } else { funds + prepaid };
        let pending = self.books.under_way(id);
        reasons.add(available != 0 || pending != 0, Why::NotSettled { available, pending });
        self.left_today_reasons(id, now, reasons);
    }

    fn stop_reasons(&self, holding: &Holding, bank: BankCode, moment: Moment, reasons: &mut Reasons) {
        self.stopped_reasons(Function::Payout, Some(bank), holding.tier, holding.opened, reasons);
        reasons.add(moment.clock_drifted, Why::ClockDrifted);
    }

    /// Whether a wallet's money may be paid out to `account`.
    fn is_route(&self, account: BankAccountId, wallet: WalletId, holding: &Holding) -> bool {
        let route = self.linked.get(&account).and_then(|linked| linked.route);
        route.is_some_and(|(_, of, person)| of == wallet || (person.is_some() && person == holding.person))
    }

    /// The lots that may go to `account`, in the order in which they go: back where they came from, then old ones, then
    /// young ones.
    fn lots_to(&self, wallet: WalletId, holding: &Holding, account: BankAccountId, now: Time) -> Vec<Lot> {
        let by_name = self.policy.mandate.requires_name;
        let theirs = |account: &BankAccountId| {
            let person = self.linked.get(account).and_then(|linked| linked.person);
            !by_name || (person.is_some() && person == holding.person)
        };
        let is_young = |lot: &Lot| now.milliseconds_since(lot.received) < YOUNG_MS;
        let all = self.books.oldest(wallet, Purse::Funds, i64::MAX, |_| true);
        let back = all.iter().filter(|lot| lot.from() == Some(account));
        let others = all.iter().filter(|lot| lot.from() != Some(account));
        let may = others.filter(|lot| match lot.from() {
            Some(from) => !is_young(lot) && theirs(&account) && theirs(&from),
            None => true,
        });
        let (young, old): (Vec<Lot>, Vec<Lot>) = may.copied().partition(|lot| is_young(lot));
        let (back_young, back_old): (Vec<Lot>, Vec<Lot>) = back.copied().partition(|lot| is_young(lot));
        [back_old, back_young, old, young].concat()
    }

    pub(super) fn payout_apply(&mut self, command: &Command, receipt: &Receipt, moment: Moment) -> Result<(), String> {
        let id = payout_of(command);
        if let Command::Request(command) | Command::RequestLast(command) = command {
            self.request_payout(command, moment.now);
        }
        if let Command::RequestLast(command) = command {
            self.holding(command.wallet).closing = Some(id);
        }
        let mut row = self.payouts.remove(&id).expect("an unknown payout is a reason");
        let clearing = chart::clearing(row.bank);
        let before = self.books.balance(clearing);
        match command {
            Command::Request(_) | Command::RequestLast(_) => {}
            Command::DecideHeld { release: true, .. } => row.status = Status::Pending,
            Command::DecideHeld { release: false, .. } | Command::ExpireHeld { .. } => {
                self.end_payout(id, &mut row, Status::Declined);
            }
            Command::Asked { .. } => row.doubt(),
            Command::Answer { answer, .. } => self.answer_payout(id, &mut row, *answer),
            Command::Cancel { .. } if row.status == Status::Held => self.end_payout(id, &mut row, Status::Cancelled),
            Command::Cancel { .. } => row.cancel_wished |= row.is_asked(),
            Command::Return { amount, .. } => self.sent_back(id, &mut row, *amount),
            Command::Contradict { claim, .. } => contradict(&mut row, *claim),
            Command::Propose { resolution, by, .. } => row.trouble.proposal = Some((*resolution, *by)),
            Command::Approve { resolution, .. } => self.resolve_payout(id, &mut row, *resolution),
        }
        *self.at_bank.entry(id.0).or_default() += before - self.books.balance(clearing);
        let (status, is_flagged) = (row.status, row.trouble.any());
        let expected = Receipt::Payout { id, status, amount: Yen::new(row.amount), is_flagged };
        self.payouts.insert(id, row);
        super::payment::expect(receipt, &expected)
    }

    fn request_payout(&mut self, command: &Request, now: Time) {
        let (id, wallet, account, amount) =
            (command.payout, command.wallet, command.bank_account, command.amount.amount());
        let holding = &self.wallets[&wallet];
        let person = holding.person;
        let there = self.lots_to(wallet, holding, account, now);
        let lots = Books::few(first(there.clone(), amount), there);
        for lot in &lots {
            self.books.take(wallet, lot);
        }
        let reason = self.holds(watched(command, now));
        let bank = self.linked[&account].bank;
        self.books.hold(chart::purse(wallet, Purse::Funds), chart::clearing(bank), amount);
        let row = Payout {
            wallet,
            bank,
            account,
            amount,
            status: if reason.is_some() { Status::Held } else { Status::Pending },
            reason,
            deadline: now.plus_milliseconds(REVIEW_MS),
            accepted: now,
            young: young(&lots, account, now),
            cancel_wished: false,
            trouble: Trouble::default(),
            resolved: None,
            back: lots.iter().filter(|lot| lot.from() == Some(account)).map(|lot| (lot.id, lot.amount)).collect(),
            lots,
        };
        self.count_payout(id, &row, person);
        self.payouts.insert(id, row);
    }

    fn count_payout(&mut self, id: PayoutId, row: &Payout, person: Option<wallet::PersonId>) {
        for whose in [Some(row.wallet.0), person.map(|person| person.0)].into_iter().flatten() {
            self.tally.add(whose, What::Payout, id.0, row.accepted, row.amount);
        }
        if row.young > 0 {
            self.tally.add(row.wallet.0, What::Young, id.0, row.accepted, row.young);
        }
    }

    fn answer_payout(&mut self, id: PayoutId, row: &mut Payout, answer: Answer) {
        let (clearing, suspense) = (chart::clearing(row.bank), chart::suspense(Some(row.bank)));
        match told(answer) {
            Told::Nothing => row.doubt(),
            Told::NotMoved if row.is_asked() && !row.trouble.any() => {
                self.end_payout(id, row, row.end_without_payment());
            }
            Told::NotMoved => {
                if row.is_open() || row.status == Status::Settled {
                    row.trouble.claims(Claim::NotMoved);
                }
            }
            Told::Moved(amount) if row.is_asked() && row.trouble.mismatch == Some(amount) => {}
            Told::Moved(amount) if row.is_asked() && !row.trouble.any() && amount == row.amount => self.settle(row),
            Told::Moved(amount) if row.is_asked() && !row.trouble.any() => {
                row.status = Status::InDoubt;
                row.trouble.mismatch = Some(amount);
                self.books.pay(suspense, clearing, amount);
            }
            Told::Moved(amount) => {
                let is_unpaid = row.resolved == Some(Resolution::Return);
                let is_known = row.status == Status::Settled || (row.status == Status::Returned && !is_unpaid);
                if !is_known || amount != row.amount {
                    row.trouble.claims(Claim::Moved(Yen::new(amount)));
                }
            }
        }
    }

    fn settle(&mut self, row: &mut Payout) {
        self.settle_payout_suspense(row);
        row.status = Status::Settled;
        let (purse, clearing) = (chart::purse(row.wallet, Purse::Funds), chart::clearing(row.bank));
        self.books.release(purse, clearing, row.amount);
        self.books.pay(purse, clearing, row.amount);
    }

    /// A wrong amount in suspense was none.
    fn settle_payout_suspense(&mut self, row: &mut Payout) {
        let suspended = row.trouble.mismatch.take().unwrap_or(0);
        self.books.pay(chart::clearing(row.bank), chart::suspense(Some(row.bank)), suspended);
    }

    /// Ends it as if it had not been paid.
    fn end_payout(&mut self, id: PayoutId, row: &mut Payout, status: Status) {
        self.settle_payout_suspense(row);
        let (purse, clearing) = (chart::purse(row.wallet, Purse::Funds), chart::clearing(row.bank));
        if row.is_open() {
            self.books.release(purse, clearing, row.amount);
        } else {
            self.books.pay(clearing, purse, row.amount);
        }
        row.status = status;
        // The money is back, and the wallet is no longer being closed.
        let holding = self.holding(row.wallet);
        holding.closing = holding.closing.filter(|last| *last != id);
        let mut spare = row.amount;
        for lot in std::mem::take(&mut row.lots) {
            spare -= lot.amount;
            self.come_back(row.wallet, lot);
        }
        let holding = self.holding(row.wallet);
        let owed = holding.owed_of(id.0).min(spare);
        pay_debt(holding, id.0, owed);
        let gone = holding.recover(id.0, spare - owed);
        self.books.pay(purse, chart::receivable(row.wallet), owed);
        self.books.pay(purse, chart::written_off(), gone);
        self.books.pay(purse, chart::suspense(Some(row.bank)), spare - owed - gone);
        self.tally.free(id.0);
        if self.wallets[&row.wallet].closed {
            self.empty_closed(row.wallet, row.bank);
        }
    }

    /// Nothing stays in a closed wallet.
    fn empty_closed(&mut self, wallet: WalletId, bank: BankCode) {
        for lot in self.books.lying(wallet, Purse::Funds) {
            self.books.take(wallet, &lot);
            self.books.pay(chart::purse(wallet, Purse::Funds), chart::suspense(Some(bank)), lot.amount);
        }
    }

    fn sent_back(&mut self, id: PayoutId, row: &mut Payout, amount: Yen) {
        let whole = row.trouble.mismatch.unwrap_or(row.amount) == amount.amount();
        match row.status {
            Status::Pending | Status::InDoubt if whole && row.trouble.claims.is_empty() => {
                self.end_payout(id, row, Status::Returned);
            }
            Status::Settled if whole => self.end_payout(id, row, Status::Returned),
            Status::Returned if whole => {}
            Status::Held
            | Status::Pending
            | Status::InDoubt
            | Status::Settled
            | Status::Declined
            | Status::Cancelled
            | Status::Returned => row.trouble.claims(Claim::TakenBack(amount)),
        }
    }

    fn resolve_payout(&mut self, id: PayoutId, row: &mut Payout, how: Resolution) {
        match how {
            Resolution::Keep | Resolution::AlreadyReturned => {}
            Resolution::Settle if row.is_open() => self.settle(row),
            Resolution::Settle => self.pay_after_all(id, row),
            Resolution::Return => self.end_payout(id, row, Status::Returned),
            Resolution::Decline => self.end_payout(id, row, row.end_without_payment()),
        }
        row.trouble = Trouble::default();
        row.resolved = Some(how);
    }

    /// The bank had paid what it had said it did not: what is there goes, the rest is owed.
    fn pay_after_all(&mut self, id: PayoutId, row: &mut Payout) {
        let (purse, clearing) = (chart::purse(row.wallet, Purse::Funds), chart::clearing(row.bank));
        row.lots = self.books.oldest(row.wallet, Purse::Funds, row.amount, |_| true);
        row.lots.truncate(PIECES_MAX);
        let there: i64 = row.lots.iter().map(|lot| lot.amount).sum();
        for lot in &row.lots {
            self.books.take(row.wallet, lot);
        }
        let owed = row.amount - there;
        self.books.pay(purse, clearing, there);
        self.books.pay(chart::receivable(row.wallet), clearing, owed);
        let holding = self.holding(row.wallet);
        if owed > 0 {
            holding.debts.push((id.0, owed));
        }
        let person = holding.person;
        row.status = Status::Settled;
        self.count_payout(id, row, person);
    }
}

/// The first lots that make up `amount`.
fn first(mut lots: Vec<Lot>, amount: i64) -> Vec<Lot> {
    let mut left = amount;
    for lot in &mut lots {
        lot.amount = lot.amount.min(left);
        left -= lot.amount;
    }
    lots.retain(|lot| lot.amount > 0);
    lots
}

/// The young money in `lots`. On its way back to the account it came from money has no age.
fn young(lots: &[Lot], to: BankAccountId, now: Time) -> i64 {
    let elsewhere: Vec<Lot> = lots.iter().filter(|lot| lot.from() != Some(to)).copied().collect();
    super::payment::young(&elsewhere, now)
}

/// Whether there is something to settle, in this way.
fn fits(row: &Payout, how: Resolution) -> bool {
    let way = match how {
        Resolution::Settle => {
            let after_all = row.trouble.claims.contains(&Claim::Moved(Yen::new(row.amount)));
            let ended = matches!(row.status, Status::Declined | Status::Cancelled | Status::Returned);
            row.is_open() || (ended && after_all)
        }
        Resolution::Decline => row.is_open(),
        Resolution::Return => row.status == Status::Settled,
        Resolution::Keep => !row.is_open(),
        Resolution::AlreadyReturned => false,
    };
    row.trouble.any() && way
}

/// What the gateway calls a contradiction is one, unless it is what is on record.
fn contradict(row: &mut Payout, claim: Claim) {
    let ended = matches!(row.status, Status::Declined | Status::Cancelled);
    let is_on_record = match claim {
        Claim::Moved(moved) => matches!(row.status, Status::Settled | Status::Returned) && moved.amount() == row.amount,
        Claim::NotMoved => ended || row.status == Status::Returned,
        Claim::TakenBack(amount) | Claim::CameBack(amount) => {
            row.status == Status::Returned && amount.amount() == row.amount
        }
    };
    if !is_on_record {
        row.trouble.claims(claim);
    }
}

fn watched(command: &Request, now: Time) -> Watched {
    let (wallet, amount) = (command.wallet, command.amount.amount());
    Watched { function: Function::Payout, wallet, amount, linked: None, now }
}

fn payout_of(command: &Command) -> PayoutId {
    match command {
        Command::Request(request) | Command::RequestLast(request) => request.payout,
        Command::DecideHeld { payout, .. }
        | Command::ExpireHeld { payout }
        | Command::Asked { payout }
        | Command::Answer { payout, .. }
        | Command::Cancel { payout, .. }
        | Command::Return { payout, .. }
        | Command::Contradict { payout, .. }
        | Command::Propose { payout, .. }
        | Command::Approve { payout, .. } => *payout,
    }
}
