//! What a reader should read first: money on its way, in a few words each.

use super::story::{Story, check};
use super::world::{DAY_MS, T0, World, holder, payment_code, wallet};
use crate::purse::Purse;
use crate::refusal::{Noun, Refusal};
use crate::traits::Tier;
use crate::{Command, Receipt, payment};

#[test]
fn a_payment_takes_bonus_first_and_a_refund_gives_it_back_last() {
    check(
        "A has 100 bonus, 200 prepaid, 300 funds
         A pays S 350 -> captured; A has 0 bonus, 0 prepaid, 250 funds; S has 350
         S refunds 120 -> done; A has 0 bonus, 70 prepaid, 300 funds; S has 230
         S refunds 230 -> done; A has 100 bonus, 200 prepaid, 300 funds; S has 0
         S refunds 1 -> limit per time, 0 left",
    );
    check("A has 100 prepaid; A pays S 130 -> insufficient funds, 100 there; A has 100 prepaid");
    check("A has 100 prepaid; nobody pays S 10 -> unknown wallet; A pays U 10 -> unknown shop");
}

#[test]
fn an_authorisation_waits_for_its_capture() {
    check(
        "A has 100 bonus, 300 funds
         S holds 350 of A -> authorised; A has 0 bonus, 50 funds, 350 held; S has 0
         S captures 120 -> captured; A has 0 bonus, 280 funds, 0 held; S has 120
         S captures -> payment captured; S voids -> payment captured",
    );
    check("A has 100 bonus, 300 funds; S holds 350 of A -> authorised; S captures 351 -> limit per time, 350 left");
    check("A has 300 funds; S holds 200 of A -> authorised; S voids -> voided; A has 300 funds, 0 held");
    check(
        "A has 300 funds; S holds 200 of A -> authorised
         nobody captures -> payment authorised, not yet expired
         7 days pass; S captures -> payment ran out; nobody captures -> expired; A has 300 funds, 0 held
         S captures -> payment expired",
    );
    check("A has 300 funds; S holds 200 of A -> authorised; T captures -> unknown payment; T voids -> unknown payment");
}

#[test]
fn what_is_not_captured_or_comes_back_frees_the_payments_date() {
    let near_the_limit = "A has 1000000 funds; A pays S 300000 -> captured; held: T holds 200000 of A -> authorised";
    let tell = |rest: &str| check(&format!("{near_the_limit}; A pays S 1 -> limit per day, 0 left; {rest}"));
    tell("T captures 150000 -> captured; A pays S 50001 -> limit per day, 50000 left; A pays S 50000 -> captured");
    tell("T captures -> captured; A pays S 1 -> limit per day, 0 left");
    tell("T voids -> voided; A pays S 200000 -> captured; A pays S 1 -> limit per day, 0 left");
    tell("T captures -> captured; T refunds 200000 -> done; A pays S 1 -> limit per day, 0 left");
    // 12 hours later it is the next date: what is freed is freed on the payment's own, and today's stays counted.
    tell(
        "12 hours pass; A pays S 300000 -> captured; T voids of held -> voided; A pays S 200001 -> limit per day, 200000 left",
    );
}

#[test]
fn young_money_leaves_in_small_amounts_a_day() {
    check(
        "A has 50000 young funds
         S holds 8000 of A -> authorised; A pays S 2001 -> limit young, 2000 left
         S captures 3000 -> captured; A pays S 7001 -> limit young, 7000 left; A pays S 7000 -> captured
         A pays S 1 -> limit young, 0 left
         12 hours pass; A pays S 10001 -> limit young, 10000 left
         12 hours pass; A pays S 35000 -> captured",
    );
    check("A has 5000 young funds, 30000 prepaid, 20000 bonus; A pays S 50000 -> captured; A has 5000 funds");
}

#[test]
fn a_payment_code_lives_for_a_while_or_is_refused() {
    let mut world = World::new();
    let id = world.give_wallet(1, Tier::Identified);
    let issue = |lifetime_ms| {
        let (code, holder) = (payment_code(7), holder(1));
        Command::Payment(payment::Command::IssueCode { code, wallet: id, holder, lifetime_ms })
    };
    for lifetime_ms in [0, -1, i64::MIN] {
        let refusal = world.refused(&issue(lifetime_ms));
        assert!(matches!(refusal, Refusal::Expired { noun: Noun::PaymentCode, at } if at <= world.now), "{refusal:?}");
    }
    let shortest = world.now.plus_milliseconds(1);
    assert_eq!(world.done(&issue(1)), Receipt::PaymentCode { id: payment_code(7), expires: shortest });
}

