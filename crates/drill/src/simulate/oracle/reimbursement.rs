//! The model of reimbursements: what goes back to the account of somebody who said "not me", out of what a case keeps and at
//! the operator's cost.

use super::moves::Trouble;
use super::{Lot, Oracle, Reasons, Why};
use domain::{Id, Moment};
use ledger::Yen;
use wallet::bank_answer::{Claim, Resolution};
use wallet::case::{Finding, Status as CaseStatus};
use wallet::payout::Status as PayoutStatus;
use wallet::reimbursement::{Command, Status, TAKEN_MAX};
use wallet::{
    BankAccountId, BankCode, CaseId, Limit, Noun, Purse, Receipt, ReimbursementId, StaffId, Standing, TopUpId,
    WalletId, chart, top_up,
};

/// A reimbursement as the model knows it.
pub struct Reimbursement {
    pub(super) case: CaseId,
    pub top_up: TopUpId,
    pub bank: BankCode,
    pub amount: i64,
    pub status: Status,
    pub(super) proposed_by: StaffId,
    /// Whether that person knew that the link was confirmed, if it was.
    pub(super) although_confirmed: bool,
    pub trouble: Trouble,
    /// The bank knew nothing of it to the last.
    absent: bool,
    /// Another way than the bank's paid it.
    pub otherwise: bool,
}

/// What one case took to reimburse a debit.
#[derive(Clone, Copy)]
pub struct Restituted {
    pub case: CaseId,
    /// Out of purses.
    pub taken: i64,
    /// What of it and of the operator's part stands ready.
    pub parked: i64,
    /// What stood ready and went to the operator.
    pub freed: i64,
}

impl Reimbursement {
    fn is_open(&self) -> bool {
        matches!(self.status, Status::Pending | Status::InDoubt)
    }

    /// Whether it waits for its bank's answer, or for the desk.
    pub fn waits(&self) -> bool {
        self.is_open() || self.trouble.any()
    }

    /// Whether nobody has agreed to it, or it was refused: no bank was ever asked.
    fn is_only_asked_for(&self) -> bool {
        matches!(self.status, Status::Proposed | Status::Refused)
    }

    /// Whether there is something to settle, in this way; `surplus` stands ready of its debit for nothing.
    fn fits(&self, how: Resolution, surplus: i64) -> bool {
        let ways: &[Resolution] = match self.status {
            Status::Pending | Status::InDoubt => &[Resolution::Settle, Resolution::Decline],
            Status::Done if self.otherwise => &[Resolution::Settle, Resolution::Keep],
            Status::Done => &[Resolution::Decline, Resolution::Keep],
            Status::Failed => &[Resolution::Settle, Resolution::Keep],
            Status::Proposed | Status::Refused => &[],
        };
        let is_unanswered = self.is_open() && self.absent && how == Resolution::Decline;
        // No bank could pay it, and the account may have it by another way.
        let is_paid_otherwise = self.status == Status::Failed && how == Resolution::Settle;
        let is_for_nothing = self.status == Status::Failed && how == Resolution::Keep && surplus > 0;
        (self.trouble.any() || is_unanswered || is_paid_otherwise || is_for_nothing) && ways.contains(&how)
    }
}

impl Oracle {
    pub(super) fn reimbursement_reasons(&self, command: &Command, moment: Moment, reasons: &mut Reasons) {
        if let Command::Propose { reimbursement, case, top_up, amount, although_confirmed, by } = command {
            let (of, said) = ((*case, *top_up, *amount), (*although_confirmed, *by));
            return self.propose_reimbursement_reasons(*reimbursement, of, said, reasons);
        }
        let Some(row) = self.reimbursements.get(&command.reimbursement()) else {
            return reasons.add(true, Why::Unknown(Noun::Reimbursement));
        };
        let wrong = Why::Status(Noun::Reimbursement, row.status.into());
        match command {
            Command::Propose { .. } => {}
            Command::Approve { case, by, .. } => {
                reasons.add(row.case != *case, Why::Unknown(Noun::Reimbursement));
                reasons.add(moment.clock_drifted, Why::ClockDrifted);
                reasons.add(row.status != Status::Proposed, wrong);
                reasons.add(row.proposed_by == *by, Why::SecondPerson);
                self.lacking_reasons((row.case, row.top_up), row.amount, row.although_confirmed, reasons);
            }
            Command::Refuse { .. } => reasons.add(!row.is_only_asked_for(), wrong),
            Command::Asked { .. } | Command::Contradict { .. } | Command::Absent { .. } => {
                reasons.add(row.is_only_asked_for(), wrong);
            }
            Command::Answer { .. } => {
                reasons.add(row.is_only_asked_for(), wrong);
                reasons.add(row.is_open() && row.trouble.any(), Why::Contradiction(Noun::Reimbursement));
            }
            Command::ProposeResolution { resolution, .. } => {
                reasons.add(!row.fits(*resolution, self.surplus(row.top_up)), wrong);
            }
            Command::ApproveResolution { resolution, by, .. } => {
                reasons.add(!row.fits(*resolution, self.surplus(row.top_up)), wrong);
                row.trouble.approve_reasons(*resolution, *by, Noun::Reimbursement, reasons);
                if row.status == Status::Failed && *resolution == Resolution::Settle {
                    let top_up = &self.top_ups[&row.top_up];
                    let unreimbursed = top_up.amount - top_up.reimbursed;
                    let left = if row.trouble.any() { unreimbursed } else { self.lacking(row.top_up) };
                    self.debited_reasons(row.top_up, left, row.amount, reasons);
                }
            }
        }
    }

