//! Whether a payment may be made, and of which money.

use super::event::{self, Event};
use super::{Authorise, PIECES_MAX, Payer, PaymentCode, Status};
use crate::ids::{PaymentCodeId, WalletId};
use crate::limits::{check_limit, check_limit_until};
use crate::policy::{AgeingPolicy, Policy};
use crate::purse::{self, Piece, Purse, largest};
use crate::refusal::{Limit, Noun, Proof, Refusal};
use crate::shop::Shop;
use crate::standing::Standing;
use crate::state::{Decided, Rows};
use crate::switches::Function;
use crate::wallet::Wallet;
use crate::{Context, Receipt, ageing, guard};
use domain::Moment;
use ledger::Yen;

/// Refusals in order: amount, unknown (the code, the wallet, the shop), id taken, stopped, clock, closed or used (the code,
/// the wallet, the shop), the code ran out, frozen, limits, funds, what the money is made of, step-up, guard.
pub(super) fn authorise(rows: Rows<'_>, command: &Authorise, moment: Moment, context: &Context) -> Decided {
    if command.amount.is_zero() {
        return Err(Refusal::AmountZero);
    }
    let (id, wallet, code) = payer(rows, command.payer)?;
    let shop = rows.shop(command.shop).ok_or(Refusal::Unknown { noun: Noun::Shop })?;
    if rows.payment(command.payment).is_some() {
        return Err(Refusal::Taken { noun: Noun::Payment, id: command.payment.0 });
    }
    if let Some(switches) = rows.switches() {
        switches.check(Function::Payment, None, wallet.tier, &wallet.traits)?;
    }
    if moment.clock_drifted {
        return Err(Refusal::ClockDrifted);
    }
    check_usable(wallet, shop, code.map(|(_, code)| code), moment)?;
    let policy = &*rows.policy(context, moment);
    check_limit(Limit::PerTime, policy.payment.per_time_max, Yen::ZERO, command.amount)?;
    let today = moment.now.day();
    let (at_most, paid_today) = (policy.payment.per_day_max, wallet.counters.payment.on(today));
    check_limit_until(Limit::PerDay, at_most, paid_today, command.amount, || Some(today.plus(1)))?;
    let pieces = choose(wallet, command.amount)?;
    let young = ageing::young(&pieces, moment.now, &policy.ageing);
    check_proof(command, wallet, young, moment, policy)?;
    ask_guard(id, wallet, command, moment, context)?;

    let authorised = event::Authorised {
        payment: command.payment,
        wallet: id,
        shop: command.shop,
        at: moment.now,
        pieces,
        young,
        origin: wallet.traits.news(command.origin),
        code: code.map(|(id, _)| id),
    };
    let (event, status, captured) = if command.capture {
        (Event::Paid(authorised), Status::Captured, command.amount)
    } else {
        let expires = moment.now.plus_milliseconds(policy.payment.authorisation_ms);
        (Event::Authorised { authorised, expires }, Status::Authorised, Yen::ZERO)
    };
    let receipt =
        Receipt::Payment { id: command.payment, status, amount: command.amount, captured, refunded: Yen::ZERO };
    let mut events = vec![crate::Event::Payment(event)];
    if let Some(reference) = &command.reference {
        let event = Event::Referenced { payment: command.payment, reference: reference.clone() };
        events.push(crate::Event::Payment(event));
    }
    Ok((events, receipt))
}

