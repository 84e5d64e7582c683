//! Stories of the ledger, one line each, told in the language of `stage.rs`: `A has 100` opens A with that much where
//! it is new and else tells what A must have; what follows `->` is the answer to what stands before.

use super::stage::check;

#[test]
fn a_transfer_moves_money_at_once() {
    check("A has 100; B has 0; A pays B 30; A has 70; B has 30");
    check("A has 100; B has 0; A pays B 100; A has 0; B has 100");
    check("A has 100; B has 0; A pays B 130 -> A overdrawn, 100 available of 130; A has 100; B has 0");
    check("open shop free; A has 0; shop pays A 130; shop has -130; A has 130");
}

#[test]
fn an_asset_may_not_give_more_than_it_got() {
    check("open till asset; open F free; till pays F 50; till has -50; F pays till 50; till has 0");
    check("open till asset; open F free; till pays F 50; F pays till 51 -> till overdrawn, 50 available of 51");
    check(
        "open till asset; open F free; till pays F 50; F holds 30 for till; F pays till 21 -> till overdrawn, 20 available of 21",
    );
}

#[test]
fn a_hold_keeps_money_back_until_it_ends() {
    check("A has 100; B has 0; A holds 60 for B as h; A has 100, 40 available; B has 0, 60 coming; h is held");
    check("A has 100; B has 0; A holds 60 for B; A pays B 41 -> A overdrawn, 40 available of 41; A pays B 40");
    check("A has 100; B has 0; A holds 60 for B as h; post h; A has 40, 40 available; B has 60, 0 coming");
    check("A has 100; B has 0; A holds 60 for B as h; post 25 of h; A has 75, 75 available; B has 25, 0 coming");
    check(
        "A has 100; B has 0; A holds 60 for B as h; void h; A has 100, 100 available; B has 0, 0 coming; h is voided",
    );
    check("A has 100; B has 0; A holds 60 for B as h; B pays A 1 -> B overdrawn, 0 available of 1");
}

#[test]
fn a_hold_ends_by_a_command_and_never_by_the_clock() {
    check("A has 100; B has 0; A holds 60 for B as h until 10; it is 9; expire h -> not due before 10; h is held");
    check(
        "A has 100; B has 0; A holds 60 for B as h until 10; it is 10; expire h; A has 100, 100 available; h is expired",
    );
    check("A has 100; B has 0; A holds 60 for B as h until 10; it is 99; A has 100, 40 available; post h; A has 40");
    check("A has 100; B has 0; A holds 60 for B as h until 10; it is 99; void h; h is voided");
    check("A has 100; B has 0; A holds 60 for B as h; it is 99; expire h -> never due");
    check(
        "A has 100; B has 0; A holds 60 for B as h until 10; it is 10; clock drifts; expire h -> clock drifted; post h",
    );
}

#[test]
fn a_hold_ends_once() {
    let held = "A has 100; B has 0; A holds 60 for B as h until 10; it is 10";
    check(&format!("{held}; post 25 of h; void h -> h is posted with 25; post 30 of h -> h is posted with 25"));
    check(&format!("{held}; post 25 of h; post h -> h is posted with 25; expire h -> h is posted with 25; A has 75"));
    check(&format!("{held}; void h; post h -> h is voided; expire h -> h is voided; A has 100"));
    check(&format!("{held}; expire h; post h -> h is expired; void h -> h is expired; A has 100"));
}

#[test]
fn the_same_command_again_gets_the_same_receipt() {
    check("open A; open A -> again");
    check("open A; close A; close A -> again; open A -> again; A is closed");
    check("A has 100; B has 0; A pays B 70 as t; A pays B 70 as t -> again; A has 30; B has 70");
    check("A has 100; B has 0; A holds 70 for B as h; A holds 70 for B as h -> again; A has 100, 30 available");
    check("A has 100; B has 0; A holds 70 for B as h; post h; post h -> again; post 70 of h -> again; B has 70");
    check("A has 100; B has 0; A holds 70 for B as h; post 20 of h; post 20 of h -> again; B has 20");
    check("A has 100; B has 0; A holds 70 for B as h; void h; void h -> again; A has 100, 100 available");
    check("A has 100; B has 0; A holds 70 for B as h until 5; it is 5; expire h; expire h -> again");
    check("A has 100; B has 0; A holds 70 for B as h until 5; it is 5; A holds 70 for B as h until 5 -> again");
    check("A has 100; B has 0; A holds 70 for B as h; post h; A holds 70 for B as h -> again; A has 30, 30 available");
    check("A has 100; B has 0; A pays B 100 as t; close A; A pays B 100 as t -> again; B has 100");
}

