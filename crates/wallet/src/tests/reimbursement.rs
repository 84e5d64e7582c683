//! Reimbursements in a few words each: what pays, who must agree, and that no account ever gets more than was debited from it.
//!
//! `ann reimburses 500 in case 1` means the last top-up, and that she knows if its link was confirmed, unless she is `unaware`; what is said of `it` the last reimbursement, or the one that is
//! named: `bank paid first out`.

use super::bank::{Movement, staff};
use super::case::case;
use super::story::{Story, check, yen};
use super::world::{World, shop};
use crate::bank_answer::{Answer, AnswerSource, Claim, Outcome, Resolution};
use crate::books::Finding;
use crate::ids::{CaseId, RefundId, ReimbursementId, StaffId, TopUpId};
use crate::reimbursement::{Command as OfReimbursement, Status};
use crate::safeguarding::Outstanding;
use crate::{Command, Event, Policy, Row, chart, payment, payout, reimbursement, top_up};
use domain::{Id, Key};
use ledger::Yen;
use proptest::collection::vec;
use proptest::prelude::*;

impl Story {
    fn reimbursement_named(&self, name: &str) -> ReimbursementId {
        if name == "it" { self.last_reimbursement } else { ReimbursementId(self.names[name]) }
    }

    pub(super) fn reimbursement_deed(&mut self, words: &[&str]) -> Option<Command> {
        let named = |name: &&str| self.reimbursement_named(name);
        let command = match words {
            [who, "reimburses", amount, "in", "case", number, ..] => {
                let Some(Movement::TopUp(top_up)) = self.bank.movement else { panic!("of which top-up?") };
                let reimbursement = ReimbursementId(self.fresh());
                OfReimbursement::Propose {
                    reimbursement,
                    case: case(number),
                    top_up,
                    amount: yen(amount),
                    although_confirmed: !words.contains(&"unaware"),
                    by: staff(who),
                }
            }
            [who, "agrees", "to", which] => {
                OfReimbursement::Approve { reimbursement: named(which), case: case("1"), by: staff(who) }
            }
            [who, "agrees", "to", which, "in", "case", number] => {
                OfReimbursement::Approve { reimbursement: named(which), case: case(number), by: staff(who) }
            }
            [who, "wants", which, how] => OfReimbursement::ProposeResolution {
                reimbursement: named(which),
                resolution: resolution(how),
                by: staff(who),
            },
            [who, "agrees", "that", which, "is", how] => OfReimbursement::ApproveResolution {
                reimbursement: named(which),
                resolution: resolution(how),
                by: staff(who),
            },
            [who, "says", "no", "to", which] => OfReimbursement::Refuse { reimbursement: named(which), by: staff(who) },
            ["bank", "is", "asked", "for", which] => OfReimbursement::Asked { reimbursement: named(which) },
            ["bank", "never", "knew", "of", which] => OfReimbursement::Absent { reimbursement: named(which) },
            ["bank", "paid", which, "out"] => OfReimbursement::Answer { reimbursement: named(which), done: true },
            ["bank", "could", "not", "pay", which] => {
                OfReimbursement::Answer { reimbursement: named(which), done: false }
            }
            [amount, "of", which, "come", "back"] => {
                let claim = Claim::CameBack(yen(amount));
                OfReimbursement::Contradict { reimbursement: named(which), claim }
            }
            _ => return None,
        };
        Some(Command::Reimbursement(command))
    }

    pub(super) fn reimbursement_circumstance(&self, words: &[&str]) -> bool {
        let (account, amount) = match words {
            ["restitution", "of", number, "is", amount] => (chart::restitution(case(number)), amount),
            ["expense", "of", number, "is", amount] => (chart::reimbursement_expense(case(number)), amount),
            _ => return false,
        };
        let balance = self.world.account(account).credit_balance();
        let sign = if account.code == chart::RESTITUTION { 1 } else { -1 };
        assert_eq!(balance * sign, amount.parse::<i64>().expect("a number of yen"), "{words:?}");
        true
    }
}

