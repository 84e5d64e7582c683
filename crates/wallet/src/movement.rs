//! Movements: what a wallet's or a shop's list shows of an event. Pure; a reader follows a row's chain through the journal,
//! newest first, and shows each event to [`of_wallet`] or [`of_shop`].
//!
//! What has no line of its own in such a list (a freeze, a bank that was asked once more) is `None`.

use crate::effect::Effect;
use crate::ids::{BankAccountId, BankCode, CampaignId, ShopId, WalletId};
use crate::payment::{self, Authorised};
use crate::purse::Purse;
use crate::send::{self, Sent};
use crate::{Event, bonus, chart, payout, reimbursement, top_up, voucher};
use domain::{Id, Time};
use ledger::{AccountId, Step, Yen};

/// One line of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Movement {
    /// What it is.
    pub kind: Kind,
    /// Its id, of the kind's own noun.
    pub id: Id,
    /// How far it came by this event.
    pub status: &'static str,
    /// What the movement is about, whatever of it moved by this event.
    pub amount: Yen,
    /// By how much this event changed what is available.
    pub change: Change,
    /// Who stands at the other end.
    pub counterparty: Counterparty,
    /// When.
    pub at: Time,
}

/// What a movement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Money came from a bank account.
    TopUp,
    /// A voucher was redeemed.
    Voucher,
    /// A campaign gave.
    Bonus,
    /// A shop was paid.
    Payment,
    /// A shop gave back.
    Refund,
    /// Money went to another wallet.
    Send,
    /// Money came from another wallet.
    Receipt,
    /// Money went to a bank account.
    Payout,
    /// Money paid what its holder owed.
    Collection,
    /// Money went back to somebody whose it was.
    Restitution,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::TopUp,
        Self::Voucher,
        Self::Bonus,
        Self::Payment,
        Self::Refund,
        Self::Send,
        Self::Receipt,
        Self::Payout,
        Self::Collection,
        Self::Restitution,
    ];

    /// The kind as the API shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TopUp => "top_up",
            Self::Voucher => "voucher",
            Self::Bonus => "bonus",
            Self::Payment => "payment",
            Self::Refund => "refund",
            Self::Send => "send",
            Self::Receipt => "receipt",
            Self::Payout => "payout",
            Self::Collection => "collection",
            Self::Restitution => "restitution",
        }
    }
}

/// Who stands at the other end of a movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counterparty {
    /// Nobody.
    None,
    /// A shop.
    Shop(ShopId),
    /// A wallet.
    Wallet(WalletId),
    /// A bank account.
    BankAccount(BankAccountId),
    /// A campaign.
    Campaign(CampaignId),
}

/// By how much an event changed what is available: of a wallet by purse, of a shop in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Of a wallet: yen, negative where they left.
    Purses {
        /// In `bonus`.
        bonus: i64,
        /// In `prepaid`.
        prepaid: i64,
        /// In `funds`.
        funds: i64,
    },
    /// Of a shop's settlement account: yen, negative where they left.
    Settlement(i64),
}

/// What an event moved between a bank and us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtBank {
    /// The top-up or payout.
    pub about: Id,
    /// Which bank.
    pub bank: BankCode,
    /// How much more the bank owes us, in yen; negative: less.
    pub posted: i64,
}

/// What `event` posts to a bank's clearing account; nothing if it posts nothing there.
pub fn at_bank(event: &Event) -> Option<AtBank> {
    let (about, bank) = match event {
        Event::TopUp(event) => event.debit().map(|debit| (debit.top_up.0, debit.bank)),
        Event::Payout(event) => event.credit().map(|credit| (credit.payout.0, credit.bank)),
        // At the bank it is a return of that debit.
        Event::Reimbursement(
            reimbursement::Event::Done { credit, .. }
            | reimbursement::Event::Undone { credit, .. }
            | reimbursement::Event::DoneAfterAll { credit, .. }
            | reimbursement::Event::PaidTwice { credit, .. },
        ) => Some((credit.top_up.0, credit.bank)),
        Event::Reimbursement(_) => None,
        Event::Refused(_) | Event::Holder(_) | Event::Wallet(_) | Event::Shop(_) | Event::Mandate(_) => None,
        Event::Payment(_)
        | Event::Send(_)
        | Event::Voucher(_)
        | Event::Bonus(_)
        | Event::Switches(_)
        | Event::Case(_) => None,
    }?;
    let posted = posted(event, chart::clearing(bank)).saturating_neg();
    (posted != 0).then_some(AtBank { about, bank, posted })
}

