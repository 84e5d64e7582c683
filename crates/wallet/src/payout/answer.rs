//! What the bank says, and the holder's wish: the table of the room, arm by arm.

use super::{Event, GivenBack, Payout, Status};
use crate::bank_answer::{Answer, Claim, Resolution, Said};
use crate::ids::{HolderId, StaffId};
use crate::refusal::{Noun, Refusal};
use crate::state::{Decided, Rows};
use crate::wallet::Wallet;
use domain::Moment;
use ledger::Yen;

pub(super) fn wallet_of<'a>(rows: Rows<'a>, row: &Payout) -> Result<&'a Wallet, Refusal> {
    rows.wallet(row.credit.wallet).ok_or(Refusal::Unknown { noun: Noun::Wallet })
}

/// The bank was asked once more, and said nothing yet.
pub(super) fn asked(row: &Payout, moment: Moment) -> Decided {
    match row.status {
        Status::Held => Err(row.wrong_status()),
        Status::Pending | Status::InDoubt => {
            row.done(Event::Asked { payout: row.credit.payout, at: moment.now }, Status::InDoubt)
        }
        Status::Settled | Status::Declined | Status::Cancelled | Status::Returned => row.silent(),
    }
}

pub(super) fn answer(rows: Rows<'_>, row: &Payout, answer: Answer, moment: Moment) -> Decided {
    match answer.said() {
        Said::Nothing => nothing(row, moment),
        Said::NotMoved => not_moved(rows, row, answer, moment),
        Said::Moved(amount) => moved(row, answer, amount, moment),
    }
}

fn nothing(row: &Payout, moment: Moment) -> Decided {
    match row.status {
        Status::Held => Err(row.wrong_status()),
        Status::Pending => row.done(Event::Doubted { payout: row.credit.payout, at: moment.now }, Status::InDoubt),
        Status::InDoubt | Status::Settled | Status::Declined => row.silent(),
        Status::Cancelled | Status::Returned => row.silent(),
    }
}

fn not_moved(rows: Rows<'_>, row: &Payout, answer: Answer, moment: Moment) -> Decided {
    match row.status {
        Status::Held | Status::Pending | Status::InDoubt if row.is_flagged() => {
            row.contradicted(Claim::NotMoved, moment)
        }
        Status::Held => Err(row.wrong_status()),
        Status::Pending | Status::InDoubt => {
            let status = row.status_without_payment();
            row.done(row.ended(wallet_of(rows, row)?, status, Some(answer), None, moment), status)
        }
        Status::Settled => row.contradicted(Claim::NotMoved, moment),
        Status::Declined | Status::Cancelled | Status::Returned => row.silent(),
    }
}

fn moved(row: &Payout, answer: Answer, amount: Yen, moment: Moment) -> Decided {
    let as_asked = amount == row.credit.amount;
    match row.status {
        Status::Pending | Status::InDoubt if row.mismatch == Some(amount) => row.silent(),
        Status::Pending | Status::InDoubt if row.is_flagged() => row.contradicted(Claim::Moved(amount), moment),
        Status::Pending | Status::InDoubt if as_asked => row.done(row.settled(Some(answer), moment), Status::Settled),
        Status::Pending | Status::InDoubt => {
            let event = Event::Mismatched { credit: row.credit, paid: amount, answer, at: moment.now };
            Ok((vec![crate::Event::Payout(event)], row.receipt(Status::InDoubt, true)))
        }
        Status::Settled if as_asked => row.silent(),
        Status::Returned if as_asked && row.resolved != Some(Resolution::Return) => row.silent(),
        Status::Held | Status::Settled | Status::Returned => row.contradicted(Claim::Moved(amount), moment),
        Status::Declined | Status::Cancelled => row.contradicted(Claim::Moved(amount), moment),
    }
}

/// Before the bank may have been asked, a wish is an end. Afterwards it stays a wish until the bank confirms that it did not
/// pay.
pub(super) fn cancel(rows: Rows<'_>, row: &Payout, holder: HolderId, moment: Moment) -> Decided {
    let unknown = Refusal::Unknown { noun: Noun::Payout };
    let wallet = rows.wallet_of(row.credit.wallet, holder).map_err(|_| unknown)?;
    match row.status {
        Status::Held if row.is_flagged() => Err(row.contradiction()),
        Status::Held => row.done(row.ended(wallet, Status::Cancelled, None, None, moment), Status::Cancelled),
        Status::Pending | Status::InDoubt if row.cancel_wished.is_some() => row.silent(),
        Status::Pending | Status::InDoubt => {
            row.done(Event::CancelWished { payout: row.credit.payout, at: moment.now }, row.status)
        }
        Status::Cancelled => row.silent(),
        Status::Settled | Status::Declined | Status::Returned => Err(row.wrong_status()),
    }
}

