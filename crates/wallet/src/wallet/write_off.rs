//! Writing off what a holder owes: two people of the desk, for all of it.
//!
//! A closed wallet may still owe, so it may be written off too. What was proposed holds for the sum that was owed then: if
//! more was taken back or something was paid meanwhile, it is proposed anew.
//!
//! What was written off was the operator's loss, and is the operator's if it comes back after all: a refund, a void or a
//! return of a lot that the bank took back would otherwise hand the holder the operator's money. So the wallet remembers of
//! each lot what was written off, and [`recover`] adds to whatever brings something of it back the event that takes it.

use super::{DEBTS_MAX, Debt, Event, Wallet};
use crate::Receipt;
use crate::canary;
use crate::effect::Effect;
use crate::ids::{BankCode, StaffId, WalletId};
use crate::purse::{Lot, Piece, Source};
use crate::refusal::{Limit, Noun, Refusal, Stated};
use crate::standing::Standing;
use crate::state::{Decided, Rows};
use domain::{Id, Moment, Time};
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// The most lots of which a wallet remembers that they were written off; no more is written off than can be remembered. All
/// that a wallet can owe fits in twice.
pub const WRITTEN_OFF_MAX: usize = 2 * DEBTS_MAX;

/// What one person of the desk proposed to write off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteOff {
    /// All that was owed.
    pub amount: Yen,
    /// Who says so.
    pub by: StaffId,
}

/// What came back and waits in suspense, because its wallet is closed or no lot stood for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The suspense account: of this bank, or of none.
    pub bank: Option<BankCode>,
    /// Of which lot, and how much.
    pub of: Debt,
}

/// The wallet, if it owes just `amount`. Refusals in order: unknown, nothing owed, another sum, more lots than can be
/// remembered.
fn owing(rows: Rows<'_>, id: WalletId, amount: Yen) -> Result<&Wallet, Refusal> {
    let wallet = rows.wallet(id).ok_or(Refusal::Unknown { noun: Noun::Wallet })?;
    if wallet.debts.is_empty() {
        return Err(Refusal::WrongStatus { noun: Noun::Wallet, status: Standing::OwesNothing });
    }
    if wallet.owed() != amount {
        let (on_record, came) = (Stated::Amount(wallet.owed()), Stated::Amount(amount));
        return Err(Refusal::NotAsOnRecord { noun: Noun::Wallet, on_record, came });
    }
    let remembered = wallet.written_off();
    let is_new = |debt: &&Debt| remembered.iter().all(|known| known.lot != debt.lot);
    let lots = remembered.len().saturating_add(wallet.debts.iter().filter(is_new).count());
    if lots > WRITTEN_OFF_MAX {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let (at_most, requested) = (count(WRITTEN_OFF_MAX), count(lots));
        return Err(Refusal::LimitExceeded { limit: Limit::Lots, at_most, left: 0, requested, from: None });
    }
    Ok(wallet)
}

/// Refusals in order: unknown, nothing owed, another sum, too many lots.
pub(super) fn propose(rows: Rows<'_>, id: WalletId, amount: Yen, by: StaffId, moment: Moment) -> Decided {
    let wallet = owing(rows, id, amount)?;
    let receipt = Receipt::Wallet { id, status: wallet.status().into() };
    if proposal(wallet) == Some(WriteOff { amount, by }) {
        return Ok((Vec::new(), receipt));
    }
    let event = Event::WriteOffProposed { wallet: id, amount, by, at: moment.now };
    Ok((vec![crate::Event::Wallet(event)], receipt))
}

/// Refusals in order: unknown, nothing owed, another sum, too many lots, not what was proposed, the same person.
pub(super) fn approve(rows: Rows<'_>, id: WalletId, amount: Yen, by: StaffId, moment: Moment) -> Decided {
    let wallet = owing(rows, id, amount)?;
    match proposal(wallet) {
        Some(proposal) if proposal.amount == amount && proposal.by == by => return Err(Refusal::SecondPersonNeeded),
        Some(proposal) if proposal.amount == amount => {}
        other => {
            let on_record = other.map_or(Stated::Nothing, |proposal| Stated::Amount(proposal.amount));
            return Err(Refusal::NotAsOnRecord { noun: Noun::Wallet, on_record, came: Stated::Amount(amount) });
        }
    }
    let debts: Vec<Debt> = wallet.debts.clone();
    let event = Event::WrittenOff { wallet: id, debts, by, at: moment.now };
    Ok((vec![crate::Event::Wallet(event)], Receipt::Wallet { id, status: wallet.status().into() }))
}

fn proposal(wallet: &Wallet) -> Option<WriteOff> {
    wallet.ties.as_ref().and_then(|ties| ties.write_off)
}

impl Wallet {
    /// What was written off of each lot, and has not come back.
    pub fn written_off(&self) -> &[Debt] {
        self.ties.as_ref().map_or(&[], |ties| &ties.written_off)
    }

    /// What of written-off lots came back into suspense and became the operator's, by bank (none: no bank).
    pub fn recovered_waiting(&self) -> &[(Option<BankCode>, Yen)] {
        self.ties.as_ref().map_or(&[], |ties| &ties.recovered_waiting)
    }

    /// `debts` are written off.
    pub(super) fn write_off(&mut self, debts: &[Debt]) {
        let written_off = &mut self.ties_mut().written_off;
        for debt in debts {
            match written_off.iter_mut().find(|known| known.lot == debt.lot) {
                Some(known) => known.amount = known.amount.checked_add(debt.amount).unwrap_or(Yen::MAX),
                None => written_off.push(*debt),
            }
        }
    }

