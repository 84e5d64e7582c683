//! Send (送金): wallet to wallet, both of identified holders, out of `funds` alone.
//!
//! | status | meaning |
//! |---|---|
//! | `held` | the guard wants a look: the money left the sender's purse and has not arrived; has a deadline |
//! | `completed` | the recipient has it, as one lot that names the send; the send names the lots it was made of |
//! | `given_up` · `expired` | the desk said no · nobody decided in time; the sender has it back |
//!
//! What arrives is young money again, whatever its age was before: each hop gives victims and banks their day to notice.
//! Start reading at [`decide`]; what each event does to balances is one function, [`Event::effects`].

mod event;

pub use event::{Event, Sent};

use crate::ageing;
use crate::bank_answer::Review;
use crate::canary;
use crate::holder::Sealed;
use crate::ids::{HolderId, PersonId, SendId, StaffId, WalletId};
use crate::limits::{check_limit, check_limit_until};
use crate::payment::few;
use crate::policy::Policy;
use crate::purse::{self, Lot, Piece, Purse};
use crate::refusal::{Limit, Noun, Proof, Refusal, Unable};
use crate::standing::Standing;
use crate::state::{Decided, Rows, check_clock};
use crate::switches::{self, Function, Switches};
use crate::traits::Origin;
use crate::wallet::{Wallet, owed};
use crate::{Context, Receipt, chart, guard, table};
use domain::{Key, Moment, Time};
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// A send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Send {
    /// Whose money it was.
    pub from: WalletId,
    /// Whose it is to be.
    pub to: WalletId,
    /// How far it is.
    pub status: Status,
    /// How much.
    pub amount: Yen,
    /// When it was accepted; its business date counts for limits.
    pub accepted: Time,
    /// The young money in it, which counted on its business date.
    pub young: Yen,
    /// The sender's lots that it was made of.
    pub lots: Vec<Lot>,
    /// Why it was held, if it was.
    pub review: Option<Review>,
    /// What the sender writes.
    pub message: Option<Sealed>,
    /// Who the sender is, if identified: on whose limits it counts.
    pub person: Option<PersonId>,
}

/// How far a send is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Waits for the desk.
    Held,
    /// The recipient has it.
    Completed,
    /// The desk said no.
    GivenUp,
    /// Nobody decided in time.
    Expired,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Held, Self::Completed, Self::GivenUp, Self::Expired];

    /// The status as the API and the tables show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Completed => "completed",
            Self::GivenUp => "given_up",
            Self::Expired => "expired",
        }
    }
}

/// What is asked of sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Send.
    Request(Request),
    /// The desk has looked at a held one.
    DecideHeld {
        /// Which.
        send: SendId,
        /// Whether it goes on.
        release: bool,
        /// Who says so.
        by: StaffId,
    },
    /// Nobody looked at a held one in time.
    ExpireHeld {
        /// Which.
        send: SendId,
    },
}

/// A send that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub send: SendId,
    /// From which wallet.
    pub wallet: WalletId,
    /// By its holder.
    pub holder: HolderId,
    /// To which wallet.
    pub to: WalletId,
    /// How much.
    pub amount: Yen,
    /// What the sender writes.
    pub message: Option<Sealed>,
    /// Where from.
    pub origin: Option<Origin>,
    /// The proof that was given.
    pub proof: Option<Proof>,
}

impl Command {
    pub(crate) const fn subject(&self) -> (&'static str, Option<WalletId>, Yen) {
        match self {
            Self::Request(request) => ("send.request", Some(request.wallet), request.amount),
            Self::DecideHeld { .. } => ("send.decide_held", None, Yen::ZERO),
            Self::ExpireHeld { .. } => ("send.expire_held", None, Yen::ZERO),
        }
    }
}

const fn send_key(id: SendId) -> Key {
    Key::new(table::SEND, id.0)
}

pub(crate) fn keys(command: &Command, keys: &mut Vec<Key>) {
    match command {
        Command::Request(request) => keys.extend([
            send_key(request.send),
            Key::new(table::WALLET, request.wallet.0),
            Key::new(table::WALLET, request.to.0),
            switches::KEY,
        ]),
        Command::DecideHeld { send, .. } => keys.extend([send_key(*send), switches::KEY]),
        Command::ExpireHeld { send } => keys.push(send_key(*send)),
    }
}

pub(crate) fn keys_further(command: &Command, rows: Rows<'_>, keys: &mut Vec<Key>) {
    let send = match command {
        Command::Request(_) => None,
        Command::DecideHeld { send, .. } | Command::ExpireHeld { send } => rows.send(*send),
    };
    let sender = match command {
        Command::Request(request) => rows.wallet(request.wallet).and_then(|wallet| wallet.person),
        Command::DecideHeld { .. } | Command::ExpireHeld { .. } => send.and_then(|send| send.person),
    };
    keys.extend(sender.map(|person| Key::new(table::PERSON, person.0)));
    if let Some(send) = send {
        keys.extend([send.from, send.to].map(|wallet| Key::new(table::WALLET, wallet.0)));
        keys.extend([chart::receivable(send.from), chart::written_off()].map(chart::key));
    }
}

