//! Give-backs in a few words each: what a bank took back itself, and what no bank knew or could make.

use super::story::check;

#[test]
fn what_the_bank_took_back_itself_is_not_given_back_once_more() {
    let both = "A links X; A tops up 10000 from X -> pending; A cancels -> pending; bank moved 10000 -> returned
                bank takes back 10000 -> returned, flagged; bank gave back -> contradiction
                bank cannot give back -> contradiction; suspense is 10000";
    check(&format!(
        "{both}; ann proposes already-returned -> returned, flagged; ann approves already-returned -> second person needed
         bob approves already-returned -> returned; suspense is 0; bank owes 0; bank cannot give back -> returned
         bank gave back -> returned, flagged; ann proposes already-returned -> top up returned; suspense is 0"
    ));
    check(&format!(
        "{both}; ann proposes keep -> returned, flagged; bob approves keep -> returned; suspense is 10000
         bank gave back -> returned; suspense is 0; bank owes 0; bank takes back 10000 -> returned, flagged
         ann proposes already-returned -> top up returned"
    ));
    check(
        "A links X; A tops up 10000 from X -> pending; A cancels -> pending; bank moved 10000 -> returned
         bank takes back 9000 -> returned, flagged; ann proposes already-returned -> top up returned",
    );
}

#[test]
fn a_give_back_that_no_bank_knew_or_could_make_ends_by_two_people() {
    let returned = "A links X; A tops up 10000 from X -> pending; A cancels -> pending; bank moved 10000 -> returned
                    ann proposes decline -> top up returned; bank never knew of the give-back -> returned";
    check(&format!("{returned}; bank gave back -> returned; suspense is 0; ann proposes decline -> top up returned"));
    check(&format!(
        "{returned}; bank never knew of the give-back -> returned; ann proposes settle -> top up returned
         ann proposes decline -> returned; ann approves decline -> second person needed; bob approves decline -> returned
         suspense is 10000; ann proposes decline -> top up returned; desk tries giving back again -> returned
         bank gave back again -> returned; suspense is 0; bank owes 0; bank gave back -> returned, flagged"
    ));
    // The bank answers after all, before the second person does: what was proposed is of nothing any more.
    check(&format!(
        "{returned}; ann proposes decline -> returned; bank cannot give back -> returned
         bob approves decline -> top up returned; bob approves settle -> contradiction; ann proposes settle -> returned
         ann approves settle -> second person needed; bob approves settle -> returned; suspense is 0; bank owes 10000
         paid otherwise is 10000; bank cannot give back -> returned; ann proposes settle -> top up returned"
    ));
}

/// Another way paid it, and then the bank does so all the same: the account has it twice, and nobody misses that.
#[test]
fn what_a_bank_gives_back_after_another_way_has_paid_it_is_for_two_people() {
    let paid = "A links X; A tops up 10000 from X -> pending; A cancels -> pending; bank moved 10000 -> returned
                bank cannot give back -> returned; ann proposes settle -> returned; bob approves settle -> returned
                suspense is 0; bank owes 10000; paid otherwise is 10000; bank gave back -> returned, flagged
                ann proposes decline -> top up returned; ann proposes return -> top up returned";
    check(&format!(
        "{paid}; ann proposes settle -> returned, flagged; bob approves settle -> returned; bank owes 0; paid otherwise is 0
         bank gave back -> returned; bank cannot give back -> returned, flagged"
    ));
    check(&format!(
        "{paid}; ann proposes keep -> returned, flagged; bob approves keep -> returned; bank owes 10000
         paid otherwise is 10000; bank takes back 10000 -> returned, flagged; ann proposes settle -> returned, flagged
         bob approves settle -> returned; bank owes 0; paid otherwise is 0"
    ));
}