#[test]
fn a_payment_code_is_used_once() {
    check(
        "A has 300 funds; A shows 7 -> done; S takes 100 by 7 -> captured; A has 200 funds
         S takes 100 by 7 -> payment code used; T takes 1 by 8 -> unknown payment code
         A shows 7 -> payment code id taken
         A shows 9 -> done; 1 hours pass; S takes 100 by 9 -> payment code ran out; A has 200 funds",
    );
    check(
        "A has 300 funds; A shows 7 -> done; S takes 301 by 7 -> insufficient funds, 300 there; S takes 300 by 7 -> captured",
    );
    check(
        "A has 300 funds; A shows 7 -> done; A freezes -> frozen; S takes 100 by 7 -> frozen by holder; A shows 8 -> frozen by holder",
    );
}

#[test]
fn a_freeze_stops_what_is_under_way_and_lets_come_back_what_comes_back() {
    check(
        "A has 300 funds; first: A pays S 100 -> captured; S holds 200 of A -> authorised; A freezes -> frozen
         A pays S 1 -> frozen by holder; S refunds 60 of first -> done; A has 60 funds, 200 held
         desk freezes A -> frozen; S captures -> frozen by desk; A unfreezes -> frozen; S captures -> frozen by desk
         desk unfreezes A -> open; S captures 150 -> captured; A has 110 funds, 0 held",
    );
    check(
        "A has 300 funds; S holds 200 of A -> authorised; desk freezes A -> frozen; S voids -> voided; A has 300 funds",
    );
}

#[test]
fn a_shop_gets_what_was_held_for_it_before_the_holder_froze_the_wallet() {
    check(
        "A has 300 funds; S holds 200 of A -> authorised; A freezes -> frozen; S holds 10 of A -> frozen by holder
         S captures 150 -> captured; A has 150 funds, 0 held; S has 150; A sends B 1 -> frozen by holder",
    );
    check(
        "A links X; A tops up 9000 from X -> pending; bank moved 9000 -> settled; 2 days pass; A pays S 8000 -> captured
         S holds 1000 of A -> authorised; A freezes -> frozen; bank takes back 9000 -> reversed; A owes 9000; S captures -> frozen by debt",
    );
}

#[test]
fn a_refund_to_a_closed_wallet_waits_in_suspense() {
    check(
        "A has 300 funds; first: A pays S 100 -> captured; second: A pays T 200 -> captured
         S holds 1 of A -> insufficient funds, 0 there
         A closes -> limit per day, 0 left; 1 days pass; A closes -> closed; S refunds 40 of first -> done; A has 0 funds; S has 60
         A pays S 1 -> wallet closed; A freezes -> wallet closed",
    );
    check(
        "A has 300 funds; S holds 300 of A -> authorised; A closes -> not settled; S voids -> voided; A closes -> not settled",
    );
}

#[test]
fn a_shop_that_shut_takes_nothing_new_and_still_gives_back() {
    check(
        "A has 300 funds; S holds 100 of A -> authorised; S shuts -> done; A pays S 1 -> shop closed
         S captures -> captured; S refunds 100 -> done; A has 300 funds; S has 0",
    );
    // Refunds beyond what the shop still has to get make it owe us.
    check("A has 300 funds; A pays S 100 -> captured; S refunds 100 -> done; A has 300 funds; S has 0");
}

#[test]
fn the_guard_and_the_clock_stop_payments() {
    check(
        "A has 300 funds; the guard holds; A pays S 100 -> guard refused; the guard refuses; A pays S 100 -> guard refused
         the guard allows; S holds 100 of A -> authorised; the clock drifts
         A pays S 100 -> clock drifted; S captures -> clock drifted; S voids -> voided; A has 300 funds",
    );
}

#[test]
fn a_send_arrives_as_young_money() {
    check(
        "A has 50000 funds; A sends B 50000 -> completed; A has 0 funds; B has 50000 funds
         B sends C 3001 -> limit young send, 3000 left; B sends C 3000 -> completed
         B sends D 100 -> limit young send, 0 left; B pays S 7001 -> limit young, 7000 left; B pays S 7000 -> captured
         24 hours pass; B sends D 40000 -> completed; B has 0 funds; C has 3000 funds; D has 40000 funds",
    );
    check(
        "A has 300 prepaid, 400 bonus, 100 funds; A sends B 101 -> insufficient funds, 100 there; A sends B 100 -> completed",
    );
}

#[test]
fn a_send_needs_somebody_to_send_to() {
    check("A has 500 funds; A sends nobody 100 -> unknown recipient; A sends A 100 -> recipient unable: sender");
    check(
        "A has 500 funds; A sends P 100 -> recipient unable: tier; P sends A 100 -> tier too low; nobody sends A 1 -> unknown wallet",
    );
    check("A has 500 funds; B freezes -> frozen; A sends B 100 -> recipient unable: frozen");
    check("A has 500 funds; B closes -> closed; A sends B 100 -> recipient unable: closed");
    check("A has 500 funds; B has 999501 funds; A sends B 500 -> recipient unable: full; A sends B 499 -> completed");
    check("A has 1000001 funds; A sends B 1000001 -> recipient unable: full");
    check("A has 500 funds; A freezes -> frozen; A sends B 100 -> frozen by holder; A has 500 funds");
    check(
        "A has 500 funds; the clock drifts; A sends B 100 -> clock drifted; the guard refuses; A sends B 0 -> amount zero",
    );
}

