//! The model of top-ups.

use super::guard::Watched;
use super::moves::{Told, Trouble, is_firm_no, told};
use super::reimbursement::Restituted;
use super::voucher::REVIEW_MS;
use super::{Holding, Lot, Oracle, Reasons, What, Why, next_month, tomorrow};
use domain::{Moment, Time};
use ledger::Yen;
use wallet::bank_answer::{Answer, Claim, Resolution};
use wallet::switches::Function;
use wallet::top_up::{Command, GIVE_BACKS_FAILED_MAX, Request, Status};
use wallet::{
    BankAccountId, BankCode, GiveBackId, Limit, MandateId, Noun, PURSE_LOTS_MAX, Proof, Purse, Receipt, Source,
    Standing, TopUpId, WalletId, chart, mandate,
};

/// A top-up as the model knows it.
#[expect(clippy::struct_excessive_bools, reason = "a model notes plainly what was said of it")]
pub struct TopUp {
    pub wallet: WalletId,
    pub bank: BankCode,
    pub account: BankAccountId,
    pub(super) mandate: MandateId,
    pub amount: i64,
    pub accepted: Time,
    pub status: Status,
    /// Why it was held, if it was.
    pub reason: Option<u16>,
    pub deadline: Time,
    pub(super) cancel_wished: bool,
    /// Whether the first final answer was the bank's own no.
    pub(super) firm_no: bool,
    pub(super) answered: bool,
    pub trouble: Trouble,
    /// What two people found of the debit, the last time.
    pub(super) resolved: Option<Resolution>,
    /// What goes back, and whether it is there.
    pub give_back: Option<(GiveBackId, i64, bool)>,
    /// What of it the bank had taken back by itself, as two people found.
    pub(super) taken_back: Option<i64>,
    /// The give-back, if the bank said that it could not make it.
    pub(super) back_failed: Option<GiveBackId>,
    /// The give-backs that failed before the present one.
    pub(super) backs_failed: Vec<GiveBackId>,
    /// Whether the bank knew nothing to the last of what it is to give back.
    pub(super) back_absent: bool,
    /// Whether another way than the bank's paid what was to go back.
    pub(super) back_otherwise: bool,
    /// What of it is reimbursed, or on its way.
    pub reimbursed: i64,
    /// What a case took for it.
    pub(super) restituted: Option<Restituted>,
}

impl TopUp {
    fn is_asked(&self) -> bool {
        matches!(self.status, Status::Pending | Status::InDoubt)
    }

    fn is_open(&self) -> bool {
        self.status == Status::Held || self.is_asked()
    }

    /// Whether money is to go back that is not there yet.
    pub(super) fn gives_back(&self) -> bool {
        self.give_back.is_some_and(|(_, _, is_done)| !is_done)
    }

    /// Whether the bank is asked to give it back, and has said nothing of that.
    pub(super) fn back_is_asked(&self) -> bool {
        self.gives_back() && self.back_failed.is_none()
    }
}

