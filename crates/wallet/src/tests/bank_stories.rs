//! Links, top-ups and payouts, in a few words each.

use super::bank::{BANK, grant};
use super::story::{Story, check};
use super::world::{World, holder, wallet};
use crate::ids::{BankAccountId, BankCode, MandateId};
use crate::refusal::{Noun, Refusal, Stated};
use crate::traits::Tier;
use crate::{Command, Row, mandate, table};
use domain::{Id, Key};

#[test]
fn a_top_up_is_credited_once_whatever_is_said_again() {
    check(
        "A links X; A tops up 10000 from X -> pending; A has 0 funds, 10000 arriving
         bank is asked -> in_doubt; bank finds nothing yet -> in_doubt; bank babbles -> in_doubt
         bank moved 10000 -> settled; A has 10000 funds, 0 arriving; bank owes 10000; A counted 10000
         bank moved 10000 -> settled; bank finds nothing yet -> settled; bank is asked -> settled; A has 10000 funds",
    );
    check("A links X; A tops up 10000 from X -> pending; bank moved 10000 -> settled; A has 10000 funds");
    check("A links X; A tops up 10000 from X -> pending; file shows 10000 -> settled; A has 10000 funds");
}

#[test]
fn a_no_frees_the_limits_of_its_date() {
    for no in ["bank declines", "bank finds nothing", "file shows nothing", "file declines"] {
        check(&format!(
            "A links X; A tops up 10000 from X -> pending; A counted 10000; {no} -> declined
             A has 0 funds, 0 arriving; A counted 0; bank owes 0; {no} -> declined"
        ));
    }
}

#[test]
fn a_wish_to_cancel_is_only_a_wish() {
    let asked = "A links X; A tops up 10000 from X -> pending; bank is asked -> in_doubt; B cancels -> unknown top up
                 A cancels -> in_doubt; A cancels -> in_doubt; A has 0 funds, 10000 arriving";
    check(&format!("{asked}; bank declines -> cancelled; A has 0 arriving; A counted 0; A cancels -> cancelled"));
    check(&format!(
        "{asked}; bank moved 10000 -> returned; A has 0 funds, 0 arriving; A counted 0; suspense is 10000
         bank owes 10000; bank moved 10000 -> returned; bank gave back -> returned; suspense is 0; bank owes 0
         bank gave back -> returned; suspense is 0; A cancels -> top up returned"
    ));
}

#[test]
fn a_debit_that_absence_had_denied_goes_back_and_one_that_the_bank_denied_is_for_the_desk() {
    let asked = "A links X; A tops up 10000 from X -> pending";
    for no in ["bank finds nothing", "file shows nothing", "file declines"] {
        check(&format!(
            "{asked}; {no} -> declined; bank moved 10000 -> returned; A counted 0; suspense is 10000; A has 0 funds
             bank gave back -> returned; suspense is 0; bank owes 0"
        ));
    }
    check(&format!(
        "{asked}; bank declines -> declined; bank moved 10000 -> declined, flagged; suspense is 0; bank owes 0
         bank moved 10000 -> declined, flagged; ann proposes settle -> top up declined
         ann approves return -> contradiction; ann proposes return -> declined, flagged
         ann approves return -> second person needed; bob approves keep -> contradiction
         bob approves return -> returned; suspense is 10000; bank gave back -> returned; suspense is 0; A counted 0"
    ));
    check(&format!(
        "{asked}; bank declines -> declined; bank moved 9 -> declined, flagged; bob proposes keep -> declined, flagged
         ann approves keep -> declined; suspense is 0; ann proposes keep -> top up declined"
    ));
}

