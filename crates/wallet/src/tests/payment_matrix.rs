//! Every command on a payment in every state that a payment can be in.

use super::story::Story;

/// Tells `setup`, and then each deed on a story of its own: what it is answered must be what stands in its column.
fn check(setup: &str, columns: [&str; 6]) {
    let deeds = ["S captures", "S captures 40", "S voids", "nobody captures", "S refunds 10", "T refunds 10"];
    for (deed, expected) in deeds.into_iter().zip(columns) {
        let mut story = Story::new();
        for sentence in setup.split("; ") {
            story.tell(sentence);
        }
        let before = story.world.rows.clone();
        story.tell(&format!("{deed} -> {expected}"));
        let done = ["captured", "voided", "expired", "done"].contains(&expected);
        let refused_wallet_counts = story.world.rows == before;
        assert!(done != refused_wallet_counts, "{setup}; {deed}: a refusal changes nothing, and a deed something");
    }
}

#[test]
fn any_command_on_a_payment_in_any_state() {
    let held = "A has 100 funds; S holds 100 of A -> authorised";
    let after = |rest: &str| format!("{held}; {rest}");
    let unknown = "unknown payment";
    check("A has 100 funds", [unknown; 6]);
    let (early, waits) = ("payment authorised, not yet expired", "payment authorised");
    check(held, ["captured", "captured", "voided", early, waits, unknown]);
    let late = "payment ran out";
    check(&after("7 days pass"), [late, late, "voided", "expired", waits, unknown]);
    let captured = "payment captured";
    check("A has 100 funds; A pays S 100 -> captured", [captured, captured, captured, captured, "done", unknown]);
    check(&after("S captures 60 -> captured"), [captured, captured, captured, captured, "done", unknown]);
    let spent = "limit per time, 5 left";
    let refunded = after("S captures 60 -> captured; S refunds 55 -> done");
    check(&refunded, [captured, captured, captured, captured, spent, unknown]);
    let voided = "payment voided";
    check(&after("S voids -> voided"), [voided, voided, voided, voided, voided, unknown]);
    let expired = "payment expired";
    let over = after("7 days pass; nobody captures -> expired");
    check(&over, [expired, expired, expired, expired, expired, unknown]);
}

#[test]
fn any_command_on_a_payment_of_a_frozen_wallet() {
    let frozen = "A has 100 funds; S holds 100 of A -> authorised; desk freezes A -> frozen";
    let stopped = "frozen by desk";
    let early = "payment authorised, not yet expired";
    check(frozen, [stopped, stopped, "voided", early, "payment authorised", "unknown payment"]);
    let late = "payment ran out";
    let over = format!("{frozen}; 7 days pass");
    check(&over, [late, late, "voided", "expired", "payment authorised", "unknown payment"]);
    let captured = "payment captured";
    let paid = "A has 100 funds; A pays S 100 -> captured; A freezes -> frozen";
    check(paid, [captured, captured, captured, captured, "done", "unknown payment"]);
    // The shop was promised it before: the holder's own freeze is nothing to the shop.
    let promised = "A has 100 funds; S holds 100 of A -> authorised; A freezes -> frozen";
    let taken = "captured";
    check(promised, [taken, taken, "voided", early, "payment authorised", "unknown payment"]);
}

#[test]
fn a_payment_has_so_many_refunds() {
    let mut story = Story::new();
    story.tell("A has 100 funds");
    story.tell("A pays S 100 -> captured");
    for _ in 0..crate::payment::REFUNDS_MAX {
        story.tell("S refunds 1 -> done");
    }
    story.tell("S refunds 1 -> limit refunds, 0 left");
}
