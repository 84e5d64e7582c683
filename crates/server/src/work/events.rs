//! What each event leaves to be done, and what it ends. Every event is named: a new one must stop the build until it is known
//! whether somebody has to act on it.

#![expect(clippy::match_same_arms, reason = "arms that do the same for different reasons stay apart, line by line")]

use super::waiting::{GiveBackOf, Noun};
use super::{CaseOpened, Change, Due, FIRST_TRY_MS, ReimbursementProposed, Task};
use crate::doors::DoorsError;
use domain::{Id, Time};
use wallet::bank_answer::Review;
use wallet::mandate::RevokedBy;
use wallet::{
    BankCode, Event, GiveBackId, TopUpId, case, mandate, payment, payout, reimbursement, send, top_up,
    wallet as wallets,
};

type Each<'a> = &'a mut dyn FnMut(Change) -> Result<(), DoorsError>;

/// Says what `event` does to the rows.
pub fn of(event: &Event, each: Each<'_>) -> Result<(), DoorsError> {
    match event {
        Event::TopUp(event) => of_top_up(event, each),
        Event::Payout(event) => of_payout(event, each),
        Event::Payment(event) => of_payment(event, each),
        Event::Send(event) => of_send(event, each),
        Event::Mandate(event) => of_mandate(event, each),
        Event::Wallet(event) => of_wallet(event, each),
        Event::Case(event) => of_case(event, each),
        Event::Reimbursement(event) => of_reimbursement(event, each),
        Event::Refused(_) | Event::Holder(_) | Event::Shop(_) => Ok(()),
        Event::Voucher(_) | Event::Bonus(_) | Event::Switches(_) => Ok(()),
    }
}

const fn due(about: Id, task: Task, bank: Option<BankCode>, when: Time) -> Change {
    Change::Put(Due { about, task, bank, when, attempts: 0 })
}

/// A movement that waits for the desk ends at the deadline; one that does not is asked for at the bank.
fn asked_for(about: Id, asking: Task, reviewing: Task, bank: BankCode, review: Option<Review>, at: Time) -> Change {
    match review {
        Some(review) => due(about, reviewing, None, review.deadline),
        None => due(about, asking, Some(bank), at.plus_milliseconds(FIRST_TRY_MS)),
    }
}

const fn give_back(give_back: GiveBackId, top_up: TopUpId) -> Change {
    Change::GiveBack(GiveBackOf { give_back: give_back.0, top_up })
}

fn of_top_up(event: &top_up::Event, each: Each<'_>) -> Result<(), DoorsError> {
    use top_up::Event;
    match event {
        Event::Requested { debit, review, .. } => {
            let (about, bank, at) = (debit.top_up.0, debit.bank, debit.accepted);
            if review.is_some() {
                each(Change::Wait(about, Noun::TopUp, at))?;
            }
            each(asked_for(about, Task::TopUp, Task::ReviewTopUp, bank, *review, at))
        }
        // The bank is not in the event: the row of the top-up has it.
        Event::Released { top_up, at, .. } => {
            each(Change::Look(top_up.0, *at))?;
            each(due(top_up.0, Task::TopUp, None, *at))
        }
        Event::Settled { debit, at, .. }
        | Event::Ended { debit, at, .. }
        | Event::Reversed { debit, at, .. }
        | Event::GivenBack { debit, at, .. }
        | Event::GivenBackOtherwise { debit, at, .. }
        | Event::GivenBackTwice { debit, at, .. }
        | Event::TakenBack { debit, at, .. } => {
            each(Change::Look(debit.top_up.0, *at))?;
            each(Change::Remove(debit.top_up.0))
        }
        Event::Returned { debit, give_back: id, at, .. } | Event::GiveBackReversed { debit, give_back: id, at, .. } => {
            each(give_back(*id, debit.top_up))?;
            each(Change::Look(debit.top_up.0, *at))?;
            each(due(debit.top_up.0, Task::GiveBack, Some(debit.bank), *at))
        }
        // Once two people have settled a contradiction, what was to go back may be asked for again.
        Event::Resolved { top_up, at, .. } => {
            each(Change::Look(top_up.0, *at))?;
            each(due(top_up.0, Task::GiveBack, None, *at))
        }
        Event::GiveBackRetried { top_up, give_back: id, at, .. } => {
            each(give_back(*id, *top_up))?;
            each(Change::Look(top_up.0, *at))?;
            each(due(top_up.0, Task::GiveBack, None, *at))
        }
        Event::Mismatched { debit, at, .. } => each(Change::Wait(debit.top_up.0, Noun::TopUp, *at)),
        Event::GiveBackFailed { top_up, at } => {
            each(Change::Remove(top_up.0))?;
            each(Change::Wait(top_up.0, Noun::TopUp, *at))
        }
        Event::Contradicted { top_up, at, .. } | Event::GiveBackAbsent { top_up, at } => {
            each(Change::Wait(top_up.0, Noun::TopUp, *at))
        }
        Event::Asked { .. } | Event::Doubted { .. } | Event::CancelWished { .. } | Event::Proposed { .. } => Ok(()),
    }
}

