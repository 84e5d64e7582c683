//! Bonus (ポイント): what campaigns give to wallets. It can only be spent, and is spent first.

use crate::effect::Effect;
use crate::ids::{BonusId, CampaignId, WalletId};
use crate::purse::{Lot, Piece, Purse, Source};
use crate::refusal::{Noun, Refusal};
use crate::state::{Decided, Rows, wrong_row};
use crate::{Context, Receipt, Row, chart, table};
use domain::{Key, Moment, Time};
use ledger::{Leg, Step, Yen};
use serde::{Deserialize, Serialize};

/// One grant of bonus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bonus {
    /// To which wallet.
    pub wallet: WalletId,
    /// By which campaign.
    pub campaign: CampaignId,
    /// How much.
    pub amount: Yen,
    /// When.
    pub given: Time,
}

/// What is asked of bonus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Give some: the operator's.
    Give {
        /// The grant's id.
        bonus: BonusId,
        /// By which campaign.
        campaign: CampaignId,
        /// To which wallet.
        wallet: WalletId,
        /// How much.
        amount: Yen,
    },
}

/// What happened to bonus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Some was given.
    Given {
        /// The grant's id.
        bonus: BonusId,
        /// By which campaign.
        campaign: CampaignId,
        /// To which wallet.
        wallet: WalletId,
        /// How much.
        amount: Yen,
        /// When.
        at: Time,
    },
}

impl Command {
    pub(crate) const fn subject(&self) -> (&'static str, Option<WalletId>, Yen) {
        let Self::Give { wallet, amount, .. } = self;
        ("bonus.give", Some(*wallet), *amount)
    }
}

const fn bonus_key(id: BonusId) -> Key {
    Key::new(table::BONUS, id.0)
}

pub(crate) fn keys(command: &Command, keys: &mut Vec<Key>) {
    let Command::Give { bonus, wallet, .. } = command;
    keys.extend([bonus_key(*bonus), Key::new(table::WALLET, wallet.0), chart::key(chart::campaign_expense())]);
}

/// Refusals in order: amount, unknown, id taken, closed, frozen, too much for the wallet, too many lots.
pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment, context: &Context) -> Decided {
    let Command::Give { bonus, campaign, wallet: id, amount } = *command;
    if amount.is_zero() {
        return Err(Refusal::AmountZero);
    }
    let wallet = rows.wallet(id).ok_or(Refusal::Unknown { noun: Noun::Wallet })?;
    if rows.bonus(bonus).is_some() {
        return Err(Refusal::Taken { noun: Noun::Bonus, id: bonus.0 });
    }
    let policy = context.policies.on(moment.now.day());
    wallet.check_inflow(Purse::Bonus, amount, &policy.balance)?;
    let event = Event::Given { bonus, campaign, wallet: id, amount, at: moment.now };
    Ok((vec![crate::Event::Bonus(event)], Receipt::Bonus { id: bonus, amount }))
}

impl Event {
    /// What this does to balances and lots.
    pub(crate) fn effects(&self, each: &mut impl FnMut(Effect)) {
        let Self::Given { bonus, campaign, wallet, amount, at } = *self;
        let (debit, credit) = (chart::campaign_expense(), chart::purse(wallet, Purse::Bonus));
        each(Effect::Leg(Leg { debit, credit, amount, step: Step::Single }));
        let lot = Lot { id: bonus.0, source: Source::Campaign(campaign), received: at, amount };
        each(Effect::Give(wallet, Piece { purse: Purse::Bonus, lot }));
    }

    /// The grant.
    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        let Self::Given { bonus, .. } = self;
        each(bonus_key(*bonus));
    }

    pub(crate) fn evolve(&self, row: &mut Option<Row>) {
        let Self::Given { bonus, campaign, wallet, amount, at } = *self;
        if row.is_some() {
            wrong_row(bonus_key(bonus));
        }
        *row = Some(Row::Bonus(Bonus { wallet, campaign, amount, given: at }));
    }
}
