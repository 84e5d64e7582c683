//! The desk: it stops functions, sets values of the policy, and settles what is owed. What weakens anything takes two, and
//! sometimes it is one and the same, or the second one comes too late.

use super::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use crate::simulate::world::World;
use domain::Id;
use engine::ActorKind;
use ledger::Yen;
use wallet::adjustment::Adjustment;
use wallet::switches::{Cohort, Command as Switches, Function};
use wallet::wallet::{Asker, Command as Wallet};
use wallet::{BankCode, Command, StaffId, SwitchId, Tier, WalletId};

/// Sums that the desk sets a limit to.
const SUMS: [i64; 6] = [1_000, 5_000, 20_000, 60_000, 150_000, 500_000];

impl World {
    /// Something is stopped, and goes on some time later.
    pub(super) fn set_stop(&mut self) {
        let id = SwitchId(self.chance.id(self.now));
        let function = if self.chance.one_in(12) { None } else { Some(*self.chance.pick(&Function::STOPPABLE)) };
        let banks: Vec<BankCode> = self.banks.keys().copied().collect();
        let bank = if self.chance.one_in(3) { Some(*self.chance.pick(&banks)) } else { None };
        let opened = self.now.plus_milliseconds(-self.chance.between(0, 20 * DAY_MS));
        let cohort = match self.chance.below(4) {
            0 => Cohort { tier_below: Some(Tier::Identified), ..Cohort::default() },
            1 => Cohort { opened_from: Some(opened), ..Cohort::default() },
            2 => Cohort { opened_before: Some(opened), ..Cohort::default() },
            _ => Cohort::default(),
        };
        self.ask(ActorKind::Operator, Command::Switches(Switches::Set { id, function, bank, cohort }));
        let lift_ms = self.chance.between(MINUTE_MS, 4 * HOUR_MS);
        let [one, other] = [1, 2].map(|number| StaffId(Id::from_number(number)));
        self.ask_later(lift_ms, ActorKind::Operator, Command::Switches(Switches::ProposeLift { id, by: one }));
        let agree_ms = lift_ms + self.chance.between(MINUTE_MS, HOUR_MS);
        // Whoever proposed it is in a hurry now and then.
        if self.chance.one_in(8) {
            self.ask_later(agree_ms, ActorKind::Operator, Command::Switches(Switches::Lift { id, by: one }));
        }
        let lift = Command::Switches(Switches::Lift { id, by: other });
        self.ask_later(agree_ms + MINUTE_MS, ActorKind::Operator, lift);
    }

    /// A value of the policy is another one for a while: the desk says so, and another time says what it was before.
    pub(super) fn adjust(&mut self) {
        let values = self.oracle.values_in_force(self.now);
        let before = *self.chance.pick(&values);
        let to = self.other_value(before);
        let after_ms = self.chance.between(0, HOUR_MS);
        self.set_value(to, after_ms);
        let back_ms = self.chance.between(2 * HOUR_MS, 3 * DAY_MS);
        self.set_value(before, back_ms);
        if self.chance.one_in(4) {
            self.set_value(to, back_ms + HOUR_MS);
        }
    }

    fn set_value(&mut self, adjustment: Adjustment, after_ms: i64) {
        let id = SwitchId(self.chance.id(self.now));
        let (by, other) = (self.colleague(), self.colleague());
        let adjust = Switches::Adjust { id, adjustment, by };
        self.ask_later(after_ms, ActorKind::Operator, Command::Switches(adjust));
        let most_ms = if self.chance.one_in(8) { 30 * HOUR_MS } else { HOUR_MS };
        for by in [other, self.colleague()] {
            let later_ms = after_ms + self.chance.between(SECOND_MS, most_ms);
            self.ask_later(later_ms, ActorKind::Operator, Command::Switches(Switches::Approve { id, by }));
        }
    }

