//! The model of what watches: the guard of the simulation, the rules of the policy, and the refused attempts that they count.

use super::{Oracle, Reasons, What, Why, date};
use domain::{Id, Time};
use wallet::guard::{Attempt, Rule, Verdict, When};
use wallet::switches::Function;
use wallet::{
    Command, Limit, Noun, Proof, Refusal, WalletId, mandate, payment, payout, send, top_up, voucher, wallet as room,
};

/// The guard of the simulation: the last three digits of an amount say what it makes of it.
pub fn simulated_guard(attempt: &Attempt<'_>) -> Verdict {
    of_amount(attempt.amount.amount())
}

const fn of_amount(amount: i64) -> Verdict {
    match amount % 1_000 {
        777 => Verdict::Hold { reason: 7 },
        778 => Verdict::StepUp(Proof::SecondFactor),
        779 => Verdict::Refuse { reason: 9 },
        _ => Verdict::Allow,
    }
}

/// What is attempted, as far as anything that watches looks at it.
#[derive(Clone, Copy)]
pub struct Watched {
    pub function: Function,
    pub wallet: WalletId,
    pub amount: i64,
    /// When the link was asked for by which money comes in.
    pub linked: Option<Time>,
    pub now: Time,
}

impl Oracle {
    /// What is said of an attempt: the strictest word, of equal ones the first.
    pub(super) fn verdict(&self, of: Watched) -> Verdict {
        let struck = self.policy.monitoring.iter().filter(|rule| self.strikes(rule, of)).map(|rule| rule.verdict);
        let said: Vec<Verdict> = std::iter::once(of_amount(of.amount)).chain(struck).collect();
        let first = |such: fn(&Verdict) -> bool| said.iter().copied().find(such);
        first(|word| matches!(word, Verdict::Refuse { .. }))
            .or_else(|| first(|word| matches!(word, Verdict::Hold { .. })))
            .or_else(|| first(|word| *word == Verdict::StepUp(Proof::Identity)))
            .or_else(|| first(|word| *word == Verdict::StepUp(Proof::SecondFactor)))
            .unwrap_or(Verdict::Allow)
    }

    /// The reason for which an attempt is held, if it is.
    pub(super) fn holds(&self, of: Watched) -> Option<u16> {
        match self.verdict(of) {
            Verdict::Hold { reason } => Some(reason),
            Verdict::Allow | Verdict::StepUp(_) | Verdict::Refuse { .. } => None,
        }
    }

    /// Notes what keeps an attempt from being made at once or held.
    pub(super) fn watched_reasons(&self, of: Watched, proof: Option<Proof>, reasons: &mut Reasons) {
        match self.verdict(of) {
            Verdict::StepUp(needed) => reasons.add(proof.is_none_or(|given| given < needed), Why::StepUp(needed)),
            Verdict::Refuse { reason } => reasons.add(true, Why::Guard(reason)),
            Verdict::Allow | Verdict::Hold { .. } => {}
        }
    }

    /// The same of what cannot be held, and is refused instead.
    pub(super) fn unheld_reasons(&self, of: Watched, proof: Option<Proof>, reasons: &mut Reasons) {
        self.watched_reasons(of, proof, reasons);
        if let Some(reason) = self.holds(of) {
            reasons.add(true, Why::Guard(reason));
        }
    }

    /// Notes what a link of its first hours keeps from being topped up, whoever confirmed it: from its account, and by its holder,
    /// into whichever wallet.
    pub(super) fn new_link_reasons(
        &self,
        requested: Time,
        (account, holders): (Id, [Option<Id>; 2]),
        amount: i64,
        now: Time,
        reasons: &mut Reasons,
    ) {
        let until = requested.plus_milliseconds(self.policy.mandate.new_ms);
        if now > until {
            return;
        }
        let mandate = &self.policy.mandate;
        let lately = |whose| self.tally.two_dates(whose, What::TopUp, now);
        let by_holder = holders.into_iter().flatten().map(lately).max().unwrap_or(0);
        for (limit, at_most, counted) in [
            (Limit::NewLink, mandate.new_lately_max.amount(), lately(account)),
            (Limit::NewLinks, mandate.new_links_lately_max.amount(), by_holder),
        ] {
            let left = (at_most - counted).max(0);
            let from = Some(date(until));
            reasons.add(amount > left, Why::Limit { limit, at_most, left, requested: amount, from });
        }
    }

