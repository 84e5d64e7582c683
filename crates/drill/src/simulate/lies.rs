//! Banks that say what is not so.
//!
//! A lie here is always about something that is on record, so that it must be recognised whenever it arrives, and no yen may
//! move for it: of what is still open a bank's word is believed, and nobody could tell.

use super::bank::Kind;
use super::world::World;
use domain::Key;
use engine::ActorKind;
use ledger::Yen;
use wallet::bank_answer::{Answer, AnswerSource, Outcome};
use wallet::top_up::GiveBackStatus;
use wallet::{Command, GiveBackId, PayoutId, Row, TopUpId, payout, table, top_up};

/// How often a give-back may have failed before a bank lies of one: the books try eight times in all.
const FAILED_MAX: usize = 2;

const NOT_MOVED: Answer = Answer { outcome: Outcome::Declined { code: 7 }, source: AnswerSource::Callback };

impl World {
    /// A bank says what is not so of a top-up that has ended.
    pub(super) fn bank_lies_of_top_up(&mut self, top_up: TopUpId) {
        let row = self.service.row(Key::new(table::TOP_UP, top_up.0)).ok().flatten();
        let Some(Row::TopUp(row)) = row.as_deref() else { return };
        let amount = row.debit.amount;
        let command = match row.status {
            top_up::Status::Held | top_up::Status::Pending | top_up::Status::InDoubt => return,
            top_up::Status::Settled => {
                let give_back = GiveBackId(self.chance.id(self.now));
                top_up::Command::Answer { top_up, answer: NOT_MOVED, give_back }
            }
            top_up::Status::Declined | top_up::Status::Cancelled => top_up::Command::Reverse { top_up, amount },
            top_up::Status::Reversed => top_up::Command::Reverse { top_up, amount: more(amount) },
            top_up::Status::Returned => {
                let (Some(given), Some(command)) = (row.give_back, self.lie_of_give_back(top_up, row)) else { return };
                return self.lie(Kind::GiveBack(top_up, given.id), Command::TopUp(command));
            }
        };
        self.lie(Kind::TopUp(top_up), Command::TopUp(command));
    }

    fn lie_of_give_back(&mut self, top_up: TopUpId, row: &top_up::TopUp) -> Option<top_up::Command> {
        let given = row.give_back.filter(|_| row.give_backs_failed.len() < FAILED_MAX)?;
        let (give_back, amount) = (given.id, given.amount);
        let came_back = top_up::Command::ReverseGiveBack { top_up, give_back, amount };
        let answer = |done| top_up::Command::AnswerGiveBack { top_up, give_back, done };
        match given.status {
            GiveBackStatus::Pending => None,
            GiveBackStatus::Done => Some(answer(given.otherwise)),
            GiveBackStatus::Failed if self.chance.one_in(2) => Some(answer(true)),
            GiveBackStatus::Failed | GiveBackStatus::TakenBack => Some(came_back),
        }
    }

    /// The same of a payout.
    pub(super) fn bank_lies_of_payout(&mut self, payout: PayoutId) {
        let row = self.service.row(Key::new(table::PAYOUT, payout.0)).ok().flatten();
        let Some(Row::Payout(row)) = row.as_deref() else { return };
        let amount = row.credit.amount;
        let command = match row.status {
            payout::Status::Held | payout::Status::Pending | payout::Status::InDoubt => return,
            payout::Status::Settled => payout::Command::Answer { payout, answer: NOT_MOVED },
            // Another amount: two people may find meanwhile that it was paid after all.
            payout::Status::Declined | payout::Status::Cancelled | payout::Status::Returned => {
                payout::Command::Return { payout, amount: more(amount) }
            }
        };
        self.lie(Kind::Payout(payout), Command::Payout(command));
    }

    pub(super) fn lie(&mut self, kind: Kind, command: Command) {
        self.coverage.fault("lie");
        self.meet_kind("lie", kind);
        self.trace.note(format_args!("a lie of {kind:?}"));
        self.ask(ActorKind::Bank, command);
    }
}

fn more(amount: Yen) -> Yen {
    amount.checked_add(Yen::new(1)).unwrap_or(amount)
}
