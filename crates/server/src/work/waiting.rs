//! What waits for the desk: movements that are held, contradicted or stuck, names to compare, debts to write off.
//!
//! A row says only where to look: it is written when something may have begun to wait, and what waits is read from the
//! books whenever it is shown. Rows whose matter has ended are dropped when somebody looks.
//! Start reading at [`Service::reasons`].

use super::{Due, Task};
use crate::doors::{Door, DoorsError, Transaction};
use crate::service::Service;
use crate::webhooks::operator::ALARM;
use domain::{Id, Key, Time};
use http::StatusCode;
use ledger::Yen;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wallet::reimbursement::{self, Reimbursement};
use wallet::top_up::GiveBackStatus;
use wallet::{
    MandateId, PayoutId, ReimbursementId, Row, SendId, TopUpId, WalletId, mandate, payout, send, table, top_up,
};
use web::Problem;

/// Questions without a final answer after which the desk sees a movement.
pub const UNANSWERED_MIN: u32 = 5;

/// What kind of thing waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Noun {
    /// A top-up.
    TopUp,
    /// A payout.
    Payout,
    /// A send.
    Send,
    /// A mandate.
    Mandate,
    /// A wallet, of whose holder's debt.
    Wallet,
    /// A reimbursement.
    Reimbursement,
}

impl Noun {
    /// The word of the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TopUp => "top_up",
            Self::Payout => "payout",
            Self::Send => "send",
            Self::Mandate => "mandate",
            Self::Wallet => "wallet",
            Self::Reimbursement => "reimbursement",
        }
    }
}

/// Why something waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The guard holds it: one person decides.
    Held,
    /// Names are only nearly the same: one person compares.
    InReview,
    /// The bank said something against what is on record: two people settle it.
    Contradicted,
    /// The bank moved another amount: two people settle it.
    Mismatched,
    /// The bank did not give back what it was to: one person has it tried again.
    GiveBackFailed,
    /// The bank was asked several times, and gave no final answer.
    Unanswered,
    /// One person proposed to write off what a holder owes: another approves.
    WriteOffProposed,
    /// One person proposed to reimburse somebody: another approves.
    ReimbursementProposed,
    /// The bank could not pay a reimbursement: it is proposed anew once what kept it from doing so is cleared.
    ReimbursementFailed,
}

impl Reason {
    /// The word of the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::InReview => "in_review",
            Self::Contradicted => "contradicted",
            Self::Mismatched => "mismatched",
            Self::GiveBackFailed => "give_back_failed",
            Self::Unanswered => "unanswered",
            Self::WriteOffProposed => "write_off_proposed",
            Self::ReimbursementProposed => "reimbursement_proposed",
            Self::ReimbursementFailed => "reimbursement_failed",
        }
    }

    /// Whether somebody is called: what is routine is only listed.
    const fn is_alarm(self) -> bool {
        match self {
            Self::Contradicted
            | Self::Mismatched
            | Self::GiveBackFailed
            | Self::Unanswered
            | Self::ReimbursementFailed => true,
            Self::Held | Self::InReview | Self::WriteOffProposed | Self::ReimbursementProposed => false,
        }
    }
}

/// Something that may wait for the desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// What.
    pub about: Id,
    /// Of which kind.
    pub noun: Noun,
    /// Since when, by the last event that made it wait.
    pub since: Time,
    /// When somebody is to look whether it still does.
    pub look: Option<Time>,
}

impl Door for Waiting {
    const TABLE: &'static str = "waiting";

    fn id(&self) -> Id {
        self.about
    }

    fn at(&self) -> Option<Time> {
        self.look
    }
}

impl Waiting {
    /// Its id as people see it.
    fn name(&self) -> String {
        match self.noun {
            Noun::TopUp => TopUpId(self.about).to_string(),
            Noun::Payout => PayoutId(self.about).to_string(),
            Noun::Send => SendId(self.about).to_string(),
            Noun::Mandate => MandateId(self.about).to_string(),
            Noun::Wallet => WalletId(self.about).to_string(),
            Noun::Reimbursement => ReimbursementId(self.about).to_string(),
        }
    }
}

