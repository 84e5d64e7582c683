//! The wallet: its purses, its limits' sums, who froze it, and what its holder owes.
//!
//! Opening, freezing and closing live here; every movement lives in the room of its noun and reaches a wallet through
//! [`Effect`]s alone.

mod collect;

use crate::effect::{Counters, Effect, Whose};
use crate::holder::check_mail_verified;
use crate::ids::{HolderId, PersonId, StaffId, WalletId};
use crate::policy::BalancePolicy;
use crate::purse::{Balance, PURSE_LOTS_MAX, Piece, Purse};
use crate::refusal::{FrozenBy, Limit, Noun, Refusal};
use crate::state::{Decided, Rows, wrong_row};
use crate::switches::Function;
use crate::traits::{Origin, Tier, Traits};
use crate::{Receipt, Row, chart, switches, table};
use domain::{Id, Key, Moment, Time};
use ledger::{Leg, Step, Yen};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What holds purses of e-money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wallet {
    /// Whose it is.
    pub holder: HolderId,
    /// Who the holder is, once identified.
    pub person: Option<PersonId>,
    /// How far the holder's identity is proven.
    pub tier: Tier,
    /// Points.
    pub bonus: Balance,
    /// E-money that can only be spent.
    pub prepaid: Balance,
    /// E-money that can be sent and paid out.
    pub funds: Balance,
    /// Sums for limits.
    pub counters: Counters,
    /// Who froze it; each must lift their own freeze.
    pub frozen_by: Vec<FrozenBy>,
    /// What its holder owes after a bank took money back that was spent. While there is any, no money leaves.
    pub debts: Vec<Debt>,
    /// Closed for good.
    pub closed: bool,
    /// Where it came from.
    pub traits: Arc<Traits>,
}

/// What is owed of one lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debt {
    /// The lot that the bank took back.
    pub lot: Id,
    /// What is still owed of it.
    pub amount: Yen,
}

impl Wallet {
    /// An empty wallet.
    pub(crate) fn new(holder: HolderId, person: Option<PersonId>, tier: Tier, traits: Traits) -> Self {
        Self {
            holder,
            person,
            tier,
            bonus: Balance::default(),
            prepaid: Balance::default(),
            funds: Balance::default(),
            counters: Counters::default(),
            frozen_by: Vec::new(),
            debts: Vec::new(),
            closed: false,
            traits: Arc::new(traits),
        }
    }

    /// The balance of `purse`.
    pub const fn purse(&self, purse: Purse) -> &Balance {
        match purse {
            Purse::Bonus => &self.bonus,
            Purse::Prepaid => &self.prepaid,
            Purse::Funds => &self.funds,
        }
    }

    pub(crate) const fn purse_mut(&mut self, purse: Purse) -> &mut Balance {
        match purse {
            Purse::Bonus => &mut self.bonus,
            Purse::Prepaid => &mut self.prepaid,
            Purse::Funds => &mut self.funds,
        }
    }

    /// Every lot of `purses`, in their order and the oldest first within each.
    pub(crate) fn pieces(&self, purses: &[Purse]) -> Vec<Piece> {
        let lots = |purse: &Purse| self.purse(*purse).lots.iter().map(|lot| (*purse, *lot)).collect::<Vec<_>>();
        purses.iter().flat_map(lots).map(|(purse, lot)| Piece { purse, lot }).collect()
    }

    /// The traits, to change them. They are shared between a wallet's versions, because hardly any event changes them.
    pub(crate) fn traits_mut(&mut self) -> &mut Traits {
        Arc::make_mut(&mut self.traits)
    }

    /// What is available in all purses together.
    pub fn available(&self) -> Yen {
        Yen::checked_sum(Purse::ALL.map(|purse| self.purse(purse).account.available())).unwrap_or(Yen::MAX)
    }

    /// What holds take out of the purses at this moment.
    pub fn held(&self) -> Yen {
        Yen::checked_sum(Purse::ALL.map(|purse| self.purse(purse).account.debits_pending)).unwrap_or(Yen::MAX)
    }

