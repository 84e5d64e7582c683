//! Coverage: which fault met which state of which flow, and which of these cells must be met.
//!
//! A cell that can be reached and never is means that the simulation proves less than it says. Cells that cannot be
//! reached are listed with the reason, so that nobody has to guess. Rare is not unreachable: a long run must meet those too.

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
    replies: BTreeMap<(&'static str, &'static str), u64>,
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

    /// Notes how a command was answered: `done`, or the reason of its refusal.
    pub fn answered(&mut self, command: &'static str, reply: &'static str) {
        *self.replies.entry((command, reply)).or_default() += 1;
    }

    /// How often each command was answered in each way.
    pub const fn replies(&self) -> &BTreeMap<(&'static str, &'static str), u64> {
        &self.replies
    }

    /// Adds what another run met.
    pub fn add(&mut self, other: &Self) {
        for (cell, count) in &other.cells {
            *self.cells.entry(*cell).or_default() += count;
        }
        for (fault, count) in &other.faults {
            *self.faults.entry(fault).or_default() += count;
        }
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

/// Seeds after which every cell that can be reached must have been met, but for the rare ones.
const SEEDS_ENOUGH: u64 = 200;
/// Seeds after which the rare ones must have been met too.
const SEEDS_MANY: u64 = 2_000;

/// The flows and their phases.
const FLOWS: &[(Flow, &[Phase])] = &[
    ("wallet", &["new", "open", "frozen", "closed"]),
    (
        "mandate",
        &[
            "new",
            "requested",
            "authenticating",
            "pending",
            "in_review",
            "active",
            "refused",
            "abandoned",
            "expired",
            "revoked",
        ],
    ),
    ("top_up", &["new", "held", "pending", "in_doubt", "settled", "declined", "cancelled", "returned", "reversed"]),
    ("payout", &["new", "held", "pending", "in_doubt", "settled", "declined", "cancelled", "returned"]),
    ("payment", &["new", "authorised", "captured", "voided", "expired"]),
    ("send", &["new", "held", "completed", "given_up", "expired"]),
    ("voucher", &["new", "issued", "redeemed", "cancelled"]),
];

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
    "taken_back_first",
    "answer_after_taken_back",
    "answer_after_cancel",
    "cancel",
    "lie",
    "acts_unasked",
];

/// Cells that cannot be reached; `*` stands for all.
struct Unreachable {
    faults: &'static [Fault],
    flow: Flow,
    phases: &'static [Phase],
    #[expect(dead_code, reason = "it is for whoever reads the table")]
    because: &'static str,
}

impl Unreachable {
    fn holds(&self, fault: Fault, flow: Flow, phase: Phase) -> bool {
        let faults = self.faults == ["*"] || self.faults.contains(&fault);
        let phases = self.phases == ["*"] || self.phases.contains(&phase);
        faults && phases && (self.flow == "*" || self.flow == flow)
    }
}

impl Coverage {
    /// The cells that can be reached and were not, once there were seeds enough.
    pub fn missing(&self, seeds: u64) -> Vec<(Fault, Flow, Phase)> {
        if seeds < SEEDS_ENOUGH {
            return Vec::new();
        }
        self.unmet(seeds >= SEEDS_MANY)
    }

    /// The cells that were met although the table says that they cannot be: what it excuses is then not true.
    pub fn impossible(&self) -> Vec<(Fault, Flow, Phase)> {
        let is_excused = |(fault, flow, phase): &&(Fault, Flow, Phase)| {
            let is_in = |table: &[Unreachable]| table.iter().any(|cells| cells.holds(fault, flow, phase));
            is_in(UNREACHABLE) && !is_in(SELDOM)
        };
        self.cells.keys().filter(is_excused).copied().collect()
    }

