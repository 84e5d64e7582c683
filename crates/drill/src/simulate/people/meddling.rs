//! Meddlers: whoever asks too late, too early, twice, for another's things or for what does not exist.

use super::paying::paid_at_once;
use super::{MINUTE_MS, SECOND_MS, pick_recent};
use crate::simulate::bank::Kind;
use crate::simulate::world::World;
use domain::{Id, Time};
use engine::ActorKind;
use ledger::Yen;
use wallet::bank_answer::{Answer, AnswerSource, Claim, Outcome, Resolution};
use wallet::case::Command as Case;
use wallet::holder::{Command as Holder, Sealed};
use wallet::mandate::Command as Mandate;
use wallet::payment::{Command as Payment, Payer};
use wallet::payout::Command as Payout;
use wallet::reimbursement::Command as Reimbursement;
use wallet::send::Command as Send;
use wallet::shop::Command as Shop;
use wallet::switches::{Cohort, Command as Switches};
use wallet::top_up::Command as TopUp;
use wallet::voucher::Command as Voucher;
use wallet::wallet::{Asker, Blocked, Command as Wallet};
use wallet::{
    BankAccountId, CaseId, Command, ContactId, GiveBackId, HolderId, IdentificationMethod, MandateId, PaymentCodeId,
    PaymentId, PayoutId, RefundId, ReimbursementId, ShopId, StaffId, SwitchId, TopUpId, WalletId, payout, top_up,
};

/// More than any payment may be.
const TOO_MUCH: Yen = Yen::new(2_000_000);

impl World {
    /// Asks for something about a thing in whatever state it is: too late, too early, twice.
    pub(super) fn poke(&mut self) {
        if self.chance.one_in(8) {
            return self.bank_misbehaves();
        }
        let command = match self.chance.below(10) {
            9 => {
                let Some(reimbursement) = pick_recent(&mut self.chance, &self.people.reimbursements) else { return };
                let by = StaffId(Id::from_number(3));
                let resolution = *self.chance.pick(&[Resolution::Settle, Resolution::Decline, Resolution::Keep]);
                Command::Reimbursement(match self.chance.below(4) {
                    0 => Reimbursement::Refuse { reimbursement, by },
                    1 => Reimbursement::ProposeResolution { reimbursement, resolution, by },
                    2 => Reimbursement::ApproveResolution { reimbursement, resolution, by },
                    _ => Reimbursement::Asked { reimbursement },
                })
            }
            0 => self.poke_top_up(),
            1 => self.poke_payout(),
            2 => self.poke_mandate(),
            3..=5 => {
                let Some(send) = pick_recent(&mut self.chance, &self.people.sends) else { return };
                let (release, by) = (self.chance.one_in(2), StaffId(Id::from_number(3)));
                match self.chance.below(2) {
                    0 => Command::Send(Send::ExpireHeld { send }),
                    _ => Command::Send(Send::DecideHeld { send, release, by }),
                }
            }
            6 | 7 => {
                let Some(voucher) = pick_recent(&mut self.chance, &self.people.vouchers) else { return };
                let by = self.colleague();
                Command::Voucher(match self.chance.below(2) {
                    0 => Voucher::Cancel { voucher },
                    _ => Voucher::Approve { voucher, by },
                })
            }
            _ => {
                let Some((payment, shop)) = self.recent_payment() else { return };
                match self.chance.below(3) {
                    0 => Command::Payment(Payment::Expire { payment }),
                    1 => Command::Payment(Payment::Void { payment, shop }),
                    _ => Command::Payment(Payment::Capture { payment, shop, amount: None }),
                }
            }
        };
        self.ask(ActorKind::Anyone, command);
    }

    /// A bank says what is not so of what has ended, or does what it was not asked for while that is held.
    fn bank_misbehaves(&mut self) {
        let held_top_up = self.oracle.top_ups.iter().find(|(_, row)| row.status == top_up::Status::Held);
        let held_payout = self.oracle.payouts.iter().find(|(_, row)| row.status == payout::Status::Held);
        match self.chance.below(5) {
            0 => {
                let Some((id, row)) = held_top_up else { return };
                self.bank_acts_unasked(row.bank, Kind::TopUp(*id), row.amount);
            }
            1 => {
                let Some((id, row)) = held_payout else { return };
                self.bank_acts_unasked(row.bank, Kind::Payout(*id), row.amount);
            }
            2 => {
                let Some(id) = pick_recent(&mut self.chance, &self.people.reimbursements) else { return };
                self.bank_lies_of_reimbursement(id);
            }
            3 => {
                let strange = if self.chance.one_in(2) {
                    self.oracle.failed_give_backs()
                } else {
                    self.oracle.strange_give_backs()
                };
                let recent = pick_recent(&mut self.chance, &self.people.top_ups).map(|(id, _)| id);
                let strange = pick_recent(&mut self.chance, &strange).filter(|_| self.chance.percent(75));
                let Some(id) = strange.or(recent) else { return };
                self.bank_lies_of_top_up(id);
            }
            _ => {
                let Some((id, _)) = pick_recent(&mut self.chance, &self.people.payouts) else { return };
                self.bank_lies_of_payout(id);
            }
        }
    }