#[test]
fn a_wrong_amount_waits_in_suspense_for_two_people() {
    let wrong = "A links X; A tops up 10000 from X -> pending; bank moved 1000 -> in_doubt, flagged; suspense is 1000
                 A has 0 funds, 10000 arriving; bank owes 1000; bank moved 1000 -> in_doubt, flagged
                 bank moved 10000 -> in_doubt, flagged; bank declines -> in_doubt, flagged; A has 0 funds";
    let settled = |how: &str| format!("{wrong}; ann proposes {how} -> in_doubt, flagged; bob approves {how}");
    check(&format!("{} -> settled; A has 10000 funds, 0 arriving; suspense is 0; bank owes 10000", settled("settle")));
    check(&format!(
        "{} -> declined; A has 0 funds, 0 arriving; suspense is 0; bank owes 0; A counted 0",
        settled("decline")
    ));
    check(&format!(
        "{} -> returned; A has 0 arriving; suspense is 1000; bank gave back -> returned; suspense is 0; bank owes 0",
        settled("return")
    ));
    check(&format!("{wrong}; ann proposes keep -> top up in_doubt"));
    check(
        "A links X; A tops up 10000 from X -> pending; bank moved 20000 -> in_doubt, flagged; A cancels -> in_doubt, flagged
         ann proposes settle -> in_doubt, flagged; bob approves settle -> returned; suspense is 10000; bank owes 10000
         bank gave back -> returned; suspense is 0; bank owes 0; A counted 0",
    );
}

#[test]
fn an_amount_that_no_bank_moves_is_no_answer() {
    let garbage =
        "bank moved 1000000000000000 -> in_doubt; bank moved 0 -> in_doubt; bank moved 1000000001 -> in_doubt";
    check(&format!(
        "A links X; A tops up 10000 from X -> pending; {garbage}; suspense is 0; bank owes 0; A has 10000 arriving
         bank moved 10000 -> settled; bank moved 1000000000000000 -> settled; A has 10000 funds; bank owes 10000
         A pays out 10000 to X -> pending; {garbage}; suspense is 0; bank owes 10000; A has 0 funds, 10000 held
         bank moved 10000 -> settled; bank owes 0"
    ));
    check(
        "A links X; A tops up 10000 from X -> pending; bank moved 1000000000 -> in_doubt, flagged; suspense is 1000000000",
    );
}

#[test]
fn a_reversal_takes_what_is_left_and_the_rest_is_owed() {
    let settled = "A links X; A tops up 10000 from X -> pending; bank moved 10000 -> settled";
    check(&format!(
        "{settled}; bank takes back 10000 -> reversed; A has 0 funds; A owes 0; bank owes 0; A counted 10000
         bank takes back 10000 -> reversed; bank takes back 1 -> reversed, flagged; bank moved 10000 -> reversed, flagged"
    ));
    check(&format!(
        "{settled}; 2 days pass; A pays S 7000 -> captured; bank takes back 10000 -> reversed; A has 0 funds; A owes 7000
         bank owes 0; A pays S 1 -> frozen by debt; S refunds 2000 -> done; A owes 5000; A has 0 funds
         S refunds 5000 -> done; A owes 0; A pays S 1 -> insufficient funds, 0 there"
    ));
    check(&format!("{settled}; bank takes back 9999 -> settled, flagged; A has 10000 funds; bank owes 10000"));
    check(&format!(
        "{settled}; bank declines -> settled, flagged; A has 10000 funds; ann proposes decline -> settled, flagged
         bob approves decline -> reversed; A has 0 funds; bank owes 0; A counted 10000"
    ));
}

#[test]
fn a_debt_is_collected_of_what_came_later() {
    check(
        "A links X; first: A tops up 10000 from X -> pending; bank moved 10000 -> settled; 2 days pass
         desk collects of A -> wallet owes nothing; A pays S 7000 -> captured; bank takes back 10000 of first -> reversed
         desk collects of A -> insufficient funds, 0 there; A owes 7000; A tops up 4000 from X -> pending
         bank moved 4000 -> settled; A pays S 1 -> frozen by debt; B collects of A -> unknown wallet
         A collects of A -> open; A owes 3000; A has 0 funds; A tops up 5000 from X -> pending
         bank moved 5000 -> settled; desk freezes A -> frozen; desk collects of A -> frozen; A owes 0; A has 2000 funds
         desk unfreezes A -> open; A pays S 2000 -> captured; bank owes 9000",
    );
}

