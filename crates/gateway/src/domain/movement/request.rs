//! Asking for a movement, and what the bank is asked when it is due.

use super::answer::never_sent;
use super::{Event, Kind, Movement, Next, Order, Receipt, Request, Status, Target};
use crate::domain::Context;
use crate::domain::account::Account;
use crate::domain::bank::{self, Function};
use crate::domain::calendar;
use crate::domain::ids::{AccountId, AccountRefId, BankCode, MandateId, MovementId, OperatorId};
use crate::domain::mandate::{self, Mandate};
use crate::domain::open::Thing;
use crate::domain::policy::Spread;
use crate::domain::refusal::{Limit, Noun, Refusal};
use crate::domain::share::Whose;
use crate::domain::state::{Decided, Rows, account_key, account_ref_key, bank_key, calendar_key};
use domain::{Key, Moment, Time};
use ledger::Yen;

pub(super) fn keys_further(request: &Request, rows: Rows<'_>, keys: &mut Vec<Key>) {
    let account = match request.target {
        Target::DebitOf(mandate) | Target::CreditOf(mandate) => {
            let Some(row) = rows.mandate(mandate) else { return };
            let Some(grant) = row.grant else { return };
            keys.push(account_ref_key(grant.account_ref));
            Some((row.bank, grant.account))
        }
        Target::CreditTo(id) => rows.account_ref(id).map(|row| (row.bank, row.account)),
        Target::ReturnOf { debit, .. } => rows.movement(debit).map(|row| (row.order.bank, row.order.account)),
    };
    let Some((bank, account)) = account else { return };
    keys.extend([
        bank_key(bank),
        calendar_key(bank),
        account_key(account),
        Thing::Movement(request.movement).page_key(bank),
    ]);
    keys.extend(Whose { operator: request.operator, bank, wallet: None }.keys());
}

/// Where the money is to come from or go to, once it is known that the operator may name it.
struct Place {
    bank: BankCode,
    account: AccountId,
    mandate: Option<MandateId>,
    account_ref: Option<AccountRefId>,
    of: Option<MovementId>,
    unconfirmed: Option<u32>,
}

/// Refusals in order: nothing asked for, unknown or another operator's, the reference taken, the clock, the bank's switch,
/// the status of what it hangs on, the limits, too much open of the operator, no room. The same again is answered by what became of it.
pub(super) fn request(rows: Rows<'_>, command: &Request, moment: Moment, context: &Context) -> Decided {
    if command.amount.is_zero() {
        return Err(Refusal::AmountZero);
    }
    if let Some(row) = rows.movement(command.movement) {
        return again(command, row);
    }
    let place = place_of(rows, command, moment, context)?;
    let whose = Whose { operator: command.operator, bank: place.bank, wallet: None };
    whose.check(rows, context)?;
    rows.check_room(Thing::Movement(command.movement), place.bank)?;
    let order = Order {
        kind: command.target.kind(),
        operator: command.operator,
        reference: command.reference.clone(),
        bank: place.bank,
        account: place.account,
        mandate: place.mandate,
        account_ref: place.account_ref,
        of: place.of,
        amount: command.amount,
        unconfirmed: place.unconfirmed,
        accepted: moment.now,
    };
    // A bank that is closed is asked when it opens; until then it knows nothing of this.
    let opens = calendar::open_from(rows, place.bank, moment.now);
    let is_closed = opens > moment.now;
    let at_once = command.at_once && !is_closed;
    let due = if is_closed { opens } else { moment.now.plus_milliseconds(context.policy.retry_ms(1, command.spread)) };
    let receipt = Receipt::Movement {
        id: command.movement,
        bank: place.bank,
        status: Status::Pending,
        next: at_once.then_some(Next::Send),
        due,
        settled: None,
        code: None,
        since: moment.now,
    };
    let event = Event::Requested { movement: command.movement, order, at_once, due };
    Ok((vec![crate::domain::Event::Movement(event), whose.opened()], receipt))
}

fn again(command: &Request, row: &Movement) -> Decided {
    let order = &row.order;
    let is_same_place = match command.target {
        Target::DebitOf(mandate) => order.mandate == Some(mandate),
        Target::CreditOf(mandate) => order.mandate == Some(mandate),
        Target::CreditTo(account_ref) => order.mandate.is_none() && order.account_ref == Some(account_ref),
        Target::ReturnOf { debit, .. } => order.of == Some(debit),
    };
    let is_same = order.operator == command.operator
        && order.reference == command.reference
        && order.kind == command.target.kind()
        && order.amount == command.amount
        && is_same_place;
    if is_same { row.silent(command.movement) } else { Err(Refusal::ReferenceTaken { noun: order.kind.noun() }) }
}