/// What the list of `wallet` shows of `event`.
pub fn of_wallet(event: &Event, wallet: WalletId) -> Option<Movement> {
    let line = match event {
        Event::Payment(event) => line_of_payment(event).filter(|(_, whose, _)| *whose == wallet).map(|(line, ..)| line),
        Event::Send(event) => line_of_send(event, wallet),
        Event::Voucher(event) => line_of_voucher(event, wallet),
        Event::Bonus(event) => line_of_bonus(event, wallet),
        Event::TopUp(event) => line_of_top_up(event, wallet),
        Event::Payout(event) => line_of_payout(event, wallet),
        Event::Wallet(event) => line_of_collection(event, wallet),
        Event::Reimbursement(event) => line_of_restitution(event, wallet),
        Event::Refused(_) | Event::Holder(_) | Event::Shop(_) => None,
        Event::Mandate(_) | Event::Switches(_) | Event::Case(_) => None,
    }?;
    Some(line.with(purses(event, wallet)))
}

/// What the list of `shop` shows of `event`.
pub fn of_shop(event: &Event, shop: ShopId) -> Option<Movement> {
    let Event::Payment(payment) = event else { return None };
    let (line, _, whose) = line_of_payment(payment)?;
    // Who pays is the shop's customer by name or code at its own till, never by wallet.
    let line = Line { counterparty: Counterparty::None, ..line };
    (whose == shop).then(|| line.with(settlement(event, shop)))
}

/// A line without what it changed.
#[derive(Clone, Copy)]
struct Line {
    kind: Kind,
    id: Id,
    status: &'static str,
    amount: Yen,
    counterparty: Counterparty,
    at: Time,
}

impl Line {
    const fn with(self, change: Change) -> Movement {
        let Self { kind, id, status, amount, counterparty, at } = self;
        Movement { kind, id, status, amount, change, counterparty, at }
    }
}

/// What was given less what was taken, lot by lot, purse by purse.
fn purses(event: &Event, wallet: WalletId) -> Change {
    let (mut bonus, mut prepaid, mut funds) = (0_i64, 0_i64, 0_i64);
    let mut add = |purse, amount: i64| {
        let sum = match purse {
            Purse::Bonus => &mut bonus,
            Purse::Prepaid => &mut prepaid,
            Purse::Funds => &mut funds,
        };
        *sum = sum.saturating_add(amount);
    };
    event.effects(&mut |effect| match effect {
        Effect::Give(whose, piece) if whose == wallet => add(piece.purse, piece.lot.amount.amount()),
        Effect::Take(whose, piece) if whose == wallet => add(piece.purse, piece.lot.amount.amount().saturating_neg()),
        Effect::Give(..) | Effect::Take(..) | Effect::Leg(_) | Effect::Owe(..) | Effect::Repay(..) => {}
        Effect::Count(_) | Effect::Uncount(_) | Effect::Lessen(_) => {}
    });
    Change::Purses { bonus, prepaid, funds }
}

fn settlement(event: &Event, shop: ShopId) -> Change {
    Change::Settlement(posted(event, chart::settlement(shop)))
}

/// What `event` posts to `account`: credits less debits.
fn posted(event: &Event, account: AccountId) -> i64 {
    let mut change = 0_i64;
    event.effects(&mut |effect| {
        let Effect::Leg(leg) = effect else { return };
        let posted = match leg.step {
            Step::Single | Step::Post { .. } => leg.amount.amount(),
            Step::Hold | Step::Release => 0,
        };
        if leg.credit == account {
            change = change.saturating_add(posted);
        }
        if leg.debit == account {
            change = change.saturating_sub(posted);
        }
    });
    change
}

