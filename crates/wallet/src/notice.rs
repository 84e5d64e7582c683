//! Notices: whom an event is told to, and as what. Pure; the consumer that writes mails and pages keeps the words, the
//! addresses and what was already told.
//!
//! A holder hears of everything that moves their money or changes who can; the desk of everything that waits for it.
//! Refusals are told to the caller alone. The true holder of a bank account is told by the gateway and the bank, who know
//! where to reach them.

use crate::ids::{ContactId, HolderId, MandateId, WalletId};
use crate::{Event, bonus, case, holder, mandate, payment, payout, reimbursement, send, top_up, voucher, wallet};
use domain::{Id, Time};
use ledger::Yen;
use serde::{Deserialize, Serialize};

/// One thing to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// To whom.
    pub to: To,
    /// What.
    pub kind: Kind,
    /// The movement, mandate or wallet that it is about.
    pub about: Id,
    /// How much, where it is about money.
    pub amount: Yen,
    /// When it happened.
    pub at: Time,
}

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum To {
    /// A holder, wherever they can be reached.
    Holder(HolderId),
    /// The holder of this wallet.
    Wallet(WalletId),
    /// The holder of the wallet that this mandate is for.
    Mandate(MandateId),
    /// Whoever reads this address or number, which is no holder's any more.
    Contact(ContactId),
    /// The operator's desk.
    Desk,
}

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is named as the event that it tells of")]
pub enum Kind {
    Joined,
    ContactVerified,
    ContactChangeRequested,
    ContactReplaced,
    Identified,
    WalletOpened,
    WalletFrozen,
    WalletUnfrozen,
    WalletClosed,
    DebtCollected,
    Paid,
    PaymentHeld,
    PaymentCaptured,
    PaymentReleased,
    Refunded,
    Sent,
    Received,
    SendHeld,
    SendGivenBack,
    VoucherRedeemed,
    BonusGiven,
    MandateRequested,
    MandateRefused,
    MandateInReview,
    MandateActive,
    MandateConfirmed,
    MandateEnded,
    TopUpRequested,
    TopUpHeld,
    TopUpSettled,
    TopUpEnded,
    TopUpReturned,
    TopUpReversed,
    PayoutRequested,
    PayoutHeld,
    PayoutSettled,
    PayoutEnded,
    PayoutReturned,
    MovementToDecide,
    AnswerToResolve,
    GiveBackFailed,
    BonusLapsed,
    WriteOffProposed,
    DebtWrittenOff,
    CaseOpened,
    MoneyKept,
    MoneyFreed,
    WrittenOffRecovered,
    WalletClosing,
    WalletStaysOpen,
    ReimbursementProposed,
    ReimbursementFailed,
    MoneyRestored,
}

/// Says each notice that `event` gives rise to.
pub fn notices(event: &Event, each: &mut impl FnMut(Notice)) {
    match event {
        Event::Refused(_) | Event::Shop(_) | Event::Switches(_) => {}
        Event::Holder(event) => of_holder(event, each),
        Event::Wallet(event) => of_wallet(event, each),
        Event::Mandate(event) => of_mandate(event, each),
        Event::TopUp(event) => of_top_up(event, each),
        Event::Payout(event) => of_payout(event, each),
        Event::Payment(event) => of_payment(event, each),
        Event::Send(event) => of_send(event, each),
        Event::Voucher(event) => of_voucher(event, each),
        Event::Bonus(event) => of_bonus(event, each),
        Event::Case(event) => of_case(event, each),
        Event::Reimbursement(event) => of_reimbursement(event, each),
    }
}

const fn told(to: To, kind: Kind, about: Id, amount: Yen, at: Time) -> Notice {
    Notice { to, kind, about, amount, at }
}

fn of_holder(event: &holder::Event, each: &mut impl FnMut(Notice)) {
    use holder::Event;
    let mut tell = |to, kind, holder: HolderId, at| each(told(to, kind, holder.0, Yen::ZERO, at));
    match *event {
        Event::Opened { holder, at, .. } => tell(To::Holder(holder), Kind::Joined, holder, at),
        Event::ContactVerified { holder, freed, at, .. } => {
            tell(To::Holder(holder), Kind::ContactVerified, holder, at);
            if let Some(freed) = freed {
                tell(To::Contact(freed), Kind::ContactReplaced, holder, at);
            }
        }
        Event::Identified { holder, at, .. } => tell(To::Holder(holder), Kind::Identified, holder, at),
        Event::ContactChangeRequested { holder, at, .. } => {
            tell(To::Holder(holder), Kind::ContactChangeRequested, holder, at);
        }
    }
}

