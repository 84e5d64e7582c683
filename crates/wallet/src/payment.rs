//! Payment (支払い): wallet to shop. Authorised and captured, in one step or two; voided; expired; refunded.
//!
//! Bonus is spent first, then prepaid, then funds, in each the oldest lot first. A payment remembers the pieces it was made
//! of, and a refund puts them back where they came from, last piece first.
//!
//! | status | meaning |
//! |---|---|
//! | `authorised` | held, waits for the shop's capture until it expires by an event |
//! | `captured` | the shop has it; what was not captured went back |
//! | `voided` · `expired` | nothing was captured, everything went back |
//!
//! Start reading at [`decide`]; what each event does to balances is one function, [`Event::effects`].

mod authorise;
mod event;
mod refund;

pub(crate) use authorise::few;
pub use event::{Authorised, Event, Part};

use crate::canary;
use crate::ids::{HolderId, PaymentCodeId, PaymentId, RefundId, ShopId, WalletId};
use crate::limits::check_limit;
use crate::purse::Piece;
use crate::refusal::{Limit, Noun, Proof, Refusal};
use crate::standing::Standing;
use crate::state::{Decided, Rows, check_clock};
use crate::switches::{self, Function};
use crate::traits::Origin;
use crate::wallet::owed;
use crate::{Context, Receipt, ageing, chart, table};
use domain::{Key, Moment, Time};
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// The most lots that one movement is made of.
pub const PIECES_MAX: usize = 64;
/// The most refunds of one payment.
pub const REFUNDS_MAX: usize = 64;

/// A payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Who pays.
    pub wallet: WalletId,
    /// Who is paid.
    pub shop: ShopId,
    /// How far it is.
    pub status: Status,
    /// What was authorised.
    pub amount: Yen,
    /// What was captured of it.
    pub captured: Yen,
    /// What was refunded of that.
    pub refunded: Yen,
    /// When it was accepted; its business date counts for limits.
    pub accepted: Time,
    /// Until when it waits for its capture.
    pub expires: Option<Time>,
    /// The young money in it, which counted on its business date.
    pub young: Yen,
    /// The pieces that a void or refund can still give back.
    pub pieces: Vec<Piece>,
    /// Its refunds.
    pub refunds: Vec<(RefundId, Yen)>,
    /// What of them went into suspense, because the wallet was closed.
    pub suspended: Yen,
    /// What the shop calls it.
    pub reference: Option<Reference>,
}

/// What a shop calls a payment: the number of an order, say. It is never about a person, and need not be unique.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference(Box<str>);

impl Reference {
    /// The longest, in bytes.
    pub const BYTES_MAX: usize = 64;

    /// `text`, if it is 1 to 64 visible ASCII characters.
    pub fn new(text: &str) -> Option<Self> {
        let is_one = (1..=Self::BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_one.then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How far a payment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Held, waits for capture.
    Authorised,
    /// The shop has it.
    Captured,
    /// The shop gave it up.
    Voided,
    /// Nobody captured it in time.
    Expired,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Authorised, Self::Captured, Self::Voided, Self::Expired];

    /// The status as the API and the tables show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authorised => "authorised",
            Self::Captured => "captured",
            Self::Voided => "voided",
            Self::Expired => "expired",
        }
    }
}

/// A payment code: single use, short-lived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentCode {
    /// Who pays with it.
    pub wallet: WalletId,
    /// Until when.
    pub expires: Time,
    /// The payment it was used for.
    pub used_by: Option<PaymentId>,
}

/// Who pays: the holder who scanned the shop, or the code that the shop scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payer {
    /// The wallet, by its holder.
    Holder(WalletId, HolderId),
    /// Whoever showed this code.
    Code(PaymentCodeId),
}

/// What is asked of payments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Make a payment code.
    IssueCode {
        /// Its id.
        code: PaymentCodeId,
        /// For which wallet.
        wallet: WalletId,
        /// By its holder.
        holder: HolderId,
        /// Until when, in milliseconds from now.
        lifetime_ms: i64,
    },
    /// Pay, or hold for a later capture.
    Authorise(Authorise),
    /// Take what was authorised, or a part of it; the rest goes back.
    Capture {
        /// Which.
        payment: PaymentId,
        /// By this shop.
        shop: ShopId,
        /// How much; none: all.
        amount: Option<Yen>,
    },
    /// Give up an authorisation.
    Void {
        /// Which.
        payment: PaymentId,
        /// By this shop.
        shop: ShopId,
    },
    /// End an authorisation whose time ran out.
    Expire {
        /// Which.
        payment: PaymentId,
    },
    /// Give back what was captured, or a part of it.
    Refund {
        /// Its id.
        refund: RefundId,
        /// Of which payment.
        payment: PaymentId,
        /// By this shop.
        shop: ShopId,
        /// How much.
        amount: Yen,
    },
}