#[test]
fn a_day_has_a_limit_for_sends() {
    check(
        "A has 900000 funds; B has 400000 funds; C has 100 funds
         A sends B 600000 -> completed; A sends C 300000 -> completed; B sends A 400000 -> completed
         24 hours pass; A sends D 400000 -> completed; B sends D 600000 -> completed",
    );
    check(
        "A has 1000000 funds; B has 500000 funds; A sends C 1000000 -> completed; B sends A 500000 -> completed
         A sends D 100 -> limit per day, 0 left",
    );
}

#[test]
fn nobody_freezes_anothers_wallet() {
    check(
        "A is frozen by B -> unknown wallet; A freezes -> frozen; A is unfrozen by B -> unknown wallet
         desk unfreezes A -> wallet frozen; A unfreezes -> open",
    );
}

#[test]
fn what_a_stranger_asks_does_not_count() {
    let mut story = Story::new();
    story.tell("A has 500 funds");
    let ask = |by| {
        Command::Wallet(crate::wallet::Command::Unfreeze { wallet: wallet(1), by: crate::wallet::Asker::Holder(by) })
    };
    let today = story.world.now.day();
    let counted = |story: &Story| story.world.wallet(wallet(1)).counters.refused.count_in_month(today);
    assert!(story.world.run(&ask(holder(2))).is_err());
    assert_eq!(counted(&story), 0);
    assert!(story.world.run(&ask(holder(1))).is_err());
    assert_eq!(counted(&story), 1);
}

#[test]
fn nobody_can_fill_a_purse_with_dust() {
    check(
        "A has 500 funds; A sends P 99 -> recipient unable: tier; A sends B 99 -> amount too small
         A sends B 100 -> completed; B has 100 funds",
    );
}

#[test]
fn who_was_given_a_little_by_many_pays_with_the_largest() {
    let mut story = Story::new();
    let mut give = |id: u128, purse, amount| {
        let received = T0.plus_milliseconds(i64::try_from(id).unwrap_or(0) - 10 * DAY_MS);
        story.world.give_money(wallet(1), purse, id, amount, received);
    };
    (1..=70).for_each(|id| give(id, Purse::Prepaid, 1));
    give(71, Purse::Prepaid, 500);
    (101..=170).for_each(|id| give(id, Purse::Funds, 100));
    story.tell("A pays S 71 -> captured");
    story.tell("A pays S 6700 -> captured");
    story.tell("A sends B 500 -> completed");
    story.tell("A pays S 299 -> limit pieces, 64 left");
    story.tell("A pays S 64 -> captured");
    assert_eq!(story.world.replayed(), story.world.rows);
}

#[test]
fn a_held_send_waits_for_the_desk() {
    let held = "A has 5000 young funds; the guard holds; A sends B 2000 -> held; A has 3000 funds, 2000 held
                B has 0 funds, 2000 arriving; the guard allows; A sends B 1001 -> limit young send, 1000 left";
    let tell = |rest: &str| check(&format!("{held}; {rest}"));
    tell(
        "desk lets go -> completed; A has 3000 funds, 0 held; B has 2000 funds, 0 arriving; desk says no -> send completed",
    );
    tell("desk says no -> given_up; A has 5000 funds, 0 held; B has 0 funds, 0 arriving; A sends B 3000 -> completed");
    tell(
        "nobody decides -> send held, not yet expired; 24 hours pass; desk lets go -> send ran out; nobody decides -> expired; A has 5000 funds",
    );
    tell("desk freezes A -> frozen; desk lets go -> frozen by desk; desk says no -> given_up; A has 5000 funds");
    tell(
        "B freezes -> frozen; desk lets go -> recipient unable: frozen; B unfreezes -> open; desk lets go -> completed",
    );
    tell(
        "B closes -> not settled; the clock drifts; desk lets go -> clock drifted; desk says no -> given_up; B closes -> closed",
    );
    check("A has 50 funds; desk says no -> unknown send; nobody decides -> unknown send; desk lets go -> unknown send");
}