fn place_of(rows: Rows<'_>, command: &Request, moment: Moment, context: &Context) -> Result<Place, Refusal> {
    match command.target {
        Target::DebitOf(id) => debit(rows, command, id, moment, context),
        Target::CreditOf(id) => {
            let row = mandate_of(rows, command, id)?;
            let grant = row.grant.ok_or(Refusal::Unknown { noun: Noun::Mandate })?;
            credit(rows, command, grant.account_ref, Some(id), moment, context)
        }
        Target::CreditTo(id) => credit(rows, command, id, None, moment, context),
        Target::ReturnOf { debit, events_read } => give_back(rows, command, debit, events_read, moment),
    }
}

fn mandate_of<'a>(rows: Rows<'a>, command: &Request, id: MandateId) -> Result<&'a Mandate, Refusal> {
    let row = rows.mandate(id).filter(|row| row.operator == command.operator);
    row.ok_or(Refusal::Unknown { noun: Noun::Mandate })
}

const fn check_clock(moment: Moment) -> Result<(), Refusal> {
    if moment.clock_drifted { Err(Refusal::ClockDrifted) } else { Ok(()) }
}

fn debit(
    rows: Rows<'_>,
    command: &Request,
    id: MandateId,
    moment: Moment,
    context: &Context,
) -> Result<Place, Refusal> {
    let row = mandate_of(rows, command, id)?;
    let unknown = Refusal::Unknown { noun: Noun::Mandate };
    // A mandate without a grant has no account yet: nothing can be debited by it.
    let wrong_status = Refusal::WrongStatus { noun: Noun::Mandate, status: row.status.name().into() };
    let Some(grant) = row.grant else { return Err(wrong_status) };
    let account = rows.account(grant.account).ok_or(unknown)?;
    check_clock(moment)?;
    bank::check(rows, row.bank, Function::Debit)?;
    if row.status != mandate::Status::Active {
        return Err(wrong_status);
    }
    check_limits(row, account, command.amount, moment.now, context)?;
    Ok(Place {
        bank: row.bank,
        account: grant.account,
        mandate: Some(id),
        account_ref: Some(grant.account_ref),
        of: None,
        unconfirmed: (!row.is_confirmed()).then_some(account.confirmations),
    })
}

/// Limits in order: the gateway's own, what the holder consented to, and what an unconfirmed mandate may do.
fn check_limits(row: &Mandate, account: &Account, asked: Yen, now: Time, context: &Context) -> Result<(), Refusal> {
    let policy = &context.policy;
    let day = now.day();
    let check = |limit, allowed: Yen, used: Yen| {
        let fits = used.checked_add(asked).is_some_and(|sum| sum <= allowed);
        if fits { Ok(()) } else { Err(Refusal::OverLimit { limit, allowed, used, asked }) }
    };
    check(Limit::PerMovement, policy.amount_max, Yen::ZERO)?;
    check(Limit::PerTime, row.limits.per_time, Yen::ZERO)?;
    check(Limit::PerMonth, row.limits.per_month, row.debited.in_month(day))?;
    if row.is_confirmed() {
        return Ok(());
    }
    check(Limit::UnconfirmedPerDay, policy.unconfirmed.per_day, account.unconfirmed.on(day))?;
    check(Limit::UnconfirmedTotal, policy.unconfirmed.total, account.unconfirmed_total)
}

fn credit(
    rows: Rows<'_>,
    command: &Request,
    id: AccountRefId,
    mandate: Option<MandateId>,
    moment: Moment,
    context: &Context,
) -> Result<Place, Refusal> {
    let row = rows.account_ref(id).filter(|row| row.operator == command.operator);
    let row = row.ok_or(Refusal::Unknown { noun: Noun::Account })?;
    check_clock(moment)?;
    bank::check(rows, row.bank, Function::Credit)?;
    if !row.is_open {
        return Err(Refusal::WrongStatus { noun: Noun::Account, status: "closed for payouts".into() });
    }
    if command.amount > context.policy.amount_max {
        let (limit, allowed, asked) = (Limit::PerMovement, context.policy.amount_max, command.amount);
        return Err(Refusal::OverLimit { limit, allowed, used: Yen::ZERO, asked });
    }
    Ok(Place { bank: row.bank, account: row.account, mandate, account_ref: Some(id), of: None, unconfirmed: None })
}