/// A payment that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorise {
    /// Its id.
    pub payment: PaymentId,
    /// Who pays.
    pub payer: Payer,
    /// Who is paid.
    pub shop: ShopId,
    /// How much.
    pub amount: Yen,
    /// Whether the shop takes it at once.
    pub capture: bool,
    /// What the shop calls it.
    pub reference: Option<Reference>,
    /// Where from.
    pub origin: Option<Origin>,
    /// The proof that was given.
    pub proof: Option<Proof>,
}

impl Command {
    pub(crate) fn subject(&self) -> (&'static str, Option<WalletId>, Yen) {
        match self {
            Self::IssueCode { wallet, .. } => ("payment.issue_code", Some(*wallet), Yen::ZERO),
            Self::Authorise(command) => {
                let wallet = match command.payer {
                    Payer::Holder(wallet, _) => Some(wallet),
                    Payer::Code(_) => None,
                };
                ("payment.authorise", wallet, command.amount)
            }
            Self::Capture { amount, .. } => ("payment.capture", None, amount.unwrap_or(Yen::ZERO)),
            Self::Void { .. } => ("payment.void", None, Yen::ZERO),
            Self::Expire { .. } => ("payment.expire", None, Yen::ZERO),
            Self::Refund { amount, .. } => ("payment.refund", None, *amount),
        }
    }
}

pub(crate) fn payment_key(id: PaymentId) -> Key {
    Key::new(table::PAYMENT, id.0)
}

pub(crate) fn keys(command: &Command, keys: &mut Vec<Key>) {
    match command {
        Command::IssueCode { code, wallet, .. } => {
            keys.extend([Key::new(table::PAYMENT_CODE, code.0), Key::new(table::WALLET, wallet.0)]);
        }
        Command::Authorise(authorise) => {
            keys.extend([
                payment_key(authorise.payment),
                Key::new(table::SHOP, authorise.shop.0),
                chart::key(chart::settlement(authorise.shop)),
                switches::KEY,
            ]);
            keys.push(match authorise.payer {
                Payer::Holder(wallet, _) => Key::new(table::WALLET, wallet.0),
                Payer::Code(code) => Key::new(table::PAYMENT_CODE, code.0),
            });
        }
        Command::Capture { payment, shop, .. } => {
            let accounts = [chart::settlement(*shop), chart::written_off()];
            keys.extend([payment_key(*payment), switches::KEY]);
            keys.extend(accounts.map(chart::key));
        }
        Command::Void { payment, .. } | Command::Expire { payment } | Command::Refund { payment, .. } => {
            keys.push(payment_key(*payment));
        }
    }
}

pub(crate) fn keys_further(command: &Command, rows: Rows<'_>, keys: &mut Vec<Key>) {
    match command {
        Command::IssueCode { .. } => {}
        Command::Authorise(authorise) => {
            if let Payer::Code(code) = authorise.payer {
                keys.extend(rows.payment_code(code).map(|code| Key::new(table::WALLET, code.wallet.0)));
            }
        }
        Command::Capture { payment, .. } => {
            keys.extend(rows.payment(*payment).map(|payment| Key::new(table::WALLET, payment.wallet.0)));
        }
        Command::Void { payment, .. } | Command::Expire { payment } | Command::Refund { payment, .. } => {
            let Some(payment) = rows.payment(*payment) else { return };
            keys.push(Key::new(table::WALLET, payment.wallet.0));
            let (settlement, receivable) = (chart::settlement(payment.shop), chart::receivable(payment.wallet));
            keys.extend([settlement, receivable, chart::suspense(None), chart::written_off()].map(chart::key));
        }
    }
}

pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment, context: &Context) -> Decided {
    match command {
        Command::IssueCode { code, wallet, holder, lifetime_ms } => {
            issue_code(rows, *code, *wallet, *holder, *lifetime_ms, moment, context)
        }
        Command::Authorise(command) => authorise::authorise(rows, command, moment, context),
        Command::Capture { payment, shop, amount } => capture(rows, *payment, *shop, *amount, moment, context),
        Command::Void { payment, shop } => void(rows, *payment, *shop, moment),
        Command::Expire { payment } => expire(rows, *payment, moment),
        Command::Refund { refund, payment, shop, amount } => {
            refund::refund(rows, *refund, *payment, *shop, *amount, moment)
        }
    }
}

/// Refusals in order: unknown or another's, id taken, closed, frozen, a lifetime that is over at once. A longer one than the
/// policy's is cut to that.
fn issue_code(
    rows: Rows<'_>,
    code: PaymentCodeId,
    id: WalletId,
    holder: HolderId,
    lifetime_ms: i64,
    moment: Moment,
    context: &Context,
) -> Decided {
    let wallet = rows.wallet_of(id, holder)?;
    if rows.payment_code(code).is_some() {
        return Err(Refusal::Taken { noun: Noun::PaymentCode, id: code.0 });
    }
    wallet.check_outflow()?;
    let lifetime_ms_max = context.policies.on(moment.now.day()).payment.code_ms_max;
    let expires = moment.now.plus_milliseconds(lifetime_ms.min(lifetime_ms_max));
    if expires <= moment.now {
        return Err(Refusal::Expired { noun: Noun::PaymentCode, at: expires });
    }
    let event = Event::CodeIssued { code, wallet: id, expires };
    Ok((vec![crate::Event::Payment(event)], Receipt::PaymentCode { id: code, expires }))
}

