//! Flows and their phases: what a command is about, and how far that is, for the coverage table.
//!
//! The phases are the nouns' own statuses, from their own lists: one that is new stops the build here, and a phase that is met
//! and stands in no list fails the run.

use super::coverage::{Flow, Phase};
use domain::Key;
use wallet::adjustment::Adjusted;
use wallet::{
    Command, Row, Standing, case, mandate, payment, payout, reimbursement, send, switches, table, top_up, voucher,
    wallet as room,
};

/// The phase of something that is not there yet.
pub const NEW: Phase = "new";

/// The flows and their phases.
pub fn flows() -> Vec<(Flow, Vec<Phase>)> {
    let wallet = [Standing::Open, Standing::Frozen, Standing::Closing, Standing::Closed].map(Standing::name);
    let case = [Standing::Open, Standing::Joined, Standing::Closed].map(Standing::name);
    vec![
        ("wallet", from_new(&wallet)),
        ("mandate", from_new(&mandate::Status::ALL.map(mandate::Status::name))),
        ("top_up", from_new(&top_up::Status::ALL.map(top_up::Status::name))),
        ("give_back", top_up::GiveBackStatus::ALL.map(top_up::GiveBackStatus::name).to_vec()),
        ("payout", from_new(&payout::Status::ALL.map(payout::Status::name))),
        ("payment", from_new(&payment::Status::ALL.map(payment::Status::name))),
        ("send", from_new(&send::Status::ALL.map(send::Status::name))),
        ("voucher", from_new(&voucher::Status::ALL.map(voucher::Status::name))),
        ("case", from_new(&case)),
        ("reimbursement", from_new(&reimbursement::Status::ALL.map(reimbursement::Status::name))),
        ("write_off", DEBTS.to_vec()),
        ("stop", STOPS.to_vec()),
        ("adjustment", ADJUSTMENTS.to_vec()),
    ]
}

fn from_new(phases: &[Phase]) -> Vec<Phase> {
    std::iter::once(NEW).chain(phases.iter().copied()).collect()
}

/// How far a wallet's debt is on its way to being written off.
const DEBTS: [Phase; 4] = ["nothing_owed", "owed", "proposed", "written_off"];

/// How far a stop is, from its being set to its being lifted.
const STOPS: [Phase; 3] = [NEW, "in_force", "lift_proposed"];

/// How far a value of the policy is that the desk sets.
const ADJUSTMENTS: [Phase; 3] = [NEW, "proposed", "in_force"];

/// What `command` is about, of whose row this is, with the phases: its flow, and the one beside it.
pub fn met(command: &Command, flow: Flow, row: Option<&Row>) -> impl Iterator<Item = (Flow, Phase)> {
    let phase = if let Command::Switches(command) = command { of_switch(command, row) } else { of(row) };
    std::iter::once((flow, phase)).chain(beside(command, row))
}

/// How far the stop or the value is that `command` names: they are all in one row.
fn of_switch(command: &switches::Command, row: Option<&Row>) -> Phase {
    let Some(Row::Switches(row)) = row else { return NEW };
    let ([new, stopped, lifting], [_, proposed, adjusted]) = (STOPS, ADJUSTMENTS);
    match command {
        switches::Command::Set { id, .. }
        | switches::Command::ProposeLift { id, .. }
        | switches::Command::Lift { id, .. } => {
            let is_lifting = row.lifts.iter().any(|lift| lift.id == *id);
            let is_there = row.stops.iter().any(|stop| stop.id == *id);
            if is_lifting {
                lifting
            } else if is_there {
                stopped
            } else {
                new
            }
        }
        switches::Command::Adjust { adjustment, .. } => {
            let is_in = |all: &[Adjusted]| all.iter().any(|other| other.adjustment.is_of_kind(*adjustment));
            if is_in(&row.proposed) {
                proposed
            } else if is_in(&row.adjusted) {
                adjusted
            } else {
                new
            }
        }
        switches::Command::Approve { id, .. } => {
            let is_in = |all: &[Adjusted]| all.iter().any(|other| other.id == *id);
            if is_in(&row.proposed) {
                proposed
            } else if is_in(&row.adjusted) {
                adjusted
            } else {
                new
            }
        }
    }
}

/// The flow that runs within another one.
fn beside(command: &Command, row: Option<&Row>) -> Option<(Flow, Phase)> {
    if let Command::TopUp(command) = command
        && let top_up::Command::AnswerGiveBack { .. }
        | top_up::Command::AbsentGiveBack { .. }
        | top_up::Command::ReverseGiveBack { .. }
        | top_up::Command::RetryGiveBack { .. } = command
    {
        return give_back(row);
    }
    if let Command::Wallet(command) = command
        && let room::Command::Collect { .. }
        | room::Command::ProposeWriteOff { .. }
        | room::Command::ApproveWriteOff { .. } = command
        && let Some(Row::Wallet(wallet)) = row
    {
        return Some(("write_off", debt(wallet)));
    }
    None
}

