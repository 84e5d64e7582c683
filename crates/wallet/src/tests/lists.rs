//! What lists show of a story, and whom it is told to.

use super::story::Story;
use super::world::{shop, wallet};
use crate::movement::{Change, Counterparty, Movement, of_shop, of_wallet};
use crate::notice::{To, notices};

fn told(text: &str) -> Story {
    let mut story = Story::new();
    for sentence in text.split([';', '\n']).map(str::trim) {
        story.tell(sentence);
    }
    story
}

fn name(counterparty: Counterparty) -> String {
    match counterparty {
        Counterparty::None => "nobody".into(),
        Counterparty::Shop(id) => format!("shop {}", id.0.number()),
        Counterparty::Wallet(id) => format!("wallet {}", id.0.number()),
        Counterparty::BankAccount(id) => format!("account {}", id.0.number()),
        Counterparty::Campaign(id) => format!("campaign {}", id.0.number()),
    }
}

fn line(movement: &Movement) -> String {
    let Movement { kind, status, amount, change, counterparty, .. } = movement;
    let change = match change {
        Change::Purses { bonus, prepaid, funds } => format!("{bonus} {prepaid} {funds}"),
        Change::Settlement(change) => change.to_string(),
    };
    format!("{} {status} {} with {}: {change}", kind.name(), amount.amount(), name(*counterparty))
}

fn check_wallet(text: &str, expected: &[&str]) {
    let story = told(text);
    let events = story.world.journal.iter().flatten();
    let lines: Vec<_> = events.filter_map(|event| of_wallet(event, wallet(1))).map(|line_of| line(&line_of)).collect();
    assert_eq!(lines, expected);
}

fn check_shop(text: &str, expected: &[&str]) {
    let story = told(text);
    let events = story.world.journal.iter().flatten();
    let lines: Vec<_> = events.filter_map(|event| of_shop(event, shop(1))).map(|line_of| line(&line_of)).collect();
    assert_eq!(lines, expected);
}

fn check_notices(text: &str, expected: &[&str]) {
    let story = told(text);
    let mut lines = Vec::new();
    for event in story.world.journal.iter().flatten() {
        notices(event, &mut |notice| {
            let to = match notice.to {
                To::Holder(id) => format!("holder {}", id.0.number()),
                To::Wallet(id) => format!("wallet {}", id.0.number()),
                To::Mandate(_) => "mandate".into(),
                To::Contact(_) => "old contact".into(),
                To::Desk => "desk".into(),
            };
            lines.push(format!("{to}: {:?} {}", notice.kind, notice.amount.amount()));
        });
    }
    assert_eq!(lines, expected);
}

const SHOPPING: &str = "A has 100 bonus, 200 prepaid, 300 funds; B has 50 funds; A pays S 350 -> captured
    S refunds 120 -> done; A pays T 10 -> captured; S holds 40 of A -> authorised; S captures 15 -> captured
    S holds 5 of A -> authorised; S voids -> voided; A pays S 9999 -> insufficient funds, 345 there
    B pays S 50 -> captured";

#[test]
fn a_holder_sees_each_payment_and_what_it_was_made_of() {
    check_wallet(
        SHOPPING,
        &[
            "payment captured 350 with shop 1: -100 -200 -50",
            "refund refunded 120 with shop 1: 0 70 50",
            "payment captured 10 with shop 2: 0 -10 0",
            "payment authorised 40 with shop 1: 0 -40 0",
            "payment captured 15 with shop 1: 0 25 0",
            "payment authorised 5 with shop 1: 0 -5 0",
            "payment voided 5 with shop 1: 0 5 0",
        ],
    );
}

#[test]
fn a_shop_sees_what_it_got_and_gave_and_no_wallet() {
    check_shop(
        SHOPPING,
        &[
            "payment captured 350 with nobody: 350",
            "refund refunded 120 with nobody: -120",
            "payment authorised 40 with nobody: 0",
            "payment captured 15 with nobody: 15",
            "payment authorised 5 with nobody: 0",
            "payment voided 5 with nobody: 0",
            "payment captured 50 with nobody: 50",
        ],
    );
}

const SENDING: &str = "A has 500 funds; B has 700 funds; A sends B 100 -> completed; B sends A 600 -> completed
    the guard holds; A sends B 200 -> held; desk lets go -> completed; B sends A 300 -> held; desk says no -> given_up
    seller issues 1 worth 500 -> issued; campaign gives A 10 -> done; the guard allows; A redeems 1 -> redeemed";

