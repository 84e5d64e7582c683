//! Due work: what is still to be done about something that was committed, each a row with its time. The rows are made by a
//! consumer of the journal and can be made again from it, so that no crash between a commit and its work loses anything.
//!
//! Work at one bank is that bank's own: it has its own lane, bounded, and while the bank does not answer its work waits.
//! What waits for the desk is made beside it, from the same records.
//! Start reading at [`Work::handle`](crate::work::Work) (what is due when) and `Service::work_begun` (who does it).

pub mod closing;
mod days;
mod events;
mod lanes;
mod run;
mod waiting;

use crate::doors::{Door, Doors, DoorsError, Safety, Transaction};
use days::{BankMovement, BankTotal, Books};
use domain::{Id, Time};
use engine::{ActorKind, Consumer, ConsumerError, Cursors, Follower, JournalReader, Progress, Record, StoreError};
use lanes::Lane;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use waiting::GiveBackOf;
use wallet::{BankCode, CaseId, Context, OPERATOR, ReimbursementId, StaffId, Wallets};

#[cfg(test)]
pub use days::BankMovement as KeptMovement;
pub use days::{BankDay, DayFigures, OURS};
pub use lanes::Lanes;
pub use run::Breakers;
pub use waiting::{Noun, Reason, Waiting};

/// The consumer's name.
pub const NAME: &str = "work";
/// How long a handler has the first try at a bank for itself, in milliseconds.
pub const FIRST_TRY_MS: i64 = 10_000;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Ask the bank for the debit of a top-up.
    TopUp,
    /// Ask the bank for the credit of a payout.
    Payout,
    /// Ask the bank to give back what a top-up debited.
    GiveBack,
    /// Tell the gateway that a mandate is ended.
    EndMandate,
    /// A top-up that the desk did not look at in time.
    ReviewTopUp,
    /// A payout that the desk did not look at in time.
    ReviewPayout,
    /// A send that the desk did not look at in time.
    ReviewSend,
    /// An authorisation that was not captured in time.
    Authorisation,
    /// A mandate whose present status ends.
    Mandate,
    /// Close a wallet once its last payout is over.
    Closing,
    /// Ask the bank to give back what is reimbursed.
    Reimbursement,
}

impl Task {
    /// What it is called where somebody asks what was done.
    fn kind(self) -> &'static str {
        match self {
            Self::TopUp => "wallet.top_up_asked",
            Self::Payout => "wallet.payout_asked",
            Self::GiveBack => "wallet.give_back_asked",
            Self::EndMandate => "wallet.mandate_end_told",
            Self::ReviewTopUp | Self::ReviewPayout | Self::ReviewSend => "wallet.review_ended",
            Self::Authorisation => "wallet.authorisation_ended",
            Self::Mandate => "wallet.mandate_ended",
            Self::Closing => "wallet.closure_looked_at",
            Self::Reimbursement => "wallet.reimbursement_asked",
        }
    }
}

/// A row of due work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// The movement or mandate; one row each.
    pub about: Id,
    /// What is to be done.
    pub task: Task,
    /// At which bank.
    pub bank: Option<BankCode>,
    /// When.
    pub when: Time,
    /// How often it was tried.
    pub attempts: u32,
}

impl Door for Due {
    const TABLE: &'static str = "due";

    fn id(&self) -> Id {
        self.about
    }

    /// The lane that it is done in.
    fn owner(&self) -> Option<Id> {
        Some(Lane::of(self).id())
    }

    fn at(&self) -> Option<Time> {
        Some(self.when)
    }
}

/// A case that was opened: what it is now stands in the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseOpened {
    /// Which.
    pub case: CaseId,
}

impl Door for CaseOpened {
    const TABLE: &'static str = "case_opened";

    fn id(&self) -> Id {
        self.case.0
    }

    fn owner(&self) -> Option<Id> {
        Some(OPERATOR)
    }
}

/// A reimbursement that was proposed: what it is now stands in the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReimbursementProposed {
    /// Which.
    pub reimbursement: ReimbursementId,
}

impl Door for ReimbursementProposed {
    const TABLE: &'static str = "reimbursement_proposed";

    fn id(&self) -> Id {
        self.reimbursement.0
    }

    fn owner(&self) -> Option<Id> {
        Some(OPERATOR)
    }
}

/// Something that somebody of the desk did, or wanted to and was refused: what it was stands in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// The record.
    pub n: u64,
    /// Who.
    pub staff: StaffId,
}

impl Door for Deed {
    const TABLE: &'static str = "deed";

    fn id(&self) -> Id {
        Id::from_number(self.n.into())
    }

    fn owner(&self) -> Option<Id> {
        Some(OPERATOR)
    }
}

/// How far the consumer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    n: u64,
}

impl Door for Cursor {
    const TABLE: &'static str = "cursor";

    fn id(&self) -> Id {
        Id::default()
    }
}

/// The form of the rows in the file. A file of another form is made anew, from the journal's beginning.
const FORM: u32 = 5;

/// Of which form the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Form {
    form: u32,
}

impl Door for Form {
    const TABLE: &'static str = "form";

    fn id(&self) -> Id {
        Id::default()
    }
}

/// The consumer: rows and cursor are saved in one transaction.
struct Work(Arc<Doors>, Arc<Context>);

/// The cursor, which [`Work`] saves itself.
struct WorkCursor(Arc<Doors>);