fn resolution(how: &str) -> Resolution {
    match how {
        "settled" => Resolution::Settle,
        "declined" => Resolution::Decline,
        "kept" => Resolution::Keep,
        "returned" => Resolution::Return,
        other => panic!("how is it {other}?"),
    }
}

/// A topped up 9,000 of X and has spent 4,000 of it; two people have found that it was not theirs.
const UPHELD: &str =
    "A links X; A tops up 9000 from X -> pending; bank moved 9000 -> settled; A pays S 4000 -> captured
    case 1 opens on X -> open; case 1 keeps X of A -> open; ann finds 1 upheld -> open
    bob finds so of 1 upheld -> closed; A has 5000 funds, 5000 kept";

#[test]
fn what_is_kept_pays_first_and_the_operator_the_rest() {
    check(&format!(
        "{UPHELD}; ann reimburses 9000 in case 1 -> proposed; A has 5000 funds, 5000 kept
         ann agrees to it -> second person needed; bob agrees to it -> pending; A has 0 funds, 0 kept
         restitution of 1 is 9000; expense of 1 is 4000; bank owes 9000; bank paid it out -> done
         restitution of 1 is 0; expense of 1 is 4000; bank owes 0; bank paid it out -> done
         ann reimburses 1 in case 1 -> limit debited, 0 left"
    ));
}

#[test]
fn of_what_was_sent_on_the_cases_part_pays_and_the_rest_is_free() {
    check(
        "B links Y; B tops up 700 from Y -> pending; bank moved 700 -> settled; A links X; A links Z
         A tops up 500 from Z -> pending; bank moved 500 -> settled
         A tops up 2000 from X -> pending; bank moved 2000 -> settled; 2 days pass; A sends B 2500 -> completed
         case 1 opens on X -> open; case 1 keeps X of A -> open; case 1 keeps 2000 of what was sent in B -> open
         ann finds 1 upheld -> open; bob finds so of 1 upheld -> closed; B has 3200 funds, 2000 kept
         ann reimburses 1500 in case 1 -> proposed; bob agrees to it -> pending; B has 1700 funds, 500 kept
         ann reimburses 500 in case 1 -> proposed; bob agrees to it -> pending; B has 1200 funds, 0 kept
         expense of 1 is 0; restitution of 1 is 2000; B pays S 1200 -> captured",
    );
}

#[test]
fn what_failed_stands_ready_for_the_next_one() {
    check(&format!(
        "{UPHELD}; first: ann reimburses 6000 in case 1 -> proposed; bob agrees to it -> pending
         bank could not pay it -> failed; restitution of 1 is 6000; expense of 1 is 1000; bank owes 9000
         ann reimburses 9000 in case 1 -> proposed; bob agrees to it -> pending; restitution of 1 is 9000
         expense of 1 is 4000; bank paid first out -> failed, flagged; bank paid it out -> done
         restitution of 1 is 0; bank owes 0; ann finds 1 unfounded -> case closed"
    ));
}

#[test]
fn what_a_bank_contradicts_two_people_settle() {
    let paid = format!("{UPHELD}; ann reimburses 9000 in case 1 -> proposed; bob agrees to it -> pending");
    check(&format!(
        "{paid}; 5 of it come back -> pending, flagged; ann wants it kept -> reimbursement pending
         bob agrees that it is settled -> contradiction; ann wants it settled -> pending, flagged
         ann agrees that it is settled -> second person needed; bob agrees that it is declined -> contradiction
         bob agrees that it is settled -> done; bank owes 0; restitution of 1 is 0; bob agrees that it is settled -> reimbursement done"
    ));
    check(&format!(
        "{paid}; 5 of it come back -> pending, flagged; ann wants it declined -> pending, flagged
         6 of it come back -> pending, flagged; bob agrees that it is declined -> contradiction
         ann wants it declined -> pending, flagged; bob agrees that it is declined -> failed; restitution of 1 is 9000"
    ));
    check(&format!(
        "{paid}; bank paid it out -> done; 9000 of it come back -> done, flagged; ann wants it declined -> done, flagged
         bob agrees that it is declined -> failed; bank owes 9000; restitution of 1 is 9000; expense of 1 is 4000
         ann reimburses 9000 in case 1 -> proposed; bob agrees to it -> pending; bank paid it out -> done; bank owes 0
         9000 of it come back -> done, flagged; ann wants it kept -> done, flagged; bob agrees that it is kept -> done"
    ));
}

