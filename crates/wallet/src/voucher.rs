//! Vouchers: codes that a convenience store or a seller of prepaid cards hands out for cash. Redeemed once, into `prepaid`.
//!
//! | status | meaning |
//! |---|---|
//! | `proposed` | worth nothing until another person of the desk agrees |
//! | `issued` | waits for whoever shows its code, until it runs out |
//! | `redeemed` | its amount is in a wallet |
//! | `cancelled` | the operator took it back before anyone showed it |
//!
//! No money moves before it is redeemed: what the seller took in cash is the seller's debt from then on. People of the desk make so
//! much a business date alone, all together; beyond that each voucher takes two of them.
//! Start reading at [`decide`].

use crate::effect::Effect;
use crate::ids::{HolderId, StaffId, VoucherId, WalletId};
use crate::limits::check_limit;
use crate::purse::{Lot, Piece, Purse, Source};
use crate::refusal::{Limit, Noun, Proof, Refusal};
use crate::state::{Decided, Rows, wrong_row};
use crate::switches::{self, Function, Switches};
use crate::traits::Origin;
use crate::wallet::Wallet;
use crate::{Context, Receipt, Row, chart, guard, table};
use domain::{Day, Key, Moment, Time};
use ledger::{Leg, Step, Yen};
use serde::{Deserialize, Serialize};

/// A voucher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voucher {
    /// What it is worth.
    pub amount: Yen,
    /// Until when.
    pub expires: Time,
    /// How far it is.
    pub status: Status,
    /// The wallet that it was redeemed into.
    pub wallet: Option<WalletId>,
    /// Who proposed it, where it took two.
    pub proposal: Option<Proposal>,
}

/// A voucher that one person would make, beyond what one makes alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Who.
    pub by: StaffId,
    /// Since when.
    pub at: Time,
}

/// What people of the desk have made alone on one business date, all together. It stands in the switches' row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeAlone {
    /// The date.
    pub day: Day,
    /// How much, in yen; what is taken back counts all the same.
    pub amount: Yen,
}

/// How far a voucher is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Waits for whoever shows its code.
    Issued,
    /// Its amount is in a wallet.
    Redeemed,
    /// Taken back before anyone showed it.
    Cancelled,
    /// Waits for another person of the desk; its code is worth nothing yet.
    Proposed,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Issued, Self::Redeemed, Self::Cancelled, Self::Proposed];

    /// The status as the API and the tables show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Redeemed => "redeemed",
            Self::Cancelled => "cancelled",
            Self::Proposed => "proposed",
        }
    }
}

/// What is asked of vouchers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Make one: the operator's.
    Issue {
        /// Its id.
        voucher: VoucherId,
        /// What it is worth.
        amount: Yen,
        /// Until when.
        expires: Time,
        /// Who of the desk, whose day is bounded; none: a program of the operator's own, which makes what sellers ordered.
        by: Option<StaffId>,
    },
    /// Agree to one that another person proposed.
    Approve {
        /// Which.
        voucher: VoucherId,
        /// Who agrees.
        by: StaffId,
    },
    /// Put its amount into a wallet.
    Redeem {
        /// Which.
        voucher: VoucherId,
        /// Into which wallet.
        wallet: WalletId,
        /// By its holder.
        holder: HolderId,
        /// Where from.
        origin: Option<Origin>,
        /// The proof that was given.
        proof: Option<Proof>,
    },
    /// Take it back: the operator's, when a batch of codes was stolen.
    Cancel {
        /// Which.
        voucher: VoucherId,
    },
}

/// What happened to a voucher.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// It was made.
    Issued {
        /// Its id.
        voucher: VoucherId,
        /// What it is worth.
        amount: Yen,
        /// Until when.
        expires: Time,
    },
    /// Its amount is in a wallet.
    Redeemed {
        /// Which.
        voucher: VoucherId,
        /// Whose.
        wallet: WalletId,
        /// How much.
        amount: Yen,
        /// When.
        at: Time,
        /// Where it came from, if that is news.
        origin: Option<Origin>,
    },
    /// It was taken back.
    Cancelled {
        /// Which.
        voucher: VoucherId,
        /// When.
        at: Time,
    },
    /// One person made it alone: so much of the date's bound is used.
    MadeAlone {
        /// Which.
        voucher: VoucherId,
        /// How much.
        amount: Yen,
        /// Who.
        by: StaffId,
        /// When.
        at: Time,
    },
    /// It is to be made, if another person agrees.
    Proposed {
        /// Its id.
        voucher: VoucherId,
        /// What it is to be worth.
        amount: Yen,
        /// Until when.
        expires: Time,
        /// Who proposed it.
        by: StaffId,
        /// When.
        at: Time,
    },
    /// Another person agreed: it is as good as one that was made alone.
    Approved {
        /// Which.
        voucher: VoucherId,
        /// Who agreed.
        by: StaffId,
        /// When.
        at: Time,
    },
}

