//! Flows and their phases: what a command is about, and how far that is, for the coverage table.

use domain::Key;
use wallet::{Command, Row, mandate, payment, payout, send, table, top_up, voucher, wallet as room};

/// The phase of something that is not there yet.
pub const NEW: &str = "new";

/// The flow that `command` belongs to, and the row that says how far it is.
pub fn subject(command: &Command) -> Option<(&'static str, Key)> {
    Some(match command {
        Command::Holder(_) | Command::Shop(_) | Command::Bonus(_) | Command::Switches(_) | Command::Case(_) => {
            return None;
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

/// How far the thing is whose row this is.
pub fn of(row: Option<&Row>) -> &'static str {
    match row {
        Some(Row::Wallet(wallet)) => wallet.status(),
        Some(Row::Mandate(mandate)) => mandate.status.name(),
        Some(Row::TopUp(top_up)) => top_up.status.name(),
        Some(Row::Payout(payout)) => payout.status.name(),
        Some(Row::Payment(payment)) => payment.status.name(),
        Some(Row::Send(send)) => send.status.name(),
        Some(Row::Voucher(voucher)) => voucher.status.name(),
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
            | Row::Case(_)
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
