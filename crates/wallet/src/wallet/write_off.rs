//! Writing off what a holder owes: two people of the desk, for all of it.
//!
//! A closed wallet may still owe, so it may be written off too. What was proposed holds for the sum that was owed then: if
//! more was taken back or something was paid meanwhile, it is proposed anew.

use super::{Debt, Event, Wallet};
use crate::Receipt;
use crate::ids::{StaffId, WalletId};
use crate::refusal::{Noun, Refusal};
use crate::state::{Decided, Rows};
use domain::Moment;
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// What one person of the desk proposed to write off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteOff {
    /// All that was owed.
    pub amount: Yen,
    /// Who says so.
    pub by: StaffId,
}

/// The wallet, if it owes just `amount`. Refusals in order: unknown, nothing owed, another sum.
fn owing(rows: Rows<'_>, id: WalletId, amount: Yen) -> Result<&Wallet, Refusal> {
    let wallet = rows.wallet(id).ok_or(Refusal::Unknown { noun: Noun::Wallet })?;
    if wallet.debts.is_empty() {
        return Err(Refusal::WrongStatus { noun: Noun::Wallet, status: "owes nothing".into() });
    }
    if wallet.owed() != amount {
        return Err(Refusal::Contradiction { noun: Noun::Wallet });
    }
    Ok(wallet)
}

/// Refusals in order: unknown, nothing owed, another sum.
pub(super) fn propose(rows: Rows<'_>, id: WalletId, amount: Yen, by: StaffId, moment: Moment) -> Decided {
    let wallet = owing(rows, id, amount)?;
    let receipt = Receipt::Wallet { id, status: wallet.status().into() };
    if proposal(wallet) == Some(WriteOff { amount, by }) {
        return Ok((Vec::new(), receipt));
    }
    let event = Event::WriteOffProposed { wallet: id, amount, by, at: moment.now };
    Ok((vec![crate::Event::Wallet(event)], receipt))
}

/// Refusals in order: unknown, nothing owed, another sum, not what was proposed, the same person.
pub(super) fn approve(rows: Rows<'_>, id: WalletId, amount: Yen, by: StaffId, moment: Moment) -> Decided {
    let wallet = owing(rows, id, amount)?;
    match proposal(wallet).filter(|proposal| proposal.amount == amount) {
        None => return Err(Refusal::Contradiction { noun: Noun::Wallet }),
        Some(proposal) if proposal.by == by => return Err(Refusal::SecondPersonNeeded),
        Some(_) => {}
    }
    let debts: Vec<Debt> = wallet.debts.clone();
    let event = Event::WrittenOff { wallet: id, debts, by, at: moment.now };
    Ok((vec![crate::Event::Wallet(event)], Receipt::Wallet { id, status: wallet.status().into() }))
}

fn proposal(wallet: &Wallet) -> Option<WriteOff> {
    wallet.ties.as_ref().and_then(|ties| ties.write_off)
}
