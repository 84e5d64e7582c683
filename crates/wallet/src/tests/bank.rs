//! Sentences about banks, for stories: links, top-ups, payouts, and what a bank says of them.
//!
//! `X`, `Y`, `Z` and `W` are bank accounts at one bank. `A links X` tells a whole link, up to its true holder's word. A deed about a
//! movement means the last one that was asked for, `A tops up 100 from X -> pending; bank moved 100 -> settled`, or the one
//! that it names: `bank takes back 100 of first`.

use super::story::{Story, number_of, wallet_of, yen};
use super::world::holder;
use crate::bank_answer::{Answer, AnswerSource, Claim, Outcome, Resolution};
use crate::ids::{BankAccountId, BankCode, GiveBackId, MandateId, PayoutId, StaffId, TopUpId};
use crate::mandate::{self, Grant, NameGrade, RevokedBy, Why};
use crate::{Command, Policies, chart, payout, top_up};
use domain::Id;
use ledger::Yen;
use std::collections::BTreeMap;

/// The bank of all accounts.
pub(crate) const BANK: BankCode = match BankCode::new(125) {
    Some(bank) => bank,
    None => panic!("a code of four digits"),
};

/// The movement that a deed without a name means.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Movement {
    TopUp(TopUpId),
    Payout(PayoutId),
}

/// What a story remembers of banks.
#[derive(Debug, Default)]
pub(crate) struct Bank {
    links: BTreeMap<(u128, u128), MandateId>,
    pub(crate) mandate: Option<(MandateId, String)>,
    pub(crate) movement: Option<Movement>,
    names: BTreeMap<String, Movement>,
}

impl Bank {
    /// Calls the last movement `name`.
    pub(crate) fn remember(&mut self, name: &str) {
        if let Some(movement) = self.movement {
            self.names.insert(name.to_owned(), movement);
        }
    }
}

pub(super) fn account_of(name: &str) -> Option<BankAccountId> {
    let number = match name {
        "X" => 1,
        "Y" => 2,
        "Z" => 3,
        "W" => 4,
        "V" => 5,
        "U" => 6,
        "T" => 7,
        "R" => 8,
        "Q" => 9,
        "O" => 10,
        _ => return None,
    };
    Some(BankAccountId(Id::from_number(number)))
}

pub(crate) fn staff(name: &str) -> StaffId {
    StaffId(Id::from_number(match name {
        "ann" => 1,
        "bob" => 2,
        other => panic!("who is {other}?"),
    }))
}

fn resolution(name: &str) -> Resolution {
    match name {
        "settle" => Resolution::Settle,
        "decline" => Resolution::Decline,
        "return" => Resolution::Return,
        "keep" => Resolution::Keep,
        "already-returned" => Resolution::AlreadyReturned,
        other => panic!("how does one {other}?"),
    }
}

/// A grant that leaves nothing to be desired.
pub(crate) const fn grant(bank_account: BankAccountId) -> Grant {
    Grant {
        bank_account,
        name: NameGrade::Match,
        birth_date_matches: true,
        factors_strong: true,
        contact_notified: true,
    }
}

impl Story {
    /// What is so, and what must be so; false if this is no such sentence.
    pub(crate) fn bank_circumstance(&mut self, words: &[&str]) -> bool {
        match words {
            [who, "links", account] => self.link(who, account, true),
            [who, "links", account, "unconfirmed"] => self.link(who, account, false),
            ["static", "factors", "suffice"] => {
                let mut policy = super::world::policy();
                policy.mandate.refuses_static_factors = false;
                self.world.context.policies = Policies::new(policy);
            }
            ["it", "is", time] => self.world.now = time.parse::<jiff::Timestamp>().expect("a point in time").into(),
            ["suspense", "is", amount] => {
                let suspense = self.world.account(chart::suspense(Some(BANK)));
                assert_eq!(suspense.credit_balance(), signed(amount), "{suspense:?}");
            }
            ["bank", "owes", amount] => {
                let clearing = self.world.account(chart::clearing(BANK));
                assert_eq!(clearing.credit_balance(), -signed(amount), "{clearing:?}");
            }
            ["paid", "otherwise", "is", amount] => {
                let paid = self.world.account(chart::paid_otherwise(BANK));
                assert_eq!(paid.credit_balance(), signed(amount), "{paid:?}");
            }
            [who, "owes", amount] => {
                let wallet = wallet_of(who);
                let debts = Yen::checked_sum(self.world.wallet(wallet).debts.iter().map(|debt| debt.amount));
                assert_eq!(debts, Some(yen(amount)), "{who}'s debts");
                let receivable = self.world.account(chart::receivable(wallet));
                assert_eq!(receivable.credit_balance(), -signed(amount), "{receivable:?}");
            }
            ["written", "off", "is", amount] => {
                let written_off = self.world.account(chart::written_off());
                assert_eq!(written_off.credit_balance(), -signed(amount), "{written_off:?}");
            }
            [who, "counted", amount] => {
                let counters = &self.world.wallet(wallet_of(who)).counters;
                assert_eq!(counters.top_up.rolling(self.world.now.day()), yen(amount), "{who}: {counters:?}");
            }
            [who, "paid", "out", count, "times"] => {
                let counters = &self.world.wallet(wallet_of(who)).counters;
                let counted = counters.payout.count_in_month(self.world.now.day());
                assert_eq!(counted.to_string(), *count, "{who}: {counters:?}");
            }
            _ => return false,
        }
        true
    }