    /// Another value of the same kind, or the same.
    fn other_value(&mut self, than: Adjustment) -> Adjustment {
        let tier = *self.chance.pick(&[Tier::Email, Tier::Phone, Tier::Identified]);
        let (is_on, yen) = (self.chance.one_in(2), Yen::new(*self.chance.pick(&SUMS)));
        match than {
            Adjustment::LinkTier(_) => Adjustment::LinkTier(tier),
            Adjustment::LinkPhone(_) => Adjustment::LinkPhone(is_on),
            Adjustment::StrongFactor(_) => Adjustment::StrongFactor(is_on),
            Adjustment::Name(_) => Adjustment::Name(is_on),
            Adjustment::BirthDate(_) => Adjustment::BirthDate(is_on),
            Adjustment::Notice(_) => Adjustment::Notice(is_on),
            Adjustment::UnconfirmedPerDay(_) => Adjustment::UnconfirmedPerDay(yen),
            Adjustment::UnconfirmedTotal(_) => Adjustment::UnconfirmedTotal(yen),
            Adjustment::TopUpTier(_) => Adjustment::TopUpTier(tier),
            Adjustment::TopUpPerTime(_) => Adjustment::TopUpPerTime(yen),
            Adjustment::TopUpPerMonth(_) => Adjustment::TopUpPerMonth(yen),
            Adjustment::TopUpRolling(_) => Adjustment::TopUpRolling(yen),
            Adjustment::TopUpUnproven(_) => Adjustment::TopUpUnproven(yen),
            Adjustment::Young(_) => Adjustment::Young(yen),
            Adjustment::YoungSend(_) => Adjustment::YoungSend(yen),
            Adjustment::NewLink(_) => Adjustment::NewLink(yen),
            Adjustment::NewLinks(_) => Adjustment::NewLinks(yen),
            Adjustment::YoungProven(_) => Adjustment::YoungProven(yen),
            Adjustment::PaymentUnproven(_) => Adjustment::PaymentUnproven(yen),
            Adjustment::TopUpNewDevice(_) => Adjustment::TopUpNewDevice(is_on),
            Adjustment::LinkNewDevice(_) => Adjustment::LinkNewDevice(is_on),
        }
    }

    /// What somebody owes is taken from what they have, or given up.
    pub(super) fn collect(&mut self) {
        let owes = self.someone_such(|oracle, someone| {
            oracle.wallets.get(&someone.wallet).is_some_and(|holding| !holding.debts.is_empty())
        });
        let (wallet, desk) = (owes.wallet, Asker::Desk(StaffId(Id::from_number(1))));
        let by = if self.chance.one_in(2) { Asker::Holder(owes.holder) } else { desk };
        self.ask(ActorKind::Operator, Command::Wallet(Wallet::Collect { wallet, by }));
        if self.chance.one_in(3) {
            self.write_off(wallet);
            let after_ms = self.chance.between(HOUR_MS, DAY_MS);
            self.ask_later(after_ms, ActorKind::Operator, Command::Wallet(Wallet::Collect { wallet, by }));
        }
    }

    /// Two of the desk give up what somebody owes; sometimes it is one and the same, or the sum is another by then.
    fn write_off(&mut self, wallet: WalletId) {
        let owed = self.oracle.wallets.get(&wallet).map_or(0, |holding| holding.debts.iter().map(|debt| debt.1).sum());
        let staff = |number: i64| StaffId(Id::from_number(u128::try_from(number).unwrap_or(1)));
        let (amount, by) = (Yen::new(owed), staff(self.chance.between(1, 3)));
        self.ask(ActorKind::Operator, Command::Wallet(Wallet::ProposeWriteOff { wallet, amount, by }));
        let (by, after_ms) = (staff(self.chance.between(1, 3)), self.chance.between(SECOND_MS, 6 * HOUR_MS));
        let approve = Wallet::ApproveWriteOff { wallet, amount, by };
        self.ask_later(after_ms, ActorKind::Operator, Command::Wallet(approve));
    }

    /// One of three at the desk.
    pub(super) fn colleague(&mut self) -> StaffId {
        StaffId(Id::from_number(u128::try_from(self.chance.between(1, 3)).unwrap_or(1)))
    }
}