/// How far the give-back of a top-up is.
pub fn give_back(row: Option<&Row>) -> Option<(Flow, Phase)> {
    let Some(Row::TopUp(row)) = row else { return None };
    row.give_back.map(|given| ("give_back", given.status.name()))
}

fn debt(wallet: &room::Wallet) -> Phase {
    let is_proposed = wallet.ties.as_ref().is_some_and(|ties| ties.write_off.is_some());
    let [nothing, owed, proposed, written_off] = DEBTS;
    match (wallet.debts.is_empty(), is_proposed, wallet.written_off().is_empty()) {
        (false, true, _) => proposed,
        (false, false, _) => owed,
        (true, _, false) => written_off,
        (true, _, true) => nothing,
    }
}

/// The flow that `command` belongs to, and the row that says how far it is.
pub fn subject(command: &Command) -> Option<(Flow, Key)> {
    Some(match command {
        Command::Holder(_) | Command::Shop(_) | Command::Bonus(_) => return None,
        Command::Switches(
            switches::Command::Set { .. } | switches::Command::ProposeLift { .. } | switches::Command::Lift { .. },
        ) => ("stop", switches::KEY),
        Command::Switches(switches::Command::Adjust { .. } | switches::Command::Approve { .. }) => {
            ("adjustment", switches::KEY)
        }
        Command::Reimbursement(command) => ("reimbursement", Key::new(table::REIMBURSEMENT, command.reimbursement().0)),
        Command::Case(command) => {
            let (case::Command::Open { case, .. }
            | case::Command::Keep { case, .. }
            | case::Command::ProposeClosing { case, .. }
            | case::Command::Close { case, .. }) = command;
            ("case", Key::new(table::CASE, case.0))
        }
        Command::Wallet(command) => {
            let (room::Command::Open { wallet, .. }
            | room::Command::Freeze { wallet, .. }
            | room::Command::Unfreeze { wallet, .. }
            | room::Command::Collect { wallet, .. }
            | room::Command::ProposeWriteOff { wallet, .. }
            | room::Command::ApproveWriteOff { wallet, .. }
            | room::Command::Close { wallet, .. }) = command;
            ("wallet", Key::new(table::WALLET, wallet.0))
        }
        Command::Mandate(command) => ("mandate", Key::new(table::MANDATE, mandate_of(command).0)),
        Command::TopUp(command) => ("top_up", Key::new(table::TOP_UP, top_up_of(command).0)),
        Command::Payout(command) => ("payout", Key::new(table::PAYOUT, payout_of(command).0)),
        Command::Payment(command) => {
            let id = match command {
                payment::Command::IssueCode { .. } => return None,
                payment::Command::Authorise(command) => command.payment,
                payment::Command::Capture { payment, .. }
                | payment::Command::Void { payment, .. }
                | payment::Command::Expire { payment }
                | payment::Command::Refund { payment, .. } => *payment,
            };
            ("payment", Key::new(table::PAYMENT, id.0))
        }
        Command::Send(command) => {
            let id = match command {
                send::Command::Request(command) => command.send,
                send::Command::DecideHeld { send, .. } | send::Command::ExpireHeld { send } => *send,
            };
            ("send", Key::new(table::SEND, id.0))
        }
        Command::Voucher(command) => {
            let (voucher::Command::Issue { voucher, .. }
            | voucher::Command::Approve { voucher, .. }
            | voucher::Command::Redeem { voucher, .. }
            | voucher::Command::Cancel { voucher }) = command;
            ("voucher", Key::new(table::VOUCHER, voucher.0))
        }
    })
}

fn mandate_of(command: &mandate::Command) -> wallet::MandateId {
    match command {
        mandate::Command::Request(request) => request.mandate,
        mandate::Command::Authenticate { mandate }
        | mandate::Command::Grant { mandate, .. }
        | mandate::Command::Confirm { mandate, .. }
        | mandate::Command::Decide { mandate, .. }
        | mandate::Command::Refuse { mandate }
        | mandate::Command::Abandon { mandate }
        | mandate::Command::Expire { mandate }
        | mandate::Command::ConfirmByTrueHolder { mandate }
        | mandate::Command::Revoke { mandate, .. } => *mandate,
    }
}

/// The top-up that `command` is about.
pub fn top_up_of(command: &top_up::Command) -> wallet::TopUpId {
    match command {
        top_up::Command::Request(request) => request.top_up,
        top_up::Command::DecideHeld { top_up, .. }
        | top_up::Command::ExpireHeld { top_up }
        | top_up::Command::Asked { top_up }
        | top_up::Command::Answer { top_up, .. }
        | top_up::Command::Cancel { top_up, .. }
        | top_up::Command::Reverse { top_up, .. }
        | top_up::Command::Contradict { top_up, .. }
        | top_up::Command::ReverseGiveBack { top_up, .. }
        | top_up::Command::AnswerGiveBack { top_up, .. }
        | top_up::Command::AbsentGiveBack { top_up, .. }
        | top_up::Command::RetryGiveBack { top_up, .. }
        | top_up::Command::Propose { top_up, .. }
        | top_up::Command::Approve { top_up, .. } => *top_up,
    }
}