    /// The shipped rule that made the desk look at what `command` has just asked for, if one did.
    pub fn rule_that_held(&self, command: &Command) -> Option<&'static str> {
        let reason = match command {
            Command::Mandate(mandate::Command::Request(request)) => self.mandates.get(&request.mandate)?.reason,
            Command::TopUp(top_up::Command::Request(request)) => self.top_ups.get(&request.top_up)?.reason,
            Command::Send(send::Command::Request(request)) => self.sends.get(&request.send)?.reason,
            Command::Payout(payout::Command::Request(request) | payout::Command::RequestLast(request)) => {
                self.payouts.get(&request.payout)?.reason
            }
            Command::Mandate(_)
            | Command::TopUp(_)
            | Command::Send(_)
            | Command::Payout(_)
            | Command::Holder(_)
            | Command::Wallet(_)
            | Command::Shop(_)
            | Command::Payment(_)
            | Command::Voucher(_)
            | Command::Bonus(_)
            | Command::Switches(_)
            | Command::Case(_)
            | Command::Reimbursement(_) => None,
        };
        match reason? {
            101 => Some("held_by_rule_101"),
            102 => Some("held_by_rule_102"),
            103 => Some("held_by_rule_103"),
            _ => None,
        }
    }

    fn strikes(&self, rule: &Rule, of: Watched) -> bool {
        let When { opened_within_ms, linked_within_ms, topped_up_from, topped_up_lately_from, refused_from } =
            rule.when;
        let Some(holding) = self.wallets.get(&of.wallet) else { return false };
        let since = |then: Time| of.now.milliseconds_since(then);
        let adds = if of.function == Function::TopUp { of.amount } else { 0 };
        let today = adds + self.tally.today(of.wallet.0, What::TopUp, of.now);
        let lately = adds + self.tally.two_dates(of.wallet.0, What::TopUp, of.now);
        let refused = self.refused.get(&(of.wallet, date(of.now))).copied().unwrap_or(0);
        rule.functions.contains(&of.function)
            && opened_within_ms.is_none_or(|within| since(holding.opened) <= within)
            && linked_within_ms.is_none_or(|within| of.linked.is_some_and(|linked| since(linked) <= within))
            && topped_up_from.is_none_or(|from| today >= from.amount())
            && topped_up_lately_from.is_none_or(|from| lately >= from.amount())
            && refused_from.is_none_or(|from| refused >= from)
    }

    /// A refusal that the journal has counts for the wallet that the command named, unless it only asked for a proof or came
    /// from somebody whose wallet it is not.
    pub(super) fn count_refused(&mut self, command: &Command, refusal: &Refusal, at: Time) {
        let is_strangers = *refusal == Refusal::Unknown { noun: Noun::Wallet };
        let waits = matches!(refusal, Refusal::StepUpRequired { .. });
        let wallet = named(command).filter(|wallet| !is_strangers && !waits && self.wallets.contains_key(wallet));
        if let Some(wallet) = wallet {
            *self.refused.entry((wallet, date(at))).or_default() += 1;
        }
    }
}

/// The wallet that a command names as the one whose money or standing it is about.
fn named(command: &Command) -> Option<WalletId> {
    match command {
        Command::Wallet(
            room::Command::Freeze { wallet, .. }
            | room::Command::Unfreeze { wallet, .. }
            | room::Command::Collect { wallet, .. }
            | room::Command::ProposeWriteOff { wallet, .. }
            | room::Command::ApproveWriteOff { wallet, .. }
            | room::Command::Close { wallet, .. },
        )
        | Command::Mandate(mandate::Command::Request(mandate::Request { wallet, .. }))
        | Command::TopUp(top_up::Command::Request(top_up::Request { wallet, .. }))
        | Command::Payout(
            payout::Command::Request(payout::Request { wallet, .. })
            | payout::Command::RequestLast(payout::Request { wallet, .. }),
        )
        | Command::Send(send::Command::Request(send::Request { wallet, .. }))
        | Command::Voucher(voucher::Command::Redeem { wallet, .. })
        | Command::Bonus(wallet::bonus::Command::Give { wallet, .. })
        | Command::Payment(payment::Command::IssueCode { wallet, .. }) => Some(*wallet),
        Command::Payment(payment::Command::Authorise(command)) => match command.payer {
            payment::Payer::Holder(wallet, _) => Some(wallet),
            payment::Payer::Code(_) => None,
        },
        Command::Wallet(room::Command::Open { .. })
        | Command::Mandate(_)
        | Command::TopUp(_)
        | Command::Payout(_)
        | Command::Send(_)
        | Command::Voucher(_)
        | Command::Payment(_)
        | Command::Holder(_)
        | Command::Shop(_)
        | Command::Switches(_)
        | Command::Case(_)
        | Command::Reimbursement(_) => None,
    }
}