#[test]
fn a_reversal_finds_money_that_another_movement_holds() {
    let held = "A links X; A tops up 10000 from X -> pending; bank moved 10000 -> settled; 2 days pass
                S holds 4000 of A -> authorised; A has 6000 funds, 4000 held
                bank takes back 10000 -> reversed; A has 0 funds, 4000 held; A owes 4000; bank owes 0";
    check(&format!("{held}; S voids -> voided; A has 0 funds, 0 held; A owes 0"));
    check(
        "A links X; came: A tops up 10000 from X -> pending; bank moved 10000 -> settled
         A pays out 4000 to X -> pending; A has 6000 funds, 4000 held
         bank takes back 10000 of came -> reversed; A has 0 funds, 4000 held; A owes 4000; bank owes 0",
    );
}

#[test]
fn what_came_from_a_disowned_account_goes_back_there_alone() {
    let rich = "A links Y; A links X; A tops up 10000 from X -> pending; bank moved 10000 -> settled; 2 days pass";
    let no_way_out = "A pays out 1000 to Y -> insufficient funds, 0 there";
    check(&format!("{rich}; A pays out 1000 to Y -> pending"));
    check(&format!("{rich}; not me -> revoked; {no_way_out}"));
    check(&format!("{rich}; bank revokes -> revoked; {no_way_out}"));
    check(&format!("{rich}; bank closes account -> revoked; A pays out 1000 to Y -> pending"));
    check(&format!("{rich}; bank closes account -> revoked; not me -> revoked; {no_way_out}; not me -> revoked"));
    check(&format!("{rich}; A revokes -> revoked; A pays out 1000 to Y -> pending; not me -> revoked; {no_way_out}"));
    check(&format!("{rich}; not me -> revoked; A links X; A pays out 1000 to Y -> pending"));
}

#[test]
fn a_reversal_before_its_debit_is_no_credit() {
    check(
        "A links X; A tops up 10000 from X -> pending; bank takes back 10000 -> reversed; A has 0 funds, 0 arriving
         bank moved 10000 -> reversed; A has 0 funds; bank owes 0; A owes 0",
    );
    check(
        "A links X; A tops up 10000 from X -> pending; bank moved 500 -> in_doubt, flagged
         bank takes back 10000 -> in_doubt, flagged; bank takes back 500 -> in_doubt, flagged; suspense is 500",
    );
    check(
        "A links X; A tops up 10000 from X -> pending; bank moved 500 -> in_doubt, flagged
         bank takes back 500 -> reversed; suspense is 0; bank owes 0; A has 0 funds, 0 arriving",
    );
}

#[test]
fn a_held_top_up_waits_for_the_desk_but_not_for_ever() {
    let held = "A links X; the guard holds; A tops up 10000 from X -> held; the guard allows; A counted 10000
                bank is asked -> top up held";
    check(&format!("{held}; desk releases -> pending; desk releases -> top up pending; bank moved 10000 -> settled"));
    check(&format!("{held}; desk gives up -> declined; A has 0 arriving; A counted 0"));
    check(&format!("{held}; A cancels -> cancelled; A has 0 arriving; A counted 0"));
    check(&format!(
        "{held}; nobody looks -> top up held, not yet expired; 1 days pass; desk releases -> top up ran out
         nobody looks -> declined; A counted 0"
    ));
    check(&format!("{held}; not me -> revoked; desk releases -> mandate revoked; desk gives up -> declined"));
    check(&format!("{held}; A freezes -> frozen; desk releases -> frozen by holder"));
    check(&format!(
        "{held}; bank moved 10000 -> held, flagged; desk releases -> contradiction; A cancels -> contradiction
         ann proposes return -> held, flagged; bob approves return -> returned; suspense is 10000"
    ));
}

#[test]
fn a_wallet_that_is_frozen_meanwhile_is_credited_and_blocked() {
    check(
        "A links X; A tops up 10000 from X -> pending; desk freezes A -> frozen; bank moved 10000 -> settled
         A has 10000 funds; A pays S 1 -> frozen by desk; A tops up 100 from X -> frozen by desk",
    );
    check(
        "A links X; A tops up 10000 from X -> pending; not me -> revoked; bank moved 10000 -> settled; A has 10000 funds
         A tops up 100 from X -> mandate revoked",
    );
}

