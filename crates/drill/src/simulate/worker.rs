//! The workers and the desk: what must be done because of what stands in the journal.
//!
//! They read the journal from a cursor that survives, and learn from it which movements there are; what they have planned
//! is in memory only. After a crash they look anew at every movement that they know to be open, as real workers would:
//! everything they do may happen twice. Each look reads the row as it is and does what its state asks for.

use super::bank::Kind;
use super::world::{self, World};
use domain::{Key, Time};
use engine::ActorKind;
use std::collections::{BTreeMap, BTreeSet};
use wallet::bank_answer::{Claim, Resolution};
use wallet::{
    BankCode, Command, MandateId, PaymentId, PayoutId, ReimbursementId, Row, SendId, StaffId, TopUpId, mandate,
    payment, payout, send, table, top_up,
};

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// The longest wait between two inquiries.
const BACKOFF_MS_MAX: i64 = 12 * HOUR_MS;
/// Records that are read twice after a crash, because the cursor was not saved in time.
const RECORDS_AGAIN_MAX: u64 = 20;
/// Looks at one movement until something must be wrong.
const LOOKS_MAX: u32 = 600;

/// What a worker has to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    TopUp(TopUpId),
    Payout(PayoutId),
    Payment(PaymentId),
    Send(SendId),
    Mandate(MandateId),
    Reimbursement(ReimbursementId),
}

/// A look that is due; stale if the process that planned it has died.
#[derive(Clone, Copy)]
pub struct Due {
    subject: Subject,
    life: u64,
}

/// What the workers know.
#[derive(Default)]
pub struct Worker {
    /// The last record that was read. Survives.
    cursor: u64,
    /// What may still have to be done. Survives.
    known: BTreeSet<Subject>,
    /// The present process.
    life: u64,
    /// Looks that are planned, and how many there were. In memory only.
    looks: BTreeMap<Subject, u32>,
    planned: BTreeSet<Subject>,
}

impl Subject {
    const fn key(self) -> Key {
        match self {
            Self::TopUp(id) => Key::new(table::TOP_UP, id.0),
            Self::Payout(id) => Key::new(table::PAYOUT, id.0),
            Self::Payment(id) => Key::new(table::PAYMENT, id.0),
            Self::Send(id) => Key::new(table::SEND, id.0),
            Self::Mandate(id) => Key::new(table::MANDATE, id.0),
            Self::Reimbursement(id) => Key::new(table::REIMBURSEMENT, id.0),
        }
    }

    fn of(key: Key) -> Option<Self> {
        match key.table {
            table::TOP_UP => Some(Self::TopUp(TopUpId(key.id))),
            table::PAYOUT => Some(Self::Payout(PayoutId(key.id))),
            table::PAYMENT => Some(Self::Payment(PaymentId(key.id))),
            table::SEND => Some(Self::Send(SendId(key.id))),
            table::MANDATE => Some(Self::Mandate(MandateId(key.id))),
            table::REIMBURSEMENT => Some(Self::Reimbursement(ReimbursementId(key.id))),
            _ => None,
        }
    }
}

impl World {
    /// The workers' process is new: what it had in memory is gone.
    pub(super) fn worker_restarts(&mut self) {
        self.worker.life += 1;
        self.worker.looks.clear();
        self.worker.planned.clear();
        let again = self.chance.below(RECORDS_AGAIN_MAX);
        self.worker.cursor = self.worker.cursor.saturating_sub(again);
        let known: Vec<Subject> = self.worker.known.iter().copied().collect();
        for subject in known {
            let after_ms = self.chance.between(SECOND_MS, MINUTE_MS);
            self.look_after(subject, after_ms);
        }
    }

    /// Reads what is new in the journal.
    pub(super) fn worker_reads(&mut self) -> Result<(), String> {
        let records = self.service.records(self.worker.cursor + 1)?;
        for record in records {
            self.worker.cursor = record.place.n;
            for subject in record.entry.touched.iter().filter_map(|touch| Subject::of(touch.key)) {
                self.worker.known.insert(subject);
                let after_ms = self.chance.between(10, 2 * SECOND_MS);
                self.look_after(subject, after_ms);
            }
        }
        Ok(())
    }

    /// Plans a look, unless one is planned.
    fn look_after(&mut self, subject: Subject, after_ms: i64) {
        if self.worker.planned.insert(subject) {
            let due = Due { subject, life: self.worker.life };
            self.schedule.at(self.now.plus_milliseconds(after_ms), world::Due::Worker(due));
        }
    }