/// Which top-up a give-back is of: what a bank says of one names the give-back alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GiveBackOf {
    /// The give-back.
    pub give_back: Id,
    /// The top-up.
    pub top_up: TopUpId,
}

impl Door for GiveBackOf {
    const TABLE: &'static str = "give_back_of";

    fn id(&self) -> Id {
        self.give_back
    }
}

/// If `about` is listed, somebody is to look whether it still waits.
pub fn look(doors: &Transaction<'_>, about: Id, at: Time) -> Result<(), DoorsError> {
    match doors.get::<Waiting>(about)? {
        Some(row) => doors.put(&Waiting { look: Some(at), ..row }),
        None => Ok(()),
    }
}

impl Service {
    /// Why `waiting` waits, by the books; nothing if it does not any more.
    pub async fn reasons(&self, waiting: &Waiting) -> Result<Vec<Reason>, Problem> {
        let mut reasons = match waiting.noun {
            Noun::TopUp => found(self.top_up(TopUpId(waiting.about)).await)?.map(|row| of_top_up(&row)),
            Noun::Payout => found(self.payout(PayoutId(waiting.about)).await)?.map(|row| of_payout(&row)),
            Noun::Mandate => found(self.mandate(MandateId(waiting.about)).await)?
                .map(|row| if row.status == mandate::Status::InReview { vec![Reason::InReview] } else { Vec::new() }),
            Noun::Send => match self.row(Key::new(table::SEND, waiting.about)).await?.as_deref() {
                Some(Row::Send(row)) if row.status == send::Status::Held => Some(vec![Reason::Held]),
                Some(_) | None => None,
            },
            Noun::Wallet => match self.row(Key::new(table::WALLET, waiting.about)).await?.as_deref() {
                Some(Row::Wallet(row)) => {
                    let proposed = row.ties.as_ref().and_then(|ties| ties.write_off);
                    let stands = proposed.filter(|proposed| proposed.amount == row.owed());
                    stands.map(|_| vec![Reason::WriteOffProposed])
                }
                Some(_) | None => None,
            },
            Noun::Reimbursement => match found(self.reimbursement(ReimbursementId(waiting.about)).await)? {
                Some(row) => Some(self.of_reimbursement(&row).await?),
                None => None,
            },
        }
        .unwrap_or_default();
        let is_unanswered = |due: &Due| due.is_question() && due.attempts >= UNANSWERED_MIN;
        let is_said = reasons.contains(&Reason::Unanswered);
        if !is_said && self.work.get::<Due>(waiting.about)?.is_some_and(|due| is_unanswered(&due)) {
            reasons.push(Reason::Unanswered);
        }
        Ok(reasons)
    }

    /// Looks at what may have begun to wait, or ceased to: calls somebody, or drops the row. How many that were.
    pub async fn look_at_waiting(&self, now: Time, budget: usize) -> Result<usize, Problem> {
        let rows: Vec<Waiting> = self.work.due(now, budget)?;
        let count = rows.len();
        for row in rows {
            let reasons = self.reasons(&row).await?;
            for reason in reasons.iter().filter(|reason| reason.is_alarm()) {
                tracing::error!(noun = row.noun.name(), about = %row.about, reason = reason.name(), "the desk must look");
            }
            if reasons.contains(&Reason::Unanswered) {
                // Everything else stands in a record, and is told from there.
                let data = json!({ "kind": "unanswered", "noun": row.noun.name(), "id": row.name() });
                self.tell_operator(ALARM, &format!("unanswered {}", row.about), row.since, data)?;
            }
            if reasons.is_empty() {
                self.waits_no_more(&row)?;
            } else {
                self.keep_if_same(&row, |doors| doors.put(&Waiting { look: None, ..row }))?;
            }
        }
        Ok(count)
    }