impl Oracle {
    pub(super) fn top_up_reasons(&self, command: &Command, moment: Moment, reasons: &mut Reasons) {
        if let Command::Request(command) = command {
            return self.request_top_up_reasons(command, moment, reasons);
        }
        let Some(row) = self.top_ups.get(&top_up_of(command)) else {
            return reasons.add(true, Why::Unknown(Noun::TopUp));
        };
        let wrong = Why::Status(Noun::TopUp, row.status.into());
        match command {
            Command::Request(_) | Command::Contradict { .. } | Command::Reverse { .. } => {}
            Command::DecideHeld { release, .. } => {
                reasons.add(row.status != Status::Held, wrong);
                reasons.add(row.trouble.any(), Why::Contradiction(Noun::TopUp));
                if *release {
                    reasons.add(moment.now >= row.deadline, Why::Expired(Noun::TopUp, row.deadline));
                    self.usable_reasons(&self.wallets[&row.wallet], row.mandate, reasons);
                }
            }
            Command::ExpireHeld { .. } => {
                reasons.add(moment.clock_drifted, Why::ClockDrifted);
                let early = Why::Status(Noun::TopUp, Standing::HeldNotExpired);
                let why = if row.status == Status::Held { early } else { wrong };
                reasons.add(row.status != Status::Held || moment.now < row.deadline, why);
                reasons.add(row.trouble.any(), Why::Contradiction(Noun::TopUp));
            }
            Command::Asked { .. } => reasons.add(row.status == Status::Held, wrong),
            Command::Answer { answer, .. } => {
                let is_kept = row.trouble.keeps(told(*answer));
                reasons.add(row.status == Status::Held && !is_kept, wrong);
            }
            Command::Cancel { holder, .. } => {
                reasons.add(self.wallets[&row.wallet].holder != *holder, Why::Unknown(Noun::TopUp));
                let held = row.status == Status::Held;
                reasons.add(held && row.trouble.any(), Why::Contradiction(Noun::TopUp));
                reasons.add(!row.is_open() && row.status != Status::Cancelled, wrong);
            }
            Command::AnswerGiveBack { give_back, .. }
            | Command::AbsentGiveBack { give_back, .. }
            | Command::ReverseGiveBack { give_back, .. } => {
                reasons.add(row.give_back.is_none(), wrong);
                if row.backs_failed.contains(give_back) {
                    return;
                }
                let other = row.give_back.is_some_and(|(id, _, _)| id != *give_back);
                reasons.add(other, Why::Unknown(Noun::GiveBack));
                let is_answer = matches!(command, Command::AnswerGiveBack { .. });
                let waits = is_answer && row.back_is_asked();
                reasons.add(waits && row.trouble.any(), Why::Contradiction(Noun::TopUp));
            }
            Command::RetryGiveBack { give_back, .. } => {
                reasons.add(row.back_failed.is_none(), wrong);
                let is_present = row.give_back.is_some_and(|(id, _, _)| id == *give_back);
                let taken = is_present || row.backs_failed.contains(give_back);
                reasons.add(taken, Why::IdTaken(Noun::GiveBack));
                reasons.add(row.trouble.any(), Why::Contradiction(Noun::TopUp));
                let too_often = row.backs_failed.len() >= GIVE_BACKS_FAILED_MAX;
                reasons.full(too_often, Limit::GiveBacks, GIVE_BACKS_FAILED_MAX, None);
            }
            Command::Propose { resolution, .. } => reasons.add(!fits(row, *resolution), wrong),
            Command::Approve { resolution, by, give_back, .. } => {
                reasons.add(!fits(row, *resolution), wrong);
                let again = row.status == Status::Returned && *resolution == Resolution::Return;
                let is_present = row.give_back.is_some_and(|(id, _, _)| id == *give_back);
                let is_taken = again && (is_present || row.backs_failed.contains(give_back));
                reasons.add(is_taken, Why::IdTaken(Noun::GiveBack));
                row.trouble.approve_reasons(*resolution, *by, Noun::TopUp, reasons);
            }
        }
    }