fn of_wallet(event: &wallet::Event, each: &mut impl FnMut(Notice)) {
    use wallet::Event;
    let (to, kind, wallet, at) = match event {
        Event::Opened { wallet, holder, traits, .. } => {
            (To::Holder(*holder), Kind::WalletOpened, *wallet, traits.opened)
        }
        Event::Frozen { wallet, at, .. } => (To::Wallet(*wallet), Kind::WalletFrozen, *wallet, *at),
        Event::Unfrozen { wallet, at, .. } => (To::Wallet(*wallet), Kind::WalletUnfrozen, *wallet, *at),
        Event::Closed { wallet, holder, at, .. } => (To::Holder(*holder), Kind::WalletClosed, *wallet, *at),
        Event::ClosingBegan { wallet, at, .. } => (To::Wallet(*wallet), Kind::WalletClosing, *wallet, *at),
        Event::ClosingEnded { wallet, at, .. } => (To::Wallet(*wallet), Kind::WalletStaysOpen, *wallet, *at),
        Event::Collected { wallet, debts, at, .. } => {
            let paid = Yen::checked_sum(debts.iter().map(|debt| debt.amount)).unwrap_or(Yen::MAX);
            return each(told(To::Wallet(*wallet), Kind::DebtCollected, wallet.0, paid, *at));
        }
        Event::Recovered { wallet, pieces, waiting, at } => {
            let amounts = pieces.iter().map(|piece| piece.lot.amount);
            let all = sum(amounts.chain(waiting.iter().map(|waiting| waiting.of.amount)));
            return each(told(To::Wallet(*wallet), Kind::WrittenOffRecovered, wallet.0, all, *at));
        }
        Event::BonusLapsed { wallet, pieces, at } => {
            let lapsed = sum(pieces.iter().map(|piece| piece.lot.amount));
            return each(told(To::Wallet(*wallet), Kind::BonusLapsed, wallet.0, lapsed, *at));
        }
        Event::WriteOffProposed { wallet, amount, at, .. } => {
            return each(told(To::Desk, Kind::WriteOffProposed, wallet.0, *amount, *at));
        }
        Event::WrittenOff { wallet, debts, at, .. } => {
            let amount = sum(debts.iter().map(|debt| debt.amount));
            return each(told(To::Wallet(*wallet), Kind::DebtWrittenOff, wallet.0, amount, *at));
        }
        // Its mandate's own event is told.
        Event::Linked { .. } => return,
    };
    each(told(to, kind, wallet.0, Yen::ZERO, at));
}

fn of_payment(event: &payment::Event, each: &mut impl FnMut(Notice)) {
    use payment::Event;
    let (wallet, kind, about, amount, at) = match event {
        Event::CodeIssued { .. } | Event::Referenced { .. } => return,
        Event::Paid(paid) => (paid.wallet, Kind::Paid, paid.payment.0, paid.amount(), paid.at),
        Event::Authorised { authorised: held, .. } => {
            (held.wallet, Kind::PaymentHeld, held.payment.0, held.amount(), held.at)
        }
        Event::Captured { payment, wallet, parts, at, .. } => {
            (*wallet, Kind::PaymentCaptured, payment.0, sum(parts.iter().map(|part| part.captured)), *at)
        }
        Event::Released { payment, wallet, pieces, at, .. } => {
            (*wallet, Kind::PaymentReleased, payment.0, sum(pieces.iter().map(|piece| piece.lot.amount)), *at)
        }
        Event::Refunded { refund, wallet, to_purses, to_debts, to_suspense, at, .. } => {
            let pieces = [to_purses, to_debts, to_suspense].into_iter().flatten();
            (*wallet, Kind::Refunded, refund.0, sum(pieces.map(|piece| piece.lot.amount)), *at)
        }
    };
    each(told(To::Wallet(wallet), kind, about, amount, at));
}

fn of_send(event: &send::Event, each: &mut impl FnMut(Notice)) {
    use send::Event;
    match event {
        Event::Completed(sent) => {
            each(told(To::Wallet(sent.from), Kind::Sent, sent.send.0, sent.amount(), sent.at));
            each(told(To::Wallet(sent.to), Kind::Received, sent.send.0, sent.amount(), sent.at));
        }
        Event::Held { sent, .. } => {
            each(told(To::Wallet(sent.from), Kind::SendHeld, sent.send.0, sent.amount(), sent.at));
            each(told(To::Desk, Kind::MovementToDecide, sent.send.0, sent.amount(), sent.at));
        }
        Event::Released { send, from, to, amount, at, .. } => {
            each(told(To::Wallet(*from), Kind::Sent, send.0, *amount, *at));
            each(told(To::Wallet(*to), Kind::Received, send.0, *amount, *at));
        }
        Event::GivenBack { send, from, amount, at, .. } => {
            each(told(To::Wallet(*from), Kind::SendGivenBack, send.0, *amount, *at));
        }
        Event::PersonCounted { .. } | Event::PersonFreed { .. } => {}
    }
}