#[test]
fn limits_are_of_the_wallet_the_account_the_month_and_thirty_dates() {
    check(
        "A links X; A tops up 100001 from X -> limit per time, 100000 left; A tops up 0 from X -> amount zero
         A tops up 100000 from X -> pending; A tops up 100000 from X -> pending; A tops up 100000 from X -> pending
         A tops up 100 from X -> limit per month, 0 left; bank declines -> declined; A tops up 100000 from X -> pending
         16 days pass; A tops up 100 from X -> limit rolling, 0 left
         13 days pass; A tops up 100 from X -> limit rolling, 0 left
         1 days pass; A tops up 100000 from X -> pending",
    );
    check(
        "A links X; A tops up 100000 from X -> pending; A tops up 100000 from X -> pending
         A revokes -> revoked; B links X; B tops up 100000 from X -> pending
         B tops up 100 from X -> limit bank account per month, 0 left",
    );
}

#[test]
fn what_counted_before_a_confirmation_frees_nothing_of_what_counts_since() {
    check(
        "A links X unconfirmed; old: A tops up 10000 from X -> pending; true holder confirms -> active; A revokes -> revoked
         A links X unconfirmed; 1 days pass; A tops up 10000 from X -> pending; bank declines of old -> declined
         1 days pass; A tops up 10000 from X -> pending; 1 days pass; new: A tops up 10000 from X -> pending
         1 days pass; A tops up 100 from X -> limit unconfirmed total, 0 left; bank declines of new -> declined
         A tops up 10000 from X -> pending",
    );
}

#[test]
fn an_unconfirmed_mandate_debits_little_and_age_does_not_help() {
    check(
        "A links X unconfirmed; A tops up 10001 from X -> limit unconfirmed per day, 10000 left
         A tops up 10000 from X -> pending; A tops up 100 from X -> limit unconfirmed per day, 0 left
         bank declines -> declined; A tops up 10000 from X -> pending; bank moved 10000 -> settled
         1 days pass; A tops up 10000 from X -> pending; 1 days pass; A tops up 10000 from X -> pending
         90 days pass; A tops up 100 from X -> limit unconfirmed total, 0 left
         A revokes -> revoked; A links X unconfirmed; A tops up 100 from X -> limit unconfirmed total, 0 left
         true holder confirms -> active; true holder confirms -> active; A tops up 100000 from X -> pending",
    );
}

#[test]
fn a_payout_goes_where_the_person_is_known() {
    let rich = "A links X; A tops up 50000 from X -> pending; bank moved 50000 -> settled";
    check(&format!(
        "{rich}; A pays out 20001 to X -> limit per time, 20000 left; A pays out 1 to Y -> unknown bank account
         B pays out 1 to X -> unknown bank account; A pays out 0 to X -> amount zero
         A pays out 20000 to X -> pending; A has 30000 funds, 20000 held; bank owes 50000
         bank is asked -> in_doubt; bank moved 20000 -> settled; A has 30000 funds, 0 held; bank owes 30000
         bank moved 20000 -> settled; bank finds nothing yet -> settled; A paid out 1 times"
    ));
    for no in ["bank declines", "file shows nothing", "bank finds nothing"] {
        check(&format!(
            "{rich}; A pays out 20000 to X -> pending; {no} -> declined; A has 50000 funds, 0 held; A paid out 0 times
             {no} -> declined; bank sends back 20000 -> declined, flagged; bank owes 50000"
        ));
    }
    check(&format!("{rich}; the clock drifts; A pays out 1 to X -> clock drifted"));
    check(&format!("{rich}; A revokes -> revoked; A pays out 1000 to X -> pending; bank moved 1000 -> settled"));
    check(&format!("{rich}; not me -> revoked; A pays out 1000 to X -> unknown bank account"));
    check(&format!("{rich}; A revokes -> revoked; not me -> revoked; A pays out 1000 to X -> unknown bank account"));
}