    /// What is on its way into the purses.
    pub fn arriving(&self) -> Yen {
        Yen::checked_sum(Purse::ALL.map(|purse| self.purse(purse).account.credits_pending)).unwrap_or(Yen::MAX)
    }

    /// The wallet's status as one word.
    pub const fn status(&self) -> &'static str {
        match (self.closed, self.frozen_by.is_empty()) {
            (true, _) => "closed",
            (false, false) => "frozen",
            (false, true) => "open",
        }
    }

    /// Refuses if the wallet is closed.
    pub(crate) fn check_open(&self) -> Result<(), Refusal> {
        if self.closed {
            return Err(Refusal::WrongStatus { noun: Noun::Wallet, status: "closed".into() });
        }
        Ok(())
    }

    /// Refuses if money must not leave: closed, frozen, or its holder owes.
    pub(crate) fn check_outflow(&self) -> Result<(), Refusal> {
        self.check_open()?;
        match self.frozen_by.first() {
            Some(by) => Err(Refusal::Frozen { by: *by }),
            None if !self.debts.is_empty() => Err(Refusal::Frozen { by: FrozenBy::Debt }),
            None => Ok(()),
        }
    }

    /// Refuses if the holder's identity is not proven as far as `needed`.
    pub(crate) fn check_tier(&self, needed: Tier) -> Result<(), Refusal> {
        if self.tier < needed {
            return Err(Refusal::TierTooLow { tier: self.tier, needed });
        }
        Ok(())
    }

    /// Refuses if `amount` more would be more than the wallet may hold, what holds take out and bring in counted.
    pub(crate) fn check_room(&self, amount: Yen, balance_max: Yen) -> Result<(), Refusal> {
        let occupied = Yen::checked_sum([self.available(), self.held(), self.arriving()]).unwrap_or(Yen::MAX);
        check_limit(Limit::Balance, balance_max, occupied, amount)
    }

    /// Refuses if `amount` must not come into `purse` as a new lot: closed, frozen, no room.
    pub(crate) fn check_inflow(&self, purse: Purse, amount: Yen, policy: &BalancePolicy) -> Result<(), Refusal> {
        self.check_outflow()?;
        self.check_room(amount, policy.max(self.tier))?;
        let lots = self.purse(purse).lots.len();
        if lots >= PURSE_LOTS_MAX {
            let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
            return Err(Refusal::LimitExceeded {
                limit: Limit::Lots,
                at_most: count(PURSE_LOTS_MAX),
                left: 0,
                requested: 1,
                from: None,
            });
        }
        Ok(())
    }

    pub(crate) fn apply(&mut self, id: WalletId, effect: &Effect) {
        match effect {
            Effect::Leg(leg) => self.apply_leg(id, leg),
            Effect::Take(wallet, piece) if *wallet == id => self.purse_mut(piece.purse).take(&piece.lot),
            Effect::Give(wallet, piece) if *wallet == id => self.purse_mut(piece.purse).give(&piece.lot),
            Effect::Owe(wallet, debt) if *wallet == id => self.debts.push(*debt),
            Effect::Repay(wallet, debt) if *wallet == id => self.repay(debt),
            Effect::Count(counted) | Effect::Uncount(counted) | Effect::Lessen(counted)
                if counted.whose == Whose::Wallet(id) =>
            {
                self.counters.apply(effect);
            }
            Effect::Take(..) | Effect::Give(..) | Effect::Owe(..) | Effect::Repay(..) => {}
            Effect::Count(_) | Effect::Uncount(_) | Effect::Lessen(_) => {}
        }
    }

    fn apply_leg(&mut self, id: WalletId, leg: &Leg) {
        for purse in Purse::ALL {
            let account = chart::purse(id, purse);
            if leg.debit == account || leg.credit == account {
                self.purse_mut(purse).account.apply(account, leg);
            }
        }
    }

    fn repay(&mut self, paid: &Debt) {
        let debt = self.debts.iter_mut().find(|debt| debt.lot == paid.lot);
        let left = debt.as_ref().and_then(|debt| debt.amount.checked_sub(paid.amount));
        let (Some(debt), Some(left)) = (debt, left) else {
            wrong_row(Key::new(table::WALLET, paid.lot));
        };
        debt.amount = left;
        self.debts.retain(|debt| !debt.amount.is_zero());
    }

    pub(crate) fn assert_purses(&self) {
        for purse in Purse::ALL {
            self.purse(purse).assert_lots();
        }
    }
}

