//! The oracle: an independent, naive model of the money.
//!
//! It sees the commands that were sent, the answers that came back and the banks' own books, and never a row, an event or
//! the journal. It keeps plain maps of yen, and for each answer it knows whether the command should have been carried
//! out: an answer that it cannot explain is a violation. Where it compares itself with the service's rows, that is
//! `compare.rs`. Start reading at [`Oracle::judge`].

mod books;
mod case;
mod compare;
mod give_back;
mod guard;
mod mandate;
mod moves;
mod payment;
mod payout;
mod reimbursement;
mod rows;
mod switches;
mod tally;
mod top_up;
mod voucher;
mod wallets;
mod why;

pub use books::{Books, Lot};
pub use guard::simulated_guard;
pub use tally::{Tally, What, date, next_month, tomorrow};
pub use why::{Reasons, Why};

use super::ask::{Ask, Lost};
use super::phase;
use super::service::Fired;
use domain::{Domain, Id, Key, Moment, Time};
use engine::{ActorKind, Answered, Believed, EngineError, Place};
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};
use wallet::{
    BankAccountId, BonusId, CaseId, Command, FrozenBy, HolderId, MandateId, PaymentCodeId, PaymentId, PayoutId,
    PersonId, Policy, Receipt, Refusal, ReimbursementId, SendId, ShopId, StaffId, Standing, Tier, TopUpId, VoucherId,
    WalletId, Wallets,
};

/// A clock that is further behind than this is not believed.
const DRIFT_MS_MAX: i64 = 10_000;

/// A wallet as the model knows it.
pub struct Holding {
    /// Whose.
    pub holder: HolderId,
    /// Who that is.
    pub person: Option<PersonId>,
    /// How far that is proven.
    pub tier: Tier,
    /// Since when.
    pub opened: Time,
    /// By whom it is frozen.
    pub frozen: BTreeSet<FrozenBy>,
    /// What is owed, by lot, in the order in which it arose.
    pub debts: Vec<(Id, i64)>,
    /// What was owed and was written off, by lot, less what came back of it since.
    pub written_off: BTreeMap<Id, i64>,
    /// The payout that takes out all there is, if the wallet is being closed.
    pub closing: Option<PayoutId>,
    /// Closed for good.
    pub closed: bool,
}

impl Holding {
    /// How it stands.
    pub fn status(&self) -> Standing {
        match (self.closed, self.frozen.is_empty(), self.closing) {
            (true, _, _) => Standing::Closed,
            (false, false, _) => Standing::Frozen,
            (false, true, Some(_)) => Standing::Closing,
            (false, true, None) => Standing::Open,
        }
    }

    /// What is owed of `lot`.
    pub fn owed_of(&self, lot: Id) -> i64 {
        self.debts.iter().find(|(of, _)| *of == lot).map_or(0, |(_, owed)| *owed)
    }

    /// Of `amount` of `lot` that came back: what the operator has again that it had written off.
    pub fn recover(&mut self, lot: Id, amount: i64) -> i64 {
        let Some(left) = self.written_off.get_mut(&lot) else { return 0 };
        let back = amount.min(*left);
        *left -= back;
        back
    }
}

/// The model.
pub struct Oracle {
    /// The figures of the day on which the last command was decided.
    policy: Policy,
    /// Those of the first days.
    first: Policy,
    /// Those that come into force on a later day.
    later: (Date, Policy),
    /// Who has how much.
    pub books: Books,
    /// What counted towards limits.
    pub tally: Tally,
    /// All wallets.
    pub wallets: BTreeMap<WalletId, Holding>,
    holders: BTreeMap<HolderId, wallets::Known>,
    shops: BTreeMap<ShopId, bool>,
    payments: BTreeMap<PaymentId, payment::Payment>,
    codes: BTreeMap<PaymentCodeId, payment::Code>,
    vouchers: BTreeMap<VoucherId, voucher::Voucher>,
    /// When one person of the desk first made a voucher alone on the last date on which one did, and how much they all did.
    made_alone: Option<(Time, i64)>,
    bonuses: BTreeSet<BonusId>,
    sends: BTreeMap<SendId, voucher::Send>,
    /// All mandates.
    pub mandates: BTreeMap<MandateId, mandate::Mandate>,
    /// Bank accounts that were ever linked.
    pub linked: BTreeMap<BankAccountId, mandate::Linked>,
    /// All top-ups.
    pub top_ups: BTreeMap<TopUpId, top_up::TopUp>,
    /// All payouts.
    pub payouts: BTreeMap<PayoutId, payout::Payout>,
    /// What our books say that each reference has moved at its bank, to us.
    pub at_bank: BTreeMap<Id, i64>,
    switches: switches::Switches,
    /// How often a wallet's attempts were refused on a date.
    refused: BTreeMap<(WalletId, Date), u32>,
    /// All cases.
    pub cases: BTreeMap<CaseId, case::Case>,
    /// All reimbursements.
    pub reimbursements: BTreeMap<ReimbursementId, reimbursement::Reimbursement>,
    /// What one person of the desk proposed to write off, and who.
    write_offs: BTreeMap<WalletId, (i64, StaffId)>,
    /// Every answer that a request key ever got: the body, and what was said.
    answered: BTreeMap<[u8; 16], ([u8; 16], Reply)>,
    /// The time of the last record that somebody was told of.
    lane_at: Time,
    /// The latest time that anybody has sent: counts of refusals may have brought it into the lane, of which nobody is told.
    sent_at: Time,
    journals_all: bool,
    /// The rows of what the last batch was about.
    touched: BTreeSet<Key>,
}