    fn poke_top_up(&mut self) -> Command {
        let recent = pick_recent(&mut self.chance, &self.people.top_ups);
        let (top_up, holder) = recent.unwrap_or((TopUpId(Id::default()), HolderId(Id::default())));
        let by = StaffId(Id::from_number(3));
        Command::TopUp(match self.chance.below(5) {
            0 => TopUp::Cancel { top_up, holder },
            1 => TopUp::DecideHeld { top_up, release: self.chance.one_in(2), by },
            2 => TopUp::ExpireHeld { top_up },
            3 => TopUp::Propose { top_up, resolution: Resolution::Keep, by },
            _ => TopUp::Asked { top_up },
        })
    }

    fn poke_payout(&mut self) -> Command {
        let recent = pick_recent(&mut self.chance, &self.people.payouts);
        let (payout, holder) = recent.unwrap_or((PayoutId(Id::default()), HolderId(Id::default())));
        let by = StaffId(Id::from_number(3));
        Command::Payout(match self.chance.below(5) {
            0 => Payout::Cancel { payout, holder },
            1 => Payout::DecideHeld { payout, release: self.chance.one_in(2), by },
            2 => Payout::ExpireHeld { payout },
            3 => Payout::Propose { payout, resolution: Resolution::Keep, by },
            _ => Payout::Asked { payout },
        })
    }

    fn poke_mandate(&mut self) -> Command {
        let someone = self.someone();
        let recent = pick_recent(&mut self.chance, &someone.mandates);
        let (mandate, bank_account) = recent.unwrap_or((MandateId(Id::default()), BankAccountId(Id::default())));
        let (holder, by) = (someone.holder, StaffId(Id::from_number(3)));
        Command::Mandate(match self.chance.below(7) {
            0 => Mandate::Authenticate { mandate },
            1 => Mandate::Confirm { mandate, holder, bank_account },
            2 => Mandate::Decide { mandate, bank_account, accept: true, by },
            3 => Mandate::Refuse { mandate },
            4 => Mandate::Abandon { mandate },
            5 => Mandate::Expire { mandate },
            _ => Mandate::ConfirmByTrueHolder { mandate },
        })
    }

    /// Somebody tries out what passes, more often than a rule lets them, and then does what it watches.
    pub(super) fn try_out(&mut self) {
        let index = self.chance.index(self.people.everybody.len());
        let someone = self.people.everybody[index].clone();
        let shop = *self.chance.pick(&self.people.shops);
        for _ in 0..self.chance.between(18, 24) {
            let payment = PaymentId(self.chance.id(self.now));
            let payer = Payer::Holder(someone.wallet, someone.holder);
            self.ask(ActorKind::Shop, paid_at_once(payment, payer, shop, TOO_MUCH, None));
        }
        let later_ms = self.chance.between(SECOND_MS, MINUTE_MS);
        for _ in 0..3 {
            self.move_or_link(&someone, later_ms);
        }
        self.link_of(index, true);
    }

    /// Ids that nobody has, other people's things, ids that are taken.
    pub(super) fn nonsense(&mut self) {
        let (one, other) = (self.someone(), self.someone());
        let unknown = self.chance.id(self.now);
        let shop = *self.chance.pick(&self.people.shops);
        let amount = Yen::new(self.chance.between(1, 3_000));
        let authorise = |payment, payer, shop| paid_at_once(payment, payer, shop, amount, None);
        let fresh = PaymentId(unknown);
        let command = match self.chance.below(9) {
            0 => authorise(fresh, Payer::Holder(WalletId(unknown), one.holder), shop),
            1 => authorise(fresh, Payer::Holder(one.wallet, other.holder), shop),
            2 => authorise(fresh, Payer::Holder(one.wallet, one.holder), ShopId(unknown)),
            3 => match self.people.payments.last() {
                Some((taken, _)) => authorise(*taken, Payer::Holder(one.wallet, one.holder), shop),
                None => authorise(fresh, Payer::Code(PaymentCodeId(unknown)), shop),
            },
            4 => Command::Payment(Payment::Refund { refund: RefundId(unknown), payment: fresh, shop, amount }),
            5 => {
                let mandate = other.mandates.last().map_or(MandateId(unknown), |(mandate, _)| *mandate);
                let (wallet, holder, origin, proof) = (one.wallet, one.holder, None, None);
                let top_up = TopUpId(unknown);
                let request = wallet::top_up::Request { top_up, wallet, holder, mandate, amount, origin, proof };
                Command::TopUp(TopUp::Request(request))
            }
            6 => {
                let bank_account = self.chance.pick(&self.people.accounts).0;
                let (payout, wallet, holder) = (PayoutId(unknown), one.wallet, one.holder);
                let (origin, proof) = (None, None);
                let request = wallet::payout::Request { payout, wallet, holder, bank_account, amount, origin, proof };
                Command::Payout(Payout::Request(request))
            }
            7 => {
                let method = IdentificationMethod::ChipAndFace;
                let (holder, person) = (one.holder, other.person);
                Command::Holder(Holder::Identify { holder, person, method, profile: None })
            }
            _ => Command::Holder(Holder::VerifyMail { holder: one.holder, mail: other.mail }),
        };
        self.ask(ActorKind::Anyone, command);
        self.name_nothing();
    }

