//! People: holders, shops and the desk, who ask for everything that can be asked for, rightly and wrongly.
//!
//! They remember the ids of what they made and little else, so that much of what they ask for is refused; the model knows
//! when it should be. Bad input is part of every day. Start reading at [`World::people_act`].

mod desk;
mod disowning;
mod leaving;
mod meddling;
mod paying;

use super::ask::Ask;
use super::bank::Kind;
use super::chance::Chance;
use super::oracle::{Oracle, date};
use super::world::{Due, World};
use domain::Id;
use engine::{ActorKind, Request};
use ledger::Yen;
use wallet::bonus::Command as Bonus;
use wallet::holder::{Command as Holder, Contact, Sealed};
use wallet::mandate::{Command as Mandate, Grant, NameGrade, RevokedBy, Why};
use wallet::payout::Command as Payout;
use wallet::send::Command as Send;
use wallet::shop::Command as Shop;
use wallet::top_up::Command as TopUp;
use wallet::voucher::Command as Voucher;
use wallet::wallet::{Asker, Command as Wallet};
use wallet::{
    BankAccountId, BankCode, BonusId, CampaignId, CaseId, Command, ContactId, HolderId, IdentificationMethod,
    MandateId, PaymentCodeId, PaymentId, PayoutId, PersonId, Proof, Purse, Receipt, ReimbursementId, SendId, ShopId,
    StaffId, TopUpId, VoucherId, WalletId,
};

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Holders; some are the same person twice.
const HOLDERS: u128 = 25;
/// Persons behind them.
const PERSONS: u128 = 20;
/// Shops.
const SHOPS: usize = 4;

/// A holder with what is theirs.
#[derive(Clone)]
struct Someone {
    holder: HolderId,
    mail: ContactId,
    person: PersonId,
    wallet: WalletId,
    mandates: Vec<(MandateId, BankAccountId)>,
}

/// Everybody, and what they remember.
#[derive(Default)]
pub struct People {
    everybody: Vec<Someone>,
    shops: Vec<ShopId>,
    accounts: Vec<(BankAccountId, BankCode)>,
    vouchers: Vec<VoucherId>,
    codes: Vec<PaymentCodeId>,
    payments: Vec<(PaymentId, ShopId)>,
    top_ups: Vec<(TopUpId, HolderId)>,
    payouts: Vec<(PayoutId, HolderId)>,
    sends: Vec<SendId>,
    /// Sends that were asked for, and to whom.
    sent: Vec<(SendId, WalletId, Yen)>,
    cases: Vec<CaseId>,
    reimbursements: Vec<ReimbursementId>,
}

impl World {
    /// The first day: shops open, people join.
    pub(super) fn begin(&mut self) {
        for _ in 0..SHOPS {
            let shop = ShopId(self.chance.id(self.now));
            self.people.shops.push(shop);
            self.ask(ActorKind::Operator, Command::Shop(Shop::Open { shop }));
        }
        let banks: Vec<BankCode> = self.banks.keys().copied().collect();
        for number in 0..HOLDERS {
            let bank = *self.chance.pick(&banks);
            self.people.accounts.push((BankAccountId(Id::from_number(0xacc0_0000 + number)), bank));
            self.join(number);
        }
        self.plan_rush_hours();
    }

    fn join(&mut self, number: u128) {
        let someone = Someone {
            holder: HolderId(self.chance.id(self.now)),
            mail: ContactId(Id::from_number(0x3a11_0000 + number)),
            person: PersonId(Id::from_number(0x9e50_0000 + number % PERSONS)),
            wallet: WalletId(self.chance.id(self.now)),
            mandates: Vec::new(),
        };
        let (holder, mail, person) = (someone.holder, someone.mail, someone.person);
        let profile = Sealed(self.chance.bytes().to_vec());
        let hold = |command| Command::Holder(command);
        self.ask(ActorKind::Anyone, hold(Holder::Open { holder, mail, mail_domain: None, profile }));
        self.ask(ActorKind::Anyone, hold(Holder::VerifyMail { holder, mail }));
        if self.chance.percent(85) {
            let phone = ContactId(Id::from_number(0x0900_0000 + number));
            let (to, proof) = (Contact::Phone(phone), Some(Proof::SecondFactor));
            self.ask(ActorKind::Holder, hold(Holder::ChangeContact { holder, to, proof }));
            self.ask(ActorKind::Anyone, hold(Holder::VerifyPhone { holder, phone }));
        }
        if self.chance.percent(92) {
            let method = IdentificationMethod::SigningCertificate;
            self.ask(ActorKind::System, hold(Holder::Identify { holder, person, method, profile: None }));
        }
        self.ask(ActorKind::Holder, Command::Wallet(Wallet::Open { wallet: someone.wallet, holder, origin: None }));
        self.people.everybody.push(someone);
        let index = self.people.everybody.len() - 1;
        if self.chance.percent(80) {
            self.link_of(index, true);
        }
        self.voucher_for(index);
    }