/// What a command was answered.
type Reply = Result<Receipt, Refusal>;

/// What the model has learned of one answer.
pub enum Learned {
    /// The command was carried out, for the first time.
    Done(Receipt),
    /// It was refused, for the first time.
    Refused(Why),
    /// The same as before.
    Repeated,
    /// The key came with another body, and was refused.
    KeyReused,
    /// It was refused beyond what is journaled in an hour: its key has no answer.
    TooOften,
    /// Nothing happened, or nobody knows: it is to be tried again.
    Nothing,
}

impl Oracle {
    /// A model that knows the figures, those from `day` on too, and that nothing has happened yet.
    pub fn new(first: Policy, day: Date, later: Policy) -> Self {
        Self {
            policy: first.clone(),
            first,
            later: (day, later),
            books: Books::default(),
            tally: Tally::default(),
            wallets: BTreeMap::new(),
            holders: BTreeMap::new(),
            shops: BTreeMap::new(),
            payments: BTreeMap::new(),
            codes: BTreeMap::new(),
            vouchers: BTreeMap::new(),
            made_alone: None,
            bonuses: BTreeSet::new(),
            sends: BTreeMap::new(),
            mandates: BTreeMap::new(),
            linked: BTreeMap::new(),
            top_ups: BTreeMap::new(),
            payouts: BTreeMap::new(),
            at_bank: BTreeMap::new(),
            switches: switches::Switches::default(),
            refused: BTreeMap::new(),
            cases: BTreeMap::new(),
            reimbursements: BTreeMap::new(),
            write_offs: BTreeMap::new(),
            answered: BTreeMap::new(),
            lane_at: Time::default(),
            sent_at: Time::default(),
            journals_all: false,
            touched: BTreeSet::new(),
        }
    }

    /// Every refusal is journaled: then the lane's time is known to the millisecond.
    pub fn expect_every_record(&mut self) {
        self.journals_all = true;
    }

    /// Judges one answer, and learns from it. An error is a violation.
    pub fn judge(&mut self, ask: &Ask, answered: &Answered<Wallets>, fired: &Fired) -> Result<Learned, String> {
        self.sent_at = self.sent_at.max(heard_at(ask.at, ask.believed));
        for lost in &ask.lost {
            self.sent_at = self.sent_at.max(heard_at(lost.at, lost.believed));
        }
        let answer = match answered {
            Ok(answer) => answer,
            Err(EngineError::Unavailable(_)) if fired.explains_unavailable() => return Ok(Learned::Nothing),
            Err(EngineError::Halted(_)) if fired.explains_halt() => return Ok(Learned::Nothing),
            Err(EngineError::Busy | EngineError::Unavailable(_) | EngineError::Halted(_) | EngineError::Stopped) => {
                return Err(format!("{:?} is told {answered:?}, and of the faults fired only {fired:?}", ask.command));
            }
            Err(EngineError::Defect { place }) => {
                return Err(format!("{} is a defect: record {}", ask.name(), place.n));
            }
            Err(EngineError::KeyReused) => return self.judge_reused(ask),
            Err(EngineError::RefusedTooOften { at, .. }) => return self.judge_too_often(ask, *at),
        };
        if let Some((body, before)) = self.answered.get(&ask.request.key) {
            let same = *body == ask.request.body && *before == answer.reply && answer.repeated;
            return if same {
                Ok(Learned::Repeated)
            } else {
                Err(format!(
                    "a repeated key was answered {:?} (repeated: {}), before {before:?}",
                    answer.reply, answer.repeated
                ))
            };
        }
        let moment = self.moment(ask, answer.at, answer.place, answer.repeated)?;
        // What only asks for a proof is no answer of the key: whoever comes again is looked at anew.
        let asks_for_more = answer.reply.as_ref().is_err_and(Wallets::asks_for_more);
        if asks_for_more && answer.repeated {
            return Err(format!("{:?} has a key that keeps {:?}", ask.command, answer.reply));
        }
        if !asks_for_more && answer.place.is_some() {
            self.answered.insert(ask.request.key, (ask.request.body, answer.reply.clone()));
        } else if !asks_for_more && ask.actor.kind != ActorKind::Anyone {
            return Err(format!("{:?} was answered under a key, and no record says so", ask.command));
        }
        let reasons = self.reasons(&ask.command, moment);
        match &answer.reply {
            Ok(receipt) if reasons.0.is_empty() => {
                self.apply(&ask.command, receipt, moment)?;
                self.touched.extend(phase::subject(&ask.command).map(|(_, key)| key));
                Ok(Learned::Done(receipt.clone()))
            }
            Ok(_) => Err(format!("{:?} was carried out in spite of {:?}", ask.command, reasons.0)),
            Err(refusal) if reasons.0.contains(&Why::of(refusal)) => {
                if answer.place.is_some() {
                    self.count_refused(&ask.command, refusal, answer.at);
                }
                Ok(Learned::Refused(Why::of(refusal)))
            }
            Err(refusal) => {
                Err(format!("{:?} was refused as {refusal:?}; the model knows {:?}", ask.command, reasons.0))
            }
        }
    }