#[test]
fn a_recipient_sees_what_arrives_and_a_sender_every_step() {
    check_wallet(
        SENDING,
        &[
            "send completed 100 with wallet 2: 0 0 -100",
            "receipt completed 600 with wallet 2: 0 0 600",
            "send held 200 with wallet 2: 0 0 -200",
            "send completed 200 with wallet 2: 0 0 0",
            "bonus given 10 with campaign 1: 10 0 0",
            "voucher redeemed 500 with nobody: 0 500 0",
        ],
    );
}

#[test]
fn both_sides_of_a_send_are_told_and_the_desk_of_what_it_is_to_decide() {
    check_notices(
        SENDING,
        &[
            "wallet 1: Sent 100",
            "wallet 2: Received 100",
            "wallet 2: Sent 600",
            "wallet 1: Received 600",
            "wallet 1: SendHeld 200",
            "desk: MovementToDecide 200",
            "wallet 1: Sent 200",
            "wallet 2: Received 200",
            "wallet 2: SendHeld 300",
            "desk: MovementToDecide 300",
            "wallet 2: SendGivenBack 300",
            "wallet 1: BonusGiven 10",
            "wallet 1: VoucherRedeemed 500",
        ],
    );
}

const BANKING: &str = "A links X; A tops up 9000 from X -> pending; bank is asked -> in_doubt; bank moved 9000 -> settled
    A pays out 1000 to X -> pending; bank declines -> declined; A tops up 500 from X -> pending; bank declines -> declined
    A tops up 600 from X -> pending; bank moved 60 -> in_doubt, flagged; A pays S 8000 -> captured
    A tops up 700 from X -> pending; bank moved 700 -> settled; bank takes back 700 -> reversed";

#[test]
fn a_top_up_shows_when_it_is_asked_for_and_when_it_ends() {
    check_wallet(
        BANKING,
        &[
            "top_up pending 9000 with account 1: 0 0 0",
            "top_up settled 9000 with account 1: 0 0 9000",
            "payout pending 1000 with account 1: 0 0 -1000",
            "payout declined 1000 with account 1: 0 0 1000",
            "top_up pending 500 with account 1: 0 0 0",
            "top_up declined 500 with account 1: 0 0 0",
            "top_up pending 600 with account 1: 0 0 0",
            "top_up in_doubt 600 with account 1: 0 0 0",
            "payment captured 8000 with shop 1: 0 0 -8000",
            "top_up pending 700 with account 1: 0 0 0",
            "top_up settled 700 with account 1: 0 0 700",
            "top_up reversed 700 with account 1: 0 0 -700",
        ],
    );
}

#[test]
fn a_holder_is_told_of_links_and_of_money_at_banks_and_the_desk_of_wrong_answers() {
    check_notices(
        BANKING,
        &[
            "mandate: MandateRequested 0",
            "mandate: MandateActive 0",
            "mandate: MandateConfirmed 0",
            "wallet 1: TopUpRequested 9000",
            "wallet 1: TopUpSettled 9000",
            "wallet 1: PayoutRequested 1000",
            "wallet 1: PayoutEnded 1000",
            "wallet 1: TopUpRequested 500",
            "wallet 1: TopUpEnded 500",
            "wallet 1: TopUpRequested 600",
            "desk: AnswerToResolve 60",
            "wallet 1: Paid 8000",
            "wallet 1: TopUpRequested 700",
            "wallet 1: TopUpSettled 700",
            "wallet 1: TopUpReversed 700",
        ],
    );
}

#[test]
fn the_desk_is_told_of_what_a_reversal_leaves_owed() {
    check_notices(
        "A has 500 funds; A links X; A tops up 9000 from X -> pending; bank moved 9000 -> settled; A pays S 9000 -> captured
         bank takes back 9000 -> reversed; A owes 8500",
        &[
            "mandate: MandateRequested 0",
            "mandate: MandateActive 0",
            "mandate: MandateConfirmed 0",
            "wallet 1: TopUpRequested 9000",
            "wallet 1: TopUpSettled 9000",
            "wallet 1: Paid 9000",
            "desk: TopUpReversed 8500",
            "wallet 1: TopUpReversed 9000",
        ],
    );
}