    fn link(&mut self, who: &str, account: &str, confirmed: bool) {
        let bank_account = account_of(account).expect("an account");
        let request = self.request_mandate(who);
        self.world.done(&request);
        let (mandate, _) = self.bank.mandate.clone().expect("a mandate");
        let holder = holder(number_of(who));
        self.world.done(&Command::Mandate(mandate::Command::Grant { mandate, grant: grant(bank_account) }));
        self.world.done(&Command::Mandate(mandate::Command::Confirm { mandate, holder, bank_account }));
        if confirmed {
            self.world.done(&Command::Mandate(mandate::Command::ConfirmByTrueHolder { mandate }));
        }
        self.bank.links.insert((number_of(who), bank_account.0.number()), mandate);
    }

    fn request_mandate(&mut self, who: &str) -> Command {
        let mandate = MandateId(self.fresh());
        self.bank.mandate = Some((mandate, who.to_owned()));
        Command::Mandate(mandate::Command::Request(mandate::Request {
            mandate,
            wallet: wallet_of(who),
            holder: holder(number_of(who)),
            bank: BANK,
            origin: None,
            proof: None,
        }))
    }

    /// The command of a sentence about banks; none if it is no such sentence.
    pub(crate) fn bank_deed(&mut self, words: &[&str]) -> Option<Command> {
        let words = match words {
            [deed @ .., "of", name] if self.bank.names.contains_key(*name) => {
                self.bank.movement = self.bank.names.get(*name).copied();
                deed
            }
            words => words,
        };
        match words {
            [who, "tops", "up", amount, "from", account] => Some(self.request_top_up(who, amount, account)),
            [who, "pays", "out", amount, "to", account] => Some(self.request_payout(who, amount, account)),
            [who, "closes", "to", account, "with", amount] => Some(self.request_last_payout(who, amount, account)),
            [who, "repeats", amount, "from" | "to", account] => Some(self.repeat(who, amount, account)),
            [who, "asks", "to", "link"] => Some(self.request_mandate(who)),
            _ => self.mandate_deed(words).or_else(|| self.movement_deed(words)),
        }
    }

    fn request_top_up(&mut self, who: &str, amount: &str, account: &str) -> Command {
        let top_up = TopUpId(self.fresh());
        let bank_account = account_of(account).expect("an account");
        let mandate = self.bank.links.get(&(number_of(who), bank_account.0.number()));
        Command::TopUp(top_up::Command::Request(top_up::Request {
            top_up,
            wallet: wallet_of(who),
            holder: holder(number_of(who)),
            mandate: mandate.copied().unwrap_or(MandateId(Id::from_number(99))),
            amount: yen(amount),
            origin: None,
            proof: None,
        }))
    }

    fn request_payout(&mut self, who: &str, amount: &str, account: &str) -> Command {
        let payout = PayoutId(self.fresh());
        Command::Payout(payout::Command::Request(payout::Request {
            payout,
            wallet: wallet_of(who),
            holder: holder(number_of(who)),
            bank_account: account_of(account).expect("an account"),
            amount: yen(amount),
            origin: None,
            proof: None,
        }))
    }

    fn request_last_payout(&mut self, who: &str, amount: &str, account: &str) -> Command {
        match self.request_payout(who, amount, account) {
            Command::Payout(payout::Command::Request(request)) => {
                Command::Payout(payout::Command::RequestLast(request))
            }
            other => panic!("{other:?}"),
        }
    }