/// A payment's line, with whose wallet and shop it is of.
fn line_of_payment(event: &payment::Event) -> Option<(Line, WalletId, ShopId)> {
    use payment::{Event, Status};
    let authorised = |authorised: &Authorised, status: Status| {
        let Authorised { payment, wallet, shop, at, .. } = *authorised;
        (Kind::Payment, payment.0, wallet, shop, status.name(), authorised.amount(), at)
    };
    let (kind, id, wallet, shop, status, amount, at) = match event {
        Event::CodeIssued { .. } | Event::Referenced { .. } => return None,
        Event::Paid(paid) => authorised(paid, Status::Captured),
        Event::Authorised { authorised: held, .. } => authorised(held, Status::Authorised),
        Event::Captured { payment, wallet, shop, parts, at, .. } => {
            let amount = sum(parts.iter().map(|part| part.captured));
            (Kind::Payment, payment.0, *wallet, *shop, Status::Captured.name(), amount, *at)
        }
        Event::Released { payment, wallet, shop, pieces, status, at, .. } => {
            let amount = sum(pieces.iter().map(|piece| piece.lot.amount));
            (Kind::Payment, payment.0, *wallet, *shop, status.name(), amount, *at)
        }
        Event::Refunded { refund, wallet, shop, to_purses, to_debts, to_suspense, at, .. } => {
            let amount = sum([to_purses, to_debts, to_suspense].into_iter().flatten().map(|piece| piece.lot.amount));
            (Kind::Refund, refund.0, *wallet, *shop, "refunded", amount, *at)
        }
    };
    Some((Line { kind, id, status, amount, counterparty: Counterparty::Shop(shop), at }, wallet, shop))
}

/// The sender sees every step, the recipient only what arrives.
fn line_of_send(event: &send::Event, wallet: WalletId) -> Option<Line> {
    use send::{Event, Status};
    let of = |sent: &Sent| (sent.send, sent.from, sent.to, sent.amount(), sent.at);
    let ((id, from, to, amount, at), status) = match event {
        Event::Completed(sent) => (of(sent), Status::Completed),
        Event::Held { sent, .. } => (of(sent), Status::Held),
        Event::Released { send, from, to, amount, at, .. } => ((*send, *from, *to, *amount, *at), Status::Completed),
        Event::GivenBack { send, from, to, amount, status, at, .. } => ((*send, *from, *to, *amount, *at), *status),
        Event::PersonCounted { .. } | Event::PersonFreed { .. } => return None,
    };
    let line = |kind, other| {
        let counterparty = Counterparty::Wallet(other);
        Some(Line { kind, id: id.0, status: status.name(), amount, counterparty, at })
    };
    match status {
        _ if wallet == from => line(Kind::Send, to),
        Status::Completed if wallet == to => line(Kind::Receipt, from),
        Status::Completed | Status::Held | Status::GivenUp | Status::Expired => None,
    }
}

fn line_of_voucher(event: &voucher::Event, whose: WalletId) -> Option<Line> {
    match event {
        voucher::Event::Issued { .. } | voucher::Event::Cancelled { .. } => None,
        voucher::Event::MadeAlone { .. } | voucher::Event::Proposed { .. } | voucher::Event::Approved { .. } => None,
        voucher::Event::Redeemed { voucher, wallet, amount, at, .. } => (*wallet == whose).then_some(Line {
            kind: Kind::Voucher,
            id: voucher.0,
            status: voucher::Status::Redeemed.name(),
            amount: *amount,
            counterparty: Counterparty::None,
            at: *at,
        }),
    }
}

fn line_of_bonus(event: &bonus::Event, whose: WalletId) -> Option<Line> {
    let bonus::Event::Given { bonus, campaign, wallet, amount, at } = *event;
    (wallet == whose).then_some(Line {
        kind: Kind::Bonus,
        id: bonus.0,
        status: "given",
        amount,
        counterparty: Counterparty::Campaign(campaign),
        at,
    })
}

/// What has no id of its own: it is the wallet's.
fn line_of_collection(event: &crate::wallet::Event, whose: WalletId) -> Option<Line> {
    use crate::wallet::Event;
    let (wallet, kind, status, amount, at) = match event {
        Event::Collected { wallet, debts, at, .. } => {
            (*wallet, Kind::Collection, "collected", sum(debts.iter().map(|debt| debt.amount)), *at)
        }
        Event::WrittenOff { wallet, debts, at, .. } => {
            (*wallet, Kind::Collection, "written_off", sum(debts.iter().map(|debt| debt.amount)), *at)
        }
        Event::Recovered { wallet, pieces, waiting, at } => {
            let amounts = pieces.iter().map(|piece| piece.lot.amount);
            let all = sum(amounts.chain(waiting.iter().map(|waiting| waiting.of.amount)));
            (*wallet, Kind::Collection, "recovered", all, *at)
        }
        Event::BonusLapsed { wallet, pieces, at } => {
            (*wallet, Kind::Bonus, "lapsed", sum(pieces.iter().map(|piece| piece.lot.amount)), *at)
        }
        Event::Opened { .. } | Event::Frozen { .. } | Event::Unfrozen { .. } | Event::Closed { .. } => return None,
        Event::Linked { .. } | Event::WriteOffProposed { .. } => return None,
        Event::ClosingBegan { .. } | Event::ClosingEnded { .. } => return None,
    };
    (wallet == whose).then_some(Line { kind, id: wallet.0, status, amount, counterparty: Counterparty::None, at })
}

