//! What happens to sends, and what each event does to balances, lots and limits.

use super::{Send, Status, send_key};
use crate::bank_answer::Review;
use crate::effect::{Counted, Counter, Effect, Whose, repay};
use crate::holder::Sealed;
use crate::ids::{PersonId, SendId, StaffId, WalletId};
use crate::purse::{Lot, Piece, Purse, Source};
use crate::state::wrong_row;
use crate::traits::Origin;
use crate::wallet::Wallet;
use crate::{Row, chart};
use domain::{Day, Key, Time};
use ledger::{Leg, Step, Yen};
use serde::{Deserialize, Serialize};

/// What happened to a send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Sent, in one step.
    Completed(Sent),
    /// Left the sender, and waits for the desk.
    Held {
        /// What was sent.
        sent: Sent,
        /// Why, and until when.
        review: Review,
    },
    /// The desk let it go on.
    Released {
        /// Which.
        send: SendId,
        /// From whom.
        from: WalletId,
        /// To whom.
        to: WalletId,
        /// How much.
        amount: Yen,
        /// Who.
        by: StaffId,
        /// When.
        at: Time,
    },
    /// The sender has it back: given up or expired.
    GivenBack {
        /// Which.
        send: SendId,
        /// Whose it was.
        from: WalletId,
        /// Whose it was to be.
        to: WalletId,
        /// How much.
        amount: Yen,
        /// What went back into the purse.
        pieces: Vec<Piece>,
        /// What of that paid back debts at once.
        to_debts: Vec<Piece>,
        /// The young money in it.
        young: Yen,
        /// The business date on which it had counted.
        day: Day,
        /// Given up or expired.
        status: Status,
        /// Who of the desk gave it up.
        by: Option<StaffId>,
        /// When.
        at: Time,
    },
    /// It counts towards what the verified sender may send, with whatever wallet.
    PersonCounted {
        /// Which.
        send: SendId,
        /// Who.
        person: PersonId,
        /// On which business date.
        day: Day,
        /// How much.
        amount: Yen,
    },
    /// It counts no more: the sender has it back.
    PersonFreed {
        /// Which.
        send: SendId,
        /// Who.
        person: PersonId,
        /// The business date on which it had counted.
        day: Day,
        /// How much.
        amount: Yen,
    },
}

/// What left a wallet for another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Which send.
    pub send: SendId,
    /// From whom.
    pub from: WalletId,
    /// To whom.
    pub to: WalletId,
    /// When it was accepted.
    pub at: Time,
    /// The sender's lots that it is made of.
    pub lots: Vec<Lot>,
    /// The young money in it.
    pub young: Yen,
    /// Where it came from, if that is news.
    pub origin: Option<Origin>,
    /// What the sender writes.
    pub message: Option<Sealed>,
}

const fn leg(from: WalletId, to: WalletId, amount: Yen, step: Step) -> Leg {
    Leg { debit: chart::purse(from, Purse::Funds), credit: chart::purse(to, Purse::Funds), amount, step }
}

/// What arrives is one lot, as old as its arrival.
const fn arrived(send: SendId, from: WalletId, amount: Yen, at: Time) -> Piece {
    Piece { purse: Purse::Funds, lot: Lot { id: send.0, source: Source::Send(from), received: at, amount } }
}

fn counts(wallet: WalletId, day: Day, amount: Yen, young: Yen, each: &mut impl FnMut(Counted)) {
    let whose = Whose::Wallet(wallet);
    each(Counted { whose, counter: Counter::Send, day, amount });
    if !young.is_zero() {
        each(Counted { whose, counter: Counter::Young, day, amount: young });
        each(Counted { whose, counter: Counter::YoungSend, day, amount: young });
    }
}

const fn of_person(person: PersonId, day: Day, amount: Yen) -> Counted {
    Counted { whose: Whose::Person(person), counter: Counter::Send, day, amount }
}

