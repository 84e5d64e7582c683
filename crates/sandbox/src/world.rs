//! The world's engine as the rest of the sandbox uses it: submit a command, read a row, read a list.
//!
//! Lists are chains: an account's statement, an inbox, a bank's day. What has no chain (the accounts of a bank, what waits
//! for its time) is kept in memory and read back from the journal at the start. Start reading at [`WorldEngine::open`].

use crate::domain::account::{self, AccountNumber};
use crate::domain::bank::{self, BankCode, Faults};
use crate::domain::identification::{self, Identity, Verdict};
use crate::domain::movement::{self, Reference};
use crate::domain::{Command, Event, Receipt, Refusal, Row, World};
use crate::options::Options;
use crate::people;
use domain::{Id, Key, Time};
use engine::memory::{Disk, MemoryStore};
use engine::sqlite::{SqliteJournal, SqliteStore};
use engine::{Actor, ActorKind, Clock, Core, Engine, EngineError, JournalReader, Place, Record, StoreError};
use engine::{Submission, history};
use http::StatusCode;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use web::Problem;

/// Records in one read of the journal.
const SCAN_RECORDS: usize = 4_096;

/// The running world.
pub(crate) struct WorldEngine {
    engine: Engine<World>,
    journal: Mutex<Journal>,
    index: Mutex<Index>,
}

/// What is kept in memory.
#[derive(Default)]
pub(crate) struct Index {
    /// The accounts of all banks, in order.
    pub accounts: BTreeSet<AccountNumber>,
    /// Whose document has which number.
    pub documents: BTreeMap<String, Identity>,
    /// How each bank misbehaves.
    pub faults: BTreeMap<BankCode, Faults>,
    /// Callbacks that wait for their time.
    pub callbacks: Callbacks,
    /// Identifications that wait for their time.
    pub identifications: BTreeSet<(Time, Id)>,
}

/// The callbacks that wait: one a movement, each with its time and how often it was tried.
#[derive(Default)]
pub(crate) struct Callbacks {
    by_time: BTreeMap<(Time, Id), (Reference, u32)>,
    times: BTreeMap<Id, Time>,
}

impl Callbacks {
    /// The one about `reference` is due at `at`, after `attempts` that were not taken.
    pub(crate) fn put(&mut self, reference: Reference, at: Time, attempts: u32) {
        let id = reference.key().id;
        self.take(id);
        self.times.insert(id, at);
        self.by_time.insert((at, id), (reference, attempts));
    }

    /// Takes out the one about the movement `id`.
    fn take(&mut self, id: Id) -> Option<(Reference, u32)> {
        let at = self.times.remove(&id)?;
        self.by_time.remove(&(at, id))
    }

    /// Takes out the first that is due at `now`.
    pub(crate) fn take_due(&mut self, now: Time) -> Option<(Reference, u32)> {
        let (_, id) = *self.by_time.keys().next().filter(|(at, _)| *at <= now)?;
        self.take(id)
    }

    /// When the first is due.
    pub(crate) fn next(&self) -> Option<Time> {
        self.by_time.keys().next().map(|(at, _)| *at)
    }
}

impl Index {
    fn take(&mut self, event: &Event) {
        match event {
            Event::Account(account::Event::Opened { number, customer, .. }) => {
                self.accounts.insert(*number);
                let identity = people::identity(customer);
                self.documents.insert(people::document_number(&identity), identity);
            }
            Event::Bank(bank::Event::FaultsSet { bank, faults }) => {
                self.faults.insert(*bank, *faults);
            }
            Event::Movement(movement::Event::Decided(movement)) => {
                self.callbacks.put(movement.reference.clone(), movement.final_at, 0);
            }
            Event::Movement(movement::Event::Reversed { reference, at, .. }) => {
                self.callbacks.put(reference.clone(), *at, 0);
            }
            Event::Movement(movement::Event::Told { reference }) => {
                self.callbacks.take(reference.key().id);
            }
            Event::Identification(identification::Event::Begun(begun)) if begun.verdict == Verdict::Pending => {
                self.identifications.extend(begun.due_at.map(|due_at| (due_at, begun.id)));
            }
            Event::Identification(identification::Event::Concluded { id, .. }) => {
                self.identifications.retain(|(_, waiting)| waiting != id);
            }
            Event::Account(account::Event::Unlocked { .. } | account::Event::DebitsStopped { .. })
            | Event::Bank(bank::Event::FactorsSet { .. })
            | Event::Movement(movement::Event::Missed { .. })
            | Event::Authentication(_)
            | Event::Message(_)
            | Event::Identification(identification::Event::Begun(_) | identification::Event::ScriptSet(_)) => {}
        }
    }
}

