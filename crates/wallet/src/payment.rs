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

mod event;
mod refund;

pub use event::{Event, Part};

use crate::ids::{HolderId, PaymentCodeId, PaymentId, RefundId, ShopId, WalletId};
use crate::purse::{Piece, Purse};
use crate::refusal::{Limit, Noun, Proof, Refusal};
use crate::state::{Decided, Rows};
use crate::switches::{self, Function};
use crate::traits::Origin;
use crate::wallet::{Wallet, check_limit};
use crate::{Context, Receipt, ageing, chart, guard, table};
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

fn payment_key(id: PaymentId) -> Key {
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
        Command::Capture { payment, shop, .. } | Command::Void { payment, shop } => {
            keys.extend([payment_key(*payment), chart::key(chart::settlement(*shop))]);
        }
        Command::Expire { payment } => keys.push(payment_key(*payment)),
        Command::Refund { payment, shop, .. } => {
            keys.extend([payment_key(*payment), chart::key(chart::settlement(*shop))]);
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
        Command::Capture { payment, .. } | Command::Void { payment, .. } => {
            keys.extend(rows.payment(*payment).map(|payment| Key::new(table::WALLET, payment.wallet.0)));
        }
        Command::Expire { payment } => {
            let Some(payment) = rows.payment(*payment) else { return };
            keys.push(Key::new(table::WALLET, payment.wallet.0));
            keys.push(chart::key(chart::settlement(payment.shop)));
        }
        Command::Refund { payment, .. } => {
            let Some(payment) = rows.payment(*payment) else { return };
            keys.push(Key::new(table::WALLET, payment.wallet.0));
            keys.push(chart::key(chart::receivable(payment.wallet)));
            keys.push(chart::key(chart::suspense(None)));
        }
    }
}

pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment, context: &Context) -> Decided {
    match command {
        Command::IssueCode { code, wallet, holder, lifetime_ms } => {
            issue_code(rows, *code, *wallet, *holder, *lifetime_ms, moment, context)
        }
        Command::Authorise(command) => authorise(rows, command, moment, context),
        Command::Capture { payment, shop, amount } => capture(rows, *payment, *shop, *amount, moment),
        Command::Void { payment, shop } => void(rows, *payment, *shop),
        Command::Expire { payment } => expire(rows, *payment, moment),
        Command::Refund { refund, payment, shop, amount } => {
            refund::refund(rows, *refund, *payment, *shop, *amount, moment)
        }
    }
}

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
        return Err(Refusal::IdTaken { noun: Noun::PaymentCode });
    }
    wallet.check_outflow()?;
    let lifetime_ms_max = context.policies.on(moment.now.day()).payment.code_ms_max;
    let expires = moment.now.plus_milliseconds(lifetime_ms.clamp(0, lifetime_ms_max));
    let event = Event::CodeIssued { code, wallet: id, expires };
    Ok((vec![crate::Event::Payment(event)], Receipt::PaymentCode { id: code, expires }))
}

/// Refusals in order: amount, unknown, id taken, code used or expired, switches, clock, closed or frozen, limits, guard,
/// funds, age of the money, the shop.
fn authorise(rows: Rows<'_>, command: &Authorise, moment: Moment, context: &Context) -> Decided {
    if command.amount.is_zero() {
        return Err(Refusal::AmountZero);
    }
    let (id, code) = payer(rows, command.payer, moment)?;
    let wallet = rows.wallet(id).ok_or(Refusal::Unknown { noun: Noun::Wallet })?;
    let shop = rows.shop(command.shop).ok_or(Refusal::Unknown { noun: Noun::Shop })?;
    if rows.payment(command.payment).is_some() {
        return Err(Refusal::IdTaken { noun: Noun::Payment });
    }
    if let Some(switches) = rows.switches() {
        switches.check(Function::Payment, None, wallet.tier, &wallet.traits)?;
    }
    if moment.clock_drifted {
        return Err(Refusal::ClockDrifted);
    }
    wallet.check_outflow()?;
    if shop.closed {
        return Err(Refusal::WrongStatus { noun: Noun::Shop, status: "closed".into() });
    }
    let policy = context.policies.on(moment.now.day());
    check_limit(Limit::PerTime, policy.payment.per_time_max, Yen::ZERO, command.amount)?;
    let paid_today = wallet.counters.payment.on(moment.now.day());
    check_limit(Limit::PerDay, policy.payment.per_day_max, paid_today, command.amount)?;
    ask_guard(id, wallet, command, moment, context)?;
    let pieces = choose(wallet, command.amount)?;
    let young = ageing::young(&pieces, moment.now, &policy.ageing);
    ageing::check(wallet, young, false, moment.now, &policy.ageing)?;

    let authorised = event::Authorised {
        payment: command.payment,
        wallet: id,
        shop: command.shop,
        at: moment.now,
        pieces,
        young,
        origin: wallet.traits.news(command.origin),
        code,
    };
    let (event, status, captured) = if command.capture {
        (Event::Paid(authorised), Status::Captured, command.amount)
    } else {
        let expires = moment.now.plus_milliseconds(policy.payment.authorisation_ms);
        (Event::Authorised { authorised, expires }, Status::Authorised, Yen::ZERO)
    };
    let receipt =
        Receipt::Payment { id: command.payment, status, amount: command.amount, captured, refunded: Yen::ZERO };
    Ok((vec![crate::Event::Payment(event)], receipt))
}

