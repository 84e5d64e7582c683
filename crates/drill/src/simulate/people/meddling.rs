//! Meddlers: whoever asks too late, too early, twice, for another's things or for what does not exist.

use super::pick_recent;
use crate::simulate::bank::Kind;
use crate::simulate::world::World;
use domain::Id;
use engine::ActorKind;
use ledger::Yen;
use wallet::bank_answer::Resolution;
use wallet::holder::Command as Holder;
use wallet::mandate::Command as Mandate;
use wallet::payment::{Authorise, Command as Payment, Payer};
use wallet::payout::Command as Payout;
use wallet::send::Command as Send;
use wallet::top_up::Command as TopUp;
use wallet::voucher::Command as Voucher;
use wallet::{
    BankAccountId, Command, HolderId, IdentificationMethod, MandateId, PaymentCodeId, PaymentId, PayoutId, RefundId,
    ShopId, StaffId, TopUpId, WalletId, payout, top_up,
};

impl World {
    /// Asks for something about a thing in whatever state it is: too late, too early, twice.
    pub(super) fn poke(&mut self) {
        if self.chance.one_in(12) {
            return self.bank_misbehaves();
        }
        let command = match self.chance.below(9) {
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
                Command::Voucher(Voucher::Cancel { voucher })
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
        match self.chance.below(4) {
            0 => {
                let Some((id, row)) = held_top_up else { return };
                self.bank_acts_unasked(row.bank, Kind::TopUp(*id), row.amount);
            }
            1 => {
                let Some((id, row)) = held_payout else { return };
                self.bank_acts_unasked(row.bank, Kind::Payout(*id), row.amount);
            }
            2 => {
                let Some((id, _)) = pick_recent(&mut self.chance, &self.people.top_ups) else { return };
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

    /// Ids that nobody has, other people's things, ids that are taken.
    pub(super) fn nonsense(&mut self) {
        let (one, other) = (self.someone(), self.someone());
        let unknown = self.chance.id(self.now);
        let shop = *self.chance.pick(&self.people.shops);
        let amount = Yen::new(self.chance.between(1, 3_000));
        let authorise = |payment, payer, shop| {
            let (capture, reference, origin, proof) = (true, None, None, None);
            Command::Payment(Payment::Authorise(Authorise {
                payment,
                payer,
                shop,
                amount,
                capture,
                reference,
                origin,
                proof,
            }))
        };
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
    }
}