impl Command {
    pub(crate) const fn subject(&self) -> (&'static str, Option<WalletId>, Yen) {
        match self {
            Self::Issue { amount, .. } => ("voucher.issue", None, *amount),
            Self::Approve { .. } => ("voucher.approve", None, Yen::ZERO),
            Self::Redeem { wallet, .. } => ("voucher.redeem", Some(*wallet), Yen::ZERO),
            Self::Cancel { .. } => ("voucher.cancel", None, Yen::ZERO),
        }
    }
}

const fn voucher_key(id: VoucherId) -> Key {
    Key::new(table::VOUCHER, id.0)
}

pub(crate) fn keys(command: &Command, keys: &mut Vec<Key>) {
    match command {
        Command::Issue { voucher, by, .. } => {
            keys.push(voucher_key(*voucher));
            keys.extend(by.map(|_| switches::KEY));
        }
        Command::Approve { voucher, .. } | Command::Cancel { voucher } => keys.push(voucher_key(*voucher)),
        Command::Redeem { voucher, wallet, .. } => keys.extend([
            voucher_key(*voucher),
            Key::new(table::WALLET, wallet.0),
            chart::key(chart::voucher_clearing()),
            switches::KEY,
        ]),
    }
}

pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment, context: &Context) -> Decided {
    match command {
        Command::Issue { voucher, amount, expires, by } => {
            check_issue(rows, *voucher, *amount, *expires, moment, context)?;
            Ok(issue(rows, (*voucher, *amount, *expires), *by, moment, context))
        }
        Command::Approve { voucher, by } => approve(rows, *voucher, *by, moment, context),
        Command::Redeem { voucher, wallet, holder, origin, proof } => {
            let wallet_of = rows.wallet_of(*wallet, *holder)?;
            let redeem = Redeem { voucher: *voucher, id: *wallet, wallet: wallet_of, origin: *origin, proof: *proof };
            redeem.decide(rows, moment, context)
        }
        Command::Cancel { voucher } => cancel(rows, *voucher, moment),
    }
}

/// Refusals in order: amount, id taken, ran out before it began, more than a voucher may be worth.
fn check_issue(
    rows: Rows<'_>,
    voucher: VoucherId,
    amount: Yen,
    expires: Time,
    moment: Moment,
    context: &Context,
) -> Result<(), Refusal> {
    if amount.is_zero() {
        return Err(Refusal::AmountZero);
    }
    if rows.voucher(voucher).is_some() {
        return Err(Refusal::Taken { noun: Noun::Voucher, id: voucher.0 });
    }
    if expires <= moment.now {
        return Err(Refusal::Expired { noun: Noun::Voucher, at: expires });
    }
    let at_most = context.policies.on(moment.now.day()).voucher.amount_max;
    check_limit(Limit::PerTime, at_most, Yen::ZERO, amount)
}

/// What one person makes beyond the date's bound waits for another.
fn issue(
    rows: Rows<'_>,
    (voucher, amount, expires): (VoucherId, Yen, Time),
    by: Option<StaffId>,
    moment: Moment,
    context: &Context,
) -> (Vec<crate::Event>, Receipt) {
    let at = moment.now;
    let issued = Event::Issued { voucher, amount, expires };
    let (events, status) = match by {
        None => (vec![issued], Status::Issued),
        Some(by) if may_alone(rows, amount, moment, context) => {
            (vec![issued, Event::MadeAlone { voucher, amount, by, at }], Status::Issued)
        }
        Some(by) => (vec![Event::Proposed { voucher, amount, expires, by, at }], Status::Proposed),
    };
    (events.into_iter().map(crate::Event::Voucher).collect(), Receipt::Voucher { id: voucher, status, amount })
}

/// Whether one person may make so much more today, with what all of them have made alone.
fn may_alone(rows: Rows<'_>, amount: Yen, moment: Moment, context: &Context) -> bool {
    let today = moment.now.day();
    let made = rows.switches().and_then(|switches| switches.vouchers).filter(|made| made.day == today);
    let so_far = made.map_or(Yen::ZERO, |made| made.amount);
    let at_most = context.policies.on(today).voucher.alone_per_day_max;
    so_far.checked_add(amount).is_some_and(|sum| sum <= at_most)
}

