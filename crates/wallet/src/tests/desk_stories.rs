//! What the desk does about what went wrong, and what ends with a wallet, in a few words each.

use super::bank::{BANK, grant};
use super::story::{Story, check};
use super::world::{DAY_MS, T0, World, holder, wallet};
use crate::bank_answer::{CLAIMS_MAX, Claim, Claims, Resolution};
use crate::effect::Effect;
use crate::guard::{Attempt, Verdict};
use crate::holder::{Command as Holders, Contact};
use crate::ids::{BankAccountId, ContactId, MandateId, StaffId, SwitchId, WalletId};
use crate::payment::PIECES_MAX;
use crate::purse::{Lot, Piece, Purse, Source};
use crate::refusal::{Limit, MissingFact, Noun, Proof, Refusal, Stated};
use crate::switches::{self, Function};
use crate::traits::Tier;
use crate::wallet::{DEBTS_MAX, Debt, LINKS_MAX, WRITTEN_OFF_MAX, Wallet};
use crate::{Command, Policies, Row, chart, mandate, table};
use domain::{Id, Key};
use ledger::Yen;

#[test]
fn a_give_back_that_failed_is_tried_again_under_another_id() {
    let failed = "A links X; A tops up 10000 from X -> pending; A cancels -> pending; bank moved 10000 -> returned
                  desk tries giving back again -> top up returned; bank cannot give back -> returned";
    check(&format!(
        "{failed}; desk tries giving back again -> returned; desk tries giving back again -> top up returned
         suspense is 10000; bank cannot give back -> returned; bank gave back again -> returned; suspense is 0; bank owes 0"
    ));
    // The first one was made after all: the bank must not pay twice.
    check(&format!(
        "{failed}; desk tries giving back again -> returned; bank gave back -> returned, flagged; suspense is 10000
         bank gave back again -> contradiction; ann proposes already-returned -> returned, flagged
         bob approves already-returned -> returned; suspense is 0; bank owes 0; bank gave back -> returned"
    ));
    check(&format!(
        "{failed}; desk tries giving back again -> returned; bank gave back again -> returned; suspense is 0
         bank gave back -> returned, flagged; ann proposes keep -> returned, flagged; bob approves keep -> returned
         bank owes 0; suspense is 0"
    ));
}

#[test]
fn the_first_word_on_a_give_back_is_taken_and_another_one_waits_for_two_people() {
    let asked = "A links X; A tops up 10000 from X -> pending; A cancels -> pending; bank moved 10000 -> returned";
    let failed = format!("{asked}; bank cannot give back -> returned");
    // It could after all, and the account has it once.
    check(&format!(
        "{failed}; bank gave back -> returned, flagged; desk tries giving back again -> contradiction; suspense is 10000
         ann proposes settle -> returned, flagged; bob approves settle -> returned; suspense is 0; bank owes 0
         bank gave back -> returned; bank cannot give back -> returned, flagged"
    ));
    // It could after all, and that came back before it was told: the money is here, and goes once more.
    check(&format!(
        "{failed}; give-back of 10000 comes back -> returned, flagged; bank gave back -> returned, flagged
         suspense is 10000; bank owes 10000; ann proposes return -> returned, flagged
         bob approves return -> give back id taken; bob approves return anew -> returned; suspense is 10000
         bank gave back again -> returned; suspense is 0; bank owes 0"
    ));
    // Two people found that it was there by the bank's own doing, and there it did not stay either.
    check(&format!(
        "{asked}; bank takes back 10000 -> returned, flagged; ann proposes already-returned -> returned, flagged
         bob approves already-returned -> returned; suspense is 0; bank owes 0
         give-back of 10000 comes back -> returned, flagged; ann proposes return -> returned, flagged
         bob approves return anew -> returned; suspense is 10000; bank owes 10000
         bank gave back again -> returned; suspense is 0; bank owes 0"
    ));
    // The account had it, and now the bank says that it has not.
    check(&format!(
        "{asked}; bank gave back -> returned; bank cannot give back -> returned, flagged; suspense is 0; bank owes 0
         ann proposes settle -> top up returned; ann proposes return -> returned, flagged
         bob approves return anew -> returned; suspense is 10000; bank owes 10000
         bank gave back again -> returned; suspense is 0; bank owes 0"
    ));
}