    /// Of what was written off, `amount` of `lot` has come back.
    pub(super) fn recover(&mut self, lot: Id, amount: Yen) {
        let written_off = &mut self.ties_mut().written_off;
        let known = written_off.iter_mut().find(|known| known.lot == lot);
        let left = known.as_ref().and_then(|known| known.amount.checked_sub(amount));
        assert!(left.is_some(), "no more comes back of {lot} than was written off: {amount:?}, {known:?}");
        if let (Some(known), Some(left)) = (known, left) {
            known.amount = left;
        }
        written_off.retain(|known| !known.amount.is_zero());
    }

    /// What waited in suspense is the operator's.
    pub(super) fn recover_waiting(&mut self, waiting: &Waiting) {
        let recovered = &mut self.ties_mut().recovered_waiting;
        match recovered.iter_mut().find(|(bank, _)| *bank == waiting.bank) {
            Some((_, sum)) => *sum = sum.checked_add(waiting.of.amount).unwrap_or(Yen::MAX),
            None => recovered.push((waiting.bank, waiting.of.amount)),
        }
    }
}

/// Adds to `events` what they bring back of lots that were written off. Debts are paid first: those are in the events.
pub(crate) fn recover(rows: Rows<'_>, events: &mut Vec<crate::Event>, at: Time) {
    let each = |event: &crate::Event| {
        let id = back_to(event)?;
        let mut left = rows.wallet(id)?.written_off().to_vec();
        if left.is_empty() || canary::active("write_off_is_forgotten") {
            return None;
        }
        let pieces = pieces_back(event, id, &mut left);
        let waiting = waiting(rows, event, &mut left);
        let is_any = !pieces.is_empty() || !waiting.is_empty();
        is_any.then_some(crate::Event::Wallet(Event::Recovered { wallet: id, pieces, waiting, at }))
    };
    let recovered: Vec<_> = events.iter().filter_map(each).collect();
    events.extend(recovered);
}

/// The wallet that `event` brings something back to.
const fn back_to(event: &crate::Event) -> Option<WalletId> {
    match event {
        crate::Event::Payment(event) => event.back_to(),
        crate::Event::Send(event) => event.back_to(),
        crate::Event::Payout(event) => event.back_to(),
        crate::Event::Refused(_) | crate::Event::Holder(_) | crate::Event::Wallet(_) | crate::Event::Shop(_) => None,
        crate::Event::Mandate(_) | crate::Event::TopUp(_) | crate::Event::Voucher(_) => None,
        crate::Event::Bonus(_) | crate::Event::Switches(_) | crate::Event::Case(_) => None,
        // What is restored leaves for good.
        crate::Event::Reimbursement(_) => None,
    }
}

/// What stays in the purses of `id` after `event` of what `left` says was written off.
fn pieces_back(event: &crate::Event, id: WalletId, left: &mut [Debt]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    event.effects(&mut |effect| match effect {
        Effect::Give(wallet, piece) if wallet == id => pieces.push(piece),
        Effect::Take(wallet, taken) if wallet == id => {
            let is_it = |piece: &&mut Piece| piece.purse == taken.purse && piece.lot.is_of(&taken.lot);
            if let Some(piece) = pieces.iter_mut().find(is_it) {
                piece.lot.amount = piece.lot.amount.saturating_sub(taken.lot.amount);
            }
        }
        Effect::Give(..) | Effect::Take(..) | Effect::Leg(_) | Effect::Owe(..) | Effect::Repay(..) => {}
        Effect::Count(_) | Effect::Uncount(_) | Effect::Lessen(_) => {}
    });
    let claimed = pieces.into_iter().map(|piece| piece.of(claim_lot(left, &piece.lot)));
    claimed.filter(|piece| !piece.lot.amount.is_zero()).collect()
}

/// What `event` puts into suspense of what `left` says was written off.
fn waiting(rows: Rows<'_>, event: &crate::Event, left: &mut [Debt]) -> Vec<Waiting> {
    let mut waiting = Vec::new();
    let mut add = |bank, lot, amount: Yen| {
        if !amount.is_zero() {
            waiting.push(Waiting { bank, of: Debt { lot, amount } });
        }
    };
    if let crate::Event::Payment(crate::payment::Event::Refunded { to_suspense, .. }) = event {
        for piece in to_suspense {
            add(None, piece.lot.id, claim_lot(left, &piece.lot));
        }
    }
    if let crate::Event::Payout(event) = event {
        let (bank, lots, unmatched) = event.suspends(rows);
        for lot in lots {
            add(bank, lot.id, claim_lot(left, &lot));
        }
        if let Some(debt) = unmatched {
            add(bank, debt.lot, claim(left, debt.lot, debt.amount));
        }
    }
    waiting
}

/// What of `lot` is claimed: only a top-up is ever taken back by its bank.
fn claim_lot(left: &mut [Debt], lot: &Lot) -> Yen {
    match lot.source {
        Source::TopUp(_) => claim(left, lot.id, lot.amount),
        Source::Voucher | Source::Campaign(_) | Source::Send(_) => Yen::ZERO,
    }
}

fn claim(left: &mut [Debt], lot: Id, amount: Yen) -> Yen {
    let Some(debt) = left.iter_mut().find(|debt| debt.lot == lot) else { return Yen::ZERO };
    let claimed = debt.amount.min(amount);
    debt.amount = debt.amount.saturating_sub(claimed);
    claimed
}