#[test]
fn what_a_bank_paid_after_all_counts_unless_it_was_paid_by_another_one() {
    let failed = format!(
        "{UPHELD}; first: ann reimburses 4000 in case 1 -> proposed; bob agrees to it -> pending
         bank could not pay it -> failed; bank paid first out -> failed, flagged"
    );
    check(&format!(
        "{failed}; ann wants it settled -> failed, flagged; bob agrees that it is settled -> done; restitution of 1 is 0
         bank owes 5000; expense of 1 is 0; ann reimburses 5001 in case 1 -> limit debited, 5000 left"
    ));
    check(&format!(
        "{failed}; ann reimburses 5000 in case 1 -> proposed; bob agrees to it -> pending; bank paid it out -> done
         ann wants first settled -> failed, flagged; bob agrees that first is settled -> done; bank owes 0
         expense of 1 is 4000; restitution of 1 is 0"
    ));
    check(&format!(
        "{failed}; ann reimburses 9000 in case 1 -> proposed; bob agrees to it -> pending; ann wants first settled -> failed, flagged
         bob agrees that first is settled -> limit debited, 0 left; ann wants first kept -> failed, flagged
         bob agrees that first is kept -> failed"
    ));
}

#[test]
fn only_what_two_people_upheld_goes_back_and_only_to_its_own_account() {
    check(
        "A links X; A tops up 9000 from X -> pending; ann reimburses 1 in case 1 -> unknown case
         bank moved 9000 -> settled; case 1 opens on X -> open; case 1 keeps X of A -> open
         ann reimburses 1 in case 1 -> case open; ann finds 1 upheld -> open; bob finds so of 1 upheld -> closed
         B links Y; B tops up 800 from Y -> pending; ann reimburses 1 in case 1 -> unknown top up
         ann reimburses 0 in case 1 -> amount zero",
    );
    check(&format!(
        "{UPHELD}; ann reimburses 9001 in case 1 -> limit debited, 9000 left; ann reimburses 9000 in case 1 -> proposed
         bob agrees to it in case 2 -> unknown reimbursement; the clock drifts; bob agrees to it -> clock drifted"
    ));
    check(&format!(
        "{UPHELD}; ann reimburses 9000 in case 1 -> proposed; ann finds 1 unfounded -> closed
         bob finds so of 1 unfounded -> closed; bob agrees to it -> case closed; A has 5000 funds, 0 kept"
    ));
}

/// The very account has it already, by its own link: no second time.
#[test]
fn what_went_back_by_a_payout_is_not_lacking() {
    let paid_out = "A links X; top: A tops up 10000 from X -> pending; bank moved 10000 -> settled
         out: A pays out 4000 to X -> pending; case 1 opens on X -> open; case 1 keeps X of A -> open
         ann finds 1 upheld -> open; bob finds so of 1 upheld -> closed";
    check(&format!(
        "{paid_out}; ann reimburses 6001 in case 1 of top -> limit debited, 6000 left; bank moved 4000 of out -> settled
         ann reimburses 6001 in case 1 of top -> limit debited, 6000 left
         ann reimburses 6000 in case 1 of top -> proposed; bob agrees to it -> pending; bank paid it out -> done
         bank sends back 4000 of out -> returned; ann reimburses 4001 in case 1 of top -> limit debited, 4000 left
         ann reimburses 4000 in case 1 of top -> proposed; bob agrees to it -> pending; bank paid it out -> done
         expense of 1 is 0; A has 0 funds"
    ));
    check(&format!(
        "{paid_out}; bank declines of out -> declined; ann reimburses 10000 in case 1 of top -> proposed
         bank moved 4000 of out -> declined, flagged; ann proposes settle -> declined, flagged; bob approves settle -> settled
         bob agrees to it -> limit debited, 6000 left"
    ));
    // What came from elsewhere, or goes elsewhere, takes nothing off.
    check(
        "A links X; A links Y; A tops up 3000 from Y -> pending; bank moved 3000 -> settled
         top: A tops up 2000 from X -> pending; bank moved 2000 -> settled; 2 days pass; A pays out 2500 to Y -> pending
         case 1 opens on X -> open; ann finds 1 upheld -> open; bob finds so of 1 upheld -> closed
         ann reimburses 2001 in case 1 of top -> limit debited, 2000 left",
    );
}