/// The bank sent it back. If that is heard before the payment itself, the two together are no payment. If it is heard of what
/// was never asked for, or of what was not paid, it is kept: whoever settles what the bank may yet say must know of it.
pub(super) fn sent_back(rows: Rows<'_>, row: &Payout, amount: Yen, moment: Moment) -> Decided {
    let claim = Claim::TakenBack(amount);
    match row.status {
        Status::Pending | Status::InDoubt => {
            if !row.claims.is_empty() || amount != row.mismatch.unwrap_or(row.credit.amount) {
                return row.contradicted(claim, moment);
            }
            row.done(row.returned(wallet_of(rows, row)?, moment), Status::Returned)
        }
        Status::Settled if amount == row.credit.amount => {
            row.done(row.returned(wallet_of(rows, row)?, moment), Status::Returned)
        }
        Status::Returned if amount == row.credit.amount => row.silent(),
        Status::Settled | Status::Returned => row.contradicted(claim, moment),
        Status::Held | Status::Declined | Status::Cancelled => row.contradicted(claim, moment),
    }
}

/// The gateway, which heard the bank's words in their order, calls this one a contradiction. What agrees with what is on
/// record here is none: two people may have settled it since.
pub(super) fn contradict(row: &Payout, claim: Claim, moment: Moment) -> Decided {
    let amount = row.credit.amount;
    let is_on_record = match (row.status, claim) {
        (Status::Settled, Claim::Moved(moved)) => moved == amount,
        (Status::Returned, Claim::Moved(moved) | Claim::TakenBack(moved) | Claim::CameBack(moved)) => moved == amount,
        (Status::Declined | Status::Cancelled | Status::Returned, Claim::NotMoved) => true,
        (Status::Held | Status::Pending | Status::InDoubt, _)
        | (Status::Settled, Claim::NotMoved | Claim::TakenBack(_) | Claim::CameBack(_))
        | (Status::Declined | Status::Cancelled, Claim::Moved(_) | Claim::TakenBack(_) | Claim::CameBack(_)) => false,
    };
    if is_on_record { row.silent() } else { row.contradicted(claim, moment) }
}

impl Payout {
    /// How it ends when the bank did not pay.
    pub(super) const fn status_without_payment(&self) -> Status {
        if self.cancel_wished.is_some() { Status::Cancelled } else { Status::Declined }
    }

    pub(super) fn settled(&self, answer: Option<Answer>, moment: Moment) -> Event {
        Event::Settled { credit: self.credit, suspended: self.suspended(), answer, at: moment.now }
    }

    pub(super) fn ended(
        &self,
        wallet: &Wallet,
        status: Status,
        answer: Option<Answer>,
        by: Option<StaffId>,
        moment: Moment,
    ) -> Event {
        let (credit, suspended, given) = (self.credit, self.suspended(), Box::new(self.give_back(wallet)));
        Event::Ended { credit, status, suspended, given, answer, by, at: moment.now }
    }

    pub(super) fn returned(&self, wallet: &Wallet, moment: Moment) -> Event {
        let (credit, suspended, held) = (self.credit, self.suspended(), self.status.is_open());
        Event::Returned { credit, held, suspended, given: Box::new(self.give_back(wallet)), at: moment.now }
    }

    /// Where each piece goes: a lot that a bank took back meanwhile pays that debt first; a closed wallet's money waits in
    /// suspense.
    fn give_back(&self, wallet: &Wallet) -> GivenBack {
        let mut given = GivenBack { to_purse: Vec::new(), to_debts: Vec::new(), to_suspense: Yen::ZERO };
        let mut spare = self.credit.amount;
        for piece in &self.pieces {
            spare = spare.saturating_sub(piece.lot.amount);
            let repaid = given.repay(piece.lot.id, wallet.owed_of(&piece.lot), piece.lot.amount);
            let rest = piece.of(piece.lot.amount.saturating_sub(repaid));
            if wallet.closed {
                given.suspend(rest.lot.amount);
            } else if !rest.lot.amount.is_zero() {
                given.to_purse.push(rest);
            }
        }
        // What no lot stood for was owed when the payout turned out to be paid after all.
        let repaid = given.repay(self.credit.payout.0, wallet.owed_by_id(self.credit.payout.0), spare);
        given.suspend(spare.saturating_sub(repaid));
        given
    }
}