/// What of `pieces`, when they come back to `wallet`, pays debts first: the parts of lots that a bank took back meanwhile.
pub(crate) fn owed(wallet: &Wallet, pieces: &[Piece]) -> Vec<Piece> {
    let owed_of = |piece: &Piece| wallet.debts.iter().find(|debt| debt.lot == piece.lot.id).map(|debt| debt.amount);
    pieces.iter().filter_map(|piece| owed_of(piece).map(|owed| piece.of(owed.min(piece.lot.amount)))).collect()
}

/// Refuses if `requested` on top of `used` is more than `at_most`.
pub(crate) fn check_limit(limit: Limit, at_most: Yen, used: Yen, requested: Yen) -> Result<(), Refusal> {
    let left = at_most.saturating_sub(used);
    if requested > left {
        return Err(Refusal::LimitExceeded {
            limit,
            at_most: at_most.amount(),
            left: left.amount(),
            requested: requested.amount(),
            from: None,
        });
    }
    Ok(())
}

/// Who asks something of a wallet itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Asker {
    /// The wallet's holder.
    Holder(HolderId),
    /// Somebody of the operator's desk.
    Desk(StaffId),
}

impl Asker {
    /// Whose freeze it is that they ask for: one of the desk's may be lifted by another one of the desk.
    pub const fn kind(self) -> FrozenBy {
        match self {
            Self::Holder(_) => FrozenBy::Holder,
            Self::Desk(_) => FrozenBy::Desk,
        }
    }
}

/// What is asked of a wallet itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Open one.
    Open {
        /// Its id.
        wallet: WalletId,
        /// Whose.
        holder: HolderId,
        /// Where from.
        origin: Option<Origin>,
    },
    /// Let no money leave.
    Freeze {
        /// Which.
        wallet: WalletId,
        /// Who asks.
        by: Asker,
    },
    /// Lift one's own freeze.
    Unfreeze {
        /// Which.
        wallet: WalletId,
        /// Who asks.
        by: Asker,
    },
    /// Let what lies in `funds` pay what is owed.
    Collect {
        /// Whose.
        wallet: WalletId,
        /// Who asks.
        by: Asker,
    },
    /// Close an empty wallet for good.
    Close {
        /// Which.
        wallet: WalletId,
        /// Its holder.
        holder: HolderId,
    },
}

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
}

impl Command {
    pub(crate) const fn subject(&self) -> (&'static str, Option<WalletId>, Yen) {
        match self {
            Self::Open { .. } => ("wallet.open", None, Yen::ZERO),
            Self::Freeze { wallet, .. } => ("wallet.freeze", Some(*wallet), Yen::ZERO),
            Self::Unfreeze { wallet, .. } => ("wallet.unfreeze", Some(*wallet), Yen::ZERO),
            Self::Collect { wallet, .. } => ("wallet.collect", Some(*wallet), Yen::ZERO),
            Self::Close { wallet, .. } => ("wallet.close", Some(*wallet), Yen::ZERO),
        }
    }
}

pub(crate) fn keys(command: &Command, keys: &mut Vec<Key>) {
    match command {
        Command::Open { wallet, holder, .. } => {
            keys.extend([Key::new(table::WALLET, wallet.0), Key::new(table::HOLDER, holder.0), switches::KEY]);
        }
        Command::Close { wallet, holder } => {
            keys.extend([Key::new(table::WALLET, wallet.0), Key::new(table::HOLDER, holder.0)]);
        }
        Command::Collect { wallet, .. } => {
            keys.extend([Key::new(table::WALLET, wallet.0), chart::key(chart::receivable(*wallet))]);
        }
        Command::Freeze { wallet, .. } | Command::Unfreeze { wallet, .. } => {
            keys.push(Key::new(table::WALLET, wallet.0));
        }
    }
}

