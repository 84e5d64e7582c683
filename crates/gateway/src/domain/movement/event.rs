//! What happens to movements, and what that does to the sums that limit them.

use super::{Answer, Claim, Kind, Movement, Next, Order, Status};
use crate::domain::account::account_of;
use crate::domain::ids::{AccountId, BankCode, MandateId, MovementId};
use crate::domain::open::{self, Thing};
use crate::domain::state::{Rows, account_key, mandate_key, movement_key, wrong_row};
use crate::domain::{Row, table};
use domain::{Day, Key, Time};
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// What happened to a movement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// It was asked for.
    Requested {
        /// Its id.
        movement: MovementId,
        /// What was asked for.
        order: Order,
        /// The bank is asked at once; else it does not know of it yet.
        at_once: bool,
        /// When it is due.
        due: Time,
    },
    /// A worker is about to ask the bank.
    Taken {
        /// Which.
        movement: MovementId,
        /// What the bank is asked.
        next: Next,
        /// When it is due again.
        due: Time,
        /// When.
        at: Time,
    },
    /// The bank said nothing that would be final.
    Doubted {
        /// Which.
        movement: MovementId,
        /// Whether it said that it does not know it.
        absent: bool,
        /// When.
        at: Time,
    },
    /// The bank's answer changed its status.
    Ended {
        /// Which.
        movement: MovementId,
        /// At which bank.
        bank: BankCode,
        /// The account whose unconfirmed sums it counts on, and how often a mandate there had been confirmed.
        account: Option<(AccountId, u32)>,
        /// The mandate whose sums it counts on.
        mandate: Option<MandateId>,
        /// The debit that it gives back.
        of: Option<MovementId>,
        /// What was asked for.
        amount: Yen,
        /// When it was accepted.
        accepted: Time,
        /// The status before.
        was: Status,
        /// The status now.
        status: Status,
        /// The answer.
        answer: Answer,
    },
    /// The bank says something against what is on record.
    Contradicted {
        /// Which.
        movement: MovementId,
        /// What.
        claim: Claim,
        /// When.
        at: Time,
    },
    /// The file of a day says that the bank moved it.
    Filed {
        /// Which.
        movement: MovementId,
        /// Of which day.
        day: Day,
    },
    /// It was settled after it had been declined: that stands in the chain of its page too, by which reconciliation finds all that
    /// was settled.
    SettledAfterAll {
        /// Which.
        movement: MovementId,
        /// At which bank.
        bank: BankCode,
    },
}

/// What an end does to the sums that a movement counts on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counting {
    /// A decline frees the date that it counted on.
    Freed,
    /// The bank moved it after all.
    Again,
    /// It counts as before. A reversal frees nothing.
    Kept,
}

fn counting(was: Status, status: Status) -> Counting {
    match (was, status) {
        (Status::Pending | Status::InDoubt, Status::Declined) => Counting::Freed,
        (Status::Declined, Status::Settled) => Counting::Again,
        (Status::Pending | Status::InDoubt | Status::Declined | Status::Settled | Status::Reversed, _) => {
            Counting::Kept
        }
    }
}