    /// The same request again, by the same id.
    fn repeat(&mut self, who: &str, amount: &str, account: &str) -> Command {
        let mut command = match self.bank.movement {
            Some(Movement::TopUp(_)) => self.request_top_up(who, amount, account),
            Some(Movement::Payout(_)) => self.request_payout(who, amount, account),
            None => panic!("nothing was asked for yet"),
        };
        match (&mut command, self.bank.movement) {
            (Command::TopUp(top_up::Command::Request(request)), Some(Movement::TopUp(id))) => request.top_up = id,
            (Command::Payout(payout::Command::Request(request)), Some(Movement::Payout(id))) => request.payout = id,
            (other, _) => panic!("{other:?}"),
        }
        command
    }

    fn mandate_deed(&mut self, words: &[&str]) -> Option<Command> {
        let (mandate, who) = self.bank.mandate.clone()?;
        let holder = holder(number_of(&who));
        let revoke = |by, why| mandate::Command::Revoke { mandate, by, why };
        Some(Command::Mandate(match words {
            ["bank's", "page", "opens"] => mandate::Command::Authenticate { mandate },
            ["bank", "grants", account, but @ ..] => {
                mandate::Command::Grant { mandate, grant: but_for(grant(account_of(account)?), but) }
            }
            ["bank", "says", "no"] => mandate::Command::Refuse { mandate },
            [_, "leaves"] => mandate::Command::Abandon { mandate },
            ["time", "runs", "out"] => mandate::Command::Expire { mandate },
            [_, "collects", account] => {
                let bank_account = account_of(account)?;
                self.bank.links.insert((number_of(&who), bank_account.0.number()), mandate);
                mandate::Command::Confirm { mandate, holder, bank_account }
            }
            ["desk", verdict @ ("accepts" | "rejects"), account] => {
                let (bank_account, accept) = (account_of(account)?, *verdict == "accepts");
                mandate::Command::Decide { mandate, bank_account, accept, by: staff("ann") }
            }
            ["true", "holder", "confirms"] => mandate::Command::ConfirmByTrueHolder { mandate },
            ["not", "me"] => revoke(RevokedBy::BankAccountHolder, Why::NotMine),
            ["bank", "closes", "account"] => revoke(RevokedBy::Bank, Why::AccountClosed),
            ["bank", "revokes"] => revoke(RevokedBy::Bank, Why::Fraud),
            [who, "revokes"] => revoke(RevokedBy::Holder(super::world::holder(number_of(who))), Why::Unneeded),
            _ => return None,
        }))
    }

    fn movement_deed(&mut self, words: &[&str]) -> Option<Command> {
        if let Some(answer) = answer(words) {
            let give_back = GiveBackId(Id::from_number(7));
            return Some(match self.bank.movement? {
                Movement::TopUp(top_up) => Command::TopUp(top_up::Command::Answer { top_up, answer, give_back }),
                Movement::Payout(payout) => Command::Payout(payout::Command::Answer { payout, answer }),
            });
        }
        match self.bank.movement? {
            Movement::TopUp(top_up) => top_up_deed(top_up, words).map(Command::TopUp),
            Movement::Payout(payout) => payout_deed(payout, words).map(Command::Payout),
        }
    }
}

fn signed(amount: &str) -> i64 {
    amount.parse().expect("a number of yen")
}

/// The same grant, but for what is named.
fn but_for(mut grant: Grant, but: &[&str]) -> Grant {
    for word in but {
        match *word {
            "truncated" => grant.name = NameGrade::MatchTruncated,
            "close" => grant.name = NameGrade::Close,
            "undecidable" => grant.name = NameGrade::Undecidable,
            "another-name" => grant.name = NameGrade::No,
            "another-birth-date" => grant.birth_date_matches = false,
            "static" => grant.factors_strong = false,
            "untold" => grant.contact_notified = false,
            other => panic!("a grant that is {other}?"),
        }
    }
    grant
}

