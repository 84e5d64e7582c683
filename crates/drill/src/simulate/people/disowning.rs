//! Those who never linked anything: a bank account's holder says "not me", and the desk works on the case.

use super::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, pick_recent};
use crate::simulate::world::World;
use domain::Id;
use engine::ActorKind;
use ledger::Yen;
use wallet::case::{Command as Case, Finding};
use wallet::mandate::{Command as Mandate, RevokedBy, Why};
use wallet::reimbursement::Command as Reimbursement;
use wallet::wallet::{Asker, Blocked, Command as Wallet};
use wallet::{BankAccountId, CaseId, Command, ReimbursementId, StaffId, TopUpId, WalletId};

/// Of how many debits of an account somebody asks for something at a time.
const DEBITS_MAX: usize = 4;

impl World {
    /// The account's holder is heard: its mandates end, and what came from it is kept, in wallets that had it and in some that
    /// never did. The news may come again, also long after the case has ended.
    pub(super) fn not_me(&mut self) {
        let someone = self.someone_such(|oracle, someone| {
            someone.mandates.last().is_some_and(|(_, account)| !oracle.settled_from(*account).is_empty())
        });
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
        if self.chance.one_in(3) {
            self.end_case(case, someone.wallet);
        } else {
            self.uphold(case, bank_account);
        }
        if self.chance.one_in(3) {
            self.report_once_more(case, someone.wallet, bank_account);
        }
    }

    /// The same is told as a case of its own while the first one may be open: whatever is asked of the second concerns the first.
    fn report_once_more(&mut self, first: CaseId, wallet: WalletId, bank_account: BankAccountId) {
        let case = CaseId(self.chance.id(self.now));
        self.people.cases.push(case);
        let after_ms = self.chance.between(MINUTE_MS, 12 * HOUR_MS);
        for each in [case, first, case] {
            let open = Case::Open { case: each, bank_account };
            let again_ms = after_ms + self.chance.between(0, HOUR_MS);
            self.ask_later(again_ms, ActorKind::System, Command::Case(open));
        }
        self.end_case(case, wallet);
    }

    fn keep(&mut self, case: CaseId, wallet: WalletId, bank_account: BankAccountId) {
        let what = Blocked::TopUps(bank_account);
        self.ask(ActorKind::System, Command::Case(Case::Keep { case, wallet, what }));
        for _ in 0..self.chance.between(0, 3) {
            let Some((send, to, whole)) = pick_recent(&mut self.chance, &self.people.sent) else { continue };
            let amount = Yen::new(self.chance.between(1, whole.amount().max(1)));
            let debits = self.oracle.settled_from(bank_account);
            let what = match debits.first() {
                Some((top_up, _)) if !self.chance.one_in(4) => Blocked::SentOf { send, top_up: *top_up, amount },
                Some(_) | None => Blocked::Sent { send, amount },
            };
            self.ask(ActorKind::System, Command::Case(Case::Keep { case, wallet: to, what }));
        }
    }

    /// Two of the desk find that the account's holder is right, and what was debited from it is to go back.
    fn uphold(&mut self, case: CaseId, bank_account: BankAccountId) {
        let finding = Finding::Upheld;
        let after_ms = self.chance.between(HOUR_MS, DAY_MS);
        let [first, second] = [1, 2].map(|number| StaffId(Id::from_number(number)));
        let propose = Case::ProposeClosing { case, finding, by: first };
        self.ask_later(after_ms, ActorKind::Operator, Command::Case(propose));
        let close = Case::Close { case, finding, by: second };
        self.ask_later(after_ms + HOUR_MS, ActorKind::Operator, Command::Case(close));
        for (top_up, left) in self.oracle.settled_from(bank_account).into_iter().rev().take(DEBITS_MAX) {
            for _ in 0..self.chance.between(1, 3) {
                let after_ms = after_ms + self.chance.between(2 * HOUR_MS, 5 * DAY_MS);
                self.reimburse_of(case, top_up, left, after_ms);
            }
        }
    }

    /// Somebody whose account was debited is to have it back: what was found so is, and something else now and then.
    pub(super) fn reimburse(&mut self) {
        let upheld = self.oracle.to_reimburse();
        let case = pick_recent(&mut self.chance, &self.people.cases);
        let top_up = pick_recent(&mut self.chance, &self.people.top_ups);
        let strange = case.zip(top_up).map(|(case, (top_up, _))| (case, top_up, 1_000));
        let one = pick_recent(&mut self.chance, &upheld).filter(|_| !self.chance.one_in(8)).or(strange);
        if let Some((case, top_up, left)) = one {
            self.reimburse_of(case, top_up, left, 0);
        }
    }

    /// Two of the desk agree on it, or one and the same, or one says no.
    fn reimburse_of(&mut self, case: CaseId, top_up: TopUpId, left: i64, after_ms: i64) {
        let amount = Yen::new(match self.chance.below(8) {
            0 => 0,
            1 => left + 1,
            2..=4 => left,
            _ => self.chance.between(1, left.max(1)),
        });
        let reimbursement = ReimbursementId(self.chance.id(self.now));
        self.people.reimbursements.push(reimbursement);
        let although_confirmed = self.chance.percent(70);
        let propose =
            Reimbursement::Propose { reimbursement, case, top_up, amount, although_confirmed, by: self.colleague() };
        self.ask_later(after_ms, ActorKind::Operator, Command::Reimbursement(propose));
        if self.chance.one_in(6) {
            let by = self.colleague();
            let again = Reimbursement::Propose { reimbursement, case, top_up, amount, although_confirmed, by };
            let no = Reimbursement::Refuse { reimbursement, by };
            for command in [again, no] {
                let after_ms = after_ms + self.chance.between(SECOND_MS, 3 * HOUR_MS);
                self.ask_later(after_ms, ActorKind::Operator, Command::Reimbursement(command));
            }
        }
        let other_case = if self.chance.one_in(10) { CaseId(self.chance.id(self.now)) } else { case };
        for case in [other_case, case] {
            let approve = Reimbursement::Approve { reimbursement, case, by: self.colleague() };
            let after_ms = after_ms + self.chance.between(SECOND_MS, 6 * HOUR_MS);
            self.ask_later(after_ms, ActorKind::Operator, Command::Reimbursement(approve));
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
}