/// The payout that `command` is about.
pub fn payout_of(command: &payout::Command) -> wallet::PayoutId {
    match command {
        payout::Command::Request(request) | payout::Command::RequestLast(request) => request.payout,
        payout::Command::DecideHeld { payout, .. }
        | payout::Command::ExpireHeld { payout }
        | payout::Command::Asked { payout }
        | payout::Command::Answer { payout, .. }
        | payout::Command::Cancel { payout, .. }
        | payout::Command::Return { payout, .. }
        | payout::Command::Contradict { payout, .. }
        | payout::Command::Propose { payout, .. }
        | payout::Command::Approve { payout, .. } => *payout,
    }
}

/// How far the thing is whose row this is. A new status must be thought about here, and be in its noun's list.
pub fn of(row: Option<&Row>) -> Phase {
    match row {
        Some(Row::Wallet(wallet)) => wallet.status(),
        Some(Row::Mandate(row)) => {
            use mandate::Status::{
                Abandoned, Active, Authenticating, Expired, InReview, Pending, Refused, Requested, Revoked,
            };
            let (Requested | Authenticating | Pending | InReview | Active | Refused | Abandoned | Expired | Revoked) =
                row.status;
            row.status.name()
        }
        Some(Row::TopUp(row)) => {
            use top_up::Status::{Cancelled, Declined, Held, InDoubt, Pending, Returned, Reversed, Settled};
            let (Held | Pending | InDoubt | Settled | Declined | Cancelled | Returned | Reversed) = row.status;
            row.status.name()
        }
        Some(Row::Payout(row)) => {
            use payout::Status::{Cancelled, Declined, Held, InDoubt, Pending, Returned, Settled};
            let (Held | Pending | InDoubt | Settled | Declined | Cancelled | Returned) = row.status;
            row.status.name()
        }
        Some(Row::Payment(row)) => {
            use payment::Status::{Authorised, Captured, Expired, Voided};
            let (Authorised | Captured | Voided | Expired) = row.status;
            row.status.name()
        }
        Some(Row::Send(row)) => {
            use send::Status::{Completed, Expired, GivenUp, Held};
            let (Held | Completed | GivenUp | Expired) = row.status;
            row.status.name()
        }
        Some(Row::Voucher(row)) => {
            use voucher::Status::{Cancelled, Issued, Proposed, Redeemed};
            let (Issued | Redeemed | Cancelled | Proposed) = row.status;
            row.status.name()
        }
        Some(Row::Reimbursement(row)) => {
            use reimbursement::Status::{Done, Failed, InDoubt, Pending, Proposed, Refused};
            let (Proposed | Refused | Pending | InDoubt | Done | Failed) = row.status;
            row.status.name()
        }
        Some(Row::Case(row)) => {
            use case::Status::{Closed, Joined, Open};
            let (Open | Joined(_) | Closed) = row.status;
            row.status.name()
        }
        None
        | Some(
            Row::Holder(_)
            | Row::Person(_)
            | Row::Contact(_)
            | Row::BankAccount(_)
            | Row::PaymentCode(_)
            | Row::Shop(_)
            | Row::Account(..)
            | Row::Switches(_)
            | Row::Bonus(_),
        ) => NEW,
    }
}

/// The wallet that a command is about, or that its row is about.
pub fn wallet_of(command: &Command, row: Option<&Row>) -> Option<wallet::WalletId> {
    match row {
        Some(Row::Mandate(row)) => return Some(row.wallet),
        Some(Row::TopUp(row)) => return Some(row.debit.wallet),
        Some(Row::Payout(row)) => return Some(row.credit.wallet),
        Some(Row::Payment(row)) => return Some(row.wallet),
        Some(Row::Send(row)) => return Some(row.from),
        Some(_) | None => {}
    }
    match command {
        Command::Mandate(mandate::Command::Request(command)) => Some(command.wallet),
        Command::TopUp(top_up::Command::Request(command)) => Some(command.wallet),
        Command::Payout(payout::Command::Request(command) | payout::Command::RequestLast(command)) => {
            Some(command.wallet)
        }
        Command::Send(send::Command::Request(command)) => Some(command.wallet),
        Command::Voucher(voucher::Command::Redeem { wallet, .. }) => Some(*wallet),
        Command::Payment(payment::Command::Authorise(command)) => match command.payer {
            payment::Payer::Holder(wallet, _) => Some(wallet),
            payment::Payer::Code(_) => None,
        },
        _ => None,
    }
}