/// A debit goes back to where it came from, whatever became of its mandate and whichever switch was pulled since; only not while
/// whoever asks has not read what the bank said against it.
fn give_back(
    rows: Rows<'_>,
    command: &Request,
    id: MovementId,
    events_read: u64,
    moment: Moment,
) -> Result<Place, Refusal> {
    let is_its = |row: &&Movement| row.order.operator == command.operator && row.order.kind == Kind::Debit;
    let row = rows.movement(id).filter(is_its).ok_or(Refusal::Unknown { noun: Noun::Debit })?;
    check_clock(moment)?;
    let settled = match row.status {
        Status::Settled => row.settled().unwrap_or(Yen::ZERO),
        Status::Pending | Status::InDoubt | Status::Declined | Status::Reversed => {
            return Err(Refusal::WrongStatus { noun: Noun::Debit, status: row.status.name().into() });
        }
    };
    if row.claimed.is_some_and(|claimed| !has_read(rows, command.operator, events_read, claimed)) {
        return Err(Refusal::Unread { noun: Noun::Debit });
    }
    if row.returned.checked_add(command.amount).is_none_or(|sum| sum > settled) {
        let (limit, used, asked) = (Limit::Debited, row.returned, command.amount);
        return Err(Refusal::OverLimit { limit, allowed: settled, used, asked });
    }
    Ok(Place {
        bank: row.order.bank,
        account: row.order.account,
        mandate: None,
        account_ref: None,
        of: Some(id),
        unconfirmed: None,
    })
}

/// Whether `operator` has read all that it was told until `at`, if the event of that number is the last one that it has read.
fn has_read(rows: Rows<'_>, operator: OperatorId, events_read: u64, at: Time) -> bool {
    // Whoever has read more than there is has read something else: the books were restored.
    let has_read_all = rows.operator(operator).is_none_or(|operator| events_read == operator.told);
    has_read_all || rows.told(operator, events_read).is_some_and(|told| told.at > at)
}

impl Movement {
    /// Whether the account still lacks what was debited from it, as far as the bank has said since `from`.
    fn is_lacking_since(&self, from: Time) -> bool {
        self.status == Status::Settled && self.claimed.is_none_or(|claimed| claimed < from)
    }
}

/// What the bank is to be asked: nothing while it is closed. It is asked to move the money anew only when it does not know of it, and only while that
/// is still permitted; else what became of it.
pub(super) fn take(
    rows: Rows<'_>,
    id: MovementId,
    row: &Movement,
    (by_file, spread): (bool, Spread),
    moment: Moment,
    context: &Context,
) -> Decided {
    if !row.status.is_open() {
        return row.silent(id);
    }
    let debit = row.order.of.and_then(|debit| rows.movement(debit));
    let is_lacking = debit.is_some_and(|debit| debit.is_lacking_since(row.order.accepted));
    if row.order.kind == Kind::Return && row.sent.is_none() && !is_lacking {
        return never_sent(rows, id, row, moment.now);
    }
    let opens = calendar::open_from(rows, row.order.bank, moment.now);
    if opens > moment.now && !by_file {
        let closed = Movement { due: opens, ..row.clone() };
        return closed.silent(id);
    }
    let is_permitted = match row.order.kind {
        Kind::Debit => {
            let mandate = row.order.mandate.and_then(|mandate| rows.mandate(mandate));
            mandate.is_some_and(|mandate| mandate.status == mandate::Status::Active)
                && bank::check(rows, row.order.bank, Function::Debit).is_ok()
                && !moment.clock_drifted
        }
        Kind::Credit => !moment.clock_drifted,
        Kind::Return => is_lacking && !moment.clock_drifted,
    };
    let next = if row.absent && is_permitted { Next::Send } else { Next::Inquire };
    let due = moment.now.plus_milliseconds(context.policy.retry_ms(row.asked.saturating_add(1), spread));
    let event = Event::Taken { movement: id, next, due, at: moment.now };
    let receipt = Receipt::Movement {
        id,
        bank: row.order.bank,
        status: Status::InDoubt,
        next: Some(next),
        due,
        settled: None,
        code: None,
        since: if row.status == Status::InDoubt { row.since } else { moment.now },
    };
    Ok((vec![crate::domain::Event::Movement(event)], receipt))
}