#[test]
fn money_that_a_bank_took_back_is_not_given_back_as_well() {
    // The file leaves the debit out, the bank takes it back, and only then its late word arrives.
    check(
        "A links X; A tops up 10000 from X -> pending; file shows nothing -> declined
         bank takes back 10000 -> declined, flagged; bank moved 10000 -> declined, flagged; bank owes 0; suspense is 0
         ann proposes keep -> declined, flagged; bob approves keep -> declined; bank owes 0",
    );
    // Nobody was asked yet, and the bank did it and took it back: whoever settles that must know both.
    check(
        "A links X; the guard holds; A tops up 10000 from X -> held; the guard allows; bank declines -> top up held
         bank moved 10000 -> held, flagged; ann proposes settle -> held, flagged; bank takes back 10000 -> held, flagged
         bank declines -> held, flagged; bob approves settle -> contradiction; ann proposes decline -> held, flagged
         bob approves decline -> declined; A has 0 funds; bank owes 0",
    );
    check(
        "A links X; A tops up 10000 from X -> pending; bank moved 10000 -> settled; p: A pays out 9000 to X -> pending
         bank declines of p -> declined; bank sends back 9000 of p -> declined, flagged
         bank moved 9000 of p -> declined, flagged; ann proposes keep -> declined, flagged; bob approves keep -> declined
         A has 10000 funds; bank owes 10000",
    );
}

#[test]
fn everything_that_a_bank_says_against_the_record_is_kept() {
    let declined = "A links X; A tops up 10000 from X -> pending; bank declines -> declined";
    // What one person proposed, they proposed without knowing of the second thing.
    check(&format!(
        "{declined}; bank moved 9 -> declined, flagged; ann proposes return -> declined, flagged
         bank moved 10000 -> declined, flagged; bob approves return -> contradiction
         bank moved 9 -> declined, flagged; ann proposes return -> declined, flagged; bob approves return -> returned
         suspense is 10000; bank owes 10000; bank gave back -> returned; suspense is 0; bank owes 0"
    ));
    check(
        "A links X; A tops up 10000 from X -> pending; bank moved 10000 -> settled; bank moved 7 -> settled, flagged
         bank declines -> settled, flagged; ann proposes decline -> settled, flagged; bob approves decline -> reversed
         A has 0 funds; bank owes 0",
    );
    let mut claims = Claims::default();
    for amount in 0..40 {
        let claim = Claim::Moved(Yen::new(amount));
        if claims.is_news(claim) {
            claims.add(claim);
        }
        assert!(!claims.is_news(claim), "once is enough");
    }
    assert_eq!(claims.iter().count(), CLAIMS_MAX);
}

#[test]
fn what_is_owed_is_written_off_by_two() {
    let owes = "A links X; A tops up 9000 from X -> pending; bank moved 9000 -> settled; 2 days pass
                A pays S 8000 -> captured; bank takes back 9000 -> reversed; A owes 8000";
    check(&format!(
        "{owes}; ann approves writing off 8000 of A -> contradiction; ann proposes writing off 7000 of A -> contradiction
         ann proposes writing off 8000 of A -> open; ann proposes writing off 8000 of A -> open
         ann approves writing off 8000 of A -> second person needed; bob approves writing off 7000 of A -> contradiction
         bob approves writing off 8000 of A -> open; A owes 0; ann proposes writing off 0 of A -> wallet owes nothing
         campaign gives A 10 -> done; A pays S 10 -> captured"
    ));
    // Something was paid since: the sum that was proposed is no longer the one that is owed.
    check(&format!(
        "{owes}; ann proposes writing off 8000 of A -> open; A tops up 1000 from X -> pending; bank moved 1000 -> settled
         desk collects of A -> open; A owes 7000; bob approves writing off 8000 of A -> contradiction
         bob approves writing off 7000 of A -> contradiction; bob proposes writing off 7000 of A -> open
         ann approves writing off 7000 of A -> open; A owes 0"
    ));
}

