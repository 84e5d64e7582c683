//! The model of cases: what is kept from leaving after an account's holder said "not me".

use super::{Oracle, Reasons, Why};
use wallet::case::{Command, Finding, Status};
use wallet::wallet::Blocked;
use wallet::{BankAccountId, CaseId, FrozenBy, Noun, Receipt, StaffId, WalletId};

/// A case as the model knows it.
pub struct Case {
    pub about: BankAccountId,
    pub status: Status,
    /// In the order in which it came to keep something there.
    pub wallets: Vec<WalletId>,
    pub(super) proposal: Option<(Finding, StaffId)>,
    pub finding: Option<Finding>,
    /// What is reimbursed for it, or on its way.
    pub reimbursed: i64,
    /// What stands ready because a bank could not pay it.
    pub parked: i64,
}

impl Oracle {
    pub(super) fn case_reasons(&self, command: &Command, reasons: &mut Reasons) {
        let id = match command {
            Command::Open { case, bank_account } => {
                let known = self.cases.contains_key(case) || self.linked.contains_key(bank_account);
                return reasons.add(!known, Why::Unknown(Noun::BankAccount));
            }
            Command::Keep { case, .. } | Command::ProposeClosing { case, .. } | Command::Close { case, .. } => case,
        };
        let Some(case) = self.cases.get(id) else { return reasons.add(true, Why::Unknown(Noun::Case)) };
        let wrong = Why::Status(Noun::Case, case.status.into());
        match command {
            Command::Open { .. } => {}
            Command::Keep { wallet, .. } => {
                reasons.add(!self.wallets.contains_key(wallet), Why::Unknown(Noun::Wallet));
                reasons.add(case.status != Status::Open, wrong);
            }
            Command::ProposeClosing { finding, .. } => reasons.add(!case.may_close(*finding), wrong),
            Command::Close { finding, by, .. } => {
                reasons.add(!case.may_close(*finding), wrong);
                match case.proposal {
                    Some((proposed, first)) if proposed == *finding => reasons.add(first == *by, Why::SecondPerson),
                    Some(_) | None => reasons.add(true, Why::Contradiction(Noun::Case)),
                }
            }
        }
    }

    pub(super) fn case_apply(&mut self, command: &Command, receipt: &Receipt) -> Result<(), String> {
        let id = match command {
            Command::Open { case, bank_account } => self.open_case(*case, *bank_account),
            Command::Keep { case, wallet, what } => {
                self.keep(*case, *wallet, *what);
                *case
            }
            Command::ProposeClosing { case, finding, by } => {
                self.cases.get_mut(case).expect("an unknown case is a reason").proposal = Some((*finding, *by));
                *case
            }
            Command::Close { case, finding, .. } => {
                self.close_case(*case, *finding);
                *case
            }
        };
        super::payment::expect(receipt, &Receipt::Case { id, status: self.cases[&id].status })
    }

    /// The case that the news belongs to.
    fn open_case(&mut self, id: CaseId, about: BankAccountId) -> CaseId {
        let open = self.cases.iter().find(|(_, case)| case.about == about && case.status == Status::Open);
        let open = open.map(|(id, _)| *id);
        let status = match (self.cases.get(&id), open) {
            (Some(case), _) => return if let Status::Joined(into) = case.status { into } else { id },
            (None, Some(into)) => Status::Joined(into),
            (None, None) => Status::Open,
        };
        let (wallets, proposal, finding, reimbursed, parked) = (Vec::new(), None, None, 0, 0);
        let case = Case { about, status, wallets, proposal, finding, reimbursed, parked };
        self.cases.insert(id, case);
        open.unwrap_or(id)
    }

    fn keep(&mut self, id: CaseId, wallet: WalletId, what: Blocked) {
        let case = self.cases.get_mut(&id).expect("an unknown case is a reason");
        if !case.wallets.contains(&wallet) {
            case.wallets.push(wallet);
        }
        if !self.books.keep(wallet, id, what) {
            return;
        }
        let freezes = matches!(what, Blocked::TopUps(_)) && self.policy.case.disowned_freezes_wallet;
        let holding = self.holding(wallet);
        if freezes && !holding.closed {
            holding.frozen.insert(FrozenBy::Desk);
        }
    }

    fn close_case(&mut self, id: CaseId, finding: Finding) {
        let case = self.cases.get_mut(&id).expect("an unknown case is a reason");
        (case.status, case.finding, case.proposal) = (Status::Closed, Some(finding), None);
        if finding == Finding::Unfounded {
            self.books.let_go(id);
        }
    }
}

impl Case {
    fn may_close(&self, finding: Finding) -> bool {
        match (self.status, self.finding) {
            (Status::Open, _) => true,
            (Status::Closed, Some(Finding::Upheld)) => {
                finding == Finding::Unfounded && self.reimbursed == 0 && self.parked == 0
            }
            (Status::Closed | Status::Joined(_), _) => false,
        }
    }
}
