//! Events as the operator is told of them: what the desk, or whoever watches for it, should look at. Ids and amounts alone,
//! never who somebody is.

use crate::refusals::function_name;
use crate::webhooks::event::Told;
use domain::Time;
use engine::{Outcome, Record};
use ledger::Yen;
use serde_json::{Value, json};
use wallet::adjustment::Adjusted;
use wallet::mandate::{RevokedBy, Status, Why};
use wallet::wallet::Asker;
use wallet::{Event, Wallets, case, mandate, payout, reimbursement, send, switches, top_up};

/// The names of all events.
pub const NAMES: [&str; 21] = [
    MOVEMENT_HELD,
    "movement.in_doubt",
    "movement.mismatched",
    "movement.contradicted",
    "movement.reversed",
    "movement.give_back_failed",
    "movement.paid_back_no_more",
    "mandate.held",
    "mandate.not_mine",
    "switch.set",
    "switch.lift_proposed",
    "switch.lifted",
    "control.proposed",
    "control.adjusted",
    "wallet.frozen",
    "wallet.unfrozen",
    "case.opened",
    "case.closed",
    CLAIM_RECEIVED,
    BANK_INCIDENT,
    ALARM,
];

const MOVEMENT_HELD: &str = "movement.held";
/// Somebody who is perhaps no customer says that a debit was not theirs.
pub const CLAIM_RECEIVED: &str = "claim.received";
/// A bank tells of fraud, or of something stopped.
pub const BANK_INCIDENT: &str = "bank.incident";
/// Something is wrong on our side.
pub const ALARM: &str = "alarm";

/// What the operator is told of `event`, which was recorded at `at`.
pub fn told(event: &Event, at: Time) -> Option<Told> {
    let (name, data) = match event {
        Event::TopUp(event) => of_top_up(event)?,
        Event::Payout(event) => of_payout(event)?,
        Event::Send(send::Event::Held { sent, review }) => {
            let data = json!({ "id": sent.send.to_string(), "kind": "send", "wallet_id": sent.from.to_string(),
                "reason": review.reason, "deadline": review.deadline.to_string() });
            (MOVEMENT_HELD, data)
        }
        Event::Mandate(event) => of_mandate(event)?,
        Event::Switches(event) => of_switch(event),
        Event::Wallet(event) => of_wallet(event)?,
        Event::Case(event) => of_case(event)?,
        Event::Reimbursement(event) => of_reimbursement(event)?,
        Event::Send(_)
        | Event::Refused(_)
        | Event::Holder(_)
        | Event::Shop(_)
        | Event::Payment(_)
        | Event::Voucher(_)
        | Event::Bonus(_) => return None,
    };
    Some(Told { name, at, data })
}

/// What the operator is told of a record as a whole: that our own code failed.
pub fn told_of_record(record: &Record<Wallets>) -> Option<Told> {
    let Outcome::Defect(_) = &record.entry.outcome else { return None };
    let data = json!({ "kind": "defect", "record": record.place.n, "command": record.entry.command });
    Some(Told { name: ALARM, at: record.at, data })
}