/// Refusals in order: unknown, not proposed (any more), the same person, the proposal or the voucher ran out.
fn approve(rows: Rows<'_>, id: VoucherId, by: StaffId, moment: Moment, context: &Context) -> Decided {
    let voucher = rows.voucher(id).ok_or(Refusal::Unknown { noun: Noun::Voucher })?;
    let proposal = voucher.proposal.filter(|_| voucher.status == Status::Proposed);
    let wrong = Refusal::WrongStatus { noun: Noun::Voucher, status: voucher.status.into() };
    let proposal = proposal.ok_or(wrong)?;
    if proposal.by == by {
        return Err(Refusal::SecondPersonNeeded);
    }
    let review_ms = context.policies.on(moment.now.day()).review_ms;
    let until = proposal.at.plus_milliseconds(review_ms).min(voucher.expires);
    if moment.now >= until {
        return Err(Refusal::Expired { noun: Noun::Voucher, at: until });
    }
    let event = Event::Approved { voucher: id, by, at: moment.now };
    let receipt = Receipt::Voucher { id, status: Status::Issued, amount: voucher.amount };
    Ok((vec![crate::Event::Voucher(event)], receipt))
}

struct Redeem<'a> {
    voucher: VoucherId,
    id: WalletId,
    wallet: &'a Wallet,
    origin: Option<Origin>,
    proof: Option<Proof>,
}

impl Redeem<'_> {
    /// Refusals in order: unknown (the wallet, the voucher), stopped, the wallet closed, used, taken back or only proposed, ran out, frozen,
    /// too much for the wallet, too many lots, the guard.
    fn decide(&self, rows: Rows<'_>, moment: Moment, context: &Context) -> Decided {
        let voucher = rows.voucher(self.voucher).ok_or(Refusal::Unknown { noun: Noun::Voucher })?;
        if let Some(switches) = rows.switches() {
            switches.check(Function::Voucher, None, self.wallet.tier, &self.wallet.traits)?;
        }
        self.wallet.check_staying(None)?;
        match voucher.status {
            Status::Issued => {}
            Status::Redeemed | Status::Cancelled | Status::Proposed => {
                return Err(Refusal::WrongStatus { noun: Noun::Voucher, status: voucher.status.into() });
            }
        }
        if moment.now >= voucher.expires {
            return Err(Refusal::Expired { noun: Noun::Voucher, at: voucher.expires });
        }
        let policy = context.policies.on(moment.now.day());
        self.wallet.check_inflow(Purse::Prepaid, voucher.amount, &policy.balance)?;
        self.ask_guard(voucher, moment, context)?;
        let event = Event::Redeemed {
            voucher: self.voucher,
            wallet: self.id,
            amount: voucher.amount,
            at: moment.now,
            origin: self.wallet.traits.news(self.origin),
        };
        let receipt = Receipt::Voucher { id: self.voucher, status: Status::Redeemed, amount: voucher.amount };
        Ok((vec![crate::Event::Voucher(event)], receipt))
    }

    /// A voucher is worth no more to a thief tomorrow: what the guard would hold is refused, and may be tried again.
    fn ask_guard(&self, voucher: &Voucher, moment: Moment, context: &Context) -> Result<(), Refusal> {
        let attempt = guard::Attempt {
            function: Function::Voucher,
            id: self.voucher.0,
            wallet_id: self.id,
            wallet: self.wallet,
            amount: voucher.amount,
            bank: None,
            linked: None,
            counterparty: None,
            origin: self.origin,
            now: moment.now,
        };
        guard::ask_or_refuse(context, &attempt, self.proof)
    }
}

/// Refusals in order: unknown, used or taken back.
fn cancel(rows: Rows<'_>, id: VoucherId, moment: Moment) -> Decided {
    let voucher = rows.voucher(id).ok_or(Refusal::Unknown { noun: Noun::Voucher })?;
    match voucher.status {
        Status::Issued | Status::Proposed => {
            let event = Event::Cancelled { voucher: id, at: moment.now };
            let receipt = Receipt::Voucher { id, status: Status::Cancelled, amount: voucher.amount };
            Ok((vec![crate::Event::Voucher(event)], receipt))
        }
        Status::Redeemed | Status::Cancelled => {
            Err(Refusal::WrongStatus { noun: Noun::Voucher, status: voucher.status.into() })
        }
    }
}