fn answer(words: &[&str]) -> Option<Answer> {
    use AnswerSource::{Callback, DayFile, Inquiry, Request};
    let (outcome, source) = match words {
        ["bank", "moved", amount] => (Outcome::Settled { amount: yen(amount) }, Callback),
        ["file", "shows", "nothing"] => (Outcome::NotFound { last: false }, DayFile),
        ["file", "shows", amount] => (Outcome::Settled { amount: yen(amount) }, DayFile),
        ["bank", "declines"] => (Outcome::Declined { code: 51 }, Request),
        ["file", "declines"] => (Outcome::Declined { code: 51 }, DayFile),
        ["bank", "finds", "nothing", "yet"] => (Outcome::NotFound { last: false }, Inquiry),
        ["bank", "finds", "nothing"] => (Outcome::NotFound { last: true }, Inquiry),
        ["bank", "babbles"] => (Outcome::Unknown { code: Some(99) }, Inquiry),
        _ => return None,
    };
    Some(Answer { outcome, source })
}

fn top_up_deed(top_up: TopUpId, words: &[&str]) -> Option<top_up::Command> {
    let give_back = GiveBackId(Id::from_number(7));
    Some(match words {
        ["bank", "is", "asked"] => top_up::Command::Asked { top_up },
        [who, "cancels"] => top_up::Command::Cancel { top_up, holder: holder(number_of(who)) },
        ["bank", "takes", "back", amount] => top_up::Command::Reverse { top_up, amount: yen(amount) },
        ["desk", "releases"] => top_up::Command::DecideHeld { top_up, release: true, by: staff("ann") },
        ["desk", "gives", "up"] => top_up::Command::DecideHeld { top_up, release: false, by: staff("ann") },
        ["nobody", "looks"] => top_up::Command::ExpireHeld { top_up },
        ["bank", "gave", "back"] => top_up::Command::AnswerGiveBack { top_up, give_back, done: true },
        ["desk", "tries", "giving", "back", "again"] => {
            top_up::Command::RetryGiveBack { top_up, give_back: GiveBackId(Id::from_number(8)), by: staff("ann") }
        }
        ["bank", "gave", "back", "again"] => {
            top_up::Command::AnswerGiveBack { top_up, give_back: GiveBackId(Id::from_number(8)), done: true }
        }
        [name, "approves", how, "anew"] => {
            let give_back = GiveBackId(Id::from_number(8));
            top_up::Command::Approve { top_up, resolution: resolution(how), by: staff(name), give_back }
        }
        ["gateway", "says", what, amount] => top_up::Command::Contradict { top_up, claim: claim(what, amount) },
        ["give-back", "of", amount, "comes", "back"] => {
            top_up::Command::ReverseGiveBack { top_up, give_back, amount: yen(amount) }
        }
        ["bank", "never", "knew", "of", "the", "give-back"] => top_up::Command::AbsentGiveBack { top_up, give_back },
        ["bank", "cannot", "give", "back"] => top_up::Command::AnswerGiveBack { top_up, give_back, done: false },
        [name, "proposes", how] => top_up::Command::Propose { top_up, resolution: resolution(how), by: staff(name) },
        [name, "approves", how] => {
            top_up::Command::Approve { top_up, resolution: resolution(how), by: staff(name), give_back }
        }
        _ => return None,
    })
}

fn payout_deed(payout: PayoutId, words: &[&str]) -> Option<payout::Command> {
    Some(match words {
        ["bank", "is", "asked"] => payout::Command::Asked { payout },
        [who, "cancels"] => payout::Command::Cancel { payout, holder: holder(number_of(who)) },
        ["bank", "sends", "back", amount] => payout::Command::Return { payout, amount: yen(amount) },
        ["desk", "releases"] => payout::Command::DecideHeld { payout, release: true, by: staff("ann") },
        ["desk", "gives", "up"] => payout::Command::DecideHeld { payout, release: false, by: staff("ann") },
        ["nobody", "looks"] => payout::Command::ExpireHeld { payout },
        ["gateway", "says", what, amount] => payout::Command::Contradict { payout, claim: claim(what, amount) },
        [name, "proposes", how] => payout::Command::Propose { payout, resolution: resolution(how), by: staff(name) },
        [name, "approves", how] => payout::Command::Approve { payout, resolution: resolution(how), by: staff(name) },
        _ => return None,
    })
}

/// What a bank says against what it had said.
fn claim(what: &str, amount: &str) -> Claim {
    match what {
        "moved" => Claim::Moved(yen(amount)),
        "none-of" => Claim::NotMoved,
        "took-back" => Claim::TakenBack(yen(amount)),
        other => panic!("how does a bank say {other}?"),
    }
}

/// A status, and whether the desk must look.
pub(crate) fn flagged(status: &str, is_flagged: bool) -> String {
    if is_flagged { format!("{status}, flagged") } else { status.to_owned() }
}
