//! What a data directory must still be after a crash: opened by the real store, replayed by the real core, compared with
//! naive books and with what was acknowledged, and good for new commands. Start reading at [`inspect`].

use super::beside;
use super::books::{Answered, Books, digest};
use super::load::Load;
use engine::sqlite::{SqliteOptions, SqliteStore};
use engine::{Answer, Core, Mode, Options, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use wallet::Wallets;

/// Records read at a time.
const READ_RECORDS_MAX: usize = 4_096;
/// Acknowledged commands that are sent again.
const RESENT_MAX: usize = 12;
/// Commands that are sent for the first time.
const NEW_COMMANDS: u64 = 24;
/// Commands in one batch.
const BATCH_COMMANDS: usize = 8;

/// The real core on the real store.
pub type SqliteCore = Core<Wallets, SqliteStore<Wallets>>;

/// What somebody outside knows of a data directory.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The load that was sent.
    pub load: Load,
    /// What was acknowledged, by the command's number.
    pub acknowledged: BTreeMap<u64, Answered>,
    /// The numbers of the records at which batches ended, where that is known.
    pub ends: Option<BTreeSet<u64>>,
}

/// How a store is opened after a crash, and how the load is run: small bounds, so that a short run meets each of them.
#[derive(Clone, Debug, Default)]
pub struct Bounds {
    /// The store's.
    pub store: SqliteOptions,
    /// The core's.
    pub core: Options,
    /// Whether the process keeps what the wallet's service keeps beside its books.
    pub keeps_beside: bool,
}

/// Opens a data directory; a core that does not take commands is an error.
pub fn open(directory: &Path, bounds: &Bounds) -> Result<SqliteCore, String> {
    open_core(open_store(directory, bounds)?, bounds)
}

/// Opens the store of a data directory.
pub fn open_store(directory: &Path, bounds: &Bounds) -> Result<SqliteStore<Wallets>, String> {
    let anchors = if bounds.keeps_beside { Some(beside::anchors(directory)?) } else { None };
    let options = SqliteOptions { anchors, ..bounds.store.clone() };
    SqliteStore::open(directory, &options).map_err(|error| format!("it does not open: {error}"))
}

/// Opens the core on a store: what the rows lack is replayed.
pub fn open_core(store: SqliteStore<Wallets>, bounds: &Bounds) -> Result<SqliteCore, String> {
    let core = Core::open(store, Arc::new(Load::context()), bounds.core)
        .map_err(|error| format!("it does not open: {error}"))?;
    match core.mode() {
        Mode::Running => Ok(core),
        Mode::ReadOnly(why) => Err(format!("it opens for reading alone: {why}")),
        Mode::Dead(error) => Err(format!("it opens dead: {error}")),
    }
}

/// Opens `directory` after a crash and checks all that must hold; how many acknowledged commands were looked for and are
/// there. An error says what is not as it must be.
pub fn inspect(directory: &Path, bounds: &Bounds, expected: &Expected) -> Result<u64, String> {
    let mut core = open(directory, bounds)?;
    let mut books = Books::new(expected.load);
    read_on(&mut books, &mut core)?;
    if let Some(ends) = &expected.ends {
        books.check_whole_batches(ends)?;
    }
    let acknowledged = books.check_acknowledged(&expected.acknowledged)?;
    check_rows(&books, &mut core)?;
    if bounds.keeps_beside {
        beside::check(directory, &books)?;
    }
    go_on(&mut books, &mut core, expected)?;
    check_rows(&books, &mut core).map_err(|why| format!("after new commands: {why}"))?;
    drop(core.close().map_err(|error| format!("it does not stop: {error}"))?);

    let mut core = open(directory, bounds).map_err(|why| format!("after a stop {why}"))?;
    let (head, watermark) = (core.status().head.place.n, core.status().watermark);
    if head != books.head || watermark != head {
        return Err(format!("after a stop its head is {head} and its rows reach {watermark}, not {}", books.head));
    }
    check_rows(&books, &mut core).map_err(|why| format!("after a stop: {why}"))?;
    Ok(acknowledged)
}

/// Reads the records that the books lack.
pub fn read_on(books: &mut Books, core: &mut SqliteCore) -> Result<(), String> {
    let head = core.status().head;
    while books.head < head.place.n {
        let from = books.head + 1;
        let page = core.store().read(from, READ_RECORDS_MAX).map_err(|error| error.to_string())?;
        if page.is_empty() {
            return Err(format!("record {from} is missing"));
        }
        page.iter().try_for_each(|sealed| books.take(head.epoch, sealed))?;
    }
    Ok(())
}

/// Compares the published rows with the books.
pub fn check_rows(books: &Books, core: &mut SqliteCore) -> Result<(), String> {
    books.check_rows(|key| core.read(key).map_err(|error| error.to_string()))
}

/// Sends again what was acknowledged and what was not, and some more: each takes effect exactly once.
fn go_on(books: &mut Books, core: &mut SqliteCore, expected: &Expected) -> Result<(), String> {
    let mut numbers: BTreeSet<u64> = expected.acknowledged.keys().rev().take(RESENT_MAX).copied().collect();
    let first = expected.acknowledged.keys().last().map_or(0, |last| last + 1);
    numbers.extend(first..first + NEW_COMMANDS);
    let numbers: Vec<u64> = numbers.into_iter().collect();
    let mut answers = Vec::new();
    for batch in numbers.chunks(BATCH_COMMANDS) {
        let submissions: Vec<_> = batch.iter().map(|&number| expected.load.submission(number)).collect();
        core.step(&submissions, &mut answers);
        for (number, answer) in batch.iter().zip(answers.drain(..)) {
            let answer = answer.map_err(|error| format!("command {number} is not taken: {error}"))?;
            let known = books.answers.get(number);
            match (known, answer.repeated) {
                (Some(known), true) if answered(&answer).as_ref() == Some(known) => {}
                (None, false) => {}
                (Some(_) | None, _) => {
                    return Err(format!("command {number} was {known:?}, and sent again it is {answer:?}"));
                }
            }
        }
    }
    read_on(books, core)?;
    if let Some(number) = numbers.iter().find(|number| !books.answers.contains_key(number)) {
        return Err(format!("command {number} was answered and is not in the journal"));
    }
    Ok(())
}

/// An answer as the books keep it; none for one that was only counted.
pub fn answered(answer: &Answer<Wallets>) -> Option<Answered> {
    answer.place.map(|place| Answered { n: place.n, digest: digest(answer.at, &answer.reply) })
}