/// Why the world did not do it.
#[derive(Debug)]
pub(crate) enum Undone {
    /// Its own rules.
    Refused(Refusal),
    /// Its engine.
    Engine(EngineError),
}

impl WorldEngine {
    /// Whether it lives, and whether it can be written to.
    pub(crate) fn health(&self) -> axum::Router {
        web::health(&self.engine)
    }

    /// Opens the world in its directory; in memory without one.
    pub(crate) fn open(options: &Options, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let (engine, journal): (_, Box<dyn JournalReader>) = if let Some(directory) = &options.data {
            let store = SqliteStore::<World>::open(directory, &options.store)?;
            let core = Core::open(store, Arc::new(()), options.engine)?;
            (Engine::start(core, clock), Box::new(SqliteJournal::open(directory)?))
        } else {
            let disk = Disk::<World>::default();
            let core = Core::open(MemoryStore::open(&disk)?, Arc::new(()), options.engine)?;
            (Engine::start(core, clock), Box::new(disk))
        };
        let mut index = Index::default();
        let mut from = 1;
        loop {
            let sealed = journal.read(from, SCAN_RECORDS)?;
            let Some(last) = sealed.last() else { break };
            from = last.place.n + 1;
            for sealed in &sealed {
                for event in &Record::<World>::decode(sealed)?.entry.events {
                    index.take(event);
                }
            }
        }
        Ok(Self { engine, journal: Mutex::new(Journal(journal)), index: Mutex::new(index) })
    }

    /// Stops the engine; everything that was answered is on disk.
    pub(crate) fn stop(&self) -> Result<(), StoreError> {
        self.engine.stop()
    }

    /// Does `command`.
    pub(crate) async fn submit(&self, command: Command) -> Result<Receipt, Undone> {
        let actor = Actor { kind: ActorKind::Anyone, id: Id::default() };
        // Attempts and messages leave nothing in the index: their records need not be read back.
        let is_indexed = !matches!(command, Command::Authentication(_) | Command::Message(_));
        let submission = Submission { command, actor, reason: None, request: None, at: self.engine.now() };
        let answer = self.engine.submit(submission).await.map_err(Undone::Engine)?;
        if let Some(place) = answer.place.filter(|_| is_indexed) {
            self.take(place);
        }
        answer.reply.map_err(Undone::Refused)
    }

    /// Does all `commands`, which may share batches. An account that is there already is as good as one that was opened.
    pub(crate) async fn submit_all(&self, commands: impl Iterator<Item = Command>) -> Result<(), Undone> {
        let actor = Actor { kind: ActorKind::System, id: Id::default() };
        let at = self.engine.now();
        let submission = |command| Submission { command, actor, reason: None, request: None, at };
        let answers: Vec<_> = commands.map(|command| self.engine.submit(submission(command))).collect();
        for answer in answers {
            let answer = answer.await.map_err(Undone::Engine)?;
            match answer.reply {
                Ok(_) => answer.place.into_iter().for_each(|place| self.take(place)),
                Err(Refusal::AccountExists) => {}
                Err(refusal) => return Err(Undone::Refused(refusal)),
            }
        }
        Ok(())
    }