/// Whichever way the holder's 8,000 come back, the operator had lost them: a refund must not make the holder richer.
#[test]
fn what_comes_back_of_a_written_off_lot_is_the_operators() {
    let lost = |way: &str, back: &str| {
        check(&format!(
            "top: A links X; top: A tops up 9000 from X -> pending; bank moved 9000 -> settled; 2 days pass; {way}
             bank takes back 9000 of top -> reversed; A owes 8000; ann proposes writing off 8000 of A -> open
             bob approves writing off 8000 of A -> open; A owes 0; written off is 8000; {back}; bank owes 0; suspense is 0"
        ));
    };
    lost(
        "A pays S 8000 -> captured",
        "S refunds 3000 -> done; A has 0 funds; written off is 5000; S refunds 5000 -> done; A has 0 funds
         written off is 0; S has 0",
    );
    lost(
        "S holds 8000 of A -> authorised",
        "S captures 1000 -> captured; A has 0 funds, 0 held; written off is 1000; S refunds 1000 -> done; written off is 0",
    );
    lost("S holds 8000 of A -> authorised", "S voids -> voided; A has 0 funds, 0 held; written off is 0");
    lost(
        "S holds 8000 of A -> authorised",
        "7 days pass; nobody captures -> expired; A has 0 funds, 0 held; written off is 0",
    );
    lost(
        "the guard holds; A sends B 8000 -> held; the guard allows",
        "desk says no -> given_up; A has 0 funds, 0 held; written off is 0",
    );
    lost(
        "p: A pays out 8000 to X -> pending",
        "bank declines of p -> declined; A has 0 funds, 0 held; written off is 0",
    );
    lost(
        "p: A pays out 8000 to X -> pending; bank moved 8000 -> settled",
        "bank sends back 8000 of p -> returned; A has 0 funds; written off is 0",
    );
    // A closed wallet's money waits in suspense, but this is nobody's who could come for it.
    lost("A pays S 8000 -> captured", "1 days pass; A closes -> closed; S refunds 8000 -> done; written off is 0");
    lost(
        "p: A pays out 8000 to X -> pending; bank moved 8000 -> settled",
        "1 days pass; A closes -> closed; bank sends back 8000 of p -> returned; written off is 0",
    );
    // What was paid after all stood for no lot: it is the payout that was owed.
    check(
        "A has 9000 funds; A links X; p: A pays out 8000 to X -> pending; bank declines -> declined; A pays S 9000 -> captured
         bank moved 8000 of p -> declined, flagged; ann proposes settle -> declined, flagged; bob approves settle -> settled
         A owes 8000; ann proposes writing off 8000 of A -> open; bob approves writing off 8000 of A -> open
         bank sends back 8000 of p -> returned; written off is 0; suspense is 0; A has 0 funds",
    );
}

#[test]
fn who_paid_a_part_of_a_debt_has_that_part_back() {
    check(
        "A links X; top: A tops up 9000 from X -> pending; bank moved 9000 -> settled; 2 days pass
         bought: A pays S 8000 -> captured; bank takes back 9000 of top -> reversed; A owes 8000
         A tops up 1000 from X -> pending; bank moved 1000 -> settled; A collects of A -> open; A owes 7000
         ann proposes writing off 7000 of A -> open; bob approves writing off 7000 of A -> open
         S refunds 6000 of bought -> done; A has 0 funds; written off is 1000; S refunds 2000 of bought -> done
         A has 1000 funds; written off is 0",
    );
}

#[test]
fn no_more_lots_are_written_off_than_can_be_remembered() {
    let mut world = World::new();
    let id = world.give_wallet(1, Tier::Identified);
    let debts = |lots: std::ops::Range<u128>| {
        lots.map(|lot| Debt { lot: Id::from_number(lot), amount: Yen::new(1) }).collect::<Vec<_>>()
    };
    let mut row: Wallet = world.wallet(id).clone();
    row.debts = debts(0..2);
    let most = u128::try_from(WRITTEN_OFF_MAX).expect("it fits");
    row.ties_mut().written_off = debts(1..most);
    world.give_row(Key::new(table::WALLET, id.0), Row::Wallet(Box::new(row)));
    let propose = Command::Wallet(crate::wallet::Command::ProposeWriteOff {
        wallet: id,
        amount: Yen::new(2),
        by: super::bank::staff("ann"),
    });
    world.done(&propose);
    let mut row: Wallet = world.wallet(id).clone();
    row.ties_mut().written_off = debts(2..most + 2);
    world.rows.insert(Key::new(table::WALLET, id.0), Row::Wallet(Box::new(row)));
    let refused = world.refused(&propose);
    assert!(matches!(refused, Refusal::LimitExceeded { limit: Limit::Lots, .. }), "{refused:?}");
}

