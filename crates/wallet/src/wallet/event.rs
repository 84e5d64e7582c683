//! What happens to a wallet itself, and what each event does to balances, lots and debts.

use super::{Asker, Debt, Link, Waiting, Wallet, WriteOff};
use crate::effect::Effect;
use crate::ids::{BankAccountId, HolderId, MandateId, PayoutId, PersonId, StaffId, WalletId};
use crate::purse::{Piece, Purse};
use crate::state::wrong_row;
use crate::traits::{Tier, Traits};
use crate::{Row, chart, table};
use domain::{Key, Time};
use ledger::{AccountId, Leg, Step, Yen};
use serde::{Deserialize, Serialize};

/// What happened to a wallet itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// It was opened.
    Opened {
        /// Which.
        wallet: WalletId,
        /// Whose.
        holder: HolderId,
        /// Who the holder is, if identified before.
        person: Option<PersonId>,
        /// How far the holder's identity is proven.
        tier: Tier,
        /// Where it came from.
        traits: Traits,
    },
    /// No money leaves.
    Frozen {
        /// Which.
        wallet: WalletId,
        /// By whom.
        by: Asker,
        /// When.
        at: Time,
    },
    /// A freeze was lifted.
    Unfrozen {
        /// Which.
        wallet: WalletId,
        /// Whose freeze.
        by: Asker,
        /// When.
        at: Time,
    },
    /// Closed for good.
    Closed {
        /// Which.
        wallet: WalletId,
        /// Whose.
        holder: HolderId,
        /// Who the holder is, if identified.
        person: Option<PersonId>,
        /// When.
        at: Time,
    },
    /// What lay in `funds` paid what was owed.
    Collected {
        /// Whose.
        wallet: WalletId,
        /// Who asked.
        by: Asker,
        /// What paid.
        pieces: Vec<Piece>,
        /// What of each debt was paid.
        debts: Vec<Debt>,
        /// When.
        at: Time,
    },
    /// A mandate of its holder's took a bank account's slot.
    Linked {
        /// Which wallet.
        wallet: WalletId,
        /// By which mandate.
        mandate: MandateId,
        /// Which account.
        bank_account: BankAccountId,
        /// When.
        at: Time,
    },
    /// Bonus that was left in a wallet lapsed when it was closed.
    BonusLapsed {
        /// Whose.
        wallet: WalletId,
        /// What.
        pieces: Vec<Piece>,
        /// When.
        at: Time,
    },
    /// One person of the desk said that what is owed will never come.
    WriteOffProposed {
        /// Whose.
        wallet: WalletId,
        /// All that is owed.
        amount: Yen,
        /// Who.
        by: StaffId,
        /// When.
        at: Time,
    },
    /// Another one agreed: nothing is owed any more.
    WrittenOff {
        /// Whose.
        wallet: WalletId,
        /// What.
        debts: Vec<Debt>,
        /// Who agreed.
        by: StaffId,
        /// When.
        at: Time,
    },
    /// Something came back of lots that had been written off: it is the operator's.
    Recovered {
        /// Whose.
        wallet: WalletId,
        /// What came back into the purses.
        pieces: Vec<Piece>,
        /// What came back into suspense.
        waiting: Vec<Waiting>,
        /// When.
        at: Time,
    },
    /// All there is is on its way out: the wallet is closed once that is paid.
    ClosingBegan {
        /// Which.
        wallet: WalletId,
        /// By which payout.
        payout: PayoutId,
        /// When.
        at: Time,
    },
    /// That payout is over, and the wallet stays open: something came in meanwhile, or is owed, or it was frozen.
    ClosingEnded {
        /// Which.
        wallet: WalletId,
        /// Which payout it was.
        payout: PayoutId,
        /// When.
        at: Time,
    },
}

/// Takes `pieces` out of the purses of `wallet`, to `credit`.
fn leave(wallet: WalletId, pieces: &[Piece], credit: AccountId, each: &mut impl FnMut(Effect)) {
    for piece in pieces {
        let debit = chart::purse(wallet, piece.purse);
        each(Effect::Take(wallet, *piece));
        each(Effect::Leg(Leg { debit, credit, amount: piece.lot.amount, step: Step::Single }));
    }
}