    /// Takes into the index what the record at `place` holds.
    fn take(&self, place: Place) {
        let sealed = self.journal.lock().unwrap_or_else(PoisonError::into_inner).get(place.n);
        let record = sealed.ok().flatten().and_then(|sealed| Record::<World>::decode(&sealed).ok());
        for event in record.iter().flat_map(|record| &record.entry.events) {
            self.index().take(event);
        }
    }

    /// The row at `key`.
    pub(crate) async fn read(&self, key: Key) -> Result<Option<Arc<Row>>, Undone> {
        Ok(self.engine.read(key).await.map_err(Undone::Engine)?.and_then(|stored| stored.row))
    }

    /// The last `limit` records that changed the row at `key`, newest first.
    pub(crate) async fn chain(&self, key: Key, limit: usize) -> Result<Vec<Record<World>>, Undone> {
        let stored = self.engine.read(key).await.map_err(Undone::Engine)?;
        let Some(stored) = stored else { return Ok(Vec::new()) };
        let journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let lost = |error: StoreError| Undone::Engine(EngineError::Unavailable(error.to_string()));
        let mut records = Vec::new();
        let mut next = Some(stored.place);
        while let Some(place) = next.filter(|_| records.len() < limit) {
            let left = limit.saturating_sub(records.len()).min(engine::HISTORY_RECORDS_MAX);
            let (mut page, further) = history::<World>(&*journal, key, place, left).map_err(lost)?;
            records.append(&mut page);
            next = further;
        }
        Ok(records)
    }

    /// What is kept in memory.
    pub(crate) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How `bank` misbehaves now.
    pub(crate) fn faults(&self, bank: BankCode) -> Faults {
        self.index().faults.get(&bank).copied().unwrap_or_default()
    }
}

/// A journal of either store.
struct Journal(Box<dyn JournalReader>);

impl JournalReader for Journal {
    fn read(&self, from: u64, limit: usize) -> Result<Vec<engine::SealedRecord>, StoreError> {
        self.0.read(from, limit)
    }
}

impl From<Undone> for Problem {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Refused(refusal) => refused(refusal),
            Undone::Engine(EngineError::Busy | EngineError::RefusedTooOften { .. }) => Self::busy(),
            Undone::Engine(EngineError::KeyReused) => {
                Self::new(StatusCode::CONFLICT, "key-reused", "The key was used before.", "キーが再利用されました。")
            }
            Undone::Engine(
                EngineError::Unavailable(_)
                | EngineError::Defect { .. }
                | EngineError::Halted(_)
                | EngineError::Stopped,
            ) => Self::internal(),
        }
    }
}

fn refused(refusal: Refusal) -> Problem {
    let (status, name, title, title_ja) = match refusal {
        Refusal::BankUnknown
        | Refusal::AccountUnknown
        | Refusal::MovementUnknown
        | Refusal::AttemptUnknown
        | Refusal::IdentificationUnknown => return Problem::not_found(),
        Refusal::AccountExists => {
            (StatusCode::CONFLICT, "account-exists", "The bank has this account already.", "口座は既にあります。")
        }
        Refusal::ReferenceReused => (
            StatusCode::CONFLICT,
            "reference-reused",
            "The reference was used for something else.",
            "この参照番号は別の依頼に使われています。",
        ),
        Refusal::AmountZero => {
            (StatusCode::UNPROCESSABLE_ENTITY, "amount", "The amount must be at least one yen.", "金額が不正です。")
        }
        Refusal::NotSettled => {
            (StatusCode::CONFLICT, "not-settled", "Nothing was booked under it.", "処理済みの取引ではありません。")
        }
        Refusal::FactorsUnusable => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "factors",
            "A bank cannot ask for such sets of factors.",
            "認証要素の組合せが不正です。",
        ),
        Refusal::FaultsBeyondBound | Refusal::CustomerBeyondBound | Refusal::MessageBeyondBound => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "beyond-bound",
            "A value is missing, or beyond its bound.",
            "値が上限を超えているか、足りません。",
        ),
    };
    Problem::new(status, name, title, title_ja)
}