fn payment_of(rows: Rows<'_>, id: PaymentId, shop: ShopId) -> Result<&Payment, Refusal> {
    rows.payment(id).filter(|payment| payment.shop == shop).ok_or(Refusal::Unknown { noun: Noun::Payment })
}

fn check_authorised(payment: &Payment) -> Result<(), Refusal> {
    match payment.status {
        Status::Authorised => Ok(()),
        Status::Captured | Status::Voided | Status::Expired => {
            Err(Refusal::WrongStatus { noun: Noun::Payment, status: payment.status.into() })
        }
    }
}

/// Refusals in order: amount, unknown, stopped, clock, not authorised, out of time, closed or frozen by the desk or a debt, more
/// than was authorised.
///
/// A stop holds for what was authorised before it too: it is there so that no more yen reaches a shop from that moment on, a
/// stop that is lifted in time has cost nothing, and a capture that should not have been cannot be taken back from the shop.
/// So do the desk's freeze and a debt: what a bank took back may be the very money that is held. The holder's own freeze does
/// not: the shop has given its goods for what was held before, and whoever has them could else take the money back with a tap.
///
/// What is not captured goes back and frees the limits of the payment's date: the payment was that much smaller.
fn capture(
    rows: Rows<'_>,
    id: PaymentId,
    shop: ShopId,
    amount: Option<Yen>,
    moment: Moment,
    context: &Context,
) -> Decided {
    if amount == Some(Yen::ZERO) {
        return Err(Refusal::AmountZero);
    }
    let payment = payment_of(rows, id, shop)?;
    let wallet = rows.wallet(payment.wallet).ok_or(Refusal::Unknown { noun: Noun::Wallet })?;
    if let Some(switches) = rows.switches() {
        switches.check(Function::Payment, None, wallet.tier, &wallet.traits)?;
    }
    check_clock(moment)?;
    check_authorised(payment)?;
    let is_checked = !canary::active("expired_authorisation_is_captured");
    if let Some(at) = payment.expires.filter(|expires| is_checked && moment.now >= *expires) {
        return Err(Refusal::Expired { noun: Noun::Payment, at });
    }
    wallet.check_promised()?;
    let amount = amount.unwrap_or(payment.amount);
    check_limit(Limit::PerTime, payment.amount, Yen::ZERO, amount)?;
    let (parts, released) = event::split(&payment.pieces, amount);
    // Counted as young by the rules of its date, so freed by them too.
    let ageing = &context.policies.on(payment.accepted.day()).ageing;
    let young = ageing::young(&released, payment.accepted, ageing).min(payment.young);
    let event = Event::Captured {
        payment: id,
        wallet: payment.wallet,
        shop,
        parts,
        released,
        young,
        day: payment.accepted.day(),
        at: moment.now,
    };
    let receipt = Receipt::Payment {
        id,
        status: Status::Captured,
        amount: payment.amount,
        captured: amount,
        refunded: Yen::ZERO,
    };
    Ok((vec![crate::Event::Payment(event)], receipt))
}

/// Refusals in order: unknown, not authorised.
fn void(rows: Rows<'_>, id: PaymentId, shop: ShopId, moment: Moment) -> Decided {
    let payment = payment_of(rows, id, shop)?;
    check_authorised(payment)?;
    release(rows, id, payment, Status::Voided, moment)
}

/// Refusals in order: unknown, clock, not authorised, still has time.
fn expire(rows: Rows<'_>, id: PaymentId, moment: Moment) -> Decided {
    let payment = rows.payment(id).ok_or(Refusal::Unknown { noun: Noun::Payment })?;
    check_clock(moment)?;
    check_authorised(payment)?;
    if payment.expires.is_some_and(|expires| moment.now < expires) {
        return Err(Refusal::WrongStatus { noun: Noun::Payment, status: Standing::AuthorisedNotExpired });
    }
    release(rows, id, payment, Status::Expired, moment)
}

fn release(rows: Rows<'_>, id: PaymentId, payment: &Payment, status: Status, moment: Moment) -> Decided {
    let wallet = rows.wallet(payment.wallet).ok_or(Refusal::Unknown { noun: Noun::Wallet })?;
    let event = Event::Released {
        payment: id,
        wallet: payment.wallet,
        shop: payment.shop,
        pieces: payment.pieces.clone(),
        to_debts: owed(wallet, &payment.pieces),
        young: payment.young,
        day: payment.accepted.day(),
        status,
        at: moment.now,
    };
    let receipt = Receipt::Payment { id, status, amount: payment.amount, captured: Yen::ZERO, refunded: Yen::ZERO };
    Ok((vec![crate::Event::Payment(event)], receipt))
}
