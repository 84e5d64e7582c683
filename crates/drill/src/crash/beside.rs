//! What the wallet's service keeps beside its books: the vault with its master key, the notices that a consumer makes of the
//! journal, and signed anchors of it.
//!
//! Vault and outbox lie in the data directory, keys and anchors outside it. After a crash everything that the journal has of
//! a person must open, the anchors must be of this journal, and each notice must stand in the outbox once. The store checks
//! the anchors itself when it opens. Start reading at [`check`].

use super::books::Books;
use super::inspection::SqliteCore;
use super::load::PROFILE;
use super::words;
use crate::simulate::chance::Chance;
use engine::anchor::AnchorOptions;
use engine::sqlite::SqliteJournal;
use engine::vault::Vault;
use engine::{Consumers, Follower, Submission, Watch};
use std::path::{Path, PathBuf};
use wallet::holder::{Command as Holder, Sealed};
use wallet::{Command, Wallets};

/// Records after which an anchor is due: few, so that a recorded run has many.
const ANCHOR_RECORDS_MAX: u64 = 25;
/// What every profile says that was sealed.
const SEALED: &[u8] = b"a name and an address";

/// The vault of a running process, and of how many profiles it seals one.
pub struct Profiles {
    vault: Vault,
    one_in: u64,
    asked: u64,
}

impl Profiles {
    /// Opens the vault in the data directory at `directory`, and makes it if it is not there.
    /// Each key costs a sync, so a run that is about its load seals `one_in` so many alone.
    pub fn open(directory: &Path, one_in: u64) -> Result<Self, String> {
        let vault = Vault::open(directory, &beside(directory, "master.key"), Box::new(fill()));
        vault.map(|vault| Self { vault, one_in, asked: 0 }).map_err(words("opening the vault"))
    }

    /// Seals the profile of whoever opens: their key is durable before the journal needs it.
    pub fn seal(&mut self, mut submission: Submission<Wallets>) -> Result<Submission<Wallets>, String> {
        if let Command::Holder(Holder::Open { holder, profile, .. }) = &mut submission.command {
            self.asked += 1;
            if self.asked.is_multiple_of(self.one_in) {
                *profile = Sealed(self.vault.seal(holder.0, SEALED).map_err(words("sealing a profile"))?);
            }
        }
        Ok(submission)
    }
}

/// The notices of a process that has no thread for them.
pub struct Notices(Follower<Wallets>);

impl Notices {
    /// Opens the outbox in the data directory at `directory`, and makes it if it is not there.
    pub fn open(directory: &Path) -> Result<Self, String> {
        Self::made_in(directory, directory)
    }

    /// An outbox in `outbox` of the journal in `directory`.
    fn made_in(outbox: &Path, directory: &Path) -> Result<Self, String> {
        let journal = SqliteJournal::open(directory).map_err(words("opening the journal to read"))?;
        server::notices::follower(outbox, Box::new(journal)).map(Self).map_err(words("opening the outbox"))
    }

    /// Brings them up to record `until`, as far as there are records.
    pub fn follow(&mut self, until: u64) -> Result<(), String> {
        while self.0.cursor() < until && self.0.catch_up(until).map_err(words("following the journal"))? {}
        Ok(())
    }

    /// Saves what waits to be saved.
    pub fn settle(&mut self) -> Result<(), String> {
        self.0.settle().map_err(words("saving the notices"))
    }
}

/// Starts a thread that makes the notices of whatever `core` commits.
pub fn connect(directory: &Path, core: &mut SqliteCore) -> Result<Watch, String> {
    let mut consumers = Consumers::new(&core.status().head);
    consumers.add(Notices::open(directory)?.0);
    let (observer, watch) = consumers.connect();
    core.observe(observer);
    Ok(watch)
}

/// Anchors of the journal in `directory`, in a file beside it, signed with a key beside it.
pub fn anchors(directory: &Path) -> Result<AnchorOptions, String> {
    let options = AnchorOptions::open(beside(directory, "anchors"), &beside(directory, "anchor.key"), &mut fill());
    let options = options.map_err(words("opening the anchors"))?;
    Ok(AnchorOptions { records_max: ANCHOR_RECORDS_MAX, ..options })
}

