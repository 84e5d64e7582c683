//! Day files: each bank closes its day some time after midnight, and says of every order what came of it.

use super::bank::{Due, Script};
use super::world::World;
use domain::Id;
use wallet::BankCode;
use wallet::bank_answer::{Answer, AnswerSource, Outcome};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

impl World {
    /// The banks close their day some time after midnight.
    pub(super) fn banks_close_the_day(&mut self) {
        let codes: Vec<BankCode> = self.banks.keys().copied().collect();
        for code in codes {
            let after_ms = self.chance.between(HOUR_MS, 5 * HOUR_MS);
            self.bank_due(code, after_ms, Due::Close);
        }
    }

    /// The file of the day: final for every order that came before midnight; what is not in it did not happen.
    pub(super) fn bank_closes(&mut self, code: BankCode) {
        let midnight = self.now.day().start();
        let bank = self.banks.get_mut(&code).expect("a bank closes its own day");
        let mut lines = Vec::new();
        let mut corrections = Vec::new();
        for (reference, order) in &mut bank.orders {
            if order.filed || order.received >= midnight {
                continue;
            }
            order.filed = true;
            let (outcome, fault) = match order.script {
                Script::MissesFile => {
                    corrections.push((*reference, order.outcome()));
                    (Outcome::NotFound { last: false }, "file_misses_it")
                }
                Script::Silent => (order.outcome(), "no_answer"),
                _ => (order.outcome(), "day_file"),
            };
            lines.push((order.kind, outcome, fault));
        }
        let known: Vec<Id> = bank.orders.keys().copied().collect();
        for kind in self.open_at(code, midnight) {
            if !known.contains(&kind.reference()) {
                lines.push((kind, Outcome::NotFound { last: false }, "not_in_file"));
            }
        }
        for (kind, outcome, fault) in lines {
            self.coverage.fault(fault);
            self.meet_kind(fault, kind);
            self.tell(kind, Answer { outcome, source: AnswerSource::DayFile });
        }
        for (reference, outcome) in corrections {
            let after_ms = self.chance.between(HOUR_MS, DAY_MS);
            self.say(code, reference, after_ms, outcome, AnswerSource::Callback, Some("answer_after_file"));
            if self.chance.one_in(3) {
                let due = Due::TakeBack { reference, fault: "taken_back_first", keeps: 0 };
                self.bank_due(code, after_ms / 2, due);
            }
        }
    }
}