#[test]
fn a_taken_id_names_the_first_field_that_differs() {
    let made = "A has 100; B has 50; C has 0; A pays B 10 as t; A holds 20 for B as h until 9";
    for (command, field) in [
        ("B holds 11 for C as t", "kind"),
        ("B pays C 11 as t", "debit"),
        ("A pays C 11 as t", "credit"),
        ("A pays B 11 as t", "amount"),
        ("B pays C 21 as h", "kind"),
        ("B holds 21 for C as h until 8", "debit"),
        ("A holds 21 for C as h until 8", "credit"),
        ("A holds 21 for B as h until 8", "amount"),
        ("A holds 20 for B as h until 8", "expiry"),
        ("A holds 20 for B as h", "expiry"),
    ] {
        let id = if command.contains("as t") { "t" } else { "h" };
        check(&format!("{made}; {command} -> {id} is taken, {field} differs; A has 90, 70 available; C has 0"));
    }
    check("open A; open A free -> A is taken, rule differs");
    check("A has 10; B has 0; A pays B 5 as A; A has 5");
}

#[test]
fn what_is_unknown_or_closed_takes_nothing() {
    check("A has 100; A pays B 30 -> no account B; B holds 1 for A -> no account B; A has 100");
    check("post h -> no hold h; void h -> no hold h; expire h -> no hold h; close A -> no account A");
    check(
        "A has 5; B has 0; A pays B 5 as t; post t -> t is no hold; void t -> t is no hold; expire t -> t is no hold",
    );
    check("A has 5; B has 0; close B; B is closed; A pays B 5 -> B is closed; A holds 5 for B -> B is closed; A has 5");
    check("A has 5; close A -> unsettled, balance 5, pending 0 and 0; A pays A 1 -> A cannot pay itself");
    check(
        "A has 5; B has 0; A holds 5 for B; close A -> unsettled, balance 5, pending 5 and 0; close B -> unsettled, balance 0, pending 0 and 5",
    );
    check("A has 5; B has 0; A pays B 0 -> amount is zero; A holds 0 for B -> amount is zero");
    check(
        "A has 5; B has 0; A holds 5 for B as h; post 0 of h -> amount is zero; post 6 of h -> only 5 held of 6; h is held",
    );
    check("A has max; B has max; A pays B 1 -> sum of B too large; A has max; A holds 1 for B -> sum of B too large");
}

/// A command that could be refused for two reasons is refused for the earlier one of the table in `refusal.rs`. Each
/// line's command suffers from two neighbours of its column; pairs that exclude each other are left out.
#[test]
fn the_earlier_of_two_reasons_is_given() {
    // Transfer and hold: amount, same account, id, expiry, unknown, closed, overdrawn, sum; debit before credit.
    check("A has 5; A pays A 0 -> amount is zero; A holds 0 for A -> amount is zero");
    check("A has 5; B has 0; A pays B 5 as t; B pays B 5 as t -> B cannot pay itself");
    check("A has 5; B has 0; A holds 5 for B as t; B holds 5 for B as t -> B cannot pay itself");
    check(
        "A has 5; B has 0; it is 7; A holds 5 for B as h; A holds 5 for B as h until 7 -> h is taken, expiry differs",
    );
    check("A has 5; B has 0; A pays B 5 as t; A pays X 5 as t -> t is taken, credit differs");
    check("it is 7; X holds 5 for Y until 7 -> would expire at 7, now 7; X holds 5 for Y until 8 -> no account X");
    check("X pays Y 5 -> no account X; A has 0; close A; A pays X 5 -> no account X; A holds 5 for X -> no account X");
    check("A has 0; B has 0; close A; A pays B 5 -> A is closed; A holds 5 for B -> A is closed");
    check("A has 0; B has 0; close A; close B; A pays B 5 -> A is closed; B pays A 5 -> B is closed");
    check(
        "A has 0; B has max; A pays B 1 -> A overdrawn, 0 available of 1; A holds 1 for B -> A overdrawn, 0 available of 1",
    );
    check(
        "open F free; open G free; F pays G max; F pays G 1 -> sum of F too large; F holds 1 for G -> sum of F too large",
    );
    check("A has 0; open T asset; A pays T 1 -> A overdrawn, 0 available of 1");
    // Ending a hold: amount, unknown or no hold, ended, then clock, due, more than held.
    check("post 0 of h -> amount is zero; A has 5; B has 0; A pays B 5 as t; post 0 of t -> amount is zero");
    check("A has 5; B has 0; A pays B 5 as t; post 9 of t -> t is no hold");
    check(
        "A has 5; B has 0; A holds 5 for B as h until 9; void h; post 6 of h -> h is voided; clock drifts; expire h -> h is voided",
    );
    check("A has 5; B has 0; A holds 5 for B as h until 9; clock drifts; expire h -> clock drifted");
}

#[test]
fn balances_of_any_moment_are_in_the_history() {
    let story = "it is 1; A has 100; B has 0; it is 5; A pays B 30; A pays B 1; it is 7; A holds 50 for B as h; \
        it is 9; post 20 of h; A has 49";
    check(&format!(
        "{story}; A had 100 at 1; A had 100 at 4; A had 69 at 5; A had 69 at 8; A had 49 at 9; B had 51 at 99"
    ));
    check(&format!("{story}; A was unknown at 0; A had 69, 19 available at 7; A had 49, 49 available at 9"));
}