/// Checks vault and notices after a crash against the journal in `directory`, which `books` have read to its end.
pub fn check(directory: &Path, books: &Books) -> Result<(), String> {
    let vault = Profiles::open(directory, 1)?.vault;
    for (holder, profile) in books.profiles().filter(|(_, profile)| profile.0 != PROFILE) {
        let opened = vault.unseal(holder.0, &profile.0);
        if opened.as_deref() != Ok(SEALED) {
            return Err(format!("the journal has a profile of {holder}, and it does not open: {opened:?}"));
        }
    }
    let anew = tempfile::tempdir().map_err(words("making a directory"))?;
    let kept = notices_of(Notices::open(directory)?, directory, books.head)?;
    let made = notices_of(Notices::made_in(anew.path(), directory)?, anew.path(), books.head)?;
    if kept == made {
        return Ok(());
    }
    Err(format!("the outbox has {} notices, and made anew of the journal they are {} others", kept.len(), made.len()))
}

fn notices_of(mut notices: Notices, outbox: &Path, head: u64) -> Result<Vec<server::notices::Told>, String> {
    notices.follow(head)?;
    notices.settle()?;
    let pending = server::notices::Pending::open(outbox).map_err(words("opening the outbox"))?;
    pending.read(usize::MAX).map_err(words("reading the outbox"))
}

/// A file beside the data directory.
fn beside(directory: &Path, name: &str) -> PathBuf {
    directory.with_file_name(name)
}

fn fill() -> impl FnMut(&mut [u8]) + Send {
    let mut chance = Chance::new(0);
    move |bytes| bytes.chunks_mut(16).for_each(|some| some.copy_from_slice(&chance.bytes()[..some.len()]))
}

#[cfg(test)]
mod tests {
    use super::super::child::{small_bounds, small_load};
    use super::super::inspection::{open, read_on};
    use super::*;
    use engine::Outbox;
    use std::fs;

    /// A data directory in which people have opened wallets, with what the journal has of them.
    fn lived(place: &Path) -> Result<(PathBuf, Books), String> {
        let (directory, load) = (place.join("data"), small_load(1));
        let mut core = open(&directory, &small_bounds(true))?;
        let (mut profiles, mut notices) = (Profiles::open(&directory, 1)?, Notices::open(&directory)?);
        let batch: Vec<_> =
            (0..load.setup() + 40).map(|number| profiles.seal(load.submission(number))).collect::<Result<_, _>>()?;
        core.step(&batch, &mut Vec::new());
        notices.follow(core.status().head.place.n)?;
        notices.settle()?;
        let mut books = Books::new(load);
        read_on(&mut books, &mut core)?;
        drop(core.close().map_err(words("closing"))?);
        Ok((directory, books))
    }

    #[test]
    fn what_is_lost_beside_the_books_is_found() -> Result<(), String> {
        let place = tempfile::tempdir().expect("a directory");
        let (directory, books) = lived(place.path())?;
        assert!(books.profiles().count() > 10);
        check(&directory, &books)?;

        // The outbox is ahead of the journal.
        let mut outbox = Outbox::open(&directory, server::notices::NAME).expect("an outbox");
        outbox.append(books.head + 1, b"").expect("a cursor is saved");
        check(&directory, &books).expect_err("the journal has no such record");
        fs::remove_file(directory.join(engine::CONSUMERS_FILE)).expect("the outbox goes");
        check(&directory, &books)?;

        // The vault is gone, and with it everybody's key.
        fs::remove_file(directory.join("vault.sqlite")).expect("the vault goes");
        let why = check(&directory, &books).expect_err("no profile opens any more");
        assert!(why.contains("does not open"), "{why}");

        // The anchors are of a longer journal.
        for entry in fs::read_dir(&directory).expect("a directory") {
            fs::remove_file(entry.expect("a file").path()).expect("the books go");
        }
        let why = open(&directory, &small_bounds(true)).err().unwrap_or_default();
        assert!(why.contains("was anchored"), "{why}");
        Ok(())
    }
}
