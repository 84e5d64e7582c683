//! Banks giving back what they debited: some cannot, and from some accounts it comes back.
//!
//! A bank gives back no more than it still has of a debit, whatever it is asked. It may say that the money came back before
//! it says that it was there, and it says so twice. What it refused it may make when it is asked again.

use super::bank::{Due, Kind, Order};
use super::world::World;
use engine::ActorKind;
use ledger::Yen;
use wallet::bank_answer::Resolution;
use wallet::top_up::{GiveBack, GiveBackStatus};
use wallet::{BankCode, Command, GiveBackId, TopUpId, reimbursement, top_up};

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// How often the give-backs of one debit come back: the books try eight times, and some fail.
const RETURNS_MAX: usize = 3;
/// How often a bank says at one time that it could not give back: more than a busy service has room for.
const REPEATS: u32 = 5;

impl World {
    /// A give-back reaches its bank.
    pub(super) fn bank_gives_back(&mut self, code: BankCode, top_up: TopUpId, give_back: GiveBackId, mut order: Order) {
        let bank = self.banks.get_mut(&code).expect("orders go to known banks");
        // What it took back itself is there already; of what it took back in part it can give nothing back.
        let open = bank.moved_to_us(top_up.0);
        let in_part = |debit: &Order| debit.undone != 0 && debit.undone != debit.moved;
        let fails = self.chance.one_in(4) || bank.orders.get(&top_up.0).is_some_and(in_part);
        order.moved = if fails { 0 } else { order.asked.min(open) };
        order.filed = true;
        let moved = order.moved;
        let before =
            bank.orders.values().filter(|order| matches!(order.kind, Kind::GiveBack(of, _) if of == top_up)).count();
        if !fails {
            bank.orders.insert(give_back.0, order);
        }
        let after_ms = self.chance.between(SECOND_MS, DAY_MS);
        if fails && self.chance.one_in(3) {
            return self.bank_due(code, after_ms, Due::NeverKnew(Kind::GiveBack(top_up, give_back)));
        }
        self.bank_due(code, after_ms, Due::GiveBackDone(top_up, give_back, !fails));
        if self.chance.one_in(3) {
            self.bank_due(code, after_ms + MINUTE_MS, Due::GiveBackDone(top_up, give_back, !fails));
        }
        if fails && self.chance.one_in(4) {
            // A bank's system that repeats itself does so at once, as often as it can.
            for _ in 0..REPEATS {
                self.bank_due(code, after_ms + 2 * MINUTE_MS, Due::GiveBackDone(top_up, give_back, false));
            }
        }
        if moved > 0 && before < RETURNS_MAX && self.chance.one_in(6) {
            let after_ms = self.chance.between(SECOND_MS, 2 * DAY_MS);
            self.bank_due(code, after_ms, Due::GiveBackReturns(top_up, give_back));
        }
    }

    /// The gateway says, now and then twice, that its bank still knew nothing of it after its cut-off.
    pub(super) fn bank_never_knew(&mut self, kind: Kind) {
        let (fault, command) = match kind {
            Kind::GiveBack(top_up, give_back) => {
                ("give_back_absent", Command::TopUp(top_up::Command::AbsentGiveBack { top_up, give_back }))
            }
            Kind::Reimbursement(reimbursement, _) => {
                let absent = reimbursement::Command::Absent { reimbursement };
                ("reimbursement_absent", Command::Reimbursement(absent))
            }
            Kind::TopUp(_) | Kind::Payout(_) => return,
        };
        self.coverage.fault(fault);
        for _ in 0..self.chance.between(1, 2) {
            self.ask(ActorKind::Bank, command.clone());
        }
    }

    /// Two of the desk say of a give-back that no bank ever knew that it could not be made; of one that it could not make, that another
    /// way has paid it. Now and then the bank makes it after all.
    pub(super) fn desk_ends_give_back(&mut self, top_up: TopUpId, row: &top_up::TopUp) {
        let Some(given) = row.give_back else { return };
        let is_failed = given.status == GiveBackStatus::Failed;
        let resolution = if is_failed { Resolution::Settle } else { Resolution::Decline };
        let is_agreed = row.proposal.is_some_and(|proposal| proposal.resolution == resolution);
        if is_failed && is_agreed {
            self.coverage.fault("give_back_paid_otherwise");
            if self.chance.one_in(2) {
                self.bank_gives_back_late(row.debit.bank, top_up, &given);
            }
        }
        let command = match row.proposal {
            Some(proposal) if proposal.resolution == resolution => {
                let by = if self.chance.one_in(6) { proposal.by } else { self.staff(1) };
                let give_back = GiveBackId(self.chance.id(self.now));
                top_up::Command::Approve { top_up, resolution, by, give_back }
            }
            Some(_) | None => top_up::Command::Propose { top_up, resolution, by: self.staff(0) },
        };
        self.ask(ActorKind::Operator, Command::TopUp(command));
    }

    /// A bank makes days later what it had said that it could not.
    fn bank_gives_back_late(&mut self, code: BankCode, top_up: TopUpId, given: &GiveBack) {
        let (give_back, asked) = (given.id, given.amount.amount());
        let bank = self.banks.get_mut(&code).expect("orders go to known banks");
        if bank.moved_to_us(top_up.0) < asked || bank.orders.contains_key(&give_back.0) {
            return;
        }
        let order = Order::made_late(Kind::GiveBack(top_up, give_back), asked, self.now);
        bank.orders.insert(give_back.0, Order { on_the_way: 1, ..order });
        self.coverage.fault("give_back_paid_twice");
        let after_ms = self.chance.between(SECOND_MS, DAY_MS);
        self.bank_due(code, after_ms, Due::GiveBackDone(top_up, give_back, true));
    }

    /// The account is closed by now, or its holder does not want it: the money is ours to give back once more.
    pub(super) fn give_back_returns(&mut self, code: BankCode, top_up: TopUpId, give_back: GiveBackId) {
        let bank = self.banks.get_mut(&code).expect("a bank knows what it gave back");
        let Some(order) = bank.orders.get_mut(&give_back.0).filter(|order| order.undone == 0) else { return };
        order.undone = order.moved;
        let amount = Yen::new(order.moved);
        self.coverage.fault("give_back_returned");
        self.meet_kind("give_back_returned", Kind::GiveBack(top_up, give_back));
        self.trace.note(format_args!("at bank {code} {give_back} of {top_up} comes back"));
        for _ in 0..self.chance.between(1, 2) {
            let command = top_up::Command::ReverseGiveBack { top_up, give_back, amount };
            self.ask(ActorKind::Bank, Command::TopUp(command));
        }
    }
}
