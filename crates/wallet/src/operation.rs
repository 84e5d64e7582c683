//! Operations: which requests begin something that ends later, and when that has ended.
//!
//! The engine keeps the idempotency key of such a request until the end, however late that comes: a caller who asks again
//! under it must never begin a second one. Start reading at [`begun`].

use crate::payment::payment_key;
use crate::reimbursement::{self, reimbursement_key};
use crate::top_up::top_up_key;
use crate::{Event, Row, mandate, payment, payout, send, table, top_up};
use domain::Key;

/// The row of the operation that `events` began and did not end.
pub(crate) fn begun(events: &[Event]) -> Option<Key> {
    events.iter().find_map(|event| match event {
        Event::TopUp(top_up::Event::Requested { debit, .. }) => Some(top_up_key(debit.top_up)),
        Event::Payout(payout::Event::Requested { credit, .. }) => Some(Key::new(table::PAYOUT, credit.payout.0)),
        Event::Payment(payment::Event::Authorised { authorised, .. }) => Some(payment_key(authorised.payment)),
        Event::Reimbursement(reimbursement::Event::Approved { credit, .. }) => {
            Some(reimbursement_key(credit.reimbursement))
        }
        Event::Send(send::Event::Held { sent, .. }) => Some(Key::new(table::SEND, sent.send.0)),
        Event::Mandate(mandate::Event::Requested { mandate, .. }) => Some(Key::new(table::MANDATE, mandate.0)),
        Event::TopUp(_) | Event::Payout(_) | Event::Payment(_) | Event::Send(_) | Event::Mandate(_) => None,
        Event::Refused(_) | Event::Holder(_) | Event::Wallet(_) | Event::Shop(_) => None,
        Event::Voucher(_) | Event::Bonus(_) | Event::Switches(_) | Event::Case(_) => None,
        Event::Reimbursement(_) => None,
    })
}

/// Whether the operation that `row` stands for has ended. One that the desk must still settle has not.
pub(crate) fn is_final(row: &Row) -> bool {
    match row {
        Row::TopUp(row) => !row.status.is_open() && !row.is_flagged() && !row.gives_back(),
        Row::Payout(row) => !row.status.is_open() && !row.is_flagged(),
        Row::Reimbursement(row) => !row.status.is_open() && !row.is_flagged(),
        Row::Payment(row) => match row.status {
            payment::Status::Authorised => false,
            payment::Status::Captured | payment::Status::Voided | payment::Status::Expired => true,
        },
        Row::Send(row) => match row.status {
            send::Status::Held => false,
            send::Status::Completed | send::Status::GivenUp | send::Status::Expired => true,
        },
        Row::Mandate(row) => match row.status {
            mandate::Status::Requested
            | mandate::Status::Authenticating
            | mandate::Status::Pending
            | mandate::Status::InReview => false,
            mandate::Status::Active
            | mandate::Status::Refused
            | mandate::Status::Abandoned
            | mandate::Status::Expired
            | mandate::Status::Revoked => true,
        },
        Row::Holder(_) | Row::Person(_) | Row::Contact(_) | Row::Wallet(_) | Row::BankAccount(_) => true,
        Row::Shop(_) | Row::PaymentCode(_) | Row::Voucher(_) | Row::Bonus(_) => true,
        Row::Account(..) | Row::Switches(_) | Row::Case(_) => true,
    }
}
