//! A small language in which a test is a story that someone reads who knows wallets and no Rust.
//!
//! Sentences end with `;` or at the end of a line. `A` to `D` are wallets of identified holders, `P` a wallet of the phone
//! tier, `S` and `T` shops. What stands before the first deed is given, what stands later must hold. After each deed comes
//! what it is answered: `A pays S 350 -> captured`. A deed may have a name, `first: A pays S 10`, by which
//! later deeds call it: `S refunds 5 of first`; without a name they mean the last one that was carried out.

use super::world::{DAY_MS, T0, World, holder, payment_code, shop, wallet};
use crate::guard::{Attempt, Verdict};
use crate::ids::{
    BonusId, CampaignId, PaymentId, RefundId, ReimbursementId, SendId, ShopId, StaffId, VoucherId, WalletId,
};
use crate::payment::{Authorise, Payer};
use crate::purse::Purse;
use crate::refusal::Refusal;
use crate::wallet::Asker;
use crate::{Command, Receipt, Tier, bonus, chart, payment, send, voucher};
use domain::Id;
use ledger::Yen;
use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};

/// Tells `story`; fails with the sentence that does not hold.
pub(crate) fn check(story: &str) {
    let mut told = Story::new();
    for sentence in story.split([';', '\n']).map(str::trim).filter(|sentence| !sentence.is_empty()) {
        told.tell(sentence);
    }
    assert_eq!(told.world.replayed(), told.world.rows, "the journal alone comes to other rows: {story}");
    if !told.world.gave_money() {
        let findings: Vec<_> = told.world.books().findings().iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "{findings:?}: {story}");
    }
}

/// A story that is being told.
pub(crate) struct Story {
    pub(crate) world: World,
    pub(super) last_id: u128,
    pub(super) names: BTreeMap<String, Id>,
    pub(crate) last_payment: PaymentId,
    pub(super) last_send: SendId,
    pub(crate) bank: super::bank::Bank,
    pub(super) last_reimbursement: ReimbursementId,
}

const OLD_MS: i64 = 10 * DAY_MS;

fn holds(_: &Attempt<'_>) -> Verdict {
    Verdict::Hold { reason: 7 }
}

fn refuses(_: &Attempt<'_>) -> Verdict {
    Verdict::Refuse { reason: 8 }
}

impl Story {
    pub(crate) fn new() -> Self {
        let mut world = World::new();
        for number in 1..=4 {
            world.give_wallet(number, Tier::Identified);
        }
        world.give_wallet(5, Tier::Phone);
        world.give_shop(1);
        world.give_shop(2);
        let last_id = 1_000;
        let (last_payment, last_send) = (PaymentId(Id::from_number(0)), SendId(Id::from_number(0)));
        let (names, bank) = (BTreeMap::new(), super::bank::Bank::default());
        let last_reimbursement = ReimbursementId(Id::from_number(0));
        Self { world, last_id, names, last_payment, last_send, bank, last_reimbursement }
    }

    pub(crate) fn tell(&mut self, sentence: &str) {
        let (deed, expected) = match sentence.split_once("->") {
            Some((deed, expected)) => (deed.trim(), Some(expected.trim())),
            None => (sentence, None),
        };
        let (name, deed) = match deed.split_once(": ") {
            Some((name, deed)) => (Some(name), deed),
            None => (None, deed),
        };
        if let Some((who, what)) = deed.split_once(" has ") {
            return self.has(who, what, sentence);
        }
        let words: Vec<_> = deed.split_whitespace().collect();
        if self.circumstance(&words) || self.bank_circumstance(&words) || self.reimbursement_circumstance(&words) {
            return;
        }
        let command =
            match self.bank_deed(&words).or_else(|| self.case_deed(&words)).or_else(|| self.reimbursement_deed(&words))
            {
                Some(command) => command,
                None => self.command(&words, sentence),
            };
        let reply = self.world.run(&command);
        match reply {
            Ok(Receipt::Payment { id, .. }) => self.last_payment = id,
            Ok(Receipt::Send { id, .. }) => self.last_send = id,
            Ok(Receipt::Reimbursement { id, .. }) if deed.contains(" reimburses ") => self.last_reimbursement = id,
            Ok(Receipt::TopUp { id, .. }) => self.bank.movement = Some(super::bank::Movement::TopUp(id)),
            Ok(Receipt::Payout { id, .. }) => self.bank.movement = Some(super::bank::Movement::Payout(id)),
            Ok(_) | Err(_) => {}
        }
        if let Some(name) = name {
            let id = match deed {
                deed if deed.contains(" sends ") => self.last_send.0,
                deed if deed.contains(" reimburses ") => self.last_reimbursement.0,
                _ => self.last_payment.0,
            };
            self.names.insert(name.to_owned(), id);
            self.bank.remember(name);
        }
        let expected = expected.unwrap_or_else(|| panic!("{sentence}: what comes of it?"));
        let mut said = in_words(&reply);
        // When a limit allows it again is compared where a story says so.
        if expected.contains(", again from ")
            && let Err(Refusal::LimitExceeded { from, .. }) = &reply
        {
            said += &from.map_or_else(|| ", never again".into(), |from| format!(", again from {from}"));
        }
        assert_eq!(said, expected, "{sentence}: {reply:?}");
    }