    fn request_top_up_reasons(&self, command: &Request, moment: Moment, reasons: &mut Reasons) {
        let amount = command.amount.amount();
        let now = moment.now;
        reasons.add(amount == 0, Why::AmountZero);
        reasons.add(self.top_ups.contains_key(&command.top_up), Why::IdTaken(Noun::TopUp));
        reasons.limit(Limit::PerTime, self.policy.top_up.per_time_max, 0, amount);
        reasons.least(self.policy.top_up.per_time_min, amount);
        let proven = command.proof.is_some_and(|proof| proof >= Proof::SecondFactor);
        let today = self.tally.today(command.wallet.0, What::TopUp, now);
        let is_much = today + amount > self.policy.top_up.unproven_per_day_max.amount();
        reasons.add(is_much && !proven, Why::StepUp(Proof::SecondFactor));
        let holding = self.wallets.get(&command.wallet).filter(|holding| holding.holder == command.holder);
        reasons.add(holding.is_none(), Why::Unknown(Noun::Wallet));
        let mandate = self.mandates.get(&command.mandate).filter(|mandate| mandate.wallet == command.wallet);
        reasons.add(mandate.is_none(), Why::Unknown(Noun::Mandate));
        let (Some(holding), Some(mandate)) = (holding, mandate) else { return };
        self.watched_reasons(watched(command, mandate.requested, now), command.proof, reasons);
        self.usable_reasons(holding, command.mandate, reasons);
        reasons.tier(holding.tier, self.policy.top_up.tier_min);
        let is_static = mandate.grant.is_some_and(|grant| !grant.factors_strong) && !mandate.confirmed;
        reasons.add(is_static && self.policy.mandate.refuses_static_factors, Why::GrantTooWeak);
        let occupied = self.books.occupied(command.wallet);
        reasons.limit(Limit::Balance, self.policy.balance.max(holding.tier), occupied, amount);
        let is_full = self.books.lots(command.wallet, Purse::Funds) >= PURSE_LOTS_MAX;
        reasons.full(is_full, Limit::Lots, PURSE_LOTS_MAX, None);
        let month_max = self.policy.top_up.per_month_max;
        let rolling_max = self.policy.top_up.rolling_max;
        let mut each = |whose, month, rolling| {
            reasons.limit_until(month, month_max, self.tally.month(whose, What::TopUp, now), amount, next_month(now));
            let used = self.tally.thirty_dates(whose, What::TopUp, now);
            let room = rolling_max.amount() - amount;
            let is_over = used > room;
            let from = is_over.then(|| self.tally.thirty_dates_from(whose, What::TopUp, now, room)).flatten();
            reasons.limit_until(rolling, rolling_max, used, amount, from);
        };
        each(command.wallet.0, Limit::PerMonth, Limit::Rolling);
        if let Some(person) = holding.person {
            each(person.0, Limit::PersonPerMonth, Limit::PersonRolling);
        }
        let Some(grant) = mandate.grant else { return };
        let account = grant.bank_account.0;
        each(account, Limit::BankAccountPerMonth, Limit::BankAccountRolling);
        let whose = (account, [Some(command.wallet.0), holding.person.map(|person| person.0)]);
        self.new_link_reasons(mandate.requested, whose, amount, now, reasons);
        if !mandate.confirmed {
            let today = self.tally.today(account, What::TopUp, now);
            let per_day_max = self.policy.mandate.unconfirmed_per_day_max;
            reasons.limit_until(Limit::UnconfirmedPerDay, per_day_max, today, amount, tomorrow(now));
            let ever = self.tally.ever(account, What::Unconfirmed);
            reasons.limit(Limit::UnconfirmedTotal, self.policy.mandate.unconfirmed_total_max, ever, amount);
        }
    }

    /// Notes what makes a mandate unusable. A debt does not stop money that comes in.
    fn usable_reasons(&self, holding: &Holding, mandate: MandateId, reasons: &mut Reasons) {
        let mandate = &self.mandates[&mandate];
        self.stopped_reasons(Function::TopUp, Some(mandate.bank), holding.tier, holding.opened, reasons);
        let wrong = Why::Status(Noun::Mandate, mandate.status.into());
        reasons.add(mandate.status != mandate::Status::Active, wrong);
        Self::staying_reasons(holding, None, reasons);
        if let Some(by) = holding.frozen.first() {
            reasons.add(true, Why::Frozen(*by));
        }
    }

