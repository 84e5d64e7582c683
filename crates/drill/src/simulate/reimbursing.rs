//! Reimbursements at their banks: what was debited from a stranger's account is paid back to it, or cannot be, or comes back.
//!
//! A bank pays back no more of a debit than it still has of it. Its first word may be the wrong one; the right one follows. Now
//! and then it says nothing until it is asked. Two people of the desk settle what it contradicts, by what it truly did.

use super::bank::{Due, Kind, Order};
use super::world::World;
use domain::Key;
use engine::ActorKind;
use ledger::Yen;
use wallet::bank_answer::{Claim, Resolution};
use wallet::reimbursement::{Command as Reimbursement, Status};
use wallet::{BankCode, Command, ReimbursementId, Row, TopUpId, reimbursement, table};

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Looks after which the desk leaves alone one that failed.
const ENDED_LOOKS_MAX: u32 = 60;

impl World {
    /// The order for a reimbursement reaches its bank.
    pub(super) fn bank_reimburses(&mut self, code: BankCode, id: ReimbursementId, top_up: TopUpId, mut order: Order) {
        let bank = self.banks.get_mut(&code).expect("orders go to known banks");
        let fails = self.chance.one_in(4) || bank.left_of(top_up) < order.asked;
        order.moved = if fails { 0 } else { order.asked };
        order.filed = true;
        bank.orders.insert(id.0, order);
        let most_ms = *self.chance.pick(&[10 * SECOND_MS, DAY_MS]);
        let after_ms = self.chance.between(SECOND_MS, most_ms);
        match self.chance.below(9) {
            8 if fails => self.bank_due(code, after_ms, Due::NeverKnew(Kind::Reimbursement(id, top_up))),
            0 => self.coverage.fault("reimbursement_unanswered"),
            1 => {
                self.bank_says_reimbursed(code, id, after_ms, fails);
                let later_ms = after_ms + self.chance.between(MINUTE_MS, DAY_MS);
                self.bank_says_reimbursed(code, id, later_ms, !fails);
            }
            2 | 3 => {
                self.bank_says_reimbursed(code, id, after_ms, !fails);
                self.bank_says_reimbursed(code, id, after_ms + MINUTE_MS, !fails);
            }
            _ => self.bank_says_reimbursed(code, id, after_ms, !fails),
        }
        if !fails && self.chance.one_in(3) {
            let most_ms = *self.chance.pick(&[10 * SECOND_MS, HOUR_MS, 2 * DAY_MS]);
            let after_ms = self.chance.between(SECOND_MS, most_ms);
            self.bank_due(code, after_ms, Due::ReimbursementReturns(id));
        }
    }

    pub(super) fn bank_says_reimbursed(&mut self, code: BankCode, id: ReimbursementId, after_ms: i64, done: bool) {
        if let Some(order) = self.banks.get_mut(&code).and_then(|bank| bank.orders.get_mut(&id.0)) {
            order.on_the_way += 1;
        }
        self.bank_due(code, after_ms, Due::Reimbursed(id, done));
    }

    /// A bank's word reaches us.
    pub(super) fn hear_reimbursed(&mut self, code: BankCode, id: ReimbursementId, done: bool) {
        let bank = self.banks.get_mut(&code).expect("answers come from known banks");
        let Some(order) = bank.orders.get_mut(&id.0) else { return };
        order.on_the_way = order.on_the_way.saturating_sub(1);
        let (kind, is_true) = (order.kind, done == (order.moved != order.undone));
        if !is_true {
            self.coverage.fault("reimbursement_misreported");
            self.meet_kind("reimbursement_misreported", kind);
        }
        let command = Reimbursement::Answer { reimbursement: id, done };
        self.ask(ActorKind::Bank, Command::Reimbursement(command));
    }

    /// The account is closed by now: what was paid to it is ours again.
    pub(super) fn reimbursement_returns(&mut self, code: BankCode, id: ReimbursementId) {
        let bank = self.banks.get_mut(&code).expect("a bank knows what it paid");
        let Some(order) = bank.orders.get_mut(&id.0).filter(|order| order.undone == 0) else { return };
        order.undone = order.moved;
        let (kind, claim) = (order.kind, Claim::CameBack(Yen::new(order.moved)));
        self.coverage.fault("reimbursement_returned");
        self.meet_kind("reimbursement_returned", kind);
        self.trace.note(format_args!("at bank {code} {id} comes back"));
        for _ in 0..self.chance.between(1, 2) {
            let command = Reimbursement::Contradict { reimbursement: id, claim };
            self.ask(ActorKind::Bank, Command::Reimbursement(command));
        }
    }

    /// A bank says what is not so of a reimbursement that has ended.
    pub(super) fn bank_lies_of_reimbursement(&mut self, id: ReimbursementId) {
        let row = self.service.row(Key::new(table::REIMBURSEMENT, id.0)).ok().flatten();
        let Some(Row::Reimbursement(row)) = row.as_deref() else { return };
        let done = match row.status {
            Status::Done => row.otherwise,
            Status::Failed => true,
            Status::Proposed | Status::Refused | Status::Pending | Status::InDoubt => return,
        };
        let command = Reimbursement::Answer { reimbursement: id, done };
        self.lie(Kind::Reimbursement(id, row.credit.top_up), Command::Reimbursement(command));
    }

