//! What runs beside the payments, when asked: readers of holders' lists, and one audit of the journal after the other.

use super::Failure;
use super::workload::{Workload, mix};
use domain::Key;
use engine::sqlite::SqliteJournal;
use engine::{Engine, EngineError, history};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use wallet::{Wallets, table};

/// Movements on one page of a list.
const PAGE_MOVEMENTS: usize = 20;

/// Threads that read while payments are made.
pub struct Beside {
    stopped: Arc<AtomicBool>,
    lists: Arc<AtomicU64>,
    audits: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Result<(), Failure>>>,
}

impl Beside {
    /// Starts `list_readers` readers of wallets' lists and, if `verify`, the audit.
    pub fn start(
        engine: &Engine<Wallets>,
        directory: &Path,
        workload: Workload,
        list_readers: usize,
        verify: bool,
    ) -> Self {
        let mut beside = Self {
            stopped: Arc::default(),
            lists: Arc::default(),
            audits: Arc::default(),
            threads: Vec::with_capacity(list_readers + 1),
        };
        for reader in 0..list_readers {
            let (engine, directory) = (engine.clone(), directory.to_owned());
            let (stopped, lists) = (Arc::clone(&beside.stopped), Arc::clone(&beside.lists));
            let seed = u64::try_from(reader).unwrap_or(0);
            beside.threads.push(std::thread::spawn(move || {
                let journal = SqliteJournal::open(&directory).map_err(wrong)?;
                let mut chance = mix(seed);
                while !stopped.load(Ordering::Relaxed) {
                    chance = mix(chance);
                    read_list(&engine, &journal, &workload, chance)?;
                    lists.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            }));
        }
        if verify {
            let directory = directory.to_owned();
            let (stopped, audits) = (Arc::clone(&beside.stopped), Arc::clone(&beside.audits));
            beside.threads.push(std::thread::spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    super::audit::journal(&directory, &|_| {})?;
                    audits.fetch_add(u64::from(!stopped.load(Ordering::Relaxed)), Ordering::Relaxed);
                }
                Ok(())
            }));
        }
        beside
    }

    /// Tells them to end: what they do from here on does not count.
    pub fn end(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Waits for their end: how many lists were read, and how many audits were made.
    pub fn join(self) -> Result<(u64, u64), Failure> {
        for thread in self.threads {
            thread.join().map_err(|_| Failure::Audit("a reader panicked".into()))??;
        }
        Ok((self.lists.load(Ordering::Relaxed), self.audits.load(Ordering::Relaxed)))
    }
}

/// The newest page of one wallet's list: the row for where its chain begins, then the chain.
fn read_list(
    engine: &Engine<Wallets>,
    journal: &SqliteJournal,
    workload: &Workload,
    chance: u64,
) -> Result<(), Failure> {
    let key = Key::new(table::WALLET, workload.wallet(chance % workload.wallets).0);
    let stored = match engine.read_blocking(key) {
        Err(EngineError::Busy) => return Ok(()),
        read => read.map_err(wrong)?,
    };
    let stored = stored.ok_or_else(|| Failure::Audit(format!("{key:?} is not there")))?;
    history::<Wallets>(journal, key, stored.place, PAGE_MOVEMENTS).map(drop).map_err(wrong)
}

fn wrong(error: impl std::fmt::Display) -> Failure {
    Failure::Audit(error.to_string())
}