#[test]
fn a_debt_is_of_a_top_up_not_of_whatever_has_its_number() {
    let mut world = World::new();
    let id = world.give_wallet(1, Tier::Identified);
    let mut row: Wallet = world.wallet(id).clone();
    row.apply(id, &Effect::Owe(id, Debt { lot: Id::from_number(7), amount: Yen::new(10) }));
    let piece = |source| Piece {
        purse: Purse::Funds,
        lot: Lot { id: Id::from_number(7), source, received: T0, amount: Yen::new(30) },
    };
    let (of_bank, sent) = (piece(Source::TopUp(BankAccountId(Id::from_number(1)))), piece(Source::Send(wallet(2))));
    assert_eq!(crate::wallet::owed(&row, &[sent, of_bank]), [of_bank.of(Yen::new(10))]);
}

#[test]
fn a_stop_holds_for_what_was_authorised_before_it_too() {
    let mut story = Story::new();
    for sentence in ["A has 500 bonus", "S holds 500 of A -> authorised"] {
        story.tell(sentence);
    }
    let set = |number: u128, function| {
        let id = SwitchId(Id::from_number(number));
        Command::Switches(switches::Command::Set { id, function, bank: None, cohort: switches::Cohort::default() })
    };
    story.world.done(&set(1, Some(Function::Send)));
    story.world.done(&set(2, Some(Function::Payment)));
    story.tell("S captures 200 -> stopped");
    let (id, [ann, bob]) = (SwitchId(Id::from_number(2)), [1, 2].map(|number| StaffId(Id::from_number(number))));
    story.world.done(&Command::Switches(switches::Command::ProposeLift { id, by: ann }));
    story.tell("S captures 200 -> stopped");
    story.world.done(&Command::Switches(switches::Command::Lift { id, by: bob }));
    story.tell("S captures 200 -> captured");
    // What comes back to the holder comes in any case.
    story.world.done(&set(3, None));
    story.tell("S refunds 200 -> done");
}

#[test]
fn to_lift_a_stop_takes_two_within_a_day() {
    check(
        "A has 900 funds; sends are stopped -> done; bob lifts the stop -> unknown switch; ann would lift the stop -> done
         A sends B 1 -> stopped; ann lifts the stop -> second person needed; A sends B 1 -> stopped
         bob lifts the stop -> done; A sends B 100 -> completed; bob lifts the stop -> unknown switch
         ann would lift the stop -> unknown switch; sends are stopped -> done; bob lifts the stop -> unknown switch",
    );
    check(
        "sends are stopped -> done; ann would lift the stop -> done; 1 days pass; bob lifts the stop -> switch ran out
         bob would lift the stop -> done; bob lifts the stop -> second person needed; ann lifts the stop -> done",
    );
    check(
        "sends are stopped -> done; ann would lift the stop -> done; 23 hours pass; ann would lift the stop -> done
         1 hours pass; bob lifts the stop -> switch ran out; ann would lift the stop -> done; bob lifts the stop -> done",
    );
}

#[test]
fn so_many_stops_are_in_force_and_no_more() {
    let mut world = World::new();
    let stop = |number: u128| switches::Stop {
        id: SwitchId(Id::from_number(number)),
        function: None,
        bank: None,
        cohort: switches::Cohort::default(),
        since: T0,
    };
    let stops: Vec<_> = (1..).map(stop).take(switches::STOPS_MAX).collect();
    world.give_row(switches::KEY, Row::Switches(switches::Switches { stops, ..switches::Switches::default() }));
    let id = SwitchId(Id::from_number(9_999));
    let set = switches::Command::Set { id, function: None, bank: None, cohort: switches::Cohort::default() };
    let refused = world.refused(&Command::Switches(set));
    assert!(matches!(refused, Refusal::LimitExceeded { limit: Limit::Stops, at_most: 1_024, .. }), "{refused:?}");
}