#[test]
fn a_month_has_five_payouts() {
    let payout = "A pays out 100 to X -> pending; bank moved 100 -> settled";
    check(&format!(
        "A links X; A tops up 50000 from X -> pending; bank moved 50000 -> settled
         {payout}; {payout}; {payout}; {payout}; A pays out 100 to X -> pending
         A pays out 100 to X -> limit count per month, 0 left; bank declines -> declined
         {payout}; A pays out 100 to X -> limit count per month, 0 left; bank sends back 100 -> returned; {payout}
         A pays out 100 to X -> limit count per month, 0 left; 15 days pass
         A pays out 100 to X -> limit count per month, 0 left; 1 days pass; {payout}"
    ));
}

#[test]
fn money_goes_back_to_its_account_whatever_its_age_and_elsewhere_only_aged() {
    let two = "A links X; A links Y; A tops up 30000 from X -> pending; bank moved 30000 -> settled";
    check(&format!(
        "{two}; A pays out 20000 to X -> pending; A pays out 1 to Y -> insufficient funds, 0 there
         1 days pass; A pays out 10000 to Y -> pending; A has 0 funds, 30000 held"
    ));
    // What came from the account itself goes first, so the aged rest stays.
    check(&format!(
        "{two}; A tops up 5000 from Y -> pending; bank moved 5000 -> settled; 1 days pass
         A tops up 3000 from Y -> pending; bank moved 3000 -> settled; A pays out 9000 to Y -> pending
         bank declines -> declined; A has 38000 funds, 0 held"
    ));
    // What a stranger's account brought does not go to one's own.
    check(
        "B has 50000 funds; A links X; A tops up 30000 from X -> pending; bank moved 30000 -> settled
         1 days pass; A sends B 5000 -> completed; B links Y; B pays out 11000 to Y -> insufficient funds, 5000 there
         B pays out 5000 to Y -> pending; B has 50000 funds",
    );
}

#[test]
fn young_money_from_a_send_leaves_within_the_ageing_rule() {
    check(
        "B has 20000 funds; A links X; B sends A 20000 -> completed; A pays out 10001 to X -> limit young, 10000 left
         A pays out 10000 to X -> pending; A pays out 1 to X -> limit young, 0 left
         bank declines -> declined; A pays out 10000 to X -> pending; 1 days pass; A pays out 10000 to X -> pending",
    );
}

#[test]
fn a_payout_that_the_bank_sends_back_is_in_the_purse_again() {
    let paid =
        "A links X; A tops up 50000 from X -> pending; bank moved 50000 -> settled; A pays out 20000 to X -> pending";
    check(&format!(
        "{paid}; bank moved 20000 -> settled; bank sends back 20000 -> returned; A has 50000 funds, 0 held; bank owes 50000
         bank sends back 20000 -> returned; bank moved 20000 -> returned; A has 50000 funds; A paid out 0 times"
    ));
    check(&format!(
        "{paid}; bank sends back 20000 -> returned; bank moved 20000 -> returned; A has 50000 funds, 0 held; bank owes 50000"
    ));
    check(&format!("{paid}; bank moved 20000 -> settled; bank sends back 5 -> settled, flagged; A has 30000 funds"));
    check(&format!(
        "{paid}; bank moved 20000 -> settled; bank declines -> settled, flagged; ann proposes return -> settled, flagged
         bob approves return -> returned; A has 50000 funds; bank owes 50000"
    ));
}

#[test]
fn a_payout_that_is_cancelled_too_late_is_paid() {
    let wished =
        "A links X; A tops up 50000 from X -> pending; bank moved 50000 -> settled; A pays out 20000 to X -> pending
                  A cancels -> pending; A has 30000 funds, 20000 held; B cancels -> unknown payout";
    check(&format!("{wished}; bank moved 20000 -> settled; A has 30000 funds, 0 held; A cancels -> payout settled"));
    check(&format!("{wished}; bank declines -> cancelled; A has 50000 funds, 0 held; A paid out 0 times"));
}

