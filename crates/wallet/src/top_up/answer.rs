//! What the bank says, and the holder's wish: the table of the room, arm by arm.

use super::{Debit, Event, GiveBackStatus, Restituted, Status, TopUp};
use crate::bank_answer::{Answer, Claim, Resolution, Said};
use crate::canary;
use crate::ids::{GiveBackId, HolderId};
use crate::purse::{Lot, Piece, Purse, Source};
use crate::refusal::{Noun, Refusal};
use crate::state::{Decided, Rows};
use crate::wallet::Wallet;
use domain::{Moment, Time};
use ledger::Yen;

pub(super) fn wallet_of<'a>(rows: Rows<'a>, row: &TopUp) -> Result<&'a Wallet, Refusal> {
    rows.wallet(row.debit.wallet).ok_or(Refusal::Unknown { noun: Noun::Wallet })
}

/// The bank was asked once more, and said nothing yet.
pub(super) fn asked(row: &TopUp, moment: Moment) -> Decided {
    match row.status {
        Status::Held => Err(row.wrong_status()),
        Status::Pending | Status::InDoubt => {
            row.done(Event::Asked { top_up: row.debit.top_up, at: moment.now }, Status::InDoubt)
        }
        Status::Settled | Status::Declined | Status::Cancelled => row.silent(),
        Status::Returned | Status::Reversed => row.silent(),
    }
}

pub(super) fn answer(rows: Rows<'_>, row: &TopUp, answer: Answer, give_back: GiveBackId, moment: Moment) -> Decided {
    match answer.said() {
        Said::Nothing => nothing(row, moment),
        Said::NotMoved => not_moved(row, answer, moment),
        Said::Moved(amount) => moved(rows, row, answer, amount, give_back, moment),
    }
}

fn nothing(row: &TopUp, moment: Moment) -> Decided {
    match row.status {
        Status::Held => Err(row.wrong_status()),
        Status::Pending => row.done(Event::Doubted { top_up: row.debit.top_up, at: moment.now }, Status::InDoubt),
        Status::InDoubt | Status::Settled | Status::Declined | Status::Cancelled => row.silent(),
        Status::Returned | Status::Reversed => row.silent(),
    }
}

fn not_moved(row: &TopUp, answer: Answer, moment: Moment) -> Decided {
    match row.status {
        Status::Held | Status::Pending | Status::InDoubt if row.is_flagged() => {
            row.contradicted(Claim::NotMoved, moment)
        }
        Status::Held => Err(row.wrong_status()),
        Status::Pending | Status::InDoubt => {
            let status = row.status_without_debit();
            let event = Event::Ended {
                debit: row.debit,
                status,
                suspended: Yen::ZERO,
                answer: Some(answer),
                by: None,
                at: moment.now,
            };
            row.done(event, status)
        }
        Status::Settled | Status::Returned => row.contradicted(Claim::NotMoved, moment),
        Status::Declined | Status::Cancelled | Status::Reversed => row.silent(),
    }
}

fn moved(rows: Rows<'_>, row: &TopUp, answer: Answer, amount: Yen, give_back: GiveBackId, moment: Moment) -> Decided {
    let as_asked = amount == row.debit.amount;
    match row.status {
        Status::Held => row.contradicted(Claim::Moved(amount), moment),
        Status::Pending | Status::InDoubt if row.mismatch == Some(amount) => row.silent(),
        Status::Pending | Status::InDoubt if row.is_flagged() => row.contradicted(Claim::Moved(amount), moment),
        Status::Pending | Status::InDoubt if !as_asked => {
            let event = Event::Mismatched { debit: row.debit, debited: amount, answer, at: moment.now };
            Ok((vec![crate::Event::TopUp(event)], row.receipt(Status::InDoubt, true)))
        }
        Status::Pending | Status::InDoubt => {
            let (event, status) = credit(rows, row, Some(answer), give_back, moment)?;
            row.done(event, status)
        }
        Status::Settled if as_asked && canary::active("doubled_answer_credits_twice") => {
            let (event, status) = credit(rows, row, Some(answer), give_back, moment)?;
            row.done(event, status)
        }
        Status::Settled if as_asked => row.silent(),
        Status::Reversed if as_asked && row.resolved != Some(Resolution::Decline) => row.silent(),
        Status::Settled | Status::Reversed => row.contradicted(Claim::Moved(amount), moment),
        Status::Declined | Status::Cancelled => {
            let is_weak_no = row.answer.is_none_or(|answer| !answer.is_firm_no());
            if as_asked && is_weak_no && row.resolved.is_none() && !row.is_flagged() {
                return row.done(returned(row, amount, give_back, Some(answer), moment.now), Status::Returned);
            }
            row.contradicted(Claim::Moved(amount), moment)
        }
        Status::Returned if row.give_back.is_some_and(|given| given.amount == amount) => row.silent(),
        Status::Returned => row.contradicted(Claim::Moved(amount), moment),
    }
}

impl TopUp {
    /// How it ends when there was no debit.
    pub(super) const fn status_without_debit(&self) -> Status {
        if self.cancel_wished.is_some() { Status::Cancelled } else { Status::Declined }
    }
}

