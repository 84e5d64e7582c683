//! The wallet: its purses, its limits' sums, who froze it, and what its holder owes.
//!
//! Opening and freezing live here, closing, collecting and writing off in the rooms below; every movement lives in the room
//! of its noun and reaches a wallet through [`Effect`]s.

mod block;
pub(crate) mod close;
mod collect;
mod event;
mod write_off;

pub use block::{BLOCKS_MAX, Block, Blocked};
pub use event::Event;
pub(crate) use write_off::recover;
pub use write_off::{WRITTEN_OFF_MAX, Waiting, WriteOff};

use crate::effect::{Counters, Effect, Whose};
use crate::holder::check_mail_verified;
use crate::ids::{BankAccountId, BankCode, HolderId, MandateId, PayoutId, PersonId, StaffId, WalletId};
use crate::limits::check_limit;
use crate::mandate::mandate_key;
use crate::payout::payout_key;
use crate::policy::BalancePolicy;
use crate::purse::{Balance, Lot, PURSE_LOTS_MAX, Piece, Purse, Source};
use crate::refusal::{FrozenBy, Limit, Noun, Refusal};
use crate::standing::Standing;
use crate::state::{Decided, Rows, wrong_row};
use crate::switches::Function;
use crate::traits::{Origin, Tier, Traits};
use crate::{Context, Receipt, chart, guard, switches, table};
use domain::{Id, Key, Moment};
use ledger::{Leg, Yen};
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
    /// What its holder owes after a bank took money back that was spent, at most [`DEBTS_MAX`]. While there is any, no
    /// money leaves.
    pub debts: Vec<Debt>,
    /// Closed for good.
    pub closed: bool,
    /// Where it came from.
    pub traits: Arc<Traits>,
    /// What few wallets have and few events change; shared between versions, as the traits are.
    pub ties: Option<Arc<Ties>>,
}

/// The most debts that are kept apart: more than the top-ups of a month at their least amount (3,000), each of which a bank
/// may take back. What comes beyond is added to the last: no yen is lost, but a refund of that lot finds no debt of its own.
pub const DEBTS_MAX: usize = 4_096;
/// The most bank accounts that a wallet may ever link.
pub const LINKS_MAX: usize = 32;

/// What a wallet is tied to.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ties {
    /// The bank accounts that it linked, each once, by the last mandate that did.
    pub links: Vec<Link>,
    /// What one person of the desk proposed to write off.
    pub write_off: Option<WriteOff>,
    /// What cases keep from leaving, at most [`BLOCKS_MAX`].
    pub blocks: Vec<Block>,
    /// What was written off of each lot and has not come back, at most [`WRITTEN_OFF_MAX`].
    pub written_off: Vec<Debt>,
    /// The payout of all there is, after which it is closed.
    pub closing: Option<PayoutId>,
    /// Bonus that lapsed when it was closed.
    pub lapsed: Yen,
    /// What of written-off lots came back into suspense and became the operator's, by bank (none: no bank).
    pub recovered_waiting: Vec<(Option<BankCode>, Yen)>,
}

