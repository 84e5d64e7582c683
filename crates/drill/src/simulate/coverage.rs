//! Coverage: which fault met which state of which flow, and which of these cells must be met.
//!
//! A cell that can be reached and never is means that the simulation proves less than it says. Cells that cannot be
//! reached are listed with the reason, so that nobody has to guess. Rare is not unreachable: so many seeds are required to have
//! met all of them that chance is no excuse, and of fewer nothing is required.

use super::answers::Answers;
use super::phase;
use std::collections::BTreeMap;

/// A fault's fixed name.
pub type Fault = &'static str;
/// A flow's fixed name.
pub type Flow = &'static str;
/// The fixed name of a state of a flow; `new` where the command makes the thing.
pub type Phase = &'static str;

/// How often each cell was met, and each fault at all.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    cells: BTreeMap<(Fault, Flow, Phase), u64>,
    faults: BTreeMap<Fault, u64>,
    /// How commands were answered.
    pub answers: Answers,
}

impl Coverage {
    /// Notes that `fault` happened.
    pub fn fault(&mut self, fault: Fault) {
        *self.faults.entry(fault).or_default() += 1;
    }

    /// Notes that `fault` met `flow` in `phase`.
    pub fn meet(&mut self, fault: Fault, flow: Flow, phase: Phase) {
        *self.cells.entry((fault, flow, phase)).or_default() += 1;
    }

    /// Adds what another run met.
    pub fn add(&mut self, other: &Self) {
        for (cell, count) in &other.cells {
            *self.cells.entry(*cell).or_default() += count;
        }
        for (fault, count) in &other.faults {
            *self.faults.entry(fault).or_default() += count;
        }
        self.answers.add(&other.answers);
    }

    /// How often each fault happened.
    pub const fn faults(&self) -> &BTreeMap<Fault, u64> {
        &self.faults
    }

    /// How often each cell was met.
    pub const fn cells(&self) -> &BTreeMap<(Fault, Flow, Phase), u64> {
        &self.cells
    }
}

/// Seeds that must have met every cell that can be reached.
pub const SEEDS_ENOUGH: u64 = 2_000;

/// Faults that can meet any flow in any phase.
const FAULTS_OF_ALL: &[Fault] = &[
    "crash_before_commit",
    "torn_commit",
    "crash_after_commit",
    "crash_in_write_back",
    "commit_unavailable",
    "load_unavailable",
    "queue_full",
    "key_repeated",
    "key_with_other_body",
    "clock_back",
    "clock_ahead",
    "month_end",
    "wallet_frozen",
    "wallet_closing",
    "wallet_closed",
    "wallet_owes",
];

/// Faults of banks.
const FAULTS_OF_BANKS: &[Fault] = &[
    "late_answer",
    "no_answer",
    "doubled_answer",
    "callback_before_answer",
    "contradiction",
    "gateway_contradicts",
    "give_back_returned",
    "wrong_amount",
    "garbage_answer",
    "lost_answer",
    "not_found_yet",
    "order_lost",
    "day_file",
    "not_in_file",
    "file_misses_it",
    "answer_after_file",
    "taken_back",
    "part_taken_back",
    "taken_back_first",
    "answer_after_taken_back",
    "answer_after_cancel",
    "cancel",
    "lie",
    "acts_unasked",
];

/// Faults of banks that reimburse.
const FAULTS_OF_REIMBURSEMENTS: &[Fault] =
    &["order_lost", "reimbursement_misreported", "reimbursement_returned", "lie", "desk_settles"];

/// Faults of the service that meet no flow in particular: each must happen.
const FAULTS_OF_SERVICE: &[Fault] = &[
    "clock_step",
    "clock_not_believed",
    "refusal_only_counted",
    "restart",
    "held_by_rule_101",
    "held_by_rule_102",
    "held_by_rule_103",
    "give_back_absent",
    "reimbursement_absent",
    "give_back_paid_otherwise",
    "give_back_paid_twice",
    "reimbursement_paid_otherwise",
    "reimbursement_paid_twice",
];

/// Faults of banks that give back.
const FAULTS_OF_GIVE_BACKS: &[Fault] = &["order_lost", "give_back", "give_back_returned", "lie"];

/// Cells of one kind, and why they are; `*` stands for all.
struct Cells {
    faults: &'static [Fault],
    flow: Flow,
    phases: &'static [Phase],
    because: &'static str,
}

impl Cells {
    fn holds(&self, fault: Fault, flow: Flow, phase: Phase) -> bool {
        let faults = self.faults == ["*"] || self.faults.contains(&fault);
        let phases = self.phases == ["*"] || self.phases.contains(&phase);
        faults && phases && (self.flow == "*" || self.flow == flow)
    }
}