pub(crate) fn decide(rows: Rows<'_>, command: &Command, moment: Moment, context: &Context) -> Decided {
    match command {
        Command::Request(command) => request(rows, command, moment, context),
        Command::DecideHeld { send, release: true, by } => release(rows, *send, *by, moment, context),
        Command::DecideHeld { send, release: false, by } => give_up(rows, *send, *by, moment),
        Command::ExpireHeld { send } => expire(rows, *send, moment),
    }
}

/// Refusals in order: amount, message too long, unknown (the wallet, the recipient), id taken, stopped, clock, closed,
/// frozen, tier, what keeps the recipient from receiving, too small, limits, funds, what the money is made of, step-up, guard.
fn request(rows: Rows<'_>, command: &Request, moment: Moment, context: &Context) -> Decided {
    if command.amount.is_zero() {
        return Err(Refusal::AmountZero);
    }
    if let Some(message) = &command.message {
        message.check(Noun::Send)?;
    }
    let wallet = rows.wallet_of(command.wallet, command.holder)?;
    let recipient = rows.wallet(command.to).ok_or(Refusal::Unknown { noun: Noun::Recipient })?;
    if rows.send(command.send).is_some() {
        return Err(Refusal::Taken { noun: Noun::Send, id: command.send.0 });
    }
    if let Some(switches) = rows.switches() {
        switches.check(Function::Send, None, wallet.tier, &wallet.traits)?;
    }
    if moment.clock_drifted {
        return Err(Refusal::ClockDrifted);
    }
    if !canary::active("frozen_wallet_sends") {
        wallet.check_outflow()?;
    }
    let policy = &*rows.policy(context, moment);
    wallet.check_tier(policy.send.tier_min)?;
    if command.to == command.wallet {
        return Err(Refusal::RecipientUnable { why: Unable::Sender });
    }
    check_recipient(recipient, command.amount, rows.switches(), policy)?;
    let pieces = check_money(rows, wallet, command, moment, policy)?;
    let reason = ask_guard(wallet, command, moment, context)?;

    let sent = Sent {
        send: command.send,
        from: command.wallet,
        to: command.to,
        at: moment.now,
        young: ageing::young(&pieces, moment.now, &policy.ageing),
        lots: pieces.into_iter().map(|piece| piece.lot).collect(),
        origin: wallet.traits.news(command.origin),
        message: command.message.clone(),
    };
    let (event, status) = match reason {
        None => (Event::Completed(sent), Status::Completed),
        Some(reason) => {
            let review = Review { reason, deadline: moment.now.plus_milliseconds(policy.review_ms) };
            (Event::Held { sent, review }, Status::Held)
        }
    };
    let (id, day, amount) = (command.send, moment.now.day(), command.amount);
    let counted = wallet.person.map(|person| Event::PersonCounted { send: id, person, day, amount });
    let events = std::iter::once(event).chain(counted).map(crate::Event::Send).collect();
    Ok((events, Receipt::Send { id, status, amount }))
}

/// Whether the recipient can take `amount`. One refusal for every reason: what keeps a wallet from receiving is its
/// holder's own affair, and the edge tells a sender no more than that it cannot.
fn check_recipient(
    recipient: &Wallet,
    amount: Yen,
    switches: Option<&Switches>,
    policy: &Policy,
) -> Result<(), Refusal> {
    let unable = |why| Err(Refusal::RecipientUnable { why });
    let stopped = switches
        .is_some_and(|switches| switches.check(Function::Send, None, recipient.tier, &recipient.traits).is_err());
    if recipient.closed {
        return unable(Unable::Closed);
    }
    if stopped {
        return unable(Unable::Stopped);
    }
    if recipient.check_outflow().is_err() {
        return unable(Unable::Frozen);
    }
    if recipient.tier < policy.send.tier_min {
        return unable(Unable::Tier);
    }
    let is_full = recipient.check_inflow(Purse::Funds, amount, &policy.balance).is_err();
    if is_full && !canary::active("recipient_cap_is_ignored") {
        return unable(Unable::Full);
    }
    Ok(())
}

/// The sender's pieces, oldest first if they are not too many, within every limit.
fn check_money(
    rows: Rows<'_>,
    wallet: &Wallet,
    command: &Request,
    moment: Moment,
    policy: &Policy,
) -> Result<Vec<Piece>, Refusal> {
    let least = policy.send.per_time_min;
    if command.amount < least {
        return Err(Refusal::AmountTooSmall { least, requested: command.amount });
    }
    check_limit(Limit::PerTime, policy.send.per_time_max, Yen::ZERO, command.amount)?;
    let (today, at_most) = (moment.now.day(), policy.send.per_day_max);
    let tomorrow = || Some(today.plus(1));
    check_limit_until(Limit::PerDay, at_most, wallet.counters.send.on(today), command.amount, tomorrow)?;
    if let Some(person) = wallet.person.and_then(|person| rows.person(person)) {
        check_limit_until(Limit::PersonPerDay, at_most, person.counters.send.on(today), command.amount, tomorrow)?;
    }
    let available = wallet.free(Purse::Funds);
    let lots = purse::choose(&wallet.free_lots(Purse::Funds), command.amount)
        .ok_or(Refusal::InsufficientFunds { available, requested: command.amount })?;
    let pieces: Vec<_> = lots.into_iter().map(|lot| Piece { purse: Purse::Funds, lot }).collect();
    let pieces = few(pieces, || wallet.pieces(&[Purse::Funds]))?;
    let young = ageing::young(&pieces, moment.now, &policy.ageing);
    ageing::check(wallet, young, true, moment.now, &policy.ageing)?;
    Ok(pieces)
}