/// A bank account that a wallet linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Which account.
    pub bank_account: BankAccountId,
    /// By which mandate. It may have ended since.
    pub mandate: MandateId,
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
            ties: None,
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

    /// Every lot of `purses` that may move, in their order and the oldest first within each.
    pub(crate) fn pieces(&self, purses: &[Purse]) -> Vec<Piece> {
        let lots = |purse: &Purse| self.free_lots(*purse).iter().map(|lot| (*purse, *lot)).collect::<Vec<_>>();
        purses.iter().flat_map(lots).map(|(purse, lot)| Piece { purse, lot }).collect()
    }

    /// The traits, to change them. They are shared between a wallet's versions, because hardly any event changes them.
    pub(crate) fn traits_mut(&mut self) -> &mut Traits {
        Arc::make_mut(&mut self.traits)
    }

    /// The bank accounts that it linked.
    pub fn links(&self) -> &[Link] {
        self.ties.as_ref().map_or(&[], |ties| &ties.links)
    }

    /// The payout that takes out all there is, if the wallet is being closed.
    pub fn closing(&self) -> Option<PayoutId> {
        self.ties.as_ref().and_then(|ties| ties.closing)
    }

    /// That payout is over without having been paid: the money is back, and the wallet is as it was.
    pub(crate) fn reopen(&mut self, payout: PayoutId) {
        if self.closing() == Some(payout) {
            self.ties_mut().closing = None;
        }
    }

    pub(crate) fn ties_mut(&mut self) -> &mut Ties {
        Arc::make_mut(self.ties.get_or_insert_default())
    }

    /// Refuses if one more bank account would be more than a wallet may link.
    pub(crate) fn check_links(&self, bank_account: BankAccountId) -> Result<(), Refusal> {
        let is_new = self.links().iter().all(|link| link.bank_account != bank_account);
        if is_new && self.links().len() >= LINKS_MAX {
            return Err(Refusal::full(Limit::Links, LINKS_MAX));
        }
        Ok(())
    }

    /// What its holder owes in all.
    pub fn owed(&self) -> Yen {
        Yen::checked_sum(self.debts.iter().map(|debt| debt.amount)).unwrap_or(Yen::MAX)
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

    /// What is owed of `lot`: only a top-up is ever taken back by its bank, and ids are only unique within their noun.
    pub(crate) fn owed_of(&self, lot: &Lot) -> Yen {
        match lot.source {
            Source::TopUp(_) => self.owed_by_id(lot.id),
            Source::Voucher | Source::Campaign(_) | Source::Send(_) => Yen::ZERO,
        }
    }

    /// What is owed of the top-up or payout `id`.
    pub(crate) fn owed_by_id(&self, id: Id) -> Yen {
        self.debts.iter().find(|debt| debt.lot == id).map_or(Yen::ZERO, |debt| debt.amount)
    }

    /// The wallet's status as one word.
    pub fn status(&self) -> &'static str {
        self.standing().name()
    }

    fn standing(&self) -> Standing {
        if self.frozen_by.is_empty() || self.closed { self.standing_unfrozen() } else { Standing::Frozen }
    }

    /// How it would stand if nobody froze it.
    fn standing_unfrozen(&self) -> Standing {
        let going = if self.closing().is_some() { Standing::Closing } else { Standing::Open };
        if self.closed { Standing::Closed } else { going }
    }

    /// Refuses if the wallet is closed.
    pub(crate) fn check_open(&self) -> Result<(), Refusal> {
        let refusal = Refusal::WrongStatus { noun: Noun::Wallet, status: Standing::Closed };
        if self.closed { Err(refusal) } else { Ok(()) }
    }

    /// Refuses if the wallet is closed, or is being closed by another payout than this one.
    pub(crate) fn check_staying(&self, payout: Option<PayoutId>) -> Result<(), Refusal> {
        self.check_open()?;
        match self.closing().filter(|last| Some(*last) != payout) {
            Some(_) => Err(Refusal::WrongStatus { noun: Noun::Wallet, status: Standing::Closing }),
            None => Ok(()),
        }
    }

    /// Refuses if money must not leave: closed, closing, frozen, or its holder owes.
    pub(crate) fn check_outflow(&self) -> Result<(), Refusal> {
        self.check_leaving(None)
    }

    /// The same for a payout, which may be the last one.
    pub(crate) fn check_leaving(&self, payout: Option<PayoutId>) -> Result<(), Refusal> {
        self.check_staying(payout)?;
        self.check_unfrozen(|_| true)
    }

    /// The same for what a shop was promised: nothing is held while the holder's own freeze lasts, so it was held before.
    pub(crate) fn check_promised(&self) -> Result<(), Refusal> {
        self.check_staying(None)?;
        self.check_unfrozen(|by| by != FrozenBy::Holder)
    }

    /// Refuses if somebody who `counts` froze the wallet, or its holder owes.
    fn check_unfrozen(&self, counts: impl Fn(FrozenBy) -> bool) -> Result<(), Refusal> {
        let owes = (!self.debts.is_empty()).then_some(FrozenBy::Debt);
        let frozen = self.frozen_by.iter().copied().find(|by| counts(*by)).or(owes);
        frozen.map_or(Ok(()), |by| Err(Refusal::Frozen { by }))
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
        self.check_lots(purse)
    }

    /// Refuses if `purse` has as many lots as it may take.
    pub(crate) fn check_lots(&self, purse: Purse) -> Result<(), Refusal> {
        let lots = self.purse(purse).lots.len();
        if lots >= PURSE_LOTS_MAX { Err(Refusal::full(Limit::Lots, PURSE_LOTS_MAX)) } else { Ok(()) }
    }

    pub(crate) fn apply(&mut self, id: WalletId, effect: &Effect) {
        match effect {
            Effect::Leg(leg) => self.apply_leg(id, leg),
            Effect::Take(wallet, piece) if *wallet == id => self.purse_mut(piece.purse).take(&piece.lot),
            Effect::Give(wallet, piece) if *wallet == id => self.purse_mut(piece.purse).give(&piece.lot),
            Effect::Owe(wallet, debt) if *wallet == id => self.owe(*debt),
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
        for (purse, account) in Purse::ALL.map(|purse| (purse, chart::purse(id, purse))) {
            if leg.debit == account || leg.credit == account {
                self.purse_mut(purse).account.apply(account, leg);
            }
        }
    }

    /// A debt beyond the bound joins the last one, and is paid with it.
    fn owe(&mut self, debt: Debt) {
        let is_full = self.debts.len() >= DEBTS_MAX;
        match self.debts.last_mut().filter(|_| is_full) {
            Some(last) => last.amount = last.amount.checked_add(debt.amount).unwrap_or(Yen::MAX),
            None => self.debts.push(debt),
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
    let each = pieces.iter().map(|piece| piece.of(wallet.owed_of(&piece.lot).min(piece.lot.amount)));
    each.filter(|piece| !piece.lot.amount.is_zero()).collect()
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
    /// One person of the desk says that what is owed will never come.
    ProposeWriteOff {
        /// Whose.
        wallet: WalletId,
        /// All that is owed.
        amount: Yen,
        /// Who.
        by: StaffId,
    },
    /// Another person of the desk agrees, and it is written off.
    ApproveWriteOff {
        /// Whose.
        wallet: WalletId,
        /// How much, as it was proposed.
        amount: Yen,
        /// Who.
        by: StaffId,
    },
    /// Close an empty wallet for good, or one whose last payout is over. Bonus that is left lapses, and its links end.
    Close {
        /// Which.
        wallet: WalletId,
        /// Its holder.
        holder: HolderId,
    },
}

impl Command {
    pub(crate) const fn subject(&self) -> (&'static str, Option<WalletId>, Yen) {
        match self {
            Self::Open { .. } => ("wallet.open", None, Yen::ZERO),
            Self::Freeze { wallet, .. } => ("wallet.freeze", Some(*wallet), Yen::ZERO),
            Self::Unfreeze { wallet, .. } => ("wallet.unfreeze", Some(*wallet), Yen::ZERO),
            Self::Collect { wallet, .. } => ("wallet.collect", Some(*wallet), Yen::ZERO),
            Self::ProposeWriteOff { wallet, amount, .. } => ("wallet.propose_write_off", Some(*wallet), *amount),
            Self::ApproveWriteOff { wallet, amount, .. } => ("wallet.approve_write_off", Some(*wallet), *amount),
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
            let lapsed = chart::key(chart::bonus_lapsed());
            keys.extend([Key::new(table::WALLET, wallet.0), Key::new(table::HOLDER, holder.0), lapsed]);
        }
        Command::ApproveWriteOff { wallet, .. } => keys.extend([
            Key::new(table::WALLET, wallet.0),
            chart::key(chart::receivable(*wallet)),
            chart::key(chart::written_off()),
        ]),
        Command::Collect { wallet, .. } => {
            keys.extend([Key::new(table::WALLET, wallet.0), chart::key(chart::receivable(*wallet))]);
        }
        Command::Freeze { wallet, .. } | Command::Unfreeze { wallet, .. } | Command::ProposeWriteOff { wallet, .. } => {
            keys.push(Key::new(table::WALLET, wallet.0));
        }
    }
}

pub(crate) fn keys_further(command: &Command, rows: Rows<'_>, keys: &mut Vec<Key>) {
    let person = match command {
        Command::Open { holder, .. } => rows.holder(*holder).and_then(|holder| holder.person),
        Command::Close { wallet, .. } => {
            let Some(wallet) = rows.wallet(*wallet) else { return };
            keys.extend(wallet.closing().map(payout_key));
            for link in wallet.links() {
                keys.extend([mandate_key(link.mandate), Key::new(table::BANK_ACCOUNT, link.bank_account.0)]);
            }
            wallet.person
        }
        Command::Freeze { .. } | Command::Unfreeze { .. } | Command::Collect { .. } => None,
        Command::ProposeWriteOff { .. } | Command::ApproveWriteOff { .. } => None,
    };
    keys.extend(person.map(|person| Key::new(table::PERSON, person.0)));
}

pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment, context: &Context) -> Decided {
    match command {
        Command::Open { wallet, holder, origin } => open(rows, *wallet, *holder, *origin, moment, context),
        Command::Freeze { wallet, by } => freeze(rows, *wallet, *by, moment),
        Command::Unfreeze { wallet, by } => unfreeze(rows, *wallet, *by, moment),
        Command::Collect { wallet, by } => collect::collect(rows, *wallet, *by, moment),
        Command::ProposeWriteOff { wallet, amount, by } => write_off::propose(rows, *wallet, *amount, *by, moment),
        Command::ApproveWriteOff { wallet, amount, by } => write_off::approve(rows, *wallet, *amount, *by, moment),
        Command::Close { wallet, holder } => close::close(rows, *wallet, *holder, moment),
    }
}

/// Refusals in order: unknown, id taken, stopped, mail address not verified, the holder or the person has an open wallet,
/// the guard. A wallet that the guard would hold, or asks more proof for, is refused: its holder has nothing to lose yet, and
/// may ask again once they are identified.
fn open(
    rows: Rows<'_>,
    wallet: WalletId,
    holder: HolderId,
    origin: Option<Origin>,
    moment: Moment,
    context: &Context,
) -> Decided {
    let owner = rows.holder(holder).ok_or(Refusal::Unknown { noun: Noun::Holder })?;
    if rows.wallet(wallet).is_some() {
        return Err(Refusal::Taken { noun: Noun::Wallet, id: wallet.0 });
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
        return Err(Refusal::WrongStatus { noun: Noun::Holder, status: Standing::HasWallet });
    }
    if let Some(person) = owner.person.and_then(|person| rows.person(person)) {
        person.check_wallet(None)?;
    }
    let as_it_would_be = Wallet::new(holder, owner.person, owner.tier, traits.clone());
    let attempt = guard::Attempt {
        function: Function::Open,
        id: wallet.0,
        wallet_id: wallet,
        wallet: &as_it_would_be,
        amount: Yen::ZERO,
        bank: None,
        linked: None,
        counterparty: None,
        origin,
        now: moment.now,
    };
    guard::ask_or_refuse(context, &attempt, None)?;
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
        return Err(Refusal::WrongStatus { noun: Noun::Wallet, status: wallet.standing() });
    }
    let status = if wallet.frozen_by.len() > 1 { Standing::Frozen } else { wallet.standing_unfrozen() };
    let event = Event::Unfrozen { wallet: id, by, at: moment.now };
    Ok((vec![crate::Event::Wallet(event)], Receipt::Wallet { id, status: status.name().into() }))
}