impl Coverage {
    /// The faults that never happened at all.
    pub fn unfired(&self) -> Vec<Fault> {
        FAULTS_OF_SERVICE.iter().filter(|fault| !self.faults.contains_key(*fault)).copied().collect()
    }

    /// The cells that were met although the table says that they cannot be, or does not know the phase: it is then not true.
    /// Each with the table's reason.
    pub fn impossible(&self) -> Vec<((Fault, Flow, Phase), &'static str)> {
        let flows = phase::flows();
        let why_not = |(fault, flow, phase): &(Fault, Flow, Phase)| {
            let find = |table: &'static [Cells]| table.iter().find(|cells| cells.holds(fault, flow, phase));
            if !flows.iter().any(|(listed, phases)| listed == flow && phases.contains(phase)) {
                return Some("no flow has such a phase");
            }
            find(UNREACHABLE).filter(|_| find(CROSSING).is_none() && find(SELDOM).is_none()).map(|cells| cells.because)
        };
        self.cells.keys().filter_map(|cell| Some((*cell, why_not(cell)?))).collect()
    }

    /// The cells that can be reached and were not.
    pub fn missing(&self) -> Vec<(Fault, Flow, Phase)> {
        let mut missing = Vec::new();
        for (flow, phases) in phase::flows() {
            let of_banks = match flow {
                "top_up" | "payout" => FAULTS_OF_BANKS,
                "give_back" => FAULTS_OF_GIVE_BACKS,
                "reimbursement" => FAULTS_OF_REIMBURSEMENTS,
                _ => &[],
            };
            for fault in FAULTS_OF_ALL.iter().chain(of_banks) {
                for phase in &phases {
                    let is_in = |table: &[Cells]| table.iter().any(|cells| cells.holds(fault, flow, phase));
                    let is_excused = is_in(SELDOM) || (is_in(UNREACHABLE) && !is_in(CROSSING));
                    if !is_excused && !self.cells.contains_key(&(*fault, flow, *phase)) {
                        missing.push((*fault, flow, *phase));
                    }
                }
            }
        }
        missing
    }
}

