//! Readers of the journal beside the engine: a few, kept open, each lent to one list at a time off the runtime's threads.
//! And the way there for whoever has a reader of their own.

use crate::refusals;
use engine::StoreError;
use engine::sqlite::SqliteJournal;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use web::Problem;

/// Lists that are read at once; who comes later waits.
const READERS_MAX: usize = 4;

/// The readers.
#[derive(Clone)]
pub struct Journals(Arc<Readers>);

struct Readers {
    directory: PathBuf,
    idle: Mutex<Vec<SqliteJournal>>,
    places: Semaphore,
}

/// Records that a consumer reads where it is: the way to another thread and back takes longer than they do.
const READ_HERE_MAX: u64 = 64;

/// Runs `work`, which reads `records` records: a few at once, many [`aside`].
pub async fn aside_if_many<R: Send + 'static>(
    records: u64,
    work: impl FnOnce() -> Result<R, Problem> + Send + 'static,
) -> Result<R, Problem> {
    if records <= READ_HERE_MAX { work() } else { aside(work).await }
}

/// Runs `work`, which reads much, on a thread that may take its time: those of the runtime answer requests.
pub async fn aside<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, Problem> + Send + 'static,
) -> Result<R, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Problem::internal())?
}

impl Journals {
    /// Of the journal in the data directory at `directory`.
    pub fn new(directory: &Path) -> Self {
        let (directory, idle) = (directory.to_owned(), Mutex::default());
        Self(Arc::new(Readers { directory, idle, places: Semaphore::new(READERS_MAX) }))
    }

    /// Runs `read` on a reader, on a thread that may wait for the disk.
    pub async fn read<R: Send + 'static>(
        &self,
        read: impl FnOnce(&SqliteJournal) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, Problem> {
        let _place = self.0.places.acquire().await.map_err(|_| refusals::unavailable())?;
        let readers = Arc::clone(&self.0);
        let result = tokio::task::spawn_blocking(move || {
            let idle = readers.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let journal = match idle {
                Some(journal) => journal,
                None => SqliteJournal::open(&readers.directory)?,
            };
            let result = read(&journal)?;
            readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(journal);
            Ok(result)
        });
        result.await.map_err(|_| Problem::internal())?.map_err(|error: StoreError| {
            tracing::error!(%error, "the journal could not be read");
            refusals::unavailable()
        })
    }
}