    /// The cells that can be reached and were not; with the rare ones, or without.
    fn unmet(&self, with_rare: bool) -> Vec<(Fault, Flow, Phase)> {
        let mut unmet = Vec::new();
        for (flow, phases) in FLOWS {
            let of_banks = if matches!(*flow, "top_up" | "payout") { FAULTS_OF_BANKS } else { &[] };
            for fault in FAULTS_OF_ALL.iter().chain(of_banks) {
                for phase in *phases {
                    let mut reasons = UNREACHABLE.iter().chain(RARE.iter().filter(|_| !with_rare));
                    let excused = reasons.any(|cells| cells.holds(fault, flow, phase));
                    if !excused && !self.cells.contains_key(&(*fault, *flow, *phase)) {
                        unmet.push((*fault, *flow, *phase));
                    }
                }
            }
        }
        unmet
    }
}

/// What cannot meet, and why.
const UNREACHABLE: &[Unreachable] = &[
    Unreachable {
        faults: &["wallet_frozen", "wallet_closed", "wallet_owes"],
        flow: "wallet",
        phases: &["*"],
        because: "the wallet's own phase says it",
    },
    Unreachable {
        faults: &["wallet_closed"],
        flow: "mandate",
        phases: &["active"],
        because: "closing a wallet ends its links",
    },
    Unreachable {
        faults: &["wallet_closed"],
        flow: "top_up",
        phases: &["held", "pending", "in_doubt"],
        because: "a wallet with a movement under way cannot be closed",
    },
    Unreachable {
        faults: &["wallet_closed"],
        flow: "payout",
        phases: &["held", "pending", "in_doubt"],
        because: "a wallet with a movement under way cannot be closed",
    },
    Unreachable {
        faults: &["wallet_closed"],
        flow: "payment",
        phases: &["authorised"],
        because: "a wallet with a movement under way cannot be closed",
    },
    Unreachable {
        faults: &["wallet_closed"],
        flow: "send",
        phases: &["held"],
        because: "a wallet with a movement under way cannot be closed",
    },
    Unreachable {
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
            "taken_back_first",
            "answer_after_taken_back",
            "answer_after_cancel",
        ],
        flow: "*",
        phases: &["new", "held"],
        because: "the bank is asked only once the movement's row is there and released",
    },
    Unreachable {
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
    Unreachable {
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
    Unreachable {
        faults: &["callback_before_answer"],
        flow: "*",
        phases: &["in_doubt"],
        because: "it comes within a second of the order",
    },
    Unreachable {
        faults: &["wrong_amount"],
        flow: "*",
        phases: &["settled", "declined", "cancelled", "returned", "reversed"],
        because: "the wrong amount is the first answer",
    },
    Unreachable {
        faults: &["order_lost"],
        flow: "*",
        phases: &["settled", "declined", "cancelled", "reversed"],
        because: "nothing is ordered for what has ended; what is returned is ordered back",
    },
    Unreachable {
        faults: &["order_lost"],
        flow: "payout",
        phases: &["returned"],
        because: "what the bank sent back needs no order",
    },
    Unreachable {
        faults: &["answer_after_file"],
        flow: "*",
        phases: &["in_doubt", "settled", "returned", "reversed"],
        because: "the file that misses an order ends it first",
    },
    Unreachable {
        faults: &["taken_back"],
        flow: "*",
        phases: &["pending", "in_doubt", "declined", "cancelled", "returned", "reversed"],
        because: "days after the bank said that it moved the money, and only if it was not given back",
    },
    Unreachable {
        faults: &["taken_back_first"],
        flow: "*",
        phases: &["pending", "cancelled", "returned", "reversed"],
        because: "an hour after the order at least, and once",
    },
    Unreachable {
        faults: &["answer_after_taken_back"],
        flow: "*",
        phases: &["pending", "in_doubt", "settled", "declined", "cancelled"],
        because: "hearing that it was taken back has ended it",
    },
    Unreachable {
        faults: &["answer_after_taken_back"],
        flow: "top_up",
        phases: &["returned"],
        because: "what is returned was debited, as far as we had heard",
    },
    Unreachable {
        faults: &["give_back_returned"],
        flow: "top_up",
        phases: &["new", "held", "pending", "in_doubt", "settled", "declined", "cancelled", "reversed"],
        because: "only what is returned is given back",
    },
    Unreachable {
        faults: &["give_back_returned"],
        flow: "payout",
        phases: &["*"],
        because: "a payout is not given back: what its bank sends back is",
    },
    Unreachable {
        faults: &["lie"],
        flow: "*",
        phases: &["new", "held", "pending", "in_doubt"],
        because: "what is not on record yet is believed: nobody could tell",
    },
    Unreachable {
        faults: &["acts_unasked"],
        flow: "*",
        phases: &["new", "pending", "in_doubt", "settled", "declined", "cancelled", "returned", "reversed"],
        because: "all but what is held was asked for, or nobody ever will",
    },
    Unreachable {
        faults: &["answer_after_cancel"],
        flow: "*",
        phases: &["declined"],
        because: "what ends without a debit ends as the holder wished: cancelled",
    },
    Unreachable {
        faults: &["answer_after_cancel"],
        flow: "top_up",
        phases: &["settled"],
        because: "what the holder no longer wants is given back",
    },
];

/// What the table above excuses and two things that cross can bring about all the same: nothing must meet it, and it may be met.
const SELDOM: &[Unreachable] = &[
    Unreachable {
        faults: &["acts_unasked"],
        flow: "*",
        phases: &["pending", "in_doubt", "settled", "declined", "cancelled", "returned", "reversed"],
        because: "somebody decided what was held, before the bank undid what it had done",
    },
    Unreachable {
        faults: &["answer_after_taken_back", "not_found_yet"],
        flow: "*",
        phases: &["returned"],
        because: "the give-back crosses what the bank does by itself, or an inquiry that was under way",
    },
    Unreachable {
        faults: &["callback_before_answer"],
        flow: "*",
        phases: &["in_doubt", "settled"],
        because: "the first look that puts it in doubt comes within the same second",
    },
    Unreachable {
        faults: &["lost_answer", "no_answer", "not_found_yet"],
        flow: "*",
        phases: &["settled", "declined", "cancelled", "returned"],
        because: "the day file or another answer ends it while the one that says nothing is under way",
    },
    Unreachable {
        faults: &["taken_back", "taken_back_first"],
        flow: "*",
        phases: &["in_doubt", "cancelled", "returned"],
        because: "the bank's first word came late or was lost, or the holder's wish or a give-back crosses it",
    },
];

/// What meets so rarely that only a long run must have seen it, and why.
const RARE: &[Unreachable] = &[
    Unreachable {
        faults: &["wallet_closed", "wallet_owes"],
        flow: "mandate",
        phases: &["requested", "authenticating", "pending", "in_review"],
        because: "the wallet would have to be closed, or a debit be taken back, in the minutes that a link takes",
    },
    Unreachable {
        faults: &["wallet_closed", "wallet_owes"],
        flow: "send",
        phases: &["given_up", "expired"],
        because: "somebody comes back to an ended send of a wallet that ended meanwhile",
    },
    Unreachable {
        faults: &["wallet_owes"],
        flow: "payout",
        phases: &["pending", "cancelled"],
        because: "a payout is pending for seconds, and few are cancelled",
    },
    Unreachable {
        faults: &["wallet_closed"],
        flow: "payout",
        phases: &["cancelled"],
        because: "few payouts are cancelled, fewer in a wallet that is closed later",
    },
    Unreachable { faults: &["wallet_closed"], flow: "voucher", phases: &["cancelled"], because: "two rare things" },
    Unreachable {
        faults: &["contradiction", "gateway_contradicts", "doubled_answer"],
        flow: "payout",
        phases: &["cancelled"],
        because: "a wish to cancel, a no and another answer after it",
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
        assert_eq!(coverage.impossible(), [("wrong_amount", "top_up", "new")]);
    }
}