    fn propose_reimbursement_reasons(
        &self,
        id: ReimbursementId,
        (case, top_up, amount): (CaseId, TopUpId, Yen),
        (although_confirmed, by): (bool, StaffId),
        reasons: &mut Reasons,
    ) {
        reasons.add(amount.is_zero(), Why::AmountZero);
        let about = self.cases.get(&case).map(|case| case.about);
        reasons.add(about.is_none(), Why::Unknown(Noun::Case));
        let is_of_account = self.top_ups.get(&top_up).is_some_and(|row| Some(row.account) == about);
        reasons.add(!is_of_account, Why::Unknown(Noun::TopUp));
        if about.is_none() || !is_of_account {
            return;
        }
        match self.reimbursements.get(&id) {
            Some(row) => {
                let is_same = (row.case, row.top_up, row.amount) == (case, top_up, amount.amount());
                let is_same = is_same && (row.although_confirmed, row.proposed_by) == (although_confirmed, by);
                reasons.add(!is_same, Why::IdTaken(Noun::Reimbursement));
            }
            None => self.lacking_reasons((case, top_up), amount.amount(), although_confirmed, reasons),
        }
    }

    /// Notes why nothing of a top-up may be reimbursed, or not so much.
    fn lacking_reasons(
        &self,
        (case_id, top_up): (CaseId, TopUpId),
        amount: i64,
        although_confirmed: bool,
        reasons: &mut Reasons,
    ) {
        let case = &self.cases[&case_id];
        let is_upheld = case.status == CaseStatus::Closed && case.finding == Some(Finding::Upheld);
        reasons.add(!is_upheld, Why::Status(Noun::Case, case.status.into()));
        let row = &self.top_ups[&top_up];
        reasons.add(row.status != top_up::Status::Settled, Why::Status(Noun::TopUp, row.status.into()));
        reasons.add(row.trouble.any(), Why::Contradiction(Noun::TopUp));
        let is_anothers = row.restituted.is_some_and(|restituted| restituted.case != case_id);
        reasons.add(is_anothers, Why::Contradiction(Noun::Case));
        let is_confirmed = self.mandates[&row.mandate].confirmed;
        let confirmed = Why::Status(Noun::Mandate, Standing::ConfirmedByTrueHolder);
        reasons.add(is_confirmed && !although_confirmed, confirmed);
        self.debited_reasons(top_up, self.lacking(top_up), amount, reasons);
    }

    /// Notes that `amount` is more than is left of a debit.
    fn debited_reasons(&self, top_up: TopUpId, left: i64, amount: i64, reasons: &mut Reasons) {
        let at_most = self.top_ups[&top_up].amount;
        let why = Why::Limit { limit: Limit::Debited, at_most, left, requested: amount, from: None };
        reasons.add(amount > left, why);
    }

    /// What of a credited top-up has gone back to its account in no way: neither reimbursed nor paid out there.
    pub fn lacking(&self, top_up: TopUpId) -> i64 {
        let row = &self.top_ups[&top_up];
        if row.status != top_up::Status::Settled {
            return 0;
        }
        let there = self.payouts.values().filter(|payout| payout.is_open() || payout.status == PayoutStatus::Settled);
        let back = there.flat_map(|payout| &payout.back).filter(|(lot, _)| *lot == top_up.0);
        (row.amount - row.reimbursed - back.map(|(_, amount)| amount).sum::<i64>()).max(0)
    }

    /// What stands ready for an account that has so much by its holder's own payouts.
    pub fn surplus(&self, top_up: TopUpId) -> i64 {
        let row = &self.top_ups[&top_up];
        (row.restituted.map_or(0, |restituted| restituted.parked) - self.lacking(top_up)).max(0)
    }