#[test]
fn a_payout_of_a_wrong_amount_stands_in_suspense_for_two_people() {
    let wrong = "A links X; A tops up 50000 from X -> pending; bank moved 50000 -> settled; A pays out 20000 to X -> pending
                 bank moved 2000 -> in_doubt, flagged; bank owes 48000; suspense is -2000; A has 30000 funds, 20000 held";
    check(&format!(
        "{wrong}; ann proposes settle -> in_doubt, flagged; bob approves settle -> settled; bank owes 30000; suspense is 0"
    ));
    check(&format!(
        "{wrong}; ann proposes decline -> in_doubt, flagged; bob approves decline -> declined; bank owes 50000
         suspense is 0; A has 50000 funds, 0 held"
    ));
    check(&format!(
        "{wrong}; bank sends back 2000 -> returned; bank owes 50000; suspense is 0; A has 50000 funds, 0 held"
    ));
}

#[test]
fn a_payout_that_was_paid_after_all_is_taken_or_owed() {
    let twice = "A links X; A tops up 20000 from X -> pending; bank moved 20000 -> settled; A pays out 20000 to X -> pending
                 bank declines -> declined; A pays S 10000 -> captured; bank moved 20000 -> declined, flagged; A has 10000 funds
                 ann proposes settle -> declined, flagged; bob approves settle -> settled; A has 0 funds; A owes 10000
                 bank owes 0; A paid out 1 times; A pays S 1 -> frozen by debt";
    check(&format!(
        "{twice}; bank sends back 20000 -> returned; A has 10000 funds; A owes 0; bank owes 20000; suspense is 0"
    ));
}

#[test]
fn a_lot_that_its_bank_took_back_pays_the_debt_when_a_payout_comes_back() {
    let out = "A links X; came: A tops up 20000 from X -> pending; bank moved 20000 -> settled
               went: A pays out 20000 to X -> pending; A has 0 funds, 20000 held; A closes -> not settled
               bank takes back 20000 of came -> reversed; A owes 20000; bank owes 0";
    check(&format!("{out}; bank declines of went -> declined; A has 0 funds, 0 held; A owes 0; bank owes 0"));
    check(&format!(
        "{out}; bank moved 20000 of went -> settled; A owes 20000; bank owes -20000
         bank sends back 20000 of went -> returned; A has 0 funds, 0 held; A owes 0; bank owes 0"
    ));
}

#[test]
fn a_grant_is_only_as_good_as_its_facts() {
    let asked =
        "A asks to link -> requested; bank's page opens -> authenticating; A collects X -> mandate authenticating";
    let lacks = |facts: &str, missing: &str| {
        check(&format!(
            "{asked}; bank grants X {facts} -> refused: {missing}; bank grants X {facts} -> refused
             A collects X -> mandate refused"
        ));
    };
    lacks("static", "strong factor");
    lacks("untold", "holder notified");
    lacks("another-name", "name match");
    lacks("another-birth-date", "birth date match");
    lacks("close another-birth-date", "birth date match");
    for good in ["", "truncated"] {
        check(&format!(
            "{asked}; bank grants X {good} -> pending; bank grants X {good} -> pending; bank grants Y -> contradiction
             A collects Y -> contradiction; A collects X -> active; A collects X -> active; bank grants X {good} -> active"
        ));
    }
    for near in ["close", "undecidable"] {
        check(&format!(
            "{asked}; bank grants X {near} -> in_review; desk accepts X -> pending; A collects X -> active"
        ));
        check(&format!(
            "{asked}; bank grants X {near} -> in_review; A collects X -> in_review; desk accepts X -> active"
        ));
        check(&format!(
            "{asked}; bank grants X {near} -> in_review; desk rejects X -> refused; A collects X -> mandate refused"
        ));
        check(&format!(
            "{asked}; bank grants X {near} -> in_review; time runs out -> mandate in_review, not yet expired; 1 days pass
             desk accepts X -> mandate ran out; time runs out -> expired; desk accepts X -> mandate expired"
        ));
    }
}

