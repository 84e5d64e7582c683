//! Cases in a few words each: what is kept when a bank account's holder says "not me", and what stays free.
//!
//! `case 1 opens on X` is the news 1 of the account X; `case 1 keeps X of A`, and
//! `case 1 keeps 300 of what was sent in B`, with the last send, or the one that it names; `of the debit sent`: of the last top-up.

use super::bank::{Movement, account_of, staff};
use super::story::{Story, check, wallet_of, yen};
use crate::adjustment::Adjustment;
use crate::case::{Command as OfCase, Finding};
use crate::ids::{CaseId, SendId};
use crate::wallet::Blocked;
use crate::{Command, Policies, SwitchId, switches};
use domain::Id;

pub(super) fn case(number: &str) -> CaseId {
    CaseId(Id::from_number(number.trim_end_matches(',').parse().expect("a case's number")))
}

fn finding(word: &str) -> Finding {
    match word {
        "unfounded" => Finding::Unfounded,
        "upheld" => Finding::Upheld,
        other => panic!("what is {other}?"),
    }
}

/// The adjustment of a month's cap.
const STOP: SwitchId = SwitchId(domain::Id([8; 16]));
const CAP: SwitchId = SwitchId(domain::Id([7; 16]));

impl Story {
    pub(super) fn case_deed(&mut self, words: &[&str]) -> Option<Command> {
        let command = match words {
            ["case", number, "opens", "on", account] => {
                OfCase::Open { case: case(number), bank_account: account_of(account).expect("an account") }
            }
            ["case", number, "keeps", account, "of", who] => {
                let what = Blocked::TopUps(account_of(account).expect("an account"));
                OfCase::Keep { case: case(number), wallet: wallet_of(who), what }
            }
            ["case", number, "keeps", amount, "of", "the", "debit", "sent", "in", who, ..] => {
                let Some(Movement::TopUp(top_up)) = self.bank.movement else { panic!("of which top-up?") };
                let what = Blocked::SentOf { send: self.last_send, top_up, amount: yen(amount) };
                OfCase::Keep { case: case(number), wallet: wallet_of(who), what }
            }
            ["case", number, "keeps", amount, "of", "what", "was", "sent", "in", who, named @ ..] => {
                let send = named.last().map_or(self.last_send, |name| SendId(self.names[*name]));
                let what = Blocked::Sent { send, amount: yen(amount) };
                OfCase::Keep { case: case(number), wallet: wallet_of(who), what }
            }
            [who, "finds", number, word] => {
                OfCase::ProposeClosing { case: case(number), finding: finding(word), by: staff(who) }
            }
            [who, "finds", "so", "of", number, word] => {
                OfCase::Close { case: case(number), finding: finding(word), by: staff(who) }
            }
            [who, "caps", "a", "month", "at", amount] => {
                let adjustment = Adjustment::TopUpPerMonth(yen(amount));
                return Some(Command::Switches(switches::Command::Adjust { id: CAP, adjustment, by: staff(who) }));
            }
            ["sends", "are", "stopped"] => {
                let (function, cohort) = (Some(switches::Function::Send), switches::Cohort::default());
                return Some(Command::Switches(switches::Command::Set { id: STOP, function, bank: None, cohort }));
            }
            [who, "would", "lift", "the", "stop"] => {
                return Some(Command::Switches(switches::Command::ProposeLift { id: STOP, by: staff(who) }));
            }
            [who, "lifts", "the", "stop"] => {
                return Some(Command::Switches(switches::Command::Lift { id: STOP, by: staff(who) }));
            }
            [who, "agrees", "to", "the", "cap"] => {
                return Some(Command::Switches(switches::Command::Approve { id: CAP, by: staff(who) }));
            }
            _ => return None,
        };
        Some(Command::Case(command))
    }
}

/// A has 9,000 of X and 5,000 of Y, and the desk has lifted the freeze.
const KEPT: &str = "A links X; A links Y; A tops up 9000 from X -> pending; bank moved 9000 -> settled
    A tops up 5000 from Y -> pending; bank moved 5000 -> settled; case 1 opens on X -> open
    case 1 keeps X of A -> open; A has 14000 funds, 9000 kept; A pays S 1 -> frozen by desk
    desk unfreezes A -> open";