    /// Midnights, in Tokyo and elsewhere, and the hours before and after a month's end are busy; clocks go wrong.
    fn plan_rush_hours(&mut self) {
        for day in 1..super::world::DAYS {
            let midnight = self.now.day().plus(i32::try_from(day).unwrap_or(0)).start();
            let month_ends = date(midnight).day() == 1;
            let utc_midnight = midnight.plus_milliseconds(9 * HOUR_MS);
            for at in [midnight, utc_midnight] {
                if month_ends {
                    for _ in 0..8 {
                        let after_ms = self.chance.between(0, DAY_MS);
                        self.schedule.at(midnight.plus_milliseconds(after_ms), Due::People);
                    }
                }
                if month_ends || self.chance.one_in(6) {
                    self.schedule.at(at.plus_milliseconds(-5), Due::People);
                    self.schedule.at(at.plus_milliseconds(5), Due::People);
                }
            }
            if self.chance.one_in(3) {
                let skew_ms = *self.chance.pick(&[-HOUR_MS, -11 * SECOND_MS, -9 * SECOND_MS, 30 * SECOND_MS, HOUR_MS]);
                let at = midnight.plus_milliseconds(self.chance.between(0, DAY_MS));
                self.schedule.at(at, Due::ClockSkew(skew_ms));
                let right_ms = self.chance.between(MINUTE_MS, 8 * HOUR_MS);
                self.schedule.at(at.plus_milliseconds(right_ms), Due::ClockSkew(0));
            }
        }
    }

    /// A burst of asks; then another one later.
    pub(super) fn people_act(&mut self) {
        if self.now >= self.end {
            return;
        }
        self.narrow_queue();
        for _ in 0..self.chance.between(1, 24) {
            self.act();
        }
        if self.chance.one_in(2) {
            let after_ms = self.chance.between(2 * HOUR_MS, 14 * HOUR_MS);
            self.schedule.at(self.now.plus_milliseconds(after_ms), Due::People);
        }
        let after_ms = self.chance.between(HOUR_MS, 12 * HOUR_MS);
        if self.schedule_has_few_people() {
            self.schedule.at(self.now.plus_milliseconds(after_ms), Due::People);
        }
    }

    fn act(&mut self) {
        match self.chance.below(100) {
            0..=5 => self.voucher(),
            6 => self.close_by_payout(),
            7..=10 => self.bonus(),
            11..=15 => self.link(),
            16..=31 => self.top_up(),
            32..=45 => self.pay(),
            46..=51 => self.after_authorising(),
            52..=58 => self.refund(),
            59..=68 => self.send(),
            69..=78 => self.pay_out(),
            79..=81 => self.cancel(),
            82..=83 => self.freeze(),
            84..=85 => self.collect(),
            86 => self.close(),
            87 => self.set_stop(),
            88 if self.chance.one_in(2) => self.not_me(),
            88 => self.revoke(),
            89..=95 => self.poke(),
            96 if self.chance.one_in(6) => self.try_out(),
            97 if self.chance.one_in(2) => self.adjust(),
            97 => self.fill_up(),
            98 => self.reimburse(),
            _ => self.nonsense(),
        }
    }

    fn someone(&mut self) -> Someone {
        self.chance.pick(&self.people.everybody).clone()
    }

    /// Somebody of whom `such` holds, if one is soon found; anybody otherwise.
    fn someone_such(&mut self, such: impl Fn(&Oracle, &Someone) -> bool) -> Someone {
        let mut found = self.someone();
        for _ in 0..6 {
            if such(&self.oracle, &found) {
                break;
            }
            found = self.someone();
        }
        found
    }

    /// Mostly usual amounts, sometimes zero, enormous, or one that the guard looks at.
    fn amount(&mut self, usual: i64) -> Yen {
        let amount = match self.chance.below(40) {
            0 => 0,
            1 => 2_000_000,
            2..=4 => self.chance.between(0, 9) * 1_000 + 777,
            5 => self.chance.between(0, 9) * 1_000 + 778,
            6 => self.chance.between(0, 9) * 1_000 + 779,
            7..=12 => usual,
            _ => self.chance.between(1, usual),
        };
        Yen::new(amount)
    }