fn of_payout(event: &payout::Event, each: Each<'_>) -> Result<(), DoorsError> {
    use payout::Event;
    match event {
        Event::Requested { credit, review, .. } => {
            let (about, bank, at) = (credit.payout.0, credit.bank, credit.accepted);
            if review.is_some() {
                each(Change::Wait(about, Noun::Payout, at))?;
            }
            each(asked_for(about, Task::Payout, Task::ReviewPayout, bank, *review, at))
        }
        Event::Released { payout, at, .. } => {
            each(Change::Look(payout.0, *at))?;
            each(due(payout.0, Task::Payout, None, *at))
        }
        Event::Settled { credit, at, .. } => {
            each(Change::Look(credit.payout.0, *at))?;
            each(Change::Remove(credit.payout.0))?;
            // The wallet may wait for this to be closed; its row says so.
            each(due(credit.wallet.0, Task::Closing, None, *at))
        }
        Event::Ended { credit, at, .. }
        | Event::Returned { credit, at, .. }
        | Event::PaidAfterAll { credit, at, .. } => {
            each(Change::Look(credit.payout.0, *at))?;
            each(Change::Remove(credit.payout.0))
        }
        Event::Mismatched { credit, at, .. } => each(Change::Wait(credit.payout.0, Noun::Payout, *at)),
        Event::Contradicted { payout, at, .. } => each(Change::Wait(payout.0, Noun::Payout, *at)),
        Event::Resolved { payout, at, .. } => each(Change::Look(payout.0, *at)),
        Event::PaysBack { .. } | Event::PaysBackNoMore { .. } => Ok(()),
        Event::Asked { .. } | Event::Doubted { .. } | Event::CancelWished { .. } | Event::Proposed { .. } => Ok(()),
    }
}

fn of_payment(event: &payment::Event, each: Each<'_>) -> Result<(), DoorsError> {
    use payment::Event;
    match event {
        Event::Authorised { authorised, expires } => {
            each(due(authorised.payment.0, Task::Authorisation, None, *expires))
        }
        Event::Captured { payment, .. } | Event::Released { payment, .. } => each(Change::Remove(payment.0)),
        Event::CodeIssued { .. } | Event::Paid(_) | Event::Refunded { .. } | Event::Referenced { .. } => Ok(()),
    }
}

fn of_send(event: &send::Event, each: Each<'_>) -> Result<(), DoorsError> {
    use send::Event;
    match event {
        Event::Held { sent, review } => {
            each(Change::Wait(sent.send.0, Noun::Send, sent.at))?;
            each(due(sent.send.0, Task::ReviewSend, None, review.deadline))
        }
        Event::Released { send, at, .. } | Event::GivenBack { send, at, .. } => {
            each(Change::Look(send.0, *at))?;
            each(Change::Remove(send.0))
        }
        Event::Completed(_) | Event::PersonCounted { .. } | Event::PersonFreed { .. } => Ok(()),
    }
}