fn of_voucher(event: &voucher::Event, each: &mut impl FnMut(Notice)) {
    match event {
        voucher::Event::Issued { .. } | voucher::Event::Cancelled { .. } => {}
        voucher::Event::MadeAlone { .. } | voucher::Event::Proposed { .. } | voucher::Event::Approved { .. } => {}
        voucher::Event::Redeemed { voucher, wallet, amount, at, .. } => {
            each(told(To::Wallet(*wallet), Kind::VoucherRedeemed, voucher.0, *amount, *at));
        }
    }
}

/// The desk hears of a case; a holder of what is kept of their money, or of the freeze where the whole wallet is frozen.
fn of_case(event: &case::Event, each: &mut impl FnMut(Notice)) {
    use case::Event;
    match event {
        Event::Opened { case, at, .. } => each(told(To::Desk, Kind::CaseOpened, case.0, Yen::ZERO, *at)),
        Event::Kept { wallet, freezes: true, at, .. } => {
            each(told(To::Wallet(*wallet), Kind::WalletFrozen, wallet.0, Yen::ZERO, *at));
        }
        Event::Kept { wallet, caught, at, .. } if !caught.is_zero() => {
            each(told(To::Wallet(*wallet), Kind::MoneyKept, wallet.0, *caught, *at));
        }
        Event::Closed { freed, at, .. } => {
            for wallet in freed {
                each(told(To::Wallet(*wallet), Kind::MoneyFreed, wallet.0, Yen::ZERO, *at));
            }
        }
        Event::Kept { .. } | Event::Joined { .. } | Event::ClosingProposed { .. } => {}
    }
}

/// The desk hears of what waits for it; a holder of what was taken out of their wallet. Whoever is reimbursed hears it of their bank.
fn of_reimbursement(event: &reimbursement::Event, each: &mut impl FnMut(Notice)) {
    use reimbursement::Event;
    match event {
        Event::Proposed { credit, at, .. } => {
            each(told(To::Desk, Kind::ReimbursementProposed, credit.reimbursement.0, credit.amount, *at));
        }
        Event::Approved { credit, taken, at, .. } => {
            let mut wallets: Vec<WalletId> = taken.iter().map(|taken| taken.wallet).collect();
            wallets.sort_unstable();
            wallets.dedup();
            for wallet in wallets {
                let amount = sum(event.taken_from(wallet).map(|piece| piece.lot.amount));
                each(told(To::Wallet(wallet), Kind::MoneyRestored, credit.reimbursement.0, amount, *at));
            }
        }
        Event::Failed { credit, at, .. } => {
            each(told(To::Desk, Kind::ReimbursementFailed, credit.reimbursement.0, credit.amount, *at));
        }
        Event::Contradicted { reimbursement, at, .. } => {
            each(told(To::Desk, Kind::AnswerToResolve, reimbursement.0, Yen::ZERO, *at));
        }
        // Two people may say now that it failed.
        Event::Absent { reimbursement, at } => {
            each(told(To::Desk, Kind::AnswerToResolve, reimbursement.0, Yen::ZERO, *at));
        }
        Event::Undone { credit, at, .. } => {
            each(told(To::Desk, Kind::ReimbursementFailed, credit.reimbursement.0, credit.amount, *at));
        }
        Event::Refused { .. } | Event::Asked { .. } | Event::Done { .. } => {}
        Event::ResolutionProposed { .. } | Event::Resolved { .. } | Event::DoneAfterAll { .. } => {}
        Event::PaidOtherwise { .. } | Event::PaidTwice { .. } | Event::Freed { .. } => {}
    }
}

fn of_bonus(event: &bonus::Event, each: &mut impl FnMut(Notice)) {
    let bonus::Event::Given { bonus, wallet, amount, at, .. } = *event;
    each(told(To::Wallet(wallet), Kind::BonusGiven, bonus.0, amount, at));
}

fn of_mandate(event: &mandate::Event, each: &mut impl FnMut(Notice)) {
    use mandate::{Event, Status};
    let (kind, mandate, at) = match event {
        Event::Requested { mandate, at, .. } => (Kind::MandateRequested, *mandate, *at),
        Event::Granted { mandate, status: Status::InReview, at, .. } => {
            each(told(To::Desk, Kind::MandateInReview, mandate.0, Yen::ZERO, *at));
            (Kind::MandateInReview, *mandate, *at)
        }
        Event::Refused { mandate, at, .. } | Event::Decided { mandate, status: Status::Refused, at, .. } => {
            (Kind::MandateRefused, *mandate, *at)
        }
        Event::Activated { mandate, at, .. } => (Kind::MandateActive, *mandate, *at),
        Event::ConfirmedByTrueHolder { mandate, at, .. } => (Kind::MandateConfirmed, *mandate, *at),
        Event::Ended { mandate, at, .. }
        | Event::Revoked { mandate, at, .. }
        | Event::RouteEnded { mandate, at, .. } => (Kind::MandateEnded, *mandate, *at),
        Event::Authenticating { .. } | Event::Granted { .. } | Event::Collected { .. } | Event::Decided { .. } => {
            return;
        }
    };
    each(told(To::Mandate(mandate), kind, mandate.0, Yen::ZERO, at));
}