    pub(super) fn top_up_apply(&mut self, command: &Command, receipt: &Receipt, moment: Moment) -> Result<(), String> {
        let id = top_up_of(command);
        if let Command::Request(command) = command {
            self.request_top_up(command, moment.now);
        }
        let mut row = self.top_ups.remove(&id).expect("an unknown top-up is a reason");
        let clearing = chart::clearing(row.bank);
        let before = self.books.balance(clearing);
        match command {
            Command::Request(_) => {}
            Command::DecideHeld { release: true, .. } => row.status = Status::Pending,
            Command::DecideHeld { release: false, .. } | Command::ExpireHeld { .. } => {
                self.end_top_up(id, &mut row, Status::Declined);
            }
            Command::Asked { .. } => row.doubt(),
            Command::Answer { answer, give_back, .. } => {
                self.answer_top_up(id, &mut row, *answer, *give_back, moment.now);
            }
            Command::Cancel { .. } if row.status == Status::Held => self.end_top_up(id, &mut row, Status::Cancelled),
            Command::Cancel { .. } => row.cancel_wished |= row.is_asked(),
            Command::Reverse { amount, .. } => self.reverse_top_up(id, &mut row, *amount),
            Command::AnswerGiveBack { give_back, done, .. } if row.backs_failed.contains(give_back) => {
                if let Some((_, amount, _)) = row.give_back.filter(|_| *done && row.taken_back.is_none()) {
                    row.trouble.claims(Claim::TakenBack(Yen::new(amount)));
                }
            }
            Command::AbsentGiveBack { give_back, .. } => {
                let is_present = row.give_back.is_some_and(|(id, _, _)| id == *give_back);
                row.back_absent |= is_present && row.back_is_asked();
            }
            Command::RetryGiveBack { give_back, .. } => {
                row.back_failed = None;
                row.trouble.proposal = None;
                if let Some((id, _, _)) = &mut row.give_back {
                    row.backs_failed.push(std::mem::replace(id, *give_back));
                }
            }
            Command::AnswerGiveBack { done, .. } => self.answer_give_back(&mut row, *done),
            Command::Contradict { claim, .. } => contradict(&mut row, *claim),
            Command::ReverseGiveBack { amount, .. } => row.trouble.claims(Claim::CameBack(*amount)),
            Command::Propose { resolution, by, .. } => row.trouble.proposal = Some((*resolution, *by)),
            Command::Approve { resolution, give_back, .. } => {
                self.resolve_top_up(id, &mut row, *resolution, *give_back, moment.now);
            }
        }
        *self.at_bank.entry(id.0).or_default() += before - self.books.balance(clearing);
        let expected =
            Receipt::TopUp { id, status: row.status, amount: Yen::new(row.amount), is_flagged: row.trouble.any() };
        self.top_ups.insert(id, row);
        super::payment::expect(receipt, &expected)
    }

    fn request_top_up(&mut self, command: &Request, now: Time) {
        let (id, amount) = (command.top_up, command.amount.amount());
        let mandate = &self.mandates[&command.mandate];
        let account = mandate.grant.expect("only a granted mandate is active").bank_account;
        let (bank, confirmed) = (mandate.bank, mandate.confirmed);
        let reason = self.holds(watched(command, mandate.requested, now));
        self.books.hold(chart::clearing(bank), chart::purse(command.wallet, Purse::Funds), amount);
        let person = self.wallets[&command.wallet].person;
        for whose in [Some(command.wallet.0), person.map(|person| person.0), Some(account.0)].into_iter().flatten() {
            self.tally.add(whose, What::TopUp, id.0, now, amount);
        }
        if !confirmed {
            self.tally.add(account.0, What::Unconfirmed, id.0, now, amount);
        }
        let row = TopUp {
            wallet: command.wallet,
            bank,
            account,
            mandate: command.mandate,
            amount,
            status: if reason.is_some() { Status::Held } else { Status::Pending },
            reason,
            accepted: now,
            deadline: now.plus_milliseconds(REVIEW_MS),
            cancel_wished: false,
            firm_no: false,
            answered: false,
            trouble: Trouble::default(),
            resolved: None,
            give_back: None,
            taken_back: None,
            back_failed: None,
            backs_failed: Vec::new(),
            back_absent: false,
            back_otherwise: false,
            reimbursed: 0,
            restituted: None,
        };
        self.top_ups.insert(id, row);
    }

    fn answer_top_up(&mut self, id: TopUpId, row: &mut TopUp, answer: Answer, back: GiveBackId, now: Time) {
        match told(answer) {
            Told::Nothing => row.doubt(),
            Told::NotMoved => match row.status {
                Status::Pending | Status::InDoubt if !row.trouble.any() => {
                    row.hear(Some(answer));
                    self.end_top_up(id, row, row.end_without_debit());
                }
                Status::Pending | Status::InDoubt | Status::Settled | Status::Returned => {
                    row.trouble.claims(Claim::NotMoved);
                }
                // What was never asked for and is in trouble.
                Status::Held => row.trouble.claims(Claim::NotMoved),
                Status::Declined | Status::Cancelled | Status::Reversed => {}
            },
            Told::Moved(amount) => self.moved_top_up(id, row, answer, amount, back, now),
        }
    }