    /// What is to be done about a reimbursement, and when to look again.
    pub(super) fn look_at_reimbursement(
        &mut self,
        id: ReimbursementId,
        row: &reimbursement::Reimbursement,
        count: u32,
    ) -> Option<i64> {
        if row.is_flagged() {
            return Some(self.desk_settles_reimbursement(id, row));
        }
        let (bank, kind) = (row.credit.bank, Kind::Reimbursement(id, row.credit.top_up));
        match row.status {
            Status::Pending => {
                self.order(bank, kind, row.credit.amount.amount());
                if self.chance.one_in(2) {
                    let asked = Reimbursement::Asked { reimbursement: id };
                    self.ask(ActorKind::System, Command::Reimbursement(asked));
                }
                Some(self.backoff_ms(count))
            }
            // What the bank never heard of is ordered once more, under the same reference.
            Status::InDoubt if self.chance.one_in(3) => {
                self.order(bank, kind, row.credit.amount.amount());
                Some(self.backoff_ms(count))
            }
            // No bank knows of it: two of the desk say that it failed.
            Status::InDoubt if row.absent && self.truth(bank, kind) == 0 && self.chance.one_in(2) => {
                Some(self.desk_settles_reimbursement(id, row))
            }
            Status::InDoubt => {
                self.inquire(bank, kind, row.proposed);
                Some(self.backoff_ms(count))
            }
            Status::Failed => self.desk_ends_reimbursement(id, row, count),
            Status::Done if row.otherwise && self.chance.one_in(2) => {
                self.bank_reimburses_late(row);
                None
            }
            Status::Proposed | Status::Refused | Status::Done => None,
        }
    }

    /// Two of the desk say of one that no bank could pay that another way has paid it, once its bank says that it still has so much; or
    /// that what stands ready is for nothing.
    fn desk_ends_reimbursement(
        &mut self,
        id: ReimbursementId,
        row: &reimbursement::Reimbursement,
        count: u32,
    ) -> Option<i64> {
        let is_for_nothing = self.oracle.surplus(row.credit.top_up) > 0;
        let resolution = if is_for_nothing { Resolution::Keep } else { Resolution::Settle };
        let proposed = row.proposal.filter(|proposal| proposal.resolution == resolution);
        let asked = row.credit.amount.amount();
        let lacks = self.oracle.lacking(row.credit.top_up) >= asked;
        let has_it =
            lacks && self.banks.get(&row.credit.bank).is_some_and(|bank| bank.left_of(row.credit.top_up) >= asked);
        if count > ENDED_LOOKS_MAX || !(has_it || is_for_nothing) {
            return None;
        }
        if proposed.is_none() && !is_for_nothing && !self.chance.one_in(5) {
            return None;
        }
        let command = match proposed {
            Some(proposal) => {
                let by = if self.chance.one_in(6) { proposal.by } else { self.staff(1) };
                self.coverage.fault(if is_for_nothing { "parked_for_nothing" } else { "reimbursement_paid_otherwise" });
                Reimbursement::ApproveResolution { reimbursement: id, resolution, by }
            }
            None => Reimbursement::ProposeResolution { reimbursement: id, resolution, by: self.staff(0) },
        };
        self.ask(ActorKind::Operator, Command::Reimbursement(command));
        Some(self.chance.between(MINUTE_MS, 10 * HOUR_MS))
    }

    /// A bank pays days later what it had said that it could not, and another way has paid.
    fn bank_reimburses_late(&mut self, row: &reimbursement::Reimbursement) {
        let credit = row.credit;
        let (id, asked) = (credit.reimbursement, credit.amount.amount());
        let bank = self.banks.get_mut(&credit.bank).expect("orders go to known banks");
        if bank.left_of(credit.top_up) < asked || bank.truth(id.0) != 0 {
            return;
        }
        // What it said before is still on its way.
        let on_the_way = bank.orders.get(&id.0).map_or(0, |order| order.on_the_way);
        let order = Order::made_late(Kind::Reimbursement(id, credit.top_up), asked, self.now);
        bank.orders.insert(id.0, Order { on_the_way, ..order });
        self.coverage.fault("reimbursement_paid_twice");
        let after_ms = self.chance.between(SECOND_MS, DAY_MS);
        self.bank_says_reimbursed(credit.bank, id, after_ms, true);
    }

    fn desk_settles_reimbursement(&mut self, id: ReimbursementId, row: &reimbursement::Reimbursement) -> i64 {
        let kind = Kind::Reimbursement(id, row.credit.top_up);
        let is_there = self.truth(row.credit.bank, kind) == row.credit.amount.amount();
        let resolution = match row.status {
            Status::Done if row.otherwise && is_there => Resolution::Settle,
            Status::Done if row.otherwise || is_there => Resolution::Keep,
            Status::Failed if !is_there => Resolution::Keep,
            Status::Pending | Status::InDoubt | Status::Done | Status::Failed if is_there => Resolution::Settle,
            Status::Pending | Status::InDoubt | Status::Done | Status::Failed => Resolution::Decline,
            Status::Proposed | Status::Refused => return DAY_MS,
        };
        let command = match row.proposal {
            Some(proposal) if proposal.resolution == resolution => {
                let by = if self.chance.one_in(6) { proposal.by } else { self.staff(1) };
                Reimbursement::ApproveResolution { reimbursement: id, resolution, by }
            }
            Some(_) | None => Reimbursement::ProposeResolution { reimbursement: id, resolution, by: self.staff(0) },
        };
        self.meet_kind("desk_settles", kind);
        self.ask(ActorKind::Operator, Command::Reimbursement(command));
        self.chance.between(MINUTE_MS, 10 * HOUR_MS)
    }
}