impl Event {
    /// What this does to balances, lots and limits.
    pub(crate) fn effects(&self, each: &mut impl FnMut(Effect)) {
        match self {
            Self::Completed(sent) => {
                sent.effects(Step::Single, each);
                each(Effect::Give(sent.to, arrived(sent.send, sent.from, sent.amount(), sent.at)));
            }
            Self::Held { sent, .. } => sent.effects(Step::Hold, each),
            Self::Released { send, from, to, amount, at, .. } => {
                each(Effect::Leg(leg(*from, *to, *amount, Step::Post { held: *amount })));
                each(Effect::Give(*to, arrived(*send, *from, *amount, *at)));
            }
            Self::GivenBack { from, to, amount, pieces, to_debts, young, day, .. } => {
                each(Effect::Leg(leg(*from, *to, *amount, Step::Release)));
                for piece in pieces {
                    each(Effect::Give(*from, *piece));
                }
                repay(*from, to_debts, each);
                counts(*from, *day, *amount, *young, &mut |counted| each(Effect::Uncount(counted)));
            }
            Self::PersonCounted { person, day, amount, .. } => each(Effect::Count(of_person(*person, *day, *amount))),
            Self::PersonFreed { person, day, amount, .. } => each(Effect::Uncount(of_person(*person, *day, *amount))),
        }
    }

    const fn send(&self) -> SendId {
        match self {
            Self::Completed(sent) | Self::Held { sent, .. } => sent.send,
            Self::Released { send, .. } | Self::GivenBack { send, .. } => *send,
            Self::PersonCounted { send, .. } | Self::PersonFreed { send, .. } => *send,
        }
    }

    /// The wallet that this brings something back to.
    pub(crate) const fn back_to(&self) -> Option<WalletId> {
        match self {
            Self::GivenBack { from, .. } => Some(*from),
            Self::Completed(_) | Self::Held { .. } | Self::Released { .. } => None,
            Self::PersonCounted { .. } | Self::PersonFreed { .. } => None,
        }
    }

    /// The send.
    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        each(send_key(self.send()));
    }

    /// What this changes in the wallet `id` beside its effects.
    pub(crate) fn evolve_wallet(&self, id: WalletId, wallet: &mut Wallet) {
        match self {
            Self::Completed(sent) | Self::Held { sent, .. } => {
                if let Some(origin) = sent.origin.filter(|_| sent.from == id) {
                    wallet.traits_mut().used_from(origin);
                }
            }
            Self::Released { .. } | Self::GivenBack { .. } => {}
            Self::PersonCounted { .. } | Self::PersonFreed { .. } => {}
        }
    }

    pub(crate) fn evolve(&self, row: &mut Option<Row>) {
        match (self, row) {
            (Self::Completed(sent), row @ None) => *row = Some(Row::Send(sent.row(Status::Completed, None))),
            (Self::Held { sent, review }, row @ None) => *row = Some(Row::Send(sent.row(Status::Held, Some(*review)))),
            (Self::Released { .. }, Some(Row::Send(send))) => send.ends(Status::Completed),
            (Self::GivenBack { status, .. }, Some(Row::Send(send))) => send.ends(*status),
            (Self::PersonCounted { person, .. }, Some(Row::Send(send))) => send.person = Some(*person),
            (Self::PersonFreed { .. }, Some(Row::Send(_))) => {}
            (
                Self::Completed(_)
                | Self::Held { .. }
                | Self::Released { .. }
                | Self::GivenBack { .. }
                | Self::PersonCounted { .. }
                | Self::PersonFreed { .. },
                _,
            ) => wrong_row(send_key(self.send())),
        }
    }
}

impl Send {
    fn ends(&mut self, status: Status) {
        assert!(self.status == Status::Held, "only a held send can still end: {self:?}");
        self.status = status;
    }
}

impl Sent {
    pub(crate) fn amount(&self) -> Yen {
        Yen::checked_sum(self.lots.iter().map(|lot| lot.amount)).unwrap_or(Yen::MAX)
    }

    fn effects(&self, step: Step, each: &mut impl FnMut(Effect)) {
        let amount = self.amount();
        each(Effect::Leg(leg(self.from, self.to, amount, step)));
        for lot in &self.lots {
            each(Effect::Take(self.from, Piece { purse: Purse::Funds, lot: *lot }));
        }
        counts(self.from, self.at.day(), amount, self.young, &mut |counted| each(Effect::Count(counted)));
    }

    fn row(&self, status: Status, review: Option<Review>) -> Send {
        Send {
            from: self.from,
            to: self.to,
            status,
            amount: self.amount(),
            accepted: self.at,
            young: self.young,
            lots: self.lots.clone(),
            review,
            message: self.message.clone(),
            person: None,
        }
    }
}
