//! Vouchers: codes that a convenience store or a seller of prepaid cards hands out for cash. Redeemed once, into `prepaid`.
//!
//! | status | meaning |
//! |---|---|
//! | `issued` | waits for whoever shows its code, until it runs out |
//! | `redeemed` | its amount is in a wallet |
//! | `cancelled` | the operator took it back before anyone showed it |
//!
//! No money moves before it is redeemed: what the seller took in cash is the seller's debt from then on.
//! Start reading at [`decide`].

use crate::effect::Effect;
use crate::ids::{HolderId, VoucherId, WalletId};
use crate::limits::check_limit;
use crate::purse::{Lot, Piece, Purse, Source};
use crate::refusal::{Limit, Noun, Proof, Refusal};
use crate::state::{Decided, Rows, wrong_row};
use crate::switches::{self, Function};
use crate::traits::Origin;
use crate::wallet::Wallet;
use crate::{Context, Receipt, Row, chart, guard, table};
use domain::{Key, Moment, Time};
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
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Issued, Self::Redeemed, Self::Cancelled];

    /// The status as the API and the tables show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Redeemed => "redeemed",
            Self::Cancelled => "cancelled",
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
}

impl Command {
    pub(crate) const fn subject(&self) -> (&'static str, Option<WalletId>, Yen) {
        match self {
            Self::Issue { amount, .. } => ("voucher.issue", None, *amount),
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
        Command::Issue { voucher, .. } | Command::Cancel { voucher } => keys.push(voucher_key(*voucher)),
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
        Command::Issue { voucher, amount, expires } => issue(rows, *voucher, *amount, *expires, moment, context),
        Command::Redeem { voucher, wallet, holder, origin, proof } => {
            let wallet_of = rows.wallet_of(*wallet, *holder)?;
            let redeem = Redeem { voucher: *voucher, id: *wallet, wallet: wallet_of, origin: *origin, proof: *proof };
            redeem.decide(rows, moment, context)
        }
        Command::Cancel { voucher } => cancel(rows, *voucher, moment),
    }
}

/// Refusals in order: amount, id taken, ran out before it began, more than a voucher may be worth.
fn issue(rows: Rows<'_>, voucher: VoucherId, amount: Yen, expires: Time, moment: Moment, context: &Context) -> Decided {
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
    check_limit(Limit::PerTime, at_most, Yen::ZERO, amount)?;
    let event = Event::Issued { voucher, amount, expires };
    Ok((vec![crate::Event::Voucher(event)], Receipt::Voucher { id: voucher, status: Status::Issued, amount }))
}

struct Redeem<'a> {
    voucher: VoucherId,
    id: WalletId,
    wallet: &'a Wallet,
    origin: Option<Origin>,
    proof: Option<Proof>,
}

impl Redeem<'_> {
    /// Refusals in order: unknown (the wallet, the voucher), stopped, the wallet closed, used or taken back, ran out, frozen,
    /// too much for the wallet, too many lots, the guard.
    fn decide(&self, rows: Rows<'_>, moment: Moment, context: &Context) -> Decided {
        let voucher = rows.voucher(self.voucher).ok_or(Refusal::Unknown { noun: Noun::Voucher })?;
        if let Some(switches) = rows.switches() {
            switches.check(Function::Voucher, None, self.wallet.tier, &self.wallet.traits)?;
        }
        self.wallet.check_staying(None)?;
        match voucher.status {
            Status::Issued => {}
            Status::Redeemed | Status::Cancelled => {
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
        Status::Issued => {
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
            Self::Redeemed { voucher, wallet, amount, at, .. } => {
                let (debit, credit) = (chart::voucher_clearing(), chart::purse(*wallet, Purse::Prepaid));
                each(Effect::Leg(Leg { debit, credit, amount: *amount, step: Step::Single }));
                let lot = Lot { id: voucher.0, source: Source::Voucher, received: *at, amount: *amount };
                each(Effect::Give(*wallet, Piece { purse: Purse::Prepaid, lot }));
            }
        }
    }

    /// The voucher.
    pub(crate) fn touches(&self, each: &mut impl FnMut(Key)) {
        match self {
            Self::Issued { voucher, .. } | Self::Redeemed { voucher, .. } | Self::Cancelled { voucher, .. } => {
                each(voucher_key(*voucher));
            }
        }
    }

    /// What this changes in the wallet beside its effects.
    pub(crate) fn evolve_wallet(&self, wallet: &mut Wallet) {
        match self {
            Self::Redeemed { origin: Some(origin), .. } => wallet.traits_mut().used_from(*origin),
            Self::Redeemed { origin: None, .. } | Self::Issued { .. } | Self::Cancelled { .. } => {}
        }
    }

    pub(crate) fn evolve(&self, row: &mut Option<Row>) {
        match (self, row) {
            (Self::Issued { amount, expires, .. }, row @ None) => {
                let (amount, expires) = (*amount, *expires);
                *row = Some(Row::Voucher(Voucher { amount, expires, status: Status::Issued, wallet: None }));
            }
            (Self::Redeemed { wallet, .. }, Some(Row::Voucher(voucher))) => {
                assert!(voucher.status == Status::Issued, "a voucher is redeemed once: {voucher:?}");
                voucher.status = Status::Redeemed;
                voucher.wallet = Some(*wallet);
            }
            (Self::Cancelled { .. }, Some(Row::Voucher(voucher))) => {
                assert!(voucher.status == Status::Issued, "only an unused voucher is taken back: {voucher:?}");
                voucher.status = Status::Cancelled;
            }
            (Self::Issued { voucher, .. } | Self::Redeemed { voucher, .. } | Self::Cancelled { voucher, .. }, _) => {
                wrong_row(voucher_key(*voucher))
            }
        }
    }
}