    fn moved_top_up(&mut self, id: TopUpId, row: &mut TopUp, answer: Answer, amount: i64, back: GiveBackId, now: Time) {
        let claim = Claim::Moved(Yen::new(amount));
        let right = amount == row.amount;
        match row.status {
            Status::Pending | Status::InDoubt if row.trouble.mismatch == Some(amount) => {}
            Status::Pending | Status::InDoubt if !row.trouble.any() && right => {
                row.hear(Some(answer));
                self.credit_top_up(id, row, back, now);
            }
            Status::Pending | Status::InDoubt if !row.trouble.any() => {
                row.hear(Some(answer));
                row.status = Status::InDoubt;
                row.trouble.mismatch = Some(amount);
                self.books.pay(chart::clearing(row.bank), chart::suspense(Some(row.bank)), amount);
            }
            Status::Settled | Status::Reversed => {
                let is_undone = row.status == Status::Reversed && row.resolved == Some(Resolution::Decline);
                if !right || is_undone {
                    row.trouble.claims(claim);
                }
            }
            Status::Declined | Status::Cancelled
                if right && !row.firm_no && !row.trouble.any() && row.resolved.is_none() =>
            {
                row.hear(Some(answer));
                self.return_top_up(id, row, amount, back);
            }
            Status::Held | Status::Pending | Status::InDoubt | Status::Declined | Status::Cancelled => {
                row.trouble.claims(claim);
            }
            Status::Returned => {
                if row.give_back.is_none_or(|(_, back, _)| back != amount) {
                    row.trouble.claims(claim);
                }
            }
        }
    }

    /// Ends it as if there had been no debit.
    fn end_top_up(&mut self, id: TopUpId, row: &mut TopUp, status: Status) {
        row.status = status;
        self.settle_suspense(row);
        self.books.release(chart::clearing(row.bank), chart::purse(row.wallet, Purse::Funds), row.amount);
        self.tally.free(id.0);
    }

    /// A wrong amount in suspense was none.
    fn settle_suspense(&mut self, row: &mut TopUp) {
        let suspended = row.trouble.mismatch.take().unwrap_or(0);
        self.books.pay(chart::suspense(Some(row.bank)), chart::clearing(row.bank), suspended);
    }

    fn credit_top_up(&mut self, id: TopUpId, row: &mut TopUp, back: GiveBackId, now: Time) {
        if row.cancel_wished || self.wallets[&row.wallet].closed {
            return self.return_top_up(id, row, row.amount, back);
        }
        let (clearing, purse) = (chart::clearing(row.bank), chart::purse(row.wallet, Purse::Funds));
        row.status = Status::Settled;
        self.settle_suspense(row);
        self.books.release(clearing, purse, row.amount);
        self.books.pay(clearing, purse, row.amount);
        let (purse, id, source, amount) = (Purse::Funds, id.0, Source::TopUp(row.account), row.amount);
        self.books.put(row.wallet, Lot { purse, id, source, received: now, amount });
    }

    fn return_top_up(&mut self, id: TopUpId, row: &mut TopUp, debited: i64, back: GiveBackId) {
        self.settle_suspense(row);
        if row.is_open() {
            self.end_top_up(id, row, Status::Returned);
        }
        row.status = Status::Returned;
        row.give_back = Some((back, debited, false));
        self.books.pay(chart::clearing(row.bank), chart::suspense(Some(row.bank)), debited);
    }

    fn reverse_top_up(&mut self, id: TopUpId, row: &mut TopUp, amount: Yen) {
        let whole = row.trouble.mismatch.unwrap_or(row.amount) == amount.amount();
        match row.status {
            Status::Pending | Status::InDoubt if whole && row.trouble.claims.is_empty() => self.undo_top_up(id, row),
            Status::Settled if whole && row.reimbursed == 0 => self.undo_top_up(id, row),
            Status::Reversed if whole => {}
            Status::Held
            | Status::Pending
            | Status::InDoubt
            | Status::Settled
            | Status::Declined
            | Status::Cancelled
            | Status::Returned
            | Status::Reversed => row.trouble.claims(Claim::TakenBack(amount)),
        }
    }