#[test]
fn a_purse_takes_so_many_lots_and_pays_a_bank_of_so_many() {
    check("A links X; A tops up 99 from X -> amount too small; A tops up 100 from X -> pending");
    let mut story = Story::new();
    let days_ago = |days: i64| T0.plus_milliseconds(-days * DAY_MS);
    story.world.give_money(wallet(1), Purse::Funds, 900, 650, days_ago(3));
    for lot in (901..).take(PIECES_MAX + 1) {
        story.world.give_money(wallet(1), Purse::Funds, lot, 10, days_ago(2));
    }
    // Declined, and paid after all: as many lots go as a movement may have, and the rest is owed until it is collected.
    for sentence in [
        "A links X",
        "A pays out 650 to X -> pending",
        "bank declines -> declined",
        "A pays S 650 -> captured",
        "bank moved 650 -> declined, flagged",
        "ann proposes settle -> declined, flagged",
        "bob approves settle -> settled",
        "A has 10 funds",
        "A owes 10",
        "A collects of A -> open",
        "A has 0 funds",
        "A owes 0",
    ] {
        story.tell(sentence);
    }
}

#[test]
fn debts_are_bounded_and_lose_no_yen() {
    let mut world = World::new();
    let id = world.give_wallet(1, Tier::Identified);
    let mut row: Wallet = world.wallet(id).clone();
    for lot in (0..).take(DEBTS_MAX + 10) {
        row.apply(id, &Effect::Owe(id, Debt { lot: Id::from_number(lot), amount: Yen::new(10) }));
    }
    assert_eq!((row.debts.len(), row.owed()), (DEBTS_MAX, Yen::new(41_060)));
    let debts = row.debts.clone();
    for debt in debts {
        row.apply(id, &Effect::Repay(id, debt));
    }
    assert_eq!(row.owed(), Yen::ZERO);
}

/// A hundred small top-ups, all spent, all taken back: each refund finds what is owed of its own lots.
#[test]
fn a_wallet_that_owes_a_hundred_lots_owes_each_of_them() {
    let mut story = Story::new();
    story.tell("A links X");
    for number in 0..100 {
        story.tell(&format!("t{number}: A tops up 100 from X -> pending"));
        story.tell(&format!("bank moved 100 of t{number} -> settled"));
    }
    story.tell("2 days pass");
    for sentence in ["first: A pays S 5000 -> captured", "second: A pays S 5000 -> captured"] {
        story.tell(sentence);
    }
    for number in 0..100 {
        story.tell(&format!("bank takes back 100 of t{number} -> reversed"));
    }
    for sentence in [
        "A owes 10000",
        "S refunds 2000 of second -> done",
        "A has 0 funds",
        "A owes 8000",
        "ann proposes writing off 8000 of A -> open",
        "bob approves writing off 8000 of A -> open",
        "S refunds 3000 of second -> done",
        "S refunds 5000 of first -> done",
        "A has 0 funds",
        "written off is 0",
        "bank owes 0",
    ] {
        story.tell(sentence);
    }
}

#[test]
fn points_lapse_with_their_wallet_and_money_does_not() {
    check("A has 70 bonus; A closes -> closed; A has 0 bonus");
    check("A has 70 bonus, 5 prepaid; A closes -> not settled; A pays S 74 -> captured; A closes -> not settled");
    let mut story = Story::new();
    for sentence in ["A has 70 bonus", "A closes -> closed"] {
        story.tell(sentence);
    }
    assert_eq!(story.world.account(chart::bonus_lapsed()).credit_balance(), 70);
}

#[test]
fn the_links_of_a_closed_wallet_end_and_its_person_links_anew() {
    let mut story = Story::new();
    for sentence in ["A links X", "A links Y", "A revokes -> revoked", "A closes -> closed"] {
        story.tell(sentence);
    }
    let account = Key::new(table::BANK_ACCOUNT, Id::from_number(1));
    let Some(Row::BankAccount(row)) = story.world.row(account) else { panic!("the account is there") };
    assert_eq!((row.live_mandate, row.route.is_some()), (None, true), "the way out stays the person's");
    let (next, owner) = (WalletId(Id::from_number(0x77)), holder(1));
    story.world.done(&Command::Wallet(crate::wallet::Command::Open { wallet: next, holder: owner, origin: None }));
    link(&mut story.world, next, 1, BankAccountId(Id::from_number(1))).expect("the account is free");
}