    pub(super) fn work(&mut self, due: Due) -> Result<(), String> {
        if due.life != self.worker.life {
            return Ok(());
        }
        let subject = due.subject;
        self.worker.planned.remove(&subject);
        let looks = self.worker.looks.entry(subject).or_default();
        *looks += 1;
        let count = *looks;
        if count > LOOKS_MAX {
            return Err(format!("{subject:?} never comes to an end"));
        }
        let row = if self.service.is_dead() { None } else { self.service.row(subject.key())? };
        let next_ms = match (subject, row.as_deref()) {
            (Subject::TopUp(id), Some(Row::TopUp(row))) => self.look_at_top_up(id, row, count),
            (Subject::Payout(id), Some(Row::Payout(row))) => self.look_at_payout(id, row, count),
            (Subject::Payment(id), Some(Row::Payment(row))) => self.look_at_payment(id, row),
            (Subject::Send(id), Some(Row::Send(row))) => self.look_at_send(id, row),
            (Subject::Mandate(id), Some(Row::Mandate(row))) => self.look_at_mandate(id, row),
            (Subject::Reimbursement(id), Some(Row::Reimbursement(row))) => self.look_at_reimbursement(id, row, count),
            _ => None,
        };
        match next_ms {
            Some(after_ms) => self.look_after(subject, after_ms.max(SECOND_MS)),
            None => drop(self.worker.known.remove(&subject)),
        }
        Ok(())
    }

    /// How long to wait before the next inquiry.
    pub(super) fn backoff_ms(&mut self, count: u32) -> i64 {
        let most = (30 * SECOND_MS) << count.min(12);
        self.chance.between(most / 2, most).min(BACKOFF_MS_MAX)
    }

    fn look_at_top_up(&mut self, id: TopUpId, row: &top_up::TopUp, count: u32) -> Option<i64> {
        let (bank, accepted) = (row.debit.bank, row.debit.accepted);
        if row.is_flagged() {
            return Some(self.desk_settles_top_up(id, row));
        }
        match row.status {
            top_up::Status::Held => {
                let deadline = row.review.map_or(self.now, |review| review.deadline);
                if self.now >= deadline {
                    self.ask(ActorKind::System, Command::TopUp(top_up::Command::ExpireHeld { top_up: id }));
                    return Some(MINUTE_MS);
                }
                if self.chance.one_in(3) {
                    let (release, by) = (self.chance.percent(70), self.staff(0));
                    let command = top_up::Command::DecideHeld { top_up: id, release, by };
                    self.ask(ActorKind::Operator, Command::TopUp(command));
                }
                Some(self.until(deadline))
            }
            top_up::Status::Pending | top_up::Status::InDoubt => {
                if count <= 1 {
                    self.order(bank, Kind::TopUp(id), row.debit.amount.amount());
                    return Some(30 * SECOND_MS);
                }
                if row.status == top_up::Status::Pending || self.chance.one_in(4) {
                    self.ask(ActorKind::System, Command::TopUp(top_up::Command::Asked { top_up: id }));
                }
                self.inquire(bank, Kind::TopUp(id), accepted);
                Some(self.backoff_ms(count))
            }
            top_up::Status::Returned => {
                // Nobody pays by another way what the bank does not have any more.
                let bank_has = self.banks.get(&bank).map_or(0, |bank| bank.moved_to_us(id.0));
                let has_it = row.give_back.is_some_and(|given| bank_has >= given.amount.amount());
                let is_tried_out = row.give_backs_failed.len() >= top_up::GIVE_BACKS_FAILED_MAX;
                let has_a_way = has_it && (is_tried_out || row.proposal.is_some() || self.chance.one_in(5));
                if row.give_back_to_ask().is_some_and(|given| given.absent) && self.chance.one_in(2) {
                    self.desk_ends_give_back(id, row);
                } else if let Some(give_back) = row.give_back_to_ask() {
                    self.order(bank, Kind::GiveBack(id, give_back.id), give_back.amount.amount());
                } else if row.gives_back() && has_a_way {
                    self.desk_ends_give_back(id, row);
                } else if row.gives_back() {
                    let (give_back, by) = (wallet::GiveBackId(self.chance.id(self.now)), self.staff(0));
                    let command = top_up::Command::RetryGiveBack { top_up: id, give_back, by };
                    self.ask(ActorKind::Operator, Command::TopUp(command));
                } else {
                    return None;
                }
                Some(self.chance.between(HOUR_MS, 12 * HOUR_MS))
            }
            top_up::Status::Settled
            | top_up::Status::Declined
            | top_up::Status::Cancelled
            | top_up::Status::Reversed => None,
        }
    }