type Said = Option<(&'static str, Value)>;

fn movement(id: &impl ToString, kind: &'static str) -> Value {
    json!({ "id": id.to_string(), "kind": kind })
}

fn amount(mut data: Value, amount: Yen) -> Value {
    data["amount"] = json!(amount);
    data
}

fn of_top_up(event: &top_up::Event) -> Said {
    let is = |top_up: wallet::TopUpId| movement(&top_up, "top_up");
    if let top_up::Event::Requested { debit, review: Some(review), .. } = event {
        let mut data = amount(is(debit.top_up), debit.amount);
        data["wallet_id"] = debit.wallet.to_string().into();
        data["bank_code"] = debit.bank.to_string().into();
        data["reason"] = review.reason.into();
        data["deadline"] = review.deadline.to_string().into();
        return Some((MOVEMENT_HELD, data));
    }
    if let top_up::Event::Doubted { top_up, .. } = event {
        return Some(("movement.in_doubt", is(*top_up)));
    }
    if let top_up::Event::Mismatched { debit, debited, .. } = event {
        return Some(("movement.mismatched", amount(is(debit.top_up), *debited)));
    }
    if let top_up::Event::Contradicted { top_up, .. } = event {
        return Some(("movement.contradicted", is(*top_up)));
    }
    if let top_up::Event::Reversed { debit, .. } = event {
        return Some(("movement.reversed", amount(is(debit.top_up), debit.amount)));
    }
    let top_up::Event::GiveBackFailed { top_up, .. } = event else { return None };
    Some(("movement.give_back_failed", is(*top_up)))
}

fn of_payout(event: &payout::Event) -> Said {
    let is = |payout: wallet::PayoutId| movement(&payout, "payout");
    if let payout::Event::Requested { credit, review: Some(review), .. } = event {
        let mut data = amount(is(credit.payout), credit.amount);
        data["wallet_id"] = credit.wallet.to_string().into();
        data["bank_code"] = credit.bank.to_string().into();
        data["reason"] = review.reason.into();
        data["deadline"] = review.deadline.to_string().into();
        return Some((MOVEMENT_HELD, data));
    }
    if let payout::Event::Doubted { payout, .. } = event {
        return Some(("movement.in_doubt", is(*payout)));
    }
    if let payout::Event::Mismatched { credit, paid, .. } = event {
        return Some(("movement.mismatched", amount(is(credit.payout), *paid)));
    }
    if let payout::Event::PaysBackNoMore { payout, of } = event {
        // Its holder reads that it did not arrive. That debits of its account lack it again concerns whoever reimburses them.
        let lacks = |(top_up, amount): &(wallet::TopUpId, Yen)| json!({ "id": top_up.to_string(), "amount": amount });
        let mut data = is(*payout);
        data["top_ups"] = of.iter().map(lacks).collect();
        return Some(("movement.paid_back_no_more", data));
    }
    let payout::Event::Contradicted { payout, .. } = event else { return None };
    Some(("movement.contradicted", is(*payout)))
}

fn of_mandate(event: &mandate::Event) -> Said {
    if let mandate::Event::Granted { mandate, status: Status::InReview, deadline, .. } = event {
        let data = json!({ "id": mandate.to_string(), "deadline": deadline.to_string() });
        return Some(("mandate.held", data));
    }
    let mandate::Event::Revoked { mandate, by, why: Why::NotMine, .. } = event else { return None };
    let by = match by {
        RevokedBy::Holder(_) => "holder",
        RevokedBy::BankAccountHolder | RevokedBy::StrongerLink(_) => "account_holder",
        RevokedBy::Bank => "bank",
        RevokedBy::Desk(_) => "desk",
    };
    Some(("mandate.not_mine", json!({ "id": mandate.to_string(), "by": by })))
}

fn of_switch(event: &switches::Event) -> (&'static str, Value) {
    match event {
        switches::Event::Set(stop) => {
            let data = json!({ "id": stop.id.to_string(), "function": stop.function.map(function_name),
                "bank_code": stop.bank.map(|bank| bank.to_string()) });
            ("switch.set", data)
        }
        switches::Event::Lifted(switch) => ("switch.lifted", json!({ "id": switch.to_string() })),
        switches::Event::LiftProposed(lift) => ("switch.lift_proposed", json!({ "id": lift.id.to_string() })),
        switches::Event::Proposed(adjusted) => ("control.proposed", of_adjustment(adjusted)),
        switches::Event::Adjusted(adjusted) => ("control.adjusted", of_adjustment(adjusted)),
    }
}

fn of_adjustment(adjusted: &Adjusted) -> Value {
    json!({ "id": adjusted.id.to_string(), "control": adjusted.adjustment.name() })
}

fn of_case(event: &case::Event) -> Said {
    match event {
        case::Event::Opened { case, bank_account, .. } => {
            let data = json!({ "id": case.to_string(), "bank_account_id": bank_account.to_string() });
            Some(("case.opened", data))
        }
        case::Event::Kept { wallet, freezes: true, .. } => {
            Some(("wallet.frozen", json!({ "id": wallet.to_string(), "by": "desk" })))
        }
        case::Event::Closed { case, .. } => Some(("case.closed", json!({ "id": case.to_string() }))),
        case::Event::Kept { .. } | case::Event::Joined { .. } | case::Event::ClosingProposed { .. } => None,
    }
}

fn of_reimbursement(event: &reimbursement::Event) -> Said {
    use reimbursement::Event;
    let is = |id: &wallet::ReimbursementId| movement(id, "reimbursement");
    match event {
        Event::Failed { credit, .. } | Event::Undone { credit, .. } => {
            Some(("movement.give_back_failed", amount(is(&credit.reimbursement), credit.amount)))
        }
        Event::Asked { reimbursement, .. } => Some(("movement.in_doubt", is(reimbursement))),
        Event::Contradicted { reimbursement, .. } => Some(("movement.contradicted", is(reimbursement))),
        Event::Proposed { .. }
        | Event::Refused { .. }
        | Event::Approved { .. }
        | Event::Done { .. }
        | Event::ResolutionProposed { .. }
        | Event::Resolved { .. }
        | Event::DoneAfterAll { .. }
        | Event::PaidOtherwise { .. }
        | Event::PaidTwice { .. }
        | Event::Freed { .. }
        // Whoever operates it reads of it where it waits for the desk.
        | Event::Absent { .. } => None,
    }
}

fn of_wallet(event: &wallet::wallet::Event) -> Said {
    let by = |by: &Asker| match by {
        Asker::Holder(_) => "holder",
        Asker::Desk(_) => "desk",
    };
    if let wallet::wallet::Event::Frozen { wallet, by: asker, .. } = event {
        return Some(("wallet.frozen", json!({ "id": wallet.to_string(), "by": by(asker) })));
    }
    let wallet::wallet::Event::Unfrozen { wallet, by: asker, .. } = event else { return None };
    Some(("wallet.unfrozen", json!({ "id": wallet.to_string(), "by": by(asker) })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Id;
    use wallet::{PayoutId, TopUpId};

    #[test]
    fn whoever_reimburses_hears_that_a_debit_lacks_again_what_a_payout_had_brought_back() {
        let (payout, top_up) = (PayoutId(Id::from_number(7)), TopUpId(Id::from_number(8)));
        let event = payout::Event::PaysBackNoMore { payout, of: vec![(top_up, Yen::new(500))] };
        let told = told(&Event::Payout(event), Time::default()).expect("it is told");
        let data = json!({ "id": payout.to_string(), "kind": "payout",
            "top_ups": [{ "id": top_up.to_string(), "amount": 500 }] });
        assert_eq!((told.name, &told.data), ("movement.paid_back_no_more", &data));
        assert!(NAMES.contains(&told.name), "an endpoint may ask for it");
    }
}