impl Event {
    /// What this does to balances and lots.
    pub(crate) fn effects(&self, each: &mut impl FnMut(Effect)) {
        match self {
            Self::Issued { .. } | Self::Cancelled { .. } => {}
            Self::MadeAlone { .. } | Self::Proposed { .. } | Self::Approved { .. } => {}
            Self::Redeemed { voucher, wallet, amount, at, .. } => {
                let (debit, credit) = (chart::voucher_clearing(), chart::purse(*wallet, Purse::Prepaid));
                each(Effect::Leg(Leg { debit, credit, amount: *amount, step: Step::Single }));
                let lot = Lot { id: voucher.0, source: Source::Voucher, received: *at, amount: *amount };
                each(Effect::Give(*wallet, Piece { purse: Purse::Prepaid, lot }));
            }
        }
    }

    /// The voucher, or what was made alone on a date.
    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        match self {
            Self::Issued { voucher, .. } | Self::Redeemed { voucher, .. } | Self::Cancelled { voucher, .. } => {
                each(voucher_key(*voucher));
            }
            Self::Proposed { voucher, .. } | Self::Approved { voucher, .. } => each(voucher_key(*voucher)),
            Self::MadeAlone { .. } => each(switches::KEY),
        }
    }

    /// What this changes in the wallet beside its effects.
    pub(crate) fn evolve_wallet(&self, wallet: &mut Wallet) {
        match self {
            Self::Redeemed { origin: Some(origin), .. } => wallet.traits_mut().used_from(*origin),
            Self::Redeemed { origin: None, .. } | Self::Issued { .. } | Self::Cancelled { .. } => {}
            Self::MadeAlone { .. } | Self::Proposed { .. } | Self::Approved { .. } => {}
        }
    }

    pub(crate) fn evolve(&self, row: &mut Option<Row>) {
        match (self, row) {
            (Self::Issued { amount, expires, .. }, row @ None) => {
                *row = Some(Row::Voucher(Voucher::new(*amount, *expires, Status::Issued, None)));
            }
            (Self::Proposed { amount, expires, by, at, .. }, row @ None) => {
                let proposal = Some(Proposal { by: *by, at: *at });
                *row = Some(Row::Voucher(Voucher::new(*amount, *expires, Status::Proposed, proposal)));
            }
            (Self::Approved { .. }, Some(Row::Voucher(voucher))) => {
                assert!(voucher.status == Status::Proposed, "what was proposed is approved: {voucher:?}");
                voucher.status = Status::Issued;
            }
            (Self::Redeemed { wallet, .. }, Some(Row::Voucher(voucher))) => {
                assert!(voucher.status == Status::Issued, "a voucher is redeemed once: {voucher:?}");
                voucher.status = Status::Redeemed;
                voucher.wallet = Some(*wallet);
            }
            (Self::Cancelled { .. }, Some(Row::Voucher(voucher))) => {
                let is_unused = matches!(voucher.status, Status::Issued | Status::Proposed);
                assert!(is_unused, "only an unused voucher is taken back: {voucher:?}");
                voucher.status = Status::Cancelled;
            }
            (Self::MadeAlone { amount, at, .. }, row) => made_alone(row, at.day(), *amount),
            (
                Self::Issued { voucher, .. }
                | Self::Proposed { voucher, .. }
                | Self::Approved { voucher, .. }
                | Self::Redeemed { voucher, .. }
                | Self::Cancelled { voucher, .. },
                _,
            ) => wrong_row(voucher_key(*voucher)),
        }
    }
}

impl Voucher {
    const fn new(amount: Yen, expires: Time, status: Status, proposal: Option<Proposal>) -> Self {
        Self { amount, expires, status, wallet: None, proposal }
    }
}

/// Counts `amount` on `day`: each date begins anew.
fn made_alone(row: &mut Option<Row>, day: Day, amount: Yen) {
    let Row::Switches(switches) = row.get_or_insert_with(|| Row::Switches(Switches::default())) else {
        wrong_row(switches::KEY)
    };
    let before = switches.vouchers.filter(|made| made.day == day).map_or(Yen::ZERO, |made| made.amount);
    let sum = before.checked_add(amount);
    assert!(sum.is_some(), "what is made alone is bounded: {before:?} and {amount:?}");
    switches.vouchers = sum.map(|amount| MadeAlone { day, amount });
}