fn ask_guard(wallet: &Wallet, command: &Request, moment: Moment, context: &Context) -> Result<Option<u16>, Refusal> {
    let attempt = guard::Attempt {
        function: Function::Send,
        id: command.send.0,
        wallet_id: command.wallet,
        wallet,
        amount: command.amount,
        bank: None,
        linked: None,
        counterparty: Some(command.to.0),
        origin: command.origin,
        now: moment.now,
    };
    guard::ask(context, &attempt, command.proof)
}

fn held(rows: Rows<'_>, id: SendId) -> Result<(&Send, Review), Refusal> {
    let send = rows.send(id).ok_or(Refusal::Unknown { noun: Noun::Send })?;
    match (send.status, send.review) {
        (Status::Held, Some(review)) => Ok((send, review)),
        (Status::Held | Status::Completed | Status::GivenUp | Status::Expired, _) => {
            Err(Refusal::WrongStatus { noun: Noun::Send, status: send.status.into() })
        }
    }
}

/// The desk found nothing wrong; everything that can have changed meanwhile is looked at again. Refusals in order: unknown,
/// stopped, clock, not held, out of time, the sender frozen, what keeps the recipient from receiving.
fn release(rows: Rows<'_>, id: SendId, by: StaffId, moment: Moment, context: &Context) -> Decided {
    let send = rows.send(id).ok_or(Refusal::Unknown { noun: Noun::Send })?;
    let from = rows.wallet(send.from).ok_or(Refusal::Unknown { noun: Noun::Wallet })?;
    let to = rows.wallet(send.to).ok_or(Refusal::Unknown { noun: Noun::Recipient })?;
    if let Some(switches) = rows.switches() {
        switches.check(Function::Send, None, from.tier, &from.traits)?;
    }
    if moment.clock_drifted {
        return Err(Refusal::ClockDrifted);
    }
    let (_, review) = held(rows, id)?;
    if moment.now >= review.deadline {
        return Err(Refusal::Expired { noun: Noun::Send, at: review.deadline });
    }
    from.check_outflow()?;
    // The amount has been on its way to the recipient all the time and is counted there: no more room is needed.
    check_recipient(to, Yen::ZERO, rows.switches(), &rows.policy(context, moment))?;
    let event = Event::Released { send: id, from: send.from, to: send.to, amount: send.amount, by, at: moment.now };
    Ok((vec![crate::Event::Send(event)], Receipt::Send { id, status: Status::Completed, amount: send.amount }))
}

/// Refusals in order: unknown, not held.
fn give_up(rows: Rows<'_>, id: SendId, by: StaffId, moment: Moment) -> Decided {
    let (send, _) = held(rows, id)?;
    give_back(rows, id, send, Status::GivenUp, Some(by), moment)
}

/// Refusals in order: unknown, clock, not held, there is still time to decide.
fn expire(rows: Rows<'_>, id: SendId, moment: Moment) -> Decided {
    rows.send(id).ok_or(Refusal::Unknown { noun: Noun::Send })?;
    check_clock(moment)?;
    let (send, review) = held(rows, id)?;
    if moment.now < review.deadline {
        return Err(Refusal::WrongStatus { noun: Noun::Send, status: Standing::HeldNotExpired });
    }
    give_back(rows, id, send, Status::Expired, None, moment)
}

fn give_back(rows: Rows<'_>, id: SendId, send: &Send, status: Status, by: Option<StaffId>, moment: Moment) -> Decided {
    let from = rows.wallet(send.from).ok_or(Refusal::Unknown { noun: Noun::Wallet })?;
    let pieces: Vec<_> = send.lots.iter().map(|lot| Piece { purse: Purse::Funds, lot: *lot }).collect();
    let event = Event::GivenBack {
        send: id,
        from: send.from,
        to: send.to,
        amount: send.amount,
        to_debts: owed(from, &pieces),
        pieces,
        young: send.young,
        day: send.accepted.day(),
        status,
        by,
        at: moment.now,
    };
    let (day, amount) = (send.accepted.day(), send.amount);
    let freed = send.person.map(|person| Event::PersonFreed { send: id, person, day, amount });
    let events = std::iter::once(event).chain(freed).map(crate::Event::Send).collect();
    Ok((events, Receipt::Send { id, status, amount }))
}