fn of_mandate(event: &mandate::Event, each: Each<'_>) -> Result<(), DoorsError> {
    use mandate::{Event, Status};
    if let Event::Decided { mandate, at, .. } | Event::Ended { mandate, at, .. } | Event::Revoked { mandate, at, .. } =
        event
    {
        each(Change::Look(mandate.0, *at))?;
    }
    match event {
        Event::Granted { mandate, status: Status::InReview, deadline, at, .. } => {
            each(Change::Wait(mandate.0, Noun::Mandate, *at))?;
            each(due(mandate.0, Task::Mandate, None, *deadline))
        }
        Event::Requested { mandate, deadline, .. } | Event::Granted { mandate, deadline, .. } => {
            each(due(mandate.0, Task::Mandate, None, *deadline))
        }
        Event::Decided { mandate, status: Status::Refused, at, .. } => {
            each(due(mandate.0, Task::EndMandate, None, *at))
        }
        Event::Decided { mandate, deadline, .. } => each(due(mandate.0, Task::Mandate, None, *deadline)),
        Event::Refused { mandate, at, .. } | Event::Ended { mandate, at, .. } => {
            each(due(mandate.0, Task::EndMandate, None, *at))
        }
        Event::Activated { mandate, .. } => each(Change::Remove(mandate.0)),
        Event::Revoked { mandate, by, at, .. } => match by {
            // They told us: it is ended over there.
            RevokedBy::BankAccountHolder | RevokedBy::Bank => each(Change::Remove(mandate.0)),
            RevokedBy::Holder(_) | RevokedBy::Desk(_) | RevokedBy::StrongerLink(_) => {
                each(due(mandate.0, Task::EndMandate, None, *at))
            }
        },
        Event::Authenticating { .. } | Event::Collected { .. } => Ok(()),
        Event::ConfirmedByTrueHolder { .. } | Event::RouteEnded { .. } => Ok(()),
    }
}

/// Cases are listed from their first day on.
fn of_case(event: &case::Event, each: Each<'_>) -> Result<(), DoorsError> {
    use case::Event;
    match event {
        Event::Opened { case, .. } => each(Change::Case(CaseOpened { case: *case })),
        Event::Joined { .. } | Event::Kept { .. } | Event::ClosingProposed { .. } | Event::Closed { .. } => Ok(()),
    }
}

/// What one person proposed waits for another; what was approved is asked of the bank, until it has answered.
fn of_reimbursement(event: &reimbursement::Event, each: Each<'_>) -> Result<(), DoorsError> {
    use reimbursement::Event;
    match event {
        Event::Proposed { credit, at, .. } => {
            each(Change::Reimbursement(ReimbursementProposed { reimbursement: credit.reimbursement }))?;
            each(Change::Wait(credit.reimbursement.0, Noun::Reimbursement, *at))
        }
        Event::Refused { reimbursement, at, .. } | Event::Resolved { reimbursement, at, .. } => {
            each(Change::Look(reimbursement.0, *at))
        }
        Event::Approved { credit, at, .. } => {
            each(Change::Look(credit.reimbursement.0, *at))?;
            each(due(credit.reimbursement.0, Task::Reimbursement, Some(credit.bank), *at))
        }
        Event::Done { credit, at }
        | Event::DoneAfterAll { credit, at, .. }
        | Event::PaidOtherwise { credit, at, .. }
        | Event::PaidTwice { credit, at } => {
            each(Change::Look(credit.reimbursement.0, *at))?;
            each(Change::Remove(credit.reimbursement.0))
        }
        Event::Failed { credit, at, .. } | Event::Undone { credit, at, .. } => {
            each(Change::Remove(credit.reimbursement.0))?;
            each(Change::Wait(credit.reimbursement.0, Noun::Reimbursement, *at))
        }
        Event::Freed { credit, at, .. } => each(Change::Look(credit.reimbursement.0, *at)),
        Event::Contradicted { reimbursement, at, .. } | Event::Absent { reimbursement, at } => {
            each(Change::Wait(reimbursement.0, Noun::Reimbursement, *at))
        }
        Event::Asked { .. } | Event::ResolutionProposed { .. } => Ok(()),
    }
}

/// A debt that one person wants to write off waits for another; a wallet that is closed waits for nothing.
fn of_wallet(event: &wallets::Event, each: Each<'_>) -> Result<(), DoorsError> {
    use wallets::Event;
    match event {
        Event::WriteOffProposed { wallet, at, .. } => each(Change::Wait(wallet.0, Noun::Wallet, *at)),
        Event::WrittenOff { wallet, at, .. } | Event::Collected { wallet, at, .. } => each(Change::Look(wallet.0, *at)),
        Event::Closed { wallet, .. } | Event::ClosingEnded { wallet, .. } => each(Change::Remove(wallet.0)),
        // Its payout goes on by itself, and is what wakes it.
        Event::ClosingBegan { .. } => Ok(()),
        Event::Opened { .. } | Event::Frozen { .. } | Event::Unfrozen { .. } => Ok(()),
        Event::Linked { .. } | Event::BonusLapsed { .. } | Event::Recovered { .. } => Ok(()),
    }
}
