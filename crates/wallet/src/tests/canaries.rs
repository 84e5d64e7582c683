//! Each planted bug does what its name says: the simulation has something to catch. One test, for the switch is the
//! process's; it runs only in a build with the feature, and alone (`cargo test -p wallet --features canaries canaries`).

use super::story::check;
use crate::canary;
use std::panic::catch_unwind;

/// A story that is true, and is not with the bug `name` switched on.
fn story_of(name: &str) -> &'static str {
    match name {
        "limits_count_utc_days" => {
            "it is 2026-09-30T10:00:00Z; A links X; A tops up 100000 from X -> pending; A tops up 100000 from X -> pending
             A tops up 100000 from X -> pending; 6 hours pass; A tops up 100 from X -> limit rolling, 0 left"
        }
        "decline_frees_today" => {
            "A links X; A tops up 10000 from X -> pending; 1 days pass; bank declines -> declined; A counted 0"
        }
        "refund_goes_to_funds" => {
            "A has 100 prepaid; A pays S 100 -> captured; S refunds 100 -> done; A has 100 prepaid"
        }
        "void_keeps_the_hold" => {
            "A has 300 funds; S holds 200 of A -> authorised; S voids -> voided; A has 300 funds, 0 held"
        }
        "doubled_answer_credits_twice" => {
            "A links X; A tops up 10000 from X -> pending; bank moved 10000 -> settled; bank moved 10000 -> settled
             A has 10000 funds"
        }
        "late_answer_after_cancel_is_credited" => {
            "A links X; A tops up 10000 from X -> pending; bank is asked -> in_doubt; A cancels -> in_doubt
             bank moved 10000 -> returned; A has 0 funds"
        }
        "frozen_wallet_sends" => "A has 300 funds; A freezes -> frozen; A sends B 100 -> frozen by holder",
        "recipient_cap_is_ignored" => {
            "A has 500 funds; B has 999501 funds; A sends B 500 -> recipient unable: full"
        }
        "young_money_is_unchecked" => "A has 50000 young funds; A pays S 10001 -> limit young, 10000 left",
        "mandate_slot_is_not_unique" => {
            "A links X; B asks to link -> requested; bank grants X -> pending; B collects X -> already linked"
        }
        "expired_authorisation_is_captured" => {
            "A has 300 funds; S holds 200 of A -> authorised; 7 days pass; S captures -> payment ran out"
        }
        "reversal_owes_nothing" => {
            "A links X; A tops up 10000 from X -> pending; bank moved 10000 -> settled; 2 days pass
             A pays S 7000 -> captured; bank takes back 10000 -> reversed; A owes 7000"
        }
        "write_off_is_forgotten" => {
            "A links X; came: A tops up 8000 from X -> pending; bank moved 8000 -> settled; 2 days pass
             first: A pays S 8000 -> captured; bank takes back 8000 of came -> reversed
             ann proposes writing off 8000 of A -> open; bob approves writing off 8000 of A -> open; A owes 0
             S refunds 8000 of first -> done; A has 0 funds; written off is 0"
        }
        unknown => panic!("no test knows the canary {unknown}"),
    }
}

#[test]
fn every_planted_bug_shows() {
    for name in canary::NAMES {
        check(story_of(name));
        canary::select(Some(name));
        let told = catch_unwind(|| check(story_of(name)));
        canary::select(None);
        assert!(told.is_err(), "{name} is planted, and nothing is wrong");
    }
}