impl Event {
    /// What this does to balances and lots.
    pub(crate) fn effects(&self, each: &mut impl FnMut(Effect)) {
        match self {
            Self::Collected { wallet, pieces, debts, .. } => {
                leave(*wallet, pieces, chart::receivable(*wallet), each);
                for debt in debts {
                    each(Effect::Repay(*wallet, *debt));
                }
            }
            Self::BonusLapsed { wallet, pieces, .. } => leave(*wallet, pieces, chart::bonus_lapsed(), each),
            Self::WrittenOff { wallet, debts, .. } => {
                for debt in debts {
                    let (debit, credit) = (chart::written_off(), chart::receivable(*wallet));
                    each(Effect::Leg(Leg { debit, credit, amount: debt.amount, step: Step::Single }));
                    each(Effect::Repay(*wallet, *debt));
                }
            }
            Self::Recovered { wallet, pieces, waiting, .. } => {
                leave(*wallet, pieces, chart::written_off(), each);
                for Waiting { bank, of } in waiting {
                    let (debit, credit) = (chart::suspense(*bank), chart::written_off());
                    each(Effect::Leg(Leg { debit, credit, amount: of.amount, step: Step::Single }));
                }
            }
            Self::Opened { .. } | Self::Frozen { .. } | Self::Unfrozen { .. } | Self::Closed { .. } => {}
            Self::Linked { .. } | Self::WriteOffProposed { .. } => {}
            Self::ClosingBegan { .. } | Self::ClosingEnded { .. } => {}
        }
    }

    const fn wallet(&self) -> WalletId {
        match self {
            Self::Opened { wallet, .. }
            | Self::Frozen { wallet, .. }
            | Self::Unfrozen { wallet, .. }
            | Self::Closed { wallet, .. }
            | Self::Collected { wallet, .. }
            | Self::Linked { wallet, .. }
            | Self::BonusLapsed { wallet, .. }
            | Self::WriteOffProposed { wallet, .. }
            | Self::WrittenOff { wallet, .. }
            | Self::Recovered { wallet, .. }
            | Self::ClosingBegan { wallet, .. }
            | Self::ClosingEnded { wallet, .. } => *wallet,
        }
    }

