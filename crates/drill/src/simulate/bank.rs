//! Banks: five of them, each with books of its own and habits that are worse than any real bank's.
//!
//! A bank decides once, when an order reaches it, what it does and what it will say about that; its books are the truth
//! that everything else is measured by. It never looks at our books. What it says, and when, is its script.

use super::chance::Chance;
use super::world::{self, World};
use domain::{Id, Time};
use engine::ActorKind;
use ledger::Yen;
use std::collections::BTreeMap;
use wallet::bank_answer::{Answer, AnswerSource, Claim, Outcome};
use wallet::{BankCode, Command, GiveBackId, PayoutId, ReimbursementId, TopUpId, payout, top_up};

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// What a bank keeps of what it sends back, yen.
const FEE: i64 = 10;

/// The banks' codes.
const CODES: [u16; 5] = [1, 125, 310, 1_000, 9_900];

/// What an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Debit an account, for us.
    TopUp(TopUpId),
    /// Credit an account, from us.
    Payout(PayoutId),
    /// Credit an account with what was debited from it.
    GiveBack(TopUpId, GiveBackId),
    /// Credit the account of somebody who says "not me" with what was debited from it.
    Reimbursement(ReimbursementId, TopUpId),
}

/// What a bank will do about an order, and say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    /// Answers at once, and once.
    Plain,
    /// Answers after minutes or days.
    Late,
    /// Never answers; its day's file says what happened.
    Silent,
    /// Its answer is lost on the way; an inquiry finds it.
    Lost,
    /// Answers two or three times, by several ways, in any order.
    Twice,
    /// Says one thing, then another.
    Contradicts,
    /// Moves another amount.
    WrongAmount,
    /// Says another amount first.
    WrongThenRight,
    /// Says things that nobody understands; its day's file says what happened.
    Garbage,
    /// Does not find what it did, for a while.
    ReadLag,
    /// Its day's file leaves out what it did; it corrects itself later.
    MissesFile,
    /// Takes it back days later.
    TakesBack,
    /// Takes a part of it back days later, or keeps a fee of what it sends back.
    TakesBackPart,
    /// Tells that it took it back before it tells that it did it.
    TakesBackFirst,
}

const SCRIPTS: [Script; 14] = [
    Script::Plain,
    Script::Late,
    Script::Silent,
    Script::Lost,
    Script::Twice,
    Script::Contradicts,
    Script::WrongAmount,
    Script::WrongThenRight,
    Script::Garbage,
    Script::ReadLag,
    Script::MissesFile,
    Script::TakesBack,
    Script::TakesBackPart,
    Script::TakesBackFirst,
];

/// An order as the bank keeps it.
pub(super) struct Order {
    pub(super) kind: Kind,
    pub(super) script: Script,
    pub(super) asked: i64,
    /// What it moved: the truth.
    pub(super) moved: i64,
    /// What of that it took back, or did not stay.
    pub(super) undone: i64,
    pub(super) received: Time,
    /// From when on inquiries find it.
    pub(super) visible: Time,
    /// It was in a day's file.
    pub(super) filed: bool,
    /// Answers on their way.
    pub(super) on_the_way: u32,
}

/// A bank.
pub struct Bank {
    /// The script that it likes best.
    habit: Script,
    pub(super) orders: BTreeMap<Id, Order>,
}