type Payers<'a> = (WalletId, &'a Wallet, Option<(PaymentCodeId, &'a PaymentCode)>);

fn payer(rows: Rows<'_>, payer: Payer) -> Result<Payers<'_>, Refusal> {
    match payer {
        Payer::Holder(id, holder) => rows.wallet_of(id, holder).map(|wallet| (id, wallet, None)),
        Payer::Code(id) => {
            let code = rows.payment_code(id).ok_or(Refusal::Unknown { noun: Noun::PaymentCode })?;
            let wallet = rows.wallet(code.wallet).ok_or(Refusal::Unknown { noun: Noun::Wallet })?;
            Ok((code.wallet, wallet, Some((id, code))))
        }
    }
}

fn check_usable(wallet: &Wallet, shop: &Shop, code: Option<&PaymentCode>, moment: Moment) -> Result<(), Refusal> {
    if code.is_some_and(|code| code.used_by.is_some()) {
        return Err(Refusal::WrongStatus { noun: Noun::PaymentCode, status: Standing::Used });
    }
    wallet.check_open()?;
    if shop.closed {
        return Err(Refusal::WrongStatus { noun: Noun::Shop, status: Standing::Closed });
    }
    if let Some(code) = code.filter(|code| moment.now >= code.expires) {
        return Err(Refusal::Expired { noun: Noun::PaymentCode, at: code.expires });
    }
    wallet.check_outflow()
}

/// Refuses what is too young to leave. Its holder who pays on line may give a second proof, for which more may; whatever is
/// more than a little takes that proof always. Nobody gives one at a till.
fn check_proof(
    command: &Authorise,
    wallet: &Wallet,
    young: Yen,
    moment: Moment,
    policy: &Policy,
) -> Result<(), Refusal> {
    let unproven = ageing::check(wallet, young, false, moment.now, &policy.ageing);
    if matches!(command.payer, Payer::Code(_)) {
        return unproven;
    }
    let most = policy.ageing.proven_per_day_max.max(policy.ageing.per_day_max);
    let proven = AgeingPolicy { per_day_max: most, ..policy.ageing.clone() };
    ageing::check(wallet, young, false, moment.now, &proven)?;
    let takes_proof = unproven.is_err() || command.amount > policy.payment.unproven_per_time_max;
    if takes_proof && command.proof.is_none() {
        return Err(Refusal::StepUpRequired { proof: Proof::SecondFactor });
    }
    Ok(())
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
        linked: None,
        counterparty: Some(command.shop.0),
        origin: command.origin,
        now: moment.now,
    };
    match guard::ask(context, &attempt, command.proof)? {
        None => Ok(()),
        Some(reason) => Err(Refusal::GuardRefused { reason }),
    }
}

/// The pieces of a payment: bonus, then prepaid, then funds, the oldest lot first. If those are too many, the largest of all
/// purses: who was given a little by many can always pay if as many lots as a movement may have are enough.
fn choose(wallet: &Wallet, amount: Yen) -> Result<Vec<Piece>, Refusal> {
    let available = Yen::checked_sum(Purse::ALL.map(|purse| wallet.free(purse))).unwrap_or(Yen::MAX);
    if amount > available {
        return Err(Refusal::InsufficientFunds { available, requested: amount });
    }
    let mut pieces = Vec::new();
    let mut left = amount;
    for purse in Purse::ALL {
        let taken = left.min(wallet.free(purse));
        let lots = purse::choose(&wallet.free_lots(purse), taken).unwrap_or_default();
        pieces.extend(lots.into_iter().map(|lot| Piece { purse, lot }));
        left = left.saturating_sub(taken);
    }
    few(pieces, || wallet.pieces(&Purse::ALL))
}

/// `chosen`, or as much of the largest pieces `there` if that is too many for a movement. Refuses if those are too many too.
pub(crate) fn few(chosen: Vec<Piece>, there: impl FnOnce() -> Vec<Piece>) -> Result<Vec<Piece>, Refusal> {
    if chosen.len() <= PIECES_MAX {
        return Ok(chosen);
    }
    let amount = Yen::checked_sum(chosen.iter().map(|piece| piece.lot.amount)).unwrap_or(Yen::MAX);
    let largest = largest(there(), amount);
    if largest.len() > PIECES_MAX {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        return Err(Refusal::LimitExceeded {
            limit: Limit::Pieces,
            at_most: count(PIECES_MAX),
            left: count(PIECES_MAX),
            requested: count(largest.len()),
            from: None,
        });
    }
    Ok(largest)
}