/// The money came as it was asked for: into the purse, or back where it came from if nobody there wants it any more.
pub(super) fn credit(
    rows: Rows<'_>,
    row: &TopUp,
    answer: Option<Answer>,
    give_back: GiveBackId,
    moment: Moment,
) -> Result<(Event, Status), Refusal> {
    let wallet = wallet_of(rows, row)?;
    let debit = row.debit;
    let is_wished_away = row.cancel_wished.is_some() && !canary::active("late_answer_after_cancel_is_credited");
    if is_wished_away || wallet.closed {
        return Ok((returned(row, debit.amount, give_back, answer, moment.now), Status::Returned));
    }
    let source = Source::TopUp(debit.bank_account);
    let lot = Lot { id: debit.top_up.0, source, received: moment.now, amount: debit.amount };
    let event = Event::Settled { debit, lot, suspended: row.suspended(), answer, at: moment.now };
    Ok((event, Status::Settled))
}

/// What was debited goes back to the account.
pub(super) fn returned(row: &TopUp, debited: Yen, give_back: GiveBackId, answer: Option<Answer>, now: Time) -> Event {
    Event::Returned {
        debit: row.debit,
        held: row.status.is_open(),
        suspended: row.suspended(),
        debited,
        give_back,
        answer,
        at: now,
    }
}

/// Before the bank may have been asked, a wish is an end. Afterwards it stays a wish until the bank confirms that there was
/// no debit.
pub(super) fn cancel(rows: Rows<'_>, row: &TopUp, holder: HolderId, moment: Moment) -> Decided {
    rows.wallet_of(row.debit.wallet, holder).map_err(|_| Refusal::Unknown { noun: Noun::TopUp })?;
    match row.status {
        Status::Held if row.is_flagged() => Err(row.contradiction()),
        Status::Held => {
            let event = Event::Ended {
                debit: row.debit,
                status: Status::Cancelled,
                suspended: Yen::ZERO,
                answer: None,
                by: None,
                at: moment.now,
            };
            row.done(event, Status::Cancelled)
        }
        Status::Pending | Status::InDoubt if row.cancel_wished.is_some() => row.silent(),
        Status::Pending | Status::InDoubt => {
            row.done(Event::CancelWished { top_up: row.debit.top_up, at: moment.now }, row.status)
        }
        Status::Cancelled => row.silent(),
        Status::Settled | Status::Declined | Status::Returned | Status::Reversed => Err(row.wrong_status()),
    }
}

/// The bank took it back. If that is heard before the debit itself, the two together are no credit; the debit's own answer
/// then comes late, and changes nothing. If it is heard of what was never asked for, or of what was not debited, it is kept:
/// whoever settles what the bank may yet say of a debit must know of it.
pub(super) fn reverse(rows: Rows<'_>, row: &TopUp, amount: Yen, moment: Moment) -> Decided {
    let claim = Claim::TakenBack(amount);
    match row.status {
        Status::Pending | Status::InDoubt => {
            if !row.claims.is_empty() || amount != row.mismatch.unwrap_or(row.debit.amount) {
                return row.contradicted(claim, moment);
            }
            row.reversed(wallet_of(rows, row)?, moment)
        }
        Status::Settled if amount == row.debit.amount && row.reimbursed.is_zero() => {
            row.reversed(wallet_of(rows, row)?, moment)
        }
        Status::Reversed if amount == row.debit.amount => row.silent(),
        Status::Settled | Status::Reversed | Status::Returned => row.contradicted(claim, moment),
        Status::Held | Status::Declined | Status::Cancelled => row.contradicted(claim, moment),
    }
}

/// The gateway, which heard the bank's words in their order, calls this one a contradiction. What agrees with what is on
/// record here is none: two people may have settled it since.
pub(super) fn contradict(row: &TopUp, claim: Claim, moment: Moment) -> Decided {
    let amount = row.debit.amount;
    let given_back = row.give_back.map(|given| given.amount);
    let is_on_record = match (row.status, claim) {
        (Status::Settled, Claim::Moved(moved)) | (Status::Reversed, Claim::Moved(moved) | Claim::TakenBack(moved)) => {
            moved == amount
        }
        (Status::Declined | Status::Cancelled | Status::Reversed, Claim::NotMoved) => true,
        (Status::Returned, Claim::Moved(moved)) => given_back == Some(moved),
        (Status::Held | Status::Pending | Status::InDoubt, _)
        | (Status::Settled | Status::Returned, Claim::NotMoved | Claim::TakenBack(_))
        | (Status::Declined | Status::Cancelled, Claim::Moved(_) | Claim::TakenBack(_))
        | (_, Claim::CameBack(_)) => false,
    };
    if is_on_record { row.silent() } else { row.contradicted(claim, moment) }
}