    /// Drops a row, unless something new was written there meanwhile.
    pub fn waits_no_more(&self, row: &Waiting) -> Result<(), Problem> {
        self.keep_if_same(row, |doors| doors.remove::<Waiting>(row.about).map(drop))
    }

    fn keep_if_same(
        &self,
        row: &Waiting,
        change: impl FnOnce(&Transaction<'_>) -> Result<(), DoorsError>,
    ) -> Result<(), Problem> {
        let changed = self.work.change(|doors| match doors.get::<Waiting>(row.about)? {
            Some(kept) if kept == *row => change(doors),
            Some(_) | None => Ok(()),
        });
        changed.map_err(|error: DoorsError| error.into())
    }

    /// What failed waits until nothing is lacking of its debit any more, and nothing stands ready for it.
    async fn of_reimbursement(&self, row: &Reimbursement) -> Result<Vec<Reason>, Problem> {
        let is_failed = row.status == reimbursement::Status::Failed;
        let left = if is_failed {
            let top_up = self.top_up(row.credit.top_up).await?;
            top_up.lacking().max(top_up.parked())
        } else {
            Yen::ZERO
        };
        let each = [
            (row.status == reimbursement::Status::Proposed, Reason::ReimbursementProposed),
            (!left.is_zero(), Reason::ReimbursementFailed),
            (row.is_flagged(), Reason::Contradicted),
            (row.status.is_open() && row.absent, Reason::Unanswered),
        ];
        Ok(each.into_iter().filter(|(waits, _)| *waits).map(|(_, reason)| reason).collect())
    }

    /// The top-up that a give-back is of. What was committed a moment ago is looked for in the journal.
    pub async fn top_up_of(&self, give_back: Id) -> Result<Option<TopUpId>, Problem> {
        let known = || Ok::<_, Problem>(self.work.get::<GiveBackOf>(give_back)?.map(|of| of.top_up));
        if let Some(top_up) = known()? {
            return Ok(Some(top_up));
        }
        self.make_work().await?;
        known()
    }
}

/// What is not in the books waits for nobody.
fn found<T>(row: Result<T, Problem>) -> Result<Option<T>, Problem> {
    match row {
        Ok(row) => Ok(Some(row)),
        Err(problem) if problem.status() == StatusCode::NOT_FOUND => Ok(None),
        Err(problem) => Err(problem),
    }
}

fn of_top_up(row: &top_up::TopUp) -> Vec<Reason> {
    let is_failed = row.give_back.is_some_and(|given| given.status == GiveBackStatus::Failed);
    let is_absent = row.give_back.is_some_and(|given| given.absent);
    let each = [
        (row.status == top_up::Status::Held, Reason::Held),
        (!row.claims.is_empty(), Reason::Contradicted),
        (row.mismatch.is_some(), Reason::Mismatched),
        (is_failed, Reason::GiveBackFailed),
        (is_absent, Reason::Unanswered),
    ];
    each.into_iter().filter(|(waits, _)| *waits).map(|(_, reason)| reason).collect()
}

fn of_payout(row: &payout::Payout) -> Vec<Reason> {
    let each = [
        (row.status == payout::Status::Held, Reason::Held),
        (!row.claims.is_empty(), Reason::Contradicted),
        (row.mismatch.is_some(), Reason::Mismatched),
    ];
    each.into_iter().filter(|(waits, _)| *waits).map(|(_, reason)| reason).collect()
}

impl Due {
    /// What a bank is asked about, if it is asked.
    pub const fn asks_about(&self) -> Option<Noun> {
        match self.task {
            Task::TopUp | Task::GiveBack => Some(Noun::TopUp),
            Task::Payout => Some(Noun::Payout),
            Task::Reimbursement => Some(Noun::Reimbursement),
            Task::EndMandate
            | Task::ReviewTopUp
            | Task::ReviewPayout
            | Task::ReviewSend
            | Task::Authorisation
            | Task::Mandate
            | Task::Closing => None,
        }
    }

    /// Whether it is a question to a bank.
    pub const fn is_question(&self) -> bool {
        self.asks_about().is_some()
    }
}