#[test]
fn one_that_no_bank_ever_knew_of_two_people_may_end() {
    let asked = format!("{UPHELD}; ann reimburses 9000 in case 1 -> proposed");
    check(&format!("{asked}; bank never knew of it -> reimbursement proposed"));
    let asked = format!("{asked}; bob agrees to it -> pending; ann wants it declined -> reimbursement pending");
    let unknown = format!("{asked}; bank never knew of it -> in_doubt; bank never knew of it -> in_doubt");
    check(&format!("{unknown}; bank paid it out -> done; bank owes 0"));
    check(&format!(
        "{unknown}; ann wants it settled -> reimbursement in_doubt; ann wants it declined -> in_doubt
         ann agrees that it is declined -> second person needed; bob agrees that it is declined -> failed
         restitution of 1 is 9000; bank never knew of it -> failed; ann reimburses 9000 in case 1 -> proposed; bob agrees to it -> pending
         bank paid it out -> done; bank owes 0; restitution of 1 is 0; expense of 1 is 4000"
    ));
    check(&format!(
        "{unknown}; ann wants it declined -> in_doubt; bob agrees that it is declined -> failed; bank paid it out -> failed, flagged
         ann wants it settled -> failed, flagged; bob agrees that it is settled -> done; bank owes 0; restitution of 1 is 0"
    ));
}

#[test]
fn a_bank_that_takes_back_what_was_reimbursed_is_for_two_people() {
    check(&format!(
        "{UPHELD}; ann reimburses 9000 in case 1 -> proposed; bank takes back 9000 -> reversed
         bob agrees to it -> top up reversed; ann says no to it -> refused"
    ));
    check(&format!(
        "{UPHELD}; ann reimburses 2000 in case 1 -> proposed; bob agrees to it -> pending
         bank takes back 9000 -> settled, flagged; ann reimburses 1 in case 1 -> contradiction; ann proposes decline -> settled, flagged
         bob approves decline -> reversed; A owes 4000; expense of 1 is 2000; bank could not pay it -> failed
         restitution of 1 is 0; expense of 1 is 0; bank owes 0"
    ));
}

/// A bank takes a debit back by itself after a case took of its lot: whoever paid once owes no more than they spent.
#[test]
fn a_debit_that_comes_back_by_itself_is_paid_for_once() {
    check(&format!(
        "{UPHELD}; ann reimburses 9000 in case 1 -> proposed; bob agrees to it -> pending; bank could not pay it -> failed
         restitution of 1 is 9000; expense of 1 is 4000; bank takes back 9000 -> reversed; A owes 4000
         restitution of 1 is 0; expense of 1 is 0; bank owes 0; ann wants it settled -> failed
         bob agrees that it is settled -> limit debited, 0 left; ann finds 1 unfounded -> closed"
    ));
    // It was paid, and the bank took it back: the operator has lost it once, and the wallet nothing but what it spent.
    check(&format!(
        "{UPHELD}; ann reimburses 9000 in case 1 -> proposed; bob agrees to it -> pending; bank paid it out -> done
         bank takes back 9000 -> settled, flagged; ann proposes decline -> settled, flagged; bob approves decline -> reversed
         A owes 4000; expense of 1 is 9000; bank owes -9000"
    ));
    // What came of another debit of the account pays for that one alone: B has spent nothing, and owes nothing.
    check(
        "A links X; first: A tops up 3000 from X -> pending; bank moved 3000 -> settled; A pays S 3000 -> captured
         A revokes -> revoked; B links X; second: B tops up 5000 from X -> pending; bank moved 5000 -> settled
         case 1 opens on X -> open; case 1 keeps X of A -> open; case 1 keeps X of B -> open; ann finds 1 upheld -> open
         bob finds so of 1 upheld -> closed; ann reimburses 3000 in case 1 of first -> proposed
         bob agrees to it -> pending; expense of 1 is 3000; B has 5000 funds, 5000 kept; bank paid it out -> done
         bank takes back 5000 of second -> reversed; B owes 0; B has 0 funds; bank owes 0",
    );
}

