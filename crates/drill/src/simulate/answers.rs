//! Answers: how each command was answered, and what must have been carried out and what refused.
//!
//! A command that nobody asks for proves nothing, and neither does one that is never refused. So many seeds as must have met
//! every cell must also have had both of each.

use std::collections::BTreeMap;

/// A command's fixed name.
pub type Name = &'static str;

/// Of a command that was carried out.
pub const DONE: &str = "done";
/// Of a command that was only counted: nobody learns why it was refused.
pub const TOO_OFTEN: &str = "refused_too_often";

/// How often each command was answered in each way.
#[derive(Clone, Debug, Default)]
pub struct Answers(BTreeMap<(Name, &'static str), u64>);

/// Every command of the wallet.
const COMMANDS: &[Name] = &[
    "holder.open",
    "holder.verify_mail",
    "holder.verify_phone",
    "holder.identify",
    "holder.change_contact",
    "wallet.open",
    "wallet.freeze",
    "wallet.unfreeze",
    "wallet.collect",
    "wallet.propose_write_off",
    "wallet.approve_write_off",
    "wallet.close",
    "mandate.request",
    "mandate.authenticate",
    "mandate.grant",
    "mandate.confirm",
    "mandate.decide",
    "mandate.refuse",
    "mandate.abandon",
    "mandate.expire",
    "mandate.confirm_by_true_holder",
    "mandate.revoke",
    "top_up.request",
    "top_up.decide_held",
    "top_up.expire_held",
    "top_up.asked",
    "top_up.answer",
    "top_up.cancel",
    "top_up.reverse",
    "top_up.contradict",
    "top_up.reverse_give_back",
    "top_up.answer_give_back",
    "top_up.absent_give_back",
    "top_up.retry_give_back",
    "top_up.propose",
    "top_up.approve",
    "payout.request",
    "payout.request_last",
    "payout.decide_held",
    "payout.expire_held",
    "payout.asked",
    "payout.answer",
    "payout.cancel",
    "payout.return",
    "payout.contradict",
    "payout.propose",
    "payout.approve",
    "payment.issue_code",
    "payment.authorise",
    "payment.capture",
    "payment.void",
    "payment.expire",
    "payment.refund",
    "send.request",
    "send.decide_held",
    "send.expire_held",
    "voucher.issue",
    "voucher.approve",
    "voucher.redeem",
    "voucher.cancel",
    "bonus.give",
    "shop.open",
    "shop.close",
    "switch.set",
    "switch.propose_lift",
    "switch.lift",
    "switch.adjust",
    "switch.approve",
    "case.open",
    "case.keep",
    "case.propose_closing",
    "case.close",
    "reimbursement.propose",
    "reimbursement.approve",
    "reimbursement.refuse",
    "reimbursement.asked",
    "reimbursement.answer",
    "reimbursement.contradict",
    "reimbursement.absent",
    "reimbursement.propose_resolution",
    "reimbursement.approve_resolution",
];

/// What is never refused, and why.
const NEVER_REFUSED: &[(Name, &str)] =
    &[("switch.adjust", "one person's word is always taken: it counts at once, or it waits for another's")];

impl Answers {
    /// Notes how a command was answered: [`DONE`], [`TOO_OFTEN`], or the reason of its refusal.
    pub fn note(&mut self, command: Name, reply: &'static str) {
        *self.0.entry((command, reply)).or_default() += 1;
    }

    /// Adds what another run was answered.
    pub fn add(&mut self, other: &Self) {
        for (answer, count) in &other.0 {
            *self.0.entry(*answer).or_default() += count;
        }
    }

    /// How often each command was answered in each way.
    pub const fn counts(&self) -> &BTreeMap<(Name, &'static str), u64> {
        &self.0
    }

    /// The commands that nobody carried out, or refused, although that can be.
    pub fn missing(&self) -> Vec<(Name, &'static str)> {
        let never = |command: &Name| NEVER_REFUSED.iter().any(|(never, _)| never == command);
        let undone = COMMANDS.iter().filter(|command| !self.was_done(command)).map(|command| (*command, DONE));
        let unrefused = COMMANDS.iter().filter(|command| !never(command) && !self.was_refused(command));
        undone.chain(unrefused.map(|command| (*command, "refused"))).collect()
    }

    /// The answers that the tables above do not know of: they are then not true.
    pub fn impossible(&self) -> Vec<(Name, &'static str)> {
        let refused = NEVER_REFUSED.iter().filter(|(never, _)| self.was_refused(never));
        let unlisted = self.0.keys().filter(|(command, _)| !COMMANDS.contains(command));
        unlisted.copied().chain(refused.map(|(command, _)| (*command, "refused"))).collect()
    }

    fn was_done(&self, command: &str) -> bool {
        self.0.keys().any(|(of, reply)| *of == command && *reply == DONE)
    }

    fn was_refused(&self, command: &str) -> bool {
        self.0.keys().any(|(of, reply)| *of == command && *reply != DONE && *reply != TOO_OFTEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Answers {
        let mut answers = Answers::default();
        for command in COMMANDS {
            answers.note(command, DONE);
            if NEVER_REFUSED.iter().all(|(never, _)| never != command) {
                answers.note(command, "unknown");
            }
        }
        answers
    }

    #[test]
    fn what_was_never_done_or_never_refused_is_missing() {
        assert_eq!((all().missing(), all().impossible()), (vec![], vec![]));
        let mut answers = all();
        answers.0.remove(&("case.keep", DONE));
        answers.0.remove(&("shop.open", "unknown"));
        answers.note("shop.open", TOO_OFTEN);
        assert_eq!(answers.missing(), [("case.keep", DONE), ("shop.open", "refused")]);
    }

    #[test]
    fn what_the_tables_do_not_know_is_found() {
        let mut answers = all();
        answers.note("shop.burn_down", DONE);
        answers.note("switch.adjust", "unknown");
        assert_eq!(answers.impossible(), [("shop.burn_down", DONE), ("switch.adjust", "refused")]);
    }
}