    fn judge_reused(&self, ask: &Ask) -> Result<Learned, String> {
        match self.answered.get(&ask.request.key) {
            Some((body, _)) if *body != ask.request.body => Ok(Learned::KeyReused),
            Some(_) | None => Err(format!("{} was refused for a key that never came with another body", ask.name())),
        }
    }

    /// Without an answer there is still a reason to refuse; and a key that has an answer gives that one.
    fn judge_too_often(&mut self, ask: &Ask, at: Time) -> Result<Learned, String> {
        if self.answered.contains_key(&ask.request.key) {
            return Err(format!("{} has a key that was answered before, and was not answered so again", ask.name()));
        }
        let moment = self.moment(ask, at, None, false)?;
        if self.reasons(&ask.command, moment).0.is_empty() {
            return Err(format!("{:?} was refused, and the model knows no reason", ask.command));
        }
        Ok(Learned::TooOften)
    }

    /// The moment at which a command was decided, from when it was sent and when its answer says it was decided.
    fn moment(&mut self, ask: &Ask, at: Time, place: Option<Place>, repeated: bool) -> Result<Moment, String> {
        let is_expected = |(sent, believed): &(Time, Believed)| {
            let heard = heard_at(*sent, *believed);
            let (earliest, latest) = (heard.max(self.lane_at), heard.max(self.sent_at));
            // An attempt that was lost may stand in the journal as one that only asked for a proof: then its time is the lane's.
            let is_known = self.journals_all && ask.lost.is_empty();
            at == earliest || (!is_known && earliest <= at && at <= latest)
        };
        // The answer of an attempt that was lost comes with the repetition, and tells of that attempt: the first one
        // before whose end its record stood in the journal.
        let stood = |lost: &&Lost| place.is_some_and(|place| place <= lost.head);
        let sent = if repeated {
            ask.lost.iter().find(stood).map(|lost| (lost.at, lost.believed))
        } else {
            Some((ask.at, ask.believed))
        };
        let Some((sent, believed)) = sent.filter(is_expected) else {
            return Err(format!(
                "a command sent at {}, before that at {:?}, was decided at {}, the lane at {}",
                ask.at, ask.lost, at, self.lane_at
            ));
        };
        let is_wrong = !believed.is_trusted || sent > believed.time_max;
        let clock_drifted = is_wrong || at.milliseconds_since(sent) > DRIFT_MS_MAX;
        if place.is_some() {
            self.lane_at = self.lane_at.max(at);
        }
        self.policy = self.in_force(at);
        Ok(Moment { now: at, clock_drifted })
    }

    /// Every reason to refuse `command`.
    fn reasons(&self, command: &Command, moment: Moment) -> Reasons {
        let mut reasons = Reasons::default();
        match command {
            Command::Holder(command) => self.holder_reasons(command, &mut reasons),
            Command::Wallet(command) => self.wallet_reasons(command, moment, &mut reasons),
            Command::Shop(command) => self.shop_reasons(command, &mut reasons),
            Command::Mandate(command) => self.mandate_reasons(command, moment, &mut reasons),
            Command::TopUp(command) => self.top_up_reasons(command, moment, &mut reasons),
            Command::Payout(command) => self.payout_reasons(command, moment, &mut reasons),
            Command::Send(command) => self.send_reasons(command, moment, &mut reasons),
            Command::Voucher(command) => self.voucher_reasons(command, moment, &mut reasons),
            Command::Bonus(command) => self.bonus_reasons(command, &mut reasons),
            Command::Payment(command) => self.payment_reasons(command, moment, &mut reasons),
            Command::Switches(command) => self.switches_reasons(command, moment, &mut reasons),
            Command::Case(command) => self.case_reasons(command, &mut reasons),
            Command::Reimbursement(command) => self.reimbursement_reasons(command, moment, &mut reasons),
        }
        reasons
    }