fn of_top_up(event: &top_up::Event, each: &mut impl FnMut(Notice)) {
    use top_up::Event;
    let (debit, kind, amount, at) = match event {
        Event::Requested { debit, review: None, .. } => (debit, Kind::TopUpRequested, debit.amount, debit.accepted),
        Event::Requested { debit, .. } => {
            each(told(To::Desk, Kind::MovementToDecide, debit.top_up.0, debit.amount, debit.accepted));
            (debit, Kind::TopUpHeld, debit.amount, debit.accepted)
        }
        Event::Settled { debit, at, .. } => (debit, Kind::TopUpSettled, debit.amount, *at),
        Event::Ended { debit, at, .. } => (debit, Kind::TopUpEnded, debit.amount, *at),
        Event::Returned { debit, debited, at, .. } => (debit, Kind::TopUpReturned, *debited, *at),
        Event::Reversed { debit, owed, at, .. } => {
            if !owed.is_zero() {
                each(told(To::Desk, Kind::TopUpReversed, debit.top_up.0, *owed, *at));
            }
            (debit, Kind::TopUpReversed, debit.amount, *at)
        }
        Event::Mismatched { debit, debited, at, .. } => {
            return each(told(To::Desk, Kind::AnswerToResolve, debit.top_up.0, *debited, *at));
        }
        Event::GiveBackFailed { top_up, at } => {
            return each(told(To::Desk, Kind::GiveBackFailed, top_up.0, Yen::ZERO, *at));
        }
        // Of a give-back that its bank never knew two people may say that it failed.
        Event::Contradicted { top_up, at, .. } | Event::GiveBackAbsent { top_up, at } => {
            return each(told(To::Desk, Kind::AnswerToResolve, top_up.0, Yen::ZERO, *at));
        }
        Event::Released { .. } | Event::Asked { .. } | Event::Doubted { .. } | Event::CancelWished { .. } => return,
        Event::GivenBack { .. } | Event::TakenBack { .. } => return,
        Event::GivenBackOtherwise { .. } | Event::GivenBackTwice { .. } => return,
        Event::GiveBackRetried { .. } | Event::GiveBackReversed { .. } => return,
        Event::Proposed { .. } | Event::Resolved { .. } => return,
    };
    each(told(To::Wallet(debit.wallet), kind, debit.top_up.0, amount, at));
}

fn of_payout(event: &payout::Event, each: &mut impl FnMut(Notice)) {
    use payout::Event;
    let (credit, kind, at) = match event {
        Event::Requested { credit, review: None, .. } => (credit, Kind::PayoutRequested, credit.accepted),
        Event::Requested { credit, .. } => {
            each(told(To::Desk, Kind::MovementToDecide, credit.payout.0, credit.amount, credit.accepted));
            (credit, Kind::PayoutHeld, credit.accepted)
        }
        Event::Settled { credit, at, .. } | Event::PaidAfterAll { credit, at, .. } => {
            (credit, Kind::PayoutSettled, *at)
        }
        Event::Ended { credit, at, .. } => (credit, Kind::PayoutEnded, *at),
        Event::Returned { credit, at, .. } => (credit, Kind::PayoutReturned, *at),
        Event::Mismatched { credit, paid, at, .. } => {
            return each(told(To::Desk, Kind::AnswerToResolve, credit.payout.0, *paid, *at));
        }
        Event::Contradicted { payout, at, .. } => {
            return each(told(To::Desk, Kind::AnswerToResolve, payout.0, Yen::ZERO, *at));
        }
        Event::Released { .. } | Event::Asked { .. } | Event::Doubted { .. } | Event::CancelWished { .. } => return,
        Event::Proposed { .. } | Event::Resolved { .. } => return,
        Event::PaysBack { .. } | Event::PaysBackNoMore { .. } => return,
    };
    each(told(To::Wallet(credit.wallet), kind, credit.payout.0, credit.amount, at));
}

fn sum(amounts: impl Iterator<Item = Yen>) -> Yen {
    Yen::checked_sum(amounts).unwrap_or(Yen::MAX)
}