    fn proof(&mut self) -> Option<Proof> {
        self.chance.one_in(3).then_some(Proof::SecondFactor)
    }

    /// Asks for `command` some time later.
    fn ask_later(&mut self, after_ms: i64, kind: ActorKind, command: Command) {
        let request = Request { key: self.chance.bytes(), body: self.chance.bytes() };
        let at = self.now.plus_milliseconds(after_ms);
        self.schedule.at(at, Due::Again(Box::new(Ask::new(command, kind, request, at))));
    }

    fn voucher(&mut self) {
        let voucher = VoucherId(self.chance.id(self.now));
        let amount = self.amount(20_000);
        let expires = self.now.plus_milliseconds(self.chance.between(-HOUR_MS, 6 * DAY_MS));
        self.people.vouchers.push(voucher);
        let by = self.chance.one_in(2).then(|| self.colleague());
        self.ask(ActorKind::Operator, Command::Voucher(Voucher::Issue { voucher, amount, expires, by }));
        if by.is_some() && self.chance.one_in(2) {
            let (by, after_ms) = (self.colleague(), self.chance.between(0, 26 * HOUR_MS));
            self.ask_later(after_ms, ActorKind::Operator, Command::Voucher(Voucher::Approve { voucher, by }));
        }
        for _ in 0..self.chance.between(0, 2) {
            let someone = self.someone();
            let voucher = *self.chance.pick(&self.people.vouchers);
            self.redeem(voucher, &someone);
        }
        if self.chance.one_in(8) {
            let voucher = *self.chance.pick(&self.people.vouchers);
            self.ask(ActorKind::Operator, Command::Voucher(Voucher::Cancel { voucher }));
        }
    }

    fn redeem(&mut self, voucher: VoucherId, someone: &Someone) {
        let proof = self.proof();
        let (wallet, holder) = (someone.wallet, someone.holder);
        let redeem = Voucher::Redeem { voucher, wallet, holder, origin: None, proof };
        let after_ms = self.chance.between(0, DAY_MS);
        self.ask_later(after_ms, ActorKind::Holder, Command::Voucher(redeem));
    }

    fn voucher_for(&mut self, index: usize) {
        let voucher = VoucherId(self.chance.id(self.now));
        let amount = Yen::new(self.chance.between(2_000, 20_000));
        let expires = self.now.plus_milliseconds(6 * DAY_MS);
        self.people.vouchers.push(voucher);
        self.ask(ActorKind::Operator, Command::Voucher(Voucher::Issue { voucher, amount, expires, by: None }));
        let someone = self.people.everybody[index].clone();
        self.redeem(voucher, &someone);
    }

    fn bonus(&mut self) {
        let (bonus, campaign) = (BonusId(self.chance.id(self.now)), CampaignId(Id::from_number(7)));
        let (wallet, amount) = (self.someone().wallet, self.amount(3_000));
        self.ask(ActorKind::Operator, Command::Bonus(Bonus::Give { bonus, campaign, wallet, amount }));
    }

    /// Links a bank account: one's own mostly, with facts that suffice mostly.
    fn link(&mut self) {
        let index = self.chance.index(self.people.everybody.len());
        self.link_of(index, false);
    }