/// Links `account` to the wallet of holder 1.
fn link(world: &mut World, wallet: WalletId, number: u128, bank_account: BankAccountId) -> Result<(), Refusal> {
    let (mandate, holder) = (MandateId(Id::from_number(0x5000 + number)), holder(1));
    let (origin, proof, bank) = (None, None, BANK);
    let mut run = |command| world.run(&Command::Mandate(command)).map(drop);
    run(mandate::Command::Request(mandate::Request { mandate, wallet, holder, bank, origin, proof }))?;
    run(mandate::Command::Grant { mandate, grant: grant(bank_account) })?;
    run(mandate::Command::Confirm { mandate, holder, bank_account })
}

#[test]
fn a_wallet_links_so_many_accounts_and_no_more() {
    let mut world = World::new();
    let id = world.give_wallet(1, Tier::Identified);
    let mut linked = 0;
    let refused = (1..).find_map(|number| {
        linked = number - 1;
        link(&mut world, id, number, BankAccountId(Id::from_number(number))).err()
    });
    assert_eq!(linked, u128::try_from(LINKS_MAX).expect("a small bound"));
    assert!(matches!(refused, Some(Refusal::LimitExceeded { limit: Limit::Links, .. })), "{refused:?}");
    // An account that was linked before is no new one.
    let mandate = MandateId(Id::from_number(0x5001));
    let (by, why) = (mandate::RevokedBy::Holder(holder(1)), mandate::Why::Unneeded);
    world.done(&Command::Mandate(mandate::Command::Revoke { mandate, by, why }));
    link(&mut world, id, 1_000, BankAccountId(Id::from_number(1))).expect("it was linked before");
    assert_eq!(world.wallet(id).links().len(), LINKS_MAX);
}

#[test]
fn a_person_sends_no_more_with_a_second_wallet() {
    let mut policy = super::world::policy();
    policy.send.per_day_max = Yen::new(1_000);
    let mut story = Story::new();
    story.world.context.policies = Policies::new(policy);
    for sentence in ["A has 5000 funds", "A sends B 400 -> completed", "the guard holds", "A sends B 300 -> held"] {
        story.tell(sentence);
    }
    let person = |story: &Story| match story.world.row(Key::new(table::PERSON, Id::from_number(1))) {
        Some(Row::Person(row)) => row.counters.send.on(story.world.now.day()),
        other => panic!("no person: {other:?}"),
    };
    assert_eq!(person(&story), Yen::new(700));
    story.tell("desk says no -> given_up");
    assert_eq!(person(&story), Yen::new(400), "what came back counts no more");
    // As it would be with another wallet of the same person, in which nothing has counted yet.
    let key = Key::new(table::WALLET, wallet(1).0);
    let Some(Row::Wallet(row)) = story.world.rows.get_mut(&key) else { panic!("the wallet is there") };
    row.counters.send = crate::DailySums::default();
    story.tell("the guard allows");
    story.tell("A sends B 700 -> limit person per day, 600 left");
    story.tell("A sends B 600 -> completed");
}

#[test]
fn nothing_expires_by_a_clock_that_is_not_believed() {
    let rich = "A links X; A tops up 30000 from X -> pending; bank moved 30000 -> settled; 2 days pass";
    for (given, deed) in [
        ("A has 500 prepaid; S holds 300 of A -> authorised", "nobody captures"),
        ("A has 500 funds; the guard holds; A sends B 300 -> held", "nobody decides"),
        ("A links X; the guard holds; A tops up 100 from X -> held", "nobody looks"),
        (&format!("{rich}; the guard holds; A pays out 100 to X -> held"), "nobody looks"),
        ("A asks to link -> requested", "time runs out"),
    ] {
        let mut story = Story::new();
        for sentence in given.split(';').map(str::trim) {
            story.tell(sentence);
        }
        story.world.pass(8 * DAY_MS);
        story.world.clock_drifted = true;
        story.tell(&format!("{deed} -> clock drifted"));
    }
}

#[test]
fn what_was_granted_on_static_knowledge_debits_nothing_once_that_no_longer_suffices() {
    let mut story = Story::new();
    let mut lax = super::world::policy();
    lax.mandate.refuses_static_factors = false;
    story.world.context.policies = Policies::new(lax).then(T0.day().plus(3), super::world::policy());
    for sentence in [
        "A asks to link -> requested",
        "bank grants X static -> pending",
        "A collects X -> active",
        "A tops up 100 from X -> pending",
        "3 days pass",
    ] {
        story.tell(sentence);
    }
    let command = story.bank_deed(&["A", "tops", "up", "100", "from", "X"]).expect("a deed");
    assert_eq!(story.world.refused(&command), Refusal::GrantTooWeak { missing: MissingFact::StrongFactor });
    story.tell("true holder confirms -> active");
    story.tell("A tops up 100 from X -> pending");
}