    fn apply(&mut self, command: &Command, receipt: &Receipt, moment: Moment) -> Result<(), String> {
        match command {
            Command::Holder(command) => self.holder_apply(command),
            Command::Wallet(command) => return self.wallet_apply(command, receipt, moment),
            Command::Shop(command) => self.shop_apply(command),
            Command::Mandate(command) => return self.mandate_apply(command, receipt, moment),
            Command::TopUp(command) => return self.top_up_apply(command, receipt, moment),
            Command::Payout(command) => return self.payout_apply(command, receipt, moment),
            Command::Send(command) => self.send_apply(command, moment),
            Command::Voucher(command) => self.voucher_apply(command, moment),
            Command::Bonus(command) => self.bonus_apply(command, moment),
            Command::Payment(command) => return self.payment_apply(command, receipt, moment),
            Command::Switches(command) => return self.switches_apply(command, receipt, moment),
            Command::Case(command) => return self.case_apply(command, receipt),
            Command::Reimbursement(command) => return self.reimbursement_apply(command, receipt),
        }
        Ok(())
    }

    /// Notes what keeps money from leaving `wallet`, or anything from happening there.
    fn outflow_reasons(wallet: &Holding, reasons: &mut Reasons) {
        Self::staying_reasons(wallet, None, reasons);
        Self::leaving_reasons(wallet, reasons);
    }

    /// Notes that a wallet is closed, or is being closed by another payout than `last`.
    fn staying_reasons(wallet: &Holding, last: Option<PayoutId>, reasons: &mut Reasons) {
        let wrong = |standing| Why::Status(wallet::Noun::Wallet, standing);
        let is_closing = !wallet.closed && wallet.closing.is_some_and(|by| Some(by) != last);
        reasons.add(wallet.closed, wrong(Standing::Closed));
        reasons.add(is_closing, wrong(Standing::Closing));
    }

    /// The same for the payout that the wallet is being closed with.
    fn leaving_reasons(wallet: &Holding, reasons: &mut Reasons) {
        reasons.add(wallet.closed, Why::Status(wallet::Noun::Wallet, Standing::Closed));
        let owes = (!wallet.debts.is_empty()).then_some(FrozenBy::Debt);
        if let Some(by) = wallet.frozen.first().copied().or(owes) {
            reasons.add(true, Why::Frozen(by));
        }
    }

    /// The same for what was held for a shop before: the holder's own freeze does not keep it.
    fn promised_reasons(wallet: &Holding, reasons: &mut Reasons) {
        Self::staying_reasons(wallet, None, reasons);
        let desk = wallet.frozen.contains(&FrozenBy::Desk).then_some(FrozenBy::Desk);
        let owes = (!wallet.debts.is_empty()).then_some(FrozenBy::Debt);
        reasons.0.extend(desk.or(owes).map(Why::Frozen));
    }
}

/// The time of what was sent at `sent`, as far as the service believes its clock.
fn heard_at(sent: Time, believed: Believed) -> Time {
    if believed.is_trusted { sent.min(believed.time_max) } else { believed.time_max }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::Request;
    use wallet::shop;

    #[test]
    fn a_refusal_that_no_fault_explains_is_a_violation() {
        let judge = |answer: EngineError, fired: &Fired| {
            let mut oracle = Oracle::new(Policy::default(), Date::MAX, Policy::default());
            let command = Command::Shop(shop::Command::Open { shop: ShopId(Id::default()) });
            let request = Request { key: [1; 16], body: [2; 16] };
            oracle.judge(&Ask::new(command, ActorKind::Operator, request, Time::default()), &Err(answer), fired).is_ok()
        };
        let unavailable = || EngineError::Unavailable("no room".into());
        let halted = || EngineError::Halted("dead".into());
        let (load, crash) = (Fired::only("load_unavailable"), Fired::only("torn_commit"));
        assert!(judge(unavailable(), &load) && judge(halted(), &crash));
        assert!(!judge(unavailable(), &crash) && !judge(halted(), &load));
        for answer in [unavailable(), halted(), EngineError::Busy, EngineError::Stopped] {
            assert!(!judge(answer, &Fired::only("")), "nothing fired");
        }
    }
}