    pub(super) fn reimbursement_apply(&mut self, command: &Command, receipt: &Receipt) -> Result<(), String> {
        let id = command.reimbursement();
        if let Command::Propose { case, top_up, amount, although_confirmed, by, .. } = command {
            let bank = self.top_ups[top_up].bank;
            self.reimbursements.entry(id).or_insert_with(|| Reimbursement {
                case: *case,
                top_up: *top_up,
                bank,
                amount: amount.amount(),
                status: Status::Proposed,
                proposed_by: *by,
                although_confirmed: *although_confirmed,
                trouble: Trouble::default(),
                absent: false,
                otherwise: false,
            });
        }
        let mut row = self.reimbursements.remove(&id).expect("an unknown reimbursement is a reason");
        let clearing = chart::clearing(row.bank);
        let before = self.books.balance(clearing);
        match command {
            Command::Approve { .. } => self.approve_reimbursement(&mut row),
            Command::Refuse { .. } => row.status = Status::Refused,
            Command::Asked { .. } if row.status == Status::Pending => row.status = Status::InDoubt,
            Command::Absent { .. } if row.is_open() => (row.status, row.absent) = (Status::InDoubt, true),
            Command::Propose { .. } | Command::Asked { .. } | Command::Absent { .. } => {}
            Command::Answer { done, .. } => match (row.status, done) {
                (Status::Done, true) if row.otherwise => row.trouble.claims(Claim::Moved(Yen::new(row.amount))),
                (Status::Done, false) if row.otherwise => {}
                (Status::Done, false) => row.trouble.claims(Claim::CameBack(Yen::new(row.amount))),
                (Status::Failed, true) => row.trouble.claims(Claim::Moved(Yen::new(row.amount))),
                (_, done) if row.is_open() => {
                    row.trouble.proposal = None;
                    if *done { self.reimburse(&mut row) } else { self.fail_reimbursement(&mut row) }
                }
                (_, _) => {}
            },
            Command::Contradict { claim, .. } => {
                let is_known = match row.status {
                    Status::Done if row.otherwise => *claim == Claim::NotMoved,
                    Status::Done => *claim == Claim::Moved(Yen::new(row.amount)),
                    Status::Failed => *claim == Claim::NotMoved,
                    Status::Proposed | Status::Refused | Status::Pending | Status::InDoubt => false,
                };
                if !is_known {
                    row.trouble.claims(*claim);
                }
            }
            Command::ProposeResolution { resolution, by, .. } => row.trouble.proposal = Some((*resolution, *by)),
            Command::ApproveResolution { resolution, .. } => self.resolve_reimbursement(&mut row, *resolution),
        }
        *self.at_bank.entry(id.0).or_default() += before - self.books.balance(clearing);
        let (status, amount, is_flagged) = (row.status, Yen::new(row.amount), row.trouble.any());
        self.reimbursements.insert(id, row);
        super::payment::expect(receipt, &Receipt::Reimbursement { id, status, amount, is_flagged })
    }

    /// What stands ready pays, then what the case keeps, and the operator the rest.
    fn approve_reimbursement(&mut self, row: &mut Reimbursement) {
        row.status = Status::Pending;
        self.count_reimbursed(row, row.amount);
        let parked = self.use_parked(row);
        let restitution = chart::restitution(row.case);
        let mut left = row.amount - parked;
        for (wallet, mut lot) in self.kept_for(row) {
            lot.amount = lot.amount.min(left);
            left -= lot.amount;
            self.restituted(row).taken += lot.amount;
            self.books.take(wallet, &lot);
            self.books.pay(chart::purse(wallet, Purse::Funds), restitution, lot.amount);
            self.books.unkeep(wallet, row.case, row.top_up, &lot);
        }
        self.books.pay(chart::reimbursement_expense(row.case), restitution, left);
    }

    /// What the case keeps in all its wallets, of the debit itself first, and nothing of another one.
    fn kept_for(&self, row: &Reimbursement) -> Vec<(WalletId, Lot)> {
        let case = &self.cases[&row.case];
        let of = |wallet: &WalletId| {
            let wallet = *wallet;
            self.books.kept_for(wallet, row.case, row.top_up).into_iter().map(move |lot| (wallet, lot))
        };
        let all: Vec<_> = case.wallets.iter().flat_map(of).collect();
        let is_its_own = |(_, lot): &&(WalletId, Lot)| lot.id == row.top_up.0 && lot.from().is_some();
        let own = all.iter().filter(is_its_own);
        let others = all.iter().filter(|each| !is_its_own(each));
        own.chain(others).take(TAKEN_MAX).copied().collect()
    }

    fn use_parked(&mut self, row: &Reimbursement) -> i64 {
        let restituted = self.restituted(row);
        let parked = restituted.parked.min(row.amount);
        restituted.parked -= parked;
        self.cases.get_mut(&row.case).expect("a reimbursement is of a case").parked -= parked;
        parked
    }