    /// The bank took it back: what is left of it goes, the rest is owed, but for what a case had taken for it.
    fn undo_top_up(&mut self, id: TopUpId, row: &mut TopUp) {
        let clearing = chart::clearing(row.bank);
        if row.is_open() {
            self.settle_suspense(row);
            self.books.release(clearing, chart::purse(row.wallet, Purse::Funds), row.amount);
        } else {
            let unpaid = row.amount - self.pay_restituted(row);
            let left = self.books.of_lot(row.wallet, Purse::Funds, id.0).min(unpaid);
            let (purse, source, received) = (Purse::Funds, Source::TopUp(row.account), Time::default());
            self.books.take(row.wallet, &Lot { purse, id: id.0, source, received, amount: left });
            self.books.pay(chart::purse(row.wallet, Purse::Funds), clearing, left);
            let owed = unpaid - left;
            self.books.pay(chart::receivable(row.wallet), clearing, owed);
            if owed > 0 {
                self.holding(row.wallet).debts.push((id.0, owed));
            }
        }
        row.status = Status::Reversed;
    }

    /// The operator pays the bank what a case had taken for it, and has what stood ready. How much that paid.
    fn pay_restituted(&mut self, row: &mut TopUp) -> i64 {
        let Some(restituted) = &mut row.restituted else { return 0 };
        let (case, paid) = (restituted.case, restituted.taken.min(row.amount));
        let parked = std::mem::take(&mut restituted.parked);
        restituted.freed += parked;
        self.cases.get_mut(&case).expect("what was taken was for a case").parked -= parked;
        self.books.pay(chart::reimbursement_expense(case), chart::clearing(row.bank), paid);
        self.books.pay(chart::restitution(case), chart::reimbursement_expense(case), parked);
        paid
    }

    fn resolve_top_up(&mut self, id: TopUpId, row: &mut TopUp, how: Resolution, back: GiveBackId, now: Time) {
        let debited = row.trouble.mismatch.or(row.trouble.claimed()).unwrap_or(row.amount);
        let open = row.is_open();
        // Of the debit itself; how a give-back ended is another matter.
        if row.status != Status::Returned {
            row.resolved = Some(how);
        }
        match how {
            Resolution::Keep => {}
            Resolution::AlreadyReturned => {
                self.is_given_back(row);
                row.taken_back = row.give_back.map(|(_, amount, _)| amount);
            }
            Resolution::Settle if row.status == Status::Returned => self.settle_give_back(row),
            Resolution::Settle => self.credit_top_up(id, row, back, now),
            Resolution::Return if row.status == Status::Returned => self.give_back_again(row, back),
            Resolution::Return => self.return_top_up(id, row, debited, back),
            Resolution::Decline if row.status == Status::Returned => {
                (row.back_failed, row.back_absent) = (row.give_back.map(|(id, _, _)| id), false);
            }
            Resolution::Decline if open => self.end_top_up(id, row, row.end_without_debit()),
            Resolution::Decline => self.undo_top_up(id, row),
        }
        row.trouble = Trouble::default();
    }

    /// What our books say that a movement has moved from its bank to us.
    pub fn moved_to_us(&self, movement: domain::Id) -> i64 {
        self.at_bank.get(&movement).copied().unwrap_or(0)
    }

    /// Whether a movement waits for its bank's answer, or for the desk.
    pub fn is_in_doubt(&self, movement: domain::Id) -> bool {
        let top_up = self.top_ups.get(&TopUpId(movement)).is_some_and(|row| {
            row.is_open() || row.trouble.any() || row.give_back.is_some_and(|(_, _, is_done)| !is_done)
        });
        let reimbursement = self.reimbursements.get(&wallet::ReimbursementId(movement));
        let reimbursement = reimbursement.is_some_and(super::reimbursement::Reimbursement::waits);
        top_up
            || reimbursement
            || self.payouts.get(&wallet::PayoutId(movement)).is_some_and(super::payout::Payout::waits)
    }

    /// Something that waits, if anything does.
    pub fn open_movement(&self) -> Option<String> {
        let top_up = self.top_ups.keys().find(|id| self.is_in_doubt(id.0)).map(ToString::to_string);
        let payout = self.payouts.keys().find(|id| self.is_in_doubt(id.0)).map(ToString::to_string);
        let held = |row: &super::voucher::Send| row.status == wallet::send::Status::Held;
        let send = self.sends.iter().find(|(_, row)| held(row)).map(|(id, _)| id.to_string());
        let authorised = |row: &super::payment::Payment| row.status == wallet::payment::Status::Authorised;
        let payment = self.payments.iter().find(|(_, row)| authorised(row)).map(|(id, _)| id.to_string());
        let reimbursement = self.open_reimbursement().map(|id| wallet::ReimbursementId(id).to_string());
        top_up.or(payout).or(send).or(payment).or(reimbursement)
    }
}