/// What was given back did not stay: a contradiction in every status, for the books know of none that came back. Before it is
/// confirmed, or after the bank said that it could not, the confirmation may still be on its way, and must not be believed
/// then. Refusals in order: nothing goes back, another give-back.
pub(super) fn reverse_give_back(row: &TopUp, id: GiveBackId, amount: Yen, moment: Moment) -> Decided {
    let Some(give_back) = row.give_back else { return Err(row.wrong_status()) };
    if give_back.id != id && !row.give_backs_failed.contains(&id) {
        return Err(Refusal::Unknown { noun: Noun::GiveBack });
    }
    row.contradicted(Claim::CameBack(amount), moment)
}

impl TopUp {
    fn reversed(&self, wallet: &Wallet, moment: Moment) -> Decided {
        self.done(self.reversal(wallet, moment), Status::Reversed)
    }

    /// What is left of the lot in the purse is taken; the rest is owed, also where it stands in another movement's hold: if
    /// that ends without moving it, it comes back to a wallet that owes. What a case took for this debit is neither: it was paid once.
    pub(super) fn reversal(&self, wallet: &Wallet, moment: Moment) -> Event {
        let debit = self.debit;
        if self.status.is_open() {
            let suspended = self.suspended();
            let (taken, restituted, owed) = (None, None, Yen::ZERO);
            return Event::Reversed { debit, held: true, suspended, taken, restituted, owed, at: moment.now };
        }
        let restituted = self.restituted;
        let unpaid = debit.amount.saturating_sub(restituted.map_or(Yen::ZERO, |restituted| restituted.paid(&debit)));
        let source = Source::TopUp(debit.bank_account);
        let lot = wallet.funds.lots.iter().find(|lot| lot.id == debit.top_up.0 && lot.source == source);
        let left = lot.map(|lot| Lot { amount: lot.amount.min(unpaid), ..*lot }).filter(|lot| !lot.amount.is_zero());
        let taken = left.map(|lot| Piece { purse: Purse::Funds, lot });
        let amount = if canary::active("reversal_owes_nothing") { Yen::ZERO } else { unpaid };
        let owed = amount.saturating_sub(left.map_or(Yen::ZERO, |lot| lot.amount));
        let suspended = Yen::ZERO;
        Event::Reversed { debit, held: false, suspended, taken, restituted, owed, at: moment.now }
    }
}

impl Restituted {
    /// What purses have paid of the debit, so that nobody owes it.
    pub(crate) fn paid(&self, debit: &Debit) -> Yen {
        self.taken.min(debit.amount)
    }
}

/// The bank knew nothing of the give-back to the last: noted once. It is no answer, for the bank itself never said no. Refusals in
/// order: nothing goes back, another give-back.
pub(super) fn absent_give_back(row: &TopUp, id: GiveBackId, moment: Moment) -> Decided {
    let Some(give_back) = row.give_back else { return Err(row.wrong_status()) };
    if give_back.id != id && !row.give_backs_failed.contains(&id) {
        return Err(Refusal::Unknown { noun: Noun::GiveBack });
    }
    if give_back.id != id || give_back.status != GiveBackStatus::Pending || give_back.absent {
        return row.silent();
    }
    row.done(Event::GiveBackAbsent { top_up: row.debit.top_up, at: moment.now }, row.status)
}

/// The bank's word on money that is given back: its first one is taken, and another one is a contradiction. Refusals in order:
/// nothing goes back, another give-back, a contradiction first: the bank is asked again once two people have settled that.
pub(super) fn answer_give_back(row: &TopUp, id: GiveBackId, done: bool, moment: Moment) -> Decided {
    let Some(give_back) = row.give_back else { return Err(row.wrong_status()) };
    if row.give_backs_failed.contains(&id) {
        // If the bank made it after all, the account must not get it twice; unless two people have found that already.
        let is_news = done && give_back.status != GiveBackStatus::TakenBack;
        return if is_news { row.contradicted(Claim::TakenBack(give_back.amount), moment) } else { row.silent() };
    }
    if give_back.id != id {
        return Err(Refusal::Unknown { noun: Noun::GiveBack });
    }
    let (there, not_there) = (Claim::TakenBack(give_back.amount), Claim::CameBack(give_back.amount));
    match (give_back.status, done) {
        // No bank had paid it, and two people had said that another way did: now the account has it twice.
        (GiveBackStatus::Done, true) if give_back.otherwise => row.contradicted(there, moment),
        (GiveBackStatus::Done, false) if give_back.otherwise => row.silent(),
        (GiveBackStatus::Done, true) | (GiveBackStatus::TakenBack | GiveBackStatus::Failed, false) => row.silent(),
        // It paid twice after all; or it could, where it had said that it could not.
        (GiveBackStatus::TakenBack | GiveBackStatus::Failed, true) => row.contradicted(there, moment),
        // It had said that the account has it.
        (GiveBackStatus::Done, false) => row.contradicted(not_there, moment),
        (GiveBackStatus::Pending, _) if row.is_flagged() => Err(row.contradiction()),
        (GiveBackStatus::Pending, true) => {
            row.done(Event::GivenBack { debit: row.debit, amount: give_back.amount, at: moment.now }, row.status)
        }
        (GiveBackStatus::Pending, false) => {
            row.done(Event::GiveBackFailed { top_up: row.debit.top_up, at: moment.now }, row.status)
        }
    }
}
