//! Effects: what an event does to balances, lots and daily sums. Each room says it once, in one function of its events;
//! the rows that hold them apply it, whatever the event.

use crate::chart;
use crate::ids::{BankAccountId, PersonId, WalletId};
use crate::limits::DailySums;
use crate::purse::Piece;
use crate::table;
use crate::wallet::Debt;
use domain::{Day, Key};
use ledger::{Leg, Step, Yen};
use serde::{Deserialize, Serialize};

/// One thing that an event does beside changing its own noun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Moves money between two ledger accounts.
    Leg(Leg),
    /// Takes a lot out of a wallet's purse.
    Take(WalletId, Piece),
    /// Puts a lot into a wallet's purse.
    Give(WalletId, Piece),
    /// The holder owes what the bank took back of this lot and the wallet no longer has.
    Owe(WalletId, Debt),
    /// A debt is paid back, whole or in part.
    Repay(WalletId, Debt),
    /// Counts towards limits.
    Count(Counted),
    /// Frees what was counted.
    Uncount(Counted),
    /// Frees a part of what was counted: the movement stays, smaller.
    Lessen(Counted),
}

impl Effect {
    /// Names the rows that this changes.
    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        match self {
            Self::Leg(leg) => {
                each(chart::key(leg.debit));
                each(chart::key(leg.credit));
            }
            Self::Take(wallet, _) | Self::Give(wallet, _) | Self::Owe(wallet, _) | Self::Repay(wallet, _) => {
                each(Key::new(table::WALLET, wallet.0));
            }
            Self::Count(counted) | Self::Uncount(counted) | Self::Lessen(counted) => each(counted.whose.key()),
        }
    }
}

/// Of what just came back into the purses of `wallet`, `pieces` pay what is owed of their lots.
pub(crate) fn repay(wallet: WalletId, pieces: &[Piece], each: &mut impl FnMut(Effect)) {
    for piece in pieces {
        let (debit, credit) = (chart::purse(wallet, piece.purse), chart::receivable(wallet));
        each(Effect::Take(wallet, *piece));
        each(Effect::Leg(Leg { debit, credit, amount: piece.lot.amount, step: Step::Single }));
        each(Effect::Repay(wallet, Debt { lot: piece.lot.id, amount: piece.lot.amount }));
    }
}

/// An amount that counts towards limits on a business date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Whose limits.
    pub(crate) whose: Whose,
    /// Which of them.
    pub(crate) counter: Counter,
    /// On which date.
    pub(crate) day: Day,
    /// How much.
    pub(crate) amount: Yen,
}

/// Whose limits an amount counts towards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Wallet(WalletId),
    Person(PersonId),
    BankAccount(BankAccountId),
}

impl Whose {
    pub(crate) fn key(self) -> Key {
        match self {
            Self::Wallet(id) => Key::new(table::WALLET, id.0),
            Self::Person(id) => Key::new(table::PERSON, id.0),
            Self::BankAccount(id) => Key::new(table::BANK_ACCOUNT, id.0),
        }
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counter {
    TopUp,
    Payment,
    Send,
    Payout,
    Young,
    YoungSend,
    Refused,
}

/// The daily sums of a wallet, a person or a bank account.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Topped up.
    pub top_up: DailySums,
    /// Paid at shops.
    pub payment: DailySums,
    /// Sent.
    pub send: DailySums,
    /// Paid out.
    pub payout: DailySums,
    /// Young money that left.
    pub young: DailySums,
    /// Young money that left by send.
    pub young_send: DailySums,
    /// Refused attempts.
    pub refused: DailySums,
}

impl Counters {
    pub(crate) fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Count(counted) => self.of(counted.counter).count(counted.day, counted.amount),
            Effect::Uncount(counted) => self.of(counted.counter).uncount(counted.day, counted.amount),
            Effect::Lessen(counted) => self.of(counted.counter).lessen(counted.day, counted.amount),
            Effect::Leg(_) | Effect::Take(..) | Effect::Give(..) | Effect::Owe(..) | Effect::Repay(..) => {}
        }
    }

    /// What counted on `day` towards the limits of a day: the largest of its sums.
    pub(crate) fn left_on(&self, day: Day) -> Yen {
        let sums = [&self.payment, &self.send, &self.young, &self.young_send].map(|sums| sums.on(day));
        sums.into_iter().max().unwrap_or(Yen::ZERO)
    }

    fn of(&mut self, counter: Counter) -> &mut DailySums {
        match counter {
            Counter::TopUp => &mut self.top_up,
            Counter::Payment => &mut self.payment,
            Counter::Send => &mut self.send,
            Counter::Payout => &mut self.payout,
            Counter::Young => &mut self.young,
            Counter::YoungSend => &mut self.young_send,
            Counter::Refused => &mut self.refused,
        }
    }
}