fn payer(rows: Rows<'_>, payer: Payer, moment: Moment) -> Result<(WalletId, Option<PaymentCodeId>), Refusal> {
    match payer {
        Payer::Holder(wallet, holder) => rows.wallet_of(wallet, holder).map(|_| (wallet, None)),
        Payer::Code(id) => {
            let code = rows.payment_code(id).ok_or(Refusal::Unknown { noun: Noun::PaymentCode })?;
            if code.used_by.is_some() {
                return Err(Refusal::WrongStatus { noun: Noun::PaymentCode, status: "used".into() });
            }
            if moment.now >= code.expires {
                return Err(Refusal::Expired { noun: Noun::PaymentCode, at: code.expires });
            }
            Ok((code.wallet, Some(id)))
        }
    }
}

/// Nobody waits at a till for a desk: what the guard would hold is refused.
fn ask_guard(
    id: WalletId,
    wallet: &Wallet,
    command: &Authorise,
    moment: Moment,
    context: &Context,
) -> Result<(), Refusal> {
    let attempt = guard::Attempt {
        function: Function::Payment,
        id: command.payment.0,
        wallet_id: id,
        wallet,
        amount: command.amount,
        bank: None,
        counterparty: Some(command.shop.0),
        origin: command.origin,
        now: moment.now,
    };
    match guard::ask(context.guard, &attempt, command.proof)? {
        None => Ok(()),
        Some(reason) => Err(Refusal::GuardRefused { reason }),
    }
}

/// The pieces of a payment: bonus, then prepaid, then funds, the oldest lot first.
fn choose(wallet: &Wallet, amount: Yen) -> Result<Vec<Piece>, Refusal> {
    let available = wallet.available();
    if amount > available {
        return Err(Refusal::InsufficientFunds { available, requested: amount });
    }
    let mut pieces = Vec::new();
    let mut left = amount;
    for purse in Purse::ALL {
        let balance = wallet.purse(purse);
        let taken = left.min(balance.account.available());
        let lots = balance.choose(taken, |_| true).unwrap_or_default();
        pieces.extend(lots.into_iter().map(|lot| Piece { purse, lot }));
        left = left.saturating_sub(taken);
    }
    check_pieces(&pieces)?;
    Ok(pieces)
}

/// Refuses a movement that would be made of too many lots.
pub(crate) fn check_pieces(pieces: &[Piece]) -> Result<(), Refusal> {
    if pieces.len() > PIECES_MAX {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        return Err(Refusal::LimitExceeded {
            limit: Limit::Pieces,
            at_most: count(PIECES_MAX),
            left: count(PIECES_MAX),
            requested: count(pieces.len()),
            from: None,
        });
    }
    Ok(())
}

fn payment_of(rows: Rows<'_>, id: PaymentId, shop: ShopId) -> Result<&Payment, Refusal> {
    rows.payment(id).filter(|payment| payment.shop == shop).ok_or(Refusal::Unknown { noun: Noun::Payment })
}

fn check_authorised(payment: &Payment) -> Result<(), Refusal> {
    match payment.status {
        Status::Authorised => Ok(()),
        Status::Captured | Status::Voided | Status::Expired => {
            Err(Refusal::WrongStatus { noun: Noun::Payment, status: payment.status.name().into() })
        }
    }
}

fn capture(rows: Rows<'_>, id: PaymentId, shop: ShopId, amount: Option<Yen>, moment: Moment) -> Decided {
    if amount == Some(Yen::ZERO) {
        return Err(Refusal::AmountZero);
    }
    let payment = payment_of(rows, id, shop)?;
    let wallet = rows.wallet(payment.wallet).ok_or(Refusal::Unknown { noun: Noun::Wallet })?;
    if moment.clock_drifted {
        return Err(Refusal::ClockDrifted);
    }
    check_authorised(payment)?;
    if let Some(at) = payment.expires.filter(|expires| moment.now >= *expires) {
        return Err(Refusal::Expired { noun: Noun::Payment, at });
    }
    wallet.check_outflow()?;
    let amount = amount.unwrap_or(payment.amount);
    check_limit(Limit::PerTime, payment.amount, Yen::ZERO, amount)?;
    let (parts, released) = event::split(&payment.pieces, amount);
    let event = Event::Captured { payment: id, wallet: payment.wallet, shop, parts, released, at: moment.now };
    let receipt = Receipt::Payment {
        id,
        status: Status::Captured,
        amount: payment.amount,
        captured: amount,
        refunded: Yen::ZERO,
    };
    Ok((vec![crate::Event::Payment(event)], receipt))
}

fn void(rows: Rows<'_>, id: PaymentId, shop: ShopId) -> Decided {
    let payment = payment_of(rows, id, shop)?;
    check_authorised(payment)?;
    Ok(release(id, payment, Status::Voided))
}

fn expire(rows: Rows<'_>, id: PaymentId, moment: Moment) -> Decided {
    let payment = rows.payment(id).ok_or(Refusal::Unknown { noun: Noun::Payment })?;
    check_authorised(payment)?;
    if payment.expires.is_some_and(|expires| moment.now < expires) {
        return Err(Refusal::WrongStatus { noun: Noun::Payment, status: "authorised, not yet expired".into() });
    }
    Ok(release(id, payment, Status::Expired))
}

fn release(id: PaymentId, payment: &Payment, status: Status) -> (Vec<crate::Event>, Receipt) {
    let event = Event::Released {
        payment: id,
        wallet: payment.wallet,
        shop: payment.shop,
        pieces: payment.pieces.clone(),
        young: payment.young,
        day: payment.accepted.day(),
        status,
    };
    let receipt = Receipt::Payment { id, status, amount: payment.amount, captured: Yen::ZERO, refunded: Yen::ZERO };
    (vec![crate::Event::Payment(event)], receipt)
}