impl Event {
    const fn movement(&self) -> MovementId {
        match self {
            Self::Requested { movement, .. }
            | Self::Taken { movement, .. }
            | Self::Doubted { movement, .. }
            | Self::Ended { movement, .. }
            | Self::Contradicted { movement, .. }
            | Self::Filed { movement, .. }
            | Self::SettledAfterAll { movement, .. } => *movement,
        }
    }

    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        let movement = self.movement();
        if let Self::SettledAfterAll { bank, .. } = self {
            return each(Thing::Movement(movement).page_key(*bank));
        }
        each(movement_key(movement));
        match self {
            Self::Requested { order, .. } => {
                each(Thing::Movement(movement).page_key(order.bank));
                let account = order.unconfirmed.map(|_| account_key(order.account));
                let mandate = order.mandate.filter(|_| order.kind == Kind::Debit).map(mandate_key);
                [account, mandate, order.of.map(movement_key)].into_iter().flatten().for_each(each);
            }
            Self::Taken { .. } | Self::Doubted { .. } | Self::Contradicted { .. } => {}
            Self::Filed { .. } | Self::SettledAfterAll { .. } => {}
            Self::Ended { bank, account, mandate, of, was, status, .. } => {
                if was.is_open() {
                    each(Thing::Movement(movement).page_key(*bank));
                }
                if counting(*was, *status) != Counting::Kept {
                    let account = account.map(|(account, _)| account_key(account));
                    [account, mandate.map(mandate_key), of.map(movement_key)].into_iter().flatten().for_each(each);
                }
            }
        }
    }

    pub(crate) fn evolve(&self, key: Key, row: &mut Option<Row>) {
        match key.table {
            table::OPEN => self.evolve_page(key, row),
            table::ACCOUNT => self.evolve_account(key, row),
            table::MANDATE => self.evolve_mandate(key, row),
            _ if key == movement_key(self.movement()) => self.evolve_movement(key, row),
            _ => self.evolve_debit(key, row),
        }
    }

    fn evolve_page(&self, key: Key, row: &mut Option<Row>) {
        let thing = Thing::Movement(self.movement());
        match self {
            Self::Requested { .. } => open::add(key, row, thing),
            Self::Ended { .. } => open::remove(key, row, thing),
            // It was taken off the page when it was declined.
            Self::SettledAfterAll { .. } => {}
            Self::Taken { .. } | Self::Doubted { .. } | Self::Contradicted { .. } | Self::Filed { .. } => {
                wrong_row(key)
            }
        }
    }

    fn evolve_account(&self, key: Key, row: &mut Option<Row>) {
        let account = account_of(key, row);
        match self {
            Self::Requested { order, .. } => account.count_unconfirmed(order.amount, order.accepted),
            Self::Ended { account: Some((_, confirmations)), amount, accepted, was, status, .. }
                if account.confirmations == *confirmations =>
            {
                match counting(*was, *status) {
                    Counting::Freed => account.uncount_unconfirmed(*amount, *accepted),
                    Counting::Again => account.count_unconfirmed(*amount, *accepted),
                    Counting::Kept => {}
                }
            }
            // A confirmation since then began the sums anew: what counted before is not in them.
            Self::Ended { .. } => {}
            Self::Taken { .. } | Self::Doubted { .. } | Self::Contradicted { .. } => wrong_row(key),
            Self::Filed { .. } | Self::SettledAfterAll { .. } => wrong_row(key),
        }
    }

    fn evolve_mandate(&self, key: Key, row: &mut Option<Row>) {
        let Some(Row::Mandate(mandate)) = row else { wrong_row(key) };
        match self {
            Self::Requested { order, .. } => {
                mandate.count(order.accepted.day(), order.amount, order.unconfirmed.is_some());
            }
            Self::Ended { account, amount, accepted, was, status, .. } => match counting(*was, *status) {
                Counting::Freed => mandate.uncount(accepted.day(), *amount, account.is_some()),
                Counting::Again => mandate.count(accepted.day(), *amount, account.is_some()),
                Counting::Kept => {}
            },
            Self::Taken { .. } | Self::Doubted { .. } | Self::Contradicted { .. } => wrong_row(key),
            Self::Filed { .. } | Self::SettledAfterAll { .. } => wrong_row(key),
        }
    }

    /// The debit that this gives back.
    fn evolve_debit(&self, key: Key, row: &mut Option<Row>) {
        let Some(Row::Movement(debit)) = row else { wrong_row(key) };
        match self {
            Self::Requested { order, .. } => debit.give_back(order.amount),
            Self::Ended { amount, was, status, .. } => match counting(*was, *status) {
                Counting::Freed => debit.returned = debit.returned.saturating_sub(*amount),
                Counting::Again => debit.give_back(*amount),
                Counting::Kept => {}
            },
            Self::Taken { .. } | Self::Doubted { .. } | Self::Contradicted { .. } => wrong_row(key),
            Self::Filed { .. } | Self::SettledAfterAll { .. } => wrong_row(key),
        }
    }

    fn evolve_movement(&self, key: Key, row: &mut Option<Row>) {
        if let Self::Requested { order, at_once, due, .. } = self {
            *row = Some(Row::Movement(Box::new(Movement {
                order: order.clone(),
                status: Status::Pending,
                since: order.accepted,
                asked: u32::from(*at_once),
                sent: at_once.then_some(order.accepted),
                due: *due,
                absent: !at_once,
                answer: None,
                claim: None,
                claimed: None,
                returned: Yen::ZERO,
                filed: None,
            })));
            return;
        }
        let Some(Row::Movement(movement)) = row else { wrong_row(key) };
        self.apply(movement);
    }

    /// Applies this to the movement that it happened to, once that is there.
    pub(super) fn apply(&self, movement: &mut Movement) {
        match self {
            Self::Requested { .. } => {}
            Self::Taken { next, due, at, .. } => {
                movement.doubt(*at);
                if *next == Next::Send {
                    movement.sent = Some(*at);
                }
                movement.asked = movement.asked.saturating_add(1);
                movement.due = *due;
                movement.absent = false;
            }
            Self::Doubted { absent, at, .. } => {
                movement.doubt(*at);
                movement.absent = *absent;
            }
            Self::Ended { was, status, answer, .. } => {
                assert_eq!(movement.status, *was, "a movement's end knows what it was");
                assert!(*status > *was, "a movement's status only ever moves on");
                movement.status = *status;
                movement.since = answer.at;
                movement.answer = Some(*answer);
            }
            Self::Contradicted { claim, at, .. } => (movement.claim, movement.claimed) = (Some(*claim), Some(*at)),
            Self::Filed { day, .. } => movement.filed = Some(*day),
            Self::SettledAfterAll { .. } => {}
        }
    }

    /// What is given back of a debit is never more than the bank debited.
    pub(crate) fn assert_decided(&self, rows: Rows<'_>) {
        match self {
            Self::Requested { order, .. } => {
                let Some(debit) = order.of.and_then(|debit| rows.movement(debit)) else { return };
                let debited = debit.settled().unwrap_or(Yen::ZERO);
                assert!(debit.returned <= debited, "more is given back than was debited");
            }
            Self::Taken { .. } | Self::Doubted { .. } | Self::Ended { .. } | Self::Contradicted { .. } => {}
            Self::Filed { .. } | Self::SettledAfterAll { .. } => {}
        }
    }
}

impl Movement {
    fn doubt(&mut self, at: Time) {
        if self.status == Status::Pending {
            self.status = Status::InDoubt;
            self.since = at;
        }
    }

    fn give_back(&mut self, amount: Yen) {
        self.returned = self.returned.checked_add(amount).unwrap_or(Yen::MAX);
    }
}