/// What cannot meet, and why.
const UNREACHABLE: &[Cells] = &[
    Cells {
        faults: &["wallet_frozen", "wallet_closing", "wallet_closed", "wallet_owes"],
        flow: "wallet",
        phases: &["*"],
        because: "the wallet's own phase says it",
    },
    Cells {
        faults: &["wallet_frozen", "wallet_closing", "wallet_closed", "wallet_owes"],
        flow: "case",
        phases: &["*"],
        because: "a case is no wallet's own",
    },
    Cells {
        faults: &["wallet_frozen", "wallet_closing", "wallet_closed", "wallet_owes"],
        flow: "write_off",
        phases: &["*"],
        because: "the phases of the wallet and of its debt say it",
    },
    Cells {
        faults: &["wallet_frozen", "wallet_closing", "wallet_closed", "wallet_owes"],
        flow: "stop",
        phases: &["*"],
        because: "a stop is no wallet's own",
    },
    Cells {
        faults: &["wallet_frozen", "wallet_closing", "wallet_closed", "wallet_owes"],
        flow: "adjustment",
        phases: &["*"],
        because: "a value of the policy is no wallet's own",
    },
    Cells {
        faults: &["wallet_frozen", "wallet_closing", "wallet_closed", "wallet_owes"],
        flow: "reimbursement",
        phases: &["*"],
        because: "a reimbursement is no wallet's own",
    },
    Cells {
        faults: FAULTS_OF_REIMBURSEMENTS,
        flow: "reimbursement",
        phases: &["new", "proposed", "refused"],
        because: "a bank is asked only for what two people agreed to",
    },
    Cells {
        faults: &["order_lost"],
        flow: "reimbursement",
        phases: &["done", "failed"],
        because: "only what is open is ordered",
    },
    Cells {
        faults: &["lie"],
        flow: "reimbursement",
        phases: &["pending", "in_doubt"],
        because: "of what is still open a bank's word is believed",
    },
    Cells {
        faults: &["order_lost"],
        flow: "give_back",
        phases: &["done", "failed", "taken_back"],
        because: "only what is pending is ordered",
    },
    Cells {
        faults: &["lie"],
        flow: "give_back",
        phases: &["pending"],
        because: "of what is still open a bank's word is believed",
    },
    Cells {
        faults: &["wallet_closed"],
        flow: "mandate",
        phases: &["active"],
        because: "closing a wallet ends its links",
    },
    Cells {
        faults: &["wallet_closing", "wallet_closed"],
        flow: "top_up",
        phases: &["held", "pending", "in_doubt"],
        because: "a wallet with a movement under way cannot be closed, nor begin to be",
    },
    Cells {
        faults: &["wallet_closed"],
        flow: "payout",
        phases: &["held", "pending", "in_doubt"],
        because: "a wallet with a movement under way cannot be closed",
    },
    Cells {
        faults: &["wallet_closing", "wallet_closed"],
        flow: "payment",
        phases: &["authorised"],
        because: "a wallet with a movement under way cannot be closed, nor begin to be",
    },
    Cells {
        faults: &["wallet_closing", "wallet_closed"],
        flow: "send",
        phases: &["held"],
        because: "a wallet with a movement under way cannot be closed, nor begin to be",
    },
    Cells {
        faults: &[
            "late_answer",
            "no_answer",
            "doubled_answer",
            "callback_before_answer",
            "contradiction",
            "gateway_contradicts",
            "wrong_amount",
            "garbage_answer",
            "lost_answer",
            "not_found_yet",
            "order_lost",
            "day_file",
            "not_in_file",
            "file_misses_it",
            "answer_after_file",
            "taken_back",
            "part_taken_back",
            "taken_back_first",
            "answer_after_taken_back",
            "answer_after_cancel",
        ],
        flow: "*",
        phases: &["new", "held"],
        because: "the bank is asked only once the movement's row is there and released",
    },
    Cells {
        faults: &[
            "late_answer",
            "contradiction",
            "gateway_contradicts",
            "no_answer",
            "day_file",
            "file_misses_it",
            "answer_after_file",
        ],
        flow: "*",
        phases: &["pending"],
        because: "hours after the order: the first look has put it in doubt long before",
    },
    Cells {
        faults: &[
            "no_answer",
            "file_misses_it",
            "lost_answer",
            "not_found_yet",
            "not_in_file",
            "callback_before_answer",
        ],
        flow: "*",
        phases: &["settled", "declined", "cancelled", "returned", "reversed"],
        because: "it is the first that is heard of the order, and only open ones are inquired and looked for",
    },
    Cells {
        faults: &["callback_before_answer"],
        flow: "*",
        phases: &["in_doubt"],
        because: "it comes within a second of the order",
    },
    Cells {
        faults: &["wrong_amount"],
        flow: "*",
        phases: &["settled", "declined", "cancelled", "returned", "reversed"],
        because: "the wrong amount is the first answer",
    },
    Cells {
        faults: &["order_lost"],
        flow: "*",
        phases: &["settled", "declined", "cancelled", "reversed"],
        because: "nothing is ordered for what has ended; what is returned is ordered back",
    },
    Cells {
        faults: &["order_lost"],
        flow: "payout",
        phases: &["returned"],
        because: "what the bank sent back needs no order",
    },
    Cells {
        faults: &["answer_after_file"],
        flow: "*",
        phases: &["in_doubt", "settled", "returned", "reversed"],
        because: "the file that misses an order ends it first",
    },
    Cells {
        faults: &["taken_back", "part_taken_back"],
        flow: "*",
        phases: &["pending", "in_doubt", "declined", "cancelled", "returned", "reversed"],
        because: "days after the bank said that it moved the money, and only if it was not given back",
    },
    Cells {
        faults: &["taken_back_first"],
        flow: "*",
        phases: &["pending", "cancelled", "returned", "reversed"],
        because: "an hour after the order at least, and once",
    },
    Cells {
        faults: &["answer_after_taken_back"],
        flow: "*",
        phases: &["pending", "in_doubt", "settled", "declined", "cancelled"],
        because: "hearing that it was taken back has ended it",
    },
    Cells {
        faults: &["answer_after_taken_back"],
        flow: "top_up",
        phases: &["returned"],
        because: "what is returned was debited, as far as we had heard",
    },
    Cells {
        faults: &["give_back_returned"],
        flow: "top_up",
        phases: &["new", "held", "pending", "in_doubt", "settled", "declined", "cancelled", "reversed"],
        because: "only what is returned is given back",
    },
    Cells {
        faults: &["give_back_returned"],
        flow: "payout",
        phases: &["*"],
        because: "a payout is not given back: what its bank sends back is",
    },
    Cells {
        faults: &["lie"],
        flow: "*",
        phases: &["new", "held", "pending", "in_doubt"],
        because: "what is not on record yet is believed: nobody could tell",
    },
    Cells {
        faults: &["acts_unasked"],
        flow: "*",
        phases: &["new", "pending", "in_doubt", "settled", "declined", "cancelled", "returned", "reversed"],
        because: "all but what is held was asked for, or nobody ever will",
    },
    Cells {
        faults: &["answer_after_cancel"],
        flow: "*",
        phases: &["declined"],
        because: "what ends without a debit ends as the holder wished: cancelled",
    },
    Cells {
        faults: &["answer_after_cancel"],
        flow: "top_up",
        phases: &["settled"],
        because: "what the holder no longer wants is given back",
    },
];