/// The follower that makes the rows, stepped from the service's due work.
pub struct Maker {
    follower: Mutex<Follower<Wallets>>,
    progress: Arc<Progress>,
}

impl Maker {
    /// How far it is, and what keeps it: without waiting for a step that is under way.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The follower, for one step.
    pub fn follower(&self) -> MutexGuard<'_, Follower<Wallets>> {
        self.follower.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the file of due work at `path`, and the follower that fills it.
pub fn open(
    path: &Path,
    journal: Box<dyn JournalReader>,
    context: Arc<Context>,
) -> Result<(Arc<Doors>, Maker), StoreError> {
    let failed = |error: DoorsError| StoreError::Unavailable(error.to_string());
    let doors = Arc::new(Doors::open(path, Safety::Rebuildable).map_err(failed)?);
    prepare(&doors).map_err(failed)?;
    let (work, cursor) = (Box::new(Work(Arc::clone(&doors), context)), Box::new(WorkCursor(Arc::clone(&doors))));
    let follower = Follower::open(work, journal, cursor)?;
    Ok((doors, Maker { progress: follower.progress(), follower: Mutex::new(follower) }))
}

/// Makes the tables, and empties those that the consumer fills if they are of another form.
pub fn prepare(doors: &Doors) -> Result<(), DoorsError> {
    doors.prepare::<Form>()?;
    doors.prepare::<Due>()?;
    doors.prepare_lanes::<Due>()?;
    doors.prepare::<Cursor>()?;
    doors.prepare::<Books>()?;
    doors.prepare::<DayFigures>()?;
    doors.prepare::<BankDay>()?;
    doors.prepare::<BankMovement>()?;
    doors.prepare::<BankTotal>()?;
    doors.prepare::<Waiting>()?;
    doors.prepare::<GiveBackOf>()?;
    doors.prepare::<CaseOpened>()?;
    doors.prepare::<ReimbursementProposed>()?;
    doors.prepare::<Deed>()?;
    doors.change(|doors| {
        if doors.get::<Form>(Id::default())? == Some(Form { form: FORM }) {
            return Ok(());
        }
        doors.clear::<Due>()?;
        doors.clear::<Cursor>()?;
        doors.clear::<Books>()?;
        doors.clear::<DayFigures>()?;
        doors.clear::<BankDay>()?;
        doors.clear::<BankMovement>()?;
        doors.clear::<BankTotal>()?;
        doors.clear::<Waiting>()?;
        doors.clear::<GiveBackOf>()?;
        doors.clear::<CaseOpened>()?;
        doors.clear::<ReimbursementProposed>()?;
        doors.clear::<Deed>()?;
        doors.put(&Form { form: FORM })
    })
}

impl Consumer<Wallets> for Work {
    fn name(&self) -> &'static str {
        NAME
    }

    fn handle(&mut self, records: &[Record<Wallets>]) -> Result<(), ConsumerError> {
        let Some(last) = records.last() else { return Ok(()) };
        let handled: Result<(), DoorsError> = self.0.change(|doors| {
            let before = doors.get::<Cursor>(Id::default())?.map_or(0, |cursor| cursor.n);
            let mut books = doors.get::<Books>(Id::default())?.unwrap_or_default();
            for record in records.iter().filter(|record| record.place.n > before) {
                if record.entry.actor.kind == ActorKind::Operator {
                    doors.put(&Deed { n: record.place.n, staff: StaffId(record.entry.actor.id) })?;
                }
                Books::count(doors, &record.entry.events, record.at, &self.1.policies, &mut books)?;
                for event in &record.entry.events {
                    events::of(event, &mut |change| apply(doors, change))?;
                }
            }
            doors.put(&books)?;
            doors.put(&Cursor { n: last.place.n.max(before) })
        });
        handled.map_err(|error| ConsumerError::Failed(error.to_string()))
    }
}

/// What an event does to the rows.
#[derive(Clone, Copy)]
enum Change {
    /// This is to be done.
    Put(Due),
    /// Nothing is to be done about this any more.
    Remove(Id),
    /// This may wait for the desk now.
    Wait(Id, Noun, Time),
    /// If this waited, it may not any more.
    Look(Id, Time),
    /// This give-back is of that top-up.
    GiveBack(GiveBackOf),
    /// This case is listed.
    Case(CaseOpened),
    /// This reimbursement is listed.
    Reimbursement(ReimbursementProposed),
}

fn apply(doors: &Transaction<'_>, change: Change) -> Result<(), DoorsError> {
    match change {
        Change::Put(due) => doors.put(&due),
        Change::Remove(about) => doors.remove::<Due>(about).map(drop),
        Change::Wait(about, noun, since) => doors.put(&Waiting { about, noun, since, look: Some(since) }),
        Change::Look(about, at) => waiting::look(doors, about, at),
        Change::GiveBack(of) => doors.put(&of),
        Change::Case(case) => doors.put(&case),
        Change::Reimbursement(proposed) => doors.put(&proposed),
    }
}

impl Cursors for WorkCursor {
    fn load(&mut self, _: &str) -> Result<u64, StoreError> {
        let cursor = self.0.get::<Cursor>(Id::default());
        Ok(cursor.map_err(|error| StoreError::Unavailable(error.to_string()))?.map_or(0, |cursor| cursor.n))
    }

    fn save(&mut self, _: &str, _: u64) -> Result<(), StoreError> {
        Ok(())
    }
}