#[test]
fn what_no_bank_could_pay_and_another_way_paid_two_people_settle() {
    check(&format!(
        "{UPHELD}; ann reimburses 9000 in case 1 -> proposed; bob agrees to it -> pending; bank could not pay it -> failed
         ann wants it kept -> reimbursement failed; ann wants it settled -> failed
         ann agrees that it is settled -> second person needed; bob agrees that it is settled -> done
         restitution of 1 is 0; bank owes 0; expense of 1 is 4000"
    ));
}

#[test]
fn what_a_link_debited_that_its_true_holder_confirmed_goes_back_only_if_somebody_says_that_they_know() {
    const CONFIRMED: &str = "A links X; A tops up 9000 from X -> pending
         bank moved 9000 -> settled; case 1 opens on X -> open; ann finds 1 upheld -> open; bob finds so of 1 upheld -> closed";
    check(&format!(
        "{CONFIRMED}; ann reimburses 9000 in case 1 unaware -> mandate confirmed by the account's true holder
         ann reimburses 9000 in case 1 -> proposed; bob agrees to it -> pending"
    ));
    // Confirmed after it was proposed: whoever agrees must not miss it.
    let rest = CONFIRMED.strip_prefix("A links X").expect("it begins with the link");
    check(&format!(
        "A links X unconfirmed{rest}; ann reimburses 9000 in case 1 unaware -> proposed; true holder confirms -> active
         bob agrees to it -> mandate confirmed by the account's true holder"
    ));
}

#[test]
fn one_case_alone_reimburses_a_debit() {
    check(&format!(
        "{UPHELD}; case 2 opens on X -> open; ann finds 2 upheld -> open; bob finds so of 2 upheld -> closed
         ann reimburses 1000 in case 1 -> proposed; bob agrees to it -> pending; bank could not pay it -> failed
         ann reimburses 1000 in case 2 -> contradiction; ann reimburses 1000 in case 1 -> proposed"
    ));
}

/// Every status, as it comes about, and what each word comes to there.
#[test]
fn every_word_in_every_status() {
    const WORDS: [&str; 7] = [
        "bob agrees to it",
        "ann agrees to it",
        "ann says no to it",
        "bank is asked for it",
        "bank paid it out",
        "bank could not pay it",
        "5 of it come back",
    ];
    let open = "bob agrees to it -> pending";
    let in_doubt = &format!("{open}; bank is asked for it -> in_doubt");
    let done = &format!("{open}; bank paid it out -> done");
    let failed = &format!("{in_doubt}; bank could not pay it -> failed");
    let flagged = &format!("{open}; 5 of it come back -> pending, flagged");
    let wrong = |status: &str| format!("reimbursement {status}");
    let refused = wrong("refused");
    let table: [(&str, [&str; 7]); 7] = [
        (
            "A counted 9000",
            ["pending", "second person needed", "refused", "proposed!", "proposed!", "proposed!", "proposed!"],
        ),
        ("bob says no to it -> refused", [&refused, &refused, "refused", &refused, &refused, &refused, &refused]),
        (open, ["pending!", "pending!", "pending!", "in_doubt", "done", "failed", "pending, flagged"]),
        (in_doubt, ["in_doubt!", "in_doubt!", "in_doubt!", "in_doubt", "done", "failed", "in_doubt, flagged"]),
        (done, ["done!", "done!", "done!", "done", "done", "done, flagged", "done, flagged"]),
        (failed, ["failed!", "failed!", "failed!", "failed", "failed, flagged", "failed", "failed, flagged"]),
        (
            flagged,
            [
                "pending!",
                "pending!",
                "pending!",
                "in_doubt, flagged",
                "contradiction",
                "contradiction",
                "pending, flagged",
            ],
        ),
    ];
    for (prefix, outcomes) in table {
        for (word, outcome) in WORDS.iter().zip(outcomes) {
            let outcome = outcome.strip_suffix('!').map_or_else(|| outcome.to_owned(), wrong);
            check(&format!("{UPHELD}; ann reimburses 9000 in case 1 -> proposed; {prefix}; {word} -> {outcome}"));
        }
    }
}