    /// The wallet that this is about, and its holder and person where those rows change too.
    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        match self {
            Self::Opened { wallet, holder, person, .. } | Self::Closed { wallet, holder, person, .. } => {
                each(Key::new(table::WALLET, wallet.0));
                each(Key::new(table::HOLDER, holder.0));
                if let Some(person) = person {
                    each(Key::new(table::PERSON, person.0));
                }
            }
            Self::Frozen { .. } | Self::Unfrozen { .. } | Self::Collected { .. } | Self::Linked { .. } => {
                each(Key::new(table::WALLET, self.wallet().0));
            }
            Self::BonusLapsed { .. }
            | Self::WriteOffProposed { .. }
            | Self::WrittenOff { .. }
            | Self::Recovered { .. } => {
                each(Key::new(table::WALLET, self.wallet().0));
            }
            Self::ClosingBegan { .. } | Self::ClosingEnded { .. } => each(Key::new(table::WALLET, self.wallet().0)),
        }
    }

    pub(crate) fn evolve_wallet(&self, row: &mut Option<Row>) {
        match (self, row) {
            (Self::Opened { holder, person, tier, traits, .. }, row @ None) => {
                *row = Some(Row::Wallet(Box::new(Wallet::new(*holder, *person, *tier, traits.clone()))));
            }
            (Self::Frozen { by, .. }, Some(Row::Wallet(wallet))) => {
                wallet.frozen_by.push(by.kind());
                wallet.frozen_by.sort_unstable();
            }
            (Self::Unfrozen { by, .. }, Some(Row::Wallet(wallet))) => {
                wallet.frozen_by.retain(|frozen_by| *frozen_by != by.kind());
            }
            (Self::Collected { .. }, Some(Row::Wallet(_))) => {}
            (Self::BonusLapsed { pieces, .. }, Some(Row::Wallet(wallet))) => {
                let lapsed = Yen::checked_sum(pieces.iter().map(|piece| piece.lot.amount)).unwrap_or(Yen::MAX);
                let ties = wallet.ties_mut();
                ties.lapsed = ties.lapsed.checked_add(lapsed).unwrap_or(Yen::MAX);
            }
            (Self::Linked { mandate, bank_account, .. }, Some(Row::Wallet(wallet))) => {
                let link = Link { bank_account: *bank_account, mandate: *mandate };
                let links = &mut wallet.ties_mut().links;
                links.retain(|other| other.bank_account != link.bank_account);
                links.push(link);
            }
            (Self::WriteOffProposed { amount, by, .. }, Some(Row::Wallet(wallet))) => {
                wallet.ties_mut().write_off = Some(WriteOff { amount: *amount, by: *by });
            }
            (Self::WrittenOff { debts, .. }, Some(Row::Wallet(wallet))) => {
                wallet.ties_mut().write_off = None;
                wallet.write_off(debts);
            }
            (Self::Recovered { pieces, waiting, .. }, Some(Row::Wallet(wallet))) => {
                let back = pieces.iter().map(|piece| (piece.lot.id, piece.lot.amount));
                for (lot, amount) in back.chain(waiting.iter().map(|waiting| (waiting.of.lot, waiting.of.amount))) {
                    wallet.recover(lot, amount);
                }
                for waiting in waiting {
                    wallet.recover_waiting(waiting);
                }
            }
            (Self::ClosingBegan { payout, .. }, Some(Row::Wallet(wallet))) => wallet.ties_mut().closing = Some(*payout),
            (Self::ClosingEnded { payout, .. }, Some(Row::Wallet(wallet))) => wallet.reopen(*payout),
            (Self::Closed { .. }, Some(Row::Wallet(wallet))) => {
                wallet.closed = true;
                for purse in Purse::ALL {
                    wallet.purse_mut(purse).account.closed = true;
                }
            }
            (
                Self::Opened { .. }
                | Self::Frozen { .. }
                | Self::Unfrozen { .. }
                | Self::Closed { .. }
                | Self::Collected { .. }
                | Self::Linked { .. }
                | Self::BonusLapsed { .. }
                | Self::WriteOffProposed { .. }
                | Self::WrittenOff { .. }
                | Self::Recovered { .. }
                | Self::ClosingBegan { .. }
                | Self::ClosingEnded { .. },
                _,
            ) => wrong_row(Key::new(table::WALLET, self.wallet().0)),
        }
    }

    /// The person of a wallet that was opened has it; of one that was closed, no more.
    pub(crate) fn evolve_person(&self, key: Key, row: &mut Option<Row>) {
        let Some(Row::Person(row)) = row else { wrong_row(key) };
        match self {
            Self::Opened { wallet, .. } => row.wallet = Some(*wallet),
            Self::Closed { .. } => row.wallet = None,
            Self::Frozen { .. } | Self::Unfrozen { .. } | Self::Collected { .. } | Self::Linked { .. } => {
                wrong_row(key)
            }
            Self::BonusLapsed { .. }
            | Self::WriteOffProposed { .. }
            | Self::WrittenOff { .. }
            | Self::Recovered { .. } => wrong_row(key),
            Self::ClosingBegan { .. } | Self::ClosingEnded { .. } => wrong_row(key),
        }
    }

    /// The holder of a wallet that was opened has it; of one that was closed, no more.
    pub(crate) fn evolve_holder(&self, row: &mut Option<Row>) {
        match (self, row) {
            (Self::Opened { wallet, .. }, Some(Row::Holder(holder))) => holder.wallet = Some(*wallet),
            (Self::Closed { .. }, Some(Row::Holder(holder))) => holder.wallet = None,
            (
                Self::Opened { .. }
                | Self::Frozen { .. }
                | Self::Unfrozen { .. }
                | Self::Closed { .. }
                | Self::Collected { .. }
                | Self::Linked { .. }
                | Self::BonusLapsed { .. }
                | Self::WriteOffProposed { .. }
                | Self::WrittenOff { .. }
                | Self::Recovered { .. }
                | Self::ClosingBegan { .. }
                | Self::ClosingEnded { .. },
                _,
            ) => wrong_row(Key::new(table::HOLDER, self.wallet().0)),
        }
    }
}