fn suspicious(attempt: &Attempt<'_>) -> Verdict {
    assert_eq!((attempt.amount, attempt.wallet.available()), (Yen::ZERO, Yen::ZERO));
    match attempt.function {
        Function::Open => Verdict::Hold { reason: 5 },
        Function::ChangeContact => Verdict::StepUp(Proof::Identity),
        other => panic!("{other:?}?"),
    }
}

#[test]
fn the_guard_sees_who_opens_a_wallet_and_who_changes_where_they_are_reached() {
    let mut world = World::new();
    world.give_wallet(1, Tier::Phone);
    world.context.guard = suspicious;
    let mail = Contact::Mail(ContactId(Id::from_number(0xabc)), None);
    let change = |proof| Command::Holder(Holders::ChangeContact { holder: holder(1), to: mail, proof: Some(proof) });
    assert_eq!(world.refused(&change(Proof::SecondFactor)), Refusal::StepUpRequired { proof: Proof::Identity });
    world.done(&change(Proof::Identity));
    world.done(&Command::Wallet(crate::wallet::Command::Close { wallet: wallet(1), holder: holder(1) }));
    let open = crate::wallet::Command::Open { wallet: wallet(2), holder: holder(1), origin: None };
    assert_eq!(world.refused(&Command::Wallet(open)), Refusal::GuardRefused { reason: 5 });
    assert!(world.wallet(wallet(1)).pieces(&Purse::ALL).is_empty());
}

#[test]
fn what_two_people_took_out_again_goes_back_if_the_bank_moved_it_after_all() {
    let undone = "A links X; A tops up 10000 from X -> pending; bank moved 10000 -> settled; 2 days pass; A pays S 4000 -> captured
        bank declines -> settled, flagged; ann proposes decline -> settled, flagged; bob approves decline -> reversed
        A owes 4000; A has 0 funds; ann proposes return -> top up reversed
        bank moved 10000 -> reversed, flagged; ann proposes return -> reversed, flagged";
    check(&format!(
        "{undone}; bob approves return -> returned; suspense is 10000; bank owes 10000; bank gave back -> returned
         suspense is 0; bank owes 0; A owes 4000; S refunds 4000 -> done; A owes 0; A has 0 funds"
    ));
    // What was spent of it comes back after the debt was paid with other money: it is the holder's.
    check(
        "A links X; first: A tops up 10000 from X -> pending; bank moved 10000 of first -> settled; 2 days pass
         A pays S 4000 -> captured; A tops up 5000 from X -> pending; bank moved 5000 -> settled
         bank declines of first -> settled, flagged; ann proposes decline of first -> settled, flagged
         bob approves decline of first -> reversed; desk collects of A -> open; A owes 0
         bank moved 10000 of first -> reversed, flagged; ann proposes return of first -> reversed, flagged
         bob approves return of first -> returned; S refunds 4000 -> done; A has 5000 funds",
    );
    // The bank's own reversal is no such case: what it moved before is on record.
    check(
        "A links X; A tops up 10000 from X -> pending; bank moved 10000 -> settled; bank takes back 10000 -> reversed
         bank moved 9000 -> reversed, flagged; ann proposes return -> top up reversed; ann proposes keep -> reversed, flagged",
    );
}

#[test]
fn who_approves_hears_what_was_proposed() {
    let mut story = Story::new();
    for sentence in ["A links X", "A tops up 10000 from X -> pending", "bank moved 1000 -> in_doubt, flagged"] {
        story.tell(sentence);
    }
    let approve = |story: &mut Story| {
        let command = story.bank_deed(&["bob", "approves", "settle"]).expect("a deed");
        story.world.refused(&command)
    };
    let refusal = |on_record| Refusal::NotAsOnRecord {
        noun: Noun::TopUp,
        on_record,
        came: Stated::Resolution(Resolution::Settle),
    };
    assert_eq!(approve(&mut story), refusal(Stated::Nothing));
    story.tell("ann proposes return -> in_doubt, flagged");
    assert_eq!(approve(&mut story), refusal(Stated::Resolution(Resolution::Return)));
}