#[test]
fn a_grant_lapses_unless_it_is_collected_in_time() {
    check(
        "A asks to link -> requested; bank grants X -> pending; time runs out -> mandate pending, not yet expired
         1 hours pass; A collects X -> mandate ran out; time runs out -> expired; A tops up 100 from X -> mandate expired",
    );
    check(
        "A asks to link -> requested; 1 hours pass; bank grants X -> mandate ran out; bank's page opens -> mandate ran out",
    );
    check(
        "A asks to link -> requested; A leaves -> abandoned; A leaves -> abandoned; bank grants X -> mandate abandoned",
    );
    check("A asks to link -> requested; bank says no -> refused; bank says no -> refused; A leaves -> mandate refused");
    check("A asks to link -> requested; bank grants X -> pending; not me -> revoked; A collects X -> mandate revoked");
    check(
        "A asks to link -> requested; bank grants X -> pending; A freezes -> frozen; A collects X -> frozen by holder",
    );
    check("P asks to link -> tier too low; the guard refuses; A asks to link -> guard refused");
    check(
        "the guard holds; A asks to link -> requested; bank grants X -> in_review; desk accepts X -> pending
         A collects X -> active; B revokes -> unknown mandate; A revokes -> revoked; A revokes -> revoked",
    );
}

#[test]
fn of_a_hundred_wallets_that_link_one_account_at_once_one_does() {
    let mut world = World::new();
    let bank_account = BankAccountId(Id::from_number(1));
    let mandate = |number| MandateId(Id::from_number(0x5000 + number));
    let numbers = 1..=100;
    for number in numbers.clone() {
        world.give_wallet(number, Tier::Identified);
    }
    for number in numbers.clone() {
        let (mandate, wallet, holder, bank) = (mandate(number), wallet(number), holder(number), BANK);
        let request = mandate::Request { mandate, wallet, holder, bank, origin: None, proof: None };
        world.done(&Command::Mandate(mandate::Command::Request(request)));
        world.done(&Command::Mandate(mandate::Command::Grant { mandate, grant: grant(bank_account) }));
    }
    let replies: Vec<_> = numbers
        .map(|number| {
            let (mandate, holder) = (mandate(number), holder(number));
            world.run(&Command::Mandate(mandate::Command::Confirm { mandate, holder, bank_account })).map(drop)
        })
        .collect();
    assert_eq!(replies[0], Ok(()));
    let is_linked = |reply: &Result<_, _>| matches!(reply, Err(Refusal::LinkedAlready { own: false, .. }));
    assert!(replies[1..].iter().all(is_linked), "{replies:?}");
    let Some(Row::BankAccount(row)) = world.row(Key::new(table::BANK_ACCOUNT, bank_account.0)) else {
        panic!("the account is known");
    };
    assert_eq!(row.live_mandate, Some(mandate(1)));
}

#[test]
fn an_account_has_one_live_mandate() {
    check("A links X; B asks to link -> requested; bank grants X -> pending; B collects X -> already linked");
    check("A links X; A asks to link -> requested; bank grants X -> pending; A collects X -> already linked by itself");
    check(
        "A links X; A revokes -> revoked; B asks to link -> requested; bank grants X -> pending; B collects X -> active",
    );
}

#[test]
fn an_account_stays_at_its_bank() {
    let mut story = Story::new();
    story.tell("A links X");
    story.tell("A revokes -> revoked");
    let (mandate, bank_account) = (MandateId(story.fresh()), BankAccountId(Id::from_number(1)));
    let (wallet, holder, bank) = (wallet(1), holder(1), BankCode::new(126).expect("a code of four digits"));
    let request = mandate::Request { mandate, wallet, holder, bank, origin: None, proof: None };
    story.world.done(&Command::Mandate(mandate::Command::Request(request)));
    story.world.done(&Command::Mandate(mandate::Command::Grant { mandate, grant: grant(bank_account) }));
    let refusal = story.world.refused(&Command::Mandate(mandate::Command::Confirm { mandate, holder, bank_account }));
    let bank_of = |code| Stated::Bank(BankCode::new(code).expect("a code of at most four digits"));
    let (on_record, came) = (bank_of(125), bank_of(126));
    assert_eq!(refusal, Refusal::NotAsOnRecord { noun: Noun::Mandate, on_record, came });
}