    pub(crate) fn fresh(&mut self) -> Id {
        self.last_id += 1;
        Id::from_number(self.last_id)
    }

    /// `A has 100 bonus, 200 prepaid, 5 young funds` or `S has 350`: given at first, checked later.
    fn has(&mut self, who: &str, what: &str, sentence: &str) {
        if let Some(shop) = shop_of(who) {
            let balance = self.world.account(chart::settlement(shop)).credit_balance();
            assert_eq!(balance, what.parse().expect("a number of yen"), "{sentence}");
            return;
        }
        let wallet = wallet_of(who);
        let begins = self.world.journal.is_empty();
        let mut found = String::new();
        for part in what.split(", ") {
            let words: Vec<_> = part.split_whitespace().collect();
            let (amount, young, kind) = match words.as_slice() {
                [amount, "young", kind] => (yen(amount), true, *kind),
                [amount, kind] => (yen(amount), false, *kind),
                other => panic!("{sentence}: {other:?}?"),
            };
            if begins {
                let received = if young { T0 } else { T0.plus_milliseconds(-OLD_MS) };
                let lot = self.fresh().number();
                self.world.give_money(wallet, purse_of(kind), lot, amount.amount(), received);
                continue;
            }
            let row = self.world.wallet(wallet);
            let there = match kind {
                "held" => row.held(),
                "kept" => row.blocked(),
                "arriving" => row.arriving(),
                purse => row.purse(purse_of(purse)).account.available(),
            };
            let separator = if found.is_empty() { "" } else { ", " };
            write!(found, "{separator}{} {kind}", there.amount()).expect("a string takes it");
        }
        assert!(begins || found == what, "{sentence}: {who} has {found}");
    }

    fn circumstance(&mut self, words: &[&str]) -> bool {
        match words {
            [number, "hours", "pass"] => self.world.pass(number.parse::<i64>().expect("hours") * 3_600_000),
            [number, "days", "pass"] => self.world.pass(number.parse::<i64>().expect("days") * DAY_MS),
            ["the", "clock", "drifts"] => self.world.clock_drifted = true,
            ["the", "guard", "holds"] => self.world.context.guard = holds,
            ["the", "guard", "refuses"] => self.world.context.guard = refuses,
            ["the", "guard", "allows"] => self.world.context.guard = crate::guard::allow,
            _ => return false,
        }
        true
    }

    pub(crate) fn command(&mut self, words: &[&str], sentence: &str) -> Command {
        match words {
            [payer, "pays", shop, amount] => self.authorise(holder_of(payer), shop, amount, true),
            [shop, "holds", amount, "of", payer] => self.authorise(holder_of(payer), shop, amount, false),
            [shop, "takes", amount, "by", code] => {
                let code = Payer::Code(payment_code(code.parse().expect("a code's number")));
                self.authorise(code, shop, amount, true)
            }
            [shop, "takes", amount, "by", code, "as", reference] => {
                let code = Payer::Code(payment_code(code.parse().expect("a code's number")));
                let mut command = self.authorise(code, shop, amount, true);
                if let Command::Payment(payment::Command::Authorise(authorise)) = &mut command {
                    authorise.reference = payment::Reference::new(reference);
                }
                command
            }
            [payer, "shows", code] => Command::Payment(payment::Command::IssueCode {
                code: payment_code(code.parse().expect("a code's number")),
                wallet: wallet_of(payer),
                holder: holder(number_of(payer)),
                lifetime_ms: 300_000,
            }),
            ["nobody", "captures"] => Command::Payment(payment::Command::Expire { payment: self.last_payment }),
            [seller, "captures" | "voids" | "refunds", ..] => self.shop_deed(seller, words, sentence),
            [from, "sends", to, amount] => {
                let send = SendId(self.fresh());
                Command::Send(send::Command::Request(send::Request {
                    send,
                    wallet: wallet_of(from),
                    holder: holder(number_of(from)),
                    to: wallet_of(to),
                    amount: yen(amount),
                    message: None,
                    origin: None,
                    proof: None,
                }))
            }
            ["nobody", "decides"] => Command::Send(send::Command::ExpireHeld { send: self.last_send }),
            ["desk", "lets", "go"] => Command::Send(send::Command::DecideHeld {
                send: self.last_send,
                release: true,
                by: StaffId(Id::from_number(1)),
            }),
            ["desk", "says", "no"] => Command::Send(send::Command::DecideHeld {
                send: self.last_send,
                release: false,
                by: StaffId(Id::from_number(1)),
            }),
            [_, "issues", ..] | [_, "agrees", "to", "voucher", _] | ["seller", "cancels", _] | [_, "redeems", _] => {
                Command::Voucher(self.voucher_deed(words, sentence))
            }
            ["campaign", "gives", who, amount] => Command::Bonus(bonus::Command::Give {
                bonus: BonusId(self.fresh()),
                campaign: CampaignId(Id::from_number(1)),
                wallet: wallet_of(who),
                amount: yen(amount),
            }),
            other => wallet_deed(other, sentence),
        }
    }