#[test]
fn what_came_from_the_account_stays_and_the_rest_is_free() {
    check(&format!(
        "{KEPT}; A pays S 5001 -> insufficient funds, 5000 there
         A pays S 5000 -> captured; A has 9000 funds, 9000 kept; A pays S 1 -> insufficient funds, 0 there
         2 days pass; A sends B 100 -> insufficient funds, 0 there; A pays out 100 to X -> insufficient funds, 0 there
         A closes -> not settled"
    ));
}

#[test]
fn what_comes_later_is_kept_too() {
    check(
        "A links X; A tops up 9000 from X -> pending; bank moved 9000 -> settled; A pays S 4000 -> captured
         A tops up 1000 from X -> pending; case 1 opens on X -> open; case 1 keeps X of A -> open
         A has 5000 funds, 5000 kept; bank moved 1000 -> settled; A has 6000 funds, 6000 kept
         S refunds 4000 -> done; A has 10000 funds, 10000 kept",
    );
}

#[test]
fn a_bank_takes_back_what_is_kept() {
    check(
        "A links X; A tops up 9000 from X -> pending; bank moved 9000 -> settled; case 1 opens on X -> open
         case 1 keeps X of A -> open; bank takes back 9000 -> reversed; A has 0 funds, 0 kept",
    );
}

#[test]
fn of_what_was_sent_on_so_much_is_kept_as_came_from_the_account() {
    check(
        "A has 700 funds; B has 50 funds
         A links X; A tops up 2000 from X -> pending; bank moved 2000 -> settled; A sends B 2500 -> completed
         case 1 opens on X -> open; case 1 keeps X of A -> open; case 1 keeps 1800 of what was sent in B -> open
         A has 200 funds, 200 kept; B has 2550 funds, 1800 kept; B pays S 751 -> insufficient funds, 750 there
         B pays S 750 -> captured; B has 1800 funds, 1800 kept
         case 1 keeps 900 of what was sent in B -> open; B has 1800 kept
         case 1 keeps 1900 of what was sent in B -> open; B has 1800 kept",
    );
}

#[test]
fn the_same_news_keeps_and_freezes_nothing_twice() {
    check(&format!(
        "{KEPT}; case 1 opens on X -> open; case 1 keeps X of A -> open; A pays S 100 -> captured
         case 2 opens on X -> open; case 2 opens on X -> open; case 2 keeps X of A -> case joined
         ann finds 1 unfounded -> open; ann finds so of 1 unfounded -> second person needed
         bob finds so of 1 upheld -> contradiction; bob finds so of 1 unfounded -> closed; A has 13900 funds, 0 kept
         case 1 opens on X -> closed; case 2 opens on X -> closed; case 1 keeps X of A -> case closed
         case 3 opens on X -> open; case 4 opens on W -> unknown bank account"
    ));
}

#[test]
fn what_is_upheld_stays_kept_until_it_is_found_unfounded() {
    check(&format!(
        "{KEPT}; ann finds 1 upheld -> open; bob finds so of 1 upheld -> closed; A has 14000 funds, 9000 kept
         ann finds 1 upheld -> case closed; ann finds 1 unfounded -> closed; bob finds so of 1 unfounded -> closed
         A has 14000 funds, 0 kept; A pays S 9000 -> captured; ann finds 1 unfounded -> case closed"
    ));
}

#[test]
fn by_policy_the_wallet_stays_open() {
    let mut told = Story::new();
    let mut policy = super::world::policy();
    policy.case.disowned_freezes_wallet = false;
    told.world.context.policies = Policies::new(policy);
    for sentence in [
        "A links X",
        "A tops up 9000 from X -> pending",
        "bank moved 9000 -> settled",
        "campaign gives A 300 -> done",
        "case 1 opens on X -> open",
        "case 1 keeps X of A -> open",
        "A pays S 300 -> captured",
        "A pays S 1 -> insufficient funds, 0 there",
    ] {
        told.tell(sentence);
    }
}