/// What the table above excuses as a rule and two things that cross bring about all the same: it must be met.
const CROSSING: &[Cells] = &[
    Cells {
        faults: &["answer_after_taken_back"],
        flow: "*",
        phases: &["returned"],
        because: "the give-back crosses what the bank does by itself",
    },
    Cells {
        faults: &["not_found_yet", "taken_back", "part_taken_back", "taken_back_first"],
        flow: "top_up",
        phases: &["returned"],
        because: "the give-back crosses what the bank does by itself, or an inquiry that was under way",
    },
    Cells {
        faults: &["callback_before_answer"],
        flow: "*",
        phases: &["in_doubt"],
        because: "the first look that puts it in doubt comes within the same second",
    },
    Cells {
        faults: &["taken_back_first"],
        flow: "*",
        phases: &["in_doubt", "cancelled"],
        because: "the bank's first word came late or was lost, or the holder's wish crosses it",
    },
];

/// What crosses so seldom that even two thousand seeds met it a few times or never: nothing must meet it, and it may be met.
const SELDOM: &[Cells] = &[
    Cells {
        faults: &["answer_after_taken_back"],
        flow: "top_up",
        phases: &["settled"],
        because: "only where something of it is reimbursed does hearing that it was taken back end nothing: it waits for two people",
    },
    Cells {
        faults: &["queue_full"],
        flow: "adjustment",
        phases: &["new", "proposed", "in_force"],
        because: "the desk asks for one at a time, and seldom in a rush",
    },
    Cells {
        faults: &["queue_full"],
        flow: "stop",
        phases: &["lift_proposed"],
        because: "the desk asks for one at a time, and seldom in a rush",
    },
    Cells {
        faults: &["queue_full"],
        flow: "reimbursement",
        phases: &["pending", "in_doubt"],
        because: "few are open when there is a rush",
    },
    Cells {
        faults: &["gateway_contradicts"],
        flow: "payout",
        phases: &["in_doubt"],
        because: "two people have settled the wrong amount before the bank's second word",
    },
    Cells {
        faults: &["lie", "wallet_closed"],
        flow: "give_back",
        phases: &["failed"],
        because: "what failed is soon asked for again under another id",
    },
    Cells {
        faults: &["torn_commit"],
        flow: "give_back",
        phases: &["taken_back"],
        because: "few give-backs are found to be there already",
    },
    Cells {
        faults: &["acts_unasked"],
        flow: "*",
        phases: &["pending", "in_doubt", "settled", "declined", "cancelled", "returned", "reversed"],
        because: "somebody decided what was held, before the bank undid what it had done",
    },
    Cells {
        faults: &["callback_before_answer"],
        flow: "*",
        phases: &["settled", "declined"],
        because: "the request's answer overtakes the callback in the queue",
    },
    Cells {
        faults: &["lost_answer", "no_answer", "not_found_yet"],
        flow: "*",
        phases: &["settled", "declined", "cancelled", "returned"],
        because: "the day file or another answer ends it while the one that says nothing is under way",
    },
    Cells {
        faults: &["taken_back", "part_taken_back"],
        flow: "*",
        phases: &["in_doubt", "cancelled"],
        because: "the bank's first word was lost, or the holder's wish crosses it",
    },
    Cells {
        faults: &["taken_back", "taken_back_first"],
        flow: "payout",
        phases: &["returned"],
        because: "two people found that it was not paid, before the bank sends back what it paid",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_is_met_is_not_unreachable() {
        let mut coverage = Coverage::default();
        coverage.meet("doubled_answer", "top_up", "reversed");
        assert_eq!(coverage.impossible(), []);
        coverage.meet("wrong_amount", "top_up", "new");
        let why = "the bank is asked only once the movement's row is there and released";
        assert_eq!(coverage.impossible(), [(("wrong_amount", "top_up", "new"), why)]);
        coverage.meet("restart", "top_up", "forgotten");
        assert_eq!(coverage.impossible()[0], (("restart", "top_up", "forgotten"), "no flow has such a phase"));
    }

    #[test]
    fn what_was_not_met_is_missing() {
        let nothing = Coverage::default();
        assert_eq!(nothing.unfired(), FAULTS_OF_SERVICE);
        let missing = nothing.missing();
        let cells = [("queue_full", "send", "held"), ("lie", "payout", "settled"), ("month_end", "stop", "in_force")];
        assert!(cells.iter().all(|cell| missing.contains(cell)), "{missing:?}");
        assert!(!missing.contains(&("lie", "payout", "new")), "it cannot be met");
        let mut all = Coverage::default();
        for (fault, flow, phase) in &missing {
            all.meet(fault, flow, phase);
        }
        for fault in FAULTS_OF_SERVICE {
            all.fault(fault);
        }
        assert_eq!((all.missing(), all.unfired()), (vec![], vec![]));
        all.cells.remove(&cells[1]);
        all.faults.remove("restart");
        assert_eq!((all.missing(), all.unfired()), (vec![cells[1]], vec!["restart"]));
    }
}