    fn voucher_deed(&self, words: &[&str], sentence: &str) -> voucher::Command {
        let named = |number: &str| VoucherId(Id::from_number(number.parse().expect("a voucher's number")));
        match words {
            [who, "issues", number, "worth", amount] => voucher::Command::Issue {
                voucher: named(number),
                amount: yen(amount),
                expires: self.world.now.plus_milliseconds(30 * DAY_MS),
                by: (*who != "seller").then(|| super::bank::staff(who)),
            },
            [who, "agrees", "to", "voucher", number] => {
                voucher::Command::Approve { voucher: named(number), by: super::bank::staff(who) }
            }
            [_, "cancels", number] => voucher::Command::Cancel { voucher: named(number) },
            [who, "redeems", number] => voucher::Command::Redeem {
                voucher: named(number),
                wallet: wallet_of(who),
                holder: holder(number_of(who)),
                origin: None,
                proof: None,
            },
            _ => panic!("what is {sentence:?}?"),
        }
    }

    fn authorise(&mut self, payer: Payer, shop: &str, amount: &str, capture: bool) -> Command {
        Command::Payment(payment::Command::Authorise(Authorise {
            payment: PaymentId(self.fresh()),
            payer,
            shop: shop_of(shop).expect("a shop"),
            amount: yen(amount),
            capture,
            reference: None,
            origin: None,
            proof: None,
        }))
    }

    fn shop_deed(&mut self, seller: &str, words: &[&str], sentence: &str) -> Command {
        let (words, payment) = match words {
            [words @ .., "of", name] => (words, PaymentId(self.names[*name])),
            words => (words, self.last_payment),
        };
        let shop = shop_of(seller).expect("a shop");
        Command::Payment(match words {
            [_, "captures"] => payment::Command::Capture { payment, shop, amount: None },
            [_, "captures", amount] => payment::Command::Capture { payment, shop, amount: Some(yen(amount)) },
            [_, "voids"] => payment::Command::Void { payment, shop },
            [_, "refunds", amount] => {
                payment::Command::Refund { refund: RefundId(self.fresh()), payment, shop, amount: yen(amount) }
            }
            other => panic!("{sentence}: {other:?}?"),
        })
    }
}

fn wallet_deed(words: &[&str], sentence: &str) -> Command {
    match words {
        ["desk", "freezes", who] => Command::Wallet(crate::wallet::Command::Freeze {
            wallet: wallet_of(who),
            by: Asker::Desk(StaffId(Id::from_number(1))),
        }),
        ["desk", "unfreezes", who] => Command::Wallet(crate::wallet::Command::Unfreeze {
            wallet: wallet_of(who),
            by: Asker::Desk(StaffId(Id::from_number(1))),
        }),
        [shop, "shuts"] => Command::Shop(crate::shop::Command::Close { shop: shop_of(shop).expect("a shop") }),
        [who, "freezes"] => Command::Wallet(crate::wallet::Command::Freeze {
            wallet: wallet_of(who),
            by: Asker::Holder(holder(number_of(who))),
        }),
        [who, "unfreezes"] => Command::Wallet(crate::wallet::Command::Unfreeze {
            wallet: wallet_of(who),
            by: Asker::Holder(holder(number_of(who))),
        }),
        [whose, "is", "frozen", "by", who] => {
            let by = Asker::Holder(holder(number_of(who)));
            Command::Wallet(crate::wallet::Command::Freeze { wallet: wallet_of(whose), by })
        }
        [whose, "is", "unfrozen", "by", who] => {
            let by = Asker::Holder(holder(number_of(who)));
            Command::Wallet(crate::wallet::Command::Unfreeze { wallet: wallet_of(whose), by })
        }
        ["desk", "collects", "of", who] => {
            let by = Asker::Desk(StaffId(Id::from_number(1)));
            Command::Wallet(crate::wallet::Command::Collect { wallet: wallet_of(who), by })
        }
        [who, "collects", "of", whose] => {
            let by = Asker::Holder(holder(number_of(who)));
            Command::Wallet(crate::wallet::Command::Collect { wallet: wallet_of(whose), by })
        }
        [name, verb @ ("proposes" | "approves"), "writing", "off", amount, "of", who] => {
            let (wallet, amount, by) = (wallet_of(who), yen(amount), super::bank::staff(name));
            Command::Wallet(match *verb {
                "proposes" => crate::wallet::Command::ProposeWriteOff { wallet, amount, by },
                _ => crate::wallet::Command::ApproveWriteOff { wallet, amount, by },
            })
        }
        [who, "closes"] => {
            Command::Wallet(crate::wallet::Command::Close { wallet: wallet_of(who), holder: holder(number_of(who)) })
        }
        other => panic!("{sentence}: nobody knows how to do {other:?}"),
    }
}