/// Whose it goes back to is not told.
fn line_of_restitution(event: &reimbursement::Event, whose: WalletId) -> Option<Line> {
    let reimbursement::Event::Approved { credit, at, .. } = event else { return None };
    let amount = sum(event.taken_from(whose).map(|piece| piece.lot.amount));
    (!amount.is_zero()).then_some(Line {
        kind: Kind::Restitution,
        id: credit.reimbursement.0,
        status: "taken",
        amount,
        counterparty: Counterparty::None,
        at: *at,
    })
}

fn line_of_top_up(event: &top_up::Event, whose: WalletId) -> Option<Line> {
    use top_up::{Event, Status};
    let (debit, status, amount, at) = match event {
        Event::Requested { debit, review: None, .. } => (debit, Status::Pending, debit.amount, debit.accepted),
        Event::Requested { debit, .. } => (debit, Status::Held, debit.amount, debit.accepted),
        Event::Settled { debit, at, .. } => (debit, Status::Settled, debit.amount, *at),
        Event::Ended { debit, status, at, .. } => (debit, *status, debit.amount, *at),
        Event::Mismatched { debit, at, .. } => (debit, Status::InDoubt, debit.amount, *at),
        Event::Returned { debit, debited, at, .. } => (debit, Status::Returned, *debited, *at),
        Event::Reversed { debit, at, .. } => (debit, Status::Reversed, debit.amount, *at),
        Event::GivenBack { .. } | Event::TakenBack { .. } | Event::GiveBackFailed { .. } => return None,
        Event::GivenBackOtherwise { .. } | Event::GivenBackTwice { .. } => return None,
        Event::GiveBackAbsent { .. } => return None,
        Event::Released { .. } | Event::Asked { .. } | Event::Doubted { .. } | Event::CancelWished { .. } => {
            return None;
        }
        Event::Contradicted { .. } | Event::GiveBackRetried { .. } | Event::GiveBackReversed { .. } => return None,
        Event::Proposed { .. } | Event::Resolved { .. } => return None,
    };
    (debit.wallet == whose).then_some(Line {
        kind: Kind::TopUp,
        id: debit.top_up.0,
        status: status.name(),
        amount,
        counterparty: Counterparty::BankAccount(debit.bank_account),
        at,
    })
}

fn line_of_payout(event: &payout::Event, whose: WalletId) -> Option<Line> {
    use payout::{Event, Status};
    let (credit, status, at) = match event {
        Event::Requested { credit, review: None, .. } => (credit, Status::Pending, credit.accepted),
        Event::Requested { credit, .. } => (credit, Status::Held, credit.accepted),
        Event::Settled { credit, at, .. } | Event::PaidAfterAll { credit, at, .. } => (credit, Status::Settled, *at),
        Event::Ended { credit, status, at, .. } => (credit, *status, *at),
        Event::Mismatched { credit, at, .. } => (credit, Status::InDoubt, *at),
        Event::Returned { credit, at, .. } => (credit, Status::Returned, *at),
        Event::Released { .. } | Event::Asked { .. } | Event::Doubted { .. } | Event::CancelWished { .. } => {
            return None;
        }
        Event::Contradicted { .. } | Event::Proposed { .. } | Event::Resolved { .. } => return None,
        Event::PaysBack { .. } | Event::PaysBackNoMore { .. } => return None,
    };
    (credit.wallet == whose).then_some(Line {
        kind: Kind::Payout,
        id: credit.payout.0,
        status: status.name(),
        amount: credit.amount,
        counterparty: Counterparty::BankAccount(credit.bank_account),
        at,
    })
}

fn sum(amounts: impl Iterator<Item = Yen>) -> Yen {
    Yen::checked_sum(amounts).unwrap_or(Yen::MAX)
}