#[test]
fn a_voucher_is_redeemed_once() {
    check(
        "A has 10 prepaid; seller issues 1 worth 0 -> amount zero; seller issues 1 worth 50001 -> limit per time, 50000 left
         seller issues 1 worth 5000 -> issued; seller issues 1 worth 5000 -> voucher id taken
         A redeems 2 -> unknown voucher; A redeems 1 -> redeemed; A has 5010 prepaid; B redeems 1 -> voucher redeemed
         seller cancels 1 -> voucher redeemed
         seller issues 3 worth 700 -> issued; seller cancels 3 -> cancelled; A redeems 3 -> voucher cancelled
         seller issues 4 worth 700 -> issued; 30 days pass; A redeems 4 -> voucher ran out; A has 5010 prepaid",
    );
    check(
        "P has 99000 prepaid; seller issues 1 worth 1001 -> issued; P redeems 1 -> limit balance, 1000 left
         P freezes -> frozen; P redeems 1 -> frozen by holder; P unfreezes -> open
         the guard holds; P pays S 1 -> guard refused; the guard allows; P pays S 1 -> captured; P redeems 1 -> redeemed
         P has 100000 prepaid",
    );
    check(
        "seller issues 1 worth 1001 -> issued; the guard holds; P redeems 1 -> guard refused; the guard allows; P redeems 1 -> redeemed",
    );
}

#[test]
fn beyond_a_days_bound_a_voucher_takes_two_people() {
    let alone = |from: u32| {
        let each = |number| format!("ann issues {number} worth 50000 -> issued");
        (from..from + 10).map(each).collect::<Vec<_>>().join("; ")
    };
    let mut story = Story::new();
    let mut tell = |sentences: &str| sentences.split([';', '\n']).for_each(|sentence| story.tell(sentence.trim()));
    tell(&alone(1));
    tell(
        "bob issues 11 worth 1 -> proposed; bob issues 11 worth 1 -> voucher id taken
         ann issues 12 worth 50001 -> limit per time, 50000 left; A redeems 11 -> voucher proposed
         bob agrees to voucher 11 -> second person needed; ann agrees to voucher 11 -> issued; ann agrees to voucher 11 -> voucher issued
         A redeems 11 -> redeemed; ann agrees to voucher 11 -> voucher redeemed; ann agrees to voucher 12 -> unknown voucher
         ann agrees to voucher 1 -> voucher issued; A has 1 prepaid",
    );
    // What a program makes of sellers' orders is no person's; a cancelled one was made all the same.
    tell("seller issues 13 worth 50000 -> issued; seller cancels 1 -> cancelled; ann issues 14 worth 1 -> proposed");
    tell(
        "seller cancels 14 -> cancelled; bob agrees to voucher 14 -> voucher cancelled; A redeems 14 -> voucher cancelled",
    );
    // A proposal lasts a day, and each date begins anew.
    tell("ann issues 15 worth 1 -> proposed; 24 hours pass; bob agrees to voucher 15 -> voucher ran out");
    tell("A redeems 15 -> voucher proposed");
    tell(&alone(16));
    tell(
        "ann issues 26 worth 1 -> proposed; bob agrees to voucher 26 -> issued; 30 days pass; A redeems 26 -> voucher ran out",
    );
}

#[test]
fn a_campaign_gives_what_can_only_be_spent() {
    check(
        "P has 90000 prepaid; campaign gives P 10001 -> limit balance, 10000 left; campaign gives P 0 -> amount zero
         campaign gives P 10000 -> done; P has 10000 bonus, 90000 prepaid; campaign gives nobody 1 -> unknown wallet
         P pays S 15000 -> captured; P has 0 bonus, 85000 prepaid; S refunds 6000 -> done; P has 1000 bonus, 90000 prepaid",
    );
}

#[test]
fn what_comes_back_pays_first_what_its_bank_took_back() {
    let spent = "A links X; A tops up 9000 from X -> pending; bank moved 9000 -> settled";
    let tell = |rest: &str| check(&format!("{spent}; {rest}"));
    tell(
        "S holds 6000 of A -> authorised; bank takes back 9000 -> reversed; A has 0 funds, 6000 held; A owes 6000
          S captures -> frozen by debt; S voids -> voided; A has 0 funds, 0 held; A owes 0; A pays S 1 -> insufficient funds, 0 there",
    );
    tell(
        "S holds 6000 of A -> authorised; bank takes back 9000 -> reversed; 7 days pass; nobody captures -> expired
          A has 0 funds; A owes 0",
    );
    tell(
        "A pays S 6000 -> captured; bank takes back 9000 -> reversed; A owes 6000; S refunds 2500 -> done; A owes 3500
          A has 0 funds; S refunds 3500 -> done; A owes 0; A has 0 funds",
    );
    tell(
        "the guard holds; A sends B 3000 -> held; bank takes back 9000 -> reversed; A owes 3000; A has 0 funds, 3000 held
          desk lets go -> frozen by debt; desk says no -> given_up; A owes 0; A has 0 funds, 0 held; B has 0 funds, 0 arriving",
    );
}