    /// What its case took for its debit.
    fn restituted(&mut self, row: &Reimbursement) -> &mut Restituted {
        let top_up = self.top_ups.get_mut(&row.top_up).expect("a reimbursement is of a top-up");
        top_up.restituted.get_or_insert(Restituted { case: row.case, taken: 0, parked: 0, freed: 0 })
    }

    fn count_reimbursed(&mut self, row: &Reimbursement, amount: i64) {
        self.top_ups.get_mut(&row.top_up).expect("a reimbursement is of a top-up").reimbursed += amount;
        self.cases.get_mut(&row.case).expect("a reimbursement is of a case").reimbursed += amount;
    }

    /// The account has it.
    fn reimburse(&mut self, row: &mut Reimbursement) {
        row.status = Status::Done;
        self.books.pay(chart::restitution(row.case), chart::clearing(row.bank), row.amount);
    }

    /// The account has it not: it stands ready for the next one of the debit, unless that has come back by itself.
    fn fail_reimbursement(&mut self, row: &mut Reimbursement) {
        row.status = Status::Failed;
        self.count_reimbursed(row, -row.amount);
        if self.top_ups[&row.top_up].status == top_up::Status::Settled {
            self.restituted(row).parked += row.amount;
            self.cases.get_mut(&row.case).expect("a reimbursement is of a case").parked += row.amount;
        } else {
            self.restituted(row).freed += row.amount;
            let (restitution, expense) = (chart::restitution(row.case), chart::reimbursement_expense(row.case));
            self.books.pay(restitution, expense, row.amount);
        }
    }

    fn resolve_reimbursement(&mut self, row: &mut Reimbursement, how: Resolution) {
        let is_said = std::mem::take(&mut row.trouble).any();
        let (clearing, otherwise) = (chart::clearing(row.bank), chart::paid_otherwise(row.bank));
        match (row.status, how) {
            (Status::Pending | Status::InDoubt, Resolution::Settle) => self.reimburse(row),
            (Status::Pending | Status::InDoubt, _) => self.fail_reimbursement(row),
            (Status::Done, Resolution::Decline) => {
                self.books.pay(chart::clearing(row.bank), chart::restitution(row.case), row.amount);
                self.fail_reimbursement(row);
            }
            (Status::Failed, Resolution::Settle) => {
                let parked = self.use_parked(row);
                let (expense, restitution) = (chart::reimbursement_expense(row.case), chart::restitution(row.case));
                self.books.pay(expense, restitution, row.amount - parked);
                self.count_reimbursed(row, row.amount);
                (row.status, row.otherwise) = (Status::Done, !is_said);
                self.books.pay(restitution, if is_said { clearing } else { otherwise }, row.amount);
            }
            // The bank paid what another way had paid: the account has it twice.
            (Status::Done, Resolution::Settle) => {
                row.otherwise = false;
                self.books.pay(otherwise, clearing, row.amount);
            }
            (Status::Failed, Resolution::Keep) if !is_said => self.free_surplus(row),
            (Status::Done | Status::Failed | Status::Proposed | Status::Refused, _) => {}
        }
    }

    /// What stands ready of a debit for nothing is the operator's.
    fn free_surplus(&mut self, row: &Reimbursement) {
        let surplus = self.surplus(row.top_up);
        let restituted = self.restituted(row);
        (restituted.parked, restituted.freed) = (restituted.parked - surplus, restituted.freed + surplus);
        self.cases.get_mut(&row.case).expect("a reimbursement is of a case").parked -= surplus;
        let (restitution, expense) = (chart::restitution(row.case), chart::reimbursement_expense(row.case));
        self.books.pay(restitution, expense, surplus);
    }

    /// What was debited from accounts whose holders were found to be right, with what they lack of each.
    pub fn to_reimburse(&self) -> Vec<(CaseId, TopUpId, i64)> {
        let upheld = self.cases.iter().filter(|(_, case)| case.finding == Some(Finding::Upheld));
        let each = |(id, case): (&CaseId, &super::case::Case)| {
            let id = *id;
            self.settled_from(case.about).into_iter().map(move |(top_up, left)| (id, top_up, left))
        };
        upheld.flat_map(each).collect()
    }

    /// The debits of an account of which something was credited and has not gone back, with how much.
    pub fn settled_from(&self, account: BankAccountId) -> Vec<(TopUpId, i64)> {
        let of = self.top_ups.iter().filter(|(_, row)| row.account == account);
        let settled = of.filter(|(_, row)| row.status == top_up::Status::Settled);
        settled.map(|(id, _)| (*id, self.lacking(*id))).filter(|(_, left)| *left > 0).collect()
    }

    /// A reimbursement that waits for its bank or for the desk.
    pub fn open_reimbursement(&self) -> Option<Id> {
        let waits = self.reimbursements.iter().find(|(_, row)| row.waits());
        waits.map(|(id, _)| id.0)
    }
}
