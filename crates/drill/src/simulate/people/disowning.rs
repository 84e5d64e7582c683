//! Those who never linked anything: a bank account's holder says "not me", and the desk works on the case.

use super::{DAY_MS, HOUR_MS, MINUTE_MS, pick_recent};
use crate::simulate::world::World;
use domain::Id;
use engine::ActorKind;
use wallet::case::{Command as Case, Finding};
use wallet::mandate::{Command as Mandate, RevokedBy, Why};
use wallet::wallet::{Asker, Blocked, Command as Wallet};
use wallet::{BankAccountId, CaseId, Command, StaffId, WalletId};

impl World {
    /// The account's holder is heard: its mandates end, and what came from it is kept, in wallets that had it and in some that
    /// never did. The news may come again, also long after the case has ended.
    pub(super) fn not_me(&mut self) {
        let someone = self.someone();
        let own = someone.mandates.last().copied();
        let bank_account = own.map_or_else(|| self.chance.pick(&self.people.accounts).0, |(_, account)| account);
        let is_again = self.chance.one_in(4);
        let again = pick_recent(&mut self.chance, &self.people.cases).filter(|_| is_again);
        let case = again.unwrap_or_else(|| CaseId(self.chance.id(self.now)));
        self.people.cases.push(case);
        if let Some((mandate, _)) = own {
            let (by, why) = (RevokedBy::BankAccountHolder, Why::NotMine);
            self.ask(ActorKind::Bank, Command::Mandate(Mandate::Revoke { mandate, by, why }));
        }
        let open = Command::Case(Case::Open { case, bank_account });
        self.ask(ActorKind::System, open.clone());
        self.keep(case, someone.wallet, bank_account);
        let after_ms = self.chance.between(MINUTE_MS, 3 * DAY_MS);
        self.ask_later(after_ms, ActorKind::System, open);
        self.end_case(case, someone.wallet);
    }

    fn keep(&mut self, case: CaseId, wallet: WalletId, bank_account: BankAccountId) {
        let what = Blocked::TopUps(bank_account);
        self.ask(ActorKind::System, Command::Case(Case::Keep { case, wallet, what }));
        for _ in 0..self.chance.between(0, 3) {
            let Some((send, to, whole)) = pick_recent(&mut self.chance, &self.people.sent) else { continue };
            let amount = ledger::Yen::new(self.chance.between(1, whole.amount().max(1)));
            let what = Blocked::Sent { send, amount };
            self.ask(ActorKind::System, Command::Case(Case::Keep { case, wallet: to, what }));
        }
    }

    /// Two of the desk end it; sometimes it is one and the same, or they do not agree.
    fn end_case(&mut self, case: CaseId, wallet: WalletId) {
        for _ in 0..self.chance.between(1, 2) {
            let finding = *self.chance.pick(&[Finding::Unfounded, Finding::Upheld]);
            let agreed = if self.chance.one_in(6) { Finding::Unfounded } else { finding };
            let (first, second) = (self.colleague(), self.colleague());
            let after_ms = self.chance.between(HOUR_MS, 2 * DAY_MS);
            let propose = Case::ProposeClosing { case, finding, by: first };
            self.ask_later(after_ms, ActorKind::Operator, Command::Case(propose));
            let after_ms = after_ms + self.chance.between(MINUTE_MS, 6 * HOUR_MS);
            let close = Case::Close { case, finding: agreed, by: second };
            self.ask_later(after_ms, ActorKind::Operator, Command::Case(close));
            let unfreeze = Wallet::Unfreeze { wallet, by: Asker::Desk(second) };
            let after_ms = self.chance.between(MINUTE_MS, 6 * HOUR_MS);
            self.ask_later(after_ms, ActorKind::Operator, Command::Wallet(unfreeze));
        }
    }

    fn colleague(&mut self) -> StaffId {
        StaffId(Id::from_number(u128::try_from(self.chance.between(1, 3)).unwrap_or(1)))
    }
}
