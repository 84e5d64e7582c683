//! A payout is asked for: every rule that stands before the bank is asked, and which lots go.

use super::{Credit, Event, Request, Status};
use crate::bank_account::BankAccount;
use crate::bank_answer::Review;
use crate::effect::Counters;
use crate::ids::{BankAccountId, BankCode};
use crate::limits::{check_limit, next_month};
use crate::payment::few;
use crate::policy::Policy;
use crate::purse::{Lot, Piece, Purse, Source};
use crate::refusal::{Limit, Noun, Refusal};
use crate::state::{Decided, Rows, check_clock};
use crate::switches::Function;
use crate::wallet::{self, Wallet, close};
use crate::{Context, Receipt, ageing, guard};
use domain::{Day, Moment, Time};
use ledger::Yen;

/// Refusals in order: amount, unknown (an account that is no payout route of this wallet is none), id taken, switches,
/// clock, closed or frozen, tier, limits, funds, age of the money, guard. The last one, `closes`, is bounded by no size and no
/// count: it is what the holder is owed; but it must be all there is.
pub(super) fn request(rows: Rows<'_>, command: &Request, closes: bool, moment: Moment, context: &Context) -> Decided {
    if command.amount.is_zero() {
        return Err(Refusal::AmountZero);
    }
    let wallet = rows.wallet_of(command.wallet, command.holder)?;
    let route = |account: &&BankAccount| account.is_route_of(command.wallet, wallet);
    let unknown = Refusal::Unknown { noun: Noun::BankAccount };
    let account = rows.bank_account(command.bank_account).filter(route).ok_or(unknown)?;
    if rows.payout(command.payout).is_some() {
        return Err(Refusal::Taken { noun: Noun::Payout, id: command.payout.0 });
    }
    check_stops(rows, wallet, account.bank, moment)?;
    wallet.check_outflow()?;
    let policy = &*rows.policy(context, moment);
    wallet.check_tier(policy.payout.tier_min)?;
    if closes {
        close::check_last(wallet, command.amount, moment)?;
    } else {
        check_limits(rows, command.amount, wallet, policy, moment.now.day())?;
    }
    let pieces = choose(rows, wallet, account, command, moment.now, policy)?;
    let young = young(&pieces, command.bank_account, moment.now, policy);
    ageing::check(wallet, young, false, moment.now, &policy.ageing)?;
    let review = ask_guard(wallet, account.bank, command, moment, context)?
        .map(|reason| Review { reason, deadline: moment.now.plus_milliseconds(policy.review_ms) });

    let status = if review.is_some() { Status::Held } else { Status::Pending };
    let credit = Credit {
        payout: command.payout,
        wallet: command.wallet,
        bank_account: command.bank_account,
        bank: account.bank,
        person: wallet.person,
        amount: command.amount,
        young,
        accepted: moment.now,
    };
    let event = Event::Requested { credit, pieces, review, origin: wallet.traits.news(command.origin) };
    let receipt = Receipt::Payout { id: command.payout, status, amount: command.amount, is_flagged: false };
    let (wallet, payout, at) = (command.wallet, command.payout, moment.now);
    let closing = closes.then_some(crate::Event::Wallet(wallet::Event::ClosingBegan { wallet, payout, at }));
    Ok((std::iter::once(crate::Event::Payout(event)).chain(closing).collect(), receipt))
}

/// Refuses if the function is stopped, or the clock cannot be believed.
pub(super) fn check_stops(rows: Rows<'_>, wallet: &Wallet, bank: BankCode, moment: Moment) -> Result<(), Refusal> {
    if let Some(switches) = rows.switches() {
        switches.check(Function::Payout, Some(bank), wallet.tier, &wallet.traits)?;
    }
    check_clock(moment)
}

/// Yen a time, and payouts a calendar month: the wallet's and the person's.
fn check_limits(rows: Rows<'_>, amount: Yen, wallet: &Wallet, policy: &Policy, today: Day) -> Result<(), Refusal> {
    check_limit(Limit::PerTime, policy.payout.per_time_max, Yen::ZERO, amount)?;
    let person = wallet.person.and_then(|id| rows.person(id)).map(|person| &person.counters);
    let count = |counters: &Counters| counters.payout.count_in_month(today);
    let used = person.map_or(0, count).max(count(&wallet.counters));
    let at_most = policy.payout.count_per_month_max;
    if used >= at_most {
        return Err(Refusal::LimitExceeded {
            limit: Limit::CountPerMonth,
            at_most: i64::from(at_most),
            left: 0,
            requested: 1,
            from: Some(next_month(today)),
        });
    }
    Ok(())
}

fn ask_guard(
    wallet: &Wallet,
    bank: BankCode,
    command: &Request,
    moment: Moment,
    context: &Context,
) -> Result<Option<u16>, Refusal> {
    let attempt = guard::Attempt {
        function: Function::Payout,
        id: command.payout.0,
        wallet_id: command.wallet,
        wallet,
        amount: command.amount,
        bank: Some(bank),
        linked: None,
        counterparty: Some(command.bank_account.0),
        origin: command.origin,
        now: moment.now,
    };
    guard::ask(context, &attempt, command.proof)
}

/// The lots that go: those that came from this very account first, then aged ones, then young ones; the largest of them all
/// if those are too many.
fn choose(
    rows: Rows<'_>,
    wallet: &Wallet,
    account: &BankAccount,
    command: &Request,
    now: Time,
    policy: &Policy,
) -> Result<Vec<Piece>, Refusal> {
    let is_young = |lot: &Lot| now.milliseconds_since(lot.received) < policy.ageing.young_ms;
    let is_theirs = |account: &BankAccount| !policy.mandate.requires_name || account.is_of(wallet.person);
    let may_go = |lot: &&Lot| match lot.source {
        Source::TopUp(from) if from == command.bank_account => true,
        Source::TopUp(from) => !is_young(lot) && is_theirs(account) && rows.bank_account(from).is_some_and(is_theirs),
        Source::Voucher | Source::Campaign(_) | Source::Send(_) => true,
    };
    let mut lots: Vec<Lot> = wallet.free_lots(Purse::Funds).iter().filter(may_go).copied().collect();
    lots.sort_by_key(|lot| (lot.source != Source::TopUp(command.bank_account), is_young(lot)));

    let mut left = command.amount;
    let mut pieces = Vec::new();
    for lot in &lots {
        let amount = lot.amount.min(left);
        if !amount.is_zero() {
            pieces.push(Piece { purse: Purse::Funds, lot: Lot { amount, ..*lot } });
        }
        left = left.saturating_sub(amount);
    }
    if !left.is_zero() {
        let available = Yen::checked_sum(lots.iter().map(|lot| lot.amount)).unwrap_or(Yen::MAX);
        return Err(Refusal::InsufficientFunds { available, requested: command.amount });
    }
    few(pieces, || lots.into_iter().map(|lot| Piece { purse: Purse::Funds, lot }).collect())
}

/// The young money in `pieces`. On its way back to the account it came from money has no age.
fn young(pieces: &[Piece], to: BankAccountId, now: Time, policy: &Policy) -> Yen {
    let elsewhere = pieces.iter().filter(|piece| piece.lot.source != Source::TopUp(to));
    ageing::young(&elsewhere.copied().collect::<Vec<_>>(), now, &policy.ageing)
}