pub(crate) fn keys_further(command: &Command, rows: Rows<'_>, keys: &mut Vec<Key>) {
    let person = match command {
        Command::Open { holder, .. } => rows.holder(*holder).and_then(|holder| holder.person),
        Command::Close { wallet, .. } => rows.wallet(*wallet).and_then(|wallet| wallet.person),
        Command::Freeze { .. } | Command::Unfreeze { .. } | Command::Collect { .. } => None,
    };
    keys.extend(person.map(|person| Key::new(table::PERSON, person.0)));
}

pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment) -> Decided {
    match command {
        Command::Open { wallet, holder, origin } => open(rows, *wallet, *holder, *origin, moment),
        Command::Freeze { wallet, by } => freeze(rows, *wallet, *by, moment),
        Command::Unfreeze { wallet, by } => unfreeze(rows, *wallet, *by, moment),
        Command::Collect { wallet, by } => collect::collect(rows, *wallet, *by, moment),
        Command::Close { wallet, holder } => close(rows, *wallet, *holder, moment),
    }
}

/// Refusals in order: unknown, id taken, stopped, mail address not verified, the holder or the person has an open wallet.
fn open(rows: Rows<'_>, wallet: WalletId, holder: HolderId, origin: Option<Origin>, moment: Moment) -> Decided {
    let owner = rows.holder(holder).ok_or(Refusal::Unknown { noun: Noun::Holder })?;
    if rows.wallet(wallet).is_some() {
        return Err(Refusal::IdTaken { noun: Noun::Wallet });
    }
    let traits = Traits {
        opened: moment.now,
        mail_domain: owner.mail_domain,
        phone_verified: owner.phone_verified,
        identified: owner.identified,
        first: origin,
        last: origin,
    };
    if let Some(switches) = rows.switches() {
        switches.check(Function::Open, None, owner.tier, &traits)?;
    }
    check_mail_verified(owner)?;
    if owner.wallet.is_some() {
        return Err(Refusal::WrongStatus { noun: Noun::Holder, status: "has a wallet".into() });
    }
    if let Some(person) = owner.person.and_then(|person| rows.person(person)) {
        person.check_wallet(None)?;
    }
    let event = Event::Opened { wallet, holder, person: owner.person, tier: owner.tier, traits };
    Ok((vec![crate::Event::Wallet(event)], Receipt::Wallet { id: wallet, status: "open".into() }))
}

/// The wallet, if whoever asks may know of it: the desk any, a holder their own.
fn asked_of(rows: Rows<'_>, id: WalletId, by: Asker) -> Result<&Wallet, Refusal> {
    match by {
        Asker::Holder(holder) => rows.wallet_of(id, holder),
        Asker::Desk(_) => rows.wallet(id).ok_or(Refusal::Unknown { noun: Noun::Wallet }),
    }
}

/// Refusals in order: unknown or another's, closed.
fn freeze(rows: Rows<'_>, id: WalletId, by: Asker, moment: Moment) -> Decided {
    let wallet = asked_of(rows, id, by)?;
    wallet.check_open()?;
    let events = if wallet.frozen_by.contains(&by.kind()) {
        Vec::new()
    } else {
        vec![crate::Event::Wallet(Event::Frozen { wallet: id, by, at: moment.now })]
    };
    Ok((events, Receipt::Wallet { id, status: "frozen".into() }))
}

/// Refusals in order: unknown or another's, closed, not frozen by the like of them.
fn unfreeze(rows: Rows<'_>, id: WalletId, by: Asker, moment: Moment) -> Decided {
    let wallet = asked_of(rows, id, by)?;
    wallet.check_open()?;
    if !wallet.frozen_by.contains(&by.kind()) {
        return Err(Refusal::WrongStatus { noun: Noun::Wallet, status: wallet.status().into() });
    }
    let status = if wallet.frozen_by.len() > 1 { "frozen" } else { "open" };
    let event = Event::Unfrozen { wallet: id, by, at: moment.now };
    Ok((vec![crate::Event::Wallet(event)], Receipt::Wallet { id, status: status.into() }))
}