    fn link_of(&mut self, index: usize, well: bool) {
        let someone = self.people.everybody[index].clone();
        let own = well || self.chance.percent(75);
        let (bank_account, bank) =
            if own { self.people.accounts[index] } else { *self.chance.pick(&self.people.accounts) };
        let (mandate, wallet, holder) = (MandateId(self.chance.id(self.now)), someone.wallet, someone.holder);
        let proof = self.proof();
        let request = wallet::mandate::Request { mandate, wallet, holder, bank, origin: None, proof };
        let ask = |command| Command::Mandate(command);
        self.ask(ActorKind::Holder, ask(Mandate::Request(request)));
        self.people.everybody[index].mandates.push((mandate, bank_account));
        if !well && self.chance.one_in(8) {
            let after_ms = self.chance.between(SECOND_MS, 4 * MINUTE_MS);
            let by = Asker::Desk(StaffId(Id::from_number(1)));
            let freeze = Wallet::Freeze { wallet, by };
            self.ask_later(after_ms, ActorKind::Operator, Command::Wallet(freeze));
            let unfreeze = Wallet::Unfreeze { wallet, by };
            self.ask_later(after_ms + 3 * HOUR_MS, ActorKind::Operator, Command::Wallet(unfreeze));
        }
        let slow = if !well && self.chance.one_in(10) { HOUR_MS } else { 0 };
        if self.chance.percent(80) {
            self.ask_later(10 * SECOND_MS + slow, ActorKind::Bank, ask(Mandate::Authenticate { mandate }));
        }
        if !well && self.chance.one_in(12) {
            let end = if self.chance.one_in(2) { Mandate::Refuse { mandate } } else { Mandate::Abandon { mandate } };
            let after_ms = self.chance.between(SECOND_MS, 3 * MINUTE_MS);
            self.ask_later(after_ms, ActorKind::Bank, ask(end));
        }
        let name = match self.chance.below(12) {
            _ if well => NameGrade::Match,
            0 => NameGrade::No,
            1 | 2 => NameGrade::Close,
            3 => NameGrade::MatchTruncated,
            4 => NameGrade::Undecidable,
            _ => NameGrade::Match,
        };
        let grant = Grant {
            bank_account,
            name,
            birth_date_matches: well || !self.chance.one_in(15),
            factors_strong: well || !self.chance.one_in(15),
            contact_notified: well || !self.chance.one_in(15),
        };
        for _ in 0..self.chance.between(1, 2) {
            let after_ms = self.chance.between(MINUTE_MS, 2 * MINUTE_MS) + slow;
            self.ask_later(after_ms, ActorKind::Bank, ask(Mandate::Grant { mandate, grant }));
        }
        let late = if !well && self.chance.one_in(12) { 11 * MINUTE_MS } else { 0 };
        self.ask_later(
            3 * MINUTE_MS + late,
            ActorKind::Holder,
            ask(Mandate::Confirm { mandate, holder, bank_account }),
        );
        if self.chance.percent(60) {
            let after_ms = self.chance.between(HOUR_MS, 3 * DAY_MS);
            self.ask_later(after_ms, ActorKind::Bank, ask(Mandate::ConfirmByTrueHolder { mandate }));
        }
    }

    fn top_up(&mut self) {
        let someone = self.someone_such(|oracle, someone| live(oracle, someone).is_some());
        let Some((mandate, _)) = self.one_mandate(&someone) else { return self.link() };
        let usual = if self.chance.one_in(2) { 100_000 } else { 10_000 };
        let (top_up, amount, proof) = (TopUpId(self.chance.id(self.now)), self.amount(usual), self.proof());
        let (wallet, holder, origin) = (someone.wallet, someone.holder, None);
        self.people.top_ups.push((top_up, holder));
        let request = wallet::top_up::Request { top_up, wallet, holder, mandate, amount, origin, proof };
        self.ask(ActorKind::Holder, Command::TopUp(TopUp::Request(request)));
        if self.chance.one_in(3) {
            let most_ms = *self.chance.pick(&[3 * SECOND_MS, MINUTE_MS, HOUR_MS]);
            let after_ms = self.chance.between(SECOND_MS, most_ms);
            self.ask_later(after_ms, ActorKind::Holder, Command::TopUp(TopUp::Cancel { top_up, holder }));
        }
    }

    /// The live mandate mostly, else the last one.
    fn one_mandate(&mut self, someone: &Someone) -> Option<(MandateId, BankAccountId)> {
        let live = live(&self.oracle, someone).filter(|_| !self.chance.one_in(6));
        live.or_else(|| someone.mandates.last().copied())
    }

    fn send(&mut self) {
        let from = self.someone_such(|oracle, someone| oracle.books.in_purse(someone.wallet, Purse::Funds) > 0);
        let to = self.someone();
        let held = self.chance.one_in(4);
        let amount = if held { Yen::new(self.chance.between(0, 3) * 1_000 + 777) } else { self.amount(12_000) };
        let (send, proof) = (SendId(self.chance.id(self.now)), self.proof());
        let (wallet, holder) = (from.wallet, from.holder);
        if held || self.chance.one_in(4) {
            self.people.sends.push(send);
        }
        self.people.sent.push((send, to.wallet, amount));
        let request =
            wallet::send::Request { send, wallet, holder, to: to.wallet, amount, message: None, origin: None, proof };
        self.ask(ActorKind::Holder, Command::Send(Send::Request(request)));
    }