impl TopUp {
    fn doubt(&mut self) {
        if self.status == Status::Pending {
            self.status = Status::InDoubt;
        }
    }

    /// The first final answer is the one that is remembered.
    fn hear(&mut self, answer: Option<Answer>) {
        if !self.answered {
            self.answered = answer.is_some();
            self.firm_no = answer.is_some_and(is_firm_no);
        }
    }

    const fn end_without_debit(&self) -> Status {
        if self.cancel_wished { Status::Cancelled } else { Status::Declined }
    }
}

/// What the gateway calls a contradiction is one, unless it is what is on record.
fn contradict(row: &mut TopUp, claim: Claim) {
    let back = row.give_back.map(|(_, amount, _)| amount);
    let is_on_record = match claim {
        Claim::Moved(moved) => match row.status {
            Status::Settled | Status::Reversed => moved.amount() == row.amount,
            Status::Returned => back == Some(moved.amount()),
            Status::Held | Status::Pending | Status::InDoubt | Status::Declined | Status::Cancelled => false,
        },
        Claim::NotMoved => matches!(row.status, Status::Declined | Status::Cancelled | Status::Reversed),
        Claim::TakenBack(taken) => row.status == Status::Reversed && taken.amount() == row.amount,
        Claim::CameBack(_) => false,
    };
    if !is_on_record {
        row.trouble.claims(claim);
    }
}

/// Whether there is something to settle, in this way.
fn fits(row: &TopUp, how: Resolution) -> bool {
    let way = match how {
        Resolution::Settle => {
            row.is_open() || (row.status == Status::Returned && (row.gives_back() || row.back_otherwise))
        }
        Resolution::Decline => row.is_open() || row.status == Status::Settled,
        Resolution::Return => {
            let ended = matches!(row.status, Status::Declined | Status::Cancelled);
            let is_claimed = row.trouble.claims.iter().any(|claim| matches!(claim, Claim::CameBack(_)));
            let came_back = is_claimed
                && row.give_back.is_some()
                && !row.back_otherwise
                && row.backs_failed.len() < GIVE_BACKS_FAILED_MAX;
            let is_undone = row.status == Status::Reversed && row.resolved == Some(Resolution::Decline);
            let has_moved = (ended || (is_undone && row.reimbursed == 0)) && row.trouble.claimed().is_some();
            row.is_open() || has_moved || (row.status == Status::Returned && came_back)
        }
        Resolution::Keep => !row.is_open(),
        Resolution::AlreadyReturned => row.give_back.is_some_and(|(_, amount, is_done)| {
            let gone = [Claim::NotMoved, Claim::TakenBack(Yen::new(amount))];
            let is_gone = row.trouble.claims.iter().any(|claim| gone.contains(claim));
            row.status == Status::Returned && !is_done && is_gone
        }),
    };
    let is_unanswered = row.back_is_asked() && row.back_absent && how == Resolution::Decline;
    let is_paid_otherwise = row.back_failed.is_some() && how == Resolution::Settle;
    if row.trouble.any() { way } else { is_unanswered || is_paid_otherwise }
}

fn watched(command: &Request, linked: Time, now: Time) -> Watched {
    let (wallet, amount) = (command.wallet, command.amount.amount());
    Watched { function: Function::TopUp, wallet, amount, linked: Some(linked), now }
}

fn top_up_of(command: &Command) -> TopUpId {
    match command {
        Command::Request(request) => request.top_up,
        Command::DecideHeld { top_up, .. }
        | Command::ExpireHeld { top_up }
        | Command::Asked { top_up }
        | Command::Answer { top_up, .. }
        | Command::Cancel { top_up, .. }
        | Command::Reverse { top_up, .. }
        | Command::Contradict { top_up, .. }
        | Command::ReverseGiveBack { top_up, .. }
        | Command::AnswerGiveBack { top_up, .. }
        | Command::AbsentGiveBack { top_up, .. }
        | Command::RetryGiveBack { top_up, .. }
        | Command::Propose { top_up, .. }
        | Command::Approve { top_up, .. } => *top_up,
    }
}
