//! Shares: how much one operator has open at a bank, and for how many mandates one of its wallets waits.
//!
//! A bank's pages of open work have room for so much, whoever asks. One operator takes a part of it at most, so that another
//! finds room whatever the first one does, and one wallet asks for few mandates at a time.

use super::ids::{BankCode, OperatorId, Reference};
use super::refusal::{Noun, Refusal};
use super::state::{Rows, wrong_row};
use super::{Context, Event as Fact, Row, table};
use domain::{Id, Key};
use serde::{Deserialize, Serialize};

/// How much is open, of one operator at one bank, or of one wallet of an operator at all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Share {
    /// How many things.
    pub open: u32,
}

/// Whose share it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whose {
    /// Which operator.
    pub operator: OperatorId,
    /// At which bank.
    pub bank: BankCode,
    /// The wallet, where what is open is a mandate.
    pub wallet: Option<Reference>,
}

/// What happens to shares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// One more thing is open.
    Opened(Whose),
    /// One is not any more.
    Closed(Whose),
    /// One more notice is owed for a link of the operator.
    Owed(OperatorId, BankCode),
    /// One was sent.
    Told(OperatorId, BankCode),
}

/// Beside a bank's number: the share of notices, not that of movements and mandates.
const NOTICES: u64 = 1 << 32;

/// The key of the row that counts what notices `operator`'s links leave owed at `bank`.
pub(crate) fn owed_key(operator: OperatorId, bank: BankCode) -> Key {
    Key::new(table::SHARE, operator.told_id(NOTICES | u64::from(bank.number())))
}

/// Refuses where `operator`'s links leave as many notices owed at `bank` as they may.
pub(crate) fn check_owed(
    rows: Rows<'_>,
    operator: OperatorId,
    bank: BankCode,
    context: &Context,
) -> Result<(), Refusal> {
    let open = rows.share(owed_key(operator, bank)).map_or(0, |share| share.open);
    let (noun, max) = (Noun::Operator, context.policy.owed_of_operator_max);
    if open < max { Ok(()) } else { Err(Refusal::TooManyOpen { noun, open, max }) }
}

impl Whose {
    /// The keys of the rows that count it.
    pub fn keys(&self) -> impl Iterator<Item = Key> + use<> {
        let at_bank = Key::new(table::SHARE, self.operator.told_id(u64::from(self.bank.number())));
        let wallet = self.wallet.as_ref().map(|wallet| {
            let mut hasher = blake3::Hasher::new();
            hasher.update(&self.operator.id().0);
            hasher.update(wallet.as_str().as_bytes());
            let mut id = [0; 16];
            hasher.finalize_xof().fill(&mut id);
            Key::new(table::WALLET, Id(id))
        });
        [at_bank].into_iter().chain(wallet)
    }

    /// Refuses where the operator, or its wallet, has as much open as it may.
    pub(crate) fn check(&self, rows: Rows<'_>, context: &Context) -> Result<(), Refusal> {
        for key in self.keys() {
            let open = rows.share(key).map_or(0, |share| share.open);
            let (noun, max) = if key.table == table::SHARE {
                (Noun::Operator, context.policy.open_of_operator_max)
            } else {
                (Noun::Mandate, context.policy.mandates_of_wallet_max)
            };
            if open >= max {
                return Err(Refusal::TooManyOpen { noun, open, max });
            }
        }
        Ok(())
    }

    pub(crate) const fn opened(self) -> Fact {
        Fact::Share(Event::Opened(self))
    }

    pub(crate) const fn closed(self) -> Fact {
        Fact::Share(Event::Closed(self))
    }
}

impl Event {
    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        match self {
            Self::Opened(whose) | Self::Closed(whose) => whose.keys().for_each(each),
            Self::Owed(operator, bank) | Self::Told(operator, bank) => each(owed_key(*operator, *bank)),
        }
    }

    pub(crate) fn evolve(&self, key: Key, row: &mut Option<Row>) {
        let Row::Share(share) = row.get_or_insert_with(|| Row::Share(Share::default())) else { wrong_row(key) };
        share.open = match self {
            Self::Opened(_) | Self::Owed(..) => share.open.saturating_add(1),
            // What was opened before shares were counted is not in them.
            Self::Closed(_) | Self::Told(..) => share.open.saturating_sub(1),
        };
    }
}