    fn pay_out(&mut self) {
        let someone = self.someone_such(|oracle, someone| oracle.books.in_purse(someone.wallet, Purse::Funds) > 0);
        let Some((_, bank_account)) = self.one_mandate(&someone) else { return };
        let (payout, amount, proof) = (PayoutId(self.chance.id(self.now)), self.amount(20_000), self.proof());
        let (wallet, holder) = (someone.wallet, someone.holder);
        self.people.payouts.push((payout, holder));
        let request = wallet::payout::Request { payout, wallet, holder, bank_account, amount, origin: None, proof };
        self.ask(ActorKind::Holder, Command::Payout(Payout::Request(request)));
        if self.chance.one_in(3) {
            let most_ms = *self.chance.pick(&[3 * SECOND_MS, MINUTE_MS, HOUR_MS]);
            let after_ms = self.chance.between(SECOND_MS, most_ms);
            self.ask_later(after_ms, ActorKind::Holder, Command::Payout(Payout::Cancel { payout, holder }));
        }
    }

    fn cancel(&mut self) {
        let recent = |length: usize| length.saturating_sub(25);
        if self.chance.one_in(2) && !self.people.top_ups.is_empty() {
            let (top_up, mut holder) = *self.chance.pick(&self.people.top_ups[recent(self.people.top_ups.len())..]);
            if self.chance.one_in(8) {
                holder = self.someone().holder;
            }
            self.meet_kind("cancel", Kind::TopUp(top_up));
            self.ask(ActorKind::Holder, Command::TopUp(TopUp::Cancel { top_up, holder }));
        } else if !self.people.payouts.is_empty() {
            let (payout, mut holder) = *self.chance.pick(&self.people.payouts[recent(self.people.payouts.len())..]);
            if self.chance.one_in(8) {
                holder = self.someone().holder;
            }
            self.meet_kind("cancel", Kind::Payout(payout));
            self.ask(ActorKind::Holder, Command::Payout(Payout::Cancel { payout, holder }));
        }
    }

    fn freeze(&mut self) {
        let Someone { wallet, mut holder, .. } = self.someone();
        if self.chance.one_in(12) {
            holder = self.someone().holder;
        }
        let desk = Asker::Desk(StaffId(Id::from_number(1)));
        let by = if self.chance.one_in(2) { Asker::Holder(holder) } else { desk };
        if self.chance.one_in(3) {
            self.ask(ActorKind::Operator, Command::Wallet(Wallet::Unfreeze { wallet, by }));
        } else {
            self.ask(ActorKind::Holder, Command::Wallet(Wallet::Freeze { wallet, by }));
            let after_ms = self.chance.between(MINUTE_MS, 12 * HOUR_MS);
            self.ask_later(after_ms, ActorKind::Operator, Command::Wallet(Wallet::Unfreeze { wallet, by }));
        }
    }

    fn revoke(&mut self) {
        let someone = self.someone();
        let Some((mandate, _)) = someone.mandates.last().copied() else { return };
        let by = match self.chance.below(4) {
            0 => RevokedBy::Holder(someone.holder),
            1 => RevokedBy::BankAccountHolder,
            2 => RevokedBy::Bank,
            _ => RevokedBy::Desk(StaffId(Id::from_number(2))),
        };
        let why = *self.chance.pick(&[Why::Unneeded, Why::NotMine, Why::NotMine, Why::Fraud, Why::AccountClosed]);
        self.ask(ActorKind::Bank, Command::Mandate(Mandate::Revoke { mandate, by, why }));
        if self.chance.one_in(3) {
            let (by, why) = (RevokedBy::BankAccountHolder, Why::NotMine);
            let after_ms = self.chance.between(MINUTE_MS, 2 * DAY_MS);
            self.ask_later(after_ms, ActorKind::Bank, Command::Mandate(Mandate::Revoke { mandate, by, why }));
        }
    }

    /// Whoever asked hears the answer: a wallet that was opened anew is used from then on.
    pub(super) fn people_hear(&mut self, ask: &Ask, receipt: Option<&Receipt>) {
        if let (Command::Wallet(Wallet::Open { wallet, holder, .. }), Some(_)) = (&ask.command, receipt) {
            let someone = self.people.everybody.iter_mut().find(|someone| someone.holder == *holder);
            if let Some(someone) = someone.filter(|someone| someone.wallet != *wallet) {
                someone.wallet = *wallet;
                someone.mandates.clear();
            }
        }
    }
}

/// One of the last things.
fn pick_recent<T: Copy>(chance: &mut Chance, things: &[T]) -> Option<T> {
    let recent = &things[things.len().saturating_sub(30)..];
    (!recent.is_empty()).then(|| *chance.pick(recent))
}

/// The live mandate of somebody.
fn live(oracle: &Oracle, someone: &Someone) -> Option<(MandateId, BankAccountId)> {
    someone.mandates.iter().rev().find(|(mandate, _)| oracle.is_live(*mandate)).copied()
}