fn told(deeds: &str) -> Story {
    let mut story = Story::new();
    for sentence in deeds.split([';', '\n']).map(str::trim) {
        story.tell(sentence);
    }
    story
}

#[test]
fn the_books_find_what_a_top_up_does_not_know_of() {
    let deeds = format!("{UPHELD}; ann reimburses 9000 in case 1 -> proposed; bob agrees to it -> pending");
    let mut story = told(&deeds);
    let Some(Movement::TopUp(top_up)) = story.bank.movement else { panic!("a top-up") };
    for row in story.world.rows.values_mut() {
        if let Row::TopUp(row) = row {
            row.reimbursed = Yen::ZERO;
        }
    }
    let differs = Finding::ReimbursedDiffers { top_up, rows: 0, movements: 9_000 };
    assert_eq!(story.world.books().findings(), [differs]);
}

#[test]
fn the_books_find_a_payout_that_its_top_up_does_not_know_of() {
    let mut story = told(
        "A links X; A tops up 3000 from X -> pending; bank moved 3000 -> settled; out: A pays out 1000 to X -> pending
         bank moved 1000 -> settled",
    );
    let mut lost = None;
    for row in story.world.rows.values_mut() {
        if let Row::TopUp(row) = row {
            lost = Some(row.debit.top_up);
            row.paid_back = Yen::ZERO;
        }
    }
    let top_up = lost.expect("a top-up");
    assert_eq!(story.world.books().findings(), [Finding::PaidBackDiffers { top_up, rows: 0, movements: 1_000 }]);
}

#[test]
fn what_stands_ready_is_safeguarded_until_the_bank_has_paid_it_out() {
    let debt = |deeds: &str| {
        let mut outstanding = Outstanding::default();
        told(deeds).world.journal.iter().flatten().for_each(|event| outstanding.apply(event));
        outstanding.figures(&Policy::default().safeguarding).debt
    };
    let ready = format!("{UPHELD}; ann reimburses 9000 in case 1 -> proposed; bob agrees to it -> pending");
    assert_eq!(debt(UPHELD), Yen::new(5_000));
    assert_eq!(debt(&ready), Yen::new(9_000), "the operator's part is owed too");
    assert_eq!(debt(&format!("{ready}; bank paid it out -> done")), Yen::ZERO);
}

/// What befalls a case with two top-ups of 5,000 and 3,000 yen.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Propose { second: bool, amount: i64, by: bool },
    Approve { which: usize, by: bool },
    Refuse { which: usize },
    Asked { which: usize },
    Answer { which: usize, done: bool },
    ComesBack { which: usize },
    Resolve { which: usize, how: usize, approve: bool, by: bool },
    Refund { amount: i64 },
    Reverse { second: bool },
    PaysOut(Word),
}

/// What the bank says of a payout to the very account.
#[derive(Clone, Copy, Debug)]
enum Word {
    Paid,
    Declined,
    SentBack,
}