/// What a bank is going to do.
#[derive(Clone, Copy)]
pub enum Due {
    /// An order reaches it.
    Receive(Kind, i64),
    /// An answer reaches us.
    Answer { reference: Id, outcome: Outcome, source: AnswerSource, fault: Option<&'static str> },
    /// It takes back what it did, all but what it keeps, and says so.
    TakeBack { reference: Id, fault: &'static str, keeps: i64 },
    /// An inquiry reaches it.
    Inquiry(Kind, Time),
    /// It answers to a give-back.
    GiveBackDone(TopUpId, GiveBackId, bool),
    /// What it gave back does not stay in the account.
    GiveBackReturns(TopUpId, GiveBackId),
    /// It answers to a reimbursement.
    Reimbursed(ReimbursementId, bool),
    /// What it reimbursed does not stay in the account.
    ReimbursementReturns(ReimbursementId),
    /// It knew nothing to the last of what it was to pay back.
    NeverKnew(Kind),
    /// It closes its day.
    Close,
}

/// All banks.
pub fn banks() -> BTreeMap<BankCode, Bank> {
    let habits = [Script::Plain, Script::Late, Script::Contradicts, Script::Silent, Script::TakesBack];
    let bank = |habit| Bank { habit, orders: BTreeMap::new() };
    CODES.into_iter().zip(habits).filter_map(|(code, habit)| Some((BankCode::new(code)?, bank(habit)))).collect()
}

impl Kind {
    /// The reference that the bank is asked with.
    pub const fn reference(self) -> Id {
        match self {
            Self::TopUp(id) => id.0,
            Self::Payout(id) => id.0,
            Self::GiveBack(_, id) => id.0,
            Self::Reimbursement(id, _) => id.0,
        }
    }
}

impl Bank {
    /// What the orders of one movement have moved to us, all in all.
    pub fn moved_to_us(&self, movement: Id) -> i64 {
        let each = |order: &Order| match order.kind {
            Kind::TopUp(id) if id.0 == movement => order.moved - order.undone,
            Kind::Payout(id) if id.0 == movement => order.undone - order.moved,
            Kind::GiveBack(id, _) if id.0 == movement => order.undone - order.moved,
            Kind::Reimbursement(id, _) if id.0 == movement => order.undone - order.moved,
            Kind::TopUp(_) | Kind::Payout(_) | Kind::GiveBack(..) | Kind::Reimbursement(..) => 0,
        };
        self.orders.values().map(each).sum()
    }

    /// What it still has of a debit: neither given back nor reimbursed.
    pub fn left_of(&self, top_up: TopUpId) -> i64 {
        let is_of = |order: &&Order| matches!(order.kind, Kind::Reimbursement(_, of) if of == top_up);
        let reimbursed: i64 = self.orders.values().filter(is_of).map(|order| order.moved - order.undone).sum();
        self.moved_to_us(top_up.0) - reimbursed
    }

    /// What this bank's own statement of our account comes to.
    pub fn statement(&self) -> i64 {
        let each = |order: &Order| match order.kind {
            Kind::TopUp(_) => order.moved - order.undone,
            Kind::Payout(_) | Kind::GiveBack(..) | Kind::Reimbursement(..) => order.undone - order.moved,
        };
        self.orders.values().map(each).sum()
    }

    /// The movements that this bank has heard of.
    pub fn movements(&self) -> Vec<Id> {
        let each = |order: &Order| match order.kind {
            Kind::TopUp(id) | Kind::GiveBack(id, _) => id.0,
            Kind::Payout(id) => id.0,
            Kind::Reimbursement(id, _) => id.0,
        };
        self.orders.values().map(each).collect()
    }

    /// What it says on the telephone, when the desk asks what an order has moved.
    pub fn truth(&self, reference: Id) -> i64 {
        self.orders.get(&reference).map_or(0, |order| order.moved - order.undone)
    }

    /// Puts right what it paid wrongly, when the desk insists.
    pub fn put_right(&mut self, reference: Id) {
        if let Some(order) = self.orders.get_mut(&reference).filter(|order| order.moved != 0) {
            order.moved = order.asked;
        }
    }

    /// What it took back in part only it takes back whole when the desk insists, or not at all.
    pub fn make_whole(&mut self, reference: Id, takes_back: bool) {
        let went_on = self.left_of(TopUpId(reference)) != self.moved_to_us(reference);
        if let Some(order) = self.orders.get_mut(&reference).filter(|order| order.undone != 0) {
            order.undone = if order.undone == order.moved || (takes_back && !went_on) { order.moved } else { 0 };
        }
    }

    /// Whether it still has something to say about `reference`.
    pub fn has_more_to_say(&self, reference: Id) -> bool {
        let gives_back = |order: &Order| matches!(order.kind, Kind::GiveBack(of, _) if of.0 == reference);
        self.orders.get(&reference).is_some_and(|order| order.on_the_way > 0 || !order.filed)
            || self.orders.values().any(|order| gives_back(order) && order.on_the_way > 0)
    }
}

impl Order {
    /// One that was done when nobody waited for it any more.
    pub(super) const fn made_late(kind: Kind, asked: i64, now: Time) -> Self {
        let (moved, script) = (asked, Script::Plain);
        Self { kind, script, asked, moved, undone: 0, received: now, visible: now, filed: true, on_the_way: 0 }
    }

    /// What happened, as the bank would truly say it.
    pub(super) fn outcome(&self) -> Outcome {
        if self.moved == 0 { Outcome::Declined { code: 51 } } else { settled(self.moved) }
    }
}

const fn settled(amount: i64) -> Outcome {
    Outcome::Settled { amount: Yen::new(amount) }
}

/// A script: the bank's habit often, otherwise any.
fn script(bank: &Bank, chance: &mut Chance) -> Script {
    match chance.below(10) {
        0..=2 => Script::Plain,
        3..=5 => bank.habit,
        _ => *chance.pick(&SCRIPTS),
    }
}

impl World {
    /// Sends an order to a bank. Some are lost on the way.
    pub fn order(&mut self, bank: BankCode, kind: Kind, amount: i64) {
        if self.chance.one_in(25) {
            self.coverage.fault("order_lost");
            self.meet_kind("order_lost", kind);
            return;
        }
        let after_ms = self.chance.between(50, 5 * SECOND_MS);
        self.bank_due(bank, after_ms, Due::Receive(kind, amount));
    }

    /// Asks a bank about an order.
    pub fn inquire(&mut self, bank: BankCode, kind: Kind, accepted: Time) {
        let after_ms = self.chance.between(50, 2 * SECOND_MS);
        self.bank_due(bank, after_ms, Due::Inquiry(kind, accepted));
    }

    pub(super) fn bank_due(&mut self, bank: BankCode, after_ms: i64, due: Due) {
        self.schedule.at(self.now.plus_milliseconds(after_ms), world::Due::Bank(bank, due));
    }

    pub(super) fn bank_acts(&mut self, bank: BankCode, due: Due) {
        match due {
            Due::Receive(kind, amount) => self.bank_receives(bank, kind, amount),
            Due::Answer { reference, outcome, source, fault } => {
                self.bank_answers(bank, reference, Answer { outcome, source }, fault);
            }
            Due::TakeBack { reference, fault, keeps } => self.bank_takes_back(bank, reference, fault, keeps),
            Due::Inquiry(kind, accepted) => self.bank_is_asked(bank, kind, accepted),
            Due::GiveBackDone(top_up, give_back, done) => {
                let orders = self.banks.get_mut(&bank).map(|bank| &mut bank.orders);
                if let Some(order) = orders.and_then(|orders| orders.get_mut(&give_back.0)).filter(|_| done) {
                    order.on_the_way = order.on_the_way.saturating_sub(1);
                }
                let command = top_up::Command::AnswerGiveBack { top_up, give_back, done };
                self.meet_kind("give_back", Kind::GiveBack(top_up, give_back));
                self.ask(ActorKind::Bank, Command::TopUp(command));
            }
            Due::GiveBackReturns(top_up, give_back) => self.give_back_returns(bank, top_up, give_back),
            Due::NeverKnew(kind) => self.bank_never_knew(kind),
            Due::Reimbursed(id, done) => self.hear_reimbursed(bank, id, done),
            Due::ReimbursementReturns(id) => self.reimbursement_returns(bank, id),
            Due::Close => self.bank_closes(bank),
        }
    }

    fn bank_receives(&mut self, code: BankCode, kind: Kind, asked: i64) {
        let reference = kind.reference();
        let bank = self.banks.get_mut(&code).expect("orders go to known banks");
        if bank.orders.contains_key(&reference) {
            // The same reference again: the bank does nothing anew, and says again what it said.
            return self.bank_is_asked(code, kind, self.now);
        }
        let script = script(bank, &mut self.chance);
        let declines = self.chance.percent(15);
        let moved = match script {
            Script::WrongAmount => asked + *self.chance.pick(&[-1, 1, 10, asked]),
            Script::MissesFile
            | Script::WrongThenRight
            | Script::TakesBack
            | Script::TakesBackPart
            | Script::TakesBackFirst => asked,
            _ if declines => 0,
            _ => asked,
        };
        let visible = match script {
            Script::ReadLag => self.now.plus_milliseconds(self.chance.between(10 * MINUTE_MS, 8 * HOUR_MS)),
            _ => self.now,
        };
        let (undone, filed, on_the_way) = (0, false, 0);
        let received = self.now;
        let order = Order { kind, script, asked, moved, undone, received, visible, filed, on_the_way };
        self.trace.note(format_args!("bank {code} receives {kind:?} of {asked}: {script:?}, moves {moved}"));
        if let Kind::GiveBack(top_up, give_back) = kind {
            return self.bank_gives_back(code, top_up, give_back, order);
        }
        if let Kind::Reimbursement(id, top_up) = kind {
            return self.bank_reimburses(code, id, top_up, order);
        }
        bank.orders.insert(reference, order);
        self.speak(code, reference, script, asked, moved);
    }

    /// The bank does what nobody asked for, says so, and may undo it before or after it says so.
    pub(super) fn bank_acts_unasked(&mut self, code: BankCode, kind: Kind, asked: i64) {
        let reference = kind.reference();
        let bank = self.banks.get_mut(&code).expect("accounts are at known banks");
        if bank.orders.contains_key(&reference) {
            return;
        }
        let (script, received, visible) = (Script::Plain, self.now, self.now);
        let (moved, undone, filed, on_the_way) = (asked, 0, true, 0);
        let order = Order { kind, script, asked, moved, undone, received, visible, filed, on_the_way };
        bank.orders.insert(reference, order);
        self.trace.note(format_args!("bank {code} makes {kind:?} of {asked}, and nobody asked it"));
        self.coverage.fault("acts_unasked");
        self.meet_kind("acts_unasked", kind);
        let soon = self.chance.between(SECOND_MS, HOUR_MS);
        self.say(code, reference, soon, settled(asked), AnswerSource::Callback, None);
        if self.chance.one_in(2) {
            let after_ms = self.chance.between(SECOND_MS, 2 * HOUR_MS);
            self.bank_due(code, after_ms, Due::TakeBack { reference, fault: "acts_unasked", keeps: 0 });
        }
    }

    /// Plans what the script says.
    fn speak(&mut self, code: BankCode, reference: Id, script: Script, asked: i64, moved: i64) {
        let truth = if moved == 0 { Outcome::Declined { code: 51 } } else { settled(moved) };
        let soon = self.chance.between(100, 3 * SECOND_MS);
        let later = self.chance.between(HOUR_MS, 2 * DAY_MS);
        let (request, callback) = (AnswerSource::Request, AnswerSource::Callback);
        let mut say = |after_ms, outcome, source, fault| self.say(code, reference, after_ms, outcome, source, fault);
        match script {
            Script::Plain => say(soon, truth, request, None),
            Script::Late => {
                let after_ms = later * 3 / 2;
                say(after_ms, truth, callback, Some("late_answer"));
            }
            Script::Silent | Script::Lost | Script::ReadLag | Script::MissesFile => {}
            Script::Twice => {
                say(soon / 2, truth, callback, Some("callback_before_answer"));
                say(soon, truth, request, Some("doubled_answer"));
                say(later, truth, callback, Some("doubled_answer"));
            }
            Script::Contradicts if moved == 0 => {
                say(soon, settled(asked), callback, None);
                say(later, truth, callback, Some("contradiction"));
            }
            Script::Contradicts => {
                let no = Outcome::Declined { code: 12 };
                let (first, second) = if asked % 2 == 0 { (no, truth) } else { (truth, no) };
                say(soon, first, request, None);
                say(later, second, callback, Some("contradiction"));
            }
            Script::WrongAmount => {
                say(soon, truth, request, Some("wrong_amount"));
                if later % 3 == 0 {
                    self.bank_due(code, later, Due::TakeBack { reference, fault: "taken_back", keeps: 0 });
                }
            }
            Script::WrongThenRight => {
                say(soon, settled(asked + 1), request, Some("wrong_amount"));
                say(later, truth, callback, Some("contradiction"));
            }
            Script::Garbage => {
                say(soon, Outcome::Unknown { code: Some(999) }, request, Some("garbage_answer"));
                say(later, Outcome::Unknown { code: None }, callback, Some("garbage_answer"));
            }
            Script::TakesBack => {
                say(soon, truth, request, None);
                // When it has taken it back, it tells what it told before, hours late, or babbles.
                let (outcome, fault) = match later % 3 {
                    0 => (truth, "doubled_answer"),
                    1 => (truth, "late_answer"),
                    _ => (Outcome::Unknown { code: None }, "garbage_answer"),
                };
                say(later * 4, outcome, callback, Some(fault));
                let due = Due::TakeBack { reference, fault: "taken_back", keeps: 0 };
                self.bank_due(code, later * 3, due);
            }
            Script::TakesBackPart => {
                say(soon, truth, request, None);
                let keeps = if later % 2 == 0 { FEE } else { asked / 2 };
                self.bank_due(code, later, Due::TakeBack { reference, fault: "part_taken_back", keeps });
            }
            Script::TakesBackFirst => {
                say(later, truth, callback, Some("answer_after_taken_back"));
                self.bank_due(code, later / 2, Due::TakeBack { reference, fault: "taken_back_first", keeps: 0 });
            }
        }
    }

    pub(super) fn say(
        &mut self,
        bank: BankCode,
        reference: Id,
        after_ms: i64,
        outcome: Outcome,
        source: AnswerSource,
        fault: Option<&'static str>,
    ) {
        if let Some(order) = self.banks.get_mut(&bank).and_then(|bank| bank.orders.get_mut(&reference)) {
            order.on_the_way += 1;
        }
        self.bank_due(bank, after_ms, Due::Answer { reference, outcome, source, fault });
    }

    fn bank_answers(&mut self, code: BankCode, reference: Id, answer: Answer, fault: Option<&'static str>) {
        let bank = self.banks.get_mut(&code).expect("answers come from known banks");
        let Some(order) = bank.orders.get_mut(&reference) else { return };
        order.on_the_way = order.on_the_way.saturating_sub(1);
        let kind = order.kind;
        if let Some(fault) = fault {
            self.coverage.fault(fault);
            self.meet_kind(fault, kind);
        }
        if fault == Some("contradiction") && self.chance.one_in(2) {
            return self.gateway_contradicts(kind, answer.outcome);
        }
        self.tell(kind, answer);
    }

    /// The gateway heard both of the bank's words in their order, and says itself that the second contradicts the first.
    fn gateway_contradicts(&mut self, kind: Kind, outcome: Outcome) {
        let claim = match outcome {
            Outcome::Settled { amount } => Claim::Moved(amount),
            Outcome::Declined { .. } | Outcome::NotFound { .. } | Outcome::Unknown { .. } => Claim::NotMoved,
        };
        self.coverage.fault("gateway_contradicts");
        self.meet_kind("gateway_contradicts", kind);
        for _ in 0..self.chance.between(1, 2) {
            let command = match kind {
                Kind::TopUp(top_up) => Command::TopUp(top_up::Command::Contradict { top_up, claim }),
                Kind::Payout(payout) => Command::Payout(payout::Command::Contradict { payout, claim }),
                Kind::GiveBack(..) | Kind::Reimbursement(..) => return,
            };
            self.ask(ActorKind::Bank, command);
        }
    }

    /// Hands a bank's answer to the service.
    pub fn tell(&mut self, kind: Kind, answer: Answer) {
        if self.is_cancel_wished(kind) {
            self.coverage.fault("answer_after_cancel");
            self.meet_kind("answer_after_cancel", kind);
        }
        let command = match kind {
            Kind::TopUp(top_up) => {
                let give_back = GiveBackId(self.chance.id(self.now));
                Command::TopUp(top_up::Command::Answer { top_up, answer, give_back })
            }
            Kind::Payout(payout) => Command::Payout(payout::Command::Answer { payout, answer }),
            Kind::GiveBack(..) | Kind::Reimbursement(..) => return,
        };
        self.ask(ActorKind::Bank, command);
    }

    fn bank_takes_back(&mut self, code: BankCode, reference: Id, fault: &'static str, keeps: i64) {
        let bank = self.banks.get_mut(&code).expect("answers come from known banks");
        let movement = reference;
        let given_back = bank.orders.values().any(|order| match order.kind {
            Kind::GiveBack(id, _) => id.0 == movement,
            Kind::Reimbursement(_, id) => id.0 == movement && order.moved != order.undone,
            Kind::TopUp(_) | Kind::Payout(_) => false,
        });
        let Some(order) = bank.orders.get_mut(&reference) else { return };
        if given_back || order.moved == 0 || order.undone != 0 {
            return;
        }
        order.undone = if keeps < order.moved { order.moved - keeps } else { order.moved };
        let (kind, amount) = (order.kind, Yen::new(order.undone));
        self.coverage.fault(fault);
        self.meet_kind(fault, kind);
        self.trace.note(format_args!("bank {code} takes back {kind:?}"));
        for _ in 0..self.chance.between(1, 2) {
            let command = match kind {
                Kind::TopUp(top_up) => Command::TopUp(top_up::Command::Reverse { top_up, amount }),
                Kind::Payout(payout) => Command::Payout(payout::Command::Return { payout, amount }),
                Kind::GiveBack(..) | Kind::Reimbursement(..) => return,
            };
            self.ask(ActorKind::Bank, command);
        }
    }

    /// An inquiry by reference. `accepted`: when we accepted the movement, which tells the cut-off that counts.
    fn bank_is_asked(&mut self, code: BankCode, kind: Kind, accepted: Time) {
        let soon = self.chance.between(100, 2 * SECOND_MS);
        let (now, source) = (self.now, AnswerSource::Inquiry);
        let bank = self.banks.get_mut(&code).expect("orders go to known banks");
        let Some(order) = bank.orders.get(&kind.reference()).filter(|order| now >= order.visible) else {
            let known = bank.orders.contains_key(&kind.reference());
            // Absence is an answer only after the bank's cut-off, and never while it has the order after all.
            let last = !known && now.milliseconds_since(accepted) > 30 * HOUR_MS;
            self.coverage.fault("not_found_yet");
            self.meet_kind("not_found_yet", kind);
            return self.tell(kind, Answer { outcome: Outcome::NotFound { last }, source });
        };
        let outcome = order.outcome();
        match (order.script, order.kind) {
            (_, Kind::GiveBack(top_up, give_back)) => {
                // What came back is not there.
                let done = order.undone == 0;
                self.bank_due(code, soon, Due::GiveBackDone(top_up, give_back, done));
            }
            (_, Kind::Reimbursement(id, _)) => {
                let done = order.moved != order.undone;
                self.bank_says_reimbursed(code, id, soon, done);
            }
            (
                Script::Silent
                | Script::MissesFile
                | Script::Late
                | Script::TakesBackFirst
                | Script::Contradicts
                | Script::WrongThenRight,
                _,
            ) => {}
            (Script::Garbage, _) => {
                let outcome = Outcome::Unknown { code: Some(998) };
                self.say(code, kind.reference(), soon, outcome, source, Some("garbage_answer"));
            }
            (Script::Lost, _) => self.say(code, kind.reference(), soon, outcome, source, Some("lost_answer")),
            (
                Script::Plain
                | Script::Twice
                | Script::WrongAmount
                | Script::ReadLag
                | Script::TakesBack
                | Script::TakesBackPart,
                _,
            ) => {
                self.say(code, kind.reference(), soon, outcome, source, None);
            }
        }
    }
}