    fn look_at_payout(&mut self, id: PayoutId, row: &payout::Payout, count: u32) -> Option<i64> {
        let (bank, accepted) = (row.credit.bank, row.credit.accepted);
        if row.is_flagged() {
            return Some(self.desk_settles_payout(id, row));
        }
        match row.status {
            payout::Status::Held => {
                let deadline = row.review.map_or(self.now, |review| review.deadline);
                if self.now >= deadline {
                    self.ask(ActorKind::System, Command::Payout(payout::Command::ExpireHeld { payout: id }));
                    return Some(MINUTE_MS);
                }
                if self.chance.one_in(3) {
                    let (release, by) = (self.chance.percent(70), self.staff(0));
                    let command = payout::Command::DecideHeld { payout: id, release, by };
                    self.ask(ActorKind::Operator, Command::Payout(command));
                }
                Some(self.until(deadline))
            }
            payout::Status::Pending | payout::Status::InDoubt => {
                if count <= 1 {
                    self.order(bank, Kind::Payout(id), row.credit.amount.amount());
                    return Some(30 * SECOND_MS);
                }
                if row.status == payout::Status::Pending || self.chance.one_in(4) {
                    self.ask(ActorKind::System, Command::Payout(payout::Command::Asked { payout: id }));
                }
                self.inquire(bank, Kind::Payout(id), accepted);
                Some(self.backoff_ms(count))
            }
            payout::Status::Settled
            | payout::Status::Declined
            | payout::Status::Cancelled
            | payout::Status::Returned => None,
        }
    }

    /// Until the deadline, or some hours if that is later.
    fn until(&mut self, deadline: Time) -> i64 {
        let left_ms = deadline.milliseconds_since(self.now) + SECOND_MS;
        left_ms.min(self.chance.between(HOUR_MS, 8 * HOUR_MS))
    }

    fn look_at_payment(&mut self, id: PaymentId, row: &payment::Payment) -> Option<i64> {
        let expires = row.expires.filter(|_| row.status == payment::Status::Authorised)?;
        if self.now < expires {
            return Some(expires.milliseconds_since(self.now) + SECOND_MS);
        }
        self.ask(ActorKind::System, Command::Payment(payment::Command::Expire { payment: id }));
        Some(MINUTE_MS)
    }

    fn look_at_send(&mut self, id: SendId, row: &send::Send) -> Option<i64> {
        let review = row.review.filter(|_| row.status == send::Status::Held)?;
        if self.now >= review.deadline {
            self.ask(ActorKind::System, Command::Send(send::Command::ExpireHeld { send: id }));
            return Some(MINUTE_MS);
        }
        if self.chance.one_in(10) {
            let (release, by) = (self.chance.percent(60), self.staff(0));
            self.ask(ActorKind::Operator, Command::Send(send::Command::DecideHeld { send: id, release, by }));
        }
        Some(self.until(review.deadline))
    }

    fn look_at_mandate(&mut self, id: MandateId, row: &mandate::Mandate) -> Option<i64> {
        if row.status.is_over() || row.status == mandate::Status::Active {
            return None;
        }
        if self.now >= row.deadline {
            self.ask(ActorKind::System, Command::Mandate(mandate::Command::Expire { mandate: id }));
            return Some(MINUTE_MS);
        }
        if row.status == mandate::Status::InReview && self.chance.one_in(2) {
            let (accept, by) = (self.chance.percent(75), self.staff(0));
            if let Some(grant) = row.grant {
                let bank_account = grant.bank_account;
                let command = mandate::Command::Decide { mandate: id, bank_account, accept, by };
                self.ask(ActorKind::Operator, Command::Mandate(command));
            }
        }
        Some(self.until(row.deadline))
    }

    /// Somebody of the desk.
    pub(super) fn staff(&mut self, shift: u128) -> StaffId {
        StaffId(domain::Id::from_number(1 + shift * 4 + u128::from(self.chance.below(4))))
    }