fn deed() -> impl Strategy<Value = Deed> {
    let which = 0..6_usize;
    prop_oneof![
        4 => (any::<bool>(), 1..6_000_i64, any::<bool>()).prop_map(|(second, amount, by)| Deed::Propose { second, amount, by }),
        5 => (which.clone(), any::<bool>()).prop_map(|(which, by)| Deed::Approve { which, by }),
        1 => which.clone().prop_map(|which| Deed::Refuse { which }),
        1 => which.clone().prop_map(|which| Deed::Asked { which }),
        5 => (which.clone(), any::<bool>()).prop_map(|(which, done)| Deed::Answer { which, done }),
        2 => which.clone().prop_map(|which| Deed::ComesBack { which }),
        6 => (which, 0..3_usize, any::<bool>(), any::<bool>())
            .prop_map(|(which, how, approve, by)| Deed::Resolve { which, how, approve, by }),
        1 => (1..500_i64).prop_map(|amount| Deed::Refund { amount }),
        1 => any::<bool>().prop_map(|second| Deed::Reverse { second }),
        2 => prop_oneof![Just(Word::Paid), Just(Word::Declined), Just(Word::SentBack)].prop_map(Deed::PaysOut),
    ]
}

const CASE: CaseId = CaseId(Id::from_number(1));

impl Deed {
    fn command(self, n: u128, top_ups: [TopUpId; 2], story: &Story) -> Command {
        let id = |which: usize| ReimbursementId(Id::from_number(900 + u128::try_from(which).expect("few")));
        let person = |by: bool| StaffId(Id::from_number(1 + u128::from(by)));
        Command::Reimbursement(match self {
            Self::Propose { second, amount, by } => OfReimbursement::Propose {
                reimbursement: ReimbursementId(Id::from_number(900 + n % 6)),
                case: CASE,
                top_up: top_ups[usize::from(second)],
                amount: Yen::new(amount),
                although_confirmed: false,
                by: person(by),
            },
            Self::Approve { which, by } => {
                OfReimbursement::Approve { reimbursement: id(which), case: CASE, by: person(by) }
            }
            Self::Refuse { which } => OfReimbursement::Refuse { reimbursement: id(which), by: person(true) },
            Self::Asked { which } => OfReimbursement::Asked { reimbursement: id(which) },
            Self::Answer { which, done } => OfReimbursement::Answer { reimbursement: id(which), done },
            Self::ComesBack { which } => {
                OfReimbursement::Contradict { reimbursement: id(which), claim: Claim::CameBack(Yen::new(5)) }
            }
            Self::Resolve { which, how, approve, by } => {
                let (reimbursement, by) = (id(which), person(by));
                let resolution = [Resolution::Settle, Resolution::Decline, Resolution::Keep][how];
                if approve {
                    OfReimbursement::ApproveResolution { reimbursement, resolution, by }
                } else {
                    OfReimbursement::ProposeResolution { reimbursement, resolution, by }
                }
            }
            Self::Refund { amount } => {
                return Command::Payment(payment::Command::Refund {
                    refund: RefundId(Id::from_number(10_000 + n)),
                    payment: story.last_payment,
                    shop: shop(1),
                    amount: Yen::new(amount),
                });
            }
            Self::Reverse { second } => {
                let (top_up, amount) = (top_ups[usize::from(second)], Yen::new(if second { 3_000 } else { 5_000 }));
                return Command::TopUp(top_up::Command::Reverse { top_up, amount });
            }
            Self::PaysOut(word) => return Command::Payout(word.command(story)),
        })
    }
}

impl Word {
    fn command(self, story: &Story) -> payout::Command {
        let Some(Movement::Payout(payout)) = story.bank.movement else { panic!("of which payout?") };
        let (amount, source) = (Yen::new(1_000), AnswerSource::Inquiry);
        let answered = |outcome| payout::Command::Answer { payout, answer: Answer { outcome, source } };
        match self {
            Self::Paid => answered(Outcome::Settled { amount }),
            Self::Declined => answered(Outcome::Declined { code: 2 }),
            Self::SentBack => payout::Command::Return { payout, amount },
        }
    }
}

