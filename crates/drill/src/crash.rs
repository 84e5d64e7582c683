//! Crashes: the process killed under load, and the disk as it may be when power was lost.
//!
//! Two proofs that an acknowledged movement stays. `kill` ends the real process at random moments and looks at what its
//! successor answers; that keeps the kernel's cache, so it says little about the disk. `images` records every write and
//! sync of a run and rebuilds what a disk may hold at any moment of it. Both look through `inspection`, and compare with
//! naive `books`. A third, `disk`, lets the disk fill up and syncs fail. Start reading at [`images::run`].

mod beside;
mod books;
pub mod child;
pub mod disk;
mod image;
pub mod images;
mod inspection;
pub mod kill;
mod load;
mod recording;

pub use load::Load;

use std::fmt::Display;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A directory of our own to work in; it goes away with this unless it is kept.
#[derive(Debug)]
enum Workshop {
    New(TempDir),
    Kept(PathBuf),
}

impl Workshop {
    /// A new directory below `parent`; or the one that an earlier run kept.
    fn new(parent: &Path, kept: Option<&Path>) -> Result<Self, String> {
        if let Some(kept) = kept {
            // The trace has whole names.
            return kept.canonicalize().map(Self::Kept).map_err(words("looking for the recording"));
        }
        let parent = parent.canonicalize().map_err(words("looking for the directory to work in"))?;
        let made = tempfile::Builder::new().prefix("kinchaku-crash-").tempdir_in(parent);
        made.map(Self::New).map_err(words("making a directory to work in"))
    }

    fn path(&self) -> &Path {
        match self {
            Self::New(directory) => directory.path(),
            Self::Kept(path) => path,
        }
    }

    /// Lets the directory stay where it is.
    fn keep(self) -> PathBuf {
        match self {
            Self::New(directory) => directory.keep(),
            Self::Kept(path) => path,
        }
    }
}

/// Says what was being done when something failed.
fn words<E: Display>(doing: &str) -> impl Fn(E) -> String + '_ {
    move |error| format!("{doing}: {error}")
}