    /// The desk telephones the bank, one person proposes, another approves.
    fn desk_settles_top_up(&mut self, id: TopUpId, row: &top_up::TopUp) -> i64 {
        self.bank_makes_whole(row.debit.bank, id.0);
        let truth = self.truth(row.debit.bank, Kind::TopUp(id));
        let waiting = row.give_back.filter(|_| row.gives_back());
        let is_gone = waiting
            .is_some_and(|given| row.claims.has(Claim::NotMoved) || row.claims.has(Claim::TakenBack(given.amount)));
        let is_there = waiting
            .is_some_and(|given| self.truth(row.debit.bank, Kind::GiveBack(id, given.id)) == given.amount.amount());
        let with_us = self.banks.get(&row.debit.bank).map_or(0, |bank| bank.moved_to_us(id.0));
        let came_back = row.claims.iter().any(|claim| matches!(claim, Claim::CameBack(_)));
        let is_otherwise = row.give_back.is_some_and(|given| given.otherwise);
        // By now the bank has given it back too, or has taken the debit back by itself.
        let is_twice = row.give_back.is_some_and(|given| with_us < given.amount.amount());
        let resolution = match row.status {
            top_up::Status::Returned if is_otherwise => {
                if is_twice {
                    Resolution::Settle
                } else {
                    Resolution::Keep
                }
            }
            top_up::Status::Returned if came_back && with_us > 0 => Resolution::Return,
            top_up::Status::Returned if is_there => Resolution::Settle,
            top_up::Status::Returned if is_gone && with_us == 0 => Resolution::AlreadyReturned,
            _ if !row.status.is_open() && row.status != top_up::Status::Settled => match row.claims.moved() {
                Some(amount)
                    if truth == amount.amount()
                        && row.status != top_up::Status::Returned
                        && (row.status != top_up::Status::Reversed || row.resolved == Some(Resolution::Decline)) =>
                {
                    Resolution::Return
                }
                _ => Resolution::Keep,
            },
            top_up::Status::Settled if truth == 0 => Resolution::Decline,
            top_up::Status::Settled => Resolution::Keep,
            _ if truth == row.debit.amount.amount() => Resolution::Settle,
            _ if truth == 0 => Resolution::Decline,
            _ => Resolution::Return,
        };
        let propose = |by| top_up::Command::Propose { top_up: id, resolution, by };
        let command = match row.proposal {
            Some(proposal) if proposal.resolution == resolution => {
                let by = if self.chance.one_in(6) { proposal.by } else { self.staff(1) };
                let give_back = wallet::GiveBackId(self.chance.id(self.now));
                top_up::Command::Approve { top_up: id, resolution, by, give_back }
            }
            Some(_) | None => propose(self.staff(0)),
        };
        self.meet_kind("desk_settles", Kind::TopUp(id));
        self.ask(ActorKind::Operator, Command::TopUp(command));
        self.chance.between(MINUTE_MS, 10 * HOUR_MS)
    }

    fn desk_settles_payout(&mut self, id: PayoutId, row: &payout::Payout) -> i64 {
        let (bank, asked) = (row.credit.bank, row.credit.amount.amount());
        self.bank_makes_whole(bank, id.0);
        let truth = match self.truth(bank, Kind::Payout(id)) {
            paid if paid != 0 && paid != asked => {
                // What the bank paid wrongly it puts right.
                if let Some(bank) = self.banks.get_mut(&bank) {
                    bank.put_right(id.0);
                }
                asked
            }
            truth => truth,
        };
        let resolution = match row.status {
            payout::Status::Held | payout::Status::Pending | payout::Status::InDoubt if truth == asked => {
                Resolution::Settle
            }
            payout::Status::Held | payout::Status::Pending | payout::Status::InDoubt => Resolution::Decline,
            payout::Status::Settled if truth == 0 => Resolution::Return,
            payout::Status::Declined | payout::Status::Cancelled | payout::Status::Returned
                if truth == asked && row.claims.has(Claim::Moved(row.credit.amount)) =>
            {
                Resolution::Settle
            }
            payout::Status::Settled
            | payout::Status::Declined
            | payout::Status::Cancelled
            | payout::Status::Returned => Resolution::Keep,
        };
        let command = match row.proposal {
            Some(proposal) if proposal.resolution == resolution => {
                let by = if self.chance.one_in(6) { proposal.by } else { self.staff(1) };
                payout::Command::Approve { payout: id, resolution, by }
            }
            Some(_) | None => payout::Command::Propose { payout: id, resolution, by: self.staff(0) },
        };
        self.meet_kind("desk_settles", Kind::Payout(id));
        self.ask(ActorKind::Operator, Command::Payout(command));
        self.chance.between(MINUTE_MS, 10 * HOUR_MS)
    }

    /// A bank that took back a part only is told to make up its mind.
    fn bank_makes_whole(&mut self, bank: BankCode, reference: domain::Id) {
        let takes_back = self.chance.one_in(2);
        if let Some(bank) = self.banks.get_mut(&bank) {
            bank.make_whole(reference, takes_back);
        }
    }

    pub(super) fn truth(&self, bank: BankCode, kind: Kind) -> i64 {
        self.banks.get(&bank).map_or(0, |bank| bank.truth(kind.reference()))
    }
}