/// Of each top-up: what its row says, what is on its way or there, and what the account has.
fn sums(world: &World, top_up: TopUpId) -> (Yen, Yen, Yen) {
    let Some(Row::TopUp(row)) = world.row(Key::new(crate::table::TOP_UP, top_up.0)) else { panic!("no {top_up}") };
    let mine = world.rows.values().filter_map(|row| match row {
        Row::Reimbursement(row) if row.credit.top_up == top_up => Some(row),
        _ => None,
    });
    let (mut stands, mut paid) = (Yen::ZERO, Yen::ZERO);
    for row in mine {
        if row.status.is_open() || row.status == Status::Done {
            stands = stands.checked_add(row.credit.amount).expect("a sum in range");
        }
        if row.status == Status::Done {
            paid = paid.checked_add(row.credit.amount).expect("a sum in range");
        }
    }
    let with_payouts = |sum: Yen| sum.checked_add(row.paid_back).expect("a sum in range");
    (with_payouts(row.reimbursed), with_payouts(stands), paid)
}

/// What the wallet was charged for a top-up, by cases and as a debt, and what of it still stands ready once it has come back by itself.
fn charged(world: &World, top_up: TopUpId) -> (i64, Option<i64>) {
    let mut charged = 0;
    for event in world.journal.iter().flatten() {
        match event {
            Event::Reimbursement(reimbursement::Event::Approved { taken, .. }) => {
                let of_it = taken.iter().map(|taken| taken.piece.lot).filter(|lot| lot.id == top_up.0);
                charged += of_it.map(|lot| lot.amount.amount()).sum::<i64>();
            }
            Event::TopUp(top_up::Event::Reversed { debit, taken, owed, .. }) if debit.top_up == top_up => {
                charged += owed.amount() + taken.map_or(0, |piece| piece.lot.amount.amount());
            }
            _ => {}
        }
    }
    let Some(Row::TopUp(row)) = world.row(Key::new(crate::table::TOP_UP, top_up.0)) else { panic!("no {top_up}") };
    let is_back = row.status == top_up::Status::Reversed;
    (charged, row.restituted.filter(|_| is_back).map(|restituted| restituted.parked.amount()))
}

proptest! {
    #[test]
    fn no_account_gets_more_than_was_debited(deeds in vec(deed(), 1..60)) {
        let mut story = told(
            "A links X; A tops up 3000 from X -> pending; bank moved 3000 -> settled
             A tops up 5000 from X -> pending; bank moved 5000 -> settled; A pays S 4000 -> captured
             A pays out 1000 to X -> pending
             case 1 opens on X -> open; case 1 keeps X of A -> open; ann finds 1 upheld -> open
             bob finds so of 1 upheld -> closed",
        );
        let mut top_ups: Vec<(Yen, TopUpId)> = story.world.rows.values().filter_map(|row| match row {
            Row::TopUp(row) => Some((row.debit.amount, row.debit.top_up)),
            _ => None,
        }).collect();
        top_ups.sort_unstable_by_key(|(amount, id)| (std::cmp::Reverse(*amount), *id));
        let ids = [top_ups[0].1, top_ups[1].1];
        for (n, deed) in deeds.into_iter().enumerate() {
            let command = deed.command(u128::try_from(n).expect("few"), ids, &story);
            drop(story.world.run(&command));
            for (debited, top_up) in &top_ups {
                let (known, stands, paid) = sums(&story.world, *top_up);
                prop_assert_eq!(known, stands);
                prop_assert!(paid <= stands && stands <= *debited, "{} of {}", stands.amount(), debited.amount());
                let (charged, restitution) = charged(&story.world, *top_up);
                prop_assert!(charged <= debited.amount(), "{charged} of {}", debited.amount());
                prop_assert!(restitution.is_none_or(|left| left == 0), "{restitution:?} stands ready for nothing");
            }
            let findings: Vec<_> = story.world.books().findings().iter().map(ToString::to_string).collect();
            prop_assert!(findings.is_empty(), "{:?}", findings);
        }
        prop_assert_eq!(story.world.replayed(), story.world.rows);
    }
}