    /// Whoever names what was never there, or what is there already.
    fn name_nothing(&mut self) {
        let id = self.chance.id(self.now);
        let (someone, by, amount) = (self.someone(), StaffId(Id::from_number(3)), Yen::new(1_000));
        let (wallet, claim) = (someone.wallet, Claim::NotMoved);
        let answer = Answer { outcome: Outcome::Unknown { code: None }, source: AnswerSource::Callback };
        let command = match self.chance.below(21) {
            0 => Command::TopUp(TopUp::Reverse { top_up: TopUpId(id), amount }),
            1 => Command::TopUp(TopUp::Contradict { top_up: TopUpId(id), claim }),
            2 => Command::TopUp(TopUp::Answer { top_up: TopUpId(id), answer, give_back: GiveBackId(id) }),
            3 => Command::Payout(Payout::Return { payout: PayoutId(id), amount }),
            4 => Command::Payout(Payout::Contradict { payout: PayoutId(id), claim }),
            5 => Command::Payout(Payout::Answer { payout: PayoutId(id), answer }),
            6 => Command::Case(Case::Open { case: CaseId(id), bank_account: BankAccountId(id) }),
            7 => {
                let what = Blocked::TopUps(BankAccountId(id));
                Command::Case(Case::Keep { case: CaseId(id), wallet, what })
            }
            8 => Command::Reimbursement(Reimbursement::Answer { reimbursement: ReimbursementId(id), done: true }),
            9 => Command::Reimbursement(Reimbursement::Contradict { reimbursement: ReimbursementId(id), claim }),
            10 => Command::Switches(Switches::ProposeLift { id: SwitchId(id), by }),
            11 => {
                let stop = self.oracle.stop_in_force().unwrap_or(SwitchId(id));
                let cohort = Cohort { opened_before: Some(Time::default()), ..Cohort::default() };
                Command::Switches(Switches::Set { id: stop, function: None, bank: None, cohort })
            }
            12 => Command::Wallet(Wallet::Open { wallet, holder: someone.holder, origin: None }),
            13 => Command::Wallet(Wallet::Freeze { wallet: WalletId(id), by: Asker::Desk(by) }),
            14 => Command::Holder(Holder::VerifyPhone { holder: HolderId(id), phone: ContactId(id) }),
            15 => {
                let (holder, mail, profile) = (someone.holder, someone.mail, Sealed(Vec::new()));
                Command::Holder(Holder::Open { holder, mail, mail_domain: None, profile })
            }
            16 => {
                let recent = pick_recent(&mut self.chance, &self.people.top_ups);
                let top_up = recent.map_or(TopUpId(id), |(top_up, _)| top_up);
                Command::TopUp(TopUp::RetryGiveBack { top_up, give_back: GiveBackId(id), by })
            }
            17 => {
                let (top_up, give_back) = (TopUpId(id), GiveBackId(id));
                Command::TopUp(TopUp::ReverseGiveBack { top_up, give_back, amount })
            }
            18 => Command::Reimbursement(Reimbursement::Absent { reimbursement: ReimbursementId(id) }),
            19 => {
                let (top_up, give_back) = (TopUpId(id), GiveBackId(id));
                Command::TopUp(TopUp::AbsentGiveBack { top_up, give_back })
            }
            _ => return self.open_and_close(ShopId(id)),
        };
        self.ask(ActorKind::Anyone, command);
    }

    /// A shop that is there for an hour; it is opened and closed twice, and somebody pays when it is gone.
    fn open_and_close(&mut self, shop: ShopId) {
        let someone = self.someone();
        let payer = Payer::Holder(someone.wallet, someone.holder);
        let payment = PaymentId(self.chance.id(self.now));
        let paid = paid_at_once(payment, payer, shop, Yen::new(100), None);
        let close = Command::Shop(Shop::Close { shop });
        let open = Command::Shop(Shop::Open { shop });
        for (minutes, command) in [(0, open.clone()), (1, open), (60, close.clone()), (61, close), (62, paid)] {
            self.ask_later(minutes * MINUTE_MS, ActorKind::Operator, command);
        }
    }
}