#[test]
fn closing_pays_out_all_there_is_and_ends_when_that_is_paid() {
    let rich = "A links X; A tops up 90000 from X -> pending; bank moved 90000 -> settled; 2 days pass";
    let closing = &format!(
        "{rich}; A pays out 90000 to X -> limit per time, 20000 left; A closes -> not settled
         A closes to X with 90000 -> pending; A has 0 funds, 90000 held; A closes -> closing"
    );
    check(&format!(
        "{closing}; bank moved 90000 -> settled; A closes -> closed; A closes -> wallet closed; bank owes 0"
    ));
    for outcome in ["bank declines -> declined", "A cancels -> pending; bank declines -> cancelled"] {
        check(&format!(
            "{closing}; {outcome}; A has 90000 funds; A closes -> not settled; A pays S 10 -> captured
             1 days pass; A closes to X with 89990 -> pending; bank moved 89990 -> settled; A closes -> closed"
        ));
    }
    check(&format!(
        "{closing}; bank moved 90000 -> settled; bank sends back 90000 -> returned; A has 90000 funds
                    A closes -> not settled; A pays S 10 -> captured"
    ));
    check(&format!(
        "{rich}; the guard holds; A closes to X with 90000 -> held; the guard allows; A closes -> closing
                    desk releases -> pending; bank moved 90000 -> settled; A closes -> closed"
    ));
    check(&format!(
        "{rich}; the guard holds; A closes to X with 90000 -> held; the guard allows
                    8 days pass; nobody looks -> declined; A has 90000 funds; A pays S 10 -> captured"
    ));
}

#[test]
fn a_wallet_that_is_being_closed_moves_nothing_else() {
    check(
        "B has 500 funds; A links X; A tops up 90000 from X -> pending; bank moved 90000 -> settled; first: A pays S 1000 -> captured
         2 days pass; last: A closes to X with 89000 -> pending; A pays S 1 -> wallet closing; A closes to X with 89000 -> wallet closing
         A pays out 1 to X -> wallet closing; A tops up 1000 from X -> wallet closing; campaign gives A 5 -> wallet closing
         B sends A 100 -> recipient unable: frozen; S refunds 40 of first -> done
         bank moved 89000 of last -> settled; A closes -> open; A has 40 funds; A pays S 40 -> captured",
    );
    check(
        "A links X; A tops up 9000 from X -> pending; bank moved 9000 -> settled; 2 days pass
         A closes to X with 9000 -> pending; desk freezes A -> frozen; bank moved 9000 -> settled; A closes -> frozen
         desk unfreezes A -> open; A closes -> closed",
    );
    check(
        "A links X; A tops up 9000 from X -> pending; bank moved 9000 -> settled; 2 days pass
         A closes to X with 9000 -> pending; desk freezes A -> frozen; A closes -> closing; desk unfreezes A -> closing
         bank moved 9000 -> settled; A closes -> closed",
    );
}

#[test]
fn what_cannot_be_paid_out_keeps_a_wallet_open() {
    let rich = "A links X; A tops up 9000 from X -> pending; bank moved 9000 -> settled; 2 days pass";
    for (before, amount, why) in [
        ("campaign gives A 5 -> done", "8000", "not settled"),
        ("seller issues 1 worth 5 -> issued; A redeems 1 -> redeemed", "9000", "not settled"),
        ("S holds 10 of A -> authorised", "8990", "not settled"),
        ("A tops up 1000 from X -> pending", "9000", "not settled"),
        ("A pays S 10 -> captured", "8990", "limit per day, 0 left"),
        ("A freezes -> frozen", "9000", "frozen by holder"),
        ("desk freezes A -> frozen", "9000", "frozen by desk"),
        ("A revokes -> revoked; not me -> revoked", "9000", "unknown bank account"),
    ] {
        check(&format!(
            "{rich}; {before}; A closes to X with {amount} -> {why}; A closes to Y with 1 -> unknown bank account"
        ));
    }
    check(
        "A has 9000 funds; A links X; A links Y; A tops up 900 from Y -> pending; bank moved 900 -> settled
           A closes to X with 9900 -> insufficient funds, 9000 there; 2 days pass; A closes to X with 9900 -> pending",
    );
}