pub(crate) fn number_of(who: &str) -> u128 {
    match who {
        "A" => 1,
        "B" => 2,
        "C" => 3,
        "D" => 4,
        "P" => 5,
        "nobody" => 99,
        other => panic!("who is {other}?"),
    }
}

pub(crate) fn wallet_of(who: &str) -> WalletId {
    wallet(number_of(who))
}

fn holder_of(who: &str) -> Payer {
    Payer::Holder(wallet_of(who), holder(number_of(who)))
}

fn shop_of(name: &str) -> Option<ShopId> {
    match name {
        "S" => Some(shop(1)),
        "T" => Some(shop(2)),
        "U" => Some(shop(99)),
        _ => None,
    }
}

fn purse_of(kind: &str) -> Purse {
    match kind {
        "bonus" => Purse::Bonus,
        "prepaid" => Purse::Prepaid,
        "funds" => Purse::Funds,
        other => panic!("what is {other}?"),
    }
}

pub(crate) fn yen(amount: &str) -> Yen {
    Yen::new(amount.replace('_', "").parse().expect("a number of yen"))
}

/// `PerTime` as `per time`.
fn words(name: &impl Debug) -> String {
    let mut words = String::new();
    for letter in format!("{name:?}").chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

/// What a reply says, in few words.
pub(crate) fn in_words(reply: &Result<Receipt, Refusal>) -> String {
    match reply {
        Ok(Receipt::Payment { status, .. }) => status.name().into(),
        Ok(Receipt::Send { status, .. }) => status.name().into(),
        Ok(Receipt::Voucher { status, .. }) => status.name().into(),
        Ok(Receipt::TopUp { status, is_flagged, .. }) => super::bank::flagged(status.name(), *is_flagged),
        Ok(Receipt::Payout { status, is_flagged, .. }) => super::bank::flagged(status.name(), *is_flagged),
        Ok(Receipt::Mandate { status, missing: Some(missing), .. }) => {
            format!("{}: {}", status.name(), words(missing))
        }
        Ok(Receipt::Mandate { status, missing: None, .. }) => status.name().into(),
        Ok(Receipt::Wallet { status, .. }) => status.clone(),
        Ok(Receipt::Case { status, .. }) => status.name().into(),
        Ok(Receipt::Reimbursement { status, is_flagged, .. }) => super::bank::flagged(status.name(), *is_flagged),
        Ok(_) => "done".into(),
        Err(refusal) => refusal_in_words(refusal),
    }
}

fn refusal_in_words(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Unknown { noun } => format!("unknown {}", words(noun)),
        Refusal::Taken { noun, .. } => format!("{} id taken", words(noun)),
        Refusal::WrongStatus { noun, status } => format!("{} {status}", words(noun)),
        Refusal::Expired { noun, .. } => format!("{} ran out", words(noun)),
        Refusal::Frozen { by } => format!("frozen by {}", words(by)),
        Refusal::RecipientUnable { why } => format!("recipient unable: {}", words(why)),
        Refusal::LimitExceeded { limit, left, .. } => format!("limit {}, {left} left", words(limit)),
        Refusal::InsufficientFunds { available, .. } => format!("insufficient funds, {} there", available.amount()),
        Refusal::NotAsOnRecord { .. } => "contradiction".into(),
        Refusal::LinkedAlready { own, .. } => format!("already linked{}", if *own { " by itself" } else { "" }),
        Refusal::StepUpRequired { proof } => format!("step-up: {}", words(proof)),
        other => {
            let debug = format!("{other:?}");
            words(&format_args!("{}", debug.split([' ', '{']).next().unwrap_or_default()))
        }
    }
}