/// Refusals in order: unknown or another's, closed, frozen, not settled, money left today: the sums of a day are the wallet's,
/// and would begin anew with the next one.
fn close(rows: Rows<'_>, id: WalletId, holder: HolderId, moment: Moment) -> Decided {
    let wallet = rows.wallet_of(id, holder)?;
    wallet.check_outflow()?;
    let pending = wallet.held().checked_add(wallet.arriving()).unwrap_or(Yen::MAX);
    if !wallet.available().is_zero() || !pending.is_zero() {
        return Err(Refusal::NotSettled { available: wallet.available(), pending });
    }
    let today = moment.now.day();
    let left_today = wallet.counters.left_on(today);
    if !left_today.is_zero() {
        return Err(Refusal::LimitExceeded {
            limit: Limit::PerDay,
            at_most: 0,
            left: 0,
            requested: left_today.amount(),
            from: Some(today.plus(1)),
        });
    }
    let event = Event::Closed { wallet: id, holder, person: wallet.person, at: moment.now };
    Ok((vec![crate::Event::Wallet(event)], Receipt::Wallet { id, status: "closed".into() }))
}

impl Event {
    /// What this does to balances and lots.
    pub(crate) fn effects(&self, each: &mut impl FnMut(Effect)) {
        let Self::Collected { wallet, pieces, debts, .. } = self else { return };
        for piece in pieces {
            let (debit, credit) = (chart::purse(*wallet, piece.purse), chart::receivable(*wallet));
            each(Effect::Take(*wallet, *piece));
            each(Effect::Leg(Leg { debit, credit, amount: piece.lot.amount, step: Step::Single }));
        }
        for debt in debts {
            each(Effect::Repay(*wallet, *debt));
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
            Self::Frozen { wallet, .. } | Self::Unfrozen { wallet, .. } | Self::Collected { wallet, .. } => {
                each(Key::new(table::WALLET, wallet.0));
            }
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
            (Self::Closed { .. }, Some(Row::Wallet(wallet))) => {
                wallet.closed = true;
                for purse in Purse::ALL {
                    wallet.purse_mut(purse).account.closed = true;
                }
            }
            (
                Self::Opened { wallet, .. }
                | Self::Frozen { wallet, .. }
                | Self::Unfrozen { wallet, .. }
                | Self::Collected { wallet, .. }
                | Self::Closed { wallet, .. },
                _,
            ) => wrong_row(Key::new(table::WALLET, wallet.0)),
        }
    }

    /// The person of a wallet that was opened has it; of one that was closed, no more.
    pub(crate) fn evolve_person(&self, key: Key, row: &mut Option<Row>) {
        let Some(Row::Person(row)) = row else { wrong_row(key) };
        match self {
            Self::Opened { wallet, .. } => row.wallet = Some(*wallet),
            Self::Closed { .. } => row.wallet = None,
            Self::Frozen { .. } | Self::Unfrozen { .. } | Self::Collected { .. } => wrong_row(key),
        }
    }

    /// The holder of a wallet that was opened has it; of one that was closed, no more.
    pub(crate) fn evolve_holder(&self, row: &mut Option<Row>) {
        match (self, row) {
            (Self::Opened { wallet, .. }, Some(Row::Holder(holder))) => holder.wallet = Some(*wallet),
            (Self::Closed { .. }, Some(Row::Holder(holder))) => holder.wallet = None,
            (
                Self::Opened { wallet, .. }
                | Self::Frozen { wallet, .. }
                | Self::Unfrozen { wallet, .. }
                | Self::Collected { wallet, .. }
                | Self::Closed { wallet, .. },
                _,
            ) => wrong_row(Key::new(table::HOLDER, wallet.0)),
        }
    }
}
